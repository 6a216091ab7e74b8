// SPDX-License-Identifier: MIT
// The events of an organization's stream, and the one place where bytes from the network become them.

import type { EventPayloads, EventType } from './catalogue.js';
import { checkEvent } from './check.js';
import { JsonError, parseObject, type JsonObject } from './json.js';

export { InvoiceEvent, NotificationEvent } from './catalogue.js';
export type { InvoiceStatus, NotificationType } from './catalogue.js';

/** The organization is the page's own, so it is left out. */
type DataOf<T extends EventType> = Omit<EventPayloads[T], 'organizationId'>;

export type InvoiceData = DataOf<'invoice.created'>;

/** The event's number in its organization's stream, which the broker sets: 16 hexadecimal and 20 decimal digits. */
export interface Position {
  readonly epoch: string;
  readonly sequence: string;
}

interface EventOf<T extends EventType> {
  readonly id: string;
  readonly type: T;
  readonly data: DataOf<T>;
  /** null: the broker gives no numbers. */
  readonly position: Position | null;
}

/** One of the catalogue's types with its data. */
export type StreamEvent = { [T in EventType]: EventOf<T> }[EventType];

export type Decoded =
  | { readonly ok: true; readonly event: StreamEvent }
  | { readonly ok: false; readonly reason: string };

/** Of another form they are some sender's, and mean nothing. */
function positionOf(event: JsonObject): Position | null {
  const epoch = event.get('epoch');
  const sequence = event.get('sequence');
  if (typeof epoch !== 'string' || !/^[0-9a-f]{16}$/.test(epoch)) return null;
  if (typeof sequence !== 'string' || !/^[0-9]{20}$/.test(sequence)) return null;
  return { epoch, sequence };
}

function reasonOf(error: unknown): string {
  if (error instanceof JsonError) return `event is ${error.message}`;
  return error instanceof Error ? error.message : 'event is unreadable';
}

/** The reason begins with the field at fault, as in the broker's log, and has nothing of the payload in it. */
export function decodeEvent(payload: Uint8Array, topic: string, organizationId: string): Decoded {
  try {
    const event = parseObject(payload);
    const { type, data: fields } = checkEvent(event, topic, organizationId);
    const { organizationId: _own, ...data } = fields;
    // What the rules describe is what EventPayloads declares: both are written from the catalogue.
    const decoded = { id: event.get('id'), type, data, position: positionOf(event) } as unknown as StreamEvent;
    return { ok: true, event: decoded };
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
}

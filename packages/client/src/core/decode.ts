// SPDX-License-Identifier: MIT
// Bytes from the network become an event, or a reason why they are none. The broker has checked events already;
// this checks what the types promise.

import type { EventPayloads, EventType } from './catalogue.js';
import type { Position } from './order.js';
import { REQUIRED } from './required.js';

/** A CloudEvent as the broker delivers it. */
export interface EventEnvelope<T extends string = string, D = unknown> {
  readonly id: string;
  readonly type: T;
  readonly source: string;
  /** The invoice or notification that it is about. */
  readonly subject: string | undefined;
  /** RFC 3339. */
  readonly time: string | undefined;
  readonly organizationId: string;
  readonly data: D;
  /** null: the broker does not number events. */
  readonly position: Position | null;
}

/** An event of the catalogue, with the payload that its type has. */
export type StreamEvent = { [T in EventType]: EventEnvelope<T, EventPayloads[T]> }[EventType];

export type Decoded =
  | { readonly ok: true; readonly event: EventEnvelope }
  | { readonly ok: false; readonly reason: string };

const utf8 = new TextDecoder('utf-8', { fatal: true });

function bad(reason: string): Decoded {
  return { ok: false, reason };
}

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(payload));
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** The attributes `epoch` and `sequence`, where the broker has set both. */
export function positionOf(object: Record<string, unknown>): Position | null {
  const { epoch, sequence } = object;
  if (typeof epoch !== 'string' || epoch === '') return null;
  if (typeof sequence !== 'string' || !/^[0-9]{1,20}$/.test(sequence)) return null;
  return { epoch, sequence: BigInt(sequence) };
}

/** The member that is missing or of another kind; '' for none. */
function faultOf(type: string, data: unknown): string {
  const required = Object.hasOwn(REQUIRED, type) ? REQUIRED[type as EventType] : undefined;
  if (!required) return '';
  if (!isObject(data)) return 'data';
  for (const [name, kind] of Object.entries(required)) {
    if (typeof data[name] !== kind || data[name] === null) return `data.${name}`;
  }
  return '';
}

/** The reason names a member, and has nothing of the payload in it. */
export function decodeEvent(payload: Uint8Array, organizationId: string): Decoded {
  const object = parse(payload);
  if (!isObject(object)) return bad('the payload is not a JSON object in UTF-8');
  const { id, type, data } = object;
  if (object['specversion'] !== '1.0') return bad('specversion is not 1.0');
  if (typeof id !== 'string' || typeof type !== 'string') return bad('id or type is missing');
  if (object['organizationid'] !== organizationId) return bad('organizationid is another one than the topic names');
  const fault = faultOf(type, data);
  if (fault) return bad(`${fault} is missing or malformed`);
  return {
    ok: true,
    event: {
      id,
      type,
      source: textOf(object['source']) ?? '',
      subject: textOf(object['subject']),
      time: textOf(object['time']),
      organizationId,
      data,
      position: positionOf(object),
    },
  };
}

// SPDX-License-Identifier: MIT
// The events of an organization's stream, and the one place where bytes from the network become them.

import { FIELDS, type EventPayloads, type EventType, type FieldRule } from './catalogue.js';

export { InvoiceEvent, NotificationEvent } from './catalogue.js';
export type { InvoiceStatus, NotificationType } from './catalogue.js';

/** The organization is the page's own, so it is left out. */
type DataOf<T extends EventType> = Omit<EventPayloads[T], 'organizationId'>;

export type InvoiceData = DataOf<'invoice.created'>;

/** One of the catalogue's types with its data. */
export type StreamEvent = {
  [T in EventType]: { readonly id: string; readonly type: T; readonly data: DataOf<T> };
}[EventType];

export type Decoded =
  | { readonly ok: true; readonly event: StreamEvent }
  | { readonly ok: false; readonly reason: string };

class DecodeError extends Error {}

type JsonObject = Readonly<Record<string, unknown>>;

function asObject(value: unknown, name: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DecodeError(`${name} is not an object`);
  }
  return value as JsonObject;
}

function asText(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new DecodeError(`${name} is not a text`);
  return value;
}

function decodeText(rule: FieldRule & { readonly kind: 'text' }, value: unknown): string {
  const text = asText(value, rule.name);
  if (rule.pattern !== undefined && !rule.pattern.test(text)) throw new DecodeError(`${rule.name} does not read as one`);
  if (rule.time === true && Number.isNaN(Date.parse(text))) throw new DecodeError(`${rule.name} is not a time`);
  if (text === '' && rule.mayBeEmpty !== true) throw new DecodeError(`${rule.name} is empty`);
  return text;
}

function decodeField(rule: FieldRule, value: unknown): unknown {
  if (rule.kind === 'object') return decodeFields(rule.fields, asObject(value, rule.name));
  if (rule.kind === 'text') return decodeText(rule, value);
  const text = asText(value, rule.name);
  if (!rule.values.includes(text)) throw new DecodeError(`${rule.name} is none of ${rule.values.join(', ')}`);
  return text;
}

/** The members that the catalogue has; a newer sender's others are passed over. */
function decodeFields(rules: readonly FieldRule[], object: JsonObject): JsonObject {
  const fields: Record<string, unknown> = {};
  for (const rule of rules) {
    const value = object[rule.name];
    if (value !== undefined) fields[rule.name] = decodeField(rule, value);
    else if (rule.required) throw new DecodeError(`${rule.name} is missing`);
  }
  return fields;
}

function isEventType(type: string): type is EventType {
  return Object.hasOwn(FIELDS, type);
}

function decodeChecked(payload: Uint8Array, organizationId: string): StreamEvent {
  const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  const envelope = asObject(parsed, 'event');
  if (envelope['specversion'] !== '1.0') throw new DecodeError('specversion is not 1.0');
  const id = asText(envelope['id'], 'id');
  if (id === '') throw new DecodeError('id is empty');
  const type = asText(envelope['type'], 'type');
  if (!isEventType(type)) throw new DecodeError('type is none of the catalogue');
  const fields = decodeFields(FIELDS[type], asObject(envelope['data'], 'data'));
  // The broker sees to this; a page that checks as well cannot show what a wrong broker lets through.
  if (fields['organizationId'] !== organizationId) throw new DecodeError('organizationId is another one');
  const { organizationId: _own, ...data } = fields;
  // What FIELDS describes is what EventPayloads declares: both are written from the catalogue.
  return { id, type, data } as unknown as StreamEvent;
}

export function decodeEvent(payload: Uint8Array, organizationId: string): Decoded {
  try {
    return { ok: true, event: decodeChecked(payload, organizationId) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : 'unreadable' };
  }
}

// SPDX-License-Identifier: MIT
// The events of an organization's stream, and the one place where bytes from the network become them.

export const InvoiceEvent = {
  CREATED: 'invoice.created',
  UPDATED: 'invoice.updated',
  SENT: 'invoice.sent',
  PAID: 'invoice.paid',
  OVERDUE: 'invoice.overdue',
  CANCELLED: 'invoice.cancelled',
  DELETED: 'invoice.deleted',
} as const;

export const NOTIFICATION_CREATED = 'notification.created';

const STATUSES = ['DRAFT', 'SENT', 'PENDING', 'PAID', 'OVERDUE', 'CANCELLED'] as const;
const NOTIFICATION_TYPES = ['success', 'info', 'warning', 'error'] as const;
const INVOICE_TYPES = Object.values(InvoiceEvent);

export type InvoiceEventType = (typeof INVOICE_TYPES)[number];
export type InvoiceStatus = (typeof STATUSES)[number];
export type NotificationType = (typeof NOTIFICATION_TYPES)[number];

export interface InvoiceData {
  readonly invoiceId: string;
  readonly invoiceNumber: string;
  /** A decimal string, exactly as the backend sent it: never a float. */
  readonly amount: string;
  readonly currency: string;
  readonly status: InvoiceStatus;
  readonly timestamp: string;
}

export interface NotificationData {
  readonly notificationId: string;
  readonly title: string;
  readonly message: string;
  readonly type: NotificationType;
  readonly timestamp: string;
}

export type StreamEvent =
  | { readonly id: string; readonly type: InvoiceEventType; readonly data: InvoiceData }
  | { readonly id: string; readonly type: typeof NOTIFICATION_CREATED; readonly data: NotificationData };

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

function textOf(object: JsonObject, name: string): string {
  const value = object[name];
  if (typeof value !== 'string' || value === '') throw new DecodeError(`${name} is not a text`);
  return value;
}

function oneOf<T extends string>(object: JsonObject, name: string, allowed: readonly T[]): T {
  const value = textOf(object, name);
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new DecodeError(`${name} is none of ${allowed.join(', ')}`);
  return found;
}

function amountOf(object: JsonObject): string {
  const amount = textOf(object, 'amount');
  if (!/^-?\d{1,18}(\.\d{1,6})?$/.test(amount)) throw new DecodeError('amount is not a decimal');
  return amount;
}

function timeOf(object: JsonObject): string {
  const timestamp = textOf(object, 'timestamp');
  if (Number.isNaN(Date.parse(timestamp))) throw new DecodeError('timestamp is not a time');
  return timestamp;
}

function decodeChecked(payload: Uint8Array, organizationId: string): StreamEvent {
  const parsed: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  const envelope = asObject(parsed, 'event');
  if (envelope['specversion'] !== '1.0') throw new DecodeError('specversion is not 1.0');
  const id = textOf(envelope, 'id');
  const type = oneOf(envelope, 'type', [...INVOICE_TYPES, NOTIFICATION_CREATED]);
  const data = asObject(envelope['data'], 'data');
  // The broker sees to this; a page that checks as well cannot show what a wrong broker lets through.
  if (textOf(data, 'organizationId') !== organizationId) {
    throw new DecodeError('organizationId is another one');
  }
  const timestamp = timeOf(data);

  if (type === NOTIFICATION_CREATED) {
    return {
      id,
      type,
      data: {
        notificationId: textOf(data, 'notificationId'),
        title: textOf(data, 'title'),
        message: textOf(data, 'message'),
        type: oneOf(data, 'type', NOTIFICATION_TYPES),
        timestamp,
      },
    };
  }
  return {
    id,
    type,
    data: {
      invoiceId: textOf(data, 'invoiceId'),
      invoiceNumber: textOf(data, 'invoiceNumber'),
      amount: amountOf(data),
      currency: textOf(data, 'currency'),
      status: oneOf(data, 'status', STATUSES),
      timestamp,
    },
  };
}

export function decodeEvent(payload: Uint8Array, organizationId: string): Decoded {
  try {
    return { ok: true, event: decodeChecked(payload, organizationId) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : 'unreadable' };
  }
}

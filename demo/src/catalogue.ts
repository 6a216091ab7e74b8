// SPDX-License-Identifier: MIT
// Written by events/generate from events/; do not edit.

export const InvoiceEvent = {
  CREATED: 'invoice.created', // An invoice was created.
  UPDATED: 'invoice.updated', // Fields of an invoice changed; `previous` may carry their old values.
  SENT: 'invoice.sent', // An invoice was sent to the customer.
  PAID: 'invoice.paid', // An invoice was paid.
  OVERDUE: 'invoice.overdue', // An invoice's due date passed without payment.
  CANCELLED: 'invoice.cancelled', // An invoice was cancelled.
  DELETED: 'invoice.deleted', // An invoice was deleted.
} as const;
export type InvoiceEvent = (typeof InvoiceEvent)[keyof typeof InvoiceEvent];

export const NotificationEvent = {
  CREATED: 'notification.created', // Something to show to the organization's people.
} as const;
export type NotificationEvent = (typeof NotificationEvent)[keyof typeof NotificationEvent];

export const INVOICE_STATUSES = ['DRAFT', 'SENT', 'PENDING', 'PAID', 'OVERDUE', 'CANCELLED'] as const;
/** Where the invoice stands. */
export type InvoiceStatus = (typeof INVOICE_STATUSES)[number];

export const NOTIFICATION_TYPES = ['success', 'info', 'warning', 'error'] as const;
/** How it is shown. */
export type NotificationType = (typeof NOTIFICATION_TYPES)[number];

/** Old values of the invoice's fields that changed; what did not change is absent. */
export interface InvoicePrevious {
  /** What people call the invoice. 1 to 128 bytes without control characters. */
  readonly invoiceNumber?: string;
  /** For example 99.90; sent exactly as given, never through a float. A decimal number: up to 18 digits, up to 6 after the point. */
  readonly amount?: string;
  /** For example EUR. Three upper-case letters (ISO 4217). */
  readonly currency?: string;
  /** Where the invoice stands. */
  readonly status?: InvoiceStatus;
}

/** Data of every `invoice.*` event. */
export interface InvoiceEventPayload {
  /** The organization. 1 to 128 bytes without `/ + #`, white space and control characters; does not begin with `$`. */
  readonly organizationId: string;
  /** The invoice. 1 to 128 bytes without `/ + #`, white space and control characters. */
  readonly invoiceId: string;
  /** What people call the invoice. 1 to 128 bytes without control characters. */
  readonly invoiceNumber: string;
  /** For example 99.90; sent exactly as given, never through a float. A decimal number: up to 18 digits, up to 6 after the point. */
  readonly amount: string;
  /** For example EUR. Three upper-case letters (ISO 4217). */
  readonly currency: string;
  /** Where the invoice stands. */
  readonly status: InvoiceStatus;
  /** When it happened. RFC 3339 with T in upper case, Z or an offset, up to nanoseconds, no leap second. */
  readonly timestamp: string;
  /** Old values of the invoice's fields that changed; what did not change is absent. */
  readonly previous?: InvoicePrevious;
}

/** Data of `notification.created`. */
export interface NotificationEventPayload {
  /** The organization. 1 to 128 bytes without `/ + #`, white space and control characters; does not begin with `$`. */
  readonly organizationId: string;
  /** The notification. 1 to 128 bytes without `/ + #`, white space and control characters. */
  readonly notificationId: string;
  /** What it is about, in one line. 1 to 256 bytes without control characters. */
  readonly title: string;
  /** The text, perhaps of several lines. 1 to 4096 bytes; of the control characters only tabs and line ends. */
  readonly message: string;
  /** How it is shown. */
  readonly type: NotificationType;
  /** The invoice that it is about. 1 to 128 bytes without `/ + #`, white space and control characters. */
  readonly invoiceId?: string;
  /** When it happened. RFC 3339 with T in upper case, Z or an offset, up to nanoseconds, no leap second. */
  readonly timestamp: string;
}

/** The data that each type of event carries. */
export interface EventPayloads {
  readonly 'invoice.created': InvoiceEventPayload;
  readonly 'invoice.updated': InvoiceEventPayload;
  readonly 'invoice.sent': InvoiceEventPayload;
  readonly 'invoice.paid': InvoiceEventPayload;
  readonly 'invoice.overdue': InvoiceEventPayload;
  readonly 'invoice.cancelled': InvoiceEventPayload;
  readonly 'invoice.deleted': InvoiceEventPayload;
  readonly 'notification.created': NotificationEventPayload;
}
export type EventType = keyof EventPayloads;

/** Formats of texts; events/README.md says what they are. */
export type TextFormat =
  | 'date-time'
  | 'orgcast-entity-id'
  | 'orgcast-line'
  | 'orgcast-organization-id'
  | 'orgcast-text';

/** What a decoder has to check of one member. `only` are the types that may carry it, where not all may. */
export type FieldRule = {
  readonly name: string;
  readonly required: boolean;
  readonly only?: readonly EventType[];
} & (
  | { readonly kind: 'text'; readonly maxBytes?: number; readonly format: TextFormat; readonly mayBeEmpty?: true }
  | { readonly kind: 'text'; readonly maxBytes?: number; readonly pattern: RegExp; readonly fault: string }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'object'; readonly object: ObjectRule }
);

/** `open`: other members are allowed. */
export interface ObjectRule {
  readonly open: boolean;
  readonly fields: readonly FieldRule[];
}

/** What the types of one kind carry. `entity` is the member that the topic's last level repeats. */
export interface DataRule {
  readonly schema: string;
  readonly entity: string;
  readonly object: ObjectRule;
}

/** `word` is the topic's last level but one. */
export interface TypeRule {
  readonly word: string;
  readonly data: DataRule;
}

const INVOICE_PREVIOUS_OBJECT: ObjectRule = {
  open: false,
  fields: [
    { name: 'invoiceNumber', required: false, kind: 'text', maxBytes: 128, format: 'orgcast-line' },
    { name: 'amount', required: false, kind: 'text', pattern: new RegExp('^-?[0-9]{1,18}(\\.[0-9]{1,6})?$'), fault: 'must be a decimal number: up to 18 digits, up to 6 after the point' },
    { name: 'currency', required: false, kind: 'text', pattern: new RegExp('^[A-Z]{3}$'), fault: 'must be three upper-case letters (ISO 4217)' },
    { name: 'status', required: false, kind: 'enum', values: INVOICE_STATUSES },
  ],
};

const INVOICE_OBJECT: ObjectRule = {
  open: false,
  fields: [
    { name: 'organizationId', required: true, kind: 'text', maxBytes: 128, format: 'orgcast-organization-id' },
    { name: 'invoiceId', required: true, kind: 'text', maxBytes: 128, format: 'orgcast-entity-id' },
    { name: 'invoiceNumber', required: true, kind: 'text', maxBytes: 128, format: 'orgcast-line' },
    { name: 'amount', required: true, kind: 'text', pattern: new RegExp('^-?[0-9]{1,18}(\\.[0-9]{1,6})?$'), fault: 'must be a decimal number: up to 18 digits, up to 6 after the point' },
    { name: 'currency', required: true, kind: 'text', pattern: new RegExp('^[A-Z]{3}$'), fault: 'must be three upper-case letters (ISO 4217)' },
    { name: 'status', required: true, kind: 'enum', values: INVOICE_STATUSES },
    { name: 'timestamp', required: true, kind: 'text', format: 'date-time' },
    { name: 'previous', required: false, only: ['invoice.updated'], kind: 'object', object: INVOICE_PREVIOUS_OBJECT },
  ],
};

const INVOICE_DATA: DataRule = {
  schema: 'urn:orgcast:invoice:1',
  entity: 'invoiceId',
  object: INVOICE_OBJECT,
};

const NOTIFICATION_OBJECT: ObjectRule = {
  open: false,
  fields: [
    { name: 'organizationId', required: true, kind: 'text', maxBytes: 128, format: 'orgcast-organization-id' },
    { name: 'notificationId', required: true, kind: 'text', maxBytes: 128, format: 'orgcast-entity-id' },
    { name: 'title', required: true, kind: 'text', maxBytes: 256, format: 'orgcast-line' },
    { name: 'message', required: true, kind: 'text', maxBytes: 4096, format: 'orgcast-text' },
    { name: 'type', required: true, kind: 'enum', values: NOTIFICATION_TYPES },
    { name: 'invoiceId', required: false, kind: 'text', maxBytes: 128, format: 'orgcast-entity-id' },
    { name: 'timestamp', required: true, kind: 'text', format: 'date-time' },
  ],
};

const NOTIFICATION_DATA: DataRule = {
  schema: 'urn:orgcast:notification:1',
  entity: 'notificationId',
  object: NOTIFICATION_OBJECT,
};

export const TYPE_RULES: Readonly<Record<EventType, TypeRule>> = {
  'invoice.created': { word: 'created', data: INVOICE_DATA },
  'invoice.updated': { word: 'updated', data: INVOICE_DATA },
  'invoice.sent': { word: 'sent', data: INVOICE_DATA },
  'invoice.paid': { word: 'paid', data: INVOICE_DATA },
  'invoice.overdue': { word: 'overdue', data: INVOICE_DATA },
  'invoice.cancelled': { word: 'cancelled', data: INVOICE_DATA },
  'invoice.deleted': { word: 'deleted', data: INVOICE_DATA },
  'notification.created': { word: 'notification', data: NOTIFICATION_DATA },
};

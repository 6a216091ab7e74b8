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

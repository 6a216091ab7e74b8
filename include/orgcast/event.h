/* SPDX-License-Identifier: MIT */
/* Written by events/generate from events/; do not edit. */
/* clang-format off */
#ifndef ORGCAST_EVENT_H
#define ORGCAST_EVENT_H

/** @file
 *  The events, as C structs. On the wire they are CloudEvents 1.0 in structured JSON mode; the
 *  field names there are these in camel case. All strings are UTF-8, NUL-terminated, borrowed. */

#ifdef __cplusplus
extern "C" {
#endif

/** CloudEvents `type`. The zero value is not a type. */
typedef enum orgcast_event_type {
    ORGCAST_EVENT_UNSET = 0,
    ORGCAST_EVENT_INVOICE_CREATED,      /**< "invoice.created" */
    ORGCAST_EVENT_INVOICE_UPDATED,      /**< "invoice.updated" */
    ORGCAST_EVENT_INVOICE_SENT,         /**< "invoice.sent" */
    ORGCAST_EVENT_INVOICE_PAID,         /**< "invoice.paid" */
    ORGCAST_EVENT_INVOICE_OVERDUE,      /**< "invoice.overdue" */
    ORGCAST_EVENT_INVOICE_CANCELLED,    /**< "invoice.cancelled" */
    ORGCAST_EVENT_INVOICE_DELETED,      /**< "invoice.deleted" */
    ORGCAST_EVENT_NOTIFICATION_CREATED, /**< "notification.created" */
} orgcast_event_type_t;

/** Where the invoice stands. The zero value is none. */
typedef enum orgcast_invoice_status {
    ORGCAST_INVOICE_STATUS_UNSET = 0,
    ORGCAST_INVOICE_STATUS_DRAFT,
    ORGCAST_INVOICE_STATUS_SENT,
    ORGCAST_INVOICE_STATUS_PENDING,
    ORGCAST_INVOICE_STATUS_PAID,
    ORGCAST_INVOICE_STATUS_OVERDUE,
    ORGCAST_INVOICE_STATUS_CANCELLED,
} orgcast_invoice_status_t;

/** How it is shown. The zero value is none. */
typedef enum orgcast_notification_type {
    ORGCAST_NOTIFICATION_TYPE_UNSET = 0,
    ORGCAST_NOTIFICATION_TYPE_SUCCESS,
    ORGCAST_NOTIFICATION_TYPE_INFO,
    ORGCAST_NOTIFICATION_TYPE_WARNING,
    ORGCAST_NOTIFICATION_TYPE_ERROR,
} orgcast_notification_type_t;

/** Old values of the invoice's fields that changed; what did not change is absent. */
typedef struct orgcast_invoice_previous {
    /** NULL: absent. What people call the invoice. 1 to 128 bytes without control characters. */
    const char *invoice_number;
    /** NULL: absent. For example 99.90; sent exactly as given, never through a float. A decimal
     *  number: up to 18 digits, up to 6 after the point. */
    const char *amount;
    /** NULL: absent. For example EUR. Three upper-case letters (ISO 4217). */
    const char *currency;
    /** UNSET: absent. Where the invoice stands. */
    orgcast_invoice_status_t status;
} orgcast_invoice_previous_t;

/** Data of every `invoice.*` event. */
typedef struct orgcast_invoice_event {
    /** Required. The organization. 1 to 128 bytes without `/ + #`, white space and control
     *  characters; does not begin with `$`. */
    const char *organization_id;
    /** Required. The invoice. 1 to 128 bytes without `/ + #`, white space and control characters.
     *  CloudEvents `subject`. */
    const char *invoice_id;
    /** Required. What people call the invoice. 1 to 128 bytes without control characters. */
    const char *invoice_number;
    /** Required. For example 99.90; sent exactly as given, never through a float. A decimal number:
     *  up to 18 digits, up to 6 after the point. */
    const char *amount;
    /** Required. For example EUR. Three upper-case letters (ISO 4217). */
    const char *currency;
    /** Required. Where the invoice stands. */
    orgcast_invoice_status_t status;
    /** NULL: the time of the emit call, UTC. When it happened. RFC 3339 with T in upper case, Z or
     *  an offset, up to nanoseconds, no leap second. CloudEvents `time`. */
    const char *timestamp;
    /** Only for `invoice.updated`; NULL: absent. Old values of the invoice's fields that changed;
     *  what did not change is absent. */
    const orgcast_invoice_previous_t *previous;
} orgcast_invoice_event_t;

/** Data of `notification.created`. */
typedef struct orgcast_notification_event {
    /** Required. The organization. 1 to 128 bytes without `/ + #`, white space and control
     *  characters; does not begin with `$`. */
    const char *organization_id;
    /** Required. The notification. 1 to 128 bytes without `/ + #`, white space and control
     *  characters. CloudEvents `subject`. */
    const char *notification_id;
    /** Required. What it is about, in one line. 1 to 256 bytes without control characters. */
    const char *title;
    /** Required. The text, perhaps of several lines. 1 to 4096 bytes; of the control characters
     *  only tabs and line ends. */
    const char *message;
    /** Required. How it is shown. */
    orgcast_notification_type_t type;
    /** NULL: absent. The invoice that it is about. 1 to 128 bytes without `/ + #`, white space and
     *  control characters. */
    const char *invoice_id;
    /** NULL: the time of the emit call, UTC. When it happened. RFC 3339 with T in upper case, Z or
     *  an offset, up to nanoseconds, no leap second. CloudEvents `time`. */
    const char *timestamp;
} orgcast_notification_event_t;

#ifdef __cplusplus
}
#endif
#endif
/* clang-format on */

/* SPDX-License-Identifier: MIT */
#ifndef ORGCAST_EVENT_H
#define ORGCAST_EVENT_H

/** @file
 *  The events, as C structs. On the wire they are CloudEvents 1.0 in structured JSON mode; the
 *  field names there are these in camel case. All strings are UTF-8, NUL-terminated, borrowed. */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** CloudEvents `type`. The zero value is no type. */
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

typedef enum orgcast_invoice_status {
    ORGCAST_INVOICE_STATUS_UNSET = 0,
    ORGCAST_INVOICE_STATUS_DRAFT,
    ORGCAST_INVOICE_STATUS_SENT,
    ORGCAST_INVOICE_STATUS_PENDING,
    ORGCAST_INVOICE_STATUS_PAID,
    ORGCAST_INVOICE_STATUS_OVERDUE,
    ORGCAST_INVOICE_STATUS_CANCELLED,
} orgcast_invoice_status_t;

typedef enum orgcast_notification_type {
    ORGCAST_NOTIFICATION_TYPE_UNSET = 0,
    ORGCAST_NOTIFICATION_TYPE_SUCCESS,
    ORGCAST_NOTIFICATION_TYPE_INFO,
    ORGCAST_NOTIFICATION_TYPE_WARNING,
    ORGCAST_NOTIFICATION_TYPE_ERROR,
} orgcast_notification_type_t;

/** Old values of an invoice's fields that changed; what did not change stays NULL or UNSET. */
typedef struct orgcast_invoice_previous {
    const char *invoice_number;
    const char *amount;
    const char *currency;
    orgcast_invoice_status_t status;
} orgcast_invoice_previous_t;

/** Data of every `invoice.*` event. */
typedef struct orgcast_invoice_event {
    /** Required; 1 to 128 bytes without `/ + #`, white space and control characters; does not begin
     *  with `$`. */
    const char *organization_id;
    /** Required; the same, but may begin with `$`. CloudEvents `subject`. */
    const char *invoice_id;
    /** Required; 1 to 128 bytes without control characters: what people call the invoice. */
    const char *invoice_number;
    /** Required; decimal: `-?`, 1 to 18 digits, optionally `.` and 1 to 6 digits. Sent exactly as
     *  given, never through a float. */
    const char *amount;
    const char *currency;            /**< required; ISO 4217, three upper-case letters */
    orgcast_invoice_status_t status; /**< required */
    /** RFC 3339 with upper-case T and Z, up to nanoseconds, no leap second; NULL: the time of the
     *  emit call, UTC. CloudEvents `time`. */
    const char *timestamp;
    const orgcast_invoice_previous_t *previous; /**< only for `invoice.updated`; NULL: absent */
} orgcast_invoice_event_t;

/** Data of `notification.created`. */
typedef struct orgcast_notification_event {
    const char *organization_id; /**< required; as above */
    const char *notification_id; /**< required; as invoice_id; CloudEvents `subject` */
    const char *title;           /**< required; 1 to 256 bytes without control characters */
    /** Required; 1 to 4096 bytes; of the control characters only tabs and line ends. */
    const char *message;
    orgcast_notification_type_t type; /**< required */
    const char *invoice_id;           /**< NULL: absent; otherwise as invoice_id above */
    const char *timestamp;            /**< as above */
} orgcast_notification_event_t;

#ifdef __cplusplus
}
#endif
#endif

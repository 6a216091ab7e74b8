/* SPDX-License-Identifier: MIT */
#ifndef OC_EVENT_H
#define OC_EVENT_H

/* The event types: their names, their fields' checks, and the topic that each is published on. */

#include <stdbool.h>
#include <stddef.h>

#include <orgcast/emitter.h>

#include "ids.h"

/* Limits, in bytes without the NUL. */
#define OC_EVENT_INVOICE_NUMBER_MAX 128
#define OC_EVENT_TITLE_MAX 256
#define OC_EVENT_MESSAGE_MAX 4096
#define OC_EVENT_SOURCE_MAX 256

/* "org/" organization "/invoices/notification/" entity, and the NUL. */
#define OC_EVENT_TOPIC_LEN (4 + OC_ID_MAX + 23 + OC_ID_MAX + 1)

/* An event of any type: the struct that its type calls for, borrowed. */
typedef struct oc_event {
    orgcast_event_type_t type;
    union {
        const orgcast_invoice_event_t *invoice;
        const orgcast_notification_event_t *notification; /* ORGCAST_EVENT_NOTIFICATION_CREATED */
    } data;
} oc_event_t;

/* Names on the wire: "invoice.paid", "PAID", "warning". NULL for the unset value and for a number
 * that is none of the enum's. */
const char *oc_event_type_name(orgcast_event_type_t type);
const char *oc_invoice_status_name(orgcast_invoice_status_t status);
const char *oc_notification_type_name(orgcast_notification_type_t type);

/* The other way, exact; the unset value for any other name. */
orgcast_event_type_t oc_event_type_parse(const char *name);
orgcast_invoice_status_t oc_invoice_status_parse(const char *name);
orgcast_notification_type_t oc_notification_type_parse(const char *name);

/* ORGCAST_E_INVALID, with the field's catalogue name in diag, unless every field passes. */
ORGCAST_MUST_CHECK orgcast_err_t oc_event_check_fields(const oc_event_t *event, orgcast_diag_t *diag);

/* CloudEvents `source`: a URI-reference of 1 to OC_EVENT_SOURCE_MAX bytes. */
bool oc_event_source_valid(const char *source);

/* Of an event that passed its check; borrowed from it. */
const char *oc_event_organization_id(const oc_event_t *event);
const char *oc_event_subject(const oc_event_t *event);
const char *oc_event_timestamp(const oc_event_t *event); /* NULL: the time of the emit call */

/* The topic of an event that passed its check. */
void oc_event_topic(const oc_event_t *event, char ret_topic[OC_EVENT_TOPIC_LEN]);

#endif

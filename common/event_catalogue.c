/* SPDX-License-Identifier: MIT */
/* Written by events/generate from events/; do not edit. */
/* clang-format off */
#include "event_rules.h"

/* ^-?[0-9]{1,18}(\.[0-9]{1,6})?$ */
static const unsigned char pattern_1_class[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
static const unsigned char pattern_1_next[] = {
    0, 0, 0, 0,
    0, 2, 0, 3,
    0, 0, 0, 3,
    0, 0, 4, 5,
    0, 0, 0, 6,
    0, 0, 4, 7,
    0, 0, 0, 8,
    0, 0, 4, 9,
    0, 0, 0, 10,
    0, 0, 4, 11,
    0, 0, 0, 12,
    0, 0, 4, 13,
    0, 0, 0, 14,
    0, 0, 4, 15,
    0, 0, 0, 16,
    0, 0, 4, 17,
    0, 0, 0, 0,
    0, 0, 4, 18,
    0, 0, 4, 19,
    0, 0, 4, 20,
    0, 0, 4, 21,
    0, 0, 4, 22,
    0, 0, 4, 23,
    0, 0, 4, 24,
    0, 0, 4, 25,
    0, 0, 4, 26,
    0, 0, 4, 27,
    0, 0, 4, 0,
};
static const bool pattern_1_accepting[] = {
    0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
};
static const oc_event_pattern_t pattern_1 = {
    .byte_class = pattern_1_class,
    .next_state = pattern_1_next,
    .accepting = pattern_1_accepting,
    .classes = 4,
    .fault = "must be a decimal number: up to 18 digits, up to 6 after the point",
};

/* ^[A-Z]{3}$ */
static const unsigned char pattern_2_class[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
};
static const unsigned char pattern_2_next[] = {
    0, 0,
    0, 2,
    0, 3,
    0, 4,
    0, 0,
};
static const bool pattern_2_accepting[] = {
    0, 0, 0, 0, 1,
};
static const oc_event_pattern_t pattern_2 = {
    .byte_class = pattern_2_class,
    .next_state = pattern_2_next,
    .accepting = pattern_2_accepting,
    .classes = 2,
    .fault = "must be three upper-case letters (ISO 4217)",
};

static const char *const invoice_status_values[] = {
    "DRAFT",
    "SENT",
    "PENDING",
    "PAID",
    "OVERDUE",
    "CANCELLED",
};
static const oc_event_enum_t invoice_status = {
    invoice_status_values, 6,
    "must be DRAFT, SENT, PENDING, PAID, OVERDUE or CANCELLED",
};

static const char *const notification_type_values[] = {
    "success",
    "info",
    "warning",
    "error",
};
static const oc_event_enum_t notification_type = {
    notification_type_values, 4,
    "must be success, info, warning or error",
};

static const oc_event_field_t invoice_previous_fields[] = {
    {.name = "invoiceNumber",
     .kind = OC_EVENT_KIND_TEXT,
     .max_bytes = 128,
     .format = OC_EVENT_FORMAT_LINE},
    {.name = "amount",
     .kind = OC_EVENT_KIND_TEXT,
     .pattern = &pattern_1},
    {.name = "currency",
     .kind = OC_EVENT_KIND_TEXT,
     .pattern = &pattern_2},
    {.name = "status",
     .kind = OC_EVENT_KIND_ENUM,
     .values = &invoice_status},
};
static const oc_event_object_t invoice_previous = {
    .fields = invoice_previous_fields,
    .count = 4,
    .open = false,
};

static const oc_event_field_t invoice_fields[] = {
    {.name = "organizationId",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .max_bytes = 128,
     .format = OC_EVENT_FORMAT_ORGANIZATION_ID},
    {.name = "invoiceId",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .max_bytes = 128,
     .format = OC_EVENT_FORMAT_ENTITY_ID},
    {.name = "invoiceNumber",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .max_bytes = 128,
     .format = OC_EVENT_FORMAT_LINE},
    {.name = "amount",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .pattern = &pattern_1},
    {.name = "currency",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .pattern = &pattern_2},
    {.name = "status",
     .kind = OC_EVENT_KIND_ENUM,
     .required = true,
     .values = &invoice_status},
    {.name = "timestamp",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .format = OC_EVENT_FORMAT_DATE_TIME},
    {.name = "previous",
     .kind = OC_EVENT_KIND_OBJECT,
     .object = &invoice_previous,
     .only = UINT64_C(1) << 2,
     .only_fault = "is for invoice.updated only"},
};
static const oc_event_object_t invoice = {
    .fields = invoice_fields,
    .count = 8,
    .open = false,
};

static const oc_event_field_t notification_fields[] = {
    {.name = "organizationId",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .max_bytes = 128,
     .format = OC_EVENT_FORMAT_ORGANIZATION_ID},
    {.name = "notificationId",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .max_bytes = 128,
     .format = OC_EVENT_FORMAT_ENTITY_ID},
    {.name = "title",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .max_bytes = 256,
     .format = OC_EVENT_FORMAT_LINE},
    {.name = "message",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .max_bytes = 4096,
     .format = OC_EVENT_FORMAT_TEXT},
    {.name = "type",
     .kind = OC_EVENT_KIND_ENUM,
     .required = true,
     .values = &notification_type},
    {.name = "invoiceId",
     .kind = OC_EVENT_KIND_TEXT,
     .max_bytes = 128,
     .format = OC_EVENT_FORMAT_ENTITY_ID},
    {.name = "timestamp",
     .kind = OC_EVENT_KIND_TEXT,
     .required = true,
     .format = OC_EVENT_FORMAT_DATE_TIME},
};
static const oc_event_object_t notification = {
    .fields = notification_fields,
    .count = 7,
    .open = false,
};

static const oc_event_data_t invoice_data = {
    .name = "invoice",
    .schema = "urn:orgcast:invoice:1",
    .object = &invoice,
    .organization = 0,
    .entity = 1,
    .time = 6,
};

static const oc_event_data_t notification_data = {
    .name = "notification",
    .schema = "urn:orgcast:notification:1",
    .object = &notification,
    .organization = 0,
    .entity = 1,
    .time = 6,
};

const oc_event_rule_t oc_event_rules[] = {
    {NULL, NULL, NULL},
    {"invoice.created", "created", &invoice_data},
    {"invoice.updated", "updated", &invoice_data},
    {"invoice.sent", "sent", &invoice_data},
    {"invoice.paid", "paid", &invoice_data},
    {"invoice.overdue", "overdue", &invoice_data},
    {"invoice.cancelled", "cancelled", &invoice_data},
    {"invoice.deleted", "deleted", &invoice_data},
    {"notification.created", "notification", &notification_data},
};
const size_t oc_event_rules_count = 9;

const oc_event_data_t *const oc_event_kinds[] = {
    &invoice_data,
    &notification_data,
};
const size_t oc_event_kinds_count = 2;
/* clang-format on */

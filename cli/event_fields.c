/* SPDX-License-Identifier: MIT */
/* Written by events/generate from events/; do not edit. */
/* clang-format off */
#include "event_input.h"

static const cli_event_field_t invoice_fields[] = {
    {"organizationId", CLI_OPT_ORGANIZATION_ID},
    {"invoiceId", CLI_OPT_INVOICE_ID},
    {"invoiceNumber", CLI_OPT_INVOICE_NUMBER},
    {"amount", CLI_OPT_AMOUNT},
    {"currency", CLI_OPT_CURRENCY},
    {"status", CLI_OPT_STATUS},
    {"timestamp", CLI_OPT_TIMESTAMP},
    {"previous", CLI_OPT_PREVIOUS},
};

static const cli_event_field_t notification_fields[] = {
    {"organizationId", CLI_OPT_ORGANIZATION_ID},
    {"notificationId", CLI_OPT_NOTIFICATION_ID},
    {"title", CLI_OPT_TITLE},
    {"message", CLI_OPT_MESSAGE},
    {"notificationType", CLI_OPT_TYPE},
    {"invoiceId", CLI_OPT_INVOICE_ID},
    {"timestamp", CLI_OPT_TIMESTAMP},
};

const cli_event_field_t *const cli_event_fields[] = {
    NULL,
    invoice_fields, /* invoice.created */
    invoice_fields, /* invoice.updated */
    invoice_fields, /* invoice.sent */
    invoice_fields, /* invoice.paid */
    invoice_fields, /* invoice.overdue */
    invoice_fields, /* invoice.cancelled */
    invoice_fields, /* invoice.deleted */
    notification_fields, /* notification.created */
};
/* clang-format on */

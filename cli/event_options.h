/* SPDX-License-Identifier: MIT */
/* Written by events/generate from events/; do not edit. */
/* clang-format off */
#ifndef OC_CLI_EVENT_OPTIONS_H
#define OC_CLI_EVENT_OPTIONS_H

/* Part of CLI_OPTIONS in args.h. */
#define CLI_EVENT_OPTIONS(X) \
    X(ORGANIZATION_ID, "organization-id", "ORG", "the organization") \
    X(INVOICE_ID, "invoice-id", "ID", "the invoice; for a notification: the invoice that it\nis about") \
    X(INVOICE_NUMBER, "invoice-number", "TEXT", "what people call the invoice") \
    X(AMOUNT, "amount", "AMOUNT", "for example 99.90; sent exactly as given, never\nthrough a float") \
    X(CURRENCY, "currency", "CURRENCY", "for example EUR") \
    X(STATUS, "status", "STATUS", "where the invoice stands: DRAFT, SENT, PENDING, PAID,\nOVERDUE or CANCELLED") \
    X(TIMESTAMP, "timestamp", "TIME", "when it happened: RFC 3339 (default: now)") \
    X(PREVIOUS, "previous", "JSON", "for invoice.updated: old values of the invoice's\nfields that changed: an object of invoiceNumber,\namount, currency, status") \
    X(NOTIFICATION_ID, "notification-id", "ID", "the notification") \
    X(TITLE, "title", "TEXT", "what it is about, in one line") \
    X(MESSAGE, "message", "TEXT", "the text, perhaps of several lines") \
    X(TYPE, "type", "TYPE", "how it is shown: success, info, warning or error")

/* The fields' options among those of a subcommand. */
#define CLI_EVENT_USES \
    {CLI_OPT_ORGANIZATION_ID, false, NULL}, \
    {CLI_OPT_INVOICE_ID, false, NULL}, \
    {CLI_OPT_INVOICE_NUMBER, false, NULL}, \
    {CLI_OPT_AMOUNT, false, NULL}, \
    {CLI_OPT_CURRENCY, false, NULL}, \
    {CLI_OPT_STATUS, false, NULL}, \
    {CLI_OPT_TIMESTAMP, false, NULL}, \
    {CLI_OPT_PREVIOUS, false, NULL}, \
    {CLI_OPT_NOTIFICATION_ID, false, NULL}, \
    {CLI_OPT_TITLE, false, NULL}, \
    {CLI_OPT_MESSAGE, false, NULL}, \
    {CLI_OPT_TYPE, false, NULL}

/* For --help: the types, and what each needs. */
#define CLI_EVENT_NOTES \
    "TYPE is invoice.created, invoice.updated, invoice.sent, invoice.paid, invoice.overdue,\n" \
    "invoice.cancelled, invoice.deleted or notification.created.\n" \
    "Invoice events need --organization-id --invoice-id --invoice-number --amount --currency\n" \
    "--status.\n" \
    "Notification events need --organization-id --notification-id --title --message --type.\n"

/* The same for what is chosen of a stream. */
#define CLI_EVENT_WORDS \
    "EVENT is created, updated, sent, paid, overdue, cancelled, deleted or notification.\n"

#endif
/* clang-format on */

/* SPDX-License-Identifier: MIT */
#include "event.h"

#include <stdio.h>
#include <string.h>

#include "fail.h"
#include "utf8.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define AMOUNT_WHOLE_MAX 18
#define AMOUNT_FRACTION_MAX 6
#define SECOND_FRACTION_MAX 9

/* The topic's word is the type's last one; a notification's is its first (INTERFACE §2). */
static const struct {
    const char *name;
    const char *topic_word;
} types[] = {
    [ORGCAST_EVENT_INVOICE_CREATED] = {"invoice.created", "created"},
    [ORGCAST_EVENT_INVOICE_UPDATED] = {"invoice.updated", "updated"},
    [ORGCAST_EVENT_INVOICE_SENT] = {"invoice.sent", "sent"},
    [ORGCAST_EVENT_INVOICE_PAID] = {"invoice.paid", "paid"},
    [ORGCAST_EVENT_INVOICE_OVERDUE] = {"invoice.overdue", "overdue"},
    [ORGCAST_EVENT_INVOICE_CANCELLED] = {"invoice.cancelled", "cancelled"},
    [ORGCAST_EVENT_INVOICE_DELETED] = {"invoice.deleted", "deleted"},
    [ORGCAST_EVENT_NOTIFICATION_CREATED] = {"notification.created", "notification"},
};

static const char *const statuses[] = {
    [ORGCAST_INVOICE_STATUS_DRAFT] = "DRAFT",     [ORGCAST_INVOICE_STATUS_SENT] = "SENT",
    [ORGCAST_INVOICE_STATUS_PENDING] = "PENDING", [ORGCAST_INVOICE_STATUS_PAID] = "PAID",
    [ORGCAST_INVOICE_STATUS_OVERDUE] = "OVERDUE", [ORGCAST_INVOICE_STATUS_CANCELLED] = "CANCELLED",
};

static const char *const notification_types[] = {
    [ORGCAST_NOTIFICATION_TYPE_SUCCESS] = "success",
    [ORGCAST_NOTIFICATION_TYPE_INFO] = "info",
    [ORGCAST_NOTIFICATION_TYPE_WARNING] = "warning",
    [ORGCAST_NOTIFICATION_TYPE_ERROR] = "error",
};

const char *oc_event_type_name(orgcast_event_type_t type)
{
    return (size_t)type < COUNT(types) ? types[type].name : NULL;
}

const char *oc_invoice_status_name(orgcast_invoice_status_t status)
{
    return (size_t)status < COUNT(statuses) ? statuses[status] : NULL;
}

const char *oc_notification_type_name(orgcast_notification_type_t type)
{
    return (size_t)type < COUNT(notification_types) ? notification_types[type] : NULL;
}

orgcast_event_type_t oc_event_type_parse(const char *name)
{
    for (size_t i = 1; i < COUNT(types); i++)
        if (strcmp(name, types[i].name) == 0)
            return (orgcast_event_type_t)i;
    return ORGCAST_EVENT_UNSET;
}

orgcast_invoice_status_t oc_invoice_status_parse(const char *name)
{
    for (size_t i = 1; i < COUNT(statuses); i++)
        if (strcmp(name, statuses[i]) == 0)
            return (orgcast_invoice_status_t)i;
    return ORGCAST_INVOICE_STATUS_UNSET;
}

orgcast_notification_type_t oc_notification_type_parse(const char *name)
{
    for (size_t i = 1; i < COUNT(notification_types); i++)
        if (strcmp(name, notification_types[i]) == 0)
            return (orgcast_notification_type_t)i;
    return ORGCAST_NOTIFICATION_TYPE_UNSET;
}

/* The checks of one field: NULL when it passes, else what it must be. text is not NULL. */

static const char *check_length(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);

    if (len == 0)
        return "must not be empty";
    return len > max ? "is too long" : NULL;
}

static const char *check_id(const char *text)
{
    return oc_id_fault(text, strnlen(text, OC_ID_MAX + 1));
}

static const char *check_organization_id(const char *text)
{
    return oc_org_id_fault(text, strnlen(text, OC_ID_MAX + 1));
}

static const char *check_line(const char *text, size_t max)
{
    const char *fault = check_length(text, max);

    if (!fault && !oc_utf8_printable(text, strlen(text)))
        return "must be UTF-8 without control characters";
    return fault;
}

static const char *check_invoice_number(const char *text)
{
    return check_line(text, OC_EVENT_INVOICE_NUMBER_MAX);
}

static const char *check_title(const char *text)
{
    return check_line(text, OC_EVENT_TITLE_MAX);
}

static const char *check_message(const char *text)
{
    const char *fault = check_length(text, OC_EVENT_MESSAGE_MAX);

    if (fault)
        return fault;
    for (;;) {
        size_t len = strcspn(text, "\t\r\n");

        if (!oc_utf8_printable(text, len))
            return "must be UTF-8 without control characters other than tabs and line ends";
        if (text[len] == '\0')
            return NULL;
        text += len + 1;
    }
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

static const char *check_amount(const char *text)
{
    static const char fault[] =
        "must be a decimal number: up to 18 digits, up to 6 after the point";
    size_t digits;

    if (*text == '-')
        text++;
    digits = count_digits(text);
    if (digits == 0 || digits > AMOUNT_WHOLE_MAX)
        return fault;
    text += digits;
    if (*text == '.') {
        text++;
        digits = count_digits(text);
        if (digits == 0 || digits > AMOUNT_FRACTION_MAX)
            return fault;
        text += digits;
    }
    return *text == '\0' ? NULL : fault;
}

static const char *check_currency(const char *text)
{
    if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3 || text[3] != '\0')
        return "must be three upper-case letters (ISO 4217)";
    return NULL;
}

/* Reads exactly `digits` digits and moves *text on; -1 when they are not there. */
static int read_digits(const char **text, size_t digits)
{
    int value = 0;

    if (count_digits(*text) < digits)
        return -1;
    while (digits-- > 0)
        value = value * 10 + (*(*text)++ - '0');
    return value;
}

static bool skip(const char **text, char expected)
{
    if (**text != expected)
        return false;
    (*text)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return days[month - 1];
}

static bool read_date(const char **text)
{
    int year = read_digits(text, 4);
    int month = skip(text, '-') ? read_digits(text, 2) : -1;
    int day = skip(text, '-') ? read_digits(text, 2) : -1;

    return year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month);
}

static bool read_hour_minute(const char **text)
{
    int hour = read_digits(text, 2);
    int minute = skip(text, ':') ? read_digits(text, 2) : -1;

    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

/* Of RFC 3339 §5.6 what every consumer's date parser takes: upper-case T and Z, at most nanoseconds,
 * and no second 60, which JavaScript's does not know. */
static const char *check_timestamp(const char *text)
{
    static const char fault[] = "must be an RFC 3339 time such as 2026-11-24T10:00:00.123Z";
    int second;
    size_t digits;

    if (!read_date(&text) || !skip(&text, 'T') || !read_hour_minute(&text) || !skip(&text, ':'))
        return fault;
    second = read_digits(&text, 2);
    if (second < 0 || second > 59)
        return fault;
    if (skip(&text, '.')) {
        digits = count_digits(text);
        if (digits == 0 || digits > SECOND_FRACTION_MAX)
            return fault;
        text += digits;
    }
    if (!skip(&text, 'Z')) {
        if ((*text != '+' && *text != '-'))
            return fault;
        text++;
        if (!read_hour_minute(&text))
            return fault;
    }
    return *text == '\0' ? NULL : fault;
}

/* A string field: its catalogue name, its value, its check. */
typedef struct field {
    const char *name;
    const char *value;
    const char *(*check)(const char *text);
    bool optional;
} field_t;

static orgcast_err_t check_fields(const field_t *fields, size_t count, orgcast_diag_t *diag)
{
    for (size_t i = 0; i < count; i++) {
        const char *fault;

        if (!fields[i].value) {
            if (fields[i].optional)
                continue;
            return oc_emitter_fail(diag, ORGCAST_E_INVALID, "%s is missing", fields[i].name);
        }
        fault = fields[i].check(fields[i].value);
        if (fault)
            return oc_emitter_fail(diag, ORGCAST_E_INVALID, "%s %s", fields[i].name, fault);
    }
    return ORGCAST_OK;
}

static orgcast_err_t check_previous(orgcast_event_type_t type,
                                    const orgcast_invoice_previous_t *previous,
                                    orgcast_diag_t *diag)
{
    const field_t fields[] = {
        {"previous.invoiceNumber", previous->invoice_number, check_invoice_number, true},
        {"previous.amount", previous->amount, check_amount, true},
        {"previous.currency", previous->currency, check_currency, true},
    };

    if (type != ORGCAST_EVENT_INVOICE_UPDATED)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "previous is for invoice.updated only");
    if (previous->status != ORGCAST_INVOICE_STATUS_UNSET &&
        !oc_invoice_status_name(previous->status))
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "previous.status is no invoice status");
    return check_fields(fields, COUNT(fields), diag);
}

orgcast_err_t orgcast_event_check_invoice(orgcast_event_type_t type,
                                          const orgcast_invoice_event_t *event,
                                          orgcast_diag_t *diag)
{
    orgcast_err_t err;

    if (!oc_event_type_name(type) || type == ORGCAST_EVENT_NOTIFICATION_CREATED)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "type is no invoice event");
    if (!event)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "event is missing");

    const field_t fields[] = {
        {"organizationId", event->organization_id, check_organization_id, false},
        {"invoiceId", event->invoice_id, check_id, false},
        {"invoiceNumber", event->invoice_number, check_invoice_number, false},
        {"amount", event->amount, check_amount, false},
        {"currency", event->currency, check_currency, false},
        {"timestamp", event->timestamp, check_timestamp, true},
    };

    err = check_fields(fields, COUNT(fields), diag);
    if (err != ORGCAST_OK)
        return err;
    if (!oc_invoice_status_name(event->status))
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "status is missing or no invoice status");
    return event->previous ? check_previous(type, event->previous, diag) : ORGCAST_OK;
}

orgcast_err_t orgcast_event_check_notification(const orgcast_notification_event_t *event,
                                               orgcast_diag_t *diag)
{
    orgcast_err_t err;

    if (!event)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "event is missing");

    const field_t fields[] = {
        {"organizationId", event->organization_id, check_organization_id, false},
        {"notificationId", event->notification_id, check_id, false},
        {"title", event->title, check_title, false},
        {"message", event->message, check_message, false},
        {"invoiceId", event->invoice_id, check_id, true},
        {"timestamp", event->timestamp, check_timestamp, true},
    };

    err = check_fields(fields, COUNT(fields), diag);
    if (err != ORGCAST_OK)
        return err;
    if (!oc_notification_type_name(event->type))
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "type is missing or no notification type");
    return ORGCAST_OK;
}

static bool is_notification(const oc_event_t *event)
{
    return event->type == ORGCAST_EVENT_NOTIFICATION_CREATED;
}

orgcast_err_t oc_event_check_fields(const oc_event_t *event, orgcast_diag_t *diag)
{
    return is_notification(event)
               ? orgcast_event_check_notification(event->data.notification, diag)
               : orgcast_event_check_invoice(event->type, event->data.invoice, diag);
}

/* The characters of RFC 3986 §2. */
bool oc_event_source_valid(const char *source)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        "-._~:/?#[]@!$&'()*+,;=%";
    size_t len = strnlen(source, OC_EVENT_SOURCE_MAX + 1);

    return len > 0 && len <= OC_EVENT_SOURCE_MAX && strspn(source, allowed) == len;
}

const char *oc_event_organization_id(const oc_event_t *event)
{
    return is_notification(event) ? event->data.notification->organization_id
                                  : event->data.invoice->organization_id;
}

const char *oc_event_subject(const oc_event_t *event)
{
    return is_notification(event) ? event->data.notification->notification_id
                                  : event->data.invoice->invoice_id;
}

const char *oc_event_timestamp(const oc_event_t *event)
{
    return is_notification(event) ? event->data.notification->timestamp
                                  : event->data.invoice->timestamp;
}

void oc_event_topic(const oc_event_t *event, char ret_topic[OC_EVENT_TOPIC_LEN])
{
    (void)snprintf(ret_topic, OC_EVENT_TOPIC_LEN, "org/%s/invoices/%s/%s",
                   oc_event_organization_id(event), types[event->type].topic_word,
                   oc_event_subject(event));
}

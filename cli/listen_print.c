/* SPDX-License-Identifier: MIT */
#include "listen_print.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "mem.h"
#include "utf8.h"

/* What came over the network must not steer the terminal. */
static void print_safely(const char *text)
{
    size_t cap;
    char *quoted;

    if (oc_utf8_printable(text, strlen(text))) {
        fputs(text, stdout);
        return;
    }
    cap = 4 * strlen(text) + 8;
    quoted = malloc(cap);
    fputs(quoted ? oc_utf8_quote(text, quoted, cap) : "?", stdout);
    free(quoted);
}

static void print_field(const json_t *object, const char *name, const char *before,
                        const char *after)
{
    const char *text = json_string_value(json_object_get(object, name));

    if (!text)
        return;
    fputs(before, stdout);
    print_safely(text);
    fputs(after, stdout);
}

/* Is the value in the line already, or the same in all of an organization's events? */
static bool is_said(const json_t *event, const char *name, const json_t *value)
{
    return strcmp(name, "organizationId") == 0 ||
           json_equal(value, json_object_get(event, "subject")) ||
           json_equal(value, json_object_get(event, "time"));
}

static void print_value(const json_t *value)
{
    if (json_is_string(value))
        print_safely(json_string_value(value));
    else
        (void)json_dumpf(value, stdout, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
}

/* Data that nothing is known of here: a type that was added to the catalogue, or a sender's own. */
static void print_other(const json_t *event, json_t *data)
{
    const char *name;
    json_t *value;

    if (data && !json_is_object(data)) {
        putchar(' ');
        print_value(data);
    }
    json_object_foreach(data, name, value)
    {
        if (is_said(event, name, value))
            continue;
        putchar(' ');
        print_safely(name);
        putchar('=');
        print_value(value);
    }
}

/* 2026-11-24T10:00:00.123Z acme invoice.paid inv-17: 2026-0017 10.00 EUR PAID
 * 2026-11-24T10:00:00.123Z acme notification.created n-4: [warning] Title: message
 * 2026-11-24T10:00:00.123Z acme payment.received p-1: method=card iban=DE02120300000000202051 */
static void print_text(const json_t *event, json_t *data)
{
    print_field(event, "time", "", "");
    print_field(event, "organizationid", " ", "");
    print_field(event, "type", " ", "");
    print_field(event, "subject", " ", ":");
    if (json_object_get(data, "notificationId")) {
        print_field(data, "type", " [", "]");
        print_field(data, "title", " ", ":");
        print_field(data, "message", " ", "");
    } else if (json_object_get(data, "invoiceNumber")) {
        print_field(data, "invoiceNumber", " ", "");
        print_field(data, "amount", " ", "");
        print_field(data, "currency", " ", "");
        print_field(data, "status", " ", "");
    } else {
        print_other(event, data);
    }
    putchar('\n');
}

static void print_json(const json_t *event, const char *payload, size_t payload_len)
{
    /* The bytes as they came, unless they are more than one line; to a terminal nothing but ASCII, which
     * an event cannot steer it with. */
    if (isatty(STDOUT_FILENO))
        (void)json_dumpf(event, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    else if (memchr(payload, '\n', payload_len) || memchr(payload, '\r', payload_len))
        (void)json_dumpf(event, stdout, JSON_COMPACT);
    else
        (void)fwrite(payload, 1, payload_len, stdout);
    putchar('\n');
}

/* With `validate_events envelope` an event has any data or none. */
static bool is_event(const json_t *event)
{
    return json_is_string(json_object_get(event, "type")) &&
           (json_is_object(json_object_get(event, "data")) ||
            json_is_string(json_object_get(event, "specversion")));
}

oc_err_t cli_listen_print(const char *payload, size_t payload_len, bool json)
{
    OC_CLEANUP(oc_json_decrefp) json_t *event = NULL;
    oc_err_t err = OC_E_EVENT_INVALID;

    if (payload_len > 0)
        err = oc_json_load(payload, payload_len, &event, NULL);
    if (err)
        return err == OC_E_NOMEM ? err : OC_E_EVENT_INVALID;
    if (!is_event(event))
        return OC_E_EVENT_INVALID;
    if (json)
        print_json(event, payload, payload_len);
    else
        print_text(event, json_object_get(event, "data"));
    return OC_OK;
}

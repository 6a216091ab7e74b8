/* SPDX-License-Identifier: MIT */
/* Which payloads are events that may be published on their topic. */
#include <cJSON.h>
#include <stdbool.h>
#include <string.h>

#include "b64url.h"
#include "encode.h"
#include "event_check.h"
#include "json.h"
#include "unit.h"

static oc_err_t check(oc_event_mode_t mode, const char *topic, const char *payload, size_t len,
                      oc_diag_t *diag)
{
    return oc_event_check(mode, "acme", 4, topic, payload, len, diag);
}

/* --- The vectors --- */

static const char *text_of(const json_t *vector, const char *name)
{
    return json_string_value(json_object_get(vector, name));
}

/* A payload that is no text stands there as base64url. */
static void read_payload(const json_t *vector, char **ret_payload, size_t *ret_len)
{
    const char *text = text_of(vector, "payload");
    const char *base64 = text_of(vector, "payload_b64url");

    *ret_payload = malloc(strlen(text ? text : base64) + 1);
    ck_assert_ptr_nonnull(*ret_payload);
    if (text) {
        *ret_len = strlen(text);
        memcpy(*ret_payload, text, *ret_len);
    } else {
        ck_assert(oc_b64url_decode(base64, strlen(base64), (unsigned char *)*ret_payload,
                                   strlen(base64), ret_len));
    }
}

static void check_vector(const json_t *vector, oc_event_mode_t mode, const char *mode_name)
{
    const char *name = text_of(vector, "name");
    const char *org = text_of(vector, "organization");
    const char *topic = text_of(vector, "topic");
    const char *field = text_of(vector, "field");
    bool valid = strcmp(text_of(vector, mode_name), "valid") == 0;
    oc_diag_t diag = {0};
    char *payload;
    size_t len;
    oc_err_t err;

    read_payload(vector, &payload, &len);
    err = oc_event_check(mode, org, strlen(org), topic, payload, len, &diag);

    unit_check(err == (valid ? OC_OK : OC_E_EVENT_INVALID), "%s, %s: %s %s", name, mode_name,
               oc_err_name(err), diag.message);
    unit_check(diag.code == err, "%s, %s: the diag says otherwise", name, mode_name);
    unit_check(valid || (strncmp(diag.message, field, strlen(field)) == 0 &&
                         diag.message[strlen(field)] == ' '),
               "%s, %s: not about %s: %s", name, mode_name, field, diag.message);
    err = oc_event_check(mode, org, strlen(org), topic, payload, len, NULL);
    unit_check(err == (valid ? OC_OK : OC_E_EVENT_INVALID), "%s, %s: without diag", name,
               mode_name);
    free(payload);
}

START_TEST(vectors)
{
    json_t *file = json_load_file(ORGCAST_VECTORS "/events.json", JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_object_get(file, "vectors");
    json_t *vector;
    size_t i;

    ck_assert_uint_ge(json_array_size(list), 450);
    json_array_foreach(list, i, vector)
    {
        check_vector(vector, OC_EVENT_MODE_CATALOGUE, "catalogue");
        check_vector(vector, OC_EVENT_MODE_ENVELOPE, "envelope");
    }
    json_decref(file);
}
END_TEST

/* --- Bytes --- */

#define BEGIN "{\"specversion\":\"1.0\",\"id\":\""
#define END                                                                                        \
    "\",\"source\":\"/billing\",\"type\":\"invoice.paid\",\"subject\":\"inv-17\","                 \
    "\"organizationid\":\"acme\",\"data\":{\"organizationId\":\"acme\",\"invoiceId\":\"inv-17\","  \
    "\"invoiceNumber\":\"2026-0017\",\"amount\":\"10.00\",\"currency\":\"EUR\","                   \
    "\"status\":\"PAID\",\"timestamp\":\"2026-11-24T10:00:00Z\"}}"
#define PAID_TOPIC "org/acme/invoices/paid/inv-17"

START_TEST(no_payload_at_all)
{
    for (int mode = OC_EVENT_MODE_CATALOGUE; mode <= OC_EVENT_MODE_ENVELOPE; mode++)
        ck_assert_int_eq(check((oc_event_mode_t)mode, PAID_TOPIC, NULL, 0, NULL),
                         OC_E_EVENT_INVALID);
}
END_TEST

/* The payload is exactly its length: no NUL is needed behind it, and no part of it is an event. */
START_TEST(length_counts)
{
    static const char payload[] = BEGIN "a" END;

    for (size_t len = 0; len < sizeof payload; len++) {
        char *cut = malloc(len ? len : 1);
        bool whole = len == sizeof payload - 1;

        ck_assert_ptr_nonnull(cut);
        memcpy(cut, payload, len);
        unit_check(check(OC_EVENT_MODE_CATALOGUE, PAID_TOPIC, cut, len, NULL) ==
                       (whole ? OC_OK : OC_E_EVENT_INVALID),
                   "cut to %zu", len);
        free(cut);
    }
}
END_TEST

/* Data that nobody here looks at may hold any number of JSON. */
START_TEST(numbers_of_any_size)
{
    static const char payload[] =
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/"
        "s\",\"organizationid\":\"acme\",\"type\":\"t\",\"data\":{"
        "\"hash\":18446744073709551615,\"wei\":-340282366920938463463374607431768211456,\"x\":"
        "1e400}}";
    oc_diag_t diag = {0};

    ck_assert_msg(check(OC_EVENT_MODE_ENVELOPE, PAID_TOPIC, payload, sizeof payload - 1, &diag) ==
                      OC_OK,
                  "%s", diag.message);
}
END_TEST

/* What a sender wrote is not repeated in the log, wherever it stands. */
START_TEST(no_payload_in_a_message)
{
    json_t *file = json_load_file(ORGCAST_VECTORS "/events.json", JSON_REJECT_DUPLICATES, NULL);
    const json_t *first = json_array_get(json_object_get(file, "vectors"), 0);
    json_t *event = NULL;
    const char *name;
    json_t *value;
    void *next;

    ck_assert_int_eq(
        oc_json_load(text_of(first, "payload"), strlen(text_of(first, "payload")), &event, NULL),
        OC_OK);
    for (int inside = 0; inside < 2; inside++) {
        json_t *object = inside ? json_object_get(event, "data") : event;

        json_object_foreach_safe(object, next, name, value)
        {
            OC_CLEANUP(oc_json_decrefp) json_t *before = json_incref(value);
            char *payload;
            oc_diag_t diag = {0};

            json_object_set_new(object, name, json_string("<marked>"));
            payload = json_dumps(event, JSON_COMPACT);
            if (check(OC_EVENT_MODE_CATALOGUE, PAID_TOPIC, payload, strlen(payload), &diag))
                unit_check(!strstr(diag.message, "<marked>"), "%s: %s", name, diag.message);
            else
                unit_check(strcmp(name, "id") == 0 || strcmp(name, "invoiceNumber") == 0,
                           "%s: accepted", name);
            free(payload);
            json_object_set(object, name, before);
        }
    }
    json_decref(event);
    json_decref(file);
}
END_TEST

/* --- What the emitter writes --- */

#define A10 "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10
#define A128 A100 A10 A10 "aaaaaaaa"

static const orgcast_invoice_previous_t all_old = {"\xe2\x84\x96 1", "-1.5", "USD",
                                                   ORGCAST_INVOICE_STATUS_DRAFT};
static const orgcast_invoice_previous_t one_old = {.status = ORGCAST_INVOICE_STATUS_SENT};

static const orgcast_invoice_event_t invoices[] = {
    {"acme", "inv-17", "2026-0017", "10.00", "EUR", ORGCAST_INVOICE_STATUS_PAID, NULL, NULL},
    {"acme", "inv-17", "2026-0017", "-0", "JPY", ORGCAST_INVOICE_STATUS_DRAFT,
     "2024-02-29T23:59:59.999999999-11:30", NULL},
    {"caf\xc3\xa9", "\"r\\e:1\"", "a \"quoted\" \\ / number", "999999999999999999.999999", "CHF",
     ORGCAST_INVOICE_STATUS_CANCELLED, "2026-11-24T10:00:00Z", NULL},
    {A128, A128, A128, "1", "EUR", ORGCAST_INVOICE_STATUS_OVERDUE, NULL, &all_old},
    {"a", "$", "\xf0\x9f\xa7\xbe", "007", "XXX", ORGCAST_INVOICE_STATUS_PENDING, NULL, &one_old},
};

static const orgcast_notification_event_t notifications[] = {
    {"acme", "n-4", "Overdue", "Invoice 2026-0017\n\tis overdue.\r\n",
     ORGCAST_NOTIFICATION_TYPE_WARNING, "inv-17", NULL},
    {"acme", "n-4", "</script>", "\xe2\x80\xa8 \" \\ \\u0000", ORGCAST_NOTIFICATION_TYPE_SUCCESS,
     NULL, "2026-11-23T09:00:00+01:00"},
    {A128, A128, A100, A100 A100 A100, ORGCAST_NOTIFICATION_TYPE_ERROR, A128, NULL},
};

static void check_emitted(const oc_event_t *event)
{
    const char *org = oc_event_organization_id(event);
    char topic[OC_EVENT_TOPIC_LEN];
    char *json = NULL;
    size_t len = 0;
    oc_diag_t diag = {0};

    ck_assert_int_eq(oc_event_check_fields(event, NULL), ORGCAST_OK);
    ck_assert_int_eq(oc_encode_event(event, "/billing?a=%20#b", "01938c9e-0000-7000-8000-00000001",
                                     "2026-11-24T10:00:00.123Z", &json, &len),
                     ORGCAST_OK);
    oc_event_topic(event, topic);
    for (int mode = OC_EVENT_MODE_CATALOGUE; mode <= OC_EVENT_MODE_ENVELOPE; mode++)
        ck_assert_msg(oc_event_check((oc_event_mode_t)mode, org, strlen(org), topic, json, len,
                                     &diag) == OC_OK,
                      "%s\n%s", diag.message, json);
    cJSON_free(json);
}

START_TEST(what_the_emitter_writes)
{
    for (int type = ORGCAST_EVENT_INVOICE_CREATED; type <= ORGCAST_EVENT_INVOICE_DELETED; type++) {
        for (size_t i = 0; i < COUNT(invoices); i++) {
            orgcast_invoice_event_t invoice = invoices[i];
            const oc_event_t event = {(orgcast_event_type_t)type, &invoice};

            if (type != ORGCAST_EVENT_INVOICE_UPDATED)
                invoice.previous = NULL;
            check_emitted(&event);
        }
    }
    for (size_t i = 0; i < COUNT(notifications); i++) {
        const oc_event_t event = {.type = ORGCAST_EVENT_NOTIFICATION_CREATED,
                                  .data = &notifications[i]};

        check_emitted(&event);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("event_check");

    tcase_add_test(tcase, vectors);
    tcase_add_test(tcase, no_payload_at_all);
    tcase_add_test(tcase, length_counts);
    tcase_add_test(tcase, numbers_of_any_size);
    tcase_add_test(tcase, no_payload_in_a_message);
    tcase_add_test(tcase, what_the_emitter_writes);
    return unit_run("event_check", tcase);
}

/* SPDX-License-Identifier: MIT */
#include <cJSON.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "encode.h"
#include "unit.h"

#define ID "01938c9e-0000-7000-8000-000000000001"
#define NOW "2026-11-24T10:00:00.123Z"

static const orgcast_invoice_event_t invoice = {
    .organization_id = "acme",
    .invoice_id = "inv-17",
    .invoice_number = "2026-0017",
    .amount = "99999999999999.99",
    .currency = "EUR",
    .status = ORGCAST_INVOICE_STATUS_PAID,
};

/* What the encoder wrote, when it did. */
static char *encode(const oc_event_t *event)
{
    char *json = NULL;
    size_t len = 0;

    ck_assert_int_eq(oc_event_check_fields(event, NULL), ORGCAST_OK);
    ck_assert_int_eq(oc_encode_event(event, "/billing", ID, NOW, &json, &len), ORGCAST_OK);
    ck_assert_uint_eq(len, strlen(json));
    return json;
}

static char *encode_invoice(orgcast_event_type_t type, const orgcast_invoice_event_t *data)
{
    const oc_event_t event = {.type = type, .data = data};

    return encode(&event);
}

/* By a second, stricter parser: no duplicates, valid UTF-8, nothing behind the object. */
static json_t *parse(const char *json)
{
    json_error_t error;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &error);

    ck_assert_msg(root != NULL, "%s: %s", error.text, json);
    return root;
}

static const char *data_text(json_t *root, const char *name)
{
    return json_string_value(json_object_get(json_object_get(root, "data"), name));
}

START_TEST(an_invoice_reads_as_documented)
{
    char *json = encode_invoice(ORGCAST_EVENT_INVOICE_PAID, &invoice);

    ck_assert_str_eq(json, "{\"specversion\":\"1.0\",\"id\":\"" ID
                           "\",\"source\":\"/billing\","
                           "\"type\":\"invoice.paid\",\"subject\":\"inv-17\",\"time\":\"" NOW
                           "\","
                           "\"datacontenttype\":\"application/json\","
                           "\"dataschema\":\"urn:orgcast:invoice:1\",\"organizationid\":\"acme\","
                           "\"data\":{\"organizationId\":\"acme\",\"invoiceId\":\"inv-17\","
                           "\"invoiceNumber\":\"2026-0017\",\"amount\":\"99999999999999.99\","
                           "\"currency\":\"EUR\",\"status\":\"PAID\",\"timestamp\":\"" NOW "\"}}");
    cJSON_free(json);
}
END_TEST

START_TEST(a_notification_reads_as_documented)
{
    const orgcast_notification_event_t notification = {
        .organization_id = "acme",
        .notification_id = "n-4",
        .title = "Overdue",
        .message = "Invoice 2026-0017\nis overdue.",
        .type = ORGCAST_NOTIFICATION_TYPE_WARNING,
        .invoice_id = "inv-17",
        .timestamp = "2026-11-23T09:00:00+01:00",
    };
    const oc_event_t event = {.type = ORGCAST_EVENT_NOTIFICATION_CREATED, .data = &notification};
    char *json = encode(&event);

    ck_assert_str_eq(json, "{\"specversion\":\"1.0\",\"id\":\"" ID
                           "\",\"source\":\"/billing\","
                           "\"type\":\"notification.created\",\"subject\":\"n-4\","
                           "\"time\":\"2026-11-23T09:00:00+01:00\","
                           "\"datacontenttype\":\"application/json\","
                           "\"dataschema\":\"urn:orgcast:notification:1\","
                           "\"organizationid\":\"acme\","
                           "\"data\":{\"organizationId\":\"acme\",\"notificationId\":\"n-4\","
                           "\"title\":\"Overdue\",\"message\":\"Invoice 2026-0017\\nis overdue.\","
                           "\"type\":\"warning\",\"invoiceId\":\"inv-17\","
                           "\"timestamp\":\"2026-11-23T09:00:00+01:00\"}}");
    cJSON_free(json);
}
END_TEST

START_TEST(previous_holds_what_changed)
{
    static const struct {
        orgcast_invoice_previous_t previous;
        const char *json; /* NULL: no such member */
    } cases[] = {
        {{0}, NULL},
        {{.amount = "9.00"}, "{\"amount\":\"9.00\"}"},
        {{.status = ORGCAST_INVOICE_STATUS_DRAFT}, "{\"status\":\"DRAFT\"}"},
        {{"1", "-2", "USD", ORGCAST_INVOICE_STATUS_SENT},
         "{\"invoiceNumber\":\"1\",\"amount\":\"-2\",\"currency\":\"USD\",\"status\":\"SENT\"}"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        orgcast_invoice_event_t event = invoice;
        char *json;
        char *shown = NULL;
        json_t *root;
        json_t *previous;

        event.previous = &cases[i].previous;
        json = encode_invoice(ORGCAST_EVENT_INVOICE_UPDATED, &event);
        root = parse(json);
        previous = json_object_get(json_object_get(root, "data"), "previous");
        if (previous)
            shown = json_dumps(previous, JSON_COMPACT);
        ck_assert_msg(cases[i].json ? shown && strcmp(shown, cases[i].json) == 0 : !shown,
                      "case %zu: %s", i, json);
        free(shown);
        json_decref(root);
        cJSON_free(json);
    }
}
END_TEST

START_TEST(amounts_come_back_byte_for_byte)
{
    static const char *const amounts[] = {
        "0",
        "-0",
        "007",
        "0.10",
        "10.000000",
        "-0.000001",
        "9007199254740993",
        "999999999999999999.999999",
        "123456789012345678",
    };

    for (size_t i = 0; i < COUNT(amounts); i++) {
        orgcast_invoice_event_t event = invoice;
        char *json;
        json_t *root;

        event.amount = amounts[i];
        json = encode_invoice(ORGCAST_EVENT_INVOICE_CREATED, &event);
        root = parse(json);
        ck_assert_str_eq(data_text(root, "amount"), amounts[i]);
        json_decref(root);
        cJSON_free(json);
    }
}
END_TEST

START_TEST(text_comes_back_byte_for_byte)
{
    static const char *const texts[] = {
        "plain",
        "\"quoted\" and \\ and /",
        "tab\tline\r\nend",
        "</script><script>alert(1)</script>",
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa7\xbe \xe2\x80\xa8",
        "%s %n {\"a\":1}",
        "\\u0000 \\n",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        const orgcast_notification_event_t notification = {
            .organization_id = "caf\xc3\xa9",
            .notification_id = "\"n\\4\"",
            .title = "t",
            .message = texts[i],
            .type = ORGCAST_NOTIFICATION_TYPE_INFO,
        };
        const oc_event_t event = {.type = ORGCAST_EVENT_NOTIFICATION_CREATED,
                                  .data = &notification};
        char *json = encode(&event);
        json_t *root = parse(json);

        ck_assert_str_eq(data_text(root, "message"), texts[i]);
        ck_assert_str_eq(data_text(root, "organizationId"), "caf\xc3\xa9");
        ck_assert_str_eq(json_string_value(json_object_get(root, "organizationid")), "caf\xc3\xa9");
        ck_assert_str_eq(json_string_value(json_object_get(root, "subject")), "\"n\\4\"");
        ck_assert_ptr_null(json_object_get(json_object_get(root, "data"), "invoiceId"));
        json_decref(root);
        cJSON_free(json);
    }
}
END_TEST

/* The allocation to fail, counted down; negative: none. */
static int fail_at = -1;
static int live;

static void *failing_malloc(size_t size)
{
    void *memory;

    if (fail_at >= 0 && fail_at-- == 0)
        return NULL;
    memory = malloc(size);
    live += memory != NULL;
    return memory;
}

static void counting_free(void *memory)
{
    live -= memory != NULL;
    free(memory);
}

/* Every allocation failed once: an error, nothing leaked, nothing written to the outputs. */
START_TEST(out_of_memory)
{
    const orgcast_invoice_previous_t previous = {"1", "2", "USD", ORGCAST_INVOICE_STATUS_SENT};
    cJSON_Hooks hooks = {failing_malloc, counting_free};
    orgcast_invoice_event_t data = invoice;
    const oc_event_t event = {.type = ORGCAST_EVENT_INVOICE_UPDATED, .data = &data};
    int failures = 0;

    data.previous = &previous;
    cJSON_InitHooks(&hooks);
    for (;; failures++) {
        char *json = NULL;
        size_t len = 0;
        orgcast_err_t err;

        fail_at = failures;
        err = oc_encode_event(&event, "/billing", ID, NOW, &json, &len);
        if (err == ORGCAST_OK) {
            cJSON_free(json);
            break;
        }
        ck_assert_int_eq(err, ORGCAST_E_NOMEM);
        ck_assert_msg(!json && len == 0 && live == 0, "allocation %d", failures);
    }
    fail_at = -1;
    cJSON_InitHooks(NULL);
    ck_assert_int_eq(live, 0);
    ck_assert_int_gt(failures, 20);
}
END_TEST

START_TEST(times)
{
    static const struct {
        int64_t unix_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1795514400123, "2026-11-24T10:00:00.123Z"},
        {1709164799999, "2024-02-28T23:59:59.999Z"},
        {1709164800000, "2024-02-29T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[OC_TIME_TEXT_LEN];

        oc_time_format(cases[i].unix_ms, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("encode");

    tcase_add_test(tcase, an_invoice_reads_as_documented);
    tcase_add_test(tcase, a_notification_reads_as_documented);
    tcase_add_test(tcase, previous_holds_what_changed);
    tcase_add_test(tcase, amounts_come_back_byte_for_byte);
    tcase_add_test(tcase, text_comes_back_byte_for_byte);
    tcase_add_test(tcase, out_of_memory);
    tcase_add_test(tcase, times);
    return unit_run("encode", tcase);
}

/* SPDX-License-Identifier: MIT */
/* Links the shared library: what an application's unit test would see. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <orgcast/recorder.h>

#include "unit.h"

#define THREADS 4
#define PER_THREAD 500

static const orgcast_invoice_event_t invoice = {
    .organization_id = "acme",
    .invoice_id = "inv-17",
    .invoice_number = "2026-0017",
    .amount = "10.00",
    .currency = "EUR",
    .status = ORGCAST_INVOICE_STATUS_PAID,
};

static const orgcast_notification_event_t notification = {
    .organization_id = "globex",
    .notification_id = "n-4",
    .title = "Paid",
    .message = "Invoice 2026-0017 is paid.",
    .type = ORGCAST_NOTIFICATION_TYPE_SUCCESS,
};

static orgcast_emitter_t *open_recorder(const orgcast_emitter_options_t *options)
{
    orgcast_emitter_t *emitter = NULL;
    orgcast_diag_t diag = {0};

    ck_assert_msg(orgcast_recorder_open(options, &emitter, &diag) == ORGCAST_OK, "%s",
                  diag.message);
    return emitter;
}

static orgcast_recorded_t recorded(orgcast_emitter_t *emitter, size_t index)
{
    orgcast_recorded_t event = {0};

    ck_assert_int_eq(orgcast_recorder_get(emitter, index, &event), ORGCAST_OK);
    return event;
}

typedef orgcast_err_t emit_fn(orgcast_emitter_t *emitter, const orgcast_invoice_event_t *event,
                              orgcast_receipt_t *ret_receipt);

START_TEST(every_emit_function_records_its_type)
{
    static const struct {
        emit_fn *emit;
        orgcast_event_type_t type;
        const char *word;
    } cases[] = {
        {orgcast_emit_invoice_created, ORGCAST_EVENT_INVOICE_CREATED, "created"},
        {orgcast_emit_invoice_updated, ORGCAST_EVENT_INVOICE_UPDATED, "updated"},
        {orgcast_emit_invoice_sent, ORGCAST_EVENT_INVOICE_SENT, "sent"},
        {orgcast_emit_invoice_paid, ORGCAST_EVENT_INVOICE_PAID, "paid"},
        {orgcast_emit_invoice_overdue, ORGCAST_EVENT_INVOICE_OVERDUE, "overdue"},
        {orgcast_emit_invoice_cancelled, ORGCAST_EVENT_INVOICE_CANCELLED, "cancelled"},
        {orgcast_emit_invoice_deleted, ORGCAST_EVENT_INVOICE_DELETED, "deleted"},
    };
    size_t count = COUNT(cases);
    orgcast_emitter_options_t options = {.source = "/billing"};
    orgcast_emitter_t *emitter = open_recorder(&options);
    orgcast_receipt_t receipt;
    orgcast_recorded_t event;

    for (size_t i = 0; i < count; i++) {
        char text[128];

        ck_assert_int_eq(cases[i].emit(emitter, &invoice, &receipt), ORGCAST_OK);
        ck_assert_uint_eq(orgcast_recorder_count(emitter), i + 1);
        event = recorded(emitter, i);
        ck_assert_int_eq(event.type, cases[i].type);
        ck_assert_str_eq(event.event_id, receipt.event_id);
        ck_assert_str_eq(event.organization_id, "acme");
        (void)snprintf(text, sizeof text, "org/acme/invoices/%s/inv-17", cases[i].word);
        ck_assert_str_eq(event.topic, text);
        ck_assert_uint_eq(event.payload_len, strlen(event.payload));
        (void)snprintf(text, sizeof text, "\"source\":\"/billing\",\"type\":\"invoice.%s\"",
                       cases[i].word);
        ck_assert_ptr_nonnull(strstr(event.payload, text));
        ck_assert_ptr_nonnull(strstr(event.payload, receipt.event_id));
    }
    ck_assert_int_eq(orgcast_emit_notification(emitter, &notification, &receipt), ORGCAST_OK);
    event = recorded(emitter, count);
    ck_assert_int_eq(event.type, ORGCAST_EVENT_NOTIFICATION_CREATED);
    ck_assert_str_eq(event.organization_id, "globex");
    ck_assert_str_eq(event.topic, "org/globex/invoices/notification/n-4");
    orgcast_emitter_close(emitter);
}
END_TEST

START_TEST(what_is_invalid_is_not_recorded)
{
    orgcast_emitter_t *emitter = open_recorder(NULL);
    orgcast_invoice_event_t event = invoice;
    orgcast_receipt_t receipt = {"untouched"};
    orgcast_recorded_t none;

    event.amount = "1e3";
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &event, &receipt), ORGCAST_E_INVALID);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, NULL, NULL), ORGCAST_E_INVALID);
    ck_assert_int_eq(orgcast_emit_notification(emitter, NULL, NULL), ORGCAST_E_INVALID);
    ck_assert_int_eq(orgcast_emit_invoice_paid(NULL, &invoice, NULL), ORGCAST_E_INVALID);
    ck_assert_uint_eq(orgcast_recorder_count(emitter), 0);
    ck_assert_str_eq(receipt.event_id, "untouched");
    ck_assert_int_eq(orgcast_recorder_get(emitter, 0, &none), ORGCAST_E_INVALID);
    orgcast_emitter_close(emitter);
    orgcast_emitter_close(NULL);
}
END_TEST

START_TEST(emits_can_be_made_to_fail)
{
    static const orgcast_err_t errors[] = {ORGCAST_E_FULL, ORGCAST_E_IO, ORGCAST_E_CLOSED};
    orgcast_emitter_t *emitter = open_recorder(NULL);

    for (size_t i = 0; i < COUNT(errors); i++) {
        orgcast_recorder_fail(emitter, errors[i]);
        ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), errors[i]);
    }
    ck_assert_uint_eq(orgcast_recorder_count(emitter), 0);
    orgcast_recorder_fail(emitter, ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    ck_assert_uint_eq(orgcast_recorder_count(emitter), 1);
    orgcast_emitter_close(emitter);
}
END_TEST

START_TEST(full_until_cleared)
{
    orgcast_emitter_options_t options = {.queue_max_events = 20};
    orgcast_emitter_t *emitter = open_recorder(&options);
    orgcast_emitter_stats_t stats;
    orgcast_receipt_t receipt;

    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(orgcast_emit_invoice_sent(emitter, &invoice, NULL), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_sent(emitter, &invoice, NULL), ORGCAST_E_FULL);
    orgcast_recorder_clear(emitter);
    ck_assert_uint_eq(orgcast_recorder_count(emitter), 0);
    ck_assert_int_eq(orgcast_emit_invoice_sent(emitter, &invoice, &receipt), ORGCAST_OK);
    ck_assert_str_eq(recorded(emitter, 0).event_id, receipt.event_id);
    ck_assert_int_eq(orgcast_emitter_stats(emitter, &stats), ORGCAST_OK);
    ck_assert_uint_eq(stats.emitted, 21);
    ck_assert_uint_eq(stats.acknowledged, 21);
    ck_assert_uint_eq(stats.queued, 0);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, -1), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emitter_stats(emitter, NULL), ORGCAST_E_INVALID);
    ck_assert_int_eq(orgcast_emitter_stats(NULL, &stats), ORGCAST_E_INVALID);
    ck_assert_int_eq(orgcast_emitter_flush(NULL, 0), ORGCAST_E_INVALID);
    orgcast_emitter_close(emitter);
}
END_TEST

typedef struct seen {
    int count;
    char event_id[37];
    pthread_t thread;
} seen_t;

static void on_delivery(void *context, const orgcast_delivery_t *delivery)
{
    seen_t *seen = context;

    seen->count++;
    seen->thread = pthread_self();
    (void)snprintf(seen->event_id, sizeof seen->event_id, "%s", delivery->event_id);
    ck_assert_int_eq(delivery->status, ORGCAST_DELIVERY_ACKNOWLEDGED);
    ck_assert_int_eq(delivery->reason_code, 0);
    ck_assert_str_eq(delivery->organization_id, "acme");
}

START_TEST(reports_are_made_at_once)
{
    seen_t seen = {0};
    orgcast_emitter_options_t options = {.on_delivery = on_delivery, .context = &seen};
    orgcast_emitter_t *emitter = open_recorder(&options);
    orgcast_receipt_t receipt;

    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, &receipt), ORGCAST_OK);
    ck_assert_int_eq(seen.count, 1);
    ck_assert_str_eq(seen.event_id, receipt.event_id);
    ck_assert(pthread_equal(seen.thread, pthread_self()));
    orgcast_recorder_fail(emitter, ORGCAST_E_FULL);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_E_FULL);
    ck_assert_int_eq(seen.count, 1);
    orgcast_emitter_close(emitter);
    ck_assert_int_eq(seen.count, 1);
}
END_TEST

static void *emit_many(void *context)
{
    for (int i = 0; i < PER_THREAD; i++)
        if (orgcast_emit_invoice_paid(context, &invoice, NULL) != ORGCAST_OK)
            return NULL;
    return context;
}

START_TEST(any_thread_may_emit)
{
    orgcast_emitter_t *emitter = open_recorder(NULL);
    pthread_t threads[THREADS];

    for (int t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_create(&threads[t], NULL, emit_many, emitter), 0);
    for (int t = 0; t < THREADS; t++) {
        void *result = NULL;

        ck_assert_int_eq(pthread_join(threads[t], &result), 0);
        ck_assert_ptr_eq(result, emitter);
    }
    ck_assert_uint_eq(orgcast_recorder_count(emitter), (size_t)THREADS * PER_THREAD);
    orgcast_emitter_close(emitter);
}
END_TEST

START_TEST(a_real_emitter_is_no_recorder)
{
    orgcast_emitter_options_t options = {.port = 1};
    orgcast_emitter_t *emitter = NULL;
    orgcast_recorded_t event;

    ck_assert_int_eq(orgcast_emitter_open(&options, &emitter, NULL), ORGCAST_OK);
    orgcast_recorder_fail(emitter, ORGCAST_E_FULL);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    ck_assert_uint_eq(orgcast_recorder_count(emitter), 0);
    ck_assert_int_eq(orgcast_recorder_get(emitter, 0, &event), ORGCAST_E_INVALID);
    orgcast_recorder_clear(emitter);
    orgcast_emitter_close(emitter);
    ck_assert_uint_eq(orgcast_recorder_count(NULL), 0);
}
END_TEST

typedef struct inside {
    orgcast_emitter_t *emitter, *other;
    orgcast_err_t flush;
} inside_t;

static void close_from_inside(void *context, const orgcast_delivery_t *delivery)
{
    inside_t *inside = context;

    (void)delivery;
    if (inside->other) {
        orgcast_emitter_t *other = inside->other;

        inside->other = NULL;
        ck_assert_int_eq(orgcast_emit_invoice_paid(other, &invoice, NULL), ORGCAST_OK);
    }
    inside->flush = orgcast_emitter_flush(inside->emitter, -1);
    orgcast_emitter_close(inside->emitter);
}

START_TEST(inside_a_report_close_does_nothing)
{
    inside_t inside = {0};
    orgcast_emitter_options_t options = {.on_delivery = close_from_inside, .context = &inside};
    orgcast_emitter_t *emitter = open_recorder(&options);

    inside.emitter = emitter;
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    ck_assert_int_eq(inside.flush, ORGCAST_E_INVALID);
    ck_assert_uint_eq(orgcast_recorder_count(emitter), 1);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, -1), ORGCAST_OK);
    orgcast_emitter_close(emitter);
}
END_TEST

/* The report of one recorder emits to another, whose report closes the first one. */
START_TEST(inside_a_nested_report_close_does_nothing)
{
    inside_t inside = {0};
    orgcast_emitter_options_t options = {.on_delivery = close_from_inside, .context = &inside};
    orgcast_emitter_t *emitter = open_recorder(&options);
    orgcast_emitter_t *other = open_recorder(&options);

    inside = (inside_t){.emitter = emitter, .other = other};
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    ck_assert_uint_eq(orgcast_recorder_count(emitter), 1);
    ck_assert_uint_eq(orgcast_recorder_count(other), 1);
    orgcast_emitter_close(other);
    orgcast_emitter_close(emitter);
}
END_TEST

START_TEST(bad_arguments)
{
    orgcast_emitter_options_t options = {.source = "not a URI"};
    orgcast_emitter_t *emitter = NULL;
    orgcast_diag_t diag = {0};

    ck_assert_int_eq(orgcast_recorder_open(&options, &emitter, &diag), ORGCAST_E_INVALID);
    ck_assert_int_eq(diag.code, ORGCAST_E_INVALID);
    ck_assert_str_eq(diag.message, "source must be a URI reference of 1 to 256 bytes");
    ck_assert_int_eq(orgcast_recorder_open(NULL, NULL, NULL), ORGCAST_E_INVALID);
    ck_assert_ptr_null(emitter);
}
END_TEST

START_TEST(names_of_errors)
{
    static const char *const names[] = {"ok", "invalid", "nomem",  "full",
                                        "io", "timeout", "closed", "token"};

    for (size_t i = 0; i < COUNT(names); i++)
        ck_assert_str_eq(orgcast_err_name((orgcast_err_t)i), names[i]);
    ck_assert_str_eq(orgcast_err_name((orgcast_err_t)8), "unknown");
    ck_assert_ptr_nonnull(strchr(orgcast_version(), '.'));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("recorder");

    tcase_add_test(tcase, every_emit_function_records_its_type);
    tcase_add_test(tcase, what_is_invalid_is_not_recorded);
    tcase_add_test(tcase, emits_can_be_made_to_fail);
    tcase_add_test(tcase, full_until_cleared);
    tcase_add_test(tcase, reports_are_made_at_once);
    tcase_add_test(tcase, any_thread_may_emit);
    tcase_add_test(tcase, a_real_emitter_is_no_recorder);
    tcase_add_test(tcase, inside_a_report_close_does_nothing);
    tcase_add_test(tcase, inside_a_nested_report_close_does_nothing);
    tcase_add_test(tcase, bad_arguments);
    tcase_add_test(tcase, names_of_errors);
    return unit_run("recorder", tcase);
}

/* SPDX-License-Identifier: MIT */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "delivery.h"
#include "queue.h"
#include "unit.h"

#define WINDOW 100
#define REPORTS_MAX 64

/* An item whose organization id is its name. */
static oc_item_t *item(const char *name)
{
    char id[OC_UUID_TEXT_LEN] = "";
    char *payload = malloc(3);
    oc_item_t *made;

    ck_assert_ptr_nonnull(payload);
    memcpy(payload, "{}", 3);
    (void)snprintf(id, sizeof id, "%s", name);
    made = oc_item_new(ORGCAST_EVENT_INVOICE_PAID, id, name, "org/acme/invoices/paid/inv-17",
                       payload, 2);
    ck_assert_ptr_nonnull(made);
    return made;
}

static void push_all(oc_queue_t *queue, const char *const *names)
{
    for (; *names; names++)
        ck_assert(oc_queue_push(queue, item(*names)));
}

/* Send what the window allows; the names, joined. Packet ids count up from *mid. */
static const char *send_all(oc_queue_t *queue, size_t window, int *mid)
{
    static char sent[256];
    oc_item_t *next;

    sent[0] = '\0';
    while ((next = oc_queue_send(queue, window))) {
        next->mid = ++*mid;
        (void)strncat(sent, next->organization_id, sizeof sent - strlen(sent) - 1);
    }
    return sent;
}

static void answer(oc_queue_t *queue, int mid)
{
    oc_item_t *answered = oc_queue_find(queue, mid);

    ck_assert_msg(answered != NULL, "packet id %d", mid);
    oc_queue_remove(queue, answered);
    oc_item_free(answered);
}

START_TEST(an_item_holds_copies)
{
    char organization[] = "acme";
    char topic[] = "org/acme/invoices/paid/inv-17";
    oc_item_t *made =
        oc_item_new(ORGCAST_EVENT_INVOICE_PAID, "01938c9e-0000-7000-8000-000000000001",
                    organization, topic, NULL, 0);

    ck_assert_ptr_nonnull(made);
    memset(organization, 'x', sizeof organization - 1);
    memset(topic, 'x', sizeof topic - 1);
    ck_assert_str_eq(made->organization_id, "acme");
    ck_assert_str_eq(made->topic, "org/acme/invoices/paid/inv-17");
    ck_assert_str_eq(made->event_id, "01938c9e-0000-7000-8000-000000000001");
    oc_item_free(made);
    oc_item_free(NULL);
}
END_TEST

START_TEST(full_counts_what_is_in_flight)
{
    const char *const names[] = {"a", "b", "c", NULL};
    oc_queue_t queue;
    oc_item_t *more = item("d");
    int mid = 0;

    oc_queue_init(&queue, 3);
    push_all(&queue, names);
    ck_assert(!oc_queue_push(&queue, more));
    ck_assert_str_eq(send_all(&queue, WINDOW, &mid), "abc");
    ck_assert(!oc_queue_push(&queue, more));
    answer(&queue, 2);
    ck_assert(oc_queue_push(&queue, more));
    ck_assert_uint_eq(queue.count, 3);
    ck_assert_uint_eq(queue.in_flight, 2);
    ck_assert_str_eq(send_all(&queue, WINDOW, &mid), "d");
    oc_queue_done(&queue);
    ck_assert_uint_eq(queue.count, 0);
    ck_assert_uint_eq(queue.in_flight, 0);
}
END_TEST

START_TEST(the_window_slides_from_the_oldest)
{
    const char *const names[] = {"a", "b", "c", "d", "e", "f", NULL};
    oc_queue_t queue;
    int mid = 0;

    oc_queue_init(&queue, 10);
    push_all(&queue, names);
    ck_assert_str_eq(send_all(&queue, 3, &mid), "abc");
    answer(&queue, 2);
    answer(&queue, 3);
    /* `a` is not answered: nothing may run further ahead of it. */
    ck_assert_str_eq(send_all(&queue, 3, &mid), "");
    ck_assert_uint_eq(queue.in_flight, 1);
    answer(&queue, 1);
    ck_assert_str_eq(send_all(&queue, 3, &mid), "def");
    answer(&queue, 4);
    answer(&queue, 5);
    answer(&queue, 6);
    ck_assert_str_eq(send_all(&queue, 3, &mid), "");
    ck_assert_ptr_null(queue.head);
    oc_queue_done(&queue);
}
END_TEST

START_TEST(one_at_a_time)
{
    const char *const names[] = {"a", "b", NULL};
    oc_queue_t queue;
    int mid = 0;

    oc_queue_init(&queue, 10);
    push_all(&queue, names);
    ck_assert_str_eq(send_all(&queue, 1, &mid), "a");
    ck_assert_str_eq(send_all(&queue, 1, &mid), "");
    answer(&queue, 1);
    ck_assert_str_eq(send_all(&queue, 1, &mid), "b");
    oc_queue_done(&queue);
}
END_TEST

START_TEST(what_was_in_flight_comes_again_in_order)
{
    const char *const names[] = {"a", "b", "c", "d", "e", NULL};
    oc_queue_t queue;
    int mid = 0;

    oc_queue_init(&queue, 10);
    push_all(&queue, names);
    ck_assert_str_eq(send_all(&queue, 4, &mid), "abcd");
    answer(&queue, 2);
    oc_queue_rewind(&queue);
    ck_assert_uint_eq(queue.in_flight, 0);
    ck_assert_ptr_null(oc_queue_find(&queue, 1));
    ck_assert(oc_queue_push(&queue, item("f")));
    mid = 0;
    ck_assert_str_eq(send_all(&queue, WINDOW, &mid), "acdef");
    /* A second time, with nothing answered between, and with nothing in flight. */
    oc_queue_rewind(&queue);
    oc_queue_rewind(&queue);
    mid = 0;
    ck_assert_str_eq(send_all(&queue, WINDOW, &mid), "acdef");
    oc_queue_done(&queue);
}
END_TEST

/* Removal of the first, the middle, the last and the only one, in flight and not. */
START_TEST(removal)
{
    static const char *const names[] = {"a", "b", "c", "d", NULL};

    for (int sent = 0; sent <= 4; sent++) {
        for (int removed = 0; removed < 4; removed++) {
            oc_queue_t queue;
            oc_item_t *items[4];
            char expected[5] = "";
            int mid = 0;
            size_t left = 0;

            oc_queue_init(&queue, 4);
            for (int i = 0; i < 4; i++) {
                items[i] = item(names[i]);
                ck_assert(oc_queue_push(&queue, items[i]));
                if (i != removed)
                    expected[left++] = names[i][0];
            }
            for (int i = 0; i < sent; i++)
                oc_queue_send(&queue, WINDOW)->mid = ++mid;
            oc_queue_remove(&queue, items[removed]);
            oc_item_free(items[removed]);
            ck_assert_uint_eq(queue.count, 3);
            ck_assert_uint_eq(queue.in_flight, (size_t)(sent - (removed < sent)));
            oc_queue_rewind(&queue);
            ck_assert_str_eq(send_all(&queue, WINDOW, &mid), expected);
            oc_queue_done(&queue);
        }
    }
}
END_TEST

/* Reports, as "a=0 " for event `a` with status 0. */
static struct {
    char text[REPORTS_MAX];
    oc_delivery_t *delivery;
    bool emit_again;
} reports;

static void on_delivery(void *context, const orgcast_delivery_t *report)
{
    size_t used = strlen(reports.text);

    ck_assert_ptr_eq(context, &reports);
    ck_assert_str_eq(report->event_id, report->organization_id);
    (void)snprintf(reports.text + used, sizeof reports.text - used, "%s=%d:%02x ", report->event_id,
                   (int)report->status, (unsigned)report->reason_code & 0xff);
    if (reports.emit_again) {
        oc_item_t *more = item("z");
        bool wake;

        /* Its own place in the queue is free by now. */
        reports.emit_again = false;
        ck_assert_int_eq(oc_delivery_put(reports.delivery, more, &wake), ORGCAST_OK);
    }
}

static void delivery_init(oc_delivery_t *delivery, size_t count_max)
{
    memset(&reports, 0, sizeof reports);
    reports.delivery = delivery;
    ck_assert_int_eq(oc_delivery_init(delivery, count_max, on_delivery, &reports), ORGCAST_OK);
}

static bool put(oc_delivery_t *delivery, const char *name)
{
    bool wake = false;

    ck_assert_int_eq(oc_delivery_put(delivery, item(name), &wake), ORGCAST_OK);
    return wake;
}

START_TEST(each_event_has_one_report)
{
    static const struct {
        int mid;
        int reason_code;
    } answers[] = {{2, 0x10}, {1, 0x00}, {3, 0x87}, {4, 0x97}, {5, 0x80}, {6, 0x7f}};
    oc_delivery_t delivery;
    orgcast_emitter_stats_t stats;
    char name[2] = "a";

    delivery_init(&delivery, 10);
    for (int i = 0; i < 7; i++, name[0]++)
        (void)put(&delivery, name);
    for (int i = 0; i < 6; i++)
        oc_delivery_next(&delivery, WINDOW)->mid = i + 1;
    for (size_t i = 0; i < COUNT(answers); i++) {
        ck_assert(oc_delivery_answered(&delivery, answers[i].mid, answers[i].reason_code, 0));
        ck_assert(!oc_delivery_answered(&delivery, answers[i].mid, answers[i].reason_code, 0));
    }
    ck_assert_str_eq(reports.text, "b=0:10 a=0:00 c=1:87 d=1:97 e=1:80 f=0:7f ");
    oc_delivery_stats(&delivery, &stats);
    ck_assert_uint_eq(stats.emitted, 7);
    ck_assert_uint_eq(stats.acknowledged, 3);
    ck_assert_uint_eq(stats.refused, 3);
    ck_assert_uint_eq(stats.queued, 1);
    ck_assert_uint_eq(stats.in_flight, 0);
    oc_delivery_close(&delivery);
    oc_delivery_drop_all(&delivery, 0);
    ck_assert_str_eq(reports.text, "b=0:10 a=0:00 c=1:87 d=1:97 e=1:80 f=0:7f g=2:ff ");
    oc_delivery_done(&delivery);
}
END_TEST

START_TEST(a_report_may_emit)
{
    oc_delivery_t delivery;

    delivery_init(&delivery, 1);
    (void)put(&delivery, "a");
    oc_delivery_next(&delivery, WINDOW)->mid = 1;
    reports.emit_again = true;
    ck_assert(oc_delivery_answered(&delivery, 1, 0, 0));
    ck_assert_str_eq(oc_delivery_next(&delivery, WINDOW)->event_id, "z");
    oc_delivery_done(&delivery);
}
END_TEST

START_TEST(lost_connections_count_as_retries)
{
    oc_delivery_t delivery;
    orgcast_emitter_stats_t stats;

    delivery_init(&delivery, 10);
    (void)put(&delivery, "a");
    (void)put(&delivery, "b");
    oc_delivery_connected(&delivery);
    ck_assert_str_eq(oc_delivery_next(&delivery, WINDOW)->event_id, "a");
    oc_delivery_stats(&delivery, &stats);
    ck_assert(stats.connected && stats.in_flight == 1 && stats.retried == 0);
    oc_delivery_disconnected(&delivery);
    oc_delivery_connect_failed(&delivery);
    oc_delivery_connected(&delivery);
    ck_assert_str_eq(oc_delivery_next(&delivery, WINDOW)->event_id, "a");
    ck_assert_str_eq(oc_delivery_next(&delivery, WINDOW)->event_id, "b");
    oc_delivery_disconnected(&delivery);
    oc_delivery_stats(&delivery, &stats);
    ck_assert_uint_eq(stats.retried, 1);
    ck_assert_uint_eq(stats.connects, 2);
    ck_assert_uint_eq(stats.connect_failures, 1);
    ck_assert(!stats.connected && stats.in_flight == 0 && stats.queued == 2);
    oc_delivery_done(&delivery);
}
END_TEST

/* A wake costs a system call: only a worker that has nothing to do gets one. */
START_TEST(only_a_hungry_worker_is_woken)
{
    oc_delivery_t delivery;

    delivery_init(&delivery, 10);
    ck_assert(!put(&delivery, "a"));
    ck_assert_ptr_nonnull(oc_delivery_next(&delivery, 1));
    ck_assert_ptr_null(oc_delivery_next(&delivery, 1));
    ck_assert(put(&delivery, "b"));
    ck_assert(!put(&delivery, "c"));
    /* The window is closed: it is an answer that lets it go on. */
    ck_assert_ptr_null(oc_delivery_next(&delivery, 1));
    ck_assert(!put(&delivery, "d"));
    oc_delivery_disconnected(&delivery);
    ck_assert(!put(&delivery, "e"));
    oc_delivery_done(&delivery);
}
END_TEST

START_TEST(flush_and_close)
{
    oc_delivery_t delivery;
    oc_item_t *late = item("b");
    bool wake = true;

    delivery_init(&delivery, 10);
    ck_assert_int_eq(oc_delivery_flush(&delivery, 0), ORGCAST_OK);
    ck_assert_int_eq(oc_delivery_flush(&delivery, -1), ORGCAST_OK);
    (void)put(&delivery, "a");
    ck_assert_int_eq(oc_delivery_flush(&delivery, 0), ORGCAST_E_TIMEOUT);
    ck_assert_int_eq(oc_delivery_flush(&delivery, 20), ORGCAST_E_TIMEOUT);
    oc_delivery_next(&delivery, WINDOW)->mid = 1;
    ck_assert(oc_delivery_answered(&delivery, 1, 0, 0));
    ck_assert_int_eq(oc_delivery_flush(&delivery, 0), ORGCAST_OK);
    oc_delivery_close(&delivery);
    ck_assert_int_eq(oc_delivery_flush(&delivery, 0), ORGCAST_E_CLOSED);
    ck_assert_int_eq(oc_delivery_put(&delivery, late, &wake), ORGCAST_E_CLOSED);
    ck_assert(!wake);
    oc_item_free(late);
    oc_delivery_done(&delivery);
}
END_TEST

static sem_t report_begun;
static sem_t report_may_end;

static void slow_report(void *context, const orgcast_delivery_t *report)
{
    (void)context;
    (void)report;
    (void)sem_post(&report_begun);
    (void)sem_wait(&report_may_end);
}

static void *answer_first(void *context)
{
    return oc_delivery_answered(context, 1, 0, 0) ? context : NULL;
}

/* What is flushed is reported: also when the answer is here and the report is not over. */
START_TEST(flush_waits_for_the_report)
{
    oc_delivery_t delivery;
    orgcast_emitter_stats_t stats;
    pthread_t worker;
    void *result = NULL;

    ck_assert_int_eq(sem_init(&report_begun, 0, 0) | sem_init(&report_may_end, 0, 0), 0);
    ck_assert_int_eq(oc_delivery_init(&delivery, 10, slow_report, NULL), ORGCAST_OK);
    (void)put(&delivery, "a");
    oc_delivery_next(&delivery, WINDOW)->mid = 1;
    ck_assert_int_eq(pthread_create(&worker, NULL, answer_first, &delivery), 0);
    ck_assert_int_eq(sem_wait(&report_begun), 0);
    ck_assert_int_eq(oc_delivery_flush(&delivery, 20), ORGCAST_E_TIMEOUT);
    oc_delivery_stats(&delivery, &stats);
    ck_assert_uint_eq(stats.queued, 0);
    ck_assert_int_eq(sem_post(&report_may_end), 0);
    ck_assert_int_eq(oc_delivery_flush(&delivery, -1), ORGCAST_OK);
    ck_assert_int_eq(pthread_join(worker, &result), 0);
    ck_assert_ptr_eq(result, &delivery);
    oc_delivery_done(&delivery);
}
END_TEST

START_TEST(backoff_doubles_up_to_its_maximum)
{
    static const int64_t nominal_ms[] = {200, 400, 800, 1600, 3000, 3000};
    oc_backoff_t backoff;

    for (uint64_t random = 0; random < 5000; random += 7) {
        oc_backoff_reset(&backoff, 200, 3000);
        for (size_t i = 0; i < COUNT(nominal_ms); i++) {
            int64_t pause_ms = oc_backoff_pause_ms(&backoff, random);

            ck_assert_msg(pause_ms >= nominal_ms[i] / 2 && pause_ms <= nominal_ms[i],
                          "pause %zu is %lld ms", i, (long long)pause_ms);
        }
    }
    oc_backoff_reset(&backoff, 200, 3000);
    ck_assert_int_eq(oc_backoff_pause_ms(&backoff, 0), 100);
    oc_backoff_reset(&backoff, 200, 3000);
    ck_assert_int_eq(oc_backoff_pause_ms(&backoff, 100), 200);
    oc_backoff_reset(&backoff, 1, 1);
    ck_assert_int_eq(oc_backoff_pause_ms(&backoff, UINT64_MAX), 1);
    ck_assert_int_eq(oc_backoff_pause_ms(&backoff, 0), 1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("emitter queue");

    tcase_add_test(tcase, an_item_holds_copies);
    tcase_add_test(tcase, full_counts_what_is_in_flight);
    tcase_add_test(tcase, the_window_slides_from_the_oldest);
    tcase_add_test(tcase, one_at_a_time);
    tcase_add_test(tcase, what_was_in_flight_comes_again_in_order);
    tcase_add_test(tcase, removal);
    tcase_add_test(tcase, each_event_has_one_report);
    tcase_add_test(tcase, a_report_may_emit);
    tcase_add_test(tcase, lost_connections_count_as_retries);
    tcase_add_test(tcase, only_a_hungry_worker_is_woken);
    tcase_add_test(tcase, flush_and_close);
    tcase_add_test(tcase, flush_waits_for_the_report);
    tcase_add_test(tcase, backoff_doubles_up_to_its_maximum);
    return unit_run("emitter queue", tcase);
}

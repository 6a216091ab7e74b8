/* SPDX-License-Identifier: MIT */
/* The emitter against a real Mosquitto. Links the shared library. */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <orgcast/emitter.h>

#include "broker.h"
#include "collector.h"
#include "peer.h"
#include "token_sign.h"
#include "unit.h"

#define TIMEOUT_MS 30000
#define REPORTS_MAX 20000
#define ANYBODY "allow_anonymous true\n"

/* What the callbacks told. */
typedef struct log {
    pthread_mutex_t lock; /* guards the rest, but for what the test sets before */
    pthread_cond_t changed;
    size_t report_count;
    struct {
        char event_id[37];
        orgcast_delivery_status_t status;
        int reason_code;
        int64_t latency_ms;
    } reports[REPORTS_MAX];
    int connects;
    int failures;
    char last_failure[256];
    char failures_seen[4096]; /* each cause once, a line each */

    orgcast_emitter_t *emitter; /* set: the first report emits once more */
    orgcast_err_t flush_inside; /* what orgcast_emitter_flush() said inside a report */
    atomic_bool gate;           /* token_fn gives a token */
    atomic_int asked;           /* calls of token_fn */
} test_log_t;

static test_log_t test_log;

static const orgcast_invoice_event_t invoice = {
    .organization_id = "acme",
    .invoice_id = "inv-17",
    .invoice_number = "2026-0017",
    .amount = "10.00",
    .currency = "EUR",
    .status = ORGCAST_INVOICE_STATUS_PAID,
};

static const orgcast_notification_event_t notification = {
    .organization_id = "acme",
    .notification_id = "n-4",
    .title = "Paid",
    .message = "Invoice 2026-0017 is paid.",
    .type = ORGCAST_NOTIFICATION_TYPE_SUCCESS,
};

static void on_delivery(void *context, const orgcast_delivery_t *delivery)
{
    test_log_t *log = context;
    bool first;

    (void)pthread_mutex_lock(&log->lock);
    first = log->report_count == 0;
    if (log->report_count < REPORTS_MAX) {
        size_t i = log->report_count++;

        (void)snprintf(log->reports[i].event_id, sizeof log->reports[i].event_id, "%s",
                       delivery->event_id);
        log->reports[i].status = delivery->status;
        log->reports[i].reason_code = delivery->reason_code;
        log->reports[i].latency_ms = delivery->latency_ms;
    }
    (void)pthread_cond_broadcast(&log->changed);
    (void)pthread_mutex_unlock(&log->lock);
    if (first && log->emitter) {
        log->flush_inside = orgcast_emitter_flush(log->emitter, -1);
        ck_assert_int_eq(orgcast_emit_invoice_sent(log->emitter, &invoice, NULL), ORGCAST_OK);
    }
}

static void on_connection(void *context, bool connected, const char *message)
{
    test_log_t *log = context;
    size_t used;

    (void)pthread_mutex_lock(&log->lock);
    if (connected) {
        log->connects++;
    } else {
        log->failures++;
        (void)snprintf(log->last_failure, sizeof log->last_failure, "%s", message);
        used = strlen(log->failures_seen);
        if (!strstr(log->failures_seen, message))
            (void)snprintf(log->failures_seen + used, sizeof log->failures_seen - used, "%s\n",
                           message);
    }
    (void)pthread_cond_broadcast(&log->changed);
    (void)pthread_mutex_unlock(&log->lock);
}

static char *token_behind_gate(void *context)
{
    test_log_t *log = context;

    atomic_fetch_add(&log->asked, 1);
    return atomic_load(&log->gate) ? strdup("token") : NULL;
}

static struct timespec deadline(void)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TIMEOUT_MS / 1000;
    return until;
}

/* @locks. Fails the test when the log does not change before the deadline. */
static void wait_for_change(const struct timespec *until, const char *what)
{
    ck_assert_msg(pthread_cond_timedwait(&test_log.changed, &test_log.lock, until) == 0,
                  "waited in vain for %s; seen:\n%s", what, test_log.failures_seen);
}

static void wait_connects(int count)
{
    struct timespec until = deadline();

    (void)pthread_mutex_lock(&test_log.lock);
    while (test_log.connects < count)
        wait_for_change(&until, "a connection");
    (void)pthread_mutex_unlock(&test_log.lock);
}

static void wait_failure(const char *text)
{
    struct timespec until = deadline();

    (void)pthread_mutex_lock(&test_log.lock);
    while (!strstr(test_log.failures_seen, text))
        wait_for_change(&until, text);
    (void)pthread_mutex_unlock(&test_log.lock);
}

static void wait_reports(size_t count)
{
    struct timespec until = deadline();

    (void)pthread_mutex_lock(&test_log.lock);
    while (test_log.report_count < count)
        wait_for_change(&until, "a report");
    (void)pthread_mutex_unlock(&test_log.lock);
}

/* What went wrong before is no longer of interest. */
static void forget_failures(void)
{
    (void)pthread_mutex_lock(&test_log.lock);
    test_log.failures_seen[0] = '\0';
    (void)pthread_mutex_unlock(&test_log.lock);
}

static orgcast_emitter_options_t options_for(int port)
{
    memset(&test_log, 0, sizeof test_log);
    (void)pthread_mutex_init(&test_log.lock, NULL);
    (void)pthread_cond_init(&test_log.changed, NULL);
    return (orgcast_emitter_options_t){
        .port = (uint16_t)port,
        .backoff_min_ms = 10,
        .backoff_max_ms = 50,
        .on_delivery = on_delivery,
        .on_connection = on_connection,
        .context = &test_log,
    };
}

static orgcast_emitter_t *open_emitter(const orgcast_emitter_options_t *options)
{
    orgcast_emitter_t *emitter = NULL;
    orgcast_diag_t diag = {0};

    ck_assert_msg(orgcast_emitter_open(options, &emitter, &diag) == ORGCAST_OK, "%s", diag.message);
    return emitter;
}

static orgcast_emitter_stats_t stats_of(orgcast_emitter_t *emitter)
{
    orgcast_emitter_stats_t stats = {0};

    ck_assert_int_eq(orgcast_emitter_stats(emitter, &stats), ORGCAST_OK);
    return stats;
}

static void emit_number(orgcast_emitter_t *emitter, const char *organization_id, int number)
{
    orgcast_invoice_event_t event = invoice;
    char text[16];

    (void)snprintf(text, sizeof text, "%d", number);
    event.organization_id = organization_id;
    event.invoice_number = text;
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &event, NULL), ORGCAST_OK);
}

/* The number that emit_number() put in. */
static int number_of(const collected_t *message)
{
    static const char key[] = "\"invoiceNumber\":\"";
    const char *found = strstr(message->payload, key);

    ck_assert_ptr_nonnull(found);
    return (int)strtol(found + sizeof key - 1, NULL, 10);
}

/* The numbers 0 to count-1 all came, each first after the one before it. */
static void check_in_order(const collector_t *collector, const char *organization_id, int count)
{
    char topic[64];
    int next = 0;

    (void)snprintf(topic, sizeof topic, "org/%s/invoices/paid/inv-17", organization_id);
    for (size_t i = 0; i < collector->count; i++) {
        int number;

        if (strcmp(collector->messages[i].topic, topic) != 0)
            continue;
        number = number_of(&collector->messages[i]);
        ck_assert_msg(number <= next, "%s: %d came before %d", organization_id, number, next);
        if (number == next)
            next++;
    }
    ck_assert_msg(next == count, "%s: %d is missing", organization_id, next);
}

START_TEST(delivers_and_acknowledges)
{
    static const char *const words[] = {"created", "updated",   "sent",    "paid",
                                        "overdue", "cancelled", "deleted", "notification"};
    broker_t broker;
    collector_t *collector;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    orgcast_emitter_stats_t stats;
    orgcast_receipt_t receipts[8];

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    collector = collector_new(broker.port, "org/#", 1);
    emitter = open_emitter(&options);
    ck_assert_int_eq(orgcast_emit_invoice_created(emitter, &invoice, &receipts[0]), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_updated(emitter, &invoice, &receipts[1]), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_sent(emitter, &invoice, &receipts[2]), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, &receipts[3]), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_overdue(emitter, &invoice, &receipts[4]), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_cancelled(emitter, &invoice, &receipts[5]), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_deleted(emitter, &invoice, &receipts[6]), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_notification(emitter, &notification, &receipts[7]), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    /* What is flushed is reported. */
    ck_assert_uint_eq(test_log.report_count, 8);
    collector_wait(collector, 8);
    for (int i = 0; i < 8; i++) {
        char topic[64];

        (void)snprintf(topic, sizeof topic, "org/acme/invoices/%s/%s", words[i],
                       i == 7 ? "n-4" : "inv-17");
        ck_assert_str_eq(collector->messages[i].topic, topic);
        ck_assert_ptr_nonnull(strstr(collector->messages[i].payload, receipts[i].event_id));
        ck_assert_str_eq(collector->messages[i].content_type,
                         "application/cloudevents+json; charset=utf-8");
        ck_assert_str_eq(test_log.reports[i].event_id, receipts[i].event_id);
        ck_assert_int_eq(test_log.reports[i].status, ORGCAST_DELIVERY_ACKNOWLEDGED);
        ck_assert_int_eq(test_log.reports[i].reason_code, 0);
        ck_assert(test_log.reports[i].latency_ms >= 0 &&
                  test_log.reports[i].latency_ms < TIMEOUT_MS);
    }
    stats = stats_of(emitter);
    ck_assert_uint_eq(stats.emitted, 8);
    ck_assert_uint_eq(stats.acknowledged, 8);
    ck_assert_uint_eq(stats.refused + stats.retried + stats.connect_failures, 0);
    ck_assert_uint_eq(stats.connects, 1);
    ck_assert_uint_eq(stats.queued + stats.in_flight, 0);
    ck_assert(stats.connected);
    orgcast_emitter_close(emitter);
    ck_assert_uint_eq(test_log.report_count, 8);
    ck_assert_int_eq(test_log.connects, 1);
    ck_assert_str_eq(test_log.last_failure, "closed");
    collector_free(collector);
    broker_done(&broker);
}
END_TEST

START_TEST(nobody_listening_is_a_delivery)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    emitter = open_emitter(&options);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    ck_assert_int_eq(test_log.reports[0].status, ORGCAST_DELIVERY_ACKNOWLEDGED);
    ck_assert_int_eq(test_log.reports[0].reason_code, 0x10);
    orgcast_emitter_close(emitter);
    broker_done(&broker);
}
END_TEST

/* A worker that slept on would need up to a second for each. */
START_TEST(an_idle_emitter_sends_at_once)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    int64_t slowest_ms = 0;

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    emitter = open_emitter(&options);
    wait_connects(1);
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
        ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
        if (test_log.reports[i].latency_ms > slowest_ms)
            slowest_ms = test_log.reports[i].latency_ms;
    }
    ck_assert_msg(slowest_ms < 500, "the slowest took %lld ms", (long long)slowest_ms);
    orgcast_emitter_close(emitter);
    broker_done(&broker);
}
END_TEST

#define RESTARTS 3
#define BETWEEN_RESTARTS 200
#define STREAM_MAX (COLLECTED_MAX / 2 - 1000)

typedef struct stream {
    orgcast_emitter_t *emitter;
    atomic_bool stop;
    bool pace; /* wait for the broker after each */
    int count; /* events of each organization; the emitting thread's, then the test's */
} stream_t;

/* Emits as fast as the queue, or the broker, takes it. */
static void *emit_stream(void *context)
{
    static const char *const organizations[] = {"acme", "globex"};
    stream_t *stream = context;

    for (; !atomic_load(&stream->stop) && stream->count < STREAM_MAX; stream->count++) {
        while (stats_of(stream->emitter).queued > 400)
            if (orgcast_emitter_flush(stream->emitter, TIMEOUT_MS) != ORGCAST_OK)
                return NULL;
        for (size_t i = 0; i < COUNT(organizations); i++)
            emit_number(stream->emitter, organizations[i], stream->count);
        if (stream->pace && orgcast_emitter_flush(stream->emitter, TIMEOUT_MS) != ORGCAST_OK)
            return NULL;
    }
    return context;
}

/* Each time the subscriber is back before the emitter is: its token is held back until then. */
START_TEST(survives_a_broker_that_is_killed)
{
    broker_t broker;
    collector_t *collector;
    orgcast_emitter_options_t options;
    orgcast_emitter_stats_t stats;
    stream_t stream = {0};
    pthread_t thread;
    void *result = NULL;

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    options.token_fn = token_behind_gate;
    atomic_store(&test_log.gate, true);
    collector = collector_new(broker.port, "org/#", 0);
    stream.emitter = open_emitter(&options);
    ck_assert_int_eq(pthread_create(&thread, NULL, emit_stream, &stream), 0);
    for (int restart = 0; restart < RESTARTS; restart++) {
        collector_wait(collector, collector_count(collector) + BETWEEN_RESTARTS);
        atomic_store(&test_log.gate, false);
        broker_kill(&broker);
        wait_failure("no token: token_fn gave no token");
        broker_start(&broker, ANYBODY);
        collector_resubscribe(collector, broker.port, "org/#", 0);
        forget_failures();
        atomic_store(&test_log.gate, true);
        wait_connects(restart + 2);
    }
    collector_wait(collector, collector_count(collector) + BETWEEN_RESTARTS);
    atomic_store(&stream.stop, true);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, &stream);
    ck_assert_int_eq(orgcast_emitter_flush(stream.emitter, TIMEOUT_MS), ORGCAST_OK);
    stats = stats_of(stream.emitter);
    orgcast_emitter_close(stream.emitter);
    ck_assert_uint_eq(stats.acknowledged, (uint64_t)stream.count * 2);
    ck_assert_uint_eq(stats.connects, RESTARTS + 1);
    ck_assert_uint_gt(stats.retried, 0);
    ck_assert_uint_eq(test_log.report_count, stats.acknowledged);
    ck_assert_int_gt(atomic_load(&test_log.asked), RESTARTS + 1);
    collector_end(collector);
    check_in_order(collector, "acme", stream.count);
    check_in_order(collector, "globex", stream.count);
    collector_free(collector);
    broker_done(&broker);
}
END_TEST

START_TEST(full_and_dropped)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    orgcast_receipt_t receipts[3];

    broker_init(&broker);
    options = options_for(broker.port);
    options.queue_max_events = 3;
    emitter = open_emitter(&options);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, &receipts[i]), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_E_FULL);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, 0), ORGCAST_E_TIMEOUT);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, 50), ORGCAST_E_TIMEOUT);
    wait_failure("cannot connect: Connection refused");
    ck_assert_uint_eq(stats_of(emitter).queued, 3);
    ck_assert_uint_ge(stats_of(emitter).connect_failures, 1);
    ck_assert_uint_eq(test_log.report_count, 0);
    orgcast_emitter_close(emitter);
    ck_assert_uint_eq(test_log.report_count, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_str_eq(test_log.reports[i].event_id, receipts[i].event_id);
        ck_assert_int_eq(test_log.reports[i].status, ORGCAST_DELIVERY_DROPPED);
        ck_assert_int_eq(test_log.reports[i].reason_code, -1);
    }
    broker_done(&broker);
}
END_TEST

START_TEST(a_refused_publish_is_reported_and_not_repeated)
{
    broker_t broker;
    collector_t *collector;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    orgcast_invoice_event_t denied = invoice;
    orgcast_emitter_stats_t stats;
    char lines[160];

    broker_init(&broker);
    (void)snprintf(lines, sizeof lines, ANYBODY "acl_file %s\n",
                   broker_file(&broker, "acl", "topic read org/#\ntopic write org/acme/#\n"));
    broker_start(&broker, lines);
    options = options_for(broker.port);
    denied.organization_id = "globex";
    collector = collector_new(broker.port, "org/#", 1);
    emitter = open_emitter(&options);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &denied, NULL), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    ck_assert_uint_eq(test_log.report_count, 2);
    ck_assert_int_eq(test_log.reports[0].status, ORGCAST_DELIVERY_REFUSED);
    ck_assert_int_eq(test_log.reports[0].reason_code, 0x87);
    ck_assert_int_eq(test_log.reports[1].status, ORGCAST_DELIVERY_ACKNOWLEDGED);
    stats = stats_of(emitter);
    ck_assert_uint_eq(stats.refused, 1);
    ck_assert_uint_eq(stats.acknowledged, 1);
    ck_assert_uint_eq(stats.queued, 0);
    collector_wait(collector, 1);
    ck_assert_str_eq(collector->messages[0].topic, "org/acme/invoices/paid/inv-17");
    orgcast_emitter_close(emitter);
    collector_free(collector);
    broker_done(&broker);
}
END_TEST

START_TEST(an_event_too_large_for_the_broker_is_refused)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    orgcast_notification_event_t large = notification;
    char message[2001];

    broker_init(&broker);
    broker_start(&broker, ANYBODY "max_packet_size 1500\n");
    options = options_for(broker.port);
    memset(message, 'a', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    large.message = message;
    emitter = open_emitter(&options);
    ck_assert_int_eq(orgcast_emit_notification(emitter, &large, NULL), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emit_notification(emitter, &notification, NULL), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    ck_assert_int_eq(test_log.reports[0].status, ORGCAST_DELIVERY_REFUSED);
    ck_assert_int_eq(test_log.reports[0].reason_code, 0x95);
    ck_assert_int_eq(test_log.reports[1].status, ORGCAST_DELIVERY_ACKNOWLEDGED);
    ck_assert_uint_eq(stats_of(emitter).connects, 1);
    orgcast_emitter_close(emitter);
    broker_done(&broker);
}
END_TEST

START_TEST(keeps_to_the_brokers_receive_maximum)
{
    broker_t broker;
    collector_t *collector;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;

    broker_init(&broker);
    broker_start(&broker, ANYBODY "max_inflight_messages 1\n");
    options = options_for(broker.port);
    collector = collector_new(broker.port, "org/#", 0);
    emitter = open_emitter(&options);
    wait_connects(1);
    for (int i = 0; i < 500; i++) {
        emit_number(emitter, "acme", i);
        ck_assert_uint_le(stats_of(emitter).in_flight, 1);
    }
    ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    collector_wait(collector, 500);
    check_in_order(collector, "acme", 500);
    ck_assert_uint_eq(stats_of(emitter).connects, 1);
    orgcast_emitter_close(emitter);
    collector_free(collector);
    broker_done(&broker);
}
END_TEST

START_TEST(a_refused_connection_is_tried_again)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;

    broker_init(&broker);
    broker_start(&broker, "allow_anonymous false\n");
    options = options_for(broker.port);
    emitter = open_emitter(&options);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    wait_failure("refused: not authorized (0x87)");
    ck_assert_uint_eq(stats_of(emitter).connects, 0);
    broker_kill(&broker);
    broker_start(&broker, ANYBODY);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    ck_assert_int_eq(test_log.reports[0].status, ORGCAST_DELIVERY_ACKNOWLEDGED);
    orgcast_emitter_close(emitter);
    broker_done(&broker);
}
END_TEST

#define CONNACK "\x20\x03\x00\x00\x00"

/* MQTT 5 packets of a broker that does not want us, and what is told of them. */
static const struct {
    peer_answer_t answers[PEER_ANSWERS];
    const char *cause;
} unwelcome[] = {
    {{PEER_BYTES(CONNACK "\xe0\x02\x98\x00"), PEER_CLOSE},
     "disconnected by the broker: administrative action (0x98)"},
    {{PEER_BYTES(CONNACK "\xe0\x01\x8b"), PEER_CLOSE},
     "disconnected by the broker: server shutting down (0x8b)"},
    {{PEER_BYTES(CONNACK "\xe0\x01\x8e"), PEER_CLOSE},
     "disconnected by the broker: session taken over (0x8e)"},
    {{PEER_BYTES("\x20\x03\x00\x97\x00"), PEER_CLOSE}, "refused: quota exceeded (0x97)"},
    {{PEER_BYTES("\x20\x03\x00\x86\x00"), PEER_CLOSE}, "refused: bad user name or password (0x86)"},
    /* CONNACKs of MQTT 3. libmosquitto 2.0.11 understands the first one, 2.1 none. */
    {{PEER_BYTES("\x20\x02\x00\x01"), PEER_CLOSE}, "MQTT 5"},
    {{PEER_BYTES("\x20\x03\x00\x84\x00"), PEER_CLOSE},
     "refused: the broker does not accept MQTT 5 (0x84)"},
    {{PEER_BYTES("\x20\x02\x00\x05"), PEER_CLOSE},
     "cannot connect: the answer is not MQTT 5; is this a WebSocket port, or a broker for MQTT 3 "
     "only?"},
    {{PEER_BYTES("\x20\x02\x00\x00"), PEER_CLOSE},
     "cannot connect: the answer is not MQTT 5; is this a WebSocket port, or a broker for MQTT 3 "
     "only?"},
    {{PEER_BYTES("\x20\x05\x00\x00\x02\x24\x00"), PEER_CLOSE},
     "refused: the broker takes QoS 0 only"},
    {{PEER_BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), PEER_CLOSE},
     "cannot connect: the peer closed the connection without an MQTT 5 answer"},
    {{PEER_BYTES(""), PEER_CLOSE},
     "cannot connect: the peer closed the connection without an MQTT 5 answer"},
};

/* It comes back after each of them, and delivers. */
START_TEST(comes_back_to_an_unwelcoming_broker)
{
    peer_t peer = {
        .script[1] = {PEER_BYTES(CONNACK), PEER_BYTES("\x40\x02\x00\x01"), PEER_BYTES("")}};
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;

    memcpy(peer.script[0], unwelcome[_i].answers, sizeof peer.script[0]);
    peer_start(&peer);
    options = options_for(peer.port);
    emitter = open_emitter(&options);
    wait_failure(unwelcome[_i].cause);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    ck_assert_uint_eq(test_log.report_count, 1);
    ck_assert_int_eq(test_log.reports[0].status, ORGCAST_DELIVERY_ACKNOWLEDGED);
    orgcast_emitter_close(emitter);
    peer_stop(&peer);
}
END_TEST

/* The first connection takes the event and goes without an answer: the same bytes come again. */
START_TEST(what_was_not_answered_comes_again)
{
    peer_t peer = {
        .script = {{PEER_BYTES(CONNACK), PEER_BYTES(""), PEER_CLOSE},
                   {PEER_BYTES(CONNACK), PEER_BYTES("\x40\x03\x00\x01\x10"), PEER_BYTES("")}}};
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;

    peer_start(&peer);
    options = options_for(peer.port);
    emitter = open_emitter(&options);
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    ck_assert_uint_eq(test_log.report_count, 1);
    ck_assert_int_eq(test_log.reports[0].reason_code, 0x10);
    ck_assert_uint_eq(stats_of(emitter).retried, 1);
    orgcast_emitter_close(emitter);
    peer_stop(&peer);
}
END_TEST

#define THREADS 4
#define PER_THREAD 1000

static orgcast_receipt_t receipts[THREADS][PER_THREAD];

typedef struct emitting {
    orgcast_emitter_t *emitter;
    orgcast_receipt_t *receipts;
} emitting_t;

static void *emit_many(void *context)
{
    const emitting_t *mine = context;

    for (int i = 0; i < PER_THREAD; i++) {
        orgcast_err_t err;

        while ((err = orgcast_emit_invoice_paid(mine->emitter, &invoice, &mine->receipts[i])) ==
               ORGCAST_E_FULL)
            if (orgcast_emitter_flush(mine->emitter, TIMEOUT_MS) != ORGCAST_OK)
                return NULL;
        if (err != ORGCAST_OK)
            return NULL;
    }
    return context;
}

static int compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

/* A queue that is often full, a broker that is killed: one report for each receipt all the same. */
START_TEST(threads_get_one_report_for_each_event)
{
    static char reported[THREADS * PER_THREAD][37];
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    pthread_t threads[THREADS];
    emitting_t emitting[THREADS];
    orgcast_receipt_t *emitted = receipts[0];

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    options.queue_max_events = 300;
    emitter = open_emitter(&options);
    for (int t = 0; t < THREADS; t++) {
        emitting[t] = (emitting_t){emitter, receipts[t]};
        ck_assert_int_eq(pthread_create(&threads[t], NULL, emit_many, &emitting[t]), 0);
    }
    wait_reports(THREADS * PER_THREAD / 4);
    broker_kill(&broker);
    broker_start(&broker, ANYBODY);
    for (int t = 0; t < THREADS; t++) {
        void *result = NULL;

        ck_assert_int_eq(pthread_join(threads[t], &result), 0);
        ck_assert_ptr_eq(result, &emitting[t]);
    }
    ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    orgcast_emitter_close(emitter);
    ck_assert_uint_eq(test_log.report_count, (size_t)THREADS * PER_THREAD);
    for (size_t i = 0; i < test_log.report_count; i++) {
        memcpy(reported[i], test_log.reports[i].event_id, sizeof reported[i]);
        ck_assert_int_eq(test_log.reports[i].status, ORGCAST_DELIVERY_ACKNOWLEDGED);
    }
    qsort(reported, test_log.report_count, sizeof reported[0], compare);
    qsort(emitted, (size_t)THREADS * PER_THREAD, sizeof *emitted, compare);
    for (size_t i = 0; i < test_log.report_count; i++)
        ck_assert_str_eq(reported[i], emitted[i].event_id);
    broker_done(&broker);
}
END_TEST

START_TEST(a_report_may_emit_but_not_wait)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    emitter = open_emitter(&options);
    test_log.emitter = emitter;
    ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    wait_reports(2);
    ck_assert_int_eq(test_log.flush_inside, ORGCAST_E_INVALID);
    orgcast_emitter_close(emitter);
    broker_done(&broker);
}
END_TEST

START_TEST(close_drops_what_waits)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    size_t acknowledged = 0;
    size_t dropped = 0;

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    options.in_flight_max = 1;
    emitter = open_emitter(&options);
    wait_connects(1);
    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
    orgcast_emitter_close(emitter);
    ck_assert_uint_eq(test_log.report_count, 2000);
    for (size_t i = 0; i < 2000; i++) {
        acknowledged += test_log.reports[i].status == ORGCAST_DELIVERY_ACKNOWLEDGED;
        dropped += test_log.reports[i].status == ORGCAST_DELIVERY_DROPPED;
    }
    ck_assert_uint_eq(acknowledged + dropped, 2000);
    ck_assert_uint_gt(dropped, 0);
    broker_done(&broker);
}
END_TEST

/* What a DROPPED report sees when it calls back into the emitter that is being closed. */
typedef struct inside {
    orgcast_emitter_t *emitter;
    int reports;
    orgcast_err_t flush, emit;
} inside_t;

static void call_back_when_dropped(void *context, const orgcast_delivery_t *delivery)
{
    inside_t *inside = context;
    orgcast_emitter_stats_t stats = {0};

    ck_assert_int_eq(delivery->status, ORGCAST_DELIVERY_DROPPED);
    inside->reports++;
    inside->flush = orgcast_emitter_flush(inside->emitter, -1);
    inside->emit = orgcast_emit_invoice_paid(inside->emitter, &invoice, NULL);
    ck_assert_int_eq(orgcast_emitter_stats(inside->emitter, &stats), ORGCAST_OK);
    orgcast_emitter_close(inside->emitter);
}

START_TEST(a_dropped_report_may_call_the_emitter)
{
    inside_t inside = {0};
    orgcast_emitter_options_t options = {
        .port = 1, .on_delivery = call_back_when_dropped, .context = &inside};

    inside.emitter = open_emitter(&options);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(orgcast_emit_invoice_paid(inside.emitter, &invoice, NULL), ORGCAST_OK);
    orgcast_emitter_close(inside.emitter);
    ck_assert_int_eq(inside.reports, 2);
    ck_assert_int_eq(inside.flush, ORGCAST_E_INVALID);
    ck_assert_int_eq(inside.emit, ORGCAST_E_CLOSED);
}
END_TEST

typedef int getaddrinfo_fn(const char *restrict name, const char *restrict service,
                           const struct addrinfo *restrict hints,
                           struct addrinfo **restrict ret_list);

/* In the place of libc's, for libmosquitto as well: both.example is an IPv6 address where nothing
 * listens, then the broker's, as `localhost` is ::1 and 127.0.0.1 on many a machine. The parameters'
 * names are libc's. */
__attribute__((visibility("default"))) int getaddrinfo(const char *restrict __name,
                                                       const char *restrict __service,
                                                       const struct addrinfo *restrict __req,
                                                       struct addrinfo **restrict __pai)
{
    getaddrinfo_fn *real;
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo *ipv4 = NULL;
    int rc;

    memcpy(&real, &symbol, sizeof real);
    if (!__name || strcmp(__name, "both.example") != 0)
        return real(__name, __service, __req, __pai);
    rc = real("127.0.0.1", __service, __req, &ipv4);
    if (rc == 0)
        rc = real("::ffff:127.0.0.2", __service, __req, __pai);
    if (rc == 0)
        (*__pai)->ai_next = ipv4;
    return rc;
}

START_TEST(finds_the_broker_on_either_address_family)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    options.host = "both.example";
    emitter = open_emitter(&options);
    wait_connects(1);
    ck_assert_int_eq(test_log.failures, 0);
    orgcast_emitter_close(emitter);
    broker_done(&broker);
}
END_TEST

START_TEST(a_token_file_is_read_again)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    char token_file[64];
    char lines[160];

    /* "orgcast-emitter" with the password "new-token", as mosquitto_passwd -b writes it. */
    static const char passwords[] =
        "orgcast-emitter:$7$101$i/zZlcnun+8cosqC$k7JsebWlGSfkbUTG0/"
        "Orsr9NJgeEDcNrE7a3KcTOy2ur66G53I1twK38YnAPCEBVxiakeKIZ86WJg10nJYSqYg==\n";

    broker_init(&broker);
    (void)snprintf(lines, sizeof lines, "allow_anonymous false\npassword_file %s\n",
                   broker_file(&broker, "passwords", passwords));
    broker_start(&broker, lines);
    options = options_for(broker.port);
    (void)snprintf(token_file, sizeof token_file, "%s", broker_file(&broker, "token", "old-token"));
    options.token_file = token_file;
    emitter = open_emitter(&options);
    wait_failure("refused: not authorized (0x87)");
    (void)broker_file(&broker, "token", "new-token\n");
    wait_connects(1);
    orgcast_emitter_close(emitter);
    broker_done(&broker);
}
END_TEST

/* A stream that goes on while the token is renewed: nothing is refused, lost or sent twice. */
START_TEST(renews_its_token_before_it_ends)
{
    broker_t broker;
    collector_t *collector;
    orgcast_emitter_options_t options;
    orgcast_emitter_stats_t stats;
    stream_t stream = {.pace = true};
    pthread_t thread;
    void *result = NULL;
    char key_file[64];

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    (void)snprintf(key_file, sizeof key_file, "%s",
                   broker_file(&broker, "token", "0123456789abcdef0123456789abcdef"));
    options.signing_key_file = key_file;
    options.claims.lifetime_s = 2;
    collector = collector_new(broker.port, "org/#", 0);
    stream.emitter = open_emitter(&options);
    ck_assert_int_eq(pthread_create(&thread, NULL, emit_stream, &stream), 0);
    wait_connects(3);
    atomic_store(&stream.stop, true);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, &stream);
    ck_assert_int_eq(orgcast_emitter_flush(stream.emitter, TIMEOUT_MS), ORGCAST_OK);
    stats = stats_of(stream.emitter);
    ck_assert_str_eq(test_log.failures_seen, "renewing the token\n");
    orgcast_emitter_close(stream.emitter);
    ck_assert_uint_eq(stats.acknowledged, (uint64_t)stream.count * 2);
    ck_assert_uint_eq(stats.retried + stats.refused + stats.connect_failures, 0);
    collector_end(collector);
    ck_assert_uint_eq(collector->count, stats.acknowledged);
    check_in_order(collector, "acme", stream.count);
    collector_free(collector);
    broker_done(&broker);
}
END_TEST

/* It looks for another one shortly before the end and at the end, then leaves it to the broker. */
START_TEST(a_token_that_stays_the_same_is_no_reason_to_spin)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    const token_key_t key = {.secret = "0123456789abcdef0123456789abcdef", .secret_len = 32};
    const time_t expires_s = time(NULL) + 2;
    char claims[64];
    char *token;

    broker_init(&broker);
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    (void)snprintf(claims, sizeof claims, "{\"exp\":%lld}", (long long)expires_s);
    token = token_sign("HS256", &key, "{\"alg\":\"HS256\"}", claims);
    options.token = token;
    emitter = open_emitter(&options);
    wait_connects(3);
    do {
        ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
        ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
    } while (time(NULL) <= expires_s);
    ck_assert_uint_eq(stats_of(emitter).connects, 3);
    orgcast_emitter_close(emitter);
    free(token);
    broker_done(&broker);
}
END_TEST

/* A self-signed certificate for that name, and its key, in the broker's folder. */
static void make_certificate(broker_t *broker, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *subject;
    FILE *file;

    ck_assert(key && certificate);
    subject = X509_get_subject_name(certificate);
    ck_assert_int_eq(X509_set_version(certificate, X509_VERSION_3), 1);
    ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    ck_assert_int_eq(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    ck_assert_int_eq(X509_set_issuer_name(certificate, subject), 1);
    ck_assert_int_eq(X509_set_pubkey(certificate, key), 1);
    ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    file = fopen(broker_file(broker, "cert.pem", ""), "we");
    ck_assert(file && PEM_write_X509(file, certificate) == 1 && fclose(file) == 0);
    file = fopen(broker_file(broker, "key.pem", ""), "we");
    ck_assert(file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 &&
              fclose(file) == 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* A certificate for `name`; the emitter asks for localhost. */
static void run_tls(const char *name, bool good)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    char ca_file[64];
    char lines[256];

    broker_init(&broker);
    make_certificate(&broker, name);
    (void)snprintf(lines, sizeof lines, ANYBODY "certfile %s/cert.pem\nkeyfile %s/key.pem\n",
                   broker.dir, broker.dir);
    broker_start(&broker, lines);
    options = options_for(broker.port);
    (void)snprintf(ca_file, sizeof ca_file, "%s/cert.pem", broker.dir);
    options.host = "localhost";
    options.tls_ca_file = ca_file;
    emitter = open_emitter(&options);
    if (good) {
        ck_assert_int_eq(orgcast_emit_invoice_paid(emitter, &invoice, NULL), ORGCAST_OK);
        ck_assert_int_eq(orgcast_emitter_flush(emitter, TIMEOUT_MS), ORGCAST_OK);
        ck_assert_int_eq(test_log.reports[0].status, ORGCAST_DELIVERY_ACKNOWLEDGED);
    } else {
        wait_failure("TLS failed: ");
        ck_assert_uint_eq(stats_of(emitter).connects, 0);
    }
    orgcast_emitter_close(emitter);
    broker_done(&broker);
}

START_TEST(tls)
{
    run_tls("localhost", true);
}
END_TEST

START_TEST(tls_to_another_host)
{
    run_tls("acme.example", false);
}
END_TEST

/* Several emitters set up TLS in the same moment. */
START_TEST(tls_of_many)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitters[8];
    char ca_file[64];
    char lines[256];

    broker_init(&broker);
    make_certificate(&broker, "localhost");
    (void)snprintf(lines, sizeof lines, ANYBODY "certfile %s/cert.pem\nkeyfile %s/key.pem\n",
                   broker.dir, broker.dir);
    broker_start(&broker, lines);
    options = options_for(broker.port);
    (void)snprintf(ca_file, sizeof ca_file, "%s/cert.pem", broker.dir);
    options.host = "localhost";
    options.tls_ca_file = ca_file;
    for (size_t i = 0; i < COUNT(emitters); i++)
        emitters[i] = open_emitter(&options);
    wait_connects(COUNT(emitters));
    for (size_t i = 0; i < COUNT(emitters); i++)
        orgcast_emitter_close(emitters[i]);
    broker_done(&broker);
}
END_TEST

START_TEST(tls_to_a_listener_without)
{
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    char ca_file[64];

    broker_init(&broker);
    make_certificate(&broker, "localhost");
    broker_start(&broker, ANYBODY);
    options = options_for(broker.port);
    (void)snprintf(ca_file, sizeof ca_file, "%s/cert.pem", broker.dir);
    options.tls_ca_file = ca_file;
    emitter = open_emitter(&options);
    wait_failure("TLS");
    orgcast_emitter_close(emitter);
    broker_done(&broker);
}
END_TEST

/* libmosquitto 2.0.11 unlocks a mutex that it does not hold when the broker sends a DISCONNECT. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "mutex:libmosquitto.so\n";
}

/* libmosquitto takes a reset for a handshake that goes on, and would spin until the deadline. */
START_TEST(tls_that_is_reset)
{
    peer_t peer = {.script = {{PEER_BYTES(""), PEER_RESET}, {PEER_BYTES(""), PEER_RESET}}};
    broker_t broker;
    orgcast_emitter_options_t options;
    orgcast_emitter_t *emitter;
    char ca_file[64];

    broker_init(&broker);
    make_certificate(&broker, "localhost");
    peer_start(&peer);
    options = options_for(peer.port);
    (void)snprintf(ca_file, sizeof ca_file, "%s/cert.pem", broker.dir);
    options.tls_ca_file = ca_file;
    emitter = open_emitter(&options);
    /* The message depends on libmosquitto's version, and on whether the reset or its effect on
         * TLS comes first. */
    wait_failure("");
    (void)pthread_mutex_lock(&test_log.lock);
    ck_assert_ptr_null(strstr(test_log.failures_seen, "no answer in time"));
    (void)pthread_mutex_unlock(&test_log.lock);
    orgcast_emitter_close(emitter);
    peer_stop(&peer);
    broker_done(&broker);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("emitter broker");

    tcase_add_test(tcase, delivers_and_acknowledges);
    tcase_add_test(tcase, nobody_listening_is_a_delivery);
    tcase_add_test(tcase, an_idle_emitter_sends_at_once);
    tcase_add_test(tcase, survives_a_broker_that_is_killed);
    tcase_add_test(tcase, full_and_dropped);
    tcase_add_test(tcase, a_refused_publish_is_reported_and_not_repeated);
    tcase_add_test(tcase, an_event_too_large_for_the_broker_is_refused);
    tcase_add_test(tcase, keeps_to_the_brokers_receive_maximum);
    tcase_add_test(tcase, a_refused_connection_is_tried_again);
    unit_add_table(tcase, comes_back_to_an_unwelcoming_broker, unwelcome);
    tcase_add_test(tcase, what_was_not_answered_comes_again);
    tcase_add_test(tcase, threads_get_one_report_for_each_event);
    tcase_add_test(tcase, a_report_may_emit_but_not_wait);
    tcase_add_test(tcase, close_drops_what_waits);
    tcase_add_test(tcase, a_dropped_report_may_call_the_emitter);
    tcase_add_test(tcase, finds_the_broker_on_either_address_family);
    tcase_add_test(tcase, a_token_file_is_read_again);
    tcase_add_test(tcase, renews_its_token_before_it_ends);
    tcase_add_test(tcase, a_token_that_stays_the_same_is_no_reason_to_spin);
    tcase_add_test(tcase, tls);
    tcase_add_test(tcase, tls_to_another_host);
    tcase_add_test(tcase, tls_of_many);
    tcase_add_test(tcase, tls_to_a_listener_without);
    tcase_add_test(tcase, tls_that_is_reset);
    return unit_run("emitter broker", tcase);
}

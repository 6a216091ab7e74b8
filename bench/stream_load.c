/* SPDX-License-Identifier: MIT */
#include "stream_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "mint.h"
#include "stream_broker.h"

#define FILTER "org/acme/invoices/#"

/* Events in flight. Those to many subscribers fit into the sockets' buffers. */
#define WINDOW_QOS1 200
#define WINDOW_FAN_OUT 32

#define STALL_NS 30e9
#define READY_MAX 1024
#define PACKET_IDS 65535

/* --- Events --- */

#define EVENT_HEAD                                                                                 \
    "{\"specversion\":\"1.0\",\"id\":\"01938c9e-0000-7000-8000-%012zx\",\"source\":\"/billing/"
#define EVENT_TAIL                                                                                 \
    "\",\"type\":\"invoice.paid\",\"subject\":\"%s\",\"time\":\"2026-11-24T10:00:00.123Z\","       \
    "\"datacontenttype\":\"application/json\",\"dataschema\":\"urn:orgcast:invoice:1\","           \
    "\"organizationid\":\"acme\",\"data\":{\"organizationId\":\"acme\",\"invoiceId\":\"%s\","      \
    "\"invoiceNumber\":\"2026-0017\",\"amount\":\"99999999999999.99\",\"currency\":\"EUR\","       \
    "\"status\":\"PAID\",\"timestamp\":\"2026-11-24T10:00:00.123Z\"}}"

static void add_event(batch_t *batch, size_t number, size_t payload_len, int qos)
{
    char invoice[40];
    char topic[128];
    char payload[2048];
    char tail[1024];
    size_t head_len;
    size_t tail_len;

    (void)snprintf(invoice, sizeof invoice, "9f1b2c3d-0000-4000-8000-%012zx", number % 1000000);
    (void)snprintf(topic, sizeof topic, "org/acme/invoices/paid/%s", invoice);
    tail_len = (size_t)snprintf(tail, sizeof tail, EVENT_TAIL, invoice, invoice);
    head_len = (size_t)snprintf(payload, sizeof payload, EVENT_HEAD, number);
    if (payload_len >= sizeof payload || payload_len < head_len + tail_len)
        die("no event has %zu bytes", payload_len);
    /* The source is as long as it has to be. */
    memset(payload + head_len, 'x', payload_len - head_len - tail_len);
    memcpy(payload + payload_len - tail_len, tail, tail_len);
    {
        const mqtt_publish_t publish = {.topic = topic,
                                        .payload = payload,
                                        .payload_len = payload_len,
                                        .packet_id =
                                            qos ? (unsigned)(batch->count % PACKET_IDS) + 1 : 0};

        mqtt_add_publish(&batch->packets, &publish);
    }
    batch->ends[batch->count++] = batch->packets.len;
}

void batch_make(batch_t *batch, size_t count, size_t payload_len, int qos)
{
    static size_t number;

    batch->packets.len = 0;
    batch->count = 0;
    batch->ends = realloc(batch->ends, count * sizeof *batch->ends);
    if (!batch->ends)
        die("out of memory");
    while (batch->count < count)
        add_event(batch, number++, payload_len, qos);
}

void batch_done(batch_t *batch)
{
    mqtt_buffer_done(&batch->packets);
    free(batch->ends);
    *batch = (batch_t){0};
}

/* Send some of the events, those before `first` are sent already. */
static void send_events(side_t *side, const batch_t *batch, size_t first, size_t count)
{
    size_t start = first > 0 ? batch->ends[first - 1] : 0;

    mqtt_send(&side->publisher, batch->packets.bytes + start,
              batch->ends[first + count - 1] - start);
}

/* How many may follow now: when much of the window is free, so that they go together. */
static size_t may_follow(const batch_t *batch, size_t sent, size_t answered, size_t window)
{
    size_t free_now = window - (sent - answered);
    size_t left = batch->count - sent;

    if (free_now < window / 2 && free_now < left)
        return 0;
    return free_now < left ? free_now : left;
}

/* --- Who is connected --- */

static char *make_token(const char *subject, const char *scope)
{
    char claims[256];
    char *token = NULL;
    oc_diag_t diag = {0};

    (void)snprintf(claims, sizeof claims,
                   "{\"sub\":\"%s\",\"org_id\":\"acme\",\"scope\":\"%s\",\"exp\":%lld}", subject,
                   scope, (long long)time(NULL) + 86400);
    if (oc_mint_token("HS256", NULL, (const unsigned char *)BROKER_SECRET, strlen(BROKER_SECRET),
                      claims, &token, &diag) != OC_OK)
        die("no token: %s", diag.message);
    return token;
}

static void open_client(const side_t *side, mqtt_client_t *client, const char *name,
                        const char *scope)
{
    char *token = make_token(name, scope);

    mqtt_open(client, broker_port(side->broker), name, token);
    free(token);
}

void side_open(side_t *side, size_t broker)
{
    *side = (side_t){.broker = broker};
    open_client(side, &side->publisher, "backend", "invoices:publish");
    side->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (side->epoll_fd < 0)
        die("epoll: %s", strerror(errno));
}

void side_subscribe(side_t *side, size_t count)
{
    side->subscribers = calloc(count, sizeof *side->subscribers);
    if (!side->subscribers)
        die("out of memory");
    for (size_t i = 0; i < count; i++) {
        mqtt_client_t *client = &side->subscribers[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
        char name[32];

        (void)snprintf(name, sizeof name, "user-%zu", i);
        open_client(side, client, name, "");
        mqtt_subscribe(client, FILTER);
        if (epoll_ctl(side->epoll_fd, EPOLL_CTL_ADD, client->fd, &event) != 0)
            die("epoll: %s", strerror(errno));
        side->subscriber_count++;
    }
}

void side_close(side_t *side)
{
    for (size_t i = 0; i < side->subscriber_count; i++)
        mqtt_close(&side->subscribers[i]);
    free(side->subscribers);
    mqtt_close(&side->publisher);
    (void)close(side->epoll_fd);
}

/* --- Loads --- */

void load_qos0(side_t *side, const batch_t *batch)
{
    send_events(side, batch, 0, batch->count);
    mqtt_ping(&side->publisher);
}

void load_qos1(side_t *side, const batch_t *batch)
{
    const mqtt_client_t *publisher = &side->publisher;
    size_t before = publisher->counts[MQTT_PUBACK];
    size_t sent = 0;

    while (publisher->counts[MQTT_PUBACK] - before < batch->count) {
        size_t answered = publisher->counts[MQTT_PUBACK] - before;
        size_t next = may_follow(batch, sent, answered, WINDOW_QOS1);

        if (next > 0) {
            send_events(side, batch, sent, next);
            sent += next;
        }
        (void)mqtt_read(&side->publisher, true);
    }
}

static size_t delivered(const side_t *side)
{
    size_t sum = 0;

    for (size_t i = 0; i < side->subscriber_count; i++)
        sum += side->subscribers[i].counts[MQTT_PUBLISH];
    return sum;
}

/* Read what has come to anybody, and then let some more come: if this program waited for each packet, the
 * broker's time would be that of waking it up. */
static void read_some(side_t *side)
{
    static struct epoll_event ready[READY_MAX];
    const struct timespec moment = {.tv_nsec = 1000000};
    int count = epoll_wait(side->epoll_fd, ready, READY_MAX, 0);

    for (int i = 0; i < count; i++)
        (void)mqtt_read(ready[i].data.ptr, false);
    if (count < READY_MAX)
        (void)nanosleep(&moment, NULL);
}

static void check_each(const side_t *side, const size_t *before, size_t count)
{
    for (size_t i = 0; i < side->subscriber_count; i++) {
        size_t got = side->subscribers[i].counts[MQTT_PUBLISH] - before[i];

        if (got != count)
            die("a subscriber got %zu of %zu events", got, count);
    }
}

void load_fan_out(side_t *side, const batch_t *batch)
{
    size_t subscribers = side->subscriber_count;
    size_t *before = calloc(subscribers, sizeof *before);
    size_t all_before = delivered(side);
    size_t all = 0;
    size_t sent = 0;
    double moved_ns = bench_now_ns();

    if (!before)
        die("out of memory");
    for (size_t i = 0; i < subscribers; i++)
        before[i] = side->subscribers[i].counts[MQTT_PUBLISH];
    while (all < batch->count * subscribers) {
        size_t next = may_follow(batch, sent, all / subscribers, WINDOW_FAN_OUT);
        size_t last = all;

        if (next > 0) {
            send_events(side, batch, sent, next);
            sent += next;
        }
        read_some(side);
        all = delivered(side) - all_before;
        if (all > last)
            moved_ns = bench_now_ns();
        else if (bench_now_ns() - moved_ns > STALL_NS)
            die("only %zu of %zu deliveries came", all, sent * subscribers);
    }
    check_each(side, before, batch->count);
    free(before);
}

/* The length of a PUBLISH packet that is delivered. */
static size_t delivered_len(side_t *side, size_t payload_len)
{
    mqtt_client_t client;
    batch_t batch = {0};

    open_client(side, &client, "probe", "");
    mqtt_subscribe(&client, FILTER);
    batch_make(&batch, 1, payload_len, 1);
    load_qos1(side, &batch);
    while (client.counts[MQTT_PUBLISH] == 0)
        (void)mqtt_read(&client, true);
    mqtt_close(&client);
    batch_done(&batch);
    return client.body_len;
}

size_t bytes_added(side_t *ours, side_t *bare, size_t payload_len)
{
    return delivered_len(ours, payload_len) - delivered_len(bare, payload_len);
}

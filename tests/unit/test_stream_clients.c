/* SPDX-License-Identifier: MIT */
/* Clients of a stream by the rules of docs/events.md, on a broker that forgets, restarts, says things twice and
 * lets live events and replays overtake each other: each event that was published is passed on once and in
 * order, or its loss is told. */
#include "stream.h"
#include "unit.h"

#define RUNS 10000
#define STEPS 80
#define CLIENTS 3
#define EVENTS_MAX ((size_t)STEPS * 8)
#define QUEUE_MAX (EVENTS_MAX * 4)
#define PAGE 3

static const oc_stamp_memory_t memory = {malloc, free};
static const oc_slice_t org = {"acme", 4};

static uint64_t random_state;

static unsigned draw(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

/* What is on its way to a client: an event, or the answer to its replay. */
typedef struct message {
    bool answer;
    oc_stamp_t stamp;
    unsigned event; /* which was published */
    oc_stream_part_t part;
} message_t;

typedef struct client {
    bool connected;
    bool asks; /* a replay is on its way */
    bool told; /* of a loss, since the last event that it passed on */
    oc_stamp_t last;
    message_t queue[QUEUE_MAX];
    size_t first, end;
    message_t aside[EVENTS_MAX]; /* by number: what came before its turn */
    unsigned next; /* the oldest event that it was not passed yet, nor told to be lost */
} client_t;

/* What was published, in its order. */
typedef struct published {
    oc_stamp_t stamp;
} published_t;

static oc_stream_t *stream;
static size_t kept; /* events, at most */
static published_t published[EVENTS_MAX];
static unsigned published_count;
static client_t clients[CLIENTS];
static size_t passed, lost; /* over all runs: that both happen */

/* --- The broker --- */

static void restart(size_t per_org)
{
    oc_stream_free(stream);
    stream = oc_stream_new();
    unit_check(stream, "no stream");
    kept = per_org;
    oc_stream_keep(stream, kept, 1000000);
    for (size_t i = 0; i < CLIENTS; i++) {
        clients[i].connected = false;
        clients[i].asks = false;
        clients[i].first = clients[i].end = 0;
    }
}

static message_t *enqueue(client_t *client)
{
    unit_check(client->end < QUEUE_MAX, "the queue is full");
    return &client->queue[client->end++];
}

static void publish_event(void)
{
    char text[32];
    const oc_stream_event_t event = {
        org,
        "org/acme/invoices/paid/inv-1",
        text,
        (size_t)snprintf(text, sizeof text, "{\"a\":%u}", published_count),
        {0}};
    char *payload;
    size_t len;

    unit_check(published_count < EVENTS_MAX, "too many events");
    unit_check(oc_stream_append(stream, &event, &memory, &payload, &len) == OC_OK, "append");
    free(payload);
    published[published_count].stamp = oc_stream_position(stream, org);
    for (size_t i = 0; i < CLIENTS; i++) {
        /* QoS 1 may say it twice. */
        for (unsigned times = draw(6) ? 1 : 2; clients[i].connected && times > 0; times--)
            *enqueue(&clients[i]) =
                (message_t){.stamp = published[published_count].stamp, .event = published_count};
    }
    published_count++;
}

/* Which event has the stamp: the payload says it too. */
static bool send_kept(void *context, const char *topic, const char *payload, size_t len)
{
    client_t *client = context;
    const char *number = strstr(payload, "\"a\":");
    message_t message = {0};

    (void)topic;
    (void)len;
    unit_check(number, "another event");
    message.event = (unsigned)strtoul(number + 4, NULL, 10);
    message.stamp = published[message.event].stamp;
    *enqueue(client) = message;
    return true;
}

/* --- A client --- */

static void ask(client_t *client)
{
    const oc_stream_gap_t gap = {org, client->last.epoch, client->last.sequence, PAGE, 400};
    oc_stamp_t now = oc_stream_position(stream, org);
    oc_stream_part_t part;

    unit_check(oc_stream_replay(stream, &gap, send_kept, client, &part) == OC_OK, "replay");
    unit_check(part.recovered == (client->last.epoch == now.epoch &&
                                  now.sequence - client->last.sequence <= kept),
               "nothing but what is not kept is lost");
    *enqueue(client) = (message_t){.answer = true, .part = part};
    client->asks = true;
}

static void pass_on(client_t *client, const message_t *message)
{
    unit_check(message->event >= client->next, "event %u was passed on before", message->event);
    unit_check(message->event == client->next || client->told, "event %u was lost untold",
               client->next);
    client->next = message->event + 1;
    client->last = message->stamp;
    client->told = false;
    passed++;
}

static void take_turns(client_t *client)
{
    for (;;) {
        const message_t *next = &client->aside[client->last.sequence % EVENTS_MAX];

        if (next->stamp.epoch != client->last.epoch ||
            next->stamp.sequence != client->last.sequence + 1)
            break;
        pass_on(client, next);
    }
}

static void take_event(client_t *client, const message_t *message)
{
    if (message->stamp.epoch != client->last.epoch) {
        /* Its answer will say so as well. */
        if (!client->asks)
            ask(client);
        return;
    }
    if (message->stamp.sequence <= client->last.sequence)
        return;
    client->aside[(message->stamp.sequence - 1) % EVENTS_MAX] = *message;
    take_turns(client);
    if (message->stamp.sequence > client->last.sequence && !client->asks)
        ask(client);
}

static void take_answer(client_t *client, const oc_stream_part_t *part)
{
    client->asks = false;
    if (!part->recovered) {
        /* Everything is loaded anew: all up to this position is known by that. */
        client->last = part->position;
        client->told = true;
        lost++;
        take_turns(client);
        return;
    }
    unit_check(client->last.sequence >= part->position.sequence, "less than the answer says");
    if (part->more)
        ask(client);
}

static void deliver(client_t *client)
{
    message_t message;

    if (client->first == client->end)
        return;
    message = client->queue[client->first++];
    if (client->first == client->end)
        client->first = client->end = 0;
    if (message.answer)
        take_answer(client, &message.part);
    else
        take_event(client, &message);
}

static void disconnect(client_t *client)
{
    client->connected = false;
    client->asks = false;
    client->first = client->end = 0;
}

static void reconnect(client_t *client)
{
    if (client->connected)
        return;
    client->connected = true;
    ask(client);
}

/* --- At random --- */

static void step(size_t per_org)
{
    client_t *client = &clients[draw(CLIENTS)];

    switch (draw(24)) {
    case 0:
        restart(per_org);
        break;
    case 1:
    case 2:
        disconnect(client);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        reconnect(client);
        break;
    case 7: /* more than is kept, perhaps */
        for (unsigned count = draw(8); count > 0; count--)
            publish_event();
        break;
    case 8:
    case 9:
    case 10:
    case 11:
        publish_event();
        break;
    default:
        for (unsigned count = draw(5); count > 0; count--)
            deliver(client);
    }
}

/* In the end everybody has everything, or knows that it has not. */
static void settle(client_t *client)
{
    oc_stamp_t now = oc_stream_position(stream, org);

    reconnect(client);
    while (client->first != client->end)
        deliver(client);
    unit_check(client->last.epoch == now.epoch && client->last.sequence == now.sequence,
               "at %llu, not at %llu", (unsigned long long)client->last.sequence,
               (unsigned long long)now.sequence);
    unit_check(client->next == published_count || client->told, "event %u was lost untold",
               client->next);
}

static void run_at_random(uint64_t seed)
{
    size_t per_org;

    random_state = seed;
    per_org = 1 + draw(20);
    stream = NULL;
    published_count = 0;
    memset(clients, 0, sizeof clients);
    restart(per_org);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i].last = oc_stream_position(stream, org);
    for (int i = 0; i < STEPS; i++)
        step(per_org);
    for (size_t i = 0; i < CLIENTS; i++)
        settle(&clients[i]);
    oc_stream_free(stream);
}

START_TEST(at_random)
{
    for (uint64_t seed = 0; seed < RUNS; seed++)
        run_at_random(seed);
    printf("%d runs: %zu events passed on, %zu losses told\n", RUNS, passed, lost);
    ck_assert_uint_gt(passed, RUNS);
    ck_assert_uint_gt(lost, RUNS / 10);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("stream_clients");

    tcase_add_test(tcase, at_random);
    return unit_run("stream_clients", tcase);
}

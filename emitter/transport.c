/* SPDX-License-Identifier: MIT */
#include "transport.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backoff.h"
#include "clock.h"
#include "fail.h"
#include "link.h"
#include "sink.h"
#include "uuid7.h"

/* A connection that held this long was a good one: the next pause is short again. */
#define STABLE_MS 5000
/* A token is renewed this long before it ends, or after four fifths of a short life: what reaches the
 * broker when the token has ended is refused. */
#define RENEW_BEFORE_MS 10000
#define RENEW_LIFE_PARTS 5
#define IPV4_WILDCARD "0.0.0.0"

struct oc_transport {
    const orgcast_emitter_t *emitter;
    const oc_settings_t *settings;
    const oc_token_source_t *tokens;
    oc_delivery_t *delivery;
    int wake_fd;
    pthread_t worker;

    /* The rest is the worker's. */
    oc_link_t link;
    oc_backoff_t backoff;
    int64_t expires_s;         /* of the token in use; 0: not known */
    int64_t renew_ms;          /* when to connect anew with another one; monotonic */
    int64_t expires_ms;        /* when it will be too late */
    bool renewing;             /* the last connection was ended for that */
    const char *local_address; /* the address family that worked last; NULL: the system's choice */
};

static void report_connection(oc_transport_t *transport, bool connected, const char *message)
{
    if (transport->settings->on_connection)
        transport->settings->on_connection(transport->settings->context, connected, message);
}

static bool stopping(oc_transport_t *transport)
{
    return oc_delivery_closing(transport->delivery);
}

static void drain_wakes(oc_transport_t *transport)
{
    uint64_t count;

    (void)!read(transport->wake_fd, &count, sizeof count);
}

static void on_puback(void *context, int mid, int reason_code)
{
    oc_transport_t *transport = context;

    (void)oc_delivery_answered(transport->delivery, mid, reason_code, oc_clock_monotonic_ms());
}

static size_t window(const oc_transport_t *transport)
{
    size_t ours = transport->settings->in_flight_max;

    return transport->link.window < ours ? transport->link.window : ours;
}

static void publish_waiting(oc_transport_t *transport)
{
    while (transport->link.state == OC_LINK_UP) {
        oc_item_t *item = oc_delivery_next(transport->delivery, window(transport));
        int reason_code;

        if (!item)
            return;
        reason_code = oc_link_publish(&transport->link, item->topic, item->payload,
                                      item->payload_len, &item->mid);
        /* Sending it again would only be refused again, and hold up what is behind it. */
        if (reason_code > 0)
            oc_delivery_refused(transport->delivery, item, reason_code, oc_clock_monotonic_ms());
    }
}

/* A source that gives the same token once more is asked again only when that has ended. Then, as for
 * a token whose end is not known, it is the broker who decides. */
static void plan_renewal(oc_transport_t *transport, const char *token)
{
    int64_t expires_s = oc_token_expires_s(token);
    int64_t left_ms = expires_s * 1000 - oc_clock_wall_ms();
    int64_t before_ms = left_ms / RENEW_LIFE_PARTS;

    if (before_ms > RENEW_BEFORE_MS)
        before_ms = RENEW_BEFORE_MS;
    if (expires_s == transport->expires_s)
        before_ms = 0;
    transport->expires_s = expires_s;
    transport->expires_ms = INT64_MAX;
    transport->renew_ms = INT64_MAX;
    if (left_ms > 0) {
        transport->expires_ms = oc_clock_monotonic_ms() + left_ms;
        transport->renew_ms = transport->expires_ms - before_ms;
    }
}

/* True when the token is to be renewed and every answer is here, or will not come in time. */
static bool ready_to_renew(oc_transport_t *transport, int64_t now_ms)
{
    return now_ms >= transport->renew_ms &&
           (now_ms >= transport->expires_ms || !oc_delivery_in_flight(transport->delivery));
}

/* When there is something to do about the token, whatever the connection does. */
static int64_t next_moment(const oc_transport_t *transport, int64_t now_ms)
{
    if (now_ms < transport->renew_ms)
        return transport->renew_ms;
    return now_ms < transport->expires_ms ? transport->expires_ms : INT64_MAX;
}

static void run_link(oc_transport_t *transport)
{
    int64_t now_ms = oc_clock_monotonic_ms();
    bool announced = false;

    while (!stopping(transport) && oc_link_step(&transport->link, transport->wake_fd, now_ms,
                                                next_moment(transport, now_ms))) {
        drain_wakes(transport);
        now_ms = oc_clock_monotonic_ms();
        if (transport->link.state != OC_LINK_UP)
            continue;
        if (!announced) {
            announced = true;
            oc_delivery_connected(transport->delivery);
            report_connection(transport, true, "connected");
        }
        if (now_ms < transport->renew_ms)
            publish_waiting(transport);
        transport->renewing = ready_to_renew(transport, now_ms);
        if (transport->renewing)
            break;
    }
    if (announced)
        oc_delivery_disconnected(transport->delivery);
}

typedef enum outcome {
    FAILED = 0,
    UNREACHABLE, /* no TCP connection */
    CAME_UP
} outcome_t;

/* One attempt, and the whole life of the connection when it succeeds. */
static outcome_t attempt(oc_transport_t *transport)
{
    oc_link_t *link = &transport->link;
    orgcast_diag_t diag = {0};
    char *token = NULL;

    if (oc_token_source_get(transport->tokens, oc_clock_wall_ms() / 1000, &token, &diag) !=
        ORGCAST_OK) {
        *link = (oc_link_t){.state = OC_LINK_DOWN};
        (void)snprintf(link->cause, sizeof link->cause, "%s", diag.message);
        return FAILED;
    }
    plan_renewal(transport, token);
    oc_link_open(link, transport->settings, token, transport->local_address,
                 oc_clock_monotonic_ms(), on_puback, transport);
    oc_token_free(token);
    run_link(transport);
    oc_link_close(link);
    if (link->came_up)
        return CAME_UP;
    return link->tcp_up ? FAILED : UNREACHABLE;
}

/* libmosquitto tries only the first address of a name when it may not block. `localhost` is ::1 and
 * 127.0.0.1, and many a broker listens on one of them. */
static bool has_both_families(const char *host)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    bool ipv4 = false;
    bool ipv6 = false;

    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *entry = list; entry; entry = entry->ai_next) {
        ipv4 = ipv4 || entry->ai_family == AF_INET;
        ipv6 = ipv6 || entry->ai_family == AF_INET6;
    }
    freeaddrinfo(list);
    return ipv4 && ipv6;
}

/* False: it never came up. */
static bool attempt_each_family(oc_transport_t *transport)
{
    outcome_t outcome = attempt(transport);

    if (outcome == UNREACHABLE && !stopping(transport) &&
        has_both_families(transport->settings->host)) {
        transport->local_address = transport->local_address ? NULL : IPV4_WILDCARD;
        outcome = attempt(transport);
    }
    return outcome == CAME_UP;
}

static void pause_before_retry(oc_transport_t *transport)
{
    uint64_t random = 0;
    int64_t now_ms = oc_clock_monotonic_ms();
    int64_t until_ms;

    (void)oc_random_bytes(&random, sizeof random);
    until_ms = now_ms + oc_backoff_pause_ms(&transport->backoff, random);
    while (!stopping(transport) && now_ms < until_ms) {
        struct pollfd fd = {.fd = transport->wake_fd, .events = POLLIN};

        (void)poll(&fd, 1, (int)(until_ms - now_ms));
        drain_wakes(transport);
        now_ms = oc_clock_monotonic_ms();
    }
}

static void run(oc_transport_t *transport)
{
    const oc_settings_t *settings = transport->settings;

    while (!stopping(transport)) {
        int64_t begun_ms = oc_clock_monotonic_ms();
        bool came_up = attempt_each_family(transport);

        if (stopping(transport)) {
            if (came_up)
                report_connection(transport, false, "closed");
            break;
        }
        if (transport->renewing) {
            transport->renewing = false;
            report_connection(transport, false, "renewing the token");
            continue;
        }
        if (!came_up)
            oc_delivery_connect_failed(transport->delivery);
        report_connection(transport, false, transport->link.cause);
        if (came_up && oc_clock_monotonic_ms() - begun_ms >= STABLE_MS)
            oc_backoff_reset(&transport->backoff, settings->backoff_min_ms,
                             settings->backoff_max_ms);
        pause_before_retry(transport);
    }
}

/* The worker counts as inside a callback all the time, because it calls all three of them. */
static void *work(void *context)
{
    oc_transport_t *transport = context;
    oc_callback_t callback;

    oc_callback_begin(&callback, transport->emitter);
    run(transport);
    oc_callback_end(&callback);
    return NULL;
}

/* The worker takes no signals: they are the application's threads' business. */
static int start_worker(oc_transport_t *transport)
{
    sigset_t all;
    sigset_t before;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&transport->worker, NULL, work, transport);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

orgcast_err_t oc_transport_start(const orgcast_emitter_t *emitter, const oc_settings_t *settings,
                                 const oc_token_source_t *tokens, oc_delivery_t *delivery,
                                 oc_transport_t **ret_transport, orgcast_diag_t *diag)
{
    oc_transport_t *transport = calloc(1, sizeof *transport);

    if (!transport)
        return oc_emitter_fail(diag, ORGCAST_E_NOMEM, "out of memory");
    transport->emitter = emitter;
    transport->settings = settings;
    transport->tokens = tokens;
    transport->delivery = delivery;
    oc_backoff_reset(&transport->backoff, settings->backoff_min_ms, settings->backoff_max_ms);
    transport->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (transport->wake_fd < 0) {
        free(transport);
        return oc_emitter_fail(diag, ORGCAST_E_NOMEM, "no file descriptor is available");
    }
    if (start_worker(transport) != 0) {
        (void)close(transport->wake_fd);
        free(transport);
        return oc_emitter_fail(diag, ORGCAST_E_NOMEM, "no thread is available");
    }
    *ret_transport = transport;
    return ORGCAST_OK;
}

void oc_transport_wake(oc_transport_t *transport)
{
    const uint64_t one = 1;

    (void)!write(transport->wake_fd, &one, sizeof one);
}

void oc_transport_stop(oc_transport_t *transport)
{
    oc_transport_wake(transport);
    (void)pthread_join(transport->worker, NULL);
    (void)close(transport->wake_fd);
    free(transport);
}

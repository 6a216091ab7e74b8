/* SPDX-License-Identifier: MIT */
#include "receipts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker.h"

#define PROGRESS_INTERVAL_MS 200
#define NOT_AUTHORIZED 0x87 /* MQTT 5 §3.4.2.1 */

/* One event, of which the emit call, the report or both are known. */
struct cli_receipt {
    struct cli_receipt *next;
    char event_id[sizeof((orgcast_receipt_t *)NULL)->event_id];
    bool emitted, reported;
    orgcast_event_type_t type;
    char *organization_id, *entity_id; /* once emitted */
    orgcast_delivery_status_t status;  /* once reported */
    int reason_code;
};

static const char *status_name(orgcast_delivery_status_t status)
{
    switch (status) {
    case ORGCAST_DELIVERY_ACKNOWLEDGED:
        return "acknowledged";
    case ORGCAST_DELIVERY_REFUSED:
        return "refused";
    case ORGCAST_DELIVERY_DROPPED:
        return "dropped";
    }
    return "unknown";
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool cli_receipts_init(cli_receipts_t *receipts, cli_receipts_style_t style, bool progress)
{
    pthread_condattr_t attr;
    bool good;

    *receipts = (cli_receipts_t){.style = style, .progress = progress && isatty(STDERR_FILENO)};
    receipts->end = &receipts->first;
    if (pthread_mutex_init(&receipts->lock, NULL) != 0)
        return false;
    good = pthread_condattr_init(&attr) == 0;
    if (good) {
        good = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
               pthread_cond_init(&receipts->reported, &attr) == 0;
        (void)pthread_condattr_destroy(&attr);
    }
    if (!good)
        (void)pthread_mutex_destroy(&receipts->lock);
    return good;
}

static void receipt_free(struct cli_receipt *receipt)
{
    free(receipt->organization_id);
    free(receipt->entity_id);
    free(receipt);
}

void cli_receipts_done(cli_receipts_t *receipts)
{
    while (receipts->first) {
        struct cli_receipt *receipt = receipts->first;

        receipts->first = receipt->next;
        receipt_free(receipt);
    }
    (void)pthread_cond_destroy(&receipts->reported);
    (void)pthread_mutex_destroy(&receipts->lock);
}

/* @locks: the caller holds the lock. Reports come nearly in the order of the emits, so the search ends
 * near the front. A new receipt when there is none; NULL: out of memory. */
static struct cli_receipt *find_or_add(cli_receipts_t *receipts, const char *event_id)
{
    struct cli_receipt *receipt;

    for (receipt = receipts->first; receipt; receipt = receipt->next) {
        if (strcmp(receipt->event_id, event_id) == 0)
            return receipt;
    }
    receipt = calloc(1, sizeof *receipt);
    if (!receipt)
        return NULL;
    (void)snprintf(receipt->event_id, sizeof receipt->event_id, "%s", event_id);
    *receipts->end = receipt;
    receipts->end = &receipt->next;
    return receipt;
}

/* @locks */
static void remove_receipt(cli_receipts_t *receipts, const struct cli_receipt *receipt)
{
    struct cli_receipt **link = &receipts->first;

    while (*link && *link != receipt)
        link = &(*link)->next;
    *link = receipt->next;
    if (!*link)
        receipts->end = link;
}

/* @locks */
static void clear_progress(const cli_receipts_t *receipts)
{
    if (receipts->progress)
        fprintf(stderr, "\r\033[K");
}

/* @locks */
static uint64_t reports(const cli_receipts_t *receipts)
{
    return receipts->acknowledged + receipts->refused + receipts->dropped;
}

/* @locks */
static void show_progress(cli_receipts_t *receipts)
{
    int64_t now_ms = monotonic_ms();
    uint64_t emitted = receipts->emitted;

    if (!receipts->progress || now_ms - receipts->progress_shown_ms < PROGRESS_INTERVAL_MS)
        return;
    receipts->progress_shown_ms = now_ms;
    /* A report may come before the emit call has returned. */
    if (emitted < reports(receipts))
        emitted = reports(receipts);
    fprintf(stderr, "\r\033[K%" PRIu64 " emitted, %" PRIu64 " acknowledged", emitted,
            receipts->acknowledged);
    if (receipts->refused)
        fprintf(stderr, ", %" PRIu64 " refused", receipts->refused);
}

static void print_json(const struct cli_receipt *receipt)
{
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:s, s:i}", "id", receipt->event_id, "type",
                  oc_event_type_name(receipt->type), "organizationId", receipt->organization_id,
                  "status", status_name(receipt->status), "reasonCode", receipt->reason_code);

    if (object)
        (void)json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void print_text(const struct cli_receipt *receipt)
{
    char why[CLI_BROKER_REASON_LEN];

    printf("%s %s %s of %s, event %s", status_name(receipt->status),
           oc_event_type_name(receipt->type), receipt->entity_id, receipt->organization_id,
           receipt->event_id);
    if (receipt->status == ORGCAST_DELIVERY_REFUSED)
        printf(": %s", cli_broker_reason(receipt->reason_code, why, sizeof why));
    if (receipt->status == ORGCAST_DELIVERY_REFUSED && receipt->reason_code == NOT_AUTHORIZED)
        printf(
            "; the token lacks the scope to publish, names another organization, or the rate "
            "limit is reached: the broker's log has the reason");
    if (receipt->status == ORGCAST_DELIVERY_DROPPED)
        printf(": not acknowledged");
    putchar('\n');
}

/* @locks. Print the receipt and forget it, once both halves are known. */
static void settle(cli_receipts_t *receipts, struct cli_receipt *receipt)
{
    if (!receipt->emitted || !receipt->reported)
        return;
    remove_receipt(receipts, receipt);
    if (receipts->style != CLI_RECEIPTS_REFUSED || receipt->status == ORGCAST_DELIVERY_REFUSED) {
        clear_progress(receipts);
        if (receipts->style == CLI_RECEIPTS_JSON)
            print_json(receipt);
        else
            print_text(receipt);
        /* A reader behind a pipe sees each receipt when it is true, not when a buffer is full. */
        (void)fflush(stdout);
    }
    receipt_free(receipt);
}

void cli_receipts_emitted(cli_receipts_t *receipts, const orgcast_receipt_t *emitted,
                          const cli_event_t *event)
{
    struct cli_receipt *receipt;

    (void)pthread_mutex_lock(&receipts->lock);
    receipts->emitted++;
    receipt = find_or_add(receipts, emitted->event_id);
    if (receipt) {
        receipt->organization_id = strdup(cli_event_organization_id(event));
        receipt->entity_id = strdup(cli_event_entity_id(event));
        receipt->type = event->type;
        receipt->emitted = receipt->organization_id && receipt->entity_id;
        settle(receipts, receipt);
    }
    show_progress(receipts);
    (void)pthread_mutex_unlock(&receipts->lock);
}

void cli_receipts_on_delivery(void *context, const orgcast_delivery_t *delivery)
{
    cli_receipts_t *receipts = context;
    struct cli_receipt *receipt;

    (void)pthread_mutex_lock(&receipts->lock);
    switch (delivery->status) {
    case ORGCAST_DELIVERY_ACKNOWLEDGED:
        receipts->acknowledged++;
        break;
    case ORGCAST_DELIVERY_REFUSED:
        receipts->refused++;
        break;
    case ORGCAST_DELIVERY_DROPPED:
        receipts->dropped++;
        break;
    }
    receipt = find_or_add(receipts, delivery->event_id);
    if (receipt) {
        receipt->status = delivery->status;
        receipt->reason_code = delivery->reason_code;
        receipt->reported = true;
        settle(receipts, receipt);
    }
    show_progress(receipts);
    (void)pthread_cond_signal(&receipts->reported);
    (void)pthread_mutex_unlock(&receipts->lock);
}

/* How the library's message begins when a CONNACK refuses. It ends with the reason code: "(0x87)". */
#define REFUSED "refused: "

static bool refuses_token(const char *message)
{
    const char *code = strrchr(message, '(');

    return strncmp(message, REFUSED, strlen(REFUSED)) == 0 && code &&
           cli_broker_refuses_token((int)strtol(code + 1, NULL, 16));
}

void cli_receipts_on_connection(void *context, bool connected, const char *message)
{
    cli_receipts_t *receipts = context;
    bool news;

    (void)pthread_mutex_lock(&receipts->lock);
    /* The same cause again, with each attempt, is said once. */
    news = !receipts->closing &&
           strncmp(receipts->connection, message, sizeof receipts->connection - 1) != 0;
    if (connected) {
        receipts->connection[0] = '\0';
        receipts->connected_once = true;
    } else if (news) {
        (void)snprintf(receipts->connection, sizeof receipts->connection, "%s", message);
        receipts->turned_away = !receipts->connected_once && refuses_token(message);
        clear_progress(receipts);
        if (receipts->turned_away)
            fprintf(stderr, "orgcast emit: the broker refused the connection: %s\n",
                    message + strlen(REFUSED));
        else
            fprintf(stderr, "orgcast emit: %s; trying again\n", message);
        (void)pthread_cond_signal(&receipts->reported);
    }
    (void)pthread_mutex_unlock(&receipts->lock);
}

bool cli_receipts_turned_away(cli_receipts_t *receipts)
{
    bool turned_away;

    (void)pthread_mutex_lock(&receipts->lock);
    turned_away = receipts->turned_away;
    (void)pthread_mutex_unlock(&receipts->lock);
    return turned_away;
}

void cli_receipts_closing(cli_receipts_t *receipts)
{
    (void)pthread_mutex_lock(&receipts->lock);
    receipts->closing = true;
    (void)pthread_mutex_unlock(&receipts->lock);
}

bool cli_receipts_wait(cli_receipts_t *receipts, uint64_t waiting, int64_t stall_timeout_ms)
{
    int64_t since_ms = monotonic_ms();
    uint64_t seen;
    bool done = true;

    (void)pthread_mutex_lock(&receipts->lock);
    seen = reports(receipts);
    while (receipts->emitted > reports(receipts) + waiting) {
        int64_t now_ms = monotonic_ms();
        int64_t wake_ms = now_ms + PROGRESS_INTERVAL_MS;
        struct timespec wake;

        if (seen != reports(receipts)) {
            seen = reports(receipts);
            since_ms = now_ms;
        }
        if (receipts->turned_away ||
            (stall_timeout_ms > 0 && now_ms - since_ms >= stall_timeout_ms)) {
            done = false;
            break;
        }
        if (stall_timeout_ms > 0 && wake_ms > since_ms + stall_timeout_ms)
            wake_ms = since_ms + stall_timeout_ms;
        wake = (struct timespec){.tv_sec = (time_t)(wake_ms / 1000),
                                 .tv_nsec = (long)(wake_ms % 1000) * 1000000};
        (void)pthread_cond_timedwait(&receipts->reported, &receipts->lock, &wake);
        show_progress(receipts);
    }
    (void)pthread_mutex_unlock(&receipts->lock);
    return done;
}

uint64_t cli_receipts_waiting(cli_receipts_t *receipts)
{
    uint64_t waiting;

    (void)pthread_mutex_lock(&receipts->lock);
    waiting = receipts->emitted > reports(receipts) ? receipts->emitted - reports(receipts) : 0;
    (void)pthread_mutex_unlock(&receipts->lock);
    return waiting;
}

void cli_receipts_clear_progress(cli_receipts_t *receipts)
{
    (void)pthread_mutex_lock(&receipts->lock);
    clear_progress(receipts);
    (void)pthread_mutex_unlock(&receipts->lock);
}

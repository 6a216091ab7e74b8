/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_LISTEN_RUN_H
#define OC_CLI_LISTEN_RUN_H

/* What the parts of `orgcast listen` share: listen.c (options, the loop, what is told), listen_link.c (a
 * connection), listen_ask.c (questions to the plugin). */

#include <mosquitto.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backoff.h"
#include "broker.h"
#include "ids.h"
#include "merge.h"

#define LISTEN_FILTERS_MAX 8
#define LISTEN_FILTER_MAX_BYTES (OC_ID_MAX + 64)

typedef enum listen_state {
    LISTEN_DOWN = 0,
    LISTEN_CONNECTING, /* until every filter is granted */
    LISTEN_UP,
    LISTEN_ENDED, /* done or failed; `code` says which */
} listen_state_t;

/* A question to the plugin, and when it is time for the next. */
typedef struct listen_question {
    uint64_t number; /* of all of them */
    int mid;
    cli_merge_want_t want; /* CLI_WANT_NOTHING: no answer is out */
    int64_t asked_ms;
    int64_t not_before_ms; /* the next */
    int silent;            /* how many had no answer, in a row */
    bool answered;         /* in this connection */
} listen_question_t;

typedef struct listen_run {
    const cli_args_t *args;
    cli_broker_t broker;
    const char *organization_id;
    char whole_filter[LISTEN_FILTER_MAX_BYTES];
    char filters[LISTEN_FILTERS_MAX][LISTEN_FILTER_MAX_BYTES]; /* what is printed */
    size_t filters_count;
    bool chosen; /* by --event, so that there are narrower filters than the whole one */
    uint64_t count_max, count;    /* count_max 0: without limit */
    int64_t start_ms, timeout_ms; /* timeout_ms 0: without limit */
    listen_state_t state;
    int code;
    cli_merge_t merge;
    listen_question_t question;
    bool answered; /* a question, at some time */

    /* The connection. Each has a libmosquitto client of its own, so that nothing of an earlier one is sent
     * again; the client id stays, so that the broker ends one that it has not missed yet. */
    struct mosquitto *client;
    char client_id[40];
    int64_t begun_ms; /* CONNECTING or UP */
    bool narrow;      /* the whole filter was refused */
    int filter_mids[LISTEN_FILTERS_MAX];
    size_t granted;
    char tls_error[192]; /* what only libmosquitto's log says */

    bool listened;   /* at some time */
    bool was_up;     /* the latest connection */
    bool complained; /* about the present outage */
    oc_backoff_t backoff;
    int64_t retry_ms;
} listen_run_t;

/* Done or failed, unless it has ended already. */
void listen_end(listen_run_t *run, int code);

/* The connection failed or is lost. Ends the command, unless an earlier connection succeeded. */
void listen_lost(listen_run_t *run, const char *format, ...) OC_PRINTF(2, 3);

/* A SIGINT or SIGTERM has come. */
bool listen_interrupted(void);

void listen_take_event(listen_run_t *run, const struct mosquitto_message *message);

/* --- listen_link.c --- */

/* Connect. The state reports the result. max_ms: how long that may take */
void listen_link_open(listen_run_t *run, int64_t max_ms);
/* Wait for so long at most, and do what there is to do. */
void listen_link_step(listen_run_t *run, int64_t max_ms);
void listen_link_close(listen_run_t *run);
/* What to look at when the broker refuses the organization. */
void listen_tell_organizations(const listen_run_t *run);

/* --- listen_ask.c --- */

/* A connection begins: no answer is out. */
void listen_ask_begin(listen_run_t *run);
/* Ask what is wanted, if it is time for it. */
void listen_ask_next(listen_run_t *run, int64_t now_ms);
void listen_ask_answer(listen_run_t *run, const struct mosquitto_message *message);
/* The broker's PUBACK. */
void listen_ask_acknowledged(listen_run_t *run, int mid, int reason_code);

#endif

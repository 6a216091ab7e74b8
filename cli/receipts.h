/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_RECEIPTS_H
#define OC_CLI_RECEIPTS_H

/* What emit tells about its events: it counts them, matches each event with its delivery report, which
 * may come first, and prints receipts and progress. */

#include <pthread.h>
#include <stdint.h>

#include <orgcast/emitter.h>

#include "event_input.h"

typedef enum cli_receipts_style {
    CLI_RECEIPTS_TEXT,    /* a sentence for each event */
    CLI_RECEIPTS_REFUSED, /* a sentence for each event that was refused */
    CLI_RECEIPTS_JSON,    /* an object for each event */
} cli_receipts_style_t;

typedef struct cli_receipts {
    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t reported;
    cli_receipts_style_t style;
    bool progress;             /* show a running count on standard error */
    int64_t progress_shown_ms; /* monotonic */
    struct cli_receipt *first, **end;
    uint64_t emitted, acknowledged, refused, dropped;
    char connection[256]; /* the last cause of a missing connection; "" while connected */
    bool connected_once;
    bool
        turned_away; /* the broker refused the token before it ever took one: retrying is useless */
    bool closing;    /* that the connection ends is no news */
} cli_receipts_t;

/* progress: whether to show a count; it is shown only on a terminal. False: out of memory. */
bool cli_receipts_init(cli_receipts_t *receipts, cli_receipts_style_t style, bool progress);
void cli_receipts_done(cli_receipts_t *receipts);

/* An emit has succeeded. */
void cli_receipts_emitted(cli_receipts_t *receipts, const orgcast_receipt_t *emitted,
                          const cli_event_t *event);

/* For orgcast_emitter_options_t, whose context is the cli_receipts_t. */
void cli_receipts_on_delivery(void *context, const orgcast_delivery_t *delivery);
void cli_receipts_on_connection(void *context, bool connected, const char *message);

/* Wait until at most `waiting` events have no report yet. False: nothing was reported for
 * stall_timeout_ms (0: wait without limit), or the broker turned the emitter away. */
bool cli_receipts_wait(cli_receipts_t *receipts, uint64_t waiting, int64_t stall_timeout_ms);

/* How many events have no report yet. */
uint64_t cli_receipts_waiting(cli_receipts_t *receipts);

/* True when the broker refused the token before the first connection. */
bool cli_receipts_turned_away(cli_receipts_t *receipts);

/* Call before orgcast_emitter_close(). */
void cli_receipts_closing(cli_receipts_t *receipts);

/* Take the running count off the terminal, before something else is printed there. */
void cli_receipts_clear_progress(cli_receipts_t *receipts);

#endif

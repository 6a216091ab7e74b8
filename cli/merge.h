/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_MERGE_H
#define OC_CLI_MERGE_H

/* Puts an organization's events in order: the live ones, and those that the plugin replays, come over the
 * same connection in any interleaving, twice or not at all. Each leaves once, in the order of its number,
 * or a gap is told. Knows nothing of MQTT and reads no clock; the caller asks the broker what it wants to
 * know, and tells it what comes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "place.h"

/* Events that wait for what is missing before them. Beyond that the latest are dropped, and asked for
 * later. One answer to `replay` has at most 512 events or 1 MiB. */
#define CLI_MERGE_HELD_MAX ((size_t)1024)
#define CLI_MERGE_HELD_BYTES_MAX ((size_t)8 * 1024 * 1024)

/* Answers without anything new before what is still missing is given up. */
#define CLI_MERGE_VAIN_MAX 3

typedef enum cli_gap_kind {
    CLI_GAP_LOST,    /* the broker no longer stores all of the events `from` to `to` */
    CLI_GAP_RESTART, /* the numbering restarted; earlier events after `from` may be missing */
    CLI_GAP_UNKNOWN, /* there was a pause, and the broker has no numbers to tell what was in it */
} cli_gap_kind_t;

typedef struct cli_gap {
    cli_gap_kind_t kind;
    uint64_t from;
    uint64_t to;
} cli_gap_t;

/* Who is told. */
typedef struct cli_merge_sink {
    void *context;
    /* It is this event's turn. False: no further ones. */
    bool (*print)(void *context, const char *payload, size_t len);
    void (*gap)(void *context, const cli_gap_t *gap);
    /* Nothing of what was before this connection is missing any more, as far as it can be had.
     * printed: events since it began */
    void (*caught_up)(void *context, uint64_t printed);
} cli_merge_sink_t;

typedef enum cli_merge_want {
    CLI_WANT_NOTHING = 0,
    CLI_WANT_POSITION,
    CLI_WANT_REPLAY, /* of what is behind a place */
} cli_merge_want_t;

typedef struct cli_merge_answer {
    bool recovered;
    bool more;
    uint64_t replayed;
    cli_place_t place;
} cli_merge_answer_t;

typedef struct cli_held {
    cli_place_t place;
    char *payload; /* NULL: counted, not printed */
    size_t len;
} cli_held_t;

typedef struct cli_merge {
    cli_merge_sink_t sink;
    cli_place_t last;     /* everything up to it has left, or was told as a gap */
    uint64_t tip;         /* the highest number that is known to be in the epoch */
    bool since;           /* `last` was given; its epoch may come from the broker's position */
    bool connected;       /* at some time */
    bool again;           /* before this connection already */
    bool unnumbered;      /* this connection's broker has no numbers */
    bool syncing;         /* there may be more behind `last` than was seen */
    bool announce;        /* caught_up() is due when not */
    bool checking;        /* ask for the position again */
    bool waiting;         /* for an answer */
    bool stopped;         /* by print() */
    bool dropped;         /* an event, while the position was not known */
    uint64_t asked;       /* questions */
    uint64_t asked_after; /* the number that the latest is about */
    uint64_t foreign;     /* 1 + `asked` when the last event of another epoch came; 0: none */
    uint64_t taken;       /* events that `last` went over since the question */
    uint64_t printed;     /* in this connection */
    int vain;             /* answers without anything new, in a row */
    cli_held_t *held;     /* those of an epoch in their order; at most CLI_MERGE_HELD_MAX */
    size_t held_count, held_cap, held_bytes;
} cli_merge_t;

void cli_merge_init(cli_merge_t *merge, const cli_merge_sink_t *sink);
void cli_merge_done(cli_merge_t *merge);

/* Begin behind a place; without its epoch, in the one that the broker has. Before the first connection. */
void cli_merge_since(cli_merge_t *merge, const cli_place_t *place);

/* A connection is there; nothing of an earlier one comes any more. */
void cli_merge_connected(cli_merge_t *merge);

/* What to ask next; CLI_WANT_NOTHING while an answer is out. *ret_after is set for CLI_WANT_REPLAY, and
 * that is to be asked once the subscription is there. */
cli_merge_want_t cli_merge_want(const cli_merge_t *merge, cli_place_t *ret_after);
void cli_merge_asked(cli_merge_t *merge);

/* See whether the last events were lost, which no later one tells: to be called now and then. */
void cli_merge_check(cli_merge_t *merge);

/* Each question has one of these answers. */
void cli_merge_position(cli_merge_t *merge, const cli_place_t *place);
void cli_merge_replayed(cli_merge_t *merge, const cli_merge_answer_t *answer);
void cli_merge_not_now(cli_merge_t *merge);    /* it is to be asked again */
void cli_merge_no_numbers(cli_merge_t *merge); /* this connection's broker does not number events */

/* An event.
 * place:   NULL: it has no number, and leaves at once
 * payload: borrowed; NULL: one that only counts */
void cli_merge_event(cli_merge_t *merge, const cli_place_t *place, const char *payload, size_t len);

#endif

/* SPDX-License-Identifier: MIT */
#include "merge.h"

#include <stdlib.h>
#include <string.h>

#define HELD_CAP_MIN 16

void cli_merge_init(cli_merge_t *merge, const cli_merge_sink_t *sink)
{
    *merge = (cli_merge_t){.sink = *sink};
}

void cli_merge_done(cli_merge_t *merge)
{
    for (size_t i = 0; i < merge->held_count; i++)
        free(merge->held[i].payload);
    free(merge->held);
    *merge = (cli_merge_t){0};
}

void cli_merge_since(cli_merge_t *merge, const cli_place_t *place)
{
    merge->last = *place;
    merge->since = true;
}

/* --- What waits --- */

static bool same_epoch(const cli_place_t *place, const cli_place_t *other)
{
    return strcmp(place->epoch, other->epoch) == 0;
}

static bool is_own(const cli_merge_t *merge, const cli_place_t *place)
{
    return same_epoch(place, &merge->last);
}

static void remove_held(cli_merge_t *merge, size_t index)
{
    cli_held_t *at = &merge->held[index];

    merge->held_bytes -= at->len;
    free(at->payload);
    merge->held_count--;
    memmove(at, at + 1, (merge->held_count - index) * sizeof *at);
}

/* The lowest of this epoch; NULL when there is none. */
static cli_held_t *first_own(const cli_merge_t *merge)
{
    for (size_t i = 0; i < merge->held_count; i++) {
        if (is_own(merge, &merge->held[i].place))
            return &merge->held[i];
    }
    return NULL;
}

/* Before the first of its epoch with a higher number, otherwise at the end. False: it is there already. */
static bool find_slot(const cli_merge_t *merge, const cli_place_t *place, size_t *ret_index)
{
    size_t i = 0;

    while (i < merge->held_count && !(same_epoch(&merge->held[i].place, place) &&
                                      merge->held[i].place.sequence >= place->sequence))
        i++;
    if (i < merge->held_count && merge->held[i].place.sequence == place->sequence)
        return false;
    *ret_index = i;
    return true;
}

static bool has_room(const cli_merge_t *merge, size_t len)
{
    return merge->held_count == 0 ||
           (merge->held_count < CLI_MERGE_HELD_MAX && len <= CLI_MERGE_HELD_BYTES_MAX &&
            merge->held_bytes <= CLI_MERGE_HELD_BYTES_MAX - len);
}

/* An event of this epoch goes before all that come later. */
static bool make_room(cli_merge_t *merge, const cli_place_t *place, size_t index, size_t len)
{
    while (!has_room(merge, len)) {
        if (!is_own(merge, place) || index == merge->held_count)
            return false;
        remove_held(merge, merge->held_count - 1);
    }
    return true;
}

static bool grow(cli_merge_t *merge)
{
    size_t cap = merge->held_cap ? merge->held_cap * 2 : HELD_CAP_MIN;
    cli_held_t *held;

    if (merge->held_count < merge->held_cap)
        return true;
    held = realloc(merge->held, cap * sizeof *held);
    if (!held)
        return false;
    merge->held = held;
    merge->held_cap = cap;
    return true;
}

/* Without room or memory for it, it is one of those that will be asked for. */
static bool hold(cli_merge_t *merge, const cli_place_t *place, const char *payload, size_t len)
{
    cli_held_t held = {.place = *place, .len = payload ? len : 0};
    size_t index;

    if (!find_slot(merge, place, &index))
        return true;
    if (!make_room(merge, place, index, held.len) || !grow(merge))
        return false;
    if (payload) {
        held.payload = malloc(len ? len : 1);
        if (!held.payload)
            return false;
        memcpy(held.payload, payload, len);
    }
    memmove(&merge->held[index + 1], &merge->held[index],
            (merge->held_count - index) * sizeof merge->held[0]);
    merge->held[index] = held;
    merge->held_count++;
    merge->held_bytes += held.len;
    return true;
}

/* --- What leaves --- */

static void print(cli_merge_t *merge, const char *payload, size_t len)
{
    if (!payload || merge->stopped)
        return;
    merge->printed++;
    merge->stopped = !merge->sink.print(merge->sink.context, payload, len);
}

static void tell(const cli_merge_t *merge, cli_gap_kind_t kind, uint64_t from, uint64_t to)
{
    const cli_gap_t gap = {kind, from, to};

    if (!merge->stopped)
        merge->sink.gap(merge->sink.context, &gap);
}

static void take(cli_merge_t *merge, uint64_t sequence, const char *payload, size_t len)
{
    merge->last.sequence = sequence;
    merge->taken++;
    if (merge->tip < sequence)
        merge->tip = sequence;
    print(merge, payload, len);
}

static void take_held(cli_merge_t *merge, const cli_held_t *held)
{
    take(merge, held->place.sequence, held->payload, held->len);
    remove_held(merge, (size_t)(held - merge->held));
}

/* Those whose turn it is. */
static void drain(cli_merge_t *merge)
{
    cli_held_t *held;

    while (!merge->stopped && (held = first_own(merge)) &&
           held->place.sequence <= merge->last.sequence + 1) {
        if (held->place.sequence > merge->last.sequence)
            take_held(merge, held);
        else
            remove_held(merge, (size_t)(held - merge->held));
    }
}

/* lost: events were there, and this client was to have them */
static void skip_to(cli_merge_t *merge, uint64_t sequence, bool lost)
{
    if (sequence <= merge->last.sequence)
        return;
    if (lost)
        tell(merge, CLI_GAP_LOST, merge->last.sequence + 1, sequence);
    merge->last.sequence = sequence;
}

/* Nothing up to that number comes any more. */
static void advance_to(cli_merge_t *merge, uint64_t sequence, bool lost)
{
    cli_held_t *held;

    while (!merge->stopped && (held = first_own(merge)) && held->place.sequence <= sequence) {
        skip_to(merge, held->place.sequence - 1, lost);
        take_held(merge, held);
    }
    skip_to(merge, sequence, lost);
    drain(merge);
}

static void drop_foreign(cli_merge_t *merge)
{
    for (size_t i = merge->held_count; i-- > 0;) {
        if (!is_own(merge, &merge->held[i].place))
            remove_held(merge, i);
    }
    merge->foreign = 0;
}

/* Of this epoch, up to that number. */
static uint64_t count_held(const cli_merge_t *merge, uint64_t sequence)
{
    uint64_t count = 0;

    for (size_t i = 0; i < merge->held_count; i++)
        count += is_own(merge, &merge->held[i].place) && merge->held[i].place.sequence <= sequence;
    return count;
}

/* --- Questions --- */

void cli_merge_connected(cli_merge_t *merge)
{
    merge->again = merge->connected;
    merge->connected = true;
    merge->unnumbered = false;
    merge->waiting = false;
    merge->syncing = true;
    merge->announce = true;
    merge->printed = 0;
    merge->vain = 0;
}

cli_merge_want_t cli_merge_want(const cli_merge_t *merge, cli_place_t *ret_after)
{
    if (merge->stopped || merge->waiting || merge->unnumbered)
        return CLI_WANT_NOTHING;
    if (!*merge->last.epoch)
        return CLI_WANT_POSITION;
    if (!merge->syncing && !merge->foreign && merge->tip <= merge->last.sequence)
        return merge->checking ? CLI_WANT_POSITION : CLI_WANT_NOTHING;
    *ret_after = merge->last;
    return CLI_WANT_REPLAY;
}

void cli_merge_asked(cli_merge_t *merge)
{
    merge->waiting = true;
    merge->checking = false;
    merge->asked++;
    merge->asked_after = merge->last.sequence;
    merge->taken = 0;
}

void cli_merge_check(cli_merge_t *merge)
{
    merge->checking = true;
}

void cli_merge_not_now(cli_merge_t *merge)
{
    merge->waiting = false;
}

/* --- Answers --- */

void cli_merge_position(cli_merge_t *merge, const cli_place_t *place)
{
    cli_place_t last = *place;

    merge->waiting = false;
    if (*merge->last.epoch) {
        merge->syncing = merge->syncing || !is_own(merge, place) || place->sequence > merge->tip;
        return;
    }
    if (merge->since)
        last.sequence = merge->last.sequence;
    else if (merge->again)
        tell(merge, CLI_GAP_UNKNOWN, 0, 0);
    merge->last = last;
    merge->dropped = false;
    merge->syncing = true;
    merge->tip = last.sequence;
    /* Some of it may be of another epoch. */
    if (merge->held_count > 0)
        merge->foreign = merge->asked + 1;
    drain(merge);
}

void cli_merge_no_numbers(cli_merge_t *merge)
{
    merge->waiting = false;
    merge->unnumbered = true;
    merge->announce = false;
    if (merge->again || merge->dropped)
        tell(merge, CLI_GAP_UNKNOWN, 0, 0);
    while (merge->held_count > 0) {
        print(merge, merge->held[0].payload, merge->held[0].len);
        remove_held(merge, 0);
    }
    merge->last = (cli_place_t){0};
    merge->since = false;
    merge->dropped = false;
    merge->foreign = 0;
    merge->tip = 0;
}

static void take_recovered(cli_merge_t *merge, const cli_merge_answer_t *answer)
{
    uint64_t end = answer->place.sequence;
    bool asked_since_foreign = merge->foreign && merge->foreign <= merge->asked;

    if (merge->tip < end)
        merge->tip = end;
    /* A broker drops what a slow client has not fetched. */
    if (merge->taken + count_held(merge, end) < answer->replayed) {
        merge->syncing = true;
        return;
    }
    /* What is missing now is nothing that this client may have. */
    advance_to(merge, end, false);
    merge->syncing = answer->more;
    /* This epoch is still the present one: the other was an earlier one. */
    if (asked_since_foreign)
        drop_foreign(merge);
}

static void take_lost(cli_merge_t *merge, uint64_t present)
{
    const cli_held_t *held = first_own(merge);
    uint64_t end = present;

    /* `last` may be further meanwhile. */
    if (held && held->place.sequence - 1 < end)
        end = held->place.sequence - 1;
    if (merge->tip < present)
        merge->tip = present;
    skip_to(merge, end, true);
    drain(merge);
    merge->syncing = merge->tip > merge->last.sequence;
}

static void take_restart(cli_merge_t *merge, const cli_place_t *place)
{
    cli_held_t *held;

    while (!merge->stopped && (held = first_own(merge))) {
        skip_to(merge, held->place.sequence - 1, true);
        take_held(merge, held);
    }
    tell(merge, CLI_GAP_RESTART, merge->last.sequence, 0);
    merge->last = *place;
    merge->last.sequence = 0;
    merge->syncing = true;
    merge->tip = 0;
    drop_foreign(merge);
    drain(merge);
}

/* It is asked for in vain: go on without. */
static void give_up(cli_merge_t *merge)
{
    merge->vain = 0;
    merge->syncing = false;
    drop_foreign(merge);
    advance_to(merge, merge->tip, true);
}

void cli_merge_replayed(cli_merge_t *merge, const cli_merge_answer_t *answer)
{
    const cli_place_t before = merge->last;
    cli_place_t after;

    merge->waiting = false;
    if (is_own(merge, &answer->place) && answer->recovered)
        take_recovered(merge, answer);
    else if (is_own(merge, &answer->place) && answer->place.sequence >= merge->asked_after)
        take_lost(merge, answer->place.sequence);
    else
        take_restart(merge, &answer->place);
    if (merge->taken > 0 || !same_epoch(&before, &merge->last) ||
        before.sequence != merge->last.sequence)
        merge->vain = 0;
    else if (cli_merge_want(merge, &after) != CLI_WANT_NOTHING &&
             ++merge->vain >= CLI_MERGE_VAIN_MAX)
        give_up(merge);
    if (merge->announce && !merge->syncing && !merge->stopped) {
        merge->announce = false;
        merge->sink.caught_up(merge->sink.context, merge->printed);
    }
}

/* --- Events --- */

void cli_merge_event(cli_merge_t *merge, const cli_place_t *place, const char *payload, size_t len)
{
    if (merge->stopped)
        return;
    if (!place || merge->unnumbered) {
        print(merge, payload, len);
        return;
    }
    if (!*merge->last.epoch) {
        if (!hold(merge, place, payload, len))
            merge->dropped = true;
        return;
    }
    if (!is_own(merge, place)) {
        merge->foreign = merge->asked + 1;
        (void)hold(merge, place, payload, len);
        return;
    }
    if (place->sequence <= merge->last.sequence)
        return;
    if (place->sequence == merge->last.sequence + 1) {
        take(merge, place->sequence, payload, len);
        drain(merge);
        return;
    }
    if (merge->tip < place->sequence)
        merge->tip = place->sequence;
    (void)hold(merge, place, payload, len);
}

/* SPDX-License-Identifier: MIT */
#ifndef OC_STREAM_H
#define OC_STREAM_H

/* Each organization's events in their order: their numbers, and the last of them for whoever missed some.
 * Numbers go up by one from 1; where they begin anew, the epoch is another one. What is kept is bounded by
 * bytes, bookkeeping included, so memory grows with the events held and not with the organizations ever
 * seen. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucket.h"
#include "err.h"
#include "stamp.h"
#include "topic.h"

typedef struct oc_stream oc_stream_t;

/* NULL when out of memory, or when the system has no random bytes. It keeps nothing yet. */
oc_stream_t *oc_stream_new(void);
void oc_stream_free(oc_stream_t *stream);

/* Keep so many events of each organization, and so many bytes of all of them, unless it is more already.
 * When there is no room, the organization whose last event is the oldest loses its oldest events; one that
 * has none left is forgotten. */
void oc_stream_keep(oc_stream_t *stream, size_t events_per_org, size_t max_bytes);

/* The connection that sends an event with QoS 2. Its client sends the event again until the broker has released it,
 * and the broker publishes it only once: so the event keeps its number. */
typedef struct oc_stream_flow {
    const char *client_id; /* NULL: the event does not come again */
    uint64_t connection;   /* a number for each connection; 0: unknown */
    bool resumes; /* it continues a session, and sends again what an earlier connection sent */
    bool resends; /* it sends again what it sent itself: before MQTT 5 (§4.4) */
} oc_stream_flow_t;

/* An event that is to be published. Borrowed. */
typedef struct oc_stream_event {
    oc_slice_t org;
    const char *topic;
    const char *payload;
    size_t payload_len;
    oc_stream_flow_t flow;
} oc_stream_event_t;

/* Give an event its organization's next number and keep it. An event that its flow sends again gets the number that it
 * has, as long as it is kept.
 *  ret_payload        what to publish, made by memory->alloc, for the caller
 *  OC_E_EVENT_INVALID no JSON object: it has no number, and is not kept
 *  OC_E_NOMEM
 * On error the numbering is as before. */
OC_MUST_CHECK oc_err_t oc_stream_append(oc_stream_t *stream, const oc_stream_event_t *event,
                                        const oc_stamp_memory_t *memory, char **ret_payload,
                                        size_t *ret_len);

/* The last number that an organization's events have; 0 in the epoch in which it would begin when there is
 * none. Allocates nothing. */
oc_stamp_t oc_stream_position(const oc_stream_t *stream, oc_slice_t org);

/* What somebody missed. */
typedef struct oc_stream_gap {
    oc_slice_t org;
    uint64_t epoch;
    uint64_t after;   /* the last number that they have */
    size_t most;      /* events at once */
    size_t max_bytes; /* of topics and payloads at once, but always one event */
} oc_stream_gap_t;

typedef struct oc_stream_part {
    bool recovered; /* false: not all of it is kept, and nothing was given */
    bool more;      /* there are further ones behind the last that was given */
    size_t count;   /* how many were given */
    oc_stamp_t
        position; /* recovered: up to where nothing is missed any more; otherwise the last there is */
} oc_stream_part_t;

/* False: stop. */
typedef bool (*oc_stream_fn)(void *context, const char *topic, const char *payload, size_t len);

/* Give the events behind a position, oldest first. OC_E_NOMEM when the function returned false. Allocates
 * nothing itself. */
OC_MUST_CHECK oc_err_t oc_stream_replay(const oc_stream_t *stream, const oc_stream_gap_t *gap,
                                        oc_stream_fn function, void *context,
                                        oc_stream_part_t *ret_part);

/* Of what an organization's replays give, for whoever bounds that; all zero at first. NULL: nothing is known of it,
 * and so nothing to be given. Borrowed until the next event. */
oc_bucket_t *oc_stream_account(oc_stream_t *stream, oc_slice_t org);

/* Held now, bookkeeping included. At most max_bytes and one organization's bookkeeping. */
size_t oc_stream_bytes(const oc_stream_t *stream);
size_t oc_stream_org_count(const oc_stream_t *stream);

#endif

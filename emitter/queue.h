/* SPDX-License-Identifier: MIT */
#ifndef OC_QUEUE_H
#define OC_QUEUE_H

/* The events that the broker has not answered, in the order of their emit calls: first those that
 * are published and wait for their PUBACK, then those not published yet. Bounded. No locks here. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <orgcast/event.h>

#include "uuid7.h"

/* One encoded event. */
typedef struct oc_item {
    struct oc_item *previous;
    struct oc_item *next;
    orgcast_event_type_t type;
    char event_id[OC_UUID_TEXT_LEN];
    const char *organization_id; /* into text */
    const char *topic;           /* into text */
    char *payload;               /* cJSON's memory */
    size_t payload_len;
    int64_t emitted_ms;   /* monotonic clock */
    uint64_t number;      /* of the emit call, from 1 */
    uint64_t sent_number; /* of the publish, while in flight */
    int mid;              /* MQTT packet id, while in flight */
    bool sent_before;     /* published at least once */
    char text[];
} oc_item_t;

/* payload: taken on success. NULL: out of memory. */
oc_item_t *oc_item_new(orgcast_event_type_t type, const char *event_id, const char *organization_id,
                       const char *topic, char *payload, size_t payload_len);
void oc_item_free(oc_item_t *item);

typedef struct oc_queue {
    oc_item_t *head;
    oc_item_t *tail;
    oc_item_t *unsent; /* the first that is not in flight */
    size_t count;
    size_t count_max;
    size_t in_flight;
    uint64_t last_sent_number;
} oc_queue_t;

/* count_max: at least 1. */
void oc_queue_init(oc_queue_t *queue, size_t count_max);
void oc_queue_done(oc_queue_t *queue); /* frees the items */

/* False: full; the item stays the caller's. */
bool oc_queue_push(oc_queue_t *queue, oc_item_t *item);

/* The next to publish, counted as in flight from now on; NULL when there is none, or when it would be
 * `window` or more publishes ahead of the oldest unanswered one. So packet ids in flight are never
 * further apart than the window, also when a broker answers out of order. Borrowed. */
oc_item_t *oc_queue_send(oc_queue_t *queue, size_t window);

/* In flight under that packet id, or NULL. Borrowed. */
oc_item_t *oc_queue_find(const oc_queue_t *queue, int mid);

/* Take an item out; the caller owns it. */
void oc_queue_remove(oc_queue_t *queue, oc_item_t *item);

/* Nothing is in flight any more; what was comes again first, in order. */
void oc_queue_rewind(oc_queue_t *queue);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_CLIENT_MAP_H
#define OC_CLIENT_MAP_H

/* Client pointer → session, for the look-up in each delivery check: open addressing with linear probing,
 * so that finding one touches a single cache line of the table and nothing of other sessions. */

#include <stdbool.h>
#include <stddef.h>

typedef struct oc_client_slot {
    const void *client; /* NULL: free */
    void *session;
} oc_client_slot_t;

typedef struct oc_client_map {
    oc_client_slot_t *slots;
    size_t size; /* a power of two, or 0; at most half of it is used */
    size_t count;
} oc_client_map_t;

void oc_client_map_done(oc_client_map_t *map);

/* Room for one more; false when out of memory. */
bool oc_client_map_reserve(oc_client_map_t *map);

/* After oc_client_map_reserve(); the client is not in the map yet. */
void oc_client_map_add(oc_client_map_t *map, const void *client, void *session);
void oc_client_map_remove(oc_client_map_t *map, const void *client);

/* NULL when it is not there. Allocates nothing. */
void *oc_client_map_get(const oc_client_map_t *map, const void *client);

/* The sessions one after the other; *cursor starts at 0. NULL at the end. */
void *oc_client_map_next(const oc_client_map_t *map, size_t *cursor);

#endif

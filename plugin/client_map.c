/* SPDX-License-Identifier: MIT */
#include "client_map.h"

#include <stdint.h>
#include <stdlib.h>

#define SIZE_MIN 64

/* Pointers are no attacker's choice, so spreading their bits is enough (Knuth's multiplicative hash). */
static size_t home(const oc_client_map_t *map, const void *client)
{
    uint64_t hash = (uint64_t)(uintptr_t)client * UINT64_C(0x9e3779b97f4a7c15);

    return (size_t)(hash >> 32) & (map->size - 1);
}

void oc_client_map_done(oc_client_map_t *map)
{
    free(map->slots);
    *map = (oc_client_map_t){0};
}

bool oc_client_map_reserve(oc_client_map_t *map)
{
    oc_client_map_t larger = {.size = map->size ? map->size * 2 : SIZE_MIN};

    if (map->size > 0 && map->count + 1 <= map->size / 2)
        return true;
    larger.slots = calloc(larger.size, sizeof larger.slots[0]);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < map->size; i++) {
        if (map->slots[i].client)
            oc_client_map_add(&larger, map->slots[i].client, map->slots[i].session);
    }
    free(map->slots);
    *map = larger;
    return true;
}

void oc_client_map_add(oc_client_map_t *map, const void *client, void *session)
{
    size_t at = home(map, client);

    while (map->slots[at].client)
        at = (at + 1) & (map->size - 1);
    map->slots[at] = (oc_client_slot_t){client, session};
    map->count++;
}

/* The slot of the client; NULL when it is not there. */
static oc_client_slot_t *find(const oc_client_map_t *map, const void *client)
{
    if (map->size == 0 || !client)
        return NULL;
    for (size_t at = home(map, client);; at = (at + 1) & (map->size - 1)) {
        if (map->slots[at].client == client)
            return &map->slots[at];
        if (!map->slots[at].client)
            return NULL;
    }
}

void oc_client_map_remove(oc_client_map_t *map, const void *client)
{
    oc_client_slot_t *slot = find(map, client);
    size_t mask = map->size - 1;
    size_t hole;

    if (!slot)
        return;
    hole = (size_t)(slot - map->slots);
    map->count--;
    /* Entries after the hole move into it, unless they would come before their home slot. */
    for (size_t at = (hole + 1) & mask; map->slots[at].client; at = (at + 1) & mask) {
        size_t from_home = (at - home(map, map->slots[at].client)) & mask;

        if (from_home < ((at - hole) & mask))
            continue;
        map->slots[hole] = map->slots[at];
        hole = at;
    }
    map->slots[hole] = (oc_client_slot_t){0};
}

void *oc_client_map_get(const oc_client_map_t *map, const void *client)
{
    const oc_client_slot_t *slot = find(map, client);

    return slot ? slot->session : NULL;
}

void *oc_client_map_next(const oc_client_map_t *map, size_t *cursor)
{
    while (*cursor < map->size) {
        const oc_client_slot_t *slot = &map->slots[(*cursor)++];

        if (slot->client)
            return slot->session;
    }
    return NULL;
}

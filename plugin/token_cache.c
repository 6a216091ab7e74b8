/* SPDX-License-Identifier: MIT */
#include "token_cache.h"

#include <stdlib.h>
#include <string.h>

/* 4,096 entries in sets of 4, some hundred bytes each: a hash picks the set, and within it the entry that was used longest ago
 * makes room. */
#define SETS 1024
#define WAYS 4

typedef struct entry {
    unsigned char hash[OC_TOKEN_HASH_LEN];
    oc_identity_t *identity; /* NULL: free */
} entry_t;

struct oc_token_cache {
    entry_t sets[SETS][WAYS]; /* each set in order of use, the latest first */
};

oc_token_cache_t *oc_token_cache_new(void)
{
    return calloc(1, sizeof(oc_token_cache_t));
}

void oc_token_cache_free(oc_token_cache_t *cache)
{
    if (cache)
        oc_token_cache_clear(cache);
    free(cache);
}

static entry_t *set_of(oc_token_cache_t *cache, const unsigned char *hash)
{
    uint32_t start;

    memcpy(&start, hash, sizeof start);
    return cache->sets[start % SETS];
}

static void move_to_front(entry_t *set, size_t way)
{
    entry_t used = set[way];

    memmove(&set[1], &set[0], way * sizeof set[0]);
    set[0] = used;
}

oc_identity_t *oc_token_cache_get(oc_token_cache_t *cache,
                                  const unsigned char hash[static OC_TOKEN_HASH_LEN])
{
    entry_t *set = set_of(cache, hash);

    for (size_t way = 0; way < WAYS; way++) {
        if (!set[way].identity || memcmp(set[way].hash, hash, OC_TOKEN_HASH_LEN) != 0)
            continue;
        move_to_front(set, way);
        return set[0].identity;
    }
    return NULL;
}

void oc_token_cache_put(oc_token_cache_t *cache, const unsigned char hash[static OC_TOKEN_HASH_LEN],
                        oc_identity_t *identity)
{
    entry_t *set = set_of(cache, hash);
    size_t way = 0;

    while (way < WAYS - 1 && set[way].identity &&
           memcmp(set[way].hash, hash, OC_TOKEN_HASH_LEN) != 0)
        way++;
    /* First the one, then the other: they may be the same. */
    (void)oc_identity_ref(identity);
    oc_identity_unref(set[way].identity);
    memcpy(set[way].hash, hash, OC_TOKEN_HASH_LEN);
    set[way].identity = identity;
    move_to_front(set, way);
}

void oc_token_cache_clear(oc_token_cache_t *cache)
{
    for (size_t set = 0; set < SETS; set++) {
        for (size_t way = 0; way < WAYS; way++) {
            oc_identity_unref(cache->sets[set][way].identity);
            cache->sets[set][way].identity = NULL;
        }
    }
}

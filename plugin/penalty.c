/* SPDX-License-Identifier: MIT */
#include "penalty.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "name_table.h"

/* A hash picks the set, and within it the address with the fewest bad tokens makes room. */
#define WAYS 4
#define SET_BITS 10
#define SETS (1U << SET_BITS)

/* Of the seconds that are told: their milliseconds fit. */
#define TIME_MAX_S (INT64_MAX / 1000)

_Static_assert(SETS *WAYS == OC_PENALTY_ADDRESSES_MAX, "the table has another size");

typedef enum kind {
    KIND_NEVER = 0, /* never slowed down; of an entry: free */
    KIND_IPV4,
    KIND_IPV6,
    KIND_TEXT,
} kind_t;

/* What an address is remembered by. */
typedef struct source {
    kind_t kind;
    unsigned char bytes[8]; /* IPv4: all; IPv6: the /64; text: its hash */
} source_t;

typedef struct entry {
    source_t source;
    oc_bucket_t bucket; /* of bad tokens */
} entry_t;

struct oc_penalty {
    oc_bucket_rate_t rate; /* per_second 0: nobody is slowed down */
    oc_told_clock_t clock; /* milliseconds */
    oc_name_key_t key;
    entry_t sets[SETS][WAYS];
};

oc_penalty_t *oc_penalty_new(uint32_t per_second)
{
    oc_penalty_t *penalty = calloc(1, sizeof *penalty);

    if (!penalty)
        return NULL;
    if (!oc_name_key_draw(&penalty->key)) {
        free(penalty);
        return NULL;
    }
    penalty->rate = (oc_bucket_rate_t){OC_PENALTY_BURST, per_second};
    return penalty;
}

void oc_penalty_free(oc_penalty_t *penalty)
{
    free(penalty);
}

static source_t ipv4_source(const unsigned char bytes[static 4])
{
    source_t source = {.kind = bytes[0] == 127 ? KIND_NEVER : KIND_IPV4};

    memcpy(source.bytes, bytes, 4);
    return source;
}

static source_t ipv6_source(const struct in6_addr *address)
{
    source_t source = {.kind = KIND_IPV6};

    if (IN6_IS_ADDR_V4MAPPED(address))
        return ipv4_source(&address->s6_addr[12]);
    if (IN6_IS_ADDR_LOOPBACK(address))
        return (source_t){.kind = KIND_NEVER};
    memcpy(source.bytes, address->s6_addr, sizeof source.bytes);
    return source;
}

static source_t text_source(const oc_penalty_t *penalty, const char *text)
{
    source_t source = {.kind = KIND_TEXT};
    uint64_t hash = oc_name_hash(&penalty->key, text, strlen(text));

    memcpy(source.bytes, &hash, sizeof source.bytes);
    return source;
}

static source_t source_of(const oc_penalty_t *penalty, const char *address)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;

    /* The broker gives a Unix socket's path for the address of its clients. */
    if (penalty->rate.per_second == 0 || !address || address[0] == '/')
        return (source_t){.kind = KIND_NEVER};
    if (inet_pton(AF_INET, address, &ipv4) == 1)
        return ipv4_source((const unsigned char *)&ipv4);
    if (inet_pton(AF_INET6, address, &ipv6) == 1)
        return ipv6_source(&ipv6);
    return text_source(penalty, address);
}

static entry_t *set_of(oc_penalty_t *penalty, const source_t *source)
{
    char name[sizeof source->bytes + 1];

    name[0] = (char)source->kind;
    memcpy(name + 1, source->bytes, sizeof source->bytes);
    return penalty->sets[oc_name_hash(&penalty->key, name, sizeof name) >> (64 - SET_BITS)];
}

static uint64_t pass_time(oc_penalty_t *penalty, int64_t now_s)
{
    int64_t bounded_s = now_s < -TIME_MAX_S ? -TIME_MAX_S : now_s > TIME_MAX_S ? TIME_MAX_S : now_s;

    return oc_told_clock(&penalty->clock, bounded_s * 1000);
}

/* NULL when nothing is remembered of the source. */
static entry_t *find(entry_t *set, const source_t *source)
{
    for (size_t way = 0; way < WAYS; way++) {
        if (set[way].source.kind == source->kind &&
            memcmp(set[way].source.bytes, source->bytes, sizeof source->bytes) == 0)
            return &set[way];
    }
    return NULL;
}

/* The entry to give up: with the fewest bad tokens by now. Where there are none, nothing is lost. */
static entry_t *least(const oc_penalty_t *penalty, entry_t *set, uint64_t now_ms)
{
    entry_t *found = &set[0];

    for (size_t way = 1; way < WAYS; way++) {
        if (oc_bucket_spent(&set[way].bucket, penalty->rate, now_ms) <
            oc_bucket_spent(&found->bucket, penalty->rate, now_ms))
            found = &set[way];
    }
    return found;
}

bool oc_penalty_held(oc_penalty_t *penalty, const char *address, int64_t now_s)
{
    source_t source = source_of(penalty, address);
    uint64_t now_ms = pass_time(penalty, now_s);
    const entry_t *entry;

    if (source.kind == KIND_NEVER)
        return false;
    entry = find(set_of(penalty, &source), &source);
    return entry && oc_bucket_empty(&entry->bucket, penalty->rate, now_ms);
}

void oc_penalty_note(oc_penalty_t *penalty, const char *address, int64_t now_s)
{
    source_t source = source_of(penalty, address);
    uint64_t now_ms = pass_time(penalty, now_s);
    entry_t *set;
    entry_t *entry;

    if (source.kind == KIND_NEVER)
        return;
    set = set_of(penalty, &source);
    entry = find(set, &source);
    if (!entry) {
        entry = least(penalty, set, now_ms);
        *entry = (entry_t){.source = source};
    }
    /* More than the burst are not counted: it is held by then. */
    (void)oc_bucket_take(&entry->bucket, penalty->rate, now_ms);
}

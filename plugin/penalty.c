/* SPDX-License-Identifier: MIT */
#include "penalty.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "name_table.h"

/* A hash picks the set, and within it the address with the fewest bad tokens makes room. */
#define WAYS 4
#define SET_BITS 10
#define SETS (1U << SET_BITS)

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
    uint32_t spent;   /* bad tokens that the bucket has not made up for; at most OC_PENALTY_BURST */
    uint64_t noted_s; /* the last of them, by clock_s */
} entry_t;

struct oc_penalty {
    uint32_t per_second;
    int64_t seen_s;   /* the last time that a caller told */
    uint64_t clock_s; /* passes as that does, but never back */
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
    penalty->per_second = per_second;
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
    if (penalty->per_second == 0 || !address || address[0] == '/')
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

static void pass_time(oc_penalty_t *penalty, int64_t now_s)
{
    if (now_s > penalty->seen_s)
        penalty->clock_s += (uint64_t)now_s - (uint64_t)penalty->seen_s;
    penalty->seen_s = now_s;
}

/* The bad tokens that the bucket has not made up for yet. */
static uint32_t spent_now(const oc_penalty_t *penalty, const entry_t *entry)
{
    uint64_t passed_s = penalty->clock_s - entry->noted_s;
    /* At one a second it is full after this at the latest. */
    uint64_t refill = passed_s < OC_PENALTY_BURST ? passed_s * penalty->per_second : entry->spent;

    return refill < entry->spent ? entry->spent - (uint32_t)refill : 0;
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
static entry_t *least(const oc_penalty_t *penalty, entry_t *set)
{
    entry_t *found = &set[0];

    for (size_t way = 1; way < WAYS; way++) {
        if (spent_now(penalty, &set[way]) < spent_now(penalty, found))
            found = &set[way];
    }
    return found;
}

bool oc_penalty_held(oc_penalty_t *penalty, const char *address, int64_t now_s)
{
    source_t source = source_of(penalty, address);
    const entry_t *entry;

    pass_time(penalty, now_s);
    if (source.kind == KIND_NEVER)
        return false;
    entry = find(set_of(penalty, &source), &source);
    return entry && spent_now(penalty, entry) == OC_PENALTY_BURST;
}

void oc_penalty_note(oc_penalty_t *penalty, const char *address, int64_t now_s)
{
    source_t source = source_of(penalty, address);
    entry_t *set;
    entry_t *entry;
    uint32_t spent;

    pass_time(penalty, now_s);
    if (source.kind == KIND_NEVER)
        return;
    set = set_of(penalty, &source);
    entry = find(set, &source);
    spent = entry ? spent_now(penalty, entry) : 0;
    if (!entry)
        entry = least(penalty, set);
    *entry = (entry_t){.source = source,
                       .spent = spent < OC_PENALTY_BURST ? spent + 1 : spent,
                       .noted_s = penalty->clock_s};
}

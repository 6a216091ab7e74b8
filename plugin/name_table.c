/* SPDX-License-Identifier: MIT */
#include "name_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BITS_MIN 6
#define BITS_MAX 31 /* of the 32 bits of a hash that a slot keeps */

bool oc_name_key_draw(oc_name_key_t *key)
{
    unsigned char *bytes = (unsigned char *)key;
    size_t len = sizeof *key;

    while (len > 0) {
        ssize_t got = getrandom(bytes, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        bytes += got;
        len -= (size_t)got;
    }
    key->multiplier |= 1;
    return true;
}

static uint64_t mix(const oc_name_key_t *key, uint64_t sum)
{
    sum *= key->multiplier;
    return (sum ^ sum >> 32) * key->multiplier;
}

/* NH, the hash inside UMAC (RFC 4418 §5.2): each pair of words under its own pair of key words, so that no
 * difference between two names cancels out but by the key's choice. What was mixed before goes into the sum
 * where the key starts again. The last multiplication spreads the sum over the high bits. */
uint64_t oc_name_hash(const oc_name_key_t *key, const char *name, size_t len)
{
    uint64_t sum = 0;

    for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
        const uint32_t *words = &key->words[at % OC_NAME_KEY_BYTES / sizeof(uint32_t)];
        size_t left = len - at;
        uint32_t pair[2] = {0};

        if (at > 0 && at % OC_NAME_KEY_BYTES == 0)
            sum = mix(key, sum);
        memcpy(pair, name + at, left < sizeof pair ? left : sizeof pair);
        sum += (uint64_t)(pair[0] + words[0]) * (pair[1] + words[1]);
    }
    return mix(key, sum);
}

static const char *name_of(const oc_name_table_t *table, const void *value)
{
    return (const char *)value + table->name_at;
}

static uint32_t hash_of(const oc_name_table_t *table, const char *name, size_t len)
{
    return (uint32_t)(oc_name_hash(table->key, name, len) >> 32);
}

/* How many slots there are; a power of two, or 0. */
static size_t size_of(const oc_name_table_t *table)
{
    return table->bits ? (size_t)1 << table->bits : 0;
}

static size_t home(const oc_name_table_t *table, uint32_t hash)
{
    return (size_t)((uint64_t)hash << table->bits >> 32);
}

static void place(oc_name_table_t *table, oc_name_slot_t slot)
{
    size_t mask = size_of(table) - 1;
    size_t at = home(table, slot.hash);

    while (table->slots[at].value)
        at = (at + 1) & mask;
    table->slots[at] = slot;
    table->count++;
}

static bool resize(oc_name_table_t *table, unsigned bits)
{
    oc_name_table_t other = {.key = table->key, .name_at = table->name_at, .bits = bits};

    if (bits > BITS_MAX)
        return false;
    other.slots = calloc(size_of(&other), sizeof other.slots[0]);
    if (!other.slots)
        return false;
    for (size_t i = 0; i < size_of(table); i++) {
        if (table->slots[i].value)
            place(&other, table->slots[i]);
    }
    free(table->slots);
    *table = other;
    return true;
}

void oc_name_table_done(oc_name_table_t *table)
{
    free(table->slots);
    *table = (oc_name_table_t){.key = table->key, .name_at = table->name_at};
}

bool oc_name_table_reserve(oc_name_table_t *table)
{
    if (table->count < size_of(table) / 2)
        return true;
    return resize(table, table->bits ? table->bits + 1 : BITS_MIN);
}

void oc_name_table_shrink(oc_name_table_t *table)
{
    /* A step with each call; what is left has room to grow by half again. Without memory it stays as it is. */
    if (table->bits > BITS_MIN && table->count < size_of(table) / 8)
        (void)resize(table, table->bits - 1);
}

void oc_name_table_add(oc_name_table_t *table, void *value, size_t len)
{
    uint32_t hash = hash_of(table, name_of(table, value), len);

    place(table, (oc_name_slot_t){.value = value, .hash = hash, .len = (uint32_t)len});
}

/* NULL when it is not there. */
static oc_name_slot_t *find(const oc_name_table_t *table, const char *name, size_t len)
{
    size_t mask = size_of(table) - 1;
    uint32_t hash;

    if (!table->slots)
        return NULL;
    hash = hash_of(table, name, len);
    for (size_t at = home(table, hash);; at = (at + 1) & mask) {
        oc_name_slot_t *slot = &table->slots[at];

        if (!slot->value)
            return NULL;
        if (slot->hash == hash && slot->len == len &&
            memcmp(name_of(table, slot->value), name, len) == 0)
            return slot;
    }
}

void *oc_name_table_get(const oc_name_table_t *table, const char *name, size_t len)
{
    const oc_name_slot_t *slot = find(table, name, len);

    return slot ? slot->value : NULL;
}

void *oc_name_table_remove(oc_name_table_t *table, const char *name, size_t len)
{
    oc_name_slot_t *slot = find(table, name, len);
    size_t mask = size_of(table) - 1;
    size_t hole;
    void *value;

    if (!slot)
        return NULL;
    value = slot->value;
    hole = (size_t)(slot - table->slots);
    table->count--;
    /* Entries after the hole move into it, unless they would come before their home slot. */
    for (size_t at = (hole + 1) & mask; table->slots[at].value; at = (at + 1) & mask) {
        size_t from_home = (at - home(table, table->slots[at].hash)) & mask;

        if (from_home < ((at - hole) & mask))
            continue;
        table->slots[hole] = table->slots[at];
        hole = at;
    }
    table->slots[hole] = (oc_name_slot_t){0};
    return value;
}

void *oc_name_table_next(const oc_name_table_t *table, size_t *cursor)
{
    while (*cursor < size_of(table)) {
        void *value = table->slots[(*cursor)++].value;

        if (value)
            return value;
    }
    return NULL;
}

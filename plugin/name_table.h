/* SPDX-License-Identifier: MIT */
#ifndef OC_NAME_TABLE_H
#define OC_NAME_TABLE_H

/* Names that others choose → what belongs to them: open addressing with linear probing under a hash whose
 * key is drawn once in a process, so that nobody can choose names which collide. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OC_NAME_KEY_BYTES 512

typedef struct oc_name_key {
    uint32_t words[OC_NAME_KEY_BYTES / sizeof(uint32_t)];
    uint64_t multiplier;
} oc_name_key_t;

/* False when the system has no random bytes. */
bool oc_name_key_draw(oc_name_key_t *key);

/* Two names have the same hash for one in 2^31 keys, whatever they are. The high bits are the good ones. */
uint64_t oc_name_hash(const oc_name_key_t *key, const char *name, size_t len);

/* Four on a cache line. */
typedef struct oc_name_slot {
    void *value;   /* NULL: free */
    uint32_t hash; /* the high half */
    uint32_t len;  /* of the name */
} oc_name_slot_t;

typedef struct oc_name_table {
    const oc_name_key_t *key; /* borrowed; set before use, as name_at is */
    size_t name_at;           /* offset in each value where its name is */
    oc_name_slot_t *slots;
    size_t count;  /* at most half of the slots */
    unsigned bits; /* there are 2^bits slots; 0: none yet */
} oc_name_table_t;

/* The values are not the table's. */
void oc_name_table_done(oc_name_table_t *table);

/* Room for one more; false when out of memory. */
bool oc_name_table_reserve(oc_name_table_t *table);

/* After oc_name_table_reserve(); the name, of len bytes, is not in the table yet.
 * value: borrowed as long as it is in the table */
void oc_name_table_add(oc_name_table_t *table, void *value, size_t len);

/* What the name had, or NULL. Allocates nothing. */
void *oc_name_table_remove(oc_name_table_t *table, const char *name, size_t len);

/* NULL when it is not there. Allocates nothing. */
void *oc_name_table_get(const oc_name_table_t *table, const char *name, size_t len);

/* The values one after the other; *cursor starts at 0. NULL at the end. */
void *oc_name_table_next(const oc_name_table_t *table, size_t *cursor);

/* Give back the memory of a table that is nearly empty by now. */
void oc_name_table_shrink(oc_name_table_t *table);

#endif

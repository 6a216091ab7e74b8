/* SPDX-License-Identifier: MIT */
#ifndef OC_DUE_HEAP_H
#define OC_DUE_HEAP_H

/* What is due when: a binary min-heap of times that are part of the things they belong to, so that each
 * can be found in the heap and taken out of it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct oc_due {
    int64_t at_s;
    uint32_t index; /* in the heap; OC_DUE_NEVER: it is not there */
} oc_due_t;

#define OC_DUE_NEVER UINT32_MAX

typedef struct oc_due_heap {
    oc_due_t **items;
    size_t count;
    size_t size;
} oc_due_heap_t;

void oc_due_heap_done(oc_due_heap_t *heap);

/* Room for so many in all; false when out of memory. */
bool oc_due_heap_reserve(oc_due_heap_t *heap, size_t total);

/* Put it in, or move it to another time. There is room for it. */
void oc_due_heap_set(oc_due_heap_t *heap, oc_due_t *due, int64_t at_s);
/* Take it out, if it is there. */
void oc_due_heap_remove(oc_due_heap_t *heap, oc_due_t *due);

/* The earliest; NULL when there is none. */
oc_due_t *oc_due_heap_first(const oc_due_heap_t *heap);

#endif

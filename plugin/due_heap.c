/* SPDX-License-Identifier: MIT */
#include "due_heap.h"

#include <stdlib.h>

#define SIZE_MIN 64

void oc_due_heap_done(oc_due_heap_t *heap)
{
    free(heap->items);
    *heap = (oc_due_heap_t){0};
}

bool oc_due_heap_reserve(oc_due_heap_t *heap, size_t total)
{
    size_t size = heap->size ? heap->size : SIZE_MIN;
    oc_due_t **items;

    if (total <= heap->size)
        return true;
    while (size < total)
        size *= 2;
    items = realloc(heap->items, size * sizeof(oc_due_t *));
    if (!items)
        return false;
    heap->items = items;
    heap->size = size;
    return true;
}

static void put(oc_due_heap_t *heap, size_t index, oc_due_t *due)
{
    heap->items[index] = due;
    due->index = (uint32_t)index;
}

static void move_up(oc_due_heap_t *heap, size_t index)
{
    oc_due_t *due = heap->items[index];

    while (index > 0 && due->at_s < heap->items[(index - 1) / 2]->at_s) {
        put(heap, index, heap->items[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(heap, index, due);
}

static void move_down(oc_due_heap_t *heap, size_t index)
{
    oc_due_t *due = heap->items[index];

    for (;;) {
        size_t child = 2 * index + 1;

        if (child + 1 < heap->count && heap->items[child + 1]->at_s < heap->items[child]->at_s)
            child++;
        if (child >= heap->count || due->at_s <= heap->items[child]->at_s)
            break;
        put(heap, index, heap->items[child]);
        index = child;
    }
    put(heap, index, due);
}

void oc_due_heap_set(oc_due_heap_t *heap, oc_due_t *due, int64_t at_s)
{
    due->at_s = at_s;
    if (due->index == OC_DUE_NEVER)
        put(heap, heap->count++, due);
    move_up(heap, due->index);
    move_down(heap, due->index);
}

void oc_due_heap_remove(oc_due_heap_t *heap, oc_due_t *due)
{
    size_t index = due->index;
    oc_due_t *last;

    if (index == OC_DUE_NEVER)
        return;
    due->index = OC_DUE_NEVER;
    last = heap->items[--heap->count];
    if (last == due)
        return;
    put(heap, index, last);
    move_up(heap, index);
    move_down(heap, last->index);
}

oc_due_t *oc_due_heap_first(const oc_due_heap_t *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}

/* SPDX-License-Identifier: MIT */
#include "revocation_set.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION HASH_FNV
#define uthash_nonfatal_oom(entry) ((entry)->out_of_memory = true)
#include <uthash.h>

#define SIZE_MIN 64
#define NOT_IN_HEAP SIZE_MAX

typedef struct entry {
    UT_hash_handle by_name;
    oc_revocation_t revocation; /* its name is the one below */
    uint64_t order;
    size_t heap_index; /* NOT_IN_HEAP: it is never forgotten */
    bool out_of_memory;
    char name[];
} entry_t;

/* Numbers in the order of adding; what was removed leaves a slot without an entry, until half of them are. */
typedef struct slot {
    uint64_t order;
    entry_t *entry;
} slot_t;

struct oc_revocation_set {
    entry_t *by_name[OC_REVOCATION_KINDS];
    size_t count;
    slot_t *slots;
    size_t slot_count;
    size_t slot_size;
    uint64_t last_order;
    entry_t **heap; /* a binary min-heap by forget_s */
    size_t heap_count;
    size_t heap_size;
};

/* --- What is forgotten when --- */

static void heap_put(oc_revocation_set_t *set, size_t index, entry_t *entry)
{
    set->heap[index] = entry;
    entry->heap_index = index;
}

static void heap_up(oc_revocation_set_t *set, size_t index)
{
    entry_t *entry = set->heap[index];

    while (index > 0 &&
           entry->revocation.forget_s < set->heap[(index - 1) / 2]->revocation.forget_s) {
        heap_put(set, index, set->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_put(set, index, entry);
}

static void heap_down(oc_revocation_set_t *set, size_t index)
{
    entry_t *entry = set->heap[index];

    for (;;) {
        size_t child = 2 * index + 1;

        if (child + 1 < set->heap_count &&
            set->heap[child + 1]->revocation.forget_s < set->heap[child]->revocation.forget_s)
            child++;
        if (child >= set->heap_count ||
            entry->revocation.forget_s <= set->heap[child]->revocation.forget_s)
            break;
        heap_put(set, index, set->heap[child]);
        index = child;
    }
    heap_put(set, index, entry);
}

/* There is room for every entry: reserve() sees to that. */
static void heap_add(oc_revocation_set_t *set, entry_t *entry)
{
    if (entry->revocation.forget_s == INT64_MAX)
        return;
    heap_put(set, set->heap_count++, entry);
    heap_up(set, entry->heap_index);
}

static void heap_remove(oc_revocation_set_t *set, entry_t *entry)
{
    size_t index = entry->heap_index;
    entry_t *last;

    if (index == NOT_IN_HEAP)
        return;
    entry->heap_index = NOT_IN_HEAP;
    last = set->heap[--set->heap_count];
    if (last == entry)
        return;
    heap_put(set, index, last);
    heap_up(set, index);
    heap_down(set, last->heap_index);
}

/* --- The order of adding --- */

/* The first slot with a number above this one. */
static size_t slot_after(const oc_revocation_set_t *set, uint64_t order)
{
    size_t low = 0;
    size_t high = set->slot_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->slots[middle].order <= order)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* At least half of the slots are empty: so many removals have paid for it. */
static void close_gaps(oc_revocation_set_t *set)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->slot_count; i++) {
        if (set->slots[i].entry)
            set->slots[kept++] = set->slots[i];
    }
    set->slot_count = kept;
}

/* Room in heap and slots for one more entry than there are. */
static bool reserve(oc_revocation_set_t *set)
{
    if (set->count == set->heap_size) {
        size_t size = set->heap_size ? set->heap_size * 2 : SIZE_MIN;
        entry_t **heap = realloc(set->heap, size * sizeof(entry_t *));

        if (!heap)
            return false;
        set->heap = heap;
        set->heap_size = size;
    }
    if (set->slot_count == set->slot_size) {
        size_t size = set->slot_size ? set->slot_size * 2 : SIZE_MIN;
        slot_t *slots = realloc(set->slots, size * sizeof(slot_t));

        if (!slots)
            return false;
        set->slots = slots;
        set->slot_size = size;
    }
    return true;
}

/* --- Entries --- */

static entry_t *find(const oc_revocation_set_t *set, oc_revocation_kind_t kind, const char *name,
                     size_t len)
{
    entry_t *entry = NULL;

    HASH_FIND(by_name, set->by_name[kind], name, len, entry);
    return entry;
}

static void drop(oc_revocation_set_t *set, entry_t *entry)
{
    heap_remove(set, entry);
    set->slots[slot_after(set, entry->order - 1)].entry = NULL;
    HASH_DELETE(by_name, set->by_name[entry->revocation.kind], entry);
    free(entry);
    set->count--;
    if (set->slot_count > SIZE_MIN && set->slot_count / 2 >= set->count)
        close_gaps(set);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void merge(oc_revocation_set_t *set, entry_t *entry, const oc_revocation_t *newer)
{
    oc_revocation_t *held = &entry->revocation;
    bool over = held->forget_s <= newer->revoked_s;

    heap_remove(set, entry);
    held->issued_before_s =
        over ? newer->issued_before_s : later(held->issued_before_s, newer->issued_before_s);
    held->revoked_s = later(held->revoked_s, newer->revoked_s);
    held->forget_s = over ? newer->forget_s : later(held->forget_s, newer->forget_s);
    heap_add(set, entry);
}

oc_revocation_set_t *oc_revocation_set_new(void)
{
    return calloc(1, sizeof(oc_revocation_set_t));
}

void oc_revocation_set_free(oc_revocation_set_t *set)
{
    if (!set)
        return;
    for (size_t kind = 0; kind < OC_REVOCATION_KINDS; kind++)
        HASH_CLEAR(by_name, set->by_name[kind]);
    for (size_t i = 0; i < set->slot_count; i++)
        free(set->slots[i].entry);
    free(set->slots);
    free(set->heap);
    free(set);
}

oc_err_t oc_revocation_set_add(oc_revocation_set_t *set, const oc_revocation_t *revocation)
{
    size_t len = strlen(revocation->name);
    entry_t *entry = find(set, revocation->kind, revocation->name, len);

    if (entry) {
        merge(set, entry, revocation);
        return OC_OK;
    }
    if (!reserve(set))
        return OC_E_NOMEM;
    entry = calloc(1, sizeof *entry + len + 1);
    if (!entry)
        return OC_E_NOMEM;
    memcpy(entry->name, revocation->name, len + 1);
    entry->revocation = *revocation;
    entry->revocation.name = entry->name;
    entry->heap_index = NOT_IN_HEAP;
    HASH_ADD_KEYPTR(by_name, set->by_name[revocation->kind], entry->name, len, entry);
    if (entry->out_of_memory) {
        free(entry);
        return OC_E_NOMEM;
    }
    entry->order = ++set->last_order;
    set->slots[set->slot_count++] = (slot_t){entry->order, entry};
    set->count++;
    heap_add(set, entry);
    return OC_OK;
}

bool oc_revocation_set_has(const oc_revocation_set_t *set, oc_revocation_kind_t kind,
                           const char *name)
{
    return find(set, kind, name, strlen(name)) != NULL;
}

void oc_revocation_set_remove(oc_revocation_set_t *set, oc_revocation_kind_t kind, const char *name)
{
    entry_t *entry = find(set, kind, name, strlen(name));

    if (entry)
        drop(set, entry);
}

void oc_revocation_set_forget(oc_revocation_set_t *set, int64_t now_s, size_t max)
{
    while (max-- > 0 && set->heap_count > 0 && set->heap[0]->revocation.forget_s <= now_s)
        drop(set, set->heap[0]);
}

static bool names(const oc_revocation_set_t *set, oc_revocation_kind_t kind, const char *name,
                  size_t len, int64_t issued_s)
{
    const entry_t *entry = find(set, kind, name, len);

    return entry && issued_s < entry->revocation.issued_before_s;
}

bool oc_revocation_set_match(const oc_revocation_set_t *set, const oc_identity_t *identity)
{
    const char *jti;

    if (set->count == 0)
        return false;
    jti = oc_identity_jti(identity);
    if (jti && find(set, OC_REVOKE_JTI, jti, strlen(jti)))
        return true;
    if (set->by_name[OC_REVOKE_SUBJECT] &&
        names(set, OC_REVOKE_SUBJECT, identity->subject, strlen(identity->subject),
              identity->times->issued_s))
        return true;
    if (!set->by_name[OC_REVOKE_ORG])
        return false;
    for (size_t i = 0; i < identity->org_count; i++) {
        if (names(set, OC_REVOKE_ORG, identity->orgs[i].id, identity->orgs[i].len,
                  identity->times->issued_s))
            return true;
    }
    return false;
}

size_t oc_revocation_set_count(const oc_revocation_set_t *set)
{
    return set->count;
}

const oc_revocation_t *oc_revocation_set_next(const oc_revocation_set_t *set, uint64_t *cursor)
{
    for (size_t i = slot_after(set, *cursor); i < set->slot_count; i++) {
        if (!set->slots[i].entry)
            continue;
        *cursor = set->slots[i].order;
        return &set->slots[i].entry->revocation;
    }
    return NULL;
}

void oc_revocation_set_follow(oc_revocation_set_t *set, const oc_revocation_set_t *older)
{
    set->last_order = older->last_order;
}

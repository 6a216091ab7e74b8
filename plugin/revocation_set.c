/* SPDX-License-Identifier: MIT */
#include "revocation_set.h"

#include <stdlib.h>
#include <string.h>

#include "due_heap.h"
#include "name_table.h"

#define SIZE_MIN 64

typedef struct entry {
    oc_revocation_t revocation; /* its name is the one below */
    oc_due_t due;               /* to be forgotten */
    uint64_t order;
    char name[];
} entry_t;

/* Numbers in the order of adding; what was removed leaves a slot without an entry, until half of them are. */
typedef struct slot {
    uint64_t order;
    entry_t *entry;
} slot_t;

struct oc_revocation_set {
    oc_name_key_t key;
    oc_name_table_t by_name[OC_REVOCATION_KINDS];
    size_t count;
    slot_t *slots;
    size_t slot_count;
    size_t slot_size;
    uint64_t last_order;
    oc_due_heap_t due;
};

static entry_t *entry_of_due(oc_due_t *due)
{
    return (entry_t *)((char *)due - offsetof(entry_t, due));
}

/* There is room for every entry: reserve() sees to that. */
static void set_due(oc_revocation_set_t *set, entry_t *entry)
{
    if (entry->revocation.forget_s == INT64_MAX)
        oc_due_heap_remove(&set->due, &entry->due);
    else
        oc_due_heap_set(&set->due, &entry->due, entry->revocation.forget_s);
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

/* Room for one more entry than there are. */
static bool reserve(oc_revocation_set_t *set, oc_revocation_kind_t kind)
{
    if (!oc_due_heap_reserve(&set->due, set->count + 1) ||
        !oc_name_table_reserve(&set->by_name[kind]))
        return false;
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
    return oc_name_table_get(&set->by_name[kind], name, len);
}

static void drop(oc_revocation_set_t *set, entry_t *entry)
{
    oc_due_heap_remove(&set->due, &entry->due);
    set->slots[slot_after(set, entry->order - 1)].entry = NULL;
    (void)oc_name_table_remove(&set->by_name[entry->revocation.kind], entry->name,
                               strlen(entry->name));
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

    held->issued_before_s =
        over ? newer->issued_before_s : later(held->issued_before_s, newer->issued_before_s);
    held->revoked_s = later(held->revoked_s, newer->revoked_s);
    held->forget_s = over ? newer->forget_s : later(held->forget_s, newer->forget_s);
    set_due(set, entry);
}

oc_revocation_set_t *oc_revocation_set_new(void)
{
    oc_revocation_set_t *set = calloc(1, sizeof *set);

    if (!set)
        return NULL;
    if (!oc_name_key_draw(&set->key)) {
        free(set);
        return NULL;
    }
    for (size_t kind = 0; kind < OC_REVOCATION_KINDS; kind++)
        set->by_name[kind] =
            (oc_name_table_t){.key = &set->key, .name_at = offsetof(entry_t, name)};
    return set;
}

void oc_revocation_set_free(oc_revocation_set_t *set)
{
    if (!set)
        return;
    for (size_t kind = 0; kind < OC_REVOCATION_KINDS; kind++)
        oc_name_table_done(&set->by_name[kind]);
    for (size_t i = 0; i < set->slot_count; i++)
        free(set->slots[i].entry);
    free(set->slots);
    oc_due_heap_done(&set->due);
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
    if (!reserve(set, revocation->kind))
        return OC_E_NOMEM;
    entry = calloc(1, sizeof *entry + len + 1);
    if (!entry)
        return OC_E_NOMEM;
    memcpy(entry->name, revocation->name, len + 1);
    entry->revocation = *revocation;
    entry->revocation.name = entry->name;
    entry->due.index = OC_DUE_NEVER;
    oc_name_table_add(&set->by_name[revocation->kind], entry, len);
    entry->order = ++set->last_order;
    set->slots[set->slot_count++] = (slot_t){entry->order, entry};
    set->count++;
    set_due(set, entry);
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
    oc_due_t *due;

    while (max-- > 0 && (due = oc_due_heap_first(&set->due)) != NULL && due->at_s <= now_s)
        drop(set, entry_of_due(due));
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
    if (set->by_name[OC_REVOKE_SUBJECT].count > 0 &&
        names(set, OC_REVOKE_SUBJECT, identity->subject, strlen(identity->subject),
              identity->times->issued_s))
        return true;
    if (set->by_name[OC_REVOKE_ORG].count == 0)
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

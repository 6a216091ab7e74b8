/* SPDX-License-Identifier: MIT */
#include "audit_fold.h"

#include <stdlib.h>
#include <string.h>

#include "name_table.h"

/* Kinds of lines in a minute. Of further kinds every line is written, within OC_AUDIT_FOLD_ALL. */
#define SLOTS 4096
#define PROBES 8
/* Kinds that have counted lines. Counts of further kinds go to the line that stands for all. */
#define SAMPLES 256

/* Longer than what a line shows, so that the line ends in an ellipsis. */
#define NAME_MAX_BYTES 516
#define ADDRESS_MAX_BYTES 132

/* The first counted line of a kind. */
typedef struct sample {
    oc_audit_entry_t entry;
    char client_id[NAME_MAX_BYTES];
    char subject[NAME_MAX_BYTES];
    char address[ADDRESS_MAX_BYTES];
} sample_t;

typedef struct slot {
    uint64_t hash; /* 0: free */
    uint32_t written;
    sample_t *sample; /* NULL: nothing was counted */
} slot_t;

struct oc_audit_fold {
    oc_audit_sink_t sink;
    void *context;
    oc_name_key_t key;
    int64_t end_ms; /* of the minute */
    uint32_t denied;
    uint64_t left_out; /* denials that no sample counts */
    int64_t left_out_ms;
    size_t sample_count;
    slot_t slots[SLOTS];
    sample_t samples[SAMPLES];
};

oc_audit_fold_t *oc_audit_fold_new(oc_audit_sink_t sink, void *context)
{
    oc_audit_fold_t *fold = calloc(1, sizeof *fold);

    if (!fold)
        return NULL;
    if (!oc_name_key_draw(&fold->key)) {
        free(fold);
        return NULL;
    }
    fold->sink = sink;
    fold->context = context;
    return fold;
}

static void write_counted(oc_audit_fold_t *fold)
{
    const oc_audit_entry_t rest = {.time_ms = fold->left_out_ms,
                                   .action = "audit_folded",
                                   .result = "denied",
                                   .count = fold->left_out};

    for (size_t i = 0; i < fold->sample_count; i++)
        fold->sink(fold->context, &fold->samples[i].entry);
    if (fold->left_out > 0)
        fold->sink(fold->context, &rest);
}

void oc_audit_fold_free(oc_audit_fold_t *fold)
{
    if (!fold)
        return;
    write_counted(fold);
    free(fold);
}

void oc_audit_fold_tick(oc_audit_fold_t *fold, int64_t now_ms)
{
    if (!fold || now_ms < fold->end_ms)
        return;
    write_counted(fold);
    memset(fold->slots, 0, sizeof fold->slots);
    fold->sample_count = 0;
    fold->left_out = 0;
    fold->denied = 0;
    fold->end_ms = now_ms + OC_AUDIT_FOLD_MS;
}

/* --- Kinds --- */

static char *put_text(char *out, const char *text, size_t max)
{
    size_t len = text ? strnlen(text, max) : 0;

    if (len > 0)
        memcpy(out, text, len);
    out[len] = '\0';
    return out + len + 1;
}

/* What is the same in all lines of a kind; never 0. */
static uint64_t kind_of(const oc_audit_fold_t *fold, const oc_audit_entry_t *entry,
                        const char *client_id, const char *address)
{
    char bytes[128 + 2 * NAME_MAX_BYTES + ADDRESS_MAX_BYTES + 8];
    char *at = bytes;

    at = put_text(at, entry->action, 64);
    at = put_text(at, entry->reason, 64);
    at = put_text(at, entry->subject, NAME_MAX_BYTES);
    at = put_text(at, client_id, NAME_MAX_BYTES);
    at = put_text(at, address, ADDRESS_MAX_BYTES);
    return oc_name_hash(&fold->key, bytes, (size_t)(at - bytes)) | 1;
}

/* The slot of a kind, or a free one for it; NULL: all are taken. */
static slot_t *find(oc_audit_fold_t *fold, uint64_t kind)
{
    for (size_t i = 0; i < PROBES; i++) {
        slot_t *slot = &fold->slots[((kind >> 32) + i) % SLOTS];

        if (slot->hash == kind || slot->hash == 0)
            return slot;
    }
    return NULL;
}

static const char *copy(char *out, size_t cap, const char *text)
{
    if (!text)
        return NULL;
    (void)put_text(out, text, cap - 1);
    return out;
}

static sample_t *make_sample(oc_audit_fold_t *fold, const oc_audit_entry_t *entry)
{
    sample_t *sample;

    if (fold->sample_count == SAMPLES)
        return NULL;
    sample = &fold->samples[fold->sample_count++];
    sample->entry = *entry;
    sample->entry.client_id = copy(sample->client_id, sizeof sample->client_id, entry->client_id);
    sample->entry.subject = copy(sample->subject, sizeof sample->subject, entry->subject);
    sample->entry.address = copy(sample->address, sizeof sample->address, entry->address);
    /* These differ from line to line. */
    sample->entry.topic = NULL;
    sample->entry.detail = NULL;
    sample->entry.count = 0;
    return sample;
}

static void leave_out(oc_audit_fold_t *fold, const oc_audit_entry_t *entry)
{
    fold->left_out++;
    fold->left_out_ms = entry->time_ms;
}

static void count(oc_audit_fold_t *fold, slot_t *slot, const oc_audit_entry_t *entry)
{
    if (!slot->sample)
        slot->sample = make_sample(fold, entry);
    if (!slot->sample) {
        leave_out(fold, entry);
        return;
    }
    slot->sample->entry.time_ms = entry->time_ms;
    slot->sample->entry.count++;
}

/* --- What is written --- */

static bool is_local(const char *address)
{
    return !address || address[0] == '/' || strncmp(address, "127.", 4) == 0 ||
           strcmp(address, "::1") == 0;
}

/* Whether as many lines as may be were written from an address. If so, this one is counted. */
static bool count_of_address(oc_audit_fold_t *fold, const oc_audit_entry_t *entry)
{
    oc_audit_entry_t anybody = *entry;
    slot_t *slot;

    if (entry->subject || is_local(entry->address))
        return false;
    slot = find(fold, kind_of(fold, entry, NULL, entry->address));
    if (!slot)
        return false;
    slot->hash = kind_of(fold, entry, NULL, entry->address);
    if (slot->written++ < OC_AUDIT_FOLD_ADDRESS)
        return false;
    anybody.client_id = NULL;
    count(fold, slot, &anybody);
    return true;
}

static bool may_write(oc_audit_fold_t *fold, const oc_audit_entry_t *entry)
{
    bool denied = entry->reason != NULL;
    uint64_t kind = entry->subject ? kind_of(fold, entry, NULL, NULL)
                                   : kind_of(fold, entry, entry->client_id, entry->address);
    slot_t *slot = find(fold, kind);

    if (slot && slot->written >= (denied ? OC_AUDIT_FOLD_DENIED : OC_AUDIT_FOLD_ALLOWED)) {
        count(fold, slot, entry);
        return false;
    }
    if (denied && count_of_address(fold, entry))
        return false;
    if (denied && fold->denied >= OC_AUDIT_FOLD_ALL) {
        leave_out(fold, entry);
        return false;
    }
    fold->denied += denied;
    /* The address may have taken the slot. */
    slot = find(fold, kind);
    if (slot) {
        slot->hash = kind;
        slot->written++;
    }
    return true;
}

void oc_audit_fold_write(oc_audit_fold_t *fold, const oc_audit_entry_t *entry, bool is_admin,
                         int64_t now_ms)
{
    bool always = !entry->reason && (is_admin || strcmp(entry->action, "publish") == 0);

    if (!fold)
        return;
    oc_audit_fold_tick(fold, now_ms);
    if (always || may_write(fold, entry))
        fold->sink(fold->context, entry);
}

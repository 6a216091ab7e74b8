/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "name_table.h"

/* What malloc() adds to a block. */
#define BLOCK_BYTES 16

#define SLOTS_MIN 4

/* An event that is kept: its topic, a NUL, its payload. */
typedef struct kept {
    uint64_t connection; /* the last one that sent it */
    size_t topic_len;
    size_t payload_len;
    char text[];
} kept_t;

typedef struct slot {
    kept_t *kept;
    uint64_t
        hash; /* of client id, topic and payload as they came; 0: the event does not come again */
} slot_t;

/* Of the list of organizations, a ring. */
typedef struct link {
    struct link *prev;
    struct link *next;
} link_t;

typedef struct org {
    link_t used; /* the first member, so that it leads to the organization */
    uint64_t epoch;
    uint64_t sequence; /* of the last event, which is the newest kept, if any is */
    slot_t *slots;     /* the kept ones, oldest first, from slots[first] on around the end */
    size_t slot_count; /* a power of two, or 0 */
    size_t first;
    size_t count;
    oc_bucket_t account;
    size_t id_len;
    char id[];
} org_t;

struct oc_stream {
    oc_name_table_t orgs;
    link_t used; /* next: the organization whose last event is the oldest */
    size_t events_per_org;
    size_t max_bytes;
    size_t bytes;
    /* Of organizations that begin now. It is random where the process starts and goes up whenever an
     * organization is forgotten, so that whoever begins again does it in another epoch. */
    uint64_t epoch;
    oc_name_key_t key;
};

oc_stream_t *oc_stream_new(void)
{
    oc_stream_t *stream = calloc(1, sizeof *stream);

    if (!stream)
        return NULL;
    if (!oc_name_key_draw(&stream->key)) {
        free(stream);
        return NULL;
    }
    /* Everybody sees the epoch and nobody may see the key: so each is drawn by itself. */
    stream->epoch = (uint64_t)stream->key.words[0] << 32 | stream->key.words[1];
    if (!oc_name_key_draw(&stream->key)) {
        free(stream);
        return NULL;
    }
    stream->used = (link_t){&stream->used, &stream->used};
    stream->orgs = (oc_name_table_t){.key = &stream->key, .name_at = offsetof(org_t, id)};
    return stream;
}

/* --- Bytes --- */

static size_t org_bytes(size_t id_len)
{
    /* Its name has two to four slots in the table. */
    return sizeof(org_t) + id_len + BLOCK_BYTES + 3 * sizeof(oc_name_slot_t);
}

static size_t slots_bytes(size_t slot_count)
{
    return slot_count ? slot_count * sizeof(slot_t) + BLOCK_BYTES : 0;
}

static size_t kept_bytes(const kept_t *kept)
{
    return sizeof *kept + kept->topic_len + 1 + kept->payload_len + BLOCK_BYTES;
}

/* --- One organization's ring --- */

static slot_t *slot_at(const org_t *org, size_t index)
{
    return &org->slots[(org->first + index) & (org->slot_count - 1)];
}

static bool resize(oc_stream_t *stream, org_t *org, size_t slot_count)
{
    slot_t *slots = malloc(slot_count * sizeof *slots);

    if (!slots)
        return false;
    for (size_t i = 0; i < org->count; i++)
        slots[i] = *slot_at(org, i);
    stream->bytes += slots_bytes(slot_count) - slots_bytes(org->slot_count);
    free(org->slots);
    org->slots = slots;
    org->slot_count = slot_count;
    org->first = 0;
    return true;
}

/* Room for one more slot; false when out of memory. */
static bool reserve(oc_stream_t *stream, org_t *org)
{
    if (org->count < org->slot_count || org->count >= stream->events_per_org)
        return true;
    return resize(stream, org, org->slot_count ? org->slot_count * 2 : SLOTS_MIN);
}

static void drop_slots(oc_stream_t *stream, org_t *org)
{
    stream->bytes -= slots_bytes(org->slot_count);
    free(org->slots);
    org->slots = NULL;
    org->slot_count = 0;
    org->first = 0;
}

/* Of a ring that is not empty. */
static void drop_oldest(oc_stream_t *stream, org_t *org)
{
    kept_t *kept = slot_at(org, 0)->kept;

    stream->bytes -= kept_bytes(kept);
    free(kept);
    org->first = (org->first + 1) & (org->slot_count - 1);
    org->count--;
}

/* A few events need no table for many. Without memory it stays as it is. */
static void trim(oc_stream_t *stream, org_t *org)
{
    if (org->count == 0)
        drop_slots(stream, org);
    else if (org->slot_count > SLOTS_MIN && org->count < org->slot_count / 4)
        (void)resize(stream, org, org->slot_count / 2);
}

static void drop_all(oc_stream_t *stream, org_t *org)
{
    while (org->count > 0)
        drop_oldest(stream, org);
    drop_slots(stream, org);
}

/* --- Organizations --- */

static void used_add(oc_stream_t *stream, org_t *org)
{
    org->used = (link_t){.prev = stream->used.prev, .next = &stream->used};
    org->used.prev->next = &org->used;
    stream->used.prev = &org->used;
}

static void used_remove(org_t *org)
{
    org->used.prev->next = org->used.next;
    org->used.next->prev = org->used.prev;
}

static org_t *org_find(const oc_stream_t *stream, oc_slice_t id)
{
    return oc_name_table_get(&stream->orgs, id.start, id.len);
}

/* One that is not among the others yet; NULL when out of memory. */
static org_t *org_new(oc_stream_t *stream, oc_slice_t id)
{
    org_t *org = oc_name_table_reserve(&stream->orgs) ? malloc(sizeof *org + id.len) : NULL;

    if (!org)
        return NULL;
    *org = (org_t){.epoch = stream->epoch, .id_len = id.len};
    memcpy(org->id, id.start, id.len);
    return org;
}

static void org_add(oc_stream_t *stream, org_t *org)
{
    oc_name_table_add(&stream->orgs, org, org->id_len);
    used_add(stream, org);
    stream->bytes += org_bytes(org->id_len);
}

static void org_forget(oc_stream_t *stream, org_t *org)
{
    drop_all(stream, org);
    used_remove(org);
    (void)oc_name_table_remove(&stream->orgs, org->id, org->id_len);
    oc_name_table_shrink(&stream->orgs);
    stream->bytes -= org_bytes(org->id_len);
    stream->epoch++;
    free(org);
}

void oc_stream_free(oc_stream_t *stream)
{
    if (!stream)
        return;
    while (stream->used.next != &stream->used)
        org_forget(stream, (org_t *)stream->used.next);
    oc_name_table_done(&stream->orgs);
    free(stream);
}

/* Make room by what is oldest. The one whose event is next, the last in the list, is not forgotten, nor are
 * its slots; false when there is not enough without it. */
static bool make_room(oc_stream_t *stream, const org_t *next, size_t bytes)
{
    while (bytes > stream->max_bytes || stream->bytes > stream->max_bytes - bytes) {
        org_t *oldest = (org_t *)stream->used.next;

        if (oldest->count > 0) {
            drop_oldest(stream, oldest);
            if (oldest != next)
                trim(stream, oldest);
        } else if (oldest != next) {
            org_forget(stream, oldest);
        } else {
            return false;
        }
    }
    return true;
}

void oc_stream_keep(oc_stream_t *stream, size_t events_per_org, size_t max_bytes)
{
    if (events_per_org > stream->events_per_org)
        stream->events_per_org = events_per_org;
    if (max_bytes > stream->max_bytes)
        stream->max_bytes = max_bytes;
}

/* --- Events --- */

static kept_t *keep(const oc_stream_event_t *event, const char *payload, size_t payload_len)
{
    const char *topic = event->topic;
    size_t topic_len = strlen(topic);
    kept_t *kept = malloc(sizeof *kept + topic_len + 1 + payload_len);

    if (!kept)
        return NULL;
    *kept = (kept_t){
        .connection = event->flow.connection, .topic_len = topic_len, .payload_len = payload_len};
    memcpy(kept->text, topic, topic_len + 1);
    memcpy(kept->text + topic_len + 1, payload, payload_len);
    return kept;
}

static const char *payload_of(const kept_t *kept)
{
    return kept->text + kept->topic_len + 1;
}

static uint64_t hash_of(const oc_stream_t *stream, const oc_stream_event_t *event)
{
    const char *client_id = event->flow.client_id;
    uint64_t hash;

    if (!client_id)
        return 0;
    hash = oc_name_hash(&stream->key, client_id, strlen(client_id));
    hash = hash << 1 ^ oc_name_hash(&stream->key, event->topic, strlen(event->topic));
    hash = hash << 1 ^ oc_name_hash(&stream->key, event->payload, event->payload_len);
    return hash ? hash : 1;
}

/* What an append is made of, before anything of the stream changes. */
typedef struct draft {
    org_t *org;
    bool is_new; /* the organization is not among the others yet */
    uint64_t hash;
    char *payload;
    size_t len;
    kept_t *kept; /* NULL: nothing is to be kept */
} draft_t;

static bool same(const kept_t *kept, const char *topic, const draft_t *draft)
{
    return strcmp(kept->text, topic) == 0 && kept->payload_len == draft->len &&
           memcmp(payload_of(kept), draft->payload, draft->len) == 0;
}

/* Whether the flow may send again what it, or an earlier connection of its client, sent. */
static bool comes_again(const kept_t *kept, const oc_stream_flow_t *flow)
{
    return kept->connection == flow->connection ? flow->resends : flow->resumes;
}

/* Makes the payload that the event had before, if it comes again. True: it does, and *ret_err is the result. */
static bool repeat(const oc_stream_event_t *event, const oc_stamp_memory_t *memory, draft_t *draft,
                   oc_err_t *ret_err)
{
    const org_t *org = draft->org;

    for (size_t i = org->count; draft->hash && i-- > 0;) {
        const slot_t *slot = slot_at(org, i);
        const oc_stamp_t stamp = {org->epoch, org->sequence - (org->count - 1 - i)};

        if (slot->hash != draft->hash || !comes_again(slot->kept, &event->flow))
            continue;
        *ret_err = oc_stamp(event->payload, event->payload_len, &stamp, memory, &draft->payload,
                            &draft->len);
        if (*ret_err)
            return true;
        if (same(slot->kept, event->topic, draft)) {
            slot->kept->connection = event->flow.connection;
            return true;
        }
        memory->free(draft->payload);
        draft->payload = NULL;
    }
    return false;
}

/* Everything that can fail. */
static oc_err_t prepare(oc_stream_t *stream, const oc_stream_event_t *event,
                        const oc_stamp_memory_t *memory, draft_t *draft)
{
    const oc_stamp_t stamp = {draft->org->epoch, draft->org->sequence + 1};
    oc_err_t err =
        oc_stamp(event->payload, event->payload_len, &stamp, memory, &draft->payload, &draft->len);

    if (err || stream->events_per_org == 0)
        return err;
    if (!reserve(stream, draft->org))
        return OC_E_NOMEM;
    draft->kept = keep(event, draft->payload, draft->len);
    return draft->kept ? OC_OK : OC_E_NOMEM;
}

static void discard(oc_stream_t *stream, draft_t *draft, const oc_stamp_memory_t *memory)
{
    if (draft->payload)
        memory->free(draft->payload);
    if (draft->is_new) {
        drop_slots(stream, draft->org);
        free(draft->org);
    }
}

static void commit(oc_stream_t *stream, draft_t *draft)
{
    org_t *org = draft->org;
    kept_t *kept = draft->kept;

    if (draft->is_new)
        org_add(stream, org);
    used_remove(org);
    used_add(stream, org);
    org->sequence++;
    if (!kept) {
        (void)make_room(stream, org, 0);
        return;
    }
    if (org->count >= stream->events_per_org)
        drop_oldest(stream, org);
    /* One that is too large leaves no others before it, since what is kept is without a gap; but those of
     * other organizations stay. */
    if (kept_bytes(kept) > stream->max_bytes || !make_room(stream, org, kept_bytes(kept))) {
        drop_all(stream, org);
        free(kept);
        return;
    }
    *slot_at(org, org->count++) = (slot_t){kept, draft->hash};
    stream->bytes += kept_bytes(kept);
}

oc_err_t oc_stream_append(oc_stream_t *stream, const oc_stream_event_t *event,
                          const oc_stamp_memory_t *memory, char **ret_payload, size_t *ret_len)
{
    draft_t draft = {.org = org_find(stream, event->org)};
    oc_err_t err = OC_OK;

    if (!draft.org) {
        draft.org = org_new(stream, event->org);
        draft.is_new = true;
        if (!draft.org)
            return OC_E_NOMEM;
    }
    draft.hash = hash_of(stream, event);
    if (!repeat(event, memory, &draft, &err)) {
        err = prepare(stream, event, memory, &draft);
        if (!err)
            commit(stream, &draft);
    }
    if (err) {
        discard(stream, &draft, memory);
        return err;
    }
    *ret_payload = draft.payload;
    *ret_len = draft.len;
    return OC_OK;
}

/* --- For those who missed some --- */

static oc_stamp_t position_of(const oc_stream_t *stream, const org_t *org)
{
    return org ? (oc_stamp_t){org->epoch, org->sequence} : (oc_stamp_t){stream->epoch, 0};
}

oc_stamp_t oc_stream_position(const oc_stream_t *stream, oc_slice_t org)
{
    return position_of(stream, org_find(stream, org));
}

oc_err_t oc_stream_replay(const oc_stream_t *stream, const oc_stream_gap_t *gap,
                          oc_stream_fn function, void *context, oc_stream_part_t *ret_part)
{
    const org_t *org = org_find(stream, gap->org);
    oc_stream_part_t part = {.position = position_of(stream, org)};
    uint64_t missed = part.position.sequence - gap->after;
    size_t held = org ? org->count : 0;
    size_t bytes = 0;

    part.recovered =
        gap->epoch == part.position.epoch && gap->after <= part.position.sequence && missed <= held;
    while (part.recovered && part.count < missed && part.count < gap->most) {
        const kept_t *kept = slot_at(org, held - (size_t)missed + part.count)->kept;

        bytes += kept->topic_len + kept->payload_len;
        if (part.count > 0 && bytes > gap->max_bytes)
            break;
        if (!function(context, kept->text, payload_of(kept), kept->payload_len))
            return OC_E_NOMEM;
        part.count++;
    }
    if (part.recovered) {
        part.more = part.count < missed;
        part.position.sequence = gap->after + part.count;
    }
    *ret_part = part;
    return OC_OK;
}

oc_bucket_t *oc_stream_account(oc_stream_t *stream, oc_slice_t org)
{
    org_t *found = org_find(stream, org);

    return found ? &found->account : NULL;
}

size_t oc_stream_bytes(const oc_stream_t *stream)
{
    return stream->bytes;
}

size_t oc_stream_org_count(const oc_stream_t *stream)
{
    return stream->orgs.count;
}

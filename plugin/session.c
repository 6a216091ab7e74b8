/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION HASH_FNV
#define uthash_nonfatal_oom(session) ((session)->out_of_memory = true)
#include <uthash.h>

#include "client_map.h"

/* How long a session that does not live on stays after its disconnect, so that the Will which the broker
 * publishes then still meets it. */
#define WILL_GRACE_S 60

#define NOT_IN_HEAP SIZE_MAX

#define CACHE_LINE 64

struct oc_session {
    UT_hash_handle by_id;
    unsigned char token_hash[OC_TOKEN_HASH_LEN];
    int64_t due_s;     /* of the heap */
    size_t heap_index; /* NOT_IN_HEAP: nothing is due */
    bool out_of_memory;
    bool current;
    bool lives_on; /* not connected: the broker may keep it */
    bool service;  /* its identity serves every organization */
    bool end_on_expiry;
    /* From here on, what a delivery check reads, side by side. */
    _Alignas(CACHE_LINE) const void *client;
    oc_identity_t *identity; /* NULL: foreign, or its time is over */
    bool connected;
    bool id_bound;
    bool foreign;
    char client_id[];
};

struct oc_sessions {
    oc_client_map_t by_client;
    oc_session_t *by_id;         /* of identities; the current one of each client id */
    oc_session_t *foreign_by_id; /* of other authenticators' clients, likewise */
    oc_session_t **heap;         /* a binary min-heap by due_s */
    size_t heap_count;
    size_t heap_size;
};

static void heap_put(oc_sessions_t *sessions, size_t index, oc_session_t *session)
{
    sessions->heap[index] = session;
    session->heap_index = index;
}

static void heap_up(oc_sessions_t *sessions, size_t index)
{
    oc_session_t *session = sessions->heap[index];

    while (index > 0 && session->due_s < sessions->heap[(index - 1) / 2]->due_s) {
        heap_put(sessions, index, sessions->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    heap_put(sessions, index, session);
}

static void heap_down(oc_sessions_t *sessions, size_t index)
{
    oc_session_t *session = sessions->heap[index];

    for (;;) {
        size_t child = 2 * index + 1;

        if (child + 1 < sessions->heap_count &&
            sessions->heap[child + 1]->due_s < sessions->heap[child]->due_s)
            child++;
        if (child >= sessions->heap_count || session->due_s <= sessions->heap[child]->due_s)
            break;
        heap_put(sessions, index, sessions->heap[child]);
        index = child;
    }
    heap_put(sessions, index, session);
}

/* There is room for every session: oc_sessions_bind() sees to that. */
static void heap_add(oc_sessions_t *sessions, oc_session_t *session)
{
    heap_put(sessions, sessions->heap_count++, session);
    heap_up(sessions, session->heap_index);
}

static void heap_remove(oc_sessions_t *sessions, oc_session_t *session)
{
    size_t index = session->heap_index;
    oc_session_t *last;

    if (index == NOT_IN_HEAP)
        return;
    session->heap_index = NOT_IN_HEAP;
    last = sessions->heap[--sessions->heap_count];
    if (last == session)
        return;
    heap_put(sessions, index, last);
    heap_up(sessions, index);
    heap_down(sessions, last->heap_index);
}

/* Room for one more session than there are. */
static bool heap_reserve(oc_sessions_t *sessions)
{
    size_t size = sessions->heap_size ? sessions->heap_size * 2 : 64;
    oc_session_t **heap;

    if (oc_sessions_count(sessions) < sessions->heap_size)
        return true;
    heap = realloc(sessions->heap, size * sizeof(oc_session_t *));
    if (!heap)
        return false;
    sessions->heap = heap;
    sessions->heap_size = size;
    return true;
}

oc_sessions_t *oc_sessions_new(void)
{
    return calloc(1, sizeof(oc_sessions_t));
}

static oc_session_t *find_client(const oc_sessions_t *sessions, const void *client)
{
    return oc_client_map_get(&sessions->by_client, client);
}

static void release_id(oc_sessions_t *sessions, oc_session_t *session)
{
    if (!session->current)
        return;
    if (session->foreign)
        HASH_DELETE(by_id, sessions->foreign_by_id, session);
    else
        HASH_DELETE(by_id, sessions->by_id, session);
    session->current = false;
}

static void forget(oc_sessions_t *sessions, oc_session_t *session)
{
    release_id(sessions, session);
    heap_remove(sessions, session);
    oc_client_map_remove(&sessions->by_client, session->client);
    oc_identity_unref(session->identity);
    free(session);
}

/* Another session has its client id now. Without a connection it has no future; but a Will of it may
 * still come, until the next look at what is due. */
static void supersede(oc_sessions_t *sessions, oc_session_t *session)
{
    release_id(sessions, session);
    if (session->connected)
        return;
    heap_remove(sessions, session);
    session->lives_on = false;
    session->due_s = INT64_MIN;
    heap_add(sessions, session);
}

void oc_sessions_free(oc_sessions_t *sessions)
{
    oc_session_t *session;
    size_t cursor = 0;

    if (!sessions)
        return;
    HASH_CLEAR(by_id, sessions->by_id);
    HASH_CLEAR(by_id, sessions->foreign_by_id);
    while ((session = oc_client_map_next(&sessions->by_client, &cursor)) != NULL) {
        oc_identity_unref(session->identity);
        free(session);
    }
    oc_client_map_done(&sessions->by_client);
    free(sessions->heap);
    free(sessions);
}

static oc_session_t *session_alloc(size_t id_size)
{
    size_t size = (sizeof(oc_session_t) + id_size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    oc_session_t *session = aligned_alloc(CACHE_LINE, size);

    if (session)
        memset(session, 0, size);
    return session;
}

oc_session_t *oc_sessions_find_id(const oc_sessions_t *sessions, const char *client_id)
{
    oc_session_t *session = NULL;

    HASH_FIND(by_id, sessions->by_id, client_id, strlen(client_id), session);
    return session;
}

static oc_session_t *find_foreign(const oc_sessions_t *sessions, const char *client_id)
{
    oc_session_t *session = NULL;

    HASH_FIND(by_id, sessions->foreign_by_id, client_id, strlen(client_id), session);
    return session;
}

/* Make a session the current one of its client id. A foreign one may yet be refused, so that it takes
 * nothing from a session that has an identity. False when out of memory. */
static bool take_id(oc_sessions_t *sessions, oc_session_t *session)
{
    size_t len = strlen(session->client_id);
    oc_session_t *older = session->foreign ? find_foreign(sessions, session->client_id)
                                           : oc_sessions_find_id(sessions, session->client_id);

    if (older && session->foreign)
        release_id(sessions, older);
    else if (older)
        supersede(sessions, older);
    if (session->foreign)
        HASH_ADD_KEYPTR(by_id, sessions->foreign_by_id, session->client_id, len, session);
    else
        HASH_ADD_KEYPTR(by_id, sessions->by_id, session->client_id, len, session);
    session->current = !session->out_of_memory;
    return session->current;
}

/* A session in both hashes, with nothing due. NULL when out of memory. */
static oc_session_t *add(oc_sessions_t *sessions, const void *client, const char *client_id,
                         bool foreign)
{
    size_t id_len = strlen(client_id);
    oc_session_t *session;

    oc_sessions_drop(sessions, client);
    session = session_alloc(id_len + 1);
    if (!session || !heap_reserve(sessions) || !oc_client_map_reserve(&sessions->by_client)) {
        free(session);
        return NULL;
    }
    session->client = client;
    session->heap_index = NOT_IN_HEAP;
    session->connected = true;
    session->foreign = foreign;
    memcpy(session->client_id, client_id, id_len + 1);

    oc_client_map_add(&sessions->by_client, client, session);
    if (!take_id(sessions, session)) {
        forget(sessions, session);
        return NULL;
    }
    return session;
}

oc_err_t oc_sessions_bind(oc_sessions_t *sessions, const void *client, const char *client_id,
                          oc_identity_t *identity,
                          const unsigned char token_hash[static OC_TOKEN_HASH_LEN],
                          const oc_session_traits_t *traits)
{
    oc_session_t *session = add(sessions, client, client_id, false);

    if (!session)
        return OC_E_NOMEM;
    session->identity = identity;
    session->id_bound = traits->id_bound;
    session->end_on_expiry = traits->end_on_expiry;
    session->service = identity->any_org;
    memcpy(session->token_hash, token_hash, OC_TOKEN_HASH_LEN);
    session->due_s = identity->deadline_s;
    heap_add(sessions, session);
    return OC_OK;
}

oc_err_t oc_sessions_bind_foreign(oc_sessions_t *sessions, const void *client,
                                  const char *client_id)
{
    return add(sessions, client, client_id, true) ? OC_OK : OC_E_NOMEM;
}

void oc_sessions_drop(oc_sessions_t *sessions, const void *client)
{
    oc_session_t *session = find_client(sessions, client);

    if (session)
        forget(sessions, session);
}

void oc_sessions_disconnected(oc_sessions_t *sessions, const void *client, bool lives_on,
                              int64_t now_s)
{
    oc_session_t *session = find_client(sessions, client);

    if (!session || !session->connected)
        return;
    if (session->foreign) {
        forget(sessions, session);
        return;
    }
    heap_remove(sessions, session);
    session->connected = false;
    session->lives_on = lives_on && session->current;
    session->due_s = session->lives_on ? session->identity->deadline_s : now_s + WILL_GRACE_S;
    heap_add(sessions, session);
}

void oc_sessions_connected(oc_sessions_t *sessions, oc_session_t *session)
{
    if (session->connected || !session->identity)
        return;
    heap_remove(sessions, session);
    session->connected = true;
    session->due_s = session->identity->deadline_s;
    heap_add(sessions, session);
}

oc_session_t *oc_sessions_find(const oc_sessions_t *sessions, const void *client,
                               const char *client_id)
{
    oc_session_t *session = find_client(sessions, client);

    return session && client_id && strcmp(session->client_id, client_id) == 0 ? session : NULL;
}

/* Whether a client may end what an offline session is kept for. */
static bool may_take_offline(const oc_session_t *holder, const oc_identity_t *identity)
{
    if (!holder->lives_on || !holder->id_bound)
        return true;
    /* Subjects and organizations may have the same name. */
    return identity && identity->any_org == holder->service &&
           oc_identity_binds_client_id(identity, holder->client_id);
}

static bool may_take(const oc_session_t *holder, const oc_identity_t *identity, int64_t now_s)
{
    if (!holder->connected)
        return may_take_offline(holder, identity);
    if (now_s >= holder->identity->deadline_s)
        return true;
    return identity && strcmp(holder->identity->subject, identity->subject) == 0;
}

oc_err_t oc_sessions_check_id(const oc_sessions_t *sessions, const char *client_id,
                              const oc_identity_t *identity, int64_t now_s)
{
    const oc_session_t *holder = oc_sessions_find_id(sessions, client_id);

    if (holder && !may_take(holder, identity, now_s))
        return OC_E_CLIENT_ID_IN_USE;
    /* These are in the table while they are connected. */
    if (identity && find_foreign(sessions, client_id))
        return OC_E_CLIENT_ID_IN_USE;
    return OC_OK;
}

oc_session_t *oc_sessions_next_expired(oc_sessions_t *sessions, int64_t now_s)
{
    while (sessions->heap_count > 0 && sessions->heap[0]->due_s <= now_s) {
        oc_session_t *session = sessions->heap[0];

        heap_remove(sessions, session);
        if (session->connected)
            return session;
        if (!session->lives_on) {
            forget(sessions, session);
            continue;
        }
        /* What remains tells a SIGHUP's authentication from a new connection. */
        oc_identity_unref(session->identity);
        session->identity = NULL;
    }
    return NULL;
}

size_t oc_sessions_count(const oc_sessions_t *sessions)
{
    return sessions->by_client.count;
}

const oc_identity_t *oc_session_identity(const oc_session_t *session)
{
    return session->identity;
}

const char *oc_session_client_id(const oc_session_t *session)
{
    return session->client_id;
}

const unsigned char *oc_session_token_hash(const oc_session_t *session)
{
    return session->token_hash;
}

bool oc_session_connected(const oc_session_t *session)
{
    return session->connected;
}

bool oc_session_holds_id(const oc_sessions_t *sessions, const oc_session_t *session)
{
    return session->current && !find_foreign(sessions, session->client_id);
}

bool oc_session_id_bound(const oc_session_t *session)
{
    return session->id_bound;
}

bool oc_session_end_on_expiry(const oc_session_t *session)
{
    return session->end_on_expiry;
}

bool oc_session_foreign(const oc_session_t *session)
{
    return session->foreign;
}

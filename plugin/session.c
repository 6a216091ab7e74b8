/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION HASH_FNV
#define uthash_nonfatal_oom(session) ((session)->out_of_memory = true)
#include <uthash.h>
/* Shorter chains than uthash's own 10: each link followed in a delivery check is a cache miss. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 3U

/* How long a session whose time is over stays after its disconnect, so that the Will which the broker
 * publishes later still meets it. */
#define WILL_GRACE_S 60

#define NOT_IN_HEAP SIZE_MAX

#define CACHE_LINE 64

struct oc_session {
    UT_hash_handle by_id;
    unsigned char token_hash[OC_TOKEN_HASH_LEN];
    int64_t due_s; /* connected: the identity's deadline; otherwise: when to forget the session */
    size_t heap_index;
    bool out_of_memory;
    bool current;
    /* From here on, what a delivery check reads, side by side. */
    _Alignas(CACHE_LINE) UT_hash_handle by_client;
    const void *client;
    oc_identity_t *identity;
    bool connected;
    bool id_bound;
    char client_id[];
};

struct oc_sessions {
    oc_session_t *by_client;
    oc_session_t *by_id;
    oc_session_t **heap; /* a binary min-heap by due_s */
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

/* Pointers are no attacker's choice, so spreading their bits is enough (Knuth's multiplicative hash)
 * and takes a fraction of uthash's own function. */
static unsigned hash_client(const void *client)
{
    return (unsigned)((uint64_t)(uintptr_t)client * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static oc_session_t *find_client(const oc_sessions_t *sessions, const void *client)
{
    oc_session_t *session = NULL;

    HASH_FIND_BYHASHVALUE(by_client, sessions->by_client, &client, sizeof client,
                          hash_client(client), session);
    return session;
}

static void supersede(oc_sessions_t *sessions, oc_session_t *session)
{
    if (session->current)
        HASH_DELETE(by_id, sessions->by_id, session);
    session->current = false;
}

static void forget(oc_sessions_t *sessions, oc_session_t *session)
{
    supersede(sessions, session);
    heap_remove(sessions, session);
    HASH_DELETE(by_client, sessions->by_client, session);
    oc_identity_unref(session->identity);
    free(session);
}

void oc_sessions_free(oc_sessions_t *sessions)
{
    if (!sessions)
        return;
    while (sessions->by_client)
        forget(sessions, sessions->by_client);
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

oc_err_t oc_sessions_bind(oc_sessions_t *sessions, const void *client, const char *client_id,
                          oc_identity_t *identity,
                          const unsigned char token_hash[static OC_TOKEN_HASH_LEN], bool id_bound,
                          oc_session_t **ret_session)
{
    size_t id_len = strlen(client_id);
    oc_session_t *session;

    oc_sessions_drop(sessions, client);
    session = session_alloc(id_len + 1);
    if (!session || !heap_reserve(sessions)) {
        free(session);
        return OC_E_NOMEM;
    }
    session->client = client;
    session->due_s = identity->deadline_s;
    session->heap_index = NOT_IN_HEAP;
    session->connected = true;
    session->id_bound = id_bound;
    memcpy(session->token_hash, token_hash, OC_TOKEN_HASH_LEN);
    memcpy(session->client_id, client_id, id_len + 1);

    HASH_ADD_BYHASHVALUE(by_client, sessions->by_client, client, sizeof session->client,
                         hash_client(client), session);
    if (session->out_of_memory) {
        free(session);
        return OC_E_NOMEM;
    }
    oc_sessions_release_id(sessions, client_id);
    HASH_ADD_KEYPTR(by_id, sessions->by_id, session->client_id, id_len, session);
    if (session->out_of_memory) {
        forget(sessions, session);
        return OC_E_NOMEM;
    }
    session->current = true;
    session->identity = identity;
    heap_add(sessions, session);
    *ret_session = session;
    return OC_OK;
}

void oc_sessions_drop(oc_sessions_t *sessions, const void *client)
{
    oc_session_t *session = find_client(sessions, client);

    if (session)
        forget(sessions, session);
}

void oc_sessions_disconnected(oc_sessions_t *sessions, const void *client, int64_t now_s)
{
    oc_session_t *session = find_client(sessions, client);

    if (!session || !session->connected)
        return;
    session->connected = false;
    heap_remove(sessions, session);
    session->due_s = session->identity->deadline_s;
    if (session->due_s < now_s + WILL_GRACE_S)
        session->due_s = now_s + WILL_GRACE_S;
    heap_add(sessions, session);
}

oc_session_t *oc_sessions_find(const oc_sessions_t *sessions, const void *client,
                               const char *client_id)
{
    oc_session_t *session = find_client(sessions, client);

    return session && client_id && strcmp(session->client_id, client_id) == 0 ? session : NULL;
}

oc_session_t *oc_sessions_find_id(const oc_sessions_t *sessions, const char *client_id)
{
    oc_session_t *session = NULL;

    HASH_FIND(by_id, sessions->by_id, client_id, strlen(client_id), session);
    return session;
}

oc_err_t oc_sessions_check_id(const oc_sessions_t *sessions, const char *client_id,
                              const char *subject, int64_t now_s)
{
    const oc_session_t *holder = oc_sessions_find_id(sessions, client_id);

    if (!holder || !holder->connected || now_s >= holder->identity->deadline_s)
        return OC_OK;
    if (subject && strcmp(holder->identity->subject, subject) == 0)
        return OC_OK;
    return OC_E_CLIENT_ID_IN_USE;
}

void oc_sessions_release_id(oc_sessions_t *sessions, const char *client_id)
{
    oc_session_t *holder = oc_sessions_find_id(sessions, client_id);

    if (holder)
        supersede(sessions, holder);
}

oc_session_t *oc_sessions_next_expired(oc_sessions_t *sessions, int64_t now_s)
{
    while (sessions->heap_count > 0 && sessions->heap[0]->due_s <= now_s) {
        oc_session_t *session = sessions->heap[0];

        if (session->connected) {
            heap_remove(sessions, session);
            return session;
        }
        forget(sessions, session);
    }
    return NULL;
}

size_t oc_sessions_count(const oc_sessions_t *sessions)
{
    return HASH_CNT(by_client, sessions->by_client);
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

bool oc_session_current(const oc_session_t *session)
{
    return session->current;
}

bool oc_session_id_bound(const oc_session_t *session)
{
    return session->id_bound;
}

/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "client_map.h"
#include "due_heap.h"
#include "name_table.h"

/* What most connections may be delivered, so that asking touches one line of memory of theirs: with a thousand
 * subscribers these are what a delivery costs. Until session.due, which is the deadline of a connection that is
 * counted, or earlier. */
typedef struct grant {
    const oc_org_load_t
        *org; /* the only one of its identity, which its connection keeps; NULL: ask in full */
    const char *
        client_id; /* where the broker has it: compared by address, since its pointer is not used again
                            * without a CONNECT, which takes the session away */
} grant_t;

/* How long a session that does not live on stays after its disconnect: the broker publishes its Will then. */
#define WILL_GRACE_S 60

/* Mosquitto 2.0 with per_listener_settings never says when it has delivered something; in this time it has. */
#define DELIVERY_S 1

typedef enum state {
    CONNECTED,
    OFFLINE, /* the broker may keep it for a later connection */
    LEAVING, /* what comes of it now is its Will */
} state_t;

struct oc_session {
    /* What a delivery check asks first, at the beginning, where it seldom lies on two lines. */
    oc_due_t due;
    grant_t grant;
    const void *next; /* the client that was asked for after it, the last time; may be gone */
    const void *client;
    void *owner;
    oc_bucket_t bucket;
    uint32_t addressed; /* the round in which something was sent to its client id; 0: never */
    uint32_t addressed_s;
    uint64_t serial;
    uint64_t subject_hash;
    unsigned char token_hash[OC_SESSION_HASH_LEN];
    /* What it asks then, side by side. */
    oc_identity_t *identity; /* NULL: foreign, or its time is over */
    bool id_bound;
    bool foreign;
    bool revoked;
    unsigned char state;
    bool current;
    bool counted; /* in the limits, and among the connected */
    bool kicked;
    bool service; /* its identity serves every organization */
    bool end_on_expiry;
    bool no_password;
    char client_id[];
};

struct oc_sessions {
    oc_limits_t *limits;
    oc_client_map_t by_client;
    oc_name_key_t key;
    oc_name_table_t ids;         /* of identities; the current session of each client id */
    oc_name_table_t foreign_ids; /* of other authenticators' clients, likewise */
    oc_due_heap_t due;
    oc_sessions_kept_fn is_kept; /* NULL: the broker cannot tell */
    uint64_t serial;             /* of the newest session */
    oc_session_t *asked; /* the last that oc_sessions_granted() was asked for; NULL: it is gone */
    size_t connected;
    size_t offline;
    uint32_t round; /* of deliveries; may come round itself, which the time tells */
};

static oc_session_t *session_of_due(oc_due_t *due)
{
    return (oc_session_t *)((char *)due - offsetof(oc_session_t, due));
}

oc_sessions_t *oc_sessions_new(oc_limits_t *limits)
{
    oc_sessions_t *sessions = calloc(1, sizeof *sessions);

    if (!sessions)
        return NULL;
    sessions->limits = limits;
    sessions->round = 1;
    sessions->ids =
        (oc_name_table_t){.key = &sessions->key, .name_at = offsetof(oc_session_t, client_id)};
    sessions->foreign_ids = sessions->ids;
    if (!oc_name_key_draw(&sessions->key)) {
        oc_sessions_free(sessions);
        return NULL;
    }
    return sessions;
}

void oc_sessions_ask(oc_sessions_t *sessions, oc_sessions_kept_fn is_kept)
{
    sessions->is_kept = is_kept;
}

static uint64_t subject_hash(const oc_sessions_t *sessions, const oc_identity_t *identity)
{
    return oc_name_hash(&sessions->key, identity->subject, strlen(identity->subject));
}

static oc_session_t *find_client(const oc_sessions_t *sessions, const void *client)
{
    return oc_client_map_get(&sessions->by_client, client);
}

/* After each change of what is asked here. */
static void set_grant(const oc_sessions_t *sessions, oc_session_t *session)
{
    const oc_identity_t *identity = session->identity;

    session->grant.org = NULL;
    if (!session->counted || session->revoked || identity->any_org || identity->org_count != 1)
        return;
    session->grant.org =
        oc_limits_find_org(sessions->limits, identity->orgs[0].id, identity->orgs[0].len);
}

static void uncount(oc_sessions_t *sessions, oc_session_t *session)
{
    session->grant.org = NULL;
    if (!session->counted)
        return;
    oc_limits_leave(sessions->limits, session->identity);
    session->counted = false;
    sessions->connected--;
}

static void set_state(oc_sessions_t *sessions, oc_session_t *session, state_t state)
{
    if (oc_session_offline(session))
        sessions->offline--;
    if (state != CONNECTED)
        uncount(sessions, session);
    session->state = (unsigned char)state;
    if (oc_session_offline(session))
        sessions->offline++;
}

static void drop_identity(oc_sessions_t *sessions, oc_session_t *session)
{
    uncount(sessions, session);
    oc_identity_unref(session->identity);
    session->identity = NULL;
}

/* What is due next: that the connection or the identity is ended. */
static void set_deadline(oc_sessions_t *sessions, oc_session_t *session)
{
    bool now = session->revoked || session->kicked;

    oc_due_heap_set(&sessions->due, &session->due, now ? INT64_MIN : session->identity->deadline_s);
}

static void release_id(oc_sessions_t *sessions, oc_session_t *session)
{
    if (!session->current)
        return;
    (void)oc_name_table_remove(session->foreign ? &sessions->foreign_ids : &sessions->ids,
                               session->client_id, strlen(session->client_id));
    session->current = false;
    uncount(sessions, session);
}

static void session_free(oc_sessions_t *sessions, oc_session_t *session)
{
    if (sessions->asked == session)
        sessions->asked = NULL;
    oc_identity_unref(session->identity);
    free(session);
}

static void forget(oc_sessions_t *sessions, oc_session_t *session)
{
    release_id(sessions, session);
    set_state(sessions, session, LEAVING);
    oc_due_heap_remove(&sessions->due, &session->due);
    oc_client_map_remove(&sessions->by_client, session->client);
    session_free(sessions, session);
}

/* Another session has its client id now. Without a connection it has no future; but a Will of it may
 * still come, until the next look at what is due. */
static void supersede(oc_sessions_t *sessions, oc_session_t *session)
{
    release_id(sessions, session);
    if (session->state == CONNECTED)
        return;
    set_state(sessions, session, LEAVING);
    oc_due_heap_set(&sessions->due, &session->due, INT64_MIN);
}

void oc_sessions_free(oc_sessions_t *sessions)
{
    oc_session_t *session;
    size_t cursor = 0;

    if (!sessions)
        return;
    while ((session = oc_sessions_next(sessions, &cursor)) != NULL) {
        uncount(sessions, session);
        session_free(sessions, session);
    }
    oc_client_map_done(&sessions->by_client);
    oc_name_table_done(&sessions->ids);
    oc_name_table_done(&sessions->foreign_ids);
    oc_due_heap_done(&sessions->due);
    free(sessions);
}

oc_session_t *oc_sessions_find_id(const oc_sessions_t *sessions, const char *client_id)
{
    return oc_name_table_get(&sessions->ids, client_id, strlen(client_id));
}

static oc_session_t *find_foreign(const oc_sessions_t *sessions, const char *client_id)
{
    return oc_name_table_get(&sessions->foreign_ids, client_id, strlen(client_id));
}

/* Make a session the current one of its client id; there is room. A foreign one may yet be refused, so
 * that it takes nothing from a session that has an identity. */
static void take_id(oc_sessions_t *sessions, oc_session_t *session)
{
    oc_session_t *older = session->foreign ? find_foreign(sessions, session->client_id)
                                           : oc_sessions_find_id(sessions, session->client_id);

    if (older && session->foreign) {
        release_id(sessions, older);
    } else if (older) {
        session->addressed = older->addressed;
        session->addressed_s = older->addressed_s;
        supersede(sessions, older);
    }
    oc_name_table_add(session->foreign ? &sessions->foreign_ids : &sessions->ids, session,
                      strlen(session->client_id));
    session->current = true;
}

/* A session that is found by its client and its id, with nothing due. NULL when out of memory. */
static oc_session_t *add(oc_sessions_t *sessions, const void *client, const char *client_id,
                         bool foreign)
{
    size_t id_size = strlen(client_id) + 1;
    oc_session_t *session;

    oc_sessions_drop(sessions, client);
    if (!oc_due_heap_reserve(&sessions->due, oc_sessions_count(sessions) + 1) ||
        !oc_client_map_reserve(&sessions->by_client) ||
        !oc_name_table_reserve(foreign ? &sessions->foreign_ids : &sessions->ids))
        return NULL;
    session = calloc(1, offsetof(oc_session_t, client_id) + id_size);
    if (!session)
        return NULL;
    session->client = client;
    session->grant.client_id = client_id;
    session->due.index = OC_DUE_NEVER;
    session->foreign = foreign;
    session->serial = ++sessions->serial;
    memcpy(session->client_id, client_id, id_size);
    oc_client_map_add(&sessions->by_client, client, session);
    take_id(sessions, session);
    return session;
}

oc_err_t oc_sessions_bind(oc_sessions_t *sessions, const void *client, const char *client_id,
                          oc_identity_t *identity,
                          const unsigned char token_hash[static OC_SESSION_HASH_LEN],
                          const oc_session_traits_t *traits)
{
    oc_session_t *session;

    if (oc_limits_enter(sessions->limits, identity) != OC_OK)
        return OC_E_NOMEM;
    session = add(sessions, client, client_id, false);
    if (!session) {
        oc_limits_leave(sessions->limits, identity);
        return OC_E_NOMEM;
    }
    session->identity = identity;
    session->counted = true;
    sessions->connected++;
    session->id_bound = traits->id_bound;
    session->end_on_expiry = traits->end_on_expiry;
    session->no_password = traits->no_password;
    session->owner = traits->owner;
    session->service = identity->any_org;
    session->subject_hash = subject_hash(sessions, identity);
    memcpy(session->token_hash, token_hash, OC_SESSION_HASH_LEN);
    set_deadline(sessions, session);
    set_grant(sessions, session);
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

    if (!session || session->state != CONNECTED)
        return;
    if (session->foreign) {
        forget(sessions, session);
        return;
    }
    session->kicked = false;
    if (lives_on && session->current) {
        set_state(sessions, session, OFFLINE);
        set_deadline(sessions, session);
    } else {
        set_state(sessions, session, LEAVING);
        oc_due_heap_set(&sessions->due, &session->due, now_s + WILL_GRACE_S);
    }
}

void oc_sessions_connected(oc_sessions_t *sessions, oc_session_t *session)
{
    if (session->state == CONNECTED || !session->identity)
        return;
    set_state(sessions, session, CONNECTED);
    /* Not counted when memory runs out: then it is one more than the limit. */
    if (session->current && oc_limits_enter(sessions->limits, session->identity) == OC_OK) {
        session->counted = true;
        sessions->connected++;
    }
    set_deadline(sessions, session);
    set_grant(sessions, session);
}

oc_err_t oc_sessions_refresh(oc_sessions_t *sessions, oc_session_t *session,
                             oc_identity_t *identity)
{
    if (session->counted) {
        if (oc_limits_enter(sessions->limits, identity) != OC_OK)
            return OC_E_NOMEM;
        oc_limits_leave(sessions->limits, session->identity);
    }
    oc_identity_unref(session->identity);
    session->identity = identity;
    session->service = identity->any_org;
    session->id_bound = oc_identity_binds_client_id(identity, session->client_id);
    set_deadline(sessions, session);
    set_grant(sessions, session);
    return OC_OK;
}

void oc_sessions_revoke(oc_sessions_t *sessions, oc_session_t *session)
{
    if (!session->identity || session->revoked)
        return;
    session->revoked = true;
    session->grant.org = NULL;
    /* One that only waits for its Will stays for as long as it would. */
    if (session->state != LEAVING)
        set_deadline(sessions, session);
}

void oc_sessions_kick(oc_sessions_t *sessions, oc_session_t *session)
{
    if (session->state != CONNECTED || session->foreign)
        return;
    session->kicked = true;
    set_deadline(sessions, session);
}

void oc_sessions_addressed(const oc_sessions_t *sessions, oc_session_t *session, int64_t now_s)
{
    session->addressed = sessions->round;
    session->addressed_s = (uint32_t)now_s;
}

void oc_sessions_delivered(oc_sessions_t *sessions)
{
    sessions->round++;
}

oc_session_t *oc_sessions_find(const oc_sessions_t *sessions, const void *client,
                               const char *client_id)
{
    oc_session_t *session = find_client(sessions, client);

    return session && client_id && strcmp(session->client_id, client_id) == 0 ? session : NULL;
}

/* A message goes to its subscribers in the same order as the one before it: so the memory of the next one is
 * fetched while this one is served. */
static void fetch_next(oc_sessions_t *sessions, oc_session_t *session)
{
    if (sessions->asked && sessions->asked->next != session->client)
        sessions->asked->next = session->client;
    sessions->asked = session;
    __builtin_prefetch(find_client(sessions, session->next));
}

const oc_org_load_t *oc_sessions_granted(oc_sessions_t *sessions, const void *client,
                                         const char *client_id, int64_t now_s)
{
    oc_session_t *session = find_client(sessions, client);

    if (session)
        fetch_next(sessions, session);
    return session && session->grant.client_id == client_id && now_s < session->due.at_s
               ? session->grant.org
               : NULL;
}

const void *oc_sessions_next_asked(const oc_sessions_t *sessions)
{
    return sessions->asked ? sessions->asked->next : NULL;
}

/* Whether a client may end what an offline session is kept for. */
static bool may_take_offline(const oc_session_t *holder, const oc_identity_t *identity)
{
    if (holder->state != OFFLINE || !holder->id_bound)
        return true;
    /* Subjects and organizations may have the same name. */
    return identity && identity->any_org == holder->service &&
           oc_identity_binds_client_id(identity, holder->client_id);
}

static bool may_take(const oc_session_t *holder, const oc_identity_t *identity, int64_t now_s)
{
    if (holder->state != CONNECTED)
        return may_take_offline(holder, identity);
    if (holder->revoked || now_s >= holder->identity->deadline_s)
        return true;
    return identity && strcmp(holder->identity->subject, identity->subject) == 0;
}

/* Whether what is on its way to the holder's client id would come to somebody else. */
static bool is_awaited(const oc_sessions_t *sessions, const oc_session_t *holder,
                       const oc_identity_t *identity, int64_t now_s)
{
    if (identity && holder->identity && oc_identity_covers(identity, holder->identity))
        return false;
    return holder->addressed == sessions->round &&
           (uint32_t)now_s - holder->addressed_s <= DELIVERY_S;
}

oc_err_t oc_sessions_check_id(const oc_sessions_t *sessions, const char *client_id,
                              const oc_identity_t *identity, int64_t now_s)
{
    const oc_session_t *holder = oc_sessions_find_id(sessions, client_id);

    if (holder &&
        (!may_take(holder, identity, now_s) || is_awaited(sessions, holder, identity, now_s)))
        return OC_E_CLIENT_ID_IN_USE;
    /* These are in the table while they are connected. */
    if (identity && find_foreign(sessions, client_id))
        return OC_E_CLIENT_ID_IN_USE;
    return OC_OK;
}

/* The time of a session without a connection is over. */
static void end_offline(oc_sessions_t *sessions, oc_session_t *session, int64_t now_s)
{
    if (session->state == OFFLINE)
        /* The rest stays, so that SIGHUP's authentication is recognized. */
        drop_identity(sessions, session);
    else if (sessions->is_kept && sessions->is_kept(session->client, session->client_id))
        oc_due_heap_set(&sessions->due, &session->due, now_s + WILL_GRACE_S);
    else
        forget(sessions, session);
}

static oc_session_end_t end_connection(oc_sessions_t *sessions, oc_session_t *session,
                                       int64_t now_s)
{
    if (session->revoked)
        return OC_SESSION_REVOKED;
    if (!session->kicked)
        return OC_SESSION_EXPIRED;
    session->kicked = false;
    if (now_s < session->identity->deadline_s)
        set_deadline(sessions, session);
    return OC_SESSION_KICKED;
}

oc_session_t *oc_sessions_next_due(oc_sessions_t *sessions, int64_t now_s,
                                   oc_session_end_t *ret_cause)
{
    oc_due_t *due;

    while ((due = oc_due_heap_first(&sessions->due)) != NULL && due->at_s <= now_s) {
        oc_session_t *session = session_of_due(due);

        oc_due_heap_remove(&sessions->due, due);
        if (session->state == CONNECTED) {
            *ret_cause = end_connection(sessions, session, now_s);
            return session;
        }
        end_offline(sessions, session, now_s);
    }
    return NULL;
}

oc_session_t *oc_sessions_next(const oc_sessions_t *sessions, size_t *cursor)
{
    return oc_client_map_next(&sessions->by_client, cursor);
}

size_t oc_sessions_count(const oc_sessions_t *sessions)
{
    return sessions->by_client.count;
}

size_t oc_sessions_connected_count(const oc_sessions_t *sessions)
{
    return sessions->connected;
}

size_t oc_sessions_offline_count(const oc_sessions_t *sessions)
{
    return sessions->offline;
}

oc_err_t oc_session_rights(const oc_session_t *session, const oc_identity_t **ret_identity)
{
    if (session->foreign)
        return OC_E_SESSION_UNKNOWN;
    if (session->revoked)
        return OC_E_TOKEN_REVOKED;
    if (!session->identity)
        return OC_E_TOKEN_EXPIRED;
    *ret_identity = session->identity;
    return OC_OK;
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

bool oc_session_no_password(const oc_session_t *session)
{
    return session->no_password;
}

bool oc_session_connected(const oc_session_t *session)
{
    return session->state == CONNECTED;
}

bool oc_session_offline(const oc_session_t *session)
{
    return session->state == OFFLINE && session->id_bound;
}

bool oc_session_holds_id(const oc_sessions_t *sessions, const oc_session_t *session)
{
    return session->current && !find_foreign(sessions, session->client_id);
}

bool oc_session_current(const oc_session_t *session)
{
    return session->current;
}

bool oc_session_id_bound(const oc_session_t *session)
{
    return session->id_bound;
}

bool oc_session_end_on_expiry(const oc_session_t *session)
{
    return session->end_on_expiry;
}

void *oc_session_owner(const oc_session_t *session)
{
    return session->owner;
}

oc_bucket_t *oc_session_bucket(oc_session_t *session)
{
    return &session->bucket;
}

uint64_t oc_session_serial(const oc_session_t *session)
{
    return session->serial;
}

bool oc_session_resumable(const oc_sessions_t *sessions, const oc_session_t *session,
                          const oc_identity_t *identity)
{
    return session->state == LEAVING ||
           (session->subject_hash == subject_hash(sessions, identity) &&
            session->service == identity->any_org);
}

bool oc_session_foreign(const oc_session_t *session)
{
    return session->foreign;
}

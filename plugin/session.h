/* SPDX-License-Identifier: MIT */
#ifndef OC_SESSION_H
#define OC_SESSION_H

/* Which identity each of the broker's clients has. The broker offers no per-client data, reuses
 * client pointers at once, and has two clients with one id during a takeover. So a session is found by
 * pointer and confirmed by client id, and of several sessions with one id the newest is current.
 *
 * A session outlives its connection: the broker publishes a Will after it reports the disconnect, queues
 * for offline sessions, and authenticates them again on SIGHUP. An offline session loses its identity at the
 * deadline. It then has no rights. It goes when its pointer or its client id gets another session.
 *
 * Clients of other authenticators have sessions too, without an identity, so that their ids are known.
 * One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucket.h"
#include "identity.h"
#include "org_limits.h"

typedef struct oc_session oc_session_t;
typedef struct oc_sessions oc_sessions_t;

/* Enough of a token's SHA-256 to know it again. */
#define OC_SESSION_HASH_LEN 16

typedef struct oc_session_traits {
    bool id_bound;      /* the client id carries an organization of the identity: others cannot
                           resume it */
    bool end_on_expiry; /* end the connection when its time is over */
    bool no_password;   /* its token came otherwise (MQTT 5 enhanced authentication) */
    void *owner;        /* see oc_session_owner() */
} oc_session_traits_t;

/* Why a connection is to be ended. */
typedef enum oc_session_end {
    OC_SESSION_EXPIRED,
    OC_SESSION_REVOKED, /* its token */
    OC_SESSION_KICKED,  /* only the connection: it may come back */
} oc_session_end_t;

/* NULL when out of memory.
 * limits: borrowed until oc_sessions_free(); each connection with an identity is entered there */
oc_sessions_t *oc_sessions_new(oc_limits_t *limits);
/* Whether the broker still has the client, which lost its connection. It keeps one for a delayed Will. */
typedef bool (*oc_sessions_kept_fn)(const void *client, const char *client_id);
/* Ask the broker before a session is forgotten that waits for its Will. */
void oc_sessions_ask(oc_sessions_t *sessions, oc_sessions_kept_fn is_kept);
void oc_sessions_free(oc_sessions_t *sessions);

/* Make the session of a client that just authenticated; replaces whatever the pointer had, and becomes
 * the current one of its client id. OC_E_NOMEM.
 * identity: taken on success */
OC_MUST_CHECK oc_err_t oc_sessions_bind(oc_sessions_t *sessions, const void *client,
                                        const char *client_id, oc_identity_t *identity,
                                        const unsigned char token_hash[static OC_SESSION_HASH_LEN],
                                        const oc_session_traits_t *traits);

/* The same for a client that is left to another authenticator, which may still refuse it: so it takes
 * nothing from a session with an identity. */
OC_MUST_CHECK oc_err_t oc_sessions_bind_foreign(oc_sessions_t *sessions, const void *client,
                                                const char *client_id);

/* Forget what the pointer had, if anything. */
void oc_sessions_drop(oc_sessions_t *sessions, const void *client);

/* The connection is gone.
 * lives_on: the broker may keep the session for a later connection */
void oc_sessions_disconnected(oc_sessions_t *sessions, const void *client, bool lives_on,
                              int64_t now_s);

/* The session turned out to have a connection. */
void oc_sessions_connected(oc_sessions_t *sessions, oc_session_t *session);

/* The session of the pointer, if it has this client id; NULL otherwise. Allocates nothing. */
oc_session_t *oc_sessions_find(const oc_sessions_t *sessions, const void *client,
                               const char *client_id);

/* For each delivery, before anything else is asked: the one organization whose events the client may be delivered now.
 * NULL says nothing: it has several, or every one, or none.
 * client_id: as it was given to oc_sessions_bind(), the same bytes at the same address */
const oc_org_load_t *oc_sessions_granted(oc_sessions_t *sessions, const void *client,
                                         const char *client_id, int64_t now_s);

/* The client that oc_sessions_granted() will probably be asked for next, by what came after this one the last time. It
 * may be gone: not to be looked at. NULL: none is known. */
const void *oc_sessions_next_asked(const oc_sessions_t *sessions);

/* The current session of the client id, or NULL. */
oc_session_t *oc_sessions_find_id(const oc_sessions_t *sessions, const char *client_id);

/* Whether a client may take the client id: OC_E_CLIENT_ID_IN_USE when a live connection of another subject
 * has it, or an offline session whose id carries what is not the client's organization or, for a service,
 * subject, or one for which something is on its way, which is not for the identity.
 * identity: NULL for a client of another authenticator; these are not told apart */
OC_MUST_CHECK oc_err_t oc_sessions_check_id(const oc_sessions_t *sessions, const char *client_id,
                                            const oc_identity_t *identity, int64_t now_s);

/* Another identity of the same subject, from now on, for the connection it has.
 * identity: taken on success
 * Errors: OC_E_NOMEM; the session is as it was. */
OC_MUST_CHECK oc_err_t oc_sessions_refresh(oc_sessions_t *sessions, oc_session_t *session,
                                           oc_identity_t *identity);

/* Its token is no longer good: it has no rights from now on, and its connection is to be ended. */
void oc_sessions_revoke(oc_sessions_t *sessions, oc_session_t *session);

/* Its connection, if it has one, is to be ended. */
void oc_sessions_kick(oc_sessions_t *sessions, oc_session_t *session);

/* The next session whose connection is to be ended, once for each cause; NULL when there is none. Those
 * without a connection are dealt with on the way. */
oc_session_t *oc_sessions_next_due(oc_sessions_t *sessions, int64_t now_s,
                                   oc_session_end_t *ret_cause);

/* Something is on its way to its client id. The broker hands it out when its loop comes round, without asking
 * anybody, to whoever has the id by then: so until oc_sessions_delivered() nobody takes it
 * but the same subject with the same rights or more. */
void oc_sessions_addressed(const oc_sessions_t *sessions, oc_session_t *session, int64_t now_s);
/* Everything that is on its way is handed out before another client connects. */
void oc_sessions_delivered(oc_sessions_t *sessions);

/* The sessions one after the other, in no order; *cursor starts at 0. NULL at the end. */
oc_session_t *oc_sessions_next(const oc_sessions_t *sessions, size_t *cursor);

size_t oc_sessions_count(const oc_sessions_t *sessions);
/* With an identity and a connection; of two with one client id the newest counts. */
size_t oc_sessions_connected_count(const oc_sessions_t *sessions);
/* As oc_session_offline(). */
size_t oc_sessions_offline_count(const oc_sessions_t *sessions);

/* What the session may do now is its identity's: OC_E_TOKEN_EXPIRED when it has none any more, though an
 * identity past its deadline is still given; OC_E_TOKEN_REVOKED; OC_E_SESSION_UNKNOWN when it is foreign.
 * ret_identity: borrowed */
OC_MUST_CHECK oc_err_t oc_session_rights(const oc_session_t *session,
                                         const oc_identity_t **ret_identity);
/* NULL once its time is over, or when it is foreign; still there when it was revoked. */
const oc_identity_t *oc_session_identity(const oc_session_t *session);
const char *oc_session_client_id(const oc_session_t *session);
/* Of the token that it connected with: OC_SESSION_HASH_LEN bytes. */
const unsigned char *oc_session_token_hash(const oc_session_t *session);
bool oc_session_no_password(const oc_session_t *session);
bool oc_session_connected(const oc_session_t *session);
/* Without a connection, but kept for a later one, and things are queued for it. The broker may keep others,
 * whose client id is not bound. */
bool oc_session_offline(const oc_session_t *session);
/* True when the broker's client of this id is this session's: not for the older of two with one client id,
 * nor beside another authenticator's client. */
bool oc_session_holds_id(const oc_sessions_t *sessions, const oc_session_t *session);
/* The newest of its client id. */
bool oc_session_current(const oc_session_t *session);
bool oc_session_id_bound(const oc_session_t *session);
bool oc_session_end_on_expiry(const oc_session_t *session);
/* Whoever let it in, as given at oc_sessions_bind(); NULL when it is foreign. */
void *oc_session_owner(const oc_session_t *session);
/* No other session has this number, not even a later one at the same address. Never 0. */
uint64_t oc_session_serial(const oc_session_t *session);
/* Whether a client with this identity may continue the session: it is the same subject's, or nothing is
 * left of it. */
bool oc_session_resumable(const oc_sessions_t *sessions, const oc_session_t *session,
                          const oc_identity_t *identity);
/* Its account of what it is sent for the asking; all zero at first. */
oc_bucket_t *oc_session_bucket(oc_session_t *session);
/* A client of another authenticator. */
bool oc_session_foreign(const oc_session_t *session);

#endif

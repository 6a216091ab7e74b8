/* SPDX-License-Identifier: MIT */
#ifndef OC_SESSION_H
#define OC_SESSION_H

/* Maps each of the broker's clients to an identity. The broker stores no plugin data per client,
 * reuses client pointers at once, and has two clients with one id during a takeover. So the plugin
 * finds a session by pointer and confirms it by client id. The newest session of a client id is the
 * current one.
 *
 * A session outlives its connection: the broker publishes a Will after it reports the disconnect,
 * queues for offline sessions, and authenticates them again on SIGHUP. An offline session loses its
 * identity, and so its rights, at the deadline. It goes when its pointer or its client id gets
 * another session.
 *
 * Clients of other authenticators have sessions too, without an identity, so that their ids are
 * known. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bucket.h"
#include "identity.h"
#include "org_limits.h"

typedef struct oc_session oc_session_t;
typedef struct oc_sessions oc_sessions_t;

/* Enough of a token's SHA-256 to recognize the token. */
#define OC_SESSION_HASH_LEN 16

typedef struct oc_session_traits {
    bool id_bound;      /* the client id carries an organization of the identity: others cannot
                           resume it */
    bool end_on_expiry; /* end the connection when the token expires */
    bool no_password;   /* the token came by MQTT 5 enhanced authentication */
    void *owner;        /* see oc_session_owner() */
} oc_session_traits_t;

/* Why a connection is to be ended. */
typedef enum oc_session_end {
    OC_SESSION_EXPIRED,
    OC_SESSION_REVOKED, /* the token was revoked */
    OC_SESSION_KICKED,  /* only the connection ends: the client may come back */
} oc_session_end_t;

/* NULL when out of memory.
 * limits: borrowed until oc_sessions_free(); each connection with an identity is entered there */
oc_sessions_t *oc_sessions_new(oc_limits_t *limits);
/* Whether the broker still has a client that lost its connection. It keeps a client for a delayed
 * Will. */
typedef bool (*oc_sessions_kept_fn)(const void *client, const char *client_id);
/* Set a function that asks the broker before a session that waits for its Will is forgotten. */
void oc_sessions_ask(oc_sessions_t *sessions, oc_sessions_kept_fn is_kept);
void oc_sessions_free(oc_sessions_t *sessions);

/* Make the session of a client that just authenticated. The session replaces the pointer's earlier
 * one, and becomes the current one of its client id. OC_E_NOMEM.
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

/* The fast path of each delivery: the only organization whose events the client may receive now.
 * NULL: the client has several, all or none, so check further.
 * client_id: the same bytes at the same address as given to oc_sessions_bind() */
const oc_org_load_t *oc_sessions_granted(oc_sessions_t *sessions, const void *client,
                                         const char *client_id, int64_t now_s);

/* The client that will probably be the next argument of oc_sessions_granted(), because it followed
 * this one the last time. The client may be gone: never dereference the pointer. NULL: unknown. */
const void *oc_sessions_next_asked(const oc_sessions_t *sessions);

/* The current session of the client id, or NULL. */
oc_session_t *oc_sessions_find_id(const oc_sessions_t *sessions, const char *client_id);

/* Whether a client may take the client id. OC_E_CLIENT_ID_IN_USE in three cases: a live connection
 * of another subject has the id; an offline session has it whose id begins with something other
 * than the client's organization or, for a service, subject; a message for somebody else is under
 * way to it.
 * identity: NULL for a client of another authenticator; all such clients count as the same */
OC_MUST_CHECK oc_err_t oc_sessions_check_id(const oc_sessions_t *sessions, const char *client_id,
                                            const oc_identity_t *identity, int64_t now_s);

/* Replace the identity of a live session by another one of the same subject.
 * identity: taken on success
  * Errors: OC_E_NOMEM; the session is then unchanged. */
OC_MUST_CHECK oc_err_t oc_sessions_refresh(oc_sessions_t *sessions, oc_session_t *session,
                                           oc_identity_t *identity);

/* Revoke the session's token: the session loses its rights at once, and its connection becomes
 * due. */
void oc_sessions_revoke(oc_sessions_t *sessions, oc_session_t *session);

/* Make the session's connection due, if it has one. */
void oc_sessions_kick(oc_sessions_t *sessions, oc_session_t *session);

/* The next session whose connection is due to be ended, once for each cause; NULL when there is
 * none. Also handles the sessions without a connection that come before it. */
oc_session_t *oc_sessions_next_due(oc_sessions_t *sessions, int64_t now_s,
                                   oc_session_end_t *ret_cause);

/* Note that a message is under way to the session's client id. The broker delivers the message in
 * the next turn of its loop to the client that then has the id, without a check. So until
 * oc_sessions_delivered(), only the same subject with the same rights or more may take the id. */
void oc_sessions_addressed(const oc_sessions_t *sessions, oc_session_t *session, int64_t now_s);
/* Note that the broker delivers all such messages before another client connects. */
void oc_sessions_delivered(oc_sessions_t *sessions);

/* Iterate over the sessions, in no order; *cursor starts at 0. NULL at the end. */
oc_session_t *oc_sessions_next(const oc_sessions_t *sessions, size_t *cursor);

size_t oc_sessions_count(const oc_sessions_t *sessions);
/* With an identity and a connection; of two with one client id the newest counts. */
size_t oc_sessions_connected_count(const oc_sessions_t *sessions);
/* As oc_session_offline(). */
size_t oc_sessions_offline_count(const oc_sessions_t *sessions);

/* The identity that decides what the session may do now. OC_E_TOKEN_EXPIRED when the session no
 * longer has one (an identity past its deadline is still returned); OC_E_TOKEN_REVOKED;
 * OC_E_SESSION_UNKNOWN when the session is foreign.
 * ret_identity: borrowed */
OC_MUST_CHECK oc_err_t oc_session_rights(const oc_session_t *session,
                                         const oc_identity_t **ret_identity);
/* NULL when the session's time is over or the session is foreign, but not when it is revoked. */
const oc_identity_t *oc_session_identity(const oc_session_t *session);
const char *oc_session_client_id(const oc_session_t *session);
/* The hash of the token that the client connected with: OC_SESSION_HASH_LEN bytes. */
const unsigned char *oc_session_token_hash(const oc_session_t *session);
bool oc_session_no_password(const oc_session_t *session);
bool oc_session_connected(const oc_session_t *session);
/* A session without a connection, for which the broker queues events. The broker may keep further
 * sessions, whose client id is not bound. */
bool oc_session_offline(const oc_session_t *session);
/* True when the broker's client with this id belongs to this session. False for the older of two
 * sessions with one client id, and when another authenticator's client has the id. */
bool oc_session_holds_id(const oc_sessions_t *sessions, const oc_session_t *session);
/* True for the newest session of a client id. */
bool oc_session_current(const oc_session_t *session);
bool oc_session_id_bound(const oc_session_t *session);
bool oc_session_end_on_expiry(const oc_session_t *session);
/* The owner given to oc_sessions_bind(); NULL when the session is foreign. */
void *oc_session_owner(const oc_session_t *session);
/* No other session has this number, not even a later one at the same address. Never 0. */
uint64_t oc_session_serial(const oc_session_t *session);
/* Whether a client with this identity may continue the session: the session is of the same subject,
 * or nothing is left of it. */
bool oc_session_resumable(const oc_sessions_t *sessions, const oc_session_t *session,
                          const oc_identity_t *identity);
/* The session's budget for answers and replays; all zero at first. */
oc_bucket_t *oc_session_bucket(oc_session_t *session);
/* A client of another authenticator. */
bool oc_session_foreign(const oc_session_t *session);

#endif

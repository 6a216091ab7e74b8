/* SPDX-License-Identifier: MIT */
#ifndef OC_SESSION_H
#define OC_SESSION_H

/* Which identity each of the broker's clients has. The broker offers no per-client data, reuses
 * client pointers at once, and has two clients with one id during a takeover. So a session is found by
 * pointer and confirmed by client id, and of several sessions with one id the newest is current.
 *
 * A session outlives its connection: the broker publishes a Will after it reported the disconnect, and
 * queues for offline sessions. It goes when its pointer gets another session, or some time after its
 * deadline. One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "identity.h"

typedef struct oc_session oc_session_t;
typedef struct oc_sessions oc_sessions_t;

/* NULL when out of memory. */
oc_sessions_t *oc_sessions_new(void);
void oc_sessions_free(oc_sessions_t *sessions);

/* Make the session of a client that just authenticated; replaces whatever the pointer had, and becomes
 * the current one of its client id.
 * identity: taken on success.
 * id_bound: the client id carries an organization of the identity, so it may live on offline. */
OC_MUST_CHECK oc_err_t oc_sessions_bind(oc_sessions_t *sessions, const void *client,
                                        const char *client_id, oc_identity_t *identity,
                                        const unsigned char token_hash[static OC_TOKEN_HASH_LEN],
                                        bool id_bound, oc_session_t **ret_session);

/* Forget what the pointer had, if anything. */
void oc_sessions_drop(oc_sessions_t *sessions, const void *client);

/* The connection is gone; the session stays for the Will and for offline queueing. */
void oc_sessions_disconnected(oc_sessions_t *sessions, const void *client, int64_t now_s);

/* A session that counts as disconnected did what only a connected one can. */
void oc_sessions_proved_connected(oc_sessions_t *sessions, oc_session_t *session);

/* The session of the pointer, if it has this client id; NULL otherwise. Allocates nothing. */
oc_session_t *oc_sessions_find(const oc_sessions_t *sessions, const void *client,
                               const char *client_id);

/* The current session of the client id, or NULL. */
oc_session_t *oc_sessions_find_id(const oc_sessions_t *sessions, const char *client_id);

/* OC_E_CLIENT_ID_IN_USE when a live connection of another subject has the client id.
 * subject: NULL for a client that is no JWT client. */
OC_MUST_CHECK oc_err_t oc_sessions_check_id(const oc_sessions_t *sessions, const char *client_id,
                                            const char *subject, int64_t now_s);

/* Let go of a client id that another client is about to take: its session, if any, is no longer the
 * current one, and so will not have its connection ended by that id. */
void oc_sessions_release_id(oc_sessions_t *sessions, const char *client_id);

/* Take the next session that is due. One without a connection is freed here. One with a connection
 * is returned once, for the caller to end its connection; NULL when there is none. */
oc_session_t *oc_sessions_next_expired(oc_sessions_t *sessions, int64_t now_s);

size_t oc_sessions_count(const oc_sessions_t *sessions);

const oc_identity_t *oc_session_identity(const oc_session_t *session);
const char *oc_session_client_id(const oc_session_t *session);
const unsigned char *oc_session_token_hash(const oc_session_t *session);
bool oc_session_connected(const oc_session_t *session);
/* False for the older of two sessions with one client id. */
bool oc_session_current(const oc_session_t *session);
bool oc_session_id_bound(const oc_session_t *session);

#endif

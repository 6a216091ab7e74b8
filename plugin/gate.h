/* SPDX-License-Identifier: MIT */
#ifndef OC_GATE_H
#define OC_GATE_H

/* Admission: turns a client's token into a session, or into a reason to refuse the client. Handles
 * CONNECT, refresh, and the authentications that the broker repeats on SIGHUP. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "shared.h"
#include "verifier.h"

typedef struct oc_gate {
    const oc_config_t *config; /* borrowed */
    oc_verifier_t *verifier;
    oc_shared_t *shared; /* borrowed */
    void *owner;         /* becomes oc_session_owner() of its sessions */
    int64_t reloaded_s;  /* when SIGHUP was last served; 0 after the next tick */
} oc_gate_t;

/* Bytes. MQTT allows 65,535, too many for a list of sessions. */
#define OC_CLIENT_ID_MAX 512

/* Whether the broker has the client already and authenticates it again, as it does on SIGHUP. */
typedef enum oc_gate_known {
    OC_GATE_NEW,     /* it connects now */
    OC_GATE_PERHAPS, /* the broker cannot tell */
    OC_GATE_KNOWN,
} oc_gate_known_t;

/* What the broker knows of a client that authenticates. Borrowed. */
typedef struct oc_gate_client {
    const void *client;
    const char *id;
    const char *address; /* NULL: the broker restored the session from disk */
    oc_gate_known_t known;
    bool clean_start;
    bool no_password; /* the token came by MQTT 5 enhanced authentication */
    /* The client whose session the broker has under this id, and that client's username. NULL: no
     * session, or the broker cannot tell. */
    const void *holder;
    const char *holder_username;
} oc_gate_client_t;

/* log and errors: as for oc_keyring_new(). owner: also the context of log */
OC_MUST_CHECK oc_err_t oc_gate_init(oc_gate_t *gate, const oc_config_t *config, oc_shared_t *shared,
                                    oc_keyring_log_t log, void *owner, oc_diag_t *diag);
void oc_gate_done(oc_gate_t *gate);

/* A password and its hash. */
typedef struct oc_gate_token {
    const char *bytes;
    size_t len;
    unsigned char hash[OC_TOKEN_HASH_LEN];
} oc_gate_token_t;

/* False when OpenSSL is out of memory. bytes: borrowed */
OC_MUST_CHECK bool oc_gate_token(oc_gate_t *gate, const char *bytes, size_t len,
                                 oc_gate_token_t *ret_token);

/* Who decides about a client that authenticates. */
typedef enum oc_gate_party {
    OC_GATE_CONNECTS, /* the token decides: see oc_gate_check() */
    OC_GATE_OURS,     /* nobody: the client's session stays as it is */
    OC_GATE_THEIRS,   /* the broker's other authenticators; the session here stays as it is */
} oc_gate_party_t;

/* On SIGHUP the broker authenticates every client again, even those without a connection. A client
 * keeps its session until its token expires, even when the key is gone. Never refuse a client
 * without a connection: Mosquitto would free the client and keep using it. Never give such a client
 * a session
 * either: the plugin would end a connection that does not exist, with the same effect. */
oc_gate_party_t oc_gate_recognize(oc_gate_t *gate, const oc_gate_client_t *client,
                                  const oc_gate_token_t *token);

/* Whether a client with this token may connect.
 * ret_identity: a reference for the caller
 * Errors: any reason code; diag has no byte of the token. */
OC_MUST_CHECK oc_err_t oc_gate_check(oc_gate_t *gate, const oc_gate_client_t *client,
                                     const oc_gate_token_t *token, int64_t now_s,
                                     oc_identity_t **ret_identity, oc_diag_t *diag);

/* Make the session of a client that oc_gate_check() accepted. OC_E_NOMEM. identity: taken on
 * success */
OC_MUST_CHECK oc_err_t oc_gate_enter(oc_gate_t *gate, const oc_gate_client_t *client,
                                     const oc_gate_token_t *token, oc_identity_t *identity,
                                     oc_diag_t *diag);

/* The same for a client that is left to the broker's other authenticators. */
OC_MUST_CHECK oc_err_t oc_gate_enter_foreign(oc_gate_t *gate, const oc_gate_client_t *client,
                                             int64_t now_s, oc_diag_t *diag);

/* Replace the identity of a live session by that of a new token. On error the session is unchanged.
 * OC_E_CLAIM_INVALID: the token is for another subject. Otherwise the errors of oc_gate_check(). */
OC_MUST_CHECK oc_err_t oc_gate_refresh(oc_gate_t *gate, oc_session_t *session, const char *address,
                                       const oc_gate_token_t *token, int64_t now_s,
                                       oc_diag_t *diag);

/* The budget of a session for answers and replays: this many bytes at once, then this many a
 * second. The limit exists because Mosquitto never frees a plugin's message to a client that does
 * not read, even when the client has gone. Administrators and services are exempt. Clients without
 * a session share one budget. */
#define OC_GATE_ANSWERS_BURST 16777216
#define OC_GATE_ANSWERS_PER_S 524288
/* What each answer or event costs in addition to its bytes. */
#define OC_GATE_ANSWER_OVERHEAD 512

/* Milliseconds of the clock that all these budgets share, for oc_bucket_t. */
uint64_t oc_gate_answer_clock(oc_gate_t *gate, int64_t now_s);
/* How many bytes are left. session: may be NULL */
uint32_t oc_gate_answers_left(oc_gate_t *gate, oc_session_t *session, int64_t now_s);
/* Charge the session for this many bytes that are sent. */
void oc_gate_note_answer(oc_gate_t *gate, oc_session_t *session, int64_t now_s, size_t bytes);

/* End the live sessions whose tokens are now revoked. Returns how many. */
size_t oc_gate_apply_revocations(oc_gate_t *gate);

/* Set the gauges among the metrics. */
void oc_gate_measure(oc_gate_t *gate, int64_t now_s);

#endif

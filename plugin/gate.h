/* SPDX-License-Identifier: MIT */
#ifndef OC_GATE_H
#define OC_GATE_H

/* Who comes in: a client with its token → a session, or the reason why not. CONNECT, refresh, and the
 * authentications that the broker repeats on SIGHUP. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "shared.h"
#include "verifier.h"

typedef struct oc_gate {
    const oc_config_t *config; /* borrowed */
    oc_verifier_t *verifier;
    oc_shared_t *shared; /* borrowed */
    void *owner;         /* of the sessions that it lets in: oc_session_owner() */
    int64_t reloaded_s;  /* when SIGHUP was last served; 0 after the next tick */
} oc_gate_t;

/* Bytes. MQTT allows 65,535, which whoever lists sessions would have to read. */
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
    /* The client whose session the broker has under this id, and its username. NULL: there is none, or
     * the broker cannot tell. */
    const void *holder;
    const char *holder_username;
} oc_gate_client_t;

/* log and errors: as for oc_keyring_new(). owner: also the context of log */
OC_MUST_CHECK oc_err_t oc_gate_init(oc_gate_t *gate, const oc_config_t *config, oc_shared_t *shared,
                                    oc_keyring_log_t log, void *owner, oc_diag_t *diag);
void oc_gate_done(oc_gate_t *gate);

/* A password and what names it. */
typedef struct oc_gate_token {
    const char *bytes;
    size_t len;
    unsigned char hash[OC_TOKEN_HASH_LEN];
} oc_gate_token_t;

/* False when OpenSSL is out of memory. bytes: borrowed */
OC_MUST_CHECK bool oc_gate_token(oc_gate_t *gate, const char *bytes, size_t len,
                                 oc_gate_token_t *ret_token);

/* Who decides on a client that authenticates. */
typedef enum oc_gate_party {
    OC_GATE_CONNECTS, /* its token: see oc_gate_check() */
    OC_GATE_OURS,     /* nobody: it stays as it is */
    OC_GATE_THEIRS,   /* the broker's other authenticators; its session here stays as it is */
} oc_gate_party_t;

/* On SIGHUP the broker authenticates every client again, also those without a connection. A client keeps
 * its session until its token expires, whatever happened to the key. Never refuse a client without a
 * connection: Mosquitto would free it and go on using it. Never give it a session either: the plugin would
 * end a connection that does not exist, with the same effect. */
oc_gate_party_t oc_gate_recognize(oc_gate_t *gate, const oc_gate_client_t *client,
                                  const oc_gate_token_t *token);

/* Whether a client with this token may connect.
 * ret_identity: a reference for the caller
 * Errors: any reason code; diag has no byte of the token. */
OC_MUST_CHECK oc_err_t oc_gate_check(oc_gate_t *gate, const oc_gate_client_t *client,
                                     const oc_gate_token_t *token, int64_t now_s,
                                     oc_identity_t **ret_identity, oc_diag_t *diag);

/* Give a client that was checked its session. OC_E_NOMEM. identity: taken on success */
OC_MUST_CHECK oc_err_t oc_gate_enter(oc_gate_t *gate, const oc_gate_client_t *client,
                                     const oc_gate_token_t *token, oc_identity_t *identity,
                                     oc_diag_t *diag);

/* The same for one that is left to the broker's other authenticators. */
OC_MUST_CHECK oc_err_t oc_gate_enter_foreign(oc_gate_t *gate, const oc_gate_client_t *client,
                                             int64_t now_s, oc_diag_t *diag);

/* Another token for a live session: its identity is replaced at once, or the session is as it was.
 * OC_E_CLAIM_INVALID when it is another subject's; otherwise errors as those of oc_gate_check(). */
OC_MUST_CHECK oc_err_t oc_gate_refresh(oc_gate_t *gate, oc_session_t *session, const char *address,
                                       const oc_gate_token_t *token, int64_t now_s,
                                       oc_diag_t *diag);

/* Bytes that a session may be sent for what it asks, answers and replays: so many at once, then so many a second.
 * What a plugin sends to a client that does not read it Mosquitto never frees, even when the client has gone.
 * Of administrators and services much is expected; those without a session share one account. */
#define OC_GATE_ANSWERS_BURST 16777216
#define OC_GATE_ANSWERS_PER_S 524288
/* And what each of them takes besides. */
#define OC_GATE_ANSWER_OVERHEAD 512

/* Milliseconds, for oc_bucket_t, of the clock that all these accounts have. */
uint64_t oc_gate_answer_clock(oc_gate_t *gate, int64_t now_s);
/* So many are left. session: may be NULL */
uint32_t oc_gate_answers_left(oc_gate_t *gate, oc_session_t *session, int64_t now_s);
/* Something of so many bytes is sent. */
void oc_gate_note_answer(oc_gate_t *gate, oc_session_t *session, int64_t now_s, size_t bytes);

/* End the live sessions whose tokens are revoked now. How many there were. */
size_t oc_gate_apply_revocations(oc_gate_t *gate);

/* Set the gauges among the metrics. */
void oc_gate_measure(oc_gate_t *gate, int64_t now_s);

#endif

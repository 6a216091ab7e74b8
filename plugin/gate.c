/* SPDX-License-Identifier: MIT */
#include "gate.h"

#include <openssl/crypto.h>
#include <string.h>

#include "jws.h"

/* A refresh from where bad tokens come takes as much as an answer of this size. */
#define HELD_REFRESH_BYTES 262144

oc_err_t oc_gate_init(oc_gate_t *gate, const oc_config_t *config, oc_shared_t *shared,
                      oc_keyring_log_t log, void *owner, oc_diag_t *diag)
{
    *gate = (oc_gate_t){.config = config, .shared = shared, .owner = owner};
    return oc_verifier_new(config, log, owner, &gate->verifier, diag);
}

void oc_gate_done(oc_gate_t *gate)
{
    oc_verifier_free(gate->verifier);
    *gate = (oc_gate_t){0};
}

bool oc_gate_token(oc_gate_t *gate, const char *bytes, size_t len, oc_gate_token_t *ret_token)
{
    ret_token->bytes = bytes;
    ret_token->len = len;
    return oc_verifier_hash(gate->verifier, bytes, len, ret_token->hash);
}

static bool same_token(const oc_session_t *session, const oc_gate_token_t *token)
{
    return CRYPTO_memcmp(token->hash, oc_session_token_hash(session), OC_SESSION_HASH_LEN) == 0;
}

/* Whether a client that may be known is the session's. */
static bool is_same_client(oc_gate_t *gate, const oc_gate_client_t *client, oc_session_t *session,
                           const oc_gate_token_t *token)
{
    if (client->known == OC_GATE_KNOWN)
        return true;
    if (!oc_session_no_password(session))
        return same_token(session, token);
    /* There is no token to compare. The client has no subscriptions, so it misses nothing without rights. */
    if (!oc_session_connected(session))
        oc_sessions_revoke(gate->shared->sessions, session);
    return true;
}

oc_gate_party_t oc_gate_recognize(oc_gate_t *gate, const oc_gate_client_t *client,
                                  const oc_gate_token_t *token)
{
    oc_session_t *session = oc_sessions_find(gate->shared->sessions, client->client, client->id);

    if (client->known == OC_GATE_NEW)
        return OC_GATE_CONNECTS;
    if (session && oc_session_foreign(session))
        return OC_GATE_THEIRS;
    if (session)
        return is_same_client(gate, client, session, token) ? OC_GATE_OURS : OC_GATE_CONNECTS;
    /* Restored from disk, without its password: nobody could tell whether it was good. Without a session
     * it gets no event until it connects. */
    if (!client->address)
        return OC_GATE_OURS;
    if (client->known == OC_GATE_PERHAPS)
        return OC_GATE_CONNECTS;
    return gate->config->defer_non_jwt && !oc_jws_shaped(token->bytes, token->len) ? OC_GATE_THEIRS
                                                                                   : OC_GATE_OURS;
}

static const oc_bucket_rate_t answer_rate = {.burst = OC_GATE_ANSWERS_BURST,
                                             .per_second = OC_GATE_ANSWERS_PER_S};

/* NULL: without a bound. */
static oc_bucket_t *answer_bucket(oc_gate_t *gate, oc_session_t *session)
{
    const oc_identity_t *identity = session ? oc_session_identity(session) : NULL;

    if (identity && (identity->admin || identity->any_org))
        return NULL;
    return session ? oc_session_bucket(session) : &gate->shared->strangers;
}

uint64_t oc_gate_answer_clock(oc_gate_t *gate, int64_t now_s)
{
    return oc_told_clock(&gate->shared->answer_clock, now_s * 1000);
}

uint32_t oc_gate_answers_left(oc_gate_t *gate, oc_session_t *session, int64_t now_s)
{
    const oc_bucket_t *bucket = answer_bucket(gate, session);

    if (!bucket)
        return OC_GATE_ANSWERS_BURST;
    return OC_GATE_ANSWERS_BURST -
           (uint32_t)(oc_bucket_spent(bucket, answer_rate, oc_gate_answer_clock(gate, now_s)) /
                      1000);
}

void oc_gate_note_answer(oc_gate_t *gate, oc_session_t *session, int64_t now_s, size_t bytes)
{
    oc_bucket_t *bucket = answer_bucket(gate, session);

    if (bucket)
        oc_bucket_spend(bucket, answer_rate, oc_gate_answer_clock(gate, now_s),
                        bytes < OC_GATE_ANSWERS_BURST ? (uint32_t)bytes : OC_GATE_ANSWERS_BURST);
}

/* An address that sends bad tokens is slowed down. The first token with a new key counts as one: else made-up key
 * ids would never count. After a key rotation the others wait for the same key, and do not count. */
static bool is_bad_token(oc_err_t err, oc_key_miss_t miss)
{
    if (err == OC_E_KEY_UNKNOWN)
        return miss != OC_KEY_AWAITED;
    return err != OC_OK && err != OC_E_NOMEM;
}

/* Whether too many bad tokens came from where this one comes from. Behind a NAT a connection that was let in is not
 * held up by others, but may not try without end either. */
static bool is_held(oc_gate_t *gate, const char *address, oc_session_t *session, int64_t now_s)
{
    if (!oc_penalty_held(gate->shared->penalty, address, now_s))
        return false;
    if (!session || oc_gate_answers_left(gate, session, now_s) < OC_GATE_ANSWERS_BURST / 2)
        return true;
    oc_gate_note_answer(gate, session, now_s, HELD_REFRESH_BYTES);
    return false;
}

/* A token's bytes → an identity that is good now.
 * session: the one that it is to renew; NULL: there is none */
static oc_err_t identify(oc_gate_t *gate, const char *address, oc_session_t *session,
                         const oc_gate_token_t *token, int64_t now_s, oc_identity_t **ret_identity,
                         oc_diag_t *diag)
{
    oc_shared_t *shared = gate->shared;
    bool known = oc_verifier_knows(gate->verifier, token->hash);
    oc_identity_t *identity = NULL;
    oc_key_miss_t miss = OC_KEY_ABSENT;
    oc_err_t err;

    if (!known && is_held(gate, address, session, now_s))
        return oc_fail(diag, OC_E_LIMIT_RATE, "too many bad tokens from this address");
    err = oc_verifier_identify(gate->verifier, token->bytes, token->len, token->hash, now_s,
                               &identity, &miss, diag);
    if (!err && oc_revocations_match(shared->revocations, identity))
        err = oc_fail(diag, OC_E_TOKEN_REVOKED, "the token is revoked");
    /* A client that repeats an expired token does not lock out others behind its address. */
    if (is_bad_token(err, miss) && !known)
        oc_penalty_note(shared->penalty, address, now_s);
    if (err) {
        oc_identity_unref(identity);
        return err;
    }
    *ret_identity = identity;
    return OC_OK;
}

/* What the broker's own bridges are called among its clients, unless local_clientid says otherwise. It does not
 * tell plugins of them, and whoever connects with such an id ends the bridge; when that comes back Mosquitto 2.0
 * has two clients of one id, and uses one of them after it freed it. */
static bool is_bridge_id(const char *client_id)
{
    return strncmp(client_id, "local.", 6) == 0;
}

/* Whether what the broker keeps under the client's id, if anything, is the same subject's. An unbound id gets
 * nothing queued, but subscriptions and unacknowledged events stay. Mosquitto 2.0 does not tell of sessions that
 * the plugin does not know; deliveries are checked anyway. */
static bool may_resume(const oc_gate_t *gate, const oc_gate_client_t *client,
                       const oc_identity_t *identity)
{
    const oc_sessions_t *sessions = gate->shared->sessions;
    const oc_session_t *session = oc_sessions_find_id(sessions, client->id);

    if (session && !oc_session_resumable(sessions, session, identity))
        return false;
    if (!client->holder || oc_sessions_find(sessions, client->holder, client->id))
        return true;
    /* The name in another authenticator's session is not a subject. */
    return !gate->config->defer_non_jwt && client->holder_username &&
           strcmp(client->holder_username, identity->subject) == 0;
}

/* identity: NULL for a client of another authenticator */
static oc_err_t check_client_id(const oc_gate_t *gate, const oc_gate_client_t *client,
                                const oc_identity_t *identity, int64_t now_s, oc_diag_t *diag)
{
    if (identity && strlen(client->id) > OC_CLIENT_ID_MAX)
        return oc_fail(diag, OC_E_CLIENT_ID_NOT_BOUND, "the client id is longer than %d bytes",
                       OC_CLIENT_ID_MAX);
    if (is_bridge_id(client->id))
        return oc_fail(diag, OC_E_CLIENT_ID_IN_USE, "it is a bridge's");
    /* An id with a slash belongs to an organization or a service. */
    if (identity && strchr(client->id, '/') && !oc_identity_binds_client_id(identity, client->id))
        return oc_fail(diag, OC_E_CLIENT_ID_NOT_BOUND, "an id with a slash needs the form %s/...",
                       identity->any_org ? "{subject}" : "{organizationId}");
    if (oc_sessions_check_id(gate->shared->sessions, client->id, identity, now_s) != OC_OK)
        return oc_fail(diag, OC_E_CLIENT_ID_IN_USE,
                       "it is another subject's, or an answer to it is on its way");
    if (identity && !client->clean_start && !oc_identity_binds_client_id(identity, client->id) &&
        !may_resume(gate, client, identity))
        return oc_fail(diag, OC_E_CLIENT_ID_NOT_BOUND,
                       "the broker keeps another subject's session under this id");
    return OC_OK;
}

/* The identity of the connection that ends when a client of this id connects. */
static const oc_identity_t *replaced_by(const oc_gate_t *gate, const char *client_id)
{
    const oc_session_t *holder = oc_sessions_find_id(gate->shared->sessions, client_id);

    return holder && oc_session_connected(holder) ? oc_session_identity(holder) : NULL;
}

oc_err_t oc_gate_check(oc_gate_t *gate, const oc_gate_client_t *client,
                       const oc_gate_token_t *token, int64_t now_s, oc_identity_t **ret_identity,
                       oc_diag_t *diag)
{
    oc_identity_t *identity = NULL;
    oc_err_t err = identify(gate, client->address, NULL, token, now_s, &identity, diag);

    if (!err)
        err = check_client_id(gate, client, identity, now_s, diag);
    if (!err)
        err = oc_limits_check(gate->shared->limits, &gate->config->limits, identity,
                              replaced_by(gate, client->id), diag);
    if (err) {
        oc_identity_unref(identity);
        return err;
    }
    *ret_identity = identity;
    return OC_OK;
}

oc_err_t oc_gate_enter(oc_gate_t *gate, const oc_gate_client_t *client,
                       const oc_gate_token_t *token, oc_identity_t *identity, oc_diag_t *diag)
{
    const oc_session_traits_t traits = {
        .id_bound = oc_identity_binds_client_id(identity, client->id),
        .end_on_expiry = gate->config->disconnect_on_expiry,
        .no_password = client->no_password,
        .owner = gate->owner,
    };

    if (oc_sessions_bind(gate->shared->sessions, client->client, client->id, identity, token->hash,
                         &traits) != OC_OK)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    return OC_OK;
}

oc_err_t oc_gate_enter_foreign(oc_gate_t *gate, const oc_gate_client_t *client, int64_t now_s,
                               oc_diag_t *diag)
{
    oc_err_t err = check_client_id(gate, client, NULL, now_s, diag);

    if (!err && oc_sessions_bind_foreign(gate->shared->sessions, client->client, client->id))
        err = oc_fail(diag, OC_E_NOMEM, "out of memory");
    return err;
}

static oc_err_t replace_identity(oc_gate_t *gate, oc_session_t *session, oc_identity_t *identity,
                                 const oc_identity_t *old, oc_diag_t *diag)
{
    oc_err_t err;

    if (strcmp(identity->subject, old->subject) != 0)
        return oc_fail(diag, OC_E_CLAIM_INVALID, "the token is another subject's");
    err = oc_limits_check(gate->shared->limits, &gate->config->limits, identity, old, diag);
    if (err)
        return err;
    if (oc_sessions_refresh(gate->shared->sessions, session, identity) != OC_OK)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    return OC_OK;
}

oc_err_t oc_gate_refresh(oc_gate_t *gate, oc_session_t *session, const char *address,
                         const oc_gate_token_t *token, int64_t now_s, oc_diag_t *diag)
{
    const oc_identity_t *old = NULL;
    oc_identity_t *identity = NULL;
    oc_err_t err = oc_session_rights(session, &old);

    if (err)
        return oc_fail(diag, err, "the session has ended");
    err = identify(gate, address, session, token, now_s, &identity, diag);
    if (identity)
        err = replace_identity(gate, session, identity, old, diag);
    if (err)
        oc_identity_unref(identity);
    return err;
}

size_t oc_gate_apply_revocations(oc_gate_t *gate)
{
    const oc_revocations_t *revocations = gate->shared->revocations;
    oc_sessions_t *sessions = gate->shared->sessions;
    size_t revoked = 0;
    size_t cursor = 0;
    oc_session_t *session;

    while ((session = oc_sessions_next(sessions, &cursor)) != NULL) {
        const oc_identity_t *identity = oc_session_identity(session);

        if (!identity || !oc_revocations_match(revocations, identity))
            continue;
        revoked += oc_session_connected(session) || oc_session_offline(session);
        oc_sessions_revoke(sessions, session);
    }
    return revoked;
}

void oc_gate_measure(oc_gate_t *gate, int64_t now_s)
{
    const oc_shared_t *shared = gate->shared;
    oc_metrics_t *metrics = &gate->shared->metrics;
    int64_t fetched_s;

    metrics->sessions = oc_sessions_connected_count(shared->sessions);
    metrics->sessions_offline = oc_sessions_offline_count(shared->sessions);
    metrics->organizations = oc_limits_connected_org_count(shared->limits);
    metrics->keys = oc_verifier_key_count(gate->verifier);
    metrics->revocations = oc_revocations_count(shared->revocations);
    metrics->replay_bytes = oc_stream_bytes(shared->stream);
    metrics->audit_lines_lost = shared->audit ? oc_audit_lost(shared->audit) : 0;
    metrics->jwks_age_s = OC_METRIC_ABSENT;
    if (oc_verifier_fetched(gate->verifier, &fetched_s)) {
        int64_t since_s = fetched_s == 0 ? (int64_t)metrics->started_s : fetched_s;

        metrics->jwks_age_s = now_s > since_s ? (uint64_t)(now_s - since_s) : 0;
    }
}

/* SPDX-License-Identifier: MIT */
#ifndef OC_VERIFIER_H
#define OC_VERIFIER_H

/* A token's bytes → the identity it stands for, now: keys, strict parsing, signature, claims, and the
 * cache of tokens seen before. What the plugin asks at each CONNECT. One thread. */

#include <stdint.h>

#include "identity.h"
#include "keyring.h"
#include "options.h"

typedef struct oc_verifier oc_verifier_t;

/* config: borrowed until oc_verifier_free(). log, context and errors: as for oc_keyring_new(). */
OC_MUST_CHECK oc_err_t oc_verifier_new(const oc_config_t *config, oc_keyring_log_t log,
                                       void *context, oc_verifier_t **ret_verifier,
                                       oc_diag_t *diag);
void oc_verifier_free(oc_verifier_t *verifier);

/* SHA-256, which names a token without keeping it. False when OpenSSL is out of memory. */
OC_MUST_CHECK bool oc_verifier_hash(oc_verifier_t *verifier, const char *token, size_t token_len,
                                    unsigned char ret_hash[static OC_TOKEN_HASH_LEN]);

/* True when a token of this hash verified before, or was found to be expired: looking at it again costs
 * little. */
bool oc_verifier_knows(oc_verifier_t *verifier, const unsigned char hash[static OC_TOKEN_HASH_LEN]);

/* hash:         oc_verifier_hash() of the token
 * ret_identity: a reference for the caller, oc_identity_unref()
 * ret_miss:     written with OC_E_KEY_UNKNOWN alone; may be NULL
 * Errors: those of oc_jws_verify() and oc_identity_from_claims(). diag never holds bytes of the token. Its
 * passing is set when the key may still come. */
OC_MUST_CHECK oc_err_t oc_verifier_identify(oc_verifier_t *verifier, const char *token,
                                            size_t token_len,
                                            const unsigned char hash[static OC_TOKEN_HASH_LEN],
                                            int64_t now_s, oc_identity_t **ret_identity,
                                            oc_key_miss_t *ret_miss, oc_diag_t *diag);

/* Read the key files again, and have the key sets fetched; on error the old keys stay. */
OC_MUST_CHECK oc_err_t oc_verifier_reload(oc_verifier_t *verifier, oc_diag_t *diag);

/* Take over fetched key sets. Does not wait. */
void oc_verifier_poll(oc_verifier_t *verifier);

/* As oc_keyring_fetched(). */
bool oc_verifier_fetched(const oc_verifier_t *verifier, int64_t *ret_fetched_s);

size_t oc_verifier_key_count(const oc_verifier_t *verifier);

#endif

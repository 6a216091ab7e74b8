/* SPDX-License-Identifier: MIT */
#ifndef OC_JWS_H
#define OC_JWS_H

/* A JWT in JWS compact serialization (RFC 7519, RFC 7515 §7.1): strict parsing, key selection and
 * signature. The claims are not looked at before the signature is good. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "key.h"

/* Longest token, for the buffers on the stack here. An MQTT password is at most 65,535 bytes. */
#define OC_JWS_MAX_BYTES 65535

typedef struct oc_jws_rules {
    oc_alg_set_t algs; /* allow-list */
    size_t max_bytes;  /* longer tokens are refused before any parsing */
} oc_jws_rules_t;

/* True when text is three base64url segments, none of them empty, and the first could be a JSON
 * object: what tells a JWT from another password. */
bool oc_jws_shaped(const char *text, size_t text_len);

/* Verify the token and parse its claims.
 * keys: read only, but its scratch contexts are used: one thread.
 * ret_claims: a new JSON object, owned by the caller (json_decref).
 * Errors: OC_E_TOKEN_MISSING, OC_E_TOKEN_TOO_LARGE, OC_E_TOKEN_MALFORMED, OC_E_ALG_NOT_ALLOWED,
 * OC_E_KEY_UNKNOWN, OC_E_SIGNATURE_INVALID, OC_E_NOMEM. diag never holds bytes of the token. */
OC_MUST_CHECK oc_err_t oc_jws_verify(const oc_jws_rules_t *rules, const oc_keyset_t *keys,
                                     const char *token, size_t token_len, json_t **ret_claims,
                                     oc_diag_t *diag);

#endif

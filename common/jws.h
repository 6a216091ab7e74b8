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

/* The header is parsed before the signature is checked, so anybody can make a broker do it at will. A larger one
 * is refused unparsed. The bytes are those of the base64url text: room for a certificate chain (x5c). */
#define OC_JWS_HEADER_MAX_BYTES 8192
#define OC_JWS_HEADER_VALUES_MAX 64

typedef struct oc_jws_rules {
    oc_alg_set_t algs; /* allow-list */
    size_t max_bytes;  /* longer tokens are refused before any parsing */
} oc_jws_rules_t;

/* True when text is three base64url segments, none of them empty, and the first could be a JSON
 * object: what tells a JWT from another password. */
bool oc_jws_shaped(const char *text, size_t text_len);

/* A token whose form and header are good. The bytes are borrowed from the caller. */
typedef struct oc_jws {
    const char *header, *payload, *signature; /* the three segments, base64url */
    size_t header_len, payload_len, signature_len;
    json_t *header_json;
    oc_alg_t alg;
    const char *kid; /* NULL: none; lives as long as header_json */
} oc_jws_t;

/* The steps of a verification, in their order. diag never holds bytes of the token.
 *
 * Split the token and read its header. Errors: OC_E_TOKEN_MISSING, OC_E_TOKEN_TOO_LARGE,
 * OC_E_TOKEN_MALFORMED, OC_E_ALG_NOT_ALLOWED, OC_E_NOMEM. On success the caller owns *ret_jws:
 * oc_jws_done(). */
OC_MUST_CHECK oc_err_t oc_jws_open(const oc_jws_rules_t *rules, const char *token, size_t token_len,
                                   oc_jws_t *ret_jws, oc_diag_t *diag);
/* Check the signature with the key that oc_keyset_select() chose. Errors: OC_E_TOKEN_MALFORMED,
 * OC_E_SIGNATURE_INVALID. */
OC_MUST_CHECK oc_err_t oc_jws_check(const oc_jws_t *jws, oc_key_t *key, oc_diag_t *diag);
/* Parse the claims: a new JSON object, owned by the caller (json_decref). Only after oc_jws_check().
 * Errors: OC_E_TOKEN_MALFORMED, OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_jws_claims(const oc_jws_t *jws, json_t **ret_claims, oc_diag_t *diag);
void oc_jws_done(oc_jws_t *jws);

/* All of these steps. keys: read only, but its scratch contexts are used: one thread. Errors: the
 * above and OC_E_KEY_UNKNOWN. */
OC_MUST_CHECK oc_err_t oc_jws_verify(const oc_jws_rules_t *rules, const oc_keyset_t *keys,
                                     const char *token, size_t token_len, json_t **ret_claims,
                                     oc_diag_t *diag);

#endif

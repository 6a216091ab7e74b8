/* SPDX-License-Identifier: MIT */
#ifndef OC_JWK_H
#define OC_JWK_H

/* JWK sets (RFC 7517) → verification keys. */

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "key.h"

#define OC_JWKS_MAX_BYTES ((size_t)1024 * 1024)

typedef struct oc_jwks_options {
    const char *source; /* where the set comes from, for messages */
    bool allow_secrets; /* `kty` "oct": from a file, never from a URL */
    /* Called for each key that is skipped, with why; may be NULL. */
    void (*warn)(void *context, const char *message);
    void *context;
} oc_jwks_options_t;

/* Add the usable keys of a set. A key that cannot be used (unknown type, too short, malformed, private,
 * of a taken key id) is skipped with a warning; one meant for something else than verifying JWS (`use`,
 * `key_ops`, `alg`) is skipped silently.
 * Errors: OC_E_CONFIG with the cause in diag when the JSON is no key set or no key of it is usable;
 * OC_E_NOMEM. On error the set is as it was. */
OC_MUST_CHECK oc_err_t oc_keyset_add_jwks(oc_keyset_t *set, const char *json, size_t json_len,
                                          const oc_jwks_options_t *options, oc_diag_t *diag);

/* The same from a file. */
OC_MUST_CHECK oc_err_t oc_keyset_add_jwks_file(oc_keyset_t *set, const oc_jwks_options_t *options,
                                               oc_diag_t *diag);

#endif

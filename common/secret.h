/* SPDX-License-Identifier: MIT */
#ifndef OC_SECRET_H
#define OC_SECRET_H

#include <stddef.h>

#include "err.h"

/* Check that nobody can know or guess an HMAC secret. It must not be a key in PEM, DER, JWK or OpenSSH form:
 * whoever has a public key could sign tokens with it. It must have at least OC_SECRET_BYTES_MIN different
 * bytes. Its length is not checked.
 * source: where the secret comes from, for messages.
 * Errors: OC_E_CONFIG, OC_E_NOMEM. Leaves OpenSSL's error queue empty. */
#define OC_SECRET_BYTES_MIN 8
OC_MUST_CHECK oc_err_t oc_secret_check(const unsigned char *secret, size_t secret_len,
                                       const char *source, oc_diag_t *diag);

#endif

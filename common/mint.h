/* SPDX-License-Identifier: MIT */
#ifndef OC_MINT_H
#define OC_MINT_H

#include <stddef.h>

#include "err.h"

/* Sign a token (RFC 7519) for the emitter and the command line. Everything in it is the caller's:
 * nothing is added to the claims, and the header is {"alg","typ":"JWT"} and kid.
 *  alg          exactly "HS256" … "ES512" (HS, RS, ES of 256, 384, 512)
 *  kid          NULL: no `kid` header
 *  key          a key file's bytes as they are: the HMAC secret, of which one trailing newline is
 *               ignored, at least as long as the hash (RFC 7518 §3.2); or a PEM private key, RSA of
 *               2048 bits or more or EC on the curve that alg names
 *  claims_json  one strict JSON object
 *  ret_token    malloc'd; the caller frees it
 * OC_E_ALG_NOT_ALLOWED: not one of these algorithms, or it does not fit the key; OC_E_CONFIG: the key
 * cannot be used; OC_E_CLAIM_INVALID: claims_json; OC_E_NOMEM. No key byte is ever put in diag. Leaves
 * OpenSSL's error queue empty. */
OC_MUST_CHECK oc_err_t oc_mint_token(const char *alg, const char *kid, const unsigned char *key,
                                     size_t key_len, const char *claims_json, char **ret_token,
                                     oc_diag_t *diag);

#endif

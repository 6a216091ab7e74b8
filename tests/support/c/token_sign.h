/* SPDX-License-Identifier: MIT */
#ifndef TOKEN_SIGN_H
#define TOKEN_SIGN_H

/* Makes tokens that no honest library would: any header and payload bytes, signed with any algorithm by
 * any key. A failure in here ends the program: it is the test's own. */

#include <openssl/evp.h>
#include <stddef.h>

/* A private key or an HMAC secret, borrowed. */
typedef struct token_key {
    EVP_PKEY *pkey;
    const void *secret; /* used when there is no pkey */
    size_t secret_len;
} token_key_t;

#define TOKEN_SIGNATURE_MAX 2048

/* The signature bytes as JWS wants them. alg: a name of RFC 7518 §3.1 or "EdDSA". An ES signature is as
 * long as alg or the key's curve asks, whichever is longer.
 * Returns how many bytes of out were used. */
size_t token_signature(const char *alg, const token_key_t *key, const void *input, size_t input_len,
                       unsigned char out[static TOKEN_SIGNATURE_MAX]);

/* `header.payload.signature`, or with an empty last segment when alg is NULL. The caller frees it. */
char *token_sign_bytes(const char *alg, const token_key_t *key, const void *header,
                       size_t header_len, const void *payload, size_t payload_len);
/* The same from strings. */
char *token_sign(const char *alg, const token_key_t *key, const char *header, const char *payload);

/* base64url without padding. The caller frees it. */
char *token_b64url(const void *bytes, size_t len);
/* The reverse, leniently: the tests' own opinion. Returns the length; out holds strlen(text) bytes. */
size_t token_unb64url(const char *text, unsigned char *out);

#endif

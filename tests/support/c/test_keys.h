/* SPDX-License-Identifier: MIT */
#ifndef TEST_KEYS_H
#define TEST_KEYS_H

/* Keys for tests, and the forms that key files have. A failure in here ends the program. */

#include <openssl/evp.h>
#include <stddef.h>

#include "key.h"
#include "token_sign.h"

/* 64 bytes, enough for HS512. */
extern const char test_secret[65];

enum test_key {
    TEST_SECRET,
    TEST_RSA,
    TEST_RSA_OTHER,
    TEST_P256,
    TEST_P256_OTHER,
    TEST_P384,
    TEST_P521,
    TEST_ED25519,
    TEST_ED25519_OTHER,
    /* From here on, keys that are not accepted. */
    TEST_RSA_1024,
    TEST_SECP256K1,
    TEST_X25519,
    TEST_DSA,
    TEST_RSA_PSS,
    TEST_KEYS
};

extern token_key_t test_keys[TEST_KEYS];

/* All of test_keys; DSA and the small ones take a moment, so once a program. */
void test_keys_make(void);
void test_keys_free(void);

/* PEM: `PUBLIC KEY`, `PRIVATE KEY` and a self-signed `CERTIFICATE`. The caller frees them. */
char *test_pem_public(EVP_PKEY *pkey);
char *test_pem_private(EVP_PKEY *pkey);
char *test_pem_certificate(EVP_PKEY *pkey);

/* Its file in the scratch folder, as the plugin reads it: the secret, or the public key as PEM. */
const char *test_key_file(enum test_key which);
/* Add it to a key set by such a file. kid may be NULL. */
void test_keyset_add(oc_keyset_t *set, enum test_key which, const char *kid);

/* The key of a set that checks `alg` tokens with this kid, which may be NULL. */
oc_key_t *test_keyset_get(const oc_keyset_t *set, oc_alg_t alg, const char *kid);
/* All accepted keys of test_keys, up to TEST_ED25519_OTHER, each with a kid but for the secret; and the
 * one of them. */
void test_keyset_add_all(oc_keyset_t *set);
oc_key_t *test_keyset_key(const oc_keyset_t *set, enum test_key which);

/* A public key of base64url members of a JWK: RSA (n, e), EC P-256 (x, y), Ed25519 (x). */
EVP_PKEY *test_jwk_rsa(const char *n, const char *e);
EVP_PKEY *test_jwk_p256(const char *x, const char *y);
EVP_PKEY *test_jwk_ed25519(const char *x);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_KEY_H
#define OC_KEY_H

/* Verification keys. A key is parsed once, when it is loaded, and kept as OpenSSL objects; its type
 * (and curve) fixes which JWS algorithms it may check. A key set is built, then only read, and not
 * shared between threads: each key carries scratch contexts that a verification uses. */

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* JWS algorithms, RFC 7518 §3.1, RFC 8037 §3.1 and RFC 9864 §2.2. The zero value is none of them. */
typedef enum oc_alg {
    OC_ALG_NONE = 0,
    OC_ALG_HS256,
    OC_ALG_HS384,
    OC_ALG_HS512,
    OC_ALG_RS256,
    OC_ALG_RS384,
    OC_ALG_RS512,
    OC_ALG_PS256,
    OC_ALG_PS384,
    OC_ALG_PS512,
    OC_ALG_ES256,
    OC_ALG_ES384,
    OC_ALG_ES512,
    OC_ALG_EDDSA,
    OC_ALG_COUNT
} oc_alg_t;

/* A set of algorithms: one bit each. */
typedef uint32_t oc_alg_set_t;
#define OC_ALG_BIT(alg) ((oc_alg_set_t)1 << (alg))
#define OC_ALG_ANY ((oc_alg_set_t)-1)

/* Exact, case-sensitive (RFC 7515 §4.1.1); OC_ALG_NONE for anything else, "none" included. "Ed25519" (RFC 9864)
 * is OC_ALG_EDDSA: the only curve that is supported for EdDSA. */
oc_alg_t oc_alg_parse(const char *name, size_t name_len);
const char *oc_alg_name(oc_alg_t alg);
/* Least bytes of an HMAC secret for the algorithm (RFC 7518 §3.2); 0 for the others. */
size_t oc_alg_secret_min(oc_alg_t alg);

/* Limits on what is read from disk. */
#define OC_SECRET_FILE_MAX ((size_t)64 * 1024)
#define OC_KEY_FILE_MAX ((size_t)64 * 1024)
#define OC_CA_FILE_MAX ((size_t)4 * 1024 * 1024) /* the bundle of a whole system is 250 kB */
#define OC_KEYS_MAX 256                          /* of one set */
#define OC_KID_MAX 256
/* A longer modulus makes each check of a signature cost milliseconds. */
#define OC_RSA_MAX_BITS 8192

#define OC_DIGESTS 3 /* SHA-256, SHA-384, SHA-512 */

typedef struct oc_key {
    unsigned references;
    char *kid;         /* NULL: bound to no key id */
    unsigned kid_hash; /* tells most others apart without a comparison */
    char *source;      /* the file's path, for messages */
    oc_alg_set_t algs; /* what the key's type, curve or length allows */
    EVP_PKEY *pkey;    /* NULL for an HMAC secret */
    /* Made at load and reused by each check: fetching and initializing costs more than checking. */
    EVP_MD *digest[OC_DIGESTS];
    EVP_MD_CTX *md_ctx;
    EVP_MAC_CTX *mac_ctx[OC_DIGESTS];
    EVP_PKEY_CTX *verify_ctx[OC_ALG_COUNT];
} oc_key_t;

typedef struct oc_keyset {
    oc_key_t **keys;
    size_t count;
} oc_keyset_t;

void oc_keyset_done(oc_keyset_t *set);

/* Add the HMAC secret in a file: its bytes without one trailing newline, at least 32, which
 * oc_secret_check() accepts. OC_E_CONFIG with the cause in diag otherwise. */
OC_MUST_CHECK oc_err_t oc_keyset_add_secret_file(oc_keyset_t *set, const char *path,
                                                 oc_diag_t *diag);

/* Add the PEM public key or certificate in a file: RSA of 2048 bits or more, EC on P-256, P-384 or
 * P-521, Ed25519. kid may be NULL. OC_E_CONFIG with the cause in diag otherwise. */
OC_MUST_CHECK oc_err_t oc_keyset_add_public_file(oc_keyset_t *set, const char *path,
                                                 const char *kid, oc_diag_t *diag);

/* Check that a file holds at least one PEM certificate. OC_E_CONFIG with the cause in diag otherwise. */
OC_MUST_CHECK oc_err_t oc_ca_file_check(const char *path, oc_diag_t *diag);

/* Add an HMAC secret: at least 32 bytes, which oc_secret_check() accepts. OpenSSL keeps a copy.
 * kid:     bound to this key id; NULL: to none
 * source:  where it came from, for messages
 * allowed: the algorithms that it may check, of those that it is long enough for */
OC_MUST_CHECK oc_err_t oc_keyset_add_secret(oc_keyset_t *set, const unsigned char *secret,
                                            size_t secret_len, const char *kid, const char *source,
                                            oc_alg_set_t allowed, oc_diag_t *diag);

/* The same for a public key; takes a reference of its own. */
OC_MUST_CHECK oc_err_t oc_keyset_add_pkey(oc_keyset_t *set, EVP_PKEY *pkey, const char *kid,
                                          const char *source, oc_alg_set_t allowed,
                                          oc_diag_t *diag);

/* Add the keys of another set to this one, sharing them, however many that makes; a key whose key id
 * and algorithm are taken is left out. Both sets stay with one thread. Errors: OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_keyset_share(oc_keyset_t *set, const oc_keyset_t *other, oc_diag_t *diag);

/* The union of what the keys allow. */
oc_alg_set_t oc_keyset_algs(const oc_keyset_t *set);

/* The key that checks a token: the one named kid; else, or without a kid, the only key (with a kid:
 * the only unnamed one) that fits alg. OC_E_KEY_UNKNOWN when none or several do, OC_E_ALG_NOT_ALLOWED
 * when the named key does not fit alg. */
OC_MUST_CHECK oc_err_t oc_keyset_select(const oc_keyset_t *set, oc_alg_t alg, const char *kid,
                                        oc_key_t **ret_key, oc_diag_t *diag);

/* True when signature is alg's over input under key, which must allow alg. Leaves OpenSSL's error
 * queue empty. */
bool oc_key_verify(oc_key_t *key, oc_alg_t alg, const unsigned char *input, size_t input_len,
                   const unsigned char *signature, size_t signature_len);

#endif

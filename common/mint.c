/* SPDX-License-Identifier: MIT */
#include "mint.h"

#include <errno.h>
#include <jwt.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "json.h"
#include "key.h"
#include "mem.h"
#include "pem.h"
#include "secret.h"

#define RSA_BITS_MIN 2048

/* Everything that libjwt 1.10 can sign. It takes an alg in any case and an ES alg with a key on any
 * curve, so name, key type and curve are checked here before it sees them. */
static const struct signer {
    jwt_alg_t jwt_alg;
    int key_type;      /* EVP_PKEY_NONE for HMAC */
    const char *group; /* ECDSA: OpenSSL's name of the curve */
    const char *curve; /* ECDSA: its name in RFC 7518 §6.2.1.1 */
} signers[OC_ALG_COUNT] = {
    [OC_ALG_HS256] = {JWT_ALG_HS256, EVP_PKEY_NONE, NULL, NULL},
    [OC_ALG_HS384] = {JWT_ALG_HS384, EVP_PKEY_NONE, NULL, NULL},
    [OC_ALG_HS512] = {JWT_ALG_HS512, EVP_PKEY_NONE, NULL, NULL},
    [OC_ALG_RS256] = {JWT_ALG_RS256, EVP_PKEY_RSA, NULL, NULL},
    [OC_ALG_RS384] = {JWT_ALG_RS384, EVP_PKEY_RSA, NULL, NULL},
    [OC_ALG_RS512] = {JWT_ALG_RS512, EVP_PKEY_RSA, NULL, NULL},
    [OC_ALG_ES256] = {JWT_ALG_ES256, EVP_PKEY_EC, "prime256v1", "P-256"},
    [OC_ALG_ES384] = {JWT_ALG_ES384, EVP_PKEY_EC, "secp384r1", "P-384"},
    [OC_ALG_ES512] = {JWT_ALG_ES512, EVP_PKEY_EC, "secp521r1", "P-521"},
};

static void pkey_freep(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
}

static void bio_freep(BIO **bio)
{
    BIO_free(*bio);
}

static void jwt_freep(jwt_t **jwt)
{
    jwt_free(*jwt);
}

static bool looks_like_pem(const unsigned char *key, size_t key_len)
{
    static const char begin[] = "-----BEGIN ";

    return memmem(key, key_len, begin, sizeof begin - 1) != NULL;
}

static oc_err_t check_secret(const char *alg, const unsigned char *key, size_t key_len,
                             oc_diag_t *diag)
{
    size_t secret_min = oc_alg_secret_min(oc_alg_parse(alg, strlen(alg)));

    if (looks_like_pem(key, key_len))
        return oc_fail(diag, OC_E_ALG_NOT_ALLOWED,
                       "%s signs with a secret, but the key is PEM: use an RS or ES algorithm",
                       alg);
    if (key_len < secret_min)
        return oc_fail(diag, OC_E_CONFIG, "the secret is %zu bytes long; %s needs at least %zu",
                       key_len, alg, secret_min);
    return oc_secret_check(key, key_len, "the key file", diag);
}

static oc_err_t check_private_key(const char *alg, const struct signer *signer,
                                  const unsigned char *key, size_t key_len, oc_diag_t *diag)
{
    OC_CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(key, (int)key_len);
    OC_CLEANUP(pkey_freep) EVP_PKEY *pkey = NULL;
    char group[64] = "";

    if (!bio)
        return oc_fail(diag, OC_E_NOMEM, "out of memory while reading the key");
    pkey = PEM_read_bio_PrivateKey(bio, NULL, oc_pem_no_passphrase, NULL);
    if (!pkey && looks_like_pem(key, key_len))
        return oc_fail(
            diag, OC_E_CONFIG,
            "the PEM holds no private key that can be read (public, encrypted, damaged?)");
    if (!pkey)
        return oc_fail(diag, OC_E_CONFIG, "%s signs with a PEM private key, but the key is not PEM",
                       alg);
    if (EVP_PKEY_get_base_id(pkey) != signer->key_type)
        return oc_fail(diag, OC_E_ALG_NOT_ALLOWED, "%s needs %s key", alg,
                       signer->key_type == EVP_PKEY_RSA ? "an RSA" : "an EC");
    if (signer->key_type == EVP_PKEY_RSA && EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN)
        return oc_fail(diag, OC_E_CONFIG, "the RSA key has %d bits; at least %d are needed",
                       EVP_PKEY_get_bits(pkey), RSA_BITS_MIN);
    if (signer->group && (EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 ||
                          strcmp(group, signer->group) != 0))
        return oc_fail(diag, OC_E_ALG_NOT_ALLOWED, "%s needs a key on the curve %s", alg,
                       signer->curve);
    return OC_OK;
}

static oc_err_t check_claims(const char *claims_json, oc_diag_t *diag)
{
    OC_CLEANUP(oc_json_decrefp) json_t *claims = NULL;
    oc_diag_t cause = {0};
    oc_err_t err = oc_json_load(claims_json, strlen(claims_json), &claims, &cause);

    if (err == OC_E_NOMEM)
        return oc_fail(diag, err, "%s", cause.message);
    if (err != OC_OK)
        return oc_fail(diag, OC_E_CLAIM_INVALID, "the claims are %s", cause.message);
    return OC_OK;
}

static oc_err_t sign(jwt_alg_t jwt_alg, const char *kid, const unsigned char *key, size_t key_len,
                     const char *claims_json, char **ret_token, oc_diag_t *diag)
{
    OC_CLEANUP(jwt_freep) jwt_t *jwt = NULL;
    char *encoded;

    if (jwt_new(&jwt) != 0)
        return oc_fail(diag, OC_E_NOMEM, "out of memory while signing");
    if (kid && jwt_add_header(jwt, "kid", kid) != 0)
        return oc_fail(diag, OC_E_CONFIG, "the key id is not UTF-8");
    if (jwt_add_grants_json(jwt, claims_json) != 0)
        return oc_fail(diag, OC_E_NOMEM, "out of memory while signing");
    if (jwt_set_alg(jwt, jwt_alg, key, (int)key_len) != 0)
        return oc_fail(diag, OC_E_NOMEM, "out of memory while signing");
    errno = 0;
    encoded = jwt_encode_str(jwt);
    if (!encoded)
        return oc_fail(diag, errno == ENOMEM ? OC_E_NOMEM : OC_E_INTERNAL,
                       "libjwt could not sign: %s", strerror(errno));
    *ret_token = encoded;
    return OC_OK;
}

oc_err_t oc_mint_token(const char *alg, const char *kid, const unsigned char *key, size_t key_len,
                       const char *claims_json, char **ret_token, oc_diag_t *diag)
{
    const struct signer *signer = &signers[oc_alg_parse(alg, strlen(alg))];
    char *token = NULL;
    oc_err_t err;

    if (signer->jwt_alg == JWT_ALG_NONE)
        return oc_fail(
            diag, OC_E_ALG_NOT_ALLOWED,
            "no such signing algorithm: one of HS256, HS384, HS512, RS256, RS384, RS512, "
            "ES256, ES384, ES512");
    if (kid && !*kid)
        return oc_fail(diag, OC_E_CONFIG, "the key id is empty");
    if (signer->key_type == EVP_PKEY_NONE && key_len > 0 && key[key_len - 1] == '\n')
        key_len--;
    if (key_len > OC_KEY_FILE_MAX)
        return oc_fail(diag, OC_E_CONFIG, "the key is longer than %zu bytes", OC_KEY_FILE_MAX);

    err = check_claims(claims_json, diag);
    if (err == OC_OK)
        err = signer->key_type == EVP_PKEY_NONE
                  ? check_secret(alg, key, key_len, diag)
                  : check_private_key(alg, signer, key, key_len, diag);
    if (err == OC_OK)
        err = sign(signer->jwt_alg, kid, key, key_len, claims_json, &token, diag);
    ERR_clear_error();
    if (err == OC_OK)
        *ret_token = token;
    return err;
}

/* SPDX-License-Identifier: MIT */
#include "key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "secret.h"
#include "utf8.h"

static const struct {
    const char *name;
    int digest;        /* index into digest_names; -1 for EdDSA, which hashes by itself */
    size_t secret_min; /* HMAC: least secret bytes (RFC 7518 §3.2) */
    size_t coordinate; /* ECDSA: bytes of r and of s (RFC 7518 §3.4) */
} algs[OC_ALG_COUNT] = {
    [OC_ALG_HS256] = {"HS256", 0, 32, 0}, [OC_ALG_HS384] = {"HS384", 1, 48, 0},
    [OC_ALG_HS512] = {"HS512", 2, 64, 0}, [OC_ALG_RS256] = {"RS256", 0, 0, 0},
    [OC_ALG_RS384] = {"RS384", 1, 0, 0},  [OC_ALG_RS512] = {"RS512", 2, 0, 0},
    [OC_ALG_PS256] = {"PS256", 0, 0, 0},  [OC_ALG_PS384] = {"PS384", 1, 0, 0},
    [OC_ALG_PS512] = {"PS512", 2, 0, 0},  [OC_ALG_ES256] = {"ES256", 0, 0, 32},
    [OC_ALG_ES384] = {"ES384", 1, 0, 48}, [OC_ALG_ES512] = {"ES512", 2, 0, 66},
    [OC_ALG_EDDSA] = {"EdDSA", -1, 0, 0},
};

static const char *const digest_names[OC_DIGESTS] = {"SHA256", "SHA384", "SHA512"};

#define RSA_ALGS                                                                                   \
    (OC_ALG_BIT(OC_ALG_RS256) | OC_ALG_BIT(OC_ALG_RS384) | OC_ALG_BIT(OC_ALG_RS512) | PSS_ALGS)
#define PSS_ALGS (OC_ALG_BIT(OC_ALG_PS256) | OC_ALG_BIT(OC_ALG_PS384) | OC_ALG_BIT(OC_ALG_PS512))

oc_alg_t oc_alg_parse(const char *name, size_t name_len)
{
    /* RFC 9864 §2.2 names EdDSA on this curve. */
    if (name_len == 7 && memcmp(name, "Ed25519", 7) == 0)
        return OC_ALG_EDDSA;
    for (int alg = OC_ALG_HS256; alg < OC_ALG_COUNT; alg++) {
        if (strlen(algs[alg].name) == name_len && memcmp(algs[alg].name, name, name_len) == 0)
            return (oc_alg_t)alg;
    }
    return OC_ALG_NONE;
}

const char *oc_alg_name(oc_alg_t alg)
{
    return alg > OC_ALG_NONE && alg < OC_ALG_COUNT ? algs[alg].name : "none";
}

size_t oc_alg_secret_min(oc_alg_t alg)
{
    return alg > OC_ALG_NONE && alg < OC_ALG_COUNT ? algs[alg].secret_min : 0;
}

static void key_unref(oc_key_t *key)
{
    if (!key || --key->references > 0)
        return;
    free(key->kid);
    free(key->source);
    EVP_PKEY_free(key->pkey);
    EVP_MD_CTX_free(key->md_ctx);
    for (int i = 0; i < OC_DIGESTS; i++) {
        EVP_MD_free(key->digest[i]);
        EVP_MAC_CTX_free(key->mac_ctx[i]);
    }
    for (int alg = 0; alg < OC_ALG_COUNT; alg++)
        EVP_PKEY_CTX_free(key->verify_ctx[alg]);
    free(key);
}

void oc_keyset_done(oc_keyset_t *set)
{
    for (size_t i = 0; i < set->count; i++)
        key_unref(set->keys[i]);
    free(set->keys);
    *set = (oc_keyset_t){0};
}

static oc_err_t nomem(oc_diag_t *diag, const char *source)
{
    ERR_clear_error();
    return oc_fail(diag, OC_E_NOMEM, "out of memory while loading the key '%s'", source);
}

/* Prepare what checks of the key's algorithms reuse. */
static oc_err_t key_prepare_public(oc_key_t *key, oc_diag_t *diag)
{
    key->md_ctx = EVP_MD_CTX_new();
    if (!key->md_ctx)
        return nomem(diag, key->source);
    for (int i = 0; i < OC_DIGESTS; i++) {
        key->digest[i] = EVP_MD_fetch(NULL, digest_names[i], NULL);
        if (!key->digest[i])
            return nomem(diag, key->source);
    }
    for (int alg = OC_ALG_RS256; alg < OC_ALG_EDDSA; alg++) {
        EVP_PKEY_CTX *ctx;

        if (!(key->algs & OC_ALG_BIT(alg)))
            continue;
        ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
        key->verify_ctx[alg] = ctx;
        if (!ctx || EVP_PKEY_verify_init(ctx) != 1 ||
            EVP_PKEY_CTX_set_signature_md(ctx, key->digest[algs[alg].digest]) != 1)
            return nomem(diag, key->source);
        if ((OC_ALG_BIT(alg) & RSA_ALGS) &&
            EVP_PKEY_CTX_set_rsa_padding(ctx, OC_ALG_BIT(alg) & PSS_ALGS ? RSA_PKCS1_PSS_PADDING
                                                                         : RSA_PKCS1_PADDING) != 1)
            return nomem(diag, key->source);
        /* RFC 7518 §3.5: the salt is as long as the digest; MGF1 follows the signature's digest. */
        if ((OC_ALG_BIT(alg) & PSS_ALGS) &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) != 1)
            return nomem(diag, key->source);
    }
    return OC_OK;
}

static oc_err_t key_prepare_secret(oc_key_t *key, const unsigned char *secret, size_t secret_len,
                                   oc_alg_set_t allowed, oc_diag_t *diag)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bool ready = mac != NULL;

    for (int i = 0; ready && i < OC_DIGESTS; i++) {
        char name[16];
        OSSL_PARAM params[2];

        if (secret_len < algs[OC_ALG_HS256 + i].secret_min)
            break;
        if (!(allowed & OC_ALG_BIT(OC_ALG_HS256 + i)))
            continue;
        /* OSSL_PARAM takes a non-const string. */
        memcpy(name, digest_names[i], strlen(digest_names[i]) + 1);
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
        params[1] = OSSL_PARAM_construct_end();
        key->mac_ctx[i] = EVP_MAC_CTX_new(mac);
        ready = key->mac_ctx[i] && EVP_MAC_init(key->mac_ctx[i], secret, secret_len, params) == 1;
        key->algs |= OC_ALG_BIT(OC_ALG_HS256 + i);
    }
    EVP_MAC_free(mac);
    return ready ? OC_OK : nomem(diag, key->source);
}

static oc_err_t make_room(oc_keyset_t *set, size_t more, oc_diag_t *diag)
{
    oc_key_t **keys = realloc(set->keys, (set->count + more) * sizeof(oc_key_t *));
    if (!keys)
        return oc_fail(diag, OC_E_NOMEM, "out of memory while loading keys");
    set->keys = keys;
    return OC_OK;
}

/* RFC 7517 §4.5: keys with one key id are alternatives, so they must not serve the same algorithm. */
static oc_err_t check_kid(const oc_keyset_t *set, const oc_key_t *key, oc_diag_t *diag)
{
    for (size_t i = 0; key->kid && i < set->count; i++) {
        const oc_key_t *other = set->keys[i];
        char text[80];

        if (other->kid && other->kid_hash == key->kid_hash && strcmp(other->kid, key->kid) == 0 &&
            (other->algs & key->algs))
            return oc_fail(diag, OC_E_CONFIG, "two keys have the key id '%s'",
                           oc_utf8_quote(key->kid, text, sizeof text));
    }
    return OC_OK;
}

/* FNV-1a */
static unsigned hash_kid(const char *kid)
{
    unsigned hash = 2166136261U;

    for (; *kid; kid++)
        hash = (hash ^ (unsigned char)*kid) * 16777619U;
    return hash;
}

/* A key with its names, which the caller completes. */
static oc_key_t *key_new(const char *kid, const char *source)
{
    oc_key_t *key = calloc(1, sizeof *key);

    if (!key)
        return NULL;
    key->references = 1;
    key->source = strdup(source);
    key->kid = kid ? strdup(kid) : NULL;
    key->kid_hash = kid ? hash_kid(kid) : 0;
    if (!key->source || (kid && !key->kid)) {
        key_unref(key);
        return NULL;
    }
    return key;
}

/* Besides its length: with 1 a signature is the padded digest itself, an even exponent is no RSA, and a
 * huge one costs the broker time. */
static oc_err_t check_rsa(const oc_key_t *key, oc_diag_t *diag)
{
    int bits = EVP_PKEY_get_bits(key->pkey);
    BIGNUM *e = NULL;
    bool good;

    BIGNUM *n = NULL;

    if (bits < 2048 || bits > OC_RSA_MAX_BITS)
        return oc_fail(diag, OC_E_CONFIG,
                       "'%s': RSA of %d bits; at least 2048 are needed, at most %d taken",
                       key->source, bits, OC_RSA_MAX_BITS);
    if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1) {
        BN_free(n);
        return nomem(diag, key->source);
    }
    good = BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= 64;
    BN_free(n);
    BN_free(e);
    return good ? OC_OK
                : oc_fail(diag, OC_E_CONFIG,
                          "'%s': RSA with an even modulus, or an exponent that is even, 1 or "
                          "longer than "
                          "64 bits",
                          key->source);
}

/* Under a public key of small order anybody can sign, and OpenSSL does not mind it. These are all the y of
 * such points, little-endian, and the three of their encodings that are not reduced; x's sign is the
 * highest bit. */
static oc_err_t check_ed25519(const oc_key_t *key, oc_diag_t *diag)
{
    static const unsigned char small[][32] = {
        {0},
        {1},
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
         0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
         0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
         0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
         0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
        {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    };
    unsigned char y[32];
    size_t len = sizeof y;

    if (EVP_PKEY_get_raw_public_key(key->pkey, y, &len) != 1 || len != sizeof y)
        return nomem(diag, key->source);
    y[31] &= 0x7f;
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        if (memcmp(y, small[i], sizeof y) == 0)
            return oc_fail(diag, OC_E_CONFIG, "'%s': an Ed25519 point of small order", key->source);
    }
    return OC_OK;
}

static oc_err_t key_algs_of_type(oc_key_t *key, oc_diag_t *diag)
{
    char curve[64] = "";

    switch (EVP_PKEY_get_base_id(key->pkey)) {
    case EVP_PKEY_RSA:
        key->algs = RSA_ALGS;
        return check_rsa(key, diag);
    case EVP_PKEY_EC:
        (void)EVP_PKEY_get_group_name(key->pkey, curve, sizeof curve, NULL);
        ERR_clear_error();
        if (strcmp(curve, "prime256v1") == 0)
            key->algs = OC_ALG_BIT(OC_ALG_ES256);
        else if (strcmp(curve, "secp384r1") == 0)
            key->algs = OC_ALG_BIT(OC_ALG_ES384);
        else if (strcmp(curve, "secp521r1") == 0)
            key->algs = OC_ALG_BIT(OC_ALG_ES512);
        else
            return oc_fail(diag, OC_E_CONFIG,
                           "'%s': EC on the curve '%s'; P-256, P-384 or P-521 is needed",
                           key->source, curve);
        return OC_OK;
    case EVP_PKEY_ED25519:
        key->algs = OC_ALG_BIT(OC_ALG_EDDSA);
        return check_ed25519(key, diag);
    default:
        return oc_fail(diag, OC_E_CONFIG, "'%s': neither RSA, EC nor Ed25519", key->source);
    }
}

/* Move a key into the set, or let go of it when it could not be completed (err) or does not fit in. */
static oc_err_t keyset_take(oc_keyset_t *set, oc_key_t *key, oc_err_t err, oc_diag_t *diag)
{
    /* Also what OpenSSL noted and got over. */
    ERR_clear_error();
    if (!err && key->algs == 0)
        err = oc_fail(diag, OC_E_CONFIG, "'%s': the key may check no algorithm", key->source);
    if (!err)
        err = check_kid(set, key, diag);
    if (!err && set->count >= OC_KEYS_MAX)
        err = oc_fail(diag, OC_E_CONFIG, "more than %d keys", OC_KEYS_MAX);
    if (!err)
        err = make_room(set, 1, diag);
    if (err) {
        key_unref(key);
        return err;
    }
    set->keys[set->count++] = key;
    return OC_OK;
}

oc_err_t oc_keyset_add_secret(oc_keyset_t *set, const unsigned char *secret, size_t secret_len,
                              const char *kid, const char *source, oc_alg_set_t allowed,
                              oc_diag_t *diag)
{
    oc_key_t *key;
    oc_err_t err;

    if (secret_len < algs[OC_ALG_HS256].secret_min)
        return oc_fail(diag, OC_E_CONFIG, "'%s' holds %zu bytes; HS256 needs at least %zu", source,
                       secret_len, algs[OC_ALG_HS256].secret_min);
    err = oc_secret_check(secret, secret_len, source, diag);
    if (err)
        return err;
    key = key_new(kid, source);
    if (!key)
        return nomem(diag, source);
    err = key_prepare_secret(key, secret, secret_len, allowed, diag);
    return keyset_take(set, key, err, diag);
}

oc_err_t oc_keyset_add_pkey(oc_keyset_t *set, EVP_PKEY *pkey, const char *kid, const char *source,
                            oc_alg_set_t allowed, oc_diag_t *diag)
{
    oc_key_t *key = key_new(kid, source);
    oc_err_t err;

    if (!key || EVP_PKEY_up_ref(pkey) != 1) {
        key_unref(key);
        return nomem(diag, source);
    }
    key->pkey = pkey;
    err = key_algs_of_type(key, diag);
    key->algs &= allowed;
    if (!err)
        err = key_prepare_public(key, diag);
    return keyset_take(set, key, err, diag);
}

oc_err_t oc_keyset_share(oc_keyset_t *set, const oc_keyset_t *other, oc_diag_t *diag)
{
    oc_err_t err = other->count > 0 ? make_room(set, other->count, diag) : OC_OK;

    if (err)
        return err;
    for (size_t i = 0; i < other->count; i++) {
        if (check_kid(set, other->keys[i], NULL) != OC_OK)
            continue;
        other->keys[i]->references++;
        set->keys[set->count++] = other->keys[i];
    }
    return OC_OK;
}

oc_alg_set_t oc_keyset_algs(const oc_keyset_t *set)
{
    oc_alg_set_t all = 0;

    for (size_t i = 0; i < set->count; i++)
        all |= set->keys[i]->algs;
    return all;
}

oc_err_t oc_keyset_select(const oc_keyset_t *set, oc_alg_t alg, const char *kid, oc_key_t **ret_key,
                          oc_diag_t *diag)
{
    oc_key_t *only = NULL;
    size_t fitting = 0;
    bool named = false;

    for (size_t i = 0; i < set->count; i++) {
        oc_key_t *key = set->keys[i];
        bool fits = (key->algs & OC_ALG_BIT(alg)) != 0;

        if (kid && key->kid && strcmp(key->kid, kid) == 0) {
            if (fits) {
                *ret_key = key;
                return OC_OK;
            }
            named = true;
        }
        if (fits && (!kid || !key->kid)) {
            only = key;
            fitting++;
        }
    }
    if (named)
        return oc_fail(diag, OC_E_ALG_NOT_ALLOWED, "%s does not fit the key that kid names",
                       oc_alg_name(alg));
    if (fitting == 0)
        return kid ? oc_fail(diag, OC_E_KEY_UNKNOWN, "no key has this kid")
                   : oc_fail(diag, OC_E_KEY_UNKNOWN, "no key fits %s", oc_alg_name(alg));
    if (fitting > 1)
        return oc_fail(diag, OC_E_KEY_UNKNOWN, "%zu keys fit %s and the token has no kid of theirs",
                       fitting, oc_alg_name(alg));
    *ret_key = only;
    return OC_OK;
}

static bool verify_hmac(oc_key_t *key, int digest, const unsigned char *input, size_t input_len,
                        const unsigned char *signature, size_t signature_len)
{
    unsigned char tag[EVP_MAX_MD_SIZE];
    size_t tag_len = 0;
    EVP_MAC_CTX *ctx = key->mac_ctx[digest];

    /* Without a key, EVP_MAC_init() starts anew with the one given before. */
    return ctx && EVP_MAC_init(ctx, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(ctx, input, input_len) == 1 &&
           EVP_MAC_final(ctx, tag, &tag_len, sizeof tag) == 1 && tag_len == signature_len &&
           CRYPTO_memcmp(tag, signature, tag_len) == 0;
}

static bool verify_eddsa(oc_key_t *key, const unsigned char *input, size_t input_len,
                         const unsigned char *signature, size_t signature_len)
{
    return EVP_MD_CTX_reset(key->md_ctx) == 1 &&
           EVP_DigestVerifyInit(key->md_ctx, NULL, NULL, NULL, key->pkey) == 1 &&
           EVP_DigestVerify(key->md_ctx, signature, signature_len, input, input_len) == 1;
}

/* RFC 7518 §3.4: r and s, each as long as the curve's coordinate, to the DER that OpenSSL takes.
 * Returns its length, 0 on failure. */
#define ECDSA_DER_MAX 160
static size_t ecdsa_to_der(const unsigned char *raw, size_t coordinate,
                           unsigned char der[static ECDSA_DER_MAX])
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, (int)coordinate, NULL);
    BIGNUM *s = BN_bin2bn(raw + coordinate, (int)coordinate, NULL);
    int len = 0;

    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = NULL;
        s = NULL;
        if (i2d_ECDSA_SIG(sig, NULL) <= ECDSA_DER_MAX)
            len = i2d_ECDSA_SIG(sig, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

static bool verify_digest(oc_key_t *key, oc_alg_t alg, const unsigned char *input, size_t input_len,
                          const unsigned char *signature, size_t signature_len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned char der[ECDSA_DER_MAX];
    unsigned digest_len = 0;

    if (algs[alg].coordinate) {
        if (signature_len != 2 * algs[alg].coordinate)
            return false;
        signature_len = ecdsa_to_der(signature, algs[alg].coordinate, der);
        if (signature_len == 0)
            return false;
        signature = der;
    }
    return EVP_DigestInit_ex2(key->md_ctx, key->digest[algs[alg].digest], NULL) == 1 &&
           EVP_DigestUpdate(key->md_ctx, input, input_len) == 1 &&
           EVP_DigestFinal_ex(key->md_ctx, digest, &digest_len) == 1 &&
           EVP_PKEY_verify(key->verify_ctx[alg], signature, signature_len, digest, digest_len) == 1;
}

bool oc_key_verify(oc_key_t *key, oc_alg_t alg, const unsigned char *input, size_t input_len,
                   const unsigned char *signature, size_t signature_len)
{
    bool good;

    if (!(key->algs & OC_ALG_BIT(alg)))
        return false;
    if (!key->pkey)
        good = verify_hmac(key, algs[alg].digest, input, input_len, signature, signature_len);
    else if (alg == OC_ALG_EDDSA)
        good = verify_eddsa(key, input, input_len, signature, signature_len);
    else
        good = verify_digest(key, alg, input, input_len, signature, signature_len);
    /* What a failed check leaves here would make the broker drop an unrelated TLS client. */
    ERR_clear_error();
    return good;
}

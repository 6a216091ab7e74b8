/* SPDX-License-Identifier: MIT */
#include "test_keys.h"

#include <openssl/core_names.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"

#define MUST(condition) must((condition), #condition, __LINE__)

const char test_secret[65] = "0123456789abcdef0123456789ABCDEF0123456789ghijkl0123456789GHIJKL";

token_key_t test_keys[TEST_KEYS];

static void must(bool good, const char *what, int line)
{
    if (good)
        return;
    fprintf(stderr, "test_keys.c:%d: failed: %s\n", line, what);
    abort();
}

static EVP_PKEY *make_dsa(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    EVP_PKEY *params = NULL;
    EVP_PKEY *pkey = NULL;

    MUST(ctx && EVP_PKEY_paramgen_init(ctx) == 1);
    MUST(EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 1024) == 1 &&
         EVP_PKEY_CTX_set_dsa_paramgen_q_bits(ctx, 160) == 1);
    MUST(EVP_PKEY_paramgen(ctx, &params) == 1);
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
    MUST(ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_generate(ctx, &pkey) == 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(params);
    return pkey;
}

/* A key that may only do PSS: its type is not the one that RS256 and PS256 are checked with here. */
static EVP_PKEY *make_rsa_pss(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *pkey = NULL;

    MUST(ctx && EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_generate(ctx, &pkey) == 1);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

void test_keys_make(void)
{
    test_keys[TEST_SECRET] = (token_key_t){NULL, test_secret, strlen(test_secret)};
    test_keys[TEST_RSA].pkey = EVP_RSA_gen(2048);
    test_keys[TEST_RSA_OTHER].pkey = EVP_RSA_gen(2048);
    test_keys[TEST_P256].pkey = EVP_EC_gen("P-256");
    test_keys[TEST_P256_OTHER].pkey = EVP_EC_gen("P-256");
    test_keys[TEST_P384].pkey = EVP_EC_gen("P-384");
    test_keys[TEST_P521].pkey = EVP_EC_gen("P-521");
    test_keys[TEST_ED25519].pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    test_keys[TEST_ED25519_OTHER].pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    test_keys[TEST_RSA_1024].pkey = EVP_RSA_gen(1024);
    test_keys[TEST_SECP256K1].pkey = EVP_EC_gen("secp256k1");
    test_keys[TEST_X25519].pkey = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    test_keys[TEST_DSA].pkey = make_dsa();
    test_keys[TEST_RSA_PSS].pkey = make_rsa_pss();
    for (int i = TEST_SECRET + 1; i < TEST_KEYS; i++)
        MUST(test_keys[i].pkey != NULL);
    ERR_clear_error();
}

void test_keys_free(void)
{
    for (int i = 0; i < TEST_KEYS; i++)
        EVP_PKEY_free(test_keys[i].pkey);
}

static char *take_bio(BIO *bio)
{
    char *bytes = NULL;
    long len = BIO_get_mem_data(bio, &bytes);
    char *text = strndup(bytes, (size_t)len);

    BIO_free(bio);
    MUST(text != NULL && len > 0);
    return text;
}

char *test_pem_public(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());

    MUST(bio && PEM_write_bio_PUBKEY(bio, pkey) == 1);
    return take_bio(bio);
}

char *test_pem_private(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());

    MUST(bio && PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1);
    return take_bio(bio);
}

char *test_pem_certificate(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    X509 *certificate = X509_new();
    bool pure = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_ED25519;

    MUST(bio && certificate && X509_set_version(certificate, X509_VERSION_3) == 1);
    MUST(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
    MUST(X509_gmtime_adj(X509_getm_notBefore(certificate), 0) != NULL);
    MUST(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600) != NULL);
    MUST(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                    (const unsigned char *)"acme", -1, -1, 0) == 1);
    MUST(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1);
    MUST(X509_set_pubkey(certificate, pkey) == 1);
    MUST(X509_sign(certificate, pkey, pure ? NULL : EVP_sha256()) > 0);
    MUST(PEM_write_bio_X509(bio, certificate) == 1);
    X509_free(certificate);
    return take_bio(bio);
}

const char *test_key_file(enum test_key which)
{
    char name[16];
    const char *path;
    char *pem;

    (void)snprintf(name, sizeof name, "key-%d", (int)which);
    if (which == TEST_SECRET)
        return scratch_file(name, test_secret, strlen(test_secret));
    pem = test_pem_public(test_keys[which].pkey);
    path = scratch_file(name, pem, strlen(pem));
    free(pem);
    return path;
}

void test_keyset_add(oc_keyset_t *set, enum test_key which, const char *kid)
{
    oc_diag_t diag = {0};
    const char *path = test_key_file(which);
    oc_err_t err = which == TEST_SECRET ? oc_keyset_add_secret_file(set, path, &diag)
                                        : oc_keyset_add_public_file(set, path, kid, &diag);

    if (err)
        fprintf(stderr, "%s\n", diag.message);
    MUST(err == OC_OK);
}

oc_key_t *test_keyset_get(const oc_keyset_t *set, oc_alg_t alg, const char *kid)
{
    oc_key_t *key = NULL;

    MUST(oc_keyset_select(set, alg, kid, &key, NULL) == OC_OK);
    return key;
}

static const struct {
    const char *kid;
    oc_alg_t alg; /* one that it may check */
} accepted[] = {
    [TEST_SECRET] = {NULL, OC_ALG_HS256},
    [TEST_RSA] = {"rsa", OC_ALG_RS256},
    [TEST_RSA_OTHER] = {"rsa-other", OC_ALG_RS256},
    [TEST_P256] = {"p256", OC_ALG_ES256},
    [TEST_P256_OTHER] = {"p256-other", OC_ALG_ES256},
    [TEST_P384] = {"p384", OC_ALG_ES384},
    [TEST_P521] = {"p521", OC_ALG_ES512},
    [TEST_ED25519] = {"ed25519", OC_ALG_EDDSA},
    [TEST_ED25519_OTHER] = {"ed25519-other", OC_ALG_EDDSA},
};

void test_keyset_add_all(oc_keyset_t *set)
{
    for (int i = TEST_SECRET; i <= TEST_ED25519_OTHER; i++)
        test_keyset_add(set, (enum test_key)i, accepted[i].kid);
}

oc_key_t *test_keyset_key(const oc_keyset_t *set, enum test_key which)
{
    return test_keyset_get(set, accepted[which].alg, accepted[which].kid);
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *build)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    MUST(params && ctx && EVP_PKEY_fromdata_init(ctx) == 1);
    MUST(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

EVP_PKEY *test_jwk_rsa(const char *n, const char *e)
{
    unsigned char bytes[2048];
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(bytes, (int)token_unb64url(n, bytes), NULL);
    BIGNUM *exponent = BN_bin2bn(bytes, (int)token_unb64url(e, bytes), NULL);
    EVP_PKEY *pkey;

    MUST(build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1);
    MUST(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1);
    pkey = from_params("RSA", build);
    BN_free(modulus);
    BN_free(exponent);
    return pkey;
}

EVP_PKEY *test_jwk_p256(const char *x, const char *y)
{
    unsigned char point[256] = {POINT_CONVERSION_UNCOMPRESSED};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

    MUST(token_unb64url(x, point + 1) == 32 && token_unb64url(y, point + 33) == 32);
    MUST(build &&
         OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1);
    MUST(OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 65) == 1);
    return from_params("EC", build);
}

EVP_PKEY *test_jwk_ed25519(const char *x)
{
    unsigned char bytes[256];
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, token_unb64url(x, bytes));

    MUST(pkey != NULL);
    return pkey;
}

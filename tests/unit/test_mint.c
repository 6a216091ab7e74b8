/* SPDX-License-Identifier: MIT */
/* What oc_mint_token() signs is checked here by OpenSSL itself, not by the library that signed. */
#include <check.h>
#include <jansson.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "b64url.h"
#include "json.h"
#include "mem.h"
#include "mint.h"

#define CLAIMS "{\"sub\":\"billing\",\"org_id\":[\"acme\",\"globex\"],\"exp\":4102444800,\"n\":1.5}"

static const char secret[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static EVP_PKEY *rsa_2048, *rsa_1024, *p256, *p384, *p521, *k1, *ed25519;

static void make_keys(void)
{
    rsa_2048 = EVP_RSA_gen(2048);
    rsa_1024 = EVP_RSA_gen(1024);
    p256 = EVP_EC_gen("P-256");
    p384 = EVP_EC_gen("P-384");
    p521 = EVP_EC_gen("P-521");
    k1 = EVP_EC_gen("secp256k1");
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

static void free_keys(void)
{
    EVP_PKEY *keys[] = {rsa_2048, rsa_1024, p256, p384, p521, k1, ed25519};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        EVP_PKEY_free(keys[i]);
}

/* The key as PEM: private, private under a passphrase, or public. */
static char *to_pem(EVP_PKEY *pkey, bool public, const char *passphrase)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes, *pem;
    long len;

    if (public)
        ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, pkey), 1);
    else
        ck_assert_int_eq(PEM_write_bio_PrivateKey(bio, pkey, passphrase ? EVP_aes_128_cbc() : NULL,
                                                  (const unsigned char *)passphrase,
                                                  passphrase ? (int)strlen(passphrase) : 0, NULL,
                                                  NULL),
                         1);
    len = BIO_get_mem_data(bio, &bytes);
    pem = strndup(bytes, (size_t)len);
    BIO_free(bio);
    return pem;
}

/* Decode the segment that starts at *at and move *at behind its dot. */
static size_t segment(const char **at, unsigned char *out, size_t cap)
{
    size_t len = strcspn(*at, ".");
    size_t decoded;

    ck_assert_msg(oc_b64url_decode(*at, len, out, cap, &decoded), "not base64url: %s", *at);
    *at += len + ((*at)[len] == '.');
    return decoded;
}

static json_t *json_segment(const char **at)
{
    unsigned char bytes[4096];
    size_t len = segment(at, bytes, sizeof bytes);
    json_t *json = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);

    ck_assert_ptr_nonnull(json);
    return json;
}

/* RFC 7518 §3.4: r and s side by side; OpenSSL wants them in DER. */
static size_t ec_signature_to_der(const unsigned char *raw, size_t raw_len, unsigned char *der)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    int half = (int)(raw_len / 2);
    int len;

    ck_assert_int_eq(
        ECDSA_SIG_set0(sig, BN_bin2bn(raw, half, NULL), BN_bin2bn(raw + half, half, NULL)), 1);
    len = i2d_ECDSA_SIG(sig, &der);
    ECDSA_SIG_free(sig);
    ck_assert_int_gt(len, 0);
    return (size_t)len;
}

static bool signature_good(const char *token, const char *digest, EVP_PKEY *pkey)
{
    const char *last_dot = strrchr(token, '.');
    const char *at = last_dot + 1;
    size_t input_len = (size_t)(last_dot - token);
    unsigned char signature[1024], der[1024], mac[64];
    size_t len = segment(&at, signature, sizeof signature);
    unsigned mac_len;
    EVP_MD_CTX *ctx;
    bool good;

    if (!pkey) {
        HMAC(EVP_get_digestbyname(digest), secret, (int)strlen(secret),
             (const unsigned char *)token, input_len, mac, &mac_len);
        return len == mac_len && memcmp(mac, signature, len) == 0;
    }
    if (EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC) {
        ck_assert_uint_eq(len, 2 * (((size_t)EVP_PKEY_get_bits(pkey) + 7) / 8));
        len = ec_signature_to_der(signature, len, der);
    } else {
        memcpy(der, signature, len);
    }
    ctx = EVP_MD_CTX_new();
    good = EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, pkey, NULL) == 1 &&
           EVP_DigestVerify(ctx, der, len, (const unsigned char *)token, input_len) == 1;
    EVP_MD_CTX_free(ctx);
    return good;
}

static const struct {
    const char *alg;
    const char *digest;
    EVP_PKEY **pkey; /* NULL: the secret */
} good[] = {
    {"HS256", "SHA256", NULL},      {"HS384", "SHA384", NULL},      {"HS512", "SHA512", NULL},
    {"RS256", "SHA256", &rsa_2048}, {"RS384", "SHA384", &rsa_2048}, {"RS512", "SHA512", &rsa_2048},
    {"ES256", "SHA256", &p256},     {"ES384", "SHA384", &p384},     {"ES512", "SHA512", &p521},
};

START_TEST(each_algorithm_signs)
{
    const char *alg = good[_i].alg;
    EVP_PKEY *pkey = good[_i].pkey ? *good[_i].pkey : NULL;
    OC_CLEANUP(oc_freep) char *key = pkey ? to_pem(pkey, false, NULL) : strdup(secret);
    OC_CLEANUP(oc_freep) char *token = NULL;
    json_t *header, *claims, *want = json_loads(CLAIMS, 0, NULL);
    oc_diag_t diag = {0};
    const char *at;
    oc_err_t err;

    err = oc_mint_token(alg, _i % 2 ? "key \"1\"" : NULL, (unsigned char *)key, strlen(key), CLAIMS,
                        &token, &diag);
    ck_assert_msg(err == OC_OK, "%s: %s", alg, diag.message);
    ck_assert_msg(signature_good(token, good[_i].digest, pkey), "%s: bad signature", alg);

    at = token;
    header = json_segment(&at);
    claims = json_segment(&at);
    ck_assert_str_eq(json_string_value(json_object_get(header, "alg")), alg);
    ck_assert_str_eq(json_string_value(json_object_get(header, "typ")), "JWT");
    if (_i % 2)
        ck_assert_str_eq(json_string_value(json_object_get(header, "kid")), "key \"1\"");
    ck_assert_uint_eq(json_object_size(header), _i % 2 ? 3 : 2);
    ck_assert_msg(json_equal(claims, want), "%s: other claims", alg);
    ck_assert_uint_eq(ERR_peek_error(), 0);

    json_decref(header);
    json_decref(claims);
    json_decref(want);
}
END_TEST

/* A secret file usually ends in a newline that is not part of the secret, and only in one. */
START_TEST(one_newline_ends_a_secret)
{
    char with_newline[sizeof secret + 2];
    OC_CLEANUP(oc_freep) char *token = NULL;
    OC_CLEANUP(oc_freep) char *token_2 = NULL;

    snprintf(with_newline, sizeof with_newline, "%s\n\n", secret);
    ck_assert_int_eq(oc_mint_token("HS256", NULL, (unsigned char *)with_newline, strlen(secret) + 1,
                                   CLAIMS, &token, NULL),
                     OC_OK);
    ck_assert(signature_good(token, "SHA256", NULL));
    ck_assert_int_eq(oc_mint_token("HS256", NULL, (unsigned char *)with_newline, strlen(secret) + 2,
                                   CLAIMS, &token_2, NULL),
                     OC_OK);
    ck_assert(!signature_good(token_2, "SHA256", NULL));
}
END_TEST

enum form {
    PRIVATE,
    PUBLIC,
    ENCRYPTED,
    ENCRYPTED_EMPTY, /* under the empty passphrase, which nobody gave either */
    EQUAL_BYTES,
    JWK
};

/* The key file's text. */
static char *key_text(enum form form, EVP_PKEY *pkey, size_t secret_len)
{
    if (form == EQUAL_BYTES)
        return strdup("00000000000000000000000000000000");
    if (form == JWK)
        return strdup(
            "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMl"
            "rwIaaPcHURo\"}");
    if (!pkey)
        return strndup(secret, secret_len);
    return to_pem(pkey, form == PUBLIC,
                  form == ENCRYPTED         ? "swordfish"
                  : form == ENCRYPTED_EMPTY ? ""
                                            : NULL);
}

static const struct {
    const char *name;
    const char *alg;
    EVP_PKEY **pkey; /* NULL: `bytes` bytes of the secret */
    size_t bytes;
    enum form form;
    oc_err_t err;
    const char *says;
} bad_key[] = {
    {"short HS256", "HS256", NULL, 31, PRIVATE, OC_E_CONFIG, "at least 32"},
    {"short HS384", "HS384", NULL, 47, PRIVATE, OC_E_CONFIG, "at least 48"},
    {"short HS512", "HS512", NULL, 63, PRIVATE, OC_E_CONFIG, "at least 64"},
    {"no secret", "HS256", NULL, 0, PRIVATE, OC_E_CONFIG, "0 bytes"},
    {"P-256 for ES384", "ES384", &p256, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "P-384"},
    {"P-384 for ES256", "ES256", &p384, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "P-256"},
    {"P-384 for ES512", "ES512", &p384, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "P-521"},
    {"secp256k1 for ES256", "ES256", &k1, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "P-256"},
    {"RSA for ES256", "ES256", &rsa_2048, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "an EC key"},
    {"EC for RS256", "RS256", &p256, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "an RSA key"},
    {"Ed25519 for RS256", "RS256", &ed25519, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "an RSA key"},
    {"small RSA", "RS256", &rsa_1024, 0, PRIVATE, OC_E_CONFIG, "1024 bits"},
    {"PEM for HS256", "HS256", &rsa_2048, 0, PUBLIC, OC_E_ALG_NOT_ALLOWED, "is PEM"},
    {"equal bytes for HS256", "HS256", NULL, 0, EQUAL_BYTES, OC_E_CONFIG, "different bytes"},
    {"JWK for HS256", "HS256", NULL, 0, JWK, OC_E_CONFIG, "JWK"},
    {"public for RS256", "RS256", &rsa_2048, 0, PUBLIC, OC_E_CONFIG, "no private key"},
    {"encrypted for ES256", "ES256", &p256, 0, ENCRYPTED, OC_E_CONFIG, "encrypted"},
    {"encrypted by nothing", "ES256", &p256, 0, ENCRYPTED_EMPTY, OC_E_CONFIG, "encrypted"},
    {"secret for RS256", "RS256", NULL, 64, PRIVATE, OC_E_CONFIG, "not PEM"},
    {"lower case", "hs256", NULL, 64, PRIVATE, OC_E_ALG_NOT_ALLOWED, "HS256, HS384"},
    {"none", "none", NULL, 64, PRIVATE, OC_E_ALG_NOT_ALLOWED, "HS256, HS384"},
    {"empty", "", NULL, 64, PRIVATE, OC_E_ALG_NOT_ALLOWED, "HS256, HS384"},
    {"not signed here", "PS256", &rsa_2048, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "HS256, HS384"},
    {"not signed here", "EdDSA", &ed25519, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "HS256, HS384"},
    {"not signed here", "Ed25519", &ed25519, 0, PRIVATE, OC_E_ALG_NOT_ALLOWED, "HS256, HS384"},
};

START_TEST(unfit_keys_are_refused)
{
    EVP_PKEY *pkey = bad_key[_i].pkey ? *bad_key[_i].pkey : NULL;
    OC_CLEANUP(oc_freep) char *key = key_text(bad_key[_i].form, pkey, bad_key[_i].bytes);
    char *token = NULL;
    oc_diag_t diag = {0};
    oc_err_t err = oc_mint_token(bad_key[_i].alg, NULL, (unsigned char *)key, strlen(key), CLAIMS,
                                 &token, &diag);

    ck_assert_msg(err == bad_key[_i].err, "%s: %s, %s", bad_key[_i].name, oc_err_name(err),
                  diag.message);
    ck_assert_msg(strstr(diag.message, bad_key[_i].says) != NULL, "%s: '%s'", bad_key[_i].name,
                  diag.message);
    ck_assert_ptr_null(token);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

static const char *const bad_claims[] = {
    "",
    "[]",
    "\"sub\"",
    "null",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1}x",
    "{\"a\":1e400}",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\xff\"}",
    "{'a':1}",
};

START_TEST(bad_claims_are_refused)
{
    char *token = NULL;
    oc_diag_t diag = {0};

    ck_assert_msg(oc_mint_token("HS256", NULL, (const unsigned char *)secret, strlen(secret),
                                bad_claims[_i], &token, &diag) == OC_E_CLAIM_INVALID,
                  "'%s': %s", bad_claims[_i], diag.message);
    ck_assert_int_eq(strncmp(diag.message, "the claims are ", 15), 0);
    ck_assert_ptr_null(token);
}
END_TEST

START_TEST(bad_key_ids_are_refused)
{
    static const char *const kids[] = {"", "\xff"};
    char *token = NULL;

    for (size_t i = 0; i < sizeof kids / sizeof kids[0]; i++) {
        ck_assert_int_eq(oc_mint_token("HS256", kids[i], (const unsigned char *)secret,
                                       strlen(secret), CLAIMS, &token, NULL),
                         OC_E_CONFIG);
        ck_assert_ptr_null(token);
    }
}
END_TEST

static long allocations, allocations_max;

static void *counting_malloc(size_t size)
{
    return allocations++ < allocations_max ? malloc(size) : NULL;
}

/* Fail each allocation of the claims' check once. Not those behind it: libjwt 1.10 does not survive
 * a jansson that runs out of memory. */
START_TEST(out_of_memory)
{
    json_t *claims = NULL;
    char *token = NULL;
    long needed;

    allocations = 0;
    allocations_max = LONG_MAX;
    json_set_alloc_funcs(counting_malloc, free);
    ck_assert_int_eq(oc_json_load(CLAIMS, strlen(CLAIMS), &claims, NULL), OC_OK);
    needed = allocations;
    json_decref(claims);
    ck_assert_int_gt(needed, 10);
    for (long n = 0; n < needed; n++) {
        allocations = 0;
        allocations_max = n;
        ck_assert_msg(oc_mint_token("HS256", "k", (const unsigned char *)secret, strlen(secret),
                                    CLAIMS, &token, NULL) != OC_OK,
                      "allocation %ld", n);
        ck_assert_ptr_null(token);
    }
    json_set_alloc_funcs(malloc, free);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))

int main(void)
{
    Suite *suite = suite_create("mint");
    TCase *tcase = tcase_create("mint");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, make_keys, free_keys);
    tcase_add_loop_test(tcase, each_algorithm_signs, 0, COUNT(good));
    tcase_add_test(tcase, one_newline_ends_a_secret);
    tcase_add_loop_test(tcase, unfit_keys_are_refused, 0, COUNT(bad_key));
    tcase_add_loop_test(tcase, bad_claims_are_refused, 0, COUNT(bad_claims));
    tcase_add_test(tcase, bad_key_ids_are_refused);
    tcase_add_test(tcase, out_of_memory);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

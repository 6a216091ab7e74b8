/* SPDX-License-Identifier: MIT */

/* What verifying a token costs: strict parsing, key selection, signature, claims and identity, beside
 * the bare OpenSSL signature check with a key that is kept, and libjwt's jwt_decode() on the same
 * token, all in one run. "cached" is the whole of it for a token seen before.
 *
 * usage: verify */

#include <jwt.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "options.h"
#include "scratch.h"
#include "test_keys.h"
#include "token_sign.h"
#include "verifier.h"

#define ROUNDS 21

typedef struct subject {
    const char *alg;
    enum test_key which;
    size_t iterations;
    char *token;
    oc_config_t config;
    oc_keyset_t keys;
    oc_verifier_t *verifier; /* has the token in its cache */
    /* For the bare check. */
    EVP_PKEY *pkey;
    EVP_MAC_CTX *mac;
    unsigned char signature[TOKEN_SIGNATURE_MAX];
    size_t signature_len;
    size_t input_len;
    /* For libjwt, which knows neither PS nor EdDSA. */
    char *libjwt_key;
    size_t failures;
} subject_t;

static void die(const char *what)
{
    (void)fprintf(stderr, "verify: %s\n", what);
    exit(1);
}

static void run_ours(void *context, size_t iterations)
{
    subject_t *s = context;
    const oc_jws_rules_t rules = {oc_keyset_algs(&s->keys), 16384};
    size_t len = strlen(s->token);

    for (size_t i = 0; i < iterations; i++) {
        json_t *claims = NULL;
        oc_identity_t *identity = NULL;

        if (oc_jws_verify(&rules, &s->keys, s->token, len, &claims, NULL) != OC_OK ||
            oc_identity_from_claims(&s->config.claim_rules, claims, time(NULL), &identity, NULL) !=
                OC_OK)
            s->failures++;
        json_decref(claims);
        oc_identity_unref(identity);
    }
}

static void run_cached(void *context, size_t iterations)
{
    subject_t *s = context;
    size_t len = strlen(s->token);
    unsigned char hash[OC_TOKEN_HASH_LEN];

    for (size_t i = 0; i < iterations; i++) {
        oc_identity_t *identity = NULL;

        if (!oc_verifier_hash(s->verifier, s->token, len, hash) ||
            oc_verifier_identify(s->verifier, s->token, len, hash, time(NULL), &identity, NULL,
                                 NULL) != OC_OK)
            s->failures++;
        oc_identity_unref(identity);
    }
}

static bool bare_public(subject_t *s, EVP_MD_CTX *ctx)
{
    const EVP_MD *digest = s->which == TEST_ED25519 ? NULL : EVP_sha256();
    EVP_PKEY_CTX *pkey_ctx = NULL;

    if (EVP_DigestVerifyInit(ctx, &pkey_ctx, digest, NULL, s->pkey) != 1)
        return false;
    if (s->alg[0] == 'P' &&
        (EVP_PKEY_CTX_set_rsa_padding(pkey_ctx, RSA_PKCS1_PSS_PADDING) != 1 ||
         EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey_ctx, RSA_PSS_SALTLEN_DIGEST) != 1))
        return false;
    return EVP_DigestVerify(ctx, s->signature, s->signature_len, (const unsigned char *)s->token,
                            s->input_len) == 1;
}

static bool bare_secret(subject_t *s)
{
    unsigned char tag[64];
    size_t tag_len = 0;

    return EVP_MAC_init(s->mac, NULL, 0, NULL) == 1 &&
           EVP_MAC_update(s->mac, (const unsigned char *)s->token, s->input_len) == 1 &&
           EVP_MAC_final(s->mac, tag, &tag_len, sizeof tag) == 1 &&
           memcmp(tag, s->signature, tag_len) == 0;
}

static void run_bare(void *context, size_t iterations)
{
    subject_t *s = context;

    for (size_t i = 0; i < iterations; i++) {
        EVP_MD_CTX *ctx = s->mac ? NULL : EVP_MD_CTX_new();

        if (!(s->mac ? bare_secret(s) : bare_public(s, ctx)))
            s->failures++;
        EVP_MD_CTX_free(ctx);
    }
}

static void run_libjwt(void *context, size_t iterations)
{
    subject_t *s = context;

    for (size_t i = 0; i < iterations; i++) {
        jwt_t *jwt = NULL;

        if (jwt_decode(&jwt, s->token, (const unsigned char *)s->libjwt_key,
                       (int)strlen(s->libjwt_key)) != 0)
            s->failures++;
        jwt_free(jwt);
    }
}

static void prepare_mac(subject_t *s)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    s->mac = EVP_MAC_CTX_new(mac);
    if (!s->mac ||
        EVP_MAC_init(s->mac, (const unsigned char *)test_secret, strlen(test_secret), params) != 1)
        die("no HMAC");
    EVP_MAC_free(mac);
}

static void no_log(void *context, bool error, const char *message)
{
    (void)context;
    (void)error;
    (void)message;
}

/* The signature as EVP_DigestVerify() wants it: DER for ECDSA. */
static void prepare_signature(subject_t *s)
{
    const char *dot = strrchr(s->token, '.');

    s->input_len = (size_t)(dot - s->token);
    s->signature_len = token_unb64url(dot + 1, s->signature);
    if (s->which == TEST_P256) {
        ECDSA_SIG *sig = ECDSA_SIG_new();
        unsigned char *out = s->signature;

        if (!sig || ECDSA_SIG_set0(sig, BN_bin2bn(s->signature, 32, NULL),
                                   BN_bin2bn(s->signature + 32, 32, NULL)) != 1)
            die("no ECDSA signature");
        s->signature_len = (size_t)i2d_ECDSA_SIG(sig, &out);
        ECDSA_SIG_free(sig);
    }
}

static void prepare(subject_t *s)
{
    const oc_option_t option = {s->which == TEST_SECRET ? "jwt_secret_file" : "jwt_public_key_file",
                                test_key_file(s->which)};
    char header[64];
    char claims[256];

    (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", s->alg);
    (void)snprintf(claims, sizeof claims,
                   "{\"sub\":\"user-17\",\"org_id\":\"acme\",\"scope\":\"invoices:publish\","
                   "\"iss\":\"https://id.acme.example/\",\"aud\":\"orgcast\",\"exp\":%lld,"
                   "\"iat\":%lld}",
                   (long long)time(NULL) + 3600, (long long)time(NULL));
    s->token = token_sign(s->alg, &test_keys[s->which], header, claims);
    s->pkey = test_keys[s->which].pkey;
    prepare_signature(s);
    if (s->which == TEST_SECRET)
        prepare_mac(s);
    s->libjwt_key = s->pkey ? test_pem_public(s->pkey) : strdup(test_secret);
    if (oc_config_init(&s->config, &option, 1, NULL) != OC_OK ||
        oc_config_load_keys(&s->config, NULL, NULL, &s->keys, NULL) != OC_OK ||
        oc_verifier_new(&s->config, no_log, NULL, &s->verifier, NULL) != OC_OK)
        die("cannot load the key");
    run_cached(s, 1);
}

static void finish(subject_t *s)
{
    free(s->token);
    free(s->libjwt_key);
    EVP_MAC_CTX_free(s->mac);
    oc_verifier_free(s->verifier);
    oc_keyset_done(&s->keys);
    oc_config_done(&s->config);
}

static void measure(subject_t *s)
{
    bool libjwt = s->alg[0] != 'P' && s->which != TEST_ED25519;
    bench_subject_t runs[] = {
        {.name = "bare", .run = run_bare},
        {.name = "orgcast", .run = run_ours},
        {.name = "cached", .run = run_cached},
        {.name = "libjwt", .run = run_libjwt},
    };
    size_t count = libjwt ? 4 : 3;
    char libjwt_text[32] = "-";

    prepare(s);
    for (size_t run = 0; run < count; run++) {
        runs[run].context = s;
        runs[run].iterations = s->iterations;
    }
    bench_run(runs, count, ROUNDS);
    if (libjwt)
        (void)snprintf(libjwt_text, sizeof libjwt_text, "%.2f", runs[3].median_ns / 1000);
    printf("  %-6s %10.2f %10.2f %10.2f %10s   %.2f (+%.2f us)\n", s->alg, runs[0].median_ns / 1000,
           runs[1].median_ns / 1000, runs[2].median_ns / 1000, libjwt_text,
           runs[1].median_ns / runs[0].median_ns, (runs[1].median_ns - runs[0].median_ns) / 1000);
    finish(s);
}

int main(void)
{
    subject_t subjects[] = {
        {.alg = "HS256", .which = TEST_SECRET, .iterations = 2000},
        {.alg = "RS256", .which = TEST_RSA, .iterations = 500},
        {.alg = "PS256", .which = TEST_RSA, .iterations = 500},
        {.alg = "ES256", .which = TEST_P256, .iterations = 200},
        {.alg = "EdDSA", .which = TEST_ED25519, .iterations = 200},
    };
    size_t failures = 0;

    scratch_open();
    test_keys_make();
    printf("medians of %d rounds, microseconds a token\n", ROUNDS);
    printf("  %-6s %10s %10s %10s %10s   %s\n", "alg", "bare", "orgcast", "cached", "libjwt",
           "orgcast / bare");
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        measure(&subjects[i]);
        failures += subjects[i].failures;
    }
    printf("  failed verifications: %zu\n", failures);
    test_keys_free();
    scratch_close();
    return failures == 0 ? 0 : 1;
}

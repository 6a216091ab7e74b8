/* SPDX-License-Identifier: MIT */

/* What verifying a token costs: strict parsing, key selection, signature, claims and identity, beside
 * the bare OpenSSL signature check with a key that is kept, and libjwt's jwt_decode() on the same
 * token, all in one run.
 *
 * usage: verify */

#include <jwt.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "b64url.h"
#include "bench.h"
#include "identity.h"
#include "jws.h"
#include "mint.h"

#define ROUNDS 21

typedef struct subject {
    const char *alg;
    size_t iterations;
    char *token;
    oc_keyset_t keys;
    oc_jws_rules_t rules;
    /* For the bare check. */
    EVP_PKEY *pkey;
    EVP_MAC_CTX *mac;
    const EVP_MD *digest;
    unsigned char signature[1024];
    size_t signature_len;
    size_t input_len;
    /* For libjwt. */
    unsigned char key[4096];
    size_t key_len;
    size_t failures;
} subject_t;

static const oc_claim_rules_t claim_rules = {
    .leeway_s = 30,
    .max_orgs = 64,
    .org_claim = "/org_id",
    .scope_claim = "/scope",
    .username_claim = "/sub",
    .publish_scope = "invoices:publish",
    .subscribe_scope = "",
    .any_org_scope = "orgcast:any-org",
    .admin_scope = "orgcast:admin",
};

static void die(const char *what)
{
    (void)fprintf(stderr, "verify: %s\n", what);
    exit(1);
}

static void run_ours(void *context, size_t iterations)
{
    subject_t *s = context;
    size_t len = strlen(s->token);

    for (size_t i = 0; i < iterations; i++) {
        json_t *claims = NULL;
        oc_identity_t *identity = NULL;

        if (oc_jws_verify(&s->rules, &s->keys, s->token, len, &claims, NULL) != OC_OK ||
            oc_identity_from_claims(&claim_rules, claims, time(NULL), &identity, NULL) != OC_OK)
            s->failures++;
        json_decref(claims);
        oc_identity_unref(identity);
    }
}

static void run_bare(void *context, size_t iterations)
{
    subject_t *s = context;
    const unsigned char *input = (const unsigned char *)s->token;

    for (size_t i = 0; i < iterations; i++) {
        if (s->mac) {
            unsigned char tag[64];
            size_t tag_len = 0;

            if (EVP_MAC_init(s->mac, NULL, 0, NULL) != 1 ||
                EVP_MAC_update(s->mac, input, s->input_len) != 1 ||
                EVP_MAC_final(s->mac, tag, &tag_len, sizeof tag) != 1 ||
                memcmp(tag, s->signature, tag_len) != 0)
                s->failures++;
        } else {
            EVP_MD_CTX *ctx = EVP_MD_CTX_new();

            if (EVP_DigestVerifyInit(ctx, NULL, s->digest, NULL, s->pkey) != 1 ||
                EVP_DigestVerify(ctx, s->signature, s->signature_len, input, s->input_len) != 1)
                s->failures++;
            EVP_MD_CTX_free(ctx);
        }
    }
}

static void run_libjwt(void *context, size_t iterations)
{
    subject_t *s = context;

    for (size_t i = 0; i < iterations; i++) {
        jwt_t *jwt = NULL;

        if (jwt_decode(&jwt, s->token, s->key, (int)s->key_len) != 0)
            s->failures++;
        jwt_free(jwt);
    }
}

/* Write bytes to a file for the loaders, which read files. */
static void with_file(const void *bytes, size_t len, char path[static 32])
{
    int fd;

    memcpy(path, "/tmp/orgcast-bench-XXXXXX", 26);
    fd = mkstemp(path);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len || close(fd) != 0)
        die("cannot write a key file");
}

static void mint(subject_t *s, const unsigned char *key, size_t key_len)
{
    char claims[256];

    (void)snprintf(claims, sizeof claims,
                   "{\"sub\":\"user-17\",\"org_id\":\"acme\",\"scope\":\"invoices:publish\","
                   "\"iss\":\"https://id.acme.example/\",\"aud\":\"orgcast\",\"exp\":%lld,"
                   "\"iat\":%lld}",
                   (long long)time(NULL) + 3600, (long long)time(NULL));
    if (oc_mint_token(s->alg, NULL, key, key_len, claims, &s->token, NULL) != OC_OK)
        die("cannot mint a token");
}

static void prepare_secret(subject_t *s)
{
    static const char secret[] = "a secret of the bench program, long enough for HS512, 64 bytes!!";
    OSSL_PARAM params[2];
    char digest[] = "SHA256";
    char path[32];
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    s->key_len = sizeof secret - 1;
    memcpy(s->key, secret, s->key_len);
    mint(s, s->key, s->key_len);
    with_file(secret, s->key_len, path);
    if (oc_keyset_add_secret_file(&s->keys, path, NULL) != OC_OK)
        die("cannot load the secret");
    (void)unlink(path);
    params[0] = OSSL_PARAM_construct_utf8_string("digest", digest, 0);
    params[1] = OSSL_PARAM_construct_end();
    s->mac = EVP_MAC_CTX_new(mac);
    if (!s->mac || EVP_MAC_init(s->mac, s->key, s->key_len, params) != 1)
        die("no HMAC");
    EVP_MAC_free(mac);
}

static void prepare_pair(subject_t *s)
{
    BIO *private_pem = BIO_new(BIO_s_mem());
    BIO *public_pem = BIO_new(BIO_s_mem());
    char *bytes = NULL;
    char path[32];
    long len;

    s->pkey = s->alg[0] == 'R' ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    s->digest = EVP_sha256();
    if (!s->pkey ||
        PEM_write_bio_PrivateKey(private_pem, s->pkey, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_PUBKEY(public_pem, s->pkey) != 1)
        die("cannot make a key pair");
    len = BIO_get_mem_data(private_pem, &bytes);
    mint(s, (const unsigned char *)bytes, (size_t)len);
    len = BIO_get_mem_data(public_pem, &bytes);
    s->key_len = (size_t)len;
    memcpy(s->key, bytes, s->key_len);
    with_file(bytes, s->key_len, path);
    if (oc_keyset_add_public_file(&s->keys, path, NULL, NULL) != OC_OK)
        die("cannot load the public key");
    (void)unlink(path);
    BIO_free(private_pem);
    BIO_free(public_pem);
}

/* The bare check of ECDSA takes DER. */
static void signature_to_der(subject_t *s)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    unsigned char der[160];
    unsigned char *out = der;
    int len;

    (void)ECDSA_SIG_set0(sig, BN_bin2bn(s->signature, 32, NULL),
                         BN_bin2bn(s->signature + 32, 32, NULL));
    len = i2d_ECDSA_SIG(sig, &out);
    ECDSA_SIG_free(sig);
    if (len <= 0)
        die("no DER");
    memcpy(s->signature, der, (size_t)len);
    s->signature_len = (size_t)len;
}

static void prepare(subject_t *s)
{
    const char *dot;

    if (s->alg[0] == 'H')
        prepare_secret(s);
    else
        prepare_pair(s);
    s->rules = (oc_jws_rules_t){oc_keyset_algs(&s->keys), 16384};
    dot = strrchr(s->token, '.');
    s->input_len = (size_t)(dot - s->token);
    if (!oc_b64url_decode(dot + 1, strlen(dot + 1), s->signature, sizeof s->signature,
                          &s->signature_len))
        die("the token is malformed");
    if (s->alg[0] == 'E')
        signature_to_der(s);
}

int main(void)
{
    subject_t subjects[] = {
        {.alg = "HS256", .iterations = 2000},
        {.alg = "RS256", .iterations = 500},
        {.alg = "ES256", .iterations = 200},
    };
    size_t failures = 0;

    printf("medians of %d rounds, microseconds a token\n", ROUNDS);
    printf("  %-6s %10s %10s %10s   %s\n", "alg", "bare", "orgcast", "libjwt", "orgcast / bare");
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        subject_t *s = &subjects[i];
        bench_subject_t runs[] = {
            {.name = "bare", .run = run_bare},
            {.name = "orgcast", .run = run_ours},
            {.name = "libjwt", .run = run_libjwt},
        };

        prepare(s);
        for (size_t run = 0; run < 3; run++) {
            runs[run].context = s;
            runs[run].iterations = s->iterations;
        }
        bench_run(runs, 3, ROUNDS);
        printf("  %-6s %10.2f %10.2f %10.2f   %.2f (+%.2f us)\n", s->alg, runs[0].median_ns / 1000,
               runs[1].median_ns / 1000, runs[2].median_ns / 1000,
               runs[1].median_ns / runs[0].median_ns,
               (runs[1].median_ns - runs[0].median_ns) / 1000);
        failures += s->failures;
        free(s->token);
        oc_keyset_done(&s->keys);
        EVP_PKEY_free(s->pkey);
        EVP_MAC_CTX_free(s->mac);
    }
    printf("  failed verifications: %zu\n", failures);
    return failures == 0 ? 0 : 1;
}

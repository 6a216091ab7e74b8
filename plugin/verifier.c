/* SPDX-License-Identifier: MIT */
#include "verifier.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "jws.h"
#include "token_cache.h"

#define CACHED_ORGS_MAX 8

/* A token whose signature was good and whose time was over. */
typedef struct expired {
    unsigned char hash[OC_TOKEN_HASH_LEN];
    int64_t seen_s;
} expired_t;

/* Some clients try an expired token thousands of times a second. */
#define EXPIRED_MAX 256

struct oc_verifier {
    const oc_config_t *config;
    oc_keyring_t *ring;
    oc_token_cache_t *cache;
    EVP_MD *sha256;
    EVP_MD_CTX *digest_ctx;
    expired_t expired[EXPIRED_MAX]; /* by the first byte of the hash */
};

oc_err_t oc_verifier_new(const oc_config_t *config, oc_keyring_log_t log, void *context,
                         oc_verifier_t **ret_verifier, oc_diag_t *diag)
{
    oc_verifier_t *verifier = calloc(1, sizeof *verifier);
    oc_err_t err = OC_E_NOMEM;

    if (verifier) {
        verifier->config = config;
        verifier->cache = oc_token_cache_new();
        verifier->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        verifier->digest_ctx = EVP_MD_CTX_new();
        ERR_clear_error();
        if (verifier->cache && verifier->sha256 && verifier->digest_ctx)
            err = oc_keyring_new(config, log, context, &verifier->ring, diag);
    }
    if (err) {
        oc_verifier_free(verifier);
        return oc_fail(diag, err, "out of memory");
    }
    *ret_verifier = verifier;
    return OC_OK;
}

void oc_verifier_free(oc_verifier_t *verifier)
{
    if (!verifier)
        return;
    oc_keyring_free(verifier->ring);
    oc_token_cache_free(verifier->cache);
    EVP_MD_free(verifier->sha256);
    EVP_MD_CTX_free(verifier->digest_ctx);
    free(verifier);
}

bool oc_verifier_hash(oc_verifier_t *verifier, const char *token, size_t token_len,
                      unsigned char ret_hash[static OC_TOKEN_HASH_LEN])
{
    unsigned len = 0;
    bool hashed = EVP_DigestInit_ex2(verifier->digest_ctx, verifier->sha256, NULL) == 1 &&
                  EVP_DigestUpdate(verifier->digest_ctx, token, token_len) == 1 &&
                  EVP_DigestFinal_ex(verifier->digest_ctx, ret_hash, &len) == 1 &&
                  len == OC_TOKEN_HASH_LEN;

    ERR_clear_error();
    return hashed;
}

/* When a token was last found to be expired; INT64_MAX: never. */
static int64_t expired_since(const oc_verifier_t *verifier,
                             const unsigned char hash[static OC_TOKEN_HASH_LEN])
{
    const expired_t *entry = &verifier->expired[hash[0] % EXPIRED_MAX];

    return memcmp(entry->hash, hash, OC_TOKEN_HASH_LEN) == 0 ? entry->seen_s : INT64_MAX;
}

static void note_expired(oc_verifier_t *verifier,
                         const unsigned char hash[static OC_TOKEN_HASH_LEN], int64_t now_s)
{
    expired_t *entry = &verifier->expired[hash[0] % EXPIRED_MAX];

    memcpy(entry->hash, hash, OC_TOKEN_HASH_LEN);
    entry->seen_s = now_s;
}

bool oc_verifier_knows(oc_verifier_t *verifier, const unsigned char hash[static OC_TOKEN_HASH_LEN])
{
    return oc_token_cache_get(verifier->cache, hash) != NULL ||
           expired_since(verifier, hash) != INT64_MAX;
}

/* The key for a token. Without one the key sets are fetched. */
static oc_err_t select_key(oc_verifier_t *verifier, const oc_jws_t *jws, int64_t now_s,
                           oc_key_t **ret_key, oc_key_miss_t *ret_miss, oc_diag_t *diag)
{
    oc_diag_t cause = {0};
    oc_err_t err =
        oc_keyset_select(oc_keyring_keys(verifier->ring), jws->alg, jws->kid, ret_key, &cause);

    if (!err)
        return OC_OK;
    if (err != OC_E_KEY_UNKNOWN)
        return oc_fail(diag, err, "%s", cause.message);
    *ret_miss = oc_keyring_miss(verifier->ring, jws->alg, jws->kid, now_s);
    if (*ret_miss == OC_KEY_ABSENT)
        return oc_fail(diag, err, "%s", cause.message);
    if (diag)
        diag->passing = true;
    return oc_fail(diag, err, "%.200s; the key set is being fetched again", cause.message);
}

/* The whole check, without the cache. */
static oc_err_t verify(oc_verifier_t *verifier, const char *token, size_t token_len, int64_t now_s,
                       oc_identity_t **ret_identity, oc_key_miss_t *ret_miss, oc_diag_t *diag)
{
    OC_CLEANUP(oc_json_decrefp) json_t *claims = NULL;
    OC_CLEANUP(oc_jws_done) oc_jws_t jws = {0};
    const oc_jws_rules_t rules = {
        .algs = oc_keyring_algs(verifier->ring),
        .max_bytes = (size_t)verifier->config->token_max_bytes,
    };
    oc_key_t *key = NULL;
    oc_err_t err;

    if ((err = oc_jws_open(&rules, token, token_len, &jws, diag)) ||
        (err = select_key(verifier, &jws, now_s, &key, ret_miss, diag)) ||
        (err = oc_jws_check(&jws, key, diag)) || (err = oc_jws_claims(&jws, &claims, diag)))
        return err;
    return oc_identity_from_claims(&verifier->config->claim_rules, claims, now_s, ret_identity,
                                   diag);
}

oc_err_t oc_verifier_identify(oc_verifier_t *verifier, const char *token, size_t token_len,
                              const unsigned char hash[static OC_TOKEN_HASH_LEN], int64_t now_s,
                              oc_identity_t **ret_identity, oc_key_miss_t *ret_miss,
                              oc_diag_t *diag)
{
    oc_identity_t *cached;
    oc_identity_t *identity = NULL;
    oc_key_miss_t miss;
    oc_err_t err;

    oc_verifier_poll(verifier);
    cached = oc_token_cache_get(verifier->cache, hash);
    if (cached) {
        err = oc_identity_check_times(cached, now_s, diag);
        if (!err)
            *ret_identity = oc_identity_ref(cached);
        return err;
    }
    /* A clock that was set back may make the token good again. */
    if (now_s >= expired_since(verifier, hash))
        return oc_fail(diag, OC_E_TOKEN_EXPIRED, "expired; this token was refused before");
    err = verify(verifier, token, token_len, now_s, &identity, ret_miss ? ret_miss : &miss, diag);
    if (err == OC_E_TOKEN_EXPIRED)
        note_expired(verifier, hash, now_s);
    if (err)
        return err;
    /* Large ones are rare, and would let a few thousand tokens hold much memory. */
    if (identity->org_count <= CACHED_ORGS_MAX)
        oc_token_cache_put(verifier->cache, hash, identity);
    *ret_identity = identity;
    return OC_OK;
}

oc_err_t oc_verifier_reload(oc_verifier_t *verifier, oc_diag_t *diag)
{
    oc_err_t err = oc_keyring_reload(verifier->ring, diag);

    if (!err)
        oc_token_cache_clear(verifier->cache);
    return err;
}

void oc_verifier_poll(oc_verifier_t *verifier)
{
    if (oc_keyring_poll(verifier->ring))
        oc_token_cache_clear(verifier->cache);
}

bool oc_verifier_fetched(const oc_verifier_t *verifier, int64_t *ret_fetched_s)
{
    return oc_keyring_fetched(verifier->ring, ret_fetched_s);
}

size_t oc_verifier_key_count(const oc_verifier_t *verifier)
{
    return oc_keyring_keys(verifier->ring)->count;
}

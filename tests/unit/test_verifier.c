/* SPDX-License-Identifier: MIT */
/* A token's bytes → identity, with keys that change and a cache that must not be a way around anything. */
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "http.h"
#include "mem.h"
#include "scratch.h"
#include "test_jwks.h"
#include "unit.h"
#include "verifier.h"

#define NOW_S 1000000
#define LEEWAY_S 30
#define DEADLINE_MS 20000
#define SILENCE_MS 300

static char *set_a; /* a P-256 key named "a" */
static char *set_b;
static http_t *http;

static void make_keys(void)
{
    test_keys_make();
    set_a = test_jwks(test_jwk_named(TEST_P256, "a"), NULL, NULL);
    set_b = test_jwks(test_jwk_named(TEST_P256_OTHER, "b"), NULL, NULL);
}

static void free_keys(void)
{
    free(set_a);
    free(set_b);
    test_keys_free();
}

static oc_config_t config;
static oc_verifier_t *verifier;
static char *tokens[16]; /* freed at the end */
static size_t token_count;

static void ignore_line(void *context, bool error, const char *message)
{
    (void)context;
    (void)error;
    (void)message;
}

static void make(void)
{
    scratch_open();
    http = http_start();
}

static void unmake(void)
{
    oc_verifier_free(verifier);
    oc_config_done(&config);
    http_stop(http);
    for (size_t i = 0; i < token_count; i++)
        free(tokens[i]);
    scratch_close();
}

#define OPTIONS_MAX 8

static oc_err_t open_verifier(const oc_option_t options[static OPTIONS_MAX], oc_diag_t *diag)
{
    size_t count = 0;

    while (count < OPTIONS_MAX && options[count].name)
        count++;
    ck_assert_msg(oc_config_init(&config, options, count, diag) == OC_OK, "%s", diag->message);
    return oc_verifier_new(&config, ignore_line, NULL, &verifier, diag);
}

#define OPEN(...)                                                                                  \
    do {                                                                                           \
        const oc_option_t options_[OPTIONS_MAX] = {__VA_ARGS__};                                   \
        oc_diag_t diag_ = {0};                                                                     \
        ck_assert_msg(open_verifier(options_, &diag_) == OC_OK, "%s", diag_.message);              \
    } while (0)

static const char *write_set(const char *json)
{
    return scratch_file("set", json, strlen(json));
}

/* A token of acme's; times are added to the claims. */
static const char *sign(enum test_key key, const char *kid, const char *times)
{
    char header[128];
    char claims[256];

    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
    (void)snprintf(claims, sizeof claims, "{\"sub\":\"ann\",\"org_id\":\"acme\",%s}", times);
    ck_assert_uint_lt(token_count, COUNT(tokens));
    tokens[token_count] = token_sign("ES256", &test_keys[key], header, claims);
    return tokens[token_count++];
}

/* The identity, which the caller lets go of, or NULL with the reason in ret_err. */
static oc_identity_t *identify(const char *token, int64_t now_s, oc_err_t *ret_err)
{
    unsigned char hash[OC_TOKEN_HASH_LEN];
    oc_identity_t *identity = NULL;
    oc_diag_t diag = {0};

    ck_assert(oc_verifier_hash(verifier, token, strlen(token), hash));
    *ret_err =
        oc_verifier_identify(verifier, token, strlen(token), hash, now_s, &identity, NULL, &diag);
    ck_assert_int_eq(diag.code, *ret_err);
    ck_assert((*ret_err == OC_OK) == (identity != NULL));
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return identity;
}

static void refused(const char *token, int64_t now_s, oc_err_t want)
{
    oc_err_t err;
    oc_identity_t *identity = identify(token, now_s, &err);

    ck_assert_msg(err == want, "%s, not %s", oc_err_name(err), oc_err_name(want));
    oc_identity_unref(identity);
}

static oc_identity_t *accepted(const char *token, int64_t now_s)
{
    oc_err_t err;
    oc_identity_t *identity = identify(token, now_s, &err);

    ck_assert_msg(err == OC_OK, "%s", oc_err_name(err));
    ck_assert_str_eq(identity->subject, "ann");
    return identity;
}

/* Whether a token comes from the cache: then it is the very same identity, which is held meanwhile so
 * that no new one can be at its address. */
static bool cached(const char *token, oc_identity_t *identity)
{
    oc_identity_t *again = accepted(token, NOW_S);
    bool same = again == identity;

    oc_identity_unref(again);
    return same;
}

START_TEST(hashes)
{
    static const unsigned char want[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                         0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                         0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                         0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    unsigned char hash[OC_TOKEN_HASH_LEN];

    OPEN({"jwks_file", write_set(set_a)});
    for (int i = 0; i < 3; i++) {
        ck_assert(oc_verifier_hash(verifier, "abc", 3, hash));
        ck_assert_mem_eq(hash, want, sizeof want);
        ck_assert(oc_verifier_hash(verifier, "", 0, hash));
        ck_assert_mem_ne(hash, want, sizeof want);
    }
}
END_TEST

START_TEST(the_same_token_again)
{
    const char *token = sign(TEST_P256, "a", "\"exp\":1000100");
    const char *other = sign(TEST_P256, "a", "\"exp\":1000101");
    oc_identity_t *identity;
    oc_identity_t *of_other;

    OPEN({"jwks_file", write_set(set_a)});
    ck_assert_uint_eq(oc_verifier_key_count(verifier), 1);
    identity = accepted(token, NOW_S);
    /* The caller's and the cache's. */
    ck_assert_uint_eq(identity->references, 2);
    ck_assert(cached(token, identity));
    of_other = accepted(other, NOW_S);
    ck_assert_ptr_ne(of_other, identity);
    ck_assert(cached(token, identity) && cached(other, of_other));
    ck_assert_int_eq(of_other->deadline_s, 1000101 + LEEWAY_S);
    oc_identity_unref(identity);
    oc_identity_unref(of_other);
}
END_TEST

/* One signature is good, so its token is cached; of any other bytes nothing is. */
START_TEST(the_same_claims_with_another_signature)
{
    const char *token = sign(TEST_P256, "a", "\"exp\":1000100");
    const char *again = sign(TEST_P256, "a", "\"exp\":1000100");
    char *forged = strdup(token);
    char *at;
    oc_identity_t *identity;
    oc_identity_t *of_again;

    OPEN({"jwks_file", write_set(set_a)});
    identity = accepted(token, NOW_S);
    at = strrchr(forged, '.') + 5;
    *at = *at == 'A' ? 'B' : 'A';
    for (int i = 0; i < 3; i++)
        refused(forged, NOW_S, OC_E_SIGNATURE_INVALID);
    /* ECDSA: another signature of the same is as good. */
    ck_assert_str_ne(token, again);
    of_again = accepted(again, NOW_S);
    ck_assert_ptr_ne(of_again, identity);
    oc_identity_unref(identity);
    oc_identity_unref(of_again);
    free(forged);
}
END_TEST

START_TEST(times_of_a_cached_token)
{
    const char *token = sign(TEST_P256, "a", "\"nbf\":999900,\"exp\":1000100");
    oc_identity_t *identity;

    OPEN({"jwks_file", write_set(set_a)});
    identity = accepted(token, NOW_S);
    for (int i = 0; i < 2; i++) {
        oc_identity_unref(accepted(token, 1000100 + LEEWAY_S - 1));
        refused(token, 1000100 + LEEWAY_S, OC_E_TOKEN_EXPIRED);
        refused(token, INT64_MAX, OC_E_TOKEN_EXPIRED);
        /* The clock was set back. */
        oc_identity_unref(accepted(token, 999900 - LEEWAY_S));
        refused(token, 999900 - LEEWAY_S - 1, OC_E_TOKEN_NOT_YET_VALID);
        refused(token, 0, OC_E_TOKEN_NOT_YET_VALID);
        /* All of that came from the cache. */
        ck_assert(cached(token, identity));
    }
    oc_identity_unref(identity);
}
END_TEST

/* That a token expired is remembered as of that moment. When its time has come, the token is good. */
START_TEST(times_of_a_token_not_cached)
{
    const char *token = sign(TEST_P256, "a", "\"nbf\":1000000,\"exp\":1000100");

    OPEN({"jwks_file", write_set(set_a)});
    refused(token, 1000000 - LEEWAY_S - 1, OC_E_TOKEN_NOT_YET_VALID);
    refused(token, 1000100 + LEEWAY_S, OC_E_TOKEN_EXPIRED);
    oc_identity_unref(accepted(token, NOW_S));
}
END_TEST

START_TEST(a_reload_empties_the_cache)
{
    const char *token = sign(TEST_P256, "a", "\"exp\":1000100");
    const char *path = write_set(set_a);
    oc_identity_t *identity;
    oc_diag_t diag = {0};

    OPEN({"jwks_file", path});
    identity = accepted(token, NOW_S);
    /* One that fails changes nothing. */
    (void)write_set("{}");
    ck_assert_int_eq(oc_verifier_reload(verifier, &diag), OC_E_CONFIG);
    ck_assert(cached(token, identity));
    (void)write_set(set_a);
    ck_assert_int_eq(oc_verifier_reload(verifier, &diag), OC_OK);
    ck_assert(!cached(token, identity));
    oc_identity_unref(identity);
}
END_TEST

START_TEST(a_key_that_is_gone_from_a_file)
{
    const char *token = sign(TEST_P256, "a", "\"exp\":1000100");
    const char *other = sign(TEST_P256_OTHER, "b", "\"exp\":1000100");
    OC_CLEANUP(oc_freep)
    char *impostor = test_jwks(test_jwk_named(TEST_P256_OTHER, "a"), NULL, NULL);
    oc_diag_t diag = {0};

    OPEN({"jwks_file", write_set(set_a)});
    oc_identity_unref(accepted(token, NOW_S));
    refused(other, NOW_S, OC_E_KEY_UNKNOWN);
    (void)write_set(set_b);
    ck_assert_int_eq(oc_verifier_reload(verifier, &diag), OC_OK);
    refused(token, NOW_S, OC_E_KEY_UNKNOWN);
    oc_identity_unref(accepted(other, NOW_S));
    /* Its name is another key's. */
    (void)write_set(impostor);
    ck_assert_int_eq(oc_verifier_reload(verifier, &diag), OC_OK);
    refused(token, NOW_S, OC_E_SIGNATURE_INVALID);
    refused(other, NOW_S, OC_E_KEY_UNKNOWN);
}
END_TEST

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Ask until the answer is this. */
static void wait_for(const char *token, int64_t now_s, oc_err_t want)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;
    oc_err_t err;

    do {
        oc_identity_unref(identify(token, now_s, &err));
        if (err != want)
            (void)poll(NULL, 0, 1);
    } while (err != want && monotonic_ms() < deadline_ms);
    ck_assert_msg(err == want, "%s, not %s", oc_err_name(err), oc_err_name(want));
}

/* A set that was fetched is in use with the very next token, which is also what empties the cache: no
 * tick comes between. */
START_TEST(a_key_that_is_gone_from_a_url)
{
    const char *token = sign(TEST_P256, "a", "\"exp\":1000100");
    const char *other = sign(TEST_P256_OTHER, "b", "\"exp\":1000100");

    http_set_text(http, "/keys", set_a);
    OPEN({"jwks_url", http_url(http, "/keys")});
    wait_for(token, NOW_S, OC_OK);
    http_set_text(http, "/keys", set_b);
    /* Its own unknown kid brings the new set, ten seconds after the last one that was unknown. */
    wait_for(other, NOW_S + 11, OC_OK);
    refused(token, NOW_S, OC_E_KEY_UNKNOWN);
    ck_assert_uint_eq(oc_verifier_key_count(verifier), 1);
}
END_TEST

/* Taking over a set outside of a token's check empties the cache as well. */
START_TEST(a_poll_empties_the_cache)
{
    const char *token = sign(TEST_P256, "a", "\"exp\":1000100");
    OC_CLEANUP(oc_freep)
    char *both =
        test_jwks(test_jwk_named(TEST_P256, "a"), test_jwk_named(TEST_P256_OTHER, "b"), NULL);
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;
    oc_identity_t *identity;
    oc_diag_t diag = {0};

    http_set_text(http, "/keys", set_a);
    OPEN({"jwks_url", http_url(http, "/keys")});
    wait_for(token, NOW_S, OC_OK);
    identity = accepted(token, NOW_S);
    http_set_text(http, "/keys", both);
    ck_assert_int_eq(oc_verifier_reload(verifier, &diag), OC_OK);
    while (oc_verifier_key_count(verifier) < 2 && monotonic_ms() < deadline_ms) {
        oc_verifier_poll(verifier);
        (void)poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(oc_verifier_key_count(verifier), 2);
    ck_assert(!cached(token, identity));
    oc_identity_unref(identity);
}
END_TEST

/* What brings a fetch forward: a key id that is not there, an algorithm that no key has. */
static const struct {
    const char *name;
    const char *alg;
    const char *header;
    enum test_key key;
    oc_err_t err;
    bool fetches;
} misses[] = {
    {"unknown kid", "ES256", "{\"alg\":\"ES256\",\"kid\":\"x\"}", TEST_P256, OC_E_KEY_UNKNOWN,
     true},
    {"no kid", "ES256", "{\"alg\":\"ES256\"}", TEST_P256, OC_E_KEY_UNKNOWN, true},
    {"another algorithm", "EdDSA", "{\"alg\":\"EdDSA\"}", TEST_ED25519, OC_E_KEY_UNKNOWN, true},
    {"another algorithm of the kid", "EdDSA", "{\"alg\":\"EdDSA\",\"kid\":\"a\"}", TEST_ED25519,
     OC_E_ALG_NOT_ALLOWED, false},
    {"secrets, which no URL brings", "HS256", "{\"alg\":\"HS256\",\"kid\":\"x\"}", TEST_SECRET,
     OC_E_ALG_NOT_ALLOWED, false},
    {"none", NULL, "{\"alg\":\"none\",\"kid\":\"x\"}", TEST_P256, OC_E_ALG_NOT_ALLOWED, false},
    {"a bad signature", "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}", TEST_P256_OTHER,
     OC_E_SIGNATURE_INVALID, false},
    {"malformed", "ES256", "{\"alg\":\"ES256\",\"kid\":1}", TEST_P256, OC_E_TOKEN_MALFORMED, false},
};

START_TEST(what_brings_a_fetch_forward)
{
    OC_CLEANUP(oc_freep)
    char *both =
        test_jwks(test_jwk_named(TEST_P256, "a"), test_jwk_named(TEST_P256_OTHER, "b"), NULL);
    OC_CLEANUP(oc_freep)
    char *token = token_sign(misses[_i].alg, &test_keys[misses[_i].key], misses[_i].header,
                             "{\"sub\":\"ann\",\"org_id\":\"acme\",\"exp\":1000100}");
    const char *good = sign(TEST_P256, "a", "\"exp\":1000100");

    http_set_text(http, "/keys", both);
    OPEN({"jwks_url", http_url(http, "/keys")});
    while (oc_verifier_key_count(verifier) < 2) {
        oc_verifier_poll(verifier);
        (void)poll(NULL, 0, 1);
    }
    oc_identity_unref(accepted(good, NOW_S));
    ck_assert_uint_eq(http_requests(http), 1);
    refused(token, NOW_S, misses[_i].err);
    ck_assert_msg(http_wait(http, 2, misses[_i].fetches ? DEADLINE_MS : SILENCE_MS) ==
                      misses[_i].fetches,
                  "%s", misses[_i].name);
    /* A thousand of them are one fetch. */
    for (int i = 0; i < 1000; i++)
        refused(token, NOW_S + i % 10, misses[_i].err);
    ck_assert_msg(!http_wait(http, 3, SILENCE_MS), "%s", misses[_i].name);
}
END_TEST

/* No key yet, and the provider hangs: refused, without waiting for it. */
START_TEST(before_the_first_set)
{
    const char *token = sign(TEST_P256, "a", "\"exp\":1000100");
    int64_t start_ms = monotonic_ms();

    http_set(http, "/keys", HTTP_HANG, 0, "", "", 0);
    OPEN({"jwks_url", http_url(http, "/keys")});
    for (int i = 0; i < 100; i++)
        refused(token, NOW_S, OC_E_KEY_UNKNOWN);
    ck_assert_int_lt(monotonic_ms() - start_ms, 2000);
    ck_assert_uint_eq(oc_verifier_key_count(verifier), 0);
}
END_TEST

/* The configuration's rules are asked, once with each option that makes one. */
static const struct {
    const char *option, *value;
    oc_err_t err;
} rules[] = {
    {"jwt_leeway", "0", OC_OK},
    {"jwt_algorithms", "ES256", OC_OK},
    {"jwt_issuer", "https://id.acme.example", OC_OK},
    {"jwt_issuer", "https://id.globex.example", OC_E_ISSUER_MISMATCH},
    {"jwt_audience", "orgcast", OC_OK},
    {"jwt_audience", "other", OC_E_AUDIENCE_MISMATCH},
    {"jwt_max_lifetime", "200", OC_OK},
    {"jwt_max_lifetime", "199", OC_E_TOKEN_LIFETIME},
    {"jwt_max_bytes", "64", OC_E_TOKEN_TOO_LARGE},
    {"org_claim", "/org", OC_E_CLAIM_MISSING},
    {"org_claim", "/orgs", OC_OK},
    {"max_orgs_per_token", "2", OC_OK},
    {"username_claim", "/nobody", OC_E_CLAIM_MISSING},
};

START_TEST(the_rules_of_the_configuration)
{
    const char *token = sign(TEST_P256, "a",
                             "\"iss\":\"https://id.acme.example\",\"aud\":[\"orgcast\"],"
                             "\"orgs\":[\"acme\",\"globex\"],\"iat\":999900,\"exp\":1000100");

    OPEN({"jwks_file", write_set(set_a)}, {rules[_i].option, rules[_i].value});
    for (int i = 0; i < 2; i++) {
        oc_err_t err;

        oc_identity_unref(identify(token, NOW_S, &err));
        ck_assert_msg(err == rules[_i].err, "%s %s: %s", rules[_i].option, rules[_i].value,
                      oc_err_name(err));
    }
}
END_TEST

START_TEST(so_many_orgs_as_configured)
{
    const char *token = sign(TEST_P256, "a", "\"orgs\":[\"acme\",\"globex\"],\"exp\":1000100");

    OPEN({"jwks_file", write_set(set_a)}, {"org_claim", "/orgs"}, {"max_orgs_per_token", "1"});
    refused(token, NOW_S, OC_E_TOO_MANY_ORGS);
}
END_TEST

START_TEST(an_algorithm_that_is_not_in_the_list)
{
    const char *token = sign(TEST_P256, "a", "\"exp\":1000100");
    OC_CLEANUP(oc_freep)
    char *both = test_jwks(test_jwk_named(TEST_P256, "a"), test_jwk_named(TEST_RSA, "r"), NULL);

    OPEN({"jwks_file", write_set(both)}, {"jwt_algorithms", "RS256"});
    refused(token, NOW_S, OC_E_ALG_NOT_ALLOWED);
    refused(token, NOW_S, OC_E_ALG_NOT_ALLOWED);
}
END_TEST

START_TEST(errors_at_the_start)
{
    const oc_option_t options[OPTIONS_MAX] = {{"jwks_file", scratch_path("missing")}};
    oc_diag_t diag = {0};

    ck_assert_int_eq(open_verifier(options, &diag), OC_E_CONFIG);
    ck_assert_msg(strncmp(diag.message, "plugin_opt_jwks_file: ", 22) == 0, "'%s'", diag.message);
    ck_assert_ptr_null(verifier);
    oc_verifier_free(NULL);
}
END_TEST

/* Hundreds of tokens again and again: each stands for its own organization, cached or not. */
START_TEST(many_tokens)
{
    static char *many[512];
    oc_identity_t *identity;

    OPEN({"jwt_secret_file", test_key_file(TEST_SECRET)});
    for (size_t i = 0; i < COUNT(many); i++) {
        char claims[128];

        (void)snprintf(claims, sizeof claims,
                       "{\"sub\":\"ann\",\"org_id\":\"org-%zu\",\"exp\":1000100}", i);
        many[i] = token_sign("HS256", &test_keys[TEST_SECRET], "{\"alg\":\"HS256\"}", claims);
    }
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT(many); i++) {
            char org[32];
            int len = snprintf(org, sizeof org, "org-%zu", i);

            identity = accepted(many[i], NOW_S);
            unit_check(oc_identity_has_org(identity, org, (size_t)len), "token %zu", i);
            oc_identity_unref(identity);
        }
    }
    for (size_t i = 0; i < COUNT(many); i++)
        free(many[i]);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("verifier");

    tcase_add_unchecked_fixture(tcase, make_keys, free_keys);
    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, hashes);
    tcase_add_test(tcase, the_same_token_again);
    tcase_add_test(tcase, the_same_claims_with_another_signature);
    tcase_add_test(tcase, times_of_a_cached_token);
    tcase_add_test(tcase, times_of_a_token_not_cached);
    tcase_add_test(tcase, a_reload_empties_the_cache);
    tcase_add_test(tcase, a_key_that_is_gone_from_a_file);
    tcase_add_test(tcase, a_key_that_is_gone_from_a_url);
    tcase_add_test(tcase, a_poll_empties_the_cache);
    unit_add_table(tcase, what_brings_a_fetch_forward, misses);
    tcase_add_test(tcase, before_the_first_set);
    unit_add_table(tcase, the_rules_of_the_configuration, rules);
    tcase_add_test(tcase, so_many_orgs_as_configured);
    tcase_add_test(tcase, an_algorithm_that_is_not_in_the_list);
    tcase_add_test(tcase, errors_at_the_start);
    tcase_add_test(tcase, many_tokens);
    return unit_run("verifier", tcase);
}

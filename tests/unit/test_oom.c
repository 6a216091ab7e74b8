/* SPDX-License-Identifier: MIT */
/* Each allocation of the token, identity, session and configuration code fails once, alone and with all
 * that come after it: the answer is an error, and what was there before stays whole. */
#include <openssl/err.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "event_check.h"
#include "http.h"
#include "identity.h"
#include "json.h"
#include "jwk.h"
#include "jwks_cache.h"
#include "jws.h"
#include "keyring.h"
#include "mem.h"
#include "oom.h"
#include "options.h"
#include "org_limits.h"
#include "penalty.h"
#include "revocation_file.h"
#include "revocations.h"
#include "scratch.h"
#include "session.h"
#include "stream.h"
#include "test_jwks.h"
#include "token_cache.h"
#include "unit.h"
#include "verifier.h"

/* --- What is tried --- */

#define NOW_S 1000

static oc_keyset_t keys;
static json_t *parsed; /* claims_text */
static char *tokens[TEST_KEYS];
static char *forged[TEST_KEYS];
static const struct {
    const char *alg;
    enum test_key key;
} signers[] = {{"HS256", TEST_SECRET}, {"RS256", TEST_RSA},  {"PS384", TEST_RSA},
               {"ES256", TEST_P256},   {"ES512", TEST_P521}, {"EdDSA", TEST_ED25519}};

static const char claims_text[] =
    "{\"iss\":\"https://id.acme.example\",\"aud\":[\"x\",\"orgcast\"],\"sub\":\"ann\",\"exp\":2000,"
    "\"org_id\":[\"acme\",\"globex\"],\"scope\":\"invoices:publish orgcast:any-org "
    "orgcast:admin\"}";

static const oc_claim_rules_t claim_rules = {
    .max_orgs = 64,
    .org_claim = "/org_id",
    .scope_claim = "/scope",
    .username_claim = "/sub",
    .publish_scope = "invoices:publish",
    .subscribe_scope = "",
    .any_org_scope = "orgcast:any-org",
    .admin_scope = "orgcast:admin",
};

static void make(void)
{
    static const enum test_key held[] = {TEST_SECRET, TEST_RSA, TEST_P256, TEST_P521, TEST_ED25519};

    scratch_open();
    test_keys_make();
    if (oc_json_load(claims_text, strlen(claims_text), &parsed, NULL))
        abort();
    for (size_t i = 0; i < COUNT(held); i++)
        test_keyset_add(&keys, held[i], NULL);
    for (size_t i = 0; i < COUNT(signers); i++) {
        char header[64];
        char *at;

        (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", signers[i].alg);
        tokens[i] = token_sign(signers[i].alg, &test_keys[signers[i].key], header, claims_text);
        /* The signature of one bit more. */
        forged[i] = strdup(tokens[i]);
        at = strrchr(forged[i], '.') + 5;
        *at = *at == 'A' ? 'B' : 'A';
    }
}

static void unmake(void)
{
    oc_keyset_done(&keys);
    json_decref(parsed);
    for (size_t i = 0; i < COUNT(signers); i++) {
        free(tokens[i]);
        free(forged[i]);
    }
    test_keys_free();
    scratch_close();
}

static oc_err_t verify(const char *token, json_t **ret_claims)
{
    const oc_jws_rules_t rules = {.algs = oc_keyset_algs(&keys), .max_bytes = 16384};

    return oc_jws_verify(&rules, &keys, token, strlen(token), ret_claims, NULL);
}

static int token_index;

/* OpenSSL may do without an allocation that it asked for, so a good token may still be found good, with
 * its very claims; a forged one never. */
static void body_verify(bool failing)
{
    json_t *claims = NULL;
    oc_err_t err = verify(tokens[token_index], &claims);

    WANT((err == OC_OK) == (claims != NULL));
    WANT(failing || err == OC_OK);
    if (!err) {
        WANT(json_equal(claims, parsed));
    }
    json_decref(claims);
}

static void body_verify_forged(bool failing)
{
    json_t *claims = NULL;
    oc_err_t err = verify(forged[token_index], &claims);

    (void)failing;
    WANT(err != OC_OK && !claims);
    WANT(failing || err == OC_E_SIGNATURE_INVALID);
}

START_TEST(verifying)
{
    token_index = _i;
    oom_each_allocation(signers[_i].alg, body_verify);
    oom_each_allocation(signers[_i].alg, body_verify_forged);
}
END_TEST

/* jansson loses a byte of a long string when its buffer cannot grow, and goes on: no such result. */
static void body_json(bool failing)
{
    json_t *json = NULL;
    oc_diag_t diag = {0};
    oc_err_t err = oc_json_load(claims_text, strlen(claims_text), &json, &diag);

    WANT(failing ? err != OC_OK && !json && diag.code != OC_OK : err == OC_OK);
    json_decref(json);
}

START_TEST(parsing)
{
    oom_each_allocation("oc_json_load", body_json);
}
END_TEST

static const char event_text[] =
    "{\"specversion\":\"1.0\",\"id\":\"e-1\",\"source\":\"/billing\",\"type\":\"invoice.updated\","
    "\"subject\":\"inv-17\",\"organizationid\":\"acme\",\"data\":{\"organizationId\":\"acme\","
    "\"invoiceId\":\"inv-17\",\"invoiceNumber\":\"2026-0017\",\"amount\":\"10.00\","
    "\"currency\":\"EUR\",\"status\":\"PAID\",\"timestamp\":\"2026-11-24T10:00:00Z\","
    "\"previous\":{\"amount\":\"9.00\"}}}";

/* Neither taken nor said to be invalid, which it is not. */
static void body_event(bool failing)
{
    oc_diag_t diag = {0};
    oc_err_t err =
        oc_event_check(OC_EVENT_MODE_CATALOGUE, "acme", 4, "org/acme/invoices/updated/inv-17",
                       event_text, strlen(event_text), &diag);

    WANT(err == (failing ? OC_E_NOMEM : OC_OK));
    WANT(diag.code == err);
}

/* --- Numbering --- */

static oc_stream_t *stream;

static const oc_stamp_memory_t heap = {malloc, free};

static oc_err_t append_event(const char *org)
{
    const oc_stream_event_t event = {
        {org, strlen(org)}, "org/acme/invoices/paid/inv-1", "{}", 2, {0}};
    char *payload = NULL;
    size_t len = 0;
    oc_err_t err = oc_stream_append(stream, &event, &heap, &payload, &len);

    free(payload);
    return err;
}

static uint64_t last_number(const char *org)
{
    return oc_stream_position(stream, (oc_slice_t){org, strlen(org)}).sequence;
}

static bool count_given(void *context, const char *topic, const char *payload, size_t len)
{
    (void)topic;
    (void)payload;
    (void)len;
    ++*(size_t *)context;
    return true;
}

/* How many of an organization's events are kept, from the first on. */
static size_t held(const char *org)
{
    oc_stream_gap_t gap = {.org = {org, strlen(org)}, .most = 1000, .max_bytes = SIZE_MAX};
    oc_stream_part_t part = {0};
    size_t count = 0;

    gap.epoch = oc_stream_position(stream, gap.org).epoch;
    if (oc_stream_replay(stream, &gap, count_given, &count, &part) != OC_OK || !part.recovered)
        return 0;
    return count;
}

static void body_new_stream(bool failing)
{
    oc_stream_t *one = oc_stream_new();

    WANT((one == NULL) == failing);
    oc_stream_free(one);
}

/* Either it has the next number and is kept, or nothing has changed. */
static void check_append(bool failing, const char *org)
{
    bool armed = oom_memory.armed;
    uint64_t before;
    oc_err_t err;

    oom_memory.armed = false;
    stream = oc_stream_new();
    WANT(stream);
    oc_stream_keep(stream, 1000, 1000000);
    /* As many as fit before there must be room for more. */
    for (int i = 0; i < 4; i++)
        WANT(append_event("acme") == OC_OK);
    before = last_number(org);
    oom_memory.armed = armed;
    err = append_event(org);
    WANT(err == OC_OK || (failing && err == OC_E_NOMEM));
    WANT(last_number(org) == before + (err == OC_OK));
    WANT(held(org) == last_number(org));
    WANT(held("acme") >= 4);
    oc_stream_free(stream);
}

static void body_append(bool failing)
{
    check_append(failing, "acme");
}

static void body_append_first(bool failing)
{
    check_append(failing, "globex");
}

START_TEST(numbering)
{
    oom_each_allocation("oc_stream_new", body_new_stream);
    oom_each_allocation("oc_stream_append", body_append);
    oom_each_allocation("oc_stream_append, the first", body_append_first);
}
END_TEST

START_TEST(checking_events)
{
    oom_each_allocation("oc_event_check", body_event);
}
END_TEST

static void body_identity(bool failing)
{
    oc_identity_t *identity = NULL;
    oc_err_t err = oc_identity_from_claims(&claim_rules, parsed, NOW_S, &identity, NULL);

    WANT(failing ? err != OC_OK && !identity : err == OC_OK);
    oc_identity_unref(identity);
}

START_TEST(identifying)
{
    oom_each_allocation("oc_identity_from_claims", body_identity);
}
END_TEST

/* Sessions are entered in limits. */
static oc_limits_t *new_limits(void)
{
    oc_limits_t *limits = oc_limits_new();

    ck_assert_ptr_nonnull(limits);
    oc_limits_count_subjects(limits);
    return limits;
}

static oc_limits_t *session_limits;

static void body_new_sessions(bool failing)
{
    oc_sessions_t *sessions = oc_sessions_new(session_limits);

    WANT((sessions == NULL) == failing);
    oc_sessions_free(sessions);
}

START_TEST(new_sessions)
{
    session_limits = new_limits();
    oom_each_allocation("oc_sessions_new", body_new_sessions);
    oc_limits_free(session_limits);
}
END_TEST

#define CLIENTS 300

static oc_identity_t *make_identity(void)
{
    oc_identity_t *identity = NULL;

    ck_assert_int_eq(oc_identity_from_claims(&claim_rules, parsed, NOW_S, &identity, NULL), OC_OK);
    return identity;
}

/* So many that heap and tables grow; whichever allocation fails, that one client has no session, the
 * others keep theirs, and the next try succeeds. */
START_TEST(binding)
{
    static const unsigned char hash[OC_TOKEN_HASH_LEN];
    static char clients[CLIENTS];
    const oc_session_traits_t traits = {0};
    oc_session_end_t cause;
    long tried = 0;

    session_limits = new_limits();

    for (long fail_at = 0; fail_at < 4; fail_at++) {
        oc_sessions_t *sessions = oc_sessions_new(session_limits);

        for (int i = 0; i < CLIENTS; i++) {
            oc_identity_t *identity = make_identity();
            oc_session_t *session;
            oc_session_t *held;
            char id[16];
            oc_err_t err;

            /* Every third takes the id of the one before. */
            (void)snprintf(id, sizeof id, "id-%d", i % 3 == 2 ? i - 1 : i);
            held = oc_sessions_find_id(sessions, id);
            oom_arm(fail_at, fail_at % 2);
            err = oc_sessions_bind(sessions, &clients[i], id, identity, hash, &traits);
            oom_disarm();
            if (err) {
                tried++;
                ck_assert_int_eq(err, OC_E_NOMEM);
                ck_assert_ptr_null(oc_sessions_find(sessions, &clients[i], id));
                /* The id is held by whom it was, or by nobody. */
                ck_assert(!oc_sessions_find_id(sessions, id) ||
                          oc_sessions_find_id(sessions, id) == held);
                ck_assert_uint_eq(oc_sessions_count(sessions), (size_t)i);
                /* Not taken: it is still the caller's. */
                ck_assert_int_eq(
                    oc_sessions_bind(sessions, &clients[i], id, identity, hash, &traits), OC_OK);
            }
            session = oc_sessions_find(sessions, &clients[i], id);
            ck_assert_ptr_nonnull(session);
            ck_assert_ptr_eq(oc_sessions_find_id(sessions, id), session);
            ck_assert_ptr_eq(oc_session_identity(session), identity);
        }
        for (int i = 0; i < CLIENTS; i++) {
            char id[16];

            (void)snprintf(id, sizeof id, "id-%d", i % 3 == 2 ? i - 1 : i);
            ck_assert_ptr_nonnull(oc_sessions_find(sessions, &clients[i], id));
        }
        for (int i = 0; i < CLIENTS; i++)
            ck_assert_ptr_nonnull(oc_sessions_next_due(sessions, 5000, &cause));
        ck_assert_ptr_null(oc_sessions_next_due(sessions, 5000, &cause));
        oc_sessions_free(sessions);
    }
    ck_assert_int_gt(tried, CLIENTS);
    ck_assert_uint_eq(oc_limits_subject_count(session_limits), 0);
    oc_limits_free(session_limits);
}
END_TEST

static void body_new_limits(bool failing)
{
    oc_limits_t *limits = oc_limits_new();

    WANT((limits == NULL) == failing);
    oc_limits_free(limits);
}

static void body_new_penalty(bool failing)
{
    oc_penalty_t *penalty = oc_penalty_new(1);

    WANT((penalty == NULL) == failing);
    oc_penalty_free(penalty);
}

static oc_identity_t *numbered_identity(int number, int org_count)
{
    oc_claim_rules_t rules = claim_rules;
    json_t *orgs = json_array();
    OC_CLEANUP(oc_json_decrefp)
    json_t *claims = json_pack("{s:o, s:i, s:o}", "sub", json_sprintf("user-%d", number), "exp",
                               2000, "org_id", orgs);
    oc_identity_t *identity = NULL;

    for (int i = 0; i < org_count; i++)
        json_array_append_new(orgs, json_sprintf("org-%d", number + i));
    rules.max_orgs = OC_ORGS_PER_TOKEN_MAX;
    ck_assert_int_eq(oc_identity_from_claims(&rules, claims, NOW_S, &identity, NULL), OC_OK);
    return identity;
}

/* Each of 64 organizations and the subject are new, and both tables grow on the way: whichever allocation
 * fails, nothing is left of that connection, and the next try succeeds. */
START_TEST(entering)
{
    long failures = 0;

    oom_each_allocation("oc_limits_new", body_new_limits);
    for (long fail_at = 0; fail_at < 70; fail_at++) {
        oc_limits_t *limits = new_limits();

        for (int i = 0; i < 200; i += 64) {
            oc_identity_t *identity = numbered_identity(i, 64);
            size_t orgs = oc_limits_org_count(limits);
            oc_err_t err;

            oom_arm(fail_at, fail_at % 2);
            err = oc_limits_enter(limits, identity);
            oom_disarm();
            if (err) {
                failures++;
                ck_assert_int_eq(err, OC_E_NOMEM);
                ck_assert_uint_eq(oc_limits_org_count(limits), orgs);
                ck_assert_uint_eq(oc_limits_of_subject(limits, identity->subject), 0);
                ck_assert_int_eq(oc_limits_enter(limits, identity), OC_OK);
            }
            ck_assert_uint_eq(oc_limits_org_count(limits), orgs + 64);
            ck_assert_uint_eq(oc_limits_of_subject(limits, identity->subject), 1);
            ck_assert_uint_eq(
                oc_limits_find_org(limits, identity->orgs[63].id, identity->orgs[63].len)
                    ->connections,
                1);
            oc_identity_unref(identity);
        }
        oc_limits_free(limits);
    }
    ck_assert_int_gt(failures, 256);
}
END_TEST

/* A second connection into organizations that are there counts nowhere, when the one that is new finds no
 * memory; and leaving, looking and events of known organizations need none. */
START_TEST(limits_without_memory)
{
    const oc_limit_rules_t rules = {
        .max_per_org = 10, .max_per_subject = 10, .max_publish_rate = 1};
    const oc_limit_rules_t unlimited = {0};
    oc_limits_t *limits = new_limits();
    oc_identity_t *first = numbered_identity(0, 3);
    oc_identity_t *second = numbered_identity(0, 4);
    oc_diag_t diag = {0};

    ck_assert_int_eq(oc_limits_enter(limits, first), OC_OK);
    oom_arm(0, true);
    WANT(oc_limits_enter(limits, second) == OC_E_NOMEM);
    WANT(oc_limits_enter(limits, first) == OC_OK);
    WANT(oc_limits_check(limits, &rules, second, first, NULL) == OC_OK);
    WANT(oc_limits_publish(limits, &rules, "org-1", 5, 0, &diag) == OC_OK);
    WANT(oc_limits_publish(limits, &rules, "acme", 4, 0, &diag) == OC_E_NOMEM);
    WANT(diag.code == OC_E_NOMEM);
    WANT(oc_limits_publish(limits, &unlimited, "acme", 4, 0, NULL) == OC_OK);
    oc_limits_refused(limits, "acme", 4);
    oc_limits_leave(limits, first);
    oc_limits_tick(limits, 1);
    oom_disarm();
    ck_assert_uint_eq(oc_limits_org_count(limits), 3);
    ck_assert_uint_eq(oc_limits_subject_count(limits), 1);
    for (size_t i = 0; i < 3; i++)
        ck_assert_uint_eq(
            oc_limits_find_org(limits, first->orgs[i].id, first->orgs[i].len)->connections, 1);
    oc_identity_unref(first);
    oc_identity_unref(second);
    oc_limits_free(limits);
}
END_TEST

/* A table that cannot become smaller stays as it is. */
START_TEST(shrinking_without_memory)
{
    oc_limits_t *limits = oc_limits_new();
    oc_identity_t *identity = numbered_identity(0, 200);
    oc_identity_t *last = numbered_identity(199, 1);

    ck_assert_int_eq(oc_limits_enter(limits, identity), OC_OK);
    ck_assert_int_eq(oc_limits_enter(limits, last), OC_OK);
    oc_limits_leave(limits, identity);
    oom_arm(0, true);
    oc_limits_tick(limits, 0);
    oom_disarm();
    ck_assert_int_eq(oom_memory.failed, 1);
    ck_assert_uint_eq(oc_limits_find_org(limits, "org-199", 7)->connections, 1);
    oom_arm(-1, false);
    oc_limits_tick(limits, 0);
    oom_disarm();
    ck_assert_int_eq(oom_memory.count, 1);
    ck_assert_uint_eq(oc_limits_find_org(limits, "org-199", 7)->connections, 1);
    oc_identity_unref(identity);
    oc_identity_unref(last);
    oc_limits_free(limits);
}
END_TEST

START_TEST(new_penalty)
{
    oc_penalty_t *penalty = oc_penalty_new(1);

    oom_each_allocation("oc_penalty_new", body_new_penalty);
    oom_arm(0, true);
    for (int i = 0; i < OC_PENALTY_BURST; i++)
        oc_penalty_note(penalty, "192.0.2.1", 0);
    WANT(oc_penalty_held(penalty, "192.0.2.1", 0));
    oom_disarm();
    ck_assert_int_eq(oom_memory.count, 0);
    oc_penalty_free(penalty);
}
END_TEST

static oc_option_t options[] = {
    {"jwt_secret_file", NULL},       {"jwt_public_key_file", NULL},
    {"jwt_public_key_file", NULL},   {"jwt_issuer", "https://id.acme.example"},
    {"jwt_audience", "orgcast"},     {"org_claim", "/org"},
    {"topic_template", "a/{org}/#"}, {"topic_template", "b/{org}/#"},
    {"publish_scope", "write"},
};

static void body_options(bool failing)
{
    oc_config_t config;
    oc_diag_t diag = {0};
    oc_err_t err = oc_config_init(&config, options, COUNT(options), &diag);

    WANT(err == (failing ? OC_E_NOMEM : OC_OK));
    WANT(diag.code == err);
    oc_config_done(&config);
}

static void name_key_files(char *kid_path, size_t size)
{
    options[0].value = test_key_file(TEST_SECRET);
    options[1].value = test_key_file(TEST_RSA);
    (void)snprintf(kid_path, size, "k=%s", test_key_file(TEST_P256));
    options[2].value = kid_path;
}

START_TEST(configuring)
{
    char kid_path[600];

    name_key_files(kid_path, sizeof kid_path);
    oom_each_allocation("oc_config_init", body_options);
}
END_TEST

static oc_config_t config;

/* Here too OpenSSL may do without; then the keys must be whole. */
static void body_load_keys(bool failing)
{
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};
    oc_err_t err = oc_config_load_keys(&config, NULL, NULL, &set, &diag);

    WANT(failing || err == OC_OK);
    WANT(diag.code == err);
    if (err) {
        WANT(set.count == 0);
    } else {
        const oc_jws_rules_t rules = {.algs = oc_keyset_algs(&set), .max_bytes = 16384};
        json_t *claims = NULL;
        bool armed = oom_memory.armed;

        oom_disarm();
        WANT(set.count == 3);
        for (size_t i = 0; i < 4; i++) {
            WANT(oc_jws_verify(&rules, &set, tokens[i], strlen(tokens[i]), &claims, NULL) == OC_OK);
            json_decref(claims);
            WANT(oc_jws_verify(&rules, &set, forged[i], strlen(forged[i]), &claims, NULL) != OC_OK);
        }
        oom_memory.armed = armed;
    }
    oc_keyset_done(&set);
}

START_TEST(loading_keys)
{
    char kid_path[600];

    name_key_files(kid_path, sizeof kid_path);
    ck_assert_int_eq(oc_config_init(&config, options, COUNT(options), NULL), OC_OK);
    oom_each_allocation("oc_config_load_keys", body_load_keys);
    oc_config_done(&config);
}
END_TEST

/* --- Key sets --- */

static char *jwks_text; /* one key of each type */

static const enum test_key jwks_keys[] = {TEST_SECRET, TEST_RSA, TEST_P256, TEST_P521,
                                          TEST_ED25519};

static void make_jwks(void)
{
    json_t *list = json_array();
    OC_CLEANUP(oc_json_decrefp) json_t *jwks = json_pack("{s:o}", "keys", list);

    for (size_t i = 0; i < COUNT(jwks_keys); i++)
        json_array_append_new(list, test_jwk(jwks_keys[i]));
    jwks_text = json_dumps(jwks, JSON_COMPACT);
}

/* OpenSSL does not always tell that it was memory that it lacked: then the key is skipped, as one that
 * cannot be used. Whatever is there is right, and a set of before stays. */
static void body_jwks(bool failing)
{
    const oc_jwks_options_t source = {"set", true, NULL, NULL};
    oc_keyset_t set = {0};
    oc_diag_t diag = {0};
    oc_err_t err = oc_keyset_add_jwks(&set, jwks_text, strlen(jwks_text), &source, &diag);
    bool armed = oom_memory.armed;

    WANT(err == diag.code && (failing || err == OC_OK));
    oom_disarm();
    WANT(failing ? set.count <= COUNT(jwks_keys) : set.count == COUNT(jwks_keys));
    WANT((err == OC_OK) == (set.count > 0));
    for (size_t i = 0; i < COUNT(signers); i++) {
        const oc_jws_rules_t rules = {.algs = OC_ALG_ANY, .max_bytes = 16384};
        json_t *claims = NULL;
        oc_err_t verdict = oc_jws_verify(&rules, &set, tokens[i], strlen(tokens[i]), &claims, NULL);

        WANT(verdict == OC_OK || (failing && verdict == OC_E_KEY_UNKNOWN));
        json_decref(claims);
        claims = NULL;
        WANT(oc_jws_verify(&rules, &set, forged[i], strlen(forged[i]), &claims, NULL) != OC_OK);
        WANT(!claims);
    }
    oom_memory.armed = armed;
    oc_keyset_done(&set);
}

START_TEST(key_sets)
{
    make_jwks();
    oom_each_allocation("oc_keyset_add_jwks", body_jwks);
    free(jwks_text);
}
END_TEST

#define SET "{\"keys\":[{\"kid\":\"a\"}]}"
#define OTHER_SET "{\"keys\":[]}"
#define ACME "https://id.acme.example/keys"
#define GLOBEX "https://id.globex.example/keys"

static oc_err_t store(const char *url, const char *json)
{
    return oc_jwks_cache_store(scratch_path("cache"), url, json, strlen(json), NULL);
}

static void check_cached(const char *url, const char *want)
{
    OC_CLEANUP(oc_freep) char *json = NULL;
    size_t len = 0;
    oc_err_t err = oc_jwks_cache_load(scratch_path("cache"), url, &json, &len, NULL);

    WANT(err == OC_OK);
    WANT(strcmp(json, want) == 0);
}

static void body_cache_load(bool failing)
{
    char *json = NULL;
    size_t len = 0;
    oc_err_t err = oc_jwks_cache_load(scratch_path("cache"), ACME, &json, &len, NULL);

    WANT((err == OC_OK) == (json != NULL));
    WANT(failing || err == OC_OK);
    if (!err) {
        WANT(strcmp(json, SET) == 0);
    }
    free(json);
}

/* What is on disk stays, or is replaced; and the sets of others stay in any case. */
static void body_cache_store(bool failing)
{
    oc_err_t err = store(ACME, SET);
    bool armed = oom_memory.armed;

    WANT(failing || err == OC_OK);
    oom_disarm();
    check_cached(ACME, err ? OTHER_SET : SET);
    check_cached(GLOBEX, OTHER_SET);
    WANT(store(ACME, OTHER_SET) == OC_OK);
    oom_memory.armed = armed;
}

START_TEST(cache_files)
{
    ck_assert_int_eq(store(ACME, SET), OC_OK);
    oom_each_allocation("oc_jwks_cache_load", body_cache_load);
    ck_assert_int_eq(store(ACME, OTHER_SET), OC_OK);
    ck_assert_int_eq(store(GLOBEX, OTHER_SET), OC_OK);
    oom_each_allocation("oc_jwks_cache_store", body_cache_store);
}
END_TEST

/* --- The verifier --- */

static void ignore_line(void *context, bool error, const char *message)
{
    (void)context;
    (void)error;
    (void)message;
}

static void body_new_cache(bool failing)
{
    oc_token_cache_t *cache = oc_token_cache_new();

    WANT((cache == NULL) == failing);
    oc_token_cache_free(cache);
}

START_TEST(new_token_cache)
{
    oom_each_allocation("oc_token_cache_new", body_new_cache);
}
END_TEST

static oc_verifier_t *verifier;

static oc_err_t identify(const char *token, oc_identity_t **ret_identity)
{
    unsigned char hash[OC_TOKEN_HASH_LEN];

    if (!oc_verifier_hash(verifier, token, strlen(token), hash))
        return OC_E_NOMEM;
    return oc_verifier_identify(verifier, token, strlen(token), hash, NOW_S, ret_identity, NULL,
                                NULL);
}

/* Each token, with memory again. A key may have been skipped. */
static void check_verifier(bool failing)
{
    for (size_t i = 0; i < COUNT(signers); i++) {
        oc_identity_t *identity = NULL;
        oc_err_t err = identify(tokens[i], &identity);

        WANT(err == OC_OK || failing);
        WANT((err == OC_OK) == (identity != NULL));
        oc_identity_unref(identity);
        identity = NULL;
        WANT(identify(forged[i], &identity) != OC_OK && !identity);
    }
}

static void body_new_verifier(bool failing)
{
    oc_diag_t diag = {0};
    oc_err_t err = oc_verifier_new(&config, ignore_line, NULL, &verifier, &diag);
    bool armed = oom_memory.armed;

    WANT(failing || err == OC_OK);
    WANT(diag.code == err && (err == OC_OK) == (verifier != NULL));
    oom_disarm();
    if (!err)
        check_verifier(failing);
    oc_verifier_free(verifier);
    verifier = NULL;
    oom_memory.armed = armed;
}

/* One that fails leaves every key of before. */
static void body_reload(bool failing)
{
    oc_diag_t diag = {0};
    bool armed = oom_memory.armed;
    oc_err_t err;

    oom_disarm();
    WANT(oc_verifier_reload(verifier, NULL) == OC_OK);
    oom_memory.armed = armed;
    err = oc_verifier_reload(verifier, &diag);
    WANT(failing || err == OC_OK);
    oom_disarm();
    check_verifier(failing && err == OC_OK);
    oom_memory.armed = armed;
}

/* One that was accepted is in the cache, so each time the cache is emptied before. */
static void body_identify(bool failing)
{
    oc_identity_t *identity = NULL;
    bool armed = oom_memory.armed;
    oc_err_t err;

    oom_disarm();
    WANT(oc_verifier_reload(verifier, NULL) == OC_OK);
    oom_memory.armed = armed;
    err = identify(tokens[token_index], &identity);
    WANT((err == OC_OK) == (identity != NULL));
    WANT(failing || err == OC_OK);
    if (identity)
        WANT(strcmp(identity->subject, "ann") == 0 && identity->org_count == 2);
    oc_identity_unref(identity);
}

static void body_identify_forged(bool failing)
{
    oc_identity_t *identity = NULL;
    oc_err_t err = identify(forged[token_index], &identity);

    WANT(err != OC_OK && !identity);
    WANT(failing || err == OC_E_SIGNATURE_INVALID);
}

static const char *jwks_path;

static void configure_verifier(void)
{
    make_jwks();
    jwks_path = scratch_file("jwks", jwks_text, strlen(jwks_text));
    free(jwks_text);
    ck_assert_int_eq(oc_config_init(&config, &(oc_option_t){"jwks_file", jwks_path}, 1, NULL),
                     OC_OK);
}

START_TEST(new_verifier)
{
    configure_verifier();
    oom_each_allocation("oc_verifier_new", body_new_verifier);
    oc_config_done(&config);
}
END_TEST

START_TEST(verifier_in_use)
{
    unsigned char hash[OC_TOKEN_HASH_LEN];
    const char *token;
    oc_identity_t *identity = NULL;

    configure_verifier();
    ck_assert_int_eq(oc_verifier_new(&config, ignore_line, NULL, &verifier, NULL), OC_OK);
    oom_each_allocation("oc_verifier_reload", body_reload);
    for (token_index = 0; token_index < (int)COUNT(signers); token_index++) {
        oom_each_allocation(signers[token_index].alg, body_identify);
        oom_each_allocation(signers[token_index].alg, body_identify_forged);
    }
    /* Apart from its hash, a token that is known needs no oom_memory. */
    token = tokens[COUNT(signers) - 1];
    ck_assert(oc_verifier_hash(verifier, token, strlen(token), hash));
    oom_arm(0, true);
    WANT(oc_verifier_identify(verifier, token, strlen(token), hash, NOW_S, &identity, NULL, NULL) ==
         OC_OK);
    oom_disarm();
    ck_assert_int_eq(oom_memory.count, 0);
    oc_identity_unref(identity);
    oc_verifier_free(verifier);
    oc_config_done(&config);
}
END_TEST

/* A set that came when memory was out is taken over by the next look, not by the next set. */
START_TEST(a_set_that_comes_without_memory)
{
    OC_CLEANUP(oc_freep) char *one = test_jwks(test_jwk_named(TEST_P256, "a"), NULL, NULL);
    OC_CLEANUP(oc_freep) char *two = test_jwks(test_jwk_named(TEST_P256, "b"), NULL, NULL);
    http_t *http = http_start();
    oc_keyring_t *ring = NULL;

    http_set_text(http, "/keys", one);
    ck_assert_int_eq(
        oc_config_init(&config, &(oc_option_t){"jwks_url", http_url(http, "/keys")}, 1, NULL),
        OC_OK);
    ck_assert_int_eq(oc_keyring_new(&config, ignore_line, NULL, &ring, NULL), OC_OK);
    while (!oc_keyring_poll(ring))
        (void)poll(NULL, 0, 1);
    ck_assert_str_eq(oc_keyring_keys(ring)->keys[0]->kid, "a");
    http_set_text(http, "/keys", two);
    ck_assert_int_eq(oc_keyring_reload(ring, NULL), OC_OK);
    do {
        (void)poll(NULL, 0, 1);
        oom_arm(0, true);
        WANT(!oc_keyring_poll(ring));
        oom_disarm();
    } while (oom_memory.failed == 0);
    ck_assert_str_eq(oc_keyring_keys(ring)->keys[0]->kid, "a");
    ck_assert(oc_keyring_poll(ring));
    ck_assert_str_eq(oc_keyring_keys(ring)->keys[0]->kid, "b");
    ck_assert(!oc_keyring_poll(ring));
    oc_keyring_free(ring);
    oc_config_done(&config);
    http_stop(http);
}
END_TEST

/* --- Revocations --- */

#define REVOKED                                                                                    \
    "{\"jti\":\"a\",\"revokedAt\":5}\n"                                                            \
    "{\"unrevoke\":{\"jti\":\"b\"}}\n"                                                             \
    "{\"subject\":\"ann\",\"issuedBefore\":100,\"revokedAt\":5,\"expiresAt\":5000}\n"

static oc_revocations_t *revocations;
static const char *revocation_path;

static const oc_revocation_t org_revocation = {OC_REVOKE_ORG, "acme", 100, 5, 5000};

static void open_revocations(void)
{
    revocation_path = scratch_file("revocations", REVOKED, strlen(REVOKED));
    WANT(oc_revocations_new(&revocations) == OC_OK);
    WANT(oc_revocations_open(revocations, revocation_path, NOW_S, NULL) == OC_OK);
}

static void body_new_revocations(bool failing)
{
    oc_revocations_t *made = NULL;

    WANT(oc_revocations_new(&made) == (failing ? OC_E_NOMEM : OC_OK));
    WANT(failing == (made == NULL));
    oc_revocations_free(made);
}

/* Its last line is whole but for the newline, which is a parse of its own. */
static void body_open_revocations(bool failing)
{
    oc_diag_t diag = {0};
    bool armed = oom_memory.armed;
    oc_err_t err;

    oom_disarm();
    revocation_path = scratch_file("revocations", REVOKED, strlen(REVOKED) - 1);
    WANT(oc_revocations_new(&revocations) == OC_OK);
    oom_memory.armed = armed;
    err = oc_revocations_open(revocations, revocation_path, NOW_S, &diag);
    WANT(err == (failing ? OC_E_NOMEM : OC_OK) && diag.code == err);
    oom_disarm();
    WANT(oc_revocations_count(revocations) == (err ? 0 : 2));
    oc_revocations_free(revocations);
    oom_memory.armed = armed;
}

static void body_revoke(bool failing)
{
    uint64_t ticket = 0;
    bool armed = oom_memory.armed;
    oc_err_t err;

    oom_disarm();
    open_revocations();
    oom_memory.armed = armed;
    err = oc_revocations_add(revocations, &org_revocation, &ticket, NULL);
    WANT(err == (failing ? OC_E_NOMEM : OC_OK));
    oom_disarm();
    WANT(oc_revocations_count(revocations) == (err ? 2 : 3));
    oc_revocations_free(revocations);
    oom_memory.armed = armed;
}

static void body_unrevoke(bool failing)
{
    uint64_t ticket = 0;
    bool armed = oom_memory.armed;
    oc_err_t err;

    oom_disarm();
    open_revocations();
    oom_memory.armed = armed;
    err = oc_revocations_remove(revocations, OC_REVOKE_JTI, "a", &ticket, NULL);
    WANT(err == (failing ? OC_E_NOMEM : OC_OK));
    oom_disarm();
    WANT(oc_revocations_count(revocations) == (err ? 2 : 1));
    oc_revocations_free(revocations);
    oom_memory.armed = armed;
}

static void body_reload_revocations(bool failing)
{
    bool armed = oom_memory.armed;
    oc_err_t err;

    oom_disarm();
    open_revocations();
    (void)scratch_file("revocations", "", 0);
    oom_memory.armed = armed;
    err = oc_revocations_reload(revocations, NOW_S, NULL);
    WANT(err == (failing ? OC_E_NOMEM : OC_OK));
    oom_disarm();
    WANT(oc_revocations_count(revocations) == (err ? 2 : 0));
    oc_revocations_free(revocations);
    oom_memory.armed = armed;
}

/* What the writer's thread does. The file stays, or is replaced by one that says the same. */
static void body_tidy_revocations(bool failing)
{
    oc_revocation_text_t text;
    oc_revocation_set_t *set = NULL;
    size_t lines = 0;
    bool armed = oom_memory.armed;
    oc_err_t err;

    oom_disarm();
    revocation_path = scratch_file("revocations", REVOKED, strlen(REVOKED));
    oom_memory.armed = armed;
    err = oc_revocation_file_tidy(revocation_path, NOW_S, &lines, NULL);
    WANT(err == (failing ? OC_E_NOMEM : OC_OK));
    oom_disarm();
    WANT(oc_revocation_file_load(revocation_path, NOW_S, NULL, &set, &text, NULL) == OC_OK);
    WANT(oc_revocation_set_count(set) == 2 && text.lines == (err ? 3 : 2));
    oc_revocation_set_free(set);
    oom_memory.armed = armed;
}

START_TEST(revoking)
{
    oom_each_allocation("oc_revocations_new", body_new_revocations);
    oom_each_allocation("oc_revocations_open", body_open_revocations);
    oom_each_allocation("oc_revocations_add", body_revoke);
    oom_each_allocation("oc_revocations_remove", body_unrevoke);
    oom_each_allocation("oc_revocations_reload", body_reload_revocations);
    oom_each_allocation("oc_revocation_file_tidy", body_tidy_revocations);
}
END_TEST

/* So many that heap, slots and table grow; whichever allocation fails, that one is not there, and the next try
 * succeeds. */
START_TEST(revoking_many)
{
    long tried = 0;

    for (long fail_at = 0; fail_at < 4; fail_at++) {
        ck_assert_int_eq(oc_revocations_new(&revocations), OC_OK);
        for (int i = 0; i < 3000; i++) {
            char name[16];
            oc_revocation_t revocation = {OC_REVOKE_JTI, name, 0, 5, 5000};
            uint64_t ticket;

            (void)snprintf(name, sizeof name, "n%d", i);
            oom_arm(fail_at, fail_at % 2);
            if (oc_revocations_add(revocations, &revocation, &ticket, NULL)) {
                oom_disarm();
                tried++;
                WANT(oc_revocations_count(revocations) == (size_t)i);
                WANT(oc_revocations_remove(revocations, OC_REVOKE_JTI, name, &ticket, NULL) ==
                     OC_E_NOT_FOUND);
                WANT(oc_revocations_add(revocations, &revocation, &ticket, NULL) == OC_OK);
            }
            oom_disarm();
        }
        /* To merge, to take back and to forget needs no oom_memory. */
        oom_arm(0, true);
        for (int i = 0; i < 3000; i++) {
            char name[16];
            oc_revocation_t revocation = {OC_REVOKE_JTI, name, 0, 6, 6000 - i};
            uint64_t ticket;

            (void)snprintf(name, sizeof name, "n%d", i);
            WANT(oc_revocations_add(revocations, &revocation, &ticket, NULL) == OC_OK);
            if (i % 3 == 0)
                WANT(oc_revocations_remove(revocations, OC_REVOKE_JTI, name, &ticket, NULL) ==
                     OC_OK);
        }
        while (oc_revocations_count(revocations) > 0)
            oc_revocations_forget(revocations, 6000);
        oom_disarm();
        ck_assert_int_eq(oom_memory.count, 0);
        oc_revocations_free(revocations);
    }
    ck_assert_int_gt(tried, 3000);
}
END_TEST

/* A file that is gone is made again once there is memory for all that is to be in it. */
START_TEST(a_file_that_is_gone_without_memory)
{
    uint64_t ticket = 0;
    bool failed = true;

    open_revocations();
    ck_assert_int_eq(unlink(revocation_path), 0);
    ck_assert_int_eq(oc_revocations_add(revocations, &org_revocation, &ticket, NULL), OC_OK);
    do {
        (void)poll(NULL, 0, 1);
        oom_arm(1, true);
        oc_revocations_forget(revocations, NOW_S);
        oom_disarm();
    } while (oom_memory.failed == 0);
    ck_assert(access(revocation_path, F_OK) != 0);
    do {
        (void)poll(NULL, 0, 1);
        oc_revocations_forget(revocations, NOW_S);
    } while (!oc_revocations_settled(revocations, ticket, &failed) || failed);
    oc_revocations_free(revocations);
    ck_assert_int_eq(oc_revocations_new(&revocations), OC_OK);
    ck_assert_int_eq(oc_revocations_open(revocations, revocation_path, NOW_S, NULL), OC_OK);
    ck_assert_uint_eq(oc_revocations_count(revocations), 3);
    oc_revocations_free(revocations);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("oom");

    oom_install();
    tcase_add_unchecked_fixture(tcase, make, unmake);
    tcase_add_loop_test(tcase, verifying, 0, (int)COUNT(signers));
    tcase_add_test(tcase, parsing);
    tcase_add_test(tcase, checking_events);
    tcase_add_test(tcase, numbering);
    tcase_add_test(tcase, identifying);
    tcase_add_test(tcase, new_sessions);
    tcase_add_test(tcase, binding);
    tcase_add_test(tcase, entering);
    tcase_add_test(tcase, limits_without_memory);
    tcase_add_test(tcase, shrinking_without_memory);
    tcase_add_test(tcase, new_penalty);
    tcase_add_test(tcase, configuring);
    tcase_add_test(tcase, loading_keys);
    tcase_add_test(tcase, key_sets);
    tcase_add_test(tcase, cache_files);
    tcase_add_test(tcase, new_token_cache);
    tcase_add_test(tcase, new_verifier);
    tcase_add_test(tcase, verifier_in_use);
    tcase_add_test(tcase, a_set_that_comes_without_memory);
    tcase_add_test(tcase, revoking);
    tcase_add_test(tcase, revoking_many);
    tcase_add_test(tcase, a_file_that_is_gone_without_memory);
    return unit_run("oom", tcase);
}

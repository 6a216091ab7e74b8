/* SPDX-License-Identifier: MIT */
/* Which tokens count as bad ones of the address that they come from. How the count works is in test_penalty.c. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "gate.h"
#include "http.h"
#include "penalty.h"
#include "scratch.h"
#include "test_jwks.h"
#include "unit.h"

#define NOW_S 1000
#define DEADLINE_MS 20000
#define FAR "192.0.2.1"
#define NEAR "192.0.2.2"

static http_t *http;
static oc_config_t config;
static oc_shared_t shared;
static oc_gate_t gate;

static void ignore_line(void *context, bool error, const char *message)
{
    (void)context;
    (void)error;
    (void)message;
}

static void open_gate(const char *option, const char *value)
{
    const oc_option_t options[] = {{option, value}};
    oc_diag_t diag = {0};

    ck_assert_msg(oc_config_init(&config, options, COUNT(options), &diag) == OC_OK, "%s",
                  diag.message);
    ck_assert_int_eq(oc_shared_join(&shared, &config, NOW_S, &diag), OC_OK);
    ck_assert_int_eq(oc_gate_init(&gate, &config, &shared, ignore_line, NULL, &diag), OC_OK);
}

static void make(void)
{
    scratch_open();
    http = http_start();
}

static void unmake(void)
{
    oc_gate_done(&gate);
    oc_shared_leave(&shared);
    oc_config_done(&config);
    http_stop(http);
    scratch_close();
}

/* What becomes of a token of this key, named so. */
static oc_err_t come(const char *address, enum test_key key, const char *kid, oc_diag_t *ret_diag)
{
    static char client;
    const oc_gate_client_t visitor = {
        .client = &client, .id = "ann", .address = address, .clean_start = true};
    char header[128];
    char *bytes;
    oc_gate_token_t token;
    oc_identity_t *identity = NULL;
    oc_err_t err;

    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
    bytes = token_sign("ES256", &test_keys[key], header,
                       "{\"sub\":\"ann\",\"org_id\":\"acme\",\"exp\":2000}");
    ck_assert(oc_gate_token(&gate, bytes, strlen(bytes), &token));
    *ret_diag = (oc_diag_t){0};
    err = oc_gate_check(&gate, &visitor, &token, NOW_S, &identity, ret_diag);
    oc_identity_unref(identity);
    free(bytes);
    return err;
}

static oc_err_t come_unknown(const char *address, const char *kid)
{
    oc_diag_t diag;

    return come(address, TEST_P256_OTHER, kid, &diag);
}

static oc_err_t come_known(const char *address)
{
    oc_diag_t diag;

    return come(address, TEST_P256, "a", &diag);
}

static void wait_until_known(const char *address)
{
    for (int i = 0; i < DEADLINE_MS && oc_verifier_key_count(gate.verifier) == 0; i++) {
        (void)poll(NULL, 0, 1);
        oc_verifier_poll(gate.verifier);
    }
    ck_assert_int_eq(come_known(address), OC_OK);
}

static const char *set_of(const char *kid)
{
    static char *json;

    free(json);
    json = test_jwks(test_jwk_named(TEST_P256, kid), NULL, NULL);
    return json;
}

START_TEST(made_up_key_ids_of_a_url)
{
    char kid[16];

    http_set_text(http, "/keys", set_of("a"));
    open_gate("jwks_url", http_url(http, "/keys"));
    wait_until_known(NEAR);
    for (int i = 0; i < OC_PENALTY_BURST; i++) {
        (void)snprintf(kid, sizeof kid, "made-up-%d", i);
        ck_assert_int_eq(come_unknown(FAR, kid), OC_E_KEY_UNKNOWN);
    }
    ck_assert_int_eq(come_unknown(FAR, "made-up-again"), OC_E_LIMIT_RATE);
    ck_assert_int_eq(come_unknown(NEAR, "made-up-again"), OC_E_KEY_UNKNOWN);
}
END_TEST

START_TEST(made_up_key_ids_of_a_file)
{
    oc_diag_t diag;
    const char *json = set_of("a");

    open_gate("jwks_file", scratch_file("set", json, strlen(json)));
    for (int i = 0; i < OC_PENALTY_BURST; i++) {
        ck_assert_int_eq(come(FAR, TEST_P256, "b", &diag), OC_E_KEY_UNKNOWN);
        ck_assert(!diag.passing);
    }
    ck_assert_int_eq(come_known(FAR), OC_E_LIMIT_RATE);
    ck_assert_int_eq(come_known(NEAR), OC_OK);
}
END_TEST

/* A thousand clients behind one address come with a key that the provider has not published yet: they are not
 * bad. When it has, they get in at once. */
START_TEST(a_rotation_behind_one_address)
{
    oc_diag_t diag;

    http_set(http, "/keys", HTTP_ANSWER, 500, "", "", 0);
    open_gate("jwks_url", http_url(http, "/keys"));
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(come(FAR, TEST_P256, "a", &diag), OC_E_KEY_UNKNOWN);
        ck_assert(diag.passing);
    }
    http_set_text(http, "/keys", set_of("a"));
    ck_assert_int_eq(oc_verifier_reload(gate.verifier, &diag), OC_OK);
    wait_until_known(FAR);
}
END_TEST

/* Once the new set is there and does not have the key, each token with it is a bad one. */
START_TEST(an_absent_key)
{
    oc_diag_t diag;
    int looked_at = 0;

    http_set_text(http, "/keys", set_of("a"));
    open_gate("jwks_url", http_url(http, "/keys"));
    wait_until_known(NEAR);
    do {
        ck_assert_int_eq(come(FAR, TEST_P256, "b", &diag), OC_E_KEY_UNKNOWN);
        (void)poll(NULL, 0, 1);
    } while (diag.passing);
    while (looked_at < 1000 && come(FAR, TEST_P256, "b", &diag) == OC_E_KEY_UNKNOWN)
        looked_at++;
    ck_assert_int_eq(diag.code, OC_E_LIMIT_RATE);
    ck_assert_int_le(looked_at, OC_PENALTY_BURST);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("bad tokens");

    tcase_add_unchecked_fixture(tcase, test_keys_make, test_keys_free);
    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, made_up_key_ids_of_a_url);
    tcase_add_test(tcase, made_up_key_ids_of_a_file);
    tcase_add_test(tcase, a_rotation_behind_one_address);
    tcase_add_test(tcase, an_absent_key);
    return unit_run("bad_tokens", tcase);
}

/* SPDX-License-Identifier: MIT */
/* tests/vectors/opinions.json: tokens, our verdict on each, and libjwt's as a second opinion. */
#include <jwt.h>
#include <openssl/err.h>
#include <string.h>

#include "b64url.h"
#include "identity.h"
#include "json.h"
#include "jwk.h"
#include "jws.h"
#include "mem.h"
#include "unit.h"

static json_t *file;

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    ck_assert_msg(value != NULL, "no '%s'", name);
    return value;
}

static int64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    ck_assert_msg(json_is_integer(value), "no number '%s'", name);
    return json_integer_value(value);
}

/* The JWK of a key, which the file keeps. */
static json_t *jwk_named(const char *name)
{
    json_t *jwk = json_object_get(json_object_get(file, "keys"), name);

    ck_assert_msg(jwk != NULL, "no key '%s'", name);
    return jwk;
}

/* The keys of a case, as the broker has them. */
static void load_keys(oc_keyset_t *set, const json_t *item)
{
    const oc_jwks_options_t options = {"opinions.json", true, NULL, NULL};
    OC_CLEANUP(oc_json_decrefp) json_t *keys = json_array();
    OC_CLEANUP(oc_json_decrefp) json_t *jwks = NULL;
    OC_CLEANUP(oc_freep) char *json = NULL;
    const json_t *name;
    oc_diag_t diag = {0};
    size_t i;

    json_array_foreach(json_object_get(item, "keys"), i, name)
    {
        json_array_append(keys, jwk_named(json_string_value(name)));
    }
    jwks = json_pack("{s:O}", "keys", keys);
    json = json_dumps(jwks, 0);
    ck_assert_msg(oc_keyset_add_jwks(set, json, strlen(json), &options, &diag) == OC_OK, "%s",
                  diag.message);
    ck_assert_uint_eq(set->count, i);
}

static oc_err_t our_verdict(const json_t *item, oc_diag_t *diag)
{
    const json_t *rules = json_object_get(file, "rules");
    const char *const issuers[] = {text(rules, "issuer")};
    const char *const audiences[] = {text(rules, "audience")};
    const oc_claim_rules_t claim_rules = {
        .issuers = issuers,
        .issuer_count = 1,
        .audiences = audiences,
        .audience_count = 1,
        .leeway_s = number(rules, "leeway_s"),
        .max_lifetime_s = number(rules, "max_lifetime_s"),
        .max_orgs = (size_t)number(rules, "max_orgs"),
        .org_claim = text(rules, "org_claim"),
        .scope_claim = text(rules, "scope_claim"),
        .username_claim = text(rules, "username_claim"),
        .publish_scope = "",
        .subscribe_scope = "",
        .any_org_scope = text(rules, "any_org_scope"),
        .admin_scope = "",
    };
    const char *token = text(item, "token");
    OC_CLEANUP(oc_keyset_done) oc_keyset_t keys = {0};
    OC_CLEANUP(oc_json_decrefp) json_t *claims = NULL;
    oc_identity_t *identity = NULL;
    oc_jws_rules_t jws_rules = {.max_bytes = (size_t)number(rules, "max_bytes")};
    oc_err_t err;

    load_keys(&keys, item);
    jws_rules.algs = oc_keyset_algs(&keys);
    err = oc_jws_verify(&jws_rules, &keys, token, strlen(token), &claims, diag);
    if (!err)
        err =
            oc_identity_from_claims(&claim_rules, claims, number(rules, "now_s"), &identity, diag);
    oc_identity_unref(identity);
    return err;
}

/* Other versions have other opinions. */
static bool asks_libjwt(void)
{
    return strcmp(json_string_value(json_object_get(file, "libjwt")), ORGCAST_LIBJWT) == 0;
}

/* libjwt takes one key: the secret's bytes or a public key as PEM. */
static const char *libjwt_verdict(const json_t *item)
{
    const json_t *keys = json_object_get(item, "keys");
    const char *name = json_string_value(json_array_get(keys, 0));
    const json_t *jwk = jwk_named(name);
    const json_t *pem = json_object_get(json_object_get(file, "pems"), name);
    unsigned char secret[256];
    size_t secret_len = 0;
    const char *key = json_string_value(pem);
    int key_len = (int)json_string_length(pem);
    jwt_t *jwt = NULL;
    int failed;

    if (!pem) {
        const char *k = text(jwk, "k");

        ck_assert(oc_b64url_decode(k, strlen(k), secret, sizeof secret, &secret_len));
        key = (const char *)secret;
        key_len = (int)secret_len;
    }
    failed = jwt_decode(&jwt, text(item, "token"), (const unsigned char *)key, key_len);
    if (!failed)
        jwt_free(jwt);
    ERR_clear_error();
    return failed ? "refused" : "ok";
}

START_TEST(opinions)
{
    const json_t *item = json_array_get(json_object_get(file, "cases"), (size_t)_i);
    const char *name = text(item, "name");
    const char *ours = text(item, "ours");
    const char *libjwt = text(item, "libjwt");
    bool agreed = (strcmp(ours, "ok") == 0) == (strcmp(libjwt, "ok") == 0);
    const json_t *why = json_object_get(item, "why");
    oc_diag_t diag = {0};
    const char *verdict;

    verdict = oc_err_name(our_verdict(item, &diag));
    ck_assert_msg(strcmp(verdict, ours) == 0, "%s: ours is %s (%s) instead of %s", name, verdict,
                  diag.message, ours);
    ck_assert_msg(ERR_peek_error() == 0, "%s: errors left", name);
    if (asks_libjwt()) {
        verdict = libjwt_verdict(item);
        ck_assert_msg(strcmp(verdict, libjwt) == 0, "%s: libjwt's is %s instead of %s", name,
                      verdict, libjwt);
    }
    if (agreed)
        ck_assert_msg(!why, "%s: both agree, and yet there is a why", name);
    else
        ck_assert_msg(json_string_length(why) > 0, "%s: a disagreement without a why", name);
}
END_TEST

/* Names tell the cases apart, and no algorithm was forgotten. */
START_TEST(the_file)
{
    json_t *cases = json_object_get(file, "cases");
    OC_CLEANUP(oc_json_decrefp) json_t *names = json_object();
    const json_t *item;
    size_t good = 0;
    size_t i;

    json_array_foreach(cases, i, item)
    {
        unit_check(!json_object_get(names, text(item, "name")), "twice: %s", text(item, "name"));
        json_object_set_new(names, text(item, "name"), json_true());
        good += strcmp(text(item, "ours"), "ok") == 0;
    }
    ck_assert_uint_ge(i, 60);
    for (int alg = OC_ALG_HS256; alg < OC_ALG_COUNT; alg++) {
        char name[32];

        (void)snprintf(name, sizeof name, "good: %s", oc_alg_name((oc_alg_t)alg));
        ck_assert_msg(json_object_get(names, name) != NULL, "no '%s'", name);
    }
    ck_assert_uint_ge(good, OC_ALG_COUNT - 1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("opinions");
    int failed;

    file = json_load_file(ORGCAST_VECTORS "/opinions.json", JSON_REJECT_DUPLICATES, NULL);
    if (!file) {
        (void)fprintf(stderr, "cannot read " ORGCAST_VECTORS "/opinions.json\n");
        return EXIT_FAILURE;
    }
    tcase_add_loop_test(tcase, opinions, 0, (int)json_array_size(json_object_get(file, "cases")));
    tcase_add_test(tcase, the_file);
    if (!asks_libjwt())
        (void)printf("libjwt is " ORGCAST_LIBJWT
                     ", of which the file has no opinions: not asked\n");
    failed = unit_run("opinions", tcase);
    json_decref(file);
    return failed;
}

/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "identity.h"
#include "json.h"
#include "mem.h"
#include "unit.h"

#define NOW_S 1000

static oc_claim_rules_t default_rules(void)
{
    return (oc_claim_rules_t){
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
}

static const char *const issuers[] = {"https://id.acme.example", "https://id.globex.example"};
static const char *const audiences[] = {"orgcast", "events"};

/* As default_rules(), with an issuer and an audience asked for, and a scope to subscribe. */
static oc_claim_rules_t strict_rules(void)
{
    oc_claim_rules_t rules = default_rules();

    rules.issuers = issuers;
    rules.issuer_count = COUNT(issuers);
    rules.audiences = audiences;
    rules.audience_count = COUNT(audiences);
    rules.subscribe_scope = "invoices:read";
    return rules;
}

static json_t *parse(const char *text)
{
    oc_diag_t diag = {0};
    json_t *claims = NULL;

    ck_assert_msg(oc_json_load(text, strlen(text), &claims, &diag) == OC_OK, "%s: %s", text,
                  diag.message);
    return claims;
}

static oc_err_t identify(const oc_claim_rules_t *rules, const char *text, int64_t now_s,
                         oc_identity_t **ret_identity, oc_diag_t *diag)
{
    OC_CLEANUP(oc_json_decrefp) json_t *claims = parse(text);

    return oc_identity_from_claims(rules, claims, now_s, ret_identity, diag);
}

#define C(claims) "{\"sub\":\"s\",\"org_id\":\"acme\",\"exp\":2000" claims "}"

static const struct {
    const char *name;
    bool strict;
    const char *claims;
    oc_err_t err;
} refused[] = {
    {"no exp", false, "{\"sub\":\"s\",\"org_id\":\"acme\"}", OC_E_CLAIM_MISSING},
    {"exp is text", false, "{\"sub\":\"s\",\"org_id\":\"acme\",\"exp\":\"2000\"}",
     OC_E_CLAIM_INVALID},
    {"exp is false", false, "{\"sub\":\"s\",\"org_id\":\"acme\",\"exp\":false}",
     OC_E_CLAIM_INVALID},
    {"exp above 2^53", false, "{\"sub\":\"s\",\"org_id\":\"acme\",\"exp\":9007199254740993}",
     OC_E_CLAIM_INVALID},
    {"exp below -2^53", false, "{\"sub\":\"s\",\"org_id\":\"acme\",\"exp\":-9007199254740993}",
     OC_E_CLAIM_INVALID},
    {"exp is huge and real", false, "{\"sub\":\"s\",\"org_id\":\"acme\",\"exp\":1e308}",
     OC_E_CLAIM_INVALID},
    {"nbf is text", false, C(",\"nbf\":\"1\""), OC_E_CLAIM_INVALID},
    {"nbf is huge", false, C(",\"nbf\":1e300"), OC_E_CLAIM_INVALID},
    {"iat is an object", false, C(",\"iat\":{}"), OC_E_CLAIM_INVALID},
    {"iat is huge", false, C(",\"iat\":1e300"), OC_E_CLAIM_INVALID},
    {"jti is a fraction", false, C(",\"jti\":7.5"), OC_E_CLAIM_INVALID},
    {"jti is true", false, C(",\"jti\":true"), OC_E_CLAIM_INVALID},
    {"jti with a control", false, C(",\"jti\":\"a\\u0007\""), OC_E_CLAIM_INVALID},
    {"jti is null", false, C(",\"jti\":null"), OC_E_CLAIM_INVALID},
    {"jti is empty", false, C(",\"jti\":\"\""), OC_E_CLAIM_INVALID},
    {"no iss", true, C(",\"aud\":\"orgcast\""), OC_E_CLAIM_MISSING},
    {"iss is a number", true, C(",\"iss\":1,\"aud\":\"orgcast\""), OC_E_CLAIM_INVALID},
    {"iss is an array", true, C(",\"iss\":[\"https://id.acme.example\"],\"aud\":\"orgcast\""),
     OC_E_CLAIM_INVALID},
    {"another iss", true, C(",\"iss\":\"https://id.evil.example\",\"aud\":\"orgcast\""),
     OC_E_ISSUER_MISMATCH},
    {"iss with a slash", true, C(",\"iss\":\"https://id.acme.example/\",\"aud\":\"orgcast\""),
     OC_E_ISSUER_MISMATCH},
    {"iss cut", true, C(",\"iss\":\"https://id.acme\",\"aud\":\"orgcast\""), OC_E_ISSUER_MISMATCH},
    {"iss in capitals", true, C(",\"iss\":\"HTTPS://id.acme.example\",\"aud\":\"orgcast\""),
     OC_E_ISSUER_MISMATCH},
    {"iss is empty", true, C(",\"iss\":\"\",\"aud\":\"orgcast\""), OC_E_ISSUER_MISMATCH},
    {"no aud", true, C(",\"iss\":\"https://id.acme.example\""), OC_E_CLAIM_MISSING},
    {"aud is null", true, C(",\"iss\":\"https://id.acme.example\",\"aud\":null"),
     OC_E_CLAIM_INVALID},
    {"aud is an object", true, C(",\"iss\":\"https://id.acme.example\",\"aud\":{\"orgcast\":1}"),
     OC_E_CLAIM_INVALID},
    {"another aud", true, C(",\"iss\":\"https://id.acme.example\",\"aud\":\"billing\""),
     OC_E_AUDIENCE_MISMATCH},
    {"two auds in one text", true,
     C(",\"iss\":\"https://id.acme.example\",\"aud\":\"orgcast events\""), OC_E_AUDIENCE_MISMATCH},
    {"aud is an empty array", true, C(",\"iss\":\"https://id.acme.example\",\"aud\":[]"),
     OC_E_AUDIENCE_MISMATCH},
    {"other auds", true, C(",\"iss\":\"https://id.acme.example\",\"aud\":[\"a\",\"b\"]"),
     OC_E_AUDIENCE_MISMATCH},
    {"a number behind a good aud", true,
     C(",\"iss\":\"https://id.acme.example\",\"aud\":[\"orgcast\",1]"), OC_E_CLAIM_INVALID},
    {"no sub", false, "{\"org_id\":\"acme\",\"exp\":2000}", OC_E_CLAIM_MISSING},
    {"sub is a number", false, "{\"sub\":7,\"org_id\":\"acme\",\"exp\":2000}", OC_E_CLAIM_INVALID},
    {"sub is empty", false, "{\"sub\":\"\",\"org_id\":\"acme\",\"exp\":2000}", OC_E_CLAIM_INVALID},
    {"sub with a control", false, "{\"sub\":\"a\\u0007\",\"org_id\":\"acme\",\"exp\":2000}",
     OC_E_CLAIM_INVALID},
    {"sub with a C1 control", false, "{\"sub\":\"a\\u0085\",\"org_id\":\"acme\",\"exp\":2000}",
     OC_E_CLAIM_INVALID},
    {"sub with a noncharacter", false, "{\"sub\":\"a\\uffff\",\"org_id\":\"acme\",\"exp\":2000}",
     OC_E_CLAIM_INVALID},
    {"scope is null", false, C(",\"scope\":null"), OC_E_CLAIM_INVALID},
    {"scope is an object", false, C(",\"scope\":{}"), OC_E_CLAIM_INVALID},
    {"scope holds null", false, C(",\"scope\":[\"a\",null]"), OC_E_CLAIM_INVALID},
    {"no org_id", false, "{\"sub\":\"s\",\"exp\":2000}", OC_E_CLAIM_MISSING},
    {"no org_id, but the right to publish", false,
     "{\"sub\":\"s\",\"exp\":2000,\"scope\":\"invoices:publish\"}", OC_E_CLAIM_MISSING},
    {"admin, org_id is true", false,
     "{\"sub\":\"s\",\"exp\":2000,\"scope\":\"orgcast:admin\",\"org_id\":true}",
     OC_E_CLAIM_INVALID},
    {"exp in milliseconds", false, "{\"sub\":\"s\",\"org_id\":\"acme\",\"exp\":1795600000000}",
     OC_E_CLAIM_INVALID},
    {"exp after the year 9999", false, "{\"sub\":\"s\",\"org_id\":\"acme\",\"exp\":253402300800}",
     OC_E_CLAIM_INVALID},
    {"nbf in milliseconds", false, C(",\"nbf\":1795600000000"), OC_E_CLAIM_INVALID},
    {"iat in milliseconds", false, C(",\"iat\":1795600000000"), OC_E_CLAIM_INVALID},
    {"org_id is true", false, "{\"sub\":\"s\",\"exp\":2000,\"org_id\":true}", OC_E_CLAIM_INVALID},
    {"org_id holds null", false, "{\"sub\":\"s\",\"exp\":2000,\"org_id\":[\"acme\",null]}",
     OC_E_CLAIM_INVALID},
    {"org_id of 129 bytes", false,
     "{\"sub\":\"s\",\"exp\":2000,\"org_id\":"
     "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaa"
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
     OC_E_ORG_INVALID},
    {"any org, but org_id is a number", false,
     "{\"sub\":\"s\",\"exp\":2000,\"scope\":\"orgcast:any-org\",\"org_id\":1}", OC_E_CLAIM_INVALID},
};

START_TEST(refusals)
{
    oc_claim_rules_t rules = refused[_i].strict ? strict_rules() : default_rules();
    oc_identity_t *identity = NULL;
    oc_diag_t diag = {0};
    oc_err_t err = identify(&rules, refused[_i].claims, NOW_S, &identity, &diag);

    ck_assert_msg(err == refused[_i].err, "%s: %s, %s", refused[_i].name, oc_err_name(err),
                  diag.message);
    ck_assert_msg(!identity, "%s: a result was written", refused[_i].name);
    ck_assert_msg(diag.code == err && diag.message[0] != '\0', "%s: no cause", refused[_i].name);
}
END_TEST

enum {
    PUBLISH = 1,
    SUBSCRIBE = 2,
    ANY = 4,
    ADMIN = 8
};

static const struct {
    const char *name;
    bool strict;
    const char *claims;
    const char *subject;
    const char *orgs; /* in their order, each with a space behind */
    int may;
} accepted[] = {
    {"plain", false, C(""), "s", "acme ", SUBSCRIBE},
    {"iss and aud are not asked for", false, C(",\"iss\":1,\"aud\":null"), "s", "acme ", SUBSCRIBE},
    {"first issuer, first audience", true,
     C(",\"iss\":\"https://id.acme.example\",\"aud\":\"orgcast\""), "s", "acme ", 0},
    {"second issuer, second audience in an array", true,
     C(",\"iss\":\"https://id.globex.example\",\"aud\":[\"x\",\"events\"]"), "s", "acme ", 0},
    {"scope to subscribe", true,
     C(",\"iss\":\"https://id.acme.example\",\"aud\":\"orgcast\",\"scope\":\"invoices:read\""), "s",
     "acme ", SUBSCRIBE},
    {"subject of spaces and letters of two bytes", false,
     "{\"sub\":\"J\xc3\xbcrgen M.\",\"org_id\":\"acme\",\"exp\":2000}", "J\xc3\xbcrgen M.", "acme ",
     SUBSCRIBE},
    {"scope to publish", false, C(",\"scope\":\"invoices:publish\""), "s", "acme ",
     SUBSCRIBE | PUBLISH},
    {"scopes, in a text", false, C(",\"scope\":\"openid  invoices:publish orgcast:admin \""), "s",
     "acme ", SUBSCRIBE | PUBLISH | ADMIN},
    {"scopes, in an array", false,
     C(",\"scope\":[\"openid\",\"invoices:publish\",\"orgcast:admin\"]"), "s", "acme ",
     SUBSCRIBE | PUBLISH | ADMIN},
    {"an array's text is one scope", false, C(",\"scope\":[\"openid invoices:publish\"]"), "s",
     "acme ", SUBSCRIBE},
    {"scopes part by spaces alone", false, C(",\"scope\":\"openid,invoices:publish\""), "s",
     "acme ", SUBSCRIBE},
    {"scopes part by no tab", false, C(",\"scope\":\"openid\\tinvoices:publish\""), "s", "acme ",
     SUBSCRIBE},
    {"the beginning of a scope", false, C(",\"scope\":\"invoices:publis\""), "s", "acme ",
     SUBSCRIBE},
    {"more than a scope", false, C(",\"scope\":\"invoices:publish2\""), "s", "acme ", SUBSCRIBE},
    {"a scope in capitals", false, C(",\"scope\":\"Invoices:publish\""), "s", "acme ", SUBSCRIBE},
    {"no scope", false, C(",\"scope\":\"\""), "s", "acme ", SUBSCRIBE},
    {"an empty scope", false, C(",\"scope\":[\"\"]"), "s", "acme ", SUBSCRIBE},
    {"admin, without one", false, "{\"sub\":\"s\",\"exp\":2000,\"scope\":\"orgcast:admin\"}", "s",
     "", SUBSCRIBE | ADMIN},
    {"admin, of an empty list", false,
     "{\"sub\":\"s\",\"exp\":2000,\"scope\":\"orgcast:admin\",\"org_id\":[]}", "s", "",
     SUBSCRIBE | ADMIN},
    {"any org, without one", false, "{\"sub\":\"s\",\"exp\":2000,\"scope\":\"orgcast:any-org\"}",
     "s", "", SUBSCRIBE | ANY},
    {"any org, with invalid ones", false,
     "{\"sub\":\"s\",\"exp\":2000,\"scope\":\"orgcast:any-org\",\"org_id\":[\"+\",\"#\"]}", "s", "",
     SUBSCRIBE | ANY},
    {"any org, with one", false, C(",\"scope\":\"orgcast:any-org\""), "s", "acme ",
     SUBSCRIBE | ANY},
    {"sorted by length, then bytes", false,
     "{\"sub\":\"s\",\"exp\":2000,\"org_id\":[\"globex\",\"b\",\"acme\",\"a\",\"acmf\",\"z\"]}",
     "s", "a b z acme acmf globex ", SUBSCRIBE},
    {"once each", false,
     "{\"sub\":\"s\",\"exp\":2000,\"org_id\":[\"b\",\"a\",\"b\",\"a\",\"a\",\"b\"]}", "s", "a b ",
     SUBSCRIBE},
    {"without the invalid ones", false,
     "{\"sub\":\"s\",\"exp\":2000,\"org_id\":[\"+\",\"acme\",\"a/b\",\"\",\"$x\",\"a b\"]}", "s",
     "acme ", SUBSCRIBE},
    {"an object's names", false,
     "{\"sub\":\"s\",\"exp\":2000,\"org_id\":{\"globex\":{\"id\":1},\"acme\":null,\"#\":{}}}", "s",
     "acme globex ", SUBSCRIBE},
    {"letters of two bytes", false,
     "{\"sub\":\"s\",\"exp\":2000,\"org_id\":[\"\\u00e4\",\"\xc3\xb6\"]}", "s",
     "\xc3\xa4 \xc3\xb6 ", SUBSCRIBE},
};

START_TEST(identities)
{
    oc_claim_rules_t rules = accepted[_i].strict ? strict_rules() : default_rules();
    oc_identity_t *identity = NULL;
    oc_diag_t diag = {0};
    char orgs[256] = "";
    oc_err_t err = identify(&rules, accepted[_i].claims, NOW_S, &identity, &diag);

    ck_assert_msg(err == OC_OK, "%s: %s, %s", accepted[_i].name, oc_err_name(err), diag.message);
    ck_assert_msg(strcmp(identity->subject, accepted[_i].subject) == 0, "%s: subject '%s'",
                  accepted[_i].name, identity->subject);
    ck_assert_msg(identity->deadline_s == 2030, "%s: deadline", accepted[_i].name);
    for (size_t i = 0; i < identity->org_count; i++) {
        ck_assert_uint_eq(identity->orgs[i].len, strlen(identity->orgs[i].id));
        unit_append(orgs, sizeof orgs, identity->orgs[i].id);
        unit_append(orgs, sizeof orgs, " ");
    }
    ck_assert_msg(strcmp(orgs, accepted[_i].orgs) == 0, "%s: '%s'", accepted[_i].name, orgs);
    ck_assert_msg(((identity->may_publish ? PUBLISH : 0) |
                   (identity->may_subscribe ? SUBSCRIBE : 0) | (identity->any_org ? ANY : 0) |
                   (identity->admin ? ADMIN : 0)) == accepted[_i].may,
                  "%s: scopes", accepted[_i].name);
    oc_identity_unref(identity);
}
END_TEST

/* Where else claims may be, and scopes that nobody needs or nobody has. */
START_TEST(configured_claims)
{
    static const char claims[] =
        "{\"exp\":2000,\"client_id\":\"billing\",\"https://acme.example/org\":{\"ids\":[\"acme\"]},"
        "\"realm\":{\"roles\":[\"emit\"]},\"scope\":\"invoices:publish orgcast:any-org\"}";
    oc_claim_rules_t rules = default_rules();
    oc_identity_t *identity = NULL;

    rules.username_claim = "/client_id";
    rules.org_claim = "/https:~1~1acme.example~1org/ids";
    rules.scope_claim = "/realm/roles";
    rules.publish_scope = "emit";
    ck_assert_int_eq(identify(&rules, claims, NOW_S, &identity, NULL), OC_OK);
    ck_assert_str_eq(identity->subject, "billing");
    ck_assert(oc_identity_has_org(identity, "acme", 4));
    ck_assert(identity->may_publish && !identity->any_org && !identity->admin);
    oc_identity_unref(identity);

    /* An empty scope: everybody may publish, nobody is an administrator or serves every org. */
    rules.publish_scope = rules.any_org_scope = rules.admin_scope = "";
    rules.scope_claim = "/scope";
    ck_assert_int_eq(identify(&rules, claims, NOW_S, &identity, NULL), OC_OK);
    ck_assert(identity->may_publish && !identity->any_org && !identity->admin);
    oc_identity_unref(identity);
}
END_TEST

static const struct {
    const char *name;
    const char *times;
    int64_t leeway_s;
    int64_t now_s;
    oc_err_t err;
} moments[] = {
    {"last second of exp", "\"exp\":1000", 0, 999, OC_OK},
    {"first second after exp", "\"exp\":1000", 0, 1000, OC_E_TOKEN_EXPIRED},
    {"last second with leeway", "\"exp\":1000", 30, 1029, OC_OK},
    {"first second after the leeway", "\"exp\":1000", 30, 1030, OC_E_TOKEN_EXPIRED},
    {"last second of most leeway", "\"exp\":1000", 300, 1299, OC_OK},
    {"first second after most leeway", "\"exp\":1000", 300, 1300, OC_E_TOKEN_EXPIRED},
    {"a fraction is cut off", "\"exp\":1000.99", 0, 1000, OC_E_TOKEN_EXPIRED},
    {"a fraction below zero is cut down", "\"exp\":-0.5", 0, -1, OC_E_TOKEN_EXPIRED},
    {"nbf now", "\"exp\":5000,\"nbf\":1000", 0, 1000, OC_OK},
    {"a second before nbf", "\"exp\":5000,\"nbf\":1000", 0, 999, OC_E_TOKEN_NOT_YET_VALID},
    {"nbf within leeway", "\"exp\":5000,\"nbf\":1000", 30, 970, OC_OK},
    {"a second before the leeway of nbf", "\"exp\":5000,\"nbf\":1000", 30, 969,
     OC_E_TOKEN_NOT_YET_VALID},
    {"iat in the future is no matter", "\"exp\":5000,\"iat\":4000", 0, 1000, OC_OK},
    {"expired before not yet valid", "\"exp\":1000,\"nbf\":3000", 0, 2000, OC_E_TOKEN_EXPIRED},
    {"the last second of the year 9999", "\"exp\":253402300799", 300, 1000, OC_OK},
    {"long ago", "\"exp\":-9007199254740991", 300, 1000, OC_E_TOKEN_EXPIRED},
};

START_TEST(time_limits)
{
    oc_claim_rules_t rules = default_rules();
    oc_identity_t *identity = NULL;
    char claims[256];
    oc_err_t err;

    rules.leeway_s = moments[_i].leeway_s;
    (void)snprintf(claims, sizeof claims, "{\"sub\":\"s\",\"org_id\":\"acme\",%s}",
                   moments[_i].times);
    err = identify(&rules, claims, moments[_i].now_s, &identity, NULL);
    ck_assert_msg(err == moments[_i].err, "%s: %s", moments[_i].name, oc_err_name(err));
    if (!err)
        ck_assert_msg(identity->deadline_s > moments[_i].now_s, "%s", moments[_i].name);
    oc_identity_unref(identity);
}
END_TEST

static const struct {
    const char *name;
    const char *times;
    int64_t max_lifetime_s;
    oc_err_t err;
} lifetimes[] = {
    {"off", "\"exp\":253402300799,\"iat\":0", 0, OC_OK},
    {"as long as allowed", "\"exp\":2000,\"iat\":900", 1100, OC_OK},
    {"a second longer", "\"exp\":2000,\"iat\":899", 1100, OC_E_TOKEN_LIFETIME},
    {"fractions are cut off first", "\"exp\":2000.9,\"iat\":900.1", 1100, OC_OK},
    {"without iat", "\"exp\":2000", 1100, OC_E_CLAIM_MISSING},
    {"without iat, off", "\"exp\":2000", 0, OC_OK},
    {"iat is text", "\"exp\":2000,\"iat\":\"900\"", 1100, OC_E_CLAIM_INVALID},
    {"iat is text, off", "\"exp\":2000,\"iat\":\"900\"", 0, OC_E_CLAIM_INVALID},
    {"iat after exp", "\"exp\":2000,\"iat\":3000", 1100, OC_OK},
    {"as far as numbers go", "\"exp\":253402300799,\"iat\":-9007199254740991", 1100,
     OC_E_TOKEN_LIFETIME},
    {"too long before expired", "\"exp\":900,\"iat\":-900", 1100, OC_E_TOKEN_LIFETIME},
};

START_TEST(life_times)
{
    oc_claim_rules_t rules = default_rules();
    oc_identity_t *identity = NULL;
    char claims[256];
    oc_err_t err;

    rules.max_lifetime_s = lifetimes[_i].max_lifetime_s;
    (void)snprintf(claims, sizeof claims, "{\"sub\":\"s\",\"org_id\":\"acme\",%s}",
                   lifetimes[_i].times);
    err = identify(&rules, claims, NOW_S, &identity, NULL);
    ck_assert_msg(err == lifetimes[_i].err, "%s: %s", lifetimes[_i].name, oc_err_name(err));
    oc_identity_unref(identity);
}
END_TEST

/* What is kept of a token tells its times by itself, at any later or earlier moment. */
START_TEST(times_are_kept)
{
    oc_claim_rules_t rules = default_rules();
    oc_identity_t *identity = NULL;
    oc_diag_t diag = {0};

    ck_assert_int_eq(identify(&rules, C(",\"nbf\":500"), NOW_S, &identity, NULL), OC_OK);
    ck_assert_int_eq(oc_identity_check_times(identity, 470, NULL), OC_OK);
    ck_assert_int_eq(oc_identity_check_times(identity, 469, NULL), OC_E_TOKEN_NOT_YET_VALID);
    ck_assert_int_eq(oc_identity_check_times(identity, 2029, NULL), OC_OK);
    ck_assert_int_eq(oc_identity_check_times(identity, 2030, &diag), OC_E_TOKEN_EXPIRED);
    ck_assert_int_eq(diag.code, OC_E_TOKEN_EXPIRED);
    oc_identity_unref(identity);

    ck_assert_int_eq(identify(&rules, C(""), NOW_S, &identity, NULL), OC_OK);
    ck_assert_int_eq(oc_identity_check_times(identity, INT64_MIN, NULL), OC_OK);
    ck_assert_int_eq(oc_identity_check_times(identity, INT64_MAX, NULL), OC_E_TOKEN_EXPIRED);
    oc_identity_unref(identity);
}
END_TEST

/* AddressSanitizer sees one let go of too early or never. */
START_TEST(references)
{
    oc_claim_rules_t rules = default_rules();
    oc_identity_t *identity = NULL;

    ck_assert_int_eq(identify(&rules, C(""), NOW_S, &identity, NULL), OC_OK);
    ck_assert_ptr_eq(oc_identity_ref(identity), identity);
    oc_identity_unref(identity);
    ck_assert_str_eq(identity->subject, "s");
    oc_identity_unref(identity);
    oc_identity_unref(NULL);
}
END_TEST

static json_t *numbered_orgs(int count, bool object)
{
    json_t *claims = json_pack("{s:s, s:i}", "sub", "s", "exp", 2000);
    json_t *orgs = object ? json_object() : json_array();

    for (int i = 0; i < count; i++) {
        char id[16];

        (void)snprintf(id, sizeof id, "org-%d", i);
        if (object)
            json_object_set_new(orgs, id, json_null());
        else
            json_array_append_new(orgs, json_string(id));
    }
    json_object_set_new(claims, "org_id", orgs);
    return claims;
}

static const struct {
    const char *name;
    int count;
    bool object;
    int repeated; /* of the first, behind all */
    int invalid;  /* behind all */
    size_t max;
    oc_err_t err;
} counts[] = {
    {"64", 64, false, 0, 0, 64, OC_OK},
    {"65", 65, false, 0, 0, 64, OC_E_TOO_MANY_ORGS},
    {"64 names", 64, true, 0, 0, 64, OC_OK},
    {"65 names", 65, true, 0, 0, 64, OC_E_TOO_MANY_ORGS},
    {"64, some twice", 64, false, 100, 0, 64, OC_OK},
    {"64 and invalid ones", 64, false, 0, 100, 64, OC_OK},
    {"1000", 1000, false, 0, 0, 64, OC_E_TOO_MANY_ORGS},
    {"1 of 1", 1, false, 0, 0, 1, OC_OK},
    {"2 of 1", 2, false, 0, 0, 1, OC_E_TOO_MANY_ORGS},
    {"as many as can be set", 256, false, 0, 0, 256, OC_OK},
    {"one more than can be set", 257, false, 0, 0, 256, OC_E_TOO_MANY_ORGS},
    {"more than can be set", 257, false, 0, 0, 1000, OC_E_TOO_MANY_ORGS},
};

START_TEST(so_many_orgs)
{
    OC_CLEANUP(oc_json_decrefp) json_t *claims = numbered_orgs(counts[_i].count, counts[_i].object);
    json_t *orgs = json_object_get(claims, "org_id");
    oc_claim_rules_t rules = default_rules();
    oc_identity_t *identity = NULL;
    oc_err_t err;

    rules.max_orgs = counts[_i].max;
    for (int i = 0; i < counts[_i].repeated; i++)
        json_array_append_new(orgs, json_string("org-0"));
    for (int i = 0; i < counts[_i].invalid; i++)
        json_array_append_new(orgs, json_string("a/b"));
    err = oc_identity_from_claims(&rules, claims, NOW_S, &identity, NULL);
    ck_assert_msg(err == counts[_i].err, "%s: %s", counts[_i].name, oc_err_name(err));
    if (!err)
        ck_assert_msg(identity->org_count == counts[_i].count, "%s: %u", counts[_i].name,
                      identity->org_count);
    oc_identity_unref(identity);

    /* Not even a service for every organization. */
    json_object_set_new(claims, "scope", json_string("orgcast:any-org"));
    identity = NULL;
    ck_assert_msg(oc_identity_from_claims(&rules, claims, NOW_S, &identity, NULL) == counts[_i].err,
                  "%s: any org", counts[_i].name);
    oc_identity_unref(identity);
}
END_TEST

START_TEST(subject_lengths)
{
    oc_claim_rules_t rules = default_rules();

    for (size_t len = OC_SUBJECT_MAX - 1; len <= OC_SUBJECT_MAX + 1; len++) {
        OC_CLEANUP(oc_json_decrefp)
        json_t *claims = json_pack("{s:i, s:s}", "exp", 2000, "org_id", "acme");
        char subject[OC_SUBJECT_MAX + 2] = "";
        oc_identity_t *identity = NULL;

        memset(subject, 's', len);
        json_object_set_new(claims, "sub", json_string(subject));
        ck_assert_msg(oc_identity_from_claims(&rules, claims, NOW_S, &identity, NULL) ==
                          (len <= OC_SUBJECT_MAX ? OC_OK : OC_E_CLAIM_INVALID),
                      "%zu bytes", len);
        oc_identity_unref(identity);
    }
}
END_TEST

/* Binary search against looking at each, over sets of ids that share beginnings. */
START_TEST(membership)
{
    static const char letters[] = "ab\xc3";
    oc_claim_rules_t rules = default_rules();
    unsigned seed = 1;

    for (int round = 0; round < 300; round++) {
        OC_CLEANUP(oc_json_decrefp)
        json_t *claims = json_pack("{s:s, s:i, s:[]}", "sub", "s", "exp", 2000, "org_id");
        json_t *orgs = json_object_get(claims, "org_id");
        oc_identity_t *identity = NULL;
        int count = 1 + rand_r(&seed) % 20;

        for (int i = 0; i < count; i++) {
            char id[8] = "";

            for (int len = 1 + rand_r(&seed) % 4; len > 0; len--)
                unit_append(id, sizeof id, rand_r(&seed) % 2 ? "a" : "b");
            json_array_append_new(orgs, json_string(id));
        }
        ck_assert_int_eq(oc_identity_from_claims(&rules, claims, NOW_S, &identity, NULL), OC_OK);
        for (int probe = 0; probe < 243; probe++) {
            char id[8] = "";
            size_t len = 0;
            bool want = false;
            size_t i;
            const json_t *item;

            for (int rest = probe; rest > 0 && len < 5; rest /= 3)
                id[len++] = letters[rest % 3];
            json_array_foreach(orgs, i, item) want =
                want || strcmp(json_string_value(item), id) == 0;
            unit_check(oc_identity_has_org(identity, id, len) == want, "round %d: '%s'", round, id);
        }
        oc_identity_unref(identity);
    }
}
END_TEST

static const struct {
    const char *name;
    const char *claims;
    const char *jti; /* NULL: none */
    int64_t issued_s;
    const char *scopes;
} told[] = {
    {"nothing", C(""), NULL, INT64_MIN, ""},
    {"jti", C(",\"jti\":\"t-1\""), "t-1", INT64_MIN, ""},
    {"a number as jti", C(",\"jti\":-9223372036854775808"), "-9223372036854775808", INT64_MIN, ""},
    {"iat", C(",\"iat\":900"), NULL, 900, ""},
    {"iat with a fraction", C(",\"iat\":900.9"), NULL, 900, ""},
    {"one scope", C(",\"scope\":\"openid\""), NULL, INT64_MIN, "openid"},
    {"scopes", C(",\"scope\":\" openid  invoices:publish \""), NULL, INT64_MIN,
     "openid invoices:publish"},
    {"an array of scopes", C(",\"scope\":[\"openid\",\"\",\"email\"]"), NULL, INT64_MIN,
     "openid email"},
    {"all of it", C(",\"jti\":\"t-1\",\"iat\":-5,\"scope\":\"a\""), "t-1", -5, "a"},
};

START_TEST(what_is_told_again)
{
    oc_claim_rules_t rules = default_rules();
    oc_identity_t *identity = NULL;
    const char *name = told[_i].name;

    ck_assert_int_eq(identify(&rules, told[_i].claims, NOW_S, &identity, NULL), OC_OK);
    if (told[_i].jti)
        ck_assert_msg(strcmp(oc_identity_jti(identity), told[_i].jti) == 0, "%s: jti", name);
    else
        ck_assert_msg(!oc_identity_jti(identity), "%s: jti", name);
    ck_assert_msg(identity->times->issued_s == told[_i].issued_s, "%s: iat", name);
    ck_assert_msg(strcmp(oc_identity_scopes(identity), told[_i].scopes) == 0, "%s: '%s'", name,
                  oc_identity_scopes(identity));
    ck_assert_str_eq(identity->subject, "s");
    ck_assert(oc_identity_has_org(identity, "acme", 4));
    oc_identity_unref(identity);
}
END_TEST

/* A jti has a limit; of the scopes those that fit are told, and all of them count. */
START_TEST(long_jti_and_scopes)
{
    OC_CLEANUP(oc_json_decrefp)
    json_t *claims = json_pack("{s:s, s:s, s:i}", "sub", "s", "org_id", "acme", "exp", 2000);
    oc_claim_rules_t rules = default_rules();
    json_t *scopes = json_array();
    char text[OC_JTI_MAX + 2] = "";
    oc_identity_t *identity = NULL;

    memset(text, 'j', OC_JTI_MAX + 1);
    json_object_set_new(claims, "jti", json_string(text));
    ck_assert_int_eq(oc_identity_from_claims(&rules, claims, NOW_S, &identity, NULL),
                     OC_E_CLAIM_INVALID);
    text[OC_JTI_MAX] = '\0';
    json_object_set_new(claims, "jti", json_string(text));
    for (int i = 0; i < 20; i++)
        json_array_append_new(scopes, json_string(text));
    json_array_append_new(scopes, json_string("invoices:publish"));
    json_object_set_new(claims, "scope", scopes);
    ck_assert_int_eq(oc_identity_from_claims(&rules, claims, NOW_S, &identity, NULL), OC_OK);
    ck_assert_str_eq(oc_identity_jti(identity), text);
    ck_assert(identity->may_publish);
    ck_assert_uint_le(strlen(oc_identity_scopes(identity)), OC_SCOPES_MAX);
    ck_assert_uint_gt(strlen(oc_identity_scopes(identity)), OC_SCOPES_MAX - OC_JTI_MAX - 1);
    oc_identity_unref(identity);
}
END_TEST

static const struct {
    const char *client_id;
    bool org;     /* for a token of acme and globex */
    bool any_org; /* for a token of the subject "billing" that serves every organization */
} bindings[] = {
    {"acme/1", true, false},     {"globex/tab-1", true, false},
    {"acme/a/b", true, false},   {"acme/ ", true, false},
    {"acme//", true, false},     {"acme/", false, false},
    {"acme", false, false},      {"", false, false},
    {"/", false, false},         {"/acme/1", false, false},
    {"Acme/1", false, false},    {"acme1/1", false, false},
    {"acm/1", false, false},     {"acme /1", false, false},
    {"initech/1", false, false}, {"initech/acme/1", false, false},
    {"billing/1", false, true},  {"billing/", false, false},
    {"billing", false, false},   {"billing2/1", false, false},
    {"billin/1", false, false},  {"+/1", false, false},
};

START_TEST(client_ids)
{
    static const char *const claims[] = {
        "{\"sub\":\"billing\",\"exp\":2000,\"org_id\":[\"acme\",\"globex\"]}",
        "{\"sub\":\"billing\",\"exp\":2000,\"org_id\":[\"acme\"],\"scope\":\"orgcast:any-org\"}"};
    oc_claim_rules_t rules = default_rules();

    for (int any = 0; any < 2; any++) {
        oc_identity_t *identity = NULL;

        ck_assert_int_eq(identify(&rules, claims[any], NOW_S, &identity, NULL), OC_OK);
        ck_assert_msg(oc_identity_binds_client_id(identity, bindings[_i].client_id) ==
                          (any ? bindings[_i].any_org : bindings[_i].org),
                      "'%s'%s", bindings[_i].client_id, any ? ", any org" : "");
        oc_identity_unref(identity);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("identity");

    unit_add_table(tcase, refusals, refused);
    unit_add_table(tcase, identities, accepted);
    tcase_add_test(tcase, configured_claims);
    unit_add_table(tcase, time_limits, moments);
    unit_add_table(tcase, life_times, lifetimes);
    tcase_add_test(tcase, times_are_kept);
    tcase_add_test(tcase, references);
    unit_add_table(tcase, so_many_orgs, counts);
    tcase_add_test(tcase, subject_lengths);
    tcase_add_test(tcase, membership);
    unit_add_table(tcase, what_is_told_again, told);
    tcase_add_test(tcase, long_jti_and_scopes);
    unit_add_table(tcase, client_ids, bindings);
    return unit_run("identity", tcase);
}

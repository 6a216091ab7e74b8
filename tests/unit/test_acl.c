/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "acl.h"
#include "json.h"
#include "mem.h"
#include "unit.h"

#define DEADLINE_S 2030
#define NOW_S 1000

static const char *const template_texts[] = {"org/{org}/invoices/#", "org/{org}/status"};
static oc_template_t templates[2];

/* Who asks. */
enum who {
    READER,         /* of acme */
    BOTH,           /* acme and 1; may publish */
    SERVICE,        /* any organization; may publish */
    SERVICE_READER, /* any organization */
    ADMIN,          /* of acme, administrator */
    SERVICE_ADMIN,  /* any organization, administrator */
    NO_SUBSCRIBE,   /* of acme, without the scope to subscribe; may publish */
    WHOS
};

static const struct {
    const char *name;
    const char *org;
    const char *scope;
} whos[] = {
    {"reader", "acme", "read"},
    {"both", "both", "read publish"},
    {"service", NULL, "read publish any"},
    {"service reader", NULL, "read any"},
    {"admin", "acme", "read admin"},
    {"service admin", NULL, "read any admin"},
    {"no subscribe", "acme", "publish"},
};

static oc_identity_t *identities[WHOS];

static void make(void)
{
    const oc_claim_rules_t rules = {
        .leeway_s = 30,
        .max_orgs = 64,
        .org_claim = "/org",
        .scope_claim = "/scope",
        .username_claim = "/sub",
        .publish_scope = "publish",
        .subscribe_scope = "read",
        .any_org_scope = "any",
        .admin_scope = "admin",
    };

    for (size_t i = 0; i < COUNT(templates); i++)
        ck_assert_int_eq(oc_template_init(&templates[i], template_texts[i], NULL), OC_OK);
    for (int i = 0; i < WHOS; i++) {
        OC_CLEANUP(oc_json_decrefp)
        json_t *claims = json_pack("{s:s, s:i, s:s}", "sub", whos[i].name, "exp", DEADLINE_S - 30,
                                   "scope", whos[i].scope);

        if (i == BOTH)
            json_object_set_new(claims, "org", json_pack("[s, s]", "acme", "1"));
        else if (whos[i].org)
            json_object_set_new(claims, "org", json_string(whos[i].org));
        ck_assert_int_eq(oc_identity_from_claims(&rules, claims, NOW_S, &identities[i], NULL),
                         OC_OK);
    }
}

static void unmake(void)
{
    for (size_t i = 0; i < COUNT(templates); i++)
        oc_template_done(&templates[i]);
    for (int i = 0; i < WHOS; i++)
        oc_identity_unref(identities[i]);
}

enum action {
    SUBSCRIBE,
    SUBSCRIBE_SHARED, /* with shared subscriptions allowed */
    PUBLISH,
    RETAIN,
    DELIVER
};

static const char *const actions[] = {"subscribe", "subscribe where shared is allowed", "publish",
                                      "publish retained", "deliver"};

static oc_err_t decide(enum who who, enum action action, const char *topic, int64_t now_s)
{
    oc_acl_rules_t rules = {templates, COUNT(templates), action == SUBSCRIBE_SHARED};

    switch (action) {
    case SUBSCRIBE:
    case SUBSCRIBE_SHARED:
        return oc_acl_subscribe(&rules, identities[who], topic, now_s);
    case PUBLISH:
    case RETAIN:
        return oc_acl_publish(&rules, identities[who], topic, action == RETAIN, now_s);
    case DELIVER:
        return oc_acl_deliver(&rules, identities[who], topic, now_s);
    }
    return OC_E_INTERNAL;
}

#define NO_TOPIC OC_E_TOPIC_NOT_ALLOWED
#define NO_SCOPE OC_E_SCOPE_MISSING
#define NO_RETAIN OC_E_RETAIN_NOT_ALLOWED

static const struct {
    enum who who;
    enum action action;
    const char *topic;
    oc_err_t err;
} cases[] = {
    /* One organization, reading. */
    {READER, SUBSCRIBE, "org/acme/invoices/#", OC_OK},
    {READER, SUBSCRIBE, "org/acme/invoices/paid/+", OC_OK},
    {READER, SUBSCRIBE, "org/acme/invoices/+/inv-17", OC_OK},
    {READER, SUBSCRIBE, "org/acme/invoices/paid/inv-17", OC_OK},
    {READER, SUBSCRIBE, "org/acme/invoices", OC_OK},
    {READER, SUBSCRIBE, "org/acme/status", OC_OK},
    {READER, SUBSCRIBE, "org/acme/status/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acme/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acme/+", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acme/+/paid/+", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acme/payments/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/globex/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/Acme/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acme1/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acm/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/\xd0\xb0\x63me/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "#", NO_TOPIC},
    {READER, SUBSCRIBE, "+/#", NO_TOPIC},
    {READER, SUBSCRIBE, "+/acme/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/+/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/+/invoices/paid/inv-17", NO_TOPIC},
    {READER, SUBSCRIBE, "org//invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acme/../globex/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "/org/acme/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acme/invoices/#/x", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acme/invoices/x#", NO_TOPIC},
    {READER, SUBSCRIBE, "org/acme/invoices/x+/y", NO_TOPIC},
    {READER, SUBSCRIBE, "", NO_TOPIC},
    {READER, SUBSCRIBE, "$SYS/#", NO_TOPIC},
    {READER, SUBSCRIBE, "$SYS/broker/orgcast/#", NO_SCOPE},
    {READER, SUBSCRIBE, "$CONTROL/orgcast/v1", NO_TOPIC},
    {READER, SUBSCRIBE, "$CONTROL/orgcast/v1/response", OC_OK},
    {READER, SUBSCRIBE, "$CONTROL/orgcast/v1/#", NO_TOPIC},
    {READER, SUBSCRIBE, "$CONTROL/#", NO_TOPIC},
    {READER, SUBSCRIBE, "$CONTROL/+/v1/response", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share/g/$CONTROL/orgcast/v1/response", NO_TOPIC},
    {NO_SUBSCRIBE, SUBSCRIBE, "$CONTROL/orgcast/v1/response", OC_OK},
    {READER, PUBLISH, "$CONTROL/orgcast/v1", OC_OK},
    {READER, PUBLISH, "$CONTROL/orgcast/v1/response", NO_TOPIC},
    {READER, PUBLISH, "$CONTROL/orgcast/v2", NO_TOPIC},
    {READER, DELIVER, "$CONTROL/orgcast/v1", NO_TOPIC},
    {READER, DELIVER, "$CONTROL/orgcast/v1/response", NO_TOPIC},
    {READER, PUBLISH, "org/acme/invoices/paid/inv-17", NO_SCOPE},
    {READER, PUBLISH, "org/globex/invoices/paid/inv-17", NO_TOPIC},
    {READER, RETAIN, "org/acme/invoices/paid/inv-17", NO_SCOPE},
    {READER, DELIVER, "org/acme/invoices/paid/inv-17", OC_OK},
    {READER, DELIVER, "org/acme/status", OC_OK},
    {READER, DELIVER, "org/acme/invoices", OC_OK},
    {READER, DELIVER, "org/acme/payments/x", NO_TOPIC},
    {READER, DELIVER, "org/globex/invoices/paid/inv-17", NO_TOPIC},
    {READER, DELIVER, "org/acme1/invoices/paid/inv-17", NO_TOPIC},
    {READER, DELIVER, "org//invoices/paid/inv-17", NO_TOPIC},
    {READER, DELIVER, "$SYS/broker/orgcast/sessions", NO_TOPIC},
    {READER, DELIVER, "$SYS/broker/uptime", NO_TOPIC},
    {READER, DELIVER, "", NO_TOPIC},

    /* Two organizations, publishing. */
    {BOTH, SUBSCRIBE, "org/acme/invoices/#", OC_OK},
    {BOTH, SUBSCRIBE, "org/1/invoices/#", OC_OK},
    {BOTH, SUBSCRIBE, "org/10/invoices/#", NO_TOPIC},
    {BOTH, SUBSCRIBE, "org/+/invoices/#", NO_TOPIC},
    {BOTH, PUBLISH, "org/acme/invoices/paid/inv-17", OC_OK},
    {BOTH, PUBLISH, "org/1/invoices/paid/inv-17", OC_OK},
    {BOTH, PUBLISH, "org/10/invoices/paid/inv-17", NO_TOPIC},
    {BOTH, PUBLISH, "org/globex/invoices/paid/inv-17", NO_TOPIC},
    {BOTH, PUBLISH, "org/acme/other", NO_TOPIC},
    {BOTH, PUBLISH, "org/acme/status", OC_OK},
    {BOTH, PUBLISH, "org/acme/status/x", NO_TOPIC},
    {BOTH, PUBLISH, "$CONTROL/dynamic-security/v1", NO_TOPIC},
    {BOTH, PUBLISH, "$SYS/broker/orgcast/x", NO_TOPIC},
    {BOTH, RETAIN, "org/acme/invoices/paid/inv-17", NO_RETAIN},
    {BOTH, RETAIN, "org/globex/invoices/paid/inv-17", NO_TOPIC},
    {BOTH, DELIVER, "org/1/invoices/paid/inv-17", OC_OK},
    {BOTH, DELIVER, "org/10/invoices/paid/inv-17", NO_TOPIC},

    /* Shared subscriptions. */
    {READER, SUBSCRIBE, "$share/g/org/acme/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share/g/org/acme/invoices/#", OC_OK},
    {READER, SUBSCRIBE_SHARED, "org/acme/invoices/#", OC_OK},
    {READER, SUBSCRIBE_SHARED, "$share/g/org/globex/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share/acme/#", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share/g/#", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share/g/$share/h/org/acme/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share//org/acme/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share/+/org/acme/invoices/#", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share/g", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share/g/", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$share", NO_TOPIC},
    {READER, SUBSCRIBE_SHARED, "$shared/g/org/acme/invoices/#", NO_TOPIC},
    {SERVICE, SUBSCRIBE, "$share/g/org/+/invoices/#", NO_TOPIC},
    {SERVICE, SUBSCRIBE_SHARED, "$share/g/org/+/invoices/#", OC_OK},
    {ADMIN, SUBSCRIBE_SHARED, "$share/g/$SYS/broker/orgcast/#", NO_SCOPE},

    /* Every organization. */
    {SERVICE, SUBSCRIBE, "org/+/invoices/#", OC_OK},
    {SERVICE, SUBSCRIBE, "org/globex/invoices/#", OC_OK},
    {SERVICE, SUBSCRIBE, "#", OC_OK},
    {SERVICE, SUBSCRIBE, "+/+/invoices/#", OC_OK},
    {SERVICE, SUBSCRIBE, "org/+/status", OC_OK},
    {SERVICE, SUBSCRIBE, "other/#", NO_TOPIC},
    {SERVICE, SUBSCRIBE, "org/acme/payments/#", NO_TOPIC},
    {SERVICE, SUBSCRIBE, "org/+/invoices/#/x", NO_TOPIC},
    {SERVICE, SUBSCRIBE, "$SYS/#", NO_TOPIC},
    {SERVICE, SUBSCRIBE, "$SYS/broker/orgcast/#", NO_SCOPE},
    {SERVICE, PUBLISH, "org/globex/invoices/paid/inv-17", OC_OK},
    {SERVICE, PUBLISH, "org/a b/invoices/paid/inv-17", NO_TOPIC},
    {SERVICE, PUBLISH, "org/$x/invoices/paid/inv-17", NO_TOPIC},
    {SERVICE, PUBLISH, "org//invoices/paid/inv-17", NO_TOPIC},
    {SERVICE, PUBLISH, "org/globex/other", NO_TOPIC},
    {SERVICE, RETAIN, "org/globex/invoices/paid/inv-17", NO_RETAIN},
    {SERVICE, DELIVER, "org/globex/invoices/paid/inv-17", OC_OK},
    {SERVICE, DELIVER, "org/globex/payments/x", NO_TOPIC},
    {SERVICE, DELIVER, "other/x", NO_TOPIC},
    {SERVICE, DELIVER, "$SYS/broker/uptime", NO_TOPIC},
    {SERVICE_READER, SUBSCRIBE, "#", OC_OK},
    {SERVICE_READER, PUBLISH, "org/globex/invoices/paid/inv-17", NO_SCOPE},

    /* Administrators. */
    {ADMIN, SUBSCRIBE, "$SYS/broker/orgcast/#", OC_OK},
    {ADMIN, SUBSCRIBE, "$SYS/broker/orgcast", OC_OK},
    {ADMIN, SUBSCRIBE, "$SYS/broker/orgcast/sessions", OC_OK},
    {ADMIN, SUBSCRIBE, "$SYS/broker/orgcastx", NO_TOPIC},
    {ADMIN, SUBSCRIBE, "$SYS/broker/+/#", NO_TOPIC},
    {ADMIN, SUBSCRIBE, "$SYS/broker/#", NO_TOPIC},
    {ADMIN, SUBSCRIBE, "$SYS/#", NO_TOPIC},
    {ADMIN, SUBSCRIBE, "#", NO_TOPIC},
    {ADMIN, SUBSCRIBE, "org/globex/invoices/#", NO_TOPIC},
    {ADMIN, PUBLISH, "$SYS/broker/orgcast/x", NO_TOPIC},
    {ADMIN, PUBLISH, "org/acme/invoices/paid/inv-17", NO_SCOPE},
    {ADMIN, DELIVER, "$SYS/broker/orgcast/sessions", OC_OK},
    {ADMIN, DELIVER, "$SYS/broker/orgcast", OC_OK},
    {ADMIN, DELIVER, "$SYS/broker/orgcastx/y", NO_TOPIC},
    {ADMIN, DELIVER, "$SYS/broker/uptime", NO_TOPIC},
    {ADMIN, DELIVER, "org/globex/invoices/paid/inv-17", NO_TOPIC},
    {SERVICE_ADMIN, SUBSCRIBE, "$SYS/broker/orgcast/#", OC_OK},
    {SERVICE_ADMIN, DELIVER, "$SYS/broker/orgcast/sessions", OC_OK},
    {SERVICE_ADMIN, DELIVER, "$SYS/broker/uptime", NO_TOPIC},

    /* Without the scope to subscribe. */
    {NO_SUBSCRIBE, SUBSCRIBE, "org/acme/invoices/#", NO_SCOPE},
    {NO_SUBSCRIBE, SUBSCRIBE, "org/globex/invoices/#", NO_TOPIC},
    {NO_SUBSCRIBE, PUBLISH, "org/acme/invoices/paid/inv-17", OC_OK},
};

START_TEST(decisions)
{
    oc_err_t err = decide(cases[_i].who, cases[_i].action, cases[_i].topic, NOW_S);

    ck_assert_msg(err == cases[_i].err, "%s, %s, '%s': %s", whos[cases[_i].who].name,
                  actions[cases[_i].action], cases[_i].topic, oc_err_name(err));
    /* The same in the last second; afterwards nothing. */
    err = decide(cases[_i].who, cases[_i].action, cases[_i].topic, DEADLINE_S - 1);
    ck_assert_msg(err == cases[_i].err, "%s, %s, '%s', last second: %s", whos[cases[_i].who].name,
                  actions[cases[_i].action], cases[_i].topic, oc_err_name(err));
    for (int64_t late_s = 0; late_s < 2; late_s++) {
        err = decide(cases[_i].who, cases[_i].action, cases[_i].topic, DEADLINE_S + late_s);
        ck_assert_msg(err == OC_E_TOKEN_EXPIRED, "%s, %s, '%s', %lld s late: %s",
                      whos[cases[_i].who].name, actions[cases[_i].action], cases[_i].topic,
                      (long long)late_s, oc_err_name(err));
    }
}
END_TEST

START_TEST(without_templates)
{
    const oc_acl_rules_t none = {0};
    oc_slice_t org;

    ck_assert_int_eq(oc_acl_subscribe(&none, identities[SERVICE], "#", NOW_S), NO_TOPIC);
    ck_assert_int_eq(
        oc_acl_publish(&none, identities[SERVICE], "org/acme/invoices/x", false, NOW_S), NO_TOPIC);
    ck_assert_int_eq(oc_acl_deliver(&none, identities[SERVICE], "org/acme/invoices/x", NOW_S),
                     NO_TOPIC);
    ck_assert(!oc_acl_governs(&none, "org/acme/invoices/x", &org));
}
END_TEST

static const struct {
    const char *topic;
    bool governed;
} governed[] = {
    {"org/acme/invoices/x", true},
    {"org/globex/invoices", true},
    {"org/globex/status", true},
    {"org/a b/status", true},
    {"org/acme/status/x", false},
    {"org/acme/payments/x", false},
    {"org//invoices/x", false},
    {"other", false},
    {"", false},
    {"$SYS/broker/orgcast", false},
};

START_TEST(governed_topics)
{
    const oc_acl_rules_t rules = {templates, COUNT(templates), false};
    oc_slice_t org;

    ck_assert_msg(oc_acl_governs(&rules, governed[_i].topic, &org) == governed[_i].governed, "'%s'",
                  governed[_i].topic);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("acl");

    tcase_add_unchecked_fixture(tcase, make, unmake);
    unit_add_table(tcase, decisions, cases);
    tcase_add_test(tcase, without_templates);
    unit_add_table(tcase, governed_topics, governed);
    return unit_run("acl", tcase);
}

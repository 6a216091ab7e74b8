/* SPDX-License-Identifier: MIT */
/* Claims → identity. What comes out must keep its own promises. */
#include "fuzz.h"
#include "identity.h"
#include "ids.h"
#include "json.h"
#include "topic.h"
#include "utf8.h"

#define NOW_S 1000

static const char *const issuers[] = {"https://id.acme.example"};
static const char *const audiences[] = {"orgcast"};

static const oc_claim_rules_t rules[] = {
    {
        .leeway_s = 30,
        .max_orgs = 64,
        .org_claim = "/org_id",
        .scope_claim = "/scope",
        .username_claim = "/sub",
        .publish_scope = "p",
        .subscribe_scope = "",
        .any_org_scope = "any",
        .admin_scope = "admin",
    },
    {
        .issuers = issuers,
        .issuer_count = 1,
        .audiences = audiences,
        .audience_count = 1,
        .max_lifetime_s = 3600,
        .max_orgs = 2,
        .org_claim = "/realm/orgs",
        .scope_claim = "/realm/roles/0",
        .username_claim = "/a~1b",
        .publish_scope = "",
        .subscribe_scope = "s",
        .any_org_scope = "",
        .admin_scope = "",
    },
};

static void check(const oc_claim_rules_t *rule, json_t *claims)
{
    oc_identity_t *identity = NULL;
    oc_diag_t diag = {0};
    oc_err_t err = oc_identity_from_claims(rule, claims, NOW_S, &identity, &diag);
    char id[OC_ID_MAX + 3];

    MUST_HOLD(err == diag.code && (err == OC_OK) == (identity != NULL));
    if (err)
        return;
    MUST_HOLD(identity->deadline_s > NOW_S && identity->times->valid_from_s <= NOW_S);
    MUST_HOLD(oc_identity_check_times(identity, NOW_S, NULL) == OC_OK);
    MUST_HOLD(oc_identity_check_times(identity, identity->deadline_s, NULL) == OC_E_TOKEN_EXPIRED);
    MUST_HOLD(identity->subject[0] && strlen(identity->subject) <= OC_SUBJECT_MAX);
    MUST_HOLD(oc_utf8_printable(identity->subject, strlen(identity->subject)));
    MUST_HOLD(identity->org_count <= rule->max_orgs);
    MUST_HOLD(identity->org_count > 0 || identity->any_org || identity->admin);
    for (size_t i = 0; i < identity->org_count; i++) {
        const oc_org_t *org = &identity->orgs[i];

        MUST_HOLD(strlen(org->id) == org->len && oc_org_id_valid(org->id, org->len));
        MUST_HOLD(oc_identity_has_org(identity, org->id, org->len));
        MUST_HOLD(i == 0 || org[-1].len < org->len ||
                  (org[-1].len == org->len && memcmp(org[-1].id, org->id, org->len) < 0));
        (void)snprintf(id, sizeof id, "%s/x", org->id);
        MUST_HOLD(identity->any_org || oc_identity_binds_client_id(identity, id));
    }
    MUST_HOLD(!oc_identity_has_org(identity, "+", 1) && !oc_identity_has_org(identity, "", 0));
    oc_identity_unref(identity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *claims = NULL;

    if (oc_json_load((const char *)data, size, &claims, NULL) != OC_OK)
        return 0;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        check(&rules[i], claims);
    json_decref(claims);
    return 0;
}

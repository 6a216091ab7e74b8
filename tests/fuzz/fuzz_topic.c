/* SPDX-License-Identifier: MIT */
/* A template, a filter and a topic, each on its line. Whatever a client may subscribe to, it may be
 * delivered; and nobody gets another organization's. */
#include "acl.h"
#include "fuzz.h"
#include "identity.h"
#include "json.h"
#include "topic.h"

/* MQTT 5 §4.7, said once more in the simplest way. */
static bool filter_matches(const char *filter, const char *topic)
{
    if (topic[0] == '$' && filter[0] != '$')
        return false;
    for (;;) {
        size_t filter_len = strcspn(filter, "/");
        size_t topic_len = strcspn(topic, "/");

        if (filter[0] == '#')
            return true;
        if (filter[0] != '+' && (filter_len != topic_len || memcmp(filter, topic, filter_len) != 0))
            return false;
        filter += filter_len;
        topic += topic_len;
        if (*topic == '\0')
            return *filter == '\0' || strcmp(filter, "/#") == 0;
        if (*filter == '\0')
            return false;
        filter++;
        topic++;
    }
}

static oc_identity_t *identity_of(oc_slice_t org)
{
    const oc_claim_rules_t rules = {
        .max_orgs = 64,
        .org_claim = "/org",
        .scope_claim = "/scope",
        .username_claim = "/sub",
        .publish_scope = "",
        .subscribe_scope = "",
        .any_org_scope = "",
        .admin_scope = "",
    };
    json_t *claims =
        json_pack("{s:s, s:i, s:s%}", "sub", "s", "exp", 2000, "org", org.start, org.len);
    oc_identity_t *identity = NULL;

    if (claims && oc_identity_from_claims(&rules, claims, 1000, &identity, NULL) != OC_OK)
        identity = NULL;
    json_decref(claims);
    return identity;
}

static void check_identity(const oc_template_t *template, oc_identity_t *identity,
                           const char *filter, const char *topic)
{
    const oc_acl_rules_t rules = {template, 1, false};
    bool subscribes = oc_acl_subscribe(&rules, identity, filter, 1000) == OC_OK;
    bool delivered = oc_acl_deliver(&rules, identity, topic, 1000) == OC_OK;
    /* Commands go there, and answers come by another way than subscriptions. */
    bool control = strcmp(topic, OC_ACL_CONTROL_TOPIC) == 0;
    bool answers = strcmp(topic, OC_ACL_RESPONSE_TOPIC) == 0;
    oc_slice_t org;

    MUST_HOLD(!(control || answers) || !delivered);
    if (answers)
        return;
    MUST_HOLD(!subscribes || !filter_matches(filter, topic) || delivered);
    MUST_HOLD((delivered || control) ==
              (oc_acl_publish(&rules, identity, topic, false, 1000) == OC_OK));
    if (delivered) {
        MUST_HOLD(oc_template_match_topic(template, topic, &org));
        MUST_HOLD(oc_identity_has_org(identity, org.start, org.len));
    }
    MUST_HOLD(oc_acl_deliver(&rules, identity, topic, identity->deadline_s) == OC_E_TOKEN_EXPIRED);
}

static void check(const oc_template_t *template, const char *filter, const char *topic)
{
    bool valid_topic = topic[0] && !strpbrk(topic, "+#");
    oc_slice_t topic_org = {"", 0};
    oc_slice_t filter_org = {"", 0};
    bool inside = valid_topic && oc_template_match_topic(template, topic, &topic_org);
    bool valid = oc_filter_valid(filter);
    bool contained = valid && oc_template_contains_filter(template, filter, &filter_org);
    bool overlaps = valid && oc_template_overlaps_filter(template, filter);
    bool matches = valid && valid_topic && filter_matches(filter, topic);
    oc_identity_t *identity;

    MUST_HOLD(!inside || topic_org.len > 0);
    MUST_HOLD(!inside || oc_template_match_org(template, topic, topic_org));
    MUST_HOLD(!valid_topic ||
              oc_template_match_org(template, topic, (oc_slice_t){"acme", 4}) ==
                  (inside && topic_org.len == 4 && memcmp(topic_org.start, "acme", 4) == 0));
    MUST_HOLD(!(inside && matches) || overlaps);
    MUST_HOLD(!contained || overlaps);
    if (contained && matches && filter_org.start[0] != '+')
        MUST_HOLD(inside && topic_org.len == filter_org.len &&
                  memcmp(topic_org.start, filter_org.start, topic_org.len) == 0);
    if (!valid_topic)
        return;
    for (int i = 0; i < 2; i++) {
        identity = identity_of(i ? topic_org : filter_org);
        if (identity)
            check_identity(template, identity, filter, topic);
        oc_identity_unref(identity);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_part(&data, &size);
    char *filter = fuzz_part(&data, &size);
    char *topic = fuzz_part(&data, &size);
    oc_template_t template;
    bool shared;
    const char *inner = oc_filter_unshared(filter, &shared);

    MUST_HOLD(!inner || (inner >= filter && inner <= filter + strlen(filter)));
    if (oc_template_init(&template, text, NULL) == OC_OK) {
        check(&template, filter, topic);
        oc_template_done(&template);
    }
    free(text);
    free(filter);
    free(topic);
    return 0;
}

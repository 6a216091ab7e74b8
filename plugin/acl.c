/* SPDX-License-Identifier: MIT */
#include "acl.h"

#include <string.h>

#include "ids.h"

/* What the plugin publishes of itself, for administrators. */
#define STATUS_TOPIC "$SYS/broker/orgcast"

static bool is_status(const char *topic)
{
    size_t len = sizeof STATUS_TOPIC - 1;

    return strncmp(topic, STATUS_TOPIC, len) == 0 && (topic[len] == '/' || topic[len] == '\0');
}

static bool serves(const oc_identity_t *identity, oc_slice_t org)
{
    if (identity->any_org)
        return oc_org_id_valid(org.start, org.len);
    return oc_identity_has_org(identity, org.start, org.len);
}

static bool topic_inside(const oc_acl_rules_t *rules, const oc_identity_t *identity,
                         const char *topic)
{
    oc_slice_t org;

    for (size_t i = 0; i < rules->template_count; i++) {
        if (oc_template_match_topic(&rules->templates[i], topic, &org) && serves(identity, org))
            return true;
    }
    return false;
}

bool oc_acl_belongs(const oc_acl_rules_t *rules, const char *topic, const char *org, size_t org_len)
{
    for (size_t i = 0; i < rules->template_count; i++) {
        if (oc_template_match_org(&rules->templates[i], topic, (oc_slice_t){org, org_len}))
            return true;
    }
    return false;
}

static bool filter_inside(const oc_acl_rules_t *rules, const oc_identity_t *identity,
                          const char *filter)
{
    oc_slice_t org;

    for (size_t i = 0; i < rules->template_count; i++) {
        /* A service for every organization may name them all at once: what a wider filter matches
         * outside of the templates is held back by oc_acl_deliver(). */
        if (identity->any_org && oc_template_overlaps_filter(&rules->templates[i], filter))
            return true;
        if (oc_template_contains_filter(&rules->templates[i], filter, &org) &&
            oc_identity_has_org(identity, org.start, org.len))
            return true;
    }
    return false;
}

oc_err_t oc_acl_subscribe(const oc_acl_rules_t *rules, const oc_identity_t *identity,
                          const char *filter, int64_t now_s)
{
    bool shared = false;
    const char *inner = oc_filter_unshared(filter, &shared);

    if (now_s >= identity->deadline_s)
        return OC_E_TOKEN_EXPIRED;
    if (!inner || (shared && !rules->shared_subscriptions) || !oc_filter_valid(inner))
        return OC_E_TOPIC_NOT_ALLOWED;
    /* Answers are for one client each, whatever it subscribes to; but clients want to subscribe first. */
    if (!shared && strcmp(inner, OC_ACL_RESPONSE_TOPIC) == 0)
        return OC_OK;
    if (is_status(inner))
        return identity->admin && !shared ? OC_OK : OC_E_SCOPE_MISSING;
    if (!filter_inside(rules, identity, inner))
        return OC_E_TOPIC_NOT_ALLOWED;
    return identity->may_subscribe ? OC_OK : OC_E_SCOPE_MISSING;
}

oc_err_t oc_acl_publish(const oc_acl_rules_t *rules, const oc_identity_t *identity,
                        const char *topic, bool retain, int64_t now_s)
{
    if (now_s >= identity->deadline_s)
        return OC_E_TOKEN_EXPIRED;
    if (strcmp(topic, OC_ACL_CONTROL_TOPIC) == 0)
        return OC_OK;
    if (!topic_inside(rules, identity, topic))
        return OC_E_TOPIC_NOT_ALLOWED;
    if (!identity->may_publish)
        return OC_E_SCOPE_MISSING;
    return retain ? OC_E_RETAIN_NOT_ALLOWED : OC_OK;
}

oc_err_t oc_acl_deliver(const oc_acl_rules_t *rules, const oc_identity_t *identity,
                        const char *topic, int64_t now_s)
{
    if (now_s >= identity->deadline_s)
        return OC_E_TOKEN_EXPIRED;
    if (topic_inside(rules, identity, topic))
        return OC_OK;
    if (identity->admin && is_status(topic))
        return OC_OK;
    return OC_E_TOPIC_NOT_ALLOWED;
}

bool oc_acl_governs(const oc_acl_rules_t *rules, const char *topic, oc_slice_t *ret_org)
{
    for (size_t i = 0; i < rules->template_count; i++) {
        if (oc_template_match_topic(&rules->templates[i], topic, ret_org))
            return true;
    }
    return false;
}

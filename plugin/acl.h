/* SPDX-License-Identifier: MIT */
#ifndef OC_ACL_H
#define OC_ACL_H

/* The decisions: (identity, action, topic, now) → OC_OK or the reason for the refusal. Pure
 * functions; they allocate nothing, lock nothing and read no clock. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "identity.h"
#include "topic.h"

typedef struct oc_acl_rules {
    const oc_template_t *templates;
    size_t template_count;
    bool shared_subscriptions; /* `$share/{group}/{filter}` when the inner filter is allowed */
} oc_acl_rules_t;

/* Errors of all three: OC_E_TOKEN_EXPIRED once now_s reaches the identity's deadline,
 * OC_E_TOPIC_NOT_ALLOWED, OC_E_SCOPE_MISSING, and OC_E_RETAIN_NOT_ALLOWED from publishing. */
OC_MUST_CHECK oc_err_t oc_acl_subscribe(const oc_acl_rules_t *rules, const oc_identity_t *identity,
                                        const char *filter, int64_t now_s);
OC_MUST_CHECK oc_err_t oc_acl_publish(const oc_acl_rules_t *rules, const oc_identity_t *identity,
                                      const char *topic, bool retain, int64_t now_s);
OC_MUST_CHECK oc_err_t oc_acl_deliver(const oc_acl_rules_t *rules, const oc_identity_t *identity,
                                      const char *topic, int64_t now_s);

/* True when the topic is inside a template, and of this organization. */
bool oc_acl_belongs(const oc_acl_rules_t *rules, const char *topic, const char *org,
                    size_t org_len);

/* True when the topic is inside a template, whatever its organization, which is ret_org then. */
bool oc_acl_governs(const oc_acl_rules_t *rules, const char *topic, oc_slice_t *ret_org);

/* Where commands go, and their answers come from; every client with an identity may. */
#define OC_ACL_CONTROL_TOPIC "$CONTROL/orgcast/v1"
#define OC_ACL_RESPONSE_TOPIC OC_ACL_CONTROL_TOPIC "/response"

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_OPTIONS_H
#define OC_OPTIONS_H

/* plugin_opt_* → configuration. One table holds every option's name, default, meaning and setter; it
 * also prints docs/configuration.md. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "acl.h"
#include "err.h"
#include "identity.h"
#include "jwk.h"
#include "jws.h"
#include "key.h"
#include "org_limits.h"
#include "topic.h"

#define OC_OPTION_LIST_MAX 64

typedef struct oc_option {
    const char *name; /* without "plugin_opt_" */
    const char *value;
} oc_option_t;

typedef struct oc_strings {
    char *items[OC_OPTION_LIST_MAX];
    size_t count;
} oc_strings_t;

/* What a publish under the templates must be. */
typedef enum oc_event_policy {
    OC_EVENTS_CATALOGUE, /* a valid event of a catalogue type */
    OC_EVENTS_ENVELOPE,  /* a valid event of any type */
    OC_EVENTS_OFF,       /* any bytes */
} oc_event_policy_t;

typedef struct oc_config {
    /* Where keys come from; read again by oc_config_load_keys(). */
    char *secret_file;
    oc_strings_t public_key_files; /* PATH or KID=PATH */
    oc_strings_t jwks_files;
    oc_strings_t jwks_urls;
    int64_t jwks_refresh_s;
    char *jwks_cache_file;     /* NULL: none */
    bool jwks_cache_read_only; /* no option: for programs that look and leave no trace */
    char *jwks_ca_file;        /* NULL: the system's */
    oc_alg_set_t algorithms;   /* 0: what the keys allow */

    int64_t token_max_bytes;
    int64_t max_lifetime_s;
    int64_t max_orgs;
    oc_strings_t issuers;
    oc_strings_t audiences;
    int64_t leeway_s;
    char *org_claim;
    char *scope_claim;
    char *username_claim;
    char *publish_scope;
    char *subscribe_scope;
    char *any_org_scope;
    char *admin_scope;
    oc_template_t templates[OC_OPTION_LIST_MAX];
    size_t template_count;
    bool shared_subscriptions;
    bool defer_non_jwt;
    bool disconnect_on_expiry;
    oc_event_policy_t validate_events;
    int64_t event_max_bytes;
    bool stamp_sequence;
    int64_t replay_events_per_org;
    int64_t replay_max_bytes;
    char *revocation_file; /* NULL: none */
    oc_limit_rules_t limits;
    int64_t bad_tokens_per_s; /* of one address; 0: any */
    char *audit_log_file;     /* NULL: none */
    int64_t metrics_interval_s;
    char *metrics_listen; /* NULL: none */
    bool metrics_per_org;

    /* The rules that the modules take, made of the above; they borrow from it. */
    oc_claim_rules_t claim_rules;
    oc_acl_rules_t acl_rules;
} oc_config_t;

/* Parse options; reads no key file. ret_config must stay where it is: its rules point into it.
 * Errors: OC_E_CONFIG with "plugin_opt_NAME: cause" in diag, OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_config_init(oc_config_t *ret_config, const oc_option_t *options,
                                      size_t option_count, oc_diag_t *diag);
void oc_config_done(oc_config_t *config);

/* Check one option by itself, as oc_config_init() does. */
OC_MUST_CHECK oc_err_t oc_option_check(const oc_option_t *option, oc_diag_t *diag);

/* Read every key file into a new set, and look at jwks_ca_file.
 * warn, context: called for each key of a set that is skipped; warn may be NULL
 * Errors: OC_E_CONFIG with "plugin_opt_NAME: cause" in diag, OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_config_load_keys(const oc_config_t *config,
                                           void (*warn)(void *context, const char *message),
                                           void *context, oc_keyset_t *ret_keys, oc_diag_t *diag);

/* The reference of all options, as Markdown. */
void oc_options_print(FILE *out);

#endif

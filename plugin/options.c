/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "option_setters.h"

static oc_err_t take_option(oc_config_t *config, const oc_option_t *option,
                            bool seen[static OC_OPTIONS_MAX], oc_diag_t *diag)
{
    for (size_t i = 0; i < oc_option_count; i++) {
        const oc_option_row_t *row = &oc_option_rows[i];
        oc_diag_t cause = {0};
        oc_err_t err;

        if (strcmp(option->name, row->name) != 0)
            continue;
        if (seen[i] && !row->repeatable)
            return oc_fail(diag, OC_E_CONFIG, "plugin_opt_%s: is given twice", row->name);
        seen[i] = true;
        err = row->set(config, row, option->value ? option->value : "", &cause);
        return err ? oc_option_fail(row->name, err, &cause, diag) : OC_OK;
    }
    return oc_fail(diag, OC_E_CONFIG,
                   "plugin_opt_%.100s: there is no such option; all are in "
                   "docs/configuration.md",
                   option->name);
}

static oc_err_t set_defaults(oc_config_t *config, oc_diag_t *diag)
{
    for (size_t i = 0; i < oc_option_count; i++) {
        oc_err_t err;

        if (!oc_option_rows[i].default_value)
            continue;
        err = oc_option_rows[i].set(config, &oc_option_rows[i], oc_option_rows[i].default_value,
                                    diag);
        if (err)
            return err;
    }
    return OC_OK;
}

static oc_err_t parse(oc_config_t *config, const oc_option_t *options, size_t option_count,
                      oc_diag_t *diag)
{
    bool seen[OC_OPTIONS_MAX] = {false};
    oc_err_t err = set_defaults(config, diag);

    for (size_t i = 0; i < option_count && !err; i++)
        err = take_option(config, &options[i], seen, diag);
    if (!err && config->template_count == 0)
        err = oc_option_add_template(config, NULL, "org/{org}/invoices/#", diag);
    if (!err && !config->secret_file && config->public_key_files.count == 0 &&
        config->jwks_files.count == 0 && config->jwks_urls.count == 0)
        err = oc_fail(diag, OC_E_CONFIG,
                      "no key to check tokens with: set plugin_opt_jwt_secret_file, "
                      "jwt_public_key_file, jwks_file or jwks_url");
    return err;
}

oc_err_t oc_option_check(const oc_option_t *option, oc_diag_t *diag)
{
    oc_config_t scratch = {0};
    bool seen[OC_OPTIONS_MAX] = {false};
    oc_err_t err = take_option(&scratch, option, seen, diag);

    oc_config_done(&scratch);
    return err;
}

oc_err_t oc_config_init(oc_config_t *ret_config, const oc_option_t *options, size_t option_count,
                        oc_diag_t *diag)
{
    oc_config_t *config = ret_config;
    oc_err_t err;

    *config = (oc_config_t){0};
    err = parse(config, options, option_count, diag);
    if (err) {
        oc_config_done(config);
        return err;
    }
    config->claim_rules = (oc_claim_rules_t){
        .issuers = (const char *const *)config->issuers.items,
        .issuer_count = config->issuers.count,
        .audiences = (const char *const *)config->audiences.items,
        .audience_count = config->audiences.count,
        .leeway_s = config->leeway_s,
        .max_lifetime_s = config->max_lifetime_s,
        .max_orgs = (size_t)config->max_orgs,
        .org_claim = config->org_claim,
        .scope_claim = config->scope_claim,
        .username_claim = config->username_claim,
        .publish_scope = config->publish_scope,
        .subscribe_scope = config->subscribe_scope,
        .any_org_scope = config->any_org_scope,
        .admin_scope = config->admin_scope,
    };
    config->acl_rules = (oc_acl_rules_t){
        .templates = config->templates,
        .template_count = config->template_count,
        .shared_subscriptions = config->shared_subscriptions,
    };
    return OC_OK;
}

static void strings_done(oc_strings_t *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
}

void oc_config_done(oc_config_t *config)
{
    for (size_t i = 0; i < oc_option_count; i++) {
        char **text = oc_option_text(config, &oc_option_rows[i]);

        if (text)
            free(*text);
    }
    strings_done(&config->public_key_files);
    strings_done(&config->jwks_files);
    strings_done(&config->jwks_urls);
    strings_done(&config->issuers);
    strings_done(&config->audiences);
    for (size_t i = 0; i < config->template_count; i++)
        oc_template_done(&config->templates[i]);
    *config = (oc_config_t){0};
}

void oc_options_print(FILE *out)
{
    fputs(
        "<!-- Written by print_options from the table in plugin/option_table.c. -->\n"
        "# Plugin options\n\n"
        "Each is a line `plugin_opt_NAME VALUE` in mosquitto.conf, after the line `plugin "
        "PATH/mosquitto_orgcast.so`.\n"
        "Options marked * may be given more than once. With an unknown option, a bad value, an\n"
        "unreadable or empty key file, or no key at all, the broker refuses to start and says "
        "which option\nand why. SIGHUP reads the key files again; a broken one keeps the old "
        "keys.\nThe options themselves are read at a start only; SIGHUP logs which lines have "
        "changed.\n\n"
        "| option | default | meaning |\n|---|---|---|\n",
        out);
    for (size_t i = 0; i < oc_option_count; i++) {
        const char *text = oc_option_rows[i].default_text ? oc_option_rows[i].default_text
                                                          : oc_option_rows[i].default_value;
        bool literal = !oc_option_rows[i].default_text || strchr(text, '/') != NULL;

        fprintf(out, "| `%s`%s | %s%s%s | %s |\n", oc_option_rows[i].name,
                oc_option_rows[i].repeatable ? " *" : "", literal ? "`" : "", text,
                literal ? "`" : "", oc_option_rows[i].meaning);
    }
}

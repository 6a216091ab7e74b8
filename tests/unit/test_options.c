/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "unit.h"

/* Every option: a good value, and whether it may be given again. */
static const struct {
    const char *name;
    const char *value;
    bool repeatable;
} known[] = {
    {"jwt_secret_file", "/k", false},
    {"jwt_public_key_file", "/k", true},
    {"jwks_file", "/s", true},
    {"jwks_url", "https://id.acme.example/keys", true},
    {"jwks_refresh_interval", "60", false},
    {"jwks_cache_file", "/c", false},
    {"jwks_ca_file", "/a", false},
    {"jwt_algorithms", "RS256", false},
    {"jwt_issuer", "https://id.acme.example", true},
    {"jwt_audience", "orgcast", true},
    {"jwt_leeway", "10", false},
    {"jwt_max_lifetime", "3600", false},
    {"jwt_max_bytes", "4096", false},
    {"org_claim", "/org", false},
    {"scope_claim", "/scp", false},
    {"username_claim", "/email", false},
    {"max_orgs_per_token", "3", false},
    {"topic_template", "a/{org}/#", true},
    {"subscribe_scope", "read", false},
    {"publish_scope", "write", false},
    {"any_org_scope", "all", false},
    {"admin_scope", "root", false},
    {"shared_subscriptions", "allow", false},
    {"non_jwt_clients", "defer", false},
    {"disconnect_on_expiry", "false", false},
    {"validate_events", "envelope", false},
    {"max_event_bytes", "1000", false},
    {"stamp_sequence", "false", false},
    {"replay_events_per_org", "0", false},
    {"replay_max_bytes", "65536", false},
    {"revocation_file", "/r", false},
    {"max_connections_per_org", "10", false},
    {"max_connections_per_subject", "10", false},
    {"max_publish_rate_per_org", "10", false},
    {"max_bad_tokens_per_address", "1", false},
    {"audit_log_file", "/a", false},
    {"metrics_interval", "1", false},
    {"metrics_listen", "127.0.0.1:9464", false},
    {"metrics_per_org", "true", false},
};

/* With a key option before it, as one is needed. */
static oc_err_t configure(oc_config_t *config, const oc_option_t *options, size_t count,
                          oc_diag_t *diag)
{
    oc_option_t all[OC_OPTION_LIST_MAX + 3] = {{"jwt_public_key_file", "/key"}};

    for (size_t i = 0; i < count; i++)
        all[i + 1] = options[i];
    return oc_config_init(config, all, count + 1, diag);
}

static void check_named(const oc_diag_t *diag, const char *name)
{
    char start[64];

    (void)snprintf(start, sizeof start, "plugin_opt_%s: ", name);
    ck_assert_msg(strncmp(diag->message, start, strlen(start)) == 0, "%s: '%s'", name,
                  diag->message);
    ck_assert_msg(strlen(diag->message) > strlen(start), "%s: no cause", name);
}

START_TEST(each_option_once_and_twice)
{
    oc_option_t twice[] = {{known[_i].name, known[_i].value}, {known[_i].name, known[_i].value}};
    oc_config_t config;
    oc_diag_t diag = {0};
    oc_err_t err = configure(&config, twice, 1, &diag);

    ck_assert_msg(err == OC_OK, "%s: %s", known[_i].name, diag.message);
    oc_config_done(&config);
    err = configure(&config, twice, 2, &diag);
    ck_assert_msg(err == (known[_i].repeatable ? OC_OK : OC_E_CONFIG), "%s twice: %s",
                  known[_i].name, oc_err_name(err));
    if (err)
        check_named(&diag, known[_i].name);
    oc_config_done(&config);
}
END_TEST

static const struct {
    const char *name;
    const char *value; /* NULL: none */
    bool good;
} values[] = {
    {"jwt_secret_file", "", false},
    {"jwt_secret_file", NULL, false},
    {"jwt_secret_file", "relative", true},
    {"jwt_public_key_file", "", false},
    {"jwt_public_key_file", "kid=/p", true},
    {"jwt_public_key_file", "kid=", false},
    {"jwt_public_key_file", "=/p", false},
    {"jwt_public_key_file", "=", false},
    {"jwt_public_key_file", "/p=q", true},
    {"jwks_file", "", false},
    {"jwks_file", "relative", true},
    {"jwks_url", "", false},
    {"jwks_url", NULL, false},
    {"jwks_url", "http://127.0.0.1:8080/keys", true},
    {"jwks_url", "http://id.acme.example/keys", false},
    {"jwks_url", "file:///keys", false},
    {"jwks_url", "https://user@id.acme.example/keys", false},
    {"jwks_refresh_interval", "1", true},
    {"jwks_refresh_interval", "604800", true},
    {"jwks_refresh_interval", "604801", false},
    {"jwks_refresh_interval", "0", false},
    {"jwks_cache_file", "", false},
    {"jwks_ca_file", "", false},
    {"validate_events", "off", true},
    {"validate_events", "", false},
    {"validate_events", "none", false},
    {"max_event_bytes", "63", false},
    {"max_event_bytes", "268000000", true},
    {"max_event_bytes", "268435456", false},
    {"revocation_file", "", false},
    {"audit_log_file", "", false},
    {"max_connections_per_org", "-1", false},
    {"max_connections_per_org", "100000001", false},
    {"max_connections_per_subject", "0", true},
    {"max_connections_per_subject", "1.5", false},
    {"max_publish_rate_per_org", "ten", false},
    {"max_bad_tokens_per_address", "0", true},
    {"metrics_interval", "0", true},
    {"metrics_interval", "86401", false},
    {"metrics_listen", "", false},
    {"metrics_listen", "9464", true},
    {"metrics_listen", "[::1]:9464", true},
    {"metrics_listen", "127.0.0.1", false},
    {"metrics_listen", "metrics.acme.example:9464", false},
    {"metrics_listen", "127.0.0.1:70000", false},
    {"metrics_per_org", "yes", false},
    {"jwt_max_lifetime", "0", true},
    {"jwt_max_lifetime", "316224000", true},
    {"jwt_max_lifetime", "316224001", false},
    {"jwt_max_lifetime", "-1", false},
    {"jwt_max_bytes", "64", true},
    {"jwt_max_bytes", "63", false},
    {"jwt_max_bytes", "65535", true},
    {"jwt_max_bytes", "65536", false},
    {"max_orgs_per_token", "1", true},
    {"max_orgs_per_token", "0", false},
    {"max_orgs_per_token", "256", true},
    {"max_orgs_per_token", "257", false},
    {"jwt_algorithms", "", false},
    {"jwt_algorithms",
     "HS256,HS384,HS512,RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA", true},
    {"jwt_algorithms", "RS256, ES256 ,EdDSA", true},
    {"jwt_algorithms", "Ed25519", true},
    {"jwt_algorithms", "EdDSA,Ed25519", true},
    {"jwt_algorithms", "ed25519", false},
    {"jwt_algorithms", "none", false},
    {"jwt_algorithms", "RS256,none", false},
    {"jwt_algorithms", "rs256", false},
    {"jwt_algorithms", "RS256,", false},
    {"jwt_algorithms", ",RS256", false},
    {"jwt_algorithms", "RS256,,ES256", false},
    {"jwt_algorithms", "RS256 ES256", false},
    {"jwt_algorithms", "RS256;ES256", false},
    {"jwt_algorithms", "RS2567", false},
    {"jwt_issuer", "", false},
    {"jwt_issuer", NULL, false},
    {"jwt_audience", "", false},
    {"jwt_leeway", "0", true},
    {"jwt_leeway", "300", true},
    {"jwt_leeway", "301", false},
    {"jwt_leeway", "-1", false},
    {"jwt_leeway", "", false},
    {"jwt_leeway", NULL, false},
    {"jwt_leeway", "+5", false},
    {"jwt_leeway", " 5", false},
    {"jwt_leeway", "5 ", false},
    {"jwt_leeway", "5s", false},
    {"jwt_leeway", "0x5", false},
    {"jwt_leeway", "5.0", false},
    {"jwt_leeway", "4294967301", false},
    {"jwt_leeway", "18446744073709551621", false},
    {"jwt_leeway", "99999999999999999999999", false},
    {"org_claim", "org_id", false},
    {"org_claim", "", false},
    {"org_claim", "/a~2", false},
    {"org_claim", "/", true},
    {"org_claim", "/https:~1~1acme.example~1org", true},
    {"scope_claim", "scope", false},
    {"scope_claim", "/realm_access/roles", true},
    {"username_claim", "sub", false},
    {"username_claim", "/~", false},
    {"topic_template", "", false},
    {"topic_template", "org/+/invoices/#", false},
    {"topic_template", "org/{org}/#/x", false},
    {"topic_template", "$SYS/{org}/#", false},
    {"topic_template", "{org}", true},
    {"subscribe_scope", "", true},
    {"subscribe_scope", "a b", false},
    {"publish_scope", "", true},
    {"publish_scope", "a\tb", false},
    {"any_org_scope", "", true},
    {"any_org_scope", "a b", false},
    {"admin_scope", "", true},
    {"admin_scope", " ", false},
    {"shared_subscriptions", "deny", true},
    {"shared_subscriptions", "true", false},
    {"shared_subscriptions", "", false},
    {"shared_subscriptions", "Allow", false},
    {"non_jwt_clients", "deny", true},
    {"non_jwt_clients", "allow", false},
    {"non_jwt_clients", "", false},
    {"disconnect_on_expiry", "true", true},
    {"disconnect_on_expiry", "yes", false},
    {"disconnect_on_expiry", "1", false},
    {"disconnect_on_expiry", "", false},
};

START_TEST(good_and_bad_values)
{
    oc_option_t option = {values[_i].name, values[_i].value};
    oc_config_t config;
    oc_diag_t diag = {0};
    oc_err_t err = configure(&config, &option, 1, &diag);

    ck_assert_msg(err == (values[_i].good ? OC_OK : OC_E_CONFIG), "%s '%s': %s, %s", option.name,
                  option.value ? option.value : "(none)", oc_err_name(err), diag.message);
    if (err)
        check_named(&diag, option.name);
    oc_config_done(&config);
}
END_TEST

START_TEST(unknown_options)
{
    static const char *const names[] = {
        "",          "jwt_secret",       "JWT_LEEWAY", "jwt_leeway ",
        "jwt_leewa", "plugin_opt_admin", "jwt-leeway"};

    for (size_t i = 0; i < COUNT(names); i++) {
        oc_option_t option = {names[i], "1"};
        oc_config_t config;
        oc_diag_t diag = {0};

        ck_assert_msg(configure(&config, &option, 1, &diag) == OC_E_CONFIG, "'%s'", names[i]);
        check_named(&diag, names[i]);
        ck_assert_msg(strstr(diag.message, "no such option") != NULL, "'%s'", diag.message);
        oc_config_done(&config);
    }
}
END_TEST

/* A bad value does not become good by what stands around it. */
START_TEST(first_error_is_told)
{
    static const oc_option_t options[] = {
        {"jwt_issuer", "https://id.acme.example"}, {"jwt_leeway", "many"}, {"nonsense", "1"}};
    oc_config_t config;
    oc_diag_t diag = {0};

    ck_assert_int_eq(configure(&config, options, COUNT(options), &diag), OC_E_CONFIG);
    check_named(&diag, "jwt_leeway");
    oc_config_done(&config);
}
END_TEST

START_TEST(so_many_times)
{
    for (size_t k = 0; k < COUNT(known); k++) {
        oc_option_t options[OC_OPTION_LIST_MAX + 1];
        oc_config_t config;
        oc_diag_t diag = {0};
        /* One key option is given already. */
        size_t most =
            OC_OPTION_LIST_MAX - (strcmp(known[k].name, "jwt_public_key_file") == 0 ? 1 : 0);

        if (!known[k].repeatable)
            continue;
        for (size_t i = 0; i < COUNT(options); i++)
            options[i] = (oc_option_t){known[k].name, known[k].value};
        ck_assert_msg(configure(&config, options, most, &diag) == OC_OK, "%s: %s", known[k].name,
                      diag.message);
        oc_config_done(&config);
        ck_assert_msg(configure(&config, options, most + 1, &diag) == OC_E_CONFIG, "%s",
                      known[k].name);
        check_named(&diag, known[k].name);
        oc_config_done(&config);
    }
}
END_TEST

START_TEST(no_key)
{
    oc_option_t option = {"jwt_leeway", "1"};
    oc_config_t config;
    oc_diag_t diag = {0};

    ck_assert_int_eq(oc_config_init(&config, &option, 1, &diag), OC_E_CONFIG);
    ck_assert_msg(strstr(diag.message, "plugin_opt_jwt_secret_file") != NULL, "'%s'", diag.message);
    ck_assert_msg(strstr(diag.message, "jwt_public_key_file") != NULL, "'%s'", diag.message);
    ck_assert_msg(strstr(diag.message, "jwks_file") != NULL, "'%s'", diag.message);
    ck_assert_msg(strstr(diag.message, "jwks_url") != NULL, "'%s'", diag.message);
    ck_assert_int_eq(oc_config_init(&config, NULL, 0, NULL), OC_E_CONFIG);
    oc_config_done(&config);
}
END_TEST

/* A refused URL is named in the log, but not with a password in it, wherever that may end. */
START_TEST(no_password_in_a_message)
{
    static const char *const urls[] = {
        "https://ada:s3cret@id.acme.example/keys", "https://ada:s3cret@id.acme.example",
        "http://:s3cret@127.0.0.1/keys",           "https:/ada:s3cret@id.acme.example/keys",
        "ftp://ada:s3cret@id.acme.example/keys",   "https://ada:s3cret/@id.acme.example/keys",
        "https://ada:s3cret@id acme.example/keys", "s3cret@",
    };
    const oc_option_t plain = {"jwks_url", "http://id.acme.example/keys"};
    oc_diag_t diag = {0};

    for (size_t i = 0; i < COUNT(urls); i++) {
        const oc_option_t option = {"jwks_url", urls[i]};

        diag = (oc_diag_t){0};
        ck_assert_msg(oc_option_check(&option, &diag) == OC_E_CONFIG, "'%s'", urls[i]);
        ck_assert_msg(!strstr(diag.message, "s3cret"), "'%s'", diag.message);
        ck_assert_msg(strstr(diag.message, "plugin_opt_jwks_url: ") && strstr(diag.message, "user"),
                      "'%s'", diag.message);
    }
    diag = (oc_diag_t){0};
    ck_assert_int_eq(oc_option_check(&plain, &diag), OC_E_CONFIG);
    ck_assert_msg(strstr(diag.message, plain.value) != NULL, "'%s'", diag.message);
}
END_TEST

/* Each by itself is a source of keys. */
START_TEST(one_source_of_keys_is_enough)
{
    static const oc_option_t sources[] = {{"jwt_secret_file", "/k"},
                                          {"jwt_public_key_file", "/k"},
                                          {"jwks_file", "/s"},
                                          {"jwks_url", "https://id.acme.example/keys"}};

    for (size_t i = 0; i < COUNT(sources); i++) {
        oc_config_t config;

        ck_assert_msg(oc_config_init(&config, &sources[i], 1, NULL) == OC_OK, "%s",
                      sources[i].name);
        oc_config_done(&config);
    }
}
END_TEST

START_TEST(one_option_by_itself)
{
    for (size_t i = 0; i < COUNT(values); i++) {
        const oc_option_t option = {values[i].name, values[i].value};
        oc_diag_t diag = {0};
        oc_err_t err = oc_option_check(&option, &diag);

        ck_assert_msg(err == (values[i].good ? OC_OK : OC_E_CONFIG), "%s '%s': %s", option.name,
                      option.value ? option.value : "(none)", oc_err_name(err));
        if (err)
            check_named(&diag, option.name);
    }
}
END_TEST

START_TEST(defaults)
{
    oc_config_t config;

    ck_assert_int_eq(configure(&config, NULL, 0, NULL), OC_OK);
    ck_assert_ptr_null(config.secret_file);
    ck_assert_uint_eq(config.jwks_files.count, 0);
    ck_assert_uint_eq(config.jwks_urls.count, 0);
    ck_assert_int_eq(config.jwks_refresh_s, 300);
    ck_assert_ptr_null(config.jwks_cache_file);
    ck_assert_ptr_null(config.jwks_ca_file);
    ck_assert_uint_eq(config.algorithms, 0);
    ck_assert_int_eq(config.token_max_bytes, 16384);
    ck_assert_int_eq(config.claim_rules.max_lifetime_s, 0);
    ck_assert_uint_eq(config.claim_rules.max_orgs, 64);
    ck_assert_uint_eq(config.claim_rules.issuer_count, 0);
    ck_assert_uint_eq(config.claim_rules.audience_count, 0);
    ck_assert_int_eq(config.claim_rules.leeway_s, 30);
    ck_assert_str_eq(config.claim_rules.org_claim, "/org_id");
    ck_assert_str_eq(config.claim_rules.scope_claim, "/scope");
    ck_assert_str_eq(config.claim_rules.username_claim, "/sub");
    ck_assert_str_eq(config.claim_rules.subscribe_scope, "");
    ck_assert_str_eq(config.claim_rules.publish_scope, "invoices:publish");
    ck_assert_str_eq(config.claim_rules.any_org_scope, "orgcast:any-org");
    ck_assert_str_eq(config.claim_rules.admin_scope, "orgcast:admin");
    ck_assert_uint_eq(config.acl_rules.template_count, 1);
    ck_assert_str_eq(config.acl_rules.templates[0].text, "org/{org}/invoices/#");
    ck_assert(!config.acl_rules.shared_subscriptions);
    ck_assert(!config.defer_non_jwt);
    ck_assert(config.disconnect_on_expiry);
    oc_config_done(&config);
    oc_config_done(&config);
}
END_TEST

START_TEST(everything_set)
{
    oc_option_t options[COUNT(known) + 3];
    oc_config_t config;

    for (size_t i = 0; i < COUNT(known); i++)
        options[i] = (oc_option_t){known[i].name, known[i].value};
    options[COUNT(known)] = (oc_option_t){"topic_template", "b/{org}"};
    options[COUNT(known) + 1] = (oc_option_t){"jwt_issuer", "https://id.globex.example"};
    options[COUNT(known) + 2] = (oc_option_t){"jwt_audience", "events"};
    ck_assert_int_eq(oc_config_init(&config, options, COUNT(options), NULL), OC_OK);
    ck_assert_str_eq(config.secret_file, "/k");
    ck_assert_uint_eq(config.public_key_files.count, 1);
    ck_assert_uint_eq(config.jwks_files.count, 1);
    ck_assert_str_eq(config.jwks_files.items[0], "/s");
    ck_assert_uint_eq(config.jwks_urls.count, 1);
    ck_assert_str_eq(config.jwks_urls.items[0], "https://id.acme.example/keys");
    ck_assert_int_eq(config.jwks_refresh_s, 60);
    ck_assert_str_eq(config.jwks_cache_file, "/c");
    ck_assert_str_eq(config.jwks_ca_file, "/a");
    ck_assert_int_eq(config.token_max_bytes, 4096);
    ck_assert_int_eq(config.claim_rules.max_lifetime_s, 3600);
    ck_assert_uint_eq(config.claim_rules.max_orgs, 3);
    ck_assert_uint_eq(config.algorithms, OC_ALG_BIT(OC_ALG_RS256));
    ck_assert_uint_eq(config.claim_rules.issuer_count, 2);
    ck_assert_str_eq(config.claim_rules.issuers[0], "https://id.acme.example");
    ck_assert_str_eq(config.claim_rules.issuers[1], "https://id.globex.example");
    ck_assert_uint_eq(config.claim_rules.audience_count, 2);
    ck_assert_str_eq(config.claim_rules.audiences[1], "events");
    ck_assert_int_eq(config.claim_rules.leeway_s, 10);
    ck_assert_str_eq(config.claim_rules.org_claim, "/org");
    ck_assert_str_eq(config.claim_rules.scope_claim, "/scp");
    ck_assert_str_eq(config.claim_rules.username_claim, "/email");
    ck_assert_str_eq(config.claim_rules.subscribe_scope, "read");
    ck_assert_str_eq(config.claim_rules.publish_scope, "write");
    ck_assert_str_eq(config.claim_rules.any_org_scope, "all");
    ck_assert_str_eq(config.claim_rules.admin_scope, "root");
    ck_assert_uint_eq(config.acl_rules.template_count, 2);
    ck_assert_str_eq(config.acl_rules.templates[0].text, "a/{org}/#");
    ck_assert_str_eq(config.acl_rules.templates[1].text, "b/{org}");
    ck_assert(config.acl_rules.shared_subscriptions);
    ck_assert(config.defer_non_jwt);
    ck_assert(!config.disconnect_on_expiry);
    oc_config_done(&config);
}
END_TEST

START_TEST(the_page_names_every_option)
{
    char *page = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&page, &len);
    size_t rows = 0;

    oc_options_print(out);
    ck_assert_int_eq(fclose(out), 0);
    for (size_t i = 0; i < COUNT(known); i++) {
        char row[64];

        (void)snprintf(row, sizeof row, "\n| `%s`%s | ", known[i].name,
                       known[i].repeatable ? " *" : "");
        ck_assert_msg(strstr(page, row) != NULL, "%s", known[i].name);
    }
    for (const char *at = page; (at = strstr(at, "\n| `")) != NULL; at++)
        rows++;
    ck_assert_uint_eq(rows, COUNT(known));
    free(page);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("options");

    unit_add_table(tcase, each_option_once_and_twice, known);
    unit_add_table(tcase, good_and_bad_values, values);
    tcase_add_test(tcase, unknown_options);
    tcase_add_test(tcase, first_error_is_told);
    tcase_add_test(tcase, so_many_times);
    tcase_add_test(tcase, no_key);
    tcase_add_test(tcase, no_password_in_a_message);
    tcase_add_test(tcase, one_source_of_keys_is_enough);
    tcase_add_test(tcase, one_option_by_itself);
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, everything_set);
    tcase_add_test(tcase, the_page_names_every_option);
    return unit_run("options", tcase);
}

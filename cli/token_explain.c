/* SPDX-License-Identifier: MIT */
/* orgcast token explain: the plugin's own decision about a token, step by step, without a broker. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acl.h"
#include "commands.h"
#include "conf_file.h"
#include "json.h"
#include "jws.h"
#include "keyring.h"
#include "mem.h"
#include "token.h"
#include "utf8.h"

#define FETCH_TIMEOUT_S 10
#define TEXT_MAX 200

static const cli_use_t uses[] = {
    {CLI_OPT_CONF, false, NULL},
    {CLI_OPT_TOKEN_FILE, false, NULL},
    {CLI_OPT_SUBSCRIBE, false, NULL},
    {CLI_OPT_PUBLISH, false, NULL},
    {CLI_OPT_TIMEOUT, false, "how long to wait for a jwks_url (default 10)"},
    {CLI_OPT_JSON, false, "print an object with allowed, reason, detail and steps"},
    {CLI_OPT_NONE, false, NULL},
};

static const char notes[] =
    "Runs the checks that the plugin runs, with the keys and options of FILE, a mosquitto.conf, "
    "and\n"
    "stops at the first that fails. Key sets behind a jwks_url are fetched. Exits with 0 when the\n"
    "token would be accepted (and the topic allowed), 1 with the reason code otherwise.\n"
    "Revocations, limits and the rules about client ids need the broker and are not looked at.";

typedef struct report {
    bool json;
    json_t *steps;
    oc_err_t reason;
    char detail[256];
} report_t;

static void step(report_t *report, bool good, const char *name, const char *format, ...)
    OC_PRINTF(4, 5);

static void step(report_t *report, bool good, const char *name, const char *format, ...)
{
    char raw[1024];
    char detail[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    (void)oc_utf8_clean(raw, detail, sizeof detail);
    if (report->json)
        (void)json_array_append_new(report->steps, json_pack("{s:s, s:b, s:s}", "step", name, "ok",
                                                             good, "detail", detail));
    else
        printf("%-3s %-13s %s\n", good ? "ok" : "NO", name, detail);
}

/* Note a refusal and the step it came from. */
static oc_err_t refuse(report_t *report, const char *name, oc_err_t err, const char *detail)
{
    report->reason = err;
    (void)oc_utf8_clean(detail, report->detail, sizeof report->detail);
    step(report, false, name, "%s: %s", oc_err_name(err), detail);
    return err;
}

static void explain_identity(report_t *report, const oc_identity_t *identity, int64_t now_s)
{
    char text[TEXT_MAX];
    char orgs[512] = "";
    size_t used = 0;

    step(report, true, "claims", "subject '%s', accepted for %lld s more (leeway included)",
         oc_utf8_quote(identity->subject, text, sizeof text),
         (long long)(identity->deadline_s - now_s));
    for (size_t i = 0; i < identity->org_count && used < sizeof orgs - TEXT_MAX; i++)
        used += (size_t)snprintf(orgs + used, sizeof orgs - used, "%s%s", i ? ", " : "",
                                 oc_utf8_quote(identity->orgs[i].id, text, sizeof text));
    step(report, true, "organizations", "%s%s",
         identity->any_org ? "every one (any_org_scope)" : orgs,
         !identity->any_org && used >= sizeof orgs - TEXT_MAX ? ", ..." : "");
    step(report, true, "scopes", "subscribe %s, publish %s, admin %s",
         identity->may_subscribe ? "yes" : "no", identity->may_publish ? "yes" : "no",
         identity->admin ? "yes" : "no");
}

static oc_err_t explain_topic(report_t *report, const cli_args_t *args, const oc_config_t *config,
                              const oc_identity_t *identity, int64_t now_s)
{
    const char *filter = cli_args_get(args, CLI_OPT_SUBSCRIBE);
    const char *topic = cli_args_get(args, CLI_OPT_PUBLISH);
    char text[TEXT_MAX];
    oc_err_t err = OC_OK;

    if (filter) {
        err = oc_acl_subscribe(&config->acl_rules, identity, filter, now_s);
        (void)oc_utf8_quote(filter, text, sizeof text);
        if (err)
            return refuse(report, "subscribe", err, text);
        step(report, true, "subscribe", "%s", text);
    }
    if (topic) {
        err = oc_acl_publish(&config->acl_rules, identity, topic, false, now_s);
        (void)oc_utf8_quote(topic, text, sizeof text);
        if (err)
            return refuse(report, "publish", err, text);
        step(report, true, "publish", "%s", text);
    }
    return err;
}

static oc_err_t explain_token(report_t *report, const cli_args_t *args, const oc_config_t *config,
                              const oc_keyring_t *ring, const char *token)
{
    const oc_jws_rules_t rules = {
        .algs = oc_keyring_algs(ring),
        .max_bytes = (size_t)config->token_max_bytes,
    };
    OC_CLEANUP(oc_jws_done) oc_jws_t jws = {0};
    OC_CLEANUP(oc_json_decrefp) json_t *claims = NULL;
    oc_identity_t *identity = NULL;
    oc_key_t *key = NULL;
    oc_diag_t diag = {0};
    char text[TEXT_MAX];
    int64_t now_s = time(NULL);
    oc_err_t err = oc_jws_open(&rules, token, strlen(token), &jws, &diag);

    if (err)
        return refuse(report, "header", err, diag.message);
    step(report, true, "header", "alg %s, %s%s",
         json_string_value(json_object_get(jws.header_json, "alg")), jws.kid ? "kid " : "no kid",
         jws.kid ? oc_utf8_quote(jws.kid, text, sizeof text) : "");
    err = oc_keyset_select(oc_keyring_keys(ring), jws.alg, jws.kid, &key, &diag);
    if (err)
        return refuse(report, "key", err, diag.message);
    step(report, true, "key", "%s%s%s", key->source,
         key->kid ? ", key id " : ", bound to no key id",
         key->kid ? oc_utf8_quote(key->kid, text, sizeof text) : "");
    err = oc_jws_check(&jws, key, &diag);
    if (err)
        return refuse(report, "signature", err, diag.message);
    step(report, true, "signature", "good");
    err = oc_jws_claims(&jws, &claims, &diag);
    if (!err)
        err = oc_identity_from_claims(&config->claim_rules, claims, now_s, &identity, &diag);
    if (err)
        return refuse(report, "claims", err, diag.message);
    explain_identity(report, identity, now_s);
    err = explain_topic(report, args, config, identity, now_s);
    oc_identity_unref(identity);
    return err;
}

static void log_line(void *context, bool error, const char *message)
{
    (void)context;
    (void)error;
    fprintf(stderr, "orgcast: %s\n", message);
}

static void wait_for_sets(oc_keyring_t *ring, int64_t timeout_s)
{
    const struct timespec pause = {0, 20L * 1000 * 1000};
    time_t until = time(NULL) + timeout_s;

    do {
        (void)oc_keyring_poll(ring);
    } while (!oc_keyring_complete(ring) && time(NULL) < until && nanosleep(&pause, NULL) == 0);
}

static void print_problem(void *context, const oc_conf_place_t *place, const char *message)
{
    (void)context;
    fprintf(stderr, "%s:%u: %s\n", place->file, place->line, message);
}

static void print_decision(const report_t *report)
{
    if (report->json) {
        json_t *line = report->reason
                           ? json_pack("{s:b, s:s, s:s, s:O}", "allowed", false, "reason",
                                       oc_err_name(report->reason), "detail", report->detail,
                                       "steps", report->steps)
                           : json_pack("{s:b, s:O}", "allowed", true, "steps", report->steps);

        if (line)
            (void)json_dumpf(line, stdout, JSON_COMPACT);
        (void)putchar('\n');
        json_decref(line);
    } else if (report->reason) {
        printf("refused: %s (%s)\n", oc_err_name(report->reason), report->detail);
    } else {
        printf("allowed\n");
    }
}

static int explain(const cli_args_t *args, const oc_conf_plugin_t *plugin, const char *token,
                   long long timeout_s)
{
    report_t report = {.json = cli_args_has(args, CLI_OPT_JSON), .steps = json_array()};
    oc_keyring_t *ring = NULL;
    oc_config_t config;
    oc_diag_t diag = {0};
    int code;

    if (oc_config_init(&config, plugin->options, plugin->option_count, &diag) != OC_OK) {
        json_decref(report.steps);
        return cli_error(args, "%s ('orgcast conf check' names the line)", diag.message);
    }
    /* The cache is the broker's, which runs as another user. */
    config.jwks_cache_read_only = true;
    if (oc_keyring_new(&config, log_line, NULL, &ring, &diag) != OC_OK) {
        code = cli_error(args, "%s ('orgcast conf check' names the line)", diag.message);
    } else {
        wait_for_sets(ring, timeout_s);
        code = explain_token(&report, args, &config, ring, token) == OC_OK ? CLI_DONE : CLI_FAILED;
        print_decision(&report);
    }
    oc_keyring_free(ring);
    oc_config_done(&config);
    json_decref(report.steps);
    return code;
}

static int run(const cli_args_t *args)
{
    const char *path = cli_args_get(args, CLI_OPT_CONF);
    OC_CLEANUP(oc_freep) char *token = NULL;
    oc_conf_t conf = {0};
    oc_diag_t diag = {0};
    long long timeout_s;
    int code;

    if (!path)
        return cli_usage_error(args, "--conf FILE is needed: the broker's mosquitto.conf");
    if (!cli_args_int(args, CLI_OPT_TIMEOUT, 1, 3600, FETCH_TIMEOUT_S, &timeout_s))
        return CLI_USAGE;
    code = cli_token_read(args, &token);
    if (code != CLI_DONE)
        return code;
    if (!token)
        return cli_usage_error(args, "no token: give --token-file FILE or set ORGCAST_TOKEN");
    if (oc_conf_read(path, print_problem, NULL, &conf, &diag) != OC_OK)
        code = cli_error(args, "%s", diag.message);
    else if (conf.plugin_count == 0)
        code = cli_error(args, "'%s' has no line that loads mosquitto_orgcast.so", path);
    else if (conf.plugin_count > 1)
        code = cli_error(args,
                         "'%s' loads the plugin %zu times, so the answer depends on the listener: "
                         "give a file with one of these lines",
                         path, conf.plugin_count);
    else
        code = explain(args, conf.plugins[0], token, timeout_s);
    oc_conf_done(&conf);
    return code;
}

const cli_command_t cli_cmd_token_explain = {
    .name = "token explain",
    .summary = "Show the plugin's decision about a token, step by step.",
    .synopsis = "--conf FILE [--token-file FILE] [--subscribe FILTER | --publish TOPIC]",
    .notes = notes,
    .options = uses,
    .run = run,
};

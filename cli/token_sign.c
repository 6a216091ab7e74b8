/* SPDX-License-Identifier: MIT */
/* orgcast token sign: makes tokens for development and tests. */
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "file.h"
#include "json.h"
#include "key.h"
#include "mem.h"
#include "mint.h"
#include "moment.h"

#define EXPIRES_IN_DEFAULT_S 3600

static const cli_use_t uses[] = {
    {CLI_OPT_KEY_FILE, false, NULL},
    {CLI_OPT_ALG, false, NULL},
    {CLI_OPT_KID, false, NULL},
    {CLI_OPT_ORG_ID, true, NULL},
    {CLI_OPT_SUB, false, NULL},
    {CLI_OPT_SCOPE, false, NULL},
    {CLI_OPT_ISS, false, NULL},
    {CLI_OPT_AUD, true, "claim aud; given more than once: an array"},
    {CLI_OPT_EXPIRES_IN, false, NULL},
    {CLI_OPT_EXP, false, NULL},
    {CLI_OPT_NBF, false, NULL},
    {CLI_OPT_CLAIM, true, NULL},
    {CLI_OPT_JSON, false, "print an object with the token and its claims"},
    {CLI_OPT_NONE, false, NULL},
};

static const char notes[] =
    "The claim iat is the current time, unless --claim gives another. A secret is the file's "
    "bytes\n"
    "without one line end: at least 32 for HS256, 48 for HS384, 64 for HS512. The token goes to\n"
    "standard output; whoever can read it can use it until it expires.";

static int set(const cli_args_t *args, json_t *claims, const char *name, json_t *value)
{
    if (!value)
        return cli_usage_error(args, "claim '%s' is not UTF-8", name);
    if (json_object_get(claims, name)) {
        json_decref(value);
        return cli_usage_error(args, "claim '%s' is given twice", name);
    }
    if (json_object_set_new(claims, name, value) != 0)
        return cli_usage_error(args, "a claim's name is not UTF-8");
    return CLI_DONE;
}

/* One value is a string, several are an array. */
static int set_strings(const cli_args_t *args, json_t *claims, const char *name, cli_opt_t opt)
{
    size_t count = cli_args_count(args, opt);
    size_t cursor = 0;
    const char *value;
    json_t *array;

    if (count == 0)
        return CLI_DONE;
    if (count == 1)
        return set(args, claims, name, json_string(cli_args_get(args, opt)));
    array = json_array();
    while ((value = cli_args_next(args, opt, &cursor))) {
        if (json_array_append_new(array, json_string(value)) != 0) {
            json_decref(array);
            return set(args, claims, name, NULL);
        }
    }
    return set(args, claims, name, array);
}

static int set_time(const cli_args_t *args, json_t *claims, const char *name, cli_opt_t opt)
{
    long long time_s;

    if (!cli_args_has(args, opt))
        return CLI_DONE;
    if (!cli_args_int(args, opt, 0, CLI_MOMENT_MAX_S, 0, &time_s))
        return CLI_USAGE;
    return set(args, claims, name, json_integer(time_s));
}

/* NAME=JSON. The strict reader takes objects only, so the value is put into one. */
static int set_any(const cli_args_t *args, json_t *claims, const char *text)
{
    const char *equals = strchr(text, '=');
    OC_CLEANUP(oc_freep) char *name = NULL;
    OC_CLEANUP(oc_freep) char *wrapped = NULL;
    OC_CLEANUP(oc_json_decrefp) json_t *object = NULL;
    json_t *value = NULL;

    if (!equals || equals == text)
        return cli_usage_error(args, "--claim '%s' is not NAME=JSON", text);
    name = strndup(text, (size_t)(equals - text));
    if (!name || asprintf(&wrapped, "{\"value\":%s}", equals + 1) < 0)
        return cli_error(args, "out of memory");
    /* One member, or the text has closed the object itself. */
    if (oc_json_load(wrapped, strlen(wrapped), &object, NULL) == OC_OK &&
        json_object_size(object) == 1)
        value = json_object_get(object, "value");
    if (!value)
        return cli_usage_error(args,
                               "--claim %s: what follows the '=' is not JSON (a string is "
                               "written with quotes: %s='\"text\"')",
                               name, name);
    return set(args, claims, name, json_incref(value));
}

static int set_defaults(const cli_args_t *args, json_t *claims)
{
    int64_t now_s = (int64_t)time(NULL);
    long long expires_in_s;
    int code = CLI_DONE;

    if (cli_args_has(args, CLI_OPT_EXPIRES_IN) && json_object_get(claims, "exp"))
        return cli_usage_error(args, "claim 'exp' is given twice");
    if (!cli_args_int(args, CLI_OPT_EXPIRES_IN, 1, 10LL * 366 * 86400, EXPIRES_IN_DEFAULT_S,
                      &expires_in_s))
        return CLI_USAGE;
    if (!json_object_get(claims, "iat"))
        code = set(args, claims, "iat", json_integer(now_s));
    if (code == CLI_DONE && !json_object_get(claims, "exp"))
        code = set(args, claims, "exp", json_integer(now_s + expires_in_s));
    return code;
}

static int build_claims(const cli_args_t *args, json_t *claims)
{
    static const struct {
        const char *name;
        cli_opt_t opt;
        int (*set)(const cli_args_t *, json_t *, const char *, cli_opt_t);
    } of_options[] = {
        {"iss", CLI_OPT_ISS, set_strings},     {"sub", CLI_OPT_SUB, set_strings},
        {"aud", CLI_OPT_AUD, set_strings},     {"org_id", CLI_OPT_ORG_ID, set_strings},
        {"scope", CLI_OPT_SCOPE, set_strings}, {"nbf", CLI_OPT_NBF, set_time},
        {"exp", CLI_OPT_EXP, set_time},
    };
    size_t cursor = 0;
    const char *text;
    int code = CLI_DONE;

    for (size_t i = 0; code == CLI_DONE && i < sizeof of_options / sizeof of_options[0]; i++)
        code = of_options[i].set(args, claims, of_options[i].name, of_options[i].opt);
    while (code == CLI_DONE && (text = cli_args_next(args, CLI_OPT_CLAIM, &cursor)))
        code = set_any(args, claims, text);
    return code == CLI_DONE ? set_defaults(args, claims) : code;
}

static int print(const cli_args_t *args, const char *token, json_t *claims)
{
    json_t *object;

    if (!cli_args_has(args, CLI_OPT_JSON)) {
        puts(token);
        return CLI_DONE;
    }
    object = json_pack("{s:s, s:O}", "token", token, "claims", claims);
    if (!object)
        return cli_error(args, "out of memory");
    (void)json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
    return CLI_DONE;
}

static int run_token_sign(const cli_args_t *args)
{
    const char *key_file = cli_args_get(args, CLI_OPT_KEY_FILE);
    const char *alg = cli_args_get(args, CLI_OPT_ALG);
    OC_CLEANUP(oc_json_decrefp) json_t *claims = json_object();
    OC_CLEANUP(oc_freep) char *claims_json = NULL;
    OC_CLEANUP(oc_freep) char *token = NULL;
    unsigned char *key;
    size_t key_len;
    oc_diag_t diag = {0};
    oc_err_t err;
    int code;

    if (!key_file)
        return cli_usage_error(args, "--key-file is missing");
    code = build_claims(args, claims);
    if (code != CLI_DONE)
        return code;
    if (!json_object_get(claims, "sub"))
        (void)cli_error(args,
                        "warning: the token has no sub; the plugin refuses it unless its "
                        "username_claim names another claim (--sub sets it)");
    claims_json = json_dumps(claims, JSON_COMPACT);
    if (!claims_json)
        return cli_error(args, "out of memory");
    if (oc_file_read(key_file, OC_KEY_FILE_MAX, &key, &key_len, &diag) != OC_OK)
        return cli_error(args, "the key file cannot be read: %s", diag.message);
    err = oc_mint_token(alg ? alg : "HS256", cli_args_get(args, CLI_OPT_KID), key, key_len,
                        claims_json, &token, &diag);
    OPENSSL_cleanse(key, key_len);
    free(key);
    if (err != OC_OK)
        return cli_error(args, "'%s': %s", key_file, diag.message);
    return print(args, token, claims);
}

const cli_command_t cli_cmd_token_sign = {
    .name = "token sign",
    .summary = "Sign a token, for development and tests.",
    .synopsis = "--key-file FILE [--org-id ORG]... [OPTION]...",
    .notes = notes,
    .options = uses,
    .run = run_token_sign,
};

/* SPDX-License-Identifier: MIT */
/* orgcast token inspect: shows what a token says, and nothing about whether it is true. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "b64url.h"
#include "commands.h"
#include "json.h"
#include "mem.h"
#include "moment.h"
#include "token.h"

/* A hostile token must not reach the terminal as anything but ASCII. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII)

static const cli_use_t uses[] = {
    {CLI_OPT_TOKEN_FILE, false, NULL},
    {CLI_OPT_JSON, false, "print an object with header, claims and times"},
    {CLI_OPT_NONE, false, NULL},
};

static const char notes[] =
    "The signature is not verified: anybody can write a token that looks like this one. Exits with "
    "0\n"
    "when the token can be decoded, whether it has expired or not.";

typedef struct inspected {
    json_t *header, *claims;
    size_t signature_len;
} inspected_t;

static void inspected_done(inspected_t *inspected)
{
    json_decref(inspected->header);
    json_decref(inspected->claims);
}

/* RFC 7515 §7.1: three segments. part is what the user reads in a message. */
static int decode_json(const cli_args_t *args, const char *part, const char *text, size_t text_len,
                       json_t **ret_json)
{
    OC_CLEANUP(oc_freep) unsigned char *bytes = malloc(OC_B64URL_DECODED_MAX(text_len));
    size_t len;
    oc_diag_t diag = {0};

    if (!bytes)
        return cli_error(args, "out of memory");
    if (!oc_b64url_decode(text, text_len, bytes, OC_B64URL_DECODED_MAX(text_len), &len))
        return cli_error(args, "not a JWT: its %s is not base64url without padding", part);
    if (oc_json_load((const char *)bytes, len, ret_json, &diag) != OC_OK)
        return cli_error(args, "not a JWT: its %s is %s", part, diag.message);
    return CLI_DONE;
}

static int decode(const cli_args_t *args, const char *token, inspected_t *inspected)
{
    const char *first = strchr(token, '.');
    const char *second = first ? strchr(first + 1, '.') : NULL;
    OC_CLEANUP(oc_freep) unsigned char *signature = NULL;
    size_t len;
    int code;

    if (!second || strchr(second + 1, '.'))
        return cli_error(args, "not a JWT: three parts with dots between them are needed");
    code = decode_json(args, "header", token, (size_t)(first - token), &inspected->header);
    if (code == CLI_DONE)
        code = decode_json(args, "payload", first + 1, (size_t)(second - first - 1),
                           &inspected->claims);
    if (code != CLI_DONE)
        return code;
    len = strlen(second + 1);
    signature = malloc(OC_B64URL_DECODED_MAX(len));
    if (!signature)
        return cli_error(args, "out of memory");
    if (!oc_b64url_decode(second + 1, len, signature, OC_B64URL_DECODED_MAX(len),
                          &inspected->signature_len))
        return cli_error(args, "not a JWT: its signature is not base64url without padding");
    return CLI_DONE;
}

/* The claim's time as RFC 3339; false when it is no number or no time that has such a form. */
static bool format_time(const json_t *claim, char *out, size_t out_cap)
{
    return json_is_number(claim) && cli_moment_format(json_number_value(claim), out, out_cap);
}

static void print_time(const char *name, const json_t *claim, double now_s)
{
    char when[CLI_MOMENT_LEN], span[32];
    double value = json_number_value(claim);
    bool past = value <= now_s;

    if (!format_time(claim, when, sizeof when)) {
        printf("  (not a time)");
        return;
    }
    cli_span_format(past ? now_s - value : value - now_s, span, sizeof span);
    printf("  %s, ", when);
    if (strcmp(name, "exp") == 0)
        printf(past ? "EXPIRED %s ago" : "in %s", span);
    else if (strcmp(name, "nbf") == 0 && !past)
        printf("NOT YET VALID, in %s", span);
    else
        printf(past ? "%s ago" : "in %s", span);
}

static void print_member(const char *name, const json_t *value, double now_s)
{
    OC_CLEANUP(oc_json_decrefp) json_t *quoted = json_string(name);
    bool time = now_s > 0 &&
                (strcmp(name, "exp") == 0 || strcmp(name, "nbf") == 0 || strcmp(name, "iat") == 0);

    printf("  ");
    (void)json_dumpf(quoted, stdout, DUMP_FLAGS);
    printf(": ");
    (void)json_dumpf(value, stdout, DUMP_FLAGS);
    if (time)
        print_time(name, value, now_s);
    putchar('\n');
}

static void print_text(const inspected_t *inspected, double now_s)
{
    const char *name;
    json_t *value;

    printf("NOT VERIFIED: decoded only, the signature was not checked.\n\nheader\n");
    json_object_foreach(inspected->header, name, value) print_member(name, value, 0);
    printf("claims\n");
    json_object_foreach(inspected->claims, name, value) print_member(name, value, now_s);
    if (!json_object_get(inspected->claims, "exp"))
        printf("  (no exp: the plugin refuses tokens that do not expire)\n");
    printf("signature\n  %zu bytes\n", inspected->signature_len);
}

/* `expired` is null when exp is absent or no number; a time is null when it is absent or none. */
static int print_json(const cli_args_t *args, const inspected_t *inspected, double now_s)
{
    static const struct {
        const char *claim, *name;
    } times[] = {{"iat", "issuedAt"}, {"nbf", "notBefore"}, {"exp", "expiresAt"}};
    const json_t *exp = json_object_get(inspected->claims, "exp");
    json_t *object = json_pack(
        "{s:b, s:O, s:O, s:I, s:o}", "verified", 0, "header", inspected->header, "claims",
        inspected->claims, "signatureBytes", (json_int_t)inspected->signature_len, "expired",
        json_is_number(exp) ? json_boolean(json_number_value(exp) <= now_s) : json_null());
    char when[CLI_MOMENT_LEN];

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        json_t *claim = json_object_get(inspected->claims, times[i].claim);

        (void)json_object_set_new(object, times[i].name,
                                  format_time(claim, when, sizeof when) ? json_string(when)
                                                                        : json_null());
    }
    if (!object)
        return cli_error(args, "out of memory");
    (void)json_dumpf(object, stdout, DUMP_FLAGS);
    putchar('\n');
    json_decref(object);
    return CLI_DONE;
}

static int run_token_inspect(const cli_args_t *args)
{
    OC_CLEANUP(oc_freep) char *token = NULL;
    OC_CLEANUP(inspected_done) inspected_t inspected = {0};
    int code = cli_token_read(args, &token);

    if (code != CLI_DONE)
        return code;
    if (!token)
        return cli_usage_error(args,
                               "no token: use --token-file FILE, --token-file - or "
                               "the environment variable " CLI_TOKEN_VARIABLE);
    code = decode(args, token, &inspected);
    if (code != CLI_DONE)
        return code;
    if (cli_args_has(args, CLI_OPT_JSON))
        return print_json(args, &inspected, (double)time(NULL));
    print_text(&inspected, (double)time(NULL));
    return CLI_DONE;
}

const cli_command_t cli_cmd_token_inspect = {
    .name = "token inspect",
    .summary = "Show a token's header and claims, without verifying it.",
    .synopsis = "[--token-file FILE] [--json]",
    .notes = notes,
    .options = uses,
    .run = run_token_inspect,
};

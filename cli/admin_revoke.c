/* SPDX-License-Identifier: MIT */
/* orgcast admin revoke, unrevoke, revocations: tokens that are refused before their time is over. */
#include <stdio.h>

#include "admin.h"
#include "commands.h"
#include "json.h"

static const cli_opt_t names[] = {CLI_OPT_JTI, CLI_OPT_SUBJECT, CLI_OPT_ORGANIZATION_ID};

#define NAMES_COUNT (sizeof names / sizeof names[0])

/* Which tokens are meant. */
static int put_name(const cli_args_t *args, json_t *members)
{
    int code = cli_admin_check_one(args, names, NAMES_COUNT);

    if (code == CLI_DONE)
        code = cli_admin_put_text(args, members, "jti", CLI_OPT_JTI);
    if (code == CLI_DONE)
        code = cli_admin_put_text(args, members, "subject", CLI_OPT_SUBJECT);
    return code == CLI_DONE ? cli_admin_put_org(args, members) : code;
}

/* --- revoke --- */

static const cli_use_t revoke_uses[] = {
    {CLI_OPT_JTI, false, "the token with this claim jti"},
    {CLI_OPT_SUBJECT, false, "the tokens of this subject"},
    {CLI_OPT_ORGANIZATION_ID, false, "the tokens that name this organization"},
    {CLI_OPT_ISSUED_BEFORE, false, NULL},
    {CLI_OPT_EXPIRES_AT, false, NULL},
    CLI_CONTROL_USES,
    {CLI_OPT_NONE, false, NULL},
};

static int put_revocation(const cli_args_t *args, json_t *members)
{
    bool is_jti = cli_args_has(args, CLI_OPT_JTI);
    int code = put_name(args, members);

    if (code == CLI_DONE && is_jti && cli_args_has(args, CLI_OPT_ISSUED_BEFORE))
        return cli_usage_error(args, "--issued-before does not go with --jti");
    if (code == CLI_DONE)
        code = cli_admin_put_moment(args, members, "issuedBefore", CLI_OPT_ISSUED_BEFORE,
                                    is_jti ? NULL : "now");
    return code == CLI_DONE
               ? cli_admin_put_moment(args, members, "expiresAt", CLI_OPT_EXPIRES_AT, NULL)
               : code;
}

static int run_revoke(const cli_args_t *args)
{
    OC_CLEANUP(oc_json_decrefp) json_t *members = json_object();
    OC_CLEANUP(oc_json_decrefp) json_t *data = NULL;
    json_int_t sessions;
    int code = put_revocation(args, members);

    if (code == CLI_DONE)
        code = cli_control_ask_once(args, "revoke", json_incref(members), &data);
    if (code != CLI_DONE)
        return code;
    if (!cli_admin_get_count(data, "sessions", &sessions))
        return cli_control_bad_answer(args, "revoke");
    if (cli_args_has(args, CLI_OPT_JSON))
        cli_json_print(data);
    else
        printf("revoked; %lld live session%s ended\n", (long long)sessions,
               sessions == 1 ? "" : "s");
    return CLI_DONE;
}

const cli_command_t cli_cmd_admin_revoke = {
    .name = "admin revoke",
    .summary = "Refuse tokens before their time is over, and end the sessions that have them.",
    .synopsis =
        "--jti ID [OPTION]...\n--subject SUBJECT [--issued-before TIME] [OPTION]...\n"
        "--organization-id ORG [--issued-before TIME] [OPTION]...",
    .notes =
        "TIME is seconds since 1970, RFC 3339 such as 2026-11-24T10:00:00Z, or now. A token "
        "without the\n"
        "claim iat counts as issued before any moment.\n" CLI_ADMIN_NOTES,
    .options = revoke_uses,
    .run = run_revoke,
};

/* --- unrevoke --- */

static const cli_use_t unrevoke_uses[] = {
    {CLI_OPT_JTI, false, "what was revoked by this jti"},
    {CLI_OPT_SUBJECT, false, "what was revoked by this subject"},
    {CLI_OPT_ORGANIZATION_ID, false, "what was revoked by this organization"},
    CLI_CONTROL_USES,
    {CLI_OPT_NONE, false, NULL},
};

static int run_unrevoke(const cli_args_t *args)
{
    OC_CLEANUP(oc_json_decrefp) json_t *members = json_object();
    OC_CLEANUP(oc_json_decrefp) json_t *data = NULL;
    int code = put_name(args, members);

    if (code == CLI_DONE)
        code = cli_control_ask_once(args, "unrevoke", json_incref(members), &data);
    if (code != CLI_DONE)
        return code;
    if (cli_args_has(args, CLI_OPT_JSON))
        cli_json_print(data);
    else
        puts("no longer revoked");
    return CLI_DONE;
}

const cli_command_t cli_cmd_admin_unrevoke = {
    .name = "admin unrevoke",
    .summary = "Take a revocation back.",
    .synopsis =
        "--jti ID [OPTION]...\n--subject SUBJECT [OPTION]...\n"
        "--organization-id ORG [OPTION]...",
    .notes =
        "Exits with 1 when it is not revoked. Sessions that were ended do not come back by "
        "themselves.\n" CLI_ADMIN_NOTES,
    .options = unrevoke_uses,
    .run = run_unrevoke,
};

/* --- revocations --- */

static const cli_use_t revocations_uses[] = {
    CLI_CONTROL_USES,
    {CLI_OPT_NONE, false, NULL},
};

static const char *const kinds[] = {"jti", "subject", "organizationId"};
static const char *const kinds_shown[] = {"jti", "subject", "organization"};

#define KINDS_COUNT (sizeof kinds / sizeof kinds[0])

/* Which of the kinds a row is; KINDS_COUNT: none that is known here. */
static size_t kind_of(const json_t *row)
{
    size_t kind = 0;

    while (kind < KINDS_COUNT && !json_is_string(json_object_get(row, kinds[kind])))
        kind++;
    return kind;
}

static bool integer_or_absent(const json_t *row, const char *name)
{
    const json_t *value = json_object_get(row, name);

    return !value || json_is_integer(value);
}

static bool revocation_valid(const json_t *row)
{
    return kind_of(row) < KINDS_COUNT && json_is_integer(json_object_get(row, "revokedAt")) &&
           integer_or_absent(row, "issuedBefore") && integer_or_absent(row, "forgottenAt");
}

static void revocation_cell(const json_t *row, size_t column, char out[static CLI_CELL_CAP])
{
    static const char *const times[] = {"issuedBefore", "revokedAt", "forgottenAt"};
    size_t kind = kind_of(row);

    if (kind == KINDS_COUNT)
        out[0] = '\0'; /* not after revocation_valid() */
    else if (column == 0)
        (void)snprintf(out, CLI_CELL_CAP, "%s", kinds_shown[kind]);
    else if (column == 1)
        cli_cell_text(json_string_value(json_object_get(row, kinds[kind])), out);
    else
        cli_cell_time(json_object_get(row, times[column - 2]), out);
}

static int run_revocations(const cli_args_t *args)
{
    static const char *const headers[] = {"KIND", "NAME", "ISSUED BEFORE", "REVOKED", "FORGOTTEN"};
    static const cli_listing_t listing = {
        "listRevocations",
        "revocations",
        revocation_valid,
        {headers, sizeof headers / sizeof headers[0], revocation_cell}};

    return cli_admin_list(args, &listing, json_object());
}

const cli_command_t cli_cmd_admin_revocations = {
    .name = "admin revocations",
    .summary = "List what is revoked.",
    .synopsis = "[OPTION]...",
    .notes =
        "FORGOTTEN is when no such token can be valid any more; '-' when that is not "
        "known.\n" CLI_ADMIN_NOTES,
    .options = revocations_uses,
    .run = run_revocations,
};

/* SPDX-License-Identifier: MIT */
/* orgcast admin whoami, sessions, kick: who is connected. */
#include <stdio.h>

#include "admin.h"
#include "commands.h"
#include "json.h"
#include "moment.h"

/* --- A session as whoami and listSessions tell of it --- */

static bool strings_valid(const json_t *strings)
{
    const json_t *string;
    size_t i;

    json_array_foreach(strings, i, string)
    {
        if (!json_is_string(string))
            return false;
    }
    return json_is_array(strings);
}

static bool identity_valid(const json_t *session)
{
    return json_is_string(json_object_get(session, "clientId")) &&
           json_is_string(json_object_get(session, "subject")) &&
           strings_valid(json_object_get(session, "organizations")) &&
           strings_valid(json_object_get(session, "scopes")) &&
           json_is_integer(json_object_get(session, "expiresAt"));
}

/* A token without an organization is a service's that serves every one of them. */
static void organizations_cell(const json_t *session, char out[static CLI_CELL_CAP])
{
    const json_t *organizations = json_object_get(session, "organizations");

    if (json_array_size(organizations) == 0)
        (void)snprintf(out, CLI_CELL_CAP, "(every)");
    else
        cli_cell_texts(organizations, out);
}

/* --- whoami --- */

static const cli_use_t whoami_uses[] = {
    CLI_CONTROL_USES,
    {CLI_OPT_NONE, false, NULL},
};

static void print_whoami(const json_t *data)
{
    const json_t *expires_at = json_object_get(data, "expiresAt");
    char cell[CLI_CELL_CAP];

    cli_cell_text(json_string_value(json_object_get(data, "subject")), cell);
    printf("subject        %s\n", cell);
    organizations_cell(data, cell);
    printf("organizations  %s\n", cell);
    cli_cell_texts(json_object_get(data, "scopes"), cell);
    printf("scopes         %s\n", *cell ? cell : "-");
    cli_cell_time(expires_at, cell);
    printf("expires        %s\n", cell);
    cli_cell_text(json_string_value(json_object_get(data, "clientId")), cell);
    printf("client id      %s\n", cell);
}

static int run_whoami(const cli_args_t *args)
{
    OC_CLEANUP(oc_json_decrefp) json_t *data = NULL;
    int code = cli_control_ask_once(args, "whoami", NULL, &data);

    if (code != CLI_DONE)
        return code;
    if (!identity_valid(data))
        return cli_control_bad_answer(args, "whoami");
    if (cli_args_has(args, CLI_OPT_JSON))
        cli_json_print(data);
    else
        print_whoami(data);
    return CLI_DONE;
}

const cli_command_t cli_cmd_admin_whoami = {
    .name = "admin whoami",
    .summary = "Show what the broker makes of a token.",
    .synopsis = "[OPTION]...",
    .notes = "Any token that the broker accepts may ask this.",
    .options = whoami_uses,
    .run = run_whoami,
};

/* --- sessions --- */

static const cli_use_t sessions_uses[] = {
    {CLI_OPT_ORGANIZATION_ID, false, "only those whose token names this organization"},
    {CLI_OPT_SUBJECT, false, "only this subject's"},
    CLI_CONTROL_USES,
    {CLI_OPT_NONE, false, NULL},
};

static bool session_valid(const json_t *row)
{
    return identity_valid(row) && json_is_boolean(json_object_get(row, "connected"));
}

static void session_cell(const json_t *row, size_t column, char out[static CLI_CELL_CAP])
{
    switch (column) {
    case 0:
        cli_cell_text(json_string_value(json_object_get(row, "clientId")), out);
        break;
    case 1:
        cli_cell_text(json_string_value(json_object_get(row, "subject")), out);
        break;
    case 2:
        organizations_cell(row, out);
        break;
    case 3:
        (void)snprintf(out, CLI_CELL_CAP, "%s",
                       json_is_true(json_object_get(row, "connected")) ? "yes" : "no");
        break;
    default:
        cli_cell_time(json_object_get(row, "expiresAt"), out);
        break;
    }
}

static int run_sessions(const cli_args_t *args)
{
    static const char *const headers[] = {"CLIENT ID", "SUBJECT", "ORGANIZATIONS", "CONNECTED",
                                          "EXPIRES"};
    static const cli_listing_t listing = {
        "listSessions",
        "sessions",
        session_valid,
        {headers, sizeof headers / sizeof headers[0], session_cell}};
    OC_CLEANUP(oc_json_decrefp) json_t *members = json_object();
    int code = cli_admin_put_org(args, members);

    if (code == CLI_DONE)
        code = cli_admin_put_text(args, members, "subject", CLI_OPT_SUBJECT);
    return code == CLI_DONE ? cli_admin_list(args, &listing, json_incref(members)) : code;
}

const cli_command_t cli_cmd_admin_sessions = {
    .name = "admin sessions",
    .summary = "List who is connected, and sessions kept for those who are not.",
    .synopsis = "[--organization-id ORG] [--subject SUBJECT] [OPTION]...",
    .notes = CLI_ADMIN_NOTES,
    .options = sessions_uses,
    .run = run_sessions,
};

/* --- kick --- */

static const cli_use_t kick_uses[] = {
    {CLI_OPT_CLIENT_ID, false, "the connection of this client id"},
    {CLI_OPT_SUBJECT, false, "the connections of this subject"},
    {CLI_OPT_ORGANIZATION_ID, false, "the connections whose token names this organization"},
    CLI_CONTROL_USES,
    {CLI_OPT_NONE, false, NULL},
};

static int run_kick(const cli_args_t *args)
{
    static const cli_opt_t whom[] = {CLI_OPT_CLIENT_ID, CLI_OPT_SUBJECT, CLI_OPT_ORGANIZATION_ID};
    OC_CLEANUP(oc_json_decrefp) json_t *members = json_object();
    OC_CLEANUP(oc_json_decrefp) json_t *data = NULL;
    json_int_t kicked;
    int code = cli_admin_check_one(args, whom, sizeof whom / sizeof whom[0]);

    if (code == CLI_DONE)
        code = cli_admin_put_text(args, members, "clientId", CLI_OPT_CLIENT_ID);
    if (code == CLI_DONE)
        code = cli_admin_put_text(args, members, "subject", CLI_OPT_SUBJECT);
    if (code == CLI_DONE)
        code = cli_admin_put_org(args, members);
    if (code == CLI_DONE)
        code = cli_control_ask_once(args, "kick", json_incref(members), &data);
    if (code != CLI_DONE)
        return code;
    if (!cli_admin_get_count(data, "kicked", &kicked))
        return cli_control_bad_answer(args, "kick");
    if (cli_args_has(args, CLI_OPT_JSON))
        cli_json_print(data);
    else
        printf("%lld connection%s ended\n", (long long)kicked, kicked == 1 ? "" : "s");
    return kicked > 0 ? CLI_DONE : CLI_FAILED;
}

const cli_command_t cli_cmd_admin_kick = {
    .name = "admin kick",
    .summary = "End connections; their clients may come back.",
    .synopsis =
        "--client-id ID [OPTION]...\n--subject SUBJECT [OPTION]...\n"
        "--organization-id ORG [OPTION]...",
    .notes =
        "Exits with 1 when there was no such connection. To keep clients out, use "
        "'orgcast admin\n"
        "revoke'.\n" CLI_ADMIN_NOTES,
    .options = kick_uses,
    .run = run_kick,
};

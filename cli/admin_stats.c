/* SPDX-License-Identifier: MIT */
/* orgcast admin stats: the plugin's numbers. */
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "commands.h"
#include "json.h"

#define BY_ORGANIZATION "byOrganization"
#define STARTED "started"

/* Levels of objects in the answer; more are not printed. */
#define DEPTH_MAX 8
#define NAME_WIDTH 30

static const cli_use_t uses[] = {
    {CLI_OPT_ORGANIZATION_ID, false, "of the organizations show only this one"},
    CLI_CONTROL_USES,
    {CLI_OPT_NONE, false, NULL},
};

static bool org_valid(const json_t *row)
{
    const json_t *events = json_object_get(row, "events");
    json_int_t count;

    return json_is_string(json_object_get(row, "organizationId")) &&
           cli_admin_get_count(row, "connections", &count) &&
           cli_admin_get_count(events, "accepted", &count) &&
           cli_admin_get_count(events, "refused", &count);
}

static bool answer_valid(const json_t *data)
{
    const json_t *rows = json_object_get(data, BY_ORGANIZATION);
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        if (!org_valid(row))
            return false;
    }
    return json_is_array(rows);
}

static void org_cell(const json_t *row, size_t column, char out[static CLI_CELL_CAP])
{
    static const char *const of_events[] = {"accepted", "refused"};
    const json_t *value = json_object_get(row, "connections");

    if (column == 0) {
        cli_cell_text(json_string_value(json_object_get(row, "organizationId")), out);
        return;
    }
    if (column > 1)
        value = json_object_get(json_object_get(row, "events"), of_events[column - 2]);
    (void)snprintf(out, CLI_CELL_CAP, "%lld", (long long)json_integer_value(value));
}

static void print_orgs(const json_t *data)
{
    static const char *const headers[] = {"ORGANIZATION", "CONNECTIONS", "EVENTS ACCEPTED",
                                          "EVENTS REFUSED"};
    static const cli_table_t table = {headers, sizeof headers / sizeof headers[0], org_cell};

    cli_table_print(&table, json_object_get(data, BY_ORGANIZATION));
}

/* Names are the plugin's, but they came over the network. */
static void print_number(const char *name, const json_t *value, int depth)
{
    char cell[CLI_CELL_CAP];

    cli_cell_text(name, cell);
    printf("%*s%-*s %lld", 2 * depth, "", NAME_WIDTH - 2 * depth, cell,
           (long long)json_integer_value(value));
    if (depth == 0 && strcmp(name, STARTED) == 0) {
        cli_cell_time(value, cell);
        printf("  %s", cell);
    }
    putchar('\n');
}

static void print_numbers(const json_t *object, int depth)
{
    /* Beside a total, what is 0 says nothing. */
    bool has_total = json_object_get(object, "total") != NULL;
    char cell[CLI_CELL_CAP];
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
    {
        if (json_is_integer(value) &&
            (json_integer_value(value) != 0 || !has_total || strcmp(name, "total") == 0)) {
            print_number(name, value, depth);
        } else if (json_is_object(value) && depth < DEPTH_MAX) {
            cli_cell_text(name, cell);
            printf("%*s%s\n", 2 * depth, "", cell);
            print_numbers(value, depth + 1);
        }
    }
}

static void print_stats(const cli_args_t *args, const json_t *data)
{
    bool any = json_array_size(json_object_get(data, BY_ORGANIZATION)) > 0;

    if (!cli_args_has(args, CLI_OPT_ORGANIZATION_ID)) {
        print_numbers(data, 0);
        if (any)
            putchar('\n');
    } else if (!any) {
        puts("no connection and no event of late");
    }
    if (any)
        print_orgs(data);
}

static int run_stats(const cli_args_t *args)
{
    OC_CLEANUP(oc_json_decrefp) json_t *members = json_object();
    OC_CLEANUP(oc_json_decrefp) json_t *data = NULL;
    int code = cli_admin_put_org(args, members);

    if (code == CLI_DONE)
        code = cli_control_ask_once(args, "stats", json_incref(members), &data);
    if (code != CLI_DONE)
        return code;
    if (!answer_valid(data))
        return cli_control_bad_answer(args, "stats");
    if (cli_args_has(args, CLI_OPT_JSON))
        cli_json_print(data);
    else
        print_stats(args, data);
    return CLI_DONE;
}

const cli_command_t cli_cmd_admin_stats = {
    .name = "admin stats",
    .summary = "Show the plugin's counters.",
    .synopsis = "[--organization-id ORG] [OPTION]...",
    .notes =
        "Of the reason codes only those that occurred are shown; --json has all of them. Of "
        "the\n"
        "organizations at most 1000 are shown.\n" CLI_ADMIN_NOTES,
    .options = uses,
    .run = run_stats,
};

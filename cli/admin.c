/* SPDX-License-Identifier: MIT */
#include "admin.h"

#include <stdio.h>
#include <string.h>

#include "ids.h"
#include "json.h"
#include "moment.h"

/* --- What is asked --- */

int cli_admin_put_text(const cli_args_t *args, json_t *members, const char *name, cli_opt_t opt)
{
    const char *value = cli_args_get(args, opt);
    json_t *text;

    if (!value)
        return CLI_DONE;
    if (!*value)
        return cli_usage_error(args, "--%s is empty", cli_opt_name(opt));
    text = json_string(value);
    if (!text)
        return cli_usage_error(args, "--%s is not UTF-8", cli_opt_name(opt));
    return json_object_set_new(members, name, text) == 0 ? CLI_DONE
                                                         : cli_error(args, "out of memory");
}

int cli_admin_put_org(const cli_args_t *args, json_t *members)
{
    const char *organization_id = cli_args_get(args, CLI_OPT_ORGANIZATION_ID);
    const char *fault =
        organization_id ? oc_org_id_fault(organization_id, strlen(organization_id)) : NULL;

    if (fault)
        return cli_usage_error(args, "--organization-id %s", fault);
    return cli_admin_put_text(args, members, "organizationId", CLI_OPT_ORGANIZATION_ID);
}

int cli_admin_put_moment(const cli_args_t *args, json_t *members, const char *name, cli_opt_t opt,
                         const char *fallback)
{
    const char *value = cli_args_get(args, opt);
    struct timespec now;
    int64_t moment_s;

    if (!value)
        value = fallback;
    if (!value)
        return CLI_DONE;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (!cli_moment_parse(value, &now, &moment_s))
        return cli_usage_error(args,
                               "--%s: '%s' is not seconds since 1970, an RFC 3339 time such as "
                               "2026-11-24T10:00:00Z, or now",
                               cli_opt_name(opt), value);
    return json_object_set_new(members, name, json_integer(moment_s)) == 0
               ? CLI_DONE
               : cli_error(args, "out of memory");
}

int cli_admin_check_one(const cli_args_t *args, const cli_opt_t *opts, size_t count)
{
    char names[160] = "";
    size_t given = 0, used = 0;

    for (size_t i = 0; i < count; i++) {
        given += cli_args_has(args, opts[i]);
        used += (size_t)snprintf(names + used, sizeof names - used, "%s--%s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " and "
                                                  : ", ",
                                 cli_opt_name(opts[i]));
    }
    return given == 1 ? CLI_DONE : cli_usage_error(args, "exactly one of %s is needed", names);
}

/* --- What is answered --- */

bool cli_admin_get_count(const json_t *data, const char *name, json_int_t *ret_count)
{
    const json_t *value = json_object_get(data, name);

    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *ret_count = json_integer_value(value);
    return true;
}

static bool rows_valid(const cli_listing_t *listing, const json_t *rows)
{
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        if (!listing->row_valid(row))
            return false;
    }
    return json_is_array(rows);
}

/* Add the next rows to all of them. */
static int ask_page(const cli_args_t *args, cli_control_t *control, const cli_listing_t *listing,
                    json_t *members, json_t *all, bool *ret_last)
{
    OC_CLEANUP(oc_json_decrefp) json_t *data = NULL;
    json_t *rows;
    json_int_t total;
    int code;

    if (json_object_set_new(members, "offset", json_integer((json_int_t)json_array_size(all))))
        return cli_error(args, "out of memory");
    code = cli_control_ask(control, listing->command, members, &data);
    if (code != CLI_DONE)
        return code;
    rows = json_object_get(data, listing->rows);
    if (!rows_valid(listing, rows) || !cli_admin_get_count(data, "totalCount", &total))
        return cli_control_bad_answer(args, listing->command);
    if (json_array_extend(all, rows) != 0)
        return cli_error(args, "out of memory");
    /* Some may have gone meanwhile. */
    *ret_last = json_array_size(rows) == 0 || (json_int_t)json_array_size(all) >= total;
    return CLI_DONE;
}

static void print_rows(const cli_args_t *args, const cli_listing_t *listing, const json_t *rows)
{
    const json_t *row;
    size_t i;

    if (cli_args_has(args, CLI_OPT_JSON)) {
        json_array_foreach(rows, i, row) cli_json_print(row);
    } else if (json_array_size(rows) > 0) {
        cli_table_print(&listing->table, rows);
    } else {
        (void)cli_error(args, "there are none");
    }
}

int cli_admin_list(const cli_args_t *args, const cli_listing_t *listing, json_t *members)
{
    OC_CLEANUP(oc_json_decrefp) json_t *taken = members;
    OC_CLEANUP(oc_json_decrefp) json_t *all = json_array();
    cli_control_t *control = NULL;
    bool last = false;
    int code = all ? cli_control_open(args, &control) : cli_error(args, "out of memory");

    if (code != CLI_DONE)
        return code;
    while (code == CLI_DONE && !last)
        code = ask_page(args, control, listing, taken, all, &last);
    cli_control_close(control);
    if (code == CLI_DONE)
        print_rows(args, listing, all);
    return code;
}

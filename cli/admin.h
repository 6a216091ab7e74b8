/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_ADMIN_H
#define OC_CLI_ADMIN_H

/* What the subcommands of `orgcast admin` share. */

#include <stdint.h>

#include "control.h"
#include "table.h"

/* The end of their --help. */
#define CLI_ADMIN_NOTES                                                                            \
    "The token needs the scope that the broker's admin_scope names (orgcast:admin)."

/* Copy an option into a command's members, if it was given. Returns an exit code. */
int cli_admin_put_text(const cli_args_t *args, json_t *members, const char *name, cli_opt_t opt);

/* The same for one that names an organization. */
int cli_admin_put_org(const cli_args_t *args, json_t *members);

/* A moment. fallback: "now", or NULL: nothing is put when it was not given */
int cli_admin_put_moment(const cli_args_t *args, json_t *members, const char *name, cli_opt_t opt,
                         const char *fallback);

/* Whether exactly one of the options was given. Returns an exit code. */
int cli_admin_check_one(const cli_args_t *args, const cli_opt_t *opts, size_t count);

/* A number of the answer. */
bool cli_admin_get_count(const json_t *data, const char *name, json_int_t *ret_count);

/* A command that answers with rows, some at a time. */
typedef struct cli_listing {
    const char *command;
    const char *rows; /* their name in the answer */
    bool (*row_valid)(const json_t *row);
    cli_table_t table;
} cli_listing_t;

/* Ask for all of them and print them. members: taken. Returns an exit code. */
int cli_admin_list(const cli_args_t *args, const cli_listing_t *listing, json_t *members);

#endif

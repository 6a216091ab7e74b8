/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_CONTROL_H
#define OC_CLI_CONTROL_H

/* Asks a broker's plugin over $CONTROL/orgcast/v1, one command at a time. */

#include <jansson.h>

#include "args.h"
#include "broker.h"
#include "signing.h"

#define CLI_CONTROL_USES                                                                           \
    {CLI_OPT_JSON, false, NULL},                                                                   \
        {CLI_OPT_TIMEOUT, false,                                                                   \
         "give up when the broker has not answered for that\nlong (default 10)"},                  \
        CLI_BROKER_USES, CLI_SIGNING_USES,                                                         \
        {CLI_OPT_SUB, false, "claim sub (default orgcast-admin)"},                                 \
    {                                                                                              \
        CLI_OPT_SCOPE, false, "claim scope (default orgcast:admin)"                                \
    }

typedef struct cli_control cli_control_t;

/* Connect, with the options of CLI_CONTROL_USES, and subscribe to the answers. Returns an exit code; unless
 * it is CLI_DONE, everything has been said. */
int cli_control_open(const cli_args_t *args, cli_control_t **ret_control);

/* Send a command and wait for its answer. Exit code as above.
 * members:  of the command's object, besides its name; borrowed; NULL: none
 * ret_data: an object for the caller to decref */
int cli_control_ask(cli_control_t *control, const char *command, json_t *members,
                    json_t **ret_data);

/* Report an answer of an unexpected form. Returns the exit code. */
int cli_control_bad_answer(const cli_args_t *args, const char *command);

/* NULL is accepted. */
void cli_control_close(cli_control_t *control);

/* The three of them at once. members: taken */
int cli_control_ask_once(const cli_args_t *args, const char *command, json_t *members,
                         json_t **ret_data);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_COMMANDS_H
#define OC_CLI_COMMANDS_H

#include "args.h"

/* The subcommands, in the order of --help: each defines cli_cmd_NAME in a file of its own. */
#define CLI_COMMANDS(X)                                                                            \
    X(emit)                                                                                        \
    X(listen)                                                                                      \
    X(token_sign)                                                                                  \
    X(token_inspect)                                                                               \
    X(token_explain)                                                                               \
    X(conf_check)                                                                                  \
    X(admin_whoami)                                                                                \
    X(admin_sessions)                                                                              \
    X(admin_kick)                                                                                  \
    X(admin_revoke)                                                                                \
    X(admin_unrevoke)                                                                              \
    X(admin_revocations)                                                                           \
    X(admin_stats)

#define CLI_COMMAND_EXTERN(name) extern const cli_command_t cli_cmd_##name;
CLI_COMMANDS(CLI_COMMAND_EXTERN)
#undef CLI_COMMAND_EXTERN

#endif

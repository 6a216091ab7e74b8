/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_TOKEN_H
#define OC_CLI_TOKEN_H

#include "args.h"

#define CLI_TOKEN_VARIABLE "ORGCAST_TOKEN"
#define CLI_TOKEN_MAX_BYTES ((size_t)64 * 1024)

/* Read the token that --token-file names (`-`: standard input) or, without it, that the environment
 * holds; one line end behind it is dropped. *ret_token is the caller's to free, and NULL when there is
 * no token. Returns an exit code; unless it is CLI_DONE, everything has been said, and no byte of the
 * token. */
int cli_token_read(const cli_args_t *args, char **ret_token);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_SIGNING_H
#define OC_CLI_SIGNING_H

/* --signing-key-file: tokens that the command signs for itself. */

#include "args.h"

#define CLI_SIGNING_USES                                                                           \
    {CLI_OPT_SIGNING_KEY_FILE, false, NULL}, {CLI_OPT_ALG, false, NULL},                           \
        {CLI_OPT_KID, false, NULL}, {CLI_OPT_ISS, false, NULL},                                    \
    {                                                                                              \
        CLI_OPT_AUD, false, NULL                                                                   \
    }

/* Whether the options of signing are given together. Returns an exit code. */
int cli_signing_check(const cli_args_t *args);

/* Sign a token that is good for five minutes, unless the options say otherwise for this subject, with this
 * scope and without an organization. *ret_token is the caller's to free. Returns an exit code. */
int cli_signing_token(const cli_args_t *args, const char *subject, const char *scope,
                      char **ret_token);

#endif

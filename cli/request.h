/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_REQUEST_H
#define OC_CLI_REQUEST_H

/* What a command to a broker's plugin looks like. */

#include <jansson.h>

#define CLI_REQUEST_TOPIC "$CONTROL/orgcast/v1"
#define CLI_RESPONSE_TOPIC CLI_REQUEST_TOPIC "/response"

/* {"commands":[{"command":…,"correlationData":…, members}]}, for the caller to free; NULL when there is no
 * memory.
 * members: of the command's object, besides these two; borrowed; NULL: none */
char *cli_request_text(const char *command, const char *correlation, json_t *members);

#endif

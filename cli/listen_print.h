/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_LISTEN_PRINT_H
#define OC_CLI_LISTEN_PRINT_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* Print an event's payload on standard output as one line: the JSON itself, or a sentence for people.
 *  OC_E_EVENT_INVALID it is no event, of whatever type; nothing is printed
 *  OC_E_NOMEM         nothing is printed */
OC_MUST_CHECK oc_err_t cli_listen_print(const char *payload, size_t payload_len, bool json);

#endif

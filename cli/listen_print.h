/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_LISTEN_PRINT_H
#define OC_CLI_LISTEN_PRINT_H

#include <stdbool.h>
#include <stddef.h>

/* Print an event's payload on standard output as one line: the JSON itself, or a sentence for people.
 * False, and nothing printed, when it is not an event of the catalogue's form. */
bool cli_listen_print(const void *payload, size_t payload_len, bool json);

#endif

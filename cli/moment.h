/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_MOMENT_H
#define OC_CLI_MOMENT_H

/* Moments as people write and read them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define CLI_MOMENT_MAX_S 253402300799LL /* the end of year 9999 */

#define CLI_MOMENT_LEN 32

/* "now", seconds since 1970, or RFC 3339 with upper-case T and Z. Whole seconds come out, so a moment within a
 * second becomes its end. */
bool cli_moment_parse(const char *text, const struct timespec *now, int64_t *ret_s);

/* 2026-11-24T10:00:00Z; false when the time has no such form. */
bool cli_moment_format(double time_s, char *out, size_t out_cap);

/* "3 h 12 min" */
void cli_span_format(double seconds, char *out, size_t out_cap);

#endif

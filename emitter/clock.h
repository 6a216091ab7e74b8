/* SPDX-License-Identifier: MIT */
#ifndef OC_EMITTER_CLOCK_H
#define OC_EMITTER_CLOCK_H

#include <stdint.h>

/* The only places where the library reads a clock. */
int64_t oc_clock_wall_ms(void);      /* since 1970-01-01T00:00:00Z */
int64_t oc_clock_monotonic_ms(void); /* for pauses, deadlines and latencies */

/* "2026-11-24T10:00:00.123Z" and the NUL. */
#define OC_TIME_TEXT_LEN 25

/* RFC 3339 in UTC with milliseconds. unix_ms: of the years 0 to 9999. */
void oc_time_format(int64_t unix_ms, char ret_text[OC_TIME_TEXT_LEN]);

#endif

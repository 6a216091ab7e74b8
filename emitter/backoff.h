/* SPDX-License-Identifier: MIT */
#ifndef OC_BACKOFF_H
#define OC_BACKOFF_H

#include <stdint.h>

/* Pauses between attempts: each twice the last, up to a maximum, and jittered, so that a thousand
 * clients of a restarted broker do not come back in the same moment. */
typedef struct oc_backoff {
    int64_t min_ms; /* at least 1 */
    int64_t max_ms; /* at least min_ms */
    int64_t next_ms;
} oc_backoff_t;

void oc_backoff_reset(oc_backoff_t *backoff, int64_t min_ms, int64_t max_ms);

/* The next pause: between half of the nominal one and all of it. random: any 64 bits. */
int64_t oc_backoff_pause_ms(oc_backoff_t *backoff, uint64_t random);

#endif

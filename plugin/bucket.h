/* SPDX-License-Identifier: MIT */
#ifndef OC_BUCKET_H
#define OC_BUCKET_H

/* A token bucket: so many at once, then so many a second, refilled by the millisecond. It remembers what was
 * spent, so that one that is all zero is full. */

#include <stdbool.h>
#include <stdint.h>

/* A clock made of the times that callers tell: it passes as they do, but when one is set back it stands
 * still. All zero at the beginning. */
typedef struct oc_told_clock {
    int64_t told; /* the latest time given to the clock */
    uint64_t passed;
} oc_told_clock_t;

uint64_t oc_told_clock(oc_told_clock_t *clock, int64_t now);

#define OC_BUCKET_MAX UINT32_C(1000000000)

typedef struct oc_bucket_rate {
    uint32_t burst;      /* most that may go at once; at most OC_BUCKET_MAX */
    uint32_t per_second; /* refill; at most OC_BUCKET_MAX */
} oc_bucket_rate_t;

typedef struct oc_bucket {
    uint64_t spent;      /* in thousandths */
    uint64_t settled_ms; /* up to when it was refilled */
} oc_bucket_t;

/* Times are milliseconds of a clock that is never set back. */

/* True when one more goes. */
bool oc_bucket_take(oc_bucket_t *bucket, oc_bucket_rate_t rate, uint64_t now_ms);

/* So many more are gone, whether they might or not. */
void oc_bucket_spend(oc_bucket_t *bucket, oc_bucket_rate_t rate, uint64_t now_ms, uint32_t amount);

/* True when none would go. */
bool oc_bucket_empty(const oc_bucket_t *bucket, oc_bucket_rate_t rate, uint64_t now_ms);

/* What is not made up for yet, in thousandths. */
uint64_t oc_bucket_spent(const oc_bucket_t *bucket, oc_bucket_rate_t rate, uint64_t now_ms);

#endif

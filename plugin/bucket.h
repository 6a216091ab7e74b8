/* SPDX-License-Identifier: MIT */
#ifndef OC_BUCKET_H
#define OC_BUCKET_H

/* A token bucket with whole-second refill, for log lines that a flood must not multiply. */

#include <stdbool.h>
#include <stdint.h>

typedef struct oc_bucket {
    uint32_t burst;      /* most that may go at once */
    uint32_t per_second; /* refill */
    uint32_t level;
    int64_t refilled_s;
    uint64_t left_out; /* refused since the last call of oc_bucket_left_out() */
} oc_bucket_t;

oc_bucket_t oc_bucket(uint32_t burst, uint32_t per_second, int64_t now_s);

/* True when one more may go now. */
bool oc_bucket_take(oc_bucket_t *bucket, int64_t now_s);

/* How many were refused since the last call. */
uint64_t oc_bucket_left_out(oc_bucket_t *bucket);

#endif

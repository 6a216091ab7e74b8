/* SPDX-License-Identifier: MIT */
#include "bucket.h"

/* A millisecond refills as many thousandths as the rate has a second. */
#define ONE UINT64_C(1000)

/* What was longer ago refills no more: times any rate it still fits. */
#define LONGEST_MS (UINT64_C(1) << 32)

uint64_t oc_told_clock(oc_told_clock_t *clock, int64_t now)
{
    /* Unsigned: the difference of any two fits. */
    if (now > clock->told)
        clock->passed += (uint64_t)now - (uint64_t)clock->told;
    clock->told = now;
    return clock->passed;
}

uint64_t oc_bucket_spent(const oc_bucket_t *bucket, oc_bucket_rate_t rate, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - bucket->settled_ms;
    uint64_t refill = (passed_ms < LONGEST_MS ? passed_ms : LONGEST_MS) * rate.per_second;
    /* At another rate more than this one's burst may have gone. */
    uint64_t spent = bucket->spent < rate.burst * ONE ? bucket->spent : rate.burst * ONE;

    return spent > refill ? spent - refill : 0;
}

bool oc_bucket_empty(const oc_bucket_t *bucket, oc_bucket_rate_t rate, uint64_t now_ms)
{
    return oc_bucket_spent(bucket, rate, now_ms) + ONE > rate.burst * ONE;
}

bool oc_bucket_take(oc_bucket_t *bucket, oc_bucket_rate_t rate, uint64_t now_ms)
{
    bool goes = !oc_bucket_empty(bucket, rate, now_ms);

    bucket->spent = oc_bucket_spent(bucket, rate, now_ms) + (goes ? ONE : 0);
    bucket->settled_ms = now_ms;
    return goes;
}

void oc_bucket_spend(oc_bucket_t *bucket, oc_bucket_rate_t rate, uint64_t now_ms, uint32_t amount)
{
    bucket->spent = oc_bucket_spent(bucket, rate, now_ms) + amount * ONE;
    bucket->settled_ms = now_ms;
}

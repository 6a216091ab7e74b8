/* SPDX-License-Identifier: MIT */
#include "bucket.h"

oc_bucket_t oc_bucket(uint32_t burst, uint32_t per_second, int64_t now_s)
{
    return (oc_bucket_t){
        .burst = burst, .per_second = per_second, .level = burst, .refilled_s = now_s};
}

bool oc_bucket_take(oc_bucket_t *bucket, int64_t now_s)
{
    int64_t passed_s = now_s - bucket->refilled_s;

    if (passed_s != 0) {
        /* A clock that was set back refills nothing. */
        uint64_t refill = passed_s > 0 ? (uint64_t)passed_s * bucket->per_second : 0;

        bucket->level = refill < bucket->burst - bucket->level ? bucket->level + (uint32_t)refill
                                                               : bucket->burst;
        bucket->refilled_s = now_s;
    }
    if (bucket->level == 0) {
        bucket->left_out++;
        return false;
    }
    bucket->level--;
    return true;
}

uint64_t oc_bucket_left_out(oc_bucket_t *bucket)
{
    uint64_t left_out = bucket->left_out;

    bucket->left_out = 0;
    return left_out;
}

/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "bucket.h"
#include "unit.h"

static const oc_bucket_rate_t rate = {.burst = 5, .per_second = 2};

/* How many of `tries` may go at that moment. */
static unsigned taken(oc_bucket_t *bucket, oc_bucket_rate_t bounds, unsigned tries, uint64_t now_ms)
{
    unsigned count = 0;

    for (unsigned i = 0; i < tries; i++)
        count += oc_bucket_take(bucket, bounds, now_ms);
    return count;
}

static const struct {
    const char *name;
    uint64_t after_ms; /* of the moment before */
    unsigned tries;
    unsigned may_go;
} moments[] = {
    {"the burst", 0, 10, 5},
    {"nothing more in that moment", 0, 1, 0},
    {"too early", 499, 1, 0},
    {"what was refilled before counts", 1, 2, 1},
    {"refill of a second", 1000, 10, 2},
    {"refill of two seconds", 2000, 10, 4},
    {"never more than the burst", 1000000, 10, 5},
    {"a very late moment", UINT64_C(1) << 60, 10, 5},
    {"what is left stays", 1000, 1, 1},
    {"and is added to", 1000, 10, 3},
};

START_TEST(moment_by_moment)
{
    oc_bucket_t bucket = {0};
    uint64_t now_ms = 1000;

    for (size_t i = 0; i < COUNT(moments); i++) {
        unsigned count;

        now_ms += moments[i].after_ms;
        ck_assert_msg(oc_bucket_empty(&bucket, rate, now_ms) == (moments[i].may_go == 0), "%s",
                      moments[i].name);
        count = taken(&bucket, rate, moments[i].tries, now_ms);
        ck_assert_msg(count == moments[i].may_go, "%s: %u", moments[i].name, count);
    }
}
END_TEST

START_TEST(what_is_spent)
{
    oc_bucket_t bucket = {0};

    ck_assert_uint_eq(oc_bucket_spent(&bucket, rate, 0), 0);
    ck_assert_uint_eq(taken(&bucket, rate, 3, 1000), 3);
    ck_assert_uint_eq(oc_bucket_spent(&bucket, rate, 1000), 3000);
    ck_assert_uint_eq(oc_bucket_spent(&bucket, rate, 1001), 2998);
    ck_assert_uint_eq(oc_bucket_spent(&bucket, rate, 2500), 0);
}
END_TEST

START_TEST(zero_never_goes)
{
    const oc_bucket_rate_t zero = {0};
    oc_bucket_t bucket = {0};

    ck_assert_uint_eq(taken(&bucket, zero, 3, 0), 0);
    ck_assert_uint_eq(taken(&bucket, zero, 3, UINT64_MAX), 0);
}
END_TEST

/* The greatest rate over the longest time does not wrap around. */
START_TEST(greatest)
{
    const oc_bucket_rate_t most = {OC_BUCKET_MAX, OC_BUCKET_MAX};
    oc_bucket_t bucket = {.spent = OC_BUCKET_MAX * UINT64_C(1000)};

    ck_assert(oc_bucket_empty(&bucket, most, 0));
    ck_assert(!oc_bucket_empty(&bucket, most, 1));
    ck_assert_uint_eq(oc_bucket_spent(&bucket, most, UINT64_MAX), 0);
}
END_TEST

/* Over any time, no more goes than the burst and the refill. */
START_TEST(never_more_than_its_rate)
{
    const oc_bucket_rate_t bounds = {.burst = 100, .per_second = 20};
    oc_bucket_t bucket = {0};
    unsigned total = 0;

    for (uint64_t s = 0; s < 1000; s++)
        total += taken(&bucket, bounds, (unsigned)(s * 7919 % 61), s * 1000);
    ck_assert_uint_le(total, 20080U);
    ck_assert_uint_gt(total, 18000U);
}
END_TEST

START_TEST(told_times)
{
    static const struct {
        int64_t now;
        uint64_t passed;
    } told[] = {{100, 100}, {100, 100}, {150, 150}, {50, 150}, {60, 160}, {-5, 160}, {5, 170}};
    oc_told_clock_t clock = {0};

    for (size_t i = 0; i < COUNT(told); i++)
        ck_assert_uint_eq(oc_told_clock(&clock, told[i].now), told[i].passed);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("bucket");

    tcase_add_test(tcase, moment_by_moment);
    tcase_add_test(tcase, what_is_spent);
    tcase_add_test(tcase, zero_never_goes);
    tcase_add_test(tcase, greatest);
    tcase_add_test(tcase, never_more_than_its_rate);
    tcase_add_test(tcase, told_times);
    return unit_run("bucket", tcase);
}

/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include "bucket.h"
#include "unit.h"

/* How many of `tries` may go at that second. */
static unsigned taken(oc_bucket_t *bucket, unsigned tries, int64_t now_s)
{
    unsigned count = 0;

    for (unsigned i = 0; i < tries; i++)
        count += oc_bucket_take(bucket, now_s);
    return count;
}

static const struct {
    const char *name;
    int64_t after_s; /* of the second before */
    unsigned tries;
    unsigned may_go;
} seconds[] = {
    {"the burst", 0, 10, 5},
    {"nothing more in that second", 0, 1, 0},
    {"refill of one second", 1, 10, 2},
    {"used up again", 0, 1, 0},
    {"refill of two seconds", 2, 10, 4},
    {"never more than the burst", 1000, 10, 5},
    {"a clock set back refills nothing", -500, 3, 0},
    {"and goes on from there", 1, 10, 2},
    {"what is left stays", 2, 3, 3},
    {"and is added to", 1, 10, 3},
    {"a very late second", INT64_C(1) << 40, 10, 5},
};

START_TEST(second_by_second)
{
    int64_t now_s = 1000;
    oc_bucket_t bucket = oc_bucket(5, 2, now_s);

    for (size_t i = 0; i < COUNT(seconds); i++) {
        unsigned count;

        now_s += seconds[i].after_s;
        count = taken(&bucket, seconds[i].tries, now_s);
        ck_assert_msg(count == seconds[i].may_go, "%s: %u", seconds[i].name, count);
        ck_assert_msg(oc_bucket_left_out(&bucket) == seconds[i].tries - count, "%s: left out",
                      seconds[i].name);
        ck_assert_msg(oc_bucket_left_out(&bucket) == 0, "%s: left out twice", seconds[i].name);
    }
}
END_TEST

START_TEST(zero_never_goes)
{
    oc_bucket_t bucket = {0};

    ck_assert_uint_eq(taken(&bucket, 3, 0), 0);
    ck_assert_uint_eq(taken(&bucket, 3, 1000000), 0);
    ck_assert_uint_eq(oc_bucket_left_out(&bucket), 6);
}
END_TEST

/* Over any time, no more goes than the burst and the refill. */
START_TEST(never_more_than_its_rate)
{
    oc_bucket_t bucket = oc_bucket(100, 20, 0);
    unsigned total = 0;

    for (int64_t now_s = 0; now_s < 1000; now_s++)
        total += taken(&bucket, (unsigned)(now_s * 7919 % 61), now_s);
    ck_assert_uint_le(total, 20080U);
    ck_assert_uint_gt(total, 18000U);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("bucket");

    tcase_add_test(tcase, second_by_second);
    tcase_add_test(tcase, zero_never_goes);
    tcase_add_test(tcase, never_more_than_its_rate);
    return unit_run("bucket", tcase);
}

/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "uuid7.h"

#define NOW_MS INT64_C(1795514400123)
#define THREADS 4
#define PER_THREAD 20000

START_TEST(layout)
{
    char id[OC_UUID_TEXT_LEN];
    char *end = NULL;

    ck_assert(oc_uuid7_next(NOW_MS, id));
    ck_assert_uint_eq(strlen(id), 36);
    ck_assert_uint_eq(strspn(id, "0123456789abcdef-"), 36);
    ck_assert(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
    ck_assert_int_eq(id[14], '7');
    ck_assert_ptr_nonnull(strchr("89ab", id[19]));
    memmove(id + 8, id + 9, 4);
    id[12] = '\0';
    ck_assert_int_eq(strtoll(id, &end, 16), NOW_MS);
}
END_TEST

/* The same millisecond, a clock that goes back, and one that jumps ahead. */
START_TEST(rises_whatever_the_clock_does)
{
    char last[OC_UUID_TEXT_LEN] = "";
    char id[OC_UUID_TEXT_LEN];

    for (int i = 0; i < 100000; i++) {
        int64_t now_ms = NOW_MS + (i % 100 == 0 ? i / 100 : -(i % 100));

        ck_assert(oc_uuid7_next(now_ms, id));
        ck_assert_msg(strcmp(last, id) < 0, "%d: %s, then %s", i, last, id);
        memcpy(last, id, sizeof id);
    }
}
END_TEST

/* Two ids of one millisecond must not differ by a step that others could guess. */
START_TEST(neighbours_are_far_apart)
{
    char first[OC_UUID_TEXT_LEN];
    char second[OC_UUID_TEXT_LEN];
    int close = 0;

    for (int i = 0; i < 100; i++) {
        ck_assert(oc_uuid7_next(NOW_MS, first));
        ck_assert(oc_uuid7_next(NOW_MS, second));
        close += strtoll(second + 24, NULL, 16) - strtoll(first + 24, NULL, 16) < 65536;
    }
    ck_assert_int_lt(close, 10);
}
END_TEST

static char ids[THREADS][PER_THREAD][OC_UUID_TEXT_LEN];

static void *make_ids(void *context)
{
    char(*mine)[OC_UUID_TEXT_LEN] = context;

    for (int i = 0; i < PER_THREAD; i++)
        if (!oc_uuid7_next(NOW_MS + i / 1000, mine[i]))
            return NULL;
    return context;
}

static int compare(const void *left, const void *right)
{
    return strcmp(left, right);
}

START_TEST(threads_never_share_one)
{
    pthread_t threads[THREADS];
    char(*all)[OC_UUID_TEXT_LEN] = ids[0];

    for (int t = 0; t < THREADS; t++)
        ck_assert_int_eq(pthread_create(&threads[t], NULL, make_ids, ids[t]), 0);
    for (int t = 0; t < THREADS; t++) {
        void *result = NULL;

        ck_assert_int_eq(pthread_join(threads[t], &result), 0);
        ck_assert_ptr_nonnull(result);
        for (int i = 1; i < PER_THREAD; i++)
            ck_assert_msg(strcmp(ids[t][i - 1], ids[t][i]) < 0, "thread %d, id %d", t, i);
    }
    qsort(all, (size_t)THREADS * PER_THREAD, OC_UUID_TEXT_LEN, compare);
    for (int i = 1; i < THREADS * PER_THREAD; i++)
        ck_assert_msg(strcmp(all[i - 1], all[i]) != 0, "twice: %s", all[i]);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("uuid7");

    tcase_add_test(tcase, layout);
    tcase_add_test(tcase, rises_whatever_the_clock_does);
    tcase_add_test(tcase, neighbours_are_far_apart);
    tcase_add_test(tcase, threads_never_share_one);
    return unit_run("uuid7", tcase);
}

/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdlib.h>
#include <time.h>

double bench_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

void bench_sort(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
}

void bench_run(bench_subject_t *subjects, size_t count, size_t rounds)
{
    for (size_t round = 0; round <= rounds; round++) {
        for (size_t i = 0; i < count; i++) {
            bench_subject_t *subject = &subjects[i];
            double start = bench_now_ns();

            subject->run(subject->context, subject->iterations);
            if (round > 0)
                subject->ns[round - 1] = (bench_now_ns() - start) / (double)subject->iterations;
        }
    }
    for (size_t i = 0; i < count; i++) {
        bench_sort(subjects[i].ns, rounds);
        subjects[i].least_ns = subjects[i].ns[0];
        subjects[i].median_ns = subjects[i].ns[rounds / 2];
    }
}

/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

/* Timing for the bench programs: several subjects measured in turn, round after round, so that a
 * change of the machine's speed meets all of them; medians and ratios are what to quote. */

#include <stddef.h>

#define BENCH_ROUNDS_MAX 101

typedef struct bench_subject {
    const char *name;
    void (*run)(void *context, size_t iterations);
    void *context;
    size_t iterations; /* a round */
    double ns[BENCH_ROUNDS_MAX];
    double median_ns; /* for one iteration */
    double least_ns;
} bench_subject_t;

/* Run all subjects `rounds` times in turn (after one round that does not count). */
void bench_run(bench_subject_t *subjects, size_t count, size_t rounds);

/* Of a clock that only goes forward. */
double bench_now_ns(void);

/* Put them into their order: the middle one is the median. */
void bench_sort(double *values, size_t count);

#endif

/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "plugin.h"

static struct timespec read_clock(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return now;
}

/* The coarse clocks are read from memory that the kernel maps: no system call. */

int64_t now_s(void)
{
    return read_clock(CLOCK_REALTIME_COARSE).tv_sec;
}

int64_t now_ms(void)
{
    struct timespec now = read_clock(CLOCK_REALTIME_COARSE);

    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t monotonic_ms(void)
{
    struct timespec now = read_clock(CLOCK_MONOTONIC_COARSE);

    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t monotonic_us(void)
{
    struct timespec now = read_clock(CLOCK_MONOTONIC);

    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

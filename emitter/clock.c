/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <stddef.h>
#include <string.h>
#include <time.h>

static int64_t read_ms(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t oc_clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

int64_t oc_clock_monotonic_ms(void)
{
    return read_ms(CLOCK_MONOTONIC);
}

static void put_digits(char *text, size_t digits, int value)
{
    while (digits-- > 0) {
        text[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void oc_time_format(int64_t unix_ms, char ret_text[OC_TIME_TEXT_LEN])
{
    int millisecond = (int)(unix_ms % 1000);
    time_t second = (time_t)(unix_ms / 1000);
    struct tm utc = {0};

    if (millisecond < 0) {
        millisecond += 1000;
        second--;
    }
    (void)gmtime_r(&second, &utc);
    memcpy(ret_text, "0000-00-00T00:00:00.000Z", OC_TIME_TEXT_LEN);
    put_digits(ret_text, 4, utc.tm_year + 1900);
    put_digits(ret_text + 5, 2, utc.tm_mon + 1);
    put_digits(ret_text + 8, 2, utc.tm_mday);
    put_digits(ret_text + 11, 2, utc.tm_hour);
    put_digits(ret_text + 14, 2, utc.tm_min);
    put_digits(ret_text + 17, 2, utc.tm_sec);
    put_digits(ret_text + 20, 3, millisecond);
}

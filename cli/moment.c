/* SPDX-License-Identifier: MIT */
#include "moment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRACTION_DIGITS_MAX 9

/* Where a 0 stands in the form, a digit is wanted. */
static bool has_form(const char *text, const char *form)
{
    for (; *form; text++, form++) {
        if (*form == '0' ? *text < '0' || *text > '9' : *text != *form)
            return false;
    }
    return true;
}

static int digits(const char *text, size_t count)
{
    int value = 0;

    while (count-- > 0)
        value = value * 10 + (*text++ - '0');
    return value;
}

/* What follows the seconds: a fraction, and Z or how far the clock is ahead of UTC. */
static bool read_rest(const char *text, bool *ret_within, int64_t *ret_ahead_s)
{
    size_t len = 0;

    *ret_within = false;
    *ret_ahead_s = 0;
    if (*text == '.') {
        len = strspn(++text, "0123456789");
        if (len == 0 || len > FRACTION_DIGITS_MAX)
            return false;
        *ret_within = strspn(text, "0") < len;
        text += len;
    }
    if (strcmp(text, "Z") == 0)
        return true;
    if ((*text != '+' && *text != '-') || !has_form(text + 1, "00:00") || text[6] != '\0' ||
        digits(text + 1, 2) > 23 || digits(text + 4, 2) > 59)
        return false;
    *ret_ahead_s = digits(text + 1, 2) * 3600 + digits(text + 4, 2) * 60;
    if (*text == '-')
        *ret_ahead_s = -*ret_ahead_s;
    return true;
}

static bool read_rfc3339(const char *text, int64_t *ret_s)
{
    static const char form[] = "0000-00-00T00:00:00";
    struct tm tm = {0}, check;
    int64_t ahead_s;
    time_t time_s;
    bool within;

    if (!has_form(text, form) || !read_rest(text + sizeof form - 1, &within, &ahead_s))
        return false;
    tm.tm_year = digits(text, 4) - 1900;
    tm.tm_mon = digits(text + 5, 2) - 1;
    tm.tm_mday = digits(text + 8, 2);
    tm.tm_hour = digits(text + 11, 2);
    tm.tm_min = digits(text + 14, 2);
    tm.tm_sec = digits(text + 17, 2);
    check = tm;
    /* The 30th of February would become another day. */
    time_s = timegm(&check);
    if (check.tm_mon != tm.tm_mon || check.tm_mday != tm.tm_mday || check.tm_hour != tm.tm_hour ||
        check.tm_min != tm.tm_min || check.tm_sec != tm.tm_sec)
        return false;
    *ret_s = (int64_t)time_s - ahead_s + within;
    return *ret_s >= 0;
}

bool cli_moment_parse(const char *text, const struct timespec *now, int64_t *ret_s)
{
    size_t len = strlen(text);

    if (strcmp(text, "now") == 0) {
        *ret_s = (int64_t)now->tv_sec + (now->tv_nsec > 0);
        return true;
    }
    if (len > 0 && len <= 12 && strspn(text, "0123456789") == len) {
        *ret_s = strtoll(text, NULL, 10);
        return *ret_s <= CLI_MOMENT_MAX_S;
    }
    return read_rfc3339(text, ret_s);
}

bool cli_moment_format(double time_s, char *out, size_t out_cap)
{
    struct tm tm;
    time_t whole_s;

    if (!(time_s >= 0 && time_s <= (double)CLI_MOMENT_MAX_S))
        return false;
    whole_s = (time_t)time_s;
    return gmtime_r(&whole_s, &tm) && strftime(out, out_cap, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0;
}

void cli_span_format(double seconds, char *out, size_t out_cap)
{
    int64_t s = (int64_t)seconds;

    if (s < 120)
        (void)snprintf(out, out_cap, "%" PRId64 " s", s);
    else if (s < 7200)
        (void)snprintf(out, out_cap, "%" PRId64 " min", s / 60);
    else if (s < 172800)
        (void)snprintf(out, out_cap, "%" PRId64 " h %" PRId64 " min", s / 3600, s % 3600 / 60);
    else
        (void)snprintf(out, out_cap, "%" PRId64 " days", s / 86400);
}

/* SPDX-License-Identifier: MIT */
#include "event_text.h"

#include <string.h>

#include "ids.h"
#include "utf8.h"

#define SECOND_FRACTION_MAX 9

#define DIGITS "0123456789"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static size_t count_digits(const char *text)
{
    return strspn(text, DIGITS);
}

/* Reads exactly `digits` digits and moves *text on; -1 when they are not there. */
static int read_digits(const char **text, size_t digits)
{
    int value = 0;

    while (digits-- > 0) {
        if (**text < '0' || **text > '9')
            return -1;
        value = value * 10 + (*(*text)++ - '0');
    }
    return value;
}

static bool skip(const char **text, char expected)
{
    if (**text != expected)
        return false;
    (*text)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return days[month - 1];
}

static bool read_date(const char **text)
{
    int year = read_digits(text, 4);
    int month = skip(text, '-') ? read_digits(text, 2) : -1;
    int day = skip(text, '-') ? read_digits(text, 2) : -1;

    return year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month);
}

static bool read_hour_minute(const char **text)
{
    int hour = read_digits(text, 2);
    int minute = skip(text, ':') ? read_digits(text, 2) : -1;

    return hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

static bool read_second(const char **text)
{
    int second = read_digits(text, 2);
    size_t digits;

    if (second < 0 || second > 59)
        return false;
    if (!skip(text, '.'))
        return true;
    digits = count_digits(*text);
    *text += digits;
    return digits > 0 && digits <= SECOND_FRACTION_MAX;
}

static bool read_offset(const char **text)
{
    if (skip(text, 'Z'))
        return true;
    return (skip(text, '+') || skip(text, '-')) && read_hour_minute(text);
}

const char *oc_event_time_fault(const char *text)
{
    if (read_date(&text) && skip(&text, 'T') && read_hour_minute(&text) && skip(&text, ':') &&
        read_second(&text) && read_offset(&text) && *text == '\0')
        return NULL;
    return "must be an RFC 3339 time such as 2026-11-24T10:00:00.123Z";
}

/* The scheme's length, its colon not counted; 0: there is none. */
static size_t scheme_len(const char *text)
{
    size_t len = strspn(text, LETTERS DIGITS "+-.");

    return text[len] == ':' && strchr(LETTERS, text[0]) ? len : 0;
}

/* The characters of RFC 3986 §2, each % with its two digits, and one # at most. */
static bool uri_characters(const char *text)
{
    static const char allowed[] = LETTERS DIGITS "-._~:/?#[]@!$&'()*+,;=%";
    const char *fragment = strchr(text, '#');

    if (text[strspn(text, allowed)] != '\0' || (fragment && strchr(fragment + 1, '#')))
        return false;
    for (const char *c = strchr(text, '%'); c; c = strchr(c + 1, '%')) {
        if (strspn(c + 1, DIGITS "ABCDEFabcdef") < 2)
            return false;
    }
    return true;
}

/* An IP literal's end, or NULL. What is in the brackets is not looked into. */
static const char *skip_literal(const char *host)
{
    size_t len = strspn(host + 1, LETTERS DIGITS "-._~!$&'()*+,;=:");

    return len > 0 && host[1 + len] == ']' ? host + len + 2 : NULL;
}

/* RFC 3986 §3.2, behind the slashes: at most one @, and behind it a host and perhaps a port of digits. Sets
 * *text to the end. */
static bool skip_authority(const char **text)
{
    const char *end = *text + strcspn(*text, "/?#");
    const char *at = memchr(*text, '@', (size_t)(end - *text));
    const char *host = at ? at + 1 : *text;
    const char *host_end = *host == '[' ? skip_literal(host) : host + strcspn(host, ":@[]/?#");

    if (!host_end || (at && strcspn(*text, "[]") < (size_t)(at - *text)))
        return false;
    if (*host_end == ':')
        host_end += 1 + count_digits(host_end + 1);
    *text = end;
    return host_end == end;
}

/* Brackets are for an IP literal as the host alone. */
static bool uri_hierarchy(const char *text, size_t scheme)
{
    text += scheme ? scheme + 1 : 0;
    if (strncmp(text, "//", 2) == 0) {
        text += 2;
        if (!skip_authority(&text))
            return false;
    }
    return !strpbrk(text, "[]");
}

const char *oc_event_uri_reference_fault(const char *text)
{
    size_t scheme = scheme_len(text);

    if (text[0] == '\0')
        return "must not be empty";
    /* Without a scheme, a colon in the first segment would make one of what is before it (§4.2). */
    if (!uri_characters(text) || !uri_hierarchy(text, scheme) ||
        (scheme == 0 && text[strcspn(text, ":/?#")] == ':'))
        return "must be a URI-reference (RFC 3986)";
    return NULL;
}

const char *oc_event_uri_fault(const char *text)
{
    if (scheme_len(text) == 0 || oc_event_uri_reference_fault(text))
        return "must be a URI (RFC 3986)";
    return NULL;
}

static const char *line_fault(const char *text, size_t len)
{
    return oc_utf8_printable(text, len) ? NULL : "must be UTF-8 without control characters";
}

static const char *lines_fault(const char *text)
{
    for (;;) {
        size_t len = strcspn(text, "\t\r\n");

        if (!oc_utf8_printable(text, len))
            return "must be UTF-8 without control characters other than tabs and line ends";
        if (text[len] == '\0')
            return NULL;
        text += len + 1;
    }
}

static bool matches(const oc_event_pattern_t *pattern, const char *text, size_t len)
{
    size_t state = 1;

    for (size_t i = 0; i < len && state != 0; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte > 127)
            return false;
        state = pattern->next_state[state * pattern->classes + pattern->byte_class[byte]];
    }
    return pattern->accepting[state];
}

const char *oc_event_text_fault(const oc_event_field_t *field, const char *text, size_t len)
{
    if (field->max_bytes != 0 && len > field->max_bytes)
        return "is too long";
    if (field->format == OC_EVENT_FORMAT_ORGANIZATION_ID)
        return oc_org_id_fault(text, len);
    if (field->format == OC_EVENT_FORMAT_ENTITY_ID)
        return oc_id_fault(text, len);
    if (field->format == OC_EVENT_FORMAT_DATE_TIME)
        return oc_event_time_fault(text);
    if (field->pattern)
        return matches(field->pattern, text, len) ? NULL : field->pattern->fault;
    if (len == 0)
        return field->may_be_empty ? NULL : "must not be empty";
    return field->format == OC_EVENT_FORMAT_TEXT ? lines_fault(text) : line_fault(text, len);
}

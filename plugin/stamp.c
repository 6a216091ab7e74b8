/* SPDX-License-Identifier: MIT */
#include "stamp.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "utf8.h"

/* What is added at most, with the NUL. */
#define STAMP_MAX                                                                                  \
    (sizeof ",\"epoch\":\"\",\"sequence\":\"\"}" + OC_STAMP_EPOCH_LEN + OC_STAMP_SEQUENCE_LEN)

/* What is not read yet. */
typedef struct scan {
    const char *at;
    const char *end;
} scan_t;

static char peek(const scan_t *scan)
{
    /* No value, name or sign begins with a NUL. */
    if (scan->at == scan->end)
        return '\0';
    return *scan->at;
}

static bool take(scan_t *scan, char wanted)
{
    if (scan->at == scan->end || *scan->at != wanted)
        return false;
    scan->at++;
    return true;
}

static void skip_space(scan_t *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- Strings --- */

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The four digits behind \u. False when they are none. */
static bool take_hex(scan_t *scan, unsigned *ret_code)
{
    unsigned code = 0;

    if (scan->end - scan->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int value = hex_value(*scan->at++);

        if (value < 0)
            return false;
        code = code << 4 | (unsigned)value;
    }
    *ret_code = code;
    return true;
}

/* Behind a backslash. A NUL, and half of a surrogate pair, are what other parsers stumble over. */
static bool skip_escape(scan_t *scan)
{
    unsigned code = 0;
    char c = peek(scan);

    if (c == '\0' || !strchr("\"\\/bfnrtu", c))
        return false;
    scan->at++;
    if (c != 'u')
        return true;
    if (!take_hex(scan, &code) || code == 0 || (code >= 0xdc00 && code <= 0xdfff))
        return false;
    if (code < 0xd800 || code > 0xdbff)
        return true;
    return take(scan, '\\') && take(scan, 'u') && take_hex(scan, &code) && code >= 0xdc00 &&
           code <= 0xdfff;
}

static bool skip_string(scan_t *scan)
{
    if (!take(scan, '"'))
        return false;
    while (scan->at < scan->end) {
        unsigned char c = (unsigned char)*scan->at;
        size_t len = 1;

        if (c == '"' || c == '\\') {
            scan->at++;
            if (c == '"')
                return true;
            if (!skip_escape(scan))
                return false;
            continue;
        }
        if (c < 0x20)
            return false;
        if (c >= 0x80)
            len = oc_utf8_char(scan->at, (size_t)(scan->end - scan->at));
        if (len == 0)
            return false;
        scan->at += len;
    }
    return false;
}

/* Whether a good string, from its first quote on, says the name; that is of small letters alone, so that no
 * escape but \u can stand for one of them. */
static bool says(const char *string, const char *name)
{
    scan_t scan = {string + 1, string + 1 + 6 * strlen(name)};

    for (; *name; name++) {
        unsigned code = (unsigned char)*scan.at;

        if (*scan.at++ == '\\' && (*scan.at++ != 'u' || !take_hex(&scan, &code)))
            return false;
        if (code != (unsigned char)*name)
            return false;
    }
    return *scan.at == '"';
}

/* --- Values --- */

static bool skip_digits(scan_t *scan)
{
    if (!is_digit(peek(scan)))
        return false;
    while (is_digit(peek(scan)))
        scan->at++;
    return true;
}

static bool skip_number(scan_t *scan)
{
    (void)take(scan, '-');
    if (!take(scan, '0') && !skip_digits(scan))
        return false;
    if (take(scan, '.') && !skip_digits(scan))
        return false;
    if (!take(scan, 'e') && !take(scan, 'E'))
        return true;
    if (!take(scan, '+'))
        (void)take(scan, '-');
    return skip_digits(scan);
}

static bool skip_word(scan_t *scan, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return false;
    scan->at += len;
    return true;
}

/* A value without values inside. */
static bool skip_scalar(scan_t *scan)
{
    switch (peek(scan)) {
    case '"':
        return skip_string(scan);
    case 't':
        return skip_word(scan, "true");
    case 'f':
        return skip_word(scan, "false");
    case 'n':
        return skip_word(scan, "null");
    default:
        return skip_number(scan);
    }
}

/* A member's name, up to where its value begins. */
static bool skip_name(scan_t *scan)
{
    skip_space(scan);
    if (!skip_string(scan))
        return false;
    skip_space(scan);
    return take(scan, ':');
}

/* The arrays and objects around: one bit each, the innermost the lowest; 1: an object. */
typedef struct nest {
    uint32_t objects;
    unsigned depth;
} nest_t;

/* With the event's own object around. */
#define NEST_MAX (OC_JSON_MAX_DEPTH - 1)
_Static_assert(NEST_MAX <= 32, "nest_t has a bit for each level");

static char closing(const nest_t *nest)
{
    return nest->objects & 1U ? '}' : ']';
}

static bool enter(scan_t *scan, nest_t *nest)
{
    if (nest->depth == NEST_MAX)
        return false;
    nest->depth++;
    nest->objects = nest->objects << 1 | (*scan->at == '{');
    scan->at++;
    skip_space(scan);
    return true;
}

/* Behind a value: leave what ends here. False when neither an end nor another value follows. */
static bool leave(scan_t *scan, nest_t *nest)
{
    while (nest->depth > 0) {
        skip_space(scan);
        if (take(scan, ','))
            return !(nest->objects & 1U) || skip_name(scan);
        if (!take(scan, closing(nest)))
            return false;
        nest->depth--;
        nest->objects >>= 1;
    }
    return true;
}

static bool skip_value(scan_t *scan)
{
    nest_t nest = {0};

    do {
        skip_space(scan);
        if (peek(scan) == '{' || peek(scan) == '[') {
            if (!enter(scan, &nest))
                return false;
            if (peek(scan) != closing(&nest)) {
                if (nest.objects & 1U && !skip_name(scan))
                    return false;
                continue;
            }
        } else if (!skip_scalar(scan)) {
            return false;
        }
        if (!leave(scan, &nest))
            return false;
    } while (nest.depth > 0);
    return true;
}

/* --- The event --- */

void oc_stamp_epoch(uint64_t epoch, char ret_text[static OC_STAMP_EPOCH_LEN + 1])
{
    (void)snprintf(ret_text, OC_STAMP_EPOCH_LEN + 1, "%016" PRIx64, epoch);
}

void oc_stamp_sequence(uint64_t sequence, char ret_text[static OC_STAMP_SEQUENCE_LEN + 1])
{
    (void)snprintf(ret_text, OC_STAMP_SEQUENCE_LEN + 1, "%020" PRIu64, sequence);
}

typedef struct copy {
    char *start;
    char *at;
} copy_t;

static void put(copy_t *copy, const char *from, const char *to)
{
    memcpy(copy->at, from, (size_t)(to - from));
    copy->at += to - from;
}

/* The comma before a member. */
static void separate(copy_t *copy)
{
    if (copy->at > copy->start + 1)
        *copy->at++ = ',';
}

static bool copy_member(scan_t *scan, copy_t *copy)
{
    const char *start;

    skip_space(scan);
    start = scan->at;
    if (!skip_name(scan) || !skip_value(scan))
        return false;
    if (says(start, "epoch") || says(start, "sequence"))
        return true;
    separate(copy);
    put(copy, start, scan->at);
    return true;
}

/* All but the last brace. */
static bool copy_members(scan_t *scan, copy_t *copy)
{
    skip_space(scan);
    if (!take(scan, '{'))
        return false;
    *copy->at++ = '{';
    skip_space(scan);
    if (!take(scan, '}')) {
        do {
            if (!copy_member(scan, copy))
                return false;
            skip_space(scan);
        } while (take(scan, ','));
        if (!take(scan, '}'))
            return false;
    }
    skip_space(scan);
    return scan->at == scan->end;
}

static void put_stamp(copy_t *copy, const oc_stamp_t *stamp)
{
    char epoch[OC_STAMP_EPOCH_LEN + 1];
    char sequence[OC_STAMP_SEQUENCE_LEN + 1];

    oc_stamp_epoch(stamp->epoch, epoch);
    oc_stamp_sequence(stamp->sequence, sequence);
    separate(copy);
    copy->at +=
        snprintf(copy->at, STAMP_MAX, "\"epoch\":\"%s\",\"sequence\":\"%s\"}", epoch, sequence);
}

oc_err_t oc_stamp(const char *payload, size_t len, const oc_stamp_t *stamp,
                  const oc_stamp_memory_t *memory, char **ret_out, size_t *ret_len)
{
    scan_t scan = {payload, payload + len};
    copy_t copy;

    if (len == 0)
        return OC_E_EVENT_INVALID;
    copy.start = memory->alloc(len + STAMP_MAX);
    copy.at = copy.start;
    if (!copy.start)
        return OC_E_NOMEM;
    if (!copy_members(&scan, &copy)) {
        memory->free(copy.start);
        return OC_E_EVENT_INVALID;
    }
    put_stamp(&copy, stamp);
    *ret_out = copy.start;
    *ret_len = (size_t)(copy.at - copy.start);
    return OC_OK;
}

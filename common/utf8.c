/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include <stdint.h>
#include <string.h>

/* Decode the character at text; its length, 0 when it is not strict UTF-8. */
static size_t decode(const unsigned char *text, size_t len, uint32_t *ret_code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = text[0] < 0x80             ? 1
               : (text[0] & 0xe0) == 0xc0 ? 2
               : (text[0] & 0xf0) == 0xe0 ? 3
               : (text[0] & 0xf8) == 0xf0 ? 4
                                          : 0;
    uint32_t code;

    if (n == 0 || n > len)
        return 0;
    code = n == 1 ? text[0] : text[0] & (0x7fU >> n);
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *ret_code = code;
    return n;
}

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

static bool is_noncharacter(uint32_t code)
{
    return (code & 0xfffe) == 0xfffe || (code >= 0xfdd0 && code <= 0xfdef);
}

static bool is_space(uint32_t code)
{
    return code == 0x20 || code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) ||
           code == 0x2028 || code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool oc_utf8_misleads(uint32_t code)
{
    return code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

static bool check(const char *text, size_t len, bool allow_space)
{
    const unsigned char *bytes = (const unsigned char *)text;
    uint32_t code = 0;

    for (size_t i = 0; i < len;) {
        size_t n = decode(bytes + i, len - i, &code);

        if (n == 0 || is_control(code) || is_noncharacter(code) || (!allow_space && is_space(code)))
            return false;
        i += n;
    }
    return true;
}

size_t oc_utf8_char(const char *text, size_t len)
{
    uint32_t code = 0;

    return len > 0 ? decode((const unsigned char *)text, len, &code) : 0;
}

bool oc_utf8_printable(const char *text, size_t len)
{
    return check(text, len, true);
}

bool oc_utf8_no_space(const char *text, size_t len)
{
    return check(text, len, false);
}

static char *escape(const char *text, const char *also, char *out, size_t out_cap)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *bytes = (const unsigned char *)text;
    size_t len = strlen(text);
    size_t used = 0;
    uint32_t code = 0;

    for (size_t i = 0; i < len;) {
        size_t n = decode(bytes + i, len - i, &code);
        bool plain = n > 0 && !is_control(code) && !is_noncharacter(code) &&
                     !oc_utf8_misleads(code) && !(code < 0x80 && strchr(also, (int)code)) &&
                     (code < 0x80 || !is_space(code));
        size_t needed = plain ? n : 4;

        /* Room for "..." and the NUL stays free. */
        if (used + needed + 4 > out_cap) {
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (plain) {
            memcpy(out + used, bytes + i, n);
            i += n;
        } else {
            out[used] = '\\';
            out[used + 1] = 'x';
            out[used + 2] = hex[bytes[i] >> 4];
            out[used + 3] = hex[bytes[i] & 15];
            i++;
        }
        used += needed;
    }
    out[used] = '\0';
    return out;
}

char *oc_utf8_quote(const char *text, char *out, size_t out_cap)
{
    return escape(text, "'\\", out, out_cap);
}

char *oc_utf8_clean(const char *text, char *out, size_t out_cap)
{
    return escape(text, "", out, out_cap);
}

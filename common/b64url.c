/* SPDX-License-Identifier: MIT */
#include "b64url.h"

#include <stdint.h>

/* One more than the value of each character; 0 for those outside the alphabet. */
static const uint8_t digits[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
};

bool oc_b64url_decode(const char *text, size_t text_len, unsigned char *out, size_t out_cap,
                      size_t *ret_len)
{
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;

    if (text_len % 4 == 1)
        return false;
    for (size_t i = 0; i < text_len; i++) {
        uint8_t digit = digits[(unsigned char)text[i]];

        if (digit == 0)
            return false;
        bits = (bits << 6 | (uint32_t)(digit - 1)) & 0xffffffU;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            if (len == out_cap)
                return false;
            out[len++] = (unsigned char)(bits >> bit_count & 0xff);
        }
    }
    if (bits & ((1U << bit_count) - 1))
        return false;
    *ret_len = len;
    return true;
}

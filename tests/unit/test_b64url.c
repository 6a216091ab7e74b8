/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "b64url.h"
#include "token_sign.h"
#include "unit.h"

/* RFC 4648 §10 without padding, and what only this alphabet writes. */
static const struct {
    const char *text;
    const char *bytes;
    size_t len;
} good[] = {
    {"", "", 0},
    {"Zg", "f", 1},
    {"Zm8", "fo", 2},
    {"Zm9v", "foo", 3},
    {"Zm9vYg", "foob", 4},
    {"Zm9vYmE", "fooba", 5},
    {"Zm9vYmFy", "foobar", 6},
    {"AA", "\0", 1},
    {"AAAA", "\0\0\0", 3},
    {"_w", "\xff", 1},
    {"__8", "\xff\xff", 2},
    {"____", "\xff\xff\xff", 3},
    {"-_-_", "\xfb\xff\xbf", 3},
    {"AAD_", "\0\0\xff", 3},
};

START_TEST(what_is_base64url)
{
    size_t text_len = strlen(good[_i].text);
    unsigned char out[16];
    size_t len = 99;

    ck_assert_msg(oc_b64url_decode(good[_i].text, text_len, out, good[_i].len, &len), "'%s'",
                  good[_i].text);
    ck_assert_msg(len == good[_i].len && memcmp(out, good[_i].bytes, len) == 0, "'%s'",
                  good[_i].text);
    ck_assert_msg(len <= OC_B64URL_DECODED_MAX(text_len), "'%s'", good[_i].text);

    /* One byte less of room is too little, and nothing is written behind it. */
    if (good[_i].len > 0) {
        memset(out, 0xa5, sizeof out);
        ck_assert_msg(!oc_b64url_decode(good[_i].text, text_len, out, good[_i].len - 1, &len),
                      "'%s' without room", good[_i].text);
        ck_assert_msg(out[good[_i].len - 1] == 0xa5, "'%s' without room", good[_i].text);
    }
}
END_TEST

static const struct {
    const char *name;
    const char *text;
    size_t len; /* 0: strlen(text) */
} bad[] = {
    {"one character", "A", 0},
    {"five characters", "AAAAA", 0},
    {"nine characters", "AAAAAAAAA", 0},
    {"padded by two", "Zg==", 0},
    {"padded by one", "Zm8=", 0},
    {"padding alone", "====", 0},
    {"padding in the middle", "Zg==Zg", 0},
    {"standard alphabet +", "+/+/", 0},
    {"standard alphabet /", "AAA/", 0},
    {"space before", " Zm9v", 0},
    {"space after", "Zm9vYm E", 0},
    {"newline after", "Zm9vYm\n", 0},
    {"line break in the middle", "Zm\r\n9v", 0},
    {"tab", "Zm9\t", 0},
    {"NUL", "Zm9\0", 4},
    {"period", "Zm.v", 0},
    {"eighth bit", "Zm9\xf6", 0},
    {"UTF-8", "Zm\xc3\xb6", 0},
    {"four leftover bits, lowest set", "Zh", 0},
    {"four leftover bits, highest set", "Zo", 0},
    {"two leftover bits, lowest set", "Zm9", 0},
    {"two leftover bits, highest set", "Zm-", 0},
    {"leftover bits all set", "__", 0},
    {"leftover bits all set", "___", 0},
    {"leftover bits after whole groups", "Zm9vZh", 0},
};

START_TEST(what_is_not)
{
    size_t text_len = bad[_i].len ? bad[_i].len : strlen(bad[_i].text);
    unsigned char out[16];
    size_t len = 99;

    ck_assert_msg(!oc_b64url_decode(bad[_i].text, text_len, out, sizeof out, &len), "%s: '%s'",
                  bad[_i].name, bad[_i].text);
    ck_assert_msg(len == 99, "%s: a length was written", bad[_i].name);
}
END_TEST

/* Every byte in every place of a group. */
START_TEST(alphabet)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (int c = 0; c < 256; c++) {
        for (size_t at = 0; at < 4; at++) {
            char text[5] = "AAAA";
            unsigned char out[3];
            size_t len = 0;
            bool want = c != 0 && strchr(letters, c) != NULL;

            text[at] = (char)c;
            ck_assert_msg(oc_b64url_decode(text, 4, out, sizeof out, &len) == want,
                          "byte %d at %zu", c, at);
            if (want)
                ck_assert_msg((out[at > 0 ? at - 1 : 0] | (at < 3 ? out[at] : 0)) != 0 || c == 'A',
                              "byte %d at %zu", c, at);
        }
    }
}
END_TEST

/* Of each value, one text decodes: the one that the encoder writes. */
START_TEST(one_text_each)
{
    for (unsigned value = 0; value < 65536; value++) {
        unsigned char bytes[2] = {(unsigned char)(value >> 8), (unsigned char)value};
        unsigned char out[2] = {0};
        size_t len = 0;
        char *text = token_b64url(bytes, 2);

        unit_check(oc_b64url_decode(text, 3, out, 2, &len) && len == 2 &&
                       memcmp(out, bytes, 2) == 0,
                   "value %u", value);
        for (int other = 1; other < 4; other++) {
            static const char letters[] =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            char loose[4];

            memcpy(loose, text, 4);
            loose[2] = letters[(strchr(letters, text[2]) - letters) + other];
            unit_check(!oc_b64url_decode(loose, 3, out, 2, &len), "value %u as '%s'", value, loose);
        }
        free(text);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("b64url");

    unit_add_table(tcase, what_is_base64url, good);
    unit_add_table(tcase, what_is_not, bad);
    tcase_add_test(tcase, alphabet);
    tcase_add_test(tcase, one_text_each);
    return unit_run("b64url", tcase);
}

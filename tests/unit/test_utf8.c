/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "unit.h"
#include "utf8.h"

static const struct {
    const char *name;
    const char *text;
    bool printable;
    bool no_space;
} cases[] = {
    {"empty", "", true, true},
    {"letters", "acme-1_x.y", true, true},
    {"two bytes", "\xc3\xa4", true, true},
    {"three bytes", "\xe2\x82\xac", true, true},
    {"four bytes", "\xf0\x9f\x98\x80", true, true},
    {"Cyrillic homoglyph", "\xd0\xb0\x63me", true, true},
    {"combining mark", "e\xcc\x81", true, true},
    {"zero width space is not white space", "\xe2\x80\x8b", true, true},
    {"U+180E is not white space", "\xe1\xa0\x8e", true, true},
    {"U+0080 as least of two bytes, a control", "\xc2\x80", false, false},
    {"U+00A1", "\xc2\xa1", true, true},
    {"U+07FF", "\xdf\xbf", true, true},
    {"U+0800", "\xe0\xa0\x80", true, true},
    {"U+D7FF", "\xed\x9f\xbf", true, true},
    {"U+E000, private", "\xee\x80\x80", true, true},
    {"U+FFFD", "\xef\xbf\xbd", true, true},
    {"U+10000", "\xf0\x90\x80\x80", true, true},
    {"U+10FFFD", "\xf4\x8f\xbf\xbd", true, true},

    {"space", "a b", true, false},
    {"U+00A0", "\xc2\xa0", true, false},
    {"U+1680", "\xe1\x9a\x80", true, false},
    {"U+2000", "\xe2\x80\x80", true, false},
    {"U+2001", "\xe2\x80\x81", true, false},
    {"U+2002", "\xe2\x80\x82", true, false},
    {"U+2003", "\xe2\x80\x83", true, false},
    {"U+2004", "\xe2\x80\x84", true, false},
    {"U+2005", "\xe2\x80\x85", true, false},
    {"U+2006", "\xe2\x80\x86", true, false},
    {"U+2007", "\xe2\x80\x87", true, false},
    {"U+2008", "\xe2\x80\x88", true, false},
    {"U+2009", "\xe2\x80\x89", true, false},
    {"U+200A", "\xe2\x80\x8a", true, false},
    {"U+2028", "\xe2\x80\xa8", true, false},
    {"U+2029", "\xe2\x80\xa9", true, false},
    {"U+202F", "\xe2\x80\xaf", true, false},
    {"U+205F", "\xe2\x81\x9f", true, false},
    {"U+3000", "\xe3\x80\x80", true, false},
    {"white space at the end", "acme\xe3\x80\x80", true, false},

    {"tab", "\t", false, false},
    {"newline", "a\n", false, false},
    {"U+007F", "\x7f", false, false},
    {"U+0085", "\xc2\x85", false, false},
    {"U+009F", "\xc2\x9f", false, false},
    {"U+FDD0", "\xef\xb7\x90", false, false},
    {"U+FDEF", "\xef\xb7\xaf", false, false},
    {"U+FFFE", "\xef\xbf\xbe", false, false},
    {"U+FFFF", "\xef\xbf\xbf", false, false},
    {"U+1FFFE", "\xf0\x9f\xbf\xbe", false, false},
    {"U+10FFFF", "\xf4\x8f\xbf\xbf", false, false},

    {"continuation alone", "\x80", false, false},
    {"continuation after a letter", "a\xbf", false, false},
    {"FE", "\xfe", false, false},
    {"FF", "\xff", false, false},
    {"overlong / in two", "\xc0\xaf", false, false},
    {"overlong NUL in two", "\xc0\x80", false, false},
    {"overlong DEL in two", "\xc1\xbf", false, false},
    {"overlong / in three", "\xe0\x80\xaf", false, false},
    {"overlong U+07FF in three", "\xe0\x9f\xbf", false, false},
    {"overlong / in four", "\xf0\x80\x80\xaf", false, false},
    {"overlong U+FFFD in four", "\xf0\x8f\xbf\xbd", false, false},
    {"five bytes", "\xf8\x88\x80\x80\x80", false, false},
    {"six bytes", "\xfc\x84\x80\x80\x80\x80", false, false},
    {"high surrogate", "\xed\xa0\x80", false, false},
    {"low surrogate", "\xed\xbf\xbf", false, false},
    {"surrogate pair", "\xed\xa0\xbd\xed\xb8\x80", false, false},
    {"U+110000", "\xf4\x90\x80\x80", false, false},
    {"F5", "\xf5\x80\x80\x80", false, false},
    {"cut after one of two", "\xc3", false, false},
    {"cut after two of three", "\xe2\x82", false, false},
    {"cut after three of four", "\xf0\x9f\x98", false, false},
    {"letter instead of a continuation", "\xe2\x82z", false, false},
    {"start instead of a continuation", "\xe2\xc3\xa4", false, false},
};

START_TEST(texts)
{
    /* Exactly its length on the heap, so that reading behind it shows. */
    size_t len = strlen(cases[_i].text);
    char *text = malloc(len ? len : 1);

    memcpy(text, cases[_i].text, len);
    ck_assert_msg(oc_utf8_printable(text, len) == cases[_i].printable, "%s: printable",
                  cases[_i].name);
    ck_assert_msg(oc_utf8_no_space(text, len) == cases[_i].no_space, "%s: no space",
                  cases[_i].name);
    free(text);
}
END_TEST

START_TEST(nul_is_a_control)
{
    ck_assert(!oc_utf8_printable("a\0b", 3));
    ck_assert(!oc_utf8_no_space("\0", 1));
}
END_TEST

START_TEST(each_ascii_control)
{
    for (int c = 1; c < 128; c++) {
        char text[1] = {(char)c};

        ck_assert_msg(oc_utf8_printable(text, 1) == (c >= 0x20 && c != 0x7f), "byte %d", c);
        ck_assert_msg(oc_utf8_no_space(text, 1) == (c > 0x20 && c != 0x7f), "byte %d", c);
    }
}
END_TEST

static const struct {
    const char *name;
    const char *text;
    const char *quoted;
} quotes[] = {
    {"empty", "", ""},
    {"plain", "acme/tab 1", "acme/tab 1"},
    {"quote", "it's", "it\\x27s"},
    {"double quote", "\"", "\""},
    {"backslash", "a\\b", "a\\x5cb"},
    {"newline", "a\nb", "a\\x0ab"},
    {"carriage return", "\r", "\\x0d"},
    {"escape", "\x1b[31m", "\\x1b[31m"},
    {"DEL", "\x7f", "\\x7f"},
    {"umlaut", "\xc3\xa4", "\xc3\xa4"},
    {"C1 control", "\xc2\x85", "\\xc2\\x85"},
    {"no-break space", "\xc2\xa0", "\\xc2\\xa0"},
    {"line separator", "\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
    {"right-to-left override", "\xe2\x80\xae", "\\xe2\\x80\\xae"},
    {"isolate", "\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
    {"Arabic letter mark", "\xd8\x9c", "\\xd8\\x9c"},
    {"noncharacter", "\xef\xbf\xbf", "\\xef\\xbf\\xbf"},
    {"not UTF-8", "a\xff\xc3", "a\\xff\\xc3"},
    {"surrogate", "\xed\xa0\x80", "\\xed\\xa0\\x80"},
};

START_TEST(quoting)
{
    char out[64];

    ck_assert_msg(oc_utf8_quote(quotes[_i].text, out, sizeof out) == out, "%s", quotes[_i].name);
    ck_assert_msg(strcmp(out, quotes[_i].quoted) == 0, "%s: '%s'", quotes[_i].name, out);
}
END_TEST

/* At any capacity: no byte too many, no piece of a character or of an escape, and a mark when cut. */
START_TEST(quoting_cuts)
{
    static const char text[] =
        "a'b\\c\nd\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xff\xc2\x85xyz and more";
    char whole[256];

    oc_utf8_quote(text, whole, sizeof whole);
    for (size_t cap = 8; cap < sizeof whole; cap++) {
        char *out = malloc(cap);
        size_t len;

        oc_utf8_quote(text, out, cap);
        len = strlen(out);
        ck_assert_msg(len < cap, "capacity %zu", cap);
        if (strcmp(out, whole) != 0) {
            ck_assert_msg(len >= 3 && strcmp(out + len - 3, "...") == 0, "capacity %zu: '%s'", cap,
                          out);
            ck_assert_msg(strncmp(out, whole, len - 3) == 0, "capacity %zu: '%s'", cap, out);
            ck_assert_msg(oc_utf8_printable(out, len), "capacity %zu: '%s'", cap, out);
            /* It used what there was: the longest piece is a character or escape of four bytes. */
            ck_assert_msg(len + 4 >= cap, "capacity %zu: only %zu used", cap, len);
        } else {
            ck_assert_msg(strlen(whole) < cap, "capacity %zu", cap);
        }
        for (size_t i = 0; i < len; i++) {
            if (out[i] == '\\')
                ck_assert_msg(len - i >= 4 && out[i + 1] == 'x', "capacity %zu: '%s'", cap, out);
        }
        free(out);
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("utf8");

    unit_add_table(tcase, texts, cases);
    tcase_add_test(tcase, nul_is_a_control);
    tcase_add_test(tcase, each_ascii_control);
    unit_add_table(tcase, quoting, quotes);
    tcase_add_test(tcase, quoting_cuts);
    return unit_run("utf8", tcase);
}

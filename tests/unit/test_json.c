/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "unit.h"

/* A text whose length counts, as NUL bytes may be in it. */
#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
    const char *name;
    const char *text;
    size_t len;
} good[] = {
    {"empty object", TEXT("{}")},
    {"white space around", TEXT(" \t\r\n{ } \n")},
    {"members", TEXT("{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"e\"}}")},
    {"same name on two levels", TEXT("{\"a\":{\"a\":1}}")},
    {"names that differ in case", TEXT("{\"a\":1,\"A\":2}")},
    {"empty name", TEXT("{\"\":1}")},
    {"escapes", TEXT("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"}")},
    {"surrogate pair in escapes", TEXT("{\"a\":\"\\ud83d\\ude00\"}")},
    {"brackets in a string", TEXT("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{{{{{{{{\"}")},
    {"quote before brackets in a string",
     TEXT("{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}")},
    {"greatest integer", TEXT("{\"a\":9223372036854775807}")},
    {"least integer", TEXT("{\"a\":-9223372036854775808}")},
    {"greatest real", TEXT("{\"a\":1.7e308}")},
    {"real that underflows", TEXT("{\"a\":1e-400}")},
};

START_TEST(what_is_strict)
{
    json_t *json = NULL;
    oc_diag_t diag = {0};

    ck_assert_msg(oc_json_load(good[_i].text, good[_i].len, &json, &diag) == OC_OK, "%s: %s",
                  good[_i].name, diag.message);
    ck_assert_msg(json_is_object(json), "%s", good[_i].name);
    json_decref(json);
}
END_TEST

static const struct {
    const char *name;
    const char *text;
    size_t len;
} bad[] = {
    {"nothing", TEXT("")},
    {"NUL behind a number", TEXT("{\"a\":1\0}")},
    {"NUL behind it", TEXT("{\"a\":1}\0")},
    {"white space alone", TEXT(" \n")},
    {"array", TEXT("[1]")},
    {"string", TEXT("\"a\"")},
    {"number", TEXT("1")},
    {"null", TEXT("null")},
    {"twice the same name", TEXT("{\"a\":1,\"a\":2}")},
    {"twice the same name and value", TEXT("{\"a\":1,\"a\":1}")},
    {"twice by an escape", TEXT("{\"a\":1,\"\\u0061\":2}")},
    {"twice by an escape of a letter of two bytes", TEXT("{\"\xc3\xa4\":1,\"\\u00E4\":2}")},
    {"twice deeper", TEXT("{\"x\":{\"a\":1,\"b\":2,\"a\":3}}")},
    {"twice in an array's object", TEXT("{\"x\":[{\"a\":1,\"a\":2}]}")},
    {"twice the empty name", TEXT("{\"\":1,\"\":2}")},
    {"NUL in a value", TEXT("{\"a\":\"x\\u0000y\"}")},
    {"NUL in a name", TEXT("{\"a\\u0000\":1}")},
    {"NUL byte in a value", TEXT("{\"a\":\"x\0y\"}")},
    {"NUL byte after", TEXT("{}\0")},
    {"object after", TEXT("{}{}")},
    {"letter after", TEXT("{}x")},
    {"comma after", TEXT("{},")},
    {"brace after", TEXT("{}}")},
    {"byte order mark", TEXT("\xef\xbb\xbf{}")},
    {"UTF-16", TEXT("{\0}\0")},
    {"not UTF-8", TEXT("{\"a\":\"\xff\"}")},
    {"not UTF-8 in a name", TEXT("{\"\xff\":1}")},
    {"overlong", TEXT("{\"a\":\"\xc0\xaf\"}")},
    {"surrogate as bytes", TEXT("{\"a\":\"\xed\xa0\x80\"}")},
    {"lone high surrogate", TEXT("{\"a\":\"\\ud83d\"}")},
    {"lone low surrogate", TEXT("{\"a\":\"\\ude00\"}")},
    {"surrogates the wrong way", TEXT("{\"a\":\"\\ude00\\ud83d\"}")},
    {"control in a string", TEXT("{\"a\":\"\n\"}")},
    {"unknown escape", TEXT("{\"a\":\"\\x41\"}")},
    {"single quotes", TEXT("{'a':1}")},
    {"no quotes", TEXT("{a:1}")},
    {"comma at the end", TEXT("{\"a\":1,}")},
    {"comma at the end of an array", TEXT("{\"a\":[1,]}")},
    {"no comma", TEXT("{\"a\":1 \"b\":2}")},
    {"comment", TEXT("{/**/}")},
    {"unclosed", TEXT("{\"a\":1")},
    {"unclosed string", TEXT("{\"a")},
    {"unclosed escape", TEXT("{\"a\\")},
    {"closed wrongly", TEXT("{\"a\":[1}")},
    {"NaN", TEXT("{\"a\":NaN}")},
    {"Infinity", TEXT("{\"a\":Infinity}")},
    {"TRUE", TEXT("{\"a\":TRUE}")},
    {"plus", TEXT("{\"a\":+1}")},
    {"leading zero", TEXT("{\"a\":01}")},
    {"no digit after the point", TEXT("{\"a\":1.}")},
    {"no digit before the point", TEXT("{\"a\":.5}")},
    {"hexadecimal", TEXT("{\"a\":0x10}")},
    {"real overflow", TEXT("{\"a\":1e400}")},
    {"negative real overflow", TEXT("{\"a\":-1e400}")},
    {"integer overflow", TEXT("{\"a\":9223372036854775808}")},
    {"negative integer overflow", TEXT("{\"a\":-9223372036854775809}")},
    {"overflow deeper", TEXT("{\"a\":[{\"b\":1e999}]}")},
};

START_TEST(what_is_not)
{
    json_t *json = NULL;
    oc_diag_t diag = {0};

    ck_assert_msg(oc_json_load(bad[_i].text, bad[_i].len, &json, &diag) == OC_E_INTERNAL,
                  "%s: accepted", bad[_i].name);
    ck_assert_msg(json == NULL, "%s: a result was written", bad[_i].name);
    ck_assert_msg(diag.message[0] != '\0', "%s: no cause", bad[_i].name);
    ck_assert_msg(oc_json_load(bad[_i].text, bad[_i].len, &json, NULL) == OC_E_INTERNAL,
                  "%s: without diag", bad[_i].name);
}
END_TEST

static const struct {
    const char *text;
    const char *reads; /* NULL: refused */
} any_number[] = {
    {"{\"a\":9223372036854775807}", "{\"a\":9223372036854775807}"},
    {"{\"a\":9223372036854775808}", "{\"a\":1e99}"},
    {"{\"a\":-9223372036854775809}", "{\"a\":1e99}"},
    {"{\"a\":1e400,\"b\":7}", "{\"a\":1e99,\"b\":7}"},
    {"{\"a\":-1.5E+400}", "{\"a\":1e99}"},
    {"{\"a\":9e999}", "{\"a\":1e99}"},
    {"{\"a\":[1,123456789012345678901234567890,1e-400]}", "{\"a\":[1,1e99,0.0]}"},
    {"{\"1e400\":\"1e400 \\\" 1e400\",\"b\":1e400}", "{\"1e400\":\"1e400 \\\" 1e400\",\"b\":1e99}"},
    {"{\"\\\\\":1e400}", "{\"\\\\\":1e99}"},
    {"{\"a\":1e400", NULL},
    {"{\"a\":1e400,\"a\":1}", NULL},
    {"{\"a\":01e400}", NULL},
    {"{\"a\":1e400.5}", NULL},
    {"{\"a\":1e400-1e400}", NULL},
    {"{\"a\":00000000000000000000000001}", NULL},
    {"{\"a\":99999999999999999999-}", NULL},
    {"{\"a\":1e400,\"b\":1e}", NULL},
    {"{\"a\":1e400e5}", NULL},
    {"{\"a\":1e400.}", NULL},
    {"{\"a\":1e400e}", NULL},
    {"{\"a\":1e400 1e400}", NULL},
    {"{\"a\":-}", NULL},
    {"[1e400]", NULL},
};

/* What nobody looks at does not matter; what is wrong otherwise stays wrong. */
START_TEST(numbers_that_overflow)
{
    const char *text = any_number[_i].text;
    json_t *json = NULL;
    json_t *expected = NULL;
    oc_diag_t diag = {0};
    oc_err_t err = oc_json_load_any_number(text, strlen(text), &json, &diag);

    ck_assert_msg(err == (any_number[_i].reads ? OC_OK : OC_E_INTERNAL), "%s: %s", text,
                  diag.message);
    if (err)
        return;
    expected = json_loads(any_number[_i].reads, 0, NULL);
    ck_assert_msg(json_equal(json, expected), "%s", text);
    json_decref(json);
    json_decref(expected);
}
END_TEST

START_TEST(overflow_has_a_reason)
{
    json_t *json = NULL;
    oc_diag_t diag = {0};

    ck_assert_int_eq(oc_json_load("{\"a\":1e400}", 11, &json, &diag), OC_E_INTERNAL);
    ck_assert_msg(strstr(diag.message, "number that is too large") != NULL, "%s", diag.message);
}
END_TEST

/* The input is exactly len bytes: what follows is not read. */
START_TEST(length_counts)
{
    json_t *json = NULL;

    ck_assert_int_eq(oc_json_load("{}x", 2, &json, NULL), OC_OK);
    json_decref(json);
    for (size_t len = 0; len < strlen("{\"abc\":[1]}"); len++) {
        char *cut = malloc(len ? len : 1);

        memcpy(cut, "{\"abc\":[1]}", len);
        ck_assert_msg(oc_json_load(cut, len, &json, NULL) == OC_E_INTERNAL, "cut to %zu", len);
        free(cut);
    }
}
END_TEST

/* {"a":[[…]]} or {"a":{"a":…}} of so many levels. */
static char *nested(int levels, bool objects)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    for (int i = 0; i < levels; i++)
        fputs(i == 0 || objects ? i == levels - 1 ? "{" : "{\"a\":" : "[", out);
    for (int i = levels - 1; i >= 0; i--)
        fputs(i == 0 || objects ? "}" : "]", out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static const struct {
    int levels;
    oc_err_t err;
} depths[] = {
    {1, OC_OK},          {2, OC_OK},          {31, OC_OK},           {32, OC_OK},
    {33, OC_E_INTERNAL}, {34, OC_E_INTERNAL}, {2049, OC_E_INTERNAL}, {5000, OC_E_INTERNAL}};

START_TEST(depth)
{
    for (int objects = 0; objects < 2; objects++) {
        char *text = nested(depths[_i].levels, objects);
        json_t *json = NULL;

        ck_assert_msg(oc_json_load(text, strlen(text), &json, NULL) == depths[_i].err,
                      "%d levels, %s", depths[_i].levels, objects ? "objects" : "arrays");
        json_decref(json);
        free(text);
    }
}
END_TEST

/* Levels side by side are not deep. */
START_TEST(width_is_no_depth)
{
    char text[1024] = "{\"a\":[";
    json_t *json = NULL;

    for (int i = 0; i < 100; i++)
        unit_append(text, sizeof text, i ? ",[{}]" : "[{}]");
    unit_append(text, sizeof text, "]}");
    ck_assert_int_eq(oc_json_load(text, strlen(text), &json, NULL), OC_OK);
    json_decref(json);
}
END_TEST

static const struct {
    const char *pointer;
    bool valid;
} pointers[] = {
    {"", true},      {"/", true},     {"//", true},    {"/a", true},    {"/a/b", true},
    {"/~0", true},   {"/~1", true},   {"/a~01", true}, {"/ ", true},    {"/~0~1~0", true},
    {"a", false},    {"a/b", false},  {"#/a", false},  {" /a", false},  {"/~", false},
    {"/a~", false},  {"/~2", false},  {"/~/a", false}, {"/a~b", false}, {"~0", false},
    {"/a/~", false}, {"/~~0", false}, {".", false},    {"/~0~", false},
};

static const struct {
    const char *name;
    const char *text;
    size_t most;
    bool small;
} sizes[] = {
    {"nothing", "", 1, true},
    {"one object", "{}", 2, true},
    {"names and values", "{\"a\":1,\"b\":2}", 5, true},
    {"one more", "{\"a\":1,\"b\":2}", 4, false},
    {"objects", "[{},{},{}]", 7, true},
    {"one object more", "[{},{},{},{}]", 7, false},
    {"in a string", "{\"a\":\",,,,[[[[{{{{::::\"}", 3, true},
    {"after an escaped quote", "{\"a\":\"\\\",,,,[[[[\"}", 3, true},
    {"after an escaped backslash", "[\"\\\\\",0,0,0]", 4, false},
    {"a string that does not end", "[\"\\", 2, true},
};

START_TEST(values_are_counted)
{
    ck_assert_msg(oc_json_small(sizes[_i].text, strlen(sizes[_i].text), sizes[_i].most) ==
                      sizes[_i].small,
                  "%s", sizes[_i].name);
}
END_TEST

START_TEST(pointer_syntax)
{
    json_t *document = json_pack("{s:i}", "a", 1);

    ck_assert_msg(oc_json_pointer_valid(pointers[_i].pointer) == pointers[_i].valid, "'%s'",
                  pointers[_i].pointer);
    if (!pointers[_i].valid)
        ck_assert_msg(!oc_json_pointer_get(document, pointers[_i].pointer), "'%s'",
                      pointers[_i].pointer);
    json_decref(document);
}
END_TEST

/* RFC 6901 §5 and more; null as the value means that there is none. */
START_TEST(pointer_vectors)
{
    json_t *file =
        json_load_file(ORGCAST_VECTORS "/json-pointer.json", JSON_REJECT_DUPLICATES, NULL);
    json_t *groups = json_object_get(file, "groups");
    size_t g, i, count = 0;
    json_t *group, *item;

    json_array_foreach(groups, g, group)
    {
        json_t *document = json_object_get(group, "document");

        json_array_foreach(json_object_get(group, "cases"), i, item)
        {
            const char *pointer = json_string_value(json_object_get(item, "pointer"));
            const json_t *found = oc_json_pointer_get(document, pointer);
            const json_t *want = json_object_get(item, "value");

            ck_assert_msg(want ? found && json_equal((json_t *)found, (json_t *)want) : !found,
                          "'%s' in '%s'", pointer,
                          json_string_value(json_object_get(group, "name")));
            count++;
        }
    }
    ck_assert_uint_ge(count, 50);
    json_decref(file);
}
END_TEST

START_TEST(pointer_length)
{
    char pointer[OC_JSON_POINTER_MAX + 2] = "/";
    json_t *document = json_object();

    memset(pointer + 1, 'a', OC_JSON_POINTER_MAX - 1);
    json_object_set_new(document, pointer + 1, json_true());
    ck_assert(oc_json_pointer_valid(pointer));
    ck_assert(json_is_true(oc_json_pointer_get(document, pointer)));

    pointer[OC_JSON_POINTER_MAX] = 'a';
    json_object_set_new(document, pointer + 1, json_true());
    ck_assert(!oc_json_pointer_valid(pointer));
    ck_assert_ptr_null(oc_json_pointer_get(document, pointer));
    json_decref(document);
}
END_TEST

/* What others set before the guard is what they find after it; what it does between is in test_oom.c. */
START_TEST(guard_leaves_no_trace)
{
    json_malloc_t before, between, after;
    json_free_t free_before, free_after;

    json_get_alloc_funcs(&before, &free_before);
    oc_json_guard_remove();
    oc_json_guard_install();
    oc_json_guard_install();
    json_get_alloc_funcs(&between, NULL);
    ck_assert(between != before);
    oc_json_guard_remove();
    json_get_alloc_funcs(&after, NULL);
    ck_assert(after == between);
    oc_json_guard_remove();
    json_get_alloc_funcs(&after, &free_after);
    ck_assert(after == before && free_after == free_before);
}
END_TEST

START_TEST(pointer_borrows)
{
    json_t *document = json_pack("{s:[i]}", "a", 7);
    const json_t *item = oc_json_pointer_get(document, "/a/0");

    ck_assert_int_eq((int)json_integer_value(item), 7);
    ck_assert_uint_eq(item->refcount, 1);
    ck_assert_ptr_eq(oc_json_pointer_get(document, ""), document);
    json_decref(document);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("json");

    unit_add_table(tcase, what_is_strict, good);
    unit_add_table(tcase, what_is_not, bad);
    unit_add_table(tcase, numbers_that_overflow, any_number);
    tcase_add_test(tcase, overflow_has_a_reason);
    tcase_add_test(tcase, length_counts);
    unit_add_table(tcase, depth, depths);
    tcase_add_test(tcase, width_is_no_depth);
    unit_add_table(tcase, values_are_counted, sizes);
    unit_add_table(tcase, pointer_syntax, pointers);
    tcase_add_test(tcase, pointer_vectors);
    tcase_add_test(tcase, pointer_length);
    tcase_add_test(tcase, guard_leaves_no_trace);
    tcase_add_test(tcase, pointer_borrows);
    return unit_run("json", tcase);
}

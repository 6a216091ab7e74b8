/* SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "json.h"
#include "stamp.h"
#include "unit.h"

static const oc_stamp_memory_t memory = {malloc, free};
static const oc_stamp_t stamp = {0xab, 17};

#define EPOCH "\"epoch\":\"00000000000000ab\""
#define SEQUENCE "\"sequence\":\"00000000000000000017\""
#define BOTH EPOCH "," SEQUENCE "}"

/* A payload, and the members that stand before the stamp. */
static const struct {
    const char *payload;
    const char *members; /* NULL: it is no object */
} cases[] = {
    {"{}", "{"},
    {" \t\r\n{ \n} ", "{"},
    {"{\"id\":\"1\"}", "{\"id\":\"1\","},
    {"{ \"id\" : \"1\" , \"data\" : { \"a\" : [ 1 , { } ] } }",
     "{\"id\" : \"1\",\"data\" : { \"a\" : [ 1 , { } ] },"},
    /* A sender's own. */
    {"{\"epoch\":\"x\",\"sequence\":\"9\"}", "{"},
    {"{\"epoch\":\"x\",\"id\":\"1\"}", "{\"id\":\"1\","},
    {"{\"id\":\"1\",\"sequence\":9}", "{\"id\":\"1\","},
    {"{\"a\":1,\"epoch\":{\"x\":[\"}\",\"\\\"\"]},\"b\":2}", "{\"a\":1,\"b\":2,"},
    {"{\"epoch\":1,\"epoch\":2,\"sequence\":3,\"epoch\":4}", "{"},
    {"{\"\\u0065poch\":1,\"s\\u0065quenc\\u0065\":2,\"a\":3}", "{\"a\":3,"},
    {"{\"\\u0065\\u0070\\u006F\\u0063\\u0068\":1}", "{"},
    {"{\"\\u0073\\u0065\\u0071\\u0075\\u0065\\u006e\\u0063\\u0065\":1}", "{"},
    /* Not the sender's own: other names, and deeper ones. */
    {"{\"Epoch\":1,\"epochs\":2,\"epoc\":3,\"\":4}",
     "{\"Epoch\":1,\"epochs\":2,\"epoc\":3,\"\":4,"},
    {"{\"\\nepoch\":1,\"\\\\u0065poch\":2,\"epoc\\b\":3}",
     "{\"\\nepoch\":1,\"\\\\u0065poch\":2,\"epoc\\b\":3,"},
    {"{\"\\u0165poch\":1,\"epoch\\u0020\":2}", "{\"\\u0165poch\":1,\"epoch\\u0020\":2,"},
    {"{\"data\":{\"epoch\":1,\"sequence\":2}}", "{\"data\":{\"epoch\":1,\"sequence\":2},"},
    {"{\"a\":[[],[{}],{\"b\":[0,-0.5e+7,1E-2,true,false,null]}]}",
     "{\"a\":[[],[{}],{\"b\":[0,-0.5e+7,1E-2,true,false,null]}],"},
    {"{\"\xc3\xa4\":\"\xf0\x9d\x84\x9e\\ud834\\udd1e\x7f\"}",
     "{\"\xc3\xa4\":\"\xf0\x9d\x84\x9e\\ud834\\udd1e\x7f\","},
    /* Not one object. */
    {"", NULL},
    {" ", NULL},
    {"[]", NULL},
    {"\"a\"", NULL},
    {"1", NULL},
    {"{", NULL},
    {"}", NULL},
    {"{}{}", NULL},
    {"{} x", NULL},
    {"\xef\xbb\xbf{}", NULL},
    {"{,}", NULL},
    {"{\"a\":1,}", NULL},
    {"{\"a\"}", NULL},
    {"{\"a\":}", NULL},
    {"{\"a\":1 \"b\":2}", NULL},
    {"{a:1}", NULL},
    {"{\"a\":[1,]}", NULL},
    {"{\"a\":[1 2]}", NULL},
    {"{\"a\":[1}}", NULL},
    {"{\"a\":{\"b\":1]}", NULL},
    {"{\"a\":{\"b\"}}", NULL},
    {"{\"a\":{1:2}}", NULL},
    {"{\"a\":{,}}", NULL},
    {"{\"a\":01}", NULL},
    {"{\"a\":1.}", NULL},
    {"{\"a\":.1}", NULL},
    {"{\"a\":1e}", NULL},
    {"{\"a\":+1}", NULL},
    {"{\"a\":-}", NULL},
    {"{\"a\":nul}", NULL},
    {"{\"a\":True}", NULL},
    {"{\"a\":\"\n\"}", NULL},
    {"{\"a\":\"\\x\"}", NULL},
    {"{\"a\":\"\\u12g4\"}", NULL},
    {"{\"a\":\"\\u0000\"}", NULL},
    {"{\"a\":\"\\ud834\"}", NULL},
    {"{\"a\":\"\\ud834\\u0041\"}", NULL},
    {"{\"a\":\"\\udd1e\"}", NULL},
    {"{\"a\":\"\xc0\xaf\"}", NULL},
    {"{\"a\":\"\xed\xa0\x80\"}", NULL},
    {"{\"a\":\"\xff\"}", NULL},
    {"{\"a\":\"b}", NULL},
    {"{\"a\":\"\\", NULL},
    {"{\"epoch\":\"x\",\"a\"}", NULL},
};

/* A copy of exactly its length, for the sanitizers. */
static oc_err_t apply(const char *payload, size_t len, char **ret_out, size_t *ret_len)
{
    char *copy = malloc(len ? len : 1);
    oc_err_t err;

    memcpy(copy, payload, len);
    err = oc_stamp(copy, len, &stamp, &memory, ret_out, ret_len);
    free(copy);
    return err;
}

START_TEST(stamping)
{
    const char *payload = cases[_i].payload;
    const char *members = cases[_i].members;
    char wanted[512];
    char *out = NULL;
    size_t len = 7;
    oc_err_t err = apply(payload, strlen(payload), &out, &len);

    if (!members) {
        ck_assert_msg(err == OC_E_EVENT_INVALID && !out && len == 7, "%s", payload);
        return;
    }
    (void)snprintf(wanted, sizeof wanted, "%s%s", members, BOTH);
    ck_assert_msg(err == OC_OK && strcmp(out, wanted) == 0, "%s -> %s", payload, out ? out : "");
    ck_assert_uint_eq(len, strlen(wanted));
    free(out);
}
END_TEST

/* Every beginning of a good payload is none. */
START_TEST(cut_off)
{
    const char *payload = cases[_i].payload;
    size_t whole = strlen(payload);

    if (!cases[_i].members)
        return;
    while (payload[whole - 1] == ' ')
        whole--;
    for (size_t len = 0; len < whole; len++) {
        char *out = NULL;
        size_t out_len;

        unit_check(apply(payload, len, &out, &out_len) == OC_E_EVENT_INVALID, "%.*s", (int)len,
                   payload);
    }
}
END_TEST

/* As many levels as the checks of events allow, whatever they are made of. */
START_TEST(depth)
{
    static const char *const opening[] = {"[", "{\"a\":"};
    static const char *const closing[] = {"]", "}"};

    for (size_t kind = 0; kind < 2; kind++) {
        for (int levels = OC_JSON_MAX_DEPTH - 2; levels <= OC_JSON_MAX_DEPTH + 2; levels++) {
            char text[1024] = "{\"x\":";
            json_t *json = NULL;
            char *out = NULL;
            size_t len = 0;
            oc_err_t err;

            for (int i = 1; i < levels; i++)
                unit_append(text, sizeof text, opening[kind]);
            unit_append(text, sizeof text, "1");
            for (int i = 1; i < levels; i++)
                unit_append(text, sizeof text, closing[kind]);
            unit_append(text, sizeof text, "}");
            err = apply(text, strlen(text), &out, &len);
            unit_check((err == OC_OK) == (oc_json_load(text, strlen(text), &json, NULL) == OC_OK),
                       "%d levels of %s", levels, opening[kind]);
            unit_check((err == OC_OK) == (levels <= OC_JSON_MAX_DEPTH), "%d levels", levels);
            json_decref(json);
            if (!err)
                free(out);
        }
    }
}
END_TEST

static const struct {
    oc_stamp_t stamp;
    const char *wanted;
} numbers[] = {
    {{0, 0}, "{\"epoch\":\"0000000000000000\",\"sequence\":\"00000000000000000000\"}"},
    {{1, 1}, "{\"epoch\":\"0000000000000001\",\"sequence\":\"00000000000000000001\"}"},
    {{UINT64_MAX, UINT64_MAX},
     "{\"epoch\":\"ffffffffffffffff\",\"sequence\":\"18446744073709551615\"}"},
};

START_TEST(the_numbers)
{
    char *out = NULL;
    size_t len = 0;

    ck_assert_int_eq(oc_stamp("{}", 2, &numbers[_i].stamp, &memory, &out, &len), OC_OK);
    ck_assert_str_eq(out, numbers[_i].wanted);
    free(out);
}
END_TEST

static void *no_memory(size_t size)
{
    (void)size;
    return NULL;
}

START_TEST(without_memory)
{
    static const oc_stamp_memory_t none = {no_memory, free};
    char *out = NULL;
    size_t len = 0;

    ck_assert_int_eq(oc_stamp("{}", 2, &stamp, &none, &out, &len), OC_E_NOMEM);
    ck_assert_ptr_null(out);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("stamp");

    unit_add_table(tcase, stamping, cases);
    unit_add_table(tcase, cut_off, cases);
    tcase_add_test(tcase, depth);
    unit_add_table(tcase, the_numbers, numbers);
    tcase_add_test(tcase, without_memory);
    return unit_run("stamp", tcase);
}

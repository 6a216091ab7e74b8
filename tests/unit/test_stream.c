/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "stamp.h"
#include "stream.h"
#include "unit.h"

static const oc_stamp_memory_t memory = {malloc, free};

static const struct {
    const char *payload;
    const char *kept; /* before the two members; NULL: it is refused */
} stamps[] = {
    {"{}", "{"},
    {"{\"a\":1}", "{\"a\":1,"},
    {"{\"epoch\":\"x\",\"a\":{\"epoch\":1}}", "{\"a\":{\"epoch\":1},"},
    {"{\"a\":1,\"sequence\":[1,{\"b\":2}]}", "{\"a\":1,"},
    {"{\"\\u0065poch\":1,\"sequence\":\"9\",\"sequence\":8}", "{"},
    {" {\"a\" : \"}\\\"{\" } ", "{\"a\" : \"}\\\"{\","},
    {"[]", NULL},
    {"", NULL},
    {"{\"a\":1} x", NULL},
    {"{\"a\":\xff}", NULL},
    {"{\"a\":", NULL},
};

START_TEST(stamping)
{
    const oc_stamp_t stamp = {0xabc, 17};
    const char *end = "\"epoch\":\"0000000000000abc\",\"sequence\":\"00000000000000000017\"}";
    const char *payload = stamps[_i].payload;
    char *out = NULL;
    size_t len = 0;
    size_t kept;
    oc_err_t err = oc_stamp(payload, strlen(payload), &stamp, &memory, &out, &len);

    if (!stamps[_i].kept) {
        ck_assert_msg(err == OC_E_EVENT_INVALID, "%s: %s", payload, oc_err_name(err));
        return;
    }
    ck_assert_msg(err == OC_OK, "%s: %s", payload, oc_err_name(err));
    kept = strlen(stamps[_i].kept);
    ck_assert_msg(strncmp(out, stamps[_i].kept, kept) == 0, "%s: %s", payload, out);
    ck_assert_msg(strcmp(out + kept, end) == 0, "%s: %s", payload, out);
    ck_assert_uint_eq(len, strlen(out));
    free(out);
}
END_TEST

static const oc_slice_t acme = {"acme", 4};

static void append(oc_stream_t *stream, const char *payload)
{
    const oc_stream_event_t event = {
        .org = acme, .topic = "org/acme/x", .payload = payload, .payload_len = strlen(payload)};
    char *out = NULL;
    size_t len = 0;

    ck_assert_int_eq(oc_stream_append(stream, &event, &memory, &out, &len), OC_OK);
    free(out);
}

static bool count_given(void *context, const char *topic, const char *payload, size_t len)
{
    size_t *count = context;

    ck_assert_str_eq(topic, "org/acme/x");
    ck_assert_uint_gt(len, 0);
    ck_assert_int_eq(payload[0], '{');
    ++*count;
    return true;
}

static oc_stream_part_t replay(const oc_stream_t *stream, uint64_t epoch, uint64_t after,
                               size_t *ret_count)
{
    const oc_stream_gap_t gap = {acme, epoch, after, 100, 100000};
    oc_stream_part_t part = {0};

    *ret_count = 0;
    ck_assert_int_eq(oc_stream_replay(stream, &gap, count_given, ret_count, &part), OC_OK);
    return part;
}

START_TEST(positions_and_replays)
{
    oc_stream_t *stream = oc_stream_new();
    uint64_t epoch;
    size_t count;

    ck_assert_ptr_nonnull(stream);
    oc_stream_keep(stream, 3, 100000);
    epoch = oc_stream_position(stream, acme).epoch;
    ck_assert_uint_eq(oc_stream_position(stream, acme).sequence, 0);
    for (int i = 0; i < 5; i++)
        append(stream, "{\"a\":1}");
    ck_assert_uint_eq(oc_stream_position(stream, acme).sequence, 5);
    ck_assert_uint_eq(oc_stream_position(stream, acme).epoch, epoch);
    ck_assert(replay(stream, epoch, 2, &count).recovered);
    ck_assert_uint_eq(count, 3);
    ck_assert(replay(stream, epoch, 5, &count).recovered);
    ck_assert_uint_eq(count, 0);
    /* No longer kept, not there yet, another numbering. */
    ck_assert(!replay(stream, epoch, 1, &count).recovered);
    ck_assert(!replay(stream, epoch, 6, &count).recovered);
    ck_assert(!replay(stream, epoch + 1, 5, &count).recovered);
    ck_assert_uint_eq(count, 0);
    oc_stream_free(stream);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("stream");

    unit_add_table(tcase, stamping, stamps);
    tcase_add_test(tcase, positions_and_replays);
    return unit_run("stream", tcase);
}

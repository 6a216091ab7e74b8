/* SPDX-License-Identifier: MIT */
/* The stream against a model that keeps every event for ever and only says which of them may be there. */
#include <jansson.h>

#include "stream.h"
#include "unit.h"

static const oc_stamp_memory_t memory = {malloc, free};

static oc_slice_t slice(const char *text)
{
    return (oc_slice_t){text, strlen(text)};
}

/* What the stamp says. */
static oc_stamp_t stamp_in(const char *payload, size_t len)
{
    json_t *json = json_loadb(payload, len, JSON_REJECT_DUPLICATES, NULL);
    oc_stamp_t stamp;
    char text[OC_STAMP_SEQUENCE_LEN + 1];

    unit_check(json, "no JSON: %.*s", (int)len, payload);
    stamp.epoch = strtoull(json_string_value(json_object_get(json, "epoch")), NULL, 16);
    stamp.sequence = strtoull(json_string_value(json_object_get(json, "sequence")), NULL, 10);
    oc_stamp_sequence(stamp.sequence, text);
    unit_check(strcmp(text, json_string_value(json_object_get(json, "sequence"))) == 0, "%s", text);
    json_decref(json);
    return stamp;
}

/* A client of before MQTT 5 that sends with QoS 2 on one connection. */
static const oc_stream_flow_t repeats = {.client_id = "till", .connection = 1, .resends = true};

static oc_stamp_t append_of(oc_stream_t *stream, const char *org, const char *payload,
                            oc_stream_flow_t flow)
{
    char topic[64];
    char *out = NULL;
    size_t len = 0;
    oc_stream_event_t event = {slice(org), topic, payload, strlen(payload), flow};
    oc_stamp_t stamp;

    (void)snprintf(topic, sizeof topic, "org/%s/invoices", org);
    unit_check(oc_stream_append(stream, &event, &memory, &out, &len) == OC_OK, "%s", payload);
    stamp = stamp_in(out, len);
    free(out);
    return stamp;
}

static oc_stamp_t append(oc_stream_t *stream, const char *org, const char *payload, bool may_repeat)
{
    return append_of(stream, org, payload, may_repeat ? repeats : (oc_stream_flow_t){0});
}

typedef struct given {
    uint64_t next; /* number */
    uint64_t epoch;
    const char *org;
    size_t count;
    size_t stop_at;
} given_t;

static bool take(void *context, const char *topic, const char *payload, size_t len)
{
    given_t *given = context;
    oc_stamp_t stamp = stamp_in(payload, len);
    char wanted[64];

    (void)snprintf(wanted, sizeof wanted, "org/%s/invoices", given->org);
    unit_check(strcmp(topic, wanted) == 0, "%s", topic);
    unit_check(stamp.epoch == given->epoch && stamp.sequence == given->next, "%llu, not %llu",
               (unsigned long long)stamp.sequence, (unsigned long long)given->next);
    given->next++;
    return ++given->count != given->stop_at;
}

static oc_stream_part_t replay(const oc_stream_t *stream, const char *org, uint64_t epoch,
                               uint64_t after, size_t most, size_t max_bytes)
{
    const oc_stream_gap_t gap = {slice(org), epoch, after, most, max_bytes};
    given_t given = {.next = after + 1, .epoch = epoch, .org = org};
    oc_stream_part_t part;

    unit_check(oc_stream_replay(stream, &gap, take, &given, &part) == OC_OK, "replay");
    unit_check(part.count == given.count, "%zu", part.count);
    unit_check(part.recovered || part.count == 0, "given without the rest");
    return part;
}

static oc_stream_t *make(size_t events_per_org, size_t max_bytes)
{
    oc_stream_t *stream = oc_stream_new();

    unit_check(stream, "no stream");
    oc_stream_keep(stream, events_per_org, max_bytes);
    return stream;
}

/* --- One after the other --- */

START_TEST(numbers_begin_at_one)
{
    oc_stream_t *stream = make(4, 100000);
    oc_stamp_t begin = oc_stream_position(stream, slice("acme"));

    ck_assert_uint_eq(begin.sequence, 0);
    for (uint64_t i = 1; i <= 10; i++) {
        oc_stamp_t stamp = append(stream, "acme", "{}", false);

        ck_assert_uint_eq(stamp.sequence, i);
        ck_assert_uint_eq(stamp.epoch, begin.epoch);
        ck_assert_uint_eq(append(stream, "globex", "{}", false).sequence, i);
        ck_assert_uint_eq(oc_stream_position(stream, slice("acme")).sequence, i);
    }
    ck_assert_uint_eq(oc_stream_org_count(stream), 2);
    oc_stream_free(stream);
}
END_TEST

START_TEST(each_process_has_its_epoch)
{
    oc_stream_t *one = make(4, 100000);
    oc_stream_t *other = make(4, 100000);

    ck_assert_uint_ne(oc_stream_position(one, slice("a")).epoch,
                      oc_stream_position(other, slice("a")).epoch);
    oc_stream_free(one);
    oc_stream_free(other);
    oc_stream_free(NULL);
}
END_TEST

/* With events 1 to 10, of which the last 4 are kept. */
static const struct {
    uint64_t after;
    bool other_epoch;
    size_t most;
    bool recovered;
    size_t count;
} gaps[] = {
    {10, false, 9, true, 0},          {9, false, 9, true, 1},  {6, false, 9, true, 4},
    {6, false, 4, true, 4},           {6, false, 3, true, 3},  {9, false, 1, true, 1},
    {5, false, 9, false, 0},          {0, false, 9, false, 0}, {11, false, 9, false, 0},
    {UINT64_MAX, false, 9, false, 0}, {10, true, 9, false, 0}, {9, true, 9, false, 0},
};

START_TEST(replaying)
{
    oc_stream_t *stream = make(4, 100000);
    oc_stream_part_t part;
    uint64_t epoch = 0;

    for (int i = 0; i < 10; i++)
        epoch = append(stream, "acme", "{}", false).epoch;
    part = replay(stream, "acme", epoch + gaps[_i].other_epoch, gaps[_i].after, gaps[_i].most,
                  SIZE_MAX);
    ck_assert_int_eq(part.recovered, gaps[_i].recovered);
    ck_assert_uint_eq(part.count, gaps[_i].count);
    ck_assert_uint_eq(part.position.epoch, epoch);
    ck_assert_uint_eq(part.position.sequence,
                      gaps[_i].recovered ? gaps[_i].after + gaps[_i].count : 10);
    ck_assert_int_eq(part.more, gaps[_i].recovered && gaps[_i].after + gaps[_i].count < 10);
    oc_stream_free(stream);
}
END_TEST

START_TEST(replaying_what_never_was)
{
    oc_stream_t *stream = make(4, 100000);
    oc_stamp_t begin = oc_stream_position(stream, slice("acme"));

    ck_assert(replay(stream, "acme", begin.epoch, 0, 9, 9).recovered);
    ck_assert(!replay(stream, "acme", begin.epoch, 1, 9, 9).recovered);
    ck_assert(!replay(stream, "acme", begin.epoch - 1, 0, 9, 9).recovered);
    oc_stream_free(stream);
}
END_TEST

START_TEST(so_many_bytes_at_once)
{
    oc_stream_t *stream = make(100, 100000);
    char payload[100];
    uint64_t epoch = 0;

    (void)snprintf(payload, sizeof payload, "{\"a\":\"%60s\"}", "");
    for (int i = 0; i < 10; i++)
        epoch = append(stream, "acme", payload, false).epoch;
    /* Always one, and no more than fit. */
    ck_assert_uint_eq(replay(stream, "acme", epoch, 0, 9, 0).count, 1);
    ck_assert_uint_eq(replay(stream, "acme", epoch, 0, 9, 400).count, 2);
    ck_assert_uint_eq(replay(stream, "acme", epoch, 8, 9, 4000).count, 2);
    oc_stream_free(stream);
}
END_TEST

START_TEST(a_receiver_that_stops)
{
    oc_stream_t *stream = make(100, 100000);
    oc_stream_part_t part;
    oc_stream_gap_t gap = {slice("acme"), 0, 0, 9, 9999};
    given_t given = {.next = 1, .org = "acme", .stop_at = 2};

    for (int i = 0; i < 5; i++)
        gap.epoch = given.epoch = append(stream, "acme", "{}", false).epoch;
    ck_assert_int_eq(oc_stream_replay(stream, &gap, take, &given, &part), OC_E_NOMEM);
    ck_assert_uint_eq(given.count, 2);
    oc_stream_free(stream);
}
END_TEST

START_TEST(what_is_no_object_has_no_number)
{
    static const char *const payloads[] = {"", "[]", "{} {}", "{\"a\":1,}"};
    oc_stream_t *stream = make(4, 100000);

    for (size_t i = 0; i < COUNT(payloads); i++) {
        oc_stream_event_t event = {slice("acme"), "org/acme/invoices", payloads[i],
                                   strlen(payloads[i]), i % 2 ? repeats : (oc_stream_flow_t){0}};
        char *out = NULL;
        size_t len;

        ck_assert_int_eq(oc_stream_append(stream, &event, &memory, &out, &len), OC_E_EVENT_INVALID);
        ck_assert_uint_eq(oc_stream_org_count(stream), 0);
        ck_assert_uint_eq(oc_stream_bytes(stream), 0);
    }
    ck_assert_uint_eq(append(stream, "acme", "{}", false).sequence, 1);
    oc_stream_free(stream);
}
END_TEST

static const struct {
    const char *what;
    oc_stream_flow_t first;
    oc_stream_flow_t second;
    bool keeps; /* its number */
} flows[] = {
    {"before MQTT 5, on one connection", {"a", 1, false, true}, {"a", 1, false, true}, true},
    {"MQTT 5, on one connection", {"a", 1, true, false}, {"a", 1, true, false}, false},
    {"a connection that resumes", {"a", 1, true, false}, {"a", 2, true, false}, true},
    {"a connection that starts clean", {"a", 1, true, false}, {"a", 2, false, false}, false},
    {"another client", {"a", 1, true, true}, {"b", 2, true, true}, false},
    {"another QoS", {"a", 1, true, true}, {NULL, 1, true, true}, false},
};

START_TEST(only_its_own_flow_repeats_an_event)
{
    oc_stream_t *stream = make(8, 100000);

    ck_assert_uint_eq(append_of(stream, "acme", "{}", flows[_i].first).sequence, 1);
    ck_assert_msg(append_of(stream, "acme", "{}", flows[_i].second).sequence ==
                      (flows[_i].keeps ? 1 : 2),
                  "%s", flows[_i].what);
    oc_stream_free(stream);
}
END_TEST

START_TEST(the_same_again)
{
    oc_stream_t *stream = make(3, 100000);
    char other_topic[] = "org/acme/other";
    oc_stream_event_t event = {slice("acme"), other_topic, "{\"a\":1}", 7, repeats};
    char *out = NULL;
    size_t len;

    ck_assert_uint_eq(append(stream, "acme", "{\"a\":1}", true).sequence, 1);
    ck_assert_uint_eq(append(stream, "acme", "{\"a\":2}", true).sequence, 2);
    ck_assert_uint_eq(append(stream, "acme", "{\"a\":1}", true).sequence, 1);
    ck_assert_uint_eq(append(stream, "acme", "{\"a\":2}", true).sequence, 2);
    /* Only where the broker may show it again; the same bytes are another event otherwise. */
    ck_assert_uint_eq(append(stream, "acme", "{\"a\":1}", false).sequence, 3);
    ck_assert_uint_eq(append(stream, "acme", "{\"a\":1}", true).sequence, 1);
    /* Nor on another topic, or of another organization. */
    ck_assert_int_eq(oc_stream_append(stream, &event, &memory, &out, &len), OC_OK);
    ck_assert_uint_eq(stamp_in(out, len).sequence, 4);
    free(out);
    ck_assert_uint_eq(append(stream, "globex", "{\"a\":1}", true).sequence, 1);
    /* 1 is not kept any more. */
    ck_assert_uint_eq(append(stream, "acme", "{\"a\":1}", true).sequence, 5);
    oc_stream_free(stream);
}
END_TEST

/* --- What is kept --- */

START_TEST(nothing_is_kept)
{
    oc_stream_t *stream = make(0, 5000);
    oc_stamp_t first = append(stream, "acme", "{}", true);
    oc_stamp_t last = append(stream, "acme", "{}", true);

    ck_assert_uint_eq(first.sequence, 1);
    ck_assert_uint_eq(last.sequence, 2);
    ck_assert(replay(stream, "acme", last.epoch, 2, 9, 9).recovered);
    ck_assert(!replay(stream, "acme", last.epoch, 1, 9, 9).recovered);
    /* Counters are bounded too: the first organization is forgotten by the many. */
    for (int i = 0; i < 1000; i++) {
        char org[16];

        (void)snprintf(org, sizeof org, "o%d", i);
        (void)append(stream, org, "{}", false);
        unit_check(oc_stream_bytes(stream) <= 5000, "%zu bytes", oc_stream_bytes(stream));
    }
    ck_assert_uint_lt(oc_stream_org_count(stream), 50);
    ck_assert_uint_eq(oc_stream_position(stream, slice("acme")).sequence, 0);
    ck_assert_uint_ne(oc_stream_position(stream, slice("acme")).epoch, last.epoch);
    first = append(stream, "acme", "{}", false);
    ck_assert_uint_eq(first.sequence, 1);
    ck_assert_uint_ne(first.epoch, last.epoch);
    oc_stream_free(stream);
}
END_TEST

/* What was quiet for longest goes first, whoever has more. */
START_TEST(the_oldest_organization_loses_first)
{
    oc_stream_t *stream = make(1000, 40000);
    uint64_t quiet, busy = 0;

    for (int i = 0; i < 20; i++)
        (void)append(stream, "quiet", "{}", false);
    quiet = oc_stream_position(stream, slice("quiet")).epoch;
    for (uint64_t i = 1; oc_stream_position(stream, slice("quiet")).sequence == 20; i++) {
        oc_stamp_t stamp = append(stream, "busy", "{}", false);

        busy = stamp.epoch;
        ck_assert_uint_eq(stamp.sequence, i);
        ck_assert(replay(stream, "busy", busy, 0, 2000, SIZE_MAX).recovered);
        ck_assert_uint_le(oc_stream_bytes(stream), 40000);
    }
    ck_assert_uint_ne(oc_stream_position(stream, slice("quiet")).epoch, quiet);
    /* Then its own go. */
    for (int i = 0; i < 1000; i++)
        (void)append(stream, "busy", "{}", false);
    ck_assert(!replay(stream, "busy", busy, 0, 2000, SIZE_MAX).recovered);
    ck_assert_uint_eq(oc_stream_position(stream, slice("busy")).epoch, busy);
    ck_assert_uint_le(oc_stream_bytes(stream), 40000);
    oc_stream_free(stream);
}
END_TEST

START_TEST(an_event_that_is_too_large)
{
    oc_stream_t *stream = make(1000, 4000);
    char payload[6000];
    oc_stamp_t stamp;

    (void)snprintf(payload, sizeof payload, "{\"a\":\"%5000s\"}", "");
    stamp = append(stream, "quiet", "{}", false);
    (void)append(stream, "acme", "{}", false);
    ck_assert_uint_eq(append(stream, "acme", payload, false).sequence, 2);
    ck_assert_uint_eq(append(stream, "acme", payload, false).sequence, 3);
    /* The organization is still known, and the others' events are still there. */
    ck_assert_uint_eq(append(stream, "acme", "{}", false).sequence, 4);
    ck_assert(replay(stream, "acme", stamp.epoch, 3, 9, 9999).recovered);
    ck_assert(!replay(stream, "acme", stamp.epoch, 2, 9, 9999).recovered);
    ck_assert(replay(stream, "quiet", stamp.epoch, 0, 9, 9999).recovered);
    oc_stream_free(stream);
}
END_TEST

START_TEST(more_may_be_kept_later)
{
    oc_stream_t *stream = make(2, 1000);
    uint64_t epoch = 0;

    oc_stream_keep(stream, 10, 100000);
    oc_stream_keep(stream, 1, 1);
    for (int i = 0; i < 12; i++)
        epoch = append(stream, "acme", "{}", false).epoch;
    ck_assert(replay(stream, "acme", epoch, 2, 99, 99999).recovered);
    ck_assert(!replay(stream, "acme", epoch, 1, 99, 99999).recovered);
    oc_stream_free(stream);
}
END_TEST

/* --- At random --- */

#define RUNS 10000
#define ORGS 5
#define STEPS 60

/* What each organization did since it was last forgotten. */
typedef struct model {
    char name[4];
    bool known;
    uint64_t epoch;
    uint64_t sequence;
    uint64_t epochs[STEPS]; /* all that it ever had */
    size_t epoch_count;
} model_t;

static uint64_t random_state;

static unsigned draw(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

static void random_publish(oc_stream_t *stream, model_t *model)
{
    char payload[512];
    oc_stamp_t before = oc_stream_position(stream, slice(model->name));
    oc_stamp_t stamp;

    (void)snprintf(payload, sizeof payload, "{\"epoch\":7,\"a\":\"%*s\"}",
                   (int)draw(draw(4) ? 40 : 400), "");
    stamp = append(stream, model->name, payload, false);
    unit_check(stamp.epoch == before.epoch && stamp.sequence == before.sequence + 1, "position");
    if (model->known && stamp.epoch == model->epoch) {
        unit_check(stamp.sequence == model->sequence + 1, "not contiguous");
    } else {
        unit_check(stamp.sequence == 1, "a new epoch begins with %llu",
                   (unsigned long long)stamp.sequence);
        for (size_t i = 0; i < model->epoch_count; i++)
            unit_check(model->epochs[i] != stamp.epoch, "an epoch came back");
        model->epochs[model->epoch_count++] = stamp.epoch;
    }
    model->known = true;
    model->epoch = stamp.epoch;
    model->sequence = stamp.sequence;
}

/* From anywhere: whatever is given is right, and what is not given really is not there. */
static void random_replay(const oc_stream_t *stream, const model_t *model, size_t per_org)
{
    uint64_t after = draw((unsigned)model->sequence + 2);
    oc_stamp_t now = oc_stream_position(stream, slice(model->name));
    uint64_t epoch = draw(8) ? now.epoch : model->epoch;
    oc_stream_part_t part = replay(stream, model->name, epoch, after, 1 + draw(10), draw(2000));

    if (epoch != now.epoch || after > now.sequence)
        unit_check(!part.recovered, "recovered out of nothing");
    else if (after == now.sequence)
        unit_check(part.recovered && part.count == 0 && !part.more, "nothing is missed");
    if (part.recovered) {
        unit_check(now.sequence - after <= per_org, "more than are kept");
        unit_check(part.position.sequence == after + part.count, "position");
        unit_check(part.more == (part.position.sequence < now.sequence), "more");
        unit_check(part.more || part.count == now.sequence - after, "count");
        unit_check(part.count > 0 || after == now.sequence, "no progress");
    }
    /* What is behind something that is there, is there. */
    if (part.recovered && after < now.sequence)
        unit_check(replay(stream, model->name, epoch, after + 1, 99, SIZE_MAX).recovered, "a hole");
}

static void run_at_random(uint64_t seed)
{
    model_t models[ORGS] = {0};
    size_t per_org, max_bytes;
    oc_stream_t *stream;

    random_state = seed;
    per_org = draw(12);
    max_bytes = 600 + draw(3000) * (1 + draw(3));
    stream = make(per_org, max_bytes);
    for (size_t i = 0; i < ORGS; i++)
        (void)snprintf(models[i].name, sizeof models[i].name, "o%zu", i);
    for (int step = 0; step < STEPS; step++) {
        model_t *model = &models[draw(ORGS)];

        switch (draw(20)) {
        case 0: /* the broker starts anew */
            oc_stream_free(stream);
            stream = make(per_org, max_bytes);
            break;
        case 1:
        case 2:
        case 3:
        case 4:
        case 5:
            random_replay(stream, model, per_org);
            break;
        default:
            random_publish(stream, model);
        }
        /* One organization's bookkeeping is always there. */
        unit_check(oc_stream_bytes(stream) <= max_bytes + 600, "%zu of %zu bytes",
                   oc_stream_bytes(stream), max_bytes);
    }
    oc_stream_free(stream);
}

START_TEST(at_random)
{
    for (uint64_t seed = 0; seed < RUNS; seed++)
        run_at_random(seed);
}
END_TEST

/* All that was counted is given back. */
START_TEST(bytes_are_counted)
{
    oc_stream_t *stream = make(50, 1000000);
    size_t before;

    for (int i = 0; i < 100; i++)
        (void)append(stream, "acme", "{}", false);
    before = oc_stream_bytes(stream);
    for (int i = 0; i < 1000; i++)
        (void)append(stream, "acme", "{}", true);
    /* Fifty events of one size, whichever they are. */
    ck_assert_uint_eq(oc_stream_bytes(stream), before);
    oc_stream_free(stream);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("stream");

    tcase_add_test(tcase, numbers_begin_at_one);
    tcase_add_test(tcase, each_process_has_its_epoch);
    unit_add_table(tcase, replaying, gaps);
    tcase_add_test(tcase, replaying_what_never_was);
    tcase_add_test(tcase, so_many_bytes_at_once);
    tcase_add_test(tcase, a_receiver_that_stops);
    tcase_add_test(tcase, what_is_no_object_has_no_number);
    unit_add_table(tcase, only_its_own_flow_repeats_an_event, flows);
    tcase_add_test(tcase, the_same_again);
    tcase_add_test(tcase, nothing_is_kept);
    tcase_add_test(tcase, the_oldest_organization_loses_first);
    tcase_add_test(tcase, an_event_that_is_too_large);
    tcase_add_test(tcase, more_may_be_kept_later);
    tcase_add_test(tcase, bytes_are_counted);
    tcase_add_test(tcase, at_random);
    return unit_run("stream", tcase);
}

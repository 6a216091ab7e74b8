/* SPDX-License-Identifier: MIT */
/* What `orgcast listen` makes of live and replayed events, against a model of a broker whose connection
 * loses, repeats and mixes them: each event is printed once, in order, or told as a gap. */
#include <inttypes.h>

#include "merge.h"
#include "oom.h"
#include "place.h"
#include "unit.h"

/* --- A client that writes down what it is told --- */

typedef struct told {
    cli_merge_t merge;
    char text[512];
    int print_max; /* 0: any */
    int printed;
} told_t;

static bool note_print(void *context, const char *payload, size_t len)
{
    told_t *told = context;
    char text[32];

    (void)snprintf(text, sizeof text, "%.*s ", (int)len, payload);
    unit_append(told->text, sizeof told->text, text);
    return ++told->printed != told->print_max;
}

static void note_gap(void *context, const cli_gap_t *gap)
{
    static const char *const kinds[] = {"lost", "restart", "unknown"};
    told_t *told = context;
    char text[64];

    (void)snprintf(text, sizeof text, "%s(%" PRIu64 ",%" PRIu64 ") ", kinds[gap->kind], gap->from,
                   gap->to);
    unit_append(told->text, sizeof told->text, text);
}

static void note_caught_up(void *context, uint64_t printed)
{
    told_t *told = context;
    char text[32];

    (void)snprintf(text, sizeof text, "caught_up(%" PRIu64 ") ", printed);
    unit_append(told->text, sizeof told->text, text);
}

static cli_place_t place(const char *epoch, uint64_t sequence)
{
    cli_place_t out = {.sequence = sequence};

    (void)snprintf(out.epoch, sizeof out.epoch, "%s", epoch);
    return out;
}

/* What a step means: tests/vectors/order.json. */
static cli_place_t read_place(const char *text)
{
    char epoch[2] = {*text, '\0'};

    return place(epoch, strtoull(text + 1, NULL, 10));
}

static void check_want(const told_t *told, const char *wanted)
{
    cli_place_t after = {0};
    char text[64] = "?";

    switch (cli_merge_want(&told->merge, &after)) {
    case CLI_WANT_NOTHING:
        break;
    case CLI_WANT_POSITION:
        (void)snprintf(text, sizeof text, "?p");
        break;
    case CLI_WANT_REPLAY:
        (void)snprintf(text, sizeof text, "?%s%" PRIu64, after.epoch, after.sequence);
        break;
    }
    ck_assert_str_eq(text, wanted);
}

static void answer(told_t *told, const char *step)
{
    const char *slash = strchr(step, '/');
    const cli_merge_answer_t answer = {.recovered = *step != 'n',
                                       .more = *step == 'm',
                                       .replayed = slash ? strtoull(slash + 1, NULL, 10) : 0,
                                       .place = read_place(step + 1)};

    cli_merge_replayed(&told->merge, &answer);
}

static void event(told_t *told, const char *step)
{
    bool counts = *step == '-';
    cli_place_t at;

    if (*step == '*') {
        cli_merge_event(&told->merge, NULL, step + 1, strlen(step + 1));
        return;
    }
    step += counts;
    at = read_place(step);
    cli_merge_event(&told->merge, &at, counts ? NULL : step, strlen(step));
}

static void do_step(told_t *told, const char *step)
{
    cli_place_t at;

    switch (*step) {
    case 'c':
        cli_merge_connected(&told->merge);
        break;
    case 's':
        ck_assert(cli_place_parse(step + 1, &at));
        cli_merge_since(&told->merge, &at);
        break;
    case '?':
        check_want(told, step);
        break;
    case '!':
        cli_merge_asked(&told->merge);
        break;
    case 'p':
        at = read_place(step + 1);
        cli_merge_position(&told->merge, &at);
        break;
    case 'r':
    case 'm':
    case 'n':
        answer(told, step);
        break;
    case 'w':
        cli_merge_not_now(&told->merge);
        break;
    case 'k':
        cli_merge_check(&told->merge);
        break;
    case 'u':
        cli_merge_no_numbers(&told->merge);
        break;
    default:
        event(told, step);
    }
}

static void run_steps(told_t *told, const char *steps)
{
    const cli_merge_sink_t sink = {told, note_print, note_gap, note_caught_up};
    char copy[512];
    char *rest = copy;
    char *step;

    (void)snprintf(copy, sizeof copy, "%s", steps);
    cli_merge_init(&told->merge, &sink);
    while ((step = strtok_r(rest, " ", &rest)))
        do_step(told, step);
    cli_merge_done(&told->merge);
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* tests/vectors/order.json, which says what a step means. The page's client runs the same cases. */
START_TEST(vectors)
{
    json_t *file = json_load_file(ORGCAST_VECTORS "/order.json", JSON_REJECT_DUPLICATES, NULL);
    json_t *cases = json_object_get(file, "cases");
    size_t i;
    json_t *one;

    ck_assert_uint_gt(json_array_size(cases), 0);
    json_array_foreach(cases, i, one)
    {
        told_t told = {0};
        char expected[512];

        run_steps(&told, text_of(one, "steps"));
        (void)snprintf(expected, sizeof expected, "%s ", text_of(one, "effects"));
        unit_check(strcmp(told.text, expected) == 0, "%s: %s", text_of(one, "what"), told.text);
    }
    json_decref(file);
}
END_TEST

START_TEST(stopping)
{
    told_t told = {.print_max = 2};

    run_steps(&told, "sa:5 c ! a8 a7 a6 ra8/3 ? a9 *x");
    ck_assert_str_eq(told.text, "a6 a7 ");
}
END_TEST

/* --- What is held --- */

static void feed(told_t *told, uint64_t from, uint64_t to, size_t len)
{
    char *payload = calloc(1, len + 1);

    memset(payload, 'x', len);
    for (uint64_t i = from; i <= to; i++) {
        cli_place_t at = place("a", i);

        cli_merge_event(&told->merge, &at, payload, len);
    }
    free(payload);
}

static void begin(told_t *told)
{
    const cli_merge_sink_t sink = {told, note_print, note_gap, note_caught_up};
    cli_place_t at = place("a", 0);

    cli_merge_init(&told->merge, &sink);
    cli_merge_since(&told->merge, &at);
    cli_merge_connected(&told->merge);
}

START_TEST(held_is_bounded)
{
    told_t told = {0};

    begin(&told);
    feed(&told, 2, 2 * CLI_MERGE_HELD_MAX, 1);
    ck_assert_uint_eq(told.merge.held_count, CLI_MERGE_HELD_MAX);
    feed(&told, 4 * CLI_MERGE_HELD_MAX, 4 * CLI_MERGE_HELD_MAX, 1);
    ck_assert_uint_eq(told.merge.held_count, CLI_MERGE_HELD_MAX);
    feed(&told, 1, 1, 1);
    ck_assert_uint_eq(told.merge.held_count, 0);
    ck_assert_uint_eq(told.merge.held_bytes, 0);
    ck_assert_uint_eq(told.merge.last.sequence, CLI_MERGE_HELD_MAX + 1);
    check_want(&told, "?a1025");
    cli_merge_done(&told.merge);
}
END_TEST

START_TEST(held_bytes_are_bounded)
{
    told_t told = {0};

    begin(&told);
    feed(&told, 9, 9, 2 * CLI_MERGE_HELD_BYTES_MAX);
    ck_assert_uint_eq(told.merge.held_count, 1);
    feed(&told, 10, 10, 1);
    ck_assert_uint_eq(told.merge.held_count, 1);
    /* An earlier one takes its place. */
    feed(&told, 3, 8, CLI_MERGE_HELD_BYTES_MAX / 4);
    ck_assert_uint_eq(told.merge.held_count, 4);
    ck_assert_uint_le(told.merge.held_bytes, CLI_MERGE_HELD_BYTES_MAX);
    ck_assert_uint_eq(told.merge.tip, 10);
    cli_merge_done(&told.merge);
}
END_TEST

/* --- The model --- */

#define EVENTS_MAX 6000
#define STEPS 1500
#define LANE_MAX 20000
#define EPOCHS_MAX 64

typedef enum packet_kind {
    PACKET_EVENT,
    PACKET_POSITION,
    PACKET_REPLAYED,
    PACKET_NOT_NOW,
} packet_kind_t;

typedef struct packet {
    packet_kind_t kind;
    int id; /* of the event; PACKET_POSITION: of the last event */
    cli_merge_answer_t answer;
} packet_t;

typedef struct lane {
    packet_t packets[LANE_MAX];
    size_t first, end;
} lane_t;

typedef struct model_rules {
    const char *what;
    uint64_t keep;
    int loss; /* in a thousand live events */
    int replay_loss;
    int restarts; /* in a thousand steps */
    int oom;      /* in a thousand events */
    bool since;
    bool hidden; /* some events are others' */
} model_rules_t;

typedef struct model {
    const model_rules_t *rules;
    uint64_t random;
    cli_merge_t merge;
    bool up, subscribed, faults;
    int epoch;
    int bases[EPOCHS_MAX]; /* an event's id is its epoch's base and its sequence */
    uint64_t sequence;
    bool hidden[EVENTS_MAX], unwanted[EVENTS_MAX], printed[EVENTS_MAX], gap[EVENTS_MAX];
    int last_printed, start, restart_from;
    lane_t live, control;
} model_t;

static uint64_t draw(model_t *model, uint64_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return (model->random >> 11) % below;
}

static bool chance(model_t *model, int in_thousand)
{
    return model->faults && (int)draw(model, 1000) < in_thousand;
}

static int id_of(const model_t *model, int epoch, uint64_t sequence)
{
    return model->bases[epoch] + (int)sequence;
}

static int epoch_of(const model_t *model, int id)
{
    int epoch = model->epoch;

    while (model->bases[epoch] >= id)
        epoch--;
    return epoch;
}

static cli_place_t place_of(const model_t *model, int id)
{
    int epoch = epoch_of(model, id);
    cli_place_t at = {.sequence = (uint64_t)(id - model->bases[epoch])};

    (void)snprintf(at.epoch, sizeof at.epoch, "%016x", epoch + 1);
    return at;
}

static cli_place_t present(const model_t *model)
{
    cli_place_t at = {.sequence = model->sequence};

    (void)snprintf(at.epoch, sizeof at.epoch, "%016x", model->epoch + 1);
    return at;
}

static int clients_epoch(const model_t *model)
{
    return (int)strtol(model->merge.last.epoch, NULL, 16) - 1;
}

static void push(lane_t *lane, packet_t packet)
{
    unit_check(lane->end < LANE_MAX, "the model is too small");
    lane->packets[lane->end++] = packet;
}

static bool model_print(void *context, const char *payload, size_t len)
{
    model_t *model = context;
    int id = 0;

    for (size_t i = 0; i < len; i++)
        id = id * 10 + (payload[i] - '0');
    unit_check(id > model->last_printed, "%s: %d after %d", model->rules->what, id,
               model->last_printed);
    unit_check(!model->unwanted[id], "%s: %d only counts", model->rules->what, id);
    model->last_printed = id;
    model->printed[id] = true;
    return true;
}

static void model_gap(void *context, const cli_gap_t *gap)
{
    model_t *model = context;
    int epoch = clients_epoch(model);

    switch (gap->kind) {
    case CLI_GAP_LOST:
        for (uint64_t i = gap->from; i <= gap->to; i++)
            model->gap[id_of(model, epoch, i)] = true;
        break;
    case CLI_GAP_RESTART:
        model->restart_from = id_of(model, epoch, gap->from);
        break;
    case CLI_GAP_UNKNOWN:
        break;
    }
}

static void model_caught_up(void *context, uint64_t printed)
{
    (void)context;
    (void)printed;
}

static void publish(model_t *model)
{
    int id = id_of(model, model->epoch, model->sequence + 1);

    /* The last one is for the end. */
    if (id >= EVENTS_MAX - model->faults)
        return;
    model->sequence++;
    model->hidden[id] = model->faults && model->rules->hidden && draw(model, 5) == 0;
    model->unwanted[id] = draw(model, 5) == 0;
    if (model->hidden[id] || !model->up || !model->subscribed || chance(model, model->rules->loss))
        return;
    push(&model->live, (packet_t){.kind = PACKET_EVENT, .id = id});
    if (chance(model, 20))
        push(&model->live, (packet_t){.kind = PACKET_EVENT, .id = id - (int)draw(model, 3)});
}

static void broker_replay(model_t *model, const cli_place_t *after)
{
    packet_t packet = {.kind = PACKET_REPLAYED, .answer = {.place = present(model)}};
    cli_merge_answer_t *answer = &packet.answer;
    uint64_t missed = model->sequence - after->sequence;
    uint64_t most = 1 + draw(model, 40);

    answer->recovered = strcmp(after->epoch, answer->place.epoch) == 0 &&
                        after->sequence <= model->sequence && missed <= model->rules->keep;
    if (answer->recovered) {
        answer->more = missed > most;
        answer->place.sequence = after->sequence + (answer->more ? most : missed);
        for (uint64_t i = after->sequence + 1; i <= answer->place.sequence; i++) {
            int id = id_of(model, model->epoch, i);

            answer->replayed += !model->hidden[id];
            if (!model->hidden[id] && !chance(model, model->rules->replay_loss))
                push(&model->control, (packet_t){.kind = PACKET_EVENT, .id = id});
        }
    }
    push(&model->control, packet);
}

static void ask(model_t *model)
{
    cli_place_t after;

    switch (cli_merge_want(&model->merge, &after)) {
    case CLI_WANT_NOTHING:
        return;
    case CLI_WANT_POSITION:
        cli_merge_asked(&model->merge);
        push(&model->control, (packet_t){.kind = PACKET_POSITION,
                                         .id = id_of(model, model->epoch, model->sequence),
                                         .answer = {.place = present(model)}});
        return;
    case CLI_WANT_REPLAY:
        if (!model->subscribed)
            return;
        cli_merge_asked(&model->merge);
        if (chance(model, 100))
            push(&model->control, (packet_t){.kind = PACKET_NOT_NOW});
        else
            broker_replay(model, &after);
        return;
    }
}

static void deliver_event(model_t *model, int id)
{
    char payload[16];
    size_t len = (size_t)snprintf(payload, sizeof payload, "%d", id);
    cli_place_t at;

    if (id <= 0 || model->hidden[id])
        return;
    at = place_of(model, id);
    if (chance(model, model->rules->oom))
        oom_arm((long)draw(model, 2), false);
    cli_merge_event(&model->merge, &at, model->unwanted[id] ? NULL : payload, len);
    oom_disarm();
}

static void deliver(model_t *model, lane_t *lane)
{
    const packet_t *packet = &lane->packets[lane->first];

    if (lane->first == lane->end)
        return;
    lane->first++;
    switch (packet->kind) {
    case PACKET_EVENT:
        deliver_event(model, packet->id);
        break;
    case PACKET_POSITION:
        if (!*model->merge.last.epoch && !model->rules->since)
            model->start = packet->id;
        cli_merge_position(&model->merge, &packet->answer.place);
        break;
    case PACKET_REPLAYED:
        model->restart_from = -1;
        cli_merge_replayed(&model->merge, &packet->answer);
        if (model->restart_from >= 0) {
            for (int id = model->restart_from + 1; id <= model->bases[clients_epoch(model)]; id++)
                model->gap[id] = true;
        }
        break;
    case PACKET_NOT_NOW:
        cli_merge_not_now(&model->merge);
        break;
    }
    if (lane->first == lane->end)
        lane->first = lane->end = 0;
}

static void disconnect(model_t *model)
{
    model->up = model->subscribed = false;
    model->live.first = model->live.end = model->control.first = model->control.end = 0;
}

static void connect(model_t *model)
{
    if (model->up)
        return;
    model->up = true;
    cli_merge_connected(&model->merge);
}

static void begin_epoch(model_t *model)
{
    if (model->epoch + 1 == EPOCHS_MAX)
        return;
    model->bases[model->epoch + 1] = id_of(model, model->epoch, model->sequence);
    model->epoch++;
    model->sequence = 0;
}

static void random_step(model_t *model)
{
    uint64_t kind = draw(model, 100);

    if (chance(model, model->rules->restarts)) {
        if (draw(model, 2))
            disconnect(model);
        begin_epoch(model);
    }
    if (draw(model, 400) == 0)
        for (int i = 0; i < 1300; i++)
            publish(model);
    if (kind < 25)
        publish(model);
    else if (kind < 50)
        deliver(model, &model->live);
    else if (kind < 75)
        deliver(model, &model->control);
    else if (kind < 77)
        disconnect(model);
    else if (kind < 82)
        connect(model);
    else if (kind < 90)
        model->subscribed = model->up;
    else if (model->up)
        ask(model);
}

static void settle(model_t *model)
{
    model->faults = false;
    connect(model);
    for (int i = 0; i < 4 * EVENTS_MAX; i++) {
        ask(model);
        model->subscribed = true;
        deliver(model, &model->live);
        deliver(model, &model->control);
    }
}

static void check_all(const model_t *model, uint64_t seed)
{
    int end = id_of(model, model->epoch, model->sequence);

    for (int id = 1; id <= end; id++) {
        bool wanted = id > model->start && !model->hidden[id] && !model->unwanted[id];
        bool lossless = model->rules->keep > EVENTS_MAX && model->rules->restarts == 0;

        unit_check(model->printed[id] || !wanted || model->gap[id],
                   "%s, seed %" PRIu64 ": %d of %d is missing", model->rules->what, seed, id, end);
        unit_check(!model->printed[id] || (wanted && !model->gap[id]),
                   "%s, seed %" PRIu64 ": %d was told as a gap", model->rules->what, seed, id);
        unit_check(!lossless || !model->gap[id], "%s, seed %" PRIu64 ": %d is no gap",
                   model->rules->what, seed, id);
    }
}

#define ALL (UINT64_C(1) << 40)

static const model_rules_t models[] = {
    {.what = "nothing goes wrong but the connection", .keep = ALL},
    {.what = "live events are lost", .keep = ALL, .loss = 100},
    {.what = "others' events", .keep = ALL, .loss = 100, .hidden = true},
    {.what = "since", .keep = ALL, .loss = 100, .since = true, .hidden = true},
    {.what = "no memory", .keep = ALL, .loss = 200, .oom = 300, .since = true},
    {.what = "replayed events are lost", .keep = 4000, .loss = 100, .replay_loss = 300},
    {.what = "few are kept", .keep = 20, .loss = 50},
    {.what = "few are kept, all goes wrong",
     .keep = 20,
     .loss = 50,
     .replay_loss = 100,
     .restarts = 10,
     .oom = 50,
     .hidden = true},
    {.what = "none are kept", .keep = 0, .loss = 50, .since = true},
    {.what = "restarts", .keep = ALL, .loss = 50, .restarts = 10},
    {.what = "restarts, since", .keep = 100, .loss = 50, .restarts = 20, .since = true},
};

#define SEEDS 60

START_TEST(a_model_of_a_broker)
{
    model_t *model = malloc(sizeof *model);

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const cli_merge_sink_t sink = {model, model_print, model_gap, model_caught_up};
        cli_place_t zero;

        memset(model, 0, sizeof *model);
        model->rules = &models[_i];
        model->random = seed * UINT64_C(0x9E3779B97F4A7C15);
        model->faults = true;
        cli_merge_init(&model->merge, &sink);
        if (model->rules->since) {
            zero = present(model);
            cli_merge_since(&model->merge, &zero);
        }
        for (int i = 0; i < STEPS; i++)
            random_step(model);
        settle(model);
        publish(model);
        settle(model);
        check_all(model, seed);
        cli_merge_done(&model->merge);
    }
    free(model);
}
END_TEST

/* --- Places --- */

static const struct {
    const char *text;
    bool good;
    const char *epoch;
    uint64_t sequence;
} texts[] = {
    {"0", true, "", 0},
    {"17", true, "", 17},
    {"00000000000000000017", true, "", 17},
    {"18446744073709551615", true, "", UINT64_MAX},
    {"0123456789abcdef:4", true, "0123456789abcdef", 4},
    {"18446744073709551616", false, "", 0},
    {"000000000000000000017", false, "", 0},
    {"", false, "", 0},
    {"-1", false, "", 0},
    {"+1", false, "", 0},
    {" 1", false, "", 0},
    {"1 ", false, "", 0},
    {"1x", false, "", 0},
    {"0x1", false, "", 0},
    {":4", false, "", 0},
    {"a:", false, "", 0},
    {"a:b", false, "", 0},
    {"a:1:2", false, "", 0},
    {"a-b:1", false, "", 0},
    {"0123456789abcdef0123456789abcdef0:4", false, "", 0},
};

START_TEST(places)
{
    cli_place_t at = {0};

    ck_assert_msg(cli_place_parse(texts[_i].text, &at) == texts[_i].good, "'%s'", texts[_i].text);
    ck_assert_str_eq(at.epoch, texts[_i].epoch);
    ck_assert_uint_eq(at.sequence, texts[_i].sequence);
}
END_TEST

static const struct {
    const char *json;
    bool good;
} objects[] = {
    {"{\"epoch\":\"0123456789abcdef\",\"sequence\":\"00000000000000000007\"}", true},
    {"{\"epoch\":\"\",\"sequence\":\"7\"}", false},
    {"{\"epoch\":\"a\"}", false},
    {"{\"sequence\":\"7\"}", false},
    {"{\"epoch\":\"a\",\"sequence\":7}", false},
    {"{\"epoch\":1,\"sequence\":\"7\"}", false},
    {"{\"epoch\":\"a\",\"sequence\":\"-7\"}", false},
};

START_TEST(places_of_objects)
{
    json_t *json = json_loads(objects[_i].json, 0, NULL);
    cli_place_t at = {0};

    ck_assert_msg(cli_place_get(json, &at) == objects[_i].good, "%s", objects[_i].json);
    ck_assert_uint_eq(at.sequence, objects[_i].good ? 7 : 0);
    json_decref(json);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("merge");

    oom_install();
    tcase_add_test(tcase, vectors);
    tcase_add_test(tcase, stopping);
    tcase_add_test(tcase, held_is_bounded);
    tcase_add_test(tcase, held_bytes_are_bounded);
    unit_add_table(tcase, a_model_of_a_broker, models);
    unit_add_table(tcase, places, texts);
    unit_add_table(tcase, places_of_objects, objects);
    return unit_run("merge", tcase);
}

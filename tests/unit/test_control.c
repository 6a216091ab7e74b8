/* SPDX-License-Identifier: MIT */
/* The gate and the commands without a broker: what each does, and that want of memory at any point is told
 * and changes nothing. What a client meets is in tests/integration/test_control.py. */
#include <stdio.h>
#include <string.h>

#include "control.h"
#include "json.h"
#include "mem.h"
#include "oom.h"
#include "scratch.h"
#include "test_keys.h"
#include "token_sign.h"
#include "unit.h"

#define NOW_S 1000

static oc_config_t config;
static oc_shared_t shared;
static oc_gate_t gate;
static char *member; /* tokens */
static char *renewed;
static char *admin;
static char visitors[8]; /* clients are told apart by address alone */
static size_t sent;      /* events that replays gave */
static bool sends;       /* the broker has memory for them */

static char *sign(const char *subject, const char *org, const char *scope)
{
    const token_key_t key = {NULL, test_secret, 64};
    char claims[256];

    (void)snprintf(
        claims, sizeof claims,
        "{\"sub\":\"%s\",\"org_id\":\"%s\",\"scope\":\"%s\",\"jti\":\"of-%s-%s\",\"iat\":900,"
        "\"exp\":2000}",
        subject, org, scope, subject, org);
    return token_sign("HS256", &key, "{\"alg\":\"HS256\"}", claims);
}

static oc_err_t enter(int client, const char *id, const char *bytes)
{
    const oc_gate_client_t visitor = {
        .client = &visitors[client], .id = id, .address = "192.0.2.1", .clean_start = true};
    oc_identity_t *identity = NULL;
    oc_gate_token_t token;
    oc_err_t err = OC_E_NOMEM;

    if (oc_gate_token(&gate, bytes, strlen(bytes), &token))
        err = oc_gate_check(&gate, &visitor, &token, NOW_S, &identity, NULL);
    if (!err)
        err = oc_gate_enter(&gate, &visitor, &token, identity, NULL);
    if (err)
        oc_identity_unref(identity);
    return err;
}

static const oc_stamp_memory_t libc = {malloc, free};

/* Events of an organization, the first of them number 1. */
static void publish(const char *org, int count)
{
    for (int i = 0; i < count; i++) {
        const oc_stream_event_t event = {
            {org, strlen(org)}, "org/initech/invoices/paid/inv-1", "{\"a\":1}", 7, {0}};
        char *payload;
        size_t len;

        ck_assert_int_eq(oc_stream_append(shared.stream, &event, &libc, &payload, &len), OC_OK);
        free(payload);
    }
}

static void make(void)
{
    oc_option_t options[] = {{"jwt_secret_file", NULL}, {"max_connections_per_subject", "5"}};
    oc_diag_t diag = {0};

    scratch_open();
    options[0].value = scratch_file("secret", test_secret, 64);
    ck_assert_msg(oc_config_init(&config, options, COUNT(options), &diag) == OC_OK, "%s",
                  diag.message);
    ck_assert_int_eq(oc_shared_join(&shared, &config, NOW_S, &diag), OC_OK);
    ck_assert_int_eq(oc_gate_init(&gate, &config, &shared, NULL, NULL, &diag), OC_OK);
    member = sign("ann", "acme", "");
    renewed = sign("ann", "globex", "");
    admin = sign("ops", "initech", "orgcast:admin");
    ck_assert_int_eq(enter(0, "ann", member), OC_OK);
    ck_assert_int_eq(enter(1, "ops", admin), OC_OK);
    publish("initech", 3);
    sends = true;
    sent = 0;
}

static void unmake(void)
{
    oc_gate_done(&gate);
    oc_shared_leave(&shared);
    oc_config_done(&config);
    free(member);
    free(renewed);
    free(admin);
    scratch_close();
}

static oc_session_t *session_of(int client, const char *id)
{
    return oc_sessions_find(shared.sessions, &visitors[client], id);
}

static void ignore(void *context, const oc_control_outcome_t *outcome)
{
    (void)context;
    (void)outcome;
}

static bool send_event(void *context, const char *topic, const char *payload, size_t len)
{
    (void)context;
    /* check's own assertions would allocate. */
    if (!sends || strcmp(topic, "org/initech/invoices/paid/inv-1") != 0 || len == 0 ||
        payload[0] != '{')
        return false;
    sent++;
    return true;
}

static const oc_control_broker_t broker = {ignore, true, send_event, NULL};

static oc_err_t handle(int client, const char *id, const char *request, oc_control_answer_t *ret)
{
    const oc_control_asker_t asker = {session_of(client, id), id, "192.0.2.1"};

    return oc_control_handle(&gate, &asker, request, strlen(request), NOW_S, &broker, ret);
}

/* The single response to a command of the administrator; new. */
static json_t *ask(const char *request)
{
    OC_CLEANUP(oc_json_decrefp) json_t *answer = NULL;
    oc_control_answer_t text = {0};

    ck_assert_int_eq(handle(1, "ops", request, &text), OC_OK);
    ck_assert_int_eq(oc_json_load(text.text, strlen(text.text), &answer, NULL), OC_OK);
    free(text.text);
    free(text.failed_text);
    return json_incref(json_array_get(json_object_get(answer, "responses"), 0));
}

static const struct {
    const char *name;
    const char *request; /* of the administrator */
    const char *data;    /* a member of its data */
} requests[] = {
    {"whoami", "{\"commands\":[{\"command\":\"whoami\",\"correlationData\":\"c\"}]}", "subject"},
    {"listSessions", "{\"commands\":[{\"command\":\"listSessions\"}]}", "sessions"},
    {"kick", "{\"commands\":[{\"command\":\"kick\",\"subject\":\"ann\"}]}", "kicked"},
    {"revoke", "{\"commands\":[{\"command\":\"revoke\",\"jti\":\"x\"}]}", "sessions"},
    {"listRevocations", "{\"commands\":[{\"command\":\"listRevocations\"}]}", "revocations"},
    {"stats", "{\"commands\":[{\"command\":\"stats\"}]}", "sessions"},
    {"position", "{\"commands\":[{\"command\":\"position\",\"organizationId\":\"initech\"}]}",
     "epoch"},
    {"replay",
     "{\"commands\":[{\"command\":\"replay\",\"organizationId\":\"initech\",\"epoch\":\"0\","
     "\"after\":0}]}",
     "recovered"},
};

START_TEST(commands)
{
    OC_CLEANUP(oc_json_decrefp) json_t *response = ask(requests[_i].request);

    ck_assert_msg(json_object_get(json_object_get(response, "data"), requests[_i].data) != NULL,
                  "%s", requests[_i].name);
}
END_TEST

static const char *request_text;

/* Either there is no answer, or it is a whole one. */
static void body_command(bool failing)
{
    oc_control_answer_t answer = {0};
    oc_err_t err;

    err = handle(1, "ops", request_text, &answer);
    WANT(err == OC_OK || (failing && err == OC_E_NOMEM));
    WANT(err != OC_OK || (answer.text && strncmp(answer.text, "{\"responses\":[", 14) == 0 &&
                          answer.text[strlen(answer.text) - 1] == '}'));
    WANT(failing || !strstr(answer.text, "\"code\":\"out_of_memory\""));
    WANT(session_of(0, "ann") && oc_session_identity(session_of(0, "ann")));
    free(answer.text);
    free(answer.failed_text);
}

START_TEST(commands_without_memory)
{
    request_text = requests[_i].request;
    oom_each_allocation(requests[_i].name, body_command);
}
END_TEST

/* The session is refreshed, or as it was; never between. */
static void body_refresh(bool failing)
{
    static char request[2048];
    bool armed = oom_memory.armed;
    const oc_identity_t *before;
    const oc_identity_t *after;
    oc_control_answer_t answer = {0};
    oc_err_t err;

    oom_memory.armed = false;
    ck_assert_int_eq(enter(0, "ann", member), OC_OK);
    before = oc_session_identity(session_of(0, "ann"));
    (void)snprintf(request, sizeof request,
                   "{\"commands\":[{\"command\":\"refresh\",\"token\":\"%s\"}]}", renewed);
    oom_memory.armed = armed;
    err = handle(0, "ann", request, &answer);
    after = oc_session_identity(session_of(0, "ann"));
    WANT(err == OC_OK || (failing && err == OC_E_NOMEM));
    WANT(after == before ? oc_identity_has_org(after, "acme", 4)
                         : oc_identity_has_org(after, "globex", 6));
    WANT(failing || after != before);
    WANT(strcmp(after->subject, "ann") == 0);
    free(answer.text);
    free(answer.failed_text);
}

START_TEST(refreshing_without_memory)
{
    oom_each_allocation("refresh", body_refresh);
}
END_TEST

/* A client without a session, or with one. */
static void body_connect(bool failing)
{
    size_t before = oc_sessions_count(shared.sessions);
    oc_err_t err = enter(2, "new", member);

    WANT(err == (failing ? OC_E_NOMEM : OC_OK));
    WANT(oc_sessions_count(shared.sessions) == before + !failing);
    oc_sessions_drop(shared.sessions, &visitors[2]);
}

START_TEST(connecting_without_memory)
{
    oom_each_allocation("connect", body_connect);
}
END_TEST

/* --- position and replay --- */

static char epoch[OC_STAMP_EPOCH_LEN + 1];

static void now_epoch(void)
{
    oc_stamp_epoch(oc_stream_position(shared.stream, (oc_slice_t){"initech", 7}).epoch, epoch);
}

static json_t *replay(const char *members)
{
    char request[512];

    (void)snprintf(request, sizeof request, "{\"commands\":[{\"command\":\"replay\"%s}]}", members);
    return ask(request);
}

/* after: JSON */
static json_t *replay_after(const char *after)
{
    char members[256];

    now_epoch();
    (void)snprintf(members, sizeof members,
                   ",\"organizationId\":\"initech\",\"epoch\":\"%s\",\"after\":%s", epoch, after);
    return replay(members);
}

static const struct {
    const char *name;
    const char *after;
    size_t sent;
    bool recovered;
    const char *sequence;
} replays[] = {
    {"all", "0", 3, true, "00000000000000000003"},
    {"a number", "1", 2, true, "00000000000000000003"},
    {"digits", "\"2\"", 1, true, "00000000000000000003"},
    {"padded digits", "\"00000000000000000002\"", 1, true, "00000000000000000003"},
    {"nothing is missed", "3", 0, true, "00000000000000000003"},
    {"a number that there was never", "4", 0, false, "00000000000000000003"},
    {"the greatest number", "\"99999999999999999999\"", 0, false, "00000000000000000003"},
};

START_TEST(replay_gives_what_is_behind)
{
    OC_CLEANUP(oc_json_decrefp) json_t *response = replay_after(replays[_i].after);
    const json_t *data = json_object_get(response, "data");
    const json_t *count = json_object_get(data, "replayed");

    ck_assert_msg(json_is_boolean(json_object_get(data, "recovered")), "%s", replays[_i].name);
    ck_assert_int_eq(json_is_true(json_object_get(data, "recovered")), replays[_i].recovered);
    ck_assert_str_eq(json_string_value(json_object_get(data, "sequence")), replays[_i].sequence);
    ck_assert_str_eq(json_string_value(json_object_get(data, "epoch")), epoch);
    ck_assert_uint_eq(sent, replays[_i].sent);
    ck_assert_int_eq(count != NULL, replays[_i].recovered);
    ck_assert_int_eq(json_integer_value(count), (json_int_t)sent);
    ck_assert_int_eq(json_is_false(json_object_get(data, "more")), replays[_i].recovered);
    ck_assert_uint_eq(shared.metrics.replays_recovered, replays[_i].recovered);
    ck_assert_uint_eq(shared.metrics.replays_not_recovered, !replays[_i].recovered);
}
END_TEST

static const struct {
    const char *members;
    const char *code;
} bad_replays[] = {
    {"", "request_invalid"},
    {",\"organizationId\":1,\"epoch\":\"0\",\"after\":0", "request_invalid"},
    {",\"organizationId\":\"a/b\",\"epoch\":\"0\",\"after\":0", "request_invalid"},
    {",\"organizationId\":\"acme\",\"epoch\":\"0\",\"after\":0", "topic_not_allowed"},
    {",\"organizationId\":\"initech\",\"after\":0", "request_invalid"},
    {",\"organizationId\":\"initech\",\"epoch\":0,\"after\":0", "request_invalid"},
    {",\"organizationId\":\"initech\",\"epoch\":\"0\"", "request_invalid"},
    {",\"organizationId\":\"initech\",\"epoch\":\"0\",\"after\":-1", "request_invalid"},
    {",\"organizationId\":\"initech\",\"epoch\":\"0\",\"after\":1.0", "request_invalid"},
    {",\"organizationId\":\"initech\",\"epoch\":\"0\",\"after\":\"\"", "request_invalid"},
    {",\"organizationId\":\"initech\",\"epoch\":\"0\",\"after\":\"-1\"", "request_invalid"},
    {",\"organizationId\":\"initech\",\"epoch\":\"0\",\"after\":\"000000000000000000001\"",
     "request_invalid"},
};

START_TEST(replay_refuses)
{
    OC_CLEANUP(oc_json_decrefp) json_t *response = replay(bad_replays[_i].members);

    ck_assert_msg(json_is_string(json_object_get(response, "error")), "%s",
                  bad_replays[_i].members);
    ck_assert_str_eq(json_string_value(json_object_get(response, "code")), bad_replays[_i].code);
    ck_assert_ptr_null(json_object_get(response, "data"));
    ck_assert_uint_eq(sent, 0);
}
END_TEST

START_TEST(replay_of_another_epoch_is_not_recovered)
{
    OC_CLEANUP(oc_json_decrefp)
    json_t *response =
        replay(",\"organizationId\":\"initech\",\"epoch\":\"0123456789abcdef\",\"after\":0");

    ck_assert(json_is_false(json_object_get(json_object_get(response, "data"), "recovered")));
    ck_assert_uint_eq(sent, 0);
}
END_TEST

START_TEST(replay_comes_in_pages)
{
    OC_CLEANUP(oc_json_decrefp) json_t *first = NULL;
    OC_CLEANUP(oc_json_decrefp) json_t *second = NULL;

    publish("initech", OC_CONTROL_REPLAY_EVENTS_MAX);
    first = replay_after("0");
    ck_assert_uint_eq(sent, OC_CONTROL_REPLAY_EVENTS_MAX);
    ck_assert(json_is_true(json_object_get(json_object_get(first, "data"), "more")));
    ck_assert_str_eq(json_string_value(json_object_get(json_object_get(first, "data"), "sequence")),
                     "00000000000000000512");
    second = replay_after("512");
    ck_assert_uint_eq(sent, OC_CONTROL_REPLAY_EVENTS_MAX + 3);
    ck_assert(json_is_false(json_object_get(json_object_get(second, "data"), "more")));
}
END_TEST

/* What is sent to a connection for the asking is bounded: replays end before other answers do. */
START_TEST(answers_are_bounded)
{
    static const char whoami[] = "{\"commands\":[{\"command\":\"whoami\"}]}";
    static const char replay_acme[] =
        "{\"commands\":[{\"command\":\"replay\",\"organizationId\":"
        "\"acme\",\"epoch\":\"0\",\"after\":0}]}";
    oc_session_t *ann = session_of(0, "ann");
    uint32_t before = oc_gate_answers_left(&gate, ann, NOW_S);
    oc_control_answer_t answer = {0};

    ck_assert_uint_eq(before, OC_GATE_ANSWERS_BURST);
    ck_assert_int_eq(handle(0, "ann", whoami, &answer), OC_OK);
    ck_assert_uint_ge(before - oc_gate_answers_left(&gate, ann, NOW_S),
                      strlen(answer.text) + strlen(whoami) + OC_GATE_ANSWER_OVERHEAD);
    free(answer.text);
    oc_gate_note_answer(&gate, ann, NOW_S, OC_GATE_ANSWERS_BURST - 2097152);
    ck_assert_int_eq(handle(0, "ann", replay_acme, &answer), OC_OK);
    ck_assert_ptr_nonnull(strstr(answer.text, "\"code\":\"limit_rate\""));
    free(answer.text);
    ck_assert_int_eq(handle(0, "ann", whoami, &answer), OC_OK);
    ck_assert_ptr_nonnull(strstr(answer.text, "\"subject\""));
    free(answer.text);
    /* Then it is told to wait, and in the end it is told nothing. */
    oc_gate_note_answer(&gate, ann, NOW_S, 1048576);
    ck_assert_int_eq(handle(0, "ann", whoami, &answer), OC_OK);
    ck_assert_ptr_nonnull(strstr(answer.text, "\"code\":\"limit_rate\""));
    free(answer.text);
    answer = (oc_control_answer_t){0};
    oc_gate_note_answer(&gate, ann, NOW_S, SIZE_MAX);
    ck_assert_int_eq(handle(0, "ann", whoami, &answer), OC_E_LIMIT_RATE);
    ck_assert_ptr_null(answer.text);
    ck_assert_uint_eq(oc_gate_answers_left(&gate, ann, NOW_S + 1), OC_GATE_ANSWERS_PER_S);
    /* Of an administrator much is expected. */
    oc_gate_note_answer(&gate, session_of(1, "ops"), NOW_S, SIZE_MAX);
    ck_assert_int_eq(handle(1, "ops", whoami, &answer), OC_OK);
    free(answer.text);
}
END_TEST

/* A request that asks for many checks of a signature gets some of them. */
START_TEST(refreshes_in_a_request_are_bounded)
{
    static const char command[] = "{\"command\":\"refresh\",\"token\":\"a.b.c\"}";
    char request[64 * sizeof command + 64];
    int len = snprintf(request, sizeof request, "{\"commands\":[%s", command);
    oc_control_answer_t answer = {0};
    size_t checked = 0;

    for (int i = 1; i < OC_CONTROL_COMMANDS_MAX; i++)
        len += snprintf(request + len, sizeof request - (size_t)len, ",%s", command);
    (void)snprintf(request + len, sizeof request - (size_t)len, "]}");
    ck_assert_int_eq(handle(0, "ann", request, &answer), OC_OK);
    for (const char *at = answer.text; (at = strstr(at, "token_malformed")); at++)
        checked++;
    ck_assert_uint_ge(checked, 8);
    ck_assert_uint_le(checked, 16);
    ck_assert_ptr_nonnull(strstr(answer.text, "\"code\":\"full\""));
    free(answer.text);
}
END_TEST

/* What one organization's clients ask for does not keep those of others waiting. */
START_TEST(replays_of_an_organization_are_bounded)
{
    static const oc_bucket_rate_t rate = {OC_CONTROL_REPLAY_ORG_BYTES_PER_S,
                                          OC_CONTROL_REPLAY_ORG_BYTES_PER_S};
    uint64_t now_ms = oc_gate_answer_clock(&gate, NOW_S);
    oc_bucket_t *account = oc_stream_account(shared.stream, (oc_slice_t){"initech", 7});

    ck_assert_ptr_nonnull(account);
    ck_assert_ptr_null(oc_stream_account(shared.stream, (oc_slice_t){"globex", 6}));
    oc_bucket_spend(account, rate, now_ms, OC_CONTROL_REPLAY_ORG_BYTES_PER_S - 1);
    {
        OC_CLEANUP(oc_json_decrefp) json_t *last = replay_after("0");
        OC_CLEANUP(oc_json_decrefp) json_t *refused = replay_after("0");

        ck_assert_ptr_nonnull(json_object_get(last, "data"));
        ck_assert_str_eq(json_string_value(json_object_get(refused, "code")), "limit_rate");
    }
    ck_assert(!oc_bucket_empty(account, rate, now_ms + 1));
    /* And those of all together. */
    *account = (oc_bucket_t){0};
    oc_bucket_spend(
        &shared.replays,
        (oc_bucket_rate_t){OC_CONTROL_REPLAY_BYTES_PER_S, OC_CONTROL_REPLAY_BYTES_PER_S}, now_ms,
        OC_CONTROL_REPLAY_BYTES_PER_S);
    {
        OC_CLEANUP(oc_json_decrefp) json_t *refused = replay_after("0");

        ck_assert_str_eq(json_string_value(json_object_get(refused, "code")), "limit_rate");
    }
}
END_TEST

START_TEST(replay_when_the_broker_has_no_memory)
{
    sends = false;
    {
        OC_CLEANUP(oc_json_decrefp) json_t *response = replay_after("0");

        ck_assert_str_eq(json_string_value(json_object_get(response, "code")), "out_of_memory");
    }
}
END_TEST

START_TEST(replay_without_memory)
{
    static char request[512];

    now_epoch();
    (void)snprintf(request, sizeof request,
                   "{\"commands\":[{\"command\":\"replay\",\"organizationId\":\"initech\","
                   "\"epoch\":\"%s\",\"after\":\"1\"}]}",
                   epoch);
    request_text = request;
    oom_each_allocation("replay", body_command);
    ck_assert_uint_gt(sent, 0);
}
END_TEST

START_TEST(no_numbers_no_replay)
{
    config.stamp_sequence = false;
    {
        OC_CLEANUP(oc_json_decrefp) json_t *response = replay_after("0");

        ck_assert_str_eq(json_string_value(json_object_get(response, "code")), "request_invalid");
    }
}
END_TEST

/* --- Bad tokens of one address --- */

static oc_err_t refresh_with(const char *token)
{
    oc_gate_token_t bytes;
    oc_diag_t diag = {0};

    ck_assert(oc_gate_token(&gate, token, strlen(token), &bytes));
    return oc_gate_refresh(&gate, session_of(0, "ann"), "192.0.2.1", &bytes, NOW_S, &diag);
}

START_TEST(others_do_not_hold_up_a_live_session)
{
    char *fresh = sign("bob", "acme", "");
    int tries = 0;
    oc_err_t err;

    for (int i = 0; i < 40; i++)
        ck_assert_int_ne(enter(5, "guess", "a.b.c"), OC_OK);
    ck_assert_int_eq(enter(5, "bob", fresh), OC_E_LIMIT_RATE);
    ck_assert_int_eq(refresh_with(renewed), OC_OK);
    while ((err = refresh_with("a.b.c")) == OC_E_TOKEN_MALFORMED && tries < 1000)
        tries++;
    ck_assert_int_eq(err, OC_E_LIMIT_RATE);
    ck_assert_int_gt(tries, 10);
    ck_assert_int_lt(tries, 100);
    ck_assert_int_eq(refresh_with("a.b.c"), OC_E_LIMIT_RATE);
    free(fresh);
}
END_TEST

/* Behind one address one client tries an expired token without end, and another comes with a good one. */
START_TEST(an_expired_token_does_not_hold_up_others)
{
    const token_key_t key = {NULL, test_secret, 64};
    char *fresh = sign("bob", "acme", "");
    char *expired = token_sign("HS256", &key, "{\"alg\":\"HS256\"}",
                               "{\"sub\":\"ann\",\"org_id\":\"acme\",\"exp\":500}");

    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(enter(5, "again", expired), OC_E_TOKEN_EXPIRED);
    ck_assert_int_eq(enter(5, "bob", fresh), OC_OK);
    free(expired);
    free(fresh);
}
END_TEST

START_TEST(no_kick_without_ticks)
{
    static const char request[] = "{\"commands\":[{\"command\":\"kick\",\"subject\":\"ann\"}]}";
    const oc_control_asker_t asker = {session_of(1, "ops"), "ops", NULL};
    const oc_control_broker_t tickless = {ignore, false, send_event, NULL};
    oc_control_answer_t answer = {0};

    ck_assert_int_eq(
        oc_control_handle(&gate, &asker, request, strlen(request), NOW_S, &tickless, &answer),
        OC_OK);
    ck_assert_ptr_nonnull(strstr(answer.text, "\"code\":\"request_invalid\""));
    ck_assert_ptr_null(strstr(answer.text, "kicked"));
    free(answer.text);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("control");

    oom_install();
    tcase_add_checked_fixture(tcase, make, unmake);
    unit_add_table(tcase, commands, requests);
    unit_add_table(tcase, commands_without_memory, requests);
    tcase_add_test(tcase, refreshing_without_memory);
    tcase_add_test(tcase, connecting_without_memory);
    unit_add_table(tcase, replay_gives_what_is_behind, replays);
    unit_add_table(tcase, replay_refuses, bad_replays);
    tcase_add_test(tcase, replay_of_another_epoch_is_not_recovered);
    tcase_add_test(tcase, replay_comes_in_pages);
    tcase_add_test(tcase, answers_are_bounded);
    tcase_add_test(tcase, refreshes_in_a_request_are_bounded);
    tcase_add_test(tcase, replays_of_an_organization_are_bounded);
    tcase_add_test(tcase, replay_when_the_broker_has_no_memory);
    tcase_add_test(tcase, replay_without_memory);
    tcase_add_test(tcase, no_numbers_no_replay);
    tcase_add_test(tcase, others_do_not_hold_up_a_live_session);
    tcase_add_test(tcase, an_expired_token_does_not_hold_up_others);
    tcase_add_test(tcase, no_kick_without_ticks);
    return unit_run("control", tcase);
}

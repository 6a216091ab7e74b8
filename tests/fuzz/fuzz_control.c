/* SPDX-License-Identifier: MIT */
/* A request on $CONTROL/orgcast/v1, from a client without a session, with one, and with the administrator's scope. The
 * answer is always one response for each command, with data or an error; only who may gets an administrator's
 * or another organization's data. */
#include <jansson.h>

#include "control.h"
#include "fuzz.h"
#include "json.h"
#include "scratch.h"
#include "test_keys.h"
#include "token_sign.h"

#define NOW_S 1000

/* Commands change what there is: so it is made anew now and then. */
#define RUNS_OF_A_WORLD 32

static const struct {
    const char *id;
    const char *claims; /* NULL: it has no session */
} people[] = {
    {"nobody", NULL},
    {"ann", "{\"sub\":\"ann\",\"org_id\":\"acme\",\"jti\":\"t-1\",\"iat\":900,\"exp\":2000}"},
    {"ops",
     "{\"sub\":\"ops\",\"org_id\":\"initech\",\"scope\":\"orgcast:admin\",\"iat\":900,\"exp\":"
     "2000}"},
};

static const char *const admins_only[] = {"listSessions",    "kick", "revoke", "unrevoke",
                                          "listRevocations", "stats"};

static oc_config_t config;
static oc_shared_t shared;
static oc_gate_t gate;
static char visitors[sizeof people / sizeof people[0]];
static char *tokens[sizeof people / sizeof people[0]];
static unsigned runs;

static void enter(size_t who)
{
    const oc_gate_client_t visitor = {.client = &visitors[who],
                                      .id = people[who].id,
                                      .address = "192.0.2.1",
                                      .clean_start = true};
    oc_identity_t *identity = NULL;
    oc_gate_token_t token;

    MUST_HOLD(oc_gate_token(&gate, tokens[who], strlen(tokens[who]), &token));
    MUST_HOLD(oc_gate_check(&gate, &visitor, &token, NOW_S, &identity, NULL) == OC_OK);
    MUST_HOLD(oc_gate_enter(&gate, &visitor, &token, identity, NULL) == OC_OK);
}

static void publish(const char *org)
{
    static const oc_stamp_memory_t memory = {malloc, free};
    const oc_stream_event_t event = {
        {org, strlen(org)}, "org/acme/invoices/paid/inv-1", "{}", 2, {0}};
    char *payload;
    size_t len;

    MUST_HOLD(oc_stream_append(shared.stream, &event, &memory, &payload, &len) == OC_OK);
    free(payload);
}

static void make_world(void)
{
    oc_diag_t diag = {0};

    memset(&shared, 0, sizeof shared);
    MUST_HOLD(oc_shared_join(&shared, &config, NOW_S, &diag) == OC_OK);
    MUST_HOLD(oc_gate_init(&gate, &config, &shared, NULL, NULL, &diag) == OC_OK);
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++) {
        if (tokens[i])
            enter(i);
    }
    for (int i = 0; i < 3; i++)
        publish("acme");
}

static void end_world(void)
{
    oc_gate_done(&gate);
    oc_shared_leave(&shared);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const token_key_t key = {NULL, test_secret, 64};
    oc_option_t options[] = {{"jwt_secret_file", NULL}};
    oc_diag_t diag = {0};

    (void)argc;
    (void)argv;
    scratch_open();
    options[0].value = scratch_file("secret", test_secret, 64);
    MUST_HOLD(oc_config_init(&config, options, 1, &diag) == OC_OK);
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++) {
        if (people[i].claims)
            tokens[i] = token_sign("HS256", &key, "{\"alg\":\"HS256\"}", people[i].claims);
    }
    make_world();
    (void)atexit(scratch_close);
    return 0;
}

static void count(void *context, const oc_control_outcome_t *outcome)
{
    (void)outcome;
    ++*(size_t *)context;
}

/* Of the only organization that has events. */
static bool send_event(void *context, const char *topic, const char *payload, size_t len)
{
    (void)context;
    MUST_HOLD(strcmp(topic, "org/acme/invoices/paid/inv-1") == 0);
    MUST_HOLD(len > 2 && payload[0] == '{');
    return true;
}

/* Of a client that has just ended its own rights, too. */
static void check_response(const json_t *response, bool has_session, bool is_admin)
{
    const char *command = json_string_value(json_object_get(response, "command"));
    const json_t *data = json_object_get(response, "data");

    MUST_HOLD(command);
    MUST_HOLD((data != NULL) != json_is_string(json_object_get(response, "error")));
    MUST_HOLD((data != NULL) != json_is_string(json_object_get(response, "code")));
    if (!data)
        return;
    MUST_HOLD(json_is_object(data) && has_session);
    for (size_t i = 0; i < sizeof admins_only / sizeof admins_only[0]; i++)
        MUST_HOLD(is_admin || strcmp(command, admins_only[i]) != 0);
    /* The administrator's token is not of the organization that has events. */
    if (is_admin)
        MUST_HOLD(json_integer_value(json_object_get(data, "replayed")) == 0);
}

static void handle(size_t who, const char *request, size_t len)
{
    const bool is_admin = strcmp(people[who].id, "ops") == 0;
    const oc_control_asker_t asker = {
        oc_sessions_find(shared.sessions, &visitors[who], people[who].id), people[who].id, NULL};
    size_t told = 0;
    const oc_control_broker_t broker = {count, true, send_event, &told};
    oc_control_answer_t answer = {0};
    json_t *json = NULL;
    const json_t *responses;
    const json_t *response;
    size_t i;

    MUST_HOLD(oc_control_handle(&gate, &asker, request, len, NOW_S, &broker, &answer) == OC_OK);
    MUST_HOLD(oc_json_load(answer.text, strlen(answer.text), &json, NULL) == OC_OK);
    MUST_HOLD(answer.ticket == 0 && !answer.failed_text);
    responses = json_object_get(json, "responses");
    MUST_HOLD(json_is_array(responses) && json_array_size(responses) > 0);
    MUST_HOLD(json_array_size(responses) <= OC_CONTROL_COMMANDS_MAX);
    MUST_HOLD(json_array_size(responses) == told);
    json_array_foreach(responses, i, response)
        check_response(response, tokens[who] != NULL, is_admin);
    json_decref(json);
    free(answer.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Exactly its length, so that reading behind it shows. */
    char *request = malloc(size ? size : 1);

    MUST_HOLD(request);
    if (size)
        memcpy(request, data, size);
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++)
        handle(i, request, size);
    free(request);
    if (++runs % RUNS_OF_A_WORLD == 0) {
        end_world();
        make_world();
    }
    return 0;
}

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

static oc_err_t handle(int client, const char *id, const char *request, oc_control_answer_t *ret)
{
    const oc_control_asker_t asker = {session_of(client, id), id, "192.0.2.1"};

    return oc_control_handle(&gate, &asker, request, strlen(request), NOW_S, ignore, NULL, ret);
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
    oc_err_t err = handle(1, "ops", request_text, &answer);

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

int main(void)
{
    TCase *tcase = tcase_create("control");

    oom_install();
    tcase_add_checked_fixture(tcase, make, unmake);
    unit_add_table(tcase, commands, requests);
    unit_add_table(tcase, commands_without_memory, requests);
    tcase_add_test(tcase, refreshing_without_memory);
    tcase_add_test(tcase, connecting_without_memory);
    return unit_run("control", tcase);
}

/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <stdlib.h>
#include <string.h>

#include "control_admin.h"
#include "control_stream.h"
#include "json.h"

/* A connection's account is in bytes that it is sent. These prices charge it for the broker's time too, so
 * that the 512 KiB a second of an account buy a few percent of the broker's thread. bench/inputs prints what
 * each input costs. */
#define REQUEST_BYTE_COST 4
#define COMMAND_COST 512
/* A signature check takes up to 0.12 ms. */
#define REFRESH_COST 16384

/* Below this much in the account, a request is refused unread. */
#define REFUSE_BELOW 1048576

static oc_err_t nomem(oc_diag_t *diag)
{
    return oc_fail(diag, OC_E_NOMEM, "out of memory");
}

static oc_err_t whoami(oc_control_call_t *call, oc_diag_t *diag)
{
    return oc_control_describe(call->gate, call->asker->session, call->data) ? OC_OK : nomem(diag);
}

/* Why a token is refused, without a word about the broker's keys, files and URLs. */
static const char *explain_refusal(oc_err_t err)
{
    static const char *const texts[OC_ERR_COUNT] = {
        [OC_E_TOKEN_MISSING] = "the token is empty",
        [OC_E_TOKEN_MALFORMED] = "the token is malformed",
        [OC_E_TOKEN_TOO_LARGE] = "the token is too large",
        [OC_E_ALG_NOT_ALLOWED] = "the token's algorithm is not allowed",
        [OC_E_KEY_UNKNOWN] =
            "the token's key is unknown; if the key is new, try again in 10 seconds",
        [OC_E_SIGNATURE_INVALID] = "the token's signature is invalid",
        [OC_E_TOKEN_EXPIRED] = "the token has expired",
        [OC_E_TOKEN_NOT_YET_VALID] = "the token is not valid yet",
        [OC_E_TOKEN_LIFETIME] = "the token is valid for too long",
        [OC_E_ISSUER_MISMATCH] = "the token's issuer is not accepted",
        [OC_E_AUDIENCE_MISMATCH] = "the token is for another audience",
        [OC_E_CLAIM_MISSING] = "the token lacks a claim",
        [OC_E_CLAIM_INVALID] = "a claim is invalid, or the token is for another subject",
        [OC_E_ORG_INVALID] = "the token has no valid organization",
        [OC_E_TOO_MANY_ORGS] = "the token has too many organizations",
        [OC_E_TOKEN_REVOKED] = "the token is revoked",
        [OC_E_LIMIT_CONNECTIONS] = "the organization has too many connections",
        [OC_E_LIMIT_RATE] = "too many bad tokens came from this address; try again later",
        [OC_E_NOMEM] = "the broker is out of memory; try again later",
    };

    return texts[err] ? texts[err] : "the token is not accepted";
}

static oc_err_t refresh(oc_control_call_t *call, oc_diag_t *diag)
{
    const json_t *value = json_object_get(call->request, "token");
    oc_gate_token_t token;
    oc_err_t err;

    if (!json_is_string(value))
        return oc_fail(diag, OC_E_REQUEST_INVALID, "token is missing, or is not a string");
    if (!oc_gate_token(call->gate, json_string_value(value), json_string_length(value), &token))
        return nomem(diag);
    err = oc_gate_refresh(call->gate, call->asker->session, call->asker->address, &token,
                          call->now_s, diag);
    if (err)
        call->told = explain_refusal(err);
    if (!err && !oc_control_describe(call->gate, call->asker->session, call->data))
        err = nomem(diag);
    return err;
}

static const struct command {
    const char *name;
    bool admin;
    bool when_expired; /* allowed after the token has expired */
    size_t cost;       /* beside COMMAND_COST */
    oc_control_command_t run;
} commands[] = {
    {"whoami", false, false, 0, whoami},
    {"refresh", false, true, REFRESH_COST, refresh},
    {"position", false, false, 0, oc_control_position},
    {"replay", false, false, 0, oc_control_replay},
    {"listSessions", true, false, 0, oc_control_list_sessions},
    {"kick", true, false, 0, oc_control_kick},
    {"revoke", true, false, 0, oc_control_revoke},
    {"unrevoke", true, false, 0, oc_control_unrevoke},
    {"listRevocations", true, false, 0, oc_control_list_revocations},
    {"stats", true, false, 0, oc_control_stats},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* Whether the asker may ask for this. */
static oc_err_t check_rights(const oc_control_call_t *call, const struct command *command,
                             oc_diag_t *diag)
{
    const oc_session_t *session = call->asker->session;
    const oc_identity_t *identity = NULL;
    oc_err_t err = session ? oc_session_rights(session, &identity) : OC_E_SESSION_UNKNOWN;

    if (err)
        return oc_fail(diag, err, "this client did not connect with a token that is good now");
    if (call->now_s >= identity->deadline_s && !command->when_expired)
        return oc_fail(diag, OC_E_TOKEN_EXPIRED, "the token has expired; refresh it first");
    if (command->admin && !identity->admin)
        return oc_fail(diag, OC_E_SCOPE_MISSING, "%s needs the scope %.100s", command->name,
                       call->gate->config->admin_scope);
    return OC_OK;
}

/* What changes something is counted; replays are where they are carried out. */
static void count(oc_metrics_t *metrics, const struct command *command, oc_err_t err)
{
    if (command->admin)
        metrics->admin_commands[err]++;
    else if (command->run == refresh)
        metrics->refreshes[err]++;
}

static oc_err_t run_command(oc_control_call_t *call, const struct command *command, oc_diag_t *diag)
{
    oc_err_t err;

    if (!command)
        return oc_fail(diag, OC_E_REQUEST_INVALID, "there is no such command");
    err = check_rights(call, command, diag);
    if (!err)
        err = command->run(call, diag);
    count(&call->gate->shared->metrics, command, err);
    return err;
}

static bool put_error(json_t *response, oc_err_t err, const char *message)
{
    (void)json_object_del(response, "data");
    return json_object_set_new(response, "error", json_string(message)) == 0 &&
           json_object_set_new(response, "code", json_string(oc_err_name(err))) == 0;
}

/* The member "command" or "correlationData", to be told again; a text of its own when it is not there. */
static const char *text_member(const json_t *request, const char *name, size_t max)
{
    const json_t *value = json_object_get(request, name);

    return json_is_string(value) && json_string_length(value) <= max ? json_string_value(value)
                                                                     : NULL;
}

typedef struct request_run {
    oc_gate_t *gate;
    const oc_control_asker_t *asker;
    int64_t now_s;
    const oc_control_broker_t *broker;
    json_t *responses;
    size_t cost;       /* of the commands so far, and of their answers */
    json_t *unwritten; /* those of the responses whose changes are to be on disk */
    uint64_t ticket;
} request_run_t;

static void tell(const request_run_t *run, const char *command, const oc_diag_t *diag)
{
    const oc_control_outcome_t outcome = {command, diag->code, diag->message};

    run->broker->report(run->broker->context, &outcome);
}

/* A response without data, for what is wrong with a whole request. */
static oc_err_t refuse_request(request_run_t *run, oc_err_t reason, const char *message)
{
    json_t *response = json_object();
    oc_diag_t diag = {0};

    (void)oc_fail(&diag, reason, "%s", message);
    tell(run, "", &diag);
    if (!response || json_array_append_new(run->responses, response) != 0 ||
        json_object_set_new(response, "command", json_string("")) != 0 ||
        !put_error(response, diag.code, diag.message))
        return OC_E_NOMEM;
    return OC_OK;
}

/* Run one command. *ret_command: NULL when the request does not name one that exists. */
static oc_err_t run_request(request_run_t *run, oc_control_call_t *call, const char *echo,
                            const struct command **ret_command, oc_diag_t *diag)
{
    const char *name = text_member(call->request, "command", 64);

    *ret_command = find_command(name ? name : "");
    if (!name)
        return oc_fail(diag, OC_E_REQUEST_INVALID,
                       "command is missing, or is not a command's name");
    if (!echo && json_object_get(call->request, "correlationData"))
        return oc_fail(diag, OC_E_REQUEST_INVALID,
                       "correlationData is not a string of at most %d bytes",
                       OC_CONTROL_CORRELATION_MAX);
    if (run->cost > OC_CONTROL_ANSWER_MAX)
        return oc_fail(diag, OC_E_FULL,
                       "the request asks for too much; send the rest in another request");
    run->cost += *ret_command ? (*ret_command)->cost : 0;
    return run_command(call, *ret_command, diag);
}

static oc_err_t answer_command(request_run_t *run, const json_t *request, json_t *response)
{
    const char *name = text_member(request, "command", 64);
    const char *echo = text_member(request, "correlationData", OC_CONTROL_CORRELATION_MAX);
    oc_control_call_t call = {.gate = run->gate,
                              .asker = run->asker,
                              .broker = run->broker,
                              .request = request,
                              .now_s = run->now_s,
                              .data = json_object()};
    const struct command *command;
    oc_diag_t diag = {0};
    oc_err_t err;

    if (!call.data || json_object_set_new(response, "data", call.data) != 0 ||
        json_object_set_new(response, "command", json_string(name ? name : "")) != 0 ||
        (echo && json_object_set_new(response, "correlationData", json_string(echo)) != 0))
        return OC_E_NOMEM;
    err = run_request(run, &call, echo, &command, &diag);
    run->cost += COMMAND_COST + call.cost;
    tell(run, command ? command->name : "", &diag);
    if (err && !put_error(response, err, call.told ? call.told : diag.message))
        return OC_E_NOMEM;
    if (call.ticket) {
        run->ticket = call.ticket;
        return json_array_append(run->unwritten, response) == 0 ? OC_OK : OC_E_NOMEM;
    }
    return OC_OK;
}

static oc_err_t answer_all(request_run_t *run, const json_t *request)
{
    const json_t *list = json_object_get(request, "commands");
    const json_t *command;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) == 0)
        return refuse_request(run, OC_E_REQUEST_INVALID,
                              "the request is not {\"commands\":[{\"command\":…}]}");
    if (json_array_size(list) > OC_CONTROL_COMMANDS_MAX)
        return refuse_request(run, OC_E_REQUEST_INVALID, "too many commands in one request");
    json_array_foreach(list, i, command)
    {
        json_t *response = json_object();
        oc_err_t err;

        if (!response || json_array_append_new(run->responses, response) != 0)
            return OC_E_NOMEM;
        err = answer_command(run, command, response);
        if (err)
            return err;
        run->cost += json_dumpb(response, NULL, 0, JSON_COMPACT);
    }
    return OC_OK;
}

static oc_err_t answer_bytes(request_run_t *run, const char *payload, size_t len)
{
    OC_CLEANUP(oc_json_decrefp) json_t *request = NULL;
    oc_diag_t diag = {0};
    oc_err_t err;

    if (len > OC_CONTROL_REQUEST_MAX)
        return refuse_request(run, OC_E_REQUEST_INVALID, "the request is too long");
    if (!oc_json_small(payload, len, OC_CONTROL_VALUES_MAX))
        return refuse_request(run, OC_E_REQUEST_INVALID, "the request has too many JSON values");
    err = oc_json_load(payload, len, &request, &diag);
    if (err == OC_E_NOMEM)
        return err;
    return err ? refuse_request(run, OC_E_REQUEST_INVALID, diag.message) : answer_all(run, request);
}

/* What to say when the disk refuses the changes. */
static char *failed_text(const request_run_t *run, const json_t *answer)
{
    json_t *response;
    size_t i;

    json_array_foreach(run->unwritten, i, response)
    {
        if (!put_error(
                response, OC_E_IO,
                "in force, but revocation_file could not be written: a restart may forget it"))
            return NULL;
    }
    return oc_json_dump(answer);
}

/* Take what a request costs from the connection's account. */
static void charge(const request_run_t *run, size_t bytes)
{
    oc_gate_note_answer(run->gate, run->asker->session, run->now_s, bytes);
}

/* A client that asks for too much is told so. One that goes on all the same gets no more answers, because
 * Mosquitto keeps what a client does not read. */
static oc_err_t answer_within_account(request_run_t *run, const char *payload, size_t len)
{
    static const char message[] = "this connection asks for too much; ask again in a second";
    uint32_t left = oc_gate_answers_left(run->gate, run->asker->session, run->now_s);
    oc_diag_t diag = {0};
    oc_err_t err;

    if (left == 0) {
        err = oc_fail(&diag, OC_E_LIMIT_RATE, message);
        tell(run, "", &diag);
        return err;
    }
    if (left < REFUSE_BELOW)
        return refuse_request(run, OC_E_LIMIT_RATE, message);
    charge(run, (len < OC_CONTROL_REQUEST_MAX ? len : OC_CONTROL_REQUEST_MAX) * REQUEST_BYTE_COST);
    return answer_bytes(run, payload, len);
}

oc_err_t oc_control_handle(oc_gate_t *gate, const oc_control_asker_t *asker, const char *payload,
                           size_t len, int64_t now_s, const oc_control_broker_t *broker,
                           oc_control_answer_t *ret_answer)
{
    OC_CLEANUP(oc_json_decrefp) json_t *answer = json_object();
    OC_CLEANUP(oc_json_decrefp) json_t *unwritten = json_array();
    request_run_t run = {.gate = gate,
                         .asker = asker,
                         .now_s = now_s,
                         .broker = broker,
                         .responses = json_array(),
                         .unwritten = unwritten};
    oc_control_answer_t made = {0};
    oc_err_t err;

    /* It takes the array, whatever happens. */
    if (json_object_set_new(answer, "responses", run.responses) != 0 || !unwritten)
        return OC_E_NOMEM;
    err = answer_within_account(&run, payload, len);
    charge(&run, run.cost);
    if (err)
        return err;
    made.text = oc_json_dump(answer);
    if (made.text)
        charge(&run, OC_GATE_ANSWER_OVERHEAD);
    made.ticket = run.ticket;
    if (made.text && made.ticket)
        made.failed_text = failed_text(&run, answer);
    if (!made.text || (made.ticket && !made.failed_text)) {
        free(made.text);
        return OC_E_NOMEM;
    }
    *ret_answer = made;
    return OC_OK;
}

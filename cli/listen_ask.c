/* SPDX-License-Identifier: MIT */
/* orgcast listen: what it asks the plugin about the stream, one question at a time. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "listen_run.h"
#include "mem.h"
#include "request.h"
#include "utf8.h"

/* A broker without the plugin says nothing at all. */
#define POSITION_TIMEOUT_MS 5000
/* A busy one may drop the answer: then it is asked again, so many times. */
#define REPLAY_TIMEOUT_MS 10000
#define REPLAY_SILENT_MAX 3

#define NOT_NOW_PAUSE_MS 1000

/* What a busy broker dropped last, no later event tells. */
#define CHECK_EVERY_MS 60000

#define SHOWN_LEN 256

void listen_ask_begin(listen_run_t *run)
{
    run->question = (listen_question_t){.number = run->question.number};
}

/* There are no numbers to go by in this connection. */
static void do_without(listen_run_t *run, const char *why)
{
    run->question.want = CLI_WANT_NOTHING;
    if (cli_args_has(run->args, CLI_OPT_SINCE) && !run->answered) {
        listen_end(run, cli_error(run->args, "--since: the broker cannot replay events: %s", why));
        return;
    }
    cli_merge_no_numbers(&run->merge);
}

/* --- Asking --- */

/* NULL when out of memory. */
static char *question_text(const listen_run_t *run, cli_merge_want_t want, const cli_place_t *after)
{
    char number[24];
    char sequence[24];
    OC_CLEANUP(oc_json_decrefp)
    json_t *members = json_pack("{s:s}", "organizationId", run->organization_id);

    (void)snprintf(number, sizeof number, "%" PRIu64, run->question.number);
    (void)snprintf(sequence, sizeof sequence, "%" PRIu64, after->sequence);
    if (!members)
        return NULL;
    if (want == CLI_WANT_REPLAY &&
        (json_object_set_new(members, "epoch", json_string(after->epoch)) != 0 ||
         json_object_set_new(members, "after", json_string(sequence)) != 0))
        return NULL;
    return cli_request_text(want == CLI_WANT_REPLAY ? "replay" : "position", number, members);
}

static void ask(listen_run_t *run, cli_merge_want_t want, const cli_place_t *after, int64_t now_ms)
{
    OC_CLEANUP(oc_freep) char *text = NULL;

    run->question.number++;
    text = question_text(run, want, after);
    if (!text) {
        listen_end(run, cli_error(run->args, "out of memory"));
        return;
    }
    /* When it cannot be sent, the loop finds the connection lost. */
    (void)mosquitto_publish_v5(run->client, &run->question.mid, CLI_REQUEST_TOPIC,
                               (int)strlen(text), text, 1, false, NULL);
    run->question.want = want;
    run->question.asked_ms = now_ms;
    cli_merge_asked(&run->merge);
}

static void check_silence(listen_run_t *run, int64_t now_ms)
{
    listen_question_t *question = &run->question;
    bool replay = question->want == CLI_WANT_REPLAY;

    if (question->want == CLI_WANT_NOTHING ||
        now_ms - question->asked_ms < (replay ? REPLAY_TIMEOUT_MS : POSITION_TIMEOUT_MS))
        return;
    question->want = CLI_WANT_NOTHING;
    if (replay ? ++question->silent < REPLAY_SILENT_MAX : question->answered)
        cli_merge_not_now(&run->merge);
    else
        do_without(run, "it does not answer. Is the Orgcast plugin loaded, and new enough?");
}

void listen_ask_next(listen_run_t *run, int64_t now_ms)
{
    cli_place_t after = {0};
    cli_merge_want_t want;

    check_silence(run, now_ms);
    if (run->question.answered && now_ms - run->question.asked_ms >= CHECK_EVERY_MS)
        cli_merge_check(&run->merge);
    want = cli_merge_want(&run->merge, &after);
    if (want == CLI_WANT_NOTHING || now_ms < run->question.not_before_ms ||
        (want == CLI_WANT_REPLAY && run->state != LISTEN_UP) || run->state == LISTEN_ENDED)
        return;
    ask(run, want, &after, now_ms);
}

/* --- Answers --- */

/* Fit for a terminal. */
static const char *shown(const json_t *text, char out[static SHOWN_LEN])
{
    return oc_utf8_clean(json_is_string(text) ? json_string_value(text) : "", out, SHOWN_LEN);
}

static void take_error(listen_run_t *run, const json_t *response)
{
    static const char *const passing[] = {"limit_rate", "full", "out_of_memory"};
    const char *code = json_string_value(json_object_get(response, "code"));
    char error[SHOWN_LEN], why[2 * SHOWN_LEN], shown_code[SHOWN_LEN];

    for (size_t i = 0; code && i < sizeof passing / sizeof *passing; i++) {
        if (strcmp(code, passing[i]) == 0) {
            run->question.not_before_ms = oc_clock_monotonic_ms() + NOT_NOW_PAUSE_MS;
            cli_merge_not_now(&run->merge);
            return;
        }
    }
    (void)shown(json_object_get(response, "error"), error);
    if (code)
        (void)snprintf(why, sizeof why, "%s (%s)", error,
                       shown(json_object_get(response, "code"), shown_code));
    do_without(run, code ? why : error);
    if (run->state == LISTEN_ENDED && code && strcmp(code, "topic_not_allowed") == 0)
        listen_tell_organizations(run);
}

static bool read_replay(const json_t *data, cli_merge_answer_t *answer)
{
    const json_t *recovered = json_object_get(data, "recovered");
    const json_t *replayed = json_object_get(data, "replayed");

    if (!json_is_boolean(recovered))
        return false;
    answer->recovered = json_is_true(recovered);
    answer->more = json_is_true(json_object_get(data, "more"));
    if (answer->recovered && (!json_is_integer(replayed) || json_integer_value(replayed) < 0))
        return false;
    answer->replayed = (uint64_t)json_integer_value(replayed);
    return true;
}

static void take_data(listen_run_t *run, cli_merge_want_t want, const json_t *data)
{
    cli_merge_answer_t answer = {0};

    if (!cli_place_get(data, &answer.place) ||
        (want == CLI_WANT_REPLAY && !read_replay(data, &answer))) {
        do_without(run, "its answer is not what this command expects; is the plugin older?");
        return;
    }
    run->answered = true;
    run->question.answered = true;
    if (want == CLI_WANT_REPLAY)
        cli_merge_replayed(&run->merge, &answer);
    else
        cli_merge_position(&run->merge, &answer.place);
}

/* NULL: none that can be the answer to this question. */
static const json_t *find_response(const listen_run_t *run, const json_t *answer)
{
    const json_t *responses = json_object_get(answer, "responses");
    const json_t *response = json_array_get(responses, 0);
    const char *echo = json_string_value(json_object_get(response, "correlationData"));
    char number[24];

    /* Mosquitto 2.1 itself, for a topic that no plugin has; a whole request's error has no echo. */
    if (!responses)
        return json_object_get(answer, "error") ? answer : NULL;
    if (!echo)
        return json_object_get(response, "error") ? response : NULL;
    (void)snprintf(number, sizeof number, "%" PRIu64, run->question.number);
    return strcmp(echo, number) == 0 ? response : NULL;
}

void listen_ask_answer(listen_run_t *run, const struct mosquitto_message *message)
{
    OC_CLEANUP(oc_json_decrefp) json_t *answer = NULL;
    const json_t *response = NULL;
    cli_merge_want_t want = run->question.want;
    oc_err_t err = OC_E_INTERNAL;

    if (want == CLI_WANT_NOTHING)
        return;
    if (message->payloadlen > 0)
        err = oc_json_load_any_number(message->payload, (size_t)message->payloadlen, &answer, NULL);
    if (err == OC_E_NOMEM)
        listen_end(run, cli_error(run->args, "out of memory"));
    if (!err)
        response = find_response(run, answer);
    if (!response)
        return;
    run->question.want = CLI_WANT_NOTHING;
    run->question.silent = 0;
    if (json_object_get(response, "error"))
        take_error(run, response);
    else
        take_data(run, want, json_object_get(response, "data"));
}

void listen_ask_acknowledged(listen_run_t *run, int mid, int reason_code)
{
    char why[CLI_BROKER_REASON_LEN];

    if (run->question.want == CLI_WANT_NOTHING || mid != run->question.mid || reason_code < 0x80)
        return;
    do_without(run, cli_broker_reason(reason_code, why, sizeof why));
}

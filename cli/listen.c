/* SPDX-License-Identifier: MIT */
/* orgcast listen: prints an organization's events as they come, each once and in order. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "commands.h"
#include "event.h"
#include "event_options.h"
#include "json.h"
#include "listen_print.h"
#include "listen_run.h"
#include "mem.h"
#include "uuid7.h"

#define CONNECT_TIMEOUT_MS 10000
#define STEP_MS 1000
#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 30000
/* A connection that held this long was a good one: the next pause is short again. */
#define STABLE_MS 5000

static const cli_use_t uses[] = {
    {CLI_OPT_ORGANIZATION_ID, false, NULL},
    {CLI_OPT_EVENT, true, NULL},
    {CLI_OPT_SINCE, false,
     "begin with the events behind that number (0: with the\nfirst) instead of now"},
    {CLI_OPT_COUNT, false, NULL},
    {CLI_OPT_TIMEOUT, false,
     "exit after that long: with 0, or with 1 when --count\nevents have not come by then"},
    {CLI_OPT_JSON, false, "print each event as it is, one JSON object a line"},
    CLI_BROKER_USES,
    {CLI_OPT_NONE, false, NULL},
};

static const char notes[] = CLI_EVENT_WORDS
    "SEQUENCE and EPOCH are those of an event's JSON; without EPOCH it is the broker's present "
    "one.\n"
    "The broker keeps an organization's last events, and has those behind a number either all or\n"
    "none: a later SEQUENCE may be had when an earlier one may not. Standard error says when it "
    "has\n"
    "begun to listen, when it has lost the connection and found it again, and whenever it goes on\n"
    "without some events, because the broker does not keep all of them any more: a line with "
    "\"gap\".\n"
    "A gap does not end it, nor a lost connection. Ends with 0 on Ctrl-C, with 1 when the broker\n"
    "refuses the token or the organization, or cannot be reached at the beginning.";

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

bool listen_interrupted(void)
{
    return interrupted != 0;
}

void listen_end(listen_run_t *run, int code)
{
    if (run->state != LISTEN_ENDED)
        run->code = code;
    run->state = LISTEN_ENDED;
}

/* --- What is told --- */

void listen_lost(listen_run_t *run, const char *format, ...)
{
    char what[512];
    bool was_up = run->state == LISTEN_UP;
    va_list list;

    if (run->state == LISTEN_ENDED || run->state == LISTEN_DOWN)
        return;
    run->state = LISTEN_DOWN;
    va_start(list, format);
    (void)vsnprintf(what, sizeof what, format, list);
    va_end(list);
    if (!run->listened)
        listen_end(run, cli_error(run->args, "%s", what));
    else if (was_up)
        (void)cli_error(run->args, "%s; connecting again", what);
    else if (!run->complained)
        (void)cli_error(run->args, "%s; trying again", what);
    /* Each attempt fails for the same reason, mostly. */
    run->complained = !was_up;
}

/* The broker replays all or nothing, so that some of them may still be there. */
static void tell_lost(const listen_run_t *run, const cli_gap_t *gap)
{
    const char *hint = run->merge.again ? "" : "; with a later --since there may be some";

    if (gap->from == gap->to)
        (void)cli_error(run->args, "gap: event %" PRIu64 " is not kept any more", gap->from);
    else
        (void)cli_error(run->args,
                        "gap: events %" PRIu64 " to %" PRIu64 " are not all kept any more%s",
                        gap->from, gap->to, hint);
}

static void on_gap(void *context, const cli_gap_t *gap)
{
    const listen_run_t *run = context;

    switch (gap->kind) {
    case CLI_GAP_LOST:
        tell_lost(run, gap);
        break;
    case CLI_GAP_RESTART:
        (void)cli_error(
            run->args, "gap: the broker restarted its numbering; events after %" PRIu64 " are lost",
            gap->from);
        break;
    case CLI_GAP_UNKNOWN:
        (void)cli_error(run->args,
                        "gap: events may have been missed, and the broker cannot replay them");
        break;
    }
}

static void on_caught_up(void *context, uint64_t printed)
{
    const listen_run_t *run = context;

    if (run->merge.again || cli_args_has(run->args, CLI_OPT_SINCE))
        (void)cli_error(run->args, "%s%" PRIu64 " event%s replayed",
                        run->merge.again ? "resumed, " : "", printed, printed == 1 ? "" : "s");
}

static void skip(const listen_run_t *run, size_t len)
{
    (void)cli_error(run->args, "skipped a message of %zu bytes that is no event", len);
}

static bool on_print(void *context, const char *payload, size_t len)
{
    listen_run_t *run = context;
    oc_err_t err = cli_listen_print(payload, len, cli_args_has(run->args, CLI_OPT_JSON));

    if (err == OC_E_NOMEM) {
        listen_end(run, cli_error(run->args, "out of memory"));
        return false;
    }
    if (err) {
        skip(run, len);
        return true;
    }
    if (fflush(stdout) != 0)
        listen_end(run, CLI_FAILED); /* main() says why */
    if (++run->count == run->count_max)
        listen_end(run, CLI_DONE);
    return run->state != LISTEN_ENDED;
}

/* --- Events --- */

static bool is_chosen(const listen_run_t *run, const char *topic)
{
    for (size_t i = 0; i < run->filters_count; i++) {
        bool matches = false;

        if (mosquitto_topic_matches_sub(run->filters[i], topic, &matches) == MOSQ_ERR_SUCCESS &&
            matches)
            return true;
    }
    return false;
}

void listen_take_event(listen_run_t *run, const struct mosquitto_message *message)
{
    OC_CLEANUP(oc_json_decrefp) json_t *event = NULL;
    size_t len = (size_t)message->payloadlen;
    bool chosen = is_chosen(run, message->topic);
    oc_err_t err = OC_E_EVENT_INVALID;
    cli_place_t place;

    if (len > 0)
        err = oc_json_load_any_number(message->payload, len, &event, NULL);
    if (err == OC_E_NOMEM) {
        listen_end(run, cli_error(run->args, "out of memory"));
        return;
    }
    if (!err && cli_place_get(event, &place) && place.sequence > 0)
        cli_merge_event(&run->merge, &place, chosen ? message->payload : NULL, len);
    else if (!err && chosen)
        cli_merge_event(&run->merge, NULL, message->payload, len);
    else if (chosen)
        skip(run, len);
}

/* --- Filters --- */

/* The topic's word for an event, "paid" for both "paid" and "invoice.paid"; NULL for no
 * event. */
static const char *topic_word(const char *event)
{
    for (size_t i = 1; i < oc_event_rules_count; i++) {
        const char *word = oc_event_rules[i].topic_word;

        if (strcmp(event, word) == 0 || strcmp(event, oc_event_rules[i].name) == 0)
            return word;
    }
    return NULL;
}

static int add_filter(listen_run_t *run, const char *event)
{
    const char *word = topic_word(event);

    if (run->filters_count == LISTEN_FILTERS_MAX)
        return cli_usage_error(run->args, "more than %d times --event", LISTEN_FILTERS_MAX);
    if (!word)
        return cli_usage_error(run->args, "no such event: '%s'", event);
    (void)snprintf(run->filters[run->filters_count++], LISTEN_FILTER_MAX_BYTES,
                   "org/%s/invoices/%s/+", run->organization_id, word);
    return CLI_DONE;
}

static int add_filters(listen_run_t *run)
{
    const char *organization_id = cli_args_get(run->args, CLI_OPT_ORGANIZATION_ID);
    const char *event;
    size_t cursor = 0;
    int code = CLI_DONE;

    if (!organization_id)
        return cli_usage_error(run->args, "--organization-id is missing");
    if (!oc_org_id_valid(organization_id, strlen(organization_id)))
        return cli_usage_error(run->args,
                               "--organization-id: not an organization id (1 to 128 "
                               "bytes without / + # and white space)");
    run->organization_id = organization_id;
    (void)snprintf(run->whole_filter, sizeof run->whole_filter, "org/%s/invoices/#",
                   organization_id);
    run->chosen = cli_args_has(run->args, CLI_OPT_EVENT);
    if (!run->chosen)
        memcpy(run->filters[run->filters_count++], run->whole_filter, LISTEN_FILTER_MAX_BYTES);
    while (code == CLI_DONE && (event = cli_args_next(run->args, CLI_OPT_EVENT, &cursor)))
        code = add_filter(run, event);
    return code;
}

/* --- The loop --- */

/* End when the time has come. */
static void check_time(listen_run_t *run, int64_t now_ms)
{
    bool over = run->timeout_ms > 0 && now_ms - run->start_ms >= run->timeout_ms;

    if (interrupted || (over && run->count_max == 0 && run->state == LISTEN_UP))
        listen_end(run, CLI_DONE);
    else if (over && run->count_max > 0 && run->listened)
        listen_end(run,
                   cli_error(run->args, "%llu of %llu events within %lld s",
                             (unsigned long long)run->count, (unsigned long long)run->count_max,
                             (long long)run->timeout_ms / 1000));
    else if (over)
        listen_end(
            run, cli_error(run->args, "%s:%d does not answer", run->broker.host, run->broker.port));
    else if (run->state == LISTEN_CONNECTING && now_ms - run->begun_ms >= CONNECT_TIMEOUT_MS)
        listen_lost(run, "%s:%d does not answer", run->broker.host, run->broker.port);
}

static int64_t time_left_ms(const listen_run_t *run, int64_t now_ms, int64_t most_ms)
{
    int64_t left_ms = run->start_ms + run->timeout_ms - now_ms;

    if (run->timeout_ms == 0 || left_ms > most_ms)
        return most_ms;
    return left_ms > 1 ? left_ms : 1;
}

/* Not longer than until there is a question to ask. */
static int64_t step_ms(const listen_run_t *run, int64_t now_ms)
{
    int64_t pause_ms = run->question.not_before_ms - now_ms;

    return time_left_ms(run, now_ms, pause_ms > 0 && pause_ms < STEP_MS ? pause_ms : STEP_MS);
}

static void go_down(listen_run_t *run, int64_t now_ms)
{
    uint64_t random = 0;

    listen_link_close(run);
    if (run->was_up && now_ms - run->begun_ms >= STABLE_MS)
        oc_backoff_reset(&run->backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    (void)oc_random_bytes(&random, sizeof random);
    run->retry_ms = now_ms + oc_backoff_pause_ms(&run->backoff, random);
}

static void connect_again(listen_run_t *run, int64_t now_ms)
{
    if (now_ms < run->retry_ms) {
        int64_t pause_ms = run->retry_ms - now_ms;

        (void)poll(NULL, 0,
                   (int)time_left_ms(run, now_ms, pause_ms < STEP_MS ? pause_ms : STEP_MS));
        return;
    }
    if (cli_broker_renew_token(run->args, &run->broker) != CLI_DONE)
        go_down(run, now_ms);
    else
        listen_link_open(run, time_left_ms(run, now_ms, CONNECT_TIMEOUT_MS));
}

static void loop(listen_run_t *run)
{
    run->start_ms = oc_clock_monotonic_ms();
    listen_link_open(run, time_left_ms(run, run->start_ms, CONNECT_TIMEOUT_MS));
    while (run->state != LISTEN_ENDED) {
        int64_t now_ms = oc_clock_monotonic_ms();

        if (run->state == LISTEN_DOWN && run->client)
            go_down(run, now_ms);
        else if (run->state == LISTEN_DOWN)
            connect_again(run, now_ms);
        else
            listen_link_step(run, step_ms(run, now_ms));
        now_ms = oc_clock_monotonic_ms();
        if (run->state == LISTEN_UP)
            listen_ask_next(run, now_ms);
        if (run->state != LISTEN_ENDED)
            check_time(run, now_ms);
    }
    listen_link_close(run);
}

static int prepare(listen_run_t *run)
{
    const cli_merge_sink_t sink = {run, on_print, on_gap, on_caught_up};
    const char *since = cli_args_get(run->args, CLI_OPT_SINCE);
    long long count_max, timeout_s;
    cli_place_t place;
    uint64_t random;
    int code = add_filters(run);

    if (code != CLI_DONE)
        return code;
    cli_merge_init(&run->merge, &sink);
    if (since && !cli_place_parse(since, &place))
        return cli_usage_error(run->args,
                               "--since: '%s' is neither SEQUENCE nor EPOCH:SEQUENCE, as events "
                               "have them",
                               since);
    if (since)
        cli_merge_since(&run->merge, &place);
    if (!cli_args_int(run->args, CLI_OPT_COUNT, 1, 1000000000, 0, &count_max) ||
        !cli_args_int(run->args, CLI_OPT_TIMEOUT, 1, 86400, 0, &timeout_s))
        return CLI_USAGE;
    run->count_max = (uint64_t)count_max;
    run->timeout_ms = timeout_s * 1000;
    if (!oc_random_bytes(&random, sizeof random))
        return cli_error(run->args, "the system has no random bytes");
    (void)snprintf(run->client_id, sizeof run->client_id, "orgcast-listen-%016" PRIx64, random);
    oc_backoff_reset(&run->backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    return cli_broker_init(run->args, &run->broker);
}

static int run_listen(const cli_args_t *args)
{
    listen_run_t run = {.args = args};
    const struct sigaction action = {.sa_handler = on_signal};
    int code = prepare(&run);

    if (code != CLI_DONE)
        return code;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    oc_json_guard_install();
    (void)mosquitto_lib_init();
    loop(&run);
    (void)mosquitto_lib_cleanup();
    oc_json_guard_remove();
    cli_merge_done(&run.merge);
    cli_broker_done(&run.broker);
    return run.code;
}

const cli_command_t cli_cmd_listen = {
    .name = "listen",
    .summary = "Print an organization's events as they come.",
    .synopsis = "--organization-id ORG [OPTION]...",
    .notes = notes,
    .options = uses,
    .run = run_listen,
};

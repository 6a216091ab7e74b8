/* SPDX-License-Identifier: MIT */
/* orgcast emit: publishes events through the emitter library. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker.h"
#include "commands.h"
#include "event_input.h"
#include "json.h"
#include "mem.h"
#include "receipts.h"
#include "signing.h"

#define LINE_MAX_BYTES ((size_t)64 * 1024)
#define TIMEOUT_DEFAULT_S 30

static const cli_use_t uses[] = {
    CLI_EVENT_USES,
    {CLI_OPT_STDIN, false, NULL},
    {CLI_OPT_KEEP_GOING, false, NULL},
    {CLI_OPT_JSON, false, "print one receipt line for each event, once it is acknowledged"},
    {CLI_OPT_TIMEOUT, false,
     "give up when the broker has acknowledged nothing for\nthat long (default 30; 0: never)"},
    {CLI_OPT_SOURCE, false, NULL},
    CLI_BROKER_USES,
    CLI_SIGNING_USES,
    {CLI_OPT_SUB, false, "claim sub (default orgcast-emitter)"},
    {CLI_OPT_NONE, false, NULL},
};

static const char notes[] = CLI_EVENT_NOTES
    "\n"
    "A line of --stdin is an object with the same names in camel case, type for TYPE, and\n"
    "notificationType for --type:\n"
    "  {\"type\":\"invoice.paid\",\"organizationId\":\"acme\",\"invoiceId\":\"inv-17\",\n"
    "   "
    "\"invoiceNumber\":\"2026-0017\",\"amount\":\"10.00\",\"currency\":\"EUR\",\"status\":\"PAID\"}"
    "\n"
    "(on one line). At a bad line the command stops after the earlier events are acknowledged, "
    "and\n"
    "exits with 1. With --keep-going it skips the line, continues, and exits with 1 at the end.";

typedef struct emit_run {
    const cli_args_t *args;
    orgcast_emitter_t *emitter;
    cli_receipts_t receipts;
    int64_t stall_timeout_ms;
    bool gave_up; /* some events were not emitted, or their answers not awaited */
} emit_run_t;

/* --invoice-id for the flags, invoiceId for the lines. */
static void print_fault(const emit_run_t *run, const cli_event_fault_t *fault, size_t line_number)
{
    const char *flag = cli_event_flag(fault->field);

    if (line_number)
        (void)cli_error(run->args, "line %zu: %s%s%s", line_number, fault->field,
                        *fault->field ? " " : "", fault->message);
    else
        (void)cli_usage_error(run->args, "%s%s%s%s", flag ? "--" : "", flag ? flag : fault->field,
                              *fault->field ? " " : "", fault->message);
}

/* Emit an event. Waits while the queue is full. */
static int emit_event(emit_run_t *run, const cli_event_t *event)
{
    orgcast_receipt_t receipt;
    orgcast_err_t err;

    while ((err = cli_event_emit(run->emitter, event, &receipt)) == ORGCAST_E_FULL) {
        uint64_t waiting = cli_receipts_waiting(&run->receipts);

        if (!cli_receipts_wait(&run->receipts, waiting > 0 ? waiting - 1 : 0,
                               run->stall_timeout_ms)) {
            run->gave_up = true;
            return CLI_FAILED; /* finish() says why */
        }
    }
    if (err != ORGCAST_OK) {
        cli_receipts_clear_progress(&run->receipts);
        return cli_error(run->args, "the event could not be emitted: %s", orgcast_err_name(err));
    }
    cli_receipts_emitted(&run->receipts, &receipt, event);
    return CLI_DONE;
}

typedef enum line_result {
    LINE_READ,
    LINE_TOO_LONG,
    LINE_END
} line_result_t;

/* Read one line without its end; what does not fit is read over. */
static line_result_t read_line(char *line, size_t cap, size_t *ret_len)
{
    size_t len = 0;
    int c;

    while ((c = getc_unlocked(stdin)) != EOF && c != '\n') {
        if (len < cap)
            line[len] = (char)c;
        len++;
    }
    if (c == EOF && len == 0)
        return LINE_END;
    *ret_len = len;
    return len > cap ? LINE_TOO_LONG : LINE_READ;
}

static bool is_blank(const char *line, size_t len)
{
    static const char blanks[] = {' ', '\t', '\r'};

    while (len > 0 && memchr(blanks, line[len - 1], sizeof blanks))
        len--;
    return len == 0;
}

/* CLI_USAGE: the line is bad, and an error has been printed. */
static int emit_line(emit_run_t *run, const char *line, size_t len, size_t line_number)
{
    OC_CLEANUP(oc_json_decrefp) json_t *object = NULL;
    cli_event_fault_t fault = {0};
    oc_diag_t diag = {0};
    cli_event_t event;

    if (oc_json_load(line, len, &object, &diag) != OC_OK) {
        cli_receipts_clear_progress(&run->receipts);
        (void)cli_error(run->args, "line %zu: %s", line_number, diag.message);
        return CLI_USAGE;
    }
    if (!cli_event_from_json(object, &event, &fault)) {
        cli_receipts_clear_progress(&run->receipts);
        print_fault(run, &fault, line_number);
        return CLI_USAGE;
    }
    return emit_event(run, &event);
}

static int emit_stdin(emit_run_t *run)
{
    bool keep_going = cli_args_has(run->args, CLI_OPT_KEEP_GOING);
    OC_CLEANUP(oc_freep) char *line = malloc(LINE_MAX_BYTES);
    line_result_t result;
    size_t len, line_number = 0;
    int code = CLI_DONE;

    if (!line)
        return cli_error(run->args, "out of memory");
    while ((result = read_line(line, LINE_MAX_BYTES, &len)) != LINE_END) {
        int line_code;

        if (cli_receipts_turned_away(&run->receipts)) {
            run->gave_up = true;
            return CLI_FAILED; /* finish() says why */
        }
        line_number++;
        if (result == LINE_TOO_LONG) {
            cli_receipts_clear_progress(&run->receipts);
            (void)cli_error(run->args, "line %zu: longer than %zu bytes", line_number,
                            LINE_MAX_BYTES);
            line_code = CLI_USAGE;
        } else if (is_blank(line, len)) {
            continue;
        } else {
            line_code = emit_line(run, line, len, line_number);
        }
        if (line_code == CLI_FAILED)
            return CLI_FAILED;
        if (line_code == CLI_USAGE)
            code = CLI_FAILED;
        if (code == CLI_FAILED && !keep_going)
            return code;
    }
    if (ferror(stdin))
        return cli_error(run->args, "standard input: %s", strerror(errno));
    return code;
}

/* Why some events have no answer. */
static void explain(const emit_run_t *run, const cli_broker_t *broker)
{
    const cli_receipts_t *receipts =
        &run->receipts; /* the emitter is closed: nobody writes there */

    if (receipts->turned_away) {
        cli_broker_print_mend(broker); /* the refusal itself is printed already */
        return;
    }
    (void)cli_error(run->args,
                    "%" PRIu64 " of %" PRIu64
                    " events were not acknowledged: no answer from %s:%d "
                    "for %" PRId64 " s%s%s",
                    receipts->dropped, receipts->emitted, broker->host, broker->port,
                    run->stall_timeout_ms / 1000, *receipts->connection ? ": " : "",
                    receipts->connection);
}

/* Wait for the answers, and say what came of it all. */
static int finish(emit_run_t *run, const cli_broker_t *broker, bool summary)
{
    cli_receipts_t *receipts = &run->receipts;

    if (!run->gave_up && !cli_receipts_wait(receipts, 0, run->stall_timeout_ms))
        run->gave_up = true;
    cli_receipts_closing(receipts);
    orgcast_emitter_close(run->emitter);
    run->emitter = NULL;
    cli_receipts_clear_progress(receipts);
    if (run->gave_up)
        explain(run, broker);
    if (summary)
        fprintf(stderr,
                "orgcast emit: %" PRIu64 " acknowledged, %" PRIu64 " refused, %" PRIu64
                " not answered\n",
                receipts->acknowledged, receipts->refused, receipts->dropped);
    return receipts->acknowledged == receipts->emitted ? CLI_DONE : CLI_FAILED;
}

static int open_emitter(emit_run_t *run, const cli_broker_t *broker, const char *organization_id)
{
    const cli_args_t *args = run->args;
    orgcast_diag_t diag = {0};
    orgcast_emitter_options_t options = {
        .host = broker->host,
        .port = broker->port,
        .tls_ca_file = broker->tls_ca_file,
        .token = broker->token_file ? NULL : broker->token,
        .token_file = broker->token_file,
        .source = cli_args_get(args, CLI_OPT_SOURCE),
        .signing_key_file = cli_args_get(args, CLI_OPT_SIGNING_KEY_FILE),
        .claims = {.subject = cli_args_get(args, CLI_OPT_SUB),
                   .issuer = cli_args_get(args, CLI_OPT_ISS),
                   .audience = cli_args_get(args, CLI_OPT_AUD),
                   .organization_id = organization_id,
                   .key_id = cli_args_get(args, CLI_OPT_KID),
                   .algorithm = cli_args_get(args, CLI_OPT_ALG)},
        .on_delivery = cli_receipts_on_delivery,
        .on_connection = cli_receipts_on_connection,
        .context = &run->receipts,
    };

    if (orgcast_emitter_open(&options, &run->emitter, &diag) != ORGCAST_OK)
        return cli_error(args, "%s", diag.message);
    return CLI_DONE;
}

/* event: the only one; NULL: standard input has them. */
static int emit_all(emit_run_t *run, const cli_event_t *event)
{
    const cli_args_t *args = run->args;
    cli_receipts_style_t style = event ? CLI_RECEIPTS_TEXT : CLI_RECEIPTS_REFUSED;
    cli_broker_t broker;
    int code = cli_broker_init(args, &broker);

    if (code == CLI_DONE &&
        !cli_receipts_init(&run->receipts,
                           cli_args_has(args, CLI_OPT_JSON) ? CLI_RECEIPTS_JSON : style, !event))
        code = cli_error(args, "out of memory");
    if (code != CLI_DONE) {
        cli_broker_done(&broker);
        return code;
    }
    /* A token signed here for one event need not be good for more than its organization. */
    code = open_emitter(run, &broker, event ? cli_event_organization_id(event) : NULL);
    if (code == CLI_DONE) {
        int finish_code;

        code = event ? emit_event(run, event) : emit_stdin(run);
        finish_code = finish(run, &broker, !event);
        if (code == CLI_DONE)
            code = finish_code;
    }
    cli_receipts_done(&run->receipts);
    cli_broker_done(&broker);
    return code;
}

static int emit_one(emit_run_t *run, const char *type)
{
    OC_CLEANUP(oc_json_decrefp) json_t *object = cli_event_json_from_args(run->args, type);
    cli_event_fault_t fault = {0};
    cli_event_t event;

    if (!object)
        return CLI_USAGE;
    if (oc_event_type_parse(type) == ORGCAST_EVENT_UNSET)
        return cli_usage_error(run->args, "no such event type: '%s'", type);
    if (!cli_event_from_json(object, &event, &fault)) {
        print_fault(run, &fault, 0);
        return CLI_USAGE;
    }
    return emit_all(run, &event);
}

/* Which options go with which. */
static int check_options(const cli_args_t *args)
{
    static const cli_use_t of_event[] = {CLI_EVENT_USES};
    const char *token_file = cli_args_get(args, CLI_OPT_TOKEN_FILE);
    bool from_stdin = cli_args_has(args, CLI_OPT_STDIN);

    if (from_stdin == (args->operand != NULL))
        return cli_usage_error(args, from_stdin ? "an event type and --stdin exclude each other"
                                                : "an event type or --stdin is missing");
    for (size_t i = 0; from_stdin && i < sizeof of_event / sizeof of_event[0]; i++) {
        if (cli_args_has(args, of_event[i].opt))
            return cli_usage_error(args, "put --%s in the lines of --stdin",
                                   cli_opt_name(of_event[i].opt));
    }
    if (!from_stdin && cli_args_has(args, CLI_OPT_KEEP_GOING))
        return cli_usage_error(args, "--keep-going goes with --stdin");
    if (from_stdin && token_file && strcmp(token_file, "-") == 0)
        return cli_usage_error(args, "standard input cannot hold both the token and the events");
    return cli_signing_check(args);
}

static int run_emit(const cli_args_t *args)
{
    emit_run_t run = {.args = args};
    long long timeout_s;
    int code = check_options(args);

    if (code != CLI_DONE)
        return code;
    if (!cli_args_int(args, CLI_OPT_TIMEOUT, 0, 86400, TIMEOUT_DEFAULT_S, &timeout_s))
        return CLI_USAGE;
    run.stall_timeout_ms = timeout_s * 1000;
    return args->operand ? emit_one(&run, args->operand) : emit_all(&run, NULL);
}

const cli_command_t cli_cmd_emit = {
    .name = "emit",
    .summary = "Publish events and wait until the broker has them.",
    .synopsis = "TYPE --organization-id ORG [OPTION]...\n--stdin [OPTION]...",
    .notes = notes,
    .operand = true,
    .options = uses,
    .run = run_emit,
};

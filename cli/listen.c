/* SPDX-License-Identifier: MIT */
/* orgcast listen: prints an organization's events as they come. */
#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "broker.h"
#include "commands.h"
#include "event.h"
#include "ids.h"
#include "listen_print.h"

#define KEEPALIVE_S 30
#define CONNECT_TIMEOUT_MS 10000
#define STEP_MS 1000
#define FILTERS_MAX 8
#define FILTER_MAX_BYTES (OC_ID_MAX + 64)

static const cli_use_t uses[] = {
    {CLI_OPT_ORGANIZATION_ID, false, NULL},
    {CLI_OPT_EVENT, true, NULL},
    {CLI_OPT_COUNT, false, NULL},
    {CLI_OPT_TIMEOUT, false,
     "exit after that long: with 0, or with 1 when --count\nevents have not come by then"},
    {CLI_OPT_JSON, false, "print each event as it is, one JSON object a line"},
    CLI_BROKER_USES,
    {CLI_OPT_NONE, false, NULL},
};

static const char notes[] =
    "EVENT is created, updated, sent, paid, overdue, cancelled, deleted or notification. Says on\n"
    "standard error when it has begun to listen; earlier events do not come. Ends with 0 on "
    "Ctrl-C,\n"
    "with 1 when the broker refuses the token or the organization, or the connection is lost.";

static volatile sig_atomic_t interrupted;

typedef enum listen_state {
    CONNECTING = 0, /* until every filter is granted */
    LISTENING,
    ENDED, /* done or failed; `code` says which */
} listen_state_t;

typedef struct listen_run {
    const cli_args_t *args;
    cli_broker_t broker;
    char filters[FILTERS_MAX][FILTER_MAX_BYTES];
    int filter_mids[FILTERS_MAX];
    size_t filters_count, granted;
    uint64_t count_max, count; /* count_max 0: without limit */
    listen_state_t state;
    int code;
    char tls_error[192]; /* what only libmosquitto's log says */
} listen_run_t;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void end(listen_run_t *run, int code)
{
    if (run->state != ENDED)
        run->code = code;
    run->state = ENDED;
}

static void on_connect(struct mosquitto *client, void *context, int reason_code, int flags,
                       const mosquitto_property *properties)
{
    listen_run_t *run = context;
    char why[CLI_BROKER_REASON_LEN];

    (void)flags;
    (void)properties;
    if (reason_code != 0) {
        end(run, cli_error(run->args, "%s:%d refused the connection: %s", run->broker.host,
                           run->broker.port, cli_broker_reason(reason_code, why, sizeof why)));
        if (reason_code == MQTT_RC_NOT_AUTHORIZED)
            cli_broker_print_mend(&run->broker);
        return;
    }
    /* A packet for each filter: a broker may answer for a whole packet when one of them is denied. */
    for (size_t i = 0; i < run->filters_count; i++) {
        if (mosquitto_subscribe(client, &run->filter_mids[i], run->filters[i], 1) !=
            MOSQ_ERR_SUCCESS)
            end(run, cli_error(run->args, "could not subscribe to %s", run->filters[i]));
    }
}

static void on_subscribe(struct mosquitto *client, void *context, int mid, int qos_count,
                         const int *granted_qos)
{
    listen_run_t *run = context;
    size_t i = 0;
    char why[CLI_BROKER_REASON_LEN];

    (void)client;
    while (i < run->filters_count && run->filter_mids[i] != mid)
        i++;
    if (i == run->filters_count || qos_count != 1 || run->state != CONNECTING)
        return;
    if (granted_qos[0] >= 0x80) {
        end(run, cli_error(run->args, "%s:%d refused the subscription to %s: %s", run->broker.host,
                           run->broker.port, run->filters[i],
                           cli_broker_reason(granted_qos[0], why, sizeof why)));
        fprintf(stderr,
                "Is '%s' among the token's organizations? 'orgcast token inspect' shows "
                "them; the broker's\nlog line has the reason.\n",
                cli_args_get(run->args, CLI_OPT_ORGANIZATION_ID));
        return;
    }
    fprintf(stderr, "orgcast listen: listening to %s\n", run->filters[i]);
    if (++run->granted == run->filters_count)
        run->state = LISTENING;
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    listen_run_t *run = context;

    (void)client;
    if (run->state == ENDED)
        return;
    if (!cli_listen_print(message->payload, (size_t)message->payloadlen,
                          cli_args_has(run->args, CLI_OPT_JSON))) {
        (void)cli_error(run->args, "skipped a message of %d bytes that is no event",
                        message->payloadlen);
        return;
    }
    if (fflush(stdout) != 0)
        end(run, CLI_FAILED); /* main() says why */
    if (++run->count == run->count_max)
        end(run, CLI_DONE);
}

/* code: the reason of the broker's DISCONNECT, or libmosquitto's error. */
static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    listen_run_t *run = context;
    char why[CLI_BROKER_REASON_LEN];

    (void)client;
    if (run->state == ENDED)
        return;
    if (code >= 0x80)
        end(run, cli_error(run->args, "the broker ended the connection: %s",
                           cli_broker_reason(code, why, sizeof why)));
    else
        end(run, cli_error(run->args, "the connection to %s:%d is lost%s%s", run->broker.host,
                           run->broker.port, *run->tls_error ? ": " : "", run->tls_error));
}

static void on_log(struct mosquitto *client, void *context, int level, const char *message)
{
    listen_run_t *run = context;

    (void)client;
    /* OpenSSL's queue, one by one: the last is the reason, those before it are its details. */
    if (level == MOSQ_LOG_ERR)
        (void)snprintf(run->tls_error, sizeof run->tls_error, "%s", message);
}

/* The topic's word for an event, "paid" for both "paid" and "invoice.paid" (INTERFACE §1); NULL for no
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

/* event: NULL for all of them. */
static int add_filter(listen_run_t *run, const char *organization_id, const char *event)
{
    const char *word = event ? topic_word(event) : NULL;
    char *filter = run->filters[run->filters_count];

    if (run->filters_count == FILTERS_MAX)
        return cli_usage_error(run->args, "more than %d times --event", FILTERS_MAX);
    if (event && !word)
        return cli_usage_error(run->args, "no such event: '%s'", event);
    if (word)
        (void)snprintf(filter, FILTER_MAX_BYTES, "org/%s/invoices/%s/+", organization_id, word);
    else
        (void)snprintf(filter, FILTER_MAX_BYTES, "org/%s/invoices/#", organization_id);
    run->filters_count++;
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
    if (!cli_args_has(run->args, CLI_OPT_EVENT))
        return add_filter(run, organization_id, NULL);
    while (code == CLI_DONE && (event = cli_args_next(run->args, CLI_OPT_EVENT, &cursor)))
        code = add_filter(run, organization_id, event);
    return code;
}

static struct mosquitto *new_client(listen_run_t *run)
{
    uint64_t random;
    char client_id[40];
    struct mosquitto *client;
    int rc = MOSQ_ERR_UNKNOWN;

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return NULL;
    (void)snprintf(client_id, sizeof client_id, "orgcast-listen-%016llx",
                   (unsigned long long)random);
    client = mosquitto_new(client_id, true, run);
    if (!client)
        return NULL;
    mosquitto_connect_v5_callback_set(client, on_connect);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_message_callback_set(client, on_message);
    mosquitto_disconnect_callback_set(client, on_disconnect);
    mosquitto_log_callback_set(client, on_log);
    rc = mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    if (rc == MOSQ_ERR_SUCCESS && run->broker.token)
        rc = mosquitto_username_pw_set(client, "orgcast-listen", run->broker.token);
    if (rc == MOSQ_ERR_SUCCESS && run->broker.tls_ca_file)
        rc = mosquitto_tls_set(client, run->broker.tls_ca_file, NULL, NULL, NULL, NULL);
    if (rc != MOSQ_ERR_SUCCESS) {
        mosquitto_destroy(client);
        return NULL;
    }
    return client;
}

static int open_connection(listen_run_t *run, struct mosquitto *client)
{
    int rc;

    errno = 0;
    rc = mosquitto_connect(client, run->broker.host, run->broker.port, KEEPALIVE_S);
    if (rc == MOSQ_ERR_SUCCESS)
        return CLI_DONE;
    return cli_error(run->args, "cannot connect to %s:%d: %s%s%s", run->broker.host,
                     run->broker.port,
                     rc == MOSQ_ERR_ERRNO && errno ? strerror(errno) : mosquitto_strerror(rc),
                     *run->tls_error ? ": " : "", run->tls_error);
}

/* End when the time has come; timeout_ms 0: without limit. */
static void check_time(listen_run_t *run, int64_t passed_ms, int64_t timeout_ms)
{
    if (interrupted || (timeout_ms > 0 && passed_ms >= timeout_ms && run->state == LISTENING &&
                        run->count_max == 0))
        end(run, CLI_DONE);
    else if (run->state == CONNECTING &&
             (passed_ms >= CONNECT_TIMEOUT_MS || (timeout_ms > 0 && passed_ms >= timeout_ms)))
        end(run, cli_error(run->args, "%s:%d does not answer", run->broker.host, run->broker.port));
    else if (timeout_ms > 0 && passed_ms >= timeout_ms)
        end(run, cli_error(run->args, "%llu of %llu events within %lld s",
                           (unsigned long long)run->count, (unsigned long long)run->count_max,
                           (long long)timeout_ms / 1000));
}

static void loop(listen_run_t *run, struct mosquitto *client, int64_t timeout_ms)
{
    int64_t start_ms = monotonic_ms();

    while (run->state != ENDED) {
        int64_t passed_ms = monotonic_ms() - start_ms;
        int64_t step_ms = STEP_MS;
        int rc;

        if (timeout_ms > passed_ms && timeout_ms - passed_ms < step_ms)
            step_ms = timeout_ms - passed_ms;
        rc = mosquitto_loop(client, (int)step_ms, 1);
        if (rc != MOSQ_ERR_SUCCESS)
            on_disconnect(client, run, rc); /* unless a callback has said more already */
        if (run->state != ENDED)
            check_time(run, monotonic_ms() - start_ms, timeout_ms);
    }
}

static int run_listen(const cli_args_t *args)
{
    listen_run_t run = {.args = args};
    struct sigaction action = {.sa_handler = on_signal};
    struct mosquitto *client;
    long long count_max, timeout_s;
    int code = add_filters(&run);

    if (code != CLI_DONE)
        return code;
    if (!cli_args_int(args, CLI_OPT_COUNT, 1, 1000000000, 0, &count_max) ||
        !cli_args_int(args, CLI_OPT_TIMEOUT, 1, 86400, 0, &timeout_s))
        return CLI_USAGE;
    run.count_max = (uint64_t)count_max;
    code = cli_broker_init(args, &run.broker);
    if (code != CLI_DONE)
        return code;

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)mosquitto_lib_init();
    client = new_client(&run);
    if (!client)
        code = cli_error(args, "the client cannot be set up%s",
                         run.broker.tls_ca_file ? " (is the file of --tls-ca-file there?)" : "");
    else
        code = open_connection(&run, client);
    if (code == CLI_DONE) {
        loop(&run, client, timeout_s * 1000);
        code = run.code;
        (void)mosquitto_disconnect(client);
    }
    mosquitto_destroy(client);
    (void)mosquitto_lib_cleanup();
    cli_broker_done(&run.broker);
    return code;
}

const cli_command_t cli_cmd_listen = {
    .name = "listen",
    .summary = "Print an organization's events as they come.",
    .synopsis = "--organization-id ORG [OPTION]...",
    .notes = notes,
    .options = uses,
    .run = run_listen,
};

/* SPDX-License-Identifier: MIT */
/* orgcast listen: a connection, from its beginning to its end. */
#include <errno.h>
#include <mqtt_protocol.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "clock.h"
#include "listen_run.h"
#include "request.h"

#define KEEPALIVE_S 30
/* After the moment when connecting has to be over, whatever still waits is woken this often. */
#define WAKE_AGAIN_US 100000

/* --- What the library calls --- */

static void take_refusal(listen_run_t *run, int reason_code)
{
    const cli_broker_t *broker = &run->broker;
    char why[CLI_BROKER_REASON_LEN];

    (void)cli_broker_reason(reason_code, why, sizeof why);
    if (!cli_broker_refuses_token(reason_code)) {
        listen_lost(run, "%s:%d refused the connection: %s", broker->host, broker->port, why);
        return;
    }
    listen_end(run, cli_error(run->args, "%s:%d refused the connection: %s", broker->host,
                              broker->port, why));
    if (reason_code == MQTT_RC_NOT_AUTHORIZED)
        cli_broker_print_mend(broker);
}

/* The whole stream, and what is not wanted is left out here: only so it can be seen that one is missing. */
static size_t subscription_count(const listen_run_t *run)
{
    return run->narrow ? run->filters_count : 1;
}

static const char *subscription(const listen_run_t *run, size_t index)
{
    return run->narrow ? run->filters[index] : run->whole_filter;
}

/* A packet for each filter: a broker may answer for a whole packet when one of them is denied. */
static void subscribe(listen_run_t *run)
{
    run->granted = 0;
    for (size_t i = 0; i < subscription_count(run); i++) {
        if (mosquitto_subscribe(run->client, &run->filter_mids[i], subscription(run, i), 1) !=
            MOSQ_ERR_SUCCESS)
            listen_lost(run, "could not subscribe to %s", subscription(run, i));
    }
}

static void on_connect(struct mosquitto *client, void *context, int reason_code, int flags,
                       const mosquitto_property *properties)
{
    listen_run_t *run = context;

    (void)client;
    (void)flags;
    (void)properties;
    if (run->state != LISTEN_CONNECTING)
        return;
    if (reason_code != 0) {
        take_refusal(run, reason_code);
        return;
    }
    /* The position first: then it is that of before the subscription. */
    listen_ask_begin(run);
    cli_merge_connected(&run->merge);
    listen_ask_next(run, oc_clock_monotonic_ms());
    subscribe(run);
}

void listen_tell_organizations(const listen_run_t *run)
{
    fprintf(stderr,
            "Is '%s' among the token's organizations? 'orgcast token inspect' shows "
            "them; the broker's\nlog line has the reason.\n",
            run->organization_id);
}

static void take_denial(listen_run_t *run, size_t index, int reason_code)
{
    char why[CLI_BROKER_REASON_LEN];

    /* Where a template is narrower than the whole stream, what was chosen may still be allowed. */
    if (!run->narrow && run->chosen) {
        run->narrow = true;
        subscribe(run);
        return;
    }
    listen_end(run, cli_error(run->args, "%s:%d refused the subscription to %s: %s",
                              run->broker.host, run->broker.port, subscription(run, index),
                              cli_broker_reason(reason_code, why, sizeof why)));
    listen_tell_organizations(run);
}

static void come_up(listen_run_t *run)
{
    run->state = LISTEN_UP;
    run->was_up = true;
    run->begun_ms = oc_clock_monotonic_ms();
    run->complained = false;
    for (size_t i = 0; i < run->filters_count && !run->listened; i++)
        fprintf(stderr, "orgcast listen: listening to %s\n", run->filters[i]);
    run->listened = true;
}

static void on_subscribe(struct mosquitto *client, void *context, int mid, int qos_count,
                         const int *granted_qos)
{
    listen_run_t *run = context;
    size_t count = subscription_count(run);
    size_t i = 0;

    (void)client;
    while (i < count && run->filter_mids[i] != mid)
        i++;
    if (i == count || qos_count != 1 || run->state != LISTEN_CONNECTING)
        return;
    if (granted_qos[0] >= 0x80)
        take_denial(run, i, granted_qos[0]);
    else if (++run->granted == count)
        come_up(run);
}

static void on_publish(struct mosquitto *client, void *context, int mid, int reason_code,
                       const mosquitto_property *properties)
{
    (void)client;
    (void)properties;
    listen_ask_acknowledged(context, mid, reason_code);
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    listen_run_t *run = context;

    (void)client;
    if (run->state == LISTEN_ENDED)
        return;
    if (strcmp(message->topic, CLI_RESPONSE_TOPIC) == 0)
        listen_ask_answer(run, message);
    else
        listen_take_event(run, message);
}

/* code: the reason of the broker's DISCONNECT, or libmosquitto's error. */
static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    listen_run_t *run = context;
    char why[CLI_BROKER_REASON_LEN];

    (void)client;
    if (code >= 0x80)
        listen_lost(run, "the broker ended the connection: %s",
                    cli_broker_reason(code, why, sizeof why));
    else if (run->state == LISTEN_CONNECTING && cli_broker_not_mqtt5(code))
        listen_lost(run, "%s:%d: %s", run->broker.host, run->broker.port, CLI_BROKER_NOT_MQTT5);
    else
        listen_lost(run, "the connection to %s:%d is lost%s%s", run->broker.host, run->broker.port,
                    *run->tls_error ? ": " : "", run->tls_error);
}

static void on_log(struct mosquitto *client, void *context, int level, const char *message)
{
    listen_run_t *run = context;

    (void)client;
    /* OpenSSL's queue, one by one: the last is the reason, those before it are its details. */
    if (level == MOSQ_LOG_ERR)
        (void)snprintf(run->tls_error, sizeof run->tls_error, "%s", message);
}

/* --- Connecting --- */

static struct mosquitto *new_client(listen_run_t *run)
{
    struct mosquitto *client =
        cli_broker_client(&run->broker, run->client_id, "orgcast-listen", run);

    if (!client)
        return NULL;
    mosquitto_connect_v5_callback_set(client, on_connect);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_publish_v5_callback_set(client, on_publish);
    mosquitto_message_callback_set(client, on_message);
    mosquitto_disconnect_callback_set(client, on_disconnect);
    mosquitto_log_callback_set(client, on_log);
    return client;
}

static volatile sig_atomic_t alarmed;

static void on_alarm(int number)
{
    (void)number;
    alarmed = 1;
}

/* libmosquitto resolves the name and connects without a limit on the time: a signal ends each of its waits
 * when that is over. */
static int connect_within(listen_run_t *run, int64_t max_ms, int *ret_error)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    const struct itimerval never = {0};
    const struct itimerval limit = {
        .it_value = {.tv_sec = max_ms / 1000, .tv_usec = max_ms % 1000 * 1000},
        .it_interval = {.tv_usec = WAKE_AGAIN_US}};
    int rc;

    alarmed = 0;
    (void)sigaction(SIGALRM, &action, NULL);
    (void)setitimer(ITIMER_REAL, &limit, NULL);
    errno = 0;
    rc = mosquitto_connect(run->client, run->broker.host, run->broker.port, KEEPALIVE_S);
    *ret_error = errno;
    (void)setitimer(ITIMER_REAL, &never, NULL);
    return rc;
}

void listen_link_open(listen_run_t *run, int64_t max_ms)
{
    const cli_broker_t *broker = &run->broker;
    int error = 0;
    int rc;

    *run->tls_error = '\0';
    run->was_up = false;
    run->state = LISTEN_CONNECTING;
    run->begun_ms = oc_clock_monotonic_ms();
    run->client = new_client(run);
    if (!run->client) {
        listen_lost(run, "the client cannot be set up%s",
                    broker->tls_ca_file ? " (is the file of --tls-ca-file there?)" : "");
        return;
    }
    rc = connect_within(run, max_ms, &error);
    if (rc == MOSQ_ERR_SUCCESS)
        return;
    if (listen_interrupted())
        listen_end(run, CLI_DONE);
    else if (alarmed)
        listen_lost(run, "%s:%d does not answer", broker->host, broker->port);
    else
        listen_lost(run, "cannot connect to %s:%d: %s%s%s", broker->host, broker->port,
                    rc == MOSQ_ERR_ERRNO && error ? strerror(error) : mosquitto_strerror(rc),
                    *run->tls_error ? ": " : "", run->tls_error);
}

void listen_link_step(listen_run_t *run, int64_t max_ms)
{
    int rc = mosquitto_loop(run->client, (int)max_ms, 1);

    if (rc != MOSQ_ERR_SUCCESS)
        on_disconnect(run->client, run, rc); /* unless a callback has said more already */
}

void listen_link_close(listen_run_t *run)
{
    if (run->client && run->state == LISTEN_ENDED)
        (void)mosquitto_disconnect(run->client);
    mosquitto_destroy(run->client);
    run->client = NULL;
}

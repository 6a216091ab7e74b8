/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "mem.h"
#include "request.h"
#include "utf8.h"

#define TIMEOUT_DEFAULT_S 10
#define KEEPALIVE_S 30
#define STEP_MS 1000

#define SUBJECT "orgcast-admin"
#define SCOPE "orgcast:admin"

typedef enum control_state {
    CONNECTING = 0, /* until the subscription is granted */
    READY,
    ASKING,
    ANSWERED, /* `data` is there */
    ENDED,    /* `code` says how, and everything has been said */
} control_state_t;

struct cli_control {
    const cli_args_t *args;
    cli_broker_t broker;
    long long timeout_s; /* for each answer */
    struct mosquitto *client;
    control_state_t state;
    int code;
    int subscribe_mid, publish_mid;
    uint64_t asked;        /* commands */
    char correlation[24];  /* of the latest of them */
    const char *command;   /* the same; borrowed */
    json_t *data;          /* its answer */
    char library_log[192]; /* what only libmosquitto's log says */
};

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void end(cli_control_t *control, int code)
{
    if (control->state != ENDED)
        control->code = code;
    control->state = ENDED;
}

/* What the broker does is what one does that knows nothing of control commands. */
static void print_no_plugin(void)
{
    fprintf(stderr,
            "Is the Orgcast plugin loaded in this broker, and new enough to have control "
            "commands?\n");
}

/* --- Answers --- */

int cli_control_bad_answer(const cli_args_t *args, const char *command)
{
    return cli_error(args, "unexpected answer to %s; is the plugin older than this command?",
                     command);
}

/* A text of the answer, fit for a terminal. */
#define SHOWN_LEN 512

static const char *shown(const json_t *text, char out[static SHOWN_LEN])
{
    return oc_utf8_clean(json_is_string(text) ? json_string_value(text) : "", out, SHOWN_LEN);
}

static void take_response(cli_control_t *control, json_t *response)
{
    const char *echo = json_string_value(json_object_get(response, "correlationData"));
    const char *command = json_string_value(json_object_get(response, "command"));
    const json_t *error = json_object_get(response, "error");
    json_t *data = json_object_get(response, "data");
    char message[SHOWN_LEN], code[SHOWN_LEN];

    /* A late one, of the command before. */
    if (echo && strcmp(echo, control->correlation) != 0)
        return;
    /* What is wrong with a whole request is told without its correlationData. */
    if (json_is_string(error)) {
        end(control, cli_error(control->args, "%s (%s)", shown(error, message),
                               shown(json_object_get(response, "code"), code)));
        return;
    }
    if (!echo || !command || strcmp(command, control->command) != 0 || !json_is_object(data)) {
        end(control, cli_control_bad_answer(control->args, control->command));
        return;
    }
    control->data = json_incref(data);
    control->state = ANSWERED;
}

static void take_answer(cli_control_t *control, const char *payload, size_t len)
{
    OC_CLEANUP(oc_json_decrefp) json_t *answer = NULL;
    json_t *responses;
    char message[SHOWN_LEN];

    if (len == 0 || oc_json_load(payload, len, &answer, NULL) != OC_OK) {
        end(control, cli_control_bad_answer(control->args, control->command));
        return;
    }
    responses = json_object_get(answer, "responses");
    if (json_array_size(responses) == 1) {
        take_response(control, json_array_get(responses, 0));
        return;
    }
    /* Mosquitto 2.1 itself, for a topic that no plugin has. */
    if (!responses && json_is_string(json_object_get(answer, "error"))) {
        end(control,
            cli_error(control->args, "%s:%d answers: %s", control->broker.host,
                      control->broker.port, shown(json_object_get(answer, "error"), message)));
        print_no_plugin();
        return;
    }
    end(control, cli_control_bad_answer(control->args, control->command));
}

/* --- What the library calls --- */

static void on_connect(struct mosquitto *client, void *context, int reason_code, int flags,
                       const mosquitto_property *properties)
{
    cli_control_t *control = context;
    char why[CLI_BROKER_REASON_LEN];

    (void)flags;
    (void)properties;
    if (reason_code != 0) {
        end(control,
            cli_error(control->args, "%s:%d refused the connection: %s", control->broker.host,
                      control->broker.port, cli_broker_reason(reason_code, why, sizeof why)));
        if (reason_code == MQTT_RC_NOT_AUTHORIZED)
            cli_broker_print_mend(&control->broker);
        return;
    }
    if (mosquitto_subscribe(client, &control->subscribe_mid, CLI_RESPONSE_TOPIC, 0) !=
        MOSQ_ERR_SUCCESS)
        end(control, cli_error(control->args, "could not subscribe to " CLI_RESPONSE_TOPIC));
}

static void on_subscribe(struct mosquitto *client, void *context, int mid, int qos_count,
                         const int *granted_qos)
{
    cli_control_t *control = context;
    char why[CLI_BROKER_REASON_LEN];

    (void)client;
    if (control->state != CONNECTING || mid != control->subscribe_mid || qos_count != 1)
        return;
    if (granted_qos[0] < 0x80) {
        control->state = READY;
        return;
    }
    end(control,
        cli_error(control->args, "%s:%d refused the subscription to " CLI_RESPONSE_TOPIC ": %s",
                  control->broker.host, control->broker.port,
                  cli_broker_reason(granted_qos[0], why, sizeof why)));
    print_no_plugin();
}

static void on_publish(struct mosquitto *client, void *context, int mid, int reason_code,
                       const mosquitto_property *properties)
{
    cli_control_t *control = context;
    char why[CLI_BROKER_REASON_LEN];

    (void)client;
    (void)properties;
    if (control->state != ASKING || mid != control->publish_mid || reason_code < 0x80)
        return;
    end(control, cli_error(control->args, "%s:%d refused the request: %s", control->broker.host,
                           control->broker.port, cli_broker_reason(reason_code, why, sizeof why)));
    print_no_plugin();
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message)
{
    cli_control_t *control = context;

    (void)client;
    if (control->state == ASKING && strcmp(message->topic, CLI_RESPONSE_TOPIC) == 0)
        take_answer(control, message->payload, (size_t)message->payloadlen);
}

/* code: the reason of the broker's DISCONNECT, or libmosquitto's error. */
static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    cli_control_t *control = context;
    char why[CLI_BROKER_REASON_LEN];
    bool asking;

    (void)client;
    if (control->state == ENDED || control->state == ANSWERED)
        return;
    asking = control->state == ASKING;
    if (code >= 0x80)
        end(control, cli_error(control->args, "the broker ended the connection: %s",
                               cli_broker_reason(code, why, sizeof why)));
    else if (control->state == CONNECTING && cli_broker_not_mqtt5(code))
        end(control, cli_error(control->args, "%s:%d: %s", control->broker.host,
                               control->broker.port, CLI_BROKER_NOT_MQTT5));
    else
        end(control, cli_error(control->args, "the connection to %s:%d is lost%s%s",
                               control->broker.host, control->broker.port,
                               *control->library_log ? ": " : "", control->library_log));
    if (asking)
        fprintf(stderr, "Whether the command was carried out is not known.\n");
}

static void on_log(struct mosquitto *client, void *context, int level, const char *message)
{
    cli_control_t *control = context;

    (void)client;
    /* OpenSSL's queue, one by one: the last is the reason, those before it are its details. */
    if (level == MOSQ_LOG_ERR)
        (void)snprintf(control->library_log, sizeof control->library_log, "%s", message);
}

/* --- Connecting --- */

static struct mosquitto *new_client(cli_control_t *control)
{
    uint64_t random;
    char client_id[40];
    struct mosquitto *client;

    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return NULL;
    (void)snprintf(client_id, sizeof client_id, "orgcast-admin-%016" PRIx64, random);
    client = cli_broker_client(&control->broker, client_id, "orgcast-admin", control);
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

/* libmosquitto resolves the name and connects without a limit on the time. */
static char late_text[384];

static void on_alarm(int number)
{
    (void)number;
    (void)!write(STDERR_FILENO, late_text, strlen(late_text));
    _exit(CLI_FAILED);
}

static int open_connection(cli_control_t *control)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    const cli_broker_t *broker = &control->broker;
    int rc, error;

    (void)snprintf(late_text, sizeof late_text, "orgcast %s: %.255s:%d does not answer\n",
                   control->args->command->name, broker->host, broker->port);
    (void)sigaction(SIGALRM, &action, NULL);
    (void)alarm((unsigned)control->timeout_s);
    errno = 0;
    rc = mosquitto_connect(control->client, broker->host, broker->port, KEEPALIVE_S);
    error = errno;
    (void)alarm(0);
    if (rc == MOSQ_ERR_SUCCESS)
        return CLI_DONE;
    return cli_error(control->args, "cannot connect to %s:%d: %s%s%s", broker->host, broker->port,
                     rc == MOSQ_ERR_ERRNO && error ? strerror(error) : mosquitto_strerror(rc),
                     *control->library_log ? ": " : "", control->library_log);
}

/* Until the state is `goal` or ENDED; false when the time is over before. */
static bool wait_for(cli_control_t *control, control_state_t goal)
{
    int64_t deadline_ms = monotonic_ms() + control->timeout_s * 1000;

    while (control->state != goal && control->state != ENDED) {
        int64_t left_ms = deadline_ms - monotonic_ms();
        int rc;

        if (left_ms <= 0)
            return false;
        rc = mosquitto_loop(control->client, (int)(left_ms < STEP_MS ? left_ms : STEP_MS), 1);
        if (rc != MOSQ_ERR_SUCCESS)
            on_disconnect(control->client, control, rc); /* unless a callback has said more */
    }
    return true;
}

static int connect_control(cli_control_t *control)
{
    int code;

    control->client = new_client(control);
    if (!control->client)
        return cli_error(control->args, "the client cannot be set up%s",
                         control->broker.tls_ca_file ? " (is the file of --tls-ca-file there?)"
                                                     : "");
    code = open_connection(control);
    if (code != CLI_DONE)
        return code;
    if (!wait_for(control, READY))
        return cli_error(control->args, "%s:%d does not answer", control->broker.host,
                         control->broker.port);
    return control->state == ENDED ? control->code : CLI_DONE;
}

int cli_control_open(const cli_args_t *args, cli_control_t **ret_control)
{
    cli_control_t *control;
    long long timeout_s;
    int code = cli_signing_check(args);

    if (code != CLI_DONE)
        return code;
    if (!cli_args_int(args, CLI_OPT_TIMEOUT, 1, 86400, TIMEOUT_DEFAULT_S, &timeout_s))
        return CLI_USAGE;
    control = calloc(1, sizeof *control);
    if (!control)
        return cli_error(args, "out of memory");
    (void)mosquitto_lib_init();
    control->args = args;
    control->timeout_s = timeout_s;
    code = cli_broker_init(args, &control->broker);
    if (code == CLI_DONE && cli_args_has(args, CLI_OPT_SIGNING_KEY_FILE))
        code = cli_signing_token(args, SUBJECT, SCOPE, &control->broker.token);
    if (code == CLI_DONE)
        code = connect_control(control);
    if (code != CLI_DONE) {
        cli_control_close(control);
        return code;
    }
    *ret_control = control;
    return CLI_DONE;
}

void cli_control_close(cli_control_t *control)
{
    if (!control)
        return;
    control->state = ENDED; /* nothing is said from here on */
    if (control->client)
        (void)mosquitto_disconnect(control->client);
    mosquitto_destroy(control->client);
    (void)mosquitto_lib_cleanup();
    cli_broker_done(&control->broker);
    json_decref(control->data);
    free(control);
}

/* --- Asking --- */

int cli_control_ask(cli_control_t *control, const char *command, json_t *members, json_t **ret_data)
{
    OC_CLEANUP(oc_freep) char *text = NULL;
    const cli_broker_t *broker = &control->broker;
    int rc;

    control->command = command;
    (void)snprintf(control->correlation, sizeof control->correlation, "%" PRIu64, ++control->asked);
    text = cli_request_text(command, control->correlation, members);
    if (!text)
        return cli_error(control->args, "out of memory");
    control->state = ASKING;
    rc = mosquitto_publish_v5(control->client, &control->publish_mid, CLI_REQUEST_TOPIC,
                              (int)strlen(text), text, 1, false, NULL);
    if (rc != MOSQ_ERR_SUCCESS)
        return cli_error(control->args, "the request could not be sent: %s",
                         mosquitto_strerror(rc));
    if (!wait_for(control, ANSWERED)) {
        (void)cli_error(control->args, "%s:%d does not answer the request within %lld s",
                        broker->host, broker->port, control->timeout_s);
        print_no_plugin();
        return CLI_FAILED;
    }
    if (control->state == ENDED)
        return control->code;
    *ret_data = oc_take(control->data);
    return CLI_DONE;
}

int cli_control_ask_once(const cli_args_t *args, const char *command, json_t *members,
                         json_t **ret_data)
{
    OC_CLEANUP(oc_json_decrefp) json_t *taken = members;
    cli_control_t *control = NULL;
    int code = cli_control_open(args, &control);

    if (control)
        code = cli_control_ask(control, command, taken, ret_data);
    cli_control_close(control);
    return code;
}

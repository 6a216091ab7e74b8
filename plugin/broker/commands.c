/* SPDX-License-Identifier: MIT */

/* $CONTROL/orgcast/v1: requests come as a publish, answers go to the asking client alone. */

#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "plugin.h"

/* Further answers that would have to wait for the disk are told what one is told that could not be
 * written. */
#define ANSWERS_MAX 1024

/* Where no tick came for so long none will: Mosquitto 2.0 with per_listener_settings. */
#define TICK_MISSING_MS 2000

typedef struct asked {
    plugin_t *plugin;
    const struct mosquitto *client;
    const oc_session_t *session;
} asked_t;

/* text: taken */
static void send_answer(const char *client_id, char *text)
{
    if (mosquitto_broker_publish(client_id, CONTROL_RESPONSE_TOPIC, (int)strlen(text), text, 0,
                                 false, NULL) != MOSQ_ERR_SUCCESS)
        free(text);
}

/* Only for a session: without one may_wait() is false. */
static bool keep_answer(plugin_t *plugin, const asked_t *asked, const oc_control_answer_t *answer)
{
    const char *client_id = mosquitto_client_id(asked->client);
    size_t id_size = strlen(client_id) + 1;
    waiting_answer_t *waiting;

    if (plugin->answer_count >= ANSWERS_MAX)
        return false;
    waiting = malloc(sizeof *waiting + id_size);
    if (!waiting)
        return false;
    waiting->ticket = answer->ticket;
    waiting->text = answer->text;
    waiting->failed_text = answer->failed_text;
    waiting->client = asked->client;
    waiting->session_serial = oc_session_serial(asked->session);
    memcpy(waiting->client_id, client_id, id_size);
    waiting->next = plugin->answers;
    plugin->answers = waiting;
    plugin->answer_count++;
    return true;
}

static void send_settled(const char *client_id, bool failed, char *text, char *failed_text)
{
    send_answer(client_id, failed ? failed_text : text);
    free(failed ? text : failed_text);
}

/* Not when its connection has ended: the broker sends to whoever has the client id. */
static void send_waiting(plugin_t *plugin, const waiting_answer_t *waiting, bool failed)
{
    oc_sessions_t *sessions = plugin->gate.shared->sessions;
    oc_session_t *session = oc_sessions_find(sessions, waiting->client, waiting->client_id);

    if (!session || oc_session_serial(session) != waiting->session_serial ||
        !oc_session_connected(session) || !oc_session_holds_id(sessions, session)) {
        free(waiting->text);
        free(waiting->failed_text);
        return;
    }
    oc_sessions_addressed(sessions, session, now_s());
    send_settled(waiting->client_id, failed, waiting->text, waiting->failed_text);
}

void send_answers(plugin_t *plugin)
{
    waiting_answer_t **at = &plugin->answers;

    while (*at) {
        waiting_answer_t *waiting = *at;
        bool failed = false;

        if (!oc_revocations_settled(plugin->gate.shared->revocations, waiting->ticket, &failed)) {
            at = &waiting->next;
            continue;
        }
        *at = waiting->next;
        plugin->answer_count--;
        send_waiting(plugin, waiting, failed);
        free(waiting);
    }
}

void drop_answers(plugin_t *plugin)
{
    while (plugin->answers) {
        waiting_answer_t *waiting = plugin->answers;

        plugin->answers = waiting->next;
        free(waiting->text);
        free(waiting->failed_text);
        free(waiting);
    }
}

static void report(void *context, const oc_control_outcome_t *outcome)
{
    const asked_t *asked = context;
    const decision_t decision = {.action = outcome->command[0] ? outcome->command : "control",
                                 .err = outcome->err,
                                 .client = asked->client,
                                 .session = asked->session,
                                 .detail = outcome->detail[0] ? outcome->detail : NULL};

    if (outcome->err)
        report_denial(asked->plugin, &decision);
    else
        report_audit(asked->plugin, &decision);
}

static bool send_event(void *context, const char *topic, const char *payload, size_t len)
{
    const asked_t *asked = context;

    return event_send(asked->plugin, mosquitto_client_id(asked->client), topic, payload, len);
}

bool has_ticks(const plugin_t *plugin)
{
    int64_t ticked_ms = plugin->gate.shared->ticked_ms;

    return ticked_ms > 0 && monotonic_ms() < ticked_ms + TICK_MISSING_MS;
}

/* An answer that waits for the disk is sent by a tick, to a client that is still there. */
static bool may_wait(const plugin_t *plugin, const oc_session_t *session)
{
    const oc_identity_t *identity = NULL;

    return has_ticks(plugin) && oc_session_rights(session, &identity) == OC_OK;
}

/* The plugin that let the client in: its keys and options hold for it. */
static plugin_t *plugin_of(const oc_session_t *session, plugin_t *registered)
{
    plugin_t *owner = session ? oc_session_owner(session) : NULL;

    return owner ? owner : registered;
}

int on_control(int event, void *event_data, void *userdata)
{
    const struct mosquitto_evt_control *control = event_data;
    plugin_t *registered = userdata;
    const char *client_id = mosquitto_client_id(control->client);
    oc_session_t *session =
        oc_sessions_find(registered->gate.shared->sessions, control->client, client_id);
    plugin_t *plugin = plugin_of(session, registered);
    const oc_control_asker_t asker = {session, client_id,
                                      mosquitto_client_address(control->client)};
    asked_t asked = {plugin, control->client, session};
    const oc_control_broker_t broker = {report, has_ticks(plugin), send_event, &asked};
    oc_control_answer_t answer = {0};
    oc_err_t err;

    (void)event;
    if (session)
        oc_sessions_addressed(registered->gate.shared->sessions, session, now_s());
    err = oc_control_handle(&plugin->gate, &asker, control->payload, control->payloadlen, now_s(),
                            &broker, &answer);
    if (err == OC_E_LIMIT_RATE)
        return MOSQ_ERR_SUCCESS;
    if (err) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "orgcast: out of memory for a control command");
        return MOSQ_ERR_SUCCESS;
    }
    /* The asker may have ended its own session: it gets its answer before that. */
    plugin->gate.shared->answering = true;
    if (answer.ticket == 0 || !may_wait(plugin, session))
        send_settled(client_id, false, answer.text, answer.failed_text);
    else if (!keep_answer(plugin, &asked, &answer))
        send_settled(client_id, true, answer.text, answer.failed_text);
    send_answers(plugin);
    return MOSQ_ERR_SUCCESS;
}

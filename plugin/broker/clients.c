/* SPDX-License-Identifier: MIT */

/* What clients do: connect, subscribe, publish, receive, go. Decisions are made elsewhere; here they
 * become the broker's result codes. */

#include <malloc.h>
#include <string.h>

#include "acl.h"
#include "jws.h"
#include "plugin.h"

/* Mosquitto 2.1's MOSQ_ERR_QUOTA_EXCEEDED: MQTT 5 reason 0x97. */
#define RESULT_QUOTA_EXCEEDED (-6)

/* A result that is no refusal: the broker closes the connection without a CONNACK. */
#define RESULT_COME_BACK MOSQ_ERR_CONN_REFUSED

#define AUTH_METHOD "JWT"

static oc_session_t *session_of(const plugin_t *plugin, const struct mosquitto *client)
{
    return oc_sessions_find(plugin->gate.shared->sessions, client, mosquitto_client_id(client));
}

/* --- CONNECT --- */

/* How long after SIGHUP its authentications may come, on a broker without ticks. */
#define RELOAD_S 1

/* Mosquitto 2.0 cannot be asked for a client. On SIGHUP it calls on_reload(), authenticates all the clients
 * that it has, serves WebSocket clients, and calls on_tick(); only then does it serve other clients. A
 * WebSocket client without a connection counts as a TCP client. */
static oc_gate_known_t is_known_to_2_0(const plugin_t *plugin, const struct mosquitto *client)
{
    const oc_session_t *session = session_of(plugin, client);
    bool connected = session && oc_session_connected(session);
    int64_t reloaded_s = plugin->gate.reloaded_s;

    /* A client that connects has no subscriptions yet. */
    if (mosquitto_client_sub_count(client) > 0)
        return OC_GATE_KNOWN;
    if (reloaded_s == 0 || (!connected && mosquitto_client_protocol(client) == mp_websockets))
        return OC_GATE_NEW;
    if (plugin->gate.shared->ticked_ms > 0)
        return OC_GATE_KNOWN;
    return now_s() <= reloaded_s + RELOAD_S ? OC_GATE_PERHAPS : OC_GATE_NEW;
}

static oc_gate_client_t describe(const plugin_t *plugin, const struct mosquitto *client,
                                 bool no_password)
{
    oc_gate_client_t described = {
        .client = client,
        .id = mosquitto_client_id(client),
        .address = mosquitto_client_address(client),
        .clean_start = mosquitto_client_clean_session(client),
        .no_password = no_password,
    };
    const struct mosquitto *holder;

    if (!mosquitto_client) {
        described.known = is_known_to_2_0(plugin, client);
        return described;
    }
    holder = mosquitto_client(described.id);
    described.known = holder == client ? OC_GATE_KNOWN : OC_GATE_NEW;
    described.holder = holder;
    described.holder_username = mosquitto_client_username(holder);
    return described;
}

/* Mosquitto 2.1 checks HTTP requests to an http_api listener on another thread, with a client that it made up.
 * Nothing here is made for two threads, and such a client has no token: so it is not looked at. */
static bool is_off_thread(const plugin_t *plugin)
{
    return !pthread_equal(pthread_self(), plugin->thread);
}

/* What a check on another thread gives. */
static int refuse_or_defer(const plugin_t *plugin, int refusal)
{
    return plugin->config.defer_non_jwt ? MOSQ_ERR_PLUGIN_DEFER : refusal;
}

/* Whether a client that connects again with the same token may get in. */
static bool is_passing(oc_err_t err, const oc_diag_t *diag)
{
    return diag->passing || err == OC_E_LIMIT_CONNECTIONS || err == OC_E_LIMIT_RATE ||
           err == OC_E_NOMEM;
}

/* Count a CONNECT, report it, and give the broker its result. After a CONNACK that refuses them, with whatever
 * reason code, MQTT.js and others never connect again; after a closed connection they do. */
static int conclude(plugin_t *plugin, struct mosquitto *client, oc_err_t err, const oc_diag_t *diag)
{
    const decision_t decision = {.action = "connect",
                                 .err = err,
                                 .client = client,
                                 .session = err ? NULL : session_of(plugin, client),
                                 .detail = err ? diag->message : NULL};

    plugin->gate.shared->metrics.connects[err]++;
    if (!err) {
        report_audit(plugin, &decision);
        return MOSQ_ERR_SUCCESS;
    }
    report_refusal(plugin, &decision);
    return is_passing(err, diag) ? RESULT_COME_BACK : MOSQ_ERR_AUTH;
}

static int let_in(plugin_t *plugin, struct mosquitto *client, const oc_gate_client_t *described,
                  const oc_gate_token_t *token)
{
    oc_identity_t *identity = NULL;
    oc_diag_t diag = {0};
    oc_err_t err = oc_gate_check(&plugin->gate, described, token, now_s(), &identity, &diag);

    if (!err && mosquitto_set_username(client, identity->subject) != MOSQ_ERR_SUCCESS)
        err = oc_fail(&diag, OC_E_NOMEM, "the broker did not take the username");
    if (!err)
        err = oc_gate_enter(&plugin->gate, described, token, identity, &diag);
    if (err)
        oc_identity_unref(identity);
    return conclude(plugin, client, err, &diag);
}

static int no_memory(plugin_t *plugin, struct mosquitto *client)
{
    oc_diag_t diag = {0};
    oc_err_t err = oc_fail(&diag, OC_E_NOMEM, "out of memory");

    return conclude(plugin, client, err, &diag);
}

/* Leave a client to the broker's other authenticators. */
static int defer(plugin_t *plugin, struct mosquitto *client, const oc_gate_client_t *described)
{
    oc_diag_t diag = {0};
    oc_err_t err = oc_gate_enter_foreign(&plugin->gate, described, now_s(), &diag);

    return err ? conclude(plugin, client, err, &diag) : MOSQ_ERR_PLUGIN_DEFER;
}

int on_basic_auth(int event, void *event_data, void *userdata)
{
    const struct mosquitto_evt_basic_auth *auth = event_data;
    plugin_t *plugin = userdata;
    /* The broker ends a password at its first NUL. */
    const char *password = auth->password ? auth->password : "";
    oc_gate_client_t described;
    oc_gate_token_t token;

    (void)event;
    if (is_off_thread(plugin))
        return refuse_or_defer(plugin, MOSQ_ERR_AUTH);
    if (!oc_gate_token(&plugin->gate, password, strlen(password), &token))
        return no_memory(plugin, auth->client);
    described = describe(plugin, auth->client, false);
    switch (oc_gate_recognize(&plugin->gate, &described, &token)) {
    case OC_GATE_OURS:
        return MOSQ_ERR_SUCCESS;
    case OC_GATE_THEIRS:
        return MOSQ_ERR_PLUGIN_DEFER;
    case OC_GATE_CONNECTS:
        break;
    }
    oc_sessions_drop(plugin->gate.shared->sessions, auth->client);
    if (plugin->config.defer_non_jwt && !oc_jws_shaped(token.bytes, token.len))
        return defer(plugin, auth->client, &described);
    return let_in(plugin, auth->client, &described, &token);
}

/* --- MQTT 5 enhanced authentication --- */

/* End a connection whose refresh is refused, MQTT 5 §4.12.1. Mosquitto 2.1 sends a DISCONNECT. 2.0 sends a second
 * CONNACK: so it gets another answer, and a tick ends the connection with a DISCONNECT. Without ticks it is
 * closed without a word. */
static int end_refused(plugin_t *plugin, oc_session_t *session)
{
    if (plugin->is_2_1)
        return MOSQ_ERR_AUTH;
    if (!has_ticks(plugin))
        return MOSQ_ERR_CONN_REFUSED;
    oc_sessions_kick(plugin->gate.shared->sessions, session);
    return MOSQ_ERR_AUTH_CONTINUE;
}

static int refresh(plugin_t *plugin, struct mosquitto *client, oc_session_t *session,
                   const oc_gate_token_t *token)
{
    oc_diag_t diag = {0};
    oc_err_t err = oc_gate_refresh(&plugin->gate, session, mosquitto_client_address(client), token,
                                   now_s(), &diag);
    const decision_t decision = {.action = "refresh",
                                 .err = err,
                                 .client = client,
                                 .session = session,
                                 .detail = err ? diag.message : NULL};

    plugin->gate.shared->metrics.refreshes[err]++;
    if (!err) {
        report_audit(plugin, &decision);
        return MOSQ_ERR_SUCCESS;
    }
    report_refusal(plugin, &decision);
    return end_refused(plugin, session);
}

/* A client with another method, which another plugin may know. Without non_jwt_clients defer it has no rights here,
 * whoever lets it in. */
static int defer_method(plugin_t *plugin, struct mosquitto *client, const oc_session_t *session)
{
    if (!plugin->config.defer_non_jwt || (session && oc_session_connected(session)))
        return MOSQ_ERR_PLUGIN_DEFER;
    oc_sessions_drop(plugin->gate.shared->sessions, client);
    {
        const oc_gate_client_t described = describe(plugin, client, true);

        return defer(plugin, client, &described);
    }
}

/* For CONNECT, and for an AUTH packet on the live connection, which has a session already. */
int on_ext_auth_start(int event, void *event_data, void *userdata)
{
    struct mosquitto_evt_extended_auth *auth = event_data;
    plugin_t *plugin = userdata;
    const char *data = auth->data_in ? auth->data_in : "";
    oc_session_t *session = session_of(plugin, auth->client);
    oc_gate_token_t token;

    (void)event;
    if (!auth->auth_method || strcmp(auth->auth_method, AUTH_METHOD) != 0)
        return defer_method(plugin, auth->client, session);
    if (!oc_gate_token(&plugin->gate, data, auth->data_in_len, &token))
        return no_memory(plugin, auth->client);
    if (session && oc_session_connected(session) && !oc_session_foreign(session))
        return refresh(plugin, auth->client, session, &token);
    oc_sessions_drop(plugin->gate.shared->sessions, auth->client);
    {
        const oc_gate_client_t described = describe(plugin, auth->client, true);

        return let_in(plugin, auth->client, &described, &token);
    }
}

/* Nothing is ever continued with this method. But Mosquitto takes an AUTH packet without a reason code for
 * a continuation, and if that fails frees the client's id while it is still in use. So it gets an answer,
 * and then its connection is ended. */
int on_ext_auth_continue(int event, void *event_data, void *userdata)
{
    struct mosquitto_evt_extended_auth *auth = event_data;
    plugin_t *plugin = userdata;
    oc_session_t *session = session_of(plugin, auth->client);

    (void)event;
    if (!session || oc_session_foreign(session))
        return MOSQ_ERR_PLUGIN_DEFER;
    oc_sessions_kick(plugin->gate.shared->sessions, session);
    return MOSQ_ERR_AUTH_CONTINUE;
}

/* --- SUBSCRIBE, PUBLISH, delivery --- */

/* Nothing but its Will comes from a session that has lost its connection or its client id. A Will may also come before
 * the plugin knows that: see event_expect(). */
static bool is_will(const oc_session_t *session)
{
    return !oc_session_connected(session) || !oc_session_current(session);
}

/* False when its topic is under no template. */
static bool event_of_check(const plugin_t *plugin, const struct mosquitto_evt_acl_check *check,
                           event_t *ret_event)
{
    *ret_event = (event_t){.topic = check->topic,
                           .payload = check->payload,
                           .payload_len = check->payloadlen,
                           .qos = check->qos,
                           .retain = check->retain};
    return oc_acl_governs(&plugin->config.acl_rules, check->topic, &ret_event->org);
}

/* A Will gets its number and its properties. The broker has no means to take either from an ACL check, so the plugin
 * publishes the Will itself. */
static oc_err_t take_will(plugin_t *plugin, const event_t *will, bool *ret_published,
                          oc_diag_t *diag)
{
    stamped_t stamped = {0};
    oc_err_t err = event_take(plugin, will, &stamped, diag);

    if (err || !event_governed(&plugin->config, will))
        return err;
    if (!event_publish(plugin, will, &stamped))
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    *ret_published = true;
    return OC_OK;
}

/* ret_published: true when the plugin published the message itself, and the broker must not */
static oc_err_t check_publish(plugin_t *plugin, const oc_session_t *session,
                              const struct mosquitto_evt_acl_check *check, bool *ret_published,
                              oc_diag_t *diag)
{
    const oc_identity_t *identity = NULL;
    event_t event;
    oc_err_t err;

    /* A client whose token has ended may still send a new one. A Will is not a command: the broker would store it, or
     * give it to subscribers. */
    if (strcmp(check->topic, CONTROL_TOPIC) == 0)
        return is_will(session) || check->retain ? OC_E_TOPIC_NOT_ALLOWED : OC_OK;
    err = oc_session_rights(session, &identity);
    if (!err)
        err = oc_acl_publish(&plugin->config.acl_rules, identity, check->topic, check->retain,
                             now_s());
    if (err || !event_of_check(plugin, check, &event))
        return err;
    if (is_will(session))
        return take_will(plugin, &event, ret_published, diag);
    return event_expect(plugin, &event, check->client, false, diag);
}

/* Count a SUBSCRIBE or PUBLISH, tell of it, and give the broker its result. */
static int conclude_request(plugin_t *plugin, const struct mosquitto_evt_acl_check *check,
                            const oc_session_t *session, oc_err_t err, const char *detail)
{
    bool publish = check->access == MOSQ_ACL_WRITE;
    oc_metrics_t *metrics = &plugin->gate.shared->metrics;
    const decision_t decision = {.action = publish ? "publish" : "subscribe",
                                 .err = err,
                                 .client = check->client,
                                 .session = session,
                                 .topic = check->topic,
                                 .detail = detail};

    (publish ? metrics->publishes : metrics->subscribes)[err]++;
    if (!err) {
        report_audit(plugin, &decision);
        return MOSQ_ERR_SUCCESS;
    }
    report_denial(plugin, &decision);
    return MOSQ_ERR_ACL_DENIED;
}

static int on_publish(plugin_t *plugin, const oc_session_t *session,
                      const struct mosquitto_evt_acl_check *check)
{
    oc_diag_t diag = {0};
    bool published = false;
    oc_err_t err = check_publish(plugin, session, check, &published, &diag);
    int result = conclude_request(plugin, check, session, err, diag.code ? diag.message : NULL);

    return published ? MOSQ_ERR_ACL_DENIED : result;
}

static oc_err_t check_subscribe(plugin_t *plugin, oc_session_t *session, const char *filter)
{
    const oc_identity_t *identity = NULL;
    oc_err_t err;

    /* Only a connection subscribes: this one was taken for a SIGHUP's authentication. */
    oc_sessions_connected(plugin->gate.shared->sessions, session);
    err = oc_session_rights(session, &identity);
    return err ? err : oc_acl_subscribe(&plugin->config.acl_rules, identity, filter, now_s());
}

/* For each delivery. */
static oc_err_t check_delivery(const plugin_t *plugin, const oc_session_t *session,
                               const char *topic)
{
    const oc_identity_t *identity = NULL;
    oc_err_t err = oc_session_rights(session, &identity);

    if (err)
        return err;
    /* Nothing is queued for an offline session that somebody else could resume. */
    if (!oc_session_connected(session) && !oc_session_id_bound(session))
        return OC_E_CLIENT_ID_NOT_BOUND;
    return oc_acl_deliver(&plugin->config.acl_rules, identity, topic, now_s());
}

/* Where in its struct of a client Mosquitto 2.0 and 2.1 look with each delivery. */
#define CLIENT_BYTES 896
#define CACHE_LINE 64

/* With many subscribers most of what a delivery costs is to wait for the memory of each: so that of the next one is
 * asked for while the broker is busy with this one. A hint, which nothing hangs on, also where there is no client
 * any more. */
static void fetch_next_client(const plugin_t *plugin)
{
    const char *next = oc_sessions_next_asked(plugin->gate.shared->sessions);

    for (size_t i = 0; next && i < CLIENT_BYTES; i += CACHE_LINE)
        __builtin_prefetch(next + i);
}

/* The same for most clients and events: with fewer looks at memory, and yes or nothing. */
static bool is_granted(const plugin_t *plugin, const struct mosquitto_evt_acl_check *check)
{
    const oc_org_load_t *org = oc_sessions_granted(plugin->gate.shared->sessions, check->client,
                                                   mosquitto_client_id(check->client), now_s());

    fetch_next_client(plugin);
    return org && oc_acl_belongs(&plugin->config.acl_rules, check->topic, org->id, org->id_len);
}

/* Only SUCCESS, ACL_DENIED and PLUGIN_DEFER may be returned: with any other code the broker disconnects the
 * publisher. */
static int conclude_delivery(plugin_t *plugin, const struct mosquitto_evt_acl_check *check,
                             const oc_session_t *session, oc_err_t err)
{
    plugin->gate.shared->metrics.deliveries[err]++;
    if (!err)
        return MOSQ_ERR_SUCCESS;
    if (plugin->gate.shared->audit) {
        const decision_t decision = {.action = "deliver",
                                     .err = err,
                                     .client = check->client,
                                     .session = session,
                                     .topic = check->topic};

        report_audit(plugin, &decision);
    }
    return MOSQ_ERR_ACL_DENIED;
}

static oc_err_t refuse_foreign_will(oc_diag_t *diag)
{
    return oc_fail(diag, OC_E_TOPIC_NOT_ALLOWED,
                   "the Will of a client without a token cannot be an event");
}

/* Other authenticators decide on it later. Then the plugin can neither give it a number nor its properties. */
static int defer_will(plugin_t *plugin, const struct mosquitto_evt_acl_check *check,
                      const oc_session_t *session)
{
    oc_diag_t diag = {0};
    event_t will;
    oc_err_t err = OC_OK;

    if (event_of_check(plugin, check, &will)) {
        err = event_check(&plugin->config, &will, &diag);
        if (!err && event_governed(&plugin->config, &will))
            err = refuse_foreign_will(&diag);
    }
    return err ? conclude_request(plugin, check, session, err, diag.message)
               : MOSQ_ERR_PLUGIN_DEFER;
}

/* A client without a session: it authenticated elsewhere, or was restored from disk. */
static int check_unknown(plugin_t *plugin, const struct mosquitto_evt_acl_check *check)
{
    oc_slice_t org;

    if (check->access == MOSQ_ACL_READ) {
        /* A restored session may be anybody's, so an organization's topics stay closed to it. */
        if (plugin->config.defer_non_jwt &&
            (mosquitto_client_address(check->client) ||
             !oc_acl_governs(&plugin->config.acl_rules, check->topic, &org)))
            return MOSQ_ERR_PLUGIN_DEFER;
        return conclude_delivery(plugin, check, NULL, OC_E_SESSION_UNKNOWN);
    }
    if (plugin->config.defer_non_jwt)
        return check->access == MOSQ_ACL_WRITE ? defer_will(plugin, check, NULL)
                                               : MOSQ_ERR_PLUGIN_DEFER;
    if (check->access == MOSQ_ACL_UNSUBSCRIBE)
        return MOSQ_ERR_SUCCESS;
    return conclude_request(plugin, check, NULL, OC_E_SESSION_UNKNOWN, NULL);
}

/* A client that another authenticator let in. */
static int check_foreign(plugin_t *plugin, const struct mosquitto_evt_acl_check *check,
                         const oc_session_t *session)
{
    oc_diag_t diag = {0};
    oc_err_t err = OC_OK;
    event_t event;

    if (check->access != MOSQ_ACL_WRITE)
        return MOSQ_ERR_PLUGIN_DEFER;
    if (is_will(session))
        return defer_will(plugin, check, session);
    if (event_of_check(plugin, check, &event))
        err = event_expect(plugin, &event, check->client, true, &diag);
    return err ? conclude_request(plugin, check, session, err, diag.message)
               : MOSQ_ERR_PLUGIN_DEFER;
}

/* A Will that the plugin has not checked reaches nobody: neither an event, of which on_disconnect() sends the numbered
 * copy, nor a command, which may hold a token. */
static bool is_kept_back(const plugin_t *plugin, const struct mosquitto_evt_acl_check *check)
{
    return event_not_shown(plugin, check->topic, check->payload, check->payloadlen) ||
           (check->topic[0] == '$' && strcmp(check->topic, CONTROL_TOPIC) == 0);
}

int on_acl_check(int event, void *event_data, void *userdata)
{
    const struct mosquitto_evt_acl_check *check = event_data;
    plugin_t *plugin = userdata;
    oc_session_t *session;

    (void)event;
    if (is_off_thread(plugin))
        return refuse_or_defer(plugin, MOSQ_ERR_ACL_DENIED);
    if (check->access == MOSQ_ACL_READ) {
        if (is_kept_back(plugin, check))
            return MOSQ_ERR_ACL_DENIED;
        if (is_granted(plugin, check))
            return conclude_delivery(plugin, check, NULL, OC_OK);
    }
    session = session_of(plugin, check->client);
    if (!session)
        return check_unknown(plugin, check);
    if (oc_session_foreign(session))
        return check_foreign(plugin, check, session);
    switch (check->access) {
    case MOSQ_ACL_READ:
        return conclude_delivery(plugin, check, session,
                                 check_delivery(plugin, session, check->topic));
    case MOSQ_ACL_WRITE:
        return on_publish(plugin, session, check);
    case MOSQ_ACL_SUBSCRIBE:
        /* The broker asks again when it ends the connection of a session that lives on, and would take
         * the subscriptions from one whose token is over. Its next token finds them again. */
        if (plugin->gate.shared->ending)
            return MOSQ_ERR_SUCCESS;
        return conclude_request(plugin, check, session,
                                check_subscribe(plugin, session, check->topic), NULL);
    case MOSQ_ACL_UNSUBSCRIBE:
        return MOSQ_ERR_SUCCESS;
    default:
        return MOSQ_ERR_ACL_DENIED;
    }
}

/* Swaps the first entries of two lists. Mosquitto 2.0's entries are blocks of one size that refer to the next one alone. */
static void swap_entries(mosquitto_property *one, mosquitto_property *other)
{
    size_t size = malloc_usable_size(one);
    unsigned char *bytes = (unsigned char *)one;
    unsigned char *other_bytes = (unsigned char *)other;

    if (malloc_usable_size(other) < size)
        size = malloc_usable_size(other);
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = bytes[i];

        bytes[i] = other_bytes[i];
        other_bytes[i] = byte;
    }
}

/* Takes the properties. Mosquitto 2.1 frees the list that it had when it gets another one. 2.0 does so from 2.0.15 on,
 * and a plugin cannot find out: so there the broker's list stays where it is and gets the content of the other one. */
static void set_properties(const plugin_t *plugin, struct mosquitto_evt_message *message,
                           mosquitto_property *properties)
{
    if (!properties)
        return;
    if (plugin->is_2_1 || !message->properties) {
        message->properties = properties;
        return;
    }
    swap_entries(message->properties, properties);
    mosquitto_property_free_all(&properties);
}

/* With QoS 2 the broker shows a PUBLISH again whenever the client sends it again. */
static oc_stream_flow_t flow_of(const struct mosquitto_evt_message *message,
                                const oc_session_t *session)
{
    if (message->qos != 2)
        return (oc_stream_flow_t){0};
    return (oc_stream_flow_t){
        .client_id = mosquitto_client_id(message->client),
        .connection = session ? oc_session_serial(session) : 0,
        .resumes = !mosquitto_client_clean_session(message->client),
        /* A bridge has no session, and connects again without the plugin's knowledge. */
        .resends = !session || mosquitto_client_protocol_version(message->client) != 5,
    };
}

/* Called for what clients publish, after its ACL check, and for what bridges bring, without one. */
int on_message(int event, void *event_data, void *userdata)
{
    struct mosquitto_evt_message *message = event_data;
    plugin_t *plugin = userdata;
    const oc_session_t *session = session_of(plugin, message->client);
    mosquitto_property *properties = NULL;
    oc_diag_t diag = {0};
    event_t published = {.topic = message->topic,
                         .payload = message->payload,
                         .payload_len = message->payloadlen,
                         .qos = message->qos,
                         .retain = message->retain,
                         .flow = flow_of(message, session)};
    stamped_t stamped = {0};
    oc_err_t err;

    (void)event;
    event_shown(plugin);
    if (!oc_acl_governs(&plugin->config.acl_rules, message->topic, &published.org))
        return MOSQ_ERR_SUCCESS;
    err = event_properties(&plugin->config, &properties, &diag);
    if (!err)
        err = event_take(plugin, &published, &stamped, &diag);
    if (err) {
        const decision_t decision = {.action = "publish",
                                     .err = err,
                                     .client = message->client,
                                     .session = session,
                                     .topic = message->topic,
                                     .detail = diag.message};

        mosquitto_property_free_all(&properties);
        report_denial(plugin, &decision);
        return err == OC_E_LIMIT_RATE && plugin->is_2_1 ? RESULT_QUOTA_EXCEEDED
                                                        : MOSQ_ERR_ACL_DENIED;
    }
    set_properties(plugin, message, properties);
    if (stamped.payload) {
        /* The broker frees the payload that it had. */
        message->payload = stamped.payload;
        message->payloadlen = (uint32_t)stamped.len;
    }
    return MOSQ_ERR_SUCCESS;
}

/* --- The end --- */

/* Mosquitto 2.1 tells by the event; for 2.0, MQTT 5 sessions may have an expiry that plugins are not
 * told. */
static bool lives_on(const plugin_t *plugin, int event, const struct mosquitto *client)
{
    if (plugin->is_2_1)
        return event == EVENT_CLIENT_OFFLINE;
    return !mosquitto_client_clean_session(client) ||
           mosquitto_client_protocol_version(client) == 5;
}

/* Mosquitto 2.1.3 publishes a Will before it reports the disconnect: the plugin took it for a publish, and then it was not
 * shown. */
static void finish_will(plugin_t *plugin, const struct mosquitto *client,
                        const oc_session_t *session)
{
    oc_diag_t diag = {0};
    bool foreign = false;
    bool published = false;
    event_t will;
    oc_err_t err;

    if (!event_take_expected(plugin, client, &will, &foreign))
        return;
    err = foreign ? refuse_foreign_will(&diag) : take_will(plugin, &will, &published, &diag);
    if (err) {
        const decision_t decision = {.action = "publish",
                                     .err = err,
                                     .client = client,
                                     .session = session,
                                     .topic = will.topic,
                                     .detail = diag.message};

        report_denial(plugin, &decision);
    }
}

int on_disconnect(int event, void *event_data, void *userdata)
{
    /* struct mosquitto_evt_client_offline is the same. */
    const struct mosquitto_evt_disconnect *disconnect = event_data;
    const struct mosquitto *client = disconnect->client;
    plugin_t *plugin = userdata;
    const oc_session_t *session = session_of(plugin, client);

    if (session && !oc_session_foreign(session)) {
        const decision_t decision = {.action = "disconnect", .client = client, .session = session};

        report_audit(plugin, &decision);
    }
    finish_will(plugin, client, session);
    /* After a refused CONNECT there is no client id, and nothing to keep. */
    if (mosquitto_client_id(client))
        oc_sessions_disconnected(plugin->gate.shared->sessions, client,
                                 lives_on(plugin, event, client), now_s());
    else
        oc_sessions_drop(plugin->gate.shared->sessions, client);
    return MOSQ_ERR_SUCCESS;
}

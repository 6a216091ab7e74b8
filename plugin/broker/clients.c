/* SPDX-License-Identifier: MIT */

/* What clients do: connect, subscribe, publish, receive, go. Decisions are made elsewhere; here they
 * become the broker's result codes. */

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

static oc_gate_client_t describe(const struct mosquitto *client, const char *username,
                                 bool no_password)
{
    return (oc_gate_client_t){
        .client = client,
        .id = mosquitto_client_id(client),
        .address = mosquitto_client_address(client),
        .username = username,
        .clean_start = mosquitto_client_clean_session(client),
        .has_subscriptions = mosquitto_client_sub_count(client) > 0,
        .no_password = no_password,
    };
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
    const oc_gate_client_t described = describe(auth->client, auth->username, false);
    oc_gate_token_t token;

    (void)event;
    if (!oc_gate_token(&plugin->gate, password, strlen(password), &token))
        return no_memory(plugin, auth->client);
    if (oc_gate_recognizes(&plugin->gate, &described, &token, now_s()))
        return MOSQ_ERR_SUCCESS;
    oc_sessions_drop(plugin->gate.shared->sessions, auth->client);
    if (plugin->config.defer_non_jwt && !oc_jws_shaped(token.bytes, token.len))
        return defer(plugin, auth->client, &described);
    return let_in(plugin, auth->client, &described, &token);
}

/* --- MQTT 5 enhanced authentication --- */

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
    /* Then the broker closes the connection, as MQTT 5 §4.12.1 has it. */
    report_refusal(plugin, &decision);
    return MOSQ_ERR_AUTH;
}

/* A client with another method, which another plugin may know. Without non_jwt_clients defer it has no rights here,
 * whoever lets it in. */
static int defer_method(plugin_t *plugin, struct mosquitto *client, const oc_session_t *session)
{
    if (!plugin->config.defer_non_jwt || (session && oc_session_connected(session)))
        return MOSQ_ERR_PLUGIN_DEFER;
    oc_sessions_drop(plugin->gate.shared->sessions, client);
    {
        const oc_gate_client_t described = describe(client, NULL, true);

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
        const oc_gate_client_t described = describe(auth->client, NULL, true);

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

/* The broker publishes a Will after it has reported the disconnect, or during a takeover; nothing else
 * comes from a session then. It is not shown to on_message(). */
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

/* The event that a Will is. With a number it is another payload, which an ACL check cannot give the broker:
 * so the plugin publishes it. */
static oc_err_t take_will(plugin_t *plugin, const event_t *will, bool *ret_published,
                          oc_diag_t *diag)
{
    stamped_t stamped = {0};
    oc_err_t err = event_take(plugin, will, &stamped, diag);

    if (err || !stamped.payload)
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

    /* Who has no good token any more may still send a new one. */
    if (strcmp(check->topic, CONTROL_TOPIC) == 0)
        /* A Will is no command: the broker would keep it, or give it to subscribers. */
        return is_will(session) ? OC_E_TOPIC_NOT_ALLOWED : OC_OK;
    err = oc_session_rights(session, &identity);
    if (!err)
        err = oc_acl_publish(&plugin->config.acl_rules, identity, check->topic, check->retain,
                             now_s());
    if (err || !event_of_check(plugin, check, &event))
        return err;
    if (is_will(session))
        return take_will(plugin, &event, ret_published, diag);
    event_announce(plugin, &event);
    return OC_OK;
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

/* What others decide on; but a Will has no other check of its form than this, and cannot be given a number
 * before they have decided. */
static int defer_will(plugin_t *plugin, const struct mosquitto_evt_acl_check *check,
                      const oc_session_t *session)
{
    oc_diag_t diag = {0};
    event_t will;
    oc_err_t err = OC_OK;

    if (event_of_check(plugin, check, &will)) {
        err = event_check(&plugin->config, &will, &diag);
        if (!err && event_numbered(&plugin->config, &will))
            err = oc_fail(&diag, OC_E_TOPIC_NOT_ALLOWED,
                          "the Will of a client without a token cannot be numbered");
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
    event_t event;

    if (check->access != MOSQ_ACL_WRITE)
        return MOSQ_ERR_PLUGIN_DEFER;
    if (is_will(session))
        return defer_will(plugin, check, session);
    if (event_of_check(plugin, check, &event))
        event_announce(plugin, &event);
    return MOSQ_ERR_PLUGIN_DEFER;
}

int on_acl_check(int event, void *event_data, void *userdata)
{
    const struct mosquitto_evt_acl_check *check = event_data;
    plugin_t *plugin = userdata;
    bool unshown = check->access == MOSQ_ACL_READ &&
                   event_unshown(plugin, check->topic, check->payload, check->payloadlen);
    oc_session_t *session;

    (void)event;
    if (check->access == MOSQ_ACL_READ && !unshown && is_granted(plugin, check))
        return conclude_delivery(plugin, check, NULL, OC_OK);
    session = session_of(plugin, check->client);
    if (unshown)
        return conclude_delivery(plugin, check, session, OC_E_EVENT_INVALID);
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

/* What clients publish, after its ACL check, and what bridges bring, which have none. */
int on_message(int event, void *event_data, void *userdata)
{
    struct mosquitto_evt_message *message = event_data;
    plugin_t *plugin = userdata;
    oc_diag_t diag = {0};
    event_t published = {.topic = message->topic,
                         .payload = message->payload,
                         .payload_len = message->payloadlen,
                         .qos = message->qos,
                         .retain = message->retain};
    stamped_t stamped = {0};
    oc_err_t err;

    (void)event;
    event_shown(plugin);
    if (!oc_acl_governs(&plugin->config.acl_rules, message->topic, &published.org))
        return MOSQ_ERR_SUCCESS;
    err = event_take(plugin, &published, &stamped, &diag);
    if (err) {
        const decision_t decision = {.action = "publish",
                                     .err = err,
                                     .client = message->client,
                                     .session = session_of(plugin, message->client),
                                     .topic = message->topic,
                                     .detail = diag.message};

        report_denial(plugin, &decision);
        return err == OC_E_LIMIT_RATE && plugin->is_2_1 ? RESULT_QUOTA_EXCEEDED
                                                        : MOSQ_ERR_ACL_DENIED;
    }
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
    /* After a refused CONNECT there is no client id, and nothing to keep. */
    if (mosquitto_client_id(client))
        oc_sessions_disconnected(plugin->gate.shared->sessions, client,
                                 lives_on(plugin, event, client), now_s());
    else
        oc_sessions_drop(plugin->gate.shared->sessions, client);
    return MOSQ_ERR_SUCCESS;
}

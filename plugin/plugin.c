/* SPDX-License-Identifier: MIT */

/* The plugin's outermost layer, and the only file that knows Mosquitto: entry points, callbacks, log
 * lines, and the mapping of decisions to the broker's result codes. Everything here runs on the
 * broker's one thread. docs/ARCHITECTURE.md names the broker's habits that shaped it. */

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acl.h"
#include "bucket.h"
#include "identity.h"
#include "json.h"
#include "jws.h"
#include "mem.h"
#include "options.h"
#include "session.h"
#include "utf8.h"
#include "verifier.h"

#define EXPORT __attribute__((visibility("default")))

/* Lines about clients: so many at once, then so many a second. */
#define LOG_BURST 100
#define LOG_PER_SECOND 20
/* Bytes of a client id, subject or topic that a log line shows. */
#define LOG_TEXT_MAX 160

/* Connections ended in one tick, so that many expiring together do not hold up the broker. */
#define KICKS_PER_TICK 256

/* Mosquitto 2.1's name is MOSQ_EVT_CLIENT_OFFLINE: what it reports instead of a disconnect when the
 * session lives on. */
#define EVENT_CLIENT_OFFLINE 28

/* With per_listener_settings, each listener has a plugin of its own; the clients and their ids are the
 * whole broker's. */
static struct {
    oc_sessions_t *sessions;
    unsigned users;
} shared;

typedef struct plugin {
    mosquitto_plugin_id_t *id;
    oc_config_t config;
    oc_verifier_t *verifier;
    oc_sessions_t *sessions; /* shared */
    bool told_offline;       /* the broker has EVENT_CLIENT_OFFLINE */
    oc_bucket_t log_bucket;
    int64_t logged_s;   /* when the last line about a client was written */
    int64_t reloaded_s; /* when SIGHUP was last served; 0 after the tick that follows */
} plugin_t;

static int64_t now_s(void)
{
    struct timespec now;

    /* Read from memory that the kernel maps: no system call. */
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec;
}

static void log_left_out(plugin_t *plugin, int64_t time_s)
{
    uint64_t left_out = oc_bucket_left_out(&plugin->log_bucket);

    if (left_out > 0)
        mosquitto_log_printf(MOSQ_LOG_NOTICE,
                             "orgcast: %llu more lines left out in the last %lld s",
                             (unsigned long long)left_out, (long long)(time_s - plugin->logged_s));
}

/* True when a line about a client may be written now. */
static bool may_log(plugin_t *plugin, int64_t time_s)
{
    if (!oc_bucket_take(&plugin->log_bucket, time_s))
        return false;
    log_left_out(plugin, time_s);
    plugin->logged_s = time_s;
    return true;
}

static int refuse(plugin_t *plugin, const struct mosquitto *client, oc_err_t err,
                  const oc_diag_t *diag, int64_t time_s)
{
    char id[LOG_TEXT_MAX];
    const char *address = mosquitto_client_address(client);

    if (may_log(plugin, time_s))
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "orgcast: refused client '%s' from %s: %s (%s)",
                             oc_utf8_quote(mosquitto_client_id(client), id, sizeof id),
                             address ? address : "unknown", oc_err_name(err), diag->message);
    return MOSQ_ERR_AUTH;
}

static int deny(plugin_t *plugin, const char *action, const struct mosquitto_evt_acl_check *check,
                const oc_session_t *session, oc_err_t err, int64_t time_s)
{
    char topic[LOG_TEXT_MAX];
    char id[LOG_TEXT_MAX];
    char subject[LOG_TEXT_MAX] = "";

    if (may_log(plugin, time_s)) {
        if (session && oc_session_identity(session))
            (void)oc_utf8_quote(oc_session_identity(session)->subject, subject, sizeof subject);
        mosquitto_log_printf(MOSQ_LOG_NOTICE,
                             "orgcast: denied %s '%s' to client '%s' subject '%s': %s", action,
                             oc_utf8_quote(check->topic, topic, sizeof topic),
                             oc_utf8_quote(mosquitto_client_id(check->client), id, sizeof id),
                             subject, oc_err_name(err));
    }
    return MOSQ_ERR_ACL_DENIED;
}

static oc_err_t check_client_id(const plugin_t *plugin, const struct mosquitto *client,
                                const oc_identity_t *identity, int64_t time_s, oc_diag_t *diag)
{
    const char *id = mosquitto_client_id(client);

    /* An id with a slash is somebody's: taking it would end their session, or keep them out. */
    if (identity && (!mosquitto_client_clean_session(client) || strchr(id, '/')) &&
        !oc_identity_binds_client_id(identity, id))
        return oc_fail(diag, OC_E_CLIENT_ID_NOT_BOUND,
                       "a persistent session, or an id with a slash, needs the form %s/...",
                       identity->any_org ? "{subject}" : "{organizationId}");
    if (oc_sessions_check_id(plugin->sessions, id, identity, time_s) != OC_OK)
        return oc_fail(diag, OC_E_CLIENT_ID_IN_USE, "it is another subject's");
    return OC_OK;
}

/* Verify a token and give the client its session. */
static oc_err_t authenticate(plugin_t *plugin, struct mosquitto *client, const char *token,
                             size_t token_len, const unsigned char hash[OC_TOKEN_HASH_LEN],
                             int64_t time_s, oc_diag_t *diag)
{
    const char *id = mosquitto_client_id(client);
    oc_identity_t *identity = NULL;
    oc_err_t err =
        oc_verifier_identify(plugin->verifier, token, token_len, hash, time_s, &identity, diag);

    if (!err)
        err = check_client_id(plugin, client, identity, time_s, diag);
    if (!err && mosquitto_set_username(client, identity->subject) != MOSQ_ERR_SUCCESS)
        err = oc_fail(diag, OC_E_NOMEM, "the broker did not take the username");
    if (!err) {
        const oc_session_traits_t traits = {
            .id_bound = oc_identity_binds_client_id(identity, id),
            .end_on_expiry = plugin->config.disconnect_on_expiry,
        };

        err = oc_sessions_bind(plugin->sessions, client, id, identity, hash, &traits);
        if (err)
            (void)oc_fail(diag, err, "out of memory");
    }
    if (err)
        oc_identity_unref(identity);
    return err;
}

/* On SIGHUP the broker authenticates every session again, offline ones too, with what they once
 * connected with and the username that we set. Refusing one there is a use after free in Mosquitto
 * 2.0.11, and a session keeps its identity until its token's time is over, whatever became of the key:
 * so these are recognized. */
static bool is_recheck(const plugin_t *plugin, const struct mosquitto_evt_basic_auth *auth,
                       const unsigned char hash[OC_TOKEN_HASH_LEN], int64_t time_s)
{
    const oc_session_t *session =
        oc_sessions_find(plugin->sessions, auth->client, mosquitto_client_id(auth->client));
    const oc_identity_t *identity;

    /* Without an address it is no connection, but a session that the broker restored from disk; it
     * gets no identity, and so nothing, until it connects. */
    if (!session)
        return mosquitto_client_address(auth->client) == NULL;
    if (oc_session_foreign(session))
        return false;
    /* A client may come back, on memory used before, right after a SIGHUP; it rarely sends its subject
     * as username. One that does is found out by on_acl_check(). */
    identity = oc_session_identity(session);
    if (!oc_session_connected(session) &&
        (time_s > plugin->reloaded_s + 1 || !auth->username ||
         (identity && strcmp(auth->username, identity->subject) != 0)))
        return false;
    return CRYPTO_memcmp(hash, oc_session_token_hash(session), OC_TOKEN_HASH_LEN) == 0;
}

/* Leave a client to the broker's other authenticators. */
static int defer(plugin_t *plugin, struct mosquitto *client, int64_t time_s)
{
    oc_diag_t diag = {0};
    oc_err_t err = check_client_id(plugin, client, NULL, time_s, &diag);

    if (!err && oc_sessions_bind_foreign(plugin->sessions, client, mosquitto_client_id(client)))
        err = oc_fail(&diag, OC_E_NOMEM, "out of memory");
    return err ? refuse(plugin, client, err, &diag, time_s) : MOSQ_ERR_PLUGIN_DEFER;
}

static int on_basic_auth(int event, void *event_data, void *userdata)
{
    const struct mosquitto_evt_basic_auth *auth = event_data;
    plugin_t *plugin = userdata;
    /* The broker ends a password at its first NUL. */
    const char *token = auth->password ? auth->password : "";
    size_t token_len = strlen(token);
    unsigned char hash[OC_TOKEN_HASH_LEN];
    int64_t time_s = now_s();
    oc_diag_t diag = {0};
    oc_err_t err;

    (void)event;
    if (!oc_verifier_hash(plugin->verifier, token, token_len, hash)) {
        err = oc_fail(&diag, OC_E_NOMEM, "out of memory");
        return refuse(plugin, auth->client, err, &diag, time_s);
    }
    if (is_recheck(plugin, auth, hash, time_s))
        return MOSQ_ERR_SUCCESS;
    oc_sessions_drop(plugin->sessions, auth->client);
    if (plugin->config.defer_non_jwt && !oc_jws_shaped(token, token_len))
        return defer(plugin, auth->client, time_s);
    err = authenticate(plugin, auth->client, token, token_len, hash, time_s, &diag);
    return err ? refuse(plugin, auth->client, err, &diag, time_s) : MOSQ_ERR_SUCCESS;
}

/* A client without a session: it authenticated elsewhere, or was restored from disk. */
static int check_unknown(plugin_t *plugin, const struct mosquitto_evt_acl_check *check)
{
    if (plugin->config.defer_non_jwt) {
        /* A restored session may be anybody's, so an organization's topics stay closed to it. */
        if (check->access == MOSQ_ACL_READ && !mosquitto_client_address(check->client) &&
            oc_acl_governs(&plugin->config.acl_rules, check->topic))
            return MOSQ_ERR_ACL_DENIED;
        return MOSQ_ERR_PLUGIN_DEFER;
    }
    switch (check->access) {
    case MOSQ_ACL_UNSUBSCRIBE:
        return MOSQ_ERR_SUCCESS;
    case MOSQ_ACL_SUBSCRIBE:
        return deny(plugin, "subscribe", check, NULL, OC_E_SESSION_UNKNOWN, now_s());
    case MOSQ_ACL_WRITE:
        return deny(plugin, "publish", check, NULL, OC_E_SESSION_UNKNOWN, now_s());
    default:
        return MOSQ_ERR_ACL_DENIED;
    }
}

/* Nothing is queued for an offline session that somebody else could resume. */
static oc_err_t check_delivery(const oc_acl_rules_t *rules, const oc_session_t *session,
                               const char *topic, int64_t time_s)
{
    const oc_identity_t *identity = oc_session_identity(session);

    if (!identity)
        return OC_E_TOKEN_EXPIRED;
    if (!oc_session_connected(session) && !oc_session_id_bound(session))
        return OC_E_CLIENT_ID_NOT_BOUND;
    return oc_acl_deliver(rules, identity, topic, time_s);
}

static oc_err_t check_subscribe(plugin_t *plugin, oc_session_t *session, const char *filter,
                                int64_t time_s)
{
    const oc_identity_t *identity = oc_session_identity(session);

    /* Only a connection subscribes: this one was taken for a SIGHUP's authentication. */
    oc_sessions_connected(plugin->sessions, session);
    if (!identity)
        return OC_E_TOKEN_EXPIRED;
    return oc_acl_subscribe(&plugin->config.acl_rules, identity, filter, time_s);
}

static oc_err_t check_publish(const oc_acl_rules_t *rules, const oc_session_t *session,
                              const struct mosquitto_evt_acl_check *check, int64_t time_s)
{
    const oc_identity_t *identity = oc_session_identity(session);

    if (!identity)
        return OC_E_TOKEN_EXPIRED;
    return oc_acl_publish(rules, identity, check->topic, check->retain, time_s);
}

static int on_acl_check(int event, void *event_data, void *userdata)
{
    const struct mosquitto_evt_acl_check *check = event_data;
    plugin_t *plugin = userdata;
    const oc_acl_rules_t *rules = &plugin->config.acl_rules;
    oc_session_t *session =
        oc_sessions_find(plugin->sessions, check->client, mosquitto_client_id(check->client));
    int64_t time_s;
    oc_err_t err;

    (void)event;
    if (!session)
        return check_unknown(plugin, check);
    if (oc_session_foreign(session))
        return MOSQ_ERR_PLUGIN_DEFER;
    time_s = now_s();
    switch (check->access) {
    case MOSQ_ACL_READ:
        /* For each delivery. Only SUCCESS, ACL_DENIED and PLUGIN_DEFER may be returned: with any other
         * code the broker disconnects the publisher. */
        err = check_delivery(rules, session, check->topic, time_s);
        return err ? MOSQ_ERR_ACL_DENIED : MOSQ_ERR_SUCCESS;
    case MOSQ_ACL_WRITE:
        err = check_publish(rules, session, check, time_s);
        return err ? deny(plugin, "publish", check, session, err, time_s) : MOSQ_ERR_SUCCESS;
    case MOSQ_ACL_SUBSCRIBE:
        err = check_subscribe(plugin, session, check->topic, time_s);
        return err ? deny(plugin, "subscribe", check, session, err, time_s) : MOSQ_ERR_SUCCESS;
    case MOSQ_ACL_UNSUBSCRIBE:
        return MOSQ_ERR_SUCCESS;
    default:
        return MOSQ_ERR_ACL_DENIED;
    }
}

/* Mosquitto 2.1 tells by the event; for 2.0, MQTT 5 sessions may have an expiry that plugins are not
 * told. */
static bool lives_on(const plugin_t *plugin, int event, const struct mosquitto *client)
{
    if (plugin->told_offline)
        return event == EVENT_CLIENT_OFFLINE;
    return !mosquitto_client_clean_session(client) ||
           mosquitto_client_protocol_version(client) == 5;
}

static int on_disconnect(int event, void *event_data, void *userdata)
{
    /* struct mosquitto_evt_client_offline is the same. */
    const struct mosquitto_evt_disconnect *disconnect = event_data;
    const struct mosquitto *client = disconnect->client;
    plugin_t *plugin = userdata;

    /* After a refused CONNECT there is no client id, and nothing to keep. */
    if (mosquitto_client_id(client))
        oc_sessions_disconnected(plugin->sessions, client, lives_on(plugin, event, client),
                                 now_s());
    else
        oc_sessions_drop(plugin->sessions, client);
    return MOSQ_ERR_SUCCESS;
}

/* End the connections whose token's time is over. */
static void end_expired(plugin_t *plugin, int64_t time_s)
{
    for (int kicks = 0; kicks < KICKS_PER_TICK;) {
        const oc_session_t *session = oc_sessions_next_expired(plugin->sessions, time_s);

        if (!session)
            break;
        if (!oc_session_end_on_expiry(session) || !oc_session_holds_id(plugin->sessions, session))
            continue;
        /* Without its Will, which it may not publish any more. */
        (void)mosquitto_kick_client_by_clientid(oc_session_client_id(session), false);
        kicks++;
    }
}

static int on_tick(int event, void *event_data, void *userdata)
{
    plugin_t *plugin = userdata;
    int64_t time_s = now_s();

    (void)event;
    (void)event_data;
    plugin->reloaded_s = 0;
    oc_verifier_poll(plugin->verifier);
    end_expired(plugin, time_s);
    if (plugin->log_bucket.left_out > 0 && time_s > plugin->logged_s + 9) {
        log_left_out(plugin, time_s);
        plugin->logged_s = time_s;
    }
    return MOSQ_ERR_SUCCESS;
}

static void log_keys(void *context, bool error, const char *message)
{
    (void)context;
    mosquitto_log_printf(error ? MOSQ_LOG_WARNING : MOSQ_LOG_NOTICE, "orgcast: %s", message);
}

/* Always success: on anything else Mosquitto 2.1 exits, and 2.0 drops the other authenticators. */
static int on_reload(int event, void *event_data, void *userdata)
{
    plugin_t *plugin = userdata;
    oc_diag_t diag = {0};

    (void)event;
    (void)event_data;
    plugin->reloaded_s = now_s();
    if (oc_verifier_reload(plugin->verifier, &diag) == OC_OK)
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "orgcast: keys read again; there are %zu",
                             oc_verifier_key_count(plugin->verifier));
    else
        mosquitto_log_printf(MOSQ_LOG_ERR, "orgcast: the old keys stay: %s", diag.message);
    return MOSQ_ERR_SUCCESS;
}

static const struct {
    int event;
    MOSQ_FUNC_generic_callback callback;
} callbacks[] = {
    {MOSQ_EVT_BASIC_AUTH, on_basic_auth}, {MOSQ_EVT_ACL_CHECK, on_acl_check},
    {MOSQ_EVT_DISCONNECT, on_disconnect}, {MOSQ_EVT_TICK, on_tick},
    {MOSQ_EVT_RELOAD, on_reload},
};

#define CALLBACK_COUNT (sizeof callbacks / sizeof callbacks[0])

static void plugin_free(plugin_t *plugin)
{
    if (!plugin)
        return;
    if (plugin->sessions && --shared.users == 0) {
        oc_sessions_free(shared.sessions);
        shared.sessions = NULL;
    }
    oc_verifier_free(plugin->verifier);
    oc_config_done(&plugin->config);
    free(plugin);
}

static oc_err_t configure(plugin_t *plugin, const struct mosquitto_opt *opts, int opt_count,
                          oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) oc_option_t *options = calloc((size_t)opt_count + 1, sizeof *options);
    oc_err_t err;

    if (!options)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    for (int i = 0; i < opt_count; i++)
        options[i] = (oc_option_t){opts[i].key, opts[i].value};
    err = oc_config_init(&plugin->config, options, (size_t)opt_count, diag);
    if (err)
        return err;
    return oc_verifier_new(&plugin->config, log_keys, plugin, &plugin->verifier, diag);
}

static oc_err_t start(plugin_t *plugin, const struct mosquitto_opt *opts, int opt_count,
                      oc_diag_t *diag)
{
    oc_err_t err = configure(plugin, opts, opt_count, diag);

    if (err)
        return err;
    if (!shared.sessions)
        shared.sessions = oc_sessions_new();
    if (!shared.sessions)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    plugin->sessions = shared.sessions;
    shared.users++;
    for (size_t i = 0; i < CALLBACK_COUNT; i++) {
        int rc = mosquitto_callback_register(plugin->id, callbacks[i].event, callbacks[i].callback,
                                             NULL, plugin);

        if (rc != MOSQ_ERR_SUCCESS)
            return oc_fail(diag, OC_E_CONFIG,
                           rc == MOSQ_ERR_ALREADY_EXISTS
                               ? "the plugin is loaded twice for one listener"
                               : "the broker refused a callback");
    }
    plugin->told_offline =
        mosquitto_callback_register(plugin->id, EVENT_CLIENT_OFFLINE, on_disconnect, NULL,
                                    plugin) == MOSQ_ERR_SUCCESS;
    return OC_OK;
}

static void stop(plugin_t *plugin)
{
    for (size_t i = 0; i < CALLBACK_COUNT; i++)
        (void)mosquitto_callback_unregister(plugin->id, callbacks[i].event, callbacks[i].callback,
                                            NULL);
    if (plugin->told_offline)
        (void)mosquitto_callback_unregister(plugin->id, EVENT_CLIENT_OFFLINE, on_disconnect, NULL);
    plugin_free(plugin);
    oc_json_guard_remove();
}

EXPORT int mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
    for (int i = 0; i < supported_version_count; i++) {
        if (supported_versions[i] == 5)
            return 5;
    }
    return -1;
}

EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                                 struct mosquitto_opt *options, int option_count)
{
    plugin_t *plugin = calloc(1, sizeof *plugin);
    oc_diag_t diag = {0};

    if (!plugin)
        return MOSQ_ERR_NOMEM;
    oc_json_guard_install();
    /* Seeds jansson's hashing before there are threads. */
    json_object_seed(0);
    plugin->id = identifier;
    plugin->logged_s = now_s();
    plugin->log_bucket = oc_bucket(LOG_BURST, LOG_PER_SECOND, plugin->logged_s);
    if (start(plugin, options, option_count, &diag) != OC_OK) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "orgcast: %s", diag.message);
        stop(plugin);
        return MOSQ_ERR_INVAL;
    }
    mosquitto_log_printf(MOSQ_LOG_NOTICE,
                         "orgcast " ORGCAST_VERSION
                         ": %zu keys, %zu topic "
                         "templates, clients without a JWT: %s",
                         oc_verifier_key_count(plugin->verifier), plugin->config.template_count,
                         plugin->config.defer_non_jwt ? "deferred" : "denied");
    *userdata = plugin;
    return MOSQ_ERR_SUCCESS;
}

EXPORT int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
    (void)options;
    (void)option_count;
    if (userdata)
        stop(userdata);
    return MOSQ_ERR_SUCCESS;
}

/* SPDX-License-Identifier: MIT */

/* Entry points: options, callbacks, the end. */

#include <stdlib.h>

#include "json.h"
#include "mem.h"
#include "plugin.h"

#define EXPORT __attribute__((visibility("default")))

static oc_shared_t shared;

static const struct callback {
    int event;
    MOSQ_FUNC_generic_callback call;
} callbacks[] = {
    {MOSQ_EVT_BASIC_AUTH, on_basic_auth},
    {MOSQ_EVT_EXT_AUTH_START, on_ext_auth_start},
    {MOSQ_EVT_EXT_AUTH_CONTINUE, on_ext_auth_continue},
    {MOSQ_EVT_ACL_CHECK, on_acl_check},
    {MOSQ_EVT_MESSAGE, on_message},
    {MOSQ_EVT_DISCONNECT, on_disconnect},
    {MOSQ_EVT_TICK, on_tick},
    {MOSQ_EVT_RELOAD, on_reload},
};

#define CALLBACK_COUNT (sizeof callbacks / sizeof callbacks[0])

/* Mosquitto 2.1 only. */
static bool is_kept(const void *client, const char *client_id)
{
    return mosquitto_client(client_id) == client;
}

static void plugin_free(plugin_t *plugin)
{
    drop_answers(plugin);
    oc_gate_done(&plugin->gate);
    if (plugin->joined)
        oc_shared_leave(&shared);
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
    plugin->joined = true;
    plugin->is_first = shared.users == 0;
    err = oc_shared_join(&shared, &plugin->config, now_s(), diag);
    if (err)
        return err;
    if (mosquitto_client)
        oc_sessions_ask(shared.sessions, is_kept);
    return oc_gate_init(&plugin->gate, &plugin->config, &shared, log_keys, plugin, diag);
}

static oc_err_t refused_callback(int rc, oc_diag_t *diag)
{
    return oc_fail(diag, OC_E_CONFIG,
                   rc == MOSQ_ERR_ALREADY_EXISTS ? "the plugin is loaded twice for one listener"
                                                 : "the broker refused a callback");
}

/* In Mosquitto 2.1 the control topic is the whole broker's: the first plugin gets the commands for all of
 * them. */
static oc_err_t register_control(plugin_t *plugin, oc_diag_t *diag)
{
    int rc = mosquitto_callback_register(plugin->id, MOSQ_EVT_CONTROL, on_control, CONTROL_TOPIC,
                                         plugin);

    plugin->has_control = rc == MOSQ_ERR_SUCCESS;
    if (plugin->has_control || (rc == MOSQ_ERR_ALREADY_EXISTS && shared.users > 1))
        return OC_OK;
    return refused_callback(rc, diag);
}

static oc_err_t register_callbacks(plugin_t *plugin, oc_diag_t *diag)
{
    oc_err_t err = check_order(diag);

    if (err)
        return err;
    for (size_t i = 0; i < CALLBACK_COUNT; i++) {
        int rc = mosquitto_callback_register(plugin->id, callbacks[i].event, callbacks[i].call,
                                             NULL, plugin);

        if (rc != MOSQ_ERR_SUCCESS)
            return refused_callback(rc, diag);
    }
    plugin->is_2_1 = mosquitto_callback_register(plugin->id, EVENT_CLIENT_OFFLINE, on_disconnect,
                                                 NULL, plugin) == MOSQ_ERR_SUCCESS;
    return register_control(plugin, diag);
}

static void stop(plugin_t *plugin)
{
    for (size_t i = 0; i < CALLBACK_COUNT; i++)
        (void)mosquitto_callback_unregister(plugin->id, callbacks[i].event, callbacks[i].call,
                                            NULL);
    if (plugin->is_2_1)
        (void)mosquitto_callback_unregister(plugin->id, EVENT_CLIENT_OFFLINE, on_disconnect, NULL);
    if (plugin->has_control)
        (void)mosquitto_callback_unregister(plugin->id, MOSQ_EVT_CONTROL, on_control,
                                            CONTROL_TOPIC);
    plugin_free(plugin);
    oc_json_guard_remove();
}

static void remember_options(void)
{
    char path[4096];

    if (!shared.conf && oc_conf_watch_path(path, sizeof path))
        shared.conf = oc_conf_watch_new(path);
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
    oc_err_t err;

    if (!plugin)
        return MOSQ_ERR_NOMEM;
    oc_json_guard_install();
    /* Seeds jansson's hashing before there are threads. */
    json_object_seed(0);
    plugin->id = identifier;
    plugin->thread = pthread_self();
    err = configure(plugin, options, option_count, &diag);
    if (!err)
        err = register_callbacks(plugin, &diag);
    if (err) {
        mosquitto_log_printf(MOSQ_LOG_ERR, "orgcast: %s", diag.message);
        stop(plugin);
        return MOSQ_ERR_INVAL;
    }
    mosquitto_log_printf(MOSQ_LOG_NOTICE,
                         "orgcast " ORGCAST_VERSION
                         ": %zu keys, %zu topic "
                         "templates, clients without a JWT: %s",
                         oc_verifier_key_count(plugin->gate.verifier),
                         plugin->config.template_count,
                         plugin->config.defer_non_jwt ? "deferred" : "denied");
    remember_options();
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

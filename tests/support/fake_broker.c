/* SPDX-License-Identifier: MIT */
#include "fake_broker.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS 32

static void *library;
static void *plugin;
static struct {
    MOSQ_FUNC_generic_callback callback;
    void *userdata;
} callbacks[EVENTS];

int mosquitto_callback_register(mosquitto_plugin_id_t *identifier, int event,
                                MOSQ_FUNC_generic_callback cb_func, const void *event_data,
                                void *userdata)
{
    (void)identifier;
    (void)event_data;
    if (event > MOSQ_EVT_DISCONNECT)
        return MOSQ_ERR_NOT_SUPPORTED;
    callbacks[event].callback = cb_func;
    callbacks[event].userdata = userdata;
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_callback_unregister(mosquitto_plugin_id_t *identifier, int event,
                                  MOSQ_FUNC_generic_callback cb_func, const void *event_data)
{
    (void)identifier;
    (void)cb_func;
    (void)event_data;
    callbacks[event].callback = NULL;
    return MOSQ_ERR_SUCCESS;
}

/* The broker's header does not say that it is a format. */
/* NOLINTNEXTLINE(readability-redundant-declaration) */
void mosquitto_log_printf(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mosquitto_log_printf(int level, const char *fmt, ...)
{
    va_list args;

    if (level != MOSQ_LOG_ERR)
        return;
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

const char *mosquitto_client_id(const struct mosquitto *client)
{
    return client->id;
}

const char *mosquitto_client_address(const struct mosquitto *client)
{
    return client->address;
}

bool mosquitto_client_clean_session(const struct mosquitto *client)
{
    return client->clean_session;
}

const char *mosquitto_client_username(const struct mosquitto *client)
{
    return client->username;
}

int mosquitto_client_protocol(const struct mosquitto *client)
{
    (void)client;
    return mp_mqtt;
}

int mosquitto_client_sub_count(const struct mosquitto *client)
{
    (void)client;
    return 0;
}

int mosquitto_client_protocol_version(const struct mosquitto *client)
{
    (void)client;
    return 4;
}

int mosquitto_set_username(struct mosquitto *client, const char *username)
{
    (void)snprintf(client->username, sizeof client->username, "%s", username);
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_kick_client_by_clientid(const char *clientid, bool with_will)
{
    (void)clientid;
    (void)with_will;
    return MOSQ_ERR_SUCCESS;
}

/* Nobody receives what the plugin publishes. */

int mosquitto_broker_publish(const char *clientid, const char *topic, int payloadlen, void *payload,
                             int qos, bool retain, mosquitto_property *properties)
{
    (void)clientid;
    (void)topic;
    (void)payloadlen;
    (void)qos;
    (void)retain;
    (void)properties;
    free(payload);
    return MOSQ_ERR_SUCCESS;
}

int mosquitto_broker_publish_copy(const char *clientid, const char *topic, int payloadlen,
                                  const void *payload, int qos, bool retain,
                                  mosquitto_property *properties)
{
    (void)clientid;
    (void)topic;
    (void)payloadlen;
    (void)payload;
    (void)qos;
    (void)retain;
    (void)properties;
    return MOSQ_ERR_SUCCESS;
}

void *mosquitto_malloc(size_t size)
{
    return malloc(size);
}

void mosquitto_free(void *memory)
{
    free(memory);
}

void fake_broker_start(const char *plugin_path, struct mosquitto_opt *options, int option_count)
{
    int (*init)(mosquitto_plugin_id_t *, void **, struct mosquitto_opt *, int);

    library = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        (void)fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    /* POSIX dlsym() gives functions as void *. */
    *(void **)&init = dlsym(library, "mosquitto_plugin_init");
    if (!init || init(NULL, &plugin, options, option_count) != MOSQ_ERR_SUCCESS)
        exit(1);
}

void fake_broker_stop(void)
{
    int (*cleanup)(void *, struct mosquitto_opt *, int);

    *(void **)&cleanup = dlsym(library, "mosquitto_plugin_cleanup");
    (void)cleanup(plugin, NULL, 0);
    (void)dlclose(library);
}

static int call(int event, void *event_data)
{
    return callbacks[event].callback(event, event_data, callbacks[event].userdata);
}

int fake_broker_connect(struct mosquitto *client, char *password)
{
    struct mosquitto_evt_basic_auth auth = {.client = client, .password = password};

    return call(MOSQ_EVT_BASIC_AUTH, &auth);
}

int fake_broker_check(struct mosquitto *client, int access, const char *topic)
{
    struct mosquitto_evt_acl_check check = {.client = client, .access = access, .topic = topic};

    return call(MOSQ_EVT_ACL_CHECK, &check);
}

int fake_broker_disconnect(struct mosquitto *client)
{
    struct mosquitto_evt_disconnect disconnect = {.client = client};

    return call(MOSQ_EVT_DISCONNECT, &disconnect);
}

int fake_broker_tick(void)
{
    struct mosquitto_evt_tick tick = {0};

    return call(MOSQ_EVT_TICK, &tick);
}

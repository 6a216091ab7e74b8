/* SPDX-License-Identifier: MIT */
/* A plugin that leaves every question to the broker. What fails with it fails with any plugin. */
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#define EXPORT __attribute__((visibility("default")))

static const int events[] = {MOSQ_EVT_BASIC_AUTH, MOSQ_EVT_EXT_AUTH_START, MOSQ_EVT_ACL_CHECK};

#define EVENTS (sizeof events / sizeof *events)

static int on_event(int event, void *event_data, void *userdata)
{
    (void)event;
    (void)event_data;
    (void)userdata;
    return MOSQ_ERR_PLUGIN_DEFER;
}

EXPORT int mosquitto_plugin_version(int count, const int *versions)
{
    for (int i = 0; i < count; i++)
        if (versions[i] == 5)
            return 5;
    return -1;
}

EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *id, void **ret_userdata,
                                 struct mosquitto_opt *options, int count)
{
    (void)options;
    (void)count;
    *ret_userdata = id;
    for (size_t i = 0; i < EVENTS; i++) {
        int rc = mosquitto_callback_register(id, events[i], on_event, NULL, NULL);

        if (rc != MOSQ_ERR_SUCCESS)
            return rc;
    }
    return MOSQ_ERR_SUCCESS;
}

EXPORT int mosquitto_plugin_cleanup(void *id, struct mosquitto_opt *options, int count)
{
    (void)options;
    (void)count;
    for (size_t i = 0; i < EVENTS; i++)
        (void)mosquitto_callback_unregister(id, events[i], on_event, NULL);
    return MOSQ_ERR_SUCCESS;
}

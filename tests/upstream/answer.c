/* SPDX-License-Identifier: MIT */
/* A plugin that gives the same answer, ANSWER, to every question about EVENTS. CMakeLists.txt builds two of it. */
#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#define EXPORT __attribute__((visibility("default")))

static const int events[] = {EVENTS};

#define EVENT_COUNT (sizeof events / sizeof *events)

static int on_event(int event, void *event_data, void *userdata)
{
    (void)event;
    (void)event_data;
    (void)userdata;
    return ANSWER;
}

EXPORT int mosquitto_plugin_version(int count, const int *versions)
{
    for (int i = 0; i < count; i++)
        if (versions[i] == 5)
            return 5;
    return -1;
}

EXPORT int mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
                                 struct mosquitto_opt *options, int option_count)
{
    (void)options;
    (void)option_count;
    *userdata = identifier;
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        int rc = mosquitto_callback_register(identifier, events[i], on_event, NULL, NULL);

        if (rc != MOSQ_ERR_SUCCESS)
            return rc;
    }
    return MOSQ_ERR_SUCCESS;
}

EXPORT int mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
    (void)options;
    (void)option_count;
    for (size_t i = 0; i < EVENT_COUNT; i++)
        (void)mosquitto_callback_unregister(userdata, events[i], on_event, NULL);
    return MOSQ_ERR_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
#include "collector.h"

#include <check.h>
#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIMEOUT_S 30

static void on_subscribe(struct mosquitto *client, void *context, int mid, int count,
                         const int *granted, const mosquitto_property *properties)
{
    collector_t *collector = context;

    (void)client;
    (void)mid;
    (void)properties;
    (void)pthread_mutex_lock(&collector->lock);
    collector->subscribed = count == 1 && granted[0] < 0x80;
    (void)pthread_cond_broadcast(&collector->changed);
    (void)pthread_mutex_unlock(&collector->lock);
}

static void on_message(struct mosquitto *client, void *context,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties)
{
    collector_t *collector = context;

    (void)client;
    (void)pthread_mutex_lock(&collector->lock);
    if (collector->count < COLLECTED_MAX) {
        collected_t *kept = &collector->messages[collector->count++];

        kept->topic = strdup(message->topic);
        kept->payload = strndup(message->payload, (size_t)message->payloadlen);
        (void)mosquitto_property_read_string(properties, MQTT_PROP_CONTENT_TYPE,
                                             &kept->content_type, false);
    }
    (void)pthread_cond_broadcast(&collector->changed);
    (void)pthread_mutex_unlock(&collector->lock);
}

static void on_disconnect(struct mosquitto *client, void *context, int code,
                          const mosquitto_property *properties)
{
    collector_t *collector = context;

    (void)client;
    (void)code;
    (void)properties;
    (void)pthread_mutex_lock(&collector->lock);
    collector->disconnected = true;
    (void)pthread_cond_broadcast(&collector->changed);
    (void)pthread_mutex_unlock(&collector->lock);
}

/* @locks */
static bool wait_changed(collector_t *collector, const struct timespec *deadline)
{
    return pthread_cond_timedwait(&collector->changed, &collector->lock, deadline) != ETIMEDOUT;
}

static struct timespec deadline(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    now.tv_sec += TIMEOUT_S;
    return now;
}

static void wait_for(collector_t *collector, const bool *condition, const char *what)
{
    struct timespec until = deadline();

    (void)pthread_mutex_lock(&collector->lock);
    while (!*condition)
        ck_assert_msg(wait_changed(collector, &until), "waited in vain for %s", what);
    (void)pthread_mutex_unlock(&collector->lock);
}

static void subscribe(collector_t *collector, const char *filter, int qos)
{
    (void)pthread_mutex_lock(&collector->lock);
    collector->subscribed = false;
    (void)pthread_mutex_unlock(&collector->lock);
    ck_assert_int_eq(mosquitto_subscribe(collector->client, NULL, filter, qos), MOSQ_ERR_SUCCESS);
}

static void end_client(collector_t *collector)
{
    if (!collector->client)
        return;
    (void)mosquitto_disconnect(collector->client);
    (void)mosquitto_loop_stop(collector->client, false);
    mosquitto_destroy(collector->client);
    collector->client = NULL;
}

static void connect_client(collector_t *collector, int port, const char *filter, int qos)
{
    collector->disconnected = false;
    collector->client = mosquitto_new(NULL, true, collector);
    ck_assert_ptr_nonnull(collector->client);
    (void)mosquitto_int_option(collector->client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    mosquitto_subscribe_v5_callback_set(collector->client, on_subscribe);
    mosquitto_message_v5_callback_set(collector->client, on_message);
    mosquitto_disconnect_v5_callback_set(collector->client, on_disconnect);
    ck_assert_int_eq(mosquitto_connect(collector->client, "127.0.0.1", port, 60), MOSQ_ERR_SUCCESS);
    subscribe(collector, filter, qos);
    ck_assert_int_eq(mosquitto_loop_start(collector->client), MOSQ_ERR_SUCCESS);
    wait_for(collector, &collector->subscribed, "the answer to a subscription");
}

/* What the broker wrote before it died is read before the end of the connection is seen. */
void collector_resubscribe(collector_t *collector, int port, const char *filter, int qos)
{
    wait_for(collector, &collector->disconnected, "the end of the old connection");
    end_client(collector);
    connect_client(collector, port, filter, qos);
}

collector_t *collector_new(int port, const char *filter, int qos)
{
    collector_t *collector = calloc(1, sizeof *collector);
    pthread_condattr_t attr;

    ck_assert_ptr_nonnull(collector);
    (void)mosquitto_lib_init();
    (void)pthread_mutex_init(&collector->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&collector->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    connect_client(collector, port, filter, qos);
    return collector;
}

size_t collector_count(collector_t *collector)
{
    size_t count;

    (void)pthread_mutex_lock(&collector->lock);
    count = collector->count;
    (void)pthread_mutex_unlock(&collector->lock);
    return count;
}

void collector_wait(collector_t *collector, size_t count)
{
    struct timespec until = deadline();

    (void)pthread_mutex_lock(&collector->lock);
    while (collector->count < count)
        ck_assert_msg(wait_changed(collector, &until), "%zu of %zu messages came", collector->count,
                      count);
    (void)pthread_mutex_unlock(&collector->lock);
}

/* The answer to a subscription comes after every message that was sent before it. */
void collector_end(collector_t *collector)
{
    subscribe(collector, "orgcast/test/end", 0);
    wait_for(collector, &collector->subscribed, "the answer to a subscription");
    end_client(collector);
}

void collector_free(collector_t *collector)
{
    end_client(collector);
    for (size_t i = 0; i < collector->count; i++) {
        free(collector->messages[i].topic);
        free(collector->messages[i].payload);
        free(collector->messages[i].content_type);
    }
    (void)pthread_cond_destroy(&collector->changed);
    (void)pthread_mutex_destroy(&collector->lock);
    free(collector);
}

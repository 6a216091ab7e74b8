/* SPDX-License-Identifier: MIT */

/* Events a second from the emitter to a real broker, beside bare libmosquitto sending the same bytes
 * at the same QoS, and the emitter's share of the work alone (checks, id, JSON), all in one run. A
 * round ends when the broker has answered everything.
 *
 * usage: emit [PORT]    a broker on 127.0.0.1 that lets anybody in; 1883 */

#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <orgcast/recorder.h>

#include "bench.h"

#define EVENTS 5000
#define ROUNDS 11
#define TIMEOUT_MS 60000

static const orgcast_invoice_event_t invoice = {
    .organization_id = "acme",
    .invoice_id = "inv-17",
    .invoice_number = "2026-0017",
    .amount = "99999999999999.99",
    .currency = "EUR",
    .status = ORGCAST_INVOICE_STATUS_PAID,
};

typedef struct bare_client {
    struct mosquitto *client;
    pthread_mutex_t lock; /* guards answered */
    pthread_cond_t changed;
    size_t answered;
    mosquitto_property *properties;
    const char *topic;
    const char *payload;
    size_t payload_len;
} bare_client_t;

static void must(int ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "emit: %s\n", what);
    exit(EXIT_FAILURE);
}

static void emit_events(orgcast_emitter_t *emitter, size_t count)
{
    for (size_t i = 0; i < count; i++)
        must(orgcast_emit_invoice_paid(emitter, &invoice, NULL) == ORGCAST_OK, "an emit failed");
}

static void run_recorder(void *context, size_t iterations)
{
    emit_events(context, iterations);
    orgcast_recorder_clear(context);
}

static void run_emitter(void *context, size_t iterations)
{
    emit_events(context, iterations);
    must(orgcast_emitter_flush(context, TIMEOUT_MS) == ORGCAST_OK, "the broker did not answer");
}

static void on_publish(struct mosquitto *client, void *context, int mid, int reason_code,
                       const mosquitto_property *properties)
{
    bare_client_t *bare = context;

    (void)client;
    (void)mid;
    (void)properties;
    must(reason_code < 0x80, "the broker refused a publish");
    (void)pthread_mutex_lock(&bare->lock);
    bare->answered++;
    (void)pthread_cond_signal(&bare->changed);
    (void)pthread_mutex_unlock(&bare->lock);
}

static void run_bare(void *context, size_t iterations)
{
    bare_client_t *bare = context;
    size_t until = bare->answered + iterations;

    for (size_t i = 0; i < iterations; i++)
        must(mosquitto_publish_v5(bare->client, NULL, bare->topic, (int)bare->payload_len,
                                  bare->payload, 1, false, bare->properties) == MOSQ_ERR_SUCCESS,
             "a publish failed");
    (void)pthread_mutex_lock(&bare->lock);
    while (bare->answered < until)
        (void)pthread_cond_wait(&bare->changed, &bare->lock);
    (void)pthread_mutex_unlock(&bare->lock);
}

static void bare_open(bare_client_t *bare, int port, const orgcast_recorded_t *event)
{
    *bare = (bare_client_t){
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .topic = event->topic,
        .payload = event->payload,
        .payload_len = event->payload_len,
    };
    (void)mosquitto_lib_init();
    bare->client = mosquitto_new(NULL, true, bare);
    must(bare->client != NULL, "out of memory");
    (void)mosquitto_int_option(bare->client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);
    (void)mosquitto_int_option(bare->client, MOSQ_OPT_TCP_NODELAY, 1);
    (void)mosquitto_property_add_string(&bare->properties, MQTT_PROP_CONTENT_TYPE,
                                        "application/cloudevents+json; charset=utf-8");
    mosquitto_publish_v5_callback_set(bare->client, on_publish);
    must(mosquitto_connect(bare->client, "127.0.0.1", port, 60) == MOSQ_ERR_SUCCESS,
         "no broker on that port");
    must(mosquitto_loop_start(bare->client) == MOSQ_ERR_SUCCESS, "no thread to be had");
}

static void bare_close(bare_client_t *bare)
{
    (void)mosquitto_disconnect(bare->client);
    (void)mosquitto_loop_stop(bare->client, false);
    mosquitto_destroy(bare->client);
    mosquitto_property_free_all(&bare->properties);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1883;
    orgcast_emitter_options_t options = {.port = (uint16_t)port, .queue_max_events = EVENTS};
    orgcast_emitter_t *emitter = NULL;
    orgcast_emitter_t *recorder = NULL;
    orgcast_emitter_t *sample = NULL;
    orgcast_recorded_t event;
    bare_client_t bare;

    must(port > 0 && port < 65536 && argc <= 2, "usage: emit [PORT]");
    must(orgcast_recorder_open(&options, &sample, NULL) == ORGCAST_OK &&
             orgcast_recorder_open(&options, &recorder, NULL) == ORGCAST_OK,
         "cannot open a recorder");
    emit_events(sample, 1);
    must(orgcast_recorder_get(sample, 0, &event) == ORGCAST_OK, "nothing recorded");
    bare_open(&bare, port, &event);
    must(orgcast_emitter_open(&options, &emitter, NULL) == ORGCAST_OK, "cannot open the emitter");

    bench_subject_t subjects[] = {
        {.name = "check, id and JSON alone", .run = run_recorder, .context = recorder},
        {.name = "emitter to the broker", .run = run_emitter, .context = emitter},
        {.name = "bare libmosquitto to the broker", .run = run_bare, .context = &bare},
    };
    size_t count = sizeof subjects / sizeof *subjects;

    for (size_t i = 0; i < count; i++)
        subjects[i].iterations = EVENTS;
    bench_run(subjects, count, ROUNDS);
    (void)printf("%zu bytes an event, %d events a round, median of %d rounds\n", event.payload_len,
                 EVENTS, ROUNDS);
    for (size_t i = 0; i < count; i++)
        (void)printf("%-34s %8.2f us an event %9.0f events/s\n", subjects[i].name,
                     subjects[i].median_ns / 1e3, 1e9 / subjects[i].median_ns);
    (void)printf("emitter / bare libmosquitto        %8.2f\n",
                 subjects[1].median_ns / subjects[2].median_ns);
    orgcast_emitter_close(emitter);
    orgcast_emitter_close(recorder);
    orgcast_emitter_close(sample);
    bare_close(&bare);
    return EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
#ifndef STREAM_MQTT_H
#define STREAM_MQTT_H

/* MQTT 5 straight on a socket, as much of it as bench/stream needs: what is sent is written in large pieces,
 * what comes is counted by type. Whatever goes wrong ends the program. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mqtt_type {
    MQTT_CONNACK = 2,
    MQTT_PUBLISH = 3,
    MQTT_PUBACK = 4,
    MQTT_SUBACK = 9,
    MQTT_PINGRESP = 13,
    MQTT_DISCONNECT = 14,
};

/* Bytes that are written together. Begins as {0}. */
typedef struct mqtt_buffer {
    char *bytes;
    size_t len;
    size_t size;
} mqtt_buffer_t;

void mqtt_buffer_add(mqtt_buffer_t *buffer, const void *bytes, size_t len);
void mqtt_buffer_done(mqtt_buffer_t *buffer);

typedef struct mqtt_publish {
    const char *topic;
    const char *payload;
    size_t payload_len;
    unsigned packet_id; /* 0: QoS 0, otherwise QoS 1 */
} mqtt_publish_t;

/* Add a PUBLISH packet of an event. */
void mqtt_add_publish(mqtt_buffer_t *buffer, const mqtt_publish_t *publish);

/* A connection. */
typedef struct mqtt_client {
    int fd;
    /* The packet that is being read. */
    int part;
    unsigned type;
    unsigned shift;
    size_t left;           /* bytes of its body to come */
    unsigned char lead[4]; /* the first bytes of its body */
    size_t lead_len;
    /* What has been read. */
    size_t counts[16]; /* packets of each type */
    size_t body_len;   /* of the last one */
} mqtt_client_t;

/* On the loopback. password: also for a broker that lets anybody in */
void mqtt_open(mqtt_client_t *client, int port, const char *client_id, const char *password);
void mqtt_close(mqtt_client_t *client);
/* At QoS 0. */
void mqtt_subscribe(mqtt_client_t *client, const char *filter);

void mqtt_send(mqtt_client_t *client, const char *bytes, size_t len);
/* Ask for an answer that comes after what was sent before, and wait for it. */
void mqtt_ping(mqtt_client_t *client);

/* Read what is there; wait: until there is something. False: there was nothing. */
bool mqtt_read(mqtt_client_t *client, bool wait);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef STREAM_LOAD_H
#define STREAM_LOAD_H

/* What bench/stream does to a broker: events go in, and in the last of three loads out to many. Each load
 * ends when the broker has answered for its last event. */

#include <stddef.h>

#include "stream_mqtt.h"

/* A broker, and who is connected to it. */
typedef struct side {
    size_t broker; /* its number */
    mqtt_client_t publisher;
    mqtt_client_t *subscribers;
    size_t subscriber_count;
    int epoll_fd;
} side_t;

void side_open(side_t *side, size_t broker);
void side_subscribe(side_t *side, size_t count);
void side_close(side_t *side);

/* The events of one round, as packets. Begins as {0}. */
typedef struct batch {
    mqtt_buffer_t packets;
    size_t *ends; /* of each packet */
    size_t count;
} batch_t;

/* Valid events of one organization, each with an id and an invoice of its own.
 * payload_len  of each of them */
void batch_make(batch_t *batch, size_t count, size_t payload_len, int qos);
void batch_done(batch_t *batch);

typedef void load_fn(side_t *side, const batch_t *batch);

/* Without a pause, and a ping behind them. */
void load_qos0(side_t *side, const batch_t *batch);
/* So many in flight; ends with the last PUBACK. */
void load_qos1(side_t *side, const batch_t *batch);
/* Ends when every subscriber has all of them; one that is lost ends the program. */
void load_fan_out(side_t *side, const batch_t *batch);

/* By how many bytes the broker of one side delivers a longer event than that of the other. */
size_t bytes_added(side_t *ours, side_t *bare, size_t payload_len);

#endif

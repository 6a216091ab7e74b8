/* SPDX-License-Identifier: MIT */
#ifndef COLLECTOR_H
#define COLLECTOR_H

/* A subscriber that keeps what it receives, in order. Every function fails the test when it cannot
 * do its work in time. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define COLLECTED_MAX 20000

typedef struct collected {
    char *topic;
    char *payload;
    char *content_type; /* NULL: none */
} collected_t;

typedef struct collector {
    struct mosquitto *client;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    bool subscribed;
    bool disconnected;
    size_t count;
    collected_t messages[COLLECTED_MAX];
} collector_t;

/* Connect to 127.0.0.1 and subscribe; returns when the broker has said yes. */
collector_t *collector_new(int port, const char *filter, int qos);

/* The same again after the broker was killed; what was received stays. */
void collector_resubscribe(collector_t *collector, int port, const char *filter, int qos);

size_t collector_count(collector_t *collector);

/* Wait until that many messages are here. */
void collector_wait(collector_t *collector, size_t count);

/* Disconnect after what the broker has sent is here: then the messages may be read without the lock. */
void collector_end(collector_t *collector);

void collector_free(collector_t *collector);

#endif

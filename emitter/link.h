/* SPDX-License-Identifier: MIT */
#ifndef OC_LINK_H
#define OC_LINK_H

/* One connection to the broker, from the TCP connect to its end: a libmosquitto client that is made
 * for it and goes with it, so that nothing of an earlier connection is ever sent by the library's own
 * means. All from one thread. */

#include <mosquitto.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "settings.h"

#define OC_LINK_CAUSE_LEN 256

typedef enum oc_link_state {
    OC_LINK_CONNECTING = 0, /* until the CONNACK */
    OC_LINK_UP,
    OC_LINK_DOWN
} oc_link_state_t;

/* Called from inside oc_link_step() for each PUBACK. */
typedef void oc_link_puback_fn(void *context, int mid, int reason_code);

typedef struct oc_link {
    oc_link_state_t state;
    bool tcp_up;                   /* the broker's host took the connection */
    bool came_up;                  /* the broker took it, at some time */
    size_t window;                 /* publishes that the broker lets be in flight */
    char cause[OC_LINK_CAUSE_LEN]; /* why it is down */

    struct mosquitto *client;
    mosquitto_property *publish_properties;
    bool tls;
    int64_t deadline_ms; /* of the CONNACK */
    oc_link_puback_fn *on_puback;
    void *context;
} oc_link_t;

/* Begin to connect. The state reports a failure.
 * token: the MQTT password, or NULL for none
 * local_address: NULL, or the wildcard of the address family to use */
void oc_link_open(oc_link_t *link, const oc_settings_t *settings, const char *token,
                  const char *local_address, int64_t now_ms, oc_link_puback_fn *on_puback,
                  void *context);

/* Sleep until there is something to do, then do it; false once the link is down. Returns early, and
 * true, when wake_fd is readable or until_ms has come. */
bool oc_link_step(oc_link_t *link, int wake_fd, int64_t now_ms, int64_t until_ms);

/* The broker would not take this event, by the limits it gave in its CONNACK. */
#define OC_LINK_TOO_LARGE 0x95
#define OC_LINK_TOPIC_INVALID 0x90

/* QoS 1. 0: on its way, with *ret_mid; a PUBACK follows or the link goes down. -1: the link is down
 * and may have sent the event. Otherwise a reason code, and nothing was sent. */
int oc_link_publish(oc_link_t *link, const char *topic, const char *payload, size_t payload_len,
                    int *ret_mid);

/* Say goodbye if it is up, and free. */
void oc_link_close(oc_link_t *link);

#endif

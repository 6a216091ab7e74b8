/* SPDX-License-Identifier: MIT */
#ifndef OC_DELIVERY_H
#define OC_DELIVERY_H

/* Where emitting threads and the worker meet: the queue, the counters, the reports. Every function
 * may be called from any thread unless it says otherwise; reports are made without the lock. */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <orgcast/emitter.h>

#include "queue.h"

#define OC_MQTT_FAILURE 0x80 /* reason codes from here on are failures (MQTT 5 §2.4) */

typedef struct oc_delivery {
    pthread_mutex_t lock; /* guards everything below it */
    pthread_cond_t changed;
    oc_queue_t queue;
    orgcast_emitter_stats_t stats; /* queued and in_flight are the queue's */
    uint64_t reporting;            /* number of the event whose report is being made; 0: none */
    unsigned flushing;             /* threads inside oc_delivery_flush() */
    bool hungry;                   /* the worker has published everything and sleeps */
    bool closing;

    void (*on_delivery)(void *context, const orgcast_delivery_t *delivery); /* never changes */
    void *context;
} oc_delivery_t;

/* ORGCAST_E_NOMEM: the system has no more locks to give. */
ORGCAST_MUST_CHECK orgcast_err_t oc_delivery_init(
    oc_delivery_t *delivery, size_t queue_max_events,
    void (*on_delivery)(void *context, const orgcast_delivery_t *delivery), void *context);
void oc_delivery_done(oc_delivery_t *delivery);

/* Takes item on ORGCAST_OK. *ret_wake: the worker waits for it. ORGCAST_E_FULL, ORGCAST_E_CLOSED. */
ORGCAST_MUST_CHECK orgcast_err_t oc_delivery_put(oc_delivery_t *delivery, oc_item_t *item,
                                                 bool *ret_wake);

/* Wait until every event put before this call has been reported. */
ORGCAST_MUST_CHECK orgcast_err_t oc_delivery_flush(oc_delivery_t *delivery, int64_t timeout_ms);

void oc_delivery_stats(oc_delivery_t *delivery, orgcast_emitter_stats_t *ret_stats);

/* From the worker alone. */

/* The next event to publish, borrowed until it is answered; NULL: none, or the window is closed. */
oc_item_t *oc_delivery_next(oc_delivery_t *delivery, size_t window);
bool oc_delivery_in_flight(oc_delivery_t *delivery);
/* A PUBACK. False: nothing is in flight under that packet id. */
bool oc_delivery_answered(oc_delivery_t *delivery, int mid, int reason_code, int64_t now_ms);
/* An event that the broker has said it would not take; it is in flight. */
void oc_delivery_refused(oc_delivery_t *delivery, oc_item_t *item, int reason_code, int64_t now_ms);
void oc_delivery_connected(oc_delivery_t *delivery);
void oc_delivery_disconnected(oc_delivery_t *delivery); /* what was in flight is published again */
void oc_delivery_connect_failed(oc_delivery_t *delivery);

/* Closing, in this order, from the closing thread. */

/* No event is taken from now on; flushes return, and are waited for. */
void oc_delivery_close(oc_delivery_t *delivery);
bool oc_delivery_closing(oc_delivery_t *delivery);
/* When the worker is gone: report what is left as dropped. */
void oc_delivery_drop_all(oc_delivery_t *delivery, int64_t now_ms);

#endif

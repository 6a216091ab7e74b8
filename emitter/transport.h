/* SPDX-License-Identifier: MIT */
#ifndef OC_TRANSPORT_H
#define OC_TRANSPORT_H

/* The worker: one thread that owns the MQTT client, its loop and the reconnects. It takes events
 * from the delivery queue and brings the broker's answers back to it, until it is stopped. */

#include <orgcast/emitter.h>

#include "delivery.h"
#include "settings.h"
#include "token.h"

typedef struct oc_transport oc_transport_t;

/* All three are borrowed until oc_transport_stop() returns. ORGCAST_E_NOMEM: no memory, no thread or
 * no file descriptor to be had. */
ORGCAST_MUST_CHECK orgcast_err_t oc_transport_start(const oc_settings_t *settings,
                                                    const oc_token_source_t *tokens,
                                                    oc_delivery_t *delivery,
                                                    oc_transport_t **ret_transport,
                                                    orgcast_diag_t *diag);

/* There is something to publish, or the delivery is closing. Any thread. */
void oc_transport_wake(oc_transport_t *transport);

/* True on the worker, that is inside token_fn, on_connection and, mostly, on_delivery. */
bool oc_transport_is_worker(const oc_transport_t *transport);

/* After oc_delivery_close(): waits for the worker to end, and frees. */
void oc_transport_stop(oc_transport_t *transport);

#endif

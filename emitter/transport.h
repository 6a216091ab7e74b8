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

/* The inputs are borrowed until oc_transport_stop() returns. emitter: the one whose callbacks the worker
 * runs. ORGCAST_E_NOMEM: no memory, thread or file descriptor is available. */
ORGCAST_MUST_CHECK orgcast_err_t oc_transport_start(const orgcast_emitter_t *emitter,
                                                    const oc_settings_t *settings,
                                                    const oc_token_source_t *tokens,
                                                    oc_delivery_t *delivery,
                                                    oc_transport_t **ret_transport,
                                                    orgcast_diag_t *diag);

/* There is something to publish, or the delivery is closing. Any thread. */
void oc_transport_wake(oc_transport_t *transport);

/* Wait for the worker to end, then free the transport. Call oc_delivery_close() before. */
void oc_transport_stop(oc_transport_t *transport);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_SETTINGS_H
#define OC_SETTINGS_H

/* The options of the connection: checked, copied, defaults filled in. */

#include <stddef.h>
#include <stdint.h>

#include <orgcast/emitter.h>

#define OC_QUEUE_MAX_EVENTS 10000 /* the default */
/* Most publishes in flight; half of the packet ids, so that two in flight never share one. */
#define OC_IN_FLIGHT_LIMIT 32767

typedef struct oc_settings {
    char *host;
    uint16_t port;
    char *client_id;
    int keepalive_s;
    char *tls_ca_file; /* NULL: no TLS */
    char *tls_cert_file;
    char *tls_key_file;
    size_t queue_max_events;
    size_t in_flight_max;
    int64_t backoff_min_ms;
    int64_t backoff_max_ms;
    void (*on_connection)(void *context, bool connected, const char *message);
    void *context;
} oc_settings_t;

/* ORGCAST_E_INVALID, _IO, _NOMEM; settings is empty then. */
ORGCAST_MUST_CHECK orgcast_err_t oc_settings_init(oc_settings_t *settings,
                                                  const orgcast_emitter_options_t *options,
                                                  orgcast_diag_t *diag);
void oc_settings_done(oc_settings_t *settings);

#endif

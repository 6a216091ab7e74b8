/* SPDX-License-Identifier: MIT */

/* The emitter that publishes: settings, tokens, queue and worker put together. */

#include <stdlib.h>

#include "clock.h"
#include "delivery.h"
#include "fail.h"
#include "settings.h"
#include "sink.h"
#include "token.h"
#include "transport.h"

typedef struct publisher {
    orgcast_emitter_t base;
    oc_settings_t settings;
    oc_token_source_t tokens;
    oc_delivery_t delivery;
    oc_transport_t *transport;
} publisher_t;

static orgcast_err_t publisher_put(orgcast_emitter_t *emitter, oc_item_t *item)
{
    publisher_t *publisher = (publisher_t *)emitter;
    bool wake = false;
    orgcast_err_t err = oc_delivery_put(&publisher->delivery, item, &wake);

    if (wake)
        oc_transport_wake(publisher->transport);
    return err;
}

static orgcast_err_t publisher_flush(orgcast_emitter_t *emitter, int64_t timeout_ms)
{
    return oc_delivery_flush(&((publisher_t *)emitter)->delivery, timeout_ms);
}

static void publisher_stats(orgcast_emitter_t *emitter, orgcast_emitter_stats_t *ret_stats)
{
    oc_delivery_stats(&((publisher_t *)emitter)->delivery, ret_stats);
}

static void publisher_close(orgcast_emitter_t *emitter)
{
    publisher_t *publisher = (publisher_t *)emitter;
    oc_callback_t callback;

    oc_delivery_close(&publisher->delivery);
    oc_transport_stop(publisher->transport);
    oc_callback_begin(&callback, emitter);
    oc_delivery_drop_all(&publisher->delivery, oc_clock_monotonic_ms());
    oc_callback_end(&callback);
    oc_delivery_done(&publisher->delivery);
    oc_token_source_done(&publisher->tokens);
    oc_settings_done(&publisher->settings);
    oc_sink_done(&publisher->base);
    free(publisher);
}

static const oc_sink_ops_t publisher_ops = {
    .put = publisher_put,
    .flush = publisher_flush,
    .stats = publisher_stats,
    .close = publisher_close,
};

/* Each step is undone by the ones before it when the next fails. */
static orgcast_err_t start(publisher_t *publisher, const orgcast_emitter_options_t *options,
                           orgcast_diag_t *diag)
{
    orgcast_err_t err = oc_delivery_init(&publisher->delivery, publisher->settings.queue_max_events,
                                         options->on_delivery, options->context);

    if (err != ORGCAST_OK)
        return oc_emitter_fail(diag, err, "out of memory");
    err = oc_transport_start(&publisher->base, &publisher->settings, &publisher->tokens,
                             &publisher->delivery, &publisher->transport, diag);
    if (err != ORGCAST_OK)
        oc_delivery_done(&publisher->delivery);
    return err;
}

orgcast_err_t orgcast_emitter_open(const orgcast_emitter_options_t *options,
                                   orgcast_emitter_t **ret_emitter, orgcast_diag_t *diag)
{
    publisher_t *publisher;
    orgcast_err_t err;

    if (!options || !ret_emitter)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "an argument is NULL");
    publisher = calloc(1, sizeof *publisher);
    if (!publisher)
        return oc_emitter_fail(diag, ORGCAST_E_NOMEM, "out of memory");
    err = oc_sink_init(&publisher->base, &publisher_ops, options, diag);
    if (err == ORGCAST_OK)
        err = oc_settings_init(&publisher->settings, options, diag);
    if (err == ORGCAST_OK)
        err = oc_token_source_init(&publisher->tokens, options, oc_clock_wall_ms() / 1000, diag);
    if (err == ORGCAST_OK)
        err = start(publisher, options, diag);
    if (err != ORGCAST_OK) {
        oc_token_source_done(&publisher->tokens);
        oc_settings_done(&publisher->settings);
        oc_sink_done(&publisher->base);
        free(publisher);
        return err;
    }
    *ret_emitter = &publisher->base;
    return ORGCAST_OK;
}

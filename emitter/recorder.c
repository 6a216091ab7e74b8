/* SPDX-License-Identifier: MIT */
#include <orgcast/recorder.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "fail.h"
#include "queue.h"
#include "settings.h"
#include "sink.h"

#define ITEMS_FIRST 16

typedef struct recorder {
    orgcast_emitter_t base;
    void (*on_delivery)(void *context, const orgcast_delivery_t *delivery);
    void *context;
    size_t count_max;

    pthread_mutex_t lock; /* guards everything below it */
    oc_item_t **items;
    size_t count;
    size_t capacity;
    uint64_t emitted;
    orgcast_err_t failure;
} recorder_t;

/* @locks */
static orgcast_err_t append(recorder_t *recorder, oc_item_t *item)
{
    if (recorder->failure != ORGCAST_OK)
        return recorder->failure;
    if (recorder->count == recorder->count_max)
        return ORGCAST_E_FULL;
    if (recorder->count == recorder->capacity) {
        size_t capacity = recorder->capacity ? recorder->capacity * 2 : ITEMS_FIRST;
        oc_item_t **items = realloc(recorder->items, capacity * sizeof(oc_item_t *));

        if (!items)
            return ORGCAST_E_NOMEM;
        recorder->items = items;
        recorder->capacity = capacity;
    }
    recorder->items[recorder->count++] = item;
    recorder->emitted++;
    return ORGCAST_OK;
}

static orgcast_err_t recorder_put(orgcast_emitter_t *emitter, oc_item_t *item)
{
    recorder_t *recorder = (recorder_t *)emitter;
    char event_id[OC_UUID_TEXT_LEN];
    char organization_id[OC_ID_MAX + 1];
    orgcast_delivery_t report = {
        .event_id = event_id,
        .organization_id = organization_id,
        .status = ORGCAST_DELIVERY_ACKNOWLEDGED,
    };
    orgcast_err_t err;

    /* Another thread may clear the recorder during the report. */
    memcpy(event_id, item->event_id, sizeof event_id);
    (void)snprintf(organization_id, sizeof organization_id, "%s", item->organization_id);
    (void)pthread_mutex_lock(&recorder->lock);
    err = append(recorder, item);
    (void)pthread_mutex_unlock(&recorder->lock);
    if (err == ORGCAST_OK && recorder->on_delivery) {
        oc_callback_t callback;

        oc_callback_begin(&callback, emitter);
        recorder->on_delivery(recorder->context, &report);
        oc_callback_end(&callback);
    }
    return err;
}

static orgcast_err_t recorder_flush(orgcast_emitter_t *emitter, int64_t timeout_ms)
{
    (void)emitter;
    (void)timeout_ms;
    return ORGCAST_OK;
}

static void recorder_stats(orgcast_emitter_t *emitter, orgcast_emitter_stats_t *ret_stats)
{
    recorder_t *recorder = (recorder_t *)emitter;

    (void)pthread_mutex_lock(&recorder->lock);
    *ret_stats = (orgcast_emitter_stats_t){
        .emitted = recorder->emitted,
        .acknowledged = recorder->emitted,
    };
    (void)pthread_mutex_unlock(&recorder->lock);
}

/* @locks, but for the closing thread, which is the last */
static void forget(recorder_t *recorder)
{
    while (recorder->count > 0)
        oc_item_free(recorder->items[--recorder->count]);
}

static void recorder_close(orgcast_emitter_t *emitter)
{
    recorder_t *recorder = (recorder_t *)emitter;

    forget(recorder);
    free(recorder->items);
    (void)pthread_mutex_destroy(&recorder->lock);
    oc_sink_done(&recorder->base);
    free(recorder);
}

static const oc_sink_ops_t recorder_ops = {
    .put = recorder_put,
    .flush = recorder_flush,
    .stats = recorder_stats,
    .close = recorder_close,
};

static recorder_t *as_recorder(orgcast_emitter_t *emitter)
{
    return emitter && emitter->ops == &recorder_ops ? (recorder_t *)emitter : NULL;
}

orgcast_err_t orgcast_recorder_open(const orgcast_emitter_options_t *options,
                                    orgcast_emitter_t **ret_emitter, orgcast_diag_t *diag)
{
    recorder_t *recorder;
    orgcast_err_t err;

    if (!ret_emitter)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "an argument is NULL");
    recorder = calloc(1, sizeof *recorder);
    if (!recorder)
        return oc_emitter_fail(diag, ORGCAST_E_NOMEM, "out of memory");
    recorder->count_max = OC_QUEUE_MAX_EVENTS;
    if (options) {
        recorder->on_delivery = options->on_delivery;
        recorder->context = options->context;
        if (options->queue_max_events)
            recorder->count_max = options->queue_max_events;
    }
    err = oc_sink_init(&recorder->base, &recorder_ops, options, diag);
    if (err == ORGCAST_OK && pthread_mutex_init(&recorder->lock, NULL) != 0) {
        oc_sink_done(&recorder->base);
        err = oc_emitter_fail(diag, ORGCAST_E_NOMEM, "no lock is available");
    }
    if (err != ORGCAST_OK) {
        free(recorder);
        return err;
    }
    *ret_emitter = &recorder->base;
    return ORGCAST_OK;
}

size_t orgcast_recorder_count(orgcast_emitter_t *emitter)
{
    recorder_t *recorder = as_recorder(emitter);
    size_t count;

    if (!recorder)
        return 0;
    (void)pthread_mutex_lock(&recorder->lock);
    count = recorder->count;
    (void)pthread_mutex_unlock(&recorder->lock);
    return count;
}

orgcast_err_t orgcast_recorder_get(orgcast_emitter_t *emitter, size_t index,
                                   orgcast_recorded_t *ret_event)
{
    recorder_t *recorder = as_recorder(emitter);
    orgcast_err_t err = ORGCAST_E_INVALID;

    if (!recorder || !ret_event)
        return ORGCAST_E_INVALID;
    (void)pthread_mutex_lock(&recorder->lock);
    if (index < recorder->count) {
        const oc_item_t *item = recorder->items[index];

        *ret_event = (orgcast_recorded_t){
            .type = item->type,
            .event_id = item->event_id,
            .organization_id = item->organization_id,
            .topic = item->topic,
            .payload = item->payload,
            .payload_len = item->payload_len,
        };
        err = ORGCAST_OK;
    }
    (void)pthread_mutex_unlock(&recorder->lock);
    return err;
}

void orgcast_recorder_fail(orgcast_emitter_t *emitter, orgcast_err_t err)
{
    recorder_t *recorder = as_recorder(emitter);

    if (!recorder)
        return;
    (void)pthread_mutex_lock(&recorder->lock);
    recorder->failure = err;
    (void)pthread_mutex_unlock(&recorder->lock);
}

void orgcast_recorder_clear(orgcast_emitter_t *emitter)
{
    recorder_t *recorder = as_recorder(emitter);

    if (!recorder)
        return;
    (void)pthread_mutex_lock(&recorder->lock);
    forget(recorder);
    (void)pthread_mutex_unlock(&recorder->lock);
}

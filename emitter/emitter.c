/* SPDX-License-Identifier: MIT */
#include <orgcast/emitter.h>

#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "encode.h"
#include "event.h"
#include "fail.h"
#include "queue.h"
#include "sink.h"
#include "uuid7.h"

#define DEFAULT_SOURCE "/orgcast"

orgcast_err_t oc_sink_init(orgcast_emitter_t *emitter, const oc_sink_ops_t *ops,
                           const orgcast_emitter_options_t *options, orgcast_diag_t *diag)
{
    const char *source = options && options->source ? options->source : DEFAULT_SOURCE;

    if (!oc_event_source_valid(source))
        return oc_emitter_fail(diag, ORGCAST_E_INVALID,
                               "source must be a URI reference of 1 to %d bytes",
                               OC_EVENT_SOURCE_MAX);
    emitter->ops = ops;
    emitter->source = strdup(source);
    return emitter->source ? ORGCAST_OK : oc_emitter_fail(diag, ORGCAST_E_NOMEM, "out of memory");
}

void oc_sink_done(orgcast_emitter_t *emitter)
{
    free(emitter->source);
}

static _Thread_local const oc_callback_t *innermost_callback;

void oc_callback_begin(oc_callback_t *callback, const orgcast_emitter_t *emitter)
{
    *callback = (oc_callback_t){emitter, innermost_callback};
    innermost_callback = callback;
}

void oc_callback_end(const oc_callback_t *callback)
{
    innermost_callback = callback->outer;
}

static bool inside_callback(const orgcast_emitter_t *emitter)
{
    const oc_callback_t *callback = innermost_callback;

    while (callback && callback->emitter != emitter)
        callback = callback->outer;
    return callback != NULL;
}

/* What the queue holds of an event that passed its check. */
static orgcast_err_t make_item(const orgcast_emitter_t *emitter, const oc_event_t *event,
                               oc_item_t **ret_item)
{
    int64_t now_ms = oc_clock_wall_ms();
    char event_id[OC_UUID_TEXT_LEN];
    char now[OC_TIME_TEXT_LEN];
    char topic[OC_EVENT_TOPIC_LEN];
    char *payload = NULL;
    size_t payload_len = 0;
    oc_item_t *item;
    orgcast_err_t err;

    if (!oc_uuid7_next(now_ms, event_id))
        return ORGCAST_E_IO;
    oc_time_format(now_ms, now);
    oc_event_topic(event, topic);
    err = oc_encode_event(event, emitter->source, event_id, now, &payload, &payload_len);
    if (err != ORGCAST_OK)
        return err;
    item = oc_item_new(event->type, event_id, oc_event_organization_id(event), topic, payload,
                       payload_len);
    if (!item) {
        cJSON_free(payload);
        return ORGCAST_E_NOMEM;
    }
    item->emitted_ms = oc_clock_monotonic_ms();
    *ret_item = item;
    return ORGCAST_OK;
}

orgcast_err_t oc_emit(orgcast_emitter_t *emitter, orgcast_event_type_t type, const void *data,
                      orgcast_receipt_t *ret_receipt)
{
    const oc_event_t event = {type, data};
    orgcast_receipt_t receipt;
    oc_item_t *item = NULL;
    orgcast_err_t err;

    if (!emitter)
        return ORGCAST_E_INVALID;
    err = oc_event_check_fields(&event, NULL);
    if (err == ORGCAST_OK)
        err = make_item(emitter, &event, &item);
    if (err != ORGCAST_OK)
        return err;
    /* Once it is put, it may be answered and gone at any moment. */
    memcpy(receipt.event_id, item->event_id, sizeof receipt.event_id);
    err = emitter->ops->put(emitter, item);
    if (err != ORGCAST_OK)
        oc_item_free(item);
    else if (ret_receipt)
        *ret_receipt = receipt;
    return err;
}

orgcast_err_t orgcast_emitter_flush(orgcast_emitter_t *emitter, int64_t timeout_ms)
{
    if (!emitter || inside_callback(emitter))
        return ORGCAST_E_INVALID;
    return emitter->ops->flush(emitter, timeout_ms);
}

orgcast_err_t orgcast_emitter_stats(orgcast_emitter_t *emitter, orgcast_emitter_stats_t *ret_stats)
{
    if (!emitter || !ret_stats)
        return ORGCAST_E_INVALID;
    emitter->ops->stats(emitter, ret_stats);
    return ORGCAST_OK;
}

void orgcast_emitter_close(orgcast_emitter_t *emitter)
{
    if (emitter && !inside_callback(emitter))
        emitter->ops->close(emitter);
}

/* SPDX-License-Identifier: MIT */
#ifndef OC_SINK_H
#define OC_SINK_H

/* What stands behind an orgcast_emitter_t: the broker, or a recorder. Checking, ids, encoding and
 * topics are the same for both and happen before it. */

#include <orgcast/emitter.h>

#include "queue.h"

typedef struct oc_sink_ops {
    /* Takes item on ORGCAST_OK; otherwise it stays the caller's. */
    orgcast_err_t (*put)(orgcast_emitter_t *emitter, oc_item_t *item);
    orgcast_err_t (*flush)(orgcast_emitter_t *emitter, int64_t timeout_ms);
    void (*stats)(orgcast_emitter_t *emitter, orgcast_emitter_stats_t *ret_stats);
    void (*close)(orgcast_emitter_t *emitter);
} oc_sink_ops_t;

/* The first member of every sink's own struct. */
struct orgcast_emitter {
    const oc_sink_ops_t *ops;
    char *source;
};

/* A callback of an emitter that runs on this thread. Inside it, orgcast_emitter_flush() and
 * orgcast_emitter_close() refuse that emitter, because they would wait for the callback or free what its
 * caller still uses. Callbacks nest: a report of one emitter may emit to a recorder. */
typedef struct oc_callback {
    const orgcast_emitter_t *emitter;
    const struct oc_callback *outer;
} oc_callback_t;

/* `callback` is the caller's and must stay where it is until oc_callback_end(), on the same thread. */
void oc_callback_begin(oc_callback_t *callback, const orgcast_emitter_t *emitter);
void oc_callback_end(const oc_callback_t *callback);

/* options may be NULL. ORGCAST_E_INVALID, _NOMEM; nothing to undo then. */
ORGCAST_MUST_CHECK orgcast_err_t oc_sink_init(orgcast_emitter_t *emitter, const oc_sink_ops_t *ops,
                                              const orgcast_emitter_options_t *options,
                                              orgcast_diag_t *diag);
void oc_sink_done(orgcast_emitter_t *emitter);

/* What the functions of emit.h do; data is the struct that the type calls for. Their errors. */
ORGCAST_MUST_CHECK orgcast_err_t oc_emit(orgcast_emitter_t *emitter, orgcast_event_type_t type,
                                         const void *data, orgcast_receipt_t *ret_receipt);

#endif

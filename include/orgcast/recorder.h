/* SPDX-License-Identifier: MIT */
#ifndef ORGCAST_RECORDER_H
#define ORGCAST_RECORDER_H

/** @file
 *  The recorder: an emitter for unit tests. It makes the same checks, ids and JSON as the real one,
 *  publishes nowhere, and lets the test read back what was emitted. */

#include <orgcast/emitter.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One recorded event. Borrowed from the recorder; valid until it is cleared or closed. */
typedef struct orgcast_recorded {
    orgcast_event_type_t type;
    const char *event_id;
    const char *organization_id;
    const char *topic;   /**< where it would have been published */
    const char *payload; /**< the CloudEvents JSON, NUL-terminated */
    size_t payload_len;  /**< bytes, without the NUL */
} orgcast_recorded_t;

/** Make an emitter that records. The emit, flush, stats and close functions work on it; every event
 *  counts as acknowledged at once, and stays until it is cleared.
 *  @param options     may be NULL; `source`, `queue_max_events`, `on_delivery`, `context` are used
 *                     (on_delivery is called on the emitting thread, and flush and close inside
 *                     it behave as in the real emitter); the rest is ignored
 *  @param ret_emitter set on success; the caller owns it: orgcast_emitter_close()
 *  @retval ORGCAST_E_INVALID `source` is no URI reference, or ret_emitter is NULL
 *  @retval ORGCAST_E_NOMEM   out of memory
 *  @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_recorder_open(const orgcast_emitter_options_t *options, orgcast_emitter_t **ret_emitter,
                      orgcast_diag_t *diag);

/** How many events are recorded. 0 for an emitter that is no recorder. Any thread. @since 0.1 */
ORGCAST_API size_t orgcast_recorder_count(orgcast_emitter_t *emitter);

/** The event at `index`, in the order of the emit calls.
 *  @retval ORGCAST_E_INVALID no such index, or no recorder
 *  @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t orgcast_recorder_get(orgcast_emitter_t *emitter,
                                                                  size_t index,
                                                                  orgcast_recorded_t *ret_event);

/** Make emits fail from now on, to test how the caller copes: every emit returns `err`.
 *  ORGCAST_OK: work again. @since 0.1 */
ORGCAST_API void orgcast_recorder_fail(orgcast_emitter_t *emitter, orgcast_err_t err);

/** Forget what was recorded. @since 0.1 */
ORGCAST_API void orgcast_recorder_clear(orgcast_emitter_t *emitter);

#ifdef __cplusplus
}
#endif
#endif

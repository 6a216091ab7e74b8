/* SPDX-License-Identifier: MIT */
/* Written by events/generate from events/; do not edit. */
/* clang-format off */
#ifndef ORGCAST_EMIT_H
#define ORGCAST_EMIT_H

/** @file
 *  A function for each type of event; <orgcast/emitter.h> includes this. */

#include <orgcast/err.h>
#include <orgcast/event.h>

#ifdef __cplusplus
extern "C" {
#endif

struct orgcast_emitter;
struct orgcast_receipt;

/** An invoice was created.
 *
 *  Queue one event. Returns once it is in the queue; does not wait for the broker.
 *  @param emitter      borrowed; any thread
 *  @param event        borrowed; copied before return
 *  @param ret_receipt  may be NULL; matches the later delivery report
 *  @retval ORGCAST_OK         queued; one delivery report follows
 *  @retval ORGCAST_E_INVALID  a field failed its check (orgcast_event_check_* say which)
 *  @retval ORGCAST_E_FULL     queue_max_events reached; try again after a report
 *  @retval ORGCAST_E_NOMEM    out of memory
 *  @retval ORGCAST_E_IO       the system has no random bytes for the id
 *  @retval ORGCAST_E_CLOSED   orgcast_emitter_close() has begun
 *  On any error nothing was queued and no report follows.
 *  @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_emit_invoice_created(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                             struct orgcast_receipt *ret_receipt);

/** Fields of an invoice changed; `previous` may carry their old values. As
 *  orgcast_emit_invoice_created(). @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_emit_invoice_updated(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                             struct orgcast_receipt *ret_receipt);

/** An invoice was sent to the customer. As orgcast_emit_invoice_created(). @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_emit_invoice_sent(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                          struct orgcast_receipt *ret_receipt);

/** An invoice was paid. As orgcast_emit_invoice_created(). @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_emit_invoice_paid(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                          struct orgcast_receipt *ret_receipt);

/** An invoice's due date passed without payment. As orgcast_emit_invoice_created(). @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_emit_invoice_overdue(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                             struct orgcast_receipt *ret_receipt);

/** An invoice was cancelled. As orgcast_emit_invoice_created(). @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_emit_invoice_cancelled(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                               struct orgcast_receipt *ret_receipt);

/** An invoice was deleted. As orgcast_emit_invoice_created(). @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_emit_invoice_deleted(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                             struct orgcast_receipt *ret_receipt);

/** Something to show to the organization's people. As orgcast_emit_invoice_created(). @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_emit_notification(struct orgcast_emitter *emitter, const orgcast_notification_event_t *event,
                          struct orgcast_receipt *ret_receipt);

/** Say which field of an event an emit would refuse, and why; publishes nothing. Any thread.
 *  @param diag may be NULL; names the field by its catalogue name
 *  @retval ORGCAST_E_INVALID a field failed its check
 *  @since 0.1 */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_event_check_invoice(orgcast_event_type_t type, const orgcast_invoice_event_t *event,
                            orgcast_diag_t *diag);

/** @copydoc orgcast_event_check_invoice */
ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t
orgcast_event_check_notification(const orgcast_notification_event_t *event,
                                 orgcast_diag_t *diag);

#ifdef __cplusplus
}
#endif
#endif
/* clang-format on */

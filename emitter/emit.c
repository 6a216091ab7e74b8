/* SPDX-License-Identifier: MIT */
/* Written by events/generate from events/; do not edit. */
/* clang-format off */
#include <orgcast/emitter.h>

#include "event.h"
#include "sink.h"

orgcast_err_t
orgcast_emit_invoice_created(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                             struct orgcast_receipt *ret_receipt)
{
    return oc_emit(emitter, ORGCAST_EVENT_INVOICE_CREATED, event, ret_receipt);
}

orgcast_err_t
orgcast_emit_invoice_updated(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                             struct orgcast_receipt *ret_receipt)
{
    return oc_emit(emitter, ORGCAST_EVENT_INVOICE_UPDATED, event, ret_receipt);
}

orgcast_err_t
orgcast_emit_invoice_sent(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                          struct orgcast_receipt *ret_receipt)
{
    return oc_emit(emitter, ORGCAST_EVENT_INVOICE_SENT, event, ret_receipt);
}

orgcast_err_t
orgcast_emit_invoice_paid(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                          struct orgcast_receipt *ret_receipt)
{
    return oc_emit(emitter, ORGCAST_EVENT_INVOICE_PAID, event, ret_receipt);
}

orgcast_err_t
orgcast_emit_invoice_overdue(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                             struct orgcast_receipt *ret_receipt)
{
    return oc_emit(emitter, ORGCAST_EVENT_INVOICE_OVERDUE, event, ret_receipt);
}

orgcast_err_t
orgcast_emit_invoice_cancelled(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                               struct orgcast_receipt *ret_receipt)
{
    return oc_emit(emitter, ORGCAST_EVENT_INVOICE_CANCELLED, event, ret_receipt);
}

orgcast_err_t
orgcast_emit_invoice_deleted(struct orgcast_emitter *emitter, const orgcast_invoice_event_t *event,
                             struct orgcast_receipt *ret_receipt)
{
    return oc_emit(emitter, ORGCAST_EVENT_INVOICE_DELETED, event, ret_receipt);
}

orgcast_err_t
orgcast_emit_notification(struct orgcast_emitter *emitter, const orgcast_notification_event_t *event,
                          struct orgcast_receipt *ret_receipt)
{
    return oc_emit(emitter, ORGCAST_EVENT_NOTIFICATION_CREATED, event, ret_receipt);
}

orgcast_err_t
orgcast_event_check_invoice(orgcast_event_type_t type, const orgcast_invoice_event_t *event,
                            orgcast_diag_t *diag)
{
    return oc_event_check_kind(0, type, event, diag);
}

orgcast_err_t
orgcast_event_check_notification(const orgcast_notification_event_t *event,
                                 orgcast_diag_t *diag)
{
    return oc_event_check_kind(1, ORGCAST_EVENT_NOTIFICATION_CREATED, event, diag);
}
/* clang-format on */

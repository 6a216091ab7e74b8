/* SPDX-License-Identifier: MIT */
/* Written by events/generate from events/; do not edit. */
/* clang-format off */
#include <assert.h>
#include <stddef.h>

#include "event.h"

static_assert(sizeof(orgcast_invoice_status_t) == sizeof(unsigned), "enums are read as unsigned");
static_assert(sizeof(orgcast_notification_type_t) == sizeof(unsigned), "enums are read as unsigned");

static const oc_event_slot_t invoice_previous_slots[] = {
    {offsetof(orgcast_invoice_previous_t, invoice_number), NULL, 0},
    {offsetof(orgcast_invoice_previous_t, amount), NULL, 0},
    {offsetof(orgcast_invoice_previous_t, currency), NULL, 0},
    {offsetof(orgcast_invoice_previous_t, status), NULL, 0},
};

static const oc_event_slot_t invoice_slots[] = {
    {offsetof(orgcast_invoice_event_t, organization_id), NULL, 0},
    {offsetof(orgcast_invoice_event_t, invoice_id), NULL, 0},
    {offsetof(orgcast_invoice_event_t, invoice_number), NULL, 0},
    {offsetof(orgcast_invoice_event_t, amount), NULL, 0},
    {offsetof(orgcast_invoice_event_t, currency), NULL, 0},
    {offsetof(orgcast_invoice_event_t, status), NULL, 0},
    {offsetof(orgcast_invoice_event_t, timestamp), NULL, 0},
    {offsetof(orgcast_invoice_event_t, previous), invoice_previous_slots, offsetof(oc_event_inner_t, invoice_previous)},
};

static const oc_event_slot_t notification_slots[] = {
    {offsetof(orgcast_notification_event_t, organization_id), NULL, 0},
    {offsetof(orgcast_notification_event_t, notification_id), NULL, 0},
    {offsetof(orgcast_notification_event_t, title), NULL, 0},
    {offsetof(orgcast_notification_event_t, message), NULL, 0},
    {offsetof(orgcast_notification_event_t, type), NULL, 0},
    {offsetof(orgcast_notification_event_t, invoice_id), NULL, 0},
    {offsetof(orgcast_notification_event_t, timestamp), NULL, 0},
};

const oc_event_slot_t *const oc_event_slots[] = {
    NULL,
    invoice_slots, /* invoice.created */
    invoice_slots, /* invoice.updated */
    invoice_slots, /* invoice.sent */
    invoice_slots, /* invoice.paid */
    invoice_slots, /* invoice.overdue */
    invoice_slots, /* invoice.cancelled */
    invoice_slots, /* invoice.deleted */
    notification_slots, /* notification.created */
};
/* clang-format on */

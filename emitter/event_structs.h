/* SPDX-License-Identifier: MIT */
/* Written by events/generate from events/; do not edit. */
/* clang-format off */
#ifndef OC_EVENT_STRUCTS_H
#define OC_EVENT_STRUCTS_H

#include <orgcast/event.h>

/* The longest of the topic's words, in bytes without the NUL. */
#define OC_EVENT_WORD_MAX 12

/* Room for the struct of any type. */
typedef union oc_event_struct {
    orgcast_invoice_event_t invoice;
    orgcast_notification_event_t notification;
} oc_event_struct_t;

/* Room for all that such a struct may point to. */
typedef struct oc_event_inner {
    orgcast_invoice_previous_t invoice_previous;
} oc_event_inner_t;

#endif
/* clang-format on */

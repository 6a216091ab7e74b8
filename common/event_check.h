/* SPDX-License-Identifier: MIT */
#ifndef OC_EVENT_CHECK_H
#define OC_EVENT_CHECK_H

/* Is a payload an event that may be published on its topic? CloudEvents 1.0 in structured JSON mode, and
 * the catalogue's tables. Knows no broker; keeps nothing. */

#include <stddef.h>

#include "err.h"

/* Of an event in MQTT 5 and HTTP (CloudEvents 1.0, JSON format). */
#define OC_EVENT_CONTENT_TYPE "application/cloudevents+json; charset=utf-8"

/* JSON values and member names in an event, as oc_json_small() counts them. */
#define OC_EVENT_VALUES_MAX 4096

typedef enum oc_event_mode {
    OC_EVENT_MODE_CATALOGUE = 0, /* a catalogue type, its data, on the topic that it belongs on */
    OC_EVENT_MODE_ENVELOPE,      /* any type and data, of the topic's organization */
} oc_event_mode_t;

/* Check a payload of any bytes.
 *  org, org_len  the organization that the topic's template found in it
 *  topic         in catalogue mode its last two levels have to be {event}/{entity}; not looked at in the other
 *  OC_E_EVENT_INVALID  diag begins with the field ("time", "data.previous.amount"; "event" for the whole)
 *                      and says what is wrong, without a byte of the payload
 *  OC_E_NOMEM          needs oc_json_guard_install() to be told
 * `epoch` and `sequence` are the broker's to set. A sender's are taken as any extension attribute and mean
 * nothing here: whoever stamps the event has to replace them. */
OC_MUST_CHECK oc_err_t oc_event_check(oc_event_mode_t mode, const char *org, size_t org_len,
                                      const char *topic, const char *payload, size_t payload_len,
                                      oc_diag_t *diag);

#endif

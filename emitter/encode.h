/* SPDX-License-Identifier: MIT */
#ifndef OC_ENCODE_H
#define OC_ENCODE_H

#include <stddef.h>

#include "event.h"

/* Write an event that passed its check as CloudEvents 1.0 structured JSON, members in the order of
 * the documentation, without white space.
 *  now          RFC 3339; the event's time when it names none
 *  ret_json     cJSON's memory, NUL-terminated: release it with cJSON_free()
 *  ret_json_len bytes, without the NUL
 * ORGCAST_E_NOMEM is the only error. */
ORGCAST_MUST_CHECK orgcast_err_t oc_encode_event(const oc_event_t *event, const char *source,
                                                 const char *event_id, const char *now,
                                                 char **ret_json, size_t *ret_json_len);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_EVENT_TEXT_H
#define OC_EVENT_TEXT_H

/* The texts in events, checked alike where they are emitted and where they arrive. Each function returns
 * NULL for a good one, otherwise what is wrong with it, to follow its name in a message; that never
 * quotes it. Texts are NUL-terminated. */

#include "event_rules.h"

/* By the field's format, or its pattern and length. */
const char *oc_event_text_fault(const oc_event_field_t *field, const char *text, size_t len);

/* Of RFC 3339 §5.6 what every consumer's date parser takes: upper-case T and Z, at most nanoseconds, and
 * no second 60, which JavaScript's does not know. */
const char *oc_event_time_fault(const char *text);

/* RFC 3986 §4.1: a URI or a relative reference, not empty. */
const char *oc_event_uri_reference_fault(const char *text);
/* RFC 3986 §3: one with a scheme. */
const char *oc_event_uri_fault(const char *text);

#endif

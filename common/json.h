/* SPDX-License-Identifier: MIT */
#ifndef OC_JSON_H
#define OC_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "err.h"

static inline void oc_json_decrefp(json_t **json)
{
    json_decref(*json);
    *json = NULL;
}

/* Parse one JSON object from outside, strictly: nothing before or after it, UTF-8 only, no duplicate
 * members, no NUL in strings, no number that overflows, at most OC_JSON_MAX_DEPTH levels.
 * OC_E_TOKEN_MALFORMED is not used here: the error is OC_E_INTERNAL with the cause in diag, for the
 * caller to name; OC_E_NOMEM when memory ran out. */
#define OC_JSON_MAX_DEPTH 32
OC_MUST_CHECK oc_err_t oc_json_load(const char *bytes, size_t len, json_t **ret_object,
                                    oc_diag_t *diag);

/* The same, except that a number that overflows is read as 1e99. For JSON whose unknown members do not matter;
 * never for JSON that is written again. 1e99 fits no field, so a member that does matter is still refused. */
OC_MUST_CHECK oc_err_t oc_json_load_any_number(const char *bytes, size_t len, json_t **ret_object,
                                               oc_diag_t *diag);

/* False when the text could hold more than `most` values: it counts the characters outside strings that come
 * before a value or a member's name. Call it before you parse, which takes 0.2 µs for each value. Any bytes. */
bool oc_json_small(const char *bytes, size_t len, size_t most);

/* Compact text, malloc'd for the caller; NULL when memory ran out. */
char *oc_json_dump(const json_t *json);

/* When memory runs out, jansson 2.14 goes on without an error: reading, it loses characters of a string or
 * number, and may read behind its buffer; writing, it loses an object's keys. From install on,
 * oc_json_load() and oc_json_dump() keep it from that, and fail. The guard wraps jansson's allocation
 * functions, which are the whole process's; remove restores them. Both count, and are for one thread at a
 * time. */
void oc_json_guard_install(void);
void oc_json_guard_remove(void);

#define OC_JSON_POINTER_MAX 512

/* RFC 6901, of at most OC_JSON_POINTER_MAX bytes. */
bool oc_json_pointer_valid(const char *pointer);
/* Borrowed value at the pointer, or NULL. "" is the document itself. Allocates nothing. */
json_t *oc_json_pointer_get(json_t *document, const char *pointer);

#endif

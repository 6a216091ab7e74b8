/* SPDX-License-Identifier: MIT */
#ifndef OC_STAMP_H
#define OC_STAMP_H

/* Puts an event's number into its JSON without rewriting the rest. */

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define OC_STAMP_EPOCH_LEN 16    /* hexadecimal digits */
#define OC_STAMP_SEQUENCE_LEN 20 /* decimal digits */

typedef struct oc_stamp {
    uint64_t epoch;
    uint64_t sequence;
} oc_stamp_t;

/* Where the result's memory comes from. */
typedef struct oc_stamp_memory {
    void *(*alloc)(size_t size);
    void (*free)(void *memory);
} oc_stamp_memory_t;

void oc_stamp_epoch(uint64_t epoch, char ret_text[static OC_STAMP_EPOCH_LEN + 1]);
void oc_stamp_sequence(uint64_t sequence, char ret_text[static OC_STAMP_SEQUENCE_LEN + 1]);

/* Make a copy of a JSON object whose members `epoch` and `sequence` are the stamp's; what it had under these
 * names, however often and however written, is not in it, and neither is white space between its members.
 * One pass, one allocation, no recursion.
 *  payload            borrowed, any bytes
 *  ret_out            made by memory->alloc, for the caller; a NUL follows it that is not counted
 *  OC_E_EVENT_INVALID it is not one JSON object (RFC 8259, strict UTF-8, at most OC_JSON_MAX_DEPTH levels)
 *  OC_E_NOMEM */
OC_MUST_CHECK oc_err_t oc_stamp(const char *payload, size_t len, const oc_stamp_t *stamp,
                                const oc_stamp_memory_t *memory, char **ret_out, size_t *ret_len);

#endif

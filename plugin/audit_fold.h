/* SPDX-License-Identifier: MIT */
#ifndef OC_AUDIT_FOLD_H
#define OC_AUDIT_FOLD_H

/* Keeps clients that repeat themselves from filling the audit log. Time is cut into minutes. In each minute
 * the first lines of a kind are written in full; the others are counted, and one line with "count" stands for
 * them at the minute's end. Lines are of one kind when they have the same action, result, reason and subject
 * (without a subject: client id and address).
 *
 * Lines that are never folded: what clients published, and what administrators were allowed to do.
 *
 * Fixed size. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "audit.h"

#define OC_AUDIT_FOLD_MS 60000

/* Lines of a kind that are written in a minute. A SUBSCRIBE packet holds thousands of filters. */
#define OC_AUDIT_FOLD_DENIED 100
#define OC_AUDIT_FOLD_ALLOWED 1000
/* The same for denials of clients without a token from one address, whatever ids they choose. Loopback and
 * Unix sockets are exempt: a proxy there speaks for everybody. */
#define OC_AUDIT_FOLD_ADDRESS 1000
/* The same for all denials. Further ones are one line with the action "audit_folded". */
#define OC_AUDIT_FOLD_ALL 10000

typedef struct oc_audit_fold oc_audit_fold_t;

/* Where lines go. */
typedef void (*oc_audit_sink_t)(void *context, const oc_audit_entry_t *entry);

/* NULL when out of memory, or when the system has no random bytes. Nothing is allocated after this. */
oc_audit_fold_t *oc_audit_fold_new(oc_audit_sink_t sink, void *context);
/* Writes the counted lines. NULL is accepted. */
void oc_audit_fold_free(oc_audit_fold_t *fold);

/* Write an entry, or count it. NULL: nothing.
 * entry: borrowed, but action, result and reason have to stay for the fold's life
 * is_admin: the entry is about an administrator
 * now_ms: of a clock that is never set back */
void oc_audit_fold_write(oc_audit_fold_t *fold, const oc_audit_entry_t *entry, bool is_admin,
                         int64_t now_ms);

/* Write the counted lines when the minute is over. Call it now and then. NULL is accepted. */
void oc_audit_fold_tick(oc_audit_fold_t *fold, int64_t now_ms);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_REVOCATION_SET_H
#define OC_REVOCATION_SET_H

/* Revocations in memory: found by name, listed in the order of adding, forgotten in the order of their time. One
 * thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "identity.h"
#include "revocation.h"

typedef struct oc_revocation_set oc_revocation_set_t;

/* NULL when out of memory. */
oc_revocation_set_t *oc_revocation_set_new(void);
void oc_revocation_set_free(oc_revocation_set_t *set);

/* Copy a revocation in. If the name is there, the later of each time holds; but if that one was over when the
 * new one was said, the new one alone. OC_E_NOMEM, and nothing has changed. */
OC_MUST_CHECK oc_err_t oc_revocation_set_add(oc_revocation_set_t *set,
                                             const oc_revocation_t *revocation);

bool oc_revocation_set_has(const oc_revocation_set_t *set, oc_revocation_kind_t kind,
                           const char *name);

/* Nothing happens when it is not there. */
void oc_revocation_set_remove(oc_revocation_set_t *set, oc_revocation_kind_t kind,
                              const char *name);

/* Drop those whose time has come, the earliest first, at most `max`. */
void oc_revocation_set_forget(oc_revocation_set_t *set, int64_t now_s, size_t max);

/* Allocates nothing. */
bool oc_revocation_set_match(const oc_revocation_set_t *set, const oc_identity_t *identity);

size_t oc_revocation_set_count(const oc_revocation_set_t *set);

/* See oc_revocations_next(). */
const oc_revocation_t *oc_revocation_set_next(const oc_revocation_set_t *set, uint64_t *cursor);

/* Let an empty set's cursors begin where another's end, so that one of that set is good here. */
void oc_revocation_set_follow(oc_revocation_set_t *set, const oc_revocation_set_t *older);

#endif

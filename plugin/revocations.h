/* SPDX-License-Identifier: MIT */
#ifndef OC_REVOCATIONS_H
#define OC_REVOCATIONS_H

/* Which tokens are revoked before their time is over: those of a `jti`, those of a subject or of an
 * organization that were issued before some moment. Kept in memory for the broker's thread and, with a
 * file, on disk by a thread of its own, for which nobody waits (revocation.h has the format). One
 * thread, the broker's, for everything here. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "identity.h"
#include "revocation.h"

/* Changes that are not on disk yet, because it refuses them. */
#define OC_REVOCATIONS_UNWRITTEN_MAX ((size_t)131072)

/* How many oc_revocations_forget() drops at most. */
#define OC_REVOCATIONS_FORGET_MAX ((size_t)256)

#define OC_REVOCATIONS_ERROR_MAX 512

typedef struct oc_revocations oc_revocations_t;

/* A store without a file. OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_revocations_new(oc_revocations_t **ret_revocations);

/* Load the file, or make it when there is none, and from then on keep every change there. At start, before
 * anything is added: it reads, and may write and wait for the disk.
 * path: copied
 * Errors: OC_E_IO with "'PATH': cause", or "PATH:LINE: cause" for a line that is wrong; OC_E_NOMEM. The store
 * is as it was then. */
OC_MUST_CHECK oc_err_t oc_revocations_open(oc_revocations_t *revocations, const char *path,
                                           int64_t now_s, oc_diag_t *diag);

/* Write what is not on disk yet, if that can be done, and end the thread. NULL is accepted. */
void oc_revocations_free(oc_revocations_t *revocations);

/* Whether a token is revoked. Allocates nothing, no system call; an empty store costs a comparison. */
bool oc_revocations_match(const oc_revocations_t *revocations, const oc_identity_t *identity);

/* Revoke, at once. If the name is there already, the later issued_before_s, revoked_s and forget_s of the two
 * hold, at its old place in the listing; but not those of one whose forget_s had come by the new revoked_s.
 * revocation: copied
 * ret_ticket: for oc_revocations_settled()
 * Errors, and nothing has changed: OC_E_REQUEST_INVALID for a name that no token can have; OC_E_FULL with the
 * cause in diag when OC_REVOCATIONS_MAX or OC_REVOCATIONS_UNWRITTEN_MAX is reached; OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_revocations_add(oc_revocations_t *revocations,
                                          const oc_revocation_t *revocation, uint64_t *ret_ticket,
                                          oc_diag_t *diag);

/* Take one back, at once. The same errors, and OC_E_NOT_FOUND when the name is not there. */
OC_MUST_CHECK oc_err_t oc_revocations_remove(oc_revocations_t *revocations,
                                             oc_revocation_kind_t kind, const char *name,
                                             uint64_t *ret_ticket, oc_diag_t *diag);

/* Whether it is known what became of a change on disk; without a file it is at once. Does not wait.
 * ret_failed: the disk refused it. It holds in memory, and the next successful write brings the file up to
 * date, after which this is false. Written when true is returned. */
bool oc_revocations_settled(const oc_revocations_t *revocations, uint64_t ticket, bool *ret_failed);

/* The next one in the order of adding, borrowed until the next change; NULL at the end. *cursor
 * starts at 0, and may be kept while others are added, removed and forgotten. After a reload it
 * meets all again. */
const oc_revocation_t *oc_revocations_next(const oc_revocations_t *revocations, uint64_t *cursor);

size_t oc_revocations_count(const oc_revocations_t *revocations);

/* Drop those whose forget_s has come, the earliest first, at most OC_REVOCATIONS_FORGET_MAX. */
void oc_revocations_forget(oc_revocations_t *revocations, int64_t now_s);

/* Read the file again, which an operator may have changed or replaced: it holds then, and besides what was
 * added and removed since and is not on disk yet. Whoever edits it loses what the broker writes between the
 * reading and the writing of the editor. Without a file nothing happens.
 * Errors, and what was there stays: as those of oc_revocations_open(), and a file that is missing, which the
 * next oc_revocations_forget() has made again. */
OC_MUST_CHECK oc_err_t oc_revocations_reload(oc_revocations_t *revocations, int64_t now_s,
                                             oc_diag_t *diag);

/* A line for the log, "'PATH': cause", once for each time that writing began to fail. False when there is
 * none. Does not wait. */
bool oc_revocations_take_error(oc_revocations_t *revocations,
                               char ret_error[static OC_REVOCATIONS_ERROR_MAX]);

#endif

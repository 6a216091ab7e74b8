/* SPDX-License-Identifier: MIT */
#ifndef OC_REVOCATION_WRITER_H
#define OC_REVOCATION_WRITER_H

/* The thread that keeps the file of revocations up to date. The broker's thread hands it one change after the
 * other and never waits for it, but to end it. All calls are for the broker's thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "revocation_file.h"
#include "revocation_set.h"

#define OC_REVOCATION_WRITER_ERROR_MAX 512

typedef struct oc_revocation_writer oc_revocation_writer_t;

/* path: copied. OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_revocation_writer_start(const char *path,
                                                  oc_revocation_writer_t **ret_writer,
                                                  oc_diag_t *diag);

/* Write what is not written, if that can be done, and end the thread. */
void oc_revocation_writer_stop(oc_revocation_writer_t *writer);

/* Stop, if that was not done, and free. NULL is accepted. */
void oc_revocation_writer_free(oc_revocation_writer_t *writer);

const char *oc_revocation_writer_path(const oc_revocation_writer_t *writer);

/* A copy for oc_revocation_writer_put(), or to be freed with free(); NULL when out of memory. */
oc_revocation_change_t *oc_revocation_change_new(const oc_revocation_t *revocation, bool unrevoke);

/* Have a change written. Takes it. Returns its ticket. */
uint64_t oc_revocation_writer_put(oc_revocation_writer_t *writer, oc_revocation_change_t *change);

/* How many changes are not on disk. */
size_t oc_revocation_writer_unwritten(const oc_revocation_writer_t *writer);

/* The last ticket that is. */
uint64_t oc_revocation_writer_durable(const oc_revocation_writer_t *writer);

/* Apply the changes after a ticket to a set; since then none was put. OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_revocation_writer_replay(const oc_revocation_writer_t *writer,
                                                   uint64_t after, oc_revocation_set_t *set);

/* See oc_revocations_settled(). */
bool oc_revocation_writer_settled(const oc_revocation_writer_t *writer, uint64_t ticket,
                                  bool *ret_failed);

/* How many revocations are current, and now. The writer rewrites the file when most lines have no
 * effect. */
void oc_revocation_writer_note(oc_revocation_writer_t *writer, size_t count, int64_t now_s);

/* The file was read and has this many lines. Lines without effect are a reason to rewrite it. */
void oc_revocation_writer_note_lines(oc_revocation_writer_t *writer, size_t lines);

/* The file was seen to be gone. */
void oc_revocation_writer_note_gone(oc_revocation_writer_t *writer);

/* Whether the file is gone, so that all revocations have to be put once more; and that this was done, so that
 * it may be made again. */
bool oc_revocation_writer_gone(const oc_revocation_writer_t *writer);
void oc_revocation_writer_make_again(oc_revocation_writer_t *writer);

/* See oc_revocations_take_error(). */
bool oc_revocation_writer_take_error(oc_revocation_writer_t *writer,
                                     char ret_error[static OC_REVOCATION_WRITER_ERROR_MAX]);

#endif

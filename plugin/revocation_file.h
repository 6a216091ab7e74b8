/* SPDX-License-Identifier: MIT */
#ifndef OC_REVOCATION_FILE_H
#define OC_REVOCATION_FILE_H

/* The file of revocations: one line each, as in revocation.h, and the later ones change what the earlier ones
 * say, like oc_revocation_set_add() and _remove(). Changes are appended; from time to time it is written anew
 * without what has no effect, as PATH.new that takes its place in one step. So a crash leaves either the one or
 * the other file, and at most the last line cut off.
 *
 * These calls wait for the disk. They open the path each time, so that what an operator puts there is used from
 * then on. Errors: OC_E_IO with "'PATH': cause" or "PATH:LINE: cause", OC_E_NOMEM. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "revocation.h"
#include "revocation_set.h"

/* Room for every file that the plugin writes. Reading takes 2 µs a line. */
#define OC_REVOCATION_FILE_MAX_BYTES ((size_t)128 << 20)

/* How many names a file may hold before those that are over are forgotten. */
#define OC_REVOCATION_FILE_MAX_NAMES (4 * OC_REVOCATIONS_MAX)

typedef struct oc_revocation_text {
    size_t lines;
    bool cut_off; /* behind them is part of a line without a newline, which has no effect */
} oc_revocation_text_t;

/* Apply lines to a set. A last line that is whole but for its newline counts.
 * path: for messages */
OC_MUST_CHECK oc_err_t oc_revocation_text_load(const char *path, const char *bytes, size_t len,
                                               oc_revocation_set_t *set,
                                               oc_revocation_text_t *ret_text, oc_diag_t *diag);

/* Load a file without what is over at now_s.
 * older: NULL, or what cursors are to go on from
 * ret_set: the caller's, oc_revocation_set_free() */
OC_MUST_CHECK oc_err_t oc_revocation_file_load(const char *path, int64_t now_s,
                                               const oc_revocation_set_t *older,
                                               oc_revocation_set_t **ret_set,
                                               oc_revocation_text_t *ret_text, oc_diag_t *diag);

/* Make an empty file where there is none. */
OC_MUST_CHECK oc_err_t oc_revocation_file_make(const char *path, oc_diag_t *diag);

/* What a line is written for. */
typedef struct oc_revocation_change {
    struct oc_revocation_change *next;
    uint64_t ticket; /* in rising order */
    bool unrevoke;
    oc_revocation_t revocation; /* its name is the one below */
    char name[];
} oc_revocation_change_t;

/* Append the lines of a list from first to last, with both NULL none, behind a last line that is mended. On
 * success they are on disk; otherwise some may be, and to write them again does no harm. */
OC_MUST_CHECK oc_err_t oc_revocation_file_append(const char *path,
                                                 const oc_revocation_change_t *first,
                                                 const oc_revocation_change_t *last,
                                                 oc_diag_t *diag);

/* Write the file anew, without what has no effect at now_s. */
OC_MUST_CHECK oc_err_t oc_revocation_file_tidy(const char *path, int64_t now_s, size_t *ret_lines,
                                               oc_diag_t *diag);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_FILE_H
#define OC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "err.h"

/* Read a whole regular file. *ret_bytes is malloc'd by this call and owned by the caller; one NUL,
 * not counted in *ret_len, follows the bytes. A directory, device, empty file or one longer than
 * max_len is OC_E_IO, with the path and the cause in diag. */
OC_MUST_CHECK oc_err_t oc_file_read(const char *path, size_t max_len, unsigned char **ret_bytes,
                                    size_t *ret_len, oc_diag_t *diag);

/* Who can write some files decides what their readers believe. Whether this is a regular file of root's, the
 * process's effective user's or `owner`'s, and nobody else may write it. */
bool oc_file_trusted(const struct stat *file, uid_t owner);

/* Note in diag that a file is not; returns OC_E_IO. */
oc_err_t oc_file_fail_trust(const char *path, oc_diag_t *diag);

/* oc_file_read() of such a file: one that is not trusted, and a link, is OC_E_IO; an empty one is read. */
OC_MUST_CHECK oc_err_t oc_file_read_trusted(const char *path, uid_t owner, size_t max_len,
                                            unsigned char **ret_bytes, size_t *ret_len,
                                            oc_diag_t *diag);

/* Sync the folder of a file. Until then a crash can undo that the file was made or renamed. On false the cause is
 * in errno. */
OC_MUST_CHECK bool oc_file_sync_folder(const char *path);

#endif

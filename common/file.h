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

/* The same of a file that is read once in a process's life: it may be a pipe, FIFO or terminal as well, as the shell's
 * <(...) gives. Waits until its writer closes it. Allocates max_len bytes. Not for the broker's thread. */
OC_MUST_CHECK oc_err_t oc_file_read_once(const char *path, size_t max_len,
                                         unsigned char **ret_bytes, size_t *ret_len,
                                         oc_diag_t *diag);

/* Who can write some files decides what their readers believe. Whether this is a regular file of root's, the
 * process's effective user's or `owner`'s, and nobody else may write it. */
bool oc_file_trusted(const struct stat *file, uid_t owner);

/* Note in diag that a file is not; returns OC_E_IO. */
oc_err_t oc_file_fail_trust(const char *path, oc_diag_t *diag);

/* oc_file_read() of such a file: one that is not trusted, and a link, is OC_E_IO; an empty one is read. */
OC_MUST_CHECK oc_err_t oc_file_read_trusted(const char *path, uid_t owner, size_t max_len,
                                            unsigned char **ret_bytes, size_t *ret_len,
                                            oc_diag_t *diag);

/* Sync the folder of a file. Until then, a crash can undo the creation or renaming of the file. On
 * false the cause is in errno. */
OC_MUST_CHECK bool oc_file_sync_folder(const char *path);

#endif

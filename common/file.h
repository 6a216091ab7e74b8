/* SPDX-License-Identifier: MIT */
#ifndef OC_FILE_H
#define OC_FILE_H

#include <stddef.h>

#include "err.h"

/* Read a whole regular file. *ret_bytes is malloc'd by this call and owned by the caller; one NUL,
 * not counted in *ret_len, follows the bytes. A directory, device, empty file or one longer than
 * max_len is OC_E_IO, with the path and the cause in diag. */
OC_MUST_CHECK oc_err_t oc_file_read(const char *path, size_t max_len, unsigned char **ret_bytes,
                                    size_t *ret_len, oc_diag_t *diag);

#endif

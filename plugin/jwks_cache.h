/* SPDX-License-Identifier: MIT */
#ifndef OC_JWKS_CACHE_H
#define OC_JWKS_CACHE_H

/* The file that keeps the last good key set of each jwks_url: {"sets":{"URL":{"keys":[…]},…}}. Read at
 * start on the broker's thread; written by the fetch threads, one at a time. */

#include <stddef.h>

#include "err.h"

/* The set of a URL as JSON text, malloc'd for the caller. Errors, with the cause in diag: OC_E_NOT_FOUND when the
 * file holds none or there is no file, OC_E_IO when the file cannot be read, OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_jwks_cache_load(const char *path, const char *url, char **ret_json,
                                          size_t *ret_len, oc_diag_t *diag);

/* Store the set of a URL and keep those of the others. The file is replaced in one step (write PATH.new, sync,
 * rename, sync the folder): neither a reader nor a crash meets half a file. Any thread of one process.
 * OC_E_IO: the file stays as it was, for example because it cannot be read now. */
OC_MUST_CHECK oc_err_t oc_jwks_cache_store(const char *path, const char *url, const char *json,
                                           size_t json_len, oc_diag_t *diag);

#endif

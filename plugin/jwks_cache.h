/* SPDX-License-Identifier: MIT */
#ifndef OC_JWKS_CACHE_H
#define OC_JWKS_CACHE_H

/* The file that keeps the last good key set of each jwks_url: {"sets":{"URL":{"keys":[…]},…}}. Read at
 * start on the broker's thread; written by the fetch threads, one at a time. */

#include <stddef.h>

#include "err.h"

/* The set of a URL as JSON text, malloc'd for the caller. OC_E_IO with the cause in diag when the file
 * cannot be read or holds none; OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_jwks_cache_load(const char *path, const char *url, char **ret_json,
                                          size_t *ret_len, oc_diag_t *diag);

/* Put the set of a URL in, leaving the others. The file is replaced in one step (write, sync, rename),
 * so that a reader or a crash never meets half of one; until then
 * the new one is PATH.new. Any thread of one process. */
OC_MUST_CHECK oc_err_t oc_jwks_cache_store(const char *path, const char *url, const char *json,
                                           size_t json_len, oc_diag_t *diag);

#endif

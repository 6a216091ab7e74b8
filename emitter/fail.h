/* SPDX-License-Identifier: MIT */
#ifndef OC_EMITTER_FAIL_H
#define OC_EMITTER_FAIL_H

#include "err.h"
#include <orgcast/err.h>

/* As oc_fail(), for the library's public errors: note err and a sentence in diag, unless something
 * is noted already or diag is NULL. Returns err. */
orgcast_err_t oc_emitter_fail(orgcast_diag_t *diag, orgcast_err_t err, const char *format, ...)
    OC_PRINTF(3, 4);

/* Hand an error of common/ on to the library's caller, with its message. */
orgcast_err_t oc_emitter_fail_from(orgcast_diag_t *diag, oc_err_t err, const oc_diag_t *cause);

#endif

/* SPDX-License-Identifier: MIT */
#include "err.h"

#include <stdio.h>

const char *oc_err_name(oc_err_t err)
{
#define OC_ERR_NAME(constant, name) [constant] = (name),
    static const char *const names[OC_ERR_COUNT] = {
        [OC_OK] = "ok", OC_REASONS(OC_ERR_NAME) OC_FAILURES(OC_ERR_NAME)};
#undef OC_ERR_NAME

    if ((unsigned)err >= OC_ERR_COUNT)
        return "internal_error";
    return names[err];
}

oc_err_t oc_fail(oc_diag_t *diag, oc_err_t err, const char *format, ...)
{
    va_list args;

    if (diag && diag->code == OC_OK) {
        diag->code = err;
        va_start(args, format);
        (void)vsnprintf(diag->message, sizeof diag->message, format, args);
        va_end(args);
    }
    return err;
}

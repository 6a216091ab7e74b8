/* SPDX-License-Identifier: MIT */
#include "fail.h"

#include <stdio.h>

orgcast_err_t oc_emitter_fail(orgcast_diag_t *diag, orgcast_err_t err, const char *format, ...)
{
    va_list args;

    if (diag && diag->code == ORGCAST_OK) {
        diag->code = err;
        va_start(args, format);
        (void)vsnprintf(diag->message, sizeof diag->message, format, args);
        va_end(args);
    }
    return err;
}

orgcast_err_t oc_emitter_fail_from(orgcast_diag_t *diag, oc_err_t err, const oc_diag_t *cause)
{
    orgcast_err_t public_err = ORGCAST_E_INVALID;

    if (err == OC_E_NOMEM)
        public_err = ORGCAST_E_NOMEM;
    else if (err == OC_E_IO)
        public_err = ORGCAST_E_IO;
    return oc_emitter_fail(diag, public_err, "%s", cause->message);
}

const char *orgcast_err_name(orgcast_err_t err)
{
    switch (err) {
    case ORGCAST_OK:
        return "ok";
    case ORGCAST_E_INVALID:
        return "invalid";
    case ORGCAST_E_NOMEM:
        return "nomem";
    case ORGCAST_E_FULL:
        return "full";
    case ORGCAST_E_IO:
        return "io";
    case ORGCAST_E_TIMEOUT:
        return "timeout";
    case ORGCAST_E_CLOSED:
        return "closed";
    case ORGCAST_E_TOKEN:
        return "token";
    }
    return "unknown";
}

const char *orgcast_version(void)
{
    return ORGCAST_VERSION;
}

/* SPDX-License-Identifier: MIT */
#include "ids.h"

#include "utf8.h"

const char *oc_id_fault(const char *id, size_t len)
{
    if (len == 0)
        return "must not be empty";
    if (len > OC_ID_MAX)
        return "is too long";
    for (size_t i = 0; i < len; i++) {
        if (id[i] == '/' || id[i] == '+' || id[i] == '#')
            return "must not contain '/', '+' or '#'";
    }
    if (!oc_utf8_no_space(id, len))
        return "must be UTF-8 without white space and control characters";
    return NULL;
}

const char *oc_org_id_fault(const char *id, size_t len)
{
    if (len > 0 && id[0] == '$')
        return "must not begin with '$'";
    return oc_id_fault(id, len);
}

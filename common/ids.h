/* SPDX-License-Identifier: MIT */
#ifndef OC_IDS_H
#define OC_IDS_H

/* The ids that become topic levels. Both ends of the stream check them by this. */

#include <stdbool.h>
#include <stddef.h>

#define OC_ID_MAX 128

/* NULL for a good id, otherwise what is wrong with it, to follow its name in a message: 1 to OC_ID_MAX
 * bytes of UTF-8 without `/ + #`, white space and control characters. */
const char *oc_id_fault(const char *id, size_t len);

/* The same for an organization's id, which does not begin with `$` either. */
const char *oc_org_id_fault(const char *id, size_t len);

static inline bool oc_org_id_valid(const char *id, size_t len)
{
    return oc_org_id_fault(id, len) == NULL;
}

#endif

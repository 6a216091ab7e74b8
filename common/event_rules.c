/* SPDX-License-Identifier: MIT */
#include "event_rules.h"

#include <string.h>

size_t oc_event_rule_find(const char *name)
{
    for (size_t i = 1; i < oc_event_rules_count; i++) {
        if (strcmp(oc_event_rules[i].name, name) == 0)
            return i;
    }
    return 0;
}

size_t oc_event_enum_find(const oc_event_enum_t *values, const char *text)
{
    for (size_t i = 0; i < values->count; i++) {
        if (strcmp(values->values[i], text) == 0)
            return i + 1;
    }
    return 0;
}

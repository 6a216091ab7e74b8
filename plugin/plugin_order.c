/* SPDX-License-Identifier: MIT */
#include "plugin_order.h"

#include <string.h>

/* Mosquitto's own plugins that have no ACL check and no authentication. */
static const char *const harmless[] = {"mosquitto_persist_sqlite.so",
                                       "mosquitto_sparkplug_aware.so"};

bool oc_plugin_may_be_first(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        if (strcmp(name, harmless[i]) == 0)
            return true;
    }
    return false;
}

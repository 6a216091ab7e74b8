/* SPDX-License-Identifier: MIT */
#include "plugin_order.h"

#include <stdio.h>
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

const oc_conf_authenticator_t *oc_conf_asked_first(const oc_conf_t *conf)
{
    const oc_conf_authenticator_t *found = NULL;

    for (size_t i = 0; i < conf->authenticator_count; i++) {
        const oc_conf_authenticator_t *line = &conf->authenticators[i];

        if (!line->is_global)
            continue;
        if (line->is_orgcast)
            return NULL;
        if (!found && !oc_plugin_may_be_first(line->path))
            found = line;
    }
    return found;
}

void oc_conf_asked_first_text(const oc_conf_authenticator_t *line, char *out, size_t cap)
{
    (void)snprintf(out, cap,
                   "'%s %.200s' is for all listeners, so the broker asks it before this plugin, "
                   "which is for some; %s",
                   line->option, line->path,
                   line->is_plugin ? "move that line to its listeners, below this plugin's line, "
                                     "or load this plugin by global_plugin, above that line"
                                   : "load this plugin by 'plugin' instead of 'plugin_load'");
}

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

/* Without per_listener_settings, acl_file and password_file are for all listeners too, and SIGHUP can add them. */
static bool is_asked_late(const oc_conf_t *conf, const oc_conf_load_t *line)
{
    if (line->is_orgcast)
        return !line->is_global && !conf->per_listener;
    return line->is_global && !oc_plugin_may_be_first(line->path);
}

const oc_conf_load_t *oc_conf_asked_late(const oc_conf_t *conf)
{
    const oc_conf_load_t *found = NULL;

    for (size_t i = 0; i < conf->load_count; i++) {
        const oc_conf_load_t *line = &conf->loads[i];

        /* It is asked in the order of the lines. */
        if (line->is_orgcast && line->is_global)
            return NULL;
        if (is_asked_late(conf, line) && (!found || line->is_orgcast))
            found = line;
    }
    return found;
}

void oc_conf_asked_late_text(const oc_conf_load_t *line, char *out, size_t cap)
{
    if (line->is_orgcast)
        (void)snprintf(out, cap,
                       "'%s' needs 'per_listener_settings true'; without it the broker asks "
                       "acl_file and plugins for all listeners before this one; load this one by "
                       "'plugin'",
                       line->option);
    else
        (void)snprintf(out, cap,
                       "'%s %.80s' is for all listeners, so the broker asks it first; move it to "
                       "its listeners, below this plugin, or load this plugin by global_plugin, "
                       "above it",
                       line->option, line->path);
}

/* SPDX-License-Identifier: MIT */
#include "conf_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_file.h"

#define COMMAND_LINE_MAX 8192

struct oc_conf_watch {
    char *path;
    oc_conf_t conf;
};

/* Mosquitto reports problems of the file itself. */
static void ignore(void *context, const oc_conf_place_t *place, const char *message)
{
    (void)context;
    (void)place;
    (void)message;
}

bool oc_conf_watch_path(char *out, size_t cap)
{
    char arguments[COMMAND_LINE_MAX + 1];
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t len = file ? fread(arguments, 1, sizeof arguments - 1, file) : 0;
    bool next = false;

    if (file)
        (void)fclose(file);
    arguments[len] = '\0';
    for (const char *at = arguments; at < arguments + len; at += strlen(at) + 1) {
        if (next)
            return snprintf(out, cap, "%s", at) < (int)cap;
        next = strcmp(at, "-c") == 0 || strcmp(at, "--config-file") == 0;
    }
    return false;
}

oc_conf_watch_t *oc_conf_watch_new(const char *path)
{
    oc_conf_watch_t *watch = calloc(1, sizeof *watch);

    if (!watch)
        return NULL;
    watch->path = strdup(path);
    if (!watch->path || oc_conf_read(path, ignore, NULL, &watch->conf, NULL) != OC_OK) {
        oc_conf_watch_free(watch);
        return NULL;
    }
    return watch;
}

void oc_conf_watch_free(oc_conf_watch_t *watch)
{
    if (!watch)
        return;
    oc_conf_done(&watch->conf);
    free(watch->path);
    free(watch);
}

/* The value of the option's `nth` line, from 0; NULL: it has fewer. */
static const char *value_of(const oc_conf_plugin_t *plugin, const char *name, size_t nth)
{
    for (size_t i = 0; i < plugin->option_count; i++) {
        if (strcmp(plugin->options[i].name, name) == 0 && nth-- == 0)
            return plugin->options[i].value;
    }
    return NULL;
}

static bool same_values(const oc_conf_plugin_t *old, const oc_conf_plugin_t *new, const char *name)
{
    for (size_t nth = 0;; nth++) {
        const char *before = value_of(old, name, nth);
        const char *after = value_of(new, name, nth);

        if (!before || !after)
            return before == after;
        if (strcmp(before, after) != 0)
            return false;
    }
}

static bool has_name(const char *names, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = names; (at = strstr(at, name)) != NULL; at += len) {
        if ((at == names || at[-1] == ' ') && (at[len] == '\0' || at[len] == ','))
            return true;
    }
    return false;
}

/* Where there is no room for another name, names ends in "…". */
static void add_name(char *names, size_t cap, const char *option)
{
    size_t len = strlen(names);
    const char *comma = len > 0 ? ", " : "";
    char name[128];

    (void)snprintf(name, sizeof name, "plugin_opt_%s", option);
    if (has_name(names, name))
        return;
    if (len + strlen(comma) + strlen(name) + sizeof ", …" <= cap)
        (void)snprintf(names + len, cap - len, "%s%s", comma, name);
    else if (len < 3 || strcmp(names + len - 3, "…") != 0)
        (void)snprintf(names + len, cap - len, "%s…", comma);
}

/* Options of one that differ in the other. An option that both have is named by the first call only. */
static void compare(const oc_conf_plugin_t *one, const oc_conf_plugin_t *other, bool common,
                    char *names, size_t cap)
{
    for (size_t i = 0; i < one->option_count; i++) {
        const char *name = one->options[i].name;

        if (one->options[i].value != value_of(one, name, 0) ||
            (!common && value_of(other, name, 0)) || same_values(one, other, name))
            continue;
        add_name(names, cap, name);
    }
}

oc_err_t oc_conf_watch_compare(const oc_conf_watch_t *watch, char *ret_names, size_t cap,
                               oc_diag_t *diag)
{
    oc_conf_t now;
    oc_err_t err = oc_conf_read(watch->path, ignore, NULL, &now, diag);

    if (!err && now.plugin_count != watch->conf.plugin_count)
        err = oc_fail(diag, OC_E_IO, "'%.150s' loads the plugin %zu times, and did so %zu times",
                      watch->path, now.plugin_count, watch->conf.plugin_count);
    if (!err)
        *ret_names = '\0';
    for (size_t i = 0; !err && i < now.plugin_count; i++) {
        compare(watch->conf.plugins[i], now.plugins[i], true, ret_names, cap);
        compare(now.plugins[i], watch->conf.plugins[i], false, ret_names, cap);
    }
    oc_conf_done(&now);
    return err;
}

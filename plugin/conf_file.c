/* SPDX-License-Identifier: MIT */
#include "conf_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "mem.h"

#define CONF_MAX_BYTES ((size_t)1024 * 1024)
#define PLUGIN_FILE "mosquitto_orgcast"
#define DYNAMIC_SECURITY_FILE "mosquitto_dynamic_security"

typedef struct reader {
    oc_conf_t *conf;
    oc_conf_plugin_t *current; /* whose plugin_opt_ lines follow; NULL: another plugin's, or none */
    bool any_plugin;           /* some plugin line came before */
    bool websockets;           /* of the listener whose lines follow */
    bool dynamic_security; /* its line came before, in this listener's part if each has its own */
    bool per_listener;
    bool default_listener;
    bool in_include;
    oc_conf_problem_t problem;
    void *context;
} reader_t;

static oc_err_t nomem(oc_diag_t *diag)
{
    return oc_fail(diag, OC_E_NOMEM, "out of memory");
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(word, *words) == 0)
            return true;
    }
    return false;
}

static oc_err_t add_plugin(reader_t *reader, const char *path, const oc_conf_place_t *place,
                           oc_diag_t *diag)
{
    static const char name[] = PLUGIN_FILE;
    const char *base = strrchr(path, '/');
    oc_conf_plugin_t *plugin;

    reader->any_plugin = true;
    reader->current = NULL;
    if (begins(base ? base + 1 : path, DYNAMIC_SECURITY_FILE))
        reader->dynamic_security = true;
    if (!begins(base ? base + 1 : path, name))
        return OC_OK;
    if (reader->conf->plugin_count == OC_CONF_PLUGINS_MAX)
        return oc_fail(diag, OC_E_IO, "%s loads the plugin more than %d times", place->file,
                       OC_CONF_PLUGINS_MAX);
    plugin = calloc(1, sizeof *plugin);
    if (!plugin)
        return nomem(diag);
    reader->conf->plugins[reader->conf->plugin_count++] = plugin;
    plugin->path = strdup(path);
    plugin->place = (oc_conf_place_t){strdup(place->file), place->line};
    plugin->behind_dynamic_security = reader->dynamic_security;
    reader->current = plugin;
    return plugin->path && plugin->place.file ? OC_OK : nomem(diag);
}

static oc_err_t add_option(reader_t *reader, const char *name, const char *value,
                           const oc_conf_place_t *place, oc_diag_t *diag)
{
    oc_conf_plugin_t *plugin = reader->current;
    size_t at;

    if (!reader->any_plugin)
        reader->problem(reader->context, place, "a plugin option before any plugin line");
    else if (!*value)
        reader->problem(reader->context, place, "a plugin option without a value");
    if (!plugin || !*value)
        return OC_OK;
    if (plugin->option_count == OC_CONF_OPTIONS_MAX)
        return oc_fail(diag, OC_E_IO, "%s has more than %d plugin options", place->file,
                       OC_CONF_OPTIONS_MAX);
    at = plugin->option_count++;
    plugin->options[at] = (oc_option_t){strdup(name), strdup(value)};
    plugin->places[at] = (oc_conf_place_t){strdup(place->file), place->line};
    return plugin->options[at].name && plugin->options[at].value && plugin->places[at].file
               ? OC_OK
               : nomem(diag);
}

static oc_err_t read_file(reader_t *reader, const char *path, oc_diag_t *diag);

static int is_conf_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

/* Mosquitto's order: by letter, and of one letter the capital first. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
    const unsigned char *one = (const unsigned char *)(*a)->d_name;
    const unsigned char *two = (const unsigned char *)(*b)->d_name;

    for (; *one && *two; one++, two++) {
        if (toupper(*one) != toupper(*two))
            return toupper(*one) - toupper(*two);
        if (*one != *two)
            return *one - *two;
    }
    return *one - *two;
}

static oc_err_t read_included(reader_t *reader, const char *directory, const char *name,
                              oc_diag_t *diag)
{
    char *file = NULL;
    oc_err_t err;

    if (asprintf(&file, "%s/%s", directory, name) < 0)
        return nomem(diag);
    err = read_file(reader, file, diag);
    free(file);
    return err;
}

static oc_err_t read_directory(reader_t *reader, const char *path, const oc_conf_place_t *place,
                               oc_diag_t *diag)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_conf_file, compare_names);
    oc_err_t err = OC_OK;

    if (count < 0) {
        char message[512];

        (void)snprintf(message, sizeof message, "include_dir '%.300s': %s", path, strerror(errno));
        reader->problem(reader->context, place, message);
        return OC_OK;
    }
    reader->in_include = true;
    for (int i = 0; i < count; i++) {
        if (!err)
            err = read_included(reader, path, entries[i]->d_name, diag);
        free(entries[i]);
    }
    free(entries);
    reader->in_include = false;
    return err;
}

static oc_err_t count_listener(reader_t *reader, const oc_conf_place_t *place, oc_diag_t *diag)
{
    oc_conf_t *conf = reader->conf;

    conf->listeners++;
    reader->websockets = false;
    if (reader->per_listener)
        reader->dynamic_security = false;
    free(conf->last_listener.file);
    conf->last_listener = (oc_conf_place_t){strdup(place->file), place->line};
    return conf->last_listener.file ? OC_OK : nomem(diag);
}

static oc_err_t take_user(reader_t *reader, const char *name, oc_diag_t *diag)
{
    free(reader->conf->user);
    reader->conf->user = strdup(name);
    return reader->conf->user ? OC_OK : nomem(diag);
}

/* `port` makes the default listener, which other lines may have made before. */
static oc_err_t count_default_listener(reader_t *reader, const oc_conf_place_t *place,
                                       oc_diag_t *diag)
{
    if (reader->default_listener)
        return OC_OK;
    reader->default_listener = true;
    return count_listener(reader, place, diag);
}

static void count_protocol(reader_t *reader, const char *protocol)
{
    size_t len = strcspn(protocol, " ");
    bool websockets = len == 10 && strncmp(protocol, "websockets", len) == 0;

    if (websockets && !reader->websockets)
        reader->conf->websockets_listeners++;
    else if (!websockets && reader->websockets)
        reader->conf->websockets_listeners--;
    reader->websockets = websockets;
}

static oc_err_t take_tls_file(reader_t *reader, const char *option, const char *path,
                              const oc_conf_place_t *place, oc_diag_t *diag)
{
    oc_conf_t *conf = reader->conf;
    oc_conf_tls_file_t *file;

    if (conf->tls_file_count == OC_CONF_TLS_FILES_MAX)
        return oc_fail(diag, OC_E_IO, "%s names more than %d TLS files", place->file,
                       OC_CONF_TLS_FILES_MAX);
    file = &conf->tls_files[conf->tls_file_count++];
    *file = (oc_conf_tls_file_t){option, strdup(path), {strdup(place->file), place->line}};
    return file->path && file->place.file ? OC_OK : nomem(diag);
}

static bool is_true(const char *value)
{
    return strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

/* The name of the option that a line's first word sets; NULL when it sets none. */
static const char *option_name(const char *word)
{
    static const char *const prefixes[] = {"plugin_opt_", "auth_opt_"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (begins(word, prefixes[i]))
            return word + strlen(prefixes[i]);
    }
    return NULL;
}

static oc_err_t take_line(reader_t *reader, const char *word, const char *value,
                          const oc_conf_place_t *place, oc_diag_t *diag)
{
    static const char *const plugin_words[] = {"plugin", "auth_plugin", "global_plugin", NULL};
    static const char *const tls_words[] = {"certfile", "keyfile", "cafile"};
    const char *option = option_name(word);

    if (is_one_of(word, plugin_words))
        return add_plugin(reader, value, place, diag);
    /* Mosquitto 2.1: `plugin_load NAME PATH`. */
    if (strcmp(word, "plugin_load") == 0) {
        const char *path = value + strcspn(value, " ");

        return add_plugin(reader, path + strspn(path, " "), place, diag);
    }
    if (option)
        return add_option(reader, option, value, place, diag);
    if (strcmp(word, "listener") == 0)
        return count_listener(reader, place, diag);
    if (strcmp(word, "port") == 0)
        return count_default_listener(reader, place, diag);
    if (strcmp(word, "user") == 0)
        return take_user(reader, value, diag);
    if (strcmp(word, "per_listener_settings") == 0)
        reader->per_listener = is_true(value);
    else if (strcmp(word, "set_tcp_nodelay") == 0)
        reader->conf->tcp_nodelay = is_true(value);
    else if (strcmp(word, "protocol") == 0)
        count_protocol(reader, value);
    else if (strcmp(word, "include_dir") == 0 && !reader->in_include)
        return read_directory(reader, value, place, diag);
    for (size_t i = 0; i < sizeof tls_words / sizeof tls_words[0]; i++) {
        if (strcmp(word, tls_words[i]) == 0)
            return take_tls_file(reader, tls_words[i], value, place, diag);
    }
    return OC_OK;
}

/* As Mosquitto does: a comment begins with '#' at the line's start, the word ends at a space, and white
 * space behind the value belongs to it (behind a plugin's path, from 2.1 on). */
static oc_err_t split_line(reader_t *reader, char *line, const oc_conf_place_t *place,
                           oc_diag_t *diag)
{
    char *value;
    size_t len = strlen(line);

    while (len > 0 && strchr("\r\n", line[len - 1]))
        line[--len] = '\0';
    line += strspn(line, " ");
    if (*line == '#' || *line == '\0')
        return OC_OK;
    value = line + strcspn(line, " ");
    if (*value)
        *value++ = '\0';
    value += strspn(value, " \t");
    return take_line(reader, line, value, place, diag);
}

static oc_err_t read_file(reader_t *reader, const char *path, oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) unsigned char *bytes = NULL;
    OC_CLEANUP(oc_freep) char *file = strdup(path);
    oc_conf_place_t place = {file, 0};
    size_t len = 0;
    char *line;
    char *rest;
    struct stat st;
    /* Options belong to a plugin line of the same file. */
    const reader_t outer = *reader;
    oc_err_t err;

    /* An empty one is nothing to complain of here. */
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
        return OC_OK;
    err = oc_file_read(path, CONF_MAX_BYTES, &bytes, &len, diag);
    if (!err && !file)
        err = nomem(diag);
    if (err)
        return err;
    reader->current = NULL;
    reader->any_plugin = false;
    if (memchr(bytes, '\0', len))
        reader->problem(reader->context, &place,
                        "holds a NUL byte; what follows it is not read here");
    rest = (char *)bytes;
    while (!err && (line = strsep(&rest, "\n"))) {
        place.line++;
        err = split_line(reader, line, &place, diag);
    }
    reader->current = outer.current;
    reader->any_plugin = outer.any_plugin;
    return err;
}

oc_err_t oc_conf_read(const char *path, oc_conf_problem_t problem, void *context,
                      oc_conf_t *ret_conf, oc_diag_t *diag)
{
    reader_t reader = {.conf = ret_conf, .problem = problem, .context = context};

    *ret_conf = (oc_conf_t){0};
    return read_file(&reader, path, diag);
}

void oc_conf_done(oc_conf_t *conf)
{
    for (size_t i = 0; i < conf->plugin_count; i++) {
        oc_conf_plugin_t *plugin = conf->plugins[i];

        for (size_t at = 0; at < plugin->option_count; at++) {
            free((char *)plugin->options[at].name);
            free((char *)plugin->options[at].value);
            free(plugin->places[at].file);
        }
        free(plugin->path);
        free(plugin->place.file);
        free(plugin);
    }
    for (size_t i = 0; i < conf->tls_file_count; i++) {
        free(conf->tls_files[i].path);
        free(conf->tls_files[i].place.file);
    }
    free(conf->last_listener.file);
    free(conf->user);
    *conf = (oc_conf_t){0};
}

/* SPDX-License-Identifier: MIT */
#ifndef OC_CONF_FILE_H
#define OC_CONF_FILE_H

/* Reads the parts of a mosquitto.conf that concern the plugin: each line that loads the plugin, and
 * its plugin_opt_* lines. Reads them as Mosquitto does, and follows include_dir. */

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "options.h"

#define OC_CONF_OPTIONS_MAX 256
#define OC_CONF_PLUGINS_MAX 256
#define OC_CONF_TLS_FILES_MAX 1024
#define OC_CONF_LOADS_MAX 1024

typedef struct oc_conf_place {
    char *file;
    unsigned line; /* from 1 */
} oc_conf_place_t;

/* For `persistence true` beside `non_jwt_clients defer`. */
#define OC_PERSISTENCE_WARNING                                                                     \
    "with 'persistence true' and 'non_jwt_clients defer', Mosquitto before 2.0.16 writes its "     \
    "memory, tokens included, into mosquitto.db; upgrade it, or do without one of the two"

/* One `plugin …/mosquitto_orgcast.so`. */
typedef struct oc_conf_plugin {
    char *path;
    oc_conf_place_t place;
    oc_option_t options[OC_CONF_OPTIONS_MAX]; /* strings owned here */
    oc_conf_place_t places[OC_CONF_OPTIONS_MAX];
    size_t option_count;
} oc_conf_plugin_t;

/* A line that loads a plugin, this one or another. */
typedef struct oc_conf_load {
    const char *option; /* the line's first word */
    char *path;
    oc_conf_place_t place;
    bool is_orgcast;
    bool is_global; /* the broker asks the plugin about the clients of all listeners */
} oc_conf_load_t;

/* A file of a listener's TLS. */
typedef struct oc_conf_tls_file {
    const char *option; /* certfile, keyfile or cafile */
    char *path;
    oc_conf_place_t place;
} oc_conf_tls_file_t;

/* Called for each problem found here at which Mosquitto itself would stop. */
typedef void (*oc_conf_problem_t)(void *context, const oc_conf_place_t *place, const char *message);

typedef struct oc_conf {
    oc_conf_plugin_t *plugins[OC_CONF_PLUGINS_MAX];
    size_t plugin_count;
    oc_conf_load_t loads[OC_CONF_LOADS_MAX]; /* in the order of the lines */
    size_t load_count;
    bool per_listener;
    size_t listeners;
    size_t websockets_listeners;
    oc_conf_place_t last_listener;
    char *user; /* the user that Mosquitto becomes when root starts it; NULL: no `user` line */
    bool tcp_nodelay;
    bool persistence;
    oc_conf_tls_file_t tls_files[OC_CONF_TLS_FILES_MAX];
    size_t tls_file_count;
} oc_conf_t;

/* Read a configuration file. OC_E_IO with the cause in diag when a file cannot be read; ret_conf
 * then has the lines before that. The caller calls oc_conf_done() in any case. */
OC_MUST_CHECK oc_err_t oc_conf_read(const char *path, oc_conf_problem_t problem, void *context,
                                    oc_conf_t *ret_conf, oc_diag_t *diag);
void oc_conf_done(oc_conf_t *conf);

#endif

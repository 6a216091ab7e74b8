/* SPDX-License-Identifier: MIT */
#ifndef OC_CONF_FILE_H
#define OC_CONF_FILE_H

/* The parts of a mosquitto.conf that concern the plugin: each line that loads it, with its
 * plugin_opt_* lines, read as Mosquitto reads them, include_dir followed. */

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "options.h"

#define OC_CONF_OPTIONS_MAX 256
#define OC_CONF_PLUGINS_MAX 16
#define OC_CONF_TLS_FILES_MAX 64

typedef struct oc_conf_place {
    char *file;
    unsigned line; /* from 1 */
} oc_conf_place_t;

/* One `plugin …/mosquitto_orgcast.so`. */
typedef struct oc_conf_plugin {
    char *path;
    oc_conf_place_t place;
    oc_option_t options[OC_CONF_OPTIONS_MAX]; /* strings owned here */
    oc_conf_place_t places[OC_CONF_OPTIONS_MAX];
    size_t option_count;
    bool behind_dynamic_security; /* whose line comes before this one's */
} oc_conf_plugin_t;

/* A file of a listener's TLS. */
typedef struct oc_conf_tls_file {
    const char *option; /* certfile, keyfile or cafile */
    char *path;
    oc_conf_place_t place;
} oc_conf_tls_file_t;

/* Told of each thing that Mosquitto itself would stop at, as far as it is looked at here. */
typedef void (*oc_conf_problem_t)(void *context, const oc_conf_place_t *place, const char *message);

typedef struct cli_conf {
    oc_conf_plugin_t *plugins[OC_CONF_PLUGINS_MAX];
    size_t plugin_count;
    size_t listeners;
    size_t websockets_listeners;
    oc_conf_place_t last_listener;
    char *user; /* whom Mosquitto becomes when root starts it; NULL: not said */
    bool tcp_nodelay;
    oc_conf_tls_file_t tls_files[OC_CONF_TLS_FILES_MAX];
    size_t tls_file_count;
} oc_conf_t;

/* Read a configuration file. OC_E_IO with the cause in diag when a file cannot be read; what was read
 * until then stays in ret_conf, which the caller ends with oc_conf_done() in any case. */
OC_MUST_CHECK oc_err_t oc_conf_read(const char *path, oc_conf_problem_t problem, void *context,
                                    oc_conf_t *ret_conf, oc_diag_t *diag);
void oc_conf_done(oc_conf_t *conf);

#endif

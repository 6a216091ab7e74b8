/* SPDX-License-Identifier: MIT */
#ifndef OC_CONF_FILE_H
#define OC_CONF_FILE_H

/* The parts of a mosquitto.conf that concern the plugin: each line that loads it, with its
 * plugin_opt_* lines, read as Mosquitto reads them, include_dir followed. */

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "options.h"

#define CLI_CONF_OPTIONS_MAX 256
#define CLI_CONF_PLUGINS_MAX 16
#define CLI_CONF_TLS_FILES_MAX 64

typedef struct cli_conf_place {
    char *file;
    unsigned line; /* from 1 */
} cli_conf_place_t;

/* One `plugin …/mosquitto_orgcast.so`. */
typedef struct cli_conf_plugin {
    char *path;
    cli_conf_place_t place;
    oc_option_t options[CLI_CONF_OPTIONS_MAX]; /* strings owned here */
    cli_conf_place_t places[CLI_CONF_OPTIONS_MAX];
    size_t option_count;
    bool behind_dynamic_security; /* whose line comes before this one's */
} cli_conf_plugin_t;

/* A file of a listener's TLS. */
typedef struct cli_conf_tls_file {
    const char *option; /* certfile, keyfile or cafile */
    char *path;
    cli_conf_place_t place;
} cli_conf_tls_file_t;

/* Told of each thing that Mosquitto itself would stop at, as far as it is looked at here. */
typedef void (*cli_conf_problem_t)(void *context, const cli_conf_place_t *place,
                                   const char *message);

typedef struct cli_conf {
    cli_conf_plugin_t *plugins[CLI_CONF_PLUGINS_MAX];
    size_t plugin_count;
    size_t listeners;
    size_t websockets_listeners;
    cli_conf_place_t last_listener;
    char *user; /* whom Mosquitto becomes when root starts it; NULL: not said */
    bool tcp_nodelay;
    cli_conf_tls_file_t tls_files[CLI_CONF_TLS_FILES_MAX];
    size_t tls_file_count;
} cli_conf_t;

/* Read a configuration file. OC_E_IO with the cause in diag when a file cannot be read; what was read
 * until then stays in ret_conf, which the caller ends with cli_conf_done() in any case. */
OC_MUST_CHECK oc_err_t cli_conf_read(const char *path, cli_conf_problem_t problem, void *context,
                                     cli_conf_t *ret_conf, oc_diag_t *diag);
void cli_conf_done(cli_conf_t *conf);

#endif

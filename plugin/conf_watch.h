/* SPDX-License-Identifier: MIT */
#ifndef OC_CONF_WATCH_H
#define OC_CONF_WATCH_H

/* What mosquitto.conf said at the start, and which plugin_opt_ lines have changed since. Mosquitto
 * reads these lines at a start only and does not pass them on at SIGHUP, so the plugin reads the file
 * itself. */

#include <stdbool.h>
#include <stddef.h>

#include "conf_file.h"
#include "err.h"

typedef struct oc_conf_watch oc_conf_watch_t;

/* The file that this process was told to read (mosquitto -c). False when there is none, or more than one. */
bool oc_conf_watch_path(char *out, size_t cap);

/* Reads a file and remembers it. NULL, with the cause in diag, when a part of it cannot be read or memory is out. */
oc_conf_watch_t *oc_conf_watch_new(const char *path, oc_diag_t *diag);
/* What the file said at the start. Borrowed. */
const oc_conf_t *oc_conf_watch_conf(const oc_conf_watch_t *watch);
/* NULL is accepted. */
void oc_conf_watch_free(oc_conf_watch_t *watch);

/* Read the file again. ret_names: the options whose lines differ, "plugin_opt_a, plugin_opt_b"; ""
 * when none does. A list that does not fit ends in "…". OC_E_IO with the cause in diag. */
OC_MUST_CHECK oc_err_t oc_conf_watch_compare(const oc_conf_watch_t *watch, char *ret_names,
                                             size_t cap, oc_diag_t *diag);

#endif

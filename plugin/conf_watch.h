/* SPDX-License-Identifier: MIT */
#ifndef OC_CONF_WATCH_H
#define OC_CONF_WATCH_H

/* Which plugin_opt_ lines of mosquitto.conf have changed since the start. Mosquitto reads them at a start only and
 * does not pass them on at SIGHUP, so the file is read here. */

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

typedef struct oc_conf_watch oc_conf_watch_t;

/* The file that this process was told to read (mosquitto -c). False when there is none. */
bool oc_conf_watch_path(char *out, size_t cap);

/* Remember the options of a file. NULL when it cannot be read, or when out of memory. */
oc_conf_watch_t *oc_conf_watch_new(const char *path);
/* NULL is accepted. */
void oc_conf_watch_free(oc_conf_watch_t *watch);

/* Read the file again. ret_names: the options whose lines differ, "plugin_opt_a, plugin_opt_b"; "" when none does.
 * A list that does not fit ends in "…". OC_E_IO with the cause in diag. */
OC_MUST_CHECK oc_err_t oc_conf_watch_compare(const oc_conf_watch_t *watch, char *ret_names,
                                             size_t cap, oc_diag_t *diag);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_PLUGIN_ORDER_H
#define OC_PLUGIN_ORDER_H

/* Which plugins the broker asks before Orgcast. One that is asked first grants by username, and a
 * token's subject becomes the username. The broker asks plugins in the order in which it loads them.
 * But Mosquitto 2.1 asks those for all listeners before those of one listener. */

#include <stdbool.h>

#include "conf_file.h"

/* Whether a plugin may be asked before Orgcast, because it never grants anything.
 * path: of its file */
bool oc_plugin_may_be_first(const char *path);

/* Finds a line because of which Mosquitto 2.1 asks something else before Orgcast, whatever the order
 * of the lines. Borrowed. NULL: there is none. */
const oc_conf_load_t *oc_conf_asked_late(const oc_conf_t *conf);
/* Writes what is wrong with that line, without its place, and what to do. */
void oc_conf_asked_late_text(const oc_conf_load_t *line, char *out, size_t cap);

#endif

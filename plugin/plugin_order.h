/* SPDX-License-Identifier: MIT */
#ifndef OC_PLUGIN_ORDER_H
#define OC_PLUGIN_ORDER_H

/* Which plugins the broker asks before Orgcast. One that is asked first grants by username, and a token's subject becomes
 * the username. The broker asks plugins in the order in which it loads them. But Mosquitto 2.1 asks those for all listeners
 * before those of one listener. */

#include <stdbool.h>

#include "conf_file.h"

/* Whether a plugin may be asked before Orgcast, because it never grants anything.
 * path: of its file */
bool oc_plugin_may_be_first(const char *path);

/* Finds a line for all listeners that the broker asks before Orgcast, because Orgcast belongs to single listeners.
 * Borrowed. NULL: there is none. */
const oc_conf_authenticator_t *oc_conf_asked_first(const oc_conf_t *conf);
/* Writes what is wrong with that line, without its place, and what to do. */
void oc_conf_asked_first_text(const oc_conf_authenticator_t *line, char *out, size_t cap);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_PLUGIN_ORDER_H
#define OC_PLUGIN_ORDER_H

/* The broker asks plugins in the order of their lines in mosquitto.conf. One that stands before Orgcast answers first, by
 * username, and a token's subject becomes the username. */

#include <stdbool.h>

/* Whether a plugin may stand before Orgcast, since it grants nothing to anybody.
 * path: of its file */
bool oc_plugin_may_be_first(const char *path);

#endif

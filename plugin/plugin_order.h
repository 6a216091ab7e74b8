/* SPDX-License-Identifier: MIT */
#ifndef OC_PLUGIN_ORDER_H
#define OC_PLUGIN_ORDER_H

/* The broker asks plugins in the order of their lines in mosquitto.conf. A plugin before Orgcast
 * answers first. It decides by username, and a token's subject becomes the username. */

#include <stdbool.h>

/* Whether a plugin may come before Orgcast, because it grants nothing to anybody.
 * path: the plugin's file */
bool oc_plugin_may_be_first(const char *path);

#endif

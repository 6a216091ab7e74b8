/* SPDX-License-Identifier: MIT */
#ifndef FAKE_BROKER_H
#define FAKE_BROKER_H

/* The broker's side of plugin API v5, as far as the plugin uses it, in one process: for measuring the
 * shipped plugin's callbacks without a network. What the plugin does with a real broker is what
 * tests/integration shows. */

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <stdbool.h>

struct mosquitto {
    char id[64];
    char address[64];
    char username[64];
    bool clean_session;
};

/* Load the plugin and initialize it; ends the program with a message when that fails. */
void fake_broker_start(const char *plugin_path, struct mosquitto_opt *options, int option_count);
void fake_broker_stop(void);

int fake_broker_connect(struct mosquitto *client, char *password);
int fake_broker_check(struct mosquitto *client, int access, const char *topic);
int fake_broker_disconnect(struct mosquitto *client);
int fake_broker_tick(void);

#endif

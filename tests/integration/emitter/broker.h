/* SPDX-License-Identifier: MIT */
#ifndef BROKER_H
#define BROKER_H

/* A real Mosquitto for a C test: $MOSQUITTO or /usr/sbin/mosquitto, on a free port of 127.0.0.1, with
 * a folder of its own. It dies with the test. Every function fails the test when it cannot do its
 * work. */

#include <sys/types.h>

typedef struct broker {
    pid_t pid; /* 0: not running */
    int log;   /* what it writes, from its start on */
    int port;  /* the same over restarts */
    char dir[32];
} broker_t;

/* Make the folder and choose the port; nothing runs yet. */
void broker_init(broker_t *broker);

/* Write a file into its folder and return the path, which stays valid until the next call. */
const char *broker_file(broker_t *broker, const char *name, const char *text);

/* Start it with these lines of configuration after the listener's, and wait until it listens. */
void broker_start(broker_t *broker, const char *lines);

/* SIGKILL: no goodbye to anybody. */
void broker_kill(broker_t *broker);

/* Stop it and remove the folder. */
void broker_done(broker_t *broker);

#endif

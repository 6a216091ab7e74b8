/* SPDX-License-Identifier: MIT */
#ifndef STREAM_BROKER_H
#define STREAM_BROKER_H

/* The brokers that bench/stream compares, in a folder of their own under /tmp. Both go away with this
 * program, however it ends. */

#include <stdbool.h>
#include <stddef.h>

#define BROKER_SECRET "a secret of the bench program, of 48 bytes or so"

/* Print what is wrong, and end with 1. */
__attribute__((format(printf, 1, 2))) _Noreturn void die(const char *format, ...);

/* Begin: the folder, and what takes it away again. */
void brokers_prepare(void);

/* Start one of two and wait until it listens; gives its number.
 * name    of its files
 * plugin  NULL: it lets anybody in */
size_t broker_start(const char *name, const char *mosquitto, const char *plugin);

/* Stop all that were started. */
void brokers_stop(void);

/* On the loopback. */
int broker_port(size_t number);

/* The processor time that all threads of it have had. */
double broker_cpu_ns(size_t number);

#endif

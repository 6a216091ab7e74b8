/* SPDX-License-Identifier: MIT */
#ifndef OOM_H
#define OOM_H

/* Allocations that fail when told to. A program with it is linked with -Wl,--wrap (orgcast_oom_test() in
 * tests/unit/CMakeLists.txt), so that the modules' own calls, jansson's and OpenSSL's arrive here. */

#include <check.h>
#include <stdbool.h>

/* Of the thread that the test is in: one that fetches has memory. */
typedef struct oom_memory {
    bool armed;    /* count and fail; off while the test itself works */
    bool for_good; /* all from the failing one on */
    long count;    /* since armed */
    long fail_at;  /* -1: none */
    long failed;
} oom_memory_t;

extern _Thread_local oom_memory_t oom_memory;

/* At the beginning of main(), before anything of OpenSSL's or jansson's is allocated. */
void oom_install(void);

void oom_arm(long fail_at, bool for_good);
void oom_disarm(void);

/* Run `body` with each of its allocations failing, in both ways; body sees whether one has to fail. */
void oom_each_allocation(const char *name, void (*body)(bool failing));

/* Where body is: a failure's message says which allocation it was. */
#define WANT(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            oom_disarm();                                                                          \
            ck_abort_msg("allocation %ld, %s: " #condition, oom_memory.fail_at,                    \
                         oom_memory.for_good ? "for good" : "once");                               \
        }                                                                                          \
    } while (0)

#endif

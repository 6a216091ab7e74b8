/* SPDX-License-Identifier: MIT */
#ifndef PEER_H
#define PEER_H

/* What no honest broker does on demand: a listener on 127.0.0.1 that answers by a script. */

#include <pthread.h>
#include <stddef.h>

/* Bytes to send when a packet has come in, possibly none; NULL ends the connection. */
typedef struct peer_answer {
    const char *bytes;
    size_t len;
} peer_answer_t;

#define PEER_BYTES(literal)                                                                        \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#define PEER_CLOSE                                                                                 \
    {                                                                                              \
        NULL, 0                                                                                    \
    }
#define PEER_RESET                                                                                 \
    {                                                                                              \
        NULL, 1                                                                                    \
    } /* the same, by a TCP reset */
#define PEER_CONNECTIONS 2
#define PEER_ANSWERS 4

/* The connections, one after the other, and the answers within each. */
typedef struct peer {
    peer_answer_t script[PEER_CONNECTIONS][PEER_ANSWERS];
    int port;
    int listener;
    pthread_t thread;
} peer_t;

/* Fails the test when it cannot listen. */
void peer_start(peer_t *peer);

/* When the other side has closed its connection. */
void peer_stop(peer_t *peer);

#endif

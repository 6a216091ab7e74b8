/* SPDX-License-Identifier: MIT */
#ifndef OC_METRICS_ADDRESS_H
#define OC_METRICS_ADDRESS_H

/* The ADDRESS:PORT of metrics_listen. */

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "err.h"

typedef struct oc_metrics_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
    socklen_t socket_len;
    bool loopback;    /* only programs on this machine reach it */
    bool unspecified; /* every address of this machine */
} oc_metrics_address_t;

/* "127.0.0.1:9464", "[::1]:9464", "localhost:9464"; "9464" alone is port 9464 of 127.0.0.1. Names
 * are not looked up. Port 0: the kernel chooses. OC_E_CONFIG with the cause and the fix in diag. */
OC_MUST_CHECK oc_err_t oc_metrics_address_parse(const char *text, oc_metrics_address_t *ret_address,
                                                oc_diag_t *diag);

/* Whether the value of a Host header, its port included, names this machine by a number or as localhost. */
bool oc_metrics_host_numeric(const char *host);

#endif

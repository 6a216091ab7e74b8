/* SPDX-License-Identifier: MIT */
#ifndef OC_METRICS_HTTP_H
#define OC_METRICS_HTTP_H

/* The endpoint that Prometheus reads, on a thread of its own. A page is rendered when somebody asks for one:
 * the asking waits, on its thread, until the broker's thread hands a page over. The broker's thread waits for
 * nobody. Plain HTTP; who needs TLS or passwords puts a reverse proxy before it. */

#include <stdbool.h>

#include "err.h"

typedef struct oc_metrics_http oc_metrics_http_t;

/* Listen and start the thread. address_port: as oc_metrics_address_parse() says. OC_E_CONFIG when
 * the address is wrong or not available, with the cause and the fix in diag; OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_metrics_http_start(const char *address_port, oc_metrics_http_t **ret_http,
                                             oc_diag_t *diag);

/* End the thread and every connection. NULL is accepted. */
void oc_metrics_http_stop(oc_metrics_http_t *http);

/* "http://127.0.0.1:9464/metrics", owned by http. */
const char *oc_metrics_http_url(const oc_metrics_http_t *http);

/* Somebody waits for a page: hand one over, soon. At most once a second, however many ask. Ask it in each
 * tick: it is one load from memory. */
bool oc_metrics_http_wanted(const oc_metrics_http_t *http);

/* Hand over a page, malloc'd; it is taken, whatever happens. The lock that this takes is never held while
 * anything is waited for, written or rendered. */
void oc_metrics_http_publish(oc_metrics_http_t *http, char *page);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_JWKS_URL_H
#define OC_JWKS_URL_H

/* Which URLs a key set may come from. */

#include <stdbool.h>

/* https, or http to 127.0.0.0/8, [::1] or localhost; without user and password. */
bool oc_jwks_url_allowed(const char *url);

/* True when both have the same scheme, host and port: where a redirect may lead. */
bool oc_jwks_url_same_origin(const char *a, const char *b);

/* The URL as messages show it: without its query, which may hold a secret, and cut where it does not fit.
 * Returns out. */
#define OC_JWKS_URL_SHOWN_MAX 160
char *oc_jwks_url_shown(const char *url, char out[static OC_JWKS_URL_SHOWN_MAX]);

#endif

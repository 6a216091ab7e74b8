/* SPDX-License-Identifier: MIT */
#ifndef OC_KEYRING_H
#define OC_KEYRING_H

/* The keys that tokens are checked with now: those of files, and of each jwks_url the newest set. A set
 * is swapped whole, between two of the broker's callbacks. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "key.h"
#include "options.h"

typedef struct oc_keyring oc_keyring_t;

/* Where lines for the log go; called from inside the functions below. */
typedef void (*oc_keyring_log_t)(void *context, bool error, const char *message);

/* Load the key files and the cached sets, and start fetching.
 * config: borrowed until oc_keyring_free()
 * Errors: OC_E_CONFIG with "plugin_opt_NAME: cause" in diag, OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_keyring_new(const oc_config_t *config, oc_keyring_log_t log,
                                      void *context, oc_keyring_t **ret_ring, oc_diag_t *diag);
void oc_keyring_free(oc_keyring_t *ring);

/* Read the key files again, and have every set fetched again; on error the old keys stay. */
OC_MUST_CHECK oc_err_t oc_keyring_reload(oc_keyring_t *ring, oc_diag_t *diag);

/* Take over the sets fetched meanwhile, and log the fetchers' lines. Does not wait. True when the
 * keys changed. */
bool oc_keyring_poll(oc_keyring_t *ring);

/* Time of day of the last successful fetch. With several URLs, that of the URL whose last fetch is
 * the oldest; 0 as long as a URL has never answered. False without a jwks_url. */
bool oc_keyring_fetched(const oc_keyring_t *ring, int64_t *ret_fetched_s);

/* True when every jwks_url has brought a set; one from the cache does not count. */
bool oc_keyring_complete(const oc_keyring_t *ring);

/* Why no key fits a token. */
typedef enum oc_key_miss {
    OC_KEY_ABSENT = 0, /* the key sets were fetched after the first such token, and lack the key */
    OC_KEY_FIRST,      /* the first such token; a fetch begins now or within 10 seconds */
    OC_KEY_AWAITED,    /* another such token, while the fetch has no answer yet */
} oc_key_miss_t;

/* Report that no key fits a token's algorithm and key id (NULL: none). Makes the threads fetch the
 * key sets. */
oc_key_miss_t oc_keyring_miss(oc_keyring_t *ring, oc_alg_t alg, const char *kid, int64_t now_s);

/* The algorithms that a token may be signed with: jwt_algorithms, or else those that the keys
 * allow. With a jwks_url they include every algorithm of public keys, since the next set is
 * unknown. A token with such an algorithm is then refused for its key, and that brings the next
 * fetch forward. */
oc_alg_set_t oc_keyring_algs(const oc_keyring_t *ring);

/* All keys. Borrowed until the next reload or poll. */
const oc_keyset_t *oc_keyring_keys(const oc_keyring_t *ring);

#endif

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

/* Take over what was fetched meanwhile, and pass on the fetchers' lines. Does not wait. True when the
 * keys changed. */
bool oc_keyring_poll(oc_keyring_t *ring);

/* Time of day of the last successful fetch, of several URLs the oldest; 0 while a URL never answered. False
 * without a jwks_url. */
bool oc_keyring_fetched(const oc_keyring_t *ring, int64_t *ret_fetched_s);

/* True when every jwks_url has brought a set; one from the cache does not count. */
bool oc_keyring_complete(const oc_keyring_t *ring);

/* What it means that no key fits a token. */
typedef enum oc_key_miss {
    OC_KEY_ABSENT = 0, /* the key sets were fetched since the first such token, and no key came */
    OC_KEY_FIRST,      /* the first such token; the key sets are fetched now or within 10 seconds */
    OC_KEY_AWAITED,    /* another such token while the fetch has no answer yet */
} oc_key_miss_t;

/* No key fits a token's algorithm and key id (NULL: it has none). Has the key sets fetched. */
oc_key_miss_t oc_keyring_miss(oc_keyring_t *ring, oc_alg_t alg, const char *kid, int64_t now_s);

/* The algorithms that a token may be signed with: jwt_algorithms, or else what the keys allow. What a
 * jwks_url brings next is not known, so with one every algorithm of public keys is among them: such a
 * token is then refused for its key, which is a reason to look sooner. */
oc_alg_set_t oc_keyring_algs(const oc_keyring_t *ring);

/* All keys. Borrowed until the next reload or poll. */
const oc_keyset_t *oc_keyring_keys(const oc_keyring_t *ring);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_TOKEN_CACHE_H
#define OC_TOKEN_CACHE_H

/* Tokens that verified before, so that a client which comes back costs a hash and a lookup. An entry
 * says that the signature and the claims were good under the keys and the configuration of now; times
 * and revocations are for the caller to look at each time. Emptied when keys change. One thread. */

#include <stdint.h>

#include "identity.h"

typedef struct oc_token_cache oc_token_cache_t;

/* NULL when out of memory. */
oc_token_cache_t *oc_token_cache_new(void);
void oc_token_cache_free(oc_token_cache_t *cache);

/* Borrowed identity of the token with this SHA-256, or NULL. */
oc_identity_t *oc_token_cache_get(oc_token_cache_t *cache,
                                  const unsigned char hash[static OC_TOKEN_HASH_LEN]);

/* Remember; takes a reference of its own. May push out another entry. */
void oc_token_cache_put(oc_token_cache_t *cache, const unsigned char hash[static OC_TOKEN_HASH_LEN],
                        oc_identity_t *identity);

void oc_token_cache_clear(oc_token_cache_t *cache);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef TEST_JWKS_H
#define TEST_JWKS_H

/* Key sets for tests, made of test_keys. A failure in here ends the program. */

#include <jansson.h>

#include "test_keys.h"

/* The public JWK of a key (RFC 7517), or the secret's; new, without any member that is optional. */
json_t *test_jwk(enum test_key which);
/* The same with a key id. */
json_t *test_jwk_named(enum test_key which, const char *kid);

/* The text of {"keys":[…]}, of up to three JWKs, which are taken; later ones may be NULL. The caller
 * frees it. */
char *test_jwks(json_t *one, json_t *two, json_t *three);

#endif

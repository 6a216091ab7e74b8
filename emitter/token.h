/* SPDX-License-Identifier: MIT */
#ifndef OC_TOKEN_H
#define OC_TOKEN_H

/* Where the emitter's tokens come from: one of the four sources of orgcast_emitter_options_t, or
 * none. */

#include <stdint.h>

#include <orgcast/emitter.h>

/* Longest token: an MQTT password (MQTT 5 §1.5.6). */
#define OC_TOKEN_MAX 65535

typedef struct oc_token_source {
    char *token;
    char *token_file;
    char *(*token_fn)(void *context);
    void *context;
    char *signing_key_file;
    char *algorithm;
    char *key_id;
    char *subject;
    char *issuer;
    char *audience;
    char *organization_id;
    char *scope;
    int64_t lifetime_s;
} oc_token_source_t;

/* Copies what it needs. With a signing key one token is minted and thrown away, so that a key that
 * cannot sign is found here and not at the first connect. ORGCAST_E_INVALID, _IO, _NOMEM. */
ORGCAST_MUST_CHECK orgcast_err_t oc_token_source_init(oc_token_source_t *source,
                                                      const orgcast_emitter_options_t *options,
                                                      int64_t now_s, orgcast_diag_t *diag);
void oc_token_source_done(oc_token_source_t *source);

/* A fresh token: release it with oc_token_free(). *ret_token is NULL when there is no source.
 * ORGCAST_E_TOKEN and the cause: none now. diag never holds bytes of a token or key. */
ORGCAST_MUST_CHECK orgcast_err_t oc_token_source_get(const oc_token_source_t *source, int64_t now_s,
                                                     char **ret_token, orgcast_diag_t *diag);

/* When the token ends (RFC 7519 §4.1.4), by its own word: the signature is not looked at. 0: no JWT,
 * or it does not say. NULL is accepted. */
int64_t oc_token_expires_s(const char *token);

/* Wipes it first. NULL is accepted. */
void oc_token_free(char *token);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_JWKS_FETCH_H
#define OC_JWKS_FETCH_H

/* One jwks_url and the thread that fetches it. The broker's thread takes finished key sets and lines
 * to log; it never waits for the fetching thread, and the thread touches nothing of the broker's. */

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "key.h"

#define OC_FETCH_MESSAGE_MAX 512

typedef struct oc_fetch oc_fetch_t;

typedef struct oc_fetch_options {
    const char *url;
    const char *ca_file;    /* NULL: the system's */
    const char *cache_file; /* NULL: none */
    int64_t refresh_s;
    int64_t wish_interval_ms; /* least time between two fetches for wishes */
} oc_fetch_options_t;

/* Start the thread, which fetches at once and then every refresh_s seconds (after a failure sooner).
 * options: the strings are borrowed until oc_fetch_stop(). */
OC_MUST_CHECK oc_err_t oc_fetch_start(const oc_fetch_options_t *options, oc_fetch_t **ret_fetch,
                                      oc_diag_t *diag);

/* End the thread, whatever it is waiting for. NULL is accepted. */
void oc_fetch_stop(oc_fetch_t *fetch);

/* The newest set that was fetched and not taken yet; *ret_keys then belongs to the caller. False when
 * there is none. Does not wait. */
bool oc_fetch_take(oc_fetch_t *fetch, oc_keyset_t *ret_keys);

/* Wish for a fetch that begins after this call. It begins at once, or wish_interval_ms after the last fetch for
 * a wish. wish: a number above that of the last wish */
void oc_fetch_wish(oc_fetch_t *fetch, uint64_t wish);

/* True when a fetch has begun since the wish. */
bool oc_fetch_begun(const oc_fetch_t *fetch, uint64_t wish);

/* The newest wish for which a fetch brought a good document; 0: none. Its set is ready for oc_fetch_take(). */
uint64_t oc_fetch_answered(const oc_fetch_t *fetch);

/* Time of day of the last fetch that brought a good document, changed or not; 0: none did yet. */
int64_t oc_fetch_fetched_s(const oc_fetch_t *fetch);

/* Fetch the set now. */
void oc_fetch_now(oc_fetch_t *fetch);

/* The next line for the log; false when there is none. Does not wait. ret_error: it reports a
 * failure. */
bool oc_fetch_message(oc_fetch_t *fetch, char ret_message[static OC_FETCH_MESSAGE_MAX],
                      bool *ret_error);

#endif

/* SPDX-License-Identifier: MIT */
#include "keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jwk.h"
#include "jwks_cache.h"
#include "jwks_fetch.h"
#include "jwks_url.h"
#include "mem.h"
#include "name_table.h"
#include "utf8.h"

#define SECRET_ALGS (OC_ALG_BIT(OC_ALG_HS256) | OC_ALG_BIT(OC_ALG_HS384) | OC_ALG_BIT(OC_ALG_HS512))

/* Least time between two fetches for unknown key ids. */
#define WISH_INTERVAL_MS 10000

/* Unknown key ids to remember, and for how long after the last token that named one. */
#define MISSES_MAX 256
#define MISS_MEMORY_S 600

typedef struct url_keys {
    oc_keyset_t keys;
    bool fetched;
    uint64_t answered; /* the newest wish that the keys answer */
    oc_fetch_t *fetch;
} url_keys_t;

/* A key id, or an algorithm, that tokens named and no key has. */
typedef struct miss {
    uint64_t name; /* hash; 0: free */
    uint64_t wish; /* answered by fetches that began after the first token */
    int64_t seen_s;
} miss_t;

struct oc_keyring {
    const oc_config_t *config;
    oc_keyring_log_t log;
    void *context;
    oc_keyset_t files;
    url_keys_t urls[OC_OPTION_LIST_MAX];
    oc_keyset_t all; /* shares the keys of the above */
    bool stale;      /* but not of all of them: memory ran out */
    oc_name_key_t name_key;
    uint64_t wish; /* the newest */
    miss_t misses[MISSES_MAX];
};

static void warn(void *context, const char *message)
{
    const oc_keyring_t *ring = context;

    ring->log(ring->context, true, message);
}

static oc_err_t gather(oc_keyring_t *ring, oc_diag_t *diag)
{
    oc_keyset_t all = {0};
    oc_err_t err = oc_keyset_share(&all, &ring->files, diag);

    for (size_t i = 0; i < ring->config->jwks_urls.count && !err; i++)
        err = oc_keyset_share(&all, &ring->urls[i].keys, diag);
    if (err) {
        oc_keyset_done(&all);
        return err;
    }
    oc_keyset_done(&ring->all);
    ring->all = all;
    ring->stale = false;
    return OC_OK;
}

/* One line for a set that arrives: how many keys it has, and their ids as far as they fit. */
static void report_set(const oc_keyring_t *ring, const char *origin, size_t index)
{
    const oc_keyset_t *keys = &ring->urls[index].keys;
    char line[OC_FETCH_MESSAGE_MAX];
    char url[OC_JWKS_URL_SHOWN_MAX];
    int len = snprintf(line, sizeof line, "%s %s: %zu %s", origin,
                       oc_jwks_url_shown(ring->config->jwks_urls.items[index], url), keys->count,
                       keys->count == 1 ? "key" : "keys");

    for (size_t i = 0; i < keys->count; i++) {
        char kid[64] = "without a key id";

        if ((size_t)len + sizeof kid + sizeof ", ..." > sizeof line) {
            (void)snprintf(line + len, sizeof line - (size_t)len, ", ...");
            break;
        }
        if (keys->keys[i]->kid)
            (void)oc_utf8_quote(keys->keys[i]->kid, kid, sizeof kid);
        len += snprintf(line + len, sizeof line - (size_t)len,
                        keys->keys[i]->kid ? "%s '%s'" : "%s %s", i == 0 ? ":" : ",", kid);
    }
    ring->log(ring->context, false, line);
}

static void load_cached(oc_keyring_t *ring, size_t index)
{
    OC_CLEANUP(oc_freep) char *json = NULL;
    const char *url = ring->config->jwks_urls.items[index];
    char shown[OC_JWKS_URL_SHOWN_MAX];
    const oc_jwks_options_t options = {oc_jwks_url_shown(url, shown), false, warn, ring};
    size_t len = 0;
    oc_diag_t diag = {0};
    oc_err_t err = oc_jwks_cache_load(ring->config->jwks_cache_file, url, &json, &len, &diag);

    if (!err)
        err = oc_keyset_add_jwks(&ring->urls[index].keys, json, len, &options, &diag);
    if (err) {
        char line[OC_FETCH_MESSAGE_MAX];

        (void)snprintf(line, sizeof line,
                       "jwks_cache_file: %s; tokens are refused until the set "
                       "is fetched",
                       diag.message);
        ring->log(ring->context, false, line);
        return;
    }
    report_set(ring, "jwks_cache_file for", index);
}

static oc_err_t start(oc_keyring_t *ring, oc_diag_t *diag)
{
    const oc_config_t *config = ring->config;
    oc_err_t err = oc_config_load_keys(config, warn, ring, &ring->files, diag);

    for (size_t i = 0; i < config->jwks_urls.count && !err; i++) {
        const oc_fetch_options_t options = {
            .url = config->jwks_urls.items[i],
            .ca_file = config->jwks_ca_file,
            .cache_file = config->jwks_cache_read_only ? NULL : config->jwks_cache_file,
            .refresh_s = config->jwks_refresh_s,
            .wish_interval_ms = WISH_INTERVAL_MS,
        };

        if (config->jwks_cache_file)
            load_cached(ring, i);
        err = oc_fetch_start(&options, &ring->urls[i].fetch, diag);
    }
    return err ? err : gather(ring, diag);
}

oc_err_t oc_keyring_new(const oc_config_t *config, oc_keyring_log_t log, void *context,
                        oc_keyring_t **ret_ring, oc_diag_t *diag)
{
    oc_keyring_t *ring = calloc(1, sizeof *ring);
    oc_err_t err;

    if (!ring)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    ring->config = config;
    ring->log = log;
    ring->context = context;
    err = oc_name_key_draw(&ring->name_key)
              ? start(ring, diag)
              : oc_fail(diag, OC_E_INTERNAL, "the system has no random bytes");
    if (err) {
        oc_keyring_free(ring);
        return err;
    }
    *ret_ring = ring;
    return OC_OK;
}

void oc_keyring_free(oc_keyring_t *ring)
{
    if (!ring)
        return;
    for (size_t i = 0; i < ring->config->jwks_urls.count; i++) {
        oc_fetch_stop(ring->urls[i].fetch);
        oc_keyset_done(&ring->urls[i].keys);
    }
    oc_keyset_done(&ring->files);
    oc_keyset_done(&ring->all);
    free(ring);
}

oc_err_t oc_keyring_reload(oc_keyring_t *ring, oc_diag_t *diag)
{
    oc_keyset_t files = {0};
    oc_keyset_t old = ring->files;
    oc_err_t err;

    for (size_t i = 0; i < ring->config->jwks_urls.count; i++)
        oc_fetch_now(ring->urls[i].fetch);
    err = oc_config_load_keys(ring->config, warn, ring, &files, diag);
    if (err)
        return err;
    ring->files = files;
    err = gather(ring, diag);
    if (err) {
        ring->files = old;
        old = files;
    }
    oc_keyset_done(&old);
    return err;
}

bool oc_keyring_poll(oc_keyring_t *ring)
{
    char line[OC_FETCH_MESSAGE_MAX];
    bool error;

    for (size_t i = 0; i < ring->config->jwks_urls.count; i++) {
        url_keys_t *url = &ring->urls[i];
        oc_keyset_t fresh;

        while (oc_fetch_message(url->fetch, line, &error))
            ring->log(ring->context, error, line);
        /* Before the set is taken: the other way round the answer could belong to a newer one. */
        url->answered = oc_fetch_answered(url->fetch);
        if (!oc_fetch_take(url->fetch, &fresh))
            continue;
        oc_keyset_done(&url->keys);
        url->keys = fresh;
        url->fetched = true;
        ring->stale = true;
        report_set(ring, "jwks_url", i);
    }
    /* Out of memory here: the keys of before stay until the next poll. */
    return ring->stale && gather(ring, NULL) == OC_OK;
}

bool oc_keyring_complete(const oc_keyring_t *ring)
{
    for (size_t i = 0; i < ring->config->jwks_urls.count; i++) {
        if (!ring->urls[i].fetched)
            return false;
    }
    return true;
}

bool oc_keyring_fetched(const oc_keyring_t *ring, int64_t *ret_fetched_s)
{
    int64_t oldest_s = INT64_MAX;

    for (size_t i = 0; i < ring->config->jwks_urls.count; i++) {
        int64_t fetched_s = oc_fetch_fetched_s(ring->urls[i].fetch);

        if (fetched_s < oldest_s)
            oldest_s = fetched_s;
    }
    if (ring->config->jwks_urls.count == 0)
        return false;
    *ret_fetched_s = oldest_s;
    return true;
}

/* A wish for a fetch of each URL that begins after this call. One that no fetch has begun for serves again. */
static uint64_t wish_for_fetches(oc_keyring_t *ring)
{
    bool begun = false;

    for (size_t i = 0; i < ring->config->jwks_urls.count; i++)
        begun = begun || oc_fetch_begun(ring->urls[i].fetch, ring->wish);
    if (!begun)
        return ring->wish;
    ring->wish++;
    for (size_t i = 0; i < ring->config->jwks_urls.count; i++)
        oc_fetch_wish(ring->urls[i].fetch, ring->wish);
    return ring->wish;
}

static bool is_answered(const oc_keyring_t *ring, uint64_t wish)
{
    for (size_t i = 0; i < ring->config->jwks_urls.count; i++) {
        if (ring->urls[i].answered < wish)
            return false;
    }
    return true;
}

static uint64_t name_of_miss(const oc_keyring_t *ring, oc_alg_t alg, const char *kid)
{
    char name[1 + OC_KID_MAX + 1] = {(char)alg};
    size_t len = kid ? (size_t)snprintf(name + 1, sizeof name - 1, "%s", kid) + 1 : 0;

    return oc_name_hash(&ring->name_key, name, 1 + len) | 1;
}

oc_key_miss_t oc_keyring_miss(oc_keyring_t *ring, oc_alg_t alg, const char *kid, int64_t now_s)
{
    uint64_t name;
    uint64_t wish;
    miss_t *miss;

    /* No set can have a key with a longer id. */
    if (ring->config->jwks_urls.count == 0 || (kid && strlen(kid) > OC_KID_MAX))
        return OC_KEY_ABSENT;
    name = name_of_miss(ring, alg, kid);
    miss = &ring->misses[name >> 56];
    if (miss->name == name && miss->seen_s >= now_s - MISS_MEMORY_S) {
        miss->seen_s = now_s;
        if (!is_answered(ring, miss->wish))
            return OC_KEY_AWAITED;
        /* A provider that signs before it publishes the key still gets asked again. */
        (void)wish_for_fetches(ring);
        return OC_KEY_ABSENT;
    }
    wish = wish_for_fetches(ring);
    *miss = (miss_t){name, wish, now_s};
    return OC_KEY_FIRST;
}

oc_alg_set_t oc_keyring_algs(const oc_keyring_t *ring)
{
    if (ring->config->algorithms)
        return ring->config->algorithms;
    return oc_keyset_algs(&ring->all) |
           (ring->config->jwks_urls.count > 0 ? OC_ALG_ANY & ~SECRET_ALGS : 0);
}

const oc_keyset_t *oc_keyring_keys(const oc_keyring_t *ring)
{
    return &ring->all;
}

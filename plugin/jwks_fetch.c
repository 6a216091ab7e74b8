/* SPDX-License-Identifier: MIT */
#include "jwks_fetch.h"

#include <curl/curl.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "jwk.h"
#include "jwks_cache.h"
#include "jwks_url.h"
#include "mem.h"

#define CONNECT_TIMEOUT_MS 5000L
#define TRANSFER_TIMEOUT_MS 10000L
#define REDIRECTS_MAX 3
/* After a failure the next try comes sooner than after a success, but not in a tight loop. */
#define RETRY_S 10
#define MESSAGES 8

typedef struct message {
    char text[OC_FETCH_MESSAGE_MAX];
    bool error;
} message_t;

typedef struct body {
    char *bytes;
    size_t len;
    bool too_large;
} body_t;

struct oc_fetch {
    oc_fetch_options_t options;
    pthread_t thread;
    CURLM *multi; /* also what the thread sleeps in; curl_multi_wakeup() is for any thread */
    atomic_bool stopping;
    atomic_bool now;           /* fetch at once */
    _Atomic uint64_t wished;   /* the newest wish; only the broker's thread writes it */
    _Atomic uint64_t begun;    /* the newest wish that a fetch has begun for */
    _Atomic uint64_t answered; /* the newest wish that such a fetch brought a good document for */
    _Atomic int64_t fetched_s; /* time of day of the last good document; 0: there was none */
    _Atomic(oc_keyset_t *) fresh; /* whoever swaps it out owns it */

    /* The fetch thread's own. */
    int64_t granted_ms; /* when the last fetch for a wish began */
    body_t last;        /* the document of the last set */
    bool cached;        /* the document is in the cache file */
    bool cache_failing; /* the log has a line about it */

    pthread_mutex_t lock; /* guards what follows; held for a copy, never while waiting */
    message_t messages[MESSAGES];
    size_t message_count;
    size_t left_out; /* lines that found no room */
};

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t time_of_day_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

static void say(oc_fetch_t *fetch, bool error, const char *text)
{
    (void)pthread_mutex_lock(&fetch->lock);
    if (fetch->message_count < MESSAGES) {
        message_t *message = &fetch->messages[fetch->message_count++];

        message->error = error;
        (void)snprintf(message->text, sizeof message->text, "%s", text);
    } else {
        fetch->left_out++;
    }
    (void)pthread_mutex_unlock(&fetch->lock);
}

static void say_skipped(void *context, const char *message)
{
    say(context, true, message);
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    body_t *body = context;
    size_t len = size * count;
    char *bytes;

    if (len > OC_JWKS_MAX_BYTES - body->len) {
        body->too_large = true;
        return 0;
    }
    bytes = realloc(body->bytes, body->len + len + 1);
    if (!bytes)
        return 0;
    memcpy(bytes + body->len, data, len);
    body->bytes = bytes;
    body->len += len;
    return len;
}

static CURL *make_transfer(const oc_fetch_options_t *options, const char *url, body_t *body,
                           char cause[static CURL_ERROR_SIZE])
{
    CURL *easy = curl_easy_init();
    /* Plain HTTP is for this machine, so it is never sent to another one. */
    bool no_proxy = strncasecmp(url, "http:", 5) == 0;

    if (!easy)
        return NULL;
    if (curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http") != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, TRANSFER_TIMEOUT_MS) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, (long)OC_JWKS_MAX_BYTES) != CURLE_OK ||
        (no_proxy && curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") != CURLE_OK) ||
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, cause) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_USERAGENT, "orgcast") != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, body) != CURLE_OK ||
        /* Instead of the system's bundle, and of its folder of certificates too. */
        (options->ca_file &&
         (curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file) != CURLE_OK ||
          curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK))) {
        curl_easy_cleanup(easy);
        return NULL;
    }
    return easy;
}

/* Drive one transfer to its end, or until the thread is to stop. */
static CURLcode drive(oc_fetch_t *fetch, CURL *easy)
{
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;

    if (curl_multi_add_handle(fetch->multi, easy) != CURLM_OK)
        return CURLE_OUT_OF_MEMORY;
    while (running && !atomic_load(&fetch->stopping)) {
        if (curl_multi_perform(fetch->multi, &running) != CURLM_OK)
            break;
        if (running)
            (void)curl_multi_poll(fetch->multi, NULL, 0, 1000, NULL);
    }
    if (!running) {
        int left;
        const CURLMsg *message = curl_multi_info_read(fetch->multi, &left);

        if (message && message->msg == CURLMSG_DONE)
            result = message->data.result;
    }
    (void)curl_multi_remove_handle(fetch->multi, easy);
    return result;
}

/* One request. *ret_next: where a redirect to the same origin leads, to be freed; otherwise NULL. */
static oc_err_t request(oc_fetch_t *fetch, const char *url, body_t *body, char **ret_next,
                        oc_diag_t *diag)
{
    char cause[CURL_ERROR_SIZE] = "";
    CURL *easy = make_transfer(&fetch->options, url, body, cause);
    const char *next = NULL;
    long status = 0;
    oc_err_t err = OC_OK;
    CURLcode result;

    if (!easy)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    result = drive(fetch, easy);
    if (result == CURLE_OK) {
        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &next);
    }
    if (body->too_large || result == CURLE_FILESIZE_EXCEEDED)
        err = oc_fail(diag, OC_E_IO, "the answer is longer than %zu bytes", OC_JWKS_MAX_BYTES);
    else if (result != CURLE_OK)
        err = oc_fail(diag, OC_E_IO, "%s", *cause ? cause : curl_easy_strerror(result));
    else if (next && !oc_jwks_url_same_origin(next, fetch->options.url))
        err = oc_fail(diag, OC_E_IO, "redirected to another host, which is not followed");
    else if (next && !(*ret_next = strdup(next)))
        err = oc_fail(diag, OC_E_NOMEM, "out of memory");
    else if (!next && status != 200)
        err = oc_fail(diag, OC_E_IO, "status %ld", status);
    curl_easy_cleanup(easy);
    ERR_clear_error();
    return err;
}

/* The document at the URL, redirects within its origin followed. */
static oc_err_t download(oc_fetch_t *fetch, body_t *ret_body, oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) char *url = strdup(fetch->options.url);
    oc_err_t err;

    for (int redirects = 0; url; redirects++) {
        char *next = NULL;

        ret_body->len = 0;
        ret_body->too_large = false;
        err = request(fetch, url, ret_body, &next, diag);
        if (err || !next)
            return err;
        free(url);
        url = next;
        if (redirects == REDIRECTS_MAX)
            return oc_fail(diag, OC_E_IO, "more than %d redirects", REDIRECTS_MAX);
    }
    return oc_fail(diag, OC_E_NOMEM, "out of memory");
}

/* Hand a set over; one that was not taken meanwhile is out of date. */
static oc_err_t publish(oc_fetch_t *fetch, oc_keyset_t *keys, oc_diag_t *diag)
{
    oc_keyset_t *box = malloc(sizeof *box);
    oc_keyset_t *older;

    if (!box)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    *box = *keys;
    *keys = (oc_keyset_t){0};
    older = atomic_exchange(&fetch->fresh, box);
    if (older)
        oc_keyset_done(older);
    free(older);
    return OC_OK;
}

/* Put the last document into the cache file, if it is not there. The first of several failures is
 * logged. */
static void keep_document(oc_fetch_t *fetch)
{
    char line[OC_FETCH_MESSAGE_MAX];
    oc_diag_t cause = {0};

    if (!fetch->options.cache_file || fetch->cached)
        return;
    fetch->cached = oc_jwks_cache_store(fetch->options.cache_file, fetch->options.url,
                                        fetch->last.bytes, fetch->last.len, &cause) == OC_OK;
    if (!fetch->cached && !fetch->cache_failing) {
        (void)snprintf(line, sizeof line, "jwks_cache_file: %s; the set is not kept on disk",
                       cause.message);
        say(fetch, true, line);
    }
    fetch->cache_failing = !fetch->cached;
}

/* Make keys of a document that differs from the last one, hand them over and remember it. */
static oc_err_t take_document(oc_fetch_t *fetch, body_t *body, oc_diag_t *diag)
{
    char shown[OC_JWKS_URL_SHOWN_MAX];
    const oc_jwks_options_t options = {oc_jwks_url_shown(fetch->options.url, shown), false,
                                       say_skipped, fetch};
    oc_keyset_t keys = {0};
    oc_err_t err;

    if (body->len > 0 && body->len == fetch->last.len &&
        memcmp(body->bytes, fetch->last.bytes, body->len) == 0)
        return OC_OK;
    err = oc_keyset_add_jwks(&keys, body->bytes ? body->bytes : "", body->len, &options, diag);
    if (!err)
        err = publish(fetch, &keys, diag);
    oc_keyset_done(&keys);
    if (err)
        return err;
    free(fetch->last.bytes);
    fetch->last = *body;
    fetch->cached = false;
    *body = (body_t){0};
    return OC_OK;
}

static oc_err_t fetch_once(oc_fetch_t *fetch, oc_diag_t *diag)
{
    body_t body = {0};
    oc_err_t err = download(fetch, &body, diag);

    if (!err)
        err = take_document(fetch, &body, diag);
    if (!err)
        keep_document(fetch);
    free(body.bytes);
    return err;
}

/* When a wish may be granted; INT64_MAX without one. */
static int64_t wish_due_ms(oc_fetch_t *fetch)
{
    if (atomic_load(&fetch->wished) == atomic_load(&fetch->begun))
        return INT64_MAX;
    return fetch->granted_ms + fetch->options.wish_interval_ms;
}

/* Sleep until the next fetch is due or the thread is to stop. */
static void wait_until(oc_fetch_t *fetch, int64_t due_ms)
{
    for (;;) {
        int64_t wish_ms = wish_due_ms(fetch);
        int64_t left_ms = (wish_ms < due_ms ? wish_ms : due_ms) - monotonic_ms();

        if (left_ms <= 0 || atomic_load(&fetch->stopping) || atomic_exchange(&fetch->now, false))
            return;
        (void)curl_multi_poll(fetch->multi, NULL, 0, left_ms > 60000 ? 60000 : (int)left_ms, NULL);
    }
}

/* One fetch, for every wish so far. A wish is answered after the set is handed over: whoever sees the answer
 * first and takes the set then has it. */
static oc_err_t fetch_for_wishes(oc_fetch_t *fetch, oc_diag_t *diag)
{
    uint64_t wish = atomic_load(&fetch->wished);
    oc_err_t err;

    if (wish != atomic_load(&fetch->begun))
        fetch->granted_ms = monotonic_ms();
    atomic_store(&fetch->begun, wish);
    err = fetch_once(fetch, diag);
    if (!err) {
        atomic_store(&fetch->fetched_s, time_of_day_s());
        atomic_store(&fetch->answered, wish);
    }
    return err;
}

static void *run(void *context)
{
    oc_fetch_t *fetch = context;
    bool failing = false;

    while (!atomic_load(&fetch->stopping)) {
        char line[OC_FETCH_MESSAGE_MAX];
        char shown[OC_JWKS_URL_SHOWN_MAX];
        oc_diag_t diag = {0};
        oc_err_t err = fetch_for_wishes(fetch, &diag);
        int64_t pause_s = fetch->options.refresh_s;

        if (atomic_load(&fetch->stopping))
            break;
        (void)oc_jwks_url_shown(fetch->options.url, shown);
        if (err) {
            (void)snprintf(line, sizeof line, "jwks_url %.150s: %.250s; the last good set stays",
                           shown, diag.message);
            pause_s = pause_s < RETRY_S ? pause_s : RETRY_S;
        } else {
            (void)snprintf(line, sizeof line, "jwks_url %.150s: fetched", shown);
        }
        /* Every failure, and the first success after one. */
        if (err || failing)
            say(fetch, err != OC_OK, line);
        failing = err != OC_OK;
        wait_until(fetch, monotonic_ms() + pause_s * 1000);
    }
    return NULL;
}

static void fetch_free(oc_fetch_t *fetch)
{
    oc_keyset_t *fresh = atomic_load(&fetch->fresh);

    if (fresh)
        oc_keyset_done(fresh);
    free(fresh);
    free(fetch->last.bytes);
    (void)curl_multi_cleanup(fetch->multi);
    (void)pthread_mutex_destroy(&fetch->lock);
    free(fetch);
    curl_global_cleanup();
}

/* The broker's signals are for the broker's thread. */
static int start_thread(oc_fetch_t *fetch)
{
    sigset_t all;
    sigset_t old;
    int failure;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    failure = pthread_create(&fetch->thread, NULL, run, fetch);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failure;
}

oc_err_t oc_fetch_start(const oc_fetch_options_t *options, oc_fetch_t **ret_fetch, oc_diag_t *diag)
{
    oc_fetch_t *fetch;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return oc_fail(diag, OC_E_NOMEM, "libcurl did not start");
    fetch = calloc(1, sizeof *fetch);
    if (!fetch) {
        curl_global_cleanup();
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    }
    fetch->options = *options;
    fetch->granted_ms = -options->wish_interval_ms;
    (void)pthread_mutex_init(&fetch->lock, NULL);
    fetch->multi = curl_multi_init();
    if (!fetch->multi || start_thread(fetch) != 0) {
        fetch_free(fetch);
        return oc_fail(diag, OC_E_NOMEM, "no thread for fetching %.150s", options->url);
    }
    *ret_fetch = fetch;
    return OC_OK;
}

void oc_fetch_stop(oc_fetch_t *fetch)
{
    if (!fetch)
        return;
    atomic_store(&fetch->stopping, true);
    (void)curl_multi_wakeup(fetch->multi);
    (void)pthread_join(fetch->thread, NULL);
    fetch_free(fetch);
}

bool oc_fetch_take(oc_fetch_t *fetch, oc_keyset_t *ret_keys)
{
    oc_keyset_t *fresh;

    /* A plain load first: this is asked at every CONNECT. */
    if (!atomic_load_explicit(&fetch->fresh, memory_order_relaxed))
        return false;
    fresh = atomic_exchange(&fetch->fresh, NULL);
    if (!fresh)
        return false;
    *ret_keys = *fresh;
    free(fresh);
    return true;
}

void oc_fetch_wish(oc_fetch_t *fetch, uint64_t wish)
{
    atomic_store(&fetch->wished, wish);
    (void)curl_multi_wakeup(fetch->multi);
}

bool oc_fetch_begun(const oc_fetch_t *fetch, uint64_t wish)
{
    return atomic_load(&fetch->begun) >= wish;
}

uint64_t oc_fetch_answered(const oc_fetch_t *fetch)
{
    return atomic_load(&fetch->answered);
}

int64_t oc_fetch_fetched_s(const oc_fetch_t *fetch)
{
    return atomic_load(&fetch->fetched_s);
}

void oc_fetch_now(oc_fetch_t *fetch)
{
    atomic_store(&fetch->now, true);
    (void)curl_multi_wakeup(fetch->multi);
}

/* The first line; behind the last one, how many found no room. */
static bool take_message(oc_fetch_t *fetch, message_t *ret_message)
{
    char shown[OC_JWKS_URL_SHOWN_MAX];

    if (fetch->message_count > 0) {
        *ret_message = fetch->messages[0];
        memmove(&fetch->messages[0], &fetch->messages[1],
                --fetch->message_count * sizeof fetch->messages[0]);
        return true;
    }
    if (fetch->left_out == 0)
        return false;
    ret_message->error = true;
    (void)snprintf(ret_message->text, sizeof ret_message->text,
                   "jwks_url %s: %zu more lines left out",
                   oc_jwks_url_shown(fetch->options.url, shown), fetch->left_out);
    fetch->left_out = 0;
    return true;
}

bool oc_fetch_message(oc_fetch_t *fetch, char ret_message[static OC_FETCH_MESSAGE_MAX],
                      bool *ret_error)
{
    message_t message;
    bool found;

    if (pthread_mutex_trylock(&fetch->lock) != 0)
        return false;
    found = take_message(fetch, &message);
    (void)pthread_mutex_unlock(&fetch->lock);
    if (!found)
        return false;
    memcpy(ret_message, message.text, sizeof message.text);
    *ret_error = message.error;
    return true;
}

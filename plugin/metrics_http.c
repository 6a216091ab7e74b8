/* SPDX-License-Identifier: MIT */
#include "metrics_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "metrics_address.h"

/* A page serves whoever asks within this time: so that many scrapers are one rendering a second. */
#define PAGE_FRESH_MS 1000
/* So long is waited for one. A broker that has not handed one over by then is not well. */
#define PAGE_WAIT_MS 2000
/* A connection that does nothing for so long is closed. */
#define IDLE_S 10U
/* With more connections than this the oldest is ended: so clients that are slow on purpose do not keep
 * others out. Those that are being ended count for libmicrohttpd until it notices. */
#define CLIENTS_MAX 16U
#define CLIENT_SLOTS 32U
/* Of a connection's buffers, which hold the request's line and headers. */
#define CLIENT_MEMORY_BYTES 16384U

/* What is answered apart from pages. */
typedef enum answer {
    ANSWER_INDEX,
    ANSWER_NOT_FOUND,
    ANSWER_METHOD,
    ANSWER_BODY,
    ANSWER_HOST,
    ANSWER_NO_PAGE,
    ANSWERS
} answer_t;

static const struct {
    unsigned status;
    const char *header; /* NULL: none */
    const char *value;
    const char *text;
} answers[ANSWERS] = {
    [ANSWER_INDEX] = {MHD_HTTP_OK, NULL, NULL,
                      "Orgcast's metrics for Prometheus are at /metrics\n"},
    [ANSWER_NOT_FOUND] = {MHD_HTTP_NOT_FOUND, NULL, NULL, "There is only /metrics here.\n"},
    [ANSWER_METHOD] = {MHD_HTTP_METHOD_NOT_ALLOWED, MHD_HTTP_HEADER_ALLOW, "GET, HEAD",
                       "Only GET and HEAD.\n"},
    [ANSWER_BODY] = {MHD_HTTP_CONTENT_TOO_LARGE, NULL, NULL, "A request has no body here.\n"},
    [ANSWER_HOST] =
        {MHD_HTTP_MISDIRECTED_REQUEST, NULL, NULL,
         "Ask by number or as localhost: this listens on a loopback address, where a name "
         "in Host may be a web page's trick.\n"},
    [ANSWER_NO_PAGE] = {MHD_HTTP_SERVICE_UNAVAILABLE, NULL, NULL,
                        "The broker's thread did not answer in time.\n"},
};

typedef struct client {
    bool used;
    bool ended; /* told to go; libmicrohttpd has not closed it yet */
    MHD_socket fd;
    uint64_t number; /* of its coming */
} client_t;

struct oc_metrics_http {
    struct MHD_Daemon *daemon;
    struct MHD_Response *answers[ANSWERS];
    oc_metrics_address_t address;
    char url[96];
    client_t clients[CLIENT_SLOTS]; /* the HTTP thread's, as is the next */
    uint64_t client_count;
    atomic_bool wanted;

    pthread_mutex_t lock; /* guards what follows; never held while writing or rendering */
    pthread_cond_t changed;
    struct MHD_Response *page; /* NULL: none yet */
    int64_t page_ms;           /* when it came */
    bool stopping;
};

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- Answers --- */

/* The text is borrowed, or taken if it is to be freed and there is a response; NULL when memory ran out. */
static struct MHD_Response *make_response(char *text, enum MHD_ResponseMemoryMode mode,
                                          const char *type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), text, mode);

    if (response &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES)
        return response;
    if (response)
        MHD_destroy_response(response);
    else if (mode == MHD_RESPMEM_MUST_FREE)
        free(text);
    return NULL;
}

static bool make_answers(oc_metrics_http_t *http)
{
    for (size_t i = 0; i < ANSWERS; i++) {
        /* libmicrohttpd does not write into it. */
        char *text = (char *)(uintptr_t)answers[i].text;

        http->answers[i] = make_response(text, MHD_RESPMEM_PERSISTENT, "text/plain; charset=utf-8");
        if (!http->answers[i])
            return false;
        if (answers[i].header && MHD_add_response_header(http->answers[i], answers[i].header,
                                                         answers[i].value) != MHD_YES)
            return false;
    }
    return true;
}

/* --- Pages --- */

/* @locks http->lock */
static bool page_fresh(const oc_metrics_http_t *http)
{
    return http->page && monotonic_ms() - http->page_ms < PAGE_FRESH_MS;
}

/* @locks http->lock, which is let go of meanwhile */
static bool await_page(oc_metrics_http_t *http)
{
    int64_t until_ms = monotonic_ms() + PAGE_WAIT_MS;
    const struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};

    if (!page_fresh(http))
        atomic_store(&http->wanted, true);
    while (!page_fresh(http)) {
        if (http->stopping || pthread_cond_timedwait(&http->changed, &http->lock, &until) != 0)
            return page_fresh(http);
    }
    return true;
}

static enum MHD_Result answer_page(oc_metrics_http_t *http, struct MHD_Connection *connection)
{
    enum MHD_Result result;

    (void)pthread_mutex_lock(&http->lock);
    /* Queueing is taking a reference; the writing comes after the handler. */
    if (await_page(http))
        result = MHD_queue_response(connection, MHD_HTTP_OK, http->page);
    else
        result = MHD_queue_response(connection, answers[ANSWER_NO_PAGE].status,
                                    http->answers[ANSWER_NO_PAGE]);
    (void)pthread_mutex_unlock(&http->lock);
    return result;
}

bool oc_metrics_http_wanted(const oc_metrics_http_t *http)
{
    return atomic_load_explicit(&http->wanted, memory_order_relaxed);
}

void oc_metrics_http_publish(oc_metrics_http_t *http, char *page)
{
    struct MHD_Response *fresh =
        make_response(page, MHD_RESPMEM_MUST_FREE, "text/plain; version=0.0.4; charset=utf-8");
    struct MHD_Response *older;

    if (!fresh)
        return;
    (void)pthread_mutex_lock(&http->lock);
    older = http->page;
    http->page = fresh;
    http->page_ms = monotonic_ms();
    atomic_store(&http->wanted, false);
    (void)pthread_cond_broadcast(&http->changed);
    (void)pthread_mutex_unlock(&http->lock);
    /* Whoever is still sending it has a reference. */
    if (older)
        MHD_destroy_response(older);
}

/* --- Requests --- */

static bool has_body(struct MHD_Connection *connection)
{
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

    return (length && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                       MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/* A page of the web can have its own name resolve to 127.0.0.1 and then read what answers there. It cannot
 * choose another Host than that name. */
static bool host_allowed(const oc_metrics_http_t *http, struct MHD_Connection *connection)
{
    const char *host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);

    return !http->address.loopback || !host || oc_metrics_host_numeric(host);
}

/* What a request gets, or ANSWERS for a page. */
static answer_t decide(const oc_metrics_http_t *http, struct MHD_Connection *connection,
                       const char *path, const char *method)
{
    bool index = strcmp(path, "/") == 0;

    if (!index && strcmp(path, "/metrics") != 0)
        return ANSWER_NOT_FOUND;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return ANSWER_METHOD;
    if (has_body(connection))
        return ANSWER_BODY;
    if (!host_allowed(http, connection))
        return ANSWER_HOST;
    return index ? ANSWER_INDEX : ANSWERS;
}

/* Called with the headers, and again when the request is complete. An answer to the first call ends the
 * connection, so that no body is read. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_len, void **seen)
{
    oc_metrics_http_t *http = context;
    answer_t answer;

    (void)version;
    (void)upload;
    (void)upload_len;
    if (!*seen && !has_body(connection)) {
        *seen = http;
        return MHD_YES;
    }
    answer = decide(http, connection, path, method);
    if (answer == ANSWERS)
        return answer_page(http, connection);
    return MHD_queue_response(connection, answers[answer].status, http->answers[answer]);
}

static void end_oldest(oc_metrics_http_t *http)
{
    client_t *oldest = NULL;
    size_t live = 0;

    for (client_t *client = http->clients; client < http->clients + CLIENT_SLOTS; client++) {
        if (!client->used || client->ended)
            continue;
        live++;
        if (!oldest || client->number < oldest->number)
            oldest = client;
    }
    if (live <= CLIENTS_MAX || !oldest)
        return;
    oldest->ended = true;
    (void)shutdown(oldest->fd, SHUT_RDWR);
}

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    oc_metrics_http_t *http = context;
    const union MHD_ConnectionInfo *info;
    client_t *client = *slot;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (client)
            client->used = false;
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (client = http->clients; info && client < http->clients + CLIENT_SLOTS; client++) {
        if (client->used)
            continue;
        *client = (client_t){true, false, info->connect_fd, http->client_count++};
        *slot = client;
        end_oldest(http);
        return;
    }
}

/* --- Start and stop --- */

static oc_err_t cannot_listen(const char *address_port, int error, oc_diag_t *diag)
{
    const char *fix = error == EADDRINUSE ? ": choose another port, or end the program that uses it"
                      : error == EACCES   ? ": choose a port above 1023"
                      : error == EADDRNOTAVAIL ? ": choose an address of this machine"
                                               : "";

    return oc_fail(diag, error == ENOMEM || error == EMFILE ? OC_E_NOMEM : OC_E_CONFIG,
                   "cannot listen on '%.64s': %s%s", address_port, strerror(error), fix);
}

/* Checks that the address is available, because libmicrohttpd does not say why it cannot start. */
static oc_err_t probe(const oc_metrics_address_t *address, const char *address_port,
                      oc_diag_t *diag)
{
    static const int on = 1;
    const int v6_only = !address->unspecified;
    int fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return cannot_listen(address_port, errno, diag);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->socket.any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
    if (bind(fd, &address->socket.any, address->socket_len) != 0)
        error = errno;
    (void)close(fd);
    return error ? cannot_listen(address_port, error, diag) : OC_OK;
}

static void set_url(oc_metrics_http_t *http)
{
    const oc_metrics_address_t *address = &http->address;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    bool v6 = address->socket.any.sa_family == AF_INET6;
    char host[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(address->socket.any.sa_family,
                    v6 ? (const void *)&address->socket.v6.sin6_addr
                       : (const void *)&address->socket.v4.sin_addr,
                    host, sizeof host);
    (void)snprintf(http->url, sizeof http->url, "http://%s%s%s:%u/metrics", v6 ? "[" : "", host,
                   v6 ? "]" : "", info ? (unsigned)info->port : 0U);
}

/* The broker's signals are for the broker's thread. */
static bool start_daemon(oc_metrics_http_t *http)
{
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ITC;
    sigset_t all;
    sigset_t old;

    if (http->address.socket.any.sa_family == AF_INET6)
        flags |= http->address.unspecified ? MHD_USE_DUAL_STACK : MHD_USE_IPv6;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_SOCK_ADDR, &http->address.socket.any,
        MHD_OPTION_CONNECTION_LIMIT, CLIENT_SLOTS, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY_BYTES,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return http->daemon != NULL;
}

static void http_free(oc_metrics_http_t *http)
{
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    for (size_t i = 0; i < ANSWERS; i++) {
        if (http->answers[i])
            MHD_destroy_response(http->answers[i]);
    }
    if (http->page)
        MHD_destroy_response(http->page);
    (void)pthread_cond_destroy(&http->changed);
    (void)pthread_mutex_destroy(&http->lock);
    free(http);
}

static oc_metrics_http_t *http_new(const oc_metrics_address_t *address)
{
    oc_metrics_http_t *http = calloc(1, sizeof *http);
    pthread_condattr_t monotonic;

    if (!http)
        return NULL;
    http->address = *address;
    (void)pthread_mutex_init(&http->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&http->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return http;
}

oc_err_t oc_metrics_http_start(const char *address_port, oc_metrics_http_t **ret_http,
                               oc_diag_t *diag)
{
    oc_metrics_address_t address;
    oc_metrics_http_t *http;
    oc_err_t err = oc_metrics_address_parse(address_port, &address, diag);

    if (!err)
        err = probe(&address, address_port, diag);
    if (err)
        return err;
    http = http_new(&address);
    if (!http)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    if (!make_answers(http) || !start_daemon(http)) {
        http_free(http);
        return oc_fail(diag, OC_E_NOMEM, "no thread for listening on '%.64s'", address_port);
    }
    set_url(http);
    *ret_http = http;
    return OC_OK;
}

void oc_metrics_http_stop(oc_metrics_http_t *http)
{
    if (!http)
        return;
    (void)pthread_mutex_lock(&http->lock);
    http->stopping = true;
    (void)pthread_cond_broadcast(&http->changed);
    (void)pthread_mutex_unlock(&http->lock);
    http_free(http);
}

const char *oc_metrics_http_url(const oc_metrics_http_t *http)
{
    return http->url;
}

/* SPDX-License-Identifier: MIT */
#include "http.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition) must((condition), #condition, __LINE__)
#define PATHS 8
#define HANGING_MAX 64
#define ENDLESS_BYTES ((size_t)100 * 1000 * 1000)

typedef struct page {
    char *path;
    http_how_t how;
    int status;
    char *headers;
    char *body;
    size_t body_len;
} page_t;

struct http {
    int listener;
    int stop[2]; /* a pipe: closed at one end to stop */
    unsigned port;
    pthread_t thread;
    int hanging[HANGING_MAX]; /* the thread's own */
    size_t hanging_count;
    char urls[4][256]; /* the test's own */
    unsigned next_url;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    page_t pages[PATHS];
    size_t page_count;
    unsigned requests;
};

static void must(bool good, const char *what, int line)
{
    if (good)
        return;
    fprintf(stderr, "http.c:%d: failed: %s\n", line, what);
    abort();
}

static page_t *find_page(http_t *http, const char *path)
{
    for (size_t i = 0; i < http->page_count; i++) {
        if (strcmp(http->pages[i].path, path) == 0)
            return &http->pages[i];
    }
    return NULL;
}

/* A copy of what the path has now; 404 when it has nothing. Counts the request. */
static page_t take_page(http_t *http, const char *path)
{
    page_t copy = {.status = 404, .headers = strdup(""), .body = strdup("")};
    const page_t *page;

    (void)pthread_mutex_lock(&http->lock);
    page = find_page(http, path);
    if (page) {
        free(copy.headers);
        free(copy.body);
        copy = *page;
        copy.headers = strdup(page->headers);
        copy.body = malloc(page->body_len + 1);
        MUST(copy.headers && copy.body);
        memcpy(copy.body, page->body, page->body_len);
    }
    http->requests++;
    (void)pthread_cond_broadcast(&http->changed);
    (void)pthread_mutex_unlock(&http->lock);
    return copy;
}

static bool put(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

static void put_endless(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    char bytes[16384];
    bool open = put(fd, head, sizeof head - 1);

    memset(bytes, ' ', sizeof bytes);
    for (size_t sent = 0; open && sent < ENDLESS_BYTES; sent += sizeof bytes)
        open = put(fd, bytes, sizeof bytes);
}

/* Returns true when the connection stays open. */
static bool answer(int fd, const page_t *page)
{
    static const struct linger reset = {1, 0};
    char head[1024];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d Status\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
                       page->status, page->headers, page->body_len);

    MUST(len > 0 && (size_t)len < sizeof head);
    switch (page->how) {
    case HTTP_ANSWER:
    case HTTP_CUT:
        if (put(fd, head, (size_t)len))
            (void)put(fd, page->body, page->body_len - (page->how == HTTP_CUT ? 1 : 0));
        return false;
    case HTTP_RAW:
        (void)put(fd, page->body, page->body_len);
        return false;
    case HTTP_ENDLESS:
        put_endless(fd);
        return false;
    case HTTP_HANG:
        return true;
    case HTTP_RESET:
        MUST(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
        return false;
    }
    return false;
}

/* The path of a request, which is read to its empty line; false when the client goes before. */
static bool read_request(int fd, char path[static 256])
{
    char request[4096];
    size_t len = 0;

    do {
        ssize_t got = recv(fd, request + len, sizeof request - 1 - len, 0);

        if (got <= 0)
            return false;
        len += (size_t)got;
        request[len] = '\0';
    } while (!strstr(request, "\r\n\r\n"));
    return sscanf(request, "GET %255s HTTP/1.1", path) == 1;
}

static void serve(http_t *http, int fd)
{
    char path[256];
    page_t page;
    bool stays;

    if (!read_request(fd, path)) {
        (void)close(fd);
        return;
    }
    page = take_page(http, path);
    stays = answer(fd, &page);
    free(page.headers);
    free(page.body);
    if (stays) {
        MUST(http->hanging_count < HANGING_MAX);
        http->hanging[http->hanging_count++] = fd;
    } else {
        (void)close(fd);
    }
}

static void *run(void *context)
{
    http_t *http = context;
    struct pollfd fds[] = {{.fd = http->listener, .events = POLLIN}, {.fd = http->stop[0]}};

    for (;;) {
        int fd;

        MUST(poll(fds, 2, -1) > 0);
        if (fds[1].revents)
            return NULL;
        fd = accept(http->listener, NULL, NULL);
        if (fd >= 0)
            serve(http, fd);
    }
}

http_t *http_start(void)
{
    http_t *http = calloc(1, sizeof *http);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    pthread_condattr_t monotonic;

    MUST(http != NULL);
    http->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(http->listener >= 0 && pipe(http->stop) == 0);
    MUST(bind(http->listener, (struct sockaddr *)&address, len) == 0);
    MUST(listen(http->listener, 16) == 0);
    MUST(getsockname(http->listener, (struct sockaddr *)&address, &len) == 0);
    http->port = ntohs(address.sin_port);
    (void)pthread_mutex_init(&http->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&http->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    MUST(pthread_create(&http->thread, NULL, run, http) == 0);
    return http;
}

static void page_done(page_t *page)
{
    free(page->path);
    free(page->headers);
    free(page->body);
}

void http_stop(http_t *http)
{
    (void)close(http->stop[1]);
    (void)pthread_join(http->thread, NULL);
    (void)close(http->stop[0]);
    (void)close(http->listener);
    for (size_t i = 0; i < http->hanging_count; i++)
        (void)close(http->hanging[i]);
    for (size_t i = 0; i < http->page_count; i++)
        page_done(&http->pages[i]);
    (void)pthread_cond_destroy(&http->changed);
    (void)pthread_mutex_destroy(&http->lock);
    free(http);
}

const char *http_url(http_t *http, const char *path)
{
    char *url = http->urls[http->next_url++ % 4];

    (void)snprintf(url, sizeof http->urls[0], "http://127.0.0.1:%u%s", http->port, path);
    return url;
}

void http_set(http_t *http, const char *path, http_how_t how, int status, const char *headers,
              const char *body, size_t body_len)
{
    page_t page = {strdup(path), how, status, strdup(headers), malloc(body_len + 1), body_len};
    page_t *held;

    MUST(page.path && page.headers && page.body);
    memcpy(page.body, body, body_len);
    (void)pthread_mutex_lock(&http->lock);
    held = find_page(http, path);
    if (held) {
        page_done(held);
    } else {
        MUST(http->page_count < PATHS);
        held = &http->pages[http->page_count++];
    }
    *held = page;
    (void)pthread_mutex_unlock(&http->lock);
}

void http_set_text(http_t *http, const char *path, const char *body)
{
    http_set(http, path, HTTP_ANSWER, 200, "Content-Type: application/json\r\n", body,
             strlen(body));
}

unsigned http_requests(http_t *http)
{
    unsigned requests;

    (void)pthread_mutex_lock(&http->lock);
    requests = http->requests;
    (void)pthread_mutex_unlock(&http->lock);
    return requests;
}

bool http_wait(http_t *http, unsigned requests, int timeout_ms)
{
    struct timespec deadline;
    bool reached;

    (void)clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000L;
    }
    (void)pthread_mutex_lock(&http->lock);
    while (http->requests < requests &&
           pthread_cond_timedwait(&http->changed, &http->lock, &deadline) == 0)
        continue;
    reached = http->requests >= requests;
    (void)pthread_mutex_unlock(&http->lock);
    return reached;
}

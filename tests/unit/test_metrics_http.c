/* SPDX-License-Identifier: MIT */
/* The metrics endpoint, asked over real connections. The test is the broker: it hands pages over, or not.
 * Linked with -Wl,--wrap, so that libmicrohttpd can be made to fail. */
#include <arpa/inet.h>
#include <dirent.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "metrics_address.h"
#include "metrics_http.h"
#include "unit.h"

#define DEADLINE_MS 20000
#define GET_PAGE "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

/* --- What fails when told to --- */

/* Counts the calls that could fail; the one with this number does. -1: none. */
static long fail_at = -1;
static long calls;

static bool fails(void)
{
    return fail_at >= 0 && calls++ == fail_at;
}

void *__real_calloc(size_t count, size_t size);
struct MHD_Response *__real_MHD_create_response_from_buffer(size_t size, void *buffer,
                                                            enum MHD_ResponseMemoryMode mode);
enum MHD_Result __real_MHD_add_response_header(struct MHD_Response *response, const char *header,
                                               const char *content);
void *__wrap_calloc(size_t count, size_t size);
struct MHD_Response *__wrap_MHD_create_response_from_buffer(size_t size, void *buffer,
                                                            enum MHD_ResponseMemoryMode mode);
enum MHD_Result __wrap_MHD_add_response_header(struct MHD_Response *response, const char *header,
                                               const char *content);

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

struct MHD_Response *__wrap_MHD_create_response_from_buffer(size_t size, void *buffer,
                                                            enum MHD_ResponseMemoryMode mode)
{
    return fails() ? NULL : __real_MHD_create_response_from_buffer(size, buffer, mode);
}

enum MHD_Result __wrap_MHD_add_response_header(struct MHD_Response *response, const char *header,
                                               const char *content)
{
    return fails() ? MHD_NO : __real_MHD_add_response_header(response, header, content);
}

/* --- The broker --- */

static oc_metrics_http_t *http;
static uint16_t port;

static struct {
    pthread_t thread;
    bool runs;
    size_t page_len;
    atomic_bool stopping;
    atomic_uint pages;
} broker;

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "page 7 ....\n" of the wanted length. */
static char *make_page(unsigned number, size_t len)
{
    char *page = malloc(len + 32);
    int head;

    if (!page)
        abort();
    head = snprintf(page, 32, "page %u ", number);
    memset(page + head, '.', len);
    memcpy(page + head + len, "\n", 2);
    return page;
}

static void *run_broker(void *unused)
{
    (void)unused;
    while (!atomic_load(&broker.stopping)) {
        if (oc_metrics_http_wanted(http))
            oc_metrics_http_publish(
                http, make_page(atomic_fetch_add(&broker.pages, 1) + 1, broker.page_len));
        (void)poll(NULL, 0, 1);
    }
    return NULL;
}

static void start_broker(size_t page_len)
{
    broker.page_len = page_len;
    broker.runs = true;
    ck_assert_int_eq(pthread_create(&broker.thread, NULL, run_broker, NULL), 0);
}

static void stop_broker(void)
{
    atomic_store(&broker.stopping, true);
    if (broker.runs)
        (void)pthread_join(broker.thread, NULL);
    broker.runs = false;
    atomic_store(&broker.stopping, false);
}

static uint16_t url_port(const oc_metrics_http_t *of)
{
    const char *colon = strrchr(oc_metrics_http_url(of), ':');
    char *end = NULL;
    unsigned long number = strtoul(colon + 1, &end, 10);

    ck_assert_msg(strcmp(end, "/metrics") == 0 && number <= UINT16_MAX, "%s",
                  oc_metrics_http_url(of));
    return (uint16_t)number;
}

static void open_http(void)
{
    oc_diag_t diag = {0};

    ck_assert_msg(oc_metrics_http_start("127.0.0.1:0", &http, &diag) == OC_OK, "%s", diag.message);
    port = url_port(http);
    ck_assert_uint_gt(port, 0);
}

static void close_http(void)
{
    stop_broker();
    oc_metrics_http_stop(http);
    http = NULL;
}

static void until_wanted(bool wanted)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;

    while (oc_metrics_http_wanted(http) != wanted && monotonic_ms() < deadline_ms)
        (void)poll(NULL, 0, 1);
    ck_assert(oc_metrics_http_wanted(http) == wanted);
}

/* --- The client --- */

static int dial(void)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const struct timeval patience = {.tv_sec = DEADLINE_MS / 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    unit_check(fd >= 0, "no socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    unit_check(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0, "no connect");
    return fd;
}

static void put(int fd, const char *text)
{
    size_t len = strlen(text);

    unit_check(send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len, "not sent");
}

typedef struct reply {
    int status; /* 0: there was none */
    char *text;
    const char *body;
    size_t body_len;
} reply_t;

static size_t content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length:");

    return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* Read one reply. with_body: false after HEAD */
static reply_t get_reply(int fd, bool with_body)
{
    size_t cap = (size_t)1 << 24;
    size_t len = 0;
    reply_t reply = {.text = malloc(cap)};
    ssize_t got = 1;

    unit_check(reply.text != NULL, "out of memory");
    reply.text[0] = '\0';
    while (got > 0 && (!reply.body || len < (size_t)(reply.body - reply.text) + reply.body_len)) {
        got = recv(fd, reply.text + len, cap - 1 - len, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
        reply.text[len] = '\0';
        if (!reply.body && strstr(reply.text, "\r\n\r\n")) {
            reply.body = strstr(reply.text, "\r\n\r\n") + 4;
            reply.body_len = with_body ? content_length(reply.text) : 0;
        }
    }
    if (strncmp(reply.text, "HTTP/1.1 ", 9) == 0)
        reply.status = (int)strtol(reply.text + 9, NULL, 10);
    if (reply.body)
        unit_check(len == (size_t)(reply.body - reply.text) + reply.body_len,
                   "a body of another length: %zu", len);
    return reply;
}

/* Whether the other side closes, or has closed, the connection. */
static bool ends(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) <= 0;
}

static void want_page(void)
{
    int fd = dial();
    reply_t reply;

    put(fd, GET_PAGE);
    reply = get_reply(fd, true);
    unit_check(reply.status == 200 && strncmp(reply.body, "page ", 5) == 0, "%s", reply.text);
    free(reply.text);
    (void)close(fd);
}

/* --- Addresses --- */

static const struct {
    const char *text;
    int family; /* 0: refused */
    const char *address;
    unsigned port;
    bool loopback;
    bool unspecified;
} addresses[] = {
    {"127.0.0.1:9464", AF_INET, "127.0.0.1", 9464, true, false},
    {"9464", AF_INET, "127.0.0.1", 9464, true, false},
    {"localhost:9464", AF_INET, "127.0.0.1", 9464, true, false},
    {"LOCALHOST:1", AF_INET, "127.0.0.1", 1, true, false},
    {"127.1.2.3:80", AF_INET, "127.1.2.3", 80, true, false},
    {"0.0.0.0:65535", AF_INET, "0.0.0.0", 65535, false, true},
    {"192.0.2.7:9464", AF_INET, "192.0.2.7", 9464, false, false},
    {"[::1]:9464", AF_INET6, "::1", 9464, true, false},
    {"[::]:9464", AF_INET6, "::", 9464, false, true},
    {"[2001:db8::1]:9464", AF_INET6, "2001:db8::1", 9464, false, false},
    {"0", AF_INET, "127.0.0.1", 0, true, false},
    {"", 0, NULL, 0, false, false},
    {":", 0, NULL, 0, false, false},
    {":9464", 0, NULL, 0, false, false},
    {"9464:", 0, NULL, 0, false, false},
    {"127.0.0.1", 0, NULL, 0, false, false},
    {"127.0.0.1:", 0, NULL, 0, false, false},
    {"127.0.0.1:65536", 0, NULL, 0, false, false},
    {"127.0.0.1:99999999999", 0, NULL, 0, false, false},
    {"127.0.0.1:-1", 0, NULL, 0, false, false},
    {"127.0.0.1: 9464", 0, NULL, 0, false, false},
    {"127.0.0.1:9464 ", 0, NULL, 0, false, false},
    {"127.0.0.1:9464x", 0, NULL, 0, false, false},
    {"127.1:9464", 0, NULL, 0, false, false},
    {"256.0.0.1:9464", 0, NULL, 0, false, false},
    {"metrics.acme.example:9464", 0, NULL, 0, false, false},
    {"::1:9464", 0, NULL, 0, false, false},
    {"[::1]", 0, NULL, 0, false, false},
    {"[::1]9464", 0, NULL, 0, false, false},
    {"[::1:9464", 0, NULL, 0, false, false},
    {"[]:9464", 0, NULL, 0, false, false},
    {"[127.0.0.1]:9464", 0, NULL, 0, false, false},
    {"[localhost]:9464", 0, NULL, 0, false, false},
    {"[fe80::1%eth0]:9464", 0, NULL, 0, false, false},
    {"http://127.0.0.1:9464", 0, NULL, 0, false, false},
    {"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:9464", 0, NULL, 0, false,
     false},
};

START_TEST(address)
{
    const char *text = addresses[_i].text;
    oc_metrics_address_t found;
    oc_diag_t diag = {0};
    char shown[INET6_ADDRSTRLEN] = "";
    bool v6 = addresses[_i].family == AF_INET6;

    if (addresses[_i].family == 0) {
        ck_assert_msg(oc_metrics_address_parse(text, &found, &diag) == OC_E_CONFIG, "'%s'", text);
        ck_assert_ptr_nonnull(strstr(diag.message, "is not ADDRESS:PORT"));
        ck_assert_ptr_nonnull(strstr(diag.message, "127.0.0.1:9464"));
        return;
    }
    ck_assert_msg(oc_metrics_address_parse(text, &found, &diag) == OC_OK, "'%s'", text);
    ck_assert_int_eq(found.socket.any.sa_family, addresses[_i].family);
    (void)inet_ntop(addresses[_i].family,
                    v6 ? (const void *)&found.socket.v6.sin6_addr
                       : (const void *)&found.socket.v4.sin_addr,
                    shown, sizeof shown);
    ck_assert_str_eq(shown, addresses[_i].address);
    ck_assert_uint_eq(ntohs(v6 ? found.socket.v6.sin6_port : found.socket.v4.sin_port),
                      addresses[_i].port);
    ck_assert_uint_eq(found.socket_len,
                      v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    ck_assert(found.loopback == addresses[_i].loopback);
    ck_assert(found.unspecified == addresses[_i].unspecified);
}
END_TEST

static const struct {
    const char *host;
    bool numeric;
} hosts[] = {
    {"127.0.0.1", true},       {"127.0.0.1:9464", true},     {"localhost", true},
    {"localhost:9464", true},  {"LocalHost:1", true},        {"[::1]", true},
    {"[::1]:9464", true},      {"192.0.2.7", true},          {"", false},
    {"acme.example", false},   {"acme.example:9464", false}, {"localhost.acme.example", false},
    {"127.0.0.1.acme", false}, {"[acme.example]", false},    {"::1", false},
    {"[::1", false},           {"127.0.0.1, acme", false},   {"[::1]acme.example", false},
    {"localhost.", false},     {"[::1]x:80", false},         {"a\"b", false},
};

START_TEST(host)
{
    ck_assert_msg(oc_metrics_host_numeric(hosts[_i].host) == hosts[_i].numeric, "'%s'",
                  hosts[_i].host);
}
END_TEST

/* --- Starting --- */

START_TEST(port_in_use)
{
    oc_metrics_http_t *second = NULL;
    oc_diag_t diag = {0};
    char taken[32];

    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", port);
    ck_assert_int_eq(oc_metrics_http_start(taken, &second, &diag), OC_E_CONFIG);
    ck_assert_ptr_null(second);
    ck_assert_msg(strstr(diag.message, taken) && strstr(diag.message, "in use") &&
                      strstr(diag.message, "choose another port"),
                  "%s", diag.message);
    /* After its end, the port is free at once. */
    start_broker(10);
    want_page();
    close_http();
    ck_assert_int_eq(oc_metrics_http_start(taken, &second, &diag), OC_OK);
    oc_metrics_http_stop(second);
}
END_TEST

START_TEST(not_this_machine)
{
    oc_metrics_http_t *none = NULL;
    oc_diag_t diag = {0};

    ck_assert_int_eq(oc_metrics_http_start("192.0.2.1:9464", &none, &diag), OC_E_CONFIG);
    ck_assert_msg(strstr(diag.message, "choose an address of this machine") != NULL, "%s",
                  diag.message);
    diag = (oc_diag_t){0};
    ck_assert_int_eq(oc_metrics_http_start("nonsense", &none, &diag), OC_E_CONFIG);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(ipv6)
{
    static const char *const texts[] = {"[::1]:0", "[::]:0"};

    for (size_t i = 0; i < COUNT(texts); i++) {
        oc_metrics_http_t *six = NULL;
        oc_diag_t diag = {0};

        if (oc_metrics_http_start(texts[i], &six, &diag) != OC_OK) {
            /* A machine without IPv6 says so. */
            ck_assert_msg(strstr(diag.message, "cannot listen on '[::") != NULL, "%s",
                          diag.message);
            continue;
        }
        ck_assert_int_eq(strncmp(oc_metrics_http_url(six), "http://[::", 10), 0);
        ck_assert_uint_gt(url_port(six), 0);
        oc_metrics_http_stop(six);
    }
}
END_TEST

/* Until it starts, each call that can fail does so once. */
START_TEST(starting_without_memory)
{
    long needed;
    oc_metrics_http_t *started = NULL;

    calls = 0;
    fail_at = 1000000;
    ck_assert_int_eq(oc_metrics_http_start("0", &started, NULL), OC_OK);
    needed = calls;
    fail_at = -1;
    oc_metrics_http_stop(started);
    started = NULL;
    ck_assert_int_gt(needed, 10);
    for (long at = 0; at < needed; at++) {
        oc_diag_t diag = {0};
        oc_err_t err;

        calls = 0;
        fail_at = at;
        err = oc_metrics_http_start("0", &started, &diag);
        fail_at = -1;
        ck_assert_msg(err == OC_E_NOMEM && diag.code == OC_E_NOMEM && !started,
                      "call %ld of %ld: %s", at, needed, oc_err_name(err));
    }
}
END_TEST

/* The page before stays, and the next one is taken. */
START_TEST(a_page_without_memory)
{
    int fd = dial();
    reply_t reply;

    put(fd, GET_PAGE);
    until_wanted(true);
    for (long at = 0; at < 3; at++) {
        calls = 0;
        fail_at = at;
        oc_metrics_http_publish(http, make_page(1, 10));
        fail_at = -1;
        ck_assert(oc_metrics_http_wanted(http));
    }
    oc_metrics_http_publish(http, make_page(2, 10));
    reply = get_reply(fd, true);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_int_eq(strncmp(reply.body, "page 2 ", 7), 0);
    free(reply.text);
    (void)close(fd);
}
END_TEST

/* The broker's signals are handled by its own thread, which this test's stands for. */
START_TEST(signals_are_blocked)
{
    DIR *threads;
    unsigned blocking = 0;

    /* A thread that just begins blocks them anyway: see that both are at work. */
    start_broker(10);
    want_page();
    threads = opendir("/proc/self/task");
    ck_assert_ptr_nonnull(threads);
    for (struct dirent *entry; (entry = readdir(threads));) {
        char path[300];
        char line[256];
        unsigned long long blocked = 0;
        FILE *status;

        if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == getpid())
            continue;
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        status = fopen(path, "r");
        ck_assert_ptr_nonnull(status);
        while (fgets(line, sizeof line, status)) {
            if (strncmp(line, "SigBlk:", 7) == 0)
                blocked = strtoull(line + 7, NULL, 16);
        }
        (void)fclose(status);
        /* SIGTERM, SIGHUP, SIGINT, SIGUSR1. */
        blocking += (blocked & 0x4203) == 0x4203;
    }
    (void)closedir(threads);
    ck_assert_uint_ge(blocking, 1);
}
END_TEST

/* --- Requests --- */

static const struct {
    const char *name;
    const char *request;
    int status;
    const char *header;
    const char *body; /* what it begins with; NULL: none */
} requests[] = {
    {"page", GET_PAGE, 200,
     "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nCache-Control: no-store",
     "page 1 ."},
    {"page with a query", "GET /metrics?a=b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 200, "", "page "},
    {"HEAD of a page", "HEAD /metrics HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n", 200,
     "Content-Length: 60", NULL},
    {"HTTP/1.0", "GET /metrics HTTP/1.0\r\n\r\n", 200, "", "page "},
    {"index", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200,
     "Content-Type: text/plain; charset=utf-8", "Orgcast's metrics for Prometheus are at /metrics"},
    {"HEAD of the index", "HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", 200,
     "Content-Length: ", NULL},
    {"another path", "GET /metrics/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "", "There is only"},
    {"a path up", "GET /../metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, "", "There is only"},
    {"POST", "POST /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "Allow: GET, HEAD",
     "Only GET"},
    {"POST with a body",
     "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd", 405,
     "Allow: GET, HEAD", "Only GET"},
    {"DELETE", "DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "Allow: GET, HEAD", "Only GET"},
    {"OPTIONS", "OPTIONS /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "Allow: GET, HEAD",
     "Only GET"},
    {"a body", "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nabcd", 413, "",
     "A request has no body"},
    {"a body that does not come",
     "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n", 413, "",
     "A request has no body"},
    {"a body that asks before it comes",
     "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: "
     "100-continue\r\n\r\n",
     413, "", "A request has no body"},
    {"a chunked body",
     "GET /metrics HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", 413, "",
     "A request has no body"},
    {"a body of nothing", "GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
     200, "", "page "},
    {"a name that resolves to here", "GET /metrics HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n",
     421, "", "Ask by number"},
};

/* libmicrohttpd answers before the program sees the request: with 400, or from 1.0 on by closing. */
START_TEST(not_http)
{
    int fd;
    reply_t reply;

    start_broker(52);
    fd = dial();
    put(fd, "\x16\x03\x01\x02\x01 hello\r\n\r\n");
    reply = get_reply(fd, true);
    ck_assert_msg(reply.status == 400 || *reply.text == '\0', "%s", reply.text);
    ck_assert(ends(fd));
    free(reply.text);
    (void)close(fd);
    want_page();
}
END_TEST

START_TEST(request)
{
    const char *name = requests[_i].name;
    bool head = strncmp(requests[_i].request, "HEAD", 4) == 0;
    int fd;
    reply_t reply;

    start_broker(52);
    fd = dial();
    put(fd, requests[_i].request);
    reply = get_reply(fd, !head);
    ck_assert_msg(reply.status == requests[_i].status, "%s: %s", name, reply.text);
    ck_assert_msg(strstr(reply.text, requests[_i].header) != NULL, "%s: %s", name, reply.text);
    if (requests[_i].body)
        ck_assert_msg(strncmp(reply.body, requests[_i].body, strlen(requests[_i].body)) == 0,
                      "%s: %s", name, reply.text);
    else
        ck_assert_msg(head && reply.body && *reply.body == '\0', "%s: %s", name, reply.text);
    free(reply.text);
    (void)close(fd);
    want_page();
}
END_TEST

START_TEST(headers_without_end)
{
    char line[1024];
    reply_t reply;
    int fd;

    start_broker(52);
    fd = dial();
    (void)snprintf(line, sizeof line, "X-Filler: %01000d\r\n", 0);
    put(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n");
    for (int i = 0; i < 100; i++) {
        if (send(fd, line, strlen(line), MSG_NOSIGNAL) < 0)
            break;
    }
    reply = get_reply(fd, true);
    /* It may be cut off before it reads the answer. */
    ck_assert_msg(reply.status == 431 || reply.status == 413 || reply.status == 0, "%.60s",
                  reply.text);
    ck_assert(ends(fd));
    free(reply.text);
    (void)close(fd);
    want_page();
}
END_TEST

START_TEST(many_requests_on_one_connection)
{
    int fd;

    start_broker(1000);
    fd = dial();
    for (int i = 0; i < 50; i++) {
        reply_t reply;

        put(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        reply = get_reply(fd, true);
        ck_assert_msg(reply.status == 200, "%d: %s", i, reply.text);
        free(reply.text);
    }
    (void)close(fd);
    /* Most of them came within a second of another. */
    ck_assert_uint_lt(atomic_load(&broker.pages), 50);
}
END_TEST

/* --- Pages --- */

START_TEST(nothing_is_rendered_for_nobody)
{
    int fd;

    start_broker(10);
    fd = dial();
    put(fd, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    free(get_reply(fd, true).text);
    (void)close(fd);
    ck_assert_uint_eq(atomic_load(&broker.pages), 0);
    want_page();
    ck_assert_uint_eq(atomic_load(&broker.pages), 1);
    until_wanted(false);
}
END_TEST

/* A page that is older than a second is not shown: the next one is waited for. */
START_TEST(an_old_page_is_not_shown)
{
    int64_t handed_ms;
    int fd;
    reply_t reply;

    oc_metrics_http_publish(http, make_page(1, 10));
    handed_ms = monotonic_ms();
    while (monotonic_ms() < handed_ms + 1001)
        (void)poll(NULL, 0, 10);
    fd = dial();
    put(fd, GET_PAGE);
    until_wanted(true);
    oc_metrics_http_publish(http, make_page(2, 10));
    reply = get_reply(fd, true);
    ck_assert_int_eq(strncmp(reply.body, "page 2 ", 7), 0);
    free(reply.text);
    (void)close(fd);
}
END_TEST

/* A broker that hangs does not look alive. */
START_TEST(a_broker_that_does_not_answer)
{
    int fd = dial();
    reply_t reply;

    put(fd, GET_PAGE);
    reply = get_reply(fd, true);
    ck_assert_int_eq(reply.status, 503);
    ck_assert_ptr_nonnull(strstr(reply.body, "did not answer"));
    ck_assert(oc_metrics_http_wanted(http));
    free(reply.text);
    (void)close(fd);
    start_broker(10);
    want_page();
}
END_TEST

START_TEST(stopping_while_somebody_waits)
{
    int waiting = dial();
    int idle = dial();
    int half = dial();
    int64_t began_ms;

    put(waiting, GET_PAGE);
    put(half, "GET /metr");
    until_wanted(true);
    began_ms = monotonic_ms();
    close_http();
    ck_assert_int_lt(monotonic_ms() - began_ms, 1500);
    free(get_reply(waiting, true).text);
    ck_assert(ends(idle));
    ck_assert(ends(half));
    (void)close(waiting);
    (void)close(idle);
    (void)close(half);
}
END_TEST

/* --- Clients that are slow, or many --- */

START_TEST(half_a_request)
{
    int fd[8];

    start_broker(100);
    for (size_t i = 0; i < COUNT(fd); i++) {
        fd[i] = dial();
        put(fd[i], "GET /metrics HTTP/1.1\r\nHost: ");
    }
    for (int i = 0; i < 10; i++)
        want_page();
    /* And they are given time: what they began they may finish. */
    put(fd[0], "localhost\r\n\r\n");
    free(get_reply(fd[0], true).text);
    for (size_t i = 0; i < COUNT(fd); i++)
        (void)close(fd[i]);
}
END_TEST

START_TEST(a_client_that_does_not_read)
{
    size_t len = (size_t)8 << 20;
    int fd;
    reply_t reply;

    start_broker(len);
    fd = dial();
    put(fd, GET_PAGE);
    for (unsigned i = 0; i < 5; i++) {
        want_page();
        oc_metrics_http_publish(http, make_page(1000 + i, len));
    }
    /* Its page is still the first one, and whole. */
    reply = get_reply(fd, true);
    ck_assert_int_eq(strncmp(reply.body, "page 1 ", 7), 0);
    ck_assert_uint_eq(reply.body_len, 7 + len + 1);
    ck_assert_int_eq(reply.body[reply.body_len - 1], '\n');
    free(reply.text);
    (void)close(fd);
}
END_TEST

START_TEST(many_connections)
{
    int fd[100];
    size_t alive = 0;

    start_broker(100);
    for (size_t i = 0; i < COUNT(fd); i++) {
        fd[i] = dial();
        /* Each of them is there before the next one comes. */
        put(fd[i], "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        free(get_reply(fd[i], true).text);
    }
    for (int i = 0; i < 10; i++)
        want_page();
    /* The oldest were ended. */
    ck_assert(ends(fd[0]));
    ck_assert(ends(fd[COUNT(fd) - 40]));
    for (size_t i = 0; i < COUNT(fd); i++) {
        char byte;

        alive += recv(fd[i], &byte, 1, MSG_DONTWAIT) < 0;
        (void)close(fd[i]);
    }
    ck_assert_uint_le(alive, 16);
}
END_TEST

/* Nothing was said on them; a flood of them does not keep anybody out for long. */
START_TEST(many_silent_connections)
{
    int fd[200];

    start_broker(100);
    for (size_t i = 0; i < COUNT(fd); i++)
        fd[i] = dial();
    want_page();
    for (size_t i = 0; i < COUNT(fd); i++)
        (void)close(fd[i]);
    want_page();
}
END_TEST

static void *scrape(void *unused)
{
    (void)unused;
    for (int i = 0; i < 100; i++)
        want_page();
    return NULL;
}

/* For ThreadSanitizer above all. */
START_TEST(many_at_once)
{
    pthread_t threads[4];

    start_broker(20000);
    for (size_t i = 0; i < COUNT(threads); i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, scrape, NULL), 0);
    for (unsigned i = 0; i < 300; i++) {
        oc_metrics_http_publish(http, make_page(i, 20000));
        (void)poll(NULL, 0, 1);
    }
    for (size_t i = 0; i < COUNT(threads); i++)
        (void)pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
    TCase *pure = tcase_create("addresses");
    TCase *tcase = tcase_create("metrics_http");
    Suite *suite = suite_create("metrics_http");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(pure, 0);
    unit_add_table(pure, address, addresses);
    unit_add_table(pure, host, hosts);
    tcase_add_test(pure, not_this_machine);
    tcase_add_test(pure, ipv6);
    tcase_add_test(pure, starting_without_memory);
    suite_add_tcase(suite, pure);

    tcase_set_timeout(tcase, 0);
    tcase_add_checked_fixture(tcase, open_http, close_http);
    tcase_add_test(tcase, a_page_without_memory);
    tcase_add_test(tcase, signals_are_blocked);
    unit_add_table(tcase, request, requests);
    tcase_add_test(tcase, not_http);
    tcase_add_test(tcase, headers_without_end);
    tcase_add_test(tcase, many_requests_on_one_connection);
    tcase_add_test(tcase, nothing_is_rendered_for_nobody);
    tcase_add_test(tcase, an_old_page_is_not_shown);
    tcase_add_test(tcase, a_broker_that_does_not_answer);
    tcase_add_test(tcase, stopping_while_somebody_waits);
    tcase_add_test(tcase, half_a_request);
    tcase_add_test(tcase, a_client_that_does_not_read);
    tcase_add_test(tcase, many_connections);
    tcase_add_test(tcase, many_silent_connections);
    tcase_add_test(tcase, many_at_once);
    tcase_add_test(tcase, port_in_use);
    suite_add_tcase(suite, tcase);

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* SPDX-License-Identifier: MIT */
#ifndef HTTP_H
#define HTTP_H

/* An HTTP server on a thread of its own, on a free port of 127.0.0.1, for tests of what fetches. It
 * answers each connection once. A failure in here ends the program. */

#include <stdbool.h>
#include <stddef.h>

typedef struct http http_t;

/* What a request for a path gets. */
typedef enum http_how {
    HTTP_ANSWER,  /* status, headers, a matching Content-Length and the body */
    HTTP_CUT,     /* the same, but the connection ends before the last byte */
    HTTP_RAW,     /* the body alone, as it is, then the connection ends */
    HTTP_ENDLESS, /* a body without a length that goes on until the client ends it, at most 100 MB */
    HTTP_HANG,    /* nothing, ever */
    HTTP_RESET    /* the connection is reset */
} http_how_t;

http_t *http_start(void);
/* Ends the thread and every connection. */
void http_stop(http_t *http);

/* "http://127.0.0.1:PORT" and the path; owned by the server, the last four are valid. */
const char *http_url(http_t *http, const char *path);

/* From now on, a request for the path gets this; before, and for other paths, 404.
 * headers: lines that each end in "\r\n"; copied, as is the body */
void http_set(http_t *http, const char *path, http_how_t how, int status, const char *headers,
              const char *body, size_t body_len);
/* 200 and a text. */
void http_set_text(http_t *http, const char *path, const char *body);

/* How many requests came in so far. */
unsigned http_requests(http_t *http);
/* Wait until there were so many; false when there are fewer at the deadline. */
bool http_wait(http_t *http, unsigned requests, int timeout_ms);

#endif

/* SPDX-License-Identifier: MIT */
#include "jwks_url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_loopback(const char *host)
{
    struct in_addr v4;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return true;
    return inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

/* The parts that make an origin; each NULL or to be freed by curl_free(). */
typedef struct origin {
    char *scheme, *host, *port;
} origin_t;

static void origin_done(origin_t *origin)
{
    curl_free(origin->scheme);
    curl_free(origin->host);
    curl_free(origin->port);
}

static bool parse(const char *text, origin_t *ret, bool *ret_has_user)
{
    CURLU *url = curl_url();
    char *user = NULL;
    bool parsed;

    *ret = (origin_t){0};
    parsed = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
             curl_url_get(url, CURLUPART_SCHEME, &ret->scheme, 0) == CURLUE_OK &&
             curl_url_get(url, CURLUPART_HOST, &ret->host, 0) == CURLUE_OK &&
             curl_url_get(url, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    *ret_has_user = url && curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK;
    curl_free(user);
    curl_url_cleanup(url);
    return parsed;
}

bool oc_jwks_url_allowed(const char *url)
{
    origin_t origin;
    bool has_user = true;
    bool allowed = parse(url, &origin, &has_user) && !has_user &&
                   (strcmp(origin.scheme, "https") == 0 ||
                    (strcmp(origin.scheme, "http") == 0 && is_loopback(origin.host)));

    origin_done(&origin);
    return allowed;
}

bool oc_jwks_url_same_origin(const char *a, const char *b)
{
    origin_t one;
    origin_t two;
    bool has_user = false;
    bool one_parsed = parse(a, &one, &has_user);
    bool two_parsed = parse(b, &two, &has_user);
    bool same = one_parsed && two_parsed && strcmp(one.scheme, two.scheme) == 0 &&
                strcasecmp(one.host, two.host) == 0 && strcmp(one.port, two.port) == 0;

    origin_done(&one);
    origin_done(&two);
    return same;
}

char *oc_jwks_url_shown(const char *url, char out[static OC_JWKS_URL_SHOWN_MAX])
{
    (void)snprintf(out, OC_JWKS_URL_SHOWN_MAX, "%.*s", (int)strcspn(url, "?#"), url);
    return out;
}

/* SPDX-License-Identifier: MIT */
#include "metrics_address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "utf8.h"

#define HOST_MAX INET6_ADDRSTRLEN
#define PORT_DIGITS 5

static bool parse_port(const char *text, in_port_t *ret_port)
{
    size_t len = strspn(text, "0123456789");
    uint32_t port = 0;

    if (len == 0 || len > PORT_DIGITS || text[len] != '\0')
        return false;
    for (size_t i = 0; i < len; i++)
        port = port * 10 + (uint32_t)(text[i] - '0');
    if (port > UINT16_MAX)
        return false;
    *ret_port = htons((uint16_t)port);
    return true;
}

/* Cut "host:port" or "[host]:port" at the colon. port: NULL when there is none */
static bool split(const char *text, char ret_host[static HOST_MAX], bool *ret_brackets,
                  const char **ret_port)
{
    bool brackets = *text == '[';
    const char *host = text + (brackets ? 1 : 0);
    size_t len = strcspn(host, brackets ? "]" : ":");
    const char *rest = host + len;

    if (len == 0 || len >= HOST_MAX || (brackets && *rest++ != ']') || (*rest && *rest != ':'))
        return false;
    memcpy(ret_host, host, len);
    ret_host[len] = '\0';
    *ret_brackets = brackets;
    *ret_port = *rest ? rest + 1 : NULL;
    return true;
}

static bool set_v4(oc_metrics_address_t *address, const char *host, in_port_t port)
{
    struct sockaddr_in *v4 = &address->socket.v4;

    v4->sin_family = AF_INET;
    v4->sin_port = port;
    if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
        return false;
    address->socket_len = sizeof *v4;
    address->loopback = ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    address->unspecified = v4->sin_addr.s_addr == htonl(INADDR_ANY);
    return true;
}

static bool set_v6(oc_metrics_address_t *address, const char *host, in_port_t port)
{
    struct sockaddr_in6 *v6 = &address->socket.v6;

    v6->sin6_family = AF_INET6;
    v6->sin6_port = port;
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
        return false;
    address->socket_len = sizeof *v6;
    address->loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    address->unspecified = IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
    return true;
}

static bool parse(const char *text, oc_metrics_address_t *address)
{
    char host[HOST_MAX];
    const char *port_text = NULL;
    bool brackets = false;
    in_port_t port = 0;

    if (parse_port(text, &port))
        return set_v4(address, "127.0.0.1", port);
    if (!split(text, host, &brackets, &port_text) || !port_text || !parse_port(port_text, &port))
        return false;
    if (brackets)
        return set_v6(address, host, port);
    return set_v4(address, strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host, port);
}

oc_err_t oc_metrics_address_parse(const char *text, oc_metrics_address_t *ret_address,
                                  oc_diag_t *diag)
{
    oc_metrics_address_t address = {0};
    char shown[64];

    if (!parse(text, &address))
        return oc_fail(diag, OC_E_CONFIG,
                       "'%s' is not ADDRESS:PORT: give a number such as 127.0.0.1:9464 or "
                       "[::1]:9464, localhost:9464, or a port of 127.0.0.1 alone",
                       oc_utf8_quote(text, shown, sizeof shown));
    *ret_address = address;
    return OC_OK;
}

bool oc_metrics_host_numeric(const char *host)
{
    oc_metrics_address_t ignored = {0};
    char name[HOST_MAX];
    const char *port = NULL;
    bool brackets = false;

    if (!split(host, name, &brackets, &port))
        return false;
    if (brackets)
        return set_v6(&ignored, name, 0);
    return strcasecmp(name, "localhost") == 0 || set_v4(&ignored, name, 0);
}

/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <ctype.h>
#include <errno.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "event_check.h"
#include "pem.h"

/* The plugin ignores the name and reads it from the token; some brokers want one beside a password. */
#define USERNAME "orgcast-emitter"
#define CONNECT_TIMEOUT_MS 10000
#define HOUSEKEEPING_MS 1000 /* libmosquitto counts keep-alive in whole seconds */
#define PACKETS_PER_STEP 64

/* mosquitto_lib_init() counts without a lock, and its cleanup would pull TLS from under other users
 * of libmosquitto in the process: it is called once and never undone. */
static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void init_library(void)
{
    (void)mosquitto_lib_init();
}

/* The first cause is the one that matters; what follows from it does not overwrite it. */
static void go_down(oc_link_t *link, const char *what, const char *why)
{
    link->state = OC_LINK_DOWN;
    if (!*link->cause)
        (void)snprintf(link->cause, sizeof link->cause, "%s%s%s", what, *why ? ": " : "", why);
}

static void go_down_reason(oc_link_t *link, const char *what, int reason_code)
{
    char why[96];

    (void)snprintf(why, sizeof why, "%s (0x%02x)", mosquitto_reason_string(reason_code),
                   (unsigned)reason_code);
    for (char *letter = why; *letter; letter++)
        *letter = (char)tolower((unsigned char)*letter);
    go_down(link, what, why);
}

static void go_down_errno(oc_link_t *link, const char *what, int error)
{
    char buffer[96];

    go_down(link, what, strerror_r(error, buffer, sizeof buffer));
}

/* The connection ended before the CONNACK. A broker for MQTT 3 alone answers in MQTT 3, or not at all.
 * False: rc says nothing about the broker's protocol. */
static bool go_down_unanswered(oc_link_t *link, int rc, int error)
{
    if (link->state != OC_LINK_CONNECTING || !link->tcp_up)
        return false;
    if (rc == MOSQ_ERR_PROTOCOL || rc == MOSQ_ERR_MALFORMED_PACKET)
        go_down(link, "cannot connect",
                "the answer is not MQTT 5; is this a broker for MQTT 3 only?");
    else if (rc == MOSQ_ERR_CONN_LOST || (rc == MOSQ_ERR_ERRNO && error == 0))
        go_down(link, "cannot connect", "the peer closed the connection without an MQTT 5 answer");
    return link->state == OC_LINK_DOWN;
}

/* rc is libmosquitto's; MOSQ_ERR_ERRNO leaves the cause in errno. */
static void go_down_library(oc_link_t *link, const char *what, int rc, int error)
{
    if (go_down_unanswered(link, rc, error))
        return;
    if (rc == MOSQ_ERR_ERRNO && error == EPROTO)
        go_down(link, what, "the peer broke off TLS");
    else if (rc == MOSQ_ERR_ERRNO && error != 0)
        go_down_errno(link, what, error);
    else
        go_down(link, what, mosquitto_strerror(rc));
}

static void on_connect(struct mosquitto *client, void *context, int reason_code, int flags,
                       const mosquitto_property *properties)
{
    oc_link_t *link = context;
    uint16_t receive_maximum = UINT16_MAX; /* MQTT 5 §3.2.2.3.3 */
    uint8_t maximum_qos = 2;

    (void)client;
    (void)flags;
    if (reason_code == MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION) {
        go_down(link, "refused", "the broker does not accept MQTT 5 (0x84)");
        return;
    }
    if (reason_code != 0) {
        go_down_reason(link, "refused", reason_code);
        return;
    }
    (void)mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum,
                                        false);
    (void)mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &maximum_qos, false);
    if (maximum_qos < 1) {
        go_down(link, "refused", "the broker takes QoS 0 only");
        return;
    }
    if (receive_maximum < 1) {
        go_down(link, "refused", "the broker takes no QoS 1 publish");
        return;
    }
    link->came_up = true;
    link->window = receive_maximum;
    link->state = OC_LINK_UP;
}

/* code: the reason of the broker's DISCONNECT, or libmosquitto's error. */
static void on_disconnect(struct mosquitto *client, void *context, int code,
                          const mosquitto_property *properties)
{
    int error = errno;

    (void)client;
    (void)properties;
    if (code >= 0x80)
        go_down_reason(context, "disconnected by the broker", code);
    else if (code == 0)
        go_down(context, "disconnected by the broker", "");
    else
        go_down_library(context, "connection lost", code, error);
}

static void on_publish(struct mosquitto *client, void *context, int mid, int reason_code,
                       const mosquitto_property *properties)
{
    oc_link_t *link = context;

    (void)client;
    (void)properties;
    link->on_puback(link->context, mid, reason_code);
}

/* OpenSSL's complaints are to be had here alone. */
static void on_log(struct mosquitto *client, void *context, int level, const char *message)
{
    oc_link_t *link = context;

    (void)client;
    if (level == MOSQ_LOG_ERR && !*link->cause)
        (void)snprintf(link->cause, sizeof link->cause, "%s%s", link->tls ? "TLS failed: " : "",
                       message);
}

static int set_options(oc_link_t *link, const oc_settings_t *settings, const char *token)
{
    struct mosquitto *client = link->client;
    int rc = mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5);

    /* Its own limit is the highest there is, so that only ours and the broker's count. */
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, UINT16_MAX);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    if (rc == MOSQ_ERR_SUCCESS && token)
        rc = mosquitto_username_pw_set(client, USERNAME, token);
    if (rc == MOSQ_ERR_SUCCESS && settings->tls_ca_file)
        rc = mosquitto_tls_set(client, settings->tls_ca_file, NULL, settings->tls_cert_file,
                               settings->tls_key_file, oc_pem_no_passphrase);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = mosquitto_property_add_string(&link->publish_properties, MQTT_PROP_CONTENT_TYPE,
                                           OC_EVENT_CONTENT_TYPE);
    mosquitto_connect_v5_callback_set(client, on_connect);
    mosquitto_disconnect_v5_callback_set(client, on_disconnect);
    mosquitto_publish_v5_callback_set(client, on_publish);
    mosquitto_log_callback_set(client, on_log);
    return rc;
}

/* libmosquitto sets up its TLS globals at the first TLS connect, without a lock: connects of several
 * emitters take turns until one has come so far. */
static int begin_connect(oc_link_t *link, const oc_settings_t *settings, const char *local_address)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool tls_ready;
    bool alone = false;
    int rc;

    if (link->tls) {
        (void)pthread_mutex_lock(&lock);
        alone = !tls_ready;
        if (!alone)
            (void)pthread_mutex_unlock(&lock);
    }
    errno = 0;
    rc = mosquitto_connect_bind_async(link->client, settings->host, settings->port,
                                      settings->keepalive_s, local_address);
    if (alone) {
        tls_ready = mosquitto_ssl_get(link->client) != NULL;
        (void)pthread_mutex_unlock(&lock);
    }
    return rc;
}

void oc_link_open(oc_link_t *link, const oc_settings_t *settings, const char *token,
                  const char *local_address, int64_t now_ms, oc_link_puback_fn *on_puback,
                  void *context)
{
    int rc;

    *link = (oc_link_t){
        .tls = settings->tls_ca_file != NULL,
        .deadline_ms = now_ms + CONNECT_TIMEOUT_MS,
        .on_puback = on_puback,
        .context = context,
    };
    (void)pthread_once(&library_once, init_library);
    link->client = mosquitto_new(settings->client_id, true, link);
    if (!link->client) {
        go_down_errno(link, "cannot connect", errno);
        return;
    }
    rc = set_options(link, settings, token);
    if (rc == MOSQ_ERR_SUCCESS)
        rc = begin_connect(link, settings, local_address);
    if (rc == MOSQ_ERR_EAI)
        go_down(link, "cannot connect", "the host name cannot be resolved");
    else if (rc > 0)
        go_down_library(link, "cannot connect", rc, errno);
}

/* The outcome of a TCP connect that was begun without waiting. */
static void check_tcp(oc_link_t *link, int sock)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = errno;
    if (error != 0)
        go_down_errno(link, "cannot connect", error);
    else
        link->tcp_up = true;
}

static void check_library(oc_link_t *link, int rc)
{
    int error = errno;

    if (rc > 0)
        go_down_library(link, "connection lost", rc, error);
    else if (link->state != OC_LINK_DOWN && mosquitto_socket(link->client) < 0)
        go_down(link, "connection lost", "");
}

static void work(oc_link_t *link, int sock, short events)
{
    bool connecting = link->state == OC_LINK_CONNECTING;

    if (!link->tcp_up && (events & (POLLOUT | POLLERR | POLLHUP)))
        check_tcp(link, sock);
    /* A handshake that was cut off looks to libmosquitto as one that goes on. */
    if (link->state != OC_LINK_DOWN && link->tls && connecting && (events & (POLLERR | POLLHUP)))
        go_down(link, "connection lost", "the peer broke off TLS");
    /* It is loop_read() that drives the TLS handshake, in both directions. */
    if (link->state != OC_LINK_DOWN && link->tcp_up && (events || (link->tls && connecting)))
        check_library(link, mosquitto_loop_read(link->client, PACKETS_PER_STEP));
    if (link->state != OC_LINK_DOWN && (events & POLLOUT))
        check_library(link, mosquitto_loop_write(link->client, PACKETS_PER_STEP));
    if (link->state != OC_LINK_DOWN)
        check_library(link, mosquitto_loop_misc(link->client));
    /* Only now, outside of its callbacks. Later on it would format a line for each packet. */
    if (connecting && link->state == OC_LINK_UP)
        mosquitto_log_callback_set(link->client, NULL);
}

bool oc_link_step(oc_link_t *link, int wake_fd, int64_t now_ms, int64_t until_ms)
{
    int64_t timeout_ms = HOUSEKEEPING_MS;
    struct pollfd fds[2];
    int sock;

    if (link->state == OC_LINK_DOWN)
        return false;
    sock = mosquitto_socket(link->client);
    if (link->state == OC_LINK_CONNECTING && now_ms >= link->deadline_ms) {
        go_down(link, "cannot connect", "no answer in time");
        return false;
    }
    if (link->state == OC_LINK_CONNECTING && until_ms > link->deadline_ms)
        until_ms = link->deadline_ms;
    if (until_ms - now_ms < timeout_ms)
        timeout_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    fds[0] = (struct pollfd){.fd = sock, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    if (mosquitto_want_write(link->client) || !link->tcp_up)
        fds[0].events |= POLLOUT;
    if (poll(fds, 2, (int)timeout_ms) < 0) {
        if (errno != EINTR)
            go_down_errno(link, "cannot wait", errno);
        return link->state != OC_LINK_DOWN;
    }
    work(link, sock, fds[0].revents);
    return link->state != OC_LINK_DOWN;
}

int oc_link_publish(oc_link_t *link, const char *topic, const char *payload, size_t payload_len,
                    int *ret_mid)
{
    int rc;

    errno = 0;
    rc = mosquitto_publish_v5(link->client, ret_mid, topic, (int)payload_len, payload, 1, false,
                              link->publish_properties);
    if (rc == MOSQ_ERR_OVERSIZE_PACKET || rc == MOSQ_ERR_PAYLOAD_SIZE)
        return OC_LINK_TOO_LARGE;
    if (rc == MOSQ_ERR_MALFORMED_UTF8 || rc == MOSQ_ERR_INVAL)
        return OC_LINK_TOPIC_INVALID;
    check_library(link, rc);
    return link->state == OC_LINK_DOWN ? -1 : 0;
}

void oc_link_close(oc_link_t *link)
{
    if (link->state == OC_LINK_UP)
        (void)mosquitto_disconnect(link->client);
    mosquitto_property_free_all(&link->publish_properties);
    mosquitto_destroy(link->client);
    link->client = NULL;
    link->state = OC_LINK_DOWN;
}

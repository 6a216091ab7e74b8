/* SPDX-License-Identifier: MIT */
#include "stream_mqtt.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "stream_broker.h"

#define READ_BYTES 65536
#define ANSWER_TIMEOUT_S 30

#define CONTENT_TYPE "application/cloudevents+json; charset=utf-8"
#define PROPERTY_CONTENT_TYPE 3

/* Where in a packet the next byte is. */
enum {
    PART_TYPE,
    PART_LENGTH,
    PART_BODY
};

/* --- Writing --- */

void mqtt_buffer_add(mqtt_buffer_t *buffer, const void *bytes, size_t len)
{
    if (buffer->size - buffer->len < len) {
        buffer->size = (buffer->len + len) * 2;
        buffer->bytes = realloc(buffer->bytes, buffer->size);
        if (!buffer->bytes)
            die("out of memory");
    }
    memcpy(buffer->bytes + buffer->len, bytes, len);
    buffer->len += len;
}

void mqtt_buffer_done(mqtt_buffer_t *buffer)
{
    free(buffer->bytes);
    *buffer = (mqtt_buffer_t){0};
}

static void add_byte(mqtt_buffer_t *buffer, unsigned byte)
{
    unsigned char value = (unsigned char)byte;

    mqtt_buffer_add(buffer, &value, 1);
}

static void add_number(mqtt_buffer_t *buffer, size_t number)
{
    add_byte(buffer, (unsigned)(number >> 8 & 0xff));
    add_byte(buffer, (unsigned)(number & 0xff));
}

static void add_text(mqtt_buffer_t *buffer, const char *text)
{
    size_t len = strlen(text);

    add_number(buffer, len);
    mqtt_buffer_add(buffer, text, len);
}

/* A variable byte integer, MQTT 5 §1.5.5. */
static void add_length(mqtt_buffer_t *buffer, size_t length)
{
    for (; length > 127; length >>= 7)
        add_byte(buffer, (unsigned)(length & 127) | 128);
    add_byte(buffer, (unsigned)length);
}

void mqtt_add_publish(mqtt_buffer_t *buffer, const mqtt_publish_t *publish)
{
    size_t properties_len = 1 + 2 + sizeof CONTENT_TYPE - 1;
    bool has_id = publish->packet_id != 0;

    add_byte(buffer, MQTT_PUBLISH << 4 | (has_id ? 2u : 0u));
    add_length(buffer, 2 + strlen(publish->topic) + (has_id ? 2 : 0) + 1 + properties_len +
                           publish->payload_len);
    add_text(buffer, publish->topic);
    if (has_id)
        add_number(buffer, publish->packet_id);
    add_length(buffer, properties_len);
    add_byte(buffer, PROPERTY_CONTENT_TYPE);
    add_text(buffer, CONTENT_TYPE);
    mqtt_buffer_add(buffer, publish->payload, publish->payload_len);
}

void mqtt_send(mqtt_client_t *client, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(client->fd, bytes, len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            die("the broker takes no more: %s", strerror(errno));
        bytes += sent;
        len -= (size_t)sent;
    }
}

/* --- Reading --- */

static void end_packet(mqtt_client_t *client, size_t body_len)
{
    const unsigned char *lead = client->lead;
    unsigned reason = 0;

    if (client->type == MQTT_CONNACK && client->lead_len > 1)
        reason = lead[1];
    /* A packet id comes first; SUBACK has properties after it, of which there are none. */
    if (client->type == MQTT_PUBACK && client->lead_len > 2)
        reason = lead[2];
    if (client->type == MQTT_SUBACK && client->lead_len > 3)
        reason = lead[3];
    if (reason >= 0x80 || client->type == MQTT_DISCONNECT)
        die("the broker refused something: packet type %u, reason 0x%02x", client->type, reason);
    client->counts[client->type]++;
    client->body_len = body_len;
    client->part = PART_TYPE;
}

static void begin_body(mqtt_client_t *client)
{
    client->lead_len = 0;
    client->body_len = client->left;
    client->part = PART_BODY;
    if (client->left == 0)
        end_packet(client, 0);
}

/* Gives how many bytes it has used. */
static size_t read_body(mqtt_client_t *client, const unsigned char *bytes, size_t len)
{
    size_t used = len < client->left ? len : client->left;

    for (size_t i = 0; i < used && client->lead_len < sizeof client->lead; i++)
        client->lead[client->lead_len++] = bytes[i];
    client->left -= used;
    if (client->left == 0)
        end_packet(client, client->body_len);
    return used;
}

static void take(mqtt_client_t *client, const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len;) {
        switch (client->part) {
        case PART_TYPE:
            client->type = bytes[i++] >> 4;
            client->left = 0;
            client->shift = 0;
            client->part = PART_LENGTH;
            break;
        case PART_LENGTH:
            client->left |= (size_t)(bytes[i] & 127) << client->shift;
            client->shift += 7;
            if (!(bytes[i++] & 128))
                begin_body(client);
            break;
        default:
            i += read_body(client, bytes + i, len - i);
        }
    }
}

bool mqtt_read(mqtt_client_t *client, bool wait)
{
    static unsigned char bytes[READ_BYTES];
    ssize_t got;

    do
        got = recv(client->fd, bytes, sizeof bytes, wait ? 0 : MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN && !wait)
        return false;
    if (got < 0)
        die("the broker does not answer: %s", strerror(errno));
    if (got == 0)
        die("the broker has closed a connection");
    take(client, bytes, (size_t)got);
    return true;
}

static void await(mqtt_client_t *client, enum mqtt_type type)
{
    size_t before = client->counts[type];

    while (client->counts[type] == before)
        (void)mqtt_read(client, true);
}

void mqtt_ping(mqtt_client_t *client)
{
    static const char request[] = {(char)0xc0, 0};

    mqtt_send(client, request, sizeof request);
    await(client, MQTT_PINGRESP);
}

/* --- Coming and going --- */

static void send_packet(mqtt_client_t *client, unsigned first_byte, const mqtt_buffer_t *body)
{
    mqtt_buffer_t packet = {0};

    add_byte(&packet, first_byte);
    add_length(&packet, body->len);
    mqtt_buffer_add(&packet, body->bytes, body->len);
    mqtt_send(client, packet.bytes, packet.len);
    mqtt_buffer_done(&packet);
}

static int connect_to(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
    const int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) != 0)
        die("cannot connect to a broker: %s", strerror(errno));
    return fd;
}

void mqtt_open(mqtt_client_t *client, int port, const char *client_id, const char *password)
{
    /* Version 5, clean start and a password, no keep-alive, no properties. */
    static const unsigned char head[] = {0, 4, 'M', 'Q', 'T', 'T', 5, 0x42, 0, 0, 0};
    mqtt_buffer_t body = {0};

    *client = (mqtt_client_t){.fd = connect_to(port)};
    mqtt_buffer_add(&body, head, sizeof head);
    add_text(&body, client_id);
    add_text(&body, password);
    send_packet(client, 0x10, &body);
    mqtt_buffer_done(&body);
    await(client, MQTT_CONNACK);
}

void mqtt_subscribe(mqtt_client_t *client, const char *filter)
{
    mqtt_buffer_t body = {0};

    add_number(&body, 1);
    add_length(&body, 0);
    add_text(&body, filter);
    add_byte(&body, 0);
    send_packet(client, 0x82, &body);
    mqtt_buffer_done(&body);
    await(client, MQTT_SUBACK);
}

void mqtt_close(mqtt_client_t *client)
{
    static const char disconnect[] = {(char)0xe0, 0};

    (void)send(client->fd, disconnect, sizeof disconnect, MSG_NOSIGNAL);
    (void)close(client->fd);
    client->fd = -1;
}

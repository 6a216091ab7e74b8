/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whatever comes in is one packet: the other side waits for an answer before it sends the next. */
static bool wait_for_packet(int sock)
{
    char bytes[4096];

    return recv(sock, bytes, sizeof bytes, 0) > 0;
}

static void reset_on_close(int sock)
{
    const struct linger abort_it = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(sock, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
}

static void *run(void *context)
{
    peer_t *peer = context;

    for (int i = 0; i < PEER_CONNECTIONS; i++) {
        int sock = accept(peer->listener, NULL, NULL);

        if (sock < 0)
            break;
        for (int j = 0; j < PEER_ANSWERS; j++) {
            const peer_answer_t *answer = &peer->script[i][j];

            if (!answer->bytes && answer->len > 0)
                reset_on_close(sock);
            if (!answer->bytes || !wait_for_packet(sock))
                break;
            (void)send(sock, answer->bytes, answer->len, MSG_NOSIGNAL);
        }
        (void)close(sock);
    }
    return NULL;
}

void peer_start(peer_t *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(peer->listener, 0);
    ck_assert_int_eq(bind(peer->listener, (const struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(peer->listener, 4), 0);
    ck_assert_int_eq(getsockname(peer->listener, (struct sockaddr *)&address, &len), 0);
    peer->port = ntohs(address.sin_port);
    ck_assert_int_eq(pthread_create(&peer->thread, NULL, run, peer), 0);
}

void peer_stop(peer_t *peer)
{
    (void)shutdown(peer->listener, SHUT_RDWR);
    ck_assert_int_eq(pthread_join(peer->thread, NULL), 0);
    ck_assert_int_eq(close(peer->listener), 0);
}

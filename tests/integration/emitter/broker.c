/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_TIMEOUT_MS 20000

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(sock, 0);
    ck_assert_int_eq(bind(sock, (const struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(sock, (struct sockaddr *)&address, &len), 0);
    ck_assert_int_eq(close(sock), 0);
    return ntohs(address.sin_port);
}

void broker_init(broker_t *broker)
{
    *broker = (broker_t){.log = -1, .port = free_port(), .dir = "/tmp/orgcast-broker-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(broker->dir));
}

const char *broker_file(broker_t *broker, const char *name, const char *text)
{
    static char path[64];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", broker->dir, name);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    return path;
}

static void run(const char *config, int log)
{
    const char *program = getenv("MOSQUITTO");

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    if (!program)
        program = "/usr/sbin/mosquitto";
    execl(program, program, "-c", config, (char *)NULL);
    _exit(127);
}

static long now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Its log says so when every listener is open. */
static void wait_until_running(broker_t *broker)
{
    long deadline_ms = now_ms() + START_TIMEOUT_MS;
    char text[4096] = "";
    size_t used = 0;

    while (!strstr(text, " running\n")) {
        struct pollfd fd = {.fd = broker->log, .events = POLLIN};
        long left_ms = deadline_ms - now_ms();
        ssize_t got;

        ck_assert_msg(left_ms > 0 && poll(&fd, 1, (int)left_ms) == 1, "the broker does not start");
        got = read(broker->log, text + used, sizeof text - 1 - used);
        ck_assert_msg(got > 0, "the broker ended at its start:\n%s", text);
        used += (size_t)got;
        text[used] = '\0';
    }
}

/* Little is logged: nobody reads the pipe later on. */
static const char *write_config(broker_t *broker, const char *lines)
{
    char config[2048];

    (void)snprintf(config, sizeof config,
                   "%slistener %d 127.0.0.1\nlog_dest stderr\nlog_type information\n"
                   "log_type error\n%s",
                   geteuid() == 0 ? "user root\n" : "", broker->port, lines);
    return broker_file(broker, "mosquitto.conf", config);
}

void broker_start(broker_t *broker, const char *lines)
{
    const char *path = write_config(broker, lines);
    int log[2];

    ck_assert_int_eq(pipe2(log, O_CLOEXEC), 0);
    broker->pid = fork();
    ck_assert_int_ge(broker->pid, 0);
    if (broker->pid == 0)
        run(path, log[1]);
    ck_assert_int_eq(close(log[1]), 0);
    broker->log = log[0];
    wait_until_running(broker);
}

static void stop(broker_t *broker, int signal_number)
{
    if (broker->pid == 0)
        return;
    ck_assert_int_eq(kill(broker->pid, signal_number), 0);
    ck_assert_int_eq(waitpid(broker->pid, NULL, 0), broker->pid);
    (void)close(broker->log);
    broker->pid = 0;
    broker->log = -1;
}

void broker_kill(broker_t *broker)
{
    stop(broker, SIGKILL);
}

void broker_done(broker_t *broker)
{
    static const char *const names[] = {"mosquitto.conf", "acl",      "passwords",
                                        "token",          "cert.pem", "key.pem"};
    char path[64];

    stop(broker, SIGTERM);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", broker->dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(broker->dir);
}

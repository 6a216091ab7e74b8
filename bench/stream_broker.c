/* SPDX-License-Identifier: MIT */
#include "stream_broker.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define BROKERS_MAX 2
#define FILES_MAX 5
#define PATH_BYTES 128
#define START_TIMEOUT_NS 10e9

/* A signal may come at any time: these are complete before what they name is there. */
static char folder[] = "/tmp/orgcast-stream-XXXXXX";
static bool has_folder;
static char files[FILES_MAX][PATH_BYTES];
static volatile sig_atomic_t file_count;
static volatile pid_t pids[BROKERS_MAX];
static volatile sig_atomic_t broker_count;
static int ports[BROKERS_MAX];
static cpu_set_t processors; /* that this program may use */

/* Only what a signal handler may call. */
void brokers_stop(void)
{
    for (sig_atomic_t i = 0; i < broker_count; i++) {
        if (pids[i] > 0) {
            (void)kill(pids[i], SIGKILL);
            (void)waitpid(pids[i], NULL, 0);
            pids[i] = 0;
        }
    }
    broker_count = 0;
    for (sig_atomic_t i = 0; i < file_count; i++)
        (void)unlink(files[i]);
    file_count = 0;
}

static void clean_up(void)
{
    brokers_stop();
    if (has_folder)
        (void)rmdir(folder);
}

static void on_signal(int number)
{
    clean_up();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

void die(const char *format, ...)
{
    va_list args;

    (void)fflush(stdout);
    (void)fputs("stream: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

/* The brokers, of which one works at a time, keep to the first of the processors, and this program to the last:
 * whoever is moved about begins with cold caches. */
static void keep_to_processor(bool first)
{
    cpu_set_t one;
    size_t cpu = CPU_SETSIZE;

    for (size_t i = 0; i < CPU_SETSIZE && !(first && cpu < CPU_SETSIZE); i++) {
        if (CPU_ISSET(i, &processors))
            cpu = i;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    (void)sched_setaffinity(0, sizeof one, &one);
}

void brokers_prepare(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV};
    const struct sigaction action = {.sa_handler = on_signal};

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)sigaction(signals[i], &action, NULL);
    if (!mkdtemp(folder))
        die("no folder under /tmp: %s", strerror(errno));
    has_folder = true;
    if (sched_getaffinity(0, sizeof processors, &processors) != 0)
        die("no set of processors: %s", strerror(errno));
    keep_to_processor(false);
    if (atexit(clean_up) != 0)
        die("out of memory");
}

/* The path of a file that goes away with the folder. */
static const char *path_of(const char *name, const char *suffix)
{
    char *path = files[file_count];

    if (file_count >= FILES_MAX)
        die("too many files");
    (void)snprintf(path, PATH_BYTES, "%s/%s%s", folder, name, suffix);
    file_count++;
    return path;
}

/* One that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        die("no free port: %s", strerror(errno));
    (void)close(fd);
    return ntohs(address.sin_port);
}

static FILE *create(const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        die("%s: %s", path, strerror(errno));
    return file;
}

static void finish(FILE *file)
{
    if (fclose(file) != 0)
        die("cannot write a file: %s", strerror(errno));
}

static void write_conf(const char *path, int port, const char *plugin)
{
    FILE *file = create(path);

    /* No queue of a subscriber has an end, so that nothing is dropped; QoS 1 may have many in flight. */
    (void)fprintf(file,
                  "listener %d 127.0.0.1\nlog_dest stderr\nlog_type error\nlog_type warning\n"
                  "connection_messages false\nset_tcp_nodelay true\nmax_queued_messages 0\n"
                  "max_inflight_messages 1000\nsys_interval 0\n%s",
                  port, geteuid() == 0 ? "user root\n" : "");
    if (!plugin) {
        (void)fputs("allow_anonymous true\n", file);
    } else {
        const char *secret_path = path_of("secret", "");
        FILE *secret = create(secret_path);

        (void)fputs(BROKER_SECRET, secret);
        finish(secret);
        (void)fprintf(file, "plugin %s\nplugin_opt_jwt_secret_file %s\n", plugin, secret_path);
    }
    finish(file);
}

static _Noreturn void run_broker(const char *mosquitto, const char *conf, const char *log)
{
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    /* Not even a program that is killed leaves one behind. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    keep_to_processor(true);
    if (fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0)
        (void)execlp(mosquitto, mosquitto, "-c", conf, (char *)NULL);
    _exit(127);
}

static _Noreturn void did_not_start(const char *mosquitto, const char *log)
{
    char text[2048] = "";
    FILE *file = fopen(log, "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;

    if (file)
        (void)fclose(file);
    text[len] = '\0';
    die("%s does not start:\n%s", mosquitto, text);
}

static bool listens(int port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        (void)close(fd);
    return connected;
}

size_t broker_start(const char *name, const char *mosquitto, const char *plugin)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    const char *conf = path_of(name, ".conf");
    const char *log = path_of(name, ".log");
    double until_ns = bench_now_ns() + START_TIMEOUT_NS;
    int port = free_port();
    pid_t pid;

    write_conf(conf, port, plugin);
    if (broker_count >= BROKERS_MAX)
        die("too many brokers");
    pid = fork();
    if (pid == 0)
        run_broker(mosquitto, conf, log);
    if (pid < 0)
        die("no process to be had: %s", strerror(errno));
    pids[broker_count] = pid;
    ports[broker_count] = port;
    broker_count++;
    while (!listens(port)) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            pids[broker_count - 1] = 0;
            did_not_start(mosquitto, log);
        }
        if (bench_now_ns() > until_ns)
            did_not_start(mosquitto, log);
        (void)nanosleep(&moment, NULL);
    }
    return (size_t)broker_count - 1;
}

int broker_port(size_t number)
{
    return ports[number];
}

double broker_cpu_ns(size_t number)
{
    clockid_t clock;
    struct timespec now;

    if (clock_getcpuclockid(pids[number], &clock) != 0 || clock_gettime(clock, &now) != 0)
        die("a broker is gone");
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

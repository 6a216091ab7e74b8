/* SPDX-License-Identifier: MIT */

/* What the plugin costs a broker: two brokers that differ in it alone, with its defaults (events are checked,
 * numbered and kept), take short turns. Printed are medians of the rounds, and of the ratios and differences
 * in each round, by the clock and by the broker's processor time. Where others use the machine the latter
 * says more, so it is what --check looks at: a broker that has all it can do is as fast as that lets it be.
 *
 * A numbered event is longer than what was published. So that the same bytes are delivered, the broker
 * without the plugin is given events that are as long beforehand. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "stream_broker.h"
#include "stream_load.h"

#define EVENT_BYTES ((size_t)600)
#define SUBJECTS 2
/* Of a round of deliveries, for each event of a round of publishes. */
#define DELIVERIES_PER_EVENT 4

#define ROUNDS_OF_A_PROCESS 4

/* This part of a round goes before each of its four parts, and is not measured. */
#define WARM_UP_SHARE 5

/* What --check wants. */
#define DELIVERIES_RATIO_MIN 0.97
/* 15, and what rounds on a busy machine differ by. */
#define PUBLISH_CPU_MAX_US 20.0

static const char help[] =
    "Usage: stream [OPTION]...\n"
    "\n"
    "Events and deliveries a second of a broker with the plugin, beside the same broker without "
    "it.\n"
    "\n"
    "  --subscribers N  of one organization (default 1000)\n"
    "  --events N       published in a round (default 5000); 4 times as many are delivered in "
    "one\n"
    "  --rounds N       of each (default 64, at most 101)\n"
    "  --broker PATH    of mosquitto (default $MOSQUITTO or /usr/sbin/mosquitto)\n"
    "  --plugin PATH    (default: this build's)\n"
    "  --only WHAT      publishes or deliveries\n"
    "  --same-input     deliver shorter events without the plugin: as they are published\n"
    "  --check          exit with 1 when the plugin costs too much\n"
    "  --help\n";

typedef struct settings {
    size_t subscribers;
    size_t events;
    size_t rounds;
    const char *broker;
    const char *plugin;
    bool publishes;
    bool deliveries;
    bool same_input;
    bool check;
} settings_t;

/* One of those that take turns, and what its rounds took for each event. */
typedef struct subject {
    const char *name;
    side_t *side;
    size_t payload_len;
    double wall_ns[BENCH_ROUNDS_MAX];
    double cpu_ns[BENCH_ROUNDS_MAX];
} subject_t;

typedef struct trial {
    side_t ours;
    side_t bare;
    subject_t subjects[SUBJECTS];
    size_t subscribers;
    size_t rounds;
    size_t events;
    int qos;
    load_fn *load;
} trial_t;

/* --- Measuring --- */

/* Add a part of a round to what the subject has of it. */
static void run_part(const trial_t *trial, subject_t *subject, size_t round)
{
    static batch_t batch;
    double wall_ns;
    double cpu_ns;

    batch_make(&batch, trial->events / WARM_UP_SHARE + 1, subject->payload_len, trial->qos);
    trial->load(subject->side, &batch);
    batch_make(&batch, trial->events, subject->payload_len, trial->qos);
    cpu_ns = broker_cpu_ns(subject->side->broker);
    wall_ns = bench_now_ns();
    trial->load(subject->side, &batch);
    wall_ns = bench_now_ns() - wall_ns;
    cpu_ns = broker_cpu_ns(subject->side->broker) - cpu_ns;
    subject->wall_ns[round] += wall_ns / (double)trial->events / 2;
    subject->cpu_ns[round] += cpu_ns / (double)trial->events / 2;
}

static void start_brokers(const settings_t *settings, trial_t *trial, bool bare_first)
{
    size_t bare = bare_first ? broker_start("bare", settings->broker, NULL) : 0;
    size_t ours = broker_start("plugin", settings->broker, settings->plugin);

    if (!bare_first)
        bare = broker_start("bare", settings->broker, NULL);
    side_open(&trial->ours, ours);
    side_open(&trial->bare, bare);
    if (trial->subscribers > 0) {
        side_subscribe(&trial->ours, trial->subscribers);
        side_subscribe(&trial->bare, trial->subscribers);
    }
}

static void stop_brokers(trial_t *trial)
{
    side_close(&trial->ours);
    side_close(&trial->bare);
    brokers_stop();
}

/* A round is A B B A: who comes after the other finds the processor's caches full of what is not its own, and
 * so each comes once after the other and once after itself, also in the first round, as another one of which
 * nothing is kept goes before it. */
static void run_round(trial_t *trial, size_t round)
{
    static const size_t order[] = {0, 1, 1, 0};

    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        run_part(trial, &trial->subjects[order[i]], round);
}

/* Where a process's memory lies makes it faster or slower as long as it lives, so there are new ones every few
 * rounds. */
static void run_trial(const settings_t *settings, trial_t *trial)
{
    trial->subjects[0].side = &trial->ours;
    trial->subjects[1].side = &trial->bare;
    for (size_t round = 0; round < trial->rounds; round++) {
        if (round % ROUNDS_OF_A_PROCESS == 0) {
            if (round > 0)
                stop_brokers(trial);
            start_brokers(settings, trial, round / ROUNDS_OF_A_PROCESS % 2 != 0);
            run_round(trial, round);
            for (size_t i = 0; i < SUBJECTS; i++)
                trial->subjects[i].wall_ns[round] = trial->subjects[i].cpu_ns[round] = 0;
        }
        run_round(trial, round);
    }
    stop_brokers(trial);
}

/* --- Numbers --- */

typedef struct spread {
    double low; /* quartile */
    double median;
    double high;
} spread_t;

static spread_t spread_of(double *values, size_t count)
{
    bench_sort(values, count);
    return (spread_t){values[count / 4], (values[(count - 1) / 2] + values[count / 2]) / 2,
                      values[count - 1 - count / 4]};
}

static double median_of(const double *values, size_t count)
{
    double copy[BENCH_ROUNDS_MAX];

    memcpy(copy, values, count * sizeof *copy);
    return spread_of(copy, count).median;
}

static spread_t ratios(const double *over, const double *under, size_t count)
{
    double values[BENCH_ROUNDS_MAX];

    for (size_t i = 0; i < count; i++)
        values[i] = over[i] / under[i];
    return spread_of(values, count);
}

static spread_t differences(const double *from, const double *take, size_t count)
{
    double values[BENCH_ROUNDS_MAX];

    for (size_t i = 0; i < count; i++)
        values[i] = from[i] - take[i];
    return spread_of(values, count);
}

/* --- Printing --- */

static void print_spread(const char *name, spread_t spread, const char *unit)
{
    (void)printf("  %-44s %8.3f%s   (half of the rounds: %.3f to %.3f)\n", name, spread.median,
                 unit, spread.low, spread.high);
}

/* each: what is counted, for an event */
static void print_subjects(const trial_t *trial, const char *what, double each)
{
    (void)printf("  %-30s %12s/s %12s %12s %10s\n", "", what, "us each", "CPU us each", "CPU busy");
    for (size_t i = 0; i < SUBJECTS; i++) {
        const subject_t *subject = &trial->subjects[i];
        double wall_us = median_of(subject->wall_ns, trial->rounds) / each / 1e3;
        double cpu_us = median_of(subject->cpu_ns, trial->rounds) / each / 1e3;

        (void)printf("  %-30s %14.0f %12.3f %12.3f %8.0f %%\n", subject->name, 1e6 / wall_us,
                     wall_us, cpu_us, 100 * cpu_us / wall_us);
    }
}

static spread_t in_us(spread_t ns)
{
    return (spread_t){ns.low / 1e3, ns.median / 1e3, ns.high / 1e3};
}

/* Gives the processor time that the plugin adds to a publish. */
static double print_publishes(const trial_t *trial)
{
    const subject_t *ours = &trial->subjects[0];
    const subject_t *bare = &trial->subjects[1];
    spread_t cpu_us = in_us(differences(ours->cpu_ns, bare->cpu_ns, trial->rounds));

    (void)printf("\n%zu publishes, QoS %d, nobody subscribed\n", trial->events, trial->qos);
    print_subjects(trial, "events", 1);
    print_spread("events/s, with / without", ratios(bare->wall_ns, ours->wall_ns, trial->rounds),
                 "");
    print_spread("overhead of a publish",
                 in_us(differences(ours->wall_ns, bare->wall_ns, trial->rounds)), " us");
    print_spread("overhead of a publish, CPU", cpu_us, " us");
    (void)fflush(stdout);
    return cpu_us.median;
}

/* Gives how many deliveries a second of processor time are for one of the broker without the plugin. */
static double print_deliveries(const trial_t *trial)
{
    const subject_t *ours = &trial->subjects[0];
    const subject_t *bare = &trial->subjects[1];
    spread_t cpu = ratios(bare->cpu_ns, ours->cpu_ns, trial->rounds);

    (void)printf(
        "\n%zu events to %zu subscribers of one organization, QoS 0; without the plugin "
        "they have %zu bytes\n",
        trial->events, trial->subscribers, bare->payload_len);
    print_subjects(trial, "deliveries", (double)trial->subscribers);
    print_spread("deliveries/s, with / without",
                 ratios(bare->wall_ns, ours->wall_ns, trial->rounds), "");
    print_spread("deliveries a second of CPU, with / without", cpu, "");
    return cpu.median;
}

/* --- Beginning --- */

static size_t number_of(const char *name, const char *text, size_t most)
{
    char *end = NULL;
    unsigned long number = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || number < 1 || number > most) {
        (void)fprintf(stderr, "stream: %s wants a number from 1 to %zu\n", name, most);
        exit(2);
    }
    return number;
}

static _Noreturn void refuse_usage(void)
{
    (void)fputs(help, stderr);
    exit(2);
}

static void read_arguments(int argc, char **argv, settings_t *settings)
{
    static const struct option options[] = {
        {"subscribers", required_argument, NULL, 's'},
        {"events", required_argument, NULL, 'e'},
        {"rounds", required_argument, NULL, 'r'},
        {"broker", required_argument, NULL, 'b'},
        {"plugin", required_argument, NULL, 'p'},
        {"only", required_argument, NULL, 'o'},
        {"same-input", no_argument, NULL, 'i'},
        {"check", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 's':
            settings->subscribers = number_of("--subscribers", optarg, 100000);
            break;
        case 'e':
            settings->events = number_of("--events", optarg, 50000);
            break;
        case 'r':
            settings->rounds = number_of("--rounds", optarg, BENCH_ROUNDS_MAX);
            break;
        case 'b':
            settings->broker = optarg;
            break;
        case 'p':
            settings->plugin = optarg;
            break;
        case 'o':
            settings->publishes = strcmp(optarg, "publishes") == 0;
            settings->deliveries = strcmp(optarg, "deliveries") == 0;
            if (!settings->publishes && !settings->deliveries)
                refuse_usage();
            break;
        case 'i':
            settings->same_input = true;
            break;
        case 'c':
            settings->check = true;
            break;
        case 'h':
            (void)fputs(help, stdout);
            exit(EXIT_SUCCESS);
        default:
            refuse_usage();
        }
    }
    if (optind < argc)
        refuse_usage();
}

/* For the subscribers of both brokers; the brokers inherit it. */
static void allow_files(size_t subscribers)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)subscribers * 2 + 64;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("no limit of open files");
    if (limit.rlim_max < needed)
        die("%zu subscribers need %llu open files, and the hard limit is %llu", subscribers,
            (unsigned long long)needed, (unsigned long long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_cur < needed ? needed : limit.rlim_cur;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("cannot raise the limit of open files");
}

/* Gives the processor time that the plugin adds to a publish, in microseconds. */
static double run_publishes(const settings_t *settings, int qos)
{
    trial_t trial = {
        .subjects = {{.name = "with the plugin", .payload_len = EVENT_BYTES},
                     {.name = "without it", .payload_len = EVENT_BYTES}},
        .rounds = settings->rounds,
        .events = settings->events,
        .qos = qos,
        .load = qos ? load_qos1 : load_qos0,
    };

    run_trial(settings, &trial);
    return print_publishes(&trial);
}

/* added: the bytes by which an event gets longer in the plugin */
static double run_deliveries(const settings_t *settings, size_t added)
{
    size_t events = settings->events * DELIVERIES_PER_EVENT / settings->subscribers;
    size_t bare_len = EVENT_BYTES + (settings->same_input ? 0 : added);
    trial_t trial = {
        .subjects = {{.name = "with the plugin", .payload_len = EVENT_BYTES},
                     {.name = "without it", .payload_len = bare_len}},
        .subscribers = settings->subscribers,
        .rounds = settings->rounds,
        .events = events > 0 ? events : 1,
        .load = load_fan_out,
    };

    run_trial(settings, &trial);
    return print_deliveries(&trial);
}

/* By how many bytes an event gets longer in the plugin. */
static size_t find_added(const settings_t *settings)
{
    trial_t trial = {0};
    size_t added;

    start_brokers(settings, &trial, false);
    added = bytes_added(&trial.ours, &trial.bare, EVENT_BYTES);
    stop_brokers(&trial);
    return added;
}

static int verdict(double publish_cpu_us, double deliveries_ratio)
{
    bool good = publish_cpu_us <= PUBLISH_CPU_MAX_US && deliveries_ratio >= DELIVERIES_RATIO_MIN;

    (void)printf(
        "\n%s: a publish costs %.1f us of CPU more (at most %.1f), a second of CPU makes %.3f of "
        "the "
        "deliveries (at least %.2f)\n",
        good ? "good" : "BAD", publish_cpu_us, PUBLISH_CPU_MAX_US, deliveries_ratio,
        DELIVERIES_RATIO_MIN);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int compare(const settings_t *settings)
{
    size_t added = find_added(settings);
    double publish_cpu_us = 0;
    double ratio = 1;

    (void)printf(
        "%s, %s\nevents of %zu bytes, %zu when the plugin delivers them; medians of %zu "
        "rounds, taken in turn\n",
        settings->broker, settings->plugin, EVENT_BYTES, EVENT_BYTES + added, settings->rounds);
    (void)fflush(stdout);
    for (int qos = 0; settings->publishes && qos <= 1; qos++) {
        double cpu_us = run_publishes(settings, qos);

        publish_cpu_us = cpu_us > publish_cpu_us ? cpu_us : publish_cpu_us;
    }
    if (settings->deliveries)
        ratio = run_deliveries(settings, added);
    return settings->check ? verdict(publish_cpu_us, ratio) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const char *mosquitto = getenv("MOSQUITTO");
    settings_t settings = {.subscribers = 1000,
                           .events = 5000,
                           .rounds = 64,
                           .broker = mosquitto ? mosquitto : "/usr/sbin/mosquitto",
                           .plugin = BENCH_PLUGIN,
                           .publishes = true,
                           .deliveries = true};

    read_arguments(argc, argv, &settings);
    allow_files(settings.subscribers);
    brokers_prepare();
    return compare(&settings);
}

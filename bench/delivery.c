/* SPDX-License-Identifier: MIT */

/* What a delivery costs: the shipped plugin's READ check, called as the broker calls it, with many live
 * sessions: messages of organizations in random order, each to the hundred subscribers of its own, whose
 * sessions lie scattered among the others'; allocations in it are counted. Beside it the broker's own matcher on
 * one filter (mosquitto_topic_matches_sub), the least that any topic check does.
 *
 * usage: delivery PLUGIN [SESSIONS] */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "fake_broker.h"
#include "mint.h"

#define ROUNDS 31
#define ITERATIONS ((size_t)200000)
#define SECRET "a secret of the bench program, of 48 bytes or so"

/* glibc's own allocator under its internal names, so that calls can be counted. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
static size_t allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t nmemb, size_t size)
{
    allocations++;
    return __libc_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    allocations++;
    return __libc_realloc(ptr, size);
}

/* Sessions an organization. */
#define SUBSCRIBERS ((size_t)100)

typedef struct load {
    struct mosquitto *clients;
    char (*topics)[64]; /* one an organization */
    uint32_t *order;    /* clients */
    size_t sessions;
    size_t organizations;
    size_t wrong;
} load_t;

static const char *topic_of(const load_t *load, uint32_t client, size_t distance)
{
    return load->topics[(client + distance) % load->organizations];
}

static void deliver_own(void *context, size_t iterations)
{
    load_t *load = context;

    for (size_t i = 0; i < iterations; i++) {
        uint32_t at = load->order[i];

        load->wrong += fake_broker_check(&load->clients[at], MOSQ_ACL_READ,
                                         topic_of(load, at, 0)) != MOSQ_ERR_SUCCESS;
    }
}

static void deliver_other(void *context, size_t iterations)
{
    load_t *load = context;

    for (size_t i = 0; i < iterations; i++) {
        uint32_t at = load->order[i];

        load->wrong += fake_broker_check(&load->clients[at], MOSQ_ACL_READ,
                                         topic_of(load, at, 1)) != MOSQ_ERR_ACL_DENIED;
    }
}

static void match_only(void *context, size_t iterations)
{
    load_t *load = context;
    bool matches = false;

    for (size_t i = 0; i < iterations; i++) {
        (void)mosquitto_topic_matches_sub("org/acme/invoices/#", topic_of(load, load->order[i], 0),
                                          &matches);
        load->wrong += matches;
    }
}

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "delivery: %s\n", what);
    exit(1);
}

static void connect_clients(load_t *load)
{
    char claims[256];

    for (size_t i = 0; i < load->sessions; i++) {
        char *token = NULL;

        (void)snprintf(claims, sizeof claims,
                       "{\"sub\":\"user-%zu\",\"org_id\":\"org-%zu\",\"exp\":%lld}", i,
                       i % load->organizations, (long long)time(NULL) + 3600);
        if (oc_mint_token("HS256", NULL, (const unsigned char *)SECRET, strlen(SECRET), claims,
                          &token, NULL) != OC_OK)
            die("cannot mint a token");
        (void)snprintf(load->clients[i].id, sizeof load->clients[i].id, "client-%zu", i);
        (void)snprintf(load->clients[i].address, sizeof load->clients[i].address, "127.0.0.1");
        load->clients[i].clean_session = true;
        if (fake_broker_connect(&load->clients[i], token) != MOSQ_ERR_SUCCESS)
            die("a good token was refused");
        free(token);
    }
}

int main(int argc, char **argv)
{
    char secret_path[] = "/tmp/orgcast-bench-XXXXXX";
    char option_name[] = "jwt_secret_file";
    struct mosquitto_opt option = {.key = option_name, .value = secret_path};
    size_t sessions = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000;
    load_t load = {.sessions = sessions, .organizations = sessions / SUBSCRIBERS};
    size_t organization = 0;
    int fd = mkstemp(secret_path);
    size_t before;

    if (argc < 2 || load.organizations < 2)
        die("usage: delivery PLUGIN [SESSIONS]");
    if (fd < 0 || write(fd, SECRET, strlen(SECRET)) != (ssize_t)strlen(SECRET))
        die("cannot write a key file");
    fake_broker_start(argv[1], &option, 1);
    (void)unlink(secret_path);

    load.clients = calloc(sessions, sizeof *load.clients);
    load.topics = calloc(sessions, sizeof *load.topics);
    load.order = calloc(ITERATIONS, sizeof *load.order);
    if (!load.clients || !load.topics || !load.order)
        die("out of memory");
    for (size_t i = 0; i < load.organizations; i++)
        (void)snprintf(load.topics[i], sizeof load.topics[i], "org/org-%zu/invoices/paid/inv-17",
                       i);
    connect_clients(&load);
    srandom(1);
    for (size_t i = 0; i < ITERATIONS; i++) {
        size_t subscriber = i % SUBSCRIBERS;

        if (subscriber == 0)
            organization = (size_t)random() % load.organizations;
        load.order[i] = (uint32_t)(subscriber * load.organizations + organization);
    }

    bench_subject_t subjects[] = {
        {.name = "delivery check, own organization", .run = deliver_own},
        {.name = "delivery check, other organization", .run = deliver_other},
        {.name = "mosquitto_topic_matches_sub alone", .run = match_only},
    };
    for (size_t i = 0; i < 3; i++) {
        subjects[i].context = &load;
        subjects[i].iterations = ITERATIONS;
    }
    before = allocations;
    bench_run(subjects, 3, ROUNDS);
    before = allocations - before;

    printf("%zu live sessions of %zu organizations, %d rounds of %zu checks, medians\n", sessions,
           load.organizations, ROUNDS, ITERATIONS);
    for (size_t i = 0; i < 3; i++)
        printf("  %-38s %6.1f ns, least %6.1f ns  (%.2f x the matcher)\n", subjects[i].name,
               subjects[i].median_ns, subjects[i].least_ns,
               subjects[i].median_ns / subjects[2].median_ns);
    printf("  allocations in all of it: %zu; wrong answers: %zu\n", before, load.wrong);
    fake_broker_stop();
    free(load.clients);
    free(load.topics);
    free(load.order);
    return before == 0 && load.wrong == 0 ? 0 : 1;
}

/* SPDX-License-Identifier: MIT */

/* Many live sessions: what each takes in memory, what a delivery check costs among them, what a client that
 * connects and goes costs beyond the verifying of its token, and for how long many that expire in one
 * second hold up whoever looks for them.
 *
 * usage: sessions [COUNT [MAX_CONNECTIONS_PER_SUBJECT]] */

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acl.h"
#include "bench.h"
#include "gate.h"
#include "json.h"
#include "scratch.h"
#include "test_keys.h"
#include "token_sign.h"

#define ROUNDS 21
#define CHECKS 20000
#define VISITS 2000
#define STRIDE 7919 /* prime: the next one is far away in every table */
#define SUBSCRIBERS 100
#define EXPIRING 10000

/* As plugin/broker/housekeeping.c has it. */
#define ENDING_NS 2000000

static oc_config_t config;
static oc_shared_t shared;
static oc_gate_t gate;
static oc_gate_token_t token;
static size_t failures;
static int64_t now_s;

/* Clients are told apart by address, which lie as those of the broker's do. */
static char **clients;
static char (*client_ids)[64];
static size_t count;
static size_t org_count;
static const char *subject_limit;

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "sessions: %s\n", what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Large tables are mapped by themselves. */
static size_t allocated(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static oc_identity_t *make_identity(size_t number, int64_t exp_s)
{
    oc_identity_t *identity = NULL;
    char subject[64];
    char jti[64];
    char org[32];
    json_t *claims;

    (void)snprintf(subject, sizeof subject, "user-%08zx", number);
    (void)snprintf(jti, sizeof jti, "5a1c9e3e-7d0b-4c52-9f7e-%012zx", number);
    (void)snprintf(org, sizeof org, "org-%zu", number % org_count);
    claims = json_pack("{s:s, s:s, s:s, s:I, s:I}", "sub", subject, "org_id", org, "jti", jti,
                       "iat", (json_int_t)now_s, "exp", (json_int_t)exp_s);
    if (oc_identity_from_claims(&config.claim_rules, claims, now_s, &identity, NULL) != OC_OK)
        die("no identity");
    json_decref(claims);
    return identity;
}

static void bind(size_t number, int64_t exp_s)
{
    static const unsigned char hash[OC_SESSION_HASH_LEN];
    const oc_session_traits_t traits = {.end_on_expiry = true};

    if (oc_sessions_bind(shared.sessions, clients[number], client_ids[number],
                         make_identity(number, exp_s), hash, &traits) != OC_OK)
        die("no session");
}

/* --- The subjects --- */

static void run_checks(void *context, size_t iterations)
{
    const oc_acl_rules_t *rules = context;
    char topic[64];

    for (size_t i = 0; i < iterations; i++) {
        /* A message goes to all of its organization's, who lie scattered among the others'. */
        size_t org = i / SUBSCRIBERS * STRIDE % org_count;
        size_t number = org + i % SUBSCRIBERS * org_count;
        const oc_org_load_t *load;
        const oc_session_t *session;
        const oc_identity_t *identity = NULL;

        if (i % SUBSCRIBERS == 0)
            (void)snprintf(topic, sizeof topic, "org/org-%zu/invoices/paid/inv-17", org);
        load = oc_sessions_granted(shared.sessions, clients[number], client_ids[number], now_s);
        if (load && oc_acl_belongs(rules, topic, load->id, load->id_len))
            continue;
        session = oc_sessions_find(shared.sessions, clients[number], client_ids[number]);
        if (!session || oc_session_rights(session, &identity) != OC_OK ||
            oc_acl_deliver(rules, identity, topic, now_s) != OC_OK)
            failures++;
    }
}

static void run_verify(void *context, size_t iterations)
{
    (void)context;
    for (size_t i = 0; i < iterations; i++) {
        oc_identity_t *identity = NULL;

        if (!oc_gate_token(&gate, token.bytes, token.len, &token) ||
            oc_verifier_identify(gate.verifier, token.bytes, token.len, token.hash, now_s,
                                 &identity, NULL, NULL) != OC_OK)
            failures++;
        oc_identity_unref(identity);
    }
}

static void run_visits(void *context, size_t iterations)
{
    char *visitor = context;

    for (size_t i = 0; i < iterations; i++) {
        const oc_gate_client_t client = {.client = visitor + i % 64,
                                         .id = "a-visitor-of-some-moments",
                                         .address = "192.0.2.1",
                                         .clean_start = true};
        oc_identity_t *identity = NULL;

        if (!oc_gate_token(&gate, token.bytes, token.len, &token) ||
            oc_gate_recognize(&gate, &client, &token) != OC_GATE_CONNECTS ||
            oc_gate_check(&gate, &client, &token, now_s, &identity, NULL) != OC_OK ||
            oc_gate_enter(&gate, &client, &token, identity, NULL) != OC_OK)
            failures++;
        oc_sessions_disconnected(shared.sessions, client.client, false, now_s);
    }
    /* What they leave behind for their Wills goes as well. */
    (void)oc_sessions_next_due(shared.sessions, now_s + 120, &(oc_session_end_t){0});
}

/* --- Expiry --- */

/* As a tick does: the longest stretch, and how many ticks it took. */
static void expire(void)
{
    uint64_t longest_ns = 0;
    uint64_t all_ns = 0;
    size_t ended = 0;
    size_t ticks = 0;
    oc_session_end_t cause;
    oc_session_t *session;

    do {
        uint64_t start_ns = now_ns();
        uint64_t took_ns;

        do {
            session = oc_sessions_next_due(shared.sessions, now_s + 500, &cause);
            ended += session != NULL;
        } while (session && now_ns() < start_ns + ENDING_NS);
        took_ns = now_ns() - start_ns;
        ticks++;
        all_ns += took_ns;
        if (took_ns > longest_ns)
            longest_ns = took_ns;
    } while (session);
    if (ended != EXPIRING)
        die("not all of them expired");
    printf(
        "%d sessions that expire in one second: %.2f ms in all, the longest of %zu stretches "
        "%.2f ms\n",
        EXPIRING, (double)all_ns / 1e6, ticks, (double)longest_ns / 1e6);
}

/* --- Set-up --- */

static void set_up(void)
{
    const token_key_t key = {NULL, test_secret, 64};
    char claims[256];
    oc_diag_t diag = {0};
    oc_option_t options[] = {{"jwt_secret_file", NULL},
                             {"max_connections_per_org", "1000000"},
                             {"max_connections_per_subject", subject_limit}};

    scratch_open();
    options[0].value = scratch_file("secret", test_secret, 64);
    now_s = time(NULL);
    if (oc_config_init(&config, options, sizeof options / sizeof options[0], &diag) != OC_OK ||
        oc_shared_join(&shared, &config, now_s, &diag) != OC_OK ||
        oc_gate_init(&gate, &config, &shared, NULL, NULL, &diag) != OC_OK)
        die(diag.message);
    scratch_close();
    (void)snprintf(claims, sizeof claims,
                   "{\"sub\":\"visitor\",\"org_id\":\"org-1\",\"jti\":\"t-1\",\"iat\":%lld,\"exp\":"
                   "%lld}",
                   (long long)now_s, (long long)now_s + 3600);
    token.bytes = token_sign("HS256", &key, "{\"alg\":\"HS256\",\"typ\":\"JWT\"}", claims);
    token.len = strlen(token.bytes);
    clients = calloc(count, sizeof *clients);
    client_ids = calloc(count, sizeof *client_ids);
    if (!clients || !client_ids)
        die("out of memory");
    for (size_t i = 0; i < count; i++) {
        clients[i] = malloc(1000);
        (void)snprintf(client_ids[i], sizeof client_ids[0], "org-%zu/web-%016zx", i % org_count,
                       i * 2654435761u);
    }
}

static void print_row(const bench_subject_t *subject)
{
    printf("%-32s %5.0f ns %5.0f ns\n", subject->name, subject->median_ns, subject->least_ns);
}

int main(int argc, char **argv)
{
    static char visitors[64];
    bench_subject_t subjects[] = {
        {.name = "delivery check", .run = run_checks, .iterations = CHECKS},
        {.name = "verify, token seen before", .run = run_verify, .iterations = VISITS},
        {.name = "verify, connect, disconnect",
         .run = run_visits,
         .context = visitors,
         .iterations = VISITS},
    };
    size_t before;

    subject_limit = argc > 2 ? argv[2] : "0";
    count = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000;
    if (count < EXPIRING)
        die("at least 10000 sessions are needed");
    org_count = count / SUBSCRIBERS;
    count = org_count * SUBSCRIBERS;
    set_up();
    subjects[0].context = &config.acl_rules;

    before = allocated();
    for (size_t i = 0; i < count; i++)
        bind(i, now_s + 3600);
    printf("%zu live sessions of one organization each, %d to an organization\n", count,
           SUBSCRIBERS);
    printf("%-32s %zu bytes\n", "memory of each", (allocated() - before) / (count > 0 ? count : 1));

    bench_run(subjects, sizeof subjects / sizeof subjects[0], ROUNDS);
    printf("%-32s %8s %8s\n", "", "median", "least");
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++)
        print_row(&subjects[i]);
    printf("%-32s %5.0f ns\n", "connect and disconnect alone",
           subjects[2].median_ns - subjects[1].median_ns);

    for (size_t i = 0; i < EXPIRING; i++)
        bind(i, now_s + 400);
    expire();
    if (failures > 0)
        die("a decision was wrong");
    return 0;
}

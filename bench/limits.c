/* SPDX-License-Identifier: MIT */

/* What counting connections and events costs, with as many subjects connected, each of an organization of its
 * own: coming and going of further connections of those, and of others that nobody knows yet, the check
 * before it, and an event. Each turn takes another one.
 *
 * usage: limits [CONNECTIONS] */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "json.h"
#include "org_limits.h"

#define ROUNDS 21
#define ITERATIONS 20000
#define STRIDE 7919 /* prime: the next one is far away in every table */

static oc_limits_t *limits;
static oc_identity_t **identities; /* the first half is connected */
static size_t connected;
static size_t failures;

static const oc_limit_rules_t limit_rules = {
    .max_per_org = 100, .max_per_subject = 10, .max_publish_rate = 1000000};

static oc_identity_t *make_identity(size_t number)
{
    const oc_claim_rules_t rules = {.max_orgs = 1,
                                    .org_claim = "/org",
                                    .scope_claim = "/scope",
                                    .username_claim = "/sub",
                                    .publish_scope = "",
                                    .subscribe_scope = "",
                                    .any_org_scope = "",
                                    .admin_scope = ""};
    oc_identity_t *identity = NULL;
    json_t *claims;
    char subject[64];
    char org[64];

    (void)snprintf(subject, sizeof subject, "5a1c9e3e-7d0b-4c52-9f7e-%012zx", number);
    (void)snprintf(org, sizeof org, "organization-%zu", number);
    claims = json_pack("{s:s, s:s, s:i}", "sub", subject, "org", org, "exp", 2000);
    if (oc_identity_from_claims(&rules, claims, 1000, &identity, NULL) != OC_OK)
        abort();
    json_decref(claims);
    return identity;
}

static void come_and_go(const oc_identity_t *identity)
{
    if (oc_limits_enter(limits, identity) != OC_OK)
        failures++;
    oc_limits_leave(limits, identity);
}

static const oc_identity_t *pick(size_t turn)
{
    return identities[turn * STRIDE % connected];
}

/* What the others do as well, and is not theirs: the identity comes out of memory. */
static void run_identity(void *context, size_t iterations)
{
    size_t *sum = context;

    for (size_t i = 0; i < iterations; i++) {
        const oc_identity_t *identity = pick(i);

        *sum += strlen(identity->subject) + (size_t)identity->orgs[0].id[0];
    }
}

static void run_known(void *context, size_t iterations)
{
    (void)context;
    for (size_t i = 0; i < iterations; i++)
        come_and_go(pick(i));
}

static void run_new(void *context, size_t iterations)
{
    (void)context;
    for (size_t i = 0; i < iterations; i++)
        come_and_go(identities[connected + i * STRIDE % connected]);
}

static void run_check(void *context, size_t iterations)
{
    (void)context;
    for (size_t i = 0; i < iterations; i++) {
        if (oc_limits_check(limits, &limit_rules, pick(i), NULL, NULL) != OC_OK)
            failures++;
    }
}

static void run_publish(void *context, size_t iterations)
{
    static int64_t now_ms;

    (void)context;
    for (size_t i = 0; i < iterations; i++) {
        const oc_org_t *org = &pick(i)->orgs[0];

        if (oc_limits_publish(limits, &limit_rules, org->id, org->len, now_ms++, NULL) != OC_OK)
            failures++;
    }
}

int main(int argc, char **argv)
{
    size_t sum = 0;
    bench_subject_t subjects[] = {
        {.name = "reading the identity alone",
         .run = run_identity,
         .context = &sum,
         .iterations = ITERATIONS},
        {.name = "enter and leave, known names", .run = run_known, .iterations = ITERATIONS},
        {.name = "enter and leave, new names", .run = run_new, .iterations = ITERATIONS},
        {.name = "check, known names", .run = run_check, .iterations = ITERATIONS},
        {.name = "publish, known names", .run = run_publish, .iterations = ITERATIONS},
    };
    size_t count = sizeof subjects / sizeof subjects[0];

    connected = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000;
    limits = oc_limits_new();
    identities = calloc(2 * connected + 1, sizeof(oc_identity_t *));
    if (!limits || !identities || connected == 0)
        return 2;
    oc_limits_count_subjects(limits);
    for (size_t i = 0; i < 2 * connected; i++)
        identities[i] = make_identity(i);
    for (size_t i = 0; i < connected; i++)
        failures += oc_limits_enter(limits, identities[i]) != OC_OK;
    bench_run(subjects, count, ROUNDS);
    printf("%zu connections; nanoseconds, median and least of %d rounds\n", connected, ROUNDS);
    for (size_t i = 0; i < count; i++)
        printf("  %-30s %7.0f %7.0f\n", subjects[i].name, subjects[i].median_ns,
               subjects[i].least_ns);
    printf("  failures: %zu\n", failures);
    for (size_t i = 0; i < 2 * connected; i++)
        oc_identity_unref(identities[i]);
    free(identities);
    oc_limits_free(limits);
    return failures == 0 ? 0 : 1;
}

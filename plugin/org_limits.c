/* SPDX-License-Identifier: MIT */
#include "org_limits.h"

#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "name_table.h"

/* The work of forgetting, so that no call takes long. An event adds at most one organization. */
#define SWEEP_PER_EVENT 2
#define SWEEP_PER_TICK 64

#define FULL_AFTER_MS 1000 /* the burst of a bucket is what a second refills */

_Static_assert(OC_ORG_IDLE_MS >= FULL_AFTER_MS, "a bucket that is not full would be forgotten");

/* Of the list of idle organizations, a ring. */
typedef struct link {
    struct link *prev;
    struct link *next;
} link_t;

typedef struct org {
    link_t idle;      /* the first member, so that it leads to the organization */
    uint64_t used_ms; /* when idle: since then */
    oc_bucket_t bucket;
    oc_org_load_t load; /* beside the id: finding and counting touch these two */
    char id[];
} org_t;

typedef struct subject {
    uint64_t connections;
    char name[];
} subject_t;

struct oc_limits {
    oc_name_table_t orgs;
    oc_name_table_t subjects;
    bool counts_subjects;
    link_t idle; /* next: the organization without connections that was used longest ago */
    size_t idle_count;
    oc_told_clock_t clock; /* milliseconds */
    oc_name_key_t key;
};

oc_limits_t *oc_limits_new(void)
{
    oc_limits_t *limits = calloc(1, sizeof *limits);

    if (!limits)
        return NULL;
    if (!oc_name_key_draw(&limits->key)) {
        free(limits);
        return NULL;
    }
    limits->idle = (link_t){&limits->idle, &limits->idle};
    limits->orgs = (oc_name_table_t){.key = &limits->key, .name_at = offsetof(org_t, id)};
    limits->subjects = (oc_name_table_t){.key = &limits->key, .name_at = offsetof(subject_t, name)};
    return limits;
}

void oc_limits_count_subjects(oc_limits_t *limits)
{
    limits->counts_subjects = true;
}

static void free_values(oc_name_table_t *table)
{
    size_t cursor = 0;
    void *value;

    while ((value = oc_name_table_next(table, &cursor)))
        free(value);
    oc_name_table_done(table);
}

void oc_limits_free(oc_limits_t *limits)
{
    if (!limits)
        return;
    free_values(&limits->orgs);
    free_values(&limits->subjects);
    free(limits);
}

/* --- Time and idle organizations --- */

static void idle_add(oc_limits_t *limits, org_t *org)
{
    org->used_ms = limits->clock.passed;
    org->idle = (link_t){.prev = limits->idle.prev, .next = &limits->idle};
    org->idle.prev->next = &org->idle;
    limits->idle.prev = &org->idle;
    limits->idle_count++;
}

static void idle_remove(oc_limits_t *limits, org_t *org)
{
    org->idle.prev->next = org->idle.next;
    org->idle.next->prev = org->idle.prev;
    limits->idle_count--;
}

/* Of a list that is not empty. */
static org_t *idle_first(const oc_limits_t *limits)
{
    return (org_t *)limits->idle.next;
}

/* An organization that is in the list. */
static void forget(oc_limits_t *limits, org_t *org)
{
    idle_remove(limits, org);
    (void)oc_name_table_remove(&limits->orgs, org->load.id, org->load.id_len);
    free(org);
}

static void bound_idle(oc_limits_t *limits)
{
    if (limits->idle_count > OC_IDLE_ORGS_MAX)
        forget(limits, idle_first(limits));
}

static void sweep(oc_limits_t *limits, size_t most)
{
    for (; most > 0 && limits->idle_count > 0; most--) {
        org_t *first = idle_first(limits);

        if (limits->clock.passed - first->used_ms < (uint64_t)OC_ORG_IDLE_MS)
            return;
        forget(limits, first);
    }
}

/* --- Organizations and subjects by name --- */

static org_t *org_find(const oc_limits_t *limits, const char *id, size_t len)
{
    return oc_name_table_get(&limits->orgs, id, len);
}

/* An idle one; NULL when out of memory. */
static org_t *org_add(oc_limits_t *limits, const char *id, size_t len)
{
    org_t *org = oc_name_table_reserve(&limits->orgs) ? malloc(sizeof *org + len + 1) : NULL;

    if (!org)
        return NULL;
    memcpy(org->id, id, len);
    org->id[len] = '\0';
    org->load = (oc_org_load_t){.id = org->id, .id_len = len};
    org->bucket = (oc_bucket_t){0};
    oc_name_table_add(&limits->orgs, org, len);
    idle_add(limits, org);
    bound_idle(limits);
    return org;
}

/* The organization, just used; NULL when out of memory. */
static org_t *org_use(oc_limits_t *limits, const char *id, size_t len)
{
    org_t *org = org_find(limits, id, len);

    if (!org)
        return org_add(limits, id, len);
    if (org->load.connections == 0) {
        idle_remove(limits, org);
        idle_add(limits, org);
    }
    return org;
}

static bool org_enter(oc_limits_t *limits, const oc_org_t *id)
{
    org_t *org = org_use(limits, id->id, id->len);

    if (!org)
        return false;
    if (org->load.connections++ == 0)
        idle_remove(limits, org);
    return true;
}

static void org_leave(oc_limits_t *limits, const oc_org_t *id)
{
    org_t *org = org_find(limits, id->id, id->len);

    if (!org || org->load.connections == 0 || --org->load.connections > 0)
        return;
    idle_add(limits, org);
    /* Without events there is nothing to remember. */
    if (org->load.events_accepted == 0 && org->load.events_refused == 0)
        forget(limits, org);
    bound_idle(limits);
}

static subject_t *subject_find(const oc_limits_t *limits, const char *name)
{
    return oc_name_table_get(&limits->subjects, name, strlen(name));
}

static bool subject_enter(oc_limits_t *limits, const char *name)
{
    subject_t *subject = subject_find(limits, name);
    size_t len = strlen(name);

    if (!limits->counts_subjects)
        return true;
    if (!subject) {
        if (!oc_name_table_reserve(&limits->subjects))
            return false;
        subject = malloc(sizeof *subject + len + 1);
        if (!subject)
            return false;
        subject->connections = 0;
        memcpy(subject->name, name, len + 1);
        oc_name_table_add(&limits->subjects, subject, len);
    }
    subject->connections++;
    return true;
}

static void subject_leave(oc_limits_t *limits, const char *name)
{
    subject_t *subject = subject_find(limits, name);

    if (!subject || --subject->connections > 0)
        return;
    free(oc_name_table_remove(&limits->subjects, name, strlen(name)));
}

/* --- Connections --- */

static bool has_room(uint64_t connections, bool one_ends, int64_t max)
{
    return max == 0 || (int64_t)connections - one_ends < max;
}

oc_err_t oc_limits_check(const oc_limits_t *limits, const oc_limit_rules_t *rules,
                         const oc_identity_t *identity, const oc_identity_t *replaced,
                         oc_diag_t *diag)
{
    bool same_subject = replaced && strcmp(replaced->subject, identity->subject) == 0;

    if (!has_room(oc_limits_of_subject(limits, identity->subject), same_subject,
                  rules->max_per_subject))
        return oc_fail(diag, OC_E_LIMIT_CONNECTIONS, "max_connections_per_subject is %lld",
                       (long long)rules->max_per_subject);
    for (size_t i = 0; rules->max_per_org != 0 && i < identity->org_count; i++) {
        const oc_org_t *id = &identity->orgs[i];
        const org_t *org = org_find(limits, id->id, id->len);
        bool one_ends = replaced && oc_identity_has_org(replaced, id->id, id->len);

        if (!has_room(org ? org->load.connections : 0, one_ends, rules->max_per_org))
            return oc_fail(diag, OC_E_LIMIT_CONNECTIONS, "max_connections_per_org is %lld",
                           (long long)rules->max_per_org);
    }
    return OC_OK;
}

static void leave(oc_limits_t *limits, const oc_identity_t *identity, size_t org_count)
{
    for (size_t i = 0; i < org_count; i++)
        org_leave(limits, &identity->orgs[i]);
    subject_leave(limits, identity->subject);
}

oc_err_t oc_limits_enter(oc_limits_t *limits, const oc_identity_t *identity)
{
    size_t entered = 0;

    if (!subject_enter(limits, identity->subject))
        return OC_E_NOMEM;
    while (entered < identity->org_count && org_enter(limits, &identity->orgs[entered]))
        entered++;
    if (entered == identity->org_count)
        return OC_OK;
    leave(limits, identity, entered);
    return OC_E_NOMEM;
}

void oc_limits_leave(oc_limits_t *limits, const oc_identity_t *identity)
{
    leave(limits, identity, identity->org_count);
}

/* --- Events --- */

/* Whether the bucket has one more. */
static bool take(oc_limits_t *limits, org_t *org, int64_t max_rate)
{
    uint32_t rate = (uint32_t)(max_rate < OC_BUCKET_MAX ? max_rate : OC_BUCKET_MAX);
    const oc_bucket_rate_t bounds = {.burst = rate, .per_second = rate};

    return oc_bucket_take(&org->bucket, bounds, limits->clock.passed);
}

oc_err_t oc_limits_publish(oc_limits_t *limits, const oc_limit_rules_t *rules, const char *org,
                           size_t org_len, int64_t now_ms, oc_diag_t *diag)
{
    int64_t max_rate = rules->max_publish_rate;
    org_t *known;

    (void)oc_told_clock(&limits->clock, now_ms);
    sweep(limits, SWEEP_PER_EVENT);
    known = org_use(limits, org, org_len);
    if (!known)
        return max_rate == 0 ? OC_OK : oc_fail(diag, OC_E_NOMEM, "out of memory");
    if (max_rate != 0 && !take(limits, known, max_rate)) {
        known->load.events_refused++;
        return oc_fail(diag, OC_E_LIMIT_RATE, "max_publish_rate_per_org is %lld",
                       (long long)max_rate);
    }
    known->load.events_accepted++;
    return OC_OK;
}

void oc_limits_refused(oc_limits_t *limits, const char *org, size_t org_len)
{
    org_t *known = org_find(limits, org, org_len);

    if (!known || known->load.events_accepted == 0)
        return;
    known->load.events_accepted--;
    known->load.events_refused++;
}

void oc_limits_tick(oc_limits_t *limits, int64_t now_ms)
{
    (void)oc_told_clock(&limits->clock, now_ms);
    sweep(limits, SWEEP_PER_TICK);
    oc_name_table_shrink(&limits->orgs);
    oc_name_table_shrink(&limits->subjects);
}

/* --- To be told --- */

const oc_org_load_t *oc_limits_next_org(const oc_limits_t *limits, size_t *cursor)
{
    const org_t *org = oc_name_table_next(&limits->orgs, cursor);

    return org ? &org->load : NULL;
}

const oc_org_load_t *oc_limits_find_org(const oc_limits_t *limits, const char *org, size_t org_len)
{
    const org_t *known = org_find(limits, org, org_len);

    return known ? &known->load : NULL;
}

size_t oc_limits_org_count(const oc_limits_t *limits)
{
    return limits->orgs.count;
}

size_t oc_limits_connected_org_count(const oc_limits_t *limits)
{
    return limits->orgs.count - limits->idle_count;
}

size_t oc_limits_subject_count(const oc_limits_t *limits)
{
    return limits->subjects.count;
}

uint64_t oc_limits_of_subject(const oc_limits_t *limits, const char *subject)
{
    const subject_t *known = subject_find(limits, subject);

    return known ? known->connections : 0;
}

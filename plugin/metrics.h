/* SPDX-License-Identifier: MIT */
#ifndef OC_METRICS_H
#define OC_METRICS_H

/* What the plugin counts. The broker's one thread owns the struct and adds to it in place; one table in
 * metrics.c says under which names its numbers are shown: in the Prometheus page, below
 * `$SYS/broker/orgcast/`, in the answer to `stats`, and in docs/operations.md. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"

/* A gauge without a value: it is left out everywhere. */
#define OC_METRIC_ABSENT UINT64_MAX

/* Outcomes are counted by what the decision returned, so that one line counts all of them:
 *     metrics->publishes[err]++;
 * [OC_OK] is what was allowed. */
typedef uint64_t oc_outcomes_t[OC_ERR_COUNT];

/* Begin with oc_metrics_init(). */
typedef struct oc_metrics {
    /* Gauges: set them before anything is shown. */
    uint64_t started_s;        /* since the epoch; set by oc_metrics_init() */
    uint64_t sessions;         /* with a connection */
    uint64_t sessions_offline; /* without one, kept for a later connection */
    uint64_t organizations;    /* with a connection */
    uint64_t keys;
    uint64_t revocations;
    uint64_t jwks_age_s; /* of the oldest set of a jwks_url; since the start while there is none;
                            OC_METRIC_ABSENT without such a URL */
    uint64_t replay_bytes;

    /* Counters. */
    oc_outcomes_t connects;
    oc_outcomes_t refreshes; /* by AUTH packet and by control command */
    oc_outcomes_t subscribes;
    oc_outcomes_t publishes;  /* the right to publish; what is published is an event */
    oc_outcomes_t deliveries; /* one for each message and subscription */
    oc_outcomes_t events;     /* the check of what was published, and its rate */
    oc_outcomes_t admin_commands;
    uint64_t sessions_expired; /* connections ended because of their tokens' exp */
    uint64_t sessions_revoked;
    uint64_t sessions_kicked;
    uint64_t replays_recovered;
    uint64_t replays_not_recovered; /* the ring did not hold all of it any more */
    uint64_t log_lines_left_out;
    uint64_t audit_lines_lost;
} oc_metrics_t;

void oc_metrics_init(oc_metrics_t *metrics, int64_t now_s);

/* --- Organizations, each with numbers of its own --- */

/* More than so many are not shown: a page has an end. */
#define OC_METRICS_ORGS_MAX 10000

typedef struct oc_metrics_org {
    const char *id;
    uint64_t connections;
    uint64_t events_accepted;
    uint64_t events_refused;
} oc_metrics_org_t;

/* False: enough, the next ones are not wanted. */
typedef bool (*oc_metrics_org_fn)(void *context, const oc_metrics_org_t *org);

/* Where they come from: `each` calls the function with each of them, in any order, until it returns false.
 * It is called more than once, and has to find the same ones each time. */
typedef struct oc_metrics_orgs {
    void (*each)(void *orgs, oc_metrics_org_fn function, void *context);
    void *orgs;
} oc_metrics_orgs_t;

/* --- The forms in which they are shown --- */

/* The page that Prometheus reads (text exposition format 0.0.4), malloc'd for the caller; NULL when memory
 * ran out. orgs: NULL leaves the organizations' own numbers out */
char *oc_metrics_render(const oc_metrics_t *metrics, const oc_metrics_orgs_t *orgs);

/* The same as an object, nested as the topics are: `connects/refused/total` is
 * {"connects":{"refused":{"total":…}}}. The organizations are an array "byOrganization". New; NULL when
 * memory ran out. */
json_t *oc_metrics_to_json(const oc_metrics_t *metrics, const oc_metrics_orgs_t *orgs);

#define OC_METRICS_TOPIC_MAX 128

/* A topic and its value in decimal digits, both valid during the call. False: it could not be published. */
typedef bool (*oc_metrics_topic_fn)(void *context, const char *topic, const char *value);

/* What was published last. Begins as {0}. */
typedef struct oc_metrics_published {
    bool any;
    oc_metrics_t last;
} oc_metrics_published_t;

/* Call the function with each `$SYS` value that changed since the last call, the first time with all. When
 * it returns false that is the end, and the next call begins where this one did. Allocates nothing. */
void oc_metrics_each_changed(const oc_metrics_t *metrics, oc_metrics_published_t *published,
                             oc_metrics_topic_fn function, void *context);

/* The table of docs/operations.md. */
void oc_metrics_print(FILE *out);

#endif

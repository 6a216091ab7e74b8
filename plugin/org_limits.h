/* SPDX-License-Identifier: MIT */
#ifndef OC_ORG_LIMITS_H
#define OC_ORG_LIMITS_H

/* Who is connected and who publishes how much, for each organization and subject, and the limits on that.
 * What is kept is bounded by the connections there are and OC_IDLE_ORGS_MAX, not by how many names were
 * ever seen. One thread.
 *
 * Times are milliseconds of any clock, best one that is never set; one that is set back stands still
 * meanwhile. */

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "identity.h"

/* An organization without connections is kept for its counts for so long after its last event or
 * connection. */
#define OC_ORG_IDLE_MS INT64_C(600000)

/* Most organizations without connections; the one idle for longest makes room. Its bucket is full
 * when it comes back: a publisher that would gain by that has to publish so many events for others. */
#define OC_IDLE_ORGS_MAX 16384

/* 0: no limit. */
typedef struct oc_limit_rules {
    int64_t max_per_org;     /* connections */
    int64_t max_per_subject; /* connections */
    /* Events a second and organization. As many may come at once after a second without any; the
     * bucket refills by the millisecond, so at 5 a second there is one each 200 ms. */
    int64_t max_publish_rate;
} oc_limit_rules_t;

/* Of one organization. The counts begin again at 0 after the organization was forgotten. */
typedef struct oc_org_load {
    const char *id; /* NUL-terminated as well */
    size_t id_len;
    uint64_t connections;
    uint64_t events_accepted;
    uint64_t events_refused;
} oc_org_load_t;

typedef struct oc_limits oc_limits_t;

/* NULL when out of memory, or when the system has no random bytes. */
oc_limits_t *oc_limits_new(void);
void oc_limits_free(oc_limits_t *limits);

/* Count the connections of subjects as well, which takes some memory for each. Before there are any. */
void oc_limits_count_subjects(oc_limits_t *limits);

/* Whether a connection with this identity may be added: OC_E_LIMIT_CONNECTIONS when its subject or any of
 * its organizations has no room; diag says which limit it was. A service without organizations counts
 * for its subject alone. Allocates nothing.
 * replaced: the identity of the connection that ends by it (the older of a client id, or before a
 *           refresh), whose places count as free; NULL: there is none */
OC_MUST_CHECK oc_err_t oc_limits_check(const oc_limits_t *limits, const oc_limit_rules_t *rules,
                                       const oc_identity_t *identity, const oc_identity_t *replaced,
                                       oc_diag_t *diag);

/* A connection with this identity is there. OC_E_NOMEM: it is not counted anywhere. */
OC_MUST_CHECK oc_err_t oc_limits_enter(oc_limits_t *limits, const oc_identity_t *identity);

/* It is gone. Once for each success of oc_limits_enter(), with the same subject and organizations; allocates
 * nothing. */
void oc_limits_leave(oc_limits_t *limits, const oc_identity_t *identity);

/* Whether the organization may have one more event; it is counted either way. OC_E_LIMIT_RATE; OC_E_NOMEM when
 * there is a limit and no memory to remember the event by. */
OC_MUST_CHECK oc_err_t oc_limits_publish(oc_limits_t *limits, const oc_limit_rules_t *rules,
                                         const char *org, size_t org_len, int64_t now_ms,
                                         oc_diag_t *diag);

/* An event that oc_limits_publish() let pass was refused for another reason. What it took of the rate is
 * gone: else who sends nothing but bad ones would not be bounded. */
void oc_limits_refused(oc_limits_t *limits, const char *org, size_t org_len);

/* Forget organizations that are idle for long, some with each call. Publishing does so too. */
void oc_limits_tick(oc_limits_t *limits, int64_t now_ms);

/* The organizations one after the other, in no order; *cursor starts at 0. NULL at the end. What was added
 * or removed in between may move others, so that they come twice or not at all. Borrowed until the
 * next call that is not one of these. */
const oc_org_load_t *oc_limits_next_org(const oc_limits_t *limits, size_t *cursor);

/* NULL when it is not known. Borrowed likewise. */
const oc_org_load_t *oc_limits_find_org(const oc_limits_t *limits, const char *org, size_t org_len);

/* Idle ones included. */
size_t oc_limits_org_count(const oc_limits_t *limits);

/* Those with connections. */
size_t oc_limits_connected_org_count(const oc_limits_t *limits);

/* Subjects with connections. */
size_t oc_limits_subject_count(const oc_limits_t *limits);

/* Connections of the subject. */
uint64_t oc_limits_of_subject(const oc_limits_t *limits, const char *subject);

#endif

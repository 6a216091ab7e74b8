/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "mem.h"
#include "name_table.h"
#include "org_limits.h"
#include "unit.h"

static oc_limits_t *limits;

static void make(void)
{
    limits = oc_limits_new();
    ck_assert_ptr_nonnull(limits);
    oc_limits_count_subjects(limits);
}

static void unmake(void)
{
    oc_limits_free(limits);
}

/* orgs: separated by spaces; "": a service for every organization. */
static oc_identity_t *identity_of(const char *subject, const char *orgs)
{
    const oc_claim_rules_t rules = {.max_orgs = OC_ORGS_PER_TOKEN_MAX,
                                    .org_claim = "/org",
                                    .scope_claim = "/scope",
                                    .username_claim = "/sub",
                                    .publish_scope = "",
                                    .subscribe_scope = "",
                                    .any_org_scope = "any",
                                    .admin_scope = ""};
    json_t *list = json_array();
    OC_CLEANUP(oc_json_decrefp)
    json_t *claims =
        json_pack("{s:s, s:i, s:s}", "sub", subject, "exp", 2000, "scope", orgs[0] ? "" : "any");
    oc_identity_t *identity = NULL;

    while (*orgs) {
        size_t len = strcspn(orgs, " ");

        ck_assert_int_eq(json_array_append_new(list, json_stringn(orgs, len)), 0);
        orgs += len + (orgs[len] == ' ');
    }
    if (json_array_size(list) > 0)
        ck_assert_int_eq(json_object_set(claims, "org", list), 0);
    json_decref(list);
    ck_assert_int_eq(oc_identity_from_claims(&rules, claims, 1000, &identity, NULL), OC_OK);
    return identity;
}

static void enter(const char *subject, const char *orgs)
{
    oc_identity_t *identity = identity_of(subject, orgs);

    ck_assert_int_eq(oc_limits_enter(limits, identity), OC_OK);
    oc_identity_unref(identity);
}

static void leave(const char *subject, const char *orgs)
{
    oc_identity_t *identity = identity_of(subject, orgs);

    oc_limits_leave(limits, identity);
    oc_identity_unref(identity);
}

static const oc_org_load_t *load_of(const char *org)
{
    return oc_limits_find_org(limits, org, strlen(org));
}

static uint64_t connections_of(const char *org)
{
    const oc_org_load_t *load = load_of(org);

    return load ? load->connections : 0;
}

/* --- Connections --- */

/* There are: ann, ann, bob in acme; bob in globex; a service eve. */
static void connect_some(void)
{
    enter("ann", "acme");
    enter("ann", "acme");
    enter("bob", "acme globex");
    enter("eve", "");
}

#define PER_ORG 'o'
#define PER_SUBJECT 's'

static const struct {
    const char *name;
    int max_per_org;
    int max_per_subject;
    const char *subject;
    const char *orgs;
    const char *old_subject; /* NULL: nothing is replaced */
    const char *old_orgs;
    char refused_by; /* 0: there is room */
} checks[] = {
    {"no limits", 0, 0, "ann", "acme globex", NULL, NULL, 0},
    {"last place of an organization", 4, 0, "carl", "acme", NULL, NULL, 0},
    {"no place in an organization", 3, 0, "carl", "acme", NULL, NULL, PER_ORG},
    {"an organization that is over its limit", 1, 0, "carl", "acme", NULL, NULL, PER_ORG},
    {"another one has room", 3, 0, "carl", "globex", NULL, NULL, 0},
    {"an organization that nobody is in", 1, 0, "carl", "initech", NULL, NULL, 0},
    {"each organization needs room: the first", 3, 0, "carl", "acme globex", NULL, NULL, PER_ORG},
    {"each organization needs room: the last", 1, 0, "carl", "umbra globex", NULL, NULL, PER_ORG},
    {"a name that begins the same", 1, 0, "carl", "acm acme2", NULL, NULL, 0},
    {"last place of a subject", 0, 3, "ann", "acme", NULL, NULL, 0},
    {"no place for a subject", 0, 2, "ann", "initech", NULL, NULL, PER_SUBJECT},
    {"a subject that nobody has", 0, 1, "carl", "acme", NULL, NULL, 0},
    {"a subject named as an organization", 0, 1, "acme", "initech", NULL, NULL, 0},
    {"an organization named as a subject", 1, 0, "carl", "ann", NULL, NULL, 0},
    {"both limits, the subject's is met", 4, 2, "ann", "acme", NULL, NULL, PER_SUBJECT},
    {"both limits, the organization's is met", 3, 3, "ann", "acme", NULL, NULL, PER_ORG},
    {"a service is in no organization", 1, 2, "eve", "", NULL, NULL, 0},
    {"a service is a subject", 1, 1, "eve", "", NULL, NULL, PER_SUBJECT},
    {"takeover: the same", 3, 2, "ann", "acme", "ann", "acme", 0},
    {"takeover: only one place becomes free", 2, 1, "ann", "acme", "ann", "acme", PER_SUBJECT},
    {"takeover: only one place, organization", 2, 0, "ann", "acme", "ann", "acme", PER_ORG},
    {"takeover: of another subject", 0, 2, "ann", "acme", "bob", "acme globex", PER_SUBJECT},
    {"takeover: of an organization by two", 3, 0, "carl", "acme", "bob", "acme globex", 0},
    {"takeover: of another organization", 3, 0, "carl", "acme", "bob", "globex", PER_ORG},
    {"takeover: of a service", 3, 1, "ann", "acme", "eve", "", PER_SUBJECT},
    {"refresh: one more organization", 3, 2, "ann", "acme globex", "ann", "acme", 0},
    {"refresh: one more, which is full", 1, 0, "bob", "globex acme", "bob", "globex", PER_ORG},
    {"refresh: one less", 1, 1, "bob", "globex", "bob", "acme globex", 0},
    {"what is replaced never was there", 1, 1, "carl", "umbra", "carl", "umbra", 0},
};

START_TEST(places)
{
    const oc_limit_rules_t rules = {.max_per_org = checks[_i].max_per_org,
                                    .max_per_subject = checks[_i].max_per_subject};
    bool per_org = checks[_i].refused_by == PER_ORG;
    bool refused = checks[_i].refused_by != 0;
    oc_identity_t *identity = identity_of(checks[_i].subject, checks[_i].orgs);
    oc_identity_t *old =
        checks[_i].old_subject ? identity_of(checks[_i].old_subject, checks[_i].old_orgs) : NULL;
    oc_diag_t diag = {0};
    char message[64] = "";
    oc_err_t err;

    connect_some();
    if (refused)
        (void)snprintf(message, sizeof message, "max_connections_per_%s is %d",
                       per_org ? "org" : "subject",
                       per_org ? checks[_i].max_per_org : checks[_i].max_per_subject);
    err = oc_limits_check(limits, &rules, identity, old, &diag);
    ck_assert_msg(err == (refused ? OC_E_LIMIT_CONNECTIONS : OC_OK), "%s: %s", checks[_i].name,
                  oc_err_name(err));
    ck_assert_msg(diag.code == err && strcmp(diag.message, message) == 0, "%s: '%s'",
                  checks[_i].name, diag.message);
    ck_assert_int_eq(oc_limits_check(limits, &rules, identity, old, NULL), err);
    /* Looking changes nothing. */
    ck_assert_uint_eq(connections_of("acme"), 3);
    ck_assert_uint_eq(oc_limits_org_count(limits), 2);
    ck_assert_uint_eq(oc_limits_subject_count(limits), 3);
    oc_identity_unref(identity);
    oc_identity_unref(old);
}
END_TEST

START_TEST(coming_and_going)
{
    connect_some();
    ck_assert_uint_eq(connections_of("acme"), 3);
    ck_assert_uint_eq(connections_of("globex"), 1);
    ck_assert_uint_eq(oc_limits_of_subject(limits, "ann"), 2);
    ck_assert_uint_eq(oc_limits_of_subject(limits, "eve"), 1);
    ck_assert_uint_eq(oc_limits_of_subject(limits, "an"), 0);
    leave("ann", "acme");
    ck_assert_uint_eq(connections_of("acme"), 2);
    ck_assert_uint_eq(oc_limits_of_subject(limits, "ann"), 1);
    leave("bob", "acme globex");
    ck_assert_uint_eq(connections_of("acme"), 1);
    ck_assert_ptr_null(load_of("globex"));
    ck_assert_uint_eq(oc_limits_of_subject(limits, "bob"), 0);
    leave("ann", "acme");
    leave("eve", "");
    ck_assert_uint_eq(oc_limits_org_count(limits), 0);
    ck_assert_uint_eq(oc_limits_subject_count(limits), 0);
    /* One too many does no harm. */
    leave("ann", "acme");
    ck_assert_uint_eq(oc_limits_org_count(limits), 0);
    enter("ann", "acme");
    ck_assert_uint_eq(connections_of("acme"), 1);
    oc_limits_free(NULL);
}
END_TEST

/* --- Events --- */

static oc_err_t publish(int64_t max_rate, const char *org, int64_t now_ms)
{
    const oc_limit_rules_t rules = {.max_publish_rate = max_rate};

    return oc_limits_publish(limits, &rules, org, strlen(org), now_ms, NULL);
}

/* How many of `tries` may go at once. */
static int taken(int64_t max_rate, const char *org, int tries, int64_t now_ms)
{
    int count = 0;

    while (tries-- > 0)
        count += publish(max_rate, org, now_ms) == OC_OK;
    return count;
}

static const struct {
    const char *name;
    int64_t after_ms; /* of the step before */
    int64_t max_rate;
    int tries;
    int may_go;
} steps[] = {
    {"the burst", 0, 5, 10, 5},
    {"one millisecond too early", 199, 5, 1, 0},
    {"the next", 1, 5, 3, 1},
    {"a second one after as long", 200, 5, 3, 1},
    {"what is left over counts: 150 ms", 150, 5, 1, 0},
    {"and 50 more", 50, 5, 2, 1},
    {"half a second", 500, 5, 9, 2},
    {"the other half of that event", 100, 5, 9, 1},
    {"a second fills it", 1000, 5, 9, 5},
    {"longer does no more", 5000000, 5, 9, 5},
    {"time set back refills nothing", -400000, 5, 3, 0},
    {"and goes on from there", 200, 5, 3, 1},
    {"far back", -INT64_C(4000000000), 5, 3, 0},
    {"and on from there", 400, 5, 3, 2},
    {"without a limit", 0, 0, 1000, 1000},
    {"which took nothing, nor gave", 0, 5, 1, 0},
    {"one a second", 2000, 1, 3, 1},
    {"one a second: too early", 999, 1, 3, 0},
    {"one a second: now", 1, 1, 3, 1},
    {"a thousand", 1000, 1000, 1100, 1000},
    {"each millisecond one", 1, 1000, 3, 1},
    {"each millisecond one, seven later", 7, 1000, 10, 7},
    {"a rate beyond all measure", 1000, INT64_MAX, 100000, 100000},
    {"a bucket that would not fit", 1000, INT64_C(1) << 61, 100, 100},
};

START_TEST(step_by_step)
{
    int64_t now_ms = 1000;
    uint64_t accepted = 0;
    uint64_t refused = 0;

    enter("ann", "acme");
    for (size_t i = 0; i < COUNT(steps); i++) {
        int count;

        now_ms += steps[i].after_ms;
        count = taken(steps[i].max_rate, "acme", steps[i].tries, now_ms);
        ck_assert_msg(count == steps[i].may_go, "%s: %d", steps[i].name, count);
        accepted += (uint64_t)count;
        refused += (uint64_t)(steps[i].tries - count);
        ck_assert_uint_eq(load_of("acme")->events_accepted, accepted);
        ck_assert_uint_eq(load_of("acme")->events_refused, refused);
        /* Each organization has a bucket of its own. */
        ck_assert_int_eq(publish(0, "globex", now_ms), OC_OK);
    }
}
END_TEST

START_TEST(the_ends_of_time)
{
    ck_assert_int_eq(taken(2, "acme", 3, INT64_MIN), 2);
    ck_assert_int_eq(taken(2, "acme", 3, INT64_MAX), 2);
    ck_assert_int_eq(taken(2, "acme", 3, INT64_MIN), 0);
    ck_assert_int_eq(taken(2, "acme", 3, INT64_MIN + 500), 1);
}
END_TEST

START_TEST(why_refused)
{
    const oc_limit_rules_t rules = {.max_publish_rate = 1};
    oc_diag_t diag = {0};

    ck_assert_int_eq(oc_limits_publish(limits, &rules, "acme", 4, 0, &diag), OC_OK);
    ck_assert_int_eq(diag.code, OC_OK);
    ck_assert_int_eq(oc_limits_publish(limits, &rules, "acme", 4, 0, &diag), OC_E_LIMIT_RATE);
    ck_assert_int_eq(diag.code, OC_E_LIMIT_RATE);
    ck_assert_str_eq(diag.message, "max_publish_rate_per_org is 1");
    /* Only so many bytes are the name. */
    ck_assert_int_eq(oc_limits_publish(limits, &rules, "acme/x", 6, 0, NULL), OC_OK);
    ck_assert_int_eq(oc_limits_publish(limits, &rules, "acme/x", 4, 0, NULL), OC_E_LIMIT_RATE);
    ck_assert_str_eq(oc_limits_find_org(limits, "acme/x", 4)->id, "acme");
    ck_assert_uint_eq(oc_limits_find_org(limits, "acme/x", 4)->id_len, 4);
}
END_TEST

START_TEST(refused_for_another_reason)
{
    ck_assert_int_eq(publish(2, "acme", 0), OC_OK);
    oc_limits_refused(limits, "acme", 4);
    ck_assert_uint_eq(load_of("acme")->events_accepted, 0);
    ck_assert_uint_eq(load_of("acme")->events_refused, 1);
    /* It has taken its part of the rate. */
    ck_assert_int_eq(publish(2, "acme", 0), OC_OK);
    ck_assert_int_eq(publish(2, "acme", 0), OC_E_LIMIT_RATE);
    ck_assert_uint_eq(load_of("acme")->events_accepted, 1);
    ck_assert_uint_eq(load_of("acme")->events_refused, 2);
    oc_limits_refused(limits, "globex", 6);
    ck_assert_ptr_null(oc_limits_find_org(limits, "globex", 6));
}
END_TEST

/* --- What is forgotten --- */

START_TEST(idle_ones_are_forgotten)
{
    int64_t now_ms = 5000;

    enter("ann", "acme");
    ck_assert_int_eq(publish(1, "acme", now_ms), OC_OK);
    ck_assert_int_eq(publish(1, "globex", now_ms), OC_OK);
    now_ms += 1000;
    ck_assert_int_eq(publish(1, "initech", now_ms), OC_OK);
    oc_limits_tick(limits, now_ms + OC_ORG_IDLE_MS - 1001);
    ck_assert_uint_eq(oc_limits_org_count(limits), 3);
    oc_limits_tick(limits, now_ms + OC_ORG_IDLE_MS - 1000);
    ck_assert_uint_eq(oc_limits_org_count(limits), 2);
    ck_assert_ptr_null(load_of("globex"));
    now_ms += OC_ORG_IDLE_MS - 1000;
    /* An event makes it new; it is the next that a later event forgets. */
    ck_assert_int_eq(publish(1, "initech", now_ms), OC_OK);
    ck_assert_int_eq(publish(1, "umbra", now_ms + OC_ORG_IDLE_MS - 1), OC_OK);
    ck_assert_uint_eq(load_of("initech")->events_accepted, 2);
    ck_assert_int_eq(publish(1, "umbra", now_ms + OC_ORG_IDLE_MS), OC_E_LIMIT_RATE);
    ck_assert_ptr_null(load_of("initech"));
    now_ms += OC_ORG_IDLE_MS;
    /* What has connections stays, and counts its time from the last one's end. */
    oc_limits_tick(limits, now_ms + 10 * OC_ORG_IDLE_MS);
    ck_assert_uint_eq(oc_limits_org_count(limits), 1);
    leave("ann", "acme");
    oc_limits_tick(limits, now_ms + 11 * OC_ORG_IDLE_MS - 1);
    ck_assert_uint_eq(load_of("acme")->events_accepted, 1);
    ck_assert_uint_eq(load_of("acme")->connections, 0);
    oc_limits_tick(limits, now_ms + 11 * OC_ORG_IDLE_MS);
    ck_assert_uint_eq(oc_limits_org_count(limits), 0);
}
END_TEST

START_TEST(time_set_back_forgets_nothing)
{
    ck_assert_int_eq(publish(1, "acme", 1000000), OC_OK);
    oc_limits_tick(limits, 0);
    oc_limits_tick(limits, OC_ORG_IDLE_MS - 1);
    ck_assert_ptr_nonnull(load_of("acme"));
    oc_limits_tick(limits, OC_ORG_IDLE_MS);
    ck_assert_ptr_null(load_of("acme"));
}
END_TEST

static void publish_number(unsigned number, int64_t now_ms)
{
    char org[32];

    (void)snprintf(org, sizeof org, "org-%u", number);
    unit_check(publish(1, org, now_ms) == OC_OK, "%s", org);
}

static bool known_number(unsigned number)
{
    char org[32];

    (void)snprintf(org, sizeof org, "org-%u", number);
    return load_of(org) != NULL;
}

/* A service publishes for a million: the latest are remembered, and those with connections. */
START_TEST(a_million_organizations)
{
    enter("ann", "org-7 acme");
    for (unsigned i = 0; i < 1000000; i++) {
        publish_number(i, 0);
        unit_check(oc_limits_org_count(limits) <= OC_IDLE_ORGS_MAX + 2, "after %u", i);
    }
    ck_assert_uint_eq(oc_limits_org_count(limits), OC_IDLE_ORGS_MAX + 2);
    ck_assert(known_number(7));
    ck_assert(known_number(1000000 - OC_IDLE_ORGS_MAX));
    ck_assert(!known_number(1000000 - OC_IDLE_ORGS_MAX - 1));
    /* One that was used again is not the next to go. */
    ck_assert_int_eq(publish(0, "org-999998", 0), OC_OK);
    ck_assert_int_eq(publish(0, "org-983616", 0), OC_OK);
    publish_number(1000000, 0);
    ck_assert(known_number(983616));
    ck_assert(!known_number(983617));
    /* Neither does one get by that is left by its last connection. */
    leave("ann", "org-7 acme");
    ck_assert_uint_eq(oc_limits_org_count(limits), OC_IDLE_ORGS_MAX);
    ck_assert(known_number(7));
    ck_assert(!known_number(983618));
    /* In turn they go, some with each call, and the table becomes small again. */
    for (int i = 0; i < 1000; i++)
        oc_limits_tick(limits, OC_ORG_IDLE_MS);
    ck_assert_uint_eq(oc_limits_org_count(limits), 0);
}
END_TEST

START_TEST(subjects_leave_nothing)
{
    for (unsigned i = 0; i < 100000; i++) {
        char subject[32];
        char org[32];

        (void)snprintf(subject, sizeof subject, "user-%u", i);
        (void)snprintf(org, sizeof org, "org-%u", i);
        enter(subject, org);
        leave(subject, org);
    }
    ck_assert_uint_eq(oc_limits_subject_count(limits), 0);
    ck_assert_uint_eq(oc_limits_org_count(limits), 0);
}
END_TEST

START_TEST(one_after_the_other)
{
    size_t cursor = 0;
    unsigned seen = 0;
    const oc_org_load_t *load;

    ck_assert_ptr_null(oc_limits_next_org(limits, &cursor));
    for (unsigned i = 0; i < 1000; i++)
        publish_number(i, 0);
    enter("ann", "acme");
    cursor = 0;
    while ((load = oc_limits_next_org(limits, &cursor))) {
        unit_check(oc_limits_find_org(limits, load->id, load->id_len) == load, "%s", load->id);
        unit_check(strlen(load->id) == load->id_len, "%s", load->id);
        unit_check(load->connections + load->events_accepted == 1, "%s", load->id);
        seen++;
    }
    ck_assert_uint_eq(seen, 1001);
    ck_assert_uint_eq(oc_limits_org_count(limits), 1001);
    ck_assert_ptr_null(oc_limits_next_org(limits, &cursor));
}
END_TEST

/* --- Against a model: small tables of numbers, and the connections one by one --- */

#define SEED 20241124U
#define STEPS 300000
#define ORGS 40
#define SUBJECTS 12
#define CONNECTIONS 60
#define IDENTITIES 64
#define RATE 4

typedef struct model_org {
    bool known;
    uint64_t accepted;
    uint64_t refused;
    int64_t spent; /* thousandths */
    int64_t at_ms;
    int64_t used_ms;
} model_org_t;

static struct {
    unsigned subject;
    bool orgs[ORGS];
    oc_identity_t *identity;
} people[IDENTITIES];

static model_org_t model[ORGS];
static int connections[CONNECTIONS]; /* who is there; -1: nobody */
static unsigned seed;

static unsigned number(unsigned below)
{
    return (unsigned)rand_r(&seed) % below;
}

/* Names of many lengths, of which some begin alike. */
static const char *org_name(unsigned org)
{
    static char names[ORGS][OC_NAME_KEY_BYTES];

    (void)snprintf(names[org], sizeof names[org], "%.*s%u", (int)(org * 3 % 100),
                   "an-organization-with-a-long-name-an-organization-with-a-long-name-an-organi"
                   "zation-with-a-long-name",
                   org);
    return names[org];
}

static void make_people(void)
{
    for (size_t i = 0; i < IDENTITIES; i++) {
        char subject[32];
        char orgs[OC_ORGS_PER_TOKEN_MAX * 16] = "";
        /* A few are in most organizations. */
        unsigned one_in = i % 8 == 0 ? 1 : 16;

        people[i].subject = number(SUBJECTS);
        (void)snprintf(subject, sizeof subject, "user-%u", people[i].subject);
        for (unsigned org = 0; org < ORGS; org++) {
            people[i].orgs[org] = number(one_in) == 0;
            if (!people[i].orgs[org])
                continue;
            unit_append(orgs, sizeof orgs, orgs[0] ? " " : "");
            unit_append(orgs, sizeof orgs, org_name(org));
        }
        people[i].identity = identity_of(subject, orgs);
    }
}

static int model_connections(unsigned org, int without)
{
    int count = 0;

    for (int c = 0; c < CONNECTIONS; c++)
        count += c != without && connections[c] >= 0 && people[connections[c]].orgs[org];
    return count;
}

static int model_of_subject(unsigned subject, int without)
{
    int count = 0;

    for (int c = 0; c < CONNECTIONS; c++)
        count += c != without && connections[c] >= 0 && people[connections[c]].subject == subject;
    return count;
}

/* Whether there is room for who comes, when the connection `without` ends by that. */
static bool model_room(int who, int without, const oc_limit_rules_t *rules)
{
    if (rules->max_per_subject &&
        model_of_subject(people[who].subject, without) >= rules->max_per_subject)
        return false;
    for (unsigned org = 0; org < ORGS; org++) {
        if (people[who].orgs[org] && rules->max_per_org &&
            model_connections(org, without) >= rules->max_per_org)
            return false;
    }
    return true;
}

static void model_leave(int c, int64_t now_ms)
{
    int who = connections[c];

    connections[c] = -1;
    for (unsigned org = 0; org < ORGS; org++) {
        if (!people[who].orgs[org])
            continue;
        model[org].used_ms = now_ms;
        if (model_connections(org, -1) == 0 && model[org].accepted + model[org].refused == 0)
            model[org] = (model_org_t){0};
    }
}

static void model_use(unsigned org, int64_t now_ms)
{
    if (!model[org].known)
        model[org] = (model_org_t){.known = true, .at_ms = now_ms};
    model[org].used_ms = now_ms;
}

/* The real ones forget one by one, the model all that are due: after a tick it is the same. */
static void model_forget(int64_t now_ms)
{
    for (unsigned org = 0; org < ORGS; org++) {
        if (model[org].known && model_connections(org, -1) == 0 &&
            now_ms - model[org].used_ms >= OC_ORG_IDLE_MS)
            model[org] = (model_org_t){0};
    }
}

static bool model_publish(unsigned org, int64_t now_ms)
{
    model_org_t *m = &model[org];

    model_use(org, now_ms);
    m->spent -= (now_ms - m->at_ms) * RATE;
    if (m->spent < 0)
        m->spent = 0;
    m->at_ms = now_ms;
    if (m->spent + 1000 > INT64_C(1000) * RATE) {
        m->refused++;
        return false;
    }
    m->spent += 1000;
    m->accepted++;
    return true;
}

static void compare(int step)
{
    size_t known = 0;
    size_t subjects = 0;

    for (unsigned org = 0; org < ORGS; org++) {
        const oc_org_load_t *load = load_of(org_name(org));

        known += model[org].known;
        unit_check((load != NULL) == model[org].known, "step %d: org %u", step, org);
        unit_check(!load || (load->connections == (uint64_t)model_connections(org, -1) &&
                             load->events_accepted == model[org].accepted &&
                             load->events_refused == model[org].refused),
                   "step %d: counts of org %u", step, org);
    }
    for (unsigned subject = 0; subject < SUBJECTS; subject++) {
        char name[32];
        int count = model_of_subject(subject, -1);

        (void)snprintf(name, sizeof name, "user-%u", subject);
        unit_check(oc_limits_of_subject(limits, name) == (uint64_t)count, "step %d: %s", step,
                   name);
        subjects += count > 0;
    }
    unit_check(oc_limits_org_count(limits) == known, "step %d: organizations", step);
    unit_check(oc_limits_subject_count(limits) == subjects, "step %d: subjects", step);
}

/* Somebody comes, perhaps in place of another connection. */
static bool step_enter(int step, int64_t now_ms)
{
    const oc_limit_rules_t rules = {.max_per_org = number(14), .max_per_subject = number(10)};
    int who = (int)number(IDENTITIES);
    int c = (int)number(CONNECTIONS);
    const oc_identity_t *old = connections[c] < 0 ? NULL : people[connections[c]].identity;
    oc_err_t err = oc_limits_check(limits, &rules, people[who].identity, old, NULL);

    unit_check((err == OC_OK) == model_room(who, c, &rules), "step %d: check", step);
    if (err)
        return false;
    if (old) {
        oc_limits_leave(limits, old);
        model_leave(c, now_ms);
    }
    unit_check(oc_limits_enter(limits, people[who].identity) == OC_OK, "step %d: enter", step);
    connections[c] = who;
    for (unsigned org = 0; org < ORGS; org++) {
        if (people[who].orgs[org])
            model_use(org, now_ms);
    }
    return true;
}

static void step_leave(int64_t now_ms)
{
    int c = (int)number(CONNECTIONS);

    if (connections[c] < 0)
        return;
    oc_limits_leave(limits, people[connections[c]].identity);
    model_leave(c, now_ms);
}

START_TEST(as_the_model)
{
    int64_t now_ms = 1;
    int entered = 0;
    int refused = 0;

    seed = SEED;
    (void)printf("seed %u\n", seed);
    make_people();
    for (int c = 0; c < CONNECTIONS; c++)
        connections[c] = -1;
    for (int step = 0; step < STEPS; step++) {
        unsigned org = number(ORGS);

        /* Short steps and, once in a while, about as long as idle ones are kept. */
        now_ms += number(2000) == 0 ? (int64_t)number(2 * (unsigned)OC_ORG_IDLE_MS) : number(40);
        model_forget(now_ms);
        oc_limits_tick(limits, now_ms);
        switch (number(6)) {
        case 0:
            entered += step_enter(step, now_ms);
            break;
        case 1:
            step_leave(now_ms);
            break;
        case 2:
            if (publish(0, org_name(org), now_ms) != OC_OK)
                ck_abort_msg("step %d: publish", step);
            oc_limits_refused(limits, org_name(org), strlen(org_name(org)));
            model_use(org, now_ms);
            model[org].refused++;
            break;
        default: {
            /* Half of the events are of one organization, so that its bucket is empty at times. */
            bool one = number(2) == 0;
            bool may = model_publish(one ? 0 : org, now_ms);

            unit_check((publish(RATE, org_name(one ? 0 : org), now_ms) == OC_OK) == may,
                       "step %d: publish", step);
            refused += !may;
        }
        }
        compare(step);
    }
    ck_assert_int_gt(entered, STEPS / 100);
    ck_assert_int_gt(refused, STEPS / 100);
    for (size_t i = 0; i < IDENTITIES; i++)
        oc_identity_unref(people[i].identity);
}
END_TEST

/* --- The table of names --- */

static void numbers(unsigned i, char *name)
{
    (void)snprintf(name, 16, "%u", i);
}

static void padded(unsigned i, char *name)
{
    (void)snprintf(name, 64, "5a1c9e3e-7d0b-4c52-9f7e-%012x", i << 12);
}

/* Bits far apart that would cancel out in a hash which only multiplies and shifts. */
static void far_apart(unsigned i, char *name)
{
    memset(name, 'x', OC_NAME_KEY_BYTES);
    name[OC_NAME_KEY_BYTES] = '\0';
    for (unsigned bit = 0; bit < 16; bit++) {
        if (i >> bit & 1) {
            name[bit * 16 + 7] = 'x' ^ 0x20;
            name[bit * 16 + 11] = 'x' ^ 0x20;
            name[bit * 16 + 15] = 'x' ^ 0x20;
        }
    }
}

static const struct {
    const char *name;
    void (*make)(unsigned i, char *name);
} families[] = {{"numbers", numbers}, {"padded", padded}, {"far apart", far_apart}};

#define NAMES 65536U
#define KEYS 5

/* Names that somebody chose fall on 2^16 slots as evenly as random ones, under each key. Of 2^16 random
 * names a slot gets 16 once in a hundred million tables. */
START_TEST(names_spread)
{
    static unsigned char counts[NAMES];

    for (int k = 0; k < KEYS; k++) {
        oc_name_key_t key;
        unsigned used = 0;

        ck_assert(oc_name_key_draw(&key));
        memset(counts, 0, sizeof counts);
        for (unsigned i = 0; i < NAMES; i++) {
            char name[OC_NAME_KEY_BYTES + 1];
            uint64_t at;

            families[_i].make(i, name);
            at = oc_name_hash(&key, name, strlen(name)) >> 48;
            used += counts[at] == 0;
            counts[at]++;
            unit_check(counts[at] < 16, "%s", families[_i].name);
        }
        /* 1 - 1/e of them, within one in a hundred. */
        unit_check(used > NAMES * 62 / 100 && used < NAMES * 65 / 100, "%s: %u", families[_i].name,
                   used);
    }
}
END_TEST

START_TEST(keys_differ)
{
    oc_name_key_t one;
    oc_name_key_t other;

    ck_assert(oc_name_key_draw(&one));
    ck_assert(oc_name_key_draw(&other));
    ck_assert_uint_ne(oc_name_hash(&one, "acme", 4), oc_name_hash(&other, "acme", 4));
    ck_assert_uint_eq(oc_name_hash(&one, "acme", 4), oc_name_hash(&one, "acme-2", 4));
    ck_assert_uint_eq(one.multiplier & other.multiplier & 1, 1);
}
END_TEST

/* Names that are longer than the key, and differ behind that only. */
START_TEST(very_long_names)
{
    static char values[300][OC_NAME_KEY_BYTES + 8];
    oc_name_key_t key;
    oc_name_table_t table = {.key = &key};

    ck_assert(oc_name_key_draw(&key));
    for (unsigned i = 0; i < COUNT(values); i++) {
        memset(values[i], 'x', OC_NAME_KEY_BYTES);
        (void)snprintf(values[i] + OC_NAME_KEY_BYTES, 8, "%u", i);
        ck_assert(oc_name_table_reserve(&table));
        oc_name_table_add(&table, values[i], strlen(values[i]));
    }
    ck_assert_uint_ne(oc_name_hash(&key, values[0], strlen(values[0])),
                      oc_name_hash(&key, values[1], strlen(values[1])));
    for (unsigned i = 0; i < COUNT(values); i++) {
        size_t len = strlen(values[i]);

        unit_check(oc_name_table_get(&table, values[i], len) == values[i], "%u", i);
        unit_check(!oc_name_table_get(&table, values[i], OC_NAME_KEY_BYTES), "%u", i);
    }
    /* As much memory as few names need. */
    for (unsigned i = 0; i < COUNT(values) - 3; i++)
        unit_check(oc_name_table_remove(&table, values[i], strlen(values[i])) == values[i], "%u",
                   i);
    ck_assert_ptr_null(oc_name_table_remove(&table, values[0], strlen(values[0])));
    ck_assert_uint_eq(table.bits, 10);
    for (int i = 0; i < 10; i++)
        oc_name_table_shrink(&table);
    ck_assert_uint_eq(table.bits, 6);
    ck_assert_uint_eq(table.count, 3);
    for (unsigned i = COUNT(values) - 3; i < COUNT(values); i++)
        unit_check(oc_name_table_get(&table, values[i], strlen(values[i])) == values[i], "%u", i);
    oc_name_table_done(&table);
    ck_assert_ptr_null(oc_name_table_get(&table, "acme", 4));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("limits");

    tcase_add_checked_fixture(tcase, make, unmake);
    unit_add_table(tcase, places, checks);
    tcase_add_test(tcase, coming_and_going);
    tcase_add_test(tcase, step_by_step);
    tcase_add_test(tcase, the_ends_of_time);
    tcase_add_test(tcase, why_refused);
    tcase_add_test(tcase, refused_for_another_reason);
    tcase_add_test(tcase, idle_ones_are_forgotten);
    tcase_add_test(tcase, time_set_back_forgets_nothing);
    tcase_add_test(tcase, a_million_organizations);
    tcase_add_test(tcase, subjects_leave_nothing);
    tcase_add_test(tcase, one_after_the_other);
    tcase_add_test(tcase, as_the_model);
    unit_add_table(tcase, names_spread, families);
    tcase_add_test(tcase, keys_differ);
    tcase_add_test(tcase, very_long_names);
    return unit_run("limits", tcase);
}

/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "mem.h"
#include "session.h"
#include "unit.h"

/* As in the module: how long a session that does not live on stays for its Will. */
#define WILL_GRACE_S 60

static oc_limits_t *limits;
static oc_sessions_t *sessions;
static const unsigned char hash[OC_TOKEN_HASH_LEN] = "a hash of a token";
/* Clients are told apart by address alone. */
static char clients[64];

static void make(void)
{
    limits = oc_limits_new();
    ck_assert_ptr_nonnull(limits);
    oc_limits_count_subjects(limits);
    sessions = oc_sessions_new(limits);
    ck_assert_ptr_nonnull(sessions);
}

static void unmake(void)
{
    oc_sessions_free(sessions);
    ck_assert_uint_eq(oc_limits_subject_count(limits), 0);
    oc_limits_free(limits);
}

/* orgs: JSON; every one with the scope "every" */
static oc_identity_t *identity_with(const char *subject, const char *orgs, const char *scope,
                                    int64_t deadline_s)
{
    const oc_claim_rules_t rules = {.max_orgs = 2,
                                    .org_claim = "/org",
                                    .scope_claim = "/scope",
                                    .username_claim = "/sub",
                                    .publish_scope = "",
                                    .subscribe_scope = "",
                                    .any_org_scope = "every",
                                    .admin_scope = ""};
    OC_CLEANUP(oc_json_decrefp)
    json_t *claims =
        json_pack("{s:s, s:o, s:s, s:I}", "sub", subject, "org", json_loads(orgs, 0, NULL), "scope",
                  scope, "exp", (json_int_t)deadline_s);
    oc_identity_t *identity = NULL;

    ck_assert_int_eq(oc_identity_from_claims(&rules, claims, deadline_s - 1, &identity, NULL),
                     OC_OK);
    return identity;
}

static oc_identity_t *identity_of_org(const char *subject, const char *org, int64_t deadline_s)
{
    char orgs[64];

    (void)snprintf(orgs, sizeof orgs, "[\"%s\"]", org);
    return identity_with(subject, orgs, "", deadline_s);
}

static oc_identity_t *identity_of(const char *subject, int64_t deadline_s)
{
    return identity_of_org(subject, "acme", deadline_s);
}

static oc_session_t *find(int client, const char *id)
{
    return oc_sessions_find(sessions, &clients[client], id);
}

/* The next whose time is over. */
static oc_session_t *next_expired(int64_t now_s)
{
    oc_session_end_t cause = OC_SESSION_KICKED;
    oc_session_t *session = oc_sessions_next_due(sessions, now_s, &cause);

    if (session)
        ck_assert_int_eq(cause, OC_SESSION_EXPIRED);
    return session;
}

static oc_session_t *bind_bound(int client, const char *id, const char *subject, int64_t deadline_s,
                                bool id_bound)
{
    const oc_session_traits_t traits = {.id_bound = id_bound, .end_on_expiry = true};

    ck_assert_int_eq(oc_sessions_bind(sessions, &clients[client], id,
                                      identity_of(subject, deadline_s), hash, &traits),
                     OC_OK);
    ck_assert_ptr_nonnull(find(client, id));
    return find(client, id);
}

static oc_session_t *bind_client(int client, const char *id, const char *subject,
                                 int64_t deadline_s)
{
    return bind_bound(client, id, subject, deadline_s, false);
}

START_TEST(a_new_session)
{
    const oc_session_traits_t traits = {.id_bound = true};
    oc_identity_t *identity = identity_of("ann", 100);
    oc_session_t *session;

    ck_assert_uint_eq(oc_sessions_count(sessions), 0);
    ck_assert_int_eq(oc_sessions_bind(sessions, &clients[1], "acme/1", identity, hash, &traits),
                     OC_OK);
    ck_assert_uint_eq(oc_sessions_count(sessions), 1);
    session = find(1, "acme/1");
    ck_assert_ptr_nonnull(session);
    ck_assert_ptr_eq(oc_sessions_find_id(sessions, "acme/1"), session);
    ck_assert_ptr_eq(oc_session_identity(session), identity);
    ck_assert_str_eq(oc_session_client_id(session), "acme/1");
    ck_assert_int_eq(memcmp(oc_session_token_hash(session), hash, OC_SESSION_HASH_LEN), 0);
    ck_assert(oc_session_connected(session));
    ck_assert(oc_session_holds_id(sessions, session));
    ck_assert(oc_session_id_bound(session));
    ck_assert(!oc_session_end_on_expiry(session));
    ck_assert(!oc_session_foreign(session));

    ck_assert_ptr_null(find(2, "acme/1"));
    ck_assert_ptr_null(find(1, "acme/2"));
    ck_assert_ptr_null(find(1, "acme/"));
    ck_assert_ptr_null(find(1, ""));
    ck_assert_ptr_null(find(1, NULL));
    ck_assert_ptr_null(oc_sessions_find_id(sessions, "acme/2"));
    ck_assert_ptr_null(oc_sessions_find_id(sessions, "acme/11"));
}
END_TEST

/* BASIC_AUTH of the new client comes before DISCONNECT of the old. */
START_TEST(takeover)
{
    oc_session_t *old = bind_client(1, "tab", "ann", 100);
    oc_session_t *new = bind_client(2, "tab", "ann", 200);

    ck_assert_uint_eq(oc_sessions_count(sessions), 2);
    ck_assert_ptr_eq(find(1, "tab"), old);
    ck_assert_ptr_eq(find(2, "tab"), new);
    ck_assert_ptr_eq(oc_sessions_find_id(sessions, "tab"), new);
    ck_assert(!oc_session_holds_id(sessions, old));
    ck_assert(oc_session_holds_id(sessions, new));

    oc_sessions_disconnected(sessions, &clients[1], true, 50);
    ck_assert(!oc_session_connected(old));
    ck_assert(oc_session_connected(new));
    ck_assert_ptr_eq(oc_sessions_find_id(sessions, "tab"), new);
    oc_sessions_drop(sessions, &clients[1]);
    ck_assert_ptr_null(find(1, "tab"));
    ck_assert_ptr_eq(oc_sessions_find_id(sessions, "tab"), new);
    ck_assert_uint_eq(oc_sessions_count(sessions), 1);
}
END_TEST

/* The broker gives the address of a client that went to the next one at once. */
START_TEST(address_used_again)
{
    oc_session_t *session;

    bind_client(1, "first", "ann", 100);
    session = bind_client(1, "second", "bob", 100);
    ck_assert_uint_eq(oc_sessions_count(sessions), 1);
    ck_assert_ptr_null(find(1, "first"));
    ck_assert_ptr_null(oc_sessions_find_id(sessions, "first"));
    ck_assert_ptr_eq(find(1, "second"), session);

    /* And to one with the same id, whose predecessor was current. */
    session = bind_client(1, "second", "cem", 100);
    ck_assert_uint_eq(oc_sessions_count(sessions), 1);
    ck_assert_ptr_eq(find(1, "second"), session);
    ck_assert_ptr_eq(oc_sessions_find_id(sessions, "second"), session);
    ck_assert_str_eq(oc_session_identity(session)->subject, "cem");
}
END_TEST

START_TEST(dropping_and_disconnecting_nobody)
{
    oc_sessions_drop(sessions, &clients[1]);
    oc_sessions_disconnected(sessions, &clients[1], true, 10);
    ck_assert_ptr_null(next_expired(INT64_MAX));
    bind_client(1, "tab", "ann", 100);
    oc_sessions_drop(sessions, &clients[2]);
    oc_sessions_disconnected(sessions, &clients[2], true, 10);
    ck_assert(oc_session_connected(find(1, "tab")));
}
END_TEST

static const struct {
    const char *name;
    int64_t gone_s; /* when the connection ends; the deadline is 1000 */
} ends[] = {
    {"long before the deadline", 10},
    {"shortly before the deadline", 970},
    {"at the deadline", 1000},
    {"after the deadline", 1500},
};

static void disconnect_at(bool lives_on, int64_t gone_s)
{
    bind_client(1, "tab", "ann", 1000);
    if (gone_s >= 1000)
        ck_assert_ptr_eq(next_expired(1000), find(1, "tab"));
    oc_sessions_disconnected(sessions, &clients[1], lives_on, gone_s);
    /* A second time changes nothing. */
    oc_sessions_disconnected(sessions, &clients[1], !lives_on, gone_s + 1000);
}

/* The Will comes after DISCONNECT. */
START_TEST(a_will_meets_its_session)
{
    int64_t last_s = ends[_i].gone_s + WILL_GRACE_S - 1;

    disconnect_at(false, ends[_i].gone_s);
    ck_assert_ptr_null(next_expired(last_s));
    ck_assert_msg(find(1, "tab") != NULL, "%s: gone early", ends[_i].name);
    ck_assert_ptr_nonnull(oc_session_identity(find(1, "tab")));
    ck_assert_ptr_null(next_expired(last_s + 1));
    ck_assert_msg(find(1, "tab") == NULL, "%s: stays", ends[_i].name);
    ck_assert_ptr_null(oc_sessions_find_id(sessions, "tab"));
    ck_assert_uint_eq(oc_sessions_count(sessions), 0);
}
END_TEST

/* Offline, it has its identity until the deadline, and then only its name. */
START_TEST(a_session_that_lives_on)
{
    disconnect_at(true, ends[_i].gone_s);
    if (ends[_i].gone_s < 1000) {
        ck_assert_ptr_null(next_expired(999));
        ck_assert_ptr_nonnull(oc_session_identity(find(1, "tab")));
    }
    ck_assert_ptr_null(next_expired(ends[_i].gone_s + 1000));
    ck_assert_ptr_null(next_expired(INT64_MAX));
    ck_assert_msg(find(1, "tab") != NULL, "%s", ends[_i].name);
    ck_assert_ptr_null(oc_session_identity(find(1, "tab")));
    ck_assert_int_eq(memcmp(oc_session_token_hash(find(1, "tab")), hash, OC_SESSION_HASH_LEN), 0);
    /* A connection cannot come back to life without an identity. */
    oc_sessions_connected(sessions, find(1, "tab"));
    ck_assert(!oc_session_connected(find(1, "tab")));
    /* The next client with its address or its id ends it. */
    bind_client(2, "tab", "ann", 2000);
    ck_assert_ptr_null(next_expired(0));
    ck_assert_uint_eq(oc_sessions_count(sessions), 1);
}
END_TEST

START_TEST(offline_by_mistake)
{
    oc_session_t *session = bind_client(1, "tab", "ann", 100);

    oc_sessions_disconnected(sessions, &clients[1], true, 10);
    oc_sessions_connected(sessions, session);
    oc_sessions_connected(sessions, session);
    ck_assert(oc_session_connected(session));
    ck_assert_ptr_null(next_expired(99));
    ck_assert_ptr_eq(next_expired(100), session);
    ck_assert_ptr_null(next_expired(100));
}
END_TEST

START_TEST(expiry_is_told_once)
{
    oc_session_t *late = bind_client(1, "late", "ann", 200);
    oc_session_t *early = bind_client(2, "early", "ann", 100);

    bind_client(3, "never", "ann", 1000);
    ck_assert_ptr_null(next_expired(99));
    ck_assert_ptr_eq(next_expired(100), early);
    ck_assert_ptr_null(next_expired(100));
    ck_assert_ptr_eq(find(2, "early"), early);
    ck_assert(oc_session_connected(early));
    ck_assert_ptr_eq(next_expired(500), late);
    ck_assert_ptr_null(next_expired(500));
    /* Once its connection has ended it goes, after the grace, without a word. */
    oc_sessions_disconnected(sessions, &clients[2], false, 500);
    ck_assert_ptr_null(next_expired(500 + WILL_GRACE_S));
    ck_assert_ptr_null(find(2, "early"));
    ck_assert_uint_eq(oc_sessions_count(sessions), 2);
}
END_TEST

static const struct {
    const char *name;
    const char *subject; /* who asks; all are of acme */
    const char *id;
    int64_t now_s;
    oc_err_t err;
} holders[] = {
    {"another subject", "bob", "tab", 50, OC_E_CLIENT_ID_IN_USE},
    {"another authenticator's client", NULL, "tab", 50, OC_E_CLIENT_ID_IN_USE},
    {"a subject that begins so", "anna", "tab", 50, OC_E_CLIENT_ID_IN_USE},
    {"a subject in capitals", "ANN", "tab", 50, OC_E_CLIENT_ID_IN_USE},
    {"in the holder's last second", "bob", "tab", 99, OC_E_CLIENT_ID_IN_USE},
    {"after the holder's time", "bob", "tab", 100, OC_OK},
    {"another authenticator's, after the holder's time", NULL, "tab", 100, OC_OK},
    {"the same subject", "ann", "tab", 50, OC_OK},
    {"another id", "bob", "tab2", 50, OC_OK},
};

static oc_err_t check_id(const char *id, const char *subject, int64_t now_s)
{
    oc_identity_t *identity = subject ? identity_of(subject, 10000) : NULL;
    oc_err_t err = oc_sessions_check_id(sessions, id, identity, now_s);

    oc_identity_unref(identity);
    return err;
}

START_TEST(client_id_in_use)
{
    bind_client(1, "tab", "ann", 100);
    ck_assert_msg(check_id(holders[_i].id, holders[_i].subject, holders[_i].now_s) ==
                      holders[_i].err,
                  "%s", holders[_i].name);
}
END_TEST

static const struct {
    const char *name;
    const char *id;
    const char *subject; /* who asks */
    bool bound, lives_on;
    int64_t now_s;
    oc_err_t err;
} offline_holders[] = {
    {"free form", "tab", "bob", false, true, 50, OC_OK},
    {"of the same organization", "acme/1", "bob", true, true, 50, OC_OK},
    {"of another organization", "globex/1", "bob", true, true, 50, OC_E_CLIENT_ID_IN_USE},
    {"for another authenticator's", "acme/1", NULL, true, true, 50, OC_E_CLIENT_ID_IN_USE},
    {"does not live on", "globex/1", "bob", true, false, 50, OC_OK},
    {"after its time", "globex/1", "bob", true, true, 100, OC_E_CLIENT_ID_IN_USE},
    {"after its time, of its organization", "acme/1", "bob", true, true, 100, OC_OK},
};

/* Whoever starts clean with the id of an offline session would throw away what is queued for it. */
START_TEST(client_id_of_an_offline_session)
{
    bind_bound(1, offline_holders[_i].id, "ann", 100, offline_holders[_i].bound);
    oc_sessions_disconnected(sessions, &clients[1], offline_holders[_i].lives_on, 40);
    ck_assert_msg(check_id(offline_holders[_i].id, offline_holders[_i].subject,
                           offline_holders[_i].now_s) == offline_holders[_i].err,
                  "%s", offline_holders[_i].name);
}
END_TEST

/* The broker gives what was sent to a client id to whoever has it by then. */
START_TEST(client_id_that_awaits_something)
{
    oc_session_t *session = bind_client(1, "tab", "ann", 100);

    ck_assert_int_eq(check_id("tab", "bob", 100), OC_OK);
    oc_sessions_addressed(sessions, session, 100);
    ck_assert_int_eq(check_id("tab", "bob", 100), OC_E_CLIENT_ID_IN_USE);
    ck_assert_int_eq(check_id("tab2", "bob", 100), OC_OK);
    /* Who takes it over has what is on its way, too. */
    oc_sessions_addressed(sessions, session, 50);
    (void)bind_client(2, "tab", "ann", 100);
    oc_sessions_disconnected(sessions, &clients[2], false, 50);
    ck_assert_int_eq(check_id("tab", "bob", 50), OC_E_CLIENT_ID_IN_USE);
    ck_assert_int_eq(check_id("tab", NULL, 51), OC_E_CLIENT_ID_IN_USE);
    /* Not every broker says when it has delivered. */
    ck_assert_int_eq(check_id("tab", "bob", 52), OC_OK);
    ck_assert_int_eq(check_id("tab", "bob", 49), OC_OK);
    oc_sessions_delivered(sessions);
    ck_assert_int_eq(check_id("tab", "bob", 50), OC_OK);
}
END_TEST

static const struct {
    const char *name;
    const char *subject;
    const char *org;
    bool any_org, admin, may_subscribe;
    oc_err_t err;
} successors[] = {
    {"the same rights", "ann", "acme", false, false, true, OC_OK},
    {"more rights", "ann", "acme", true, true, true, OC_OK},
    {"every organization", "ann", "globex", true, false, true, OC_OK},
    {"another organization", "ann", "globex", false, true, true, OC_E_CLIENT_ID_IN_USE},
    {"no subscribing", "ann", "acme", false, true, false, OC_E_CLIENT_ID_IN_USE},
    {"another subject", "bob", "acme", true, true, true, OC_E_CLIENT_ID_IN_USE},
};

START_TEST(client_id_of_a_session_that_awaits_something)
{
    oc_session_t *session = bind_client(1, "tab", "ann", 100);
    oc_identity_t *identity = identity_of_org(successors[_i].subject, successors[_i].org, 10000);

    identity->any_org = successors[_i].any_org;
    identity->admin = successors[_i].admin;
    identity->may_subscribe = successors[_i].may_subscribe;
    oc_sessions_addressed(sessions, session, 50);
    oc_sessions_disconnected(sessions, &clients[1], false, 50);
    ck_assert_msg(oc_sessions_check_id(sessions, "tab", identity, 50) == successors[_i].err, "%s",
                  successors[_i].name);
    oc_identity_unref(identity);
}
END_TEST

START_TEST(foreign)
{
    oc_session_t *session;

    ck_assert_int_eq(oc_sessions_bind_foreign(sessions, &clients[1], "tab"), OC_OK);
    session = find(1, "tab");
    ck_assert(oc_session_foreign(session));
    ck_assert_ptr_null(oc_session_identity(session));
    ck_assert_ptr_null(next_expired(INT64_MAX));
    ck_assert_int_eq(check_id("tab", "ann", 50), OC_E_CLIENT_ID_IN_USE);
    ck_assert_int_eq(check_id("tab", NULL, 50), OC_OK);
    oc_sessions_connected(sessions, session);
    oc_sessions_disconnected(sessions, &clients[1], true, 50);
    ck_assert_ptr_null(find(1, "tab"));
    ck_assert_int_eq(check_id("tab", "ann", 50), OC_OK);
}
END_TEST

/* It may yet be refused: a session with an identity must not suffer from that. */
START_TEST(foreign_beside_an_offline_session)
{
    oc_session_t *session = bind_client(1, "tab", "ann", 100);

    oc_sessions_disconnected(sessions, &clients[1], true, 10);
    ck_assert_int_eq(oc_sessions_bind_foreign(sessions, &clients[2], "tab"), OC_OK);
    ck_assert_ptr_eq(oc_sessions_find_id(sessions, "tab"), session);
    ck_assert_ptr_null(next_expired(99));
    ck_assert_ptr_nonnull(oc_session_identity(session));
    /* While it is connected, the id is its own all the same. */
    ck_assert_int_eq(check_id("tab", "ann", 50), OC_E_CLIENT_ID_IN_USE);
    oc_sessions_drop(sessions, &clients[2]);
    ck_assert_int_eq(check_id("tab", "ann", 50), OC_OK);
}
END_TEST

/* It is not the other that is to be disconnected by the id. */
START_TEST(foreign_after_an_expired_session)
{
    oc_session_t *session = bind_client(1, "tab", "ann", 100);

    ck_assert_int_eq(oc_sessions_bind_foreign(sessions, &clients[2], "tab"), OC_OK);
    ck_assert_ptr_eq(next_expired(100), session);
    ck_assert(!oc_session_holds_id(sessions, session));
    oc_sessions_drop(sessions, &clients[2]);
    ck_assert(oc_session_holds_id(sessions, session));
}
END_TEST

/* The newest of several; each stays findable by its pointer. */
START_TEST(foreign_takeover)
{
    ck_assert_int_eq(oc_sessions_bind_foreign(sessions, &clients[1], "tab"), OC_OK);
    ck_assert_int_eq(oc_sessions_bind_foreign(sessions, &clients[2], "tab"), OC_OK);
    oc_sessions_disconnected(sessions, &clients[1], false, 10);
    ck_assert_ptr_null(find(1, "tab"));
    ck_assert_int_eq(check_id("tab", "ann", 50), OC_E_CLIENT_ID_IN_USE);
    oc_sessions_disconnected(sessions, &clients[2], false, 10);
    ck_assert_int_eq(check_id("tab", "ann", 50), OC_OK);
}
END_TEST

/* Subjects and organizations may have the same name: `acme` is the service's and the organization's. */
START_TEST(a_services_offline_session)
{
    const oc_session_traits_t traits = {.id_bound = true};
    oc_identity_t *service = identity_of("acme", 100);

    service->any_org = true;
    ck_assert_int_eq(oc_sessions_bind(sessions, &clients[1], "acme/q", service, hash, &traits),
                     OC_OK);
    oc_sessions_disconnected(sessions, &clients[1], true, 10);
    ck_assert_int_eq(check_id("acme/q", "bob", 50), OC_E_CLIENT_ID_IN_USE);
    ck_assert_int_eq(check_id("acme/q", "bob", 500), OC_E_CLIENT_ID_IN_USE);
    service = identity_of("acme", 200);
    service->any_org = true;
    ck_assert_int_eq(oc_sessions_check_id(sessions, "acme/q", service, 50), OC_OK);
    oc_identity_unref(service);
}
END_TEST

/* Refreshing changes the identity, its time and what it counts for, at once. */
START_TEST(refreshing)
{
    oc_session_t *session = bind_bound(1, "acme/1", "ann", 100, true);
    oc_identity_t *identity = identity_of("ann", 50);

    ck_assert_int_eq(oc_sessions_refresh(sessions, session, identity), OC_OK);
    ck_assert_ptr_eq(oc_session_identity(session), identity);
    ck_assert(oc_session_id_bound(session));
    ck_assert_uint_eq(oc_limits_of_subject(limits, "ann"), 1);
    ck_assert_ptr_null(next_expired(49));
    ck_assert_ptr_eq(next_expired(50), session);
    /* After its time as well, as long as the connection is there. */
    ck_assert_int_eq(oc_sessions_refresh(sessions, session, identity_of("ann", 200)), OC_OK);
    ck_assert_ptr_null(next_expired(199));
    ck_assert_ptr_eq(next_expired(200), session);
    ck_assert_uint_eq(oc_sessions_connected_count(sessions), 1);
}
END_TEST

/* The older of two with one id is refreshed without a place of its own. */
START_TEST(refreshing_a_superseded_session)
{
    oc_session_t *old = bind_client(1, "tab", "ann", 100);

    bind_client(2, "tab", "ann", 100);
    ck_assert_int_eq(oc_sessions_refresh(sessions, old, identity_of("ann", 300)), OC_OK);
    ck_assert_uint_eq(oc_limits_of_subject(limits, "ann"), 1);
    oc_sessions_disconnected(sessions, &clients[1], false, 10);
    ck_assert_uint_eq(oc_limits_of_subject(limits, "ann"), 1);
}
END_TEST

/* The id stays bound only while the token names its organization. */
START_TEST(refreshing_away_from_the_id)
{
    oc_session_t *session = bind_bound(1, "globex/1", "ann", 100, true);

    ck_assert_int_eq(oc_sessions_refresh(sessions, session, identity_of("ann", 200)), OC_OK);
    ck_assert(!oc_session_id_bound(session));
}
END_TEST

/* What a delivery asks first says yes only to one organization, at the address that the id had. */
START_TEST(granted)
{
    static const char *const orgs[] = {"[\"acme\"]", "[\"acme\",\"globex\"]", "[\"globex\"]"};
    static const char *const wanted[] = {"acme", NULL, "globex"};
    static char id[] = "tab";
    char same_text[] = "tab";

    for (size_t i = 0; i < COUNT(orgs); i++) {
        const oc_session_traits_t traits = {.end_on_expiry = true};
        const oc_org_load_t *org;

        ck_assert_int_eq(oc_sessions_bind(sessions, &clients[1], id,
                                          identity_with("ann", orgs[i], "", 100), hash, &traits),
                         OC_OK);
        org = oc_sessions_granted(sessions, &clients[1], id, 99);
        ck_assert_int_eq(org != NULL, wanted[i] != NULL);
        ck_assert(!org || strcmp(org->id, wanted[i]) == 0);
        ck_assert_ptr_null(oc_sessions_granted(sessions, &clients[1], id, 100));
        ck_assert_ptr_null(oc_sessions_granted(sessions, &clients[1], same_text, 99));
        ck_assert_ptr_null(oc_sessions_granted(sessions, &clients[2], id, 99));
        ck_assert_ptr_null(oc_sessions_granted(sessions, NULL, id, 99));
    }
    ck_assert_int_eq(
        oc_sessions_refresh(sessions, find(1, "tab"), identity_with("ann", "[\"acme\"]", "", 200)),
        OC_OK);
    ck_assert_str_eq(oc_sessions_granted(sessions, &clients[1], id, 199)->id, "acme");
    ck_assert_int_eq(
        oc_sessions_refresh(sessions, find(1, "tab"), identity_with("ann", "[]", "every", 200)),
        OC_OK);
    ck_assert_ptr_null(oc_sessions_granted(sessions, &clients[1], id, 199));
}
END_TEST

START_TEST(revoking)
{
    oc_session_t *session = bind_client(1, "tab", "ann", 100);
    const oc_identity_t *rights = NULL;
    oc_session_end_t cause;

    ck_assert_int_eq(oc_session_rights(session, &rights), OC_OK);
    ck_assert_ptr_eq(rights, oc_session_identity(session));
    oc_sessions_revoke(sessions, session);
    oc_sessions_revoke(sessions, session);
    ck_assert_int_eq(oc_session_rights(session, &rights), OC_E_TOKEN_REVOKED);
    ck_assert_ptr_nonnull(oc_session_identity(session));
    ck_assert_ptr_eq(oc_sessions_next_due(sessions, 10, &cause), session);
    ck_assert_int_eq(cause, OC_SESSION_REVOKED);
    ck_assert_ptr_null(oc_sessions_next_due(sessions, INT64_MAX, &cause));
    /* Its id is free for others. */
    ck_assert_int_eq(oc_sessions_check_id(sessions, "tab", NULL, 10), OC_OK);
    /* Its Will meets it, and finds it without rights. */
    oc_sessions_disconnected(sessions, &clients[1], false, 10);
    ck_assert_int_eq(oc_session_rights(session, &rights), OC_E_TOKEN_REVOKED);
    ck_assert_ptr_null(oc_sessions_next_due(sessions, 10 + WILL_GRACE_S, &cause));
    ck_assert_ptr_null(find(1, "tab"));
}
END_TEST

START_TEST(revoking_offline)
{
    oc_session_t *session = bind_bound(1, "acme/1", "ann", 100, true);
    const oc_identity_t *rights = NULL;

    oc_sessions_disconnected(sessions, &clients[1], true, 10);
    oc_sessions_revoke(sessions, session);
    ck_assert_int_eq(oc_session_rights(session, &rights), OC_E_TOKEN_REVOKED);
    ck_assert_ptr_null(next_expired(10));
    ck_assert_ptr_eq(find(1, "acme/1"), session);
    ck_assert_ptr_null(oc_session_identity(session));
    ck_assert_int_eq(oc_session_rights(session, &rights), OC_E_TOKEN_REVOKED);
    ck_assert_uint_eq(oc_sessions_offline_count(sessions), 1);
}
END_TEST

/* One that is only there for its Will keeps its time. */
START_TEST(revoking_while_leaving)
{
    oc_session_t *session = bind_client(1, "tab", "ann", 100);

    oc_sessions_disconnected(sessions, &clients[1], false, 10);
    oc_sessions_revoke(sessions, session);
    ck_assert_ptr_null(next_expired(10 + WILL_GRACE_S - 1));
    ck_assert_ptr_eq(find(1, "tab"), session);
}
END_TEST

START_TEST(kicking)
{
    oc_session_t *session = bind_client(1, "tab", "ann", 100);
    const oc_identity_t *rights = NULL;
    oc_session_end_t cause;

    oc_sessions_kick(sessions, session);
    ck_assert_int_eq(oc_session_rights(session, &rights), OC_OK);
    ck_assert_ptr_eq(oc_sessions_next_due(sessions, 10, &cause), session);
    ck_assert_int_eq(cause, OC_SESSION_KICKED);
    /* If it is still there, its time runs as before. */
    ck_assert_ptr_null(oc_sessions_next_due(sessions, 99, &cause));
    ck_assert_ptr_eq(next_expired(100), session);

    /* Only connections are kicked. */
    oc_sessions_disconnected(sessions, &clients[1], true, 10);
    oc_sessions_kick(sessions, session);
    ck_assert_ptr_null(oc_sessions_next_due(sessions, 10, &cause));
    ck_assert_int_eq(oc_sessions_bind_foreign(sessions, &clients[2], "other"), OC_OK);
    oc_sessions_kick(sessions, find(2, "other"));
    ck_assert_ptr_null(oc_sessions_next_due(sessions, 10, &cause));
}
END_TEST

/* A kick that comes before its disconnect is over by then. */
START_TEST(kicking_what_goes)
{
    oc_session_t *session = bind_bound(1, "acme/1", "ann", 100, true);
    oc_session_end_t cause;

    oc_sessions_kick(sessions, session);
    oc_sessions_disconnected(sessions, &clients[1], true, 10);
    ck_assert_ptr_null(oc_sessions_next_due(sessions, 10, &cause));
    ck_assert_ptr_nonnull(oc_session_identity(session));
}
END_TEST

START_TEST(rights_of_others)
{
    const oc_identity_t *rights = NULL;
    oc_session_t *session = bind_bound(1, "acme/1", "ann", 100, true);

    oc_sessions_disconnected(sessions, &clients[1], true, 10);
    ck_assert_ptr_null(next_expired(100));
    ck_assert_int_eq(oc_session_rights(session, &rights), OC_E_TOKEN_EXPIRED);
    ck_assert_int_eq(oc_sessions_bind_foreign(sessions, &clients[2], "other"), OC_OK);
    ck_assert_int_eq(oc_session_rights(find(2, "other"), &rights), OC_E_SESSION_UNKNOWN);
}
END_TEST

START_TEST(freeing)
{
    const oc_session_traits_t traits = {0};
    oc_sessions_t *others = oc_sessions_new(limits);

    oc_sessions_free(NULL);
    oc_sessions_free(others);
    others = oc_sessions_new(limits);
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(oc_sessions_bind(others, &clients[i], "tab", identity_of("ann", 100 + i),
                                          hash, &traits),
                         OC_OK);
    oc_sessions_free(others);
}
END_TEST

/* Random operations beside a model that looks at everything. */
#define IDS 12
#define OPERATIONS 10000

typedef struct model {
    bool there, connected, current, told, lives_on, spent, revoked, kicked, bound;
    int id;
    int subject;
    int64_t deadline_s, due_s;
    oc_session_t *session;
} model_t;

static model_t model[COUNT(clients)];
static char id_texts[IDS][8];
static const char *const subjects[] = {"ann", "bob", "cem"};

static void model_supersede(int id)
{
    for (size_t i = 0; i < COUNT(model); i++) {
        model_t *m = &model[i];

        if (!m->there || !m->current || m->id != id)
            continue;
        m->current = false;
        if (!m->connected) {
            m->lives_on = false;
            m->due_s = INT64_MIN;
        }
    }
}

static void check_against_model(int64_t now_s, int operation)
{
    size_t count = 0;
    size_t connected = 0;
    size_t offline = 0;
    uint64_t places[COUNT(subjects)] = {0};

    for (size_t c = 0; c < COUNT(model); c++) {
        const model_t *m = &model[c];

        count += m->there;
        connected += m->there && m->connected && m->current;
        offline += m->there && !m->connected && m->lives_on && m->bound;
        if (m->there && m->connected && m->current)
            places[m->subject]++;
        for (int id = 0; id < IDS; id++)
            unit_check(find((int)c, id_texts[id]) == (m->there && m->id == id ? m->session : NULL),
                       "operation %d: client %zu, id %d", operation, c, id);
        if (m->there) {
            const oc_org_load_t *org =
                oc_sessions_granted(sessions, &clients[c], id_texts[m->id], now_s);
            bool may = m->connected && m->current && !m->revoked && !m->kicked && !m->spent &&
                       now_s < m->deadline_s;

            unit_check((org != NULL) == may && (!org || strcmp(org->id, "acme") == 0),
                       "operation %d: grant of %zu", operation, c);
        }
        if (m->there)
            unit_check(oc_session_connected(m->session) == m->connected &&
                           oc_session_holds_id(sessions, m->session) == m->current &&
                           (oc_session_identity(m->session) == NULL) == m->spent,
                       "operation %d: client %zu", operation, c);
    }
    unit_check(oc_sessions_count(sessions) == count, "operation %d: count", operation);
    unit_check(oc_sessions_connected_count(sessions) == connected, "operation %d: connected",
               operation);
    unit_check(oc_sessions_offline_count(sessions) == offline, "operation %d: offline", operation);
    for (size_t i = 0; i < COUNT(subjects); i++)
        unit_check(oc_limits_of_subject(limits, subjects[i]) == places[i],
                   "operation %d: places of %s", operation, subjects[i]);
    for (int id = 0; id < IDS; id++) {
        const model_t *holder = NULL;

        for (size_t c = 0; c < COUNT(model); c++) {
            if (model[c].there && model[c].current && model[c].id == id)
                holder = &model[c];
        }
        unit_check(oc_sessions_find_id(sessions, id_texts[id]) == (holder ? holder->session : NULL),
                   "operation %d: holder of id %d", operation, id);
        for (size_t s = 0; s < COUNT(subjects); s++) {
            bool taken = holder && holder->connected && !holder->revoked &&
                         now_s < holder->deadline_s && holder->subject != (int)s;

            unit_check(check_id(id_texts[id], subjects[s], now_s) ==
                           (taken ? OC_E_CLIENT_ID_IN_USE : OC_OK),
                       "operation %d: id %d for %s", operation, id, subjects[s]);
        }
    }
}

static void expire_both(int64_t now_s, int operation)
{
    int64_t last_s = INT64_MIN;
    oc_session_end_t cause;
    oc_session_t *session;

    while ((session = oc_sessions_next_due(sessions, now_s, &cause)) != NULL) {
        model_t *m = NULL;

        for (size_t c = 0; c < COUNT(model); c++) {
            if (model[c].there && model[c].session == session)
                m = &model[c];
        }
        unit_check(m && m->connected && !m->told && m->due_s <= now_s, "operation %d: told",
                   operation);
        unit_check(cause == (m->revoked  ? OC_SESSION_REVOKED
                             : m->kicked ? OC_SESSION_KICKED
                                         : OC_SESSION_EXPIRED),
                   "operation %d: cause", operation);
        if (cause == OC_SESSION_KICKED) {
            m->kicked = false;
            m->due_s = m->deadline_s;
            m->told = now_s >= m->deadline_s;
            continue;
        }
        unit_check(m->due_s >= last_s, "operation %d: out of order", operation);
        last_s = m->due_s;
        m->told = true;
    }
    for (size_t c = 0; c < COUNT(model); c++) {
        model_t *m = &model[c];

        if (m->there && !m->connected && m->due_s <= now_s) {
            m->there = m->lives_on;
            m->spent = true;
            m->due_s = INT64_MAX;
        }
        unit_check(!m->there || m->told || m->due_s > now_s || m->spent,
                   "operation %d: not told of %zu", operation, c);
    }
}

static const void *kept;

static bool is_kept(const void *client, const char *client_id)
{
    (void)client_id;
    return client == kept;
}

/* A broker that can be asked: it keeps a client for a delayed Will. */
START_TEST(waiting_for_a_delayed_will)
{
    oc_sessions_ask(sessions, is_kept);
    bind_client(1, "tab", "ann", 1000);
    kept = &clients[1];
    oc_sessions_disconnected(sessions, &clients[1], false, 10);
    for (int64_t now_s = 10; now_s < 2000; now_s += WILL_GRACE_S)
        ck_assert_ptr_null(next_expired(now_s));
    ck_assert_ptr_nonnull(find(1, "tab"));
    kept = NULL;
    ck_assert_ptr_null(next_expired(2100));
    ck_assert_ptr_null(find(1, "tab"));
}
END_TEST

START_TEST(serial_numbers)
{
    uint64_t first = oc_session_serial(bind_client(1, "tab", "ann", 1000));

    ck_assert_uint_ne(oc_session_serial(bind_client(1, "tab", "ann", 1000)), first);
}
END_TEST

START_TEST(against_a_model)
{
    unsigned seed = 1;
    int64_t now_s = 1000;

    for (int i = 0; i < IDS; i++)
        (void)snprintf(id_texts[i], sizeof id_texts[0], i % 2 ? "acme/%d" : "id-%d", i);
    for (int operation = 0; operation < OPERATIONS; operation++) {
        int c = rand_r(&seed) % (int)COUNT(clients);
        int id = rand_r(&seed) % IDS;
        model_t *m = &model[c];
        bool lives_on;

        switch (rand_r(&seed) % 12) {
        case 0:
        case 1:
        case 2:
            m->there = false;
            model_supersede(id);
            *m = (model_t){.there = true,
                           .connected = true,
                           .current = true,
                           .id = id,
                           .subject = rand_r(&seed) % (int)COUNT(subjects),
                           .deadline_s = now_s + 1 + rand_r(&seed) % 300,
                           .bound = id % 2};
            m->due_s = m->deadline_s;
            m->session = bind_bound(c, id_texts[id], subjects[m->subject], m->deadline_s, m->bound);
            break;
        case 3:
        case 4:
            lives_on = rand_r(&seed) % 2;
            oc_sessions_disconnected(sessions, &clients[c], lives_on, now_s);
            if (m->there && m->connected) {
                m->connected = m->told = m->kicked = false;
                m->lives_on = lives_on && m->current;
                m->due_s = !m->lives_on ? now_s + WILL_GRACE_S
                           : m->revoked ? INT64_MIN
                                        : m->deadline_s;
            }
            break;
        case 5:
            oc_sessions_drop(sessions, &clients[c]);
            m->there = false;
            break;
        case 6:
            if (m->there && !m->connected && !m->spent) {
                oc_sessions_connected(sessions, m->session);
                m->connected = true;
                m->due_s = m->revoked ? INT64_MIN : m->deadline_s;
            }
            break;
        case 7:
        case 8:
            if (m->there && m->connected && !m->revoked) {
                m->deadline_s = now_s + 1 + rand_r(&seed) % 300;
                m->due_s = m->kicked ? INT64_MIN : m->deadline_s;
                m->told = false;
                ck_assert_int_eq(
                    oc_sessions_refresh(sessions, m->session,
                                        identity_of(subjects[m->subject], m->deadline_s)),
                    OC_OK);
            }
            break;
        case 9:
            if (m->there && !m->spent && !m->revoked && rand_r(&seed) % 4 == 0) {
                oc_sessions_revoke(sessions, m->session);
                m->revoked = true;
                if (m->connected || m->lives_on) {
                    m->due_s = INT64_MIN;
                    m->told = false;
                }
            }
            break;
        case 10:
            if (m->there && m->connected) {
                oc_sessions_kick(sessions, m->session);
                m->kicked = true;
                m->due_s = INT64_MIN;
                m->told = false;
            }
            break;
        default:
            now_s += rand_r(&seed) % 20;
            expire_both(now_s, operation);
            break;
        }
        check_against_model(now_s, operation);
    }
    expire_both(INT64_MAX, OPERATIONS);
    check_against_model(INT64_MAX, OPERATIONS);
}
END_TEST

/* More than one growth of the heap and of the hash tables. */
START_TEST(thousands)
{
    enum {
        MANY = 5000
    };
    char *many = malloc(MANY);
    size_t told = 0;

    for (int i = 0; i < MANY; i++) {
        const oc_session_traits_t traits = {0};
        char id[16];

        (void)snprintf(id, sizeof id, "id-%d", i);
        ck_assert_int_eq(oc_sessions_bind(sessions, many + i, id,
                                          identity_of("ann", 1 + i * 7919 % 1000), hash, &traits),
                         OC_OK);
    }
    ck_assert_uint_eq(oc_sessions_count(sessions), MANY);
    for (int64_t now_s = 1; now_s <= 1000; now_s++) {
        oc_session_t *session;

        while ((session = next_expired(now_s)) != NULL) {
            unit_check(oc_session_identity(session)->deadline_s == now_s, "at %lld",
                       (long long)now_s);
            told++;
        }
    }
    ck_assert_uint_eq(told, MANY);
    free(many);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("session");

    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, a_new_session);
    tcase_add_test(tcase, takeover);
    tcase_add_test(tcase, address_used_again);
    tcase_add_test(tcase, dropping_and_disconnecting_nobody);
    unit_add_table(tcase, a_will_meets_its_session, ends);
    unit_add_table(tcase, a_session_that_lives_on, ends);
    tcase_add_test(tcase, offline_by_mistake);
    tcase_add_test(tcase, expiry_is_told_once);
    unit_add_table(tcase, client_id_in_use, holders);
    unit_add_table(tcase, client_id_of_an_offline_session, offline_holders);
    tcase_add_test(tcase, client_id_that_awaits_something);
    unit_add_table(tcase, client_id_of_a_session_that_awaits_something, successors);
    tcase_add_test(tcase, foreign);
    tcase_add_test(tcase, foreign_beside_an_offline_session);
    tcase_add_test(tcase, foreign_after_an_expired_session);
    tcase_add_test(tcase, foreign_takeover);
    tcase_add_test(tcase, a_services_offline_session);
    tcase_add_test(tcase, refreshing);
    tcase_add_test(tcase, refreshing_a_superseded_session);
    tcase_add_test(tcase, refreshing_away_from_the_id);
    tcase_add_test(tcase, granted);
    tcase_add_test(tcase, revoking);
    tcase_add_test(tcase, revoking_offline);
    tcase_add_test(tcase, revoking_while_leaving);
    tcase_add_test(tcase, kicking);
    tcase_add_test(tcase, kicking_what_goes);
    tcase_add_test(tcase, rights_of_others);
    tcase_add_test(tcase, freeing);
    tcase_add_test(tcase, waiting_for_a_delayed_will);
    tcase_add_test(tcase, serial_numbers);
    tcase_add_test(tcase, against_a_model);
    tcase_add_test(tcase, thousands);
    return unit_run("session", tcase);
}

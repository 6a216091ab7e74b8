/* SPDX-License-Identifier: MIT */
/* Revocations in memory: what they match, how they merge, are listed and forgotten. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "json.h"
#include "revocations.h"
#include "unit.h"

#define NOW_S 1000

static oc_revocations_t *store;

static void make(void)
{
    ck_assert_int_eq(oc_revocations_new(&store), OC_OK);
}

static void unmake(void)
{
    oc_revocations_free(store);
    store = NULL;
}

/* The identity of claims; what is missing in them is filled in. */
static oc_identity_t *identify(const char *claims_text)
{
    const oc_claim_rules_t rules = {.max_orgs = 64,
                                    .org_claim = "/org",
                                    .scope_claim = "/scope",
                                    .username_claim = "/sub",
                                    .publish_scope = "",
                                    .subscribe_scope = "",
                                    .any_org_scope = "any",
                                    .admin_scope = ""};
    OC_CLEANUP(oc_json_decrefp)
    json_t *claims = json_pack("{s:s, s:s, s:i}", "sub", "ann", "org", "acme", "exp", 2000);
    OC_CLEANUP(oc_json_decrefp) json_t *more = NULL;
    oc_identity_t *identity = NULL;

    ck_assert_int_eq(oc_json_load(claims_text, strlen(claims_text), &more, NULL), OC_OK);
    ck_assert_int_eq(json_object_update(claims, more), 0);
    ck_assert_msg(oc_identity_from_claims(&rules, claims, NOW_S, &identity, NULL) == OC_OK, "%s",
                  claims_text);
    return identity;
}

static bool matches(const char *claims_text)
{
    oc_identity_t *identity = identify(claims_text);
    bool match = oc_revocations_match(store, identity);

    oc_identity_unref(identity);
    return match;
}

static oc_err_t add(oc_revocation_kind_t kind, const char *name, int64_t before_s,
                    int64_t revoked_s, int64_t forget_s)
{
    const oc_revocation_t revocation = {kind, name, before_s, revoked_s, forget_s};
    oc_diag_t diag = {0};
    uint64_t ticket = UINT64_MAX;
    bool failed = true;
    oc_err_t err = oc_revocations_add(store, &revocation, &ticket, &diag);

    unit_check(diag.code == err, "%s: %s", oc_err_name(err), diag.message);
    /* Nothing to wait for without a file. */
    if (!err)
        unit_check(oc_revocations_settled(store, ticket, &failed) && !failed, "'%s'", name);
    return err;
}

static oc_err_t take_back(oc_revocation_kind_t kind, const char *name)
{
    oc_diag_t diag = {0};
    uint64_t ticket;
    oc_err_t err = oc_revocations_remove(store, kind, name, &ticket, &diag);

    unit_check(diag.code == err, "%s: %s", oc_err_name(err), diag.message);
    return err;
}

/* The names in the order of the listing, separated by spaces. */
static const char *listing(void)
{
    static char text[1024];
    uint64_t cursor = 0;
    const oc_revocation_t *revocation;

    text[0] = '\0';
    while ((revocation = oc_revocations_next(store, &cursor)) != NULL) {
        unit_append(text, sizeof text, *text ? " " : "");
        unit_append(text, sizeof text, revocation->name);
    }
    return text;
}

/* --- Matching --- */

static const struct {
    const char *claims;
    oc_revocation_kind_t kind;
    const char *name;
    int64_t before_s;
    bool match;
} match_cases[] = {
    {"{\"jti\":\"a\"}", OC_REVOKE_JTI, "a", 0, true},
    {"{\"jti\":\"a\",\"iat\":999}", OC_REVOKE_JTI, "a", 0, true},
    {"{\"jti\":\"a\"}", OC_REVOKE_JTI, "b", 0, false},
    {"{\"jti\":\"a\"}", OC_REVOKE_JTI, "A", 0, false},
    {"{\"jti\":\"ab\"}", OC_REVOKE_JTI, "a", 0, false},
    {"{\"jti\":\"a\"}", OC_REVOKE_JTI, "ab", 0, false},
    {"{}", OC_REVOKE_JTI, "a", 0, false},
    /* Each kind has names of its own. */
    {"{}", OC_REVOKE_JTI, "ann", 0, false},
    {"{}", OC_REVOKE_JTI, "acme", 0, false},
    {"{\"jti\":\"a\"}", OC_REVOKE_SUBJECT, "a", 5000, false},
    {"{\"jti\":\"a\"}", OC_REVOKE_ORG, "a", 5000, false},
    {"{}", OC_REVOKE_SUBJECT, "acme", 5000, false},
    {"{}", OC_REVOKE_ORG, "ann", 5000, false},
    {"{\"iat\":99}", OC_REVOKE_SUBJECT, "ann", 100, true},
    {"{\"iat\":99.9}", OC_REVOKE_SUBJECT, "ann", 100, true},
    {"{\"iat\":100}", OC_REVOKE_SUBJECT, "ann", 100, false},
    {"{\"iat\":101}", OC_REVOKE_SUBJECT, "ann", 100, false},
    {"{\"iat\":99}", OC_REVOKE_SUBJECT, "bob", 100, false},
    {"{\"iat\":99}", OC_REVOKE_SUBJECT, "an", 100, false},
    {"{\"iat\":99}", OC_REVOKE_SUBJECT, "anna", 100, false},
    /* Without iat it was issued before any moment. */
    {"{}", OC_REVOKE_SUBJECT, "ann", 0, true},
    {"{}", OC_REVOKE_ORG, "acme", 0, true},
    {"{\"iat\":-5}", OC_REVOKE_SUBJECT, "ann", 0, true},
    {"{\"iat\":0}", OC_REVOKE_SUBJECT, "ann", 0, false},
    {"{\"iat\":99}", OC_REVOKE_ORG, "acme", 100, true},
    {"{\"iat\":100}", OC_REVOKE_ORG, "acme", 100, false},
    {"{\"iat\":99,\"org\":[\"a\",\"globex\",\"acme\"]}", OC_REVOKE_ORG, "a", 100, true},
    {"{\"iat\":99,\"org\":[\"a\",\"globex\",\"acme\"]}", OC_REVOKE_ORG, "acme", 100, true},
    {"{\"iat\":99,\"org\":[\"a\",\"globex\",\"acme\"]}", OC_REVOKE_ORG, "globex", 100, true},
    {"{\"iat\":99,\"org\":[\"a\",\"globex\",\"acme\"]}", OC_REVOKE_ORG, "glob", 100, false},
    /* A service of every organization is one of those that its token lists. */
    {"{\"iat\":99,\"scope\":\"any\",\"org\":[]}", OC_REVOKE_ORG, "acme", 100, false},
    {"{\"iat\":99,\"scope\":\"any\",\"org\":[\"acme\"]}", OC_REVOKE_ORG, "acme", 100, true},
    {"{\"iat\":99,\"scope\":\"any\",\"org\":[]}", OC_REVOKE_SUBJECT, "ann", 100, true},
};

START_TEST(matching)
{
    ck_assert(!matches(match_cases[_i].claims));
    ck_assert_int_eq(
        add(match_cases[_i].kind, match_cases[_i].name, match_cases[_i].before_s, NOW_S, INT64_MAX),
        OC_OK);
    ck_assert_msg(matches(match_cases[_i].claims) == match_cases[_i].match, "%s",
                  match_cases[_i].claims);
    ck_assert_int_eq(take_back(match_cases[_i].kind, match_cases[_i].name), OC_OK);
    ck_assert(!matches(match_cases[_i].claims));
}
END_TEST

START_TEST(one_of_several)
{
    ck_assert_int_eq(add(OC_REVOKE_JTI, "x", 0, NOW_S, 2000), OC_OK);
    ck_assert_int_eq(add(OC_REVOKE_SUBJECT, "bob", 5000, NOW_S, 2000), OC_OK);
    ck_assert_int_eq(add(OC_REVOKE_ORG, "globex", 100, NOW_S, 2000), OC_OK);
    ck_assert(!matches("{\"jti\":\"y\",\"iat\":1}"));
    ck_assert(matches("{\"jti\":\"x\"}"));
    ck_assert(matches("{\"jti\":\"y\",\"sub\":\"bob\",\"iat\":4999}"));
    ck_assert(matches("{\"jti\":\"y\",\"org\":\"globex\",\"iat\":99}"));
    /* The moment of the one is not that of the other. */
    ck_assert(!matches("{\"jti\":\"y\",\"org\":\"globex\",\"iat\":4999}"));
}
END_TEST

/* --- Merging, removing, listing --- */

static const oc_revocation_t *only_one(void)
{
    uint64_t cursor = 0;
    const oc_revocation_t *revocation = oc_revocations_next(store, &cursor);

    ck_assert_uint_eq(oc_revocations_count(store), 1);
    ck_assert_ptr_nonnull(revocation);
    ck_assert_ptr_null(oc_revocations_next(store, &cursor));
    return revocation;
}

static const struct {
    const char *name;
    int64_t first[3], second[3], both[3]; /* issued before, revoked, forgotten */
} merge_cases[] = {
    {"both later", {10, 20, 100}, {11, 21, 101}, {11, 21, 101}},
    {"both earlier", {11, 21, 101}, {10, 20, 100}, {11, 21, 101}},
    {"the one and the other", {11, 20, 100}, {10, 21, 101}, {11, 21, 101}},
    {"the other and the one", {10, 21, 101}, {11, 20, 100}, {11, 21, 101}},
    {"never", {10, 20, INT64_MAX}, {11, 21, 100}, {11, 21, INT64_MAX}},
    {"never, then", {10, 20, 100}, {11, 21, INT64_MAX}, {11, 21, INT64_MAX}},
    /* That one is over, and only nobody has looked yet. */
    {"over", {50, 60, 100}, {10, 100, 200}, {10, 100, 200}},
    {"almost over", {50, 60, 100}, {10, 99, 200}, {50, 99, 200}},
};

START_TEST(merging)
{
    const int64_t *first = merge_cases[_i].first;
    const int64_t *second = merge_cases[_i].second;
    const int64_t *both = merge_cases[_i].both;

    for (int kind = 0; kind < OC_REVOCATION_KINDS; kind++) {
        const oc_revocation_t *held;

        ck_assert_int_eq(add((oc_revocation_kind_t)kind, "a", first[0], first[1], first[2]), OC_OK);
        ck_assert_int_eq(add((oc_revocation_kind_t)kind, "a", second[0], second[1], second[2]),
                         OC_OK);
        held = only_one();
        ck_assert_int_eq((int)held->kind, kind);
        ck_assert_int_eq(held->issued_before_s, both[0]);
        ck_assert_int_eq(held->revoked_s, both[1]);
        ck_assert_int_eq(held->forget_s, both[2]);
        oc_revocations_forget(store, both[2] - 1);
        ck_assert_uint_eq(oc_revocations_count(store), 1);
        oc_revocations_forget(store, both[2]);
        if (both[2] != INT64_MAX)
            ck_assert_uint_eq(oc_revocations_count(store), 0);
        else
            ck_assert_int_eq(take_back((oc_revocation_kind_t)kind, "a"), OC_OK);
    }
}
END_TEST

START_TEST(removing)
{
    ck_assert_int_eq(take_back(OC_REVOKE_JTI, "a"), OC_E_NOT_FOUND);
    ck_assert_int_eq(add(OC_REVOKE_JTI, "a", 0, NOW_S, INT64_MAX), OC_OK);
    ck_assert_int_eq(add(OC_REVOKE_SUBJECT, "a", 100, NOW_S, 2000), OC_OK);
    ck_assert_int_eq(take_back(OC_REVOKE_ORG, "a"), OC_E_NOT_FOUND);
    ck_assert_int_eq(take_back(OC_REVOKE_JTI, "b"), OC_E_NOT_FOUND);
    ck_assert_int_eq(take_back(OC_REVOKE_JTI, ""), OC_E_REQUEST_INVALID);
    ck_assert_int_eq(take_back(OC_REVOKE_JTI, "a"), OC_OK);
    ck_assert_int_eq(take_back(OC_REVOKE_JTI, "a"), OC_E_NOT_FOUND);
    ck_assert_int_eq((int)only_one()->kind, OC_REVOKE_SUBJECT);
    /* By the name that the listing lent. */
    ck_assert_int_eq(take_back(OC_REVOKE_SUBJECT, only_one()->name), OC_OK);
    ck_assert_uint_eq(oc_revocations_count(store), 0);
}
END_TEST

START_TEST(paging_while_it_changes)
{
    uint64_t cursor = 0;
    uint64_t kept;

    for (const char *name = "abcdef"; *name; name++) {
        const char text[] = {*name, '\0'};

        ck_assert_int_eq(add(OC_REVOKE_JTI, text, 0, NOW_S, 2000 + *name), OC_OK);
    }
    ck_assert_str_eq(listing(), "a b c d e f");
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "a");
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "b");
    /* The one behind, the one that was last, and one that comes are taken away. */
    ck_assert_int_eq(take_back(OC_REVOKE_JTI, "a"), OC_OK);
    ck_assert_int_eq(take_back(OC_REVOKE_JTI, "b"), OC_OK);
    ck_assert_int_eq(take_back(OC_REVOKE_JTI, "c"), OC_OK);
    ck_assert_int_eq(add(OC_REVOKE_JTI, "e", 0, NOW_S, 4000), OC_OK);
    ck_assert_int_eq(add(OC_REVOKE_JTI, "a", 0, NOW_S, 4000), OC_OK);
    ck_assert_str_eq(listing(), "d e f a");
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "d");
    kept = cursor;
    oc_revocations_forget(store, 3000);
    ck_assert_str_eq(listing(), "e a");
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "e");
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "a");
    ck_assert_ptr_null(oc_revocations_next(store, &cursor));
    ck_assert_ptr_null(oc_revocations_next(store, &cursor));
    ck_assert_str_eq(oc_revocations_next(store, &kept)->name, "e");
    ck_assert_int_eq(add(OC_REVOKE_JTI, "g", 0, NOW_S, 4000), OC_OK);
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "g");
    cursor = UINT64_MAX;
    ck_assert_ptr_null(oc_revocations_next(store, &cursor));
}
END_TEST

/* --- What is refused --- */

START_TEST(names_and_times)
{
    char name[OC_REVOCATION_NAME_MAX + 2];
    static const size_t longest[] = {OC_JTI_MAX, OC_SUBJECT_MAX, 128};
    static const char *const bad[] = {"",     "\n",   "a\tb",     "\x7f",
                                      "\xff", "\xc3", "\xc2\x80", "a\xe2\x82"};
    static const char *const bad_orgs[] = {"a/b", "+", "#", "$a", " ", "a b"};

    for (int i = 0; i < OC_REVOCATION_KINDS; i++) {
        oc_revocation_kind_t kind = (oc_revocation_kind_t)i;

        memset(name, 'x', sizeof name);
        name[longest[i]] = '\0';
        ck_assert_int_eq(add(kind, name, 0, 0, 0), OC_OK);
        ck_assert_int_eq(take_back(kind, name), OC_OK);
        name[longest[i]] = 'x';
        name[longest[i] + 1] = '\0';
        ck_assert_int_eq(add(kind, name, 0, 0, 0), OC_E_REQUEST_INVALID);
        for (size_t b = 0; b < COUNT(bad); b++)
            ck_assert_int_eq(add(kind, bad[b], 0, 0, 0), OC_E_REQUEST_INVALID);
        for (size_t b = 0; b < COUNT(bad_orgs); b++)
            ck_assert_int_eq(add(kind, bad_orgs[b], 0, 0, 0),
                             kind == OC_REVOKE_ORG ? OC_E_REQUEST_INVALID : OC_OK);
        ck_assert_int_eq(add(kind, "a", -1, 0, 0),
                         kind == OC_REVOKE_JTI ? OC_OK : OC_E_REQUEST_INVALID);
        ck_assert_int_eq(add(kind, "b", 0, -1, 0), OC_E_REQUEST_INVALID);
        ck_assert_int_eq(add(kind, "b", 0, 0, -1), OC_E_REQUEST_INVALID);
        ck_assert_int_eq(add(kind, "b", 0, OC_REVOCATION_TIME_MAX + 1, 0), OC_E_REQUEST_INVALID);
        ck_assert_int_eq(add(kind, "b", 0, 0, OC_REVOCATION_TIME_MAX + 1), OC_E_REQUEST_INVALID);
        ck_assert_int_eq(take_back(kind, "b"), OC_E_NOT_FOUND);
    }
}
END_TEST

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void number_name(char name[static 48], size_t i)
{
    (void)snprintf(name, 48, "01938c9e-0000-7000-8000-%012zu", i);
}

/* What a CONNECT costs beside a full store; and no more than that goes in. */
START_TEST(full)
{
    oc_identity_t *stranger = identify("{\"jti\":\"01938c9e-0000-7000-8000-x\",\"iat\":999}");
    const int rounds = 1000000;
    bool any = false;
    char name[48];
    double start;

    ck_assert_int_eq(add(OC_REVOKE_SUBJECT, "bob", 5, 5, 5000), OC_OK);
    ck_assert_int_eq(add(OC_REVOKE_ORG, "globex", 5, 5, 5000), OC_OK);
    for (size_t i = 2; i < OC_REVOCATIONS_MAX; i++) {
        number_name(name, i);
        unit_check(add(OC_REVOKE_JTI, name, 0, 0, 3000 + (int64_t)i) == OC_OK, "%s", name);
    }
    ck_assert_int_eq(add(OC_REVOKE_JTI, "one more", 0, 0, 0), OC_E_FULL);
    ck_assert_int_eq(add(OC_REVOKE_ORG, "one-more", 0, 0, 0), OC_E_FULL);
    ck_assert_uint_eq(oc_revocations_count(store), OC_REVOCATIONS_MAX);
    /* What is there can still be changed. */
    ck_assert_int_eq(add(OC_REVOKE_SUBJECT, "bob", 6, 6, 6000), OC_OK);
    for (size_t i = 2; i < OC_REVOCATIONS_MAX; i += 97) {
        char claims[96];

        number_name(name, i);
        (void)snprintf(claims, sizeof claims, "{\"jti\":\"%s\"}", name);
        unit_check(matches(claims), "%s", claims);
    }
    start = seconds();
    for (int i = 0; i < rounds; i++)
        any = any || oc_revocations_match(store, stranger);
    printf("match beside %zu revocations: %.0f ns\n", OC_REVOCATIONS_MAX,
           (seconds() - start) / rounds * 1e9);
    ck_assert(!any);
    oc_identity_unref(stranger);
    ck_assert_int_eq(take_back(OC_REVOKE_ORG, "globex"), OC_OK);
    ck_assert_int_eq(add(OC_REVOKE_JTI, "one more", 0, 0, 0), OC_OK);
    ck_assert_int_eq(add(OC_REVOKE_JTI, "two more", 0, 0, 0), OC_E_FULL);
}
END_TEST

/* --- Forgetting --- */

/* So many at one call, and the earliest first, in whatever order they came. */
START_TEST(forgetting_is_bounded)
{
    const size_t count = 3 * OC_REVOCATIONS_FORGET_MAX + 7;
    size_t left = count;
    int64_t reached_s = 0;

    for (size_t i = 0; i < count; i++) {
        char name[48];

        number_name(name, i);
        unit_check(add(OC_REVOKE_JTI, name, 0, 0, (int64_t)(i * 7919 % count)) == OC_OK, "%s",
                   name);
    }
    while (left > 0) {
        size_t dropped = left < OC_REVOCATIONS_FORGET_MAX ? left : OC_REVOCATIONS_FORGET_MAX;
        const oc_revocation_t *revocation;
        uint64_t cursor = 0;

        oc_revocations_forget(store, 5000);
        left -= dropped;
        reached_s += (int64_t)dropped;
        ck_assert_uint_eq(oc_revocations_count(store), left);
        while ((revocation = oc_revocations_next(store, &cursor)) != NULL)
            unit_check(revocation->forget_s >= reached_s, "%lld", (long long)revocation->forget_s);
    }
}
END_TEST

/* --- Against a model: a list --- */

#define NAMES 150 /* of each kind */

typedef struct model {
    oc_revocation_t held[OC_REVOCATION_KINDS * NAMES];
    size_t count;
} model_t;

/* xorshift64: the same numbers each time. */
static unsigned number(unsigned below)
{
    static uint64_t state = 88172645463325252U;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 32) % below;
}

static size_t model_find(const model_t *model, oc_revocation_kind_t kind, const char *name)
{
    size_t i = 0;

    while (i < model->count &&
           (model->held[i].kind != kind || strcmp(model->held[i].name, name) != 0))
        i++;
    return i;
}

static void model_drop(model_t *model, size_t at)
{
    memmove(&model->held[at], &model->held[at + 1], (--model->count - at) * sizeof model->held[0]);
}

static void model_add(model_t *model, const oc_revocation_t *newer)
{
    size_t at = model_find(model, newer->kind, newer->name);
    oc_revocation_t *held = &model->held[at];

    if (at == model->count || held->forget_s <= newer->revoked_s) {
        *held = *newer;
        model->count += at == model->count;
        return;
    }
#define LATER(field) held->field = held->field > newer->field ? held->field : newer->field
    LATER(issued_before_s);
    LATER(revoked_s);
    LATER(forget_s);
#undef LATER
}

static void check_model(const model_t *model, int step)
{
    uint64_t cursor = 0;

    unit_check(oc_revocations_count(store) == model->count, "step %d: %zu, not %zu", step,
               oc_revocations_count(store), model->count);
    for (size_t i = 0; i < model->count; i++) {
        const oc_revocation_t *want = &model->held[i];
        const oc_revocation_t *got = oc_revocations_next(store, &cursor);

        unit_check(got && got->kind == want->kind && strcmp(got->name, want->name) == 0 &&
                       got->issued_before_s == want->issued_before_s &&
                       got->revoked_s == want->revoked_s && got->forget_s == want->forget_s,
                   "step %d: number %zu is %s", step, i, got ? got->name : "missing");
    }
    unit_check(!oc_revocations_next(store, &cursor), "step %d: more than there are", step);
}

START_TEST(as_the_model)
{
    static char names[NAMES][8];
    static model_t model;
    int64_t now_s = 0;

    for (size_t i = 0; i < NAMES; i++)
        (void)snprintf(names[i], sizeof names[i], "n%zu", i);
    for (int step = 0; step < 30000; step++) {
        oc_revocation_kind_t kind = (oc_revocation_kind_t)number(OC_REVOCATION_KINDS);
        const char *name = names[number(NAMES)];

        /* Times of growth and of decay. */
        if (number(10) < (step / 2000 % 2 ? 3U : 7U)) {
            oc_revocation_t newer = {kind, name, now_s, now_s,
                                     number(8) ? now_s + number(300) : INT64_MAX};

            newer.issued_before_s -= number(2) && now_s > 50 ? 50 : 0;
            model_add(&model, &newer);
            unit_check(add(kind, name, newer.issued_before_s, now_s, newer.forget_s) == OC_OK,
                       "step %d", step);
        } else {
            size_t at = model_find(&model, kind, name);

            unit_check(take_back(kind, name) == (at < model.count ? OC_OK : OC_E_NOT_FOUND),
                       "step %d", step);
            if (at < model.count)
                model_drop(&model, at);
        }
        if (number(20) == 0) {
            now_s += number(10);
            oc_revocations_forget(store, now_s);
            for (size_t i = model.count; i-- > 0;) {
                if (model.held[i].forget_s <= now_s)
                    model_drop(&model, i);
            }
        }
        if (step % 10 == 0)
            check_model(&model, step);
    }
}
END_TEST

START_TEST(nothing_there)
{
    char line[OC_REVOCATIONS_ERROR_MAX];
    uint64_t cursor = 0;

    ck_assert_ptr_null(oc_revocations_next(store, &cursor));
    ck_assert_uint_eq(oc_revocations_count(store), 0);
    oc_revocations_forget(store, NOW_S);
    ck_assert(!oc_revocations_take_error(store, line));
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_OK);
    oc_revocations_free(NULL);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("revocations");

    tcase_add_checked_fixture(tcase, make, unmake);
    unit_add_table(tcase, matching, match_cases);
    tcase_add_test(tcase, one_of_several);
    unit_add_table(tcase, merging, merge_cases);
    tcase_add_test(tcase, removing);
    tcase_add_test(tcase, paging_while_it_changes);
    tcase_add_test(tcase, names_and_times);
    tcase_add_test(tcase, full);
    tcase_add_test(tcase, forgetting_is_bounded);
    tcase_add_test(tcase, as_the_model);
    tcase_add_test(tcase, nothing_there);
    return unit_run("revocations", tcase);
}

/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <string.h>

#include "json.h"
#include "token_cache.h"
#include "unit.h"

/* As in the module. */
#define SETS 1024
#define WAYS 4

static oc_token_cache_t *cache;
static oc_identity_t *identities[8];

static oc_identity_t *make_identity(void)
{
    const oc_claim_rules_t rules = {.max_orgs = 1,
                                    .org_claim = "/org",
                                    .scope_claim = "/scope",
                                    .username_claim = "/sub",
                                    .publish_scope = "",
                                    .subscribe_scope = "",
                                    .any_org_scope = "",
                                    .admin_scope = ""};
    OC_CLEANUP(oc_json_decrefp)
    json_t *claims = json_pack("{s:s, s:s, s:i}", "sub", "ann", "org", "acme", "exp", 2000);
    oc_identity_t *identity = NULL;

    ck_assert_int_eq(oc_identity_from_claims(&rules, claims, 1000, &identity, NULL), OC_OK);
    return identity;
}

static void make(void)
{
    cache = oc_token_cache_new();
    ck_assert_ptr_nonnull(cache);
    for (size_t i = 0; i < COUNT(identities); i++)
        identities[i] = make_identity();
}

static void unmake(void)
{
    oc_token_cache_free(cache);
    for (size_t i = 0; i < COUNT(identities); i++) {
        /* The cache has let go of what it held. */
        ck_assert_uint_eq(identities[i]->references, 1);
        oc_identity_unref(identities[i]);
    }
}

/* A hash of a set; `which` tells those of one set apart. */
static void name(uint32_t set, unsigned which, unsigned char hash[static OC_TOKEN_HASH_LEN])
{
    /* The number of the set comes again and again. */
    uint32_t start = set + (which % 3) * SETS;

    memset(hash, 0, OC_TOKEN_HASH_LEN);
    memcpy(hash, &start, sizeof start);
    memcpy(hash + OC_TOKEN_HASH_LEN - sizeof which, &which, sizeof which);
}

START_TEST(an_empty_cache_knows_nothing)
{
    unsigned char hash[OC_TOKEN_HASH_LEN] = {0};

    /* Free entries hold no hash: not even the one of all zeros. */
    ck_assert_ptr_null(oc_token_cache_get(cache, hash));
    memset(hash, 0xff, sizeof hash);
    ck_assert_ptr_null(oc_token_cache_get(cache, hash));
    oc_token_cache_clear(cache);
    oc_token_cache_free(NULL);
}
END_TEST

START_TEST(every_byte_counts)
{
    unsigned char hash[OC_TOKEN_HASH_LEN];

    name(7, 1, hash);
    oc_token_cache_put(cache, hash, identities[0]);
    ck_assert_ptr_eq(oc_token_cache_get(cache, hash), identities[0]);
    for (size_t i = 0; i < sizeof hash; i++) {
        for (int bit = 0; bit < 8; bit++) {
            hash[i] ^= (unsigned char)(1 << bit);
            unit_check(!oc_token_cache_get(cache, hash), "byte %zu, bit %d", i, bit);
            hash[i] ^= (unsigned char)(1 << bit);
        }
    }
    ck_assert_ptr_eq(oc_token_cache_get(cache, hash), identities[0]);
}
END_TEST

START_TEST(put_again)
{
    unsigned char hash[OC_TOKEN_HASH_LEN];

    name(7, 1, hash);
    oc_token_cache_put(cache, hash, identities[0]);
    ck_assert_uint_eq(identities[0]->references, 2);
    oc_token_cache_put(cache, hash, identities[0]);
    ck_assert_uint_eq(identities[0]->references, 2);
    oc_token_cache_put(cache, hash, identities[1]);
    ck_assert_uint_eq(identities[0]->references, 1);
    ck_assert_uint_eq(identities[1]->references, 2);
    ck_assert_ptr_eq(oc_token_cache_get(cache, hash), identities[1]);
}
END_TEST

/* The only reference is the cache's own: AddressSanitizer sees it go too early, or never. */
START_TEST(kept_by_the_cache_alone)
{
    oc_identity_t *identity = make_identity();
    unsigned char hash[OC_TOKEN_HASH_LEN];

    name(7, 1, hash);
    oc_token_cache_put(cache, hash, identity);
    oc_identity_unref(identity);
    ck_assert_str_eq(oc_token_cache_get(cache, hash)->subject, "ann");
    oc_token_cache_put(cache, hash, oc_token_cache_get(cache, hash));
    ck_assert_str_eq(oc_token_cache_get(cache, hash)->subject, "ann");
}
END_TEST

/* xorshift64: the same numbers each time. */
static unsigned number(unsigned below)
{
    static uint64_t state = 88172645463325252U;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 32) % below;
}

/* --- Against a model: for each set, what was used, the latest first --- */

#define MODEL_SETS 3
#define NAMES 7 /* of a set: more than it has room for */

typedef struct model_set {
    unsigned which[WAYS];
    size_t identity[WAYS];
    size_t count;
} model_set_t;

static size_t find(const model_set_t *set, unsigned which)
{
    size_t way = 0;

    while (way < set->count && set->which[way] != which)
        way++;
    return way;
}

static void use(model_set_t *set, size_t way, unsigned which, size_t identity)
{
    memmove(&set->which[1], &set->which[0], way * sizeof set->which[0]);
    memmove(&set->identity[1], &set->identity[0], way * sizeof set->identity[0]);
    set->which[0] = which;
    set->identity[0] = identity;
}

static void check_references(const model_set_t sets[static MODEL_SETS])
{
    unsigned references[COUNT(identities)];

    for (size_t i = 0; i < COUNT(identities); i++)
        references[i] = 1;
    for (size_t s = 0; s < MODEL_SETS; s++) {
        for (size_t way = 0; way < sets[s].count; way++)
            references[sets[s].identity[way]]++;
    }
    for (size_t i = 0; i < COUNT(identities); i++)
        unit_check(identities[i]->references == references[i],
                   "identity %zu: %u references, not %u", i, identities[i]->references,
                   references[i]);
}

START_TEST(as_the_model)
{
    static const uint32_t numbers[MODEL_SETS] = {0, 1, SETS - 1};
    model_set_t sets[MODEL_SETS] = {0};

    for (int step = 0; step < 200000; step++) {
        unsigned s = number(MODEL_SETS);
        unsigned which = number(NAMES);
        size_t way = find(&sets[s], which);
        unsigned char hash[OC_TOKEN_HASH_LEN];

        name(numbers[s], which, hash);
        if (number(5000) == 0) {
            oc_token_cache_clear(cache);
            memset(sets, 0, sizeof sets);
        } else if (number(2) == 0) {
            const oc_identity_t *got = oc_token_cache_get(cache, hash);

            unit_check(got == (way < sets[s].count ? identities[sets[s].identity[way]] : NULL),
                       "step %d: set %u, token %u", step, s, which);
            if (got)
                use(&sets[s], way, which, sets[s].identity[way]);
        } else {
            size_t identity = number(COUNT(identities));

            oc_token_cache_put(cache, hash, identities[identity]);
            if (way == sets[s].count && way < WAYS)
                sets[s].count++;
            else if (way == WAYS)
                way--;
            use(&sets[s], way, which, identity);
        }
        check_references(sets);
    }
}
END_TEST

/* However many come, no more are kept, and with good hashes most of the room is used. */
START_TEST(bounded)
{
    for (int i = 0; i < 10 * SETS * WAYS; i++) {
        unsigned char hash[OC_TOKEN_HASH_LEN];

        for (size_t at = 0; at < sizeof hash; at++)
            hash[at] = (unsigned char)number(256);
        oc_token_cache_put(cache, hash, identities[0]);
        unit_check(oc_token_cache_get(cache, hash) == identities[0], "token %d", i);
    }
    ck_assert_uint_le(identities[0]->references, SETS * WAYS + 1);
    ck_assert_uint_gt(identities[0]->references, SETS * WAYS * 9 / 10);
    oc_token_cache_clear(cache);
    ck_assert_uint_eq(identities[0]->references, 1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("token_cache");

    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, an_empty_cache_knows_nothing);
    tcase_add_test(tcase, every_byte_counts);
    tcase_add_test(tcase, put_again);
    tcase_add_test(tcase, kept_by_the_cache_alone);
    tcase_add_test(tcase, as_the_model);
    tcase_add_test(tcase, bounded);
    return unit_run("token_cache", tcase);
}

/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "penalty.h"
#include "unit.h"

#define RATE 2

static oc_penalty_t *penalty;

static void make(void)
{
    penalty = oc_penalty_new(RATE);
    ck_assert_ptr_nonnull(penalty);
}

static void unmake(void)
{
    oc_penalty_free(penalty);
}

/* How many of `tries` bad tokens are looked at. */
static int looked_at(const char *address, int tries, int64_t now_s)
{
    int count = 0;

    while (tries-- > 0) {
        if (oc_penalty_held(penalty, address, now_s))
            continue;
        oc_penalty_note(penalty, address, now_s);
        count++;
    }
    return count;
}

static const struct {
    const char *name;
    int64_t after_s; /* of the step before */
    int tries;
    int looked_at;
} steps[] = {
    {"the burst but one", 0, 19, 19},
    {"one more, then no more", 0, 10, 1},
    {"two after a second", 1, 10, 2},
    {"six after three", 3, 10, 6},
    {"one of two", 1, 1, 1},
    {"the other and two more", 1, 10, 3},
    {"after nine seconds, eighteen", 9, 30, 18},
    {"after ten, all", 10, 30, 20},
    {"longer does no more", 100000, 30, 20},
    {"a clock set back makes up for nothing", -90000, 5, 0},
    {"and goes on from there", 2, 10, 4},
    {"far back", -INT64_C(100000000000), 5, 0},
    {"and on from there", 5, 30, 10},
    {"a very late second", INT64_C(1) << 60, 30, 20},
};

START_TEST(step_by_step)
{
    int64_t now_s = 1000;

    ck_assert_int_eq(OC_PENALTY_BURST, 20);
    for (size_t i = 0; i < COUNT(steps); i++) {
        int count;

        now_s += steps[i].after_s;
        count = looked_at("192.0.2.1", steps[i].tries, now_s);
        ck_assert_msg(count == steps[i].looked_at, "%s: %d", steps[i].name, count);
        ck_assert(!oc_penalty_held(penalty, "192.0.2.2", now_s));
    }
}
END_TEST

START_TEST(the_ends_of_time)
{
    const int64_t end_s = INT64_MAX / 1000;

    ck_assert_int_eq(looked_at("192.0.2.1", 30, -end_s), 20);
    ck_assert_int_eq(looked_at("192.0.2.1", 30, 0), 20);
    ck_assert_int_eq(looked_at("192.0.2.1", 30, end_s), 20);
    ck_assert_int_eq(looked_at("192.0.2.1", 30, INT64_MAX), 0);
    ck_assert_int_eq(looked_at("192.0.2.1", 30, INT64_MIN), 0);
    ck_assert_int_eq(looked_at("192.0.2.1", 30, -end_s + 1), 2);
}
END_TEST

START_TEST(rates)
{
    oc_penalty_t *mine = penalty;

    penalty = oc_penalty_new(0);
    ck_assert_int_eq(looked_at("192.0.2.1", 1000, 0), 1000);
    oc_penalty_free(penalty);
    penalty = oc_penalty_new(UINT32_MAX);
    ck_assert_int_eq(looked_at("192.0.2.1", 1000, 0), 20);
    ck_assert_int_eq(looked_at("192.0.2.1", 1000, 1), 20);
    ck_assert_int_eq(looked_at("192.0.2.1", 1000, 20), 20);
    oc_penalty_free(penalty);
    penalty = oc_penalty_new(1);
    ck_assert_int_eq(looked_at("192.0.2.1", 1000, 0), 20);
    ck_assert_int_eq(looked_at("192.0.2.1", 1000, 19), 19);
    oc_penalty_free(penalty);
    penalty = mine;
    oc_penalty_free(NULL);
}
END_TEST

/* Those that are noted without having been asked for do not add up. */
START_TEST(noted_all_the_same)
{
    for (int i = 0; i < 1000; i++)
        oc_penalty_note(penalty, "192.0.2.1", 0);
    ck_assert(oc_penalty_held(penalty, "192.0.2.1", 0));
    ck_assert_int_eq(looked_at("192.0.2.1", 30, 1), RATE);
}
END_TEST

static const struct {
    const char *bad;
    const char *other; /* NULL: none, a client without an address */
    bool held;
} pairs[] = {
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"192.0.2.1", "193.0.2.1", false},
    {"192.0.2.1", "::ffff:192.0.2.1", true},
    {"::ffff:192.0.2.1", "192.0.2.1", true},
    {"::ffff:c000:201", "192.0.2.1", true},
    {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
    {"::192.0.2.1", "192.0.2.1", false},
    {"2001:db8::1", "2001:db8::1", true},
    {"2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff", true},
    {"2001:db8::1", "2001:DB8::2", true},
    {"2001:db8::1", "2001:db8:0:1::1", false},
    {"2001:db8::1", "2001:db9::1", false},
    {"::2", "::3", true}, /* the /64 of loopback is no loopback */
    {"::2", "::1", false},
    {"c000:201::", "192.0.2.1", false},
    {"0.0.0.0", "::", false},
    {"a proxy", "a proxy", true},
    {"a proxy", "a proxy ", false},
    {"", "", true},
    {"", "a proxy", false},
    {"192.0.2.1", "192.0.2.1 ", false},
    {"192.0.2.1", "192.0.2.01", false},
    {"fe80::1%eth0", "fe80::2%eth0", false},
    /* Never slowed down. */
    {"127.0.0.1", "127.0.0.1", false},
    {"127.255.255.254", "127.255.255.254", false},
    {"128.0.0.1", "128.0.0.1", true},
    {"126.255.255.255", "126.255.255.255", true},
    {"::1", "::1", false},
    {"0:0:0:0:0:0:0:1", "::1", false},
    {"::ffff:127.0.0.1", "::ffff:127.0.0.1", false},
    {"::ffff:127.9.9.9", "127.9.9.9", false},
    {"/run/mosquitto.sock", "/run/mosquitto.sock", false},
    {NULL, NULL, false},
    {"192.0.2.1", NULL, false},
};

START_TEST(addresses)
{
    const char *other = pairs[_i].other ? pairs[_i].other : "none";

    for (int i = 0; i < OC_PENALTY_BURST; i++)
        oc_penalty_note(penalty, pairs[_i].bad, 0);
    ck_assert_msg(oc_penalty_held(penalty, pairs[_i].other, 0) == pairs[_i].held,
                  "'%s' for '%s': %s", other, pairs[_i].bad ? pairs[_i].bad : "none",
                  pairs[_i].held ? "not held" : "held");
}
END_TEST

/* Texts that differ far behind, and nothing is read beyond their end. */
START_TEST(long_texts)
{
    char one[300];
    char *copy;

    memset(one, 'x', sizeof one - 1);
    one[sizeof one - 1] = '\0';
    copy = strdup(one);
    ck_assert_int_eq(looked_at(copy, 30, 0), 20);
    ck_assert(oc_penalty_held(penalty, one, 0));
    copy[290] = 'y';
    ck_assert(!oc_penalty_held(penalty, copy, 0));
    free(copy);
}
END_TEST

static const char *address_of(unsigned number)
{
    static char text[32];

    (void)snprintf(text, sizeof text, "10.%u.%u.%u", number >> 16 & 255, number >> 8 & 255,
                   number & 255);
    return text;
}

/* With as many addresses as a quarter of the table, nearly all are remembered; and whoever tries once from
 * each of very many addresses does not push out one that is held. */
START_TEST(many_addresses)
{
    unsigned held = 0;
    unsigned held_after = 0;

    for (unsigned i = 0; i < OC_PENALTY_ADDRESSES_MAX / 4; i++)
        (void)looked_at(address_of(i), 30, 0);
    for (unsigned i = 0; i < OC_PENALTY_ADDRESSES_MAX / 4; i++)
        held += oc_penalty_held(penalty, address_of(i), 0);
    /* Of random ones, one in 250 is the fifth or later of its set. */
    ck_assert_uint_gt(held, OC_PENALTY_ADDRESSES_MAX / 4 * 95 / 100);
    for (unsigned i = 0; i < 1000000; i++)
        oc_penalty_note(penalty, address_of(1 << 20 | i), 1);
    for (unsigned i = 0; i < OC_PENALTY_ADDRESSES_MAX / 4; i++)
        held_after += looked_at(address_of(i), 10, 1) == RATE;
    /* In sets with four that are held, one more replaces one of them. */
    ck_assert_uint_gt(held_after, held * 90 / 100);
}
END_TEST

/* The table is full of addresses that were bad long ago: they make room for those that are bad now. */
START_TEST(old_ones_make_room)
{
    unsigned held = 0;

    for (unsigned i = 0; i < 100000; i++)
        (void)looked_at(address_of(i), 20, i / 1000);
    for (unsigned i = 0; i < 500; i++)
        (void)looked_at(address_of(1 << 20 | i), 20, 1000);
    for (unsigned i = 0; i < 500; i++)
        held += oc_penalty_held(penalty, address_of(1 << 20 | i), 1000);
    ck_assert_uint_gt(held, 490);
}
END_TEST

/* --- Against a model: few addresses, so that none is forgotten --- */

#define SEED 20241124U
#define STEPS 300000
#define ADDRESSES 6

START_TEST(as_the_model)
{
    static const char *const names[ADDRESSES][2] = {{"192.0.2.1", "::ffff:192.0.2.1"},
                                                    {"192.0.2.2", "192.0.2.2"},
                                                    {"2001:db8::1", "2001:db8::2"},
                                                    {"2001:db8:1::", "2001:db8:1::5"},
                                                    {"a proxy", "a proxy"},
                                                    {"another", "another"}};
    int spent[ADDRESSES] = {0};
    unsigned seed = SEED;
    int64_t now_s = 0;
    int held_count = 0;

    (void)printf("seed %u\n", seed);
    for (int step = 0; step < STEPS; step++) {
        int a = rand_r(&seed) % ADDRESSES;
        const char *name = names[a][rand_r(&seed) % 2];
        bool held;

        /* Each second refills all; every now and then the clock is set back. */
        if (rand_r(&seed) % 16 == 0) {
            int64_t passed_s = rand_r(&seed) % 50 == 0 ? 15 : 1;

            now_s += passed_s;
            for (int i = 0; i < ADDRESSES; i++)
                spent[i] = spent[i] > passed_s * RATE ? spent[i] - (int)passed_s * RATE : 0;
        } else if (rand_r(&seed) % 1000 == 0) {
            now_s -= rand_r(&seed) % 1000;
        }
        held = oc_penalty_held(penalty, name, now_s);
        unit_check(held == (spent[a] == OC_PENALTY_BURST), "step %d: %s, %d", step, name, spent[a]);
        held_count += held;
        /* Some of the tokens are good. */
        if (!held && rand_r(&seed) % 8 != 0) {
            oc_penalty_note(penalty, name, now_s);
            spent[a]++;
        }
    }
    ck_assert_int_gt(held_count, STEPS / 100);
    ck_assert_int_lt(held_count, STEPS * 9 / 10);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("penalty");

    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, step_by_step);
    tcase_add_test(tcase, the_ends_of_time);
    tcase_add_test(tcase, rates);
    tcase_add_test(tcase, noted_all_the_same);
    unit_add_table(tcase, addresses, pairs);
    tcase_add_test(tcase, long_texts);
    tcase_add_test(tcase, many_addresses);
    tcase_add_test(tcase, old_ones_make_room);
    tcase_add_test(tcase, as_the_model);
    return unit_run("penalty", tcase);
}

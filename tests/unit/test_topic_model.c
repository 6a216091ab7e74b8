/* SPDX-License-Identifier: MIT */
/* Templates and filters against a model that knows nothing but MQTT's matching rules: over a small
 * alphabet, all topics of a few levels are tried. */
#include <stdio.h>
#include <string.h>

#include "topic.h"
#include "unit.h"

enum level {
    A,
    B,
    EMPTY,
    DOLLAR, /* the last that a topic may have */
    PLUS,
    HASH,
    ORG,
    LEVELS
};

static const char *const texts[LEVELS] = {"a", "b", "", "$c", "+", "#", "{org}"};

#define TOPIC_LEVELS (DOLLAR + 1)
#define DEPTH 5
#define TEXT_MAX 64

typedef struct path {
    int count;
    enum level levels[DEPTH + 1];
} path_t;

static path_t universe[1364 + 1];
static char universe_texts[1364 + 1][TEXT_MAX];
static int universe_count;

static void write_path(const path_t *path, char out[static TEXT_MAX])
{
    *out = '\0';
    for (int i = 0; i < path->count; i++) {
        unit_append(out, TEXT_MAX, i ? "/" : "");
        unit_append(out, TEXT_MAX, texts[path->levels[i]]);
    }
}

/* Every topic of one to DEPTH levels; the empty text is none. */
static void make_universe(void)
{
    for (int depth = 1; depth <= DEPTH; depth++) {
        int count = 1;

        for (int i = 0; i < depth; i++)
            count *= TOPIC_LEVELS;
        for (int n = 0; n < count; n++) {
            path_t path = {.count = depth};
            int rest = n;

            for (int i = 0; i < depth; i++, rest /= TOPIC_LEVELS)
                path.levels[i] = (enum level)(rest % TOPIC_LEVELS);
            if (depth == 1 && path.levels[0] == EMPTY)
                continue;
            write_path(&path, universe_texts[universe_count]);
            universe[universe_count++] = path;
        }
    }
}

/* MQTT 5 §4.7.1, §4.7.2. */
static bool filter_matches(const path_t *filter, const path_t *topic)
{
    if (topic->levels[0] == DOLLAR && filter->levels[0] != DOLLAR)
        return false;
    for (int i = 0; i < filter->count; i++) {
        if (filter->levels[i] == HASH)
            return true;
        if (i == topic->count)
            return false;
        if (filter->levels[i] != PLUS && filter->levels[i] != topic->levels[i])
            return false;
        /* `a/#` matches `a`. */
        if (i + 1 == topic->count && i + 2 == filter->count && filter->levels[i + 1] == HASH)
            return true;
    }
    return filter->count == topic->count;
}

/* The index of {org} in the topic's levels when it is inside, else -1. */
static int inside(const path_t *template, const path_t *topic)
{
    bool open = template->levels[template->count - 1] == HASH;
    int fixed = template->count - open;
    int org = -1;

    if (topic->levels[0] == DOLLAR || topic->count < fixed || (!open && topic->count > fixed))
        return -1;
    for (int i = 0; i < fixed; i++) {
        if (template->levels[i] == ORG)
            org = i;
        else if (template->levels[i] != topic->levels[i])
            return -1;
    }
    return topic->levels[org] == EMPTY ? -1 : org;
}

static enum level any_of(unsigned *seed, const enum level *from, int count)
{
    return from[rand_r(seed) % count];
}

static path_t random_template(unsigned *seed)
{
    static const enum level plain[] = {A, B, A, EMPTY};
    path_t path = {.count = 1 + rand_r(seed) % 3};
    int org = rand_r(seed) % path.count;

    for (int i = 0; i < path.count; i++)
        path.levels[i] = i == org ? ORG : any_of(seed, plain, COUNT(plain));
    if (rand_r(seed) % 2)
        path.levels[path.count++] = HASH;
    return path;
}

static path_t random_filter(unsigned *seed, const path_t *template)
{
    static const enum level some[] = {A, B, EMPTY, PLUS, PLUS, DOLLAR};
    path_t path = {.count = 1 + rand_r(seed) % 4};

    for (int i = 0; i < path.count; i++) {
        path.levels[i] = any_of(seed, some, COUNT(some));
        /* Mostly near the template, where the edges are. */
        if (i < template->count && template->levels[i] < PLUS && rand_r(seed) % 3)
            path.levels[i] = template->levels[i];
    }
    if (path.count == 1 && path.levels[0] == EMPTY)
        path.levels[0] = PLUS;
    if (rand_r(seed) % 3 == 0)
        path.levels[path.count++] = HASH;
    if (rand_r(seed) % 50 == 0)
        path = (path_t){1, {HASH}};
    return path;
}

static oc_template_t make(const path_t *path, char text[static TEXT_MAX])
{
    oc_template_t template;

    write_path(path, text);
    unit_check(oc_template_init(&template, text, NULL) == OC_OK, "'%s'", text);
    return template;
}

START_TEST(topics)
{
    unsigned seed = 1;

    for (int round = 0; round < 500; round++) {
        path_t path = random_template(&seed);
        char text[TEXT_MAX];
        oc_template_t template = make(&path, text);

        for (int i = 0; i < universe_count; i++) {
            int want = inside(&path, &universe[i]);
            oc_slice_t org;

            unit_check(oc_template_match_topic(&template, universe_texts[i], &org) == (want >= 0),
                       "'%s' in '%s'", universe_texts[i], text);
            if (want >= 0)
                unit_check(org.len == strlen(texts[universe[i].levels[want]]) &&
                               memcmp(org.start, texts[universe[i].levels[want]], org.len) == 0,
                           "'%s' in '%s': '%.*s'", universe_texts[i], text, (int)org.len,
                           org.start);
            for (size_t level = 0; level < COUNT(texts); level++) {
                const oc_slice_t id = {texts[level], strlen(texts[level])};

                if (id.len > 0 && id.start[0] != '$')
                    unit_check(oc_template_match_org(&template, universe_texts[i], id) ==
                                   (want >= 0 && org.len == id.len &&
                                    memcmp(org.start, id.start, id.len) == 0),
                               "'%s' in '%s' for '%s'", universe_texts[i], text, id.start);
            }
        }
        oc_template_done(&template);
    }
}
END_TEST

START_TEST(filters)
{
    unsigned seed = 2;
    int contained_count = 0;
    int overlapping_count = 0;

    for (int round = 0; round < 20000; round++) {
        path_t template_path = random_template(&seed);
        path_t filter_path = random_filter(&seed, &template_path);
        char template_text[TEXT_MAX];
        char filter[TEXT_MAX];
        oc_template_t template = make(&template_path, template_text);
        oc_slice_t org = {"", 0};
        int org_at = 0;
        bool any_org;
        bool overlaps = false;
        bool contained = true;
        bool says;

        write_path(&filter_path, filter);
        unit_check(oc_filter_valid(filter), "'%s'", filter);
        while (template_path.levels[org_at] != ORG)
            org_at++;
        any_org = org_at < filter_path.count && filter_path.levels[org_at] == PLUS;
        for (int i = 0; i < universe_count; i++) {
            int at;

            if (!filter_matches(&filter_path, &universe[i]))
                continue;
            at = inside(&template_path, &universe[i]);
            overlaps = overlaps || at >= 0;
            /* Inside, and of the one organization that the filter names; a `+` there names any, and
             * of an empty level nothing is ever published. */
            if (any_org && org_at < universe[i].count && universe[i].levels[org_at] == EMPTY)
                continue;
            if (at < 0 || (!any_org && (org_at >= filter_path.count ||
                                        filter_path.levels[org_at] != universe[i].levels[at])))
                contained = false;
        }
        contained = contained && filter_path.levels[0] != DOLLAR;
        says = oc_template_contains_filter(&template, filter, &org);
        unit_check(says == contained, "'%s' in '%s': %s", filter, template_text,
                   says ? "contained" : "not contained");
        if (says)
            unit_check(org.len == strlen(texts[filter_path.levels[org_at]]) &&
                           memcmp(org.start, texts[filter_path.levels[org_at]], org.len) == 0,
                       "'%s' in '%s': '%.*s'", filter, template_text, (int)org.len, org.start);
        says = oc_template_overlaps_filter(&template, filter);
        unit_check(says == overlaps, "'%s' over '%s': %s", filter, template_text,
                   says ? "overlaps" : "does not overlap");
        contained_count += contained;
        overlapping_count += overlaps && !contained;
        oc_template_done(&template);
    }
    /* The random cases are not all of one kind. */
    ck_assert_int_gt(contained_count, 1000);
    ck_assert_int_gt(overlapping_count, 1000);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("topic_model");

    tcase_add_unchecked_fixture(tcase, make_universe, NULL);
    tcase_add_test(tcase, topics);
    tcase_add_test(tcase, filters);
    return unit_run("topic_model", tcase);
}

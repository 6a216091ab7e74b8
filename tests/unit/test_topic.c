/* SPDX-License-Identifier: MIT */
/* Templates, topics and filters as tables. test_topic_model.c compares them with a model. */
#include <stdio.h>
#include <string.h>

#include "ids.h"
#include "topic.h"
#include "unit.h"

static const struct {
    const char *text;
    const char *says; /* NULL: accepted */
} templates[] = {
    {"org/{org}/invoices/#", NULL},
    {"org/{org}/invoices", NULL},
    {"org/{org}/#", NULL},
    {"org/{org}", NULL},
    {"{org}", NULL},
    {"{org}/#", NULL},
    {"{org}/invoices/#", NULL},
    {"/{org}/#", NULL},
    {"org//{org}//x", NULL},
    {"org/{org}/{event}", NULL},
    {"org/{org}/\xc3\xa4/#", NULL},
    {"org/{org}/$x/#", NULL},
    {"", "no {org}"},
    {"#", "no {org}"},
    {"org/invoices/#", "no {org}"},
    {"org/{ORG}/#", "no {org}"},
    {"org/{org/#", "no {org}"},
    {"org/x{org}/#", "whole level"},
    {"org/{org}x/#", "whole level"},
    {"org/{{org}}/#", "whole level"},
    {"{org}{org}", "whole level"},
    {"org/{org}#", "whole level"},
    {"org/{org}/{org}", "twice"},
    {"{org}/x/{org}/#", "twice"},
    {"org/{org}/x{org}", "twice"},
    {"org/{org}/+", "'+'"},
    {"org/+/{org}/#", "'+'"},
    {"org/{org}/a+b", "'+'"},
    {"org/{org}/#/x", "'#'"},
    {"org/{org}/x#", "'#'"},
    {"org/{org}/##", "'#'"},
    {"#/{org}", "'#'"},
    {"org/#/{org}/#", "'#'"},
    {"$SYS/{org}/#", "'$'"},
    {"$share/g/org/{org}/#", "'$'"},
    {"org/{org}/\n/#", "UTF-8"},
    {"org/{org}/\xff/#", "UTF-8"},
    {"org/{org}/\xc0\xaf/#", "UTF-8"},
};

START_TEST(template_texts)
{
    oc_template_t template;
    oc_diag_t diag = {0};
    oc_err_t err = oc_template_init(&template, templates[_i].text, &diag);

    ck_assert_msg(err == (templates[_i].says ? OC_E_CONFIG : OC_OK), "'%s': %s, %s",
                  templates[_i].text, oc_err_name(err), diag.message);
    if (templates[_i].says)
        ck_assert_msg(strstr(diag.message, templates[_i].says) != NULL, "'%s': '%s'",
                      templates[_i].text, diag.message);
    oc_template_done(&template);
}
END_TEST

START_TEST(template_length)
{
    char text[OC_TEMPLATE_MAX_BYTES + 2] = "{org}/";
    oc_template_t template;

    memset(text + 6, 'x', OC_TEMPLATE_MAX_BYTES - 6);
    ck_assert_int_eq(oc_template_init(&template, text, NULL), OC_OK);
    oc_template_done(&template);
    text[OC_TEMPLATE_MAX_BYTES] = 'x';
    ck_assert_int_eq(oc_template_init(&template, text, NULL), OC_E_CONFIG);
    oc_template_done(&template);
}
END_TEST

#define T1 "org/{org}/invoices/#"
#define T2 "org/{org}/status"
#define T3 "{org}/#"
#define T4 "org/{org}"

/* Topics: the organization, or NULL when the topic is outside. */
static const struct {
    const char *template;
    const char *topic;
    const char *org;
} topics[] = {
    {T1, "org/acme/invoices/paid/inv-17", "acme"},
    {T1, "org/acme/invoices/paid", "acme"},
    {T1, "org/acme/invoices/", "acme"},
    {T1, "org/acme/invoices", "acme"},
    {T1, "org/acme/invoices//x", "acme"},
    {T1, "org/1/invoices/x", "1"},
    {T1, "org/10/invoices/x", "10"},
    {T1, "org/\xd0\xb0\x63me/invoices/x", "\xd0\xb0\x63me"},
    {T1, "org/acme/invoicesx", NULL},
    {T1, "org/acme/invoice/x", NULL},
    {T1, "org/acme/Invoices/x", NULL},
    {T1, "org/acme/payments/x", NULL},
    {T1, "org/acme", NULL},
    {T1, "org/acme/", NULL},
    {T1, "org//invoices/x", NULL},
    {T1, "org/acme//invoices/x", NULL},
    {T1, "org/a/b/invoices/x", NULL},
    {T1, "/org/acme/invoices/x", NULL},
    {T1, "Org/acme/invoices/x", NULL},
    {T1, "orgx/acme/invoices/x", NULL},
    {T1, "org", NULL},
    {T1, "", NULL},
    {T1, "$org/acme/invoices/x", NULL},
    {T1, "{org}/acme/invoices/x", NULL},
    {T1, "org/{org}/invoices/x", "{org}"},
    {T2, "org/acme/status", "acme"},
    {T2, "org/acme/status/", NULL},
    {T2, "org/acme/status/x", NULL},
    {T2, "org/acme/statusx", NULL},
    {T2, "org/acme/statu", NULL},
    {T3, "acme", "acme"},
    {T3, "acme/", "acme"},
    {T3, "acme/x/y", "acme"},
    {T3, "/x", NULL},
    {T3, "$SYS/broker", NULL},
    {T4, "org/acme", "acme"},
    {T4, "org/acme/", NULL},
    {T4, "org/acme/x", NULL},
    {T4, "org/", NULL},
};

static oc_template_t make(const char *text)
{
    oc_template_t template;

    ck_assert_int_eq(oc_template_init(&template, text, NULL), OC_OK);
    return template;
}

static bool is(oc_slice_t slice, const char *text)
{
    return slice.len == strlen(text) && memcmp(slice.start, text, slice.len) == 0;
}

START_TEST(topics_inside)
{
    oc_template_t template = make(topics[_i].template);
    oc_slice_t org = {NULL, 77};
    bool inside = oc_template_match_topic(&template, topics[_i].topic, &org);

    ck_assert_msg(inside == (topics[_i].org != NULL), "'%s' in %s", topics[_i].topic,
                  topics[_i].template);
    if (inside)
        ck_assert_msg(is(org, topics[_i].org), "'%s' in %s: '%.*s'", topics[_i].topic,
                      topics[_i].template, (int)org.len, org.start);
    else
        ck_assert_msg(org.len == 77, "'%s' in %s: a result was written", topics[_i].topic,
                      topics[_i].template);
    /* Asked for each organization of the table, and for ids that are nearly one of them. */
    for (size_t i = 0; i < COUNT(topics) * 2; i++) {
        const char *id = topics[i / 2].org;
        oc_slice_t other = {id, id ? strlen(id) - i % 2 : 0};

        if (other.len > 0 && id[0] != '$')
            ck_assert_msg(
                oc_template_match_org(&template, topics[_i].topic, other) ==
                    (inside && org.len == other.len && memcmp(org.start, id, other.len) == 0),
                "'%s' in %s: '%.*s'", topics[_i].topic, topics[_i].template, (int)other.len, id);
    }
    oc_template_done(&template);
}
END_TEST

/* Filters: the organization when it is contained, and whether it overlaps. */
static const struct {
    const char *template;
    const char *filter;
    const char *org;
    bool overlaps;
} filters[] = {
    {T1, "org/acme/invoices/#", "acme", true},
    {T1, "org/acme/invoices/paid/+", "acme", true},
    {T1, "org/acme/invoices/+/inv-17", "acme", true},
    {T1, "org/acme/invoices/+", "acme", true},
    {T1, "org/acme/invoices/+/#", "acme", true},
    {T1, "org/acme/invoices/+/+/+", "acme", true},
    {T1, "org/acme/invoices/paid/#", "acme", true},
    {T1, "org/acme/invoices/paid/inv-17", "acme", true},
    {T1, "org/acme/invoices", "acme", true},
    {T1, "org/acme/invoices/", "acme", true},
    {T1, "org/+/invoices/#", "+", true},
    {T1, "org/+/invoices/paid/+", "+", true},
    {T1, "#", NULL, true},
    {T1, "+/#", NULL, true},
    {T1, "+/+/#", NULL, true},
    {T1, "+/+/+/#", NULL, true},
    {T1, "+/acme/invoices/#", NULL, true},
    {T1, "+/acme/#", NULL, true},
    {T1, "+/+/invoices", NULL, true},
    {T1, "+/+/+", NULL, true},
    {T1, "+/+/+/+", NULL, true},
    {T1, "org/#", NULL, true},
    {T1, "org/+/#", NULL, true},
    {T1, "org/+/+", NULL, true},
    {T1, "org/+/+/paid/+", NULL, true},
    {T1, "org/acme/#", NULL, true},
    {T1, "org/acme/+", NULL, true},
    {T1, "org/acme/+/#", NULL, true},
    {T1, "org/acme/+/paid/+", NULL, true},
    {T1, "org/acme", NULL, false},
    {T1, "org/+", NULL, false},
    {T1, "+", NULL, false},
    {T1, "+/+", NULL, false},
    {T1, "org", NULL, false},
    {T1, "/#", NULL, false},
    {T1, "/org/acme/invoices/#", NULL, false},
    {T1, "+/org/acme/invoices/#", NULL, false},
    {T1, "org/acme/payments/#", NULL, false},
    {T1, "org/acme/payments", NULL, false},
    {T1, "org/acme/invoicesx/#", NULL, false},
    {T1, "org/acme/Invoices/#", NULL, false},
    {T1, "orgs/acme/invoices/#", NULL, false},
    {T1, "ORG/acme/invoices/#", NULL, false},
    {T1, "org/acme//invoices/#", NULL, false},
    {T1, "org/10/invoices/#", "10", true},
    {T1, "org/1/invoices/#", "1", true},
    {T1, "$SYS/#", NULL, false},
    {T1, "$org/acme/invoices/#", NULL, false},
    {T1, "$share/g/org/acme/invoices/#", NULL, false},
    {T1, "$queue/org/acme/invoices/#", NULL, false},
    {T1, "org//invoices/#", NULL, false},
    {T2, "org/acme/status", "acme", true},
    {T2, "org/+/status", "+", true},
    {T2, "org/acme/status/#", NULL, true},
    {T2, "org/acme/status/+", NULL, false},
    {T2, "org/acme/+", NULL, true},
    {T2, "org/acme/#", NULL, true},
    {T2, "org/acme/status/x/#", NULL, false},
    {T2, "org/acme/+/#", NULL, true},
    {T2, "org/acme/stat", NULL, false},
    {T2, "#", NULL, true},
    {T2, "org/#", NULL, true},
    {T2, "+/+/+/+", NULL, false},
    {T3, "acme/#", "acme", true},
    {T3, "acme", "acme", true},
    {T3, "acme/+/x", "acme", true},
    {T3, "+/#", "+", true},
    {T3, "+", "+", true},
    {T3, "#", NULL, true},
    {T3, "/#", NULL, false},
    {T3, "$SYS/#", NULL, false},
    {T4, "org/acme", "acme", true},
    {T4, "org/+", "+", true},
    {T4, "org/#", NULL, true},
    {T4, "org/acme/#", NULL, true},
    {T4, "org/", NULL, false},
    {T4, "org", NULL, false},
    {T4, "org/acme/+", NULL, false},
};

START_TEST(filters_inside)
{
    oc_template_t template = make(filters[_i].template);
    oc_slice_t org = {NULL, 77};
    bool contained = oc_template_contains_filter(&template, filters[_i].filter, &org);

    ck_assert_msg(contained == (filters[_i].org != NULL), "'%s' in %s", filters[_i].filter,
                  filters[_i].template);
    if (contained)
        ck_assert_msg(is(org, filters[_i].org), "'%s' in %s: '%.*s'", filters[_i].filter,
                      filters[_i].template, (int)org.len, org.start);
    ck_assert_msg(oc_template_overlaps_filter(&template, filters[_i].filter) ==
                      filters[_i].overlaps,
                  "'%s' over %s", filters[_i].filter, filters[_i].template);
    oc_template_done(&template);
}
END_TEST

static const struct {
    const char *filter;
    bool valid;
} validity[] = {
    {"#", true},     {"+", true},       {"a", true},     {"/", true},      {"a/#", true},
    {"/#", true},    {"+/#", true},     {"a/+/b", true}, {"+/+", true},    {"//", true},
    {"a/+/#", true}, {"$SYS/#", true},  {"a b", true},   {"/+", true},     {"", false},
    {"##", false},   {"#/", false},     {"#/a", false},  {"a/#/b", false}, {"a#", false},
    {"a/b#", false}, {"#a", false},     {"a/#b", false}, {"++", false},    {"a+", false},
    {"+a", false},   {"a/+b/c", false}, {"a/b+", false}, {"+#", false},    {"a/+#", false},
    {"a/#/", false}, {"a/#/#", false},
};

START_TEST(filter_texts)
{
    ck_assert_msg(oc_filter_valid(validity[_i].filter) == validity[_i].valid, "'%s'",
                  validity[_i].filter);
}
END_TEST

static const struct {
    const char *filter;
    const char *inner; /* NULL: malformed */
    bool shared;
} shares[] = {
    {"org/acme/#", "org/acme/#", false},
    {"#", "#", false},
    {"$SYS/#", "$SYS/#", false},
    {"$shar/g/a", "$shar/g/a", false},
    {"share/g/a", "share/g/a", false},
    {"$SHARE/g/a", "$SHARE/g/a", false},
    {"$share/g/org/acme/#", "org/acme/#", true},
    {"$share/g/#", "#", true},
    {"$share/g//", "/", true},
    {"$share/a b/x", "x", true},
    {"$share/g/$share/h/x", "$share/h/x", true},
    {"$share", NULL, true},
    {"$share/", NULL, true},
    {"$share//x", NULL, true},
    {"$share/g", NULL, true},
    {"$share/g/", NULL, true},
    {"$share/+/x", NULL, true},
    {"$share/#/x", NULL, true},
    {"$share/g+/x", NULL, true},
    {"$share/g#/x", NULL, true},
    {"$share/#", NULL, true},
    {"$shared/g/x", NULL, true},
};

START_TEST(shared_filters)
{
    bool shared = !shares[_i].shared;
    const char *inner = oc_filter_unshared(shares[_i].filter, &shared);

    ck_assert_msg(shared == shares[_i].shared, "'%s'", shares[_i].filter);
    ck_assert_msg((inner != NULL) == (shares[_i].inner != NULL), "'%s'", shares[_i].filter);
    if (inner)
        ck_assert_msg(strcmp(inner, shares[_i].inner) == 0, "'%s': '%s'", shares[_i].filter, inner);
}
END_TEST

static const struct {
    const char *id;
    bool valid;
} ids[] = {
    {"a", true},
    {"acme", true},
    {"ACME-1_x.y:z@b", true},
    {"0", true},
    {"a$", true},
    {"{org}", true},
    {"\xc3\xa4", true},
    {"\xf0\x9f\x98\x80", true},
    {"\xd0\xb0\x63me", true},
    {".", true},
    {"..", true},
    {"-", true},
    {"", false},
    {"$", false},
    {"$SYS", false},
    {"+", false},
    {"#", false},
    {"/", false},
    {"a/b", false},
    {"a+", false},
    {"a#", false},
    {"a b", false},
    {" ", false},
    {"a\t", false},
    {"a\n", false},
    {"\x7f", false},
    {"\xc2\xa0", false},
    {"\xe3\x80\x80", false},
    {"\xc2\x85", false},
    {"\xff", false},
    {"\xc0\xaf", false},
    {"\xed\xa0\x80", false},
    {"\xef\xbf\xbf", false},
};

START_TEST(organization_ids)
{
    ck_assert_msg(oc_org_id_valid(ids[_i].id, strlen(ids[_i].id)) == ids[_i].valid, "'%s'",
                  ids[_i].id);
}
END_TEST

START_TEST(organization_id_lengths)
{
    char id[OC_ID_MAX + 2];

    memset(id, 'a', sizeof id);
    ck_assert(oc_org_id_valid(id, OC_ID_MAX));
    ck_assert(!oc_org_id_valid(id, OC_ID_MAX + 1));
    /* 128 bytes, not characters; and the last may not be half of one. */
    id[OC_ID_MAX - 1] = '\xc3';
    id[OC_ID_MAX] = '\xa4';
    ck_assert(!oc_org_id_valid(id, OC_ID_MAX));
    ck_assert(!oc_org_id_valid("a\0b", 3));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("topic");

    unit_add_table(tcase, template_texts, templates);
    tcase_add_test(tcase, template_length);
    unit_add_table(tcase, topics_inside, topics);
    unit_add_table(tcase, filters_inside, filters);
    unit_add_table(tcase, filter_texts, validity);
    unit_add_table(tcase, shared_filters, shares);
    unit_add_table(tcase, organization_ids, ids);
    tcase_add_test(tcase, organization_id_lengths);
    return unit_run("topic", tcase);
}

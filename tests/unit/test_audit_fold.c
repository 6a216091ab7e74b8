/* SPDX-License-Identifier: MIT */
/* Which audit lines are written in full, and what the counted lines say. */
#include <stdio.h>
#include <string.h>

#include "audit_fold.h"
#include "unit.h"

typedef struct written {
    size_t lines; /* in full */
    size_t counted;
    uint64_t count;                /* of all counted lines together */
    char first[OC_AUDIT_LINE_MAX]; /* of the counted lines */
    char last[OC_AUDIT_LINE_MAX];
} written_t;

static written_t written;
static oc_audit_fold_t *fold;

static void sink(void *context, const oc_audit_entry_t *entry)
{
    char line[OC_AUDIT_LINE_MAX];

    (void)context;
    line[oc_audit_format(entry, line) - 1] = '\0';
    if (entry->count == 0) {
        written.lines++;
        return;
    }
    if (written.counted++ == 0)
        (void)snprintf(written.first, sizeof written.first, "%s", line);
    (void)snprintf(written.last, sizeof written.last, "%s", line);
    written.count += entry->count;
}

static void make(void)
{
    written = (written_t){0};
    fold = oc_audit_fold_new(sink, NULL);
    ck_assert_ptr_nonnull(fold);
}

static void unmake(void)
{
    oc_audit_fold_free(fold);
}

static oc_audit_entry_t refused(const char *client_id, const char *address)
{
    return (oc_audit_entry_t){.time_ms = 1795514400000,
                              .action = "connect",
                              .result = "denied",
                              .reason = "token_expired",
                              .client_id = client_id,
                              .address = address,
                              .detail = "for 5 s",
                              .protocol = 5};
}

static void repeat(oc_audit_entry_t entry, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        entry.time_ms++;
        oc_audit_fold_write(fold, &entry, false, 1000);
    }
}

START_TEST(one_client_is_counted)
{
    repeat(refused("a", "192.0.2.1"), 5000);
    ck_assert_uint_eq(written.lines, OC_AUDIT_FOLD_DENIED);
    ck_assert_uint_eq(written.counted, 0);
    /* Another client's lines are written. */
    repeat(refused("b", "192.0.2.1"), 1);
    ck_assert_uint_eq(written.lines, OC_AUDIT_FOLD_DENIED + 1);
    oc_audit_fold_tick(fold, 999 + OC_AUDIT_FOLD_MS);
    ck_assert_uint_eq(written.counted, 0);
    oc_audit_fold_tick(fold, 1000 + OC_AUDIT_FOLD_MS);
    ck_assert_uint_eq(written.counted, 1);
    ck_assert_str_eq(written.first,
                     "{\"time\":\"2026-11-24T10:00:05.000Z\",\"action\":\"connect\",\"result\":"
                     "\"denied\",\"reason\":\"token_expired\",\"clientId\":\"a\",\"address\":"
                     "\"192.0.2.1\",\"protocol\":5,\"count\":4900}");
    /* The next minute begins like the first. */
    oc_audit_fold_tick(fold, 2000 + 2 * OC_AUDIT_FOLD_MS);
    ck_assert_uint_eq(written.counted, 1);
    written.lines = 0;
    repeat(refused("a", "192.0.2.1"), 1);
    ck_assert_uint_eq(written.lines, 1);
}
END_TEST

START_TEST(a_subject_is_one_whatever_its_ids_are)
{
    char id[16];
    oc_audit_entry_t entry = {.action = "connect", .result = "allowed", .subject = "ann"};

    for (int i = 0; i < 3000; i++) {
        (void)snprintf(id, sizeof id, "id-%d", i);
        entry.client_id = id;
        repeat(entry, 1);
    }
    ck_assert_uint_eq(written.lines, OC_AUDIT_FOLD_ALLOWED);
    oc_audit_fold_tick(fold, 1000 + OC_AUDIT_FOLD_MS);
    ck_assert_uint_eq(written.counted, 1);
    ck_assert_uint_eq(written.count, 3000 - OC_AUDIT_FOLD_ALLOWED);
}
END_TEST

/* One address with a new id for each attempt, and then somebody else. */
START_TEST(an_address_is_counted)
{
    char id[16];

    for (int i = 0; i < 50000; i++) {
        (void)snprintf(id, sizeof id, "id-%d", i);
        repeat(refused(id, "192.0.2.1"), 1);
    }
    ck_assert_uint_eq(written.lines, OC_AUDIT_FOLD_ADDRESS);
    repeat(refused("other", "192.0.2.2"), 1);
    ck_assert_uint_eq(written.lines, OC_AUDIT_FOLD_ADDRESS + 1);
    oc_audit_fold_tick(fold, 1000 + OC_AUDIT_FOLD_MS);
    ck_assert_uint_eq(written.counted, 1);
    ck_assert_uint_eq(written.count, 50000 - OC_AUDIT_FOLD_ADDRESS);
    ck_assert_ptr_null(strstr(written.first, "clientId"));
    ck_assert_ptr_nonnull(strstr(written.first, "192.0.2.1"));
}
END_TEST

/* Behind a proxy on this machine, and from many addresses: all together are bounded. */
START_TEST(everybody_is_counted)
{
    char id[32];

    for (int i = 0; i < 200000; i++) {
        (void)snprintf(id, sizeof id, "id-%d", i);
        repeat(refused(id, i % 2 ? "127.0.0.1" : "::1"), 1);
    }
    ck_assert_uint_eq(written.lines, OC_AUDIT_FOLD_ALL);
    oc_audit_fold_tick(fold, 1000 + OC_AUDIT_FOLD_MS);
    ck_assert_uint_eq(written.counted, 1);
    ck_assert_uint_eq(written.count, 200000 - OC_AUDIT_FOLD_ALL);
    ck_assert_ptr_nonnull(strstr(written.last, "\"action\":\"audit_folded\""));
}
END_TEST

/* More clients than there are counted lines: no line is lost without being counted. */
START_TEST(many_clients_that_repeat)
{
    char id[32];

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(id, sizeof id, "id-%d", i);
        repeat(refused(id, "127.0.0.1"), 200);
    }
    oc_audit_fold_tick(fold, 1000 + OC_AUDIT_FOLD_MS);
    ck_assert_uint_eq(written.lines + written.count, 200000);
    ck_assert_uint_le(written.lines, OC_AUDIT_FOLD_ALL);
    ck_assert_uint_le(written.counted, 300);
}
END_TEST

static const struct {
    const char *name;
    const char *action;
    bool admin;
} never_folded[] = {{"what was published", "publish", false}, {"an administrator", "revoke", true}};

START_TEST(some_lines_are_always_written)
{
    const oc_audit_entry_t entry = {
        .action = never_folded[_i].action, .result = "allowed", .subject = "ann"};

    for (int i = 0; i < 20000; i++)
        oc_audit_fold_write(fold, &entry, never_folded[_i].admin, 1000);
    ck_assert_msg(written.lines == 20000, "%s", never_folded[_i].name);
}
END_TEST

START_TEST(the_end_writes_what_was_counted)
{
    repeat(refused("a", NULL), 150);
    oc_audit_fold_free(fold);
    fold = NULL;
    ck_assert_uint_eq(written.count, 150 - OC_AUDIT_FOLD_DENIED);
    oc_audit_fold_write(NULL, &(oc_audit_entry_t){.action = "connect"}, false, 0);
    oc_audit_fold_tick(NULL, 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("audit_fold");

    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, one_client_is_counted);
    tcase_add_test(tcase, a_subject_is_one_whatever_its_ids_are);
    tcase_add_test(tcase, an_address_is_counted);
    tcase_add_test(tcase, everybody_is_counted);
    tcase_add_test(tcase, many_clients_that_repeat);
    unit_add_table(tcase, some_lines_are_always_written, never_folded);
    tcase_add_test(tcase, the_end_writes_what_was_counted);
    return unit_run("audit_fold", tcase);
}

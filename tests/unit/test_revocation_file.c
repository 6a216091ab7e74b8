/* SPDX-License-Identifier: MIT */
/* Revocations on disk: what survives a restart, a crash, a full disk and an operator's hand. Linked with
 * -Wl,--wrap, so that the modules' fsync() and fdatasync() arrive here. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "file.h"
#include "mem.h"
#include "revocation_file.h"
#include "revocations.h"
#include "scratch.h"
#include "unit.h"

#define NOW_S 1000
#define DEADLINE_MS 20000

#define JTI_A "{\"jti\":\"a\",\"revokedAt\":5}\n"
#define JTI_B "{\"jti\":\"b\",\"revokedAt\":6,\"expiresAt\":5000}\n"
#define SUBJECT "{\"subject\":\"ann\",\"issuedBefore\":100,\"revokedAt\":7}\n"
#define ORG                                                                                        \
    "{\"organizationId\":\"acme\",\"issuedBefore\":100,\"revokedAt\":8,\"expiresAt\":5000}\n"
#define NO_A "{\"unrevoke\":{\"jti\":\"a\"}}\n"

static const char *path;
static oc_revocations_t *store;

static void make(void)
{
    scratch_open();
    path = strdup(scratch_path("revocations"));
}

static void unmake(void)
{
    oc_revocations_free(store);
    store = NULL;
    free((void *)(uintptr_t)path);
    scratch_close();
}

static oc_err_t open_store(oc_diag_t *diag)
{
    ck_assert_int_eq(oc_revocations_new(&store), OC_OK);
    return oc_revocations_open(store, path, NOW_S, diag);
}

static void open_good(void)
{
    oc_diag_t diag = {0};

    unit_check(open_store(&diag) == OC_OK, "%s", diag.message);
}

static void close_store(void)
{
    oc_revocations_free(store);
    store = NULL;
}

static uint64_t add(oc_revocation_kind_t kind, const char *name, int64_t forget_s)
{
    const oc_revocation_t revocation = {kind, name, kind == OC_REVOKE_JTI ? 0 : 100, NOW_S,
                                        forget_s};
    oc_diag_t diag = {0};
    uint64_t ticket = 0;

    unit_check(oc_revocations_add(store, &revocation, &ticket, &diag) == OC_OK, "%s", diag.message);
    return ticket;
}

static uint64_t take_back(oc_revocation_kind_t kind, const char *name)
{
    uint64_t ticket = 0;

    unit_check(oc_revocations_remove(store, kind, name, &ticket, NULL) == OC_OK, "%s", name);
    return ticket;
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* As the broker's tick does, until the condition holds. */
#define WAIT_FOR(condition)                                                                        \
    for (int64_t until_ms = now_ms() + DEADLINE_MS; !(condition);) {                               \
        unit_check(now_ms() < until_ms, "waited in vain: " #condition);                            \
        oc_revocations_forget(store, NOW_S);                                                       \
        (void)poll(NULL, 0, 1);                                                                    \
    }

static bool settles(uint64_t ticket)
{
    bool failed = false;

    WAIT_FOR(oc_revocations_settled(store, ticket, &failed));
    return !failed;
}

static bool durable(uint64_t ticket)
{
    bool failed = true;

    return oc_revocations_settled(store, ticket, &failed) && !failed;
}

/* The names in the order of the listing, separated by spaces. */
static const char *listing(void)
{
    static char text[4096];
    uint64_t cursor = 0;
    const oc_revocation_t *revocation;

    text[0] = '\0';
    while ((revocation = oc_revocations_next(store, &cursor)) != NULL) {
        unit_append(text, sizeof text, *text ? " " : "");
        unit_append(text, sizeof text, revocation->name);
    }
    return text;
}

static void check_listing(const char *want, const char *where)
{
    unit_check(strcmp(listing(), want) == 0, "%s: '%s', not '%s'", where, listing(), want);
}

static void write_file(const char *text)
{
    (void)scratch_file("revocations", text, strlen(text));
    ck_assert_int_eq(chmod(path, 0600), 0);
}

/* What the file holds; of the last call. */
static const char *file_text(void)
{
    static char text[8192];
    FILE *file = fopen(path, "r");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;

    text[len] = '\0';
    if (file)
        (void)fclose(file);
    return text;
}

static size_t file_lines(void)
{
    FILE *file = fopen(path, "r");
    size_t lines = 0;
    int c;

    while (file && (c = fgetc(file)) != EOF)
        lines += c == '\n';
    if (file)
        (void)fclose(file);
    return lines;
}

static bool exists(const char *name)
{
    return access(scratch_path(name), F_OK) == 0;
}

/* --- What happens while it is written --- */

static atomic_int syncs;         /* of both kinds, that succeeded */
static atomic_int syncs_to_fail; /* so many more */
static atomic_bool edit_at_sync; /* the file `edited` takes the place, once */

int __real_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);

static int sync_by(int (*real)(int fd), int fd)
{
    char edited[600];

    if (atomic_load(&syncs_to_fail) > 0) {
        (void)atomic_fetch_sub(&syncs_to_fail, 1);
        errno = EIO;
        return -1;
    }
    (void)snprintf(edited, sizeof edited, "%s.edited", path);
    if (atomic_exchange(&edit_at_sync, false) && rename(edited, path) != 0)
        return -1;
    (void)atomic_fetch_add(&syncs, 1);
    return real(fd);
}

int __wrap_fsync(int fd)
{
    return sync_by(__real_fsync, fd);
}

int __wrap_fdatasync(int fd)
{
    return sync_by(__real_fdatasync, fd);
}

static void prepare_edited(const char *text)
{
    (void)scratch_file("revocations.edited", text, strlen(text));
    ck_assert_int_eq(chmod(scratch_path("revocations.edited"), 0600), 0);
}

START_TEST(replaced_while_it_is_appended_to)
{
    write_file(JTI_A);
    prepare_edited(SUBJECT);
    open_good();
    atomic_store(&edit_at_sync, true);
    ck_assert(settles(add(OC_REVOKE_JTI, "x", INT64_MAX)));
    ck_assert_msg(strstr(file_text(), "\"ann\"") && strstr(file_text(), "\"x\""), "'%s'",
                  file_text());
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_OK);
    check_listing("ann x", "reloaded");
}
END_TEST

/* The operator's file stays. */
START_TEST(replaced_while_it_is_written_anew)
{
    char line[OC_REVOCATIONS_ERROR_MAX];
    size_t lines = 0;
    oc_diag_t diag = {0};

    write_file(JTI_A JTI_A);
    prepare_edited(SUBJECT);
    atomic_store(&edit_at_sync, true);
    ck_assert_int_eq(oc_revocation_file_tidy(path, NOW_S, &lines, &diag), OC_E_IO);
    ck_assert_msg(strstr(diag.message, "changed while") != NULL, "'%s'", diag.message);
    ck_assert_str_eq(file_text(), SUBJECT);
    ck_assert(!exists("revocations.new"));
    open_good();
    check_listing("ann", "reopened");
    ck_assert(!oc_revocations_take_error(store, line));
}
END_TEST

START_TEST(a_sync_that_fails)
{
    char line[OC_REVOCATIONS_ERROR_MAX];
    uint64_t ticket;
    int before;

    open_good();
    atomic_store(&syncs_to_fail, 1);
    ticket = add(OC_REVOKE_JTI, "a", INT64_MAX);
    ck_assert(!settles(ticket));
    ck_assert(oc_revocations_take_error(store, line));
    ck_assert_msg(strstr(line, "Input/output error") != NULL, "'%s'", line);
    WAIT_FOR(durable(ticket));
    before = atomic_load(&syncs);
    ck_assert(settles(add(OC_REVOKE_JTI, "b", INT64_MAX)));
    ck_assert_int_gt(atomic_load(&syncs), before);
    /* It is said again when it begins again. */
    atomic_store(&syncs_to_fail, 1);
    ck_assert(!settles(add(OC_REVOKE_JTI, "c", INT64_MAX)));
    ck_assert(oc_revocations_take_error(store, line));
    close_store();
    open_good();
    check_listing("a b c", "reopened");
}
END_TEST

/* Those that wait together share a sync. */
START_TEST(a_sync_for_many)
{
    char name[16];
    uint64_t ticket = 0;
    int before;

    open_good();
    before = atomic_load(&syncs);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        ticket = add(OC_REVOKE_JTI, name, INT64_MAX);
    }
    ck_assert(settles(ticket));
    ck_assert_int_lt(atomic_load(&syncs) - before, 2500);
}
END_TEST

/* --- Restarts --- */

START_TEST(a_new_file)
{
    struct stat st;

    open_good();
    ck_assert_uint_eq(oc_revocations_count(store), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    ck_assert_int_eq(st.st_size, 0);
    close_store();
    open_good();
    ck_assert_uint_eq(oc_revocations_count(store), 0);
}
END_TEST

START_TEST(a_restart)
{
    static const char odd[] = "q\"uo\\te / \xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82";
    const oc_revocation_t *revocation;
    uint64_t cursor = 0;

    open_good();
    (void)add(OC_REVOKE_JTI, odd, INT64_MAX);
    (void)add(OC_REVOKE_SUBJECT, odd, 5000);
    (void)add(OC_REVOKE_ORG, "acme", OC_REVOCATION_TIME_MAX);
    (void)add(OC_REVOKE_JTI, "gone", INT64_MAX);
    (void)add(OC_REVOKE_JTI, "over", NOW_S);
    (void)take_back(OC_REVOKE_JTI, "gone");
    ck_assert(settles(add(OC_REVOKE_JTI, "z", NOW_S + 1)));
    close_store();
    open_good();
    revocation = oc_revocations_next(store, &cursor);
    ck_assert(revocation->kind == OC_REVOKE_JTI && strcmp(revocation->name, odd) == 0);
    ck_assert(revocation->forget_s == INT64_MAX && revocation->revoked_s == NOW_S);
    revocation = oc_revocations_next(store, &cursor);
    ck_assert(revocation->kind == OC_REVOKE_SUBJECT && strcmp(revocation->name, odd) == 0);
    ck_assert(revocation->forget_s == 5000 && revocation->issued_before_s == 100);
    revocation = oc_revocations_next(store, &cursor);
    ck_assert(revocation->kind == OC_REVOKE_ORG && strcmp(revocation->name, "acme") == 0);
    ck_assert(revocation->forget_s == OC_REVOCATION_TIME_MAX && revocation->issued_before_s == 100);
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "z");
    ck_assert_ptr_null(oc_revocations_next(store, &cursor));
}
END_TEST

/* What is waiting when the store is freed is written. */
START_TEST(the_end_writes_all)
{
    char name[16];

    open_good();
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        (void)add(OC_REVOKE_JTI, name, INT64_MAX);
    }
    close_store();
    open_good();
    ck_assert_uint_eq(oc_revocations_count(store), 3000);
}
END_TEST

/* A process that ends without a word has on disk what it said was there. */
START_TEST(settled_is_on_disk)
{
    for (int round = 0; round < 20; round++) {
        char name[16];
        char want[16];
        int status = 0;
        pid_t child;

        (void)snprintf(name, sizeof name, "n%d", round);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            open_good();
            _exit(settles(add(OC_REVOKE_JTI, name, INT64_MAX)) ? 0 : 1);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        (void)snprintf(want, sizeof want, "\"n%d\"", round);
        ck_assert_msg(strstr(file_text(), want) != NULL, "%s", want);
    }
    open_good();
    ck_assert_uint_eq(oc_revocations_count(store), 20);
}
END_TEST

/* --- Crashes --- */

static const struct {
    const char *last;
    const char *without, *with; /* the last line */
} tails[] = {
    {JTI_B, "a", "a b"},
    {SUBJECT, "a", "a ann"},
    {ORG, "a", "a acme"},
    {NO_A, "a", ""},
    {"{\"jti\":\"\xc3\xa4\",\"revokedAt\":5}\n", "a", "a \xc3\xa4"},
};

/* A crash may leave any part of the last line. It has no effect before it is whole, and is mended so that the
 * next one is not spoiled. */
START_TEST(a_torn_last_line)
{
    const char *last = tails[_i].last;
    char text[512];
    char want[64];

    for (size_t cut = 0; cut <= strlen(last); cut++) {
        const char *held = cut + 1 < strlen(last) ? tails[_i].without : tails[_i].with;

        (void)snprintf(text, sizeof text, JTI_A "%.*s", (int)cut, last);
        write_file(text);
        open_good();
        check_listing(held, "loaded");
        unit_check(settles(add(OC_REVOKE_JTI, "next", INT64_MAX)), "cut at %zu", cut);
        close_store();
        open_good();
        (void)snprintf(want, sizeof want, "%s%snext", held, *held ? " " : "");
        check_listing(want, "after the next one");
        close_store();
    }
}
END_TEST

/* Longer than any line, and what a file system may leave where nothing was written. */
START_TEST(a_tail_of_nothing)
{
    static const size_t lens[] = {1, 100, 4095, 4096, 4097, 10000};
    char *text = malloc(20000);

    for (size_t i = 0; i < COUNT(lens); i++) {
        size_t len = strlen(JTI_A);

        (void)snprintf(text, 20000, "%s", JTI_A);
        memset(text + len, 0, lens[i]);
        (void)scratch_file("revocations", text, len + lens[i]);
        open_good();
        check_listing("a", "loaded");
        ck_assert(settles(add(OC_REVOKE_JTI, "next", INT64_MAX)));
        close_store();
        open_good();
        check_listing("a next", "after the next one");
        close_store();
        /* Nothing but it. */
        (void)scratch_file("revocations", text + len, lens[i]);
        open_good();
        check_listing("", "nothing else");
        ck_assert(settles(add(OC_REVOKE_JTI, "next", INT64_MAX)));
        close_store();
        open_good();
        check_listing("next", "after the next one");
        close_store();
    }
    free(text);
}
END_TEST

/* A path given by mistake: a secret, a key set, another program's file. None of it is cut off. */
START_TEST(a_last_line_of_something_else)
{
    static const char *const texts[] = {
        "0123456789abcdef0123456789abcdef",
        "{\"keys\":[",
        "{\"keys\":[{}]}",
        "{ \"jti\":",
        "-----BEGIN PUBLIC KEY-----",
        "x",
        "[",
        "\xff\xfe",
    };
    char text[6000];

    for (size_t i = 0; i <= COUNT(texts); i++) {
        oc_diag_t diag = {0};

        /* The last is longer than any line. */
        memset(text, 0, sizeof text);
        if (i < COUNT(texts))
            memcpy(text, texts[i], strlen(texts[i]));
        else
            memset(text, 'x', sizeof text - 1);
        write_file(text);
        ck_assert_msg(open_store(&diag) == OC_E_IO, "%.40s", text);
        ck_assert_str_eq(file_text(), text);
        close_store();
        /* Nor once it is running. */
        write_file(JTI_A);
        open_good();
        write_file(text);
        ck_assert(!settles(add(OC_REVOKE_JTI, "b", INT64_MAX)));
        ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_E_IO);
        ck_assert_str_eq(file_text(), text);
        check_listing("a b", "kept");
        close_store();
        ck_assert_str_eq(file_text(), text);
    }
}
END_TEST

/* Between the writing of the new file and its taking the old one's place, or before it was whole. */
START_TEST(a_crash_while_written_anew)
{
    static const char *const rests[] = {"", "{\"jti\":\"x", "{\"jti\":\"x\",\"revokedAt\":5}\n"};

    for (size_t i = 0; i < COUNT(rests); i++) {
        (void)scratch_file("revocations.new", rests[i], strlen(rests[i]));
        ck_assert_int_eq(chmod(scratch_path("revocations.new"), 0666), 0);
        write_file(JTI_A JTI_B NO_A);
        open_good();
        check_listing("b", rests[i]);
        /* It is written anew for the two lines that have no effect. */
        WAIT_FOR(file_lines() == 1);
        ck_assert_str_eq(file_text(), JTI_B);
        close_store();
        ck_assert(!exists("revocations.new"));
    }
}
END_TEST

/* --- Written anew --- */

START_TEST(garbage_does_not_pile_up)
{
    struct stat st;
    uint64_t ticket = 0;

    open_good();
    (void)add(OC_REVOKE_SUBJECT, "stays", INT64_MAX);
    for (int i = 0; i < 20000; i++) {
        (void)add(OC_REVOKE_JTI, "comes and goes", INT64_MAX);
        ticket = take_back(OC_REVOKE_JTI, "comes and goes");
        if (i % 500 == 0)
            unit_check(settles(ticket), "%d", i);
    }
    ck_assert(settles(ticket));
    WAIT_FOR(file_lines() < 2500);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0600);
    close_store();
    open_good();
    check_listing("stays", "reopened");
    WAIT_FOR(file_lines() == 1);
    ck_assert(!exists("revocations.new"));
}
END_TEST

/* What is forgotten in memory leaves the file too. */
START_TEST(forgotten_on_disk)
{
    char name[16];

    open_good();
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        (void)add(OC_REVOKE_JTI, name, NOW_S + 10);
    }
    ck_assert(settles(add(OC_REVOKE_JTI, "stays", NOW_S + 20)));
    ck_assert_uint_eq(file_lines(), 2001);
    for (int64_t until_ms = now_ms() + DEADLINE_MS;
         file_lines() != 1 || oc_revocations_count(store) != 1;) {
        oc_revocations_forget(store, NOW_S + 10);
        unit_check(now_ms() < until_ms, "%zu lines", file_lines());
        (void)poll(NULL, 0, 1);
    }
    check_listing("stays", "in memory");
    ck_assert(strstr(file_text(), "stays") != NULL);
}
END_TEST

/* --- What is wrong with a file --- */

static const struct {
    const char *text;
    int line; /* 0: the whole */
    const char *cause;
} broken[] = {
    {"\n", 1, "not strict JSON"},
    {JTI_A "\n", 2, "not strict JSON"},
    {JTI_A "\n" JTI_B, 2, "not strict JSON"},
    {"{\"jti\":\"a\",\"revokedAt\":5\n" JTI_B, 1, "not strict JSON"},
    {JTI_A "x\n", 2, "not strict JSON"},
    {JTI_A JTI_B "[]\n", 3, "not a JSON object"},
    {"{}\n", 1, "no jti, subject or organizationId"},
    {"{\"revokedAt\":5}\n", 1, "no jti, subject or organizationId"},
    {"{\"jti\":\"a\",\"jti\":\"a\",\"revokedAt\":5}\n", 1, "not strict JSON"},
    {"{\"jti\":\"a\",\"subject\":\"a\",\"issuedBefore\":5,\"revokedAt\":5}\n", 1, "more than one"},
    {"{\"jti\":5,\"revokedAt\":5}\n", 1, "jti is not a string"},
    {"{\"jti\":\"\",\"revokedAt\":5}\n", 1, "jti is not of 1 to 256 bytes"},
    {"{\"jti\":\"\\u0000\",\"revokedAt\":5}\n", 1, "not strict JSON"},
    {"{\"jti\":\"\\n\",\"revokedAt\":5}\n", 1, "jti is not printable UTF-8"},
    {"{\"organizationId\":\"a/b\",\"issuedBefore\":5,\"revokedAt\":5}\n", 1, "must not contain"},
    {"{\"jti\":\"a\"}\n", 1, "no revokedAt"},
    {"{\"subject\":\"a\",\"revokedAt\":5}\n", 1, "no issuedBefore"},
    {"{\"organizationId\":\"a\",\"revokedAt\":5}\n", 1, "no issuedBefore"},
    {"{\"jti\":\"a\",\"revokedAt\":5,\"issuedBefore\":5}\n", 1, "does not belong"},
    {"{\"jti\":\"a\",\"revokedAt\":5,\"expiresat\":5}\n", 1, "does not belong"},
    {"{\"jti\":\"a\",\"revokedAt\":5,\"expiresAt\":null}\n", 1, "expiresAt is not a whole number"},
    {"{\"jti\":\"a\",\"revokedAt\":5.5}\n", 1, "revokedAt is not a whole number"},
    {"{\"jti\":\"a\",\"revokedAt\":\"5\"}\n", 1, "revokedAt is not a whole number"},
    {"{\"jti\":\"a\",\"revokedAt\":-5}\n", 1, "revokedAt is not a whole number"},
    {"{\"jti\":\"a\",\"revokedAt\":9007199254740992}\n", 1, "revokedAt is not a whole number"},
    {"{\"unrevoke\":\"a\"}\n", 1, "unrevoke is not an object"},
    {"{\"unrevoke\":{}}\n", 1, "no jti, subject or organizationId"},
    {"{\"unrevoke\":{\"jti\":\"a\"},\"revokedAt\":5}\n", 1,
     "unrevoke is not an object that stands"},
    {"{\"unrevoke\":{\"jti\":\"a\",\"revokedAt\":5}}\n", 1, "does not belong"},
    {"{\"unrevoke\":{\"unrevoke\":{\"jti\":\"a\"}}}\n", 1, "no jti, subject or organizationId"},
};

START_TEST(a_broken_line)
{
    oc_diag_t diag = {0};
    char where[600];

    write_file(broken[_i].text);
    ck_assert_msg(open_store(&diag) == OC_E_IO, "%s", broken[_i].text);
    (void)snprintf(where, sizeof where, "%s:%d: ", path, broken[_i].line);
    ck_assert_msg(strncmp(diag.message, where, strlen(where)) == 0 &&
                      strstr(diag.message, broken[_i].cause) != NULL,
                  "'%s'", diag.message);
    ck_assert_uint_eq(oc_revocations_count(store), 0);
    ck_assert_str_eq(file_text(), broken[_i].text);
    close_store();
    /* Once it is running, what it has stays. */
    write_file(SUBJECT);
    open_good();
    write_file(broken[_i].text);
    diag = (oc_diag_t){0};
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, &diag), OC_E_IO);
    ck_assert_msg(strncmp(diag.message, where, strlen(where)) == 0, "'%s'", diag.message);
    check_listing("ann", "after the reload");
    ck_assert_str_eq(file_text(), broken[_i].text);
}
END_TEST

static const char *const good[] = {
    JTI_A JTI_B SUBJECT ORG,
    " { \"revokedAt\" : 5 , \"jti\" : \"a\" } \r\n" JTI_B SUBJECT ORG,
    JTI_A JTI_B SUBJECT ORG JTI_A,
    "{\"unrevoke\":{\"subject\":\"nobody\"}}\n" JTI_A JTI_B SUBJECT ORG,
    "{\"jti\":\"over\",\"revokedAt\":5,\"expiresAt\":1000}\n" JTI_A JTI_B SUBJECT ORG,
    "{\"jti\":\"\\u0061\",\"revokedAt\":5}\n" JTI_B SUBJECT ORG,
    JTI_A JTI_B SUBJECT "{\"organizationId\":\"acme\",\"issuedBefore\":0,\"revokedAt\":0}",
};

START_TEST(a_good_file)
{
    write_file(good[_i]);
    open_good();
    check_listing("a b ann acme", good[_i]);
}
END_TEST

START_TEST(duplicates_merge)
{
    const oc_revocation_t *revocation;
    uint64_t cursor = 0;

    write_file(
        "{\"subject\":\"ann\",\"issuedBefore\":200,\"revokedAt\":7,\"expiresAt\":5000}\n"
        "{\"subject\":\"ann\",\"issuedBefore\":100,\"revokedAt\":8,\"expiresAt\":6000}\n");
    for (int i = 0; i < 2; i++) {
        cursor = 0;
        open_good();
        revocation = oc_revocations_next(store, &cursor);
        ck_assert_int_eq(revocation->issued_before_s, 200);
        ck_assert_int_eq(revocation->revoked_s, 8);
        ck_assert_int_eq(revocation->forget_s, 6000);
        WAIT_FOR(file_lines() == 1);
        close_store();
    }
}
END_TEST

/* --- Who may write it --- */

static void check_refused(const char *cause)
{
    oc_diag_t diag = {0};

    ck_assert_msg(open_store(&diag) == OC_E_IO, "opened, not %s", cause);
    ck_assert_msg(strstr(diag.message, path) != NULL && strstr(diag.message, cause) != NULL,
                  "'%s', not %s", diag.message, cause);
    ck_assert_uint_eq(oc_revocations_count(store), 0);
    close_store();
}

START_TEST(files_that_are_not_trusted)
{
    static const mode_t modes[] = {0660, 0602, 0666, 0620};

    for (size_t i = 0; i < COUNT(modes); i++) {
        write_file(JTI_A);
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        check_refused("not trusted");
    }
    ck_assert_int_eq(chmod(path, 0644), 0);
    open_good();
    /* Nor once it is running. */
    ck_assert_int_eq(chmod(path, 0666), 0);
    ck_assert(!settles(add(OC_REVOKE_JTI, "b", INT64_MAX)));
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_E_IO);
    check_listing("a b", "kept");
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert(settles(add(OC_REVOKE_JTI, "c", INT64_MAX)));
    close_store();
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink(scratch_file("other", JTI_A, strlen(JTI_A)), path), 0);
    check_refused("not trusted");
    ck_assert_int_eq(unlink(scratch_path("other")), 0);
    check_refused("not trusted");
    if (geteuid() == 0) {
        ck_assert_int_eq(unlink(path), 0);
        write_file(JTI_A);
        ck_assert_int_eq(chown(path, 4321, (gid_t)-1), 0);
        check_refused("not trusted");
    }
}
END_TEST

START_TEST(paths_that_do_not_work)
{
    const char *kept = path;

    path = scratch_path("missing/revocations");
    check_refused("No such file or directory");
    ck_assert_int_eq(mkdir(scratch_path("folder"), 0700), 0);
    path = scratch_path("folder");
    check_refused("is a directory");
    ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0);
    path = scratch_path("fifo");
    check_refused("not a regular file");
    path = kept;
}
END_TEST

/* As a user who may neither make the file nor write it. */
START_TEST(without_permission)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(chmod(scratch_path("."), 0755), 0);
    ck_assert_int_eq(seteuid(4321), 0);
    check_refused("cannot be made by user id 4321: Permission denied");
    ck_assert_int_eq(seteuid(0), 0);
    write_file(JTI_A);
    ck_assert_int_eq(seteuid(4321), 0);
    check_refused("not readable for user id 4321");
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(seteuid(4321), 0);
    check_refused("not writable for user id 4321");
    ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

/* --- Reload --- */

static void replace_file(const char *text)
{
    (void)scratch_file("edited", text, strlen(text));
    ck_assert_int_eq(chmod(scratch_path("edited"), 0600), 0);
    ck_assert_int_eq(rename(scratch_path("edited"), path), 0);
}

START_TEST(an_operator_edits)
{
    write_file(JTI_A JTI_B);
    open_good();
    ck_assert(settles(add(OC_REVOKE_JTI, "c", INT64_MAX)));
    /* Another file takes its place, and in it the one is missing and another added. */
    replace_file(JTI_B SUBJECT);
    check_listing("a b c", "not asked to reload yet");
    /* What comes before that is asked goes to the new one. */
    ck_assert(settles(add(OC_REVOKE_JTI, "d", INT64_MAX)));
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_OK);
    check_listing("b ann d", "replaced");
    /* In place; with no newline at the end. */
    write_file(ORG "{\"jti\":\"e\",\"revokedAt\":5}");
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_OK);
    check_listing("acme e", "edited");
    ck_assert(settles(add(OC_REVOKE_JTI, "f", INT64_MAX)));
    ck_assert(settles(take_back(OC_REVOKE_ORG, "acme")));
    write_file("");
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_OK);
    check_listing("", "emptied");
    replace_file(JTI_A);
    ck_assert_int_eq(oc_revocations_reload(store, 5000, NULL), OC_OK);
    close_store();
    open_good();
    check_listing("a", "reopened");
}
END_TEST

/* Nobody was writing, so it is a mistake. */
START_TEST(an_operator_leaves_half_a_line)
{
    oc_diag_t diag = {0};

    write_file(JTI_A);
    open_good();
    write_file(JTI_A "{\"jti\":\"b");
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, &diag), OC_E_IO);
    ck_assert_msg(strstr(diag.message, ":2: cut off") != NULL, "'%s'", diag.message);
    check_listing("a", "kept");
}
END_TEST

START_TEST(paging_over_a_reload)
{
    uint64_t cursor = 0;

    write_file(JTI_A JTI_B);
    open_good();
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "a");
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_OK);
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "a");
    ck_assert_str_eq(oc_revocations_next(store, &cursor)->name, "b");
    ck_assert_ptr_null(oc_revocations_next(store, &cursor));
}
END_TEST

/* Reloads while changes are written: each finds every one of them. */
START_TEST(reloads_while_it_is_written)
{
    char name[16];
    oc_diag_t diag = {0};

    open_good();
    for (int i = 0; i < 3000; i++) {
        (void)snprintf(name, sizeof name, "n%d", i / 2);
        if (i % 2 == 0)
            (void)add(OC_REVOKE_JTI, name, INT64_MAX);
        else if (i % 3 == 0)
            (void)take_back(OC_REVOKE_JTI, name);
        if (i % 7 == 0)
            unit_check(oc_revocations_reload(store, NOW_S, &diag) == OC_OK, "%s", diag.message);
        unit_check(oc_revocations_count(store) == (size_t)(i / 2 + 1 - (i + 3) / 6), "step %d: %zu",
                   i, oc_revocations_count(store));
    }
}
END_TEST

/* --- A disk that refuses --- */

/* The file may have so many bytes more than it has. */
static void limit_file(off_t more)
{
    struct rlimit limit;
    struct stat st;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    limit.rlim_cur = more < 0 ? limit.rlim_max : (rlim_t)(st.st_size + more);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* So long that the limit is none for what the test program itself writes. */
static void open_long(void)
{
    OC_CLEANUP(oc_freep) char *text = calloc(1, 200000);
    size_t len = 0;

    for (int i = 0; i < 3000; i++)
        len += (size_t)sprintf(text + len, "{\"jti\":\"n%d\",\"revokedAt\":5}\n", i);
    write_file(text);
    open_good();
    ck_assert_uint_eq(oc_revocations_count(store), 3000);
}

START_TEST(a_full_disk)
{
    char line[OC_REVOCATIONS_ERROR_MAX];
    static const off_t left[] = {0, 1, 30, 70};
    uint64_t first;
    uint64_t last;

    (void)signal(SIGXFSZ, SIG_DFL);
    for (size_t i = 0; i < COUNT(left); i++) {
        open_long();
        limit_file(left[i]);
        first = add(OC_REVOKE_JTI, "x", INT64_MAX);
        (void)add(OC_REVOKE_JTI, "y", INT64_MAX);
        last = add(OC_REVOKE_SUBJECT, "ann", INT64_MAX);
        unit_check(!settles(last), "with %lld bytes left", (long long)left[i]);
        ck_assert(!durable(last));
        ck_assert_uint_eq(oc_revocations_count(store), 3003);
        ck_assert(oc_revocations_take_error(store, line));
        ck_assert_msg(strstr(line, path) && strstr(line, "File too large"), "'%s'", line);
        /* A reload keeps them, and is no reason to say it once more. */
        ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_OK);
        ck_assert_uint_eq(oc_revocations_count(store), 3003);
        ck_assert(!settles(take_back(OC_REVOKE_JTI, "y")));
        ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_OK);
        ck_assert_uint_eq(oc_revocations_count(store), 3002);
        ck_assert(!oc_revocations_take_error(store, line));
        limit_file(-1);
        /* By the next change, or without one after a while. */
        if (i % 2 == 0)
            ck_assert(settles(add(OC_REVOKE_JTI, "z", INT64_MAX)));
        WAIT_FOR(durable(last));
        ck_assert(durable(first));
        close_store();
        open_good();
        ck_assert_uint_eq(oc_revocations_count(store), i % 2 == 0 ? 3003 : 3002);
        close_store();
    }
}
END_TEST

START_TEST(too_many_that_wait)
{
    uint64_t ticket = 0;
    oc_diag_t diag = {0};
    const oc_revocation_t one_more = {OC_REVOKE_JTI, "y", 0, NOW_S, INT64_MAX};

    open_long();
    limit_file(0);
    for (size_t i = 0; i < OC_REVOCATIONS_UNWRITTEN_MAX / 2; i++) {
        (void)add(OC_REVOKE_JTI, "x", INT64_MAX);
        ticket = take_back(OC_REVOKE_JTI, "x");
    }
    ck_assert_int_eq(oc_revocations_add(store, &one_more, &ticket, &diag), OC_E_FULL);
    ck_assert_msg(strstr(diag.message, "wait for the disk") != NULL, "'%s'", diag.message);
    ck_assert_uint_eq(oc_revocations_count(store), 3000);
    limit_file(-1);
    WAIT_FOR(durable(ticket));
    ck_assert(settles(add(OC_REVOKE_JTI, "y", INT64_MAX)));
}
END_TEST

/* A full disk at the end must not hold it up. */
START_TEST(the_end_on_a_full_disk)
{
    open_long();
    limit_file(10);
    (void)add(OC_REVOKE_JTI, "x", INT64_MAX);
    close_store();
    limit_file(-1);
    open_good();
    ck_assert_uint_eq(oc_revocations_count(store), 3000);
}
END_TEST

/* One that cannot be written anew, but can be appended to: that is said, and no harm. */
START_TEST(no_room_to_write_anew)
{
    char line[OC_REVOCATIONS_ERROR_MAX];

    write_file(JTI_A JTI_A);
    ck_assert_int_eq(mkdir(scratch_path("revocations.new"), 0700), 0);
    open_good();
    WAIT_FOR(oc_revocations_take_error(store, line));
    ck_assert_msg(strstr(line, "revocations.new'") != NULL, "'%s'", line);
    ck_assert(settles(add(OC_REVOKE_JTI, "b", INT64_MAX)));
    ck_assert(!oc_revocations_take_error(store, line));
    close_store();
    open_good();
    check_listing("a b", "reopened");
}
END_TEST

/* Somebody deletes it: then what holds in memory is all there is, and makes it again. */
START_TEST(a_file_that_is_gone)
{
    uint64_t ticket;

    write_file(JTI_A JTI_B);
    open_good();
    ck_assert_int_eq(unlink(path), 0);
    (void)take_back(OC_REVOKE_JTI, "b");
    ticket = add(OC_REVOKE_JTI, "c", INT64_MAX);
    WAIT_FOR(durable(ticket));
    ck_assert(settles(add(OC_REVOKE_JTI, "d", INT64_MAX)));
    close_store();
    open_good();
    /* What waited comes before what was there. */
    check_listing("c a d", "after a change");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_E_IO);
    check_listing("c a d", "after a reload");
    WAIT_FOR(exists("revocations") && file_lines() == 3);
    ck_assert(settles(add(OC_REVOKE_JTI, "e", INT64_MAX)));
    ck_assert_int_eq(unlink(path), 0);
    /* No tick comes before the end. */
    (void)add(OC_REVOKE_JTI, "f", INT64_MAX);
    close_store();
    open_good();
    check_listing("f c a d e", "after the end");
}
END_TEST

/* --- Large ones --- */

static void write_many(size_t count, int64_t expires_s)
{
    FILE *file = fopen(path, "w");

    for (size_t i = 0; i < count; i++)
        fprintf(
            file,
            "{\"jti\":\"01938c9e-0000-7000-8000-%012zu\",\"revokedAt\":1000,\"expiresAt\":%lld}\n",
            i, (long long)expires_s);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
}

START_TEST(a_full_store)
{
    int64_t start_ms;
    oc_diag_t diag = {0};

    write_many(OC_REVOCATIONS_MAX, 5000);
    start_ms = now_ms();
    open_good();
    printf("load %zu revocations: %lld ms\n", OC_REVOCATIONS_MAX, (long long)(now_ms() - start_ms));
    ck_assert_uint_eq(oc_revocations_count(store), OC_REVOCATIONS_MAX);
    start_ms = now_ms();
    ck_assert_int_eq(oc_revocations_reload(store, NOW_S, NULL), OC_OK);
    printf("reload: %lld ms\n", (long long)(now_ms() - start_ms));
    /* Gone: all of them are put once more. */
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(settles(take_back(OC_REVOKE_JTI, "01938c9e-0000-7000-8000-000000000007")) ||
              oc_revocations_count(store) == OC_REVOCATIONS_MAX - 1);
    WAIT_FOR(file_lines() > OC_REVOCATIONS_MAX - 1);
    close_store();
    open_good();
    ck_assert_uint_eq(oc_revocations_count(store), OC_REVOCATIONS_MAX - 1);
    close_store();
    write_many(OC_REVOCATIONS_MAX + 1, 5000);
    ck_assert_int_eq(open_store(&diag), OC_E_IO);
    ck_assert_msg(strstr(diag.message, "more than 65536 revocations") != NULL, "'%s'",
                  diag.message);
    close_store();
    /* Those that are over do not count. */
    write_many(OC_REVOCATIONS_MAX + 1, NOW_S);
    open_good();
    ck_assert_uint_eq(oc_revocations_count(store), 0);
    WAIT_FOR(file_lines() == 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("revocation_file");

    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, replaced_while_it_is_appended_to);
    tcase_add_test(tcase, replaced_while_it_is_written_anew);
    tcase_add_test(tcase, a_sync_that_fails);
    tcase_add_test(tcase, a_sync_for_many);
    tcase_add_test(tcase, a_new_file);
    tcase_add_test(tcase, a_restart);
    tcase_add_test(tcase, the_end_writes_all);
    tcase_add_test(tcase, settled_is_on_disk);
    unit_add_table(tcase, a_torn_last_line, tails);
    tcase_add_test(tcase, a_tail_of_nothing);
    tcase_add_test(tcase, a_last_line_of_something_else);
    tcase_add_test(tcase, a_crash_while_written_anew);
    tcase_add_test(tcase, garbage_does_not_pile_up);
    tcase_add_test(tcase, forgotten_on_disk);
    unit_add_table(tcase, a_broken_line, broken);
    unit_add_table(tcase, a_good_file, good);
    tcase_add_test(tcase, duplicates_merge);
    tcase_add_test(tcase, files_that_are_not_trusted);
    tcase_add_test(tcase, paths_that_do_not_work);
    tcase_add_test(tcase, without_permission);
    tcase_add_test(tcase, an_operator_edits);
    tcase_add_test(tcase, an_operator_leaves_half_a_line);
    tcase_add_test(tcase, paging_over_a_reload);
    tcase_add_test(tcase, reloads_while_it_is_written);
    tcase_add_test(tcase, a_full_disk);
    tcase_add_test(tcase, too_many_that_wait);
    tcase_add_test(tcase, the_end_on_a_full_disk);
    tcase_add_test(tcase, no_room_to_write_anew);
    tcase_add_test(tcase, a_file_that_is_gone);
    tcase_add_test(tcase, a_full_store);
    return unit_run("revocation_file", tcase);
}

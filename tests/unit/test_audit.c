/* SPDX-License-Identifier: MIT */
/* The audit log. For a full disk there is a limit on the size of files, which the system enforces in the
 * same way: a write is cut short, the next one fails. Linked with --wrap, so that memory, threads and the
 * disk can be refused. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "file.h"
#include "mem.h"
#include "scratch.h"
#include "unit.h"

#define DEADLINE_MS 20000
#define TIME_MS INT64_C(1795514400123)
#define TIME "2026-11-24T10:00:00.123Z"
#define FILE_MAX ((size_t)64 << 20)
#define ROTATIONS 20
#define LINES 10000
#define EACH (LINES / ROTATIONS)

#define REPLACEMENT "\xef\xbf\xbd"
#define ELLIPSIS "\xe2\x80\xa6"

static oc_audit_t *audit;
static char path[256]; /* audit.log in the scratch folder */

/* --- What can be refused --- */

static _Thread_local int fail_at = -1; /* allocations until the one that fails; negative: none */
static bool refuse_thread;
static sigset_t thread_signals; /* that the last thread began with */
static atomic_bool refuse_truncation;
static atomic_bool disk_hangs;
static atomic_uint hanging;       /* writes that wait for the disk */
static atomic_bool disk_dribbles; /* writes a little at a time, and is interrupted */
static atomic_uint idle_waits;    /* waits without a deadline */
static atomic_uint writes;
static atomic_uint torn_writes; /* those that do not end with a line's end */

void *__real_calloc(size_t count, size_t size);
char *__real_strdup(const char *text);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *context);
void *__wrap_calloc(size_t count, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *context);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __real_ftruncate(int fd, off_t len);
ssize_t __real_write(int fd, const void *bytes, size_t len);
int __wrap_ftruncate(int fd, off_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

static bool fails(void)
{
    return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *context)
{
    (void)pthread_sigmask(SIG_BLOCK, NULL, &thread_signals);
    return refuse_thread ? EAGAIN : __real_pthread_create(thread, attributes, start, context);
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    atomic_fetch_add(&idle_waits, 1);
    return __real_pthread_cond_wait(condition, lock);
}

int __wrap_ftruncate(int fd, off_t len)
{
    if (!atomic_load(&refuse_truncation))
        return __real_ftruncate(fd, len);
    errno = EPERM;
    return -1;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    unsigned count = atomic_fetch_add(&writes, 1);

    if (((const char *)bytes)[len - 1] != '\n')
        atomic_fetch_add(&torn_writes, 1);
    if (atomic_load(&disk_hangs)) {
        atomic_fetch_add(&hanging, 1);
        while (atomic_load(&disk_hangs))
            (void)poll(NULL, 0, 1);
        atomic_fetch_sub(&hanging, 1);
    }
    if (!atomic_load(&disk_dribbles))
        return __real_write(fd, bytes, len);
    if (count % 3 == 1) {
        errno = EINTR;
        return -1;
    }
    return __real_write(fd, bytes, len < 1000 ? len : 1000 - count % 100);
}

/* --- Helpers --- */

static void make(void)
{
    scratch_open();
    (void)snprintf(path, sizeof path, "%s", scratch_path("audit.log"));
}

static void unmake(void)
{
    scratch_close();
}

static void start(void)
{
    oc_diag_t diag = {0};

    ck_assert_msg(oc_audit_open(path, &audit, &diag) == OC_OK, "%s", diag.message);
}

static void stop(void)
{
    oc_audit_close(audit);
    audit = NULL;
}

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Whatever the test before it left. */
static void begin(void)
{
    (void)unlink(path);
    audit = NULL;
    atomic_store(&refuse_truncation, false);
    atomic_store(&disk_hangs, false);
    atomic_store(&disk_dribbles, false);
    atomic_store(&idle_waits, 0);
    atomic_store(&writes, 0);
    atomic_store(&torn_writes, 0);
    set_file_limit(RLIM_INFINITY);
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static size_t file_size(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 ? (size_t)st.st_size : 0;
}

static void wait_for_size(size_t size)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;

    while (file_size(path) < size && monotonic_ms() < deadline_ms)
        (void)poll(NULL, 0, 1);
    ck_assert_msg(file_size(path) >= size, "%zu bytes, not %zu", file_size(path), size);
}

/* Wait until one of the counts above is so high. */
static void wait_for_count(atomic_uint *count, unsigned least)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;

    while (atomic_load(count) < least && monotonic_ms() < deadline_ms)
        (void)poll(NULL, 0, 1);
    ck_assert_uint_ge(atomic_load(count), least);
}

static void wait_for_file(void)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;

    while (access(path, F_OK) != 0 && monotonic_ms() < deadline_ms)
        (void)poll(NULL, 0, 1);
    ck_assert_msg(access(path, F_OK) == 0, "'%s' is not there", path);
}

/* Wait for the next error, which holds this. */
static void wait_for_error(const char *says)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;
    char text[OC_AUDIT_ERROR_MAX] = "";

    while (!oc_audit_take_error(audit, text, sizeof text) && monotonic_ms() < deadline_ms)
        (void)poll(NULL, 0, 1);
    ck_assert_msg(strstr(text, says) && strstr(text, path), "not '%s' but '%s'", says, text);
}

static void expect_no_error(void)
{
    char text[OC_AUDIT_ERROR_MAX];

    ck_assert(!oc_audit_take_error(audit, text, sizeof text));
}

/* The text of a file, for the caller to free; "" when it is not there or empty. */
static char *read_all(const char *name)
{
    unsigned char *bytes = NULL;
    size_t len;

    if (oc_file_read(name, FILE_MAX, &bytes, &len, NULL) != OC_OK)
        return strdup("");
    ck_assert_uint_eq(strlen((char *)bytes), len);
    return (char *)bytes;
}

/* The next line as JSON, and *text behind it; NULL at the end. */
static json_t *next_line(const char **text)
{
    const char *end = strchr(*text, '\n');
    json_error_t error;
    json_t *line;

    if (!**text)
        return NULL;
    unit_check(end != NULL, "the last line has no end: '%s'", *text);
    line = json_loadb(*text, (size_t)(end - *text), JSON_REJECT_DUPLICATES, &error);
    unit_check(json_is_object(line), "%s in '%.*s'", error.text, (int)(end - *text), *text);
    *text = end + 1;
    return line;
}

static const char *member(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

/* --- Lines --- */

/* The line of an entry as JSON. */
static json_t *parse(const oc_audit_entry_t *entry)
{
    char line[OC_AUDIT_LINE_MAX + 1];
    size_t len = oc_audit_format(entry, line);
    const char *text = line;
    json_t *json;

    unit_check(len <= OC_AUDIT_LINE_MAX, "%zu bytes", len);
    line[len] = '\0';
    json = next_line(&text);
    unit_check(json && *text == '\0', "more than a line: '%s'", line);
    return json;
}

/* Each string, and the most bytes it may take up. */
#define FIELD(field, member, max) {member, offsetof(oc_audit_entry_t, field), max},
static const struct {
    const char *member;
    size_t offset;
    size_t max;
} fields[] = {OC_AUDIT_STRINGS(FIELD)};

static void set_field(oc_audit_entry_t *entry, size_t field, const char *text)
{
    memcpy((char *)entry + fields[field].offset, &text, sizeof text);
}

START_TEST(a_whole_line)
{
    const oc_audit_entry_t entry = {.time_ms = TIME_MS,
                                    .action = "publish",
                                    .result = "denied",
                                    .reason = "topic_not_allowed",
                                    .client_id = "acme/web-17",
                                    .subject = "ann",
                                    .organization = "acme",
                                    .topic = "org/globex/invoices/paid/inv-17",
                                    .address = "203.0.113.7",
                                    .detail = "a \"quote\"",
                                    .protocol = 5};
    char line[OC_AUDIT_LINE_MAX + 1];

    line[oc_audit_format(&entry, line)] = '\0';
    ck_assert_str_eq(line,
                     "{\"time\":\"" TIME
                     "\",\"action\":\"publish\",\"result\":\"denied\","
                     "\"reason\":\"topic_not_allowed\",\"clientId\":\"acme/web-17\","
                     "\"subject\":\"ann\",\"organizationId\":\"acme\","
                     "\"topic\":\"org/globex/invoices/paid/inv-17\",\"address\":\"203.0.113.7\","
                     "\"detail\":\"a \\\"quote\\\"\",\"protocol\":5}\n");
}
END_TEST

START_TEST(what_is_not_given_is_left_out)
{
    OC_CLEANUP(oc_freep) char *text = NULL;
    json_t *line = parse(&(oc_audit_entry_t){.time_ms = TIME_MS, .protocol = -1});

    text = json_dumps(line, JSON_COMPACT);
    ck_assert_str_eq(text, "{\"time\":\"" TIME "\"}");
    json_decref(line);
    for (size_t i = 0; i < COUNT(fields); i++) {
        oc_audit_entry_t entry = {.time_ms = TIME_MS};

        set_field(&entry, i, "");
        line = parse(&entry);
        unit_check(json_object_size(line) == 2 && member(line, fields[i].member), "%s",
                   fields[i].member);
        json_decref(line);
    }
}
END_TEST

/* What is written, and what a reader of the JSON gets. */
static const struct {
    const char *name;
    const char *text;
    const char *inside; /* between the quotes */
    const char *read;   /* NULL: the text itself */
} texts[] = {
    {"plain", "org/acme/#", "org/acme/#", NULL},
    {"quote and backslash", "\"\\", "\\\"\\\\", NULL},
    {"a line's end", "a\nb\r\n", "a\\u000ab\\u000d\\u000a", NULL},
    {"control characters", "\x01\x1b[31m\x7f", "\\u0001\\u001b[31m\\u007f", NULL},
    {"more control characters", "\xc2\x80\xc2\x85\xc2\x9f\xc2\xa0", "\\u0080\\u0085\\u009f\xc2\xa0",
     NULL},
    {"UTF-8", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", NULL},
    {"line separators", "\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029", NULL},
    {"text turned round", "a\xe2\x80\xaeX\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c",
     "a\\u202eX\\u2066\\u200f\\u061c", NULL},
    {"not turned round", "\xe2\x80\x90\xe2\x80\xaf\xe2\x81\xaa\xd8\x9b",
     "\xe2\x80\x90\xe2\x80\xaf\xe2\x81\xaa\xd8\x9b", NULL},
    {"a lone byte", "a\x80z", "a" REPLACEMENT "z", "a" REPLACEMENT "z"},
    {"never in UTF-8", "\xff\xfe", REPLACEMENT REPLACEMENT, REPLACEMENT REPLACEMENT},
    {"an overlong slash", "\xc0\xaf", REPLACEMENT REPLACEMENT, REPLACEMENT REPLACEMENT},
    {"an overlong control character", "\xe0\x82\x85", REPLACEMENT REPLACEMENT REPLACEMENT,
     REPLACEMENT REPLACEMENT REPLACEMENT},
    {"a surrogate", "\xed\xa0\x80", REPLACEMENT REPLACEMENT REPLACEMENT,
     REPLACEMENT REPLACEMENT REPLACEMENT},
    {"beyond Unicode", "\xf4\x90\x80\x80", REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT,
     REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT},
    {"cut at its end", "a\xe2\x82", "a" REPLACEMENT REPLACEMENT, "a" REPLACEMENT REPLACEMENT},
    {"cut by a quote", "\xe2\x82\"", REPLACEMENT REPLACEMENT "\\\"", REPLACEMENT REPLACEMENT "\""},
    {"cut after C2", "\xc2", REPLACEMENT, REPLACEMENT},
};

START_TEST(texts_are_escaped)
{
    char quoted[256];
    char line[OC_AUDIT_LINE_MAX + 1];

    for (size_t i = 0; i < COUNT(fields); i++) {
        oc_audit_entry_t entry = {.time_ms = TIME_MS};
        const char *want = texts[_i].read ? texts[_i].read : texts[_i].text;
        json_t *json;

        set_field(&entry, i, texts[_i].text);
        line[oc_audit_format(&entry, line)] = '\0';
        (void)snprintf(quoted, sizeof quoted, "\"%s\":\"%s\"}\n", fields[i].member,
                       texts[_i].inside);
        unit_check(strstr(line, quoted), "%s: not '%s' in '%s'", texts[_i].name, quoted, line);
        json = parse(&entry);
        unit_check(strcmp(member(json, fields[i].member), want) == 0, "%s: '%s'", texts[_i].name,
                   line);
        json_decref(json);
    }
}
END_TEST

/* Each byte alone, and all of them in a row. */
START_TEST(every_byte)
{
    char all[256] = "";
    char want[1024] = "";
    json_t *row;

    for (int byte = 1; byte < 256; byte++) {
        const char text[] = {(char)byte, '\0'};
        const char *read = byte < 0x80 ? text : REPLACEMENT;
        json_t *line = parse(&(oc_audit_entry_t){.topic = text});

        unit_check(strcmp(member(line, "topic"), read) == 0, "byte %d", byte);
        json_decref(line);
        all[byte - 1] = text[0];
        unit_append(want, sizeof want, read);
    }
    row = parse(&(oc_audit_entry_t){.topic = all});
    ck_assert_str_eq(member(row, "topic"), want);
    json_decref(row);
}
END_TEST

/* A line of anything is a line. */
START_TEST(any_bytes_in_every_field)
{
    char text[COUNT(fields)][1200];
    unsigned state = 1;

    for (int round = 0; round < 2000; round++) {
        oc_audit_entry_t entry = {.time_ms = TIME_MS + round, .protocol = round % 6};
        json_t *line;

        for (size_t i = 0; i < COUNT(fields); i++) {
            size_t len = (size_t)(round * 7919 + (int)i * 104729) % (sizeof text[0] - 1);

            for (size_t j = 0; j < len; j++) {
                state = state * 1664525 + 1013904223;
                /* Half of them begin or go on with a character of several bytes. */
                text[i][j] =
                    (char)((state & 0x800000) != 0 ? 0x80 | state >> 24 : 1 + (state >> 24) % 255);
            }
            text[i][len] = '\0';
            set_field(&entry, i, text[i]);
        }
        line = parse(&entry);
        unit_check(json_object_size(line) == 1 + COUNT(fields) + (entry.protocol > 0), "round %d",
                   round);
        json_decref(line);
    }
}
END_TEST

/* --- Limits --- */

/* Characters of each size in the line, repeated. */
static const struct {
    const char *text;
    size_t size; /* what it takes up */
    const char *read;
} sizes[] = {
    {"x", 1, "x"},
    {"\"", 2, "\""},
    {"\xc3\xbc", 2, "\xc3\xbc"},
    {"\xe2\x82\xac", 3, "\xe2\x82\xac"},
    {"\xff", 3, REPLACEMENT},
    {"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"},
    {"\x01", 6, "\x01"},
};

/* The text so many times, and the last one; for the caller to free. */
static char *repeated(const char *text, size_t count, const char *last)
{
    char *all = NULL;
    size_t size;
    FILE *file = open_memstream(&all, &size);

    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < count; i++)
        (void)fputs(text, file);
    (void)fputs(last, file);
    ck_assert_int_eq(fclose(file), 0);
    return all;
}

/* What a reader gets for so many of the character in that field. */
static void check_read(size_t field, size_t size, size_t count, size_t shown, const char *last)
{
    OC_CLEANUP(oc_freep) char *text = repeated(sizes[size].text, count, "");
    OC_CLEANUP(oc_freep) char *want = repeated(sizes[size].read, shown, last);
    oc_audit_entry_t entry = {0};
    json_t *line;

    set_field(&entry, field, text);
    line = parse(&entry);
    unit_check(strcmp(member(line, fields[field].member), want) == 0,
               "%s: %zu characters of %zu bytes", fields[field].member, count, sizes[size].size);
    json_decref(line);
}

START_TEST(long_texts_are_cut)
{
    for (size_t i = 0; i < COUNT(fields); i++) {
        size_t whole = fields[i].max / sizes[_i].size;
        size_t cut = (fields[i].max - strlen(ELLIPSIS)) / sizes[_i].size;

        check_read(i, (size_t)_i, whole, whole, "");
        check_read(i, (size_t)_i, whole + 1, cut, ELLIPSIS);
        check_read(i, (size_t)_i, whole + 2, cut, ELLIPSIS);
        check_read(i, (size_t)_i, 65535, cut, ELLIPSIS);
    }
}
END_TEST

START_TEST(the_longest_line)
{
    OC_CLEANUP(oc_freep) char *text = repeated("\x01", 65535, "");
    oc_audit_entry_t entry = {.time_ms = INT64_MAX, .protocol = 2147483647};
    json_t *line;

    for (size_t i = 0; i < COUNT(fields); i++)
        set_field(&entry, i, text);
    line = parse(&entry);
    ck_assert_str_eq(member(line, "time"), "9999-12-31T23:59:59.999Z");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "protocol")), 2147483647);
    json_decref(line);
}
END_TEST

/* The C library's opinion. */
START_TEST(times)
{
    static const int64_t steps_ms[] = {1, 999, 1000, 59999, 86399999, 86400000, 2592000123};
    char want[64];

    for (int64_t ms = 0, i = 0; ms < INT64_C(253402300800000); i++) {
        time_t second = ms / 1000;
        struct tm tm;
        json_t *line = parse(&(oc_audit_entry_t){.time_ms = ms});
        size_t len;

        (void)gmtime_r(&second, &tm);
        len = strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
        (void)snprintf(want + len, sizeof want - len, ".%03dZ", (int)(ms % 1000));
        unit_check(strcmp(member(line, "time"), want) == 0, "not '%s' but '%s'", want,
                   member(line, "time"));
        json_decref(line);
        ms += steps_ms[i % (int64_t)COUNT(steps_ms)];
    }
}
END_TEST

static const struct {
    int64_t time_ms;
    const char *want;
} odd_times[] = {
    {-1, "1970-01-01T00:00:00.000Z"},
    {INT64_MIN, "1970-01-01T00:00:00.000Z"},
    {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    {951782400000, "2000-02-29T00:00:00.000Z"},
    {4107542399999, "2100-02-28T23:59:59.999Z"},
    {4107542400000, "2100-03-01T00:00:00.000Z"},
};

START_TEST(times_out_of_the_ordinary)
{
    json_t *line = parse(&(oc_audit_entry_t){.time_ms = odd_times[_i].time_ms});

    ck_assert_str_eq(member(line, "time"), odd_times[_i].want);
    json_decref(line);
}
END_TEST

/* --- The file --- */

START_TEST(appends_to_what_is_there)
{
    OC_CLEANUP(oc_freep) char *text = NULL;
    struct stat st;

    start();
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07137, 0);
    oc_audit_write(audit, &(oc_audit_entry_t){.time_ms = TIME_MS, .action = "one"});
    stop();
    start();
    stop();
    start();
    oc_audit_write(audit, &(oc_audit_entry_t){.time_ms = TIME_MS, .action = "two"});
    expect_no_error();
    stop();
    text = read_all(path);
    ck_assert_str_eq(text, "{\"time\":\"" TIME
                           "\",\"action\":\"one\"}\n"
                           "{\"time\":\"" TIME "\",\"action\":\"two\"}\n");
}
END_TEST

/* A line comes without another one that pushes it, and so does a new file. */
START_TEST(the_thread_is_woken)
{
    start();
    wait_for_count(&idle_waits, 1);
    oc_audit_write(audit, &(oc_audit_entry_t){.time_ms = TIME_MS});
    wait_for_size(1);
    wait_for_count(&idle_waits, 2);
    ck_assert_int_eq(unlink(path), 0);
    oc_audit_reopen(audit);
    wait_for_file();
    wait_for_count(&idle_waits, 3);
    stop();
}
END_TEST

START_TEST(without_a_log)
{
    char text[OC_AUDIT_ERROR_MAX];

    oc_audit_write(NULL, &(oc_audit_entry_t){0});
    oc_audit_reopen(NULL);
    ck_assert(!oc_audit_take_error(NULL, text, sizeof text));
    ck_assert_uint_eq(oc_audit_lost(NULL), 0);
    oc_audit_close(NULL);
}
END_TEST

static void make_socket(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd);
}

START_TEST(what_is_no_file_is_refused)
{
    const struct {
        const char *path;
        const char *says;
    } refused[] = {
        {"/tmp", "'/tmp' is a directory"},
        {"/tmp/", "'/tmp/' is a directory"},
        {"/dev/null", "'/dev/null' is not a regular file"},
        {"/dev/full", "'/dev/full' is not a regular file"},
        {scratch_path("fifo"), "is not a regular file"},
        {scratch_path("socket"), "is not a regular file"},
        {scratch_path("link"), "is a symbolic link"},
        {scratch_path("missing/audit.log"), "No such file"},
        {scratch_path("plain/audit.log"), "Not a directory"},
        {"", "''"},
    };

    (void)scratch_file("plain", "", 0);
    ck_assert_int_eq(mkfifo(scratch_path("fifo"), 0600), 0);
    make_socket(scratch_path("socket"));
    ck_assert_int_eq(symlink(scratch_path("plain"), scratch_path("link")), 0);
    for (size_t i = 0; i < COUNT(refused); i++) {
        oc_diag_t diag = {0};

        unit_check(oc_audit_open(refused[i].path, &audit, &diag) == OC_E_IO && !audit, "%s",
                   refused[i].path);
        unit_check(strstr(diag.message, refused[i].says), "'%s'", diag.message);
        unit_check(strstr(diag.message, refused[i].path), "'%s'", diag.message);
    }
}
END_TEST

START_TEST(without_memory)
{
    oc_diag_t diag = {0};
    int failures = 0;
    oc_err_t err;

    do {
        diag = (oc_diag_t){0};
        fail_at = failures;
        err = oc_audit_open(path, &audit, &diag);
        failures += err == OC_E_NOMEM;
    } while (err == OC_E_NOMEM);
    fail_at = -1;
    ck_assert_msg(err == OC_OK, "%s", diag.message);
    ck_assert_int_eq(failures, 2);
    /* From here on there is nothing to fail. */
    fail_at = 0;
    oc_audit_write(audit, &(oc_audit_entry_t){.action = "x", .topic = "t"});
    oc_audit_reopen(audit);
    ck_assert_int_eq(fail_at, 0);
    fail_at = -1;
    stop();
}
END_TEST

START_TEST(without_a_thread)
{
    oc_diag_t diag = {0};

    refuse_thread = true;
    ck_assert_int_eq(oc_audit_open(path, &audit, &diag), OC_E_NOMEM);
    ck_assert_msg(strstr(diag.message, path) != NULL, "'%s'", diag.message);
    refuse_thread = false;
    ck_assert_ptr_null(audit);
}
END_TEST

/* The thread takes no signal, and the caller's are as before. */
START_TEST(signals_are_the_callers)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ, SIGPIPE};
    sigset_t mine;

    start();
    (void)pthread_sigmask(SIG_BLOCK, NULL, &mine);
    for (size_t i = 0; i < COUNT(signals); i++) {
        ck_assert_int_eq(sigismember(&thread_signals, signals[i]), 1);
        ck_assert_int_eq(sigismember(&mine, signals[i]), 0);
    }
    stop();
}
END_TEST

/* --- Rotation --- */

/* Short enough for LINES of them to fit into memory, so that none may be lost. */
static void write_number(int number)
{
    char detail[16];

    (void)snprintf(detail, sizeof detail, "%d", number);
    oc_audit_write(audit, &(oc_audit_entry_t){.time_ms = TIME_MS, .detail = detail});
}

static int number(const json_t *line)
{
    const char *detail = member(line, "detail");

    return detail ? (int)strtol(detail, NULL, 10) : -1;
}

/* What so many of them take up, beginning at 0. */
static size_t size_of_numbers(int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += (size_t)snprintf(NULL, 0, "{\"time\":\"" TIME "\",\"detail\":\"%d\"}\n", i);
    return size;
}

/* Read the numbers of a file, which go on from this one; the number after them. */
static int read_numbers(const char *name, int next)
{
    OC_CLEANUP(oc_freep) char *all = read_all(name);
    const char *text = all;
    json_t *line;

    while ((line = next_line(&text)) != NULL) {
        unit_check(number(line) == next, "%s: %d instead of %d", name, number(line), next);
        json_decref(line);
        next++;
    }
    return next;
}

static const char *rotated(int rotation)
{
    char name[32];

    (void)snprintf(name, sizeof name, "audit.log.%d", rotation);
    return scratch_path(name);
}

static void rotate(int rotation)
{
    ck_assert_int_eq(rename(path, rotated(rotation)), 0);
    oc_audit_reopen(audit);
}

/* Lines of before go to the old file, later ones to the new, whatever the thread was doing. */
START_TEST(rotation_is_exact)
{
    int next = 0;

    start();
    for (int i = 0; i < ROTATIONS; i++) {
        wait_for_file();
        for (int j = 0; j < EACH; j++)
            write_number(next++);
        rotate(i);
    }
    wait_for_file();
    expect_no_error();
    ck_assert_uint_eq(oc_audit_lost(audit), 0);
    write_number(next);
    stop();
    for (int i = 0; i < ROTATIONS; i++)
        ck_assert_int_eq(read_numbers(rotated(i), i * EACH), i * EACH + EACH);
    ck_assert_int_eq(read_numbers(path, next), next + 1);
}
END_TEST

static atomic_bool writing;
static int rotations;

static void *rotate_all_the_time(void *context)
{
    (void)context;
    do {
        while (access(path, F_OK) != 0)
            (void)poll(NULL, 0, 1);
        rotate(rotations++);
    } while (atomic_load(&writing) && rotations < 1000);
    return NULL;
}

START_TEST(rotation_at_any_moment)
{
    pthread_t rotator;
    int next = 0;

    atomic_store(&writing, true);
    rotations = 0;
    start();
    ck_assert_int_eq(pthread_create(&rotator, NULL, rotate_all_the_time, NULL), 0);
    for (int i = 0; i < LINES; i++)
        write_number(i);
    atomic_store(&writing, false);
    (void)pthread_join(rotator, NULL);
    expect_no_error();
    ck_assert_uint_eq(oc_audit_lost(audit), 0);
    stop();
    for (int i = 0; i < rotations; i++)
        next = read_numbers(rotated(i), next);
    ck_assert_int_eq(read_numbers(path, next), LINES);
}
END_TEST

START_TEST(a_path_that_cannot_be_opened_again)
{
    OC_CLEANUP(oc_freep) char *old = NULL;

    start();
    write_number(0);
    ck_assert_int_eq(rename(path, rotated(0)), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    oc_audit_reopen(audit);
    wait_for_error("is a directory; the old file stays");
    expect_no_error();
    write_number(1);
    ck_assert_int_eq(rmdir(path), 0);
    oc_audit_reopen(audit);
    wait_for_file();
    write_number(2);
    expect_no_error();
    stop();
    ck_assert_int_eq(read_numbers(rotated(0), 0), 2);
    ck_assert_int_eq(read_numbers(path, 2), 3);
}
END_TEST

/* --- Disks that are slow, stuck or full --- */

/* Every line that is not cut short by the disk is in one write. */
START_TEST(a_disk_that_dribbles)
{
    start();
    for (int i = 0; i < LINES / 2; i++)
        write_number(i);
    wait_for_size(size_of_numbers(LINES / 2));
    ck_assert_uint_eq(atomic_load(&torn_writes), 0);
    atomic_store(&disk_dribbles, true);
    for (int i = LINES / 2; i < LINES; i++)
        write_number(i);
    stop();
    atomic_store(&disk_dribbles, false);
    ck_assert_int_eq(read_numbers(path, 0), LINES);
}
END_TEST

/* Make the disk hang, with the thread in a write; the number after the line that it writes, this one. From
 * here on it takes no lines out of memory, however late it is woken. */
static int hang_disk(int next)
{
    atomic_store(&disk_hangs, true);
    write_number(next);
    wait_for_count(&hanging, 1);
    return next + 1;
}

/* Write lines from this number on until so many more are lost; the number after them. */
static int write_until_lost(int next, uint64_t more)
{
    uint64_t lost = oc_audit_lost(audit) + more;

    while (oc_audit_lost(audit) < lost) {
        unit_check(next < 1000000, "nothing is ever lost");
        write_number(next++);
    }
    return next;
}

/* The same until one is not lost any more. */
static int write_until_kept(int next)
{
    int64_t deadline_ms = monotonic_ms() + DEADLINE_MS;
    uint64_t lost;

    do {
        (void)poll(NULL, 0, 1);
        lost = oc_audit_lost(audit);
        write_number(next++);
    } while (oc_audit_lost(audit) != lost && monotonic_ms() < deadline_ms);
    ck_assert_uint_eq(oc_audit_lost(audit), lost);
    return next;
}

/* Read numbers, and how many after them are said to be lost; the number after all of them. */
static int read_gaps(uint64_t *ret_lost, int *ret_gaps)
{
    OC_CLEANUP(oc_freep) char *all = read_all(path);
    const char *text = all;
    int next = 0;
    json_t *line;

    *ret_lost = 0;
    *ret_gaps = 0;
    while ((line = next_line(&text)) != NULL) {
        const char *action = member(line, "action");
        json_int_t count = json_integer_value(json_object_get(line, "count"));

        unit_check(strcmp(member(line, "time"), TIME) == 0, "'%s'", member(line, "time"));
        if (action) {
            unit_check(strcmp(action, "audit_lost") == 0 && json_object_size(line) == 3, "'%s'",
                       action);
            *ret_lost += (uint64_t)count;
            ++*ret_gaps;
            next += (int)count;
        } else {
            unit_check(number(line) == next, "%d instead of %d", number(line), next);
            next++;
        }
        json_decref(line);
    }
    return next;
}

/* A disk that hangs holds up nobody, and what was lost stands where it would have been, each time. */
START_TEST(a_disk_that_hangs)
{
    uint64_t lost;
    uint64_t told;
    int next = 0;
    int gaps;

    start();
    for (int i = 0; i < 3; i++) {
        next = write_until_lost(hang_disk(next), 1000);
        atomic_store(&disk_hangs, false);
        next = write_until_kept(next);
    }
    expect_no_error();
    lost = oc_audit_lost(audit);
    ck_assert_uint_ge(lost, 3000);
    stop();
    ck_assert_int_eq(read_gaps(&told, &gaps), next);
    ck_assert_uint_eq(told, lost);
    ck_assert_int_eq(gaps, 3);
}
END_TEST

/* A file gets the lines of its time, whenever they are written. */
START_TEST(rotation_of_a_disk_that_hangs)
{
    start();
    for (int i = hang_disk(0); i < 20; i++)
        write_number(i);
    rotate(0);
    for (int i = 20; i < 30; i++)
        write_number(i);
    atomic_store(&disk_hangs, false);
    stop();
    ck_assert_int_eq(read_numbers(rotated(0), 0), 20);
    ck_assert_int_eq(read_numbers(path, 20), 30);
}
END_TEST

/* A line that would still fit does not jump over a longer one that was lost. */
START_TEST(lost_lines_are_together)
{
    OC_CLEANUP(oc_freep) char *topic = repeated("x", 1024, "");
    OC_CLEANUP(oc_freep) char *all = NULL;
    const char *text;
    int shorter = 0;
    json_t *line;

    start();
    (void)hang_disk(0);
    while (oc_audit_lost(audit) == 0)
        oc_audit_write(audit, &(oc_audit_entry_t){.topic = topic, .client_id = topic});
    for (int i = 0; i < 10; i++)
        oc_audit_write(audit, &(oc_audit_entry_t){.time_ms = TIME_MS + i, .topic = "short"});
    ck_assert_uint_eq(oc_audit_lost(audit), 11);
    atomic_store(&disk_hangs, false);
    stop();
    all = read_all(path);
    text = all;
    while ((line = next_line(&text)) != NULL) {
        shorter += member(line, "topic") && strcmp(member(line, "topic"), "short") == 0;
        if (!*text) {
            ck_assert_str_eq(member(line, "action"), "audit_lost");
            ck_assert_int_eq(json_integer_value(json_object_get(line, "count")), 11);
            ck_assert_str_eq(member(line, "time"), "2026-11-24T10:00:00.132Z");
        }
        json_decref(line);
    }
    ck_assert_int_eq(shorter, 0);
}
END_TEST

/* Room for a few lines and a part of one; then the disk is full. */
static void fill_disk(void)
{
    set_file_limit(1000);
    for (int i = 0; i < 50; i++)
        write_number(i);
    wait_for_error("File too large");
}

/* The file ends with a whole line meanwhile; a disk with room again gets all that waited. */
START_TEST(a_full_disk)
{
    int next;

    start();
    fill_disk();
    next = read_numbers(path, 0);
    ck_assert_int_gt(next, 10);
    ck_assert_int_lt(next, 50);
    for (int i = 50; i < 100; i++)
        write_number(i);
    expect_no_error();
    set_file_limit(RLIM_INFINITY);
    /* Nobody tells it. */
    wait_for_size(size_of_numbers(100));
    /* The next time it is said again. */
    set_file_limit(file_size(path));
    write_number(100);
    wait_for_error("File too large");
    set_file_limit(RLIM_INFINITY);
    ck_assert_uint_eq(oc_audit_lost(audit), 0);
    stop();
    ck_assert_int_eq(read_numbers(path, 0), 101);
}
END_TEST

/* However many lines come, it is tried once a second, and no more than memory holds is kept. */
START_TEST(a_disk_that_stays_full)
{
    int64_t begin_ms;
    unsigned before;
    uint64_t told;
    uint64_t lost;
    int gaps;
    int next;

    start();
    begin_ms = monotonic_ms();
    fill_disk();
    before = atomic_load(&writes);
    next = write_until_lost(50, 20000);
    /* A try is a write that is cut short, and one that fails. */
    wait_for_count(&writes, before + 4);
    ck_assert_int_ge(monotonic_ms() - begin_ms, 2000);
    expect_no_error();
    set_file_limit(RLIM_INFINITY);
    next = write_until_kept(next);
    lost = oc_audit_lost(audit);
    stop();
    ck_assert_int_eq(read_gaps(&told, &gaps), next);
    ck_assert_uint_eq(told, lost);
    ck_assert_int_eq(gaps, 1);
}
END_TEST

/* The file of then ends with a whole line, and the new one begins with the next. */
START_TEST(rotation_of_a_full_disk)
{
    int next;

    start();
    fill_disk();
    rotate(0);
    wait_for_error("File too large");
    rotate(1); /* what is left fits into the third */
    set_file_limit(RLIM_INFINITY);
    stop();
    next = read_numbers(rotated(0), 0);
    ck_assert_int_gt(next, 10);
    ck_assert_int_gt(read_numbers(rotated(1), next), next + 10);
    next = read_numbers(rotated(1), next);
    ck_assert_int_eq(read_numbers(path, next), 50);
}
END_TEST

START_TEST(rotation_of_a_disk_with_room_again)
{
    start();
    fill_disk();
    set_file_limit(RLIM_INFINITY);
    rotate(0);
    wait_for_file();
    stop();
    ck_assert_int_eq(read_numbers(rotated(0), 0), 50);
    ck_assert_uint_eq(file_size(path), 0);
}
END_TEST

START_TEST(the_end_with_a_full_disk)
{
    start();
    fill_disk();
    stop();
    set_file_limit(RLIM_INFINITY);
    ck_assert_int_gt(read_numbers(path, 0), 10);
}
END_TEST

/* Both what could not be written and what came after it. */
START_TEST(the_end_with_room_again)
{
    start();
    fill_disk();
    for (int i = 50; i < 100; i++)
        write_number(i);
    set_file_limit(RLIM_INFINITY);
    stop();
    ck_assert_int_eq(read_numbers(path, 0), 100);
}
END_TEST

/* Where a part of a line cannot be taken back, the line goes on from there. */
START_TEST(a_file_that_cannot_be_cut)
{
    start();
    atomic_store(&refuse_truncation, true);
    fill_disk();
    ck_assert_uint_eq(file_size(path), 1000);
    set_file_limit(RLIM_INFINITY);
    stop();
    ck_assert_int_eq(read_numbers(path, 0), 50);
}
END_TEST

/* And a new file gets the whole of it. */
START_TEST(rotation_of_a_file_that_cannot_be_cut)
{
    OC_CLEANUP(oc_freep) char *old = NULL;
    int next = 0;

    start();
    atomic_store(&refuse_truncation, true);
    fill_disk();
    rotate(0);
    wait_for_error("File too large");
    set_file_limit(RLIM_INFINITY);
    stop();
    old = read_all(rotated(0));
    for (const char *c = old; *c; c++)
        next += *c == '\n';
    ck_assert_int_eq(read_numbers(path, next), 50);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("audit");

    tcase_add_unchecked_fixture(tcase, make, unmake);
    tcase_add_checked_fixture(tcase, begin, NULL);
    tcase_add_test(tcase, a_whole_line);
    tcase_add_test(tcase, what_is_not_given_is_left_out);
    unit_add_table(tcase, texts_are_escaped, texts);
    tcase_add_test(tcase, every_byte);
    tcase_add_test(tcase, any_bytes_in_every_field);
    unit_add_table(tcase, long_texts_are_cut, sizes);
    tcase_add_test(tcase, the_longest_line);
    tcase_add_test(tcase, times);
    unit_add_table(tcase, times_out_of_the_ordinary, odd_times);
    tcase_add_test(tcase, appends_to_what_is_there);
    tcase_add_test(tcase, the_thread_is_woken);
    tcase_add_test(tcase, without_a_log);
    tcase_add_test(tcase, what_is_no_file_is_refused);
    tcase_add_test(tcase, without_memory);
    tcase_add_test(tcase, without_a_thread);
    tcase_add_test(tcase, signals_are_the_callers);
    tcase_add_test(tcase, rotation_is_exact);
    tcase_add_test(tcase, rotation_at_any_moment);
    tcase_add_test(tcase, a_path_that_cannot_be_opened_again);
    tcase_add_test(tcase, a_disk_that_dribbles);
    tcase_add_test(tcase, a_disk_that_hangs);
    tcase_add_test(tcase, rotation_of_a_disk_that_hangs);
    tcase_add_test(tcase, lost_lines_are_together);
    tcase_add_test(tcase, a_full_disk);
    tcase_add_test(tcase, a_disk_that_stays_full);
    tcase_add_test(tcase, rotation_of_a_full_disk);
    tcase_add_test(tcase, rotation_of_a_disk_with_room_again);
    tcase_add_test(tcase, the_end_with_a_full_disk);
    tcase_add_test(tcase, the_end_with_room_again);
    tcase_add_test(tcase, a_file_that_cannot_be_cut);
    tcase_add_test(tcase, rotation_of_a_file_that_cannot_be_cut);
    return unit_run("audit", tcase);
}

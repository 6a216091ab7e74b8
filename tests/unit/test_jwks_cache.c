/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "jwk.h"
#include "jwks_cache.h"
#include "mem.h"
#include "scratch.h"
#include "unit.h"

#define ACME "https://id.acme.example/keys"
#define GLOBEX "https://id.globex.example/keys"
#define SET(kid) "{\"keys\":[{\"kid\":\"" kid "\"}]}"

/* The next calls of read() fail. */
static int failing_reads;
static unsigned synced_folders;

ssize_t __real_read(int fd, void *bytes, size_t count);
ssize_t __wrap_read(int fd, void *bytes, size_t count);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

ssize_t __wrap_read(int fd, void *bytes, size_t count)
{
    if (failing_reads == 0)
        return __real_read(fd, bytes, count);
    failing_reads--;
    errno = EIO;
    return -1;
}

int __wrap_fsync(int fd)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        synced_folders++;
    return __real_fsync(fd);
}

static void make(void)
{
    scratch_open();
}

static void unmake(void)
{
    scratch_close();
}

static oc_err_t store(const char *path, const char *url, const char *json)
{
    oc_diag_t diag = {0};
    oc_err_t err = oc_jwks_cache_store(path, url, json, strlen(json), &diag);

    ck_assert_int_eq(diag.code, err);
    return err;
}

/* The file holds this set, or with NULL none, for the URL. */
static void check_held(const char *path, const char *url, const char *want)
{
    OC_CLEANUP(oc_freep) char *json = NULL;
    size_t len = 0;
    oc_diag_t diag = {0};
    oc_err_t err = oc_jwks_cache_load(path, url, &json, &len, &diag);

    if (!want) {
        ck_assert_msg((err == OC_E_IO || err == OC_E_NOT_FOUND) && !json, "%s: %s", url,
                      oc_err_name(err));
        ck_assert_msg(strstr(diag.message, path) != NULL, "'%s'", diag.message);
        return;
    }
    ck_assert_msg(err == OC_OK, "%s: %s", url, diag.message);
    ck_assert_str_eq(json, want);
    ck_assert_uint_eq(len, strlen(want));
}

START_TEST(sets_of_two_urls)
{
    const char *path = scratch_path("cache");

    check_held(path, ACME, NULL);
    ck_assert_int_eq(store(path, ACME, " " SET("a") "\n"), OC_OK);
    check_held(path, ACME, SET("a"));
    check_held(path, GLOBEX, NULL);
    ck_assert_int_eq(store(path, GLOBEX, SET("g")), OC_OK);
    check_held(path, ACME, SET("a"));
    check_held(path, GLOBEX, SET("g"));
    ck_assert_int_eq(store(path, ACME, SET("b")), OC_OK);
    check_held(path, ACME, SET("b"));
    check_held(path, GLOBEX, SET("g"));
}
END_TEST

static size_t count_files(void)
{
    DIR *dir = opendir(scratch_path("."));
    size_t count = 0;

    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count - 2;
}

/* Nothing else is left in the folder, and the group may read: the broker's, not everybody. */
START_TEST(one_file)
{
    const char *path = scratch_path("cache");
    struct stat st;

    ck_assert_int_eq(store(path, ACME, SET("a")), OC_OK);
    ck_assert_int_eq(store(path, ACME, SET("b")), OC_OK);
    ck_assert_uint_eq(count_files(), 1);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
}
END_TEST

/* Then the sets of the other URLs would be lost. */
START_TEST(a_file_that_cannot_be_read_now)
{
    const char *path = scratch_path("cache");

    ck_assert_int_eq(store(path, GLOBEX, SET("g")), OC_OK);
    failing_reads = 1;
    ck_assert_int_eq(store(path, ACME, SET("a")), OC_E_IO);
    ck_assert_int_eq(failing_reads, 0);
    check_held(path, GLOBEX, SET("g"));
    check_held(path, ACME, NULL);
    ck_assert_int_eq(store(path, ACME, SET("a")), OC_OK);
    check_held(path, GLOBEX, SET("g"));
    check_held(path, ACME, SET("a"));
}
END_TEST

START_TEST(the_folder_is_synced)
{
    synced_folders = 0;
    ck_assert_int_eq(store(scratch_path("cache"), ACME, SET("a")), OC_OK);
    ck_assert_uint_eq(synced_folders, 1);
}
END_TEST

/* One that reads the file meanwhile still has the old one, whole. */
START_TEST(replaced_in_one_step)
{
    const char *path = scratch_path("cache");
    char text[512];
    FILE *reader;
    size_t len;

    ck_assert_int_eq(store(path, ACME, SET("a")), OC_OK);
    reader = fopen(path, "r");
    ck_assert_int_eq(store(path, ACME, SET("b")), OC_OK);
    len = fread(text, 1, sizeof text - 1, reader);
    text[len] = '\0';
    (void)fclose(reader);
    ck_assert_str_eq(text, "{\"sets\":{\"" ACME "\":" SET("a") "}}");
}
END_TEST

/* What a broker that was killed while it wrote leaves behind is used up by the next write. */
START_TEST(after_a_kill)
{
    static const char rest[] =
        "{\"sets\":{\"" GLOBEX "\":" SET("long, and so longer than the next");
    const char *path = scratch_path("cache");
    const char *temporary = scratch_file("cache.new", rest, strlen(rest));
    struct stat st;

    ck_assert_int_eq(chmod(temporary, 0666), 0);
    check_held(path, GLOBEX, NULL);
    ck_assert_int_eq(store(path, ACME, SET("a")), OC_OK);
    check_held(path, ACME, SET("a"));
    check_held(path, GLOBEX, NULL);
    ck_assert_uint_eq(count_files(), 1);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
}
END_TEST

/* Links under that name are not followed and do not become the cache, whoever put them there. */
START_TEST(no_link_is_followed)
{
    const char *path = scratch_path("cache");
    const char *other = scratch_file("other", "untouched", 9);
    OC_CLEANUP(oc_freep) unsigned char *bytes = NULL;
    size_t len = 0;

    ck_assert_int_eq(symlink(other, scratch_path("cache.new")), 0);
    ck_assert_int_eq(store(path, ACME, SET("a")), OC_OK);
    ck_assert_int_eq(link(other, scratch_path("cache.new")), 0);
    ck_assert_int_eq(store(path, GLOBEX, SET("g")), OC_OK);
    check_held(path, ACME, SET("a"));
    check_held(path, GLOBEX, SET("g"));
    ck_assert_int_eq(oc_file_read(other, 64, &bytes, &len, NULL), OC_OK);
    ck_assert_str_eq((const char *)bytes, "untouched");
    ck_assert_uint_eq(count_files(), 2);
}
END_TEST

typedef struct writer {
    pthread_t thread;
    const char *path;
    char url[64];
    unsigned failed;
} writer_t;

static void *write_often(void *context)
{
    writer_t *writer = context;

    for (int i = 0; i < 50; i++) {
        if (oc_jwks_cache_store(writer->path, writer->url, SET("a"), strlen(SET("a")), NULL))
            writer->failed++;
    }
    return NULL;
}

/* The fetch threads of several URLs share the file and the name of the new one. */
START_TEST(writers_take_turns)
{
    const char *path = scratch_path("cache");
    writer_t writers[4] = {0};

    for (size_t i = 0; i < COUNT(writers); i++) {
        writers[i].path = path;
        (void)snprintf(writers[i].url, sizeof writers[i].url, ACME "/%zu", i);
        ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_often, &writers[i]), 0);
    }
    for (size_t i = 0; i < COUNT(writers); i++)
        ck_assert_int_eq(pthread_join(writers[i].thread, NULL), 0);
    for (size_t i = 0; i < COUNT(writers); i++) {
        ck_assert_uint_eq(writers[i].failed, 0);
        check_held(path, writers[i].url, SET("a"));
    }
    ck_assert_uint_eq(count_files(), 1);
}
END_TEST

/* Whatever is there instead of a cache holds no set, and is replaced. */
static const char *const broken[] = {
    "",
    "\n",
    "{",
    "[]",
    "{}",
    "{\"sets\":[]}",
    "{\"sets\":{\"" ACME "\":" SET("a") "}",
    "{\"sets\":{\"" ACME "\":" SET("a") "}} ]",
    "{\"sets\":{\"" ACME "\":" SET("a") ",\"" ACME "\":" SET("b") "}}",
    "{\"sets\":{\"" ACME "\":\"\xff\"}}",
    "{\"Sets\":{\"" ACME "\":" SET("a") "}}",
    "{\"" ACME "\":" SET("a") "}",
    SET("a"),
};

START_TEST(broken_files)
{
    const char *path = scratch_file("cache", broken[_i], strlen(broken[_i]));

    check_held(path, ACME, NULL);
    ck_assert_int_eq(store(path, GLOBEX, SET("g")), OC_OK);
    check_held(path, GLOBEX, SET("g"));
    check_held(path, ACME, NULL);
}
END_TEST

START_TEST(too_long_a_file)
{
    size_t len = 8 * OC_JWKS_MAX_BYTES + 1;
    char *bytes = malloc(len);
    const char *path;
    int start;

    memset(bytes, ' ', len);
    start = snprintf(bytes, len, "{\"sets\":{\"" ACME "\":" SET("a") "}}");
    bytes[start] = ' ';
    path = scratch_file("cache", bytes, len - 1);
    check_held(path, ACME, SET("a"));
    path = scratch_file("cache", bytes, len);
    check_held(path, ACME, NULL);
    free(bytes);
}
END_TEST

/* Only a JSON object goes in. */
START_TEST(what_is_no_set)
{
    const char *path = scratch_path("cache");

    ck_assert_int_eq(store(path, ACME, SET("a")), OC_OK);
    ck_assert_int_ne(store(path, ACME, "<html>"), OC_OK);
    ck_assert_int_ne(store(path, ACME, ""), OC_OK);
    ck_assert_int_ne(store(path, ACME, "[]"), OC_OK);
    check_held(path, ACME, SET("a"));
    ck_assert_uint_eq(count_files(), 1);
}
END_TEST

START_TEST(paths_that_do_not_work)
{
    char path[600];
    oc_diag_t diag = {0};

    ck_assert_int_eq(mkdir(scratch_path("folder"), 0700), 0);
    ck_assert_int_eq(store(scratch_path("folder"), ACME, SET("a")), OC_E_IO);
    check_held(scratch_path("folder"), ACME, NULL);
    ck_assert_uint_eq(count_files(), 1);
    ck_assert_int_eq(mkdir(scratch_path("cache.new"), 0700), 0);
    ck_assert_int_eq(store(scratch_path("cache"), ACME, SET("a")), OC_E_IO);
    ck_assert_uint_eq(count_files(), 2);
    ck_assert_int_eq(store(scratch_path("missing/cache"), ACME, SET("a")), OC_E_IO);
    (void)snprintf(path, sizeof path, "%s", scratch_path("missing/cache"));
    ck_assert_int_eq(oc_jwks_cache_store(path, ACME, SET("a"), strlen(SET("a")), &diag), OC_E_IO);
    /* The path that was configured, and no other. */
    ck_assert_msg(strstr(diag.message, "missing/cache'") != NULL, "'%s'", diag.message);
}
END_TEST

/* Whoever can write the file could make the broker accept tokens. */
START_TEST(a_file_that_others_may_write)
{
    const char *path = scratch_path("cache");
    static const mode_t modes[] = {0660, 0642, 0666};

    for (size_t i = 0; i < COUNT(modes); i++) {
        ck_assert_int_eq(store(path, ACME, SET("a")), OC_OK);
        check_held(path, ACME, SET("a"));
        ck_assert_int_eq(chmod(path, modes[i]), 0);
        check_held(path, ACME, NULL);
    }
}
END_TEST

START_TEST(a_link_to_a_file)
{
    const char *path = scratch_path("cache");
    const char *other = scratch_path("other");

    ck_assert_int_eq(store(other, ACME, SET("a")), OC_OK);
    ck_assert_int_eq(symlink(other, path), 0);
    check_held(path, ACME, NULL);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("jwks_cache");

    tcase_add_checked_fixture(tcase, make, unmake);
    tcase_add_test(tcase, sets_of_two_urls);
    tcase_add_test(tcase, one_file);
    tcase_add_test(tcase, a_file_that_cannot_be_read_now);
    tcase_add_test(tcase, the_folder_is_synced);
    tcase_add_test(tcase, replaced_in_one_step);
    tcase_add_test(tcase, after_a_kill);
    tcase_add_test(tcase, no_link_is_followed);
    tcase_add_test(tcase, writers_take_turns);
    tcase_add_test(tcase, a_file_that_others_may_write);
    tcase_add_test(tcase, a_link_to_a_file);
    unit_add_table(tcase, broken_files, broken);
    tcase_add_test(tcase, too_long_a_file);
    tcase_add_test(tcase, what_is_no_set);
    tcase_add_test(tcase, paths_that_do_not_work);
    return unit_run("jwks_cache", tcase);
}

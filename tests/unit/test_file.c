/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "scratch.h"
#include "unit.h"

#define MAX 100

START_TEST(reads_all)
{
    static const size_t lens[] = {1, 2, 99, 100};
    char bytes[MAX];

    memset(bytes, 'x', sizeof bytes);
    bytes[0] = '\0';
    for (size_t i = 0; i < COUNT(lens); i++) {
        unsigned char *out = NULL;
        size_t len = 0;

        ck_assert_int_eq(oc_file_read(scratch_file("bytes", bytes, lens[i]), MAX, &out, &len, NULL),
                         OC_OK);
        ck_assert_uint_eq(len, lens[i]);
        ck_assert_int_eq(memcmp(out, bytes, len), 0);
        ck_assert_int_eq(out[len], 0);
        free(out);
    }
}
END_TEST

static void refuses(const char *path, const char *says)
{
    unsigned char *out = (unsigned char *)&out;
    size_t len = 77;
    oc_diag_t diag = {0};

    ck_assert_msg(oc_file_read(path, MAX, &out, &len, &diag) == OC_E_IO, "%s", path);
    ck_assert_msg(strstr(diag.message, path) != NULL, "%s: '%s'", path, diag.message);
    ck_assert_msg(strstr(diag.message, says) != NULL, "%s: '%s'", path, diag.message);
    ck_assert_msg(out == (unsigned char *)&out && len == 77, "%s: results written", path);
}

START_TEST(what_cannot_be_read)
{
    char bytes[MAX + 1] = "x";
    const char *fifo = scratch_path("fifo");
    const char *link = scratch_path("link");

    refuses(scratch_path("missing"), "No such file");
    refuses(scratch_path("."), "directory");
    refuses(scratch_file("empty", "", 0), "is empty");
    refuses(scratch_file("long", bytes, sizeof bytes), "longer than 100 bytes");
    refuses("/dev/null", "not a regular file");
    refuses("", "No such file");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    refuses(fifo, "not a regular file");
    ck_assert_int_eq(symlink(link, link), 0);
    refuses(link, "symbolic links");
    if (geteuid() != 0) {
        const char *closed = scratch_file("closed", "x", 1);

        ck_assert_int_eq(chmod(closed, 0), 0);
        refuses(closed, "Permission denied");
    }
}
END_TEST

/* Files of /proc say that they are empty, and are not regular files to be trusted. */
START_TEST(without_a_size)
{
    refuses("/proc/self/status", "is empty");
}
END_TEST

START_TEST(reads_a_pipe_once)
{
    static const struct {
        const char *name;
        size_t len;
        const char *says; /* NULL: read */
    } cases[] = {
        {"none", 0, "is empty"},
        {"one", 1, NULL},
        {"most", MAX, NULL},
        {"more", MAX + 1, "longer than 100 bytes"},
    };
    char bytes[MAX + 1];

    memset(bytes, 'x', sizeof bytes);
    for (size_t i = 0; i < COUNT(cases); i++) {
        char path[64];
        unsigned char *out = NULL;
        size_t len = 0;
        oc_diag_t diag = {0};
        int ends[2];
        oc_err_t err;

        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq(write(ends[1], bytes, cases[i].len), (ssize_t)cases[i].len);
        close(ends[1]);
        (void)snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
        err = oc_file_read_once(path, MAX, &out, &len, &diag);
        close(ends[0]);
        ck_assert_msg((err == OC_OK) == (cases[i].says == NULL), "%s: '%s'", cases[i].name,
                      diag.message);
        if (cases[i].says) {
            ck_assert_msg(strstr(diag.message, cases[i].says) != NULL, "'%s'", diag.message);
            continue;
        }
        ck_assert_uint_eq(len, cases[i].len);
        ck_assert_int_eq(memcmp(out, bytes, len), 0);
        ck_assert_int_eq(out[len], 0);
        free(out);
    }
}
END_TEST

START_TEST(leaves_no_descriptor_open)
{
    unsigned char *out = NULL;
    size_t len = 0;
    int before = dup(0);
    int after;

    close(before);
    refuses(scratch_path("."), "directory");
    refuses(scratch_file("empty", "", 0), "is empty");
    ck_assert_int_eq(oc_file_read(scratch_file("bytes", "x", 1), MAX, &out, &len, NULL), OC_OK);
    free(out);
    after = dup(0);
    close(after);
    ck_assert_int_eq(after, before);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("file");

    tcase_add_unchecked_fixture(tcase, scratch_open, scratch_close);
    tcase_add_test(tcase, reads_all);
    tcase_add_test(tcase, what_cannot_be_read);
    tcase_add_test(tcase, without_a_size);
    tcase_add_test(tcase, reads_a_pipe_once);
    tcase_add_test(tcase, leaves_no_descriptor_open);
    return unit_run("file", tcase);
}

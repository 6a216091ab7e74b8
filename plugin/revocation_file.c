/* SPDX-License-Identifier: MIT */
#include "revocation_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "mem.h"

#define SUFFIX ".new"
/* What others do to the file meanwhile is met with another try. */
#define TRIES 3

static void closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static void set_freep(oc_revocation_set_t **set)
{
    oc_revocation_set_free(*set);
}

static oc_err_t fail_errno(const char *path, oc_diag_t *diag)
{
    return oc_fail(diag, OC_E_IO, "'%.150s': %s", path, strerror(errno));
}

/* --- Reading --- */

static oc_err_t apply(oc_revocation_set_t *set, const oc_revocation_line_t *line)
{
    if (!line->unrevoke)
        return oc_revocation_set_add(set, &line->revocation);
    oc_revocation_set_remove(set, line->revocation.kind, line->revocation.name);
    return OC_OK;
}

/* A line without its newline. */
static oc_err_t load_line(const char *bytes, size_t len, oc_revocation_set_t *set, oc_diag_t *diag)
{
    oc_revocation_line_t line;
    oc_err_t err = oc_revocation_parse(bytes, len, &line, diag);

    if (!err)
        err = apply(set, &line);
    if (!err && oc_revocation_set_count(set) > OC_REVOCATION_FILE_MAX_NAMES)
        return oc_fail(diag, OC_E_INTERNAL, "more than %zu revocations",
                       OC_REVOCATION_FILE_MAX_NAMES);
    return err;
}

oc_err_t oc_revocation_text_load(const char *path, const char *bytes, size_t len,
                                 oc_revocation_set_t *set, oc_revocation_text_t *ret_text,
                                 oc_diag_t *diag)
{
    oc_revocation_text_t text = {0};

    while (len > 0) {
        const char *newline = memchr(bytes, '\n', len);
        size_t line_len = newline ? (size_t)(newline - bytes) : len;
        oc_diag_t cause = {0};
        oc_err_t err = load_line(bytes, line_len, set, &cause);

        if (err == OC_E_NOMEM)
            return oc_fail(diag, err, "out of memory");
        text.cut_off = err && !newline && oc_revocation_cut_off(bytes, len);
        if (text.cut_off)
            break;
        text.lines++;
        if (err)
            return oc_fail(diag, OC_E_IO, "%.150s:%zu: %.80s", path, text.lines, cause.message);
        bytes += line_len + (newline ? 1 : 0);
        len -= line_len + (newline ? 1 : 0);
    }
    *ret_text = text;
    return OC_OK;
}

static oc_err_t load(const char *path, int64_t now_s, const oc_revocation_set_t *older,
                     oc_revocation_set_t **ret_set, oc_revocation_text_t *ret_text, oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) unsigned char *bytes = NULL;
    OC_CLEANUP(set_freep) oc_revocation_set_t *set = NULL;
    oc_revocation_text_t text;
    size_t len = 0;
    oc_err_t err =
        oc_file_read_trusted(path, geteuid(), OC_REVOCATION_FILE_MAX_BYTES, &bytes, &len, diag);

    if (err)
        return err;
    set = oc_revocation_set_new();
    if (!set)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    if (older)
        oc_revocation_set_follow(set, older);
    err = oc_revocation_text_load(path, (const char *)bytes, len, set, &text, diag);
    if (err)
        return err;
    oc_revocation_set_forget(set, now_s, SIZE_MAX);
    if (oc_revocation_set_count(set) > OC_REVOCATIONS_MAX)
        return oc_fail(diag, OC_E_IO, "'%.150s' has more than %zu revocations", path,
                       OC_REVOCATIONS_MAX);
    *ret_set = oc_take(set);
    *ret_text = text;
    return OC_OK;
}

static bool same_moment(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool unchanged(const char *path, const struct stat *before)
{
    struct stat now = {0};

    return lstat(path, &now) == 0 && same_file(&now, before) && now.st_size == before->st_size &&
           same_moment(&now.st_mtim, &before->st_mtim);
}

oc_err_t oc_revocation_file_load(const char *path, int64_t now_s, const oc_revocation_set_t *older,
                                 oc_revocation_set_t **ret_set, oc_revocation_text_t *ret_text,
                                 oc_diag_t *diag)
{
    oc_diag_t cause = {0};
    oc_err_t err = OC_OK;

    /* Somebody may be writing it: then it is not the file that is wrong. */
    for (int i = 0; i < TRIES; i++) {
        struct stat before = {0};

        (void)lstat(path, &before);
        cause = (oc_diag_t){0};
        err = load(path, now_s, older, ret_set, ret_text, &cause);
        if (err != OC_E_IO || unchanged(path, &before))
            break;
    }
    return err ? oc_fail(diag, err, "%s", cause.message) : OC_OK;
}

/* --- Writing --- */

typedef struct out {
    int fd;
    bool failed; /* errno says why */
    size_t len;
    char bytes[4 * OC_REVOCATION_LINE_MAX];
} out_t;

static void out_flush(out_t *out)
{
    const char *bytes = out->bytes;

    while (!out->failed && out->len > 0) {
        ssize_t put = write(out->fd, bytes, out->len);

        if (put < 0 && errno == EINTR)
            continue;
        out->failed = put <= 0;
        if (put > 0) {
            bytes += put;
            out->len -= (size_t)put;
        }
    }
    out->len = 0;
}

static void out_line(out_t *out, const oc_revocation_t *revocation, bool unrevoke)
{
    if (sizeof out->bytes - out->len < OC_REVOCATION_LINE_MAX)
        out_flush(out);
    out->len += oc_revocation_print(revocation, unrevoke, out->bytes + out->len);
}

oc_err_t oc_revocation_file_make(const char *path, oc_diag_t *diag)
{
    OC_CLEANUP(closep)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return OC_OK;
    if (fd < 0)
        return oc_fail(diag, OC_E_IO, "'%.150s': cannot be made by user id %u: %s", path,
                       (unsigned)geteuid(), strerror(errno));
    if (fchmod(fd, 0600) != 0 || fsync(fd) != 0 || !oc_file_sync_folder(path))
        return fail_errno(path, diag);
    return OC_OK;
}

/* Where the last line begins that has no newline; the size when it has one; -1 when it cannot be read. */
static off_t unended_line(int fd, off_t size)
{
    char bytes[OC_REVOCATION_LINE_MAX];
    off_t end = size;

    while (end > 0) {
        off_t start = end > (off_t)sizeof bytes ? end - (off_t)sizeof bytes : 0;
        size_t len = (size_t)(end - start);
        const char *newline;

        if (pread(fd, bytes, len, start) != (ssize_t)len)
            return -1;
        newline = memrchr(bytes, '\n', len);
        if (newline)
            return start + (newline + 1 - bytes);
        end = start;
    }
    return 0;
}

/* Cut off a last line that a crash left incomplete.
 * ret_open: there is one that is complete but for the newline */
static oc_err_t mend(const char *path, int fd, off_t *size, bool *ret_open, oc_diag_t *diag)
{
    off_t start = unended_line(fd, *size);
    size_t len = start < 0 ? 0 : (size_t)(*size - start);
    char bytes[OC_REVOCATION_LINE_MAX];
    size_t read_len;
    oc_revocation_line_t line;
    oc_err_t err = OC_E_INTERNAL;

    *ret_open = false;
    if (start < 0)
        return fail_errno(path, diag);
    if (len == 0)
        return OC_OK;
    read_len = len < sizeof bytes ? len : sizeof bytes;
    if (pread(fd, bytes, read_len, start) != (ssize_t)read_len)
        return fail_errno(path, diag);
    if (len == read_len)
        err = oc_revocation_parse(bytes, len, &line, NULL);
    if (err == OC_E_NOMEM)
        return oc_fail(diag, err, "out of memory");
    *ret_open = err == OC_OK;
    if (*ret_open)
        return OC_OK;
    if (!oc_revocation_cut_off(bytes, read_len))
        return oc_fail(diag, OC_E_IO, "'%.150s': its last line is no revocation", path);
    if (ftruncate(fd, start) != 0)
        return fail_errno(path, diag);
    *size = start;
    return OC_OK;
}

static bool write_changes(int fd, bool newline_first, const oc_revocation_change_t *first,
                          const oc_revocation_change_t *last)
{
    out_t out = {.fd = fd};

    if (newline_first)
        out.bytes[out.len++] = '\n';
    /* Behind the last one, another thread may be adding. */
    for (const oc_revocation_change_t *change = first; change;
         change = change == last ? NULL : change->next)
        out_line(&out, &change->revocation, change->unrevoke);
    out_flush(&out);
    return !out.failed && fdatasync(fd) == 0;
}

static oc_err_t append(const char *path, const oc_revocation_change_t *first,
                       const oc_revocation_change_t *last, struct stat *ret_st, oc_diag_t *diag)
{
    OC_CLEANUP(closep)
    int fd = open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool newline_first = false;
    oc_err_t err;

    if (fd < 0 && errno == ELOOP)
        return oc_file_fail_trust(path, diag);
    if (fd < 0 && errno == EACCES)
        return oc_fail(diag, OC_E_IO, "'%.150s': not writable for user id %u", path,
                       (unsigned)geteuid());
    if (fd < 0 || fstat(fd, ret_st) != 0)
        return fail_errno(path, diag);
    if (!oc_file_trusted(ret_st, geteuid()))
        return oc_file_fail_trust(path, diag);
    err = mend(path, fd, &ret_st->st_size, &newline_first, diag);
    if (err || write_changes(fd, newline_first, first, last))
        return err;
    (void)fail_errno(path, diag);
    /* What got there is written again later: so this is only to save space. */
    (void)!ftruncate(fd, ret_st->st_size);
    return OC_E_IO;
}

oc_err_t oc_revocation_file_append(const char *path, const oc_revocation_change_t *first,
                                   const oc_revocation_change_t *last, oc_diag_t *diag)
{
    for (int i = 0; i < TRIES; i++) {
        struct stat written = {0};
        struct stat now = {0};
        oc_err_t err = append(path, first, last, &written, diag);

        if (err)
            return err;
        /* It may be that an operator has put another file there meanwhile. */
        if (lstat(path, &now) == 0 && same_file(&now, &written))
            return OC_OK;
    }
    return oc_fail(diag, OC_E_IO, "'%.150s': replaced while it was written", path);
}

/* --- Writing anew --- */

static bool write_set(int fd, const oc_revocation_set_t *set)
{
    out_t out = {.fd = fd};
    const oc_revocation_t *revocation;
    uint64_t cursor = 0;

    while ((revocation = oc_revocation_set_next(set, &cursor)) != NULL)
        out_line(&out, revocation, false);
    out_flush(&out);
    return !out.failed && fsync(fd) == 0;
}

/* The new file is made anew each time: a link is not followed, and nobody has it open. */
static oc_err_t write_temporary(const char *path, const char *temporary,
                                const oc_revocation_set_t *set, oc_diag_t *diag)
{
    OC_CLEANUP(closep) int fd = -1;

    (void)unlink(temporary);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0600) != 0 || !write_set(fd, set))
        return oc_fail(diag, OC_E_IO, "'%.150s" SUFFIX "': %s", path, strerror(errno));
    return OC_OK;
}

oc_err_t oc_revocation_file_tidy(const char *path, int64_t now_s, size_t *ret_lines,
                                 oc_diag_t *diag)
{
    OC_CLEANUP(set_freep) oc_revocation_set_t *set = NULL;
    char temporary[PATH_MAX];
    oc_revocation_text_t text;
    struct stat before = {0};
    oc_err_t err;

    if ((size_t)snprintf(temporary, sizeof temporary, "%s" SUFFIX, path) >= sizeof temporary)
        return oc_fail(diag, OC_E_IO, "'%.150s': %s", path, strerror(ENAMETOOLONG));
    if (lstat(path, &before) != 0)
        return fail_errno(path, diag);
    err = oc_revocation_file_load(path, now_s, NULL, &set, &text, diag);
    if (!err)
        err = write_temporary(path, temporary, set, diag);
    if (!err && !unchanged(path, &before))
        err = oc_fail(diag, OC_E_IO, "'%.150s': changed while it was written anew", path);
    if (!err && rename(temporary, path) != 0)
        err = fail_errno(path, diag);
    if (err) {
        (void)unlink(temporary);
        return err;
    }
    *ret_lines = oc_revocation_set_count(set);
    return oc_file_sync_folder(path) ? OC_OK : fail_errno(path, diag);
}

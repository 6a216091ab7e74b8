/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

static void closep(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* O_NONBLOCK: opening a FIFO must not hang the caller. */
static oc_err_t open_file(const char *path, int flags, int *ret_fd, struct stat *ret_st,
                          oc_diag_t *diag)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);

    if (fd < 0 && errno == EACCES)
        return oc_fail(diag, OC_E_IO, "'%s': not readable for user id %u", path,
                       (unsigned)geteuid());
    if (fd < 0 && errno == ELOOP && (flags & O_NOFOLLOW))
        return oc_file_fail_trust(path, diag);
    if (fd < 0)
        return oc_fail(diag, OC_E_IO, "'%s': %s", path, strerror(errno));
    *ret_fd = fd;
    if (fstat(fd, ret_st) != 0)
        return oc_fail(diag, OC_E_IO, "'%s': %s", path, strerror(errno));
    if (S_ISDIR(ret_st->st_mode))
        return oc_fail(diag, OC_E_IO, "'%s' is a directory", path);
    if (!S_ISREG(ret_st->st_mode))
        return oc_fail(diag, OC_E_IO, "'%s' is not a regular file", path);
    return OC_OK;
}

/* Of an open file that had st_size bytes. */
static oc_err_t read_file(const char *path, int fd, const struct stat *st, size_t max_len,
                          unsigned char **ret_bytes, size_t *ret_len, oc_diag_t *diag)
{
    OC_CLEANUP(oc_freep) unsigned char *bytes = NULL;
    size_t len = 0;

    if (st->st_size < 0 || (size_t)st->st_size > max_len)
        return oc_fail(diag, OC_E_IO, "'%s' is longer than %zu bytes", path, max_len);
    bytes = malloc((size_t)st->st_size + 1);
    if (!bytes)
        return oc_fail(diag, OC_E_NOMEM, "out of memory while reading '%s'", path);
    while (len < (size_t)st->st_size) {
        ssize_t got = read(fd, bytes + len, (size_t)st->st_size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return oc_fail(diag, OC_E_IO, "'%s': %s", path, strerror(errno));
        if (got == 0)
            break;
        len += (size_t)got;
    }
    bytes[len] = 0;
    *ret_len = len;
    *ret_bytes = oc_take(bytes);
    return OC_OK;
}

oc_err_t oc_file_read(const char *path, size_t max_len, unsigned char **ret_bytes, size_t *ret_len,
                      oc_diag_t *diag)
{
    OC_CLEANUP(closep) int fd = -1;
    OC_CLEANUP(oc_freep) unsigned char *bytes = NULL;
    struct stat st = {0};
    size_t len = 0;
    oc_err_t err = open_file(path, 0, &fd, &st, diag);

    if (!err)
        err = read_file(path, fd, &st, max_len, &bytes, &len, diag);
    if (err)
        return err;
    if (len == 0)
        return oc_fail(diag, OC_E_IO, "'%s' is empty", path);
    *ret_len = len;
    *ret_bytes = oc_take(bytes);
    return OC_OK;
}

bool oc_file_trusted(const struct stat *file, uid_t owner)
{
    return S_ISREG(file->st_mode) && (file->st_mode & (S_IWGRP | S_IWOTH)) == 0 &&
           (file->st_uid == 0 || file->st_uid == geteuid() || file->st_uid == owner);
}

oc_err_t oc_file_fail_trust(const char *path, oc_diag_t *diag)
{
    return oc_fail(
        diag, OC_E_IO,
        "'%.150s' is not trusted: it must be a file of root's or user id %u's that nobody "
        "else may write",
        path, (unsigned)geteuid());
}

oc_err_t oc_file_read_trusted(const char *path, uid_t owner, size_t max_len,
                              unsigned char **ret_bytes, size_t *ret_len, oc_diag_t *diag)
{
    OC_CLEANUP(closep) int fd = -1;
    struct stat st = {0};
    oc_err_t err = open_file(path, O_NOFOLLOW, &fd, &st, diag);

    if (err)
        return err;
    if (!oc_file_trusted(&st, owner))
        return oc_file_fail_trust(path, diag);
    return read_file(path, fd, &st, max_len, ret_bytes, ret_len, diag);
}

bool oc_file_sync_folder(const char *path)
{
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t len = slash == path ? 1 : (size_t)(slash ? slash - path : 0);
    bool synced;
    int fd;

    if (len >= sizeof folder)
        return false;
    if (len > 0) {
        memcpy(folder, path, len);
        folder[len] = '\0';
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    synced = fsync(fd) == 0;
    (void)close(fd);
    return synced;
}

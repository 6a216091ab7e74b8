/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
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

oc_err_t oc_file_read(const char *path, size_t max_len, unsigned char **ret_bytes, size_t *ret_len,
                      oc_diag_t *diag)
{
    OC_CLEANUP(closep) int fd = -1;
    OC_CLEANUP(oc_freep) unsigned char *bytes = NULL;
    struct stat st;
    size_t len = 0;

    /* O_NONBLOCK: opening a FIFO must not hang the caller. */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == EACCES)
        return oc_fail(diag, OC_E_IO, "'%s': not readable for user id %u", path,
                       (unsigned)geteuid());
    if (fd < 0)
        return oc_fail(diag, OC_E_IO, "'%s': %s", path, strerror(errno));
    if (fstat(fd, &st) != 0)
        return oc_fail(diag, OC_E_IO, "'%s': %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return oc_fail(diag, OC_E_IO, "'%s' is a directory", path);
    if (!S_ISREG(st.st_mode))
        return oc_fail(diag, OC_E_IO, "'%s' is not a regular file", path);
    if (st.st_size == 0)
        return oc_fail(diag, OC_E_IO, "'%s' is empty", path);
    if (st.st_size < 0 || (size_t)st.st_size > max_len)
        return oc_fail(diag, OC_E_IO, "'%s' is longer than %zu bytes", path, max_len);

    bytes = malloc((size_t)st.st_size + 1);
    if (!bytes)
        return oc_fail(diag, OC_E_NOMEM, "out of memory while reading '%s'", path);
    while (len < (size_t)st.st_size) {
        ssize_t got = read(fd, bytes + len, (size_t)st.st_size - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return oc_fail(diag, OC_E_IO, "'%s': %s", path, strerror(errno));
        if (got == 0)
            break;
        len += (size_t)got;
    }
    if (len == 0)
        return oc_fail(diag, OC_E_IO, "'%s' is empty", path);
    bytes[len] = 0;
    *ret_len = len;
    *ret_bytes = oc_take(bytes);
    return OC_OK;
}

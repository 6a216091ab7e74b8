/* SPDX-License-Identifier: MIT */

/* A clock that a test sets forward: preloaded into the broker, it adds the seconds that stand as
 * decimal digits in the file $TEST_CLOCK to what clock_gettime() says of the time of day. And a disk that a test
 * stops: fsync() and fdatasync() wait while the file $TEST_CLOCK.hold exists. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *now)
{
    const char *path = getenv("TEST_CLOCK");
    char digits[24] = "";
    int fd;

    if (syscall(SYS_clock_gettime, id, now) != 0)
        return -1;
    if (!path || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE))
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, digits, sizeof digits - 1) > 0)
            now->tv_sec += atol(digits);
        (void)close(fd);
    }
    return 0;
}

static void wait_for_disk(void)
{
    const char *path = getenv("TEST_CLOCK");
    char hold[4096];

    if (!path)
        return;
    (void)snprintf(hold, sizeof hold, "%s.hold", path);
    while (access(hold, F_OK) == 0)
        (void)usleep(1000);
}

int fsync(int fd)
{
    wait_for_disk();
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    wait_for_disk();
    return (int)syscall(SYS_fdatasync, fd);
}

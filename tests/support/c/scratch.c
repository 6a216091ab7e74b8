/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATHS 16

static char folder[64];

static void die(const char *what)
{
    perror(what);
    abort();
}

void scratch_open(void)
{
    (void)strcpy(folder, "/tmp/orgcast-test-XXXXXX");
    if (!mkdtemp(folder))
        die(folder);
}

void scratch_close(void)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        const char *path = scratch_path(entry->d_name);

        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            remove(path) != 0)
            die(path);
    }
    if (!dir || closedir(dir) != 0 || rmdir(folder) != 0)
        die(folder);
}

const char *scratch_path(const char *name)
{
    static char paths[PATHS][512];
    static unsigned next;
    char *path = paths[next++ % PATHS];

    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *scratch_file(const char *name, const void *bytes, size_t len)
{
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
        die(path);
    return path;
}

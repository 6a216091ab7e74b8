/* SPDX-License-Identifier: MIT */
#ifndef SCRATCH_H
#define SCRATCH_H

/* Files for a test, in one new folder that goes away with scratch_close(). One at a time; a failure in
 * here ends the program. */

#include <stddef.h>

void scratch_open(void);
void scratch_close(void);

/* The path of a name in the folder, existing or not. Of the last 16 calls, the results are valid. */
const char *scratch_path(const char *name);
/* Write a file; its path, as above. */
const char *scratch_file(const char *name, const void *bytes, size_t len);

#endif

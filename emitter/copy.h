/* SPDX-License-Identifier: MIT */
#ifndef OC_COPY_H
#define OC_COPY_H

#include <stdbool.h>
#include <string.h>

/* A copy of text, or of fallback when text is NULL; NULL when both are. Clears *ok when memory ran
 * out, so that a row of copies is checked once. */
static inline char *oc_copy(const char *text, const char *fallback, bool *ok)
{
    const char *chosen = text ? text : fallback;
    char *copied = chosen ? strdup(chosen) : NULL;

    if (chosen && !copied)
        *ok = false;
    return copied;
}

#endif

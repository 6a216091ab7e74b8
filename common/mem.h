/* SPDX-License-Identifier: MIT */
#ifndef OC_MEM_H
#define OC_MEM_H

#include <stdlib.h>

/* OC_CLEANUP(oc_freep) char *s = NULL; frees s at the end of its scope. */
static inline void oc_freep(void *pointer_to_pointer)
{
    void **p = pointer_to_pointer;
    free(*p);
    *p = NULL;
}

/* Move a pointer out of a variable with a cleanup attribute. */
#define oc_take(variable)                                                                          \
    __extension__({                                                                                \
        __typeof__(variable) oc_taken_ = (variable);                                               \
        (variable) = NULL;                                                                         \
        oc_taken_;                                                                                 \
    })

#endif

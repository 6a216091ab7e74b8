/* SPDX-License-Identifier: MIT */
#ifndef OC_OPTION_TABLE_H
#define OC_OPTION_TABLE_H

/* The table of options: for each its name, its default, what the reference says of it, and the function
 * that checks a value and stores it. */

#include "options.h"

typedef struct oc_option_row oc_option_row_t;

/* Takes one value of an option. On error, diag holds the cause without the option's name. */
typedef oc_err_t (*oc_option_setter_t)(oc_config_t *config, const oc_option_row_t *row,
                                       const char *value, oc_diag_t *diag);

struct oc_option_row {
    const char *name;
    bool repeatable;
    const char *default_value; /* set before the given options; NULL: none */
    const char *default_text;  /* for the reference, where it differs */
    const char *meaning;
    oc_option_setter_t set;
    size_t offset; /* of the field that set writes */
    int64_t least; /* for numbers */
    int64_t most;
    const char *units;
};

extern const oc_option_row_t oc_option_rows[];
extern const size_t oc_option_count;

/* How many rows there are, for arrays; a test compares it with the table. */
#define OC_OPTIONS_MAX 64

/* err with "plugin_opt_NAME: cause" in diag. */
oc_err_t oc_option_fail(const char *name, oc_err_t err, const oc_diag_t *cause, oc_diag_t *diag);

#endif

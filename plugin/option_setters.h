/* SPDX-License-Identifier: MIT */
#ifndef OC_OPTION_SETTERS_H
#define OC_OPTION_SETTERS_H

/* What the table's rows do with a value: each checks it and stores it in the field of its row, or adds it to the list
 * there. All are an oc_option_setter_t. */

#include "option_table.h"

oc_err_t oc_option_set_string(oc_config_t *config, const oc_option_row_t *row, const char *value,
                              oc_diag_t *diag);
oc_err_t oc_option_set_path(oc_config_t *config, const oc_option_row_t *row, const char *value,
                            oc_diag_t *diag);
oc_err_t oc_option_add_string(oc_config_t *config, const oc_option_row_t *row, const char *value,
                              oc_diag_t *diag);
oc_err_t oc_option_set_pointer(oc_config_t *config, const oc_option_row_t *row, const char *value,
                               oc_diag_t *diag);
oc_err_t oc_option_set_scope(oc_config_t *config, const oc_option_row_t *row, const char *value,
                             oc_diag_t *diag);
oc_err_t oc_option_set_number(oc_config_t *config, const oc_option_row_t *row, const char *value,
                              oc_diag_t *diag);
oc_err_t oc_option_set_event_policy(oc_config_t *config, const oc_option_row_t *row,
                                    const char *value, oc_diag_t *diag);
oc_err_t oc_option_set_allow(oc_config_t *config, const oc_option_row_t *row, const char *value,
                             oc_diag_t *diag);
oc_err_t oc_option_set_defer(oc_config_t *config, const oc_option_row_t *row, const char *value,
                             oc_diag_t *diag);
oc_err_t oc_option_set_boolean(oc_config_t *config, const oc_option_row_t *row, const char *value,
                               oc_diag_t *diag);
oc_err_t oc_option_set_algorithms(oc_config_t *config, const oc_option_row_t *row,
                                  const char *value, oc_diag_t *diag);
oc_err_t oc_option_add_template(oc_config_t *config, const oc_option_row_t *row, const char *value,
                                oc_diag_t *diag);
oc_err_t oc_option_add_public_key_file(oc_config_t *config, const oc_option_row_t *row,
                                       const char *value, oc_diag_t *diag);
oc_err_t oc_option_add_url(oc_config_t *config, const oc_option_row_t *row, const char *value,
                           oc_diag_t *diag);
oc_err_t oc_option_set_address(oc_config_t *config, const oc_option_row_t *row, const char *value,
                               oc_diag_t *diag);

/* The string that the row's option owns in config; NULL when it owns none. */
char **oc_option_text(oc_config_t *config, const oc_option_row_t *row);

/* The '=' of KID=PATH; NULL for a PATH, which may hold one too if it is absolute. */
const char *oc_option_key_id_end(const char *value);

#endif

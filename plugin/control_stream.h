/* SPDX-License-Identifier: MIT */
#ifndef OC_CONTROL_STREAM_H
#define OC_CONTROL_STREAM_H

/* What an organization's subscribers ask of its events' numbers. */

#include "control_admin.h"

oc_err_t oc_control_position(oc_control_call_t *call, oc_diag_t *diag);
oc_err_t oc_control_replay(oc_control_call_t *call, oc_diag_t *diag);

#endif

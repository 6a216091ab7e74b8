/* SPDX-License-Identifier: MIT */
#ifndef OC_CONTROL_ADMIN_H
#define OC_CONTROL_ADMIN_H

/* The administrative commands. */

#include "control.h"

/* A command while it is carried out. */
typedef struct oc_control_call {
    oc_gate_t *gate;
    const oc_control_asker_t *asker;
    const oc_control_broker_t *broker;
    const json_t *request; /* the command's object */
    int64_t now_s;
    json_t *data; /* the answer's object, to be filled */
    uint64_t ticket;
    const char *told; /* what the client reads instead of diag, which is for the log; NULL: diag */
    size_t cost; /* of the events that were sent */
} oc_control_call_t;

/* On error, diag says what is wrong. OC_E_NOMEM when data could not be filled. */
typedef oc_err_t (*oc_control_command_t)(oc_control_call_t *call, oc_diag_t *diag);

oc_err_t oc_control_list_sessions(oc_control_call_t *call, oc_diag_t *diag);
oc_err_t oc_control_kick(oc_control_call_t *call, oc_diag_t *diag);
oc_err_t oc_control_revoke(oc_control_call_t *call, oc_diag_t *diag);
oc_err_t oc_control_unrevoke(oc_control_call_t *call, oc_diag_t *diag);
oc_err_t oc_control_list_revocations(oc_control_call_t *call, oc_diag_t *diag);
oc_err_t oc_control_stats(oc_control_call_t *call, oc_diag_t *diag);

/* {clientId, subject, organizations, scopes, expiresAt}: what whoami and listSessions tell of a session that
 * has an identity. False when out of memory. */
bool oc_control_describe(const oc_gate_t *gate, const oc_session_t *session, json_t *object);

#endif

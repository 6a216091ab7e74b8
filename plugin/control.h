/* SPDX-License-Identifier: MIT */
#ifndef OC_CONTROL_H
#define OC_CONTROL_H

/* The commands of $CONTROL/orgcast/v1: a request from a client → the answer for that client. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "gate.h"

#define OC_CONTROL_REQUEST_MAX 65536 /* bytes */
#define OC_CONTROL_COMMANDS_MAX 64   /* in one request */
#define OC_CONTROL_VALUES_MAX 4096   /* JSON values in a request, as oc_json_small() counts them */
#define OC_CONTROL_CORRELATION_MAX 256
/* Once the commands of a request and their answers have cost this many bytes, further ones are refused. */
#define OC_CONTROL_ANSWER_MAX 262144
#define OC_CONTROL_PAGE_MAX 1000 /* rows of a listing in one answer */

/* One replay gives so many events and bytes, but always one event; the broker drops what a client has not
 * fetched beyond max_queued_messages (1000) packets. Then the client asks for the next ones. */
#define OC_CONTROL_REPLAY_EVENTS_MAX 512
#define OC_CONTROL_REPLAY_BYTES_MAX 1048576

/* Bytes a second that all clients are given by replays, and how much of it can be one organization's. */
#define OC_CONTROL_REPLAY_BYTES_PER_S 67108864
#define OC_CONTROL_REPLAY_ORG_BYTES_PER_S 16777216

/* Who asks. Borrowed. */
typedef struct oc_control_asker {
    oc_session_t *session; /* NULL: the client has none */
    const char *client_id;
    const char *address; /* may be NULL */
} oc_control_asker_t;

/* What one command came to, for the audit log. Borrowed during the call. */
typedef struct oc_control_outcome {
    const char *command; /* its name; "" when it has none that is known */
    oc_err_t err;
    const char *detail; /* whom it is about, or what is wrong */
} oc_control_outcome_t;

typedef void (*oc_control_report_t)(void *context, const oc_control_outcome_t *outcome);

/* What the commands need of the broker. */
typedef struct oc_control_broker {
    oc_control_report_t report; /* called for each command */
    bool has_ticks;             /* at which connections that are to end do */
    oc_stream_fn send; /* an event for the asker, to arrive before the answer; false: no memory */
    void *context;     /* of both */
} oc_control_broker_t;

typedef struct oc_control_answer {
    char *text; /* JSON, malloc'd for the caller */
    /* When something has to be on disk before it is done: the ticket of oc_revocations_settled(), and the
     * answer for when the disk refuses it, malloc'd too. 0 and NULL otherwise. */
    uint64_t ticket;
    char *failed_text;
} oc_control_answer_t;

/* Carry out a request. The answer says what is wrong with it.
 * Errors: OC_E_NOMEM: some of the commands may have run. OC_E_LIMIT_RATE: none ran, and there is no answer,
 * because the connection went on asking after an answer with that code.
 * payload: borrowed, any bytes */
OC_MUST_CHECK oc_err_t oc_control_handle(oc_gate_t *gate, const oc_control_asker_t *asker,
                                         const char *payload, size_t len, int64_t now_s,
                                         const oc_control_broker_t *broker,
                                         oc_control_answer_t *ret_answer);

#endif

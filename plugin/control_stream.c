/* SPDX-License-Identifier: MIT */
#include "control_stream.h"

#include <stdlib.h>
#include <string.h>

#include "ids.h"

/* --- What a request says --- */

/* The organization, when the asker may subscribe to its events. */
static oc_err_t get_org(const oc_control_call_t *call, oc_slice_t *ret_org, oc_diag_t *diag)
{
    const json_t *value = json_object_get(call->request, "organizationId");
    const oc_identity_t *identity = oc_session_identity(call->asker->session);
    oc_slice_t org = {json_string_value(value), json_string_length(value)};

    if (!json_is_string(value) || !oc_org_id_valid(org.start, org.len))
        return oc_fail(diag, OC_E_REQUEST_INVALID,
                       "organizationId is missing, or is not an organization's id");
    if (!identity->any_org && !oc_identity_has_org(identity, org.start, org.len))
        return oc_fail(diag, OC_E_TOPIC_NOT_ALLOWED, "the organization is not the token's");
    if (!identity->may_subscribe)
        return oc_fail(diag, OC_E_SCOPE_MISSING, "the token may not subscribe");
    if (!call->gate->config->stamp_sequence)
        return oc_fail(diag, OC_E_REQUEST_INVALID,
                       "events have no numbers here: plugin_opt_stamp_sequence is false");
    *ret_org = org;
    return OC_OK;
}

/* An epoch is nobody's to read: it is this one or it is not. */
static oc_err_t get_epoch(const oc_control_call_t *call, uint64_t now, uint64_t *ret_epoch,
                          oc_diag_t *diag)
{
    const json_t *value = json_object_get(call->request, "epoch");
    char text[OC_STAMP_EPOCH_LEN + 1];

    if (!json_is_string(value))
        return oc_fail(diag, OC_E_REQUEST_INVALID, "epoch is missing, or is not a string");
    oc_stamp_epoch(now, text);
    *ret_epoch = strcmp(text, json_string_value(value)) == 0 ? now : now + 1;
    return OC_OK;
}

static oc_err_t get_after(const oc_control_call_t *call, uint64_t *ret_after, oc_diag_t *diag)
{
    const json_t *value = json_object_get(call->request, "after");
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);

    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *ret_after = (uint64_t)json_integer_value(value);
        return OC_OK;
    }
    if (!text || len == 0 || len > OC_STAMP_SEQUENCE_LEN || strspn(text, "0123456789") != len)
        return oc_fail(diag, OC_E_REQUEST_INVALID, "after is missing, or is not a sequence");
    /* Beyond the last number that there can be: far ahead of the stream. */
    *ret_after = strtoull(text, NULL, 10);
    return OC_OK;
}

/* --- What it may ask for --- */

/* Of an account so much is left for the answers to other commands: more than one replay takes, but for one of huge
 * events. */
#define REPLAY_RESERVE (OC_CONTROL_REPLAY_BYTES_MAX + 1048576)

static const oc_bucket_rate_t broker_rate = {.burst = OC_CONTROL_REPLAY_BYTES_PER_S,
                                             .per_second = OC_CONTROL_REPLAY_BYTES_PER_S};
static const oc_bucket_rate_t org_rate = {.burst = OC_CONTROL_REPLAY_ORG_BYTES_PER_S,
                                          .per_second = OC_CONTROL_REPLAY_ORG_BYTES_PER_S};

static oc_err_t check_rate(oc_control_call_t *call, oc_slice_t org, oc_diag_t *diag)
{
    oc_shared_t *shared = call->gate->shared;
    const oc_bucket_t *account = oc_stream_account(shared->stream, org);
    uint64_t now_ms = oc_gate_answer_clock(call->gate, call->now_s);

    if (oc_gate_answers_left(call->gate, call->asker->session, call->now_s) < REPLAY_RESERVE)
        return oc_fail(diag, OC_E_LIMIT_RATE,
                       "this connection was sent much just now; ask again in a second");
    if (oc_bucket_empty(&shared->replays, broker_rate, now_ms))
        return oc_fail(diag, OC_E_LIMIT_RATE,
                       "the broker replays much just now; ask again in a second");
    if (account && oc_bucket_empty(account, org_rate, now_ms))
        return oc_fail(diag, OC_E_LIMIT_RATE,
                       "much of the organization is replayed just now; ask again in a second");
    return OC_OK;
}

typedef struct giving {
    oc_control_call_t *call;
    const oc_identity_t *identity;
    oc_bucket_t *account; /* the organization's */
    uint64_t now_ms;
    json_int_t count;
} giving_t;

/* Only what the asker would be delivered now. */
static bool give(void *context, const char *topic, const char *payload, size_t len)
{
    giving_t *giving = context;
    oc_control_call_t *call = giving->call;
    size_t bytes = strlen(topic) + len;

    if (oc_acl_deliver(&call->gate->config->acl_rules, giving->identity, topic, call->now_s))
        return true;
    giving->count++;
    /* An event is smaller than 256 MiB. */
    oc_bucket_spend(&call->gate->shared->replays, broker_rate, giving->now_ms, (uint32_t)bytes);
    oc_bucket_spend(giving->account, org_rate, giving->now_ms, (uint32_t)bytes);
    call->cost += bytes + OC_GATE_ANSWER_OVERHEAD;
    return call->broker->send(call->broker->context, topic, payload, len);
}

/* --- What it is told --- */

static oc_err_t put_position(const oc_control_call_t *call, oc_stamp_t position, oc_diag_t *diag)
{
    char epoch[OC_STAMP_EPOCH_LEN + 1];
    char sequence[OC_STAMP_SEQUENCE_LEN + 1];

    oc_stamp_epoch(position.epoch, epoch);
    oc_stamp_sequence(position.sequence, sequence);
    if (json_object_set_new(call->data, "epoch", json_string(epoch)) != 0 ||
        json_object_set_new(call->data, "sequence", json_string(sequence)) != 0)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    return OC_OK;
}

static oc_err_t put_part(const oc_control_call_t *call, const oc_stream_part_t *part,
                         json_int_t count, oc_diag_t *diag)
{
    if (json_object_set_new(call->data, "recovered", json_boolean(part->recovered)) != 0 ||
        (part->recovered &&
         (json_object_set_new(call->data, "replayed", json_integer(count)) != 0 ||
          json_object_set_new(call->data, "more", json_boolean(part->more)) != 0)))
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    return put_position(call, part->position, diag);
}

oc_err_t oc_control_position(oc_control_call_t *call, oc_diag_t *diag)
{
    oc_slice_t org = {0};
    oc_err_t err = get_org(call, &org, diag);

    if (err)
        return err;
    return put_position(call, oc_stream_position(call->gate->shared->stream, org), diag);
}

oc_err_t oc_control_replay(oc_control_call_t *call, oc_diag_t *diag)
{
    oc_shared_t *shared = call->gate->shared;
    giving_t giving = {.call = call, .identity = oc_session_identity(call->asker->session)};
    oc_stream_gap_t gap = {.most = OC_CONTROL_REPLAY_EVENTS_MAX,
                           .max_bytes = OC_CONTROL_REPLAY_BYTES_MAX};
    oc_stream_part_t part;
    oc_err_t err = get_org(call, &gap.org, diag);

    if (!err)
        err = get_epoch(call, oc_stream_position(shared->stream, gap.org).epoch, &gap.epoch, diag);
    if (!err)
        err = get_after(call, &gap.after, diag);
    if (!err)
        err = check_rate(call, gap.org, diag);
    if (err)
        return err;
    giving.account = oc_stream_account(shared->stream, gap.org);
    giving.now_ms = oc_gate_answer_clock(call->gate, call->now_s);
    if (oc_stream_replay(shared->stream, &gap, give, &giving, &part) != OC_OK)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    if (part.recovered)
        shared->metrics.replays_recovered++;
    else
        shared->metrics.replays_not_recovered++;
    return put_part(call, &part, giving.count, diag);
}

/* SPDX-License-Identifier: MIT */
#include "control_admin.h"

#include <math.h>
#include <string.h>

#include "ids.h"

/* Moments further away than that are mistakes. */
#define MOMENT_MAX 9007199254740991.0

static oc_err_t nomem(oc_diag_t *diag)
{
    return oc_fail(diag, OC_E_NOMEM, "out of memory");
}

/* For the audit log: whom a command that was carried out is about. */
static void note_whom(oc_diag_t *diag, const char *kind, const char *name)
{
    (void)oc_fail(diag, OC_OK, "%s %.200s", kind, name);
}

/* --- What a request says --- */

/* A member that may be missing: a string that is not empty. */
static oc_err_t get_text(const oc_control_call_t *call, const char *name, const char **ret_text,
                         oc_diag_t *diag)
{
    const json_t *value = json_object_get(call->request, name);

    if (value && (!json_is_string(value) || json_string_length(value) == 0))
        return oc_fail(diag, OC_E_REQUEST_INVALID, "%s is not a string, or is empty", name);
    *ret_text = json_string_value(value);
    return OC_OK;
}

/* A member that may be missing: a count from least to most. */
static oc_err_t get_count(const oc_control_call_t *call, const char *name, json_int_t least,
                          json_int_t most, size_t *count, oc_diag_t *diag)
{
    const json_t *value = json_object_get(call->request, name);

    if (!value)
        return OC_OK;
    if (!json_is_integer(value) || json_integer_value(value) < least ||
        json_integer_value(value) > most)
        return oc_fail(diag, OC_E_REQUEST_INVALID, "%s is not a number from %lld to %lld", name,
                       (long long)least, (long long)most);
    *count = (size_t)json_integer_value(value);
    return OC_OK;
}

/* A member that may be missing: seconds since 1970. */
static oc_err_t get_moment(const oc_control_call_t *call, const char *name, bool *ret_given,
                           int64_t *moment_s, oc_diag_t *diag)
{
    const json_t *value = json_object_get(call->request, name);
    double seconds = json_number_value(value);

    *ret_given = value != NULL;
    if (!value)
        return OC_OK;
    if (!json_is_number(value) || !(fabs(seconds) <= MOMENT_MAX))
        return oc_fail(diag, OC_E_REQUEST_INVALID, "%s is not a number of seconds since 1970",
                       name);
    /* A token issued within that second was issued before its end. */
    *moment_s = (int64_t)ceil(seconds);
    return OC_OK;
}

/* Which rows of a listing are wanted. */
typedef struct page {
    size_t offset;
    size_t count;
    size_t total; /* rows there are, counted as they pass */
} page_t;

static oc_err_t get_page(const oc_control_call_t *call, page_t *ret_page, oc_diag_t *diag)
{
    oc_err_t err;

    *ret_page = (page_t){.count = OC_CONTROL_PAGE_MAX};
    err = get_count(call, "count", 1, OC_CONTROL_PAGE_MAX, &ret_page->count, diag);
    return err ? err : get_count(call, "offset", 0, INT32_MAX, &ret_page->offset, diag);
}

static bool on_page(page_t *page)
{
    size_t row = page->total++;

    return row >= page->offset && row - page->offset < page->count;
}

/* --- Sessions --- */

static json_t *strings_of(const char *text)
{
    json_t *list = json_array();

    while (list && *text) {
        size_t len = strcspn(text, " ");

        if (len > 0 && json_array_append_new(list, json_stringn(text, len)) != 0) {
            json_decref(list);
            return NULL;
        }
        text += len + strspn(text + len, " ");
    }
    return list;
}

static json_t *organizations_of(const oc_identity_t *identity)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < identity->org_count; i++) {
        const oc_org_t *org = &identity->orgs[i];

        if (json_array_append_new(list, json_stringn(org->id, org->len)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

bool oc_control_describe(const oc_gate_t *gate, const oc_session_t *session, json_t *object)
{
    const oc_identity_t *identity = oc_session_identity(session);

    /* The client id is the client's choice, and the broker checked that it is UTF-8. */
    return json_object_set_new(object, "clientId", json_string(oc_session_client_id(session))) ==
               0 &&
           json_object_set_new(object, "subject", json_string(identity->subject)) == 0 &&
           json_object_set_new(object, "organizations", organizations_of(identity)) == 0 &&
           json_object_set_new(object, "scopes", strings_of(oc_identity_scopes(identity))) == 0 &&
           json_object_set_new(
               object, "expiresAt",
               json_integer(identity->deadline_s - gate->config->claim_rules.leeway_s)) == 0;
}

/* Which sessions a command means; NULL: whatever it is. */
typedef struct selection {
    const char *client_id;
    const char *subject;
    const char *organization;
} selection_t;

static bool selected(const selection_t *selection, const oc_session_t *session)
{
    const oc_identity_t *identity = oc_session_identity(session);

    if (!identity)
        return false;
    if (selection->client_id && strcmp(selection->client_id, oc_session_client_id(session)) != 0)
        return false;
    if (selection->subject && strcmp(selection->subject, identity->subject) != 0)
        return false;
    return !selection->organization ||
           oc_identity_has_org(identity, selection->organization, strlen(selection->organization));
}

static bool add_session_row(const oc_control_call_t *call, const oc_session_t *session,
                            json_t *rows)
{
    json_t *row = json_object();

    return row && json_array_append_new(rows, row) == 0 &&
           oc_control_describe(call->gate, session, row) &&
           json_object_set_new(row, "connected", json_boolean(oc_session_connected(session))) == 0;
}

oc_err_t oc_control_list_sessions(oc_control_call_t *call, oc_diag_t *diag)
{
    const oc_sessions_t *sessions = call->gate->shared->sessions;
    json_t *rows = json_array();
    selection_t selection = {0};
    size_t cursor = 0;
    const oc_session_t *session;
    page_t page;
    oc_err_t err;

    if (json_object_set_new(call->data, "sessions", rows) != 0)
        return nomem(diag);
    if ((err = get_text(call, "subject", &selection.subject, diag)) ||
        (err = get_text(call, "organizationId", &selection.organization, diag)) ||
        (err = get_page(call, &page, diag)))
        return err;
    while ((session = oc_sessions_next(sessions, &cursor)) != NULL) {
        if ((oc_session_connected(session) || oc_session_offline(session)) &&
            selected(&selection, session) && on_page(&page) &&
            !add_session_row(call, session, rows))
            return nomem(diag);
    }
    if (json_object_set_new(call->data, "totalCount", json_integer((json_int_t)page.total)) != 0)
        return nomem(diag);
    return OC_OK;
}

oc_err_t oc_control_kick(oc_control_call_t *call, oc_diag_t *diag)
{
    oc_sessions_t *sessions = call->gate->shared->sessions;
    selection_t selection = {0};
    size_t cursor = 0;
    json_int_t kicked = 0;
    oc_session_t *session;
    oc_err_t err;

    if ((err = get_text(call, "clientId", &selection.client_id, diag)) ||
        (err = get_text(call, "subject", &selection.subject, diag)) ||
        (err = get_text(call, "organizationId", &selection.organization, diag)))
        return err;
    if (!call->broker->has_ticks)
        return oc_fail(diag, OC_E_REQUEST_INVALID,
                       "a broker without ticks (Mosquitto 2.0 with per_listener_settings) ends no "
                       "connections; revoke silences them");
    if (!selection.client_id + !selection.subject + !selection.organization != 2)
        return oc_fail(diag, OC_E_REQUEST_INVALID,
                       "kick needs one of clientId, subject and organizationId");
    while ((session = oc_sessions_next(sessions, &cursor)) != NULL) {
        if (!oc_session_connected(session) || !selected(&selection, session))
            continue;
        oc_sessions_kick(sessions, session);
        kicked++;
    }
    if (json_object_set_new(call->data, "kicked", json_integer(kicked)) != 0)
        return nomem(diag);
    if (selection.client_id)
        note_whom(diag, "clientId", selection.client_id);
    else if (selection.subject)
        note_whom(diag, "subject", selection.subject);
    else
        note_whom(diag, "organizationId", selection.organization);
    return OC_OK;
}

/* --- Revocations --- */

/* Indexed by oc_revocation_kind_t. */
static const char *const kind_names[] = {
    [OC_REVOKE_JTI] = "jti",
    [OC_REVOKE_SUBJECT] = "subject",
    [OC_REVOKE_ORG] = "organizationId",
};

/* Which tokens a command means: one of the three. */
static oc_err_t get_name(const oc_control_call_t *call, oc_revocation_t *revocation,
                         oc_diag_t *diag)
{
    int given = 0;

    for (int kind = 0; kind < OC_REVOCATION_KINDS; kind++) {
        const char *name = NULL;
        oc_err_t err = get_text(call, kind_names[kind], &name, diag);

        if (err)
            return err;
        if (!name)
            continue;
        given++;
        revocation->kind = (oc_revocation_kind_t)kind;
        revocation->name = name;
    }
    if (given != 1)
        return oc_fail(diag, OC_E_REQUEST_INVALID, "needs one of jti, subject and organizationId");
    return OC_OK;
}

/* A jti is one token's (RFC 7519 §4.1.7): if a session has it, the token's end is known. */
static bool seen_deadline(const oc_control_call_t *call, const char *jti, int64_t *ret_deadline_s)
{
    size_t cursor = 0;
    bool seen = false;
    const oc_session_t *session;

    while ((session = oc_sessions_next(call->gate->shared->sessions, &cursor)) != NULL) {
        const oc_identity_t *identity = oc_session_identity(session);
        const char *its = identity ? oc_identity_jti(identity) : NULL;

        if (!its || strcmp(its, jti) != 0 || (seen && identity->deadline_s <= *ret_deadline_s))
            continue;
        *ret_deadline_s = identity->deadline_s;
        seen = true;
    }
    return seen;
}

/* When no token that it names can be good any more, as far as that can be known. */
static int64_t forget_s(const oc_control_call_t *call, const oc_revocation_t *revocation)
{
    const oc_claim_rules_t *rules = &call->gate->config->claim_rules;
    bool is_jti = revocation->kind == OC_REVOKE_JTI;
    int64_t issued_s = is_jti ? call->now_s + rules->leeway_s : revocation->issued_before_s;
    int64_t deadline_s;

    if (is_jti && revocation->name && seen_deadline(call, revocation->name, &deadline_s))
        return deadline_s;
    return rules->max_lifetime_s > 0 ? issued_s + rules->max_lifetime_s + rules->leeway_s
                                     : INT64_MAX;
}

static oc_err_t read_revocation(const oc_control_call_t *call, oc_revocation_t *ret,
                                oc_diag_t *diag)
{
    bool before_given, expiry_given;
    int64_t expires_s = 0;
    oc_err_t err;

    *ret = (oc_revocation_t){.revoked_s = call->now_s};
    if ((err = get_name(call, ret, diag)) ||
        (err = get_moment(call, "issuedBefore", &before_given, &ret->issued_before_s, diag)) ||
        (err = get_moment(call, "expiresAt", &expiry_given, &expires_s, diag)))
        return err;
    if (before_given != (ret->kind != OC_REVOKE_JTI))
        return oc_fail(diag, OC_E_REQUEST_INVALID,
                       before_given ? "issuedBefore does not go with jti"
                                    : "issuedBefore is missing: seconds since 1970; now is %lld",
                       (long long)call->now_s);
    ret->forget_s =
        expiry_given ? expires_s + call->gate->config->claim_rules.leeway_s : forget_s(call, ret);
    if (ret->forget_s <= call->now_s)
        return oc_fail(diag, OC_E_REQUEST_INVALID, "no token that it names can still be valid");
    return OC_OK;
}

oc_err_t oc_control_revoke(oc_control_call_t *call, oc_diag_t *diag)
{
    oc_revocation_t revocation;
    json_int_t revoked;
    oc_err_t err = read_revocation(call, &revocation, diag);

    if (!err)
        err = oc_revocations_add(call->gate->shared->revocations, &revocation, &call->ticket, diag);
    if (err)
        return err;
    revoked = (json_int_t)oc_gate_apply_revocations(call->gate);
    if (json_object_set_new(call->data, "sessions", json_integer(revoked)) != 0)
        return nomem(diag);
    note_whom(diag, kind_names[revocation.kind], revocation.name);
    return OC_OK;
}

oc_err_t oc_control_unrevoke(oc_control_call_t *call, oc_diag_t *diag)
{
    oc_revocation_t revocation = {0};
    oc_err_t err = get_name(call, &revocation, diag);

    if (!err)
        err = oc_revocations_remove(call->gate->shared->revocations, revocation.kind,
                                    revocation.name, &call->ticket, diag);
    if (!err)
        note_whom(diag, kind_names[revocation.kind], revocation.name);
    return err;
}

static bool add_revocation_row(const oc_revocation_t *revocation, json_t *rows)
{
    json_t *row = json_object();

    if (!row || json_array_append_new(rows, row) != 0 ||
        json_object_set_new(row, kind_names[revocation->kind], json_string(revocation->name)) !=
            0 ||
        json_object_set_new(row, "revokedAt", json_integer(revocation->revoked_s)) != 0)
        return false;
    if (revocation->kind != OC_REVOKE_JTI &&
        json_object_set_new(row, "issuedBefore", json_integer(revocation->issued_before_s)) != 0)
        return false;
    return revocation->forget_s == INT64_MAX ||
           json_object_set_new(row, "forgottenAt", json_integer(revocation->forget_s)) == 0;
}

oc_err_t oc_control_list_revocations(oc_control_call_t *call, oc_diag_t *diag)
{
    const oc_revocations_t *revocations = call->gate->shared->revocations;
    json_t *rows = json_array();
    const oc_revocation_t *revocation;
    uint64_t cursor = 0;
    page_t page;
    oc_err_t err;

    if (json_object_set_new(call->data, "revocations", rows) != 0)
        return nomem(diag);
    err = get_page(call, &page, diag);
    if (err)
        return err;
    while ((revocation = oc_revocations_next(revocations, &cursor)) != NULL) {
        if (on_page(&page) && !add_revocation_row(revocation, rows))
            return nomem(diag);
    }
    if (json_object_set_new(call->data, "totalCount", json_integer((json_int_t)page.total)) != 0)
        return nomem(diag);
    return OC_OK;
}

/* --- Numbers --- */

oc_err_t oc_control_stats(oc_control_call_t *call, oc_diag_t *diag)
{
    oc_shared_t *shared = call->gate->shared;
    oc_shared_orgs_t source = {.limits = shared->limits, .most = OC_CONTROL_PAGE_MAX};
    const oc_metrics_orgs_t orgs = {oc_shared_each_org, &source};
    json_t *numbers;
    oc_err_t err = get_text(call, "organizationId", &source.only, diag);
    int failed;

    if (err)
        return err;
    oc_gate_measure(call->gate, call->now_s);
    numbers = oc_metrics_to_json(&shared->metrics, &orgs);
    failed = numbers ? json_object_update(call->data, numbers) : -1;
    json_decref(numbers);
    return failed ? nomem(diag) : OC_OK;
}

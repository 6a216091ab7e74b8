/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ids.h"
#include "json.h"
#include "mem.h"
#include "utf8.h"

/* The last second of the year 9999. A later time is milliseconds: those after 1978 are above it. */
#define NUMERIC_DATE_MAX 253402300799.0
/* A double is exact down to here. */
#define NUMERIC_DATE_MIN (-9007199254740991.0)

/* RFC 7519 §2, NumericDate: a JSON number of seconds; a fraction is cut off. */
static oc_err_t numeric_date(json_t *claims, const char *name, bool required, bool *ret_present,
                             int64_t *ret_s, oc_diag_t *diag)
{
    const json_t *value = json_object_get(claims, name);
    double seconds;

    *ret_present = value != NULL;
    if (!value)
        return required ? oc_fail(diag, OC_E_CLAIM_MISSING, "the token has no %s", name) : OC_OK;
    if (!json_is_number(value))
        return oc_fail(diag, OC_E_CLAIM_INVALID, "%s is not a number", name);
    seconds = floor(json_number_value(value));
    if (seconds > NUMERIC_DATE_MAX)
        return oc_fail(diag, OC_E_CLAIM_INVALID,
                       "%s is after the year 9999; it looks like milliseconds, but must be seconds",
                       name);
    if (seconds < NUMERIC_DATE_MIN)
        return oc_fail(diag, OC_E_CLAIM_INVALID, "%s is out of range", name);
    *ret_s = (int64_t)seconds;
    return OC_OK;
}

typedef struct times {
    int64_t deadline_s;
    int64_t valid_from_s;
    int64_t issued_s;
} times_t;

static oc_err_t check_now(const times_t *times, int64_t now_s, oc_diag_t *diag)
{
    if (now_s >= times->deadline_s)
        return oc_fail(diag, OC_E_TOKEN_EXPIRED, "expired, and the leeway passed %lld s ago",
                       (long long)(now_s - times->deadline_s));
    if (now_s < times->valid_from_s)
        return oc_fail(diag, OC_E_TOKEN_NOT_YET_VALID, "valid in %lld s",
                       (long long)(times->valid_from_s - now_s));
    return OC_OK;
}

static oc_err_t check_times(const oc_claim_rules_t *rules, json_t *claims, int64_t now_s,
                            times_t *ret_times, oc_diag_t *diag)
{
    int64_t exp_s = 0;
    int64_t nbf_s = 0;
    int64_t iat_s = 0;
    bool has_exp;
    bool has_iat;
    bool has_nbf;
    oc_err_t err;

    if ((err = numeric_date(claims, "exp", true, &has_exp, &exp_s, diag)) ||
        (err = numeric_date(claims, "iat", rules->max_lifetime_s > 0, &has_iat, &iat_s, diag)) ||
        (err = numeric_date(claims, "nbf", false, &has_nbf, &nbf_s, diag)))
        return err;
    if (rules->max_lifetime_s > 0 && exp_s - iat_s > rules->max_lifetime_s)
        return oc_fail(diag, OC_E_TOKEN_LIFETIME, "lives %lld s; jwt_max_lifetime is %lld s",
                       (long long)(exp_s - iat_s), (long long)rules->max_lifetime_s);
    *ret_times = (times_t){
        .deadline_s = exp_s + rules->leeway_s,
        .valid_from_s = has_nbf ? nbf_s - rules->leeway_s : INT64_MIN,
        .issued_s = has_iat ? iat_s : INT64_MIN,
    };
    return check_now(ret_times, now_s, diag);
}

static bool in_list(const json_t *value, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(json_string_value(value), list[i]) == 0)
            return true;
    }
    return false;
}

static oc_err_t check_issuer(const oc_claim_rules_t *rules, json_t *claims, oc_diag_t *diag)
{
    const json_t *iss = json_object_get(claims, "iss");

    if (rules->issuer_count == 0)
        return OC_OK;
    if (!iss)
        return oc_fail(diag, OC_E_CLAIM_MISSING, "the token has no iss and jwt_issuer is set");
    if (!json_is_string(iss))
        return oc_fail(diag, OC_E_CLAIM_INVALID, "iss is not a string");
    if (!in_list(iss, rules->issuers, rules->issuer_count))
        return oc_fail(diag, OC_E_ISSUER_MISMATCH, "iss is none of jwt_issuer");
    return OC_OK;
}

/* RFC 7519 §4.1.3: a string or an array of strings. */
static oc_err_t check_audience(const oc_claim_rules_t *rules, json_t *claims, oc_diag_t *diag)
{
    json_t *aud = json_object_get(claims, "aud");
    const json_t *item;
    size_t i;
    bool found = false;

    if (rules->audience_count == 0)
        return OC_OK;
    if (!aud)
        return oc_fail(diag, OC_E_CLAIM_MISSING, "the token has no aud and jwt_audience is set");
    if (json_is_string(aud)) {
        found = in_list(aud, rules->audiences, rules->audience_count);
    } else if (json_is_array(aud)) {
        json_array_foreach(aud, i, item)
        {
            if (!json_is_string(item))
                return oc_fail(diag, OC_E_CLAIM_INVALID, "aud holds something else than strings");
            found = found || in_list(item, rules->audiences, rules->audience_count);
        }
    } else {
        return oc_fail(diag, OC_E_CLAIM_INVALID, "aud is neither a string nor an array");
    }
    if (!found)
        return oc_fail(diag, OC_E_AUDIENCE_MISMATCH, "aud holds none of jwt_audience");
    return OC_OK;
}

static oc_err_t read_subject(const oc_claim_rules_t *rules, json_t *claims, const json_t **ret,
                             oc_diag_t *diag)
{
    const json_t *value = oc_json_pointer_get(claims, rules->username_claim);

    if (!value)
        return oc_fail(diag, OC_E_CLAIM_MISSING, "nothing at username_claim %s",
                       rules->username_claim);
    if (!json_is_string(value))
        return oc_fail(diag, OC_E_CLAIM_INVALID, "username_claim %s is not a string",
                       rules->username_claim);
    if (json_string_length(value) == 0 || json_string_length(value) > OC_SUBJECT_MAX ||
        !oc_utf8_printable(json_string_value(value), json_string_length(value)))
        return oc_fail(diag, OC_E_CLAIM_INVALID,
                       "username_claim %s is empty, longer than %d bytes or has control characters",
                       rules->username_claim, OC_SUBJECT_MAX);
    *ret = value;
    return OC_OK;
}

/* The name that a revocation gives a token; len 0: it has none. */
typedef struct jti {
    const char *text;
    size_t len;
    char digits[24];
} jti_t;

/* RFC 7519 §4.1.7: a string. Some issue numbers, whose digits are the name then. What cannot be named is
 * refused. */
static oc_err_t read_jti(json_t *claims, jti_t *ret, oc_diag_t *diag)
{
    const json_t *value = json_object_get(claims, "jti");

    ret->text = "";
    ret->len = 0;
    if (!value)
        return OC_OK;
    if (json_is_integer(value)) {
        (void)snprintf(ret->digits, sizeof ret->digits, "%lld",
                       (long long)json_integer_value(value));
        ret->text = ret->digits;
        ret->len = strlen(ret->digits);
        return OC_OK;
    }
    if (!json_is_string(value) || json_string_length(value) == 0 ||
        json_string_length(value) > OC_JTI_MAX ||
        !oc_utf8_printable(json_string_value(value), json_string_length(value)))
        return oc_fail(diag, OC_E_CLAIM_INVALID,
                       "jti is neither a string of 1 to %d bytes without control characters nor a "
                       "whole number",
                       OC_JTI_MAX);
    ret->text = json_string_value(value);
    ret->len = json_string_length(value);
    return OC_OK;
}

/* The scope claim: which of the scopes that mean something here it holds, and all of it as text. */
typedef struct scopes {
    bool publish, subscribe, any_org, admin;
    size_t len;
    char text[OC_SCOPES_MAX];
} scopes_t;

static void note_scope(const oc_claim_rules_t *rules, const char *scope, size_t len, scopes_t *held)
{
    size_t space = held->len > 0 ? 1 : 0;

    if (len > 0 && len + space <= sizeof held->text - held->len) {
        held->text[held->len] = ' ';
        memcpy(held->text + held->len + space, scope, len);
        held->len += space + len;
    }
#define IS(name) (len > 0 && strlen(rules->name) == len && memcmp(rules->name, scope, len) == 0)
    held->publish = held->publish || IS(publish_scope);
    held->subscribe = held->subscribe || IS(subscribe_scope);
    held->any_org = held->any_org || IS(any_org_scope);
    held->admin = held->admin || IS(admin_scope);
#undef IS
}

static oc_err_t read_scopes(const oc_claim_rules_t *rules, json_t *claims, scopes_t *ret,
                            oc_diag_t *diag)
{
    json_t *value = oc_json_pointer_get(claims, rules->scope_claim);
    const json_t *item;
    size_t i;

    ret->publish = rules->publish_scope[0] == '\0';
    ret->subscribe = rules->subscribe_scope[0] == '\0';
    ret->any_org = false;
    ret->admin = false;
    ret->len = 0;
    if (!value)
        return OC_OK;
    if (json_is_string(value)) {
        /* RFC 6749 §3.3: separated by spaces. */
        const char *scope = json_string_value(value);

        while (*scope) {
            size_t len = strcspn(scope, " ");

            note_scope(rules, scope, len, ret);
            scope += len + strspn(scope + len, " ");
        }
        return OC_OK;
    }
    if (!json_is_array(value))
        return oc_fail(diag, OC_E_CLAIM_INVALID, "scope_claim %s is neither a string nor an array",
                       rules->scope_claim);
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return oc_fail(diag, OC_E_CLAIM_INVALID,
                           "scope_claim %s holds something else than "
                           "strings",
                           rules->scope_claim);
        note_scope(rules, json_string_value(item), json_string_length(item), ret);
    }
    return OC_OK;
}

/* The organization ids, borrowed from the claims. */
typedef struct org_list {
    oc_org_t orgs[OC_ORGS_PER_TOKEN_MAX];
    size_t max;
    size_t count;
} org_list_t;

static int compare_orgs(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return memcmp(a, b, a_len);
}

/* Insert in order, once; an id that could not be a topic level is left out. */
static oc_err_t note_org(org_list_t *list, const char *id, size_t len, oc_diag_t *diag)
{
    size_t at = 0;
    int order = -1;

    if (!oc_org_id_valid(id, len))
        return OC_OK;
    while (at < list->count &&
           (order = compare_orgs(list->orgs[at].id, list->orgs[at].len, id, len)) < 0)
        at++;
    if (at < list->count && order == 0)
        return OC_OK;
    if (list->count == list->max)
        return oc_fail(diag, OC_E_TOO_MANY_ORGS, "more than %zu organizations", list->max);
    memmove(&list->orgs[at + 1], &list->orgs[at], (list->count - at) * sizeof list->orgs[0]);
    list->orgs[at] = (oc_org_t){id, len};
    list->count++;
    return OC_OK;
}

static oc_err_t note_org_array(const oc_claim_rules_t *rules, json_t *array, org_list_t *list,
                               oc_diag_t *diag)
{
    const json_t *item;
    size_t i;
    oc_err_t err = OC_OK;

    json_array_foreach(array, i, item)
    {
        if (!json_is_string(item))
            return oc_fail(diag, OC_E_CLAIM_INVALID,
                           "org_claim %s holds something else than "
                           "strings",
                           rules->org_claim);
        err = note_org(list, json_string_value(item), json_string_length(item), diag);
        if (err)
            return err;
    }
    return OC_OK;
}

/* An administrator without an organization has its commands and the status topics, and no events. */
static oc_err_t read_orgs(const oc_claim_rules_t *rules, json_t *claims, const scopes_t *scopes,
                          org_list_t *ret, oc_diag_t *diag)
{
    bool needs_none = scopes->any_org || scopes->admin;
    json_t *value = oc_json_pointer_get(claims, rules->org_claim);
    oc_err_t err = OC_OK;

    ret->count = 0;
    ret->max = rules->max_orgs < OC_ORGS_PER_TOKEN_MAX ? rules->max_orgs : OC_ORGS_PER_TOKEN_MAX;
    if (!value)
        return needs_none
                   ? OC_OK
                   : oc_fail(diag, OC_E_CLAIM_MISSING, "nothing at org_claim %s", rules->org_claim);
    if (json_is_string(value)) {
        err = note_org(ret, json_string_value(value), json_string_length(value), diag);
    } else if (json_is_array(value)) {
        err = note_org_array(rules, value, ret, diag);
    } else if (json_is_object(value)) {
        for (void *i = json_object_iter(value); i && !err; i = json_object_iter_next(value, i)) {
            const char *id = json_object_iter_key(i);

            err = note_org(ret, id, strlen(id), diag);
        }
    } else {
        err = oc_fail(diag, OC_E_CLAIM_INVALID,
                      "org_claim %s is neither a string, an array nor an object", rules->org_claim);
    }
    if (!err && ret->count == 0 && !needs_none)
        return oc_fail(diag, OC_E_ORG_INVALID, "org_claim %s holds no valid organization id",
                       rules->org_claim);
    return err;
}

/* What an identity is made of; borrowed from the claims. */
typedef struct parts {
    times_t times;
    const json_t *subject;
    jti_t jti;
    scopes_t scopes;
    org_list_t list;
} parts_t;

/* Where the times stand, and behind them the texts that are not of organizations. */
static size_t times_at(const parts_t *parts)
{
    size_t size = sizeof(oc_identity_t) + parts->list.count * sizeof(oc_org_t);
    size_t align = _Alignof(oc_identity_times_t);

    for (size_t i = 0; i < parts->list.count; i++)
        size += parts->list.orgs[i].len + 1;
    return (size + align - 1) / align * align;
}

static size_t identity_size(const parts_t *parts)
{
    return times_at(parts) + sizeof(oc_identity_times_t) + json_string_length(parts->subject) + 1 +
           parts->scopes.len + 1 + parts->jti.len + 1;
}

/* Copy a text of len bytes to *text and move that behind it. Returns the copy. */
static char *put_text(char **text, const char *from, size_t len)
{
    char *copy = *text;

    memcpy(copy, from, len);
    copy[len] = '\0';
    *text += len + 1;
    return copy;
}

static void put_parts(oc_identity_t *identity, const parts_t *parts)
{
    char *text = (char *)&identity->orgs[parts->list.count];
    oc_identity_times_t *times = (void *)((char *)identity + times_at(parts));

    for (size_t i = 0; i < parts->list.count; i++) {
        const oc_org_t *org = &parts->list.orgs[i];

        identity->orgs[i] = (oc_org_t){put_text(&text, org->id, org->len), org->len};
    }
    *times = (oc_identity_times_t){parts->times.valid_from_s, parts->times.issued_s};
    identity->times = times;
    text = (char *)(times + 1);
    identity->subject =
        put_text(&text, json_string_value(parts->subject), json_string_length(parts->subject));
    (void)put_text(&text, parts->scopes.text, parts->scopes.len);
    (void)put_text(&text, parts->jti.text, parts->jti.len);
}

static oc_err_t make(const parts_t *parts, oc_identity_t **ret, oc_diag_t *diag)
{
    oc_identity_t *identity = malloc(identity_size(parts));

    if (!identity)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    *identity = (oc_identity_t){
        .references = 1,
        .org_count = (uint16_t)parts->list.count,
        .may_publish = parts->scopes.publish,
        .may_subscribe = parts->scopes.subscribe,
        .any_org = parts->scopes.any_org,
        .admin = parts->scopes.admin,
        .deadline_s = parts->times.deadline_s,
    };
    put_parts(identity, parts);
    *ret = identity;
    return OC_OK;
}

oc_err_t oc_identity_from_claims(const oc_claim_rules_t *rules, json_t *claims, int64_t now_s,
                                 oc_identity_t **ret_identity, oc_diag_t *diag)
{
    parts_t parts = {0};
    oc_err_t err;

    if ((err = check_times(rules, claims, now_s, &parts.times, diag)) ||
        (err = check_issuer(rules, claims, diag)) || (err = check_audience(rules, claims, diag)) ||
        (err = read_subject(rules, claims, &parts.subject, diag)) ||
        (err = read_jti(claims, &parts.jti, diag)) ||
        (err = read_scopes(rules, claims, &parts.scopes, diag)) ||
        (err = read_orgs(rules, claims, &parts.scopes, &parts.list, diag)))
        return err;
    return make(&parts, ret_identity, diag);
}

const char *oc_identity_scopes(const oc_identity_t *identity)
{
    return identity->subject + strlen(identity->subject) + 1;
}

const char *oc_identity_jti(const oc_identity_t *identity)
{
    const char *scopes = oc_identity_scopes(identity);
    const char *jti = scopes + strlen(scopes) + 1;

    /* An empty one is refused. */
    return *jti ? jti : NULL;
}

oc_identity_t *oc_identity_ref(oc_identity_t *identity)
{
    identity->references++;
    return identity;
}

void oc_identity_unref(oc_identity_t *identity)
{
    if (identity && --identity->references == 0)
        free(identity);
}

oc_err_t oc_identity_check_times(const oc_identity_t *identity, int64_t now_s, oc_diag_t *diag)
{
    const times_t times = {.deadline_s = identity->deadline_s,
                           .valid_from_s = identity->times->valid_from_s};

    return check_now(&times, now_s, diag);
}

bool oc_identity_has_org(const oc_identity_t *identity, const char *id, size_t len)
{
    size_t low = 0;
    size_t high = identity->org_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_orgs(identity->orgs[middle].id, identity->orgs[middle].len, id, len);

        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool oc_identity_binds_client_id(const oc_identity_t *identity, const char *client_id)
{
    const char *slash;

    if (identity->any_org) {
        size_t len = strlen(identity->subject);

        return strncmp(client_id, identity->subject, len) == 0 && client_id[len] == '/' &&
               client_id[len + 1] != '\0';
    }
    slash = strchr(client_id, '/');
    return slash && slash[1] != '\0' &&
           oc_identity_has_org(identity, client_id, (size_t)(slash - client_id));
}

bool oc_identity_covers(const oc_identity_t *identity, const oc_identity_t *other)
{
    if (strcmp(identity->subject, other->subject) != 0 || identity->any_org < other->any_org ||
        identity->admin < other->admin || identity->may_subscribe < other->may_subscribe)
        return false;
    for (size_t i = 0; !identity->any_org && i < other->org_count; i++) {
        if (!oc_identity_has_org(identity, other->orgs[i].id, other->orgs[i].len))
            return false;
    }
    return true;
}

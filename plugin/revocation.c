/* SPDX-License-Identifier: MIT */
#include "revocation.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ids.h"
#include "json.h"
#include "utf8.h"

#define UNREVOKE "{\"unrevoke\":"

static const char *const members[OC_REVOCATION_KINDS] = {
    [OC_REVOKE_JTI] = "jti",
    [OC_REVOKE_SUBJECT] = "subject",
    [OC_REVOKE_ORG] = "organizationId",
};

static const size_t longest[OC_REVOCATION_KINDS] = {
    [OC_REVOKE_JTI] = OC_JTI_MAX,
    [OC_REVOKE_SUBJECT] = OC_SUBJECT_MAX,
    [OC_REVOKE_ORG] = OC_ID_MAX,
};

oc_err_t oc_revocation_check_name(oc_revocation_kind_t kind, const char *name, oc_diag_t *diag)
{
    size_t len = strlen(name);

    if (len == 0 || len > longest[kind])
        return oc_fail(diag, OC_E_REQUEST_INVALID, "%s is not of 1 to %zu bytes", members[kind],
                       longest[kind]);
    if (kind == OC_REVOKE_ORG && !oc_org_id_valid(name, len))
        return oc_fail(diag, OC_E_REQUEST_INVALID, "%s %s", members[kind],
                       oc_org_id_fault(name, len));
    if (!oc_utf8_printable(name, len))
        return oc_fail(diag, OC_E_REQUEST_INVALID, "%s is not printable UTF-8", members[kind]);
    return OC_OK;
}

static bool time_valid(int64_t time_s)
{
    return time_s >= 0 && time_s <= OC_REVOCATION_TIME_MAX;
}

oc_err_t oc_revocation_check(const oc_revocation_t *revocation, oc_diag_t *diag)
{
    oc_err_t err = oc_revocation_check_name(revocation->kind, revocation->name, diag);

    if (err)
        return err;
    if (!time_valid(revocation->revoked_s) ||
        (revocation->kind != OC_REVOKE_JTI && !time_valid(revocation->issued_before_s)) ||
        (revocation->forget_s != INT64_MAX && !time_valid(revocation->forget_s)))
        return oc_fail(diag, OC_E_REQUEST_INVALID, "a time is out of range");
    return OC_OK;
}

/* What is read of an object; how many of its members that are. */
typedef struct reading {
    const json_t *object;
    size_t members;
    oc_diag_t *diag;
} reading_t;

/* Which of the names it has, and only one. */
static oc_err_t take_name(reading_t *reading, oc_revocation_line_t *line)
{
    const json_t *name = NULL;

    for (int kind = 0; kind < OC_REVOCATION_KINDS; kind++) {
        const json_t *value = json_object_get(reading->object, members[kind]);

        if (!value)
            continue;
        if (name)
            return oc_fail(reading->diag, OC_E_INTERNAL, "more than one name");
        name = value;
        line->revocation.kind = (oc_revocation_kind_t)kind;
    }
    if (!name)
        return oc_fail(reading->diag, OC_E_INTERNAL, "no jti, subject or organizationId");
    if (!json_is_string(name))
        return oc_fail(reading->diag, OC_E_INTERNAL, "%s is not a string",
                       members[line->revocation.kind]);
    reading->members++;
    /* It is checked before it is copied; oc_json_load() lets no NUL into a string. */
    if (oc_revocation_check_name(line->revocation.kind, json_string_value(name), reading->diag))
        return OC_E_INTERNAL;
    memcpy(line->text, json_string_value(name), json_string_length(name) + 1);
    return OC_OK;
}

/* A member that is missing leaves *time_s. */
static oc_err_t take_time(reading_t *reading, const char *member, bool required, int64_t *time_s)
{
    const json_t *value = json_object_get(reading->object, member);

    if (!value)
        return required ? oc_fail(reading->diag, OC_E_INTERNAL, "no %s", member) : OC_OK;
    if (!json_is_integer(value) || !time_valid(json_integer_value(value)))
        return oc_fail(reading->diag, OC_E_INTERNAL, "%s is not a whole number of seconds", member);
    *time_s = json_integer_value(value);
    reading->members++;
    return OC_OK;
}

static oc_err_t take_object(const json_t *object, oc_revocation_line_t *line, oc_diag_t *diag)
{
    reading_t reading = {object, 0, diag};
    oc_revocation_t *revocation = &line->revocation;
    oc_err_t err = take_name(&reading, line);

    revocation->forget_s = INT64_MAX;
    if (!err && !line->unrevoke) {
        if (revocation->kind != OC_REVOKE_JTI)
            err = take_time(&reading, "issuedBefore", true, &revocation->issued_before_s);
        if (!err)
            err = take_time(&reading, "revokedAt", true, &revocation->revoked_s);
        if (!err)
            err = take_time(&reading, "expiresAt", false, &revocation->forget_s);
    }
    if (err)
        return OC_E_INTERNAL;
    if (json_object_size(object) != reading.members)
        return oc_fail(diag, OC_E_INTERNAL, "a member that does not belong there");
    return OC_OK;
}

oc_err_t oc_revocation_parse(const char *bytes, size_t len, oc_revocation_line_t *ret_line,
                             oc_diag_t *diag)
{
    OC_CLEANUP(oc_json_decrefp) json_t *json = NULL;
    oc_revocation_line_t line = {0};
    const json_t *object;
    oc_err_t err;

    if (len > OC_REVOCATION_LINE_MAX)
        return oc_fail(diag, OC_E_INTERNAL, "longer than %zu bytes", OC_REVOCATION_LINE_MAX);
    err = oc_json_load(bytes, len, &json, diag);
    if (err)
        return err;
    object = json_object_get(json, "unrevoke");
    line.unrevoke = object != NULL;
    if (line.unrevoke && (!json_is_object(object) || json_object_size(json) != 1))
        return oc_fail(diag, OC_E_INTERNAL, "unrevoke is not an object that stands alone");
    err = take_object(line.unrevoke ? object : json, &line, diag);
    if (err)
        return err;
    *ret_line = line;
    ret_line->revocation.name = ret_line->text;
    return OC_OK;
}

static bool begins_with(const char *bytes, size_t len, const char *start)
{
    size_t start_len = strlen(start);

    return memcmp(bytes, start, len < start_len ? len : start_len) == 0;
}

bool oc_revocation_cut_off(const char *bytes, size_t len)
{
    /* Where a file system wrote nothing, NULs stand. */
    size_t written = strnlen(bytes, len);
    char start[64];

    if (begins_with(bytes, written, UNREVOKE))
        return true;
    for (int kind = 0; kind < OC_REVOCATION_KINDS; kind++) {
        (void)snprintf(start, sizeof start, "{\"%s\":\"", members[kind]);
        if (begins_with(bytes, written, start))
            return true;
    }
    return false;
}

/* Printable text has two characters that JSON wants escaped. Returns the end. */
static char *put_string(char *out, const char *text)
{
    *out++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            *out++ = '\\';
        *out++ = *text;
    }
    *out++ = '"';
    return out;
}

static char *put_time(char *out, const char *member, int64_t time_s)
{
    return out + sprintf(out, ",\"%s\":%" PRId64, member, time_s);
}

/* A name takes at most twice its length, and all else well below the rest. */
_Static_assert(2 * OC_REVOCATION_NAME_MAX + 256 < OC_REVOCATION_LINE_MAX, "a line has room");

size_t oc_revocation_print(const oc_revocation_t *revocation, bool unrevoke,
                           char out[static OC_REVOCATION_LINE_MAX])
{
    char *at =
        out + sprintf(out, unrevoke ? UNREVOKE "{\"%s\":" : "{\"%s\":", members[revocation->kind]);

    at = put_string(at, revocation->name);
    if (unrevoke) {
        *at++ = '}';
    } else {
        if (revocation->kind != OC_REVOKE_JTI)
            at = put_time(at, "issuedBefore", revocation->issued_before_s);
        at = put_time(at, "revokedAt", revocation->revoked_s);
        if (revocation->forget_s != INT64_MAX)
            at = put_time(at, "expiresAt", revocation->forget_s);
    }
    *at++ = '}';
    *at++ = '\n';
    return (size_t)(at - out);
}

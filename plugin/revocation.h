/* SPDX-License-Identifier: MIT */
#ifndef OC_REVOCATION_H
#define OC_REVOCATION_H

/* One revocation: which tokens it names, and the line of the file that says so.
 *
 *   {"jti":"…","revokedAt":1764000000,"expiresAt":1764003600}
 *   {"subject":"…","issuedBefore":1764000000,"revokedAt":1764000000}
 *   {"organizationId":"…","issuedBefore":1764000000,"revokedAt":1764000000,"expiresAt":1764003600}
 *   {"unrevoke":{"jti":"…"}}             likewise with subject or organizationId
 *
 * Times are whole seconds since 1970. Without expiresAt it holds until it is taken back. Members in any order,
 * no others. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "identity.h"

typedef enum oc_revocation_kind {
    OC_REVOKE_JTI,
    OC_REVOKE_SUBJECT,
    OC_REVOKE_ORG,
} oc_revocation_kind_t;
#define OC_REVOCATION_KINDS 3

typedef struct oc_revocation {
    oc_revocation_kind_t kind;
    const char *name; /* jti, subject or organization id */
    int64_t
        issued_before_s; /* tokens with an `iat` before it, and those without one; not for a jti */
    int64_t revoked_s;   /* when that was said */
    int64_t forget_s;    /* from then on no token that it names is valid; INT64_MAX: never */
} oc_revocation_t;

/* How many may hold, all kinds together. */
#define OC_REVOCATIONS_MAX ((size_t)65536)

#define OC_REVOCATION_NAME_MAX OC_SUBJECT_MAX /* of all kinds */

/* Of a line without its newline: room for a name of which an editor escaped every byte. */
#define OC_REVOCATION_LINE_MAX ((size_t)4096)

/* The largest time that a JSON number holds exactly. */
#define OC_REVOCATION_TIME_MAX INT64_C(9007199254740991)

/* OC_E_REQUEST_INVALID for a name that no token can have (printable UTF-8, of the length and, for
 * an organization, the form that its claim may have), and for times below 0 or above
 * OC_REVOCATION_TIME_MAX. */
OC_MUST_CHECK oc_err_t oc_revocation_check(const oc_revocation_t *revocation, oc_diag_t *diag);
/* The same for the name alone. */
OC_MUST_CHECK oc_err_t oc_revocation_check_name(oc_revocation_kind_t kind, const char *name,
                                                oc_diag_t *diag);

typedef struct oc_revocation_line {
    bool unrevoke;
    oc_revocation_t
        revocation; /* of an unrevoke kind and name alone; the name is borrowed from `text` */
    char text[OC_REVOCATION_NAME_MAX + 1];
} oc_revocation_line_t;

/* Read a line without its newline. OC_E_INTERNAL with the cause, and nothing of the line, in diag;
 * OC_E_NOMEM. */
OC_MUST_CHECK oc_err_t oc_revocation_parse(const char *bytes, size_t len,
                                           oc_revocation_line_t *ret_line, oc_diag_t *diag);

/* Whether a last line without its newline that does not read may be the beginning of one that was printed: then
 * a crash left it, and it may be cut off. Anything else is somebody's, and not to be lost. */
bool oc_revocation_cut_off(const char *bytes, size_t len);

/* The line of a good revocation, its newline included; or the one that takes it back. Returns its length;
 * there is no NUL. */
size_t oc_revocation_print(const oc_revocation_t *revocation, bool unrevoke,
                           char out[static OC_REVOCATION_LINE_MAX]);

#endif

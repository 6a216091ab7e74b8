/* SPDX-License-Identifier: MIT */
#ifndef OC_IDENTITY_H
#define OC_IDENTITY_H

/* Claims of a verified token → who the client is and what it may do: subject, organizations, scopes,
 * expiry. Immutable once made, in one allocation, shared by reference. One thread. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define OC_TOKEN_HASH_LEN 32 /* SHA-256 of a whole token */
#define OC_SUBJECT_MAX 512
#define OC_JTI_MAX 256
#define OC_SCOPES_MAX 2048 /* bytes of scope names that are kept to be told again */
#define OC_ORGS_PER_TOKEN_MAX 256

/* Which claims to read and what to ask of them. Strings are borrowed from the configuration. */
typedef struct oc_claim_rules {
    const char *const *issuers; /* accepted `iss`; none: any */
    size_t issuer_count;
    const char *const *audiences; /* accepted `aud`; none: any */
    size_t audience_count;
    int64_t leeway_s;
    int64_t max_lifetime_s; /* of `exp` - `iat`; 0: any */
    size_t max_orgs;        /* at most OC_ORGS_PER_TOKEN_MAX */
    const char *org_claim;  /* RFC 6901 JSON pointers */
    const char *scope_claim;
    const char *username_claim;
    const char *publish_scope; /* "": no scope is needed */
    const char *subscribe_scope;
    const char *any_org_scope; /* "": nobody has it */
    const char *admin_scope;
} oc_claim_rules_t;

typedef struct oc_org {
    const char *id;
    size_t len;
} oc_org_t;

/* What a delivery check does not need. */
typedef struct oc_identity_times {
    int64_t valid_from_s; /* nbf - leeway; INT64_MIN without nbf */
    int64_t issued_s;     /* iat; INT64_MIN without one */
} oc_identity_times_t;

/* In this order, so that what a delivery check reads of one organization lies together. */
typedef struct oc_identity {
    uint32_t references;
    uint16_t org_count;
    bool may_publish : 1;
    bool may_subscribe : 1;
    bool any_org : 1;
    bool admin : 1;
    int64_t deadline_s;  /* exp + leeway: from this second on, nothing is delivered or accepted */
    const char *subject; /* oc_identity_scopes() and oc_identity_jti() follow behind it */
    const oc_identity_times_t *times;
    oc_org_t orgs[]; /* sorted by length, then bytes; no duplicates */
} oc_identity_t;

/* now_s: seconds since the epoch.
 * ret_identity: a reference for the caller, oc_identity_unref().
 * Errors: OC_E_CLAIM_MISSING, OC_E_CLAIM_INVALID, OC_E_TOKEN_EXPIRED, OC_E_TOKEN_NOT_YET_VALID,
 * OC_E_TOKEN_LIFETIME, OC_E_ISSUER_MISMATCH, OC_E_AUDIENCE_MISMATCH, OC_E_ORG_INVALID, OC_E_TOO_MANY_ORGS, OC_E_NOMEM.
 * diag never holds a claim's value. */
OC_MUST_CHECK oc_err_t oc_identity_from_claims(const oc_claim_rules_t *rules, json_t *claims,
                                               int64_t now_s, oc_identity_t **ret_identity,
                                               oc_diag_t *diag);
oc_identity_t *oc_identity_ref(oc_identity_t *identity);
void oc_identity_unref(oc_identity_t *identity);

/* The names of the scope claim, separated by single spaces; those behind OC_SCOPES_MAX bytes are left out. */
const char *oc_identity_scopes(const oc_identity_t *identity);

/* The claim jti; NULL without one. */
const char *oc_identity_jti(const oc_identity_t *identity);

/* Whether an identity made earlier is still, or again, good now: the times alone. */
OC_MUST_CHECK oc_err_t oc_identity_check_times(const oc_identity_t *identity, int64_t now_s,
                                               oc_diag_t *diag);

/* Allocates nothing. */
bool oc_identity_has_org(const oc_identity_t *identity, const char *id, size_t len);

/* True when the client id is `{organization}/…` of one of its organizations or, with any_org,
 * `{subject}/…`: what a session that outlives its connection needs. Allocates nothing. */
bool oc_identity_binds_client_id(const oc_identity_t *identity, const char *client_id);

/* Whether it is of the same subject, and whatever the other one may be told it may be told as well. Allocates nothing. */
bool oc_identity_covers(const oc_identity_t *identity, const oc_identity_t *other);

#endif

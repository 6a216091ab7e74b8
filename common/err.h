/* SPDX-License-Identifier: MIT */
#ifndef OC_ERR_H
#define OC_ERR_H

/* Errors inside the project. The reason codes are part of the public interface: they stand in logs,
 * audit lines, metrics and the command line's output under the names that oc_err_name() gives. */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define OC_MUST_CHECK __attribute__((warn_unused_result))
#define OC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define OC_CLEANUP(fn) __attribute__((cleanup(fn)))
#else
#error "a compiler with GNU C attributes is needed"
#endif

/* X(constant, name) */
#define OC_REASONS(X)                                                                              \
    X(OC_E_TOKEN_MISSING, "token_missing")                                                         \
    X(OC_E_TOKEN_MALFORMED, "token_malformed")                                                     \
    X(OC_E_TOKEN_TOO_LARGE, "token_too_large")                                                     \
    X(OC_E_ALG_NOT_ALLOWED, "alg_not_allowed")                                                     \
    X(OC_E_KEY_UNKNOWN, "key_unknown")                                                             \
    X(OC_E_SIGNATURE_INVALID, "signature_invalid")                                                 \
    X(OC_E_TOKEN_EXPIRED, "token_expired")                                                         \
    X(OC_E_TOKEN_NOT_YET_VALID, "token_not_yet_valid")                                             \
    X(OC_E_TOKEN_LIFETIME, "token_lifetime")                                                       \
    X(OC_E_ISSUER_MISMATCH, "issuer_mismatch")                                                     \
    X(OC_E_AUDIENCE_MISMATCH, "audience_mismatch")                                                 \
    X(OC_E_CLAIM_MISSING, "claim_missing")                                                         \
    X(OC_E_CLAIM_INVALID, "claim_invalid")                                                         \
    X(OC_E_ORG_INVALID, "org_invalid")                                                             \
    X(OC_E_TOO_MANY_ORGS, "too_many_orgs")                                                         \
    X(OC_E_TOKEN_REVOKED, "token_revoked")                                                         \
    X(OC_E_CLIENT_ID_IN_USE, "client_id_in_use")                                                   \
    X(OC_E_CLIENT_ID_NOT_BOUND, "client_id_not_bound")                                             \
    X(OC_E_LIMIT_CONNECTIONS, "limit_connections")                                                 \
    X(OC_E_LIMIT_RATE, "limit_rate")                                                               \
    X(OC_E_TOPIC_NOT_ALLOWED, "topic_not_allowed")                                                 \
    X(OC_E_SCOPE_MISSING, "scope_missing")                                                         \
    X(OC_E_SESSION_UNKNOWN, "session_unknown")                                                     \
    X(OC_E_EVENT_INVALID, "event_invalid")                                                         \
    X(OC_E_EVENT_TOO_LARGE, "event_too_large")                                                     \
    X(OC_E_RETAIN_NOT_ALLOWED, "retain_not_allowed")

/* Not reasons for a client: what stops a program or a call. */
#define OC_FAILURES(X)                                                                             \
    X(OC_E_NOMEM, "out_of_memory")                                                                 \
    X(OC_E_CONFIG, "config_invalid")                                                               \
    X(OC_E_IO, "io_error")                                                                         \
    X(OC_E_REQUEST_INVALID, "request_invalid")                                                     \
    X(OC_E_NOT_FOUND, "not_found")                                                                 \
    X(OC_E_FULL, "full")                                                                           \
    X(OC_E_INTERNAL, "internal_error")

#define OC_ERR_ENUM(constant, name) constant,
typedef enum oc_err {
    OC_OK = 0,
    OC_REASONS(OC_ERR_ENUM) OC_FAILURES(OC_ERR_ENUM) OC_ERR_COUNT
} oc_err_t;
#undef OC_ERR_ENUM

/* Caller-owned detail. The first message wins. */
typedef struct oc_diag {
    oc_err_t code;
    bool passing; /* the cause goes away by itself: the same request may succeed in a while */
    char message[256];
} oc_diag_t;

/* "token_expired" for OC_E_TOKEN_EXPIRED; "ok" for OC_OK. Never NULL. */
const char *oc_err_name(oc_err_t err);

/* Note err and a printf-style sentence in diag, unless something is noted already or diag is NULL.
 * Returns err, so that a function can end with it. */
oc_err_t oc_fail(oc_diag_t *diag, oc_err_t err, const char *format, ...) OC_PRINTF(3, 4);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_SHARED_H
#define OC_SHARED_H

/* What there is once in a broker. With per_listener_settings each listener has a plugin of its own, with
 * its own options; the clients, their ids and everything that is counted, revoked, audited and shown are
 * the whole broker's. One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "audit.h"
#include "audit_fold.h"
#include "conf_watch.h"
#include "err.h"
#include "metrics.h"
#include "metrics_http.h"
#include "options.h"
#include "org_limits.h"
#include "penalty.h"
#include "revocations.h"
#include "session.h"
#include "stream.h"

/* An event that passed its publish check. The broker shows it to the plugin next, unless it is a Will. */
typedef struct oc_expected {
    bool set;
    bool foreign;       /* from a client of another authenticator */
    const void *client; /* compared only */
    int qos;
    char *text; /* a copy: the topic, a NUL, then as much of the payload as an event may have */
    size_t capacity;
    size_t topic_len;
    size_t payload_len; /* all of the payload */
    size_t kept_len;    /* the part of the payload in text */
} oc_expected_t;

typedef struct oc_shared {
    unsigned users;
    oc_limits_t *limits;
    oc_sessions_t *sessions;
    oc_revocations_t *revocations;
    oc_penalty_t *penalty;
    bool stamps; /* events get numbers, on all listeners */
    oc_stream_t
        *stream; /* with per_listener_settings each keeps as much as the one that keeps most */
    oc_expected_t expected;
    oc_told_clock_t answer_clock; /* of the accounts of what is sent for the asking */
    oc_bucket_t strangers;        /* that of those without a session */
    oc_bucket_t replays;          /* the account of all that is replayed */
    oc_metrics_t metrics;
    oc_metrics_published_t published; /* below $SYS */
    int64_t publish_s;                /* when to publish next */
    int64_t ticked_ms;                /* when the last tick came, by a clock that is never set;
                                         0: none yet */
    bool answering;          /* an answer is on its way: the next tick ends no connection */
    bool waited;             /* the last tick ended none for that reason */
    bool ending;             /* inside of the broker's function that ends a connection */
    oc_audit_t *audit;       /* NULL: none */
    oc_audit_fold_t *fold;   /* before audit; NULL: none */
    oc_metrics_http_t *http; /* NULL: none */
    oc_conf_watch_t *conf;   /* mosquitto.conf at the start; NULL: it could not be read */
    /* Where these stand, as given by the first plugin that named it; NULL: nobody did. */
    char *revocation_file;
    char *audit_log_file;
    char *metrics_listen;
} oc_shared_t;

/* One more plugin takes part. The first makes what there is to share; a file or an address that another
 * one gives too has to be the same.
 * shared: all zero before the first
 * Errors: OC_E_CONFIG with "plugin_opt_NAME: cause" in diag, OC_E_NOMEM. Call oc_shared_leave() all the same. */
OC_MUST_CHECK oc_err_t oc_shared_join(oc_shared_t *shared, const oc_config_t *config, int64_t now_s,
                                      oc_diag_t *diag);

/* The organizations whose numbers are told: what oc_metrics_orgs_t has of them. */
typedef struct oc_shared_orgs {
    const oc_limits_t *limits;
    const char *only; /* NULL: all of them */
    size_t most;      /* so many at most */
} oc_shared_orgs_t;

/* For oc_metrics_orgs_t; orgs: an oc_shared_orgs_t */
void oc_shared_each_org(void *orgs, oc_metrics_org_fn function, void *context);

/* One less; the last ends everything. */
void oc_shared_leave(oc_shared_t *shared);

#endif

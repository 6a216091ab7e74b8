/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <stdlib.h>
#include <string.h>

#include "option_table.h"

static oc_err_t nomem(oc_diag_t *diag)
{
    return oc_fail(diag, OC_E_NOMEM, "out of memory");
}

static oc_err_t make(oc_shared_t *shared, int64_t now_s, oc_diag_t *diag)
{
    oc_metrics_init(&shared->metrics, now_s);
    shared->limits = oc_limits_new();
    if (!shared->limits)
        return nomem(diag);
    shared->sessions = oc_sessions_new(shared->limits);
    shared->stream = oc_stream_new();
    if (!shared->stream || !shared->sessions || oc_revocations_new(&shared->revocations) != OC_OK)
        return nomem(diag);
    return OC_OK;
}

/* Whether value is the first to be given; then *ret_given is a copy of it. */
static oc_err_t first_given(const char *name, const char *value, char **given, bool *ret_first,
                            oc_diag_t *diag)
{
    *ret_first = value && !*given;
    if (*ret_first) {
        *given = strdup(value);
        return *given ? OC_OK : nomem(diag);
    }
    if (value && strcmp(value, *given) != 0)
        return oc_fail(diag, OC_E_CONFIG,
                       "plugin_opt_%s: another listener has '%.100s'; it is the whole broker's",
                       name, *given);
    return OC_OK;
}

static oc_err_t open_revocations(oc_shared_t *shared, const char *path, int64_t now_s,
                                 oc_diag_t *diag)
{
    oc_diag_t cause = {0};
    bool first;
    oc_err_t err = first_given("revocation_file", path, &shared->revocation_file, &first, diag);

    if (!err && first && (err = oc_revocations_open(shared->revocations, path, now_s, &cause)))
        return oc_option_fail("revocation_file", err, &cause, diag);
    return err;
}

static void write_audit(void *audit, const oc_audit_entry_t *entry)
{
    oc_audit_write(audit, entry);
}

static oc_err_t open_audit(oc_shared_t *shared, const char *path, oc_diag_t *diag)
{
    oc_diag_t cause = {0};
    bool first;
    oc_err_t err = first_given("audit_log_file", path, &shared->audit_log_file, &first, diag);

    if (!err && first && (err = oc_audit_open(path, &shared->audit, &cause)))
        return oc_option_fail("audit_log_file", err, &cause, diag);
    if (err || !first)
        return err;
    shared->fold = oc_audit_fold_new(write_audit, shared->audit);
    return shared->fold ? OC_OK : nomem(diag);
}

static oc_err_t start_http(oc_shared_t *shared, const char *address, oc_diag_t *diag)
{
    oc_diag_t cause = {0};
    bool first;
    oc_err_t err = first_given("metrics_listen", address, &shared->metrics_listen, &first, diag);

    if (!err && first && (err = oc_metrics_http_start(address, &shared->http, &cause)))
        return oc_option_fail("metrics_listen", err, &cause, diag);
    return err;
}

static oc_err_t make_penalty(oc_shared_t *shared, const oc_config_t *config, oc_diag_t *diag)
{
    if (shared->penalty)
        return OC_OK;
    shared->penalty = oc_penalty_new((uint32_t)config->bad_tokens_per_s);
    return shared->penalty ? OC_OK : nomem(diag);
}

/* A number is only worth something when nobody can publish one of his own. */
static oc_err_t agree_on_stamps(oc_shared_t *shared, const oc_config_t *config, oc_diag_t *diag)
{
    if (shared->users == 1)
        shared->stamps = config->stamp_sequence;
    if (shared->stamps != config->stamp_sequence)
        return oc_fail(diag, OC_E_CONFIG,
                       "plugin_opt_stamp_sequence: another listener has '%s'; it is the whole "
                       "broker's",
                       shared->stamps ? "true" : "false");
    return OC_OK;
}

oc_err_t oc_shared_join(oc_shared_t *shared, const oc_config_t *config, int64_t now_s,
                        oc_diag_t *diag)
{
    oc_err_t err = OC_OK;

    if (shared->users++ == 0)
        err = make(shared, now_s, diag);
    if (!err)
        err = agree_on_stamps(shared, config, diag);
    if (!err && config->stamp_sequence)
        oc_stream_keep(shared->stream, (size_t)config->replay_events_per_org,
                       (size_t)config->replay_max_bytes);
    if (!err && config->limits.max_per_subject > 0)
        oc_limits_count_subjects(shared->limits);
    if (!err)
        err = make_penalty(shared, config, diag);
    if (!err)
        err = open_revocations(shared, config->revocation_file, now_s, diag);
    if (!err)
        err = open_audit(shared, config->audit_log_file, diag);
    if (!err)
        err = start_http(shared, config->metrics_listen, diag);
    return err;
}

static bool tell_org(const oc_org_load_t *load, oc_metrics_org_fn function, void *context)
{
    const oc_metrics_org_t org = {load->id, load->connections, load->events_accepted,
                                  load->events_refused};

    return function(context, &org);
}

void oc_shared_each_org(void *orgs, oc_metrics_org_fn function, void *context)
{
    const oc_shared_orgs_t *source = orgs;
    const oc_org_load_t *load;
    size_t cursor = 0;

    if (source->only) {
        load = oc_limits_find_org(source->limits, source->only, strlen(source->only));
        if (load)
            (void)tell_org(load, function, context);
        return;
    }
    for (size_t told = 0; told < source->most; told++) {
        load = oc_limits_next_org(source->limits, &cursor);
        if (!load || !tell_org(load, function, context))
            break;
    }
}

void oc_shared_leave(oc_shared_t *shared)
{
    if (shared->users == 0 || --shared->users > 0)
        return;
    oc_metrics_http_stop(shared->http);
    oc_audit_fold_free(shared->fold);
    oc_audit_close(shared->audit);
    oc_stream_free(shared->stream);
    oc_penalty_free(shared->penalty);
    oc_revocations_free(shared->revocations);
    oc_sessions_free(shared->sessions);
    oc_limits_free(shared->limits);
    oc_conf_watch_free(shared->conf);
    free(shared->revocation_file);
    free(shared->audit_log_file);
    free(shared->metrics_listen);
    free(shared->expected.text);
    *shared = (oc_shared_t){0};
}

/* SPDX-License-Identifier: MIT */

/* What time brings, about ten times a second, and what SIGHUP does. */

#include <string.h>

#include "plugin.h"

/* Ending a connection is the broker's work. Of many that are due at once some wait for the next tick, so
 * that others are served in between; what is due gets and sends nothing meanwhile. */
#define ENDING_US 2000

void log_keys(void *context, bool error, const char *message)
{
    (void)context;
    mosquitto_log_printf(error ? MOSQ_LOG_WARNING : MOSQ_LOG_NOTICE, "orgcast: %s", message);
}

/* --- Connections whose time is over --- */

static const struct {
    const char *action;
    oc_err_t reason;
    /* It may publish no more, its Will included. */
    bool with_will;
    size_t counter;
} endings[] = {
    [OC_SESSION_EXPIRED] = {"expire", OC_E_TOKEN_EXPIRED, false,
                            offsetof(oc_metrics_t, sessions_expired)},
    [OC_SESSION_REVOKED] = {"revoked", OC_E_TOKEN_REVOKED, false,
                            offsetof(oc_metrics_t, sessions_revoked)},
    [OC_SESSION_KICKED] = {"kicked", OC_OK, true, offsetof(oc_metrics_t, sessions_kicked)},
};

static void end_connection(plugin_t *plugin, const oc_session_t *session, oc_session_end_t cause)
{
    oc_shared_t *shared = plugin->gate.shared;
    const decision_t decision = {
        .action = endings[cause].action, .err = endings[cause].reason, .session = session};

    if (!oc_session_holds_id(shared->sessions, session))
        return;
    if (cause == OC_SESSION_EXPIRED && !oc_session_end_on_expiry(session))
        return;
    report_audit(plugin, &decision);
    ++*(uint64_t *)((char *)&shared->metrics + endings[cause].counter);
    shared->ending = true;
    (void)mosquitto_kick_client_by_clientid(oc_session_client_id(session),
                                            endings[cause].with_will);
    shared->ending = false;
}

static void end_due(plugin_t *plugin, int64_t time_s)
{
    int64_t until_us = monotonic_us() + ENDING_US;
    bool wait = plugin->gate.shared->answering && !plugin->gate.shared->waited;
    oc_session_end_t cause;
    const oc_session_t *session;

    /* The broker sends what is published between two ticks. Not more than one is waited for: else a
     * client could go on for ever by asking. */
    plugin->gate.shared->waited = wait;
    plugin->gate.shared->answering = false;
    if (wait)
        return;
    do {
        session = oc_sessions_next_due(plugin->gate.shared->sessions, time_s, &cause);
        if (session)
            end_connection(plugin, session, cause);
    } while (session && monotonic_us() < until_us);
}

/* --- Numbers --- */

static bool publish_number(void *context, const char *topic, const char *value)
{
    (void)context;
    return mosquitto_broker_publish_copy(NULL, topic, (int)strlen(value), value, 0, true, NULL) ==
           MOSQ_ERR_SUCCESS;
}

static void show_numbers(plugin_t *plugin, int64_t time_s)
{
    oc_shared_t *shared = plugin->gate.shared;
    int64_t interval_s = plugin->config.metrics_interval_s;

    if (interval_s > 0 && time_s >= shared->publish_s) {
        shared->publish_s = time_s + interval_s;
        oc_gate_measure(&plugin->gate, time_s);
        oc_metrics_each_changed(&shared->metrics, &shared->published, publish_number, NULL);
    }
    if (shared->http && oc_metrics_http_wanted(shared->http)) {
        oc_shared_orgs_t source = {.limits = shared->limits, .most = OC_METRICS_ORGS_MAX};
        const oc_metrics_orgs_t orgs = {oc_shared_each_org, &source};
        char *page;

        oc_gate_measure(&plugin->gate, time_s);
        page = oc_metrics_render(&shared->metrics, plugin->config.metrics_per_org ? &orgs : NULL);
        if (page)
            oc_metrics_http_publish(shared->http, page);
    }
}

/* --- What threads have to say --- */

static void log_troubles(plugin_t *plugin)
{
    oc_shared_t *shared = plugin->gate.shared;
    char revocations[OC_REVOCATIONS_ERROR_MAX];
    char audit[OC_AUDIT_ERROR_MAX];

    if (oc_revocations_take_error(shared->revocations, revocations))
        mosquitto_log_printf(MOSQ_LOG_ERR, "orgcast: revocation_file: %s", revocations);
    if (oc_audit_take_error(shared->audit, audit, sizeof audit))
        mosquitto_log_printf(MOSQ_LOG_ERR, "orgcast: %s", audit);
}

int on_tick(int event, void *event_data, void *userdata)
{
    plugin_t *plugin = userdata;
    oc_shared_t *shared = plugin->gate.shared;
    int64_t time_s = now_s();

    (void)event;
    (void)event_data;
    shared->ticked_ms = monotonic_ms();
    event_shown(plugin);
    plugin->gate.reloaded_s = 0;
    /* No client is looked at between this and the broker's delivery: it is before (2.1) or behind (2.0). */
    oc_sessions_delivered(shared->sessions);
    oc_verifier_poll(plugin->gate.verifier);
    oc_revocations_forget(shared->revocations, time_s);
    oc_limits_tick(shared->limits, monotonic_ms());
    end_due(plugin, time_s);
    send_answers(plugin);
    show_numbers(plugin, time_s);
    oc_audit_fold_tick(shared->fold, shared->ticked_ms);
    log_troubles(plugin);
    report_left_out(plugin);
    return MOSQ_ERR_SUCCESS;
}

static void reload_revocations(plugin_t *plugin)
{
    oc_shared_t *shared = plugin->gate.shared;
    oc_diag_t diag = {0};

    if (!shared->revocation_file)
        return;
    if (oc_revocations_reload(shared->revocations, now_s(), &diag) == OC_OK)
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "orgcast: revocations read again; there are %zu",
                             oc_revocations_count(shared->revocations));
    else
        mosquitto_log_printf(MOSQ_LOG_ERR, "orgcast: the old revocations stay: %s", diag.message);
    (void)oc_gate_apply_revocations(&plugin->gate);
}

/* With per_listener_settings each plugin is called; the first one looks at the options of all of them. */
static void log_changed_options(const plugin_t *plugin)
{
    char names[1024];
    oc_diag_t diag = {0};

    if (!plugin->is_first || !plugin->gate.shared->conf)
        return;
    if (oc_conf_watch_compare(plugin->gate.shared->conf, names, sizeof names, &diag) != OC_OK)
        mosquitto_log_printf(MOSQ_LOG_WARNING,
                             "orgcast: changed options need a restart of the broker; cannot tell "
                             "whether there are any: %s",
                             diag.message);
    else if (names[0])
        mosquitto_log_printf(MOSQ_LOG_WARNING,
                             "orgcast: restart the broker to apply changed options: %s", names);
}

/* Always success: on anything else Mosquitto 2.1 exits, and 2.0 drops the other authenticators. */
int on_reload(int event, void *event_data, void *userdata)
{
    plugin_t *plugin = userdata;
    oc_diag_t diag = {0};

    (void)event;
    (void)event_data;
    plugin->gate.reloaded_s = now_s();
    if (oc_verifier_reload(plugin->gate.verifier, &diag) == OC_OK)
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "orgcast: keys read again; there are %zu",
                             oc_verifier_key_count(plugin->gate.verifier));
    else
        mosquitto_log_printf(MOSQ_LOG_ERR, "orgcast: the old keys stay: %s", diag.message);
    reload_revocations(plugin);
    oc_audit_reopen(plugin->gate.shared->audit);
    log_changed_options(plugin);
    return MOSQ_ERR_SUCCESS;
}

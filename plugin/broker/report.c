/* SPDX-License-Identifier: MIT */

/* What is told of decisions: log lines at a bounded rate, and audit lines. */

#include "plugin.h"
#include "utf8.h"

/* Bytes of a client id, subject or topic that a log line shows. */
#define LOG_TEXT_MAX 160

/* Lines about clients. */
static const oc_bucket_rate_t log_rate = {.burst = 100, .per_second = 20};

/* How often the log says how many lines were left out. */
#define LEFT_OUT_MS 10000

void report_left_out(plugin_t *plugin)
{
    int64_t passed_ms = monotonic_ms() - plugin->left_out_since_ms;

    if (plugin->left_out == 0 || passed_ms < LEFT_OUT_MS)
        return;
    plugin->gate.shared->metrics.log_lines_left_out += plugin->left_out;
    mosquitto_log_printf(MOSQ_LOG_NOTICE, "orgcast: %llu more lines left out in the last %lld s",
                         (unsigned long long)plugin->left_out, (long long)passed_ms / 1000);
    plugin->left_out = 0;
}

/* True when a line about a client may be written now. */
static bool may_log(plugin_t *plugin)
{
    int64_t time_ms = monotonic_ms();

    /* Where no ticks come. */
    report_left_out(plugin);
    if (oc_bucket_take(&plugin->log_bucket, log_rate, (uint64_t)time_ms))
        return true;
    if (plugin->left_out++ == 0)
        plugin->left_out_since_ms = time_ms;
    return false;
}

static const char *client_id_of(const decision_t *decision)
{
    const char *id = decision->client ? mosquitto_client_id(decision->client) : NULL;

    return id || !decision->session ? id : oc_session_client_id(decision->session);
}

static const char *subject_of(const decision_t *decision)
{
    const oc_identity_t *identity =
        decision->session ? oc_session_identity(decision->session) : NULL;

    return identity ? identity->subject : NULL;
}

void report_audit(plugin_t *plugin, const decision_t *decision)
{
    const struct mosquitto *client = decision->client;
    const oc_identity_t *identity =
        decision->session ? oc_session_identity(decision->session) : NULL;
    oc_audit_entry_t entry;

    if (!plugin->gate.shared->audit)
        return;
    entry = (oc_audit_entry_t){
        .time_ms = now_ms(),
        .action = decision->action,
        .result = decision->err ? "denied" : "allowed",
        .reason = decision->err ? oc_err_name(decision->err) : NULL,
        .client_id = client_id_of(decision),
        .subject = subject_of(decision),
        .topic = decision->topic,
        .address = client ? mosquitto_client_address(client) : NULL,
        .detail = decision->detail,
        .protocol = client ? mosquitto_client_protocol_version(client) : 0,
    };
    /* The plugin ended the connection: that is no client's doing, and happens once. */
    if (!client)
        oc_audit_write(plugin->gate.shared->audit, &entry);
    else
        oc_audit_fold_write(plugin->gate.shared->fold, &entry, identity && identity->admin,
                            monotonic_ms());
}

void report_refusal(plugin_t *plugin, const decision_t *decision)
{
    char id[LOG_TEXT_MAX];
    const char *address = mosquitto_client_address(decision->client);

    report_audit(plugin, decision);
    if (may_log(plugin))
        mosquitto_log_printf(MOSQ_LOG_NOTICE, "orgcast: refused client '%s' from %s: %s (%s)",
                             oc_utf8_quote(client_id_of(decision), id, sizeof id),
                             address ? address : "unknown", oc_err_name(decision->err),
                             decision->detail);
}

void report_denial(plugin_t *plugin, const decision_t *decision)
{
    char topic[LOG_TEXT_MAX] = "";
    char id[LOG_TEXT_MAX];
    char subject[LOG_TEXT_MAX] = "";
    const char *quote = decision->topic ? "'" : "";
    const char *client_id = client_id_of(decision);
    const char *name = subject_of(decision);

    report_audit(plugin, decision);
    if (!may_log(plugin))
        return;
    if (name)
        (void)oc_utf8_quote(name, subject, sizeof subject);
    if (decision->topic)
        (void)oc_utf8_quote(decision->topic, topic, sizeof topic);
    mosquitto_log_printf(MOSQ_LOG_NOTICE,
                         "orgcast: denied %s%s%s%s%s to client '%s' subject '%s': %s%s%s%s",
                         decision->action, decision->topic ? " " : "", quote, topic, quote,
                         oc_utf8_quote(client_id ? client_id : "", id, sizeof id), subject,
                         oc_err_name(decision->err), decision->detail ? " (" : "",
                         decision->detail ? decision->detail : "", decision->detail ? ")" : "");
}

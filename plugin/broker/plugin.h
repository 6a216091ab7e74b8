/* SPDX-License-Identifier: MIT */
#ifndef OC_PLUGIN_H
#define OC_PLUGIN_H

/* The plugin of one listener, or of the whole broker. The files in this folder are the only ones that know
 * Mosquitto; docs/ARCHITECTURE.md names the habits of it that shaped them. Everything runs on the broker's
 * own thread, except for Mosquitto 2.1's http_api listeners: see is_off_thread() in clients.c. */

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucket.h"
#include "gate.h"
#include "options.h"
#include "shared.h"

#define CONTROL_TOPIC OC_ACL_CONTROL_TOPIC
#define CONTROL_RESPONSE_TOPIC OC_ACL_RESPONSE_TOPIC

/* Mosquitto 2.1's name is MOSQ_EVT_CLIENT_OFFLINE: what it reports instead of a disconnect when the
 * session lives on. */
#define EVENT_CLIENT_OFFLINE 28

/* An answer that waits for the disk, for the session that asked. */
typedef struct waiting_answer {
    struct waiting_answer *next;
    uint64_t ticket;
    char *text;
    char *failed_text;
    const struct mosquitto *client; /* compared only: it may be gone */
    uint64_t session_serial;
    char client_id[];
} waiting_answer_t;

typedef struct plugin {
    mosquitto_plugin_id_t *id;
    pthread_t thread; /* the broker's own */
    oc_config_t config;
    oc_gate_t gate;
    bool has_control; /* on_control() is registered by this one */
    bool joined;      /* oc_shared_join() was called */
    bool is_first;    /* of the broker's plugins */
    bool is_2_1; /* Mosquitto 2.1 or later: it has EVENT_CLIENT_OFFLINE, and more result codes */
    waiting_answer_t *answers;
    size_t answer_count;
    oc_bucket_t log_bucket;
    /* Lines about clients that the bucket refused, and that the log has not mentioned yet. */
    uint64_t left_out;
    int64_t left_out_since_ms; /* when the first of them was left out */
} plugin_t;

/* --- clock.c --- */

int64_t now_s(void);        /* of day */
int64_t now_ms(void);       /* of day */
int64_t monotonic_ms(void); /* coarse */
int64_t monotonic_us(void); /* fine */

/* --- report.c: log lines, audit lines, numbers --- */

/* What became of something that a client did, or that was done to it. Borrowed. */
typedef struct decision {
    const char *action;
    oc_err_t err;
    const struct mosquitto *client; /* NULL: session says which */
    const oc_session_t *session;    /* NULL: there is none */
    const char *topic;              /* NULL: none */
    const char *detail;             /* NULL: none */
} decision_t;

/* A line in the audit log, if there is one. */
void report_audit(plugin_t *plugin, const decision_t *decision);
/* The same, and a line in the broker's log: "refused client …". */
void report_refusal(plugin_t *plugin, const decision_t *decision);
/* The same: "denied publish …". */
void report_denial(plugin_t *plugin, const decision_t *decision);
/* At each tick: now and then, log how many lines were left out. */
void report_left_out(plugin_t *plugin);

/* --- events.c: what is published under the templates --- */

/* Borrowed. */
typedef struct event {
    const char *topic;
    const void *payload;
    size_t payload_len;
    int qos;
    bool retain;
    oc_slice_t org; /* the topic's */
    oc_stream_flow_t flow;
} event_t;

/* An event with its number. */
typedef struct stamped {
    char *payload; /* the broker's memory; NULL: the event has no number, and stays as it came */
    size_t len;
} stamped_t;

/* Checks the size and the form of an event. */
oc_err_t event_check(const oc_config_t *config, const event_t *event, oc_diag_t *diag);
/* Whether the plugin must see an event before a subscriber does: to check it, or to give it a number. */
bool event_governed(const oc_config_t *config, const event_t *event);

/* An event passed its publish check. The broker shows it next, unless it is a Will: the plugin sees no MESSAGE event for
 * Wills. Later Wills look like this:
 * - Mosquitto 2.1.3 publishes a Will first and reports the disconnect then.
 * - A broker that is stopped publishes all Wills and reports no disconnect.
 * foreign: the client is another authenticator's */
oc_err_t event_expect(plugin_t *plugin, const event_t *event, const void *client, bool foreign,
                      oc_diag_t *diag);
/* The broker showed an event, or the time for that is over. */
void event_shown(plugin_t *plugin);
/* Whether a delivery is the event that was expected and not shown: nobody checked it. */
bool event_not_shown(const plugin_t *plugin, const char *topic, const void *payload, size_t len);
/* Takes the expected event of a client that has just disconnected: it is the client's Will.
 * ret_will: borrowed until the next event_expect()
 * False: there is none. */
bool event_take_expected(plugin_t *plugin, const void *client, event_t *ret_will,
                         bool *ret_foreign);

/* Checks and counts an event that is to go to the subscribers, and gives it its number.
 * ret_stamped: for the caller; as it was on error */
oc_err_t event_take(plugin_t *plugin, const event_t *event, stamped_t *ret_stamped,
                    oc_diag_t *diag);
/* Makes the properties that every event has; NULL with validate_events off, which leaves a publisher's own.
 * ret_properties: for the caller */
oc_err_t event_properties(const oc_config_t *config, mosquitto_property **ret_properties,
                          oc_diag_t *diag);
/* To all subscribers. Takes the stamped payload; without one, sends a copy of the event's. False: out of memory. */
bool event_publish(const plugin_t *plugin, const event_t *event, const stamped_t *stamped);
/* To one client alone, which needs no subscription for it; false: out of memory. */
bool event_send(const plugin_t *plugin, const char *client_id, const char *topic,
                const char *payload, size_t len);

/* --- order.c --- */

/* Whether this plugin is the first one that the broker asks. */
oc_err_t check_order(oc_diag_t *diag);

/* --- clients.c: what clients do --- */

/* NULL in Mosquitto 2.0. */
extern struct mosquitto *mosquitto_client(const char *client_id) __attribute__((weak));

int on_basic_auth(int event, void *event_data, void *userdata);
int on_ext_auth_start(int event, void *event_data, void *userdata);
int on_ext_auth_continue(int event, void *event_data, void *userdata);
int on_acl_check(int event, void *event_data, void *userdata);
int on_message(int event, void *event_data, void *userdata);
int on_disconnect(int event, void *event_data, void *userdata);

/* --- commands.c: $CONTROL/orgcast/v1 --- */

int on_control(int event, void *event_data, void *userdata);
/* Send the answers whose changes are on disk by now. */
void send_answers(plugin_t *plugin);
/* Whether the broker calls on_tick(). */
bool has_ticks(const plugin_t *plugin);
void drop_answers(plugin_t *plugin);

/* --- housekeeping.c: what time brings, and SIGHUP --- */

int on_tick(int event, void *event_data, void *userdata);
int on_reload(int event, void *event_data, void *userdata);
void log_keys(void *context, bool error, const char *message);

#endif

/* SPDX-License-Identifier: MIT */
#ifndef OC_PLUGIN_H
#define OC_PLUGIN_H

/* The plugin of one listener, or of the whole broker. The files in this folder are the only ones that know
 * Mosquitto; docs/ARCHITECTURE.md names the habits of it that shaped them. Everything runs on the broker's
 * one thread. */

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>
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

/* An answer that waits for the disk. */
typedef struct waiting_answer {
    struct waiting_answer *next;
    uint64_t ticket;
    char *text;
    char *failed_text;
    char client_id[];
} waiting_answer_t;

typedef struct plugin {
    mosquitto_plugin_id_t *id;
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
} event_t;

/* An event with its number. */
typedef struct stamped {
    char *payload; /* the broker's memory; NULL: the event has no number, and stays as it came */
    size_t len;
} stamped_t;

/* Its size and form. */
oc_err_t event_check(const oc_config_t *config, const event_t *event, oc_diag_t *diag);
/* Whether it gets a number when it is taken. With validate_events off, only what looks like a JSON object
 * does. */
bool event_numbered(const oc_config_t *config, const event_t *event);
/* An event whose publish check was passed, and which the broker shows next. It does not show the Wills that it
 * publishes when it is stopped, and does not report their clients' disconnects before. */
void event_announce(plugin_t *plugin, const event_t *event);
void event_shown(plugin_t *plugin);
/* Whether what is to be delivered was announced and then not shown: nobody has checked it. */
bool event_unshown(const plugin_t *plugin, const char *topic, const void *payload, size_t len);
/* Check and count an event that is to go to the subscribers, and give it its number.
 * ret_stamped: for the caller; as it was on error */
oc_err_t event_take(plugin_t *plugin, const event_t *event, stamped_t *ret_stamped,
                    oc_diag_t *diag);
/* To all subscribers. Takes the stamped payload; false: out of memory. */
bool event_publish(const plugin_t *plugin, const event_t *event, const stamped_t *stamped);
/* To one client alone, which needs no subscription for it; false: out of memory. */
bool event_send(const plugin_t *plugin, const char *client_id, const char *topic,
                const char *payload, size_t len);

/* --- clients.c: what clients do --- */

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
void drop_answers(plugin_t *plugin);

/* --- housekeeping.c: what time brings, and SIGHUP --- */

int on_tick(int event, void *event_data, void *userdata);
int on_reload(int event, void *event_data, void *userdata);
void log_keys(void *context, bool error, const char *message);

#endif

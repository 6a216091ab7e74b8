/* SPDX-License-Identifier: MIT */
#ifndef OC_AUDIT_H
#define OC_AUDIT_H

/* The audit log: one JSON line for each decision, in a file that only grows. The broker's thread puts
 * lines into memory; a thread of the log's own writes them, so that no disk ever holds up the broker. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* Lines that wait while the disk is slow or full; one such buffer is being filled, another written. */
#define OC_AUDIT_BUFFER_BYTES ((size_t)1 << 20)

/* The longest line, with its newline. */
#define OC_AUDIT_LINE_MAX 4096

/* No text of oc_audit_take_error() is longer. */
#define OC_AUDIT_ERROR_MAX 320

/* The strings of a line: X(field, member, most bytes that it takes up between its quotes). What is longer
 * ends in an ellipsis. Organization ids and subjects fit whole, unless a subject is full of quotes. */
#define OC_AUDIT_STRINGS(X)                                                                        \
    X(action, "action", 64)                                                                        \
    X(result, "result", 64)                                                                        \
    X(reason, "reason", 64)                                                                        \
    X(client_id, "clientId", 512)                                                                  \
    X(subject, "subject", 512)                                                                     \
    X(organization, "organizationId", 256)                                                         \
    X(topic, "topic", 1024)                                                                        \
    X(address, "address", 128)                                                                     \
    X(detail, "detail", 512)

/* One decision. A string may be NULL, and is then left out; it may hold any bytes. */
typedef struct oc_audit_entry {
    int64_t time_ms; /* since 1970, UTC */
    const char *action;
    const char *result; /* "allowed" or "denied" */
    const char *reason; /* oc_err_name() */
    const char *client_id;
    const char *subject;
    const char *organization;
    const char *topic; /* or filter */
    const char *address;
    const char *detail;
    int protocol;   /* MQTT's version: 3, 4 or 5; 0: left out */
    uint64_t count; /* of the decisions that the line stands for; 0: left out, it is one */
} oc_audit_entry_t;

typedef struct oc_audit oc_audit_t;

/* Open a file for appending, made if it is not there, and start the thread. A link, and whatever is not a
 * regular file, is OC_E_IO, with the path and the cause in diag. */
OC_MUST_CHECK oc_err_t oc_audit_open(const char *path, oc_audit_t **ret_audit, oc_diag_t *diag);

/* Write all lines that are there, unless the disk refuses them, and end the thread. Waits for the disk.
 * NULL is accepted. */
void oc_audit_close(oc_audit_t *audit);

/* For log rotation: the lines so far go into the file that is open, later ones into the file that then
 * has the path. If that cannot be opened, the old one stays. Does not wait. NULL is accepted. */
void oc_audit_reopen(oc_audit_t *audit);

/* Note a decision. Neither waits for the disk nor allocates: a line that finds no room is lost, and a line
 * {"time":…,"action":"audit_lost","count":N} stands where it would have been. Any thread. NULL: nothing. */
void oc_audit_write(oc_audit_t *audit, const oc_audit_entry_t *entry);

/* Lines lost so far. Any thread. */
uint64_t oc_audit_lost(const oc_audit_t *audit);

/* What went wrong with the file, once for each time that it begins to; false when there is nothing new.
 * Does not wait. NULL: false. */
bool oc_audit_take_error(oc_audit_t *audit, char *out, size_t cap);

/* The line that an entry makes, with its newline and without a NUL; its length. */
size_t oc_audit_format(const oc_audit_entry_t *entry, char out[static OC_AUDIT_LINE_MAX]);

#endif

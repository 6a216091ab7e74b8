/* SPDX-License-Identifier: MIT */
#ifndef OC_CLI_EVENT_INPUT_H
#define OC_CLI_EVENT_INPUT_H

/* An event as people type it: a flat object with `type` and the catalogue's fields in camel case. A
 * line of `emit --stdin` is one; the flags of `emit TYPE` are put into one. A notification's own type
 * is called `notificationType` there, since `type` is the event's. */

#include <jansson.h>
#include <stdbool.h>

#include <orgcast/emitter.h>

#include "args.h"
#include "event.h"

typedef struct cli_event {
    orgcast_event_type_t type;
    oc_event_struct_t
        data; /* points into inner, and to the texts of the object that it came from */
    oc_event_inner_t inner;
} cli_event_t;

/* How a field is called here. */
typedef struct cli_event_field {
    const char *name; /* in the object */
    cli_opt_t opt;
} cli_event_field_t;

/* By type, beside oc_event_rules[type].data->object->fields. */
extern const cli_event_field_t *const cli_event_fields[];

/* What is wrong with an event: `field` (camel case, perhaps empty, "previous.amount" in previous), and
 * a sentence that goes behind it. */
typedef struct cli_event_fault {
    char field[64];
    char message[256];
} cli_event_fault_t;

/* Take the event out of the object, all of it checked. Its strings are borrowed from the object, and
 * `event` must not be moved. False: *ret_fault says why. */
bool cli_event_from_json(json_t *object, cli_event_t *event, cli_event_fault_t *ret_fault);

/* The object that the flags make. A new reference; NULL: a usage error has been printed. */
json_t *cli_event_json_from_args(const cli_args_t *args, const char *type);

/* "invoice-id" for "invoiceId" and "type" for "notificationType": the option of emit. NULL when the
 * field has none. */
const char *cli_event_flag(const char *field);

const char *cli_event_organization_id(const cli_event_t *event);
const char *cli_event_entity_id(const cli_event_t *event);

/* Hand the event to the emitter. */
ORGCAST_MUST_CHECK orgcast_err_t cli_event_emit(orgcast_emitter_t *emitter,
                                                const cli_event_t *event,
                                                orgcast_receipt_t *ret_receipt);

#endif

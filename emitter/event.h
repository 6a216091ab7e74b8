/* SPDX-License-Identifier: MIT */
#ifndef OC_EVENT_H
#define OC_EVENT_H

/* Events as the caller's structs, walked by the catalogue's tables: their fields' checks, and the topic that
 * each is published on. */

#include <stdbool.h>
#include <stddef.h>

#include <orgcast/emitter.h>

#include "event_rules.h"
#include "event_structs.h"
#include "ids.h"

#define OC_EVENT_SOURCE_MAX 256 /* bytes without the NUL */

/* "org/" organization "/invoices/" word "/" entity, and the NUL. */
#define OC_EVENT_TOPIC_LEN (4 + OC_ID_MAX + 10 + OC_EVENT_WORD_MAX + 1 + OC_ID_MAX + 1)

/* An event of any type, borrowed. */
typedef struct oc_event {
    orgcast_event_type_t type;
    const void *data; /* the struct that the type calls for */
} oc_event_t;

/* Where a struct keeps a field: a text as `const char *`, an enum, an object as pointer to its struct. */
typedef struct oc_event_slot {
    size_t offset;
    const struct oc_event_slot *inner; /* an object's own fields, as in its oc_event_object_t */
    size_t inner_offset;               /* where oc_event_inner_t has room for that struct */
} oc_event_slot_t;

/* By type; each beside the fields of oc_event_rules[type].data->object. */
extern const oc_event_slot_t *const oc_event_slots[];

/* "invoice.paid"; NULL for the unset value and for a number that is none of the enum's. */
const char *oc_event_type_name(orgcast_event_type_t type);
/* The other way, exact; the unset value for any other name. */
orgcast_event_type_t oc_event_type_parse(const char *name);

/* A text or an enum's value as it stands on the wire, and an object's struct: NULL for what is absent. Of a
 * struct that passed its check. */
const char *oc_event_get_text(const oc_event_field_t *field, const oc_event_slot_t *slot,
                              const void *data);
const void *oc_event_get_object(const oc_event_slot_t *slot, const void *data);

/* ORGCAST_E_INVALID, with the field's catalogue name in diag, unless every field passes. */
ORGCAST_MUST_CHECK orgcast_err_t oc_event_check_fields(const oc_event_t *event,
                                                       orgcast_diag_t *diag);

/* The same, and the type has to carry the data that oc_event_kinds[kind] is. */
ORGCAST_MUST_CHECK orgcast_err_t oc_event_check_kind(size_t kind, orgcast_event_type_t type,
                                                     const void *data, orgcast_diag_t *diag);

/* CloudEvents `source`: a URI-reference of 1 to OC_EVENT_SOURCE_MAX bytes. */
bool oc_event_source_valid(const char *source);

/* Of an event that passed its check; borrowed from it. */
const char *oc_event_organization_id(const oc_event_t *event);
const char *oc_event_subject(const oc_event_t *event);
const char *oc_event_timestamp(const oc_event_t *event); /* NULL: the time of the emit call */

/* The topic of an event that passed its check. */
void oc_event_topic(const oc_event_t *event, char ret_topic[OC_EVENT_TOPIC_LEN]);

#endif

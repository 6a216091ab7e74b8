/* SPDX-License-Identifier: MIT */
#include "event.h"

#include <stdio.h>
#include <string.h>

#include "event_text.h"
#include "fail.h"

const char *oc_event_type_name(orgcast_event_type_t type)
{
    return (size_t)type < oc_event_rules_count ? oc_event_rules[type].name : NULL;
}

orgcast_event_type_t oc_event_type_parse(const char *name)
{
    return (orgcast_event_type_t)oc_event_rule_find(name);
}

/* --- What a struct holds --- */

static const void *slot_of(const oc_event_slot_t *slot, const void *data)
{
    return (const char *)data + slot->offset;
}

/* Copied, since not every pointer there is one to characters. */
static const void *get_pointer(const oc_event_slot_t *slot, const void *data)
{
    const void *pointer;

    memcpy(&pointer, slot_of(slot, data), sizeof pointer);
    return pointer;
}

/* 0: unset. event_slots.c asserts that enums are of this size. */
static unsigned get_enum(const oc_event_slot_t *slot, const void *data)
{
    return *(const unsigned *)slot_of(slot, data);
}

const char *oc_event_get_text(const oc_event_field_t *field, const oc_event_slot_t *slot,
                              const void *data)
{
    unsigned value;

    if (field->kind != OC_EVENT_KIND_ENUM)
        return get_pointer(slot, data);
    value = get_enum(slot, data);
    return value > 0 && value <= field->values->count ? field->values->values[value - 1] : NULL;
}

const void *oc_event_get_object(const oc_event_slot_t *slot, const void *data)
{
    return get_pointer(slot, data);
}

/* --- Checks --- */

#define PATH_MAX_BYTES 192

/* One object under check. */
typedef struct checked {
    size_t type;
    const oc_event_object_t *rule;
    const oc_event_slot_t *slots;
    const void *data;
    size_t time;      /* the field that the emitter fills in; beyond the fields: none */
    const char *path; /* "previous.", or "" */
} checked_t;

static orgcast_err_t check_object(const checked_t *at, orgcast_diag_t *diag);

static orgcast_err_t fault(const checked_t *at, size_t i, const char *what, orgcast_diag_t *diag)
{
    return oc_emitter_fail(diag, ORGCAST_E_INVALID, "%s%s %s", at->path, at->rule->fields[i].name,
                           what);
}

static const char *text_fault(const oc_event_field_t *field, const char *text)
{
    size_t len = field->max_bytes != 0 ? strnlen(text, field->max_bytes + 1) : strlen(text);

    return oc_event_text_fault(field, text, len);
}

static const char *enum_fault(const oc_event_field_t *field, unsigned value)
{
    return value > field->values->count ? field->values->fault : NULL;
}

static orgcast_err_t check_nested(const checked_t *at, size_t i, orgcast_diag_t *diag)
{
    char path[PATH_MAX_BYTES];
    const checked_t inner = {
        .type = at->type,
        .rule = at->rule->fields[i].object,
        .slots = at->slots[i].inner,
        .data = oc_event_get_object(&at->slots[i], at->data),
        .time = SIZE_MAX,
        .path = path,
    };

    (void)snprintf(path, sizeof path, "%s%s.", at->path, at->rule->fields[i].name);
    return check_object(&inner, diag);
}

static bool is_absent(const checked_t *at, size_t i)
{
    if (at->rule->fields[i].kind == OC_EVENT_KIND_ENUM)
        return get_enum(&at->slots[i], at->data) == 0;
    return !get_pointer(&at->slots[i], at->data);
}

static orgcast_err_t check_field(const checked_t *at, size_t i, orgcast_diag_t *diag)
{
    const oc_event_field_t *field = &at->rule->fields[i];
    const char *what;

    if (is_absent(at, i))
        return field->required && i != at->time ? fault(at, i, "is missing", diag) : ORGCAST_OK;
    if (field->only != 0 && (field->only & UINT64_C(1) << at->type) == 0)
        return fault(at, i, field->only_fault, diag);
    if (field->kind == OC_EVENT_KIND_OBJECT)
        return check_nested(at, i, diag);
    if (field->kind == OC_EVENT_KIND_ENUM)
        what = enum_fault(field, get_enum(&at->slots[i], at->data));
    else
        what = text_fault(field, get_pointer(&at->slots[i], at->data));
    return what ? fault(at, i, what, diag) : ORGCAST_OK;
}

static orgcast_err_t check_object(const checked_t *at, orgcast_diag_t *diag)
{
    for (size_t i = 0; i < at->rule->count; i++) {
        orgcast_err_t err = check_field(at, i, diag);

        if (err != ORGCAST_OK)
            return err;
    }
    return ORGCAST_OK;
}

orgcast_err_t oc_event_check_fields(const oc_event_t *event, orgcast_diag_t *diag)
{
    checked_t at = {.type = (size_t)event->type, .data = event->data, .path = ""};

    if (!oc_event_type_name(event->type))
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "type is not an event type");
    if (!event->data)
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "event is missing");
    at.rule = oc_event_rules[event->type].data->object;
    at.slots = oc_event_slots[event->type];
    at.time = oc_event_rules[event->type].data->time;
    return check_object(&at, diag);
}

orgcast_err_t oc_event_check_kind(size_t kind, orgcast_event_type_t type, const void *data,
                                  orgcast_diag_t *diag)
{
    const oc_event_t event = {type, data};

    if (!oc_event_type_name(type) || oc_event_rules[type].data != oc_event_kinds[kind])
        return oc_emitter_fail(diag, ORGCAST_E_INVALID, "type is no %s event",
                               oc_event_kinds[kind]->name);
    return oc_event_check_fields(&event, diag);
}

bool oc_event_source_valid(const char *source)
{
    return strnlen(source, OC_EVENT_SOURCE_MAX + 1) <= OC_EVENT_SOURCE_MAX &&
           !oc_event_uri_reference_fault(source);
}

/* --- The event as a whole --- */

static const char *text_at(const oc_event_t *event, size_t i)
{
    return get_pointer(&oc_event_slots[event->type][i], event->data);
}

const char *oc_event_organization_id(const oc_event_t *event)
{
    return text_at(event, oc_event_rules[event->type].data->organization);
}

const char *oc_event_subject(const oc_event_t *event)
{
    return text_at(event, oc_event_rules[event->type].data->entity);
}

const char *oc_event_timestamp(const oc_event_t *event)
{
    return text_at(event, oc_event_rules[event->type].data->time);
}

void oc_event_topic(const oc_event_t *event, char ret_topic[OC_EVENT_TOPIC_LEN])
{
    (void)snprintf(ret_topic, OC_EVENT_TOPIC_LEN, "org/%s/invoices/%s/%s",
                   oc_event_organization_id(event), oc_event_rules[event->type].topic_word,
                   oc_event_subject(event));
}

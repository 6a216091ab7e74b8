/* SPDX-License-Identifier: MIT */
#include "event_input.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "mem.h"
#include "sink.h"
#include "utf8.h"

static oc_event_t borrow(const cli_event_t *event)
{
    return (oc_event_t){event->type, &event->data};
}

const char *cli_event_organization_id(const cli_event_t *event)
{
    const oc_event_t borrowed = borrow(event);

    return oc_event_organization_id(&borrowed);
}

const char *cli_event_entity_id(const cli_event_t *event)
{
    const oc_event_t borrowed = borrow(event);

    return oc_event_subject(&borrowed);
}

orgcast_err_t cli_event_emit(orgcast_emitter_t *emitter, const cli_event_t *event,
                             orgcast_receipt_t *ret_receipt)
{
    return oc_emit(emitter, event->type, &event->data, ret_receipt);
}

static bool fault(cli_event_fault_t *ret_fault, const char *prefix, const char *field,
                  const char *format, ...) OC_PRINTF(4, 5);

static bool fault(cli_event_fault_t *ret_fault, const char *prefix, const char *field,
                  const char *format, ...)
{
    va_list list;

    (void)snprintf(ret_fault->field, sizeof ret_fault->field, "%s%s", prefix, field);
    va_start(list, format);
    (void)vsnprintf(ret_fault->message, sizeof ret_fault->message, format, list);
    va_end(list);
    return false;
}

/* One object of the JSON, and where its fields go. */
typedef struct target {
    const oc_event_object_t *rule;
    const oc_event_slot_t *slots;
    const cli_event_field_t *names; /* NULL: the catalogue's */
    const char *prefix;             /* of the names in a fault */
    void *into;                     /* the struct */
    oc_event_inner_t *inner;        /* for what it points to */
} target_t;

static bool take_object(json_t *object, const target_t *target, cli_event_fault_t *ret_fault);

static const char *name_of(const target_t *target, size_t i)
{
    return target->names ? target->names[i].name : target->rule->fields[i].name;
}

static bool take_inner(json_t *value, const target_t *target, size_t i,
                       cli_event_fault_t *ret_fault)
{
    const oc_event_slot_t *slot = &target->slots[i];
    void *inner = (char *)target->inner + slot->inner_offset;
    char prefix[64];
    const target_t part = {.rule = target->rule->fields[i].object,
                           .slots = slot->inner,
                           .prefix = prefix,
                           .into = inner,
                           .inner = target->inner};

    if (!json_is_object(value))
        return fault(ret_fault, target->prefix, name_of(target, i), "must be an object");
    (void)snprintf(prefix, sizeof prefix, "%s%s.", target->prefix, name_of(target, i));
    memcpy((char *)target->into + slot->offset, &inner, sizeof inner);
    return take_object(value, &part, ret_fault);
}

static bool take_field(json_t *value, const target_t *target, size_t i,
                       cli_event_fault_t *ret_fault)
{
    const oc_event_field_t *field = &target->rule->fields[i];
    void *into = (char *)target->into + target->slots[i].offset;
    const char *text = json_string_value(value);

    if (field->kind == OC_EVENT_KIND_OBJECT)
        return take_inner(value, target, i, ret_fault);
    if (json_is_number(value) && field->kind == OC_EVENT_KIND_TEXT)
        return fault(ret_fault, target->prefix, name_of(target, i),
                     "must be a string, such as \"10.00\", so that it is never rounded");
    if (!text)
        return fault(ret_fault, target->prefix, name_of(target, i), "must be a string");
    if (field->kind == OC_EVENT_KIND_TEXT) {
        *(const char **)into = text;
        return true;
    }
    *(unsigned *)into = (unsigned)oc_event_enum_find(field->values, text);
    if (*(unsigned *)into == 0)
        return fault(ret_fault, target->prefix, name_of(target, i), "%s", field->values->fault);
    return true;
}

/* At the top the event's type stands among the fields. */
static bool is_known(const target_t *target, const char *name)
{
    if (target->names && strcmp(name, "type") == 0)
        return true;
    for (size_t i = 0; i < target->rule->count; i++) {
        if (strcmp(name_of(target, i), name) == 0)
            return true;
    }
    return false;
}

static bool take_object(json_t *object, const target_t *target, cli_event_fault_t *ret_fault)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        char quoted[64];

        if (!is_known(target, name))
            return fault(ret_fault, target->prefix, oc_utf8_quote(name, quoted, sizeof quoted),
                         "is no field of this event");
    }
    for (size_t i = 0; i < target->rule->count; i++) {
        value = json_object_get(object, name_of(target, i));
        if (value && !take_field(value, target, i, ret_fault))
            return false;
    }
    return true;
}

/* A field's name, as the library has it, is perhaps another one here. */
static const char *own_name(orgcast_event_type_t type, const char *name)
{
    const oc_event_object_t *rule = oc_event_rules[type].data->object;

    for (size_t i = 0; i < rule->count; i++) {
        if (strcmp(rule->fields[i].name, name) == 0)
            return cli_event_fields[type][i].name;
    }
    return name;
}

/* The library's message begins with the field's catalogue name. */
static bool check(const cli_event_t *event, cli_event_fault_t *ret_fault)
{
    const oc_event_t borrowed = borrow(event);
    orgcast_diag_t diag = {0};
    size_t name_len;

    if (oc_event_check_fields(&borrowed, &diag) == ORGCAST_OK)
        return true;
    name_len = strcspn(diag.message, " ");
    if (diag.message[name_len] == '\0')
        return fault(ret_fault, "", "", "%s", diag.message);
    diag.message[name_len] = '\0';
    return fault(ret_fault, "", own_name(event->type, diag.message), "%s",
                 diag.message + name_len + 1);
}

bool cli_event_from_json(json_t *object, cli_event_t *event, cli_event_fault_t *ret_fault)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    target_t target = {.prefix = "", .into = &event->data, .inner = &event->inner};

    *event = (cli_event_t){0};
    if (!type)
        return fault(ret_fault, "", "type",
                     json_object_get(object, "type") ? "must be a string" : "is missing");
    event->type = oc_event_type_parse(type);
    if (event->type == ORGCAST_EVENT_UNSET)
        return fault(ret_fault, "", "type",
                     "is not an event type; 'orgcast emit --help' lists them");
    target.rule = oc_event_rules[event->type].data->object;
    target.slots = oc_event_slots[event->type];
    target.names = cli_event_fields[event->type];
    return take_object(object, &target, ret_fault) && check(event, ret_fault);
}

/* A field found by its option, or by its name. */
typedef struct found {
    const oc_event_field_t *field; /* NULL: there is none */
    const cli_event_field_t *names;
} found_t;

static found_t find_field(orgcast_event_type_t type, cli_opt_t opt, const char *name)
{
    const oc_event_object_t *rule = oc_event_rules[type].data->object;

    for (size_t i = 0; i < rule->count; i++) {
        const cli_event_field_t *names = &cli_event_fields[type][i];

        if (name ? strcmp(names->name, name) == 0 : names->opt == opt)
            return (found_t){&rule->fields[i], names};
    }
    return (found_t){NULL, NULL};
}

/* Among the fields of the type; then, for a better message, among those of the other types. */
static found_t find_field_anywhere(orgcast_event_type_t type, cli_opt_t opt, const char *name)
{
    found_t found = {NULL, NULL};

    if (type != ORGCAST_EVENT_UNSET)
        found = find_field(type, opt, name);
    for (size_t other = 1; !found.field && other < oc_event_rules_count; other++)
        found = find_field((orgcast_event_type_t)other, opt, name);
    return found;
}

const char *cli_event_flag(const char *field)
{
    found_t found = find_field_anywhere(ORGCAST_EVENT_UNSET, CLI_OPT_NONE, field);

    return found.field ? cli_opt_name(found.names->opt) : NULL;
}

static json_t *value_from_text(const cli_args_t *args, const found_t *found, const char *text)
{
    const char *flag = cli_opt_name(found->names->opt);
    json_t *value = NULL;

    if (found->field->kind == OC_EVENT_KIND_OBJECT) {
        if (oc_json_load(text, strlen(text), &value, NULL) != OC_OK)
            (void)cli_usage_error(args, "--%s must be a JSON object", flag);
        return value;
    }
    value = json_string(text);
    if (!value)
        (void)cli_usage_error(args, "--%s must be UTF-8", flag);
    return value;
}

json_t *cli_event_json_from_args(const cli_args_t *args, const char *type)
{
    OC_CLEANUP(oc_json_decrefp) json_t *object = json_object();

    if (json_object_set_new(object, "type", json_string(type)) != 0) {
        (void)cli_usage_error(args, "the event type must be UTF-8");
        return NULL;
    }
    for (size_t i = 0; i < args->count; i++) {
        found_t found = find_field_anywhere(oc_event_type_parse(type), args->given[i].opt, NULL);
        json_t *value;

        if (!found.field)
            continue;
        value = value_from_text(args, &found, args->given[i].value);
        if (!value)
            return NULL;
        if (json_object_set_new(object, found.names->name, value) != 0) {
            (void)cli_error(args, "out of memory");
            return NULL;
        }
    }
    return oc_take(object);
}

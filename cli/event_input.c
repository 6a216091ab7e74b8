/* SPDX-License-Identifier: MIT */
#include "event_input.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "mem.h"
#include "utf8.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

typedef orgcast_err_t emit_invoice_fn(orgcast_emitter_t *, const orgcast_invoice_event_t *,
                                      orgcast_receipt_t *);

static emit_invoice_fn *const emit_invoice[] = {
    [ORGCAST_EVENT_INVOICE_CREATED] = orgcast_emit_invoice_created,
    [ORGCAST_EVENT_INVOICE_UPDATED] = orgcast_emit_invoice_updated,
    [ORGCAST_EVENT_INVOICE_SENT] = orgcast_emit_invoice_sent,
    [ORGCAST_EVENT_INVOICE_PAID] = orgcast_emit_invoice_paid,
    [ORGCAST_EVENT_INVOICE_OVERDUE] = orgcast_emit_invoice_overdue,
    [ORGCAST_EVENT_INVOICE_CANCELLED] = orgcast_emit_invoice_cancelled,
    [ORGCAST_EVENT_INVOICE_DELETED] = orgcast_emit_invoice_deleted,
};

typedef enum kind {
    TEXT,
    STATUS,
    NOTIFICATION_TYPE,
    PREVIOUS
} kind_t;

typedef struct field {
    const char *name; /* in the object */
    kind_t kind;
    bool required;
    size_t offset; /* in the struct */
    cli_opt_t opt;
} field_t;

#define INVOICE(member) offsetof(orgcast_invoice_event_t, member)
static const field_t invoice_fields[] = {
    {"organizationId", TEXT, true, INVOICE(organization_id), CLI_OPT_ORGANIZATION_ID},
    {"invoiceId", TEXT, true, INVOICE(invoice_id), CLI_OPT_INVOICE_ID},
    {"invoiceNumber", TEXT, true, INVOICE(invoice_number), CLI_OPT_INVOICE_NUMBER},
    {"amount", TEXT, true, INVOICE(amount), CLI_OPT_AMOUNT},
    {"currency", TEXT, true, INVOICE(currency), CLI_OPT_CURRENCY},
    {"status", STATUS, true, INVOICE(status), CLI_OPT_STATUS},
    {"timestamp", TEXT, false, INVOICE(timestamp), CLI_OPT_TIMESTAMP},
    {"previous", PREVIOUS, false, INVOICE(previous), CLI_OPT_PREVIOUS},
};

#define NOTIFICATION(member) offsetof(orgcast_notification_event_t, member)
static const field_t notification_fields[] = {
    {"organizationId", TEXT, true, NOTIFICATION(organization_id), CLI_OPT_ORGANIZATION_ID},
    {"notificationId", TEXT, true, NOTIFICATION(notification_id), CLI_OPT_NOTIFICATION_ID},
    {"title", TEXT, true, NOTIFICATION(title), CLI_OPT_TITLE},
    {"message", TEXT, true, NOTIFICATION(message), CLI_OPT_MESSAGE},
    {"notificationType", NOTIFICATION_TYPE, true, NOTIFICATION(type), CLI_OPT_TYPE},
    {"invoiceId", TEXT, false, NOTIFICATION(invoice_id), CLI_OPT_INVOICE_ID},
    {"timestamp", TEXT, false, NOTIFICATION(timestamp), CLI_OPT_TIMESTAMP},
};

#define OLD(member) offsetof(orgcast_invoice_previous_t, member)
static const field_t previous_fields[] = {
    {"invoiceNumber", TEXT, false, OLD(invoice_number), CLI_OPT_NONE},
    {"amount", TEXT, false, OLD(amount), CLI_OPT_NONE},
    {"currency", TEXT, false, OLD(currency), CLI_OPT_NONE},
    {"status", STATUS, false, OLD(status), CLI_OPT_NONE},
};

/* All that take_fields() needs to know about one object. */
typedef struct target {
    const field_t *fields;
    size_t fields_count;
    const char *skip;   /* a member that is not a field; may be NULL */
    const char *prefix; /* of the names in a fault */
    void *into;
} target_t;

static bool is_notification(orgcast_event_type_t type)
{
    return type == ORGCAST_EVENT_NOTIFICATION_CREATED;
}

const char *cli_event_organization_id(const cli_event_t *event)
{
    return is_notification(event->type) ? event->data.notification.organization_id
                                        : event->data.invoice.organization_id;
}

const char *cli_event_entity_id(const cli_event_t *event)
{
    return is_notification(event->type) ? event->data.notification.notification_id
                                        : event->data.invoice.invoice_id;
}

orgcast_err_t cli_event_emit(orgcast_emitter_t *emitter, const cli_event_t *event,
                             orgcast_receipt_t *ret_receipt)
{
    if (is_notification(event->type))
        return orgcast_emit_notification(emitter, &event->data.notification, ret_receipt);
    return emit_invoice[event->type](emitter, &event->data.invoice, ret_receipt);
}

static const field_t *fields_of(orgcast_event_type_t type, size_t *ret_count)
{
    *ret_count = is_notification(type) ? COUNT(notification_fields) : COUNT(invoice_fields);
    return is_notification(type) ? notification_fields : invoice_fields;
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

static bool take_fields(json_t *object, const target_t *target,
                        orgcast_invoice_previous_t *previous, cli_event_fault_t *ret_fault);

static bool take_previous(json_t *value, const orgcast_invoice_previous_t **into,
                          orgcast_invoice_previous_t *previous, cli_event_fault_t *ret_fault)
{
    const target_t target = {previous_fields, COUNT(previous_fields), NULL, "previous.", previous};

    if (!previous || !json_is_object(value))
        return fault(ret_fault, "", "previous", "must be an object");
    *into = previous;
    return take_fields(value, &target, NULL, ret_fault);
}

static bool take_field(json_t *value, const field_t *field, const target_t *target,
                       orgcast_invoice_previous_t *previous, cli_event_fault_t *ret_fault)
{
    void *into = (char *)target->into + field->offset;
    const char *text = json_string_value(value);

    if (field->kind == PREVIOUS)
        return take_previous(value, into, previous, ret_fault);
    if (json_is_number(value) && field->kind == TEXT)
        return fault(ret_fault, target->prefix, field->name,
                     "must be a string, not a number: nothing is rounded then");
    if (!text)
        return fault(ret_fault, target->prefix, field->name, "must be a string");

    switch (field->kind) {
    case TEXT:
        *(const char **)into = text;
        break;
    case STATUS:
        *(orgcast_invoice_status_t *)into = oc_invoice_status_parse(text);
        if (oc_invoice_status_parse(text) == ORGCAST_INVOICE_STATUS_UNSET)
            return fault(ret_fault, target->prefix, field->name,
                         "must be DRAFT, SENT, PENDING, PAID, OVERDUE or CANCELLED");
        break;
    case NOTIFICATION_TYPE:
        *(orgcast_notification_type_t *)into = oc_notification_type_parse(text);
        if (oc_notification_type_parse(text) == ORGCAST_NOTIFICATION_TYPE_UNSET)
            return fault(ret_fault, target->prefix, field->name,
                         "must be success, info, warning or error");
        break;
    case PREVIOUS: /* above */
        break;
    }
    return true;
}

static bool take_fields(json_t *object, const target_t *target,
                        orgcast_invoice_previous_t *previous, cli_event_fault_t *ret_fault)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        char quoted[64];
        size_t i = 0;

        while (i < target->fields_count && strcmp(target->fields[i].name, name) != 0)
            i++;
        if (i == target->fields_count && (!target->skip || strcmp(name, target->skip) != 0))
            return fault(ret_fault, target->prefix, oc_utf8_quote(name, quoted, sizeof quoted),
                         "is no field of this event");
    }
    for (size_t i = 0; i < target->fields_count; i++) {
        const field_t *field = &target->fields[i];

        value = json_object_get(object, field->name);
        if (!value && field->required)
            return fault(ret_fault, target->prefix, field->name, "is missing");
        if (value && !take_field(value, field, target, previous, ret_fault))
            return false;
    }
    return true;
}

/* The library's message begins with the field's catalogue name. */
static bool check(const cli_event_t *event, cli_event_fault_t *ret_fault)
{
    orgcast_diag_t diag = {0};
    size_t name_len;

    if ((is_notification(event->type)
             ? orgcast_event_check_notification(&event->data.notification, &diag)
             : orgcast_event_check_invoice(event->type, &event->data.invoice, &diag)) == ORGCAST_OK)
        return true;
    name_len = strcspn(diag.message, " ");
    if (diag.message[name_len] == '\0')
        return fault(ret_fault, "", "", "%s", diag.message);
    diag.message[name_len] = '\0';
    return fault(ret_fault, "", diag.message, "%s", diag.message + name_len + 1);
}

bool cli_event_from_json(json_t *object, cli_event_t *event, cli_event_fault_t *ret_fault)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    target_t target = {.skip = "type", .prefix = "", .into = &event->data};

    *event = (cli_event_t){0};
    if (!type)
        return fault(ret_fault, "", "type",
                     json_object_get(object, "type") ? "must be a string" : "is missing");
    event->type = oc_event_type_parse(type);
    if (event->type == ORGCAST_EVENT_UNSET)
        return fault(ret_fault, "", "type", "is no event type, as invoice.paid is one");
    target.fields = fields_of(event->type, &target.fields_count);
    return take_fields(object, &target, &event->previous, ret_fault) && check(event, ret_fault);
}

static const field_t *find_field(orgcast_event_type_t type, cli_opt_t opt, const char *name)
{
    size_t count;
    const field_t *fields = fields_of(type, &count);

    for (size_t i = 0; i < count; i++) {
        if (name ? strcmp(fields[i].name, name) == 0 : fields[i].opt == opt)
            return &fields[i];
    }
    return NULL;
}

/* Among the fields of the type; then, for a better message, among those of the other types. */
static const field_t *find_field_anywhere(orgcast_event_type_t type, cli_opt_t opt,
                                          const char *name)
{
    const field_t *field = find_field(type, opt, name);

    if (!field)
        field = find_field(ORGCAST_EVENT_INVOICE_CREATED, opt, name);
    return field ? field : find_field(ORGCAST_EVENT_NOTIFICATION_CREATED, opt, name);
}

const char *cli_event_flag(const char *field)
{
    const field_t *found = find_field_anywhere(ORGCAST_EVENT_UNSET, CLI_OPT_NONE, field);

    return found ? cli_opt_name(found->opt) : NULL;
}

static json_t *value_from_text(const cli_args_t *args, const field_t *field, const char *text)
{
    json_t *value = NULL;

    if (field->kind == PREVIOUS) {
        if (oc_json_load(text, strlen(text), &value, NULL) != OC_OK)
            (void)cli_usage_error(args, "--%s must be a JSON object", cli_opt_name(field->opt));
        return value;
    }
    value = json_string(text);
    if (!value)
        (void)cli_usage_error(args, "--%s must be UTF-8", cli_opt_name(field->opt));
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
        const field_t *field =
            find_field_anywhere(oc_event_type_parse(type), args->given[i].opt, NULL);
        json_t *value;

        if (!field)
            continue;
        value = value_from_text(args, field, args->given[i].value);
        if (!value)
            return NULL;
        if (json_object_set_new(object, field->name, value) != 0) {
            (void)cli_error(args, "out of memory");
            return NULL;
        }
    }
    return oc_take(object);
}

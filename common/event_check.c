/* SPDX-License-Identifier: MIT */
#include "event_check.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "event_rules.h"
#include "event_text.h"
#include "json.h"
#include "utf8.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* "data.previous", and room for deeper ones. */
#define PATH_MAX_BYTES 192

static oc_err_t fault(oc_diag_t *diag, const char *field, const char *what)
{
    return oc_fail(diag, OC_E_EVENT_INVALID, "%s %s", field, what);
}

/* --- The envelope --- */

static const char *specversion_fault(const char *text)
{
    return strcmp(text, "1.0") == 0 ? NULL : "must be 1.0";
}

/* CloudEvents 1.0.2 §3: the context attributes, and this project's extension. */
static const struct attribute {
    const char *name;
    bool required;
    const char *(*fault)(const char *text); /* NULL: any text but an empty one */
} attributes[] = {
    {"specversion", true, specversion_fault},
    {"id", true, NULL},
    {"source", true, oc_event_uri_reference_fault},
    {"type", true, NULL},
    {"organizationid", true, NULL},
    {"subject", false, NULL},
    {"time", false, oc_event_time_fault},
    {"datacontenttype", false, NULL},
    {"dataschema", false, oc_event_uri_fault},
};

static bool is_attribute(const char *name)
{
    for (size_t i = 0; i < COUNT(attributes); i++) {
        if (strcmp(attributes[i].name, name) == 0)
            return true;
    }
    return false;
}

/* JSON format 1.0.2 §2.2: null is as good as absent. */
static json_t *get_attribute(const json_t *event, const char *name)
{
    json_t *value = json_object_get(event, name);

    return json_is_null(value) ? NULL : value;
}

/* CloudEvents 1.0.2 §3.1, String: no control characters, no noncharacters. */
static bool is_clean(const json_t *text)
{
    return oc_utf8_printable(json_string_value(text), json_string_length(text));
}

static oc_err_t check_attribute(const json_t *event, const struct attribute *attribute,
                                oc_diag_t *diag)
{
    const json_t *value = get_attribute(event, attribute->name);
    const char *what = NULL;

    if (!value)
        return attribute->required ? fault(diag, attribute->name, "is missing") : OC_OK;
    if (!json_is_string(value))
        return fault(diag, attribute->name, "must be a string");
    if (json_string_length(value) == 0)
        return fault(diag, attribute->name, "must not be empty");
    if (!is_clean(value))
        return fault(diag, attribute->name, "must be without control characters");
    if (attribute->fault)
        what = attribute->fault(json_string_value(value));
    return what ? fault(diag, attribute->name, what) : OC_OK;
}

/* CloudEvents 1.0.2 §3: lower-case letters and digits. */
static bool is_attribute_name(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789")] == '\0';
}

/* CloudEvents 1.0.2 §3.1 has these types in JSON, numbers being 32-bit integers. */
static bool is_attribute_value(const json_t *value)
{
    if (json_is_string(value))
        return is_clean(value);
    if (json_is_integer(value))
        return json_integer_value(value) >= INT32_MIN && json_integer_value(value) <= INT32_MAX;
    return json_is_boolean(value) || json_is_null(value);
}

static oc_err_t check_extensions(json_t *event, oc_diag_t *diag)
{
    const char *name;
    json_t *value;

    json_object_foreach(event, name, value)
    {
        if (is_attribute(name) || strcmp(name, "data") == 0 || strcmp(name, "data_base64") == 0)
            continue;
        if (!is_attribute_name(name))
            return fault(diag, "event",
                         "has an attribute whose name is not of lower-case letters and digits");
        if (!is_attribute_value(value))
            return fault(diag, "event",
                         "has an extension attribute that is no text, integer or boolean");
    }
    return OC_OK;
}

static bool is_text(const json_t *value, const char *text, size_t len)
{
    return json_string_length(value) == len && memcmp(json_string_value(value), text, len) == 0;
}

static oc_err_t check_envelope(json_t *event, const char *org, size_t org_len, oc_diag_t *diag)
{
    const json_t *base64 = get_attribute(event, "data_base64");
    oc_err_t err;

    for (size_t i = 0; i < COUNT(attributes); i++) {
        err = check_attribute(event, &attributes[i], diag);
        if (err)
            return err;
    }
    if (!is_text(json_object_get(event, "organizationid"), org, org_len))
        return fault(diag, "organizationid", "is not the topic's organization");
    if (base64 && !json_is_string(base64))
        return fault(diag, "data_base64", "must be a string");
    if (base64 && json_object_get(event, "data"))
        return fault(diag, "data_base64", "must not stand beside data");
    return check_extensions(event, diag);
}

/* --- The data --- */

static oc_err_t check_object(const oc_event_object_t *rule, size_t type, const char *path,
                             const json_t *object, oc_diag_t *diag);

static oc_err_t member_fault(oc_diag_t *diag, const char *path, const char *name, const char *what)
{
    return oc_fail(diag, OC_E_EVENT_INVALID, "%s.%s %s", path, name, what);
}

static oc_err_t check_nested(const oc_event_field_t *field, size_t type, const char *path,
                             const json_t *value, oc_diag_t *diag)
{
    char inner[PATH_MAX_BYTES];

    if (!json_is_object(value))
        return member_fault(diag, path, field->name, "must be an object");
    (void)snprintf(inner, sizeof inner, "%s.%s", path, field->name);
    return check_object(field->object, type, inner, value, diag);
}

static oc_err_t check_field(const oc_event_field_t *field, size_t type, const char *path,
                            const json_t *value, oc_diag_t *diag)
{
    const char *what = NULL;

    if (field->only != 0 && (field->only & UINT64_C(1) << type) == 0)
        return member_fault(diag, path, field->name, field->only_fault);
    if (field->kind == OC_EVENT_KIND_OBJECT)
        return check_nested(field, type, path, value, diag);
    if (!json_is_string(value))
        return member_fault(diag, path, field->name, "must be a string");
    if (field->kind == OC_EVENT_KIND_TEXT)
        what = oc_event_text_fault(field, json_string_value(value), json_string_length(value));
    else if (oc_event_enum_find(field->values, json_string_value(value)) == 0)
        what = field->values->fault;
    return what ? member_fault(diag, path, field->name, what) : OC_OK;
}

static oc_err_t check_object(const oc_event_object_t *rule, size_t type, const char *path,
                             const json_t *object, oc_diag_t *diag)
{
    size_t known = 0;

    for (size_t i = 0; i < rule->count; i++) {
        const oc_event_field_t *field = &rule->fields[i];
        const json_t *value = json_object_get(object, field->name);
        oc_err_t err;

        if (!value) {
            if (field->required)
                return member_fault(diag, path, field->name, "is missing");
            continue;
        }
        known++;
        err = check_field(field, type, path, value, diag);
        if (err)
            return err;
    }
    if (known < json_object_size(object) && !rule->open)
        return fault(diag, path, "has a member that is not in the catalogue");
    return OC_OK;
}

/* --- The type, and where it belongs --- */

/* What the topic says of the events on it. */
typedef struct place {
    const char *org;
    size_t org_len;
    const char *word;
    size_t word_len;
    const char *entity;
} place_t;

/* The last two levels of a topic that has one more before them, for the organization. */
static bool split_topic(const char *topic, place_t *place)
{
    const char *last = strrchr(topic, '/');
    const char *before = last ? memrchr(topic, '/', (size_t)(last - topic)) : NULL;

    if (!before)
        return false;
    place->word = before + 1;
    place->word_len = (size_t)(last - place->word);
    place->entity = last + 1;
    return true;
}

static oc_err_t check_place(const json_t *event, const oc_event_rule_t *rule, const place_t *place,
                            oc_diag_t *diag)
{
    if (strlen(rule->topic_word) != place->word_len ||
        memcmp(rule->topic_word, place->word, place->word_len) != 0)
        return fault(diag, "type", "is not what the topic is for");
    if (!get_attribute(event, "subject"))
        return fault(diag, "subject", "is missing");
    if (!is_text(json_object_get(event, "subject"), place->entity, strlen(place->entity)))
        return fault(diag, "subject", "is not the topic's last level");
    return OC_OK;
}

/* What a sender need not say, but must not say otherwise. */
static oc_err_t check_format(const json_t *event, const oc_event_rule_t *rule, oc_diag_t *diag)
{
    const json_t *content = get_attribute(event, "datacontenttype");
    const json_t *schema = get_attribute(event, "dataschema");

    if (content && strcmp(json_string_value(content), "application/json") != 0)
        return fault(diag, "datacontenttype", "must be application/json");
    if (schema && strcmp(json_string_value(schema), rule->data->schema) != 0)
        return fault(diag, "dataschema", "is not that of the type");
    if (get_attribute(event, "data_base64"))
        return fault(diag, "data_base64", "is not for events of the catalogue");
    return OC_OK;
}

static oc_err_t check_data(const json_t *event, size_t type, const place_t *place, oc_diag_t *diag)
{
    const oc_event_data_t *rule = oc_event_rules[type].data;
    const json_t *data = json_object_get(event, "data");
    const char *name;
    oc_err_t err;

    if (!data)
        return fault(diag, "data", "is missing");
    if (!json_is_object(data))
        return fault(diag, "data", "must be an object");
    err = check_object(rule->object, type, "data", data, diag);
    if (err)
        return err;
    name = rule->object->fields[rule->organization].name;
    if (!is_text(json_object_get(data, name), place->org, place->org_len))
        return member_fault(diag, "data", name, "is not the topic's organization");
    name = rule->object->fields[rule->entity].name;
    if (!is_text(json_object_get(data, name), place->entity, strlen(place->entity)))
        return member_fault(diag, "data", name, "is not the topic's last level");
    return OC_OK;
}

static oc_err_t check_catalogue(const json_t *event, const char *org, size_t org_len,
                                const char *topic, oc_diag_t *diag)
{
    size_t type = oc_event_rule_find(json_string_value(json_object_get(event, "type")));
    place_t place = {.org = org, .org_len = org_len};
    oc_err_t err;

    if (type == 0)
        return fault(diag, "type", "is not in the catalogue");
    if (!split_topic(topic, &place))
        return fault(diag, "type", "needs a topic that ends in {event}/{entity}");
    err = check_place(event, &oc_event_rules[type], &place, diag);
    if (!err)
        err = check_format(event, &oc_event_rules[type], diag);
    return err ? err : check_data(event, type, &place, diag);
}

oc_err_t oc_event_check(oc_event_mode_t mode, const char *org, size_t org_len, const char *topic,
                        const char *payload, size_t payload_len, oc_diag_t *diag)
{
    OC_CLEANUP(oc_json_decrefp) json_t *event = NULL;
    oc_diag_t cause = {0};
    oc_err_t err;

    if (!oc_json_small(payload, payload_len, OC_EVENT_VALUES_MAX))
        return oc_fail(diag, OC_E_EVENT_INVALID, "event has more than %d JSON values",
                       OC_EVENT_VALUES_MAX);
    err = oc_json_load_any_number(payload, payload_len, &event, &cause);
    if (err)
        return oc_fail(diag, err == OC_E_NOMEM ? OC_E_NOMEM : OC_E_EVENT_INVALID, "event is %s",
                       cause.message);
    err = check_envelope(event, org, org_len, diag);
    if (err || mode == OC_EVENT_MODE_ENVELOPE)
        return err;
    return check_catalogue(event, org, org_len, topic, diag);
}

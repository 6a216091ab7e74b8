/* SPDX-License-Identifier: MIT */
#include "encode.h"

#include <cJSON.h>
#include <stdbool.h>
#include <string.h>

#include "err.h"

static void json_deletep(cJSON **json)
{
    cJSON_Delete(*json);
}

/* Takes item, also when it fails. key is a literal. */
static bool put_item(cJSON *object, const char *key, cJSON *item)
{
    if (item && cJSON_AddItemToObjectCS(object, key, item))
        return true;
    cJSON_Delete(item);
    return false;
}

/* value is only referred to: it outlives the tree. */
static bool put(cJSON *object, const char *key, const char *value)
{
    return put_item(object, key, cJSON_CreateStringReference(value));
}

/* The time of the emit call, for an event that names none. */
typedef struct fill {
    const oc_event_field_t *field;
    const char *text;
} fill_t;

static bool put_object(cJSON *into, const oc_event_object_t *rule, const oc_event_slot_t *slots,
                       const void *data, const fill_t *fill);

/* An object without a field that is set is absent, as one is to which nothing points. */
static bool put_nested(cJSON *into, const oc_event_field_t *field, const oc_event_slot_t *slot,
                       const void *data, const fill_t *fill)
{
    const void *inner = oc_event_get_object(slot, data);
    cJSON *object;

    if (!inner)
        return true;
    object = cJSON_CreateObject();
    if (object && put_object(object, field->object, slot->inner, inner, fill)) {
        if (object->child)
            return put_item(into, field->name, object);
        cJSON_Delete(object);
        return true;
    }
    cJSON_Delete(object);
    return false;
}

static bool put_object(cJSON *into, const oc_event_object_t *rule, const oc_event_slot_t *slots,
                       const void *data, const fill_t *fill)
{
    for (size_t i = 0; i < rule->count; i++) {
        const oc_event_field_t *field = &rule->fields[i];
        const char *text;

        if (field->kind == OC_EVENT_KIND_OBJECT) {
            if (!put_nested(into, field, &slots[i], data, fill))
                return false;
            continue;
        }
        text = oc_event_get_text(field, &slots[i], data);
        if (!text && field == fill->field)
            text = fill->text;
        if (text && !put(into, field->name, text))
            return false;
    }
    return true;
}

orgcast_err_t oc_encode_event(const oc_event_t *event, const char *source, const char *event_id,
                              const char *now, char **ret_json, size_t *ret_json_len)
{
    OC_CLEANUP(json_deletep) cJSON *root = cJSON_CreateObject();
    const oc_event_data_t *rule = oc_event_rules[event->type].data;
    const fill_t fill = {&rule->object->fields[rule->time], now};
    const char *time = oc_event_timestamp(event);
    cJSON *data;
    char *json;

    if (!put(root, "specversion", "1.0") || !put(root, "id", event_id) ||
        !put(root, "source", source) || !put(root, "type", oc_event_type_name(event->type)) ||
        !put(root, "subject", oc_event_subject(event)) || !put(root, "time", time ? time : now) ||
        !put(root, "datacontenttype", "application/json") ||
        !put(root, "dataschema", rule->schema) ||
        !put(root, "organizationid", oc_event_organization_id(event)))
        return ORGCAST_E_NOMEM;

    data = cJSON_CreateObject();
    if (!put_item(root, "data", data))
        return ORGCAST_E_NOMEM;
    if (!put_object(data, rule->object, oc_event_slots[event->type], event->data, &fill))
        return ORGCAST_E_NOMEM;

    json = cJSON_PrintUnformatted(root);
    if (!json)
        return ORGCAST_E_NOMEM;
    *ret_json_len = strlen(json);
    *ret_json = json;
    return ORGCAST_OK;
}

/* SPDX-License-Identifier: MIT */
#include "encode.h"

#include <cJSON.h>
#include <stdbool.h>
#include <string.h>

#include "err.h"

#define SCHEMA_INVOICE "urn:orgcast:invoice:1"
#define SCHEMA_NOTIFICATION "urn:orgcast:notification:1"

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

static bool put_if(cJSON *object, const char *key, const char *value)
{
    return !value || put(object, key, value);
}

static bool put_previous(cJSON *data, const orgcast_invoice_previous_t *previous)
{
    const char *status = previous ? oc_invoice_status_name(previous->status) : NULL;
    cJSON *object;

    if (!previous ||
        !(previous->invoice_number || previous->amount || previous->currency || status))
        return true;
    object = cJSON_CreateObject();
    return put_item(data, "previous", object) &&
           put_if(object, "invoiceNumber", previous->invoice_number) &&
           put_if(object, "amount", previous->amount) &&
           put_if(object, "currency", previous->currency) && put_if(object, "status", status);
}

static bool put_invoice(cJSON *data, const orgcast_invoice_event_t *invoice, const char *time)
{
    return put(data, "organizationId", invoice->organization_id) &&
           put(data, "invoiceId", invoice->invoice_id) &&
           put(data, "invoiceNumber", invoice->invoice_number) &&
           put(data, "amount", invoice->amount) && put(data, "currency", invoice->currency) &&
           put(data, "status", oc_invoice_status_name(invoice->status)) &&
           put(data, "timestamp", time) && put_previous(data, invoice->previous);
}

static bool put_notification(cJSON *data, const orgcast_notification_event_t *notification,
                             const char *time)
{
    return put(data, "organizationId", notification->organization_id) &&
           put(data, "notificationId", notification->notification_id) &&
           put(data, "title", notification->title) && put(data, "message", notification->message) &&
           put(data, "type", oc_notification_type_name(notification->type)) &&
           put_if(data, "invoiceId", notification->invoice_id) && put(data, "timestamp", time);
}

orgcast_err_t oc_encode_event(const oc_event_t *event, const char *source, const char *event_id,
                              const char *now, char **ret_json, size_t *ret_json_len)
{
    OC_CLEANUP(json_deletep) cJSON *root = cJSON_CreateObject();
    bool notification = event->type == ORGCAST_EVENT_NOTIFICATION_CREATED;
    const char *time = oc_event_timestamp(event);
    cJSON *data;
    char *json;

    if (!time)
        time = now;
    if (!put(root, "specversion", "1.0") || !put(root, "id", event_id) ||
        !put(root, "source", source) || !put(root, "type", oc_event_type_name(event->type)) ||
        !put(root, "subject", oc_event_subject(event)) || !put(root, "time", time) ||
        !put(root, "datacontenttype", "application/json") ||
        !put(root, "dataschema", notification ? SCHEMA_NOTIFICATION : SCHEMA_INVOICE) ||
        !put(root, "organizationid", oc_event_organization_id(event)))
        return ORGCAST_E_NOMEM;

    data = cJSON_CreateObject();
    if (!put_item(root, "data", data))
        return ORGCAST_E_NOMEM;
    if (notification ? !put_notification(data, event->data.notification, time)
                     : !put_invoice(data, event->data.invoice, time))
        return ORGCAST_E_NOMEM;

    json = cJSON_PrintUnformatted(root);
    if (!json)
        return ORGCAST_E_NOMEM;
    *ret_json_len = strlen(json);
    *ret_json = json;
    return ORGCAST_OK;
}

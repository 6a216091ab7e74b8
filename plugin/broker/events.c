/* SPDX-License-Identifier: MIT */

/* What is published under the templates, whoever sent it: checked, counted, given its number. */

#include <mqtt_protocol.h>
#include <stdlib.h>
#include <string.h>

#include "acl.h"
#include "event_check.h"
#include "plugin.h"

static const oc_stamp_memory_t broker_memory = {mosquitto_malloc, mosquitto_free};

oc_err_t event_check(const oc_config_t *config, const event_t *event, oc_diag_t *diag)
{
    const char *topic = event->topic;
    const void *payload = event->payload;
    size_t len = event->payload_len;
    oc_slice_t org = event->org;

    if (event->retain && config->validate_events != OC_EVENTS_OFF)
        return oc_fail(diag, OC_E_RETAIN_NOT_ALLOWED, "events are not retained");
    if (len > (size_t)config->event_max_bytes)
        return oc_fail(diag, OC_E_EVENT_TOO_LARGE, "%zu bytes; max_event_bytes is %lld", len,
                       (long long)config->event_max_bytes);
    switch (config->validate_events) {
    case OC_EVENTS_CATALOGUE:
        return oc_event_check(OC_EVENT_MODE_CATALOGUE, org.start, org.len, topic, payload, len,
                              diag);
    case OC_EVENTS_ENVELOPE:
        return oc_event_check(OC_EVENT_MODE_ENVELOPE, org.start, org.len, topic, payload, len,
                              diag);
    case OC_EVENTS_OFF:
        return OC_OK;
    }
    return OC_E_INTERNAL;
}

/* White space, and what UTF-16 and UTF-32 have beside each character of ASCII. */
static size_t skip_filling(const char *payload, size_t len, size_t at)
{
    while (at < len && memchr(" \t\r\n", payload[at], sizeof " \t\r\n"))
        at++;
    return at;
}

static size_t skip_byte_order_mark(const char *payload, size_t len, size_t at)
{
    static const char *const marks[] = {"\xEF\xBB\xBF", "\xFE\xFF", "\xFF\xFE"};

    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        size_t mark_len = strlen(marks[i]);

        if (len - at >= mark_len && memcmp(payload + at, marks[i], mark_len) == 0)
            return at + mark_len;
    }
    return at;
}

/* Whether a reader of JSON could take it for an object, in whatever encoding: some find that out by
 * themselves. */
static bool object_shaped(const char *payload, size_t len)
{
    size_t at = skip_filling(payload, len, 0);

    at = skip_filling(payload, len, skip_byte_order_mark(payload, len, at));
    if (at == len || payload[at] != '{')
        return false;
    if (!memchr(payload, '\0', at))
        return true;
    /* Another format may well have a NUL before that byte, a length for example. */
    at = skip_filling(payload, len, at + 1);
    return at < len && (payload[at] == '"' || payload[at] == '}');
}

/* Whether an event gets a number. With validate_events off, only what looks like a JSON object does. */
static bool is_numbered(const oc_config_t *config, const event_t *event)
{
    return config->stamp_sequence && (config->validate_events != OC_EVENTS_OFF ||
                                      object_shaped(event->payload, event->payload_len));
}

bool event_governed(const oc_config_t *config, const event_t *event)
{
    return config->validate_events != OC_EVENTS_OFF ||
           event->payload_len > (size_t)config->event_max_bytes || is_numbered(config, event);
}

/* --- Events that the broker is to show --- */

static bool reserve(oc_expected_t *expected, size_t size)
{
    char *text;

    if (size <= expected->capacity)
        return true;
    text = realloc(expected->text, size);
    if (!text)
        return false;
    expected->text = text;
    expected->capacity = size;
    return true;
}

oc_err_t event_expect(plugin_t *plugin, const event_t *event, const void *client, bool foreign,
                      oc_diag_t *diag)
{
    const oc_config_t *config = &plugin->config;
    oc_expected_t *expected = &plugin->gate.shared->expected;
    size_t topic_len = strlen(event->topic);
    size_t kept_len = event->payload_len;

    expected->set = false;
    /* The broker stores a retained Will before it asks for any subscriber. */
    if (event->retain && config->validate_events != OC_EVENTS_OFF)
        return oc_fail(diag, OC_E_RETAIN_NOT_ALLOWED, "events are not retained");
    if (!event_governed(config, event))
        return OC_OK;
    if (kept_len > (size_t)config->event_max_bytes)
        kept_len = (size_t)config->event_max_bytes;
    if (!reserve(expected, topic_len + 1 + kept_len))
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    memcpy(expected->text, event->topic, topic_len + 1);
    if (kept_len > 0)
        memcpy(expected->text + topic_len + 1, event->payload, kept_len);
    expected->set = true;
    expected->foreign = foreign;
    expected->client = client;
    expected->qos = event->qos;
    expected->topic_len = topic_len;
    expected->payload_len = event->payload_len;
    expected->kept_len = kept_len;
    return OC_OK;
}

void event_shown(plugin_t *plugin)
{
    plugin->gate.shared->expected.set = false;
}

/* Compares the bytes: another plugin may have denied the expected event, and that must not keep back one that waited in
 * a queue. */
bool event_not_shown(const plugin_t *plugin, const char *topic, const void *payload, size_t len)
{
    const oc_expected_t *expected = &plugin->gate.shared->expected;

    return expected->set && expected->payload_len == len && strcmp(expected->text, topic) == 0 &&
           (len == 0 ||
            memcmp(expected->text + expected->topic_len + 1, payload, expected->kept_len) == 0);
}

bool event_take_expected(plugin_t *plugin, const void *client, event_t *ret_will, bool *ret_foreign)
{
    oc_expected_t *expected = &plugin->gate.shared->expected;

    if (!expected->set || expected->client != client)
        return false;
    expected->set = false;
    *ret_foreign = expected->foreign;
    *ret_will = (event_t){.topic = expected->text,
                          .payload = expected->text + expected->topic_len + 1,
                          .payload_len = expected->payload_len,
                          .qos = expected->qos};
    return oc_acl_governs(&plugin->config.acl_rules, ret_will->topic, &ret_will->org);
}

/* --- Events that go to the subscribers --- */

static oc_err_t number(plugin_t *plugin, const event_t *event, stamped_t *ret_stamped,
                       oc_diag_t *diag)
{
    const oc_stream_event_t appended = {.org = event->org,
                                        .topic = event->topic,
                                        .payload = event->payload,
                                        .payload_len = event->payload_len,
                                        .flow = event->flow};
    oc_err_t err;

    if (!is_numbered(&plugin->config, event))
        return OC_OK;
    err = oc_stream_append(plugin->gate.shared->stream, &appended, &broker_memory,
                           &ret_stamped->payload, &ret_stamped->len);
    if (err == OC_E_EVENT_INVALID)
        return oc_fail(diag, err, "it begins like a JSON object, and is not one");
    return err ? oc_fail(diag, err, "out of memory") : OC_OK;
}

oc_err_t event_take(plugin_t *plugin, const event_t *event, stamped_t *ret_stamped, oc_diag_t *diag)
{
    oc_shared_t *shared = plugin->gate.shared;
    oc_slice_t org = event->org;
    stamped_t stamped = {0};
    oc_err_t err = oc_limits_publish(shared->limits, &plugin->config.limits, org.start, org.len,
                                     monotonic_ms(), diag);

    if (!err) {
        err = event_check(&plugin->config, event, diag);
        if (!err)
            err = number(plugin, event, &stamped, diag);
        if (err)
            oc_limits_refused(shared->limits, org.start, org.len);
    }
    shared->metrics.events[err]++;
    if (!err)
        *ret_stamped = stamped;
    return err;
}

oc_err_t event_properties(const oc_config_t *config, mosquitto_property **ret_properties,
                          oc_diag_t *diag)
{
    mosquitto_property *properties = NULL;

    if (config->validate_events != OC_EVENTS_OFF &&
        mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE, OC_EVENT_CONTENT_TYPE) !=
            MOSQ_ERR_SUCCESS)
        return oc_fail(diag, OC_E_NOMEM, "out of memory");
    *ret_properties = properties;
    return OC_OK;
}

static bool copy_payload(const void *payload, size_t len, stamped_t *ret_copy)
{
    char *copy = mosquitto_malloc(len + 1);

    if (!copy)
        return false;
    if (len > 0)
        memcpy(copy, payload, len);
    copy[len] = '\0';
    *ret_copy = (stamped_t){copy, len};
    return true;
}

/* Takes the payload. */
static bool publish(const oc_config_t *config, const char *client_id, const char *topic,
                    const stamped_t *event, int qos)
{
    mosquitto_property *properties = NULL;
    oc_diag_t diag = {0};

    if (event_properties(config, &properties, &diag) == OC_OK &&
        mosquitto_broker_publish(client_id, topic, (int)event->len, event->payload, qos, false,
                                 properties) == MOSQ_ERR_SUCCESS)
        return true;
    mosquitto_property_free_all(&properties);
    mosquitto_free(event->payload);
    return false;
}

bool event_publish(const plugin_t *plugin, const event_t *event, const stamped_t *stamped)
{
    stamped_t sent = *stamped;

    return (sent.payload || copy_payload(event->payload, event->payload_len, &sent)) &&
           publish(&plugin->config, NULL, event->topic, &sent, event->qos);
}

bool event_send(const plugin_t *plugin, const char *client_id, const char *topic,
                const char *payload, size_t len)
{
    stamped_t copy;

    return copy_payload(payload, len, &copy) &&
           publish(&plugin->config, client_id, topic, &copy, 0);
}

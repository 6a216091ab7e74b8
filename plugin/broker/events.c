/* SPDX-License-Identifier: MIT */

/* What is published under the templates, whoever sent it: checked, counted, given its number. */

#include <mqtt_protocol.h>
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

bool event_numbered(const oc_config_t *config, const event_t *event)
{
    return config->stamp_sequence && (config->validate_events != OC_EVENTS_OFF ||
                                      object_shaped(event->payload, event->payload_len));
}

static uint64_t hash_of(const plugin_t *plugin, const char *topic, const void *payload, size_t len)
{
    const oc_name_key_t *key = &plugin->gate.shared->unshown_key;

    return oc_name_hash(key, topic, strlen(topic)) << 1 ^ oc_name_hash(key, payload, len);
}

void event_announce(plugin_t *plugin, const event_t *event)
{
    oc_shared_t *shared = plugin->gate.shared;

    shared->unshown =
        plugin->config.validate_events != OC_EVENTS_OFF || event_numbered(&plugin->config, event);
    if (!shared->unshown)
        return;
    shared->unshown_hash = hash_of(plugin, event->topic, event->payload, event->payload_len);
    shared->unshown_len = event->payload_len;
}

void event_shown(plugin_t *plugin)
{
    plugin->gate.shared->unshown = false;
}

/* Its bytes are compared, since what another authenticator's client was then denied leaves its announcement behind,
 * and must not keep back an event that waited in a queue. */
bool event_unshown(const plugin_t *plugin, const char *topic, const void *payload, size_t len)
{
    const oc_shared_t *shared = plugin->gate.shared;

    return shared->unshown && shared->unshown_len == len &&
           shared->unshown_hash == hash_of(plugin, topic, payload, len);
}

static oc_err_t number(plugin_t *plugin, const event_t *event, stamped_t *ret_stamped,
                       oc_diag_t *diag)
{
    /* Until its release the broker shows an event of QoS 2 again whenever it comes again. */
    const oc_stream_event_t appended = {.org = event->org,
                                        .topic = event->topic,
                                        .payload = event->payload,
                                        .payload_len = event->payload_len,
                                        .may_repeat = event->qos == 2};
    oc_err_t err;

    if (!event_numbered(&plugin->config, event))
        return OC_OK;
    err = oc_stream_append(plugin->gate.shared->stream, &appended, &broker_memory,
                           &ret_stamped->payload, &ret_stamped->len);
    if (err == OC_E_EVENT_INVALID)
        return oc_fail(diag, err, "it begins like a JSON object, and is none");
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

/* The payload is the broker's from now on. */
static bool publish(const oc_config_t *config, const char *client_id, const char *topic,
                    const stamped_t *event, int qos)
{
    mosquitto_property *properties = NULL;

    /* Without memory for it, clients are not told the content's type. */
    if (config->validate_events != OC_EVENTS_OFF)
        (void)mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE,
                                            OC_EVENT_CONTENT_TYPE);
    if (mosquitto_broker_publish(client_id, topic, (int)event->len, event->payload, qos, false,
                                 properties) == MOSQ_ERR_SUCCESS)
        return true;
    mosquitto_property_free_all(&properties);
    mosquitto_free(event->payload);
    return false;
}

bool event_publish(const plugin_t *plugin, const event_t *event, const stamped_t *stamped)
{
    return publish(&plugin->config, NULL, event->topic, stamped, event->qos);
}

bool event_send(const plugin_t *plugin, const char *client_id, const char *topic,
                const char *payload, size_t len)
{
    const stamped_t copy = {.payload = mosquitto_malloc(len + 1), .len = len};

    if (!copy.payload)
        return false;
    memcpy(copy.payload, payload, len);
    copy.payload[len] = '\0';
    return publish(&plugin->config, client_id, topic, &copy, 0);
}

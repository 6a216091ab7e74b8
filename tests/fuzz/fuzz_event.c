/* SPDX-License-Identifier: MIT */
/* A topic, and a payload for it. What is taken as an event of the catalogue is one: a CloudEvent too, of this
 * topic, this organization and this entity, and the same when it is written anew. */
#include <jansson.h>
#include <stdbool.h>

#include "event_check.h"
#include "event_rules.h"
#include "fuzz.h"
#include "json.h"

typedef struct place {
    const char *topic;
    const char *org;
    size_t org_len;
} place_t;

static const char *text_of(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    MUST_HOLD(json_is_string(value));
    MUST_HOLD(strlen(json_string_value(value)) == json_string_length(value));
    return json_string_value(value);
}

static bool is_org(const place_t *place, const char *text)
{
    return strlen(text) == place->org_len && memcmp(text, place->org, place->org_len) == 0;
}

static oc_err_t check(const place_t *place, oc_event_mode_t mode, const char *payload, size_t len)
{
    oc_diag_t diag = {0};
    oc_err_t err =
        oc_event_check(mode, place->org, place->org_len, place->topic, payload, len, &diag);

    MUST_HOLD(err == OC_OK || err == OC_E_EVENT_INVALID);
    MUST_HOLD(diag.code == err && (err == OC_OK) == (diag.message[0] == '\0'));
    for (const char *c = diag.message; *c; c++)
        MUST_HOLD(*c >= ' ' && *c <= '~');
    return err;
}

static void check_amount(const char *amount)
{
    size_t whole, fraction = 0;
    const char *at = amount + (*amount == '-');

    whole = strspn(at, "0123456789");
    at += whole;
    if (*at == '.') {
        fraction = strspn(at + 1, "0123456789");
        MUST_HOLD(fraction > 0);
        at += 1 + fraction;
    }
    MUST_HOLD(*at == '\0' && whole > 0 && whole <= 18 && fraction <= 6);
}

static void check_taken(const place_t *place, const json_t *event)
{
    const oc_event_rule_t *rule = &oc_event_rules[oc_event_rule_find(text_of(event, "type"))];
    const json_t *data = json_object_get(event, "data");
    const char *entity = strrchr(place->topic, '/') + 1;
    char end[300];

    MUST_HOLD(rule->name);
    (void)snprintf(end, sizeof end, "/%s/%s", rule->topic_word, entity);
    MUST_HOLD(strlen(place->topic) > strlen(end));
    MUST_HOLD(strcmp(place->topic + strlen(place->topic) - strlen(end), end) == 0);
    MUST_HOLD(strcmp(text_of(event, "subject"), entity) == 0);
    MUST_HOLD(is_org(place, text_of(event, "organizationid")));
    MUST_HOLD(is_org(place, text_of(data, "organizationId")));
    MUST_HOLD(strcmp(text_of(data, rule->data->object->fields[rule->data->entity].name), entity) ==
              0);
    MUST_HOLD(json_object_size(data) <= rule->data->object->count);
    if (json_object_get(data, "amount"))
        check_amount(text_of(data, "amount"));
}

static void check_anew(const place_t *place, oc_event_mode_t mode, const char *payload, size_t len)
{
    json_t *event = NULL;
    char *anew;

    MUST_HOLD(oc_json_load_any_number(payload, len, &event, NULL) == OC_OK);
    if (mode == OC_EVENT_MODE_CATALOGUE)
        check_taken(place, event);
    MUST_HOLD(is_org(place, text_of(event, "organizationid")));
    MUST_HOLD(strcmp(text_of(event, "specversion"), "1.0") == 0);
    anew = json_dumps(event, JSON_SORT_KEYS | JSON_ENSURE_ASCII);
    MUST_HOLD(anew);
    MUST_HOLD(check(place, mode, anew, strlen(anew)) == OC_OK);
    free(anew);
    json_decref(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *topic = fuzz_part(&data, &size);
    char *org = strchr(topic, '/');
    /* Exactly its length, so that reading behind it shows. */
    char *payload = malloc(size ? size : 1);
    place_t place = {.topic = topic};
    bool taken;

    MUST_HOLD(payload);
    if (size)
        memcpy(payload, data, size);
    /* As org/{org}/invoices/# finds it. */
    place.org = org ? org + 1 : topic;
    place.org_len = strcspn(place.org, "/");
    taken = check(&place, OC_EVENT_MODE_CATALOGUE, payload, size) == OC_OK;
    if (taken)
        check_anew(&place, OC_EVENT_MODE_CATALOGUE, payload, size);
    if (check(&place, OC_EVENT_MODE_ENVELOPE, payload, size) == OC_OK)
        check_anew(&place, OC_EVENT_MODE_ENVELOPE, payload, size);
    else
        MUST_HOLD(!taken);
    free(payload);
    free(topic);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* The vectors of events as the emitter's structs: what is valid there is accepted, encoded and valid again,
 * with the same data; what is not is refused, for the same field. */
#include <cJSON.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "encode.h"
#include "event_check.h"
#include "ids.h"
#include "json.h"
#include "unit.h"

/* Whatever the emitter would put in for a time that is missing: it must not be seen. */
#define NOW "1970-01-01T00:00:00.000Z"

/* A vector's payload, and the struct that says the same. */
typedef struct filled {
    json_t *json; /* what the struct points into */
    oc_event_t event;
    oc_event_struct_t data;
    oc_event_inner_t inner;
} filled_t;

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static size_t field_place(const oc_event_object_t *rule, const char *name)
{
    size_t i = 0;

    while (i < rule->count && strcmp(rule->fields[i].name, name) != 0)
        i++;
    return i;
}

static bool fill_object(const oc_event_object_t *rule, const oc_event_slot_t *slots, json_t *object,
                        void *into, oc_event_inner_t *inner);

/* A struct can hold any text, an enum's own values, and an object of which some field is set. */
static bool fill_field(const oc_event_field_t *field, const oc_event_slot_t *slot, json_t *value,
                       void *into, oc_event_inner_t *inner)
{
    char *at = (char *)into + slot->offset;
    const char *text = json_string_value(value);
    void *object = (char *)inner + slot->inner_offset;
    unsigned place;

    if (field->kind == OC_EVENT_KIND_OBJECT) {
        memcpy(at, &object, sizeof object);
        return json_object_size(value) > 0 &&
               fill_object(field->object, slot->inner, value, object, inner);
    }
    if (!text)
        return false;
    if (field->kind == OC_EVENT_KIND_TEXT) {
        memcpy(at, &text, sizeof text);
        return true;
    }
    place = (unsigned)oc_event_enum_find(field->values, text);
    memcpy(at, &place, sizeof place);
    return place != 0;
}

static bool fill_object(const oc_event_object_t *rule, const oc_event_slot_t *slots, json_t *object,
                        void *into, oc_event_inner_t *inner)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        size_t i = field_place(rule, name);

        if (i == rule->count || !fill_field(&rule->fields[i], &slots[i], value, into, inner))
            return false;
    }
    return true;
}

/* False: no struct says what the vector's data says. A time that is missing is one such thing, since the
 * emitter fills it in. Release ret_filled->json in both cases. */
static bool fill(const json_t *vector, filled_t *ret_filled)
{
    const char *payload = text_of(vector, "payload");
    const oc_event_data_t *rule;
    json_t *data;
    size_t type;

    memset(ret_filled, 0, sizeof *ret_filled);
    if (!payload || oc_json_load(payload, strlen(payload), &ret_filled->json, NULL))
        return false;
    data = json_object_get(ret_filled->json, "data");
    type = text_of(ret_filled->json, "type") ? oc_event_rule_find(text_of(ret_filled->json, "type"))
                                             : 0;
    if (type == 0 || !json_is_object(data))
        return false;
    rule = oc_event_rules[type].data;
    ret_filled->event.type = (orgcast_event_type_t)type;
    ret_filled->event.data = &ret_filled->data;
    return json_object_get(data, rule->object->fields[rule->time].name) &&
           fill_object(rule->object, oc_event_slots[type], data, &ret_filled->data,
                       &ret_filled->inner);
}

static json_t *load_vectors(void)
{
    json_t *file = json_load_file(ORGCAST_VECTORS "/events.json", JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_incref(json_object_get(file, "vectors"));

    ck_assert_uint_ge(json_array_size(list), 450);
    json_decref(file);
    return list;
}

static bool is_valid(const json_t *vector)
{
    return strcmp(text_of(vector, "catalogue"), "valid") == 0;
}

/* --- Valid ones --- */

static void check_is_valid(const json_t *vector, const char *topic, const char *json, size_t len)
{
    const char *org = text_of(vector, "organization");

    for (int mode = OC_EVENT_MODE_CATALOGUE; mode <= OC_EVENT_MODE_ENVELOPE; mode++) {
        oc_diag_t diag = {0};

        unit_check(oc_event_check((oc_event_mode_t)mode, org, strlen(org), topic, json, len,
                                  &diag) == OC_OK,
                   "%s, on %s: %s\n%s", text_of(vector, "name"), topic, diag.message, json);
    }
}

static void check_is_same(const char *name, const json_t *given, const char *encoded, size_t len)
{
    static const char *const members[] = {"specversion",    "id",      "source", "type",
                                          "organizationid", "subject", "data"};
    OC_CLEANUP(oc_json_decrefp) json_t *json = NULL;

    ck_assert_int_eq(oc_json_load(encoded, len, &json, NULL), OC_OK);
    for (size_t i = 0; i < COUNT(members); i++)
        unit_check(
            json_equal(json_object_get(given, members[i]), json_object_get(json, members[i])),
            "%s: %s is another one in\n%s", name, members[i], encoded);
    unit_check(!strstr(encoded, NOW), "%s: its time was not used", name);
}

static void round_trip(const json_t *vector, const filled_t *filled)
{
    char topic[OC_EVENT_TOPIC_LEN];
    orgcast_diag_t diag = {0};
    char *encoded = NULL;
    size_t len = 0;

    unit_check(oc_event_check_fields(&filled->event, &diag) == ORGCAST_OK, "%s: %s",
               text_of(vector, "name"), diag.message);
    ck_assert_int_eq(oc_encode_event(&filled->event, text_of(filled->json, "source"),
                                     text_of(filled->json, "id"), NOW, &encoded, &len),
                     ORGCAST_OK);
    oc_event_topic(&filled->event, topic);
    check_is_valid(vector, topic, encoded, len);
    check_is_valid(vector, text_of(vector, "topic"), encoded, len);
    check_is_same(text_of(vector, "name"), filled->json, encoded, len);
    cJSON_free(encoded);
}

/* Which no struct says. */
static const char *const not_expressible[] = {"no old value"};

START_TEST(valid_vectors_come_back)
{
    json_t *list = load_vectors();
    json_t *vector;
    size_t i;
    size_t done = 0;
    size_t left_out = 0;

    json_array_foreach(list, i, vector)
    {
        filled_t filled;

        if (!is_valid(vector))
            continue;
        if (fill(vector, &filled)) {
            round_trip(vector, &filled);
            done++;
        } else {
            unit_check(left_out < COUNT(not_expressible) &&
                           strcmp(text_of(vector, "name"), not_expressible[left_out]) == 0,
                       "%s: no struct says this", text_of(vector, "name"));
            left_out++;
        }
        json_decref(filled.json);
    }
    (void)printf("%zu valid vectors came back, %zu not expressible\n", done, left_out);
    ck_assert_uint_ge(done, 80);
    ck_assert_uint_eq(left_out, COUNT(not_expressible));
    json_decref(list);
}
END_TEST

/* --- Invalid ones --- */

/* The emitter writes the topic by the data, so that these two never contradict each other: an id of the data
 * that is another one than the topic's is no fault to it, but one that is no id at all is. */
static bool is_at_home(const json_t *vector, const filled_t *filled)
{
    const char *org = oc_event_organization_id(&filled->event);
    const char *entity = oc_event_subject(&filled->event);
    bool other_org = org && strcmp(org, text_of(vector, "organization")) != 0;
    bool other_entity = entity && strcmp(entity, strrchr(text_of(vector, "topic"), '/') + 1) != 0;

    return !(other_org && !oc_org_id_fault(org, strlen(org))) &&
           !(other_entity && !oc_id_fault(entity, strlen(entity)));
}

/* "data.previous.amount" is "previous.amount" to the emitter. */
static void check_refused(const json_t *vector, const filled_t *filled)
{
    const char *field = text_of(vector, "field") + strlen("data.");
    orgcast_diag_t diag = {0};

    unit_check(oc_event_check_fields(&filled->event, &diag) == ORGCAST_E_INVALID, "%s: accepted",
               text_of(vector, "name"));
    unit_check(strncmp(diag.message, field, strlen(field)) == 0 &&
                   diag.message[strlen(field)] == ' ',
               "%s: not about %s: %s", text_of(vector, "name"), field, diag.message);
}

/* Of those whose fault is a field of the data. The others are: values that are no text, enum values that do
 * not exist, members that are not the catalogue's, a time that is missing, and data at home on another topic. */
#define REFUSED 112
#define NOT_EXPRESSIBLE 39

START_TEST(invalid_vectors_are_refused)
{
    json_t *list = load_vectors();
    json_t *vector;
    size_t i;
    size_t refused = 0;
    size_t left_out = 0;

    json_array_foreach(list, i, vector)
    {
        filled_t filled;

        if (is_valid(vector) || strncmp(text_of(vector, "field"), "data.", 5) != 0)
            continue;
        if (fill(vector, &filled) && is_at_home(vector, &filled)) {
            check_refused(vector, &filled);
            refused++;
        } else {
            left_out++;
        }
        json_decref(filled.json);
    }
    (void)printf("%zu invalid vectors were refused, %zu not expressible\n", refused, left_out);
    ck_assert_uint_ge(refused, REFUSED);
    ck_assert_uint_eq(left_out, NOT_EXPRESSIBLE);
    json_decref(list);
}
END_TEST

/* --- What is no field --- */

START_TEST(sources)
{
    json_t *list = load_vectors();
    json_t *vector;
    size_t i;
    size_t invalid = 0;

    json_array_foreach(list, i, vector)
    {
        filled_t filled;
        const char *source;

        (void)fill(vector, &filled);
        source = text_of(filled.json, "source");
        if (source) {
            bool valid = is_valid(vector) || strcmp(text_of(vector, "field"), "source") != 0;

            unit_check(oc_event_source_valid(source) == valid, "%s", text_of(vector, "name"));
            invalid += !valid;
        }
        json_decref(filled.json);
    }
    (void)printf("%zu sources were refused\n", invalid);
    ck_assert_uint_ge(invalid, 30);
    json_decref(list);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("event_vectors");

    tcase_add_test(tcase, valid_vectors_come_back);
    tcase_add_test(tcase, invalid_vectors_are_refused);
    tcase_add_test(tcase, sources);
    return unit_run("event_vectors", tcase);
}

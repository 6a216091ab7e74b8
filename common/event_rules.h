/* SPDX-License-Identifier: MIT */
#ifndef OC_EVENT_RULES_H
#define OC_EVENT_RULES_H

/* The event catalogue as tables: what events/generate makes of events/, in event_catalogue.c. The broker's
 * check of payloads, the emitter's of structs, its encoder and the command line all walk these. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Formats of texts; the names in the schemas are in events/README.md. */
typedef enum oc_event_format {
    OC_EVENT_FORMAT_NONE = 0, /* it has a pattern */
    OC_EVENT_FORMAT_ORGANIZATION_ID,
    OC_EVENT_FORMAT_ENTITY_ID,
    OC_EVENT_FORMAT_LINE,
    OC_EVENT_FORMAT_TEXT,
    OC_EVENT_FORMAT_DATE_TIME,
} oc_event_format_t;

/* A regular expression as a deterministic automaton over ASCII: state 0 is dead, 1 the start, and
 * next_state[state * classes + byte_class[byte]] the one after a byte. */
typedef struct oc_event_pattern {
    const unsigned char *byte_class; /* 128 */
    const unsigned char *next_state;
    const bool *accepting;
    size_t classes;
    const char *fault; /* what a text that does not match must be */
} oc_event_pattern_t;

/* The values of an enum; a C constant is the value's place, counted from 1. */
typedef struct oc_event_enum {
    const char *const *values;
    size_t count;
    const char *fault; /* "must be success, info, warning or error" */
} oc_event_enum_t;

typedef struct oc_event_object oc_event_object_t;

typedef enum oc_event_kind {
    OC_EVENT_KIND_TEXT,
    OC_EVENT_KIND_ENUM,
    OC_EVENT_KIND_OBJECT,
} oc_event_kind_t;

typedef struct oc_event_field {
    const char *name;
    oc_event_kind_t kind;
    bool required;
    bool may_be_empty;
    uint64_t only;          /* bit 1 << type for each type that may carry it; 0: all of them */
    const char *only_fault; /* "is for invoice.updated only" */
    /* A text has a format or a pattern, an enum its values, an object its fields. */
    size_t max_bytes; /* 0: as long as its format or pattern allows */
    oc_event_format_t format;
    const oc_event_pattern_t *pattern;
    const oc_event_enum_t *values;
    const oc_event_object_t *object;
} oc_event_field_t;

struct oc_event_object {
    const oc_event_field_t *fields;
    size_t count;
    bool open; /* other members are allowed */
};

/* What the types of one kind carry. The last three are places in object->fields. */
typedef struct oc_event_data {
    const char *name;   /* "invoice" */
    const char *schema; /* CloudEvents dataschema */
    const oc_event_object_t *object;
    size_t organization;
    size_t entity; /* CloudEvents subject, and the topic's last level */
    size_t time;   /* CloudEvents time */
} oc_event_data_t;

typedef struct oc_event_rule {
    const char *name;       /* CloudEvents type */
    const char *topic_word; /* the topic's last level but one */
    const oc_event_data_t *data;
} oc_event_rule_t;

/* By orgcast_event_type_t; the first one is not a type. */
extern const oc_event_rule_t oc_event_rules[];
extern const size_t oc_event_rules_count;

/* The kinds of data, each once. */
extern const oc_event_data_t *const oc_event_kinds[];
extern const size_t oc_event_kinds_count;

/* The type's place in oc_event_rules; 0 for a name that is none. */
size_t oc_event_rule_find(const char *name);
/* The value's place, counted from 1; 0 for a text that is none. */
size_t oc_event_enum_find(const oc_event_enum_t *values, const char *text);

#endif

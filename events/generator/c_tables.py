# SPDX-License-Identifier: MIT
"""common/event_catalogue.c: the catalogue as the tables of common/event_rules.h."""

import json

from . import dfa
from .text import any_of, c_string, marked_c

FORMAT_CONSTANTS = {
    None: "OC_EVENT_FORMAT_NONE",
    "orgcast-organization-id": "OC_EVENT_FORMAT_ORGANIZATION_ID",
    "orgcast-entity-id": "OC_EVENT_FORMAT_ENTITY_ID",
    "orgcast-line": "OC_EVENT_FORMAT_LINE",
    "orgcast-text": "OC_EVENT_FORMAT_TEXT",
    "date-time": "OC_EVENT_FORMAT_DATE_TIME",
}


def rows(numbers, width=24):
    lines = [numbers[i:i + width] for i in range(0, len(numbers), width)]
    return "\n".join("    " + " ".join(f"{int(number)}," for number in line) for line in lines)


def pattern_table(number, pattern, fault):
    table = dfa.compile_pattern(pattern)
    name = f"pattern_{number}"
    classes = len(table.next_state[0])
    steps = "\n".join("    " + " ".join(f"{to}," for to in row) for row in table.next_state)
    shown = pattern.replace("*/", "* /").replace("/*", "/ *")
    return (f"/* {shown} */\n"
            f"static const unsigned char {name}_class[128] = {{\n{rows(table.byte_class, 32)}\n}};\n"
            f"static const unsigned char {name}_next[] = {{\n{steps}\n}};\n"
            f"static const bool {name}_accepting[] = {{\n{rows(table.accepting, 32)}\n}};\n"
            f"static const oc_event_pattern_t {name} = {{\n"
            f"    .byte_class = {name}_class,\n    .next_state = {name}_next,\n"
            f"    .accepting = {name}_accepting,\n    .classes = {classes},\n"
            f"    .fault = {c_string(fault)},\n}};\n")


def enum_table(enum):
    values = "".join(f"    {c_string(value)},\n" for value in enum.values)
    return (f"static const char *const {enum.name}_values[] = {{\n{values}}};\n"
            f"static const oc_event_enum_t {enum.name} = {{\n"
            f"    {enum.name}_values, {len(enum.values)},\n"
            f"    {c_string('must be ' + any_of(enum.values))},\n}};\n")


def field_row(catalogue, patterns, field):
    members = [f".name = {c_string(field.name)}", f".kind = OC_EVENT_KIND_{field.kind.upper()}"]
    if field.required:
        members.append(".required = true")
    if field.may_be_empty:
        members.append(".may_be_empty = true")
    if field.max_bytes:
        members.append(f".max_bytes = {field.max_bytes}")
    if field.format:
        members.append(f".format = {FORMAT_CONSTANTS[field.format]}")
    if field.pattern:
        members.append(f".pattern = &pattern_{patterns[field.pattern, field.fault]}")
    if field.enum:
        members.append(f".values = &{field.enum.name}")
    if field.object:
        members.append(f".object = &{field.object.name}")
    if field.only:
        places = [place for place, one in enumerate(catalogue.types, 1) if one.name in field.only]
        bits = " | ".join(f"UINT64_C(1) << {place}" for place in places)
        members.append(f".only = {bits}")
        members.append(f".only_fault = {c_string('is for ' + any_of(field.only) + ' only')}")
    return "    {" + ",\n     ".join(members) + "},\n"


def object_table(catalogue, patterns, one):
    fields = "".join(field_row(catalogue, patterns, field) for field in one.fields)
    return (f"static const oc_event_field_t {one.name}_fields[] = {{\n{fields}}};\n"
            f"static const oc_event_object_t {one.name} = {{\n"
            f"    .fields = {one.name}_fields,\n    .count = {len(one.fields)},\n"
            f"    .open = {json.dumps(one.is_open)},\n}};\n")


def data_table(data):
    place = data.body.fields.index
    return (f"static const oc_event_data_t {data.name}_data = {{\n"
            f"    .name = {c_string(data.name)},\n    .schema = {c_string(data.urn)},\n"
            f"    .object = &{data.name},\n    .organization = {place(data.organization)},\n"
            f"    .entity = {place(data.entity)},\n    .time = {place(data.time)},\n}};\n")


def write(catalogue):
    patterns, parts = {}, []
    for data in catalogue.data:
        for one in data.objects():
            for field in one.fields:
                if field.pattern and (field.pattern, field.fault) not in patterns:
                    patterns[field.pattern, field.fault] = len(patterns) + 1
    parts += [pattern_table(number, *what) for what, number in patterns.items()]
    parts += [enum_table(enum) for enum in catalogue.enums]
    for data in catalogue.data:
        parts += [object_table(catalogue, patterns, one) for one in data.objects()]
    parts += [data_table(data) for data in catalogue.data]
    rules = "".join(f"    {{{c_string(one.name)}, {c_string(one.word)}, &{one.data.name}_data}},\n"
                    for one in catalogue.types)
    kinds = "".join(f"    &{data.name}_data,\n" for data in catalogue.data)
    parts.append(f"const oc_event_rule_t oc_event_rules[] = {{\n    {{NULL, NULL, NULL}},\n{rules}}};\n"
                 f"const size_t oc_event_rules_count = {len(catalogue.types) + 1};\n")
    parts.append(f"const oc_event_data_t *const oc_event_kinds[] = {{\n{kinds}}};\n"
                 f"const size_t oc_event_kinds_count = {len(catalogue.data)};\n")
    return marked_c('#include "event_rules.h"\n\n' + "\n".join(parts))

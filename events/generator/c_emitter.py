# SPDX-License-Identifier: MIT
"""What the emitter has of the catalogue: where the structs keep the fields, and the functions of emit.h."""

from .c_headers import check_function, emit_function, object_c_type
from .catalogue import snake
from .text import marked_c

EMPTY = "    char none;\n"  # C has no empty struct


def write_structs(catalogue):
    word_max = max(len(one.word) for one in catalogue.types)
    members = "".join(f"    {data.c_type} {data.name};\n" for data in catalogue.data)
    nested = [one for data in catalogue.data for one in data.objects()[:-1]]
    inner = "".join(f"    orgcast_{one.name}_t {one.name};\n" for one in nested)
    return marked_c(f"""#ifndef OC_EVENT_STRUCTS_H
#define OC_EVENT_STRUCTS_H

#include <orgcast/event.h>

/* The longest of the topic's words, in bytes without the NUL. */
#define OC_EVENT_WORD_MAX {word_max}

/* Room for the struct of any type. */
typedef union oc_event_struct {{
{members}}} oc_event_struct_t;

/* Room for all that such a struct may point to. */
typedef struct oc_event_inner {{
{inner or EMPTY}}} oc_event_inner_t;

#endif
""")


def slots(data, one):
    name = object_c_type(data, one)
    rows = "".join(f"    {{offsetof({name}, {snake(field.name)}), "
                   + (f"{field.object.name}_slots, offsetof(oc_event_inner_t, {field.object.name})"
                      if field.object else "NULL, 0")
                   + "},\n" for field in one.fields)
    return f"static const oc_event_slot_t {one.name}_slots[] = {{\n{rows}}};\n"


def write_slots(catalogue):
    sizes = "".join(f"static_assert(sizeof({one.c_type}) == sizeof(unsigned), \"enums are read as unsigned\");\n"
                    for one in catalogue.enums)
    parts = [slots(data, one) for data in catalogue.data for one in data.objects()]
    types = "".join(f"    {one.data.name}_slots, /* {one.name} */\n" for one in catalogue.types)
    return marked_c('#include <assert.h>\n#include <stddef.h>\n\n#include "event.h"\n\n' + sizes + "\n"
                    + "\n".join(parts)
                    + f"\nconst oc_event_slot_t *const oc_event_slots[] = {{\n    NULL,\n{types}}};\n")


def definition(declaration, body):
    return declaration.replace("ORGCAST_API ORGCAST_MUST_CHECK ", "").replace(";\n", f"\n{{\n    {body}\n}}\n")


def write_emit(catalogue):
    parts = [definition(emit_function(one), f"return oc_emit(emitter, {one.constant}, event, ret_receipt);")
             for one in catalogue.types]
    for place, data in enumerate(catalogue.data):
        only = next(one for one in catalogue.types if one.data is data)
        kind = only.constant if data.one_type else "type"
        parts.append(definition(check_function(data),
                                f"return oc_event_check_kind({place}, {kind}, event, diag);"))
    return marked_c('#include <orgcast/emitter.h>\n\n#include "event.h"\n#include "sink.h"\n\n' + "\n".join(parts))

# SPDX-License-Identifier: MIT
"""include/orgcast/event.h and emit.h: the events as C structs, and the functions that emit them."""

import textwrap

from .catalogue import snake
from .text import MARK, limits

OPENING = f"""/* SPDX-License-Identifier: MIT */
/* {MARK} */
/* clang-format off */
"""
CXX_BEGIN = """#ifdef __cplusplus
extern "C" {
#endif
"""
CXX_END = """#ifdef __cplusplus
}
#endif
#endif
/* clang-format on */
"""


def comment(text, indent=""):
    """/** text */, of several lines where it must."""
    one_line = f"{indent}/** {text} */\n"
    if len(one_line) <= 101:
        return one_line
    lines = textwrap.wrap(text, 100 - len(indent) - 4)
    return f"{indent}/** " + f"\n{indent} *  ".join(lines) + " */\n"


def object_c_type(data, one):
    return data.c_type if one is data.body else f"orgcast_{one.name}_t"


def field_c_type(field):
    if field.enum:
        return f"{field.enum.c_type} "
    if field.object:
        return f"const orgcast_{field.object.name}_t *"
    return "const char *"


def field_text(data, field):
    parts = []
    if field is data.time:
        parts.append("NULL: the time of the emit call, UTC.")
    elif field.required:
        parts.append("Required.")
    elif field.only:
        parts.append(f"Only for {' and '.join(f'`{name}`' for name in field.only)}; NULL: absent.")
    else:
        parts.append("UNSET: absent." if field.enum else "NULL: absent.")
    parts.append(field.description)
    limit = limits(field)
    if limit:
        parts.append(limit[0].upper() + limit[1:] + ".")
    if field is data.entity:
        parts.append("CloudEvents `subject`.")
    if field is data.time:
        parts.append("CloudEvents `time`.")
    return " ".join(part for part in parts if part)


def struct(data, one):
    name = object_c_type(data, one)
    fields = "".join(comment(field_text(data, field), "    ") + f"    {field_c_type(field)}{snake(field.name)};\n"
                     for field in one.fields)
    return comment(one.description) + f"typedef struct {name[:-2]} {{\n{fields}}} {name};\n"


def enum(one):
    values = "".join(f"    {one.constant(value)},\n" for value in one.values)
    return (comment(f"{one.description} The zero value is none.")
            + f"typedef enum {one.c_type[:-2]} {{\n    {one.constant('unset')} = 0,\n{values}}} {one.c_type};\n")


def write_event(catalogue):
    width = max(len(one.constant) for one in catalogue.types) + 1
    types = "".join(f"    {one.constant + ',':{width}} /**< \"{one.name}\" */\n" for one in catalogue.types)
    parts = [comment("CloudEvents `type`. The zero value is not a type.")
             + f"typedef enum orgcast_event_type {{\n    ORGCAST_EVENT_UNSET = 0,\n{types}}} orgcast_event_type_t;\n"]
    parts += [enum(one) for one in catalogue.enums]
    for data in catalogue.data:
        parts += [struct(data, one) for one in data.objects()]
    return (OPENING + """#ifndef ORGCAST_EVENT_H
#define ORGCAST_EVENT_H

/** @file
 *  The events, as C structs. On the wire they are CloudEvents 1.0 in structured JSON mode; the
 *  field names there are these in camel case. All strings are UTF-8, NUL-terminated, borrowed. */

""" + CXX_BEGIN + "\n" + "\n".join(parts) + "\n" + CXX_END)


def emit_function(one):
    head = f"{one.function}("
    pad = " " * len(head)
    return ("ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t\n"
            f"{head}struct orgcast_emitter *emitter, const {one.data.c_type} *event,\n"
            f"{pad}struct orgcast_receipt *ret_receipt);\n")


def check_function(data):
    head = f"orgcast_event_check_{data.name}("
    kind = "" if data.one_type else "orgcast_event_type_t type, "
    return ("ORGCAST_API ORGCAST_MUST_CHECK orgcast_err_t\n"
            f"{head}{kind}const {data.c_type} *event,\n{' ' * len(head)}orgcast_diag_t *diag);\n")


FIRST_EMIT = """/** {summary}
 *
 *  Queue one event. Returns once it is in the queue; does not wait for the broker.
 *  @param emitter      borrowed; any thread
 *  @param event        borrowed; copied before return
 *  @param ret_receipt  may be NULL; matches the later delivery report
 *  @retval ORGCAST_OK         queued; one delivery report follows
 *  @retval ORGCAST_E_INVALID  a field failed its check (orgcast_event_check_* say which)
 *  @retval ORGCAST_E_FULL     queue_max_events reached; try again after a report
 *  @retval ORGCAST_E_NOMEM    out of memory
 *  @retval ORGCAST_E_IO       the system has no random bytes for the id
 *  @retval ORGCAST_E_CLOSED   orgcast_emitter_close() has begun
 *  On any error nothing was queued and no report follows.
 *  @since 0.1 */
"""

FIRST_CHECK = """/** Say which field of an event an emit would refuse, and why; publishes nothing. Any thread.
 *  @param diag may be NULL; names the field by its catalogue name
 *  @retval ORGCAST_E_INVALID a field failed its check
 *  @since 0.1 */
"""


def write_emit(catalogue):
    first = catalogue.types[0]
    parts = [FIRST_EMIT.format(summary=first.summary) + emit_function(first)]
    parts += [comment(f"{one.summary} As {first.function}(). @since 0.1") + emit_function(one)
              for one in catalogue.types[1:]]
    for number, data in enumerate(catalogue.data):
        text = FIRST_CHECK if number == 0 else comment(f"@copydoc orgcast_event_check_{catalogue.data[0].name}")
        parts.append(text + check_function(data))
    return (OPENING + """#ifndef ORGCAST_EMIT_H
#define ORGCAST_EMIT_H

/** @file
 *  A function for each type of event; <orgcast/emitter.h> includes this. */

#include <orgcast/err.h>
#include <orgcast/event.h>

""" + CXX_BEGIN + "\nstruct orgcast_emitter;\nstruct orgcast_receipt;\n\n" + "\n".join(parts) + "\n" + CXX_END)

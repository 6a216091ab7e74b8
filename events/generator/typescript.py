# SPDX-License-Identifier: MIT
"""catalogue.ts: the types for TypeScript, and what a decoder needs to check data from the network."""

import json

from .text import MARK, limits


def pascal(name):
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def quoted(text):
    return "'" + json.dumps(text)[1:-1].replace("'", "\\'").replace('\\"', '"') + "'"


def object_name(data, one):
    return f"{pascal(data.name)}EventPayload" if one is data.body else pascal(one.name)


def field_type(field):
    if field.enum:
        return pascal(field.enum.name)
    return pascal(field.object.name) if field.object else "string"


def interface(data, one):
    rows = ""
    for field in one.fields:
        limit = limits(field)
        text = field.description + (f" {limit[0].upper()}{limit[1:]}." if limit else "")
        rows += f"  /** {text} */\n  readonly {field.name}{'' if field.required else '?'}: {field_type(field)};\n"
    return f"/** {one.description} */\nexport interface {object_name(data, one)} {{\n{rows}}}\n"


def plural(name):
    if name.endswith("s"):
        return name + "es"
    return name + "s"


def enum(one):
    values = ", ".join(quoted(value) for value in one.values)
    name = plural(one.name).upper()
    return (f"export const {name} = [{values}] as const;\n"
            f"/** {one.description} */\nexport type {pascal(one.name)} = (typeof {name})[number];\n")


def event_constants(catalogue):
    groups = {}
    for one in catalogue.types:
        first, _, rest = one.name.partition(".")
        groups.setdefault(first, []).append((rest.replace(".", "_").upper(), one))
    parts = []
    for first, members in groups.items():
        name = f"{pascal(first)}Event"
        rows = "".join(f"  {key}: {quoted(one.name)}, // {one.summary}\n" for key, one in members)
        parts.append(f"export const {name} = {{\n{rows}}} as const;\n"
                     f"export type {name} = (typeof {name})[keyof typeof {name}];\n")
    return parts


RULE_TYPES = """/** What a decoder has to check of one member. A text has a pattern, is a time, or is any text that is not empty. */
export type FieldRule = { readonly name: string; readonly required: boolean } & (
  | { readonly kind: 'text'; readonly pattern?: RegExp; readonly time?: true; readonly mayBeEmpty?: true }
  | { readonly kind: 'enum'; readonly values: readonly string[] }
  | { readonly kind: 'object'; readonly fields: readonly FieldRule[] }
);
"""


def rule(field):
    head = f"name: {quoted(field.name)}, required: {json.dumps(field.required)}, kind: '{field.kind}'"
    if field.enum:
        return f"{{ {head}, values: {plural(field.enum.name).upper()} }}"
    if field.object:
        return f"{{ {head}, fields: {field.object.name.upper()}_FIELDS }}"
    if field.pattern:
        return f"{{ {head}, pattern: new RegExp({quoted(field.pattern)}) }}"
    if field.format == "date-time":
        return f"{{ {head}, time: true }}"
    return f"{{ {head}{', mayBeEmpty: true' if field.may_be_empty else ''} }}"


def rules(one):
    rows = "".join(f"  {rule(field)},\n" for field in one.fields)
    return f"const {one.name.upper()}_FIELDS: readonly FieldRule[] = [\n{rows}];\n"


def write(catalogue):
    parts = event_constants(catalogue) + [enum(one) for one in catalogue.enums]
    for data in catalogue.data:
        parts += [interface(data, one) for one in data.objects()]
    rows = "".join(f"  readonly {quoted(one.name)}: {object_name(one.data, one.data.body)};\n" for one in catalogue.types)
    parts.append(f"/** The data that each type of event carries. */\nexport interface EventPayloads {{\n{rows}}}\n"
                 "export type EventType = keyof EventPayloads;\n")
    parts.append(RULE_TYPES)
    for data in catalogue.data:
        parts += [rules(one) for one in data.objects()]
    rows = "".join(f"  {quoted(one.name)}: {one.data.name.upper()}_FIELDS,\n" for one in catalogue.types)
    parts.append(f"export const FIELDS: Readonly<Record<EventType, readonly FieldRule[]>> = {{\n{rows}}};\n")
    return f"// SPDX-License-Identifier: MIT\n// {MARK}\n\n" + "\n".join(parts)

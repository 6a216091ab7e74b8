# SPDX-License-Identifier: MIT
"""catalogue.ts: the types for TypeScript, and what a decoder needs to check data from the network."""

import json

from .catalogue import FORMATS
from .text import MARK, example_event, limits


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


RULE_TYPES = """/** Formats of texts; events/README.md says what they are. */
export type TextFormat =
{formats};

/** What a decoder has to check of one member. `only` are the types that may carry it, where not all may. */
export type FieldRule = {{
  readonly name: string;
  readonly required: boolean;
  readonly only?: readonly EventType[];
}} & (
  | {{ readonly kind: 'text'; readonly maxBytes?: number; readonly format: TextFormat; readonly mayBeEmpty?: true }}
  | {{ readonly kind: 'text'; readonly maxBytes?: number; readonly pattern: RegExp; readonly fault: string }}
  | {{ readonly kind: 'enum'; readonly values: readonly string[] }}
  | {{ readonly kind: 'object'; readonly object: ObjectRule }}
);

/** `open`: other members are allowed. */
export interface ObjectRule {{
  readonly open: boolean;
  readonly fields: readonly FieldRule[];
}}

/** What the types of one kind carry. `entity` is the member that the topic's last level repeats. */
export interface DataRule {{
  readonly schema: string;
  readonly entity: string;
  readonly object: ObjectRule;
}}

/** `word` is the topic's last level but one. */
export interface TypeRule {{
  readonly word: string;
  readonly data: DataRule;
}}
"""


def rule_types():
    return RULE_TYPES.format(formats="\n".join(f"  | {quoted(name)}" for name in sorted(FORMATS)))


def rule(field):
    members = [f"name: {quoted(field.name)}", f"required: {json.dumps(field.required)}"]
    if field.only:
        members.append(f"only: [{', '.join(quoted(name) for name in field.only)}]")
    members.append(f"kind: '{field.kind}'")
    if field.max_bytes:
        members.append(f"maxBytes: {field.max_bytes}")
    if field.format:
        members.append(f"format: {quoted(field.format)}")
    if field.may_be_empty:
        members.append("mayBeEmpty: true")
    if field.pattern:
        members += [f"pattern: new RegExp({quoted(field.pattern)})", f"fault: {quoted(field.fault)}"]
    if field.enum:
        members.append(f"values: {plural(field.enum.name).upper()}")
    if field.object:
        members.append(f"object: {field.object.name.upper()}_OBJECT")
    return f"{{ {', '.join(members)} }}"


def object_rule(one):
    rows = "".join(f"    {rule(field)},\n" for field in one.fields)
    return (f"const {one.name.upper()}_OBJECT: ObjectRule = {{\n  open: {json.dumps(one.is_open)},\n"
            f"  fields: [\n{rows}  ],\n}};\n")


def data_rule(data):
    return (f"const {data.name.upper()}_DATA: DataRule = {{\n  schema: {quoted(data.urn)},\n"
            f"  entity: {quoted(data.entity.name)},\n  object: {data.name.upper()}_OBJECT,\n}};\n")


def type_row(one):
    return f"  {quoted(one.name)}: {{ word: {quoted(one.word)}, data: {one.data.name.upper()}_DATA }},\n"


def types(catalogue):
    """The constants, enums and payload types, which every TypeScript output begins with."""
    parts = event_constants(catalogue) + [enum(one) for one in catalogue.enums]
    for data in catalogue.data:
        parts += [interface(data, one) for one in data.objects()]
    rows = "".join(f"  readonly {quoted(one.name)}: {object_name(one.data, one.data.body)};\n" for one in catalogue.types)
    parts.append(f"/** The data that each type of event carries. */\nexport interface EventPayloads {{\n{rows}}}\n"
                 "export type EventType = keyof EventPayloads;\n")
    return parts


def page(parts):
    return f"// SPDX-License-Identifier: MIT\n// {MARK}\n\n" + "\n".join(parts)


def write(catalogue):
    parts = types(catalogue) + [rule_types()]
    for data in catalogue.data:
        parts += [object_rule(one) for one in data.objects()] + [data_rule(data)]
    rows = "".join(type_row(one) for one in catalogue.types)
    parts.append(f"export const TYPE_RULES: Readonly<Record<EventType, TypeRule>> = {{\n{rows}}};\n")
    return page(parts)


def write_types(catalogue):
    return page(types(catalogue))


def required(data):
    names = ", ".join(f"{field.name}: {quoted('object' if field.object else 'string')}"
                      for field in data.body.fields if field.required)
    return f"const {data.name.upper()}: RequiredMembers = {{ {names} }};\n"


def write_required(catalogue):
    """The broker has checked every rule of the catalogue, so a page's decoder checks only what its types promise."""
    parts = ["import type { EventType } from './catalogue.js';\n",
             "/** The members that data of a type always has, with their JavaScript type. */\n"
             "export type RequiredMembers = Readonly<Record<string, 'string' | 'object'>>;\n"]
    parts += [required(data) for data in catalogue.data]
    rows = "".join(f"  {quoted(one.name)}: {one.data.name.upper()},\n" for one in catalogue.types)
    parts.append(f"export const REQUIRED: Readonly<Record<EventType, RequiredMembers>> = {{\n{rows}}};\n")
    return page(parts)


def write_examples(catalogue):
    """For @orgcast/client/testing: data that an event of a test has unless the test says otherwise."""
    rows = ""
    for one in catalogue.types:
        data = example_event(one)["data"]
        members = {field.name: data[field.name] for field in one.data.body.fields if field.required}
        text = "".join(f"    {name}: {quoted(value) if isinstance(value, str) else json.dumps(value)},\n"
                       for name, value in members.items())
        rows += f"  {quoted(one.name)}: {{\n{text}  }},\n"
    return page(["import type { EventPayloads } from '../core/catalogue.js';\n",
                 f"/** Valid data of each type. */\nexport const EXAMPLES: EventPayloads = {{\n{rows}}};\n"])

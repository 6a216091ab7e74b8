# SPDX-License-Identifier: MIT
"""The command line's options for the fields, and which option is which field's."""

import textwrap

from .catalogue import kebab
from .text import any_of, c_string, marked_c

HELP_WIDTH = 54


def cli_name(data, field):
    """`type` is the event's own: what has that name in the data is called after it."""
    return f"{data.name}Type" if field.name == "type" else field.name


def constant(field):
    return "CLI_OPT_" + kebab(field.name).replace("-", "_").upper()


def argument(field):
    if field.object:
        return "JSON"
    return {"orgcast-organization-id": "ORG", "orgcast-entity-id": "ID", "orgcast-line": "TEXT",
            "orgcast-text": "TEXT", "date-time": "TIME"}.get(field.format, field.name.upper())


def lower_first(text):
    """A sentence as a part of one; a name of capitals stays."""
    return text[:1].lower() + text[1:] if not text[1:2].isupper() else text


def field_help(data, field):
    text = lower_first(field.description.removesuffix("."))
    if field.enum:
        text += ": " + any_of(field.enum.values)
    if field.object:
        text = f"{text.split(';')[0]}: an object of " + ", ".join(inner.name for inner in field.object.fields)
    if field.only:
        text = f"for {any_of(field.only)}: {text}"
    if field is data.time:
        text += ": RFC 3339 (default: now)"
    return text


def options(catalogue):
    """(field, help) for each option; of one that several kinds of data have, what it is in the others as well."""
    found = {}
    for data in catalogue.data:
        for field in data.body.fields:
            text = field_help(data, field)
            if field.name not in found:
                found[field.name] = (field, text)
            elif found[field.name][1] != text:
                found[field.name] = (found[field.name][0], f"{found[field.name][1]}; for a {data.name}: {text}")
    return found.values()


def macro(name, lines):
    return f"#define {name} \\\n" + " \\\n".join("    " + line for line in lines) + "\n"



def notes(catalogue):
    lines = textwrap.wrap(f"TYPE is {any_of([one.name for one in catalogue.types])}.", 92)
    for data in catalogue.data:
        needed = [f"--{kebab(field.name)}" for field in data.body.fields if field.required and field is not data.time]
        lines += textwrap.wrap(f"{data.name.capitalize()} events need {' '.join(needed)}.", 92, break_on_hyphens=False)
    return [c_string(line)[:-1] + '\\n"' for line in lines]


def words(catalogue):
    lines = textwrap.wrap(f"EVENT is {any_of([one.word for one in catalogue.types])}.", 92)
    return [c_string(line)[:-1] + '\\n"' for line in lines]


def write_options(catalogue):
    rows, uses = [], []
    for field, text in options(catalogue):
        wrapped = "\\n".join(c_string(line)[1:-1] for line in textwrap.wrap(text, HELP_WIDTH))
        rows.append(f'X({constant(field)[8:]}, "{kebab(field.name)}", "{argument(field)}", "{wrapped}")')
        uses.append(f"{{{constant(field)}, false, NULL}}")
    return marked_c("#ifndef OC_CLI_EVENT_OPTIONS_H\n#define OC_CLI_EVENT_OPTIONS_H\n\n"
                    "/* Part of CLI_OPTIONS in args.h. */\n" + macro("CLI_EVENT_OPTIONS(X)", rows)
                    + "\n/* The fields' options among those of a subcommand. */\n"
                    + macro("CLI_EVENT_USES", [use + "," for use in uses[:-1]] + uses[-1:])
                    + "\n/* For --help: the types, and what each needs. */\n"
                    + macro("CLI_EVENT_NOTES", notes(catalogue))
                    + "\n/* The same for what is chosen of a stream. */\n"
                    + macro("CLI_EVENT_WORDS", words(catalogue)) + "\n#endif\n")


def write_fields(catalogue):
    parts = []
    for data in catalogue.data:
        rows = "".join(f"    {{{c_string(cli_name(data, field))}, {constant(field)}}},\n" for field in data.body.fields)
        parts.append(f"static const cli_event_field_t {data.name}_fields[] = {{\n{rows}}};\n")
    types = "".join(f"    {one.data.name}_fields, /* {one.name} */\n" for one in catalogue.types)
    parts.append(f"const cli_event_field_t *const cli_event_fields[] = {{\n    NULL,\n{types}}};\n")
    return marked_c('#include "event_input.h"\n\n' + "\n".join(parts))

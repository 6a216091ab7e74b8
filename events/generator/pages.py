# SPDX-License-Identifier: MIT
"""docs/events.md."""

import json

from .catalogue import kebab
from .text import MARK, any_of, example_event, limits

ENVELOPE = """A published event has these attributes; MQTT 5 publishes carry the content type
`application/cloudevents+json; charset=utf-8`.

| attribute | is |
|---|---|
| `specversion` | `1.0` |
| `id` | the event's own, for ever (the emitter's are UUIDv7): a consumer that remembers ids sees each event once |
| `source` | which service speaks: a URI-reference |
| `type` | one of the above |
| `subject` | the entity's id: the topic's last level, and in the data |
| `time` | RFC 3339; may be absent |
| `datacontenttype` | `application/json`; may be absent |
| `dataschema` | below, with the data; may be absent |
| `organizationid` | the topic's organization, and in the data |
| `data` | below |
| `epoch`, `sequence` | the event's number, [set by the broker](#numbers-and-replay): a sender's own are taken out |

Other extension attributes may be there: names of lower-case letters and digits, values that are texts, integers of 32
bits or booleans.
"""

NUMBERS = """## Numbers and replay

The broker gives each event that it accepts two more attributes, once, before anybody receives it:

```json
{"sequence":"00000000000000000042","epoch":"5d0f3c2a9b7e1846","specversion":"1.0"}
```

`sequence` counts an organization's events, whatever their type: 20 decimal digits, from 1 on, without a gap. `epoch` (16
hexadecimal digits that mean nothing else) is another one when the numbering begins anew: after a restart of the broker,
and for an organization of whose events none was kept any more. The last events of each organization are kept in memory
(`replay_events_per_org`, and `replay_max_bytes` for all of them), and a client asks for what it missed with the commands
`position` and `replay` of [control.md](control.md#replay).

A client that shall see each event once, in order, whatever happens to its connection:

1. remembers `epoch` and `sequence` of the last event that it passed on; one that begins asks for `position` instead, once
   it has subscribed to `org/{organizationId}/invoices/#`;
2. passes on the event with the next number, leaves out lower ones, and lays aside higher ones;
3. when a higher one came, and after each reconnect (once it has subscribed), asks for `replay` from the last number on,
   and treats what comes of it like any other event;
4. when the answer is `recovered: false`, or an event has another epoch, does not know what it missed: it loads everything
   anew and goes on from the position in the answer.

That a number is missing for a moment is normal: an event with QoS 2 has its number before it is released, and a Will's is
sent a moment after events that came meanwhile. A subscription to some types or one entity alone sees numbers with gaps.
With `stamp_sequence false` there are no numbers, no `position` and no `replay`.
"""

CHECKED = """## What the broker checks

With `validate_events catalogue` (the default) a publish under the templates has to be an event of this page, on the
topic `…/{event}/{entityId}` of its type and entity, of the topic's organization: strict JSON (no member twice,
nothing behind it, valid UTF-8), each attribute and each member of the data as described, none besides. With
`envelope` the data and the type are the sender's affair; the JSON, the attributes and the organization are checked
all the same, and the topic's last two levels mean nothing.

A refused event's log line says which field is wrong and why, never with its value, for example
`event_invalid: data.amount must be a decimal number: up to 18 digits, up to 6 after the point`.
"""


def code(text):
    return f"`{text}`"


def field_row(prefix, field):
    what = [field.description]
    if field.enum:
        what.append(f"One of {any_of([code(value) for value in field.enum.values])}.")
    elif limits(field):
        what.append(limits(field)[0].upper() + limits(field)[1:] + ".")
    if field.only:
        what.append(f"Only in {any_of([code(name) for name in field.only])}.")
    needed = "yes" if field.required else ""
    return f"| `{prefix}{field.name}` | {needed} | {' '.join(what)} |\n"


def data_section(catalogue, data):
    types = [one for one in catalogue.types if one.data is data]
    rows = ""
    for field in data.body.fields:
        rows += field_row("", field)
        if field.object:
            rows += "".join(field_row(f"{field.name}.", inner) for inner in field.object.fields)
    shown = next((one for one in types if one.name.endswith(".paid")), types[0])
    event = json.dumps(example_event(shown), indent=2, ensure_ascii=False)
    return (f"## {data.schema['title']} data\n\n{data.schema['description']} `dataschema` is `{data.urn}`; the schema is "
            f"[{data.schema_file}](../events/{data.schema_file}).\n\n"
            f"| field | always there | |\n|---|---|---|\n{rows}\n```json\n{event}\n```\n")


def type_row(one):
    topic = f"org/{{organizationId}}/invoices/{one.word}/{{{one.data.entity.name}}}"
    return f"| `{one.name}` | {one.summary} | `{topic}` | `{one.function}()` |\n"


def write_events(catalogue):
    rows = "".join(type_row(one) for one in catalogue.types)
    parts = [f"<!-- {MARK} -->\n# Events\n\nEvents are CloudEvents 1.0 in structured JSON. The catalogue in "
             "[events/](../events/README.md) is their\nsource; [asyncapi.yaml](asyncapi.yaml) is this page for programs.\n",
             "## Types\n\n| type | means | topic | C function |\n|---|---|---|---|\n" + rows
             + "\nOn the command line: `orgcast emit TYPE`, with the data's fields as options (`--"
             + kebab(catalogue.data[0].entity.name) + "`).\n",
             "## The envelope\n\n" + ENVELOPE]
    parts += [data_section(catalogue, data) for data in catalogue.data]
    return "\n".join([*parts, NUMBERS, CHECKED])

# SPDX-License-Identifier: MIT
"""docs/events.md."""

import json

from .catalogue import kebab
from .text import MARK, any_of, example_event, limits

ENVELOPE = """The whole event is the MQTT payload: CloudEvents' *structured* mode. Binary mode, with the attributes in user
properties, is refused with `event_invalid`. The CloudEvents SDK for Go uses binary mode unless you pass
`WithForceStructured`.

Each event reaches MQTT 5 subscribers with the content type `application/cloudevents+json; charset=utf-8`, whatever
the publisher set. Of the publisher's other MQTT 5 properties only the message expiry passes. A Will's expiry does not.
With `validate_events off` a publisher's properties pass as they are.

An event has these attributes:

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
bits or booleans. An attribute that is `null` counts as absent, so a consumer takes it for that.
"""

NUMBERS = """## Numbers and replay

The broker gives each event that it accepts two more attributes, once, before anybody receives it, at its end:

```json
{"specversion":"1.0", … ,"data":{ … },"epoch":"5d0f3c2a9b7e1846","sequence":"00000000000000000042"}
```

`sequence` counts an organization's events, whatever their type: 20 decimal digits, from 1 on, without a gap. `epoch` (16
hexadecimal digits that mean nothing else) is another one when the numbering begins anew: after a restart of the broker,
and for an organization of whose events none was kept any more. The last events of each organization are kept in memory
(`replay_events_per_org`, and `replay_max_bytes` for all of them), and a client asks for what it missed with the commands
`position` and `replay` of [control.md](control.md#replay).

A client that shall see each event once, in order, whatever happens to its connection:

1. remembers `epoch` and `sequence` of the last event that it passed on; one that begins asks for `position` instead, once
   it has subscribed to `org/{organizationId}/invoices/#`, and lays aside what comes before the answer;
2. passes on the event with the next number, leaves out lower ones, and lays aside higher ones;
3. when a higher one came, after each reconnect (once it has subscribed), and each minute, asks for `replay` from the
   last number on, and treats what comes of it like any other event;
4. when the answer is `recovered: false`, does not know what it missed: it goes on from the position in the answer, but
   first loads everything anew, laying aside what comes meanwhile;
5. when an event has another epoch, lays it aside and asks for `replay` with the epoch that it has, which leads to 4.

It has one question out at a time, and asks again when there is no answer within ten seconds, a second after
`limit_rate`, and when the answer has `more` or it has not got all numbers up to the answer's `sequence`. Rule 3 has the
minute because no later event tells that the last one was dropped ([why one may be](control.md#replay)). Numbers are
compared as texts, or as integers of 64 bits.

A number may be missing for a moment. An event of QoS 2 has its number before the publisher releases it, and a Will
arrives a moment after events that were published meanwhile. A client that sends the same PUBLISH of QoS 2 again gets
the same number again. Equal bytes from another client, or in another exchange, are another event.

An event that the broker refuses after it was numbered (too many of QoS 2 in flight, or another plugin's decision) keeps
its number, and replays include it. A subscription to some types or to one entity sees numbers with gaps.

A Will of a client with a token is checked and numbered like any other event. Wills that reach nobody: those of clients
without a token, and those that a broker publishes when it is stopped.
With `stamp_sequence false` there are no numbers, no `position` and no `replay`.
"""

CHECKED = """## What the broker checks

With `validate_events catalogue` (the default) a publish under the templates has to be an event of this page, on the
topic `…/{event}/{entityId}` of its type and entity, of the topic's organization: strict JSON (no member twice,
nothing behind it, valid UTF-8), each attribute and each member of the data as described, none besides. With
`envelope` the data and the type are the sender's affair; the JSON, the attributes and the organization are checked
all the same, and the topic's last two levels mean nothing: `subject` and `data` may be absent, `datacontenttype` and
`dataschema` be any. With `off` it may be any bytes up to `max_event_bytes`; what is no JSON object then gets no number,
and is not replayed.

A refused event's log line says what is wrong, never with a value or a name that the sender chose:

```
orgcast: denied publish 'org/acme/invoices/paid/inv-17' to client 'billing' subject 'billing': event_invalid (data.amount must be a decimal number: up to 18 digits, up to 6 after the point)
```

The first fault found is the one that is named. `event is not strict JSON near byte 36` is a syntax error, a member that
is there twice, invalid UTF-8 or a NUL (`\\u0000`) at about that place.
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

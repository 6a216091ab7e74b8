# SPDX-License-Identifier: MIT
"""docs/asyncapi.yaml: AsyncAPI 3.0. Its schemas keep to what JSON Schema draft 7 has as well, which is what AsyncAPI's
own schema format builds on."""

import json
import re

from .text import MARK, example_event, limits

PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9 _./(){}'`,;+-]*")
NOT_PLAIN = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def scalar(value):
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in NOT_PLAIN \
            and not value.endswith(" "):
        return value
    return json.dumps(value, ensure_ascii=False)


def yaml(value, indent=0):
    """Of the values here: maps and lists that are not empty, and scalars."""
    pad = "  " * indent
    if isinstance(value, dict):
        out = ""
        for key, inner in value.items():
            name = f"{pad}{key if re.fullmatch('[$A-Za-z0-9_-]+', key) else json.dumps(key)}:"
            out += name + (f"\n{yaml(inner, indent + 1)}" if isinstance(inner, (dict, list)) else f" {scalar(inner)}\n")
        return out
    out = ""
    for inner in value:
        if isinstance(inner, (dict, list)):
            out += f"{pad}- {yaml(inner, indent + 1).lstrip(' ')}"
        else:
            out += f"{pad}- {scalar(inner)}\n"
    return out


def ref(*path):
    return {"$ref": "#/" + "/".join(path)}


def camel(name):
    first, *rest = re.split(r"[._]", name)
    return first + "".join(word.capitalize() for word in rest)


# --- Schemas ---

def field_schema(field):
    if field.object:
        return {"description": field.description, **object_schema(field.object)}
    if field.enum:
        return {"description": field.description, "type": "string", "enum": field.enum.values}
    limit = limits(field)
    schema = {"description": f"{field.description} {limit[0].upper()}{limit[1:]}.", "type": "string"}
    if field.format == "date-time":
        schema["format"] = field.format
    if field.pattern:
        schema["pattern"] = field.pattern
    for key in ("minLength", "maxLength"):
        if field.schema.get(key):
            schema[key] = field.schema[key]
    return {**schema, "examples": [field.example]}


def object_schema(one):
    required = [field.name for field in one.fields if field.required]
    return {"type": "object", **({"required": required} if required else {}), "additionalProperties": one.is_open,
            "properties": {field.name: field_schema(field) for field in one.fields}}


def data_schema(one):
    """The data of a type: without the fields that others alone may carry."""
    schema = ref("components", "schemas", one.data.name)
    without = {field.name: False for field in one.data.body.fields if field.only and one.name not in field.only}
    return {"allOf": [schema, {"properties": without}]} if without else schema


def envelope():
    return {
        "type": "object",
        "description": "CloudEvents 1.0 in structured JSON mode.",
        "required": ["specversion", "id", "source", "type", "subject", "organizationid", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"description": "The event's own, for ever.", "type": "string", "minLength": 1},
            "source": {"description": "Which service speaks.", "type": "string", "format": "uri-reference", "minLength": 1},
            "subject": {"description": "The entity's id: the topic's last level.", "type": "string", "minLength": 1},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "organizationid": {"description": "The topic's organization.", "type": "string", "minLength": 1},
            "epoch": {"description": "Set by the broker; another one when the numbering begins anew.", "type": "string",
                      "pattern": "^[0-9a-f]{16}$"},
            "sequence": {"description": "Set by the broker: contiguous per organization, from 1 in each epoch.", "type": "string",
                         "pattern": "^[0-9]{20}$"},
        },
    }


# --- Messages, channels, operations ---

def message(one):
    return {
        "name": one.name,
        "title": one.name,
        "summary": one.summary,
        "contentType": "application/cloudevents+json; charset=utf-8",
        "payload": {"allOf": [ref("components", "schemas", "event"), {
            "properties": {"type": {"const": one.name}, "dataschema": {"const": one.data.urn},
                           "data": data_schema(one)}}]},
        "examples": [{"name": camel(one.name), "payload": example_event(one)}],
    }


def channel(one):
    entity = one.data.entity
    return {
        "address": f"org/{{organizationId}}/invoices/{one.word}/{{{entity.name}}}",
        "title": one.name,
        "summary": one.summary,
        "messages": {camel(one.name): ref("components", "messages", camel(one.name))},
        "parameters": {"organizationId": ref("components", "parameters", "organizationId"),
                       entity.name: ref("components", "parameters", entity.name)},
    }


def operation(one, action):
    name = camel(one.name)
    verb = "Publish" if action == "send" else "Receive"
    return {
        "action": action,
        "channel": ref("channels", name),
        "summary": f"{verb} {one.name}.",
        "security": [ref("components", "securitySchemes", "jwt")],
        "messages": [ref("channels", name, "messages", name)],
    }


def parameters(catalogue):
    found = {}
    for data in catalogue.data:
        for field in (data.organization, data.entity):
            limit = limits(field)
            found[field.name] = {"description": f"{field.description} {limit[0].upper()}{limit[1:]}.",
                                 "examples": [field.example]}
    return found


SERVERS = {
    "mqtt": {
        "host": "events.acme.example:8883",
        "protocol": "secure-mqtt",
        "protocolVersion": "5.0",
        "description": "MQTT 5 over TLS, for services.",
        "security": [ref("components", "securitySchemes", "jwt")],
    },
    "websocket": {
        "host": "events.acme.example:443",
        "protocol": "wss",
        "description": "MQTT 5 over WebSocket (subprotocol mqtt), for browsers.",
        "security": [ref("components", "securitySchemes", "jwt")],
    },
}

DESCRIPTION = ("Live events of each organization. One subscription to org/{organizationId}/invoices/# is an "
               "organization's whole stream. What a client missed it asks for with the commands position and replay "
               "on $CONTROL/orgcast/v1 (docs/control.md), which are not described here.")
JWT = ("The token is the MQTT password; the user name is ignored. Its claims name the organizations. Subscribing needs "
       "the configured subscribe_scope, none by default, publishing the scope invoices:publish.")


def write(catalogue):
    operations = {}
    for one in catalogue.types:
        operations["send" + camel("x." + one.name)[1:]] = operation(one, "send")
    for one in catalogue.types:
        operations["receive" + camel("x." + one.name)[1:]] = operation(one, "receive")
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": catalogue.title, "version": catalogue.version, "description": DESCRIPTION,
                 "license": {"name": "MIT"}},
        "defaultContentType": "application/cloudevents+json; charset=utf-8",
        "servers": SERVERS,
        "channels": {camel(one.name): channel(one) for one in catalogue.types},
        "operations": operations,
        "components": {
            "securitySchemes": {"jwt": {"type": "apiKey", "in": "password", "description": JWT}},
            "parameters": parameters(catalogue),
            "messages": {camel(one.name): message(one) for one in catalogue.types},
            "schemas": {"event": envelope(),
                        **{data.name: {"description": data.schema["description"], **object_schema(data.body)}
                           for data in catalogue.data}},
        },
    }
    return f"# {MARK}\n" + yaml(document)

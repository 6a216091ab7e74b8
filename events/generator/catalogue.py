# SPDX-License-Identifier: MIT
"""Reads events/ into objects that the writers use, and refuses whatever they would not carry over."""

import json
import re
from pathlib import Path

from . import dfa

TYPES_MAX = 64  # a bit each in the C tables
FORMATS = {"orgcast-organization-id", "orgcast-entity-id", "orgcast-line", "orgcast-text", "date-time"}
ANNOTATIONS = {"title", "description", "examples", "$comment"}
STRING_KEYWORDS = {"type", "format", "pattern", "x-fault", "enum", "minLength", "maxLength"}
OBJECT_KEYWORDS = {"type", "properties", "required", "additionalProperties"}
ROOT_KEYWORDS = {"$schema", "$id", "$defs"}
# What C, TypeScript and C++ would not take as a member's name.
RESERVED = set("""auto bool break case catch char class const continue default delete do double else enum export
    extern false final float for goto if import inline int long namespace new operator private protected public
    register restrict return short signed sizeof static struct switch template this throw true try typedef
    typename union unsigned using virtual void volatile while""".split())


class CatalogueError(Exception):
    pass


def need(condition, where, message):
    if not condition:
        raise CatalogueError(f"{where}: {message}")


def snake(name):
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def kebab(name):
    return snake(name).replace("_", "-")


class Enum:
    def __init__(self, name, values, description):
        self.name = name  # "invoice_status"
        self.values = values
        self.description = description

    @property
    def c_type(self):
        return f"orgcast_{self.name}_t"

    def constant(self, value):
        return f"ORGCAST_{self.name.upper()}_{re.sub('[^A-Za-z0-9]', '_', value).upper()}"


class Object:
    """Of the data itself the C type is Data.c_type."""

    def __init__(self, name, fields, is_open, description):
        self.name = name  # "invoice", "invoice_previous"
        self.fields = fields
        self.is_open = is_open
        self.description = description

    def field(self, name):
        return next((field for field in self.fields if field.name == name), None)


class Field:
    def __init__(self, name, schema, required):
        self.name = name
        self.required = required
        self.description = schema.get("description", "")
        self.schema = schema
        self.example = (schema.get("examples") or [None])[0]
        self.format = schema.get("format")
        self.pattern = schema.get("pattern")
        self.fault = schema.get("x-fault")
        self.max_bytes = schema.get("maxLength", 0)
        self.may_be_empty = self.format in ("orgcast-line", "orgcast-text") and schema.get("minLength", 0) == 0
        self.enum = None
        self.object = None
        self.only = []  # types, when not all may carry it

    @property
    def kind(self):
        return "enum" if self.enum else "object" if self.object else "text"


class Data:
    """What the types of one kind carry."""

    def __init__(self, name, urn, schema_file, schema, body, entity, time, one_type):
        self.name = name
        self.one_type = one_type
        self.urn = urn
        self.schema_file = schema_file
        self.schema = schema
        self.body = body
        self.entity = body.field(entity)
        self.organization = body.field("organizationId")
        self.time = body.field(time)

    @property
    def c_type(self):
        return f"orgcast_{self.name}_event_t"

    def objects(self):
        """The nested ones first."""
        return [field.object for field in self.body.fields if field.object] + [self.body]


class Type:
    def __init__(self, name, word, data, emit, summary):
        self.name = name
        self.word = word
        self.data = data
        self.emit = emit
        self.summary = summary

    @property
    def constant(self):
        return "ORGCAST_EVENT_" + self.name.replace(".", "_").upper()

    @property
    def function(self):
        return f"orgcast_emit_{self.emit}"


class Catalogue:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.schemas = {}
        self.enums = []
        self.data = []
        self.types = []
        self.owner = None  # the schema that is being read
        index = self.read("catalogue.json")
        self.title = index["title"]
        self.version = index["version"]
        for path in sorted(self.folder.glob("*.schema.json")):
            schema = self.read(path.name)
            need(schema.get("$id") not in self.schemas, path.name, "its $id is missing or another's")
            self.schemas[schema["$id"]] = (path.name, schema)
        for name, entry in index["data"].items():
            self.data.append(self.read_data(name, entry))
        for number, entry in enumerate(index["types"]):
            self.types.append(self.read_type(entry, f"catalogue.json: types[{number}]"))
        self.check_types(index)

    def read(self, name):
        def members(pairs):
            need(len(dict(pairs)) == len(pairs), name, "has a member twice")
            return dict(pairs)
        try:
            return json.loads((self.folder / name).read_text(encoding="utf-8"), object_pairs_hook=members)
        except ValueError as error:
            raise CatalogueError(f"{name}: {error}") from None

    # --- Types ---

    def read_type(self, entry, where):
        known = {"type", "word", "data", "emit", "summary"}
        need(set(entry) <= known and {"type", "word", "data", "summary"} <= set(entry), where,
             f"must have type, word, data and summary, and of others only {sorted(known)}")
        name = entry["type"]
        need(re.fullmatch(r"[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)+", name), where, "type must read as invoice.paid does")
        need(re.fullmatch(r"[a-z][a-z0-9]*", entry["word"]), where, "word must be one lower-case word")
        data = next((data for data in self.data if data.name == entry["data"]), None)
        need(data, where, "data is none of the index's")
        emit = entry.get("emit", name.replace(".", "_"))
        need(re.fullmatch(r"[a-z][a-z0-9_]*", emit), where, "emit must be a C name")
        self.check_words(entry["summary"], where)
        return Type(name, entry["word"], data, emit, entry["summary"])

    @staticmethod
    def check_words(text, where):
        need(text.isascii() and text.isprintable() and not set(text) & set('\\"|<>') and "*/" not in text
             and "/*" not in text, where, "descriptions are ASCII without \\ \" | < > and comment marks")
        need(text.endswith("."), where, "descriptions are sentences")

    def check_types(self, index):
        where = "catalogue.json"
        for what in ("name", "word", "emit"):
            found = [getattr(one, what) for one in self.types]
            need(len(set(found)) == len(found), where, f"two types have the same {what}")
        need(0 < len(self.types) < TYPES_MAX, where, f"between 1 and {TYPES_MAX - 1} types are possible")
        for data in self.data:
            carriers = {one.name for one in self.types if one.data is data}
            need(carriers, where, f"no type carries {data.name}")
            need(len(carriers) == 1 or not data.one_type, where,
                 f"{data.name} is for one type: orgcast_event_check_{data.name}() asks for none")
            for field_name, types in index["data"][data.name].get("only", {}).items():
                field = data.body.field(field_name)
                need(field and not field.required, where, f"only: {field_name} is no optional field of {data.name}")
                need(types and set(types) <= carriers, where, f"only: {field_name} names a type without it")
                field.only = types

    # --- Schemas ---

    def read_data(self, name, entry):
        where = f"catalogue.json: data.{name}"
        need(set(entry) <= {"schema", "entity", "time", "only", "one_type"}, where, "has an unknown member")
        need(re.fullmatch(r"[a-z][a-z0-9]*", name), where, "the name must be one lower-case word")
        urn, schema = next(((urn, schema) for urn, (file, schema) in self.schemas.items()
                            if file == entry["schema"]), (None, None))
        need(schema, where, "schema is no file of events/")
        self.owner = schema
        need(schema.get("title") and schema.get("description"), where, "title or description is missing in the schema")
        self.check_words(schema["description"], where)
        body = self.read_object(name, schema, schema, entry["schema"], is_root=True)
        data = Data(name, urn, entry["schema"], schema, body, entry["entity"], entry["time"],
                    entry.get("one_type", False))
        for what, field, wanted in (("entity", data.entity, "orgcast-entity-id"),
                                    ("organizationId", data.organization, "orgcast-organization-id"),
                                    ("time", data.time, "date-time")):
            need(field and field.required and field.format == wanted, where,
                 f"{what} must be a required field of format {wanted}")
        return data

    def resolve(self, schema, root, where):
        """The schema behind $ref, with what stands beside it, and the name of its $def."""
        def_name = None
        while "$ref" in schema:
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            need(set(beside) <= ANNOTATIONS, where, "beside $ref only annotations are possible")
            urn, _, pointer = schema["$ref"].partition("#")
            if urn:
                need(urn in self.schemas, where, f"{urn} is the $id of no schema here")
                root = self.schemas[urn][1]
            match = re.fullmatch(r"/\$defs/([A-Za-z0-9]+)", pointer)
            need(match and match[1] in root.get("$defs", {}), where, f"{schema['$ref']} is not there")
            def_name = match[1]
            schema = {**root["$defs"][def_name], **beside}
        return schema, root, def_name

    def read_object(self, name, schema, root, where, is_root=False):
        unknown = set(schema) - OBJECT_KEYWORDS - ANNOTATIONS - (ROOT_KEYWORDS if is_root else set())
        need(not unknown, where, f"the generator does not know {', '.join(sorted(unknown))}")
        need(schema.get("type") == "object" and schema.get("properties"), where, "must be an object with properties")
        need(isinstance(schema.get("additionalProperties", True), bool), where, "additionalProperties must be a boolean")
        required = schema.get("required", [])
        need(set(required) <= set(schema["properties"]), where, "required names a field that is not there")
        fields = []
        for field_name, field_schema in schema["properties"].items():
            fields.append(self.read_field(name, field_name, field_schema, field_name in required, root,
                                          f"{where}: {field_name}", is_root))
        return Object(name, fields, schema.get("additionalProperties", True), schema.get("description", ""))

    def read_field(self, object_name, name, schema, required, root, where, may_nest):
        need(re.fullmatch(r"[a-z][A-Za-z0-9]*", name) and snake(name) not in RESERVED, where,
             "the name must be in camel case and no keyword")
        schema, root, def_name = self.resolve(schema, root, where)
        need(schema.get("description"), where, "a description is missing")
        self.check_words(schema["description"], where)
        field = Field(name, schema, required)
        if schema.get("type") == "object":
            need(may_nest and not required, where, "an object is possible as an optional field of the data itself")
            field.object = self.read_object(f"{object_name}_{snake(name)}", schema, root, where)
            return field
        unknown = set(schema) - STRING_KEYWORDS - ANNOTATIONS
        need(not unknown, where, f"the generator does not know {', '.join(sorted(unknown))}")
        need(schema.get("type") == "string", where, "type must be string or object")
        if "enum" in schema:
            need(def_name and root is self.owner, where, "an enum must be a $def of its schema")
            need(not set(schema) & (STRING_KEYWORDS - {"type", "enum"}), where, "an enum needs no other keyword")
            field.enum = self.read_enum(f"{object_name.split('_')[0]}_{snake(def_name)}", schema, where)
            return field
        self.check_text(field, where)
        return field

    def read_enum(self, name, schema, where):
        found = next((enum for enum in self.enums if enum.name == name), None)
        if not found:
            values = schema["enum"]
            need(values and all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", value) for value in values), where,
                 "enum values must be words")
            found = Enum(name, values, schema.get("description", ""))
            need(len({found.constant(value) for value in values} | {found.constant("unset")}) == len(values) + 1,
                 where, "two enum values have the same name in C")
            self.enums.append(found)
        return found

    def check_text(self, field, where):
        need(isinstance(field.example, str), where, "examples are missing: the pages show one")
        need(field.format is None or field.format in FORMATS, where, f"format must be one of {sorted(FORMATS)}")
        need(field.schema.get("minLength", 0) in (0, 1), where, "minLength must be 0 or 1")
        need(bool(field.format) + bool(field.pattern) == 1, where, "either a format or a pattern is needed")
        if field.pattern:
            need(field.fault and field.fault.startswith("must "), where,
                 "a pattern needs an x-fault: what is said of a value that does not fit, as 'must be ...'")
            try:
                dfa.compile_pattern(field.pattern)
            except dfa.PatternError as error:
                raise CatalogueError(f"{where}: pattern {error}") from None
        if field.format in ("orgcast-organization-id", "orgcast-entity-id"):
            need(field.max_bytes == 128 and field.schema.get("minLength") == 1, where, "an id has 1 to 128 bytes")
        if field.format in ("orgcast-line", "orgcast-text"):
            need(field.max_bytes > 0, where, "maxLength is missing")

# SPDX-License-Identifier: MIT
"""What the writers share: the mark, strings, lists."""

MARK = "Written by events/generate from events/; do not edit."


def marked_c(body):
    """clang-format has no say in a written file, or its version would decide whether one is stale."""
    return (f"/* SPDX-License-Identifier: MIT */\n/* {MARK} */\n"
            f"/* clang-format off */\n{body}/* clang-format on */\n")


def c_string(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if not escaped.isascii() or not escaped.isprintable():
        raise ValueError(f"not for a C string: {text!r}")
    return f'"{escaped}"'


def any_of(words):
    """"a, b or c"."""
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


FORMAT_LIMITS = {
    "orgcast-organization-id":
        "{length} without `/ + #`, white space and control characters; does not begin with `$`",
    "orgcast-entity-id": "{length} without `/ + #`, white space and control characters",
    "orgcast-line": "{length} without control characters",
    "orgcast-text": "{length}; of the control characters only tabs and line ends",
    "date-time": "RFC 3339 with T in upper case, Z or an offset, up to nanoseconds, no leap second",
}


def limits(field):
    """What a text may be, in words; empty for what is no text."""
    if field.kind != "text":
        return ""
    if field.pattern:
        return field.fault.removeprefix("must be ")
    least = 0 if field.may_be_empty else 1
    return FORMAT_LIMITS[field.format].format(length=f"{least} to {field.max_bytes} bytes")


def example(one, field):
    """A value for the field of that type of event."""
    if field.enum:
        word = one.name.rpartition(".")[2]
        return next((value for value in field.enum.values if value.lower() == word), field.enum.values[0])
    if field.object:
        return {inner.name: example(one, inner) for inner in field.object.fields}
    return field.example


def example_event(one):
    """A whole event; its id is a UUIDv7."""
    data = {field.name: example(one, field) for field in one.data.body.fields
            if not field.only or one.name in field.only}
    return {"specversion": "1.0", "id": "01938c9e-5d2c-7000-8000-3a5f0b6c1d2e", "source": "/billing",
            "type": one.name, "subject": data[one.data.entity.name], "time": data[one.data.time.name],
            "datacontenttype": "application/json", "dataschema": one.data.urn,
            "organizationid": data["organizationId"], "data": data}

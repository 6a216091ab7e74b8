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

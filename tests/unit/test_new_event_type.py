#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Adds the event types of CONTRIBUTING.md to a copy of the tree, as that says, and builds it: the library, the broker's
check and the command line know them. That they reach a browser is in tests/browser/new_event_in_page.test.mjs."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from new_event_type import ROOT, build, copy_tree, follow_contributing, generate, run

PROGRAM = """
add_executable(new_event_type tests/unit/new_event_type.c)
orgcast_target(new_event_type)
target_link_libraries(new_event_type PRIVATE emitter_static)
"""


def changed(tree):
    """The files that are not what they were before."""
    names = (file.relative_to(tree) for file in tree.rglob("*") if file.is_file() and file.parent.name != "__pycache__")
    return [str(name) for name in names
            if not (ROOT / name).exists() or (tree / name).read_bytes() != (ROOT / name).read_bytes()]


class NewEventType(unittest.TestCase):
    def test_it_is_known_everywhere(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder)
            copy_tree(tree)
            generate(tree, "--check")

            follow_contributing(tree / "events")
            self.assertCountEqual(changed(tree), ["events/catalogue.json", "events/payment.schema.json"])
            stale = generate(tree, "--check", status=1)
            for name in ("common/event_catalogue.c", "include/orgcast/event.h", "include/orgcast/emit.h",
                         "docs/events.md", "docs/asyncapi.yaml", "demo/src/catalogue.ts", "cli/event_options.h",
                         "packages/client/src/core/catalogue.ts", "packages/client/src/core/required.ts",
                         "packages/client/src/testing/examples.ts"):
                self.assertIn(f"{name} is stale", stale)
            generate(tree)
            generate(tree, "--check")
            for name in changed(tree):
                if not name.startswith("events/"):
                    self.assertIn("Written by events/generate", (tree / name).read_text(encoding="utf-8")[:200], name)

            with (tree / "CMakeLists.txt").open("a", encoding="utf-8") as file:
                file.write(PROGRAM)
            build(tree, "new_event_type", "cli")
            run(tree / "build" / "new_event_type")

            orgcast = tree / "build" / "cli" / "orgcast"
            self.assertIn("--payment-id", run(orgcast, "emit", "--help"))
            said = run(orgcast, "emit", "payment.received", "--organization-id", "acme", "--payment-id", "p-1",
                       "--method", "card", "--iban", "x", status=2)
            self.assertIn("--iban must be an IBAN without spaces", said)
            said = run(orgcast, "emit", "--stdin", "--payment-id", "p-1", status=2)
            self.assertIn("put --payment-id in the lines of --stdin", said)
            for name in ("docs/events.md", "docs/asyncapi.yaml", "demo/src/catalogue.ts"):
                self.assertIn("payment.received", (tree / name).read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()

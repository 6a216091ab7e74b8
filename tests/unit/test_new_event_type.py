#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Adds the event types of CONTRIBUTING.md to a copy of the tree, as that says, and builds it: the library, the broker's
check and the command line know them."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("CMakeLists.txt", "cmake", "common", "emitter", "plugin", "cli", "include", "events", "docs", "demo/src",
          "tests/unit/new_event_type.c", "mosquitto.conf.example")
PROGRAM = """
add_executable(new_event_type tests/unit/new_event_type.c)
orgcast_target(new_event_type)
target_link_libraries(new_event_type PRIVATE emitter_static)
"""


def run(*command, status=0):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=500, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == status, f"{command[0]} ended with {done.returncode}:\n{said[-4000:]}"
    return said


def copy_tree(to):
    for name in NEEDED:
        source, target = ROOT / name, to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)


def follow_contributing(events):
    """The blocks of the section, in its order, put where it says."""
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Adding an event type")[1]
    refunded, schema, kind, received = re.findall(r"```json\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
    (events / "payment.schema.json").write_text(schema, encoding="utf-8")
    index = json.loads((events / "catalogue.json").read_text(encoding="utf-8"))
    index["data"].update(json.loads(kind))
    index["types"] += [json.loads(refunded), json.loads(received)]
    (events / "catalogue.json").write_text(json.dumps(index), encoding="utf-8")


class NewEventType(unittest.TestCase):
    def test_it_is_known_everywhere(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = Path(folder)
            copy_tree(tree)
            generate = tree / "events" / "generate"
            run(generate, "--check")

            follow_contributing(tree / "events")
            stale = run(generate, "--check", status=1)
            for name in ("common/event_catalogue.c", "include/orgcast/event.h", "include/orgcast/emit.h",
                         "docs/events.md", "docs/asyncapi.yaml", "demo/src/catalogue.ts", "cli/event_options.h"):
                self.assertIn(f"{name} is stale", stale)
            run(generate)
            run(generate, "--check")

            with (tree / "CMakeLists.txt").open("a", encoding="utf-8") as file:
                file.write(PROGRAM)
            run("cmake", "-G", "Ninja", "-S", tree, "-B", tree / "build", "-DORGCAST_TESTS=OFF", "-DORGCAST_WERROR=ON")
            run("cmake", "--build", tree / "build", "--target", "new_event_type", "cli")
            run(tree / "build" / "new_event_type")

            orgcast = tree / "build" / "cli" / "orgcast"
            self.assertIn("--payment-id", run(orgcast, "emit", "--help"))
            said = run(orgcast, "emit", "payment.received", "--organization-id", "acme", "--payment-id", "p-1",
                       "--method", "card", "--iban", "x", status=2)
            self.assertIn("--iban must be an IBAN without spaces", said)
            for name in ("docs/events.md", "docs/asyncapi.yaml", "demo/src/catalogue.ts"):
                self.assertIn("payment.received", (tree / name).read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()

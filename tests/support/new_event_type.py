#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A copy of the tree with the event types of CONTRIBUTING.md in it, made as that says.

new_event_type.py FOLDER [TARGET...]: makes one in FOLDER and builds the targets in FOLDER/build."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What the events are generated into, and what building and serving that takes.
COPIED = ("CMakeLists.txt", "cmake", "common", "emitter", "plugin", "cli", "include", "events", "docs", "demo",
          "packages/client/src", "scripts/lib.sh", "tests/unit/new_event_type.c", "mosquitto.conf.example")
IGNORED = shutil.ignore_patterns("__pycache__", "node_modules", "dist")
DEADLINE_S = 500


def run(*command, status=0):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=DEADLINE_S,
                          check=False)
    said = done.stdout + done.stderr
    assert done.returncode == status, f"{command[0]} ended with {done.returncode}:\n{said[-4000:]}"
    return said


def copy_tree(tree):
    for name in COPIED:
        source, target = ROOT / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=IGNORED)
        else:
            shutil.copy(source, target)


def follow_contributing(events):
    """The blocks of the section, in its order, put where it says: into events/, and nowhere else."""
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Adding an event type")[1]
    refunded, schema, kind, received = re.findall(r"```json\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
    (events / "payment.schema.json").write_text(schema, encoding="utf-8")
    index = json.loads((events / "catalogue.json").read_text(encoding="utf-8"))
    index["data"].update(json.loads(kind))
    index["types"] += [json.loads(refunded), json.loads(received)]
    (events / "catalogue.json").write_text(json.dumps(index), encoding="utf-8")


def generate(tree, *options, status=0):
    return run(tree / "events" / "generate", *options, status=status)


def build(tree, *targets):
    run("cmake", "-G", "Ninja", "-S", tree, "-B", tree / "build", "-DORGCAST_TESTS=OFF", "-DORGCAST_WERROR=ON")
    run("cmake", "--build", tree / "build", "--parallel", os.cpu_count(), "--target", *targets)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    tree = Path(sys.argv[1]).resolve()
    copy_tree(tree)
    follow_contributing(tree / "events")
    generate(tree)
    if sys.argv[2:]:
        build(tree, *sys.argv[2:])


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The generator: its automata match what the regular expressions do, and it refuses what it would not carry over."""

import json
import random
import re
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "events"))

from generator import dfa  # noqa: E402
from generator.catalogue import Catalogue, CatalogueError  # noqa: E402

PATTERNS = [r"^-?[0-9]{1,18}(\.[0-9]{1,6})?$", r"^[A-Z]{3}$", r"^(a|b)*abb$", r"^(ab?){2,4}c*$", r"^$", r"^a{0}b$",
            r"^[a-c]+\.(x|yz){1,}$", r"^(a?){3}a{3}$", r"^\d+(?:-\d+)*$", r"^[\-.\\]a$", r"^(?:a|bc|)d$",
            r"^[+-]*$", r"^(a*)*b$", r"^(|a)+$"]
REFUSED = ["a", "^a", "a$", "^(a$", "^a)$", "^[^a]$", "^.$", "^a**$", "^a+?$", "^a{2,1}$", "^a{x}$", "^a{9999}$",
           r"^\w$", r"^\u0041$", "^é$", "^[b-a]$", "^(?=a)$", "^(?<n>a)$", "^[a$", "^[]$", "^a|b$", "^a$b$", "^*$", "^\t$"]


class Automata(unittest.TestCase):
    def test_they_match_what_the_expressions_do(self):
        generator = random.Random(1)
        for pattern in PATTERNS:
            table = dfa.compile_pattern(pattern)
            letters = re.sub(r"[^ -~]", "", pattern) + "abcdxyz.-019AZ"
            for _ in range(5000):
                text = "".join(generator.choice(letters) for _ in range(generator.randint(0, 9)))
                self.assertEqual(table.matches(text), bool(re.fullmatch(pattern[1:-1], text)), (pattern, text))

    def test_only_ascii_matches(self):
        table = dfa.compile_pattern(r"^\d+$")
        self.assertTrue(table.matches("19"))
        for text in ("1\u0661", "\u00e9", "1\n", "\x7f", ""):
            self.assertFalse(table.matches(text), text)

    def test_what_is_not_supported_is_refused(self):
        for pattern in REFUSED:
            with self.subTest(pattern):
                self.assertRaises(dfa.PatternError, dfa.compile_pattern, pattern)


def set_member(path, value):
    """A change of one member, deep in a file; GONE takes it out."""
    def change(document):
        *parents, last = path
        for key in parents:
            document = document[key]
        if value is GONE:
            del document[last]
        else:
            document[last] = value
    return change


GONE = object()
INVOICE, INDEX = "invoice.schema.json", "catalogue.json"
AMOUNT = ("$defs", "amount")
# name: (file, change, what the message says)
BAD = {
    "a keyword that is not carried over": (INVOICE, set_member((*AMOUNT, "const"), "1"), "does not know const"),
    "a keyword beside $ref": (INVOICE, set_member(("properties", "amount", "maxLength"), 1), "only annotations"),
    "a keyword at the top": (INVOICE, set_member(("allOf",), []), "does not know allOf"),
    "a type that C does not get": (INVOICE, set_member((*AMOUNT, "type"), "number"), "string or object"),
    "an unknown format": (INVOICE, set_member(("$defs", "invoiceNumber", "format"), "email"), "format must be"),
    "neither format nor pattern": (INVOICE, set_member((*AMOUNT, "pattern"), GONE), "a format or a pattern"),
    "a pattern that is none": (INVOICE, set_member((*AMOUNT, "pattern"), "^(a$"), "pattern ends too early"),
    "a pattern without words": (INVOICE, set_member((*AMOUNT, "x-fault"), GONE), "needs an x-fault"),
    "no description": (INVOICE, set_member(("$defs", "status", "description"), GONE), "description is missing"),
    "a comment's end": (INVOICE, set_member((*AMOUNT, "description"), "*/."), "descriptions are ASCII"),
    "no example": (INVOICE, set_member((*AMOUNT, "examples"), GONE), "examples are missing"),
    "a line without an end": (INVOICE, set_member(("$defs", "invoiceNumber", "maxLength"), GONE), "maxLength is missing"),
    "a keyword of C": (INVOICE, set_member(("properties", "default"), {"$ref": "#/$defs/amount"}), "no keyword"),
    "a name in snake case": (INVOICE, set_member(("properties", "due_on"), {"$ref": "#/$defs/amount"}), "camel case"),
    "a $ref to nowhere": (INVOICE, set_member(("properties", "amount", "$ref"), "#/$defs/sum"), "is not there"),
    "required, but not there": (INVOICE, set_member(("required",), ["organizationId", "due"]), "is not there"),
    "an enum twice the same in C": (INVOICE, set_member(("$defs", "status", "enum"), ["PAID", "paid"]), "the same name in C"),
    "an enum that has C's unset": (INVOICE, set_member(("$defs", "status", "enum"), ["UNSET"]), "the same name in C"),
    "an optional entity": (INVOICE, set_member(("required",), ["organizationId", "timestamp"]), "entity must be"),
    "a type twice": (INDEX, set_member(("types", 1, "type"), "invoice.created"), "the same name"),
    "a topic's word twice": (INDEX, set_member(("types", 1, "word"), "created"), "the same word"),
    "a topic's word with a slash": (INDEX, set_member(("types", 1, "word"), "a/b"), "one lower-case word"),
    "a type in camel case": (INDEX, set_member(("types", 1, "type"), "invoice.Paid"), "as invoice.paid does"),
    "data that is not there": (INDEX, set_member(("types", 1, "data"), "nowhere"), "none of the index's"),
    "a second type where one was": (INDEX, set_member(("types", 3, "data"), "notification"), "for one type"),
    "only, of a required field": (INDEX, set_member(("data", "invoice", "only"), {"amount": ["invoice.sent"]}), "no optional field"),
    "only, of another's type": (INDEX, set_member(("data", "invoice", "only"), {"previous": ["notification.created"]}), "without it"),
    "an unknown member": (INDEX, set_member(("types", 0, "topic"), "x"), "of others only"),
}


class Refusals(unittest.TestCase):
    def changed(self, name, change):
        with tempfile.TemporaryDirectory() as folder:
            for path in (ROOT / "events").glob("*.json"):
                shutil.copy(path, folder)
            path = Path(folder) / name
            document = json.loads(path.read_text(encoding="utf-8"))
            change(document)
            path.write_text(json.dumps(document), encoding="utf-8")
            return Catalogue(folder)

    def test_the_catalogue_itself_is_read(self):
        types = json.loads((ROOT / "events" / INDEX).read_text(encoding="utf-8"))["types"]
        self.assertEqual([one.name for one in self.changed(INDEX, lambda document: None).types],
                         [one["type"] for one in types])

    def test_what_is_wrong_is_refused_and_named(self):
        for name, (file, change, says) in BAD.items():
            with self.subTest(name):
                with self.assertRaises(CatalogueError) as caught:
                    self.changed(file, change)
                self.assertIn(says, str(caught.exception))

    def test_members_that_stand_twice(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in (ROOT / "events").glob("*.json"):
                shutil.copy(path, folder)
            path = Path(folder) / INDEX
            path.write_text(path.read_text(encoding="utf-8").replace("{", '{"title":"x",', 1), encoding="utf-8")
            self.assertRaisesRegex(CatalogueError, "a member twice", Catalogue, folder)


if __name__ == "__main__":
    unittest.main()

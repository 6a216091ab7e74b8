# SPDX-License-Identifier: MIT
"""Help, version, and what a wrong command line gets: exit 2, what is wrong, and where to read on."""

import re
import subprocess

import pytest
from broker import REPOSITORY
from command import ORGCAST, PAID_FLAGS

SUBCOMMANDS = [re.sub("^(token|conf|admin)_", r"\1 ", name) for name in
               re.findall(r" X\((\w+)\)", (REPOSITORY / "cli" / "commands.h").read_text(encoding="utf-8"))]


def test_there_are_subcommands():
    assert {"emit", "token sign", "admin stats"} <= set(SUBCOMMANDS) and len(SUBCOMMANDS) >= 13


def test_help_lists_every_subcommand(orgcast):
    result = orgcast("--help")
    assert (result.returncode, result.stderr) == (0, "")
    for name in SUBCOMMANDS:
        assert f"\n  {name} " in result.stdout


def test_help_of_a_group(orgcast):
    result = orgcast("token", "--help")
    assert result.returncode == 0
    assert "token sign" in result.stdout and "token inspect" in result.stdout
    assert "\n  emit" not in result.stdout


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_of_a_subcommand(orgcast, name):
    result = orgcast(*name.split(), "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: orgcast {name} ")
    for text in ("Options:", "--help ", "--json ", "Exit codes: 0"):
        assert text in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert orgcast(*name.split(), "-h").stdout == result.stdout


def test_version(orgcast):
    assert orgcast("--version").stdout == "orgcast 0.1.0\n"


SIGN = ("token", "sign", "--key-file", "/nowhere")

WRONG = {
    "nothing": ((), "Subcommands:"),
    "unknown subcommand": (("publish",), "no such subcommand: 'publish'"),
    "half a subcommand": (("token",), "a subcommand is missing"),
    "unknown half": (("token", "forge"), "no such subcommand: 'forge'"),
    "unknown option": (("emit", "--colour=blue"), "unknown option --colour"),
    "unknown short option": (("emit", "-x"), "unknown option -x"),
    "no argument": (("listen", "--organization-id"), "--organization-id needs an argument"),
    "an argument too many": (("emit", *PAID_FLAGS, "again"), "one argument too many"),
    "an argument to a flag": (("emit", "--stdin=x"), "--stdin takes no argument"),
    "twice": (("listen", "--host", "a", "--host", "b"), "--host is given twice"),
    "no type": (("emit",), "an event type or --stdin is missing"),
    "type and stdin": (("emit", "invoice.paid", "--stdin"), "exclude each other"),
    "unknown type": (("emit", "invoice.payed"), "no such event type: 'invoice.payed'"),
    "field and stdin": (("emit", "--stdin", "--amount", "1"), "put --amount in the lines of --stdin"),
    "keep going": (("emit", *PAID_FLAGS, "--keep-going"), "--keep-going goes with --stdin"),
    "token on the events' stdin": (("emit", "--stdin", "--token-file", "-"), "both the token and"),
    "two token sources": (("emit", *PAID_FLAGS, "--token-file", "a", "--signing-key-file", "b"),
                          "exclude each other"),
    "alg without key": (("emit", *PAID_FLAGS, "--alg", "HS256"), "--alg goes with --signing-key"),
    "missing field": (("emit", "invoice.paid", "--organization-id", "acme"),
                      "--invoice-id is missing"),
    "other type's field": (("emit", *PAID_FLAGS, "--title", "t"), "--title is no field"),
    "other type's type": (("emit", *PAID_FLAGS, "--type", "info"), "--type is no field"),
    "bad amount": (("emit", *(v if v != "10.00" else "1e3" for v in PAID_FLAGS)),
                   "--amount must be a decimal number"),
    "bad status": (("emit", *(v if v != "PAID" else "paid" for v in PAID_FLAGS)),
                   "--status must be DRAFT"),
    "bad organization": (("emit", *(v if v != "acme" else "a/b" for v in PAID_FLAGS)),
                         "--organization-id must not contain"),
    "bad time": (("emit", *PAID_FLAGS, "--timestamp", "today"), "--timestamp must be an RFC 3339"),
    "previous is no JSON": (("emit", *PAID_FLAGS, "--previous", "x"), "--previous must be a JSON"),
    "previous of paid": (("emit", *PAID_FLAGS, "--previous", "{}"), "--previous is for invoice.upd"),
    "bad port": (("emit", *PAID_FLAGS, "--port", "0"), "--port: '0' is no whole number from 1 to"),
    "bad number": (("emit", *PAID_FLAGS, "--timeout", "1s"), "--timeout: '1s' is no whole number"),
    "no organization": (("listen",), "--organization-id is missing"),
    "wildcard organization": (("listen", "--organization-id", "+"), "not an organization id"),
    "$ organization": (("listen", "--organization-id", "$SYS"), "not an organization id"),
    "unknown event": (("listen", "--organization-id", "acme", "--event", "payed"),
                      "no such event: 'payed'"),
    "no key": (("token", "sign"), "--key-file is missing"),
    "claim without value": ((*SIGN, "--claim", "role"), "is not NAME=JSON"),
    "claim without name": ((*SIGN, "--claim", "=1"), "is not NAME=JSON"),
    "claim no JSON": ((*SIGN, "--claim", "role=admin"), "role='\"text\"'"),
    "claim more than JSON": ((*SIGN, "--claim", 'role=1,"sub":2'), "is not JSON"),
    "claim twice": ((*SIGN, "--sub", "a", "--claim", 'sub="b"'), "claim 'sub' is given twice"),
    "exp twice": ((*SIGN, "--exp", "2000000000", "--expires-in", "60"), "claim 'exp' is given twice"),
    "expires now": ((*SIGN, "--expires-in", "0"), "--expires-in: '0' is no whole number from 1"),
    "no token": (("token", "inspect"), "no token"),
}


@pytest.mark.parametrize("arguments, says", WRONG.values(), ids=WRONG)
def test_wrong_usage(orgcast, arguments, says):
    result = orgcast(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert says in result.stderr
    if arguments:
        assert "\nTry 'orgcast" in result.stderr and "--help'." in result.stderr


@pytest.mark.parametrize("arguments", [("emit", *PAID_FLAGS), ("listen",), ("token", "inspect"), SIGN])
@pytest.mark.parametrize("spelling", [("--token", "eyJsecret"), ("--token=eyJsecret",)])
def test_a_token_is_no_argument(orgcast, arguments, spelling):
    result = orgcast(*arguments, *spelling)
    assert (result.returncode, result.stdout) == (2, "")
    assert "use --token-file or ORGCAST_TOKEN" in result.stderr
    assert "eyJsecret" not in result.stderr


def test_output_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "wb") as full:
        result = subprocess.run([ORGCAST, "--help"], stdout=full, stderr=subprocess.PIPE, text=True,
                                check=False, timeout=30)
    assert result.returncode == 1
    assert "standard output cannot be written" in result.stderr

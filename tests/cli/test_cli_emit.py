# SPDX-License-Identifier: MIT
"""orgcast emit against a real broker, without and with the plugin."""

import contextlib
import json
import os
import pty
import re
import select
import socket
import subprocess
import threading
import time
import uuid

import jwt
import pytest
from command import NOTIFICATION_FLAGS, ORGCAST, PAID, PAID_FLAGS, environment, lines
from mqtt import PATIENCE, TIMEOUT_S, wait_for
from tokens import claims, mint

PUBLISHER = {"sub": "billing", "scope": "invoices:publish"}


def at(broker, transport="tcp"):
    return ("--host", broker.host, "--port", broker.ports[transport])


def receipts(text):
    return [json.loads(line) for line in text.splitlines()]


def payloads(watcher, count):
    return [json.loads(message.payload) for message in watcher.take(count)]


def test_one(orgcast, open_broker, watch):
    watcher = watch(open_broker)
    result = orgcast("emit", *PAID_FLAGS, "--json", *at(open_broker))
    assert (result.returncode, result.stderr) == (0, "")
    [receipt] = receipts(result.stdout)
    assert receipt == {"id": receipt["id"], "type": "invoice.paid", "organizationId": "acme",
                       "status": "acknowledged", "reasonCode": 0}
    [message] = watcher.take(1)
    assert message.topic == "org/acme/invoices/paid/inv-17"
    event = json.loads(message.payload)
    assert (event["id"], event["source"]) == (receipt["id"], "/orgcast")
    assert event["data"] == {**{k: v for k, v in PAID.items() if k != "type"},
                             "timestamp": event["data"]["timestamp"]}


def test_one_in_words(orgcast, open_broker):
    result = orgcast("emit", *PAID_FLAGS, *at(open_broker))
    assert (result.returncode, result.stderr) == (0, "")
    words, event_id = result.stdout.split(", event ")
    assert words == "acknowledged invoice.paid inv-17 of acme"
    uuid.UUID(event_id.strip())


def test_notification(orgcast, open_broker, watch):
    watcher = watch(open_broker)
    result = orgcast("emit", *NOTIFICATION_FLAGS, "--timestamp", "2026-11-24T10:00:00Z", "--source",
                     "/demo", *at(open_broker))
    assert result.returncode == 0, result.stderr
    [message] = watcher.take(1)
    assert message.topic == "org/acme/invoices/notification/n-4"
    event = json.loads(message.payload)
    assert event["source"] == "/demo"
    assert event["data"] == {
        "organizationId": "acme", "notificationId": "n-4", "title": "Paid",
        "message": "Invoice 2026-0017 was paid", "type": "success", "invoiceId": "inv-17",
        "timestamp": "2026-11-24T10:00:00Z"}


@pytest.mark.parametrize("word", ["created", "updated", "sent", "paid", "overdue", "cancelled",
                                  "deleted"])
def test_every_invoice_event(orgcast, open_broker, watch, word):
    watcher = watch(open_broker)
    result = orgcast("emit", f"invoice.{word}", *PAID_FLAGS[1:], *at(open_broker))
    assert result.returncode == 0, result.stderr
    [message] = watcher.take(1)
    assert message.topic == f"org/acme/invoices/{word}/inv-17"
    assert json.loads(message.payload)["type"] == f"invoice.{word}"


PREVIOUS = {"amount": "9.00", "status": "SENT"}


def test_previous(orgcast, open_broker, watch):
    watcher = watch(open_broker)
    line = {**PAID, "type": "invoice.updated", "previous": PREVIOUS}
    assert orgcast("emit", "--stdin", *at(open_broker), stdin=json.dumps(line)).returncode == 0
    assert orgcast("emit", "invoice.updated", *PAID_FLAGS[1:], "--previous", json.dumps(PREVIOUS),
                   *at(open_broker)).returncode == 0
    assert [event["data"]["previous"] for event in payloads(watcher, 2)] == [PREVIOUS, PREVIOUS]


def test_a_thousand_lines(orgcast, open_broker, watch):
    watcher = watch(open_broker)
    result = orgcast("emit", "--stdin", "--json", *at(open_broker), stdin=lines(1000))
    assert result.returncode == 0, result.stderr
    assert result.stderr == "orgcast emit: 1000 acknowledged, 0 refused, 0 not answered\n"
    got = receipts(result.stdout)
    events = payloads(watcher, 1000)
    assert {r["status"] for r in got} == {"acknowledged"}
    assert [r["id"] for r in got] == [e["id"] for e in events]
    assert [e["subject"] for e in events] == [f"inv-{n}" for n in range(1, 1001)]


def test_lines_of_every_kind(orgcast, open_broker, watch):
    watcher = watch(open_broker)
    notification = {"type": "notification.created", "organizationId": "acme", "notificationId": "n-1",
                    "title": "T", "message": "M", "notificationType": "warning"}
    text = f"\n{json.dumps(notification)}\r\n \t\r\n\n{lines(1)}{lines(1, organizationId='globex').strip()}"
    result = orgcast("emit", "--stdin", "--json", *at(open_broker), stdin=text)
    assert result.returncode == 0, result.stderr
    assert [(r["type"], r["organizationId"]) for r in receipts(result.stdout)] == [
        ("notification.created", "acme"), ("invoice.paid", "acme"), ("invoice.paid", "globex")]
    first = payloads(watcher, 2)[0]
    assert first["data"]["type"] == "warning" and "invoiceId" not in first["data"]


def test_nothing_on_stdin(orgcast, open_broker):
    result = orgcast("emit", "--stdin", "--json", *at(open_broker))
    assert (result.returncode, result.stdout) == (0, "")


def without(name):
    return {key: value for key, value in PAID.items() if key != name}


BAD_LINES = {
    "no JSON": ("{", "not strict JSON"),
    "no object": ("[]", "not a JSON object"),
    "two objects": ("{}{}", "not strict JSON"),
    "duplicate": ('{"type":"invoice.paid","type":"invoice.paid"}', "not strict JSON"),
    "no type": (json.dumps(without("type")), "type is missing"),
    "type is no string": (json.dumps({**PAID, "type": 1}), "type must be a string"),
    "unknown type": (json.dumps({**PAID, "type": "invoice.lost"}), "type is not an event type"),
    "missing field": (json.dumps(without("currency")), "currency is missing"),
    "unknown field": (json.dumps({**PAID, "colour": "red"}), "colour is no field"),
    "snake case": (json.dumps({**without("invoiceId"), "invoice_id": "1"}), "invoice_id is no field"),
    "other type's field": (json.dumps({**PAID, "title": "x"}), "title is no field"),
    "amount is a number": (json.dumps({**PAID, "amount": 10.0}), "amount must be a string, such as"),
    "amount is null": (json.dumps({**PAID, "amount": None}), "amount must be a string"),
    "bad amount": (json.dumps({**PAID, "amount": "10,00"}), "amount must be a decimal number"),
    "bad status": (json.dumps({**PAID, "status": "paid"}), "status must be DRAFT"),
    "bad organization": (json.dumps({**PAID, "organizationId": "a/b"}), "organizationId must not con"),
    "previous of paid": (json.dumps({**PAID, "previous": {}}), "previous is for invoice.updated"),
    "previous": (json.dumps({**PAID, "type": "invoice.updated", "previous": 1}),
                 "previous must be an object"),
    "previous.amount": (json.dumps({**PAID, "type": "invoice.updated", "previous": {"amount": 1}}),
                        "previous.amount must be a string"),
    "previous.status": (json.dumps({**PAID, "type": "invoice.updated", "previous": {"status": "X"}}),
                        "previous.status must be"),
    "previous.colour": (json.dumps({**PAID, "type": "invoice.updated", "previous": {"colour": ""}}),
                        "previous.colour is no field"),
    "too long": (json.dumps({**PAID, "invoiceNumber": "x" * 70000}), "longer than 65536 bytes"),
    "NUL": (json.dumps({**PAID, "invoiceNumber": "\0"}), "not strict JSON"),
}


@pytest.mark.parametrize("line, says", BAD_LINES.values(), ids=BAD_LINES)
def test_bad_line(orgcast, open_broker, line, says):
    """The events before it arrive, those behind it only with --keep-going; the exit code is 1."""
    text = lines(2) + line + "\n" + lines(1, invoiceId="inv-3")
    for more, count in ((), 2), (("--keep-going",), 3):
        result = orgcast("emit", "--stdin", "--json", *more, *at(open_broker), stdin=text)
        assert result.returncode == 1
        assert f"orgcast emit: line 3: {says}" in result.stderr
        assert [r["status"] for r in receipts(result.stdout)] == ["acknowledged"] * count


def test_blank_lines(orgcast, open_broker):
    """Blank lines are skipped, whatever the line before them held and however long they are."""
    text = " " * 10 + "\n" + " " * 3 + "\n" + lines(1) + " \t\r\n\n" + " " * 65536 + "\n" + lines(1, invoiceId="inv-2")
    result = orgcast("emit", "--stdin", "--json", *at(open_broker), stdin=text)
    assert (result.returncode, result.stderr.splitlines()[:-1]) == (0, [])
    assert [r["status"] for r in receipts(result.stdout)] == ["acknowledged"] * 2


def busy_then(broker, connack):
    """A port whose first connection gets that CONNACK; each later one is carried to the broker."""
    server = socket.create_server((broker.host, 0))
    server.settimeout(TIMEOUT_S)

    def copy(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def serve():
        with server.accept()[0] as first:
            first.recv(65536)
            first.sendall(connack)
        with server.accept()[0] as client, \
                socket.create_connection((broker.host, broker.ports["tcp"])) as link, server:
            back = threading.Thread(target=copy, args=(link, client))
            back.start()
            copy(client, link)
            back.join()

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


@pytest.mark.parametrize("code, name", [(0x88, "server unavailable"), (0x89, "server busy")])
def test_a_refusal_that_is_not_about_the_token(orgcast, open_broker, code, name):
    """It passes: emit tries again, and does not blame the token."""
    port = busy_then(open_broker, bytes((0x20, 3, 0, code, 0)))
    result = orgcast("emit", *PAID_FLAGS, "--host", open_broker.host, "--port", port, "--timeout", "20")
    assert (result.returncode, result.stderr) == \
        (0, f"orgcast emit: refused: {name} (0x{code:02x}); trying again\n")


def test_broker_down_then_up(background, make_broker):
    """Events wait for a broker that comes late; its absence is said once."""
    broker = make_broker(plugin=False, extra="allow_anonymous true", start=False)
    emit = background("emit", "--stdin", "--json", "--timeout", "0", *at(broker))
    emit.write(lines(1))
    emit.wait_err("trying again")
    broker.start()
    emit.wait_lines(1)
    emit.write(lines(1000))
    assert emit.end() == 0, emit.err()
    got = receipts(emit.out())
    assert len({r["id"] for r in got}) == len(got) == 1001
    assert {r["status"] for r in got} == {"acknowledged"}
    assert emit.err().count("trying again") == 1


def test_broker_restarted(background, open_broker):
    emit = background("emit", "--stdin", "--json", *at(open_broker))
    emit.write(lines(3))
    emit.wait_lines(3)
    open_broker.stop()
    emit.wait_err("trying again")
    emit.write(lines(2))
    open_broker.start()
    emit.wait_lines(5)
    assert emit.end() == 0, emit.err()
    assert [r["status"] for r in receipts(emit.out())] == ["acknowledged"] * 5


def test_a_full_queue_is_waited_for(background, make_broker):
    """The library holds 10,000 events; what stands behind them stays on standard input."""
    broker = make_broker(plugin=False, extra="allow_anonymous true", start=False)
    emit = background("emit", "--stdin", "--json", *at(broker))
    emit.write(lines(10100))
    wait_for(lambda: 0 < emit.unread() < 20000, "the queue to be full")
    emit.wait_err("trying again")
    broker.start()
    assert emit.end() == 0, emit.err()
    assert [r["status"] for r in receipts(emit.out())] == ["acknowledged"] * 10100


def test_timeout(orgcast, make_broker):
    broker = make_broker(plugin=False, start=False)
    started = time.monotonic()
    result = orgcast("emit", *PAID_FLAGS, "--json", "--timeout", "1", *at(broker))
    assert result.returncode == 1
    assert 1 <= time.monotonic() - started < 5 * PATIENCE
    [receipt] = receipts(result.stdout)
    assert (receipt["status"], receipt["reasonCode"]) == ("dropped", -1)
    assert "1 of 1 events were not acknowledged" in result.stderr
    assert f"{broker.host}:{broker.ports['tcp']} for 1 s: cannot connect: Connection ref" in result.stderr


def progress(broker, count, tty):
    """What standard error showed of a run, which is a terminal or a pipe."""
    main, side = pty.openpty() if tty else os.pipe()
    process = subprocess.Popen([ORGCAST, "emit", "--stdin", *map(str, at(broker))],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=side,
                               env=environment())
    os.close(side)
    try:
        process.stdin.write(lines(count).encode())
        process.stdin.close()
        assert process.wait(30 * PATIENCE) == 0
        out = b""
        while select.select([main], [], [], 0)[0]:
            try:
                piece = os.read(main, 65536)
            except OSError:     # a terminal whose other side is closed
                break
            if not piece:
                break
            out += piece
        return out.decode()
    finally:
        process.kill()
        process.wait()
        os.close(main)


def test_progress_on_a_terminal_only(open_broker):
    shown = progress(open_broker, 500, tty=True)
    assert re.match(r"\r\033\[K1 emitted, [01] acknowledged", shown)
    assert shown.endswith("\r\033[Korgcast emit: 500 acknowledged, 0 refused, 0 not answered\r\n")
    assert progress(open_broker, 500, tty=False) == \
        "orgcast emit: 500 acknowledged, 0 refused, 0 not answered\n"


# -- with the plugin ---------------------------------------------------------------------------


def test_token_sources(orgcast, plugin_broker, keys, token_file):
    token = mint(claims(**PUBLISHER), keys.get("hs"))
    for more, named in ((("--token-file", token_file(token)), {}),
                        (("--token-file", "-"), {"stdin": token}), ((), {"token": token})):
        result = orgcast("emit", *PAID_FLAGS, *more, *at(plugin_broker), **named)
        assert (result.returncode, result.stderr) == (0, "")
    result = orgcast("emit", "--stdin", *at(plugin_broker), stdin=lines(3), token=token)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("alg, name", [("HS512", "hs"), ("RS256", "rsa"), ("ES384", "p384")])
def test_signing_key(orgcast, make_broker, keys, key_folder, private_key, alg, name):
    option = "jwt_secret_file" if name == "hs" else "jwt_public_key_file"
    broker = make_broker({option: keys.write(key_folder, name), "jwt_issuer": "https://id.example",
                          "jwt_audience": "orgcast"})
    arguments = ("--signing-key-file", private_key(name), "--alg", alg, "--sub", "billing", "--iss",
                 "https://id.example", "--aud", "orgcast", *at(broker))
    assert orgcast("emit", *PAID_FLAGS, *arguments).returncode == 0
    assert re_user(broker) == "billing"
    both = lines(1) + lines(1, organizationId="globex")
    assert orgcast("emit", "--stdin", *arguments, stdin=both).returncode == 0
    refused = orgcast("emit", *PAID_FLAGS, *arguments[:-6], *at(broker))
    assert refused.returncode == 1
    assert "refused the connection" in refused.stderr


def re_user(broker):
    return broker.wait_log(r"connected from \S+ as orgcast-emitter-\S+ \(.*u'(.*)'\)").group(1)


def test_bad_signing_key(orgcast, plugin_broker, tmp_path):
    result = orgcast("emit", *PAID_FLAGS, "--signing-key-file", tmp_path / "none", *at(plugin_broker))
    assert (result.returncode, result.stdout) == (1, "")
    assert "No such file" in result.stderr


@pytest.mark.parametrize("change, reason", [({"exp": 1000}, "token_expired"),
                                            ({"org_id": None}, "claim_missing")])
def test_refused_token(orgcast, plugin_broker, keys, change, reason):
    """Nothing is waited for: a refused token does not get better."""
    token = mint(claims(**{**PUBLISHER, **change}), keys.get("hs"))
    for more, stdin in (PAID_FLAGS, ""), (("--stdin",), lines(20)):
        started = time.monotonic()
        result = orgcast("emit", *more, *at(plugin_broker), token=token, stdin=stdin)
        assert result.returncode == 1
        assert time.monotonic() - started < 10 * PATIENCE
        assert "orgcast emit: the broker refused the connection: not authorized (0x87)\n" in result.stderr
        assert "'orgcast token inspect' shows what a token says" in result.stderr
        assert token[:20] not in result.stderr + result.stdout
    plugin_broker.wait_log(reason)


def test_refused_token_while_the_input_is_open(background, plugin_broker, keys):
    """It is said at once, and the next line ends the command."""
    emit = background("emit", "--stdin", *at(plugin_broker), token=mint(claims(exp=1), keys.get("hs")))
    emit.write(lines(1))
    emit.wait_err("refused the connection: not authorized (0x87)")
    with contextlib.suppress(BrokenPipeError):  # it may be that the first line was the next one
        emit.write(lines(1))
    assert emit.process.wait(TIMEOUT_S) == 1
    assert "'orgcast token inspect' shows what a token says" in emit.err()


def test_no_token(orgcast, plugin_broker):
    result = orgcast("emit", *PAID_FLAGS, *at(plugin_broker))
    assert result.returncode == 1
    assert "No token was given: use --token-file or the environment variable ORGCAST_TOKEN." in result.stderr


def test_refused_events(orgcast, plugin_broker, keys):
    """An organization that is not the token's, and a token without the scope."""
    token = mint(claims(**PUBLISHER), keys.get("hs"))
    text = lines(1) + lines(1, organizationId="globex") + lines(1, invoiceId="inv-3")
    result = orgcast("emit", "--stdin", "--json", *at(plugin_broker), stdin=text, token=token)
    assert result.returncode == 1
    assert sorted((r["organizationId"], r["status"], r["reasonCode"] >= 0x80)
                  for r in receipts(result.stdout)) == [
        ("acme", "acknowledged", False), ("acme", "acknowledged", False), ("globex", "refused", True)]
    assert "2 acknowledged, 1 refused, 0 not answered" in result.stderr

    result = orgcast("emit", "--stdin", *at(plugin_broker), stdin=text, token=token)
    assert result.returncode == 1
    [line] = result.stdout.splitlines()
    assert line.startswith("refused invoice.paid inv-1 of globex, event ")
    assert ": not authorized (0x87); the token lacks the scope to publish" in line

    result = orgcast("emit", *PAID_FLAGS, "--json", *at(plugin_broker),
                     token=mint(claims(), keys.get("hs")))
    assert result.returncode == 1
    assert [(r["status"], r["reasonCode"]) for r in receipts(result.stdout)] == [("refused", 0x87)]


def test_a_renewed_token_file_is_read(background, plugin_broker, keys, token_file):
    """The token expires while the command runs: it is refused until the file has a new one."""
    path = token_file(mint(claims(**PUBLISHER, exp=int(time.time()) + 2), keys.get("hs")))
    emit = background("emit", "--stdin", "--json", "--token-file", path, *at(plugin_broker))
    emit.write(lines(1))
    emit.wait_lines(1)
    emit.wait_err("refused: not authorized (0x87); trying again")
    path.write_text(mint(claims(**PUBLISHER), keys.get("hs")))
    emit.write(lines(1))
    emit.wait_lines(2)
    assert emit.end() == 0, emit.err()


def test_tls(orgcast, make_broker, secret_file, authority, keys, tmp_path):
    broker = make_broker({"jwt_secret_file": secret_file}, listeners=("tcp", "tls"), tls=authority)
    token = mint(claims(**PUBLISHER), keys.get("hs"))
    arguments = ("emit", *PAID_FLAGS, *at(broker, "tls"), "--timeout", "2", "--tls-ca-file")
    result = orgcast(*arguments, authority.ca_path, token=token)
    assert (result.returncode, result.stderr) == (0, "")
    other = type(authority)(tmp_path / "other")
    result = orgcast(*arguments, other.ca_path, token=token)
    assert result.returncode == 1
    assert "TLS failed: " in result.stderr
    assert orgcast(*arguments, tmp_path / "none.pem", token=token).returncode == 1


def test_minted_token_is_for_one_organization(orgcast, keys, private_key, fake_listener):
    """What a single emit signs names the event's organization and lives five minutes."""
    port, password = fake_listener
    orgcast("emit", *PAID_FLAGS, "--signing-key-file", private_key("hs"), "--timeout", "1", "--port", port)
    got = jwt.decode(password(), keys.get("hs"), algorithms=["HS256"])
    assert got["org_id"] == "acme" and got["scope"] == "invoices:publish"
    assert got["exp"] - got["iat"] == 300

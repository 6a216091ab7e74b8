# SPDX-License-Identifier: MIT
"""orgcast listen against a real broker, without and with the plugin."""

import json
import re
import time

import pytest
from command import PAID_FLAGS, lines
from events import event, topic
from mqtt import V5, Client
from tokens import claims, mint


@pytest.fixture
def publish():
    """publish(broker, topic, payload) as somebody whom the broker lets."""
    opened = []

    def send(broker, topic, payload):
        if not opened:
            opened.append(Client(broker, V5))
            assert opened[0].connect("publisher").code == 0
        assert opened[0].publish(topic, payload) in (0, 0x10)

    yield send
    for client in opened:
        client.close()


def at(broker, transport="tcp"):
    return ("--host", broker.host, "--port", broker.ports[transport])


def start(background, broker, *arguments, token=None, organization="acme"):
    command = background("listen", "--organization-id", organization, *arguments, *at(broker),
                         token=token)
    command.wait_err("listening to")
    return command


def test_words(background, open_broker, publish):
    listen = start(background, open_broker, "--count", "2")
    publish(open_broker, *event("acme"))
    publish(open_broker, *event("globex"))
    publish(open_broker, *event("acme", "notification", "n-4"))
    assert listen.end() == 0
    assert listen.out().splitlines() == [
        "2026-11-24T10:00:00.123Z acme invoice.paid inv-1: 2026-0017 99999999999999.99 EUR PAID",
        "2026-11-24T10:00:00.123Z acme notification.created n-4: [success] Paid: Invoice 2026-0017 "
        "was paid"]
    assert listen.err() == "orgcast listen: listening to org/acme/invoices/#\n"


def test_json_is_what_came(background, open_broker, publish):
    listen = start(background, open_broker, "--json", "--count", "2")
    topic, payload = event("acme")
    spaced = payload.replace(b"Paid", b"P\xc3\xa4id").replace(b'":', b'" :')
    publish(open_broker, topic, spaced)
    pretty = json.dumps(json.loads(payload), indent=2).encode()
    publish(open_broker, topic, pretty)
    assert listen.end() == 0
    first, second = listen.out().splitlines()
    assert first.encode() == spaced
    assert json.loads(second) == json.loads(payload)


def test_the_terminal_is_safe(background, open_broker, publish):
    listen = start(background, open_broker, "--count", "1")
    topic, payload = event("acme", "notification")
    publish(open_broker, topic, payload.replace(b"Paid", b"\\u001b[2J\\u0007\\n\\u009b"))
    assert listen.end() == 0
    assert r"[success] \x1b[2J\x07\x0a\xc2\x9b: Invoice" in listen.out()
    assert listen.out().count("\n") == 1


def test_what_is_no_event_is_skipped(background, open_broker, publish):
    listen = start(background, open_broker, "--count", "1")
    topic, payload = event("acme")
    for wrong in (b"hello", b"", b"[]", b"{}", b'{"type":"invoice.paid"}', b'{"type":1,"data":{}}'):
        publish(open_broker, topic, wrong)
    publish(open_broker, topic, payload)
    assert listen.end() == 0
    assert listen.out().count("\n") == 1
    assert listen.err().count("that is not an event") == 6
    assert "skipped a message of 5 bytes that is not an event" in listen.err()


OTHER = [
    ({"data": {"organizationId": "acme", "paymentId": "p-1", "method": "card", "count": 2}}, ": method=card count=2"),
    ({"data": {"\x1b[2J": "\x9b", "list": ["\x1b"]}}, ': \\x1b[2J=\\xc2\\x9b list=["\\u001B"]'),
    ({"data": 5}, ": 5"),
    ({"data": None}, ": null"),
    ({}, ":"),
    ({"data_base64": "eA=="}, ":"),
]


@pytest.mark.parametrize("data, shown", OTHER)
def test_data_of_another_kind(background, open_broker, publish, data, shown):
    head = {"specversion": "1.0", "type": "payment.received", "subject": "p-1", "organizationid": "acme"}
    for options in ((), ("--json",)):
        listen = start(background, open_broker, "--count", "1", *options)
        publish(open_broker, topic("acme", "received", "p-1"), json.dumps({**head, **data}).encode())
        assert listen.end() == 0
        if options:
            assert json.loads(listen.out()) == {**head, **data}
        else:
            assert listen.out() == f" acme payment.received p-1{shown}\n"


@pytest.mark.parametrize("chosen", [("paid", "notification"), ("invoice.paid", "notification.created")])
def test_only_some_events(background, open_broker, publish, chosen):
    listen = start(background, open_broker, "--count", "2", "--event", chosen[0], "--event", chosen[1])
    listen.wait_err("invoices/paid/+\n")
    listen.wait_err("invoices/notification/+\n")
    for kind in ("sent", "paid", "created", "notification"):
        publish(open_broker, *event("acme", kind))
    assert listen.end() == 0
    assert [line.split()[2] for line in listen.out().splitlines()] == ["invoice.paid",
                                                                      "notification.created"]


def test_timeout(orgcast, open_broker):
    """Without --count the time is all that was asked for; with it the events are missing."""
    started = time.monotonic()
    result = orgcast("listen", "--organization-id", "acme", "--timeout", "1", *at(open_broker))
    assert result.returncode == 0
    assert time.monotonic() - started >= 1
    result = orgcast("listen", "--organization-id", "acme", "--timeout", "1", "--count", "3",
                     *at(open_broker))
    assert result.returncode == 1
    assert "0 of 3 events within 1 s" in result.stderr


def test_interrupt(background, open_broker, publish):
    listen = start(background, open_broker)
    publish(open_broker, *event("acme"))
    listen.wait_lines(1)
    assert listen.interrupt() == 0


def test_no_broker(orgcast, make_broker):
    broker = make_broker(plugin=False, start=False)
    result = orgcast("listen", "--organization-id", "acme", *at(broker))
    assert (result.returncode, result.stdout) == (1, "")
    assert f"cannot connect to 127.0.0.1:{broker.ports['tcp']}: Connection refused" in result.stderr


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_broker_goes(background, open_broker, end):
    """It waits for it to come back; test_cli_resume.py has what it makes of what was missed."""
    listen = start(background, open_broker)
    getattr(open_broker, end)()
    listen.wait_err("; trying again\n")
    assert re.search(r"the connection to 127.0.0.1:\d+ is lost|the broker ended the connection: ",
                     listen.err())
    assert re.search(r"cannot connect to 127.0.0.1:\d+: Connection refused; trying again\n",
                     listen.err())
    assert listen.interrupt() == 0


# -- with the plugin ---------------------------------------------------------------------------


def test_own_organization(background, orgcast, plugin_broker, keys, token_file):
    """emit and listen, each with the token of its own."""
    path = token_file(mint(claims(), keys.get("hs")))
    listen = start(background, plugin_broker, "--count", "1", "--token-file", path)
    result = orgcast("emit", *PAID_FLAGS, *at(plugin_broker),
                     token=mint(claims(sub="billing", scope="invoices:publish"), keys.get("hs")))
    assert result.returncode == 0, result.stderr
    assert listen.end() == 0
    assert " acme invoice.paid inv-17: 2026-0017 10.00 EUR PAID\n" in listen.out()


def test_a_token_from_a_pipe_is_kept(background, plugin_broker, keys, pipe):
    """It can be read once only, so a later connection uses it again."""
    listen = start(background, plugin_broker, "--token-file", pipe(mint(claims(), keys.get("hs")).encode()))
    plugin_broker.stop()
    listen.wait_err("again\n")
    plugin_broker.start()
    listen.wait_err("resumed")
    assert listen.interrupt() == 0


def test_other_organization(orgcast, plugin_broker, keys):
    result = orgcast("listen", "--organization-id", "globex", *at(plugin_broker),
                     token=mint(claims(), keys.get("hs")))
    assert (result.returncode, result.stdout) == (1, "")
    assert "refused the subscription to org/globex/invoices/#: not authorized (0x87)\n" in result.stderr
    assert "Is 'globex' among the token's organizations?" in result.stderr


@pytest.mark.parametrize("token, says", [
    (None, "No token was given: use --token-file or the environment variable ORGCAST_TOKEN."),
    ("expired", "'orgcast token inspect' shows what a token says and whether it has expired."),
], ids=["none", "expired"])
def test_refused_connection(orgcast, plugin_broker, keys, token, says):
    if token:
        token = mint(claims(exp=1000), keys.get("hs"))
    result = orgcast("listen", "--organization-id", "acme", *at(plugin_broker), token=token)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"127.0.0.1:{plugin_broker.ports['tcp']} refused the connection: not authorized (0x87)\n" \
        in result.stderr
    assert says in result.stderr


def test_the_token_expires(background, plugin_broker, keys):
    listen = start(background, plugin_broker,
                   token=mint(claims(exp=int(time.time()) + 2), keys.get("hs")))
    assert listen.end() == 1
    assert "the broker ended the connection: " in listen.err()
    assert "refused the connection: not authorized (0x87)\n" in listen.err()


def test_tls(background, orgcast, make_broker, secret_file, authority, keys, tmp_path):
    broker = make_broker({"jwt_secret_file": secret_file}, listeners=("tcp", "tls"), tls=authority)
    token = mint(claims(), keys.get("hs"))
    arguments = ("listen", "--organization-id", "acme", *at(broker, "tls"), "--tls-ca-file")
    listen = background(*arguments, authority.ca_path, token=token)
    listen.wait_err("listening to")
    assert listen.interrupt() == 0
    other = type(authority)(tmp_path / "other")
    result = orgcast(*arguments, other.ca_path, token=token)
    assert result.returncode == 1
    assert "certificate verify failed" in result.stderr
    result = orgcast(*arguments, tmp_path / "none.pem", token=token)
    assert result.returncode == 1
    assert "--tls-ca-file" in result.stderr


def test_the_token_is_in_no_argument(background, plugin_broker, keys, token_file):
    """/proc/PID/cmdline is what ps shows to everybody."""
    token = mint(claims(scope="invoices:publish"), keys.get("hs"))
    path = token_file(token)
    running = [start(background, plugin_broker, token=token),
               start(background, plugin_broker, "--token-file", path)]
    emit = background("emit", "--stdin", "--json", "--token-file", path, *at(plugin_broker))
    emit.write(lines(1))
    emit.wait_lines(1)
    for command in (*running, emit):
        with open(f"/proc/{command.process.pid}/cmdline", "rb") as cmdline:
            shown = cmdline.read()
        assert b"orgcast" in shown
        assert not any(part in shown for part in token.encode().split(b"."))

# SPDX-License-Identifier: MIT
"""Refused clients harm nobody: not the others' connections, not their events, not the disk."""

import itertools
import re
import socket
import time

import pytest
from events import event, event_id, topic
from mqtt import NOT_AUTHORIZED, PATIENCE, V5, VERSION_NAMES, VERSIONS, Client, Will, wait_for
from tokens import claims, mint, public_pem

TRANSPORTS = ("tcp", "ws", "tls", "wss")
ALL = "org/acme/invoices/#"


def bad_tokens(keys):
    """Refused at different depths: each leaves the verifier by another way."""
    pem = public_pem(keys.get("rsa"))
    return [
        mint(claims(), keys.get("rsa:2"), "RS256"),
        mint(claims(), keys.get("rsa:2"), "PS256"),
        mint(claims(), keys.get("p256:2"), "ES256"),
        mint(claims(), keys.get("ed25519:2"), "EdDSA"),
        mint(claims(), keys.get("rsa"), "RS256")[:-300] + "A" * 300,
        mint(claims(), pem, "HS256"),
        mint(claims(org_id="+"), keys.get("hs")),
        mint(claims(exp=1), keys.get("hs")),
        "no.token.at.all",
        "",
        None,
    ]


@pytest.fixture
def broker(make_broker, keys, key_folder, authority):
    """One that also takes other clients, so that all keys are asked."""
    options = [("jwt_secret_file", keys.write(key_folder, "hs"))]
    options += [("jwt_public_key_file", keys.write(key_folder, name))
                for name in ("rsa", "p256", "ed25519")]
    return make_broker(options, listeners=TRANSPORTS, tls=authority)


@pytest.fixture
def bystanders(broker, tokens, join):
    out = [join(broker, f"stays-{version}-{transport}", tokens.publisher(), version, transport,
                will=Will(topic("acme", "deleted")), keepalive=0)
           for version in VERSIONS for transport in TRANSPORTS]
    for client in out:
        assert client.subscribe(ALL) == [0]
    return out


def test_a_thousand_refusals_with_wills(broker, bystanders, keys, tokens, join):
    """Over TCP, TLS and WebSocket. Every other connection stays up and receives, all along."""
    backend = join(broker, "backend", tokens.service(), V5, "tls")
    tokens_in_turn = itertools.cycle(bad_tokens(keys))
    sent = []
    for number in range(1000):
        version, transport = VERSIONS[number % 3], TRANSPORTS[number % 4]
        with Client(broker, version, transport) as client:
            will = Will(topic("acme", "deleted"), event("acme", "deleted")[1], number % 3, number % 2 == 0)
            answer = client.connect(f"bad-{number}", next(tokens_in_turn), will=will)
            assert answer.code == (NOT_AUTHORIZED if version == V5 else 5)
            client.wait_closed()
        if number % 50 == 0:
            where, payload = event("acme", entity=f"inv-{number}")
            backend.publish(where, payload)
            sent.append(event_id(payload))
    for client in bystanders:
        assert [event_id(message.payload) for message in client.drain()] == sent
    for client in bystanders:
        assert client.publish(*event("acme")) == 0


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_refusal_leaves_nothing_for_the_next_tls_client(transport, broker, keys, tokens, join):
    """OpenSSL keeps the errors of a failed check in a queue of the thread. The broker would take them for
    those of the next TLS connection that has no whole record for it yet, and end that one."""
    waits = join(broker, "waits", tokens.member(), V5, "halved")
    other = join(broker, "other", tokens.member(), V5)
    waits.link.between = other.ping  # so that the broker has read the first half
    for number, token in enumerate(bad_tokens(keys)):
        with Client(broker, V5, transport) as client:
            assert client.connect(f"bad-{number}", token).code == NOT_AUTHORIZED
            waits.ping()


def test_broken_connections_harm_nobody(broker, bystanders, keys, tokens, join):
    """Those that leave in the middle: half a TLS handshake, half a CONNECT, gone before the CONNACK."""
    backend = join(broker, "backend", tokens.service())
    token = mint(claims(), keys.get("rsa:2"), "RS256")
    for number in range(200):
        transport = TRANSPORTS[number % 4]
        client = Client(broker, VERSIONS[number % 3], transport)
        whole = client.connect_packet(f"half-{number}", token, will=Will(topic("acme")))
        client.send(whole if number % 5 == 0 else whole[:(number * 37) % len(whole)])
        client.close()
        if transport in ("tls", "wss"):
            with socket.create_connection((broker.host, broker.ports[transport])) as sock:
                sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00" if number % 2 else b"GET / HTTP/1.1\r\n")
    where, payload = event("acme")
    backend.publish(where, payload)
    for client in bystanders:
        assert [message.topic for message in client.drain()] == [where]


def test_a_flood_does_not_fill_the_log(make_broker, secret_file, tokens, join):
    """5,000 refusals: a burst, a bounded rate after it, and the count of what was left out."""
    broker = make_broker({"jwt_secret_file": secret_file}, extra="connection_messages false")
    stays = join(broker, "stays", tokens.member())
    began = time.monotonic()
    long_id = "flood-" + "x" * 4000  # a name that would fill the disk by itself
    for number in range(5000):
        with Client(broker) as client:
            assert client.connect(f"{long_id}{number}", "a.b.c").code == 5
    took = time.monotonic() - began

    def lines():
        return [line for line in broker.log().splitlines() if line.startswith("orgcast: ")]

    assert len(lines()) <= 100 + 20 * (took + 2) + took + 2
    assert sum(map(len, lines())) < 500 * len(lines())

    # At intervals it says how many were left out: nothing is lost silently.
    def accounted():
        logged = sum("refused client" in line for line in lines())
        left_out = sum(int(found) for line in lines()
                       for found in re.findall(r"orgcast: (\d+) more lines left out", line))
        return logged + left_out == 5000

    wait_for(accounted, "the count of the lines left out", 20 * PATIENCE)
    stays.ping()
    seconds = [int(found) for line in lines() for found in re.findall(r"left out in the last (\d+) s", line)]
    assert all(value > 0 for value in seconds), seconds
    assert len(seconds) <= (time.monotonic() - began) / 9 + 1, seconds


def test_denials_are_bounded_too(make_broker, secret_file, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file}, extra="connection_messages false")
    client = join(broker, "curious", tokens.member(), V5)
    began = time.monotonic()
    for number in range(1000):
        assert client.subscribe(f"org/{number}/#") == [NOT_AUTHORIZED]
        assert client.publish(topic("globex")) == NOT_AUTHORIZED
    took = time.monotonic() - began
    lines = re.findall(r"(?m)^orgcast: ", broker.log())
    assert 100 <= len(lines) <= 100 + 20 * (took + 2) + took + 2
    client.ping()


@pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_publisher_is_not_disconnected_by_its_readers(qos, version, make_broker, secret_file, tokens,
                                                        join):
    """A delivery that is held back is no error of the one who published."""
    broker = make_broker({"jwt_secret_file": secret_file})
    keep = {"session_expiry": 300}
    reader = join(broker, "acme/r", tokens.member(["acme", "globex"]), V5, clean=False, props=keep)
    assert reader.subscribe([ALL, "org/globex/invoices/#"], qos=qos) == [qos, qos]
    # The same session with a token of fewer organizations: it keeps the subscription, and gets nothing.
    reader = join(broker, "acme/r", tokens.member("acme"), V5, clean=False, props=keep)
    backend = join(broker, "backend", tokens.service(), version)
    for _ in range(5):
        for organization in ("globex", "acme"):
            assert backend.publish(*event(organization), qos=qos) in (0, 0x10)
    assert [message.topic for message in reader.take(5)] == [topic("acme")] * 5
    assert reader.drain() == []
    backend.ping()

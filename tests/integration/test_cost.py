# SPDX-License-Identifier: MIT
"""What one client can make the broker's thread and disk do. Costs are compared within a run, as processor time of
the broker's own thread, so that a busy machine changes nothing. `bench/inputs` prints them."""

import json

import pytest
from broker import VALGRIND
from control import TOPIC, ask_all, data
from events import event
from mqtt import NOT_AUTHORIZED, V5, Client, wait_for
from tokens import claims, mint

pytestmark = pytest.mark.skipif(VALGRIND, reason="valgrind changes what things cost")

WHOAMI = b'{"commands":[{"command":"whoami"}]}'
MANY_VALUES = b'{"commands":[' + b",".join([b"{}"] * 21000) + b"]}"


def text(length):
    return b'{"commands":[],"x":"' + b"x" * (length - 22) + b'"}'


@pytest.fixture
def broker(make_broker, secret_file):
    return make_broker({"jwt_secret_file": secret_file}, extra="connection_messages false")


def cost(broker, count, act):
    """Seconds of the broker's thread that each call takes."""
    before = broker.busy_s()
    for _ in range(count):
        act()
    return (broker.busy_s() - before) / count


def test_a_request_of_many_values_costs_no_more_than_a_text(broker, tokens, join):
    hostile, plain = (join(broker, name, tokens.member(), V5) for name in ("hostile", "plain"))
    of_text = cost(broker, 40, lambda: ask_all(plain, text(len(MANY_VALUES))))
    of_values = cost(broker, 40, lambda: ask_all(hostile, MANY_VALUES))
    assert of_values < 2 * of_text, f"{of_values * 1e6:.0f} us, {of_text * 1e6:.0f} us"


def test_an_event_of_many_values_costs_no_more_than_a_text(broker, tokens, join):
    me = join(broker, "me", tokens.publisher(), V5)
    where, _ = event("acme")
    of_text, of_values = (
        cost(broker, 40, lambda payload=payload: me.publish(where, payload, qos=1))
        for payload in (text(len(MANY_VALUES)), MANY_VALUES))
    assert me.publish(where, MANY_VALUES, qos=1) == NOT_AUTHORIZED
    assert of_values < 2 * of_text, f"{of_values * 1e6:.0f} us, {of_text * 1e6:.0f} us"


def refreshes(keys):
    """As many checks of a signature as a request can ask for."""
    bad = mint(claims(), keys.get("ed25519:2"), "EdDSA")
    return json.dumps({"commands": [{"command": "refresh", "token": bad}] * 64}).encode()


def test_a_client_that_asks_too_much_is_told_and_costs_little(make_broker, keys, key_folder, tokens, join):
    options = [("jwt_secret_file", keys.write(key_folder, "hs")),
               ("jwt_public_key_file", keys.write(key_folder, "ed25519"))]
    broker = make_broker(options)
    me = join(broker, "me", tokens.member(), V5)
    request = refreshes(keys)
    codes = []

    def ask():
        codes[:] = [response["code"] for response in ask_all(me, request)]

    of_one = cost(broker, 3, ask)
    assert set(codes) == {"signature_invalid", "full"}
    for _ in range(200):
        if codes == ["limit_rate"]:
            break
        ask()
    assert codes == ["limit_rate"]
    of_refused = cost(broker, 20, lambda: me.publish(TOPIC, request))
    assert of_refused < of_one / 4, f"{of_refused * 1e6:.0f} us, {of_one * 1e6:.0f} us"
    # It is told so, in the end it gets no answers, and others are not held up.
    me.inbox.clear()
    for _ in range(3000):
        me.send_publish(TOPIC, request)
    me.ping()
    assert len(me.inbox) < 3000
    assert data(join(broker, "other", tokens.member(), V5), "whoami")["subject"] == "ada"


def test_an_expired_token_costs_little_the_second_time(make_broker, keys, key_folder):
    """Some clients try it thousands of times a second, also from behind a proxy on this machine."""
    options = [("jwt_public_key_file", keys.write(key_folder, "ed25519")), ("audit_log_file", key_folder / "audit")]
    broker = make_broker(options, extra="connection_messages false")
    expired = mint(claims(exp=1), keys.get("ed25519"), "EdDSA")

    def connect(token):
        with Client(broker, V5) as client:
            assert client.connect("again", token).code == NOT_AUTHORIZED

    of_none = cost(broker, 300, lambda: connect("no-token"))
    of_expired = cost(broker, 300, lambda: connect(expired))
    assert of_expired < 1.5 * of_none, f"{of_expired * 1e6:.0f} us, {of_none * 1e6:.0f} us"


def test_a_request_for_many_replays_gets_few(broker, tokens, join):
    backend, me = join(broker, "backend", tokens.publisher(), V5), join(broker, "me", tokens.member(), V5)
    for _ in range(600):
        backend.send_publish(*event("acme"))
    backend.ping()
    command = {"command": "replay", "organizationId": "acme", "after": 0,
               "epoch": data(me, "position", organizationId="acme")["epoch"]}
    answers = []

    def ask(count):
        answers[:] = ask_all(me, {"commands": [command] * count})

    of_one = cost(broker, 1, lambda: ask(1))
    of_many = cost(broker, 1, lambda: ask(64))
    assert {answer.get("code") for answer in answers} == {None, "full"}
    assert of_many < 4 * of_one, f"{of_many * 1e6:.0f} us, {of_one * 1e6:.0f} us"


def test_a_client_that_waits_is_answered_again(broker, tokens, join):
    me = join(broker, "me", tokens.member(), V5)
    request = text(65536)
    for _ in range(200):
        if ask_all(me, request)[0]["code"] == "limit_rate":
            break
    assert ask_all(me, WHOAMI)[0]["code"] == "limit_rate"
    wait_for(lambda: "data" in ask_all(me, WHOAMI)[0], "an answer")

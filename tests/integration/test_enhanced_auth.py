# SPDX-License-Identifier: MIT
"""MQTT 5 enhanced authentication, method JWT: CONNECT, and AUTH on the live connection."""

import itertools
import time

import pytest
from broker import mosquitto_version
from conftest import BrokerPool
from control import CONTINUE, REAUTHENTICATE, SUCCESS, code, connect_enhanced, data, reauthenticate, send_auth
from events import event, event_id, topic
from mqtt import AUTH, CONNACK, DISCONNECT, V5, Client, Closed, Will, packet, wait_for

ALL = "org/acme/invoices/#"
NOT_AUTHORIZED, BAD_METHOD, PROTOCOL_ERROR, KICKED = 0x87, 0x8C, 0x82, 0x98

by_transport = pytest.mark.parametrize("transport", ["tcp", "ws"])

_names = itertools.count()


@pytest.fixture(scope="module")
def pool(tmp_path_factory, secret_file):
    pool = BrokerPool(tmp_path_factory.mktemp("enhanced"), {"enhanced": {
        "options": {"jwt_secret_file": secret_file}, "listeners": ("tcp", "ws")}})
    yield pool
    pool.stop()


@pytest.fixture
def broker(pool):
    return pool.get("enhanced", 10)


@pytest.fixture
def backend(broker, tokens, join):
    return join(broker, f"backend-{next(_names)}", tokens.service())


@pytest.fixture
def enter():
    """enter(broker, token, …) connects a client by enhanced authentication."""
    opened = []

    def connect(broker, token, transport="tcp", client_id=None, **more):
        client = Client(broker, V5, transport)
        opened.append(client)
        answer = connect_enhanced(client, client_id or name(), token, **more)
        assert answer.code == 0, f"CONNACK {answer.code:#x}\n{broker.log()[-2000:]}"
        assert answer.properties["auth_method"] == "JWT"
        client.session_present = answer.session_present
        return client

    yield connect
    for client in opened:
        client.close()


def until_disconnect(client):
    """The kinds of all packets until the connection ends, with their first byte as the reason."""
    packets = []
    try:
        while True:
            kind, _, body = client.recv()
            packets.append((kind, body[0] if body else 0))
    except Closed:
        return packets


def name():
    return f"e-{next(_names)}"


def receives(client, backend, organization="acme"):
    where, payload = event(organization)
    backend.publish(where, payload)
    return event_id(payload) in [event_id(m.payload) for m in client.drain() if m.topic == where]


@by_transport
def test_connect(transport, broker, backend, tokens, enter):
    client = enter(broker, tokens.member(), transport)
    assert client.subscribe([ALL, "org/globex/invoices/#"]) == [0, NOT_AUTHORIZED]
    assert receives(client, backend)
    assert data(client, "whoami")["subject"] == "ada"


@by_transport
def test_the_token_decides_and_not_the_password(transport, broker, tokens, enter):
    client = enter(broker, tokens.member("globex"), transport, password=tokens.member("acme"), username="eve")
    assert data(client, "whoami")["organizations"] == ["globex"]
    with Client(broker, V5, transport) as other:
        assert connect_enhanced(other, name(), "x.y.z", password=tokens.member()).code == NOT_AUTHORIZED


BAD = {
    "no token": (lambda t: None, "token_missing"),
    "empty": (lambda t: "", "token_missing"),
    "no JWT": (lambda t: "secret", "token_malformed"),
    "NUL behind it": (lambda t: t.member().encode() + b"\0", "token_malformed"),
    "expired": (lambda t: t.member(exp=int(time.time()) - 100), "token_expired"),
    "signature": (lambda t: t.member()[:-8] + "AAAAAAAA", "signature_invalid"),
    "any bytes": (lambda t: bytes(range(256)), "token_malformed"),
    "long": (lambda t: b"a" * 60000, "token_too_large"),
}


@by_transport
@pytest.mark.parametrize("case", BAD)
def test_bad_tokens_are_refused(case, transport, broker, tokens):
    make, reason = BAD[case]
    me, mark = name(), broker.mark()
    with Client(broker, V5, transport) as client:
        assert connect_enhanced(client, me, make(tokens), will=Will(topic("acme"))).code == NOT_AUTHORIZED
    assert broker.refusal(me, mark)[0] == reason


@pytest.mark.parametrize("method", ["SCRAM-SHA-256", "jwt", "JWT ", ""])
def test_other_methods_are_refused(method, broker, tokens):
    with Client(broker, V5) as client:
        assert connect_enhanced(client, name(), tokens.member(), method=method).code in (BAD_METHOD, PROTOCOL_ERROR)


@by_transport
def test_id_of_another_subject_is_refused(transport, broker, tokens, enter):
    holder = enter(broker, tokens.member(), transport)
    with Client(broker, V5) as thief:
        assert connect_enhanced(thief, holder.client_id, tokens.member(sub="eve")).code == NOT_AUTHORIZED
    holder.ping()


# -- on the live connection ------------------------------------------------------------------------


@by_transport
def test_refresh(transport, broker, backend, tokens, enter):
    client = enter(broker, tokens.member("acme"), transport)
    client.subscribe(ALL)
    assert receives(client, backend)
    assert reauthenticate(client, tokens.member("globex")) == SUCCESS
    assert data(client, "whoami")["organizations"] == ["globex"]
    assert not receives(client, backend)
    assert client.subscribe("org/globex/invoices/#") == [0]
    assert reauthenticate(client, tokens.member(["acme", "globex"])) == SUCCESS
    assert receives(client, backend) and receives(client, backend, "globex")


@by_transport
@pytest.mark.parametrize("case", [*BAD, "another subject"])
def test_bad_refresh_ends_the_connection(case, transport, broker, tokens, enter):
    """MQTT 5 §4.12.1: the server closes it. Over $CONTROL the session would stay."""
    make, reason = {**BAD, "another subject": (lambda t: t.member(sub="eve"), "claim_invalid")}[case]
    client = enter(broker, tokens.member(), transport)
    mark = broker.mark()
    send_auth(client, make(tokens))
    packets = until_disconnect(client)
    # Mosquitto 2.0 would send a second CONNACK. 2.1 adds a second DISCONNECT, which no client reads.
    assert CONNACK not in [kind for kind, _ in packets]
    first = next(packet for packet in packets if packet[0] == DISCONNECT)
    assert first[1] == (NOT_AUTHORIZED if mosquitto_version() >= (2, 1) else KICKED)
    assert broker.refusal(client.client_id, mark)[0] == reason


def test_bad_refresh_without_ticks(make_broker, secret_file, tokens, enter):
    """Mosquitto 2.0 with per_listener_settings: there is no tick that could end it with a DISCONNECT."""
    broker = make_broker({"jwt_secret_file": secret_file}, per_listener=True)
    client = enter(broker, tokens.member())
    send_auth(client, "x.y.z")
    packets = until_disconnect(client)
    assert packets[:1] == ([(DISCONNECT, NOT_AUTHORIZED)] if mosquitto_version() >= (2, 1) else [])


def test_will_of_a_bad_refresh_has_the_rights_of_before(broker, backend, tokens, enter):
    backend.subscribe(ALL)
    where, payload = event("acme")
    client = enter(broker, tokens.publisher(), will=Will(where, payload))
    send_auth(client, "x.y.z")
    until_disconnect(client)
    assert [event_id(m.payload) for m in backend.take(1)] == [event_id(payload)]


def test_refresh_over_control_and_by_auth_mix(broker, tokens, enter):
    client = enter(broker, tokens.member("acme"))
    data(client, "refresh", token=tokens.member("globex"))
    assert reauthenticate(client, tokens.member("initech")) == SUCCESS
    assert code(client, "refresh", token="x.y.z") == "token_malformed"
    assert data(client, "whoami")["organizations"] == ["initech"]


def test_auth_without_enhanced_connect_is_a_protocol_error(broker, tokens, join):
    client = join(broker, name(), tokens.member(), V5)
    send_auth(client, tokens.member())
    client.wait_closed()


@by_transport
@pytest.mark.parametrize("body", [b"", b"\0", bytes([CONTINUE, 0])], ids=["empty", "success", "no method"])
def test_hostile_auth_packets(body, transport, broker, backend, tokens, enter):
    """An AUTH without a reason code makes Mosquitto continue an authentication that nobody began."""
    for _ in range(3):
        client = enter(broker, tokens.member(), transport)
        client.subscribe(ALL)
        client.send(packet(AUTH, 0, body))
        try:
            client.send(packet(AUTH, 0, body))
            client.send_publish(*event("acme"))
        except Closed:
            pass
        client.wait_closed()
    again = enter(broker, tokens.member(), transport, client_id=client.client_id)
    again.subscribe(ALL)
    assert receives(again, backend)


def test_continue_before_anything(broker, tokens, enter):
    client = enter(broker, tokens.member())
    send_auth(client, tokens.member(), reason=CONTINUE)
    assert client.wait_closed() in (PROTOCOL_ERROR, KICKED)


def test_two_at_once(broker, tokens, enter):
    client = enter(broker, tokens.member("acme"))
    send_auth(client, tokens.member("globex"), reason=REAUTHENTICATE)
    send_auth(client, tokens.member("initech"), reason=REAUTHENTICATE)
    assert client.expect(AUTH)[:1] in (b"", b"\0")
    assert client.expect(AUTH)[:1] in (b"", b"\0")
    assert data(client, "whoami")["organizations"] == ["initech"]


# -- expiry, SIGHUP, persistence -------------------------------------------------------------------


@by_transport
def test_expiry_and_refresh(transport, make_broker, secret_file, tokens, enter):
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": 0}, listeners=("tcp", "ws"), clock=True)
    now = int(time.time())
    client = enter(broker, tokens.member(exp=now + 100), transport)
    other = enter(broker, tokens.member(exp=now + 100), transport)
    assert reauthenticate(client, tokens.member(exp=now + 1000)) == SUCCESS
    broker.advance(200)
    assert other.wait_closed() == KICKED
    client.ping()
    broker.advance(1100)
    assert client.wait_closed() == KICKED


@pytest.mark.parametrize("per_listener", [False, True])
@pytest.mark.parametrize("subscribed", [False, True])
def test_sighup_leaves_live_sessions(subscribed, per_listener, make_broker, secret_file, tokens, enter, join):
    broker = make_broker({"jwt_secret_file": secret_file}, per_listener=per_listener)
    backend = join(broker, name(), tokens.service(), V5)
    client = enter(broker, tokens.member())
    if subscribed:
        client.subscribe(ALL)
    for _ in range(3):
        broker.reload()
    assert data(client, "whoami")["subject"] == "ada"
    client.subscribe(ALL)
    assert receives(client, backend)


@pytest.mark.parametrize("subscribed", [False, True])
def test_sighup_and_offline_sessions(subscribed, make_broker, secret_file, tokens, enter, join):
    broker = make_broker({"jwt_secret_file": secret_file})
    backend = join(broker, name(), tokens.service(), V5)
    keep = {"clean": False, "props": {"session_expiry": 300}, "client_id": "acme/" + name()}
    client = enter(broker, tokens.member(), **keep)
    if subscribed:
        client.subscribe(ALL, qos=1)
    mark = broker.mark()
    client.disconnect()
    broker.wait_gone(client.client_id, mark)
    broker.reload()
    broker.reload()
    where, payload = event("acme")
    backend.publish(where, payload)
    again = enter(broker, tokens.member(), **{**keep, "props": dict(keep["props"])})
    assert again.session_present
    got = [event_id(m.payload) for m in again.drain()]
    assert got == ([event_id(payload)] if subscribed else [])


def test_nobody_slips_in_after_a_sighup(make_broker, secret_file, tokens, enter):
    """A client that names the id and the subject of an offline session without subscriptions, and no token."""
    broker = make_broker({"jwt_secret_file": secret_file})
    keep = {"clean": False, "props": {"session_expiry": 300}, "client_id": "acme/mine"}
    enter(broker, tokens.member(), **keep).disconnect()
    for _ in range(20):
        broker.reload()
        with Client(broker, V5) as thief:
            answer = thief.connect("acme/mine", "", username="ada", clean=False, props={"session_expiry": 300})
            assert answer.code == NOT_AUTHORIZED

# SPDX-License-Identifier: MIT
"""Numbers of events, `position` and `replay`: what subscribers see of them, whatever a sender does."""

import json
import re
import signal
import struct
import threading

import pytest
from control import TOPIC, answer, ask, code, data
from events import event, event_id, topic
from mqtt import (DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, V5, V31, V311, VERSION_NAMES, VERSIONS,
                  Client, Closed, Timeout, Will, packet, prefixed, properties, wait_for)
from stream import Follower, place

ALL = "org/acme/invoices/#"

by_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)
by_transport = pytest.mark.parametrize("transport", ["tcp", "ws"])


@pytest.fixture
def numbered(make_broker, secret_file):
    """numbered(option=value, …) starts a broker with a TCP and a WebSocket listener."""
    def make(extra="", **options):
        return make_broker({"jwt_secret_file": secret_file, **options}, listeners=("tcp", "ws"), extra=extra)
    return make


@pytest.fixture
def reader(tokens, join):
    """reader(broker) is a subscriber of acme on MQTT 5."""
    def make(broker, name="reader", version=V5, transport="tcp", qos=1):
        client = join(broker, name, tokens.member(), version, transport)
        client.subscribe(ALL, qos)
        return client
    return make


def publish(client, count, organization="acme", qos=1):
    """Publishes so many events; their ids."""
    ids = []
    for number in range(count):
        where, payload = event(organization, entity=f"inv-{number}")
        assert client.publish(where, payload, qos=qos) < 0x80
        ids.append(event_id(payload))
    return ids


def without(payload):
    """An event without what the broker put into it."""
    return {name: value for name, value in json.loads(payload).items() if name not in ("epoch", "sequence")}


# -- numbers ---------------------------------------------------------------------------------------

@by_version
@by_transport
def test_events_are_numbered(transport, version, numbered, reader, tokens, join):
    broker = numbered()
    ear = reader(broker, version=version, transport=transport)
    sender = join(broker, "sender", tokens.publisher(), version, transport)
    sent = [event("acme", entity=f"inv-{qos}") for qos in (0, 1, 2)]
    for qos, (where, payload) in enumerate(sent):
        assert sender.publish(where, payload, qos=qos) == 0
    got = ear.take(3)
    assert [m.topic for m in got] == [where for where, _ in sent]
    assert [without(m.payload) for m in got] == [json.loads(payload) for _, payload in sent]
    epochs = {json.loads(m.payload)["epoch"] for m in got}
    assert len(epochs) == 1 and re.fullmatch("[0-9a-f]{16}", epochs.pop())
    assert [json.loads(m.payload)["sequence"] for m in got] == [f"{n:020}" for n in (1, 2, 3)]


def test_each_organization_has_its_own_numbers(numbered, tokens, join):
    broker = numbered()
    service = join(broker, "service", tokens.service(), V5)
    service.subscribe("org/+/invoices/#")
    for organization in ("acme", "globex", "acme", "globex", "acme"):
        publish(service, 1, organization)
    assert [(m.topic.split("/")[1], place(m.payload)[1]) for m in service.take(5)] == [
        ("acme", 1), ("globex", 1), ("acme", 2), ("globex", 2), ("acme", 3)]


FORGED = {
    "both": '"epoch":"ffffffffffffffff","sequence":"00000000000000000099",',
    "escaped": '"\\u0065poch":"ffffffffffffffff","s\\u0065quence":"00000000000000000099",',
    "only a sequence": '"sequence":"00000000000000000099",',
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_sender_cannot_forge_them(forgery, numbered, reader, tokens, join):
    broker = numbered()
    ear = reader(broker)
    sender = join(broker, "sender", tokens.publisher(), V5)
    where, payload = event("acme")
    assert sender.publish(where, payload.replace(b"{", b"{" + FORGED[forgery].encode(), 1)) == 0
    got, = ear.take(1)
    assert got.payload.count(b'"sequence"') == 1 and got.payload.count(b'"epoch"') == 1
    assert b"u0065" not in got.payload
    assert without(got.payload) == json.loads(payload)
    epoch, sequence = place(got.payload)
    assert epoch != "f" * 16 and sequence == 1


def test_what_is_refused_takes_no_number(numbered, reader, tokens, join):
    broker = numbered(max_event_bytes=1000)
    ear = reader(broker)
    sender = join(broker, "sender", tokens.publisher(), V5)
    where, payload = event("acme")
    for bad in (b"{}", b"", payload[:-1], payload + b" " * 1000, event("globex")[1]):
        assert sender.publish(where, bad) >= 0x80
    assert sender.publish(where, payload, retain=True) >= 0x80
    publish(sender, 2)
    assert [place(m.payload)[1] for m in ear.take(2)] == [1, 2]
    assert data(ear, "position", organizationId="acme")["sequence"] == f"{2:020}"


def test_content_type(numbered, reader, tokens, join):
    broker = numbered()
    ear = reader(broker)
    sender = join(broker, "sender", tokens.publisher(), V5)
    kind = "application/cloudevents+json; charset=utf-8"
    assert sender.publish(*event("acme"), props={"content_type": kind}) == 0
    live, = ear.take(1)
    epoch, _ = place(live.payload)
    assert data(ear, "replay", organizationId="acme", epoch=epoch, after=0)["replayed"] == 1
    again, = ear.take(1)
    assert again.payload == live.payload
    assert live.properties["content_type"] == again.properties["content_type"] == kind


FOREIGN_PROPERTIES = {"content_type": "text/html", "response_topic": "org/globex/invoices/x", "correlation_data": b"c",
                      "user_property": ("k", "v"), "message_expiry": 60, "payload_format": 0}
CONTENT_TYPE = {"content_type": "application/cloudevents+json; charset=utf-8"}


@pytest.mark.parametrize("props", [None, {}, {"message_expiry": 60}, FOREIGN_PROPERTIES], ids=["none", "empty", "one", "all"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_events_have_their_own_properties(props, qos, numbered, reader, tokens, join):
    """Of a publisher's properties only the expiry, which the broker itself acts on, reaches anybody."""
    expected = dict(CONTENT_TYPE, message_expiry=60) if (props or {}).get("message_expiry") else CONTENT_TYPE
    broker = numbered()
    ear = reader(broker)
    sender = join(broker, "sender", tokens.publisher(), V5)
    for _ in range(20):
        assert sender.publish(*event("acme"), qos=qos, props=props) == 0
    assert [message.properties for message in ear.take(20)] == [expected] * 20


@pytest.mark.parametrize("version", [V31, V311], ids=VERSION_NAMES.get)
def test_events_of_old_clients_have_a_content_type(version, numbered, reader, tokens, join):
    broker = numbered()
    ear = reader(broker)
    join(broker, "sender", tokens.publisher(), version).publish(*event("acme"), qos=1)
    assert [message.properties for message in ear.take(1)] == [CONTENT_TYPE]


def test_a_wills_properties_are_its_own_too(numbered, reader, tokens, join):
    broker = numbered()
    ear = reader(broker)
    join(broker, "mortal", tokens.publisher(), V5, will=Will(*event("acme"), properties=FOREIGN_PROPERTIES)).close()
    assert [message.properties for message in ear.take(1)] == [CONTENT_TYPE]


def test_without_validation_properties_pass(numbered, reader, tokens, join):
    broker = numbered(validate_events="off", stamp_sequence="false")
    ear = reader(broker)
    sender = join(broker, "sender", tokens.publisher(), V5)
    sender.publish(*event("acme"), props={"content_type": "text/html", "user_property": ("k", "v")})
    got, = ear.take(1)
    assert got.properties["content_type"] == "text/html"


@by_version
@by_transport
def test_wills_are_numbered(transport, version, numbered, reader, tokens, join):
    broker = numbered()
    ear = reader(broker)
    where, payload = event("acme", "deleted")
    payload = payload.replace(b"{", b'{"sequence":"00000000000000000099",', 1)
    for number, qos in enumerate((0, 1, 2), 1):
        mortal = join(broker, f"mortal-{qos}", tokens.publisher(), version, transport,
                      will=Will(where, payload, qos))
        mortal.close()
        got, = ear.take(1)
        assert got.topic == where and place(got.payload)[1] == number and got.qos == min(qos, 1)
        assert got.properties["content_type"].startswith("application/cloudevents+json")
    assert ear.drain() == []
    assert data(ear, "position", organizationId="acme")["sequence"] == f"{3:020}"


def test_wills_that_are_refused(numbered, reader, tokens, join):
    broker = numbered()
    ear = reader(broker)
    where, payload = event("acme", "deleted")
    wills = {"unscoped": (tokens.member(), Will(where, payload)),
             "no-event": (tokens.publisher(), Will(where, b"{}")),
             "retained": (tokens.publisher(), Will(where, payload, 1, True)),
             "elsewhere": (tokens.publisher("globex"), Will(where, payload))}
    for name, (token, will) in wills.items():
        mark = broker.mark()
        join(broker, name, token, V5, will=will).close()
        broker.wait_gone(name, mark)
        assert broker.denial("publish", name, mark)
    assert ear.drain() == []
    assert data(ear, "position", organizationId="acme")["sequence"] == f"{0:020}"


def test_a_bridge_brings_numbered_events(make_broker, secret_file, tokens, join):
    far = make_broker(plugin=False, extra="allow_anonymous true")
    near = make_broker({"jwt_secret_file": secret_file}, extra="\n".join(
        ["connection far", f"address 127.0.0.1:{far.ports['tcp']}", "notifications false", "topic # in 2"]))
    far.wait_log("Sending SUBACK")
    ear = join(near, "reader", tokens.member(), V5)
    ear.subscribe(ALL)
    sender = join(far, "sender", None, V5, username=None)
    where, payload = event("acme")
    sender.publish(where, payload.replace(b"{", b'{"sequence":"00000000000000000099",', 1))
    sender.publish(where, payload, qos=2)
    assert [place(m.payload)[1] for m in ear.take(2)] == [1, 2]


@pytest.mark.parametrize("version", [V311, V5], ids=VERSION_NAMES.get)
def test_equal_events_of_two_clients_have_two_numbers(version, numbered, reader, tokens, join):
    """QoS 2: only the client that sends an event again means the same event."""
    broker = numbered()
    ear = reader(broker)
    where, payload = event("acme")
    for name in ("till-1", "till-2"):
        assert join(broker, name, tokens.publisher(sub=name), version).publish(where, payload, qos=2) in (0, None)
    assert [place(m.payload)[1] for m in ear.take(2)] == [1, 2]


def test_an_event_of_qos_2_that_comes_again_keeps_its_number(numbered, reader, tokens, join):
    """MQTT 3.1.1 §4.4: a PUBLISH without its PUBREC is sent again, with DUP, after a reconnect."""
    broker = numbered()
    ear = reader(broker)
    where, payload = event("acme")
    body = prefixed(where) + struct.pack(">H", 77) + properties(None) + payload
    keep = {"session_expiry": 60}
    first = join(broker, "acme/sender", tokens.publisher(), V5, clean=False, props=keep)
    first.send(packet(PUBLISH, 4, body))
    first.expect(PUBREC)
    first.close()
    again = join(broker, "acme/sender", tokens.publisher(), V5, clean=False, props=keep)
    again.send(packet(PUBLISH, 0x8 | 4, body))
    again.expect(PUBREC)
    again.send(packet(PUBREL, 2, struct.pack(">H", 77)))
    again.expect(PUBCOMP)
    publish(again, 1)
    assert [place(m.payload)[1] for m in ear.take(2)] == [1, 2]
    assert ear.drain() == []


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_restart_begins_another_epoch(end, numbered, reader, tokens, join):
    broker = numbered()
    ear = reader(broker)
    publish(join(broker, "sender", tokens.publisher(), V5), 3)
    epoch, _ = place(ear.take(3)[-1].payload)
    getattr(broker, end)()
    broker.start()
    ear = reader(broker)
    now = data(ear, "position", organizationId="acme")
    assert now["sequence"] == f"{0:020}"
    ids = publish(join(broker, "sender", tokens.publisher(), V5), 1)
    got, = ear.take(1)
    assert event_id(got.payload) == ids[0] and place(got.payload)[1] == 1
    assert place(got.payload)[0] == now["epoch"] != epoch
    answer = data(ear, "replay", organizationId="acme", epoch=epoch, after=0)
    assert answer == {"recovered": False, "epoch": now["epoch"], "sequence": f"{1:020}"}
    assert ear.drain() == []


@pytest.mark.parametrize("options", [{}, {"validate_events": "off"}, {"stamp_sequence": "false"}],
                         ids=["default", "unchecked", "unnumbered"])
def test_the_wills_of_a_broker_that_is_stopped_reach_nobody(options, make_broker, secret_file, tokens, join):
    """The broker publishes them without a word to the plugin, which could neither check nor number them."""
    broker = make_broker({"jwt_secret_file": secret_file, **options}, persistence=True)
    sleeper = Client(broker, V311)
    assert sleeper.connect("acme/sleeper", tokens.member(), clean=False).code == 0
    sleeper.subscribe(ALL, 1)
    sleeper.disconnect()
    ear = join(broker, "ear", tokens.member(), V5)
    ear.subscribe(ALL, 1)
    sender = join(broker, "sender", tokens.publisher(), V5, will=Will(*event("acme"), 1))
    join(broker, "mortal", tokens.publisher(), V5, will=Will(topic("acme"), b'{"no":"event"}', 1))
    publish(sender, 1)
    assert len(ear.take(1)) == 1
    broker.stop()
    with pytest.raises(Closed):
        ear.take(1)
    broker.start()
    sleeper = Client(broker, V311)
    assert sleeper.connect("acme/sleeper", tokens.member(), clean=False).session_present
    assert len(sleeper.take(1)) == 1
    assert sleeper.drain() == []
    sleeper.close()


def test_without_stamp_sequence(numbered, reader, tokens, join):
    broker = numbered(stamp_sequence="false")
    ear = reader(broker)
    sent = event("acme")
    assert join(broker, "sender", tokens.publisher(), V5).publish(*sent) == 0
    join(broker, "mortal", tokens.publisher(), V5, will=Will(*sent)).close()
    assert [m.payload for m in ear.take(2)] == [sent[1]] * 2
    assert code(ear, "position", organizationId="acme") == "request_invalid"
    assert code(ear, "replay", organizationId="acme", epoch="0" * 16, after=0) == "request_invalid"


def test_all_listeners_number_or_none_does(make_broker, secret_file):
    """Else an event could come in by one with a number of the sender's own, and go out by the other."""
    broker = make_broker({"jwt_secret_file": secret_file, "stamp_sequence": "true"}, listeners=("tcp", "ws"),
                         per_listener=True, start=False)
    one, other = broker.config().rsplit("plugin_opt_stamp_sequence true", 1)
    said = broker.refused_start(f"{one}plugin_opt_stamp_sequence false{other}")
    assert "plugin_opt_stamp_sequence: another listener has 'true'" in said


NO_EVENTS = {"text": b"hello", "nothing": b"", "bytes": bytes(range(256)), "an array": b'[{"sequence":"1"}]',
             "behind its length": b"\0{" + bytes(123), "a NUL and a brace": b"\0{", "NULs": bytes(8)}


def test_what_is_no_object_stays_as_it_is_when_nothing_is_checked(numbered, reader, tokens, join):
    broker = numbered(validate_events="off")
    ear = reader(broker)
    sender = join(broker, "sender", tokens.publisher(), V5)
    where = topic("acme")
    for payload in NO_EVENTS.values():
        assert sender.publish(where, payload) < 0x80
    assert sender.publish(where, b' {"sequence":"9"} ') == 0
    got = [m.payload for m in ear.take(len(NO_EVENTS) + 1)]
    assert got[:-1] == list(NO_EVENTS.values())
    assert place(got[-1])[1] == 1
    # What a lenient reader might take for an object could have a number that is forged.
    encodings = ("utf-8-sig", "utf-16", "utf-16-be", "utf-16-le", "utf-32", "utf-32-be", "utf-32-le")
    for payload in (b'{"sequence":"9"', b'\n{"sequence":NaN}', "\ufeff {}".encode("utf-16-be"),
                    "\ufeff{ }".encode("utf-32-be"), *(' {"sequence":"9"}'.encode(name) for name in encodings)):
        assert sender.publish(where, payload) >= 0x80, payload
    assert ear.drain() == []


# -- position --------------------------------------------------------------------------------------

@by_version
@by_transport
def test_position(transport, version, numbered, tokens, join):
    broker = numbered()
    me = join(broker, "me", tokens.publisher(), version, transport)
    before = data(me, "position", organizationId="acme")
    publish(me, 3)
    after = data(me, "position", organizationId="acme")
    assert before == {"epoch": after["epoch"], "sequence": f"{0:020}"} and after["sequence"] == f"{3:020}"


# A token, and what its client is told about acme's events.
ASKERS = {
    "another organization": (lambda t: t.member("globex"), "topic_not_allowed"),
    "an administrator of another": (lambda t: t.member("globex", scope="orgcast:admin"), "topic_not_allowed"),
    "a service": (lambda t: t.service(), None),
    "one of several": (lambda t: t.member(["globex", "acme"]), None),
    "without the scope": (lambda t: t.member(scope="other"), "scope_missing"),
}


@pytest.mark.parametrize("who", ASKERS)
def test_who_may_ask(who, numbered, tokens, join):
    make, wanted = ASKERS[who]
    broker = numbered(**({"subscribe_scope": "events"} if wanted == "scope_missing" else {}))
    publish(join(broker, "sender", tokens.publisher(), V5), 2)
    me = join(broker, "me", make(tokens), V5)
    for command, more in (("position", {}), ("replay", {"epoch": "0" * 16, "after": 0})):
        answer = ask(me, command, organizationId="acme", **more)
        assert answer.get("code") == wanted, answer
    assert me.drain() == []


# -- replay ----------------------------------------------------------------------------------------

@by_version
@by_transport
def test_replay(transport, version, numbered, tokens, join):
    """On the original topics, in order, to the asker alone, who needs no subscription."""
    broker = numbered()
    sender = join(broker, "sender", tokens.publisher(), V5)
    sent = [event("acme", kind, f"e-{n}") for n, kind in enumerate(("created", "paid", "notification", "sent"))]
    for where, payload in sent:
        assert sender.publish(where, payload) < 0x80
    me = join(broker, "me", tokens.member(), version, transport)
    other = join(broker, "other", tokens.member(), V5)
    epoch = data(me, "position", organizationId="acme")["epoch"]
    answer = data(me, "replay", organizationId="acme", epoch=epoch, after=1)
    assert answer == {"recovered": True, "epoch": epoch, "sequence": f"{4:020}", "replayed": 3, "more": False}
    # They were there before the answer.
    got, me.inbox = me.inbox, []
    assert [(m.topic, event_id(m.payload)) for m in got] == [(where, event_id(p)) for where, p in sent[1:]]
    assert [place(m.payload) for m in got] == [(epoch, n) for n in (2, 3, 4)]
    assert all(m.qos == 0 and not m.retain for m in got)
    assert other.drain() == [] and sender.drain() == []


def test_never_partial(numbered, tokens, join):
    broker = numbered(replay_events_per_org=4)
    me = join(broker, "me", tokens.publisher(), V5)
    publish(me, 10)
    epoch = data(me, "position", organizationId="acme")["epoch"]
    for after in range(12):
        answer = data(me, "replay", organizationId="acme", epoch=epoch, after=after)
        got = [place(m.payload)[1] for m in me.drain()]
        if 6 <= after <= 10:
            assert answer["recovered"] and got == list(range(after + 1, 11)) and answer["replayed"] == len(got)
        else:
            assert answer == {"recovered": False, "epoch": epoch, "sequence": f"{10:020}"} and got == []


def test_nothing_is_kept(numbered, tokens, join):
    broker = numbered(replay_events_per_org=0)
    me = join(broker, "me", tokens.publisher(), V5)
    publish(me, 2)
    now = data(me, "position", organizationId="acme")
    assert now["sequence"] == f"{2:020}"
    assert data(me, "replay", organizationId="acme", epoch=now["epoch"], after=2)["recovered"]
    assert not data(me, "replay", organizationId="acme", epoch=now["epoch"], after=1)["recovered"]
    assert me.drain() == []


def test_bytes_of_all_organizations(numbered, tokens, join):
    """The organization that has been silent for longest gives its room."""
    broker = numbered(replay_max_bytes=65536)
    service = join(broker, "service", tokens.mint(
        org_id=None, sub="service", scope="invoices:publish orgcast:any-org orgcast:admin"), V5)
    publish(service, 5, "globex")
    forgotten = data(service, "position", organizationId="globex")
    publish(service, 300, "acme")
    now = data(service, "position", organizationId="acme")
    assert now["sequence"] == f"{300:020}"
    replayed = data(service, "replay", organizationId="acme", epoch=now["epoch"], after=280)
    assert replayed["recovered"] and replayed["replayed"] == 20
    # Its numbers begin anew, in another epoch.
    answer = data(service, "replay", organizationId="globex", epoch=forgotten["epoch"], after=0)
    assert not answer["recovered"] and answer["epoch"] != forgotten["epoch"] and int(answer["sequence"]) == 0
    service.drain()
    stats = data(service, "stats")
    assert 0 < stats["replay"]["bytes"] <= 65536
    assert stats["replays"] == {"recovered": 1, "not_recovered": 1}


def test_replays_come_in_pages(numbered, tokens, join):
    broker = numbered()
    me = join(broker, "me", tokens.publisher(), V5)
    publish(me, 600)
    epoch, counts, after = data(me, "position", organizationId="acme")["epoch"], [], 0
    while True:
        answer = data(me, "replay", organizationId="acme", epoch=epoch, after=after)
        got = [place(m.payload)[1] for m in me.drain()]
        assert got == list(range(after + 1, int(answer["sequence"]) + 1))
        counts.append(len(got))
        after = int(answer["sequence"])
        if not answer["more"]:
            break
    assert counts == [512, 88]


def test_a_flood_of_replays_is_told_to_wait(numbered, tokens, join):
    broker = numbered("max_queued_messages 0\n")
    me = join(broker, "me", tokens.publisher(), V5)
    publish(me, 256)
    epoch = data(me, "position", organizationId="acme")["epoch"]
    # All requests go out before the first answer is read: a slow client alone keeps within the limit.
    request = {"commands": [{"command": "replay", "organizationId": "acme", "epoch": epoch, "after": 0}]}
    for _ in range(96):
        me.send_publish(TOPIC, json.dumps(request).encode())
    answers = [answer(me)[0] for _ in range(96)]
    refused = [a for a in answers if "error" in a]
    assert 0 < len(refused) < 96 and {a["code"] for a in refused} == {"limit_rate"}
    assert len(me.drain()) == 256 * (96 - len(refused))
    # Other commands are still answered, and others do not wait for it.
    assert data(me, "position", organizationId="acme")["epoch"] == epoch
    other = join(broker, "other", tokens.member(), V5)
    assert data(other, "replay", organizationId="acme", epoch=epoch, after=0)["replayed"] == 256
    wait_for(lambda: "data" in ask(me, "replay", organizationId="acme", epoch=epoch, after=255), "a replay")


def test_who_asks_without_end_gets_no_answers(numbered, tokens, join):
    """What is sent to a client that does not read stays in the broker's memory."""
    broker = numbered()
    me = join(broker, "me", tokens.member(), V5)
    request = json.dumps({"commands": [{"command": "whoami"}] * 64}).encode()
    mark = broker.mark()
    for _ in range(3000):
        me.send_publish("$CONTROL/orgcast/v1", request)
        if me.next_id() % 50 == 0:
            me.ping()
        if "limit_rate" in broker.log(mark):
            break
    me.ping()
    assert "denied control to client 'me' subject 'ada': limit_rate" in broker.log(mark)
    assert sum(len(m.payload) for m in me.inbox) < 18 << 20
    data(join(broker, "other", tokens.member(), V5), "whoami")


@by_transport
def test_replays_at_full_speed(transport, numbered, tokens, join):
    """Readers come and go while events are published as fast as the broker takes them: each sees each event
    once, in order, by its number alone."""
    count, readers = 6000, 4
    broker = numbered(replay_events_per_org=count)
    sender = join(broker, "sender", tokens.publisher(), V5)
    sent = [event("acme", entity=f"inv-{number % 50}") for number in range(count)]
    ids = [event_id(payload) for _, payload in sent]
    start = data(sender, "position", organizationId="acme")
    failures, followers = [], []

    def publish_all():
        for number, (where, payload) in enumerate(sent):
            sender.send_publish(where, payload, qos=1)
            if number >= 100:
                sender.expect(PUBACK)
        for _ in range(100):
            sender.expect(PUBACK)

    def read(number, follower):
        stop = 0
        while follower.sequence < count:
            with Client(broker, V5, transport) as client:
                assert client.connect(f"reader-{number}", tokens.member()).code == 0
                client.subscribe(ALL, number % 2)
                follower.ahead.clear()
                follower.catch_up(client)
                stop = min(count, max(follower.sequence, stop) + 300 + 100 * number)
                try:
                    follower.follow(client, stop, timeout_s=5)
                except (Timeout, Closed):
                    pass

    def guarded(what, *values):
        try:
            what(*values)
        except BaseException as err:  # noqa: BLE001 - it is raised in the test's thread
            failures.append(err)

    threads = [threading.Thread(target=guarded, args=(publish_all,))]
    for number in range(readers):
        followers.append(Follower("acme", start["epoch"], int(start["sequence"])))
        threads.append(threading.Thread(target=guarded, args=(read, number, followers[-1])))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    for follower in followers:
        assert follower.seen == list(enumerate(ids, 1))
        assert follower.replays > 3


def in_one_turn(broker, *sends):
    """What is sent comes to the broker at once, in this order as far as it keeps one."""
    broker.process.send_signal(signal.SIGSTOP)
    for send in sends:
        send()
    broker.process.send_signal(signal.SIGCONT)


@by_transport
@pytest.mark.parametrize("subject", ["ada", "eve"])
def test_a_replay_is_for_nobody_else_who_takes_the_client_id(subject, transport, numbered, tokens, join):
    broker = numbered()
    publish(join(broker, "sender", tokens.publisher(), V5), 3)
    for _ in range(8):
        asker = join(broker, "tab", tokens.member(), V5, transport)
        start = data(asker, "position", organizationId="acme")
        where = prefixed("$CONTROL/orgcast/v1") + properties(None)
        request = {"command": "replay", "organizationId": "acme", "epoch": start["epoch"], "after": 0}
        asked = packet(PUBLISH, 0, where + json.dumps({"commands": [request]}).encode())
        if subject != "ada":
            asked += packet(DISCONNECT, 0, b"")
        with Client(broker, V5, transport) as thief:
            hello = thief.connect_packet("tab", tokens.member("globex", sub=subject))
            in_one_turn(broker, lambda: asker.send(asked), lambda: thief.send(hello))
            try:
                thief.connack()
                got = thief.drain()
            except Closed:
                got = []
            assert [m.topic for m in got if m.topic.startswith("org/")] == []
        asker.close()

# SPDX-License-Identifier: MIT
"""`non_jwt_clients defer` beside the broker's own password and ACL files, and `deny` without; bridges."""

import pytest
from broker import FOREIGN_PASSWORD, mosquitto_version
from control import RESPONSE, TOPIC
from events import event, event_id, topic
from mqtt import NOT_AUTHORIZED, V5, V31, VERSION_NAMES, VERSIONS, Client, Will

ALL = "org/acme/invoices/#"

FOREIGN = {
    "sensor": ["topic readwrite plant/#"],
    "reader": ["topic read plant/#", "topic read org/acme/invoices/#"],
    "root": ["topic readwrite #", "topic read $SYS/#"],
    "till": ["topic readwrite org/acme/invoices/#"],
    # A name that is also a subject of tokens.
    "ada": ["topic readwrite plant/#"],
}

by_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)


def refused(version):
    return NOT_AUTHORIZED if version == V5 else 5


@pytest.fixture
def broker(request, make_broker, secret_file):
    """A case may be given more options, by indirect parametrization."""
    return make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": "defer", **getattr(request, "param", {})},
                       listeners=("tcp", "ws"), foreign=FOREIGN)


@pytest.fixture
def foreign(broker, join):
    """foreign(name, client_id=…, …) connects one of the broker's own clients."""
    def connect(name, client_id=None, version=4, transport="tcp", **more):
        return join(broker, client_id or f"{name}-id", FOREIGN_PASSWORD + name, version, transport,
                    username=name, **more)
    return connect


@by_version
@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_side_by_side(version, transport, broker, foreign, tokens, join):
    """Foreign clients work, the plugin's work, and neither sees the other's."""
    sensor = foreign("sensor", version=version, transport=transport)
    member = join(broker, "member", tokens.publisher(), version, transport)
    assert sensor.subscribe("plant/#") == [0]
    assert member.subscribe(ALL) == [0]
    # Mosquitto's ACL file grants a SUBSCRIBE and holds the deliveries back; the plugin refuses it.
    sensor.subscribe(ALL)
    assert member.subscribe("plant/#")[0] >= 0x80 or version == V31
    sensor.publish("plant/1", b"7")
    member.publish("plant/1", b"8")
    member.publish(*event("acme"))
    sensor.publish(*event("acme"))
    assert [(message.topic, message.payload) for message in sensor.drain()] == [("plant/1", b"7")]
    assert [message.topic for message in member.drain()] == [topic("acme")]


@by_version
def test_foreign_client_reads_what_its_acl_allows(version, broker, foreign, tokens, join):
    """It is none of the plugin's: the broker's own ACL decides, also on an organization's topics."""
    reader = foreign("reader", version=version)
    assert reader.subscribe([ALL, "plant/#"]) == [0, 0]
    join(broker, "backend", tokens.service(), version).publish(*event("acme"))
    assert [message.topic for message in reader.drain()] == [topic("acme")]


@by_version
def test_who_is_neither_is_refused(version, broker):
    good = FOREIGN_PASSWORD + "sensor"
    for username, password in (("sensor", "wrong"), ("nobody", good), ("sensor", ""), ("sensor", None),
                               ("ada", FOREIGN_PASSWORD + "sensor")):
        with Client(broker, version) as client:
            assert client.connect("neither", password, username=username).code == refused(version)
    with Client(broker, version) as client:
        assert client.connect("neither", None, username=None).code == refused(version)


@by_version
def test_a_bad_token_does_not_fall_through(version, broker, tokens):
    """Shaped as a JWT: the plugin's alone, whatever the username."""
    token = tokens.member()
    bad = token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB")
    with Client(broker, version) as client:
        assert client.connect("bad", bad, username="root").code == refused(version)
    assert broker.refusal("bad")[0] == "signature_invalid"


@by_version
def test_a_tokens_subject_gets_no_foreign_rights(version, broker, foreign, tokens, join):
    """`ada` of the ACL file may use plant/#; `ada` of a token is somebody else."""
    world = foreign("root")
    world.subscribe("#")
    member = join(broker, "member", tokens.publisher(sub="ada"), version, username="root")
    assert version == V31 or member.subscribe("plant/#")[0] >= 0x80
    member.publish("plant/1", b"8")
    assert world.drain() == []
    assert [message.topic for message in member.drain()] == []


@by_version
def test_foreign_client_cannot_take_over_a_live_session(version, broker, foreign, tokens, join):
    member = join(broker, "mine", tokens.member(), version)
    member.subscribe(ALL)
    for thief_version in VERSIONS:
        with Client(broker, thief_version) as thief:
            answer = thief.connect("mine", FOREIGN_PASSWORD + "root", username="root",
                                   will=Will(topic("acme", "deleted")))
            assert answer.code == refused(thief_version)
    assert broker.refusal("mine")[0] == "client_id_in_use"
    foreign("root").publish(*event("acme"))
    assert [message.topic for message in member.drain()] == [topic("acme")]


@by_version
def test_an_unknown_one_cannot_take_over_either(version, broker, tokens, join):
    """Refused before its password is even looked at: the holder's connection is not at stake."""
    member = join(broker, "mine", tokens.member(), version)
    for password in ("wrong", "", None):
        with Client(broker, version) as thief:
            assert thief.connect("mine", password, username="root").code == refused(version)
    member.ping()


@by_version
def test_a_freed_id_may_be_a_foreign_clients(version, broker, foreign, tokens, join):
    """And it then has the foreign client's rights, not the member's."""
    member = join(broker, "shared", tokens.member(), version)
    member.subscribe(ALL)
    mark = broker.mark()
    member.disconnect()
    broker.wait_gone("shared", mark)
    sensor = foreign("sensor", "shared", version)
    sensor.subscribe(ALL)
    join(broker, "backend", tokens.service()).publish(*event("acme"))
    assert sensor.drain() == []
    assert sensor.subscribe("plant/#") == [0]
    sensor.publish("plant/1", b"7")
    assert len(sensor.drain()) == 1


@by_version
@pytest.mark.parametrize("clean", [False, True], ids=["resumed", "started clean"])
def test_a_members_persistent_session_stays_the_members(clean, version, broker, foreign, tokens, join):
    """An offline session's id carries its organization: no foreign client takes it, with or without a good
    password, and what is queued is still there for its own."""
    keep = {"session_expiry": 300}
    member = join(broker, "acme/m", tokens.member(), version, clean=False, props=keep)
    member.subscribe(ALL, qos=1)
    mark = broker.mark()
    member.disconnect()
    broker.wait_gone("acme/m", mark)
    backend = join(broker, "backend", tokens.service())
    where, payload = event("acme")
    backend.publish(where, payload)
    for password in (FOREIGN_PASSWORD + "sensor", "wrong"):
        with Client(broker, version) as thief:
            answer = thief.connect("acme/m", password, username="sensor", clean=clean, props=keep)
            assert answer.code == refused(version)
    assert broker.refusal("acme/m", mark)[0] == "client_id_in_use"
    back = join(broker, "acme/m", tokens.member(), version, clean=False, props=keep)
    assert [message.topic for message in back.drain()] == [where]


@by_version
def test_a_foreign_clients_id_is_its_own(version, broker, foreign, tokens, join):
    """While it is connected, no client of the plugin's takes it; after that, or after a foreign client was
    refused with it, any may."""
    sensor = foreign("sensor", "plant-7", version)
    sensor.subscribe("plant/#")
    with Client(broker, version) as thief:
        assert thief.connect("plant-7", tokens.member()).code == refused(version)
    assert broker.refusal("plant-7")[0] == "client_id_in_use"
    sensor.publish("plant/7", b"on")
    assert [message.topic for message in sensor.drain()] == ["plant/7"]
    mark = broker.mark()
    sensor.disconnect()
    broker.wait_gone("plant-7", mark)
    with Client(broker, version) as wrong:
        assert wrong.connect("plant-7", "wrong", username="sensor").code == refused(version)
    join(broker, "plant-7", tokens.member(), version).ping()


def test_a_foreign_client_after_an_offline_session_of_its_id(broker, foreign, tokens, join):
    """MQTT 5: an id of free form that a client of the plugin's left behind, kept for a while. Who is connected
    with it now is not disturbed by that one."""
    left = join(broker, "plant-8", tokens.member(), V5, props={"session_expiry": 300})
    mark = broker.mark()
    left.disconnect()
    broker.wait_gone("plant-8", mark)
    sensor = foreign("sensor", "plant-8", V5)
    with Client(broker, V5) as thief:
        assert thief.connect("plant-8", tokens.member()).code == refused(V5)
    assert broker.refusal("plant-8", mark)[0] == "client_id_in_use"
    sensor.ping()


def test_nothing_is_queued_for_an_unbound_id(broker, foreign, tokens, join):
    """MQTT 5: a session kept under a name that is no organization's. A foreign client may resume it: what
    came in between is not there, whatever that one may read."""
    keep = {"session_expiry": 300}
    kept = join(broker, "kept", tokens.member(), V5, props=keep)
    kept.subscribe(ALL, qos=1)
    mark = broker.mark()
    kept.disconnect()
    broker.wait_gone("kept", mark)
    backend = join(broker, "backend", tokens.service())
    backend.publish(topic("acme", entity="between"), event("acme", entity="between")[1])
    reader = foreign("reader", "kept", V5, clean=False, props=keep)
    assert reader.session_present
    backend.publish(topic("acme", entity="after"), event("acme", entity="after")[1])
    assert [message.topic for message in reader.drain()] == [topic("acme", entity="after")]


@by_version
def test_retained_messages_of_foreign_clients(version, broker, foreign, tokens, join):
    """They still reach foreign subscribers, and no one of the plugin's."""
    sensor = foreign("sensor", version=version)
    sensor.publish("plant/state", b"on", retain=True)
    late = foreign("reader", version=version)
    late.subscribe("plant/#")
    (message,) = late.drain()
    assert (message.topic, message.payload, message.retain) == ("plant/state", b"on", True)
    service = join(broker, "service", tokens.service(), version)
    service.subscribe("#")
    assert service.drain() == []
    sensor.publish("plant/state", b"", retain=True)


@by_version
def test_foreign_wills(version, broker, foreign):
    late = foreign("reader", version=version)
    late.subscribe("plant/#")
    sensor = foreign("sensor", version=version, will=Will("plant/state", b"gone"))
    mark = broker.mark()
    sensor.close()
    broker.wait_gone("sensor-id", mark)
    assert [message.topic for message in late.drain()] == ["plant/state"]


def test_sighup_disturbs_neither(broker, foreign, tokens, join):
    sensor = foreign("sensor")
    member = join(broker, "member", tokens.publisher())
    sensor.subscribe("plant/#")
    member.subscribe(ALL)
    for _ in range(3):
        broker.reload()
        sensor.publish("plant/1", b"7")
        member.publish(*event("acme"))
    assert len(sensor.drain()) == len(member.drain()) == 3
    foreign("reader").ping()


@by_version
def test_sighup_binds_no_foreign_session(version, broker, foreign, tokens, join):
    """An offline session of another authenticator holds no id, also not after SIGHUP."""
    keep = {"session_expiry": 300}
    mark = broker.mark()
    foreign("sensor", f"off-{version}", version, clean=False, props=keep).disconnect()
    broker.wait_gone(f"off-{version}", mark)
    broker.reload()
    join(broker, f"off-{version}", tokens.member(), version).ping()


def test_foreign_persistent_session_over_a_restart(make_broker, secret_file, join, tokens):
    broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": "defer"},
                         foreign=FOREIGN, persistence=True)
    password = FOREIGN_PASSWORD + "sensor"
    sensor = join(broker, "kept", password, username="sensor", clean=False)
    sensor.subscribe("plant/#", qos=1)
    sensor.disconnect()
    broker.wait_gone("kept")
    broker.stop()
    broker.start()
    join(broker, "root-id", FOREIGN_PASSWORD + "root", username="root").publish("plant/1", b"7")
    back = join(broker, "kept", password, username="sensor", clean=False)
    assert [message.topic for message in back.drain()] == ["plant/1"]


@by_version
def test_deny_leaves_nothing_to_the_others(version, make_broker, secret_file, tokens, join):
    """The default: only tokens, whatever the password file holds."""
    broker = make_broker({"jwt_secret_file": secret_file}, foreign=FOREIGN)
    with Client(broker, version) as client:
        code = client.connect("sensor-id", FOREIGN_PASSWORD + "sensor", username="sensor").code
        assert code == refused(version)
    assert broker.refusal("sensor-id")[0] == "token_malformed"
    member = join(broker, "member", tokens.publisher(), version)
    member.subscribe(ALL)
    member.publish(*event("acme"))
    assert len(member.drain()) == 1


@by_version
@pytest.mark.parametrize("mode", ["deny", "defer"])
def test_allow_anonymous_opens_nothing(mode, version, make_broker, secret_file, join):
    """`allow_anonymous true` by mistake. With `defer` it lets nameless clients in, as it says; what they
    may do is the ACL file's to say, and theirs is nothing."""
    broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": mode}, foreign=FOREIGN,
                         extra="allow_anonymous true")
    with Client(broker, version) as client:
        code = client.connect("nameless", None, username=None).code
        assert code == (refused(version) if mode == "deny" else 0)
        if mode == "defer":
            client.subscribe([ALL, "#", "plant/#"])
            world = join(broker, "root-id", FOREIGN_PASSWORD + "root", username="root")
            world.subscribe("#")
            for where, payload in (event("acme"), ("plant/1", b"7")):
                client.publish(where, payload)
                assert world.drain() == []
                world.publish(where, payload)
                assert len(world.drain()) == 1
            assert client.drain() == []


# -- what they send is an event --------------------------------------------------------------------

# No event, one of another organization, one of another topic.
BAD = (b"{}", event("globex")[1], event("acme", "sent")[1])


@by_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_foreign_events(qos, version, broker, foreign, tokens, join):
    """Their ACL says where, `validate_events` says what."""
    member = join(broker, "member", tokens.member(), V5)
    member.subscribe(ALL)
    till = foreign("till", version=version)
    good = event("acme")
    for payload in BAD:
        answer = till.publish(good[0], payload, qos=qos)
        assert answer == (NOT_AUTHORIZED if version == V5 and qos else 0)
    assert broker.denial("publish", "till-id") == (good[0], "event_invalid")
    till.publish(*event("globex"), qos=qos)
    till.publish(*good, qos=qos)
    assert [event_id(m.payload) for m in member.drain()] == [event_id(good[1])]


@pytest.mark.parametrize("per_listener", [False, True])
def test_what_a_foreign_client_is_denied_keeps_nothing_back(per_listener, make_broker, secret_file, tokens, join):
    """The plugin expects to be shown what it leaves to the ACL file, which Mosquitto does not do with what that
    denies; with per_listener_settings Mosquitto 2.0 gives it no tick either to see that."""
    if per_listener and (2, 0, 11) < mosquitto_version() < (2, 1):
        pytest.skip("with per_listener_settings this Mosquitto delivers nothing that a session missed")
    broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": "defer"}, foreign=FOREIGN,
                         per_listener=per_listener)
    sleeper = join(broker, "acme/sleeper", tokens.member(), clean=False)
    sleeper.subscribe(ALL, qos=1)
    sleeper.disconnect()
    broker.wait_gone("acme/sleeper")
    watcher = join(broker, "watcher", tokens.member())
    watcher.subscribe(ALL)
    good = event("acme")
    join(broker, "sender", tokens.publisher()).publish(*good, qos=1)
    numbered, = watcher.drain()
    sensor = join(broker, "sensor-id", FOREIGN_PASSWORD + "sensor", username="sensor")
    sensor.publish(numbered.topic, b"x" * len(numbered.payload), qos=1)
    back = join(broker, "acme/sleeper", tokens.member(), clean=False)
    assert [event_id(message.payload) for message in back.drain()] == [event_id(good[1])]


@pytest.mark.parametrize("broker", [{}, {"stamp_sequence": "false"}], indirect=True, ids=["numbered", "not numbered"])
@by_version
def test_foreign_wills_are_no_events(version, broker, foreign, tokens, join):
    """Another authenticator decides on the Will after the plugin, which then can neither number nor check it."""
    member = join(broker, "member", tokens.member(), V5)
    member.subscribe(ALL)
    good = event("acme")
    for payload in (*BAD, good[1]):
        till = foreign("till", version=version, will=Will(good[0], payload))
        mark = broker.mark()
        till.close()
        broker.wait_gone("till-id", mark)
    assert member.drain() == []
    broker.wait_log(r"denied publish .* to client 'till-id'.*topic_not_allowed", mark)


# -- bridges ---------------------------------------------------------------------------------------

BRIDGE_VERSIONS = ("mqttv311", "mqttv50")


def bridge(name, port, *topics, version="mqttv311", user=None):
    """Lines of mosquitto.conf."""
    lines = [f"connection {name}", f"address 127.0.0.1:{port}", f"bridge_protocol_version {version}",
             "notifications false", "restart_timeout 1", *(f"topic {line}" for line in topics)]
    if user:
        lines += [f"remote_username {user}", f"remote_password {FOREIGN_PASSWORD}{user}"]
    return "\n".join(lines)


def publish_all(client):
    """Good and bad ones; gives the ids of the good ones."""
    good = [event("acme", entity=f"inv-{number}") for number in range(3)]
    for qos in (0, 1, 2):
        for payload in (*BAD, b""):
            client.publish(good[qos][0], payload, qos=qos)
        client.publish("org/acme/invoices/paid", good[qos][1], qos=qos)
        client.publish(*good[qos], qos=qos)
    return [event_id(payload) for _, payload in good]


@pytest.mark.parametrize("version", BRIDGE_VERSIONS)
@pytest.mark.parametrize("mode", ["deny", "defer"])
def test_a_bridge_of_the_broker(mode, version, make_broker, secret_file, tokens, join):
    """It has no login and no ACL here: it brings events for every organization, and nothing that is none."""
    far = make_broker(plugin=False, extra="allow_anonymous true")
    near = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": mode},
                       extra=bridge("far", far.ports["tcp"], "# in 2", "$CONTROL/# in 2", version=version))
    far.wait_log("Sending SUBACK")
    member = join(near, "member", tokens.member(), V5)
    member.subscribe([ALL, RESPONSE])
    sender = join(far, "sender", None, V5, username=None)
    mark = near.mark()
    sender.publish(TOPIC, b'{"commands":[{"command":"stats"}]}')
    ids = publish_all(sender)
    sender.publish(*event("globex"))
    assert [event_id(m.payload) for m in member.take(3)] == ids
    near.wait_log(r"orgcast: denied publish 'org/acme/invoices/paid/inv-0' to client '.+' subject '': event_invalid",
                  mark)
    # None of it has ended the bridge.
    last = event("acme", entity="last")
    sender.publish(*last)
    assert [event_id(m.payload) for m in member.take(1)] == [event_id(last[1])]
    assert "onnecting bridge" not in near.log(mark)


@pytest.mark.parametrize("mode", ["deny", "defer"])
def test_nobody_takes_the_id_of_a_bridge(mode, make_broker, secret_file, tokens, join):
    """It would end the bridge, as often as it comes back."""
    far = make_broker(plugin=False, extra="allow_anonymous true")
    near = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": mode}, foreign=FOREIGN,
                       extra=bridge("far", far.ports["tcp"], "# in 2"))
    far.wait_log("Sending SUBACK")
    name = near.wait_log(r"[Bb]ridge (local\.\S+\.far)\b").group(1)
    member = join(near, "member", tokens.member(), V5)
    member.subscribe(ALL)
    mark = near.mark()
    passwords = [tokens.member(sub="eve"), tokens.service()]
    if mode == "defer":
        passwords.append(FOREIGN_PASSWORD + "root")
    for password in passwords:
        for version in VERSIONS:
            with Client(near, version) as thief:
                assert thief.connect(name, password, username="root").code == refused(version)
            assert near.refusal(name, mark) == ("client_id_in_use", " (it is a bridge's)")
            mark = near.mark()
    sender = join(far, "sender", None, V5, username=None)
    last = event("acme", entity="last")
    sender.publish(*last)
    assert [event_id(m.payload) for m in member.take(1)] == [event_id(last[1])]


@pytest.mark.parametrize("version", BRIDGE_VERSIONS)
def test_a_bridge_that_logs_in(version, broker, make_broker, tokens, join):
    """For this broker it is a client with a password: its ACL and `validate_events` hold for it."""
    far = make_broker(plugin=False, extra="allow_anonymous true\n" + bridge(
        "near", broker.ports["tcp"], "# both 2", version=version, user="till"))
    broker.wait_log("Sending CONNACK to .*near")
    member = join(broker, "member", tokens.member(["acme", "globex"]), V5)
    member.subscribe([ALL, "org/globex/invoices/#"])
    sender = join(far, "sender", None, V5, username=None)
    sender.subscribe("org/#")
    sender.publish(*event("globex"))
    ids = publish_all(sender)
    assert [event_id(m.payload) for m in member.take(3)] == ids
    assert member.drain() == []
    sender.drain()
    # The other way it gets what its ACL allows.
    backend = join(broker, "backend", tokens.service())
    backend.publish(*event("globex"))
    last = event("acme", entity="last")
    backend.publish(*last)
    assert [event_id(m.payload) for m in sender.take(1)] == [event_id(last[1])]


def test_a_bridge_with_a_token(broker, make_broker, tokens, join):
    """Or it is a client with a token, like any other; its session persists, so its id is an organization's."""
    text = bridge("near", broker.ports["tcp"], f"{ALL} out 1") + \
        f"\nremote_clientid acme/bridge\nremote_username jwt\nremote_password {tokens.publisher()}"
    far = make_broker(plugin=False, extra="allow_anonymous true\n" + text)
    broker.wait_log("Sending CONNACK to acme/bridge")
    member = join(broker, "member", tokens.member(), V5)
    member.subscribe(ALL)
    ids = publish_all(join(far, "sender", None, V5, username=None))
    assert [event_id(m.payload) for m in member.take(3)] == ids


@by_version
def test_events_of_foreign_clients_are_not_retained(version, broker, foreign, tokens, join):
    where, payload = event("acme")
    till = foreign("till", version=version)
    till.publish(where, payload, qos=1, retain=True)
    will = foreign("till", "dying", version, will=Will(where, payload, 1, True))
    mark = broker.mark()
    will.close()
    broker.wait_gone("dying", mark)
    late = join(broker, f"late-{version}", tokens.member(), V5)
    late.subscribe("org/acme/invoices/#")
    assert late.drain() == []

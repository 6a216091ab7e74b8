# SPDX-License-Identifier: MIT
"""Client ids and sessions: takeover, persistence, restart, SIGHUP, and what nobody may inherit."""

import itertools
import re
import signal
import time

import control
import pytest
from broker import mosquitto_version
from conftest import BrokerPool
from events import event, event_id, topic
from mqtt import NOT_AUTHORIZED, V5, V31, V311, VERSION_NAMES, VERSIONS, Client, Closed, Will, wait_for
from tokens import claims, mint

ALL = "org/acme/invoices/#"
KEEP = {"session_expiry": 300}

by_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)
by_transport = pytest.mark.parametrize("transport", ["tcp", "ws"])


def refused(version):
    return NOT_AUTHORIZED if version == V5 else 5


@pytest.fixture(scope="module")
def pool(tmp_path_factory, secret_file):
    pool = BrokerPool(tmp_path_factory.mktemp("sessions"), {"sessions": {
        "options": {"jwt_secret_file": secret_file}, "listeners": ("tcp", "ws")}})
    yield pool
    pool.stop()


@pytest.fixture
def broker(pool):
    return pool.get("sessions", 20)


@pytest.fixture
def backend(broker, tokens, join):
    return join(broker, "backend", tokens.service())


# -- takeover --------------------------------------------------------------------------------------


@by_version
@by_transport
@pytest.mark.parametrize("thief", ["same organization", "other organization", "service"])
def test_id_of_another_subject_is_refused(thief, transport, version, broker, backend, tokens, join):
    name = f"held-{thief[0]}-{transport}-{version}"
    holder = join(broker, name, tokens.member(), version, transport)
    holder.subscribe(ALL)
    token = {"same organization": tokens.member(sub="eve"),
             "other organization": tokens.member("globex", "eve"),
             "service": tokens.service("eve")}[thief]
    mark = broker.mark()
    for other_version, other_transport in itertools.product(VERSIONS, ("tcp", "ws")):
        with Client(broker, other_version, other_transport) as client:
            answer = client.connect(name, token, will=Will(topic("acme", "deleted")))
            assert answer.code == refused(other_version)
    assert broker.refusal(name, mark)[0] == "client_id_in_use"
    where, payload = event("acme")
    backend.publish(where, payload)
    assert [event_id(message.payload) for message in holder.drain()] == [event_id(payload)]


@by_version
def test_other_listeners_know_a_live_id(version, make_broker, tokens, join, secret_file):
    """With per_listener_settings each listener has a plugin of its own; the ids are the whole broker's."""
    broker = make_broker({"jwt_secret_file": secret_file}, listeners=("tcp", "ws"), per_listener=True)
    holder = join(broker, "mine", tokens.member(), version)
    with Client(broker, version, "ws") as thief:
        assert thief.connect("mine", tokens.member("globex", "eve")).code == refused(version)
    assert broker.refusal("mine")[0] == "client_id_in_use"
    holder.ping()


@by_version
@pytest.mark.parametrize("way", [("tcp", "tcp"), ("tcp", "ws"), ("ws", "tcp"), ("ws", "ws")],
                         ids=" to ".join)
def test_same_subject_takes_over(way, version, broker, backend, tokens, join):
    name = f"taken-{'-'.join(way)}-{version}"
    clients = []
    for turn in range(6):
        clients.append(join(broker, name, tokens.member(), version, way[turn % 2]))
        clients[-1].subscribe(ALL)
    for client in clients[:-1]:
        client.wait_closed()
    where, payload = event("acme")
    backend.publish(where, payload)
    assert [event_id(message.payload) for message in clients[-1].drain()] == [event_id(payload)]
    assert all(not client.inbox for client in clients[:-1])


@by_version
def test_a_freed_id_may_be_anybodys(version, broker, backend, tokens, join):
    name = f"freed-{version}"
    first = join(broker, name, tokens.member(), version)
    first.subscribe(ALL)
    mark = broker.mark()
    first.disconnect()
    broker.wait_gone(name, mark)
    second = join(broker, name, tokens.member("globex", "eve"), version)
    second.subscribe("org/globex/invoices/#")
    for organization in ("acme", "globex"):
        backend.publish(*event(organization))
    assert [message.topic for message in second.drain()] == [topic("globex")]


@by_version
def test_takeover_with_other_organizations(version, broker, backend, tokens, join):
    """The same subject with a token of another organization: the session is what the new token says."""
    name = f"moves-{version}"
    old = join(broker, name, tokens.member("acme"), version)
    old.subscribe(ALL)
    new = join(broker, name, tokens.member("globex"), version)
    assert version == V31 or new.subscribe(ALL)[0] >= 0x80
    new.subscribe("org/globex/invoices/#")
    old.wait_closed()
    for organization in ("acme", "globex"):
        backend.publish(*event(organization))
    assert [message.topic for message in new.drain()] == [topic("globex")]


@by_version
@pytest.mark.parametrize("organization", ["acme", "globex"])
def test_will_after_a_takeover(organization, version, broker, tokens, join):
    """A taken-over connection's Will is published by the old session's rights."""
    watcher = join(broker, f"watcher-{organization}-{version}", tokens.service())
    watcher.subscribe("#")
    name = f"willed-{organization}-{version}"
    where, payload = event(organization)
    mark = broker.mark()
    old = join(broker, name, tokens.publisher(), version, will=Will(where, payload))
    new = join(broker, name, tokens.publisher("globex"), version)
    old.wait_closed()
    new.ping()
    got = [message.topic for message in watcher.drain()]
    assert got == ([where] if organization == "acme" else [])
    if organization != "acme":
        assert broker.denial("publish", name, mark) == (where, "topic_not_allowed")


@by_version
def test_a_second_connect_ends_the_connection(version, broker, tokens, join):
    """MQTT 5 §3.1.0-2. Nobody changes identity on a live connection that way."""
    client = join(broker, f"twice-{version}", tokens.member(), version)
    client.send(client.connect_packet(f"twice-{version}", tokens.member("globex")))
    with pytest.raises(Closed):
        client.subscribe("org/globex/invoices/#")


def test_slots_are_reused_and_nothing_is_inherited(broker, backend, tokens):
    """Connections of two organizations, one after the other, so that the broker reuses their memory."""
    for turn in range(120):
        organization = ("acme", "globex")[turn % 2]
        version, transport = VERSIONS[turn % 3], ("tcp", "ws")[turn // 2 % 2]
        with Client(broker, version, transport) as client:
            name = f"slot-{turn % 5}"
            if turn % 7 == 0:
                answer = client.connect(name, tokens.member(organization)[:-4] + "AAAA")
                assert answer.code == refused(version)
                continue
            mark = broker.mark()
            assert client.connect(name, tokens.member(organization)).code == 0
            client.subscribe([ALL, "org/globex/invoices/#"])
            for each in ("acme", "globex"):
                backend.publish(*event(each))
            assert [message.topic for message in client.drain()] == [topic(organization)]
            client.disconnect()
            broker.wait_gone(name, mark)


# -- persistent sessions -----------------------------------------------------------------------------

MEMBER, TWO, SERVICE = "member", "two", "service"
PERSISTENT = [
    ("an organization's", "acme/ada-1", MEMBER, True),
    ("an organization's, deeper", "acme/a/b", MEMBER, True),
    ("the second organization's", "globex/x", TWO, True),
    ("a service's subject's", "service/1", SERVICE, True),
    ("nobody's", "ada-1", MEMBER, True),
    ("another organization's", "globex/x", MEMBER, False),
    ("a longer name's", "acme2/x", MEMBER, False),
    ("a shorter name's", "acm/x", MEMBER, False),
    ("upper case", "ACME/x", MEMBER, False),
    ("a homoglyph's", "\u0430cme/x", MEMBER, False),
    ("the organization alone", "acme", MEMBER, True),
    ("a slash before", "/acme/x", MEMBER, False),
    ("org before", "org/acme/x", MEMBER, False),
    ("the subject's, no service", "ada/x", MEMBER, False),
    ("an organization's, service", "acme/x", SERVICE, False),
    ("another subject's, service", "other/x", SERVICE, False),
]


@by_version
@pytest.mark.parametrize("case", PERSISTENT, ids=lambda case: case[0])
def test_persistent_sessions_need_a_bound_id(case, version, broker, tokens):
    name, client_id, kind, allowed = case
    token = {MEMBER: tokens.member(), TWO: tokens.member(["acme", "globex"]),
             SERVICE: tokens.service()}[kind]
    mark = broker.mark()
    with Client(broker, version) as client:
        answer = client.connect(client_id, token, clean=False, props=KEEP)
        assert answer.code == (0 if allowed else refused(version)), name
        if allowed:
            client.disconnect(props={"session_expiry": 0} if version == V5 else None)
        else:
            assert broker.refusal(client_id, mark)[0] == "client_id_not_bound"
    # Leaves nothing behind for the next version.
    with Client(broker, version) as client:
        client.connect(client_id, token)
        client.disconnect()


def test_a_clean_session_needs_no_bound_id(broker, tokens, join):
    for version in VERSIONS:
        join(broker, f"any-{version}", tokens.member(), version).ping()


@pytest.fixture(params=VERSIONS, ids=VERSION_NAMES.get)
def offline(request, broker, tokens, join):
    """(version, client id) of a persistent session of acme and globex that is subscribed, and offline."""
    version = request.param
    client_id = f"acme/off-{next(NUMBERS)}"
    client = join(broker, client_id, tokens.member(["acme", "globex"]), version, clean=False,
                  props=KEEP)
    assert client.subscribe([ALL, "org/globex/invoices/#"], qos=1) == [1, 1]
    mark = broker.mark()
    client.disconnect()
    broker.wait_gone(client_id, mark)
    return version, client_id


NUMBERS = itertools.count()


def publish_all(backend, count=3):
    sent = []
    for number in range(count):
        for organization in ("acme", "globex", "initech"):
            where, payload = event(organization, entity=f"inv-{number}")
            backend.publish(where, payload)
            sent.append(where)
    return sent


def test_queued_messages_reach_their_own_subject_again(offline, broker, backend, tokens, join):
    version, client_id = offline
    sent = [where for where in publish_all(backend) if "initech" not in where]
    back = join(broker, client_id, tokens.member(["acme", "globex"]), version, clean=False, props=KEEP)
    assert version == V31 or back.session_present
    assert [message.topic for message in back.drain()] == sent


def test_queued_messages_of_a_lost_organization_are_gone(offline, broker, backend, tokens, join):
    """Delivery is by the organizations of the token of now."""
    version, client_id = offline
    sent = [where for where in publish_all(backend) if "acme" in where]
    back = join(broker, client_id, tokens.member("acme"), version, clean=False, props=KEEP)
    assert [message.topic for message in back.drain()] == sent
    more = [where for where in publish_all(backend) if "acme" in where]
    assert [message.topic for message in back.drain()] == more


def test_no_other_organization_throws_it_away(offline, broker, backend, tokens, join):
    """Nor does one that starts clean with its id: that would end it and what is queued."""
    version, client_id = offline
    sent = [where for where in publish_all(backend) if "initech" not in where]
    mark = broker.mark()
    with Client(broker, version) as thief:
        assert thief.connect(client_id, tokens.member("initech", "eve")).code == refused(version)
    assert broker.refusal(client_id, mark)[0] == "client_id_not_bound"
    back = join(broker, client_id, tokens.member(["acme", "globex"]), version, clean=False, props=KEEP)
    assert [message.topic for message in back.drain()] == sent


def test_no_other_organization_resumes_it(offline, broker, backend, tokens, join):
    version, client_id = offline
    publish_all(backend)
    mark = broker.mark()
    with Client(broker, version) as thief:
        answer = thief.connect(client_id, tokens.member("initech", "eve"), clean=False, props=KEEP)
        assert answer.code == refused(version)
    assert broker.refusal(client_id, mark)[0] == "client_id_not_bound"


@by_version
@pytest.mark.parametrize("client_id", ["globex/reader", "glob/x", "/x", "x/", "acme /x", "ACME/x"])
def test_an_id_with_a_slash_is_somebodys(client_id, version, broker, tokens):
    """Whoever has it keeps its owner out, and ends what waits under it: for clean starts too."""
    mark = broker.mark()
    with Client(broker, version) as squatter:
        answer = squatter.connect(client_id, tokens.member("acme"), props=KEEP)
        assert answer.code == refused(version)
    assert broker.refusal(client_id, mark)[0] == "client_id_not_bound"
    with Client(broker, version) as own:
        assert own.connect("acme/reader", tokens.member("acme")).code == 0


@by_version
def test_a_services_offline_session_is_no_organizations(version, broker, tokens, join):
    """Where a service's subject is an organization's name, both may use its ids, but not each other's."""
    keep = dict(clean=False, props=KEEP)
    service = join(broker, f"namesake/{version}", tokens.service(sub="namesake"), version, **keep)
    mark = broker.mark()
    service.disconnect()
    broker.wait_gone(f"namesake/{version}", mark)
    for more in (keep, {}):
        with Client(broker, version) as member:
            answer = member.connect(f"namesake/{version}", tokens.member("namesake"), **more)
            assert answer.code == refused(version)
    back = join(broker, f"namesake/{version}", tokens.service(sub="namesake"), version, **keep)
    assert version == V31 or back.session_present


@by_version
def test_an_offline_session_outlives_its_token(version, make_broker, tokens, join, secret_file):
    """Its id stays its organization's, so that the next token finds what was queued."""
    broker = make_broker({"jwt_secret_file": secret_file}, clock=True)
    member = join(broker, "acme/q", tokens.member(), version, clean=False, props=KEEP)
    member.subscribe(ALL, qos=1)
    mark = broker.mark()
    member.disconnect()
    broker.wait_gone("acme/q", mark)
    long = dict(exp=int(time.time()) + 1_000_000)
    backend = join(broker, "backend", tokens.service(**long))
    where, payload = event("acme")
    backend.publish(where, payload)
    broker.advance(100_000)
    with Client(broker, version) as thief:
        answer = thief.connect("acme/q", tokens.member("globex", "eve", **long))
        assert answer.code == refused(version)
    back = join(broker, "acme/q", tokens.member(**long), version, clean=False, props=KEEP)
    assert [message.topic for message in back.drain()] == [where]


def test_nothing_is_queued_for_an_unbound_id(broker, backend, tokens, join):
    """MQTT 5: a session kept under a name that anybody might resume."""
    kept = join(broker, "kept", tokens.member("acme"), V5, props=KEEP)
    kept.subscribe(ALL, qos=1)
    mark = broker.mark()
    kept.disconnect()
    broker.wait_gone("kept", mark)
    publish_all(backend)
    back = join(broker, "kept", tokens.member("acme"), V5, clean=False, props=KEEP)
    assert back.session_present
    assert back.drain() == []


@by_version
@pytest.mark.parametrize("left", ["kept", "kicked", "expired"])
def test_clean_start_off_with_an_id_of_free_form(left, version, make_broker, tokens, join, secret_file):
    """Paho for Python, autopaho and gmqtt reconnect so, without a session expiry. The same subject comes back for
    ever; another one is refused where the broker keeps a session, as it would get its subscriptions."""
    broker = make_broker({"jwt_secret_file": secret_file}, clock=True)
    far = int(time.time()) + 100_000
    admin = join(broker, "admin", tokens.member(sub="root", scope="orgcast:admin", exp=far))
    keep = dict(clean=False, props=KEEP)
    client = join(broker, "free", tokens.member(exp=int(time.time()) + 1000), version, **keep)
    client.subscribe(ALL, qos=1)
    mark = broker.mark()
    if left == "kicked":
        control.data(admin, "kick", subject="ada")
    elif left == "expired":
        broker.advance(2000)
    else:
        client.disconnect()
    broker.wait_gone("free", mark)
    for _ in range(2):
        admin.ping()
    with Client(broker, version) as thief:
        answer = thief.connect("free", tokens.member("globex", "eve", exp=far), **keep)
        assert answer.code == refused(version)
    assert broker.refusal("free", mark)[0] == "client_id_not_bound"
    back = join(broker, "free", tokens.member(exp=far), version, clean=False)
    assert back.drain() == []
    back.ping()


@by_version
def test_clean_start_off_after_a_restart(version, make_broker, tokens, join, secret_file):
    """Mosquitto restores what it kept: the same subject may go on with it."""
    broker = make_broker({"jwt_secret_file": secret_file}, persistence=True)
    join(broker, "free", tokens.member(), version, clean=False, props=KEEP).subscribe(ALL, qos=1)
    broker.stop()
    broker.start()
    if mosquitto_version() >= (2, 1):
        with Client(broker, version) as thief:
            answer = thief.connect("free", tokens.member("globex", "eve"), clean=False, props=KEEP)
            assert answer.code == refused(version)
    back = join(broker, "free", tokens.member(), version, clean=False)
    assert back.drain() == []


# -- a broker that restarts ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["deny", "defer"])
def test_after_a_restart_nothing_is_delivered_before_authentication(mode, make_broker, tokens, join,
                                                                    secret_file):
    # The restored sessions carry the subject's name, which means something else to the ACL file.
    broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": mode}, persistence=True,
                         listeners=("tcp", "ws"),
                         foreign={"ada": ["topic readwrite #"]} if mode == "defer" else None)
    backend = join(broker, "backend", tokens.service())
    for version in VERSIONS:
        client = join(broker, f"acme/kept-{version}", tokens.member(), version, clean=False, props=KEEP)
        client.subscribe(ALL, qos=1)
        client.disconnect()
        broker.wait_gone(client.client_id)
    queued = topic("acme", entity="before")
    backend.publish(queued, event("acme", entity="before")[1])
    broker.stop()

    broker.start()
    backend = join(broker, "backend", tokens.service())
    backend.publish(topic("acme", entity="between"), event("acme", entity="between")[1])
    broker.reload()
    backend.ping()
    backend.publish(topic("acme", entity="between"), event("acme", entity="between")[1])
    for version in VERSIONS:
        name = f"acme/kept-{version}"
        with Client(broker, version) as thief:
            answer = thief.connect(name, tokens.member("globex", "eve"), clean=False, props=KEEP)
            assert answer.code == refused(version)
        back = join(broker, name, tokens.member(), version, clean=False, props=KEEP)
        assert version == V31 or back.session_present
        assert [message.topic for message in back.drain()] == [queued]
        after = topic("acme", entity=f"after-{version}")
        backend.publish(after, event("acme", entity=f"after-{version}")[1])
        assert [message.topic for message in back.drain()] == [after]
        back.disconnect(props={"session_expiry": 0} if version == V5 else None)


# -- SIGHUP ------------------------------------------------------------------------------------------


def test_sighup_disturbs_nobody(make_broker, tokens, join, secret_file):
    """Live, offline and restored sessions, five times, with events in between."""
    broker = make_broker({"jwt_secret_file": secret_file}, persistence=True, listeners=("tcp", "ws"))
    for version in VERSIONS:
        client = join(broker, f"acme/restored-{version}", tokens.member(), version, clean=False,
                      props=KEEP)
        client.subscribe(ALL, qos=1)
    broker.stop()
    broker.start()
    backend = join(broker, "backend", tokens.service())
    live = [join(broker, f"live-{version}-{transport}", tokens.member(), version, transport)
            for version in VERSIONS for transport in ("tcp", "ws")]
    for client in live:
        client.subscribe(ALL)
    for version in VERSIONS:
        client = join(broker, f"acme/offline-{version}", tokens.member(), version, clean=False,
                      props=KEEP)
        client.subscribe(ALL, qos=1)
        client.disconnect()
        broker.wait_gone(client.client_id)
    sent = []
    for number in range(5):
        broker.reload()
        where, payload = event("acme", entity=f"inv-{number}")
        backend.publish(where, payload)
        sent.append(where)
    for client in live:
        assert [message.topic for message in client.drain()] == sent
    for version in VERSIONS:
        back = join(broker, f"acme/offline-{version}", tokens.member(), version, clean=False,
                    props=KEEP)
        assert [message.topic for message in back.drain()][:5] == sent
        restored = join(broker, f"acme/restored-{version}", tokens.member(), version, clean=False,
                        props=KEEP)
        restored.drain()
        backend.publish(*event("acme"))
        assert len(restored.drain()) == len(back.drain()) == 1
    assert "orgcast: refused" not in broker.log()


def test_sighup_long_after_an_offline_sessions_end(make_broker, tokens, join, secret_file):
    """Its token is long expired, and the broker still asks for it. Refusing it there would make Mosquitto
    2.0.11 free a session that it goes on using."""
    broker = make_broker({"jwt_secret_file": secret_file}, clock=True)
    keep = {"session_expiry": 1_000_000}
    for version in VERSIONS:
        client = join(broker, f"acme/old-{version}", tokens.member(), version, clean=False, props=keep)
        client.subscribe(ALL, qos=1)
        client.disconnect()
        broker.wait_gone(client.client_id)
    later = int(time.time()) + 100_000
    broker.advance(100_000)
    backend = join(broker, "backend", tokens.service(iat=later, exp=later + 300))
    with Client(broker) as client:
        assert client.connect("too-late", tokens.member()).code == 5
    mark = broker.mark()
    for _ in range(3):
        broker.reload()
        backend.publish(*event("acme"))
    assert "orgcast: refused" not in broker.log(mark)
    for version in VERSIONS:
        back = join(broker, f"acme/old-{version}", tokens.member(iat=later, exp=later + 300), version,
                    clean=False, props=keep)
        assert version == V31 or back.session_present
        assert back.drain() == []
        backend.publish(*event("acme"))
        assert len(back.drain()) == 1
        back.disconnect(props={"session_expiry": 0} if version == V5 else None)


def let_ticks_pass(client):
    """Mosquitto looks at its delayed Wills once a second, and frees a client one turn later."""
    end = time.monotonic() + 2.2
    while time.monotonic() < end:
        client.ping()


def leave_for_a_delayed_will(broker, join, token, client_id, session_expiry=0, connect=None):
    """MQTT 5: drops a connection whose Will is to come in an hour."""
    will = Will(*event("acme"), properties={"will_delay": 3600})
    props = {"session_expiry": session_expiry} if session_expiry else None
    client = (connect or join)(broker, client_id, token, V5, will=will, clean=not session_expiry, props=props)
    mark = broker.mark()
    client.close()
    broker.wait_gone(client_id, mark)


ENDS = {
    "good": lambda broker, *_: broker.advance(200),
    "expired": lambda broker, *_: broker.advance(2000),
    "revoked": lambda broker, admin, _: control.data(admin, "revoke", subject="billing",
                                                       issuedBefore=int(time.time()) + 1),
    "key gone": lambda broker, _, path: path.write_bytes(b"k" * 64),
}


@pytest.mark.parametrize("way", ["password", "enhanced"])
@pytest.mark.parametrize("expiry", [0, 5000], ids=["no session", "session"])
@pytest.mark.parametrize("end", ENDS)
def test_sighup_while_a_will_is_delayed(end, expiry, way, make_broker, tokens, join, keys, tmp_path):
    """The broker keeps the client for its Will, and asks for it on SIGHUP. It would free it when it is refused, or
    when the plugin ends it as if it were connected, and then use it again."""
    path = tmp_path / "secret"
    path.write_bytes(keys.get("hs"))
    broker = make_broker({"jwt_secret_file": path, "jwt_leeway": 0}, clock=True)
    far = int(time.time()) + 100_000
    admin = join(broker, "admin", tokens.member(sub="root", scope="orgcast:admin", exp=far))
    token = tokens.publisher(exp=int(time.time()) + 1000)

    def enhanced(broker, client_id, token, version, **more):
        client = Client(broker, version)
        assert control.connect_enhanced(client, client_id, token, **{**more, "props": more["props"] or {}}).code == 0
        return client

    for number in range(6):
        leave_for_a_delayed_will(broker, join, token, f"acme/late-{number}", expiry,
                                 enhanced if way == "enhanced" else None)
    # Beyond the minute for which a session waits for an ordinary Will.
    broker.advance(100)
    let_ticks_pass(admin)
    ENDS[end](broker, admin, path)
    mark = broker.mark()
    for _ in range(2):
        broker.reload()
    # A session that passes for a connected one is ended now.
    broker.advance(3000)
    let_ticks_pass(admin)
    assert "orgcast: refused" not in broker.log(mark)
    assert not re.search("(?m)^Client acme/late-", broker.log(mark))
    assert all("late-" not in session["clientId"] or not session["connected"]
               for session in control.data(admin, "listSessions")["sessions"])


@pytest.mark.parametrize("end", ENDS)
@by_version
def test_sighup_binds_no_offline_session(version, end, make_broker, tokens, join, keys, tmp_path):
    """An offline session stays offline, whatever became of its token; it is neither refused nor ended."""
    path = tmp_path / "secret"
    path.write_bytes(keys.get("hs"))
    broker = make_broker({"jwt_secret_file": path, "jwt_leeway": 0}, clock=True)
    far = int(time.time()) + 100_000
    admin = join(broker, "admin", tokens.member(sub="root", scope="orgcast:admin", exp=far))
    mark = broker.mark()
    client = join(broker, "acme/kept", tokens.publisher(exp=int(time.time()) + 1000), version, clean=False,
                  props={"session_expiry": 100_000})
    client.disconnect()
    broker.wait_gone("acme/kept", mark)
    ENDS[end](broker, admin, path)
    mark = broker.mark()
    broker.reload()
    broker.advance(5000)
    let_ticks_pass(admin)
    broker.reload()
    let_ticks_pass(admin)
    assert "orgcast: refused" not in broker.log(mark)
    assert "Client acme/kept" not in broker.log(mark)


def test_sighup_with_a_new_key(make_broker, tokens, join, keys, tmp_path):
    """New connections need the new key; live sessions keep what they have."""
    path = tmp_path / "secret"
    path.write_bytes(keys.get("hs"))
    broker = make_broker({"jwt_secret_file": path}, listeners=("tcp", "ws"))
    live = [join(broker, f"live-{version}-{transport}", tokens.member(), version, transport)
            for version in VERSIONS for transport in ("tcp", "ws")]
    path.write_bytes(keys.get("hs:2"))
    broker.reload()
    for version in VERSIONS:
        with Client(broker, version) as client:
            assert client.connect(f"old-{version}", tokens.member()).code == refused(version)
        assert broker.refusal(f"old-{version}")[0] == "signature_invalid"
        join(broker, f"new-{version}", mint(claims(), keys.get("hs:2")), version)
    for client in live:
        client.subscribe(ALL)
    join(broker, "backend", mint(claims(sub="backend", scope="invoices:publish"),
                                 keys.get("hs:2"))).publish(*event("acme"))
    for client in live:
        assert len(client.drain()) == 1


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "too short": lambda path: path.write_bytes(b"short"),
    "missing": lambda path: path.unlink(),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
    "PEM": lambda path: path.write_bytes(b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 60),
}


@pytest.mark.parametrize("name", BROKEN)
def test_sighup_with_a_broken_key_file(name, make_broker, tokens, join, keys, tmp_path):
    """The old keys stay, one error line says so, nobody is disturbed."""
    path = tmp_path / "secret"
    path.write_bytes(keys.get("hs"))
    broker = make_broker({"jwt_secret_file": path})
    live = join(broker, "live", tokens.member())
    BROKEN[name](path)
    mark = broker.mark()
    broker.reload()
    errors = [line for line in broker.log(mark).splitlines() if line.startswith("orgcast: the old keys")]
    assert len(errors) == 1 and "jwt_secret_file" in errors[0]
    live.ping()
    join(broker, "another", tokens.member()).ping()


def test_sighup_in_a_storm_of_connections(make_broker, tokens, join, secret_file):
    """Reloads while clients come, go and take over: nobody with a good token is refused or left without
    its rights."""
    broker = make_broker({"jwt_secret_file": secret_file}, extra="connection_messages false")
    backend = join(broker, "backend", tokens.service())
    for turn in range(150):
        if turn % 3 == 0:
            broker.process.send_signal(signal.SIGHUP)
        with Client(broker, VERSIONS[turn % 3]) as client:
            assert client.connect(f"storm-{turn % 4}", tokens.member()).code == 0
            client.subscribe(ALL)
            backend.publish(*event("acme"))
            assert len(client.drain()) == 1
            if turn % 2:
                client.disconnect()
    wait_for(lambda: len(re.findall("Reloading config", broker.log())) >= 1, "a reload")


@pytest.mark.parametrize("per_listener", [False, True], ids=["global", "per listener"])
def test_reconnect_with_the_same_token_after_sighup(per_listener, make_broker, tokens, join,
                                                    secret_file):
    """The broker reuses the memory of a connection that has just gone. Who connects there must not be
    taken for the session that was there, whose token the reload only checks again."""
    broker = make_broker({"jwt_secret_file": secret_file}, per_listener=per_listener)
    backend = join(broker, "backend", tokens.service())
    token = tokens.member()
    for turn in range(20):
        with Client(broker, V311) as client:
            assert client.connect("again", token).code == 0
            client.subscribe(ALL)
            backend.publish(*event("acme"))
            assert len(client.drain()) == 1, turn
            mark = broker.mark()
            client.disconnect()
        broker.wait_gone("again", mark)
        # Without another connection in between, which could get that memory.
        broker.process.send_signal(signal.SIGHUP)
        broker.wait_log(r"orgcast: keys read again", mark)

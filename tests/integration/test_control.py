# SPDX-License-Identifier: MIT
"""The commands of $CONTROL/orgcast/v1: who may give them, what they do, on every version and transport."""

import itertools
import json
import re
import time

import pytest
from broker import FOREIGN_PASSWORD
from conftest import BrokerPool
from control import RESPONSE, TOPIC, answer, ask, ask_all, code, data
from events import event, event_id, topic
from mqtt import V5, V31, V311, VERSION_NAMES, VERSIONS, Client, Closed, Will, wait_for
from tokens import claims, mint

ALL = "org/acme/invoices/#"
ADMIN = "orgcast:admin"

by_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)
by_transport = pytest.mark.parametrize("transport", ["tcp", "ws"])

_names = itertools.count()


@pytest.fixture(scope="module")
def pool(tmp_path_factory, secret_file):
    pool = BrokerPool(tmp_path_factory.mktemp("control"), {"control": {
        "options": {"jwt_secret_file": secret_file}, "listeners": ("tcp", "ws")}})
    yield pool
    pool.stop()


@pytest.fixture
def broker(pool):
    return pool.get("control", 20)


@pytest.fixture
def backend(broker, tokens, join):
    return join(broker, f"backend-{next(_names)}", tokens.service())


@pytest.fixture
def admin(broker, tokens, join):
    return join(broker, f"admin-{next(_names)}", tokens.member(sub="ops", scope=ADMIN))


def name(start="c"):
    return f"{start}-{next(_names)}"


def denied(broker, client, topic_filter):
    """Whether a SUBSCRIBE is denied. MQTT 3.1 has no code that says so."""
    mark = broker.mark()
    granted = client.subscribe(topic_filter)[0]
    return broker.denial("subscribe", client.client_id, mark)[0] == topic_filter and \
        (client.version == V31 or granted >= 0x80)


def receives(client, backend, organization="acme"):
    """Whether an event that is published now reaches the client."""
    where, payload = event(organization)
    backend.publish(where, payload)
    return event_id(payload) in [event_id(m.payload) for m in client.drain() if m.topic == where]


# -- whoami ----------------------------------------------------------------------------------------


@by_version
@by_transport
def test_whoami(version, transport, broker, tokens, join):
    exp = int(time.time()) + 100
    me = name()
    client = join(broker, me, tokens.member(["globex", "acme"], sub="ann", exp=exp,
                                            scope="openid invoices:publish"), version, transport)
    assert data(client, "whoami") == {
        "clientId": me, "subject": "ann", "organizations": ["acme", "globex"],
        "scopes": ["openid", "invoices:publish"], "expiresAt": exp}


@by_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_answers_come_with_each_qos(version, qos, broker, tokens, join):
    client = join(broker, name(), tokens.member(), version)
    assert ask(client, "whoami", qos=qos)["data"]["subject"] == "ada"


def test_answers_are_for_the_asker_alone(broker, tokens, join):
    others = [join(broker, name(), tokens.member(sub=sub), V5) for sub in ("ada", "bob")]
    for other in others:
        assert other.subscribe(RESPONSE) == [0]
    client = join(broker, name(), tokens.member())
    client.subscribe(RESPONSE)
    assert data(client, "whoami")["subject"] == "ada"
    assert client.drain() == []
    for other in others:
        assert other.drain() == []


@by_version
def test_nobody_else_gets_the_request(version, broker, backend, tokens, join):
    assert backend.subscribe("#") == [0]
    client = join(broker, name(), tokens.member(), version)
    assert denied(broker, client, TOPIC)
    data(client, "whoami")
    assert backend.drain() == []


# -- refresh ---------------------------------------------------------------------------------------


@by_version
@by_transport
def test_refresh_swaps_organizations_scopes_and_expiry(version, transport, broker, backend, tokens, join):
    exp = int(time.time()) + 1000
    client = join(broker, name(), tokens.member("acme"), version, transport)
    assert client.subscribe(ALL)[0] == 0
    assert receives(client, backend)
    told = data(client, "refresh", token=tokens.member(["globex"], exp=exp, scope="invoices:publish"))
    assert told["organizations"] == ["globex"] and told["expiresAt"] == exp
    assert told["scopes"] == ["invoices:publish"]
    assert not receives(client, backend, "acme")
    assert client.subscribe("org/globex/invoices/#")[0] == 0
    assert receives(client, backend, "globex")
    assert denied(broker, client, ALL)
    # And back again: the subscription of before is still there.
    data(client, "refresh", token=tokens.member(["acme", "globex"]))
    assert receives(client, backend, "acme")


@by_version
def test_refresh_takes_the_right_to_publish_and_gives_it(version, broker, backend, tokens, join):
    backend.subscribe("org/+/invoices/#")
    client = join(broker, name(), tokens.publisher(), version)
    where, payload = event("acme")
    data(client, "refresh", token=tokens.member(sub="billing"))
    client.publish(where, payload)
    assert backend.drain() == []
    data(client, "refresh", token=tokens.publisher())
    client.publish(where, payload)
    assert [event_id(m.payload) for m in backend.drain()] == [event_id(payload)]


REFUSED = {
    "another subject": (lambda t: t.member(sub="eve"), "claim_invalid"),
    "expired": (lambda t: t.member(exp=int(time.time()) - 100), "token_expired"),
    "no token at all": (lambda t: "", "token_missing"),
    "no JWT": (lambda t: "secret", "token_malformed"),
    "another key": (lambda t: t.member()[:-8] + "AAAAAAAA", "signature_invalid"),
    "no organization": (lambda t: t.mint(org_id=None), "claim_missing"),
    "a number": (lambda t: 7, "request_invalid"),
    "too long": (lambda t: t.member(note="x" * 20000), "token_too_large"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("version", [V311, V5], ids=VERSION_NAMES.get)
def test_bad_refresh_leaves_the_session_as_it_was(case, version, broker, backend, tokens, join):
    make, reason = REFUSED[case]
    client = join(broker, name(), tokens.member(), version)
    client.subscribe(ALL)
    before = data(client, "whoami")
    assert code(client, "refresh", token=make(tokens)) == reason
    assert data(client, "whoami") == before
    assert receives(client, backend)


def test_refresh_does_not_name_the_brokers_files(broker, tokens, join):
    """The log names the key; the client reads the reason code and a plain sentence."""
    client = join(broker, name(), tokens.member())
    forged = mint(claims(), b"another secret, of 64 bytes".ljust(64, b"."), "HS256")
    mark = broker.mark()
    response = ask(client, "refresh", token=forged)
    assert response["code"] == "signature_invalid"
    assert response["error"] == "the token's signature is invalid"
    assert re.search(r"signature_invalid \(not signed with HS256 by the key of '/", broker.log(mark))


def test_refresh_without_a_token(broker, tokens, join):
    assert code(join(broker, name(), tokens.member()), "refresh") == "request_invalid"


def test_refresh_does_not_change_who_may_take_the_id(broker, tokens, join):
    me = name()
    client = join(broker, me, tokens.member())
    data(client, "refresh", token=tokens.member(["acme", "globex"]))
    with Client(broker, V5) as thief:
        assert thief.connect(me, tokens.member(["acme", "globex"], sub="eve")).code == 0x87
    client.ping()


@by_version
def test_shorter_expiry_ends_sooner_and_longer_later(version, make_broker, secret_file, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": 0}, clock=True)
    now = int(time.time())
    long, short = (join(broker, name(), tokens.member(exp=now + 500), version) for _ in "ab")
    data(long, "refresh", token=tokens.member(exp=now + 1000))
    data(short, "refresh", token=tokens.member(exp=now + 100))
    broker.advance(200)
    assert short.wait_closed() == (0x98 if version == V5 else None)
    long.ping()
    broker.advance(600)
    long.ping()
    broker.advance(1100)
    assert long.wait_closed() == (0x98 if version == V5 else None)


def test_an_expired_session_may_refresh(make_broker, secret_file, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": 0,
                          "disconnect_on_expiry": "false"}, clock=True)
    now = int(time.time())
    client = join(broker, name(), tokens.member(exp=now + 100), V5)
    backend = join(broker, name(), tokens.service(exp=now + 10000))
    client.subscribe(ALL)
    broker.advance(200)
    assert not receives(client, backend)
    assert code(client, "whoami") == "token_expired"
    data(client, "refresh", token=tokens.member(exp=now + 1000))
    assert receives(client, backend)
    broker.advance(1200)
    assert not receives(client, backend)


# -- administration --------------------------------------------------------------------------------

ADMIN_COMMANDS = {
    "listSessions": {}, "kick": {"subject": "nobody"}, "revoke": {"jti": "nothing"},
    "unrevoke": {"jti": "nothing"}, "listRevocations": {}, "stats": {}}


@by_version
@by_transport
@pytest.mark.parametrize("command", ADMIN_COMMANDS)
def test_admin_commands_need_the_scope(command, version, transport, broker, tokens, join):
    for token in (tokens.member(), tokens.publisher(), tokens.service(), tokens.member(scope="admin")):
        client = join(broker, name(), token, version, transport)
        mark = broker.mark()
        assert code(client, command, **ADMIN_COMMANDS[command]) == "scope_missing"
        assert broker.denial(command, client.client_id, mark)[1] == "scope_missing"


@by_version
@by_transport
def test_list_sessions(version, transport, broker, tokens, join):
    admin = join(broker, name("admin"), tokens.member("initech", sub="ops", scope=ADMIN), version, transport)
    mine = join(broker, name(), tokens.member(["hooli", "umbrella"], sub="gil"), version, transport)
    join(broker, name(), tokens.member("hooli", sub="hal"), V5)

    def ids(**members):
        told = data(admin, "listSessions", **members)
        assert told["totalCount"] == len(told["sessions"])
        return {row["clientId"]: row for row in told["sessions"]}

    row = ids(subject="gil")[mine.client_id]
    assert row["organizations"] == ["hooli", "umbrella"] and row["connected"] is True
    assert row["subject"] == "gil" and row["scopes"] == [] and row["expiresAt"] > time.time()
    assert len(ids(organizationId="hooli")) == 2
    assert set(ids(organizationId="umbrella")) == {mine.client_id}
    assert set(ids(organizationId="hooli", subject="gil")) == {mine.client_id}
    assert ids(organizationId="nowhere") == {}
    assert admin.client_id in ids()
    page = data(admin, "listSessions", organizationId="hooli", count=1)
    rest = data(admin, "listSessions", organizationId="hooli", count=1, offset=1)
    assert page["totalCount"] == rest["totalCount"] == 2
    assert page["sessions"] != rest["sessions"]
    assert len(page["sessions"]) == len(rest["sessions"]) == 1


def test_offline_sessions_are_listed(broker, admin, tokens, join):
    client = join(broker, "acme/" + name(), tokens.member(sub="off"), V311, clean=False)
    mark = broker.mark()
    client.disconnect()
    broker.wait_gone(client.client_id, mark)
    rows = data(admin, "listSessions", subject="off")["sessions"]
    assert [row["connected"] for row in rows] == [False]
    assert data(admin, "kick", subject="off")["kicked"] == 0


@by_version
@by_transport
@pytest.mark.parametrize("by", ["clientId", "subject", "organizationId"])
def test_kick(by, version, transport, broker, admin, tokens, join):
    org, sub = name("org"), name("sub")
    client = join(broker, name(), tokens.member(org, sub=sub), version, transport)
    other = join(broker, name(), tokens.member("globex", sub="other"), version, transport)
    names = {"clientId": client.client_id, "subject": sub, "organizationId": org}
    assert data(admin, "kick", **{by: names[by]}) == {"kicked": 1}
    assert client.wait_closed() == (0x98 if version == V5 else None)
    other.ping()
    # Only the connection has ended: it may come back.
    join(broker, client.client_id, tokens.member(org, sub=sub), version, transport).ping()


def test_kick_oneself(broker, tokens, join):
    admin = join(broker, name("admin"), tokens.member(sub="ops", scope=ADMIN), V5)
    assert data(admin, "kick", clientId=admin.client_id) == {"kicked": 1}
    assert admin.wait_closed() == 0x98


def test_an_admin_without_an_organization(broker, backend, tokens, join):
    """The scope alone is enough for the commands and the status topics, and opens no events."""
    admin = join(broker, name("admin"), tokens.member(None, sub="ops", scope=ADMIN), V5)
    assert data(admin, "kick", subject="nobody-at-all") == {"kicked": 0}
    assert admin.subscribe("$SYS/broker/orgcast/#")[0] < 0x80
    for topic_filter in (ALL, "#", "org/+/invoices/#"):
        assert admin.subscribe(topic_filter)[0] >= 0x80
    assert receives(admin, backend) is False


@pytest.mark.parametrize("members", [
    {}, {"clientId": 7}, {"clientId": ""}, {"clientId": "a", "subject": "b"},
    {"subject": "a", "organizationId": "b"}, {"organisationId": "acme"}], ids=str)
def test_kick_needs_one_name(members, broker, admin):
    assert code(admin, "kick", **members) == "request_invalid"


@pytest.mark.parametrize("members", [
    {"count": 0}, {"count": 1001}, {"count": "1"}, {"offset": -1}, {"offset": 1.5}, {"subject": 7}], ids=str)
def test_bad_pages(members, broker, admin):
    assert code(admin, "listSessions", **members) == "request_invalid"


def test_stats(broker, admin, backend, tokens, join):
    org = name("org")
    before = data(admin, "stats")
    join(broker, name(), tokens.member(org), V5)
    for _ in range(3):
        backend.publish(*event(org))
    with Client(broker) as client:
        assert client.connect(name(), "x.y.z").code == 5
    after = data(admin, "stats")
    assert after["sessions"]["connected"] == before["sessions"]["connected"] + 1
    assert after["connects"]["accepted"] == before["connects"]["accepted"] + 1
    assert after["connects"]["refused"]["token_malformed"] == \
        before["connects"]["refused"].get("token_malformed", 0) + 1
    assert after["events"]["accepted"] == before["events"]["accepted"] + 3
    row = {"organizationId": org, "connections": 1, "events": {"accepted": 3, "refused": 0}}
    assert row in after["byOrganization"]
    assert len(data(admin, "stats", organizationId=org)["byOrganization"]) == 1


@pytest.mark.parametrize("version", [V311, V5], ids=VERSION_NAMES.get)
@by_transport
def test_every_command_is_carried_out(version, transport, broker, tokens, join):
    admin = join(broker, name("admin"), tokens.member("initech", sub="ops", scope=ADMIN), version, transport)
    jti = name("t")
    assert data(admin, "whoami")["subject"] == "ops"
    data(admin, "refresh", token=tokens.member("initech", sub="ops", scope=ADMIN))
    assert data(admin, "listSessions", subject="ops")["totalCount"] >= 1
    assert data(admin, "kick", subject="nobody") == {"kicked": 0}
    assert data(admin, "revoke", jti=jti) == {"sessions": 0}
    assert jti in [row.get("jti") for row in data(admin, "listRevocations")["revocations"]]
    data(admin, "unrevoke", jti=jti)
    assert jti not in [row.get("jti") for row in data(admin, "listRevocations")["revocations"]]
    assert data(admin, "stats")["sessions"]["connected"] >= 1


# -- requests that are none ------------------------------------------------------------------------

NO_REQUESTS = {
    "nothing": b"", "no JSON": b"whoami", "an array": b"[]", "no commands": b"{}",
    "commands are an object": b'{"commands":{}}', "no command": b'{"commands":[]}',
    "twice": b'{"commands":[],"commands":[]}', "NUL": b'{"commands":[{"command":"whoami\\u0000"}]}',
    "behind it": b'{"commands":[{"command":"whoami"}]} x',
    "no UTF-8": b'{"commands":[{"command":"\xff"}]}',
    "too many": json.dumps({"commands": [{"command": "whoami"}] * 65}).encode(),
    "too long": b'{"commands":[' + b" " * 70000 + b"]}",
    "too many values": b'{"commands":[{"command":"whoami","x":[' + b",".join([b"{}"] * 3000) + b"]}]}",
    "too deep": b'{"commands":' + b"[" * 40 + b"]" * 40 + b"}",
}


@pytest.mark.parametrize("case", NO_REQUESTS)
@pytest.mark.parametrize("version", [V31, V5], ids=VERSION_NAMES.get)
def test_what_is_no_request_is_answered(case, version, broker, tokens, join):
    client = join(broker, name(), tokens.member(), version)
    responses = ask_all(client, NO_REQUESTS[case])
    assert len(responses) == 1 and responses[0]["code"] == "request_invalid"
    assert responses[0]["error"] and "data" not in responses[0]
    assert data(client, "whoami")["subject"] == "ada"


def test_each_command_has_its_answer(broker, tokens, join):
    client = join(broker, name(), tokens.member())
    responses = ask_all(client, {"commands": [
        {"command": "whoami", "correlationData": "1"}, "text", {"command": 7}, {},
        {"command": "dance", "correlationData": "5"}, {"command": "whoami", "correlationData": 6},
        {"command": "whoami", "correlationData": "x" * 300}, {"command": "whoami"}]})
    assert [r.get("code") for r in responses] == [None] + ["request_invalid"] * 6 + [None]
    assert [r.get("correlationData") for r in responses] == ["1", None, None, None, "5", None, None, None]
    assert responses[4]["command"] == "dance"


def test_token_is_in_no_log(broker, tokens, join):
    client = join(broker, name(), tokens.member())
    mark = broker.mark()
    bad = tokens.member(sub="eve")
    assert code(client, "refresh", token=bad) == "claim_invalid"
    assert broker.denial("refresh", client.client_id, mark)[1] == "claim_invalid"
    for part in bad.split("."):
        assert part not in broker.log(mark)


def test_many_commands_while_others_work(broker, backend, tokens, join):
    """A flood of commands is answered in order and disturbs nobody."""
    client = join(broker, name(), tokens.member(), V5)
    other = join(broker, name(), tokens.member(), V5)
    other.subscribe(ALL)
    for number in range(200):
        client.send_publish(TOPIC, json.dumps({"commands": [
            {"command": "whoami", "correlationData": str(number)}]}))
    assert receives(other, backend)
    for number in range(200):
        assert answer(client)[0]["correlationData"] == str(number)


def test_clients_of_others_have_no_commands(make_broker, secret_file, join):
    broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": "defer"},
                         foreign={"sensor": ["topic readwrite #", f"topic write {TOPIC}"]})
    client = join(broker, "sensor-1", FOREIGN_PASSWORD + "sensor", username="sensor")
    for command in ("whoami", "refresh", "stats"):
        assert code(client, command) == "session_unknown"


def test_answers_stay_small(broker, tokens, join):
    """What a client chose comes back in the answer, for each command: neither may be without bound."""
    with Client(broker, V5) as client:
        mark = broker.mark()
        assert client.connect('"' * 513, tokens.member()).code == 0x87
    assert "client_id_not_bound" in broker.log(mark)
    client = join(broker, '"' * 512, tokens.member([f"{n:03}" + "o" * 120 for n in range(64)]), V5)
    responses = ask_all(client, {"commands": [{"command": "whoami"}] * 64})
    assert len(json.dumps(responses)) < 300000
    assert {r.get("code") for r in responses} == {None, "full"}
    assert responses[0]["data"]["clientId"] == '"' * 512


@by_version
def test_a_will_is_no_command(version, broker, tokens, join):
    mark = broker.mark()
    with Client(broker, version) as client:
        try:
            client.connect(name(), tokens.member(), will=Will(TOPIC, b"{}", 1, True))
        except Closed:
            return  # Mosquitto 2.1 itself takes no such Will
    assert broker.denial("publish", client.client_id, mark) == (TOPIC, "topic_not_allowed")


@pytest.mark.parametrize("thief", ["another organization's", "another authenticator's", "the same"])
def test_a_late_answer_is_for_its_connection_alone(thief, make_broker, secret_file, tmp_path, tokens, join):
    """The answer to revoke waits for the disk. Its connection ends meanwhile, and another one takes the client id."""
    broker = make_broker({"jwt_secret_file": secret_file, "revocation_file": tmp_path / "revocations",
                          "non_jwt_clients": "defer"}, foreign={"sensor": ["topic readwrite #"]}, clock=True)
    admin = join(broker, "desk", tokens.member(sub="ops", scope=ADMIN), V5)
    admin.ping()
    broker.hold_disk()
    mark = broker.mark()
    admin.publish(TOPIC, json.dumps({"commands": [
        {"command": "listSessions"},
        {"command": "revoke", "subject": "eve", "issuedBefore": 1000}]}).encode())
    admin.disconnect()
    broker.wait_gone("desk", mark)
    # What is sent at once keeps the id until the next tick.
    second = join(broker, "desk-2", tokens.member(sub="ops", scope=ADMIN), V5)
    second.ping()
    second.ping()
    if thief == "another authenticator's":
        other = join(broker, "desk", FOREIGN_PASSWORD + "sensor", V5, username="sensor")
    elif thief == "the same":
        other = join(broker, "desk", tokens.member(sub="ops", scope=ADMIN), V5)
    else:
        other = join(broker, "desk", tokens.member("globex", sub="eve"), V5)
    broker.release_disk()
    # A second revocation is on disk after the first.
    data(second, "revoke", subject="eve", issuedBefore=1001)
    second.ping()
    assert other.drain() == []

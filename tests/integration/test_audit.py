# SPDX-License-Identifier: MIT
"""The audit log: a line for each decision, and rotation."""

import itertools
import json
import os
import stat
import time

import pytest
from control import SUCCESS, code, connect_enhanced, data, reauthenticate
from events import event, topic
from mqtt import V5, V31, V311, VERSION_NAMES, VERSIONS, Client, Will, wait_for

ALL = "org/acme/invoices/#"
ADMIN = "orgcast:admin"

by_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)

_names = itertools.count()


def name():
    return f"a-{next(_names)}"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "audit.jsonl"


@pytest.fixture
def broker(make_broker, secret_file, file):
    return make_broker({"jwt_secret_file": secret_file, "audit_log_file": file, "jwt_leeway": 0},
                       listeners=("tcp", "ws"), clock=True)


def lines(file):
    text = file.read_text()
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def found(file, **members):
    """Waits for a line with these members; gives it."""
    def look():
        return next((line for line in lines(file)
                     if all(line.get(key) == value for key, value in members.items())), None)
    return wait_for(look, f"a line with {members}")


@by_version
def test_what_a_client_does(version, broker, file, tokens, join):
    me = name()
    client = join(broker, me, tokens.publisher(sub="ann"), version, "ws")
    client.subscribe(ALL)
    client.subscribe("org/globex/invoices/#")
    where, payload = event("acme")
    client.publish(where, payload)
    client.publish(where, b"{}")
    client.publish(topic("globex"), payload)
    client.disconnect()
    who = {"clientId": me, "subject": "ann", "protocol": {V31: 3, V311: 4, V5: 5}[version]}
    line = found(file, action="connect", result="allowed", **who)
    assert line["address"] == "127.0.0.1" and "reason" not in line
    assert line["time"].endswith("Z") and line["time"][:4] == time.strftime("%Y", time.gmtime())
    found(file, action="subscribe", result="allowed", topic=ALL, **who)
    found(file, action="subscribe", result="denied", reason="topic_not_allowed", topic="org/globex/invoices/#", **who)
    found(file, action="publish", result="allowed", topic=where, **who)
    found(file, action="publish", result="denied", reason="event_invalid", topic=where, **who)
    found(file, action="publish", result="denied", reason="topic_not_allowed", topic=topic("globex"), **who)
    found(file, action="disconnect", clientId=me)
    assert not [line for line in lines(file) if line["action"] == "deliver"]


def test_refused_connects(broker, file, tokens):
    me = name()
    with Client(broker, V5) as client:
        client.connect(me, tokens.member(exp=1))
    line = found(file, action="connect", clientId=me)
    assert line["result"] == "denied" and line["reason"] == "token_expired" and line["detail"]


def test_suppressed_deliveries(broker, file, tokens, join):
    client = join(broker, name(), tokens.member(["acme", "globex"]), V5)
    backend = join(broker, name(), tokens.service(), V5)
    client.subscribe(ALL)
    data(client, "refresh", token=tokens.member("globex"))
    where, payload = event("acme")
    backend.publish(where, payload)
    found(file, action="deliver", result="denied", reason="topic_not_allowed", topic=where, clientId=client.client_id)


def test_commands_and_what_they_end(broker, file, tokens, join):
    admin = join(broker, name(), tokens.member("initech", sub="ops", scope=ADMIN), V5)
    client = join(broker, name(), tokens.member(sub="ann", jti="t-1"), V5)
    assert code(client, "kick", subject="ops") == "scope_missing"
    found(file, action="kick", result="denied", reason="scope_missing", subject="ann")
    assert code(client, "refresh", token="x.y.z") == "token_malformed"
    found(file, action="refresh", result="denied", reason="token_malformed", subject="ann")
    data(client, "refresh", token=tokens.member(sub="ann", jti="t-2"))
    found(file, action="refresh", result="allowed", subject="ann")
    data(admin, "kick", subject="ann")
    found(file, action="kick", result="allowed", subject="ops", detail="subject ann")
    client.wait_closed()
    found(file, action="kicked", clientId=client.client_id, subject="ann")
    client = join(broker, name(), tokens.member(sub="ann", jti="t-1"), V5)
    data(admin, "revoke", jti="t-1")
    found(file, action="revoke", result="allowed", subject="ops", detail="jti t-1")
    client.wait_closed()
    found(file, action="revoked", reason="token_revoked", clientId=client.client_id)
    client = join(broker, name(), tokens.member(sub="ann", exp=int(time.time()) + 100), V5)
    broker.advance(200)
    client.wait_closed()
    found(file, action="expire", reason="token_expired", clientId=client.client_id)


def test_enhanced_authentication(broker, file, tokens):
    with Client(broker, V5) as client:
        assert connect_enhanced(client, name(), tokens.member(sub="ann")).code == 0
        assert reauthenticate(client, tokens.member(sub="ann")) == SUCCESS
        found(file, action="connect", result="allowed", clientId=client.client_id)
        found(file, action="refresh", result="allowed", clientId=client.client_id)


def test_hostile_names_make_good_lines(broker, file, tokens, join):
    me = 'x"\\\u202e\u2028é' + "y" * 480
    client = join(broker, me, tokens.member(), V5)
    client.subscribe('org/"\\\u202e/#')
    wait_for(lambda: [line for line in lines(file) if line["action"] == "subscribe"], "the line")
    for raw in file.read_bytes().splitlines():
        assert len(raw) < 4096
        json.loads(raw.decode("utf-8"))


def test_rotation(broker, file, tokens, join):
    """What is done while the file is moved away and the broker told is all there, in one or the other."""
    client = join(broker, name(), tokens.publisher(), V5)
    old = file.with_suffix(".1")
    sent = 0

    def publish(count):
        nonlocal sent
        for _ in range(count):
            client.publish(*event("acme", entity=f"n-{sent}"))
            sent += 1

    publish(50)
    os.rename(file, old)
    publish(50)
    broker.reload()
    publish(50)
    found(file, topic=topic("acme", entity=f"n-{sent - 1}"))
    topics = [line.get("topic") for line in lines(old) + lines(file) if line["action"] == "publish"]
    assert topics == [topic("acme", entity=f"n-{n}") for n in range(sent)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_file_that_cannot_be_made_is_told_at_start(make_broker, secret_file, tmp_path):
    log = make_broker({"jwt_secret_file": secret_file, "audit_log_file": tmp_path / "no/such"},
                      start=False).refused_start()
    assert "orgcast: plugin_opt_audit_log_file: " in log and "No such file" in log


def test_what_takes_its_place_while_it_runs_is_told_once(broker, file):
    file.rename(file.with_name("older"))
    file.mkdir()
    broker.reload()
    broker.wait_log(r"(?m)^orgcast: audit_log_file '.*' is a directory; the old file stays$")


def test_no_token_in_it(broker, file, tokens, join):
    good, bad = tokens.member(sub="ann"), tokens.member(exp=1)
    client = join(broker, name(), good, V5)
    with Client(broker, V5) as other:
        other.connect(name(), bad)
    code(client, "refresh", token=bad)
    found(file, action="refresh")
    for part in (good + "." + bad).split("."):
        assert part not in file.read_text() or part == good.split(".")[0]


def test_one_file_for_all_listeners(make_broker, secret_file, file, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file, "audit_log_file": file}, listeners=("tcp", "ws"),
                         per_listener=True)
    for transport in ("tcp", "ws"):
        client = join(broker, name(), tokens.member(), V5, transport)
        found(file, action="connect", clientId=client.client_id)


def test_a_client_that_hammers_is_counted(broker, file, tokens, join):
    """It connects again and again with an expired token, as some clients do, and adds little to the file."""
    token = tokens.member(sub="ann", exp=1)
    for _ in range(2000):
        with Client(broker, V5) as client:
            client.connect("hammers", token)
    found(file, action="connect", clientId="hammers")
    with Client(broker, V5) as client:
        client.connect("another", token)
    found(file, action="connect", clientId="another", reason="token_expired")
    assert file.stat().st_size < 400 * 210
    broker.stop()
    counted = [line for line in lines(file) if "count" in line]
    assert [(line["clientId"], line["reason"]) for line in counted] == [("hammers", "token_expired")]
    assert sum(line.get("count", 1) for line in lines(file) if line.get("clientId") == "hammers") == 2000


def test_a_packet_of_filters_does_not_fill_it(broker, file, tokens, join):
    """Others' lines would be lost, because those of one packet fill the memory in which lines wait."""
    client = join(broker, name(), tokens.member(sub="ann"), V5)
    for _ in range(6):
        client.subscribe([ALL] * 3000)
        client.subscribe(["x"] * 3000)
    client.disconnect()
    found(file, action="disconnect", subject="ann")
    broker.stop()
    assert not [line for line in lines(file) if line["action"] == "audit_lost"]
    assert sum(line.get("count", 1) for line in lines(file) if line["action"] == "subscribe") == 36000
    assert len(lines(file)) < 1200

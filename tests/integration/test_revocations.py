# SPDX-License-Identifier: MIT
"""Revocation: by jti, subject and organization; on CONNECT, refresh, cached tokens and live sessions; over
restarts."""

import itertools
import json
import os
import time

import pytest
from attempt import attempt, refusal
from control import SUCCESS, ask, ask_all, code, connect_enhanced, data, reauthenticate
from events import event, event_id
from mqtt import V5, V31, V311, VERSION_NAMES, VERSIONS, Client, Will, wait_for
from tokens import claims

ALL = "org/acme/invoices/#"
ADMIN = "orgcast:admin"

by_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)
by_transport = pytest.mark.parametrize("transport", ["tcp", "ws"])

_names = itertools.count()


def name(start="r"):
    return f"{start}-{next(_names)}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("revocations")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "revocations.jsonl"


@pytest.fixture
def broker(make_broker, secret_file, file):
    return make_broker({"jwt_secret_file": secret_file, "revocation_file": file}, listeners=("tcp", "ws"))


@pytest.fixture
def admin(broker, tokens, join):
    return join(broker, name("admin"), tokens.member("initech", sub="ops", scope=ADMIN), V5)


@pytest.fixture
def backend(broker, tokens, join):
    return join(broker, name("backend"), tokens.service(), V5)


def listed(admin):
    told = data(admin, "listRevocations")
    assert told["totalCount"] == len(told["revocations"])
    return [{key: row[key] for key in row if key in ("jti", "subject", "organizationId", "issuedBefore")}
            for row in told["revocations"]]


def past(seconds):
    return int(time.time()) - seconds


WAYS = {
    "jti": lambda: {"jti": "t-1"},
    "subject": lambda: {"subject": "ann", "issuedBefore": past(10)},
    "organizationId": lambda: {"organizationId": "acme", "issuedBefore": past(10)},
}


@by_version
@by_transport
@pytest.mark.parametrize("way", WAYS)
def test_live_sessions_end_within_a_second(way, version, transport, broker, admin, backend, tokens, join):
    old = {"iat": past(60)}
    victim = join(broker, name(), tokens.member(["acme", "hooli"], sub="ann", jti="t-1", **old), version, transport)
    others = [join(broker, name(), tokens.member("globex", sub="bob", jti="t-2", **old), version, transport),
              join(broker, name(), tokens.member("globex", sub="ann2", jti="T-1", **old), version, transport),
              join(broker, name(), tokens.member("globex", sub="cem", **old), version, transport)]
    if way != "jti":
        others.append(join(broker, name(), tokens.member("acme", sub="ann"), version, transport))
    victim.subscribe(ALL)
    told = data(admin, "revoke", **WAYS[way]())
    began = time.monotonic()
    assert told["sessions"] == 1
    where, payload = event("acme")
    backend.publish(where, payload)
    assert victim.wait_closed() == (0x98 if version == V5 else None)
    assert time.monotonic() - began < 1
    assert victim.inbox == []
    for other in others:
        other.ping()
    # And it does not come back, though the token was seen before.
    assert refusal(broker, tokens.member(["acme", "hooli"], sub="ann", jti="t-1", **old)) == "token_revoked"
    data(admin, "unrevoke", **{way: WAYS[way]()[way]})
    assert attempt(broker, tokens.member(["acme", "hooli"], sub="ann", jti="t-1", **old))
    assert listed(admin) == []


def test_cached_token_is_refused(broker, admin, tokens):
    token = tokens.member(jti="again")
    assert attempt(broker, token) and attempt(broker, token)
    data(admin, "revoke", jti="again")
    assert refusal(broker, token) == "token_revoked"
    data(admin, "unrevoke", jti="again")
    assert attempt(broker, token)


@pytest.mark.parametrize("way", WAYS)
def test_refresh_to_a_revoked_token_is_refused(way, broker, admin, tokens, join):
    client = join(broker, name(), tokens.member("globex", sub="ann"), V5)
    revoked = tokens.member(["acme", "globex"], sub="ann", jti="t-1", iat=past(60))
    data(admin, "revoke", **WAYS[way]())
    assert code(client, "refresh", token=revoked) == "token_revoked"
    client.ping()
    with Client(broker, V5) as other:
        assert connect_enhanced(other, name(), revoked).code == 0x87


def test_refresh_does_not_save_a_revoked_session(broker, admin, tokens, join):
    """Between the revocation and the end of the connection."""
    client = join(broker, name(), tokens.member(sub="ann", jti="t-1"), V5)
    where, payload = event("acme")
    request = {"commands": [{"command": "revoke", "jti": "t-1"}]}
    admin.send_publish("$CONTROL/orgcast/v1", json.dumps(request))
    try:
        answer = ask(client, "refresh", token=tokens.member(sub="ann", jti="t-2"))
        assert answer.get("code") == "token_revoked" or "data" in answer  # it came before
        if "data" in answer:
            return
        client.wait_closed()
    except Exception as end:
        assert type(end).__name__ == "Closed"


def test_token_without_iat_is_older_than_any_moment(broker, admin, tokens):
    data(admin, "revoke", subject="ann", issuedBefore=1)
    assert refusal(broker, tokens.mint(sub="ann", iat=None)) == "token_revoked"
    assert attempt(broker, tokens.mint(sub="ann", iat=2))


def test_boundary_of_issued_before(broker, admin, tokens):
    moment = past(100)
    data(admin, "revoke", subject="ann", issuedBefore=moment)
    assert refusal(broker, tokens.mint(sub="ann", iat=moment - 1)) == "token_revoked"
    assert attempt(broker, tokens.mint(sub="ann", iat=moment))


def test_will_of_a_revoked_session_is_not_published(broker, admin, backend, tokens, join):
    backend.subscribe(ALL)
    where, payload = event("acme")
    client = join(broker, name(), tokens.publisher(jti="t-1"), V5, will=Will(where, payload))
    data(admin, "revoke", jti="t-1")
    client.wait_closed()
    assert backend.drain() == []


@by_version
def test_nothing_is_queued_for_a_revoked_offline_session(version, broker, admin, backend, tokens, join):
    keep = {"clean": False, **({"props": {"session_expiry": 300}} if version == V5 else {})}
    me = "acme/" + name()
    client = join(broker, me, tokens.member(sub="ann", jti="t-1"), version, **keep)
    client.subscribe(ALL, qos=1)
    mark = broker.mark()
    client.disconnect()
    broker.wait_gone(me, mark)
    before, after = event("acme"), event("acme")
    backend.publish(*before)
    assert data(admin, "revoke", jti="t-1")["sessions"] == 1
    backend.publish(*after)
    again = join(broker, me, tokens.member(sub="ann", jti="t-2"), version, **keep)
    assert event_id(after[1]) not in [event_id(m.payload) for m in again.drain()]


def test_revoking_oneself_is_answered(broker, tokens, join):
    me = join(broker, name("admin"), tokens.member(sub="ops2", scope=ADMIN, jti="mine"), V5)
    assert data(me, "revoke", jti="mine") == {"sessions": 1}
    assert me.wait_closed() == 0x98


# -- requests --------------------------------------------------------------------------------------

BAD = [
    {}, {"jti": ""}, {"jti": 7}, {"jti": "a", "subject": "b", "issuedBefore": 1}, {"subject": "a"},
    {"organizationId": "a"}, {"jti": "a", "issuedBefore": 1}, {"subject": "a", "issuedBefore": "now"},
    {"subject": "a", "issuedBefore": 1e300}, {"organizationId": "a/b", "issuedBefore": 1},
    {"organizationId": "$SYS", "issuedBefore": 1}, {"subject": "a\u0007", "issuedBefore": 1},
    {"jti": "x" * 257}, {"subject": "x" * 513, "issuedBefore": 1}, {"jti": "a", "expiresAt": 1},
    {"jti": "a", "expiresAt": "never"},
]


@pytest.mark.parametrize("members", BAD, ids=str)
def test_bad_requests(members, broker, admin):
    assert code(admin, "revoke", **members) == "request_invalid"
    assert listed(admin) == []


def test_unrevoke_what_is_not_there(broker, admin):
    assert code(admin, "unrevoke", jti="t-1") == "not_found"
    assert code(admin, "unrevoke") == "request_invalid"


def test_the_later_moment_holds(broker, admin):
    data(admin, "revoke", subject="ann", issuedBefore=200)
    data(admin, "revoke", subject="ann", issuedBefore=100)
    assert listed(admin) == [{"subject": "ann", "issuedBefore": 200}]
    data(admin, "revoke", subject="ann", issuedBefore=300)
    assert listed(admin) == [{"subject": "ann", "issuedBefore": 300}]


def test_listing_in_pages(broker, admin):
    for number in range(5):
        data(admin, "revoke", jti=f"t-{number}")
    page = data(admin, "listRevocations", count=2, offset=2)
    assert page["totalCount"] == 5
    assert [row["jti"] for row in page["revocations"]] == ["t-2", "t-3"]


# -- over time and restarts ------------------------------------------------------------------------


def test_forgotten_when_no_such_token_can_be_good(make_broker, secret_file, file, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file, "revocation_file": file, "jwt_leeway": 0,
                          "jwt_max_lifetime": 1000}, clock=True)
    now = int(time.time())
    admin = join(broker, name("admin"), tokens.member(sub="ops", scope=ADMIN, exp=now + 1000), V5)
    join(broker, name(), tokens.member(sub="bob", jti="live", exp=now + 100), V5)
    data(admin, "revoke", jti="live")
    data(admin, "revoke", jti="told", expiresAt=now + 200)
    data(admin, "revoke", jti="unknown")
    data(admin, "revoke", subject="ann", issuedBefore=now)
    assert len(listed(admin)) == 4
    broker.advance(110)
    wait_for(lambda: len(listed(admin)) == 3, "the live token's")
    broker.advance(210)
    wait_for(lambda: len(listed(admin)) == 2, "the one whose end was told")
    broker.advance(900)
    assert len(listed(admin)) == 2
    token = tokens.member(sub="ops", scope=ADMIN, iat=now + 900, exp=now + 1900)
    data(admin, "refresh", token=token)
    broker.advance(1010)
    wait_for(lambda: len(listed(admin)) == 0, "those that jwt_max_lifetime ends")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_survive_a_restart(how, broker, admin, tokens, join, file):
    data(admin, "revoke", jti="t-1")
    data(admin, "revoke", subject="ann", issuedBefore=past(10))
    data(admin, "revoke", organizationId="globex", issuedBefore=past(10))
    data(admin, "revoke", jti="t-2")
    data(admin, "unrevoke", jti="t-2")
    before = listed(admin)
    if how == "stop":
        broker.stop()
    else:
        broker.kill()
    assert (file.stat().st_mode & 0o777) == 0o600
    broker.start()
    again = join(broker, name("admin"), tokens.member("initech", sub="ops", scope=ADMIN), V5)
    assert listed(again) == before and len(before) == 3
    assert refusal(broker, tokens.member(jti="t-1")) == "token_revoked"
    assert refusal(broker, tokens.member(sub="ann", iat=past(60))) == "token_revoked"
    assert refusal(broker, tokens.member("globex", iat=past(60))) == "token_revoked"
    assert attempt(broker, tokens.member(jti="t-2"))


def test_answered_means_on_disk(broker, admin, file):
    """The answer to a revocation comes when a crash can no longer undo it."""
    for number in range(30):
        data(admin, "revoke", jti=f"t-{number}")
        assert f'"t-{number}"' in file.read_text()


def test_sighup_reads_the_file_again(broker, admin, tokens, join, file):
    client = join(broker, name(), tokens.member(jti="edited"), V5)
    data(admin, "revoke", jti="t-1")
    with open(file, "a") as out:
        out.write('{"jti":"edited","revokedAt":1}\n')
    broker.reload()
    assert client.wait_closed() == 0x98
    assert {"jti": "edited"} in listed(admin) and {"jti": "t-1"} in listed(admin)
    assert refusal(broker, tokens.member(jti="edited")) == "token_revoked"


def test_broken_file_at_sighup_keeps_what_was(broker, admin, tokens, file):
    data(admin, "revoke", jti="t-1")
    text = file.read_text()
    file.write_text(text + "{broken}\n")
    mark = broker.mark()
    broker.reload()
    broker.wait_log(r"orgcast: the old revocations stay: .*revocations.jsonl:\d+: ", mark)
    assert listed(admin) == [{"jti": "t-1"}]
    assert refusal(broker, tokens.member(jti="t-1")) == "token_revoked"


def test_broken_file_at_start_is_told(make_broker, secret_file, file):
    file.write_text('{"jti":"t-1","revokedAt":1}\n{"jti":7}\n')
    file.chmod(0o600)
    log = make_broker({"jwt_secret_file": secret_file, "revocation_file": file}, start=False).refused_start()
    assert f"orgcast: plugin_opt_revocation_file: {file}:2: " in log or f"{file}:2" in log


def test_file_in_a_folder_that_is_not_there(make_broker, secret_file, tmp_path):
    log = make_broker({"jwt_secret_file": secret_file, "revocation_file": tmp_path / "no/such"},
                      start=False).refused_start()
    assert "plugin_opt_revocation_file" in log and "No such file" in log


def test_other_listeners_revocations_are_the_same(make_broker, secret_file, file, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file, "revocation_file": file}, listeners=("tcp", "ws"),
                         per_listener=True)
    admin = join(broker, name("admin"), tokens.member("initech", sub="ops", scope=ADMIN), V5, "tcp")
    data(admin, "revoke", jti="t-1")
    with Client(broker, V5, "ws") as client:
        assert client.connect(name(), tokens.member(jti="t-1")).code == 0x87


def test_in_memory_without_a_file(make_broker, secret_file, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file})
    admin = join(broker, name("admin"), tokens.member(sub="ops", scope=ADMIN), V5)
    data(admin, "revoke", jti="t-1")
    assert refusal(broker, tokens.member(jti="t-1")) == "token_revoked"


def test_many_at_once(broker, admin, tokens):
    request = {"commands": [{"command": "revoke", "jti": f"t-{i}", "correlationData": str(i)} for i in range(64)]}
    responses = ask_all(admin, request)
    assert [r["correlationData"] for r in responses] == [str(i) for i in range(64)]
    assert all("data" in r for r in responses)
    assert len(listed(admin)) == 64


def test_tokens_never_reach_the_file(broker, admin, tokens, join, file):
    token = tokens.member(sub="ann", jti="t-1")
    join(broker, name(), token, V5)
    data(admin, "revoke", jti="t-1")
    for part in token.split("."):
        assert part not in file.read_text()

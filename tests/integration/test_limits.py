# SPDX-License-Identifier: MIT
"""Limits: connections of an organization and a subject, events of an organization, bad tokens of an address."""

import itertools
import re
import time

import pytest
from attempt import answer, attempt, refusal
from broker import mosquitto_version
from control import code, connect_enhanced, data
from events import event, event_id, topic
from mqtt import NOT_AUTHORIZED, V5, V31, V311, VERSION_NAMES, VERSIONS, Client, Will, wait_for

ALL = "org/acme/invoices/#"
QUOTA_EXCEEDED = 0x97 if mosquitto_version() >= (2, 1) else NOT_AUTHORIZED

by_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)

_names = itertools.count()


def name():
    return f"l-{next(_names)}"


@pytest.fixture
def limited(make_broker, secret_file):
    """limited(option=value, …) starts a broker with these limits."""
    def make(listeners=("tcp", "ws"), **options):
        return make_broker({"jwt_secret_file": secret_file, **options}, listeners=listeners)
    return make


# -- connections -----------------------------------------------------------------------------------

LIMITS = {
    "subject": ("max_connections_per_subject", lambda t, more: t.member(f"org-{more}", sub="ann")),
    "organization": ("max_connections_per_org", lambda t, more: t.member("acme", sub=f"sub-{more}")),
    "one of several": ("max_connections_per_org", lambda t, more: t.member([f"org-{more}", "acme"], sub=f"s-{more}")),
}


@by_version
@pytest.mark.parametrize("what", LIMITS)
@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_connections(transport, what, version, limited, tokens, join):
    option, make = LIMITS[what]
    broker = limited(**{option: 2})
    first, second = (join(broker, name(), make(tokens, more), version, transport) for more in "ab")
    mark, me = broker.mark(), name()
    # Without a CONNACK, so that the client tries again.
    assert answer(broker, make(tokens, "c"), me, version, transport) is None
    assert broker.refusal(me, mark)[0] == "limit_connections"
    # Others have room; and so has the third once one of them is gone.
    join(broker, name(), tokens.member("globex", sub="bob"), version, transport)
    mark = broker.mark()
    first.close()
    broker.wait_gone(first.client_id, mark)
    join(broker, name(), make(tokens, "d"), version, transport)
    second.ping()


@by_version
def test_a_client_that_comes_back_needs_no_second_place(version, limited, tokens, join):
    broker = limited(max_connections_per_subject=1, max_connections_per_org=1)
    me = name()
    old = join(broker, me, tokens.member(), version)
    new = join(broker, me, tokens.member(), version)
    old.wait_closed()
    new.ping()
    assert not attempt(broker, tokens.member())
    mark = broker.mark()
    new.close()
    broker.wait_gone(me, mark)
    assert attempt(broker, tokens.member())


@by_version
def test_sessions_without_a_connection_take_no_place(version, limited, tokens, join):
    broker = limited(max_connections_per_subject=1)
    keep = {"clean": False, **({"props": {"session_expiry": 300}} if version == V5 else {})}
    client = join(broker, "acme/kept", tokens.member(), version, **keep)
    mark = broker.mark()
    client.disconnect()
    broker.wait_gone("acme/kept", mark)
    assert attempt(broker, tokens.member())
    join(broker, "acme/kept", tokens.member(), version, **keep)
    assert not attempt(broker, tokens.member())


def test_enhanced_authentication_counts_too(limited, tokens):
    broker = limited(max_connections_per_subject=1)
    with Client(broker, V5) as first:
        assert connect_enhanced(first, name(), tokens.member()).code == 0
        assert answer(broker, tokens.member(), connect=connect_enhanced) is None


def test_refresh_into_a_full_organization(limited, tokens, join):
    broker = limited(max_connections_per_org=1)
    join(broker, name(), tokens.member("globex", sub="bob"), V5)
    client = join(broker, name(), tokens.member("acme"), V5)
    assert code(client, "refresh", token=tokens.member(["acme", "globex"])) == "limit_connections"
    assert data(client, "whoami")["organizations"] == ["acme"]
    # Within its own places it may.
    data(client, "refresh", token=tokens.member(["acme", "initech"]))
    assert not attempt(broker, tokens.member("initech", sub="cem"))
    data(client, "refresh", token=tokens.member("initech"))
    assert attempt(broker, tokens.member("acme", sub="cem"))


def test_a_refused_connect_takes_no_place(limited, tokens):
    broker = limited(max_connections_per_subject=1)
    for _ in range(5):
        with Client(broker, V5) as client:
            assert client.connect("globex/" + name(), tokens.member()).code == NOT_AUTHORIZED
    assert attempt(broker, tokens.member())


# -- events ----------------------------------------------------------------------------------------


@by_version
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_rate(qos, version, limited, tokens, join):
    broker = limited(max_publish_rate_per_org=5)
    reader = join(broker, name(), tokens.member(["acme", "globex"]), V5)
    reader.subscribe([ALL, "org/globex/invoices/#"])
    client = join(broker, name(), tokens.service(), version)
    mark = broker.mark()
    sent = [event("acme") for _ in range(20)]
    codes = [client.publish(where, payload, qos=qos) for where, payload in sent]
    got = [event_id(m.payload) for m in reader.drain()]
    assert 5 <= len(got) <= 7 and got == [event_id(p) for _, p in sent][:5] + got[5:]
    if version == V5 and qos:
        assert codes.count(QUOTA_EXCEEDED) == 20 - len(got)
    assert broker.denial("publish", client.client_id, mark)[1] == "limit_rate"
    # Another organization has a rate of its own, and a second later there is room again.
    other = event("globex")
    client.publish(*other, qos=qos)
    assert [event_id(m.payload) for m in reader.drain()] == [event_id(other[1])]

    def room():
        again = event("acme")
        client.publish(*again, qos=1)
        return event_id(again[1]) in [event_id(m.payload) for m in reader.drain()]

    wait_for(room, "the bucket to refill")


def test_refused_events_take_of_the_rate(limited, tokens, join):
    """Checking them is what costs the broker time."""
    broker = limited(max_publish_rate_per_org=5)
    client = join(broker, name(), tokens.publisher(), V5)
    codes = [client.publish(topic("acme"), b"{}") for _ in range(20)]
    assert codes[:5] == [NOT_AUTHORIZED] * 5 and codes[5:].count(QUOTA_EXCEEDED) >= 13
    denied = re.findall(r"denied publish .*: (event_invalid|limit_rate)", broker.log())
    assert denied.count("limit_rate") >= 13 and denied[:5] == ["event_invalid"] * 5
    row, = data(join(broker, name(), tokens.mint(scope="orgcast:admin"), V5), "stats", organizationId="acme")["byOrganization"]
    assert row["events"]["refused"] == 20 and row["events"]["accepted"] == 0


def test_a_will_counts(limited, tokens, join):
    broker = limited(max_publish_rate_per_org=1)
    reader = join(broker, name(), tokens.member(), V5)
    reader.subscribe(ALL)
    wills = [event("acme") for _ in range(4)]
    clients = [join(broker, name(), tokens.publisher(sub=f"b-{i}"), V5, will=Will(*will))
               for i, will in enumerate(wills)]
    for client in clients:
        mark = broker.mark()
        client.close()
        broker.wait_gone(client.client_id, mark)
    got = [event_id(m.payload) for m in reader.drain()]
    assert 1 <= len(got) <= 2 and got[0] == event_id(wills[0][1])


# -- bad tokens ------------------------------------------------------------------------------------


def test_loopback_is_never_slowed(limited, tokens):
    broker = limited(max_bad_tokens_per_address=1)
    for _ in range(60):
        assert not attempt(broker, "x.y.z")
    assert attempt(broker, tokens.member())

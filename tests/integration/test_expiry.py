# SPDX-License-Identifier: MIT
"""A token's time: nothing is delivered or accepted from `exp` plus leeway on, with the kick and without.

Each test has all protocol versions and transports at once, because each has to wait for a token's end.
"""

import itertools
import math
import time

import pytest
from events import event, topic
from mqtt import (ADMINISTRATIVE_ACTION, NOT_AUTHORIZED, PATIENCE, V5, V31, V311, VERSIONS, Client,
                  Closed, Will, wait_for)

# The plugin reads the kernel's coarse clock, which may be a tick behind.
COARSE_S = 0.02
ALL = "org/acme/invoices/#"


def soon(whole_s=0):
    """A full second that is a bit away, so that there is time to connect before it."""
    return math.ceil(time.time() + 0.7 * PATIENCE) + whole_s


def wait_until(moment):
    wait_for(lambda: time.time() >= moment, "the clock", moment - time.time() + 5)


def connections(broker, tokens, join, exp, **more):
    """A client of each version and transport, all with the same end."""
    out = []
    for version in VERSIONS:
        for transport in broker.listeners:
            client = join(broker, f"ends-{version}-{transport}",
                          tokens.publisher(exp=exp), version, transport, **more)
            assert client.subscribe(ALL) == [0]
            out.append(client)
    return out


CONFIGURATIONS = {
    "kicked": ({"jwt_leeway": "0"}, {}),
    "kicked after a leeway": ({"jwt_leeway": "1"}, {}),
    "not kicked": ({"jwt_leeway": "0", "disconnect_on_expiry": "false"}, {}),
    # Where Mosquitto 2.0 never calls TICK.
    "per_listener_settings": ({"jwt_leeway": "0"}, {"per_listener": True}),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_delivery_after_the_end(name, make_broker, tokens, join, secret_file):
    options, more = CONFIGURATIONS[name]
    broker = make_broker({"jwt_secret_file": secret_file, **options}, listeners=("tcp", "ws"), **more)
    backend = join(broker, "backend", tokens.service())
    exp = soon()
    end = exp + int(options["jwt_leeway"])
    clients = connections(broker, tokens, join, exp)

    before, after = [], []
    for number in itertools.count():
        where, payload = event("acme", entity=f"inv-{number}")
        started = time.time()
        backend.publish(where, payload)
        if time.time() < end - COARSE_S:
            before.append(where)
        elif started >= end + COARSE_S:
            after.append(where)
        for client in clients:
            try:
                client.ping()
            except Closed:
                assert time.time() > end - COARSE_S
        if started > end + 0.3:
            break
    assert len(before) > 5 and len(after) > 5

    for client in clients:
        if name.startswith("kicked"):
            reason = client.wait_closed(5 * PATIENCE)
            assert reason == (ADMINISTRATIVE_ACTION if client.version == V5 else None)
        elif name == "not kicked":
            client.ping()
        got = [message.topic for message in client.inbox]
        assert got[:len(before)] == before
        assert not set(got) & set(after)
    backend.ping()


def test_nothing_is_accepted_after_the_end(make_broker, tokens, join, secret_file):
    """Without the kick: neither SUBSCRIBE nor PUBLISH nor a Will, and no CONNECT with that token."""
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": "0",
                          "disconnect_on_expiry": "false"}, listeners=("tcp", "ws"))
    watcher = join(broker, "watcher", tokens.service())
    watcher.subscribe("#")
    exp = soon()
    clients = connections(broker, tokens, join, exp, will=Will(topic("acme", "deleted")))
    token = tokens.publisher(exp=exp)
    wait_until(exp + COARSE_S)

    for client in clients:
        (code,) = client.subscribe(topic("acme"))
        if client.version != V31:
            assert code == (NOT_AUTHORIZED if client.version == V5 else 0x80)
        assert broker.denial("subscribe", client.client_id)[1] == "token_expired"
        code = client.publish(*event("acme"))
        assert code == (NOT_AUTHORIZED if client.version == V5 else 0)
        assert broker.denial("publish", client.client_id)[1] == "token_expired"
        assert all(code < 0x80 for code in client.unsubscribe(ALL))
        mark = broker.mark()
        client.close()
        broker.wait_gone(client.client_id, mark)
        assert broker.denial("publish", client.client_id, mark) == \
            (topic("acme", "deleted"), "token_expired")
    for version in VERSIONS:
        with Client(broker, version) as late:
            code = late.connect(f"late-{version}", token).code
            assert code == (NOT_AUTHORIZED if version == V5 else 5)
            assert broker.refusal(f"late-{version}")[0] == "token_expired"
    assert watcher.drain() == []


def test_wills_of_kicked_clients_are_not_published(make_broker, tokens, join, secret_file):
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": "0"}, listeners=("tcp", "ws"))
    watcher = join(broker, "watcher", tokens.service())
    watcher.subscribe("#")
    clients = connections(broker, tokens, join, soon(), will=Will(topic("acme", "deleted")))
    delayed = join(broker, "acme/delayed", tokens.publisher(exp=soon()), V5, clean=False,
                   will=Will(topic("acme", "deleted"), properties={"will_delay": 1}),
                   props={"session_expiry": 60})
    for client in [*clients, delayed]:
        client.wait_closed(5 * PATIENCE)
    # One second of delay, and the broker's once-a-second look at it.
    wait_until(time.time() + 2.2)
    assert watcher.drain() == []


def test_many_that_end_together(make_broker, tokens, join, secret_file):
    """More than are ended in one tick; those with a later end stay."""
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": "0"}, listeners=("tcp", "ws"),
                         extra="connection_messages false")
    staying = [join(broker, f"stays-{n}", tokens.member()) for n in range(5)]
    exp = soon(2)
    leaving = [join(broker, f"leaves-{n}", tokens.member(exp=exp), V5 if n % 2 else V311,
                    "ws" if n % 4 == 0 else "tcp") for n in range(400)]
    assert time.time() < exp
    for client in leaving:
        client.wait_closed(5 * PATIENCE)
    assert time.time() < exp + 2 * PATIENCE
    for client in staying:
        client.subscribe(ALL)
    join(broker, "backend", tokens.service()).publish(*event("acme"))
    for client in staying:
        assert len(client.drain()) == 1


def test_a_new_token_in_time_keeps_the_session(make_broker, tokens, join, secret_file):
    """A takeover with a later token: the old one's end is not the new one's."""
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": "0"})
    exp = soon()
    old = join(broker, "same", tokens.member(exp=exp), V5)
    new = join(broker, "same", tokens.member(), V5)
    new.subscribe(ALL)
    old.wait_closed()
    wait_until(exp + 0.5)
    join(broker, "backend", tokens.service()).publish(*event("acme"))
    assert len(new.drain()) == 1


def test_offline_session_is_queued_for_until_its_end(make_broker, tokens, join, secret_file):
    """And it is there again, subscriptions and all, once its subject comes with a new token."""
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": "0"})
    backend = join(broker, "backend", tokens.service())
    exp = soon()
    offline = {}
    for version in VERSIONS:
        client = join(broker, f"acme/offline-{version}", tokens.member(exp=exp), version, clean=False,
                      props={"session_expiry": 300})
        assert client.subscribe(ALL, qos=1) == [1]
        client.disconnect()
        broker.wait_gone(client.client_id)
        offline[version] = client.client_id
    early = topic("acme", entity="early")
    backend.publish(early, event("acme", entity="early")[1])
    assert time.time() < exp
    wait_until(exp + 0.5)
    backend.publish(topic("acme", entity="late"), event("acme", entity="late")[1])
    for version, client_id in offline.items():
        back = join(broker, client_id, tokens.member(), version, clean=False,
                    props={"session_expiry": 300})
        assert version == V31 or back.session_present
        assert [message.topic for message in back.drain()] == [early]
        again = topic("acme", entity=f"again-{version}")
        backend.publish(again, event("acme", entity=f"again-{version}")[1])
        assert [message.topic for message in back.drain()] == [again]
        back.disconnect(props={"session_expiry": 0} if version == V5 else None)


def test_subscriptions_outlive_a_connection_that_was_ended(make_broker, tokens, join, secret_file):
    """Mosquitto checks the subscriptions of a session that lives on when it ends its connection. The token
    is over then; the next one has them again."""
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": "0"}, listeners=("tcp", "ws"), clock=True)
    backend = join(broker, "backend", tokens.service())
    keep = {"clean": False, "props": {"session_expiry": 3000}}
    exp = int(time.time()) + 100
    clients = [join(broker, f"acme/{version}-{transport}", tokens.member(exp=exp), version, transport, **keep)
               for version in VERSIONS for transport in ("tcp", "ws")]
    for client in clients:
        assert client.subscribe(ALL, qos=1) == [1]
    broker.advance(200)
    for client in clients:
        client.wait_closed(5 * PATIENCE)
        broker.wait_gone(client.client_id)
    assert "denied subscribe" not in broker.log()
    for client in clients:
        back = join(broker, client.client_id, tokens.member(), client.version, **keep)
        assert client.version == V31 or back.session_present
        backend.publish(*event("acme"))
        assert len(back.drain()) == 1

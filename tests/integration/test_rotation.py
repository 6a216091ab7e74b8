# SPDX-License-Identifier: MIT
"""Keys change while 200 clients connect.

The model. The provider publishes sets S0, S1, … S5, one after the other; Si holds the keys i and i + 1,
so each key is in two sets running: signed with in the second, announced in the first. The broker *holds*
one set at a time. From the moment at which Si is published until the moment at which the broker is known
to have taken it, it may hold Si-1 or Si, and nothing is claimed about which; after that it holds Si alone.

The broker is known to have taken Si
 - with jwks_url: when its cache file has Si, which it writes after handing the set over, and then a
   CONNECT that came after that has been answered (each CONNECT begins with taking over what was fetched);
 - with jwks_file: when it has answered a CONNECT that came after the log line about SIGHUP's reload.

200 clients, each with a client id of its own, connect, wait for the answer, disconnect, and begin again;
each tries the keys 0 to 6 in turn, with one token for each key that it uses again and again. An attempt
lasts from before the TCP connection to after the CONNACK. It *must be accepted* when its token's key is in
every set that the broker may have held at any time in between; it *must be refused* when the key is in
none of them; otherwise it may be either. Every client must have been accepted and refused in every phase.
"""

import itertools
import json
import threading
import time
from collections import Counter

import pytest
from attempt import answer, attempt
from idp import Provider, jwk, key_set
from mqtt import PATIENCE, V5, Client, wait_for
from tokens import claims, mint

CLIENTS, ROTATIONS = 200, 5
KEYS = ROTATIONS + 2
PHASE_S = 60 * PATIENCE


def set_of(index):
    return {index, index + 1}


class Model:
    """Which sets the broker may have held, over time."""

    def __init__(self):
        self.lock = threading.Lock()
        self.changes = [(0.0, frozenset([0]))]  # (since when, sets that it may hold)

    def note(self, *sets):
        with self.lock:
            self.changes.append((time.monotonic(), frozenset(sets)))

    def possible(self, began, ended):
        """All sets that it may have held between these times."""
        with self.lock:
            changes = list(self.changes)
        ends = [since for since, _ in changes[1:]] + [float("inf")]
        return frozenset().union(*(sets for (since, sets), end in zip(changes, ends)
                                   if since <= ended and end >= began))

    def verdict(self, key, began, ended):
        """True: must be accepted; False: must be refused; None: either."""
        held = {key in set_of(index) for index in self.possible(began, ended)}
        return held.pop() if len(held) == 1 else None


class Crowd:
    """The clients, each in a thread of its own."""

    def __init__(self, broker, model, keys):
        self.broker, self.model = broker, model
        self.ended = threading.Event()
        self.problems, self.lock = [], threading.Lock()
        self.phase = 0
        self.done = [Counter() for _ in range(CLIENTS)]  # (phase, accepted) -> attempts
        signers = [keys.get(f"p256:rotation-{key}") for key in range(KEYS)]
        self.tokens = [[mint(claims(sub=f"user-{number}"), signer, "ES256", f"key-{key}")
                        for key, signer in enumerate(signers)] for number in range(CLIENTS)]
        self.threads = [threading.Thread(target=self.run, args=(number,), daemon=True)
                        for number in range(CLIENTS)]

    def run(self, number):
        for key in itertools.islice(itertools.cycle(range(KEYS)), number % KEYS, None):
            if self.ended.is_set():
                return
            phase, began = self.phase, time.monotonic()
            try:
                code = answer(self.broker, self.tokens[number][key], f"client-{number}")
                accepted, ended = code == 0, time.monotonic()
            except Exception as err:  # a thread's error must not be lost
                self.report(f"client {number}, key {key}: {err!r}")
                return
            expected = self.model.verdict(key, began, ended)
            if expected not in (None, accepted):
                self.report(f"client {number}: a token of key {key} was "
                            f"{'accepted' if accepted else 'refused'} while the broker held "
                            f"{sorted(self.model.possible(began, ended))}")
            if expected is not None and phase == self.phase:
                self.done[number][phase, accepted] += 1

    def report(self, problem):
        with self.lock:
            self.problems.append(problem)

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def wait_phase(self, phase):
        """Waits until every client has been accepted and refused since this call."""
        self.phase = phase

        def all_done():
            assert not self.problems, self.problems[:10]
            return all(done[phase, True] and done[phase, False] for done in self.done)

        wait_for(all_done, f"all clients in phase {phase}", PHASE_S)


@pytest.fixture
def documents(keys):
    return [key_set(*(jwk(keys.get(f"p256:rotation-{key}"), f"key-{key}") for key in
                      sorted(set_of(index)))) for index in range(ROTATIONS + 1)]


def rotate_under_load(broker, keys, publish, wait_taken):
    """publish(i) publishes Si, wait_taken(i) returns once the broker has taken it."""
    model = Model()
    crowd = Crowd(broker, model, keys)
    crowd.start()
    try:
        crowd.wait_phase(0)
        for index in range(1, ROTATIONS + 1):
            model.note(index - 1, index)
            publish(index)
            wait_taken(index)
            model.note(index)
            crowd.wait_phase(index)
    finally:
        crowd.stop()
    assert not crowd.problems, crowd.problems[:10]
    total = sum(crowd.done, Counter())
    for index in range(ROTATIONS + 1):
        print(f"S{index}: {total[index, True]} accepted, {total[index, False]} refused as they must be")


def test_rotation_through_a_url(make_broker, keys, documents, authority, tmp_path):
    cache = tmp_path / "cache.json"
    with Provider(documents[0], authority) as provider:
        broker = make_broker({"jwks_url": provider.url, "jwks_ca_file": authority.ca_path,
                              "jwks_refresh_interval": 1, "jwks_cache_file": cache})
        probe = mint(claims(sub="probe"), keys.get("p256:rotation-0"), "ES256", "key-0")

        def publish(index):
            provider.document = documents[index]

        def wait_taken(index):
            wait_for(lambda: cache.exists() and json.loads(cache.read_bytes())["sets"][provider.url]
                     == json.loads(documents[index]), f"S{index} in the cache", 20 * PATIENCE)
            attempt(broker, probe)

        wait_taken(0)
        rotate_under_load(broker, keys, publish, wait_taken)


def test_rotation_through_a_file(make_broker, keys, documents, tmp_path):
    path = tmp_path / "keys.json"
    path.write_bytes(documents[0])
    broker = make_broker({"jwks_file": path})

    def publish(index):
        new = tmp_path / "keys.new"
        new.write_bytes(documents[index])
        new.replace(path)

    def wait_taken(index):
        mark = broker.mark()
        broker.reload()
        broker.wait_log(r"orgcast: keys read again; there are 2", mark)

    rotate_under_load(broker, keys, publish, wait_taken)


def test_a_burst_of_one_token(make_broker, keys, documents, tmp_path):
    """A reconnect storm while its key goes: 200 connections that are already open send their CONNECT at
    once, all with the same token. Before the reload all get in, after it none."""
    path = tmp_path / "keys.json"
    path.write_bytes(documents[0])
    broker = make_broker({"jwks_file": path})
    token = mint(claims(), keys.get("p256:rotation-0"), "ES256", "key-0")

    def storm():
        clients = [Client(broker, V5) for _ in range(CLIENTS)]
        for number, client in enumerate(clients):
            client.send(client.connect_packet(f"storm-{number}", token))
        codes = Counter(client.connack().code for client in clients)
        for client in clients:
            client.close()
        return codes

    assert storm() == {0: CLIENTS}
    assert storm() == {0: CLIENTS}
    path.write_bytes(documents[1])
    broker.reload()
    assert storm() == {0x87: CLIENTS}

# SPDX-License-Identifier: MIT
"""Brokers that many cases share, and the everyday tokens."""

import itertools

import pytest
from broker import Broker
from mqtt import Client
from tokens import claims, mint

# The plugin writes a burst of 100 refusals, then 20 a second. A case that reads its own line must find it.
LOG_BURST = 90

SERVICE_SCOPE = "invoices:publish orgcast:any-org"


class BrokerPool:
    """Running brokers by configuration; each is replaced when its log budget is spent."""

    def __init__(self, folder, configurations):
        self.folder, self.configurations = folder, configurations
        self.running = {}
        self.count = itertools.count()

    def get(self, name, cost=1):
        """A running broker with that configuration and room for `cost` refusals in its log."""
        broker, spent = self.running.get(name, (None, 0))
        if broker is None or spent + cost > LOG_BURST:
            self.drop(name)
            broker = Broker(self.folder / f"{name}-{next(self.count)}", **self.configurations[name])
            broker.start()
            spent = 0
        self.running[name] = (broker, spent + cost)
        return broker

    def drop(self, name):
        broker, _ = self.running.pop(name, (None, 0))
        if broker is not None:
            broker.stop()

    def stop(self):
        for name in list(self.running):
            self.drop(name)


class Tokens:
    """The everyday tokens: of one organization, of a service, of an administrator."""

    def __init__(self, keys):
        self.keys = keys

    def mint(self, **changes):
        return mint(claims(**changes), self.keys.get("hs"))

    def member(self, organization="acme", sub="ada", **more):
        return self.mint(org_id=organization, sub=sub, **more)

    def publisher(self, organization="acme", sub="billing", **more):
        return self.mint(org_id=organization, sub=sub, scope="invoices:publish", **more)

    def service(self, sub="service", **more):
        return self.mint(org_id=None, sub=sub, scope=SERVICE_SCOPE, **more)


@pytest.fixture(scope="session")
def tokens(keys):
    return Tokens(keys)


@pytest.fixture
def join():
    """join(broker, client_id, token, …) connects a Client, which is closed after the test."""
    opened = []

    def connect(broker, client_id, token, version=4, transport="tcp", **more):
        client = Client(broker, version, transport)
        opened.append(client)
        answer = client.connect(client_id, token, **more)
        assert answer.code == 0, f"CONNACK {answer.code:#x}\n{broker.log()[-2000:]}"
        client.session_present = answer.session_present
        return client

    yield connect
    for client in opened:
        client.close()

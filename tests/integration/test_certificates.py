# SPDX-License-Identifier: MIT
"""Clients that the broker lets in by certificate, without a question to plugins."""

import pytest
from broker import free_ports
from control import TOPIC
from events import event
from mqtt import NOT_AUTHORIZED, V5, Client
from tls import Authority

PERSISTENT = {"clean": False, "props": {"session_expiry": 600}}


@pytest.fixture
def broker(make_broker, secret_file, tmp_path):
    authority = Authority(tmp_path / "tls")
    authority.certify("mallory")
    port, = free_ports(1)
    broker = make_broker(
        {"jwt_secret_file": secret_file}, tls=authority,
        extra=f"listener {port} 127.0.0.1\ncafile {authority.ca_path}\ncertfile {authority.cert_path}\n"
              f"keyfile {authority.key_path}\nrequire_certificate true\nuse_identity_as_username true")
    broker.ports["tls"] = port
    return broker


def test_a_client_at_an_earlier_clients_address_gets_nothing(broker, tokens, join):
    """It takes over the id of a client that is offline, whose memory the broker then uses for another connection."""
    backend = join(broker, "backend", tokens.publisher(), V5)
    for number in range(6):
        client_id = f"acme/{number}"
        with Client(broker, V5) as member:
            assert member.connect(client_id, tokens.member(), **PERSISTENT).code == 0
            assert member.subscribe("org/acme/invoices/#") == [0]
        broker.wait_gone(client_id)
        taker = Client(broker, V5, "tls")
        assert taker.connect(client_id, **PERSISTENT).code == 0
        taker.ping()
        others = [Client(broker, V5, "tls") for _ in range(20)]
        for other in others:
            assert other.connect(client_id, **PERSISTENT).code == 0
            assert other.subscribe("org/acme/invoices/#") == [NOT_AUTHORIZED]
            assert other.publish(TOPIC, b'{"commands":[{"command":"whoami"}]}', qos=1) == NOT_AUTHORIZED
            backend.publish(*event("acme"), qos=1)
            assert other.drain() == []
        for client in [taker, *others]:
            client.close()

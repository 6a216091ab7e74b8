# SPDX-License-Identifier: MIT
"""Numbers that operators see: $SYS topics and the Prometheus page of a running broker."""

import itertools
import re
import time
import urllib.error
import urllib.request

import pytest
from broker import free_ports
from control import code, data
from events import event, topic
from idp import Provider, jwk, key_set
from mqtt import PATIENCE, V5, V311, Client, wait_for

ALL = "org/acme/invoices/#"
ADMIN = "orgcast:admin"
SYS = "$SYS/broker/orgcast/"

_names = itertools.count()


def name():
    return f"m-{next(_names)}"


class Page:
    """The endpoint of a broker."""

    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}/metrics"

    def read(self):
        with urllib.request.urlopen(self.url, timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return answer.read().decode()

    def value(self, series):
        """The value of a series, as it is written on the page; None without one."""
        match = re.search(rf"(?m)^{re.escape(series)} (\S+)$", self.read())
        return float(match[1]) if match else None

    def wait(self, series, value):
        wait_for(lambda: self.value(series) == value, f"{series} to be {value}")


@pytest.fixture
def page_and_broker(make_broker, secret_file):
    port = free_ports(1)[0]
    broker = make_broker({"jwt_secret_file": secret_file, "metrics_listen": f"127.0.0.1:{port}",
                          "metrics_interval": 1, "metrics_per_org": "true"}, listeners=("tcp", "ws"))
    return Page(port), broker


def test_page(page_and_broker, tokens, join):
    page, broker = page_and_broker
    client = join(broker, name(), tokens.publisher(["acme", "globex"]), V5)
    other = join(broker, "acme/" + name(), tokens.member("acme", sub="bob"), V311, "ws", clean=False)
    client.subscribe(ALL)
    client.subscribe("org/initech/invoices/#")
    client.publish(*event("acme"))
    client.publish(topic("acme"), b"{}")
    client.publish(topic("initech"), b"{}")
    with Client(broker, V5) as refused:
        refused.connect(name(), tokens.member(exp=1))
    page.wait('orgcast_sessions{state="connected"}', 2)
    page.wait('orgcast_connects_total{result="accepted"}', 2)
    page.wait('orgcast_connects_refused_total{reason="token_expired"}', 1)
    page.wait('orgcast_acl_checks_total{action="subscribe",result="allowed"}', 1)
    page.wait('orgcast_acl_denied_total{action="subscribe",reason="topic_not_allowed"}', 1)
    page.wait('orgcast_acl_denied_total{action="publish",reason="topic_not_allowed"}', 1)
    page.wait('orgcast_events_total{result="accepted"}', 1)
    page.wait('orgcast_events_refused_total{reason="event_invalid"}', 1)
    page.wait('orgcast_deliveries_total{result="allowed"}', 1)
    page.wait('orgcast_organizations', 2)
    page.wait('orgcast_keys', 1)
    page.wait('orgcast_organization_connections{organization="acme"}', 2)
    other.disconnect()
    page.wait('orgcast_sessions{state="offline"}', 1)
    page.wait('orgcast_sessions{state="connected"}', 1)
    page.wait('orgcast_organization_connections{organization="acme"}', 1)


def test_suppressed_by_expiry(make_broker, secret_file, tokens, join):
    port = free_ports(1)[0]
    broker = make_broker({"jwt_secret_file": secret_file, "metrics_listen": str(port), "jwt_leeway": 0,
                          "disconnect_on_expiry": "false"}, clock=True)
    page, now = Page(port), int(time.time())
    client = join(broker, name(), tokens.member(exp=now + 100), V5)
    backend = join(broker, name(), tokens.service(exp=now + 10000), V5)
    client.subscribe(ALL)
    broker.advance(200)
    for _ in range(3):
        backend.publish(*event("acme"))
    assert client.drain() == []
    page.wait('orgcast_deliveries_suppressed_total{reason="token_expired"}', 3)


def test_ended_sessions(page_and_broker, tokens, join):
    page, broker = page_and_broker
    admin = join(broker, name(), tokens.member("initech", sub="ops", scope=ADMIN), V5)
    kicked = join(broker, name(), tokens.member(sub="ann"), V5)
    revoked = join(broker, name(), tokens.member(sub="bob", jti="t-1"), V5)
    data(admin, "kick", subject="ann")
    data(admin, "revoke", jti="t-1")
    kicked.wait_closed()
    revoked.wait_closed()
    page.wait('orgcast_sessions_ended_total{cause="kicked"}', 1)
    page.wait('orgcast_sessions_ended_total{cause="token_revoked"}', 1)
    page.wait("orgcast_revocations", 1)
    page.wait('orgcast_admin_commands_total{result="accepted"}', 2)


def test_organizations_only_when_asked_for(make_broker, secret_file, tokens, join):
    port = free_ports(1)[0]
    broker = make_broker({"jwt_secret_file": secret_file, "metrics_listen": str(port)})
    join(broker, name(), tokens.member(), V5)
    Page(port).wait("orgcast_organizations", 1)
    assert "organization=" not in Page(port).read()


def test_what_is_not_there(page_and_broker):
    page, _ = page_and_broker
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(page.url + "x", timeout=5)
    assert answer.value.code == 404
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(page.url, data=b"x", timeout=5)
    assert answer.value.code == 405


def test_port_in_use_is_told_at_start(page_and_broker, make_broker, secret_file):
    page, _ = page_and_broker
    address = page.url.split("/")[2]
    log = make_broker({"jwt_secret_file": secret_file, "metrics_listen": address}, start=False).refused_start()
    assert "orgcast: plugin_opt_metrics_listen: " in log and "in use" in log


def test_topics(page_and_broker, tokens, join):
    _, broker = page_and_broker
    admin = join(broker, name(), tokens.member("initech", sub="ops", scope=ADMIN), V5)
    assert admin.subscribe(SYS + "#") == [0]
    seen = {}

    def is_told(where, value):
        def look():
            seen.update({m.topic: m.payload.decode() for m in admin.drain()})
            return seen.get(SYS + where) == value
        wait_for(look, f"{where} to be {value}; {seen}")

    is_told("sessions/connected", "1")
    client = join(broker, name(), tokens.member(), V5)
    is_told("sessions/connected", "2")
    is_told("connects/accepted", "2")
    with Client(broker, V5) as refused:
        refused.connect(name(), "x.y.z")
    is_told("connects/refused/token_malformed", "1")
    # They are retained: who comes later gets all of them.
    late = join(broker, name(), tokens.member("initech", sub="ops2", scope=ADMIN), V5)
    late.subscribe(SYS + "connects/#")
    wait_for(lambda: any(m.topic == SYS + "connects/refused/token_malformed" and m.retain for m in late.drain()),
             "the retained number")
    # And nobody else.
    assert client.subscribe(SYS + "#") == [0x87]


def test_topics_stay_off(make_broker, secret_file, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file, "metrics_interval": 0})
    admin = join(broker, name(), tokens.member(sub="ops", scope=ADMIN), V5)
    admin.subscribe(SYS + "#")
    client = join(broker, name(), tokens.member(sub="x"), V5)
    data(client, "whoami")
    data(admin, "stats")
    assert admin.drain() == []


def test_members_get_no_numbers(page_and_broker, tokens, join):
    _, broker = page_and_broker
    service = join(broker, name(), tokens.service(), V5)
    assert service.subscribe(SYS + "#") == [0x87]
    assert service.subscribe("#") == [0]
    admin = join(broker, name(), tokens.member("initech", sub="ops", scope=ADMIN), V5)
    admin.subscribe(SYS + "#")
    wait_for(lambda: admin.drain(), "numbers")
    assert not [m for m in service.drain() if m.topic.startswith("$SYS")]


def test_age_of_the_key_set(make_broker, secret_file, tokens, join, tmp_path):
    """Without a jwks_url there is none."""
    port = free_ports(1)[0]
    make_broker({"jwt_secret_file": secret_file, "metrics_listen": str(port)})
    assert Page(port).value("orgcast_jwks_age_seconds") is None


def test_age_of_a_key_set_that_does_not_change(make_broker, keys):
    """It counts since the last successful fetch, whatever that brought."""
    port = free_ports(1)[0]
    with Provider(key_set(jwk(keys.get("p256"), "k1"))) as provider:
        make_broker({"jwks_url": provider.url, "jwks_refresh_interval": 1, "metrics_listen": str(port)})
        provider.wait_requests(6)
        assert Page(port).value("orgcast_jwks_age_seconds") <= 2 + PATIENCE
        provider.behave("status-500")
        wait_for(lambda: Page(port).value("orgcast_jwks_age_seconds") > 3 + PATIENCE, "the set to age",
                 15 * PATIENCE)

# SPDX-License-Identifier: MIT
"""Mosquitto 2.1's http_api listener: it asks plugins on a thread of its own, with a client that it made up."""

import base64
import http.client
import itertools
import threading

import pytest
from broker import FOREIGN_PASSWORD, free_ports, mosquitto_version
from mqtt import V5, Client

pytestmark = pytest.mark.skipif(mosquitto_version() < (2, 1), reason="Mosquitto 2.0 has no http_api listener")

PATH = "/api/v1/version"


@pytest.fixture
def api(make_broker, secret_file, tmp_path):
    """api(mode, …) starts a broker with an http_api listener; gives it, and a function that sends a request."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("a page")

    def start(mode, **more):
        port, = free_ports(1)
        broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": mode},
                             extra=f"listener {port} 127.0.0.1\nprotocol http_api\nhttp_dir {tmp_path}/pages", **more)

        def request(username=None, password="", path=PATH):
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
            try:
                link.request("GET", path, headers={"Authorization": f"Basic {credentials}"} if username else {})
                return link.getresponse().status
            finally:
                link.close()

        return broker, request

    return start


@pytest.mark.parametrize("path", [PATH, "/api/v1/listeners", "/api/v1/systree", "/index.html", "/"])
@pytest.mark.parametrize("mode", ["deny", "defer"])
def test_nobody_gets_in_without_the_password(mode, path, api, tokens):
    """The made-up client has no address, as a session restored from disk."""
    _, request = api(mode, foreign={"ops": ["topic read #"]})
    for username, password in ((None, ""), ("ops", ""), ("ops", "wrong"), ("anybody", "any"),
                               ("ops", tokens.member(sub="ops")), ("ops", tokens.service())):
        assert request(username, password, path) == 401, username


def test_other_authenticators_decide(api):
    """With defer: as if the plugin were not there."""
    _, request = api("defer", foreign={"ops": ["topic read #"], "nobody": ["topic read other"]})
    assert request("ops", FOREIGN_PASSWORD + "ops") == 200
    assert request("nobody", FOREIGN_PASSWORD + "nobody") == 401
    assert request("ops", FOREIGN_PASSWORD + "nobody") == 401


@pytest.mark.parametrize("mode", ["deny", "defer"])
def test_requests_while_clients_connect(mode, api, tokens):
    """Sessions, accounts and OpenSSL's contexts belong to the broker's thread."""
    broker, request = api(mode, foreign={"ops": ["topic read #"]})
    ended = threading.Event()
    codes = set()

    def ask():
        for number in itertools.count():
            if ended.is_set():
                return
            codes.add(request("ops", f"{number:07}" * 2000))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(2500):
            with Client(broker, V5) as client:
                assert client.connect(f"c-{number % 50}", tokens.member(sub=f"s-{number}")).code == 0
                if number % 3 == 0:
                    client.subscribe("org/acme/invoices/#")
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert codes == {401}

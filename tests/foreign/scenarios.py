# SPDX-License-Identifier: MIT
"""What each library goes through, and what must come of it.

A scenario gets a Stage, gives the text of the table's cell, and raises Difference when the broker or the library does
something else than expected. The library's own reconnect is never switched off: where a session ends, the library
decides what happens next.
"""

import json
import os
import re
import time
from collections import Counter

import control
from drivers import Difference, Driver
from events import event, event_id
from idp import Provider, jwk, key_set
from mqtt import ADMINISTRATIVE_ACTION, NOT_AUTHORIZED, V5, Client, wait_for
from tokens import claims, mint

from broker import Broker

SUCCESS, NO_MATCHING_SUBSCRIBERS = 0x00, 0x10
OWN, FOREIGN = "org/acme/invoices/#", "org/globex/invoices/#"

# Libraries wait up to 16 s between tries by default, and a key set is fetched at most once in 10 s.
RECONNECT_S, ROTATION_S = 25, 45

# How long a client with an expired token is watched, and what it may cost in that time.
WATCHED_S = 10
MAX_LOG_BYTES_PER_S = 20_000
MAX_ANSWER_S = 1.0


class Stage:
    """Brokers, tokens and drivers of one scenario; ends all of them."""

    def __init__(self, library, place, folder, keys):
        self.library, self.place, self.folder, self.keys = library, place, folder, keys
        self.client_id = f"{library.name}-{os.urandom(3).hex()}"
        self.running = []

    def token(self, key="hs", alg="HS256", kid=None, **changes):
        scope = changes.pop("scope", "invoices:publish")
        return mint(claims(scope=scope, jti=os.urandom(8).hex(), **changes), self.keys.get(key), alg, kid)

    def broker(self, **options):
        self.folder.mkdir(parents=True, exist_ok=True)
        if "jwks_url" not in options:
            options["jwt_secret_file"] = self.keys.write(self.folder, "hs")
        options = {"jwt_leeway": 0, "audit_log_file": self.folder / "audit.log", **options}
        broker = Broker(self.folder / "broker", options)
        self.running.append(broker)
        return broker.start()

    def provider(self, document):
        provider = Provider(document).start()
        self.running.append(provider)
        return provider

    def connected(self, broker, token, timeout_s=10):
        """Starts the driver and waits until it is connected."""
        driver = Driver(self.library, self.place, self.folder / "driver.log")
        self.running.append(driver)
        driver.tell("connect", broker.host, broker.ports["tcp"], self.client_id, token)
        self.wait_connected(driver, broker, 0, timeout_s)
        return driver

    def wait_connected(self, driver, broker, mark, timeout_s):
        """On failure, names the reasons for which the broker refused the client."""
        try:
            driver.wait("connected", timeout_s)
        except Difference as err:
            reasons = re.findall(rf"(?m)^orgcast: refused client '{self.client_id}' from \S+: (\w+)", broker.log(mark))
            raise Difference(f"{err}; refused as {dict(Counter(reasons))}" if reasons else str(err)) from None

    def helper(self, broker, scope, **changes):
        """A client of the tests' own that is let in with that scope."""
        client = Client(broker, V5)
        answer = client.connect(f"helper-{os.urandom(3).hex()}", self.token(sub="helper", scope=scope, **changes))
        if answer.code != 0:
            raise Difference(f"the broker refuses another client: {answer.code:#x}")
        return client

    def stop(self):
        """Ends all, then raises the first failure, such as that of a broker that died."""
        failed = None
        for one in reversed(self.running):
            try:
                one.stop()
            except AssertionError as err:
                failed = failed or err
        if failed:
            raise failed


def expect(holds, text):
    if not holds:
        raise Difference(text)


def accepted(code, what):
    """Of a PUBLISH with QoS 1."""
    expect(code in (SUCCESS, NO_MATCHING_SUBSCRIBERS), f"{what} is answered with {code}")


def subscribe(driver, topic_filter):
    driver.tell("subscribe", topic_filter)
    return driver.wait("granted")


def publish(driver, topic, payload):
    driver.tell("publish", topic, payload.decode())
    return driver.wait("published")


def expect_delivery(stage, broker, driver):
    """An event that another client publishes reaches the driver."""
    topic, payload = event("acme")
    with stage.helper(broker, "invoices:publish") as helper:
        accepted(helper.publish(topic, payload), "another client's event")
    message = driver.wait("message")
    expect(message.fields[0] == topic and event_id(message.text) == event_id(payload), f"received {message.fields}")


def follow_own(driver):
    answer = subscribe(driver, OWN)
    expect(answer.code == 1, f"SUBSCRIBE {OWN} answered with {answer.fields}")


def expect_ended(stage, driver):
    ended = driver.wait("disconnected")
    code = ADMINISTRATIVE_ACTION if stage.library.gives_reason else None
    expect(ended.code == code, f"the connection ended with {ended.fields}")
    return ended


# -- the scenarios -----------------------------------------------------------------------------------------------------


def connect(stage):
    broker = stage.broker()
    driver = stage.connected(broker, stage.token())
    follow_own(driver)
    topic, payload = event("acme")
    accepted(publish(driver, topic, payload).code, "the driver's event")
    message = driver.wait("message")
    expect(event_id(message.text) == event_id(payload), f"received {message.fields}")
    return "ok"


def foreign_subscribe(stage):
    broker = stage.broker()
    driver = stage.connected(broker, stage.token())
    answer = subscribe(driver, FOREIGN)
    expect(answer.code == NOT_AUTHORIZED, f"SUBSCRIBE {FOREIGN} answered with {answer.fields}")
    follow_own(driver)
    with stage.helper(broker, "invoices:publish orgcast:any-org") as helper:
        accepted(helper.publish(*event("globex")), "globex's event")
    expect_delivery(stage, broker, driver)
    return f"{answer.code}, `{answer.text}`"


def refused_event(stage):
    broker = stage.broker()
    driver = stage.connected(broker, stage.token())
    topic, payload = event("acme")
    refused = publish(driver, topic, b'{"not":"an event"}')
    expect(refused.code == NOT_AUTHORIZED, f"a malformed event is answered with {refused.fields}")
    accepted(publish(driver, topic, payload).code, "the event after the malformed one")
    expect(not driver.pending("disconnected"), "the refusal ended the connection")
    return f"{refused.code}, `{refused.text}`"


def cpu_s(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def log_bytes(stage, broker):
    """The audit log and the plugin's own lines of the broker's log."""
    lines = (line for line in broker.log().splitlines() if line.startswith("orgcast:"))
    return (stage.folder / "audit.log").stat().st_size + sum(len(line) + 1 for line in lines)


def expiry(stage):
    """The library is told why the connection ends, and the broker bears whatever the library does then."""
    broker = stage.broker()
    driver = stage.connected(broker, stage.token(exp=int(time.time()) + 4))
    follow_own(driver)
    ended = expect_ended(stage, driver)
    tries = watch_expired(stage, broker)
    expect(not driver.pending("connected", "message"), "the expired token is let in again")
    return f"{ended.code or 'no code'}, `{ended.text}`; then {rounded(tries)} in {WATCHED_S} s"


def rounded(tries):
    """For the table, which a second run should not change."""
    few = {0: "no try", 1: "1 try"}
    return few.get(tries, "a few tries" if tries <= 100 else "more than 100 tries")


def watch_expired(stage, broker):
    """Gives the number of connections in WATCHED_S."""
    mark, size, used, began = broker.mark(), log_bytes(stage, broker), cpu_s(broker.process), time.monotonic()
    time.sleep(WATCHED_S)
    elapsed = time.monotonic() - began
    share = (cpu_s(broker.process) - used) / elapsed
    rate = (log_bytes(stage, broker) - size) / elapsed
    tries = broker.log(mark).count("New connection from")
    asked = time.monotonic()
    stage.helper(broker, "").close()
    answered_s = time.monotonic() - asked
    print(f"     {stage.library.name} with an expired token: {tries} connections in {WATCHED_S} s, logs +{rate:.0f} "
          f"bytes/s, broker {share:.0%} of a processor, another client waits {answered_s:.3f} s", flush=True)
    expect(rate < MAX_LOG_BYTES_PER_S, f"the logs grow by {rate:.0f} bytes a second")
    expect(answered_s < MAX_ANSWER_S, f"another client waits {answered_s:.1f} s for its CONNACK")
    return tries


def refresh(stage):
    """A token sent by `refresh` carries the connection past the first token's end."""
    broker = stage.broker()
    expires = int(time.time()) + 5
    driver = stage.connected(broker, stage.token(exp=expires))
    follow_own(driver)
    request = {"commands": [{"command": "refresh", "token": stage.token(exp=expires + 300)}]}
    accepted(publish(driver, control.TOPIC, json.dumps(request).encode()).code, "the request")
    message = driver.wait("message")
    response = json.loads(message.text)["responses"][0]
    expect(response.get("data", {}).get("expiresAt") == expires + 300, f"refresh answered {response}")
    time.sleep(max(0, expires + 2 - time.time()))
    expect(not driver.pending("disconnected"), "the connection ended although the token was refreshed")
    expect_delivery(stage, broker, driver)
    return "ok"


def reconnect(stage):
    """After a kick the library comes back by itself with the token that it has, which is still good."""
    broker = stage.broker()
    driver = stage.connected(broker, stage.token())
    mark = broker.mark()
    with stage.helper(broker, "orgcast:admin") as admin:
        kicked = control.data(admin, "kick", clientId=stage.client_id)["kicked"]
    expect(kicked == 1, f"kicked {kicked} clients")
    ended = expect_ended(stage, driver)
    stage.wait_connected(driver, broker, mark, RECONNECT_S)
    follow_own(driver)
    expect_delivery(stage, broker, driver)
    return f"{ended.code or 'no code'}, then comes back"


def rotation(stage):
    """The provider signs with a key that it published only now, right after the broker fetched the set."""
    names = ("p256:old", "p256:new")
    old, new = (jwk(stage.keys.get(name), name[-3:]) for name in names)
    provider = stage.provider(key_set(old))
    cache = stage.folder / "jwks.json"
    broker = stage.broker(jwks_url=provider.url, jwks_cache_file=cache)
    wait_for(lambda: cache.exists() and cache.stat().st_size > 0, "the first key set")
    provider.document = key_set(old, new)
    stage.connected(broker, stage.token("p256:new", "ES256", "new"), ROTATION_S)
    return "comes in"


SCENARIOS = {
    "connect": connect,
    "foreign subscribe": foreign_subscribe,
    "refused event": refused_event,
    "expiry": expiry,
    "refresh": refresh,
    "reconnect": reconnect,
    "rotation": rotation,
}

# SPDX-License-Identifier: MIT
"""orgcast listen begins where it is told, and goes on after a lost connection: each event once, in order, or
a gap is told."""

import json
import os
import re
import signal
import threading
import time

import pytest
from control import data
from events import event
from fake_control import FakeControl, message, response
from mqtt import PATIENCE, TIMEOUT_S, V5, Client, wait_for
from tokens import claims, mint

EPOCH = "0123456789abcdef"


@pytest.fixture
def numbered(make_broker, secret_file):
    """numbered(option=value, …) starts a broker."""
    def make(**options):
        return make_broker({"jwt_secret_file": secret_file, "jwt_leeway": "0", **options})
    return make


@pytest.fixture
def member(keys):
    return mint(claims(), keys.get("hs"))


class Service:
    """Publishes for acme, and administrates; connects anew when the broker was away."""

    def __init__(self, token):
        self.token, self.client, self.sent = token, None, 0

    def connect(self, broker, client_id="service"):
        self.close()
        self.client = Client(broker, V5)
        assert self.client.connect(client_id, self.token).code == 0

    def publish(self, count=1, kind="paid"):
        for _ in range(count):
            self.sent += 1
            assert self.client.publish(*event("acme", kind, f"inv-{self.sent}")) in (0, 0x10)

    def kick(self, subject="ada"):
        return data(self.client, "kick", subject=subject)["kicked"]

    def position(self):
        answer = data(self.client, "position", organizationId="acme")
        return answer["epoch"], int(answer["sequence"])

    def close(self):
        if self.client:
            self.client.close()


@pytest.fixture
def service(keys):
    """service(broker) is connected to it."""
    made = Service(mint(claims(sub="billing", scope="invoices:publish orgcast:admin"), keys.get("hs")))

    def connect(broker):
        made.connect(broker)
        return made

    yield connect
    made.close()


def at(broker):
    return ("--host", broker.host, "--port", broker.ports["tcp"])


@pytest.fixture
def listen(background, member):
    """listen(broker, argument, …) waits until it has begun."""
    def start(broker, *arguments, token=member):
        command = background("listen", "--organization-id", "acme", *arguments, *at(broker), token=token)
        command.wait_err("listening to")
        return command
    return start


def printed(command):
    return command.out().count("\n")


def numbers(command):
    return [int(json.loads(line)["sequence"]) for line in command.out().splitlines()]


def entities(command):
    return [json.loads(line)["subject"] for line in command.out().splitlines()]


def inv(first, last):
    return [f"inv-{n}" for n in range(first, last + 1)]


# -- since -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("since, first", [("0", 1), ("3", 4), (f"{3:020}", 4), ("5", 6), ("EPOCH:4", 5)])
def test_since(listen, numbered, service, since, first):
    broker = numbered()
    sender = service(broker)
    sender.publish(5)
    since = since.replace("EPOCH", sender.position()[0])
    command = listen(broker, "--json", "--since", since, "--count", 7 - first)
    command.wait_err(f"orgcast listen: {6 - first} event{'' if first == 5 else 's'} replayed\n")
    sender.publish()
    assert command.end() == 0
    assert numbers(command) == list(range(first, 7))
    assert "gap" not in command.err()


def test_without_since_nothing_earlier(listen, numbered, service):
    broker = numbered()
    sender = service(broker)
    sender.publish(5)
    command = listen(broker, "--count", "1")
    sender.publish()
    assert command.end() == 0
    assert " inv-6:" in command.out()
    assert command.err() == "orgcast listen: listening to org/acme/invoices/#\n"


def test_since_what_was_never_published(listen, numbered, service):
    broker = numbered()
    command = listen(broker, "--since", "0", "--count", "1")
    command.wait_err("0 events replayed")
    service(broker).publish()
    assert command.end() == 0


def test_more_than_one_replay_gives(listen, numbered, service):
    broker = numbered(replay_events_per_org="2000")
    sender = service(broker)
    sender.publish(900)
    command = listen(broker, "--json", "--since", "0", "--count", "900")
    assert command.end() == 0
    assert numbers(command) == list(range(1, 901))


def test_not_kept(listen, numbered, service):
    broker = numbered(replay_events_per_org="4")
    sender = service(broker)
    sender.publish(10)
    command = listen(broker, "--json", "--since", "2", "--count", "1")
    command.wait_err("orgcast listen: gap: events 3 to 10 are not all kept any more; "
                     "with a later --since there may be some\n")
    sender.publish()
    assert command.end() == 0
    assert numbers(command) == [11]


@pytest.mark.parametrize("since", [f"{EPOCH}:3", "99"])
def test_since_another_numbering(listen, numbered, service, since):
    broker = numbered()
    sender = service(broker)
    sender.publish(3)
    command = listen(broker, "--json", "--since", since, "--count", "3")
    assert command.end() == 0
    assert numbers(command) == [1, 2, 3]
    assert f"gap: the broker restarted its numbering; events after {since[-2:].strip(':')} are lost" \
        in command.err()


@pytest.mark.parametrize("kinds", [("paid",), ("invoice.paid", "notification.created")])
def test_only_some_events(listen, numbered, service, kinds):
    broker = numbered()
    sender = service(broker)
    for kind in ("paid", "sent", "paid"):
        sender.publish(kind=kind)
    chosen = [word for kind in kinds for word in ("--event", kind)]
    command = listen(broker, "--json", "--since", "0", "--count", "4", *chosen)
    command.wait_err("2 events replayed")
    assert sender.kick() == 1
    for kind in ("sent", "paid", "sent", "sent", "paid"):
        sender.publish(kind=kind)
    assert command.end() == 0
    assert numbers(command) == [1, 3, 5, 8]
    assert "gap" not in command.err()


@pytest.mark.parametrize("since", ["-1", "x", "", "1.5", "99999999999999999999", ":1", "a:", "1:2:3", "a b:1"])
def test_wrong_since(orgcast, since):
    result = orgcast("listen", "--organization-id", "acme", f"--since={since}")
    assert (result.returncode, result.stdout) == (2, "")
    assert f"--since: '{since}' is neither SEQUENCE nor EPOCH:SEQUENCE" in result.stderr


# -- lost connections ------------------------------------------------------------------------------

def test_kicked(listen, orgcast, numbered, service, member):
    broker = numbered()
    sender = service(broker)
    command = listen(broker, "--json", "--count", "5")
    sender.publish(2)
    command.wait_lines(2)
    kick = orgcast("admin", "kick", "--subject", "ada", *at(broker), token=sender.token)
    assert kick.stdout == "1 connection ended\n"
    sender.publish(2)
    command.wait_err("orgcast listen: resumed, ")
    sender.publish()
    assert command.end() == 0
    assert numbers(command) == [1, 2, 3, 4, 5]
    assert "the broker ended the connection: administrative action (0x98); connecting again\n" \
        in command.err()


def test_lost_before_the_first_event(listen, numbered, service):
    broker = numbered()
    sender = service(broker)
    sender.publish(3)
    command = listen(broker, "--json", "--count", "2")
    assert sender.kick() == 1
    sender.publish(2)
    assert command.end() == 0
    assert numbers(command) == [4, 5]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_broker_is_restarted(listen, numbered, service, end):
    """What the new one has from its beginning on is made up for."""
    broker = numbered()
    sender = service(broker)
    command = listen(broker, "--json", "--count", "5")
    sender.publish(2)
    command.wait_lines(2)
    getattr(broker, end)()
    command.wait_err("trying again\n")
    broker.start()
    service(broker).publish(2)
    command.wait_err("resumed, ")
    sender.publish()
    assert command.end() == 0
    assert numbers(command) == [1, 2, 1, 2, 3]
    assert entities(command) == inv(1, 5)
    assert "gap: the broker restarted its numbering; events after 2 are lost" \
        in command.err()
    assert re.search(r"cannot connect to 127.0.0.1:\d+: Connection refused; trying again", command.err())
    assert command.err().count("trying again") == 1


def test_more_was_missed_than_is_kept(listen, numbered, service):
    broker = numbered(replay_events_per_org="4")
    sender = service(broker)
    command = listen(broker, "--json", "--count", "2")
    sender.publish()
    command.wait_lines(1)
    os.kill(command.process.pid, signal.SIGSTOP)
    assert sender.kick() == 1
    wait_for(lambda: data(sender.client, "listSessions", subject="ada")["totalCount"] == 0, "its end")
    sender.publish(9)
    os.kill(command.process.pid, signal.SIGCONT)
    command.wait_err("gap: events 2 to 10 are not all kept any more\n")
    command.wait_err("resumed, 0 events replayed\n")
    sender.publish()
    assert command.end() == 0
    assert numbers(command) == [1, 11]


def test_publishing_at_full_speed(listen, numbered, service, keys):
    """Its connection is ended again and again meanwhile. As a service it is replayed as much as there is."""
    broker = numbered(replay_events_per_org="100000")
    admin = service(broker)
    sender = Service(mint(claims(sub="billing-2", scope="invoices:publish"), keys.get("hs")))
    sender.connect(broker, "sender")
    command = listen(broker, "--json", token=mint(claims(org_id=None, scope="orgcast:any-org"), keys.get("hs")))
    enough = threading.Event()

    def publish():
        while not enough.is_set():
            sender.publish()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        for ends in range(1, 5):
            before = printed(command)
            wait_for(lambda seen=before: printed(command) > seen, "an event")
            wait_for(admin.kick, "a connection")
            wait_for(lambda wanted=ends: command.err().count("; connecting again\n") == wanted, "its end")
    finally:
        enough.set()
        thread.join()
    wait_for(lambda: printed(command) >= sender.sent, "all of them", 4 * TIMEOUT_S)
    assert command.interrupt() == 0
    assert entities(command) == inv(1, sender.sent)
    assert numbers(command) == list(range(1, sender.sent + 1))
    assert "gap" not in command.err()
    assert command.err().count("; connecting again\n") == 4
    assert "orgcast listen: resumed, " in command.err()
    sender.close()


def test_the_broker_drops_what_is_not_fetched(listen, numbered, service):
    """More than max_queued_messages: no connection is lost, and the next event tells that others are missing."""
    broker = numbered(replay_events_per_org="5000")
    sender = service(broker)
    command = listen(broker, "--json", "--count", "2501")
    sender.publish()
    command.wait_lines(1)
    os.kill(command.process.pid, signal.SIGSTOP)
    sender.publish(2499)
    dropped = "Outgoing messages are being dropped for client orgcast-listen-" in broker.log()
    os.kill(command.process.pid, signal.SIGCONT)
    command.wait_lines(500)
    sender.publish()
    assert command.end() == 0
    assert numbers(command) == list(range(1, 2502))
    assert "gap" not in command.err()
    assert dropped


def test_other_topics_of_the_organization(listen, make_broker, secret_file, service):
    """They have numbers of the same row, and are not printed."""
    broker = make_broker([("jwt_secret_file", secret_file), ("topic_template", "org/{org}/invoices/#"),
                          ("topic_template", "org/{org}/orders/#"), ("validate_events", "envelope")])
    sender = service(broker)
    command = listen(broker, "--json", "--count", "4")
    for number in range(8):
        where, payload = event("acme", entity=f"inv-{number + 1}")
        if number % 2:
            where = where.replace("invoices", "orders")
        assert sender.client.publish(where, payload) in (0, 0x10)
        if number == 4:
            assert sender.kick() == 1
    assert command.end() == 0
    assert numbers(command) == [1, 3, 5, 7]
    assert "gap" not in command.err()


def test_a_narrow_template(listen, make_broker, secret_file, service):
    """The whole stream may not be subscribed to, what was chosen may."""
    broker = make_broker([("jwt_secret_file", secret_file),
                          ("topic_template", "org/{org}/invoices/paid/#")])
    sender = service(broker)
    command = listen(broker, "--json", "--count", "3", "--event", "paid")
    sender.publish()
    command.wait_lines(1)
    assert sender.kick() == 1
    sender.publish(2)
    assert command.end() == 0
    assert numbers(command) == [1, 2, 3]


# -- tokens ----------------------------------------------------------------------------------------

def test_the_token_file_is_read_again(listen, numbered, service, keys, token_file):
    broker = numbered()
    path = token_file(mint(claims(exp=int(time.time()) + 3 * PATIENCE), keys.get("hs")))
    command = listen(broker, "--json", "--count", "2", "--token-file", path, token=None)
    sender = service(broker)
    sender.publish()
    command.wait_lines(1)
    token_file(mint(claims(), keys.get("hs")))
    command.wait_err("resumed, ")
    sender.publish()
    assert command.end() == 0
    assert numbers(command) == [1, 2]


def test_a_token_that_is_refused_later(listen, numbered, service, token_file, member, keys):
    broker = numbered()
    path = token_file(member)
    command = listen(broker, "--token-file", path, token=None)
    token_file(mint(claims(exp=1000), keys.get("hs")))
    assert service(broker).kick() == 1
    assert command.end() == 1
    assert "refused the connection: not authorized (0x87)\n" in command.err()
    assert "'orgcast token inspect' shows what a token says and whether it has expired." in command.err()


def test_an_organization_that_is_lost_later(listen, numbered, service, token_file, member, keys):
    broker = numbered()
    path = token_file(member)
    command = listen(broker, "--token-file", path, token=None)
    token_file(mint(claims(org_id="globex"), keys.get("hs")))
    assert service(broker).kick() == 1
    assert command.end() == 1
    assert "refused the subscription to org/acme/invoices/#: not authorized (0x87)\n" in command.err()


# -- ending ----------------------------------------------------------------------------------------

def test_timeout_without_a_broker(listen, numbered):
    broker = numbered()
    command = listen(broker, "--timeout", "2")
    broker.stop()
    assert command.end() == 1
    assert re.search(r"127.0.0.1:\d+ does not answer\n$", command.err())


def test_interrupt_without_a_broker(listen, numbered):
    broker = numbered()
    command = listen(broker)
    broker.stop()
    command.wait_err("trying again\n")
    assert command.interrupt() == 0


# -- brokers without numbers -----------------------------------------------------------------------

@pytest.mark.parametrize("plugin", [True, False])
def test_no_numbers(listen, make_broker, secret_file, service, plugin):
    """As ever, but that it comes back."""
    options = {"jwt_secret_file": secret_file, "stamp_sequence": "false"}
    broker = make_broker(options if plugin else (), plugin=plugin,
                         extra="" if plugin else "allow_anonymous true")
    sender = service(broker)
    command = listen(broker, "--json", "--count", "3")
    sender.publish(2)
    command.wait_lines(2)
    assert command.err() == "orgcast listen: listening to org/acme/invoices/#\n"
    broker.kill()
    command.wait_err("connecting again\n")
    broker.start()
    wait_for(lambda: "gap: events may have been missed, and the broker cannot replay them\n" in command.err(),
             "the gap", 15 * PATIENCE)
    service(broker).publish()
    assert command.end() == 0
    assert entities(command) == inv(1, 3)
    assert command.err().count("gap") == 1


@pytest.mark.parametrize("plugin, why", [
    (True, r"plugin_opt_stamp_sequence is false \(request_invalid\)$"),
    (False, r"Is the Orgcast plugin loaded, and new enough\?|endpoint not available$"),
])
def test_since_without_numbers(orgcast, make_broker, secret_file, member, plugin, why):
    options = {"jwt_secret_file": secret_file, "stamp_sequence": "false"}
    broker = make_broker(options if plugin else (), plugin=plugin,
                         extra="" if plugin else "allow_anonymous true")
    result = orgcast("listen", "--organization-id", "acme", "--since", "0", *at(broker), token=member)
    assert (result.returncode, result.stdout) == (1, "")
    assert "--since: the broker cannot replay events: " in result.stderr
    assert re.search(why, result.stderr.rstrip())


def test_since_of_another_organization(orgcast, numbered, member):
    result = orgcast("listen", "--organization-id", "globex", "--since", "0", *at(numbered()), token=member)
    assert (result.returncode, result.stdout) == (1, "")
    assert "Is 'globex' among the token's organizations?" in result.stderr


# -- answers ---------------------------------------------------------------------------------------

def numbered_event(sequence):
    where, payload = event("acme", entity=f"inv-{sequence}")
    stamped = {**json.loads(payload), "epoch": EPOCH, "sequence": f"{sequence:020}"}
    return message(stamped, where)


def answer(asked, sequence, **more):
    return message(response(asked, data={"epoch": EPOCH, "sequence": f"{sequence:020}", **more}))


def test_not_now(orgcast):
    def reply(asked):
        if asked["command"] == "position":
            return answer(asked, 2)
        if len(broker.commands) == 2:
            return message(response(asked, data=None, error="too many", code="limit_rate"))
        return numbered_event(3) + answer(asked, 3, recovered=True, replayed=1, more=False)

    with FakeControl(reply) as broker:
        result = orgcast("listen", "--organization-id", "acme", "--count", "1", *at(broker))
    assert result.returncode == 0
    assert [c["command"] for c in broker.commands] == ["position", "replay", "replay"]
    assert broker.commands[2].items() >= {"organizationId": "acme", "epoch": EPOCH, "after": "2"}.items()


BAD = {
    "no data": {"data": None},
    "no place": {"data": {}},
    "a bad sequence": {"data": {"epoch": EPOCH, "sequence": "-1"}},
    "an error": {"data": None, "error": "no \u001b[2J", "code": "request_invalid"},
}


@pytest.mark.parametrize("case", BAD)
def test_answers_that_are_none(orgcast, case):
    def reply(asked):
        return message(b"") + message(b"[") + message({}) + message(response(asked, **BAD[case]))

    with FakeControl(reply) as broker:
        result = orgcast("listen", "--organization-id", "acme", "--since", "0", *at(broker))
    assert result.returncode == 1
    assert "--since: the broker cannot replay events: " in result.stderr
    assert "\x1b" not in result.stderr


def test_a_late_answer(orgcast):
    """Of a question before."""
    def reply(asked):
        late = message(response(asked, correlationData="0", data={"epoch": "a", "sequence": "9"}))
        if asked["command"] == "position":
            return late + answer(asked, 2)
        return late + numbered_event(3) + answer(asked, 3, recovered=True, replayed=1, more=False)

    with FakeControl(reply) as broker:
        result = orgcast("listen", "--organization-id", "acme", "--count", "1", *at(broker))
    assert result.returncode == 0

# SPDX-License-Identifier: MIT
"""The broker, the connections to it, the model of both, what was done, and how a failure is told."""

import collections
import itertools
import json
import random
import time

from broker import Broker
from mqtt import PATIENCE, Closed, Timeout
from tokens import Keys

from soak_lib.model import MAY, MUST, OFF, UNSURE, Revocations, matches
from soak_lib.numbers import Numbers, place_of
from soak_lib.people import SUBSCRIBE, Mint
from soak_lib.wills import last_will
from soak_lib.wire import Wire

HISTORY = 30
RECENT_EVENTS = 50_000
# How long after it is due a connection's end may take; ten times what it takes.
END_S = 1.5

# Without the lines for each packet, which would be most of the run's disk.
LOG_LINES = "log_type none\nlog_type error\nlog_type warning\nlog_type notice\nlog_type information\n"


class Failure(Exception):
    """The broker did what the model says it must not, or did not what it must."""


class Slot:
    """One connection at a time, of anybody."""

    def __init__(self, number):
        self.number = number
        self.wire = self.session = None
        self.by_auth = False
        self.live = {}  # of this connection: the last number by (epoch, organization)

    def __str__(self):
        return f"slot {self.number} ({self.session.client_id if self.session else 'nobody'})"


class World:
    def __init__(self, folder, seed, clients):
        self.rng = random.Random(seed)
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        keys = Keys()
        self.leeway_s = self.rng.choice((0, 0, 1))
        self.mint = Mint(keys, self.rng, self.leeway_s)
        self.audit_path = folder / "audit.log"
        self.broker = Broker(
            folder, {"jwt_secret_file": keys.write(folder, "hs"), "jwt_leeway": self.leeway_s,
                     "revocation_file": folder / "revocations", "audit_log_file": self.audit_path,
                     "metrics_interval": 1, "subscribe_scope": SUBSCRIBE},
            listeners=("tcp", "ws"), persistence=True,
            # With a limit of messages in flight Mosquitto goes on counting those that it drops on
            # resumption, and may send no more on that connection.
            extra=LOG_LINES + "max_queued_messages 100000\nmax_inflight_messages 0\n")
        self.ends_on_expiry = True  # disconnect_on_expiry
        self.sessions = {}  # by client id; those that cannot be there any more are not
        self.last_subjects = {}  # by client id: whom this broker process let in last
        self.saved = {}  # what a broker that is killed will have of them
        self.revocations = Revocations()
        self.slots = [Slot(number) for number in range(clients)]
        # One publishes, one gives orders, one gets every event.
        self.backend, self.operator, self.follower = self.always = [
            Slot(name) for name in ("backend", "operator", "follower")]
        self.staff = {slot.number for slot in self.always}  # their client ids too
        self.numbers = Numbers()
        self.kept = 0  # replay_events_per_org
        self.replayed = {}  # by client id: (when, how many events) replays sent to it
        self.event_numbers = itertools.count(1)
        self.events = collections.OrderedDict()
        self.counts = collections.Counter()
        self.levels = collections.Counter()
        self.started = time.monotonic()
        self.actions = collections.deque(maxlen=20 * HISTORY * clients)  # (when, slot, client id, what)
        self.memory = []  # (RSS at the start, RSS at the end) of each broker process

    # -- what is told --------------------------------------------------------------------------

    def did(self, kind, slot=None, text=""):
        """Counts an action and notes it down."""
        self.counts[kind] += 1
        self.note(slot, f"{kind} {text}".strip())

    def note(self, slot, text):
        moment = f"{time.monotonic() - self.started:9.3f} {time.time():.3f}"
        self.actions.append((moment, slot, slot.session.client_id if slot and slot.session else None, text))

    def history(self, slot, client_id):
        """The last actions that concern the slot, the client id, or everybody."""
        kept = [(moment, where, text) for moment, where, name, text in self.actions
                if (where is None and not text.startswith("publish")) or (slot and where is slot) or
                name == client_id or f" {client_id} " in text]
        return [f"  {moment} {where or 'all'}: {text}" for moment, where, text in kept[-HISTORY:]]

    def fail(self, text, slot=None, event=None, session=None, client_id=None):
        lines = [text]
        if event:
            lines.append(f"event: {event}")
        session = session or (slot.session if slot else None)
        if session:
            brief = {name: value for name, value in vars(session).items() if name != "expects"}
            brief["rights"] = [(right.identity, right.revoked) for right in session.rights]
            lines.append(f"session: {brief}")
        client_id = session.client_id if session else client_id
        lines += [f"the last actions of {client_id or slot}:", *self.history(slot, client_id)]
        raise Failure("\n".join(lines))

    # -- events --------------------------------------------------------------------------------

    def remember(self, event):
        self.events[event.name] = event
        self.events.move_to_end(event.name)
        if len(self.events) > RECENT_EVENTS:
            self.events.popitem(last=False)

    def wills_pending(self, org):
        """How many events the broker may have published for connections whose end nobody has noticed."""
        return sum(bool(slot.session.will) and slot.session.will.org == org and not slot.session.will.place and
                   self.may_end(slot.session) for slot in self.connected())

    def follow(self):
        """Takes all that has been published, and compares its numbers."""
        if not self.settle(self.follower):
            self.fail("the follower was disconnected", self.follower)
        for org, stream in self.numbers.present():
            # An event of QoS 2 has its number before it is released, and a Will's may come later.
            stream.loose = {name: event for name, event in stream.loose.items() if event.qos == 2 or event.will}
            if stream.holes > len(stream.loose) + self.wills_pending(org):
                missing = [number for number in range(1, stream.top + 1) if number not in stream.events]
                self.fail(f"the numbers {missing[-20:]} of {org} are nobody's; perhaps of {list(stream.loose)}")

    # -- connections ---------------------------------------------------------------------------

    def open(self, version, transport):
        try:
            return Wire(self.broker, version, transport)
        except (OSError, Closed) as err:
            self.check_alive()
            raise Failure(f"cannot connect by {transport}: {err}") from err

    def check_alive(self):
        process = self.broker.process
        for _ in range(10):
            if process.poll() is not None:
                raise Failure(f"the broker ended by itself with {process.returncode}:\n"
                              f"{self.broker.log()[-4000:]}")
            time.sleep(0.02)

    def may_end(self, session):
        """Whether the broker may have ended its connection by now."""
        return session.may_end(time.time(), self.ends_on_expiry)

    def check_running(self):
        if self.broker.process.poll() is not None:
            self.check_alive()

    def connected(self):
        return [slot for slot in self.slots if slot.wire]

    def free(self):
        return [slot for slot in self.slots if not slot.wire]

    def slot_of(self, session):
        for slot in [*self.slots, *self.always]:
            if slot.wire and slot.session is session:
                return slot
        return None

    def ended(self, slot, expected=False, way=None):
        """The broker hung up on a slot, or the driver did (expected), in that way."""
        session, wire = slot.session, slot.wire
        self.read_inbox(slot)
        wire.close()
        if not expected and not self.may_end(session):
            self.check_alive()
            self.fail(f"the broker hung up on {slot} without a reason "
                      f"(DISCONNECT {wire.disconnect_reason})", slot)
        self.note(slot, "connection ended")
        slot.wire = slot.session = None
        # Mosquitto closes a TCP socket when it is done with the connection, a WebSocket's before.
        last_will(self, session, UNSURE if wire.transport == "ws" else OFF, way, prompt=wire.transport == "tcp")

    def gone(self, session, state):
        session.disconnected(state)
        if state != UNSURE and not session.persistent and self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]

    # -- deliveries ----------------------------------------------------------------------------

    def read_inbox(self, slot):
        for delivery in slot.wire.take_deliveries():
            self.deliver(slot, delivery)

    def deliver(self, slot, delivery):
        session = slot.session
        levels = delivery.topic.split("/")
        name = levels[-1]
        event = self.events.get(name)
        expect = session.expects.get(name)
        place, told = place_of(delivery.payload)
        self.counts["delivery"] += 1
        replayed = event and session.replay and session.replay.takes(event, delivery, place)
        if not replayed and expect is None and not (event and self.unnoticed(session, event)):
            self.fail(f"must not be delivered to {slot}: {delivery} {place}", slot, event)
        event = expect.event if expect else event
        if delivery.topic != event.topic or delivery.retain:
            self.fail(f"is not what was published: {delivery}", slot, event)
        wrong = self.numbers.observe(event, delivery.payload, place, told)
        if wrong:
            self.fail(f"{event.name} for {slot} {wrong}", slot, event)
        if not replayed and expect:
            self.deliver_live(slot, delivery, expect, place)

    @staticmethod
    def unnoticed(session, event):
        """Whether it may be the Will of a connection whose end nobody has noticed."""
        return (event.will and event.level == MAY and
                any(identity.serves(event.org) for identity in (
                    *(right.identity for right in session.rights), *session.former_identities)) and
                any(matches(text, event.topic) for text in (
                    *session.filters, *session.maybe_filters, *session.former_filters)))

    def deliver_live(self, slot, delivery, expect, place):
        event = expect.event
        if delivery.dup:
            if not expect.again:
                self.fail(f"DUP on the connection it was first sent on, {slot}: {delivery}", slot, event)
            expect.got = max(expect.got, 1)
            return
        expect.got += 1
        if expect.got > expect.copies:
            self.fail(f"delivered {expect.got} times to {slot}: {delivery}", slot, event)
        if event.qos < 2 and not event.will:
            last = slot.live.get((place[0], event.org), 0)
            if place[1] < last:
                self.fail(f"{place} came to {slot} after {last}", slot, event)
            slot.live[place[0], event.org] = place[1]

    def settle(self, slot):
        """Takes all that the broker has for a connection, and compares it; False when it has ended."""
        session = slot.session
        try:
            while slot.wire.round():
                self.read_inbox(slot)
        except Closed:
            self.ended(slot)
            return False
        except Timeout:
            self.check_alive()
            self.fail(f"no answer to a ping of {slot}", slot)
        self.read_inbox(slot)
        for expect in session.expects.values():
            if expect.level == MUST:
                self.counts["must checked"] += 1
                if expect.got == 0:
                    self.fail(f"did not arrive at {slot}", slot, expect.event)
        session.expects.clear()
        session.former_filters.clear()
        session.former_identities.clear()
        return True

    def sweep(self):
        """Connections whose time is long over must have ended."""
        now = time.time()
        for slot in self.connected():
            due = slot.session.due(self.ends_on_expiry)
            if due is None or now < due + END_S * PATIENCE:
                continue
            for _ in range(5):
                if not self.settle(slot):
                    break
                time.sleep(0.05)
            else:
                self.fail(f"{slot} should have ended {now - due:.3f} s ago", slot)

    # -- audit log -----------------------------------------------------------------------------

    def audit_mark(self):
        return self.audit_path.stat().st_size if self.audit_path.exists() else 0

    def refusal(self, client_id, mark):
        """The reason of the refused CONNECT after that place of the audit log."""
        deadline = time.monotonic() + 5 * PATIENCE
        while time.monotonic() < deadline:
            with open(self.audit_path, "rb") as file:
                file.seek(mark)
                text = file.read()
            for line in text[:text.rfind(b"\n") + 1].splitlines():
                # The place may be inside of a line that was being written.
                if not line.startswith(b"{"):
                    continue
                entry = json.loads(line)
                if (entry.get("action"), entry.get("result"), entry.get("clientId")) == (
                        "connect", "denied", client_id):
                    return entry["reason"]
            time.sleep(0.005)
        raise Failure(f"no audit line for the refused CONNECT of {client_id}")

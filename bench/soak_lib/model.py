# SPDX-License-Identifier: MIT
"""What each client may receive and must receive.

The driver waits for the answer to everything it does, so all that happens is in one order, and what an
answer says holds for everything that is sent after it. Clocks count in three places alone, each with a
bound: a token's deadline (whole seconds of the clock that the broker has too; an event whose publish was
sent and answered before it is before it), the second within which a revocation reaches live sessions, and
the ends of connections, for which somebody has to wait.
"""

import copy
from dataclasses import dataclass, field

# The broker reads a coarse clock, which may be one of the kernel's ticks behind.
CLOCK_LAG_S = 0.02
# A revocation takes effect on live sessions within one second.
REVOKE_S = 1.0

NOT, MAY, MUST = 0, 1, 2
NAMES = {NOT: "must not", MAY: "may", MUST: "must"}

# Whether a session has a connection: no, it cannot be known, yes.
OFF, UNSURE, ON = "off", "unsure", "on"


@dataclass
class Event:
    number: int
    org: str
    topic: str
    publisher: str
    qos: int
    sent: float = 0.0
    answered: float = 0.0
    level: int = MUST  # NOT: the broker has to refuse it; MAY: it cannot be known whether it took it
    content: int = 0  # of what was sent
    life: int = 0  # of the broker
    will: bool = False
    retain: bool = False
    place: tuple = None  # (epoch, number), since somebody has seen it, and the hash of its bytes
    digest: int = 0

    @property
    def name(self):
        return f"e{self.number}"


def matches(topic_filter, topic):
    wanted, levels = topic_filter.split("/"), topic.split("/")
    for at, level in enumerate(wanted):
        if level == "#":
            return True
        if at >= len(levels) or level not in ("+", levels[at]):
            return False
    return len(wanted) == len(levels)


class Right:
    """An identity that a session may have, and whether it was revoked there."""

    def __init__(self, identity):
        self.identity = identity
        self.revoked = None  # when the revocation was answered

    def level(self, event):
        identity = self.identity
        if not identity.serves(event.org) or event.sent >= identity.deadline_s + CLOCK_LAG_S:
            return NOT
        if self.revoked is not None:
            return NOT if event.sent >= self.revoked + REVOKE_S else MAY
        return MUST if event.answered < identity.deadline_s else MAY


@dataclass
class Expect:
    event: Event
    level: int
    copies: int
    qos: tuple  # the least and the most that a copy may have
    got: int = 0
    again: bool = False  # it may come with DUP: the session has been resumed since


@dataclass
class Session:
    """What the broker has under a client id."""

    client_id: str
    rights: list = field(default_factory=list)  # one, unless it cannot be known; none: not authenticated
    state: str = ON
    persistent: bool = False
    certain: bool = True  # that it is there at all
    filters: dict = field(default_factory=dict)  # filter -> QoS
    maybe_filters: dict = field(default_factory=dict)  # filter -> least and most QoS
    expects: dict = field(default_factory=dict)  # name -> Expect
    kicked: float = None  # when the kick was answered
    will: Event = None  # of its connection
    left: float = None  # when the driver began to end the connection
    former_filters: set = field(default_factory=set)  # until it was compared with what arrived
    former_identities: list = field(default_factory=list)
    replay: object = None  # what it is being sent apart from its subscriptions

    @property
    def identity(self):
        return self.rights[0].identity

    def keeps(self, qos):
        """Whether what comes without a connection waits for the next."""
        return (qos > 0 and self.persistent and bool(self.rights) and
                all(right.identity.binds(self.client_id) for right in self.rights))

    def level(self, event):
        """(level, copies at most, least and most QoS) of an event that has been published."""
        sure = [qos for text, qos in self.filters.items() if matches(text, event.topic)]
        maybe = [pair for text, pair in self.maybe_filters.items() if matches(text, event.topic)]
        copies = len(sure) + len(maybe)
        if copies == 0 or not self.rights:
            return NOT, copies, (0, 0)
        # Mosquitto may send one copy for several filters, with the QoS of any of them.
        qos = (min(event.qos, *sure, *(least for least, _ in maybe)),
               min(event.qos, max([*sure, *(most for _, most in maybe)])))
        # When a Will came is not known: perhaps when there were further filters.
        former = sum(matches(text, event.topic) for text in self.former_filters) if event.will else 0
        if former:
            copies, qos = copies + former, (0, event.qos)
        levels = {right.level(event) for right in self.rights}
        level = levels.pop() if len(levels) == 1 else MAY
        if level == NOT:
            return NOT, copies, qos
        return min(level, event.level, MUST if sure else MAY, self._reach(qos[0])), copies, qos

    def _reach(self, qos):
        if self.keeps(qos):
            return MUST
        if self.state == ON:
            return MAY if self.ending() is not None else MUST
        # Without a connection nobody gets anything but by resuming the session, for which it takes a bound id.
        if not self.persistent or "/" not in self.client_id:
            return NOT
        return MAY if self.state == UNSURE or self._may_bind() else NOT

    def _may_bind(self):
        return any(right.identity.binds(self.client_id) for right in self.rights)

    def ending(self):
        """Since when the broker may end the connection, apart from its token's deadline; None: it may not."""
        moments = [self.kicked] + [right.revoked for right in self.rights]
        return min((moment for moment in moments if moment is not None), default=None)

    def due(self, on_expiry):
        """When the connection has to be ended; None when no moment is known."""
        never = float("inf")
        ends = [(right.identity.deadline_s if on_expiry else never) if right.revoked is None else right.revoked
                for right in self.rights]
        moment = min(never if self.kicked is None else self.kicked, max(ends, default=never))
        return None if moment == never else moment

    def may_end(self, now, on_expiry):
        deadlines = [right.identity.deadline_s for right in self.rights if on_expiry]
        return self.ending() is not None or (bool(deadlines) and now >= min(deadlines))

    def disconnected(self, state):
        """The connection is gone: what is not kept for the next one may be lost."""
        self.state, self.kicked = state, None
        for expect in self.expects.values():
            expect.again = True
            if expect.level == MUST and not (self.persistent and expect.qos[0] > 0):
                expect.level = MAY

    def resumed(self, right, sent, answered):
        """Another connection took it up with an identity, which decides about what was waiting."""
        self.disconnected(ON)
        self.former_identities += [each.identity for each in self.rights]
        self.rights = [right]
        for name, expect in list(self.expects.items()):
            if not right.identity.serves(expect.event.org):
                del self.expects[name]
            elif answered >= right.identity.deadline_s:
                expect.level = MAY

    def after_restart(self, graceful):
        """What a restarted broker has of it, or None."""
        if not self.persistent:
            return None
        kept = copy.copy(self)
        kept.rights, kept.state, kept.certain, kept.kicked = [], OFF, False, None
        kept.will = kept.replay = None
        kept.former_filters, kept.former_identities = set(), []
        kept.filters, kept.maybe_filters = dict(self.filters), dict(self.maybe_filters)
        kept.expects = {}
        for name, expect in self.expects.items():
            if expect.qos[1] > 0:
                level = expect.level if graceful and expect.qos[0] > 0 else MAY
                got = expect.got if graceful else 0
                kept.expects[name] = Expect(expect.event, level, expect.copies, expect.qos, got, True)
        return kept


class Revocations:
    """By (kind, name): the moment that `iat` is compared with; None for a jti."""

    def __init__(self):
        self.held = {}
        self.jti_deadlines = {}

    def add(self, kind, name, before):
        if kind == "jti":
            self.held[kind, name] = None
        else:
            self.held[kind, name] = max(before, self.held.get((kind, name), before))

    def remove(self, kind, name):
        del self.held[kind, name]

    def names(self, identity):
        """The pairs that revoke the identity."""
        pairs = [("subject", identity.subject)] + [("organizationId", org) for org in identity.orgs]
        out = [pair for pair in pairs if pair in self.held and identity.issued_s < self.held[pair]]
        if ("jti", identity.jti) in self.held:
            out.append(("jti", identity.jti))
        return out

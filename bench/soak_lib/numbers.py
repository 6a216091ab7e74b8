# SPDX-License-Identifier: MIT
"""The numbers that events have, as far as anybody has seen them: each organization's go up by one from 1 in the
order in which the events were published, in an epoch that no earlier life of the broker had."""

import json
import re
from dataclasses import dataclass, field

PLACE = re.compile(r"[0-9a-f]{16} [0-9]{20}")
# Whose events may still arrive, at sessions that outlive the broker.
LIVES_KEPT = 4


def content(told):
    """What is compared of an event that was sent and one that came, apart from the number."""
    return hash(json.dumps({name: value for name, value in told.items() if name not in ("epoch", "sequence")},
                           sort_keys=True))


def place_of(payload):
    """((epoch, number), the event), or (None, None) when it has none."""
    try:
        told = json.loads(payload)
        text = f"{told['epoch']} {told['sequence']}"
    except (ValueError, KeyError, TypeError):
        return None, None
    if not PLACE.fullmatch(text):
        return None, None
    return (told["epoch"], int(told["sequence"])), told


@dataclass
class Stream:
    """An organization's events in one life of the broker."""

    epoch: str = None  # when it is known
    top: int = 0  # a number that is certainly taken, and so are all below
    events: dict = field(default_factory=dict)  # by number: those that were seen
    loose: dict = field(default_factory=dict)  # by name: those that may have a number and were not seen

    @property
    def holes(self):
        return self.top - len(self.events)


class Numbers:
    def __init__(self):
        self.life = -1
        self.streams = {}  # by (life, organization)
        self.epochs = {}  # by epoch: the life that it was seen in

    def begin(self):
        """A broker that starts numbers anew."""
        self.life += 1
        self.streams = {key: stream for key, stream in self.streams.items() if key[0] > self.life - LIVES_KEPT}

    def stream(self, org, life=None):
        return self.streams.setdefault((self.life if life is None else life, org), Stream())

    def present(self):
        return [(org, stream) for (life, org), stream in self.streams.items() if life == self.life]

    def learn_epoch(self, stream, life, epoch):
        """What is wrong with an epoch that was told, or None."""
        if stream.epoch is None:
            if self.epochs.setdefault(epoch, life) != life:
                return f"epoch {epoch} is that of an earlier broker"
            stream.epoch = epoch
        return None if stream.epoch == epoch else f"epoch {epoch} instead of {stream.epoch}"

    def observe(self, event, payload, place, told):
        """What is wrong with the number of an event that arrived, or None."""
        if place is None:
            return "has no number"
        if event.place:
            return None if (place, hash(payload)) == (event.place, event.digest) else (
                f"is {place} now, and was {event.place}, or other bytes")
        if content(told) != event.content:
            return "is not what was published"
        if event.life > self.life - LIVES_KEPT:
            stream = self.stream(event.org, event.life)
            wrong = self.learn_epoch(stream, event.life, place[0]) or self._wrong_number(stream, event, place[1])
            if wrong:
                return wrong
            stream.events[place[1]] = event
            stream.top = max(stream.top, place[1])
            stream.loose.pop(event.name, None)
        event.place, event.digest = place, hash(payload)
        return None

    @staticmethod
    def _wrong_number(stream, event, number):
        if number < 1 or number in stream.events:
            return f"has the number {number}, of {stream.events.get(number)}"
        before, after = stream.events.get(number - 1), stream.events.get(number + 1)
        # A Will comes whenever the broker notices the end of a connection.
        if not event.will and (
                (before and not before.will and before.number > event.number) or
                (after and not after.will and after.number < event.number)):
            return f"has the number {number}, between {before} and {after}"
        return None


@dataclass
class Replay:
    """What somebody asked for, and what came of it."""

    org: str
    epoch: str
    after: int
    limit: int  # events at most
    exact: bool = False  # nothing may be left out
    got: list = field(default_factory=list)

    def takes(self, event, delivery, place):
        """Whether a delivery is the next of it; one that is not has to be a live one."""
        last = self.got[-1] if self.got else self.after
        if delivery.qos or delivery.dup or event.org != self.org or place is None or place[0] != self.epoch:
            return False
        number = place[1]
        if number > self.after + self.limit or number <= last or (
                number > last + 1 and (self.exact or event.will)):
            return False
        self.got.append(number)
        return True

# SPDX-License-Identifier: MIT
"""Publishing, and who has to get what."""

import json
import time

from events import event as cloud_event
from mqtt import V5, Closed

from soak_lib.model import CLOCK_LAG_S, MAY, MUST, NAMES, NOT, ON, REVOKE_S, Event, Expect
from soak_lib.numbers import content
from soak_lib.people import ORGS

KINDS = ("paid", "created", "sent", "notification")
NO_SUBSCRIBERS, REFUSED = 0x10, 0x87


def distribute(world, event):
    """Notes for each session whether the event may and must reach it. Its publish has been answered."""
    world.counts["event"] += 1
    for session in world.sessions.values():
        level, copies, qos = session.level(event)
        if copies:
            world.levels[NAMES[level]] += 1
        if level != NOT:
            session.expects[event.name] = Expect(event, level, copies, qos)


def new_event(world, publisher, qos, org=None, kind=None):
    """(event, payload)"""
    number = next(world.event_numbers)
    org = org or world.rng.choice(ORGS)
    topic, payload = cloud_event(org, kind or world.rng.choice(KINDS), f"e{number}")
    return Event(number, org, topic, publisher, qos, content=content(json.loads(payload)),
                 life=world.numbers.life), payload


def right_to_publish(right, event, retain):
    identity = right.identity
    if not identity.may_publish(event.org) or "/invoices/" not in event.topic or retain:
        return NOT
    if event.sent >= identity.deadline_s + CLOCK_LAG_S:
        return NOT
    if right.revoked is not None:
        return NOT if event.sent >= right.revoked + REVOKE_S else MAY
    return MUST if event.answered < identity.deadline_s else MAY


def acceptance(session, event, retain):
    """Whether the broker takes the event from the session. Its publish has been answered."""
    levels = {right_to_publish(right, event, retain) for right in session.rights}
    level = levels.pop() if len(levels) == 1 else MAY
    return min(level, MUST if session.state == ON and session.ending() is None else MAY)


def judge(world, slot, event, code):
    """What an MQTT 5 broker said about a publish settles whether it took it."""
    if code not in (0, NO_SUBSCRIBERS, REFUSED):
        world.fail(f"reason {code:#x} for the publish of {slot}", slot, event)
    if code == REFUSED and event.level == MUST:
        world.fail(f"refused the publish of {slot}", slot, event)
    if code != REFUSED and event.level == NOT:
        world.fail(f"took the publish of {slot}", slot, event)
    event.level = NOT if code == REFUSED else MUST


def publish(world, slot, batch, retain=False):
    """Publishes (event, payload) pairs, and works out what follows."""
    wire, qos = slot.wire, batch[0][0].qos
    for event, _ in batch:
        world.remember(event)
    sent = time.time()
    try:
        codes = wire.publish_many([(event.topic, payload) for event, payload in batch], qos, retain)
    except Closed:
        codes = [None] * len(batch)
    answered = time.time()
    for (event, _), code in zip(batch, codes):
        event.sent, event.answered = sent, answered
        event.level = acceptance(slot.session, event, retain)
        if code is None:
            event.level = min(event.level, MAY)
        elif wire.version == V5 and qos > 0:
            judge(world, slot, event, code)
        if event.level == MAY:
            world.numbers.stream(event.org).loose[event.name] = event
        if event.level != NOT:
            distribute(world, event)
        else:
            world.counts["event refused"] += 1
    if None in codes:
        world.ended(slot)


def backend_publishes(world):
    rng = world.rng
    qos = rng.choice((1, 1, 1, 1, 0, 2))
    org = rng.choice((None, rng.choice(ORGS)))
    batch = [new_event(world, "backend", qos, org) for _ in range(rng.randint(1, 8 if qos == 1 else 2))]
    world.did("publish", None, f"{batch[0][0].name}..{batch[-1][0].name} qos {qos}")
    publish(world, world.backend, batch)


def member_publishes(world, slot):
    """One event, into an organization that may be its own or not."""
    rng = world.rng
    qos, retain = rng.choice((0, 1, 1, 2)), rng.random() < 0.1
    event, payload = new_event(world, slot.session.client_id, qos)
    if rng.random() < 0.1:
        event.topic = f"org/{event.org}/orders/{event.name}"
    world.did("member publish", slot, f"{event.topic} qos {qos} retain {retain}")
    publish(world, slot, [(event, payload)], retain)

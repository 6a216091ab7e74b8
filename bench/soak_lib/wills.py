# SPDX-License-Identifier: MIT
"""Events that are the Wills of connections: who has one, and what comes of it when the connection ends."""

import time

from mqtt import PATIENCE, Closed, Timeout, Will

from soak_lib.model import MAY, MUST, NOT
from soak_lib.publishing import distribute, new_event, right_to_publish

# How long the broker may take to notice that a connection is gone.
NOTICED_S = 5
# How long is waited for what may be published or not, by a connection whose end is noticed at some time.
PERHAPS_S = 0.15
# After so many answers on one connection the broker's loop has gone round.
ROUNDS = 3


def make_will(world, client_id, orgs):
    """(event, Will), or (None, None): most have none."""
    rng = world.rng
    if rng.random() > 0.35:
        return None, None
    event, payload = new_event(world, client_id, rng.choice((0, 1, 1, 2)),
                               rng.choice(sorted(orgs) or [None]) if rng.random() < 0.85 else None)
    event.will, event.retain, event.level = True, rng.random() < 0.1, MAY
    return event, Will(event.topic, payload, event.qos, event.retain)


def judge(session, event, way, kicked, ending):
    """Whether the broker takes the Will of a connection that has ended so. The last two are of the session
    before that."""
    if way == "disconnect" and kicked is None:
        return NOT
    if way is None or kicked is not None:
        # By the broker, some time ago, or perhaps: it may have carried out the kick before it read anything else.
        possible = any(right.identity.may_publish(event.org) for right in session.rights)
        return MAY if possible and not event.retain else NOT
    levels = {right_to_publish(right, event, event.retain) for right in session.rights}
    level = levels.pop() if len(levels) == 1 else MAY
    return level if ending is None else min(level, MAY)


def wait_for_it(world, event, seconds):
    """Whether somebody who gets everything has it. Looks without judging what else there is."""
    wire = world.follower.wire
    rounds, until = 0, time.monotonic() + seconds
    while wire:
        try:
            wire.round()
        except (Closed, Timeout):
            world.check_alive()
            world.fail("the follower was disconnected", world.follower)
        if any(delivery.topic == event.topic for delivery in wire.deliveries):
            return True
        rounds += 1
        if rounds >= ROUNDS and time.monotonic() > until:
            break
    return False


def last_will(world, session, state, way, prompt):
    """A connection has ended in that way: by "disconnect", "hang up", "vanish", or by the broker (None).
    prompt: the broker had noticed the end when the driver did."""
    known = session.kicked, session.ending()
    world.gone(session, state)
    event, session.will = session.will, None
    if event is None:
        return
    event.sent = event.answered = session.left if way else time.time()
    event.level = judge(session, event, way, *known)
    if event.level == NOT:
        world.counts["will kept back"] += 1
        if event.place:
            world.fail(f"the Will of {session.client_id} was published after {way or 'its rights had ended'}", None,
                       event, session)
        return
    world.remember(event)
    if event.level == MUST:
        seconds = NOTICED_S * PATIENCE
    else:
        seconds = 0 if prompt else PERHAPS_S
    before = event.place is not None
    seen = before or wait_for_it(world, event, seconds)
    event.answered = time.time()
    level = judge(session, event, way, *known)
    if level == MUST and not seen:
        world.fail(f"the Will of {session.client_id} was not published", None, event, session)
    # Who was there when a kick brought it is not known any more.
    event.level = MUST if seen and not before and way in ("hang up", "vanish") else MAY
    world.counts["will"] += bool(seen)
    if not event.place:
        world.numbers.stream(event.org).loose[event.name] = event
    distribute(world, event)


def all_may_come(world):
    """The broker ends, and publishes the Wills of those that are connected, or not."""
    for slot in world.connected():
        event, slot.session.will = slot.session.will, None
        if event:
            event.sent = event.answered = time.time()
            event.level = judge(slot.session, event, None, None, None)
            world.remember(event)
            if event.level != NOT:
                distribute(world, event)

# SPDX-License-Identifier: MIT
"""The commands `position` and `replay`, and that what they tell and send is what was published."""

import collections
import time

from mqtt import PATIENCE

from soak_lib.commands import ask, check_code, rights_now, surely_on
from soak_lib.numbers import PLACE, Replay
from soak_lib.people import ADMIN, ORGS

PAGE_EVENTS = 512
# What a connection may be sent at once, and then a second, and from where on replays wait. An event takes its bytes and
# some for the broker's bookkeeping: at least the one, at most the other.
ACCOUNT, REFILL_PER_S, RESERVE = 16 << 20, 512 << 10, 2 << 20
EVENT_LEAST, EVENT_MOST = 800, 2000
MEMORY_S = 20
WAIT_S = 0.25


def account(world, client_id):
    """(time, events) of what replays sent to the client id lately."""
    sent = world.replayed.setdefault(client_id, collections.deque())
    while sent and sent[0][0] < time.monotonic() - MEMORY_S:
        sent.popleft()
    return sent


def limited(world, client_id):
    """Whether a client that asks now may be told to wait."""
    return sum(events for _, events in account(world, client_id)) * EVENT_MOST > (ACCOUNT - RESERVE) // 2


def pick_org(world, identity):
    rng = world.rng
    return rng.choice(sorted(identity.orgs) or ORGS) if rng.random() < 0.85 else rng.choice(ORGS)


def pick_epoch(world, stream):
    rng = world.rng
    if stream.epoch and rng.random() < 0.88:
        return stream.epoch
    return rng.choice([*world.numbers.epochs, f"{rng.randrange(2 ** 64):016x}", (stream.epoch or "0") + "0", ""])


def pick_after(world, stream):
    rng, top, kept = world.rng, stream.top, world.kept
    edge = max(top - kept, 0)
    return max(0, rng.choice((top, top - 1, top - rng.randint(0, kept), top - rng.randint(0, kept), edge - 1, edge,
                              edge + 1, 0, rng.randint(0, top), top + 1, top + rng.randint(1, 300), 2 ** 63 - 1)))


def objections(session, org, sent, answered):
    """(errors that the command must get, those that it may get)."""
    must, may = rights_now(session, sent, answered)
    (right,) = session.rights
    if not right.identity.serves(org):
        must.add("topic_not_allowed")
    elif not right.identity.subscribes:
        must.add("scope_missing")
    return must, may


def told_place(world, slot, org, data):
    """The number of an answer, whose epoch is compared."""
    stream = world.numbers.stream(org)
    if not PLACE.fullmatch(f"{data['epoch']} {data['sequence']}"):
        world.fail(f"{slot} was told {data}", slot)
    wrong = world.numbers.learn_epoch(stream, world.numbers.life, data["epoch"])
    if wrong:
        world.fail(f"{slot} was told of {org}: {wrong}", slot)
    return int(data["sequence"])


def tops(world, org, before):
    """(least, most) that the last number may have been since it was `before`."""
    world.follow()
    stream = world.numbers.stream(org)
    return before, stream.top + max(0, len(stream.loose) + world.wills_pending(org) - stream.holes)


def raise_top(world, org, number):
    stream = world.numbers.stream(org)
    stream.top = max(stream.top, number)


# -- position --------------------------------------------------------------------------------------


def position(world, slot):
    world.follow()
    session = slot.session
    org = pick_org(world, session.identity)
    before = world.numbers.stream(org).top
    world.did("position", slot, org)
    sent = time.time()
    responses = ask(world, slot, {"command": "position", "organizationId": org})
    if responses is None:
        return
    must, may = objections(session, org, sent, time.time())
    if not check_code(world, slot, "position", responses[0], must, may):
        world.counts["position refused"] += 1
        return
    number = told_place(world, slot, org, responses[0]["data"])
    least, most = tops(world, org, before)
    if not least <= number <= most:
        world.fail(f"the position of {org} is told as {number}, and is from {least} to {most}", slot)
    raise_top(world, org, number)


# -- replay ----------------------------------------------------------------------------------------


def page(world, slot, org, epoch, after):
    """The answer's data; "wait", "refused" or "gone"."""
    rng, session = world.rng, slot.session
    stream = world.numbers.stream(org)
    before, sent = stream.top, time.time()
    must, _ = objections(session, org, sent, sent)
    replay = Replay(org, epoch, after, PAGE_EVENTS)
    if not must and stream.epoch == epoch:
        session.replay = replay
    limit = limited(world, session.client_id)
    number = rng.choice((after, str(after), f"{after:020}"))
    responses = ask(world, slot, {"command": "replay", "organizationId": org, "epoch": epoch, "after": number})
    if responses is None:
        session.replay = None
        return "gone"
    must, may = objections(session, org, sent, time.time())
    # The broker looks at the rights again when it sends.
    replay.exact = not may and session.ending() is None
    world.read_inbox(slot)
    session.replay = None
    if not check_code(world, slot, "replay", responses[0], must, may | ({"limit_rate"} if limit else set())):
        if replay.got:
            world.fail(f"a replay that was refused sent {replay.got} to {slot}", slot)
        world.counts[f"replay {responses[0]['code']}"] += 1
        return "wait" if responses[0]["code"] == "limit_rate" else "refused"
    check_page(world, slot, replay, responses[0]["data"], before)
    account(world, session.client_id).append((time.monotonic(), responses[0]["data"].get("replayed", 0)))
    return responses[0]["data"]


def check_page(world, slot, replay, data, before):
    """The answer has to be the model's, and the events those behind `after`."""
    org, after, got = replay.org, replay.after, replay.got
    number = told_place(world, slot, org, data)
    epoch = world.numbers.stream(org).epoch
    least, most = tops(world, org, before)

    def fail(text):
        world.fail(f"replay of {org} behind {after} for {slot}: {text}; told {data}, got {got}, the last number "
                   f"is from {least} to {most}, {world.kept} are kept", slot)

    if not data["recovered"]:
        if not least <= number <= most or set(data) != {"recovered", "epoch", "sequence"}:
            fail("the position is wrong")
        if replay.epoch == epoch and after <= number <= after + world.kept:
            fail("it is all kept")
        if got:
            fail("nothing should have been sent")
        raise_top(world, org, number)
        world.counts["replay not recovered"] += 1
        return
    count = data["replayed"]
    if replay.epoch != epoch or after > most or least - after > world.kept:
        fail("it cannot be recovered")
    if number != after + count or count > PAGE_EVENTS:
        fail("the counts do not fit")
    if data["more"] and (count != PAGE_EVENTS or number >= most):
        fail("there are no more")
    if not data["more"] and not least <= number <= most:
        fail("there are more")
    if replay.exact and got != list(range(after + 1, number + 1)) or got and got[-1] > number:
        fail("these are not the events")
    raise_top(world, org, number + bool(data["more"]))
    world.counts["replay recovered"] += 1
    world.counts["replayed event"] += len(got)


def ready(world, slot):
    """Whether the slot has nothing on the way, so that what comes now comes of the replay."""
    world.follow()
    return world.settle(slot)


def replays(world, slot):
    """Asks for what is behind some number, and goes on as long as there is more."""
    if not ready(world, slot):
        return
    org = pick_org(world, slot.session.identity)
    stream = world.numbers.stream(org)
    epoch, after = pick_epoch(world, stream), pick_after(world, stream)
    world.did("replay", slot, f"{org} epoch {epoch!r} after {after} of {stream.top}")
    until = time.monotonic() + 5 * PATIENCE
    while True:
        data = page(world, slot, org, epoch, after)
        if data == "wait":
            if time.monotonic() > until:
                world.fail(f"replay is refused for ever to {slot}", slot)
            time.sleep(WAIT_S)
            continue
        if data in ("gone", "refused"):
            return
        if not data.get("more"):
            return
        world.counts["replay page"] += 1
        after = int(data["sequence"])


def replays_late(world, slot):
    """One whose rights are over, or about to be, if there is any."""
    now = time.time()
    late = [each for each in world.connected() if not surely_on(each.session, now)]
    replays(world, world.rng.choice(late) if late else slot)


def replays_much(world, slot):
    """Asks for all that is kept until it is told to wait, and waits."""
    identity = slot.session.identity
    if identity.any_org or ADMIN in identity.scopes or not ready(world, slot):
        return
    org = pick_org(world, identity)
    stream = world.numbers.stream(org)
    world.did("replay burst", slot, org)
    begun, events = time.monotonic(), 0
    while True:
        data = page(world, slot, org, stream.epoch or "", max(stream.top - world.kept, 0))
        if data in ("gone", "refused") or data != "wait" and not data.get("replayed"):
            return
        if data == "wait":
            break
        events += data["replayed"]
        if events * EVENT_LEAST > ACCOUNT + REFILL_PER_S * (time.monotonic() - begun + 2):
            world.fail(f"{events} events replayed without a limit for {slot}", slot)
    if world.rng.random() < 0.5:
        replays(world, slot)

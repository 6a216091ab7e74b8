# SPDX-License-Identifier: MIT
"""What an operator does to the broker itself, and what is looked for in its logs and its memory."""

import re
import signal
import time

from mqtt import V5, wait_for

from soak_lib.commands import order
from soak_lib.connecting import connect, subscribe
from soak_lib.model import Session
from soak_lib.people import ADMIN, ANY_ORG, PUBLISH, SUBSCRIBE, Credential
from soak_lib.wills import all_may_come
from soak_lib.world import Failure

LIFE_S = 100_000
# How many events of an organization may be kept: fewer and more than a replay's page.
KEPT = (16, 64, 600)


def rss_kib(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))


def come_up(world):
    """Starts the broker, and connects those that are always there."""
    world.ends_on_expiry = world.rng.random() < 0.6
    world.kept = world.rng.choice(KEPT)
    world.numbers.begin()
    options = dict(world.broker.options, disconnect_on_expiry=str(world.ends_on_expiry).lower(),
                   replay_events_per_org=world.kept)
    world.broker.options = list(options.items())
    world.broker.start()
    world.memory.append([rss_kib(world.broker.process)] * 2)
    world.note(None, f"the broker is up, disconnect_on_expiry {world.ends_on_expiry}, "
                     f"{world.kept} events are kept")
    for slot, name, scopes in ((world.operator, "operator", {ANY_ORG, ADMIN}),
                               (world.backend, "backend", {ANY_ORG, PUBLISH}),
                               (world.follower, "follower", {ANY_ORG, SUBSCRIBE})):
        identity = world.mint.make(name, (), scopes, LIFE_S)
        connect(world, slot, name, Credential(identity.token, identity), V5, "tcp", False, True, 0,
                mortal=False)
    subscribe(world, world.follower, "org/+/invoices/#", 1)


def measure(world):
    world.memory[-1][1] = rss_kib(world.broker.process)


def sessions_kept(world, graceful):
    for slot in world.connected():
        world.read_inbox(slot)
    kept = [session.after_restart(graceful) for session in world.sessions.values()]
    return {session.client_id: session for session in kept if session}


def save(world):
    """SIGUSR1: the broker writes down its sessions, which a kill leaves it with."""
    world.did("save")
    at = world.broker.mark()
    world.broker.process.send_signal(signal.SIGUSR1)
    world.broker.wait_log(r"Saving in-memory database", at)
    # It writes in the loop, and answers nobody meanwhile.
    world.settle(world.backend)
    world.saved = sessions_kept(world, graceful=False)


def restart(world, kill):
    """With SIGTERM it keeps what it has; with SIGKILL what it saved last."""
    world.did("kill" if kill else "restart")
    measure(world)
    if kill:
        world.check_running()
        world.broker.kill()
    else:
        all_may_come(world)
        world.saved = sessions_kept(world, graceful=True)
        world.broker.stop()
    for slot in (*world.slots, world.backend, world.operator, world.follower):
        if slot.wire:
            slot.wire.read_to_end()
            # What was on the way is no less allowed for the broker's end.
            world.read_inbox(slot)
            slot.wire = slot.session = None
    world.sessions, world.last_subjects = world.saved, {}
    world.saved = {name: copy_of(session) for name, session in world.saved.items()}
    come_up(world)


def copy_of(session):
    kept = session.after_restart(graceful=False)
    assert isinstance(kept, Session)
    return kept


def reload(world):
    """SIGHUP, with the audit log's rotation."""
    world.did("sighup")
    # One that comes while the broker carries out the last is lost: its loop has to have gone round.
    for _ in range(2):
        world.settle(world.backend)
    old = world.audit_path.with_suffix(".old")
    world.audit_path.rename(old)
    world.broker.reload()
    # It is made for its first line.
    order(world, command="stats")
    wait_for(world.audit_path.exists, "the new audit log")
    search(world, old)
    old.unlink()


def hint_reload(world):
    """SIGHUP without waiting for it: what comes next meets it half-way."""
    world.did("sighup at once")
    world.broker.process.send_signal(signal.SIGHUP)


def search(world, path):
    """No line may hold a token's bytes: neither its signature nor the beginning of its claims."""
    with open(path, "rb") as file:
        for line in file:
            for word in re.findall(rb"[A-Za-z0-9_-]{20,}", line):
                text = word.decode()
                found = "eyJ" in text or any(text[at:at + 20] in world.mint.signatures
                                             for at in range(len(text) - 19))
                if found:
                    raise Failure(f"{path.name} holds a part of a token: {line.decode(errors='replace')}")


def finish(world):
    """The last look: everything has arrived, the broker ends well, the logs hold nothing."""
    for slot in world.connected():
        world.settle(slot)
    world.settle(world.backend)
    measure(world)
    world.broker.stop()
    search(world, world.broker.log_path)
    search(world, world.audit_path)


def check_memory(world, growth_kib):
    for start, end in world.memory:
        if end - start > growth_kib:
            raise Failure(f"the broker grew from {start} to {end} KiB")


def pause(world):
    """Time passes, so that tokens expire with nothing going on."""
    world.did("pause")
    time.sleep(world.rng.choice((0.05, 0.2, 0.5)))

# SPDX-License-Identifier: MIT
"""The choice of what comes next, and the report."""

import sys
import time
import traceback

from soak_lib import commands, connecting, publishing, replaying, upkeep
from soak_lib.world import Failure, World

PROGRESS_S = 10
GROWTH_KIB, GROWTH_KIB_CHECKED = 64 * 1024, 1024 * 1024

# Weight, and what is done: to a connection, to a slot without one, to the whole.
TO_ONE = ((14, "settle"), (8, publishing.member_publishes), (5, connecting.subscribes),
          (2, connecting.unsubscribes), (4, connecting.leaves), (8, commands.refreshes), (1, commands.whoami),
          (1, commands.oversteps), (5, replaying.replays), (1, replaying.replays_late),
          (0.1, replaying.replays_much), (1.5, replaying.position))
TO_FREE = ((12, connecting.connects), (5, connecting.comes_back))
TO_ALL = ((40, publishing.backend_publishes), (2, commands.kicks), (1.5, commands.revokes),
          (1.5, commands.unrevokes), (0.5, commands.lists_revocations), (0.7, commands.lists_sessions),
          (0.3, commands.stats), (0.3, upkeep.reload), (0.3, upkeep.hint_reload), (0.3, upkeep.save),
          (0.05, lambda world: upkeep.restart(world, kill=True)),
          (0.03, lambda world: upkeep.restart(world, kill=False)), (0.5, upkeep.pause))


class Soak:
    def __init__(self, folder, seed, clients, checked):
        self.seed = seed
        self.world = World(folder, seed, clients)
        self.growth_kib = GROWTH_KIB_CHECKED if checked else GROWTH_KIB
        self.told = time.monotonic()

    def run(self, until):
        """0 when nothing was wrong."""
        world = self.world
        try:
            upkeep.come_up(world)
            while time.monotonic() < until:
                self.step()
                world.follow()
                world.sweep()
                self.progress()
            upkeep.finish(world)
            upkeep.check_memory(world, self.growth_kib)
        except Failure as err:
            print(f"soak: FAILED with seed {self.seed} after {time.monotonic() - world.started:.1f} s: {err}")
            return 1
        except Exception:  # the driver's own mistake, or an answer that nobody thought of
            traceback.print_exc()
            print(f"soak: FAILED with seed {self.seed}")
            return 1
        self.report()
        print("soak: clean")
        return 0

    def end(self):
        self.world.broker.kill()

    def step(self):
        world, rng = self.world, self.world.rng
        choices = [(weight, action, None) for weight, action in TO_ALL]
        connected, free = world.connected(), world.free()
        if connected:
            choices += [(weight, action, connected) for weight, action in TO_ONE]
        if free:
            # The fuller it is, the less they come.
            share = 2 * len(free) / len(world.slots)
            choices += [(weight * share, action, free) for weight, action in TO_FREE]
        (_, action, slots), = rng.choices(choices, [weight for weight, _, _ in choices])
        if slots is None:
            action(world)
        elif action == "settle":
            world.counts["settle"] += 1
            world.settle(rng.choice(slots))
        else:
            action(world, rng.choice(slots))

    def progress(self):
        now = time.monotonic()
        if now < self.told + PROGRESS_S:
            return
        self.told = now
        counts = self.world.counts
        print(f"soak: {now - self.world.started:.0f} s, {counts['event']} events, {counts['delivery']} deliveries, "
              f"{len(self.world.connected())} connected, {counts['kill'] + counts['restart']} restarts",
              file=sys.stderr, flush=True)

    def report(self):
        world = self.world
        counts = ", ".join(f"{number} {name}" for name, number in sorted(world.counts.items()))
        levels = ", ".join(f"{number} {name}" for name, number in sorted(world.levels.items()))
        (start, _), (_, end) = world.memory[0], world.memory[-1]
        growth = max(after - before for before, after in world.memory)
        print(f"soak: seed {self.seed}: {counts}; events by session: {levels}; "
              f"RSS {start} KiB at the start, {end} KiB at the end, at most {growth} KiB more in one process")

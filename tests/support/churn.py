# SPDX-License-Identifier: MIT
"""Clients that come and go by the thousand, several at once, and how much memory the broker has meanwhile."""

import re
import time
from pathlib import Path

from control import TOPIC, answer
from events import event, topic
from mqtt import V5, V311, Client, Will
from tokens import claims, mint

AT_ONCE = 16
NOW = int(time.time())
# So many of each exist, so that what is kept for a name is kept once.
SUBJECTS, ORGS, KEPT = 2000, 500, 16


def rss_kib(broker):
    """The resident memory of the broker's process."""
    status = Path(f"/proc/{broker.process.pid}/status").read_text()
    return int(re.search(r"(?m)^VmRSS:\s+(\d+) kB", status).group(1))


class Guest:
    """One connection. What it does follows from its number."""

    def __init__(self, broker, key, number, token_number):
        self.broker, self.number = broker, number
        self.kind = number % 10
        self.kept = self.kind == 1
        self.version = V5 if number // 10 % 2 else V311
        # The ids of sessions that are kept carry an organization, and come back.
        self.org = "org-1" if self.kept else f"org-{token_number % ORGS}"
        self.refused = broker.plugin and self.kind == 0
        self.token = mint({"sub": f"user-{token_number % SUBJECTS}", "org_id": self.org, "jti": f"t-{token_number}",
                           "scope": "invoices:publish", "iat": NOW, "exp": NOW + 86400}, key)

    def arrive(self):
        self.client = Client(self.broker, self.version)
        client_id, token, more = f"guest-{self.number}", self.token, {}
        if self.kept:
            client_id = f"{self.org}/kept-{self.number // 10 % KEPT}"
            more = {"clean": False, "props": {"session_expiry": 600}}
        if self.kind == 2:
            more = {"will": Will(*event(self.org))}
        if self.kind == 0:
            token = token[:-8] + "AAAAAAAA"
        self.client.send(self.client.connect_packet(client_id, token, username="jwt", **more))

    def act(self):
        code = self.client.connack().code
        assert (code != 0) == bool(self.refused), f"CONNACK {code:#x}"
        if self.refused:
            return
        if self.kind in (1, 3, 4):
            self.client.subscribe([f"org/{self.org}/invoices/#", "org/somebody/#"])
        if self.kind in (4, 5):
            self.client.publish(*event(self.org))
            self.client.publish(topic("somebody"))
        if self.kind in (6, 7):
            self.client.publish(TOPIC, f'{{"commands":[{{"command":"refresh","token":"{self.token}"}}]}}')
            if self.broker.plugin:
                assert "data" in answer(self.client)[0]

    def leave(self):
        if self.refused or self.kind in (2, 3, 6):
            self.client.close()
        else:
            self.client.disconnect()


def churn(broker, key, numbers, tokens):
    """The guests of these numbers. They are gone for the broker when this returns."""
    for start in numbers[::AT_ONCE]:
        guests = [Guest(broker, key, number, number % tokens)
                  for number in range(start, min(start + AT_ONCE, numbers.stop))]
        for step in (Guest.arrive, Guest.act, Guest.leave):
            for guest in guests:
                step(guest)
    with Client(broker) as last:
        last.send(last.connect_packet("last", mint(claims(), key), username="jwt"))
        assert last.connack().code == 0
        last.disconnect()


def growth(broker, key, warm_up, count, tokens):
    """(before, after) in KiB, of a broker that was warmed up; with so many different tokens."""
    churn(broker, key, range(warm_up), tokens)
    before = rss_kib(broker)
    churn(broker, key, range(warm_up, warm_up + count), tokens)
    return before, rss_kib(broker)

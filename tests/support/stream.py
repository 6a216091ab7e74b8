# SPDX-License-Identifier: MIT
"""A client's view of an organization's numbered events: live ones and replayed ones, merged."""

import json
import time

import control
from mqtt import PUBLISH, TIMEOUT_S


def place(payload):
    """(epoch, sequence) of an event, the latter as a number."""
    event = json.loads(payload)
    return event["epoch"], int(event["sequence"])


class Follower:
    """Sees each event once, in order: by the rules of docs/events.md, with nothing but the numbers."""

    def __init__(self, organization, epoch, sequence):
        self.organization, self.epoch, self.sequence = organization, epoch, sequence
        self.seen = []      # (sequence, id) in the order in which they were passed on
        self.ahead = {}     # by sequence: came before their turn
        self.replays = 0

    def take(self, message):
        event = json.loads(message.payload)
        assert event["epoch"] == self.epoch
        sequence = int(event["sequence"])
        if sequence > self.sequence:
            self.ahead[sequence] = event["id"]
        while self.sequence + 1 in self.ahead:
            self.sequence += 1
            self.seen.append((self.sequence, self.ahead.pop(self.sequence)))

    def pump(self, client):
        inbox, client.inbox = client.inbox, []
        for message in inbox:
            if message.topic == control.RESPONSE:
                client.inbox.append(message)
            else:
                self.take(message)

    def catch_up(self, client):
        """Asks until nothing is missed. What lives on meanwhile comes in between."""
        while True:
            answer = control.ask(client, "replay", organizationId=self.organization, epoch=self.epoch,
                                 after=self.sequence)
            self.pump(client)
            if answer.get("code") == "limit_rate":
                time.sleep(0.2)
                continue
            self.replays += 1
            data = answer["data"]
            assert data["recovered"], data
            if not data["more"] and self.sequence >= int(data["sequence"]):
                return

    def follow(self, client, until, timeout_s=TIMEOUT_S):
        """Live, until that number; a gap is filled."""
        deadline = time.monotonic() + timeout_s
        while self.sequence < until:
            if self.ahead:
                self.catch_up(client)
                continue
            kind, flags, body = client.recv(deadline - time.monotonic())
            client._handle(kind, flags, body)
            if kind == PUBLISH:
                self.pump(client)

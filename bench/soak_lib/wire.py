# SPDX-License-Identifier: MIT
"""A connection as the soak wants it: deliveries with their DUP flag, answers to commands apart from
events, re-authentication, and the two ways to leave."""

import itertools
import json
import socket
import time
from dataclasses import dataclass

from mqtt import (AUTH, CONNACK, DISCONNECT, PUBACK, PUBLISH, PUBREL, TIMEOUT_S, V5, Client, Closed, Reader,
                  Timeout, packet, prefixed, properties)

CONTROL = "$CONTROL/orgcast/v1"
RESPONSE = CONTROL + "/response"
METHOD = "JWT"
REAUTHENTICATE = 0x19

_correlation = itertools.count()


@dataclass
class Delivery:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool

    def __str__(self):
        return f"{self.topic} qos {self.qos} retain {self.retain} dup {self.dup}"


class Wire(Client):
    def __init__(self, broker, version, transport):
        super().__init__(broker, version, transport)
        self.transport = transport
        self.deliveries, self.answers = [], []
        self.busy = 0

    def _handle(self, kind, flags, body):
        if kind in (PUBLISH, PUBREL):
            self.busy += 1
        if kind == PUBLISH:
            self._note(flags, Reader(body))
        # Where the acknowledgement no longer goes out, there may still be something to read.
        try:
            super()._handle(kind, flags, body)
        except Closed:
            pass
        self.inbox.clear()

    def _note(self, flags, read):
        topic, qos = read.binary().decode(), flags >> 1 & 3
        if qos:
            read.u16()
        if self.version == V5:
            read.properties()
        if topic == RESPONSE:
            self.answers.append(json.loads(read.rest()))
        else:
            self.deliveries.append(Delivery(topic, read.rest(), qos, bool(flags & 1), bool(flags & 8)))

    def round(self):
        """Everything that the broker had sent before it answered a ping; how many packets that were."""
        self.busy = 0
        self.ping()
        return self.busy

    def take_deliveries(self):
        out, self.deliveries = self.deliveries, []
        return out

    # -- more packets --------------------------------------------------------------------------

    def enter(self, client_id, credential, by_auth, username, clean, props, will=None):
        """CONNECT with a token as password, or by enhanced authentication; the CONNACK."""
        if not by_auth:
            return self.connect(client_id, credential, username=username, clean=clean, props=props, will=will)
        props = {**(props or {}), "auth_method": METHOD, "auth_data": credential}
        return self.connect(client_id, None, username=None, clean=clean, props=props, will=will)

    def reauthenticate(self, token):
        """True when the broker says so; raises Closed when it ends the connection."""
        body = bytes([REAUTHENTICATE]) + properties({"auth_method": METHOD, "auth_data": token})
        self.send(packet(AUTH, 0, body))
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            kind, flags, body = self.recv(deadline - time.monotonic())
            if kind == AUTH and (not body or body[0] == 0):
                return True
            if kind == CONNACK:
                raise RuntimeError("a second CONNACK, which MQTT forbids")
            # The plugin answers a refusal on Mosquitto 2.0 with another AUTH, and then ends the connection.
            if kind != AUTH:
                self._handle(kind, flags, body)

    def publish_many(self, messages, qos, retain=False):
        """Sends (topic, payload) pairs in one go, and waits until all are answered; their reason codes."""
        if qos != 1:
            return [self.publish(topic, payload, qos, retain) for topic, payload in messages]
        data, waiting = b"", {}
        for topic, payload in messages:
            number = self.next_id()
            waiting[number] = None
            body = prefixed(topic) + number.to_bytes(2, "big") + (b"\0" if self.version == V5 else b"")
            data += packet(PUBLISH, qos << 1 | retain, body + payload)
        self.send(data)
        for _ in messages:
            read = Reader(self.expect(PUBACK))
            number = read.u16()
            waiting[number] = read.u8() if read.at < len(read.data) else 0
        return list(waiting.values())

    # -- commands ------------------------------------------------------------------------------

    def ask(self, *commands, qos=1):
        """The responses to a request of these commands, in order."""
        mark = f"q-{next(_correlation)}"
        commands = [{**command, "correlationData": mark} for command in commands]
        self.publish(CONTROL, json.dumps({"commands": commands}), qos)
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            for answer in self.answers:
                if answer["responses"][0].get("correlationData") == mark:
                    self.answers.remove(answer)
                    return answer["responses"]
            self._handle(*self.recv(deadline - time.monotonic()))

    # -- the end -------------------------------------------------------------------------------

    def read_to_end(self, timeout_s=TIMEOUT_S):
        """Reads until the broker hangs up; True when it did."""
        try:
            self.wait_closed(timeout_s)
        except Timeout:
            return False
        except OSError:
            pass
        self.close()
        return True

    def leave(self, props=None):
        """DISCONNECT, and what was still on the way."""
        body = bytes([0]) + properties(props) if self.version == V5 and props else b""
        try:
            self.send(packet(DISCONNECT, 0, body))
        except Closed:
            pass
        return self.read_to_end()

    def hang_up(self):
        """The end of the stream without a DISCONNECT; waits until the broker hangs up too."""
        try:
            self.link.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return self.read_to_end()

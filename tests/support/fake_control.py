# SPDX-License-Identifier: MIT
"""A broker for one connection that answers control commands with whatever a test wants."""

import json
import socket
import struct
import threading

from mqtt import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    PUBACK,
    PUBLISH,
    SUBACK,
    SUBSCRIBE,
    TIMEOUT_S,
    Reader,
    packet,
    prefixed,
    properties,
)

RESPONSE = "$CONTROL/orgcast/v1/response"


def message(payload, topic=RESPONSE):
    """A PUBLISH packet."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return packet(PUBLISH, 0, prefixed(topic) + properties(None) + data)


def disconnect(reason):
    return packet(DISCONNECT, 0, bytes([reason, 0]))


def response(asked, **members):
    """The answer to a command, with what is given in place of or besides what belongs there; None takes a
    member out."""
    out = {"command": asked["command"], "correlationData": asked["correlationData"], "data": {}}
    out.update(members)
    return {"responses": [{name: value for name, value in out.items() if value is not None}]}


class FakeControl(threading.Thread):
    """Use as a context manager. reply(command) gives the bytes to send for a request, None to hang up.
    granted, acknowledged: the codes of SUBACK and PUBACK; None: says nothing at all from there on."""

    host = "127.0.0.1"

    def __init__(self, reply=lambda command: b"", granted=0, acknowledged=0):
        super().__init__(daemon=True)
        self.reply, self.granted, self.acknowledged = reply, granted, acknowledged
        self.commands, self.buffer = [], b""
        self.server = socket.create_server((self.host, 0))
        self.server.settimeout(TIMEOUT_S)
        self.ports = {"tcp": self.server.getsockname()[1]}

    def _next(self, link):
        """The next packet as (kind, flags, body); None at the end."""
        while True:
            length = shift = 0
            for at, digit in enumerate(self.buffer[1:5], 2):
                length |= (digit & 0x7F) << shift
                shift += 7
                if digit < 0x80:
                    if len(self.buffer) < at + length:
                        break
                    head, body = self.buffer[0], self.buffer[at:at + length]
                    self.buffer = self.buffer[at + length:]
                    return head >> 4, head & 15, body
            try:
                piece = link.recv(65536)
            except ConnectionResetError:  # it has gone without reading everything
                return None
            if not piece:
                return None
            self.buffer += piece

    def _publish(self, link, body):
        read = Reader(body)
        assert read.binary() == b"$CONTROL/orgcast/v1"
        number = read.u16()
        read.properties()
        request = json.loads(read.rest())
        assert list(request) == ["commands"] and len(request["commands"]) == 1
        self.commands.append(request["commands"][0])
        if self.acknowledged is None:
            return True
        link.sendall(packet(PUBACK, 0, struct.pack(">HB", number, self.acknowledged)))
        answer = self.reply(self.commands[-1])
        link.sendall(answer or b"")
        return answer is not None

    def run(self):
        link, _ = self.server.accept()
        with link:
            link.settimeout(TIMEOUT_S)
            while (got := self._next(link)) is not None:
                kind, _, body = got
                if kind == CONNECT:
                    link.sendall(packet(CONNACK, 0, b"\0\0" + properties(None)))
                elif kind == SUBSCRIBE and self.granted is not None:
                    link.sendall(packet(SUBACK, 0, body[:2] + properties(None) + bytes([self.granted])))
                elif kind == PUBLISH and not self._publish(link, body):
                    return

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.join()
        self.server.close()

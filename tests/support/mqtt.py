# SPDX-License-Identifier: MIT
"""A raw MQTT client for tests: it sends what it is told to, correct or not.

Versions are named as in the specifications' CONNECT packets: 3 (3.1), 4 (3.1.1), 5. One thread, blocking
sockets, every wait has a deadline. After `drain()` everything that the broker had queued for this
connection before the call has been read, so "nothing arrived" needs no waiting.
"""

import base64
import hashlib
import os
import select
import socket
import ssl
import struct
import time
from dataclasses import dataclass, field

V31, V311, V5 = 3, 4, 5
VERSIONS = (V31, V311, V5)
VERSION_NAMES = {V31: "3.1", V311: "3.1.1", V5: "5"}

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = (
    8, 9, 10, 11, 12, 13, 14, 15)

NOT_AUTHORIZED = 0x87
ADMINISTRATIVE_ACTION = 0x98

# Every deadline is multiplied by this: brokers under valgrind are slow.
PATIENCE = 12 if os.environ.get("ORGCAST_VALGRIND") == "1" else 1
TIMEOUT_S = 5 * PATIENCE

# MQTT 5 §2.2.2.2: identifier -> wire type
PROPERTY_TYPES = {
    0x01: "byte", 0x02: "u32", 0x03: "str", 0x08: "str", 0x09: "bin", 0x0B: "varint", 0x11: "u32",
    0x12: "str", 0x13: "u16", 0x15: "str", 0x16: "bin", 0x17: "byte", 0x18: "u32", 0x19: "byte",
    0x1A: "str", 0x1C: "str", 0x1F: "str", 0x21: "u16", 0x22: "u16", 0x23: "u16", 0x24: "byte",
    0x25: "byte", 0x26: "pair", 0x27: "u32", 0x28: "byte", 0x29: "byte", 0x2A: "byte",
}
PROPERTIES = {
    "payload_format": 0x01, "message_expiry": 0x02, "content_type": 0x03, "response_topic": 0x08,
    "correlation_data": 0x09, "subscription_id": 0x0B, "session_expiry": 0x11,
    "assigned_client_id": 0x12, "auth_method": 0x15, "auth_data": 0x16, "will_delay": 0x18,
    "reason_string": 0x1F, "receive_maximum": 0x21, "topic_alias_maximum": 0x22, "topic_alias": 0x23,
    "user_property": 0x26,
}
PROPERTY_NAMES = {number: name for name, number in PROPERTIES.items()}


class Closed(Exception):
    """The other side closed the connection. `reason` is that of a DISCONNECT, if one came first."""

    def __init__(self, reason=None):
        super().__init__(f"connection closed (DISCONNECT reason {reason})")
        self.reason = reason


class Timeout(Exception):
    pass


def _bytes(value):
    return value if isinstance(value, bytes) else value.encode()


def prefixed(value):
    data = _bytes(value)
    return struct.pack(">H", len(data)) + data


def varint(number):
    out = b""
    while True:
        number, digit = divmod(number, 128)
        out += bytes([digit | (0x80 if number else 0)])
        if not number:
            return out


def packet(kind, flags, body):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def properties(values):
    """{"session_expiry": 10, …} (or numbers as keys) as a property block with its length."""
    out = b""
    for name, value in (values or {}).items():
        number = PROPERTIES[name] if isinstance(name, str) else name
        kind = PROPERTY_TYPES[number]
        out += bytes([number])
        if kind == "byte":
            out += bytes([value])
        elif kind == "u16":
            out += struct.pack(">H", value)
        elif kind == "u32":
            out += struct.pack(">I", value)
        elif kind == "varint":
            out += varint(value)
        elif kind == "pair":
            out += prefixed(value[0]) + prefixed(value[1])
        else:
            out += prefixed(value)
    return varint(len(out)) + out


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        out = self.data[self.at:self.at + count]
        assert len(out) == count, "short packet"
        self.at += count
        return out

    def u8(self):
        return self.take(1)[0]

    def u16(self):
        return struct.unpack(">H", self.take(2))[0]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def binary(self):
        return self.take(self.u16())

    def varint(self):
        number = shift = 0
        while True:
            digit = self.u8()
            number |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                return number

    def rest(self):
        return self.take(len(self.data) - self.at)

    def properties(self):
        end = self.varint()
        end += self.at
        out = {}
        while self.at < end:
            number = self.u8()
            kind = PROPERTY_TYPES[number]
            if kind == "byte":
                value = self.u8()
            elif kind == "u16":
                value = self.u16()
            elif kind == "u32":
                value = self.u32()
            elif kind == "varint":
                value = self.varint()
            elif kind == "pair":
                value = (self.binary().decode(), self.binary().decode())
            elif kind == "str":
                value = self.binary().decode()
            else:
                value = self.binary()
            out[PROPERTY_NAMES.get(number, number)] = value
        return out


@dataclass
class Will:
    topic: str
    payload: bytes = b"{}"
    qos: int = 0
    retain: bool = False
    properties: dict = field(default_factory=dict)


@dataclass
class Connack:
    code: int
    session_present: bool
    properties: dict


@dataclass
class Message:
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: dict


class TcpTransport:
    def __init__(self, address, tls_context=None):
        self.sock = socket.create_connection(address, timeout=TIMEOUT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls_context is not None:
            self.sock = tls_context.wrap_socket(self.sock, server_hostname="localhost")

    def send(self, data):
        self.sock.settimeout(TIMEOUT_S)
        self.sock.sendall(data)

    def recv(self, timeout_s):
        """Some bytes, b"" at the end of the stream; raises Timeout."""
        pending = self.sock.pending() if isinstance(self.sock, ssl.SSLSocket) else 0
        # select() knows no descriptor above 1023.
        poller = select.poll()
        poller.register(self.sock, select.POLLIN)
        if not pending and not poller.poll(max(timeout_s, 0) * 1000):
            raise Timeout()
        self.sock.settimeout(max(timeout_s, 0.05))
        try:
            return self.sock.recv(65536)
        except TimeoutError as err:
            raise Timeout() from err
        except (ConnectionError, ssl.SSLError):
            return b""

    def close(self):
        self.sock.close()


class WebSocketTransport(TcpTransport):
    """RFC 6455, client side: one binary message for each packet that is sent."""

    def __init__(self, address, tls_context=None, subprotocol="mqtt", path="/mqtt"):
        super().__init__(address, tls_context)
        key = base64.b64encode(os.urandom(16)).decode()
        super().send((
            f"GET {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {subprotocol}\r\nOrigin: http://localhost\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = super().recv(TIMEOUT_S)
            if not piece:
                raise Closed()
            head += piece
        head, self.raw = head.split(b"\r\n\r\n", 1)
        assert b" 101 " in head.split(b"\r\n", 1)[0] + b" ", head
        accept = base64.b64encode(hashlib.sha1(
            (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        assert accept in head, head

    def send(self, data):
        self.send_frame(2, data)

    def send_frame(self, opcode, data, final=True):
        mask = os.urandom(4)
        head = bytes([(0x80 if final else 0) | opcode])
        if len(data) < 126:
            head += bytes([0x80 | len(data)])
        elif len(data) < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(data))
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", len(data))
        repeated = (mask * (len(data) // 4 + 1))[:len(data)]
        masked = (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(
            len(data), "big")
        super().send(head + mask + masked)

    def _frame(self):
        if len(self.raw) < 2:
            return None
        length, at = self.raw[1] & 0x7F, 2
        if length == 126:
            if len(self.raw) < 4:
                return None
            length, at = struct.unpack(">H", self.raw[2:4])[0], 4
        elif length == 127:
            if len(self.raw) < 10:
                return None
            length, at = struct.unpack(">Q", self.raw[2:10])[0], 10
        if len(self.raw) < at + length:
            return None
        opcode, body = self.raw[0] & 0x0F, self.raw[at:at + length]
        self.raw = self.raw[at + length:]
        return opcode, body

    def recv(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while True:
            frame = self._frame()
            if frame is None:
                piece = super().recv(deadline - time.monotonic())
                if not piece:
                    return b""
                self.raw += piece
            elif frame[0] in (0, 2):
                if frame[1]:
                    return frame[1]
            elif frame[0] == 8:
                return b""
            elif frame[0] == 9:
                self.send_frame(10, frame[1])


class HalvedTlsTransport(TcpTransport):
    """TLS whose records are sent in two halves, with `between` called after the first."""

    def __init__(self, address, tls_context):
        super().__init__(address)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = tls_context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.between = None
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                super().send(self.outgoing.read())
                self.incoming.write(super().recv(TIMEOUT_S))
        super().send(self.outgoing.read())

    def send(self, data):
        self.tls.write(data)
        record = self.outgoing.read()
        if self.between is None:
            super().send(record)
            return
        super().send(record[:len(record) // 2])
        self.between()
        super().send(record[len(record) // 2:])

    def recv(self, timeout_s):
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                piece = super().recv(deadline - time.monotonic())
                if not piece:
                    return b""
                self.incoming.write(piece)
            except ssl.SSLError:
                return b""


class Client:
    """One connection. `transport` is tcp, ws, tls or wss, looked up in `broker.ports`; "halved" is tls
    by HalvedTlsTransport."""

    def __init__(self, broker, version=V311, transport="tcp"):
        self.version = version
        self.inbox = []
        self.buffer = b""
        self.last_id = 0
        self.disconnect_reason = None
        if transport == "halved":
            self.link = HalvedTlsTransport((broker.host, broker.ports["tls"]), broker.tls_context())
            return
        context = broker.tls_context() if transport in ("tls", "wss") else None
        kind = WebSocketTransport if transport in ("ws", "wss") else TcpTransport
        subprotocol = {"subprotocol": "mqttv3.1" if version == V31 else "mqtt"}
        self.link = kind((broker.host, broker.ports[transport]), context,
                         **(subprotocol if kind is WebSocketTransport else {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # -- packets out ---------------------------------------------------------------------------

    def send(self, data):
        try:
            self.link.send(data)
        except (ConnectionError, ssl.SSLError) as err:
            raise Closed(self.disconnect_reason) from err

    def connect_packet(self, client_id="", password=None, username="", clean=True, will=None,
                       keepalive=0, props=None, flags=None):
        """`username=None` leaves the field out; `flags` overrides the connect flags. Without a keepalive, tests may set
        the broker's clock forward."""
        bits = 0x02 if clean else 0
        if will is not None:
            bits |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        if username is not None:
            bits |= 0x80
        if password is not None:
            bits |= 0x40
        name = "MQIsdp" if self.version == V31 else "MQTT"
        body = prefixed(name) + bytes([self.version, bits if flags is None else flags])
        body += struct.pack(">H", keepalive)
        if self.version == V5:
            body += properties(props)
        body += prefixed(client_id)
        if will is not None:
            if self.version == V5:
                body += properties(will.properties)
            body += prefixed(will.topic) + prefixed(will.payload)
        if username is not None:
            body += prefixed(username)
        if password is not None:
            body += prefixed(password)
        return packet(CONNECT, 0, body)

    def connect(self, client_id="", password=None, **more):
        """Sends CONNECT and gives the CONNACK; raises Closed when the broker only hangs up."""
        self.client_id = client_id
        self.send(self.connect_packet(client_id, password, **more))
        return self.connack()

    def connack(self):
        read = Reader(self.expect(CONNACK))
        present, code = read.u8() & 1, read.u8()
        return Connack(code, bool(present), read.properties() if self.version == V5 else {})

    def next_id(self):
        self.last_id = self.last_id % 65535 + 1
        return self.last_id

    def subscribe(self, filters, qos=0, props=None):
        """The SUBACK's codes, one a filter."""
        filters = [filters] if isinstance(filters, (str, bytes)) else filters
        body = struct.pack(">H", self.next_id())
        if self.version == V5:
            body += properties(props)
        for topic_filter in filters:
            body += prefixed(topic_filter) + bytes([qos])
        self.send(packet(SUBSCRIBE, 2, body))
        read = Reader(self.expect(SUBACK))
        read.u16()
        if self.version == V5:
            read.properties()
        return list(read.rest())

    def unsubscribe(self, topic_filter):
        """The UNSUBACK's codes (none before MQTT 5)."""
        body = struct.pack(">H", self.next_id())
        if self.version == V5:
            body += properties(None)
        self.send(packet(UNSUBSCRIBE, 2, body + prefixed(topic_filter)))
        read = Reader(self.expect(UNSUBACK))
        read.u16()
        if self.version == V5:
            read.properties()
        return list(read.rest())

    def send_publish(self, topic, payload=b"{}", qos=0, retain=False, props=None):
        body = prefixed(topic)
        if qos:
            body += struct.pack(">H", self.next_id())
        if self.version == V5:
            body += properties(props)
        self.send(packet(PUBLISH, qos << 1 | retain, body + _bytes(payload)))

    def publish(self, topic, payload=b"{}", qos=1, retain=False, props=None):
        """Waits until the broker has taken the message. The reason code of the answer (0 before
        MQTT 5, and for QoS 0, which is followed by a ping)."""
        self.send_publish(topic, payload, qos, retain, props)
        if qos == 0:
            self.ping()
            return 0
        code = self._ack_code(self.expect(PUBACK if qos == 1 else PUBREC))
        if qos == 2 and code < 0x80:
            self.send(packet(PUBREL, 2, struct.pack(">H", self.last_id)))
            self.expect(PUBCOMP)
        return code

    @staticmethod
    def _ack_code(body):
        return body[2] if len(body) > 2 else 0

    def disconnect(self, reason=0, props=None):
        body = bytes([reason]) + properties(props) if self.version == V5 and (reason or props) else b""
        try:
            self.send(packet(DISCONNECT, 0, body))
        except Closed:
            pass
        self.close()

    def close(self):
        """Drops the connection without a DISCONNECT, as a lost network does."""
        self.link.close()

    # -- packets in ----------------------------------------------------------------------------

    def recv(self, timeout_s=TIMEOUT_S):
        """The next packet as (kind, flags, body); raises Closed or Timeout."""
        deadline = time.monotonic() + timeout_s
        while True:
            whole = self._split()
            if whole is not None:
                return whole
            piece = self.link.recv(deadline - time.monotonic())
            if not piece:
                raise Closed(self.disconnect_reason)
            self.buffer += piece

    def _split(self):
        at, length, shift = 1, 0, 0
        while True:
            if at >= len(self.buffer):
                return None
            digit = self.buffer[at]
            length |= (digit & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not digit & 0x80:
                break
        if len(self.buffer) < at + length:
            return None
        head, body = self.buffer[0], self.buffer[at:at + length]
        self.buffer = self.buffer[at + length:]
        return head >> 4, head & 0x0F, body

    def _handle(self, kind, flags, body):
        if kind == PUBLISH:
            read = Reader(body)
            topic = read.binary().decode()
            qos = flags >> 1 & 3
            number = read.u16() if qos else 0
            props = read.properties() if self.version == V5 else {}
            self.inbox.append(Message(topic, read.rest(), qos, bool(flags & 1), props))
            if qos:
                self.send(packet(PUBACK if qos == 1 else PUBREC, 0, struct.pack(">H", number)))
        elif kind == PUBREL:
            self.send(packet(PUBCOMP, 0, body[:2]))
        elif kind == DISCONNECT:
            self.disconnect_reason = body[0] if body else 0

    def expect(self, kind, timeout_s=TIMEOUT_S):
        """The body of the next packet of that kind; messages on the way go to the inbox."""
        deadline = time.monotonic() + timeout_s
        while True:
            got, flags, body = self.recv(deadline - time.monotonic())
            if got == kind:
                return body
            self._handle(got, flags, body)

    def ping(self):
        self.send(packet(PINGREQ, 0, b""))
        self.expect(PINGRESP)

    def drain(self):
        """Takes all messages that the broker had for this connection when called."""
        self.ping()
        out, self.inbox = self.inbox, []
        return out

    def take(self, count, timeout_s=TIMEOUT_S):
        """Waits for that many messages and takes them."""
        deadline = time.monotonic() + timeout_s
        while len(self.inbox) < count:
            self._handle(*self.recv(deadline - time.monotonic()))
        out, self.inbox = self.inbox[:count], self.inbox[count:]
        return out

    def wait_closed(self, timeout_s=TIMEOUT_S):
        """Waits until the broker hangs up; gives the DISCONNECT's reason or None."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._handle(*self.recv(deadline - time.monotonic()))
            except Closed as end:
                return end.reason


def wait_for(condition, what, timeout_s=TIMEOUT_S):
    """Polls until the condition holds and gives its value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Timeout(f"waited {timeout_s} s for {what}")
        select.select([], [], [], 0.01)

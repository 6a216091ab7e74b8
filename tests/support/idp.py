# SPDX-License-Identifier: MIT
"""An identity provider's key set over HTTP or HTTPS, in a thread, which also misbehaves when told to.

`Provider.behave(NAME)` chooses from BEHAVIOURS what every request from then on meets; requests are
counted when their head has been read, and by "mute" when the connection is there. jwk() and key_set()
make the documents.
"""

import itertools
import json
import socket
import ssl
import struct
import threading
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from tokens import CURVE_BYTES, b64url

CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
HUGE = 100 * 1024 * 1024
PIECE = 256 * 1024


def number(value, length=None):
    return b64url(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def jwk(key, kid=None, **members):
    """The public JWK of a private key, or of bytes the secret's; `None` takes a member out."""
    if isinstance(key, bytes):
        out = {"kty": "oct", "k": b64url(key)}
    elif isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        out = {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        numbers, width = key.public_key().public_numbers(), CURVE_BYTES[key.curve.name]
        out = {"kty": "EC", "crv": CURVES[key.curve.name], "x": number(numbers.x, width),
               "y": number(numbers.y, width)}
    else:
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        raw = key.public_key().public_bytes(serialization.Encoding.Raw,
                                            serialization.PublicFormat.Raw)
        out = {"kty": "OKP", "crv": "Ed25519", "x": b64url(raw)}
    if kid is not None:
        out["kid"] = kid
    out.update(members)
    return {name: value for name, value in out.items() if value is not None}


def key_set(*keys):
    return json.dumps({"keys": keys}).encode()


def answer(body, status="200 OK", **headers):
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in
              {"Content_Length": len(body), **headers}.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Provider:
    """Use as a context manager, or start() and stop().

    document   the bytes that are served; may be replaced at any time
    authority  a tls.Authority for HTTPS
    requests   the path and time of each request so far
    """

    def __init__(self, document=b"", authority=None, host="127.0.0.1"):
        self.document, self.authority, self.host = document, authority, host
        self.requests = []
        self.open = 0  # connections of which the other side has not let go
        self.behaviour = self.other_url = None
        self.condition = threading.Condition()
        self.ended = threading.Event()
        self.connections, self.threads = set(), []
        self.context = None
        if authority is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(authority.cert_path, authority.key_path)
        self.behave("serve")
        self.listener = socket.socket()
        self.listener.bind((host, 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]

    @property
    def url(self):
        return f"{'https' if self.context else 'http'}://{self.host}:{self.port}/keys"

    def behave(self, name, other_url=None):
        """other_url: where "redirect-elsewhere" leads."""
        assert name in BEHAVIOURS, name
        self.behaviour, self.other_url = name, other_url

    def count(self):
        with self.condition:
            return len(self.requests)

    def wait_requests(self, count, timeout_s=30):
        """Waits until that many requests have come, ever."""
        with self.condition:
            assert self.condition.wait_for(lambda: len(self.requests) >= count, timeout_s), \
                f"{len(self.requests)} requests in {timeout_s} s, not {count}"

    # -- the server ----------------------------------------------------------------------------

    def start(self):
        self._run(self._accept)
        return self

    def stop(self):
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        with self.condition:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        for thread in self.threads:
            thread.join()
        self.listener.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _run(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _accept(self):
        while not self.ended.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.condition:
                self.connections.add(connection)
                self.open += 1
            self._run(self._serve, connection)

    def _note(self, path):
        with self.condition:
            self.requests.append((path, time.monotonic()))
            self.condition.notify_all()

    def _serve(self, raw):
        connection = raw
        try:
            if self.behaviour == "mute":
                self._note(None)
                self._wait_hang_up(connection)
                return
            if self.context:
                connection = self.context.wrap_socket(raw, server_side=True)
                with self.condition:
                    self.connections.discard(raw)
                    self.connections.add(connection)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            path = head.split(b" ", 2)[1].decode()
            self._note(path)
            BEHAVIOURS[self.behaviour](self, connection, path)
        except OSError:
            pass  # the other side went away, or did not like the certificate
        finally:
            with self.condition:
                self.connections.discard(connection)
                self.open -= 1
            connection.close()

    def _wait_hang_up(self, connection):
        while connection.recv(4096):
            pass

    # -- behaviours ----------------------------------------------------------------------------

    def _serve_document(self, connection, _path):
        connection.sendall(answer(self.document))

    def _hang(self, connection, _path):
        self._wait_hang_up(connection)

    def _hang_after_headers(self, connection, _path):
        connection.sendall(answer(b"", Content_Length=len(self.document)))
        self._wait_hang_up(connection)

    def _hang_half_way(self, connection, _path):
        whole = answer(self.document)
        connection.sendall(whole[:-len(self.document) // 2])
        self._wait_hang_up(connection)

    def _cut_short(self, connection, _path):
        connection.sendall(answer(self.document)[:-10])

    def _reset(self, connection, _path):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _huge(self, connection, _path):
        connection.sendall(answer(b"", Content_Length=HUGE))
        for _ in range(HUGE // PIECE):
            connection.sendall(b" " * PIECE)

    def _huge_chunked(self, connection, _path):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"%x\r\n" % PIECE + b" " * PIECE + b"\r\n"
        for _ in range(HUGE // PIECE):
            connection.sendall(chunk)
        connection.sendall(b"0\r\n\r\n")

    def _huge_headers(self, connection, _path):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        lines = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(256))
        for _ in range(HUGE // len(lines)):
            connection.sendall(lines)
        connection.sendall(b"\r\n" + self.document)

    def _drip(self, connection, _path):
        for byte in answer(self.document):
            connection.sendall(bytes([byte]))
            if self.ended.wait(0.05):
                return

    def _status(self, connection, _path, status):
        connection.sendall(answer(self.document, status))

    def _redirect(self, connection, path):
        """The set is at the end of two redirects within this server."""
        follow = {"/keys": "/moved", "/moved": f"{self.url}/at/last"}.get(path)
        if follow is None:
            self._serve_document(connection, path)
        else:
            connection.sendall(answer(b"", "302 Found", Location=follow))

    def _redirect_elsewhere(self, connection, _path):
        connection.sendall(answer(b"", "302 Found", Location=self.other_url))

    def _redirect_loop(self, connection, path):
        connection.sendall(answer(b"", "307 Temporary Redirect", Location=f"{path}x"))

    def _body(self, connection, _path, body):
        connection.sendall(answer(body))

    def _alternate(self, connection, _path, turn=itertools.count()):
        """Another document each time, by white space: each is a new set."""
        connection.sendall(answer(self.document + b" " * (next(turn) % 64)))


def _with(method, argument):
    return lambda provider, connection, path: method(provider, connection, path, argument)


BEHAVIOURS = {
    "serve": Provider._serve_document,
    "alternate": Provider._alternate,
    "mute": None,  # takes the connection and says nothing, not even in TLS
    "hang": Provider._hang,
    "hang-after-headers": Provider._hang_after_headers,
    "hang-half-way": Provider._hang_half_way,
    "cut-short": Provider._cut_short,
    "reset": Provider._reset,
    "huge": Provider._huge,
    "huge-chunked": Provider._huge_chunked,
    "huge-headers": Provider._huge_headers,
    "drip": Provider._drip,
    "status-500": _with(Provider._status, "500 Internal Server Error"),
    "status-404": _with(Provider._status, "404 Not Found"),
    "redirect": Provider._redirect,
    "redirect-elsewhere": Provider._redirect_elsewhere,
    "redirect-loop": Provider._redirect_loop,
    "garbage": _with(Provider._body, bytes(range(256)) * 4),
    "empty": _with(Provider._body, b""),
    "no-keys": _with(Provider._body, b'{"keys":[]}'),
    "other-json": _with(Provider._body, b'["keys"]'),
}

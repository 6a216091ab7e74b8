# SPDX-License-Identifier: MIT
"""A real Mosquitto with the plugin, on free loopback ports, in a folder of its own.

Environment: MOSQUITTO (default /usr/sbin/mosquitto), ORGCAST_BUILD (default build/dev of the repository),
ORGCAST_VALGRIND=1 runs every broker under valgrind and fails on what it finds in the plugin. When the plugin
was built with AddressSanitizer or ThreadSanitizer, the broker gets that run-time library preloaded.
"""

import base64
import contextlib
import functools
import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

from mqtt import PATIENCE, TIMEOUT_S, Timeout, wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("ORGCAST_BUILD", REPOSITORY / "build" / "dev")).resolve()
PLUGIN = BUILD / "plugin" / "mosquitto_orgcast.so"
MOSQUITTO = os.environ.get("MOSQUITTO", "/usr/sbin/mosquitto")
VALGRIND = os.environ.get("ORGCAST_VALGRIND") == "1"

FOREIGN_PASSWORD = "of "

LISTENERS = {
    "tcp": "",
    "ws": "protocol websockets\nsocket_domain ipv4\n",
    "tls": "{tls}",
    "wss": "protocol websockets\nsocket_domain ipv4\n{tls}",
}

# The broker itself leaks; valgrind tells its leaks from the plugin's.
SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1:abort_on_error=1",
}

_version = []


def mosquitto_version():
    """(2, 0, 11) of the broker under test."""
    if not _version:
        text = subprocess.run([MOSQUITTO, "-h"], capture_output=True, text=True, check=False).stdout
        _version.append(tuple(int(n) for n in re.search(r"version (\d+)\.(\d+)\.(\d+)", text).groups()))
    return _version[0]


def free_ports(count):
    """Ports that were free a moment ago, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for sock in held:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in held]
    finally:
        for sock in held:
            sock.close()


@functools.cache
def sanitizer():
    """The run-time library that the plugin was built with: libasan.so, libtsan.so, or None."""
    plugin = PLUGIN.read_bytes() if PLUGIN.exists() else b""
    return next((name for name in ("libasan.so", "libtsan.so") if name.encode() in plugin), None)


def _command(folder, clock):
    command, env = [MOSQUITTO], dict(os.environ)
    if clock:
        library = folder / "clock.so"
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
        env.update(LD_PRELOAD=str(library), TEST_CLOCK=str(folder / "clock"))
    if VALGRIND:
        command = ["valgrind", "-q", "--leak-check=full", "--keep-debuginfo=yes",
                   "--num-callers=40", f"--log-file={folder}/valgrind.log", *command]
    elif sanitizer():
        path = subprocess.run(["gcc", f"-print-file-name={sanitizer()}"], capture_output=True, text=True,
                              check=True).stdout.strip()
        env.update(SANITIZER_OPTIONS, LD_PRELOAD=f"{path} {env.get('LD_PRELOAD', '')}".strip())
    return command, env


class Pacemaker(threading.Thread):
    """Keeps the broker's loop turning. Mosquitto 2.0 looks at its WebSocket clients only when something
    else wakes it, or ten times a second: without this a WebSocket handshake takes a third of a second.
    It trickles one unfinished CONNECT, byte by byte."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.ended = address, threading.Event()

    def run(self):
        while not self.ended.is_set():
            try:
                with socket.create_connection(self.address, timeout=TIMEOUT_S) as sock:
                    sock.sendall(b"\x10\x90\x4e\x00\x04MQTT\x04\x02\x00\x3c")
                    for _ in range(9000):
                        if self.ended.wait(0.002):
                            return
                        sock.sendall(b"x")
            except OSError:
                self.ended.wait(0.01)

    def stop(self):
        self.ended.set()
        self.join()


class Broker:
    """Use as a context manager, or start() and stop().

    options     the plugin's, a dict or a list of pairs, without `plugin_opt_`
    listeners   out of tcp, ws, tls, wss (the first two do without `tls`)
    tls         a tls.Authority
    extra       further lines of mosquitto.conf
    before      lines of it that come before the plugin
    plugin      False: a broker without the plugin
    persistence True: keeps sessions in the folder, also over stop() and start()
    foreign     clients of the broker's own password and ACL files: name -> lines of the ACL file;
                the password is the name with FOREIGN_PASSWORD before it
    clock       True: advance() sets the plugin's time of day forward, hold_disk() stops fsync()
    """

    host = "127.0.0.1"

    def __init__(self, folder, options=(), listeners=("tcp",), tls=None, extra="", plugin=True,
                 persistence=False, per_listener=False, foreign=None, clock=False, before=""):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.options = list(options.items()) if isinstance(options, dict) else list(options)
        self.listeners, self.tls, self.extra, self.before = listeners, tls, extra, before
        self.plugin, self.persistence, self.per_listener = plugin, persistence, per_listener
        self.foreign, self.clock = foreign or {}, clock
        self.ports = dict(zip(listeners, free_ports(len(listeners))))
        self.log_path = self.folder / "broker.log"
        self.process = self.pacemaker = None

    # -- configuration -------------------------------------------------------------------------

    def security_lines(self):
        lines = [self.before, f"plugin {PLUGIN}"] if self.plugin else []
        lines += [f"plugin_opt_{name} {value}" for name, value in self.options]
        if self.foreign:
            lines += self.foreign_lines()
        return "\n".join([*lines, self.extra, ""])

    def foreign_lines(self):
        passwords, rights = "", ""
        for name, acl in self.foreign.items():
            salt = os.urandom(12)
            digest = hashlib.pbkdf2_hmac("sha512", (FOREIGN_PASSWORD + name).encode(), salt, 101)
            passwords += (f"{name}:$7$101${base64.b64encode(salt).decode()}$"
                          f"{base64.b64encode(digest).decode()}\n")
            rights += "\n".join([f"user {name}", *acl, "", ""])
        for path, text in (("passwords", passwords), ("acl", rights)):
            (self.folder / path).write_text(text)
            (self.folder / path).chmod(0o600)
        return [f"password_file {self.folder}/passwords", f"acl_file {self.folder}/acl"]

    def config(self):
        text = f"per_listener_settings {'true' if self.per_listener else 'false'}\n"
        text += "log_dest stderr\nlog_type all\nlog_timestamp false\n"
        text += "set_tcp_nodelay true\n"
        if os.geteuid() == 0:
            text += "user root\n"
        if self.persistence:
            text += (f"persistence true\npersistence_location {self.folder}/\n"
                     "autosave_interval 0\n")
        if not self.per_listener:
            text += self.security_lines()
        tls_lines = ""
        if self.tls is not None:
            tls_lines = f"certfile {self.tls.cert_path}\nkeyfile {self.tls.key_path}\n"
        for name in self.listeners:
            text += f"listener {self.ports[name]} {self.host}\n"
            text += LISTENERS[name].format(tls=tls_lines)
            if self.per_listener:
                text += self.security_lines()
        return text

    def tls_context(self):
        return self.tls.client_context()

    # -- process -------------------------------------------------------------------------------

    def _spawn(self, text):
        path = self.folder / "mosquitto.conf"
        path.write_text(text, encoding="utf-8")
        command, env = _command(self.folder, self.clock)
        with open(self.log_path, "ab") as log:
            return subprocess.Popen([*command, "-c", str(path)], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, env=env, cwd=self.folder)

    def start(self):
        assert not self.plugin or PLUGIN.exists(), f"{PLUGIN} is not built"
        at = self.mark()
        self.process = self._spawn(self.config())

        def up():
            if self.process.poll() is not None:
                raise AssertionError("the broker did not start:\n" + self.log(at)[-4000:])
            return re.search(r"mosquitto version \S+ running", self.log(at))

        wait_for(up, "the broker to run", 10 * PATIENCE)
        if mosquitto_version() < (2, 1) and {"ws", "wss"} & set(self.listeners):
            self.pacemaker = Pacemaker((self.host, self.ports["tcp"]))
            self.pacemaker.start()
        return self

    def _stop_pacemaker(self):
        if self.pacemaker is not None:
            self.pacemaker.stop()
            self.pacemaker = None

    def refused_start(self, text=None):
        """Starts a broker that must refuse its configuration; gives its log."""
        process = self._spawn(text or self.config())
        try:
            code = process.wait(10 * PATIENCE)
        except subprocess.TimeoutExpired as err:
            process.kill()
            process.wait()
            raise AssertionError("the broker started:\n" + self.log()) from err
        assert code != 0, "the broker ended with 0:\n" + self.log()
        assert code > 0, f"the broker died of signal {-code}:\n" + self.log()
        return self.log()

    def stop(self):
        """Ends the broker. Fails when it was no longer running or did not end well."""
        process, self.process = self.process, None
        if process is None:
            return
        self._stop_pacemaker()
        early = process.poll()
        if early is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20 * PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError("the broker does not end on SIGTERM") from None
        assert early is None, f"the broker ended by itself with {early}:\n{self.log()[-4000:]}"
        assert process.returncode == 0, f"the broker ended with {process.returncode}:\n" \
            + self.log()[-4000:]
        if VALGRIND:
            found = plugin_errors((self.folder / "valgrind.log").read_text(errors="replace"))
            assert not found, "valgrind:\n" + "\n\n".join(found)[:8000]

    def kill(self):
        """Ends it without a word, for tests that have failed already."""
        self._stop_pacemaker()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def reload(self):
        """SIGHUP, and waits until the broker has done it."""
        at = self.mark()
        self.process.send_signal(signal.SIGHUP)
        # The broker writes the line before it does the work.
        self.wait_log(r"Reloading config", at)
        self.wait_turn()

    def wait_turn(self):
        """Waits until the broker has answered a new connection: its one thread has then done what came before."""
        with socket.create_connection((self.host, self.ports["tcp"]), timeout=TIMEOUT_S) as sock:
            sock.sendall(b"\x10\x00")
            sock.settimeout(TIMEOUT_S)
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(16) == b""

    def busy_s(self):
        """Seconds of processor time that the broker's own thread has used."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9

    def advance(self, seconds):
        """Sets the plugin's time of day forward, counted from the real one."""
        assert self.clock
        (self.folder / "clock.new").write_text(str(seconds))
        (self.folder / "clock.new").rename(self.folder / "clock")
        # Mosquitto 2.0.21 takes a connection that is the first thing it sees after a jump for one that timed out.
        if self.process is not None:
            self.wait_turn()

    def hold_disk(self):
        """What is written is not on disk before release_disk()."""
        assert self.clock
        (self.folder / "clock.hold").touch()

    def release_disk(self):
        (self.folder / "clock.hold").unlink()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        else:
            self.kill()

    # -- log -----------------------------------------------------------------------------------

    def mark(self):
        """A place in the log to read on from."""
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def log(self, since=0):
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as file:
            file.seek(since)
            return file.read().decode("utf-8", "replace")

    def wait_log(self, pattern, since=0, timeout_s=TIMEOUT_S):
        """Waits for a line of the log that holds the pattern; gives the match."""
        try:
            return wait_for(lambda: re.search(pattern, self.log(since)), repr(pattern), timeout_s)
        except Timeout as err:
            raise Timeout(f"{err}; the log:\n{self.log(since)[-3000:]}") from None

    def refusal(self, client_id, since=0):
        """Waits for the line of a refused CONNECT; gives (reason, detail)."""
        match = self.wait_log(
            rf"(?m)^orgcast: refused client '{re.escape(client_id)}' from \S+: (\w+)(.*)$", since)
        return match.group(1), match.group(2)

    def denial(self, action, client_id, since=0):
        """Waits for the line of a denied subscribe or publish; gives (topic, reason)."""
        match = self.wait_log(rf"(?m)^orgcast: denied {action}(?: '(.*)')? to client "
                              rf"'{re.escape(client_id)}' subject '.*': (\w+)", since)
        return match.group(1), match.group(2)

    def wait_gone(self, client_id, since=0):
        """Waits until the broker has noticed the end of that client's connection."""
        self.wait_log(rf"(?m)^Client {re.escape(client_id)}\b.*(closed|disconnect)", since)


def plugin_errors(text):
    """The valgrind records that concern the plugin: bad accesses anywhere, leaks with a frame of it."""
    records = re.split(r"(?m)^==\d+== ?$\n?", text)
    out = []
    for record in records:
        frames = "mosquitto_orgcast" in record or re.search(r"\b(oc|orgcast)_\w+ \(", record)
        leak = "are definitely lost" in record or "possibly lost" in record \
            or "still reachable" in record
        if frames or (record.strip() and not leak and re.search(r"(?m)^==\d+==\s+(at|by) 0x", record)
                      and re.search(r"Invalid|uninitialised|overlap|Mismatched", record)):
            out.append(record)
    return out

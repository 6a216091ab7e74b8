# SPDX-License-Identifier: MIT
"""The orgcast command, and events for it."""

import array
import fcntl
import json
import os
import signal
import subprocess
import termios

from broker import BUILD
from mqtt import PATIENCE, wait_for

ORGCAST = BUILD / "cli" / "orgcast"
PAID = {"type": "invoice.paid", "organizationId": "acme", "invoiceId": "inv-17",
        "invoiceNumber": "2026-0017", "amount": "10.00", "currency": "EUR", "status": "PAID"}
PAID_FLAGS = ("invoice.paid", "--organization-id", "acme", "--invoice-id", "inv-17",
              "--invoice-number", "2026-0017", "--amount", "10.00", "--currency", "EUR",
              "--status", "PAID")
NOTIFICATION_FLAGS = ("notification.created", "--organization-id", "acme", "--notification-id",
                      "n-4", "--title", "Paid", "--message", "Invoice 2026-0017 was paid",
                      "--type", "success", "--invoice-id", "inv-17")


def lines(count, **changes):
    """JSON lines for --stdin, inv-1, inv-2 and so on."""
    return "".join(json.dumps({**PAID, "invoiceId": f"inv-{n}", **changes}) + "\n"
                   for n in range(1, count + 1))


def environment(token=None):
    env = {name: value for name, value in os.environ.items() if name != "ORGCAST_TOKEN"}
    if token is not None:
        env["ORGCAST_TOKEN"] = token
    return env


class Background:
    """The command while it runs. Its output goes to files, so that reading never blocks."""

    def __init__(self, folder, arguments, token):
        folder.mkdir()
        self.out_path, self.err_path = folder / "stdout", folder / "stderr"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen([ORGCAST, *map(str, arguments)], stdin=subprocess.PIPE,
                                            stdout=out, stderr=err, env=environment(token))

    def out(self):
        return self.out_path.read_text(encoding="utf-8")

    def err(self):
        return self.err_path.read_text(encoding="utf-8")

    def wait_err(self, text):
        def seen():
            assert text in self.err() or self.process.poll() is None, \
                f"ended with {self.process.returncode}: {self.err()}"
            return text in self.err()
        wait_for(seen, f"{text!r} on standard error")

    def wait_lines(self, count):
        wait_for(lambda: self.out().count("\n") >= count, f"{count} lines of output")

    def write(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def unread(self):
        """Bytes written to its standard input and not read by it."""
        count = array.array("i", [0])
        fcntl.ioctl(self.process.stdin, termios.FIONREAD, count)
        return count[0]

    def end(self):
        """Closes standard input, waits, and gives the exit code."""
        self.process.stdin.close()
        return self.process.wait(30 * PATIENCE)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.end()

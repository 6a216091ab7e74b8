# SPDX-License-Identifier: MIT
"""The client libraries and their driver programs.

Each folder beside this file holds one driver: a small program that uses one library as its documentation shows. The
runner and a driver talk in lines whose fields are separated by tabs.

The runner writes to standard input; the end of input ends the driver:
  connect HOST PORT CLIENT-ID TOKEN     always the first line; the library reconnects as it does by default
  subscribe FILTER                      with QoS 1
  publish TOPIC PAYLOAD                 with QoS 1

The driver writes to standard output:
  connected
  refused CODE TEXT                     a CONNECT failed
  granted CODE TEXT                     the answer to SUBSCRIBE
  published CODE TEXT                   the answer to PUBLISH
  message TOPIC PAYLOAD
  disconnected CODE TEXT                the connection ended

CODE is the MQTT 5 reason code that the library gives to its caller, or `-` when it gives none. TEXT is what the
library says.
"""

import re
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
MAVEN = ["mvn", "-q", "-B", "compile", "dependency:copy-dependencies", "-DincludeScope=runtime"]
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-Xmx128m", "-cp", "target/classes:target/dependency/*", "Driver"]


@dataclass
class Library:
    """name is the folder's; tools are the commands that build and run the driver; gives_reason: the library passes the
    reason code of a DISCONNECT on to its caller."""
    name: str
    title: str
    tools: tuple
    build: list
    command: list
    gives_reason: bool = True


LIBRARIES = [
    Library("mqttjs", "MQTT.js 5.16", ("node", "npm"),
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
            ["node", "driver.mjs"]),
    Library("paho-python", "Paho Python 2.2", (PYTHON, "/usr/bin/pip3"),
            [PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-warn-script-location",
             "--root-user-action=ignore", "--upgrade", "--target", ".", "-r", "requirements.txt"],
            [PYTHON, "driver.py"]),
    Library("paho-java", "Paho Java 1.2.5, v5", ("java", "javac", "mvn"), MAVEN, JAVA),
    Library("autopaho", "autopaho (paho.golang 0.23)", ("go",), ["go", "build", "-o", "driver", "."], ["./driver"]),
    Library("hivemq", "HiveMQ 1.3.5", ("java", "javac", "mvn"), MAVEN, JAVA),
    Library("rumqttc", "rumqttc 0.25.1, v5", ("cargo",), ["cargo", "build", "-q", "--release"],
            ["target/release/rumqttc-driver"], gives_reason=False),
]


def missing_tool(library):
    return next((tool for tool in library.tools if shutil.which(tool) is None), None)


def build(library, folder):
    """Copies the driver's sources to FOLDER/NAME and builds the driver there. Gives that folder."""
    place = folder / library.name
    shutil.copytree(HERE / library.name, place, dirs_exist_ok=True)
    with open(folder / f"{library.name}-build.log", "wb") as log:
        subprocess.run(library.build, cwd=place, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True)
    return place


class Difference(AssertionError):
    """A library or the broker did not do what the scenario expects."""


@dataclass
class Observation:
    kind: str
    fields: list
    taken: bool = False

    @property
    def code(self):
        return int(self.fields[0]) if self.fields[0] != "-" else None

    @property
    def text(self):
        return self.fields[-1]


class Driver:
    """A running driver and what it has observed so far."""

    def __init__(self, library, place, log):
        self.log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(library.command, cwd=place, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=errors, text=True)
        self.seen = []
        self.condition = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with self.log.open("a", encoding="utf-8") as log:
            for line in self.process.stdout:
                kind, *fields = line.rstrip("\n").split("\t")
                log.write(f"{time.strftime('%T')} {line}")
                log.flush()
                with self.condition:
                    self.seen.append(Observation(kind, fields))
                    self.condition.notify_all()

    def tell(self, *words):
        text = "\t".join(str(word) for word in words)
        assert not re.search(r"[\r\n]", text), text
        try:
            print(text, file=self.process.stdin, flush=True)
        except OSError as err:
            raise Difference(f"the driver ended: {err}") from None

    def pending(self, *kinds):
        """The observations of these kinds that wait() has not given yet."""
        return [one for one in self.seen if one.kind in kinds and not one.taken]

    def wait(self, kind, timeout_s=10):
        """The next observation of that kind."""
        with self.condition:
            if self.condition.wait_for(lambda: self.pending(kind), timeout_s):
                one = self.pending(kind)[0]
                one.taken = True
                return one
            rest = [" ".join([one.kind, *one.fields])[:120] for one in self.seen if not one.taken]
        raise Difference(f"no '{kind}' within {timeout_s} s; the driver reported {rest[:3] or 'nothing'}")

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join()

# SPDX-License-Identifier: MIT
"""Runs the orgcast command, to its end or in the background, and brokers for it."""

import contextlib
import os
import re
import socket
import subprocess
import threading

import pytest
from command import ORGCAST, Background, environment
from mqtt import PATIENCE, TIMEOUT_S, V5, Client
from tokens import private_pem


@pytest.fixture
def orgcast():
    """orgcast(argument, …) runs the command to its end and gives code, stdout and stderr."""
    def run(*arguments, stdin="", token=None, timeout_s=30):
        return subprocess.run([ORGCAST, *map(str, arguments)], input=stdin, capture_output=True,
                              text=True, env=environment(token), check=False,
                              timeout=timeout_s * PATIENCE)
    return run


@pytest.fixture
def background(tmp_path):
    """background(argument, …) starts the command; what still runs is killed after the test."""
    started = []

    def start(*arguments, token=None):
        started.append(Background(tmp_path / f"orgcast-{len(started)}", arguments, token))
        return started[-1]

    yield start
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
        command.process.wait()
        with contextlib.suppress(BrokenPipeError):
            command.process.stdin.close()


@pytest.fixture
def open_broker(make_broker):
    """A broker that asks nobody who they are."""
    return make_broker(plugin=False, extra="allow_anonymous true")


@pytest.fixture
def plugin_broker(make_broker, secret_file):
    return make_broker({"jwt_secret_file": secret_file, "jwt_leeway": "0"})


@pytest.fixture
def watch():
    """watch(broker, …) is a client that has subscribed to everything of acme."""
    opened = []

    def connect(broker, token=None, topic_filter="org/acme/invoices/#"):
        client = Client(broker, V5)
        opened.append(client)
        assert client.connect("watcher", token).code == 0
        assert client.subscribe(topic_filter, qos=1) == [1]
        return client

    yield connect
    for client in opened:
        client.close()


@pytest.fixture
def private_key(keys, tmp_path):
    """private_key("p256") writes the signing half and gives its path."""
    def write(name):
        path = tmp_path / f"{name}.key"
        path.write_bytes(keys.get(name) + b"\n" if name == "hs" else private_pem(keys.get(name)))
        return path
    return write


@pytest.fixture
def token_file(tmp_path):
    def write(token, name="token"):
        path = tmp_path / name
        path.write_text(token + "\n")
        return path
    return write


@pytest.fixture
def pipe(tmp_path):
    """pipe(content) makes a FIFO that somebody writes to once, as the shell's <(…) does; gives its path."""
    paths, threads = [], []

    def write(path, content):
        with contextlib.suppress(BrokenPipeError):
            path.write_bytes(content)

    def make(content):
        path = tmp_path / f"pipe-{len(paths)}"
        os.mkfifo(path)
        paths.append(path)
        threads.append(threading.Thread(target=write, args=(path, content)))
        threads[-1].start()
        return path

    yield make
    for path, thread in zip(paths, threads):
        while thread.is_alive():  # nobody has read all of it
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
            thread.join(0.05)


@pytest.fixture
def fake_listener():
    """(port, password): a port where somebody who takes one CONNECT and hangs up; password() is what
    stood in it."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    server.settimeout(TIMEOUT_S)
    got = []

    def serve():
        connection, _ = server.accept()
        with connection:
            connection.settimeout(TIMEOUT_S)
            got.append(connection.recv(65536))

    thread = threading.Thread(target=serve)
    thread.start()

    def password():
        thread.join()
        return re.search(rb"[\w-]+\.[\w-]+\.[\w-]+$", got[0]).group().decode()

    yield server.getsockname()[1], password
    thread.join()
    server.close()

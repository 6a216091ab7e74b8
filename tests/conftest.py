# SPDX-License-Identifier: MIT
"""Makes tests/support importable and holds the fixtures that every Python test may use."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "support"))

import tls as tls_module  # noqa: E402
from broker import Broker, mosquitto_version  # noqa: E402
from tokens import Keys  # noqa: E402


def pytest_report_header():
    return "mosquitto " + ".".join(map(str, mosquitto_version()))


@pytest.fixture(scope="session")
def keys():
    return Keys()


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="session")
def secret_file(keys, key_folder):
    return keys.write(key_folder, "hs")


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return tls_module.Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def make_broker(tmp_path):
    """make_broker(options, …) starts a Broker; all of a test's are stopped, and checked, after it."""
    made = []

    def make(options=(), start=True, **more):
        broker = Broker(tmp_path / f"broker-{len(made)}", options, **more)
        made.append(broker)
        return broker.start() if start else broker

    yield make
    failed = None
    for broker in made:
        try:
            broker.stop()
        except AssertionError as err:
            failed = failed or err
    if failed:
        raise failed

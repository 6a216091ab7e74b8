# SPDX-License-Identifier: MIT
"""The examples of README.md, taken from there: the C program delivers, the JavaScript receives, reconnects with a
fresh token, and stops when the broker refuses that."""

import re
import shutil
import subprocess
import time

import pytest
from broker import BUILD, REPOSITORY
from mqtt import PATIENCE, TIMEOUT_S, wait_for
from tokens import claims, mint

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
MQTT_JS = REPOSITORY / "demo" / "node_modules" / "mqtt"


def example(language):
    [text] = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", README)
    return text


def replaced(text, old, new):
    assert text.count(old) == 1, f"README.md has no {old}"
    return text.replace(old, new)


@pytest.mark.skipif(b"libasan" in (BUILD / "emitter" / "liborgcast.so").read_bytes(), reason="links ASan")
def test_c(plugin_broker, secret_file, watch, keys, tmp_path):
    text = replaced(example("c"), '"/etc/billing/orgcast.secret"',
                    f'"{secret_file}", .port = {plugin_broker.ports["tcp"]}')
    (tmp_path / "emit.c").write_text(text)
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "emit.c", f"-I{REPOSITORY}/include",
                    f"-L{BUILD}/emitter", "-lorgcast", f"-Wl,-rpath,{BUILD}/emitter", "-o", "emit"],
                   cwd=tmp_path, check=True)
    watcher = watch(plugin_broker, token=mint(claims(), keys.get("hs")))
    result = subprocess.run([tmp_path / "emit"], capture_output=True, text=True, timeout=30 * PATIENCE, check=False)
    assert (result.returncode, result.stdout) == (0, "")
    assert watcher.take(1)[0].topic == "org/acme/invoices/paid/inv-17"


PAGE = """
const tokens = {tokens}
async function fetchToken() {{ console.log('token'); return tokens.length > 1 ? tokens.shift() : tokens[0] }}
const markPaid = (id, amount) => console.log('paid', id, amount)
const showOffline = (text) => console.log('offline', text)
"""


@pytest.fixture
def page(tmp_path):
    """page(port, tokens) runs the example; gives a function that reads what it printed."""
    if not shutil.which("node") or not MQTT_JS.is_dir():
        pytest.skip("needs Node.js and the packages of demo/")
    started = []

    def run(port, *tokens):
        text = replaced(example("js"), "'wss://events.acme.example'", f"'ws://127.0.0.1:{port}/mqtt'")
        (tmp_path / "node_modules").symlink_to(MQTT_JS.parent)
        (tmp_path / "page.mjs").write_text(PAGE.format(tokens=list(tokens)) + text)
        out = tmp_path / "out"
        with open(out, "wb") as file:
            started.append(subprocess.Popen(["node", "page.mjs"], cwd=tmp_path, stdout=file, stderr=file))
        return out.read_text

    yield run
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def browser_broker(make_broker, secret_file):
    return make_broker({"jwt_secret_file": secret_file}, listeners=("tcp", "ws"))


def test_js_receives_and_reconnects(page, browser_broker, orgcast, keys):
    reader = mint(claims(sub="ada"), keys.get("hs"))
    said = page(browser_broker.ports["ws"], reader, reader)
    backend = mint(claims(sub="billing", scope="invoices:publish"), keys.get("hs"))

    def emitted(count):
        orgcast("emit", "invoice.paid", "--organization-id", "acme", "--invoice-id", "inv-17", "--invoice-number",
                "1", "--amount", "10.00", "--currency", "EUR", "--status", "PAID", "--host", browser_broker.host,
                "--port", browser_broker.ports["tcp"], token=backend)
        return said().count("paid inv-17 10.00") >= count

    wait_for(lambda: emitted(1), "the first event", 4 * TIMEOUT_S)
    browser_broker.stop()
    browser_broker.start()
    before = said().count("paid")
    wait_for(lambda: emitted(before + 1), "an event after the restart", 4 * TIMEOUT_S)
    assert said().count("token\n") >= 2 and "offline" not in said()


@pytest.mark.parametrize("change", [{"exp": 1}, {"org_id": "globex"}], ids=["expired", "another organization"])
def test_js_stops_when_refused(page, browser_broker, keys, change):
    said = page(browser_broker.ports["ws"], mint(claims(sub="ada", **change), keys.get("hs")))
    wait_for(lambda: "offline" in said(), "the refusal", 4 * TIMEOUT_S)
    time.sleep(2)  # a loop would have come back by now
    assert said() == "token\noffline the broker refuses the token\n"

# SPDX-License-Identifier: MIT
"""Bad configuration: the broker refuses to start, and its log names the option and the cause."""

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest
from broker import PLUGIN, REPOSITORY, Broker, mosquitto_version
from mqtt import V5, VERSION_NAMES, VERSIONS, Client
from tokens import claims, mint, private_pem

KEY = ("jwt_secret_file", "{hs}")

# name -> (options, what the log says after "orgcast: "; a regular expression)
BAD = {
    "no option at all": ([], r"no key .*jwt_secret_file.*jwt_public_key_file"),
    "no key": ([("jwt_issuer", "https://id.example")], r"no key .*jwt_secret_file"),
    "unknown option": ([KEY, ("jwt_secret", "x")], r"plugin_opt_jwt_secret: .*no such option"),
    "unknown option, other case": ([KEY, ("JWT_ISSUER", "x")], r"plugin_opt_JWT_ISSUER: .*no such"),
    "unknown option before the key": ([("nonsense", "1"), KEY], r"plugin_opt_nonsense: .*no such"),
    "option given twice": ([KEY, KEY], r"plugin_opt_jwt_secret_file: .*twice"),
    "leeway given twice": ([KEY, ("jwt_leeway", "1"), ("jwt_leeway", "2")],
                           r"plugin_opt_jwt_leeway: .*twice"),

    "secret file missing": ([("jwt_secret_file", "{folder}/none")],
                            r"plugin_opt_jwt_secret_file: .*No such file"),
    "secret file empty": ([("jwt_secret_file", "{empty}")], r"plugin_opt_jwt_secret_file: .*empty"),
    "secret file of a newline": ([("jwt_secret_file", "{newline}")],
                                 r"plugin_opt_jwt_secret_file: .*0 bytes"),
    "secret file short": ([("jwt_secret_file", "{short}")],
                          r"plugin_opt_jwt_secret_file: .*31 bytes.*32"),
    "secret file short without its newline": ([("jwt_secret_file", "{short-newline}")],
                                              r"plugin_opt_jwt_secret_file: .*31 bytes.*32"),
    "secret file is a directory": ([("jwt_secret_file", "{folder}")],
                                   r"plugin_opt_jwt_secret_file: .*directory"),
    "secret file is a pipe": ([("jwt_secret_file", "{fifo}")],
                              r"plugin_opt_jwt_secret_file: .*not a regular file"),
    "secret file is a device": ([("jwt_secret_file", "/dev/zero")],
                                r"plugin_opt_jwt_secret_file: .*not a regular file"),
    "secret file is long": ([("jwt_secret_file", "{long}")],
                            r"plugin_opt_jwt_secret_file: .*longer than"),
    "secret file holds a public key": ([("jwt_secret_file", "{rsa}")],
                                       r"plugin_opt_jwt_secret_file: .*PEM form.*jwt_public_key_file"),
    "secret file holds a private key": ([("jwt_secret_file", "{private}")],
                                        r"plugin_opt_jwt_secret_file: .*PEM"),

    "public key file missing": ([("jwt_public_key_file", "{folder}/none")],
                                r"plugin_opt_jwt_public_key_file: .*No such file"),
    "public key file missing beside a secret": ([KEY, ("jwt_public_key_file", "{folder}/none")],
                                                r"plugin_opt_jwt_public_key_file: .*No such file"),
    "public key file empty": ([("jwt_public_key_file", "{empty}")],
                              r"plugin_opt_jwt_public_key_file: .*empty"),
    "public key file is a directory": ([("jwt_public_key_file", "kid={folder}")],
                                       r"plugin_opt_jwt_public_key_file: .*directory"),
    "public key file is no PEM": ([("jwt_public_key_file", "{hs}")],
                                  r"plugin_opt_jwt_public_key_file: .*no PEM"),
    "public key file is cut short": ([("jwt_public_key_file", "{cut}")],
                                     r"plugin_opt_jwt_public_key_file: .*no PEM"),
    "public key file holds a private key": ([("jwt_public_key_file", "{private}")],
                                            r"plugin_opt_jwt_public_key_file: .*private key"),
    "RSA of 1024 bits": ([("jwt_public_key_file", "{rsa1024}")],
                         r"plugin_opt_jwt_public_key_file: .*1024.*2048"),
    "EC on another curve": ([("jwt_public_key_file", "{k256}")],
                            r"plugin_opt_jwt_public_key_file: .*P-256"),
    "two keys of one kid": ([("jwt_public_key_file", "a={rsa}"), ("jwt_public_key_file", "a={rsa2}")],
                            r"plugin_opt_jwt_public_key_file: .*'a'"),
    "kid without a path": ([("jwt_public_key_file", "a=")],
                           r"plugin_opt_jwt_public_key_file: .*KID=PATH"),
    "path without a kid": ([("jwt_public_key_file", "={rsa}")],
                           r"plugin_opt_jwt_public_key_file: .*KID=PATH"),

    "algorithm unknown": ([KEY, ("jwt_algorithms", "HS256,HS1")], r"plugin_opt_jwt_algorithms: .*'HS1'"),
    "algorithm none": ([KEY, ("jwt_algorithms", "none")], r"plugin_opt_jwt_algorithms: .*'none'"),
    "algorithm in lower case": ([KEY, ("jwt_algorithms", "hs256")],
                                r"plugin_opt_jwt_algorithms: .*'hs256'"),
    "algorithm list ends in a comma": ([KEY, ("jwt_algorithms", "HS256,")],
                                       r"plugin_opt_jwt_algorithms: .*''"),
    "algorithm that no key serves": ([KEY, ("jwt_algorithms", "HS256,RS256")],
                                     r"plugin_opt_jwt_algorithms: .*RS256"),
    "algorithm that the secret is too short for": (
        [("jwt_secret_file", "{hs32}"), ("jwt_algorithms", "HS384")],
        r"plugin_opt_jwt_algorithms: .*HS384.*48"),

    "leeway not a number": ([KEY, ("jwt_leeway", "soon")], r"plugin_opt_jwt_leeway: .*'soon'"),
    "leeway negative": ([KEY, ("jwt_leeway", "-1")], r"plugin_opt_jwt_leeway: .*'-1'"),
    "leeway too long": ([KEY, ("jwt_leeway", "301")], r"plugin_opt_jwt_leeway: .*'301'.*300"),
    "leeway with a unit": ([KEY, ("jwt_leeway", "30s")], r"plugin_opt_jwt_leeway: .*'30s'"),
    "leeway beyond 64 bits": ([KEY, ("jwt_leeway", "99999999999999999999")],
                              r"plugin_opt_jwt_leeway: "),
    "org_claim without a slash": ([KEY, ("org_claim", "org_id")], r"plugin_opt_org_claim: .*'org_id'"),
    "org_claim with a bad escape": ([KEY, ("org_claim", "/a~2b")], r"plugin_opt_org_claim: .*'/a~2b'"),
    "scope_claim without a slash": ([KEY, ("scope_claim", "scp")], r"plugin_opt_scope_claim: .*'scp'"),
    "username_claim ends in an escape": ([KEY, ("username_claim", "/sub~")],
                                         r"plugin_opt_username_claim: .*'/sub~'"),
    "template without {org}": ([KEY, ("topic_template", "org/invoices/#")],
                               r"plugin_opt_topic_template: .*'org/invoices/#'.*{org}"),
    "template with {org} as part of a level": ([KEY, ("topic_template", "org-{org}/#")],
                                               r"plugin_opt_topic_template: .*{org}"),
    "template with {org} twice": ([KEY, ("topic_template", "{org}/{org}/#")],
                                  r"plugin_opt_topic_template: .*twice"),
    "template with a plus": ([KEY, ("topic_template", "org/{org}/+/#")],
                             r"plugin_opt_topic_template: .*'\+'"),
    "template with a hash inside": ([KEY, ("topic_template", "org/{org}/#/x")],
                                    r"plugin_opt_topic_template: .*'#'"),
    "template with a hash in a level": ([KEY, ("topic_template", "org/{org}/x#")],
                                        r"plugin_opt_topic_template: .*'#'"),
    "template with another variable": ([KEY, ("topic_template", "org/{organization}/#")],
                                       r"plugin_opt_topic_template: .*{org}"),
    "template under $": ([KEY, ("topic_template", "$SYS/{org}/#")],
                         r"plugin_opt_topic_template: .*'\$'"),
    "template, the second one": ([KEY, ("topic_template", "org/{org}/#"), ("topic_template", "x")],
                                 r"plugin_opt_topic_template: .*'x'"),
    "subscribe_scope of two words": ([KEY, ("subscribe_scope", "a b")],
                                     r"plugin_opt_subscribe_scope: .*'a b'"),
    "publish_scope of two words": ([KEY, ("publish_scope", "a b")],
                                   r"plugin_opt_publish_scope: .*'a b'"),
    "any_org_scope of two words": ([KEY, ("any_org_scope", "a b")],
                                   r"plugin_opt_any_org_scope: .*'a b'"),
    "admin_scope of two words": ([KEY, ("admin_scope", "a b")], r"plugin_opt_admin_scope: .*'a b'"),
    "shared_subscriptions unknown": ([KEY, ("shared_subscriptions", "yes")],
                                     r"plugin_opt_shared_subscriptions: .*'yes'.*allow.*deny"),
    "non_jwt_clients unknown": ([KEY, ("non_jwt_clients", "allow")],
                                r"plugin_opt_non_jwt_clients: .*'allow'.*defer.*deny"),
    "disconnect_on_expiry unknown": ([KEY, ("disconnect_on_expiry", "no")],
                                     r"plugin_opt_disconnect_on_expiry: .*'no'.*true.*false"),
}


@pytest.fixture(scope="module")
def places(keys, tmp_path_factory):
    """The files that the options above name."""
    folder = tmp_path_factory.mktemp("config")
    out = {"folder": folder}
    contents = {
        "hs": keys.get("hs"), "hs32": b"0123456789abcdef" * 2, "empty": b"", "newline": b"\n", "short": b"x" * 31,
        "short-newline": b"x" * 31 + b"\n", "long": b"x" * (1 << 20),
        "private": private_pem(keys.get("rsa")), "cut": keys.pem("rsa")[:200],
        **{name: keys.pem(name) for name in ("rsa", "rsa1024", "p256", "k256")},
        "rsa2": keys.pem("rsa:2"),
    }
    for name, content in contents.items():
        out[name] = folder / f"file-{name}"
        out[name].write_bytes(content)
    out["fifo"] = folder / "fifo"
    os.mkfifo(out["fifo"])
    return out


def filled(options, places):
    def fill(value):
        return re.sub(r"\{([\w-]+)\}", lambda m: str(places.get(m[1], m[0])), value)
    return [(name, fill(value)) for name, value in options]


@pytest.mark.parametrize("name", BAD)
def test_bad_configuration(name, places, make_broker):
    options, expected = BAD[name]
    log = make_broker(filled(options, places), start=False).refused_start()
    lines = [line for line in log.splitlines() if line.startswith("orgcast: ")]
    assert len(lines) == 1, log
    assert re.match("orgcast: " + expected, lines[0]), lines[0]
    assert not re.search(r"mosquitto version \S+ running", log)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@pytest.mark.parametrize("option", ["jwt_secret_file", "jwt_public_key_file"])
def test_unreadable_key_file(option, places, make_broker, tmp_path):
    path = tmp_path / "unreadable"
    shutil.copy(places["hs"], path)
    path.chmod(0)
    log = make_broker({option: path}, start=False).refused_start()
    assert re.search(rf"orgcast: plugin_opt_{option}: .*not readable", log)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.parametrize("option", ["jwt_secret_file", "jwt_public_key_file"])
def test_key_file_unreadable_for_the_brokers_user(option, places, make_broker, tmp_path):
    """Mosquitto gives up root before it loads plugins: then the file must be that user's to read."""
    path = tmp_path / "unreadable"
    shutil.copy(places["hs"], path)
    path.chmod(0o600)
    broker = make_broker({option: path}, start=False)
    # The checkout may be root's alone; the plugin must be where that user can load it from.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        plugin = shutil.copy(PLUGIN, folder)
        text = broker.config().replace("user root\n", "user nobody\n")
        log = broker.refused_start(text.replace(str(PLUGIN), plugin))
    assert re.search(rf"orgcast: plugin_opt_{option}: .*(not readable|Permission denied)", log)


def test_a_secret_never_stands_in_the_log(places, make_broker):
    """Not even when a secret is given in place of a file's name by mistake, beyond that name."""
    log = make_broker([("jwt_secret_file", places["rsa"])], start=False).refused_start()
    assert "BEGIN PUBLIC" not in log and places["rsa"].read_text().splitlines()[1] not in log


@pytest.mark.skipif(mosquitto_version() >= (2, 1), reason="a second instance loads and is never asked")
def test_plugin_given_twice(places, make_broker):
    broker = make_broker({"jwt_secret_file": places["hs"]}, start=False)
    again = f"plugin {PLUGIN}\nplugin_opt_jwt_secret_file {places['hs']}\n"
    log = broker.refused_start(broker.config().replace("\nlistener", f"\n{again}listener", 1))
    assert re.search("(?m)^orgcast: .*twice", log), log


@pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)
def test_all_options_together(version, places, keys, make_broker):
    """Every option at once, each with an ordinary value."""
    broker = make_broker(filled([
        KEY, ("jwt_public_key_file", "r={rsa}"), ("jwt_public_key_file", "{p256}"),
        ("jwt_algorithms", "HS256, RS256,ES256"), ("jwt_issuer", "https://id.example"),
        ("jwt_issuer", "https://other.example"), ("jwt_audience", "orgcast"), ("jwt_leeway", "300"),
        ("org_claim", "/tenants"), ("scope_claim", "/permissions"), ("username_claim", "/email"),
        ("topic_template", "org/{org}/invoices/#"), ("topic_template", "t/{org}/x"),
        ("subscribe_scope", "read"), ("publish_scope", "write"), ("any_org_scope", "all"),
        ("admin_scope", "root"), ("shared_subscriptions", "allow"), ("non_jwt_clients", "defer"),
        ("disconnect_on_expiry", "false")], places))
    token = mint(claims(org_id=None, tenants={"acme": {}}, permissions=["read"], email="ada@acme.example",
                        iss="https://other.example", aud=["orgcast"]), keys.get("p256"), "ES256")
    with Client(broker, version) as client:
        assert client.connect("ada", token).code == 0
        assert client.subscribe(["$share/g/org/acme/invoices/#", "t/acme/x"]) == [0, 0]


def test_a_certificate_serves_as_public_key(keys, authority, make_broker):
    from cryptography.hazmat.primitives import serialization
    key = serialization.load_pem_private_key(authority.key_path.read_bytes(), None)
    broker = make_broker({"jwt_public_key_file": authority.cert_path})
    with Client(broker, V5) as client:
        assert client.connect("certified", mint(claims(), key, "ES256")).code == 0


def test_example_configuration_starts(keys, tmp_path):
    """mosquitto.conf.example as it is, but for its ports and the plugin's place, once its key is made."""
    text = (REPOSITORY / "mosquitto.conf.example").read_text()
    (tmp_path / "orgcast.secret").write_bytes(keys.get("hs") + b"\n")
    broker = Broker(tmp_path, listeners=("tcp", "ws"))
    (plugin,) = re.findall(r"(?m)^plugin (.*)$", text)
    assert plugin.endswith("/mosquitto_orgcast.so")
    text = text.replace(f"plugin {plugin}", f"plugin {PLUGIN}")
    for name, port in (("tcp", "1883"), ("ws", "8083")):
        assert len(re.findall(rf"(?m)^listener {port} 127\.0\.0\.1$", text)) == 1
        text = text.replace(f"listener {port} ", f"listener {broker.ports[name]} ")
    if os.geteuid() == 0:
        text += "\nuser root\n"
    broker.config = lambda: text
    with broker:
        for version in VERSIONS:
            for transport in ("tcp", "ws"):
                with Client(broker, version, transport) as client:
                    assert client.connect("", mint(claims(), keys.get("hs"))).code == 0 \
                        if version != 3 else \
                        client.connect("x", mint(claims(), keys.get("hs"))).code == 0
                    assert client.subscribe("org/acme/invoices/#") == [0]
        with Client(broker) as client:
            assert client.connect("stranger", "password").code == 5
        broker.wait_log(r"orgcast: refused client 'stranger' from 127.0.0.1: token_malformed")


def test_websocket_listener_of_the_example_is_on_loopback_alone(keys, tmp_path):
    """2.0.11's websockets listener binds every interface unless socket_domain is given."""
    text = (REPOSITORY / "mosquitto.conf.example").read_text()
    after = text[text.index("protocol websockets"):]
    assert re.match(r"protocol websockets\nsocket_domain ipv4\n", after)


# -- options that change while the broker runs -------------------------------------------------------

RESTART = r"(?m)^orgcast: restart the broker to apply changed options: (.*)$"


def change(broker, old, new):
    """Edits mosquitto.conf, sends SIGHUP, and gives the log since."""
    path = broker.folder / "mosquitto.conf"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    mark = broker.mark()
    broker.reload()
    return broker.log(mark)


def test_a_reload_names_changed_options(make_broker, secret_file):
    broker = make_broker([("jwt_secret_file", secret_file), ("jwt_leeway", "10"), ("admin_scope", "a"),
                          ("max_publish_rate_per_org", "5")])
    mark = broker.mark()
    broker.reload()
    assert "restart the broker" not in broker.log(mark)
    log = change(broker, "jwt_leeway 10", "jwt_leeway 20")
    assert re.findall(RESTART, log) == ["plugin_opt_jwt_leeway"]
    # One that is gone, and one that is new. It compares with the start, not with the last reload.
    log = change(broker, "plugin_opt_admin_scope a\n", "plugin_opt_jwt_issuer me\n")
    assert re.findall(RESTART, log) == ["plugin_opt_jwt_leeway, plugin_opt_admin_scope, plugin_opt_jwt_issuer"]
    log = change(broker, "jwt_leeway 20", "jwt_leeway 10")
    assert re.findall(RESTART, log) == ["plugin_opt_admin_scope, plugin_opt_jwt_issuer"]


def test_a_reload_looks_at_every_listener(make_broker, secret_file):
    broker = make_broker([("jwt_secret_file", secret_file), ("jwt_leeway", "10")], listeners=("tcp", "ws"),
                         per_listener=True)
    text = (broker.folder / "mosquitto.conf").read_text()
    head, tail = text.rsplit("plugin_opt_jwt_leeway 10", 1)
    log = change(broker, text, f"{head}plugin_opt_jwt_leeway 12{tail}")
    assert re.findall(RESTART, log) == ["plugin_opt_jwt_leeway"]
    log = change(broker, "plugin_opt_jwt_leeway 10\n", "plugin_opt_jwt_leeway 12\n")
    assert re.findall(RESTART, log) == ["plugin_opt_jwt_leeway"]


def test_a_configuration_that_cannot_be_read_again_is_told(make_broker, secret_file):
    broker = make_broker([("jwt_secret_file", secret_file)])
    log = change(broker, f"plugin {PLUGIN}\n", "")
    assert "orgcast: changed options need a restart of the broker; cannot tell" in log

# SPDX-License-Identifier: MIT
"""orgcast conf check: each configuration is also given to a real Mosquitto, which must refuse it exactly
when the command does."""

import json
import os
import re
import shutil
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from broker import PLUGIN, free_ports, mosquitto_version
from dynsec import plugin_path
from idp import Provider, jwk, key_set
from mqtt import TIMEOUT_S

GOOD = ()


@dataclass
class Case:
    """`problems`: (file, line, pattern) of each line that the command prints. A file is `main` or the
    name of one in the folder `conf.d`, a line 0 stands for none. `warning`: a pattern of the only warning."""
    name: str
    main: str
    problems: tuple = GOOD
    files: dict = field(default_factory=dict)
    warning: str = None
    starts: bool = None  # what Mosquitto does, where it is not as the command says
    nonsense: bytes = b"\x10\x00"  # what the first listener answers, or hangs up on


def conf(*lines, plugin=True):
    """Lines after those that every configuration here has: they begin with line 4."""
    first = ["listener {port} 127.0.0.1", "log_dest stderr", "{user}"]
    return "\n".join(first + (["plugin {plugin}"] if plugin else []) + list(lines)) + "\n"


SECRET = "plugin_opt_jwt_secret_file {folder}/secret"

CASES = [
    Case("a good file", conf(SECRET)),
    Case("comments, empty lines, spaces",
         conf("", "# plugin_opt_nonsense 1", "   " + SECRET.replace(" ", "   "), "   ", "", "#end")),
    Case("white space behind a number", conf(SECRET, "plugin_opt_jwt_leeway 5 "),
         (("main", 6, "jwt_leeway: '5 ' is not a number"),)),
    Case("white space behind a path", conf(SECRET + "\t"),
         (("main", 5, r"jwt_secret_file: '.*/secret\\x09': No such file"),)),
    Case("white space behind the plugin", conf("plugin {plugin}  ", SECRET, plugin=False),
         (("main", 4, "plugin '.*  ': No such file"),), starts=mosquitto_version() < (2, 1)),
    Case("lines that end as elsewhere", conf(SECRET).replace("\n", "\r\n")),
    Case("every kind of key", conf(
        SECRET, "plugin_opt_jwt_public_key_file k1={folder}/p256.pem",
        "plugin_opt_jwt_public_key_file {folder}/p384.pem", "plugin_opt_jwks_file {folder}/set.json",
        "plugin_opt_jwks_url https://127.0.0.1:{free}/keys", "plugin_opt_jwks_ca_file {folder}/ca.pem",
        "plugin_opt_jwks_cache_file {folder}/cache.json", "plugin_opt_jwks_refresh_interval 60",
        "plugin_opt_jwt_algorithms HS256, ES256,ES384,EdDSA", "plugin_opt_jwt_issuer https://a.example",
        "plugin_opt_jwt_issuer https://b.example")),

    Case("one bad value", conf(SECRET, "plugin_opt_jwt_leeway soon"),
         (("main", 6, "jwt_leeway: 'soon' is not a number of seconds from 0 to 300"),)),
    Case("an unknown option", conf(SECRET, "plugin_opt_jwt_leway 5"),
         (("main", 6, "jwt_leway: there is no such option"),)),
    Case("an option given twice", conf(SECRET, "plugin_opt_org_claim /a", "", "plugin_opt_org_claim /b"),
         (("main", 8, "org_claim: is given twice"),)),
    Case("no key at all", conf("plugin_opt_jwt_leeway 5"),
         (("main", 4, "no key to check tokens with"),)),
    Case("a secret that is missing", conf("plugin_opt_jwt_secret_file {folder}/none"),
         (("main", 5, "jwt_secret_file: '.*/none': No such file"),)),
    Case("a secret that is short", conf("plugin_opt_jwt_secret_file {folder}/short"),
         (("main", 5, "holds 5 bytes; HS256 needs at least 32"),)),
    Case("a secret that is a public key", conf("plugin_opt_jwt_secret_file {folder}/p256.pem"),
         (("main", 5, "holds a key in PEM form, not an HMAC secret"),)),
    Case("a secret that is a key set", conf("plugin_opt_jwt_secret_file {folder}/set.json"),
         (("main", 5, "holds a key in JWK form, not an HMAC secret"),)),
    Case("a secret of equal bytes", conf("plugin_opt_jwt_secret_file {folder}/equal"),
         (("main", 5, "can be guessed: it has 1 different bytes"),)),
    Case("a secret that is a folder", conf("plugin_opt_jwt_secret_file {folder}"),
         (("main", 5, "is a directory"),)),
    Case("the second of three public keys", conf(
        "plugin_opt_jwt_public_key_file a={folder}/p256.pem",
        "plugin_opt_jwt_public_key_file b={folder}/short",
        "plugin_opt_jwt_public_key_file c={folder}/p384.pem"),
         (("main", 6, "jwt_public_key_file: '.*/short' holds no PEM"),)),
    Case("one key id for two keys", conf(
        "plugin_opt_jwt_public_key_file k={folder}/p256.pem", "",
        "plugin_opt_jwt_public_key_file k={folder}/p256-2.pem"),
         (("main", 7, "two keys have the key id 'k'"),)),
    Case("an algorithm that no key serves", conf(SECRET, "plugin_opt_jwt_algorithms HS256,ES256"),
         (("main", 6, "jwt_algorithms: no key can check ES256"),)),
    Case("a key set that is none", conf("plugin_opt_jwks_file {folder}/short"),
         (("main", 5, "jwks_file: '.*/short' is no JWK set"),)),
    Case("a key set without a usable key", conf("plugin_opt_jwks_file {folder}/odd.json"),
         (("main", 5, "jwks_file: '.*/odd.json' holds no usable key"),)),
    Case("a URL over plain HTTP", conf("plugin_opt_jwks_url http://id.example/keys"),
         (("main", 5, "jwks_url: 'http://id.example/keys' is neither"),
          ("main", 4, "no key to check tokens with"))),
    Case("a CA file that is missing", conf("plugin_opt_jwks_url https://127.0.0.1:{free}/keys",
                                           "plugin_opt_jwks_ca_file {folder}/none"),
         (("main", 6, "jwks_ca_file: '.*/none': No such file"),)),
    Case("several problems at once", conf(
        "plugin_opt_jwt_secret_file {folder}/none", "plugin_opt_jwt_leeway 301", "plugin_opt_what 1",
        "plugin_opt_org_claim org_id", "plugin_opt_jwks_file {folder}/short",
        "plugin_opt_topic_template org/#/x", "plugin_opt_non_jwt_clients maybe"),
         (("main", 6, "jwt_leeway"), ("main", 7, "plugin_opt_what: there is no such option"),
          ("main", 8, "'org_id' is no JSON pointer"), ("main", 10, "topic_template"),
          ("main", 11, "'maybe' is neither defer nor deny"), ("main", 5, "jwt_secret_file"),
          ("main", 9, "jwks_file"))),

    Case("files that the broker writes", conf(
        SECRET, "plugin_opt_audit_log_file {folder}/audit.log",
        "plugin_opt_revocation_file {folder}/revocations.jsonl")),
    Case("files in folders that are not there", conf(
        SECRET, "plugin_opt_audit_log_file {folder}/none/audit.log",
        "plugin_opt_revocation_file {folder}/none/revocations.jsonl"),
         (("main", 6, "audit_log_file: '.*/none/audit.log' cannot be written .*: No such file"),
          ("main", 7, "revocation_file: '.*/none/revocations.jsonl' cannot be written .*: No such file"))),
    Case("a folder for the audit log", conf(SECRET, "plugin_opt_audit_log_file {folder}"),
         (("main", 6, "audit_log_file: '.*' cannot be written .*: Is a directory"),)),

    Case("dynamic-security above the plugin", conf(
        "plugin {dynsec}", "plugin_opt_config_file {folder}/dynsec.json", "plugin {plugin}", SECRET,
        "plugin_opt_non_jwt_clients defer", plugin=False),
         (("main", 6, "the dynamic-security plugin is loaded before this one"),)),
    Case("dynamic-security below the plugin", conf(
        SECRET, "plugin_opt_non_jwt_clients defer", "plugin {dynsec}",
        "plugin_opt_config_file {folder}/dynsec.json")),

    Case("no plugin", conf(plugin=False), (("main", 0, "no line loads mosquitto_orgcast.so"),),
         starts=True),
    Case("another plugin only", conf("# plugin {plugin}", plugin=False),
         (("main", 0, "no line loads mosquitto_orgcast.so"),), starts=True),
    Case("a plugin that is missing", conf("plugin {folder}/mosquitto_orgcast.so", SECRET, plugin=False),
         (("main", 4, "plugin '.*/mosquitto_orgcast.so': No such file"),)),
    Case("an option before the plugin", conf(SECRET, "plugin {plugin}", SECRET, plugin=False),
         (("main", 4, "a plugin option before any plugin line"),)),
    Case("an option without a value", conf(SECRET, "plugin_opt_publish_scope"),
         (("main", 6, "a plugin option without a value"),)),

    Case("websockets alone", "listener {port} 127.0.0.1\nprotocol websockets\n{user}\nsocket_domain ipv4\n"
         "set_tcp_nodelay true\nplugin {plugin}\n" + SECRET + "\n", warning="only websockets listeners",
         starts=mosquitto_version() > (2, 0, 11), nonsense=b"GET / HTTP/1.0\r\n\r\n"),
    Case("two of websockets", "listener {port} 127.0.0.1\nprotocol websockets\n{user}\n"
         "socket_domain ipv4\nset_tcp_nodelay true\nplugin {plugin}\n" + SECRET +
         "\nlistener {free} 127.0.0.1\nsocket_domain ipv4\nprotocol websockets\n",
         warning="only websockets listeners", starts=mosquitto_version() > (2, 0, 11), nonsense=b"GET / HTTP/1.0\r\n\r\n"),
    Case("websockets beside TCP", conf(SECRET, "listener {free} 127.0.0.1", "socket_domain ipv4",
                                       "protocol websockets", "set_tcp_nodelay true")),
    Case("websockets that wait for acknowledgements", conf(SECRET, "listener {free} 127.0.0.1",
         "socket_domain ipv4", "protocol websockets"), warning="set_tcp_nodelay true"),
    Case("websockets that wait on purpose", conf(SECRET, "set_tcp_nodelay false", "listener {free} 127.0.0.1",
         "socket_domain ipv4", "protocol websockets"), warning="set_tcp_nodelay true"),
    Case("websockets beside the default listener", "port {port}\nbind_address 127.0.0.1\n{user}\n"
         "plugin {plugin}\n" + SECRET +
         "\nset_tcp_nodelay true\nlistener {free} 127.0.0.1\nsocket_domain ipv4\nprotocol websockets\n"),
    Case("websockets taken back", conf(SECRET, "protocol websockets", "protocol mqtt")),

    Case("the plugin in an included file", conf("include_dir {folder}/conf.d", plugin=False), GOOD,
         {"a.conf": "plugin {plugin}\n" + SECRET + "\n"}),
    Case("a problem in an included file", conf("include_dir {folder}/conf.d", plugin=False),
         (("b.conf", 4, "jwt_leeway"),),
         {"a.conf": "# nothing\n",
          "b.conf": "# first\nplugin {plugin}\n" + SECRET + "\nplugin_opt_jwt_leeway -1\n"}),
    Case("an option in another file than the plugin", conf(SECRET, "include_dir {folder}/conf.d"),
         (("a.conf", 2, "a plugin option before any plugin line"),),
         {"a.conf": "\nplugin_opt_jwt_leeway 5\n"}),
    Case("an option behind an included plugin", conf("include_dir {folder}/conf.d", SECRET, plugin=False),
         (("main", 5, "a plugin option before any plugin line"),
          ("a.conf", 1, "no key to check tokens with")), {"a.conf": "plugin {plugin}\n"}),
    Case("options before and behind an include_dir",
         conf("include_dir {folder}/conf.d", SECRET, "plugin_opt_jwt_leeway x"),
         (("main", 7, "jwt_leeway"),), {"a.conf": "# nothing\n"}),
    Case("included files in Mosquitto's order", conf("include_dir {folder}/conf.d", SECRET),
         (("a.conf", 1, "before any plugin"), ("B.conf", 1, "before any plugin"),
          ("b.conf", 1, "before any plugin")),
         dict.fromkeys(("b.conf", "a.conf", "B.conf"), "plugin_opt_jwt_leeway 5\n")),
    Case("files that are not included", conf(SECRET, "include_dir {folder}/conf.d"), GOOD,
         {"a.conf.bak": "plugin_opt_what 1\n", ".conf": "plugin_opt_what 1\n",
          "readme": "plugin_opt_what 1\n", "empty.conf": ""}),
    Case("no include_dir", conf(SECRET, "include_dir {folder}/nothing"),
         (("main", 6, "include_dir '.*/nothing': No such file"),)),
    Case("several files with problems",
         conf("include_dir {folder}/conf.d", "plugin_opt_what 1", "include_dir {folder}/nothing"),
         (("a.conf", 1, "before any plugin"), ("main", 7, "include_dir"), ("main", 6, "plugin_opt_what"),
          ("main", 4, "no key"), ("c.conf", 3, "jwt_max_bytes"), ("c.conf", 2, "jwt_secret_file")),
         {"a.conf": "plugin_opt_jwt_leeway 5\n",
          "c.conf": "plugin {plugin}\nplugin_opt_jwt_secret_file {folder}/none\n"
                    "plugin_opt_jwt_max_bytes 1\n"}),
]


@pytest.fixture
def written(tmp_path, keys):
    """written(case) writes a case's files and gives the path of the main one, its text, and the port."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "secret").write_bytes(keys.get("hs"))
    (tmp_path / "short").write_text("short")
    (tmp_path / "equal").write_text("0" * 32)
    (tmp_path / "dynsec.json").write_text("{}")
    for name in ("p256", "p384", "p256:2"):
        keys.write(tmp_path, name)
    (tmp_path / "set.json").write_bytes(key_set(jwk(keys.get("ed25519"), "e")))
    (tmp_path / "odd.json").write_bytes(key_set(jwk(keys.get("rsa1024"), "r")))

    def write(case, authority):
        (tmp_path / "ca.pem").write_bytes(authority.ca_path.read_bytes())
        port, free = free_ports(2)
        names = {"port": port, "free": free, "plugin": PLUGIN, "folder": tmp_path, "dynsec": plugin_path(),
                 "user": "user root" if os.geteuid() == 0 else "# nobody"}
        for name, text in case.files.items():
            (tmp_path / "conf.d" / name).write_text(text.format(**names))
        path, text = tmp_path / "main.conf", case.main.format(**names)
        path.write_text(text)
        return path, text, port
    return write


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_conf_check(case, orgcast, written, authority, make_broker):
    path, text, port = written(case, authority)
    result = orgcast("conf", "check", path)
    assert result.returncode == (1 if case.problems else 0), result.stdout + result.stderr
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    if case.warning:
        assert re.match(f"warning: .*{case.warning}", lines.pop()), result.stdout
        [line] = orgcast("conf", "check", path, "--json").stdout.splitlines()
        found = json.loads(line)
        assert (found["severity"], found["file"], found["line"]) == ("warning", str(path), 0)
        assert re.search(case.warning, found["message"])
    if case.problems:
        lines = [line for line in lines
                 if ": the plugin, with " not in line and not line.startswith("warning: ")]
        assert len(lines) == len(case.problems), result.stdout
        for line, (file, number, pattern) in zip(lines, case.problems):
            where = re.escape(str(path if file == "main" else path.parent / "conf.d" / file))
            where += rf":{number}" if number else ""
            assert re.match(rf"{where}: .*{pattern}", line), result.stdout

        objects = [json.loads(line) for line in
                   orgcast("conf", "check", path, "--json").stdout.splitlines()]
        assert all(set(o) == {"severity", "file", "line", "message"} for o in objects)
        objects = [o for o in objects if o["severity"] == "error"]
        assert [(o["file"].rpartition("/")[2].replace("main.conf", "main"), o["line"])
                for o in objects] == [(file, number) for file, number, _ in case.problems]
        assert [line.partition(": ")[2] for line in lines] == [o["message"] for o in objects]
    else:
        assert len(lines) == 1 and re.search(r": the plugin, with \d+ keys? from files$", lines[0])
        if not case.warning:
            assert orgcast("conf", "check", path, "--json").stdout == ""

    starts = not case.problems if case.starts is None else case.starts
    broker = make_broker(start=False)
    broker.config = lambda: text
    if starts:
        broker.start()
        # Until it serves somebody, Mosquitto 2.0 may lose the signal that is to end it.
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as client:
            client.sendall(case.nonsense)
            client.settimeout(TIMEOUT_S)
            client.recv(16)
    else:
        broker.refused_start(text)


# These files are root's in root's folder, so the broker has to be root as well.
USER = "user root\n" if os.geteuid() == 0 else ""


def warning(orgcast, path):
    """The only warning about a configuration that is good otherwise: the same words in text and in JSON."""
    result = orgcast("conf", "check", path)
    assert result.returncode == 0, result.stdout
    [text] = re.findall("(?m)^warning: (.*)$", result.stdout)
    [line] = orgcast("conf", "check", path, "--json").stdout.splitlines()
    found = json.loads(line)
    assert (found["severity"], found["file"], found["message"]) == ("warning", str(path), text)
    return found["line"], text


def test_a_skipped_key_is_a_warning(orgcast, tmp_path, keys):
    path = tmp_path / "set.json"
    path.write_bytes(key_set(jwk(keys.get("rsa1024"), "old"), jwk(keys.get("p256"), "new")))
    (tmp_path / "conf").write_text(f"{USER}plugin {PLUGIN}\nplugin_opt_jwks_file {path}\n")
    _, text = warning(orgcast, tmp_path / "conf")
    assert re.search(r"set.json: key 1 is skipped: .*RSA of 1024 bits", text)
    assert "with 1 key from files" in orgcast("conf", "check", tmp_path / "conf").stdout


def test_a_key_for_encryption_is_a_warning_beside_a_problem(orgcast, tmp_path, keys):
    path = tmp_path / "set.json"
    path.write_bytes(key_set(jwk(keys.get("rsa"), "enc", use="enc"), jwk(keys.get("p256"), "new")))
    (tmp_path / "conf").write_text(
        f"{USER}plugin {PLUGIN}\nplugin_opt_jwks_file {path}\nplugin_opt_jwt_leeway soon\n")
    result = orgcast("conf", "check", tmp_path / "conf")
    assert result.returncode == 1
    assert result.stdout.count("key 1 is skipped: is not for signatures: its 'use' is not 'sig'") == 1


def test_a_cache_that_cannot_be_written_is_a_warning(orgcast, tmp_path, secret_file):
    """The broker starts without it."""
    (tmp_path / "conf").write_text(
        f"plugin {PLUGIN}\nplugin_opt_jwt_secret_file {secret_file}\n"
        f"plugin_opt_jwks_cache_file {tmp_path}/none/cache.json\n{USER}")
    line, text = warning(orgcast, tmp_path / "conf")
    assert line == 3 and re.match(r"plugin_opt_jwks_cache_file: '\S+' cannot be written by", text)


def test_a_busy_metrics_port_is_a_warning(orgcast, tmp_path, secret_file):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (tmp_path / "conf").write_text(
            f"plugin {PLUGIN}\nplugin_opt_jwt_secret_file {secret_file}\n"
            f"plugin_opt_metrics_listen 127.0.0.1:{port}\n{USER}")
        line, text = warning(orgcast, tmp_path / "conf")
        assert line == 3 and f"'127.0.0.1:{port}': Address already in use" in text
    assert "warning" not in orgcast("conf", "check", tmp_path / "conf").stdout


@pytest.mark.parametrize("option", ["certfile", "keyfile", "cafile"])
def test_a_tls_file_is_looked_for(orgcast, tmp_path, secret_file, option):
    (tmp_path / "conf").write_text(
        f"listener 1 127.0.0.1\n{option} {tmp_path}/none.pem\n{USER}plugin {PLUGIN}\n"
        f"plugin_opt_jwt_secret_file {secret_file}\n")
    result = orgcast("conf", "check", tmp_path / "conf")
    assert result.returncode == 1
    assert re.search(rf"(?m)/conf:2: {option} '\S+/none.pem' cannot be read by user id \d+: No such file",
                     result.stdout)


@pytest.fixture
def open_folder():
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes the broker's user")
@pytest.mark.parametrize("user, reads", [("user nobody\n", False), ("user root\n", True)])
def test_root_looks_with_the_brokers_eyes(orgcast, open_folder, secret_file, user, reads):
    """A key of root's, whether the plugin's or that of TLS, is of no use to a broker that is nobody."""
    plugin = shutil.copy(PLUGIN, open_folder)
    for name in ("secret", "key.pem"):
        shutil.copy(secret_file, open_folder / name)
        (open_folder / name).chmod(0o600)
    (open_folder / "conf").write_text(
        f"listener 1 127.0.0.1\nkeyfile {open_folder}/key.pem\n{user}plugin {plugin}\n"
        f"plugin_opt_jwt_secret_file {open_folder}/secret\n")
    result = orgcast("conf", "check", open_folder / "conf")
    assert result.returncode == (0 if reads else 1)
    if not reads:
        assert re.search(r":2: keyfile '\S+/key.pem' cannot be read by user id \d+: Perm", result.stdout)
        assert re.search(r":5: plugin_opt_jwt_secret_file: \S+/secret': not readable for user id \d+", result.stdout)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes the broker's user")
def test_a_user_that_is_not_there(orgcast, tmp_path, secret_file):
    (tmp_path / "conf").write_text(
        f"user no-such-user\nplugin {PLUGIN}\nplugin_opt_jwt_secret_file {secret_file}\n")
    assert "cannot become the broker's user 'no-such-user'" in warning(orgcast, tmp_path / "conf")[1]


def test_each_plugin_line_is_looked_at(orgcast, tmp_path, secret_file):
    """With per_listener_settings a listener may have a plugin of its own."""
    (tmp_path / "conf").write_text(
        f"per_listener_settings true\nlistener 1 127.0.0.1\nplugin {PLUGIN}\n"
        f"plugin_opt_jwt_secret_file {secret_file}\nlistener 2 127.0.0.1\nplugin {PLUGIN}\n"
        f"plugin_opt_jwt_leeway 5\n{USER}")
    result = orgcast("conf", "check", tmp_path / "conf")
    assert result.returncode == 1
    assert re.search(r"(?m)^\S+/conf:6: no key to check tokens with", result.stdout)
    assert re.search(r"(?m)^\S+/conf:3: the plugin, with 1 key from files$", result.stdout)


@pytest.mark.parametrize("arguments, code, says", [
    ((), 2, "FILE is needed"),
    (("a", "b"), 2, "one argument too many"),
    (("--conf", "a"), 2, "unknown option --conf"),
    (("/nowhere/mosquitto.conf",), 1, "'/nowhere/mosquitto.conf': No such file"),
    (("/",), 1, "'/' is a directory"),
])
def test_usage(orgcast, arguments, code, says):
    result = orgcast("conf", "check", *arguments)
    assert (result.returncode, result.stdout) == (code, "")
    assert says in result.stderr


def test_nothing_is_fetched_or_written(orgcast, tmp_path, keys):
    """Looking at a configuration leaves no trace."""
    with Provider(key_set(jwk(keys.get("p256")))) as provider:
        (tmp_path / "conf").write_text(
            f"plugin {PLUGIN}\nplugin_opt_jwks_url {provider.url}\n"
            f"plugin_opt_jwks_cache_file {tmp_path}/cache.json\n{USER}")
        assert orgcast("conf", "check", tmp_path / "conf").returncode == 0
        assert provider.count() == 0 and provider.open == 0
    assert os.listdir(tmp_path) == ["conf"]

# SPDX-License-Identifier: MIT
"""orgcast admin: against a real broker with the plugin, and against brokers that answer badly or not."""

import json
import os
import pty
import socket
import subprocess
import threading
import time

import pytest
from attempt import attempt, refusal
from broker import mosquitto_version
from command import ORGCAST, environment
from fake_control import FakeControl, disconnect, message, response
from mqtt import PATIENCE, V5, V311, Client, wait_for
from tokens import claims, mint

ADMIN = "orgcast:admin"
COMMANDS = {
    "sessions": (), "kick": ("--subject", "nobody"), "revoke": ("--jti", "none"),
    "unrevoke": ("--jti", "none"), "revocations": (), "stats": ()}
ALL = ("whoami", *COMMANDS)
NO_PLUGIN = "Is the Orgcast plugin loaded in this broker, and new enough to have control commands?\n"


def at(broker, transport="tcp"):
    return ("--host", broker.host, "--port", broker.ports[transport])


@pytest.fixture
def token(keys):
    def make(**changes):
        return mint(claims(**changes), keys.get("hs"))
    return make


@pytest.fixture
def admin(orgcast, plugin_broker, token):
    """admin(argument, …) as an administrator; gives code, stdout and stderr."""
    def run(*arguments, expect=0):
        result = orgcast("admin", *arguments, *at(plugin_broker),
                         token=token(sub="ops", org_id="initech", scope=ADMIN))
        assert result.returncode == expect, result
        return result
    return run


@pytest.fixture
def join(plugin_broker, token):
    """join(client_id, claim=…) is a connected client."""
    opened = []

    def connect(client_id, version=V5, **changes):
        client = Client(plugin_broker, version)
        opened.append(client)
        assert client.connect(client_id, token(**changes)).code == 0
        return client

    yield connect
    for client in opened:
        client.close()


def rows(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def cells(result):
    """The table's lines, each a list of its cells."""
    return [line.split() for line in result.stdout.splitlines()]


# -- whoami and the scope --------------------------------------------------------------------------


def test_whoami(orgcast, plugin_broker, token):
    exp = int(time.time()) + 1000
    mine = token(org_id=["globex", "acme"], scope="invoices:publish openid", exp=exp)
    result = orgcast("admin", "whoami", *at(plugin_broker), token=mine)
    assert (result.returncode, result.stderr) == (0, "")
    lines = dict(line.split(None, 1) for line in result.stdout.replace("client id", "client").splitlines())
    assert lines.pop("client").startswith("orgcast-admin-")
    assert lines == {
        "subject": "ada", "organizations": "acme,globex", "scopes": "invoices:publish,openid",
        "expires": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(exp))}
    told, = rows(orgcast("admin", "whoami", "--json", *at(plugin_broker), token=mine))
    assert told.pop("clientId").startswith("orgcast-admin-")
    assert told == {"subject": "ada", "organizations": ["acme", "globex"],
                    "scopes": ["invoices:publish", "openid"], "expiresAt": exp}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_scope_is_needed(orgcast, plugin_broker, token, name):
    result = orgcast("admin", name, *COMMANDS[name], *at(plugin_broker), token=token(scope="admin"))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"orgcast admin {name}: ")
    assert result.stderr.endswith(" needs the scope orgcast:admin (scope_missing)\n")


def test_a_service_serves_every_organization(orgcast, plugin_broker, token):
    result = orgcast("admin", "whoami", *at(plugin_broker),
                     token=token(org_id=None, scope="orgcast:any-org"))
    assert "organizations  (every)\n" in result.stdout


# -- sessions --------------------------------------------------------------------------------------


def test_sessions(admin, join):
    exp = int(time.time()) + 1000
    join("web-1", sub="ann", org_id=["acme", "globex"], exp=exp)
    join("web-2", V311, sub="bob", org_id="globex", exp=exp)
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(exp))
    heading, *lines = cells(admin("sessions"))
    assert heading == ["CLIENT", "ID", "SUBJECT", "ORGANIZATIONS", "CONNECTED", "EXPIRES"]
    assert ["web-1", "ann", "acme,globex", "yes", expires] in lines
    assert ["web-2", "bob", "globex", "yes", expires] in lines
    assert any(line[1] == "ops" for line in lines)
    told = {row["clientId"]: row for row in rows(admin("sessions", "--json"))}
    assert told["web-1"] == {"clientId": "web-1", "subject": "ann", "organizations": ["acme", "globex"],
                             "scopes": [], "expiresAt": exp, "connected": True}


@pytest.mark.parametrize("arguments, found", [
    (("--organization-id", "globex"), {"web-1", "web-2"}),
    (("--organization-id", "acme"), {"web-1"}),
    (("--subject", "bob"), {"web-2"}),
    (("--organization-id", "globex", "--subject", "ann"), {"web-1"}),
    (("--organization-id", "acme", "--subject", "bob"), set()),
], ids=str)
def test_some_sessions(admin, join, arguments, found):
    join("web-1", sub="ann", org_id=["acme", "globex"])
    join("web-2", sub="bob", org_id="globex")
    assert {row["clientId"] for row in rows(admin("sessions", "--json", *arguments))} == found
    result = admin("sessions", *arguments)
    assert {line[0] for line in cells(result)[1:]} == found
    assert result.stderr == ("" if found else "orgcast admin sessions: there are none\n")


def test_more_than_one_answer_of_sessions(admin, plugin_broker, token):
    """Sessions kept for an organization's clients need no connection while they are listed."""
    kept = token(sub="kept")
    ids = {f"acme/{number}" for number in range(1100)}
    for client_id in ids:
        with Client(plugin_broker, V311) as client:
            assert client.connect(client_id, kept, clean=False).code == 0
            client.disconnect()
    told = rows(admin("sessions", "--json", "--subject", "kept"))
    assert len(told) == 1100
    assert {row["clientId"] for row in told} == ids
    assert not any(row["connected"] for row in told)
    assert len(cells(admin("sessions", "--subject", "kept"))) == 1101


HOSTILE = {
    "a b  ops yes": r"'a b  ops yes'",
    "it's": r"'it\x27s'",
    "c:\\x": r"'c:\x5cx'",
    "\u00a0": r"'\xc2\xa0'",
    "\u0436\u00fc": "\u0436\u00fc",
    "x" * 300: "x" * 76 + "...",
    "\u20ac" * 100: "\u20ac" * 25 + "...",
}


@pytest.mark.parametrize("client_id", HOSTILE, ids=ascii)
def test_hostile_client_ids(admin, plugin_broker, token, client_id):
    with Client(plugin_broker, V5) as client:
        assert client.connect(client_id, token()).code == 0
        shown = HOSTILE[client_id]
        line = admin("sessions", "--subject", "ada").stdout.splitlines()[1]
        assert line.startswith(shown + "  ")
        assert line[len(shown):].split()[:3] == ["ada", "acme", "yes"]
        # In JSON it is whole.
        told, = rows(admin("sessions", "--json", "--subject", "ada"))
        assert told["clientId"] == client_id


def test_the_terminal_is_safe(orgcast):
    """Mosquitto takes no control characters in client ids, but others might."""
    bad = "\x1b[2J\u009b\n"
    row = {"clientId": bad, "subject": bad, "organizations": [bad, "acme"], "scopes": [bad], "expiresAt": 2 ** 60,
           "connected": True}
    shown = r"'\x1b[2J\xc2\x9b\x0a'"
    with FakeControl(lambda c: message(response(c, data={"sessions": [row], "totalCount": 1}))) as broker:
        result = orgcast("admin", "sessions", *at(broker))
    assert result.returncode == 0
    assert cells(result)[1] == [shown, shown, f"{shown},acme", "yes", str(2 ** 60)]
    with FakeControl(lambda c: message(response(c, data=row))) as broker:
        result = orgcast("admin", "whoami", *at(broker))
    assert [line.split()[-1] for line in result.stdout.splitlines()] == [
        shown, f"{shown},acme", shown, str(2 ** 60), shown]


def test_long_lists_are_cut(orgcast):
    orgs = [f"organization-{number}" for number in range(10)]
    row = {"clientId": "c", "subject": "s", "scopes": [], "expiresAt": 1, "connected": False}
    for organizations, says in ((orgs, ",".join(orgs[:5]) + ",..."), (["\u20ac" * 40] * 2,
                                                                     "\u20ac" * 23 + "...,...")):
        row["organizations"] = organizations
        with FakeControl(lambda c: message(response(c, data={"sessions": [row], "totalCount": 1}))) as broker:
            result = orgcast("admin", "sessions", *at(broker))
        assert cells(result)[1] == ["c", "s", says, "no", "1970-01-01T00:00:01Z"]


def test_json_on_a_terminal_is_ascii(plugin_broker, join, token):
    join("\u202e\u00fc", sub="ann")
    ours, theirs = pty.openpty()
    arguments = ("admin", "sessions", "--json", "--subject", "ann", *at(plugin_broker))
    subprocess.run([ORGCAST, *map(str, arguments)], stdout=theirs, check=True, timeout=30 * PATIENCE,
                   env=environment(token(sub="ops", scope=ADMIN)))
    os.close(theirs)
    text = os.read(ours, 65536)
    os.close(ours)
    assert text.isascii()
    assert json.loads(text)["clientId"] == "\u202e\u00fc"


# -- kick ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by, value, others", [
    ("--client-id", "web-1", ["web-2", "web-3"]), ("--subject", "ann", ["web-2"]),
    ("--organization-id", "globex", ["web-3"])])
def test_kick(admin, join, by, value, others):
    clients = {"web-1": join("web-1", sub="ann", org_id=["acme", "globex"]),
               "web-2": join("web-2", sub="bob", org_id="globex"),
               "web-3": join("web-3", sub="ann", org_id="acme")}
    kicked = len(clients) - len(others)
    result = admin("kick", by, value)
    assert result.stdout == f"{kicked} connection{'s' * (kicked > 1)} ended\n"
    for name, client in clients.items():
        if name in others:
            client.ping()
        else:
            assert client.wait_closed() == 0x98
    again = admin("kick", by, value, "--json", expect=1)
    assert json.loads(again.stdout) == {"kicked": 0}
    join("web-1", sub="ann", org_id=["acme", "globex"]).ping()


# -- revoke and unrevoke ---------------------------------------------------------------------------

WAYS = {
    "jti": (("--jti", "t-1"), {"jti": "t-2"}),
    "subject": (("--subject", "ann"), {"sub": "bob"}),
    "organization": (("--organization-id", "globex"), {"org_id": "acme"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_revoke_and_unrevoke(admin, join, plugin_broker, token, way):
    arguments, different = WAYS[way]
    its = {"jti": "t-1", "sub": "ann", "org_id": "globex"}
    victim, other = join("web-1", **its), join("web-2", **{**its, **different})
    assert admin("revoke", *arguments).stdout == "revoked; 1 live session ended\n"
    assert victim.wait_closed() == 0x98
    other.ping()
    assert refusal(plugin_broker, token(**its)) == "token_revoked"
    assert attempt(plugin_broker, token(**{**its, **different}))
    assert json.loads(admin("revoke", *arguments, "--json").stdout) == {"sessions": 0}

    row, = rows(admin("revocations", "--json"))
    name = "organizationId" if way == "organization" else way
    assert row[name] == arguments[1] and row["revokedAt"] <= time.time()
    assert ("issuedBefore" in row) == (way != "jti")
    heading, line = cells(admin("revocations"))
    assert heading == ["KIND", "NAME", "ISSUED", "BEFORE", "REVOKED", "FORGOTTEN"]
    assert line[:2] == [way, arguments[1]] and (line[2] == "-") == (way == "jti")

    assert admin("unrevoke", *arguments).stdout == "no longer revoked\n"
    assert attempt(plugin_broker, token(**its))
    again = admin("unrevoke", *arguments, expect=1)
    assert again.stderr.startswith("orgcast admin unrevoke: ") and again.stdout == ""
    assert admin("revocations").stderr == "orgcast admin revocations: there are none\n"
    assert admin("revocations", "--json").stdout == ""


MOMENTS = {
    "1763978400": 1763978400,
    "2025-11-24T10:00:00Z": 1763978400,
    "2025-11-24T10:00:00.000Z": 1763978400,
    "2025-11-24T10:00:00.001Z": 1763978401,
    "2025-11-24T12:30:00+02:30": 1763978400,
    "2025-11-24T09:00:00-01:00": 1763978400,
    "2024-02-29T00:00:00Z": 1709164800,
    "0": 0,
}


@pytest.mark.parametrize("text", MOMENTS)
def test_moments(admin, text):
    admin("revoke", "--subject", "ann", "--issued-before", text, "--expires-at", "2999-01-01T00:00:00Z")
    row, = rows(admin("revocations", "--json"))
    assert row["issuedBefore"] == MOMENTS[text]
    assert row["forgottenAt"] == 32472144000
    assert cells(admin("revocations"))[1][-1] == "2999-01-01T00:00:00Z"


@pytest.mark.parametrize("arguments", [(), ("--issued-before", "now")], ids=["default", "now"])
def test_now_is_the_end_of_this_second(admin, plugin_broker, token, arguments):
    old, new = (token(sub="ann", iat=int(time.time()) + ahead) for ahead in (0, 30))
    admin("revoke", "--subject", "ann", *arguments)
    assert refusal(plugin_broker, old) == "token_revoked"
    assert attempt(plugin_broker, new)


def test_revoke_for_no_token_is_refused(admin):
    result = admin("revoke", "--jti", "x", "--expires-at", "1000", expect=1)
    assert result.stderr.endswith(" (request_invalid)\n")


def test_more_than_one_answer_of_revocations(admin, join):
    ops = join("ops-1", sub="ops", scope=ADMIN)
    for start in range(0, 1100, 50):
        commands = [{"command": "revoke", "jti": f"t-{number}"} for number in range(start, start + 50)]
        assert ops.publish("$CONTROL/orgcast/v1", json.dumps({"commands": commands})) == 0
    told = rows(admin("revocations", "--json"))
    assert {row["jti"] for row in told} == {f"t-{number}" for number in range(1100)}
    assert len(told) == 1100


# -- stats -----------------------------------------------------------------------------------------


def test_stats(admin, join, orgcast, plugin_broker, token):
    join("web-1", org_id="globex")
    assert orgcast("admin", "whoami", *at(plugin_broker), token="x.y.z").returncode == 1
    told, = rows(admin("stats", "--json"))
    assert told["connects"]["refused"]["token_malformed"] == 1
    assert {"organizationId": "globex", "connections": 1, "events": {"accepted": 0, "refused": 0}} \
        in told["byOrganization"]
    text = admin("stats").stdout
    lines = [line.split() for line in text.splitlines()]
    assert ["token_malformed", "1"] in lines and ["connected", "2"] in lines
    assert not any(line[0] == "token_expired" for line in lines[lines.index(["connects"]):] if line)
    assert ["globex", "1", "0", "0"] in lines
    assert ["ORGANIZATION", "CONNECTIONS", "EVENTS", "ACCEPTED", "EVENTS", "REFUSED"] in lines
    assert lines[0][0] == "started" and lines[0][2].endswith("Z")


def test_stats_of_one_organization(admin, join):
    join("web-1", org_id="globex")
    join("web-2", org_id="acme")
    assert cells(admin("stats", "--organization-id", "globex"))[1:] == [["globex", "1", "0", "0"]]
    told, = rows(admin("stats", "--organization-id", "acme", "--json"))
    assert [row["organizationId"] for row in told["byOrganization"]] == ["acme"]
    assert admin("stats", "--organization-id", "nowhere").stdout == "no connection and no event of late\n"


# -- tokens ----------------------------------------------------------------------------------------


def test_signing_key(orgcast, plugin_broker, private_key):
    signing = ("--signing-key-file", private_key("hs"), *at(plugin_broker))
    told, = rows(orgcast("admin", "sessions", "--json", *signing))
    assert told["subject"] == "orgcast-admin" and told["scopes"] == [ADMIN]
    assert 0 < told["expiresAt"] - time.time() <= 300
    told, = rows(orgcast("admin", "whoami", "--json", *signing, "--sub", "ops", "--scope",
                         "orgcast:any-org x"))
    assert told["subject"] == "ops" and told["scopes"] == ["orgcast:any-org", "x"]


def test_signing_key_that_cannot(orgcast, plugin_broker, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(os.urandom(64).hex().encode())
    result = orgcast("admin", "whoami", "--signing-key-file", other, *at(plugin_broker))
    assert result.returncode == 1 and "does not accept what the key of --signing-key-file signs" in result.stderr
    short = tmp_path / "short"
    short.write_text("short")
    result = orgcast("admin", "whoami", "--signing-key-file", short, *at(plugin_broker))
    assert result.returncode == 1 and "short" in result.stderr
    result = orgcast("admin", "whoami", "--signing-key-file", tmp_path / "none", *at(plugin_broker))
    assert result.returncode == 1 and "the key file cannot be read" in result.stderr


def test_token_file_and_stdin(orgcast, plugin_broker, token, token_file):
    path = token_file(token())
    assert orgcast("admin", "whoami", "--token-file", path, *at(plugin_broker)).returncode == 0
    result = orgcast("admin", "whoami", "--token-file", "-", *at(plugin_broker), stdin=token() + "\n")
    assert result.returncode == 0


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("given, says", [
    (None, "No token was given: use --token-file or the environment variable ORGCAST_TOKEN."),
    ("expired", "'orgcast token inspect' shows what a token says and whether it has expired."),
], ids=["none", "expired"])
def test_refused_connection(orgcast, plugin_broker, token, name, given, says):
    given = token(exp=1000, scope=ADMIN) if given else None
    result = orgcast("admin", name, *COMMANDS.get(name, ()), *at(plugin_broker), token=given)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"127.0.0.1:{plugin_broker.ports['tcp']} refused the connection: not authorized (0x87)\n" \
        in result.stderr
    assert says in result.stderr
    assert given is None or given not in result.stderr


def test_the_token_is_in_no_argument(background, token):
    """/proc/PID/cmdline is what ps shows to everybody."""
    with FakeControl(acknowledged=None) as broker:
        secret = token(scope=ADMIN)
        command = background("admin", "stats", "--timeout", "3", *at(broker), token=secret)
        wait_for(lambda: broker.commands, "the request")
        with open(f"/proc/{command.process.pid}/cmdline", "rb") as cmdline:
            shown = cmdline.read()
        assert b"stats" in shown
        assert not any(part in shown for part in secret.encode().split(b"."))
        assert command.end() == 1


# -- TLS -------------------------------------------------------------------------------------------


def test_tls(orgcast, make_broker, secret_file, authority, token, tmp_path):
    broker = make_broker({"jwt_secret_file": secret_file}, listeners=("tcp", "tls"), tls=authority)
    arguments = ("admin", "whoami", *at(broker, "tls"), "--tls-ca-file")
    result = orgcast(*arguments, authority.ca_path, token=token())
    assert result.returncode == 0 and "subject        ada\n" in result.stdout
    result = orgcast(*arguments, type(authority)(tmp_path / "other").ca_path, token=token())
    assert (result.returncode, result.stdout) == (1, "")
    assert "certificate verify failed" in result.stderr
    result = orgcast(*arguments, tmp_path / "none.pem", token=token())
    assert result.returncode == 1 and "--tls-ca-file" in result.stderr


def test_tls_to_a_port_without_it(orgcast, plugin_broker, authority, token):
    """The broker hangs up in the middle of the handshake."""
    started = time.monotonic()
    result = orgcast("admin", "whoami", *at(plugin_broker), "--tls-ca-file", authority.ca_path, token=token())
    assert (result.returncode, result.stdout) == (1, "")
    assert "is lost" in result.stderr or "cannot connect" in result.stderr
    assert time.monotonic() - started < 8 * PATIENCE


@pytest.mark.parametrize("way", ["closed", "reset"])
def test_a_tls_handshake_that_is_cut_off(orgcast, authority, way):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            link, _ = server.accept()
            link.recv(1 if way == "reset" else 65536)  # what is left unread makes it a reset
            link.close()

        thread = threading.Thread(target=serve)
        thread.start()
        started = time.monotonic()
        result = orgcast("admin", "whoami", "--port", server.getsockname()[1], "--tls-ca-file",
                         authority.ca_path)
        thread.join()
    assert (result.returncode, result.stdout) == (1, "")
    assert "is lost" in result.stderr or "cannot connect" in result.stderr
    assert time.monotonic() - started < 8 * PATIENCE


# -- brokers that do not answer --------------------------------------------------------------------


def test_no_broker(orgcast, make_broker):
    broker = make_broker(plugin=False, start=False)
    result = orgcast("admin", "stats", *at(broker))
    assert (result.returncode, result.stdout) == (1, "")
    assert f"cannot connect to 127.0.0.1:{broker.ports['tcp']}: Connection refused" in result.stderr


def test_no_such_host(orgcast):
    result = orgcast("admin", "stats", "--host", "no-such-host.invalid")
    assert result.returncode == 1
    assert "cannot connect to no-such-host.invalid:1883: " in result.stderr


@pytest.mark.parametrize("name", ALL)
def test_a_broker_without_the_plugin(orgcast, open_broker, name):
    result = orgcast("admin", name, *COMMANDS.get(name, ()), "--timeout", "1", *at(open_broker))
    assert (result.returncode, result.stdout) == (1, "")
    port = open_broker.ports["tcp"]
    says = f"127.0.0.1:{port} does not answer the request within 1 s" if mosquitto_version() < (2, 1) \
        else f"127.0.0.1:{port} answers: endpoint not available"
    assert result.stderr == f"orgcast admin {name}: {says}\n{NO_PLUGIN}"


def test_a_port_where_nobody_speaks(orgcast):
    with socket.create_server(("127.0.0.1", 0)) as server:
        result = orgcast("admin", "stats", "--timeout", "1", "--port", server.getsockname()[1])
    assert result.returncode == 1
    assert result.stderr.endswith(" does not answer\n")


def test_a_port_that_takes_no_more_connections(orgcast):
    """Then connect() waits for minutes."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        held = []
        for _ in range(3):
            held.append(socket.socket())
            held[-1].setblocking(False)
            held[-1].connect_ex(address)
        started = time.monotonic()
        result = orgcast("admin", "stats", "--timeout", "1", "--port", address[1])
        for sock in held:
            sock.close()
    assert result.returncode == 1
    assert result.stderr == f"orgcast admin stats: 127.0.0.1:{address[1]} does not answer\n"
    assert time.monotonic() - started < 8 * PATIENCE


def test_a_port_of_another_kind(orgcast, fake_listener, token):
    """It hangs up after the CONNECT."""
    port, password = fake_listener
    result = orgcast("admin", "stats", "--port", port, token=(secret := token()))
    assert result.returncode == 1
    assert f"the connection to 127.0.0.1:{port} is lost" in result.stderr
    assert password() == secret


REFUSING = {
    "subscription": ({"granted": 0x87}, "refused the subscription to $CONTROL/orgcast/v1/response: "
                                        "not authorized (0x87)"),
    "request": ({"acknowledged": 0x87}, "refused the request: not authorized (0x87)"),
    "no SUBACK": ({"granted": None}, "does not answer"),
    "no PUBACK": ({"acknowledged": None}, "does not answer the request within 1 s"),
}


@pytest.mark.parametrize("case", REFUSING)
def test_a_broker_that_knows_no_control_commands(orgcast, case):
    """As one with an earlier plugin."""
    how, says = REFUSING[case]
    with FakeControl(**how) as broker:
        result = orgcast("admin", "stats", "--timeout", "1", *at(broker))
    assert (result.returncode, result.stdout) == (1, "")
    hint = "" if case == "no SUBACK" else NO_PLUGIN
    assert result.stderr == f"orgcast admin stats: 127.0.0.1:{broker.ports['tcp']} {says}\n{hint}"


@pytest.mark.parametrize("reply, says", [
    (lambda command: disconnect(0x98), "the broker ended the connection: administrative action (0x98)"),
    (lambda command: None, "is lost"),
], ids=["DISCONNECT", "hangs up"])
def test_a_broker_that_goes_before_it_answers(orgcast, reply, says):
    with FakeControl(reply) as broker:
        result = orgcast("admin", "kick", "--subject", "ann", *at(broker))
    assert (result.returncode, result.stdout) == (1, "")
    assert says in result.stderr
    assert result.stderr.endswith("\nWhether the command was carried out is not known.\n")


# -- answers that are none -------------------------------------------------------------------------

SESSION = {"clientId": "c", "subject": "s", "organizations": ["acme"], "scopes": [], "expiresAt": 1,
           "connected": True}


def listing(*told, total=1):
    return {"sessions": list(told), "totalCount": total}


def without(name, **more):
    return {key: value for key, value in {**SESSION, **more}.items() if key != name}


BAD = {
    "nothing": lambda c: b"",
    "no JSON": lambda c: b"hello",
    "an array": lambda c: b"[]",
    "behind it": lambda c: json.dumps(response(c, data=listing(SESSION))).encode() + b"x",
    "no UTF-8": lambda c: b'{"responses":[{"command":"\xff"}]}',
    "twice": lambda c: b'{"responses":[],"responses":[]}',
    "deep": lambda c: b'{"responses":' + b"[" * 100 + b"]" * 100 + b"}",
    "no responses": lambda c: {},
    "none of them": lambda c: {"responses": []},
    "two of them": lambda c: {"responses": response(c)["responses"] * 2},
    "a number": lambda c: {"responses": [7]},
    "no data": lambda c: response(c, data=None),
    "data is an array": lambda c: response(c, data=[]),
    "no correlation": lambda c: response(c, correlationData=None),
    "another command": lambda c: response(c, command="stats"),
    "error is a number": lambda c: response(c, data=None, error=7),
    "no rows": lambda c: response(c, data={"totalCount": 0}),
    "rows are an object": lambda c: response(c, data={"sessions": {}, "totalCount": 0}),
    "no total": lambda c: response(c, data={"sessions": []}),
    "total is text": lambda c: response(c, data=listing(total="1")),
    "total below 0": lambda c: response(c, data=listing(total=-1)),
    "row is a number": lambda c: response(c, data=listing(7)),
    **{f"row without {name}": lambda c, name=name: response(c, data=listing(without(name)))
       for name in SESSION},
    "organizations are numbers": lambda c: response(c, data=listing({**SESSION, "organizations": [1]})),
    "expiry is text": lambda c: response(c, data=listing({**SESSION, "expiresAt": "1"})),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("json_flag", [(), ("--json",)], ids=["text", "json"])
def test_bad_answers(orgcast, case, json_flag):
    with FakeControl(lambda command: message(BAD[case](command))) as broker:
        result = orgcast("admin", "sessions", *json_flag, *at(broker))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "orgcast admin sessions: unexpected answer to listSessions; is the " \
        "plugin older than this command?\n"


@pytest.mark.parametrize("arguments, data", [
    (("whoami",), {}), (("whoami",), {**SESSION, "subject": 7}),
    (("kick", "--subject", "a"), {}), (("kick", "--subject", "a"), {"kicked": "1"}),
    (("kick", "--subject", "a"), {"kicked": -1}), (("revoke", "--jti", "a"), {"sessions": 1.5}),
    (("revocations",), {"revocations": [{"name": "x"}], "totalCount": 1}),
    (("revocations",), {"revocations": [{"jti": "x", "revokedAt": "1"}], "totalCount": 1}),
    (("revocations",), {"revocations": [{"jti": "x", "revokedAt": 1, "forgottenAt": "1"}], "totalCount": 1}),
    (("stats",), {}), (("stats",), {"byOrganization": {}}), (("stats",), {"byOrganization": [{}]}),
], ids=str)
def test_bad_data(orgcast, arguments, data):
    with FakeControl(lambda command: message(response(command, data=data))) as broker:
        result = orgcast("admin", *arguments, *at(broker))
    assert (result.returncode, result.stdout) == (1, "")
    assert "is the plugin older than this command?" in result.stderr


def test_answers_of_others_are_passed_over(orgcast):
    def reply(command):
        late = {**command, "correlationData": "0"}
        return message(response(late, data={"kicked": 7})) \
            + message(response(command, data={"kicked": 8}), "org/acme/invoices/paid/x") \
            + message(response(command, data={"kicked": 9}))

    with FakeControl(reply) as broker:
        result = orgcast("admin", "kick", "--subject", "ann", *at(broker))
    assert (result.returncode, result.stdout) == (0, "9 connections ended\n")
    assert broker.commands == [{"command": "kick", "correlationData": "1", "subject": "ann"}]


@pytest.mark.parametrize("correlation", [{}, {"correlationData": None}], ids=["with", "without"])
def test_errors_are_fit_for_a_terminal(orgcast, correlation):
    def reply(command):
        return message(response(command, data=None, error="no\x1b[2J", code="c\n", **correlation))

    with FakeControl(reply) as broker:
        result = orgcast("admin", "stats", *at(broker))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "orgcast admin stats: no\\x1b[2J (c\\x0a)\n"


def test_a_total_that_is_not_reached(orgcast):
    """Sessions may go while they are listed."""
    def reply(command):
        told = [{**SESSION, "clientId": f"c{n}"} for n in range(command["offset"], min(7, command["offset"] + 3))]
        return message(response(command, data=listing(*told, total=5000)))

    with FakeControl(reply) as broker:
        result = orgcast("admin", "sessions", "--json", *at(broker))
    assert result.returncode == 0
    assert [row["clientId"] for row in rows(result)] == [f"c{n}" for n in range(7)]
    assert [command["offset"] for command in broker.commands] == [0, 3, 6, 7]
    assert len({command["correlationData"] for command in broker.commands}) == 4


def test_numbers_of_a_later_plugin(orgcast):
    data = {"new\x1b": {"deep": {"er": 3, "text": "x"}}, "big": 2 ** 62, "byOrganization": []}
    with FakeControl(lambda command: message(response(command, data=data))) as broker:
        result = orgcast("admin", "stats", *at(broker))
    assert result.returncode == 0
    assert cells(result) == [["'new\\x1b'"], ["deep"], ["er", "3"], ["big", str(2 ** 62)]]


# -- usage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_help(orgcast, name):
    result = orgcast("admin", name, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"Usage: orgcast admin {name} ")
    for text in ("Options:", "--json ", "--token-file ", "--signing-key-file ", "--tls-ca-file ", "--timeout "):
        assert text in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert f"\n  admin {name} " in orgcast("--help").stdout
    assert f"\n  admin {name} " in orgcast("admin", "--help").stdout


WRONG = {
    "no subcommand": ((), "a subcommand is missing"),
    "unknown subcommand": (("ban",), "no such subcommand: 'ban'"),
    "whom to kick": (("kick",), "exactly one of --client-id, --subject and --organization-id is needed"),
    "two to kick": (("kick", "--subject", "a", "--client-id", "b"), "exactly one of"),
    "nobody to kick": (("kick", "--subject", ""), "--subject is empty"),
    "wildcard": (("kick", "--organization-id", "+"), "--organization-id must not contain"),
    "what to revoke": (("revoke",), "exactly one of --jti, --subject and --organization-id is needed"),
    "two to revoke": (("revoke", "--jti", "a", "--subject", "b"), "exactly one of"),
    "what to unrevoke": (("unrevoke",), "exactly one of --jti, --subject and --organization-id"),
    "jti and time": (("revoke", "--jti", "a", "--issued-before", "now"),
                     "--issued-before does not go with --jti"),
    "time of unrevoke": (("unrevoke", "--jti", "a", "--issued-before", "now"),
                         "unknown option --issued-before"),
    "not UTF-8": (("kick", "--subject", b"\xff"), "--subject is not UTF-8"),
    "organization not UTF-8": (("sessions", "--organization-id", b"\xff"), "--organization-id must"),
    "alg without key": (("stats", "--alg", "HS256"), "--alg goes with --signing-key-file"),
    "scope without key": (("stats", "--scope", "x"), "--scope goes with --signing-key-file"),
    "two token sources": (("stats", "--token-file", "a", "--signing-key-file", "b"), "exclude each other"),
    "timeout": (("stats", "--timeout", "0"), "--timeout: '0' is no whole number from 1"),
    "an argument too many": (("sessions", "acme"), "one argument too many"),
    "token": (("stats", "--token", "eyJsecret"), "use --token-file or ORGCAST_TOKEN"),
    **{f"time {text!r}": (("revoke", "--subject", "a", "--issued-before", text), "--issued-before: '")
       for text in ("", "today", "-1", "1e9", "9999999999999", "2026-11-24", "2026-11-24T10:00:00",
                    "2026-11-24t10:00:00z", "2026-02-30T10:00:00Z", "2026-13-01T10:00:00Z",
                    "2026-11-24T24:00:00Z", "2026-11-24T10:00:60Z", "2026-11-24T10:00:00.Z",
                    "2026-11-24T10:00:00Zx", "2026-11-24T10:00:00+24:00", "2026-11-24T10:00:00+0100",
                    "1969-12-31T23:59:59Z", " 2026-11-24T10:00:00Z", "2026-11-24T10:00:00.1234567891Z")},
}


@pytest.mark.parametrize("arguments, says", WRONG.values(), ids=WRONG)
def test_wrong_usage(arguments, says):
    result = subprocess.run([ORGCAST, "admin", *arguments], capture_output=True, text=True, check=False,
                            env=environment(), timeout=30 * PATIENCE)
    assert (result.returncode, result.stdout) == (2, "")
    assert says in result.stderr
    assert "eyJsecret" not in result.stderr
    assert "\nTry 'orgcast admin " in result.stderr and "--help'." in result.stderr

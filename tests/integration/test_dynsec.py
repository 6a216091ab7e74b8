# SPDX-License-Identifier: MIT
"""`non_jwt_clients defer` beside Mosquitto's dynamic-security plugin."""

import itertools
import json
import re
import subprocess

import dynsec
import pytest
from broker import MOSQUITTO, PLUGIN, mosquitto_version
from conftest import BrokerPool
from control import RESPONSE, TOPIC, code, connect_enhanced, data
from events import event, event_id, topic
from mqtt import NOT_AUTHORIZED, TIMEOUT_S, V5, V31, VERSION_NAMES, VERSIONS, Client

ALL = "org/acme/invoices/#"

ROLES = {
    "plant": [dynsec.acl("publishClientSend", "plant/#"), dynsec.acl("subscribePattern", "plant/#")],
    "reader": [dynsec.acl("subscribePattern", "org/acme/invoices/#")],
    "writer": [dynsec.acl("publishClientSend", "org/acme/invoices/#")],
    "asker": [dynsec.acl("publishClientSend", TOPIC)],
    "boss": [dynsec.acl("publishClientSend", "$CONTROL/#"), dynsec.acl("subscribePattern", "$CONTROL/#"),
             dynsec.acl("publishClientReceive", "$CONTROL/#"), dynsec.acl("publishClientSend", "#"), dynsec.acl("subscribePattern", "#")],
}

by_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)

_names = itertools.count()


def name(start="d"):
    return f"{start}-{next(_names)}"


def refused(version):
    return NOT_AUTHORIZED if version == V5 else 5


def dynsec_lines(folder):
    return dynsec.lines(folder, ROLES, [
        dynsec.client("admin", "boss"), dynsec.client("sensor", "plant"), dynsec.client("desk", "reader"),
        dynsec.client("till", "writer"), dynsec.client("curious", "asker"),
        # A name that is also a subject of tokens.
        dynsec.client("ada", "plant")])


@pytest.fixture(scope="module")
def pool(tmp_path_factory, secret_file):
    folder = tmp_path_factory.mktemp("dynsec")
    pool = BrokerPool(folder, {"dynsec": {
        "options": {"jwt_secret_file": secret_file, "non_jwt_clients": "defer"},
        "listeners": ("tcp", "ws"), "extra": dynsec_lines(folder)}})
    yield pool
    pool.stop()


@pytest.fixture
def broker(pool):
    return pool.get("dynsec", 10)


@pytest.fixture
def foreign(broker, join):
    """foreign(name, client_id=…, …) connects one of dynamic-security's clients."""
    def connect(username, client_id=None, version=V5, transport="tcp", **more):
        return join(broker, client_id or name(username), dynsec.PASSWORD + username, version, transport,
                    username=username, **more)
    return connect


def command(client, **members):
    """Asks dynamic-security; its response. The client is subscribed to it."""
    client.publish(dynsec.CONTROL, json.dumps({"commands": [members]}).encode())
    message = client.take(1)[0]
    assert message.topic == dynsec.RESPONSE
    return json.loads(message.payload)["responses"][0]


def names_of(boss):
    return command(boss, command="listClients")["data"]["clients"]


@by_version
@pytest.mark.parametrize("transport", ["tcp", "ws"])
def test_side_by_side(version, transport, broker, foreign, tokens, join):
    """Each has the rights that its own plugin gives it, and no others."""
    sensor = foreign("sensor", version=version, transport=transport)
    member = join(broker, name(), tokens.publisher(), version, transport)
    assert sensor.subscribe("plant/#") == [0]
    assert member.subscribe(ALL) == [0]
    assert sensor.subscribe(ALL)[0] >= 0x80 or version == V31
    assert member.subscribe("plant/#")[0] >= 0x80 or version == V31
    where, payload = event("acme")
    sensor.publish("plant/1", b"7")
    member.publish("plant/1", b"8")
    member.publish(where, payload)
    sensor.publish(*event("acme"))
    assert [(m.topic, m.payload) for m in sensor.drain()] == [("plant/1", b"7")]
    assert [event_id(m.payload) for m in member.drain()] == [event_id(payload)]
    assert data(member, "whoami")["subject"] == "billing"


@by_version
def test_an_organizations_topics_by_roles(version, broker, foreign, tokens, join):
    """What dynamic-security gives its clients there is theirs; what they send has to be an event."""
    reader = foreign("desk", version=version)
    assert reader.subscribe(ALL) == [0]
    writer = foreign("till", version=version)
    where, payload = event("acme")
    writer.publish(where, payload)
    writer.publish(where, b"{}")
    assert [event_id(m.payload) for m in reader.drain()] == [event_id(payload)]


@by_version
def test_a_tokens_subject_gets_no_roles(version, broker, foreign, tokens, join):
    """`ada` and `admin` are clients of dynamic-security; the same subjects of a token are somebody else."""
    world = foreign("admin")
    assert world.subscribe("#") == [0]
    for subject in ("ada", "admin"):
        for username in (subject, "admin", "sensor"):
            member = join(broker, name(), tokens.publisher(sub=subject), version, username=username)
            assert member.subscribe("plant/#")[0] >= 0x80 or version == V31
            member.publish("plant/1", b"8")
            assert member.drain() == []
            member.disconnect()
    assert world.drain() == []


@by_version
@pytest.mark.parametrize("who", ["member", "publisher", "service", "admin"])
def test_its_control_topic_is_closed_to_tokens(who, version, broker, foreign, tokens, join):
    token = {"member": tokens.member(sub="admin"), "publisher": tokens.publisher(sub="admin"),
             "service": tokens.service(sub="admin"),
             "admin": tokens.member(sub="admin", scope="orgcast:admin orgcast:any-org invoices:publish")}[who]
    member = join(broker, name(), token, version, username="admin")
    for topic_filter in (dynsec.RESPONSE, "$CONTROL/#", "$CONTROL/dynamic-security/#"):
        assert member.subscribe(topic_filter)[0] >= 0x80 or version == V31
    mark = broker.mark()
    member.publish(dynsec.CONTROL, b'{"commands":[{"command":"createClient","username":"mallory","password":"x"}]}')
    assert broker.denial("publish", member.client_id, mark) == (dynsec.CONTROL, "topic_not_allowed")
    boss = foreign("admin")
    boss.subscribe(dynsec.RESPONSE)
    assert "mallory" not in names_of(boss) and "sensor" in names_of(boss)
    assert member.drain() == []


def test_our_control_topic_has_nothing_for_them(broker, foreign):
    """Even where dynamic-security lets them publish there."""
    for username in ("curious", "admin"):
        client = foreign(username)
        for asked in ("whoami", "refresh", "stats", "revoke"):
            assert code(client, asked) == "session_unknown"
    sensor = foreign("sensor")
    assert sensor.publish(TOPIC, b'{"commands":[{"command":"whoami"}]}') == NOT_AUTHORIZED
    assert [m for m in sensor.drain() if m.topic == RESPONSE] == []


@by_version
def test_who_is_neither_is_refused(version, broker, tokens):
    token = tokens.member()
    bad = token[:-8] + "AAAAAAAA"
    for username, password in (("sensor", "wrong"), ("nobody", dynsec.PASSWORD + "sensor"), ("sensor", ""),
                               ("sensor", bad), ("admin", bad), ("sensor", None), (None, None)):
        if version == V31 and username is None and password:
            continue
        with Client(broker, version) as client:
            assert client.connect(name(), password, username=username).code == refused(version)


@by_version
def test_ids_are_not_taken(version, broker, foreign, tokens, join):
    member = join(broker, name("mine"), tokens.member(), version)
    with Client(broker, version) as thief:
        answer = thief.connect(member.client_id, dynsec.PASSWORD + "admin", username="admin")
        assert answer.code == refused(version)
    sensor = foreign("sensor", version=version)
    with Client(broker, version) as thief:
        assert thief.connect(sensor.client_id, tokens.service(sub="sensor")).code == refused(version)
    member.ping()
    sensor.ping()


def test_enhanced_authentication(broker, tokens):
    with Client(broker, V5) as client:
        assert connect_enhanced(client, name(), tokens.member(sub="ada"), username="admin").code == 0
        assert data(client, "whoami")["subject"] == "ada"
        assert client.subscribe(["plant/#", ALL]) == [NOT_AUTHORIZED, 0]


def test_its_administrator_goes_on(broker, foreign, tokens, join):
    """Clients and roles come and go at run time."""
    boss = foreign("admin")
    assert boss.subscribe(dynsec.RESPONSE) == [0]
    who = name("new")
    answer = command(boss, command="createClient", username=who, password="secret",
                     roles=[{"rolename": "plant", "priority": 0}])
    assert "error" not in answer
    client = join(broker, who, "secret", V5, username=who)
    assert client.subscribe("plant/#") == [0]
    assert "error" not in command(boss, command="deleteClient", username=who)
    client.wait_closed()
    with Client(broker, V5) as again:
        assert again.connect(who, "secret", username=who).code == NOT_AUTHORIZED


def test_it_may_end_connections_of_a_subject_of_that_name(broker, foreign, tokens, join):
    """Mosquitto ends them by username. They come back, with what their token gives them."""
    boss = foreign("admin")
    boss.subscribe(dynsec.RESPONSE)
    member = join(broker, "acme/" + name(), tokens.member(sub="ada"), V5, clean=False,
                  props={"session_expiry": 300})
    member.subscribe(ALL)
    other = join(broker, name(), tokens.member(sub="eve"), V5)
    assert "error" not in command(boss, command="disableClient", username="ada")
    member.wait_closed()
    other.ping()
    back = join(broker, member.client_id, tokens.member(sub="ada"), V5, clean=False,
                props={"session_expiry": 300})
    assert back.session_present
    backend = join(broker, name(), tokens.service(), V5)
    backend.publish(*event("acme"))
    assert [m.topic for m in back.drain()] == [topic("acme")]
    assert back.subscribe("plant/#") == [NOT_AUTHORIZED]
    assert "error" not in command(boss, command="enableClient", username="ada")


def test_sighup_disturbs_neither(broker, foreign, tokens, join):
    sensor, member = foreign("sensor"), join(broker, name(), tokens.publisher(sub="ada"), V5)
    sensor.subscribe("plant/#")
    member.subscribe(ALL)
    for _ in range(3):
        broker.reload()
        sensor.publish("plant/1", b"7")
        member.publish(*event("acme"))
    assert len(sensor.drain()) == len(member.drain()) == 3
    assert member.subscribe("plant/#") == [NOT_AUTHORIZED]


def test_deny_leaves_it_nothing(make_broker, secret_file, tmp_path, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file}, extra=dynsec_lines(tmp_path))
    with Client(broker, V5) as client:
        assert client.connect("x", dynsec.PASSWORD + "admin", username="admin").code == NOT_AUTHORIZED
    join(broker, "m", tokens.member(), V5).ping()


def test_loaded_before_it_is_refused(make_broker, secret_file, tmp_path):
    """It asks by username, which a token's subject becomes: a token for `admin` would be its administrator's."""
    for mode in ("defer", "deny"):
        broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": mode},
                             before=dynsec_lines(tmp_path), start=False)
        assert "mosquitto_dynamic_security.so is loaded before this plugin; move its line below" in broker.refused_start()


ACL_PLUGINS = {"acl-file": "acl_file", "password-file": "password_file"}


def acl_plugin_lines(name, folder):
    path = dynsec.own_plugin(name)
    if path is None:
        pytest.skip(f"this broker has no {name} plugin")
    (folder / "acl_file").write_text("user ops\ntopic readwrite #\n")
    (folder / "password_file").write_text("")
    option = ACL_PLUGINS[name]
    return f"plugin {path}\nplugin_opt_{option} {folder / option}\n"


@pytest.mark.parametrize("name", ACL_PLUGINS)
@pytest.mark.parametrize("mode", ["deny", "defer"])
def test_no_other_plugin_comes_first(name, mode, make_broker, secret_file, tmp_path):
    """Mosquitto 2.1: the ACL file as a plugin grants by username, so a token for `ops` would get everything."""
    broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": mode},
                         before=acl_plugin_lines(name, tmp_path), start=False)
    assert f"mosquitto_{ACL_PLUGINS[name]}.so is loaded before this plugin; move its line below" in \
        broker.refused_start()


@pytest.mark.parametrize("name", ACL_PLUGINS)
def test_other_plugins_below_give_a_token_nothing(name, make_broker, secret_file, tmp_path, tokens, join):
    broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": "defer"},
                         extra=acl_plugin_lines(name, tmp_path))
    ops = join(broker, "ops-1", tokens.member(sub="ops"), V5)
    assert ops.subscribe([ALL, "#", "plant/#"]) == [0, NOT_AUTHORIZED, NOT_AUTHORIZED]


def refused_lines(broker, change):
    """What a broker says that refuses its configuration after change(text)."""
    text = change(broker.config())
    return broker.refused_start(text)


def by_name(text):
    """The same plugin for the same listener, loaded by name."""
    return text.replace(f"\nplugin {PLUGIN}", f"\nplugin_load orgcast {PLUGIN}") + "plugin_use orgcast\n"


@pytest.mark.parametrize("name", ACL_PLUGINS)
def test_no_plugin_for_all_listeners_beside_that_of_one(name, make_broker, secret_file, tmp_path):
    """Mosquitto 2.1 asks global plugins first, wherever their lines are: a token for `ops` got everything."""
    lines = acl_plugin_lines(name, tmp_path).replace("plugin /", "global_plugin /")
    broker = make_broker({"jwt_secret_file": secret_file}, per_listener=True, start=False)
    log = refused_lines(broker, lambda text: text + lines)
    assert re.search(rf"mosquitto.conf:\d+: 'global_plugin \S+/mosquitto_{ACL_PLUGINS[name]}.so' is for all listeners, so "
                     "the broker asks it first; move it", log)


@pytest.mark.skipif(mosquitto_version() < (2, 1), reason="has no plugin_load")
def test_by_name_it_is_for_single_listeners(make_broker, secret_file):
    """Without per_listener_settings an acl_file is for all, and SIGHUP may add one."""
    broker = make_broker({"jwt_secret_file": secret_file}, start=False)
    assert re.search(r"mosquitto.conf:\d+: 'plugin_load' needs 'per_listener_settings true'", refused_lines(broker, by_name))


HOWS = {
    # Then this plugin is asked first.
    "global": lambda text: text.replace(f"\nplugin {PLUGIN}", f"\nglobal_plugin {PLUGIN}"),
    "by name": by_name,
    "one listener's": lambda text: text,
}


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("sparkplug", [False, True], ids=["alone", "beside a harmless one"])
def test_plugins_beside_that_of_a_listener_that_are_no_danger(how, sparkplug, make_broker, secret_file, tmp_path, tokens,
                                                              join):
    lines = acl_plugin_lines("acl-file", tmp_path)
    broker = make_broker({"jwt_secret_file": secret_file}, per_listener=True, start=False)
    text = HOWS[how](broker.config()) + (lines.replace("plugin /", "global_plugin /") if how == "global" else lines)
    if sparkplug:
        text += f"global_plugin {dynsec.own_plugin('sparkplug-aware')}\n"
    broker.config = lambda: text
    broker.start()
    ops = join(broker, "ops-1", tokens.member(sub="ops"), V5)
    assert ops.subscribe([ALL, "#", "plant/#"]) == [0, NOT_AUTHORIZED, NOT_AUTHORIZED]


@pytest.mark.parametrize("how", [*HOWS, "everywhere"])
def test_an_acl_file_that_sighup_adds_is_asked_later(how, make_broker, secret_file, tmp_path, tokens, join):
    if how in ("global", "by name") and mosquitto_version() < (2, 1):
        pytest.skip("this broker has no such line")
    broker = make_broker({"jwt_secret_file": secret_file}, per_listener=how != "everywhere", start=False)
    text = HOWS.get(how, lambda text: text)(broker.config())
    broker.config = lambda: text
    broker.start()
    acl, path = tmp_path / "acl", broker.folder / "mosquitto.conf"
    acl.write_text("user ops\ntopic readwrite #\n")
    acl.chmod(0o600)
    path.write_text(text + f"acl_file {acl}\n")
    broker.reload()
    ops = join(broker, "ops-1", tokens.member(sub="ops"), V5)
    assert ops.subscribe([ALL, "#", "plant/#"]) == [0, NOT_AUTHORIZED, NOT_AUTHORIZED]


@pytest.mark.parametrize("mode", ["deny", "defer"])
def test_persistence_beside_other_clients_is_a_warning(mode, make_broker, secret_file):
    """Before 2.0.16 Mosquitto writes its memory into mosquitto.db, once a client has no username."""
    broker = make_broker({"jwt_secret_file": secret_file, "non_jwt_clients": mode}, persistence=True)
    warned = "Mosquitto before 2.0.16 writes its memory" in broker.log()
    assert warned == (mode == "defer" and mosquitto_version() < (2, 1))


@pytest.mark.skipif(mosquitto_version() < (2, 1), reason="asks plugins in the order of their lines alone")
def test_a_configuration_that_the_plugin_cannot_read(make_broker, secret_file, tmp_path):
    """It could hide a plugin that is asked first."""
    text = make_broker({"jwt_secret_file": secret_file}, start=False).config()
    (tmp_path / "conf").write_text(text)
    (tmp_path / "further").write_text("# more\n")
    done = subprocess.run([MOSQUITTO, "-c", tmp_path / "conf", "-c", tmp_path / "further"], capture_output=True,
                          text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode > 0
    assert re.search("let user id .* read all of mosquitto.conf: the broker's command line does not name one file",
                     done.stderr)


@pytest.mark.parametrize("name", ["persist-sqlite", "sparkplug-aware"])
def test_plugins_without_rights_may_come_first(name, make_broker, secret_file, tmp_path, tokens, join):
    path = dynsec.own_plugin(name)
    if path is None:
        pytest.skip(f"this broker has no {name} plugin")
    option = f"plugin_opt_db_file {tmp_path / 'db'}\n" if name == "persist-sqlite" else ""
    broker = make_broker({"jwt_secret_file": secret_file}, before=f"plugin {path}\n{option}")
    join(broker, "m", tokens.member(), V5).ping()


def test_order_with_a_plugin_for_each_listener(make_broker, secret_file, tmp_path, tokens, join):
    options = {"jwt_secret_file": secret_file, "non_jwt_clients": "defer"}
    broker = make_broker(options, before=dynsec_lines(tmp_path), per_listener=True, start=False)
    assert "mosquitto_dynamic_security.so is loaded before this plugin; move its line below" in broker.refused_start()
    broker = make_broker(options, extra=dynsec_lines(tmp_path), per_listener=True)
    assert join(broker, "m", tokens.member(sub="admin"), V5).subscribe([ALL, "plant/#"]) == [0, NOT_AUTHORIZED]
    sensor = join(broker, "s", dynsec.PASSWORD + "sensor", V5, username="sensor")
    assert sensor.subscribe([ALL, "plant/#"]) == [NOT_AUTHORIZED, 0]

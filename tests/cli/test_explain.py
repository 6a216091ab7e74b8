# SPDX-License-Identifier: MIT
"""orgcast token explain: each reason code, in text and in JSON, and the same decisions as the broker's."""

import json
import re

import pytest
from attempt import attempt
from broker import PLUGIN, REPOSITORY
from idp import Provider, jwk, key_set
from mqtt import V5, Client
from tokens import b64url, claims, forge, mint, public_pem, to_json

ISSUER, AUDIENCE = "https://id.example", "orgcast"
STEPS = ["header", "key", "signature", "claims", "organizations", "scopes", "subscribe", "publish"]


def good(**changes):
    return claims(**{"iss": ISSUER, "aud": AUDIENCE, **changes})


def hs(**changes):
    return lambda keys: mint(good(**changes), keys.get("hs"))


# name -> (token, arguments, reason or None, the step at which it ends)
DECISIONS = {
    "good": (hs(), (), None, "scopes"),
    "good, named key": (lambda keys: mint(good(), keys.get("p256"), "ES256", "k1"), (), None, "scopes"),
    "subscribe": (hs(), ("--subscribe", "org/acme/invoices/#"), None, "subscribe"),
    "publish": (hs(scope="invoices:publish"), ("--publish", "org/acme/invoices/paid/inv-1"), None,
                "publish"),
    "both": (hs(scope="invoices:publish"), ("--subscribe", "org/acme/invoices/+/x", "--publish",
                                            "org/acme/invoices/paid/x"), None, "publish"),
    "every organization": (hs(org_id=None, scope="orgcast:any-org invoices:publish"),
                           ("--subscribe", "org/globex/invoices/#"), None, "subscribe"),

    "two segments": (lambda keys: "eyJhbGciOiJIUzI1NiJ9.e30", (), "token_malformed", "header"),
    "no JSON": (lambda keys: "!!!.e30.AAAA", (), "token_malformed", "header"),
    "crit": (lambda keys: forge({"alg": "HS256", "crit": ["x"]}, good(), keys.get("hs")), (),
             "token_malformed", "header"),
    "too long": (hs(pad="x" * 4000), (), "token_too_large", "header"),
    "alg none": (lambda keys: b64url(b'{"alg":"none"}') + "." + b64url(to_json(good())) + ".AAAA", (),
                 "alg_not_allowed", "header"),
    "alg not in the list": (lambda keys: mint(good(), keys.get("rsa"), "PS256"), (), "alg_not_allowed",
                            "header"),
    "alg of another key": (lambda keys: mint(good(), keys.get("hs"), "HS256", "k1"), (),
                           "alg_not_allowed", "key"),
    "unknown kid": (lambda keys: mint(good(), keys.get("p256"), "ES256", "k9"), (), "key_unknown", "key"),
    "other key": (lambda keys: mint(good(), keys.get("p256:2"), "ES256", "k1"), (),
                  "signature_invalid", "signature"),
    "signature in base64": (lambda keys: hs()(keys) + "=", (), "token_malformed", "signature"),
    "claims no object": (lambda keys: forge({"alg": "HS256"}, b"[]", keys.get("hs")), (),
                         "token_malformed", "claims"),
    "expired": (hs(iat=1000, exp=1100), (), "token_expired", "claims"),
    "not yet": (hs(nbf=4102444800), (), "token_not_yet_valid", "claims"),
    "lives too long": (hs(exp=4102444800), (), "token_lifetime", "claims"),
    "issuer": (hs(iss="https://evil.example"), (), "issuer_mismatch", "claims"),
    "audience": (hs(aud=["x", "y"]), (), "audience_mismatch", "claims"),
    "no exp": (hs(exp=None), (), "claim_missing", "claims"),
    "no organization": (hs(org_id=None), (), "claim_missing", "claims"),
    "exp a string": (hs(exp="soon"), (), "claim_invalid", "claims"),
    "organization unusable": (hs(org_id="a/b"), (), "org_invalid", "claims"),
    "too many organizations": (hs(org_id=["a", "b", "c", "d"]), (), "too_many_orgs", "claims"),
    "another's topic": (hs(), ("--subscribe", "org/globex/invoices/#"), "topic_not_allowed",
                        "subscribe"),
    "every topic": (hs(), ("--subscribe", "#"), "topic_not_allowed", "subscribe"),
    "no filter": (hs(), ("--subscribe", "org/acme/invoices/#/x"), "topic_not_allowed", "subscribe"),
    "publish without scope": (hs(), ("--publish", "org/acme/invoices/paid/x"), "scope_missing",
                              "publish"),
    "publish elsewhere": (hs(scope="invoices:publish"), ("--publish", "org/globex/invoices/paid/x"),
                          "topic_not_allowed", "publish"),
}

# What the command cannot come to: they need a session, a connection or an event.
OTHERS = {"token_missing", "token_revoked", "client_id_in_use", "client_id_not_bound",
          "limit_connections", "limit_rate", "session_unknown", "event_invalid", "event_too_large",
          "retain_not_allowed"}


@pytest.fixture
def options(keys, tmp_path, secret_file):
    pem = tmp_path / "p256.pem"
    pem.write_bytes(public_pem(keys.get("p256")))
    return [("jwt_secret_file", secret_file), ("jwt_public_key_file", f"k1={pem}"),
            ("jwt_algorithms", "HS256,ES256"), ("jwt_issuer", ISSUER), ("jwt_audience", AUDIENCE),
            ("jwt_max_lifetime", 86400), ("jwt_max_bytes", 4096), ("max_orgs_per_token", 3)]


@pytest.fixture
def conf(options, tmp_path):
    return write_conf(tmp_path, options)


def write_conf(folder, options):
    path = folder / "mosquitto.conf"
    path.write_text("\n".join(["# a broker", "listener 1883 127.0.0.1", f"plugin {PLUGIN}"]
                              + [f"plugin_opt_{name} {value}" for name, value in options]) + "\n")
    return path


@pytest.mark.parametrize("name", DECISIONS)
def test_decision(orgcast, keys, conf, token_file, name):
    make, arguments, reason, last = DECISIONS[name]
    token = make(keys)
    path = token_file(token)
    result = orgcast("token", "explain", "--conf", conf, "--token-file", path, *arguments)
    assert result.returncode == (1 if reason else 0), result.stdout + result.stderr
    assert result.stderr == ""
    *steps, decision = result.stdout.splitlines()
    taken = [re.match(r"(ok |NO ) (\w+)", line).groups() for line in steps]
    names = [step for _, step in taken]
    assert names == [step for step in STEPS if step in names] and names[-1] == last
    assert [word for word, _ in taken] == ["ok "] * (len(taken) - 1) + ["NO " if reason else "ok "]
    if reason:
        assert re.match(rf"refused: {reason} \(.+\)$", decision)
        assert re.match(rf"NO  {last} +{reason}: .+", steps[-1])
    else:
        assert decision == "allowed"
    for segment in token.split(".")[1:]:  # the header's kid and alg are shown
        assert len(segment) < 20 or segment[:20] not in result.stdout

    got = json.loads(orgcast("token", "explain", "--conf", conf, "--token-file", path, *arguments,
                             "--json").stdout)
    assert [step["step"] for step in got["steps"]] == names
    assert [step["ok"] for step in got["steps"]] == [word == "ok " for word, _ in taken]
    assert got["allowed"] == (reason is None) and got.get("reason") == reason
    assert set(got) == {"file", "line", "allowed", "steps"} | (set() if reason is None
                                                               else {"reason", "detail"})
    assert (got["file"], got["line"]) == (str(conf), 3)


def test_every_reason_code_is_there():
    """Of those that there are, each is in the table above or in OTHERS."""
    text = (REPOSITORY / "common" / "err.h").read_text()
    codes = set(re.findall(r'X\(OC_E_\w+, "(\w+)"\)', text.split("OC_FAILURES")[0]))
    assert codes == OTHERS | {reason for _, _, reason, _ in DECISIONS.values() if reason}


def test_what_the_steps_say(orgcast, keys, conf, token_file):
    token = mint(good(sub="ada", org_id=["acme", "globex"], scope="invoices:publish"),
                 keys.get("p256"), "ES256", "k1")
    result = orgcast("token", "explain", "--conf", conf, "--token-file", token_file(token))
    assert "alg ES256, kid k1" in result.stdout
    assert "p256.pem, key id k1" in result.stdout
    assert re.search(r"subject 'ada', accepted for (2[89]\d|3[0-3]\d) s more", result.stdout)
    assert re.search(r"organizations acme, globex\n", result.stdout)
    assert "subscribe yes, publish yes, admin no" in result.stdout


def test_token_from_stdin_and_environment(orgcast, keys, conf):
    token = hs()(keys)
    assert orgcast("token", "explain", "--conf", conf, token=token).returncode == 0
    assert orgcast("token", "explain", "--conf", conf, "--token-file", "-",
                   stdin=token + "\n").returncode == 0


@pytest.mark.parametrize("arguments, token, code, says", [
    ((), "x", 2, "--conf FILE is needed"),
    (("--conf", "{conf}"), None, 2, "no token"),
    (("--conf", "{conf}", "--token-file", "/nowhere"), None, 1, "token file cannot be read"),
    (("--conf", "{conf}"), " ", 1, "not a token: invalid character"),
    (("--conf", "/nowhere"), "x", 1, "'/nowhere': No such file"),
    (("--conf", "{conf}", "--timeout", "0"), "x", 2, "--timeout"),
    (("--conf", "{conf}", "--what"), "x", 2, "unknown option --what"),
    (("--conf", "{conf}", "more"), "x", 2, "one argument too many"),
])
def test_usage(orgcast, conf, arguments, token, code, says):
    result = orgcast("token", "explain", *(a.format(conf=conf) for a in arguments), token=token)
    assert (result.returncode, result.stdout) == (code, "")
    assert says in result.stderr


@pytest.mark.parametrize("lines, says", [
    ("listener 1883\n", "has no line that loads mosquitto_orgcast.so"),
    (f"plugin {PLUGIN}\nplugin_opt_jwt_leeway x\n", "jwt_leeway: 'x' is not a number"),
    (f"plugin {PLUGIN}\nplugin_opt_jwt_secret_file /nowhere\n", "'/nowhere': No such file"),
])
def test_a_configuration_that_is_none(orgcast, tmp_path, lines, says):
    (tmp_path / "conf").write_text(lines)
    result = orgcast("token", "explain", "--conf", tmp_path / "conf", token="x.y.z")
    assert (result.returncode, result.stdout) == (1, "")
    assert says in result.stderr


def test_each_plugin_line_is_explained(orgcast, keys, tmp_path, secret_file, token_file):
    """With per_listener_settings the answer depends on the listener."""
    path = tmp_path / "mosquitto.conf"
    path.write_text("per_listener_settings true\n" + "".join(
        f"listener {port}\nplugin {PLUGIN}\nplugin_opt_jwt_secret_file {secret_file}\n"
        f"plugin_opt_jwt_issuer {issuer}\n" for port, issuer in ((1883, ISSUER), (1884, "https://other.example"))))
    arguments = ("token", "explain", "--conf", path, "--token-file", token_file(mint(good(), keys.get("hs"))))
    result = orgcast(*arguments)
    assert (result.returncode, result.stderr) == (1, "")
    first, second = result.stdout.split(f"{path}:7:\n")
    assert first.startswith(f"{path}:3:\n") and first.endswith("allowed\n")
    assert "NO  claims" in second and "refused: issuer_mismatch" in second
    got = [json.loads(line) for line in orgcast(*arguments, "--json").stdout.splitlines()]
    assert [(each["line"], each["allowed"], each.get("reason")) for each in got] == \
        [(3, True, None), (7, False, "issuer_mismatch")]

    path.write_text(path.read_text().replace("https://other.example", ISSUER))
    assert orgcast(*arguments).returncode == 0
    path.write_text(path.read_text().replace(str(secret_file), "/nowhere", 1))
    result = orgcast(*arguments)
    assert result.returncode == 1 and result.stdout.endswith("allowed\n")
    assert f"{path}:3: plugin_opt_jwt_secret_file: '/nowhere'" in result.stderr


# -- key sets by URL -------------------------------------------------------------------------------


def test_keys_of_a_url_are_fetched(orgcast, keys, tmp_path, authority):
    token = mint(claims(), keys.get("p256"), "ES256", "k1")
    with Provider(key_set(jwk(keys.get("p256"), "k1")), authority) as provider:
        conf = write_conf(tmp_path, [("jwks_url", provider.url), ("jwks_ca_file", authority.ca_path)])
        result = orgcast("token", "explain", "--conf", conf, token=token)
        assert result.returncode == 0, result.stdout + result.stderr
        assert f"{provider.url}, key id k1" in result.stdout
        provider.behave("status-500")
        result = orgcast("token", "explain", "--conf", conf, "--timeout", "1", token=token)
        assert result.returncode == 1 and "key_unknown" in result.stdout
        assert "status 500" in result.stderr


def test_the_broker_s_cache_is_read_and_left_alone(orgcast, keys, tmp_path, make_broker):
    """What is fetched counts more than what is in the cache. With nothing fetched the cache counts, as
    for a broker that starts now. The file stays as it was."""
    old = mint(claims(), keys.get("p256"), "ES256", "k1")
    new = mint(claims(), keys.get("p256:2"), "ES256", "k2")
    cache = tmp_path / "cache.json"
    with Provider(key_set(jwk(keys.get("p256:2"), "k2"))) as provider:
        cache.write_text(json.dumps({"sets": {provider.url: {"keys": [jwk(keys.get("p256"), "k1")]}}}))
        before = cache.read_bytes(), cache.stat().st_ino
        conf = write_conf(tmp_path, [("jwks_url", provider.url), ("jwks_cache_file", cache)])
        assert orgcast("token", "explain", "--conf", conf, token=new).returncode == 0
        assert "key_unknown" in orgcast("token", "explain", "--conf", conf, token=old).stdout
        provider.behave("reset")
        result = orgcast("token", "explain", "--conf", conf, "--timeout", "1", token=old)
        assert result.returncode == 0, result.stdout + result.stderr
    assert (cache.read_bytes(), cache.stat().st_ino) == before
    cache.unlink()
    assert orgcast("token", "explain", "--conf", conf, "--timeout", "1", token=old).returncode == 1
    assert not cache.exists()


# -- the broker says the same ----------------------------------------------------------------------

FILTERS = [
    "org/acme/invoices/#", "org/acme/invoices/paid/+", "org/acme/invoices/+/inv-1", "org/acme/invoices",
    "org/acme/#", "org/acme", "org/+/invoices/#", "#", "+/acme/invoices/#", "org/globex/invoices/#",
    "org/ACME/invoices/#", "org/acme/invoices/", "org//invoices/#", "$share/g/org/acme/invoices/#",
    "$SYS/broker/orgcast/#", "$SYS/#", "/org/acme/invoices/#", "org/acmé/invoices/#",
]
# Of $SYS the broker asks nobody.
TOPICS = ["org/acme/invoices/paid/inv-1", "org/acme/invoices", "org/acme/invoices/", "org/acme/other",
          "org/globex/invoices/paid/inv-1", "org/acme", "x", "$other/x", "org/acmé/invoices/paid/x"]


def test_the_broker_decides_the_same(orgcast, keys, options, make_broker, token_file):
    """Tokens: accepted or refused, with the same reason. Those that are accepted: each filter and topic."""
    # What is published is not the question here.
    broker = make_broker([*dict(options).items(), ("validate_events", "off")])
    conf = broker.folder / "mosquitto.conf"

    def explain(token, *arguments):
        result = orgcast("token", "explain", "--conf", conf, "--token-file", token_file(token),
                         *arguments, "--json")
        got = json.loads(result.stdout)
        assert result.returncode == (0 if got["allowed"] else 1)
        return got.get("reason")

    for name, (make, arguments, _, _) in DECISIONS.items():
        if not arguments:
            token = make(keys)
            mark, client_id = broker.mark(), f"token-{name.replace(' ', '-')}"
            accepted = attempt(broker, token, client_id)
            assert explain(token) == (None if accepted else broker.refusal(client_id, mark)[0]), name

    people = {
        "member": {}, "publisher": {"scope": "invoices:publish"},
        "both": {"org_id": ["acme", "globex", "acmé"], "scope": ["invoices:publish"]},
        "service": {"org_id": None, "scope": "invoices:publish orgcast:any-org"},
        "admin": {"scope": "orgcast:admin"},
    }
    for name, changes in people.items():
        token = mint(good(**changes), keys.get("hs"))
        for number, topic_filter in enumerate(FILTERS):
            client_id = f"{name}-f{number}"
            with Client(broker, V5) as client:
                assert client.connect(client_id, token).code == 0
                mark = broker.mark()
                granted = client.subscribe(topic_filter)[0] < 0x80
                expected = None if granted else broker.denial("subscribe", client_id, mark)[1]
                client.disconnect()
            assert explain(token, "--subscribe", topic_filter) == expected, (name, topic_filter)
        for number, topic in enumerate(TOPICS):
            client_id = f"{name}-t{number}"
            with Client(broker, V5) as client:
                assert client.connect(client_id, token).code == 0
                mark = broker.mark()
                granted = client.publish(topic) < 0x80
                expected = None if granted else broker.denial("publish", client_id, mark)[1]
                client.disconnect()
            assert explain(token, "--publish", topic) == expected, (name, topic)

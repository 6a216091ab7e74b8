# SPDX-License-Identifier: MIT
"""Keys from files: SIGHUP with files that are broken, limits on tokens, the cache of verified tokens, and
which key checks which token."""

import itertools
import os
import re
import signal
import time

import pytest
from attempt import attempt, refusal
from broker import Broker
from cryptography.hazmat.primitives import serialization
from events import event, event_id
from idp import jwk, key_set
from mqtt import V5, Client, wait_for
from tokens import claims, mint, public_pem

_number = itertools.count()


def fresh(key, alg="ES256", kid=None, **changes):
    """A token of acme that no cache can know."""
    return mint(claims(jti=next(_number), **changes), key, alg, kid)


# -- SIGHUP ----------------------------------------------------------------------------------------


class Source:
    """One option that names a key file: how to write a key into it, and a token of that key."""

    def __init__(self, option, content, sign, broken):
        self.option, self.content, self.sign, self.broken = option, content, sign, broken


def secret(keys, number):
    return keys.get("hs" if number == 1 else f"hs:{number}")


def curve(keys, number):
    return keys.get(f"p256:{number}")


SOURCES = {
    # One newline at the end is not the secret's, and a random one may end in it.
    "secret": Source("jwt_secret_file", lambda keys, number: secret(keys, number) + b"\n", lambda key: fresh(key, "HS256"),
                     b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 64),
    "PEM": Source("jwt_public_key_file", lambda keys, number: public_pem(curve(keys, number)),
                  lambda key: fresh(key), b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    "key set": Source("jwks_file", lambda keys, number: key_set(jwk(curve(keys, number), "k")),
                      lambda key: fresh(key, kid="k"), b'{"keys":[{"kty":"EC"'),
}


def remove(path):
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    elif path.is_symlink() or path.exists():
        path.unlink()


def make_unreadable(path, _broken):
    if os.geteuid() == 0:  # who may read everything
        path.symlink_to(path)
    else:
        path.write_bytes(b"x")
        path.chmod(0)


BREAKAGES = {
    "broken": lambda path, broken: path.write_bytes(broken),
    "empty": lambda path, _broken: path.write_bytes(b""),
    "missing": lambda _path, _broken: None,
    "unreadable": make_unreadable,
    "directory": lambda path, _broken: path.mkdir(),
    "pipe": lambda path, _broken: os.mkfifo(path),
    "huge": lambda path, _broken: path.write_bytes(b" " * (2 * 1024 * 1024)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sighup_with_bad_files(make_broker, keys, tmp_path, kind, join):
    """Whatever becomes of the file, the old key stays, one line says why, and nobody is disturbed. Once
    the file holds another key, that one counts and the old one is gone."""
    source, path = SOURCES[kind], tmp_path / "key"
    key = secret if kind == "secret" else curve
    path.write_bytes(source.content(keys, 1))
    broker = make_broker({source.option: path})
    session = join(broker, "session", source.sign(key(keys, 1)), V5)
    assert session.subscribe("org/acme/invoices/#") == [0]
    sender = join(broker, "sender", mint_publisher(source, key(keys, 1)), V5)

    for name, spoil in BREAKAGES.items():
        remove(path)
        spoil(path, source.broken)
        mark = broker.mark()
        broker.reload()
        assert attempt(broker, source.sign(key(keys, 1))), name
        lines = re.findall(r"(?m)^orgcast: .*", broker.log(mark))
        assert len(lines) == 1, (name, lines)
        assert re.fullmatch(rf"orgcast: the old keys stay: plugin_opt_{source.option}: .*"
                            rf"'{re.escape(str(path))}'.*", lines[0]), name
        topic, payload = event("acme")
        assert sender.publish(topic, payload) == 0
        assert [event_id(message.payload) for message in session.take(1)] == [event_id(payload)]

    remove(path)
    path.write_bytes(source.content(keys, 2))
    mark = broker.mark()
    broker.reload()
    broker.wait_log(r"(?m)^orgcast: keys read again; there are 1$", mark)
    assert attempt(broker, source.sign(key(keys, 2)))
    assert refusal(broker, source.sign(key(keys, 1))) == "signature_invalid"
    # The sessions of the old key live until their tokens' exp.
    topic, payload = event("acme")
    assert sender.publish(topic, payload) == 0
    assert [event_id(message.payload) for message in session.take(1)] == [event_id(payload)]


def mint_publisher(source, key):
    alg = "HS256" if source.option == "jwt_secret_file" else "ES256"
    return fresh(key, alg, "k" if source.option == "jwks_file" else None, sub="billing",
                 scope="invoices:publish")


def test_one_bad_file_of_several_keeps_all(make_broker, keys, tmp_path):
    """Nothing of a reload counts before all of it is good: not even the file that was read first."""
    first, second = tmp_path / "first.pem", tmp_path / "second.json"
    first.write_bytes(public_pem(curve(keys, 1)))
    second.write_bytes(key_set(jwk(keys.get("rsa"), "r")))
    broker = make_broker({"jwt_public_key_file": first, "jwks_file": second})
    first.write_bytes(public_pem(curve(keys, 2)))
    second.write_bytes(b"{}")
    mark = broker.mark()
    broker.reload()
    broker.wait_log(r"the old keys stay: plugin_opt_jwks_file: .*no array 'keys'", mark)
    assert attempt(broker, fresh(curve(keys, 1)))
    assert attempt(broker, fresh(keys.get("rsa"), "RS256", "r"))
    assert refusal(broker, fresh(curve(keys, 2))) == "signature_invalid"


def test_an_algorithm_without_a_key_after_sighup(make_broker, keys, tmp_path):
    """With jwt_algorithms, a key of another type is a broken file too."""
    path = tmp_path / "key.pem"
    path.write_bytes(public_pem(curve(keys, 1)))
    broker = make_broker({"jwt_public_key_file": path, "jwt_algorithms": "ES256"})
    path.write_bytes(public_pem(keys.get("rsa")))
    mark = broker.mark()
    broker.reload()
    broker.wait_log(r"the old keys stay: plugin_opt_jwt_algorithms: no key can check ES256", mark)
    assert attempt(broker, fresh(curve(keys, 1)))


@pytest.mark.parametrize("per_listener", [False, True])
def test_a_connection_right_after_sighup_gets_its_events(make_broker, keys, tmp_path, join, per_listener):
    """The broker authenticates all its sessions again on SIGHUP, and a client that comes back at that
    moment, with the id and the token of before, can look like one of these."""
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(jwk(curve(keys, 1), "k1")))
    broker = make_broker({"jwks_file": path}, per_listener=per_listener)
    token = fresh(curve(keys, 1), kid="k1")
    sender = join(broker, "sender", fresh(curve(keys, 1), kid="k1", sub="billing",
                                          scope="invoices:publish"), V5)
    for turn in range(8):
        broker.process.send_signal(signal.SIGHUP)
        for _ in range(8):
            with Client(broker, V5) as client:
                assert client.connect("back", token).code == 0
                assert client.subscribe("org/acme/invoices/#") == [0]
                topic, payload = event("acme")
                assert sender.publish(topic, payload) == 0
                assert [event_id(got.payload) for got in client.drain()] == [event_id(payload)], turn
                client.disconnect()


# -- limits ----------------------------------------------------------------------------------------


def sized(key, total):
    """A good token of exactly that many bytes. Base64url does not give every length, so the header is
    made longer too."""
    for kid in ("", "k", "kk", "kkk"):
        def make(pad):
            return mint(claims(pad="x" * pad), key, "HS256", kid)

        guess = max((total - len(make(0))) * 3 // 4 - 4, 0)
        for pad in range(guess, guess + 8):
            token = make(pad)
            if len(token) == total:
                return token
    raise AssertionError(total)


@pytest.mark.parametrize("most", [64, 600, 4096, 65535])
def test_jwt_max_bytes(make_broker, keys, secret_file, most):
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_max_bytes": most})
    key = keys.get("hs")
    if most == 64:  # no token is that short
        assert refusal(broker, fresh(key, "HS256")) == "token_too_large"
        return
    # The MQTT packet around 65,535 bytes is fine: a password may be that long.
    assert attempt(broker, sized(key, most))
    if most < 65535:
        assert refusal(broker, sized(key, most + 1)) == "token_too_large"
        assert refusal(broker, "x" * (most + 1)) == "token_too_large"


def test_jwt_max_lifetime(make_broker, keys, secret_file):
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_max_lifetime": 600})
    now, key = int(time.time()), keys.get("hs")
    assert attempt(broker, fresh(key, "HS256", iat=now, exp=now + 600))
    assert attempt(broker, fresh(key, "HS256", iat=now - 500, exp=now + 100))
    assert refusal(broker, fresh(key, "HS256", iat=now, exp=now + 601)) == "token_lifetime"
    assert refusal(broker, fresh(key, "HS256", iat=now - 602, exp=now + 1)) == "token_lifetime"
    assert refusal(broker, fresh(key, "HS256", iat=None)) == "claim_missing"
    assert refusal(broker, fresh(key, "HS256", iat=str(now))) == "claim_invalid"
    # iat in the future makes the life look short; it is the issuer who signs it.
    assert attempt(broker, fresh(key, "HS256", iat=now + 50, exp=now + 100))


def test_no_jwt_max_lifetime(make_broker, keys, secret_file):
    broker = make_broker({"jwt_secret_file": secret_file})
    assert attempt(broker, fresh(keys.get("hs"), "HS256", exp=int(time.time()) + 10 * 365 * 86400))
    assert attempt(broker, fresh(keys.get("hs"), "HS256", iat=None))


@pytest.mark.parametrize("most", [1, 3, 256])
def test_max_orgs_per_token(make_broker, keys, secret_file, join, most):
    broker = make_broker({"jwt_secret_file": secret_file, "max_orgs_per_token": most})
    key = keys.get("hs")
    names = [f"org-{n}" for n in range(most + 1)]
    for value in (names[:most], dict.fromkeys(names[:most], {}), names[:most] * 2,
                  names[:most] + ["not one", ""]):
        client = join(broker, "many", fresh(key, "HS256", org_id=value))
        for name in {names[0], names[most - 1]}:
            assert client.subscribe(f"org/{name}/invoices/#") == [0]
        assert client.subscribe(f"org/{names[most]}/invoices/#") == [0x80]
    assert refusal(broker, fresh(key, "HS256", org_id=names)) == "too_many_orgs"
    assert refusal(broker, fresh(key, "HS256", org_id=dict.fromkeys(names))) == "too_many_orgs"


# -- the cache of verified tokens ------------------------------------------------------------------


def test_a_verified_token_is_refused_once_its_key_is_gone(make_broker, keys, tmp_path):
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(jwk(curve(keys, 1), "k1"), jwk(curve(keys, 2), "k2")))
    broker = make_broker({"jwks_file": path})
    one, two = fresh(curve(keys, 1), kid="k1"), fresh(curve(keys, 2), kid="k2")
    for token in (one, two, one, two):
        assert attempt(broker, token)
    path.write_bytes(key_set(jwk(curve(keys, 2), "k2")))
    broker.reload()
    assert refusal(broker, one) == "key_unknown"
    assert attempt(broker, two)


def test_a_verified_token_is_refused_once_its_key_is_another(make_broker, keys, tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(public_pem(curve(keys, 1)))
    broker = make_broker({"jwt_public_key_file": path})
    token = fresh(curve(keys, 1))
    assert attempt(broker, token) and attempt(broker, token)
    path.write_bytes(public_pem(curve(keys, 2)))
    broker.reload()
    assert refusal(broker, token) == "signature_invalid"


def test_a_verified_token_expires(make_broker, keys, secret_file):
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": 0})
    exp = int(time.time()) + 3
    token = fresh(keys.get("hs"), "HS256", exp=exp)
    assert attempt(broker, token) and attempt(broker, token)

    def refused():
        began = time.time()
        accepted = attempt(broker, token)
        # The broker's clock is read in between, in steps of some milliseconds.
        assert accepted or time.time() >= exp, "refused before its time"
        assert not accepted or began < exp + 0.1, "accepted after its time"
        return not accepted

    wait_for(refused, "the token to expire", 10)
    assert refusal(broker, token) == "token_expired"


def test_a_token_refused_as_too_early_is_accepted_later(make_broker, keys, secret_file):
    """Refusals are not remembered."""
    broker = make_broker({"jwt_secret_file": secret_file, "jwt_leeway": 0})
    nbf = int(time.time()) + 3
    token = fresh(keys.get("hs"), "HS256", nbf=nbf)
    assert refusal(broker, token) == "token_not_yet_valid"
    wait_for(lambda: attempt(broker, token), "the token to become valid", 10)
    assert time.time() >= nbf


def test_one_token_in_two_clients(make_broker, keys, secret_file, join):
    """They do not share a session: each has its subscriptions, and one's end is not the other's."""
    broker = make_broker({"jwt_secret_file": secret_file})
    token = fresh(keys.get("hs"), "HS256")
    one, two = join(broker, "tab-1", token, V5), join(broker, "tab-2", token, V5)
    assert one.subscribe("org/acme/invoices/#") == [0] == two.subscribe("org/acme/invoices/#")
    sender = join(broker, "sender", fresh(keys.get("hs"), "HS256", scope="invoices:publish"), V5)
    topic, payload = event("acme")
    assert sender.publish(topic, payload) == 0
    assert len(one.take(1)) == len(two.take(1)) == 1
    one.disconnect()
    topic, payload = event("acme")
    assert sender.publish(topic, payload) == 0
    assert [event_id(message.payload) for message in two.take(1)] == [event_id(payload)]


def test_a_token_with_one_bit_changed_is_another(make_broker, keys, secret_file):
    """Also when the right one is remembered: each character of the signature, of the header and of the
    claims counts."""
    broker = make_broker({"jwt_secret_file": secret_file})
    token = fresh(keys.get("hs"), "HS256")
    assert attempt(broker, token)
    for at in range(3, len(token), 29):
        if token[at] != ".":
            other = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1:]
            assert not attempt(broker, other), at
    assert attempt(broker, token)


# -- which key checks which token ------------------------------------------------------------------


@pytest.fixture(scope="module")
def several(keys, tmp_path_factory):
    """Two sets and three PEM files, in this order: files before sets, each in the order given."""
    folder = tmp_path_factory.mktemp("several")

    def write(name, content):
        (folder / name).write_bytes(content)
        return folder / name

    return [
        ("jwt_public_key_file", write("unnamed.pem", keys.pem("p384"))),
        ("jwt_public_key_file", f"pem={write('named.pem', keys.pem('p256'))}"),
        ("jwks_file", write("one.json", key_set(
            jwk(keys.get("rsa"), "rsa", alg="RS256", use="sig", key_ops=["verify"]),
            jwk(keys.get("rsa:2"), "free"), jwk(keys.get("p256:1"), "both"),
            jwk(keys.get("p256:2"), "types")))),
        ("jwks_file", write("two.json", key_set(
            jwk(keys.get("p256:3"), "both"), jwk(keys.get("ed25519"), "types"),
            jwk(keys.get("p521"))))),
    ]


@pytest.mark.parametrize("key, alg, kid, expected", [
    ("p256", "ES256", "pem", None),
    ("p256:1", "ES256", "both", None),                 # the first set's
    ("p256:3", "ES256", "both", "signature_invalid"),  # the second's is left out
    ("p256:2", "ES256", "types", None),                # one key id for two algorithms
    ("ed25519", "EdDSA", "types", None),
    ("rsa", "RS256", "rsa", None),
    ("rsa", "RS384", "rsa", "alg_not_allowed"),        # the JWK's alg
    ("rsa", "PS256", "rsa", "alg_not_allowed"),
    ("rsa:2", "RS384", "free", None),
    ("rsa:2", "PS512", "free", None),
    ("rsa:2", "RS256", "rsa", "signature_invalid"),    # kid decides, not what fits
    ("p256", "ES256", "rsa", "alg_not_allowed"),
    ("p256", "ES256", "nobody's", "key_unknown"),      # all of ES256 are named
    ("p256", "ES256", None, "key_unknown"),            # four keys fit
    ("ed25519", "EdDSA", None, None),                  # the only one that fits
    ("ed25519", "EdDSA", "nobody's", "key_unknown"),
    ("p384", "ES384", None, None),
    ("p384", "ES384", "nobody's", None),               # the only one without a name
    ("p521", "ES512", "nobody's", None),
    ("p521", "ES512", "", None),
    ("p384:2", "ES384", None, "signature_invalid"),
    ("rsa", "RS256", None, "key_unknown"),
    ("rsa:2", "RS384", None, None),                    # of the two, only one may
    ("p256:1", "ES256", "BOTH", "key_unknown"),
    ("p256:1", "ES256", "both ", "key_unknown"),
])
def test_key_ids(several, keys, several_broker, key, alg, kid, expected):
    token = fresh(keys.get(key), alg, kid)
    if expected:
        assert refusal(several_broker, token) == expected
    else:
        assert attempt(several_broker, token), several_broker.log()[-1000:]


@pytest.fixture(scope="module")
def several_broker(several, tmp_path_factory):
    with Broker(tmp_path_factory.mktemp("several-broker"), several) as broker:
        yield broker


def test_two_pem_files_of_one_key_id(make_broker, keys, key_folder):
    """In files it is a mistake that the broker does not start with."""
    log = make_broker([("jwt_public_key_file", f"k={keys.write(key_folder, 'p256')}"),
                       ("jwt_public_key_file", f"k={keys.write(key_folder, 'p256:2')}")],
                      start=False).refused_start()
    assert "plugin_opt_jwt_public_key_file: two keys have the key id 'k'" in log


ALGORITHMS = {
    "HS256": "hs", "HS384": "hs", "HS512": "hs", "RS256": "rsa", "RS384": "rsa", "RS512": "rsa",
    "PS256": "rsa", "PS384": "rsa", "PS512": "rsa", "ES256": "p256", "ES384": "p384",
    "ES512": "p521", "EdDSA": "ed25519",
}


@pytest.mark.parametrize("naming", ["kid", "kid and alg", "nothing"])
def test_every_algorithm_from_a_key_set(make_broker, keys, tmp_path, naming):
    path = tmp_path / "keys.json"
    if naming == "kid and alg":
        members = [jwk(keys.get(name), alg, alg=alg, use="sig") for alg, name in ALGORITHMS.items()]
    else:
        members = [jwk(keys.get(name), name if naming == "kid" else None)
                   for name in dict.fromkeys(ALGORITHMS.values())]
    path.write_bytes(key_set(*members))
    broker = make_broker({"jwks_file": path})
    for alg, name in ALGORITHMS.items():
        kid = {"kid": name, "kid and alg": alg, "nothing": None}[naming]
        assert attempt(broker, fresh(keys.get(name), alg, kid)), alg
        other = keys.get(f"{name}:2")
        assert refusal(broker, fresh(other, alg, kid)) == "signature_invalid", alg


def test_a_certificate_as_key(make_broker, authority, keys, tmp_path):
    """The public key of a PEM certificate, as some providers publish it."""
    signer = serialization.load_pem_private_key(authority.key_path.read_bytes(), None)
    broker = make_broker({"jwt_public_key_file": f"c={authority.cert_path}"})
    assert attempt(broker, fresh(signer, kid="c"))
    assert refusal(broker, fresh(curve(keys, 1), kid="c")) == "signature_invalid"

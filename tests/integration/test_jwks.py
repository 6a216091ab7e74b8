# SPDX-License-Identifier: MIT
"""jwks_url: key sets as identity providers serve them, and what happens when they do not.

The provider is tests/support/idp.py. A broker has taken a set as soon as its cache file has it: the file
is written after the set is handed over, and the next CONNECT takes it over first of all. Where a test
counts requests it waits for that, since a token that comes too early brings the next fetch forward.
"""

import json
import os
import re
import statistics
import time

import pytest
import tls as tls_module
from attempt import answer, attempt, refusal, wait_accepted
from broker import PLUGIN, VALGRIND, Broker
from control import connect_enhanced
from events import event, event_id
from idp import HUGE, Provider, jwk, key_set
from mqtt import PATIENCE, V5, V311, Client, wait_for
from tokens import b64url, claims, mint

ANSWER_S = 12 * PATIENCE  # a fetch that gets no answer is given up after 10
MEASURED = not VALGRIND and b"libasan.so" not in PLUGIN.read_bytes()
MIB = 1024 * 1024


@pytest.fixture
def provide(authority):
    """provide(document, …) starts a Provider, over HTTPS unless told otherwise."""
    made = []

    def start(document=b"", authority=authority, **more):
        made.append(Provider(document, authority, **more).start())
        return made[-1]

    yield start
    for provider in made:
        provider.stop()


@pytest.fixture
def token(keys):
    """token("p256", kid) is a fresh token of acme, never the same twice."""
    algorithms = {"p256": "ES256", "p384": "ES384", "ed25519": "EdDSA", "rsa": "RS256", "hs": "HS256"}

    def make(name, kid=None, alg=None, **changes):
        return mint(claims(jti=os.urandom(8).hex(), **changes), keys.get(name),
                    alg or algorithms[name.split(":")[0]], kid)
    return make


def options(provider, **more):
    """Of a broker that gets its keys from this provider alone; `None` takes an option out."""
    out = {"jwks_url": provider.url, "jwt_leeway": 0}
    if provider.authority is not None:
        out["jwks_ca_file"] = provider.authority.ca_path
    out.update(more)
    return {name: value for name, value in out.items() if value is not None}


def cached(path, provider):
    """The set that the cache file holds for the provider, or None."""
    try:
        return json.loads(path.read_bytes())["sets"][provider.url]
    except (OSError, ValueError, LookupError, TypeError):
        return None


def wait_cached(path, provider):
    wait_for(lambda: cached(path, provider) == json.loads(provider.document), "the set in the cache",
             10 * PATIENCE)


# -- the ordinary way ------------------------------------------------------------------------------


def test_a_set_is_fetched_over_https(make_broker, provide, keys, token):
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider))
    wait_accepted(broker, token("p256", "k1"))
    assert refusal(broker, token("p256:2", "k1")) == "signature_invalid"
    assert refusal(broker, token("p256", "k9")) == "key_unknown"
    assert provider.requests[0][0] == "/keys"


def test_a_set_is_fetched_over_http_from_loopback(make_broker, provide, keys, token):
    provider = provide(key_set(jwk(keys.get("rsa"))), authority=None)
    broker = make_broker(options(provider))
    wait_accepted(broker, token("rsa"))


def test_several_providers(make_broker, provide, keys, token):
    """Each is asked; of a key id that two of them have, the first one's key counts."""
    first = provide(key_set(jwk(keys.get("p256"), "k1"), jwk(keys.get("p256:2"), "both")))
    second = provide(key_set(jwk(keys.get("p256:3"), "k2"), jwk(keys.get("p256:4"), "both")))
    broker = make_broker([("jwks_ca_file", first.authority.ca_path), ("jwks_url", first.url),
                          ("jwks_url", second.url)])
    wait_accepted(broker, token("p256", "k1"))
    wait_accepted(broker, token("p256:3", "k2"))
    assert attempt(broker, token("p256:2", "both"))
    assert refusal(broker, token("p256:4", "both")) == "signature_invalid"


def test_files_beside_a_url(make_broker, provide, keys, secret_file, token):
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwt_secret_file=secret_file))
    assert attempt(broker, token("hs"))
    wait_accepted(broker, token("p256", "k1"))
    assert attempt(broker, token("hs"))


# -- trust -----------------------------------------------------------------------------------------


def test_a_certificate_of_another_authority(make_broker, provide, keys, token, tmp_path):
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    other = tls_module.Authority(tmp_path / "other")
    broker = make_broker(options(provider, jwks_ca_file=other.ca_path))
    broker.wait_log(r"(?m)^orgcast: jwks_url https://\S+: .+; the last good set stays$")
    assert refusal(broker, token("p256", "k1")) == "key_unknown"
    assert provider.count() == 0


def test_a_certificate_for_another_name(make_broker, provide, keys, token):
    """The authority is trusted, and 127.0.0.2 is none of the names in the certificate."""
    provider = provide(key_set(jwk(keys.get("p256"), "k1")), host="127.0.0.2")
    broker = make_broker(options(provider))
    broker.wait_log(r"(?m)^orgcast: jwks_url https://\S+: .*certificate.*; the last good set stays$")
    assert refusal(broker, token("p256", "k1")) == "key_unknown"
    assert provider.count() == 0


def test_plain_http_goes_to_no_proxy(make_broker, provide, keys, token, monkeypatch):
    proxy = provide(key_set(jwk(keys.get("p256:2"), "k1")), authority=None)
    provider = provide(key_set(jwk(keys.get("p256"), "k1")), authority=None, host="127.0.0.3")
    monkeypatch.setenv("http_proxy", proxy.url)
    broker = make_broker(options(provider))
    wait_accepted(broker, token("p256", "k1"))
    assert proxy.count() == 0


@pytest.mark.parametrize("url", [
    "http://id.example/keys", "http://192.0.2.1/keys", "http://localhost.example/keys",
    "http://127.0.0.1.example/keys", "http://128.0.0.1/keys", "http://[::2]/keys",
    "http://user@id.example/keys", "https://user:word@127.0.0.1/keys", "file:///etc/hosts",
    "ftp://127.0.0.1/keys", "127.0.0.1/keys", "/etc/hosts", "https://"])
def test_what_may_not_be_a_url(make_broker, url):
    log = make_broker({"jwks_url": url}, start=False).refused_start()
    assert "orgcast: plugin_opt_jwks_url: " in log
    assert "user:word" not in log


@pytest.mark.parametrize("kind", ["missing", "directory", "empty", "no PEM"])
def test_a_ca_file_that_cannot_be_used(make_broker, provide, tmp_path, kind):
    path = tmp_path / "ca.pem"
    if kind == "directory":
        path.mkdir()
    elif kind != "missing":
        path.write_text("" if kind == "empty" else "no certificate\n")
    log = make_broker(options(provide(), jwks_ca_file=path), start=False).refused_start()
    assert f"orgcast: plugin_opt_jwks_ca_file: '{path}'" in log


# -- when fetches happen ---------------------------------------------------------------------------


def test_an_unknown_key_id_brings_one_fetch_forward(make_broker, provide, keys, token, tmp_path):
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=3600, jwks_cache_file=cache))
    wait_cached(cache, provider)
    assert attempt(broker, token("p256", "k1"))
    assert provider.count() == 1

    provider.document = key_set(jwk(keys.get("p256"), "k1"), jwk(keys.get("p256:2"), "k2"))
    assert refusal(broker, token("p256:2", "k2")) == "key_unknown"
    provider.wait_requests(2)
    wait_cached(cache, provider)
    assert attempt(broker, token("p256:2", "k2"))
    assert attempt(broker, token("p256", "k1"))

    # Everybody may make up key ids; they cost the provider one request in 10 seconds.
    tries = 0

    def third():
        nonlocal tries
        tries += 1
        assert not attempt(broker, token("p256", f"made-up-{tries}"))
        return provider.count() > 2

    wait_for(third, "the third request", 20 * PATIENCE)
    assert provider.requests[2][1] - provider.requests[1][1] >= 9.9
    assert tries > 50
    assert provider.count() == 3


WAYS_IN = {
    "3.1.1": {"version": V311}, "5": {}, "3.1.1 over WebSocket": {"version": V311, "transport": "ws"},
    "5 over WebSocket": {"transport": "ws"}, "enhanced authentication": {"connect": connect_enhanced},
}


@pytest.mark.parametrize("way", WAYS_IN)
def test_the_first_token_of_a_new_key_may_come_back(make_broker, provide, keys, token, tmp_path, way):
    """Many clients stop for good after a CONNACK that refuses them. The broker does not have the key yet,
    but fetches the key set, so it closes the connection without a CONNACK."""
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=3600, jwks_cache_file=cache),
                         listeners=("tcp", "ws"))
    wait_cached(cache, provider)
    provider.document = key_set(jwk(keys.get("p256"), "k1"), jwk(keys.get("p256:2"), "k2"))
    first = token("p256:2", "k2")
    assert answer(broker, first, "first", **WAYS_IN[way]) is None
    assert broker.refusal("first")[0] == "key_unknown"
    wait_for(lambda: answer(broker, first, **WAYS_IN[way]) == 0, "the token to be accepted")


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_key_that_the_new_set_does_not_have(make_broker, provide, keys, token, tmp_path, way):
    """The set was fetched for this key and does not have it: now the refusal is final."""
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=3600, jwks_cache_file=cache),
                         listeners=("tcp", "ws"))
    wait_cached(cache, provider)
    unknown = token("p256", "made-up")
    assert answer(broker, unknown, **WAYS_IN[way]) is None
    provider.wait_requests(2)
    wait_for(lambda: answer(broker, unknown, **WAYS_IN[way]) is not None, "a CONNACK")
    final = 5 if WAYS_IN[way].get("version") == V311 else 0x87
    assert answer(broker, unknown, **WAYS_IN[way]) == final


def test_a_wish_for_a_fetch_is_deferred(make_broker, provide, keys, token, tmp_path):
    """One client asks once, within 10 s of the last fetch that was brought forward: the fetch follows."""
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=3600, jwks_cache_file=cache))
    wait_cached(cache, provider)
    assert not attempt(broker, token("p256", "made-up"))
    provider.wait_requests(2)
    provider.document = key_set(jwk(keys.get("p256:2"), "k2"))
    assert answer(broker, token("p256:2", "k2")) is None
    provider.wait_requests(3, 11 + 5 * PATIENCE)
    wait_cached(cache, provider)
    assert provider.requests[2][1] - provider.requests[1][1] >= 9.9
    assert attempt(broker, token("p256:2", "k2"))
    assert answer(broker, token("p256", "made-up")) == 0x87


def test_an_algorithm_that_no_key_had_brings_a_fetch_forward(make_broker, provide, keys, token,
                                                              tmp_path):
    """A provider that changes from RSA to elliptic curves is followed as any other rotation is."""
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("rsa"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=3600, jwks_cache_file=cache))
    wait_cached(cache, provider)
    provider.document = key_set(jwk(keys.get("p256"), "k2"))
    assert refusal(broker, token("p256", "k2")) == "key_unknown"
    wait_cached(cache, provider)
    assert attempt(broker, token("p256", "k2"))
    assert refusal(broker, token("rsa", "k1")) == "key_unknown"


def test_secrets_are_no_algorithm_of_a_url(make_broker, provide, keys, token, tmp_path):
    """Nobody can make the broker fetch with tokens that no set from a URL could ever check."""
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("rsa"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=3600, jwks_cache_file=cache))
    wait_cached(cache, provider)
    assert refusal(broker, token("hs")) == "alg_not_allowed"
    assert provider.count() == 1


def test_tokens_before_the_first_set(make_broker, provide, keys, token):
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    provider.behave("status-500")
    broker = make_broker(options(provider, jwks_refresh_interval=1))
    broker.wait_log("status 500")
    assert refusal(broker, token("p256", "k1")) == "key_unknown"
    assert refusal(broker, token("rsa")) == "key_unknown"
    provider.behave("serve")
    wait_accepted(broker, token("p256", "k1"))
    broker.wait_log(r"(?m)^orgcast: jwks_url https://\S+: fetched$")


def test_refresh_interval(make_broker, provide, keys, token):
    """A new set is taken without anybody's asking, and the old one's keys are gone with it."""
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    make_broker(options(provider, jwks_refresh_interval=2))
    provider.wait_requests(4)
    times = [at for _, at in provider.requests]
    gaps = [after - before for before, after in zip(times, times[1:])]
    assert all(1.9 <= gap <= 2 + 1.5 * PATIENCE for gap in gaps), gaps


def test_a_removed_key_is_gone_with_the_next_set(make_broker, provide, keys, token, tmp_path):
    """The token is in the broker's cache of verified ones when its key goes."""
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1"), jwk(keys.get("p256:2"), "k2")))
    broker = make_broker(options(provider, jwks_refresh_interval=1, jwks_cache_file=cache))
    wait_cached(cache, provider)
    same = token("p256", "k1")
    assert attempt(broker, same) and attempt(broker, same)
    provider.document = key_set(jwk(keys.get("p256:2"), "k2"))
    wait_cached(cache, provider)
    assert refusal(broker, same) == "key_unknown"
    assert attempt(broker, token("p256:2", "k2"))


def test_sets_are_taken_without_ticks(make_broker, provide, keys, token, tmp_path):
    """Mosquitto 2.0 gives a plugin no ticks with per_listener_settings; a CONNECT does as well."""
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=1, jwks_cache_file=cache),
                         per_listener=True)
    wait_cached(cache, provider)
    assert attempt(broker, token("p256", "k1"))
    provider.document = key_set(jwk(keys.get("p256:2"), "k2"))
    wait_cached(cache, provider)
    assert attempt(broker, token("p256:2", "k2"))
    assert refusal(broker, token("p256", "k1")) == "key_unknown"


def test_sighup_asks_the_provider_too(make_broker, provide, keys, token, tmp_path):
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=3600, jwks_cache_file=cache))
    wait_cached(cache, provider)
    for name in ("p256:2", "p256:3"):
        provider.document = key_set(jwk(keys.get(name), name))
        broker.reload()
        wait_cached(cache, provider)
        assert attempt(broker, token(name, name))


# -- providers that fail ---------------------------------------------------------------------------

# What the log says of each, as a pattern; the words are in part libcurl's.
NO_ANSWER = r"time(d )?out"
FAILURES = {
    "mute": NO_ANSWER, "hang": NO_ANSWER, "hang-after-headers": NO_ANSWER,
    "hang-half-way": NO_ANSWER, "drip": NO_ANSWER,
    "cut-short": "with 10 bytes (remaining|missing)|unexpected eof", "reset": "",
    "huge": "the answer is longer than 1048576 bytes",
    "huge-chunked": "the answer is longer than 1048576 bytes", "huge-headers": "",
    "status-500": "status 500", "status-404": "status 404",
    "redirect-elsewhere": "redirected to another host, which is not followed",
    "redirect-loop": "more than 3 redirects",
    "garbage": "is no JWK set", "empty": "is no JWK set", "other-json": "is no JWK set",
    "no-keys": "holds no usable key",
}


def resident(broker, name):
    """VmRSS (now) or VmHWM (the most ever) of the broker, in bytes."""
    with open(f"/proc/{broker.process.pid}/status", encoding="ascii") as file:
        return int(re.search(rf"(?m)^{name}:\s+(\d+) kB", file.read()).group(1)) * 1024


@pytest.fixture(scope="module")
def failing(keys, authority, tmp_path_factory):
    """A broker and its provider for each failure, all begun at once: most of them take ten seconds. The
    brokers have the good set; the providers fail since then."""
    folder = tmp_path_factory.mktemp("failing")
    elsewhere = Provider(key_set(jwk(keys.get("p256:2"), "k1"))).start()
    out = {}
    for name in FAILURES:
        provider = Provider(key_set(jwk(keys.get("p256"), "k1")), authority).start()
        broker = Broker(folder / name, options(provider, jwks_refresh_interval=1)).start()
        out[name] = (broker, provider)
    for name, (broker, provider) in out.items():
        wait_accepted(broker, mint(claims(), keys.get("p256"), "ES256", "k1"), 10 * PATIENCE)
        broker.before = resident(broker, "VmRSS"), broker.mark()
        provider.behave(name, other_url=elsewhere.url)
    yield out, elsewhere
    for broker, provider in out.values():
        broker.stop()
        provider.stop()
    elsewhere.stop()


@pytest.mark.parametrize("failure", FAILURES)
def test_the_last_good_set_stays(failing, keys, token, tmp_path, failure):
    pairs, elsewhere = failing
    broker, provider = pairs[failure]
    line = (rf"(?m)^orgcast: jwks_url {re.escape(provider.url)}: .*"
            rf"({FAILURES[failure]}).*; the last good set stays$")
    mark = broker.mark() if failure in ("reset", "status-500") else broker.before[1]
    broker.wait_log(line, mark, ANSWER_S)
    assert attempt(broker, token("p256", "k1"))
    assert refusal(broker, token("p256:2", "k1")) == "signature_invalid"
    assert elsewhere.count() == 0
    if MEASURED:
        assert resident(broker, "VmHWM") - broker.before[0] < 10 * MIB


@pytest.mark.parametrize("failure", ["reset", "huge-chunked", "status-500", "garbage", "no-keys",
                                     "redirect-loop"])
def test_a_mended_provider_is_followed(failing, keys, token, failure):
    """After the tests above: the pair's provider comes back with another key."""
    broker, provider = failing[0][failure]
    provider.document = key_set(jwk(keys.get("p256:3"), "k3"))
    mark = broker.mark()
    provider.behave("serve")
    wait_accepted(broker, token("p256:3", "k3"), ANSWER_S)
    broker.wait_log(r"(?m)^orgcast: jwks_url \S+: fetched$", mark)
    assert refusal(broker, token("p256", "k1")) == "key_unknown"


@pytest.mark.skipif(not MEASURED, reason="the tool's own memory would be measured")
@pytest.mark.parametrize("failure", ["huge", "huge-chunked", "huge-headers"])
def test_an_endless_answer_costs_no_memory(make_broker, provide, keys, token, failure):
    """The provider sends 100 MB, again and again."""
    provider = provide(key_set(jwk(keys.get("p256"), "k1")), authority=None)
    broker = make_broker(options(provider, jwks_refresh_interval=1))
    wait_accepted(broker, token("p256", "k1"))
    before = resident(broker, "VmRSS")
    provider.behave(failure)
    provider.wait_requests(provider.count() + 4)
    most = resident(broker, "VmHWM")
    print(f"{failure}: {HUGE // MIB} MiB sent, {(most - before) / MIB:.1f} MiB more than before")
    assert most - before < 10 * MIB
    assert attempt(broker, token("p256", "k1"))


def test_redirects_within_the_host_are_followed(make_broker, provide, keys, token):
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    provider.behave("redirect")
    broker = make_broker(options(provider))
    wait_accepted(broker, token("p256", "k1"))
    assert [path for path, _ in provider.requests[:3]] == ["/keys", "/moved", "/keys/at/last"]


@pytest.mark.parametrize("failure", ["mute", "hang", "hang-half-way", "drip"])
def test_the_broker_stops_while_a_fetch_hangs(make_broker, provide, keys, failure):
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    provider.behave(failure)
    broker = make_broker(options(provider))
    provider.wait_requests(1)
    began = time.monotonic()
    broker.stop()
    assert time.monotonic() - began < 2 * PATIENCE


# -- sets that hold more than one would like -------------------------------------------------------


def private(key):
    return jwk(key, d=number_of(key))


def number_of(key):
    value = key.private_numbers().private_value
    return b64url(value.to_bytes(32, "big"))


def off_curve(key):
    return jwk(key, y=b64url(b"\x01" * 32))


def short_x(key):
    return jwk(key, x=b64url(b"\x01" * 31))


# name -> (the key's name, its JWK, what is logged)
ODD_KEYS = {
    "private key": ("p256:2", private, "is a private key"),
    "secret": ("hs", jwk, "is a secret, which is not taken from a URL"),
    "unknown kty": ("p256:2", lambda key: jwk(key, kty="PQ"), "'kty' that is none of"),
    "no kty": ("p256:2", lambda key: jwk(key, kty=None), "has no 'kty'"),
    "use enc": ("p256:2", lambda key: jwk(key, use="enc"), "its 'use' is not 'sig'"),
    "key_ops without verify": ("p256:2", lambda key: jwk(key, key_ops=["sign"]), "'key_ops' lacks 'verify'"),
    "alg of encryption": ("p256:2", lambda key: jwk(key, alg="ECDH-ES"), "not a known signature algorithm"),
    "alg of another type": ("p256:2", lambda key: jwk(key, alg="RS256"), "may check no algorithm"),
    "RSA of 1024 bits": ("rsa1024", jwk, "RSA of 1024 bits"),
    "exponent 1": ("rsa", lambda key: jwk(key, e="AQ"), "RSA with an even modulus, or an exponent that is even, 1"),
    "even exponent": ("rsa", lambda key: jwk(key, e="AQAA"), "RSA with an even modulus, or an exponent that is even, 1"),
    "no modulus": ("rsa", lambda key: jwk(key, n=None), "has no 'n'"),
    "point off the curve": ("p256:2", off_curve, "is no valid EC key"),
    "x of 31 bytes": ("p256:2", short_x, "coordinates of the wrong length"),
    "x of 33 bytes": ("p256:2", lambda key: jwk(key, x=b64url(b"\0" + b"\1" * 32)),
                      "coordinates of the wrong length"),
    "x in base64": ("p256:2", lambda key: jwk(key, x="+" * 43), "no base64url"),
    "another curve": ("p256:2", lambda key: jwk(key, crv="P-384"), "wrong length for P-384"),
    "unknown curve": ("p256:2", lambda key: jwk(key, crv="secp256k1"), "is on none of the curves"),
    "X25519": ("ed25519", lambda key: jwk(key, crv="X25519"), "is not on the curve Ed25519"),
    "short Ed25519": ("ed25519", lambda key: jwk(key, x=b64url(b"\1" * 31)),
                      "is no valid OKP key"),
    "kid a number": ("p256:2", lambda key: jwk(key, kid=7), "'kid' that is no string"),
    "no object": ("p256:2", lambda _: "key", "is no JSON object"),
}
ODD_ALGORITHMS = {"hs": "HS256", "rsa": "RS256", "rsa1024": "RS256", "ed25519": "EdDSA"}


@pytest.mark.parametrize("name", ODD_KEYS)
def test_one_bad_key_is_skipped(make_broker, provide, keys, token, name):
    """The others work, and a set with nothing but the bad key is not taken."""
    key_name, make, logged = ODD_KEYS[name]
    odd = make(keys.get(key_name))
    if isinstance(odd, dict) and "kid" not in odd:
        odd["kid"] = "odd"
    provider = provide(key_set(odd, jwk(keys.get("p256"), "k1")), authority=None)
    broker = make_broker(options(provider, jwks_refresh_interval=1))
    wait_accepted(broker, token("p256", "k1"))
    bad = token(key_name, "odd", ODD_ALGORITHMS.get(key_name, "ES256"))
    assert refusal(broker, bad) in ("key_unknown", "alg_not_allowed")
    broker.wait_log(rf"(?m)^orgcast: http://\S+: key 1 is skipped: .*{re.escape(logged)}")

    mark = broker.mark()
    provider.document = key_set(odd)
    broker.wait_log(r"jwks_url \S+: .*holds no usable key; the last good set stays", mark)
    assert attempt(broker, token("p256", "k1"))


def test_two_keys_of_one_key_id(make_broker, provide, keys, token):
    """The first one counts, unless they serve different algorithms."""
    provider = provide(key_set(jwk(keys.get("p256"), "k1"), jwk(keys.get("p256:2"), "k1"),
                               jwk(keys.get("rsa"), "k1")))
    broker = make_broker(options(provider))
    wait_accepted(broker, token("p256", "k1"))
    assert refusal(broker, token("p256:2", "k1")) == "signature_invalid"
    assert attempt(broker, token("rsa", "k1"))
    broker.wait_log(r"key 2 is skipped: two keys have the key id 'k1'")


def test_a_thousand_keys(make_broker, provide, keys, token, secret_file):
    """The first 256 are taken. Beside a secret of a file there is room for one fewer."""
    many = [jwk(keys.get(f"p256:{n}"), f"k{n}") for n in range(1, 1001)]
    provider = provide(key_set(*many))
    broker = make_broker(options(provider))
    wait_accepted(broker, token("p256:1", "k1"), 10 * PATIENCE)
    assert attempt(broker, token("p256:256", "k256"))
    assert refusal(broker, token("p256:257", "k257")) == "key_unknown"
    assert refusal(broker, token("p256:1000", "k1000")) == "key_unknown"
    broker.wait_log(r"key 257 is skipped: more than 256 keys")
    assert broker.log().count("is skipped") <= 16

    beside = make_broker(options(provider, jwt_secret_file=secret_file))
    wait_accepted(beside, token("p256:1", "k1"), 10 * PATIENCE)
    assert attempt(beside, token("hs"))
    beside.wait_log(r"more than 256 keys")


# -- the cache file --------------------------------------------------------------------------------


def test_start_while_the_provider_is_down(make_broker, provide, keys, token, tmp_path):
    """With the newest set that was ever fetched, at once."""
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=1, jwks_cache_file=cache))
    wait_cached(cache, provider)
    provider.document = key_set(jwk(keys.get("p256:2"), "k2"))
    wait_cached(cache, provider)
    broker.stop()
    assert cache.stat().st_mode & 0o777 == 0o640

    provider.behave("reset")
    broker.start()
    assert attempt(broker, token("p256:2", "k2"))
    assert refusal(broker, token("p256", "k1")) == "key_unknown"
    broker.wait_log(r"jwks_url \S+: .*; the last good set stays")
    assert attempt(broker, token("p256:2", "k2"))
    provider.document = key_set(jwk(keys.get("p256:3"), "k3"))
    provider.behave("serve")
    wait_accepted(broker, token("p256:3", "k3"))


def test_a_cache_for_several_providers(make_broker, provide, keys, token, tmp_path):
    cache = tmp_path / "cache.json"
    providers = [provide(key_set(jwk(keys.get(f"p256:{n}"), f"k{n}"))) for n in range(3)]
    broker = make_broker([("jwks_ca_file", providers[0].authority.ca_path),
                          ("jwks_cache_file", cache)] + [("jwks_url", p.url) for p in providers])
    for provider in providers:
        wait_cached(cache, provider)
    broker.stop()
    for provider in providers:
        provider.behave("reset")
    broker.start()
    for n in range(3):
        assert attempt(broker, token(f"p256:{n}", f"k{n}"))


BAD_CACHES = {
    "missing": None,
    "empty": b"",
    "garbage": b"\xff\x00garbage",
    "half a file": b'{"sets":{"https://id.example/keys":{"keys":[{"kty":"EC","crv":"P-2',
    "other JSON": b"[1]",
    "no sets": b"{}",
    "sets a list": b'{"sets":[]}',
    "no set": b'{"sets":{}}',
    "another URL's set": b'{"sets":{"https://id.example/keys":{"keys":[]}}}',
    "a set without keys": lambda url: json.dumps({"sets": {url: {"keys": []}}}).encode(),
    "a set that is none": lambda url: json.dumps({"sets": {url: 7}}).encode(),
    "too long": b" " * (9 * MIB),
}


@pytest.mark.parametrize("name", BAD_CACHES)
def test_a_bad_cache_does_not_stop_the_broker(make_broker, provide, keys, token, tmp_path, name):
    """It starts, says so, and writes a good one when the provider answers."""
    cache = tmp_path / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    content = BAD_CACHES[name]
    if content is not None:
        cache.write_bytes(content(provider.url) if callable(content) else content)
    provider.behave("status-500")
    broker = make_broker(options(provider, jwks_refresh_interval=1, jwks_cache_file=cache))
    broker.wait_log(r"(?m)^orgcast: jwks_cache_file: .+; tokens are refused until the set is fetched$")
    assert refusal(broker, token("p256", "k1")) == "key_unknown"
    provider.behave("serve")
    wait_cached(cache, provider)
    assert attempt(broker, token("p256", "k1"))


@pytest.mark.parametrize("kind", ["directory", "no such folder", "folder is a file"])
def test_a_cache_that_cannot_be_written(make_broker, provide, keys, token, tmp_path, kind):
    cache = tmp_path / "there" / "cache.json"
    if kind == "directory":
        cache.mkdir(parents=True)
    elif kind == "folder is a file":
        cache.parent.write_text("")
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwks_cache_file=cache))
    wait_accepted(broker, token("p256", "k1"))
    broker.wait_log(r"(?m)^orgcast: jwks_cache_file: '.*/there/cache\.json'.*; the set is not kept on disk$")
    assert not list(tmp_path.glob("there/*.*.*"))


def test_a_cache_is_written_once_it_can_be(make_broker, provide, keys, token, tmp_path):
    """The set is the same as before; only the folder is new."""
    cache = tmp_path / "there" / "cache.json"
    provider = provide(key_set(jwk(keys.get("p256"), "k1")))
    broker = make_broker(options(provider, jwks_refresh_interval=1, jwks_cache_file=cache))
    provider.wait_requests(2)
    cache.parent.mkdir()
    wait_cached(cache, provider)
    assert len(re.findall("jwks_cache_file: '", broker.log())) <= 3


def test_a_kill_never_leaves_half_a_cache(make_broker, provide, keys, tmp_path):
    """The broker is killed twelve times at the moment at which it writes: the file is one of the sets
    that were served, whole, or not there."""
    folder = tmp_path / "cache"
    folder.mkdir()
    cache = folder / "cache.json"
    padding = {"x5c": ["A" * 3000]}
    served = [key_set(*(jwk(keys.get(f"p256:{n}"), f"{turn}-{n}", **padding) for n in range(1, 250)))
              for turn in range(2)]
    provider = provide(authority=None)
    whole = []
    for turn in range(12):
        provider.document = served[turn % 2]
        before = cache.stat().st_ino if cache.exists() else None
        broker = make_broker(options(provider, jwks_cache_file=cache), start=False)
        broker.process = broker._spawn(broker.config())
        seen = set(os.listdir(folder))

        def writing():
            # A file that is new, or one that is changed in place.
            return set(os.listdir(folder)) - seen or \
                (cache.exists() and (cache.stat().st_ino, cache.stat().st_size)
                 not in ((before, len(whole[-1]) if whole else None),))

        deadline = time.monotonic() + 20 * PATIENCE
        while not writing():
            assert time.monotonic() < deadline, broker.log()
        broker.kill()
        if cache.exists():
            text = cache.read_bytes()
            assert json.loads(text)["sets"][provider.url] in [json.loads(s) for s in served]
            whole.append(text)
    # The last word: a broker that is not killed, beside all that was left behind.
    make_broker(options(provider, jwks_cache_file=cache))
    wait_cached(cache, provider)


# -- nobody notices --------------------------------------------------------------------------------


@pytest.mark.skipif(not MEASURED, reason="the tool's own time would be measured")
def test_latency_does_not_depend_on_the_provider(make_broker, provide, keys, secret_file, join, tokens):
    """From publish to delivery, in four brokers by turns, so that the machine's noise is the same for
    all: one whose provider answers, and three whose providers hang, reset, and send 100 MB. All fetch
    once a second, or as soon as the last fetch has failed."""
    modes = ["alternate", "hang", "reset", "huge-chunked"]
    topic, payload = event("acme")
    pairs, samples = {}, {mode: [] for mode in modes}
    for mode in modes:
        provider = provide(key_set(jwk(keys.get("p256"), "k1")), authority=None)
        provider.behave(mode)
        broker = make_broker(options(provider, jwks_refresh_interval=1, jwt_secret_file=secret_file))
        subscriber = join(broker, "subscriber", tokens.member(), V5)
        assert subscriber.subscribe("org/acme/invoices/#") == [0]
        pairs[mode] = provider, join(broker, "publisher", tokens.publisher(), V5), subscriber

    until = time.monotonic() + 12
    while time.monotonic() < until:
        for mode, (_, publisher, subscriber) in pairs.items():
            began = time.perf_counter()
            publisher.send_publish(topic, payload)
            (message,) = subscriber.take(1)
            samples[mode].append(time.perf_counter() - began)
            assert event_id(message.payload) == event_id(payload)

    medians = {mode: statistics.median(values) * 1e3 for mode, values in samples.items()}
    p99s = {mode: statistics.quantiles(values, n=100)[98] * 1e3 for mode, values in samples.items()}
    for mode in modes:
        print(f"{mode:13} {pairs[mode][0].count():3} requests, {len(samples[mode])} deliveries: "
              f"median {medians[mode]:.3f} ms, p99 {p99s[mode]:.3f} ms")
    assert pairs["hang"][0].count() >= 1 and pairs["reset"][0].count() >= 8
    assert pairs["huge-chunked"][0].count() >= 8 and pairs["alternate"][0].count() >= 8
    for mode in modes[1:]:
        assert medians[mode] < max(1, 1.5 * medians["alternate"]), mode
        assert p99s[mode] < max(5, 3 * p99s["alternate"]), mode

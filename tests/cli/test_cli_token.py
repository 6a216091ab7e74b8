# SPDX-License-Identifier: MIT
"""token sign, checked by PyJWT, and token inspect, fed with what nobody should trust."""

import json
import os
import subprocess
import time

import jwt
import pytest
from command import ORGCAST
from tokens import b64url, claims, forge, mint

KEYS = {"HS256": "hs", "HS384": "hs", "HS512": "hs", "RS256": "rsa", "RS384": "rsa", "RS512": "rsa",
        "ES256": "p256", "ES384": "p384", "ES512": "p521"}


def verifier(keys, name):
    return keys.get(name) if name == "hs" else keys.get(name).public_key()


@pytest.mark.parametrize("alg, name", KEYS.items())
def test_sign(orgcast, keys, private_key, alg, name):
    before = int(time.time())
    result = orgcast("token", "sign", "--key-file", private_key(name), "--alg", alg, "--kid", "k1",
                     "--org-id", "acme", "--sub", "ada")
    assert (result.returncode, result.stderr) == (0, "")
    token = result.stdout.rstrip("\n")
    assert "\n" not in token
    assert jwt.get_unverified_header(token) == {"alg": alg, "typ": "JWT", "kid": "k1"}
    got = jwt.decode(token, verifier(keys, name), algorithms=[alg])
    assert before <= got["iat"] <= time.time()
    assert got == {"org_id": "acme", "sub": "ada", "iat": got["iat"], "exp": got["iat"] + 3600}


def test_sign_defaults_to_hs256(orgcast, keys, private_key):
    token = orgcast("token", "sign", "--key-file", private_key("hs")).stdout.strip()
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert set(jwt.decode(token, keys.get("hs"), algorithms=["HS256"])) == {"iat", "exp"}


def test_sign_warns_about_a_missing_subject(orgcast, private_key):
    for arguments in (("--sub", "ada"), ("--claim", 'sub="ada"')):
        assert orgcast("token", "sign", "--key-file", private_key("hs"), *arguments).stderr == ""
    result = orgcast("token", "sign", "--key-file", private_key("hs"), "--org-id", "acme")
    assert result.returncode == 0 and result.stdout.count(".") == 2
    assert "warning: the token has no sub; " in result.stderr and "--sub" in result.stderr


def test_sign_all_claims(orgcast, keys, private_key):
    result = orgcast(
        "token", "sign", "--key-file", private_key("hs"), "--org-id", "acme", "--org-id", "globex",
        "--sub", "ada", "--scope", "invoices:publish orgcast:admin", "--iss", "https://id.example",
        "--aud", "a", "--aud", "b", "--nbf", "1000", "--exp", "4102444800", "--claim", "iat=7",
        "--claim", 'name="Ada \u00c4"', "--claim", 'roles=["x",{"y":1.5}]', "--claim", "n=null")
    assert result.returncode == 0, result.stderr
    assert jwt.decode(result.stdout.strip(), keys.get("hs"), algorithms=["HS256"], audience="b") == {
        "org_id": ["acme", "globex"], "sub": "ada", "scope": "invoices:publish orgcast:admin",
        "iss": "https://id.example", "aud": ["a", "b"], "nbf": 1000, "exp": 4102444800, "iat": 7,
        "name": "Ada \u00c4", "roles": ["x", {"y": 1.5}], "n": None}


def test_sign_expires_in(orgcast, keys, private_key):
    token = orgcast("token", "sign", "--key-file", private_key("hs"), "--expires-in", "60").stdout
    got = jwt.decode(token.strip(), keys.get("hs"), algorithms=["HS256"])
    assert got["exp"] - got["iat"] == 60


def test_sign_json(orgcast, keys, private_key):
    result = orgcast("token", "sign", "--key-file", private_key("hs"), "--sub", "ada", "--json")
    got = json.loads(result.stdout)
    assert set(got) == {"token", "claims"}
    assert jwt.decode(got["token"], keys.get("hs"), algorithms=["HS256"]) == got["claims"]


@pytest.mark.parametrize("name, alg, says", [
    ("p256", "ES384", "ES384 needs a key on the curve P-384"),
    ("rsa", "HS256", "the key is PEM"),
    ("rsa", "ES256", "needs an EC key"),
    ("rsa1024", "RS256", "1024 bits"),
    ("hs", "none", "no such signing algorithm"),
    ("hs", "hs256", "no such signing algorithm"),
    ("hs", "RS256", "not PEM"),
])
def test_sign_refuses_a_key(orgcast, private_key, name, alg, says):
    result = orgcast("token", "sign", "--key-file", private_key(name), "--alg", alg)
    assert (result.returncode, result.stdout) == (1, "")
    assert says in result.stderr


@pytest.mark.parametrize("content, says", [(b"x" * 31, "31 bytes long; HS256 needs at least 32"),
                                           (b"", "is empty"), (None, "No such file")],
                         ids=["short", "empty", "missing"])
def test_sign_refuses_a_key_file(orgcast, tmp_path, content, says):
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    result = orgcast("token", "sign", "--key-file", path)
    assert (result.returncode, result.stdout) == (1, "")
    assert says in result.stderr


@pytest.fixture
def valid(keys):
    return mint(claims(org_id=["acme"]), keys.get("hs"), kid="k1")


def sources(token, token_file):
    return [(("--token-file", token_file(token)), {}), (("--token-file", "-"), {"stdin": token + "\n"}),
            ((), {"token": token})]


def test_inspect(orgcast, valid, token_file):
    for arguments, more in sources(valid, token_file):
        result = orgcast("token", "inspect", *arguments, **more)
        assert (result.returncode, result.stderr) == (0, "")
        text = result.stdout
        assert text.startswith("NOT VERIFIED: decoded only, the signature was not checked.\n")
        for part in ('  "alg": "HS256"\n', '  "kid": "k1"\n', '  "org_id": ["acme"]\n',
                     '  "sub": "ada"\n', "Z, in ", "signature\n  32 bytes\n"):
            assert part in text
        assert "EXPIRED" not in text


def test_inspect_json(orgcast, valid):
    got = json.loads(orgcast("token", "inspect", "--json", token=valid).stdout)
    decoded = jwt.decode(valid, options={"verify_signature": False})
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(decoded["exp"]))
    assert got == {"verified": False, "header": {"alg": "HS256", "typ": "JWT", "kid": "k1"},
                   "claims": decoded, "signatureBytes": 32, "expired": False,
                   "issuedAt": got["issuedAt"], "notBefore": None, "expiresAt": when}
    assert got["issuedAt"].endswith("Z")


def test_the_file_is_preferred_to_the_environment(orgcast, valid, token_file):
    assert orgcast("token", "inspect", "--token-file", token_file(valid), token="x").returncode == 0


def test_a_token_file_that_is_a_pipe(orgcast, valid, pipe):
    result = orgcast("token", "inspect", "--json", "--token-file", pipe(valid.encode() + b"\n"))
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["signatureBytes"] == 32
    result = orgcast("token", "inspect", "--token-file", "/dev/stdin", stdin=valid + "\n")
    assert (result.returncode, result.stderr) == (0, "")
    script = '"$0" token inspect --token-file <(printf %s "$TOKEN")'
    result = subprocess.run(["bash", "-c", script, ORGCAST], env={"TOKEN": valid, "PATH": os.environ["PATH"]},
                            capture_output=True, text=True, check=False, timeout=30)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("content, says", [
    (b"", "is empty"), (b"x" * 65537, "is longer than 65536 bytes"),
    (b"x" * 5_000_000, "is longer than 65536 bytes"), (b"a b", "invalid character"),
], ids=["empty", "long", "very long", "no token"])
def test_a_pipe_without_a_token(orgcast, pipe, content, says):
    result = orgcast("token", "inspect", "--token-file", pipe(content))
    assert (result.returncode, result.stdout) == (1, "")
    assert says in result.stderr


def test_an_endless_token_file(orgcast):
    result = orgcast("token", "inspect", "--token-file", "/dev/zero")
    assert result.returncode == 1 and "'/dev/zero' is longer than 65536 bytes" in result.stderr


@pytest.mark.parametrize("alg, name", [("HS256", "hs"), ("ES256", "p256")])
def test_sign_with_a_key_from_a_pipe(orgcast, keys, private_key, pipe, alg, name):
    result = orgcast("token", "sign", "--key-file", pipe(private_key(name).read_bytes()), "--alg", alg,
                     "--sub", "ada")
    assert (result.returncode, result.stderr) == (0, "")
    assert jwt.decode(result.stdout.strip(), verifier(keys, name), algorithms=[alg])["sub"] == "ada"


@pytest.mark.parametrize("changes, says, expired", [
    ({"exp": 1000}, "1970-01-01T00:16:40Z, EXPIRED", True),
    ({"exp": 4102444800}, "2100-01-01T00:00:00Z, in ", False),
    ({"exp": 4102444800.5}, "2100-01-01T00:00:00Z, in ", False),
    ({"nbf": 4102444800}, "2100-01-01T00:00:00Z, NOT YET VALID, in ", False),
    ({"exp": None}, "no exp: the plugin refuses", None),
    ({"exp": "4102444800"}, '"exp": "4102444800"  (not a time)', None),
    ({"exp": -1}, '"exp": -1  (not a time)', True),
    ({"exp": 10**18}, '"exp": 1000000000000000000  (not a time)', False),
])
def test_inspect_times(orgcast, keys, changes, says, expired):
    token = mint(claims(**changes), keys.get("hs"))
    assert says in orgcast("token", "inspect", token=token).stdout
    assert json.loads(orgcast("token", "inspect", "--json", token=token).stdout)["expired"] is expired


def test_inspect_keeps_the_terminal_safe(orgcast, keys):
    token = mint(claims(sub="\x1b[31m\x07 \u202e \x9b", **{"\x1b]0;x\x07": 1}), keys.get("hs"))
    for more in ((), ("--json",)):
        result = orgcast("token", "inspect", *more, token=token)
        assert result.returncode == 0
        assert all(c == "\n" or " " <= c <= "~" for c in result.stdout), result.stdout


def part(text):
    return b64url(text.encode("latin-1"))


HEADER = part('{"alg":"HS256"}')
CLAIMS = part('{"sub":"ada"}')

MALFORMED = {
    "no dots": ("abc", "three parts"),
    "two parts": (f"{HEADER}.{CLAIMS}", "three parts"),
    "four parts": (f"{HEADER}.{CLAIMS}.AA.AA", "three parts"),
    "encrypted": (f"{HEADER}.a.b.c.d", "three parts"),
    "padding": (f"{HEADER}.{CLAIMS}=.AA", "payload is not base64url"),
    "standard base64": (f"{HEADER}+/.{CLAIMS}.AA", "header is not base64url"),
    "signature": (f"{HEADER}.{CLAIMS}.A", "signature is not base64url"),
    "empty header": (f".{CLAIMS}.AA", "header is not"),
    "no JSON": (f"{part('alg')}.{CLAIMS}.AA", "header is not strict JSON"),
    "no object": (f"{HEADER}.{part('[1]')}.AA", "payload is not a JSON object"),
    "duplicates": (HEADER + "." + part('{"sub":1,"sub":2}') + ".AA", "payload is not strict JSON"),
    "no UTF-8": (HEADER + "." + part('{"\xff":1}') + ".AA", "payload is not strict JSON"),
    "overflow": (HEADER + "." + part('{"exp":1e400}') + ".AA", "a number that is too large"),
    "deep": (HEADER + "." + part('{"a":' + "[" * 5000 + "]" * 5000 + "}") + ".AA",
             "payload is deeper"),
    "space inside": (f"{HEADER} .{CLAIMS}.AA", "not a token: invalid character at byte"),
    "line end inside": (f"{HEADER}.\n{CLAIMS}.AA", "not a token: invalid character at byte"),
}


@pytest.mark.parametrize("token, says", MALFORMED.values(), ids=MALFORMED)
def test_inspect_malformed(orgcast, token, says):
    result = orgcast("token", "inspect", "--token-file", "-", stdin=token)
    assert (result.returncode, result.stdout) == (1, "")
    assert says in result.stderr
    assert HEADER not in result.stderr


@pytest.mark.parametrize("stdin, says", [("", "the token is empty"), ("\n", "the token is empty"),
                                         ("x" * 70000, "longer than 65536 bytes")],
                         ids=["nothing", "a line end", "too long"])
def test_inspect_no_token_at_all(orgcast, stdin, says):
    result = orgcast("token", "inspect", "--token-file", "-", stdin=stdin)
    assert (result.returncode, result.stdout) == (1, "")
    assert says in result.stderr


def test_inspect_does_not_ask_who_signed(orgcast):
    token = forge({"alg": "HS256"}, {"sub": "ada"}, b"nobody's key")
    assert orgcast("token", "inspect", token=token).returncode == 0


def test_unreadable_token_file(orgcast, tmp_path):
    result = orgcast("token", "inspect", "--token-file", tmp_path / "missing")
    assert (result.returncode, result.stdout) == (1, "")
    assert "the token file cannot be read" in result.stderr
    assert "is a directory" in orgcast("token", "inspect", "--token-file", tmp_path).stderr

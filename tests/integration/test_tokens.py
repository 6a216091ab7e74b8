# SPDX-License-Identifier: MIT
"""Which tokens open a connection, and under which reason the others fail.

Each case runs over MQTT 3.1, 3.1.1 and 5. Beside the code in the CONNACK it looks at the broker's log:
one line with the client id and the reason code, and nothing of the token.
"""

import base64
import re
import time
from dataclasses import dataclass
from typing import Callable

import pytest
from conftest import BrokerPool
from cryptography.hazmat.primitives.asymmetric import utils
from mqtt import NOT_AUTHORIZED, V5, V31, VERSION_NAMES, VERSIONS, Client
from tokens import b64url, claims, forge, mint, sign, to_json

GOOD = None
ISSUER, AUDIENCE = "https://id.example", "orgcast"


@dataclass
class Case:
    name: str
    token: Callable
    expected: object = GOOD
    broker: str = "main"
    org: str = "acme"        # subscribed to when the token is good
    not_org: str = "globex"  # and this is refused then; "": nothing is


# -- how the tokens are made -----------------------------------------------------------------------


def good_claims(**changes):
    """Claims that every broker configuration below accepts."""
    return claims(**{"iss": ISSUER, "aud": AUDIENCE, "jti": "canary-4b1d0c2e", **changes})


def hs(**changes):
    """An HS256 token with changed claims."""
    return lambda k: mint(good_claims(**changes), k.get("hs"))


def hs_raw(payload):
    """An HS256 token with this payload: bytes, or a function of the JSON text of good claims."""
    def make(k):
        text = payload(to_json(good_claims())) if callable(payload) else payload
        return forge({"alg": "HS256"}, text, k.get("hs"))
    return make


def with_member(member):
    """An HS256 token with one more member at the end of the claims' text."""
    return hs_raw(lambda text: text[:-1] + b"," + member + b"}")


def without(claim, member):
    """An HS256 token in which a claim's member is replaced by this text."""
    return hs_raw(lambda _: to_json(good_claims(**{claim: None}))[:-1] + b"," + member + b"}")


def header(value, key="hs", alg="HS256"):
    return lambda k: forge(value, good_claims(), k.get(key), alg)


def signed(key, alg, kid=None):
    return lambda k: mint(good_claims(), k.get(key), alg, kid)


def edited(change, key="hs", alg="HS256"):
    """Good header and payload, changed text: `change` gets and gives the three segments."""
    def make(k):
        return ".".join(change(*mint(good_claims(), k.get(key), alg).split(".")))
    return make


def signature_edited(change, key="hs", alg="HS256"):
    """The signature's bytes changed."""
    def make(k):
        text, signature = mint(good_claims(), k.get(key), alg).rsplit(".", 1)
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        return text + "." + b64url(change(raw))
    return make


def confused(newline, kid=None):
    """CVE-2015-9235: HS256 with the RSA public key's PEM text as the secret."""
    def make(k):
        pem = k.pem("rsa").strip() + (b"\n" if newline else b"")
        return mint(good_claims(), pem, "HS256", kid)
    return make


def resigned(encode):
    """A good token in another alphabet or with padding, signed over that text."""
    return lambda k: forge({"alg": "HS256"}, good_claims(pad="~~~???>>>"), k.get("hs"), encode=encode)


def spoiled_bits(segment):
    """RFC 4648 §3.5: the unused bits of a segment's last character set, and signed as such."""
    def spoil(text):
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        assert len(text) % 4 in (2, 3)
        return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]

    def padded(value):
        # A length at which the last character has unused bits.
        text = to_json(value)
        return text if len(text) % 3 else text[:-1] + b" }"

    def make(k):
        parts = [b64url(padded({"alg": "HS256"})), b64url(padded(good_claims()))]
        if segment < 2:
            parts[segment] = spoil(parts[segment])
        text = ".".join(parts)
        signature = b64url(sign("HS256", k.get("hs"), text.encode()))
        return text + "." + (spoil(signature) if segment == 2 else signature)
    return make


def own_jwk(k):
    """CVE-2018-0114: the header brings the attacker's own key."""
    numbers = k.get("rsa:evil").public_key().public_numbers()
    jwk = {"kty": "RSA", "n": b64url(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    return forge({"alg": "RS256", "jwk": jwk}, good_claims(), k.get("rsa:evil"), "RS256")


def der_signature(k):
    text, signature = mint(good_claims(), k.get("p256"), "ES256").rsplit(".", 1)
    raw = base64.urlsafe_b64decode(signature + "==")
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"),
                                     int.from_bytes(raw[32:], "big"))
    return text + "." + b64url(der)


def salted(length):
    def make(k):
        text = b64url(to_json({"alg": "PS256"})) + "." + b64url(to_json(good_claims()))
        return text + "." + b64url(sign("PS256", k.get("rsa"), text.encode(), salt=length))
    return make


def sized(total):
    """A good token of exactly that many bytes."""
    def make(k):
        for pad in range(total * 3 // 4 - 400, total):
            token = mint(good_claims(pad="x" * pad), k.get("hs"))
            if len(token) == total:
                return token
            if len(token) > total:
                # A base64 group is four characters for three bytes: let the header take up the rest.
                for extra in range(4):
                    for less in range(8):
                        token = forge({"alg": "HS256", "x": "y" * extra},
                                      good_claims(pad="x" * (pad - less)), k.get("hs"))
                        if len(token) == total:
                            return token
        raise AssertionError("no such length")
    return make


def orgs(count):
    return [f"org-{n}" for n in range(count)]


def now():
    return int(time.time())


DEEP = b'"deep":' + b"[" * 5000 + b"]" * 5000
EMOJI_ORG = "\U0001F600" * 32
LONG = "o" * 128

# -- the table -----------------------------------------------------------------------------------

CASES = [
    # Good ones: without them the rest would prove nothing.
    Case("hs256", hs()),
    Case("hs384", signed("hs", "HS384")),
    Case("hs512", signed("hs", "HS512")),
    Case("rs256", signed("rsa", "RS256")),
    Case("rs384", signed("rsa", "RS384")),
    Case("rs512", signed("rsa", "RS512")),
    Case("ps256", signed("rsa", "PS256")),
    Case("ps384", signed("rsa", "PS384")),
    Case("ps512", signed("rsa", "PS512")),
    Case("es256", signed("p256", "ES256")),
    Case("es384", signed("p384", "ES384")),
    Case("es512 by kid", signed("p521", "ES512", "ec-521")),
    Case("eddsa by kid", signed("ed25519", "EdDSA", "ed")),
    Case("no kid, the only key of its type is a named one", signed("ed25519", "EdDSA")),
    Case("unknown kid, one unnamed key fits", signed("rsa", "RS256", "rotated-away")),
    Case("kid of one of two keys of a type", signed("rsa:2", "RS256", "r2"), broker="named"),
    Case("header with typ, cty, jku, x5u of no meaning here",
         header({"alg": "HS256", "typ": "at+jwt", "cty": "x", "jku": "http://127.0.0.1:1/",
                 "x5u": "http://127.0.0.1:1/"})),
    Case("header members in other case are other members",
         header({"ALG": "none", "alg": "HS256", "Crit": ["x"], "B64": False})),
    Case("white space around the claims' JSON", hs_raw(lambda text: b" \r\n\t" + text + b"\n")),
    Case("token of exactly the most bytes", sized(16384)),

    # alg
    Case("alg none, no signature", lambda k: b64url(b'{"alg":"none"}') + "." +
         b64url(to_json(good_claims())) + ".", "alg_not_allowed"),
    Case("alg none, signed", header({"alg": "none"}), "alg_not_allowed"),
    Case("alg None", header({"alg": "None"}), "alg_not_allowed"),
    Case("alg nOnE", header({"alg": "nOnE"}), "alg_not_allowed"),
    Case("alg NONE", header({"alg": "NONE"}), "alg_not_allowed"),
    Case("alg empty", header({"alg": ""}), "alg_not_allowed"),
    Case("alg missing", header({"typ": "JWT"}), "alg_not_allowed"),
    Case("alg null", header({"alg": None}), "alg_not_allowed"),
    Case("alg number", header({"alg": 256}), "alg_not_allowed"),
    Case("alg array", header({"alg": ["HS256"]}), "alg_not_allowed"),
    Case("alg in lower case", header({"alg": "hs256"}), "alg_not_allowed"),
    Case("alg in mixed case", header({"alg": "Hs256"}), "alg_not_allowed"),
    Case("alg with a space", header({"alg": "HS256 "}), "alg_not_allowed"),
    Case("alg with more behind", header({"alg": "HS2567"}), "alg_not_allowed"),
    Case("alg cut short", header({"alg": "HS25"}), "alg_not_allowed"),
    Case("alg ES256K", header({"alg": "ES256K"}), "alg_not_allowed"),
    Case("alg dir", header({"alg": "dir"}), "alg_not_allowed"),
    Case("alg RSA1_5", header({"alg": "RSA1_5"}), "alg_not_allowed"),
    Case("hs256 with the public PEM as secret", confused(False), "signature_invalid"),
    Case("hs256 with the public PEM and newline as secret", confused(True), "signature_invalid"),
    Case("hs256 with the public PEM, only RSA configured", confused(True), "alg_not_allowed", "rsa"),
    Case("hs256 with the public PEM without newline, only RSA configured", confused(False),
         "alg_not_allowed", "rsa"),
    Case("hs256 with the public PEM and its kid", confused(True, "r1"), "alg_not_allowed", "named"),
    Case("hs256 with an empty secret", lambda k: mint(good_claims(), b""), "signature_invalid"),
    Case("hs256 with the secret file's newline", lambda k: mint(good_claims(), k.get("hs") + b"\n"),
         "signature_invalid"),
    Case("es384 header on a P-256 key", header({"alg": "ES384", "kid": "ec"}, "p256", "ES256"),
         "alg_not_allowed", "named"),
    Case("es256 header on a P-384 key", header({"alg": "ES256", "kid": "ec-384"}, "p384", "ES384"),
         "alg_not_allowed", "named"),
    Case("es256 header on a P-521 key", header({"alg": "ES256", "kid": "ec-521"}, "p521", "ES512"),
         "alg_not_allowed"),
    Case("es512 header on a P-256 key", header({"alg": "ES512"}, "p256", "ES256"),
         "signature_invalid"),
    Case("es384 header signed by the P-256 key", header({"alg": "ES384"}, "p256", "ES256"),
         "signature_invalid"),
    Case("rs256 header, eddsa key by kid", header({"alg": "RS256", "kid": "ed"}, "ed25519", "EdDSA"),
         "alg_not_allowed"),
    Case("hs256 header, rsa key by kid", header({"alg": "HS256", "kid": "r1"}), "alg_not_allowed",
         "named"),
    Case("ps256 where jwt_algorithms has only RS256", signed("rsa", "PS256"), "alg_not_allowed",
         "rsa"),
    Case("rs512 where jwt_algorithms has only RS256", signed("rsa", "RS512"), "alg_not_allowed",
         "rsa"),
    Case("rs256 where jwt_algorithms has it", signed("rsa", "RS256"), GOOD, "rsa"),
    Case("ps256 signature under an rs256 header", header({"alg": "RS256"}, "rsa", "PS256"),
         "signature_invalid"),
    Case("rs256 signature under a ps256 header", header({"alg": "PS256"}, "rsa", "RS256"),
         "signature_invalid"),
    Case("rs384 signature under an rs256 header", header({"alg": "RS256"}, "rsa", "RS384"),
         "signature_invalid"),
    Case("hs512 signature under an hs256 header", header({"alg": "HS256"}, "hs", "HS512"),
         "signature_invalid"),

    # kid and the keys that a header brings along
    Case("kid of no key, no unnamed key fits", signed("ed25519", "EdDSA", "nope"), "key_unknown"),
    Case("kid of no key among named ones", signed("rsa", "RS256", "nope"), "key_unknown", "named"),
    Case("no kid, two keys of the type", signed("rsa", "RS256"), "key_unknown", "named"),
    Case("kid empty", signed("ed25519", "EdDSA", ""), "key_unknown"),
    Case("kid in other case", signed("ed25519", "EdDSA", "ED"), "key_unknown"),
    Case("kid with more behind", signed("ed25519", "EdDSA", "ed2"), "key_unknown"),
    Case("kid as a path", signed("ed25519", "EdDSA", "../../../../dev/null"), "key_unknown"),
    Case("kid of another key of the type", signed("rsa:2", "RS256", "r1"), "signature_invalid",
         "named"),
    Case("kid number", header({"alg": "HS256", "kid": 1}), "token_malformed"),
    Case("kid null", header({"alg": "HS256", "kid": None}), "token_malformed"),
    Case("kid array", header({"alg": "HS256", "kid": ["ed"]}), "token_malformed"),
    Case("kid object", header({"alg": "HS256", "kid": {}}), "token_malformed"),
    Case("kid with NUL", header(b'{"alg":"HS256","kid":"ed\\u0000"}'), "token_malformed"),
    Case("jwk of the attacker in the header", own_jwk, "signature_invalid"),
    Case("crit", header({"alg": "HS256", "crit": ["exp"]}), "token_malformed"),
    Case("crit empty", header({"alg": "HS256", "crit": []}), "token_malformed"),
    Case("crit null", header({"alg": "HS256", "crit": None}), "token_malformed"),
    Case("b64 false", header({"alg": "HS256", "b64": False}), "token_malformed"),
    Case("b64 true", header({"alg": "HS256", "b64": True}), "token_malformed"),
    Case("b64 false with crit", header({"alg": "HS256", "b64": False, "crit": ["b64"]}),
         "token_malformed"),

    # Signatures
    Case("rs256, one bit flipped",
         signature_edited(lambda s: s[:20] + bytes([s[20] ^ 1]) + s[21:], "rsa", "RS256"),
         "signature_invalid"),
    Case("hs256, last bit flipped", signature_edited(lambda s: s[:-1] + bytes([s[-1] ^ 1])),
         "signature_invalid"),
    Case("hs256, cut to 31 bytes", signature_edited(lambda s: s[:31]), "signature_invalid"),
    Case("hs256, cut to 16 bytes", signature_edited(lambda s: s[:16]), "signature_invalid"),
    Case("hs256, one byte more", signature_edited(lambda s: s + b"\0"), "signature_invalid"),
    Case("hs256, all zero", signature_edited(lambda s: bytes(len(s))), "signature_invalid"),
    Case("rs256, cut short", signature_edited(lambda s: s[:-1], "rsa", "RS256"),
         "signature_invalid"),
    Case("rs256, a zero byte before", signature_edited(lambda s: b"\0" + s, "rsa", "RS256"),
         "signature_invalid"),
    Case("rs256, all zero", signature_edited(lambda s: bytes(len(s)), "rsa", "RS256"),
         "signature_invalid"),
    Case("rs256, all ones", signature_edited(lambda s: b"\xff" * len(s), "rsa", "RS256"),
         "signature_invalid"),
    Case("signature empty", edited(lambda h, p, s: (h, p, "")), "signature_invalid"),
    Case("rs256, signature empty", edited(lambda h, p, s: (h, p, ""), "rsa", "RS256"),
         "signature_invalid"),
    Case("es256, signature empty", edited(lambda h, p, s: (h, p, ""), "p256", "ES256"),
         "signature_invalid"),
    Case("eddsa, signature empty", edited(lambda h, p, s: (h, p, ""), "ed25519", "EdDSA"),
         "signature_invalid"),
    Case("es256, DER instead of r and s", der_signature, "signature_invalid"),
    Case("es256, 63 bytes", signature_edited(lambda s: s[:-1], "p256", "ES256"),
         "signature_invalid"),
    Case("es256, 65 bytes", signature_edited(lambda s: s + b"\0", "p256", "ES256"),
         "signature_invalid"),
    Case("es256, 96 bytes", signature_edited(
        lambda s: bytes(16) + s[:32] + bytes(16) + s[32:], "p256", "ES256"), "signature_invalid"),
    Case("es256, r and s zero (CVE-2022-21449)",
         signature_edited(lambda s: bytes(64), "p256", "ES256"), "signature_invalid"),
    Case("es256, r zero", signature_edited(lambda s: bytes(32) + s[32:], "p256", "ES256"),
         "signature_invalid"),
    Case("es256, s zero", signature_edited(lambda s: s[:32] + bytes(32), "p256", "ES256"),
         "signature_invalid"),
    Case("es256, r and s swapped", signature_edited(lambda s: s[32:] + s[:32], "p256", "ES256"),
         "signature_invalid"),
    Case("es256, of another key", signed("p256:2", "ES256"), "signature_invalid"),
    Case("rs256, of another key", signed("rsa:2", "RS256"), "signature_invalid"),
    Case("hs256, of another secret", signed("hs:2", "HS256"), "signature_invalid"),
    Case("eddsa, of another key", signed("ed25519:2", "EdDSA"), "signature_invalid"),
    Case("eddsa, one bit flipped",
         signature_edited(lambda s: bytes([s[0] ^ 1]) + s[1:], "ed25519", "EdDSA"),
         "signature_invalid"),
    Case("ps256, no salt", salted(0), "signature_invalid"),
    Case("ps256, longest salt", salted(222), "signature_invalid"),
    Case("payload exchanged",
         edited(lambda h, p, s: (h, b64url(to_json(good_claims(org_id="globex"))), s)),
         "signature_invalid"),

    # Segments and base64url
    Case("no token's shape", lambda k: "correct horse battery staple", "token_malformed"),
    Case("one segment", edited(lambda h, p, s: (h + p + s,)), "token_malformed"),
    Case("two segments", edited(lambda h, p, s: (h, p)), "token_malformed"),
    Case("four segments", edited(lambda h, p, s: (h, p, s, s)), "token_malformed"),
    Case("five segments, as in JWE", edited(lambda h, p, s: (h, "", p, s, s)), "token_malformed"),
    Case("a period at the end", edited(lambda h, p, s: (h, p, s, "")), "token_malformed"),
    Case("a period at the start", edited(lambda h, p, s: ("", h, p, s)), "token_malformed"),
    Case("two periods alone", lambda k: "..", "token_malformed"),
    Case("header empty", edited(lambda h, p, s: ("", p, s)), "token_malformed"),
    Case("payload empty", lambda k: forge({"alg": "HS256"}, b"", k.get("hs")), "token_malformed"),
    Case("padding on the signature", edited(lambda h, p, s: (h, p, s + "=")), "token_malformed"),
    Case("padding everywhere, signed so",
         resigned(lambda raw: base64.urlsafe_b64encode(raw).decode()), "token_malformed"),
    Case("standard alphabet, signed so",
         resigned(lambda raw: base64.b64encode(raw).rstrip(b"=").decode()), "token_malformed"),
    Case("space before", edited(lambda h, p, s: (" " + h, p, s)), "token_malformed"),
    Case("newline behind", edited(lambda h, p, s: (h, p, s + "\n")), "token_malformed"),
    Case("carriage return and newline behind", edited(lambda h, p, s: (h, p, s + "\r\n")),
         "token_malformed"),
    Case("space inside the signature", edited(lambda h, p, s: (h, p, s[:9] + " " + s[9:])),
         "token_malformed"),
    Case("newline inside the header", edited(lambda h, p, s: (h[:9] + "\n" + h[9:], p, s)),
         "token_malformed"),
    Case("Bearer before", edited(lambda h, p, s: ("Bearer " + h, p, s)), "token_malformed"),
    Case("a byte above 127 in the signature", lambda k: signed("hs", "HS256")(k).encode() + b"\xe9",
         "token_malformed"),
    Case("a length no base64 has", edited(lambda h, p, s: (h, p, s[:41])), "token_malformed"),
    Case("unused bits in the header", spoiled_bits(0), "token_malformed"),
    Case("unused bits in the payload", spoiled_bits(1), "token_malformed"),
    Case("unused bits in the signature", spoiled_bits(2), "token_malformed"),

    # JSON
    Case("header is no JSON", header(b"alg=HS256"), "token_malformed"),
    Case("header is an array", header([{"alg": "HS256"}]), "token_malformed"),
    Case("header is a string", header(b'"HS256"'), "token_malformed"),
    Case("header with a duplicate alg", header(b'{"alg":"HS256","alg":"none"}'), "token_malformed"),
    Case("header with a duplicate alg, escaped", header(b'{"alg":"HS256","\\u0061lg":"HS256"}'),
         "token_malformed"),
    Case("header with BOM", header(b'\xef\xbb\xbf{"alg":"HS256"}'), "token_malformed"),
    Case("header with bytes behind", header(b'{"alg":"HS256"}x'), "token_malformed"),
    Case("header with a NUL byte behind", header(b'{"alg":"HS256"}\0'), "token_malformed"),
    Case("header with a comment", header(b'{"alg":"HS256"/*x*/}'), "token_malformed"),
    Case("header with single quotes", header(b"{'alg':'HS256'}"), "token_malformed"),
    Case("header in UTF-16", header('{"alg":"HS256"}'.encode("utf-16-le")), "token_malformed"),
    Case("header nested deeply", header(b'{"alg":"HS256",' + DEEP + b"}"), "token_too_large"),
    Case("payload is no JSON", hs_raw(b"org_id=acme"), "token_malformed"),
    Case("payload is an array", hs_raw(lambda text: b"[" + text + b"]"), "token_malformed"),
    Case("payload is a string", hs_raw(b'"acme"'), "token_malformed"),
    Case("payload is null", hs_raw(b"null"), "token_malformed"),
    Case("payload is a token", hs_raw(lambda text: mint(good_claims(), b"x" * 64).encode()),
         "token_malformed"),
    Case("payload is an empty object", hs_raw(b"{}"), "claim_missing"),
    Case("payload with BOM", hs_raw(lambda text: b"\xef\xbb\xbf" + text), "token_malformed"),
    Case("payload with bytes behind", hs_raw(lambda text: text + b"x"), "token_malformed"),
    Case("payload with a second object behind", hs_raw(lambda text: text + text),
         "token_malformed"),
    Case("payload with a NUL byte behind", hs_raw(lambda text: text + b"\0"), "token_malformed"),
    Case("payload cut short", hs_raw(lambda text: text[:-1]), "token_malformed"),
    Case("payload with a trailing comma", hs_raw(lambda text: text[:-1] + b",}"),
         "token_malformed"),
    Case("payload nested deeply", with_member(DEEP), "token_malformed"),
    Case("payload with NaN", with_member(b'"x":NaN'), "token_malformed"),
    Case("duplicate org_id", with_member(b'"org_id":"globex"'), "token_malformed"),
    Case("duplicate org_id, escaped", with_member(b'"org\\u005fid":"globex"'), "token_malformed"),
    Case("duplicate exp", with_member(b'"exp":9999999999'), "token_malformed"),
    Case("duplicate of the same value", with_member(b'"sub":"ada"'), "token_malformed"),
    Case("duplicate inside another claim", with_member(b'"x":{"a":1,"a":1}'), "token_malformed"),
    Case("invalid UTF-8 in a claim", with_member(b'"x":"\xff"'), "token_malformed"),
    Case("overlong UTF-8 in a claim", with_member(b'"x":"\xc0\xaf"'), "token_malformed"),
    Case("UTF-8 surrogate in a claim", with_member(b'"x":"\xed\xa0\x80"'), "token_malformed"),
    Case("lone surrogate escape in a claim", with_member(b'"x":"\\ud800"'), "token_malformed"),
    Case("raw newline in a string", with_member(b'"x":"a\nb"'), "token_malformed"),
    Case("NUL escape in an unrelated claim", with_member(b'"x":"\\u0000"'), "token_malformed"),
    Case("NUL escape in a claim's name", with_member(b'"x\\u0000":1'), "token_malformed"),

    # exp, nbf, iat
    Case("exp missing", hs(exp=None), "claim_missing"),
    Case("exp string", hs(exp=str(now() + 300)), "claim_invalid"),
    Case("exp null", without("exp", b'"exp":null'), "claim_invalid"),
    Case("exp true", hs(exp=True), "claim_invalid"),
    Case("exp array", hs(exp=[now() + 300]), "claim_invalid"),
    Case("exp object", hs(exp={"$date": now() + 300}), "claim_invalid"),
    Case("exp 1e400", without("exp", b'"exp":1e400'), "claim_invalid"),
    Case("exp 1e300", without("exp", b'"exp":1e300'), "claim_invalid"),
    Case("exp beyond 64 bits", without("exp", b'"exp":99999999999999999999'), "claim_invalid"),
    Case("exp the largest 64-bit integer", without("exp", b'"exp":9223372036854775807'),
         "claim_invalid"),
    Case("exp negative", hs(exp=-1), "token_expired"),
    Case("exp 0", hs(exp=0), "token_expired"),
    Case("exp past beyond the leeway", lambda k: hs(exp=now() - 31)(k), "token_expired"),
    Case("exp long past", hs(exp=1), "token_expired"),
    Case("exp past within the leeway", lambda k: hs(exp=now() - 5)(k)),
    Case("exp past, no leeway", lambda k: hs(exp=now() - 1)(k), "token_expired", "strict"),
    # The plugin reads the coarse clock, which may be some milliseconds behind.
    Case("exp now, no leeway", lambda k: hs(exp=int(time.time() - 0.05))(k), "token_expired",
         "strict"),
    Case("exp with a fraction", lambda k: hs(exp=now() + 60.5)(k)),
    Case("exp with an exponent", without("exp", b'"exp":9e9')),
    Case("exp in milliseconds", lambda k: hs(exp=(now() + 300) * 1000)(k), "claim_invalid"),
    Case("exp in other case", without("exp", b'"EXP":9999999999'), "claim_missing"),
    Case("nbf past", lambda k: hs(nbf=now() - 60)(k)),
    Case("nbf future within the leeway", lambda k: hs(nbf=now() + 20)(k)),
    Case("nbf future beyond the leeway", lambda k: hs(nbf=now() + 60)(k), "token_not_yet_valid"),
    Case("nbf future, no leeway", lambda k: hs(nbf=now() + 30)(k), "token_not_yet_valid", "strict"),
    Case("nbf string", hs(nbf="0"), "claim_invalid"),
    Case("nbf null", without("nbf", b'"nbf":null'), "claim_invalid"),
    Case("nbf false", hs(nbf=False), "claim_invalid"),
    Case("nbf 1e400", with_member(b'"nbf":1e400'), "claim_invalid"),
    Case("iat string", hs(iat="now"), "claim_invalid"),
    Case("iat missing", hs(iat=None)),

    # iss, aud
    Case("iss missing", hs(iss=None), "claim_missing"),
    Case("iss of another", hs(iss="https://evil.example"), "issuer_mismatch"),
    Case("iss with a slash more", hs(iss=ISSUER + "/"), "issuer_mismatch"),
    Case("iss cut short", hs(iss=ISSUER[:-1]), "issuer_mismatch"),
    Case("iss in other case", hs(iss=ISSUER.upper()), "issuer_mismatch"),
    Case("iss empty", hs(iss=""), "issuer_mismatch"),
    Case("iss number", hs(iss=1), "claim_invalid"),
    Case("iss array", hs(iss=[ISSUER]), "claim_invalid"),
    Case("iss null", without("iss", b'"iss":null'), "claim_invalid"),
    Case("iss the second that is accepted", hs(iss="https://second.example")),
    Case("iss anything where none is configured", hs(iss="https://evil.example"), GOOD, "named"),
    Case("aud missing", hs(aud=None), "claim_missing"),
    Case("aud of another", hs(aud="someone-else"), "audience_mismatch"),
    Case("aud with more behind", hs(aud=AUDIENCE + "2"), "audience_mismatch"),
    Case("aud two in one string", hs(aud="other " + AUDIENCE), "audience_mismatch"),
    Case("aud array with a match", hs(aud=["other", AUDIENCE])),
    Case("aud array without a match", hs(aud=["other", "another"]), "audience_mismatch"),
    Case("aud array empty", hs(aud=[]), "audience_mismatch"),
    Case("aud array with a number", hs(aud=["other", 7]), "claim_invalid"),
    Case("aud number", hs(aud=7), "claim_invalid"),
    Case("aud object", hs(aud={AUDIENCE: 1}), "claim_invalid"),
    Case("aud null", without("aud", b'"aud":null'), "claim_invalid"),

    # The organization claim
    Case("org missing", hs(org_id=None), "claim_missing"),
    Case("org in other case", hs(org_id=None, ORG_ID="acme"), "claim_missing"),
    Case("org null", without("org_id", b'"org_id":null'), "claim_invalid"),
    Case("org number", hs(org_id=10), "claim_invalid"),
    Case("org true", hs(org_id=True), "claim_invalid"),
    Case("org +", hs(org_id="+"), "org_invalid"),
    Case("org #", hs(org_id="#"), "org_invalid"),
    Case("org a/b", hs(org_id="a/b"), "org_invalid"),
    Case("org acme/#", hs(org_id="acme/#"), "org_invalid"),
    Case("org a+", hs(org_id="a+"), "org_invalid"),
    Case("org a#", hs(org_id="a#"), "org_invalid"),
    Case("org /", hs(org_id="/"), "org_invalid"),
    Case("org $SYS", hs(org_id="$SYS"), "org_invalid"),
    Case("org $", hs(org_id="$"), "org_invalid"),
    Case("org with $ inside", hs(org_id="a$b"), org="a$b"),
    Case("org empty", hs(org_id=""), "org_invalid"),
    Case("org space", hs(org_id=" "), "org_invalid"),
    Case("org with a space", hs(org_id="ac me"), "org_invalid"),
    Case("org with a space behind", hs(org_id="acme "), "org_invalid"),
    Case("org with a tab", hs(org_id="ac\tme"), "org_invalid"),
    Case("org with a newline", hs(org_id="acme\n"), "org_invalid"),
    Case("org with a no-break space", hs(org_id="ac\u00a0me"), "org_invalid"),
    Case("org with an ideographic space", hs(org_id="ac\u3000me"), "org_invalid"),
    Case("org with a line separator", hs(org_id="ac\u2028me"), "org_invalid"),
    Case("org with NUL", without("org_id", b'"org_id":"acme\\u0000"'), "token_malformed"),
    Case("org with NUL and another behind", without("org_id", b'"org_id":"acme\\u0000globex"'),
         "token_malformed"),
    Case("org with a control character", hs(org_id="ac\u0001me"), "org_invalid"),
    Case("org with DEL", hs(org_id="ac\u007fme"), "org_invalid"),
    Case("org with a C1 control character", hs(org_id="ac\u0085me"), "org_invalid"),
    Case("org with invalid UTF-8", without("org_id", b'"org_id":"ac\xffme"'), "token_malformed"),
    Case("org of 128 bytes", hs(org_id=LONG), org=LONG),
    Case("org of 129 bytes", hs(org_id=LONG + "o"), "org_invalid"),
    Case("org of 32 characters and 128 bytes", hs(org_id=EMOJI_ORG), org=EMOJI_ORG),
    Case("org of 33 characters and 132 bytes", hs(org_id=EMOJI_ORG + EMOJI_ORG[:1]), "org_invalid"),
    Case("org {org}", hs(org_id="{org}"), org="{org}"),
    Case("org array", hs(org_id=["acme", "initech"]), org="initech"),
    Case("org array of 64", hs(org_id=orgs(64)), org="org-63"),
    Case("org array of 65", hs(org_id=orgs(65)), "too_many_orgs"),
    Case("org array of 1000", hs(org_id=orgs(1000)), "too_many_orgs"),
    Case("org array empty", hs(org_id=[]), "org_invalid"),
    Case("org array of invalid ones", hs(org_id=["+", "#", "a/b", "$SYS", ""]), "org_invalid"),
    Case("org array keeps the valid ones", hs(org_id=["+", "acme", "#"]), not_org="+"),
    Case("org array with a number", hs(org_id=["acme", 7]), "claim_invalid"),
    Case("org array with null", hs(org_id=["acme", None]), "claim_invalid"),
    Case("org array nested", hs(org_id=[["acme"]]), "claim_invalid"),
    Case("org object's keys", hs(org_id={"acme": {"id": "1"}, "initech": {}}), org="initech"),
    Case("org object of 65 keys", hs(org_id={name: {} for name in orgs(65)}), "too_many_orgs"),
    Case("org object empty", hs(org_id={}), "org_invalid"),
    Case("org object's values do not count", hs(org_id={"acme": "globex"})),
    Case("org of a service may be missing", hs(org_id=None, scope="orgcast:any-org"), org="initech",
         not_org=""),
    Case("org of a service, scope in other case", hs(org_id=None, scope="ORGCAST:any-org"),
         "claim_missing"),
    Case("org of a service, scope with more behind", hs(org_id=None, scope="orgcast:any-org2"),
         "claim_missing"),
    Case("org of a service, scope across an escape",
         hs(org_id=None, scope="orgcast:any\u2010org"), "claim_missing"),

    # The username and scope claims
    Case("sub missing", hs(sub=None), "claim_missing"),
    Case("sub number", hs(sub=7), "claim_invalid"),
    Case("sub null", without("sub", b'"sub":null'), "claim_invalid"),
    Case("sub array", hs(sub=["ada"]), "claim_invalid"),
    Case("sub empty", hs(sub=""), "claim_invalid"),
    Case("sub with a newline", hs(sub="ada\norgcast: refused"), "claim_invalid"),
    Case("sub with a control character", hs(sub="ada\u0007"), "claim_invalid"),
    Case("sub with NUL", without("sub", b'"sub":"ada\\u0000"'), "token_malformed"),
    Case("sub with spaces and quotes", hs(sub="Ada 'the Countess' Lovelace")),
    Case("sub too long", hs(sub="a" * 513), "claim_invalid"),
    Case("scope string", hs(scope="openid invoices:publish email")),
    Case("scope array", hs(scope=["openid", "invoices:publish"])),
    Case("scope empty", hs(scope="")),
    Case("scope number", hs(scope=7), "claim_invalid"),
    Case("scope null", without("scope", b'"scope":null'), "claim_invalid"),
    Case("scope object", hs(scope={"invoices:publish": True}), "claim_invalid"),
    Case("scope array with a number", hs(scope=["openid", 7]), "claim_invalid"),

    # Claims elsewhere (RFC 6901 pointers)
    Case("claims at pointers", hs(sub=None, org_id=None, scp=["any"], email="ada@acme.example",
                                  **{"https://acme.example/tenants": {"a~b": ["acme"]}}),
         GOOD, "pointers"),
    Case("claims at pointers, none there", hs(email="ada@acme.example"), "claim_missing", "pointers"),
    Case("claims at pointers, username elsewhere",
         hs(**{"https://acme.example/tenants": {"a~b": ["acme"]}}), "claim_missing", "pointers"),
    Case("claims at pointers, through a string",
         hs(email="ada@acme.example", **{"https://acme.example/tenants": "a~b"}), "claim_missing",
         "pointers"),

    # Sizes, and no token at all
    Case("token of one byte too many", sized(16385), "token_too_large"),
    Case("token of 20,000 bytes", hs(pad="x" * 14800), "token_too_large"),
    Case("token of 65,000 bytes", hs(pad="x" * 48500), "token_too_large"),
    Case("20,000 bytes of no token", lambda k: "." * 20000, "token_too_large"),
    Case("password empty", lambda k: "", "token_missing"),
    Case("no password", lambda k: None, "token_missing"),
]

by_version = pytest.mark.parametrize("version", VERSIONS, ids=VERSION_NAMES.get)


@pytest.fixture(scope="module")
def pool(keys, key_folder, tmp_path_factory):
    def key(name, kid=None):
        path = keys.write(key_folder, name)
        if name.startswith("hs"):
            return ("jwt_secret_file", path)
        return ("jwt_public_key_file", f"{kid}={path}" if kid else path)

    main = [key("hs"), key("rsa"), key("p256"), key("p384"), key("p521", "ec-521"),
            key("ed25519", "ed")]
    pool = BrokerPool(tmp_path_factory.mktemp("tokens"), {
        "main": {"options": main + [("jwt_issuer", ISSUER), ("jwt_issuer", "https://second.example"),
                                    ("jwt_audience", "elsewhere"), ("jwt_audience", AUDIENCE)]},
        "named": {"options": [key("rsa", "r1"), key("rsa:2", "r2"), key("p256", "ec"),
                              key("p384", "ec-384"), key("hs")]},
        "rsa": {"options": [key("rsa"), ("jwt_algorithms", "RS256")]},
        "strict": {"options": [key("hs"), ("jwt_leeway", "0")]},
        "pointers": {"options": [key("hs"), ("username_claim", "/email"), ("scope_claim", "/scp"),
                                 ("org_claim", "/https:~1~1acme.example~1tenants/a~0b")]},
    })
    yield pool
    pool.stop()


def nothing_of(token, log):
    """Asserts that no piece of the token's payload or signature, encoded or not, is in the log."""
    text = token.decode("latin-1") if isinstance(token, bytes) else token or ""
    segments = text.split(".")
    for segment in segments[1:] if len(segments) > 2 else segments:
        for at in range(0, max(len(segment) - 12, 1), 6):
            piece = segment[at:at + 12]
            assert len(piece) < 8 or piece not in log, f"{piece!r} is in the log"
    for canary in ("canary-4b1d0c2e", "evil.example", "someone-else", "xxxxxxxx"):
        assert canary not in log


@by_version
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_token(case, version, pool, keys):
    token = case.token(keys)
    broker = pool.get(case.broker)
    mark = broker.mark()
    client_id = f"case-{CASES.index(case)}-{version}"
    with Client(broker, version) as client:
        answer = client.connect(client_id, token, username="ignored")
        if case.expected is GOOD:
            assert answer.code == 0, broker.log(mark)
            assert client.subscribe(f"org/{case.org}/invoices/#") == [0]
            if case.not_org and version != V31:  # whose SUBACK has no code for a refusal
                assert client.subscribe(f"org/{case.not_org}/invoices/#")[0] >= 0x80
            client.ping()
        else:
            assert answer.code == (NOT_AUTHORIZED if version == V5 else 5), broker.log(mark)
            client.wait_closed()
            reason, _ = broker.refusal(client_id, mark)
            assert reason == case.expected
    log = broker.log(mark)
    assert len(re.findall(rf"(?m)^orgcast: refused client '{re.escape(client_id)}'", log)) == \
        (0 if case.expected is GOOD else 1), log
    nothing_of(token, log)


@by_version
def test_neither_username_nor_password(version, pool):
    broker = pool.get("main")
    with Client(broker, version) as client:
        answer = client.connect(f"bare-{version}", None, username=None)
        assert answer.code == (NOT_AUTHORIZED if version == V5 else 5)
    assert broker.refusal(f"bare-{version}")[0] == "token_missing"


def test_password_without_username_is_enough_in_mqtt_5(pool, keys):
    with Client(pool.get("main", 0), V5) as client:
        assert client.connect("nameless", hs()(keys), username=None).code == 0
        client.ping()


@by_version
def test_username_of_the_packet_is_replaced_by_the_claim(version, pool, keys):
    broker = pool.get("main", 0)
    with Client(broker, version) as client:
        mark = broker.mark()
        assert client.connect(f"named-{version}", hs(sub="grace")(keys), username="root").code == 0
        broker.wait_log(rf"New client connected from \S+ as named-{version} .*u'grace'", mark)
        assert "u'root'" not in broker.log(mark)


@by_version
def test_a_token_behind_a_nul_is_not_read(version, pool, keys):
    """Before Mosquitto 2.1.3 a plugin sees the password up to its first NUL only."""
    broker = pool.get("main")
    with Client(broker, version) as client:
        answer = client.connect(f"nul-{version}", b"\0" + hs()(keys).encode())
        assert answer.code == (NOT_AUTHORIZED if version == V5 else 5)
    assert broker.refusal(f"nul-{version}")[0] in ("token_missing", "token_malformed")


def test_an_authentication_method_is_no_way_around(pool, keys):
    broker = pool.get("main")
    for method, data in (("JWT", hs(org_id=None)(keys)), ("PLAIN", "\0root\0root"), ("", "")):
        with Client(broker, V5) as client:
            answer = client.connect("method", None, username=None,
                                    props={"auth_method": method, "auth_data": data})
            assert answer.code >= 0x80


def test_size_of_the_table():
    """Names tell cases apart, and the table does not shrink unnoticed."""
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) and len(names) >= 250

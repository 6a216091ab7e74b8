#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes opinions.json: tokens, what we say to each, and what libjwt 1.10.2's jwt_decode() says.

The verdicts are written down here, not asked for: tests/unit/test_opinions.c asks. Needs Debian's
python3-cryptography. ECDSA and PSS are random, so their bytes differ from run to run."""
import json

import signing
from signing import b64url, unb64url

NOW = 1795600000
RULES = {
    "now_s": NOW, "leeway_s": 30, "max_lifetime_s": 86400, "max_bytes": 4096, "max_orgs": 3,
    "issuer": "https://id.acme.example", "audience": "events", "org_claim": "/org_id",
    "scope_claim": "/scope", "username_claim": "/sub", "any_org_scope": "orgcast:any-org",
}
CLAIMS = {"iss": RULES["issuer"], "aud": RULES["audience"], "sub": "ada", "org_id": "acme",
          "iat": NOW - 60, "exp": NOW + 600}
KEY_OF = {"HS": "secret", "RS": "rsa", "PS": "rsa", "Ed": "ed25519"}
CURVE_OF = {"ES256": "p256", "ES384": "p384", "ES512": "p521"}

NO_ALG = "libjwt 1.10 knows neither PS nor EdDSA"
DECODES_ONLY = "jwt_decode() checks form and signature; what the claims say is left to the caller"
LENIENT_BASE64 = "libjwt decodes base64 of either alphabet and skips every character that is none"

LEFT_OUT = ("tokens with an empty header or claims, and an empty signature under RS256 or ES256: to decode nothing, "
            "libjwt 1.10.2 writes a byte behind an allocation of none; test_tokens.c and signatures.json have them for us")

cases = []


def key_for(alg):
    return CURVE_OF.get(alg) or KEY_OF[alg[:2]]


def segment(value):
    """JSON if it is not bytes yet."""
    return b64url(value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode())


def token(alg="RS256", header=None, claims=None, key=None, sign=None):
    """Signed by key with sign, which is alg if nothing else is said."""
    key = key or key_for(sign or alg)
    header = {"alg": alg, "typ": "JWT", "kid": key} if header is None else header
    text = segment(header) + "." + segment(CLAIMS if claims is None else claims)
    return text + "." + b64url(signing.signature(sign or alg, key, text.encode()))


def case(name, text, ours, libjwt, why=None, keys=("rsa",)):
    """keys: what the broker has; the first of them is libjwt's."""
    entry = {"name": name, "keys": list(keys), "token": text, "ours": ours, "libjwt": libjwt}
    if why:
        entry["why"] = why
    cases.append(entry)


def without(name):
    return {claim: value for claim, value in CLAIMS.items() if claim != name}


def resigned(text, change):
    """The token with other signature bytes."""
    head, _, signature = text.rpartition(".")
    return head + "." + b64url(change(unb64url(signature)))


def good_ones():
    for alg in ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"):
        case(f"good: {alg}", token(alg), "ok", "ok", keys=[key_for(alg)])
    for alg in ("PS256", "PS384", "PS512", "EdDSA"):
        case(f"good: {alg}", token(alg), "ok", "refused", NO_ALG, keys=[key_for(alg)])
    case("good: Ed25519, RFC 9864's name of EdDSA", token(header={"alg": "Ed25519", "kid": "ed25519"}, sign="EdDSA"),
         "ok", "refused", NO_ALG, keys=["ed25519"])
    case("good: no kid", token(header={"alg": "RS256"}), "ok", "ok")
    case("good: members in the header that nobody needs",
         token(header={"alg": "RS256", "cty": "x", "x5t": "x", "jku": "https://globex.example/keys"}), "ok", "ok")
    case("good: no typ", token(header={"alg": "RS256", "kid": "rsa"}), "ok", "ok")
    case("good: typ in small letters", token(header={"alg": "RS256", "typ": "jwt"}), "ok", "ok")
    case("good: white space in the JSON", token(header=b' {"alg" : "RS256"}\n', claims=json.dumps(CLAIMS).encode()),
         "ok", "ok")
    why = "libjwt wants the typ JWT; access tokens of RFC 9068 have at+jwt, and RFC 7519 §5.1 leaves it to the application"
    case("good: typ at+jwt", token(header={"alg": "RS256", "typ": "at+jwt"}), "ok", "refused", why)
    case("good: typ JOSE", token(header={"alg": "RS256", "typ": "JOSE"}), "ok", "refused", why)


def signatures():
    def bad(name, text, libjwt="refused", why=None, keys=("rsa",)):
        case(f"signature: {name}", text, "signature_invalid", libjwt, why, keys)

    bad("HS256 of another secret", token("HS256", {"alg": "HS256"}, key="secret-short"), keys=["secret"])
    bad("RS256 of another key", token(header={"alg": "RS256"}, key="rsa-other"))
    bad("ES256 of another key", token("ES256", {"alg": "ES256"}, key="p256-other"), keys=["p256"])
    bad("RS256, a bit of it", resigned(token(), lambda s: s[:-1] + bytes([s[-1] ^ 1])))
    bad("ES256, a bit of it", resigned(token("ES256"), lambda s: s[:-1] + bytes([s[-1] ^ 1])), keys=["p256"])
    bad("HS256, a bit of it", resigned(token("HS256"), lambda s: s[:-1] + bytes([s[-1] ^ 1])), keys=["secret"])
    for alg in ("HS256", "RS256", "ES256"):
        keys = [key_for(alg)]
        bad(f"{alg}, a byte short", resigned(token(alg), lambda s: s[:-1]), keys=keys)
        bad(f"{alg}, a byte long", resigned(token(alg), lambda s: s + b"\0"), keys=keys)
    bad("HS256, none", token("HS256").rpartition(".")[0] + ".", keys=["secret"])
    bad("ES256 as DER", resigned(token("ES256"), lambda s: signing.utils.encode_dss_signature(
        int.from_bytes(s[:32], "big"), int.from_bytes(s[32:], "big"))), keys=["p256"])
    bad("ES256, r = s = 0", resigned(token("ES256"), lambda s: bytes(64)), keys=["p256"])
    bad("ES256, r and s exchanged", resigned(token("ES256"), lambda s: s[32:] + s[:32]), keys=["p256"])
    bad("RS256 all zero", resigned(token(), lambda s: bytes(len(s))))
    bad("PSS named RS256", token("RS256", sign="PS256"))
    bad("RS256 named RS512", token("RS512", sign="RS256"))
    bad("HS256 named HS512", token("HS512", sign="HS256"), keys=["secret"])
    head, payload, signature = token().split(".")
    bad("claims exchanged", f"{head}.{segment({**CLAIMS, 'org_id': 'globex'})}.{signature}")
    bad("header exchanged", f"{segment({'alg': 'RS256', 'kid': 'rsa', 'x': 1})}.{payload}.{signature}")
    bad("by a key in the header", token(header={"alg": "RS256", "jwk": signing.public_jwk("rsa-other")}, key="rsa-other"))


def algorithms():
    def bad(name, text, libjwt="refused", why=None, keys=("rsa",), ours="alg_not_allowed"):
        case(f"alg: {name}", text, ours, libjwt, why, keys)

    unsigned = segment({"alg": "none"}) + "." + segment(CLAIMS) + "."
    bad("none", unsigned)
    bad("none, signed", token(header={"alg": "none"}))
    bad("None", segment({"alg": "None"}) + "." + segment(CLAIMS) + ".")
    bad("nOnE without typ or kid, for a secret", segment({"alg": "nOnE"}) + "." + segment(CLAIMS) + ".", keys=["secret"])
    any_case = "alg is case-sensitive, RFC 7515 §4.1.1; libjwt compares without"
    bad("rs256", token(header={"alg": "rs256"}), "ok", any_case)
    bad("Hs256", token("HS256", {"alg": "Hs256"}), "ok", any_case, keys=["secret"])
    bad("missing", token(header={"typ": "JWT"}))
    bad("a number", token(header={"alg": 256}))
    bad("empty", token(header={"alg": ""}))
    bad("with a space behind it", token(header={"alg": "RS256 "}))
    bad("ES256K", token("ES256", {"alg": "ES256K"}), keys=["p256"])

    head = segment({"alg": "HS256", "typ": "JWT"}) + "." + segment(CLAIMS)
    pem = signing.public_pem("rsa")
    bad("HS256 with the public key as secret", head + "." + b64url(signing.hmac_of("HS256", pem, head.encode())), "ok",
        "the classic confusion: for libjwt a key is bytes that any alg may use; here a public key checks no HMAC")
    bad("HS256 for an RSA key", token("HS256", {"alg": "HS256"}))
    bad("RS256 for a secret", token(header={"alg": "RS256"}), keys=["secret"])
    bad("RS256 for a P-256 key", token(header={"alg": "RS256"}), keys=["p256"])
    bad("ES256 for an RSA key", token("ES256", {"alg": "ES256"}))
    curve = "an ES algorithm fixes its curve, RFC 7518 §3.4; libjwt takes the hash with any curve"
    for alg, key in (("ES384", "p256"), ("ES512", "p256"), ("ES256", "p384")):
        size = signing.COORDINATE[signing.PRIVATE[key]["crv"]]
        text = segment({"alg": alg}) + "." + segment(CLAIMS)
        signature = signing.raw(*signing.ecdsa(alg, key, text.encode()), size)
        bad(f"{alg} of a {signing.PRIVATE[key]['crv']} key", text + "." + b64url(signature), "ok", curve, keys=[key])
    bad("HS512 with 40 bytes of secret", token("HS512", {"alg": "HS512"}, key="secret-short"), "ok",
        "the secret must be as long as the hash, RFC 7518 §3.2; libjwt takes any", keys=["secret-short"])
    case("alg: HS256 with 40 bytes of secret", token("HS256", {"alg": "HS256"}, key="secret-short"), "ok", "ok",
         keys=["secret-short"])


def headers():
    why = "libjwt does not look at {}"
    case("header: crit", token(header={"alg": "RS256", "crit": ["exp"], "exp": 1}), "token_malformed", "ok",
         "an extension that must be understood and is not, RFC 7515 §4.1.11; libjwt does not look at it")
    case("header: empty crit", token(header={"alg": "RS256", "crit": []}), "token_malformed", "ok", why.format("crit"))
    case("header: b64", token(header={"alg": "RS256", "b64": True}), "token_malformed", "ok", why.format("b64, RFC 7797"))
    case("header: kid of no key", token(header={"alg": "RS256", "kid": "other"}), "key_unknown", "ok", why.format("kid"))
    case("header: kid of a key of another type", token(header={"alg": "RS256", "kid": "p256"}), "alg_not_allowed", "ok",
         why.format("kid, which names a P-256 key here"), keys=["rsa", "p256"])
    case("header: kid of a key that did not sign", token(header={"alg": "RS256", "kid": "rsa-other"}),
         "signature_invalid", "ok", why.format("kid"), keys=["rsa", "rsa-other"])
    case("header: no kid and two keys that fit", token(header={"alg": "RS256"}), "key_unknown", "ok",
         "which key signed must be said; libjwt has one only", keys=["rsa", "rsa-other"])
    case("header: kid is a number", token(header={"alg": "RS256", "kid": 1}), "token_malformed", "ok", why.format("kid"))
    case("header: alg twice", token(header=b'{"alg":"RS256","alg":"RS256"}'), "token_malformed", "ok",
         "members are unique, RFC 7515 §4; libjwt takes the last")
    case("header: an array", token(header=b'["RS256"]'), "token_malformed", "refused")
    case("header: no JSON", token(header=b"RS256"), "token_malformed", "refused")
    case("header: bytes behind it", token(header=b'{"alg":"RS256"}x'), "token_malformed", "refused")
    case("header: invalid UTF-8", token(header=b'{"alg":"RS256","x":"\xff"}'), "token_malformed", "refused")
    case("header: half an object", token(header=b'{"alg":"RS256"'), "token_malformed", "refused")


def forms():
    good = token()
    head, payload, signature = good.split(".")

    def bad(name, text, libjwt="refused", why=None, keys=("rsa",), ours="token_malformed"):
        case(f"form: {name}", text, ours, libjwt, why, keys)

    bad("nothing", "", ours="token_missing")
    bad("one segment", head)
    bad("two segments", f"{head}.{payload}")
    bad("four segments", good + ".x")
    bad("four segments, the last one empty", good + ".", "ok", LENIENT_BASE64)
    bad("four segments, HS256", token("HS256") + ".x", keys=["secret"])
    bad("a newline behind it", good + "\n", "ok", LENIENT_BASE64)
    bad("a newline behind it, HS256", token("HS256") + "\n", keys=["secret"])
    bad("a space in front", " " + good)
    bad("a space behind the header", f"{head} .{payload}.{signature}")
    bad("padding behind the signature", good + "==", "ok", LENIENT_BASE64)
    bad("other characters in the signature", good[:-9] + "!, \t" + good[-9:], "ok", LENIENT_BASE64)
    text = segment(b'{"alg":"RS256" }') + "==." + payload
    bad("padding behind the header", text + "." + b64url(signing.signature("RS256", "rsa", text.encode())), "ok",
        LENIENT_BASE64)
    while not set("-_") & set(good.split(".")[2]):
        good = token(claims={**CLAIMS, "jti": good[-8:]})
    head, payload, signature = good.split(".")
    bad("the other alphabet in the signature", f"{head}.{payload}.{signature.replace('-', '+').replace('_', '/')}", "ok",
        LENIENT_BASE64)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    loose = signature[:-1] + last[last.index(signature[-1]) | 1]
    assert len(signature) % 4 and loose != signature and unb64url(loose) == unb64url(signature)
    bad("bits of the signature that nobody reads", f"{head}.{payload}.{loose}", "ok",
        "the unused bits must be zero, or one token has many texts (RFC 4648 §3.5); libjwt ignores them")
    bad("longer than jwt_max_bytes", token(claims={**CLAIMS, "x": "x" * 4096}), "ok", "libjwt has no limit",
        ours="token_too_large")


def payloads():
    text = json.dumps(CLAIMS)[1:-1]

    def bad(name, payload, libjwt="refused", why=None):
        case(f"claims: {name}", token(claims=payload), "token_malformed", libjwt, why)

    bad("an array", b"[" + json.dumps(CLAIMS).encode() + b"]", "ok",
        "the claims are an object, RFC 7519 §7.2; libjwt takes any array for one without claims")
    bad("no JSON", b"ada of acme")
    bad("half an object", b"{" + text.encode())
    bad("bytes behind them", b"{" + text.encode() + b"}{}")
    bad("a byte order mark", b"\xef\xbb\xbf{" + text.encode() + b"}")
    bad("invalid UTF-8", b"{" + text.encode() + b',"x":"\xc3"}')
    bad("org_id twice", b"{" + text.encode() + b',"org_id":"globex"}', "ok",
        "names are unique, RFC 7519 §4, or two readers see two organizations; libjwt takes the last")
    bad("a NUL in a string", b"{" + text.encode() + b',"x":"acme\\u0000"}')
    case("claims: a number that no double holds", token(claims=b"{" + text.encode() + b',"x":1e999}'), "ok", "refused",
         "nobody looks at the number; jansson, which libjwt reads with, refuses what overflows")
    bad("40 levels deep", b"{" + text.encode() + b',"x":' + b"[" * 40 + b"]" * 40 + b"}", "ok",
        "deeper than 32 levels is refused before it is parsed; jansson's limit is 2048")


def claims():
    def said(name, ours, changed):
        case(f"claims: {name}", token(claims=changed), ours, "ok", None if ours == "ok" else DECODES_ONLY)

    def changed(name, ours, **other):
        said(name, ours, {**CLAIMS, **other})

    changed("expired", "token_expired", exp=NOW - 30)
    changed("expired, within the leeway", "ok", exp=NOW - 29)
    changed("expired long ago", "token_expired", exp=1)
    said("no exp", "claim_missing", without("exp"))
    changed("exp is a string", "claim_invalid", exp=str(NOW + 600))
    changed("exp is null", "claim_invalid", exp=None)
    changed("exp with a fraction", "ok", exp=NOW + 600.5)
    changed("exp beyond what is exact", "claim_invalid", exp=1e300)
    changed("negative exp", "token_expired", exp=-1)
    changed("nbf ahead", "token_not_yet_valid", nbf=NOW + 31)
    changed("nbf ahead, within the leeway", "ok", nbf=NOW + 30)
    changed("nbf is a string", "claim_invalid", nbf="now")
    changed("lives too long", "token_lifetime", exp=NOW + 86400)
    said("no iat", "claim_missing", without("iat"))
    changed("another issuer", "issuer_mismatch", iss="https://id.globex.example")
    changed("an issuer that goes on", "issuer_mismatch", iss=RULES["issuer"] + "/")
    said("no issuer", "claim_missing", without("iss"))
    changed("iss is an array", "claim_invalid", iss=[RULES["issuer"]])
    changed("another audience", "audience_mismatch", aud="billing")
    changed("an array of audiences, one of them right", "ok", aud=["billing", "events"])
    changed("an array of other audiences", "audience_mismatch", aud=["billing", "Events"])
    changed("an audience that is a number", "claim_invalid", aud=["events", 1])
    said("no audience", "claim_missing", without("aud"))
    said("no subject", "claim_missing", without("sub"))
    changed("an empty subject", "claim_invalid", sub="")
    changed("a subject that is a number", "claim_invalid", sub=17)
    said("no organization", "claim_missing", without("org_id"))
    changed("an organization that is two levels", "org_invalid", org_id="acme/invoices")
    changed("an organization that is a wildcard", "org_invalid", org_id="+")
    changed("organizations as an array", "ok", org_id=["acme", "globex"])
    changed("organizations as an object", "ok", org_id={"acme": {}, "globex": {}})
    changed("an empty array of organizations", "org_invalid", org_id=[])
    changed("more organizations than allowed", "too_many_orgs", org_id=["a", "b", "c", "d"])
    changed("an organization that is a number", "claim_invalid", org_id=17)
    said("no organization, for a backend of all", "ok", {**without("org_id"), "scope": "orgcast:any-org"})
    changed("a scope that is a number", "claim_invalid", scope=1)


def main():
    good_ones()
    signatures()
    algorithms()
    headers()
    forms()
    payloads()
    claims()
    names = sorted({key for c in cases for key in c["keys"]})
    pems = {name: signing.public_pem(name).decode() for name in names if signing.PRIVATE[name]["kty"] != "oct"}
    lines = [
        "{",
        '  "note": "written by make_opinions.py; ours: ok or the reason code, libjwt: what jwt_decode() with the first'
        ' of the keys says, why: where the two disagree",',
        f'  "left_out": {json.dumps(LEFT_OUT)},',
        '  "libjwt": "1.10.2",',
        f'  "rules": {json.dumps(RULES)},',
        '  "keys": {',
        ",\n".join(f"    {json.dumps(name)}: {json.dumps({**signing.public_jwk(name), 'kid': name})}" for name in names),
        "  },",
        '  "pems": {',
        ",\n".join(f"    {json.dumps(name)}: {json.dumps(pem)}" for name, pem in pems.items()),
        "  },",
        '  "cases": [',
        ",\n".join("    " + json.dumps(c, ensure_ascii=False) for c in cases),
        "  ]",
        "}",
    ]
    (signing.HERE / "opinions.json").write_text("\n".join(lines) + "\n")
    agreed = sum((c["ours"] == "ok") == (c["libjwt"] == "ok") for c in cases)
    print(f"{len(cases)} tokens, agreement on {agreed}")


if __name__ == "__main__":
    main()

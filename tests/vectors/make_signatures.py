#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes signatures.json: signatures that are wrong in the ways that Project Wycheproof tries, beside good ones.

Needs Debian's python3-cryptography. ECDSA and PSS are random, so their bytes differ from run to run."""
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils

import signing
from signing import COORDINATE, HASHES, PRIVATE, number, raw, unb64url

INPUT = b"eyJhbGciOiJ4In0.e30"
OTHER_INPUT = b"eyJhbGciOiJ4In0.e31"

# FIPS 186-4 D.1.2: the order and the field's prime of each curve
ORDER = {
    "P-256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "P-384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "P-521": 2**521 - 2**260 + 0xA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
}
PRIME = {
    "P-256": 2**256 - 2**224 + 2**192 + 2**96 - 1,
    "P-384": 2**384 - 2**128 - 2**96 + 2**32 - 1,
    "P-521": 2**521 - 1,
}

# RFC 8032 §5.1
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
ED25519_PRIME = 2**255 - 19
# the y of the points of small order: order 1, 2, 4, and twice 8
SMALL_ORDER = {
    "order 1": "0100000000000000000000000000000000000000000000000000000000000000",
    "order 2": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order 4": "0000000000000000000000000000000000000000000000000000000000000000",
    "order 8": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order 8, the other": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order 1, not reduced": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order 4, not reduced": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

cases = []


def case(name, alg, key, signature, good=False):
    cases.append({"name": f"{alg}: {name}", "alg": alg, "key": key, "signature": signature.hex(), "good": good})


def lengths(alg, key, good):
    """What every algorithm has in common."""
    case("good", alg, key, good, True)
    case("nothing", alg, key, b"")
    case("one byte", alg, key, good[:1])
    case("a byte short", alg, key, good[:-1])
    case("a byte short in front", alg, key, good[1:])
    case("a byte long", alg, key, good + b"\0")
    case("a zero in front", alg, key, b"\0" + good)
    case("half", alg, key, good[: len(good) // 2])
    case("twice", alg, key, good + good)
    case("highest bit", alg, key, bytes([good[0] ^ 0x80]) + good[1:])
    case("lowest bit", alg, key, good[:-1] + bytes([good[-1] ^ 1]))
    case("all zero", alg, key, bytes(len(good)))
    case("all ones", alg, key, b"\xff" * len(good))
    case("of another input", alg, key, signing.signature(alg, key, OTHER_INPUT))


def hmac_cases(alg):
    good = signing.signature(alg, "secret", INPUT)
    lengths(alg, "secret", good)
    case("with the secret and a newline", alg, "secret",
         signing.hmac_of(alg, signing.secret("secret") + b"\n", INPUT))
    case("with an empty secret", alg, "secret", signing.hmac_of(alg, b"", INPUT))
    for other in ("HS256", "HS384", "HS512"):
        if other != alg:
            case(f"{other} of the same secret", alg, "secret", signing.signature(other, "secret", INPUT))


def der(r, s, long_length=False):
    encoded = utils.encode_dss_signature(r, s)
    # BER: the outer length in one byte more than it needs
    return bytes([encoded[0], 0x81]) + encoded[1:] if long_length else encoded


def ecdsa_cases(alg, key, other):
    curve = PRIVATE[key]["crv"]
    size, n, p = COORDINATE[curve], ORDER[curve], PRIME[curve]
    r, s = signing.ecdsa(alg, key, INPUT)
    lengths(alg, key, raw(r, s, size))
    # RFC 7515 does not ask for the smaller of the two, and nothing here is known by its signature.
    case("n - s, as good as s", alg, key, raw(r, n - s, size), True)
    values = {"0": 0, "1": 1, "n - 1": n - 1, "n": n, "n + 1": n + 1, "p": p, "all ones": 2 ** (8 * size) - 1}
    for name, value in values.items():
        case(f"r = {name}", alg, key, raw(value, s, size))
        case(f"s = {name}", alg, key, raw(r, value, size))
        case(f"r = s = {name}", alg, key, raw(value, value, size))
    case("r = 0, s = 1", alg, key, raw(0, 1, size))
    case("r = 1, s = 0", alg, key, raw(1, 0, size))
    for name, value in (("r + n", r + n), ("s + n", s + n)):
        if value < 2 ** (8 * size):
            case(name, alg, key, raw(value, s, size) if name[0] == "r" else raw(r, value, size))
    if 2 ** (8 * size) > 2 * 2 ** n.bit_length():
        case("a high bit of r that the curve has not", alg, key, raw(r | 1 << (8 * size - 1), s, size))
        case("a high bit of s that the curve has not", alg, key, raw(r, s | 1 << (8 * size - 1), size))
    case("s before r", alg, key, raw(s, r, size))
    case("n - r", alg, key, raw(n - r, s, size))
    case("halves a byte wider", alg, key, raw(r, s, size + 1))
    case("DER", alg, key, der(r, s))
    case("DER, padded to the raw length", alg, key, der(r, s).ljust(2 * size, b"\0")[: 2 * size])
    case("BER", alg, key, der(r, s, True))
    case("DER of a zero r", alg, key, der(0, s))
    case("of another key", alg, key, signing.signature(alg, other, INPUT) if other else raw(s, s, size))
    for bits in ("256", "384", "512"):
        if bits != alg[2:]:
            wrong = utils.decode_dss_signature(signing.private_key(key).sign(INPUT, signing.ec.ECDSA(HASHES[bits])))
            case(f"over SHA-{bits}", alg, key, raw(*wrong, size))


def rsa_private(key, block):
    """The block, raised to the private exponent."""
    jwk = PRIVATE[key]
    size = len(unb64url(jwk["n"]))
    assert len(block) == size
    return pow(int.from_bytes(block, "big"), number(jwk["d"]), number(jwk["n"])).to_bytes(size, "big")


# RFC 8017 §9.2, the notes: DigestInfo before the hash
DIGEST_INFO = {
    "256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "512": bytes.fromhex("3051300d060960864801650304020305000440"),
}


def digest(bits, data):
    context = hashes.Hash(HASHES[bits])
    context.update(data)
    return context.finalize()


def pkcs1_cases(alg, key, other):
    bits = alg[2:]
    size = len(unb64url(PRIVATE[key]["n"]))
    n = number(PRIVATE[key]["n"])
    hashed = digest(bits, INPUT)
    info = DIGEST_INFO[bits] + hashed
    good = signing.signature(alg, key, INPUT)
    fill = size - 3 - len(info)
    assert rsa_private(key, b"\0\1" + b"\xff" * fill + b"\0" + info) == good
    lengths(alg, key, good)

    def padded(name, block):
        case(name, alg, key, rsa_private(key, block.ljust(size, b"\0")[:size]))

    padded("garbage behind the digest, Bleichenbacher's", b"\0\1" + b"\xff" * 8 + b"\0" + info + b"\x5a" * (fill - 8))
    padded("zeros behind the digest", b"\0\1" + b"\xff" * 8 + b"\0" + info)
    padded("garbage in the padding", b"\0\1" + b"\xff" * (fill - 1) + b"\xfe" + b"\0" + info)
    padded("seven bytes of padding", b"\0\1" + b"\xff" * 7 + b"\0" + info + b"\xff" * (fill - 7))
    padded("no zero behind the padding", b"\0\1" + b"\xff" * (fill + 1) + info)
    padded("block type 0", b"\0\0" + b"\0" * fill + b"\0" + info)
    padded("block type 2", b"\0\2" + b"\xff" * fill + b"\0" + info)
    padded("the digest alone", b"\0\1" + b"\xff" * (size - 3 - len(hashed)) + b"\0" + hashed)
    no_null = bytes([info[0], info[1] - 2, info[2], info[3] - 2]) + info[4:15] + info[17:]
    padded("no NULL parameter", b"\0\1" + b"\xff" * (fill + 2) + b"\0" + no_null)
    long_length = bytes([0x30, 0x81]) + info[1:]
    padded("BER", b"\0\1" + b"\xff" * (fill - 1) + b"\0" + long_length)
    trailing = bytes([info[0], info[1] + 2]) + info[2:] + b"\5\0"
    padded("a NULL behind the digest", b"\0\1" + b"\xff" * (fill - 2) + b"\0" + trailing)
    for wrong in ("256", "384", "512"):
        if wrong != bits:
            case(f"over SHA-{wrong}", alg, key, signing.signature("RS" + wrong, key, INPUT))
            swapped = DIGEST_INFO[wrong][:-1] + bytes([len(hashed)]) + hashed
            padded(f"named SHA-{wrong}", b"\0\1" + b"\xff" * (size - 3 - len(swapped)) + b"\0" + swapped)
    case("PSS", alg, key, signing.pss("PS" + bits, key, INPUT))
    case("of another key", alg, key, signing.signature(alg, other, INPUT))
    numbers_mod_n(alg, key, good, n, size)


def numbers_mod_n(alg, key, good, n, size):
    value = int.from_bytes(good, "big")
    for name, number_of in (("1", 1), ("n - 1", n - 1), ("n", n), ("n minus itself", n - value)):
        case(name, alg, key, number_of.to_bytes(size, "big"))
    if value + n < 2 ** (8 * size):
        case("itself + n", alg, key, (value + n).to_bytes(size, "big"))
    case("itself + n, a byte longer", alg, key, (value + n).to_bytes(size + 1, "big"))


def pss_cases(alg, key, other):
    bits = alg[2:]
    size = len(unb64url(PRIVATE[key]["n"]))
    good = signing.signature(alg, key, INPUT)
    lengths(alg, key, good)
    own = HASHES[bits].digest_size
    # RFC 7518 §3.5: as long as the digest.
    for salt in (0, 8, 20, own - 1, own + 1, size - own - 2):
        case(f"salt of {salt} bytes", alg, key, signing.pss(alg, key, INPUT, salt=salt))
    for wrong in ("256", "384", "512"):
        if wrong != bits:
            case(f"MGF1 with SHA-{wrong}", alg, key, signing.pss(alg, key, INPUT, mgf=HASHES[wrong]))
            case(f"over SHA-{wrong}", alg, key, signing.pss("PS" + wrong, key, INPUT))
            scheme = padding.PSS(padding.MGF1(HASHES[bits]), own)
            case(f"over SHA-{wrong}, else as it should be", alg, key,
                 signing.private_key(key).sign(INPUT, scheme, HASHES[wrong]))
    case("MGF1 with SHA-1", alg, key, signing.pss(alg, key, INPUT, mgf=hashes.SHA1()))
    case("PKCS #1 v1.5", alg, key, signing.signature("RS" + bits, key, INPUT))
    case("of another key", alg, key, signing.signature(alg, other, INPUT))
    numbers_mod_n(alg, key, good, number(PRIVATE[key]["n"]), size)


def eddsa_cases(key, other):
    alg = "EdDSA"
    good = signing.signature(alg, key, INPUT)
    r, s = good[:32], int.from_bytes(good[32:], "little")
    lengths(alg, key, good)

    def with_s(name, value):
        case(name, alg, key, r + value.to_bytes(32, "little"))

    # RFC 8032 §5.1.7: S is below the order, so that nobody can make a second signature of one.
    with_s("S + L", s + ED25519_ORDER)
    with_s("S + 2 L", s + 2 * ED25519_ORDER)
    with_s("S = 0", 0)
    with_s("S = 1", 1)
    with_s("S = L", ED25519_ORDER)
    with_s("S = L - 1", ED25519_ORDER - 1)
    with_s("S = L + 1", ED25519_ORDER + 1)
    with_s("L - S", ED25519_ORDER - s)
    for bit in (253, 254, 255):
        with_s(f"S with bit {bit}", s | 1 << bit)
    with_s("S, the other way round", int.from_bytes(good[32:], "big"))
    for name, y in SMALL_ORDER.items():
        case(f"R of {name}, S = 0", alg, key, bytes.fromhex(y) + bytes(32))
        case(f"R of {name}", alg, key, bytes.fromhex(y) + good[32:])
    case("R with the other sign", alg, key, r[:31] + bytes([r[31] ^ 0x80]) + good[32:])
    case("R not reduced, of 2", alg, key, (ED25519_PRIME + 2).to_bytes(32, "little") + good[32:])
    case("R and S exchanged", alg, key, good[32:] + r)
    case("of another key", alg, key, signing.signature(alg, other, INPUT))


def refused_keys():
    """Keys under which anybody could sign."""
    keys = []
    for name, y in SMALL_ORDER.items():
        encoded = bytes.fromhex(y)
        for sign in (0, 0x80):
            x = encoded[:31] + bytes([encoded[31] | sign])
            keys.append({"name": f"Ed25519 of {name}, sign {sign >> 7}",
                         "jwk": {"kty": "OKP", "crv": "Ed25519", "x": signing.b64url(x)}})
    for exponent in (0, 1, 2, 65536):
        e = signing.b64url(exponent.to_bytes(3, "big").lstrip(b"\0") or b"\0")
        keys.append({"name": f"RSA with e = {exponent}", "jwk": {**signing.public_jwk("rsa"), "e": e}})
    return keys


def main():
    for bits in ("256", "384", "512"):
        hmac_cases("HS" + bits)
        pkcs1_cases("RS" + bits, "rsa", "rsa-other")
        pss_cases("PS" + bits, "rsa", "rsa-other")
    ecdsa_cases("ES256", "p256", "p256-other")
    ecdsa_cases("ES384", "p384", None)
    ecdsa_cases("ES512", "p521", None)
    eddsa_cases("ed25519", "ed25519-other")

    names = sorted({c["key"] for c in cases})
    lines = [
        "{",
        '  "note": "written by make_signatures.py; input is ASCII, signatures are in hexadecimal",',
        f'  "input": {json.dumps(INPUT.decode())},',
        '  "keys": {',
        ",\n".join(f"    {json.dumps(name)}: {json.dumps(signing.public_jwk(name))}" for name in names),
        "  },",
        '  "refused_keys": [',
        ",\n".join("    " + json.dumps(key) for key in refused_keys()),
        "  ],",
        '  "cases": [',
        ",\n".join("    " + json.dumps(c) for c in cases),
        "  ]",
        "}",
    ]
    (signing.HERE / "signatures.json").write_text("\n".join(lines) + "\n")
    print(f"{len(cases)} signatures, {sum(c['good'] for c in cases)} of them good")


if __name__ == "__main__":
    main()

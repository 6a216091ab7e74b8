# SPDX-License-Identifier: MIT
"""Keys and tokens for tests: `mint` makes tokens as an identity provider does, `forge` signs any bytes.

A hostile token is of use only when nothing but the hostile part is wrong with it. So everything here
that is not asked to break the signature signs what it sends with the right key.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVE_BYTES = {"secp256r1": 32, "secp384r1": 48, "secp521r1": 66}


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def to_json(value):
    """Compact JSON text in bytes; bytes are taken as they are."""
    return value if isinstance(value, bytes) else json.dumps(
        value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


class Keys:
    """One key of each kind that a test needs, made on first use. `files(folder)` has them on disk."""

    SECRET = b"sixty-four bytes or more, which is what HS512 wants of a secret key"

    def __init__(self):
        self.made = {}

    def get(self, name):
        """`hs`, `rsa`, `rsa1024`, `p256`, `p384`, `p521`, `ed25519`; with a suffix such as `rsa:2`
        another key of the same kind."""
        if name not in self.made:
            kind = name.split(":")[0]
            if kind == "hs":
                value = self.SECRET if name == "hs" else os.urandom(64)
            elif kind.startswith("rsa"):
                value = rsa.generate_private_key(65537, int(kind[3:] or 2048))
            elif kind == "ed25519":
                value = ed25519.Ed25519PrivateKey.generate()
            else:
                value = ec.generate_private_key(
                    {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1,
                     "k256": ec.SECP256K1}[kind]())
            self.made[name] = value
        return self.made[name]

    def pem(self, name):
        return public_pem(self.get(name))

    def write(self, folder, name):
        """Writes the verifying half (the secret itself for `hs`) and gives its path."""
        path = Path(folder) / (name.replace(":", "-") + (".key" if name.startswith("hs") else ".pem"))
        if not path.exists():
            path.write_bytes(self.get(name) + b"\n" if name.startswith("hs") else self.pem(name))
        return path


def sign(alg, key, data, salt=None):
    """The JWS signature of RFC 7518 for `alg`; `key` is bytes for HS*."""
    family, size = alg[:2], alg[2:]
    if alg == "EdDSA":
        return key.sign(data)
    digest = HASHES[size]()
    if family == "HS":
        return hmac.new(key, data, getattr(hashlib, "sha" + size)).digest()
    if family == "RS":
        return key.sign(data, padding.PKCS1v15(), digest)
    if family == "PS":
        length = digest.digest_size if salt is None else salt
        return key.sign(data, padding.PSS(padding.MGF1(digest), length), digest)
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    width = CURVE_BYTES[key.curve.name]
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def claims(**changes):
    """The claims of an ordinary token of `acme`, with changes; `None` takes a claim out."""
    now = int(time.time())
    out = {"sub": "ada", "org_id": "acme", "iat": now, "exp": now + 300}
    out.update(changes)
    return {name: value for name, value in out.items() if value is not None}


def forge(header, payload, key, alg="HS256", encode=b64url):
    """Signs any header and payload (JSON values, or bytes that are sent as they are)."""
    text = encode(to_json(header)) + "." + encode(to_json(payload))
    return text + "." + encode(sign(alg, key, text.encode()))


def mint(payload, key, alg="HS256", kid=None):
    header = {"alg": alg, "typ": "JWT"}
    if kid is not None:
        header["kid"] = kid
    return forge(header, payload, key, alg)

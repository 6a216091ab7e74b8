# SPDX-License-Identifier: MIT
"""What the scripts that make vectors share: the keys in test-only-keys.json, and signatures as JWS wants them."""
import base64
import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

HERE = pathlib.Path(__file__).parent
PRIVATE = json.loads((HERE / "test-only-keys.json").read_text())["keys"]
COORDINATE = {"P-256": 32, "P-384": 48, "P-521": 66}
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text):
    return int.from_bytes(unb64url(text), "big")


def public_jwk(name):
    """The JWK without its private members; a secret as it is."""
    return {member: value for member, value in PRIVATE[name].items() if member not in ("d", "p", "q", "dp", "dq", "qi")}


def private_key(name):
    jwk = PRIVATE[name]
    if jwk["kty"] == "RSA":
        public = rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"]))
        numbers = (number(jwk[member]) for member in ("p", "q", "d", "dp", "dq", "qi"))
        return rsa.RSAPrivateNumbers(*numbers, public).private_key()
    if jwk["kty"] == "EC":
        return ec.derive_private_key(number(jwk["d"]), CURVES[jwk["crv"]])
    return ed25519.Ed25519PrivateKey.from_private_bytes(unb64url(jwk["d"]))


def public_pem(name):
    return private_key(name).public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def secret(name):
    return unb64url(PRIVATE[name]["k"])


def hmac_of(alg, key, data):
    return hmac.new(key, data, getattr(hashlib, "sha" + alg[2:])).digest()


def ecdsa(alg, name, data):
    """r and s, as two numbers."""
    der = private_key(name).sign(data, ec.ECDSA(HASHES[alg[2:]]))
    return utils.decode_dss_signature(der)


def raw(r, s, coordinate):
    return r.to_bytes(coordinate, "big") + s.to_bytes(coordinate, "big")


def pss(alg, name, data, salt=None, mgf=None):
    digest = HASHES[alg[2:]]
    scheme = padding.PSS(padding.MGF1(mgf or digest), digest.digest_size if salt is None else salt)
    return private_key(name).sign(data, scheme, digest)


def signature(alg, name, data):
    """As RFC 7518 and RFC 8037 want it."""
    if alg.startswith("HS"):
        return hmac_of(alg, secret(name), data)
    if alg.startswith("RS"):
        return private_key(name).sign(data, padding.PKCS1v15(), HASHES[alg[2:]])
    if alg.startswith("PS"):
        return pss(alg, name, data)
    if alg.startswith("ES"):
        return raw(*ecdsa(alg, name, data), COORDINATE[PRIVATE[name]["crv"]])
    return private_key(name).sign(data)

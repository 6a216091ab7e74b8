#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes wycheproof.json: Project Wycheproof's signatures for the algorithms that the verifier supports.

usage: make_wycheproof.py FOLDER

FOLDER is the source of the Rust package "wycheproof", which carries the project's JSON files in src/data:

    cargo init && cargo add wycheproof && cargo vendor     # then: make_wycheproof.py vendor/wycheproof
"""
import base64
import json
import pathlib
import re
import sys

PSS_SALT = {"PS256": 32, "PS384": 48, "PS512": 64}
SIZE_OF = {"256": "SHA-256", "384": "SHA-384", "512": "SHA-512"}
FILES = {
    "HS256": ["hmac_sha256"], "HS384": ["hmac_sha384"], "HS512": ["hmac_sha512"],
    "ES256": ["ecdsa_secp256r1_sha256_p1363"],
    "ES384": ["ecdsa_secp384r1_sha384_p1363"],
    "ES512": ["ecdsa_secp521r1_sha512_p1363"],
    "EdDSA": ["ed25519"],
    "RS256": [f"rsa_signature_{bits}_sha256" for bits in (2048, 3072, 4096)],
    "RS384": [f"rsa_signature_{bits}_sha384" for bits in (2048, 3072, 4096)],
    "RS512": [f"rsa_signature_{bits}_sha512" for bits in (2048, 3072, 4096)],
    "PS256": ["rsa_pss_2048_sha256_mgf1_32", "rsa_pss_3072_sha256_mgf1_32", "rsa_pss_4096_sha256_mgf1_32",
              "rsa_pss_misc"],
    "PS384": ["rsa_pss_2048_sha384_mgf1_48", "rsa_pss_4096_sha384_mgf1_48", "rsa_pss_misc"],
    "PS512": ["rsa_pss_4096_sha512_mgf1_64", "rsa_pss_misc"],
}


def b64url(hexadecimal):
    return base64.urlsafe_b64encode(bytes.fromhex(hexadecimal)).decode().rstrip("=")


def belongs(group, alg):
    """Whether the group's parameters are those that JWS fixes for the algorithm (RFC 7518 §3)."""
    digest = SIZE_OF.get(alg[2:])
    if alg.startswith("HS"):
        return group["tagSize"] == int(alg[2:])
    if alg.startswith("PS"):
        return group["sha"] == group["mgfSha"] == digest and group["sLen"] == PSS_SALT[alg]
    return alg == "EdDSA" or group["sha"] == digest


def rows(group):
    """(key, rows) of a group. Each test of an HMAC has a key of its own."""
    for test in group["tests"]:
        key = test["key"] if "key" in test else group["publicKeyDer"]
        signature = test["tag"] if "tag" in test else test["sig"]
        yield b64url(key), [test["tcId"], test["result"], b64url(test["msg"]), b64url(signature), test["comment"]]


def read(data, alg, name):
    groups = {}
    for group in json.loads((data / f"{name}_test.json").read_text(encoding="utf-8"))["testGroups"]:
        if belongs(group, alg):
            for key, row in rows(group):
                groups.setdefault(key, []).append(row)
    return {"file": name, "alg": alg, "groups": [{"key": key, "tests": tests} for key, tests in groups.items()]}


def write(file, head, sets):
    """One line a test, so that a change of one shows as one."""
    def line(value):
        return json.dumps(value, separators=(",", ":"))

    file.write("{\n" + "".join(f' {line(name)}: {line(value)},\n' for name, value in head.items()) + ' "sets": [\n')
    for index, entry in enumerate(sets):
        file.write(f' {{"file": "{entry["file"]}", "alg": "{entry["alg"]}", "groups": [\n')
        file.write(",\n".join(f'  {{"key": "{group["key"]}", "tests": [\n'
                              + ",\n".join("   " + line(row) for row in group["tests"]) + "]}"
                              for group in entry["groups"]))
        file.write("]}" + ("," if index < len(sets) - 1 else "") + "\n")
    file.write("]}\n")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    version = re.search(r'^version = "(.+)"', (folder / "Cargo.toml").read_text(encoding="utf-8"), re.M).group(1)
    sets = [read(folder / "src/data", alg, name) for alg, names in FILES.items() for name in names]
    head = {
        "note": "written by make_wycheproof.py; a test is [tcId, Wycheproof's verdict, message, signature, comment]; "
                "keys (SubjectPublicKeyInfo or HMAC secret), messages and signatures are base64url",
        "source": f"Project Wycheproof, github.com/C2SP/wycheproof, from the Rust package wycheproof {version}",
        "licence": "Apache-2.0; see LICENSE.wycheproof",
    }
    with open(pathlib.Path(__file__).with_name("wycheproof.json"), "w", encoding="utf-8") as file:
        write(file, head, sets)


if __name__ == "__main__":
    main()

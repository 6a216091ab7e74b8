# SPDX-License-Identifier: MIT
"""The JSON Web Signatures of Project Wycheproof (Apache-2.0), by `orgcast token explain`, which runs the broker's check.

ORGCAST_WYCHEPROOF names its file testvectors_v1/json_web_signature_test.json; without it the test is skipped. Most
payloads are not JSON, so a good signature shows in the step "signature", not in the verdict."""

import json
import os
from pathlib import Path

import pytest
from broker import PLUGIN

FILE = os.environ.get("ORGCAST_WYCHEPROOF")

pytestmark = pytest.mark.skipif(not FILE, reason="ORGCAST_WYCHEPROOF does not name json_web_signature_test.json")

OTHER_ALG = "the key is for PS256 and the token says PS384 (RFC 7517 §4.4)"
NO_ALG = "the key's alg, ES521, is not an algorithm (RFC 7518 §3.1 has ES512)"
GUESSABLE = "the secret is 32 zero bytes, which anybody can guess"
# Where Wycheproof accepts and we refuse, by the number of the test. There is no other difference.
DIFFERENCES = {346: OTHER_ALG, 350: OTHER_ALG, 347: NO_ALG, 351: NO_ALG,
               **dict.fromkeys((357, 358, 359, 372, 373, 376, 377), GUESSABLE)}


def signature_is_good(orgcast, folder, key, jws):
    (folder / "set.json").write_text(json.dumps({"keys": [key]}))
    (folder / "conf").write_text(f"plugin {PLUGIN}\nplugin_opt_jwks_file {folder}/set.json\n")
    done = orgcast("token", "explain", "--json", "--conf", folder / "conf", "--token-file", "-", stdin=jws)
    return any(step["step"] == "signature" and step["ok"] for line in done.stdout.splitlines()
               for step in json.loads(line).get("steps", []))


def test_each_verdict_is_wycheproofs(orgcast, tmp_path):
    count, differ = 0, {}
    for group in json.loads(Path(FILE).read_text())["testGroups"]:
        key = group.get("public") or group["private"]
        for case in group["tests"]:
            count += 1
            good = signature_is_good(orgcast, tmp_path, key, case["jws"])
            if good != (case["result"] == "valid"):
                differ[case["tcId"]] = f"{'accepted' if good else 'refused'}: {key.get('alg')} {case['comment']}"
    assert count > 0
    assert {number: text for number, text in differ.items() if number not in DIFFERENCES} == {}
    assert set(DIFFERENCES) <= set(differ), "a listed difference has gone"

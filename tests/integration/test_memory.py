# SPDX-License-Identifier: MIT
"""Memory does not grow with the number of clients that came and went; bench/memory is the long form."""

import pytest
from broker import PLUGIN, VALGRIND
from churn import growth

TOKENS = 1000


@pytest.mark.skipif(VALGRIND or b"libasan.so" in PLUGIN.read_bytes(), reason="has memory of its own")
def test_memory_stays(make_broker, secret_file, keys, tmp_path):
    broker = make_broker({"jwt_secret_file": secret_file, "max_connections_per_subject": 1000,
                          "revocation_file": tmp_path / "revocations",
                          # Kept events are not what grows with clients: little room for them, and soon full.
                          "replay_max_bytes": 65536})
    before, after = growth(broker, keys.get("hs"), 3000, 5000, TOKENS)
    assert after < before + 1024, f"{before} KiB before, {after} after"

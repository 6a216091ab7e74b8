# SPDX-License-Identifier: MIT
"""Whether the broker lets a token in, asked with a connection that is closed again."""

import itertools

from mqtt import TIMEOUT_S, V5, Client, Closed, wait_for

_number = itertools.count()


def answer(broker, token, client_id=None, version=V5, transport="tcp", connect=Client.connect):
    """The CONNACK's code; None when the broker closed the connection without one."""
    with Client(broker, version, transport) as client:
        try:
            code = connect(client, client_id or f"attempt-{next(_number)}", token).code
        except Closed:
            return None
        if code == 0:
            client.disconnect()
    return code


def attempt(broker, token, client_id=None, version=V5):
    """True when the CONNECT was accepted."""
    return answer(broker, token, client_id, version) == 0


def refusal(broker, token, version=V5):
    """The reason code under which the token is refused."""
    client_id = f"attempt-{next(_number)}"
    mark = broker.mark()
    assert not attempt(broker, token, client_id, version), "accepted"
    return broker.refusal(client_id, mark)[0]


def wait_accepted(broker, token, timeout_s=TIMEOUT_S):
    wait_for(lambda: attempt(broker, token), "the token to be accepted", timeout_s)

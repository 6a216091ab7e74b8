# SPDX-License-Identifier: MIT
"""Commands over $CONTROL/orgcast/v1, and MQTT 5 enhanced authentication, for a mqtt.Client."""

import itertools
import json
import time

from mqtt import AUTH, CONNACK, DISCONNECT, TIMEOUT_S, Closed, packet, properties

TOPIC = "$CONTROL/orgcast/v1"
RESPONSE = TOPIC + "/response"

SUCCESS, CONTINUE, REAUTHENTICATE = 0x00, 0x18, 0x19

_number = itertools.count()


def answer(client, timeout_s=TIMEOUT_S):
    """The next answer's list of responses; other messages stay in the inbox."""
    deadline = time.monotonic() + timeout_s
    while True:
        for at, message in enumerate(client.inbox):
            if message.topic == RESPONSE:
                del client.inbox[at]
                return json.loads(message.payload)["responses"]
        client._handle(*client.recv(deadline - time.monotonic()))


def ask_all(client, payload, qos=1):
    """Sends a request as it is (bytes, or an object) and gives the list of responses."""
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    assert client.publish(TOPIC, payload, qos=qos) == 0
    return answer(client)


def ask(client, command, qos=1, **members):
    """One command's response."""
    correlation = f"c-{next(_number)}"
    responses = ask_all(client, {"commands": [
        {"command": command, "correlationData": correlation, **members}]}, qos)
    assert len(responses) == 1
    assert responses[0]["command"] == command
    assert responses[0]["correlationData"] == correlation
    return responses[0]


def data(client, command, **members):
    """The data of a command that must succeed."""
    response = ask(client, command, **members)
    assert "error" not in response, response
    return response["data"]


def code(client, command, **members):
    """The reason code of a command that must fail."""
    response = ask(client, command, **members)
    assert "data" not in response and response["error"], response
    return response["code"]


def connect_enhanced(client, client_id, token, method="JWT", **more):
    """CONNECT with MQTT 5 enhanced authentication; gives the CONNACK."""
    props = {**more.pop("props", {}), "auth_method": method}
    if token is not None:
        props["auth_data"] = token
    return client.connect(client_id, props=props, **more)


def send_auth(client, token, reason=REAUTHENTICATE, method="JWT"):
    props = {"auth_method": method}
    if token is not None:
        props["auth_data"] = token
    client.send(packet(AUTH, 0, bytes([reason]) + properties(props)))


def reauthenticate(client, token, **more):
    """Sends AUTH with a token and gives the reason of the AUTH that answers; raises Closed when the broker
    ends the connection, with the reason of the DISCONNECT or CONNACK before it."""
    send_auth(client, token, **more)
    while True:
        kind, flags, body = client.recv()
        if kind == AUTH:
            return body[0] if body else SUCCESS
        if kind == CONNACK:  # Mosquitto 2.0 says it so
            client.disconnect_reason = body[1]
        elif kind != DISCONNECT or client.disconnect_reason is None:
            client._handle(kind, flags, body)


__all__ = ["Closed", "answer", "ask", "ask_all", "code", "connect_enhanced", "data", "reauthenticate",
           "send_auth"]

# SPDX-License-Identifier: MIT
"""Drives Paho Python by the line protocol of tests/foreign/drivers.py."""

import re
import sys
import threading

import paho.mqtt.client as mqtt

_lock = threading.Lock()


def say(*fields):
    with _lock:
        print("\t".join(re.sub(r"[\t\r\n]+", " ", str(field)) for field in fields), flush=True)


def on_connect(_client, _data, _flags, reason, _properties):
    if reason.is_failure:
        say("refused", reason.value, reason)
    else:
        say("connected")


def on_disconnect(_client, _data, flags, reason, _properties):
    if flags.is_disconnect_packet_from_server:
        say("disconnected", reason.value, reason)
    else:
        say("disconnected", "-", reason)


def on_message(_client, _data, message):
    say("message", message.topic, message.payload.decode())


def connect(host, port, client_id, token):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
    client.username_pw_set("jwt", token)
    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    client.on_message = on_message
    client.on_subscribe = lambda _c, _d, _mid, reasons, _p: say("granted", reasons[0].value, reasons[0])
    client.on_publish = lambda _c, _d, _mid, reason, _p: say("published", reason.value, reason)
    client.connect(host, int(port))
    client.loop_start()
    return client


def main():
    client = None
    for line in sys.stdin:
        name, *fields = line.rstrip("\n").split("\t")
        if name == "connect":
            client = connect(*fields)
        elif name == "subscribe":
            client.subscribe(fields[0], qos=1)
        elif name == "publish":
            client.publish(fields[0], fields[1], qos=1)


main()

# SPDX-License-Identifier: MIT
"""Mosquitto's dynamic-security plugin beside this one: where it is, and a configuration file for it."""

import base64
import hashlib
import json
import os
from pathlib import Path

from broker import MOSQUITTO

CONTROL = "$CONTROL/dynamic-security/v1"
RESPONSE = CONTROL + "/response"
PASSWORD = "dynamic "


def own_plugin(name):
    """One of Mosquitto's own plugins, of the broker under test: which is built, installed, or the distribution's. None: it
    is not there."""
    file, prefix = f"mosquitto_{name.replace('-', '_')}.so", Path(MOSQUITTO).resolve().parents[1]
    patterns = (f"plugins/{name}/{file}", f"lib/{file}", f"lib/*/{file}")
    return next((path for pattern in patterns for path in sorted(prefix.glob(pattern))), None)


def plugin_path():
    path = own_plugin("dynamic-security")
    assert path, "mosquitto_dynamic_security.so is not installed"
    return path


def acl(kind, topic):
    return {"acltype": kind, "topic": topic, "priority": 0, "allow": True}


def client(name, *roles):
    """A client whose password is its name with PASSWORD before it."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", (PASSWORD + name).encode(), salt, 101)
    return {"username": name, "password": base64.b64encode(digest).decode(),
            "salt": base64.b64encode(salt).decode(), "iterations": 101,
            "roles": [{"rolename": role, "priority": 0} for role in roles]}


def lines(folder, roles, clients):
    """Lines for mosquitto.conf. roles: name -> list of acl(); clients: list of client()."""
    path = Path(folder) / "dynamic-security.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({
        "defaultACLAccess": {"publishClientSend": False, "publishClientReceive": True, "subscribe": False,
                             "unsubscribe": True},
        "clients": clients, "groups": [],
        "roles": [{"rolename": name, "acls": acls} for name, acls in roles.items()]}))
    path.chmod(0o600)
    return f"plugin {plugin_path()}\nplugin_opt_config_file {path}"

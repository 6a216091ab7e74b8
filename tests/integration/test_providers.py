# SPDX-License-Identifier: MIT
"""The blocks of docs/identity-providers.md, each with tokens as that provider shapes them.

tests/vectors/providers/NAME.json has the options of one block, the members that the provider's key set
has, and tokens. The page must show exactly these options. In the broker only what names a place is
replaced: the URL by that of a provider of our own which serves such a key set, and paths.
"""

import json
import re
import time

import pytest
from attempt import answer, wait_accepted
from broker import REPOSITORY, Broker
from events import event
from idp import Provider, jwk, key_set
from mqtt import NOT_AUTHORIZED, V5, Client
from tokens import forge

FOLDER = REPOSITORY / "tests" / "vectors" / "providers"
PAGE = REPOSITORY / "docs" / "identity-providers.md"
VECTORS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
TOKENS = [(name, token) for name, vector in VECTORS.items() for token in vector["tokens"]]


def merge(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = merge(out.get(name), value)
    return out


def at_now(value, now):
    """The claims with "now+5" and "now-5" replaced by times."""
    if isinstance(value, dict):
        return {name: at_now(member, now) for name, member in value.items()}
    if isinstance(value, list):
        return [at_now(member, now) for member in value]
    match = re.fullmatch(r"now([+-]\d+)", value) if isinstance(value, str) else None
    return now + int(match.group(1)) if match else value


def make_token(vector, token, keys):
    claims = at_now(merge(vector["claims"], token.get("changes", {})), int(time.time()))
    header = merge(vector["header"], token.get("header_changes", {}))
    return forge(header, claims, keys.get(token["key"]), header["alg"])


@pytest.fixture(scope="module")
def brokers(keys, authority, tmp_path_factory):
    """brokers(name): a broker with the options of a block, started on first use."""
    folder = tmp_path_factory.mktemp("providers")
    running, providers = {}, []

    def serve(vector):
        members = []
        for member in vector["jwks"]:
            member = dict(member)
            members.append(jwk(keys.get(member.pop("key")), **member))
        providers.append(Provider(key_set(*members), authority).start())
        return providers[-1].url

    def start(name):
        if name in running:
            return running[name]
        vector, options = VECTORS[name], []
        (folder / name).mkdir()
        for option, value in vector["options"]:
            if option == "jwks_url":
                options += [(option, serve(vector)), ("jwks_ca_file", authority.ca_path)]
            elif option == "jwks_cache_file":
                options.append((option, folder / name / "cache.json"))
            elif option == "jwt_public_key_file":
                kid, _, path = value.partition("=")
                pem = folder / name / path.rpartition("/")[2]
                pem.write_bytes(keys.pem(vector["pem"][kid]))
                options.append((option, f"{kid}={pem}"))
            else:
                options.append((option, value))
        running[name] = Broker(folder / name / "broker", options).start()
        wait_accepted(running[name], make_token(vector, vector["tokens"][0], keys))
        return running[name]

    yield start
    for broker in running.values():
        broker.stop()
    for provider in providers:
        provider.stop()


@pytest.mark.parametrize("name, token", TOKENS, ids=lambda value: value["what"] if isinstance(value, dict)
                         else value)
def test_token(brokers, keys, name, token):
    """Accepted: as this user, into these organizations and no other, with or without the right to
    publish. Refused: for this reason."""
    broker = brokers(name)
    text = make_token(VECTORS[name], token, keys)
    client_id, mark = f"{name}-{VECTORS[name]['tokens'].index(token)}", broker.mark()
    if "refused" in token:
        # A key that a URL may still bring is no reason to stop for good.
        passing = token["refused"] == "key_unknown" and name != "own-signer"
        assert answer(broker, text, client_id) == (None if passing else NOT_AUTHORIZED)
        assert broker.refusal(client_id, mark)[0] == token["refused"]
        return
    with Client(broker, V5) as client:
        assert client.connect(client_id, text).code == 0, broker.log(mark)
        broker.wait_log(rf"as {re.escape(client_id)} .*u'{re.escape(token['username'])}'", mark)
        for organization in token["organizations"]:
            assert client.subscribe(f"org/{organization}/invoices/#") == [0], organization
            assert (client.publish(*event(organization)) < 0x80) \
                == token.get("publishes", False)
        if len(set(token["organizations"]) - {"acme", "globex"}) or token["organizations"] == ["acme"]:
            assert client.subscribe("org/globex/invoices/#") == [NOT_AUTHORIZED]
        client.disconnect()


def blocks():
    """heading -> options of the block below it, as the page has them."""
    text = PAGE.read_text(encoding="utf-8")
    out = {}
    for section in re.split(r"(?m)^#{2,3} ", text)[1:]:
        heading, _, body = section.partition("\n")
        found = re.findall(r"(?ms)^```conf\n(.*?)^```", body)
        assert len(found) <= 1, f"{heading}: more than one block"
        if found:
            out[heading] = [re.fullmatch(r"plugin_opt_(\S+) (.+)", line).groups()
                            for line in found[0].splitlines()]
    return out


def test_the_page_shows_what_is_tested():
    tested = {vector["heading"]: [tuple(pair) for pair in vector["options"]] for vector in VECTORS.values()}
    assert len(tested) == len(VECTORS) and blocks() == tested


def test_each_provider_has_good_and_bad_tokens():
    for name, vector in VECTORS.items():
        assert any("refused" in token for token in vector["tokens"]), name
        assert any("organizations" in token for token in vector["tokens"]), name
    assert {"auth0", "keycloak", "clerk", "workos", "cognito", "entra", "supabase", "own-signer"} \
        <= set(VECTORS)

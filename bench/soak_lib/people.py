# SPDX-License-Identifier: MIT
"""Who there is, and their tokens: good ones, and such as must be refused for a known reason."""

import itertools
import time
from dataclasses import dataclass, field

from tokens import b64url, forge, mint

ORGS = ("acme", "globex", "initech", "umbrella", "soylent", "wonka")

# Whose tokens may name which organizations: they overlap, so that an organization has many members.
PEOPLE = {
    "ada": ("acme", "globex", "initech"),
    "bob": ("acme", "umbrella"),
    "eve": ("globex", "soylent", "acme"),
    "dan": ("initech", "umbrella", "wonka"),
    "fay": ("soylent", "wonka", "globex", "acme"),
    "gil": ("wonka",),
}
SERVICES = ("relay", "archive")

PUBLISH, SUBSCRIBE = "invoices:publish", "invoices:subscribe"
ANY_ORG, ADMIN = "orgcast:any-org", "orgcast:admin"


def overlaps(levels):
    """Whether a filter and org/+/invoices/# have a topic in common."""
    for at, wanted in enumerate(("org", None, "invoices")):
        if at < len(levels) and levels[at] == "#":
            return True
        if at >= len(levels) or (wanted and levels[at] not in ("+", wanted)):
            return False
    return True


@dataclass(frozen=True)
class Identity:
    """What a good token says."""

    subject: str
    orgs: frozenset
    scopes: frozenset
    issued_s: int
    deadline_s: int
    jti: str
    token: str = field(repr=False)
    valid_from_s: int = 0

    @property
    def any_org(self):
        return ANY_ORG in self.scopes

    def serves(self, org):
        return self.any_org or org in self.orgs

    def binds(self, client_id):
        owner, slash, rest = client_id.partition("/")
        owned = owner == self.subject if self.any_org else owner in self.orgs
        return bool(slash and rest and owned)

    def may_publish(self, org):
        return PUBLISH in self.scopes and self.serves(org)

    @property
    def subscribes(self):
        return SUBSCRIBE in self.scopes

    def may_subscribe(self, topic_filter):
        """A service to whatever may match a topic of an organization; others to what matches nothing else."""
        levels = topic_filter.split("/")
        if not self.subscribes:
            return False
        if self.any_org:
            return overlaps(levels)
        return len(levels) > 3 and levels[0] == "org" and levels[1] in self.orgs and levels[2] == "invoices"


@dataclass(frozen=True)
class Credential:
    """A token, the identity that it is good for, or the reasons for which it is not."""

    token: str = field(repr=False)
    identity: Identity = None
    reasons: frozenset = frozenset()


def _corrupt(token):
    head, body, signature = token.split(".")
    return ".".join((head, body, ("B" if signature[0] == "A" else "A") + signature[1:]))


class Mint:
    """Makes the tokens, and remembers their signatures for the search of the logs."""

    def __init__(self, keys, rng, leeway_s):
        self.key, self.other_key = keys.get("hs"), keys.get("hs:2")
        self.rng, self.leeway_s = rng, leeway_s
        self.signatures = set()
        self.numbers = itertools.count()

    def _note(self, token):
        signature = token.rsplit(".", 1)[-1]
        if len(signature) >= 20:
            self.signatures.add(signature[:20])
        return token

    def make(self, subject, orgs, scopes, seconds, valid_in_s=0, age_s=0):
        now_s = int(time.time())
        jti = f"t-{next(self.numbers)}"
        claims = {"sub": subject, "jti": jti, "iat": now_s - age_s, "exp": now_s + seconds,
                  "scope": " ".join(sorted(scopes))}
        if orgs:
            claims["org_id"] = self.rng.choice((sorted(orgs), {org: {} for org in orgs}))
        if valid_in_s:
            claims["nbf"] = now_s + valid_in_s
        token = self._note(mint(claims, self.key))
        return Identity(subject, frozenset(orgs), frozenset(scopes), now_s - age_s,
                        now_s + seconds + self.leeway_s, jti, token,
                        now_s + valid_in_s - self.leeway_s if valid_in_s else 0)

    def fresh(self, subject, seconds=None, orgs=None):
        """A token as the identity provider would make now."""
        rng = self.rng
        if seconds is None:
            seconds = rng.choice((1, 2, 3, 4, 6, 10, 20, 60, 600))
        scopes = {SUBSCRIBE} if rng.random() < 0.95 else set()
        if subject in SERVICES:
            return self.make(subject, (), {ANY_ORG, PUBLISH, *scopes}, seconds, age_s=rng.choice((0, 0, 1, 5)))
        if orgs is None:
            own = PEOPLE[subject]
            orgs = rng.sample(own, rng.randint(1, len(own)))
        scopes |= {PUBLISH} if rng.random() < 0.5 else set()
        return self.make(subject, orgs, scopes, seconds, age_s=rng.choice((0, 0, 1, 5)))

    def good(self, subject, **more):
        identity = self.fresh(subject, **more)
        return Credential(identity.token, identity)

    def hostile(self, subject):
        """A token with one thing wrong."""
        now_s = int(time.time())
        identity = self.fresh(subject, seconds=60)
        claims = {"sub": subject, "org_id": "acme", "iat": now_s, "exp": now_s + 60}
        head, body, signature = identity.token.split(".")
        stolen = b64url(b'{"sub":"%s","org_id":"wonka","exp":%d}' % (subject.encode(), now_s + 60))
        token, reason = self.rng.choice((
            (lambda: _corrupt(identity.token), "signature_invalid"),
            (lambda: f"{head}.{stolen}.{signature}", "signature_invalid"),
            (lambda: mint(claims, self.other_key), "signature_invalid"),
            (lambda: f"{head}.{body}", "token_malformed"),
            (lambda: f"{head}.{body}.", "token_malformed signature_invalid"),
            (lambda: "", "token_missing"),
            (lambda: "hunter2", "token_malformed"),
            (lambda: forge({"alg": "none"}, claims, self.key), "alg_not_allowed"),
            (lambda: forge({"alg": "HS256", "crit": ["x"]}, claims, self.key), "token_malformed"),
            (lambda: mint({**claims, "exp": now_s - 10 - self.leeway_s}, self.key), "token_expired"),
            (lambda: mint({**claims, "nbf": now_s + 30 + self.leeway_s}, self.key),
             "token_not_yet_valid"),
            (lambda: mint({"sub": subject, "org_id": "acme"}, self.key), "claim_missing"),
            (lambda: mint({**claims, "org_id": "a/b"}, self.key), "org_invalid"),
            (lambda: mint({**claims, "org_id": []}, self.key), "org_invalid"),
            (lambda: mint({"org_id": "acme", "exp": now_s + 60}, self.key), "claim_missing"),
            (lambda: mint({**claims, "sub": ""}, self.key), "claim_invalid"),
        ))
        return Credential(self._note(token()), None, frozenset(reason.split()))

# SPDX-License-Identifier: MIT
"""Commands on $CONTROL/orgcast/v1 and MQTT 5 re-authentication, and that their answers are the model's."""

import math
import time

from mqtt import Closed, Timeout

from soak_lib.connecting import leaves
from soak_lib.model import CLOCK_LAG_S, OFF, ON, REVOKE_S, Right
from soak_lib.people import ORGS, PEOPLE, SERVICES

ADMIN_COMMANDS = ("listSessions", "kick", "revoke", "unrevoke", "listRevocations", "stats")


def ask(world, slot, *commands):
    """The responses; None when the connection ended instead."""
    try:
        return slot.wire.ask(*commands)
    except Closed:
        world.ended(slot)
    except Timeout:
        world.check_alive()
        world.fail(f"no answer to {[each['command'] for each in commands]} for {slot}", slot)
    return None


def order(world, **command):
    """A command of the operator, who has every right and is never disturbed."""
    (response,) = ask(world, world.operator, command) or [None]
    if response is None:
        world.fail("the operator was disconnected", world.operator)
    return response


def rights_now(session, sent, answered):
    """(errors that a command of the session must get, those that it may get)."""
    must, may = set(), set()
    for right in session.rights:
        if right.revoked is not None:
            (must if sent >= right.revoked + REVOKE_S else may).add("token_revoked")
        if sent >= right.identity.deadline_s + CLOCK_LAG_S:
            must.add("token_expired")
        elif answered >= right.identity.deadline_s:
            may.add("token_expired")
    return must, may


def check_code(world, slot, what, response, must, may):
    """Compares an answer with what it has to be; True when it was carried out."""
    code = response.get("code")
    if code is None and must:
        world.fail(f"{what} was carried out in spite of {must} for {slot}", slot)
    if code is not None and code not in must | may:
        world.fail(f"{what} answered {response}, expected {must or 'success'} {may or ''} for {slot}", slot)
    return code is None


def check_description(world, slot, data, identity):
    told = {"subject": data["subject"], "organizations": sorted(data["organizations"]),
            "scopes": sorted(data["scopes"]), "expiresAt": data["expiresAt"], "clientId": data["clientId"]}
    known = {"subject": identity.subject, "organizations": sorted(identity.orgs),
             "scopes": sorted(identity.scopes), "expiresAt": identity.deadline_s - world.leeway_s,
             "clientId": slot.session.client_id}
    if told != known:
        world.fail(f"told {told} instead of {known}", slot)


# -- of everybody ----------------------------------------------------------------------------------


def whoami(world, slot):
    world.did("whoami", slot)
    sent = time.time()
    responses = ask(world, slot, {"command": "whoami"})
    if responses is None:
        return
    must, may = rights_now(slot.session, sent, time.time())
    if check_code(world, slot, "whoami", responses[0], must, may):
        check_description(world, slot, responses[0]["data"], slot.session.identity)


def oversteps(world, slot):
    """An administrator's command by somebody who is none."""
    command = world.rng.choice(ADMIN_COMMANDS)
    world.did("overstep", slot, command)
    sent = time.time()
    responses = ask(world, slot, {"command": command, "organizationId": "acme", "jti": "t-1"})
    if responses is None:
        return
    must, may = rights_now(slot.session, sent, time.time())
    check_code(world, slot, command, responses[0], must | {"scope_missing"}, may)


def refusals(world, session, credential, sent, answered):
    """What must and what may be said against a refresh."""
    identity = credential.identity
    must, may = rights_now(session, sent, answered)
    # A connection that is still there may be saved after its token's time.
    must.discard("token_expired")
    may.discard("token_expired")
    if identity is None:
        return must | credential.reasons, may
    if answered >= identity.deadline_s:
        (must if sent >= identity.deadline_s + CLOCK_LAG_S else may).add("token_expired")
    if world.revocations.names(identity):
        must.add("token_revoked")
    if identity.subject != session.identity.subject:
        must.add("claim_invalid")
    return must, may


def refreshes(world, slot):
    """A new token on the live connection: of the same subject or not, by either way."""
    rng, session = world.rng, slot.session
    subject = session.identity.subject
    if rng.random() < 0.12:
        credential = world.mint.hostile(subject)
    elif rng.random() < 0.1:
        credential = world.mint.good(rng.choice([each for each in (*PEOPLE, *SERVICES) if each != subject]))
    else:
        credential = world.mint.good(subject)
    by_auth = slot.by_auth and rng.random() < 0.7
    world.did("reauthenticate" if by_auth else "refresh", slot, f"{credential.identity or credential.reasons}")
    # Until the answer both identities may be in force.
    old = list(session.rights)
    if credential.identity and credential.identity.subject == subject:
        session.rights = [*old, Right(credential.identity)]
    outcome = (reauthenticate if by_auth else refresh)(world, slot, credential, old)
    if outcome is None:
        return
    if outcome:
        session.former_identities += [right.identity for right in old]
    session.rights = [Right(credential.identity)] if outcome else old
    if outcome and session.persistent and not session.keeps(1) and rng.random() < 0.5:
        # It lost the organization that its id is bound to, and nothing is kept for it any more.
        leaves(world, slot)


def refresh(world, slot, credential, old):
    sent = time.time()
    responses = ask(world, slot, {"command": "refresh", "token": credential.token})
    if responses is None:
        return None
    slot.session.rights = old
    must, may = refusals(world, slot.session, credential, sent, time.time())
    if not check_code(world, slot, "refresh", responses[0], must, may):
        return False
    check_description(world, slot, responses[0]["data"], credential.identity)
    return True


def reauthenticate(world, slot, credential, old):
    """A refusal ends the connection."""
    sent = time.time()
    try:
        accepted = slot.wire.reauthenticate(credential.token)
    except Closed:
        accepted = False
    except Timeout:
        world.check_alive()
        world.fail(f"no answer to AUTH of {slot}", slot)
    answered = time.time()
    session, rights = slot.session, slot.session.rights
    session.rights = old
    must, may = refusals(world, session, credential, sent, answered)
    if accepted:
        if must:
            world.fail(f"re-authentication in spite of {must} of {slot}", slot)
        return True
    ending = world.may_end(session)
    if not (must or may or ending):
        world.fail(f"re-authentication of {slot} was refused", slot)
    # With a good token it may have been the connection's end that came first, or second.
    session.rights = old if must else rights
    world.ended(slot, expected=True)
    return None


# -- of the operator -------------------------------------------------------------------------------


def targets(world, **wanted):
    """The sessions that a selection names, as far as the model knows them."""
    out = []
    for session in world.sessions.values():
        for right in session.rights:
            identity = right.identity
            if wanted.get("clientId", session.client_id) == session.client_id and \
                    wanted.get("subject", identity.subject) == identity.subject and \
                    (wanted.get("organizationId") is None or wanted["organizationId"] in identity.orgs):
                out.append(session)
                break
    return out


def surely_on(session, now):
    return (session.state == ON and session.ending() is None and
            all(now < right.identity.deadline_s for right in session.rights))


def kicks(world):
    rng = world.rng
    kind = rng.choice(("clientId", "clientId", "clientId", "subject", "organizationId"))
    names = [each.client_id for each in world.sessions.values()
             if each.client_id not in world.staff] or ["nobody"]
    wanted = {kind: {"clientId": rng.choice(names), "subject": rng.choice((*PEOPLE, *SERVICES)),
                     "organizationId": rng.choice(ORGS)}[kind]}
    world.did("kick", None, f"{wanted}")
    hit = targets(world, **wanted)
    response = order(world, command="kick", **wanted)
    now = time.time()
    if not check_code(world, world.operator, "kick", response, set(), set()):
        return
    least = sum(surely_on(session, now) for session in hit)
    if response["data"]["kicked"] < least:
        world.fail(f"kick {wanted} ended {response['data']['kicked']} connections, not {least}", None, None,
                   hit[0])
    for session in hit:
        if session.state == ON and session.kicked is None:
            session.kicked = now


def pick_revocation(world):
    """(kind, name, issuedBefore)"""
    rng = world.rng
    kind = rng.choice(("jti", "jti", "jti", "subject", "subject", "organizationId"))
    if kind == "jti":
        known = [each for each in world.sessions.values()
                 if each.rights and each.client_id not in world.staff]
        if rng.random() < 0.4:
            # Those that wait offline, for which nothing may be kept from then on.
            known = [each for each in known if each.state != ON and each.keeps(1)] or known
        name = rng.choice(known).identity.jti if known and rng.random() < 0.9 else \
            f"t-{rng.randint(0, 1000)}-none"
        return kind, name, None
    name = rng.choice((*PEOPLE, *SERVICES) if kind == "subject" else ORGS)
    return kind, name, time.time() + rng.choice((1, 0, 0.5, -1, -3))


def revokes(world):
    kind, name, before = pick_revocation(world)
    if kind == "organizationId" and world.rng.random() < 0.5:
        return
    world.did("revoke", None, f"{kind} {name} {before}")
    moment = {} if before is None else {"issuedBefore": before}
    sent = time.time()
    response = order(world, command="revoke", **{kind: name}, **moment)
    answered = time.time()
    over = kind == "jti" and any(right.identity.jti == name and answered >= right.identity.deadline_s
                                 for each in world.sessions.values() for right in each.rights)
    if not check_code(world, world.operator, "revoke", response, set(), {"request_invalid"} if over else set()):
        return
    if before is not None:
        before = math.ceil(before)
    world.revocations.add(kind, name, before)
    least = 0
    for session in world.sessions.values():
        sure = surely_on(session, answered)
        for right in session.rights:
            if right.revoked is None and world.revocations.names(right.identity):
                right.revoked = answered
                least += sure and len(session.rights) == 1
    if response["data"]["sessions"] < least:
        world.fail(f"revoke told of {response['data']['sessions']} sessions, not {least} ({sent})",
                   world.operator)


def unrevokes(world):
    rng = world.rng
    if not world.revocations.held or rng.random() < 0.05:
        world.did("unrevoke", None, "nobody")
        response = order(world, command="unrevoke", subject="nobody")
        check_code(world, world.operator, "unrevoke", response, {"not_found"}, set())
        return
    # A revoked organization or subject keeps many out, so it is taken back sooner.
    kind, name = rng.choice([each for each in world.revocations.held if each[0] != "jti"] or
                            list(world.revocations.held))
    world.did("unrevoke", None, f"{kind} {name}")
    response = order(world, command="unrevoke", **{kind: name})
    check_code(world, world.operator, "unrevoke", response, set(), {"not_found"} if kind == "jti" else set())
    world.revocations.remove(kind, name)


def lists_revocations(world):
    world.did("listRevocations")
    held = {}
    while True:
        data = order(world, command="listRevocations", offset=len(held))["data"]
        for row in data["revocations"]:
            (kind,) = {"jti", "subject", "organizationId"} & set(row)
            held[kind, row[kind]] = row.get("issuedBefore")
        if not data["revocations"] or len(held) >= data["totalCount"]:
            break
    known = world.revocations.held
    for pair in set(held) | set(known):
        # Those of a token that has expired are forgotten.
        if pair not in known or (pair not in held and pair[0] != "jti") or \
                (pair in held and held[pair] != known[pair]):
            world.fail(f"listRevocations tells {held.get(pair, 'nothing')} of {pair}, not "
                       f"{known.get(pair, 'nothing')}", world.operator)


def lists_sessions(world):
    rng = world.rng
    wanted = rng.choice(({}, {"subject": rng.choice((*PEOPLE, *SERVICES))}, {"organizationId": rng.choice(ORGS)}))
    world.did("listSessions", None, f"{wanted}")
    sent = time.time()
    rows = order(world, command="listSessions", **wanted)["data"]["sessions"]
    answered = time.time()
    told = {row["clientId"]: row for row in rows if row["connected"]}
    known = {each.client_id: each for each in targets(world, **wanted)}
    for client_id, session in known.items():
        if surely_on(session, answered):
            row = told.get(client_id)
            if row is None or row["subject"] != session.identity.subject or \
                    sorted(row["organizations"]) != sorted(session.identity.orgs):
                world.fail(f"listSessions tells {row} of {client_id}", world.slot_of(session) or world.operator)
    for client_id in told:
        session = known.get(client_id)
        # Its connection may be one that the broker has not noticed the end of.
        if session is None and world.sessions.get(client_id) is None or session and session.state == OFF:
            world.fail(f"listSessions tells of {client_id}, which is not connected ({sent})", world.operator)


def stats(world):
    world.did("stats")
    response = order(world, command="stats")
    check_code(world, world.operator, "stats", response, set(), set())

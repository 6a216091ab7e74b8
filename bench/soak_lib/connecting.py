# SPDX-License-Identifier: MIT
"""Connecting, subscribing and leaving."""

import time

from broker import mosquitto_version
from mqtt import V5, V311, Closed

from soak_lib.model import CLOCK_LAG_S, MAY, MUST, NOT, OFF, ON, REVOKE_S, UNSURE, Right, Session
from soak_lib.people import ORGS, PEOPLE, SERVICES
from soak_lib.wills import last_will, make_will

KEEP_S = 3600
REFUSED = {V5: 0x87, V311: 5}
HOSTILE_FILTERS = ("#", "+/#", "org/+/invoices/#", "org/#", "org/{org}/#", "org/{org}/orders/#",
                   "$share/g/org/{org}/invoices/#", "$SYS/#", "$SYS/broker/orgcast/#", "org/{org}x/invoices/#")


def client_id_for(world, subject, orgs):
    """One of few, so that they meet again: bound to an organization, a service's, or anybody's."""
    rng = world.rng
    kind = rng.random()
    if kind < 0.1:
        return f"{rng.choice(ORGS)}/d{rng.randint(1, 2)}"
    if kind < 0.6:
        return f"{rng.choice(sorted(orgs) or [subject])}/d{rng.randint(1, 2)}"
    return f"tab-{rng.randint(1, 8)}"


def objections(world, client_id, credential, clean, sent, answered):
    """(the reasons for which this CONNECT must be refused, those for which it may be)."""
    identity = credential.identity
    if identity is None:
        return set(credential.reasons), set()
    must, may = set(), set()
    if sent >= identity.deadline_s + CLOCK_LAG_S:
        must.add("token_expired")
    elif answered >= identity.deadline_s:
        may.add("token_expired")
    if answered < identity.valid_from_s:
        must.add("token_not_yet_valid")
    elif sent < identity.valid_from_s + CLOCK_LAG_S:
        may.add("token_not_yet_valid")
    if world.revocations.names(identity):
        must.add("token_revoked")
    holder = world.sessions.get(client_id)
    if "/" in client_id and not identity.binds(client_id):
        must.add("client_id_not_bound")
    elif not clean and not identity.binds(client_id):
        level = refuses_resumption(world, client_id, holder, identity)
        if level != NOT:
            (must if level == MUST else may).add("client_id_not_bound")
    if holder and holder.state != OFF and holder.rights and holder.identity.subject != identity.subject:
        sure = holder.state == ON and holder.ending() is None and all(
            answered < right.identity.deadline_s for right in holder.rights)
        (must if sure else may).add("client_id_in_use")
    return must, may


def refuses_resumption(world, client_id, holder, identity):
    """Whether the id is refused to a client that would take up what there is under it: NOT, MAY or MUST."""
    if holder:
        return holder.refuses_resumption(identity)
    # Mosquitto 2.0 does not say whether a session outlives its connection, so the plugin may believe so.
    another = world.last_subjects.get(client_id, identity.subject) != identity.subject
    return MAY if another and mosquitto_version() < (2, 1) else NOT


def connect(world, slot, client_id, credential, version, transport, by_auth, clean, expiry_s, *, mortal=True):
    """Connects, and says whether the broker let it in; fails when it should have done otherwise.
    mortal: it may have a Will."""
    event, will = make_will(world, client_id, credential.identity.orgs if credential.identity else ()) \
        if mortal else (None, None)
    world.did("connect", slot, f"{client_id} {version} {transport} auth {by_auth} clean {clean} "
                               f"expiry {expiry_s} will {event} {credential.identity or credential.reasons}")
    props = {"session_expiry": expiry_s} if expiry_s and version == V5 else None
    wire = world.open(version, transport)
    mark, sent = world.audit_mark(), time.time()
    try:
        answer = wire.enter(client_id, credential.token, by_auth, "anybody", clean, props, will)
        code = answer.code
    except Closed:
        world.check_alive()
        code = None
    answered = time.time()
    must, may = objections(world, client_id, credential, clean, sent, answered)
    if code == 0:
        if must:
            world.fail(f"let {client_id} in in spite of {must}: {credential}", slot)
        session = enter(world, client_id, credential.identity, answer.session_present, clean, sent, answered)
        session.persistent = not clean if version == V311 else expiry_s > 0
        world.last_subjects[client_id] = credential.identity.subject
        slot.wire, slot.session, slot.by_auth, slot.live = wire, session, by_auth, {}
        session.will, session.left = event, None
        if event:
            world.remember(event)
        if answer.session_present:
            world.settle(slot)
        return True
    wire.close()
    world.counts["refused connect"] += 1
    if code is not None and code != REFUSED[version]:
        world.fail(f"CONNACK {code:#x} for {client_id}", slot)
    reason = world.refusal(client_id, mark)
    if reason not in must | may:
        world.fail(f"refused {client_id} with {reason}, expected {must or 'to be let in'} {may or ''}: "
                   f"{credential}", slot)
    return False


def enter(world, client_id, identity, present, clean, sent, answered):
    """Makes the model follow an accepted CONNECT; the session that it has now."""
    old = world.sessions.get(client_id)
    resumable = old is not None and old.persistent and not clean
    if present != resumable and (present or old.certain):
        world.fail(f"session present is {present} for {client_id}", None, None, old, client_id)
    if old:
        take_over(world, old)
    session = old if present else Session(client_id)
    if present:
        session.resumed(Right(identity), sent, answered)
        session.certain = True
    else:
        session.rights = [Right(identity)]
    world.sessions[client_id] = session
    world.counts["resumed"] += present
    return session


def take_over(world, old):
    """The connection that had the client id until now ends."""
    slot = world.slot_of(old)
    if slot is None:
        return
    world.counts["take over"] += 1
    if not slot.wire.read_to_end():
        world.fail(f"{slot} was taken over and is still connected", slot)
    world.ended(slot, expected=True)


def connects(world, slot):
    """Somebody connects, with a good token or a bad one."""
    rng = world.rng
    subject = rng.choice((*PEOPLE, *PEOPLE, *SERVICES))
    version = rng.choice((V5, V311))
    bad = rng.random() < 0.12
    credential = world.mint.hostile(subject) if bad else world.mint.good(subject)
    orgs = credential.identity.orgs if credential.identity else {"acme"}
    client_id = client_id_for(world, subject, orgs)
    clean = rng.random() < (0.4 if "/" in client_id else 0.7)
    expiry_s = KEEP_S if version == V5 and rng.random() < (0.8 if not clean else 0.4) else 0
    by_auth = version == V5 and bool(credential.token) and rng.random() < 0.4
    transport = "ws" if rng.random() < 0.3 else "tcp"
    if connect(world, slot, client_id, credential, version, transport, by_auth, clean, expiry_s):
        for _ in range(rng.choice((0, 1, 1, 2))):
            # Its token may end before the second one.
            if slot.session:
                subscribes(world, slot)


def comes_back(world, slot):
    """Somebody takes up a session that is offline, or takes over a connection of the same subject."""
    rng = world.rng
    known = [each for each in world.sessions.values() if each.client_id not in world.staff]
    if not known:
        return
    old = rng.choice([each for each in known if each.state != ON] or known)
    subject = old.identity.subject if old.rights else rng.choice(tuple(PEOPLE))
    owner = old.client_id.split("/")[0]
    orgs = None
    if owner in ORGS and subject not in SERVICES and rng.random() < 0.9:
        subject = subject if owner in PEOPLE[subject] else rng.choice(
            [name for name, own in PEOPLE.items() if owner in own])
        others = [org for org in PEOPLE[subject] if org != owner and rng.random() < 0.6]
        orgs = [owner, *others]
    credential = world.mint.good(subject, orgs=orgs)
    version = rng.choice((V5, V311))
    clean = rng.random() < (0.15 if "/" in old.client_id else 0.4)
    expiry_s = KEEP_S if version == V5 and rng.random() < 0.85 else 0
    connect(world, slot, old.client_id, credential, version, rng.choice(("tcp", "tcp", "ws")),
            version == V5 and rng.random() < 0.3, clean, expiry_s)


# -- subscriptions ---------------------------------------------------------------------------------


def subscribes(world, slot):
    rng, identity = world.rng, slot.session.identity
    org = rng.choice(sorted(identity.orgs) or ORGS) if rng.random() < 0.85 else rng.choice(ORGS)
    topic_filter = f"org/{org}/invoices/{rng.choice(('#', '#', '#', 'paid/+', '+/+'))}"
    if rng.random() < 0.1:
        topic_filter = rng.choice(HOSTILE_FILTERS).format(org=org)
    qos = rng.choice((0, 1, 1, 1, 2))
    subscribe(world, slot, topic_filter, qos)


def subscribe(world, slot, topic_filter, qos):
    session = slot.session
    world.did("subscribe", slot, f"{topic_filter} qos {qos}")
    # Until the answer both the old and the new subscription may count.
    old, maybe = session.filters.pop(topic_filter, None), session.maybe_filters.pop(topic_filter, ())
    held = [qos, *maybe, *(() if old is None else (old,))]
    session.maybe_filters[topic_filter] = min(held), max(held)
    sent = time.time()
    try:
        (code,) = slot.wire.subscribe(topic_filter, qos)
    except Closed:
        world.ended(slot)
        return
    check_granted(world, slot, topic_filter, qos, code, sent)
    del session.maybe_filters[topic_filter]
    if code < 0x80:
        session.filters[topic_filter] = qos
    elif old is not None:
        session.filters[topic_filter] = old
    elif maybe:
        session.maybe_filters[topic_filter] = maybe


def check_granted(world, slot, topic_filter, qos, code, sent):
    session = slot.session
    (right,) = session.rights
    identity = right.identity
    fits = identity.may_subscribe(topic_filter)
    over = sent >= identity.deadline_s + CLOCK_LAG_S or (
        right.revoked is not None and sent >= right.revoked + REVOKE_S)
    near = time.time() >= identity.deadline_s or right.revoked is not None
    if code < 0x80 and (not fits or over):
        world.fail(f"granted {topic_filter} to {slot}", slot)
    if code >= 0x80 and fits and not near:
        world.fail(f"denied {topic_filter} to {slot}", slot)
    if code < 0x80 and code != qos:
        world.fail(f"granted QoS {code} instead of {qos} to {slot}", slot)
    world.counts["subscribe denied"] += code >= 0x80


def unsubscribes(world, slot):
    session = slot.session
    if not session.filters:
        return
    topic_filter = world.rng.choice(sorted(session.filters))
    world.did("unsubscribe", slot, topic_filter)
    qos = session.filters.pop(topic_filter)
    session.former_filters.add(topic_filter)
    session.maybe_filters[topic_filter] = qos, qos
    try:
        codes = slot.wire.unsubscribe(topic_filter)
    except Closed:
        world.ended(slot)
        return
    if any(code >= 0x80 for code in codes):
        world.fail(f"refused to unsubscribe {slot}", slot)
    del session.maybe_filters[topic_filter]


# -- the end ---------------------------------------------------------------------------------------


def leaves(world, slot):
    """By DISCONNECT, by the end of the stream, or by hanging up without a look at what is on the way."""
    rng, session, wire = world.rng, slot.session, slot.wire
    way = rng.choice(("disconnect", "disconnect", "hang up", "vanish"))
    world.did("leave", slot, way)
    session.left = time.time()
    if way == "vanish":
        world.read_inbox(slot)
        wire.close()
        slot.wire = slot.session = None
        last_will(world, session, UNSURE, way, prompt=False)
        return
    forget = session.persistent and wire.version == V5 and rng.random() < 0.2
    if way == "disconnect":
        ended = wire.leave({"session_expiry": 0} if forget else None)
        # The connection may have ended before the broker read that.
        session.certain = not forget or not world.may_end(session)
        session.persistent = session.persistent and not (forget and session.certain)
    else:
        ended = wire.hang_up()
    if not ended:
        world.check_alive()
        world.fail(f"the broker does not let {slot} go", slot)
    world.ended(slot, expected=True, way=way)

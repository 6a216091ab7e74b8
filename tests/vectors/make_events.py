#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes events.json: payloads on topics, and what the broker has to say of each, whoever implements it.

`catalogue` and `envelope` are the verdicts in the two modes of validate_events; `field` is the one at fault, as
the broker's message begins. A payload that is not UTF-8 stands in `payload_b64url` instead of `payload`.

Held to them are the broker's check (tests/unit/test_event_check.c), the emitter's check and encoder
(test_event_vectors.c) and the page's decoder (tests/browser/decode.test.mjs)."""

import base64
import json
from pathlib import Path

TOPIC = "org/acme/invoices/paid/inv-17"
NOTIFICATION_TOPIC = "org/acme/invoices/notification/n-4"
WHEN = "2026-11-24T10:00:00.123Z"
INVOICE = {"organizationId": "acme", "invoiceId": "inv-17", "invoiceNumber": "2026-0017",
           "amount": "99999999999999.99", "currency": "EUR", "status": "PAID", "timestamp": WHEN}
NOTIFICATION = {"organizationId": "acme", "notificationId": "n-4", "title": "Overdue",
                "message": "Invoice 2026-0017\nis overdue.", "type": "warning", "invoiceId": "inv-17",
                "timestamp": WHEN}
PAID = {"specversion": "1.0", "id": "01938c9e-0000-7000-8000-000000000001", "source": "/billing",
        "type": "invoice.paid", "subject": "inv-17", "time": WHEN, "datacontenttype": "application/json",
        "dataschema": "urn:orgcast:invoice:1", "organizationid": "acme", "data": INVOICE}
NOTED = {**PAID, "type": "notification.created", "subject": "n-4", "dataschema": "urn:orgcast:notification:1",
         "data": NOTIFICATION}
GONE = object()
vectors = []


def changed(base, changes):
    """base with members replaced, added, or, where they are GONE, left out."""
    return {key: value for key, value in {**base, **changes}.items() if value is not GONE}


def vector(name, payload, field, catalogue, envelope, topic=TOPIC, organization="acme"):
    if isinstance(payload, bytes):
        given = {"payload_b64url": base64.urlsafe_b64encode(payload).decode().rstrip("=")}
    elif isinstance(payload, str):
        given = {"payload": payload}
    else:
        given = {"payload": json.dumps(payload, ensure_ascii=False, separators=(",", ":"))}
    verdicts = {"catalogue": "valid" if catalogue else "invalid", "envelope": "valid" if envelope else "invalid"}
    vectors.append({"name": name, "organization": organization, "topic": topic, **given, **verdicts,
                    **({"field": field} if field else {})})


def good(name, event=PAID, **where):
    vector(name, event, None, True, True, **where)


def catalogue_only(name, field, event, **where):
    """Wrong for the catalogue, a good CloudEvent all the same."""
    vector(name, event, field, False, True, **where)


def bad(name, field, event, **where):
    vector(name, event, field, False, False, **where)


def data(field, name, value, kind="invoice"):
    """One member of the data changed: wrong for the catalogue, and the envelope's affair never."""
    base, topic, members = (PAID, TOPIC, INVOICE) if kind == "invoice" else (NOTED, NOTIFICATION_TOPIC, NOTIFICATION)
    changes = {**value} if isinstance(value, dict) else {field: value}
    catalogue_only(name, f"data.{field}" if field else "data", changed(base, {"data": changed(members, changes)}),
                   topic=topic)


def good_data(name, changes, kind="invoice"):
    base, topic, members = (PAID, TOPIC, INVOICE) if kind == "invoice" else (NOTED, NOTIFICATION_TOPIC, NOTIFICATION)
    good(name, changed(base, {"data": changed(members, changes)}), topic=topic)


def updated(previous):
    return changed(PAID, {"type": "invoice.updated", "data": {**INVOICE, "previous": previous}})


UPDATED_TOPIC = "org/acme/invoices/updated/inv-17"

# --- Good ones ---

good("an invoice")
good("a notification", NOTED, topic=NOTIFICATION_TOPIC)
for word in ("created", "updated", "sent", "overdue", "cancelled", "deleted"):
    good(f"invoice.{word}", changed(PAID, {"type": f"invoice.{word}"}), topic=f"org/acme/invoices/{word}/inv-17")
good("the least of an event",
     changed(PAID, {"time": GONE, "datacontenttype": GONE, "dataschema": GONE}))
good("null for what may be absent", changed(PAID, {"time": None, "dataschema": None, "datacontenttype": None}))
good("white space around and inside", " \t\r\n" + json.dumps(PAID, indent=2) + "\n")
good("escapes in names and values", json.dumps(PAID).replace('"type"', '"\\u0074ype"').replace("inv-17", "inv\\u002d17"))
good("extension attributes", changed(PAID, {"traceparent": "00-4bf9-00f0-01", "retries": 3, "urgent": True}))
good("an extension that is null", changed(PAID, {"traceparent": None}))
good("epoch and sequence of a sender", changed(PAID, {"epoch": "x", "sequence": "00000000000000000001"}))
good("epoch and sequence that are none", changed(PAID, {"epoch": 7, "sequence": False}))
good("epoch and sequence as the broker writes them",
     {"sequence": "00000000000000000042", "epoch": "5d0f3c2a9b7e1846", **PAID})
good("an epoch alone", changed(PAID, {"epoch": "5d0f3c2a9b7e1846"}))
good("extensions with digits, of one letter and empty", changed(PAID, {"x2": "", "3": "3", "y": False}))
good("the integers at the ends of 32 bits", changed(PAID, {"least": -2147483648, "most": 2147483647}))
good("minus zero", json.dumps(PAID)[:-1] + ',"retries":-0}')
good("data_base64 that is null", changed(PAID, {"data_base64": None}))
good("an escaped slash and a pair of surrogates", json.dumps(PAID).replace("2026-0017", "\\ud83e\\uDDFE\\/"))
for source in ("/billing", "billing", "urn:acme:billing", "https://billing.acme.example/a?b=c#d", "//acme.example",
               "?q", "#f", "mailto:ann@acme.example", "https://[2001:db8::1]:8443/", "/a%20b:c", "./a:b",
               "a:", "//", "///a", "https://ann:x@acme.example:8443/", "https://acme.example:?q#f", "//[::1]",
               "//a:80", "/a@b:c", "?a=/?:@"):
    good(f"source {source}", changed(PAID, {"source": source}))
for when in ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00.123456789+05:30", "2024-02-29T23:59:59-00:00",
             "2000-02-29T00:00:00Z", "0000-02-29T00:00:00+23:59", "9999-12-31T23:59:59.999999999Z"):
    good(f"time {when}", changed(PAID, {"time": when}))
    good_data(f"timestamp {when}", {"timestamp": when})
for amount in ("0", "-0", "007", "-12.5", "999999999999999999.999999"):
    good_data(f"amount {amount}", {"amount": amount})
for status in ("DRAFT", "SENT", "PENDING", "OVERDUE", "CANCELLED"):
    good_data(f"status {status}", {"status": status})
for kind in ("success", "info", "error"):
    good_data(f"notification type {kind}", {"type": kind}, "notification")
good_data("an invoice number of 128 bytes with spaces", {"invoiceNumber": "№ 1 " + "x" * 122})
good_data("an invoice number of brackets", {"invoiceNumber": "[{" * 64})
good_data("an invoice number of quotes and backslashes", {"invoiceNumber": '\\"\\\\""\\'})
good_data("an invoice number of 32 characters that have 4 bytes", {"invoiceNumber": "🧾" * 32})
good_data("a title of 256 bytes that are 128 characters", {"title": "é" * 128}, "notification")
good_data("a notification without an invoice", {"invoiceId": GONE}, "notification")
good_data("a message of 4096 bytes", {"message": "€\t\r\n" + "x" * 4090}, "notification")
good("all old values",
     updated({"invoiceNumber": "2026-0016", "amount": "10", "currency": "USD", "status": "DRAFT"}), topic=UPDATED_TOPIC)
good("no old value", updated({}), topic=UPDATED_TOPIC)
good("one old value", updated({"amount": "10.00"}), topic=UPDATED_TOPIC)
good("ids that are not ASCII",
     changed(PAID, {"subject": "ré:1", "organizationid": "café",
                    "data": {**INVOICE, "organizationId": "café", "invoiceId": "ré:1"}}),
     topic="org/café/invoices/paid/ré:1", organization="café")
good("an entity that begins with $", changed(PAID, {"subject": "$1", "data": {**INVOICE, "invoiceId": "$1"}}),
     topic="org/acme/invoices/paid/$1")
for name, entity in (("of 128 bytes", "é" * 64), ("with what is no white space", "a\u200b\ufeffb"),
                     ("of a character beyond 16 bits", "🧾"), ("called __proto__", "__proto__")):
    good(f"an entity {name}", changed(PAID, {"subject": entity, "data": {**INVOICE, "invoiceId": entity}}),
         topic=f"org/acme/invoices/paid/{entity}")
good("another template", topic="tenants/x/acme/billing/paid/inv-17")
good("a template that is the organization alone", topic="acme/paid/inv-17")

# --- Not strict JSON: no mode takes it ---

TEXT = json.dumps(PAID, separators=(",", ":"))
bad("nothing", "event", "")
bad("white space alone", "event", "  ")
bad("cut off", "event", TEXT[:-1])
bad("something behind it", "event", TEXT + "x")
bad("two events", "event", TEXT + TEXT)
bad("a comma at the end", "event", TEXT[:-1] + ",}")
bad("a comment", "event", "/* */" + TEXT)
bad("a byte order mark", "event", "\ufeff" + TEXT)
bad("single quotes", "event", TEXT.replace('"', "'"))
bad("an array", "event", f"[{TEXT}]")
bad("a text", "event", '"invoice.paid"')
bad("null", "event", "null")
bad("a number", "event", "1")
bad("an attribute twice", "event", TEXT[:-1] + ',"organizationid":"globex"}')
bad("an attribute twice, once with an escape", "event", TEXT[:-1] + ',"\\u006frganizationid":"globex"}')
bad("a member of data twice", "event", TEXT.replace('"amount"', '"amount":"1","amount"'))
bad("a NUL by escape", "event", TEXT.replace("inv-17", "inv-17\\u0000"))
bad("half a surrogate pair", "event", TEXT.replace("2026-0017", "\\ud83d"))
bad("a line end in a text", "event", TEXT.replace("2026-0017", "a\nb"))
bad("NaN", "event", TEXT[:-1] + ',"retries":NaN}')
bad("a number that no double holds", "event", TEXT[:-1] + ',"retries":1e999}')
bad("a leading zero", "event", TEXT[:-1] + ',"retries":01}')
bad("33 levels", "event", TEXT.replace('"99999999999999.99"', "[" * 31 + "]" * 31))
bad("33 levels of objects", "event", TEXT.replace('"99999999999999.99"', '{"a":' * 30 + "{}" + "}" * 30))
bad("a thousand levels", "event", "[" * 1000 + "]" * 1000)
catalogue_only("32 levels", "data.amount", TEXT.replace('"99999999999999.99"', "[" * 30 + "]" * 30))
bad("a member twice, deeper in", "event", TEXT.replace('"99999999999999.99"', '[{"a":1,"b":{},"a":1}]'))
bad("a member twice that every object has", "event", TEXT[:-1] + ',"x":{"__proto__":1,"__proto__":1}}')
bad("an empty name twice", "event", TEXT[:-1] + ',"x":{"":1,"":1}}')
for name, text in (("the second half of a pair", "\\udd17"), ("a pair the wrong way round", "\\udd17\\ud83d"),
                   ("half a pair and a letter", "\\ud83da"), ("an escape that is none", "\\x41"),
                   ("an escape of three digits", "\\u041"), ("an escape of other letters", "\\u00g1"),
                   ("a tab in a text", "\t"), ("a vertical tab's escape", "\\v")):
    bad(name, "event", TEXT.replace("2026-0017", text))
bad("a NUL by escape in a name", "event", TEXT[:-1] + ',"a\\u0000":1}')
bad("half a surrogate pair in a name", "event", TEXT[:-1] + ',"a\\ud83d":1}')
for number in ("+1", ".5", "1.", "1e", "1e+", "-", "--1", "0x10", "1_000", "Infinity", "-Infinity", "-01",
               "1 2", "True", "nul", "9223372036854775808", "-9223372036854775809", "-1e999", "1" + "0" * 400):
    bad(f"{number[:30]} as a number", "event", TEXT[:-1] + f',"retries":{number}}}')
for name, space in (("no-break space", "\u00a0"), ("form feed", "\f"), ("vertical tab", "\v"),
                    ("line separator", "\u2028")):
    bad(f"a {name} as white space", "event", TEXT.replace("{", "{" + space, 1))
bad("no colon", "event", TEXT.replace('"id":', '"id" ', 1))
bad("no comma", "event", TEXT.replace('","', '" "', 1))
bad("two commas", "event", TEXT.replace('","', '",,"', 1))
bad("a name without quotes", "event", TEXT.replace('"id"', "id", 1))
bad("a comma at the end of an array", "event", TEXT[:-1] + ',"x":[1,]}')
bad("an array that ends as an object", "event", TEXT[:-1] + ',"x":[1}}')

# --- Not UTF-8, or not text at all ---

BEFORE, AFTER = (part.encode() for part in TEXT.split("2026-0017"))
for name, some in (("a byte that is not UTF-8", b"\xff"), ("an overlong slash", b"\xc0\xaf"),
                   ("an overlong slash of three bytes", b"\xe0\x80\xaf"), ("a surrogate", b"\xed\xa0\x80"),
                   ("a pair of surrogates in UTF-8", b"\xed\xa0\xbd\xed\xb4\x97"),
                   ("beyond Unicode", b"\xf4\x90\x80\x80"), ("a character cut off", b"\xe2\x82"),
                   ("a byte that continues nothing", b"\x80"), ("a NUL in a text", b"a\0b")):
    bad(name, "event", BEFORE + some + AFTER)
bad("a character cut off at the end", "event", TEXT.encode() + b"\xe2\x82")
bad("a NUL behind", "event", TEXT.encode() + b"\0")
bad("a NUL before", "event", b"\0" + TEXT.encode())
bad("a NUL behind a number", "event", TEXT[:-1].encode() + b',"retries":1\0}')
bad("NULs alone", "event", b"\0\0\0\0")
bad("UTF-16", "event", TEXT.encode("utf-16-le"))
bad("UTF-16 with a byte order mark", "event", TEXT.encode("utf-16"))
bad("UTF-32", "event", TEXT.encode("utf-32-be"))
bad("Latin-1", "event", TEXT.replace("2026-0017", "é").encode("latin-1"))

# --- The envelope: no mode takes it ---

bad("no specversion", "specversion", changed(PAID, {"specversion": GONE}))
bad("specversion 0.3", "specversion", changed(PAID, {"specversion": "0.3"}))
bad("specversion as a number", "specversion", changed(PAID, {"specversion": 1.0}))
bad("no id", "id", changed(PAID, {"id": GONE}))
bad("an empty id", "id", changed(PAID, {"id": ""}))
bad("an id that is null", "id", changed(PAID, {"id": None}))
bad("an id that is a number", "id", changed(PAID, {"id": 17}))
bad("an id with a control character", "id", changed(PAID, {"id": "a\u0007"}))
bad("an id with a noncharacter", "id", changed(PAID, {"id": "a\uffff"}))
bad("an id with a noncharacter beyond 16 bits", "id", changed(PAID, {"id": "a\U0001fffe"}))
bad("an id with a noncharacter among Arabic forms", "id", changed(PAID, {"id": "a\ufdd0"}))
bad("an id with a DEL", "id", changed(PAID, {"id": "a\u007f"}))
bad("an id that ends in a line end", "id", changed(PAID, {"id": "a\n"}))
bad("no source", "source", changed(PAID, {"source": GONE}))
bad("an empty source", "source", changed(PAID, {"source": ""}))
for source in ("a b", "/café", "1:2", ":a", "a[b]", "/%2", "/%zz", "#a#b", "https://[::1", "/a\\b", "<a>",
               "//a[::1]", "//[::1]a", "//[]", "//[::1]]", "//[::1]:a", "//[%41]", "//a:b", "//a:80:80",
               "https://a@b@c/", "//[a]@b", "urn:[a]", "?[a]", "a|b", "a^b", "{a}",
               "%", ":", "1a:b", "a_b:c", "/a\u007f", "/🧾"):
    bad(f"source {source}", "source", changed(PAID, {"source": source}))
bad("no type", "type", changed(PAID, {"type": GONE}))
bad("an empty type", "type", changed(PAID, {"type": ""}))
bad("a type that is an object", "type", changed(PAID, {"type": {}}))
bad("no organizationid", "organizationid", changed(PAID, {"organizationid": GONE}))
bad("an empty organizationid", "organizationid", changed(PAID, {"organizationid": ""}))
bad("an organizationid that is an array", "organizationid", changed(PAID, {"organizationid": ["acme"]}))
for organization in ("globex", "Acme", "acme ", "acm", "acmee"):
    bad(f"organizationid '{organization}'", "organizationid", changed(PAID, {"organizationid": organization}))
bad("the organization of another topic", "organizationid", PAID, topic="org/globex/invoices/paid/inv-17",
    organization="globex")
bad("organizationId instead of organizationid", "organizationid",
    changed(PAID, {"organizationid": GONE, "organizationId": "acme"}))
bad("a composed and a decomposed é", "organizationid", changed(PAID, {"organizationid": "cafe\u0301"}),
    topic="org/café/invoices/paid/inv-17", organization="café")
bad("an empty subject", "subject", changed(PAID, {"subject": ""}))
bad("a subject that is a number", "subject", changed(PAID, {"subject": 17}))
TIMES = ("2026-11-24", "2026-11-24T10:00:00", "2026-11-24 10:00:00Z", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
         "2026-11-24T24:00:00Z", "2026-11-24T10:00:60Z", "2026-11-24T10:00:00.Z", "2026-11-24T10:00:00.1234567890Z",
         "2026-11-24T10:00:00+24:00", "2026-11-24T10:00:00z", "1795514400", "soon", "2026-11-24T10:00Z",
         "2026-11-24T10:00:00,5Z", "2026-11-24t10:00:00Z", "2026-11-24T10:00:00+0100", "2026-11-24T10:00:00+01:60",
         "2026-11-24T10:60:00Z", "2026-00-24T10:00:00Z", "2026-11-00T10:00:00Z", "2026-11-31T10:00:00Z",
         "1900-02-29T10:00:00Z", "2026-04-31T10:00:00Z", "2026-11-32T10:00:00Z", "26-11-24T10:00:00Z",
         "+002026-11-24T10:00:00Z", " 2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z ",
         "2026-11-24T10:00:00ZZ", "2026-11-24T10:00:00Z\n",
         "٢026-11-24T10:00:00Z", "")
for when in TIMES:
    bad(f"time {when}", "time", changed(PAID, {"time": when}))
bad("an empty dataschema", "dataschema", changed(PAID, {"dataschema": ""}))
bad("a relative dataschema", "dataschema", changed(PAID, {"dataschema": "/invoice"}))
bad("an empty datacontenttype", "datacontenttype", changed(PAID, {"datacontenttype": ""}))
bad("an attribute in camel case", "event", changed(PAID, {"traceParent": "00"}))
bad("an attribute with a dash", "event", changed(PAID, {"trace-parent": "00"}))
bad("an attribute without a name", "event", changed(PAID, {"": "00"}))
bad("an extension that is an object", "event", changed(PAID, {"trace": {"id": 1}}))
bad("an extension that is an array", "event", changed(PAID, {"trace": [1]}))
bad("an extension that is a fraction", "event", changed(PAID, {"retries": 1.5}))
bad("an extension beyond 32 bits", "event", changed(PAID, {"retries": 2147483648}))
bad("an extension below 32 bits", "event", changed(PAID, {"retries": -2147483649}))
bad("an extension at the end of 64 bits", "event", changed(PAID, {"retries": 9223372036854775807}))
for number in ("3.0", "3e0", "1E2", "-0.0", "1e-999"):
    bad(f"an extension written {number}", "event", TEXT[:-1] + f',"retries":{number}}}')
bad("an extension called __proto__", "event", TEXT[:-1] + ',"__proto__":"a"}')
bad("an extension called __proto__ that is an object", "event", TEXT[:-1] + ',"__proto__":{"a":"b"}}')
bad("an extension whose name is not ASCII", "event", changed(PAID, {"é": "a"}))
bad("an extension with a noncharacter", "event", changed(PAID, {"trace": "a\ufffe"}))
bad("an extension with a control character", "event", changed(PAID, {"trace": "a\u0085"}))
bad("data twice, once as base64", "data_base64", changed(PAID, {"data_base64": "e30="}))
bad("data_base64 that is an object", "data_base64", changed(PAID, {"data": GONE, "data_base64": {}}))

# --- Good CloudEvents that the catalogue does not have ---

catalogue_only("a type of another domain", "type", changed(PAID, {"type": "order.placed", "dataschema": GONE}))
catalogue_only("a type in another case", "type", changed(PAID, {"type": "Invoice.Paid"}))
catalogue_only("a type with something before", "type", changed(PAID, {"type": "com.acme.invoice.paid"}))
for name in ("constructor", "__proto__", "toString", "hasOwnProperty", "invoice.paid ", "invoice", "paid"):
    catalogue_only(f"type '{name}'", "type", changed(PAID, {"type": name}))
catalogue_only("a topic without a word", "type", PAID, topic="org/acme/invoices//inv-17")
catalogue_only("a type of another topic", "type", changed(PAID, {"type": "invoice.sent"}))
catalogue_only("a notification on an invoice's topic", "type", NOTED)
catalogue_only("the whole type as the topic's word", "type", PAID, topic="org/acme/invoices/invoice.paid/inv-17")
catalogue_only("the topic's word is longer", "type", PAID, topic="org/acme/invoices/paidx/inv-17")
catalogue_only("the topic's word is shorter", "type", PAID, topic="org/acme/invoices/pai/inv-17")
catalogue_only("the topic goes on", "type", PAID, topic="org/acme/invoices/paid/inv-17/more")
catalogue_only("the topic ends early", "type", PAID, topic="org/acme/invoices/paid")
catalogue_only("a topic of two levels", "type", PAID, topic="paid/inv-17")
catalogue_only("a topic of one level", "type", PAID, topic="acme")
catalogue_only("no subject", "subject", changed(PAID, {"subject": GONE}))
catalogue_only("a subject that is null", "subject", changed(PAID, {"subject": None}))
catalogue_only("another subject", "subject", changed(PAID, {"subject": "inv-18"}))
catalogue_only("another topic's entity", "subject", PAID, topic="org/acme/invoices/paid/inv-18")
catalogue_only("an empty entity", "subject", PAID, topic="org/acme/invoices/paid/")
catalogue_only("another media type", "datacontenttype", changed(PAID, {"datacontenttype": "application/xml"}))
catalogue_only("a media type with a parameter", "datacontenttype",
               changed(PAID, {"datacontenttype": "application/json; charset=utf-8"}))
catalogue_only("the schema with a fragment", "dataschema", changed(PAID, {"dataschema": "urn:orgcast:invoice:1#"}))
catalogue_only("another schema", "dataschema", changed(PAID, {"dataschema": "urn:orgcast:notification:1"}))
catalogue_only("the next version of the schema", "dataschema", changed(PAID, {"dataschema": "urn:orgcast:invoice:2"}))
catalogue_only("no data", "data", changed(PAID, {"data": GONE}))
catalogue_only("data that is null", "data", changed(PAID, {"data": None}))
catalogue_only("data that is a text", "data", changed(PAID, {"data": json.dumps(INVOICE)}))
catalogue_only("data that is an array", "data", changed(PAID, {"data": [INVOICE]}))
catalogue_only("data as base64", "data_base64", changed(PAID, {"data": GONE, "data_base64": "e30="}))
data("", "a member that the catalogue does not have", {"total": "1"})
data("", "an empty member name", {"": ""})
data("", "a name in another case", {"Amount": "1"})
data("", "a member called constructor", {"constructor": "1"})
catalogue_only("a member called __proto__", "data", TEXT.replace('"amount"', '"__proto__":{"a":"1"},"amount"'))
catalogue_only("the amount in the prototype alone", "data.amount",
               TEXT.replace('"amount":"99999999999999.99"', '"__proto__":{"amount":"1"}'))
for name in INVOICE:
    data(name, f"invoice without {name}", {name: GONE})
    data(name, f"invoice with {name} null", {name: None})
for name in NOTIFICATION:
    if name != "invoiceId":
        data(name, f"notification without {name}", {name: GONE}, "notification")
data("organizationId", "data of another organization", "globex")
data("invoiceId", "data of another invoice", "inv-18")
data("notificationId", "data of another notification", "n-5", "notification")
data("invoiceId", "a notification's invoice with a slash", "inv/17", "notification")
data("invoiceId", "a notification's invoice that is empty", "", "notification")
for name, space in (("space", " "), ("no-break space", "\u00a0"), ("line separator", "\u2028"),
                    ("ideographic space", "\u3000"), ("Ogham space mark", "\u1680"), ("line end", "\n"),
                    ("next line", "\u0085"), ("noncharacter", "\ufffe"), ("plus", "+"), ("hash", "#")):
    data("invoiceId", f"a notification's invoice with a {name}", f"a{space}b", "notification")
data("invoiceId", "a notification's invoice of 129 bytes", "é" * 64 + "a", "notification")
for organization in ("$acme", "ac+me", "ac me", "é" * 65, ""):
    data("organizationId", f"data of the organization '{organization}'", organization)
data("invoiceNumber", "an empty invoice number", "")
data("invoiceNumber", "an invoice number of 33 characters that have 4 bytes", "🧾" * 33)
data("invoiceNumber", "an invoice number with a C1 control character", "a\u009f")
data("invoiceNumber", "an invoice number with a noncharacter", "a\U0010ffff")
data("invoiceNumber", "an invoice number that is a boolean", True)
data("invoiceNumber", "an invoice number of 129 bytes", "№" + "x" * 126)
data("invoiceNumber", "an invoice number with a tab", "2026\t17")
for amount in (10, 10.5, "", "-", "+1", "1.", ".5", "1e9", "1,00", " 1", "1 ", "1.0000000", "1234567890123456789",
               "--1", "0x10", "١", "NaN", "1\n", "1.0\n", "-.5", ".", "1.2.3", "１", ["1"], True):
    data("amount", f"amount {amount!r}", amount)
data("amount", "an amount that is an object", {"amount": {}})
for currency in ("", "eur", "EU", "EURO", "EU1", "ÉUR", 978, "EUR\n", "EUR ", "ЕUR", "EURUSD"):
    data("currency", f"currency {currency!r}", currency)
for status in ("", "paid", "PAID ", "UNSET", 4, ["PAID"], "length", "PAID,SENT"):
    data("status", f"status {status!r}", status)
for when in TIMES:
    data("timestamp", f"timestamp {when}", when)
data("previous", "old values of a paid invoice", {"previous": {"amount": "1"}})
for previous, field in (([], "previous"), ("DRAFT", "previous"), (None, "previous"),
                        ({"amount": 1}, "previous.amount"), ({"status": "draft"}, "previous.status"),
                        ({"currency": None}, "previous.currency"), ({"invoiceNumber": ""}, "previous.invoiceNumber"),
                        ({"timestamp": WHEN}, "previous"), ({"previous": {}}, "previous")):
    catalogue_only(f"old values {json.dumps(previous)}", f"data.{field}", updated(previous), topic=UPDATED_TOPIC)
data("title", "an empty title", "", "notification")
data("title", "a title of two lines", "a\nb", "notification")
data("title", "a title of 257 bytes", "x" * 257, "notification")
data("title", "a title of 257 bytes that are 129 characters", "é" * 128 + "x", "notification")
data("message", "an empty message", "", "notification")
data("message", "a message of 4097 bytes", "x" * 4097, "notification")
data("message", "a message of 4097 bytes that are 1366 characters", "€" * 1365 + "é", "notification")
data("message", "a message with a form feed", "a\fb", "notification")
data("message", "a message with a next line", "a\u0085b", "notification")
data("message", "a message with a noncharacter behind a line end", "a\n\ufdef", "notification")
data("message", "a message with an escape character", "\u001b[31m", "notification")
data("type", "a notification type in another case", "Info", "notification")
data("type", "a notification type that is the event's", "notification.created", "notification")
data("", "a notification with an amount", {"amount": "1"}, "notification")

names = [one["name"] for one in vectors]
assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
lines = ",\n".join("    " + json.dumps(one) for one in vectors)
Path(__file__).with_name("events.json").write_text(
    '{\n  "note": "written by make_events.py, which says what the members mean",\n  "vectors": [\n' + lines + "\n  ]\n}\n",
    encoding="utf-8")

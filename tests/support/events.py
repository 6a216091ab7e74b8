# SPDX-License-Identifier: MIT
"""Valid events of the catalogue for a topic, and what a test compares of them."""

import json
import uuid

PAID = "paid"


def topic(organization, event=PAID, entity="inv-1"):
    return f"org/{organization}/invoices/{event}/{entity}"


def event(organization, kind=PAID, entity="inv-1"):
    """(topic, payload) of a CloudEvent. Tests compare `event_id` of what arrives."""
    when = "2026-11-24T10:00:00.123Z"
    if kind == "notification":
        name = "notification.created"
        data = {"organizationId": organization, "notificationId": entity, "title": "Paid",
                "message": "Invoice 2026-0017 was paid", "type": "success", "timestamp": when}
        schema = "urn:orgcast:notification:1"
    else:
        name = f"invoice.{kind}"
        data = {"organizationId": organization, "invoiceId": entity, "invoiceNumber": "2026-0017",
                "amount": "99999999999999.99", "currency": "EUR", "status": "PAID",
                "timestamp": when}
        schema = "urn:orgcast:invoice:1"
    payload = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/billing", "type": name,
               "subject": entity, "time": when, "datacontenttype": "application/json",
               "dataschema": schema, "organizationid": organization, "data": data}
    return topic(organization, kind, entity), json.dumps(payload, ensure_ascii=False).encode()


def event_id(payload):
    return json.loads(payload)["id"]

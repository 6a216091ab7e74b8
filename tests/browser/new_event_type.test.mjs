// SPDX-License-Identifier: MIT
// Follows "Adding an event type" of CONTRIBUTING.md in a copy of the tree: the page's decoder
// knows the new types without a line of its own.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadSource } from './bundle.mjs';
import { ROOT, run } from './harness.mjs';

let tree;
let events;

before(async () => {
  tree = await mkdtemp(join(tmpdir(), 'orgcast-new-type-'));
  await run(join(ROOT, 'tests/support/new_event_type.py'), [tree]);
  events = await loadSource('events', join(tree, 'demo/src'));
});
after(() => rm(tree, { recursive: true, force: true }));

const payment = {
  organizationId: 'acme',
  paymentId: 'p-1',
  method: 'card',
  iban: 'DE02120300000000202051',
  timestamp: '2026-11-24T10:00:00.123Z',
};

function decode(changes, topic = 'org/acme/invoices/received/p-1', attributes = {}) {
  const event = {
    specversion: '1.0', id: 'e-1', source: '/billing', type: 'payment.received', subject: 'p-1',
    organizationid: 'acme', data: { ...payment, ...changes }, ...attributes,
  };
  return events.decodeEvent(new TextEncoder().encode(JSON.stringify(event)), topic, 'acme');
}

test('a type with data of its own is decoded', () => {
  const { organizationId: _own, ...data } = payment;
  const decoded = { ok: true, event: { id: 'e-1', type: 'payment.received', data, position: null } };
  assert.deepEqual(decode({}), decoded);
  assert.deepEqual(decode({}, undefined, { dataschema: 'urn:orgcast:payment:1' }), decoded);
});

const bad = {
  'an unknown value': [{ method: 'cheque' }, 'data.method must be transfer, card or cash'],
  'a text that does not match': [{ iban: 'DE0x' }, 'data.iban must be an IBAN without spaces'],
  'a member that is missing': [{ method: undefined }, 'data.method is missing'],
  "another kind's member": [{ amount: '1' }, 'data has a member that is not in the catalogue'],
  "another payment's topic": [{}, "subject is not the topic's last level", 'org/acme/invoices/received/p-2'],
  "another type's topic": [{}, 'type is not what the topic is for', 'org/acme/invoices/paid/p-1'],
};
for (const [name, [changes, reason, topic]] of Object.entries(bad)) {
  test(`it is left out with ${name}`, () => {
    assert.deepEqual(decode(changes, topic), { ok: false, reason });
  });
}

test('a type whose data was there is decoded', async () => {
  const { vectors } = JSON.parse(await readFile(new URL('../vectors/events.json', import.meta.url), 'utf8'));
  const payload = vectors[0].payload.replace('invoice.paid', 'invoice.refunded');
  const decoded = events.decodeEvent(new TextEncoder().encode(payload), 'org/acme/invoices/refunded/inv-17', 'acme');
  assert.equal(decoded.ok, true, decoded.reason);
  assert.equal(decoded.event.type, events.InvoiceEvent.REFUNDED);
});

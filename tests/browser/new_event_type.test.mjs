// SPDX-License-Identifier: MIT
// Follows "Adding an event type" of CONTRIBUTING.md in a copy of the tree, as tests/unit/test_new_event_type.py does:
// the page's decoder knows the new types without a line of its own.
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { loadSource } from './bundle.mjs';
import { run } from './harness.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLLOW = `
import sys
from pathlib import Path
sys.path.insert(0, "tests/unit")
import test_new_event_type as new_event_type
tree = Path(sys.argv[1])
new_event_type.copy_tree(tree)
new_event_type.follow_contributing(tree / "events")
new_event_type.run(tree / "events/generate")
`;

let tree;
let events;

before(async () => {
  tree = await mkdtemp(join(tmpdir(), 'orgcast-new-type-'));
  await run('/usr/bin/python3', ['-B', '-c', FOLLOW, tree], '', ROOT);
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

test("the page's own files type-check with it", async () => {
  await copyFile(join(ROOT, 'demo/tsconfig.json'), join(tree, 'demo/tsconfig.json'));
  await symlink(join(ROOT, 'demo/node_modules'), join(tree, 'demo/node_modules'));
  const tsc = join(ROOT, 'demo/node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '--noEmit', '-p', join(tree, 'demo')]);
});

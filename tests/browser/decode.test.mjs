// SPDX-License-Identifier: MIT
// What the page makes of bytes from the network, without a browser.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const source = (name) => fileURLToPath(new URL(`../../demo/src/${name}.ts`, import.meta.url));
const { buildSync } = createRequire(new URL('../../demo/package.json', import.meta.url))('esbuild');

async function load(name) {
  const { outputFiles } = buildSync({ entryPoints: [source(name)], bundle: true, format: 'esm', write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}

const { decodeEvent } = await load('events');
const { formatAmount } = await load('view');

const data = {
  organizationId: 'acme',
  invoiceId: 'inv-17',
  invoiceNumber: '2026-0017',
  amount: '99999999999999.99',
  currency: 'EUR',
  status: 'PAID',
  timestamp: '2026-11-24T10:00:00.123Z',
};
const event = { specversion: '1.0', id: 'e-1', source: '/billing', type: 'invoice.paid', data };
const decode = (value, organizationId = 'acme') =>
  decodeEvent(value instanceof Uint8Array ? value : new TextEncoder().encode(JSON.stringify(value)), organizationId);

test('a valid event comes out with its fields', () => {
  const { organizationId, ...fields } = data;
  assert.deepEqual(decode(event), { ok: true, event: { id: 'e-1', type: 'invoice.paid', data: fields } });
  assert.equal(organizationId, 'acme');
});

const bad = {
  'no JSON': new TextEncoder().encode('{"a":'),
  'no UTF-8': Uint8Array.of(0x7b, 0xff, 0x7d),
  'an array': [event],
  'null': null,
  'another CloudEvents version': { ...event, specversion: '0.3' },
  'no id': { ...event, id: undefined },
  'an unknown type': { ...event, type: 'invoice.shredded' },
  'a type from the prototype': { ...event, type: 'constructor' },
  'no data': { ...event, data: undefined },
  "another organization's data": { ...event, data: { ...data, organizationId: 'globex' } },
  'an amount that is a number': { ...event, data: { ...data, amount: 10 } },
  'an amount that is no decimal': { ...event, data: { ...data, amount: '1e9' } },
  'an unknown status': { ...event, data: { ...data, status: 'paid' } },
  'a timestamp that is none': { ...event, data: { ...data, timestamp: 'soon' } },
  'a notification without a title': { ...event, type: 'notification.created', data },
};
for (const [name, value] of Object.entries(bad)) {
  test(`left out: ${name}`, () => {
    const decoded = decode(value);
    assert.equal(decoded.ok, false);
    assert.ok(decoded.reason.length > 0);
  });
}

test('amounts are grouped digit by digit', () => {
  const cases = {
    '0': '0.00', '7.5': '7.50', '999': '999.00', '1000': '1,000.00', '-1234567.891': '\u22121,234,567.891',
    '999999999999999999.999999': '999,999,999,999,999,999.999999',
  };
  for (const [amount, shown] of Object.entries(cases)) assert.equal(formatAmount(amount), shown, amount);
});

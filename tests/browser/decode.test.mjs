// SPDX-License-Identifier: MIT
// What the page makes of bytes from the network, without a browser.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadSource } from './bundle.mjs';

const { decodeEvent } = await loadSource('events');
const { formatAmount } = await loadSource('view');
const { vectors } = JSON.parse(readFileSync(new URL('../vectors/events.json', import.meta.url), 'utf8'));

const bytesOf = ({ payload, payload_b64url: base64 }) =>
  Uint8Array.from(payload === undefined ? Buffer.from(base64, 'base64url') : Buffer.from(payload));
const decode = (vector, payload = bytesOf(vector)) => decodeEvent(payload, vector.topic, vector.organization);

// --- The vectors: what the broker's check says of each, the page says too ---

function checkValid(vector, decoded) {
  const { id, type, data } = JSON.parse(vector.payload);
  const { organizationId, ...fields } = data;
  assert.equal(decoded.ok, true, decoded.reason);
  assert.deepEqual([decoded.event.id, decoded.event.type, decoded.event.data], [id, type, fields]);
  assert.equal(organizationId, vector.organization);
}

function checkInvalid(vector, decoded) {
  assert.equal(decoded.ok, false, 'it was taken');
  assert.ok(decoded.reason.startsWith(`${vector.field} `), `not about ${vector.field}: ${decoded.reason}`);
}

for (const vector of vectors) {
  test(`${vector.catalogue}: ${JSON.stringify(vector.name)}`, () => {
    (vector.catalogue === 'valid' ? checkValid : checkInvalid)(vector, decode(vector));
  });
}

test('the vectors are many, of both kinds', () => {
  const valid = vectors.filter(({ catalogue }) => catalogue === 'valid').length;
  assert.ok(valid >= 80 && vectors.length - valid >= 380, `${valid} of ${vectors.length} are valid`);
});

// --- What no vector says ---

const [first] = vectors;

test('no part of an event is one', () => {
  const payload = bytesOf(first);
  for (let length = 0; length < payload.length; length += 1) {
    assert.equal(decode(first, payload.subarray(0, length)).ok, false, `cut to ${length}`);
  }
});

test('nothing of an event is in the reason for leaving it out', () => {
  const event = JSON.parse(first.payload);
  const marked = (object, name) => ({ ...object, [name]: '<marked>' });
  const changed = [
    ...Object.keys(event).map((name) => marked(event, name)),
    ...Object.keys(event.data).map((name) => ({ ...event, data: marked(event.data, name) })),
    marked(event, '<marked>'),
    { ...event, data: marked(event.data, '<marked>') },
  ];
  const reasons = changed.map((one) => decode(first, new TextEncoder().encode(JSON.stringify(one))).reason);
  assert.equal(reasons.filter((reason) => reason === undefined).length, 2, 'any text is an id and an invoice number');
  assert.deepEqual(reasons.filter((reason) => reason?.includes('marked')), []);
});

const POSITION = { epoch: '5d0f3c2a9b7e1846', sequence: '00000000000000000042' };
const positions = {
  'as the broker writes it': [POSITION, POSITION],
  'none': [{}, null],
  'an epoch alone': [{ epoch: POSITION.epoch }, null],
  'a sequence alone': [{ sequence: POSITION.sequence }, null],
  'an epoch in capitals': [{ ...POSITION, epoch: '5D0F3C2A9B7E1846' }, null],
  'a short sequence': [{ ...POSITION, sequence: '42' }, null],
  'a sequence that is a number': [{ ...POSITION, sequence: 42 }, null],
  'null': [{ epoch: null, sequence: null }, null],
};
for (const [name, [attributes, position]] of Object.entries(positions)) {
  test(`position: ${name}`, () => {
    const payload = new TextEncoder().encode(JSON.stringify({ ...JSON.parse(first.payload), ...attributes }));
    assert.deepEqual(decode(first, payload).event.position, position);
  });
}

test('amounts are grouped digit by digit', () => {
  const cases = {
    '0': '0.00', '7.5': '7.50', '999': '999.00', '1000': '1,000.00', '-1234567.891': '\u22121,234,567.891',
    '999999999999999999.999999': '999,999,999,999,999,999.999999',
  };
  for (const [amount, shown] of Object.entries(cases)) assert.equal(formatAmount(amount), shown, amount);
});

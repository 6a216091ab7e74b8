// SPDX-License-Identifier: MIT
// docs/asyncapi.yaml by the AsyncAPI project's own parser.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { DiagnosticSeverity, Parser } from '@asyncapi/parser';

const read = (path) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
const parse = (text) => new Parser().parse(text);
const faults = ({ diagnostics }) =>
  diagnostics
    .filter(({ severity }) => severity <= DiagnosticSeverity.Warning)
    .map(({ path, message }) => `${path.join('.')}: ${message}`);

test('the document is a valid AsyncAPI 3 document', async () => {
  const parsed = await parse(await read('docs/asyncapi.yaml'));
  assert.deepEqual(faults(parsed), []);
  assert.match(parsed.document.version(), /^3\./);
});

test('every type of the catalogue has a channel, is sent and received, and needs a token', async () => {
  const { types } = JSON.parse(await read('events/catalogue.json'));
  const { document } = await parse(await read('docs/asyncapi.yaml'));
  const operations = document.operations().all();
  for (const { type: name } of types) {
    const channel = document.channels().all().find((one) => one.title() === name);
    assert.ok(channel, name);
    assert.match(channel.address(), /^org\/\{organizationId\}\/invoices\//);
    assert.deepEqual(channel.messages().all().map((one) => one.name()), [name]);
    const actions = operations.filter((one) => one.channels().all()[0].title() === name).map((one) => {
      assert.equal(one.security().length, 1, `${name} ${one.action()}`);
      return one.action();
    });
    assert.deepEqual(actions.sort(), ['receive', 'send'], name);
  }
  assert.equal(document.channels().all().length, types.length);
});

test('a document with a fault is told', async () => {
  const text = (await read('docs/asyncapi.yaml')).replaceAll('#/components/messages/invoicePaid', '#/components/messages/nothing');
  assert.notDeepEqual(faults(await parse(text)), []);
});

// SPDX-License-Identifier: MIT
// The event types of CONTRIBUTING.md, added to a copy of the tree as that says, on their way to the page: what the
// copy's command line emits, the copy's plugin lets through, and the copy's page shows.
import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  BUILD, Broker, ROOT, invoice, launchBrowser, openPage, run, until, waitForIndicator, waitForInvoice,
} from './harness.mjs';

const PAYMENT = {
  type: 'payment.received', organizationId: 'acme', paymentId: 'p-1', method: 'card', iban: 'DE02120300000000202051',
  timestamp: '2026-11-24T10:00:00Z',
};

let tree;
let browser;

before(async () => {
  tree = await mkdtemp(join(tmpdir(), 'orgcast-new-type-'));
  await run(join(ROOT, 'tests/support/new_event_type.py'), [tree, 'plugin', 'cli']);
  const demo = join(tree, 'demo');
  await symlink(join(ROOT, 'demo/node_modules'), join(demo, 'node_modules'));
  await run(join(demo, 'node_modules/.bin/tsc'), ['--noEmit', '--project', demo]);
  await run(process.execPath, [join(demo, 'build.mjs')]);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  if (tree !== undefined) await rm(tree, { recursive: true, force: true });
});

/** A broker with the plugin of a build, and the copy's page open on it; both are gone after the test. */
async function open(t, build) {
  const broker = await Broker.create({ root: tree, build, orgcast: join(tree, 'build/cli/orgcast') });
  t.after(() => broker.remove());
  await broker.start();
  const page = await openPage(browser, broker.url('acme', await broker.token('acme')));
  t.after(async () => {
    await page.context().close();
    assert.deepEqual(page.problems, [], 'script errors and breaches of the content security policy');
  });
  await waitForIndicator(page, 'live');
  return { broker, page };
}

const toast = (page, title) =>
  page.locator('#toasts .toast').filter({ has: page.getByText(title, { exact: true }) }).locator('.toast-message');

test('with the catalogue alone changed, the new events are in the page', async (t) => {
  const { broker, page } = await open(t, join(tree, 'build'));
  await broker.emit(PAYMENT, invoice('acme', 'a-1', { type: 'invoice.refunded', status: 'CANCELLED' }));
  await waitForInvoice(page, 'a-1', 'CANCELLED');
  assert.equal(
    await toast(page, 'payment.received').textContent(),
    'paymentId: p-1 \u00b7 method: card \u00b7 iban: DE02120300000000202051 \u00b7 timestamp: 2026-11-24T10:00:00Z',
  );
  assert.equal(await toast(page, 'invoice.refunded').textContent(), '2026-a-1 \u00b7 10.00 EUR');
});

test('a plugin with the catalogue as it was lets none of them through', async (t) => {
  const { broker, page } = await open(t, BUILD);
  const refused = {
    'received/p-1': PAYMENT,
    'refunded/a-1': invoice('acme', 'a-1', { type: 'invoice.refunded' }),
  };
  for (const [topic, event] of Object.entries(refused)) {
    await assert.rejects(broker.emit(event), /"status":"refused"/, topic);
    const line = new RegExp(`denied publish 'org/acme/invoices/${topic}' .*event_invalid`);
    await until(`${topic} is event_invalid`, () => line.test(broker.log));
  }
  // The page knows these types, so that they are not there is the plugin's doing.
  await broker.emit(invoice('acme', 'a-2'));
  await waitForInvoice(page, 'a-2');
  assert.deepEqual(await page.locator('#toasts .toast-title').allTextContents(), ['New invoice']);
});

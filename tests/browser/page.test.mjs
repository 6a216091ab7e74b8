// SPDX-License-Identifier: MIT
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, afterEach, before, test } from 'node:test';
import { Broker, invoice, invoiceIds, launchBrowser, openPage, waitForIndicator, waitForInvoice } from './harness.mjs';

const axe = createRequire(import.meta.url)('axe-core');

let broker;
let browser;
const opened = [];

before(async () => {
  broker = await Broker.create();
  await broker.start();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await broker?.remove();
});

afterEach(async () => {
  const problems = opened.flatMap((page) => page.problems);
  await Promise.all(opened.splice(0).map((page) => page.context().close()));
  assert.deepEqual(problems, [], 'script errors and breaches of the content security policy');
});

async function open(organization, options = {}) {
  const token = options.token ?? (await broker.token(organization));
  const page = await openPage(browser, broker.url(organization, token), options.context);
  opened.push(page);
  return page;
}

async function openLive(organization, options) {
  const page = await open(organization, options);
  await waitForIndicator(page, 'live');
  return page;
}

const toasts = (page) => page.locator('#toasts .toast');
const toastTitled = (page, title) => toasts(page).filter({ has: page.locator('.toast-title', { hasText: title }) });

test('an organization sees its event and no other organization does', async () => {
  const [acme, globex] = [await openLive('acme'), await openLive('globex')];
  await broker.emit(
    invoice('acme', 'a-1', { invoiceNumber: '2026-0017', amount: '99999999999999.99', status: 'DRAFT' }),
    invoice('globex', 'g-1'),
  );
  await waitForInvoice(acme, 'a-1', 'DRAFT');
  await waitForInvoice(globex, 'g-1', 'SENT');
  assert.deepEqual(await invoiceIds(globex), ['g-1']);
  assert.deepEqual(await invoiceIds(acme), ['a-1']);
  const cells = await acme.locator('#rows tr').first().locator('th, td').allTextContents();
  assert.deepEqual(cells.slice(0, 3), ['2026-0017', '99,999,999,999,999.99 EUR', 'Draft']);
});

test("a token of another organization does not open an organization's stream", async () => {
  const page = await open('acme', { token: await broker.token('globex') });
  await waitForIndicator(page, 'unauthorized');
  const acme = await openLive('acme');
  await broker.emit(invoice('acme', 'a-1'));
  await waitForInvoice(acme, 'a-1');
  assert.deepEqual(await invoiceIds(page), []);
});

test('rows follow an invoice through its life, and the counts with them', async () => {
  const page = await openLive('acme');
  const counts = () => page.locator('.counts dd').allTextContents();
  await broker.emit(
    invoice('acme', 'a-1', { status: 'DRAFT' }),
    invoice('acme', 'a-2', { status: 'DRAFT' }),
    invoice('acme', 'a-1', { type: 'invoice.paid', status: 'PAID' }),
    invoice('acme', 'a-2', { type: 'invoice.overdue', status: 'OVERDUE' }),
    invoice('acme', 'a-3', { status: 'PENDING' }),
  );
  await waitForInvoice(page, 'a-3', 'PENDING');
  assert.deepEqual(await invoiceIds(page), ['a-3', 'a-2', 'a-1']);
  assert.deepEqual(await counts(), ['1', '1', '1']);
  await broker.emit(invoice('acme', 'a-2', { type: 'invoice.deleted', status: 'OVERDUE' }));
  await page.locator('tr[data-invoice-id="a-2"]').waitFor({ state: 'detached' });
  assert.deepEqual(await counts(), ['1', '1', '0']);
});

test('goes offline with the broker and comes back with it', async () => {
  const page = await openLive('acme');
  await broker.stop();
  await waitForIndicator(page, 'offline');
  assert.equal(await page.locator('#indicator-text').textContent(), 'Offline, reconnecting');
  await broker.start();
  await waitForIndicator(page, 'live');
  await toastTitled(page, 'Back online').waitFor();
  await broker.emit(invoice('acme', 'a-9'));
  await waitForInvoice(page, 'a-9');
});

test('an expired token is shown as not authorized and is not tried again', async () => {
  const now = Math.floor(Date.now() / 1000);
  const token = await broker.forge({ sub: 'late', org_id: 'acme', iat: now - 7200, exp: now - 3600 });
  const page = await openPage(browser, 'about:blank');
  opened.push(page);
  let sockets = 0;
  page.on('websocket', () => { sockets += 1; });
  await page.clock.install();
  await page.goto(broker.url('acme', token));
  await waitForIndicator(page, 'unauthorized');
  assert.match(await page.getByRole('alert').textContent(), /expired/);
  await page.clock.runFor(120_000);
  assert.equal(sockets, 1);
  assert.equal(await page.locator('#indicator').getAttribute('data-state'), 'unauthorized');
});

test('each connect has the token of that moment', async () => {
  const page = await openLive('acme');
  const fresh = await broker.forge({ sub: 'fresh', org_id: 'acme', exp: Math.floor(Date.now() / 1000) + 600 });
  let sent = '';
  page.on('websocket', (socket) => socket.on('framesent', ({ payload }) => { sent += payload.toString('latin1'); }));
  await page.evaluate((token) => sessionStorage.setItem('token:acme', token), fresh);
  await broker.stop();
  await waitForIndicator(page, 'offline');
  await broker.start();
  await waitForIndicator(page, 'live');
  assert.ok(sent.includes(fresh));
});

test('markup in an event is shown as the text that it is', async () => {
  const page = await openLive('acme');
  const markup = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>';
  await broker.emit(
    invoice('acme', 'a-1', { invoiceNumber: markup }),
    notification('acme', { title: markup, message: markup }),
  );
  await waitForInvoice(page, 'a-1');
  await toasts(page).nth(1).waitFor();
  assert.equal(await page.locator('#rows th').textContent(), markup);
  assert.equal(await toasts(page).nth(1).locator('.toast-title').textContent(), markup);
  assert.equal(await toasts(page).nth(1).locator('.toast-message').textContent(), markup);
  assert.equal(await page.locator('main img, main script, .toasts img, .toasts script').count(), 0);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
});

test('toasts come for events and for messages, and go when dismissed or after a while', async () => {
  const page = await openLive('acme');
  await page.clock.install();
  await broker.emit(
    invoice('acme', 'a-1', { type: 'invoice.overdue', status: 'OVERDUE', amount: '1234.5' }),
    notification('acme', { title: 'Export failed', notificationType: 'error' }),
    notification('acme', { title: 'Month end' }),
  );
  await toasts(page).nth(2).waitFor();
  assert.equal(
    await toastTitled(page, 'Invoice overdue').locator('.toast-message').textContent(),
    '2026-a-1 \u00b7 1,234.50 EUR',
  );
  assert.equal(await toastTitled(page, 'Export failed').getAttribute('data-tone'), 'error');

  await page.getByRole('button', { name: 'Dismiss: Invoice overdue' }).click();
  await toastTitled(page, 'Invoice overdue').waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Dismiss: Month end' }).focus();
  await page.clock.runFor(10_000);
  await toastTitled(page, 'Export failed').waitFor({ state: 'detached' });
  assert.equal(await toastTitled(page, 'Month end').count(), 1, 'the one that has the focus stays');
});

test('the token leaves the address bar, and a reload still finds it', async () => {
  const page = await openLive('acme');
  assert.equal(new URL(page.url()).hash, '#org=acme');
  await page.reload();
  await waitForIndicator(page, 'live');
});

test('axe finds nothing to complain about, live and refused', async () => {
  // Without motion, so that colours are measured where they end.
  const context = { reducedMotion: 'reduce' };
  const statuses = { DRAFT: 'created', SENT: 'sent', PENDING: 'updated', PAID: 'paid', OVERDUE: 'overdue', CANCELLED: 'cancelled' };
  const live = await openLive('globex', { context });
  const events = Object.entries(statuses).map(([status, word], index) =>
    invoice('globex', `g-${index}`, { type: `invoice.${word}`, status }));
  const message = notification('globex', { title: 'Month end', notificationType: 'warning' });
  await broker.emit(...events, message);
  await toastTitled(live, 'Month end').waitFor();
  const refused = await open('acme', { context, token: await broker.token('globex') });
  await waitForIndicator(refused, 'unauthorized');

  for (const page of [live, refused]) {
    await page.evaluate(axe.source);
    const { violations, passes } = await page.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => ({ id, at: nodes.map((node) => node.html) })), []);
    assert.ok(passes.some(({ id }) => id === 'color-contrast'), 'axe measured contrast');
  }
});

function notification(organizationId, fields) {
  return {
    type: 'notification.created',
    organizationId,
    notificationId: 'n-1',
    title: 'Title',
    message: 'Message',
    notificationType: 'info',
    ...fields,
  };
}

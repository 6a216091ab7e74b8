// SPDX-License-Identifier: MIT
// screenshot.mjs FILE: the pages of acme and globex side by side, with events that the C library emitted.
import { Broker, invoice, launchBrowser, openPage, waitForIndicator, waitForInvoice } from './harness.mjs';

const WORDS = { DRAFT: 'created', SENT: 'sent', PENDING: 'updated', PAID: 'paid', OVERDUE: 'overdue', CANCELLED: 'cancelled' };
const STORIES = {
  acme: {
    first: 14,
    rows: [['PAID', '1290.00'], ['PAID', '310.40'], ['SENT', '7450.00'], ['CANCELLED', '86.20'], ['OVERDUE', '2199.99'],
      ['PENDING', '5120.00'], ['DRAFT', '48210.75']],
  },
  globex: {
    first: 231,
    rows: [['PAID', '960.00'], ['SENT', '18400.00'], ['PENDING', '45.90'], ['OVERDUE', '3075.25'], ['DRAFT', '612.00']],
  },
};

const [file] = process.argv.slice(2);
const broker = await Broker.create();
let browser;
try {
  await broker.start();
  browser = await launchBrowser();
  const options = { viewport: { width: 720, height: 800 }, deviceScaleFactor: 1.5, timezoneId: 'UTC' };
  const shots = [];
  for (const [organization, { first, rows }] of Object.entries(STORIES)) {
    const page = await openPage(browser, broker.url(organization, await broker.token(organization)), options);
    await waitForIndicator(page, 'live');
    const events = rows.map(([status, amount], index) =>
      invoice(organization, `inv-${first + index}`, {
        type: `invoice.${WORDS[status]}`,
        invoiceNumber: `2026-${String(first + index).padStart(4, '0')}`,
        amount,
        status,
      }));
    const last = events[2];
    await broker.emit(...events);
    await waitForInvoice(page, events.at(-1).invoiceId);
    // The toasts of the first burst go, and one change is left to be seen happening.
    const dismiss = page.getByRole('button', { name: /^Dismiss/ });
    while ((await dismiss.count()) > 0) await dismiss.first().click();
    await page.mouse.move(0, 0);
    await page.locator('tr.changed').last().evaluate((row) =>
      Promise.all(row.getAnimations().map((animation) => animation.finished)).then(() => null));
    await broker.emit({ ...last, type: 'invoice.paid', status: 'PAID' });
    await waitForInvoice(page, last.invoiceId, 'PAID');
    await page.locator('.toast').waitFor();
    await page.locator('.toast').evaluate((toast) =>
      Promise.all(toast.getAnimations().map((animation) => animation.finished)).then(() => null));
    shots.push((await page.screenshot()).toString('base64'));
  }
  const sheet = await (await browser.newContext({ viewport: { width: 1512, height: 848 }, deviceScaleFactor: 1.25 })).newPage();
  await sheet.setContent(`<style>
    body { margin: 0; height: 100vh; display: flex; gap: 24px; align-items: center; justify-content: center;
           background: #dfe4ee }
    img { width: 720px; border-radius: 14px; box-shadow: 0 10px 40px rgb(23 32 51 / 22%) }
  </style>${shots.map((shot) => `<img alt="" src="data:image/png;base64,${shot}">`).join('')}`);
  await sheet.locator('img').last().evaluate((image) => image.decode());
  await sheet.screenshot({ path: file });
} finally {
  await browser?.close();
  await broker.remove();
}

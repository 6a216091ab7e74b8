// SPDX-License-Identifier: MIT
// check.mjs FOLDER PORT WS_PORT: the browser half of `scripts/demo --check`, against a running broker.
import { Broker, invoice, invoiceIds, launchBrowser, openPage, waitForIndicator, waitForInvoice } from './harness.mjs';

const [folder, port, wsPort] = process.argv.slice(2);
const broker = new Broker(folder, Number(port), Number(wsPort));

function expectExactly(name, got, wanted) {
  if (got.length !== 1 || got[0] !== wanted) {
    throw new Error(`${name} shows ${got.length === 0 ? 'nothing' : got.join(', ')}, not just ${wanted}`);
  }
}

async function step(text, action) {
  try {
    await action();
    console.log(`  ok    ${text}`);
  } catch (error) {
    console.log(`  FAIL  ${text}`);
    throw error;
  }
}

const browser = await launchBrowser();
try {
  const pages = {};
  const open = async (name, organization, tokenOf) => {
    pages[name] = await openPage(browser, broker.url(organization, await broker.token(tokenOf)));
  };
  await step('acme and globex each have their page open, Live over WebSocket', async () => {
    await open('acme', 'acme', 'acme');
    await open('globex', 'globex', 'globex');
    await waitForIndicator(pages.acme, 'live');
    await waitForIndicator(pages.globex, 'live');
  });
  await step("globex's token on acme's stream: refused, the page says so", async () => {
    await open('intruder', 'acme', 'globex');
    await waitForIndicator(pages.intruder, 'unauthorized');
  });
  await step('the C library emits one event of acme; acme shows it', async () => {
    await broker.emit(invoice('acme', 'inv-1', { type: 'invoice.paid', status: 'PAID' }));
    await waitForInvoice(pages.acme, 'inv-1', 'PAID');
  });
  await step('then one of globex; globex shows it', async () => {
    await broker.emit(invoice('globex', 'inv-2', { type: 'invoice.paid', status: 'PAID' }));
    await waitForInvoice(pages.globex, 'inv-2', 'PAID');
  });
  await step("globex shows that one alone, which came after acme's; so it never got acme's", async () => {
    expectExactly('globex', await invoiceIds(pages.globex), 'inv-2');
  });
  await step('acme shows its own alone', async () => {
    // A third event, for acme: what came before it on the same connection has arrived by then.
    await broker.emit(invoice('acme', 'inv-1', { type: 'invoice.deleted', status: 'PAID' }), invoice('acme', 'inv-3'));
    await waitForInvoice(pages.acme, 'inv-3');
    expectExactly('acme', await invoiceIds(pages.acme), 'inv-3');
  });
  await step("the page with globex's token shows nothing", async () => {
    const shown = await invoiceIds(pages.intruder);
    if (shown.length !== 0) throw new Error(`it shows ${shown.join(', ')}`);
  });
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await browser.close();
}

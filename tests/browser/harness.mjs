// SPDX-License-Identifier: MIT
// A broker with the plugin and a Chromium, for the tests and for the demo's check.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHmac } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const BUILD = process.env.ORGCAST_BUILD ?? join(ROOT, 'build/dev');
export const DEADLINE_MS = 20_000;

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  });
}

/** Asks again and again until the answer is yes; fails with `what` at the deadline. */
export async function until(what, condition, deadlineMs = DEADLINE_MS) {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs a program to its end and gives what it printed; fails when it fails. */
export async function run(program, args, input = '') {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => { stdout += chunk; });
  child.stderr.on('data', (chunk) => { stderr += chunk; });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  return stdout;
}

/** One folder, two ports, and the Mosquitto that belongs to them: with the page of the tree at `root`, the plugin of
 *  `build`, and the command line that emits. */
export class Broker {
  #child = null;
  #log = '';

  constructor(folder, port, wsPort, { root = ROOT, build = BUILD, orgcast = join(build, 'cli/orgcast') } = {}) {
    this.folder = folder;
    this.port = port;
    this.wsPort = wsPort;
    this.root = root;
    this.build = build;
    this.orgcast = orgcast;
  }

  static async create(options) {
    const folder = await mkdtemp(join(tmpdir(), 'orgcast-browser-'));
    return new Broker(folder, await freePort(), await freePort(), options);
  }

  async start() {
    this.#child = spawn(join(this.root, 'demo/serve'), [this.folder, String(this.port), String(this.wsPort)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ORGCAST_BUILD: this.build },
    });
    const child = this.#child;
    child.stdout.on('data', (chunk) => { this.#log += chunk; });
    child.stderr.on('data', (chunk) => { this.#log += chunk; });
    await until('the broker answers', async () => {
      if (child.exitCode !== null) throw new Error(`the broker ended with ${child.exitCode}:\n${this.#log}`);
      return (await answers(this.port)) && (await answers(this.wsPort));
    });
  }

  async stop() {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'close');
  }

  async remove() {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  get log() {
    return this.#log;
  }

  token(name) {
    return readFile(join(this.folder, `${name}.jwt`), 'utf8').then((text) => text.trim());
  }

  /** Signs any claims with the broker's key, for tokens that no honest provider hands out. */
  async forge(claims) {
    const secret = await readFile(join(this.folder, 'hmac.key'));
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
    return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
  }

  url(organization, token) {
    return `http://127.0.0.1:${this.wsPort}/#org=${encodeURIComponent(organization)}&token=${token}`;
  }

  /** Emits events by the C library, through the command line, and returns when the broker has them. */
  emit(...events) {
    const lines = events.map((event) => `${JSON.stringify(event)}\n`).join('');
    return run(this.orgcast, [
      'emit', '--stdin', '--json', '--host', '127.0.0.1', '--port', String(this.port),
      '--token-file', join(this.folder, 'backend.jwt'),
    ], lines);
  }
}

export function invoice(organizationId, invoiceId, fields = {}) {
  return {
    type: 'invoice.created',
    organizationId,
    invoiceId,
    invoiceNumber: `2026-${invoiceId}`,
    amount: '10.00',
    currency: 'EUR',
    status: 'SENT',
    ...fields,
  };
}

export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.ORGCAST_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
    ],
  });
}

/** Opens one organization's page in a profile of its own. `page.problems` collects what a page must never
 *  have: script errors and breaches of its content security policy. */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy|Trusted/i.test(message.text())) page.problems.push(message.text());
  });
  await page.goto(url);
  return page;
}

/** A page whose script has ended shows nothing more: then the failure says what ended it. */
export async function waitForIndicator(page, state) {
  try {
    await page.locator(`#indicator[data-state="${state}"]`).waitFor();
  } catch (error) {
    throw new Error([error.message, ...page.problems].join('\n'));
  }
}

export function waitForInvoice(page, invoiceId, status) {
  const pill = status === undefined ? '' : ` .pill[data-status="${status}"]`;
  return page.locator(`#rows tr[data-invoice-id="${invoiceId}"]${pill}`).waitFor();
}

export function invoiceIds(page) {
  return page.locator('#rows tr').evaluateAll((rows) => rows.map((row) => row.dataset.invoiceId));
}

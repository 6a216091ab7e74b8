// SPDX-License-Identifier: MIT
// A real Mosquitto with the plugin, on free loopback ports. MOSQUITTO names another broker, ORGCAST_BUILD another build.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const BUILD = process.env['ORGCAST_BUILD'] ?? join(ROOT, 'build/dev');
const MOSQUITTO = process.env['MOSQUITTO'] ?? '/usr/sbin/mosquitto';
export const DEADLINE_MS = 20_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** Waits until the condition holds; fails with `what` at the deadline. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export class Broker {
  readonly folder = mkdtempSync(join(tmpdir(), 'orgcast-client-'));
  #process: ChildProcess | null = null;

  private constructor(
    readonly port: number,
    readonly wsPort: number,
  ) {
    writeFileSync(join(this.folder, 'key'), randomBytes(48).toString('base64'), { mode: 0o600 });
    writeFileSync(
      join(this.folder, 'conf'),
      `user ${process.env['USER'] ?? 'root'}
log_dest none
plugin ${BUILD}/plugin/mosquitto_orgcast.so
plugin_opt_jwt_secret_file ${this.folder}/key
plugin_opt_jwt_leeway 0
listener ${port} 127.0.0.1
listener ${wsPort} 127.0.0.1
protocol websockets
socket_domain ipv4
`,
    );
    writeFileSync(
      join(this.folder, 'backend.jwt'),
      this.token('backend', '--scope', 'invoices:publish orgcast:any-org orgcast:admin'),
    );
  }

  static async start(): Promise<Broker> {
    const broker = new Broker(await freePort(), await freePort());
    await broker.up();
    return broker;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.wsPort}`;
  }

  async up(): Promise<void> {
    this.#process = spawn(MOSQUITTO, ['-c', join(this.folder, 'conf')], { stdio: 'ignore' });
    await until('the broker answers', async () => (await answers(this.port)) && (await answers(this.wsPort)));
  }

  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (!running || running.exitCode !== null) return;
    running.kill(signal);
    await once(running, 'close');
  }

  async remove(): Promise<void> {
    await this.down();
    rmSync(this.folder, { recursive: true, force: true });
  }

  orgcast(...args: readonly string[]): string {
    return execFileSync(join(BUILD, 'cli/orgcast'), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  token(subject: string, ...claims: readonly string[]): string {
    const lifetime = claims.includes('--expires-in') ? [] : ['--expires-in', '3600'];
    const key = ['--key-file', join(this.folder, 'key'), '--alg', 'HS256'];
    return this.orgcast('token', 'sign', ...key, '--sub', subject, ...lifetime, ...claims).trim();
  }

  #backend(...args: readonly string[]): string {
    return this.orgcast(...args, '--port', String(this.port), '--token-file', join(this.folder, 'backend.jwt'));
  }

  emitPaid(organizationId: string, ...invoiceIds: readonly string[]): void {
    for (const id of invoiceIds)
      this.#backend(
        ...['emit', 'invoice.paid', '--org', organizationId, '--invoice-id', id, '--invoice-number', id],
        ...['--amount', '1.00', '--currency', 'EUR', '--status', 'PAID'],
      );
  }

  kick(subject: string): void {
    this.#backend('admin', 'kick', '--subject', subject);
  }
}

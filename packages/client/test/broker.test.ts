// SPDX-License-Identifier: MIT
// Both transports against a real broker.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { createEventsClient, InvoiceEvent, mqttTransport, type EventsClient, type EventsError } from '../src/index.js';
import { liteTransport } from '../src/lite/index.js';
import { Broker, until } from './broker.js';

// Node 18 and 20 have no WebSocket of their own.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;

let broker: Broker;
let client: EventsClient | undefined;
beforeAll(async () => {
  broker = await Broker.start();
});
afterEach(() => client?.close());
afterAll(() => broker.remove());

describe.each([
  ['MQTT.js', mqttTransport],
  ['lite', liteTransport],
])('%s', (name, transport) => {
  const subject = `user-${name}`;

  interface Page {
    readonly paid: string[];
    readonly statuses: string[];
    readonly errors: EventsError[];
    readonly resyncs: string[];
    tokens: number;
  }

  async function open(...claims: readonly string[]): Promise<Page> {
    const page: Page = { paid: [], statuses: [], errors: [], resyncs: [], tokens: 0 };
    client = createEventsClient({
      url: broker.url,
      organizationId: 'acme',
      transport: transport(),
      getToken: () => {
        page.tokens++;
        return broker.token(subject, ...(claims.length ? claims : ['--org', 'acme']));
      },
    });
    client.onStatus((status) => page.statuses.push(status));
    client.onError((error) => page.errors.push(error));
    client.onResync((_id, gap) => void page.resyncs.push(gap.kind));
    client.subscribe(InvoiceEvent.PAID, (data) => page.paid.push(data.invoiceId));
    client.connect();
    await until('a status that lasts', () => ['connected', 'unauthorized'].includes(client?.status ?? ''));
    if (client.status === 'connected') await until('a position', () => client?.position() !== null);
    return page;
  }

  it('receives its own organization, and nothing of another', async () => {
    const page = await open();
    broker.emitPaid('globex', 'other');
    broker.emitPaid('acme', 'a', 'b');
    await until('both events', () => page.paid.length >= 2);
    expect(page.paid).toEqual(['a', 'b']);
    expect(page.errors).toEqual([]);
  });

  it('gets what it missed after a kick, without a resync', async () => {
    const page = await open();
    broker.emitPaid('acme', 'before');
    await until('the first event', () => page.paid.length === 1);
    broker.kick(subject);
    broker.emitPaid('acme', 'missed');
    await until('the missed event', () => page.paid.length === 2);
    expect(page.paid).toEqual(['before', 'missed']);
    expect(page.statuses).toEqual(['connecting', 'connected', 'reconnecting', 'connected']);
    expect(page.resyncs).toEqual([]);
  });

  it('refreshes its token without a drop', async () => {
    const page = await open('--org', 'acme', '--expires-in', '4');
    await until('three tokens', () => page.tokens >= 3);
    broker.emitPaid('acme', 'later');
    await until('an event', () => page.paid.length === 1);
    expect(page.statuses).toEqual(['connecting', 'connected']);
  });

  it('resyncs once after the broker was killed', async () => {
    const page = await open();
    broker.emitPaid('acme', 'before');
    await until('the first event', () => page.paid.length === 1);
    await broker.down('SIGKILL');
    await broker.up();
    broker.emitPaid('acme', 'after');
    await until('the event after it', () => page.paid.includes('after'));
    expect(page.paid).toEqual(['before', 'after']);
    expect(page.resyncs).toEqual(['restart']);
  });

  it('is unauthorized without the organization', async () => {
    const page = await open('--org', 'globex');
    expect(client?.status).toBe('unauthorized');
    expect(page.errors.at(-1)?.code).toBe('unauthorized');
    expect(page.tokens).toBe(2);
  });
});

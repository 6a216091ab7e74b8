// SPDX-License-Identifier: MIT
import { afterEach, beforeEach, describe, expect, it, vi, type Mock } from 'vitest';
import {
  createEventsClient,
  InvoiceEvent,
  type EventsClient,
  type EventsClientOptions,
  type EventsError,
  type StoredPosition,
} from '../src/index.js';
import { place, ScriptedTransport } from './scripted.js';

const REFUSED = { kind: 'refused', reason: 135, message: 'Not authorized' } as const;
const LOST = { kind: 'lost', message: 'no route' } as const;

function tokenOf(livesS: number): string {
  const iat = Math.floor(Date.now() / 1000);
  return `e30.${btoa(JSON.stringify({ iat, exp: iat + livesS }))}.sig`;
}

interface Setup {
  readonly client: EventsClient;
  readonly script: ScriptedTransport;
  readonly statuses: string[];
  readonly errors: EventsError[];
  readonly paid: string[];
  readonly getToken: Mock<() => Promise<string>>;
}

function setup(options: Partial<EventsClientOptions> = {}): Setup {
  const script = new ScriptedTransport();
  const getToken = vi.fn(() => Promise.resolve(tokenOf(3600)));
  const client = createEventsClient({
    url: 'ws://127.0.0.1:1',
    organizationId: 'acme',
    getToken,
    transport: script.transport,
    ...options,
  });
  const statuses: string[] = [];
  const errors: EventsError[] = [];
  const paid: string[] = [];
  client.onStatus((status) => statuses.push(status));
  client.onError((error) => errors.push(error));
  client.subscribe(InvoiceEvent.PAID, (data) => paid.push(data.invoiceId));
  return { client, script, statuses, errors, paid, getToken };
}

/** Lets promises and timers that are due run. */
async function settle(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** Connected, and synchronized at event 5. */
async function live(options: Partial<EventsClientOptions> = {}): Promise<Setup> {
  const all = setup(options);
  all.client.connect();
  await settle();
  all.script.last.answer(place(5));
  await settle();
  all.script.last.answer({ ...place(5), recovered: true, more: false, replayed: 0 });
  await settle();
  return all;
}

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-11-24T10:00:00Z') });
  vi.spyOn(Math, 'random').mockReturnValue(1);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe('status', () => {
  it('is idle until connect(), then connecting, connected, and closed', async () => {
    const { client, statuses } = setup();
    expect(client.status).toBe('idle');
    client.connect();
    expect(client.status).toBe('connecting');
    await settle();
    expect(client.status).toBe('connected');
    client.close();
    expect(statuses).toEqual(['connecting', 'connected', 'closed']);
  });

  it('opens one connection however often connect() is called', async () => {
    const { client, script } = setup();
    client.connect();
    client.connect();
    await settle();
    client.connect();
    await settle();
    expect(script.attempts).toBe(1);
  });

  it('is reconnecting after a loss, with a pause that grows', async () => {
    const { client, script, statuses } = setup();
    script.outcomes.push(LOST, LOST, LOST);
    client.connect();
    await settle();
    expect(client.status).toBe('reconnecting');
    for (const [pause, attempts] of [[500, 2], [1000, 3], [2000, 4]] as const) {
      await settle(pause - 1);
      expect(script.attempts).toBe(attempts - 1);
      await settle(1);
      expect(script.attempts).toBe(attempts);
    }
    expect(statuses).toEqual(['connecting', 'reconnecting', 'connected']);
  });

  it('is unauthorized when the broker refuses a fresh token twice, some seconds apart', async () => {
    const { client, script, getToken, errors } = setup();
    script.outcomes.push(REFUSED, REFUSED);
    client.connect();
    await settle(2_999);
    expect(script.attempts).toBe(1);
    expect(client.status).toBe('reconnecting');
    await settle(1);
    expect(client.status).toBe('unauthorized');
    expect(getToken).toHaveBeenCalledTimes(2);
    expect(errors.map((error) => error.code)).toEqual(['unauthorized', 'unauthorized']);
    await settle(3_600_000);
    expect(script.attempts).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('forgives one refusal, as after a rotation of keys', async () => {
    const { client, script } = setup();
    script.outcomes.push(REFUSED);
    client.connect();
    await settle(3_000);
    expect(client.status).toBe('connected');
    script.outcomes.push(REFUSED);
    script.last.lose();
    await settle(10_000);
    expect(client.status).toBe('connected');
  });

  it('leaves unauthorized by connect()', async () => {
    const { client, script } = setup();
    script.outcomes.push(REFUSED, REFUSED);
    client.connect();
    await settle(3_000);
    client.connect();
    await settle();
    expect(client.status).toBe('connected');
  });

  it('is unauthorized when the token does not cover the organization', async () => {
    const { client, script } = setup();
    script.denied.push('org/acme/invoices/#');
    client.connect();
    await settle(3_000);
    expect(client.status).toBe('unauthorized');
    expect(script.connections.every((one) => one.closed)).toBe(true);
  });

  it('survives a getToken() that fails, and reports it', async () => {
    const { client, script, getToken, errors } = setup();
    getToken.mockRejectedValueOnce(new Error('401'));
    client.connect();
    await settle(500);
    expect(client.status).toBe('connected');
    expect(errors[0]).toMatchObject({ code: 'token', message: 'getToken() failed: 401' });
    expect(script.attempts).toBe(1);
  });
});

describe('close()', () => {
  it('leaves no timer, and the socket is closed', async () => {
    const { client, script } = await live();
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    client.close();
    await settle();
    expect(vi.getTimerCount()).toBe(0);
    expect(script.last.closed).toBe(true);
  });

  it('during a pause ends the attempts', async () => {
    const { client, script } = setup();
    script.outcomes.push(LOST);
    client.connect();
    await settle();
    client.close();
    await settle(60_000);
    expect(script.attempts).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('while getToken() is under way opens nothing', async () => {
    let give!: (token: string) => void;
    const { client, script } = setup({ getToken: () => new Promise((resolve) => (give = resolve)) });
    client.connect();
    await settle();
    client.close();
    give(tokenOf(60));
    await settle(60_000);
    expect(script.attempts).toBe(0);
    expect(client.status).toBe('closed');
  });

  it('keeps the place for the next connect()', async () => {
    const { client, script, paid } = await live();
    script.last.event(6);
    client.close();
    client.connect();
    await settle();
    expect(script.last.next()).toMatchObject({ command: 'replay', after: '6', epoch: 'a' });
    script.last.event(7);
    expect(paid).toEqual(['inv-6', 'inv-7']);
  });
});

describe('events', () => {
  it('reach the handlers of their type and of *, once and in order', async () => {
    const { client, script, paid } = await live();
    const all: string[] = [];
    client.subscribe('*', (_data, event) => all.push(event.id));
    script.last.event(6);
    script.last.event(6);
    script.last.event(8);
    script.last.event(7);
    expect(paid).toEqual(['inv-6', 'inv-7', 'inv-8']);
    expect(all).toEqual(['id-6', 'id-7', 'id-8']);
    expect(client.position()).toEqual(place(8));
  });

  it('of unknown types go to * alone', async () => {
    const { client, script, errors } = await live();
    const all: string[] = [];
    client.subscribe('*', (_data, event) => all.push(event.type));
    script.last.event(6, { type: 'invoice.refunded', data: 17 });
    expect(all).toEqual(['invoice.refunded']);
    expect(errors).toEqual([]);
  });

  it('stop when the handler is removed', async () => {
    const { client, script } = await live();
    const seen: string[] = [];
    const off = client.subscribe(InvoiceEvent.PAID, (data) => seen.push(data.amount));
    off();
    off();
    script.last.event(6);
    expect(seen).toEqual([]);
  });

  it('reach the others when a handler throws', async () => {
    const { client, script, errors, paid } = await live();
    client.subscribe('*', () => {
      throw new Error('boom');
    });
    const after: string[] = [];
    client.subscribe('*', (_data, event) => after.push(event.id));
    script.last.event(6);
    expect([paid, after]).toEqual([['inv-6'], ['id-6']]);
    expect(errors).toMatchObject([{ code: 'handler' }]);
  });

  it.each([
    ['no JSON', 'org/acme/invoices/paid/x', '{'],
    ['no UTF-8', 'org/acme/invoices/paid/x', new Uint8Array([0xff])],
    ['an array', 'org/acme/invoices/paid/x', '[]'],
    ['another organization inside', 'org/acme/invoices/paid/x', JSON.stringify({ specversion: '1.0', id: 'x', type: 'y', organizationid: 'beta' })],
    ['data without a member', 'org/acme/invoices/paid/x', JSON.stringify({ specversion: '1.0', id: 'x', type: 'invoice.paid', organizationid: 'acme', data: {} })],
  ])('that are malformed are reported: %s', async (_what, topic, payload) => {
    const { script, errors, paid } = await live();
    script.last.raw(topic, payload);
    expect(errors).toMatchObject([{ code: 'malformed' }]);
    expect(paid).toEqual([]);
  });
});

describe('after a loss', () => {
  it('missed events are replayed', async () => {
    const { script, paid } = await live();
    script.last.event(6);
    script.last.lose();
    await settle(500);
    const second = script.last;
    expect(second.requests[0]).toMatchObject({ command: 'replay', organizationId: 'acme', epoch: 'a', after: '6' });
    second.event(9);
    second.event(7);
    second.event(8);
    second.answer({ ...place(9), recovered: true, more: false, replayed: 3 });
    expect(paid).toEqual(['inv-6', 'inv-7', 'inv-8', 'inv-9']);
  });

  it('onResync fires once when they are lost, and events wait for the reload', async () => {
    const { client, script, paid } = await live();
    let done!: () => void;
    const resync = vi.fn(() => new Promise<void>((resolve) => (done = resolve)));
    client.onResync(resync);
    script.last.lose();
    await settle(500);
    script.last.answer({ ...place(40), recovered: false });
    script.last.event(41);
    await settle();
    expect(resync).toHaveBeenCalledTimes(1);
    expect(resync).toHaveBeenCalledWith('acme', { kind: 'lost', from: 6n, to: 40n });
    expect([paid, client.position()]).toEqual([[], null]);
    done();
    await settle();
    expect(paid).toEqual(['inv-41']);
    expect(client.position()).toEqual(place(41));
  });

  it('a gap during the reload makes the page load again', async () => {
    const { client, script } = await live();
    const finish: (() => void)[] = [];
    const resync = vi.fn(() => new Promise<void>((resolve) => finish.push(resolve)));
    client.onResync(resync);
    script.last.lose();
    await settle(500);
    script.last.answer({ ...place(40), recovered: false });
    script.last.lose();
    await settle(1_000);
    script.last.answer({ ...place(0, 'b'), recovered: false });
    finish[0]?.();
    await settle();
    expect(resync).toHaveBeenCalledTimes(2);
    finish[1]?.();
    await settle();
    expect(client.position()).toEqual(place(0, 'b'));
  });

  it('a resync handler that fails does not hold events back for ever', async () => {
    const { client, script, errors, paid } = await live();
    client.onResync(() => Promise.reject(new Error('500')));
    script.last.lose();
    await settle(500);
    script.last.answer({ ...place(40), recovered: false });
    script.last.event(41);
    await settle();
    expect(paid).toEqual(['inv-41']);
    expect(errors.at(-1)).toMatchObject({ code: 'handler', message: 'a resync handler failed: 500' });
  });
});

describe('questions', () => {
  it('are asked again a second after limit_rate', async () => {
    const { client, script } = setup();
    client.connect();
    await settle();
    script.last.refuse('limit_rate');
    await settle(999);
    expect(script.last.requests).toEqual([]);
    await settle(1);
    expect(script.last.requests).toMatchObject([{ command: 'position' }]);
  });

  it('without an answer end in events without numbers', async () => {
    const { client, script, paid } = setup();
    client.connect();
    await settle(30_000);
    script.last.event(3);
    script.last.event(2);
    expect(paid).toEqual(['inv-3', 'inv-2']);
    expect(client.status).toBe('connected');
  });

  it('check each minute for a lost last event', async () => {
    const { script, paid } = await live();
    await settle(60_000);
    script.last.answer(place(6));
    await settle();
    expect(script.last.requests[0]).toMatchObject({ command: 'replay', after: '5' });
    script.last.event(6);
    expect(paid).toEqual(['inv-6']);
  });
});

describe('the token', () => {
  it('is refreshed over the connection before it ends', async () => {
    const tokens = [tokenOf(100), 'second.token.x'];
    const { script } = await live({ getToken: () => tokens.shift() ?? tokenOf(100) });
    await settle(79_000);
    expect(script.last.requests.filter((one) => one.command === 'refresh')).toEqual([]);
    await settle(1_000);
    expect(script.last.requests.find((one) => one.command === 'refresh')).toMatchObject({ token: 'second.token.x' });
    expect(script.attempts).toBe(1);
  });

  it('leads to a new connection when the broker refuses it', async () => {
    const { script, client } = await live({ getToken: () => tokenOf(100) });
    await settle(80_000);
    const refresh = script.last.requests.find((one) => one.command === 'refresh');
    script.last.refuse('token_revoked', refresh);
    await settle();
    expect(client.status).toBe('reconnecting');
    await settle(500);
    expect(script.attempts).toBe(2);
    expect(script.connections[0]?.closed).toBe(true);
  });

  it('is fetched once for those who want it at the same time', async () => {
    const { client, getToken } = setup();
    client.connect();
    client.close();
    client.connect();
    await settle();
    expect(getToken).toHaveBeenCalledTimes(1);
  });

  it('refreshes by its lifetime when the clock of the machine is far off', async () => {
    const iat = Date.now() / 1000 - 86_400;
    const token = `e30.${btoa(JSON.stringify({ iat, exp: iat + 100 }))}.sig`;
    const { script } = await live({ getToken: () => token });
    await settle(79_000);
    expect(script.last.requests.some((one) => one.command === 'refresh')).toBe(false);
    await settle(1_000);
    expect(script.last.requests.some((one) => one.command === 'refresh')).toBe(true);
  });
});

describe('organizations', () => {
  it('are switched on the same connection, and the old one is silent', async () => {
    const { client, script, paid } = await live();
    client.setOrganization('beta');
    await settle();
    expect(script.last.filters).toEqual(['org/beta/invoices/#']);
    script.last.event(6);
    expect(script.last.next()).toMatchObject({ command: 'position', organizationId: 'beta' });
    script.last.respond({});
    script.last.event(1, { organizationid: 'beta' });
    expect(paid).toEqual([]);
    expect(script.attempts).toBe(1);
  });

  it('may be several', async () => {
    const { client, script, paid } = setup({ organizationId: ['acme', 'beta'] });
    client.connect();
    await settle();
    script.last.answer(place(5));
    script.last.answer(place(7));
    await settle();
    script.last.event(6);
    script.last.event(8, { organizationid: 'beta' });
    expect(paid).toEqual(['inv-6', 'inv-8']);
    expect([client.position(), client.position('beta')]).toEqual([place(6), place(8)]);
  });
});

describe('positions', () => {
  it('survive a reload in the store', async () => {
    const kept = new Map<string, StoredPosition>();
    const positions = {
      load: (id: string) => kept.get(id) ?? null,
      save: (id: string, position: StoredPosition) => void kept.set(id, position),
    };
    const first = await live({ positions });
    first.script.last.event(6);
    first.client.close();
    const second = setup({ positions });
    second.client.connect();
    await settle();
    expect(second.script.last.next()).toMatchObject({ command: 'replay', after: '6', epoch: 'a' });
  });
});

describe('the page', () => {
  beforeEach(() => {
    vi.stubGlobal('window', new EventTarget());
    vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
  });
  afterEach(() => vi.unstubAllGlobals());

  it('tries at once when it is online or visible again', async () => {
    const { client, script } = setup();
    script.outcomes.push(LOST, LOST);
    client.connect();
    await settle();
    window.dispatchEvent(new Event('online'));
    await settle();
    expect(script.attempts).toBe(2);
    document.dispatchEvent(new Event('visibilitychange'));
    await settle();
    expect(script.attempts).toBe(3);
    expect(client.status).toBe('connected');
  });

  it('finds out after a sleep that the connection is dead', async () => {
    const { client, script } = await live();
    document.dispatchEvent(new Event('visibilitychange'));
    expect(script.last.requests).toMatchObject([{ command: 'whoami' }]);
    await settle(5_000);
    expect(client.status).toBe('reconnecting');
  });

  it('does not cut the pause short after a refusal', async () => {
    const { client, script } = setup();
    script.outcomes.push(REFUSED);
    client.connect();
    await settle();
    window.dispatchEvent(new Event('online'));
    await settle();
    expect(script.attempts).toBe(1);
  });
});

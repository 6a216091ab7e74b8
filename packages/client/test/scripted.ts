// SPDX-License-Identifier: MIT
// A transport that a test drives by hand: it sees every request and decides every answer.
import type { ConnectOptions, Connection, Transport, TransportFailure, TransportListener } from '../src/core/transport.js';
import { TransportError } from '../src/core/transport.js';
import { CONTROL_TOPIC, RESPONSE_TOPIC } from '../src/core/control.js';

const encoder = new TextEncoder();

export interface Request {
  readonly command: string;
  readonly correlationData: string;
  readonly [member: string]: unknown;
}

export class ScriptedConnection {
  readonly requests: Request[] = [];
  readonly filters: string[] = [];
  readonly denied = new Set<string>();
  closed = false;

  constructor(
    readonly options: ConnectOptions,
    readonly listener: TransportListener,
  ) {}

  readonly connection: Connection = {
    subscribe: (filter) => {
      this.filters.push(filter);
      return Promise.resolve(!this.denied.has(filter));
    },
    unsubscribe: (filter) => {
      this.filters.splice(this.filters.indexOf(filter), 1);
      return Promise.resolve();
    },
    publish: (topic, payload) => {
      if (topic !== CONTROL_TOPIC) throw new Error(`published to ${topic}`);
      const { commands } = JSON.parse(payload) as { commands: Request[] };
      this.requests.push(...commands);
    },
    close: () => {
      this.closed = true;
    },
  };

  /** The oldest request that has no answer yet. */
  next(): Request {
    const request = this.requests.shift();
    if (!request) throw new Error('nothing was asked');
    return request;
  }

  answer(data: Record<string, unknown>, request = this.next()): void {
    this.respond({ command: request.command, correlationData: request.correlationData, data });
  }

  refuse(code: string, request = this.next()): void {
    this.respond({ command: request.command, correlationData: request.correlationData, error: 'refused', code });
  }

  respond(response: unknown): void {
    this.listener.onMessage(RESPONSE_TOPIC, encoder.encode(JSON.stringify({ responses: [response] })));
  }

  event(sequence: number, extra: Record<string, unknown> = {}): void {
    const event = eventOf(sequence, extra);
    const organization = String(event['organizationid']);
    this.raw(`org/${organization}/invoices/paid/inv-${sequence}`, JSON.stringify(event));
  }

  raw(topic: string, payload: string | Uint8Array): void {
    this.listener.onMessage(topic, typeof payload === 'string' ? encoder.encode(payload) : payload);
  }

  lose(failure: TransportFailure = { kind: 'lost', message: 'lost' }): void {
    this.listener.onEnd(failure);
  }
}

export function eventOf(sequence: number, extra: Record<string, unknown> = {}): Record<string, unknown> {
  const organizationId = extra['organizationid'] ?? 'acme';
  return {
    specversion: '1.0',
    id: `id-${sequence}`,
    source: '/billing',
    type: 'invoice.paid',
    subject: `inv-${sequence}`,
    time: '2026-11-24T10:00:00Z',
    organizationid: organizationId,
    data: {
      organizationId,
      invoiceId: `inv-${sequence}`,
      invoiceNumber: `2026-${sequence}`,
      amount: '10.00',
      currency: 'EUR',
      status: 'PAID',
      timestamp: '2026-11-24T10:00:00Z',
    },
    epoch: 'a',
    sequence: String(sequence).padStart(20, '0'),
    ...extra,
  };
}

export function place(sequence: number, epoch = 'a'): Record<string, unknown> {
  return { epoch, sequence: String(sequence).padStart(20, '0') };
}

/** `outcomes` says what the next attempts do: null opens; after the last one all open. */
export class ScriptedTransport {
  readonly connections: ScriptedConnection[] = [];
  readonly outcomes: (TransportFailure | null)[] = [];
  readonly denied: string[] = [];
  attempts = 0;

  readonly transport: Transport = (options, listener) => {
    this.attempts++;
    const failure = this.outcomes.shift();
    if (failure) return Promise.reject(new TransportError(failure));
    const connection = new ScriptedConnection(options, listener);
    for (const filter of this.denied) connection.denied.add(filter);
    this.connections.push(connection);
    return Promise.resolve(connection.connection);
  };

  get last(): ScriptedConnection {
    const connection = this.connections.at(-1);
    if (!connection) throw new Error('no connection was opened');
    return connection;
  }
}

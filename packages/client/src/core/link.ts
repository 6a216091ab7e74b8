// SPDX-License-Identifier: MIT
// One connection's life: subscribe each stream, keep the token fresh, and route what arrives.

import { Control, RESPONSE_TOPIC } from './control.js';
import type { Stream } from './stream.js';
import { refreshDelayMs } from './token.js';
import { failureOf, type Connection, type TransportFailure } from './transport.js';

const REFRESH_TIMEOUT_MS = 10_000;
const REFRESH_RETRY_MS = 5_000;
/** Between two refreshes, even if getToken() returns a token that is about to end. */
const REFRESH_MIN_MS = 1_000;
const PROBE_TIMEOUT_MS = 5_000;

export interface LinkHost {
  /** Single-flight. */
  getToken(): Promise<string>;
  /** The connection has no use any more; it is closed. */
  end(failure: TransportFailure): void;
}

export class Link {
  readonly #connection: Connection;
  readonly #control: Control;
  readonly #host: LinkHost;
  readonly #streams = new Map<string, Stream>();
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;
  #over = false;

  constructor(connection: Connection, host: LinkHost, token: string) {
    this.#connection = connection;
    this.#control = new Control(connection);
    this.#host = host;
    this.#scheduleRefresh(token);
  }

  /** Resolves to false when the broker denies it. */
  async add(stream: Stream): Promise<boolean> {
    this.#streams.set(stream.organizationId, stream);
    stream.opened(this.#control);
    const granted = await this.#connection.subscribe(filterOf(stream.organizationId));
    if (granted && this.#streams.get(stream.organizationId) === stream) stream.subscribed();
    return granted;
  }

  remove(stream: Stream): void {
    this.#streams.delete(stream.organizationId);
    void this.#connection.unsubscribe(filterOf(stream.organizationId));
  }

  onMessage(topic: string, payload: Uint8Array): void {
    if (topic === RESPONSE_TOPIC) this.#control.onResponse(payload);
    else this.#streams.get(topic.split('/')[1] ?? '')?.message(payload);
  }

  /** Ends a connection that looks open but is dead, as after a machine's sleep. */
  async probe(): Promise<void> {
    const answer = await this.#control.ask('whoami', {}, PROBE_TIMEOUT_MS);
    if (answer.kind === 'silent') this.#fail(failureOf(undefined, 'the broker does not answer'));
  }

  /** Afterwards nothing of this connection happens any more. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#refreshTimer);
    for (const stream of this.#streams.values()) stream.ended();
    this.#control.end();
    this.#connection.close();
  }

  #fail(failure: TransportFailure): void {
    if (this.#over) return;
    this.close();
    this.#host.end(failure);
  }

  #scheduleRefresh(token: string): void {
    const delayMs = refreshDelayMs(token, Date.now());
    if (delayMs !== undefined) this.#refreshIn(Math.max(delayMs, REFRESH_MIN_MS));
  }

  #refreshIn(delayMs: number): void {
    clearTimeout(this.#refreshTimer);
    if (!this.#over) this.#refreshTimer = setTimeout(() => void this.#refresh(), delayMs);
  }

  async #refresh(): Promise<void> {
    let token: string;
    try {
      token = await this.#host.getToken();
    } catch {
      this.#refreshIn(REFRESH_RETRY_MS);
      return;
    }
    if (this.#over) return;
    const answer = await this.#control.ask('refresh', { token }, REFRESH_TIMEOUT_MS);
    if (this.#over) return;
    if (answer.kind === 'data') this.#scheduleRefresh(token);
    else if (answer.kind === 'silent' || answer.code === 'limit_rate' || answer.code === 'out_of_memory')
      this.#refreshIn(REFRESH_RETRY_MS);
    // A new connection tells whether the token is bad, or only unfit for this session.
    else this.#fail(failureOf(undefined, `the broker refused the new token: ${answer.message}`));
  }
}

function filterOf(organizationId: string): string {
  return `org/${organizationId}/invoices/#`;
}

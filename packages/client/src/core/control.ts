// SPDX-License-Identifier: MIT
// Requests to the plugin over `$CONTROL/orgcast/v1`, and the answers that belong to them: docs/control.md.

import type { Connection } from './transport.js';

export const CONTROL_TOPIC = '$CONTROL/orgcast/v1';
export const RESPONSE_TOPIC = `${CONTROL_TOPIC}/response`;

/** The answer to one command. `silent`: none came in time, or the connection ended. */
export type Answer =
  | { readonly kind: 'data'; readonly data: Record<string, unknown> }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }
  | { readonly kind: 'silent' };

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

function answerOf(response: Record<string, unknown>): Answer {
  const { data, code, error } = response;
  if (typeof error === 'string') return { kind: 'error', code: typeof code === 'string' ? code : '', message: error };
  return { kind: 'data', data: typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {} };
}

function parse(payload: Uint8Array): readonly Record<string, unknown>[] {
  try {
    const { responses }: { responses?: unknown } = JSON.parse(new TextDecoder().decode(payload));
    return Array.isArray(responses) ? responses.filter((one) => typeof one === 'object' && one !== null) : [];
  } catch {
    return [];
  }
}

/** The questions of one connection. */
export class Control {
  readonly #connection: Connection;
  readonly #waiting = new Map<string, Waiting>();
  #next = 1;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  ask(command: string, members: Readonly<Record<string, unknown>>, timeoutMs: number): Promise<Answer> {
    const correlationData = String(this.#next++);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#settle(correlationData, { kind: 'silent' }), timeoutMs);
      this.#waiting.set(correlationData, { resolve, timer });
      this.#connection.publish(CONTROL_TOPIC, JSON.stringify({ commands: [{ command, correlationData, ...members }] }));
    });
  }

  onResponse(payload: Uint8Array): void {
    for (const response of parse(payload)) {
      const { correlationData } = response;
      if (typeof correlationData === 'string') this.#settle(correlationData, answerOf(response));
    }
  }

  /** The connection is over. */
  end(): void {
    for (const correlationData of [...this.#waiting.keys()]) this.#settle(correlationData, { kind: 'silent' });
  }

  #settle(correlationData: string, answer: Answer): void {
    const waiting = this.#waiting.get(correlationData);
    if (!waiting) return;
    this.#waiting.delete(correlationData);
    clearTimeout(waiting.timer);
    waiting.resolve(answer);
  }
}

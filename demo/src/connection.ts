// SPDX-License-Identifier: MIT
// One organization's stream over MQTT on a WebSocket. Each attempt gets a client of its own: MQTT.js stops
// for good after a refusal and reconnects at a fixed pace otherwise, so retries and backoff are ours.

import mqtt, { type MqttClient } from 'mqtt';

export type Status = 'connecting' | 'connected' | 'reconnecting' | 'unauthorized';

export interface ConnectionOptions {
  readonly url: string;
  readonly organizationId: string;
  /** Asked before each connect, so that a reconnect has a fresh token. A rejection counts as a lost connection. */
  readonly getToken: () => Promise<string>;
  readonly onStatus: (status: Status) => void;
  readonly onMessage: (payload: Uint8Array, topic: string) => void;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_S = 20;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15_000;

/** Bad user name or password, and not authorized: MQTT 5 §3.2.2.2, then MQTT 3.1.1 §3.2.2.3. */
const REFUSALS: readonly unknown[] = [134, 135, 4, 5];

/** Half fixed and half random, so that a broker's restart does not bring everybody back at once. */
function backoffMs(attempt: number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt);
  return ceiling / 2 + Math.random() * (ceiling / 2);
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

/** Connects and stays connected until the broker refuses the token. */
export function openConnection(options: ConnectionOptions): void {
  const topic = `org/${options.organizationId}/invoices/#`;
  let failures = 0;

  function retry(): void {
    options.onStatus('reconnecting');
    setTimeout(attempt, backoffMs(failures));
    failures += 1;
  }

  function attempt(): void {
    options.getToken().then(connect, retry);
  }

  function connect(token: string): void {
    const client = mqtt.connect(options.url, {
      protocolVersion: 5,
      // Random for each attempt: two tabs with one id would throw each other out for ever.
      clientId: `demo-${crypto.randomUUID()}`,
      // The broker takes the user's name from the token, but the encoder wants one beside a password.
      username: 'token',
      password: token,
      clean: true,
      reconnectPeriod: 0,
      resubscribe: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepalive: KEEPALIVE_S,
      // The default timers live in a blob: worker, which this page's content security policy forbids.
      timerVariant: 'native',
    });
    let over = false;

    function finish(next: () => void): void {
      if (over) return;
      over = true;
      client.end(true);
      next();
    }
    const refused = (): void => finish(() => options.onStatus('unauthorized'));
    const lost = (): void => finish(retry);

    // Attached in this same turn: messages can arrive before the connect event.
    client.on('connect', () => subscribe(client));
    client.on('error', (error) => (REFUSALS.includes(codeOf(error)) ? refused() : lost()));
    client.on('close', lost);
    client.on('message', (messageTopic, payload) => {
      if (over) return;
      try {
        options.onMessage(payload, messageTopic);
      } catch (error) {
        // Out of here it would stop the client without a sign.
        console.error('An event could not be shown', error);
      }
    });

    function subscribe(connected: MqttClient): void {
      connected.subscribe(topic, { qos: 1 }, (error, _granted, packet) => {
        if (over) return;
        const granted = packet?.granted[0];
        if (typeof granted === 'number' && granted >= 0x80) {
          refused();
        } else if (error || granted === undefined) {
          lost();
        } else {
          failures = 0;
          options.onStatus('connected');
        }
      });
    }
  }

  options.onStatus('connecting');
  attempt();
}

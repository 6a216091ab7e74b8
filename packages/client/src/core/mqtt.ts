// SPDX-License-Identifier: MIT
// The transport over MQTT.js.

import type { IClientOptions, MqttClient } from 'mqtt';
import {
  failureOf,
  TransportError,
  type ConnectOptions,
  type Connection,
  type Transport,
  type TransportListener,
} from './transport.js';

const DENIED = 0x80;

function reasonOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const name of ['code', 'reasonCode'] as const) {
    const code: unknown = Reflect.get(value, name);
    if (typeof code === 'number') return code;
  }
  return undefined;
}

function clientOptions(options: ConnectOptions): IClientOptions {
  return {
    protocolVersion: 5,
    clientId: options.clientId,
    // The broker takes the user's name from the token, but MQTT.js wants one beside a password.
    username: 'jwt',
    password: options.token,
    clean: true,
    keepalive: options.keepaliveS,
    connectTimeout: options.timeoutMs,
    // This package reconnects by itself: MQTT.js has a fixed pause, and stops for good after a refusal.
    reconnectPeriod: 0,
    resubscribe: false,
    // The default timers live in a blob: worker, which a content security policy may forbid.
    timerVariant: 'native',
  };
}

function connectionOf(client: MqttClient, close: () => void): Connection {
  return {
    subscribe: (filter) =>
      new Promise((resolve, reject) => {
        client.subscribe(filter, { qos: 1 }, (error, _granted, packet) => {
          const code = packet?.granted[0];
          if (typeof code === 'number') resolve(code < DENIED);
          else reject(new TransportError(failureOf(undefined, error?.message ?? 'no answer to SUBSCRIBE')));
        });
      }),
    unsubscribe: (filter) => new Promise((resolve) => client.unsubscribe(filter, () => resolve())),
    publish: (topic, payload) => void client.publish(topic, payload, { qos: 1 }),
    close,
  };
}

/** Resolves once the broker accepts; the handlers stay for the connection's life. */
function opened(client: MqttClient, listener: TransportListener, signal: AbortSignal): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let state: 'opening' | 'open' | 'over' = 'opening';
    let failure = failureOf(undefined, 'the connection closed');

    const end = (): void => {
      const before = state;
      if (before === 'over') return;
      state = 'over';
      signal.removeEventListener('abort', abort);
      client.end(true);
      if (before === 'opening') reject(new TransportError(failure));
      else listener.onEnd(failure);
    };
    const close = (): void => {
      state = 'over';
      signal.removeEventListener('abort', abort);
      client.end(true);
    };
    const abort = (): void => {
      failure = failureOf(undefined, 'the attempt was cancelled');
      end();
    };
    signal.addEventListener('abort', abort);

    // All handlers are attached in this turn: messages can arrive before `connect`.
    client.on('connect', () => {
      if (state !== 'opening') return;
      state = 'open';
      resolve(connectionOf(client, close));
    });
    client.on('error', (error: Error) => {
      failure = failureOf(reasonOf(error), error.message);
      end();
    });
    client.on('disconnect', (packet) => {
      const reason = packet.reasonCode;
      failure = failureOf(reason, `the broker ended the connection (reason ${reason ?? 'unknown'})`);
    });
    client.on('close', end);
    client.on('message', (topic, payload) => {
      if (state !== 'over') listener.onMessage(topic, payload);
    });
  });
}

export const openWithMqttJs: Transport = async (options, listener, signal) => {
  const { default: mqtt } = await import('mqtt');
  if (signal.aborted) throw new TransportError(failureOf(undefined, 'the attempt was cancelled'));
  return opened(mqtt.connect(options.url, clientOptions(options)), listener, signal);
};

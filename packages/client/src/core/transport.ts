// SPDX-License-Identifier: MIT
// What the client needs of MQTT. `mqttTransport()` does it with MQTT.js; another transport can take its place.

/** Where and as whom to connect. */
export interface ConnectOptions {
  readonly url: string;
  readonly token: string;
  /** New for each connection: two tabs with one id would end each other's connections for ever. */
  readonly clientId: string;
  readonly keepaliveS: number;
  readonly timeoutMs: number;
}

/** Why a connection could not be opened or has ended. */
export interface TransportFailure {
  /** `refused`: the broker does not accept the token. `lost`: anything else; a later attempt may succeed. */
  readonly kind: 'refused' | 'lost';
  /** The MQTT 5 reason code, where the broker sent one. */
  readonly reason?: number;
  readonly message: string;
}

/** What the transport reports. It calls neither of them after `close()` or after `onEnd`. */
export interface TransportListener {
  onMessage(topic: string, payload: Uint8Array): void;
  /** Once, after the connection was open. */
  onEnd(failure: TransportFailure): void;
}

/** An open connection. */
export interface Connection {
  /** Resolves to false when the broker denies the filter. Rejects when the connection ends first. */
  subscribe(filter: string): Promise<boolean>;
  /** Resolves when the filter is gone, or with the connection. */
  unsubscribe(filter: string): Promise<void>;
  /** Sends with QoS 1. A message that is lost with the connection is not sent again. */
  publish(topic: string, payload: string): void;
  close(): void;
}

/** Opens a connection. Rejects with a `TransportError`. Aborting the signal rejects and leaves no socket. */
export type Transport = (
  options: ConnectOptions,
  listener: TransportListener,
  signal: AbortSignal,
) => Promise<Connection>;

export class TransportError extends Error {
  override readonly name = 'TransportError';

  constructor(readonly failure: TransportFailure) {
    super(failure.message);
  }
}

/** MQTT 5 §3.2.2.2: bad user name or password, not authorized. MQTT 3.1.1 §3.2.2.3: 4, 5. */
export function failureOf(reason: number | undefined, message: string): TransportFailure {
  const refused = reason === 4 || reason === 5 || reason === 134 || reason === 135;
  return { kind: refused ? 'refused' : 'lost', message, ...(reason === undefined ? {} : { reason }) };
}

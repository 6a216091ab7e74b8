// SPDX-License-Identifier: MIT
// A transport of our own in place of MQTT.js: it receives, and asks over `$CONTROL`. Nothing else.

import {
  failureOf,
  TransportError,
  type Connection,
  type ConnectOptions,
  type Transport,
  type TransportFailure,
  type TransportListener,
} from '../core/transport.js';
import * as mqtt from './packet.js';

/** Far above the broker's max_event_bytes and its longest answer. */
const PACKET_BYTES_MAX = 1024 * 1024;
const DENIED = 0x80;

class LiteConnection implements Connection {
  readonly #socket: WebSocket;
  readonly #options: ConnectOptions;
  readonly #listener: TransportListener;
  readonly #parser = new mqtt.Parser(PACKET_BYTES_MAX);
  readonly #acks = new Map<number, (reason: number | null) => void>();
  readonly #settled: (failure: TransportFailure | null) => void;
  #state: 'opening' | 'open' | 'over' = 'opening';
  #failure: TransportFailure = failureOf(undefined, 'the connection closed');
  #nextId = 1;
  #ping: ReturnType<typeof setInterval> | undefined;
  #heard = true;

  /** @param settled null: the broker accepted; a failure: it did not */
  constructor(
    options: ConnectOptions,
    listener: TransportListener,
    settled: (failure: TransportFailure | null) => void,
  ) {
    this.#options = options;
    this.#listener = listener;
    this.#settled = settled;
    this.#socket = new WebSocket(options.url, 'mqtt');
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => this.#send(mqtt.connect(options.clientId, options.token, options.keepaliveS));
    this.#socket.onclose = () => this.#end();
    this.#socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    this.#ping = setTimeout(() => this.fail(failureOf(undefined, 'the broker does not answer')), options.timeoutMs);
  }

  async subscribe(filter: string): Promise<boolean> {
    const reason = await this.#request((id) => mqtt.subscribe(id, filter));
    if (reason === null) throw new TransportError(this.#failure);
    return reason < DENIED;
  }

  async unsubscribe(filter: string): Promise<void> {
    await this.#request((id) => mqtt.unsubscribe(id, filter));
  }

  publish(topic: string, payload: string): void {
    this.#send(mqtt.publish(this.#id(), topic, payload));
  }

  close(): void {
    if (this.#state === 'over') return;
    this.#send(mqtt.DISCONNECT);
    this.#release();
  }

  fail(failure: TransportFailure): void {
    this.#failure = failure;
    this.#end();
  }

  // --- Sending ---

  #send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  /** Never 0, and not one that waits for an answer. */
  #id(): number {
    do this.#nextId = (this.#nextId % 65_535) + 1;
    while (this.#acks.has(this.#nextId));
    return this.#nextId;
  }

  /** Resolves to the answer's reason; null: the connection ended first. */
  #request(bytes: (id: number) => Uint8Array<ArrayBuffer>): Promise<number | null> {
    if (this.#state === 'over') return Promise.resolve(null);
    const id = this.#id();
    return new Promise((resolve) => {
      this.#acks.set(id, resolve);
      this.#send(bytes(id));
    });
  }

  /** Half the keepalive apart: one without any byte from the broker in between ends the connection. */
  #startPings(): void {
    clearTimeout(this.#ping);
    this.#ping = setInterval(
      () => {
        if (!this.#heard) this.fail(failureOf(undefined, 'the broker does not answer'));
        this.#heard = false;
        this.#send(mqtt.PINGREQ);
      },
      this.#options.keepaliveS * 500,
    );
  }

  // --- Receiving ---

  #receive(data: unknown): void {
    this.#heard = true;
    try {
      if (!(data instanceof ArrayBuffer)) throw new mqtt.MalformedPacket('a message is text');
      for (const packet of this.#parser.push(new Uint8Array(data))) this.#take(packet);
    } catch (error) {
      if (!(error instanceof mqtt.MalformedPacket)) throw error;
      this.fail(failureOf(undefined, `the broker sent no MQTT 5: ${error.message}`));
    }
  }

  #take(packet: mqtt.Packet): void {
    if (this.#state === 'over') return;
    switch (packet.type) {
      case 'connack':
        this.#onConnack(packet.reason);
        break;
      case 'publish':
        // The handlers go first: an event is acknowledged when they have had it.
        this.#listener.onMessage(packet.topic, packet.payload);
        if (packet.qos) this.#send(mqtt.puback(packet.id));
        break;
      case 'suback':
      case 'unsuback':
        this.#acks.get(packet.id)?.(packet.reason);
        this.#acks.delete(packet.id);
        break;
      case 'disconnect':
        this.fail(failureOf(packet.reason, `the broker ended the connection (reason ${packet.reason})`));
        break;
      case 'other':
        break;
    }
  }

  #onConnack(reason: number): void {
    if (this.#state !== 'opening') throw new mqtt.MalformedPacket('a second CONNACK');
    if (reason) {
      this.fail(failureOf(reason, `the broker refused the connection (reason ${reason})`));
      return;
    }
    this.#state = 'open';
    this.#startPings();
    this.#settled(null);
  }

  // --- The end ---

  #end(): void {
    const before = this.#state;
    if (before === 'over') return;
    this.#release();
    if (before === 'opening') this.#settled(this.#failure);
    else this.#listener.onEnd(this.#failure);
  }

  #release(): void {
    this.#state = 'over';
    // clearTimeout() and clearInterval() are the same function: HTML §8.7.
    clearInterval(this.#ping);
    this.#socket.onopen = this.#socket.onclose = this.#socket.onmessage = null;
    this.#socket.close();
    for (const resolve of this.#acks.values()) resolve(null);
    this.#acks.clear();
  }
}

/** Connects without MQTT.js. It receives with QoS 0 and 1, over the browser's own WebSocket.
 *  @example createEventsClient({ url, organizationId, getToken, transport: liteTransport() }); */
export function liteTransport(): Transport {
  return (options, listener, signal) =>
    new Promise((resolve, reject) => {
      const abort = (): void => connection.fail(failureOf(undefined, 'the attempt was cancelled'));
      const connection: LiteConnection = new LiteConnection(options, listener, (failure) => {
        signal.removeEventListener('abort', abort);
        if (failure) reject(new TransportError(failure));
        else resolve(connection);
      });
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort);
    });
}

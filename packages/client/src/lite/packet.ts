// SPDX-License-Identifier: MIT
// The packets of MQTT 5 that a receiving client needs. Section numbers are those of the MQTT 5.0 specification.

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** §1.5.5: four bytes at most. */
const VARINT_BYTES_MAX = 4;

export type Packet =
  | { readonly type: 'connack'; readonly reason: number }
  | { readonly type: 'publish'; readonly topic: string; readonly payload: Uint8Array; readonly qos: number; readonly id: number }
  | { readonly type: 'suback' | 'unsuback'; readonly id: number; readonly reason: number }
  | { readonly type: 'disconnect'; readonly reason: number }
  /** PUBACK, PINGRESP: they need no answer here. */
  | { readonly type: 'other' };

/** The broker sent bytes that are not an MQTT 5 packet, or a packet that this client did not ask for. */
export class MalformedPacket extends Error {
  override readonly name = 'MalformedPacket';
}

function fail(what: string): never {
  throw new MalformedPacket(what);
}

// --- Writing ---

function varint(value: number): number[] {
  const bytes: number[] = [];
  do {
    const more = value > 127 ? 128 : 0;
    bytes.push((value % 128) | more);
    value = Math.floor(value / 128);
  } while (value > 0);
  return bytes;
}

function uint16(value: number): number[] {
  return [value >> 8, value & 255];
}

function text(value: string): number[] {
  const bytes = encoder.encode(value);
  return [...uint16(bytes.length), ...bytes];
}

function packet(first: number, body: readonly number[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array([first, ...varint(body.length), ...body]);
}

/** §3.1: clean start, user name and password. */
export function connect(clientId: string, token: string, keepaliveS: number): Uint8Array<ArrayBuffer> {
  return packet(0x10, [
    ...text('MQTT'),
    5,
    0xc2,
    ...uint16(keepaliveS),
    0,
    ...text(clientId),
    ...text('jwt'),
    ...text(token),
  ]);
}

/** §3.8: one filter, QoS 1. */
export function subscribe(id: number, filter: string): Uint8Array<ArrayBuffer> {
  return packet(0x82, [...uint16(id), 0, ...text(filter), 1]);
}

/** §3.10 */
export function unsubscribe(id: number, filter: string): Uint8Array<ArrayBuffer> {
  return packet(0xa2, [...uint16(id), 0, ...text(filter)]);
}

/** §3.3: QoS 1. */
export function publish(id: number, topic: string, payload: string): Uint8Array<ArrayBuffer> {
  return packet(0x32, [...text(topic), ...uint16(id), 0, ...encoder.encode(payload)]);
}

/** §3.4: success. */
export function puback(id: number): Uint8Array<ArrayBuffer> {
  return packet(0x40, uint16(id));
}

/** §3.12 */
export const PINGREQ: Uint8Array<ArrayBuffer> = packet(0xc0, []);
/** §3.14: normal disconnection. */
export const DISCONNECT: Uint8Array<ArrayBuffer> = packet(0xe0, []);

// --- Reading ---

/** Reads one packet's body from left to right. */
class Reader {
  #at = 0;

  constructor(readonly bytes: Uint8Array) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }

  take(count: number): Uint8Array {
    if (count > this.left) fail('a packet ends too early');
    this.#at += count;
    return this.bytes.subarray(this.#at - count, this.#at);
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  uint16(): number {
    return this.byte() * 256 + this.byte();
  }

  varint(): number {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.byte();
      value += (byte & 127) * 128 ** i;
      if (byte < 128) return value;
    }
    return fail('a length has more than four bytes');
  }

  text(): string {
    try {
      return decoder.decode(this.take(this.uint16()));
    } catch {
      return fail('a topic is not UTF-8');
    }
  }

  /** Nothing here depends on a property, as this client offers no topic aliases. */
  skipProperties(): void {
    this.take(this.varint());
  }
}

function readPublish(first: number, body: Reader): Packet {
  const qos = (first >> 1) & 3;
  const topic = body.text();
  if (qos > 1 || topic === '') fail('a PUBLISH that was not asked for');
  const id = qos ? body.uint16() : 0;
  body.skipProperties();
  return { type: 'publish', topic, qos, id, payload: body.take(body.left) };
}

function readAck(type: 'suback' | 'unsuback', body: Reader): Packet {
  const id = body.uint16();
  body.skipProperties();
  return { type, id, reason: body.byte() };
}

function read(first: number, body: Reader): Packet {
  switch (first >> 4) {
    case 2:
      body.byte();
      return { type: 'connack', reason: body.byte() };
    case 3:
      return readPublish(first, body);
    case 4:
    case 13:
      return { type: 'other' };
    case 9:
      return readAck('suback', body);
    case 11:
      return readAck('unsuback', body);
    case 14:
      return { type: 'disconnect', reason: body.left ? body.byte() : 0 };
    default:
      return fail('an unexpected packet');
  }
}

/** Cuts a stream of bytes into packets: a WebSocket message may hold part of one, or several (§6). */
export class Parser {
  #rest = new Uint8Array(0);
  readonly #bytesMax: number;

  /** @param bytesMax a longer packet is malformed, so that a broker cannot fill the page's memory */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Throws MalformedPacket; the connection is of no use then. */
  *push(bytes: Uint8Array): Generator<Packet> {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    let at = 0;
    for (let size = this.#size(all); size > 0; size = this.#size(all.subarray(at))) {
      const whole = new Reader(all.subarray(at, at + size));
      at += size;
      const first = whole.byte();
      whole.varint();
      yield read(first, whole);
    }
    this.#rest = all.slice(at);
  }

  /** Of the packet that begins here; 0: it is not complete. */
  #size(bytes: Uint8Array): number {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = bytes[1 + i];
      if (byte === undefined) return 0;
      value += (byte & 127) * 128 ** i;
      if (byte >= 128) continue;
      const size = 2 + i + value;
      if (size > this.#bytesMax) fail('a packet is too long');
      return size <= bytes.length ? size : 0;
    }
    return fail('a length has more than four bytes');
  }
}

// SPDX-License-Identifier: MIT
// The packets of the lite transport: bytes of the specification's examples, every cut, and random bytes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as mqtt from '../src/lite/packet.js';

const MAX = 4096;

function all(...chunks: readonly Uint8Array[]): mqtt.Packet[] {
  const parser = new mqtt.Parser(MAX);
  return chunks.flatMap((chunk) => [...parser.push(chunk)]);
}

function bytes(...values: readonly number[]): Uint8Array {
  return new Uint8Array(values);
}

const PUBLISH_QOS_1 = bytes(0x32, 8, 0, 1, 0x61, 0, 7, 0, 0x68, 0x69);

describe('reading', () => {
  it.each([
    ['CONNACK', bytes(0x20, 3, 0, 0x87, 0), { type: 'connack', reason: 0x87 }],
    ['SUBACK', bytes(0x90, 4, 0, 3, 0, 1), { type: 'suback', id: 3, reason: 1 }],
    ['SUBACK with a property', bytes(0x90, 8, 0, 3, 4, 0x1f, 0, 1, 0x78, 0x87), { type: 'suback', id: 3, reason: 0x87 }],
    ['UNSUBACK', bytes(0xb0, 4, 1, 0, 0, 17), { type: 'unsuback', id: 256, reason: 17 }],
    ['PUBLISH of QoS 1', PUBLISH_QOS_1, { type: 'publish', topic: 'a', qos: 1, id: 7, payload: bytes(0x68, 0x69) }],
    ['DISCONNECT', bytes(0xe0, 1, 0x98), { type: 'disconnect', reason: 0x98 }],
    ['DISCONNECT without a reason', bytes(0xe0, 0), { type: 'disconnect', reason: 0 }],
    ['PINGRESP', bytes(0xd0, 0), { type: 'other' }],
    ['PUBACK', bytes(0x40, 2, 0, 1), { type: 'other' }],
  ])('%s', (_what, input, expected) => {
    const [packet] = all(input);
    expect(JSON.stringify(packet)).toBe(JSON.stringify(packet && 'payload' in packet ? { ...packet, ...expected } : expected));
  });

  it('is the same wherever the stream is cut', () => {
    const stream = new Uint8Array([...PUBLISH_QOS_1, 0xd0, 0, ...PUBLISH_QOS_1]);
    for (let cut = 0; cut <= stream.length; cut++) {
      const packets = all(stream.subarray(0, cut), stream.subarray(cut));
      expect(packets.map((one) => one.type), `cut at ${cut}`).toEqual(['publish', 'other', 'publish']);
    }
  });

  it.each([
    ['QoS 2', bytes(0x34, 8, 0, 1, 0x61, 0, 7, 0, 0x68, 0x69)],
    ['no topic', bytes(0x30, 3, 0, 0, 0)],
    ['a topic that is not UTF-8', bytes(0x30, 4, 0, 1, 0xff, 0)],
    ['properties beyond the end', bytes(0x30, 4, 0, 1, 0x61, 9)],
    ['a topic beyond the end', bytes(0x30, 3, 0, 9, 0x61)],
    ['a length of five bytes', bytes(0x30, 0x80, 0x80, 0x80, 0x80, 1)],
    ['a packet that is too long', bytes(0x30, 0xff, 0x7f)],
    ['a packet for servers', bytes(0x10, 0)],
  ])('refuses %s', (_what, input) => {
    expect(() => all(input)).toThrow(mqtt.MalformedPacket);
  });

  it('ends in packets or in MalformedPacket, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (chunks) => {
        try {
          all(...chunks);
        } catch (error) {
          expect(error).toBeInstanceOf(mqtt.MalformedPacket);
        }
      }),
      { numRuns: 20_000 },
    );
  });

  it('gives back what was written, in any pieces', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 40, unit: 'grapheme' }),
        fc.string({ maxLength: 300, unit: 'grapheme' }),
        fc.integer({ min: 1, max: 65_535 }),
        fc.nat(),
        (topic, payload, id, where) => {
          const written = mqtt.publish(id, topic, payload);
          const cut = where % (written.length + 1);
          const [packet, more] = all(written.subarray(0, cut), written.subarray(cut));
          expect(more).toBeUndefined();
          expect(packet).toMatchObject({ type: 'publish', topic, id, qos: 1 });
          expect(packet?.type === 'publish' && new TextDecoder().decode(packet.payload)).toBe(payload);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('writing', () => {
  it('a CONNECT has clean start, a name, and the token as the password', () => {
    const written = mqtt.connect('c', 'abc', 20);
    expect([...written]).toEqual([
      0x10, 24, 0, 4, 0x4d, 0x51, 0x54, 0x54, 5, 0xc2, 0, 20, 0, 0, 1, 0x63, 0, 3, 0x6a, 0x77, 0x74, 0, 3, 0x61, 0x62, 0x63,
    ]);
  });

  it('lengths take as many bytes as they need', () => {
    for (const [size, header] of [[100, 2], [200, 3], [20_000, 4]] as const)
      expect(mqtt.publish(1, 'a', 'x'.repeat(size)).length).toBe(size + header + 6);
  });
});

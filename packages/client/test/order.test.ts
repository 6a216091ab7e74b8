// SPDX-License-Identifier: MIT
// The order of events against the vectors that the C implementation runs too.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Order, ORDER_LIMITS, type Effect, type Input, type Position } from '../src/core/order.js';

interface VectorCase {
  readonly what: string;
  readonly steps: string;
  readonly effects: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('../../../tests/vectors/order.json', import.meta.url), 'utf8'),
) as { readonly cases: readonly VectorCase[] };

/** `a12` → event 12 of epoch a. */
function place(text: string): Position {
  return { epoch: text.slice(0, 1), sequence: BigInt(text.slice(1)) };
}

function since(text: string): Position {
  const [first = '', second] = text.split(':');
  return second === undefined ? { epoch: '', sequence: BigInt(first) } : { epoch: first, sequence: BigInt(second) };
}

function replayed(step: string): Input<string> {
  const [end = '', count = '0'] = step.slice(1).split('/');
  return {
    kind: 'replayed',
    answer: { ...place(end), recovered: step[0] !== 'n', more: step[0] === 'm', replayed: BigInt(count) },
  };
}

function event(step: string): Input<string> {
  if (step.startsWith('*')) return { kind: 'event', event: { position: null, value: step.slice(1), bytes: 1 } };
  const counts = step.startsWith('-');
  const text = counts ? step.slice(1) : step;
  return { kind: 'event', event: { position: place(text), value: counts ? null : text, bytes: 1 } };
}

function input(step: string): Input<string> {
  switch (step[0]) {
    case 'c':
      return { kind: 'connected' };
    case '!':
      return { kind: 'asked' };
    case 'p':
      return { kind: 'position', position: place(step.slice(1)) };
    case 'r':
    case 'm':
    case 'n':
      return replayed(step);
    case 'w':
      return { kind: 'notNow' };
    case 'u':
      return { kind: 'noNumbers' };
    case 'k':
      return { kind: 'check' };
    default:
      return event(step);
  }
}

function wanted(order: Order<string>): string {
  const question = order.want();
  if (!question) return '?';
  return question.kind === 'position' ? '?p' : `?${question.after.epoch}${question.after.sequence}`;
}

function text(effect: Effect<string>): string {
  if (effect.kind === 'deliver') return effect.value;
  if (effect.kind === 'caughtUp') return `caught_up(${effect.delivered})`;
  const { gap } = effect;
  if (gap.kind === 'lost') return `lost(${gap.from},${gap.to})`;
  return gap.kind === 'restart' ? `restart(${gap.after},0)` : 'unknown(0,0)';
}

describe('the shared vectors', () => {
  it.each(vectors.cases)('$what', ({ steps, effects }) => {
    const all = steps.split(' ');
    const order = new Order<string>(all[0]?.startsWith('s') ? since(all.shift()?.slice(1) ?? '') : null);
    const seen: string[] = [];
    for (const step of all) {
      if (step.startsWith('?')) expect(wanted(order), `at ${step}`).toBe(step);
      else seen.push(...order.advance(input(step)).map(text));
    }
    expect(seen.join(' ')).toBe(effects);
  });
});

describe('the waiting events', () => {
  function begun(): Order<string> {
    const order = new Order<string>({ epoch: 'a', sequence: 0n });
    order.advance({ kind: 'connected' });
    return order;
  }

  function feed(order: Order<string>, from: number, to: number, bytes: number): void {
    for (let i = from; i <= to; i++)
      order.advance({ kind: 'event', event: { position: { epoch: 'a', sequence: BigInt(i) }, value: 'x', bytes } });
  }

  it('are bounded in number, and the lowest numbers stay', () => {
    const order = begun();
    feed(order, 2, 2 * ORDER_LIMITS.heldEvents, 1);
    expect(order.heldCount).toBe(ORDER_LIMITS.heldEvents);
    feed(order, 1, 1, 1);
    expect(order.heldCount).toBe(0);
    expect(order.heldBytes).toBe(0);
    expect(wanted(order)).toBe(`?a${ORDER_LIMITS.heldEvents + 1}`);
  });

  it('are bounded in bytes, and a lower number takes the place of higher ones', () => {
    const order = begun();
    feed(order, 9, 9, 2 * ORDER_LIMITS.heldBytes);
    feed(order, 10, 10, 1);
    expect(order.heldCount).toBe(1);
    feed(order, 3, 8, ORDER_LIMITS.heldBytes / 4);
    expect(order.heldCount).toBe(4);
    expect(order.heldBytes).toBeLessThanOrEqual(ORDER_LIMITS.heldBytes);
  });
});

// SPDX-License-Identifier: MIT
// Random runs against a model of a broker whose connection loses, repeats and mixes events. Each event is
// delivered once, in order, or reported as a gap; and no event is reported as a gap that could be delivered.
import { describe, expect, it } from 'vitest';
import { Order, type Effect, type Position, type ReplayAnswer } from '../src/core/order.js';

interface Rules {
  readonly what: string;
  /** Events that the broker stores. */
  readonly keep: number;
  /** Chances in a thousand: a live event is lost, a replayed one is, the broker restarts at a step. */
  readonly loss?: number;
  readonly replayLoss?: number;
  readonly restarts?: number;
  /** The client begins with a stored position. */
  readonly since?: boolean;
  /** Some events are for other clients. */
  readonly hidden?: boolean;
}

const ALL = Number.MAX_SAFE_INTEGER;
const RULES: readonly Rules[] = [
  { what: 'only the connection fails', keep: ALL },
  { what: 'live events are lost', keep: ALL, loss: 100 },
  { what: 'some events are for others', keep: ALL, loss: 100, hidden: true },
  { what: 'the client begins with a position', keep: ALL, loss: 100, since: true, hidden: true },
  { what: 'replayed events are lost', keep: 400, loss: 100, replayLoss: 300 },
  { what: 'the broker stores few events', keep: 20, loss: 50 },
  { what: 'everything fails', keep: 20, loss: 50, replayLoss: 100, restarts: 10, hidden: true },
  { what: 'the broker stores nothing', keep: 0, loss: 50, since: true },
  { what: 'the broker restarts', keep: ALL, loss: 50, restarts: 10 },
  { what: 'the broker restarts, the client has a position', keep: 100, loss: 50, restarts: 20, since: true },
];

const RUNS = 1000; // for each of the ten rules
const STEPS = 150;

type Packet =
  | { readonly kind: 'event'; readonly id: number }
  | { readonly kind: 'position'; readonly id: number; readonly position: Position }
  | { readonly kind: 'replayed'; readonly answer: ReplayAnswer }
  | { readonly kind: 'notNow' };

/** xorshift; a failing seed can be run again. */
function randomOf(seed: number): (below: number) => number {
  let state = (seed * 0x9e3779b9) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

class Model {
  readonly order: Order<number>;
  readonly draw: (below: number) => number;
  /** An event's id is its epoch's base plus its sequence. */
  readonly bases = [0];
  readonly hidden = new Set<number>();
  readonly delivered = new Set<number>();
  readonly gaps = new Set<number>();
  live: Packet[] = [];
  control: Packet[] = [];
  sequence = 0;
  up = false;
  subscribed = false;
  faults = true;
  start = 0;
  lastDelivered = 0;
  fault = '';

  constructor(
    readonly rules: Rules,
    seed: number,
  ) {
    this.draw = randomOf(seed);
    this.order = new Order<number>(rules.since ? this.present() : null);
  }

  chance(inThousand = 0): boolean {
    return this.faults && this.draw(1000) < inThousand;
  }

  get epoch(): number {
    return this.bases.length - 1;
  }

  base(epoch: number): number {
    return this.bases[epoch] ?? 0;
  }

  id(sequence: number, epoch = this.epoch): number {
    return this.base(epoch) + sequence;
  }

  present(): Position {
    return { epoch: String(this.epoch + 1), sequence: BigInt(this.sequence) };
  }

  positionOf(id: number): Position {
    let epoch = this.epoch;
    while (this.base(epoch) >= id) epoch--;
    return { epoch: String(epoch + 1), sequence: BigInt(id - this.base(epoch)) };
  }

  publish(): void {
    const id = this.id(++this.sequence);
    if (this.faults && this.rules.hidden && this.draw(5) === 0) this.hidden.add(id);
    if (this.hidden.has(id) || !this.subscribed || this.chance(this.rules.loss)) return;
    this.live.push({ kind: 'event', id });
    if (this.chance(20)) this.live.push({ kind: 'event', id: id - this.draw(3) });
  }

  replay(after: Position): void {
    const missed = this.sequence - Number(after.sequence);
    const known = after.epoch === String(this.epoch + 1) && missed >= 0 && missed <= this.rules.keep;
    if (!known) {
      this.control.push({
        kind: 'replayed',
        answer: { ...this.present(), recovered: false, more: false, replayed: 0n },
      });
      return;
    }
    const count = Math.min(missed, 1 + this.draw(40));
    const end = Number(after.sequence) + count;
    let replayed = 0n;
    for (let sequence = Number(after.sequence) + 1; sequence <= end; sequence++) {
      const id = this.id(sequence);
      if (this.hidden.has(id)) continue;
      replayed++;
      if (!this.chance(this.rules.replayLoss)) this.control.push({ kind: 'event', id });
    }
    this.control.push({
      kind: 'replayed',
      answer: { epoch: after.epoch, sequence: BigInt(end), recovered: true, more: count < missed, replayed },
    });
  }

  ask(): void {
    const question = this.order.want();
    if (!question || !this.up) return;
    if (question.kind === 'replay' && !this.subscribed) return;
    this.apply(this.order.advance({ kind: 'asked' }));
    if (question.kind === 'position')
      this.control.push({ kind: 'position', id: this.id(this.sequence), position: this.present() });
    else if (this.chance(100)) this.control.push({ kind: 'notNow' });
    else this.replay(question.after);
  }

  apply(effects: readonly Effect<number>[]): void {
    for (const effect of effects) {
      if (effect.kind === 'deliver') {
        if (effect.value <= this.lastDelivered) this.fault ||= `${effect.value} after ${this.lastDelivered}`;
        this.lastDelivered = effect.value;
        this.delivered.add(effect.value);
      } else if (effect.kind === 'gap') this.note(effect.gap);
    }
  }

  /** The epoch of the gap is the client's at that moment; for a restart it is the one before. */
  gapEpoch = 0;

  note(gap: Extract<Effect<number>, { kind: 'gap' }>['gap']): void {
    if (gap.kind === 'lost')
      for (let i = Number(gap.from); i <= Number(gap.to); i++) this.gaps.add(this.id(i, this.gapEpoch));
    if (gap.kind === 'restart') {
      const next = Number(this.order.position?.epoch ?? 1) - 1;
      for (let id = this.id(Number(gap.after), this.gapEpoch) + 1; id <= this.base(next); id++) this.gaps.add(id);
      this.gapEpoch = next;
    }
  }

  deliver(lane: 'live' | 'control'): void {
    const packet = this[lane].shift();
    if (!packet) return;
    this.gapEpoch = Number(this.order.position?.epoch ?? 1) - 1;
    switch (packet.kind) {
      case 'event':
        if (packet.id <= 0 || this.hidden.has(packet.id)) return;
        this.apply(
          this.order.advance({ kind: 'event', event: { position: this.positionOf(packet.id), value: packet.id, bytes: 1 } }),
        );
        return;
      case 'position':
        if (!this.order.position) this.start = packet.id;
        this.apply(this.order.advance(packet));
        return;
      default:
        this.apply(this.order.advance(packet));
    }
  }

  disconnect(): void {
    this.up = this.subscribed = false;
    this.live = [];
    this.control = [];
  }

  connect(): void {
    if (this.up) return;
    this.up = true;
    this.apply(this.order.advance({ kind: 'connected' }));
  }

  restart(): void {
    if (this.draw(2)) this.disconnect();
    this.bases.push(this.id(this.sequence));
    this.sequence = 0;
  }

  step(): void {
    const kind = this.draw(100);
    if (this.chance(this.rules.restarts)) this.restart();
    if (kind < 25) this.publish();
    else if (kind < 50) this.deliver('live');
    else if (kind < 75) this.deliver('control');
    else if (kind < 77) this.disconnect();
    else if (kind < 82) this.connect();
    else if (kind < 90) this.subscribed = this.up;
    else this.ask();
  }

  settle(): void {
    this.faults = false;
    this.connect();
    this.subscribed = true;
    do {
      this.ask();
      this.deliver('live');
      this.deliver('control');
    } while (this.live.length + this.control.length > 0 || this.order.want());
  }

  /** What is wrong in the end; '' for nothing. */
  verdict(): string {
    const lossless = this.rules.keep === ALL && !this.rules.restarts;
    for (let id = 1; id <= this.id(this.sequence); id++) {
      const wanted = id > this.start && !this.hidden.has(id);
      if (wanted && !this.delivered.has(id) && !this.gaps.has(id)) return `${id} is missing`;
      if (this.delivered.has(id) && (!wanted || this.gaps.has(id))) return `${id} was delivered and reported as a gap`;
      if (lossless && this.gaps.has(id)) return `${id} was reported as a gap, but the broker stores it`;
    }
    return this.fault;
  }
}

describe('random runs', () => {
  it.each(RULES)('$what', (rules) => {
    for (let seed = 1; seed <= RUNS; seed++) {
      const model = new Model(rules, seed);
      for (let i = 0; i < STEPS; i++) model.step();
      model.settle();
      model.publish();
      model.settle();
      expect(model.verdict(), `seed ${seed}`).toBe('');
    }
  });
});

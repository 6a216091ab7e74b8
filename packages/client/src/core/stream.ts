// SPDX-License-Identifier: MIT
// One organization's stream: passes what arrives to `Order`, asks the broker what `Order` wants to know, and
// holds events back while the page loads its data again.

import type { Answer, Control } from './control.js';
import { decodeEvent, positionOf, type EventEnvelope } from './decode.js';
import { Order, type Effect, type Gap, type Input, type Position, type Question } from './order.js';

const ANSWER_TIMEOUT_MS = 10_000;
const NOT_NOW_PAUSE_MS = 1_000;
/** No later event tells that the last one was lost. */
const CHECK_EVERY_MS = 60_000;
/** Questions without an answer before the client does without numbers. */
const SILENT_MAX = 3;
/** Events held back during a resync. Beyond this many they are dropped, and the page loads its data again. */
const HELD_BACK_MAX = 10_000;
/** The broker may answer such a question later. */
const PASSING: readonly string[] = ['limit_rate', 'full', 'out_of_memory'];

/** Who gets what leaves the stream. */
export interface StreamSink {
  deliver(event: EventEnvelope): void;
  /** Resolves when the page has loaded its data again. */
  resync(organizationId: string, gap: Gap): Promise<void>;
  malformed(organizationId: string, reason: string): void;
}

export class Stream {
  readonly organizationId: string;
  readonly #sink: StreamSink;
  readonly #order: Order<EventEnvelope>;
  #control: Control | null = null;
  #subscribed = false;
  #silent = 0;
  #answered = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Events held back during a resync; null: there is none. */
  #heldBack: EventEnvelope[] | null = null;
  #gapDuringResync: Gap | null = null;
  #closed = false;

  /** @param since where to go on; null: the page has just loaded its data */
  constructor(organizationId: string, sink: StreamSink, since: Position | null) {
    this.organizationId = organizationId;
    this.#sink = sink;
    this.#order = new Order<EventEnvelope>(since);
  }

  /** Everything up to here has reached the handlers; null until the first answer, and during a resync. */
  get position(): Position | null {
    return this.#heldBack ? null : this.#order.position;
  }

  /** A connection is open, and the subscription is on its way. */
  opened(control: Control): void {
    this.#control = control;
    this.#subscribed = false;
    this.#silent = 0;
    this.#advance({ kind: 'connected' });
    this.#next();
  }

  subscribed(): void {
    this.#subscribed = true;
    this.#next();
  }

  ended(): void {
    this.#control = null;
    this.#subscribed = false;
    clearTimeout(this.#timer);
  }

  close(): void {
    this.#closed = true;
    this.#heldBack = null;
    this.ended();
  }

  message(payload: Uint8Array): void {
    const decoded = decodeEvent(payload, this.organizationId);
    if (!decoded.ok) {
      this.#sink.malformed(this.organizationId, decoded.reason);
      return;
    }
    const { event } = decoded;
    this.#advance({ kind: 'event', event: { position: event.position, value: event, bytes: payload.length } });
    this.#next();
  }

  // --- Questions ---

  /** Asks what is to be asked, now or later. */
  #next(): void {
    const question = this.#order.want();
    if (!this.#control || (question?.kind === 'replay' && !this.#subscribed)) return;
    if (question) void this.#ask(this.#control, question);
  }

  async #ask(control: Control, question: Question): Promise<void> {
    const { organizationId } = this;
    clearTimeout(this.#timer);
    this.#advance({ kind: 'asked' });
    const members =
      question.kind === 'position'
        ? { organizationId }
        : { organizationId, epoch: question.after.epoch, after: String(question.after.sequence) };
    const answer = await control.ask(question.kind, members, ANSWER_TIMEOUT_MS);
    if (this.#control !== control) return;
    this.#take(question, answer);
  }

  #take(question: Question, answer: Answer): void {
    if (answer.kind === 'silent') this.#onSilence();
    else if (answer.kind === 'error' && PASSING.includes(answer.code)) this.#notNow();
    else if (answer.kind === 'error') this.#advance({ kind: 'noNumbers' });
    else this.#onData(question, answer.data);
  }

  #onSilence(): void {
    if (++this.#silent < SILENT_MAX || this.#answered) {
      this.#advance({ kind: 'notNow' });
      this.#next();
    } else this.#advance({ kind: 'noNumbers' });
  }

  #notNow(): void {
    this.#later(NOT_NOW_PAUSE_MS, () => {
      this.#advance({ kind: 'notNow' });
      this.#next();
    });
  }

  #onData(question: Question, data: Record<string, unknown>): void {
    const position = positionOf(data);
    if (!position) {
      this.#advance({ kind: 'noNumbers' });
      return;
    }
    this.#silent = 0;
    this.#answered = true;
    this.#later(CHECK_EVERY_MS, () => {
      this.#advance({ kind: 'check' });
      this.#next();
    });
    if (question.kind === 'position') this.#advance({ kind: 'position', position });
    else {
      const { recovered, more, replayed } = data;
      const count = typeof replayed === 'number' && Number.isSafeInteger(replayed) ? BigInt(replayed) : 0n;
      this.#advance({
        kind: 'replayed',
        answer: { ...position, recovered: recovered === true, more: more === true, replayed: count },
      });
    }
    this.#next();
  }

  #later(delayMs: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, delayMs);
  }

  // --- What leaves ---

  #advance(input: Input<EventEnvelope>): void {
    for (const effect of this.#order.advance(input)) this.#carryOut(effect);
  }

  #carryOut(effect: Effect<EventEnvelope>): void {
    if (this.#closed) return;
    if (effect.kind === 'gap') this.#onGap(effect.gap);
    if (effect.kind !== 'deliver') return;
    if (!this.#heldBack) this.#sink.deliver(effect.value);
    else if (this.#heldBack.length < HELD_BACK_MAX) this.#heldBack.push(effect.value);
    else {
      this.#heldBack = [];
      this.#gapDuringResync ??= { kind: 'unknown' };
    }
  }

  #onGap(gap: Gap): void {
    if (this.#heldBack) this.#gapDuringResync = gap;
    else void this.#resync(gap);
  }

  /** A gap makes the page load its data. All gaps during that load make it load once again. */
  async #resync(first: Gap): Promise<void> {
    this.#heldBack = [];
    for (let gap: Gap | null = first; gap; gap = this.#gapDuringResync) {
      this.#gapDuringResync = null;
      await this.#sink.resync(this.organizationId, gap);
    }
    const held = this.#heldBack ?? [];
    this.#heldBack = null;
    for (const event of held) this.#sink.deliver(event);
  }
}

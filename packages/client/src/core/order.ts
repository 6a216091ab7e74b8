// SPDX-License-Identifier: MIT
// Puts one organization's events in order. Live and replayed events share one connection: they come mixed,
// twice, or not at all. Each event leaves once, in the order of its number, or a gap is reported.
//
// This module has no timers and does no I/O. The caller passes each input to `advance()`, carries out the
// effects it returns, and sends the question that `want()` names. `cli/merge.c` is the same machine in C;
// tests/vectors/order.json holds both to the same behaviour.

/** A place in an organization's stream. */
export interface Position {
  /** The broker's numbering. It changes when the broker restarts. */
  readonly epoch: string;
  /** The number of the last event, from 1 on; 0 is the place before the first one. */
  readonly sequence: bigint;
}

export type Gap =
  /** The broker no longer stores the events `from` to `to`. */
  | { readonly kind: 'lost'; readonly from: bigint; readonly to: bigint }
  /** The broker restarted its numbering. Events after `after` may be lost. */
  | { readonly kind: 'restart'; readonly after: bigint }
  /** The connection was interrupted, and the broker has no numbers that tell what was missed. */
  | { readonly kind: 'unknown' };

/** An event on its way through. `value` is null for one that counts but that nobody wants. */
export interface Numbered<T> {
  /** null: the event has no number and leaves at once. */
  readonly position: Position | null;
  readonly value: T | null;
  /** Size of the payload. */
  readonly bytes: number;
}

export interface ReplayAnswer extends Position {
  readonly recovered: boolean;
  /** The broker has more events than one answer may carry. */
  readonly more: boolean;
  readonly replayed: bigint;
}

export type Input<T> =
  /** A connection is open. Nothing of an earlier one comes any more. */
  | { readonly kind: 'connected' }
  | { readonly kind: 'event'; readonly event: Numbered<T> }
  /** The question that `want()` named is on its way. One of the next four answers it. */
  | { readonly kind: 'asked' }
  | { readonly kind: 'position'; readonly position: Position }
  | { readonly kind: 'replayed'; readonly answer: ReplayAnswer }
  /** The broker cannot answer now. Ask again later. */
  | { readonly kind: 'notNow' }
  /** The broker does not number events. */
  | { readonly kind: 'noNumbers' }
  /** Find out whether the latest events were lost, which no later event tells. Once a minute is enough. */
  | { readonly kind: 'check' };

export type Effect<T> =
  | { readonly kind: 'deliver'; readonly value: T }
  | { readonly kind: 'gap'; readonly gap: Gap }
  /** Everything before this connection has been delivered or reported. `delivered`: events since it opened. */
  | { readonly kind: 'caughtUp'; readonly delivered: number };

export type Question =
  | { readonly kind: 'position' }
  /** Send it once the subscription is in place. */
  | { readonly kind: 'replay'; readonly after: Position };

export interface OrderLimits {
  /** Events that wait for earlier ones. Beyond it the highest are dropped and asked for again. */
  readonly heldEvents: number;
  readonly heldBytes: number;
  /** Answers without anything new before the missing events are given up. */
  readonly vainAnswers: number;
}

/** The broker's `replay` answers with at most 512 events or 1 MiB. */
export const ORDER_LIMITS: OrderLimits = { heldEvents: 1024, heldBytes: 8 * 1024 * 1024, vainAnswers: 3 };

interface Held<T> {
  readonly position: Position;
  readonly value: T | null;
  readonly bytes: number;
}

export class Order<T> {
  readonly #limits: OrderLimits;
  #effects: Effect<T>[] = [];

  /** Everything up to here was delivered or reported as a gap. Its epoch is '' until it is known. */
  #last: Position = { epoch: '', sequence: 0n };
  /** `last` was given by the caller; the broker's position may supply its epoch. */
  #since = false;
  /** The highest number known to exist in this epoch. */
  #tip = 0n;

  #connected = false;
  /** There was a connection before this one. */
  #again = false;
  #unnumbered = false;
  /** The broker may have events after `last` that have not been seen. */
  #syncing = false;
  #announce = false;
  #checking = false;
  #waiting = false;
  /** An event was dropped before the position was known. */
  #dropped = false;
  #asked = 0;
  #askedAfter = 0n;
  /** 1 + `asked` at the last event of another epoch; 0: there was none. */
  #foreign = 0;
  /** Events that `last` has passed since the latest question. */
  #taken = 0n;
  #delivered = 0;
  #vain = 0;
  /** Events of one epoch are in their order. */
  #held: Held<T>[] = [];
  #heldBytes = 0;

  /** @param since where to begin; with epoch '' the number counts in the broker's present epoch */
  constructor(since: Position | null = null, limits: OrderLimits = ORDER_LIMITS) {
    this.#limits = limits;
    if (since) {
      this.#last = since;
      this.#since = true;
    }
  }

  /** The place up to which everything was delivered or reported; null until it is known. */
  get position(): Position | null {
    return this.#last.epoch === '' ? null : this.#last;
  }

  /** How many events wait for earlier ones. */
  get heldCount(): number {
    return this.#held.length;
  }

  /** How many bytes the waiting events have. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** What to ask the broker next; null: nothing now. */
  want(): Question | null {
    if (this.#waiting || this.#unnumbered) return null;
    if (this.#last.epoch === '') return { kind: 'position' };
    if (!this.#syncing && this.#foreign === 0 && this.#tip <= this.#last.sequence)
      return this.#checking ? { kind: 'position' } : null;
    return { kind: 'replay', after: this.#last };
  }

  /** Takes one input and returns what the caller has to do, in this order. */
  advance(input: Input<T>): readonly Effect<T>[] {
    this.#effects = [];
    switch (input.kind) {
      case 'connected':
        this.#onConnected();
        break;
      case 'event':
        this.#onEvent(input.event);
        break;
      case 'asked':
        this.#onAsked();
        break;
      case 'position':
        this.#onPosition(input.position);
        break;
      case 'replayed':
        this.#onReplayed(input.answer);
        break;
      case 'notNow':
        this.#waiting = false;
        break;
      case 'noNumbers':
        this.#onNoNumbers();
        break;
      case 'check':
        this.#checking = true;
        break;
    }
    return this.#effects;
  }

  // --- Inputs ---

  #onConnected(): void {
    this.#again = this.#connected;
    this.#connected = true;
    this.#unnumbered = false;
    this.#waiting = false;
    this.#syncing = true;
    this.#announce = true;
    this.#delivered = 0;
    this.#vain = 0;
  }

  #onAsked(): void {
    this.#waiting = true;
    this.#checking = false;
    this.#asked++;
    this.#askedAfter = this.#last.sequence;
    this.#taken = 0n;
  }

  #onEvent({ position, value, bytes }: Numbered<T>): void {
    if (!position || this.#unnumbered) {
      this.#deliver(value);
      return;
    }
    const held = { position, value, bytes: value === null ? 0 : bytes };
    if (this.#last.epoch === '') {
      if (!this.#hold(held)) this.#dropped = true;
      return;
    }
    if (!this.#isOwn(position)) {
      this.#foreign = this.#asked + 1;
      this.#hold(held);
      return;
    }
    if (position.sequence <= this.#last.sequence) return;
    if (position.sequence === this.#last.sequence + 1n) {
      this.#take(position.sequence, value);
      this.#drain();
      return;
    }
    this.#raiseTip(position.sequence);
    this.#hold(held);
  }

  #onPosition(position: Position): void {
    this.#waiting = false;
    if (this.#last.epoch !== '') {
      this.#syncing ||= !this.#isOwn(position) || position.sequence > this.#tip;
      return;
    }
    const sequence = this.#since ? this.#last.sequence : position.sequence;
    if (!this.#since && this.#again) this.#report({ kind: 'unknown' });
    this.#last = { epoch: position.epoch, sequence };
    this.#dropped = false;
    this.#syncing = true;
    this.#tip = sequence;
    // Some of the waiting events may be of another epoch.
    if (this.#held.length > 0) this.#foreign = this.#asked + 1;
    this.#drain();
  }

  #onNoNumbers(): void {
    this.#waiting = false;
    this.#unnumbered = true;
    this.#announce = false;
    if (this.#again || this.#dropped) this.#report({ kind: 'unknown' });
    for (const held of this.#held) this.#deliver(held.value);
    this.#held = [];
    this.#heldBytes = 0;
    this.#last = { epoch: '', sequence: 0n };
    this.#since = false;
    this.#dropped = false;
    this.#foreign = 0;
    this.#tip = 0n;
  }

  #onReplayed(answer: ReplayAnswer): void {
    const before = this.#last;
    this.#waiting = false;
    if (this.#isOwn(answer) && answer.recovered) this.#recovered(answer);
    else if (this.#isOwn(answer) && answer.sequence >= this.#askedAfter) this.#lost(answer.sequence);
    else this.#restarted(answer);
    if (this.#taken > 0n || !this.#isOwn(before) || before.sequence !== this.#last.sequence) this.#vain = 0;
    else if (this.want() && ++this.#vain >= this.#limits.vainAnswers) this.#giveUp();
    if (this.#announce && !this.#syncing) {
      this.#announce = false;
      this.#effects.push({ kind: 'caughtUp', delivered: this.#delivered });
    }
  }

  #recovered(answer: ReplayAnswer): void {
    const askedSinceForeign = this.#foreign > 0 && this.#foreign <= this.#asked;
    this.#raiseTip(answer.sequence);
    // The broker drops what a slow client has not read.
    if (this.#taken + this.#countHeld(answer.sequence) < answer.replayed) {
      this.#syncing = true;
      return;
    }
    // What is missing now is not for this client.
    this.#advanceTo(answer.sequence, false);
    this.#syncing = answer.more;
    // This epoch is still the present one; the other one was earlier.
    if (askedSinceForeign) this.#dropForeign();
  }

  #lost(present: bigint): void {
    const held = this.#firstOwn();
    // `last` may be further by now.
    const end = held && held.position.sequence - 1n < present ? held.position.sequence - 1n : present;
    this.#raiseTip(present);
    this.#skipTo(end, true);
    this.#drain();
    this.#syncing = this.#tip > this.#last.sequence;
  }

  #restarted(place: Position): void {
    for (let held = this.#firstOwn(); held; held = this.#firstOwn()) {
      this.#skipTo(held.position.sequence - 1n, true);
      this.#takeHeld(held);
    }
    this.#report({ kind: 'restart', after: this.#last.sequence });
    this.#last = { epoch: place.epoch, sequence: 0n };
    this.#syncing = true;
    this.#tip = 0n;
    this.#dropForeign();
    this.#drain();
  }

  #giveUp(): void {
    this.#vain = 0;
    this.#syncing = false;
    this.#dropForeign();
    this.#advanceTo(this.#tip, true);
  }

  // --- What leaves ---

  #deliver(value: T | null): void {
    if (value === null) return;
    this.#delivered++;
    this.#effects.push({ kind: 'deliver', value });
  }

  #report(gap: Gap): void {
    this.#effects.push({ kind: 'gap', gap });
  }

  #take(sequence: bigint, value: T | null): void {
    this.#last = { epoch: this.#last.epoch, sequence };
    this.#taken++;
    this.#raiseTip(sequence);
    this.#deliver(value);
  }

  #takeHeld(held: Held<T>): void {
    this.#take(held.position.sequence, held.value);
    this.#remove(this.#held.indexOf(held));
  }

  /** Delivers the waiting events that are next. */
  #drain(): void {
    for (let held = this.#firstOwn(); held; held = this.#firstOwn()) {
      if (held.position.sequence > this.#last.sequence + 1n) return;
      if (held.position.sequence > this.#last.sequence) this.#takeHeld(held);
      else this.#remove(this.#held.indexOf(held));
    }
  }

  /** @param lost the skipped events existed, and this client should have had them */
  #skipTo(sequence: bigint, lost: boolean): void {
    if (sequence <= this.#last.sequence) return;
    if (lost) this.#report({ kind: 'lost', from: this.#last.sequence + 1n, to: sequence });
    this.#last = { epoch: this.#last.epoch, sequence };
  }

  /** Nothing up to that number will come any more. */
  #advanceTo(sequence: bigint, lost: boolean): void {
    for (let held = this.#firstOwn(); held && held.position.sequence <= sequence; held = this.#firstOwn()) {
      this.#skipTo(held.position.sequence - 1n, lost);
      this.#takeHeld(held);
    }
    this.#skipTo(sequence, lost);
    this.#drain();
  }

  // --- What waits ---

  #isOwn(position: Position): boolean {
    return position.epoch === this.#last.epoch;
  }

  #raiseTip(sequence: bigint): void {
    if (this.#tip < sequence) this.#tip = sequence;
  }

  /** The lowest of this epoch. */
  #firstOwn(): Held<T> | undefined {
    return this.#held.find((held) => this.#isOwn(held.position));
  }

  #countHeld(sequence: bigint): bigint {
    return BigInt(this.#held.filter((held) => this.#isOwn(held.position) && held.position.sequence <= sequence).length);
  }

  #dropForeign(): void {
    this.#held = this.#held.filter((held) => this.#isOwn(held.position));
    this.#heldBytes = this.#held.reduce((sum, held) => sum + held.bytes, 0);
    this.#foreign = 0;
  }

  #remove(index: number): void {
    const [removed] = this.#held.splice(index, 1);
    this.#heldBytes -= removed?.bytes ?? 0;
  }

  /** Returns false when there is no room. The event is asked for again later. */
  #hold(held: Held<T>): boolean {
    const { epoch, sequence } = held.position;
    // Before the first of its epoch with a higher number, otherwise at the end.
    const found = this.#held.findIndex((other) => other.position.epoch === epoch && other.position.sequence >= sequence);
    const index = found < 0 ? this.#held.length : found;
    if (this.#held[index]?.position.sequence === sequence) return true;
    if (!this.#makeRoom(held, index)) return false;
    this.#held.splice(index, 0, held);
    this.#heldBytes += held.bytes;
    return true;
  }

  #hasRoom(bytes: number): boolean {
    const { heldEvents, heldBytes } = this.#limits;
    return this.#held.length === 0 || (this.#held.length < heldEvents && this.#heldBytes + bytes <= heldBytes);
  }

  /** An event of this epoch takes the place of those that come later. */
  #makeRoom(held: Held<T>, index: number): boolean {
    while (!this.#hasRoom(held.bytes)) {
      if (!this.#isOwn(held.position) || index === this.#held.length) return false;
      this.#remove(this.#held.length - 1);
    }
    return true;
  }
}

// SPDX-License-Identifier: MIT
// A client without a connection, which a component's test drives by hand. No broker, no timers.

import type { EventPayloads, EventType } from '../core/catalogue.js';
import type { EventHandler, EventsClient, EventsError, ResyncHandler, Status, StoredPosition } from '../core/client.js';
import type { EventEnvelope } from '../core/decode.js';
import type { Gap } from '../core/order.js';
import { EXAMPLES } from './examples.js';

/** An event's attributes that a test may set. */
export type EnvelopeOverrides = Partial<Pick<EventEnvelope, 'id' | 'source' | 'subject' | 'time'>>;

export interface FakeEventsClient extends EventsClient {
  /** Delivers an event to the handlers. Members of the data that are left out get valid values.
   *  @returns the event, as the handlers got it
   *  @example fake.emit(InvoiceEvent.CREATED, { invoiceId: 'inv-1' }); */
  emit<T extends EventType>(
    type: T,
    data?: Partial<EventPayloads[T]>,
    envelope?: EnvelopeOverrides,
  ): EventEnvelope<T, EventPayloads[T]>;
  setStatus(status: Status): void;
  /** Reports lost events. Resolves when the handlers have loaded their data. */
  resync(gap?: Gap, organizationId?: string): Promise<void>;
  /** Reports an error. */
  fail(error: Partial<EventsError>): void;
  /** How many handlers a type has; of all types when it is left out. */
  subscriptions(type?: '*' | EventType): number;
}

type Handler = EventHandler<unknown>;

/** A list of handlers; the same handler may be in it twice. */
class Handlers<H> {
  readonly #all = new Map<object, H>();

  add(handler: H): () => void {
    const key = {};
    this.#all.set(key, handler);
    return () => void this.#all.delete(key);
  }

  get list(): readonly H[] {
    return [...this.#all.values()];
  }
}

class Fake {
  status: Status = 'idle';
  error: EventsError | null = null;
  readonly #organizationId: string;
  readonly #handlers = new Map<string, Handlers<Handler>>();
  readonly #statusHandlers = new Handlers<(status: Status) => void>();
  readonly #resyncHandlers = new Handlers<ResyncHandler>();
  readonly #errorHandlers = new Handlers<(error: EventsError) => void>();
  #organizations: readonly string[];
  #sequence = 0n;

  constructor(organizationId: string) {
    this.#organizationId = organizationId;
    this.#organizations = [organizationId];
  }

  readonly subscribe = (type: string, handler: Handler): (() => void) => {
    let handlers = this.#handlers.get(type);
    if (!handlers) this.#handlers.set(type, (handlers = new Handlers()));
    return handlers.add(handler);
  };

  onStatus = (handler: (status: Status) => void): (() => void) => this.#statusHandlers.add(handler);
  onResync = (handler: ResyncHandler): (() => void) => this.#resyncHandlers.add(handler);
  onError = (handler: (error: EventsError) => void): (() => void) => this.#errorHandlers.add(handler);

  connect(): void {
    this.setStatus('connected');
  }

  close(): void {
    this.setStatus('closed');
  }

  setOrganization(organizationId: string | readonly string[]): void {
    this.#organizations = typeof organizationId === 'string' ? [organizationId] : organizationId;
  }

  position(): StoredPosition | null {
    return { epoch: 'fake', sequence: String(this.#sequence).padStart(20, '0') };
  }

  emit(type: EventType, data: object = {}, envelope: EnvelopeOverrides = {}): EventEnvelope {
    this.#sequence++;
    const organizationId = this.#organizations[0] ?? this.#organizationId;
    const full = { ...EXAMPLES[type], organizationId, ...data };
    const event: EventEnvelope = {
      id: `fake-${this.#sequence}`,
      type,
      source: '/test',
      subject: 'invoiceId' in full ? full.invoiceId : undefined,
      time: full.timestamp,
      organizationId: full.organizationId,
      data: full,
      position: { epoch: 'fake', sequence: this.#sequence },
      ...envelope,
    };
    for (const name of [type, '*'])
      for (const handler of this.#handlers.get(name)?.list ?? []) handler(event.data, event);
    return event;
  }

  setStatus(status: Status): void {
    if (status === this.status) return;
    this.status = status;
    if (status === 'connected') this.error = null;
    for (const handler of this.#statusHandlers.list) handler(status);
  }

  async resync(gap: Gap = { kind: 'unknown' }, organizationId = this.#organizationId): Promise<void> {
    await Promise.all(this.#resyncHandlers.list.map((handler) => handler(organizationId, gap)));
  }

  fail(error: Partial<EventsError>): void {
    this.error = { code: 'connection', message: 'the connection closed', ...error };
    for (const handler of this.#errorHandlers.list) handler(this.error);
  }

  subscriptions(type?: string): number {
    const lists = type === undefined ? [...this.#handlers.values()] : [this.#handlers.get(type)];
    return lists.reduce((sum, one) => sum + (one?.list.length ?? 0), 0);
  }
}

/** Makes a client for tests. A handler that throws makes `emit()` throw, so that the test sees it.
 *  @example
 *  const fake = createFakeEventsClient();
 *  render(<EventsProvider client={fake}><Invoices /></EventsProvider>);
 *  act(() => void fake.emit(InvoiceEvent.CREATED, { invoiceId: 'inv-1' })); */
export function createFakeEventsClient(organizationId = 'acme'): FakeEventsClient {
  return new Fake(organizationId) as unknown as FakeEventsClient;
}

// SPDX-License-Identifier: MIT
// The public client: status, handlers, and the loop that keeps a connection open.

import { backoffMs } from './backoff.js';
import type { EventPayloads, EventType } from './catalogue.js';
import type { EventEnvelope } from './decode.js';
import { Link } from './link.js';
import { mqttTransport } from './mqtt_transport.js';
import type { Gap, Position } from './order.js';
import { Stream, type StreamSink } from './stream.js';
import { failureOf, TransportError, type Transport, type TransportFailure } from './transport.js';

/** `unauthorized` and `closed` last until `connect()` is called. */
export type Status = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'unauthorized' | 'closed';

/** What `onError` reports. The client goes on by itself, unless the status says otherwise. */
export interface EventsError {
  /** `token`: getToken() failed. `connection`: it could not be opened, or ended. `unauthorized`: the broker refuses the
   *  token or an organization. `malformed`: a message is not an event. `handler`: a handler threw. */
  readonly code: 'token' | 'connection' | 'unauthorized' | 'malformed' | 'handler';
  readonly message: string;
  readonly cause?: unknown;
}

/** A place in a stream, fit for JSON. */
export interface StoredPosition {
  readonly epoch: string;
  readonly sequence: string;
}

/** Keeps positions over a page's reload. */
export interface PositionStore {
  load(organizationId: string): StoredPosition | null;
  save(organizationId: string, position: StoredPosition): void;
}

export interface EventsClientOptions {
  /** The broker's WebSocket listener, for example `wss://events.acme.example`. */
  readonly url: string;
  /** The organizations whose events to receive; `setOrganization()` changes them. */
  readonly organizationId: string | readonly string[];
  /** Returns a token that is good now. It is called before each connection and before the token's `exp`. */
  readonly getToken: () => Promise<string> | string;
  /** `mqttTransport()` by default. */
  readonly transport?: Transport;
  /** For example `sessionStoragePositions()`. By default a reload begins with the events of now. */
  readonly positions?: PositionStore;
  /** Seconds between pings. The default, 20, is below the 60 s after which proxies close a silent connection. */
  readonly keepaliveS?: number;
}

/** Handles an event. What it throws goes to `onError`. */
export type EventHandler<D, T extends string = string> = (data: D, event: EventEnvelope<T, D>) => void;
/** Loads the page's data again. Events wait until its promise resolves. */
export type ResyncHandler = (organizationId: string, gap: Gap) => void | Promise<unknown>;

export interface EventsClient {
  readonly status: Status;
  /** The latest error since the connection was last good; null: none. */
  readonly error: EventsError | null;
  /** Calls the handler with each event of the type, once and in order. Returns a function that ends this.
   *  `'*'` gets every event, also those whose type this version does not know.
   *  @example const off = client.subscribe(InvoiceEvent.PAID, (invoice) => markPaid(invoice.invoiceId)); */
  subscribe<T extends EventType>(type: T, handler: EventHandler<EventPayloads[T], T>): () => void;
  subscribe<D = unknown>(type: '*' | EventType, handler: EventHandler<D>): () => void;
  onStatus(handler: (status: Status) => void): () => void;
  /** Is called when events were lost for good, so that the page loads its data again. */
  onResync(handler: ResyncHandler): () => void;
  onError(handler: (error: EventsError) => void): () => void;
  /** Opens the connection and keeps it open. Does nothing while there is one. */
  connect(): void;
  /** Ends the connection. No timer, socket or listener is left; handlers stay for the next `connect()`. */
  close(): void;
  /** Receives the events of these organizations instead. The connection stays. */
  setOrganization(organizationId: string | readonly string[]): void;
  /** The last event that reached the handlers; null until it is known. @param organizationId the first one by default */
  position(organizationId?: string): StoredPosition | null;
}

const CONNECT_TIMEOUT_MS = 10_000;
const KEEPALIVE_S = 20;
/** A key set that has just rotated refuses a good token once. */
const REFUSED_PAUSE_MS = 3_000;
const REFUSALS_MAX = 2;
/** A connection that ends sooner counts as a failed attempt. */
const STABLE_MS = 10_000;

type AnyHandler = EventHandler<unknown>;

function listOf(organizationId: string | readonly string[]): readonly string[] {
  return typeof organizationId === 'string' ? [organizationId] : [...new Set(organizationId)];
}

function stored(position: Position): StoredPosition {
  return { epoch: position.epoch, sequence: String(position.sequence).padStart(20, '0') };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A set of handlers. Each is called on its own, so that one that throws does not stop the others. */
class Handlers<A extends readonly unknown[], R = void> {
  readonly #all = new Map<object, (...args: A) => R>();

  add(handler: (...args: A) => R): () => void {
    const key = {};
    this.#all.set(key, handler);
    return () => void this.#all.delete(key);
  }

  call(onThrow: (error: unknown) => void, ...args: A): R[] {
    const results: R[] = [];
    for (const handler of [...this.#all.values()]) {
      try {
        results.push(handler(...args));
      } catch (error) {
        onThrow(error);
      }
    }
    return results;
  }
}

class Client implements EventsClient, StreamSink {
  readonly #options: EventsClientOptions;
  readonly #transport: Transport;
  readonly #handlers = new Map<string, Handlers<Parameters<AnyHandler>>>();
  readonly #statusHandlers = new Handlers<[Status]>();
  readonly #resyncHandlers = new Handlers<Parameters<ResyncHandler>, void | Promise<unknown>>();
  readonly #errorHandlers = new Handlers<[EventsError]>();
  readonly #streams = new Map<string, Stream>();

  #status: Status = 'idle';
  #error: EventsError | null = null;
  /** Aborted by close(). */
  #run: AbortController | null = null;
  #link: Link | null = null;
  /** Ends what `#live()` waits for. */
  #endLive: ((failure: TransportFailure) => void) | null = null;
  #token: Promise<string> | null = null;
  /** Ends the present pause. */
  #wake: (() => void) | null = null;
  #failures = 0;
  #refusals = 0;

  constructor(options: EventsClientOptions) {
    this.#options = options;
    this.#transport = options.transport ?? mqttTransport();
    for (const id of listOf(options.organizationId)) this.#streams.set(id, this.#newStream(id));
  }

  get status(): Status {
    return this.#status;
  }

  get error(): EventsError | null {
    return this.#error;
  }

  /** Bound, so that it can be handed on alone. */
  readonly subscribe = (type: string, handler: AnyHandler): (() => void) => {
    let handlers = this.#handlers.get(type);
    if (!handlers) this.#handlers.set(type, (handlers = new Handlers()));
    return handlers.add(handler);
  };

  onStatus(handler: (status: Status) => void): () => void {
    return this.#statusHandlers.add(handler);
  }

  onResync(handler: ResyncHandler): () => void {
    return this.#resyncHandlers.add(handler);
  }

  onError(handler: (error: EventsError) => void): () => void {
    return this.#errorHandlers.add(handler);
  }

  connect(): void {
    if (this.#run) return;
    this.#run = new AbortController();
    this.#failures = this.#refusals = 0;
    this.#setStatus('connecting');
    this.#listenToPage(this.#run.signal);
    void this.#keepConnected(this.#run.signal);
  }

  close(): void {
    this.#stop('closed');
    // The page may have changed anything by the next connect().
    for (const [id, stream] of this.#streams) {
      stream.close();
      this.#streams.set(id, this.#newStream(id, stream.position));
    }
  }

  setOrganization(organizationId: string | readonly string[]): void {
    const ids = listOf(organizationId);
    for (const [id, stream] of this.#streams) {
      if (ids.includes(id)) continue;
      this.#streams.delete(id);
      this.#link?.remove(stream);
      stream.close();
    }
    for (const id of ids) {
      if (this.#streams.has(id)) continue;
      const stream = this.#newStream(id);
      this.#streams.set(id, stream);
      if (this.#link) void this.#add(this.#link, stream);
    }
  }

  position(organizationId?: string): StoredPosition | null {
    const id = organizationId ?? [...this.#streams.keys()][0];
    const position = id === undefined ? null : (this.#streams.get(id)?.position ?? null);
    return position && stored(position);
  }

  // --- What streams report ---

  deliver(event: EventEnvelope): void {
    const onThrow = (cause: unknown): void =>
      this.#report({ code: 'handler', message: `a handler of ${event.type} threw: ${messageOf(cause)}`, cause });
    for (const type of [event.type, '*']) this.#handlers.get(type)?.call(onThrow, event.data, event);
    if (event.position) this.#options.positions?.save(event.organizationId, stored(event.position));
  }

  async resync(organizationId: string, gap: Gap): Promise<void> {
    const onThrow = (cause: unknown): void =>
      this.#report({ code: 'handler', message: `a resync handler failed: ${messageOf(cause)}`, cause });
    const results = this.#resyncHandlers.call(onThrow, organizationId, gap);
    await Promise.all(results.map((result) => Promise.resolve(result).catch(onThrow)));
  }

  malformed(organizationId: string, reason: string): void {
    this.#report({ code: 'malformed', message: `a message of ${organizationId} is not an event: ${reason}` });
  }

  // --- The connection ---

  async #keepConnected(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const failure = await this.#connectOnce(signal);
      if (signal.aborted) return;
      this.#report({ code: failure.kind === 'refused' ? 'unauthorized' : 'connection', message: failure.message });
      if (failure.kind === 'refused' && ++this.#refusals >= REFUSALS_MAX) {
        this.#stop('unauthorized');
        return;
      }
      this.#setStatus('reconnecting');
      this.#failures++;
      await this.#pause(failure.kind === 'refused' ? REFUSED_PAUSE_MS : backoffMs(this.#failures, Math.random), signal);
    }
  }

  /** Resolves when the connection is over, or could not be opened. */
  async #connectOnce(signal: AbortSignal): Promise<TransportFailure> {
    let token: string;
    try {
      token = await this.#getToken();
    } catch (cause) {
      return failureOf(undefined, `no token: ${messageOf(cause)}`);
    }
    if (signal.aborted) return failureOf(undefined, 'closed');
    let end!: (failure: TransportFailure) => void;
    const ended = new Promise<TransportFailure>((resolve) => (end = resolve));
    const early: [string, Uint8Array][] = [];
    let link: Link | null = null;
    try {
      const connection = await this.#transport(
        {
          url: this.#options.url,
          token,
          clientId: `web-${crypto.randomUUID()}`,
          keepaliveS: this.#options.keepaliveS ?? KEEPALIVE_S,
          timeoutMs: CONNECT_TIMEOUT_MS,
        },
        {
          onMessage: (topic, payload) => (link ? link.onMessage(topic, payload) : early.push([topic, payload])),
          onEnd: end,
        },
        signal,
      );
      link = new Link(connection, { getToken: () => this.#getToken(), end }, token);
    } catch (error) {
      return error instanceof TransportError ? error.failure : failureOf(undefined, messageOf(error));
    }
    this.#endLive = end;
    return this.#live(link, early, ended);
  }

  async #live(
    link: Link,
    early: readonly (readonly [string, Uint8Array])[],
    ended: Promise<TransportFailure>,
  ): Promise<TransportFailure> {
    const openedMs = Date.now();
    this.#link = link;
    for (const [topic, payload] of early) link.onMessage(topic, payload);
    void Promise.all([...this.#streams.values()].map((stream) => this.#add(link, stream))).then((granted) => {
      if (this.#link !== link) return;
      // Without streams there is nothing to deny.
      if (granted.length > 0 && !granted.includes(true))
        this.#endLive?.({ kind: 'refused', message: 'the token does not cover the organization' });
      else {
        this.#refusals = 0;
        this.#setStatus('connected');
      }
    });
    const failure = await ended;
    if (Date.now() - openedMs >= STABLE_MS) this.#failures = 0;
    this.#link = null;
    link.close();
    return failure;
  }

  async #add(link: Link, stream: Stream): Promise<boolean> {
    try {
      const granted = await link.add(stream);
      if (!granted)
        this.#report({
          code: 'unauthorized',
          message: `the token does not cover the organization ${stream.organizationId}`,
        });
      return granted;
    } catch {
      return true; // The connection ended; that is reported once, by its end.
    }
  }

  #getToken(): Promise<string> {
    this.#token ??= Promise.resolve()
      .then(() => this.#options.getToken())
      .catch((cause: unknown) => {
        this.#report({ code: 'token', message: `getToken() failed: ${messageOf(cause)}`, cause });
        throw cause;
      })
      .finally(() => (this.#token = null));
    return this.#token;
  }

  /** Ends early when the page comes back, or on close(). */
  #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(wake, delayMs);
      signal.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
    });
  }

  /** A page that is online or visible again tries at once, and finds out whether its connection is still alive. */
  #listenToPage(signal: AbortSignal): void {
    const back = (): void => {
      if (this.#refusals === 0) this.#wake?.();
      void this.#link?.probe();
    };
    if (typeof window !== 'undefined') window.addEventListener('online', back, { signal });
    if (typeof document !== 'undefined')
      document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && back(), { signal });
  }

  #stop(status: 'closed' | 'unauthorized'): void {
    this.#run?.abort();
    this.#run = null;
    this.#endLive?.(failureOf(undefined, status));
    this.#link?.close();
    this.#link = null;
    this.#setStatus(status);
  }

  #newStream(organizationId: string, position: Position | null = null): Stream {
    const from = this.#options.positions?.load(organizationId);
    const since = position ?? (from ? { epoch: from.epoch, sequence: BigInt(from.sequence) } : null);
    return new Stream(organizationId, this, since);
  }

  #setStatus(status: Status): void {
    if (this.#status === status) return;
    this.#status = status;
    if (status === 'connected') this.#error = null;
    this.#statusHandlers.call((cause) => this.#report({ code: 'handler', message: messageOf(cause), cause }), status);
  }

  #report(error: EventsError): void {
    this.#error = error;
    this.#errorHandlers.call(() => undefined, error);
  }
}

/** Makes a client. It does nothing until `connect()`.
 *  @example
 *  const client = createEventsClient({ url: 'wss://events.acme.example', organizationId: 'acme', getToken });
 *  client.subscribe(InvoiceEvent.PAID, (invoice) => markPaid(invoice.invoiceId));
 *  client.connect(); */
export function createEventsClient(options: EventsClientOptions): EventsClient {
  return new Client(options) as EventsClient;
}

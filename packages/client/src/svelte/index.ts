// SPDX-License-Identifier: MIT
import { readable, type Readable } from 'svelte/store';
import type { EventPayloads, EventType } from '../core/catalogue.js';
import type { EventsClient, EventsError, Status } from '../core/client.js';

/** The client's state, as a store's value. */
export interface EventsState {
  readonly status: Status;
  readonly connected: boolean;
  /** The latest error since the connection was last good; null: none. */
  readonly error: EventsError | null;
}

/** A store of the client's state. It does not connect or close the client: call `client.connect()` once in the app.
 *  @example
 *  const live = eventsState(client);
 *  // {#if $live.connected} … */
export function eventsState(client: EventsClient): Readable<EventsState> {
  const now = (): EventsState => ({
    status: client.status,
    connected: client.status === 'connected',
    error: client.error,
  });
  return readable(now(), (set) => {
    const update = (): void => set(now());
    const offs = [client.onStatus(update), client.onError(update)];
    update();
    return () => offs.forEach((off) => off());
  });
}

/** A store of the latest event's data; undefined until there is one.
 *  @example
 *  const paid = latestEvent(client, InvoiceEvent.PAID);
 *  // {$paid?.invoiceNumber} */
export function latestEvent<T extends EventType>(client: EventsClient, type: T): Readable<EventPayloads[T] | undefined> {
  return readable<EventPayloads[T] | undefined>(undefined, (set) => client.subscribe(type, (data) => set(data)));
}

// SPDX-License-Identifier: MIT
import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import type { EventPayloads, EventType } from '../core/catalogue.js';
import type { EventHandler, EventsClient, EventsError, ResyncHandler, Status } from '../core/client.js';
import { useEventsClient } from './context.js';

/** What `useWebSocket()` returns. */
export interface WebSocketState {
  readonly connected: boolean;
  readonly status: Status;
  /** The latest error since the connection was last good; null: none. */
  readonly error: EventsError | null;
  /** The same function for as long as the client is the same, so that `useEffect(…, [subscribe])` subscribes once. */
  readonly subscribe: EventsClient['subscribe'];
}

function useStatus(client: EventsClient): Status {
  return useSyncExternalStore(
    useMemo(() => (changed: () => void) => client.onStatus(changed), [client]),
    () => client.status,
    () => 'idle',
  );
}

function useError(client: EventsClient): EventsError | null {
  return useSyncExternalStore(
    useMemo(
      () => (changed: () => void) => {
        const offs = [client.onError(changed), client.onStatus(changed)];
        return () => offs.forEach((off) => off());
      },
      [client],
    ),
    () => client.error,
    () => null,
  );
}

/** The connection's state, and `subscribe`. Events do not render the component again; the state does.
 *  @example
 *  const { connected, subscribe } = useWebSocket();
 *  useEffect(() => subscribe(InvoiceEvent.PAID, (invoice) => toast(`${invoice.invoiceNumber} was paid`)), [subscribe]); */
export function useWebSocket(): WebSocketState {
  const client = useEventsClient();
  const status = useStatus(client);
  const error = useError(client);
  return useMemo(
    () => ({ connected: status === 'connected', status, error, subscribe: client.subscribe }),
    [client, status, error],
  );
}

/** A ref that always holds the latest value, so that a new handler needs no new subscription. */
function useLatest<T>(value: T): { readonly current: T } {
  const ref = useRef(value);
  useEffect(() => {
    ref.current = value;
  });
  return ref;
}

/** Calls the handler with each event of the type while the component is mounted.
 *  @example useEvent(InvoiceEvent.PAID, (invoice) => setPaid(invoice.invoiceId)); */
export function useEvent<T extends EventType>(type: T, handler: EventHandler<EventPayloads[T], T>): void;
export function useEvent<D = unknown>(type: '*' | EventType, handler: EventHandler<D>): void;
export function useEvent(type: '*' | EventType, handler: EventHandler<never>): void {
  const client = useEventsClient();
  const latest = useLatest(handler as EventHandler<unknown>);
  useEffect(() => client.subscribe<unknown>(type, (data, event) => latest.current(data, event)), [client, type, latest]);
}

/** Calls the handler when events were lost for good. Events wait until its promise resolves.
 *  @example useResync(() => queryClient.invalidateQueries()); */
export function useResync(handler: ResyncHandler): void {
  const client = useEventsClient();
  const latest = useLatest(handler);
  useEffect(() => client.onResync((organizationId, gap) => latest.current(organizationId, gap)), [client, latest]);
}

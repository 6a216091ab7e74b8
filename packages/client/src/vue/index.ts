// SPDX-License-Identifier: MIT
import { computed, onScopeDispose, shallowRef, type ComputedRef, type ShallowRef } from 'vue';
import type { EventsClient, EventsError, Status } from '../core/client.js';

/** What `useEvents()` returns. */
export interface EventsState {
  readonly status: Readonly<ShallowRef<Status>>;
  readonly connected: ComputedRef<boolean>;
  /** The latest error since the connection was last good; null: none. */
  readonly error: Readonly<ShallowRef<EventsError | null>>;
  /** As the client's; the handler is removed with the component. */
  readonly subscribe: EventsClient['subscribe'];
}

/** The client's state as refs. It does not connect or close the client: call `client.connect()` once in the app.
 *  @example
 *  const { connected, subscribe } = useEvents(client);
 *  subscribe(InvoiceEvent.PAID, (invoice) => paid.value.push(invoice.invoiceId)); */
export function useEvents(client: EventsClient): EventsState {
  const status = shallowRef(client.status);
  const error = shallowRef(client.error);
  const update = (): void => {
    status.value = client.status;
    error.value = client.error;
  };
  const offs = [client.onStatus(update), client.onError(update)];
  onScopeDispose(() => offs.forEach((off) => off()));

  const subscribe: EventsClient['subscribe'] = (...args: Parameters<EventsClient['subscribe']>) => {
    const off = client.subscribe(...args);
    offs.push(off);
    return off;
  };
  return { status, connected: computed(() => status.value === 'connected'), error, subscribe };
}

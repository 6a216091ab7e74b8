// SPDX-License-Identifier: MIT
import { createContext, createElement, useContext, useEffect, type ReactElement, type ReactNode } from 'react';
import type { EventsClient } from '../core/client.js';

const Context = createContext<EventsClient | null>(null);

/** How many mounted providers use a client. */
const users = new WeakMap<EventsClient, number>();

function addUser(client: EventsClient, change: 1 | -1): number {
  const count = (users.get(client) ?? 0) + change;
  users.set(client, count);
  return count;
}

export interface EventsProviderProps {
  /** Made once, outside the component: `createEventsClient({ … })`. */
  readonly client: EventsClient;
  readonly children?: ReactNode;
}

/** Connects the client while it is mounted, and gives it to the hooks below it.
 *  @example <EventsProvider client={client}><App /></EventsProvider> */
export function EventsProvider({ client, children }: EventsProviderProps): ReactElement {
  useEffect(() => {
    addUser(client, 1);
    client.connect();
    return () => {
      addUser(client, -1);
      // StrictMode unmounts and mounts again in one turn: the connection stays then.
      queueMicrotask(() => {
        if (users.get(client) === 0) client.close();
      });
    };
  }, [client]);
  return createElement(Context.Provider, { value: client }, children);
}

/** The provider's client. */
export function useEventsClient(): EventsClient {
  const client = useContext(Context);
  if (!client) throw new Error('No <EventsProvider> above this component. Wrap the app in <EventsProvider client={client}>.');
  return client;
}

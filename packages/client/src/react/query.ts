// SPDX-License-Identifier: MIT
import { useQueryClient, type QueryKey } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { EventType } from '../core/catalogue.js';
import { useEventsClient } from './context.js';

const DEBOUNCE_MS = 100;

export interface InvalidateOptions {
  /** Events that come within this time after the first cause one refetch together. 100 by default. */
  readonly debounceMs?: number;
}

/** Refetches the queries when one of the events arrives, and when events were lost.
 *  @example useInvalidateOn([InvoiceEvent.CREATED, InvoiceEvent.PAID], [['invoices'], ['totals']]); */
export function useInvalidateOn(
  events: EventType | '*' | readonly (EventType | '*')[],
  queryKeys: readonly QueryKey[],
  { debounceMs = DEBOUNCE_MS }: InvalidateOptions = {},
): void {
  const client = useEventsClient();
  const queryClient = useQueryClient();
  const types = JSON.stringify(typeof events === 'string' ? [events] : events);
  const keys = JSON.stringify(queryKeys);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const invalidate = (): Promise<unknown> => {
      timer = undefined;
      const list = JSON.parse(keys) as QueryKey[];
      return Promise.all(list.map((queryKey) => queryClient.invalidateQueries({ queryKey })));
    };
    const soon = (): void => {
      timer ??= setTimeout(() => void invalidate(), debounceMs);
    };
    const offs = (JSON.parse(types) as EventType[]).map((type) => client.subscribe<unknown>(type, soon));
    offs.push(client.onResync(invalidate));
    return () => {
      clearTimeout(timer);
      offs.forEach((off) => off());
    };
  }, [client, queryClient, types, keys, debounceMs]);
}

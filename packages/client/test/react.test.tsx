// @vitest-environment jsdom
// SPDX-License-Identifier: MIT
import { QueryClient, QueryClientProvider, useQuery } from '@tanstack/react-query';
import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode, useEffect, type ReactElement, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createEventsClient, InvoiceEvent, type EventsClient, type InvoiceEventPayload } from '../src/index.js';
import { EventsProvider, LiveIndicator, useEvent, useInvalidateOn, useResync, useWebSocket } from '../src/react/index.js';
import { createFakeEventsClient } from '../src/testing/index.js';
import { ScriptedTransport } from './scripted.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

function show(client: EventsClient, children: ReactNode): ReturnType<typeof render> {
  return render(<EventsProvider client={client}>{children}</EventsProvider>);
}

describe('EventsProvider', () => {
  it('opens one socket in StrictMode, and closes it in the end', async () => {
    const script = new ScriptedTransport();
    const client = createEventsClient({
      url: 'ws://127.0.0.1:1',
      organizationId: 'acme',
      getToken: () => 'a.b.c',
      transport: script.transport,
    });
    const { unmount } = render(
      <StrictMode>
        <EventsProvider client={client} />
      </StrictMode>,
    );
    await act(() => vi.advanceTimersByTimeAsync(100));
    expect(script.attempts).toBe(1);
    expect(client.status).toBe('connected');
    unmount();
    await vi.advanceTimersByTimeAsync(0);
    expect(client.status).toBe('closed');
    expect(script.last.closed).toBe(true);
  });

  it('is missed with a clear message', () => {
    vi.spyOn(console, 'error').mockReturnValue();
    expect(() => render(<LiveIndicator />)).toThrow('Wrap the app in <EventsProvider client={client}>');
  });

  it('renders on a server', () => {
    const page = renderToString(
      <EventsProvider client={createFakeEventsClient()}>
        <LiveIndicator />
      </EventsProvider>,
    );
    expect(page).toContain('Not connected');
  });
});

describe('useWebSocket()', () => {
  it('gives a subscribe of stable identity, and events do not render', () => {
    const fake = createFakeEventsClient();
    const seen: string[] = [];
    let renders = 0;
    function Page(): null {
      const { subscribe } = useWebSocket();
      renders++;
      useEffect(
        () => subscribe<InvoiceEventPayload>(InvoiceEvent.PAID, (data) => void seen.push(data.invoiceId)),
        [subscribe],
      );
      return null;
    }
    show(fake, <Page />);
    act(() => fake.setStatus('reconnecting'));
    act(() => fake.setStatus('connected'));
    expect(fake.subscriptions(InvoiceEvent.PAID)).toBe(1);
    const before = renders;
    act(() => void fake.emit(InvoiceEvent.PAID, { invoiceId: 'inv-1' }));
    expect(seen).toEqual(['inv-1']);
    expect(renders).toBe(before);
  });

  it('shows status and error', () => {
    const fake = createFakeEventsClient();
    function Page(): ReactElement {
      const { connected, status, error } = useWebSocket();
      return <p>{`${connected} ${status} ${error?.message ?? '-'}`}</p>;
    }
    const { container } = show(fake, <Page />);
    expect(container.textContent).toBe('true connected -');
    act(() => fake.fail({ message: 'gone' }));
    act(() => fake.setStatus('reconnecting'));
    expect(container.textContent).toBe('false reconnecting gone');
    act(() => fake.setStatus('connected'));
    expect(container.textContent).toBe('true connected -');
  });
});

describe('useEvent()', () => {
  it('calls the latest handler over one subscription, and ends with the component', () => {
    const fake = createFakeEventsClient();
    const seen: string[] = [];
    function Page({ tag }: { readonly tag: string }): null {
      useEvent(InvoiceEvent.PAID, (data) => void seen.push(tag + data.invoiceId));
      return null;
    }
    const page = (tag: string): ReactElement => (
      <EventsProvider client={fake}>
        <Page tag={tag} />
      </EventsProvider>
    );
    const { rerender, unmount } = render(page('a'));
    rerender(page('b'));
    act(() => void fake.emit(InvoiceEvent.PAID, { invoiceId: '1' }));
    expect(seen).toEqual(['b1']);
    expect(fake.subscriptions()).toBe(1);
    unmount();
    expect(fake.subscriptions()).toBe(0);
  });
});

describe('useInvalidateOn() and useResync()', () => {
  it('refetch once for a burst, and at once when events were lost', async () => {
    const fake = createFakeEventsClient();
    const queryClient = new QueryClient();
    const fetches = vi.fn(() => Promise.resolve(fetches.mock.calls.length));
    const resyncs: string[] = [];
    function Page(): ReactElement {
      useInvalidateOn([InvoiceEvent.CREATED, InvoiceEvent.PAID], [['invoices']], { debounceMs: 50 });
      useResync((organizationId) => void resyncs.push(organizationId));
      const { data } = useQuery({ queryKey: ['invoices'], queryFn: fetches });
      return <p>{data}</p>;
    }
    show(
      fake,
      <QueryClientProvider client={queryClient}>
        <Page />
      </QueryClientProvider>,
    );
    await act(() => vi.advanceTimersByTimeAsync(10));
    expect(fetches).toHaveBeenCalledTimes(1);
    for (let i = 0; i < 20; i++) act(() => void fake.emit(i % 2 ? InvoiceEvent.PAID : InvoiceEvent.CREATED));
    await act(() => vi.advanceTimersByTimeAsync(60));
    expect(fetches).toHaveBeenCalledTimes(2);
    await act(() => fake.resync());
    expect(fetches).toHaveBeenCalledTimes(3);
    expect(resyncs).toEqual(['acme']);
    queryClient.clear();
  });
});

describe('<LiveIndicator/>', () => {
  it('is a status with a text and a shape', () => {
    const fake = createFakeEventsClient();
    show(fake, <LiveIndicator texts={{ connected: 'Verbunden' }} className="live" />);
    const status = screen.getByRole('status');
    expect(status.textContent).toBe('● Verbunden');
    expect(status.className).toBe('live');
    act(() => fake.setStatus('unauthorized'));
    expect(status.textContent).toBe('✕ Sign in again');
    expect(status.dataset['status']).toBe('unauthorized');
  });
});

// SPDX-License-Identifier: MIT
import { get } from 'svelte/store';
import { describe, expect, it, vi } from 'vitest';
import { effectScope } from 'vue';
import { InvoiceEvent, NotificationEvent } from '../src/index.js';
import { eventsState, latestEvent } from '../src/svelte/index.js';
import { createFakeEventsClient } from '../src/testing/index.js';
import { useEvents } from '../src/vue/index.js';

describe('createFakeEventsClient()', () => {
  it('fills the data with valid values', () => {
    const fake = createFakeEventsClient();
    const handler = vi.fn();
    fake.subscribe(InvoiceEvent.CREATED, handler);
    const event = fake.emit(InvoiceEvent.CREATED, { invoiceId: 'inv-1' });
    expect(event.data).toMatchObject({ organizationId: 'acme', invoiceId: 'inv-1', currency: 'EUR' });
    expect(event.data.amount).toMatch(/^[0-9.]+$/);
    expect(handler).toHaveBeenCalledWith(event.data, event);
    expect(fake.emit(InvoiceEvent.PAID).data.status).toBe('PAID');
    expect(fake.emit(NotificationEvent.CREATED, { title: 'Hello' }).data.title).toBe('Hello');
  });

  it('numbers events and counts subscriptions', () => {
    const fake = createFakeEventsClient('globex');
    const off = fake.subscribe('*', () => undefined);
    expect(fake.emit(InvoiceEvent.PAID).organizationId).toBe('globex');
    expect(fake.position()?.sequence).toBe('00000000000000000001');
    expect([fake.subscriptions(), fake.subscriptions('*'), fake.subscriptions(InvoiceEvent.PAID)]).toEqual([1, 1, 0]);
    off();
    expect(fake.subscriptions()).toBe(0);
  });

  it('lets a handler that throws fail the test', () => {
    const fake = createFakeEventsClient();
    fake.subscribe(InvoiceEvent.PAID, () => {
      throw new Error('boom');
    });
    expect(() => fake.emit(InvoiceEvent.PAID)).toThrow('boom');
  });

  it('resync() waits for the handlers', async () => {
    const fake = createFakeEventsClient();
    const seen: string[] = [];
    fake.onResync(async (organizationId, gap) => {
      await Promise.resolve();
      seen.push(organizationId, gap.kind);
    });
    await fake.resync();
    expect(seen).toEqual(['acme', 'unknown']);
  });
});

describe('Vue', () => {
  it('follows the state, and ends with its scope', () => {
    const fake = createFakeEventsClient();
    const scope = effectScope();
    const seen: string[] = [];
    scope.run(() => {
      const { status, connected, error, subscribe } = useEvents(fake);
      subscribe(InvoiceEvent.PAID, (data) => seen.push(data.invoiceId));
      fake.connect();
      expect([status.value, connected.value, error.value]).toEqual(['connected', true, null]);
      fake.fail({ message: 'gone' });
      expect(error.value?.message).toBe('gone');
    });
    fake.emit(InvoiceEvent.PAID, { invoiceId: 'inv-1' });
    expect(seen).toEqual(['inv-1']);
    scope.stop();
    expect(fake.subscriptions()).toBe(0);
  });
});

describe('Svelte', () => {
  it('has stores of the state and of the latest event', () => {
    const fake = createFakeEventsClient();
    const states: string[] = [];
    const off = eventsState(fake).subscribe((state) => states.push(`${state.status} ${state.connected}`));
    fake.connect();
    off();
    fake.close();
    expect(states).toEqual(['idle false', 'connected true']);
    const paid = latestEvent(fake, InvoiceEvent.PAID);
    expect(get(paid)).toBeUndefined();
    const numbers: (string | undefined)[] = [];
    const stop = paid.subscribe((data) => numbers.push(data?.invoiceNumber));
    fake.emit(InvoiceEvent.PAID, { invoiceNumber: '2026-1' });
    stop();
    expect(numbers).toEqual([undefined, '2026-1']);
    expect(fake.subscriptions()).toBe(0);
  });
});

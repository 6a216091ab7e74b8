// SPDX-License-Identifier: MIT
// The calls that the documentation shows, as the compiler sees them. `npm run check` compiles this file.
import { expectTypeOf, it } from 'vitest';
import {
  InvoiceEvent,
  NotificationEvent,
  type EventEnvelope,
  type EventsClient,
  type InvoiceEventPayload,
  type NotificationEventPayload,
  type Status,
} from '../src/index.js';
import { useEvent, type WebSocketState } from '../src/react/index.js';
import { createFakeEventsClient, type FakeEventsClient } from '../src/testing/index.js';

it('the payload follows from the type of event', () => {
  const client: EventsClient = createFakeEventsClient();
  client.subscribe(InvoiceEvent.PAID, (data, event) => {
    expectTypeOf(data).toEqualTypeOf<InvoiceEventPayload>();
    expectTypeOf(event).toEqualTypeOf<EventEnvelope<'invoice.paid', InvoiceEventPayload>>();
  });
  client.subscribe(NotificationEvent.CREATED, (data) => expectTypeOf(data).toEqualTypeOf<NotificationEventPayload>());
  client.subscribe('*', (data) => expectTypeOf(data).toBeUnknown());
  // With an explicit type argument, as teams write it with Socket.IO.
  client.subscribe<InvoiceEventPayload>(InvoiceEvent.PAID, (data) => expectTypeOf(data.amount).toBeString());
  // @ts-expect-error: there is no such type of event
  client.subscribe('invoice.payed', () => undefined);
  expectTypeOf(client.status).toEqualTypeOf<Status>();
});

it('hooks have the same types', () => {
  const { subscribe } = { subscribe: createFakeEventsClient().subscribe } satisfies Pick<WebSocketState, 'subscribe'>;
  subscribe(InvoiceEvent.PAID, (data) => expectTypeOf(data).toEqualTypeOf<InvoiceEventPayload>());
  subscribe<InvoiceEventPayload>(InvoiceEvent.PAID, (data) => expectTypeOf(data).toEqualTypeOf<InvoiceEventPayload>());
  const component = (): void => {
    useEvent(InvoiceEvent.PAID, (data) => expectTypeOf(data).toEqualTypeOf<InvoiceEventPayload>());
    useEvent<InvoiceEventPayload>(InvoiceEvent.PAID, (data) => expectTypeOf(data).toEqualTypeOf<InvoiceEventPayload>());
  };
  expectTypeOf(component).toBeFunction();
});

it('the fake is a client, and its data is checked', () => {
  const fake: FakeEventsClient = createFakeEventsClient();
  expectTypeOf(fake).toExtend<EventsClient>();
  expectTypeOf(fake.emit(InvoiceEvent.PAID, { amount: '1.00' }).data).toEqualTypeOf<InvoiceEventPayload>();
  // @ts-expect-error: money is text
  fake.emit(InvoiceEvent.PAID, { amount: 1 });
});

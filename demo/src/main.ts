// SPDX-License-Identifier: MIT
// Joins the parts: address → connection → decoded events → what people see.

import { openConnection, type Status } from './connection.js';
import { decodeEvent, InvoiceEvent, NotificationEvent, type StreamEvent } from './events.js';
import { createView, formatAmount, formatData, type Indicator, type Tone, type View } from './view.js';

/** How many event ids are remembered; at least once delivery repeats recent ones only. */
const REMEMBERED_IDS = 512;

const INDICATORS: Readonly<Record<Status, Indicator>> = {
  connecting: 'connecting',
  connected: 'live',
  reconnecting: 'offline',
  unauthorized: 'unauthorized',
};

/** An invoice event without a text here is shown by the name of its type. */
const TOASTS: Readonly<Partial<Record<InvoiceEvent, readonly [Tone, string]>>> = {
  [InvoiceEvent.CREATED]: ['info', 'New invoice'],
  [InvoiceEvent.UPDATED]: ['info', 'Invoice changed'],
  [InvoiceEvent.SENT]: ['info', 'Invoice sent'],
  [InvoiceEvent.PAID]: ['success', 'Invoice paid'],
  [InvoiceEvent.OVERDUE]: ['warning', 'Invoice overdue'],
  [InvoiceEvent.CANCELLED]: ['warning', 'Invoice cancelled'],
  [InvoiceEvent.DELETED]: ['warning', 'Invoice deleted'],
};

/** `#org=…&token=…`: a fragment never leaves the browser. The token moves from the address bar, where
 *  it could be read or copied by accident, to this tab's storage, where a reload finds it. */
function takeAddress(): string | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const organizationId = fragment.get('org') ?? '';
  const given = fragment.get('token');
  if (given !== null) {
    sessionStorage.setItem(`token:${organizationId}`, given);
    history.replaceState(null, '', `#org=${encodeURIComponent(organizationId)}`);
  }
  return organizationId === '' || storedToken(organizationId) === '' ? null : organizationId;
}

function storedToken(organizationId: string): string {
  return sessionStorage.getItem(`token:${organizationId}`) ?? '';
}

/** The demo has no backend that hands out tokens, so this is the tab's newest one. In your application, ask your
 *  backend here: `fetch('/token')`. */
function getToken(organizationId: string): Promise<string> {
  return Promise.resolve(storedToken(organizationId));
}

/** True the first time that an id is asked about. */
function createOnce(): (id: string) => boolean {
  const seen = new Set<string>();
  return (id) => {
    if (seen.has(id)) return false;
    seen.add(id);
    const [oldest] = seen;
    if (seen.size > REMEMBERED_IDS && oldest !== undefined) seen.delete(oldest);
    return true;
  };
}

type InvoiceStreamEvent = Extract<StreamEvent, { readonly type: InvoiceEvent }>;

function isInvoice(event: StreamEvent): event is InvoiceStreamEvent {
  return Object.values<string>(InvoiceEvent).includes(event.type);
}

function showInvoice(view: View, event: InvoiceStreamEvent): void {
  const { invoiceId, invoiceNumber, amount, currency } = event.data;
  if (event.type === InvoiceEvent.DELETED) {
    view.removeInvoice(invoiceId);
  } else {
    view.showInvoice(event.data);
  }
  const [tone, title] = TOASTS[event.type] ?? ['info', event.type];
  view.toast(tone, title, `${invoiceNumber} \u00b7 ${formatAmount(amount)} ${currency}`);
}

/** The rest of the catalogue has no place of its own on this page: a message names the type and all its data. */
function showOther(view: View, event: Pick<StreamEvent, 'type' | 'data'>): void {
  view.toast('info', event.type, formatData(event.data));
}

function show(view: View, event: StreamEvent): void {
  if (isInvoice(event)) {
    showInvoice(view, event);
  } else if (event.type === NotificationEvent.CREATED) {
    view.toast(event.data.type, event.data.title, event.data.message);
  } else {
    showOther(view, event);
  }
}

function start(): void {
  const view = createView();
  const organizationId = takeAddress();
  if (organizationId === null) {
    view.setIndicator('unauthorized');
    view.notice('No organization', 'Open one of the addresses that the demo printed: each carries a token.');
    return;
  }
  const isNew = createOnce();
  let wasOffline = false;

  view.setOrganization(organizationId);
  openConnection({
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/mqtt`,
    organizationId,
    getToken: () => getToken(organizationId),
    onStatus(status) {
      view.setIndicator(INDICATORS[status]);
      if (status === 'unauthorized') {
        view.notice(
          'Not authorized',
          `The broker does not accept this page's token for ${organizationId}: it has expired, or it belongs ` +
            'to another organization. Open a fresh address.',
        );
      }
      if (status === 'connected' && wasOffline) {
        view.toast('info', 'Back online', 'What happened in between is not in this list.');
      }
      wasOffline = status === 'reconnecting' || (status !== 'connected' && wasOffline);
    },
    onMessage(payload, topic) {
      const decoded = decodeEvent(payload, topic, organizationId);
      if (!decoded.ok) {
        console.warn(`An event was left out: ${decoded.reason}`);
      } else if (isNew(decoded.event.id)) {
        show(view, decoded.event);
      }
    },
  });
}

// A new address in the same tab is a new page.
window.addEventListener('hashchange', () => location.reload());
start();

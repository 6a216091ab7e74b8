// SPDX-License-Identifier: MIT
// What people see. Everything from an event is set as text, so that no event can bring markup along.

import type { InvoiceData, InvoiceStatus, NotificationType } from './events.js';

export type Indicator = 'connecting' | 'live' | 'offline' | 'unauthorized';
export type Tone = NotificationType;

export interface View {
  readonly setOrganization: (organizationId: string) => void;
  readonly setIndicator: (indicator: Indicator) => void;
  readonly showInvoice: (invoice: InvoiceData) => void;
  readonly removeInvoice: (invoiceId: string) => void;
  readonly toast: (tone: Tone, title: string, message: string) => void;
  readonly notice: (title: string, message: string) => void;
}

const MAX_ROWS = 100;
const MAX_TOASTS = 3;
const TOAST_MS = 7_000;

const INDICATOR_TEXT: Readonly<Record<Indicator, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  offline: 'Offline, reconnecting',
  unauthorized: 'Not authorized',
};

const STATUS_TEXT: Readonly<Record<InvoiceStatus, string>> = {
  DRAFT: 'Draft',
  SENT: 'Sent',
  PENDING: 'Pending',
  PAID: 'Paid',
  OVERDUE: 'Overdue',
  CANCELLED: 'Cancelled',
};

function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

function element(tag: string, className: string, text = ''): HTMLElement {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.textContent = text;
  return made;
}

/** Groups digits and shows at least two decimals without ever turning the amount into a float. */
export function formatAmount(amount: string): string {
  const [whole = '', fraction = ''] = amount.replace('-', '').split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${amount.startsWith('-') ? '\u2212' : ''}${grouped}.${fraction.padEnd(2, '0')}`;
}

/** Names and values as they came. */
export function formatData(data: object): string {
  const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  return Object.entries(data).map(([name, value]) => `${name}: ${shown(value)}`).join(' \u00b7 ');
}

const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

function timeElement(timestamp: string): HTMLElement {
  const time = document.createElement('time');
  time.dateTime = timestamp;
  time.textContent = clock.format(new Date(timestamp));
  return time;
}

/** A handful of accents, so that two organizations side by side are told apart at a glance. */
function accentOf(organizationId: string): string {
  let sum = 0;
  for (const character of organizationId) sum += character.codePointAt(0) ?? 0;
  return String(sum % 4);
}

function fillRow(row: HTMLElement, invoice: InvoiceData): void {
  const number = element('th', 'number', invoice.invoiceNumber);
  number.setAttribute('scope', 'row');

  const amount = element('td', 'amount');
  amount.append(formatAmount(invoice.amount), ' ', element('span', 'currency', invoice.currency));

  const status = element('td', 'state');
  const pill = element('span', 'pill', STATUS_TEXT[invoice.status]);
  pill.dataset['status'] = invoice.status;
  status.append(pill);

  const updated = element('td', 'updated');
  updated.append(timeElement(invoice.timestamp));

  row.dataset['status'] = invoice.status;
  row.replaceChildren(number, amount, status, updated);
}

/** Runs the highlight from its start, also when the last one has not ended yet. Where people asked for no
 *  motion, the style marks the latest row instead. */
function highlight(row: HTMLElement): void {
  row.parentElement?.querySelector('.latest')?.classList.remove('latest');
  row.classList.remove('changed');
  void row.offsetWidth;
  row.classList.add('changed', 'latest');
}

export function createView(): View {
  const rows = byId('rows');
  const empty = byId('empty');
  const toasts = byId('toasts');
  const indicator = byId('indicator');
  const byInvoice = new Map<string, HTMLElement>();

  function count(): void {
    const statuses = [...byInvoice.values()].map((row) => row.dataset['status']);
    const having = (...wanted: InvoiceStatus[]): string =>
      String(statuses.filter((status) => wanted.some((one) => one === status)).length);
    byId('count-open').textContent = having('DRAFT', 'SENT', 'PENDING');
    byId('count-paid').textContent = having('PAID');
    byId('count-overdue').textContent = having('OVERDUE');
    empty.hidden = byInvoice.size > 0;
  }

  function removeInvoice(invoiceId: string): void {
    byInvoice.get(invoiceId)?.remove();
    byInvoice.delete(invoiceId);
    count();
  }

  function showInvoice(invoice: InvoiceData): void {
    let row = byInvoice.get(invoice.invoiceId);
    if (row === undefined) {
      row = document.createElement('tr');
      row.dataset['invoiceId'] = invoice.invoiceId;
      byInvoice.set(invoice.invoiceId, row);
      rows.prepend(row);
    }
    fillRow(row, invoice);
    highlight(row);
    const [oldest] = byInvoice.keys();
    if (byInvoice.size > MAX_ROWS && oldest !== undefined) removeInvoice(oldest);
    count();
  }

  /** Goes away by itself, but not while somebody points at it or has the focus in it. */
  function expire(item: HTMLElement): void {
    let timer = 0;
    const start = (): void => {
      timer = window.setTimeout(() => item.remove(), TOAST_MS);
    };
    const hold = (): void => window.clearTimeout(timer);
    item.addEventListener('pointerenter', hold);
    item.addEventListener('pointerleave', start);
    item.addEventListener('focusin', hold);
    item.addEventListener('focusout', start);
    start();
  }

  function toast(tone: Tone, title: string, message: string): void {
    const item = element('li', 'toast');
    item.dataset['tone'] = tone;
    const body = element('div', 'toast-body');
    body.append(element('p', 'toast-title', title), element('p', 'toast-message', message));
    const dismiss = element('button', 'dismiss', '\u00d7');
    dismiss.setAttribute('type', 'button');
    dismiss.setAttribute('aria-label', `Dismiss: ${title}`);
    dismiss.addEventListener('click', () => item.remove());
    item.append(element('span', 'toast-mark'), body, dismiss);
    toasts.append(item);
    while (toasts.children.length > MAX_TOASTS) toasts.firstElementChild?.remove();
    expire(item);
  }

  return {
    setOrganization(organizationId) {
      byId('organization').textContent = organizationId;
      document.title = `${organizationId} invoices`;
      document.documentElement.dataset['accent'] = accentOf(organizationId);
    },
    setIndicator(state) {
      indicator.dataset['state'] = state;
      byId('indicator-text').textContent = INDICATOR_TEXT[state];
      document.documentElement.dataset['connection'] = state;
    },
    showInvoice,
    removeInvoice,
    toast,
    notice(title, message) {
      const box = byId('notice');
      box.replaceChildren(element('h2', '', title), element('p', '', message));
      box.hidden = false;
    },
  };
}

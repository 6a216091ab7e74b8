// SPDX-License-Identifier: MIT
// Written by events/generate from events/; do not edit.

import type { EventPayloads } from '../core/catalogue.js';

/** Valid data of each type. */
export const EXAMPLES: EventPayloads = {
  'invoice.created': {
    organizationId: 'acme',
    invoiceId: 'inv-17',
    invoiceNumber: '2026-0017',
    amount: '99999999999999.99',
    currency: 'EUR',
    status: 'DRAFT',
    timestamp: '2026-11-24T10:00:00.123Z',
  },
  'invoice.updated': {
    organizationId: 'acme',
    invoiceId: 'inv-17',
    invoiceNumber: '2026-0017',
    amount: '99999999999999.99',
    currency: 'EUR',
    status: 'DRAFT',
    timestamp: '2026-11-24T10:00:00.123Z',
  },
  'invoice.sent': {
    organizationId: 'acme',
    invoiceId: 'inv-17',
    invoiceNumber: '2026-0017',
    amount: '99999999999999.99',
    currency: 'EUR',
    status: 'SENT',
    timestamp: '2026-11-24T10:00:00.123Z',
  },
  'invoice.paid': {
    organizationId: 'acme',
    invoiceId: 'inv-17',
    invoiceNumber: '2026-0017',
    amount: '99999999999999.99',
    currency: 'EUR',
    status: 'PAID',
    timestamp: '2026-11-24T10:00:00.123Z',
  },
  'invoice.overdue': {
    organizationId: 'acme',
    invoiceId: 'inv-17',
    invoiceNumber: '2026-0017',
    amount: '99999999999999.99',
    currency: 'EUR',
    status: 'OVERDUE',
    timestamp: '2026-11-24T10:00:00.123Z',
  },
  'invoice.cancelled': {
    organizationId: 'acme',
    invoiceId: 'inv-17',
    invoiceNumber: '2026-0017',
    amount: '99999999999999.99',
    currency: 'EUR',
    status: 'CANCELLED',
    timestamp: '2026-11-24T10:00:00.123Z',
  },
  'invoice.deleted': {
    organizationId: 'acme',
    invoiceId: 'inv-17',
    invoiceNumber: '2026-0017',
    amount: '99999999999999.99',
    currency: 'EUR',
    status: 'DRAFT',
    timestamp: '2026-11-24T10:00:00.123Z',
  },
  'notification.created': {
    organizationId: 'acme',
    notificationId: 'n-4',
    title: 'Invoice paid',
    message: 'Invoice 2026-0017 was paid.',
    type: 'success',
    timestamp: '2026-11-24T10:00:00.123Z',
  },
};

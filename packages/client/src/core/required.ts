// SPDX-License-Identifier: MIT
// Written by events/generate from events/; do not edit.

import type { EventType } from './catalogue.js';

/** The members that data of a type always has, with their JavaScript type. */
export type RequiredMembers = Readonly<Record<string, 'string' | 'object'>>;

const INVOICE: RequiredMembers = { organizationId: 'string', invoiceId: 'string', invoiceNumber: 'string', amount: 'string', currency: 'string', status: 'string', timestamp: 'string' };

const NOTIFICATION: RequiredMembers = { organizationId: 'string', notificationId: 'string', title: 'string', message: 'string', type: 'string', timestamp: 'string' };

export const REQUIRED: Readonly<Record<EventType, RequiredMembers>> = {
  'invoice.created': INVOICE,
  'invoice.updated': INVOICE,
  'invoice.sent': INVOICE,
  'invoice.paid': INVOICE,
  'invoice.overdue': INVOICE,
  'invoice.cancelled': INVOICE,
  'invoice.deleted': INVOICE,
  'notification.created': NOTIFICATION,
};

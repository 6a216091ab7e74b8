// SPDX-License-Identifier: MIT
import { createElement, type HTMLAttributes, type ReactElement } from 'react';
import type { Status } from '../core/client.js';
import { useWebSocket } from './hooks.js';

const TEXTS: Readonly<Record<Status, string>> = {
  idle: 'Not connected',
  connecting: 'Connecting…',
  connected: 'Live',
  reconnecting: 'Reconnecting…',
  unauthorized: 'Sign in again',
  closed: 'Not connected',
};

/** The state has a shape of its own as well as a text, so that it never depends on colour alone. */
const SHAPES: Readonly<Record<Status, string>> = {
  idle: '○',
  connecting: '◌',
  connected: '●',
  reconnecting: '◌',
  unauthorized: '✕',
  closed: '○',
};

export interface LiveIndicatorProps extends HTMLAttributes<HTMLSpanElement> {
  /** Other words, for example in another language. */
  readonly texts?: Partial<Readonly<Record<Status, string>>>;
}

/** Says whether the page is live. Style it by `[data-status="connected"]` and so on.
 *  @example <LiveIndicator texts={{ connected: 'Verbunden' }} /> */
export function LiveIndicator({ texts, ...rest }: LiveIndicatorProps): ReactElement {
  const { status } = useWebSocket();
  return createElement(
    'span',
    { role: 'status', 'data-status': status, ...rest },
    createElement('span', { 'aria-hidden': true }, `${SHAPES[status]} `),
    texts?.[status] ?? TEXTS[status],
  );
}

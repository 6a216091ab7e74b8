'use client';
// SPDX-License-Identifier: MIT
export { EventsProvider, useEventsClient, type EventsProviderProps } from './context.js';
export { useEvent, useResync, useWebSocket, type WebSocketState } from './hooks.js';
export { LiveIndicator, type LiveIndicatorProps } from './indicator.js';
export { useInvalidateOn, type InvalidateOptions } from './query.js';

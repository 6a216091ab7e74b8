// SPDX-License-Identifier: MIT
export * from './core/catalogue.js';
export {
  createEventsClient,
  type EventHandler,
  type EventsClient,
  type EventsClientOptions,
  type EventsError,
  type PositionStore,
  type ResyncHandler,
  type Status,
  type StoredPosition,
} from './core/client.js';
export type { EventEnvelope, StreamEvent } from './core/decode.js';
export type { Gap, Position } from './core/order.js';
export { mqttTransport } from './core/mqtt_transport.js';
export { sessionStoragePositions } from './core/positions.js';
export {
  TransportError,
  type Connection,
  type ConnectOptions,
  type Transport,
  type TransportFailure,
  type TransportListener,
} from './core/transport.js';

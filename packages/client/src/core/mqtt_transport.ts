// SPDX-License-Identifier: MIT
import type { Transport } from './transport.js';

/** Connects with MQTT.js 5.16 or newer, which the page installs beside this package. MQTT.js, and the code that drives
 *  it, load with the first connection. */
export function mqttTransport(): Transport {
  return async (...args) => (await import('./mqtt.js')).openWithMqttJs(...args);
}

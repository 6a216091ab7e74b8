// SPDX-License-Identifier: MIT
import type { PositionStore, StoredPosition } from './client.js';

function isPosition(value: unknown): value is StoredPosition {
  if (typeof value !== 'object' || value === null) return false;
  const sequence: unknown = Reflect.get(value, 'sequence');
  return typeof Reflect.get(value, 'epoch') === 'string' && typeof sequence === 'string' && /^[0-9]{1,20}$/.test(sequence);
}

/** Keeps positions in the tab's sessionStorage, so that a reloaded page goes on where it was. Use it only when the page
 *  keeps its data over a reload too: it does not get the earlier events again. */
export function sessionStoragePositions(prefix = 'orgcast:'): PositionStore {
  return {
    load(organizationId) {
      try {
        const value: unknown = JSON.parse(sessionStorage.getItem(prefix + organizationId) ?? 'null');
        return isPosition(value) ? value : null;
      } catch {
        return null;
      }
    },
    save(organizationId, position) {
      try {
        sessionStorage.setItem(prefix + organizationId, JSON.stringify(position));
      } catch {
        // The storage is full or forbidden: a reload then begins with the events of now.
      }
    },
  };
}

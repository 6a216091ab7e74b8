// SPDX-License-Identifier: MIT
const FIRST_MS = 500;
const MAX_MS = 15_000;

/** Full jitter: anything from 0 up to a ceiling that doubles, so that a broker's restart does not bring all pages
 *  back at the same moment. @param failures attempts that have failed in a row, from 1 on */
export function backoffMs(failures: number, random: () => number): number {
  return random() * Math.min(MAX_MS, FIRST_MS * 2 ** (failures - 1));
}

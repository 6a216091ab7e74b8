// SPDX-License-Identifier: MIT
// JSON from outside, read as strictly as the broker does (common/json.h): UTF-8 only, no member twice, no NUL and
// no half of a surrogate pair in a text, no number that overflows, and a limit to the depth.

/** Integers are told from other numbers, as 3 and 3.0 differ in CloudEvents. Objects are maps, so that a member may
 *  be called __proto__. */
export type Json = null | boolean | string | bigint | number | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

export const MAX_DEPTH = 32;

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[-+.\w]+/g;
const NUL_OR_HALF_A_PAIR = /[\0\ud800-\udfff]/u;
const INTEGER = /^-?\d+$/;
const INT64_MAX = 2n ** 63n - 1n;

export class JsonError extends Error {}

export function isObject(value: Json | undefined): value is JsonObject {
  return value instanceof Map;
}

function readText(token: string): string {
  const text = String(JSON.parse(token));
  if (NUL_OR_HALF_A_PAIR.test(text)) throw new JsonError('not strict JSON: a text is not Unicode, or has a NUL');
  return text;
}

function readNumber(token: string): bigint | number {
  const value = INTEGER.test(token) ? BigInt(token) : Number(token);
  const fits = typeof value === 'bigint' ? value <= INT64_MAX && value >= -INT64_MAX - 1n : Number.isFinite(value);
  if (!fits) throw new JsonError('not strict JSON: a number overflows');
  return value;
}

/** Reads tokens of which JSON.parse() has said already that they are JSON. */
function readTokens(tokens: readonly string[]): Json {
  let at = 0;
  const take = (): string => tokens[at++] ?? '';

  /** Takes the end of an object or array that is empty. */
  function isEmpty(end: string): boolean {
    if (tokens[at] !== end) return false;
    at += 1;
    return true;
  }

  function readMembers(depth: number): JsonObject {
    const members = new Map<string, Json>();
    if (isEmpty('}')) return members;
    do {
      const name = readText(take());
      if (members.has(name)) throw new JsonError('not strict JSON: a member stands twice');
      take(); // the colon
      members.set(name, readValue(depth));
    } while (take() === ',');
    return members;
  }

  function readItems(depth: number): readonly Json[] {
    const items: Json[] = [];
    if (isEmpty(']')) return items;
    do items.push(readValue(depth));
    while (take() === ',');
    return items;
  }

  function readValue(depth: number): Json {
    const token = take();
    if (token === '{' || token === '[') {
      if (depth === MAX_DEPTH) throw new JsonError(`deeper than ${MAX_DEPTH} levels`);
      return token === '{' ? readMembers(depth + 1) : readItems(depth + 1);
    }
    if (token.startsWith('"')) return readText(token);
    if (token === 'true' || token === 'false') return token === 'true';
    return token === 'null' ? null : readNumber(token);
  }

  return readValue(0);
}

/** Throws a JsonError, which has no byte of the input in its message, unless the bytes are one object. */
export function parseObject(bytes: Uint8Array): JsonObject {
  let text: string;
  try {
    // Without ignoreBOM it would take a byte order mark away, which no JSON begins with (RFC 8259 §8.1).
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    JSON.parse(text);
  } catch {
    throw new JsonError('not strict JSON');
  }
  const value = readTokens(text.match(TOKEN) ?? []);
  if (!isObject(value)) throw new JsonError('not a JSON object');
  return value;
}

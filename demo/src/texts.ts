// SPDX-License-Identifier: MIT
// The texts in events, checked as common/event_text.h does. Each function gives null for a good one, otherwise
// what is wrong with it, to follow its name in a message.

import type { FieldRule, TextFormat } from './catalogue.js';

export type Fault = string | null;
type TextRule = Extract<FieldRule, { readonly kind: 'text' }>;

const ID_MAX_BYTES = 128;

const NOT_PRINTABLE = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;
const NOT_IN_AN_ID = /[\p{Cc}\p{Noncharacter_Code_Point}\p{White_Space}]/u;
const NOT_IN_LINES = /(?![\t\r\n])[\p{Cc}\p{Noncharacter_Code_Point}]/u;

const HOUR_MINUTE = '(?:[01][0-9]|2[0-3]):[0-5][0-9]';
const TIME = new RegExp(
  `^([0-9]{4})-(0[1-9]|1[0-2])-([0-9]{2})T${HOUR_MINUTE}:[0-5][0-9](?:\\.[0-9]{1,9})?(?:Z|[+-]${HOUR_MINUTE})$`,
);

// RFC 3986, appendix A. What stands in the brackets of an IP literal is not looked into.
const SCHEME = '[A-Za-z][A-Za-z0-9+.-]*:';
const PLAIN = "-A-Za-z0-9._~!$&'()*+,;=";
const percent = (characters: string): string => `(?:[${characters}]|%[0-9A-Fa-f]{2})*`;
const AUTHORITY = `(?:${percent(`${PLAIN}:`)}@)?(?:\\[[${PLAIN}:]+\\]|${percent(PLAIN)})(?::[0-9]*)?`;
const PATH = percent(`${PLAIN}:@/`);
const TAIL = percent(`${PLAIN}:@/?`);
// Without a scheme, a colon in the first segment would make one of what is before it (§4.2).
const URI_REFERENCE = new RegExp(
  `^(?:${SCHEME}|(?![^/?#]*:))(?://${AUTHORITY}(?:/${PATH})?|(?!//)${PATH})(?:\\?${TAIL})?(?:#${TAIL})?$`,
);
const HAS_SCHEME = new RegExp(`^${SCHEME}`);

const byteLength = (text: string): number => new TextEncoder().encode(text).length;

export const isPrintable = (text: string): boolean => !NOT_PRINTABLE.test(text);

/** The calendar repeats itself after 400 years. */
function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
}

export function timeFault(text: string): Fault {
  const [, year, month, day] = TIME.exec(text)?.map(Number) ?? [];
  if (year !== undefined && month !== undefined && day !== undefined && day >= 1 && day <= daysInMonth(year, month)) {
    return null;
  }
  return 'must be an RFC 3339 time such as 2026-11-24T10:00:00.123Z';
}

export function uriReferenceFault(text: string): Fault {
  return text !== '' && URI_REFERENCE.test(text) ? null : 'must be a URI-reference (RFC 3986)';
}

export function uriFault(text: string): Fault {
  return HAS_SCHEME.test(text) && uriReferenceFault(text) === null ? null : 'must be a URI (RFC 3986)';
}

function idFault(text: string): Fault {
  if (text === '') return 'must not be empty';
  if (byteLength(text) > ID_MAX_BYTES) return 'is too long';
  if (/[/+#]/.test(text)) return "must not contain '/', '+' or '#'";
  return NOT_IN_AN_ID.test(text) ? 'must be UTF-8 without white space and control characters' : null;
}

const FORMATS: Readonly<Record<TextFormat, (text: string) => Fault>> = {
  'orgcast-organization-id': (text) => (text.startsWith('$') ? "must not begin with '$'" : idFault(text)),
  'orgcast-entity-id': idFault,
  'orgcast-line': (text) => (isPrintable(text) ? null : 'must be UTF-8 without control characters'),
  'orgcast-text': (text) =>
    NOT_IN_LINES.test(text) ? 'must be UTF-8 without control characters other than tabs and line ends' : null,
  'date-time': timeFault,
};

export function textFault(rule: TextRule, text: string): Fault {
  if (rule.maxBytes !== undefined && byteLength(text) > rule.maxBytes) return 'is too long';
  if ('pattern' in rule) return rule.pattern.test(text) ? null : rule.fault;
  if (text === '' && rule.mayBeEmpty !== true) return 'must not be empty';
  return FORMATS[rule.format](text);
}

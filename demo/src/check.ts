// SPDX-License-Identifier: MIT
// Is it an event of the catalogue, on the topic where it belongs? The same rules in the same order as the broker's
// (common/event_check.c): what one takes, so does the other, and tests/vectors/events.json holds both to it.

import { TYPE_RULES, type EventType, type FieldRule, type ObjectRule, type TypeRule } from './catalogue.js';
import { isObject, type Json, type JsonObject } from './json.js';
import { isPrintable, textFault, timeFault, uriFault, uriReferenceFault, type Fault } from './texts.js';

/** Its message begins with the field and never quotes it. */
export class EventError extends Error {}

export type Fields = Readonly<Record<string, unknown>>;

export interface CheckedEvent {
  readonly type: EventType;
  readonly data: Fields;
}

function refuse(field: string, what: string): never {
  throw new EventError(`${field} ${what}`);
}

// --- The envelope ---

interface Attribute {
  readonly name: string;
  readonly required?: true;
  readonly fault?: (text: string) => Fault;
}

/** CloudEvents 1.0.2 §3: the context attributes, and this project's extension. */
const ATTRIBUTES: readonly Attribute[] = [
  { name: 'specversion', required: true, fault: (text) => (text === '1.0' ? null : 'must be 1.0') },
  { name: 'id', required: true },
  { name: 'source', required: true, fault: uriReferenceFault },
  { name: 'type', required: true },
  { name: 'organizationid', required: true },
  { name: 'subject' },
  { name: 'time', fault: timeFault },
  { name: 'datacontenttype' },
  { name: 'dataschema', fault: uriFault },
];

const NO_EXTENSIONS: ReadonlySet<string> = new Set([...ATTRIBUTES.map(({ name }) => name), 'data', 'data_base64']);
const INT32_MAX = 2n ** 31n - 1n;

/** JSON format 1.0.2 §2.2: null is as good as absent. */
function getAttribute(event: JsonObject, name: string): Json | undefined {
  return event.get(name) ?? undefined;
}

function checkAttribute(event: JsonObject, { name, required, fault }: Attribute): void {
  const value = getAttribute(event, name);
  if (value === undefined) {
    if (required === true) refuse(name, 'is missing');
    return;
  }
  if (typeof value !== 'string') refuse(name, 'must be a string');
  if (value === '') refuse(name, 'must not be empty');
  if (!isPrintable(value)) refuse(name, 'must be without control characters');
  const what = fault?.(value) ?? null;
  if (what !== null) refuse(name, what);
}

/** CloudEvents 1.0.2 §3.1 has these types in JSON, numbers being 32-bit integers. */
function isAttributeValue(value: Json): boolean {
  if (typeof value === 'string') return isPrintable(value);
  if (typeof value === 'bigint') return value >= -INT32_MAX - 1n && value <= INT32_MAX;
  return typeof value === 'boolean' || value === null;
}

function checkExtensions(event: JsonObject): void {
  for (const [name, value] of event) {
    if (NO_EXTENSIONS.has(name)) continue;
    if (!/^[a-z0-9]+$/.test(name)) {
      refuse('event', 'has an attribute whose name is not of lower-case letters and digits');
    }
    if (!isAttributeValue(value)) refuse('event', 'has an extension attribute that is no text, integer or boolean');
  }
}

function checkEnvelope(event: JsonObject, organizationId: string): void {
  const base64 = getAttribute(event, 'data_base64');
  for (const attribute of ATTRIBUTES) checkAttribute(event, attribute);
  if (event.get('organizationid') !== organizationId) refuse('organizationid', "is not the topic's organization");
  if (base64 !== undefined && typeof base64 !== 'string') refuse('data_base64', 'must be a string');
  if (base64 !== undefined && event.has('data')) refuse('data_base64', 'must not stand beside data');
  checkExtensions(event);
}

// --- The data ---

function anyOf(words: readonly string[]): string {
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}` : words.join('');
}

function readField(rule: FieldRule, type: EventType, path: string, value: Json): unknown {
  if (rule.only !== undefined && !rule.only.includes(type)) refuse(path, `is for ${anyOf(rule.only)} only`);
  if (rule.kind === 'object') {
    return isObject(value) ? readFields(rule.object, type, path, value) : refuse(path, 'must be an object');
  }
  if (typeof value !== 'string') return refuse(path, 'must be a string');
  if (rule.kind === 'enum' && !rule.values.includes(value)) refuse(path, `must be ${anyOf(rule.values)}`);
  const what = rule.kind === 'text' ? textFault(rule, value) : null;
  return what === null ? value : refuse(path, what);
}

/** The members that the catalogue has; where it allows others, they are passed over. */
function readFields(rule: ObjectRule, type: EventType, path: string, object: JsonObject): Fields {
  const fields: Record<string, unknown> = {};
  for (const field of rule.fields) {
    const value = object.get(field.name);
    if (value !== undefined) fields[field.name] = readField(field, type, `${path}.${field.name}`, value);
    else if (field.required) refuse(`${path}.${field.name}`, 'is missing');
  }
  if (!rule.open && Object.keys(fields).length < object.size) {
    refuse(path, 'has a member that is not in the catalogue');
  }
  return fields;
}

// --- The type, and where it belongs ---

function isEventType(type: Json | undefined): type is EventType {
  return typeof type === 'string' && Object.hasOwn(TYPE_RULES, type);
}

function checkPlace(event: JsonObject, rule: TypeRule, word: string, entity: string): void {
  if (rule.word !== word) refuse('type', 'is not what the topic is for');
  const subject = getAttribute(event, 'subject');
  if (subject === undefined) refuse('subject', 'is missing');
  if (subject !== entity) refuse('subject', "is not the topic's last level");
}

/** What a sender need not say, but must not say otherwise. */
function checkFormat(event: JsonObject, rule: TypeRule): void {
  const is = (name: string, wanted: string): boolean => (getAttribute(event, name) ?? wanted) === wanted;
  if (!is('datacontenttype', 'application/json')) refuse('datacontenttype', 'must be application/json');
  if (!is('dataschema', rule.data.schema)) refuse('dataschema', 'is not that of the type');
  if (getAttribute(event, 'data_base64') !== undefined) refuse('data_base64', 'is not for events of the catalogue');
}

function readData(event: JsonObject, type: EventType, organizationId: string, entity: string): Fields {
  const rule = TYPE_RULES[type].data;
  const value = event.get('data');
  if (value === undefined) refuse('data', 'is missing');
  if (!isObject(value)) return refuse('data', 'must be an object');
  const fields = readFields(rule.object, type, 'data', value);
  if (fields['organizationId'] !== organizationId) refuse('data.organizationId', "is not the topic's organization");
  if (fields[rule.entity] !== entity) refuse(`data.${rule.entity}`, "is not the topic's last level");
  return fields;
}

/** Throws an EventError unless it is an event of this organization that belongs on this topic. */
export function checkEvent(event: JsonObject, topic: string, organizationId: string): CheckedEvent {
  checkEnvelope(event, organizationId);
  const type = event.get('type');
  if (!isEventType(type)) return refuse('type', 'is not in the catalogue');
  const [entity, word, before] = topic.split('/').reverse();
  if (entity === undefined || word === undefined || before === undefined) {
    return refuse('type', 'needs a topic that ends in {event}/{entity}');
  }
  checkPlace(event, TYPE_RULES[type], word, entity);
  checkFormat(event, TYPE_RULES[type]);
  return { type, data: readData(event, type, organizationId, entity) };
}

/**
 * The canonical encoding of a journal entry.
 *
 * An entry is one msgpack array, in msgpackr's shortest forms:
 *
 *     [vt, icount, src, dst, kind, ...fields]
 *
 * `src` and `dst` are indexes into the recording's fixed node table, `kind` one into `KINDS`, and the fields follow in
 * the order that `KINDS` lists them. `NEVER` is nil. An optional field that is absent is left out at the end. Nothing is
 * learnt from earlier entries, so the bytes of an entry depend on that entry and the node table alone.
 *
 * A change here changes the identity of every journal: it needs a new `ENTRY_VERSION`.
 */
import assert from 'node:assert/strict'
import { Packr, Unpackr } from 'msgpackr/pack'
import type { Kind, MapMode, NodeName, StopReason } from '../bus/mod.ts'
import { NEVER } from '../bus/mod.ts'

/** Version of the canonical encoding. It is part of a journal's identity. */
export const ENTRY_VERSION = 1

/** What a field may hold. `u32`: 0 to 2^32 - 1. `whole`: 0 to 2^53 - 1. `time`: `whole`, nil for `NEVER`. */
export type FieldType = 'u32' | 'whole' | 'time' | 'target' | 'size' | 'bit' | 'mode' | 'reason' | 'text' | 'bytes'

/**
 * Where a field goes when a segment is sealed in columns (segment.ts). `shape`: few values, repeated often, so that
 * entries which agree in them share one dictionary row. The others vary and have a column each.
 */
type FieldColumn = 'shape' | 'count' | 'hash' | 'time' | 'bytes'

export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly column: FieldColumn
  readonly optional?: true
}

const region: Field = { name: 'region', type: 'u32', column: 'shape' }
const offset: Field = { name: 'offset', type: 'u32', column: 'shape' }
const size: Field = { name: 'size', type: 'size', column: 'shape' }
const index: Field = { name: 'index', type: 'u32', column: 'count', optional: true }
const value: Field = { name: 'value', type: 'u32', column: 'count' }
const bytes: Field = { name: 'bytes', type: 'bytes', column: 'bytes' }
const target: Field = { name: 'target', type: 'target', column: 'shape' }
const address: Field = { name: 'address', type: 'whole', column: 'count' }
const length: Field = { name: 'length', type: 'whole', column: 'count' }

/** Every kind with its fields in the order they are encoded. A kind's number is its place here. */
export const KINDS: readonly { readonly kind: Kind; readonly fields: readonly Field[] }[] = [
  { kind: 'reset', fields: [] },
  { kind: 'read', fields: [region, offset, size, index] },
  { kind: 'write', fields: [region, offset, size, value, index] },
  { kind: 'event', fields: [] },
  {
    kind: 'line',
    fields: [
      { name: 'wire', type: 'u32', column: 'shape' },
      { name: 'level', type: 'bit', column: 'shape' },
    ],
  },
  { kind: 'memory', fields: [bytes, { ...length, optional: true }] },
  { kind: 'input', fields: [bytes] },
  { kind: 'data', fields: [value, { name: 'validUntil', type: 'time', column: 'time' }] },
  { kind: 'timer', fields: [{ name: 'due', type: 'time', column: 'time' }] },
  { kind: 'dmaRead', fields: [target, address, length] },
  { kind: 'dmaWrite', fields: [target, address, bytes] },
  {
    kind: 'map',
    fields: [
      region,
      { name: 'space', type: 'text', column: 'shape' },
      { name: 'base', type: 'whole', column: 'count' },
      length,
      { name: 'offset', type: 'whole', column: 'count' },
      { name: 'mode', type: 'mode', column: 'shape' },
    ],
  },
  { kind: 'output', fields: [bytes] },
  { kind: 'grid', fields: [{ name: 'hash', type: 'u32', column: 'hash' }] },
  {
    kind: 'segment',
    fields: [
      { name: 'hashLow', type: 'u32', column: 'hash' },
      { name: 'hashHigh', type: 'u32', column: 'hash' },
    ],
  },
  { kind: 'stop', fields: [{ name: 'reason', type: 'reason', column: 'shape' }] },
  {
    kind: 'dmaCopy',
    fields: [
      { name: 'from', type: 'target', column: 'shape' },
      { name: 'to', type: 'target', column: 'shape' },
      { name: 'fromAddress', type: 'whole', column: 'count' },
      { name: 'toAddress', type: 'whole', column: 'count' },
      length,
    ],
  },
]

export const MODES: readonly MapMode[] = ['registers', 'ram', 'rom', 'off']
export const REASONS: readonly StopReason[] = ['poweroff', 'quit', 'limit', 'failed']

/** Places in an entry's array. The kind's fields begin at `FIELDS_AT`. */
export const VT_AT = 0
export const ICOUNT_AT = 1
export const SRC_AT = 2
export const DST_AT = 3
export const KIND_AT = 4
export const FIELDS_AT = 5

export type FieldValue = number | string | Uint8Array | null

/** An entry as the array that is encoded. */
export type Entry = FieldValue[]

/** The number of each kind, as entries hold it. */
export const KIND = Object.fromEntries(KINDS.map(({ kind }, number) => [kind, number])) as Readonly<
  Record<Kind, number>
>

/** Whether a value is a whole number from 0 to 2^53 - 1. */
export function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function fieldFits(type: FieldType, value: FieldValue | undefined): boolean {
  switch (type) {
    case 'u32':
      return typeof value === 'number' && value >>> 0 === value
    case 'whole':
      return isWhole(value)
    case 'time':
      // NEVER itself must come as nil, or one message would have two encodings.
      return value === null || (isWhole(value) && value !== NEVER)
    case 'target':
      return value === -1 || (typeof value === 'number' && value >>> 0 === value)
    case 'size':
      return value === 1 || value === 2 || value === 4
    case 'bit':
      return value === 0 || value === 1
    case 'mode':
      return isWhole(value) && value < MODES.length
    case 'reason':
      return isWhole(value) && value < REASONS.length
    case 'text':
      return typeof value === 'string'
    case 'bytes':
      return value instanceof Uint8Array
  }
}

export const VT_FAULT = 'vt is not a whole number below 2^53'
export const ICOUNT_FAULT = 'icount is not a whole number below 2^53'

/** What is wrong with a field that does not fit its type, in words. */
export function fieldFault(kind: Kind, { name, type }: Field): string {
  return `${kind}.${name} is not a valid ${type}`
}

/** What is wrong with an entry that came from outside, in words; `undefined` when nothing is. */
export function entryFault(entry: unknown, nodeCount: number): string | undefined {
  if (!Array.isArray(entry) || entry.length < FIELDS_AT) return 'an entry is not an array of at least five'
  if (!isWhole(entry[VT_AT])) return VT_FAULT
  if (!isWhole(entry[ICOUNT_AT])) return ICOUNT_FAULT
  if (!isWhole(entry[SRC_AT]) || entry[SRC_AT] >= nodeCount) return 'src is not in the node table'
  if (!isWhole(entry[DST_AT]) || entry[DST_AT] >= nodeCount) return 'dst is not in the node table'
  const row = isWhole(entry[KIND_AT]) ? KINDS[entry[KIND_AT]] : undefined
  if (row === undefined) return 'unknown kind'
  const given = entry.length - FIELDS_AT
  if (given > row.fields.length) return `${row.kind} has too many fields`
  for (let i = 0; i < row.fields.length; i++) {
    const field = row.fields[i]!
    if (i >= given && field.optional) continue
    if (!fieldFits(field.type, entry[FIELDS_AT + i])) return fieldFault(row.kind, field)
  }
  return undefined
}

/** The table of a recording's nodes: names to indexes and back. */
export class NodeTable {
  readonly names: readonly NodeName[]
  readonly #indexes: Map<NodeName, number>
  /** What was asked for last, and before: of the messages of an access one is the CPU, one the device. */
  #latest = { name: '', index: -1 }
  #before = { name: '', index: -1 }

  constructor(names: readonly NodeName[]) {
    this.names = [...names]
    this.#indexes = new Map(names.map((name, index) => [name, index]))
    assert(this.#indexes.size === names.length, 'a node is named twice in the node table')
  }

  index(name: NodeName): number {
    if (this.#latest.name === name) return this.#latest.index
    if (this.#before.name === name) return this.#before.index
    const index = this.#indexes.get(name)
    // Not `assert(...)`: that would build its message for every entry.
    if (index === undefined) assert.fail(`node ${name} is not in the node table (${this.names.join(', ')})`)
    this.#before = this.#latest
    this.#latest = { name, index }
    return index
  }
}

/** The bytes that a journal's identity begins with, ahead of its entries: what gives the indexes in them a meaning. */
export function identityPrefix(nodes: NodeTable): Uint8Array {
  return new Packr({ useRecords: false }).pack(['ananke journal', ENTRY_VERSION, nodes.names])
}

/**
 * Splits canonical bytes into entries. `fail` makes the error to throw where they are not well-formed.
 */
export function decodeEntries(bytes: Uint8Array, nodes: NodeTable, fail: (what: string) => Error): Entry[] {
  let values: unknown[]
  try {
    values = bytes.length === 0 ? [] : (new Unpackr({ useRecords: false }).unpackMultiple(bytes) as unknown[])
  } catch (cause) {
    const error = fail('the bytes are not msgpack')
    error.cause = cause
    throw error
  }
  for (const value of values) {
    const fault = entryFault(value, nodes.names.length)
    if (fault !== undefined) throw fail(fault)
  }
  return values as Entry[]
}

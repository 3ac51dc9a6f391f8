/**
 * Loads and stores of a block that share a base address: a stack frame, the fields of a structure. Where they are looked up
 * once, at the first of them, each is a plain access from then on.
 */
import type { Block, Op } from '../ir/ir.ts'
import type { Local } from '../wasm/function.ts'
import { wordsOf } from './pinned.ts'

export type Load = Extract<Op, { op: 'load' }>
export type Store = Extract<Op, { op: 'store' }>

/** Bytes that a group may span: its ends are in one page, or it is looked up in vain. */
const MAX_SPAN = 512

/** Bytes `[low, high)` from a base address. */
interface Span {
  low: number
  high: number
}

export interface AccessGroup extends Span {
  /** The operation that comes first. */
  first: number
  /** Of the base address, in bytes; `low` is a multiple of it. */
  alignment: number
  /** What is stored to. */
  stored: Span | undefined
  /** Where its lowest byte is, once it has been looked up. */
  place: Local | undefined
}

/**
 * The groups of the first `end` operations of `block`, by operation. `standsAlone`: accesses that are to be in none, nor
 * any other of the same base.
 */
export function groupAccesses(
  { ops }: Block,
  end: number,
  standsAlone: (index: number) => boolean,
): ReadonlyMap<number, AccessGroup> {
  const versions = new Map<number, number>()
  let barriers = 0
  const candidates = new Map<string, number[]>()
  const alone = new Set<string>()
  for (let index = 0; index < end; index++) {
    const op = ops[index]!
    // What a call does can move or protect pages.
    if (op.op === 'call') barriers++
    if (op.op === 'put') for (const offset of wordsOf(op)) versions.set(offset, index)
    if (op.op !== 'load' && op.op !== 'store') continue
    const address = ops[op.address]!
    const base = address.op === 'get' ? `${address.offset} since ${versions.get(address.offset)}` : `${op.address}`
    const key = `${base}, ${barriers}`
    if (standsAlone(index)) {
      alone.add(key)
      barriers++
    } else if (canShare(op)) {
      const list = candidates.get(key)
      if (list === undefined) candidates.set(key, [index])
      else list.push(index)
    }
  }
  const groups = new Map<number, AccessGroup>()
  for (const [key, indices] of candidates) {
    if (!alone.has(key)) addGroup(groups, ops, indices)
  }
  return groups
}

function canShare(op: Load | Store): boolean {
  return op.alignment === 'checked' && op.displacement % (op.width / 8) === 0 && !(op.op === 'load' && op.forWrite)
}

function addGroup(groups: Map<number, AccessGroup>, ops: readonly Op[], indices: readonly number[]): void {
  const group: AccessGroup = { first: indices[0]!, low: 0, high: 0, alignment: 1, stored: undefined, place: undefined }
  const members: number[] = []
  let span: Span | undefined
  for (const index of indices) {
    const op = ops[index] as Load | Store
    const whole = widened(span, op)
    if (whole.high - whole.low > MAX_SPAN) continue
    span = whole
    members.push(index)
    group.alignment = Math.max(group.alignment, op.width / 8)
    if (op.op === 'store') group.stored = widened(group.stored, op)
  }
  if (span === undefined || members.length < 2) return
  group.low = Math.floor(span.low / group.alignment) * group.alignment
  group.high = span.high
  for (const index of members) groups.set(index, group)
}

function widened(span: Span | undefined, { displacement, width }: Load | Store): Span {
  const high = displacement + width / 8
  if (span === undefined) return { low: displacement, high }
  return { low: Math.min(span.low, displacement), high: Math.max(span.high, high) }
}

/**
 * What a replay compares, and its report of the first difference.
 */
import { AssertionError } from 'node:assert'
import type { Message, NodeName, Payload, Vt } from '../bus/mod.ts'
import type { FlatEntry, NodeTable } from '../replay-store/mod.ts'

/** A journal to compare with. A `Recording` is one; so is a list of messages in a test. */
export interface Journal {
  readonly entryCount: number
  entry(index: number): Message
}

/** One that lays its entries flat: so a replay that has most of them to compare makes no garbage. */
export interface FlatJournal extends Journal {
  /** The places of the nodes in the entries that `read` gives. */
  readonly nodes: NodeTable
  /** Fills `into` with entry `index`. */
  read(index: number, into: FlatEntry): void
}

/** Messages before a difference that a report shows. */
export const CONTEXT_ENTRIES = 10

/** The first place where a replay, or another recording, is not what the journal says. */
export interface Divergence {
  /** The node whose message, hash or state differs. */
  node: NodeName
  /** The place in the journal, from 0; the journal's length if the difference is in the final state. */
  entry: number
  vt: Vt
  icount: number
  /** The CPU's program counter, where there is a CPU. */
  pc?: number
  /** What the journal has there; absent past its end. */
  expected?: Message
  /** What came instead; absent where nothing came. */
  actual?: Message
  /** What differs, in words. */
  what: string
  /** The messages before it, oldest first, at most `CONTEXT_ENTRIES`. */
  before: { entry: number; message: Message }[]
}

/** Stops a replay from within; sessions turn it into a result. */
export class DivergenceError extends Error {
  override readonly name = 'DivergenceError'
  readonly divergence: Divergence
  constructor(divergence: Divergence) {
    super(`entry ${divergence.entry}, ${divergence.node}: ${divergence.what}`)
    this.divergence = divergence
  }
}

/** What models and the bus throw at a register, region or length that is not there. */
const IMPOSSIBLE_ERRORS = [AssertionError, RangeError, TypeError] as const

/**
 * The `DivergenceError` for a journal's message that breaks a rule of the bus when it is carried out: nothing that ran
 * can have sent it. Other errors, divergences among them, come back as they are.
 */
export function impossibleMessage(error: unknown, differs: (what: string) => DivergenceError): unknown {
  if (!IMPOSSIBLE_ERRORS.some((kind) => error instanceof kind)) return error
  return Object.assign(differs(`the message cannot be: ${(error as Error).message}`), { cause: error })
}

/** Stops a replay from within at the end of a journal that was cut off. */
export class JournalCut extends Error {
  override readonly name = 'JournalCut'
}

/** Whether a journal has no `stop` entry: its recorder was killed. */
export function isCut(journal: Journal): boolean {
  return journal.entryCount === 0 || journal.entry(journal.entryCount - 1).payload.kind !== 'stop'
}

/** The messages before entry `entry`. */
export function contextBefore(journal: Journal, entry: number): Divergence['before'] {
  const before: Divergence['before'] = []
  for (let index = Math.max(0, entry - CONTEXT_ENTRIES); index < Math.min(entry, journal.entryCount); index++) {
    before.push({ entry: index, message: journal.entry(index) })
  }
  return before
}

export function sameMessage(a: Message, b: Message): boolean {
  return (
    a.vt === b.vt && a.icount === b.icount && a.src === b.src && a.dst === b.dst && samePayload(a.payload, b.payload)
  )
}

/** A field that is undefined is as one that is not there. Makes no garbage: a replay asks for every message. */
export function samePayload(a: Payload, b: Payload): boolean {
  const left = a as object as Readonly<Record<string, unknown>>
  const right = b as object as Readonly<Record<string, unknown>>
  for (const key in left) if (!sameValue(left[key], right[key])) return false
  for (const key in right) if (!(key in left) && right[key] !== undefined) return false
  return true
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return a === b
}

/** Where two messages differ, in words. */
export function describeDifference(expected: Message | undefined, actual: Message | undefined): string {
  if (actual === undefined) return 'the journal has a message here, and none came'
  if (expected === undefined) return `${actual.payload.kind} from ${actual.src} came after the journal's end`
  if (actual.icount !== expected.icount || actual.vt !== expected.vt) return 'the message is at another position'
  if (actual.src !== expected.src || actual.dst !== expected.dst) return 'the message has another sender or receiver'
  if (actual.payload.kind !== expected.payload.kind) return 'the message is of another kind'
  const left: Record<string, unknown> = { ...expected.payload }
  const right: Record<string, unknown> = { ...actual.payload }
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])]
  const fields = keys.filter((key) => !sameValue(left[key], right[key]))
  return `the message differs in ${fields.join(', ')}`
}

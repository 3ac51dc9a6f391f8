/**
 * What a run has found worth translating, kept so that a later run of the same guest need not find it again: it
 * translates this code before it is hot, and uses it where the guest's memory has it, word for word.
 */
import { Packr } from 'msgpackr/pack'
import { REGION_PART_MASK } from '../interpreter/code-cache.ts'
import { MAX_REGION_PAGES, PAGE_BYTES, PAGE_SHIFT } from '../memory.ts'
import { FIRST, GROWN } from './region.ts'
import type { RegionCode } from './translate.ts'

const VERSION = 6
/**
 * Words of code kept: those of some 1,000 regions, as many as there may be at a time. With more, a long run's memory takes longer to
 * come to its bound.
 */
const MAX_WORDS = 2 ** 18
/**
 * Of a region's blocks, so many must be in later ones for it to be left out. Other runs have more use for less to translate: with
 * 0.65 `find` takes a tenth less than with 0.9, `sha256` and `exec` a thirtieth.
 */
const COVERED_SHARE = { itsReplays: 0.9, otherRuns: 0.65 }
const packr = new Packr({ useRecords: false })

/** Bytes that are no hot code, or of another version. */
export class HotCodeError extends Error {
  override readonly name = 'HotCodeError'
}

/** A region's code, and how many instructions it did while it was translated, in the run that found it last. */
export interface FoundCode extends RegionCode {
  instructions: number
}

export class HotCode {
  /**
   * What earlier runs found, in the order in which it became hot. Of other runs nothing that has grown: this one may not need
   * it so large. A boot after what had been found in long runs took 0.9 s longer, with 1.3 s more of CPU time.
   */
  readonly known: readonly FoundCode[]
  /** By `keyOf`: what made room for other regions, or was translated otherwise since, is found again. */
  readonly #found = new Map<string, { code: RegionCode; instructions: number }>()
  /** Of it, by the same: what a larger region has taken the place of. */
  readonly #replaced = new Set<string>()
  #words = 0
  /** Of the regions that there are now, how many instructions each has done. */
  live: () => Iterable<readonly [RegionCode, number]> = () => []

  /** What is known is of the very run that is to come: all of it will be hot. */
  readonly isOfThisRun: boolean

  /** `bytes`: what `encode` gave. Throws `HotCodeError`. */
  constructor(bytes?: Uint8Array, { isOfThisRun = false } = {}) {
    const known = bytes === undefined ? [] : decode(bytes)
    this.known = isOfThisRun ? known : known.filter((code) => !hasGrown(code))
    this.isOfThisRun = isOfThisRun
  }

  /** There is nothing to keep. */
  get isEmpty(): boolean {
    return this.known.length === 0 && this.#found.size === 0
  }

  /** This run has translated `code`. */
  add(code: RegionCode): void {
    const key = keyOf(code)
    const before = this.#found.get(key)
    if (before === undefined) {
      if (this.#words >= MAX_WORDS) return
      this.#words += code.words.length
    }
    this.#found.set(key, { code, instructions: before?.instructions ?? 0 })
    this.#replaced.delete(key)
  }

  /** The region of `code` is gone. */
  did(code: RegionCode, instructions: number): void {
    const found = this.#found.get(keyOf(code))
    if (found !== undefined) found.instructions += instructions
  }

  /** It has been translated otherwise since. */
  remove(code: RegionCode): void {
    const key = keyOf(code)
    if (this.#found.get(key)?.code !== code) return
    this.#found.delete(key)
    this.#replaced.delete(key)
    this.#words -= code.words.length
  }

  /** A larger region has taken its place. */
  replace(code: RegionCode): void {
    const key = keyOf(code)
    if (this.#found.get(key)?.code === code) this.#replaced.add(key)
  }

  /** By key. */
  #foundSoFar(): Map<string, FoundCode> {
    const found = new Map([...this.#found].map(([key, { code, instructions }]) => [key, { ...code, instructions }]))
    for (const [code, instructions] of this.live()) {
      const live = found.get(keyOf(code))
      if (live !== undefined) live.instructions += instructions
    }
    return found
  }

  /** What this run found: for its replays. */
  encode(): Uint8Array {
    const found = [...this.#foundSoFar()]
    const kept = found.flatMap(([key, code]) => (this.#replaced.has(key) ? [] : [code]))
    return encode(withoutCovered(kept, COVERED_SHARE.itsReplays))
  }

  /**
   * For other runs: what this run found before it grew and, as far as there is room, what is known and was of no use this time.
   */
  encodeAll(): Uint8Array {
    const found = new Set([...this.#foundSoFar().values()].filter((code) => !hasGrown(code)))
    const unused = this.known.filter((known) => !this.#found.has(keyOf(known))).map((known) => ({ ...known }))
    const kept = withoutCovered([...unused, ...found], COVERED_SHARE.otherRuns)
    const regions: FoundCode[] = []
    let words = 0
    for (const code of [...kept.filter((code) => found.has(code)), ...kept.filter((code) => !found.has(code))]) {
      words += code.words.length
      if (words > MAX_WORDS) break
      regions.push(code)
    }
    return encode(regions)
  }
}

/** Whether a region took the place of others, in this run or an earlier one: by its size. */
export function hasGrown({ pcs }: RegionCode): boolean {
  return pcs.length > FIRST.blocks
}

/** The same for the same guest code. Where it is for other code too, one of them is not kept. */
function keyOf({ kind, pcs, words }: RegionCode): string {
  let hash = kind.flags
  for (const values of [pcs, words]) for (const value of values) hash = Math.imul(hash ^ value, 0x9e37_79b1)
  return `${pcs.length} ${words.length} ${pcs[0]} ${hash}`
}

/**
 * Regions without those whose first block, and that `share` of them all, later ones have: what was found hot first is often found
 * again together with what became hot after it. Of a boot's 530 it leaves 280. Each stands where the first block that it has in
 * place of another region was found, and takes over what they have done.
 */
function withoutCovered(regions: readonly FoundCode[], share: number): FoundCode[] {
  const blocks = regions.map(blockKeys)
  /** By block: which region has it, the latest; and by region: its place. */
  const owners = new Map<number, number>()
  const places = new Map<number, number>()
  for (let index = regions.length - 1; index >= 0; index--) {
    const keys = blocks[index]!
    const owner = owners.get(keys[0]!)
    const covered = keys.filter((key) => owners.has(key)).length
    if (owner !== undefined && covered >= share * keys.length) {
      places.set(owner, index)
      regions[owner]!.instructions += regions[index]!.instructions
      continue
    }
    places.set(index, index)
    for (const key of keys) if (!owners.has(key)) owners.set(key, index)
  }
  return [...places].sort(([, a], [, b]) => a - b).map(([index]) => regions[index]!)
}

/** Of each block of a region a number that is hardly that of another block. */
function blockKeys({ kind, pcs, lengths, words }: RegionCode): number[] {
  let first = 0
  return Array.from(pcs, (pc, index) => {
    const length = lengths[index]!
    const key = Math.imul(Math.imul(pc ^ kind.flags, 0x9e37_79b1) ^ words[first]!, 0x85eb_ca6b) ^ length
    first += length / 4
    return key
  })
}

function encode(regions: readonly FoundCode[]): Uint8Array {
  const packed = regions.map(({ kind, pcs, lengths, targets, words, byCall, instructions }) => ({
    kind,
    pcs: bytesOf(pcs),
    lengths: bytesOf(lengths),
    targets: bytesOf(targets),
    words: bytesOf(words),
    byCall: bytesOf(byCall),
    instructions,
  }))
  return packr.pack({ version: VERSION, regions: packed })
}

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength)
}

function decode(bytes: Uint8Array): FoundCode[] {
  let stored: unknown
  try {
    stored = packr.unpack(bytes)
  } catch (cause) {
    throw new HotCodeError('it is damaged', { cause })
  }
  const { version, regions } = (stored ?? {}) as { version?: unknown; regions?: unknown }
  if (version !== VERSION || !Array.isArray(regions)) throw new HotCodeError('it is of another version')
  return regions.map(regionOf)
}

function regionOf(stored: Record<string, unknown>): FoundCode {
  const kind = stored['kind'] as RegionCode['kind'] | undefined
  const pcs = wordsOf(stored['pcs'])
  const lengths = wordsOf(stored['lengths'])
  const targets = wordsOf(stored['targets'])
  const words = wordsOf(stored['words'])
  const byCall = wordsOf(stored['byCall'])
  const instructions = stored['instructions']
  const fits =
    Number.isSafeInteger(instructions) &&
    kind?.isa === 'mips' &&
    Number.isInteger(kind.flags) &&
    [kind.bigEndian, kind.relative, kind.fixed].every((flag) => typeof flag === 'boolean') &&
    pcs.length > 0 &&
    pcs.length <= GROWN.blocks &&
    pcs.length === lengths.length &&
    pcs.length === targets.length &&
    (kind.relative !== true || fitsTogether(pcs)) &&
    pcs.every((pc, index) => fitsPage(pc, lengths[index]!)) &&
    4 * words.length === lengths.reduce((sum, length) => sum + length, 0)
  if (!fits) throw new HotCodeError('it is damaged')
  return { kind, pcs, lengths, targets, words, byCall, instructions: instructions as number }
}

/** Relative code of as many pages as a region may be of, near enough to each other. */
function fitsTogether(pcs: Int32Array): boolean {
  const pages = new Set(Array.from(pcs, (pc) => pc >> PAGE_SHIFT))
  return pages.size <= MAX_REGION_PAGES && [...pages].every((page) => page >= 0 && page <= REGION_PART_MASK)
}

/** Whole instructions of one page. */
function fitsPage(pc: number, length: number): boolean {
  return pc % 4 === 0 && length % 4 === 0 && length > 0 && (pc & (PAGE_BYTES - 1)) + length <= PAGE_BYTES
}

function wordsOf(bytes: unknown): Int32Array {
  if (!(bytes instanceof Uint8Array) || bytes.length % 4 !== 0) throw new HotCodeError('it is damaged')
  return new Int32Array(new Uint8Array(bytes).buffer)
}

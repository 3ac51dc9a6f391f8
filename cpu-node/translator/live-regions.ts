/**
 * The translated regions that there are, by number in the table that the dispatcher calls through. Each costs tens of KB of
 * the host's memory, so their number is bounded. What makes room is found as pages are by an operating system that wants
 * memory: of the regions in use the oldest are put to rest, their blocks being interpreted again; one that is entered
 * meanwhile is in use at once, as the newest, and the one that has rested longest is dropped.
 */
import assert from 'node:assert/strict'
import { type CodeBlock, type CodeCache, RELATIVE, type Region } from '../interpreter/code-cache.ts'
import { MAX_REGION_PAGES, PAGE_SHIFT, REGION_RECORD } from '../memory.ts'
import { SAMPLED_ENTRIES } from './dispatcher.ts'
import type { PlacedBlock } from './region.ts'
import { ReleasedModules } from './released-modules.ts'

/**
 * Debian's boot leaves 520, and hashing, a shell's loop, starting programs and walking files after it 110 more: what those have in use
 * should not be put to rest. With more a long run's memory takes longer to come to its bound.
 */
export const MAX_REGIONS = 1024
/** Those in use and those that rest want room, and more than one of each. */
const MIN_REGIONS = 4
/** How many of a full table's are in use. */
const AWAKE_FRACTION = 3 / 4
/** Entries of a block after which its resting region is used again. */
const WAKING_ENTRIES = 50

/** Hears of a region that is dropped, and how many instructions it has done, where those are counted. */
export type DropListener = (region: Region, instructions: number) => void

export class LiveRegions {
  readonly table: WebAssembly.Table
  readonly #code: CodeCache
  /** By region number: `REGION_RECORD`. */
  readonly #records: Int32Array
  readonly #onDrop: DropListener | undefined
  readonly #most: number
  /** Oldest first. */
  readonly #awake = new Set<Region>()
  readonly #resting = new Set<Region>()
  readonly #freeNumbers: number[] = []
  readonly #released = new ReleasedModules()
  #numbers = 1
  /** Regions that made room. */
  #dropped = 0

  /** `records`: `GuestMemory.regionRecords` for the `most` regions that there may be. */
  constructor(code: CodeCache, most: number, records: Int32Array, onDrop?: DropListener) {
    assert(most >= MIN_REGIONS)
    this.#code = code
    this.#records = records
    this.#onDrop = onDrop
    this.#most = most
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: most + 1, maximum: most + 1 })
  }

  get size(): number {
    return this.#awake.size + this.#resting.size
  }

  get dropped(): number {
    return this.#dropped
  }

  /**
   * Lets blocks be entered through `run`, which has them in this order; `hasGrown`: also those that other regions have. Not
   * while translated code runs.
   */
  add(run: unknown, placed: readonly PlacedBlock[], hasGrown = false): Region {
    this.#makeRoom()
    const number = this.#freeNumbers.pop() ?? this.#numbers++
    this.table.set(number, run)
    const region = { number, blocks: placed.map(({ block }) => block), pcs: placed.map(({ pc }) => pc), hasGrown }
    this.#records.fill(0, wordOf(number, 'instructions'), wordOf(number + 1, 'instructions'))
    this.#records.set(pageIds(placed), wordOf(number, 'pages'))
    if (!hasGrown) this.mayCrowd(region)
    this.#awake.add(region)
    this.#code.enterRegion(region)
    return region
  }

  /** The regions that there are, and how many instructions each has done, where those are counted. */
  *instructions(): Iterable<readonly [Region, number]> {
    for (const regions of [this.#awake, this.#resting]) {
      for (const region of regions) yield [region, this.#instructionsOf(region)]
    }
  }

  /** The region is found to be crowded after so many more entries from others. */
  mayCrowd(region: Region): void {
    this.#records[wordOf(region.number, 'left')] = Math.ceil(this.#code.crowdedEntries(region) / SAMPLED_ENTRIES)
  }

  #instructionsOf({ number }: Region): number {
    const low = wordOf(number, 'instructions')
    return this.#records[low + 1]! * 2 ** 32 + (this.#records[low]! >>> 0)
  }

  /** Uses a region again that has `block`, which was found hot. False: there is none. Not while translated code runs. */
  wake(block: CodeBlock): boolean {
    const region = this.#code.regionWith(block)
    if (region === undefined) return false
    this.#resting.delete(region)
    this.#awake.delete(region)
    this.#awake.add(region)
    this.#code.enterRegion(region)
    return true
  }

  /** The code cache has dropped these. */
  drop(regions: readonly Region[]): void {
    for (const region of regions) this.#remove(region)
  }

  /** The code cache has dropped everything. */
  clear(): void {
    this.drop([...this.#awake, ...this.#resting])
  }

  #makeRoom(): void {
    for (const region of this.#awake) {
      if (this.#awake.size < this.#most * AWAKE_FRACTION) break
      this.#awake.delete(region)
      this.#resting.add(region)
      this.#code.leaveRegion(region, WAKING_ENTRIES)
    }
    for (const region of this.#resting) {
      if (this.size < this.#most) break
      this.#dropped++
      this.#code.dropRegion(region)
      this.#remove(region)
    }
  }

  #remove(region: Region): void {
    this.#onDrop?.(region, this.#instructionsOf(region))
    this.#awake.delete(region)
    this.#resting.delete(region)
    this.table.set(region.number, null)
    this.#freeNumbers.push(region.number)
    this.#released.add()
  }
}

function wordOf(number: number, field: 'instructions' | 'left' | 'pages'): number {
  return ((number << REGION_RECORD.shift) + REGION_RECORD[field]) / 4
}

/** Of relative code's pages, in the order of their addresses. */
function pageIds(placed: readonly PlacedBlock[]): number[] {
  if (placed[0]?.block.codePage.address !== RELATIVE) return []
  const ids = new Map(placed.map(({ block, pc }) => [pc >>> PAGE_SHIFT, block.codePage.id]))
  assert(ids.size <= MAX_REGION_PAGES)
  assert(placed.every(({ block, pc }) => ids.get(pc >>> PAGE_SHIFT) === block.codePage.id))
  return [...ids].sort(([a], [b]) => a - b).map(([, id]) => id)
}

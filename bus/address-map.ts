/**
 * A machine's address spaces: what answers at which address.
 *
 * Each space has placements in a fixed order, later ones over earlier ones: first the board's, in its order, then those
 * of regions that the board does not place and a device mapped, by device and region number. A region that the board
 * places keeps its place in the order when its device moves it. So the map depends only on what is mapped now, never on
 * how it came about.
 *
 * A `map` of a region replaces every placement of that region in that space; in other spaces it changes nothing.
 * A window shows another space; where nothing is mapped there, what lies under the window shows through.
 *
 * Spaces are kept flattened: sorted pieces that do not overlap, rebuilt after a `map`.
 */
import assert from 'node:assert/strict'
import { MEMORY_SPACE } from './board.ts'
import { StateError } from './device.ts'
import { BoardError, type Layout, PAGE_BYTES } from './layout.ts'
import type { MapMode, MapRegion } from './message.ts'

/** A run of addresses with one target. `device` is -1 for board memory, whose `region` is its number. */
export interface Piece {
  from: number
  to: number
  mode: 'registers' | 'ram' | 'rom'
  device: number
  region: number
  /** Offset into the region at `from`. */
  offset: number
  /** Offset into backing memory at `from`; -1 where the region is no memory. */
  backing: number
}

/** Hears which whole pages of the CPU's space are memory and nothing else. */
export interface MemoryListener {
  mapMemory(base: number, length: number, backingOffset: number, mode: 'ram' | 'rom'): void
  unmapMemory(base: number, length: number): void
}

/** A placement that a device made, with names, for a saved state. */
export interface SavedPlacement {
  device: string
  region: number
  space: string
  base: number
  length: number
  offset: number
  mode: MapMode
}

interface Placed {
  device: number
  region: number
  space: string
  base: number
  length: number
  offset: number
  mode: MapMode
}

interface Pages {
  base: number
  length: number
  backing: number
  mode: 'ram' | 'rom'
}

/** How deep windows may lead into spaces with windows. */
const WINDOW_DEPTH = 8

export class AddressMap {
  readonly #layout: Layout
  /** The board's placements, in its order. */
  readonly #initial: readonly Placed[]
  /** What devices mapped, by `device region space`. */
  readonly #dynamic = new Map<string, Placed>()
  readonly #flat = new Map<string, Piece[]>()
  #listener: MemoryListener | undefined
  #pages: Pages[] = []
  /** Counts changes, so that caches of `resolve` know when they are stale. */
  generation = 0

  constructor(layout: Layout) {
    this.#layout = layout
    this.#initial = layout.placements.map(({ device, region, placement }) => {
      const size = device < 0 ? layout.board.memories[region]?.size : layout.devices[device]?.regions[region]?.size
      assert(size !== undefined)
      const offset = placement.offset ?? 0
      const length = placement.length ?? size - offset
      if (offset + length > size || placement.base < 0) {
        throw new BoardError(`${layout.board.name}: ${placement.region} is placed beyond its ${size} bytes`)
      }
      return { device, region, space: placement.space, base: placement.base, length, offset, mode: placement.mode }
    })
    this.#flatten(MEMORY_SPACE, 0)
  }

  /** Tells `listener` of the pages that are memory now, and from now on of each change. */
  listen(listener: MemoryListener): void {
    this.#listener = listener
    this.#pages = []
    this.#tell()
  }

  /** What answers at `address`, or `undefined`. */
  resolve(space: string, address: number): Piece | undefined {
    const pieces = this.#flat.get(space) ?? this.#flatten(space, 0)
    let low = 0
    let high = pieces.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((pieces[middle] as Piece).to <= address) low = middle + 1
      else high = middle
    }
    const piece = pieces[low]
    return piece !== undefined && piece.from <= address ? piece : undefined
  }

  /** The pieces of a space, in order, for those who show it. */
  pieces(space: string): readonly Piece[] {
    return this.#flat.get(space) ?? this.#flatten(space, 0)
  }

  /** Applies a `map` effect of device number `device`. */
  map(device: number, effect: MapRegion): void {
    const { region, space, base, length, offset, mode } = effect
    this.#dynamic.set(`${device} ${region} ${space}`, { device, region, space, base, length, offset, mode })
    this.#changed()
  }

  /** Back to the board's placements. */
  reset(): void {
    this.#dynamic.clear()
    this.#changed()
  }

  save(): SavedPlacement[] {
    return [...this.#dynamic.values()].sort(byNumber).map((placed) => {
      const device = this.#layout.devices[placed.device]?.name
      assert(device !== undefined)
      return { ...placed, device }
    })
  }

  /** Throws a `StateError` for a device that this board has not. */
  restore(saved: readonly SavedPlacement[]): void {
    const placed = saved.map((entry): Placed => {
      const device = this.#layout.byName.get(entry.device)?.number
      if (device === undefined) throw new StateError(`the address map names ${entry.device}, which this board has not`)
      return { ...entry, device }
    })
    this.#dynamic.clear()
    for (const entry of placed) this.#dynamic.set(`${entry.device} ${entry.region} ${entry.space}`, entry)
    this.#changed()
  }

  #changed(): void {
    this.generation++
    this.#flat.clear()
    this.#tell()
  }

  /** The placements of a space, lowest first. */
  #placed(space: string): Placed[] {
    const placed: Placed[] = []
    const replaced = new Set<string>()
    for (const entry of this.#initial) {
      if (entry.space !== space) continue
      const key = `${entry.device} ${entry.region} ${space}`
      const moved = entry.device < 0 ? undefined : this.#dynamic.get(key)
      if (moved === undefined) placed.push(entry)
      else if (!replaced.has(key)) placed.push(moved)
      replaced.add(key)
    }
    const others = [...this.#dynamic].filter(([key, entry]) => entry.space === space && !replaced.has(key))
    placed.push(...others.map(([, entry]) => entry).sort(byNumber))
    return placed.filter(({ mode }) => mode !== 'off')
  }

  #flatten(space: string, depth: number): Piece[] {
    const known = this.#flat.get(space)
    if (known !== undefined) return known
    if (depth > WINDOW_DEPTH) throw new BoardError(`windows lead in a circle, or too deep, through space ${space}`)
    let pieces: Piece[] = []
    for (const placed of this.#placed(space)) {
      for (const piece of this.#expand(placed, depth)) pieces = paint(pieces, piece)
    }
    this.#flat.set(space, pieces)
    return pieces
  }

  /** A placement as pieces: one, or what a window shows. */
  #expand(placed: Placed, depth: number): Piece[] {
    const { device, region, base, length, offset, mode } = placed
    assert(mode !== 'off')
    const from = base
    const to = base + length
    if (device < 0) {
      const start = this.#layout.memoryBacking[region]
      assert(start !== undefined)
      return [{ from, to, mode, device, region, offset, backing: start + offset }]
    }
    const slot = this.#layout.devices[device]
    const definition = slot?.regions[region]
    const start = slot?.backing[region]
    assert(definition !== undefined && start !== undefined)
    if (definition.kind === 'memory') return [{ from, to, mode, device, region, offset, backing: start + offset }]
    if (definition.kind === 'registers') return [{ from, to, mode: 'registers', device, region, offset, backing: -1 }]
    assert(definition.kind === 'window')
    return this.#flatten(definition.space, depth + 1)
      .filter((piece) => piece.to > offset && piece.from < offset + length)
      .map((piece) =>
        moved(cut(piece, Math.max(piece.from, offset), Math.min(piece.to, offset + length)), base - offset),
      )
  }

  #tell(): void {
    if (this.#listener === undefined) return
    const pages = pagesOf(this.#flatten(MEMORY_SPACE, 0))
    const { gone, come } = comparePages(this.#pages, pages)
    this.#pages = pages
    for (const { base, length } of gone) this.#listener.unmapMemory(base, length)
    for (const { base, length, backing, mode } of come) this.#listener.mapMemory(base, length, backing, mode)
  }
}

function byNumber(a: Placed, b: Placed): number {
  return a.device - b.device || a.region - b.region || (a.space < b.space ? -1 : a.space > b.space ? 1 : 0)
}

function cut(piece: Piece, from: number, to: number): Piece {
  const skipped = from - piece.from
  const backing = piece.backing < 0 ? -1 : piece.backing + skipped
  return { ...piece, from, to, offset: piece.offset + skipped, backing }
}

function moved(piece: Piece, by: number): Piece {
  return { ...piece, from: piece.from + by, to: piece.to + by }
}

/** Lays `piece` over sorted `pieces`. */
function paint(pieces: readonly Piece[], piece: Piece): Piece[] {
  if (piece.from >= piece.to) return [...pieces]
  const painted: Piece[] = []
  for (const under of pieces) {
    if (under.from < piece.from) painted.push(cut(under, under.from, Math.min(under.to, piece.from)))
    if (under.to > piece.to) painted.push(cut(under, Math.max(under.from, piece.to), under.to))
  }
  painted.push({ ...piece })
  return painted.sort((a, b) => a.from - b.from)
}

/** The whole pages that lie in one memory piece whose backing is page-aligned too. Neighbours are joined. */
function pagesOf(pieces: readonly Piece[]): Pages[] {
  const joined: Piece[] = []
  for (const piece of pieces) {
    const last = joined.at(-1)
    if (last !== undefined && follows(last, piece)) last.to = piece.to
    else joined.push({ ...piece })
  }
  const pages: Pages[] = []
  for (const { from, to, mode, backing } of joined) {
    if (mode === 'registers' || backing < 0) continue
    const base = Math.ceil(from / PAGE_BYTES) * PAGE_BYTES
    const end = Math.floor(to / PAGE_BYTES) * PAGE_BYTES
    const start = backing + base - from
    if (end > base && start % PAGE_BYTES === 0) pages.push({ base, length: end - base, backing: start, mode })
  }
  return pages
}

/** Whether `next` goes on where `last` ends, in address and backing, with writes treated alike. */
function follows(last: Piece, next: Piece): boolean {
  const adjacent = next.from === last.to && next.mode === last.mode && last.backing >= 0 && next.mode !== 'registers'
  return adjacent && next.backing === last.backing + (last.to - last.from)
}

/** What went and what came, cut at every border so that pages which stay as they are are in neither. */
function comparePages(before: readonly Pages[], after: readonly Pages[]): { gone: Pages[]; come: Pages[] } {
  const borders = [...before, ...after].flatMap(({ base, length }) => [base, base + length])
  const sorted = [...new Set(borders)].sort((a, b) => a - b)
  const gone: Pages[] = []
  const come: Pages[] = []
  for (const [index, from] of sorted.entries()) {
    const to = sorted[index + 1]
    if (to === undefined) break
    const old = pagesAt(before, from, to)
    const now = pagesAt(after, from, to)
    if (old?.backing === now?.backing && old?.mode === now?.mode) continue
    if (old !== undefined) extend(gone, old)
    if (now !== undefined) extend(come, now)
  }
  return { gone, come }
}

function pagesAt(pages: readonly Pages[], from: number, to: number): Pages | undefined {
  const found = pages.find(({ base, length }) => base <= from && to <= base + length)
  return found && { base: from, length: to - from, backing: found.backing + from - found.base, mode: found.mode }
}

function extend(pages: Pages[], next: Pages): void {
  const last = pages.at(-1)
  const joins = last && last.base + last.length === next.base && last.backing + last.length === next.backing
  if (last && joins && last.mode === next.mode) last.length += next.length
  else pages.push(next)
}

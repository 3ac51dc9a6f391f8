/**
 * The second look at an access of translated code, in the module that all of it shares:
 *
 *     load(address, kind, context, left) -> 1 with the value in `slowValue`, or 0: the interpreter is to do it
 *       if the soft TLB has the page for reads: load from memory
 *       else if the port cell cache has the load, its time has not come and its index stands: the cell's value
 *       else: slowLoad(address, kind, context, left)
 *
 *     store(address, value, kind, context, left) -> 1, or 0: the interpreter is to do it
 *       if the soft TLB has the page for writes, with or without code: unless the chunk has code, store to memory
 *       else if the port cell cache has the store: words[cell.place] = value & cell.mask, or 0 where it is a message
 *       else: slowStore(address, value, kind, context, left)
 *
 * Code that uses a window of RAM comes here with its accesses outside it, without having looked at the soft TLB.
 */

import type { FixedAddresses } from '../isa/isa.ts'
import {
  BACKING_BASE,
  CHUNK_BYTES_SHIFT,
  CHUNK_SHIFT,
  PAGE_SHIFT,
  SCRATCH,
  SECOND_WAY_BASE,
  SOFT_TLB_BASE,
} from '../memory.ts'
import { PORT_CELL_CACHE } from '../port-cell-cache.ts'
import { HAS_CODE, SOFT_TLB_ENTRIES } from '../soft-tlb.ts'
import { FunctionBody, type Label, type Local } from '../wasm/function.ts'
import { DOWN, LOAD_SIGNATURE, SIGNED, STORE_SIGNATURE } from './layout.ts'

/** Offsets in a way of the soft TLB, and the ways in the order in which they are looked at. */
const READ_TAGS = 0
const WRITE_TAGS = 4 * SOFT_TLB_ENTRIES
const ADDENDS = 8 * SOFT_TLB_ENTRIES
const WAYS = [SOFT_TLB_BASE, SECOND_WAY_BASE]

/** `slowLoad`: the number of that function. */
export function slowAccessLoad(fixed: FixedAddresses, slowLoad: number): FunctionBody {
  const f = new FunctionBody(LOAD_SIGNATURE.parameters)
  const address = f.parameter(0)
  const kind = f.parameter(1)
  const context = f.parameter(2)
  const left = f.parameter(3)
  storeLeft(f, left)
  const slow = f.block()
  const aligned = alignOrLeave(f, address, kind, slow)
  const tlbEntry = tlbEntryOf(f, aligned)
  const byte = f.local('i32')
  for (const way of WAYS) loadInWay(f, way, { aligned, context, tlbEntry, byte, kind, brings: false })
  const entry = findCell(f, PORT_CELL_CACHE.loads, { address, kind, context }, fixed, slow)
  // left > cell.left: its time has not come
  f.get(entry)
  f.memory('i32.load', PORT_CELL_CACHE.loads + PORT_CELL_CACHE.left)
  f.i32(0)
  f.memory('i32.load', SCRATCH.left)
  f.op('i32.lt_s')
  f.op('i32.eqz')
  f.brIf(slow)
  // words[cell.place] == cell.index
  f.get(entry)
  f.memory('i32.load', PORT_CELL_CACHE.loads + PORT_CELL_CACHE.place)
  f.memory('i32.load', 0)
  f.get(entry)
  f.memory('i32.load', PORT_CELL_CACHE.loads + PORT_CELL_CACHE.index)
  f.op('i32.ne')
  f.brIf(slow)
  emitCellsLeft(f, entry)
  f.i32(0)
  f.get(entry)
  f.memory('i32.load', PORT_CELL_CACHE.loads + PORT_CELL_CACHE.value)
  f.memory('i32.store', SCRATCH.slowValue)
  returnDone(f)
  f.end(slow)
  f.get(address)
  f.get(kind)
  f.get(context)
  f.get(left)
  f.call(slowLoad)
  return f
}

/** cellsLeft = max(cellsLeft, cell.left) */
function emitCellsLeft(f: FunctionBody, entry: Local): void {
  const cellLeft = f.local('i32')
  const cellsLeft = f.local('i32')
  f.i32(0)
  f.i32(0)
  f.memory('i32.load', SCRATCH.cellsLeft)
  f.tee(cellsLeft)
  f.get(entry)
  f.memory('i32.load', PORT_CELL_CACHE.loads + PORT_CELL_CACHE.left)
  f.tee(cellLeft)
  f.get(cellLeft)
  f.get(cellsLeft)
  f.op('i32.lt_s')
  f.op('select')
  f.memory('i32.store', SCRATCH.cellsLeft)
}

/** `slowStore`: the number of that function. */
export function slowAccessStore(chunkBase: number, fixed: FixedAddresses, slowStore: number): FunctionBody {
  const f = new FunctionBody(STORE_SIGNATURE.parameters)
  const address = f.parameter(0)
  const value = f.parameter(1)
  const kind = f.parameter(2)
  const context = f.parameter(3)
  const left = f.parameter(4)
  storeLeft(f, left)
  const slow = f.block()
  const aligned = alignOrLeave(f, address, kind, slow)
  const tlbEntry = tlbEntryOf(f, aligned)
  const byte = f.local('i32')
  for (const way of WAYS)
    storeInWay(f, way, { aligned, context, tlbEntry, byte, kind, value, brings: false }, chunkBase, slow)
  const entry = findCell(f, PORT_CELL_CACHE.stores, { address, kind, context }, fixed, slow)
  const place = f.local('i32')
  f.get(entry)
  f.memory('i32.load', PORT_CELL_CACHE.stores + PORT_CELL_CACHE.place)
  f.tee(place)
  f.op('i32.eqz')
  const isMessage = f.if()
  f.i32(0)
  f.op('return')
  f.end(isMessage)
  f.get(place)
  f.get(value)
  f.get(entry)
  f.memory('i32.load', PORT_CELL_CACHE.stores + PORT_CELL_CACHE.mask)
  f.op('i32.and')
  f.memory('i32.store', 0)
  returnDone(f)
  f.end(slow)
  f.get(address)
  f.get(value)
  f.get(kind)
  f.get(context)
  f.get(left)
  f.call(slowStore)
  return f
}

interface InWay {
  aligned: Local
  context: Local
  tlbEntry: Local
  byte: Local
  kind: Local
  /** What is found in the second way changes places with what is in the first. */
  brings: boolean
}

/** Does a load that a way of the soft TLB has the page of. */
export function loadInWay(
  f: FunctionBody,
  way: number,
  { aligned, context, tlbEntry, byte, kind, brings }: InWay,
): void {
  const miss = f.block()
  f.get(tlbEntry)
  f.memory('i32.load', way + READ_TAGS)
  pushTag(f, aligned, context)
  f.op('i32.ne')
  f.brIf(miss)
  setHostByte(f, byte, aligned, way, tlbEntry)
  if (brings) changeWays(f, tlbEntry)
  loadFromMemory(f, byte, kind)
  f.end(miss)
}

/** The same for a store; `slow` where it is to code. */
export function storeInWay(
  f: FunctionBody,
  way: number,
  { aligned, context, tlbEntry, byte, kind, value, brings }: InWay & { value: Local },
  chunkBase: number,
  slow: Label,
): void {
  const miss = f.block()
  // (tag | HAS_CODE) != (page | context | HAS_CODE)
  f.get(tlbEntry)
  f.memory('i32.load', way + WRITE_TAGS)
  f.i32(HAS_CODE)
  f.op('i32.or')
  pushTag(f, aligned, context)
  f.i32(HAS_CODE)
  f.op('i32.or')
  f.op('i32.ne')
  f.brIf(miss)
  setHostByte(f, byte, aligned, way, tlbEntry)
  pushIsCode(f, byte, chunkBase)
  f.brIf(slow)
  if (brings) changeWays(f, tlbEntry)
  storeToMemory(f, byte, value, kind)
  f.i32(0)
  f.i32(1)
  f.memory('i32.store', SCRATCH.touched)
  returnDone(f)
  f.end(miss)
}

function changeWays(f: FunctionBody, tlbEntry: Local): void {
  const word = f.local('i32')
  for (const part of [READ_TAGS, WRITE_TAGS, ADDENDS]) {
    f.get(tlbEntry)
    f.memory('i32.load', SECOND_WAY_BASE + part)
    f.set(word)
    f.get(tlbEntry)
    f.get(tlbEntry)
    f.memory('i32.load', SOFT_TLB_BASE + part)
    f.memory('i32.store', SECOND_WAY_BASE + part)
    f.get(tlbEntry)
    f.get(word)
    f.memory('i32.store', SOFT_TLB_BASE + part)
  }
}

/** What JavaScript and the cells know the icount by. */
function storeLeft(f: FunctionBody, left: Local): void {
  f.i32(0)
  f.get(left)
  f.memory('i32.store', SCRATCH.left)
}

/** aligned = kind & DOWN ? address & -4 : address. Goes to `slow` if `aligned` is not aligned. */
export function alignOrLeave(f: FunctionBody, address: Local, kind: Local, slow: Label): Local {
  const aligned = f.local('i32')
  f.get(address)
  f.i32(-4)
  f.op('i32.and')
  f.get(address)
  f.get(kind)
  f.i32(DOWN)
  f.op('i32.and')
  f.op('select')
  f.tee(aligned)
  // bytes - 1, of the kind's width in bits
  f.get(kind)
  f.i32(0xff)
  f.op('i32.and')
  f.i32(3)
  f.op('i32.shr_u')
  f.i32(1)
  f.op('i32.sub')
  f.op('i32.and')
  f.brIf(slow)
  return aligned
}

/** Byte offset of the tags of the page of `aligned`. */
export function tlbEntryOf(f: FunctionBody, aligned: Local): Local {
  const tlbEntry = f.local('i32')
  f.get(aligned)
  f.i32(PAGE_SHIFT - 2)
  f.op('i32.shr_u')
  f.i32((SOFT_TLB_ENTRIES - 1) << 2)
  f.op('i32.and')
  f.set(tlbEntry)
  return tlbEntry
}

/** Pushes the read tag of the page of `aligned`. */
function pushTag(f: FunctionBody, aligned: Local, context: Local): void {
  f.get(aligned)
  f.i32(~0xfff)
  f.op('i32.and')
  f.get(context)
  f.op('i32.or')
}

/** byte = where `aligned` is in CPU memory */
function setHostByte(f: FunctionBody, byte: Local, aligned: Local, way: number, tlbEntry: Local): void {
  f.get(tlbEntry)
  f.memory('i32.load', way + ADDENDS)
  f.get(aligned)
  f.op('i32.add')
  f.set(byte)
}

/** Pushes whether code was made from the chunk of `byte`. */
function pushIsCode(f: FunctionBody, byte: Local, chunkBase: number): void {
  f.get(byte)
  // The word of the chunk's bit: two words a page.
  f.i32(BACKING_BASE)
  f.op('i32.sub')
  f.i32(CHUNK_BYTES_SHIFT)
  f.op('i32.shr_u')
  f.i32(-4)
  f.op('i32.and')
  f.memory('i32.load', chunkBase)
  f.get(byte)
  f.i32(CHUNK_SHIFT)
  f.op('i32.shr_u')
  f.op('i32.shr_u')
  f.i32(1)
  f.op('i32.and')
}

/** slowValue = what is at `byte`, by the kind's width and sign; returns 1. */
export function loadFromMemory(f: FunctionBody, byte: Local, kind: Local): void {
  const word = f.block()
  const narrow = f.block()
  for (const [bits, extended] of [
    [32, undefined],
    [8 | SIGNED, 'i32.load8_s'],
    [8, 'i32.load8_u'],
    [16 | SIGNED, 'i32.load16_s'],
    [16, 'i32.load16_u'],
  ] as const) {
    f.get(kind)
    f.i32(0xff | (extended === undefined ? 0 : SIGNED))
    f.op('i32.and')
    f.i32(bits)
    f.op('i32.eq')
    if (extended === undefined) {
      f.brIf(word, true)
      continue
    }
    const fits = f.if()
    f.i32(0)
    f.get(byte)
    f.memory(extended, 0)
    f.memory('i32.store', SCRATCH.slowValue)
    f.br(narrow)
    f.end(fits)
  }
  f.i32(0)
  f.get(byte)
  f.memory('i64.load', 0)
  f.memory('i64.store', SCRATCH.slowValue)
  f.end(narrow)
  returnDone(f)
  f.end(word)
  f.i32(0)
  f.get(byte)
  f.memory('i32.load', 0)
  f.memory('i32.store', SCRATCH.slowValue)
  returnDone(f)
}

/** memory[byte] = value, of the kind's width. */
export function storeToMemory(f: FunctionBody, byte: Local, value: Local, kind: Local): void {
  const done = f.block()
  for (const width of [8, 16] as const) {
    f.get(kind)
    f.i32(width)
    f.op('i32.and')
    const narrow = f.if()
    f.get(byte)
    f.get(value)
    f.memory(`i32.store${width}`, 0)
    f.br(done)
    f.end(narrow)
  }
  f.get(byte)
  f.get(value)
  f.memory('i32.store', 0)
  f.end(done)
}

/** entry = offset in `table` of the cell of such an access; goes to `slow` if it has none. */
function findCell(
  f: FunctionBody,
  table: number,
  access: { address: Local; kind: Local; context: Local },
  { contextMask }: FixedAddresses,
  slow: Label,
): Local {
  const entry = f.local('i32')
  f.get(access.address)
  f.i32(PORT_CELL_CACHE.entryMask)
  f.op('i32.and')
  f.i32(PORT_CELL_CACHE.entryShift)
  f.op('i32.shl')
  f.tee(entry)
  f.memory('i32.load', table + PORT_CELL_CACHE.address)
  f.get(access.address)
  f.op('i32.ne')
  f.brIf(slow)
  f.get(entry)
  f.memory('i32.load', table + PORT_CELL_CACHE.tag)
  f.get(access.kind)
  f.get(access.context)
  f.i32(contextMask)
  f.op('i32.and')
  f.i32(PORT_CELL_CACHE.contextShift)
  f.op('i32.shl')
  f.op('i32.or')
  f.op('i32.ne')
  f.brIf(slow)
  return entry
}

function returnDone(f: FunctionBody): void {
  f.i32(1)
  f.op('return')
}

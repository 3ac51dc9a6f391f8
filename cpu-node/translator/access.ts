/**
 * Guest loads and stores in WebAssembly: the fast way inline. What misses it is left to the interpreter: a call in each place,
 * and what is to be kept over it, is most of what V8 has to compile. Where misses are many, that access calls (`byCall`).
 *
 * Code that may use a window of RAM compares the address with its bounds. A store must besides find the page's flags
 * free to write: dirty already, and without code. Other code looks the page up in the soft TLB.
 */
import assert from 'node:assert/strict'
import type { InlineRam } from '../isa/inline-call.ts'
import { BACKING_BASE, FREE_TO_WRITE, PAGE_BYTES, PAGE_SHIFT, SOFT_TLB_BASE } from '../memory.ts'
import { SOFT_TLB_ENTRIES } from '../soft-tlb.ts'
import type { FunctionBody, Label, Local, ValueType } from '../wasm/function.ts'
import type { AccessGroup, Load, Store } from './access-groups.ts'
import { DOWN, FOR_WRITE, Import, type Layout, SIGNED, type Window } from './layout.ts'

const TOP_BIT = 0x8000_0000 | 0

/** What looking a page up takes. */
export interface LookUp {
  f: FunctionBody
  context: Local
  /** A fresh local. */
  local(type: ValueType): Local
  /** Pushes the operation's address without its displacement. */
  pushAddress(): void
}

/** What RAM is used with, at an address that is given. */
export type RamSite = Pick<LookUp, 'f' | 'context' | 'local'>

/** Where an access stands. */
export interface Site extends LookUp {
  layout: Layout
  window: Window | undefined
  /** Pushes the value to be stored. */
  pushValue(): void
  /** Pushes the instructions that are left before the limit. */
  pushLeft(): void
  /** What misses the fast way is done by a call. */
  byCall: boolean
  /** Leaves for the interpreter to do the instruction at hand: an access that missed the fast way. */
  leaveMissed(): void
  /** The same for any other reason. */
  leaveBefore(): void
  /** Memory was stored to. */
  stored(): void
}

/** Leaves the loaded value on the stack. */
export function emitLoad(site: Site, op: Load): void {
  const { f } = site
  if (site.window !== undefined) {
    const { host } = site.window
    const { offset, wanted } = pushWindowOffset(site, op, site.window)
    f.op('i32.eqz')
    const load = () => {
      f.get(offset)
      emitPlainLoad(f, op, host)
    }
    emitUnlessMissed(site, op, load, () => pushWanted(site, wanted))
    return
  }
  const { address, entry, wanted } = pushLookUp(site, op, false)
  const load = () => {
    pushHost(f, address, entry)
    emitPlainLoad(f, op, 0)
  }
  emitUnlessMissed(site, op, load, () => f.get(wanted))
}

/** Whether the fast way is missed is on the stack. */
function emitUnlessMissed(site: Site, op: Load, load: () => void, pushAddress: () => void): void {
  const { f } = site
  if (site.byCall) {
    const missed = f.if(op.type, false)
    emitSlowLoad(site, op, pushAddress)
    f.else()
    load()
    f.end(missed)
    return
  }
  const missed = f.if(undefined, false)
  site.leaveMissed()
  f.end(missed)
  load()
}

export function emitStore(site: Site, op: Store): void {
  const { f, window, layout } = site
  const value = site.local(op.width === 64 ? 'i64' : 'i32')
  site.pushValue()
  f.set(value)
  const done = f.block()
  const slow = f.block()
  let pushSlowAddress: () => void
  if (window !== undefined) {
    const { offset, wanted } = pushWindowOffset(site, op, window)
    f.op('i32.eqz')
    f.brIf(slow, false)
    pushTakesMoreThanStore(f, layout, window.page, () => f.get(offset))
    f.brIf(slow, false)
    f.get(offset)
    f.get(value)
    emitPlainStore(f, op, window.host)
    pushSlowAddress = () => pushWanted(site, wanted)
  } else {
    const { address, entry, wanted } = pushLookUp(site, op, true)
    f.brIf(slow, false)
    pushHost(f, address, entry)
    f.get(value)
    emitPlainStore(f, op, 0)
    pushSlowAddress = () => f.get(wanted)
  }
  site.stored()
  f.br(done)
  f.end(slow)
  // 64 bits are rare enough to leave to the interpreter.
  if (op.width === 64) site.leaveBefore()
  else if (!site.byCall) site.leaveMissed()
  else {
    pushSlowAddress()
    f.get(value)
    callOrLeave(site, op, Import.store)
  }
  f.end(done)
}

/** RAM as the usual case of a helper uses it. `slow`: where the case is left to the helper. */
export function inlineRam(site: RamSite, layout: Layout, window: Window | undefined, slow: Label): InlineRam {
  return window === undefined ? pagedRam(site, layout, slow) : windowRam(site, layout, window, slow)
}

function windowRam({ f, local }: RamSite, layout: Layout, window: Window, slow: Label): InlineRam {
  const { bytes, host, page } = window
  const distanceOf = (address: Local): Local => {
    const distance = local('i32')
    f.get(address)
    f.i32(-window.address | 0)
    f.op(window.address === TOP_BIT ? 'i32.xor' : 'i32.add')
    f.tee(distance)
    if (isPowerOf2(bytes)) f.i32(-bytes | 3)
    else {
      f.i32(bytes)
      f.op('i32.ge_u')
      f.get(distance)
      f.i32(3)
    }
    f.op('i32.and')
    if (!isPowerOf2(bytes)) f.op('i32.or')
    f.brIf(slow, false)
    return distance
  }
  return {
    pushWord(address) {
      f.get(distanceOf(address))
      f.memory('i32.load', host)
    },
    putWord(address, value) {
      const distance = distanceOf(address)
      pushTakesMoreThanStore(f, layout, page, () => f.get(distance))
      f.brIf(slow, false)
      f.get(distance)
      f.get(value)
      f.memory('i32.store', host)
    },
    pushPhysical(address) {
      f.get(address)
      f.i32((window.physical - window.address) | 0)
      f.op('i32.add')
    },
  }
}

/** What the soft TLB leads to. */
function pagedRam(site: RamSite, { frameBase }: Layout, slow: Label): InlineRam {
  const { f } = site
  /** Where the word is that was pushed last. */
  let host: Local | undefined
  const pushHostOf = (address: Local, write: boolean) => {
    f.get(address)
    const entry = pushTagDiffers(site, { width: 32 }, write, address)
    f.brIf(slow, false)
    pushHost(f, address, entry)
  }
  return {
    pushWord(address) {
      pushHostOf(address, false)
      host = site.local('i32')
      f.tee(host)
      f.memory('i32.load', 0)
    },
    putWord(address, value) {
      pushHostOf(address, true)
      f.get(value)
      f.memory('i32.store', 0)
    },
    pushPhysical(address) {
      assert(host !== undefined, 'the word was pushed')
      const frame = site.local('i32')
      f.get(host)
      f.i32(BACKING_BASE)
      f.op('i32.sub')
      f.i32(PAGE_SHIFT)
      f.op('i32.shr_u')
      f.i32(2)
      f.op('i32.shl')
      f.memory('i32.load', frameBase)
      f.tee(frame)
      f.i32(0)
      f.op('i32.le_s')
      f.brIf(slow, false)
      f.get(frame)
      f.i32(1)
      f.op('i32.sub')
      f.i32(PAGE_SHIFT)
      f.op('i32.shl')
      f.get(address)
      f.i32(PAGE_BYTES - 1)
      f.op('i32.and')
      f.op('i32.or')
    },
  }
}

/** Pushes whether the page at an offset of the window, whose first is `page`, is not free to write. */
function pushTakesMoreThanStore(f: FunctionBody, layout: Layout, page: number, pushOffset: () => void): void {
  pushOffset()
  f.i32(PAGE_SHIFT)
  f.op('i32.shr_u')
  f.memory('i32.load8_u', layout.flagBase + page)
  f.i32(FREE_TO_WRITE)
  f.op('i32.ne')
}

/** Looks up what `group` shares, for its first access `op`, which leaves for the interpreter where that misses the fast way. */
export function emitGroupLookUp(site: Site, op: Load | Store, group: AccessGroup): void {
  const { f } = site
  const place = site.local('i32')
  const found = f.block()
  const missed = f.block()
  if (site.window !== undefined) emitGroupInWindow(site, site.window, group, place, missed)
  else emitGroupInPage(site, op, group, place, missed)
  f.br(found)
  f.end(missed)
  site.leaveMissed()
  f.end(found)
  group.place = place
}

/** place = offset of the group in the window */
function emitGroupInWindow(site: Site, window: Window, group: AccessGroup, place: Local, missed: Label): void {
  const { f, layout } = site
  const { low, high, alignment, stored } = group
  // bytes - span < place
  f.i32(window.bytes - (high - low))
  site.pushAddress()
  f.i32((low - window.address) | 0)
  f.op('i32.add')
  f.tee(place)
  f.op('i32.lt_u')
  f.brIf(missed, false)
  if (alignment > 1) {
    site.pushAddress()
    f.i32(alignment - 1)
    f.op('i32.and')
    f.brIf(missed, false)
  }
  if (stored === undefined) return
  const ends = [stored.low - low, stored.high - 1 - low]
  for (const end of stored.high - stored.low > 4 ? ends : ends.slice(0, 1)) {
    pushTakesMoreThanStore(f, layout, window.page, () => {
      f.get(place)
      if (end === 0) return
      f.i32(end)
      f.op('i32.add')
    })
    f.brIf(missed, false)
  }
}

/** place = byte of the group in CPU memory */
function emitGroupInPage(site: Site, op: Load | Store, group: AccessGroup, place: Local, missed: Label): void {
  const { f } = site
  const { low, high, alignment, stored } = group
  // The base is aligned if the lowest address is.
  const lowest = { ...op, displacement: low, width: 8 * alignment } as Load | Store
  const { address, entry } = pushLookUp(site, lowest, stored !== undefined)
  f.brIf(missed, false)
  f.i32(PAGE_BYTES - (high - low))
  f.get(address)
  f.i32(PAGE_BYTES - 1)
  f.op('i32.and')
  f.op('i32.lt_u')
  f.brIf(missed, false)
  pushHost(f, address, entry)
  f.set(place)
}

/** Leaves the value on the stack. */
export function emitGroupedLoad({ f, window }: Site, op: Load, { place, low }: AccessGroup): void {
  f.get(place!)
  emitPlainLoad(f, op, (window?.host ?? 0) + op.displacement - low)
}

export function emitGroupedStore(site: Site, op: Store, { place, low }: AccessGroup): void {
  const { f, window } = site
  f.get(place!)
  site.pushValue()
  emitPlainStore(f, op, (window?.host ?? 0) + op.displacement - low)
  site.stored()
}

/** offset = address - the window's; pushes whether it is aligned and within. */
function pushWindowOffset(site: Site, op: Load | Store, window: Window): { offset: Local; wanted: Local } {
  const { f } = site
  const offset = site.local('i32')
  const alignmentBits = op.alignment === 'down' ? 0 : op.width / 8 - 1
  site.pushAddress()
  const distance = (op.displacement - window.address) | 0
  f.i32(distance)
  // The same for the top bit, but V8 would move an addition behind the mask, for two instructions more.
  f.op(distance === TOP_BIT ? 'i32.xor' : 'i32.add')
  let wanted = offset
  if (op.alignment === 'down') {
    // The slow path wants the bits that are dropped.
    wanted = site.local('i32')
    f.tee(wanted)
    f.i32(-op.width / 8)
    f.op('i32.and')
  }
  f.tee(offset)
  if (isPowerOf2(window.bytes)) {
    // One test for both. (A rotation does for any size, but V8's first compiler makes a call of it.)
    f.i32(-window.bytes | alignmentBits)
    f.op('i32.and')
    f.op('i32.eqz')
    return { offset, wanted }
  }
  f.i32(window.bytes)
  f.op('i32.lt_u')
  if (alignmentBits !== 0) {
    f.get(offset)
    f.i32(alignmentBits)
    f.op('i32.and')
    f.op('i32.eqz')
    f.op('i32.and')
  }
  return { offset, wanted }
}

const isPowerOf2 = (value: number): boolean => (value & (value - 1)) === 0

/** Pushes the guest address of an offset into the window. */
function pushWanted({ f, window }: Site, wanted: Local): void {
  f.get(wanted)
  f.i32(window!.address)
  f.op('i32.add')
}

/** address = base + displacement; entry = soft TLB entry of its page; pushes whether the tag does not fit. */
export function pushLookUp(
  site: LookUp,
  op: Load | Store,
  write: boolean,
): { address: Local; entry: Local; wanted: Local } {
  const places = pushAddress(site, op)
  return { ...places, entry: pushTagDiffers(site, op, write, places.address) }
}

/** address = base + displacement, without the bits that are dropped; pushes it. */
export function pushAddress(site: LookUp, op: Load | Store): { address: Local; wanted: Local } {
  const { f } = site
  const wanted = site.local('i32')
  const down = op.alignment === 'down'
  const address = down ? site.local('i32') : wanted
  site.pushAddress()
  if (op.displacement !== 0) {
    f.i32(op.displacement)
    f.op('i32.add')
  }
  f.tee(wanted)
  if (down) {
    f.i32(-op.width / 8)
    f.op('i32.and')
    f.tee(address)
  }
  return { address, wanted }
}

/** entry = soft TLB entry of `address`, which is on the stack; pushes whether the tag does not fit. */
export function pushTagDiffers(site: RamSite, op: Pick<Load | Store, 'width'>, write: boolean, address: Local): Local {
  const { f } = site
  const entry = site.local('i32')
  f.i32(PAGE_SHIFT - 2)
  f.op('i32.shr_u')
  f.i32((SOFT_TLB_ENTRIES - 1) << 2)
  f.op('i32.and')
  f.tee(entry)
  f.memory('i32.load', SOFT_TLB_BASE + (write ? 4 * SOFT_TLB_ENTRIES : 0))
  f.get(address)
  f.i32(~0xfff | (Math.min(op.width, 32) / 8 - 1))
  f.op('i32.and')
  f.get(site.context)
  f.op('i32.or')
  f.op('i32.ne')
  if (op.width === 64) {
    f.get(address)
    f.i32(4)
    f.op('i32.and')
    f.op('i32.or')
  }
  return entry
}

/** Pushes the byte address in CPU memory. */
export function pushHost(f: FunctionBody, address: Local, entry: Local): void {
  f.get(entry)
  f.memory('i32.load', SOFT_TLB_BASE + 8 * SOFT_TLB_ENTRIES)
  f.get(address)
  f.op('i32.add')
}

export function emitPlainLoad(f: FunctionBody, op: Load, offset: number): void {
  if (op.width === 64) f.memory('i64.load', offset)
  else if (op.width === 32) f.memory('i32.load', offset)
  else f.memory(`i32.load${op.width}_${op.signed ? 's' : 'u'}`, offset)
}

export function emitPlainStore(f: FunctionBody, op: Store, offset: number): void {
  if (op.width === 64) f.memory('i64.store', offset)
  else f.memory(op.width === 32 ? 'i32.store' : `i32.store${op.width}`, offset)
}

function emitSlowLoad(site: Site, op: Load, pushAddress: () => void): void {
  const { f } = site
  pushAddress()
  callOrLeave(site, op, Import.load)
  f.i32(0)
  f.memory(op.type === 'i64' ? 'i64.load' : 'i32.load', site.layout.slowValue)
}

/** Calls the slow load or store whose address, and value, are pushed; leaves where the interpreter is to do it. */
function callOrLeave(site: Site, op: Load | Store, slow: number): void {
  const { f } = site
  f.i32(accessKind(op))
  f.get(site.context)
  site.pushLeft()
  f.call(slow)
  f.op('i32.eqz')
  const failed = f.if(undefined, false)
  site.leaveBefore()
  f.end(failed)
}

export function accessKind(op: Load | Store): number {
  const kind = op.width | (op.alignment === 'down' ? DOWN : 0)
  return op.op === 'store' ? kind : kind | (op.signed ? SIGNED : 0) | (op.forWrite ? FOR_WRITE : 0)
}

/**
 * The CPU node's end of the bus: from physical accesses to messages.
 *
 * It works the same in a live run and a `cpu` replay, which differ only in the `Exchange` behind it. It holds the
 * address map, the index registers of index/data pairs, and the kept answers of polled registers; all of it is CPU node
 * state.
 *
 * Rules, all of them visible in a journal:
 * - An access is cut into naturally aligned parts that lie in one region and are no wider than it wants, lowest address
 *   first. A bus error in any part makes the whole access one; parts before it have happened.
 * - A part narrower than the region's `minBytes` becomes an access of that width at the aligned offset around it: a read
 *   takes its bytes from the answer, a write puts them in their lanes and zeros in the others.
 * - In a `little` region the byte at the lowest address is the least significant; in a `native` region the lowest
 *   address is at the CPU's own end.
 * - A part that is exactly an index register is served here. Any other part that touches one is a message.
 * - A kept answer (at most one a device) is repeated until its time or the device's next message.
 * - Memory reached through here (part of a page, or the writes of a ROM) is read and written without messages, but
 *   writes to a device's memory mapped as `rom` are `write` messages, and those to a board's ROM are lost.
 */
import assert from 'node:assert/strict'
import { AddressMap, type Piece, type SavedPlacement } from './address-map.ts'
import { MEMORY_SPACE } from './board.ts'
import type { Clock } from './clock.ts'
import { BUS_ERROR, type Cpu, type CpuPort, PORT_WORDS, type PortCell } from './cpu.ts'
import { type RegisterRegion, StateError } from './device.ts'
import type { DeviceSlot, Layout } from './layout.ts'
import {
  type AccessSize,
  type Data,
  type DmaCopy,
  type MapRegion,
  type Read,
  SYSTEM_MEMORY,
  type Vt,
  type Write,
} from './message.ts'
import type { Storage } from './storage.ts'

/** Takes an access to its device, and returns the value of a `read` when all effects have taken place. */
export type Exchange = (device: DeviceSlot, payload: Read | Write) => number

/** The named state of a CPU side. */
export interface CpuSideState {
  placements: SavedPlacement[]
  /** The CPU's interrupt inputs that are at 1. */
  lines: number[]
  /** Index registers that do not hold their initial value, by `device.region`. */
  indexes: Record<string, number>
  kept: { device: string; region: number; offset: number; size: number; index: number; value: number; until: Vt }[]
}

interface IndexRegister {
  name: string
  device: number
  initial: number
  mask: number
  /** Which of `Cpu.portWords` has its value. */
  word: number
}

/** The one answer kept of a device. `until` 0: none. `index` is -1 for plain registers. */
interface Kept {
  region: number
  offset: number
  size: number
  index: number
  value: number
  until: Vt
}

/** Where an aligned part of an access leads, resolved once. */
interface Target {
  address: number
  bytes: number
  kind: 'registers' | 'index' | 'memory' | 'open' | 'nothing'
  device: number
  region: number
  /** Of the access that the device sees. */
  offset: number
  size: AccessSize
  /** Bits to the right of the part within the answer, for a widened part. */
  laneShift: number
  swap: boolean
  backing: number
  isRom: boolean
  /** Set for data registers (their index travels along) and index registers. */
  index: IndexRegister | undefined
}

/** Recently used targets, direct-mapped by address and width. */
const TARGET_SLOTS = 256
/** Of what is copied out of a disk at a time. */
const COPY_BYTES = 64 * 1024

export class CpuSide implements CpuPort {
  readonly map: AddressMap
  /** See `CpuPort`; the bus or the replay moves it. */
  limit = 0
  readonly #layout: Layout
  readonly #clock: Clock
  readonly #cpu: Cpu
  readonly #storages: readonly Storage[]
  readonly #exchange: Exchange
  readonly #bigEndian: boolean
  readonly #kept: Kept[]
  /** The levels of the CPU's hardware interrupt inputs that were ever driven. */
  readonly #levels = new Map<number, 0 | 1>()
  readonly #indexes = new Map<string, IndexRegister>()
  readonly #targets: (Target | undefined)[] = new Array(TARGET_SLOTS).fill(undefined)
  readonly #copied = new Uint8Array(COPY_BYTES)
  #generation = 0

  constructor(layout: Layout, clock: Clock, cpu: Cpu, storages: readonly Storage[], exchange: Exchange) {
    this.#layout = layout
    this.#clock = clock
    this.#cpu = cpu
    this.#storages = storages
    this.#exchange = exchange
    this.#bigEndian = layout.board.cpu.endian === 'big'
    this.#kept = layout.devices.map(() => ({ region: 0, offset: 0, size: 0, index: -1, value: 0, until: 0 }))
    for (const { name, number, regions } of layout.devices) {
      for (const region of regions) {
        if (region.kind !== 'registers' || region.indexed === undefined) continue
        const { initial, mask } = region.indexed.index
        const key = `${name}.${region.name}`
        const word = this.#indexes.size
        assert(word < PORT_WORDS, 'a board has no more index registers than the CPU has words for')
        this.#indexes.set(key, { name: key, device: number, initial, mask, word })
        cpu.portWords[word] = initial
      }
    }
    this.map = new AddressMap(layout)
    this.map.listen(cpu)
  }

  read(address: number, size: AccessSize): number {
    const target = this.#target(address, size)
    if (target !== undefined && target.bytes === size) return this.#readPart(target)
    return this.#readSplit(address, size)
  }

  write(address: number, size: AccessSize, value: number): boolean {
    const target = this.#target(address, size)
    if (target !== undefined && target.bytes === size) return this.#writePart(target, value)
    return this.#writeSplit(address, size, value)
  }

  cell(address: number, size: AccessSize): PortCell | undefined {
    const target = this.#target(address, size)
    if (target === undefined || target.bytes !== size) return undefined
    const { kind, index } = target
    if (kind === 'index' && index !== undefined) {
      // A part of one, or one whose bytes are to be swapped, is more than a word and a mask.
      const isPlain = target.size === size && (size === 1 || !target.swap)
      return isPlain ? { kind: 'index', word: index.word, mask: index.mask } : undefined
    }
    if (kind !== 'registers' || !this.#isKept(target)) return undefined
    const kept = this.#keptOf(target)
    const value = fromDevice(target, kept.value)
    return { kind: 'kept', value, until: kept.until, word: index?.word ?? -1, index: kept.index | 0 }
  }

  /** A message is delivered to device number `device`: what was kept of it is void. */
  delivered(device: number): void {
    const kept = this.#kept[device]
    // Not `assert(...)`, which takes longer than what it looks at.
    if (kept === undefined) assert.fail('a device has a number')
    this.#void(kept)
  }

  /** Device number `device` is reset: so are its indexes. */
  resetIndexes(device: number): void {
    for (const register of this.#indexes.values())
      if (register.device === device) this.#setIndex(register, register.initial)
  }

  /** Device number `device` answered the CPU's `read`. */
  answered(device: number, read: Read, data: Data): void {
    const kept = this.#kept[device]
    if (kept === undefined) assert.fail('a device has a number')
    this.#void(kept)
    kept.region = read.region
    kept.offset = read.offset
    kept.size = read.size
    kept.index = read.index ?? -1
    kept.value = data.value
    kept.until = data.validUntil
  }

  /** Machine reset, after the CPU's: the board's map again, and the levels at the CPU's pins, which a reset leaves. */
  reset(): void {
    this.map.reset()
    this.#cpu.forgetPortCells()
    for (const [wire, level] of this.#levels) this.#cpu.setLine(wire, level)
  }

  /** Hardware interrupt input `wire` of the CPU is at `level`. */
  setLine(wire: number, level: 0 | 1): void {
    this.#levels.set(wire, level)
    this.#cpu.setLine(wire, level)
  }

  mapRegion(device: number, effect: MapRegion): void {
    this.map.map(device, effect)
    this.#cpu.forgetPortCells()
  }

  /** The bytes for a device's `dmaRead`, in a copy. What is not memory reads as 0. */
  dmaRead(device: number, target: number, address: number, length: number): Uint8Array {
    assert(Number.isSafeInteger(address) && address >= 0 && Number.isSafeInteger(length) && length >= 0)
    if (target !== SYSTEM_MEMORY) {
      const storage = this.#storage(device, target)
      if (storage !== undefined) {
        const bytes = new Uint8Array(length)
        storage.read(address, bytes)
        return bytes
      }
      return this.#cpu.readBacking(this.#ownMemory(device, target, address, length), length)
    }
    const backing = this.#memoryAt(address, length)
    if (backing !== undefined) return this.#cpu.readBacking(backing, length)
    const bytes = new Uint8Array(length)
    this.#eachPiece(address, length, (piece, at, count) => {
      if (piece.mode === 'registers') return
      bytes.set(this.#cpu.readBacking(piece.backing + at - piece.from, count), at - address)
    })
    return bytes
  }

  /** Carries out a device's `dmaWrite`. What is not RAM does not change. */
  dmaWrite(device: number, target: number, address: number, bytes: Uint8Array): void {
    assert(Number.isSafeInteger(address) && address >= 0)
    if (target !== SYSTEM_MEMORY) {
      const storage = this.#storage(device, target)
      if (storage !== undefined) storage.write(address, bytes)
      else this.#cpu.writeBacking(this.#ownMemory(device, target, address, bytes.length), bytes)
      return
    }
    this.#eachPiece(address, bytes.length, (piece, at, count) => {
      if (piece.mode !== 'ram') return
      this.#cpu.writeBacking(piece.backing + at - piece.from, bytes.subarray(at - address, at - address + count))
    })
  }

  /** Carries out a device's `dmaCopy`. */
  dmaCopy(device: number, { from, fromAddress, to, toAddress, length }: Omit<DmaCopy, 'kind'>): void {
    const [source, target] = [this.#storage(device, from), this.#storage(device, to)]
    if (source !== undefined && target === undefined) {
      // Through a buffer that is used again: memory that is new to the process costs more than a copy.
      for (let done = 0; done < length; done += COPY_BYTES) {
        const bytes = this.#copied.subarray(0, Math.min(COPY_BYTES, length - done))
        source.read(fromAddress + done, bytes)
        this.dmaWrite(device, to, toAddress + done, bytes)
      }
    } else if (source === undefined && target !== undefined && from === SYSTEM_MEMORY) {
      const backing = this.#memoryAt(fromAddress, length)
      const bytes = backing === undefined ? undefined : this.#cpu.viewBacking(backing, length)
      target.write(toAddress, bytes ?? this.dmaRead(device, from, fromAddress, length))
    } else this.dmaWrite(device, to, toAddress, this.dmaRead(device, from, fromAddress, length))
  }

  /** Where in backing memory `length` bytes from a physical address on are, if they are there end to end. */
  #memoryAt(address: number, length: number): number | undefined {
    const whole = this.map.pieces(MEMORY_SPACE).find(({ from, to }) => from <= address && address + length <= to)
    return whole === undefined || whole.mode === 'registers' ? undefined : whole.backing + address - whole.from
  }

  save(): CpuSideState {
    const indexes: Record<string, number> = {}
    for (const register of this.#indexes.values()) {
      const value = this.#indexOf(register)
      if (value !== register.initial) indexes[register.name] = value
    }
    const kept = this.#kept.flatMap(({ until, ...answer }, number) => {
      const device = this.#layout.devices[number]?.name
      return until === 0 || device === undefined ? [] : [{ device, ...answer, until }]
    })
    const lines = [...this.#levels].filter(([, level]) => level === 1).map(([wire]) => wire)
    return { placements: this.map.save(), lines: lines.sort((a, b) => a - b), indexes, kept }
  }

  /** Throws a `StateError` for what this board has not. */
  restore(state: CpuSideState): void {
    for (const name of Object.keys(state.indexes)) {
      if (!this.#indexes.has(name)) throw new StateError(`this board has no index register ${name}`)
    }
    this.map.restore(state.placements)
    this.#levels.clear()
    for (const wire of state.lines) this.#levels.set(wire, 1)
    for (const register of this.#indexes.values())
      this.#setIndex(register, state.indexes[register.name] ?? register.initial)
    this.#cpu.forgetPortCells()
    for (const kept of this.#kept) kept.until = 0
    for (const { device, ...answer } of state.kept) {
      const kept = this.#kept[this.#layout.byName.get(device)?.number ?? -1]
      if (kept === undefined) throw new StateError(`this board has no device ${device}`)
      Object.assign(kept, answer)
    }
  }

  #readPart(target: Target): number {
    switch (target.kind) {
      case 'registers':
        return this.#readRegister(target)
      case 'index':
        return fromDevice(target, target.index === undefined ? 0 : this.#indexOf(target.index))
      case 'memory':
        return fromBytes(this.#cpu.readBacking(target.backing, target.bytes), this.#bigEndian)
      case 'open':
        return 0
      case 'nothing':
        return BUS_ERROR
    }
  }

  /** The hot path: a polled register whose answer still stands costs no message and no allocation. */
  #readRegister(target: Target): number {
    if (this.#isKept(target)) return fromDevice(target, this.#keptOf(target).value)
    const { region, offset, size, index } = target
    const read: Read = { kind: 'read', region, offset, size }
    if (index !== undefined) read.index = this.#indexOf(index)
    return fromDevice(target, this.#exchange(this.#slot(target.device), read))
  }

  /** What an index register holds, unsigned. */
  #indexOf({ word }: IndexRegister): number {
    return (this.#cpu.portWords[word] as number) >>> 0
  }

  #setIndex({ word }: IndexRegister, value: number): void {
    this.#cpu.portWords[word] = value
  }

  /** Without an answer that stood the CPU has no cell of it. */
  #void(kept: Kept): void {
    if (kept.until === 0) return
    kept.until = 0
    this.#cpu.forgetKeptCells()
  }

  #keptOf(target: Target): Kept {
    return this.#kept[target.device] as Kept
  }

  /** Whether what was last read here still stands. */
  #isKept(target: Target): boolean {
    const kept = this.#keptOf(target)
    return (
      kept.until !== 0 &&
      kept.offset === target.offset &&
      kept.region === target.region &&
      kept.size === target.size &&
      kept.index === (target.index === undefined ? -1 : this.#indexOf(target.index)) &&
      this.#clock.vtAt(this.#cpu.icount) < kept.until
    )
  }

  #writePart(target: Target, value: number): boolean {
    switch (target.kind) {
      case 'registers': {
        const { region, offset, size, index } = target
        const write: Write = { kind: 'write', region, offset, size, value: toDevice(target, value) }
        if (index !== undefined) write.index = this.#indexOf(index)
        this.#exchange(this.#slot(target.device), write)
        return true
      }
      case 'index':
        if (target.index !== undefined) this.#setIndex(target.index, toDevice(target, value) & target.index.mask)
        return true
      case 'memory':
        if (!target.isRom) this.#cpu.writeBacking(target.backing, toBytes(value, target.bytes, this.#bigEndian))
        else if (target.device >= 0) {
          const { region, offset, size } = target
          this.#exchange(this.#slot(target.device), {
            kind: 'write',
            region,
            offset,
            size,
            value: toDevice(target, value),
          })
        }
        return true
      case 'open':
        return true
      case 'nothing':
        return false
    }
  }

  #readSplit(address: number, size: AccessSize): number {
    let value = 0
    for (let done = 0; done < size; ) {
      const target = this.#part(address + done, size - done)
      const part = this.#readPart(target)
      if (part === BUS_ERROR) return BUS_ERROR
      value += part * 2 ** this.#shift(done, target.bytes, size)
      done += target.bytes
    }
    return value
  }

  #writeSplit(address: number, size: AccessSize, value: number): boolean {
    for (let done = 0; done < size; ) {
      const target = this.#part(address + done, size - done)
      const part = Math.floor(value / 2 ** this.#shift(done, target.bytes, size)) % 2 ** (8 * target.bytes)
      if (!this.#writePart(target, part)) return false
      done += target.bytes
    }
    return true
  }

  /** Bits to the right of the part at `done` in an access of `size` bytes. */
  #shift(done: number, bytes: number, size: number): number {
    return 8 * (this.#bigEndian ? size - done - bytes : done)
  }

  /** The first part, of at most `bytes`, of what is left of an access. */
  #part(address: number, bytes: number): Target {
    const target = bytes >= 4 ? this.#target(address, 4) : bytes >= 2 ? this.#target(address, 2) : undefined
    const found = target ?? this.#target(address, 1)
    assert(found !== undefined, 'a single byte is always a part')
    return found
  }

  /** Where the widest first part of an access leads; `undefined` if its bytes do not share one region. */
  #target(address: number, size: AccessSize): Target | undefined {
    if (this.#generation !== this.map.generation) {
      this.#targets.fill(undefined)
      this.#generation = this.map.generation
    }
    const slot = (address ^ (address >>> 8) ^ (size << 6)) & (TARGET_SLOTS - 1)
    const known = this.#targets[slot]
    if (known !== undefined && known.address === address && known.bytes === size) return known
    const target = this.#resolve(address, size)
    if (target !== undefined && target.bytes === size) this.#targets[slot] = target
    return target
  }

  #resolve(address: number, size: AccessSize): Target | undefined {
    const piece = this.map.resolve(MEMORY_SPACE, address)
    if (piece === undefined) return this.#resolveNothing(address, size)
    if (address + size > piece.to) return size === 1 ? assert.fail() : this.#resolve(address, (size / 2) as AccessSize)
    const offset = piece.offset + address - piece.from
    const region = piece.device < 0 ? undefined : this.#layout.devices[piece.device]?.regions[piece.region]
    if (piece.mode !== 'registers') return this.#memoryTarget(address, size, piece, offset)
    assert(region !== undefined)
    if (region.kind === 'registers') return this.#registerTarget(address, size, piece, region, offset)
    const endian = 'little'
    return this.#registerTarget(
      address,
      size,
      piece,
      { kind: 'registers', name: region.name, size: region.size, endian },
      offset,
    )
  }

  #resolveNothing(address: number, size: AccessSize): Target | undefined {
    for (let byte = 1; byte < size; byte++) {
      if (this.map.resolve(MEMORY_SPACE, address + byte) !== undefined) return undefined
    }
    const { from, to } = this.#layout.board.openBus
    const kind = address >= from && address < to ? 'open' : 'nothing'
    return plainTarget(address, size, kind)
  }

  #memoryTarget(address: number, size: AccessSize, piece: Piece, offset: number): Target {
    let bytes: number = size
    while (piece.device >= 0 && piece.mode === 'rom' && offset % bytes !== 0) bytes /= 2
    return {
      ...plainTarget(address, bytes as AccessSize, 'memory'),
      device: piece.device,
      region: piece.region,
      offset,
      swap: this.#bigEndian,
      backing: piece.backing + address - piece.from,
      isRom: piece.mode === 'rom',
    }
  }

  #registerTarget(address: number, size: AccessSize, piece: Piece, region: RegisterRegion, offset: number): Target {
    let bytes = Math.min(size, region.maxBytes ?? 4)
    while (offset % bytes !== 0) bytes /= 2
    const seen = Math.max(bytes, region.minBytes ?? 1) as AccessSize
    const seenOffset = offset - (offset % seen)
    const lane = offset - seenOffset
    const isBig = region.endian === 'native' && this.#bigEndian
    const index = this.#indexFor(piece.device, region, seenOffset, seen)
    return {
      address,
      bytes,
      kind: index?.isIndex ? 'index' : 'registers',
      device: piece.device,
      region: piece.region,
      offset: seenOffset,
      size: seen,
      laneShift: 8 * (isBig ? seen - lane - bytes : lane),
      swap: this.#bigEndian && !isBig,
      backing: -1,
      isRom: false,
      index: index?.register,
    }
  }

  #indexFor(device: number, region: RegisterRegion, offset: number, size: number) {
    if (region.indexed === undefined) return undefined
    const { index, data } = region.indexed
    const isIndex = offset === index.offset && size === index.size
    if (!isIndex && (offset < data.offset || offset >= data.offset + data.size)) return undefined
    const register = this.#indexes.get(`${this.#slot(device).name}.${region.name}`)
    assert(register !== undefined)
    return { isIndex, register }
  }

  #slot(device: number): DeviceSlot {
    return this.#layout.devices[device] as DeviceSlot
  }

  #storage(device: number, region: number): Storage | undefined {
    return this.#storages[this.#layout.devices[device]?.storages[region] ?? -1]
  }

  /** The place in backing memory of `length` bytes of a device's own memory region. */
  #ownMemory(device: number, region: number, address: number, length: number): number {
    const slot = this.#layout.devices[device]
    const definition = slot?.regions[region]
    const backing = slot?.backing[region]
    assert(definition?.kind === 'memory' && backing !== undefined, `${slot?.name} has no memory region ${region}`)
    assert(address + length <= definition.size, `${slot?.name} goes beyond its ${definition.name} at ${address}`)
    return backing + address
  }

  #eachPiece(address: number, length: number, visit: (piece: Piece, at: number, count: number) => void): void {
    const end = address + length
    for (const piece of this.map.pieces(MEMORY_SPACE)) {
      const from = Math.max(piece.from, address)
      const to = Math.min(piece.to, end)
      if (from < to) visit(piece, from, to - from)
    }
  }
}

function plainTarget(address: number, size: AccessSize, kind: Target['kind']): Target {
  return {
    address,
    bytes: size,
    kind,
    device: -1,
    region: 0,
    offset: 0,
    size,
    laneShift: 0,
    swap: false,
    backing: -1,
    isRom: false,
    index: undefined,
  }
}

/** The CPU's value of a part, from the device's value of the access around it. */
function fromDevice(target: Target, value: number): number {
  const part =
    target.bytes === target.size ? value : (value >>> target.laneShift) & (0xffff_ffff >>> (32 - 8 * target.bytes))
  return target.swap ? swapBytes(part, target.bytes) : part
}

function toDevice(target: Target, value: number): number {
  const part = target.swap ? swapBytes(value, target.bytes) : value
  return target.laneShift === 0 ? part : (part << target.laneShift) >>> 0
}

function swapBytes(value: number, bytes: number): number {
  if (bytes === 1) return value
  if (bytes === 2) return ((value & 0xff) << 8) | (value >>> 8)
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0
}

function fromBytes(bytes: Uint8Array, bigEndian: boolean): number {
  let value = 0
  for (let index = 0; index < bytes.length; index++) {
    value = value * 256 + (bytes[bigEndian ? index : bytes.length - 1 - index] as number)
  }
  return value
}

function toBytes(value: number, length: number, bigEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++)
    bytes[bigEndian ? length - 1 - index : index] = (value >>> (8 * index)) & 0xff
  return bytes
}

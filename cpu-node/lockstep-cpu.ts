/**
 * Two CPUs in lockstep, as one: the first interprets, the second translates, and after each block, or as far apart as is
 * asked for, both must have the same state. For tests: it goes wherever a CPU goes, a whole machine's too.
 *
 * Only the interpreting CPU's accesses reach the port. What the port answered, and did to the CPU meanwhile, is kept and
 * done to the other one at the same access, which must come at the same icount. Accesses that take no message
 * (`PortCell`) the second may leave out: translated code does them itself.
 */
import assert from 'node:assert/strict'
import {
  BUS_ERROR,
  type Clock,
  type Cpu,
  type CpuPort,
  type PageDigest,
  type PageSnapshot,
  type PortCell,
  type RunResult,
  type Vt,
} from '../bus/mod.ts'
import { InterpretedCpu, type IsaFactory, type TierOptions } from './cpu.ts'
import { BlockBuilder } from './ir/builder.ts'
import type { Isa } from './isa/isa.ts'
import { PAGE_BYTES } from './memory.ts'
import { swapBytes } from './swap-bytes.ts'
import { MAX_BLOCK_INSTRUCTIONS } from './translator/translate.ts'

/** The two CPUs differ: what was done last, and in what. */
export class LockstepError extends Error {
  override readonly name = 'LockstepError'
}

export interface LockstepOptions {
  /** How far from `icount` the next comparison is: where the block there ends, or so many instructions. Else: `block`. */
  stride?: (icount: number) => 'block' | number
  /**
   * Memory is compared each so many comparisons: 64, if it is not said. A comparison lets the next store to each page go
   * the slow way, so that with 1 the fast way is hardly taken.
   */
  memoryEvery?: number
}

type Width = 1 | 2 | 4

/** An access of the first CPU, for the second to find. */
interface Access {
  kind: 'read' | 'write'
  icount: number
  address: number
  size: Width
  /** Written, or answered. */
  value: number
  /** Of a write: that it was no bus error. */
  done: boolean
  /** If it takes no message. */
  cell: PortCell | undefined
  /** What the port did to the CPU meanwhile. */
  effects: ((cpu: Cpu) => void)[]
  /** After it. */
  limit: number
  portWords: Int32Array
}

/** An instruction of the run. */
interface Place {
  icount: number
  pc: number
}

const MEMORY_EVERY = 64
const MAX_KNOWN_BLOCKS = 10_000
/** Of each kind of state. */
const MAX_SHOWN_DIFFERENCES = 8

export class LockstepCpu implements Cpu {
  readonly #stride: (icount: number) => 'block' | number
  readonly #memoryEvery: number
  readonly #isa: Isa
  readonly #first: InterpretedCpu
  readonly #second: InterpretedCpu
  readonly #backingBytes: number
  readonly #leading: CpuPort
  readonly #following: CpuPort
  #port: CpuPort | undefined
  #target = 0
  /** The limit of the second CPU's run. */
  #limit = 0
  /** Accesses of the first CPU that the second has not come to. */
  #accesses: Access[] = []
  /** While an access of the first CPU is under way: what the port does to it. */
  #effects: Access['effects'] | undefined
  /** The code of a block is being looked at: no access is one. */
  #peeking = false
  readonly #blocks = new Map<number, readonly number[]>()
  #comparisons = 0
  #memoryCompared: Place = { icount: 0, pc: 0 }

  constructor(
    makeIsa: IsaFactory,
    clock: Clock,
    backingBytes: number,
    tiers: TierOptions = {},
    { stride = () => 'block', memoryEvery = MEMORY_EVERY }: LockstepOptions = {},
  ) {
    this.#stride = stride
    this.#memoryEvery = memoryEvery
    this.#backingBytes = backingBytes
    const isas: Isa[] = []
    const make: IsaFactory = (execution, clockOfIt) => {
      const isa = makeIsa(execution, clockOfIt)
      isas.push(isa)
      return isa
    }
    this.#first = new InterpretedCpu(make, clock, backingBytes, { ...tiers, hotEntries: 0 })
    this.#second = new InterpretedCpu(make, clock, backingBytes, tiers)
    this.#isa = isas[0]!
    this.#leading = this.#leadingPort()
    this.#following = this.#followingPort()
  }

  // --- Cpu: what is asked is asked of the first, what is done is done to both -----------------------------------------

  get icount(): number {
    return this.#first.icount
  }

  get now(): Vt {
    return this.#first.now
  }

  get pc(): number {
    return this.#first.pc
  }

  get state(): Int32Array {
    return this.#first.state
  }

  get portWords(): Int32Array {
    return this.#first.portWords
  }

  get timerDue(): Vt {
    return this.#first.timerDue
  }

  /** Those of the CPU that translates, and how often both were compared. */
  get statistics(): Readonly<Record<string, number>> {
    return { ...this.#second.statistics, comparisons: this.#comparisons }
  }

  forgetPortCells(): void {
    this.#both((cpu) => cpu.forgetPortCells())
  }

  forgetKeptCells(): void {
    this.#both((cpu) => cpu.forgetKeptCells())
  }

  mapMemory(base: number, length: number, backingOffset: number, mode: 'ram' | 'rom'): void {
    this.#both((cpu) => cpu.mapMemory(base, length, backingOffset, mode))
  }

  unmapMemory(base: number, length: number): void {
    this.#both((cpu) => cpu.unmapMemory(base, length))
  }

  readBacking(offset: number, length: number): Uint8Array {
    return this.#first.readBacking(offset, length)
  }

  viewBacking(offset: number, length: number): Uint8Array {
    return this.#first.viewBacking(offset, length)
  }

  writeBacking(offset: number, bytes: Uint8Array): void {
    const copy = bytes.slice()
    this.#both((cpu) => cpu.writeBacking(offset, copy))
  }

  reset(): void {
    this.#both((cpu) => cpu.reset())
  }

  setLine(wire: number, level: 0 | 1): void {
    this.#both((cpu) => cpu.setLine(wire, level))
  }

  hashRegisters(): number {
    return this.#first.hashRegisters()
  }

  hashMemory(): { low: number; high: number } {
    this.#second.hashMemory()
    return this.#first.hashMemory()
  }

  hashPage(bytes: Uint8Array, number: number): bigint {
    return this.#first.hashPage(bytes, number)
  }

  get writtenPages(): number {
    return this.#first.writtenPages
  }

  snapshot(): PageSnapshot {
    this.#second.snapshot().close()
    return this.#first.snapshot()
  }

  digest(update: (bytes: Uint8Array) => void, pages: PageDigest): void {
    this.#first.digest(update, pages)
  }

  save(): Record<string, unknown> {
    return this.#first.save()
  }

  restore(state: Record<string, unknown>): void {
    this.#accesses = []
    this.#effects = undefined
    this.#both((cpu) => cpu.restore(state))
  }

  #both(act: (cpu: Cpu) => void): void {
    act(this.#first)
    if (this.#effects !== undefined) this.#effects.push(act)
    else act(this.#second)
  }

  // --- Running --------------------------------------------------------------------------------------------------------

  run(port: CpuPort): RunResult {
    this.#port = port
    this.#second.portWords.set(this.#first.portWords)
    let result: RunResult = 'limit'
    while (result === 'limit' && this.icount < port.limit) result = this.#runToComparison(port)
    return result
  }

  #runToComparison(port: CpuPort): RunResult {
    const from = { icount: this.icount, pc: this.pc }
    const stride = this.#stride(from.icount)
    this.#target = from.icount + (stride === 'block' ? this.#blockLength(from.pc) : stride)
    this.#limit = Math.min(port.limit, this.#target)
    const result = this.#first.run(this.#leading)
    const followed = this.#second.run(this.#following)
    assert(this.#effects === undefined)
    if (followed !== result || this.#second.icount !== this.#first.icount) {
      const ends = [`${result} at ${this.#first.icount}`, `${followed} at ${this.#second.icount}`]
      throw new LockstepError(`${since(from)}: interpreted code ends with ${ends[0]}, translated with ${ends[1]}`)
    }
    const missed = this.#accesses.find(({ cell }) => cell === undefined)
    if (missed !== undefined) throw new LockstepError(`${since(from)}: translated code has no ${describe(missed)}`)
    if (this.#accesses.length > 0) this.#comparePortWords(from)
    this.#accesses.length = 0
    this.#compare(from)
    return result
  }

  /** Instructions of the block at `pc`, or 1 where there is none to be seen. */
  #blockLength(pc: number): number {
    // Before its first run a CPU has no port to ask.
    if (this.#isa.midInstruction || this.#comparisons === 0) return 1
    this.#peeking = true
    try {
      const known = this.#blocks.get(pc)
      if (known?.every((word, index) => this.#fetch(pc + 4 * index) === word)) return known.length
      const words: number[] = []
      const end = ((pc | (PAGE_BYTES - 1)) >>> 0) + 1
      const word = (at: number) => {
        words.push(this.#fetch(at >>> 0))
        return words.at(-1)! >>> 0
      }
      this.#isa.lift(
        new BlockBuilder(false),
        { word, end, flags: this.#isa.codeFlags(pc), relativeTo: undefined },
        pc | 0,
        MAX_BLOCK_INSTRUCTIONS,
        false,
      )
      if (this.#blocks.size >= MAX_KNOWN_BLOCKS) this.#blocks.clear()
      this.#blocks.set(pc, words)
      return words.length
    } finally {
      this.#peeking = false
    }
  }

  /** The instruction at `pc`; 0 where it can't be fetched. */
  #fetch(pc: number): number {
    const word = this.#first.load(pc, 32, 'fetch')
    this.#first.trap.pending = false
    return this.#isa.bigEndian ? swapBytes(word) : word
  }

  // --- Ports ----------------------------------------------------------------------------------------------------------

  /** Of the first CPU: accesses go to the real one, and are noted. */
  #leadingPort(): CpuPort {
    const limit = () => Math.min(this.#port!.limit, this.#target)
    return {
      get limit() {
        return limit()
      },
      read: (address, size) => {
        if (this.#peeking) return BUS_ERROR
        const access = this.#begin('read', address, size)
        access.value = this.#port!.read(address, size)
        this.#end(access)
        return access.value
      },
      write: (address, size, value) => {
        const access = this.#begin('write', address, size, value)
        access.done = this.#port!.write(address, size, value)
        this.#end(access)
        return access.done
      },
      cell: () => assert.fail('only translated code asks for cells'),
    }
  }

  #begin(kind: Access['kind'], address: number, size: Width, value = 0): Access {
    const asked = this.#port!.cell(address, size)
    const cell = kind === 'write' && asked?.kind === 'kept' ? undefined : asked
    const effects: Access['effects'] = []
    const { icount, portWords } = this.#first
    this.#effects = effects
    return { kind, icount, address, size, value, done: true, cell, effects, limit: 0, portWords }
  }

  #end(access: Access): void {
    access.portWords = this.#first.portWords.slice()
    access.limit = this.#port!.limit
    this.#effects = undefined
    this.#accesses.push(access)
  }

  /** Of the second CPU: each access must be the next of the first one's. */
  #followingPort(): CpuPort {
    const limit = () => this.#limit
    return {
      get limit() {
        return limit()
      },
      read: (address, size) => this.#follow('read', address, size).value,
      write: (address, size, value) => this.#follow('write', address, size, value).done,
      cell: (address, size) => this.#next(address, size)?.cell,
    }
  }

  /** The first CPU's access to this address at this icount: what it did before without messages is passed over. */
  #next(address: number, size: Width): Access | undefined {
    const { icount } = this.#second
    const isSame = (access: Access) => access.icount === icount && access.address === address && access.size === size
    const place = this.#accesses.findIndex((access) => access.cell === undefined || isSame(access))
    const next = this.#accesses[place]
    if (next === undefined || !isSame(next)) return undefined
    this.#accesses.splice(0, place)
    return next
  }

  /** `value`: what is written. */
  #follow(kind: Access['kind'], address: number, size: Width, value?: number): Access {
    const expected = this.#next(address, size)
    if (expected === undefined || expected.kind !== kind || (value ?? expected.value) !== expected.value) {
      const found = describe({ kind, address, size, value: value ?? 0, icount: this.#second.icount })
      const wanted = this.#accesses.find(({ cell }) => cell === undefined)
      throw new LockstepError(
        `translated code has a ${found}, interpreted ${wanted ? `a ${describe(wanted)}` : 'none'}`,
      )
    }
    this.#accesses.shift()
    for (const effect of expected.effects) effect(this.#second)
    this.#second.portWords.set(expected.portWords)
    this.#limit = Math.min(this.#limit, expected.limit)
    return expected
  }

  // --- Comparing ------------------------------------------------------------------------------------------------------

  #compare(from: Place): void {
    this.#comparisons++
    const [first, second] = [this.#first, this.#second]
    if (first.hashRegisters() !== second.hashRegisters()) {
      const words = this.#isa.stateBytes / 4
      const state = differences(first.state.subarray(0, words), second.state.subarray(0, words))
      const tlbWords = this.#isa.tlbBytes / 4
      const tlb = differences(first.tlb.subarray(0, tlbWords), second.tlb.subarray(0, tlbWords))
      throw this.#difference(from, `guest state: ${state}; TLB: ${tlb}`)
    }
    if (this.#comparisons % this.#memoryEvery !== 0) return
    const [interpreted, translated] = [first.hashMemory(), second.hashMemory()]
    if (interpreted.low !== translated.low || interpreted.high !== translated.high)
      throw this.#difference(this.#memoryCompared, `memory: ${this.#memoryDifferences()}`)
    this.#memoryCompared = { icount: this.icount, pc: this.pc }
  }

  /** They change at accesses only. */
  #comparePortWords(from: Place): void {
    const found = differences(this.#first.portWords, this.#second.portWords)
    if (found !== '') throw this.#difference(from, `port words: ${found}`)
  }

  #difference(from: Place, what: string): LockstepError {
    const to = `icount ${this.icount}, pc ${hex(this.pc)}`
    return new LockstepError(`${since(from)} and before ${to} interpreted and translated code differ: ${what}`)
  }

  #memoryDifferences(): string {
    for (let offset = 0; offset < this.#backingBytes; offset += PAGE_BYTES) {
      const [a, b] = [this.#first, this.#second].map(
        (cpu) => new Int32Array(cpu.readBacking(offset, PAGE_BYTES).buffer, 0, PAGE_BYTES / 4),
      )
      const found = differences(a!, b!, offset)
      if (found !== '') return found
    }
    return 'none'
  }
}

/** The first differences of two arrays, `offset` bytes from the start of what they are of: place, first, second value. */
function differences(first: Int32Array, second: Int32Array, offset = 0): string {
  const found: string[] = []
  for (let index = 0; index < first.length && found.length < MAX_SHOWN_DIFFERENCES; index++) {
    if (first[index] !== second[index])
      found.push(`+${offset + 4 * index} is ${hex(first[index]!)} and ${hex(second[index]!)}`)
  }
  return found.join(', ')
}

function since({ icount, pc }: Place): string {
  return `from icount ${icount}, pc ${hex(pc)}`
}

type Described = Pick<Access, 'kind' | 'size' | 'address' | 'value' | 'icount'>

function describe({ kind, size, address, value, icount }: Described): string {
  const written = kind === 'write' ? ` of ${hex(value)}` : ''
  return `${kind}${written}, ${size} bytes at ${hex(address)}, icount ${icount}`
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`
}

/**
 * A CPU for tests: a list of what the instructions with certain icounts do; all others do nothing. It keeps to all of
 * `Cpu`, so that a bus cannot tell. Tests import this file; nothing else does.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Clock } from './clock.ts'
import { type Cpu, type CpuPort, type PageSnapshot, PORT_WORDS, type RunResult } from './cpu.ts'
import { PAGE_BYTES } from './layout.ts'
import type { CreateCpu } from './machine.ts'
import { type AccessSize, NEVER, type Vt } from './message.ts'

/** What one instruction does. `wait`: idle until an interrupt input is 1 or the timer is due. */
export type Instruction =
  | { op: 'read'; address: number; size?: AccessSize }
  | { op: 'write'; address: number; value: number; size?: AccessSize }
  | { op: 'wait' }
  | { op: 'timer'; due: Vt }

export type Program = Readonly<Record<number, Instruction>>

/** What the CPU was told to map, newest last. */
export interface Mapping {
  base: number
  length: number
  /** `undefined`: unmapped. */
  backing: number | undefined
  mode?: 'ram' | 'rom'
}

export function scriptedCpu(program: Program, made?: (cpu: ScriptedCpu) => void): CreateCpu {
  return ({ clock, backingBytes }) => {
    const cpu = new ScriptedCpu(program, clock, backingBytes)
    made?.(cpu)
    return cpu
  }
}

const NOTHING = 1_000_000_000_000

export class ScriptedCpu implements Cpu {
  icount = 0
  timerDue: Vt = NEVER
  readonly portWords = new Int32Array(PORT_WORDS)
  /** How often it was told to forget what the port gave. */
  portCellsForgotten = 0
  keptCellsForgotten = 0
  /** Values read and outcomes of writes, oldest first. */
  readonly results: number[] = []
  readonly mappings: Mapping[] = []
  resets = 0
  readonly lines = new Map<number, 0 | 1>()
  readonly #memory: Uint8Array
  readonly #writtenPages = new Set<number>()
  readonly #clock: Clock
  readonly #program: Program
  readonly #icounts: number[]
  #isIdle = false

  constructor(program: Program, clock: Clock, backingBytes: number) {
    this.#program = program
    this.#icounts = Object.keys(program).map(Number)
    this.#clock = clock
    this.#memory = new Uint8Array(backingBytes)
  }

  get pc(): number {
    return 4 * this.icount
  }

  mapMemory(base: number, length: number, backing: number, mode: 'ram' | 'rom'): void {
    this.mappings.push({ base, length, backing, mode })
  }

  unmapMemory(base: number, length: number): void {
    this.mappings.push({ base, length, backing: undefined })
  }

  forgetPortCells(): void {
    this.portCellsForgotten++
    this.forgetKeptCells()
  }

  forgetKeptCells(): void {
    this.keptCellsForgotten++
  }

  readBacking(offset: number, length: number): Uint8Array {
    assert(offset >= 0 && offset + length <= this.#memory.length)
    return this.#memory.slice(offset, offset + length)
  }

  viewBacking(offset: number, length: number): Uint8Array {
    return this.readBacking(offset, length)
  }

  writeBacking(offset: number, bytes: Uint8Array): void {
    this.#memory.set(bytes, offset)
    const end = offset + bytes.length
    for (let page = Math.floor(offset / PAGE_BYTES); PAGE_BYTES * page < end; page++) this.#writtenPages.add(page)
  }

  reset(): void {
    this.resets++
    this.#isIdle = false
    this.timerDue = NEVER
  }

  get statistics(): Readonly<Record<string, number>> {
    return { instructions: this.icount }
  }

  run(port: CpuPort): RunResult {
    for (;;) {
      if (this.#isIdle && !this.#isWoken()) return 'idle'
      this.#isIdle = false
      if (this.icount >= port.limit) return 'limit'
      const next = this.#icounts.find((icount) => icount >= this.icount) ?? NOTHING
      if (next > this.icount) {
        this.icount = Math.min(next, port.limit)
        continue
      }
      this.#execute(this.#program[next] as Instruction, port)
      this.icount++
    }
  }

  setLine(wire: number, level: 0 | 1): void {
    this.lines.set(wire, level)
  }

  hashRegisters(): number {
    return fnv(this.#registers())
  }

  hashMemory(): { low: number; high: number } {
    return { low: fnv(this.#memory), high: this.#memory.length }
  }

  hashPage(bytes: Uint8Array, number: number): bigint {
    return createHash('sha256').update(bytes).update(String(number)).digest().readBigUInt64LE()
  }

  get writtenPages(): number {
    return this.#writtenPages.size
  }

  snapshot(): PageSnapshot {
    const batches = [...this.#writtenPages].map((page) => ({
      pages: Uint32Array.of(page),
      bytes: this.#page(page).slice(),
    }))
    this.#writtenPages.clear()
    return { next: () => batches.shift(), close: () => {} }
  }

  #page(page: number): Uint8Array {
    return this.#memory.subarray(PAGE_BYTES * page, PAGE_BYTES * (page + 1))
  }

  digest(update: (bytes: Uint8Array) => void): void {
    update(this.#registers())
    update(this.#memory)
  }

  save(): Record<string, unknown> {
    const lines = [...this.lines]
    return { icount: this.icount, timerDue: this.timerDue, results: [...this.results], lines, isIdle: this.#isIdle }
  }

  restore(state: Record<string, unknown>): void {
    const { icount, timerDue, results, lines, isIdle } = state
    assert(typeof icount === 'number' && typeof timerDue === 'number' && typeof isIdle === 'boolean')
    assert(Array.isArray(results) && Array.isArray(lines))
    this.icount = icount
    this.timerDue = timerDue
    this.results.splice(0, Number.POSITIVE_INFINITY, ...(results as number[]))
    this.lines.clear()
    for (const [wire, level] of lines as [number, 0 | 1][]) this.lines.set(wire, level)
    this.#isIdle = isIdle
  }

  #execute(instruction: Instruction, port: CpuPort): void {
    switch (instruction.op) {
      case 'read':
        this.results.push(port.read(instruction.address, instruction.size ?? 4))
        break
      case 'write':
        this.results.push(port.write(instruction.address, instruction.size ?? 4, instruction.value) ? 1 : 0)
        break
      case 'wait':
        this.#isIdle = true
        break
      case 'timer':
        this.timerDue = instruction.due
    }
  }

  #isWoken(): boolean {
    const now = this.#clock.vtAt(this.icount)
    if (this.timerDue <= now) {
      this.timerDue = NEVER
      return true
    }
    return [...this.lines.values()].includes(1)
  }

  #registers(): Uint8Array {
    return Buffer.from(JSON.stringify(this.save()))
  }
}

/** FNV-1a, 32 bits. */
function fnv(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}

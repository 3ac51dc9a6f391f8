/**
 * The `cpu` replay: the CPU node alone, with every effect of every device from the journal.
 *
 * Entries are taken in order. Some the CPU must produce (its accesses, grid and segment hashes, the bytes of a DMA) and
 * are compared; the others are done to it. Entries that start a chain stand at a boundary, and all else follows the
 * entry that began it (docs/bus.md, "Replays"). The CPU never runs past the icount of the next entry, so a replay that
 * goes astray is found there and cannot hang.
 */
import assert from 'node:assert/strict'
import {
  BUS,
  buildMachine,
  CPU,
  loggedMemory,
  type Machine,
  type Message,
  NEVER,
  type NodeName,
  type Payload,
  type Read,
  type StopReason,
  type Vt,
  type Write,
} from '../bus/mod.ts'
import {
  contextBefore,
  DivergenceError,
  describeDifference,
  impossibleMessage,
  isCut,
  type Journal,
  JournalCut,
  sameMessage,
} from './divergence.ts'
import type { MachineSpec } from './machine-spec.ts'

/** Hears each entry once the replay agrees with it; `bytes` are those of a `memory` entry, whole. */
export type EntryListener = (index: number, message: Message, bytes?: Uint8Array) => void

/** Why a slice of a replay ended. `cut`: at the end of a journal without a `stop` entry. */
export type ReplaySlice =
  | { state: 'ran' }
  | { state: 'until' }
  | { state: 'cut' }
  | { state: 'stopped'; reason: StopReason }

/** Boundaries after which a slice ends even if the CPU runs no instruction. */
const SLICE_BOUNDARIES = 4096

export class CpuReplay {
  readonly machine: Machine
  readonly #journal: Journal
  readonly #isCut: boolean
  readonly #onEntry: EntryListener | undefined
  #cursor = 0
  #end: ReplaySlice | undefined
  /** The read under way and its answer. */
  #reading: { dst: NodeName; payload: Read; value: number | undefined } | undefined

  constructor(spec: MachineSpec, journal: Journal, onEntry?: EntryListener) {
    this.#journal = journal
    this.#isCut = isCut(journal)
    this.#onEntry = onEntry
    this.machine = buildMachine(spec.board, spec.createCpu, spec.loads, ({ name }, payload) =>
      this.#access(name, payload),
    )
  }

  /** Entries that the replay agreed with. */
  get cursor(): number {
    return this.#cursor
  }

  get icount(): number {
    return this.machine.cpu.icount
  }

  get vt(): Vt {
    return this.machine.clock.vtAt(this.machine.cpu.icount)
  }

  /** Replays for a while, to instruction `until` at most. Throws a `DivergenceError` at the first difference. */
  runSlice(maxInstructions: number, until = NEVER): ReplaySlice {
    try {
      return this.#run(this.icount + maxInstructions, until)
    } catch (error) {
      if (!(error instanceof JournalCut)) throw error
      this.#end = { state: 'cut' }
      return this.#end
    }
  }

  #run(sliceEnd: number, until: number): ReplaySlice {
    const { clock, cpu, cpuSide } = this.machine
    let isIdle = false
    for (let boundaries = 0; ; boundaries++) {
      if (this.#end !== undefined) return this.#end
      if (this.icount >= until) return { state: 'until' }
      if (this.icount >= sliceEnd || boundaries >= SLICE_BOUNDARIES) return { state: 'ran' }
      const before = this.#cursor
      this.#boundary()
      if (this.#end !== undefined) return this.#end
      if (isIdle && this.#cursor === before) {
        clock.skipTo(this.#idleTarget(), this.icount)
        isIdle = false
        continue
      }
      cpuSide.limit = Math.min(this.#limit(), sliceEnd, until)
      isIdle = cpu.run(cpuSide) === 'idle'
    }
  }

  /** Takes all entries that stand at this boundary. */
  #boundary(): void {
    for (;;) {
      const entry = this.#next()
      if (isAccess(entry) || entry.icount > this.icount) return
      if (entry.icount === this.icount && entry.vt > this.vt) return
      if (entry.icount < this.icount || entry.vt < this.vt) {
        throw this.#differs(undefined, `the CPU went past this message: it is at ${this.icount}, ${this.vt} ns`)
      }
      this.#take(entry)
      if (this.#end !== undefined) return
    }
  }

  /** Before which instruction the CPU must have met the next entry. */
  #limit(): number {
    const entry = this.#next()
    if (!isAccess(entry)) return Math.max(entry.icount, this.icount + 1)
    if (entry.icount < this.icount) throw this.#differs(undefined, 'the CPU did not make this access')
    return entry.icount + 1
  }

  /** To when the idle CPU jumped: its own timer, or the next entry that found it still there. */
  #idleTarget(): Vt {
    const entry = this.#next()
    const entryVt = !isAccess(entry) && entry.icount === this.icount ? entry.vt : NEVER
    const target = Math.min(entryVt, this.machine.cpu.timerDue)
    if (target === NEVER) throw this.#differs(undefined, 'the CPU is idle and nothing will wake it before this message')
    assert(target > this.vt, 'an idle CPU has no timer that is due')
    return target
  }

  /** The CPU's own access, compared with the journal, and all that followed from it. */
  #access(dst: NodeName, payload: Read | Write): number {
    this.#produce(dst, payload)
    this.#delivered(dst)
    this.#reading = payload.kind === 'read' ? { dst, payload, value: undefined } : undefined
    for (let entry = this.#next(); !isAccess(entry) && !startsChain(entry); entry = this.#next()) {
      if (entry.icount !== this.icount || entry.vt !== this.vt) {
        throw this.#differs(undefined, 'an effect stands at another position than the access that it belongs to')
      }
      this.#take(entry)
    }
    const value = this.#reading === undefined ? 0 : this.#reading.value
    if (value === undefined) throw this.#differs(undefined, 'the journal has no answer to the read before this message')
    this.#reading = undefined
    // A boundary may stand at the next instruction already; the run loop looks again.
    this.machine.cpuSide.limit = Math.min(this.machine.cpuSide.limit, this.#limitAfterAccess())
    return value
  }

  #limitAfterAccess(): number {
    const entry = this.#next()
    return isAccess(entry) ? entry.icount + 1 : entry.icount
  }

  /** Does to the CPU what an entry says, or compares what the CPU makes of it. */
  #take(entry: Message): void {
    const { src, dst, payload } = entry
    if (src === CPU) {
      this.#produceHash(entry)
      return
    }
    const index = this.#cursor
    this.#agree(entry)
    try {
      if (dst === CPU) this.#apply(src, payload)
      else if (payload.kind === 'stop') this.#end = { state: 'stopped', reason: payload.reason }
      else if (this.machine.layout.byName.has(dst)) this.#delivered(dst, payload.kind === 'reset')
    } catch (error) {
      throw impossibleMessage(error, (what) => this.#differs(undefined, what, index))
    }
  }

  #apply(src: NodeName, payload: Payload): void {
    const { cpuSide } = this.machine
    const device = this.machine.layout.byName.get(src)?.number ?? -1
    switch (payload.kind) {
      case 'reset':
        this.machine.resetCpu()
        break
      case 'line':
        cpuSide.setLine(payload.wire, payload.level)
        break
      case 'map':
        cpuSide.mapRegion(device, payload)
        break
      case 'dmaWrite':
        cpuSide.dmaWrite(device, payload.target, payload.address, payload.bytes)
        break
      case 'dmaRead': {
        const bytes = cpuSide.dmaRead(device, payload.target, payload.address, payload.length)
        this.#produce(src, loggedMemory(bytes), bytes)
        break
      }
      case 'data':
        if (this.#reading?.dst !== src || this.#reading.value !== undefined) {
          throw this.#differs(undefined, 'the message before this answers no read')
        }
        this.#reading.value = payload.value
        cpuSide.answered(device, this.#reading.payload, payload)
        break
      default:
        throw this.#differs(undefined, `the message before this, a ${payload.kind}, is none that a CPU gets`)
    }
  }

  #produceHash({ payload }: Message): void {
    const { cpu } = this.machine
    if (payload.kind === 'grid') {
      this.#produce(BUS, { kind: 'grid', hash: cpu.hashRegisters() })
    } else if (payload.kind === 'segment') {
      const { low, high } = cpu.hashMemory()
      this.#produce(BUS, { kind: 'segment', hashLow: low, hashHigh: high })
    } else throw this.#differs(undefined, 'the CPU has no reason for this message')
  }

  /** The CPU node produced a message: it must be the journal's next. */
  #produce(dst: NodeName, payload: Payload, bytes?: Uint8Array): void {
    const actual: Message = { vt: this.vt, icount: this.icount, src: CPU, dst, payload }
    const expected = this.#next()
    if (!sameMessage(expected, actual)) throw this.#differs(actual, describeDifference(expected, actual))
    this.#agree(expected, bytes)
  }

  #agree(entry: Message, bytes?: Uint8Array): void {
    this.#cursor++
    this.#onEntry?.(this.#cursor - 1, entry, bytes)
  }

  #delivered(dst: NodeName, isReset = false): void {
    const device = this.machine.layout.byName.get(dst)
    assert(device !== undefined)
    this.machine.cpuSide.delivered(device.number, isReset)
  }

  #next(): Message {
    if (this.#cursor < this.#journal.entryCount) return this.#journal.entry(this.#cursor)
    if (this.#isCut) throw new JournalCut()
    throw this.#differs(undefined, 'the CPU goes on after the journal stopped')
  }

  #differs(actual: Message | undefined, what: string, entry = this.#cursor): DivergenceError {
    const expected = entry < this.#journal.entryCount ? this.#journal.entry(entry) : undefined
    return new DivergenceError({
      node: CPU,
      entry,
      vt: this.vt,
      icount: this.icount,
      pc: this.machine.cpu.pc,
      ...(expected && { expected }),
      ...(actual && { actual }),
      what,
      before: contextBefore(this.#journal, entry),
    })
  }
}

/** An access that the CPU itself makes, in the middle of an instruction. */
function isAccess({ src, payload }: Message): boolean {
  return src === CPU && (payload.kind === 'read' || payload.kind === 'write')
}

/** Whether an entry stands at a boundary rather than following from the one before. */
export function startsChain({ src, payload }: Message): boolean {
  const { kind } = payload
  return src === BUS || kind === 'input' || kind === 'grid' || kind === 'segment'
}

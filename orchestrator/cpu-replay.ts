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
  type BusState,
  buildMachine,
  CPU,
  type Exchange,
  loggedMemory,
  type Machine,
  type Message,
  NEVER,
  type Payload,
  type Read,
  type StopReason,
  type Vt,
  type Write,
} from '../bus/mod.ts'
import { FlatEntry, KIND, KINDS, REASONS } from '../replay-store/mod.ts'
import { stateDigest } from './digest.ts'
import {
  contextBefore,
  DivergenceError,
  describeDifference,
  type FlatJournal,
  impossibleMessage,
  isCut,
  JournalCut,
} from './divergence.ts'
import type { MachineSpec } from './machine-spec.ts'

/** Hears each entry once the replay agrees with it; `bytes` are those of a `memory` entry, whole. */
export type EntryListener = (index: number, message: Message, bytes?: Uint8Array) => void

/** Why a slice of a replay ended. `cut`: at the end of a journal without a `stop` entry. `reached`: see `CpuReplay.goTo`. */
export type ReplaySlice =
  | { state: 'ran' }
  | { state: 'until' }
  | { state: 'reached' }
  | { state: 'cut' }
  | { state: 'stopped'; reason: StopReason }

const RESET = KIND.reset
const LINE = KIND.line
const DATA = KIND.data
const GRID = KIND.grid
const SEGMENT = KIND.segment
const STOP = KIND.stop
/** After which a slice may be over, besides after hash points. */
const SLICE_ENTRIES = 8192
/** By kind: whether it is an access. */
const IS_ACCESS = KINDS.map(({ kind }) => kind === 'read' || kind === 'write')
/** By kind: whether it stands at a boundary, whoever sent it. */
const IS_AT_BOUNDARY = KINDS.map(({ kind }) => kind === 'input' || kind === 'grid' || kind === 'segment')
const NO_DEVICE = -1

export class CpuReplay {
  readonly machine: Machine
  readonly #journal: FlatJournal
  readonly #isCut: boolean
  readonly #onEntry: EntryListener | undefined
  /** Their places in the journal's node table. */
  readonly #cpuNode: number
  readonly #busNode: number
  readonly #deviceNodes: readonly number[]
  /** By place in the node table: a device's number, or `NO_DEVICE`. */
  readonly #devices: readonly number[]
  #cursor = 0
  /** A hash point was passed, or idle time: whether the slice is over has not been asked since. */
  #askDue = false
  /** Where that was asked last. */
  #askedAt = 0
  #end: ReplaySlice | undefined
  /** Entries before which it stops. */
  #goal = NEVER
  /** Entry number `#expectedAt` of the journal. */
  readonly #expected = new FlatEntry()
  #expectedAt = -1
  /** What the CPU node produced. */
  readonly #actual = new FlatEntry()
  /** The read under way, if there is one: by whom it is answered, and the answer. */
  #reading: Read | undefined
  #readNode = NO_DEVICE
  #answer: number | undefined

  /** Before it runs, `machine.load` is to be told what stands in memory. */
  constructor(spec: Omit<MachineSpec, 'loads'>, journal: FlatJournal, onEntry?: EntryListener) {
    this.#journal = journal
    this.#isCut = isCut(journal)
    this.#onEntry = onEntry
    const access: Exchange = ({ number }, payload) => this.#access(this.#deviceNodes[number]!, payload)
    this.machine = buildMachine(spec.board, spec.createCpu, access, spec.overlay)
    const { nodes } = journal
    const { layout } = this.machine
    this.#cpuNode = nodes.index(CPU)
    this.#busNode = nodes.index(BUS)
    this.#deviceNodes = layout.devices.map(({ name }) => nodes.index(name))
    this.#devices = nodes.names.map((name) => layout.byName.get(name)?.number ?? NO_DEVICE)
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

  /**
   * It is to stop when it has agreed with the journal's first `entries`, which end with a `grid` or a `segment`: a slice then
   * ends with `reached`, and the next ones do too until there is another goal, or none.
   */
  goTo(entries = NEVER): void {
    this.#goal = entries
  }

  /**
   * Takes the place of power-on: goes on after the journal's first `entries`, which end with a `grid` or a `segment`. Memory must
   * be put there first. Throws where `state` is none of this machine.
   */
  restore(state: BusState, entries: number): void {
    const { clock, cpu, cpuSide } = this.machine
    clock.idleNs = state.idleNs
    cpu.restore(state.cpu)
    cpuSide.restore(state.cpuSide)
    this.#cursor = entries
  }

  /** A digest of all that what comes next depends on, besides the journal. Where it stopped with `reached`, or was restored. */
  stateDigest(): string {
    const { clock, contents, cpu, cpuSide } = this.machine
    const { low, high } = contents.hash()
    return stateDigest({ idleNs: clock.idleNs, cpu: cpu.save(), cpuSide: cpuSide.save(), memory: [low, high] })
  }

  /**
   * Replays until it `isOver`, which is asked after hash points and `SLICE_ENTRIES` entries, to instruction `until` at
   * most. Throws a `DivergenceError` at the first difference.
   */
  runSlice(isOver: () => boolean, until = NEVER): ReplaySlice {
    try {
      return this.#run(isOver, until)
    } catch (error) {
      if (!(error instanceof JournalCut)) throw error
      this.#end = { state: 'cut' }
      return this.#end
    }
  }

  #run(isOver: () => boolean, until: number): ReplaySlice {
    const { clock, cpu, cpuSide } = this.machine
    let isIdle = false
    for (;;) {
      if (this.#end !== undefined) return this.#end
      if (this.icount >= until) return { state: 'until' }
      if (this.#askDue || this.#cursor - this.#askedAt >= SLICE_ENTRIES) {
        this.#askDue = false
        this.#askedAt = this.#cursor
        if (isOver()) return { state: 'ran' }
      }
      const before = this.#cursor
      this.#boundary()
      if (this.#end !== undefined) return this.#end
      if (this.#cursor === this.#goal) return { state: 'reached' }
      if (isIdle && this.#cursor === before) {
        clock.skipTo(this.#idleTarget(), this.icount)
        this.#askDue = true
        isIdle = false
        continue
      }
      cpuSide.limit = Math.min(this.#limit(), until)
      isIdle = cpu.run(cpuSide) === 'idle'
    }
  }

  /** Takes all entries that stand at this boundary. */
  #boundary(): void {
    const { icount, vt } = this
    while (this.#cursor !== this.#goal) {
      const entry = this.#next()
      if (this.#isAccess(entry) || entry.icount > icount) return
      if (entry.icount === icount && entry.vt > vt) return
      if (entry.icount < icount || entry.vt < vt) {
        throw this.#differs(undefined, `the CPU went past this message: it is at ${icount}, ${vt} ns`)
      }
      this.#take(entry)
      if (this.#end !== undefined) return
    }
  }

  /** Before which instruction the CPU must have met the next entry. */
  #limit(): number {
    const entry = this.#next()
    const { icount } = this
    if (!this.#isAccess(entry)) return Math.max(entry.icount, icount + 1)
    if (entry.icount < icount) throw this.#differs(undefined, 'the CPU did not make this access')
    return entry.icount + 1
  }

  /** To when the idle CPU jumped: its own timer, or the next entry that found it still there. */
  #idleTarget(): Vt {
    const entry = this.#next()
    const entryVt = !this.#isAccess(entry) && entry.icount === this.icount ? entry.vt : NEVER
    const target = Math.min(entryVt, this.machine.cpu.timerDue)
    if (target === NEVER) throw this.#differs(undefined, 'the CPU is idle and nothing will wake it before this message')
    assert(target > this.vt, 'an idle CPU has no timer that is due')
    return target
  }

  /** The CPU's own access to the device at `node`, compared with the journal, and all that followed from it. */
  #access(node: number, payload: Read | Write): number {
    this.#produce(node, payload)
    this.#delivered(node)
    this.#reading = payload.kind === 'read' ? payload : undefined
    this.#readNode = node
    this.#answer = undefined
    const { icount, vt } = this
    for (let entry = this.#next(); !this.#isAccess(entry) && !this.#startsChain(entry); entry = this.#next()) {
      if (entry.icount !== icount || entry.vt !== vt) {
        throw this.#differs(undefined, 'an effect stands at another position than the access that it belongs to')
      }
      this.#take(entry)
    }
    const value = this.#reading === undefined ? 0 : this.#answer
    if (value === undefined) throw this.#differs(undefined, 'the journal has no answer to the read before this message')
    this.#reading = undefined
    // A boundary may stand at the next instruction already; the run loop looks again.
    this.machine.cpuSide.limit = Math.min(this.machine.cpuSide.limit, this.#limitAfterAccess())
    return value
  }

  #limitAfterAccess(): number {
    const entry = this.#next()
    return this.#isAccess(entry) ? entry.icount + 1 : entry.icount
  }

  /** Does to the CPU what an entry says, or compares what the CPU makes of it. */
  #take(entry: FlatEntry): void {
    const { src, dst, kind } = entry
    if (src === this.#cpuNode) {
      this.#produceHash(kind)
      return
    }
    const index = this.#cursor
    this.#agree()
    try {
      if (dst === this.#cpuNode) this.#apply(index, entry)
      else if (kind === STOP) this.#end = { state: 'stopped', reason: REASONS[entry.field(0)]! }
      else if (this.#devices[dst] !== NO_DEVICE) this.#delivered(dst, kind === RESET)
    } catch (error) {
      throw impossibleMessage(error, (what) => this.#differs(undefined, what, index))
    }
  }

  /** Does entry number `index` to the CPU. */
  #apply(index: number, entry: FlatEntry): void {
    const { cpuSide } = this.machine
    const { src, kind } = entry
    const device = this.#devices[src]!
    switch (kind) {
      case LINE:
        cpuSide.setLine(entry.field(0), entry.field(1) as 0 | 1)
        break
      case DATA:
        if (this.#reading === undefined || this.#readNode !== src || this.#answer !== undefined) {
          throw this.#differs(undefined, 'the message before this answers no read')
        }
        this.#answer = entry.field(0)
        cpuSide.answered(device, this.#reading, { kind: 'data', value: entry.field(0), validUntil: entry.field(1) })
        break
      case RESET:
        this.machine.resetCpu()
        break
      default:
        this.#applySeldom(src, device, this.#journal.entry(index).payload)
    }
  }

  #applySeldom(src: number, device: number, payload: Payload): void {
    const { cpuSide } = this.machine
    switch (payload.kind) {
      case 'map':
        cpuSide.mapRegion(device, payload)
        break
      case 'dmaWrite':
        cpuSide.dmaWrite(device, payload.target, payload.address, payload.bytes)
        break
      case 'dmaCopy':
        cpuSide.dmaCopy(device, payload)
        break
      case 'dmaRead': {
        const bytes = cpuSide.dmaRead(device, payload.target, payload.address, payload.length)
        this.#produce(src, loggedMemory(bytes), bytes)
        break
      }
      default:
        throw this.#differs(undefined, `the message before this, a ${payload.kind}, is none that a CPU gets`)
    }
  }

  #produceHash(kind: number): void {
    const { contents, cpu } = this.machine
    if (kind === GRID) {
      this.#askDue = true
      this.#produce(this.#busNode, { kind: 'grid', hash: cpu.hashRegisters() })
    } else if (kind === SEGMENT) {
      const { low, high } = contents.hash()
      this.#produce(this.#busNode, { kind: 'segment', hashLow: low, hashHigh: high })
    } else throw this.#differs(undefined, 'the CPU has no reason for this message')
  }

  /** The CPU node produced a message: it must be the journal's next. */
  #produce(dst: number, payload: Payload, bytes?: Uint8Array): void {
    const actual = this.#actual
    actual.setHead(this.vt, this.icount, this.#cpuNode, dst)
    actual.setPayload(payload)
    if (!this.#next().equals(actual)) {
      const message = actual.message(this.#journal.nodes)
      throw this.#differs(message, describeDifference(this.#journal.entry(this.#cursor), message))
    }
    this.#agree(bytes)
  }

  /** The next entry is as it must be. It stays in `#expected` until the one after it is asked for. */
  #agree(bytes?: Uint8Array): void {
    this.#cursor++
    this.#onEntry?.(this.#cursor - 1, this.#journal.entry(this.#cursor - 1), bytes)
  }

  #delivered(dst: number, isReset = false): void {
    const device = this.#devices[dst]!
    if (device === NO_DEVICE) assert.fail('a device is at hand')
    if (isReset) this.machine.cpuSide.resetIndexes(device)
    this.machine.cpuSide.delivered(device)
  }

  /** The journal's next entry, good until the replay has agreed with it and asks again. */
  #next(): FlatEntry {
    if (this.#expectedAt === this.#cursor) return this.#expected
    if (this.#cursor < this.#journal.entryCount) {
      this.#journal.read(this.#cursor, this.#expected)
      this.#expectedAt = this.#cursor
      return this.#expected
    }
    if (this.#isCut) throw new JournalCut()
    throw this.#differs(undefined, 'the CPU goes on after the journal stopped')
  }

  /** An access that the CPU itself makes, in the middle of an instruction. */
  #isAccess({ src, kind }: FlatEntry): boolean {
    return src === this.#cpuNode && IS_ACCESS[kind]!
  }

  #startsChain({ src, kind }: FlatEntry): boolean {
    return src === this.#busNode || IS_AT_BOUNDARY[kind]!
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

/** Whether an entry stands at a boundary rather than following from the one before. */
export function startsChain({ src, payload }: Message): boolean {
  return src === BUS || IS_AT_BOUNDARY[KIND[payload.kind]]!
}

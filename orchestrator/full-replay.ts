/**
 * The `full` replay: every node, with the world silent. Inputs come from the journal at their grid points, and each
 * message of the bus is compared with the journal's next.
 */
import {
  CPU,
  GuestSleepsForEver,
  LocalBus,
  type LogSink,
  type Message,
  type Moment,
  NEVER,
  type OutputListener,
  type Position,
  SCRIPT,
  type StopReason,
  type UnhandledListener,
  type Vt,
  WORLD,
  type WorldInput,
  type WorldSource,
} from '../bus/mod.ts'
import type { EntryListener, ReplaySlice } from './cpu-replay.ts'
import {
  contextBefore,
  DivergenceError,
  describeDifference,
  isCut,
  type Journal,
  JournalCut,
  sameMessage,
} from './divergence.ts'
import type { MachineSpec } from './machine-spec.ts'

export interface FullReplayOptions {
  spec: MachineSpec
  journal: Journal
  onEntry?: EntryListener
  onOutput?: OutputListener
  onUnhandled?: UnhandledListener
}

export class FullReplay {
  readonly bus: LocalBus
  readonly #journal: Journal
  readonly #isCut: boolean
  readonly #end: Position
  readonly #reason: StopReason | undefined
  #cursor = 0

  constructor({ spec, journal, onEntry, onOutput, onUnhandled }: FullReplayOptions) {
    this.#journal = journal
    this.#isCut = isCut(journal)
    const last = journal.entryCount > 0 ? journal.entry(journal.entryCount - 1) : undefined
    this.#reason = last?.payload.kind === 'stop' ? last.payload.reason : undefined
    const entries = journal.entryCount - (this.#isCut ? 0 : 1)
    this.#end = { icount: last?.icount ?? 0, vt: last?.vt ?? 0, entries }
    const sink: LogSink = { append: (message) => this.#compare(message, onEntry) }
    const feed = new JournalFeed(journal, spec.board.gridNs, {
      position: () => this.#cursor,
      check: (entry, index) => this.#checkInput(entry, index),
    })
    this.bus = new LocalBus({ ...spec, sink, sources: [feed], ...(onUnhandled && { onUnhandled }) })
    if (onOutput !== undefined) this.bus.onOutput(onOutput)
  }

  /** Entries that the replay agreed with. */
  get cursor(): number {
    return this.#cursor
  }

  /**
   * Replays until it `isOver`, which is asked as `LocalBus` asks it, to instruction `until` at most. Throws a
   * `DivergenceError` at the first difference.
   */
  runSlice(isOver: () => boolean, until = NEVER): ReplaySlice {
    const positions = [this.#end, { icount: until, vt: 0 }]
    try {
      const result = this.bus.runSlice({ isOver, until: positions })
      if (result.state === 'stopped' || result.state === 'ran') return result
      if (this.#cursor < (this.#end.entries ?? 0) || this.bus.icount < this.#end.icount) return { state: 'until' }
      if (this.#reason === undefined) return { state: 'cut' }
      if (this.#reason === 'poweroff' && this.bus.stopAsked !== 'poweroff') {
        throw this.#differs(undefined, 'no device asked for power-off')
      }
      this.bus.stop(this.#reason)
      return { state: 'stopped', reason: this.#reason }
    } catch (error) {
      if (error instanceof JournalCut) return { state: 'cut' }
      if (error instanceof GuestSleepsForEver)
        throw this.#differs(undefined, 'the CPU is idle and nothing will wake it')
      throw error
    }
  }

  #compare(actual: Message, onEntry: EntryListener | undefined): void {
    if (this.#cursor >= this.#journal.entryCount) {
      if (this.#isCut) throw new JournalCut()
      throw this.#differs(actual, describeDifference(undefined, actual))
    }
    const expected = this.#journal.entry(this.#cursor)
    if (!sameMessage(expected, actual)) throw this.#differs(actual, describeDifference(expected, actual))
    this.#cursor++
    onEntry?.(this.#cursor - 1, expected)
  }

  /** Throws a `DivergenceError` for an input, entry number `index`, that no world can have sent. */
  #checkInput({ src, dst }: Message, index: number): void {
    const { hosts, machine } = this.bus
    const device = machine.layout.byName.get(dst)
    if (src !== WORLD && src !== SCRIPT) throw this.#differs(undefined, `inputs do not come from ${src}`, index)
    if (device === undefined || !hosts[device.number]?.takesInput) {
      throw this.#differs(undefined, `${dst} takes no input`, index)
    }
  }

  #differs(actual: Message | undefined, what: string, entry = this.#cursor): DivergenceError {
    const expected = entry < this.#journal.entryCount ? this.#journal.entry(entry) : undefined
    return new DivergenceError({
      node: actual?.src ?? expected?.src ?? CPU,
      entry,
      vt: this.bus.vt,
      icount: this.bus.icount,
      pc: this.bus.machine.cpu.pc,
      ...(expected && { expected }),
      ...(actual && { actual }),
      what,
      before: contextBefore(this.#journal, entry),
    })
  }
}

/** What a feed asks of its replay. */
interface FeedReplay {
  /** Entries that the replay agreed with. */
  position(): number
  /** Throws a `DivergenceError` for an input that cannot be. */
  check(input: Message, index: number): void
}

/** The inputs of a journal, and the stop that a world source asked for, at the positions where they stand. */
class JournalFeed implements WorldSource {
  readonly open = false
  readonly #journal: Journal
  readonly #gridNs: number
  readonly #replay: FeedReplay
  /** The first input that was not taken, and the entries after it. */
  #input: Message | undefined
  #next = 0

  constructor(journal: Journal, gridNs: number, replay: FeedReplay) {
    this.#journal = journal
    this.#gridNs = gridNs
    this.#replay = replay
    this.#find()
  }

  waiting(): Moment | undefined {
    if (this.#input === undefined) return undefined
    const { icount, vt } = this.#input
    // It stands at the first boundary at or after a grid point.
    return { icount, vt: Math.floor(vt / this.#gridNs) * this.#gridNs }
  }

  take(vt: Vt): WorldInput[] {
    const inputs: WorldInput[] = []
    while (this.#input !== undefined && this.#input.vt <= vt) {
      const { src, dst, payload } = this.#input
      this.#replay.check(this.#input, this.#next - 1)
      if (payload.kind === 'input') inputs.push({ src, dst, bytes: payload.bytes })
      this.#find()
    }
    return inputs
  }

  stop(vt: Vt, icount: number): StopReason | undefined {
    const index = this.#replay.position()
    if (index >= this.#journal.entryCount) return undefined
    const entry = this.#journal.entry(index)
    return entry.payload.kind === 'stop' && entry.vt === vt && entry.icount === icount
      ? entry.payload.reason
      : undefined
  }

  #find(): void {
    this.#input = undefined
    while (this.#input === undefined && this.#next < this.#journal.entryCount) {
      const entry = this.#journal.entry(this.#next++)
      if (entry.payload.kind === 'input') this.#input = entry
    }
  }
}

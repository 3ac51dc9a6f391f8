/**
 * The inline placement: one machine's bus with every device called directly. docs/bus.md says what happens when.
 *
 * `runSlice` is synchronous and bounded, so that whoever calls it can serve its host between slices. Where slices end
 * leaves no trace in the log.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Overlay } from './block-store.ts'
import type { Board, Load } from './board.ts'
import { copyOf } from './bytes.ts'
import type { CpuSideState } from './cpu-side.ts'
import { type Request, StateError } from './device.ts'
import { type Answer, DeviceHost, type HostSink, type HostState } from './device-host.ts'
import type { QueuedEffect, UnhandledListener } from './host-io.ts'
import { CPU_END, type DeviceSlot } from './layout.ts'
import { buildMachine, type CreateCpu, type Machine } from './machine.ts'
import {
  BUS,
  CPU,
  type Data,
  INLINE_MEMORY_BYTES,
  type Line,
  type LogSink,
  type Memory,
  NEVER,
  type NodeName,
  type Output,
  type Payload,
  type Read,
  type StopReason,
  type Vt,
  WORLD,
  type Write,
} from './message.ts'
import type { Moment, OutputListener, WorldSource } from './world.ts'

/** Entries after which a segment ends, at the next hash point at which the CPU has run. */
export const SEGMENT_ENTRIES = 4096

/** Entries after which the next grid point is a hash point, whenever that comes: what bounds a segment. */
export const CROWDED_ENTRIES = 4 * SEGMENT_ENTRIES

/** The most messages that may be delivered at one position: more is a loop between devices. */
export const CHAIN_LIMIT = 100_000

/** Accesses, a millisecond's or two, after which a slice may be over, besides at hash points. */
export const SLICE_ACCESSES = 4096

/** The guest is idle, nothing is due, and no input can ever come. */
export class GuestSleepsForEver extends Error {
  override readonly name = 'GuestSleepsForEver'
  constructor(vt: Vt, icount: number) {
    super(
      `the guest sleeps for ever: at ${vt} ns (instruction ${icount}) it waits for an interrupt, and nothing is due. ` +
        'If it halted, end the script with `quit` before; if it waits for input, let the script `send` some.',
    )
  }
}

/**
 * A place to stop at: the first boundary with at least this icount and vt, before what is due there. With `entries` the
 * log must have that many entries too; the place may then be amid what is due.
 */
export interface Position extends Moment {
  entries?: number
}

export interface SliceOptions {
  /** Default: any number. */
  maxInstructions?: number
  /** Asked after hash points and `SLICE_ACCESSES` accesses: whether the host wants its thread back. Default: never. */
  isOver?: () => boolean
  /** Stop at the first of these. */
  until?: readonly Position[]
  /** Idle jumps go no further than this, the host's notion of guest time now. Default: any distance. */
  hostVt?: Vt
}

/**
 * Why a slice ended. `ran`: it is used up or over. `until`: a position asked for is reached. `sleep`: the CPU is idle until
 * `until`, which lies after `hostVt` (`NEVER`: only an input can wake it). `stopped`: the log has its `stop` entry.
 */
export type SliceResult =
  | { state: 'ran' }
  | { state: 'until' }
  | { state: 'sleep'; until: Vt }
  | { state: 'stopped'; reason: StopReason }

export interface LocalBusOptions {
  board: Board
  createCpu: CreateCpu
  loads: readonly Load[]
  /** Where what is written to disks is kept: it changes nothing. Absent: in memory. */
  overlay?: Overlay
  sink: LogSink
  /** Asked in this order. */
  sources: readonly WorldSource[]
  onUnhandled?: UnhandledListener
  /** The log has a `grid` entry, and perhaps a `segment`: the state may be saved. Not for what comes of a world's input there. */
  onGrid?: (hasSegment: boolean) => void
}

/** A bus's state between messages, without the machine's memory. */
export interface BusState {
  idleNs: number
  nextGrid: Vt
  nextAsk: Vt
  nextHash: Vt
  gridIcount: number
  segmentEntries: number
  entryCount: number
  /** Asked for, and due at the next boundary. At power-on the first reset is. */
  resetAsked: boolean
  stopAsked: StopReason | null
  cpu: Record<string, unknown>
  cpuSide: CpuSideState
  devices: Record<NodeName, HostState>
}

export class LocalBus {
  readonly machine: Machine
  readonly hosts: readonly DeviceHost[]
  readonly #sink: LogSink
  readonly #hostSink: HostSink
  readonly #sources: readonly WorldSource[]
  readonly #listeners: OutputListener[] = []
  readonly #onGrid: LocalBusOptions['onGrid']
  /** Due time of each device's timer, in the board's order, as far as its effects have taken place. */
  readonly #due: Vt[]
  #nextDue: Vt = NEVER
  /** No source is asked before this grid point: at those up to it they were, or nobody waited. */
  #nextGrid: Vt
  /** The grid point to which a busy CPU runs: the next hash point, or one before it that a source waits for. */
  #nextAsk: Vt
  #nextHash: Vt
  /** Where the CPU stood at the last grid entry. */
  #gridIcount = 0
  #segmentEntries = 0
  #entryCount = 0
  /** Effects that wait for the outermost handler to return. Bounded by what handlers of one chain do. */
  readonly #queue: { device: number; effect: QueuedEffect }[] = []
  /** The position of what is done: set where the bus is entered, since it does not change meanwhile. */
  #hereIcount = 0
  #hereVt: Vt = 0
  #chainIcount = -1
  #chainVt = -1
  #chainLength = 0
  /** The first reset is power-on. */
  #resetAsked = true
  #stopAsked: StopReason | undefined
  #stopped: StopReason | undefined
  /** Of the CPU to devices, since a slice's end was last asked for. */
  #accesses = 0
  /** What bounds the CPU besides timers and the grid: the slice's end and the positions to stop at. */
  #runLimit = 0

  constructor(options: LocalBusOptions) {
    const { board, createCpu, loads, overlay, sink, sources, onUnhandled, onGrid } = options
    this.#sink = sink
    this.#onGrid = onGrid
    this.#sources = sources
    this.machine = buildMachine(board, createCpu, (slot, payload) => this.#cpuAccess(slot, payload), overlay)
    this.machine.load(loads)
    this.hosts = board.devices.map(
      ({ name, model, properties }) => new DeviceHost(name, model, properties, onUnhandled),
    )
    this.#hostSink = {
      queued: (host, effect) => this.#queue.push({ device: this.#slot(host.name).number, effect }),
      request: (host, request) => this.#answer(host.name, request),
    }
    this.#due = this.hosts.map(() => NEVER)
    const { clock } = this.machine
    this.#nextGrid = clock.gridAfter(0)
    this.#nextHash = clock.hashAfter(0)
    this.#nextAsk = this.#nextHash
  }

  get icount(): number {
    return this.machine.cpu.icount
  }

  get vt(): Vt {
    return this.machine.clock.vtAt(this.machine.cpu.icount)
  }

  /** Entries logged so far. */
  get entryCount(): number {
    return this.#entryCount
  }

  /** Set once the log has its `stop` entry. */
  get stopped(): StopReason | undefined {
    return this.#stopped
  }

  /** Why the run will end at the next boundary, once a device or a source asked for it. */
  get stopAsked(): StopReason | undefined {
    return this.#stopAsked
  }

  onOutput(listener: OutputListener): void {
    this.#listeners.push(listener)
  }

  /** The host of the device called `name`. */
  host(name: NodeName): DeviceHost {
    return this.hosts[this.#slot(name).number] as DeviceHost
  }

  /** Ends the run here, between slices. */
  stop(reason: StopReason): void {
    assert(this.#stopped === undefined, 'the run has ended already')
    this.#enter()
    this.#log(BUS, WORLD, { kind: 'stop', reason })
    this.#stopped = reason
  }

  /** Runs for a while. Throws `GuestSleepsForEver` when an idle guest cannot wake. */
  runSlice(options: SliceOptions): SliceResult {
    const { clock, cpu, cpuSide } = this.machine
    const until = options.until ?? []
    const { isOver, maxInstructions = NEVER } = options
    const sliceEnd = this.icount + maxInstructions
    let isIdle = false
    let asked = this.#nextHash
    this.#ask()
    for (;;) {
      if (this.#stopped !== undefined) return { state: 'stopped', reason: this.#stopped }
      if (until.some((position) => this.#isAt(position))) return { state: 'until' }
      if (this.icount >= sliceEnd) return { state: 'ran' }
      if (asked !== this.#nextHash || this.#accesses >= SLICE_ACCESSES) {
        asked = this.#nextHash
        this.#accesses = 0
        if (isOver?.()) return { state: 'ran' }
      }
      if (this.#serve()) isIdle = false
      if (this.#stopped !== undefined) continue
      if (until.some((position) => position.entries !== undefined && this.#isAt(position))) return { state: 'until' }
      if (isIdle) {
        const target = this.#idleTarget(options)
        if (target > (options.hostVt ?? NEVER - 1)) return this.#sleep(target)
        // Idle time that leads past a grid point comes to it at its end.
        if (target >= clock.gridAfter(this.vt)) this.#nextAsk = Math.min(this.#nextAsk, target)
        clock.skipTo(target, this.icount)
        isIdle = false
        continue
      }
      this.#runLimit = this.#limitOf(until, sliceEnd)
      const limit = this.#limit()
      const before = this.icount
      // Here and below not `assert(...)`, which takes longer than what it looks at.
      if (limit <= before) assert.fail('nothing that is due is left behind')
      cpuSide.limit = limit
      isIdle = cpu.run(cpuSide) === 'idle'
      if (!isIdle && this.icount <= before) assert.fail('the CPU makes progress')
    }
  }

  /** The state of all but memory. Between any two slices, before the first, and in `onGrid`. */
  save(): BusState {
    const { clock, cpu, cpuSide } = this.machine
    assert(this.#queue.length === 0 && this.#stopped === undefined, 'a bus is saved between messages, before its end')
    return {
      idleNs: clock.idleNs,
      nextGrid: this.#nextGrid,
      nextAsk: this.#nextAsk,
      nextHash: this.#nextHash,
      gridIcount: this.#gridIcount,
      segmentEntries: this.#segmentEntries,
      entryCount: this.#entryCount,
      resetAsked: this.#resetAsked,
      stopAsked: this.#stopAsked ?? null,
      cpu: cpu.save(),
      cpuSide: cpuSide.save(),
      devices: Object.fromEntries(this.hosts.map((host) => [host.name, host.save()])),
    }
  }

  /** Takes the place of power-on. The machine's memory must be put back first. Throws a `StateError`. */
  restore(state: BusState): void {
    const { clock, cpu, cpuSide } = this.machine
    for (const host of this.hosts) {
      const saved = state.devices[host.name]
      if (saved === undefined) throw new StateError(`the state has nothing of ${host.name}`)
      host.restore(saved)
      this.#due[this.#slot(host.name).number] = host.due
    }
    clock.idleNs = state.idleNs
    cpu.restore(state.cpu)
    cpuSide.restore(state.cpuSide)
    this.#nextDue = Math.min(NEVER, ...this.#due)
    this.#nextGrid = state.nextGrid
    this.#nextAsk = state.nextAsk
    this.#nextHash = state.nextHash
    this.#gridIcount = state.gridIcount
    this.#segmentEntries = state.segmentEntries
    this.#entryCount = state.entryCount
    this.#resetAsked = state.resetAsked
    this.#stopAsked = state.stopAsked ?? undefined
  }

  /** Does all that is due at this position. Returns whether anything happened that an idle CPU might notice. */
  #serve(): boolean {
    let served = false
    this.#enter()
    const vt = this.#hereVt
    for (;;) {
      if (this.#stopAsked !== undefined) {
        this.stop(this.#stopAsked)
        return true
      }
      if (this.#resetAsked) this.#powerOn()
      else if (this.#nextDue <= vt) {
        const device = this.#due.indexOf(this.#nextDue)
        this.#setDue(device, NEVER)
        this.#begin(BUS, device, { kind: 'event' })
      } else if (vt >= this.#nextAsk) {
        if (!this.#gridPoint(vt)) continue
      } else return served
      served = true
    }
  }

  /** A point of the input grid. Returns whether an input came or the run is to end. */
  #gridPoint(vt: Vt): boolean {
    const { clock } = this.machine
    const icount = this.icount
    this.#nextGrid = clock.gridAfter(vt)
    const isHashed = vt >= this.#nextHash
    if (isHashed) this.#nextHash = clock.hashAfter(vt)
    this.#nextAsk = this.#nextHash
    if (isHashed && icount !== this.#gridIcount) this.#logHash()
    let served = false
    for (const source of this.#sources) {
      for (const { src, dst, bytes } of source.take(vt, icount)) {
        this.#begin(src, this.#slot(dst).number, { kind: 'input', bytes })
        served = true
      }
    }
    for (const source of this.#sources) this.#stopAsked ??= source.stop?.(vt, icount)
    this.#ask()
    return served || this.#stopAsked !== undefined
  }

  #logHash(): void {
    const { cpu, contents } = this.machine
    this.#gridIcount = this.icount
    this.#log(CPU, BUS, { kind: 'grid', hash: cpu.hashRegisters() })
    const hasSegment = this.#segmentEntries >= SEGMENT_ENTRIES
    if (hasSegment) {
      const { low, high } = contents.hash()
      this.#log(CPU, BUS, { kind: 'segment', hashLow: low, hashHigh: high })
      this.#segmentEntries = 0
    }
    this.#onGrid?.(hasSegment)
  }

  /** Makes the next grid point a hash point. */
  #hashSoon(): void {
    const { clock, cpuSide } = this.machine
    this.#nextHash = Math.min(this.#nextHash, Math.max(this.#nextGrid, clock.gridFrom(this.#hereVt)))
    this.#nextAsk = Math.min(this.#nextAsk, this.#nextHash)
    cpuSide.limit = Math.min(cpuSide.limit, this.#limit())
  }

  /** Asks the sources for what grid point they wait, as far as they know. */
  #ask(): void {
    const { clock } = this.machine
    const vt = this.vt
    for (const source of this.#sources) {
      const moment = source.waiting(vt)
      if (moment === undefined) continue
      const from = clock.gridFrom(Math.max(vt, moment.vt))
      const begun = moment.icount > this.icount ? clock.gridWith(moment.icount) : 0
      this.#nextAsk = Math.min(this.#nextAsk, Math.max(this.#nextGrid, from, begun))
    }
  }

  /** Power-on, or a reset that a device asked for: the CPU first, then the devices in the board's order. */
  #powerOn(): void {
    const icount = this.icount
    this.#resetAsked = false
    this.#log(BUS, CPU, { kind: 'reset' })
    this.machine.resetCpu()
    assert.equal(this.icount, icount, 'a reset does not change icount')
    for (const { number } of this.machine.layout.devices) {
      this.machine.cpuSide.resetIndexes(number)
      this.#begin(BUS, number, { kind: 'reset' })
    }
  }

  /** An access of the CPU, in the middle of its instruction. */
  #cpuAccess(slot: DeviceSlot, payload: Read | Write): number {
    const { cpuSide } = this.machine
    this.#enter()
    const host = this.#sent(CPU, slot.number, payload)
    const data = host.deliverAccess(payload, this.#hereVt, this.#hostSink)
    if (data !== undefined) {
      this.#log(slot.name, CPU, data)
      cpuSide.answered(slot.number, payload as Read, data)
    }
    if (this.#queue.length > 0) this.#carryOutQueued()
    if (++this.#accesses >= SLICE_ACCESSES) cpuSide.limit = 0
    return data?.value ?? 0
  }

  /** Delivers an outermost message of the bus or the world, and carries out what follows from it. */
  #begin(src: NodeName, device: number, payload: Payload): void {
    this.#deliver(src, device, payload)
    if (this.#queue.length > 0) this.#carryOutQueued()
  }

  #carryOutQueued(): void {
    // What these lead to joins the queue while it is walked.
    for (const queued of this.#queue) this.#carryOut(queued.device, queued.effect)
    this.#queue.length = 0
    // Effects alone bring nearer what the CPU runs to: a timer that is due earlier, a power-off, a reset.
    const { cpuSide } = this.machine
    cpuSide.limit = Math.min(cpuSide.limit, this.#limit())
  }

  #deliver(src: NodeName, device: number, payload: Payload): Data | undefined {
    const host = this.#sent(src, device, payload)
    const data = host.deliver(payload, this.#hereVt, this.#hostSink)
    if (data !== undefined) this.#log(host.name, src, data)
    return data
  }

  /** A message is on its way to a device: returns the device's host. */
  #sent(src: NodeName, device: number, payload: Payload): DeviceHost {
    const host = this.hosts[device] as DeviceHost
    const vt = this.#hereVt
    if (this.#hereIcount !== this.#chainIcount || vt !== this.#chainVt) {
      this.#chainIcount = this.#hereIcount
      this.#chainVt = vt
      this.#chainLength = 0
    }
    if (++this.#chainLength > CHAIN_LIMIT) {
      assert.fail(`devices pass messages in a circle: ${host.name} ${payload.kind} at ${vt}`)
    }
    this.#log(src, host.name, payload)
    this.machine.cpuSide.delivered(device)
    return host
  }

  /** What a handler asks for at once. */
  #answer(name: NodeName, request: Request): Answer {
    const { cpuSide } = this.machine
    const { number } = this.#slot(name)
    if (request.request === 'access') {
      return this.#deliver(name, this.#slot(request.dst).number, request.access)?.value
    }
    if (request.request === 'dmaCopy') {
      const { request: kind, ...places } = request
      this.#log(name, CPU, { kind, ...places })
      cpuSide.dmaCopy(number, places)
      return undefined
    }
    const { target, address } = request
    if (request.request === 'dmaWrite') {
      const bytes = copyOf(request.bytes)
      this.#log(name, CPU, { kind: 'dmaWrite', target, address, bytes })
      cpuSide.dmaWrite(number, target, address, bytes)
      return undefined
    }
    this.#log(name, CPU, { kind: 'dmaRead', target, address, length: request.length })
    const bytes = cpuSide.dmaRead(number, target, address, request.length)
    this.#log(CPU, name, loggedMemory(bytes))
    return bytes
  }

  #carryOut(device: number, effect: QueuedEffect): void {
    const slot = this.machine.layout.devices[device] as DeviceSlot
    switch (effect.kind) {
      case 'line':
        for (const end of slot.wires[effect.output] ?? []) {
          const line: Line = { kind: 'line', wire: end.wire, level: effect.level }
          if (end.device === CPU_END) {
            this.#log(slot.name, CPU, line)
            this.machine.cpuSide.setLine(end.wire, effect.level)
          } else this.#deliver(slot.name, end.device, line)
        }
        break
      case 'timer':
        this.#log(slot.name, BUS, effect)
        this.#setDue(device, effect.due)
        break
      case 'map':
        this.#log(slot.name, CPU, effect)
        this.machine.cpuSide.mapRegion(device, effect)
        break
      case 'output':
        this.#log(slot.name, WORLD, effect)
        if (slot.isPower) this.#power(slot.name, effect)
        for (const listener of this.#listeners) listener(slot.name, effect.bytes, this.vt, this.#entryCount - 1)
        this.#ask()
    }
  }

  #power(name: NodeName, { bytes }: Output): void {
    const request = Buffer.from(bytes).toString('latin1')
    if (request === 'off') this.#stopAsked = 'poweroff'
    else if (request === 'reset') this.#resetAsked = true
    else assert.fail(`${name} asks the board for ${JSON.stringify(request)}`)
  }

  #setDue(device: number, due: Vt): void {
    this.#due[device] = due
    this.#nextDue = Math.min(NEVER, ...this.#due)
  }

  #isAt({ icount, vt, entries }: Position): boolean {
    return this.icount >= icount && this.vt >= vt && this.#entryCount >= (entries ?? 0)
  }

  /** Before which instruction the CPU must stop. */
  #limit(): number {
    if (this.#stopAsked !== undefined || this.#resetAsked) return 0
    return Math.min(this.#runLimit, this.machine.clock.icountAt(Math.min(this.#nextDue, this.#nextAsk)))
  }

  #limitOf(until: readonly Position[], sliceEnd: number): number {
    let limit = sliceEnd
    for (const { icount, vt } of until) {
      const at = Math.max(icount, this.machine.clock.icountAt(vt))
      if (at > this.icount && at < limit) limit = at
    }
    return limit
  }

  /** To when an idle CPU jumps, or `NEVER`. */
  #idleTarget({ until, hostVt }: SliceOptions): Vt {
    const { clock, cpu } = this.machine
    const vt = this.vt
    let target = Math.min(this.#nextDue, cpu.timerDue)
    if (this.icount !== this.#gridIcount) target = Math.min(target, this.#nextHash)
    for (const position of until ?? []) {
      if (position.icount <= this.icount && position.vt > vt) target = Math.min(target, position.vt)
    }
    const { gridNs } = clock
    // What waits enters at a grid point, never where a jump past one ends: there a replay would not look for it.
    const now = hostVt === undefined ? vt : Math.max(vt, Math.floor(Math.min(hostVt, target) / gridNs) * gridNs)
    for (const source of this.#sources) {
      const moment = source.waiting(now)
      // An idle CPU begins no instructions.
      if (moment === undefined || moment.icount > this.icount) continue
      target = Math.min(target, Math.max(clock.gridAfter(vt), clock.gridFrom(moment.vt)))
    }
    assert(target > vt, `the CPU is idle at ${vt} with its timer due at ${cpu.timerDue}`)
    return target
  }

  #sleep(until: Vt): SliceResult {
    if (until === NEVER && !this.#sources.some(({ open }) => open)) throw new GuestSleepsForEver(this.vt, this.icount)
    return { state: 'sleep', until }
  }

  #slot(name: NodeName): DeviceSlot {
    const slot = this.machine.layout.byName.get(name)
    if (slot === undefined) assert.fail(`${this.machine.layout.board.name} has no device ${name}`)
    return slot
  }

  /** Takes note of where the CPU stands. */
  #enter(): void {
    // Here and below not `assert(...)`, which takes longer than what it looks at.
    if (this.#queue.length !== 0) assert.fail('the queue is empty before a message begins')
    this.#hereIcount = this.icount
    this.#hereVt = this.machine.clock.vtAt(this.#hereIcount)
  }

  #log(src: NodeName, dst: NodeName, payload: Payload): void {
    this.#entryCount++
    if (++this.#segmentEntries === CROWDED_ENTRIES) this.#hashSoon()
    this.#sink.append({ vt: this.#hereVt, icount: this.#hereIcount, src, dst, payload })
  }
}

/** A `memory` payload as it is logged: large ones as their SHA-256. */
export function loggedMemory(bytes: Uint8Array): Memory {
  if (bytes.length <= INLINE_MEMORY_BYTES) return { kind: 'memory', bytes }
  return { kind: 'memory', bytes: createHash('sha256').update(bytes).digest(), length: bytes.length }
}

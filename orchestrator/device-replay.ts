/**
 * The `device` replay: one device alone. Every message that it was sent is handed to it, and what it then does must be
 * the journal's entries with it as sender, in order: what it asks for at once, at once; queued effects first in first
 * out, before the next message that begins a chain.
 *
 * Entries are pushed in, all of them in order, so that a journal alone or a `cpu` replay beside it (which regenerates
 * `memory` payloads that the journal left out) can drive it.
 */
import assert from 'node:assert/strict'
import {
  type Board,
  BUS,
  CPU,
  CPU_END,
  copyOf,
  DeviceHost,
  type DeviceSlot,
  type Layout,
  layoutBoard,
  type Message,
  type NodeName,
  type Payload,
  type QueuedEffect,
  type Request,
  type Step,
  type UnhandledListener,
  WORLD,
} from '../bus/mod.ts'
import { startsChain } from './cpu-replay.ts'
import {
  contextBefore,
  DivergenceError,
  describeDifference,
  impossibleMessage,
  type Journal,
  sameMessage,
} from './divergence.ts'

/** A device that the board has not. */
export class NoSuchDevice extends Error {
  override readonly name = 'NoSuchDevice'
  constructor(device: NodeName, layout: Layout) {
    const names = layout.devices.map(({ name }) => name).join(', ')
    super(`${layout.board.name} has no device ${device}. It has: ${names}.`)
  }
}

export class DeviceReplay {
  readonly host: DeviceHost
  readonly #journal: Journal
  readonly #layout: Layout
  readonly #slot: DeviceSlot
  /** Entries that the device's queued effects must make, oldest first. Bounded by what one chain does. */
  readonly #queued: Message[] = []
  /** What the handler asked for and the journal has not shown yet. */
  #asked: Message | undefined
  /** A request whose answer is still to come from the journal. */
  #awaiting: 'memory' | 'data' | undefined
  /** The answer that the journal must show next. */
  #answer: Message | undefined
  #asker: NodeName = CPU

  /** Throws `NoSuchDevice`. */
  constructor({ board }: { board: Board }, device: NodeName, journal: Journal, onUnhandled?: UnhandledListener) {
    this.#layout = layoutBoard(board)
    const slot = this.#layout.byName.get(device)
    const entry = board.devices.find(({ name }) => name === device)
    if (slot === undefined || entry === undefined) throw new NoSuchDevice(device, this.#layout)
    this.#slot = slot
    this.#journal = journal
    this.host = new DeviceHost(device, entry.model, entry.properties, onUnhandled)
  }

  /**
   * Takes the journal's next entry, number `index`; `bytes` are those of a `memory` entry whose payload was left out.
   * Throws a `DivergenceError` at the first difference.
   */
  consume(index: number, entry: Message, bytes?: Uint8Array): void {
    if (startsChain(entry) || (entry.src === CPU && entry.payload.kind !== 'memory')) this.#nothingLeft(index)
    if (entry.src === this.#slot.name) this.#sent(index, entry)
    if (entry.dst === this.#slot.name) this.#received(index, entry, bytes)
  }

  /** The journal, not cut, is at its end. */
  finish(): void {
    this.#nothingLeft(this.#journal.entryCount)
  }

  #received(index: number, entry: Message, bytes: Uint8Array | undefined): void {
    const { payload } = entry
    if (payload.kind === 'memory' || payload.kind === 'data') {
      if (this.#awaiting !== payload.kind)
        throw this.#differs(index, undefined, 'the device has asked for no such answer')
      this.#awaiting = undefined
      if (payload.kind === 'data') this.#advance(index, entry, () => this.host.resume(payload.value))
      else {
        const whole = bytes ?? payload.bytes
        assert(
          payload.length === undefined || whole.length === payload.length,
          'the bytes were left out of the journal',
        )
        this.#advance(index, entry, () => this.host.resume(whole))
      }
      return
    }
    if (this.host.suspended || this.#answer !== undefined) {
      throw this.#differs(index, this.#asked ?? this.#answer, 'the device has not done with the message before')
    }
    if (payload.kind === 'event' && this.host.due > entry.vt) {
      throw this.#differs(index, undefined, `the device's timer is due at ${this.host.due}, not now`)
    }
    this.#asker = entry.src
    this.#advance(index, entry, () => this.host.begin(payload, entry.vt, (effect) => this.#queue(entry, effect)))
  }

  /** Runs the handler as far as `run` takes it, at the position of `at`, entry number `index`. */
  #advance(index: number, at: Message, run: () => Step): void {
    let step: Step
    try {
      step = run()
    } catch (error) {
      throw impossibleMessage(error, (what) => this.#differs(index, undefined, what))
    }
    if (step.state === 'asks') this.#asked = this.#message(at, ...requestPayload(step.request))
    else if (step.data !== undefined) this.#answer = this.#message(at, this.#asker, step.data)
  }

  #sent(index: number, entry: Message): void {
    const { kind } = entry.payload
    if (kind === 'timer' || kind === 'map' || kind === 'output' || kind === 'line') {
      this.#same(index, entry, this.#queued.shift())
      return
    }
    if (kind === 'data') {
      const answer = this.#answer
      this.#answer = undefined
      this.#same(index, entry, answer ?? this.#asked)
      return
    }
    const asked = this.#asked
    this.#asked = undefined
    this.#same(index, entry, asked ?? this.#answer)
    if (kind === 'dmaRead') this.#awaiting = 'memory'
    else if (kind === 'read') this.#awaiting = 'data'
    else this.#advance(index, entry, () => this.host.resume(undefined))
  }

  #queue(at: Message, effect: QueuedEffect): void {
    if (effect.kind === 'line') {
      for (const { device, wire } of this.#slot.wires[effect.output] ?? []) {
        const dst = device === CPU_END ? CPU : this.#layout.devices[device]?.name
        assert(dst !== undefined)
        this.#queued.push(this.#message(at, dst, { kind: 'line', wire, level: effect.level }))
      }
    } else this.#queued.push(this.#message(at, QUEUED_DST[effect.kind], effect))
  }

  #message({ vt, icount }: Message, dst: NodeName, payload: Payload): Message {
    return { vt, icount, src: this.#slot.name, dst, payload }
  }

  #same(index: number, expected: Message, actual: Message | undefined): void {
    if (actual === undefined) throw this.#differs(index, undefined, 'the device did not send this message')
    if (!sameMessage(expected, actual)) throw this.#differs(index, actual, describeDifference(expected, actual))
  }

  /** All that the device did must have been shown by now. */
  #nothingLeft(index: number): void {
    const left = this.#answer ?? this.#asked ?? this.#queued[0]
    if (left !== undefined)
      throw this.#differs(index, left, `the device sent a ${left.payload.kind} that the journal has not`)
  }

  #differs(index: number, actual: Message | undefined, what: string): DivergenceError {
    const expected = index < this.#journal.entryCount ? this.#journal.entry(index) : undefined
    const at = actual ?? expected
    assert(at !== undefined)
    return new DivergenceError({
      node: this.#slot.name,
      entry: index,
      vt: at.vt,
      icount: at.icount,
      ...(expected && { expected }),
      ...(actual && { actual }),
      what,
      before: contextBefore(this.#journal, index),
    })
  }
}

/** Whether a journal left out bytes that the device read: a `cpu` replay must then bring them. */
export function needsMemory(journal: Journal, device: NodeName): boolean {
  for (let index = 0; index < journal.entryCount; index++) {
    const { dst, payload } = journal.entry(index)
    if (dst === device && payload.kind === 'memory' && payload.length !== undefined) return true
  }
  return false
}

const QUEUED_DST = { timer: BUS, map: CPU, output: WORLD } as const

function requestPayload(request: Request): [NodeName, Payload] {
  switch (request.request) {
    case 'access':
      return [request.dst, request.access]
    case 'dmaRead': {
      const { target, address, length } = request
      return [CPU, { kind: 'dmaRead', target, address, length }]
    }
    case 'dmaCopy': {
      const { request: kind, ...places } = request
      return [CPU, { kind, ...places }]
    }
    case 'dmaWrite': {
      const { target, address, bytes } = request
      return [CPU, { kind: 'dmaWrite', target, address, bytes: copyOf(bytes) }]
    }
  }
}

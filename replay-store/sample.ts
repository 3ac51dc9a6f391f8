/**
 * Journals for tests and benchmarks: one entry of every kind, random ones, and one that resembles a Linux boot.
 */
import type { AccessSize, Kind, Message, NodeName, Payload } from '../bus/mod.ts'
import { NEVER } from '../bus/mod.ts'
import { KINDS } from './codec.ts'
import type { ManifestInput } from './manifest.ts'

export const SAMPLE_NODES: readonly NodeName[] = ['cpu', 'bus', 'world', 'script', 'uart0', 'pic0', 'rtc0']
export const NS_PER_INSTRUCTION = 8

/** A manifest for recordings that only tests read. */
export function sampleManifest(): ManifestInput {
  return {
    createdWith: '0.1.0',
    board: { name: 'malta', options: { endian: 'little', slots: [1, 2] } },
    guest: 'sample',
    nsPerInstruction: NS_PER_INSTRUCTION,
    gridNs: 1_000_000,
    hashNs: 1_000_000,
    memoryBytes: 2 ** 28,
    rtcSeconds: 1_700_000_000,
    script: 'expect ~ #\nsend poweroff -f\n',
    nodes: [...SAMPLE_NODES],
  }
}

/** Whole numbers from a seed (xorshift32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  /** 0 to 2^32 - 1. */
  u32(): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return this.#state >>> 0
  }

  below(bound: number): number {
    return this.u32() % bound
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }

  /** Numbers of every size up to 2^53 - 1, limits included. */
  whole(): number {
    const limits = [0, 1, 63, 64, 127, 128, 2 ** 31, 2 ** 32 - 1, 2 ** 32, NEVER - 1, NEVER]
    return this.below(3) === 0 ? this.pick(limits) : (this.u32() % 2 ** 21) * 2 ** this.below(33)
  }

  bytes(): Uint8Array {
    return Uint8Array.from({ length: this.pick([0, 1, 1, 2, 31, 200]) }, () => this.below(256))
  }
}

function randomPayload(kind: Kind, random: Random): Payload {
  const u32 = () => random.pick([random.below(8), random.u32(), 0xffff_ffff])
  const register = () => ({
    region: random.below(3),
    offset: u32(),
    size: random.pick<AccessSize>([1, 2, 4]),
    ...(random.below(2) === 0 ? {} : { index: u32() }),
  })
  switch (kind) {
    case 'reset':
    case 'event':
      return { kind }
    case 'read':
      return { kind, ...register() }
    case 'write':
      return { kind, ...register(), value: u32() }
    case 'line':
      return { kind, wire: random.below(16), level: random.below(2) as 0 | 1 }
    case 'memory':
      return { kind, bytes: random.bytes(), ...(random.below(2) === 0 ? {} : { length: random.whole() }) }
    case 'input':
    case 'output':
      return { kind, bytes: random.bytes() }
    case 'data':
      return { kind, value: u32(), validUntil: random.whole() }
    case 'timer':
      return { kind, due: random.whole() }
    case 'dmaRead':
      return { kind, target: random.below(4) - 1, address: random.whole(), length: random.whole() }
    case 'dmaWrite':
      return { kind, target: random.below(4) - 1, address: random.whole(), bytes: random.bytes() }
    case 'dmaCopy': {
      const [fromAddress, toAddress, length] = [random.whole(), random.whole(), random.whole()]
      return { kind, from: random.below(4) - 1, to: random.below(4) - 1, fromAddress, toAddress, length }
    }
    case 'map': {
      const [base, length, offset] = [random.whole(), random.whole(), random.whole()]
      const mode = random.pick(['registers', 'ram', 'rom', 'off'] as const)
      return { kind, region: random.below(4), space: random.pick(['memory', 'io', 'é\n1']), base, length, offset, mode }
    }
    case 'grid':
      return { kind, hash: random.u32() }
    case 'segment':
      return { kind, hashLow: random.u32(), hashHigh: random.u32() }
    case 'stop':
      return { kind, reason: random.pick(['poweroff', 'quit', 'limit', 'failed'] as const) }
  }
}

/**
 * `count` well-formed entries that make no sense together, of every kind but `segment` unless `segments` is set: each
 * of those closes a segment.
 */
export function randomMessages(count: number, random: Random, segments = false): Message[] {
  const kinds = KINDS.map((row) => row.kind).filter((kind) => segments || kind !== 'segment')
  let icount = 0
  let vt = 0
  return Array.from({ length: count }, () => {
    const skip = random.pick([0, 0, 0, random.below(200), random.u32()])
    icount += skip
    vt += skip * NS_PER_INSTRUCTION + random.pick([0, 0, random.below(1000), random.u32()])
    const [src, dst] = [random.pick(SAMPLE_NODES), random.pick(SAMPLE_NODES)]
    return { vt, icount, src, dst, payload: randomPayload(random.pick(kinds), random) }
  })
}

/** What `sample-recorder.ts` records. */
export function recorderMessages(random: Random, segments: boolean): Message[] {
  return randomMessages(20_000, random, segments)
}

const WORDS =
  `Linux version console memory Malta pci bridge window resource registered protocol family clocksource initcall
  serial uart at MMIO irq base_baud is a probing device driver usb hub found freeing unused kernel image random crng init
  done hash table entries order bytes linear TCP established bind cache policy workingset timestamp_bits max_order bucket
  io scheduler mq-deadline rtc_cmos setting system clock to UTC loaded key type asymmetric parser x509 bus core ports`
    .split(/\s+/)
    .filter((word) => word !== '')

function bootText(random: Random, bytes: number): string {
  let text = ''
  let us = 0
  while (text.length < bytes) {
    us += random.below(200_000)
    const words = Array.from({ length: 4 + random.below(7) }, () =>
      random.below(6) === 0 ? `0x${random.below(2 ** 20).toString(16)}` : random.pick(WORDS),
    )
    text += `[${(us / 1e6).toFixed(6).padStart(12)}] ${words.join(' ')}\r\n`
  }
  return text.slice(0, bytes)
}

const THR = 0
const LSR = 5

/**
 * A journal shaped like that of a Linux boot: `seconds` of a busy CPU with a grid entry every millisecond, and a console
 * of `textBytes` characters, each with two polls of the UART's LSR, a write of THR and an output. Segments end as the
 * bus ends them.
 */
export function* bootMessages(random: Random, seconds: number, textBytes: number): Generator<Message> {
  const gridInstructions = 1_000_000 / NS_PER_INSTRUCTION
  const text = bootText(random, textBytes)
  const spacing = Math.floor((seconds * 1000 * gridInstructions) / textBytes)
  let icount = 0
  let nextGrid = gridInstructions
  let inSegment = 0
  const at = (src: NodeName, dst: NodeName, payload: Payload): Message => {
    inSegment++
    return { vt: icount * NS_PER_INSTRUCTION, icount, src, dst, payload }
  }
  for (const character of text) {
    // Lines come in bursts of evenly spaced characters, with a pause between that the rest of the boot takes.
    const next = icount + (character === '\n' ? 60 * spacing - random.below(spacing) : 2000 + random.below(3))
    while (nextGrid <= next) {
      icount = nextGrid
      yield at('cpu', 'bus', { kind: 'grid', hash: random.u32() })
      if (inSegment >= 4096) {
        yield at('cpu', 'bus', { kind: 'segment', hashLow: random.u32(), hashHigh: random.u32() })
        inSegment = 0
      }
      nextGrid += gridInstructions
    }
    icount = next
    for (const lsr of [0x20, 0x60]) {
      yield at('cpu', 'uart0', { kind: 'read', region: 0, offset: LSR, size: 1 })
      const validUntil = lsr === 0x60 ? NEVER : icount * NS_PER_INSTRUCTION + 86_805
      yield at('uart0', 'cpu', { kind: 'data', value: lsr, validUntil })
      icount += 14
    }
    const value = character.charCodeAt(0)
    yield at('cpu', 'uart0', { kind: 'write', region: 0, offset: THR, size: 1, value })
    yield at('uart0', 'bus', { kind: 'timer', due: icount * NS_PER_INSTRUCTION + 86_805 })
    yield at('uart0', 'world', { kind: 'output', bytes: Uint8Array.of(value) })
  }
}

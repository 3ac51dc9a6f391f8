/**
 * The journal for people: one line an entry, with registers by name where the device's model has a decoder.
 */
import type { Board, BoardDevice, DeviceModel, Message, NodeName, Payload, Region } from '../../bus/mod.ts'
import { CPU, NEVER, SYSTEM_MEMORY } from '../../bus/mod.ts'
import { quoted, vtText } from './format.ts'

type Decoder = (payload: Payload) => string | undefined

/** The kinds of messages that a device has sent; the others it was sent. */
const EFFECTS: ReadonlySet<Payload['kind']> = new Set([
  'data',
  'timer',
  'dmaRead',
  'dmaWrite',
  'dmaCopy',
  'output',
  'map',
])

interface Names {
  regions: readonly Region[]
  inputs: readonly string[]
  decode: Decoder | undefined
}

/**
 * Turns entries into words. Give it every entry in order, from the log's start: decoders keep what they need to know
 * between messages, such as which bank of registers is selected.
 */
export class EntryDecoder {
  readonly #devices: ReadonlyMap<NodeName, Names>

  constructor(board: Pick<Board, 'devices'>) {
    this.#devices = new Map(board.devices.map((device) => [device.name, namesOf(device)]))
  }

  /** What the entry says, without its position and nodes. */
  decode(message: Message): string {
    const { payload } = message
    const owner = this.#devices.get(EFFECTS.has(payload.kind) ? message.src : message.dst)
    const words = owner?.decode?.(payload)
    return words ?? plainWords(payload, message.dst, owner)
  }
}

function namesOf(device: BoardDevice): Names {
  const model = device.model as DeviceModel<unknown>
  return {
    regions: model.regions(device.properties),
    inputs: model.inputs,
    decode: model.decoder?.(device.properties),
  }
}

/** One entry as a line: number, virtual time, icount, nodes, kind, words. */
export function entryLine(number: number, message: Message, words: string): string {
  const { vt, icount, src, dst, payload } = message
  const position = `${String(number).padStart(7)} ${vtText(vt).padStart(14)} ${String(icount).padStart(12)}`
  return `${position}  ${`${src} -> ${dst}`.padEnd(18)} ${payload.kind.padEnd(8)} ${words}`.trimEnd()
}

/** One entry for programs. Bytes are in hexadecimal. */
export function entryObject(number: number, message: Message, words: string): Record<string, unknown> {
  const { payload, ...position } = message
  const fields = Object.entries(payload).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? bytesInHex(value) : value,
  ])
  return { entry: number, ...position, ...Object.fromEntries(fields), text: words }
}

function plainWords(payload: Payload, dst: NodeName, owner: Names | undefined): string {
  switch (payload.kind) {
    case 'reset':
    case 'event':
      return ''
    case 'read':
      return registerName(payload, owner)
    case 'write':
      return `${registerName(payload, owner)} <- ${hex(payload.value, payload.size * 2)}`
    case 'line': {
      const wire = dst === CPU ? `interrupt ${payload.wire}` : (owner?.inputs[payload.wire] ?? `wire ${payload.wire}`)
      return `${wire} = ${payload.level}`
    }
    case 'data':
      return `${hex(payload.value)}${validity(payload.validUntil)}`
    case 'timer':
      return payload.due === NEVER ? 'off' : `due at ${vtText(payload.due)}`
    case 'input':
    case 'output':
      return quoted(payload.bytes)
    case 'memory':
      return payload.length === undefined
        ? bytesInHex(payload.bytes)
        : `${payload.length} bytes with SHA-256 ${bytesInHex(payload.bytes)}`
    case 'dmaCopy': {
      const { from, fromAddress, to, toAddress, length } = payload
      const place = (target: number, address: number) => `${memoryName(target, owner)}${hex(address, 8)}`
      return `${place(to, toAddress)} <- ${length} bytes at ${place(from, fromAddress)}`
    }
    case 'dmaRead':
      return `${payload.length} bytes at ${memoryName(payload.target, owner)}${hex(payload.address, 8)}`
    case 'dmaWrite':
      return `${memoryName(payload.target, owner)}${hex(payload.address, 8)} <- ${bytesInHex(payload.bytes)}`
    case 'map':
      return mapWords(payload, owner?.regions[payload.region]?.name ?? `region ${payload.region}`)
    case 'grid':
      return `registers ${hex(payload.hash >>> 0, 8)}`
    case 'segment':
      return `memory ${hex(payload.hashHigh >>> 0, 8)}${hex(payload.hashLow >>> 0, 8).slice(2)}`
    case 'stop':
      return payload.reason
  }
}

function mapWords({ space, base, length, mode }: Payload & { kind: 'map' }, region: string): string {
  if (mode === 'off') return `${region} nowhere in ${space}`
  return `${region} at ${space} ${hex(base, 8)}, ${length} bytes, ${mode}`
}

function registerName(access: Payload & { kind: 'read' | 'write' }, owner: Names | undefined): string {
  const region = owner?.regions[access.region]?.name ?? `region ${access.region}`
  const index = access.index === undefined ? '' : `[${hex(access.index)}]`
  return `${region}+${hex(access.offset)}${index}/${access.size}`
}

function memoryName(target: number, owner: Names | undefined): string {
  return target === SYSTEM_MEMORY ? '' : `${owner?.regions[target]?.name ?? target}+`
}

function validity(validUntil: number): string {
  if (validUntil === 0) return ''
  return validUntil === NEVER ? ', until its next message' : `, until ${vtText(validUntil)}`
}

function bytesInHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function hex(value: number, digits = 0): string {
  return `0x${value.toString(16).padStart(digits, '0')}`
}

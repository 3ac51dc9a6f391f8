/**
 * Malta's monitor flash: two Intel 28F160S3 chips of 16 bits side by side, 4 MiB in 32-bit words.
 *
 * Intel "3 Volt FlashFile Memory 28F160S3/28F320S3" datasheet, order number 290608. Each chip obeys what is written to
 * its half of the data bus. In the read-array state of both chips the guest reads the contents as ROM, without
 * messages; in any other state the array is device space.
 *
 * Erasing and programming take no time, so that suspending is never needed. Not modelled: full chip erase, the STS pin
 * configuration, Vpp. A machine reset loads the board's first contents again.
 */
import { MEMORY_SPACE } from '../../bus/mod.ts'
import {
  type AccessSize,
  accessDecoder,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  dmaRead,
  dmaWrite,
  field,
  hex,
  NEVER,
  type Payload,
  type Region,
  type Sequence,
  StateLayout,
} from '../sdk/mod.ts'
import {
  BLOCK_BYTES,
  BLOCK_STATUS_WORD,
  BLOCKS,
  CHIP_BYTES,
  DEVICE_28F160S3,
  MANUFACTURER_INTEL,
  queryByte,
  WRITE_BUFFER_BYTES,
} from './query.ts'

export interface FlashCfiProperties {
  /** Physical address. */
  base: number
  /** The CPU's byte order: which byte of a word is on the data lines D0 to D7 of each chip. */
  endian: 'little' | 'big'
}

/** The one region's number. */
const ARRAY = 0
const CHIPS = 2
/** Bytes of the array from one chip's word to its next. */
const STRIDE_BYTES = 4
export const FLASH_BYTES = CHIPS * CHIP_BYTES

/** Commands, on D0 to D7. */
const command = {
  PROGRAM_SETUP_ALTERNATE: 0x10,
  BLOCK_ERASE_SETUP: 0x20,
  PROGRAM_SETUP: 0x40,
  CLEAR_STATUS: 0x50,
  LOCK_SETUP: 0x60,
  READ_STATUS: 0x70,
  READ_IDENTIFIER: 0x90,
  READ_QUERY: 0x98,
  CONFIRM: 0xd0,
  WRITE_TO_BUFFER: 0xe8,
  READ_ARRAY: 0xff,
  LOCK_CONFIRM: 0x01,
} as const

/** Bits of the status register. */
const status = { READY: 0x80, ERASE_ERROR: 0x20, PROGRAM_ERROR: 0x10, BLOCK_LOCKED: 0x02 } as const
const SEQUENCE_ERROR = status.ERASE_ERROR | status.PROGRAM_ERROR

/** Bit of a block's status word. */
const BLOCK_IS_LOCKED = 1

const readStates = ['array', 'status', 'identifier', 'query'] as const
/** What the next write to a chip means. */
const steps = ['command', 'erase', 'program', 'lock', 'buffer-count', 'buffer-data', 'buffer-confirm'] as const

const chipState = field.record({
  reads: field.oneOf(readStates),
  step: field.oneOf(steps),
  status: field.unsigned(8),
  /** One byte a block; 1: locked. */
  locks: field.bytes(BLOCKS, true),
  /** Words that a write to buffer still waits for. */
  wordsLeft: field.whole(0, WRITE_BUFFER_BYTES / 2),
  buffer: field.list(field.record({ word: field.whole(0, CHIP_BYTES / 2 - 1), data: field.unsigned(16) }), 16),
})

const layout = new StateLayout('flash-cfi', { chips: field.list(chipState, CHIPS) })

type Chip = ReturnType<typeof layout.restore>['chips'][number]

function newChip(): Chip {
  return {
    reads: 'array',
    step: 'command',
    status: status.READY,
    locks: new Uint8Array(BLOCKS),
    wordsLeft: 0,
    buffer: [],
  }
}

class FlashCfi implements Device {
  readonly #properties: FlashCfiProperties
  #chips = [newChip(), newChip()]

  constructor(properties: FlashCfiProperties) {
    this.#properties = properties
  }

  /** Lock bits are non-volatile. */
  reset(io: DeviceIo): void {
    this.#chips = this.#chips.map(({ locks }) => ({ ...newChip(), locks }))
    this.#map(io)
  }

  *read(_region: number, offset: number, size: AccessSize, io: DeviceIo): Sequence<number> {
    const from = offset - (offset % STRIDE_BYTES)
    const contents = this.#chips.some(({ reads }) => reads === 'array')
      ? yield* dmaRead(from, STRIDE_BYTES, ARRAY)
      : undefined
    const word = from / STRIDE_BYTES
    const bytes = this.#chips.flatMap((chip, number) => {
      if (chip.reads === 'array') return [...contents!.subarray(2 * number, 2 * number + 2)]
      return this.#bytesOf(chipWord(chip, word))
    })
    io.validUntil(NEVER)
    const lane = offset - from
    return bytes.slice(lane, lane + size).reduce((value, byte, i) => value + byte * 2 ** (8 * i), 0)
  }

  *write(_region: number, offset: number, size: AccessSize, value: number, io: DeviceIo): Sequence<void> {
    const wasArray = this.#isArray
    for (let lane = 0; lane < size; lane += 2) {
      const at = offset + lane
      const number = (at % STRIDE_BYTES) >>> 1
      const data = size === 1 ? this.#wordOfByte(at, value) : this.#wordOf((value >>> (8 * lane)) & 0xffff)
      // A byte on D8 to D15 alone reaches no command register.
      if (data !== undefined) yield* this.#writeChip(number, Math.floor(at / STRIDE_BYTES), data, io)
    }
    if (this.#isArray !== wasArray) this.#map(io)
  }

  save(): DeviceState {
    return layout.save({ chips: this.#chips })
  }

  restore(state: DeviceState): void {
    this.#chips = layout.restore(state).chips
  }

  get #isArray(): boolean {
    return this.#chips.every(({ reads }) => reads === 'array')
  }

  #map(io: DeviceIo): void {
    io.map(ARRAY, MEMORY_SPACE, this.#properties.base, this.#isArray ? 'rom' : 'registers')
  }

  /** One chip gets `data` at its word address `word`. */
  *#writeChip(number: number, word: number, data: number, io: DeviceIo): Sequence<void> {
    const chip = this.#chips[number]!
    const code = data & 0xff
    switch (chip.step) {
      case 'command':
        startCommand(chip, code, io)
        break
      case 'erase':
        chip.step = 'command'
        if (code === command.CONFIRM) yield* this.#erase(number, word)
        else chip.status |= SEQUENCE_ERROR
        break
      case 'program':
        chip.step = 'command'
        yield* this.#program(number, [{ word, data }])
        break
      case 'lock':
        chip.step = 'command'
        setLocks(chip, code, blockOf(word))
        break
      case 'buffer-count':
        chip.wordsLeft = Math.min(data + 1, WRITE_BUFFER_BYTES / 2)
        chip.buffer = []
        chip.step = 'buffer-data'
        break
      case 'buffer-data':
        chip.buffer.push({ word, data })
        chip.wordsLeft--
        if (chip.wordsLeft === 0) chip.step = 'buffer-confirm'
        break
      case 'buffer-confirm':
        chip.step = 'command'
        if (code === command.CONFIRM) yield* this.#program(number, chip.buffer)
        else chip.status |= SEQUENCE_ERROR
        chip.buffer = []
    }
  }

  *#erase(number: number, word: number): Sequence<void> {
    const chip = this.#chips[number]!
    const block = blockOf(word)
    if (chip.locks[block]) {
      chip.status |= status.ERASE_ERROR | status.BLOCK_LOCKED
      return
    }
    const from = block * BLOCK_BYTES * CHIPS
    const bytes = (yield* dmaRead(from, BLOCK_BYTES * CHIPS, ARRAY)).slice()
    for (let at = 2 * number; at < bytes.length; at += STRIDE_BYTES) bytes.fill(0xff, at, at + 2)
    yield* dmaWrite(from, bytes, ARRAY)
  }

  /** Programming can only turn ones into zeros. */
  *#program(number: number, words: readonly { word: number; data: number }[]): Sequence<void> {
    const chip = this.#chips[number]!
    for (const { word, data } of words) {
      if (chip.locks[blockOf(word)]) {
        chip.status |= status.PROGRAM_ERROR | status.BLOCK_LOCKED
        return
      }
      const at = word * STRIDE_BYTES + 2 * number
      const old = yield* dmaRead(at, 2, ARRAY)
      const bytes = this.#bytesOf(data).map((byte, i) => byte & old[i]!)
      yield* dmaWrite(at, Uint8Array.from(bytes), ARRAY)
    }
  }

  /** A chip's word from two bytes of memory taken as a little-endian number, and back. */
  #wordOf(pair: number): number {
    return this.#properties.endian === 'little' ? pair : ((pair & 0xff) << 8) | (pair >>> 8)
  }

  #bytesOf(word: number): [number, number] {
    const pair = this.#wordOf(word)
    return [pair & 0xff, pair >>> 8]
  }

  /** A write of one byte at `offset`: the word if the byte is on D0 to D7. The upper lines then float high. */
  #wordOfByte(offset: number, byte: number): number | undefined {
    const isLow = (offset & 1) === (this.#properties.endian === 'little' ? 0 : 1)
    return isLow ? 0xff00 | byte : undefined
  }
}

/** The first write of a command. */
function startCommand(chip: Chip, code: number, io: DeviceIo): void {
  switch (code) {
    case command.READ_ARRAY:
      chip.reads = 'array'
      break
    case command.READ_STATUS:
      chip.reads = 'status'
      break
    case command.READ_IDENTIFIER:
      chip.reads = 'identifier'
      break
    case command.READ_QUERY:
      chip.reads = 'query'
      break
    case command.CLEAR_STATUS:
      chip.status = status.READY
      break
    case command.BLOCK_ERASE_SETUP:
      chip.reads = 'status'
      chip.step = 'erase'
      break
    case command.PROGRAM_SETUP:
    case command.PROGRAM_SETUP_ALTERNATE:
      chip.reads = 'status'
      chip.step = 'program'
      break
    case command.LOCK_SETUP:
      chip.reads = 'status'
      chip.step = 'lock'
      break
    case command.WRITE_TO_BUFFER:
      chip.reads = 'status'
      chip.step = 'buffer-count'
      break
    default:
      io.unhandled(`flash command ${hex(code)}`)
  }
}

/** The second write of a lock command: one block's lock bit is set, or all are cleared. */
function setLocks(chip: Chip, code: number, block: number): void {
  if (code === command.LOCK_CONFIRM) chip.locks[block] = 1
  else if (code === command.CONFIRM) chip.locks.fill(0)
  else chip.status |= SEQUENCE_ERROR
}

/** What a chip that is not in its read-array state reads. */
function chipWord(chip: Chip, word: number): number {
  if (chip.reads === 'status') return chip.status
  if (word % (BLOCK_BYTES / 2) === BLOCK_STATUS_WORD) return chip.locks[blockOf(word)] ? BLOCK_IS_LOCKED : 0
  if (chip.reads === 'query') return queryByte(word & 0xff)
  return (word & 1) === 0 ? MANUFACTURER_INTEL : DEVICE_28F160S3
}

function blockOf(word: number): number {
  return Math.floor((word * 2) / BLOCK_BYTES)
}

const commandNames: ReadonlyMap<number, string> = new Map(Object.entries(command).map(([name, code]) => [code, name]))

function decoder({ endian }: FlashCfiProperties): (payload: Payload) => string | undefined {
  return accessDecoder(
    ({ offset }) => ({ register: hex(offset, 6), words: (value) => hex(value, 8) }),
    ({ offset, size }) => ({
      register: hex(offset, 6),
      words: (value) => {
        const code = endian === 'little' ? value & 0xff : (value >>> (8 * (size - 1))) & 0xff
        const name = commandNames.get(code)
        return name === undefined ? hex(value, 8) : `${hex(value, 8)} (${name})`
      },
    }),
  )
}

const regions: readonly Region[] = [{ kind: 'memory', name: 'array', size: FLASH_BYTES }]

/** The flash maps itself. Its contents are its region `array`, which a board loads: erased flash is all ones. */
export const flashCfi: DeviceModel<FlashCfiProperties> = {
  type: 'flash-cfi',
  stateVersion: 1,
  regions: () => regions,
  inputs: [],
  outputs: [],
  create: (properties) => new FlashCfi(properties),
  decoder,
}

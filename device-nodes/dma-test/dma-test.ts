/**
 * A device that copies and sums guest memory: the teaching example of a device that reaches memory by itself, and the
 * proof that such a device replays. It stands for no real chip.
 *
 * Registers are 32 bits wide, in the CPU's byte order:
 *
 *   0x00 SOURCE            physical address
 *   0x04 DESTINATION       physical address
 *   0x08 LENGTH            bytes, at most 1 MiB
 *   0x0c COMMAND           1 COPY: memory is copied, and DONE set, DELAY nanoseconds later
 *                          2 SUM: CHECKSUM is the sum of LENGTH bytes at SOURCE, and DONE set, at once
 *   0x10 STATUS            bit 0 BUSY, bit 1 DONE, bit 2 ERROR; DONE and ERROR are cleared by writing 1
 *   0x14 INTERRUPT_ENABLE  bit 0: output `irq` is asserted while DONE or ERROR is set
 *   0x18 CHECKSUM          modulo 2^32
 *   0x1c DELAY             nanoseconds from COPY to its end
 *
 * While BUSY, writes of all but STATUS and INTERRUPT_ENABLE are lost.
 *
 * How to read this as an example: handlers that need memory are generators, which ask with `yield* dmaRead(...)` and go
 * on with the bytes. Nothing else can happen to the device meanwhile. Virtual time passes only between messages, so the
 * copy takes place at one moment, and the time that it takes is a timer. `validUntil(NEVER)` lets a guest poll STATUS
 * for nothing: only a message (the timer's `event`) changes it.
 */
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
  type Region,
  RegisterTable,
  registerBits,
  type Sequence,
  StateLayout,
} from '../sdk/mod.ts'

const COMMAND_COPY = 1
const COMMAND_SUM = 2

const STATUS = registerBits('STATUS', { BUSY: 1, DONE: 2, ERROR: 4 })
const STATUS_CLEARABLE = STATUS.DONE | STATUS.ERROR
const INTERRUPT_ENABLE = registerBits('INTERRUPT_ENABLE', { ENABLE: 1 })

/** Memory moves in pieces of this size: a message of the log each. */
const CHUNK_BYTES = 4096
const MAX_LENGTH_BYTES = 2 ** 20

const table = new RegisterTable('dma-test', [
  { name: 'SOURCE', offset: 0x00, bytes: 4, access: 'rw' },
  { name: 'DESTINATION', offset: 0x04, bytes: 4, access: 'rw' },
  { name: 'LENGTH', offset: 0x08, bytes: 4, access: 'rw' },
  { name: 'COMMAND', offset: 0x0c, bytes: 4, access: 'wo' },
  { name: 'STATUS', offset: 0x10, bytes: 4, access: 'rw', reserved: 0xfffffff8 },
  { name: 'INTERRUPT_ENABLE', offset: 0x14, bytes: 4, access: 'rw', reserved: 0xfffffffe },
  { name: 'CHECKSUM', offset: 0x18, bytes: 4, access: 'ro' },
  { name: 'DELAY', offset: 0x1c, bytes: 4, access: 'rw' },
])

const layout = new StateLayout('dma-test', {
  source: field.unsigned(32),
  destination: field.unsigned(32),
  length: field.unsigned(32),
  status: field.unsigned(3),
  interruptEnable: field.unsigned(1),
  checksum: field.unsigned(32),
  delay: field.unsigned(32),
})

type State = ReturnType<typeof layout.restore>

function initialState(): State {
  return { source: 0, destination: 0, length: 0, status: 0, interruptEnable: 0, checksum: 0, delay: 0 }
}

class DmaTest implements Device {
  #state = initialState()

  reset(io: DeviceIo): void {
    this.#state = initialState()
    io.timer(NEVER)
    this.#updateInterrupt(io)
  }

  read(_region: number, offset: number, _size: AccessSize, io: DeviceIo): number {
    io.validUntil(NEVER)
    switch (table.forRead(offset, io)) {
      case 'SOURCE':
        return this.#state.source
      case 'DESTINATION':
        return this.#state.destination
      case 'LENGTH':
        return this.#state.length
      case 'STATUS':
        return this.#state.status
      case 'INTERRUPT_ENABLE':
        return this.#state.interruptEnable
      case 'CHECKSUM':
        return this.#state.checksum
      case 'DELAY':
        return this.#state.delay
      default:
        return 0
    }
  }

  write(_region: number, offset: number, _size: AccessSize, written: number, io: DeviceIo): void | Sequence<void> {
    const state = this.#state
    const access = table.forWrite(offset, written, io)
    if (access === undefined) return
    if (state.status & STATUS.BUSY && access.name !== 'STATUS' && access.name !== 'INTERRUPT_ENABLE') {
      io.unhandled(`dma-test: a write of ${access.name} while BUSY is lost`)
      return
    }
    switch (access.name) {
      case 'SOURCE':
        state.source = access.value
        break
      case 'DESTINATION':
        state.destination = access.value
        break
      case 'LENGTH':
        state.length = access.value
        break
      case 'COMMAND':
        return this.#command(access.value, io)
      case 'STATUS':
        state.status &= ~(access.value & STATUS_CLEARABLE)
        this.#updateInterrupt(io)
        break
      case 'INTERRUPT_ENABLE':
        state.interruptEnable = access.value
        this.#updateInterrupt(io)
        break
      case 'DELAY':
        state.delay = access.value
    }
  }

  /** A COPY is due. */
  *event(io: DeviceIo): Sequence<void> {
    const { source, destination, length } = this.#state
    for (let at = 0; at < length; at += CHUNK_BYTES) {
      const bytes = yield* dmaRead(source + at, Math.min(CHUNK_BYTES, length - at))
      yield* dmaWrite(destination + at, bytes)
    }
    this.#finish(STATUS.DONE, io)
  }

  save(): DeviceState {
    return layout.save(this.#state)
  }

  restore(state: DeviceState): void {
    this.#state = layout.restore(state)
  }

  #command(command: number, io: DeviceIo): void | Sequence<void> {
    const state = this.#state
    if (state.length > MAX_LENGTH_BYTES || (command !== COMMAND_COPY && command !== COMMAND_SUM)) {
      this.#finish(STATUS.ERROR, io)
      return
    }
    if (command === COMMAND_SUM) return this.#sum(io)
    state.status |= STATUS.BUSY
    io.timer(io.now + state.delay)
  }

  *#sum(io: DeviceIo): Sequence<void> {
    const { source, length } = this.#state
    let checksum = 0
    for (let at = 0; at < length; at += CHUNK_BYTES) {
      const bytes = yield* dmaRead(source + at, Math.min(CHUNK_BYTES, length - at))
      checksum = bytes.reduce((sum, byte) => (sum + byte) >>> 0, checksum)
    }
    this.#state.checksum = checksum
    this.#finish(STATUS.DONE, io)
  }

  #finish(how: number, io: DeviceIo): void {
    this.#state.status = (this.#state.status & ~STATUS.BUSY) | how
    this.#updateInterrupt(io)
  }

  #updateInterrupt(io: DeviceIo): void {
    const { status, interruptEnable } = this.#state
    io.line('irq', (interruptEnable & INTERRUPT_ENABLE.ENABLE) !== 0 && (status & STATUS_CLEARABLE) !== 0)
  }
}

const regions: readonly Region[] = [
  { kind: 'registers', name: 'registers', size: 0x20, minBytes: 4, maxBytes: 4, endian: 'native' },
]

const commandName = (value: number) => (value === COMMAND_COPY ? 'COPY' : value === COMMAND_SUM ? 'SUM' : hex(value))

function wordsOf(register: string): (value: number) => string {
  if (register === 'STATUS') return STATUS.names
  if (register === 'INTERRUPT_ENABLE') return INTERRUPT_ENABLE.names
  return register === 'COMMAND' ? commandName : (value) => hex(value, 8)
}

function nameOf({ offset }: { offset: number }) {
  const register = table.at(offset)?.name ?? hex(offset)
  return { register, words: wordsOf(register) }
}

/** Output `irq`. */
export const dmaTest: DeviceModel<Record<string, never>> = {
  type: 'dma-test',
  stateVersion: 1,
  regions: () => regions,
  inputs: [],
  outputs: ['irq'],
  create: () => new DmaTest(),
  decoder: () => accessDecoder(nameOf, nameOf),
}

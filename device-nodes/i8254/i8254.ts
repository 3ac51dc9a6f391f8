/**
 * 8254 programmable interval timer: Intel 8254 data sheet (231164-005), as the 82371AB (PIIX4, 290562-001) has it:
 * counter 0 drives IRQ0, counter 1 was the DRAM refresh, counter 2 the speaker, whose gate and output are in port B
 * (I/O address 0x61, NMISC in the PIIX4's data sheet).
 *
 * Until its control word and count are written a counter stands still. A retriggered one-shot (mode 1) shows OUT high
 * for the one pulse before its new count is loaded.
 *
 * Not modelled: the speaker's sound, NMI sources of port B.
 */
import {
  accessDecoder,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  type FieldsOf,
  field,
  hex,
  NEVER,
  type Payload,
  Rate,
  registerBits,
  StateLayout,
  type Vt,
  withoutReserved,
} from '../sdk/mod.ts'
import { Counter, counterShape, initialCounter } from './counter.ts'

export type I8254Properties = Readonly<Record<string, never>>

const PORTS = 0
const CONTROL = 3
/** 14.31818 MHz / 12. */
const CLK = new Rate(1_193_182)
/** A DRAM refresh every 15.09 us: what counter 1 is set to on a PC, whether or not a guest programs it. */
const REFRESH_PULSES = 18

const CONTROL_WORD = registerBits('control word', { READ_BACK: 0xc0, BCD: 0x01 })
/** In a read-back command a zero latches. */
const READ_BACK = registerBits('read-back', { NO_COUNT: 0x20, NO_STATUS: 0x10 })
const PORT_B = registerBits('port B', {
  GATE2: 0x01,
  SPEAKER: 0x02,
  PARITY_DISABLE: 0x04,
  IOCHK_DISABLE: 0x08,
  REFRESH: 0x10,
  OUT2: 0x20,
})
const PORT_B_WRITABLE = 0x0f

const layout = new StateLayout('i8254', {
  counters: field.list(field.record(counterShape), 3, true),
  portB: field.unsigned(4),
})
type State = FieldsOf<typeof layout>

class I8254 implements Device {
  #portB = 0
  #counters: readonly Counter[] = makeCounters(initialState())

  /** The chip has no reset pin; a machine's reset clears port B. */
  reset(io: DeviceIo): void {
    this.#portB = 0
    this.#counter(2).setGate(false, CLK.ticksAt(io.now))
    this.#drive(io)
  }

  read(region: number, offset: number, _size: number, io: DeviceIo): number {
    const pulse = CLK.ticksAt(io.now)
    if (region !== PORTS) return this.#readPortB(pulse, io)
    if (offset === CONTROL) {
      io.unhandled('i8254: read of the control word, which is write-only')
      return 0
    }
    const counter = this.#counter(offset)
    if (counter.readsFreely) io.validUntil(vtOf(counter.nextValueChange(pulse)))
    return counter.read(pulse)
  }

  write(region: number, offset: number, _size: number, value: number, io: DeviceIo): void {
    const pulse = CLK.ticksAt(io.now)
    if (region !== PORTS) {
      this.#portB = withoutReserved('i8254', 'port B', value, 0xff & ~PORT_B_WRITABLE, io) & PORT_B_WRITABLE
      this.#counter(2).setGate((this.#portB & PORT_B.GATE2) !== 0, pulse)
    } else if (offset === CONTROL) {
      this.#writeControl(value, pulse)
    } else {
      const counter = this.#counter(offset)
      const count = counter.write(value, pulse)
      const { mode } = counter.state
      if (count === 1 && (mode === 2 || mode === 3))
        io.unhandled(`i8254: counter ${offset}: a count of 1 in mode ${mode}`)
    }
    this.#drive(io)
  }

  event(io: DeviceIo): void {
    this.#drive(io)
  }

  save(): DeviceState {
    return layout.save({ counters: this.#counters.map(({ state }) => state), portB: this.#portB })
  }

  restore(saved: DeviceState): void {
    const state = layout.restore(saved)
    this.#counters = makeCounters(state)
    this.#portB = state.portB
  }

  #writeControl(word: number, pulse: number): void {
    const select = word >>> 6
    if (select === 3) {
      this.#counters.forEach((counter, number) => {
        if ((word & (2 << number)) === 0) return
        if ((word & READ_BACK.NO_COUNT) === 0) counter.latchCount(pulse)
        if ((word & READ_BACK.NO_STATUS) === 0) counter.latchStatus(pulse)
      })
      return
    }
    const counter = this.#counter(select)
    const readWrite = (word >>> 4) & 3
    if (readWrite === 0) {
      counter.latchCount(pulse)
      return
    }
    // Modes 6 and 7 are 2 and 3: the top bit does not count there.
    const mode = (word >>> 1) & 7
    counter.program(readWrite, mode > 5 ? mode - 4 : mode, (word & CONTROL_WORD.BCD) !== 0)
  }

  #readPortB(pulse: number, io: DeviceIo): number {
    const out2 = this.#counter(2)
    const refreshes = Math.floor(pulse / REFRESH_PULSES)
    io.validUntil(vtOf(Math.min((refreshes + 1) * REFRESH_PULSES, out2.nextEdge(pulse))))
    return this.#portB | (refreshes % 2 === 1 ? PORT_B.REFRESH : 0) | (out2.outAt(pulse) === 1 ? PORT_B.OUT2 : 0)
  }

  #counter(number: number): Counter {
    return this.#counters[number]!
  }

  /** Derives OUT of counter 0, the only one with a wire, and the timer for its next edge. */
  #drive(io: DeviceIo): void {
    const pulse = CLK.ticksAt(io.now)
    const counter = this.#counter(0)
    io.line('out0', counter.outAt(pulse))
    io.timer(vtOf(counter.nextEdge(pulse)))
  }
}

function vtOf(pulse: number): Vt {
  return pulse === NEVER ? NEVER : CLK.vtOf(pulse)
}

function makeCounters(state: State): readonly Counter[] {
  return state.counters.map((counter) => new Counter(counter))
}

function initialState(): State {
  return { counters: [initialCounter(true), initialCounter(true), initialCounter(false)], portB: 0 }
}

function controlWords(word: number): string {
  if (word >>> 6 === 3) {
    const counters = [0, 1, 2].filter((number) => (word & (2 << number)) !== 0).join(', ')
    const count = (word & READ_BACK.NO_COUNT) === 0 ? ' count' : ''
    const status = (word & READ_BACK.NO_STATUS) === 0 ? ' status' : ''
    return `read back${count}${status} of ${counters}`
  }
  const readWrite = ['latch', 'LSB', 'MSB', 'LSB then MSB'][(word >>> 4) & 3]!
  if (readWrite === 'latch') return `latch counter ${word >>> 6}`
  return `counter ${word >>> 6}, ${readWrite}, mode ${(word >>> 1) & 7}${(word & 1) === 0 ? '' : ', BCD'} (${hex(word)})`
}

function decoder(): (payload: Payload) => string | undefined {
  const named = ({ region, offset }: { region: number; offset: number }) => {
    if (region !== PORTS) return { register: 'port B', words: PORT_B.names }
    return offset === CONTROL ? { register: 'control word', words: controlWords } : { register: `counter ${offset}` }
  }
  return accessDecoder(named, named)
}

export const i8254: DeviceModel<I8254Properties> = {
  type: 'i8254',
  stateVersion: 1,
  regions: () => [
    { kind: 'registers', name: 'ports', size: 4, maxBytes: 1, endian: 'little' },
    { kind: 'registers', name: 'portB', size: 1, maxBytes: 1, endian: 'little' },
  ],
  inputs: [],
  outputs: ['out0'],
  create: () => new I8254(),
  decoder,
}

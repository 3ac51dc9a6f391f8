/**
 * The MIPS Malta board's own registers: switches, LEDs, the ASCII display, resets and the SPD bus.
 *
 * "MIPS Malta User's Manual", MD00048, revision 1.07, chapter 4.2 ("FPGA registers"). Registers are 32 bits wide at
 * every eighth byte, in the CPU's byte order. The CBUS UART at 0x900 is a device of its own.
 *
 * Not modelled: NMI and its status (NMISTATUS, NMIACK read 0), IDE and PCI bus clock status, and serial EEPROMs on the
 * I2C lines: both lines read as they are driven, so that no address is acknowledged.
 */
import {
  type AccessSize,
  accessDecoder,
  character,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  field,
  hex,
  type NamedAccess,
  NEVER,
  type Payload,
  type Region,
  RegisterTable,
  StateLayout,
} from '../sdk/mod.ts'

export interface MaltaRegistersProperties {
  /** The board's byte order switch (S5-2), which STATUS shows. */
  endian: 'little' | 'big'
}

const REGION_BYTES = 0x100000

/** Offsets, by the manual's names. */
const ASCII_POSITIONS = 8
const asciiPosition = (position: number) => `ASCIIPOS${position}` as const

const table = new RegisterTable('malta-registers', [
  { name: 'NMISTATUS', offset: 0x024, bytes: 4, access: 'ro' },
  { name: 'NMIACK', offset: 0x104, bytes: 4, access: 'unimplemented' },
  { name: 'SWITCH', offset: 0x200, bytes: 4, access: 'ro' },
  { name: 'STATUS', offset: 0x208, bytes: 4, access: 'ro' },
  { name: 'JMPRS', offset: 0x210, bytes: 4, access: 'ro' },
  { name: 'LEDBAR', offset: 0x408, bytes: 4, access: 'rw' },
  { name: 'ASCIIWORD', offset: 0x410, bytes: 4, access: 'wo' },
  ...Array.from({ length: ASCII_POSITIONS }, (_, position) => ({
    name: asciiPosition(position),
    offset: 0x418 + 8 * position,
    bytes: 4 as const,
    access: 'wo' as const,
  })),
  { name: 'SOFTRES', offset: 0x500, bytes: 4, access: 'wo' },
  { name: 'BRKRES', offset: 0x508, bytes: 4, access: 'rw' },
  { name: 'GPOUT', offset: 0xa00, bytes: 4, access: 'rw' },
  { name: 'GPINP', offset: 0xa08, bytes: 4, access: 'ro' },
  { name: 'I2CINP', offset: 0xb00, bytes: 4, access: 'ro' },
  { name: 'I2COE', offset: 0xb08, bytes: 4, access: 'rw' },
  { name: 'I2COUT', offset: 0xb10, bytes: 4, access: 'rw' },
  { name: 'I2CSEL', offset: 0xb18, bytes: 4, access: 'rw' },
])

/** Bits of STATUS. */
const status = { BIGEND: 1 << 1, MONITOR_FLASH_READY: 1 << 4 } as const
/** What SOFTRES must be sent to reset the board. */
const SOFTRES_GORESET = 0x42
/** Where BRKRES stands after reset: a break of 10 ms on the console resets the board. */
const BRKRES_DEFAULT = 0x0a
/** Lines of the I2C registers: data is bit 0, clock bit 1. */
const I2C_LINES = 0x3

const layout = new StateLayout('malta-registers', {
  ledbar: field.unsigned(8),
  display: field.bytes(ASCII_POSITIONS, true),
  brkres: field.unsigned(8),
  gpout: field.unsigned(8),
  i2coe: field.unsigned(2),
  i2cout: field.unsigned(2),
  i2csel: field.unsigned(1),
})

type State = ReturnType<typeof layout.restore>

function initialState(): State {
  return {
    ledbar: 0,
    display: new Uint8Array(ASCII_POSITIONS).fill(0x20),
    brkres: BRKRES_DEFAULT,
    gpout: 0,
    i2coe: 0,
    i2cout: I2C_LINES,
    i2csel: 1,
  }
}

class MaltaRegisters implements Device {
  readonly #endian: 'little' | 'big'
  #state = initialState()

  constructor({ endian }: MaltaRegistersProperties) {
    this.#endian = endian
  }

  reset(_io: DeviceIo): void {
    this.#state = initialState()
  }

  read(_region: number, offset: number, _size: AccessSize, io: DeviceIo): number {
    io.validUntil(NEVER)
    const state = this.#state
    switch (table.forRead(offset, io)) {
      case 'STATUS':
        return status.MONITOR_FLASH_READY | (this.#endian === 'big' ? status.BIGEND : 0)
      case 'LEDBAR':
        return state.ledbar
      case 'BRKRES':
        return state.brkres
      case 'GPOUT':
        return state.gpout
      case 'I2CINP':
        // Open drain with pull-ups: a line is low only where it is driven low.
        return state.i2cout | (~state.i2coe & I2C_LINES)
      case 'I2COE':
        return state.i2coe
      case 'I2COUT':
        return state.i2cout
      case 'I2CSEL':
        return state.i2csel
      default:
        // SWITCH and JMPRS: all switches off, no jumper fitted. GPINP: nothing is connected.
        return 0
    }
  }

  write(_region: number, offset: number, _size: AccessSize, written: number, io: DeviceIo): void {
    const state = this.#state
    const access = table.forWrite(offset, written, io)
    if (access === undefined) return
    const { name, value } = access
    switch (name) {
      case 'LEDBAR':
        state.ledbar = value & 0xff
        break
      case 'ASCIIWORD':
        state.display.set(new TextEncoder().encode(value.toString(16).toUpperCase().padStart(8, '0')))
        break
      case 'SOFTRES':
        if (value === SOFTRES_GORESET) io.output(new TextEncoder().encode('reset'))
        break
      case 'BRKRES':
        state.brkres = value & 0xff
        break
      case 'GPOUT':
        state.gpout = value & 0xff
        break
      case 'I2COE':
        state.i2coe = value & I2C_LINES
        break
      case 'I2COUT':
        state.i2cout = value & I2C_LINES
        break
      case 'I2CSEL':
        state.i2csel = value & 1
        break
      default:
        state.display[(offset - 0x418) >>> 3] = value & 0xff
    }
  }

  save(): DeviceState {
    return layout.save(this.#state)
  }

  restore(state: DeviceState): void {
    this.#state = layout.restore(state)
  }
}

const regions: readonly Region[] = [
  { kind: 'registers', name: 'registers', size: REGION_BYTES, minBytes: 4, maxBytes: 4, endian: 'native' },
]

/** LEDs as the bar shows them, bit 7 at the left. */
function leds(value: number): string {
  return `[${(value & 0xff).toString(2).padStart(8, '0').replaceAll('0', ' ').replaceAll('1', '#')}]`
}

/** Shows LEDs as a bar and the ASCII display as the eight characters that then stand there. */
function decoder(): (payload: Payload) => string | undefined {
  const display = new Uint8Array(ASCII_POSITIONS).fill(0x20)
  const nameOf = ({ offset }: { offset: number }): NamedAccess => {
    const name = table.at(offset)?.name
    if (name === undefined) return { register: `reserved ${hex(offset, 3)}` }
    if (name === 'LEDBAR') return { register: name, words: leds }
    return { register: name }
  }
  const nameWrite = (access: { offset: number; value: number }): NamedAccess => {
    const named = nameOf(access)
    if (!named.register.startsWith('ASCII')) return named
    if (named.register === 'ASCIIWORD')
      display.set(new TextEncoder().encode(hex(access.value, 8).slice(2).toUpperCase()))
    else display[(access.offset - 0x418) >>> 3] = access.value & 0xff
    const shown = [...display].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    return { register: named.register, words: (value) => `${character(value & 0xff)}, display "${shown}"` }
  }
  return accessDecoder(nameOf, nameWrite, () => display.fill(0x20))
}

/** The board's registers at 0x1f000000. Their output `reset` is a machine reset. */
export const maltaRegisters: DeviceModel<MaltaRegistersProperties> = {
  type: 'malta-registers',
  stateVersion: 1,
  regions: () => regions,
  inputs: [],
  outputs: [],
  create: (properties) => new MaltaRegisters(properties),
  decoder,
}

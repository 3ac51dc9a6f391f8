/**
 * 8042 keyboard and auxiliary device controller with a PS/2 keyboard and a PS/2 mouse: IBM Personal System/2 Hardware
 * Interface Technical Reference, Keyboard and Auxiliary Device Controller (Types 1 and 2), 1990.
 *
 * Bytes take no time on the way: the output buffer is full again as soon as it is read and another byte waits, with an
 * edge on its interrupt line. The input buffer is never seen full.
 *
 * Input from the world is the keyboard's: scan codes of set 2.
 *
 * Not modelled: the controller's RAM (commands 0x21 to 0x3f, 0x61 to 0x7f), the password, the test inputs, timeouts and
 * parity errors.
 */
import {
  accessDecoder,
  type Bits,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  type FieldsOf,
  field,
  has,
  hex,
  NEVER,
  type Payload,
  registerBits,
  StateLayout,
} from '../sdk/mod.ts'
import { initialKeyboard, keyboardShape, pressKeys, sendFromKeyboard, writeToKeyboard } from './keyboard.ts'
import { initialMouse, mouseShape, sendFromMouse, writeToMouse } from './mouse.ts'
import { BREAK_PREFIX, translate } from './translation.ts'

export type I8042Properties = Readonly<Record<string, never>>

const DATA = 0

const STATUS = registerBits('status', {
  OUTPUT_FULL: 0x01,
  INPUT_FULL: 0x02,
  SYSTEM: 0x04,
  COMMAND: 0x08,
  /** The keyboard is not locked. */
  NOT_INHIBITED: 0x10,
  AUX_DATA: 0x20,
  TIMEOUT: 0x40,
  PARITY_ERROR: 0x80,
})
const COMMAND_BYTE = registerBits('command byte', {
  KEYBOARD_INTERRUPT: 0x01,
  AUX_INTERRUPT: 0x02,
  SYSTEM: 0x04,
  DISABLE_KEYBOARD: 0x10,
  DISABLE_AUX: 0x20,
  TRANSLATE: 0x40,
})
const OUTPUT_PORT = registerBits('output port', { NOT_RESET: 0x01, A20: 0x02, IRQ1: 0x10, IRQ12: 0x20, CLOCKS: 0xcc })

/** Commands, written to the command port. */
const READ_COMMAND_BYTE = 0x20
const WRITE_COMMAND_BYTE = 0x60
const DISABLE_AUX = 0xa7
const ENABLE_AUX = 0xa8
const TEST_AUX = 0xa9
const SELF_TEST = 0xaa
const TEST_KEYBOARD = 0xab
const DISABLE_KEYBOARD = 0xad
const ENABLE_KEYBOARD = 0xae
const READ_INPUT_PORT = 0xc0
const READ_OUTPUT_PORT = 0xd0
const WRITE_OUTPUT_PORT = 0xd1
const WRITE_KEYBOARD_OUTPUT = 0xd2
const WRITE_AUX_OUTPUT = 0xd3
const WRITE_AUX = 0xd4
/** The lowest of the commands that pulse those output port bits whose command bits are 0. */
const PULSE = 0xf0

const SELF_TEST_PASSED = 0x55
const INTERFACE_GOOD = 0x00
/** Input port: no lock, no manufacturing jumper. */
const INPUT_PORT = 0x80

/** Answers that wait for the output buffer. */
const ANSWERS = 16

const layout = new StateLayout('i8042', {
  commandByte: field.unsigned(8),
  system: field.flag(),
  /** The last write went to the command port. */
  commandWritten: field.flag(),
  /** The command whose data byte comes next. */
  command: field.nullable(field.unsigned(8)),
  /** The output buffer, and where its byte came from; it keeps the byte when it has been read. */
  outputBuffer: field.unsigned(8),
  outputSource: field.nullable(field.oneOf(['keyboard', 'aux'])),
  /** Answers of the controller itself that wait for the output buffer. */
  answers: field.list(field.record({ byte: field.unsigned(8), source: field.oneOf(['keyboard', 'aux']) }), ANSWERS),
  /** Translation has seen `BREAK_PREFIX`. */
  breakSeen: field.flag(),
  a20: field.flag(),
  keyboard: field.record(keyboardShape),
  mouse: field.record(mouseShape),
})
type State = FieldsOf<typeof layout>

class I8042 implements Device {
  #state: State = initialState()

  reset(io: DeviceIo): void {
    this.#state = initialState()
    io.line('reset', 0)
    this.#drive(io)
  }

  read(region: number, _offset: number, _size: number, io: DeviceIo): number {
    const state = this.#state
    if (region !== DATA) {
      io.validUntil(NEVER)
      return this.#status()
    }
    if (state.outputSource === null) {
      io.validUntil(NEVER)
      return state.outputBuffer
    }
    const byte = state.outputBuffer
    state.outputSource = null
    // The interrupt falls with the byte taken: what comes next makes an edge of its own.
    this.#driveInterrupts(io)
    this.#drive(io)
    return byte
  }

  write(region: number, _offset: number, _size: number, value: number, io: DeviceIo): void {
    const state = this.#state
    state.commandWritten = region !== DATA
    if (region !== DATA) {
      state.command = null
      this.#command(value, io)
    } else if (state.command !== null) {
      const command = state.command
      state.command = null
      this.#commandData(command, value, io)
    } else {
      state.commandByte &= ~COMMAND_BYTE.DISABLE_KEYBOARD
      writeToKeyboard(state.keyboard, value, io)
    }
    this.#drive(io)
  }

  input(bytes: Uint8Array, io: DeviceIo): void {
    pressKeys(this.#state.keyboard, bytes)
    this.#drive(io)
  }

  save(): DeviceState {
    return layout.save(this.#state)
  }

  restore(state: DeviceState): void {
    this.#state = layout.restore(state)
  }

  #command(command: number, io: DeviceIo): void {
    const state = this.#state
    switch (command) {
      case READ_COMMAND_BYTE:
        this.#answer(state.commandByte)
        break
      case WRITE_COMMAND_BYTE:
      case WRITE_OUTPUT_PORT:
      case WRITE_KEYBOARD_OUTPUT:
      case WRITE_AUX_OUTPUT:
      case WRITE_AUX:
        state.command = command
        break
      case DISABLE_AUX:
        state.commandByte |= COMMAND_BYTE.DISABLE_AUX
        break
      case ENABLE_AUX:
        state.commandByte &= ~COMMAND_BYTE.DISABLE_AUX
        break
      case TEST_AUX:
      case TEST_KEYBOARD:
        this.#answer(INTERFACE_GOOD)
        break
      case SELF_TEST:
        state.system = true
        this.#answer(SELF_TEST_PASSED)
        break
      case DISABLE_KEYBOARD:
        state.commandByte |= COMMAND_BYTE.DISABLE_KEYBOARD
        break
      case ENABLE_KEYBOARD:
        state.commandByte &= ~COMMAND_BYTE.DISABLE_KEYBOARD
        break
      case READ_INPUT_PORT:
        this.#answer(INPUT_PORT)
        break
      case READ_OUTPUT_PORT:
        this.#answer(this.#outputPort())
        break
      default:
        if (command >= PULSE) this.#pulse(command, io)
        else io.unhandled(`i8042: command ${hex(command)}`)
    }
  }

  #commandData(command: number, value: number, io: DeviceIo): void {
    const state = this.#state
    switch (command) {
      case WRITE_COMMAND_BYTE:
        state.commandByte = value
        state.system = (value & COMMAND_BYTE.SYSTEM) !== 0
        break
      case WRITE_OUTPUT_PORT:
        state.a20 = (value & OUTPUT_PORT.A20) !== 0
        io.line('reset', (value & OUTPUT_PORT.NOT_RESET) === 0)
        break
      case WRITE_KEYBOARD_OUTPUT:
        this.#answer(value)
        break
      case WRITE_AUX_OUTPUT:
        this.#answer(value, 'aux')
        break
      default:
        state.commandByte &= ~COMMAND_BYTE.DISABLE_AUX
        writeToMouse(state.mouse, value, io)
    }
  }

  /** Pulses the output port bits that are 0 in `command`; only bit 0 has a wire. */
  #pulse(command: number, io: DeviceIo): void {
    if ((command & OUTPUT_PORT.NOT_RESET) !== 0) return
    io.line('reset', 1)
    io.line('reset', 0)
  }

  /** The controller itself sends a byte. Of answers that nobody reads the oldest are lost. */
  #answer(byte: number, source: 'keyboard' | 'aux' = 'keyboard'): void {
    this.#state.answers = [...this.#state.answers, { byte, source }].slice(-ANSWERS)
  }

  #status(): number {
    const { outputSource, system, commandWritten } = this.#state
    return (
      STATUS.NOT_INHIBITED |
      (outputSource !== null ? STATUS.OUTPUT_FULL : 0) |
      (outputSource === 'aux' ? STATUS.AUX_DATA : 0) |
      (system ? STATUS.SYSTEM : 0) |
      (commandWritten ? STATUS.COMMAND : 0)
    )
  }

  #outputPort(): number {
    const { a20, outputSource } = this.#state
    return (
      OUTPUT_PORT.NOT_RESET |
      OUTPUT_PORT.CLOCKS |
      (a20 ? OUTPUT_PORT.A20 : 0) |
      (outputSource === 'keyboard' ? OUTPUT_PORT.IRQ1 : 0) |
      (outputSource === 'aux' ? OUTPUT_PORT.IRQ12 : 0)
    )
  }

  #mode(): Bits<'command byte'> {
    return COMMAND_BYTE.of(this.#state.commandByte)
  }

  /** Fills an empty output buffer: the controller's own answers first, then the keyboard's bytes, then the mouse's. */
  #fill(): void {
    const state = this.#state
    if (state.outputSource !== null) return
    const answer = state.answers.shift()
    if (answer !== undefined) {
      state.outputBuffer = answer.byte
      state.outputSource = answer.source
      return
    }
    const key = has(this.#mode(), COMMAND_BYTE.DISABLE_KEYBOARD) ? undefined : this.#nextFromKeyboard()
    const byte = key ?? (has(this.#mode(), COMMAND_BYTE.DISABLE_AUX) ? undefined : sendFromMouse(state.mouse))
    if (byte === undefined) return
    state.outputBuffer = byte
    state.outputSource = key === undefined ? 'aux' : 'keyboard'
  }

  /** The keyboard's next byte as the host is to see it. */
  #nextFromKeyboard(): number | undefined {
    const state = this.#state
    for (;;) {
      const byte = sendFromKeyboard(state.keyboard)
      if (byte === undefined || !has(this.#mode(), COMMAND_BYTE.TRANSLATE)) return byte
      if (byte === BREAK_PREFIX) {
        state.breakSeen = true
        continue
      }
      const translated = translate(byte) | (state.breakSeen ? 0x80 : 0)
      state.breakSeen = false
      return translated
    }
  }

  #drive(io: DeviceIo): void {
    this.#fill()
    this.#driveInterrupts(io)
  }

  /** Derives both interrupt lines from the output buffer. */
  #driveInterrupts(io: DeviceIo): void {
    const { outputSource } = this.#state
    const mode = this.#mode()
    const keyboard = has(mode, COMMAND_BYTE.KEYBOARD_INTERRUPT) && !has(mode, COMMAND_BYTE.DISABLE_KEYBOARD)
    io.line('irq1', outputSource === 'keyboard' && keyboard)
    io.line('irq12', outputSource === 'aux' && has(mode, COMMAND_BYTE.AUX_INTERRUPT))
  }
}

function initialState(): State {
  return {
    commandByte: COMMAND_BYTE.KEYBOARD_INTERRUPT | COMMAND_BYTE.AUX_INTERRUPT,
    system: false,
    commandWritten: true,
    command: null,
    outputBuffer: 0,
    outputSource: null,
    answers: [],
    breakSeen: false,
    a20: true,
    keyboard: initialKeyboard(),
    mouse: initialMouse(),
  }
}

const COMMAND_NAMES: { readonly [command: number]: string } = {
  [READ_COMMAND_BYTE]: 'read command byte',
  [WRITE_COMMAND_BYTE]: 'write command byte',
  [DISABLE_AUX]: 'disable aux',
  [ENABLE_AUX]: 'enable aux',
  [TEST_AUX]: 'test aux interface',
  [SELF_TEST]: 'self test',
  [TEST_KEYBOARD]: 'test keyboard interface',
  [DISABLE_KEYBOARD]: 'disable keyboard',
  [ENABLE_KEYBOARD]: 'enable keyboard',
  [READ_INPUT_PORT]: 'read input port',
  [READ_OUTPUT_PORT]: 'read output port',
  [WRITE_OUTPUT_PORT]: 'write output port',
  [WRITE_KEYBOARD_OUTPUT]: 'write keyboard output buffer',
  [WRITE_AUX_OUTPUT]: 'write aux output buffer',
  [WRITE_AUX]: 'write aux device',
}

/** What the data port takes next, by the command before. */
const DATA_NAMES: { readonly [command: number]: string } = {
  [WRITE_COMMAND_BYTE]: 'command byte',
  [WRITE_OUTPUT_PORT]: 'output port',
  [WRITE_KEYBOARD_OUTPUT]: 'keyboard output buffer',
  [WRITE_AUX_OUTPUT]: 'aux output buffer',
  [WRITE_AUX]: 'aux device',
}

function commandWords(command: number): string {
  if (command >= PULSE) return `pulse output port ${OUTPUT_PORT.names(~command & 0x0f)}`
  return COMMAND_NAMES[command] ?? hex(command)
}

function decoder(): (payload: Payload) => string | undefined {
  let dataName = 'keyboard'
  return accessDecoder(
    ({ region }) => (region === DATA ? { register: 'data' } : { register: 'status', words: STATUS.names }),
    ({ region, value }) => {
      const register = region === DATA ? dataName : 'command'
      dataName = region === DATA ? 'keyboard' : (DATA_NAMES[value] ?? 'keyboard')
      if (region !== DATA) return { register, words: commandWords }
      return register === 'command byte' ? { register, words: COMMAND_BYTE.names } : { register }
    },
    () => {
      dataName = 'keyboard'
    },
  )
}

export const i8042: DeviceModel<I8042Properties> = {
  type: 'i8042',
  stateVersion: 1,
  regions: () => [
    { kind: 'registers', name: 'data', size: 1, maxBytes: 1, endian: 'little' },
    { kind: 'registers', name: 'command', size: 1, maxBytes: 1, endian: 'little' },
  ],
  inputs: [],
  outputs: ['irq1', 'irq12', 'reset'],
  create: () => new I8042(),
  decoder,
}

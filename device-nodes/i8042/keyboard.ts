/**
 * A PS/2 keyboard: IBM Personal System/2 Hardware Interface Technical Reference, Keyboard (101-key), 1988.
 *
 * It sends scan code set 2, whatever set is chosen: sets 1 and 3 are remembered and answered, typed keys are not put
 * into them. Keys do not repeat of themselves. Not modelled: typematic repeat, per-key settings of set 3.
 */
import { type DeviceIo, type FieldsOf, field, hex, StateLayout } from '../sdk/mod.ts'

/** Bytes of keys held for a host that does not take them. Beyond that the last one is the overrun code instead. */
const KEY_BYTES = 256
const OVERRUN = 0x00
/** Bytes of answers held for a host that does not read them. Beyond that the oldest is lost. */
const ANSWER_BYTES = 16

const ACK = 0xfa
const RESEND = 0xfe
const SELF_TEST_PASSED = 0xaa
const IDENTITY = [0xab, 0x83] as const

const SET_LEDS = 0xed
const ECHO = 0xee
const SCAN_CODE_SET = 0xf0
const READ_ID = 0xf2
const TYPEMATIC = 0xf3
const ENABLE = 0xf4
const DEFAULT_DISABLE = 0xf5
const SET_DEFAULT = 0xf6
const SET_ALL_FIRST = 0xf7
const SET_ALL_LAST = 0xfa
const RESEND_LAST = 0xfe
const RESET = 0xff

/** 10.9 characters a second after 500 ms. */
const DEFAULT_TYPEMATIC = 0x2b
const DEFAULT_SET = 2

export const keyboardShape = {
  /** Answers go to the host before keys. */
  answers: field.list(field.unsigned(8), ANSWER_BYTES),
  keys: field.list(field.unsigned(8), KEY_BYTES),
  enabled: field.flag(),
  leds: field.unsigned(3),
  typematic: field.unsigned(7),
  scanCodeSet: field.whole(1, 3),
  /** The command whose parameter comes next. */
  command: field.nullable(field.oneOf(['leds', 'scanCodeSet', 'typematic'])),
  lastSent: field.unsigned(8),
}
const layout = new StateLayout('PS/2 keyboard', keyboardShape)
export type KeyboardState = FieldsOf<typeof layout>

export function initialKeyboard(): KeyboardState {
  return {
    answers: [],
    keys: [],
    enabled: true,
    leds: 0,
    typematic: DEFAULT_TYPEMATIC,
    scanCodeSet: DEFAULT_SET,
    command: null,
    lastSent: 0,
  }
}

/** Scan codes of set 2 from a person's keys. A keyboard that is disabled drops them. */
export function pressKeys(state: KeyboardState, codes: Uint8Array): void {
  if (!state.enabled) return
  for (const code of codes) {
    if (state.keys.length >= KEY_BYTES) {
      state.keys[KEY_BYTES - 1] = OVERRUN
      return
    }
    state.keys.push(code)
  }
}

/** The next byte for the host. */
export function sendFromKeyboard(state: KeyboardState): number | undefined {
  const byte = state.answers.shift() ?? state.keys.shift()
  if (byte !== undefined) state.lastSent = byte
  return byte
}

/** A byte from the host: a command or the parameter of one. */
export function writeToKeyboard(state: KeyboardState, byte: number, io: DeviceIo): void {
  if (state.command !== null && byte < SET_LEDS) {
    takeParameter(state, state.command, byte)
    state.command = null
    return
  }
  // A command in the place of a parameter takes its place.
  state.command = null
  if (byte >= SET_ALL_FIRST && byte <= SET_ALL_LAST) {
    answer(state, ACK)
    return
  }
  switch (byte) {
    case SET_LEDS:
      state.command = 'leds'
      answer(state, ACK)
      break
    case ECHO:
      answer(state, ECHO)
      break
    case SCAN_CODE_SET:
      state.command = 'scanCodeSet'
      state.keys = []
      answer(state, ACK)
      break
    case READ_ID:
      answer(state, ACK, ...IDENTITY)
      break
    case TYPEMATIC:
      state.command = 'typematic'
      answer(state, ACK)
      break
    case ENABLE:
      state.enabled = true
      state.keys = []
      answer(state, ACK)
      break
    case DEFAULT_DISABLE:
    case SET_DEFAULT:
      setDefaults(state)
      state.enabled = byte === SET_DEFAULT
      answer(state, ACK)
      break
    case RESEND_LAST:
      answer(state, state.lastSent)
      break
    case RESET:
      setDefaults(state)
      state.enabled = true
      answer(state, ACK, SELF_TEST_PASSED)
      break
    default:
      io.unhandled(`PS/2 keyboard: command ${hex(byte)}`)
      answer(state, RESEND)
  }
}

function takeParameter(state: KeyboardState, command: 'leds' | 'scanCodeSet' | 'typematic', byte: number): void {
  if (command === 'leds') {
    state.leds = byte & 0x07
  } else if (command === 'typematic') {
    state.typematic = byte & 0x7f
  } else if (byte === 0) {
    answer(state, ACK, state.scanCodeSet)
    return
  } else if (byte > 3) {
    answer(state, RESEND)
    return
  } else {
    state.scanCodeSet = byte
  }
  answer(state, ACK)
}

/** Back to the settings of power-on; keys not yet sent are forgotten. */
function setDefaults(state: KeyboardState): void {
  state.typematic = DEFAULT_TYPEMATIC
  state.scanCodeSet = DEFAULT_SET
  state.keys = []
}

function answer(state: KeyboardState, ...bytes: number[]): void {
  state.answers = [...state.answers, ...bytes].slice(-ANSWER_BYTES)
}

/**
 * A PS/2 mouse with wheel and five buttons: IBM Personal System/2 Hardware Interface Technical Reference, Mouse, 1990;
 * the sequences of sample rates that turn it into an IntelliMouse (ID 3) and an IntelliMouse Explorer (ID 4) are
 * Microsoft's. It lies still: no movement comes in yet, and only a host that asks gets a packet.
 */
import { type DeviceIo, type FieldsOf, field, hex, StateLayout } from '../sdk/mod.ts'

const ACK = 0xfa
const RESEND = 0xfe
const SELF_TEST_PASSED = 0xaa

const SCALING_1_TO_1 = 0xe6
const SCALING_2_TO_1 = 0xe7
const SET_RESOLUTION = 0xe8
const STATUS_REQUEST = 0xe9
const SET_STREAM_MODE = 0xea
const READ_DATA = 0xeb
const RESET_WRAP_MODE = 0xec
const SET_WRAP_MODE = 0xee
const SET_REMOTE_MODE = 0xf0
const READ_DEVICE_TYPE = 0xf2
const SET_SAMPLING_RATE = 0xf3
const ENABLE = 0xf4
const DISABLE = 0xf5
const SET_DEFAULT = 0xf6
const RESEND_LAST = 0xfe
const RESET = 0xff

const STATUS_REMOTE = 0x40
const STATUS_ENABLED = 0x20
const STATUS_SCALING = 0x10
/** First byte of a packet: bit 3 is always set. */
const PACKET = 0x08
const DEFAULT_RATE = 100
const DEFAULT_RESOLUTION = 2
/** Bytes of answers held for a host that does not read them. Beyond that the oldest are lost. */
const QUEUE_BYTES = 64

export const mouseShape = {
  queue: field.list(field.unsigned(8), QUEUE_BYTES),
  enabled: field.flag(),
  remote: field.flag(),
  wrap: field.flag(),
  doubled: field.flag(),
  resolution: field.unsigned(8),
  sampleRate: field.unsigned(8),
  /** The two sample rates before that, newest last. */
  earlierRates: field.list(field.unsigned(8), 2),
  deviceType: field.whole(0, 4),
  command: field.nullable(field.oneOf(['resolution', 'sampleRate'])),
  lastSent: field.unsigned(8),
}
const layout = new StateLayout('PS/2 mouse', mouseShape)
export type MouseState = FieldsOf<typeof layout>

export function initialMouse(): MouseState {
  return {
    queue: [],
    enabled: false,
    remote: false,
    wrap: false,
    doubled: false,
    resolution: DEFAULT_RESOLUTION,
    sampleRate: DEFAULT_RATE,
    earlierRates: [],
    deviceType: 0,
    command: null,
    lastSent: 0,
  }
}

/** The next byte for the host. */
export function sendFromMouse(state: MouseState): number | undefined {
  const byte = state.queue.shift()
  if (byte !== undefined) state.lastSent = byte
  return byte
}

/** A byte from the host: a command or the parameter of one. */
export function writeToMouse(state: MouseState, byte: number, io: DeviceIo): void {
  if (state.wrap && byte !== RESET_WRAP_MODE && byte !== RESET) {
    answer(state, byte)
    return
  }
  if (state.command !== null) {
    takeParameter(state, state.command, byte)
    state.command = null
    return
  }
  switch (byte) {
    case SCALING_1_TO_1:
    case SCALING_2_TO_1:
      state.doubled = byte === SCALING_2_TO_1
      answer(state, ACK)
      break
    case SET_RESOLUTION:
      state.command = 'resolution'
      answer(state, ACK)
      break
    case STATUS_REQUEST:
      answer(state, ACK, statusByte(state), state.resolution, state.sampleRate)
      break
    case SET_STREAM_MODE:
    case SET_REMOTE_MODE:
      state.remote = byte === SET_REMOTE_MODE
      answer(state, ACK)
      break
    case READ_DATA:
      answer(state, ACK, PACKET, 0, 0, ...(state.deviceType === 0 ? [] : [0]))
      break
    case RESET_WRAP_MODE:
    case SET_WRAP_MODE:
      state.wrap = byte === SET_WRAP_MODE
      answer(state, ACK)
      break
    case READ_DEVICE_TYPE:
      answer(state, ACK, state.deviceType)
      break
    case SET_SAMPLING_RATE:
      state.command = 'sampleRate'
      answer(state, ACK)
      break
    case ENABLE:
    case DISABLE:
      state.enabled = byte === ENABLE
      answer(state, ACK)
      break
    case SET_DEFAULT:
      Object.assign(state, { ...initialMouse(), queue: state.queue, deviceType: state.deviceType })
      answer(state, ACK)
      break
    case RESEND_LAST:
      answer(state, state.lastSent)
      break
    case RESET:
      Object.assign(state, initialMouse())
      answer(state, ACK, SELF_TEST_PASSED, state.deviceType)
      break
    default:
      io.unhandled(`PS/2 mouse: command ${hex(byte)}`)
      answer(state, RESEND)
  }
}

function takeParameter(state: MouseState, command: 'resolution' | 'sampleRate', byte: number): void {
  if (command === 'resolution') {
    state.resolution = byte
  } else {
    const rates = [...state.earlierRates, byte].join()
    if (rates === '200,100,80') state.deviceType = 3
    else if (rates === '200,200,80' && state.deviceType === 3) state.deviceType = 4
    state.earlierRates = [...state.earlierRates, byte].slice(-2)
    state.sampleRate = byte
  }
  answer(state, ACK)
}

function statusByte(state: MouseState): number {
  return (
    (state.remote ? STATUS_REMOTE : 0) | (state.enabled ? STATUS_ENABLED : 0) | (state.doubled ? STATUS_SCALING : 0)
  )
}

function answer(state: MouseState, ...bytes: number[]): void {
  state.queue = [...state.queue, ...bytes].slice(-QUEUE_BYTES)
}

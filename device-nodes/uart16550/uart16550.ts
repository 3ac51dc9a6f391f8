/**
 * 16550A asynchronous receiver/transmitter: National Semiconductor PC16550D data sheet (June 1995).
 *
 * The transmitter takes no time: a character written to THR has left, and THR and the shift register are empty again,
 * before the next instruction. The wire into the receiver keeps its speed: a character arrives one character time after
 * the one before, and only while there is room for it, as from a sender that watches RTS, so that typing and pasting
 * lose nothing. The lines CTS, DSR and DCD are always asserted from outside, RI never.
 *
 * Not modelled: DMA mode (TXRDY and RXRDY), parity and framing errors (a wire here has none), a break from outside,
 * the sending of a break to the world, XIN changing while it runs.
 */
import {
  type Bits,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  type FieldsOf,
  field,
  has,
  NEVER,
  StateLayout,
  type Vt,
  withoutReserved,
} from '../sdk/mod.ts'
import {
  decoder,
  FCR,
  FCR_RESERVED,
  IER,
  IER_WRITABLE,
  IIR,
  LCR,
  LSR,
  MCR,
  MCR_WRITABLE,
  MSR,
  registerName,
  TRIGGER_LEVELS,
} from './registers.ts'

export interface Uart16550Properties {
  /** Bytes from one register to the next: 1 on an ISA bus, 8 for 32-bit words at every eighth byte. */
  registerStrideBytes: 1 | 4 | 8
  /** Frequency at XIN; 1,843,200 on a PC. */
  clockHertz: number
  /** Whether OUT2 switches the interrupt line, as it is wired on PCs. */
  out2GatesInterrupt: boolean
}

const FIFO_CHARACTERS = 16
/** Characters under way to the receiver. Beyond it the wire loses them and LSR shows an overrun. */
const BACKLOG_CHARACTERS = 65536
/** One character at 115200 baud, 8N1: what is taken while the divisor latch holds 0. */
const DEFAULT_CHARACTER_NS = 86_805
const EXTERNAL_MODEM_LINES = MSR.of(MSR.CTS | MSR.DSR | MSR.DCD)
const LINE_ERRORS = LSR.of(LSR.OE | LSR.PE | LSR.FE | LSR.BI)
const DELTAS = MSR.of(MSR.DCTS | MSR.DDSR | MSR.TERI | MSR.DDCD)

const layout = new StateLayout('uart16550', {
  ier: field.unsigned(4),
  fcr: field.unsigned(8),
  lcr: field.unsigned(8),
  mcr: field.unsigned(5),
  scr: field.unsigned(8),
  divisor: field.unsigned(16),
  /** LSR's OE; the other errors travel with their characters. */
  overrun: field.flag(),
  /** Errors of the character on top of the receiver FIFO that LSR has already shown. */
  errorsShown: field.flag(),
  msrDeltas: field.unsigned(4),
  /** The modem lines as MSR shows them. */
  modemLines: field.unsigned(8),
  /** The transmitter-empty interrupt waits to be read from IIR. */
  transmitterEmptyPending: field.flag(),
  /** Received characters, oldest first: the low byte the character, the high byte its LSR errors. */
  received: field.list(field.unsigned(16), FIFO_CHARACTERS),
  /** What RBR reads while nothing is received. */
  lastRead: field.unsigned(8),
  /** When the FIFO was last filled or read. */
  fifoActivityVt: field.vt(),
  /** Characters on the wire. */
  backlog: field.bytes(BACKLOG_CHARACTERS),
  /** When the first of them arrives; `NEVER` while there is none or no room for it. */
  arrivalVt: field.vt(),
})
type State = FieldsOf<typeof layout>

class Uart16550 implements Device {
  readonly #properties: Uart16550Properties
  #state: State = initialState()

  constructor(properties: Uart16550Properties) {
    this.#properties = properties
  }

  /** Master reset clears the control registers; divisor, scratch and what is under way on the wire survive it. */
  reset(io: DeviceIo): void {
    const { divisor, scr, backlog } = this.#state
    this.#state = { ...initialState(), divisor, scr, backlog }
    this.#update(io)
  }

  read(_region: number, offset: number, _size: number, io: DeviceIo): number {
    const state = this.#state
    const dlab = has(LCR.of(state.lcr), LCR.DLAB)
    switch (registerName(offset / this.#properties.registerStrideBytes, 'read', dlab)) {
      case 'RBR':
        return this.#readRbr(io)
      case 'IER':
        io.validUntil(NEVER)
        return state.ier
      case 'IIR':
        return this.#readIir(io)
      case 'LCR':
        io.validUntil(NEVER)
        return state.lcr
      case 'MCR':
        io.validUntil(NEVER)
        return state.mcr
      case 'LSR':
        return this.#readLsr(io)
      case 'MSR':
        return this.#readMsr(io)
      case 'SCR':
        io.validUntil(NEVER)
        return state.scr
      case 'DLL':
        io.validUntil(NEVER)
        return state.divisor & 0xff
      default:
        io.validUntil(NEVER)
        return state.divisor >>> 8
    }
  }

  write(_region: number, offset: number, _size: number, written: number, io: DeviceIo): void {
    const state = this.#state
    const dlab = has(LCR.of(state.lcr), LCR.DLAB)
    const value = written & 0xff
    const register = registerName(offset / this.#properties.registerStrideBytes, 'write', dlab)
    switch (register) {
      case 'THR':
        this.#transmit(value, io)
        break
      case 'IER':
        this.#writeIer(IER.of(withoutReserved('uart16550', 'IER', value, 0xff & ~IER_WRITABLE, io)))
        break
      case 'FCR':
        this.#writeFcr(FCR.of(withoutReserved('uart16550', 'FCR', value, FCR_RESERVED, io)))
        break
      case 'LCR':
        this.#writeLcr(LCR.of(value), io)
        break
      case 'MCR':
        state.mcr = withoutReserved('uart16550', 'MCR', value, 0xff & ~MCR_WRITABLE, io)
        this.#updateModemLines()
        break
      case 'SCR':
        state.scr = value
        break
      case 'DLL':
        state.divisor = (state.divisor & 0xff00) | value
        break
      case 'DLM':
        state.divisor = (state.divisor & 0x00ff) | (value << 8)
        break
      default:
        io.unhandled(`uart16550: write to ${register}, which is for factory tests`)
    }
    this.#update(io)
  }

  /** Characters from the world join those on the wire. */
  input(bytes: Uint8Array, io: DeviceIo): void {
    const state = this.#state
    const room = BACKLOG_CHARACTERS - state.backlog.length
    if (bytes.length > room) state.overrun = true
    const taken = bytes.subarray(0, room)
    const backlog = new Uint8Array(state.backlog.length + taken.length)
    backlog.set(state.backlog)
    backlog.set(taken, state.backlog.length)
    state.backlog = backlog
    this.#update(io)
  }

  /** A character arrives, or the FIFO has been left alone for four character times. */
  event(io: DeviceIo): void {
    const state = this.#state
    while (state.arrivalVt <= io.now && this.#hasRoom()) {
      const arrived = state.arrivalVt
      state.received.push(state.backlog[0]!)
      state.backlog = state.backlog.subarray(1)
      state.fifoActivityVt = arrived
      state.arrivalVt = state.backlog.length > 0 ? arrived + this.#characterNs() : NEVER
    }
    this.#update(io)
  }

  save(): DeviceState {
    return layout.save({ ...this.#state, backlog: this.#state.backlog.slice() })
  }

  restore(state: DeviceState): void {
    this.#state = layout.restore(state)
  }

  #readRbr(io: DeviceIo): number {
    const state = this.#state
    const character = state.received.shift()
    if (character === undefined) {
      io.validUntil(NEVER)
      return state.lastRead
    }
    state.lastRead = character & 0xff
    state.errorsShown = false
    state.fifoActivityVt = io.now
    this.#update(io)
    return state.lastRead
  }

  #readIir(io: DeviceIo): number {
    const state = this.#state
    const source = this.#interruptSource(io.now)
    if (source === IIR.TRANSMITTER_EMPTY) {
      state.transmitterEmptyPending = false
      this.#update(io)
    } else {
      // What time alone changes here is announced by an event.
      io.validUntil(NEVER)
    }
    return source | (this.#fifosEnabled() ? IIR.FIFOS_ENABLED : 0)
  }

  #readLsr(io: DeviceIo): number {
    const state = this.#state
    const lsr = this.#lsr()
    if (has(lsr, LINE_ERRORS)) {
      state.overrun = false
      state.errorsShown = true
      this.#update(io)
    } else {
      io.validUntil(NEVER)
    }
    return lsr
  }

  #readMsr(io: DeviceIo): number {
    const state = this.#state
    const msr = state.modemLines | state.msrDeltas
    if (state.msrDeltas === 0) {
      io.validUntil(NEVER)
    } else {
      state.msrDeltas = 0
      this.#update(io)
    }
    return msr
  }

  #writeIer(ier: Bits<'IER'>): void {
    const state = this.#state
    // THR is always empty here: switching its interrupt on makes it pending at once.
    if (has(ier, IER.ETBEI) && !has(IER.of(state.ier), IER.ETBEI)) state.transmitterEmptyPending = true
    state.ier = ier
  }

  #writeFcr(fcr: Bits<'FCR'>): void {
    const state = this.#state
    const enabled = has(fcr, FCR.FIFO_ENABLE)
    const switched = enabled !== this.#fifosEnabled()
    if (switched || (enabled && has(fcr, FCR.RCVR_RESET))) {
      state.received = []
      state.errorsShown = false
    }
    // The other bits are taken only together with the enable bit; the reset bits clear themselves.
    state.fcr = enabled ? fcr & ~(FCR.RCVR_RESET | FCR.XMIT_RESET) : 0
  }

  #writeLcr(lcr: Bits<'LCR'>, io: DeviceIo): void {
    const state = this.#state
    const breakStarts = has(lcr, LCR.SET_BREAK) && !has(LCR.of(state.lcr), LCR.SET_BREAK)
    state.lcr = lcr
    if (!breakStarts) return
    if (this.#loopback()) this.#receive((LSR.BI | LSR.FE) << 8, io.now)
    else io.unhandled('uart16550: LCR SET_BREAK: the world sees no break')
  }

  #transmit(byte: number, io: DeviceIo): void {
    const state = this.#state
    state.transmitterEmptyPending = true
    if (this.#loopback()) this.#receive(byte & (0xff >>> (3 - (state.lcr & LCR.WORD_LENGTH))), io.now)
    else io.output(Uint8Array.of(byte))
  }

  /** A character comes in from the loop, whether or not there is room. */
  #receive(character: number, now: Vt): void {
    const state = this.#state
    state.fifoActivityVt = now
    if (state.received.length < this.#capacity()) {
      state.received.push(character)
      return
    }
    state.overrun = true
    // The FIFO keeps what it has; RBR alone is written over.
    if (!this.#fifosEnabled()) state.received = [character]
  }

  #updateModemLines(): void {
    const state = this.#state
    const before = state.modemLines
    const mcr = MCR.of(state.mcr)
    let after: number = EXTERNAL_MODEM_LINES
    if (has(mcr, MCR.LOOP)) {
      after =
        (has(mcr, MCR.RTS) ? MSR.CTS : 0) |
        (has(mcr, MCR.DTR) ? MSR.DSR : 0) |
        (has(mcr, MCR.OUT1) ? MSR.RI : 0) |
        (has(mcr, MCR.OUT2) ? MSR.DCD : 0)
    }
    const changed = MSR.of(before ^ after)
    if (has(changed, MSR.CTS)) state.msrDeltas |= MSR.DCTS
    if (has(changed, MSR.DSR)) state.msrDeltas |= MSR.DDSR
    if (has(changed, MSR.DCD)) state.msrDeltas |= MSR.DDCD
    // Only the end of a ring counts.
    if (has(changed, MSR.RI) && !has(MSR.of(after), MSR.RI)) state.msrDeltas |= MSR.TERI
    state.modemLines = after
  }

  #fifosEnabled(): boolean {
    return has(FCR.of(this.#state.fcr), FCR.FIFO_ENABLE)
  }

  #loopback(): boolean {
    return has(MCR.of(this.#state.mcr), MCR.LOOP)
  }

  #capacity(): number {
    return this.#fifosEnabled() ? FIFO_CHARACTERS : 1
  }

  /** Whether the next character of the wire may arrive: the loop cuts the wire off. */
  #hasRoom(): boolean {
    return this.#state.received.length < this.#capacity() && !this.#loopback()
  }

  #triggerReached(): boolean {
    const { received, fcr } = this.#state
    return received.length >= (this.#fifosEnabled() ? TRIGGER_LEVELS[(fcr >>> 6) as 0 | 1 | 2 | 3] : 1)
  }

  /** When the FIFO's contents count as left lying, by section 8.4.1 of the data sheet; `NEVER` where they do not. */
  #timeoutVt(): Vt {
    const { received, fifoActivityVt } = this.#state
    if (!this.#fifosEnabled() || received.length === 0) return NEVER
    return fifoActivityVt + 4 * this.#characterNs()
  }

  /** Nanoseconds of one character: start, data, parity and stop bits at `clockHertz / (16 * divisor)`. */
  #characterNs(): number {
    const { divisor, lcr: value } = this.#state
    if (divisor === 0) return DEFAULT_CHARACTER_NS
    const lcr = LCR.of(value)
    const dataBits = 5 + (lcr & LCR.WORD_LENGTH)
    const stopHalfBits = !has(lcr, LCR.STOP_BITS) ? 2 : dataBits === 5 ? 3 : 4
    const halfBits = 2 + 2 * dataBits + (has(lcr, LCR.PARITY_ENABLE) ? 2 : 0) + stopHalfBits
    const nanoseconds = (BigInt(halfBits * divisor) * 8_000_000_000n) / BigInt(this.#properties.clockHertz)
    return Math.max(1, Number(nanoseconds))
  }

  #lsr(): Bits<'LSR'> {
    const { received, overrun, errorsShown } = this.#state
    const top = received[0]
    let lsr: number = LSR.THRE | LSR.TEMT
    if (overrun) lsr |= LSR.OE
    if (top !== undefined) lsr |= LSR.DR | (errorsShown ? 0 : top >>> 8)
    if (this.#fifosEnabled() && received.some((character) => character >= 0x100)) lsr |= LSR.FIFO_ERROR
    return LSR.of(lsr)
  }

  #interruptSource(now: Vt): Bits<'IIR'> {
    const state = this.#state
    const ier = IER.of(state.ier)
    if (has(ier, IER.ELSI) && has(this.#lsr(), LINE_ERRORS)) return IIR.LINE_STATUS
    if (has(ier, IER.ERBFI)) {
      if (this.#triggerReached()) return IIR.DATA_AVAILABLE
      if (now >= this.#timeoutVt()) return IIR.CHARACTER_TIMEOUT
    }
    if (has(ier, IER.ETBEI) && state.transmitterEmptyPending) return IIR.TRANSMITTER_EMPTY
    if (has(ier, IER.EDSSI) && has(MSR.of(state.msrDeltas), DELTAS)) return IIR.MODEM_STATUS
    return IIR.NONE
  }

  /** Derives the interrupt line and the timer from the state. */
  #update(io: DeviceIo): void {
    const state = this.#state
    if (state.backlog.length === 0 || !this.#hasRoom()) state.arrivalVt = NEVER
    else if (state.arrivalVt === NEVER) state.arrivalVt = io.now + this.#characterNs()

    const mcr = MCR.of(state.mcr)
    // The loop forces the OUT2 pin to its inactive level.
    const open = !this.#properties.out2GatesInterrupt || (has(mcr, MCR.OUT2) && !has(mcr, MCR.LOOP))
    io.line('irq', open && this.#interruptSource(io.now) !== IIR.NONE)

    let due = state.arrivalVt
    if (has(IER.of(state.ier), IER.ERBFI) && !this.#triggerReached()) {
      const timeoutVt = this.#timeoutVt()
      if (timeoutVt > io.now) due = Math.min(due, timeoutVt)
    }
    io.timer(due)
  }
}

function initialState(): State {
  return {
    ier: 0,
    fcr: 0,
    lcr: 0,
    mcr: 0,
    scr: 0,
    divisor: 0,
    overrun: false,
    errorsShown: false,
    msrDeltas: 0,
    modemLines: EXTERNAL_MODEM_LINES,
    transmitterEmptyPending: false,
    received: [],
    lastRead: 0,
    fifoActivityVt: 0,
    backlog: new Uint8Array(0),
    arrivalVt: NEVER,
  }
}

export const uart16550: DeviceModel<Uart16550Properties> = {
  type: 'uart16550',
  stateVersion: 1,
  regions({ registerStrideBytes }) {
    return registerStrideBytes === 1
      ? [{ kind: 'registers', name: 'registers', size: 8, maxBytes: 1, endian: 'little' }]
      : [
          {
            kind: 'registers',
            name: 'registers',
            size: 8 * registerStrideBytes,
            minBytes: 4,
            maxBytes: 4,
            endian: 'native',
          },
        ]
  },
  inputs: [],
  outputs: ['irq'],
  create: (properties) => new Uart16550(properties),
  decoder: ({ registerStrideBytes }) => decoder(registerStrideBytes),
}

/**
 * 8259A programmable interrupt controller: Intel 8259A data sheet (231468-003), with the edge/level control register
 * (ELCR) that the 82371AB (PIIX4, 290562-001) puts beside each of its two. One node is one chip.
 *
 * An interrupt acknowledge cycle is a read of region `acknowledge`. A master asks the slave whose request it takes for
 * the vector, as the chips do over CAS0 to CAS2.
 *
 * Not modelled: MCS-80 mode (the CALL sequence), buffered mode (pins only).
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
  type NamedAccess,
  NEVER,
  type NodeName,
  type Payload,
  readDevice,
  registerBits,
  type Sequence,
  StateLayout,
  withoutReserved,
} from '../sdk/mod.ts'

export interface I8259Properties {
  /** ELCR bits that may be set: the lines that the board allows to be level-triggered. 0xf8 and 0xde in a PIIX4. */
  elcrMask: number
  /** A master's input that a slave's INT drives, and the slave. */
  cascade?: { input: number; slave: NodeName }
}

/** Region numbers; the last is where a bridge performs the interrupt acknowledge cycle. */
const PORTS = 0
const ELCR = 1
export const I8259_ACKNOWLEDGE_REGION = 2

const ICW1 = registerBits('ICW1', { ICW1: 0x10, LTIM: 0x08, ADI: 0x04, SNGL: 0x02, IC4: 0x01 })
const ICW4 = registerBits('ICW4', { SFNM: 0x10, BUF: 0x08, M_S: 0x04, AEOI: 0x02, uPM: 0x01 })
const OCW2 = registerBits('OCW2', { R: 0x80, SL: 0x40, EOI: 0x20 })
const OCW3 = registerBits('OCW3', { ESMM: 0x40, SMM: 0x20, OCW3: 0x08, P: 0x04, RR: 0x02, RIS: 0x01 })
/** A write to the even port is OCW3 where this bit is set, OCW2 where it is not. */
const OCW3_SELECT = 0x08
const ICW4_RESERVED = 0xe0
/** A poll's answer: bit 7 says that bits 2 to 0 are the level of a request. */
const POLL_REQUEST = 0x80

const layout = new StateLayout('i8259', {
  /** Levels of IR7 to IR0. */
  inputs: field.unsigned(8),
  /** Edges seen and not yet acknowledged. */
  edges: field.unsigned(8),
  imr: field.unsigned(8),
  isr: field.unsigned(8),
  elcr: field.unsigned(8),
  icw1: field.unsigned(8),
  /** The vector of IR0. */
  vectorBase: field.unsigned(8),
  icw3: field.unsigned(8),
  icw4: field.unsigned(8),
  /** The initialization command word that the odd port takes next; 0: OCW1. */
  nextIcw: field.whole(0, 4),
  lowestPriority: field.whole(0, 7),
  specialMask: field.flag(),
  rotateOnAutoEoi: field.flag(),
  readIsr: field.flag(),
  poll: field.flag(),
})
type State = FieldsOf<typeof layout>

class I8259 implements Device {
  readonly #properties: I8259Properties
  #state: State = initialState()

  constructor(properties: I8259Properties) {
    this.#properties = properties
  }

  /** The chip has no reset pin: it starts with everything clear, and awaits ICW1. Inputs keep their levels. */
  reset(io: DeviceIo): void {
    this.#state = { ...initialState(), inputs: this.#state.inputs }
    this.#drive(io)
  }

  read(region: number, offset: number, _size: number, io: DeviceIo): number | Sequence<number> {
    const state = this.#state
    if (region === I8259_ACKNOWLEDGE_REGION) return this.#acknowledge(io)
    if (region === ELCR) {
      io.validUntil(NEVER)
      return state.elcr
    }
    if (state.poll) {
      state.poll = false
      const level = this.#take(io)
      return level === undefined ? 0 : POLL_REQUEST | level
    }
    io.validUntil(NEVER)
    if (offset === 1) return state.imr
    return state.readIsr ? state.isr : this.#requests()
  }

  write(region: number, offset: number, _size: number, value: number, io: DeviceIo): void {
    const state = this.#state
    if (region === I8259_ACKNOWLEDGE_REGION) {
      io.unhandled('i8259: write to the acknowledge cycle')
    } else if (region === ELCR) {
      state.elcr = withoutReserved('i8259', 'ELCR', value, 0xff & ~this.#properties.elcrMask, io)
    } else if (offset === 1) {
      this.#writeOdd(value, io)
    } else if ((value & ICW1.ICW1) !== 0) {
      this.#writeIcw1(value)
    } else if ((value & OCW3_SELECT) !== 0) {
      this.#writeOcw3(OCW3.of(value))
    } else {
      this.#writeOcw2(OCW2.of(value), value & 7)
    }
    this.#drive(io)
  }

  line(wire: number, level: 0 | 1, io: DeviceIo): void {
    const state = this.#state
    const bit = 1 << wire
    if (level === 1) {
      state.inputs |= bit
      state.edges |= bit
    } else {
      // A request that goes away before it is acknowledged is lost; the acknowledge then finds IR7 (data sheet, p. 17).
      state.inputs &= ~bit
      state.edges &= ~bit
    }
    this.#drive(io)
  }

  save(): DeviceState {
    return layout.save(this.#state)
  }

  restore(state: DeviceState): void {
    this.#state = layout.restore(state)
  }

  #writeIcw1(value: number): void {
    const { inputs, elcr, vectorBase } = this.#state
    this.#state = { ...initialState(), inputs, elcr, vectorBase, icw1: value, nextIcw: 2 }
  }

  #writeOdd(value: number, io: DeviceIo): void {
    const state = this.#state
    const icw1 = ICW1.of(state.icw1)
    switch (state.nextIcw) {
      case 2:
        state.vectorBase = value & 0xf8
        state.nextIcw = has(icw1, ICW1.SNGL) ? (has(icw1, ICW1.IC4) ? 4 : 0) : 3
        this.#checkMode(io)
        break
      case 3:
        state.icw3 = value
        state.nextIcw = has(icw1, ICW1.IC4) ? 4 : 0
        this.#checkMode(io)
        break
      case 4:
        state.icw4 = withoutReserved('i8259', 'ICW4', value, ICW4_RESERVED, io)
        state.nextIcw = 0
        this.#checkMode(io)
        break
      default:
        state.imr = value
    }
  }

  /** Reports, once initialized, a mode that the model lacks. */
  #checkMode(io: DeviceIo): void {
    if (this.#state.nextIcw === 0 && (this.#state.icw4 & ICW4.uPM) === 0) io.unhandled('i8259: MCS-80 mode')
  }

  #writeOcw2(ocw2: Bits<'OCW2'>, named: number): void {
    const state = this.#state
    const rotate = has(ocw2, OCW2.R)
    const specific = has(ocw2, OCW2.SL)
    if (!has(ocw2, OCW2.EOI)) {
      if (specific && rotate) state.lowestPriority = named
      else if (!specific) state.rotateOnAutoEoi = rotate
      return
    }
    // An unspecific EOI passes over levels that special mask mode has masked.
    const level = specific ? named : this.#highest(state.specialMask ? state.isr & ~state.imr : state.isr)
    if (level === undefined) return
    state.isr &= ~(1 << level)
    if (rotate) state.lowestPriority = level
  }

  #writeOcw3(ocw3: Bits<'OCW3'>): void {
    const state = this.#state
    if (has(ocw3, OCW3.ESMM)) state.specialMask = has(ocw3, OCW3.SMM)
    if (has(ocw3, OCW3.RR)) state.readIsr = has(ocw3, OCW3.RIS)
    state.poll = has(ocw3, OCW3.P)
  }

  *#acknowledge(io: DeviceIo): Sequence<number> {
    const level = this.#take(io)
    const { cascade } = this.#properties
    if (level !== undefined && level === cascade?.input) {
      return yield* readDevice(cascade.slave, I8259_ACKNOWLEDGE_REGION, 0, 1)
    }
    return this.#state.vectorBase | (level ?? 7)
  }

  /** Takes the highest request into service; `undefined` where none is left: the spurious IR7. */
  #take(io: DeviceIo): number | undefined {
    const state = this.#state
    const level = this.#pending()
    if (level === undefined) return undefined
    const bit = 1 << level
    state.edges &= ~bit
    if ((state.icw4 & ICW4.AEOI) === 0) state.isr |= bit
    else if (state.rotateOnAutoEoi) state.lowestPriority = level
    // INT falls in every acknowledge cycle: a master sees an edge for each request of its slave.
    io.line('intr', 0)
    this.#drive(io)
    return level
  }

  /** IRR: latched edges, and the levels of the level-triggered inputs. */
  #requests(): number {
    const { icw1, elcr, inputs, edges } = this.#state
    const levelTriggered = (icw1 & ICW1.LTIM) !== 0 ? 0xff : elcr
    return (edges & ~levelTriggered) | (inputs & levelTriggered)
  }

  /** The request that INT stands for, if any. */
  #pending(): number | undefined {
    const state = this.#state
    const request = this.#highest(this.#requests() & ~state.imr)
    if (request === undefined) return undefined
    // Special mask mode: a level in service that is masked holds nothing back.
    let blocking = state.specialMask ? state.isr & ~state.imr : state.isr
    // In special fully nested mode a slave in service does not hold back its own higher requests.
    const cascade = this.#properties.cascade
    if ((state.icw4 & ICW4.SFNM) !== 0 && cascade !== undefined) blocking &= ~(1 << cascade.input)
    const inService = this.#highest(blocking)
    if (inService === undefined) return request
    return this.#rank(request) < this.#rank(inService) ? request : undefined
  }

  /** 0 for the highest priority, 7 for the lowest. */
  #rank(level: number): number {
    return (level - this.#state.lowestPriority - 1) & 7
  }

  /** The set bit of `bits` with the highest priority. */
  #highest(bits: number): number | undefined {
    for (let rank = 0; rank < 8; rank++) {
      const level = (this.#state.lowestPriority + 1 + rank) & 7
      if ((bits & (1 << level)) !== 0) return level
    }
    return undefined
  }

  /** Derives INT from the state. */
  #drive(io: DeviceIo): void {
    io.line('intr', this.#pending() !== undefined)
  }
}

function initialState(): State {
  return {
    inputs: 0,
    edges: 0,
    imr: 0,
    isr: 0,
    elcr: 0,
    icw1: 0,
    vectorBase: 0,
    icw3: 0,
    icw4: 0,
    nextIcw: 0,
    lowestPriority: 7,
    specialMask: false,
    rotateOnAutoEoi: false,
    readIsr: false,
    poll: false,
  }
}

const OCW2_WORDS = [
  'rotate in auto-EOI off',
  'non-specific EOI',
  'no operation',
  'specific EOI',
  'rotate in auto-EOI on',
  'rotate on non-specific EOI',
  'set priority',
  'rotate on specific EOI',
] as const

/** Follows the initialization sequence to know which word the odd port takes. */
function decoder(): (payload: Payload) => string | undefined {
  let nextIcw = 0
  let icw1 = 0
  let evenReads = 'IRR'
  const odd = (): NamedAccess => {
    const after = { 0: 0, 2: (icw1 & ICW1.SNGL) === 0 ? 3 : 4, 3: 4, 4: 0 }[nextIcw] ?? 0
    const register = nextIcw === 0 ? 'OCW1 (IMR)' : `ICW${nextIcw}`
    const words = nextIcw === 4 ? ICW4.names : undefined
    nextIcw = after === 4 && (icw1 & ICW1.IC4) === 0 ? 0 : after
    return words === undefined ? { register } : { register, words }
  }
  return accessDecoder(
    ({ region, offset }) => {
      if (region === I8259_ACKNOWLEDGE_REGION) return { register: 'interrupt acknowledge' }
      if (region === ELCR) return { register: 'ELCR' }
      if (evenReads !== 'poll') return { register: offset === 1 ? 'IMR' : evenReads }
      evenReads = 'IRR'
      return { register: 'poll' }
    },
    ({ region, offset, value }) => {
      if (region === ELCR) return { register: 'ELCR' }
      if (region !== PORTS) return undefined
      if (offset === 1) return odd()
      if ((value & ICW1.ICW1) !== 0) {
        icw1 = value
        nextIcw = 2
        evenReads = 'IRR'
        return { register: 'ICW1', words: (word) => ICW1.names(word & ~ICW1.ICW1) }
      }
      if ((value & OCW3_SELECT) !== 0) {
        if ((value & OCW3.P) !== 0) evenReads = 'poll'
        else if ((value & OCW3.RR) !== 0) evenReads = (value & OCW3.RIS) !== 0 ? 'ISR' : 'IRR'
        return { register: 'OCW3', words: (word) => OCW3.names(word & ~OCW3_SELECT) }
      }
      return { register: 'OCW2', words: ocw2Words }
    },
    () => {
      nextIcw = 0
      evenReads = 'IRR'
    },
  )
}

function ocw2Words(value: number): string {
  const words = OCW2_WORDS[(value >>> 5) as 0]
  return (value & OCW2.SL) === 0 || value >>> 5 === 2 ? words : `${words} ${value & 7}`
}

export const i8259: DeviceModel<I8259Properties> = {
  type: 'i8259',
  stateVersion: 1,
  regions: () => [
    { kind: 'registers', name: 'ports', size: 2, maxBytes: 1, endian: 'little' },
    { kind: 'registers', name: 'elcr', size: 1, maxBytes: 1, endian: 'little' },
    { kind: 'registers', name: 'acknowledge', size: 1, maxBytes: 1, endian: 'little' },
  ],
  inputs: ['ir0', 'ir1', 'ir2', 'ir3', 'ir4', 'ir5', 'ir6', 'ir7'],
  outputs: ['intr'],
  create: (properties) => new I8259(properties),
  decoder,
}

/**
 * AMD Am79C973 (PCnet-FAST III): an Ethernet card on PCI with rings of descriptors in memory; what a Malta has on board.
 *
 * "Am79C973/Am79C975 PCnet-FAST III", AMD publication 21510. Frames are handed over without check sequence; one from the world gets
 * its own, as the driver sees it. A frame that is sent has left at once: a transmitter is never busy. Descriptors are looked at when
 * software asks (TDMD) or a frame comes, which is what polling them would find.
 *
 * Not modelled: the EEPROM's and the expansion ROM's interfaces, wake-up, bursts and timing of the bus, time-outs of FIFOs and what
 * follows from a full one, collisions, the software timer, what LEDs show of frames, the transceiver's registers from 16 on, and
 * interrupts of the management interface but for the one that says that its status has changed (CSR7's MAPINT, at once).
 */
import {
  ADDRESS_BYTES,
  CARD_REGION,
  CHECK_BYTES,
  cardDecoder,
  cardFunction,
  cardRegions,
  destinationCheck,
  isForAll,
  isForGroup,
  MOST_FRAME_BYTES,
  readLink,
  Wire,
  wireState,
  withCheck,
} from '../ethernet/mod.ts'
import { ConfigSpace, configDecoder, configSpaceState } from '../pci/mod.ts'
import {
  type AccessSize,
  copyOf,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  dmaRead,
  dmaWrite,
  field,
  hex,
  type NamedAccess,
  NEVER,
  type Payload,
  type Sequence,
  StateLayout,
} from '../sdk/mod.ts'
import { BusConfiguration, busConfigurationState } from './bus-configuration.ts'
import {
  BCR,
  CSR,
  CSR_COUNT,
  CSR_INITIAL,
  CSR0,
  CSR0_ERRORS,
  CSR0_EVENTS,
  CSR3_MASKS,
  CSR5_SPND,
  CSR7,
  CSR7_ENABLES,
  CSR7_EVENTS,
  CSR15,
} from './registers.ts'
import { DESCRIPTOR, type Descriptor, INIT_BLOCK_BYTES, RECEIVED, readInitBlock, SENT_LCAR } from './rings.ts'

export interface PcnetProperties {
  /** Six bytes. */
  address: readonly number[]
}

const { CONFIG } = CARD_REGION

const REGISTER_BYTES = 32
/** Where the registers behind the address PROM are, in accesses of 16 and of 32 bits. */
const WORD = { DATA: 0x10, ADDRESS: 0x12, RESET: 0x14, BUS_DATA: 0x16 } as const
const LONG = { DATA: 0x10, ADDRESS: 0x14, RESET: 0x18, BUS_DATA: 0x1c } as const

/** CSR8 to 11, four words; CSR12 to 14, three. */
const FILTER_WORDS = 4
const ADDRESS_WORDS = 3

const definition = cardFunction({
  vendorId: 0x1022,
  deviceId: 0x2000,
  revisionId: 0x40,
  registerBytes: REGISTER_BYTES,
  minimumGrant: 0x06,
  maximumLatency: 0xff,
})

const layout = new StateLayout('pcnet', {
  config: configSpaceState,
  csr: field.list(field.unsigned(16), CSR_COUNT, true),
  bus: busConfigurationState,
  /** RAP. */
  selected: field.unsigned(7),
  wire: wireState,
})

class Pcnet implements Device {
  readonly #address: readonly number[]
  readonly #config = new ConfigSpace(definition)
  #csr = new Array<number>(CSR_COUNT).fill(0)
  readonly #bus = new BusConfiguration()
  #selected = 0
  readonly #wire = new Wire()

  constructor({ address }: PcnetProperties) {
    this.#address = address
  }

  reset(io: DeviceIo): void {
    this.#config.reset(io)
    this.#bus.reset()
    this.#softReset()
    // The address comes from the EEPROM.
    for (let i = 0; i < ADDRESS_WORDS; i++) {
      this.#csr[CSR.ADDRESS + i] = this.#address[2 * i]! | (this.#address[2 * i + 1]! << 8)
    }
    // It takes longer than what was on its way.
    this.#wire.clear()
    io.timer(NEVER)
    this.#updateInterrupt(io)
  }

  read(region: number, offset: number, size: AccessSize, io: DeviceIo): number {
    if (region === CONFIG) {
      io.validUntil(NEVER)
      return this.#config.read(offset, size)
    }
    if (offset < WORD.DATA) {
      io.validUntil(NEVER)
      let value = 0
      for (let i = 0; i < size; i++) value += this.#promByte(offset + i) * 2 ** (8 * i)
      return value
    }
    const place = this.#bus.isLong ? LONG : WORD
    if (offset === place.RESET) {
      this.#softReset()
      this.#updateInterrupt(io)
      return 0
    }
    if (offset !== place.BUS_DATA || !this.#bus.changesWhenRead(this.#selected)) io.validUntil(NEVER)
    const mask = size === 1 ? 0xff : 0xffff
    if (offset === place.ADDRESS) return this.#selected & mask
    if (offset === place.DATA) return this.#readCsr(this.#selected) & mask
    if (offset === place.BUS_DATA) return this.#bus.read(this.#selected) & mask
    io.unhandled(`pcnet: read of ${size} bytes at ${hex(offset)}`)
    return 0
  }

  write(region: number, offset: number, size: AccessSize, value: number, io: DeviceIo): void | Sequence<void> {
    if (region === CONFIG) {
      this.#config.write(offset, size, value, io)
      return
    }
    if (offset === LONG.DATA && size === 4) this.#bus.setLong()
    const place = this.#bus.isLong ? LONG : WORD
    const word = value & 0xffff
    if (offset === place.ADDRESS) this.#selected = word & (CSR_COUNT - 1)
    else if (offset === place.DATA) return this.#writeCsr(this.#selected, word, io)
    else if (offset === place.BUS_DATA) this.#bus.write(this.#selected, word)
    else if (offset !== place.RESET) io.unhandled(`pcnet: write of ${hex(value)} at ${hex(offset)}`)
  }

  /** A frame is on its way, or the link has changed. */
  input(bytes: Uint8Array, io: DeviceIo): Sequence<void> {
    const isUp = readLink(bytes)
    if (isUp === undefined) {
      if (this.#bus.isLinked) this.#wire.put(bytes, io.now)
    } else {
      if (this.#bus.setLink(isUp)) this.#csr[CSR.MANAGEMENT]! |= CSR7.MAPINT
      if (!isUp) this.#wire.clear()
    }
    return this.event(io)
  }

  /** Takes what has come. */
  *event(io: DeviceIo): Sequence<void> {
    for (let frame = this.#wire.take(io.now); frame !== undefined; frame = this.#wire.take(io.now)) {
      if (this.#has(CSR0.RXON) && !this.#isSuspended && !this.#isLooped) yield* this.#receive(frame)
    }
    io.timer(this.#wire.due)
    this.#updateInterrupt(io)
  }

  save(): DeviceState {
    return layout.save({
      config: this.#config.save(),
      csr: this.#csr,
      bus: this.#bus.save(),
      selected: this.#selected,
      wire: this.#wire.save(),
    })
  }

  restore(state: DeviceState): void {
    const { config, csr, bus, selected, wire } = layout.restore(state)
    this.#config.restore(config)
    this.#csr = csr
    this.#bus.restore(bus)
    this.#selected = selected
    this.#wire.restore(wire)
  }

  get #isSuspended(): boolean {
    return (this.#csr[CSR.EXTENDED]! & CSR5_SPND) !== 0
  }

  #has(bits: number): boolean {
    return (this.#csr[CSR.STATUS]! & bits) !== 0
  }

  /** 16 bytes: the address, and what says that they are right. */
  #promByte(offset: number): number {
    const at = (place: number) => this.#address[place] ?? (place === 9 ? 0x11 : place === 14 || place === 15 ? 0x57 : 0)
    if (offset !== 12 && offset !== 13) return at(offset)
    let sum = 0
    for (let place = 0; place < 16; place++) sum += at(place)
    return (sum >> (8 * (offset - 12))) & 0xff
  }

  /**
   * What reading the reset register does: addresses and modes of the bus stay. So does where the initialization block is: Linux resets
   * the chip for its self-test and initializes it again without saying that anew.
   */
  #softReset(): void {
    const kept = [CSR.INIT_LOW, CSR.INIT_HIGH, ...Array.from({ length: ADDRESS_WORDS }, (_, i) => CSR.ADDRESS + i)]
    const values = kept.map((number) => this.#csr[number]!)
    this.#csr.fill(0)
    for (const [number, value] of CSR_INITIAL) this.#csr[number] = value
    for (const [i, number] of kept.entries()) this.#csr[number] = values[i]!
    this.#selected = 0
  }

  #readCsr(number: number): number {
    if (number !== CSR.STATUS) return number === CSR.STYLE ? this.#bus.read(BCR.STYLE) : this.#csr[number]!
    const status = this.#csr[CSR.STATUS]!
    return status | ((status & CSR0_ERRORS) !== 0 ? CSR0.ERR : 0) | (this.#interrupts ? CSR0.INTR : 0)
  }

  #writeCsr(number: number, value: number, io: DeviceIo): void | Sequence<void> {
    if (number === CSR.STATUS) return this.#writeStatus(value, io)
    const isOpen = this.#has(CSR0.STOP) || this.#isSuspended
    switch (number) {
      case CSR.FEATURES:
        // Its events are cleared by writing 1, and none ever stands.
        this.#csr[number] = value & ~0x022a
        break
      case CSR.MANAGEMENT:
        if (value & CSR7_ENABLES & ~CSR7.MAPINTE)
          io.unhandled(`pcnet: CSR7 <- ${hex(value)} enables what never interrupts`)
        this.#csr[number] = (this.#csr[number]! & CSR7_EVENTS & ~value) | (value & ~CSR7_EVENTS)
        break
      case CSR.EXTENDED:
        this.#csr[number] = value
        // What software has put there meanwhile is sent.
        return this.#resume(io)
      case CSR.MASK:
      case CSR.MISSED:
      case CSR.COLLISIONS:
        this.#csr[number] = value
        break
      case CSR.STYLE:
        this.#bus.write(BCR.STYLE, value)
        break
      case CSR.CHIP_LOW:
      case CSR.CHIP_HIGH:
        break
      default:
        // The rest is what the chip itself works with: it is software's while it is stopped.
        if (isOpen) this.#csr[number] = value
        else io.unhandled(`pcnet: write of ${hex(value)} to CSR${number} while it runs`)
    }
    this.#updateInterrupt(io)
  }

  *#resume(io: DeviceIo): Sequence<void> {
    yield* this.#transmit(io)
    this.#updateInterrupt(io)
  }

  *#writeStatus(value: number, io: DeviceIo): Sequence<void> {
    const before = this.#csr[CSR.STATUS]!
    let status = before & ~(value & CSR0_EVENTS)
    status = (status & ~CSR0.IENA) | (value & CSR0.IENA)
    this.#csr[CSR.STATUS] = status
    if (value & CSR0.STOP) {
      // What it has found out stays to be read, but it does nothing any more.
      this.#csr[CSR.STATUS] = CSR0.STOP
    } else {
      if (value & CSR0.INIT && !(before & CSR0.INIT)) yield* this.#initialize()
      if (value & CSR0.STRT && !(before & CSR0.STRT)) this.#start()
      if (value & (CSR0.TDMD | CSR0.STRT)) yield* this.#transmit(io)
    }
    this.#updateInterrupt(io)
  }

  /** Two words that hold an address. */
  #addressAt(number: number): number {
    return this.#csr[number]! + this.#csr[number + 1]! * 0x10000
  }

  #putAddress(number: number, address: number): void {
    this.#csr[number] = address & 0xffff
    this.#csr[number + 1] = Math.floor(address / 0x10000)
  }

  *#initialize(): Sequence<void> {
    const { width } = this.#bus
    const at = this.#addressAt(CSR.INIT_LOW)
    const bytes = yield* dmaRead(width === 'wide' ? at : at % 2 ** 24, INIT_BLOCK_BYTES[width])
    const { mode, address, filter, receive, transmit } = readInitBlock(bytes, width)
    this.#csr[CSR.MODE] = mode
    for (let i = 0; i < ADDRESS_WORDS; i++) this.#csr[CSR.ADDRESS + i] = address[2 * i]! | (address[2 * i + 1]! << 8)
    for (let i = 0; i < FILTER_WORDS; i++) this.#csr[CSR.FILTER + i] = filter[2 * i]! | (filter[2 * i + 1]! << 8)
    this.#putAddress(CSR.RECEIVE_RING, receive.address)
    this.#putAddress(CSR.TRANSMIT_RING, transmit.address)
    this.#csr[CSR.RECEIVE_LENGTH] = -receive.length & 0xffff
    this.#csr[CSR.TRANSMIT_LENGTH] = -transmit.length & 0xffff
    this.#csr[CSR.RECEIVE_COUNTER] = this.#csr[CSR.RECEIVE_LENGTH]!
    this.#csr[CSR.TRANSMIT_COUNTER] = this.#csr[CSR.TRANSMIT_LENGTH]!
    this.#csr[CSR.STATUS] = (this.#csr[CSR.STATUS]! & ~CSR0.STOP) | CSR0.INIT | CSR0.IDON
  }

  #start(): void {
    const mode = this.#csr[CSR.MODE]!
    const status = (this.#csr[CSR.STATUS]! & ~CSR0.STOP) | CSR0.STRT
    this.#csr[CSR.STATUS] = status | (mode & CSR15.DRX ? 0 : CSR0.RXON) | (mode & CSR15.DTX ? 0 : CSR0.TXON)
    // Lengths that software has put there itself count from their start too.
    this.#csr[CSR.RECEIVE_COUNTER] ||= this.#csr[CSR.RECEIVE_LENGTH]!
    this.#csr[CSR.TRANSMIT_COUNTER] ||= this.#csr[CSR.TRANSMIT_LENGTH]!
  }

  /** Where a ring's descriptor is for which a counter stands: they count up to 0, from the two's complement of the ring's length. */
  #descriptorAt(ring: number, counter: number, length: number): number {
    const place = counter - this.#csr[length]!
    return this.#addressAt(ring) + this.#bus.style.bytes * Math.max(0, place)
  }

  /** Sends all frames that are there, whole ones. */
  *#transmit(io: DeviceIo): Sequence<void> {
    let frame: Uint8Array[] = []
    let frameBytes = 0
    const entries = 0x10000 - this.#csr[CSR.TRANSMIT_LENGTH]!
    for (let sent = 0; this.#has(CSR0.TXON) && !this.#isSuspended && sent < entries; sent++) {
      const counter = this.#csr[CSR.TRANSMIT_COUNTER]!
      const at = this.#descriptorAt(CSR.TRANSMIT_RING, counter, CSR.TRANSMIT_LENGTH)
      const style = this.#bus.style
      const bytes = copyOf(yield* dmaRead(at, style.bytes))
      const descriptor = style.read(bytes)
      if ((descriptor.flags & DESCRIPTOR.OWN) === 0) return
      if (descriptor.flags & DESCRIPTOR.STP) {
        frame = []
        frameBytes = 0
      }
      frame.push(yield* dmaRead(descriptor.address, descriptor.bytes))
      frameBytes += descriptor.bytes
      const isLast = (descriptor.flags & DESCRIPTOR.ENP) !== 0
      const hasFailed = isLast && !this.#hasCarrier
      style.write(bytes, (descriptor.flags & ~DESCRIPTOR.OWN) | (hasFailed ? DESCRIPTOR.ERR : 0))
      if (hasFailed) style.fail(bytes, SENT_LCAR)
      yield* dmaWrite(at, bytes)
      this.#csr[CSR.TRANSMIT_COUNTER] = this.#counterAfter(CSR.TRANSMIT_COUNTER, CSR.TRANSMIT_LENGTH)
      if (!isLast) continue
      yield* this.#send(Buffer.concat(frame), frameBytes, io)
      this.#csr[CSR.STATUS]! |= CSR0.TINT
    }
  }

  /** To the world, or back to itself. */
  *#send(frame: Uint8Array, bytes: number, io: DeviceIo): Sequence<void> {
    if (bytes > MOST_FRAME_BYTES) {
      this.#csr[CSR.STATUS]! |= CSR0.BABL
      return
    }
    if (!this.#isLooped) {
      if (this.#hasCarrier) io.output(frame)
    } else if (this.#has(CSR0.RXON)) yield* this.#receive(frame)
  }

  get #isLooped(): boolean {
    return (this.#csr[CSR.MODE]! & CSR15.LOOP) !== 0
  }

  /** Whether what it sends gets anywhere. */
  get #hasCarrier(): boolean {
    return this.#isLooped || this.#bus.isLinked
  }

  *#receive(frame: Uint8Array): Sequence<void> {
    const match = this.#match(frame)
    if (match === undefined) return
    const bytes = withCheck(frame)
    for (let at = 0; at < bytes.length; ) {
      const place = this.#descriptorAt(CSR.RECEIVE_RING, this.#csr[CSR.RECEIVE_COUNTER]!, CSR.RECEIVE_LENGTH)
      const style = this.#bus.style
      const words = copyOf(yield* dmaRead(place, style.bytes))
      const descriptor = style.read(words)
      if ((descriptor.flags & DESCRIPTOR.OWN) === 0) {
        this.#csr[CSR.STATUS]! |= CSR0.MISS
        this.#csr[CSR.MISSED] = (this.#csr[CSR.MISSED]! + 1) & 0xffff
        return
      }
      at = yield* this.#fill(bytes, at, place, words, descriptor, match)
    }
    this.#csr[CSR.STATUS]! |= CSR0.RINT
  }

  /** Puts as much of a frame, from byte `at` on, into a descriptor's buffer as it takes. Returns from where there is more. */
  *#fill(
    bytes: Uint8Array,
    at: number,
    place: number,
    words: Uint8Array,
    { address, bytes: room }: Descriptor,
    match: number,
  ): Sequence<number> {
    const end = Math.min(bytes.length, at + room)
    yield* dmaWrite(address, bytes.subarray(at, end))
    const isLast = end === bytes.length
    const flags = (at === 0 ? DESCRIPTOR.STP : 0) | (isLast ? DESCRIPTOR.ENP | match : 0)
    const style = this.#bus.style
    const next = this.#counterAfter(CSR.RECEIVE_COUNTER, CSR.RECEIVE_LENGTH)
    const isNextOurs = isLast || (yield* this.#isOwn(next))
    const failed = isNextOurs ? 0 : DESCRIPTOR.ERR | DESCRIPTOR.ENP | RECEIVED.BUFF
    style.write(words, flags | failed, isLast || failed !== 0 ? end : undefined)
    yield* dmaWrite(place, words)
    this.#csr[CSR.RECEIVE_COUNTER] = next
    return isNextOurs ? end : bytes.length
  }

  #counterAfter(counter: number, length: number): number {
    const next = (this.#csr[counter]! + 1) & 0xffff
    return next === 0 ? this.#csr[length]! : next
  }

  /** Whether the receive descriptor that a counter stands for is the chip's. */
  *#isOwn(counter: number): Sequence<boolean> {
    const style = this.#bus.style
    const at = this.#descriptorAt(CSR.RECEIVE_RING, counter, CSR.RECEIVE_LENGTH)
    return (style.read(yield* dmaRead(at, style.bytes)).flags & DESCRIPTOR.OWN) !== 0
  }

  /** Why a frame is taken, as its descriptor says it; undefined: it is not. */
  #match(frame: Uint8Array): number | undefined {
    const mode = this.#csr[CSR.MODE]!
    const isPromiscuous = (mode & CSR15.PROM) !== 0
    if (frame.length < ADDRESS_BYTES || frame.length > MOST_FRAME_BYTES - CHECK_BYTES) return undefined
    if (isForAll(frame) && (mode & CSR15.DRCVBC) === 0) return RECEIVED.BAM
    if (isForGroup(frame)) {
      const bit = destinationCheck(frame) >>> 26
      if ((this.#csr[CSR.FILTER + (bit >> 4)]! >> (bit & 15)) & 1) return RECEIVED.LAFM
    } else if ((mode & CSR15.DRCVPA) === 0 && this.#isForHere(frame)) return RECEIVED.PAM
    return isPromiscuous ? 0 : undefined
  }

  #isForHere(frame: Uint8Array): boolean {
    for (let i = 0; i < ADDRESS_BYTES; i++) {
      if (frame[i] !== ((this.#csr[CSR.ADDRESS + (i >> 1)]! >> (8 * (i & 1))) & 0xff)) return false
    }
    return true
  }

  /** Whether it would interrupt. */
  get #interrupts(): boolean {
    const masked = this.#csr[CSR.MASK]! & CSR3_MASKS
    const management = this.#csr[CSR.MANAGEMENT]!
    const hasLinkChanged = (management & CSR7.MAPINT) !== 0 && (management & CSR7.MAPINTE) !== 0
    return hasLinkChanged || (this.#csr[CSR.STATUS]! & CSR0_EVENTS & ~masked) !== 0
  }

  #updateInterrupt(io: DeviceIo): void {
    io.line('inta', this.#interrupts && this.#has(CSR0.IENA))
  }
}

const regions = cardRegions(REGISTER_BYTES)

/** Names registers by which is selected, as software has chosen it. */
function decoder(): (payload: Payload) => string | undefined {
  let selected = 0
  let isLong = false
  const named = configDecoder(CONFIG, definition.registers, (_region, offset): string | NamedAccess => {
    const place = isLong ? LONG : WORD
    if (offset < WORD.DATA) return `APROM ${offset}`
    if (offset === place.ADDRESS) return 'RAP'
    if (offset === place.RESET) return 'RESET'
    if (offset === place.BUS_DATA) return `BCR${selected}`
    if (offset !== place.DATA) return hex(offset)
    return { register: `CSR${selected}`, words: selected === CSR.STATUS ? CSR0.names : (value) => hex(value, 4) }
  })
  return cardDecoder((payload) => {
    if (payload.kind === 'reset') {
      selected = 0
      isLong = false
    }
    if (payload.kind === 'write' && payload.region !== CONFIG) {
      isLong ||= payload.offset === LONG.DATA && payload.size === 4
      if (payload.offset === (isLong ? LONG : WORD).ADDRESS) selected = payload.value & (CSR_COUNT - 1)
    }
    return named(payload)
  })
}

/** Output `inta`; it takes frames and the state of its link, and gives frames. */
export const pcnet: DeviceModel<PcnetProperties> = {
  type: 'pcnet',
  stateVersion: 2,
  regions: () => regions,
  inputs: [],
  outputs: ['inta'],
  create: (properties) => new Pcnet(properties),
  decoder,
}

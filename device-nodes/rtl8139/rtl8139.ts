/**
 * Realtek RTL8139C: an Ethernet card on PCI with one ring of bytes for what it receives, and four buffers for what it sends.
 *
 * "RTL8139C(L)", Realtek, revision 1.4. Frames are handed over without check sequence; one from the world gets its own, as the driver
 * sees it. A frame that is sent has left at once, and the memory takes what is received as fast as it comes: the FIFOs never run full
 * or empty. PCI's clock has 33 1/3 MHz.
 *
 * Not modelled: early receiving (ERBCR, ERSR, ERTH of RCR, MULINT), boot ROM and flash, wake-up and power management (CRC, WAKEUP,
 * LSBCRC, what CONFIG1 and 3 to 5 enable, HLTCLK), flow control, collisions, what PHY and twister parameters tune, and errors on the wire, so
 * that frames with errors (AER) never are.
 */
import {
  CARD_REGION,
  cardFunction,
  cardRegions,
  MII,
  MOST_FRAME_BYTES,
  readLink,
  sentWithCheck,
  Transceiver,
  transceiverState,
  Wire,
  wireState,
} from '../ethernet/mod.ts'
import { ConfigSpace, configSpaceState } from '../pci/mod.ts'
import {
  type AccessSize,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  dmaRead,
  field,
  hex,
  NEVER,
  type Sequence,
  StateLayout,
  type Vt,
} from '../sdk/mod.ts'
import { CycleCounter, cycleCounterState } from './cycle-counter.ts'
import { decoder } from './decoder.ts'
import { Eeprom, eepromState } from './eeprom.ts'
import { EEPROM, eepromWords } from './eeprom-contents.ts'
import { matchFrame, putFrame, receiveRing } from './receive.ts'
import {
  BMCR_LOCKED,
  CR,
  CR9346,
  CSCR,
  DEVICE,
  EEM,
  INTERRUPT,
  MSR,
  PLACE,
  RCR,
  RCR_RBLEN,
  REGISTER_BYTES,
  REGISTER_COUNT,
  REGISTERS,
  RESET_BY_SOFTWARE,
  type RegisterName,
  registerTable,
  TCR,
  TCR_WRITABLE,
  TSADS,
  TSD,
  TSD_SIZE,
  TSD_WRITABLE,
  TSDS,
  VENDOR,
} from './registers.ts'

export interface Rtl8139Properties {
  /** Six bytes. */
  address: readonly number[]
}

const { CONFIG } = CARD_REGION

const REVISION = 0x10

const definition = cardFunction({
  vendorId: VENDOR,
  deviceId: DEVICE,
  revisionId: REVISION,
  subsystemVendorId: VENDOR,
  subsystemId: DEVICE,
  registerBytes: REGISTER_BYTES,
  minimumGrant: 0x20,
  maximumLatency: 0x40,
})

/** Identity of the transceiver: it has no registers for it. */
const PHY_PROPERTIES = { identifier: 0, expansion: 0x0001 } as const
const PHY_REGISTER: Partial<Record<RegisterName, number>> = {
  BMCR: MII.CONTROL,
  BMSR: MII.STATUS,
  ANAR: MII.ADVERTISEMENT,
  ANLPAR: MII.PARTNER,
  ANER: MII.EXPANSION,
}
/** What CONFIG1 and 3 have set whatever is written: both kinds of registers are there, and fast back-to-back transfers. */
const CONFIG1_FIXED = 0x0c
const CONFIG3_FIXED = 0x01
const MPC_MOST = 0xff_ffff
const BUFFERS = TSDS.length

const layout = new StateLayout('rtl8139', {
  config: configSpaceState,
  /** In the order of `REGISTERS`. */
  values: field.list(field.unsigned(32), REGISTER_COUNT, true),
  /** The buffer that is sent next. */
  next: field.whole(0, BUFFERS - 1),
  counter: cycleCounterState,
  eeprom: eepromState,
  transceiver: transceiverState,
  wire: wireState,
})

class Rtl8139 implements Device {
  readonly #config = new ConfigSpace(definition)
  #values = new Array<number>(REGISTER_COUNT).fill(0)
  #next = 0
  readonly #counter = new CycleCounter()
  readonly #eeprom: Eeprom
  readonly #transceiver = new Transceiver(PHY_PROPERTIES)
  readonly #wire = new Wire()

  constructor({ address }: Rtl8139Properties) {
    this.#eeprom = new Eeprom(eepromWords(address))
  }

  reset(io: DeviceIo): void {
    this.#config.reset(io)
    for (const [i, { initial }] of REGISTERS.entries()) this.#values[i] = initial ?? 0
    this.#next = 0
    this.#counter.clear(io.now)
    this.#transceiver.reset()
    this.#eeprom.drive({ isSelected: false, clock: false, data: false })
    this.#loadFromEeprom()
    // It takes longer than what was on its way.
    this.#wire.clear()
    this.#update(io)
  }

  read(region: number, offset: number, size: AccessSize, io: DeviceIo): number {
    if (region === CONFIG) {
      io.validUntil(NEVER)
      return this.#config.read(offset, size)
    }
    let value = 0
    let until: Vt = NEVER
    for (let at = offset; at < offset + size; ) {
      const row = registerTable.at(at)
      const end = Math.min(offset + size, row === undefined ? at + 1 : row.offset + row.bytes)
      const name = registerTable.forRead(at, io)
      if (row !== undefined && name !== undefined) {
        until = Math.min(until, this.#staysUntil(name, io.now))
        const part = Math.floor(this.#read(name, io.now) / 2 ** (8 * (at - row.offset))) % 2 ** (8 * (end - at))
        value += part * 2 ** (8 * (at - offset))
      }
      at = end
    }
    if (until > io.now) io.validUntil(until)
    return value
  }

  write(region: number, offset: number, size: AccessSize, value: number, io: DeviceIo): void | Sequence<void> {
    if (region === CONFIG) {
      this.#config.write(offset, size, value, io)
      return
    }
    return this.#writeRegisters(offset, size, value, io)
  }

  /** A frame is on its way, or the link has changed. */
  input(bytes: Uint8Array, io: DeviceIo): Sequence<void> {
    const isUp = readLink(bytes)
    if (isUp === undefined) {
      if (this.#transceiver.isUp) this.#wire.put(bytes, io.now)
    } else if (this.#transceiver.setLink(isUp)) {
      this.#raise(INTERRUPT.LINK_CHG)
      this.#put('CSCR', this.#get('CSCR') | CSCR.LINK_CHANGE)
      if (!isUp) this.#wire.clear()
    }
    return this.event(io)
  }

  /** Takes what has come, and sees to the timer. */
  *event(io: DeviceIo): Sequence<void> {
    if (this.#counter.hasReached(io.now)) this.#raise(INTERRUPT.TIME_OUT)
    for (let frame = this.#wire.take(io.now); frame !== undefined; frame = this.#wire.take(io.now)) {
      if (!this.#isLooped) yield* this.#receive(frame)
    }
    this.#update(io)
  }

  save(): DeviceState {
    return layout.save({
      config: this.#config.save(),
      values: this.#values,
      next: this.#next,
      counter: this.#counter.save(),
      eeprom: this.#eeprom.save(),
      transceiver: this.#transceiver.save(),
      wire: this.#wire.save(),
    })
  }

  restore(state: DeviceState): void {
    const { config, values, next, counter, eeprom, transceiver, wire } = layout.restore(state)
    this.#config.restore(config)
    this.#values = values
    this.#next = next
    this.#counter.restore(counter)
    this.#eeprom.restore(eeprom)
    this.#transceiver.restore(transceiver)
    this.#wire.restore(wire)
  }

  #get(name: RegisterName): number {
    return this.#values[PLACE[name]]!
  }

  #put(name: RegisterName, value: number): void {
    this.#values[PLACE[name]] = value >>> 0
  }

  #raise(events: number): void {
    this.#put('ISR', this.#get('ISR') | events)
  }

  get #isConfigOpen(): boolean {
    return (this.#get('9346CR') & EEM.mask) === EEM.CONFIG_WRITE
  }

  get #isLooped(): boolean {
    return (this.#get('TCR') & TCR.LBK) === TCR.LBK
  }

  #read(name: RegisterName, now: Vt): number {
    const value = this.#get(name)
    const phyRegister = PHY_REGISTER[name]
    if (phyRegister !== undefined) return this.#transceiver.read(phyRegister)
    switch (name) {
      case 'CR':
        return value | (receiveRing(this.#get('RCR'), this.#get('CAPR'), this.#get('CBR')).isEmpty ? CR.BUFE : 0)
      case 'TCTR':
        return this.#counter.at(now)
      case '9346CR':
        return value | (this.#isProgramming(value) && this.#eeprom.output ? CR9346.EEDO : 0)
      case 'MSR':
        return MSR.TXFCE | MSR.RXFCE | MSR.AUX | (this.#transceiver.isUp ? 0 : MSR.LINKB)
      case 'RERID':
        return REVISION
      case 'TSAD':
        return this.#sentStatus
      case 'CSCR':
        this.#put('CSCR', value & ~CSCR.LINK_CHANGE)
        return value | (this.#transceiver.isUp ? CSCR.LINK_OK | CSCR.CON_STATUS : 0)
      default:
        return value
    }
  }

  /** Until when a register reads the same, unless something happens to the card; 0: not even the next time. */
  #staysUntil(name: RegisterName, now: Vt): Vt {
    if (name === 'TCTR') return this.#counter.nextTick(now)
    const changes =
      name === 'CSCR'
        ? (this.#get('CSCR') & CSCR.LINK_CHANGE) !== 0
        : name === 'BMSR' && this.#transceiver.changesWhenRead(MII.STATUS)
    return changes ? 0 : NEVER
  }

  /** TSAD: of each buffer OWN, TABT, TUN and TOK, in four bits each. */
  get #sentStatus(): number {
    let status = 0
    for (const [i, name] of TSDS.entries()) {
      const value = this.#get(name)
      for (const [place, bit] of [TSD.OWN, TSD.TABT, TSD.TUN, TSD.TOK].entries()) {
        if (value & bit) status |= 1 << (4 * place + i)
      }
    }
    return status
  }

  *#writeRegisters(offset: number, size: AccessSize, value: number, io: DeviceIo): Sequence<void> {
    for (let at = offset; at < offset + size; ) {
      const row = registerTable.at(at)
      const end = Math.min(offset + size, row === undefined ? at + 1 : row.offset + row.bytes)
      const part = Math.floor(value / 2 ** (8 * (at - offset))) % 2 ** (8 * (end - at))
      const known = registerTable.forWrite(at, part, io)
      if (row !== undefined && known !== undefined) {
        const shift = 2 ** (8 * (at - row.offset))
        yield* this.#writeBits(row.name, part * shift, (2 ** (8 * (end - at)) - 1) * shift, io)
      }
      at = end
    }
    this.#update(io)
  }

  /** Writes those bits of a register that `mask` has. */
  *#writeBits(name: RegisterName, value: number, mask: number, io: DeviceIo): Sequence<void> {
    const sent = (TSDS as readonly string[]).indexOf(name)
    if (sent >= 0) {
      yield* this.#writeTsd(sent, value, mask, io)
      return
    }
    const before = this.#get(name)
    const phyRegister = PHY_REGISTER[name]
    if (phyRegister !== undefined) this.#writePhy(phyRegister, value, mask)
    else if (name === 'CR') yield* this.#writeCr(value, io)
    else if (name === '9346CR') this.#write9346(value)
    else if (name === 'ISR') this.#put('ISR', before & ~value)
    else if (name === 'TCR') this.#writeTcr(value, mask, io)
    else if (name === 'MPC') this.#put('MPC', 0)
    else if (name === 'TCTR') this.#counter.restart(io.now)
    else if (name.startsWith('CONFIG') && name !== 'CONFIG5' && !this.#isConfigOpen)
      io.unhandled(`rtl8139: write of ${hex(value)} to ${name}, which is not open`)
    else this.#writePlain(name, value, mask, io)
  }

  /** Registers that keep what is written, and what depends on them. */
  #writePlain(name: RegisterName, value: number, mask: number, io: DeviceIo): void {
    const before = this.#get(name)
    const writable = mask & (REGISTERS[PLACE[name]]!.writable ?? 0)
    const after = ((before & ~writable) | (value & writable)) >>> 0
    this.#put(name, after)
    if (name === 'TIMERINT') this.#counter.expect(after, io.now)
    if (name !== 'RCR') return
    if (after & RCR.ERTH) io.unhandled('rtl8139: RCR asks for early receiving')
    if ((before ^ after) & RCR_RBLEN.mask) this.#restartRing()
  }

  #writePhy(register: number, value: number, mask: number): void {
    const locked = register === MII.CONTROL && !this.#isConfigOpen ? BMCR_LOCKED : 0
    const writable = mask & ~locked
    this.#transceiver.write(register, (this.#transceiver.read(register) & ~writable) | (value & writable))
  }

  *#writeCr(value: number, io: DeviceIo): Sequence<void> {
    if (value & CR.RST) {
      for (const name of RESET_BY_SOFTWARE) this.#put(name, REGISTERS[PLACE[name]]!.initial ?? 0)
      this.#next = 0
      this.#counter.clear(io.now)
    }
    const before = this.#get('CR')
    this.#put('CR', value & (CR.RE | CR.TE))
    if (value & ~before & CR.RE) this.#restartRing()
    yield* this.#transmit(io)
  }

  #restartRing(): void {
    this.#put('CBR', 0)
    this.#put('CAPR', 0xfff0)
  }

  #writeTcr(value: number, mask: number, io: DeviceIo): void {
    if ((this.#get('CR') & CR.TE) === 0) {
      io.unhandled(`rtl8139: write of ${hex(value)} to TCR while the transmitter is off`)
      return
    }
    const writable = mask & TCR_WRITABLE
    this.#put('TCR', (this.#get('TCR') & ~writable) | (value & writable))
  }

  #isProgramming(value: number): boolean {
    return (value & EEM.mask) === EEM.PROGRAM && (value & CR9346.EECS) !== 0
  }

  #write9346(value: number): void {
    const mode = value & EEM.mask
    if (mode === EEM.AUTO_LOAD) {
      // It is over at once.
      this.#loadFromEeprom()
      this.#put('9346CR', EEM.NORMAL)
      return
    }
    this.#put('9346CR', value & (EEM.mask | CR9346.EECS | CR9346.EESK | CR9346.EEDI))
    this.#eeprom.drive({
      isSelected: this.#isProgramming(value),
      clock: (value & CR9346.EESK) !== 0,
      data: (value & CR9346.EEDI) !== 0,
    })
  }

  #loadFromEeprom(): void {
    const word = (place: number) => this.#eeprom.word(place)
    const set = (name: RegisterName, value: number, fixed = 0) => {
      this.#put(name, (value & REGISTERS[PLACE[name]]!.writable!) | fixed)
    }
    this.#put('IDR0', word(EEPROM.ADDRESS) + word(EEPROM.ADDRESS + 1) * 0x10000)
    this.#put('IDR4', word(EEPROM.ADDRESS + 2))
    set('CONFIG0', word(EEPROM.CONFIG0))
    set('CONFIG1', word(EEPROM.CONFIG0) >> 8, CONFIG1_FIXED)
    set('CONFIG3', word(EEPROM.CONFIG3) >> 8, CONFIG3_FIXED)
    set('CONFIG4', word(EEPROM.CONFIG4) >> 8)
    set('CONFIG5', word(EEPROM.CONFIG5) >> 8)
  }

  *#writeTsd(buffer: number, value: number, mask: number, io: DeviceIo): Sequence<void> {
    if (mask !== 0xffff_ffff) {
      io.unhandled(`rtl8139: write of ${hex(value)} to a part of TSD${buffer}`)
      return
    }
    this.#put(TSDS[buffer]!, (value & TSD_WRITABLE) | (value & TSD.OWN))
    yield* this.#transmit(io)
  }

  /** Sends the buffers that are the card's, one after the other. */
  *#transmit(io: DeviceIo): Sequence<void> {
    for (let sent = 0; sent < BUFFERS && this.#get('CR') & CR.TE; sent++) {
      const buffer = this.#next
      if (this.#get(TSDS[buffer]!) & TSD.OWN) return
      this.#next = (buffer + 1) % BUFFERS
      yield* this.#send(buffer, io)
    }
  }

  *#send(buffer: number, io: DeviceIo): Sequence<void> {
    const name = TSDS[buffer]!
    const status = this.#get(name) | TSD.OWN
    const bytes = status & TSD_SIZE
    if (bytes > MOST_FRAME_BYTES) {
      this.#put(name, status | TSD.TABT)
      this.#raise(INTERRUPT.TER)
      return
    }
    if (bytes > 0) {
      const content = yield* dmaRead(this.#get(TSADS[buffer]!), bytes)
      const hasCheck = (this.#get('TCR') & TCR.CRC) !== 0
      const frame = hasCheck ? sentWithCheck(content) : content
      // What is wrong in itself nobody takes.
      if (frame !== undefined) {
        if (this.#isLooped) yield* this.#receive(frame)
        else if (this.#transceiver.isUp) io.output(frame)
      }
    }
    const hasCarrier = this.#isLooped || this.#transceiver.isUp
    this.#put(name, status | TSD.TOK | (hasCarrier ? 0 : TSD.CRS))
    this.#raise(INTERRUPT.TOK)
  }

  *#receive(frame: Uint8Array): Sequence<void> {
    if ((this.#get('CR') & CR.RE) === 0) return
    const rcr = this.#get('RCR')
    const status = matchFrame(frame, rcr, (offset) => this.#addressByte(offset))
    if (status === undefined) return
    const ring = receiveRing(rcr, this.#get('CAPR'), this.#get('CBR'))
    const end = yield* putFrame(frame, status, ring, this.#get('RBSTART'))
    if (end === undefined) {
      this.#put('MPC', Math.min(MPC_MOST, this.#get('MPC') + 1))
      this.#raise(INTERRUPT.RXOVW)
    } else {
      this.#put('CBR', end)
      this.#raise(INTERRUPT.ROK)
    }
  }

  /** Of IDR and MAR. */
  #addressByte(offset: number): number {
    const row = registerTable.at(offset)!
    return (this.#get(row.name) >>> (8 * (offset - row.offset))) & 0xff
  }

  /** Interrupt and timer, from the state. */
  #update(io: DeviceIo): void {
    io.line('inta', (this.#get('ISR') & this.#get('IMR')) !== 0)
    io.timer(Math.min(this.#wire.due, this.#counter.due))
  }
}

const regions = cardRegions(REGISTER_BYTES)

/** Output `inta`; it takes frames and the state of its link, and gives frames. */
export const rtl8139: DeviceModel<Rtl8139Properties> = {
  type: 'rtl8139',
  stateVersion: 1,
  regions: () => regions,
  inputs: [],
  outputs: ['inta'],
  create: (properties) => new Rtl8139(properties),
  decoder: () => decoder(CONFIG, definition.registers),
}

/**
 * MC146818 real-time clock: Motorola MC146818 data sheet (ADI-856, 1984), with the 128 bytes of the one in the 82371AB
 * (PIIX4, 290562-001). Time base 32.768 kHz.
 *
 * Nothing runs: registers and flags are brought up to date when they are looked at, and there is a timer only while an
 * enabled interrupt is to come. The update cycle takes 1984 us and ends on the second; UIP is set 244 us before it. The
 * time registers keep their old values until it ends.
 *
 * The century stands in byte 0x32 in BCD, as on PCs; the chip does not count it.
 *
 * Not modelled: daylight saving (DSE), the square wave pin, other time bases (DV other than 010 and the two resets), the
 * date alarm of later chips, garbled reads during an update.
 */
import {
  accessDecoder,
  type Device,
  type DeviceIo,
  type DeviceModel,
  type DeviceState,
  type FieldsOf,
  field,
  has,
  hex,
  type NamedAccess,
  NEVER,
  type Payload,
  Rate,
  registerBits,
  StateLayout,
  type Vt,
} from '../sdk/mod.ts'
import { addSeconds, type CalendarTime, fromUnixSeconds, secondOfDay } from './calendar.ts'

export interface Mc146818Properties {
  /** Time of day at power-on: whole seconds since 1970 UTC, 0 to 253402300799 (the year 9999). */
  startSeconds: number
}

const RAM_BYTES = 128
const SECONDS = 0x00
const SECONDS_ALARM = 0x01
const MINUTES = 0x02
const MINUTES_ALARM = 0x03
const HOURS = 0x04
const HOURS_ALARM = 0x05
const DAY_OF_WEEK = 0x06
const DATE_OF_MONTH = 0x07
const MONTH = 0x08
const YEAR = 0x09
const REGISTER_A = 0x0a
const REGISTER_B = 0x0b
const REGISTER_C = 0x0c
const REGISTER_D = 0x0d
/** A PC's convention, in plain RAM. */
const CENTURY = 0x32

const A = registerBits('A', { UIP: 0x80, DV: 0x70, RS: 0x0f })
const B = registerBits('B', {
  SET: 0x80,
  PIE: 0x40,
  AIE: 0x20,
  UIE: 0x10,
  SQWE: 0x08,
  DM_BINARY: 0x04,
  HOURS_24: 0x02,
  DSE: 0x01,
})
const C = registerBits('C', { IRQF: 0x80, PF: 0x40, AF: 0x20, UF: 0x10 })
const D = registerBits('D', { VRT: 0x80 })
const DV_RUNNING = 0x20
/** DV 110 and 111 hold the divider chain in reset. */
const DV_RESET = 0x60
const PM = 0x80
/** An alarm byte with these two bits matches everything. */
const ALARM_ANY = 0xc0

const SECOND_NS = 1_000_000_000
/** From UIP's rise to the end of the update cycle. */
const UIP_NS = 244_000 + 1_984_000
const TIME_BASE = new Rate(32_768)
const SECONDS_PER_DAY = 86_400

const layout = new StateLayout('mc146818', {
  /** All bytes; the time registers as of update `updates`, register A without UIP, register C's flags as of `seenVt`. */
  bytes: field.bytes(RAM_BYTES, true),
  /** The divider chain's start: update cycle n ends at `dividerVt` + n seconds. May be negative: half a second early. */
  dividerVt: field.whole(-SECOND_NS, Number.MAX_SAFE_INTEGER),
  /** Update cycles that `bytes` has, or has missed because of SET. */
  updates: field.whole(0, Number.MAX_SAFE_INTEGER),
  /** When the periodic flag was last brought up to date. */
  seenVt: field.vt(),
})
type State = FieldsOf<typeof layout>

class Mc146818 implements Device {
  #state: State

  constructor({ startSeconds }: Mc146818Properties) {
    this.#state = initialState(startSeconds)
  }

  /** The RESET pin clears enables and flags; time and RAM are kept by the battery. */
  reset(io: DeviceIo): void {
    this.#settle(io.now)
    const { bytes } = this.#state
    bytes[REGISTER_B] = bytes[REGISTER_B]! & ~(B.PIE | B.AIE | B.UIE | B.SQWE)
    bytes[REGISTER_C] = 0
    this.#drive(io)
  }

  read(_region: number, offset: number, _size: number, io: DeviceIo, index?: number): number {
    if (index === undefined || offset !== 1) {
      io.unhandled('mc146818: read of the index, which is write-only')
      return 0xff
    }
    if (index === REGISTER_A) return this.#readA(io)
    if (index === REGISTER_C) return this.#readC(io)
    const { bytes } = this.#state
    if (isTime(index)) {
      this.#settle(io.now)
      io.validUntil(this.#running() ? this.#updateVt(this.#state.updates + 1) : NEVER)
    } else {
      io.validUntil(NEVER)
    }
    return bytes[index]!
  }

  write(_region: number, offset: number, _size: number, value: number, io: DeviceIo, index?: number): void {
    if (index === undefined || offset !== 1) {
      io.unhandled(`mc146818: write of ${hex(value)} to the index past the index register`)
      return
    }
    this.#settle(io.now)
    if (index === REGISTER_A) this.#writeA(value, io)
    else if (index === REGISTER_B) this.#writeB(value, io)
    else if (index === REGISTER_C || index === REGISTER_D) io.unhandled(`mc146818: write to ${nameOf(index)}`)
    else this.#state.bytes[index] = value
    this.#drive(io)
  }

  event(io: DeviceIo): void {
    this.#settle(io.now)
    this.#drive(io)
  }

  save(): DeviceState {
    return layout.save(this.#state)
  }

  restore(state: DeviceState): void {
    this.#state = layout.restore(state)
  }

  #readA(io: DeviceIo): number {
    const { bytes } = this.#state
    if (!this.#running()) {
      io.validUntil(NEVER)
      return bytes[REGISTER_A]!
    }
    const updateVt = this.#updateVt(this.#updatesBy(io.now) + 1)
    const inProgress = io.now >= updateVt - UIP_NS
    io.validUntil(inProgress ? updateVt : updateVt - UIP_NS)
    return bytes[REGISTER_A]! | (inProgress ? A.UIP : 0)
  }

  #readC(io: DeviceIo): number {
    this.#settle(io.now)
    const { bytes } = this.#state
    const flags = bytes[REGISTER_C]! | (this.#requested() ? C.IRQF : 0)
    bytes[REGISTER_C] = 0
    this.#drive(io)
    return flags
  }

  #writeA(value: number, io: DeviceIo): void {
    const state = this.#state
    const wasReset = !this.#dividerRuns()
    state.bytes[REGISTER_A] = value & ~A.UIP
    const divider = value & A.DV
    if ((divider & DV_RESET) !== DV_RESET && divider !== DV_RUNNING) {
      io.unhandled(`mc146818: register A: DV ${divider >>> 4}, a time base other than 32.768 kHz`)
    }
    if (wasReset && this.#dividerRuns()) {
      // The first update comes half a second after the divider is let go.
      state.dividerVt = io.now - SECOND_NS / 2
      state.updates = 0
    }
  }

  #writeB(value: number, io: DeviceIo): void {
    const { bytes } = this.#state
    if ((value & B.DSE) !== 0) io.unhandled('mc146818: register B: DSE, daylight saving')
    // SET going high clears UIE.
    bytes[REGISTER_B] = (value & B.SET) !== 0 ? value & ~B.UIE : value
  }

  /** Brings time registers and flags up to `now`. */
  #settle(now: Vt): void {
    const state = this.#state
    if (this.#dividerRuns()) {
      const period = this.#periodTicks()
      if (period > 0 && this.#periodsBy(now, period) > this.#periodsBy(state.seenVt, period)) this.#raise(C.PF)
      const updates = this.#updatesBy(now)
      const elapsed = updates - state.updates
      if (elapsed > 0 && this.#running()) this.#update(elapsed)
      state.updates = updates
    }
    state.seenVt = now
  }

  /** `elapsed` update cycles have ended. */
  #update(elapsed: number): void {
    const before = this.#time()
    if (elapsed >= this.#secondsToAlarm(secondOfDay(before))) this.#raise(C.AF)
    this.#raise(C.UF)
    this.#setTime(addSeconds(before, elapsed))
  }

  #raise(flag: number): void {
    const { bytes } = this.#state
    bytes[REGISTER_C] = bytes[REGISTER_C]! | flag
  }

  /** Seconds, 1 to 86400, until the alarm bytes match; `NEVER` where they match no time. */
  #secondsToAlarm(now: number): number {
    const { bytes } = this.#state
    const matches = (alarm: number, value: number) =>
      (bytes[alarm]! & ALARM_ANY) === ALARM_ANY || bytes[alarm] === value
    for (let delta = 1; delta <= SECONDS_PER_DAY; ) {
      const at = (now + delta) % SECONDS_PER_DAY
      const second = at % 60
      const minute = Math.floor(at / 60) % 60
      if (!matches(HOURS_ALARM, this.#encodeHour(Math.floor(at / 3600)))) delta += 3600 - minute * 60 - second
      else if (!matches(MINUTES_ALARM, this.#encode(minute))) delta += 60 - second
      else if (!matches(SECONDS_ALARM, this.#encode(second))) delta++
      else return delta
    }
    return NEVER
  }

  /** Derives IRQ, and the timer for what is to raise it next. */
  #drive(io: DeviceIo): void {
    const requested = this.#requested()
    io.line('irq', requested)
    io.timer(requested ? NEVER : this.#nextRequestVt(io.now))
  }

  #requested(): boolean {
    const { bytes } = this.#state
    // PF, AF and UF stand where PIE, AIE and UIE do.
    return (bytes[REGISTER_B]! & bytes[REGISTER_C]! & (C.PF | C.AF | C.UF)) !== 0
  }

  /** When an enabled flag is next set; none is now. */
  #nextRequestVt(now: Vt): Vt {
    const { bytes, dividerVt, updates } = this.#state
    const enables = B.of(bytes[REGISTER_B]!)
    let due = NEVER
    const period = this.#periodTicks()
    if (has(enables, B.PIE) && period > 0 && this.#dividerRuns()) {
      due = dividerVt + TIME_BASE.vtOf((this.#periodsBy(now, period) + 1) * period)
    }
    if (!this.#running()) return due
    if (has(enables, B.UIE)) due = Math.min(due, this.#updateVt(updates + 1))
    if (has(enables, B.AIE)) {
      const seconds = this.#secondsToAlarm(secondOfDay(this.#time()))
      if (seconds !== NEVER) due = Math.min(due, this.#updateVt(updates + seconds))
    }
    return due
  }

  #dividerRuns(): boolean {
    return (this.#state.bytes[REGISTER_A]! & DV_RESET) !== DV_RESET
  }

  /** Whether update cycles happen. */
  #running(): boolean {
    return this.#dividerRuns() && (this.#state.bytes[REGISTER_B]! & B.SET) === 0
  }

  #updateVt(update: number): Vt {
    return this.#state.dividerVt + update * SECOND_NS
  }

  #updatesBy(now: Vt): number {
    return Math.floor((now - this.#state.dividerVt) / SECOND_NS)
  }

  #periodsBy(vt: Vt, periodTicks: number): number {
    return Math.floor(TIME_BASE.ticksAt(Math.max(0, vt - this.#state.dividerVt)) / periodTicks)
  }

  /** Ticks of the time base in a period of the periodic interrupt, 0 for none: table 5 of the data sheet. */
  #periodTicks(): number {
    const rate = this.#state.bytes[REGISTER_A]! & A.RS
    if (rate === 0) return 0
    // 3.90625 ms and 7.8125 ms appear twice.
    return 1 << (rate <= 2 ? rate + 6 : rate - 1)
  }

  #time(): CalendarTime {
    const { bytes } = this.#state
    return {
      second: this.#decode(bytes[SECONDS]!),
      minute: this.#decode(bytes[MINUTES]!),
      hour: this.#decodeHour(bytes[HOURS]!),
      weekday: this.#decode(bytes[DAY_OF_WEEK]!),
      day: this.#decode(bytes[DATE_OF_MONTH]!),
      month: this.#decode(bytes[MONTH]!),
      year: this.#decode(bytes[YEAR]!),
    }
  }

  #setTime(time: CalendarTime): void {
    const { bytes } = this.#state
    bytes[SECONDS] = this.#encode(time.second)
    bytes[MINUTES] = this.#encode(time.minute)
    bytes[HOURS] = this.#encodeHour(time.hour)
    bytes[DAY_OF_WEEK] = this.#encode(time.weekday)
    bytes[DATE_OF_MONTH] = this.#encode(time.day)
    bytes[MONTH] = this.#encode(time.month)
    bytes[YEAR] = this.#encode(time.year)
  }

  #mode(): number {
    return this.#state.bytes[REGISTER_B]!
  }

  #encode(value: number): number {
    return (this.#mode() & B.DM_BINARY) !== 0 ? value : toBcd(value)
  }

  #decode(byte: number): number {
    return (this.#mode() & B.DM_BINARY) !== 0 ? byte : (byte >>> 4) * 10 + (byte & 0x0f)
  }

  #encodeHour(hour: number): number {
    if ((this.#mode() & B.HOURS_24) !== 0) return this.#encode(hour)
    return this.#encode(((hour + 11) % 12) + 1) | (hour >= 12 ? PM : 0)
  }

  #decodeHour(byte: number): number {
    if ((this.#mode() & B.HOURS_24) !== 0) return this.#decode(byte)
    return (this.#decode(byte & ~PM) % 12) + ((byte & PM) !== 0 ? 12 : 0)
  }
}

function toBcd(value: number): number {
  return (Math.floor(value / 10) << 4) | (value % 10)
}

function isTime(index: number): boolean {
  return index <= YEAR && index !== SECONDS_ALARM && index !== MINUTES_ALARM && index !== HOURS_ALARM
}

/** BCD and 24 hours, the divider running, no interrupt: as a PC's firmware leaves it. */
function initialState(startSeconds: number): State {
  const { time, century } = fromUnixSeconds(startSeconds)
  const bytes = new Uint8Array(RAM_BYTES)
  const start: readonly [number, number][] = [
    [SECONDS, time.second],
    [MINUTES, time.minute],
    [HOURS, time.hour],
    [DAY_OF_WEEK, time.weekday],
    [DATE_OF_MONTH, time.day],
    [MONTH, time.month],
    [YEAR, time.year],
    [CENTURY, century],
  ]
  for (const [index, value] of start) bytes[index] = toBcd(value)
  bytes[REGISTER_A] = DV_RUNNING | 0x06
  bytes[REGISTER_B] = B.HOURS_24
  bytes[REGISTER_D] = D.VRT
  return { bytes, dividerVt: 0, updates: 0, seenVt: 0 }
}

const NAMES = [
  'seconds',
  'seconds alarm',
  'minutes',
  'minutes alarm',
  'hours',
  'hours alarm',
  'day of week',
  'date of month',
  'month',
  'year',
  'register A',
  'register B',
  'register C',
  'register D',
] as const

function nameOf(index: number): string {
  return NAMES[index] ?? `CMOS ${hex(index)}`
}

function aWords(value: number): string {
  return `${(value & A.UIP) !== 0 ? 'UIP|' : ''}DV=${(value & A.DV) >>> 4}|RS=${value & A.RS}`
}

function named({ index }: { index?: number }): NamedAccess | undefined {
  if (index === undefined) return undefined
  const register = nameOf(index)
  const words = { [REGISTER_A]: aWords, [REGISTER_B]: B.names, [REGISTER_C]: C.names, [REGISTER_D]: D.names }[index]
  return words === undefined ? { register } : { register, words }
}

export const mc146818: DeviceModel<Mc146818Properties> = {
  type: 'mc146818',
  stateVersion: 1,
  regions: () => [
    {
      kind: 'registers',
      name: 'ports',
      size: 2,
      maxBytes: 1,
      endian: 'little',
      indexed: {
        index: { offset: 0, size: 1, mask: RAM_BYTES - 1, initial: 0 },
        data: { offset: 1, size: 1 },
      },
    },
  ],
  inputs: [],
  outputs: ['irq'],
  create: (properties) => new Mc146818(properties),
  decoder: (): ((payload: Payload) => string | undefined) => accessDecoder(named, named),
}

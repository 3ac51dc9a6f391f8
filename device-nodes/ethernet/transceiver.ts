/**
 * The registers that every transceiver has: IEEE 802.3, clause 22. Whoever is at the other end of the cable agrees at once to 100 Mbit/s
 * and full duplex.
 *
 * Not modelled: another speed or duplex, its own loopback, isolation, power-down, next pages.
 */
import { field } from '../sdk/mod.ts'

export const MII = {
  CONTROL: 0,
  STATUS: 1,
  IDENTIFIER_HIGH: 2,
  IDENTIFIER_LOW: 3,
  ADVERTISEMENT: 4,
  PARTNER: 5,
  EXPANSION: 6,
} as const

/** 100 Mbit/s, full duplex, agreed on with the other end. */
const CONTROL_INITIAL = 0x3100
/** RESET and RESTART_AUTO_NEGOTIATION are over at once. */
const CONTROL = { RESET: 0x8000, RESTART: 0x0200 } as const
/** All of 10BASE-T and 100BASE-TX, by agreement. */
const STATUS_ABILITIES = 0x7809
const STATUS = { AGREED: 0x0020, LINK: 0x0004 } as const
const ADVERTISEMENT_INITIAL = 0x01e1
const ADVERTISEMENT_WRITABLE = 0x0de0
const PARTNER = 0x45e1

export interface TransceiverState {
  control: number
  advertisement: number
  isUp: boolean
  hasFailed: boolean
}

/** How it is kept in its card's saved state. */
export const transceiverState = field.record({
  control: field.unsigned(16),
  advertisement: field.unsigned(16),
  isUp: field.flag(),
  hasFailed: field.flag(),
})

export interface TransceiverProperties {
  /** Registers 2 and 3. */
  identifier: number
  /** Register 6, while there is somebody at the other end. */
  expansion: number
}

export class Transceiver {
  readonly #properties: TransceiverProperties
  #control = CONTROL_INITIAL
  #advertisement = ADVERTISEMENT_INITIAL
  #isUp = true
  /** That the link went down stands in the status until it is read once. */
  #hasFailed = false

  constructor(properties: TransceiverProperties) {
    this.#properties = properties
  }

  get isUp(): boolean {
    return this.#isUp
  }

  /** Says whether that is new. */
  setLink(isUp: boolean): boolean {
    const isNew = isUp !== this.#isUp
    this.#isUp = isUp
    this.#hasFailed ||= !isUp
    return isNew
  }

  /** The cable stays as it is. */
  reset(): void {
    this.#control = CONTROL_INITIAL
    this.#advertisement = ADVERTISEMENT_INITIAL
    this.#hasFailed = !this.#isUp
  }

  /** Whether register `number` reads otherwise the next time. */
  changesWhenRead(number: number): boolean {
    return number === MII.STATUS && this.#hasFailed && this.#isUp
  }

  read(number: number): number {
    const { identifier, expansion } = this.#properties
    switch (number) {
      case MII.CONTROL:
        return this.#control
      case MII.STATUS: {
        const isUp = this.#isUp && !this.#hasFailed
        this.#hasFailed = !this.#isUp
        return STATUS_ABILITIES | (isUp ? STATUS.LINK : 0) | (this.#isUp ? STATUS.AGREED : 0)
      }
      case MII.IDENTIFIER_HIGH:
        return identifier >>> 16
      case MII.IDENTIFIER_LOW:
        return identifier & 0xffff
      case MII.ADVERTISEMENT:
        return this.#advertisement
      case MII.PARTNER:
        return this.#isUp ? PARTNER : 0
      case MII.EXPANSION:
        return this.#isUp ? expansion : 0
      default:
        return 0
    }
  }

  write(number: number, value: number): void {
    if (number === MII.ADVERTISEMENT)
      this.#advertisement = (value & ADVERTISEMENT_WRITABLE) | (ADVERTISEMENT_INITIAL & ~ADVERTISEMENT_WRITABLE)
    if (number !== MII.CONTROL) return
    if (value & CONTROL.RESET) this.reset()
    else this.#control = value & ~CONTROL.RESTART
  }

  save(): TransceiverState {
    return {
      control: this.#control,
      advertisement: this.#advertisement,
      isUp: this.#isUp,
      hasFailed: this.#hasFailed,
    }
  }

  restore({ control, advertisement, isUp, hasFailed }: TransceiverState): void {
    this.#control = control
    this.#advertisement = advertisement
    this.#isUp = isUp
    this.#hasFailed = hasFailed
  }
}

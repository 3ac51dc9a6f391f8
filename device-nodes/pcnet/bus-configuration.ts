/**
 * The bus configuration registers of an Am79C973, and behind two of them the transceiver: AMD publication 21510, chapters "Bus
 * configuration registers" and "PHY management registers".
 */
import { Transceiver, type TransceiverState, transceiverState } from '../ethernet/mod.ts'
import { field } from '../sdk/mod.ts'
import {
  BCR,
  BCR_COUNT,
  BCR_INITIAL,
  BCR18_DWIO,
  BCR20_SSIZE32,
  BCR32_APEP,
  LED,
  LED_COUNT,
  PHY,
  PHY_PROPERTIES,
} from './registers.ts'
import { type RingStyle, ringStyle } from './rings.ts'

export interface BusConfigurationState {
  bcr: number[]
  transceiver: TransceiverState
}

/** How they are kept in the chip's saved state. */
export const busConfigurationState = field.record({
  bcr: field.list(field.unsigned(16), BCR_COUNT, true),
  transceiver: transceiverState,
})

export class BusConfiguration {
  #bcr = new Array<number>(BCR_COUNT).fill(0)
  readonly #transceiver = new Transceiver(PHY_PROPERTIES)

  /** Of the bus: one that software asks for changes nothing here. */
  reset(): void {
    this.#bcr.fill(0)
    for (const [number, value] of BCR_INITIAL) this.#bcr[number] = value
    this.#transceiver.reset()
  }

  get isLinked(): boolean {
    return this.#transceiver.isUp
  }

  /** Says whether the chip, which watches the transceiver's status, finds that changed. */
  setLink(isUp: boolean): boolean {
    return this.#transceiver.setLink(isUp) && (this.#bcr[BCR.MII]! & BCR32_APEP) !== 0
  }

  /** Whether registers are accessed by 32 bits. */
  get isLong(): boolean {
    return (this.#bcr[BCR.BURST]! & BCR18_DWIO) !== 0
  }

  /** By this software chooses accesses of 32 bits, until the next reset of the bus. */
  setLong(): void {
    this.#bcr[BCR.BURST]! |= BCR18_DWIO
  }

  /** Of the rings' descriptors. */
  get style(): RingStyle {
    return ringStyle(this.#bcr[BCR.STYLE]! & 0xff) ?? ringStyle(0)!
  }

  /** Of the initialisation block. */
  get width(): 'wide' | 'narrow' {
    return this.#bcr[BCR.STYLE]! & BCR20_SSIZE32 ? 'wide' : 'narrow'
  }

  /** Whether register `number` reads otherwise the next time. */
  changesWhenRead(number: number): boolean {
    const register = number === BCR.MII_DATA ? this.#phyRegister : undefined
    return register !== undefined && this.#transceiver.changesWhenRead(register)
  }

  read(number: number): number {
    if (number >= BCR_COUNT) return 0
    const value = this.#bcr[number]!
    if (number >= BCR.LED0 && number < BCR.LED0 + LED_COUNT) return this.#led(value)
    if (number !== BCR.MII_DATA) return value
    // Nobody else is on the management bus, which is pulled up.
    return this.#phyRegister === undefined ? 0xffff : this.#transceiver.read(this.#phyRegister)
  }

  write(number: number, value: number): void {
    switch (number) {
      case BCR.STYLE: {
        const style = value & 0xff
        // With structures of 32 bits comes SSIZE32.
        this.#bcr[number] = style | (style === 0 ? 0 : BCR20_SSIZE32) | (style === 0 ? 0x0200 : 0)
        break
      }
      case BCR.MII_DATA:
        if (this.#phyRegister !== undefined) this.#transceiver.write(this.#phyRegister, value)
        break
      case BCR.BURST:
        // DWIO is set otherwise, and cleared by a reset of the bus alone.
        this.#bcr[number] = (value & ~BCR18_DWIO) | (this.#bcr[number]! & BCR18_DWIO)
        break
      default:
        if (number > 1 && number < BCR_COUNT && number !== 35) this.#bcr[number] = value
    }
  }

  save(): BusConfigurationState {
    return { bcr: this.#bcr, transceiver: this.#transceiver.save() }
  }

  restore({ bcr, transceiver }: BusConfigurationState): void {
    this.#bcr = bcr
    this.#transceiver.restore(transceiver)
  }

  /** With what it shows: speed and duplex are always the best. */
  #led(value: number): number {
    const isLit = this.#transceiver.isUp && (value & (LED.LNKSE | LED.FDLSE | LED.E100)) !== 0
    return isLit ? value | LED.LEDOUT : value & ~LED.LEDOUT
  }

  /** The transceiver's register that is reached; undefined where the management bus is to reach another transceiver. */
  get #phyRegister(): number | undefined {
    const address = this.#bcr[BCR.MII_ADDRESS]!
    return (address >> 5) % 32 === PHY ? address % 32 : undefined
  }
}

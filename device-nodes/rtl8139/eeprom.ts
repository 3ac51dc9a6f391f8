/**
 * A 93C46: a serial EEPROM of 64 words of 16 bits, driven bit by bit. "AT93C46", Atmel 5140, "Functional description". Each rising edge
 * of its clock, while it is selected, takes a bit in and puts one out; writing and erasing take no time.
 *
 *   1 10 AAAAAA             read; the words behind it follow        1 00 11xxxx   writing is enabled
 *   1 01 AAAAAA D15 ... D0  write                                   1 00 00xxxx   writing is disabled
 *   1 11 AAAAAA             erase: all ones                         1 00 10xxxx   erase all
 *                                                                   1 00 01xxxx D15 ... D0   write all
 */
import { field } from '../sdk/mod.ts'

export const EEPROM_WORDS = 64
const ADDRESS_BITS = 6
/** Opcode and address, behind the bit that starts them. */
const COMMAND_BITS = 2 + ADDRESS_BITS
const WORD_BITS = 16
const ERASED = 0xffff
const OPCODE = { EXTENDED: 0, WRITE: 1, READ: 2, ERASE: 3 } as const
const EXTENDED = { DISABLE: 0, WRITE_ALL: 1, ERASE_ALL: 2, ENABLE: 3 } as const

export interface EepromPins {
  isSelected: boolean
  clock: boolean
  data: boolean
}

const phases = ['idle', 'command', 'read', 'write', 'done'] as const

export interface EepromState {
  words: number[]
  phase: (typeof phases)[number]
  command: number
  bits: number
  shift: number
  output: boolean
  isWritable: boolean
  pins: EepromPins
}

/** How it is kept in its card's saved state. */
export const eepromState = field.record({
  words: field.list(field.unsigned(16), EEPROM_WORDS, true),
  phase: field.oneOf(phases),
  command: field.unsigned(COMMAND_BITS),
  bits: field.whole(0, WORD_BITS),
  shift: field.unsigned(WORD_BITS),
  output: field.flag(),
  isWritable: field.flag(),
  pins: field.record({ isSelected: field.flag(), clock: field.flag(), data: field.flag() }),
})

export class Eeprom {
  #words: number[]
  /** `idle`: it waits for the bit that starts a command; `done`: for the end of its selection. */
  #phase: EepromState['phase'] = 'idle'
  #command = 0
  /** That were taken in, or put out, of the command or the word. */
  #bits = 0
  #shift = 0
  /** What it puts out; where it puts out nothing it reads as 1. */
  #output = true
  #isWritable = false
  #pins: EepromPins = { isSelected: false, clock: false, data: false }

  constructor(words: readonly number[]) {
    this.#words = [...words]
  }

  word(address: number): number {
    return this.#words[address]!
  }

  get output(): boolean {
    return this.#output
  }

  drive(pins: EepromPins): void {
    const before = this.#pins
    this.#pins = { ...pins }
    if (!pins.isSelected) {
      if (before.isSelected) this.#deselect()
    } else if (pins.clock && !before.clock) this.#takeBit(pins.data)
  }

  save(): EepromState {
    return {
      words: this.#words,
      phase: this.#phase,
      command: this.#command,
      bits: this.#bits,
      shift: this.#shift,
      output: this.#output,
      isWritable: this.#isWritable,
      pins: this.#pins,
    }
  }

  restore(state: EepromState): void {
    this.#words = state.words
    this.#phase = state.phase
    this.#command = state.command
    this.#bits = state.bits
    this.#shift = state.shift
    this.#output = state.output
    this.#isWritable = state.isWritable
    this.#pins = state.pins
  }

  get #opcode(): number {
    return this.#command >> ADDRESS_BITS
  }

  get #address(): number {
    return this.#command % EEPROM_WORDS
  }

  #takeBit(bit: boolean): void {
    switch (this.#phase) {
      case 'idle':
        if (!bit) break
        this.#begin('command')
        this.#command = 0
        break
      case 'command':
        this.#command = (this.#command << 1) | (bit ? 1 : 0)
        if (++this.#bits === COMMAND_BITS) this.#endCommand()
        break
      case 'read':
        if (this.#bits === WORD_BITS) {
          this.#command = (this.#opcode << ADDRESS_BITS) | ((this.#address + 1) % EEPROM_WORDS)
          this.#bits = 0
        }
        this.#output = ((this.word(this.#address) >> (WORD_BITS - 1 - this.#bits++)) & 1) === 1
        break
      case 'write':
        this.#shift = ((this.#shift << 1) | (bit ? 1 : 0)) & 0xffff
        if (++this.#bits === WORD_BITS) this.#phase = 'done'
        break
      case 'done':
        break
    }
  }

  #endCommand(): void {
    const extended = this.#address >> (ADDRESS_BITS - 2)
    if (this.#opcode === OPCODE.READ) {
      this.#begin('read')
      // A bit of 0 comes before the word's.
      this.#output = false
    } else if (this.#opcode === OPCODE.WRITE || (this.#opcode === OPCODE.EXTENDED && extended === EXTENDED.WRITE_ALL)) {
      this.#begin('write')
    } else this.#begin('done')
  }

  #begin(phase: EepromState['phase']): void {
    this.#phase = phase
    this.#bits = 0
    this.#shift = 0
  }

  /** The end of a selection begins what the command is for. */
  #deselect(): void {
    if (this.#phase === 'done') this.#carryOut()
    this.#begin('idle')
    this.#output = true
  }

  #carryOut(): void {
    const extended = this.#opcode === OPCODE.EXTENDED ? this.#address >> (ADDRESS_BITS - 2) : undefined
    if (extended === EXTENDED.ENABLE) this.#isWritable = true
    if (extended === EXTENDED.DISABLE) this.#isWritable = false
    if (!this.#isWritable) return
    if (extended === EXTENDED.ERASE_ALL) this.#words.fill(ERASED)
    if (extended === EXTENDED.WRITE_ALL) this.#words.fill(this.#shift)
    if (this.#opcode === OPCODE.WRITE) this.#words[this.#address] = this.#shift
    if (this.#opcode === OPCODE.ERASE) this.#words[this.#address] = ERASED
  }
}

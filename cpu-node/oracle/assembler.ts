/**
 * Instruction words from mnemonics and field values, by the ISA's own table, and a few lines of labels for the harness.
 */
import assert from 'node:assert/strict'
import { type Encoding, encode } from '../isa/encoding.ts'
import { encodings, type Mnemonic } from '../isa/mips/encodings.ts'

export type Fields = Readonly<Record<string, number>>

const byMnemonic = new Map<string, Encoding<Mnemonic>>(encodings.map((row) => [row.mnemonic, row]))

export function encodingOf(mnemonic: Mnemonic): Encoding<Mnemonic> {
  return byMnemonic.get(mnemonic)!
}

/** The word of `mnemonic` with `fields` (letters as in the table; the others are 0). */
export function word(mnemonic: Mnemonic, fields: Fields = {}): number {
  const row = encodingOf(mnemonic)
  for (const letter of Object.keys(fields)) assert(letter in row.fields, `${mnemonic} has no field ${letter}`)
  return encode(row, fields)
}

/** Code at a fixed address, with forward and backward branches by label. */
export class Assembler {
  readonly words: number[] = []
  readonly #base: number
  readonly #labels = new Map<string, number>()
  readonly #branches: Array<{ at: number; label: string }> = []

  constructor(base: number) {
    this.#base = base
  }

  emit(mnemonic: Mnemonic, fields: Fields = {}): this {
    this.words.push(word(mnemonic, fields))
    return this
  }

  nop(): this {
    this.words.push(0)
    return this
  }

  /** Loads a 32-bit constant, in two instructions. */
  constant(register: number, value: number): this {
    this.emit('lui', { t: register, i: (value >>> 16) & 0xffff })
    return this.emit('ori', { s: register, t: register, i: value & 0xffff })
  }

  label(name: string): this {
    assert(!this.#labels.has(name))
    this.#labels.set(name, this.words.length)
    return this
  }

  /** A branch to a label; its delay slot is up to the caller. */
  branch(mnemonic: Mnemonic, fields: Fields, label: string): this {
    this.#branches.push({ at: this.words.length, label })
    return this.emit(mnemonic, { ...fields, i: 0 })
  }

  jump(target: number): this {
    return this.emit('j', { j: (target >>> 2) & 0x3ffffff }).nop()
  }

  addressOf(label: string): number {
    const index = this.#labels.get(label)
    assert(index !== undefined, `no label ${label}`)
    return (this.#base + 4 * index) >>> 0
  }

  /** The finished words, with the branches' offsets filled in. */
  finish(): number[] {
    for (const { at, label } of this.#branches) {
      const target = this.#labels.get(label)
      assert(target !== undefined, `no label ${label}`)
      this.words[at] = (this.words[at]! | ((target - at - 1) & 0xffff)) >>> 0
    }
    return this.words
  }
}

/**
 * What the generators of cases share: a seeded source of values, and the list that they add to.
 */
import { type Encoding, encode, type Field } from '../isa/encoding.ts'
import type { Mnemonic } from '../isa/mips/encodings.ts'
import { randomWords } from '../softfloat/test-patterns.ts'
import { encodingOf } from './assembler.ts'
import { type Case, DATA_BYTES, DATA_OFFSET, recordAddress, slotAddress } from './harness.ts'

export const STATUS_KERNEL = 0x30000000
export const STATUS_FR = 1 << 26

/** Where integer instructions go wrong. */
const EDGE_WORDS: readonly number[] = [
  0, 1, 2, 3, 7, 8, 31, 32, 33, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x12345678, 0x55555555,
  0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xaaaaaaaa, 0xffff0000, 0xffff7fff, 0xffff8000, 0xfffffffe,
  0xffffffff,
]

export class Source {
  readonly next: () => number
  constructor(seed: number) {
    this.next = randomWords(seed)
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return this.next() % limit
  }

  pick<T>(of: readonly T[]): T {
    return of[this.below(of.length)]!
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  /** An edge, a power of two, or any word. */
  word(): number {
    const choice = this.below(4)
    if (choice === 0) return this.next()
    if (choice === 1) return (1 << this.below(32)) >>> 0
    return this.pick(EDGE_WORDS)
  }

  /** A value for an instruction's field. */
  field({ bits }: Field): number {
    return bits >= 16 ? this.word() : this.below(2 ** bits)
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.next() & 0xff)
  }
}

/** Changes a case from the usual: all registers and the data random. */
export interface Situation extends Partial<Omit<Case, 'gpr' | 'name' | 'code' | 'mnemonic'>> {
  gpr?: Readonly<Record<number, number>>
}

export class CaseList {
  readonly cases: Case[] = []
  /** How many cases have been made for each encoding. */
  readonly counts = new Map<Mnemonic, number>()
  readonly source: Source

  constructor(seed: number) {
    this.source = new Source(seed)
  }

  /** Where the slot and the data of the case to be added next will stand. */
  get slot(): number {
    return slotAddress(this.cases.length)
  }

  get data(): number {
    return recordAddress(this.cases.length) + DATA_OFFSET
  }

  add(of: Mnemonic, name: string, code: readonly number[], situation: Situation = {}): void {
    const { source } = this
    const gpr = new Map<number, number>()
    for (let register = 1; register < 32; register++) gpr.set(register, source.word())
    for (const [register, value] of Object.entries(situation.gpr ?? {})) gpr.set(Number(register), value >>> 0)
    const fpr = new Map<number, bigint>()
    for (let register = 0; register < 32; register++) {
      fpr.set(register, (BigInt(source.next()) << 32n) | BigInt(source.next()))
    }
    const words = code.map((value) => (value >>> 0).toString(16).padStart(8, '0')).join(' ')
    this.cases.push({
      hi: source.word(),
      lo: source.word(),
      status: STATUS_KERNEL,
      fcsr: 0,
      fpr,
      cp0: {},
      clearTlb: false,
      data: source.bytes(DATA_BYTES),
      ...situation,
      mnemonic: of,
      name: `${name} [${words}]`,
      code,
      gpr,
    })
    this.counts.set(of, (this.counts.get(of) ?? 0) + 1)
  }

  /** Random values for all fields of an encoding, but for those given. */
  fields(of: Encoding, given: Readonly<Record<string, number>> = {}): Record<string, number> {
    const values: Record<string, number> = {}
    for (const [letter, field] of Object.entries(of.fields)) values[letter] = given[letter] ?? this.source.field(field)
    return values
  }

  /** An instruction with random fields, but for those given. */
  instruction(mnemonic: Mnemonic, given: Readonly<Record<string, number>> = {}) {
    const of = encodingOf(mnemonic)
    const values = this.fields(of, given)
    const operands = Object.entries(values).map(([letter, value]) => `${letter}=${value}`)
    return { word: encode(of, values), values, name: `${mnemonic} ${operands.join(' ')}` }
  }
}

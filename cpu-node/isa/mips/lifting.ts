import type { Builder } from '../../ir/builder.ts'
import type { Exit, Value } from '../../ir/ir.ts'
import { bitsOf, type Field } from '../encoding.ts'
import { COP0_UNUSABLE, COP1_UNUSABLE, coprocessorUnusable, gpr } from './state.ts'

/** How an instruction goes on, where it does not simply go on to the next. */
export type Outcome =
  /** The block ends here. */
  | { when: 'now'; exit: Exit }
  /** The block ends so, after the delay slot. */
  | { when: 'afterDelaySlot'; exit: Exit }

// biome-ignore lint/suspicious/noConfusingVoidType: most lifters return nothing
export type Lifter = (at: Lifting) => Outcome | void

/** The instruction being lifted, and what its lifter writes to. */
export class Lifting {
  readonly b: Builder
  readonly bigEndian: boolean
  /** Status.FR: 32 registers of 64 bits. Code is lifted anew when it changes. */
  readonly fr: boolean
  /** As `LiftOptions.fixed`. */
  readonly fixed: boolean
  /** As `FetchWindow.relativeTo`. */
  readonly relativeTo: number | undefined
  word = 0
  pc = 0
  /** The instruction stands in a delay slot. */
  delaySlot = false
  #cop0Checked = false
  #cop1Checked = false

  constructor(b: Builder, bigEndian: boolean, fr: boolean, fixed: boolean, relativeTo: number | undefined) {
    this.b = b
    this.bigEndian = bigEndian
    this.fr = fr
    this.fixed = fixed
    this.relativeTo = relativeTo
  }

  field(field: Field): number {
    return bitsOf(field, this.word)
  }

  /** The 16-bit immediate, sign-extended. */
  get immediate(): number {
    return (this.word << 16) >> 16
  }

  /** The register that `field` names. */
  reg(field: Field): Value {
    const number = this.field(field)
    return number === 0 ? this.b.const(0) : this.b.get(gpr(number))
  }

  putReg(field: Field, value: Value): void {
    const number = this.field(field)
    if (number !== 0) this.b.put(gpr(number), value)
  }

  /** Where a branch of this word goes. */
  get branchTarget(): number {
    return (this.pc + 4 + (this.immediate << 2)) | 0
  }

  /** Status can't change within a block, so that one check of a coprocessor a block is enough. */
  needCop0(): void {
    if (this.#cop0Checked) return
    this.#cop0Checked = true
    this.b.faultIf(this.b.get(COP0_UNUSABLE), coprocessorUnusable(0))
  }

  needCop1(): void {
    if (this.#cop1Checked) return
    this.#cop1Checked = true
    this.b.faultIf(this.b.get(COP1_UNUSABLE), coprocessorUnusable(1))
  }
}

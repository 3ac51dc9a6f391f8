/**
 * Guest code apart from any CPU: what lifting it depends on besides its bytes. Fit to be sent to another thread.
 */

import type { Block } from '../ir/ir.ts'
import { PAGE_BYTES } from '../memory.ts'
import { swapBytes } from '../swap-bytes.ts'
import type { InlineCall } from './inline-call.ts'
import type { FetchWindow } from './isa.ts'
import { mipsCode } from './mips/code.ts'

export interface CodeKind {
  isa: 'mips'
  bigEndian: boolean
  /** `Isa.codeFlags`. */
  flags: number
  /** The code is lifted `relative`. */
  relative: boolean
  /** Nothing can map the code elsewhere: it is at `Isa.fixed` addresses. */
  fixed: boolean
}

export function sameKind(a: CodeKind, b: CodeKind): boolean {
  return (
    a.isa === b.isa &&
    a.bigEndian === b.bigEndian &&
    a.flags === b.flags &&
    a.relative === b.relative &&
    a.fixed === b.fixed
  )
}

/** An instruction set's part in reading code. */
export interface Code {
  /** As `Isa.lift` for code that is entered at `pc`. */
  lift(window: FetchWindow, pc: number, maxInstructions: number): Block
  /** A call of `helper`, if its usual case needs no call. `args`: undefined where they are not constant. */
  inlineCall(helper: number, args: readonly (number | undefined)[]): InlineCall | undefined
}

const codes = { mips: mipsCode }

export function codeOf(kind: CodeKind): Code {
  return codes[kind.isa](kind)
}

/** The page of code whose words begin at `words[first]`. `address`: of the page, or of any place in it, as its blocks count. */
export class PageWindow implements FetchWindow {
  readonly end: number
  readonly flags: number
  readonly relativeTo: number | undefined
  readonly #words: Int32Array
  readonly #first: number
  readonly #bigEndian: boolean

  constructor(
    words: Int32Array,
    first: number,
    address: number,
    { bigEndian, relative, flags }: Pick<CodeKind, 'bigEndian' | 'relative' | 'flags'>,
  ) {
    this.end = ((address & -PAGE_BYTES) >>> 0) + PAGE_BYTES
    this.flags = flags
    this.relativeTo = relative ? flags : undefined
    this.#words = words
    this.#first = first
    this.#bigEndian = bigEndian
  }

  word(pc: number): number {
    const word = this.#words[this.#first + ((pc & (PAGE_BYTES - 1)) >>> 2)]!
    return (this.#bigEndian ? swapBytes(word) : word) >>> 0
  }
}

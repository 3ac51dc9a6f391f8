/**
 * What an instruction set is to the parts of the CPU node that know none.
 */
import type { Vt } from '../../bus/mod.ts'
import type { Builder } from '../ir/builder.ts'
import type { CodeKind } from './code.ts'
import type { InlineCall } from './inline-call.ts'

/** What an address is translated for. */
export type AccessKind = 'read' | 'write' | 'fetch'

/**
 * A guest exception on its way: set by a translation or a helper that fails, taken by the executing tier, which knows
 * the instruction at hand.
 */
export interface Trap {
  pending: boolean
  /** The ISA's own code. */
  code: number
  /** The virtual address at fault, where there is one. */
  address: number
}

/** Services of the executing tier and the memory for an ISA's helpers. */
export interface Execution {
  /** Exact at every call of a helper or a translation. */
  readonly icount: number
  /** Virtual time before the instruction at hand. */
  readonly now: Vt
  readonly trap: Trap
  /** Guest state, as words and as 64-bit words. */
  readonly state: Int32Array
  readonly state64: BigInt64Array
  /** The ISA's TLB, as words. */
  readonly tlb: Int32Array
  /** Loads through the MMU; on a fault sets `trap` and gives 0. `address` is virtual. */
  load(address: number, width: 8 | 16 | 32, kind?: AccessKind): number
  store(address: number, width: 8 | 16 | 32, value: number): void
  /** What `address` is translated to, or -1 with `trap` set. */
  physicalAddress(address: number, kind: AccessKind): number
  /** The mapping of virtual pages in `[address, address + length)` has changed, in any address space. */
  forgetTranslations(address: number, length: number): void
  /** Code lifted so far no longer means what it did. */
  forgetCode(): void
  /** The instruction at hand ends with a look at interrupts and the limit. */
  breakAfterInstruction(): void
}

/** Called by lifted code; gives a value where the `call` operation has a type. May set the trap. */
export type Helper = (a: number, b: number, c: number, d: number, e: number) => unknown

export interface FetchWindow {
  /** The instruction bytes' word at virtual `pc`, within the page that the block began in. */
  word(pc: number): number
  /** The first address that can't be fetched from this page. */
  end: number
  /** `Isa.codeFlags` of the page: what they were when the code ran, whatever the CPU's mode is by now. */
  flags: number
  /** The same, where the code is to be `relative`: `pc`s are then offsets in its page. */
  relativeTo: number | undefined
}

/** Those with `(address & mask) === value`, as int32. */
export interface FixedAddresses {
  readonly mask: number
  readonly value: number
  /** Bits of `Isa.context` that still matter there: whether they may be used at all. */
  readonly contextMask: number
}

export function isFixed({ mask, value }: FixedAddresses, address: number): boolean {
  return (address & mask) === value
}

export interface Isa {
  readonly name: CodeKind['isa']
  /** Where in guest state the program counter stands, in bytes. */
  readonly pcOffset: number
  /** Code addresses are multiples of 2 to this. */
  readonly codeShift: number
  readonly bigEndian: boolean
  /** What translated code knows of guest state, as byte offsets. */
  readonly layout: {
    readonly pc: number
    /** Below this offset are registers that no helper touches. */
    readonly registerBytes: number
  }
  /** Bytes of guest state that belong to the register hash. */
  readonly stateBytes: number
  readonly tlbBytes: number
  reset(): void
  /** What to add to a virtual page to tell address spaces and modes apart in the soft TLB: bits 3 to 11. */
  context(): number
  /** What, besides the bytes, decides what code in the virtual page of `address` means: each value is kept apart. */
  codeFlags(address: number): number
  /** A number for the `codeFlags` in force: 0 to 3. After it changes, code must look before it goes on. */
  readonly codeTag: number
  /** Whether code of the virtual page of `address` is lifted `relative`, for all pages of the same flags. */
  isRelative(address: number): boolean
  /** Translates a virtual address: the physical one, or -1 with the trap set. */
  translate(address: number, kind: AccessKind): number
  /** Virtual addresses that are mapped the same in every address space, for ever. */
  readonly fixed: FixedAddresses
  /** Part of virtual memory that code at a `fixed` address may use, and that is physical memory from `physical` on. */
  readonly direct: { readonly address: number; readonly physical: number; readonly bytes: number }
  /**
   * Writes the block at `pc` to `builder`: of at most `maxInstructions`, all from one page. Unless that number is `exact`, a
   * delay slot may come on top.
   */
  lift(builder: Builder, window: FetchWindow, pc: number, maxInstructions: number, exact: boolean): void
  /** True where the next instruction must be lifted alone (a MIPS delay slot whose branch is done). */
  readonly midInstruction: boolean
  readonly helpers: readonly Helper[]
  /** Of them, by number, those whose usual case is about RAM that is `direct`. */
  readonly ramHelpers: ReadonlyMap<number, InlineCall>
  /** Takes the pending trap at the instruction `pc`. */
  takeTrap(pc: number, delaySlot: boolean): void
  /** The trap code of a memory access that is not aligned, or whose bus gave an error. */
  misaligned(address: number, kind: AccessKind): void
  busError(address: number, kind: AccessKind): void
  /** Enters the interrupt handler if an interrupt can be taken now. */
  takeInterrupt(): boolean
  /** True while the CPU waits for an interrupt. */
  readonly idle: boolean
  setLine(wire: number, level: 0 | 1): void
  /** When the CPU's own timer next comes due. */
  readonly timerDue: Vt
  /** Does what the timer does at `now`, if it is due. */
  updateTimer(now: Vt): void
  /** State that is not in guest state or TLB words. */
  save(): Record<string, unknown>
  restore(state: Record<string, unknown>): void
}

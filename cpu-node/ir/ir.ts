/**
 * The intermediate representation: what a guest instruction does, in a form that an interpreter, a translator to
 * WebAssembly and every analysis read alike.
 *
 * A block is a straight line of operations with one entry. Operations make values, numbered in order and assigned once.
 * Guest state is a flat record of bytes that `get` and `put` name by offset; nothing else is implied about it. Guest
 * addresses are values of the guest's own width. Whatever can fault, call out or leave names the guest instruction it
 * belongs to, so that a fault in the middle of a block has an exact icount and an exact state: all `put`s of the
 * instructions before it, and none after the faulting operation.
 */

/** `v128` values are carried by `get`, `put`, `load`, `store` and `call` only, until an ISA brings vector operations. */
export type Type = 'i32' | 'i64' | 'f32' | 'f64' | 'v128'

/** A value: the index of the operation that makes it. */
export type Value = number

/** Bits of memory that a load or store moves. */
export type Width = 8 | 16 | 32 | 64

/** Operations on two values of one integer type, giving that type. Shift counts are taken modulo the width. */
export type Binary =
  | 'add'
  | 'sub'
  | 'mul'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shrU'
  | 'shrS'
  | 'rotr'
  /** Division truncates; a zero divisor, and MIN / -1, must be kept away by the lifter. */
  | 'divS'
  | 'divU'
  | 'remS'
  | 'remU'

/** Comparisons of two values of one integer type; they give i32 0 or 1. */
export type Compare = 'eq' | 'ne' | 'ltS' | 'ltU' | 'leS' | 'leU'

/** Operations on one value of an integer type, giving that type. `swap` reverses the bytes. */
export type Unary = 'clz' | 'ctz' | 'popcnt' | 'swap' | 'extend8S' | 'extend16S'

/** Changes of width: i64 to i32 (`wrap`), i32 to i64. */
export type Convert = 'wrap' | 'extendS' | 'extendU'

/** How a memory access treats an address that is not a multiple of its width. */
export type Alignment =
  /** It faults. */
  | 'checked'
  /** The low bits are dropped; a fault reports the address as it was. */
  | 'down'

export type Op =
  | { op: 'const'; type: 'i32'; value: number }
  | { op: 'const'; type: 'i64'; value: bigint }
  /** The virtual address `offset` of a block that is `relative`: its page's address plus that. */
  | { op: 'address'; offset: number }
  | { op: 'get'; type: Type; offset: number }
  | { op: 'put'; type: Type; offset: number; value: Value }
  | { op: 'binary'; name: Binary; type: 'i32' | 'i64'; a: Value; b: Value }
  | { op: 'compare'; name: Compare; type: 'i32' | 'i64'; a: Value; b: Value }
  | { op: 'unary'; name: Unary; type: 'i32' | 'i64'; a: Value }
  | { op: 'convert'; name: Convert; a: Value }
  | { op: 'select'; type: Type; condition: Value; a: Value; b: Value }
  | {
      op: 'load'
      type: 'i32' | 'i64'
      width: Width
      signed: boolean
      address: Value
      displacement: number
      alignment: Alignment
      /** A load that starts a read-modify-write faults as its store would. */
      forWrite: boolean
    }
  | { op: 'store'; width: Width; address: Value; displacement: number; value: Value; alignment: Alignment }
  /** Calls helper `helper` of the ISA. It may read and write any guest state and memory, and may fault. */
  | { op: 'call'; helper: number; args: readonly Value[]; type: 'i32' | 'i64' | undefined }
  /** Faults with the ISA's `code` where `condition` is not zero. */
  | { op: 'faultIf'; condition: Value; code: number }
  /** Leaves for `target` where `condition` is not zero, after the instruction at hand. */
  | { op: 'exitIf'; condition: Value; target: number }
  /** Where `condition` is not zero, ends the block after the instruction at hand as the exit `look` does. */
  | { op: 'lookIf'; condition: Value; target: number }

/** How a block ends. */
export type Exit =
  | { kind: 'jump'; target: number }
  | { kind: 'branch'; condition: Value; taken: number; fallThrough: number }
  | { kind: 'indirect'; target: Value }
  /** State that decides what runs next (mode, mapping, interrupts) may have changed: look again, then go on at `target`. */
  | { kind: 'look'; target: number }
  /** As `look`, with the program counter already in guest state. */
  | { kind: 'lookAtState' }
  /** The last instruction faults, always. */
  | { kind: 'fault'; code: number }

/** A guest instruction of a block. */
export interface Instruction {
  /** Its virtual address. */
  pc: number
  /** It stands in the delay slot of the branch before it. */
  delaySlot: boolean
  /** Its first operation. */
  start: number
}

export interface Block {
  pc: number
  /** Every address in the block, of instructions, targets and `address`, is to be added to that of the page it stands in. */
  relative: boolean
  instructions: readonly Instruction[]
  ops: readonly Op[]
  exit: Exit
  /** Bytes of code it was made from, from `pc` on. */
  length: number
}

/**
 * What a board's file gives: a description made from options that a manifest keeps, and memories filled with the guest's images.
 */
import * as v from 'valibot'
import type { Board, Load, StorageImage } from '../../bus/mod.ts'

/** A program as its loader reads it: bytes at virtual addresses, and where it starts. */
export interface GuestProgram {
  /** Virtual address of the first instruction, as an unsigned 32-bit number. */
  entry: number
  /** `memoryBytes`, where larger than the bytes, is what the segment takes up with its zeros. */
  segments: readonly { address: number; bytes: Uint8Array; memoryBytes?: number }[]
}

/** The guest's own bytes; a recording keeps them beside its options. */
export interface GuestImages {
  kernel?: GuestProgram
  initrd?: Uint8Array
  /** What is on each of the board's drives, in the order of its options. */
  drives?: readonly StorageImage[]
}

/** A machine to be built. */
export interface BuiltBoard {
  board: Board
  /** What is in its memories and on its drives at power-on. Throws a `BoardOptionsError` for images that do not fit the board. */
  loads(images: GuestImages): readonly Load[]
}

/** One kind of board. */
export interface BoardDefinition {
  readonly name: string
  readonly description: string
  /** Every option has a default, so that `{}` is a board. Parsed options are plain JSON. */
  readonly options: v.GenericSchema<unknown, Record<string, unknown>>
  /** Throws a `BoardOptionsError` for options that do not fit the board. */
  build(options: Readonly<Record<string, unknown>>): BuiltBoard
}

/** Options or images that a board cannot take. The message says which, and what it can take. */
export class BoardOptionsError extends Error {
  override readonly name = 'BoardOptionsError'
}

/** Parses `options`; the error names the board and the option. */
export function parseBoardOptions<T>(name: string, schema: v.GenericSchema<unknown, T>, options: unknown): T {
  const result = v.safeParse(schema, options)
  if (result.success) return result.output
  const [issue] = result.issues
  const option = v.getDotPath(issue)
  const where = option === null ? '' : ` ${option}:`
  throw new BoardOptionsError(`board ${name}:${where} ${issue.message}`, { cause: new v.ValiError(result.issues) })
}

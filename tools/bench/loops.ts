/**
 * The bare-metal loops: programs that print when their loop begins and ends, and that say how many instructions are in
 * between (`programs/harness.h`).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ProgramCase } from './cases.ts'

export interface LoopProgram {
  file: string
  iterations: number
  /** Of one iteration. */
  instructions: number
}

export const LOOP_MARKS = ['loop begins\n', 'loop ends\n'] as const
export const LOOP_SCRIPT = 'expect loop ends\nquit\n'
export const LOOP_MEMORY_MIB = 64

const MAGIC = 'ananke loop 1   '

/** Where the number of iterations stands in a program's file; the number of instructions follows. */
export function loopHeader(image: Uint8Array): number {
  const at = Buffer.from(image.buffer, image.byteOffset, image.byteLength).indexOf(MAGIC, 0, 'latin1')
  if (at < 0) throw new Error(`no loop program: it has no "${MAGIC}"`)
  return at + MAGIC.length
}

export function loopFile(loop: ProgramCase): string {
  return join(import.meta.dirname, 'programs', `${loop}.elf`)
}

export function readLoop(loop: ProgramCase): LoopProgram {
  const file = loopFile(loop)
  const image = readFileSync(file)
  const at = loopHeader(image)
  return { file, iterations: image.readUInt32LE(at), instructions: image.readUInt32LE(at + 4) }
}

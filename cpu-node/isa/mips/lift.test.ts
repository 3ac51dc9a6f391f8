/**
 * Golden files: the IR and the micro-ops of small pieces of code, so that a change of either can be read in review.
 * `TAP_SNAPSHOT=1 npx tap run cpu-node/isa/mips/lift.test.ts` writes them anew.
 */
import t from 'tap'
import { MicroOpBuilder } from '../../interpreter/micro-op-builder.ts'
import { microOps } from '../../interpreter/micro-ops.ts'
import { BlockBuilder, type Builder } from '../../ir/builder.ts'
import type { Block } from '../../ir/ir.ts'
import { printBlock } from '../../ir/print.ts'
import { Assembler } from '../../oracle/assembler.ts'
import { disassemble } from './disassembler.ts'
import { type LiftOptions, lift } from './lift.ts'
import { STATE_BYTES } from './state.ts'

const PC = 0x8000_1000
const options: LiftOptions = { bigEndian: false, fr: false, fixed: true, inDelaySlot: false, exact: true }

type Code = [words: readonly number[], changes?: Partial<LiftOptions> | undefined, most?: number, end?: number]

function liftTo(builder: Builder, ...[words, changes = {}, most = 64, end = PC + 0x1000]: Code): void {
  const window = { word: (pc: number) => words[((pc - PC) >>> 0) / 4]! >>> 0, end, flags: 0, relativeTo: undefined }
  lift(builder, window, PC, most, { ...options, ...changes })
}

function liftWords(...code: Code): Block {
  const builder = new BlockBuilder(false)
  liftTo(builder, ...code)
  return builder.block
}

const microOpBuilder = new MicroOpBuilder(STATE_BYTES)

/** As text. */
function microOpsOf(...code: Code): string {
  microOpBuilder.begin(false)
  liftTo(microOpBuilder, ...code)
  return printMicroOps(microOpBuilder.code.subarray(0, microOpBuilder.codeWords))
}

/** Operands that are guest addresses. */
const ADDRESSES = new Set(['pc', 'target', 'taken', 'fallThrough'])

/** Micro-ops as text, a line each. */
function printMicroOps(code: Int32Array): string {
  const lines: string[] = []
  for (let at = 0; at < code.length; ) {
    const { name, operands } = microOps[code[at]! - 1]!
    const values = operands.map((operand, index) => {
      const value = code[at + 1 + index]!
      return `${operand}=${ADDRESSES.has(operand) ? `0x${(value >>> 0).toString(16)}` : value}`
    })
    lines.push(`  ${name} ${values.join(' ')}`.trimEnd())
    at += operands.length + 1
  }
  return `${lines.join('\n')}\n`
}

function golden(...code: Code): string {
  const [words] = code
  const block = liftWords(...code)
  const ir = printBlock(block, (index) => disassemble(words[index]!, block.instructions[index]!.pc))
  return `${ir}micro-ops:\n${microOpsOf(...code)}`
}

const code = (write: (at: Assembler) => Assembler): number[] => write(new Assembler(PC)).finish()

const pieces: Record<string, number[]> = {
  'arithmetic in place': code((at) =>
    at
      .emit('addiu', { s: 29, t: 29, i: -32 })
      .emit('lui', { t: 8, i: 0x1234 })
      .emit('ori', { s: 8, t: 8, i: 0x5678 })
      .emit('break'),
  ),
  'a branch whose operand the delay slot overwrites': code((at) =>
    at.label('loop').branch('bne', { s: 8, t: 9 }, 'loop').emit('addiu', { s: 8, t: 8, i: 1 }),
  ),
  'a branch likely': code((at) =>
    at.label('loop').branch('beql', { s: 8, t: 0 }, 'loop').emit('lw', { s: 4, t: 8, i: 4 }),
  ),
  'a call through a register that the delay slot overwrites': code((at) =>
    at.emit('jalr', { s: 25, d: 31 }).emit('addiu', { t: 25, i: 0 }),
  ),
  overflow: code((at) => at.emit('add', { s: 4, t: 5, d: 6 }).emit('jr', { s: 31 }).nop()),
  'multiply and accumulate': code((at) => at.emit('madd', { s: 4, t: 5 }).emit('mfhi', { d: 2 }).emit('syscall')),
  'unaligned words': code((at) =>
    at
      .emit('lwl', { s: 4, t: 8, i: 3 })
      .emit('lwr', { s: 4, t: 8, i: 0 })
      .emit('swl', { s: 5, t: 8, i: 3 })
      .emit('syscall'),
  ),
  'floating point': code((at) =>
    at
      .emit('ldc1', { s: 4, T: 2, i: 8 })
      .emit('add.d', { S: 2, T: 4, D: 6 })
      .emit('sdc1', { s: 4, T: 6, i: 16 })
      .emit('syscall'),
  ),
  'system control': code((at) => at.emit('mfc0', { t: 8, d: 12 }).emit('mtc0', { t: 8, d: 12 })),
}

for (const [name, words] of Object.entries(pieces)) {
  t.test(name, async (t) => t.matchSnapshot(golden(words)))
}

t.test('a block compiles alike whatever was compiled before it', async (t) => {
  const long = code((at) => {
    for (let count = 0; count < 64; count++) at.emit('swl', { s: 4, t: 8, i: 3 })
    return at
  })
  const blocks = [[0], long, ...Object.values(pieces)]
  const compileAll = () => blocks.map((words) => microOpsOf(words, {}, words.length))
  const compiled = compileAll()
  blocks.reverse()
  t.same(compileAll().reverse(), compiled)
})

t.test('a block is as long as is asked for', async (t) => {
  const count = 300
  const words = code((at) => {
    for (let index = 0; index < count; index++) at.emit('addiu', { s: 4, t: 4, i: index + 1 })
    return at
  })
  const lines = microOpsOf(words, {}, count).trim().split('\n')
  t.equal(lines.length, 1 + count + 1)
  t.equal(lines[count]!.trim(), `add.imm d=16 a=16 b=${count}`)
  t.same([...microOpBuilder.pcs.subarray(0, count)].at(-1), (PC + 4 * (count - 1)) | 0)
  t.equal(microOpBuilder.starts[count - 1], 3 + 4 * (count - 1))
})

t.test('big-endian loads and stores', async (t) => {
  const words = code((at) => at.emit('lh', { s: 4, t: 8, i: 2 }).emit('sw', { s: 4, t: 8, i: 4 }).emit('syscall'))
  t.matchSnapshot(golden(words, { bigEndian: true }))
})

t.test('64-bit floating-point registers', async (t) => {
  t.matchSnapshot(golden(pieces['floating point']!, { fr: true }))
})

t.test('a block cut between branch and delay slot', async (t) => {
  const words = code((at) => at.label('loop').branch('bne', { s: 8, t: 9 }, 'loop').emit('addiu', { s: 8, t: 8, i: 1 }))
  t.matchSnapshot(golden(words, {}, 1), 'by its limit')
  t.matchSnapshot(golden(words, {}, 64, PC + 4), 'by the end of its page')
  t.matchSnapshot(golden(words.slice(1), { inDelaySlot: true }), 'the delay slot that is left')
})

t.test('a branch in a delay slot is reserved', async (t) => {
  const words = code((at) => at.emit('j', { j: 0 }).emit('j', { j: 0 }))
  t.same(liftWords(words).exit, { kind: 'fault', code: 10 })
})

t.test('a delay slot that changes the mode looks again at the branch target', async (t) => {
  const words = code((at) => at.emit('jr', { s: 31 }).emit('mtc0', { t: 8, d: 12 }))
  t.equal(liftWords(words).exit.kind, 'lookAtState')
})

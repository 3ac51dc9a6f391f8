/**
 * Golden files: guest code, its IR, and the WebAssembly made of it, so that a change of the translator can be read in
 * review. `TAP_SNAPSHOT=1 npx tap run cpu-node/translator/golden.test.ts` writes them anew.
 *
 * Of each module the body of its one function is shown; what it imports is always the same (`layout.ts`). Offsets in memory are those
 * of `isa/mips/state.ts` (4 * n: general register n; 136: the program counter), and of `SCRATCH`, `SOFT_TLB_BASE` and
 * `BACKING_BASE` in `memory.ts`.
 */
import assert from 'node:assert/strict'
import t from 'tap'
import makeWabt from 'wabt'
import { NOWHERE } from '../interpreter/code-cache.ts'
import { printBlock } from '../ir/print.ts'
import { disassemble } from '../isa/mips/disassembler.ts'
import { PC } from '../isa/mips/state.ts'
import { BACKING_BASE, SCRATCH } from '../memory.ts'
import { Assembler } from '../oracle/assembler.ts'
import { swapBytes } from '../swap-bytes.ts'
import type { Layout, Window } from './layout.ts'
import type { RegionBlock } from './region.ts'
import { encodeRegion } from './translate.ts'

const RENEW = 'TAP_SNAPSHOT=1 npx tap run cpu-node/translator/golden.test.ts'
const COLUMNS = 100

const [ZERO, V0, A0, A1, T0, T1, SP, RA] = [0, 2, 4, 5, 8, 9, 29, 31]
const STATUS = 12

/** As a CPU has them, but for where its page flags are, which depends on its memory. */
const layout: Layout = {
  pc: PC,
  registerBytes: PC,
  ...SCRATCH,
  flagBase: 0x1000_0000,
  frameBase: 0x1800_0000,
  regionBase: 0x1900_0000,
}
/** 16 MiB of RAM at the start of kseg0. */
const window: Window = { address: 0x8000_0000 | 0, physical: 0, bytes: 0x100_0000, host: BACKING_BASE, page: 0 }

const KERNEL_CODE = 0x8000_1000
/** Where code stands: kernel code uses the window of RAM, other code the soft TLB. */
const PLACES = {
  kernel: { address: KERNEL_CODE, relative: false, fixed: true, window },
  user: { address: 0x0040_1000, relative: false, fixed: false, window: undefined },
  relative: { address: 0, relative: true, fixed: false, window: undefined },
  pageEnd: { address: 0xff0, relative: true, fixed: false, window: undefined },
}

interface Piece {
  code(at: Assembler): unknown
  /** The labels at which blocks of the region begin, besides its start. */
  blocks?: readonly string[]
  bigEndian?: boolean
  place?: keyof typeof PLACES
  /** Instructions whose access often misses the fast way. */
  missing?: readonly number[]
}

/** Adds one to the word at a0, as long as nobody else does. */
const linkedAddition = (at: Assembler) =>
  at
    .label('again')
    .emit('ll', { s: A0, t: T0, i: 0 })
    .emit('addiu', { s: T0, t: T0, i: 1 })
    .emit('sc', { s: A0, t: T0, i: 0 })
    .branch('beq', { s: T0, t: ZERO }, 'again')
    .nop()

/** All leave by `break`, which is the interpreter's. */
const PIECES: Readonly<Record<string, Piece>> = {
  'arithmetic with constants': {
    code: (at) =>
      at.constant(T0, 0x1234_5678).emit('addiu', { s: SP, t: SP, i: -32 }).emit('subu', { s: T0, t: A0, d: V0 }),
  },
  'a branch and its delay slot, which overwrites what was compared': {
    code: (at) => at.branch('bne', { s: T0, t: T1 }, 'on').emit('addiu', { s: T0, t: T0, i: 1 }).nop().label('on'),
  },
  'a block that loops to itself': {
    code: (at) =>
      at
        .label('loop')
        .emit('addu', { s: V0, t: T0, d: V0 })
        .branch('bne', { s: T0, t: ZERO }, 'loop')
        .emit('addiu', { s: T0, t: T0, i: -1 }),
  },
  'a loop of two blocks': {
    code: (at) =>
      at
        .label('loop')
        .branch('beq', { s: T0, t: T1 }, 'done')
        .emit('addiu', { s: T0, t: T0, i: 1 })
        .label('body')
        .branch('beq', {}, 'loop')
        .emit('addu', { s: V0, t: T0, d: V0 })
        .label('done'),
    blocks: ['body'],
  },
  'a load and a store of kernel code': {
    code: (at) => at.emit('lhu', { s: A0, t: T0, i: 6 }).emit('sw', { s: A1, t: T0, i: 0 }),
  },
  'a load and a store of user code': {
    code: (at) => at.emit('lb', { s: A0, t: T0, i: 6 }).emit('sw', { s: A1, t: T0, i: 0 }),
    place: 'user',
  },
  'a load and a store that often miss the fast way': {
    code: (at) => at.emit('lhu', { s: A0, t: T0, i: 6 }).emit('sw', { s: A1, t: T0, i: 0 }),
    missing: [0, 1],
  },
  'an unaligned load': {
    code: (at) => at.emit('lwl', { s: A0, t: T0, i: 3 }).emit('lwr', { s: A0, t: T0, i: 0 }),
  },
  'a big-endian load and store': {
    code: (at) => at.emit('lw', { s: A0, t: T0, i: 0 }).emit('sh', { s: A1, t: T0, i: 2 }),
    bigEndian: true,
  },
  'a load in a delay slot': {
    code: (at) => at.branch('beq', { s: T0, t: T1 }, 'on').emit('lw', { s: A0, t: T0, i: 0 }).nop().label('on'),
    place: 'user',
  },
  'a call and its return': {
    code: (at) =>
      at
        .emit('jal', { j: (KERNEL_CODE + 0x10) >>> 2 })
        .emit('addiu', { t: A0, i: 1 })
        .label('back')
        .branch('beq', {}, 'end')
        .emit('addu', { s: V0, t: V0, d: V0 })
        .label('double')
        .emit('jr', { s: RA })
        .emit('addu', { s: A0, t: A0, d: V0 })
        .label('end'),
    blocks: ['back', 'double'],
  },
  'an overflow that faults': {
    code: (at) => at.emit('lui', { t: V0, i: 1 }).emit('add', { s: A0, t: A1, d: V0 }),
  },
  'interrupts off and on': {
    code: (at) => at.emit('di', { t: T0 }).emit('ei', { t: 0 }),
  },
  'a write of Status': {
    code: (at) =>
      at.emit('ori', { s: T0, t: T0, i: 1 }).emit('mtc0', { t: T0, d: STATUS }).emit('addiu', { t: V0, i: 1 }),
  },
  'load linked, store conditional': { code: linkedAddition },
  'load linked, store conditional in mapped memory': { code: linkedAddition, place: 'user' },
  'a floating-point addition': {
    code: (at) => at.emit('add.s', { S: 2, T: 4, D: 6 }),
    place: 'user',
  },
  'code of a relative page': {
    code: (at) => at.label('loop').branch('bgezal', { s: A0 }, 'on').emit('addiu', { s: A0, t: A0, i: -1 }).label('on'),
    blocks: ['on'],
    place: 'relative',
  },
  'a call to another relative page': {
    code: (at) =>
      at
        .branch('bgezal', { s: ZERO }, 'far')
        .nop()
        .label('back')
        .branch('beq', {}, 'end')
        .nop()
        .label('far')
        .emit('jr', { s: RA })
        .emit('addiu', { s: V0, t: V0, i: 1 })
        .label('end'),
    blocks: ['back', 'far'],
    place: 'pageEnd',
  },
}

function golden({ code, blocks: labels = [], bigEndian = false, place = 'kernel', missing = [] }: Piece): string {
  const { address, relative, fixed, window } = PLACES[place]
  const at = new Assembler(address)
  code(at)
  const assembled = at.emit('break').finish()
  const stored = assembled.map((word) => (bigEndian ? swapBytes(word) : word))
  // Where a block ends the lifter finds: each gets all that follows.
  const starts = [0, ...labels.map((label) => (at.addressOf(label) - address) / 4)]
  const { blocks, bytes } = encodeRegion({
    id: 0,
    code: {
      kind: { isa: 'mips', bigEndian, flags: 0, relative, fixed },
      pcs: Int32Array.from(starts, (start) => address + 4 * start),
      lengths: Int32Array.from(starts, (start) => 4 * (stored.length - start)),
      targets: new Int32Array(starts.length).fill(NOWHERE),
      words: Int32Array.from(starts.flatMap((start) => stored.slice(start))),
      byCall: Int32Array.from(missing, (index) => address + 4 * index),
    },
    layout,
    window,
    optimized: false,
    memoryPages: 1,
  })
  assert(bytes !== undefined)
  const ir = blocks.map((block) => blockText(block, (pc) => assembled[(pc - address) / 4]!))
  return `${ir.join('\n')}\n${functionText(bytes)}`
}

function blockText({ block, count }: RegionBlock, wordAt: (pc: number) => number): string {
  return printBlock(block, (index) => {
    const pc = block.instructions[index]!.pc >>> 0
    return `${disassemble(wordAt(pc), pc)}${index < count ? '' : ', which the interpreter does'}`
  })
}

// --- WebAssembly as text ----------------------------------------------------------------------------------------------

const wabt = await makeWabt()

const DECLARATIONS = new Set(['type', 'param', 'result', 'local'])

type Expression = string | readonly Expression[]

/** The text of a module's one function, with the emitter's names for its parameters and constants in hex. */
function functionText(bytes: Uint8Array): string {
  const module = wabt.readWasm(bytes, { readDebugNames: false })
  module.generateNames()
  module.applyNames()
  const text = module.toText({ foldExprs: true, inlineExport: false })
  module.destroy()
  const named = text
    .replace(/\$p([012])\b/g, (_, parameter: string) => `$${['next', 'budget', 'context'][Number(parameter)]}`)
    .replace(/(?<=i32\.const )-?\d{5,}/g, (value) => `0x${(Number(value) >>> 0).toString(16)}`)
  const [parsed] = parse(named.match(/"[^"]*"|[()]|[^\s()]+/g)!)
  assert(Array.isArray(parsed))
  const found = parsed.find((part) => part[0] === 'func')
  assert(Array.isArray(found))
  const body = found.filter((part, index) => index > 1 && !DECLARATIONS.has(String(part[0])))
  return body.map((expression) => `${layOut(expression, 0)}\n`).join('')
}

/** Takes expressions from the front of `tokens`, up to a closing parenthesis. */
function parse(tokens: string[]): Expression[] {
  const expressions: Expression[] = []
  for (;;) {
    const token = tokens.shift()
    if (token === undefined || token === ')') return expressions
    expressions.push(token === '(' ? parse(tokens) : token)
  }
}

/** An expression on one line where it fits and is no block of others, else each of its operands on a line. */
function layOut(expression: Expression, indent: number): string {
  const line = oneLine(expression)
  if (typeof expression === 'string') return line
  if (!/\((block|loop|then|else) /.test(line) && indent + line.length <= COLUMNS) return line
  const operands = expression.findIndex((part) => typeof part !== 'string' && part[0] !== 'result')
  const head = expression.slice(0, operands).map(oneLine).join(' ')
  const rest = expression.slice(operands).map((part) => `\n${' '.repeat(indent + 2)}${layOut(part, indent + 2)}`)
  return `(${head}${rest.join('')})`
}

function oneLine(expression: Expression): string {
  return typeof expression === 'string' ? expression : `(${expression.map(oneLine).join(' ')})`
}

for (const [name, piece] of Object.entries(PIECES)) {
  t.test(name, async (t) => {
    t.matchSnapshot(golden(piece), 'code, IR and WebAssembly', { renew: RENEW })
  })
}

/**
 * The interpreter's instructions, as a table: name, operands, what it does. The hot loop is made from this table once,
 * at start-up, because a JavaScript `switch` becomes a jump table only where its cases are literal numbers.
 *
 * Micro-ops stand in one Int32Array `C`: the opcode, then its operands. Slots are words of guest state and scratch in
 * `S` (64-bit values take two, the first even). In an action `{x}` is operand `x`; what else it may use:
 *
 *     S, L         state as words, as 64-bit words (BigInt)      T   the soft TLB's words
 *     B, H, W      CPU memory as bytes, halves, words            m   the machine: slow paths (see `Machine`)
 *     context      the soft TLB context                          F   the ISA's helpers
 *     ip           this micro-op                                 remaining   instructions left before the limit
 *     base         the page's virtual address, for relative blocks; else 0
 *
 * Macros: SLOW(expression) calls out with `m` in step; NEXT(link) goes on at the block that state's PC names.
 */
import { SCRATCH } from '../memory.ts'
import { swapBytes } from '../swap-bytes.ts'
import { Reason } from '../translator/reason.ts'

export interface MicroOp {
  name: string
  operands: readonly string[]
  action: string
  /** It sets `ip` itself, or leaves. */
  jumps: boolean
}

/** Why the hot loop came back. */
export const Left = {
  /** The next block has more instructions than are left; state's PC is its first. */
  cut: 0,
  /** There is no code yet at state's PC. */
  missing: 1,
  /** The trap is set, by the micro-op at `m.ip`. */
  trapped: 2,
  /** Interrupts, mode and limit are to be looked at. */
  look: 3,
} as const

const op = (name: string, operands: string, action: string): MicroOp => ({
  name,
  operands: operands === '' ? [] : operands.split(' '),
  action,
  jumps: false,
})
const jump = (name: string, operands: string, action: string): MicroOp => ({
  ...op(name, operands, action),
  jumps: true,
})

const binaries: [name: string, action: string][] = [
  ['add', '(x + y) | 0'],
  ['sub', '(x - y) | 0'],
  ['mul', 'Math.imul(x, y)'],
  ['and', 'x & y'],
  ['or', 'x | y'],
  ['xor', 'x ^ y'],
  ['shl', 'x << y'],
  ['shrU', '(x >>> y) | 0'],
  ['shrS', 'x >> y'],
  ['rotr', '(x >>> y) | (x << (32 - y))'],
  ['divS', '(x / y) | 0'],
  ['divU', '((x >>> 0) / (y >>> 0)) | 0'],
  ['remS', '(x % y) | 0'],
  ['remU', '((x >>> 0) % (y >>> 0)) | 0'],
]

const compares: [name: string, action: string][] = [
  ['eq', 'x === y'],
  ['ne', 'x !== y'],
  ['ltS', 'x < y'],
  ['ltU', 'x >>> 0 < y >>> 0'],
  ['leS', 'x <= y'],
  ['leU', 'x >>> 0 <= y >>> 0'],
]

const binaries64: [name: string, action: string][] = [
  ['add', 'x + y'],
  ['sub', 'x - y'],
  ['mul', 'x * y'],
  ['and', 'x & y'],
  ['or', 'x | y'],
  ['xor', 'x ^ y'],
  ['shl', 'x << (y & 63n)'],
  ['shrU', 'BigInt.asUintN(64, x) >> (y & 63n)'],
  ['shrS', 'x >> (y & 63n)'],
]

const inSlots = (action: string): string => action.replaceAll(/\bx\b/g, 'S[{a}]').replaceAll(/\by\b/g, 'S[{b}]')
const withImmediate = (action: string): string => action.replaceAll(/\bx\b/g, 'S[{a}]').replaceAll(/\by\b/g, '{b}')
const inSlots64 = (action: string): string =>
  action.replaceAll(/\bx\b/g, 'L[{a} >> 1]').replaceAll(/\by\b/g, 'L[{b} >> 1]')

/** Names that have a form with a constant second operand. */
const IMMEDIATE_BINARIES = ['add', 'and', 'or', 'xor', 'shl', 'shrU', 'shrS', 'rotr']
const IMMEDIATE_COMPARES = ['eq', 'ne', 'ltS', 'ltU']

const arithmetic: MicroOp[] = [
  ...binaries.map(([name, action]) => op(name, 'd a b', `S[{d}] = ${inSlots(action)}`)),
  ...binaries
    .filter(([name]) => IMMEDIATE_BINARIES.includes(name))
    .map(([name, action]) => op(`${name}.imm`, 'd a b', `S[{d}] = ${withImmediate(action)}`)),
  ...compares.map(([name, action]) => op(name, 'd a b', `S[{d}] = ${inSlots(action)} ? 1 : 0`)),
  ...compares
    .filter(([name]) => IMMEDIATE_COMPARES.includes(name))
    .map(([name, action]) => op(`${name}.imm`, 'd a b', `S[{d}] = ${withImmediate(action)} ? 1 : 0`)),
  ...binaries64.map(([name, action]) => op(`${name}.64`, 'd a b', `L[{d} >> 1] = ${inSlots64(action)}`)),
  op('move', 'd a', 'S[{d}] = S[{a}]'),
  op('move.imm', 'd b', 'S[{d}] = {b}'),
  op('move.address', 'd b', 'S[{d}] = base + {b}'),
  op('move.64', 'd a', 'S[{d}] = S[{a}]; S[{d} + 1] = S[{a} + 1]'),
  op('clz', 'd a', 'S[{d}] = Math.clz32(S[{a}])'),
  op('ctz', 'd a', 'S[{d}] = S[{a}] === 0 ? 32 : 31 - Math.clz32(S[{a}] & -S[{a}])'),
  op('popcnt', 'd a', 'S[{d}] = populationCount(S[{a}])'),
  op('swap', 'd a', 'S[{d}] = swapBytes(S[{a}])'),
  op('swap.64', 'd a', 'const low = swapBytes(S[{a}]); S[{d}] = swapBytes(S[{a} + 1]); S[{d} + 1] = low'),
  op('extend8S', 'd a', 'S[{d}] = (S[{a}] << 24) >> 24'),
  op('extend16S', 'd a', 'S[{d}] = (S[{a}] << 16) >> 16'),
  op('wrap', 'd a', 'S[{d}] = S[{a}]'),
  op('extendS', 'd a', 'const x = S[{a}]; S[{d}] = x; S[{d} + 1] = x >> 31'),
  op('extendU', 'd a', 'S[{d}] = S[{a}]; S[{d} + 1] = 0'),
  op('select', 'd c a b', 'S[{d}] = S[{c}] !== 0 ? S[{a}] : S[{b}]'),
  op('select.64', 'd c a b', 'const from = S[{c}] !== 0 ? {a} : {b}; L[{d} >> 1] = L[from >> 1]'),
]

/**
 * Memory, in pseudocode: address = slot + displacement; if the tag of its page fits, the byte is at address + addend;
 * else the slow path. A `forWrite` load that takes it faults as its store would; else the store itself does.
 */
const fast = (bytes: number, tags: 'read' | 'write', address = 'S[{a}] + {i}'): string =>
  `const address = (${address}) | 0; const entry = (address >>> 12) & 1023; ` +
  `if (((address & ${~0xfff | (Math.min(bytes, 4) - 1)}) | context) === T[entry${tags === 'write' ? ' + 1024' : ''}]` +
  `${bytes === 8 ? ' && (address & 4) === 0' : ''})`

const at = (shift: number): string => `[(address + T[entry + 2048]) >>> ${shift}]`
const TAKEN = 'if (m.trap.pending) LEAVE(trapped)'

const load = (name: string, bytes: 1 | 2 | 4, array: string, fix: (value: string) => string): MicroOp[] => [
  op(
    name,
    'd a i',
    `${fast(bytes, 'read')} S[{d}] = ${fix(array + at(bytes >> 1))}
     else { SLOW(const value = m.slowLoad(address, ${8 * bytes}, false)); ${TAKEN}; S[{d}] = ${fix('value')} }`,
  ),
]

const same = (value: string): string => value
const memory: MicroOp[] = [
  ...load('load8U', 1, 'B', same),
  ...load('load8S', 1, 'B', (value) => `(${value} << 24) >> 24`),
  ...load('load16U', 2, 'H', same),
  ...load('load16S', 2, 'H', (value) => `(${value} << 16) >> 16`),
  ...load('load32', 4, 'W', same),
  op(
    'load32.down',
    'd a i w',
    `const wanted = S[{a}] + {i};
     ${fast(4, 'read', 'wanted & -4')} S[{d}] = W${at(2)}
     else { SLOW(const value = m.slowLoadDown(wanted | 0, {w} !== 0)); ${TAKEN}; S[{d}] = value }`,
  ),
  op(
    'load64',
    'd a i',
    `${fast(8, 'read')} { const from = (address + T[entry + 2048]) >>> 2; S[{d}] = W[from]; S[{d} + 1] = W[from + 1] }
     else { SLOW(m.slowLoad64(address)); ${TAKEN}; S[{d}] = m.low; S[{d} + 1] = m.high }`,
  ),
  ...([1, 2, 4] as const).map((bytes) =>
    op(
      `store${8 * bytes}`,
      'v a i',
      `${fast(bytes, 'write')} ${bytes === 1 ? 'B' : bytes === 2 ? 'H' : 'W'}${at(bytes >> 1)} = S[{v}]
       else { SLOW(m.slowStore(address, ${8 * bytes}, S[{v}])); ${TAKEN} }`,
    ),
  ),
  op(
    'store32.down',
    'v a i',
    `const wanted = S[{a}] + {i};
     ${fast(4, 'write', 'wanted & -4')} W${at(2)} = S[{v}]
     else { SLOW(m.slowStoreDown(wanted | 0, S[{v}])); ${TAKEN} }`,
  ),
  op(
    'store64',
    'v a i',
    `${fast(8, 'write')} { const to = (address + T[entry + 2048]) >>> 2; W[to] = S[{v}]; W[to + 1] = S[{v} + 1] }
     else { SLOW(m.slowStore64(address, S[{v}], S[{v} + 1])); ${TAKEN} }`,
  ),
]

const calls: MicroOp[] = [
  op(
    'call',
    'd h a b c e f',
    `SLOW(const value = F[{h}](S[{a}], S[{b}], S[{c}], S[{e}], S[{f}])); ${TAKEN}; if ({d} !== 0) S[{d}] = value`,
  ),
  op(
    'call.imm',
    'd h a b c e f',
    `SLOW(const value = F[{h}]({a}, {b}, {c}, {e}, {f})); ${TAKEN}; if ({d} !== 0) S[{d}] = value`,
  ),
]

/** Addresses are to be added to `base`. `n` instructions, at `pc`; `ip` of the last one begun tells which block runs. */
const flow: MicroOp[] = [
  jump(
    'block',
    'n pc',
    'if ({n} > remaining) { S[PC] = base + {pc}; LEAVE(cut) } remaining -= {n}; block = ip; ip += 3; continue',
  ),
  /** Where a block is entered, before its `block`: counts until it is worth translating. */
  jump(
    'entry',
    'left region number pc',
    'if (--{left} === 0) { m.remaining = remaining; m.hot(ip) } ip += 5; continue',
  ),
  /** In place of `entry`: the block is number `number` of a translated region. */
  jump(
    'translated',
    'left region number pc',
    `S[PC] = base + {pc}; remaining = X(ip, remaining, context);
     switch (S[REASON]) {
       case ${Reason.run}: NEXT(0)
       case ${Reason.interpret}: m.remaining = remaining; ip = m.nextInterpreted(); base = m.base; if (ip !== 0) continue; return ${Left.missing}
       case ${Reason.cut}: LEAVE(cut)
       case ${Reason.entry}: ip = S[ENTRY]; m.rebase(); base = m.base; continue
       default: LEAVE(look)
     }`,
  ),
  /** In place of either: a block whose code was overwritten. Whoever is linked to it looks again. */
  jump('stale', 'left region number pc', 'S[PC] = base + {pc}; NEXT(0)'),
  /** Stands for a moment in place of another micro-op, at the start of an instruction (see `Machine.armBreak`). */
  jump(
    'break',
    '',
    'm.remaining = remaining; m.ip = ip; m.block = block; m.disarmBreak(); remaining = m.remaining; LEAVE(look)',
  ),
  op('faultIf', 'c code', 'if (S[{c}] !== 0) { m.trap.code = {code}; m.trap.pending = true; LEAVE(trapped) }'),
  /** `unspent`: the block's instructions after this one. */
  op(
    'exitIf',
    'c unspent link target',
    'if (S[{c}] !== 0) { remaining += {unspent}; if ({link} !== 0) { ip = {link}; continue } S[PC] = base + {target}; NEXT(ip + 3) }',
  ),
  op(
    'lookIf',
    'c unspent target',
    'if (S[{c}] !== 0) { remaining += {unspent}; S[PC] = base + {target}; LEAVE(look) }',
  ),
  jump('fault', 'code', 'm.trap.code = {code}; m.trap.pending = true; LEAVE(trapped)'),
  jump('jump', 'link target', 'if ({link} !== 0) { ip = {link}; continue } S[PC] = base + {target}; NEXT(ip + 1)'),
  jump('indirect', 'a', 'S[PC] = S[{a}]; NEXT(0)'),
  jump('look', 'target', 'S[PC] = base + {target}; LEAVE(look)'),
  jump('lookAtState', '', 'LEAVE(look)'),
  ...compares.map(([name, action]) =>
    jump(
      `branch.${name}`,
      'a b takenLink taken link fallThrough',
      `if (${inSlots(action)}) { if ({takenLink} !== 0) { ip = {takenLink}; continue } S[PC] = base + {taken}; NEXT(ip + 3) }
       if ({link} !== 0) { ip = {link}; continue } S[PC] = base + {fallThrough}; NEXT(ip + 5)`,
    ),
  ),
]

/** In the order of their opcodes, from 1: 0 is never an opcode. */
export const microOps: readonly MicroOp[] = [...arithmetic, ...memory, ...calls, ...flow]

const opcodes = new Map(microOps.map(({ name }, index) => [name, index + 1]))

export function opcodeOf(name: string): number {
  const opcode = opcodes.get(name)
  if (opcode === undefined) throw new Error(`no micro-op ${name}`)
  return opcode
}

export const hasImmediateForm = (name: string): boolean => opcodes.has(`${name}.imm`)

/** What the hot loop needs of the machine around it. */
export interface Machine {
  ip: number
  block: number
  remaining: number
  /** What to add to the addresses in the block at `ip`. */
  base: number
  low: number
  high: number
  readonly trap: { pending: boolean; code: number }
  /** Set where the instruction at hand must be the last before a look. */
  breakRequested: boolean
  slowLoad(address: number, width: 8 | 16 | 32, forWrite: boolean): number
  slowLoadDown(address: number, forWrite: boolean): number
  /** Leaves its result in `low` and `high`. */
  slowLoad64(address: number): void
  slowStore(address: number, width: 8 | 16 | 32, value: number): void
  /** Stores to the word around `address`; a fault reports `address` as it is. */
  slowStoreDown(address: number, value: number): void
  slowStore64(address: number, low: number, high: number): void
  /** Makes the loop come back with `look` before the next instruction. */
  armBreak(): void
  disarmBreak(): void
  /** The block entered at `ip` has been entered often. */
  hot(ip: number): void
  /** Makes `base` that of state's PC. */
  rebase(): void
  /** As `next`, but past what is translated of it: the interpreter must do the instruction at state's PC. */
  nextInterpreted(): number
  /**
   * The code of state's PC, or 0. `link` is where block `block` may have it for next time, or 0.
   */
  next(link: number, block: number): number
}

export interface LoopInputs {
  S: Int32Array
  L: BigInt64Array
  C: Int32Array
  T: Int32Array
  B: Uint8Array
  H: Uint16Array
  W: Int32Array
  F: readonly unknown[]
  /** Runs translated code. */
  X: unknown
}

/** Runs from `m.ip`, with `m.remaining` instructions to go, until it has to leave. */
export type HotLoop = (m: Machine, context: number) => number

function caseOf(microOp: MicroOp, opcode: number): string {
  let { action } = microOp
  for (const [index, operand] of microOp.operands.entries()) {
    action = action.replaceAll(`{${operand}}`, `C[ip + ${index + 1}]`)
  }
  action = action
    .replaceAll(/SLOW\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)/g, (_, call) => {
      const store = 'm.ip = ip; m.block = block; m.remaining = remaining'
      return `${store}; ${call}; if (m.breakRequested) m.armBreak(); remaining = m.remaining`
    })
    .replaceAll(/LEAVE\((\w+)\)/g, (_, why: keyof typeof Left) => {
      return `{ m.ip = ip; m.block = block; m.remaining = remaining; return ${Left[why]} }`
    })
    .replaceAll(/NEXT\(([^)]*)\)/g, (_, link) => {
      return `m.remaining = remaining; ip = m.next(${link}, block); base = m.base; if (ip !== 0) continue; return ${Left.missing}`
    })
  const onwards = microOp.jumps ? '' : `; ip += ${microOp.operands.length + 1}; continue`
  return `case ${opcode}: { /* ${microOp.name} */ ${action}${onwards} }`
}

/** Makes the hot loop for one CPU's memory. `pcSlot` is where in `S` the program counter stands. */
export function makeHotLoop(inputs: LoopInputs, pcSlot: number): HotLoop {
  const cases = microOps.map((microOp, index) => caseOf(microOp, index + 1)).join('\n')
  const source = `'use strict'
    const { S, L, C, T, B, H, W, F, X } = inputs
    const REASON = ${SCRATCH.reason / 4}
    const ENTRY = ${SCRATCH.entry / 4}
    const PC = ${pcSlot}
    return function hotLoop(m, context) {
      let ip = m.ip, remaining = m.remaining, block = m.block, base = m.base
      for (;;) switch (C[ip]) {
        ${cases}
        default: throw new Error('no micro-op ' + C[ip] + ' at ' + ip)
      }
    }`
  const make = new Function('inputs', 'swapBytes', 'populationCount', source)
  return make(inputs, swapBytes, populationCount) as HotLoop
}

function populationCount(word: number): number {
  let bits = word
  bits -= (bits >>> 1) & 0x5555_5555
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}

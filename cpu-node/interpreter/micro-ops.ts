/**
 * The interpreter's instructions, as a table: name, operands, what it does. The hot loop (`hot-loop.ts`) is made from this
 * table at start-up, as one WebAssembly function.
 *
 * Micro-ops stand in the code arena: the opcode, then its operands, a word each. A slot is a byte offset of guest state and
 * scratch; 64-bit values take two words, the first at a multiple of 8. Places in the arena are byte offsets in it.
 *
 * An action is written with a `LoopWriter`, which has
 *
 *     ip          this micro-op                               remaining   instructions left before the limit, after the
 *     context     the soft TLB context                                    block under way
 *
 * in locals, and beside guest state in scratch words (`SCRATCH` in memory.ts)
 *
 *     base        the page's virtual address, for relative blocks; else 0
 *     block       the `block` under way
 *
 * Before a call that wants to know, `ip` and `remaining` are put into scratch words too; after it `remaining` is read back.
 */
import type { Binary, Compare, Op, Unary } from '../ir/ir.ts'
import { Reason } from '../translator/reason.ts'
import type { LoopWriter } from './loop-writer.ts'

export interface MicroOp {
  name: string
  operands: readonly string[]
  action: (at: LoopWriter) => void
  /** What runs after it: the micro-op after it; that too, which is the next of this table; or what it jumps to. */
  onwards: 'next' | 'fallsThrough' | 'jumps'
  /** Instead of an action: this micro-op, and then at once the one that stands after it. */
  joins?: readonly [MicroOp, MicroOp]
}

const op = (name: string, operands: string, action: MicroOp['action']): MicroOp => ({
  name,
  operands: operands === '' ? [] : operands.split(' '),
  action,
  onwards: 'next',
})
const jump = (name: string, operands: string, action: MicroOp['action']): MicroOp => ({
  ...op(name, operands, action),
  onwards: 'jumps',
})

const binaries: readonly Binary[] = [
  'add',
  'sub',
  'mul',
  'and',
  'or',
  'xor',
  'shl',
  'shrU',
  'shrS',
  'rotr',
  'divS',
  'divU',
  'remS',
  'remU',
]
const compares: readonly Compare[] = ['eq', 'ne', 'ltS', 'ltU', 'leS', 'leU']
const binaries64: readonly Binary[] = ['add', 'sub', 'mul', 'and', 'or', 'xor', 'shl', 'shrU', 'shrS']
const unaries: readonly Unary[] = ['clz', 'ctz', 'popcnt', 'swap', 'extend8S', 'extend16S']

/** Names that have a form with a constant second operand. */
const IMMEDIATE_BINARIES: readonly Binary[] = ['add', 'and', 'or', 'xor', 'shl', 'shrU', 'shrS', 'rotr']
const IMMEDIATE_COMPARES: readonly Compare[] = ['eq', 'ne', 'ltS', 'ltU']

/** Operands of the IR's operation, by number. */
const A = 0
const B = 1

type Two = Extract<Op, { op: 'binary' | 'compare' }>
const binary = (name: Binary, type: 'i32' | 'i64' = 'i32'): Two => ({ op: 'binary', name, type, a: A, b: B })
const compare = (name: Compare): Two => ({ op: 'compare', name, type: 'i32', a: A, b: B })

const pushTwo = (at: LoopWriter, two: Two): void =>
  at.pure(two, (value) => at.slot(value === A ? 'a' : 'b', two.type === 'i64' ? 'i64' : 'i32'))
const inSlots = (name: string, two: Two): MicroOp =>
  op(name, 'd a b', (at) => at.put('d', () => pushTwo(at, two), two.type === 'i64' ? 'i64' : 'i32'))
const withImmediate = (two: Two): MicroOp =>
  op(`${two.name}.imm`, 'd a b', (at) =>
    at.put('d', () => at.pure(two, (value) => (value === A ? at.slot('a') : at.operand('b')))),
  )

const swap: Op = { op: 'unary', name: 'swap', type: 'i32', a: A }

const arithmetic: MicroOp[] = [
  ...binaries.map((name) => inSlots(name, binary(name))),
  ...IMMEDIATE_BINARIES.map((name) => withImmediate(binary(name))),
  ...compares.map((name) => inSlots(name, compare(name))),
  ...IMMEDIATE_COMPARES.map((name) => withImmediate(compare(name))),
  ...binaries64.map((name) => inSlots(`${name}.64`, binary(name, 'i64'))),
  op('move', 'd a', (at) => at.put('d', () => at.slot('a'))),
  op('move.imm', 'd b', (at) => at.put('d', () => at.operand('b'))),
  op('move.address', 'd b', (at) => at.put('d', () => at.address('b'))),
  op('move.64', 'd a', (at) => at.put('d', () => at.slot('a', 'i64'), 'i64')),
  ...unaries.map((name) =>
    op(name, 'd a', (at) => at.put('d', () => at.pure({ op: 'unary', name, type: 'i32', a: A }, () => at.slot('a')))),
  ),
  op('swap.64', 'd a', (at) => {
    const high = at.temporary()
    at.pure(swap, () => at.slot('a'))
    at.f.set(high)
    at.put('d', () => at.pure(swap, () => at.slot('a', 'i32', 4)))
    at.put('d', () => at.f.get(high), 'i32', 4)
  }),
  op('wrap', 'd a', (at) => at.put('d', () => at.slot('a'))),
  ...(['extendS', 'extendU'] as const).map((name) =>
    op(name, 'd a', (at) => at.put('d', () => at.pure({ op: 'convert', name, a: A }, () => at.slot('a')), 'i64')),
  ),
  ...(['i32', 'i64'] as const).map((type) =>
    op(type === 'i32' ? 'select' : 'select.64', 'd c a b', (at) =>
      at.put(
        'd',
        () => {
          at.operand('a')
          at.operand('b')
          at.slot('c')
          at.f.op('select')
          at.f.memory(`${type}.load`, 0)
        },
        type,
      ),
    ),
  ),
]

const load = (
  name: string,
  width: 8 | 16 | 32 | 64,
  rest: { signed?: boolean; down?: boolean; forWrite?: boolean },
) => {
  const type = width === 64 ? 'i64' : 'i32'
  const { signed = false, forWrite = false } = rest
  const alignment = rest.down === true ? 'down' : 'checked'
  return op(name, 'd a i', (at) =>
    at.put(
      'd',
      () => at.load({ op: 'load', type, width, signed, address: A, displacement: 0, alignment, forWrite }),
      type,
    ),
  )
}
const store = (name: string, width: 8 | 16 | 32 | 64, alignment: 'checked' | 'down' = 'checked') =>
  op(name, 'v a i', (at) => at.store({ op: 'store', width, address: A, displacement: 0, value: B, alignment }))

/** A `forWrite` load that is not done where it stands faults as its store would; else the store itself does. */
const memory: MicroOp[] = [
  load('load8U', 8, {}),
  load('load8S', 8, { signed: true }),
  load('load16U', 16, {}),
  load('load16S', 16, { signed: true }),
  load('load32', 32, {}),
  load('load32.down', 32, { down: true }),
  load('load32.downForWrite', 32, { down: true, forWrite: true }),
  load('load64', 64, {}),
  store('store8', 8),
  store('store16', 16),
  store('store32', 32),
  store('store32.down', 32, 'down'),
  store('store64', 64),
]

const call = (name: string, push: (at: LoopWriter, operand: string) => void): MicroOp =>
  op(name, 'd h a b c e f', (at) => {
    at.operand('h')
    for (const operand of ['a', 'b', 'c', 'e', 'f']) push(at, operand)
    at.callOrTrap('helper')
    at.operand('d')
    at.when(undefined, () => at.put('d', () => at.scratch('slowValue')))
  })

const calls: MicroOp[] = [
  call('call', (at, operand) => at.slot(operand)),
  call('call.imm', (at, operand) => at.operand(operand)),
]

/** `last` of an indirect jump that has gone nowhere yet: no instruction can be there. */
export const NOWHERE = 1

function fault(at: LoopWriter): void {
  at.sync()
  at.operand('code')
  at.call('fault')
  at.leave('trapped')
}

/** Runs translated code, and goes on as it says. */
function runTranslated(at: LoopWriter): void {
  const { f, labels } = at
  const reason = at.temporary()
  at.setPc('pc')
  at.pushPlaceInWords()
  f.get(at.remaining)
  f.get(at.context)
  at.call('dispatch')
  f.set(at.remaining)
  at.scratch('reason')
  f.set(reason)
  const where = (wanted: number, write: () => void) => {
    f.get(reason)
    f.i32(wanted)
    f.op('i32.eq')
    at.when(undefined, write)
  }
  where(Reason.entry, () => {
    at.scratch('entry')
    f.set(at.found)
    f.br(labels.found)
  })
  where(Reason.run, () => at.next())
  where(Reason.missed, () => {
    at.sync()
    at.call('missed')
    f.i32(Reason.interpret)
    f.set(reason)
  })
  where(Reason.interpret, () => {
    // Past what is translated of it: the interpreter must do the instruction at state's PC.
    f.i32(at.bytes)
    f.set(at.past)
    at.next()
  })
  where(Reason.cut, () => at.leave('cut'))
  at.leave('look')
}

/** Addresses are to be added to `base`. `n` instructions, at `pc`; `ip` of the last one begun tells which block runs. */
const flow: MicroOp[] = [
  /** Where a block is entered, before its `block`: counts until it is worth translating. */
  {
    ...op('entry', 'left region pc block', (at) => {
      const { f } = at
      const left = at.temporary()
      f.get(at.ip)
      at.operand('left')
      f.i32(1)
      f.op('i32.sub')
      f.tee(left)
      f.memory('i32.store', at.placeOf('left'))
      f.get(left)
      f.op('i32.eqz')
      at.when(false, () => {
        at.sync()
        at.pushPlaceInWords()
        at.call('hot')
      })
    }),
    onwards: 'fallsThrough',
  },
  op('block', 'n pc', (at) => {
    const { f } = at
    f.get(at.remaining)
    at.operand('n')
    f.op('i32.lt_s')
    at.when(false, () => {
      at.setPc('pc')
      at.leave('cut')
    })
    at.spend('n')
    at.setScratch('block', () => f.get(at.ip))
  }),
  /** In place of `entry`: it leads to `region` (see `ENTRY_REGION`). */
  jump('translated', 'left region pc block', runTranslated),
  /** In place of either: a block whose code was overwritten. Whoever is linked to it looks again. */
  jump('stale', 'left region pc block', (at) => {
    at.setPc('pc')
    at.next()
  }),
  /** Stands for a moment in place of another micro-op, at the start of an instruction (see `InterpretedCpu`). */
  jump('break', '', (at) => {
    at.sync()
    at.call('disarmBreak')
    at.syncBack()
    at.leave('look')
  }),
  op('faultIf', 'c code', (at) => {
    at.slot('c')
    at.when(false, () => fault(at))
  }),
  /** `unspent`: the block's instructions after this one. */
  op('exitIf', 'c unspent link target', (at) => {
    at.slot('c')
    at.when(undefined, () => {
      at.giveBack('unspent')
      at.follow('link', 'target')
    })
  }),
  op('lookIf', 'c unspent target', (at) => {
    at.slot('c')
    at.when(false, () => {
      at.giveBack('unspent')
      at.setPc('target')
      at.leave('look')
    })
  }),
  jump('fault', 'code', fault),
  jump('jump', 'link target', (at) => at.follow('link', 'target')),
  /** `last`: where it went, for the translator to guess from. */
  jump('indirect', 'a last', (at) => {
    const { f } = at
    const target = at.temporary()
    at.slot('a')
    f.set(target)
    f.get(at.ip)
    f.get(target)
    f.memory('i32.store', at.placeOf('last'))
    at.setStatePc(() => f.get(target))
    at.next()
  }),
  jump('look', 'target', (at) => {
    at.setPc('target')
    at.leave('look')
  }),
  jump('lookAtState', '', (at) => at.leave('look')),
  ...compares.map((name) =>
    jump(`branch.${name}`, 'a b takenLink taken link fallThrough', (at) => {
      pushTwo(at, compare(name))
      at.when(undefined, () => at.follow('takenLink', 'taken'))
      at.follow('link', 'fallThrough')
    }),
  ),
]

const singles: readonly MicroOp[] = [...arithmetic, ...memory, ...calls, ...flow]

/** What follows on what most often: of the micro-ops that Debian's boot and some programs have interpreted. */
const PAIRS: readonly (readonly [string, readonly string[]])[] = [
  ['store32', ['store32', 'move', 'move.imm', 'add.imm', 'load32', 'jump', 'branch.eq', 'branch.ne']],
  ['load32', ['load32', 'add.imm', 'move.imm', 'move', 'branch.eq', 'branch.ne', 'add', 'store32', 'jump', 'and.imm']],
  ['move.imm', ['move.imm', 'add.imm', 'store32', 'move', 'load32', 'jump', 'branch.eq', 'branch.ne']],
  ['add.imm', ['move.imm', 'store32', 'jump', 'indirect', 'add.imm', 'load32', 'move', 'and.imm', 'branch.ne']],
  ['move', ['move.imm', 'add.imm', 'jump', 'load32', 'move', 'branch.eq', 'branch.ne', 'store32']],
  ['add', ['load32', 'add', 'store32', 'xor']],
  ['and.imm', ['shl.imm', 'move', 'branch.eq', 'branch.ne']],
  ['shl.imm', ['add', 'sub']],
  ['shrU.imm', ['and.imm']],
]

const singleOpcodes = new Map(singles.map(({ name }, index) => [name, index + 1]))
const single = (name: string): MicroOp => singles[singleOpcodes.get(name)! - 1]!

/**
 * Two micro-ops at one go, which saves finding the second one's action. It stands in place of the first one's opcode; the
 * second stands after it as ever, so that execution can begin there.
 */
const joined: readonly MicroOp[] = PAIRS.flatMap(([first, seconds]) =>
  seconds.map((second) => ({
    ...op(`${first} ${second}`, single(first).operands.join(' '), () => {}),
    joins: [single(first), single(second)] as const,
  })),
)

/** In the order of their opcodes, from 1: 0 is never an opcode. */
export const microOps: readonly MicroOp[] = [...singles, ...joined]

const opcodes = new Map(microOps.map(({ name }, index) => [name, index + 1]))

const ROW = singles.length + 1
const joinedOpcodes = new Uint8Array(ROW * ROW)
for (const { name, joins } of joined) {
  const [first, second] = joins!
  joinedOpcodes[opcodeOf(first.name) * ROW + opcodeOf(second.name)] = opcodeOf(name)
}

/** The opcode of micro-ops `first` and `second` at one go, neither of them such a one; 0: there is none. */
export function joinedOpcode(first: number, second: number): number {
  return joinedOpcodes[first * ROW + second]!
}

/** The opcode of the first of two micro-ops that `opcode` joins; 0: it joins none. */
export function firstJoined(opcode: number): number {
  const joins = microOps[opcode - 1]?.joins
  return joins === undefined ? 0 : opcodeOf(joins[0].name)
}

export function opcodeOf(name: string): number {
  const opcode = opcodes.get(name)
  if (opcode === undefined) throw new Error(`no micro-op ${name}`)
  return opcode
}

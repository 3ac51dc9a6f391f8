/**
 * The hot loop: micro-ops as one WebAssembly function, made from their table. In pseudocode:
 *
 *     (context) -> why it came back; where from and to in scratch words
 *       again: switch (arena[ip])
 *         case a micro-op: its action; ip += its words; go to again
 *       next: found = the code of state's PC, by the jump cache or else by a call; if there is none: return missing
 *         if what was found is in the page of the block under way: arena[link] = found
 *       found: base = what the code at state's PC counts its addresses from; ip = found; go to again
 *
 * One function and one memory: an interpreter in JavaScript was optimised, thrown away and optimised again some five times a
 * boot, and read its micro-ops through inline caches until then.
 */
import { emitFindCode, type FindOptions } from '../find-code.ts'
import type { FunctionBody, Label } from '../wasm/function.ts'
import { encodeModule } from '../wasm/module.ts'
import { BLOCK_PC, ENTRY_PC } from './code-cache.ts'
import { type DirectAccessOptions, directHelper, secondLoad, secondStore } from './direct-access.ts'
import { CALLS, type CallName, callNumber, DIRECT_CALLS, LoopWriter } from './loop-writer.ts'
import { microOps } from './micro-ops.ts'

export interface HotLoopOptions extends FindOptions, DirectAccessOptions {
  memory: WebAssembly.Memory
  /** Of `memory`, in pages of 64 KiB. */
  memoryPages: number
  /** Of the code arena in CPU memory, in bytes. */
  arenaBase: number
  calls: LoopCalls
}

/** As `CALLS` says. */
export interface LoopCalls extends Record<CallName, unknown> {
  dispatch(entry: number, budget: number, context: number): number
  load(address: number, kind: number): 0 | 1
  store(address: number, kind: number, slot: number): 0 | 1
  helper(helper: number, a: number, b: number, c: number, d: number, e: number): 0 | 1
  fault(code: number): void
  hot(entry: number): void
  missed(): void
  next(link: number): number
  disarmBreak(): void
}

/** Runs from `ip` until it has to leave: a value of `Left`. */
export type HotLoop = (context: number) => number

const SIGNATURE = { parameters: ['i32'], results: ['i32'] } as const
const PAGE_MASK = ~0xfff

export function makeHotLoop(options: HotLoopOptions): HotLoop {
  const { memory, memoryPages, calls } = options
  const direct = DIRECT_CALLS.map((name) => {
    const number = callNumber(name)
    const { signature } = CALLS[number]!
    return { name, signature, body: emitDirect(name, options, signature.parameters.length, number) }
  })
  const functions = [...direct, { name: 'hotLoop', signature: SIGNATURE, body: emitHotLoop(options) }]
  const module = new WebAssembly.Module(encodeModule({ memoryPages, imports: CALLS, functions }))
  const { exports } = new WebAssembly.Instance(module, { env: { memory, ...calls } })
  return exports['hotLoop'] as HotLoop
}

function emitDirect(name: (typeof DIRECT_CALLS)[number], options: HotLoopOptions, parameters: number, number: number) {
  if (name === 'load') return secondLoad(number)
  return name === 'store' ? secondStore(options, number) : directHelper(options, parameters, number)
}

function emitHotLoop(options: HotLoopOptions): FunctionBody {
  const writer = new LoopWriter(options)
  const { f } = writer
  writer.scratch('ip')
  f.set(writer.ip)
  writer.syncBack()
  const leave = f.block()
  const again = f.loop()
  const trapped = f.block()
  const found = f.block()
  const next = f.block()
  writer.labels = { again, next, found, trapped, leave }
  emitSwitch(writer)
  f.end(next)
  emitNext(writer, options)
  f.end(found)
  emitFound(writer, options)
  f.end(trapped)
  writer.leave('trapped')
  f.end(again)
  f.op('unreachable')
  f.end(leave)
  writer.sync()
  f.get(writer.why)
  return f
}

function emitSwitch(writer: LoopWriter): void {
  const { f } = writer
  const none = f.block()
  const cases: Label[] = microOps.map(() => f.block()).reverse()
  f.get(writer.ip)
  f.memory('i32.load', writer.places.arenaBase)
  f.brTable([none, ...cases, none])
  for (const [index, microOp] of microOps.entries()) {
    f.end(cases[index]!)
    writer.write(microOp)
  }
  f.end(none)
  f.op('unreachable')
}

function emitNext(writer: LoopWriter, options: HotLoopOptions): void {
  const { f, labels, found, link } = writer
  const missing = f.block()
  emitFindCode(f, options, found, missing)
  f.get(link)
  f.op('i32.eqz')
  f.brIf(labels.found)
  // Only code of one page is linked: what stands behind another page may change.
  writer.scratch('base')
  writer.scratch('block')
  f.memory('i32.load', options.arenaBase + 4 * BLOCK_PC)
  f.op('i32.add')
  f.i32(0)
  f.memory('i32.load', options.pc)
  f.op('i32.xor')
  f.i32(PAGE_MASK)
  f.op('i32.and')
  f.brIf(labels.found)
  f.get(link)
  f.get(found)
  f.i32(2)
  f.op('i32.shl')
  f.memory('i32.store', options.arenaBase)
  f.br(labels.found)
  f.end(missing)
  writer.sync()
  f.get(link)
  writer.call('next')
  f.tee(found)
  f.brIf(labels.found)
  writer.leave('missing')
}

/** ip = found, past as much of it as is asked for; base = state's PC - the block's own */
function emitFound(writer: LoopWriter, options: HotLoopOptions): void {
  const { f, found, ip, past } = writer
  f.get(found)
  f.i32(2)
  f.op('i32.shl')
  f.set(ip)
  writer.setScratch('base', () => {
    f.i32(0)
    f.memory('i32.load', options.pc)
    f.get(ip)
    f.memory('i32.load', options.arenaBase + 4 * ENTRY_PC)
    f.op('i32.sub')
  })
  f.get(ip)
  f.get(past)
  f.op('i32.add')
  f.set(ip)
  f.i32(0)
  f.set(past)
  f.br(writer.labels.again)
}

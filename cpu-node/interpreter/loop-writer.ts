/**
 * What the actions of micro-ops are written with: the hot loop's locals, its ways out, and a micro-op's operands.
 *
 * Slots and places in the code arena are byte offsets, so that a load or store takes them as they are.
 */
import assert from 'node:assert/strict'
import type { Op } from '../ir/ir.ts'
import { SCRATCH } from '../memory.ts'
import type { LookUp } from '../translator/access.ts'
import {
  accessKind,
  emitPlainLoad,
  emitPlainStore,
  pushAddress,
  pushHost,
  pushTagDiffers,
} from '../translator/access.ts'
import type { Load, Store } from '../translator/access-groups.ts'
import { emitPure } from '../translator/values.ts'
import { FunctionBody, type Label, type Local, type ValueType } from '../wasm/function.ts'
import { pushDirectHost, pushIsDirect, pushTakesMoreThanStore } from './direct-access.ts'
import type { MicroOp } from './micro-ops.ts'

/** Why the hot loop came back. */
export const Left = {
  /** The next block has more instructions than are left; state's PC is its first. */
  cut: 0,
  /** There is no code yet at state's PC. */
  missing: 1,
  /** The trap is set, by the micro-op at `ip`. */
  trapped: 2,
  /** Interrupts, mode and limit are to be looked at. */
  look: 3,
} as const

/** What the loop calls, in the order of the module's imports. */
export const CALLS = [
  /** (place of a `translated`, in words; budget, context) -> budget left. */
  { name: 'dispatch', signature: { parameters: ['i32', 'i32', 'i32'], results: ['i32'] } },
  /** (address, kind) -> 1 with the value in `slowValue`, or 0: a trap. */
  { name: 'load', signature: { parameters: ['i32', 'i32'], results: ['i32'] } },
  /** (address, kind, slot of the value) -> 1, or 0: a trap. */
  { name: 'store', signature: { parameters: ['i32', 'i32', 'i32'], results: ['i32'] } },
  /** (number, arguments) -> 1 with what it gives in `slowValue`, or 0: a trap. */
  { name: 'helper', signature: { parameters: ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], results: ['i32'] } },
  /** (code): raises the ISA's trap. */
  { name: 'fault', signature: { parameters: ['i32'], results: [] } },
  /** (place of an `entry`, in words): that block has been entered often. */
  { name: 'hot', signature: { parameters: ['i32'], results: [] } },
  /** Translated code has left the access at state's PC to the interpreter. */
  { name: 'missed', signature: { parameters: [], results: [] } },
  /** (place of a link, in bytes, or 0) -> the code of state's PC, in words, or 0: there is none yet. */
  { name: 'next', signature: { parameters: ['i32'], results: ['i32'] } },
  /** The break at `ip` has done its work. */
  { name: 'disarmBreak', signature: { parameters: [], results: [] } },
] as const

/** Of them, those that the hot loop's module has a function of its own before. */
export const DIRECT_CALLS = ['load', 'store', 'helper'] as const

export type CallName = (typeof CALLS)[number]['name']

/** Its number among the imports. */
export function callNumber(name: CallName): number {
  return CALLS.findIndex((call) => call.name === name)
}

export interface LoopPlaces {
  /** Of the code arena and of the program counter in CPU memory, in bytes. */
  arenaBase: number
  pc: number
  /** As `DirectAccessOptions` has them. */
  direct: number
  flagBase: number
}

/** Where the loop goes on other than at the next micro-op. */
export interface LoopLabels {
  /** At `ip`. */
  again: Label
  /** At state's PC; `link` is where its place may be kept, or 0. */
  next: Label
  /** At the code of state's PC, whose place is in `found`. */
  found: Label
  /** A call has raised a trap. */
  trapped: Label
  /** Out of the loop, for the reason in `why`. */
  leave: Label
}

export class LoopWriter {
  readonly f = new FunctionBody(['i32'])
  readonly context = this.f.parameter(0)
  readonly ip = this.f.local('i32')
  /** Instructions left before the limit and after the block under way. */
  readonly remaining = this.f.local('i32')
  readonly why = this.f.local('i32')
  readonly link = this.f.local('i32')
  readonly found = this.f.local('i32')
  /** Bytes to go past what `found` leads to. */
  readonly past = this.f.local('i32')
  readonly places: LoopPlaces
  labels!: LoopLabels
  readonly #temporaries: Local[] = []
  #used = 0
  #operands: readonly string[] = []
  /** Of the first of two joined micro-ops: whether it may call out. */
  #calls: { noted: boolean } | undefined
  /** It did. */
  readonly #called = this.f.local('i32')
  /** Of the micro-op at hand. */
  bytes = 0

  constructor(places: LoopPlaces) {
    this.places = places
  }

  write(microOp: MicroOp): void {
    if (microOp.joins === undefined) this.#write(microOp)
    else this.#writeBoth(...microOp.joins)
  }

  #writeBoth(first: MicroOp, second: MicroOp): void {
    this.#calls = { noted: false }
    this.#write({ ...first, onwards: 'fallsThrough' })
    const { noted } = this.#calls
    this.#calls = undefined
    if (noted) {
      // What was called may have put a break in place of the second.
      this.f.get(this.#called)
      this.when(false, () => {
        this.f.i32(0)
        this.f.set(this.#called)
        this.f.br(this.labels.again)
      })
    }
    this.#write(second)
  }

  #write({ operands, action, onwards }: MicroOp): void {
    this.#operands = operands
    this.bytes = 4 * (operands.length + 1)
    this.#used = 0
    action(this)
    if (onwards === 'jumps') return
    this.f.get(this.ip)
    this.f.i32(this.bytes)
    this.f.op('i32.add')
    this.f.set(this.ip)
    if (onwards === 'next') this.f.br(this.labels.again)
  }

  /** An i32 for the micro-op at hand. */
  temporary(): Local {
    const index = this.#used++
    this.#temporaries[index] ??= this.f.local('i32')
    return this.#temporaries[index]
  }

  #wordOf(operand: string): number {
    const index = this.#operands.indexOf(operand)
    assert(index >= 0, `the micro-op has an operand ${operand}`)
    return index + 1
  }

  /** Where operand `operand` stands, for a load or store at `ip`. */
  placeOf(operand: string): number {
    return this.places.arenaBase + 4 * this.#wordOf(operand)
  }

  operand(operand: string): void {
    this.f.get(this.ip)
    this.f.memory('i32.load', this.placeOf(operand))
  }

  /** What is in the slot that `operand` names. */
  slot(operand: string, type: 'i32' | 'i64' = 'i32', offset = 0): void {
    this.operand(operand)
    this.f.memory(`${type}.load`, offset)
  }

  /** Puts what `push` pushes into the slot that `operand` names. */
  put(operand: string, push: () => void, type: 'i32' | 'i64' = 'i32', offset = 0): void {
    this.operand(operand)
    push()
    this.f.memory(`${type}.store`, offset)
  }

  pure(op: Op, push: (value: number) => void): void {
    emitPure(this.f, op, push, () => this.temporary())
  }

  /** `base` and the address in `operand`. */
  address(operand: string): void {
    this.scratch('base')
    this.operand(operand)
    this.f.op('i32.add')
  }

  scratch(word: keyof typeof SCRATCH): void {
    this.f.i32(0)
    this.f.memory('i32.load', SCRATCH[word])
  }

  setScratch(word: keyof typeof SCRATCH, push: () => void): void {
    this.f.i32(0)
    push()
    this.f.memory('i32.store', SCRATCH[word])
  }

  /** state's PC = base + the address in `operand` */
  setPc(operand: string): void {
    this.setStatePc(() => this.address(operand))
  }

  setStatePc(push: () => void): void {
    this.f.i32(0)
    push()
    this.f.memory('i32.store', this.places.pc)
  }

  pushPlaceInWords(): void {
    this.f.get(this.ip)
    this.f.i32(2)
    this.f.op('i32.shr_u')
  }

  spend(operand: string): void {
    this.#addToRemaining(operand, 'i32.sub')
  }

  giveBack(operand: string): void {
    this.#addToRemaining(operand, 'i32.add')
  }

  #addToRemaining(operand: string, op: 'i32.add' | 'i32.sub'): void {
    this.f.get(this.remaining)
    this.operand(operand)
    this.f.op(op)
    this.f.set(this.remaining)
  }

  /** The condition is on the stack. */
  when(likely: boolean | undefined, write: () => void): void {
    const label = this.f.if(undefined, likely)
    write()
    this.f.end(label)
  }

  leave(why: keyof typeof Left): void {
    this.f.i32(Left[why])
    this.f.set(this.why)
    this.f.br(this.labels.leave)
  }

  /** Goes on where the link in `link` leads; if that is nowhere yet, at base + the address in `target`. */
  follow(link: string, target: string): void {
    const { f } = this
    const place = this.temporary()
    this.operand(link)
    f.tee(place)
    const linked = f.if(undefined, true)
    f.get(place)
    f.set(this.ip)
    f.br(this.labels.again)
    f.end(linked)
    this.setPc(target)
    this.next(link)
  }

  /** Goes on at state's PC. `link`: the operand that may lead there from now on. */
  next(link?: string): void {
    const { f } = this
    if (link === undefined) f.i32(0)
    else {
      f.get(this.ip)
      f.i32(4 * this.#wordOf(link))
      f.op('i32.add')
    }
    f.set(this.link)
    f.br(this.labels.next)
  }

  /** Lets who is called know where the loop is. */
  sync(): void {
    this.setScratch('ip', () => this.f.get(this.ip))
    this.setScratch('remaining', () => this.f.get(this.remaining))
  }

  /** `remaining` may have been changed meanwhile. */
  syncBack(): void {
    this.scratch('remaining')
    this.f.set(this.remaining)
  }

  call(name: CallName): void {
    const direct = (DIRECT_CALLS as readonly CallName[]).indexOf(name)
    // They stand behind the imports.
    this.f.call(direct >= 0 ? CALLS.length + direct : callNumber(name))
  }

  /** A call that may raise a trap; its arguments are on the stack. */
  callOrTrap(name: CallName): void {
    this.sync()
    this.call(name)
    this.syncBack()
    this.f.op('i32.eqz')
    this.f.brIf(this.labels.trapped, false)
    if (this.#calls === undefined) return
    this.#calls.noted = true
    this.f.i32(1)
    this.f.set(this.#called)
  }

  /**
   * address = slot + displacement; in RAM that is direct, or if the tag of its page fits, the byte is at address + addend;
   * else the slow path.
   */
  load(op: Load): void {
    const { f } = this
    const site = this.#lookUp()
    const { address, wanted } = pushAddress(site, op)
    pushIsDirect(f, address, this.places.direct, alignmentBits(op))
    const direct = f.if(op.type)
    pushDirectHost(f, address)
    emitPlainLoad(f, op, 0)
    f.else()
    f.get(address)
    const entry = pushTagDiffers(site, op, false, address)
    const miss = f.if(op.type, false)
    f.get(wanted)
    f.i32(accessKind(op))
    this.callOrTrap('load')
    f.i32(0)
    emitPlainLoad(f, op, SCRATCH.slowValue)
    f.else()
    pushHost(f, address, entry)
    emitPlainLoad(f, op, 0)
    f.end(miss)
    f.end(direct)
  }

  store(op: Store): void {
    const { f } = this
    const site = this.#lookUp()
    const { address, wanted } = pushAddress(site, op)
    const isDirect = this.temporary()
    pushIsDirect(f, address, this.places.direct, alignmentBits(op))
    f.set(isDirect)
    const done = f.block()
    const slow = f.block()
    f.get(isDirect)
    const direct = f.if()
    const byte = this.temporary()
    pushDirectHost(f, address)
    f.set(byte)
    pushTakesMoreThanStore(f, byte, this.places.flagBase)
    f.brIf(slow, false)
    f.get(byte)
    this.slot('v', op.width === 64 ? 'i64' : 'i32')
    emitPlainStore(f, op, 0)
    f.br(done)
    f.end(direct)
    f.get(address)
    const entry = pushTagDiffers(site, op, true, address)
    f.brIf(slow, false)
    pushHost(f, address, entry)
    this.slot('v', op.width === 64 ? 'i64' : 'i32')
    emitPlainStore(f, op, 0)
    f.br(done)
    f.end(slow)
    f.get(wanted)
    f.i32(accessKind(op))
    this.operand('v')
    this.callOrTrap('store')
    f.end(done)
  }

  #lookUp(): LookUp {
    return {
      f: this.f,
      context: this.context,
      local: (type: ValueType) => {
        assert(type === 'i32')
        return this.temporary()
      },
      pushAddress: () => {
        this.slot('a')
        this.operand('i')
        this.f.op('i32.add')
      },
    }
  }
}

/** What must be 0 of an address. */
function alignmentBits(op: Load | Store): number {
  return op.alignment === 'down' ? 0 : op.width / 8 - 1
}

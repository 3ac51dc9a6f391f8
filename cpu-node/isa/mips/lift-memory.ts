/** Loads, stores and what goes with them. */
import type { Value, Width } from '../../ir/ir.ts'
import type { Field } from '../encoding.ts'
import { fd, fs, ft, rs, rt } from './fields.ts'
import { Helper } from './helpers.ts'
import { getDouble, isDouble, putDouble, reserved } from './lift-fpu.ts'
import type { Lifter, Lifting } from './lifting.ts'
import { fpr } from './state.ts'

/** Memory holds the guest's byte order, the IR's loads and stores the host's (little endian). */
function inGuestOrder(at: Lifting, width: Width, value: Value): Value {
  if (!at.bigEndian || width === 8) return value
  if (width === 64) return at.b.unary('swap', value, 'i64')
  const swapped = at.b.unary('swap', value)
  return width === 16 ? at.b.binary('shrU', swapped, at.b.const(16)) : swapped
}

const load =
  (width: 8 | 16 | 32, signed: boolean): Lifter =>
  (at) => {
    const swap = at.bigEndian && width !== 8
    const loaded = at.b.load(width, at.reg(rs), at.immediate, { signed: signed && !swap })
    const value = inGuestOrder(at, width, loaded)
    at.putReg(rt, swap && signed && width === 16 ? at.b.unary('extend16S', value) : value)
  }

const store =
  (width: 8 | 16 | 32): Lifter =>
  (at) =>
    at.b.store(width, at.reg(rs), at.immediate, inGuestOrder(at, width, at.reg(rt)))

/** The word around an unaligned address, and how far its wanted bytes are from the word's top and bottom, in bits. */
function around(at: Lifting, forWrite: boolean): { word: Value; below: Value; above: Value } {
  const { b } = at
  const base = at.reg(rs)
  const loaded = b.load(32, base, at.immediate, { alignment: 'down', forWrite })
  const byte = b.binary('and', b.binary('add', base, b.const(at.immediate)), b.const(3))
  const bits = b.binary('shl', byte, b.const(3))
  const rest = b.binary('sub', b.const(24), bits)
  const word = inGuestOrder(at, 32, loaded)
  return at.bigEndian ? { word, below: rest, above: bits } : { word, below: bits, above: rest }
}

/** LWL: the bytes from the word's low end up to the address become the top of the register. */
const lwl: Lifter = (at) => {
  const { b } = at
  const { word, below, above } = around(at, false)
  // `above` bits are missing below: they stay from the register. 0x00ffffff >> below has just those bits.
  const kept = b.binary('and', at.reg(rt), b.binary('shrU', b.const(0x00ff_ffff), below))
  at.putReg(rt, b.binary('or', b.binary('shl', word, above), kept))
}

/** LWR: the bytes from the address up to the word's high end become the bottom of the register. */
const lwr: Lifter = (at) => {
  const { b } = at
  const { word, below, above } = around(at, false)
  const kept = b.binary('and', at.reg(rt), b.binary('shl', b.const(-0x100), above))
  at.putReg(rt, b.binary('or', b.binary('shrU', word, below), kept))
}

function storePart(at: Lifting, part: 'left' | 'right'): void {
  const { b } = at
  const { word, below, above } = around(at, true)
  const register = at.reg(rt)
  const [shifted, keptMask] =
    part === 'left'
      ? [b.binary('shrU', register, above), b.binary('shl', b.const(-0x100), below)]
      : [b.binary('shl', register, below), b.binary('shrU', b.const(0x00ff_ffff), above)]
  const merged = b.binary('or', shifted, b.binary('and', word, keptMask))
  b.store(32, at.reg(rs), at.immediate, inGuestOrder(at, 32, merged), 'down')
}

function address(at: Lifting): Value {
  return at.b.binary('add', at.reg(rs), at.b.const(at.immediate))
}

function indexed(at: Lifting): Value {
  return at.b.binary('add', at.reg(rs), at.reg(rt))
}

function loadSingle(at: Lifting, field: Field, base: Value, displacement: number): void {
  at.needCop1()
  at.b.put(fpr(at.field(field)), inGuestOrder(at, 32, at.b.load(32, base, displacement)))
}

function storeSingle(at: Lifting, field: Field, base: Value, displacement: number): void {
  at.needCop1()
  at.b.store(32, base, displacement, inGuestOrder(at, 32, at.b.get(fpr(at.field(field)))))
}

function loadDouble(at: Lifting, field: Field, base: Value, displacement: number): void {
  putDouble(at, field, inGuestOrder(at, 64, at.b.load(64, base, displacement, { type: 'i64' })))
}

function storeDouble(at: Lifting, field: Field, base: Value, displacement: number): void {
  at.b.store(64, base, displacement, inGuestOrder(at, 64, getDouble(at, field)))
}

/** With Status.FR = 0 an odd register has no double. The manual leaves open what happens; as in QEMU, it is reserved. */
const indexedDouble =
  (field: Field, transfer: typeof loadDouble, address: (at: Lifting) => Value): Lifter =>
  (at) => {
    at.needCop1()
    if (!isDouble(at, field)) return reserved
    transfer(at, field, address(at), 0)
  }

/** LUXC1 and SUXC1 drop the low three bits of the address. */
const unalignedIndexed = (at: Lifting): Value => at.b.binary('and', indexed(at), at.b.const(-8))

export const memory = {
  lb: load(8, true),
  lbu: load(8, false),
  lh: load(16, true),
  lhu: load(16, false),
  lw: load(32, false),
  lwl,
  lwr,
  sb: store(8),
  sh: store(16),
  sw: store(32),
  swl: (at) => storePart(at, 'left'),
  swr: (at) => storePart(at, 'right'),
  ll: (at) => at.putReg(rt, at.b.call(Helper.loadLinked, [address(at)], 'i32')),
  sc: (at) => at.putReg(rt, at.b.call(Helper.storeConditional, [address(at), at.reg(rt)], 'i32')),
  lwc1: (at) => loadSingle(at, ft, at.reg(rs), at.immediate),
  swc1: (at) => storeSingle(at, ft, at.reg(rs), at.immediate),
  ldc1(at) {
    at.needCop1()
    loadDouble(at, ft, at.reg(rs), at.immediate)
  },
  sdc1(at) {
    at.needCop1()
    storeDouble(at, ft, at.reg(rs), at.immediate)
  },
  lwxc1: (at) => loadSingle(at, fd, indexed(at), 0),
  swxc1: (at) => storeSingle(at, fs, indexed(at), 0),
  ldxc1: indexedDouble(fd, loadDouble, indexed),
  sdxc1: indexedDouble(fs, storeDouble, indexed),
  luxc1: indexedDouble(fd, loadDouble, unalignedIndexed),
  suxc1: indexedDouble(fs, storeDouble, unalignedIndexed),
  // Caches are not modelled, memory is always coherent: these have nothing to do but be allowed.
  cache: (at) => at.needCop0(),
  pref() {},
  prefx: (at) => at.needCop1(),
  sync() {},
  synci() {},
} satisfies Record<string, Lifter>

/** Loads and stores: every alignment, every kind of address, and the instructions that go with them. */
import type { Mnemonic } from '../isa/mips/encodings.ts'
import { word } from './assembler.ts'
import { type CaseList, STATUS_FR, STATUS_KERNEL } from './case-list.ts'
import { DATA_BYTES } from './harness.ts'

const BASED: readonly Mnemonic[] = [
  ...(['lb', 'lh', 'lwl', 'lw', 'lbu', 'lhu', 'lwr', 'sb', 'sh', 'swl', 'sw', 'swr', 'll', 'sc'] as const),
  ...(['lwc1', 'ldc1', 'swc1', 'sdc1', 'pref', 'synci'] as const),
]
const INDEXED: readonly Mnemonic[] = ['lwxc1', 'ldxc1', 'swxc1', 'sdxc1', 'luxc1', 'suxc1', 'prefx']
/** With FR=0, doubles are in even registers; `luxc1` and `suxc1` need FR=1. */
const DOUBLES = new Set<Mnemonic>(['ldc1', 'sdc1', 'ldxc1', 'sdxc1', 'luxc1', 'suxc1'])
const NEEDS_FR = new Set<Mnemonic>(['luxc1', 'suxc1'])
const SIZES: Partial<Record<Mnemonic, number>> = {
  ...{ lb: 1, lbu: 1, sb: 1, lwl: 1, lwr: 1, swl: 1, swr: 1, lh: 2, lhu: 2, sh: 2, luxc1: 1, suxc1: 1 },
  ...{ ldc1: 8, sdc1: 8, ldxc1: 8, sdxc1: 8 },
}

/** An address for an access of `size` bytes: mostly aligned and in the data, sometimes not either. */
function address(list: CaseList, size: number): number {
  const { source } = list
  const choice = source.below(20)
  if (choice === 0) return 0x00001000 + size * source.below(0x1000)
  if (choice === 1) return 0xc0000000 + size * source.below(0x1000)
  if (choice === 2) return 0x7ffffff8 + source.below(8)
  const inData = list.data + size * source.below((DATA_BYTES - 8) / size)
  if (choice === 3) return inData + 0x20000000
  return choice < 7 ? inData + source.below(8) : inData
}

function floatRegister(list: CaseList, mnemonic: Mnemonic, wide: boolean): number {
  const register = list.source.below(32)
  return DOUBLES.has(mnemonic) && !wide ? register & ~1 : register
}

function addBased(list: CaseList, mnemonic: Mnemonic, wide: boolean): void {
  const { source } = list
  const s = 1 + source.below(31)
  const i = source.oneIn(3) ? 0 : source.word() & 0xffff
  const given: Record<string, number> = { s, i }
  if (mnemonic.endsWith('c1')) given['T'] = floatRegister(list, mnemonic, wide)
  const { word: access, name } = list.instruction(mnemonic, given)
  const base = (address(list, SIZES[mnemonic] ?? 4) - ((i << 16) >> 16)) | 0
  const status = STATUS_KERNEL | (wide ? STATUS_FR : 0)
  list.add(mnemonic, name, [access], { gpr: { [s]: base }, status, clearTlb: true })
}

function addIndexed(list: CaseList, mnemonic: Mnemonic, wide: boolean): void {
  const { source } = list
  const s = 1 + source.below(31)
  const t = 1 + ((s + source.below(30)) % 31)
  const register = floatRegister(list, mnemonic, wide)
  const given: Record<string, number> = { s, t }
  if (mnemonic !== 'prefx') given[mnemonic.startsWith('l') ? 'D' : 'S'] = register
  const { word: access, name } = list.instruction(mnemonic, given)
  const index = source.oneIn(2) ? source.below(64) * 4 : source.word()
  const base = (address(list, SIZES[mnemonic] ?? 4) - index) | 0
  const status = STATUS_KERNEL | (wide ? STATUS_FR : 0)
  list.add(mnemonic, name, [access], { gpr: { [s]: base, [t]: index }, status, clearTlb: true })
}

/** `ll` and `sc` in sequence, with and without something between that makes the store fail. */
function addLinked(list: CaseList): void {
  const [base, loaded, stored] = [4, 5, 6]
  const linked = word('ll', { s: base, t: loaded, i: 0 })
  const conditional = word('sc', { s: base, t: stored, i: 0 })
  const other = word('sc', { s: base, t: 7, i: 16 })
  const plain = word('sw', { s: base, t: loaded, i: 0 })
  const sequences = [[linked, conditional], [conditional], [linked, conditional, other], [linked, 0, 0, conditional]]
  sequences.push([linked, word('addiu', { s: loaded, t: stored, i: 1 }), conditional])
  sequences.push([linked, word('mfc0', { t: 8, d: 17 }), conditional, word('mfc0', { t: 9, d: 17 })])
  sequences.push([linked, plain, conditional])
  for (const sequence of sequences) {
    list.add('ll', `ll/sc of ${sequence.length}`, sequence, { gpr: { [base]: list.data + 4 * list.source.below(8) } })
  }
}

/** The cache operations that hit addresses, which Linux uses; none may change what memory holds. */
function addCache(list: CaseList): void {
  for (const operation of [0x10, 0x11, 0x15, 0x19, 0x00, 0x01, 0x1c]) {
    const { word: cache, name } = list.instruction('cache', { s: 4, p: operation, i: 0 })
    list.add('cache', name, [cache, word('lw', { s: 4, t: 5, i: 0 })], { gpr: { 4: list.data } })
  }
}

export function addMemoryCases(list: CaseList, casesPerEncoding: number): void {
  for (const mnemonic of BASED) {
    for (let count = 0; count < casesPerEncoding; count++) addBased(list, mnemonic, false)
  }
  for (const mnemonic of INDEXED) {
    if (NEEDS_FR.has(mnemonic)) continue
    for (let count = 0; count < casesPerEncoding; count++) addIndexed(list, mnemonic, false)
  }
  addLinked(list)
  addCache(list)
}

/** Coprocessor 1's with 32 double registers, Status.FR set. */
export function addWideMemoryCases(list: CaseList, casesPerEncoding: number): void {
  for (const mnemonic of BASED) {
    if (!mnemonic.endsWith('c1')) continue
    for (let count = 0; count < casesPerEncoding; count++) addBased(list, mnemonic, true)
  }
  for (const mnemonic of INDEXED) {
    for (let count = 0; count < casesPerEncoding; count++) addIndexed(list, mnemonic, true)
  }
}

/** Loads and stores that translated code does not do where they stand, against the interpreter. */
import t from 'tap'
import type { Mnemonic } from '../isa/mips/encodings.ts'
import { type Assembler, word } from '../oracle/assembler.ts'
import { CODE_BASE, testMachine } from '../test-machine.ts'

const [A0, A1, T0, T1, T2, T3] = [4, 5, 8, 9, 10, 11]
const F12 = 12
const HEATS = [1, 5]
const END = 2000

function outcome(program: (at: Assembler) => unknown, endian: 'little' | 'big', hotEntries: number) {
  const { runTo, cpu, gpr } = testMachine(program, { endian, hotEntries })
  const bytes = Uint8Array.from({ length: 64 }, (_, index) => 0x71 + 0x3b * index)
  cpu.writeBacking(0x4000, bytes)
  runTo(END)
  return { registers: cpu.hashRegisters(), memory: cpu.hashMemory(), sum: gpr(T3) }
}

const LOADS: readonly Mnemonic[] = ['lb', 'lbu', 'lh', 'lhu', 'lw', 'lwl', 'lwr', 'll', 'ldc1', 'lwc1']
const STORES: readonly Mnemonic[] = ['sb', 'sh', 'sw', 'swl', 'swr', 'sdc1', 'swc1']

/** Kernel code looks at its window of RAM alone, so that a page of the TLB is always the slow way. */
function mappedPage(at: Assembler): void {
  at.emit('addiu', { t: A0, i: 0x4000 }).emit('mtc0', { t: A0, d: 10 })
  at.emit('addiu', { t: T0, i: (4 << 6) | 6 }).emit('mtc0', { t: T0, d: 2 })
  at.emit('mtc0', { t: 0, d: 3 }).emit('tlbwi')
}

for (const endian of ['little', 'big'] as const) {
  t.test(`every width by way of the soft TLB, ${endian} endian`, async (t) => {
    for (const access of [...LOADS, ...STORES]) {
      for (const place of [0, 24]) {
        const program = (at: Assembler) => {
          mappedPage(at)
          const register = access.endsWith('c1') ? { T: F12 } : { t: T1 }
          at.label('loop')
            .emit('mtc1', { t: T1, S: F12 })
            .emit(access, { s: A0, i: place, ...register })
          at.emit('addu', { s: T3, t: T1, d: T3 }).emit('mfc1', { t: T2, S: F12 }).emit('xor', { s: T3, t: T2, d: T3 })
          at.branch('beq', {}, 'loop').emit('addiu', { s: T1, t: T1, i: 0x2b3 })
        }
        const interpreted = outcome(program, endian, 0)
        for (const heat of HEATS)
          t.same(outcome(program, endian, heat), interpreted, `${access} ${place}, heat ${heat}`)
      }
    }
  })

  t.test(`a store to the code's page is done, one to code is noticed, ${endian} endian`, async (t) => {
    for (const store of ['sw', 'sh', 'sb'] as const) {
      const half = endian === 'little' ? 0 : 2
      const byte = endian === 'little' ? 0 : 3
      const place = { sw: 0, sh: half, sb: byte }[store]
      const program = (at: Assembler) => {
        at.constant(A0, CODE_BASE + 0x800).constant(T0, word('addiu', { s: T3, t: T3, i: 100 }))
        at.label('here').constant(A1, CODE_BASE + 4 * (4 + 2))
        at.label('loop').emit('addiu', { s: T3, t: T3, i: 1 }).emit(store, { s: A0, t: T0, i: place })
        // At the 100th time round the first instruction of the loop is written.
        at.emit('addiu', { s: T2, t: T2, i: 1 }).emit('slti', { s: T2, t: T1, i: 100 })
        at.branch('beq', {}, 'loop').emit('movz', { s: A1, t: T1, d: A0 })
      }
      for (const heat of [0, ...HEATS]) {
        const { sum } = outcome(program, endian, heat)
        const rounds = Math.ceil((END - 6) / 6)
        t.equal(sum, 101 + 100 * (rounds - 101), `${store}, heat ${heat}`)
      }
    }
  })
}

t.test('the window of RAM ends where RAM does, whatever its size', async (t) => {
  for (const ramBytes of [0x8_0000, 0x6_3000]) {
    for (const access of LOADS) {
      // Word after word up to the last of RAM, then its bytes unaligned, and past the end: the handler goes on after each.
      const program = (at: Assembler) => {
        const register = access.endsWith('c1') ? { T: F12 } : { t: T1 }
        at.constant(A0, 0x8000_0000 + ramBytes - 24).label('loop')
        at.emit(access, { s: A0, i: 0, ...register }).emit('mfc1', { t: T2, S: F12 })
        at.emit('addu', { s: T3, t: T1, d: T3 }).emit('xor', { s: T3, t: T2, d: T3 })
        at.branch('beq', {}, 'loop').emit('addiu', { s: A0, t: A0, i: 1 })
      }
      const handler = (at: Assembler) => {
        at.emit('mfc0', { t: 27, d: 14 }).emit('addiu', { s: 27, t: 27, i: 4 }).emit('mtc0', { t: 27, d: 14 })
        at.emit('addiu', { s: T3, t: T3, i: 7 }).emit('eret').nop()
      }
      const run = (hotEntries: number) => {
        const { runTo, cpu } = testMachine(program, { ramBytes, handler, hotEntries })
        cpu.writeBacking(
          ramBytes - 32,
          Uint8Array.from({ length: 32 }, (_, index) => 0x71 + 0x3b * index),
        )
        runTo(500)
        return cpu.hashRegisters()
      }
      const interpreted = run(0)
      for (const heat of HEATS) t.equal(run(heat), interpreted, `${access}, ${ramBytes} bytes, heat ${heat}`)
    }
  }
})

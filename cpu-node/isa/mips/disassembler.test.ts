import t from 'tap'
import { encode } from '../encoding.ts'
import { disassemble } from './disassembler.ts'
import { encodings } from './encodings.ts'

const cases: readonly [word: number, pc: number, text: string][] = [
  [0x0000_0000, 0, 'nop'],
  [0x27bd_ffe0, 0, 'addiu sp, sp, -32'],
  [0x3c08_dead, 0, 'lui t0, 0xdead'],
  [0x0009_40c0, 0, 'sll t0, t1, 3'],
  [0x1500_fffe, 0x8000_1000, 'bne t0, zero, 0x80000ffc'],
  [0x0c00_0100, 0x8000_0000, 'jal 0x80000400'],
  [0x8fbf_001c, 0, 'lw ra, 28(sp)'],
  [0x4088_6000, 0, 'mtc0 t0, Status'],
  [0x4008_c800, 0, 'mfc0 t0, $25, 0'],
  [0x7c03_e83b, 0, 'rdhwr v1, $29'],
  [0x7d0a_2c80, 0, 'ext t2, t0, 18, 6'],
  [0x7ce6_3904, 0, 'ins a2, a3, 4, 4'],
  [0xbc95_0000, 0, 'cache 0x15, 0(a0)'],
  [0x4600_a006, 0, 'mov.s f0, f20'],
  [0x4620_1032, 0, 'c.eq.d fcc0, f2, f0'],
  [0x4c85_0021 | (3 << 11), 0, 'madd.d f0, f4, f3, f5'],
  [0x44c8_f800, 0, 'ctc1 t0, $31'],
  [0x4200_0018, 0, 'eret'],
  [0x0000_000c, 0, 'syscall 0x0'],
  [0xffff_ffff, 0, '.word 0xffffffff'],
]

t.test('known words', async (t) => {
  for (const [word, pc, text] of cases) t.equal(disassemble(word, pc), text)
})

t.test('every encoding has text, with nothing of its row left unfilled', async (t) => {
  for (const row of encodings) {
    const text = disassemble(encode(row, Object.fromEntries(Object.keys(row.fields).map((letter) => [letter, 1]))), 0)
    t.match(text, new RegExp(`^${row.mnemonic.replace('cond', 'un').replaceAll('.', '\\.')}( |$)`))
    t.notMatch(text, /undefined|\b[A-Z]\b/)
  }
})

import t from 'tap'
import { Decoder } from './decoder.ts'
import { encode, encoding } from './encoding.ts'
import { encodings } from './mips/encodings.ts'

const decoder = new Decoder(encodings)

t.test('every encoding is found from its own words, whatever its fields hold', async (t) => {
  for (const row of encodings) {
    const ones = Object.fromEntries(Object.keys(row.fields).map((letter) => [letter, -1]))
    t.equal(decoder.decode(encode(row, {}))?.mnemonic, row.mnemonic, `${row.mnemonic} with zeros`)
    t.equal(decoder.decode(encode(row, ones))?.mnemonic, row.mnemonic, `${row.mnemonic} with ones`)
  }
})

t.test('no word has two encodings', async (t) => {
  for (const [index, row] of encodings.entries()) {
    for (const other of encodings.slice(index + 1)) {
      const common = row.mask & other.mask
      t.not((row.match & common) >>> 0, (other.match & common) >>> 0, `${row.mnemonic} and ${other.mnemonic}`)
    }
  }
})

t.test('a reserved word has none', async (t) => {
  t.equal(decoder.decode(0xffff_ffff), undefined)
  t.equal(decoder.decode(0x7000_003f), undefined, 'SDBBP: there is no EJTAG')
})

t.test('a pattern that does not have 32 bits is refused', async (t) => {
  t.throws(() => encoding(['short', '0101', ''], 'nowhere'), { message: 'short: a pattern has 32 bits, this one 4' })
})

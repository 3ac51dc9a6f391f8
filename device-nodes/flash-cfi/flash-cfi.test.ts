import t from 'tap'
import { DeviceBench } from '../../bus/testing.ts'
import { FLASH_BYTES, flashCfi } from './flash-cfi.ts'

const BASE = 0x1e000000
const BLOCK = 0x20000

function bench(endian: 'little' | 'big' = 'little') {
  const flash = new DeviceBench(flashCfi, { base: BASE, endian })
  flash.ownMemory.get(0)!.fill(0xff)
  const both = (offset: number, value: number) => flash.write(0, offset, value * 0x10001, 4)
  return { flash, both, contents: flash.ownMemory.get(0)! }
}

t.test('it is ROM until a command changes what it reads', async (t) => {
  const { flash, both } = bench()
  t.match(flash.maps, [{ region: 0, space: 'memory', base: BASE, length: FLASH_BYTES, mode: 'rom' }])
  both(0, 0x70)
  t.match(flash.maps[1], { mode: 'registers' })
  t.equal(flash.read(0, 0x123454, 4), 0x00800080)
  both(0, 0xff)
  t.match(flash.maps[2], { mode: 'rom' })
})

t.test('query as Linux probes for it', async (t) => {
  const { flash, both } = bench()
  both(0x55 * 4, 0x98)
  const query = (word: number) => flash.read(0, 4 * word, 4)
  t.same([0x10, 0x11, 0x12].map(query), [0x00510051, 0x00520052, 0x00590059])
  t.equal(query(0x13), 0x00010001, 'Intel extended command set')
  t.equal(2 ** (query(0x27) & 0xff), FLASH_BYTES / 2)
  t.equal(((query(0x2d) & 0xff) + 1) * (query(0x30) & 0xff) * 256 * 256, FLASH_BYTES / 2, 'blocks make up the chip')
  both(0, 0x90)
  t.same([flash.read(0, 0, 2), flash.read(0, 4, 2)], [0x0089, 0x00d0])
})

t.test('programming clears bits, erasing sets a block', async (t) => {
  const { flash, both, contents } = bench()
  both(BLOCK, 0x40)
  flash.write(0, BLOCK, 0x12345678, 4)
  t.equal(flash.read(0, 0, 4), 0x00800080)
  both(BLOCK, 0x10)
  flash.write(0, BLOCK, 0xffff00ff, 4)
  t.same([...contents.subarray(BLOCK, BLOCK + 4)], [0x78, 0x00, 0x34, 0x12])
  both(0, 0xff)
  t.equal(flash.maps.at(-1)?.mode, 'rom')
  contents[0] = 0
  both(BLOCK + 0x100, 0x20)
  both(BLOCK + 0x100, 0xd0)
  t.same([...contents.subarray(BLOCK, BLOCK + 4)], [0xff, 0xff, 0xff, 0xff])
  t.equal(contents[0], 0, 'another block stays')
})

t.test('each chip obeys its own half', async (t) => {
  const { flash, contents } = bench()
  contents.set([1, 2, 3, 4])
  flash.write(0, 2, 0x90, 2)
  t.equal(flash.maps.at(-1)?.mode, 'registers')
  t.equal(flash.read(0, 0, 4), 0x00890201)
  t.equal(flash.read(0, 2, 1), 0x89)
  flash.write(0, 3, 0xff, 1)
  t.equal(flash.read(0, 2, 1), 0x89, 'a byte on D8 to D15 is no command')
  flash.write(0, 2, 0xff, 1)
  t.equal(flash.maps.at(-1)?.mode, 'rom')
})

t.test('a big-endian board has D0 to D7 in the odd bytes', async (t) => {
  const { flash, contents } = bench('big')
  flash.write(0, 0, 0x90009000, 4)
  t.equal(flash.read(0, 0, 4), 0x89008900)
  flash.write(0, 0, 0x40004000, 4)
  flash.write(0, 0, 0x78563412, 4)
  t.same([...contents.subarray(0, 4)], [0x12, 0x34, 0x56, 0x78])
})

t.test('write to buffer', async (t) => {
  const { flash, both, contents } = bench()
  both(0, 0xe8)
  t.equal(flash.read(0, 0, 4), 0x00800080)
  both(0, 1)
  flash.write(0, 8, 0x03020100, 4)
  flash.write(0, 12, 0x07060504, 4)
  t.equal(contents[8], 0xff, 'nothing before the confirmation')
  both(0, 0xd0)
  t.same([...contents.subarray(8, 16)], [0, 1, 2, 3, 4, 5, 6, 7])
})

t.test('locked blocks refuse, wrong sequences are errors', async (t) => {
  const { flash, both, contents } = bench()
  both(0, 0x60)
  both(0, 0x01)
  both(0, 0x20)
  both(0, 0xd0)
  t.equal(flash.read(0, 0, 4), 0x00a200a2)
  both(0, 0x50)
  both(0, 0x40)
  both(0, 0)
  t.equal(flash.read(0, 0, 4), 0x00920092)
  t.equal(contents[0], 0xff)
  both(0, 0x90)
  t.equal(flash.read(0, 8, 4), 0x00010001, 'block status')
  both(0, 0x60)
  both(0, 0xd0)
  both(0, 0x50)
  both(0, 0x20)
  both(0, 0x20)
  t.equal(flash.read(0, 0, 4), 0x00b000b0)
  both(0, 0x33)
  t.equal(flash.unhandled.length, 2)
})

t.test('state makes a round trip in the middle of a command', async (t) => {
  const { flash, both } = bench()
  both(0, 0x60)
  both(0, 0x01)
  both(0, 0xe8)
  both(0, 1)
  both(8, 0x77)
  const copy = new DeviceBench(flashCfi, { base: BASE, endian: 'little' }, {}, flash.save())
  t.same(copy.save(), flash.save())
  copy.ownMemory.get(0)!.fill(0xff)
  copy.write(0, BLOCK, 0x00110011, 4)
  copy.write(0, BLOCK, 0x00d000d0, 4)
  t.equal(copy.ownMemory.get(0)![BLOCK], 0xff, 'the first word is in a locked block')
  t.equal(copy.read(0, 0, 4), 0x00920092)
})

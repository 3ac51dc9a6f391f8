import t from 'tap'
import { DeviceBench } from '../../bus/testing.ts'
import type { AccessRequest } from '../sdk/mod.ts'
import { type Gt64120Properties, gt64120 } from './gt64120.ts'

const CAUSE = 0xc18
const DATA = 0xcfc

/** A GT with one card at device 10, whose reads give 0x11223344, and a PIC that acknowledges with vector 0x21. */
function bench(endian: 'little' | 'big' = 'little') {
  const accesses: AccessRequest[] = []
  const properties: Gt64120Properties = {
    endian,
    slots: { [10 << 3]: { node: 'card', region: 3 } },
    interruptAcknowledge: { node: 'pic0', region: 2 },
  }
  const gt = new DeviceBench(gt64120, properties, {
    onAccess(request) {
      accesses.push(request)
      return request.dst === 'pic0' ? 0x21 : 0x11223344
    },
  })
  const read = (offset: number, index?: number) => gt.read('registers', offset, 4, index)
  const write = (offset: number, value: number, index?: number) => gt.write('registers', offset, value, 4, index)
  return { gt, accesses, read, write }
}

/** A configuration address. */
const address = (device: number, fn: number, register: number, bus = 0) =>
  (0x80000000 | (bus << 16) | (device << 11) | (fn << 8) | register) >>> 0

t.test('reset maps registers and windows as the datasheet says', async (t) => {
  const { gt } = bench()
  t.match(gt.maps, [
    { region: 0, space: 'memory', base: 0x14000000, length: 0x1000, mode: 'registers' },
    { region: 1, base: 0x10000000, length: 0x2000000, offset: 0x10000000 },
    { region: 2, base: 0x12000000, length: 0x2000000, offset: 0x12000000 },
    { region: 3, base: 0xf2000000, length: 0x2000000, offset: 0xf2000000 },
  ])
})

t.test('registers move, windows open, close and are remapped', async (t) => {
  const { gt, write, read } = bench()
  const last = () => gt.maps.at(-1)
  write(0x068, 0xdf)
  t.match(last(), { region: 0, base: 0x1be00000 })
  write(0x048, 0xc0)
  t.match(last(), { region: 1, mode: 'off' }, 'a high boundary below the low one closes the window')
  t.equal(read(0x0f0), 0xc0, 'the low boundary sets the remap register')
  write(0x050, 0x40)
  t.match(last(), { region: 1, base: 0x18000000, length: 0x200000, offset: 0x18000000 })
  write(0x0f0, 0)
  t.match(last(), { region: 1, base: 0x18000000, length: 0x200000, offset: 0 })
  write(0x080, 0xc1)
  write(0x088, 0x5e)
  t.match(last(), { region: 3, base: 0x18200000, length: 0x3c00000, offset: 0x18200000 })
  write(0x058, 0x0800)
  t.match(last(), { region: 2, mode: 'off' }, 'address bits above 32 are never reached')
})

t.test('its own configuration header', async (t) => {
  const { read, write } = bench()
  t.equal(read(DATA, address(0, 0, 0)), 0x462011ab)
  t.equal(read(DATA, address(0, 0, 8)), 0x06000010)
  write(DATA, 0x7, address(0, 0, 4))
  t.equal(read(DATA, address(0, 0, 4)) & 0xffff, 0x7)
  t.equal(read(DATA, 0), 0xffffffff, 'no cycle is made without the enable bit')
})

t.test('configuration cycles reach a card as accesses', async (t) => {
  const { read, write, accesses } = bench()
  t.equal(read(DATA, address(10, 0, 0x40)), 0x11223344)
  write(DATA, 0xcafe, address(10, 0, 0x44))
  t.same(
    accesses.map(({ dst, access }) => ({ dst, ...access })),
    [
      { dst: 'card', kind: 'read', region: 3, offset: 0x40, size: 4 },
      { dst: 'card', kind: 'write', region: 3, offset: 0x44, size: 4, value: 0xcafe },
    ],
  )
  t.equal(read(CAUSE), 0)
})

t.test('an absent device reads all ones and leaves a master abort', async (t) => {
  for (const absent of [address(11, 0, 0), address(10, 1, 0), address(10, 0, 0, 1)]) {
    const { gt, read, write } = bench()
    t.equal(read(DATA, absent), 0xffffffff)
    t.equal(read(CAUSE), 0x00040001)
    t.equal(read(DATA, address(0, 0, 4)) >>> 16, 0x2280, 'received master abort')
    t.equal(gt.line('interrupt'), 0)
    write(0xc1c, 0x00040000)
    t.equal(gt.line('interrupt'), 1)
    write(CAUSE, ~0x000c0000 >>> 0)
    t.equal(read(CAUSE), 0, 'as Linux clears it')
    t.equal(gt.line('interrupt'), 0)
    write(DATA, 0, absent)
    t.equal(read(CAUSE), 0x00040001, 'a write too')
  }
})

t.test('a special cycle is no error', async (t) => {
  const { read, write, accesses } = bench()
  write(DATA, 0x00120002, address(31, 7, 0))
  t.equal(read(CAUSE), 0)
  t.same(accesses, [])
})

t.test('interrupt acknowledge reads the vector', async (t) => {
  const { gt, read, accesses } = bench()
  t.equal(read(0xc34), 0x21)
  t.equal(gt.lastData?.validUntil, 0, 'each read is a new cycle')
  t.equal(accesses.length, 1)
})

t.test('byte order', async (t) => {
  const little = bench('little')
  t.equal(little.read(0), 0x1000)
  little.write(0, 0)
  t.equal(little.read(0x050), 0x0f000000, 'with the endianness bit wrong, bytes are reversed')
  little.write(0, 0x00100000)
  t.equal(little.read(0), 0x1000)

  const big = bench('big')
  t.equal(big.read(0x050), 0x0f)
  t.equal(big.read(DATA, address(0, 0, 0)), 0x462011ab, 'its own registers are not swapped')
  t.equal(big.read(DATA, address(10, 0, 0)), 0x44332211, 'other devices are')
  big.write(DATA, 0x04030201, address(10, 0, 0))
  t.match(big.accesses[1]?.access, { value: 0x01020304 })
})

t.test(
  'registers that never change by themselves are polled for nothing; masks hold; unknown ones are named',
  async (t) => {
    const { gt, read, write } = bench()
    t.equal(read(0x470), 0xffffffff)
    t.equal(gt.lastData?.validUntil, Number.MAX_SAFE_INTEGER)
    write(0x120, 0xff)
    t.equal(read(0x120), 3, 'read-only')
    write(0x050, 0xffffffff)
    t.equal(read(0x050), 0x7f)
    t.equal(read(0xffc), 0)
    write(0x864, 1)
    write(0x840, 0x1000)
    t.equal(gt.unhandled.length, 3)
  },
)

t.test('state makes a round trip', async (t) => {
  const { gt, read, write } = bench()
  write(0x068, 0xdf)
  read(DATA, address(11, 0, 0))
  const copy = new DeviceBench(gt64120, { endian: 'little', slots: {} }, {}, gt.save())
  t.same(copy.save(), gt.save())
  t.equal(copy.read('registers', CAUSE, 4), 0x00040001)
})

t.test('the decoder names registers and configuration cycles', async (t) => {
  const decode = gt64120.decoder!({ endian: 'little', slots: {} })
  t.equal(
    decode({ kind: 'write', region: 0, offset: 0x068, size: 4, value: 0xdf }),
    'Internal Space Decode <- 0x000000df',
  )
  t.equal(
    decode({ kind: 'read', region: 0, offset: DATA, size: 4, index: address(10, 3, 0x40) }),
    'config 00:0a.3 0x40 ?',
  )
  t.equal(decode({ kind: 'data', value: 1, validUntil: 0 }), 'config 00:0a.3 0x40 -> 0x00000001')
})

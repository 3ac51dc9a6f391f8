import t from 'tap'
import { type DeviceIo, type Request, StateError } from '../../bus/mod.ts'
import {
  accessDecoder,
  character,
  dmaRead,
  dmaWrite,
  field,
  has,
  hex,
  Rate,
  RegisterTable,
  readDevice,
  registerBits,
  type Sequence,
  StateLayout,
  SYSTEM_MEMORY,
  withoutReserved,
  writeDevice,
} from './mod.ts'

const HERTZ = 1_193_182

t.test('a rate counts exactly, however far from power-on', async (t) => {
  const rate = new Rate(HERTZ)
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.comment(`seed ${seed}`)
  let x = seed
  for (let i = 0; i < 2000; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) & 0x7fffffff
    const vt = Math.floor((x / 0x80000000) * Number.MAX_SAFE_INTEGER)
    const tick = Number((BigInt(vt) * BigInt(HERTZ)) / 1_000_000_000n)
    if (rate.ticksAt(vt) !== tick) t.equal(rate.ticksAt(vt), tick, `tick at ${vt}`)
    const first = rate.vtOf(tick)
    if (rate.ticksAt(first) !== tick || (first > 0 && rate.ticksAt(first - 1) !== tick - 1)) t.fail(`vt of ${tick}`)
  }
  t.equal(new Rate(32_768).vtOf(32_768), 1_000_000_000)
  t.throws(() => new Rate(10_000_000))
})

t.test('bits have names', async (t) => {
  const IER = registerBits('IER', { RDI: 1, THRI: 2 })
  t.ok(has(IER.of(3), IER.THRI))
  t.notOk(has(IER.of(1), IER.THRI))
  t.equal(IER.names(3), 'RDI|THRI')
  t.equal(IER.names(0), '0')
  t.equal(IER.names(0x42), 'THRI|0x40')
  t.equal(hex(0x80000000, 8), '0x80000000')
  t.equal(character(0x41), "'A'")
  t.equal(character(0x0a), '0x0a')
})

t.test('a register table names what an access meets, and reports what it does not answer', async (t) => {
  const reports: string[] = []
  const io = { unhandled: (what: string) => reports.push(what) } as unknown as DeviceIo
  const table = new RegisterTable('chip', [
    { name: 'CONTROL', offset: 0, bytes: 4, access: 'rw', reserved: 0xff000000 },
    { name: 'STATUS', offset: 4, bytes: 2, access: 'ro' },
    { name: 'COMMAND', offset: 6, bytes: 1, access: 'wo' },
    { name: 'TEST', offset: 7, bytes: 1, access: 'unimplemented' },
  ])
  t.equal(table.forRead(2, io), 'CONTROL')
  t.equal(table.forRead(4, io), 'STATUS')
  t.same(table.forWrite(6, 5, io), { name: 'COMMAND', value: 5 })
  t.same(reports, [])
  t.same(table.forWrite(0, 0x81000001, io), { name: 'CONTROL', value: 1 })
  t.equal(table.forRead(6, io), undefined)
  t.equal(table.forRead(7, io), undefined)
  t.equal(table.forWrite(4, 1, io), undefined)
  t.equal(table.forWrite(9, 1, io), undefined)
  t.same(reports, [
    'chip: CONTROL reserved bits 0x81000000 written',
    'chip: read of COMMAND, which is wo',
    'chip: read of unimplemented TEST',
    'chip: write of 0x01 to STATUS, which is ro',
    'chip: write of 0x01 to no register at offset 0x09',
  ])
  t.equal(table.at(5)?.name, 'STATUS')
  t.equal(withoutReserved('chip', 'X', 0xff, 0x80000000, io), 0xff)
  t.throws(
    () =>
      new RegisterTable('chip', [
        { name: 'A', offset: 0, bytes: 4, access: 'rw' },
        { name: 'B', offset: 3, bytes: 1, access: 'rw' },
      ]),
    /B overlaps/,
  )
})

t.test('sequences ask and take their answers', async (t) => {
  function* handler(): Sequence<number> {
    const bytes = yield* dmaRead(0x100, 2)
    yield* dmaWrite(0x200, bytes, 3)
    yield* writeDevice('pic1', 0, 1, 1, 0xff)
    return bytes[0]! + (yield* readDevice('pic1', 2, 0, 1))
  }
  const requests: Request[] = []
  const answers = [Uint8Array.of(7, 8), undefined, undefined, 0x70]
  const running = handler()
  let step = running.next(undefined)
  while (!step.done) {
    requests.push(step.value)
    step = running.next(answers[requests.length - 1])
  }
  t.equal(step.value, 0x77)
  t.same(requests, [
    { request: 'dmaRead', target: SYSTEM_MEMORY, address: 0x100, length: 2 },
    { request: 'dmaWrite', target: 3, address: 0x200, bytes: Uint8Array.of(7, 8) },
    { request: 'access', dst: 'pic1', access: { kind: 'write', region: 0, offset: 1, size: 1, value: 0xff } },
    { request: 'access', dst: 'pic1', access: { kind: 'read', region: 2, offset: 0, size: 1 } },
  ])
})

t.test('state is copied and checked by name', async (t) => {
  const layout = new StateLayout('chip', {
    mode: field.oneOf(['idle', 'busy']),
    count: field.unsigned(8),
    latch: field.nullable(field.whole(1, 3)),
    fifo: field.list(field.unsigned(8), 2),
    pair: field.list(field.flag(), 2, true),
    ram: field.bytes(4, true),
  })
  const good = { mode: 'idle' as const, count: 255, latch: null, fifo: [1], pair: [true, true], ram: new Uint8Array(4) }
  const saved = layout.save(good)
  good.fifo.push(2)
  good.ram[0] = 9
  t.same(saved, { ...good, fifo: [1], ram: new Uint8Array(4) })
  t.same(layout.restore(saved), saved)
  const bad: [string, unknown][] = [
    ['mode', 'asleep'],
    ['count', 256],
    ['count', 1.5],
    ['latch', 0],
    ['fifo', [1, 2, 3]],
    ['pair', [true]],
    ['pair', [true, 1]],
    ['ram', new Uint8Array(3)],
  ]
  for (const [name, value] of bad) {
    t.throws(() => layout.restore({ ...saved, [name]: value }), StateError)
    t.throws(() => layout.restore({ ...saved, [name]: value }), new RegExp(`^chip: ${name}`))
  }
  const { count, ...missing } = saved
  t.equal(count, 255)
  t.throws(() => layout.restore(missing), /chip: count/)
  t.throws(() => layout.restore({ ...saved, more: 1 }), { constructor: StateError, message: /chip: more: / })
})

t.test('a decoder pairs a read with its answer', async (t) => {
  const decode = accessDecoder(
    ({ offset }) => (offset === 0 ? { register: 'A' } : undefined),
    () => ({ register: 'B', words: (value) => `<${value}>` }),
  )
  t.equal(decode({ kind: 'read', region: 0, offset: 0, size: 1 }), 'A ?')
  t.equal(decode({ kind: 'data', value: 16, validUntil: 0 }), 'A -> 0x10')
  t.equal(decode({ kind: 'data', value: 16, validUntil: 0 }), undefined)
  t.equal(decode({ kind: 'read', region: 0, offset: 1, size: 1 }), undefined)
  t.equal(decode({ kind: 'write', region: 0, offset: 1, size: 1, value: 2 }), 'B <- <2>')
  t.equal(decode({ kind: 'event' }), undefined)
})

import t from 'tap'
import { type Device, type DeviceModel, type DeviceState, type Sequence, StateError } from './device.ts'
import { NEVER, SYSTEM_MEMORY } from './message.ts'
import { DeviceBench } from './testing.ts'

/** Register 0 copies guest memory 0..3 to 16 and counts; register 4 sets a timer; its event raises `irq`. */
const copier: DeviceModel<{ start: number }> = {
  type: 'copier',
  stateVersion: 3,
  regions: () => [{ kind: 'registers', name: 'regs', size: 8, endian: 'little' }],
  inputs: ['gate'],
  outputs: ['irq'],
  create({ start }): Device {
    let count = start
    return {
      reset(io) {
        count = start
        io.line('irq', 0)
        io.timer(NEVER)
      },
      read(_region, offset, _size, io) {
        if (offset === 4) io.validUntil(io.now + 50)
        return count
      },
      *write(_region, offset, _size, value, io): Sequence<void> {
        if (offset === 4) {
          io.timer(io.now + value)
          return
        }
        io.line('irq', 1)
        const bytes = yield { request: 'dmaRead', target: SYSTEM_MEMORY, address: 0, length: 4 }
        yield { request: 'dmaWrite', target: SYSTEM_MEMORY, address: 16, bytes: bytes as Uint8Array }
        count++
        io.output(bytes as Uint8Array)
        io.line('irq', 0)
      },
      event(io) {
        io.line('irq', 1)
      },
      line(_wire, level, io) {
        if (level === 1) io.unhandled('gate')
      },
      save: () => ({ count }),
      restore(state: DeviceState) {
        if (typeof state['count'] !== 'number') throw new StateError('count')
        count = state['count']
      },
    }
  },
}

t.test('a sequence reads and writes guest memory, and its effects come in order', async (t) => {
  const memory = new Uint8Array(32)
  memory.set([1, 2, 3, 4])
  const bench = new DeviceBench(copier, { start: 7 }, { memory })
  bench.write('regs', 0, 1, 4)
  t.same([...memory.subarray(16, 20)], [1, 2, 3, 4])
  t.equal(bench.read(0, 0, 4), 8)
  t.same(bench.lineChanges, [
    { vt: 0, output: 'irq', level: 1 },
    { vt: 0, output: 'irq', level: 0 },
  ])
  t.equal(bench.outputText, '\x01\x02\x03\x04')
})

t.test('the timer fires once when due; setting what is set is no effect', async (t) => {
  const bench = new DeviceBench(copier, { start: 0 })
  bench.write(0, 4, 100, 4)
  bench.advance(99)
  t.equal(bench.line('irq'), 0)
  bench.advance(1)
  t.equal(bench.line('irq'), 1)
  t.equal(bench.due, NEVER)
  bench.reset()
  bench.reset()
  t.equal(bench.lineChanges.length, 2)
})

t.test('validUntil, unhandled and bad answers', async (t) => {
  const bench = new DeviceBench(copier, { start: 300 })
  bench.read(0, 4, 4)
  t.equal(bench.lastData?.validUntil, 50)
  bench.read(0, 0, 4)
  t.equal(bench.lastData?.validUntil, 0)
  bench.setLine('gate', 1)
  t.same(bench.unhandled, ['gate'])
  t.throws(() => bench.read(0, 0, 1), /answered a read of 1 bytes with 300/)
})

t.test('state goes round with levels and timer, and a foreign one is refused', async (t) => {
  const bench = new DeviceBench(copier, { start: 5 })
  bench.write(0, 4, 100, 4)
  bench.advance(100)
  bench.write(0, 4, 70, 4)
  const saved = bench.save()
  t.same(saved, { type: 'copier', version: 3, levels: [1], due: 170, state: { count: 5 } })
  const other = new DeviceBench(copier, { start: 0 }, {}, saved)
  t.equal(other.line('irq'), 1)
  t.equal(other.due, 170)
  t.same(other.save(), saved)
  t.throws(() => other.host.restore({ ...saved, version: 2 }), StateError)
  t.throws(() => other.host.restore({ ...saved, levels: [] }), StateError)
  t.throws(() => other.host.restore({ ...saved, state: {} }), StateError)
})

t.test('a handler can be driven a step at a time', async (t) => {
  const bench = new DeviceBench(copier, { start: 0 })
  const effects: string[] = []
  const write = { kind: 'write', region: 0, offset: 0, size: 4, value: 1 } as const
  const step = bench.host.begin(write, 5, ({ kind }) => effects.push(kind))
  t.same(step, { state: 'asks', request: { request: 'dmaRead', target: SYSTEM_MEMORY, address: 0, length: 4 } })
  t.ok(bench.host.suspended)
  t.throws(() => bench.host.begin(write, 5, () => {}), /while its own handler waits/)
  t.throws(() => bench.host.save(), /only between messages/)
  t.match(bench.host.resume(Uint8Array.of(9, 9, 9, 9)), { request: { request: 'dmaWrite', address: 16 } })
  t.same(bench.host.resume(undefined), { state: 'done', data: undefined })
  t.same(effects, ['line', 'output', 'line'])
})

t.test('what it sends is what it was then', async (t) => {
  const sender: DeviceModel<undefined> = {
    type: 'sender',
    stateVersion: 1,
    regions: () => [],
    inputs: [],
    outputs: [],
    create: () => ({
      reset(io) {
        // A view of it is no copy, though `slice` gives one.
        const bytes = Buffer.from('sent')
        io.output(bytes)
        bytes.fill(0)
      },
      read: () => 0,
      write() {},
      save: () => ({}),
      restore() {},
    }),
  }
  t.equal(new DeviceBench(sender, undefined).outputText, 'sent')
})

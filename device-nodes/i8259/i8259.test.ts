import t from 'tap'
import { NEVER, StateError } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { I8259_ACKNOWLEDGE_REGION, i8259 } from './i8259.ts'

const EVEN = 0
const ODD = 1
const NON_SPECIFIC_EOI = 0x20

/** A slave alone: vectors from 0x70, edge-triggered, nothing masked. */
function chip(icw4 = 0x01) {
  const bench = new DeviceBench(i8259, { elcrMask: 0xde })
  bench.write('ports', EVEN, 0x11)
  bench.write('ports', ODD, 0x70)
  bench.write('ports', ODD, 0x02)
  bench.write('ports', ODD, icw4)
  bench.write('ports', ODD, 0x00)
  return bench
}
type Bench = ReturnType<typeof chip>

const acknowledge = (bench: Bench) => bench.read(I8259_ACKNOWLEDGE_REGION, 0)
function isr(bench: Bench): number {
  bench.write('ports', EVEN, 0x0b)
  return bench.read('ports', EVEN)
}
function irr(bench: Bench): number {
  bench.write('ports', EVEN, 0x0a)
  return bench.read('ports', EVEN)
}

t.test('an edge interrupts, is acknowledged with its vector, and stays in service until EOI', async (t) => {
  const b = chip()
  b.setLine('ir3', 1)
  t.equal(b.line('intr'), 1)
  t.equal(irr(b), 0x08)
  t.equal(b.lastData?.validUntil, NEVER)
  t.equal(acknowledge(b), 0x73)
  t.equal(b.lastData?.validUntil, 0)
  t.equal(b.line('intr'), 0)
  t.equal(irr(b), 0)
  t.equal(isr(b), 0x08)
  b.write('ports', EVEN, NON_SPECIFIC_EOI)
  t.equal(isr(b), 0)
  t.equal(b.line('intr'), 0, 'the level alone does not interrupt again')
})

t.test('what is in service holds back its own and lower levels, not higher ones', async (t) => {
  const b = chip()
  b.setLine('ir4', 1)
  acknowledge(b)
  b.setLine('ir5', 1)
  t.equal(b.line('intr'), 0)
  b.setLine('ir1', 1)
  t.equal(b.line('intr'), 1)
  t.equal(acknowledge(b), 0x71)
  t.equal(isr(b), 0x12)
  b.write('ports', EVEN, NON_SPECIFIC_EOI)
  t.equal(isr(b), 0x10, 'the highest in service ends first')
  b.write('ports', EVEN, 0x60 | 4)
  t.equal(b.line('intr'), 1)
  t.equal(acknowledge(b), 0x75)
})

t.test('masking keeps the request, unmasking lets it through', async (t) => {
  const b = chip()
  b.write('ports', ODD, 0xff)
  t.equal(b.read('ports', ODD), 0xff)
  b.setLine('ir0', 1)
  t.equal(b.line('intr'), 0)
  t.equal(irr(b), 0x01)
  b.write('ports', ODD, 0xfe)
  t.equal(b.line('intr'), 1)
})

t.test('a request that goes away is acknowledged as a spurious IR7 that is not in service', async (t) => {
  const b = chip()
  b.setLine('ir2', 1)
  b.setLine('ir2', 0)
  t.equal(b.line('intr'), 0)
  t.equal(acknowledge(b), 0x77)
  t.equal(isr(b), 0)
})

t.test('ELCR makes inputs level-triggered, only those that the board allows', async (t) => {
  const b = chip()
  b.write('elcr', 0, 0x21)
  t.equal(b.read('elcr', 0), 0)
  t.same(b.unhandled, ['i8259: ELCR reserved bits 0x21 written'])
  b.write('elcr', 0, 0x04)
  b.setLine('ir2', 1)
  t.equal(acknowledge(b), 0x72)
  b.write('ports', EVEN, NON_SPECIFIC_EOI)
  t.equal(b.line('intr'), 1, 'still high: again')
  b.setLine('ir2', 0)
  t.equal(b.line('intr'), 0)
})

t.test('priorities rotate', async (t) => {
  const b = chip()
  b.write('ports', EVEN, 0xc0 | 3)
  b.setLine('ir3', 1)
  b.setLine('ir4', 1)
  t.equal(acknowledge(b), 0x74, 'IR3 is lowest, IR4 highest')
  b.write('ports', EVEN, 0xa0)
  b.setLine('ir5', 1)
  b.setLine('ir4', 0)
  b.setLine('ir4', 1)
  t.equal(acknowledge(b), 0x75, 'rotate on EOI made IR4 lowest')
  b.write('ports', EVEN, 0xe0 | 5)
  t.equal(acknowledge(b), 0x73, 'IR5 lowest: IR6, 7, 0 .. 3 come before IR4')
})

t.test('automatic EOI: INT falls and rises for each request', async (t) => {
  const b = chip(0x03)
  b.setLine('ir1', 1)
  b.setLine('ir6', 1)
  const before = b.lineChanges.length
  t.equal(acknowledge(b), 0x71)
  t.same(
    b.lineChanges.slice(before).map(({ level }) => level),
    [0, 1],
  )
  t.equal(isr(b), 0)
  t.equal(acknowledge(b), 0x76)
  t.equal(b.line('intr'), 0)
})

t.test('special mask mode lets lower levels through past a masked one in service', async (t) => {
  const b = chip()
  b.setLine('ir2', 1)
  acknowledge(b)
  b.setLine('ir6', 1)
  b.write('ports', ODD, 0x04)
  t.equal(b.line('intr'), 0)
  b.write('ports', EVEN, 0x68)
  t.equal(b.line('intr'), 1)
  t.equal(acknowledge(b), 0x76)
  b.write('ports', EVEN, NON_SPECIFIC_EOI)
  t.equal(isr(b), 0x04, 'an unspecific EOI passes over the masked level')
  b.write('ports', EVEN, 0x48)
  b.write('ports', EVEN, NON_SPECIFIC_EOI)
  t.equal(isr(b), 0)
})

t.test("polling, as Linux's i8259_irq does", async (t) => {
  const b = chip()
  b.write('ports', EVEN, 0x0c)
  t.equal(b.read('ports', EVEN), 0)
  b.setLine('ir5', 1)
  b.write('ports', EVEN, 0x0c)
  t.equal(b.read('ports', EVEN), 0x85)
  t.equal(isr(b), 0x20)
  t.equal(b.read('ports', EVEN), 0x20, 'one read polls')
})

/** A master and its slave, wired as on a PC. */
function pair(masterIcw4: number) {
  const slave = chip()
  const master = new DeviceBench(
    i8259,
    { elcrMask: 0xf8, cascade: { input: 2, slave: 'pic1' } },
    {
      onAccess: ({ dst, access }) => {
        t.equal(dst, 'pic1')
        return slave.read(access.region, access.offset)
      },
    },
  )
  master.write('ports', EVEN, 0x11)
  master.write('ports', ODD, 0x08)
  master.write('ports', ODD, 0x04)
  master.write('ports', ODD, masterIcw4)
  master.write('ports', ODD, 0x00)
  const settle = () => {
    for (const { level } of slave.lineChanges.splice(0)) master.setLine('ir2', level)
  }
  return { master, slave, settle }
}

t.test('a master gets its slave to give the vector', async (t) => {
  const { master, slave, settle } = pair(0x01)
  slave.setLine('ir0', 1)
  settle()
  t.equal(master.line('intr'), 1)
  t.equal(master.read(I8259_ACKNOWLEDGE_REGION, 0), 0x70)
  settle()
  t.equal(slave.line('intr'), 0)
  slave.setLine('ir4', 1)
  settle()
  slave.write('ports', EVEN, NON_SPECIFIC_EOI)
  settle()
  t.equal(master.line('intr'), 0, 'IR2 is still in service')
  master.write('ports', EVEN, NON_SPECIFIC_EOI)
  t.equal(master.line('intr'), 1)
  t.equal(master.read(I8259_ACKNOWLEDGE_REGION, 0), 0x74)
  slave.setLine('ir4', 0)
  settle()
})

t.test('special fully nested mode: a slave interrupts its own lower level', async (t) => {
  for (const [icw4, expected] of [
    [0x01, 0],
    [0x11, 1],
  ] as const) {
    const { master, slave, settle } = pair(icw4)
    slave.setLine('ir4', 1)
    settle()
    master.read(I8259_ACKNOWLEDGE_REGION, 0)
    settle()
    slave.setLine('ir1', 1)
    settle()
    t.equal(master.line('intr'), expected)
  }
})

t.test('initialization clears mask, service and edges, and starts the sequence', async (t) => {
  const b = chip()
  b.setLine('ir1', 1)
  b.setLine('ir3', 1)
  acknowledge(b)
  b.write('ports', ODD, 0x55)
  b.write('ports', EVEN, 0x11)
  t.equal(irr(b), 0)
  t.equal(isr(b), 0)
  b.write('ports', ODD, 0x20)
  b.write('ports', ODD, 0x02)
  b.write('ports', ODD, 0x01)
  t.equal(b.read('ports', ODD), 0)
  b.setLine('ir5', 1)
  t.equal(acknowledge(b), 0x25)
  b.write('ports', EVEN, 0x10)
  b.write('ports', ODD, 0x20)
  b.write('ports', ODD, 0x02)
  t.match(b.unhandled.at(-1), /MCS-80/)
})

t.test('state comes back in the middle of an initialization and of a service', async (t) => {
  const whole = chip()
  whole.setLine('ir6', 1)
  whole.setLine('ir2', 1)
  acknowledge(whole)
  const saved = whole.save()
  const again = new DeviceBench(i8259, { elcrMask: 0xde }, {}, structuredClone(saved))
  for (const b of [whole, again]) {
    b.write('ports', EVEN, NON_SPECIFIC_EOI)
    t.equal(acknowledge(b), 0x76)
    b.write('ports', EVEN, 0x11)
    b.write('ports', ODD, 0x30)
  }
  t.same(again.save(), whole.save())
  const third = new DeviceBench(i8259, { elcrMask: 0xde }, {}, again.save())
  third.write('ports', ODD, 0x02)
  third.write('ports', ODD, 0x01)
  third.write('ports', ODD, 0x7f)
  t.equal(third.read('ports', ODD), 0x7f)
  const damaged = structuredClone(saved)
  damaged.state['lowestPriority'] = 8
  t.throws(() => again.host.restore(damaged), StateError)
})

t.test('the log names the words', async (t) => {
  const decode = i8259.decoder?.({ elcrMask: 0xf8 })
  const write = (offset: number, value: number) => decode?.({ kind: 'write', region: 0, offset, size: 1, value })
  t.equal(write(0, 0x11), 'ICW1 <- IC4')
  t.equal(write(1, 0x08), 'ICW2 <- 0x08')
  t.equal(write(1, 0x04), 'ICW3 <- 0x04')
  t.equal(write(1, 0x01), 'ICW4 <- uPM')
  t.equal(write(1, 0xfb), 'OCW1 (IMR) <- 0xfb')
  t.equal(write(0, 0x20), 'OCW2 <- non-specific EOI')
  t.equal(write(0, 0x62), 'OCW2 <- specific EOI 2')
  t.equal(write(0, 0x0b), 'OCW3 <- RR|RIS')
  decode?.({ kind: 'read', region: 0, offset: 0, size: 1 })
  t.equal(decode?.({ kind: 'data', value: 1, validUntil: 0 }), 'ISR -> 0x01')
})

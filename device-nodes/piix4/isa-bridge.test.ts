import t from 'tap'
import { DeviceBench } from '../../bus/testing.ts'
import { piix4Isa } from './mod.ts'

const bench = () => new DeviceBench(piix4Isa, {})

t.test('it is an 82371AB with more functions', async (t) => {
  const isa = bench()
  t.equal(isa.read('config', 0, 4), 0x71108086)
  t.equal(isa.read('config', 8, 4), 0x06010000)
  t.equal(isa.read('config', 0x0e, 1), 0x80)
  t.equal(isa.read('config', 0x60, 4), 0x80808080, 'no PIRQ is routed after reset')
})

t.test('a PIRQ reaches the interrupt that it is steered to', async (t) => {
  const isa = bench()
  isa.setLine('pirqb', 1)
  t.same(isa.lineChanges, [])
  isa.write('config', 0x61, 0x0a)
  t.same(isa.lineChanges, [{ vt: 0, output: 'irq10', level: 1 }])
  isa.write('config', 0x61, 0x0b)
  t.equal(isa.line('irq10'), 0)
  t.equal(isa.line('irq11'), 1)
  isa.write('config', 0x61, 0x8b)
  t.equal(isa.line('irq11'), 0)
})

t.test('PIRQs share an interrupt', async (t) => {
  const isa = bench()
  isa.write('config', 0x60, 0x0b0b0a0a, 4)
  isa.setLine('pirqa', 1)
  isa.setLine('pirqb', 1)
  isa.setLine('pirqa', 0)
  t.equal(isa.line('irq10'), 1)
  isa.setLine('pirqb', 0)
  t.equal(isa.line('irq10'), 0)
  isa.setLine('pirqd', 1)
  t.equal(isa.line('irq11'), 1)
  isa.reset()
  t.equal(isa.line('irq11'), 0, 'a reset takes the routing away')
  isa.write('config', 0x63, 0x05)
  t.equal(isa.line('irq5'), 1, 'but not the level')
})

t.test('ISA ports where nothing is read all ones, and are reported', async (t) => {
  const isa = bench()
  t.equal(isa.read('isa', 0x378, 1), 0xff)
  t.equal(isa.read('isa', 0x378, 4), 0xffffffff)
  isa.write('isa', 0xd4, 0)
  t.equal(isa.unhandled.length, 3)
  t.match(isa.unhandled[2], /0x00d4/)
})

t.test('the reset control register resets on a rising RCPU', async (t) => {
  const isa = bench()
  isa.write('reset-control', 0, 0x02)
  t.equal(isa.outputText, '')
  isa.write('reset-control', 0, 0x06)
  t.equal(isa.outputText, 'reset')
  isa.write('reset-control', 0, 0x06)
  t.equal(isa.outputText, 'reset')
})

t.test('state makes a round trip', async (t) => {
  const isa = bench()
  isa.write('config', 0x60, 0x05, 1)
  isa.setLine('pirqa', 1)
  const copy = new DeviceBench(piix4Isa, {}, {}, isa.save())
  t.same(copy.save(), isa.save())
  copy.setLine('pirqa', 0)
  t.equal(copy.line('irq5'), 0)
})

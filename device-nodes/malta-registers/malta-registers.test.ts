import t from 'tap'
import { NEVER } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { maltaRegisters } from './malta-registers.ts'

const bench = (endian: 'little' | 'big' = 'little') => new DeviceBench(maltaRegisters, { endian })

t.test('switches and status', async (t) => {
  const little = bench()
  t.equal(little.read(0, 0x208, 4), 0x10)
  t.equal(little.lastData?.validUntil, NEVER)
  t.equal(bench('big').read(0, 0x208, 4), 0x12)
  t.equal(little.read(0, 0x200, 4), 0)
  t.equal(little.read(0, 0x210, 4), 0)
})

t.test('what is written to the readable registers is kept', async (t) => {
  const fpga = bench()
  t.equal(fpga.read(0, 0x508, 4), 0x0a)
  for (const [offset, mask] of [
    [0x408, 0xff],
    [0x508, 0xff],
    [0xa00, 0xff],
    [0xb08, 0x03],
    [0xb10, 0x03],
    [0xb18, 0x01],
  ] as const) {
    fpga.write(0, offset, 0xffffffff, 4)
    t.equal(fpga.read(0, offset, 4), mask)
  }
  fpga.reset()
  t.equal(fpga.read(0, 0x408, 4), 0)
})

t.test('I2C lines are low only where they are driven low', async (t) => {
  const fpga = bench()
  t.equal(fpga.read(0, 0xb00, 4), 3)
  fpga.write(0, 0xb10, 0, 4)
  t.equal(fpga.read(0, 0xb00, 4), 3)
  fpga.write(0, 0xb08, 1, 4)
  t.equal(fpga.read(0, 0xb00, 4), 2)
})

t.test('only 0x42 in SOFTRES resets', async (t) => {
  const fpga = bench()
  fpga.write(0, 0x500, 0x41, 4)
  t.equal(fpga.outputText, '')
  fpga.write(0, 0x500, 0x42, 4)
  t.equal(fpga.outputText, 'reset')
})

t.test('unknown registers are reported', async (t) => {
  const fpga = bench()
  t.equal(fpga.read(0, 0x300, 4), 0)
  fpga.write(0, 0x200, 1, 4)
  fpga.write(0, 0xf0000, 1, 4)
  t.equal(fpga.unhandled.length, 3)
})

t.test('the decoder shows LEDs and the display', async (t) => {
  const decode = maltaRegisters.decoder!({ endian: 'little' })
  const write = (offset: number, value: number) => decode({ kind: 'write', region: 0, offset, size: 4, value })
  t.equal(write(0x408, 0xa1), 'LEDBAR <- [# #    #]')
  t.match(write(0x418, 0x4c), /ASCIIPOS0 <- 'L', display "L {7}"/)
  t.match(write(0x420, 0x49), /display "LI {6}"/)
  t.match(write(0x410, 0x1234abcd), /display "1234ABCD"/)
})

t.test('state makes a round trip', async (t) => {
  const fpga = bench()
  fpga.write(0, 0x408, 0x55, 4)
  fpga.write(0, 0x410, 0x12345678, 4)
  const copy = new DeviceBench(maltaRegisters, { endian: 'little' }, {}, fpga.save())
  t.same(copy.save(), fpga.save())
  t.equal(copy.read(0, 0x408, 4), 0x55)
})

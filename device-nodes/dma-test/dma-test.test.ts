import t from 'tap'
import { NEVER } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { dmaTest } from './dma-test.ts'

const SOURCE = 0x00
const DESTINATION = 0x04
const LENGTH = 0x08
const COMMAND = 0x0c
const STATUS = 0x10
const INTERRUPT_ENABLE = 0x14
const CHECKSUM = 0x18
const DELAY = 0x1c

function bench() {
  const memory = Uint8Array.from({ length: 65536 }, (_, i) => (i * 7) & 0xff)
  const dma = new DeviceBench(dmaTest, {}, { memory })
  const write = (offset: number, value: number) => dma.write(0, offset, value, 4)
  const read = (offset: number) => dma.read(0, offset, 4)
  return { dma, memory, write, read }
}

t.test('a copy takes its delay, then interrupts', async (t) => {
  const { dma, memory, write, read } = bench()
  const expected = memory.slice(0x100, 0x100 + 10000)
  write(SOURCE, 0x100)
  write(DESTINATION, 0x8001)
  write(LENGTH, 10000)
  write(DELAY, 500)
  write(INTERRUPT_ENABLE, 1)
  write(COMMAND, 1)
  t.equal(read(STATUS), 1)
  t.equal(dma.lastData?.validUntil, NEVER, 'polling is free')
  t.equal(dma.due, 500)
  dma.advance(499)
  t.notSame(memory.slice(0x8001, 0x8001 + 10000), expected)
  t.equal(dma.line('irq'), 0)
  dma.advance(1)
  t.same(memory.slice(0x8001, 0x8001 + 10000), expected)
  t.equal(read(STATUS), 2)
  t.equal(dma.line('irq'), 1)
  write(STATUS, 2)
  t.equal(dma.line('irq'), 0)
  t.equal(read(STATUS), 0)
})

t.test('a sum is there at once', async (t) => {
  const { memory, write, read } = bench()
  write(SOURCE, 1)
  write(LENGTH, 9001)
  write(COMMAND, 2)
  t.equal(
    read(CHECKSUM),
    memory.slice(1, 9002).reduce((sum, byte) => sum + byte, 0),
  )
  t.equal(read(STATUS), 2)
})

t.test('what is wrong is an error; while busy the registers stay', async (t) => {
  const { dma, write, read } = bench()
  write(COMMAND, 3)
  t.equal(read(STATUS), 4)
  write(STATUS, 4)
  write(LENGTH, 2 ** 20 + 1)
  write(COMMAND, 1)
  t.equal(read(STATUS), 4)
  write(STATUS, 4)
  write(LENGTH, 16)
  write(DELAY, 1000)
  write(COMMAND, 1)
  write(LENGTH, 32)
  write(COMMAND, 2)
  t.equal(read(LENGTH), 16)
  t.equal(read(STATUS), 1)
  t.equal(dma.unhandled.length, 2)
  dma.reset()
  t.equal(dma.due, NEVER)
})

t.test('state makes a round trip in the middle of a copy', async (t) => {
  const { dma, memory, write } = bench()
  write(LENGTH, 8)
  write(DESTINATION, 0x1000)
  write(DELAY, 100)
  write(COMMAND, 1)
  const copy = new DeviceBench(dmaTest, {}, { memory }, dma.save())
  t.same(copy.save(), dma.save())
  copy.advance(100)
  t.same(memory.slice(0x1000, 0x1008), memory.slice(0, 8))
  t.equal(copy.read(0, STATUS, 4), 2)
})

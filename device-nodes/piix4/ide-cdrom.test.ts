/**
 * A CD-ROM drive behind the PIIX4's channels, by register accesses alone: the PACKET protocols, and MMC's packets.
 */
import t from 'tap'
import type { IdeDrive } from './mod.ts'
import { ABRT, BSY, DRDY, DRQ, Driver, DSC, ERR, MILLISECOND, READY, SECTOR, STORAGE } from './testing.ts'

const DISC_SECTOR = 2048
const SECTORS = 500
const CDROM = {
  media: 'cdrom',
  channel: 0,
  device: 0,
  sectors: SECTORS,
  serial: 'C1',
  model: 'Ananke CD-ROM',
} as const satisfies IdeDrive

/** The count register: a packet is wanted, data for the host, the end. */
const [COMMAND, TO_HOST, END] = [1, 2, 3]

class CdDriver extends Driver {
  constructor(restored?: Driver) {
    super([CDROM], restored)
  }

  onDisc(sector: number, count = 1): Buffer {
    return Buffer.from(this.ide.ownMemory.get(STORAGE)!.slice(sector * DISC_SECTOR, (sector + count) * DISC_SECTOR))
  }

  /** Sends a packet that allows so many bytes at a time. */
  packet(bytes: readonly number[], most = 0xfffe, byDma = false): void {
    this.put(1, byDma ? 1 : 0)
    this.put(4, most & 0xff)
    this.put(5, most >> 8)
    this.put(6, 0xa0)
    this.put(7, 0xa0)
    const packet = Buffer.alloc(12)
    packet.set(bytes)
    this.writeData(packet)
  }

  /** All that it gives by the data port, a block at a time, and how it ends. */
  answer(): { data: Buffer; blocks: number[]; status: number } {
    const blocks: Buffer[] = []
    for (;;) {
      const status = this.wait()
      if ((status & DRQ) === 0)
        return { data: Buffer.concat(blocks), blocks: blocks.map(({ length }) => length), status }
      if (this.get(2) !== TO_HOST) throw new Error(`the count register is ${this.get(2)}`)
      const bytes = this.get(4) + 256 * this.get(5)
      blocks.push(this.readData(bytes + (bytes & 1)).subarray(0, bytes))
    }
  }

  /** What went wrong, by key, code and qualifier; it is forgotten. */
  sense(): number[] {
    this.packet([0x03, 0, 0, 0, 18])
    const { data } = this.answer()
    return [data[2]!, data[12]!, data[13]!]
  }
}

/** One that has told of its power-on. */
function ready(): CdDriver {
  const driver = new CdDriver()
  driver.sense()
  return driver
}

const read10 = (sector: number, count: number) => [
  0x28,
  0,
  0,
  0,
  sector >> 8,
  sector & 0xff,
  0,
  count >> 8,
  count & 0xff,
]

t.test('its signature says what it is', async (t) => {
  const driver = new CdDriver()
  const signature = [1, 1, 0x14, 0xeb]
  t.equal(driver.get(7), 0)
  t.same(
    [2, 3, 4, 5].map((offset) => driver.get(offset)),
    signature,
  )
  driver.command(0xec)
  t.equal(driver.wait(), READY | ERR, 'it is no disk')
  t.equal(driver.get(1), ABRT)
  t.same(
    [2, 3, 4, 5].map((offset) => driver.get(offset)),
    signature,
  )
  driver.command(0xa1)
  t.equal(driver.wait(), READY | DRQ)
  const words = driver.readData(SECTOR)
  t.equal(words.readUInt16LE(0) & 0xdf00, 0x8500, 'a CD-ROM drive with packets')
  t.equal(
    words.reduce((sum, byte) => (sum + byte) & 0xff, 0),
    0,
  )
  t.equal(driver.get(7), READY)
  driver.command(0x90)
  t.equal(driver.wait(), 0)
  t.equal(driver.get(1), 1)
  driver.command(0x20, 0, 1)
  t.equal(driver.wait(), READY | ERR, 'nor are there ATA sectors')
})

t.test('a packet, its data, and its end', async (t) => {
  const driver = new CdDriver()
  driver.put(7, 0xa0)
  t.equal(driver.get(7), READY | DRQ)
  t.equal(driver.get(2), COMMAND)
  t.equal(driver.irq, 0, 'no interrupt asks for the packet')
  driver.writeData(Buffer.from([0x12, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0]))
  t.equal(driver.alternate, BSY)
  driver.ide.advance(MILLISECOND)
  t.equal(driver.irq, 1)
  t.equal(driver.get(7), READY | DRQ)
  t.same([driver.get(2), driver.get(4), driver.get(5)], [TO_HOST, 36, 0])
  const data = driver.readData(36)
  t.equal(data[0], 5)
  t.equal(data.subarray(8, 32).toString('latin1'), 'ANANKE  Ananke CD-ROM   ')
  t.equal(driver.alternate, BSY)
  driver.ide.advance(MILLISECOND)
  t.equal(driver.irq, 1)
  t.equal(driver.get(7), READY)
  t.equal(driver.get(2), END)
})

t.test('that it was reset is told first, and then it is ready', async (t) => {
  const driver = new CdDriver()
  driver.packet([0x00])
  t.equal(driver.answer().status, READY | ERR)
  t.equal(driver.get(1), 0x60 | ABRT)
  t.same(driver.sense(), [6, 0x29, 0])
  driver.packet([0x00])
  t.equal(driver.answer().status, READY)
  t.same(driver.sense(), [0, 0, 0])
  for (const packet of [[0x1b, 0, 0, 0, 1], [0x1e, 0, 0, 0, 1], [0x2b]]) {
    driver.packet(packet)
    t.equal(driver.answer().status, READY)
  }
})

t.test('sectors through the data port, as many bytes at a time as the host takes', async (t) => {
  const driver = ready()
  driver.packet(read10(7, 3), 4096)
  const some = driver.answer()
  t.same(some.blocks, [4096, 2048])
  t.ok(some.data.equals(driver.onDisc(7, 3)))
  t.equal(some.status, READY)
  // An odd number is made even; 0 is as many as there can be.
  driver.packet(read10(499, 1), 1001)
  t.same(driver.answer().blocks, [1000, 1000, 48])
  driver.packet([0xa8, 0, 0, 0, 0, 100, 0, 0, 0, 40], 0)
  const many = driver.answer()
  t.same(many.blocks, [65_534, 16_386])
  t.ok(many.data.equals(driver.onDisc(100, 40)))
  driver.packet(read10(5, 0))
  t.same(driver.answer(), { data: Buffer.alloc(0), blocks: [], status: READY })
})

t.test('DMA of sectors, and of what it has made', async (t) => {
  const driver = ready()
  driver.descriptors([
    [0x2000, 3000],
    [0x8000, 1096],
  ])
  driver.startBusMaster(true)
  driver.packet(read10(20, 2), 0, true)
  t.equal(driver.wait(), READY)
  t.equal(driver.get(2), END)
  t.equal(driver.busMaster, 0x04)
  const read = Buffer.concat([
    driver.ide.memory.slice(0x2000, 0x2000 + 3000),
    driver.ide.memory.slice(0x8000, 0x8000 + 1096),
  ])
  t.ok(read.equals(driver.onDisc(20, 2)))
  driver.stopBusMaster()
  driver.descriptors([[0x3000, 96]])
  driver.startBusMaster(true)
  driver.packet([0x12, 0, 0, 0, 96], 0, true)
  t.equal(driver.wait(), READY)
  t.equal(driver.busMaster, 0x05, 'it made fewer bytes than there was room for')
  t.equal(Buffer.from(driver.ide.memory.slice(0x3008, 0x300e)).toString(), 'ANANKE')
})

t.test('what the disc is', async (t) => {
  const driver = ready()
  const ask = (...packet: number[]) => {
    driver.packet(packet)
    return driver.answer()
  }
  t.same([...ask(0x25).data], [0, 0, 1, 0xf3, 0, 0, 8, 0])
  const toc = (...more: number[]) => [...ask(0x43, ...more).data]
  t.same(toc(0, 0, 0, 0, 0, 0, 1, 0), [0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x14, 0xaa, 0, 0, 0, 1, 0xf4])
  t.same(toc(2, 0, 0, 0, 0, 0xaa, 1, 0), [0, 10, 1, 1, 0, 0x14, 0xaa, 0, 0, 0, 8, 50], 'in minutes, seconds and frames')
  t.same(toc(0, 1, 0, 0, 0, 0, 0, 6), [0, 10, 1, 1, 0, 0x14], 'sessions, as far as there is room')
  t.equal(ask(0x43, 0, 0, 0, 0, 0, 2, 1, 0).status, READY | ERR, 'there is no track 2')
  t.same(driver.sense(), [5, 0x24, 0])
  t.same([...ask(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8).data], [0, 2, 0x80, 0])
  t.equal(ask(0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8).status, READY | ERR)
  t.equal(ask(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 64).data.length, 28)
  t.equal(ask(0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 255).data.length, 36)
  t.equal(ask(0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 64).status, READY | ERR)
})

t.test('what it cannot do, and where the disc ends', async (t) => {
  const driver = ready()
  for (const [packet, sense] of [
    [[0x2a], [5, 0x20, 0]],
    [read10(499, 2), [5, 0x21, 0]],
    [read10(500, 1), [5, 0x21, 0]],
    [
      [0xa8, 0, 255, 255, 255, 255, 255, 255, 255, 255],
      [5, 0x21, 0],
    ],
  ] as const) {
    driver.packet(packet)
    t.equal(driver.answer().status, READY | ERR)
    t.equal(driver.get(1), 0x50 | ABRT)
    t.equal(driver.get(2), END)
    t.same(driver.sense(), sense)
    t.same(driver.sense(), [0, 0, 0], 'and that only once')
  }
})

t.test('DEVICE RESET frees a drive that is busy', async (t) => {
  const driver = ready()
  driver.packet(read10(0, 1), 0, true)
  driver.ide.advance(MILLISECOND)
  t.equal(driver.alternate, BSY)
  driver.put(7, 0x08)
  t.equal(driver.alternate & BSY, 0)
  t.same(
    [2, 3, 4, 5].map((offset) => driver.get(offset)),
    [1, 1, 0x14, 0xeb],
  )
  driver.packet([0x00])
  t.equal(driver.answer().status, DRDY | DSC)
})

t.test('a state taken amid anything goes on as it would have', async (t) => {
  const run = (interruptAt: number) => {
    let driver = new CdDriver()
    let step = 0
    const next = () => {
      if (step++ === interruptAt) driver = new CdDriver(driver)
    }
    next()
    driver.sense()
    next()
    driver.put(4, 0)
    driver.put(5, 8)
    driver.put(7, 0xa0)
    const packet = Buffer.from([...read10(3, 2), 0, 0, 0])
    driver.writeData(packet.subarray(0, 6))
    next()
    driver.writeData(packet.subarray(6))
    next()
    driver.wait()
    const first = driver.readData(1000)
    next()
    const rest = driver.readData(1048)
    next()
    const { data, status } = driver.answer()
    return { steps: step, status, data: Buffer.concat([first, rest, data]).toString('hex') }
  }
  const whole = run(-1)
  t.equal(whole.data.length, 2 * 4096)
  for (let at = 0; at < whole.steps; at++) t.same(run(at), whole, `step ${at}`)
})

/**
 * Disks behind the PIIX4's channels, by register accesses alone: ATA/ATAPI-7's protocols, and the bus master's.
 */
import t from 'tap'
import type { IdeDrive } from './mod.ts'
import { ABRT, BSY, DRQ, Driver, ERR, IDNF, MILLISECOND, READY, SECTOR, STORAGE, sectorBytes } from './testing.ts'

const SECTORS = 40_000
const DRIVE = {
  media: 'disk',
  channel: 0,
  device: 0,
  sectors: SECTORS,
  serial: 'A1',
  model: 'Ananke disk',
  isReadOnly: false,
} as const satisfies IdeDrive

t.test('after power-on each drive shows its signature', async (t) => {
  const driver = new Driver([DRIVE])
  t.equal(driver.get(7), READY)
  t.same(
    [1, 2, 3, 4, 5].map((offset) => driver.get(offset)),
    [1, 1, 1, 0, 0],
  )
  t.equal(driver.irq, 0)
  driver.put(6, 0xf0)
  t.equal(driver.get(7), 0, 'device 0 answers for a device 1 that is not there')
  driver.channel = 'secondary'
  t.equal(driver.get(7) & BSY, 0, 'and nobody where there is none')
})

t.test('IDENTIFY DEVICE', async (t) => {
  const driver = new Driver([DRIVE])
  driver.command(0xec)
  t.equal(driver.alternate, BSY)
  t.equal(driver.irq, 0)
  driver.ide.advance(MILLISECOND)
  t.equal(driver.irq, 1)
  t.equal(driver.alternate, READY | DRQ)
  t.equal(driver.irq, 1, 'the alternate status acknowledges nothing')
  t.equal(driver.get(7), READY | DRQ)
  t.equal(driver.irq, 0)
  const words = driver.readData(SECTOR)
  t.equal(driver.get(7), READY)
  const text = (from: number, to: number) =>
    Buffer.from(words.subarray(2 * from, 2 * to))
      .swap16()
      .toString()
      .trim()
  t.equal(text(10, 20), 'A1')
  t.equal(text(27, 47), 'Ananke disk')
  t.equal(words.readUInt32LE(2 * 60), SECTORS)
  t.equal(words.readBigUInt64LE(2 * 100), BigInt(SECTORS))
  t.equal(
    words.reduce((sum, byte) => (sum + byte) & 0xff, 0),
    0,
    'the checksum',
  )
  t.equal(words.readUInt16LE(2 * 83) & 0xc400, 0x4400, '48-bit addresses')
})

for (const size of [2, 4] as const) {
  t.test(`sectors through the data port, ${size} bytes at a time`, async (t) => {
    const driver = new Driver([DRIVE])
    driver.command(0x20, 0x1234, 3)
    for (const sector of [0x1234, 0x1235, 0x1236]) {
      t.equal(driver.wait(), READY | DRQ)
      t.same(driver.readData(SECTOR, size), sectorBytes(sector))
    }
    t.equal(driver.get(7), READY)
    t.equal(driver.irq, 0, 'no interrupt after the last block is read')

    driver.command(0x30, 100, 2)
    t.equal(driver.get(7), READY | DRQ, 'the first block is asked for without an interrupt')
    driver.writeData(Buffer.alloc(SECTOR, 'ab'), size)
    t.equal(driver.alternate, BSY)
    driver.ide.advance(MILLISECOND)
    t.equal(driver.irq, 1)
    t.equal(driver.get(7), READY | DRQ)
    driver.writeData(Buffer.alloc(SECTOR, 'cd'), size)
    t.equal(driver.wait(), READY)
    t.same(
      driver.onDisk(99, 4),
      Buffer.concat([sectorBytes(99), Buffer.alloc(SECTOR, 'ab'), Buffer.alloc(SECTOR, 'cd'), sectorBytes(102)]),
    )
  })
}

t.test('several sectors a block', async (t) => {
  const driver = new Driver([DRIVE])
  driver.command(0xc4, 5, 4)
  t.equal(driver.wait(), READY | ERR, 'not before it was said how many')
  t.equal(driver.get(1), ABRT)
  driver.command(0xc5, 5, 4)
  t.equal(driver.wait(), READY | ERR)
  for (const count of [3, 32]) {
    driver.command(0xc6, 0, count)
    t.equal(driver.wait(), READY | ERR, `not ${count}`)
  }
  driver.command(0xc6, 0, 4)
  t.equal(driver.wait(), READY)
  driver.command(0xc4, 5, 6)
  t.equal(driver.wait(), READY | DRQ)
  t.same(driver.readData(4 * SECTOR), driver.onDisk(5, 4))
  t.equal(driver.wait(), READY | DRQ)
  t.same(driver.readData(2 * SECTOR), driver.onDisk(9, 2))
  t.equal(driver.get(7), READY)
  driver.command(0xc5, 50, 5)
  driver.writeData(Buffer.alloc(4 * SECTOR, 1))
  t.equal(driver.wait(), READY | DRQ)
  driver.writeData(Buffer.alloc(SECTOR, 2))
  t.equal(driver.wait(), READY)
  t.same(driver.onDisk(50, 5), Buffer.concat([Buffer.alloc(4 * SECTOR, 1), Buffer.alloc(SECTOR, 2)]))
  // A count of 0 is 256.
  driver.command(0xc4, 0, 0)
  let blocks = 0
  for (; (driver.wait() & DRQ) !== 0; blocks++) driver.readData(4 * SECTOR)
  t.equal(blocks, 64)
})

t.test('sectors by cylinder, head and sector', async (t) => {
  const driver = new Driver([DRIVE])
  const read = (cylinder: number, head: number, sector: number) => {
    for (const [offset, value] of [
      [2, 1],
      [3, sector],
      [4, cylinder & 0xff],
      [5, cylinder >> 8],
      [6, 0xa0 | head],
      [7, 0x20],
    ] as const)
      driver.put(offset, value)
    return driver.wait()
  }
  t.equal(read(2, 3, 4), READY | DRQ)
  t.same(driver.readData(SECTOR), sectorBytes((2 * 16 + 3) * 63 + 3))
  t.equal(read(0, 0, 0), READY | ERR, 'there is no sector 0')
  t.equal(driver.get(1), IDNF)
  // 8 heads and 32 sectors from now on.
  driver.put(2, 32)
  driver.put(6, 0xa7)
  driver.put(7, 0x91)
  t.equal(driver.wait(), READY)
  t.equal(read(2, 3, 4), READY | DRQ)
  t.same(driver.readData(SECTOR), sectorBytes((2 * 8 + 3) * 32 + 3))
  t.equal(read(0, 8, 1), READY | ERR)
})

t.test('addresses of 48 bits, and where the disk ends', async (t) => {
  const driver = new Driver([{ ...DRIVE, sectors: 70_000 }])
  driver.extended(0x24, 69_998, 2)
  t.equal(driver.wait(), READY | DRQ)
  t.same(driver.readData(SECTOR), sectorBytes(69_998))
  t.equal(driver.wait(), READY | DRQ)
  t.same(driver.readData(SECTOR), sectorBytes(69_999))
  for (const [lba, count] of [
    [69_999, 2],
    [70_000, 1],
    [2 ** 40, 1],
    [70_000 - 65_535, 0],
  ] as const) {
    driver.extended(0x24, lba, count)
    t.equal(driver.wait(), READY | ERR, `${count} at ${lba}`)
    t.equal(driver.get(1), IDNF)
  }
  driver.extended(0x42, 70_000 - 65_536, 0)
  t.equal(driver.wait(), READY, 'a count of 0 is 65,536')
  // What was written before is read while HOB is set, until something is written.
  driver.put(3, 0x12)
  driver.put(3, 0x34)
  t.equal(driver.get(3), 0x34)
  driver.control(0x80)
  t.equal(driver.get(3), 0x12)
  driver.put(2, 1)
  t.equal(driver.get(3), 0x34)
})

t.test('DMA, whichever of drive and bus master comes first', async (t) => {
  for (const busMasterFirst of [true, false]) {
    const driver = new Driver([DRIVE])
    driver.descriptors([
      [0x2000, 1024],
      [0x5000, 512],
    ])
    if (busMasterFirst) driver.startBusMaster(true)
    driver.command(0xc8, 77, 3)
    driver.ide.advance(MILLISECOND)
    if (!busMasterFirst) {
      t.equal(driver.irq, 0)
      t.equal(driver.alternate, BSY)
      driver.startBusMaster(true)
    }
    t.equal(driver.irq, 1)
    t.equal(driver.busMaster, 0x04, 'done, and the drive asked for an interrupt')
    t.equal(driver.get(7), READY)
    driver.stopBusMaster()
    t.same(Buffer.from(driver.ide.memory.slice(0x2000, 0x2400)), driver.onDisk(77, 2))
    t.same(Buffer.from(driver.ide.memory.slice(0x5000, 0x5200)), driver.onDisk(79))
    driver.ide.write('bus-master', 2, 0x04)
    t.equal(driver.busMaster, 0)

    driver.ide.memory.fill(0xee, 0x3000, 0x3200)
    driver.descriptors([[0x3000, 512]])
    driver.startBusMaster(false)
    driver.extended(0x35, 39_999, 1)
    t.equal(driver.wait(), READY)
    t.same(driver.onDisk(39_999), Buffer.alloc(SECTOR, 0xee))
  }
})

t.test('descriptors: 64 KiB, more than there is, and less', async (t) => {
  const driver = new Driver([DRIVE])
  driver.descriptors([[0, 0]])
  driver.startBusMaster(false)
  driver.command(0xca, 1000, 128)
  t.equal(driver.wait(), READY)
  t.same(driver.onDisk(1000, 128), Buffer.from(driver.ide.memory), '0 bytes are 64 KiB')
  t.equal(driver.busMaster, 0x04)
  driver.stopBusMaster()

  driver.descriptors([[0x2000, 2048]])
  driver.startBusMaster(true)
  driver.command(0xc8, 5, 1)
  t.equal(driver.wait(), READY)
  t.equal(driver.busMaster, 0x05, 'it stays active')
  t.same(Buffer.from(driver.ide.memory.slice(0x2000, 0x2200)), sectorBytes(5))
  driver.stopBusMaster()

  driver.descriptors([[0x4000, 512]])
  driver.startBusMaster(true)
  driver.command(0xc8, 9, 2)
  driver.ide.advance(1000 * MILLISECOND)
  t.equal(driver.busMaster, 0, 'it is done, and nobody asks for an interrupt')
  t.equal(driver.alternate, BSY, 'the drive waits for ever')
  driver.control(4)
  driver.control(0)
  t.equal(driver.wait(), READY, 'a reset frees it')
  t.equal(driver.irq, 0)
})

t.test('a bus master that may not use the bus, or is stopped, moves nothing', async (t) => {
  const driver = new Driver([DRIVE])
  driver.ide.write('config', 4, 1, 2)
  driver.descriptors([[0x2000, 512]])
  driver.startBusMaster(true)
  driver.command(0xc8, 5, 1)
  driver.ide.advance(MILLISECOND)
  t.equal(driver.alternate, BSY)
  driver.stopBusMaster()
  driver.ide.write('config', 4, 5, 2)
  driver.ide.advance(MILLISECOND)
  t.equal(driver.alternate, BSY)
  t.same(driver.ide.memory.slice(0x2000, 0x2200), new Uint8Array(SECTOR))
  driver.startBusMaster(true)
  t.equal(driver.wait(), READY)
})

t.test('commands without data', async (t) => {
  const driver = new Driver([DRIVE])
  for (const opcode of [0x10, 0x70, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6, 0xe7, 0xea]) {
    driver.command(opcode)
    t.equal(driver.irq, 0)
    driver.ide.advance(MILLISECOND)
    t.equal(driver.irq, 1, opcode.toString(16))
    t.equal(driver.get(7), READY)
  }
  driver.command(0xe5)
  driver.wait()
  t.equal(driver.get(2), 0xff, 'it woke up')
  driver.command(0xe0)
  driver.wait()
  driver.command(0xe5)
  driver.wait()
  t.equal(driver.get(2), 0)
  for (const opcode of [0x00, 0x08, 0xa0, 0xa1, 0xb0, 0xf5]) {
    driver.command(opcode)
    t.equal(driver.wait(), READY | ERR, opcode.toString(16))
    t.equal(driver.get(1), ABRT)
  }
  const feature = (number: number, value = 0) => {
    driver.put(1, number)
    driver.command(0xef, 0, value)
    return driver.wait()
  }
  const identified = (word: number) => {
    driver.command(0xec)
    driver.wait()
    return driver.readData(SECTOR).readUInt16LE(2 * word)
  }
  t.equal(feature(0x82), READY)
  t.equal(identified(85) & 0x60, 0x40, 'no write cache')
  t.equal(feature(0x55), READY)
  t.equal(identified(85) & 0x60, 0)
  t.equal(feature(0x03, 0x42), READY)
  t.equal(identified(88) >> 8, 4, 'Ultra DMA 2')
  t.equal(feature(0x03, 0x21), READY)
  t.same([identified(63) >> 8, identified(88) >> 8], [2, 0], 'multiword DMA 1')
  t.equal(feature(0x03, 0x47), READY | ERR)
  t.equal(feature(0x10), READY | ERR)
})

t.test('two drives', async (t) => {
  const driver = new Driver([DRIVE, { ...DRIVE, device: 1, serial: 'B2', sectors: 1000 }, { ...DRIVE, channel: 1 }])
  const second = driver.ide.ownMemory.get(STORAGE + 1)!
  second.fill(7)
  driver.command(0x20, 3, 1, 1)
  t.equal(driver.wait(), READY | DRQ)
  t.same(driver.readData(SECTOR), Buffer.alloc(SECTOR, 7))
  driver.command(0x20, 1000, 1, 1)
  t.equal(driver.wait(), READY | ERR)
  // An interrupt is the selected drive's.
  driver.command(0xe7, 0, 0, 1)
  driver.put(6, 0xe0)
  driver.ide.advance(MILLISECOND)
  t.equal(driver.irq, 0)
  driver.put(6, 0xf0)
  t.equal(driver.irq, 1)
  t.equal(driver.get(7), READY)
  t.equal(driver.irq, 0)
  // A diagnostic is both drives', and device 0 answers.
  driver.command(0x90, 0, 0, 1)
  t.equal(driver.wait(), READY)
  t.same(
    [1, 2, 3, 4, 5, 6].map((offset) => driver.get(offset)),
    [1, 1, 1, 0, 0, 0xa0],
  )
  driver.channel = 'secondary'
  driver.command(0x20, 9, 1)
  t.equal(driver.ide.line('irq15'), 0)
  t.equal(driver.wait(), READY | DRQ)
  t.same(driver.readData(SECTOR), sectorBytes(9))
})

t.test('nIEN and resets by software', async (t) => {
  const driver = new Driver([DRIVE])
  driver.control(2)
  driver.command(0xe7)
  driver.ide.advance(MILLISECOND)
  t.equal(driver.irq, 0)
  driver.control(0)
  t.equal(driver.irq, 1)
  driver.command(0xc6, 0, 8)
  driver.wait()
  driver.command(0x20, 0, 1)
  driver.control(4)
  t.equal(driver.alternate, BSY)
  driver.put(2, 0x55)
  driver.ide.advance(MILLISECOND)
  t.equal(driver.alternate, BSY, 'as long as the bit is set')
  driver.control(0)
  t.equal(driver.get(7), READY)
  t.same(
    [1, 2, 3, 4, 5].map((offset) => driver.get(offset)),
    [1, 1, 1, 0, 0],
  )
  driver.command(0xc4, 0, 8)
  t.equal(driver.wait(), READY | DRQ, 'what was set stays')
})

t.test('a drive that is busy takes no command, and one that is read-only no data', async (t) => {
  const driver = new Driver([DRIVE])
  driver.command(0x20, 3, 1)
  driver.command(0x20, 9, 1)
  t.equal(driver.wait(), READY | DRQ)
  t.same(driver.readData(SECTOR), sectorBytes(3))
  const protectedDriver = new Driver([{ ...DRIVE, isReadOnly: true }])
  for (const opcode of [0x30, 0xca]) {
    protectedDriver.command(opcode, 3, 1)
    t.equal(protectedDriver.wait(), READY | ERR)
    t.equal(protectedDriver.get(1), ABRT)
  }
  protectedDriver.command(0x20, 3, 1)
  t.equal(protectedDriver.wait(), READY | DRQ)
})

t.test('a state taken amid anything goes on as it would have', async (t) => {
  const run = (interruptAt: number) => {
    let driver = new Driver([DRIVE])
    let step = 0
    const seen: number[] = []
    const next = () => {
      if (step++ === interruptAt) driver = new Driver([DRIVE], driver)
    }
    driver.command(0x30, 7, 2)
    for (let word = 0; word < 256; word++) {
      if (word % 64 === 0) next()
      driver.ide.write('primary-command', 0, word, 2)
    }
    next()
    seen.push(driver.wait())
    driver.writeData(Buffer.alloc(SECTOR, 3))
    next()
    seen.push(driver.wait())
    driver.descriptors([[0x2000, 1024]])
    driver.startBusMaster(true)
    next()
    driver.command(0xc8, 7, 2)
    next()
    seen.push(driver.wait(), driver.busMaster)
    return { seen, steps: step, memory: Buffer.from(driver.ide.memory).toString('hex') }
  }
  const whole = run(-1)
  t.same(whole.seen, [READY | DRQ, READY, READY, 0x04])
  for (let at = 0; at < whole.steps; at++) t.same(run(at), whole, `step ${at}`)
})

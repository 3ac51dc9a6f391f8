/**
 * The Am79C973 by register accesses and descriptors alone, in each layout of these.
 */
import { crc32 } from 'node:zlib'
import t from 'tap'
import { NEVER } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { linkInput } from '../ethernet/mod.ts'
import { pcnet } from './pcnet.ts'

const ADDRESS = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]
const [RDP, RAP, RESET, BDP] = [0x10, 0x12, 0x14, 0x16]
const [MISS, RINT, TINT, IDON, INTR, IENA, RXON, TXON, TDMD, STOP, STRT, INIT] = [
  0x1000, 0x0400, 0x0200, 0x0100, 0x80, 0x40, 0x20, 0x10, 8, 4, 2, 1,
]
const [OWN, ERR, STP, ENP, BUFF, PAM, LAFM, BAM] = [0x8000, 0x4000, 0x0200, 0x0100, 0x0400, 0x40, 0x20, 0x10]

const [BLOCK, RECEIVE, TRANSMIT, BUFFERS] = [0x1000, 0x2000, 0x3000, 0x4000]
const BUFFER_BYTES = 1600
const RING = 4

type Style = 0 | 2 | 3

/** A driver with four descriptors in each ring, in layout `style`. */
class Driver {
  readonly nic: DeviceBench<{ address: number[] }>
  readonly style: Style
  readonly memory: Buffer

  constructor(style: Style = 2, restored?: Driver) {
    this.style = style
    this.nic = new DeviceBench(pcnet, { address: ADDRESS }, {}, restored?.nic.save())
    if (restored !== undefined) this.nic.memory.set(restored.nic.memory)
    this.memory = Buffer.from(this.nic.memory.buffer)
  }

  csr(number: number): number {
    this.nic.write('io', RAP, number, 2)
    return this.nic.read('io', RDP, 2)
  }

  setCsr(number: number, value: number): void {
    this.nic.write('io', RAP, number, 2)
    this.nic.write('io', RDP, value, 2)
  }

  bcr(number: number): number {
    this.nic.write('io', RAP, number, 2)
    return this.nic.read('io', BDP, 2)
  }

  setBcr(number: number, value: number): void {
    this.nic.write('io', RAP, number, 2)
    this.nic.write('io', BDP, value, 2)
  }

  get status(): number {
    return this.csr(0)
  }

  get irq(): 0 | 1 {
    return this.nic.line('inta')
  }

  /** Rings, and the block that says where they are. */
  start(mode = 0, filter: readonly number[] = []): this {
    this.setBcr(20, this.style)
    const block = this.memory.subarray(BLOCK, BLOCK + 28).fill(0)
    const wide = this.style !== 0
    block.writeUInt16LE(mode, 0)
    block.set(ADDRESS, wide ? 4 : 2)
    block.set(filter, wide ? 12 : 8)
    if (wide) {
      block[2] = 2 << 4
      block[3] = 2 << 4
      block.writeUInt32LE(RECEIVE, 20)
      block.writeUInt32LE(TRANSMIT, 24)
    } else {
      block.writeUInt32LE(RECEIVE + 2 * 2 ** 29, 16)
      block.writeUInt32LE(TRANSMIT + 2 * 2 ** 29, 20)
    }
    for (let i = 0; i < RING; i++) {
      this.describe(RECEIVE, i, OWN, BUFFER_BYTES)
      this.describe(TRANSMIT, i, 0, BUFFER_BYTES)
    }
    this.setCsr(1, BLOCK)
    this.setCsr(2, 0)
    this.setCsr(0, INIT)
    this.setCsr(0, STRT | IDON)
    return this
  }

  buffer(ring: number, i: number): number {
    return BUFFERS + (ring === RECEIVE ? 0 : RING * BUFFER_BYTES) + i * BUFFER_BYTES
  }

  describe(ring: number, i: number, flags: number, bytes: number): void {
    const at = ring + i * (this.style === 0 ? 8 : 16)
    const address = this.buffer(ring, i)
    const words = this.memory.subarray(at)
    words.writeUInt16LE(-bytes & 0xffff, 4)
    if (this.style === 0) {
      words.writeUInt16LE(address & 0xffff, 0)
      words.writeUInt16LE(flags | (address >> 16), 2)
    } else {
      words.writeUInt16LE(flags, 6)
      words.writeUInt32LE(address, this.style === 2 ? 0 : 8)
    }
  }

  flags(ring: number, i: number): number {
    const at = ring + i * (this.style === 0 ? 8 : 16)
    return this.memory.readUInt16LE(at + (this.style === 0 ? 2 : 6)) & 0xfff0
  }

  /** Of a received frame. */
  length(i: number): number {
    const at = RECEIVE + i * (this.style === 0 ? 8 : 16)
    return this.memory.readUInt16LE(at + (this.style === 0 ? 6 : this.style === 2 ? 8 : 0)) & 0xfff
  }

  received(i: number, bytes: number): Buffer {
    const at = this.buffer(RECEIVE, i)
    return Buffer.from(this.memory.subarray(at, at + bytes))
  }

  put(i: number, bytes: Buffer, flags = OWN | STP | ENP): void {
    this.memory.set(bytes, this.buffer(TRANSMIT, i))
    this.describe(TRANSMIT, i, flags, bytes.length)
  }

  /** Frames come, as fast as a wire brings them. */
  hear(...frames: readonly Uint8Array[]): void {
    for (const bytes of frames) this.nic.input(bytes)
    this.nic.advance(1_000_000)
  }

  get sent(): Buffer[] {
    return this.nic.outputs.map(({ bytes }) => Buffer.from(bytes))
  }
}

/** A frame of so many bytes to somebody. */
function frame(to: readonly number[], bytes: number): Buffer {
  const made = Buffer.alloc(bytes)
  for (let i = 0; i < bytes; i++) made[i] = i * 5
  made.set(to)
  return made
}

/** As it is received: padded, and with its check sequence. */
function whole(sent: Buffer): Buffer {
  const padded = Buffer.concat([sent, Buffer.alloc(Math.max(0, 60 - sent.length))])
  const check = Buffer.alloc(4)
  check.writeUInt32LE(crc32(padded))
  return Buffer.concat([padded, check])
}

const ALL = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]

t.test('what a driver finds out about it', async (t) => {
  const driver = new Driver()
  const { nic } = driver
  t.equal(nic.read('config', 0, 4), 0x20001022)
  t.equal(nic.read('config', 0x3d), 1)
  t.equal(driver.status, STOP)
  t.equal(driver.csr(88), 0x5003)
  t.equal(driver.csr(89), 0x0262)
  t.same(
    [0, 1, 2, 3, 4, 5].map((at) => nic.read('io', at)),
    ADDRESS,
  )
  t.equal(nic.read('io', 14, 2), 0x5757)
  const sum = [...Array(12).keys(), 14, 15].reduce((total, at) => total + nic.read('io', at), 0)
  t.equal(nic.read('io', 12, 2), sum)
  t.same(
    [12, 13, 14].map((number) => driver.csr(number)),
    [0x5452, 0x1200, 0x5634],
  )
  const mii = (phy: number, register: number) => {
    driver.setBcr(33, (phy << 5) | register)
    return driver.bcr(34)
  }
  t.equal(mii(30, 1) & 0x24, 0x24, 'the link is up, and both ends agreed')
  t.equal(mii(30, 5), 0x45e1)
  t.equal(mii(1, 1), 0xffff, 'nobody else is there')
  driver.setBcr(33, 30 << 5)
  driver.setBcr(34, 0xb300)
  t.equal(driver.bcr(34), 0x3100, 'a reset is over at once')
})

t.test('accesses of 32 bits, once software has made one', async (t) => {
  const { nic } = new Driver()
  nic.write('memory', 0x10, 0, 4)
  nic.write('memory', 0x14, 88, 4)
  t.equal(nic.read('memory', 0x14, 4), 88)
  t.equal(nic.read('memory', 0x10, 4), 0x5003)
  nic.write('memory', 0x14, 20, 4)
  nic.write('memory', 0x1c, 2, 4)
  t.equal(nic.read('memory', 0x1c, 4), 0x0102, 'with structures of 32 bits comes SSIZE32')
  nic.read('memory', 0x18, 4)
  t.equal(nic.read('memory', 0x14, 4), 0, 'a reset')
  nic.write('memory', 0x14, 58, 4)
  t.equal(nic.read('memory', 0x10, 4), 0x0102, 'which leaves what is of the bus')
})

for (const style of [0, 2, 3] as const) {
  t.test(`descriptors of style ${style}`, async (t) => {
    const driver = new Driver(style).start()
    t.equal(driver.status & (RXON | TXON | STRT | INIT | STOP), RXON | TXON | STRT | INIT)
    const first = frame(ALL, 60)
    const second = frame(ADDRESS, 1514)
    driver.put(0, first)
    driver.put(1, second.subarray(0, 1000), OWN | STP)
    driver.put(2, second.subarray(1000), OWN | ENP)
    driver.setCsr(0, TDMD)
    t.same(driver.sent, [first, second], 'one of two buffers among them')
    t.same(
      [0, 1, 2].map((i) => driver.flags(TRANSMIT, i)),
      [STP | ENP, STP, ENP],
    )
    t.equal(driver.status & TINT, TINT)
    // Round the ring.
    for (const i of [3, 0, 1]) {
      driver.put(i, frame(ALL, 100 + i))
      driver.setCsr(0, TDMD)
    }
    t.same(
      driver.sent.slice(2).map(({ length }) => length),
      [103, 100, 101],
    )

    for (const [i, bytes] of [1514, 60, 42, 900, 77].entries()) {
      const sent = frame(ADDRESS, bytes)
      driver.hear(sent)
      const got = whole(sent)
      // There is no room in 16 bits for whom it was for.
      t.equal(driver.flags(RECEIVE, i % RING), STP | ENP | (style === 0 ? 0 : PAM))
      t.equal(driver.length(i % RING), got.length)
      t.same(driver.received(i % RING, got.length), got, `${bytes} bytes`)
      driver.describe(RECEIVE, i % RING, OWN, BUFFER_BYTES)
    }
  })
}

t.test('a frame in several buffers, and one for which there are too few', async (t) => {
  const driver = new Driver().start()
  for (let i = 0; i < RING; i++) driver.describe(RECEIVE, i, i < 3 ? OWN : 0, 128)
  const sent = frame(ADDRESS, 300)
  driver.hear(sent)
  const got = whole(sent)
  t.same(
    [0, 1, 2].map((i) => driver.flags(RECEIVE, i)),
    [STP, 0, ENP | PAM],
  )
  t.equal(driver.length(2), 304)
  t.same(Buffer.concat([driver.received(0, 128), driver.received(1, 128), driver.received(2, 48)]), got)
  t.equal(driver.status & (RINT | MISS), RINT)
  driver.hear(sent)
  t.equal(driver.status & MISS, MISS, 'there is no buffer')
  t.equal(driver.csr(112), 1)
  driver.describe(RECEIVE, 3, OWN, 128)
  driver.hear(sent)
  t.equal(driver.flags(RECEIVE, 3), STP | ENP | ERR | BUFF, 'there is one')
  t.equal(driver.csr(112), 1)
})

t.test('whom a frame is for', async (t) => {
  const group = [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb]
  // As drivers work it out: the upper six bits of the check sequence, not inverted.
  const bit = (~crc32(Buffer.from(group)) >>> 26) & 63
  const filter = Array.from({ length: 8 }, (_, i) => (i === bit >> 3 ? 1 << (bit & 7) : 0))
  const taken = (mode: number, to: readonly number[], some: readonly number[] = []) => {
    const driver = new Driver().start(mode, some)
    driver.hear(frame(to, 64))
    const flags = driver.flags(RECEIVE, 0)
    return flags & OWN ? undefined : flags & ~(STP | ENP)
  }
  const other = [0x52, 0x54, 0, 0x12, 0x34, 0x57]
  const [PROM, DRCVBC, DRCVPA, DRX] = [0x8000, 0x4000, 0x2000, 1]
  t.equal(taken(0, ADDRESS), PAM)
  t.equal(taken(0, other), undefined)
  t.equal(taken(PROM, other), 0)
  t.equal(taken(DRCVPA, ADDRESS), undefined)
  t.equal(taken(0, ALL), BAM)
  t.equal(taken(DRCVBC, ALL), undefined)
  t.equal(taken(0, group), undefined)
  t.equal(taken(0, group, filter), LAFM)
  t.equal(taken(0, [0x01, 0, 0x5e, 0, 0, 0xfc], filter), undefined)
  t.equal(taken(PROM, group), 0)
  t.equal(taken(DRX, ADDRESS), undefined, 'the receiver is off')
  const driver = new Driver().start()
  for (const bytes of [0, 5, 13, 5000]) driver.hear(frame(ADDRESS.slice(0, bytes), bytes))
  t.equal(driver.flags(RECEIVE, 0), OWN, 'what is no frame')
})

t.test('interrupts', async (t) => {
  const driver = new Driver().start()
  driver.hear(frame(ADDRESS, 64))
  t.equal(driver.status & (RINT | INTR), RINT | INTR)
  t.equal(driver.irq, 0, 'not enabled')
  driver.setCsr(0, IENA)
  t.equal(driver.irq, 1)
  driver.setCsr(3, RINT)
  t.equal(driver.irq, 0, 'masked')
  driver.setCsr(3, 0)
  driver.setCsr(0, IENA | RINT)
  t.equal(driver.irq, 0, 'acknowledged')
  t.equal(driver.status & (RINT | INTR), 0)
  driver.put(0, frame(ALL, 60))
  driver.setCsr(0, IENA | TDMD)
  t.equal(driver.irq, 1)
  driver.setCsr(0, STOP)
  t.equal(driver.irq, 0)
  t.equal(driver.status, STOP)
  driver.hear(frame(ADDRESS, 64))
  t.equal(driver.flags(RECEIVE, 1), OWN, 'it is stopped')
})

t.test('while it is suspended its registers are open, and nothing moves', async (t) => {
  const driver = new Driver().start()
  driver.setCsr(15, 0x8000)
  t.equal(driver.csr(15), 0, 'not while it runs')
  t.equal(driver.nic.unhandled.length, 1)
  driver.setCsr(5, 1)
  t.equal(driver.csr(5), 1)
  driver.setCsr(15, 0x8000)
  driver.put(0, frame(ALL, 60))
  driver.setCsr(0, TDMD)
  driver.hear(frame(ADDRESS, 64))
  t.same([driver.sent.length, driver.flags(RECEIVE, 0)], [0, OWN])
  driver.setCsr(5, 0)
  t.equal(driver.sent.length, 1, 'what was put there meanwhile is sent')
  driver.hear(frame([0, 1, 2, 3, 4, 5], 64))
  t.equal(driver.flags(RECEIVE, 0), STP | ENP)
})

t.test("a reset leaves where its block is, which Linux's self-test relies on", async (t) => {
  const driver = new Driver().start()
  driver.nic.read('io', RESET, 2)
  t.equal(driver.status, STOP)
  t.same([driver.csr(1), driver.csr(2)], [BLOCK, 0])
  driver.setCsr(0, INIT)
  t.equal(driver.status & (IDON | INIT), IDON | INIT)
  t.same(
    [12, 13, 14].map((number) => driver.csr(number)),
    [0x5452, 0x1200, 0x5634],
  )
  t.equal(driver.csr(24), RECEIVE, 'the ring that the block names')
})

t.test('what it sends it hears, in loopback, and nobody else does', async (t) => {
  const driver = new Driver().start(0x0004)
  driver.put(0, frame(ADDRESS, 99))
  driver.setCsr(0, TDMD)
  t.same(driver.sent, [])
  t.same(driver.received(0, 103), whole(frame(ADDRESS, 99)))
  driver.hear(frame(ADDRESS, 64))
  t.equal(driver.flags(RECEIVE, 1), OWN)
})

for (const style of [0, 2, 3] as const) {
  t.test(`a link that goes down, with descriptors of style ${style}`, async (t) => {
    const driver = new Driver(style).start()
    const mii = (register: number) => {
      driver.setBcr(33, (30 << 5) | register)
      return driver.bcr(34)
    }
    driver.nic.input(linkInput(true))
    t.equal(mii(1), 0x782d)
    t.equal(driver.nic.lastData?.validUntil, NEVER)
    t.equal(driver.bcr(4), 0x80c0, 'it was up')

    driver.nic.input(linkInput(false))
    driver.nic.input(linkInput(true))
    t.equal(mii(1), 0x7829, 'that it went down stands there until it is read')
    t.equal(driver.nic.lastData?.validUntil, 0)
    t.equal(driver.bcr(4), 0x80c0, 'while a diode shows how it is')
    t.equal(mii(1), 0x782d)

    driver.nic.input(linkInput(false))
    t.same([mii(1), mii(1), mii(5), mii(6)], [0x7809, 0x7809, 0, 0])
    t.equal(driver.nic.lastData?.validUntil, NEVER)
    t.same([driver.bcr(4), driver.bcr(5)], [0x00c0, 0x0084])
    driver.hear(frame(ADDRESS, 64))
    t.equal(driver.flags(RECEIVE, 0), OWN, 'nothing comes')
    driver.put(0, frame(ALL, 60), OWN | STP)
    driver.put(1, frame(ALL, 60), OWN | ENP)
    driver.setCsr(0, TDMD)
    t.same(driver.sent, [], 'nothing leaves')
    t.equal(driver.status & (TINT | TXON), TINT | TXON)
    t.same([driver.flags(TRANSMIT, 0), driver.flags(TRANSMIT, 1)], [STP, ERR | ENP])
    const status = TRANSMIT + (style === 0 ? 8 + 6 : style === 2 ? 16 + 8 + 2 : 16 + 2)
    t.equal(driver.memory.readUInt16LE(status), 0x0800, 'LCAR')

    driver.nic.input(linkInput(true))
    driver.put(2, frame(ALL, 60))
    driver.setCsr(0, TDMD)
    t.equal(driver.sent.length, 1)
    t.equal(driver.flags(TRANSMIT, 2), STP | ENP)
  })
}

t.test('a link down is no matter to loopback, nor to a reset', async (t) => {
  const driver = new Driver().start(0x0004)
  driver.nic.input(linkInput(false))
  driver.put(0, frame(ADDRESS, 99))
  driver.setCsr(0, TDMD)
  t.equal(driver.flags(TRANSMIT, 0), STP | ENP)
  t.equal(driver.flags(RECEIVE, 0), STP | ENP | PAM)
  driver.nic.reset()
  t.equal(driver.bcr(4), 0x00c0)
})

t.test('the link interrupts where software has its status watched', async (t) => {
  const [MAPINT, MAPINTE, APEP] = [0x80, 0x40, 0x0800]
  const driver = new Driver().start()
  driver.setCsr(0, IENA)
  driver.setCsr(7, MAPINTE)
  driver.nic.input(linkInput(false))
  t.same([driver.csr(7), driver.irq], [MAPINTE, 0], 'it is not')
  driver.setBcr(32, 0x0400 | APEP)
  driver.nic.input(linkInput(false))
  t.same([driver.csr(7), driver.irq], [MAPINTE, 0], 'it has not changed')
  driver.nic.input(linkInput(true))
  t.same([driver.csr(7), driver.irq, driver.status & INTR], [MAPINT | MAPINTE, 1, INTR])
  driver.setCsr(7, MAPINTE)
  t.equal(driver.irq, 1, 'it is not acknowledged')
  t.same(driver.nic.unhandled, [])
  driver.setCsr(7, 0x0100)
  t.equal(driver.irq, 0, 'not enabled')
  t.equal(driver.nic.unhandled.length, 1, 'another one is')
  driver.setCsr(7, MAPINT | MAPINTE)
  t.same([driver.csr(7), driver.irq], [MAPINTE, 0])
})

t.test('frames without an end, and descriptors that are all its own', async (t) => {
  const driver = new Driver().start()
  for (let i = 0; i < RING; i++) driver.put(i, frame(ALL, 1500), i === 0 ? OWN | STP : OWN)
  driver.setCsr(0, TDMD)
  t.same(driver.sent, [])
  for (let i = 0; i < RING; i++) driver.put(i, frame(ALL, 1500), i === 0 ? OWN | STP : i === 3 ? OWN | ENP : OWN)
  driver.setCsr(0, TDMD)
  t.equal(driver.status & 0x4000, 0x4000, 'BABL: it is too long')
  t.same(driver.sent, [])
})

t.test('frames that come all at once are taken as a wire brings them', async (t) => {
  const driver = new Driver().start()
  driver.nic.advanceTo(4_000_000)
  const came: number[] = []
  for (let i = 0; i < 3 * RING; i++) driver.nic.input(frame(ADDRESS, i === 1 ? 1514 : 60))
  for (let i = 0; i < 3 * RING; i++) {
    if (i > 0) driver.nic.advanceTo(driver.nic.due)
    t.equal(driver.flags(RECEIVE, i % RING), STP | ENP | PAM)
    came.push(driver.nic.now - 4_000_000)
    driver.describe(RECEIVE, i % RING, OWN, BUFFER_BYTES)
  }
  const [short, long] = [6720, 123_040]
  t.same(came, [0, long, ...Array.from({ length: 10 }, (_, i) => long + (i + 1) * short)])
  t.equal(driver.status & MISS, 0, 'in a ring of four a driver has room for all of them')
  t.equal(driver.nic.due, NEVER)
})

t.test('what is on its way is lost with the link, and in a reset', async (t) => {
  for (const lose of ['link', 'reset'] as const) {
    const driver = new Driver().start()
    driver.nic.advanceTo(4_000_000)
    for (let i = 0; i < 3; i++) driver.nic.input(frame(ADDRESS, 60))
    t.not(driver.nic.due, NEVER)
    if (lose === 'reset') driver.nic.reset()
    else driver.nic.input(linkInput(false))
    t.equal(driver.nic.due, NEVER)
    driver.nic.advance(1_000_000)
    t.equal(driver.flags(RECEIVE, 1), OWN)
  }
})

t.test('a state goes on as it would have', async (t) => {
  const one = new Driver().start()
  for (const bytes of [64, 1000, 61]) one.nic.input(frame(ADDRESS, bytes))
  one.put(0, frame(ALL, 60))
  const other = new Driver(2, one)
  for (const driver of [one, other]) {
    driver.setCsr(0, TDMD)
    driver.hear(frame(ALL, 70))
  }
  t.same(other.nic.save(), one.nic.save())
  t.same(other.sent, one.sent)
  t.ok(other.memory.equals(one.memory))
  t.equal(other.nic.read('io', RESET, 2), 0)
  t.equal(other.status, STOP)
})

/**
 * The RTL8139C by register accesses, its ring of bytes and its four buffers alone.
 */
import { crc32 } from 'node:zlib'
import t from 'tap'
import { NEVER } from '../../bus/mod.ts'
import { DeviceBench } from '../../bus/testing.ts'
import { linkInput } from '../ethernet/mod.ts'
import { rtl8139 } from './rtl8139.ts'

const ADDRESS = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]
const ALL = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
const [IDR, MAR, TSD, TSAD, RBSTART, CR, CAPR, CBR] = [0, 8, 0x10, 0x20, 0x30, 0x37, 0x38, 0x3a]
const [IMR, ISR, TCR, RCR, TCTR, MPC, CR9346, TIMERINT, MSR, RERID] = [
  0x3c, 0x3e, 0x40, 0x44, 0x48, 0x4c, 0x50, 0x54, 0x58, 0x5e,
]
const [CONFIG1, CONFIG3, CONFIG4, CONFIG5, STATUS_OF_ALL, BMCR, BMSR, ANAR, ANLPAR, CSCR] = [
  0x52, 0x59, 0x5a, 0xd8, 0x60, 0x62, 0x64, 0x66, 0x68, 0x74,
]
const [RST, RE, TE, BUFE] = [0x10, 8, 4, 1]
const [TIME_OUT, LINK_CHG, RXOVW, TER, TOK, ROK] = [0x4000, 0x20, 0x10, 8, 4, 1]
const [OWN, SENT, ABORTED, NO_CARRIER] = [0x2000, 0x8000, 0x4000_0000, 0x8000_0000]
const [AAP, APM, AM, AB, AR, WRAP] = [1, 2, 4, 8, 16, 0x80]
const [LOOPBACK, NO_CRC] = [0x0006_0000, 0x0001_0000]
const [CONFIG_WRITE, NORMAL] = [0xc0, 0]
const VERSION = 0x7400_0000
const DRIVER_RCR = 0xe700 | WRAP | AB | APM

/** A ring of 8 KiB, with what may go on behind it, and the four buffers. */
const [RING, SEND] = [0x4000, 0xc000]
const RING_BYTES = 8192
const BUFFER_BYTES = 0x800

class Driver {
  readonly nic: DeviceBench<{ address: number[] }>
  readonly memory: Buffer
  /** Where the next frame begins. */
  at = 0
  readonly region: 'io' | 'memory'

  constructor(region: 'io' | 'memory' = 'io', restored?: Driver) {
    this.region = region
    this.nic = new DeviceBench(rtl8139, { address: ADDRESS }, {}, restored?.nic.save())
    if (restored !== undefined) this.nic.memory.set(restored.nic.memory)
    this.memory = Buffer.from(this.nic.memory.buffer)
  }

  get(register: number, size: 1 | 2 | 4 = 4): number {
    return this.nic.read(this.region, register, size)
  }

  set(register: number, value: number, size: 1 | 2 | 4 = 4): void {
    this.nic.write(this.region, register, value, size)
  }

  start(rcr = DRIVER_RCR, tcr = 0x0300_0600): this {
    this.set(CR, RST, 1)
    this.set(RBSTART, RING)
    this.set(CR, RE | TE, 1)
    this.set(RCR, rcr)
    this.set(TCR, tcr)
    for (let i = 0; i < 4; i++) this.set(TSAD + 4 * i, SEND + i * BUFFER_BYTES)
    this.at = 0
    this.memory.fill(0xee, RING)
    return this
  }

  /** Frames come, as fast as a wire brings them. */
  hear(...frames: readonly Uint8Array[]): void {
    for (const bytes of frames) this.nic.input(bytes)
    this.nic.advance(1_000_000)
  }

  put(i: number, bytes: Uint8Array): void {
    this.memory.set(bytes, SEND + i * BUFFER_BYTES)
    this.set(TSD + 4 * i, bytes.length | 0x0008_0000)
  }

  get isEmpty(): boolean {
    return (this.get(CR, 1) & BUFE) !== 0
  }

  /** Reads a frame and goes on behind it, as drivers do. */
  take({ bytes = RING_BYTES, wraps = false } = {}): { status: number; frame: Buffer } {
    const status = this.memory.readUInt16LE(RING + this.at)
    const length = this.memory.readUInt16LE(RING + this.at + 2)
    const parts = Array.from({ length }, (_, i) => {
      const place = this.at + 4 + i
      return this.memory[RING + (wraps ? place % bytes : place)]!
    })
    this.at = ((this.at + length + 4 + 3) & ~3) % bytes
    this.set(CAPR, (this.at - 16) & 0xffff, 2)
    return { status, frame: Buffer.from(parts) }
  }

  get sent(): Buffer[] {
    return this.nic.outputs.map(({ bytes }) => Buffer.from(bytes))
  }

  /** Bits into the EEPROM, one out for each. */
  #clock(bits: string): string {
    let out = ''
    for (const bit of bits) {
      const data = bit === '1' ? 0x82 : 0x80
      this.set(CR9346, data | 8, 1)
      this.set(CR9346, data | 12, 1)
      out += this.get(CR9346, 1) & 1
    }
    return out
  }

  /** A command, and bits that come out behind it. */
  eeprom(command: string, outBits = 0): string {
    this.set(CR9346, 0x80, 1)
    this.set(CR9346, 0x88, 1)
    this.#clock(command)
    const out = this.#clock('0'.repeat(outBits))
    this.set(CR9346, NORMAL, 1)
    return out
  }

  eepromWord(address: number, addressBits = 6): number {
    return Number.parseInt(this.eeprom(`00110${binary(address, addressBits)}`, 16), 2)
  }
}

const binary = (value: number, bits: number) => value.toString(2).padStart(bits, '0')

/** A frame of so many bytes to somebody. */
function frame(to: readonly number[], bytes: number): Buffer {
  const made = Buffer.alloc(bytes)
  for (let i = 0; i < bytes; i++) made[i] = i * 5
  made.set(to)
  return made
}

function check(bytes: Uint8Array): Buffer {
  const sequence = Buffer.alloc(4)
  sequence.writeUInt32LE(crc32(bytes))
  return sequence
}

/** As it is received: padded, and with its check sequence. */
function whole(sent: Buffer): Buffer {
  const padded = Buffer.concat([sent, Buffer.alloc(Math.max(0, 60 - sent.length))])
  return Buffer.concat([padded, check(padded)])
}

t.test('what a driver finds out about it', async (t) => {
  const driver = new Driver()
  const { nic } = driver
  t.equal(nic.read('config', 0, 4), 0x8139_10ec)
  t.equal(nic.read('config', 8, 4), 0x0200_0010, 'an 8139C, for which 8139too is')
  t.equal(nic.read('config', 0x2c, 4), 0x8139_10ec)
  t.equal(nic.read('config', 0x3d), 1)
  for (const bar of [0x10, 0x14]) {
    nic.write('config', bar, 0xffff_ffff, 4)
    t.equal(nic.read('config', bar, 4) & 0xffff_fff0, -256)
  }
  t.equal(driver.get(TCR), VERSION)
  t.equal(driver.get(RERID, 1), 0x10)
  t.equal(driver.get(CR, 1), BUFE)
  t.same([driver.get(CAPR, 2), driver.get(CBR, 2)], [0xfff0, 0])
  t.same([driver.get(CONFIG1, 1), driver.get(CONFIG3, 1), driver.get(MSR, 1)], [0x0c, 0x01, 0xd0])
  t.equal(driver.get(STATUS_OF_ALL, 2), 0x000f)
  t.same(
    [0, 1, 2, 3].map((i) => driver.get(TSD + 4 * i)),
    [OWN, OWN, OWN, OWN],
  )
  t.same(
    [0, 1, 2, 3, 4, 5, 6, 7].map((at) => driver.get(IDR + at, 1)),
    [...ADDRESS, 0, 0],
  )
  t.same([driver.get(IDR), driver.get(IDR + 4)], [0x1200_5452, 0x5634])
  t.same([driver.get(BMSR, 2), driver.get(ANLPAR, 2)], [0x782d, 0x45e1])
  t.same(nic.unhandled, [])
})

t.test('the EEPROM, bit by bit', async (t) => {
  const driver = new Driver()
  t.not(driver.eepromWord(0, 8), 0x8129, 'by which drivers know that it has 64 words')
  t.equal(driver.eepromWord(0), 0x8129)
  t.same([driver.eepromWord(1), driver.eepromWord(2)], [0x10ec, 0x8139])
  t.same(
    [7, 8, 9].map((address) => driver.eepromWord(address)),
    [0x5452, 0x1200, 0x5634],
  )
  const address = binary(7, 6)
  t.equal(Number.parseInt(driver.eeprom(`110${address}`, 32), 2), 0x5452_1200, 'words follow each other')
  driver.eeprom(`101${address}${binary(0x1234, 16)}`)
  t.equal(driver.eepromWord(7), 0x5452, 'writing is not enabled')
  driver.eeprom('10011xxxx'.replaceAll('x', '0'))
  driver.eeprom(`101${address}${binary(0x1234, 15)}`)
  t.equal(driver.eepromWord(7), 0x5452, 'a bit is missing')
  driver.eeprom(`101${address}${binary(0x1234, 16)}`)
  driver.eeprom(`111${binary(8, 6)}`)
  t.same([driver.eepromWord(7), driver.eepromWord(8), driver.eepromWord(9)], [0x1234, 0xffff, 0x5634])
  t.equal(driver.get(IDR), 0x1200_5452)
  driver.set(CR9346, 0x40, 1)
  t.equal(driver.get(CR9346, 1), 0, 'it loads at once')
  t.equal(driver.get(IDR), 0xffff_1234)
  driver.nic.reset()
  t.equal(driver.eepromWord(7), 0x1234, 'it stays through a reset')
  driver.eeprom(`10001xxxx${binary(0xabcd, 16)}`.replaceAll('x', '0'))
  t.same([driver.eepromWord(0), driver.eepromWord(63)], [0xabcd, 0xabcd])
  driver.eeprom('100101111')
  t.same([driver.eepromWord(0), driver.eepromWord(63)], [0xffff, 0xffff])
  driver.eeprom('100001111')
  driver.eeprom(`101${address}${binary(0x1234, 16)}`)
  t.equal(driver.eepromWord(7), 0xffff, 'writing is disabled again')
  t.equal(driver.get(CR9346, 1), 0, 'nothing comes out while it is not selected')
})

t.test('registers in every width, and those that are locked', async (t) => {
  const driver = new Driver('memory')
  driver.set(MAR, 0x4433_2211)
  driver.set(MAR + 4, 0x6655, 2)
  driver.set(MAR + 6, 0x77, 1)
  driver.set(MAR + 7, 0x88, 1)
  t.equal(driver.get(MAR + 4), 0x8877_6655)
  t.equal(driver.get(MAR + 2, 2), 0x4433)
  t.equal(driver.get(MAR + 1, 1), 0x22)
  driver.set(IMR, 0xffff_ffff, 4)
  t.equal(driver.get(IMR, 4), 0xe07f, 'with ISR beside it')
  t.equal(driver.nic.lastData?.validUntil, NEVER)
  driver.set(CAPR, 0x1230, 2)
  t.equal(driver.get(CAPR, 4), 0x1230)
  const unhandled = () => driver.nic.unhandled.splice(0).length
  t.equal(unhandled(), 0)
  driver.set(CBR, 1, 2)
  t.equal(driver.get(CBR, 2), 0)
  t.equal(unhandled(), 1)
  driver.get(0xd4)
  driver.get(0x84)
  t.equal(unhandled(), 5, 'flash, and wake-up')
  driver.set(RCR, 0x0f00_0000)
  t.equal(unhandled(), 1, 'early receiving')

  driver.set(CONFIG3, 0x20, 1)
  driver.set(BMCR, 0x0000, 2)
  t.same([driver.get(CONFIG3, 1), driver.get(BMCR, 2)], [0x01, 0x3100])
  t.equal(unhandled(), 1)
  driver.set(CR9346, CONFIG_WRITE, 1)
  for (const [register, value] of [
    [CONFIG1, 0xff],
    [CONFIG3, 0x71],
    [CONFIG4, 0xf5],
  ] as const) {
    driver.set(register, 0xff, 1)
    t.equal(driver.get(register, 1), value)
  }
  driver.set(BMCR, 0x8000, 2)
  t.equal(driver.get(BMCR, 2), 0x3100)
  driver.set(BMCR, 0x0000, 2)
  t.equal(driver.get(BMCR, 2), 0x0000)
  driver.set(CR9346, NORMAL, 1)
  driver.set(CONFIG5, 0x70, 1)
  t.equal(driver.get(CONFIG5, 1), 0x70)
  driver.set(ANAR, 0x0181, 2)
  t.equal(driver.get(ANAR, 2), 0x0181)
  driver.set(TCR, 0xffff_ffff)
  t.equal(driver.get(TCR), VERSION, 'the transmitter is off')
  driver.set(CR, TE, 1)
  driver.set(TCR, 0xffff_ffff)
  t.equal(driver.get(TCR), (VERSION | 0x0307_07f0) >>> 0)
  driver.set(CR, RST, 1)
  t.same([driver.get(TCR), driver.get(RCR), driver.get(CR, 1)], [VERSION, 0, BUFE])
  t.equal(driver.get(MAR), 0x4433_2211, 'addresses stay through a reset by software')
})

for (const region of ['io', 'memory'] as const) {
  t.test(`frames are sent by ${region}, one buffer after the other`, async (t) => {
    const driver = new Driver(region).start()
    driver.set(IMR, TOK, 2)
    const frames = [60, 1514, 100, 64, 99, 1000].map((bytes) => frame(ALL, bytes))
    for (const [i, bytes] of frames.entries()) {
      driver.put(i % 4, bytes)
      t.equal(driver.get(TSD + 4 * (i % 4)), 0x0008_0000 + SENT + OWN + bytes.length)
      t.equal(driver.nic.line('inta'), 1)
      driver.set(ISR, TOK, 2)
      t.equal(driver.nic.line('inta'), 0)
    }
    t.same(driver.sent, frames)
    t.equal(driver.get(STATUS_OF_ALL, 2), 0xf00f)
    driver.put(3, frame(ALL, 61))
    t.equal(driver.get(STATUS_OF_ALL, 2), 0x7007, 'it is not its turn')
    driver.put(2, frame(ALL, 62))
    t.same(
      driver.sent.slice(6).map(({ length }) => length),
      [62, 61],
    )
  })
}

t.test('what is not sent, and what waits', async (t) => {
  const driver = new Driver().start()
  driver.set(CR, RE, 1)
  driver.put(0, frame(ALL, 60))
  driver.put(1, frame(ALL, 70))
  t.same([driver.sent.length, driver.get(TSD) & OWN], [0, 0])
  driver.set(CR, RE | TE, 1)
  t.equal(driver.sent.length, 2)
  driver.set(TSD + 8, 4097)
  t.equal(driver.get(TSD + 8), ABORTED + OWN + 4097)
  t.equal(driver.get(ISR, 2), TER | TOK)
  driver.set(TSD + 12, 0)
  t.equal(driver.get(TSD + 12), SENT | OWN)
  driver.set(TSD, 60, 2)
  t.equal(driver.get(TSD) & OWN, OWN, 'a buffer is sent by whole words alone')
  t.equal(driver.nic.unhandled.length, 1)
  t.equal(driver.sent.length, 2)
  driver.set(TCR, NO_CRC)
  const given = frame(ALL, 77)
  driver.put(0, Buffer.concat([given, check(given)]))
  driver.put(1, Buffer.concat([given, Buffer.alloc(4)]))
  driver.put(2, Buffer.alloc(3))
  t.same(driver.sent.slice(2), [given], 'with a check sequence of its own, where that is right')
})

t.test('the ring, as a driver reads it', async (t) => {
  const driver = new Driver().start()
  driver.set(IMR, ROK, 2)
  t.ok(driver.isEmpty)
  for (const bytes of [1514, 60, 42, 61, 62, 63]) {
    const sent = frame(ADDRESS, bytes)
    driver.hear(sent)
    t.notOk(driver.isEmpty)
    t.equal(driver.nic.line('inta'), 1)
    t.same(driver.take(), { status: 0x4001, frame: whole(sent) }, `${bytes} bytes`)
    t.ok(driver.isEmpty)
    t.equal(driver.get(CBR, 2), driver.at)
    driver.set(ISR, ROK, 2)
    t.equal(driver.nic.line('inta'), 0)
  }
})

for (const [rblen, wrap] of [
  [0, true],
  [0, false],
  [1, false],
  [1, true],
] as const) {
  const bytes = RING_BYTES << rblen
  t.test(
    `a ring of ${bytes} bytes, at whose end frames ${wrap ? 'go on behind it' : 'go on at its start'}`,
    async (t) => {
      const driver = new Driver().start(AB | APM | (rblen << 11) | (wrap ? WRAP : 0))
      for (let i = 0; i < 60; i++) {
        const sent = frame(i & 1 ? ADDRESS : ALL, 1000 + 7 * i)
        driver.hear(sent)
        const { status, frame: got } = driver.take({ bytes, wraps: !wrap })
        t.same([status, got.equals(whole(sent))], [i & 1 ? 0x4001 : 0x2001, true], `frame ${i}`)
      }
      t.ok(driver.isEmpty)
      const behind = driver.memory.subarray(RING + bytes, RING + bytes + 1600).every((byte) => byte === 0xee)
      t.equal(behind, !wrap, 'what lies behind it')
    },
  )
}

t.test('a ring that is full, and how a driver recovers', async (t) => {
  const driver = new Driver().start()
  driver.set(IMR, RXOVW, 2)
  // Eight of 1024 bytes each: the last would make it look empty.
  const sent = Array.from({ length: 9 }, (_, i) => frame(ADDRESS, 1016).fill(i, 6))
  driver.hear(...sent)
  t.same([driver.get(MPC), driver.get(ISR, 2), driver.nic.line('inta')], [2, ROK | RXOVW, 1])
  t.equal(driver.get(CBR, 2), 7 * 1024)
  driver.set(ISR, 0xffff, 2)
  t.same(driver.take().frame, whole(sent[0]!))
  driver.hear(sent[7]!)
  t.equal(driver.get(CBR, 2), 0, 'there is room again')
  for (let i = 1; i < 8; i++) t.same(driver.take().frame, whole(sent[i]!))
  t.ok(driver.isEmpty)
  driver.set(MPC, 0)
  t.equal(driver.get(MPC), 0)

  driver.hear(sent[0]!)
  driver.set(CR, TE, 1)
  driver.hear(sent[1]!)
  driver.set(CR, RE | TE, 1)
  t.ok(driver.isEmpty, 'it starts anew')
  t.same([driver.get(CAPR, 2), driver.get(CBR, 2)], [0xfff0, 0])
  driver.at = 0
  driver.hear(sent[2]!)
  t.same(driver.take().frame, whole(sent[2]!))
})

t.test('all frames of a burst fit a ring that a driver empties in time', async (t) => {
  const driver = new Driver().start()
  driver.nic.advanceTo(4_000_000)
  const sent = Array.from({ length: 40 }, (_, i) => frame(ADDRESS, 1514).fill(i, 6))
  for (const bytes of sent) driver.nic.input(bytes)
  for (const [i, bytes] of sent.entries()) {
    t.equal(driver.nic.now, 4_000_000 + i * 123_040)
    t.same(driver.take().frame, whole(bytes))
    t.ok(driver.isEmpty)
    if (i < sent.length - 1) driver.nic.advanceTo(driver.nic.due)
  }
  t.equal(driver.nic.due, NEVER)
})

t.test('whom a frame is for', async (t) => {
  const group = [0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb]
  // As drivers work it out: the upper six bits of the check sequence, taken bit by bit with the highest first.
  let register = 0xffff_ffff
  for (const byte of group) {
    for (let bit = 0; bit < 8; bit++) {
      const feedback = (register >>> 31) ^ ((byte >> bit) & 1)
      register = ((register << 1) ^ (feedback ? 0x04c1_1db7 : 0)) >>> 0
    }
  }
  const bit = register >>> 26
  const taken = (rcr: number, to: readonly number[], isListed = false) => {
    const driver = new Driver().start(rcr)
    if (isListed) driver.set(MAR + (bit >> 5) * 4, (1 << (bit & 31)) >>> 0)
    driver.hear(frame(to, 64))
    return driver.isEmpty ? undefined : driver.take().status
  }
  const other = [0x52, 0x54, 0, 0x12, 0x34, 0x57]
  t.equal(taken(APM, ADDRESS), 0x4001)
  t.equal(taken(AB | AM, ADDRESS), undefined)
  t.equal(taken(APM | AB, other), undefined)
  t.equal(taken(AAP, other), 0x0001)
  t.equal(taken(AAP, ADDRESS), 0x4001)
  t.equal(taken(AB, ALL), 0x2001)
  t.equal(taken(APM | AAP, ALL), undefined)
  t.equal(taken(AM, group), undefined)
  t.equal(taken(AM, group, true), 0x8001)
  t.equal(taken(APM | AB, group, true), undefined)
  t.equal(taken(AM, [0x01, 0, 0x5e, 0, 0, 0xfc], true), undefined)
  const driver = new Driver().start()
  driver.set(CR, TE, 1)
  driver.hear(frame(ALL, 64))
  t.ok(driver.isEmpty, 'the receiver is off')
})

t.test('what it sends it hears, in loopback, and nobody else does', async (t) => {
  const driver = new Driver().start(DRIVER_RCR | AR, LOOPBACK)
  driver.nic.input(linkInput(false))
  driver.put(0, frame(ADDRESS, 99))
  t.equal(driver.get(TSD), 0x0008_0000 + SENT + OWN + 99)
  t.same(driver.take(), { status: 0x4001, frame: whole(frame(ADDRESS, 99)) })
  driver.put(1, frame(ADDRESS, 20))
  const runt = frame(ADDRESS, 20)
  t.same(driver.take(), { status: 0x4011, frame: Buffer.concat([runt, check(runt)]) }, 'it pads nothing')
  driver.set(RCR, DRIVER_RCR)
  driver.put(2, frame(ADDRESS, 20))
  t.ok(driver.isEmpty, 'too short')
  driver.nic.input(linkInput(true))
  driver.hear(frame(ADDRESS, 64))
  t.ok(driver.isEmpty)
  t.same(driver.sent, [])
})

t.test('a link that goes down', async (t) => {
  const driver = new Driver().start()
  driver.set(IMR, LINK_CHG, 2)
  driver.nic.input(linkInput(true))
  t.equal(driver.nic.line('inta'), 0, 'it was up')
  t.equal(driver.get(CSCR, 2), 0x07c8)
  for (let i = 0; i < 3; i++) driver.nic.input(frame(ADDRESS, 60))
  driver.nic.input(linkInput(false))
  t.same([driver.nic.line('inta'), driver.get(ISR, 2) & LINK_CHG], [1, LINK_CHG])
  t.equal(driver.nic.due, NEVER, 'what was on its way is lost')
  t.same([driver.get(CSCR, 2), driver.nic.lastData?.validUntil], [0x0bc0, 0], 'it has changed')
  t.same([driver.get(CSCR, 2), driver.nic.lastData?.validUntil], [0x03c0, NEVER])
  t.same([driver.get(MSR, 1), driver.get(BMSR, 2), driver.get(ANLPAR, 2)], [0xd4, 0x7809, 0])
  driver.hear(frame(ADDRESS, 64))
  driver.put(0, frame(ALL, 60))
  t.same([driver.get(CBR, 2), driver.sent], [0, []])
  t.equal(driver.get(TSD), 0x0008_0000 + NO_CARRIER + SENT + OWN + 60)
  driver.set(ISR, 0xffff, 2)
  t.equal(driver.nic.line('inta'), 0)
  driver.nic.input(linkInput(true))
  t.equal(driver.nic.line('inta'), 1)
  t.same([driver.get(BMSR, 2), driver.get(BMSR, 2)], [0x7829, 0x782d])
  driver.nic.reset()
  driver.nic.input(linkInput(true))
  t.equal(driver.get(ISR, 2), 0, 'a reset does not pull the cable')
})

t.test('interrupts are acknowledged by writing 1, and only those that IMR has interrupt', async (t) => {
  const driver = new Driver().start()
  driver.put(0, frame(ALL, 60))
  driver.hear(frame(ADDRESS, 64))
  t.same([driver.get(ISR, 2), driver.nic.line('inta')], [TOK | ROK, 0])
  driver.set(IMR, ROK, 2)
  t.equal(driver.nic.line('inta'), 1)
  driver.set(ISR, TOK, 2)
  t.same([driver.get(ISR, 2), driver.nic.line('inta')], [ROK, 1])
  driver.set(ISR + 1, 0xff, 1)
  driver.set(ISR, ROK, 1)
  t.same([driver.get(ISR, 2), driver.nic.line('inta')], [0, 0])
  driver.hear(frame(ADDRESS, 64))
  driver.set(CR, RST, 1)
  t.same([driver.get(ISR, 2), driver.get(IMR, 2), driver.nic.line('inta')], [0, 0, 0])
})

t.test('the timer counts cycles of PCI', async (t) => {
  const driver = new Driver()
  driver.nic.advanceTo(1_000_000)
  driver.set(TCTR, 0xdead)
  t.equal(driver.get(TCTR), 0)
  driver.nic.advance(3_000_029)
  t.equal(driver.get(TCTR), 100_000)
  t.equal(driver.nic.lastData?.validUntil, 1_000_000 + 3_000_030)
  t.equal(driver.nic.due, NEVER)
  driver.set(IMR, TIME_OUT, 2)
  driver.set(TIMERINT, 200_000)
  driver.nic.advanceTo(6_999_999)
  t.equal(driver.nic.line('inta'), 0)
  driver.nic.advanceTo(7_000_000)
  t.same([driver.nic.line('inta'), driver.get(ISR, 2)], [1, TIME_OUT])
  driver.set(ISR, TIME_OUT, 2)
  t.equal(driver.nic.due, 7_000_000 + 2 ** 32 * 30, 'the next time round')
  driver.set(TIMERINT, 5)
  t.equal(driver.nic.due, 1_000_000 + (2 ** 32 + 5) * 30, 'that is over')
  driver.set(TCTR, 0)
  t.equal(driver.nic.due, 7_000_150)
  driver.nic.input(frame(ADDRESS, 64))
  driver.nic.input(frame(ADDRESS, 64))
  t.equal(driver.nic.due, 7_000_150, 'before the second frame')
  driver.nic.advance(100_000)
  t.equal(driver.get(ISR, 2), TIME_OUT)
  driver.set(TIMERINT, 0)
  t.equal(driver.nic.due, NEVER)
  for (const reset of [() => driver.set(CR, RST, 1), () => driver.nic.reset()]) {
    driver.set(TIMERINT, 50)
    t.not(driver.nic.due, NEVER)
    reset()
    t.same([driver.nic.due, driver.get(TIMERINT), driver.get(TCTR)], [NEVER, 0, 0])
  }
})

t.test('a state goes on as it would have', async (t) => {
  const one = new Driver().start()
  one.set(TIMERINT, 1_000)
  one.hear(frame(ADDRESS, 64))
  for (const bytes of [64, 1000, 61]) one.nic.input(frame(ADDRESS, bytes))
  one.set(CR, RE, 1)
  one.put(0, frame(ALL, 60))
  one.set(CR9346, 0x88, 1)
  one.set(CR9346, 0x8e, 1)
  const other = new Driver('io', one)
  other.nic.advanceTo(one.nic.now)
  const seen: unknown[] = []
  for (const driver of [one, other]) {
    driver.set(CR, RE | TE, 1)
    driver.hear(frame(ALL, 70))
    driver.put(1, frame(ALL, 90))
    seen.push([driver.nic.save(), driver.memory.toString('hex'), driver.sent, driver.get(CR9346, 1)])
  }
  t.same(seen[1], seen[0])
  t.equal(one.sent.length, 2)
})

t.test('a log names what a driver does', async (t) => {
  const decode = rtl8139.decoder!({ address: ADDRESS })
  const write = (offset: number, size: 1 | 2 | 4, value: number) =>
    decode({ kind: 'write', region: 1, offset, size, value })
  t.equal(write(CR, 1, RE | TE), 'CR <- RE|TE')
  t.equal(write(IMR, 2, TOK | ROK), 'IMR <- TOK|ROK')
  t.equal(write(TSD + 4, 4, 60), 'TSD1 <- 60 bytes')
  t.equal(write(MAR + 1, 1, 5), 'MAR0+1 <- 0x05')
  t.equal(write(0xf0, 1, 5), '0xf0 <- 0x05')
  t.equal(decode({ kind: 'read', region: 2, offset: TSD, size: 4 }), 'TSD0 ?')
  t.equal(decode({ kind: 'data', value: SENT + OWN + 60, validUntil: 0 }), 'TSD0 -> 60 bytes|TOK|OWN')
  t.equal(decode({ kind: 'input', bytes: linkInput(false) }), 'link down')
})

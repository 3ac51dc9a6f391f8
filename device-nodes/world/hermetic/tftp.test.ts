/**
 * TFTP transfers, datagram by datagram.
 */
import t from 'tap'
import { FakeFiles, patterned, Wire } from './testing.ts'

const BIG = patterned(100_000)
const TEXT = 'one\ntwo\r\nthree\r'

function setUp() {
  const files = new FakeFiles({ big: BIG, 'd/text': TEXT, empty: '', exact: patterned(1024), huge: patterned(600_000) })
  return { files, wire: new Wire({ files }) }
}

const words = (...all: string[]) => Buffer.from(all.map((word) => `${word}\0`).join(''))
const read = (...all: string[]) => Buffer.concat([Buffer.from([0, 1]), words(...all)])
const ack = (block: number) => Buffer.from([0, 4, block >> 8, block & 0xff])
const PORT = 3000

/** A whole transfer: its blocks joined, and the first message. `loses`: whether the nth message to the guest is lost. */
function transfer({ wire }: ReturnType<typeof setUp>, request: Buffer, loses = (_: number) => false) {
  wire.sendDatagram(PORT, 69, request)
  const blocks: Buffer[] = []
  let first: Buffer | undefined
  let count = 0
  wire.run((packet) => {
    const [fromPort, payload] = [packet.payload.readUInt16BE(0), packet.payload.subarray(8)]
    if (loses(count++)) return
    first ??= payload
    const block = payload.readUInt16BE(2)
    if (payload[1] === 3) {
      if (block === ((blocks.length + 1) & 0xffff)) blocks.push(payload.subarray(4))
      wire.sendDatagram(PORT, fromPort, ack(block))
    } else if (payload[1] === 6) wire.sendDatagram(PORT, fromPort, ack(0))
  })
  return { bytes: Buffer.concat(blocks), blocks, first: first ?? Buffer.alloc(0), count }
}

t.test('a file in blocks', async (t) => {
  const system = setUp()
  const { bytes, blocks } = transfer(system, read('big', 'octet'))
  t.ok(bytes.equals(BIG))
  t.ok(blocks.slice(0, -1).every(({ length }) => length === 512))
  t.equal(system.files.open, 0)
  t.equal(system.wire.network.tftp?.transfers, 0)
  t.equal(transfer(setUp(), read('/exact', 'OCTET')).blocks.length, 3, 'the last block is short, or empty')
  t.equal(transfer(setUp(), read('empty', 'octet')).blocks.length, 1)
  t.equal(transfer(setUp(), read('d/text', 'octet')).bytes.toString(), TEXT)
  t.equal(transfer(setUp(), read('d/text', 'netascii')).bytes.toString(), 'one\r\ntwo\r\0\r\nthree\r\0')
  t.equal(transfer(setUp(), read('huge', 'octet', 'blksize', '8')).blocks.length, 75_001, 'block numbers go round')
})

t.test('options', async (t) => {
  const sized = transfer(setUp(), read('big', 'octet', 'BLKSIZE', '1000', 'tsize', '0', 'other', '1'))
  t.same(sized.first, Buffer.concat([Buffer.from([0, 6]), words('blksize', '1000', 'tsize', '100000')]))
  t.ok(sized.bytes.equals(BIG))
  t.equal(sized.blocks[0]?.length, 1000)
  t.equal(transfer(setUp(), read('big', 'octet', 'blksize', '65464')).blocks[0]?.length, 1468)
  t.equal(transfer(setUp(), read('big', 'octet', 'blksize', '7')).first[1], 3, 'none that holds: no answer to them')
  t.equal(transfer(setUp(), read('d/text', 'netascii', 'tsize', '0')).first[1], 3, 'nobody knows how long it will be')
  const slow = setUp()
  slow.wire.sendDatagram(PORT, 69, read('big', 'octet', 'timeout', '9'))
  t.equal(slow.wire.datagrams().length, 6)
  t.ok(slow.wire.vt > 50e9)
})

t.test('what is lost comes again, a while', async (t) => {
  const lossy = setUp()
  const { bytes, count } = transfer(lossy, read('big', 'octet', 'blksize', '1400'), (n) => n % 5 === 0)
  t.ok(bytes.equals(BIG))
  t.ok(count > 72 && count < 100)
  const silent = setUp()
  silent.wire.sendDatagram(PORT, 69, read('big', 'octet'))
  const messages = silent.wire.datagrams()
  t.equal(messages.length, 6)
  t.ok(messages.every(({ payload }) => payload.equals(messages[0]!.payload)))
  t.ok(silent.wire.vt > 5e9 && silent.wire.vt < 7e9)
  t.equal(silent.files.open, 0)
})

t.test('late acknowledgments bring nothing twice', async (t) => {
  const { wire } = setUp()
  wire.sendDatagram(PORT, 69, read('big', 'octet'))
  const [first] = wire.step() ?? []
  const port = first?.payload.readUInt16BE(0) ?? 0
  for (let i = 0; i < 3; i++) wire.sendDatagram(PORT, port, ack(1))
  t.equal(wire.step()?.length, 1)
  wire.sendDatagram(PORT, port, ack(0))
  wire.sendDatagram(PORT, port, ack(9))
  const before = wire.vt
  wire.step()
  t.ok(wire.vt - before >= 0.9e9, 'the next is the timer')
  wire.sendDatagram(PORT, 69, read('big', 'octet'))
  t.equal(wire.network.tftp?.transfers, 1, 'a request that comes again starts anew')
  wire.sendDatagram(PORT, 49_153, Buffer.from([0, 5, 0, 0, 0]))
  t.equal(wire.network.waiting(), undefined, 'the guest has enough')
})

t.test('what is refused', async (t) => {
  const refusal = (message: Buffer, toPort = 69) => {
    const { wire } = setUp()
    wire.sendDatagram(PORT, toPort, message)
    const answers = wire.datagrams()
    return answers.map(({ fromPort, payload }) => [fromPort, payload[1], payload.readUInt16BE(2)])
  }
  t.same(refusal(read('nothing', 'octet')), [[69, 5, 1]])
  t.same(refusal(read('../big', 'octet')), [[69, 5, 2]])
  t.same(refusal(read('secret', 'octet')), [[69, 5, 2]])
  t.same(refusal(read('d', 'octet')), [[69, 5, 2]])
  t.same(refusal(read('big', 'mail')), [[69, 5, 4]])
  t.same(refusal(read('big')), [[69, 5, 4]])
  t.same(refusal(read('big', 'octet').subarray(0, -1)), [[69, 5, 4]])
  t.same(refusal(Buffer.concat([Buffer.from([0, 2]), words('big', 'octet')])), [[69, 5, 2]])
  t.same(refusal(Buffer.alloc(1)), [[69, 5, 4]])
  t.same(refusal(Buffer.from([0, 5, 0, 0, 0])), [])
  t.same(refusal(ack(1), 50_000), [[50_000, 5, 5]])
  t.same(refusal(Buffer.from([0, 5, 0, 0, 0]), 50_000), [])
  const other = setUp()
  other.wire.sendDatagram(PORT, 69, read('big', 'octet'))
  other.wire.step()
  other.wire.sendDatagram(PORT + 1, 49_152, ack(1))
  t.same(
    other.wire.step()?.map(({ payload }) => [payload.readUInt16BE(2), payload[9], payload[11]]),
    [[PORT + 1, 5, 5]],
  )
  const none = new Wire({})
  none.sendDatagram(PORT, 69, read('big', 'octet'))
  t.equal(none.network.waiting(), undefined)
})

t.test('a file that changes, and too many transfers', async (t) => {
  const { files, wire } = setUp()
  for (let i = 0; i < 20; i++) wire.sendDatagram(PORT + i, 69, read('huge', 'octet', 'blksize', '1400'))
  t.equal(wire.network.tftp?.transfers, 16)
  t.equal(files.open, 16)
  const first = wire.step() ?? []
  t.same(
    first.map(({ payload }) => payload.readUInt16BE(2)),
    Array.from({ length: 16 }, (_, i) => PORT + 4 + i),
    'the oldest had to go',
  )
  for (const { payload } of first) wire.sendDatagram(payload.readUInt16BE(2), payload.readUInt16BE(0), ack(0))
  files.hasChanged = true
  const messages = wire.datagrams()
  t.ok(messages.length === 16 && messages.every(({ payload }) => payload[1] === 5 && payload[3] === 0))
  t.equal(files.open, 0)
})

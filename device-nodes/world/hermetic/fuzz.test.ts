/**
 * Whatever a guest sends: nothing is thrown, no bound is passed, and the network comes to rest.
 */

import { encode } from 'dns-packet'
import t from 'tap'
import { PROTOCOL } from './packets.ts'
import { TCP_FLAG, writeSegment } from './tcp-segment.ts'
import { FakeFiles, GUEST_IP, patterned, SERVER_IP, Wire } from './testing.ts'

const { FIN, SYN, RST, PSH, ACK } = TCP_FLAG
const seed = Number(process.env['ANANKE_SEED'] ?? Date.now() % 2 ** 31)
t.comment(`ANANKE_SEED=${seed}`)

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

/** A generator that is the same for the same seed: xorshift. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

function setUp() {
  const files = new FakeFiles({ big: patterned(300_000), small: 'abc', 'd/e': 'f' })
  return { files, wire: new Wire({ files }) }
}

t.test('segments, near to what is expected or far from it', async (t) => {
  const random = randomFrom(seed)
  const { wire, files } = setUp()
  const flags = [SYN, ACK, FIN | ACK, FIN | ACK | PSH, RST, RST | ACK, SYN | ACK, 0, SYN | FIN, 0xff]
  const texts = [
    get('/big'),
    `${get('/small').slice(0, -2)}Connection: close\r\n\r\n`,
    'GET ',
    '\r\n\r\n',
    get('/nothing').repeat(30),
    '\0'.repeat(1000),
  ]
  /** What a client that behaves would send next. */
  const known = new Map<number, { sequence: number; expected: number; isOpen: boolean }>()
  for (let i = 0; i < 30_000; i++) {
    const fromPort = 1 + random(i % 5000 < 4000 ? 20 : 100)
    const state = known.get(fromPort) ?? { sequence: random(2 ** 31), expected: 0, isOpen: false }
    known.set(fromPort, state)
    const near = (place: number) => (random(10) > 0 ? place : place + random(3000) - 1500) >>> 0
    const usual = state.isOpen ? (random(2) > 0 ? ACK : ACK | PSH) : SYN
    const segment = {
      fromPort,
      toPort: random(20) > 0 ? 80 : 81,
      sequence: random(50) > 0 ? near(state.sequence) : random(2 ** 31),
      acknowledgment: near(state.expected),
      flags: random(15) > 0 ? usual : (flags[random(flags.length)] as number),
      window: random(4) > 0 ? random(0x10000) : 0,
      payload: Buffer.from(random(3) > 0 ? '' : (texts[random(texts.length)] as string)),
      ...(random(2) > 0 && { largestSegment: random(2000), windowScale: random(256) }),
    }
    const bytes = writeSegment(GUEST_IP, SERVER_IP, segment)
    if (random(30) === 0) bytes[random(bytes.length)]! ^= 1 << random(8)
    wire.send(PROTOCOL.TCP, bytes.subarray(0, random(40) === 0 ? random(bytes.length) : bytes.length))
    if (random(8) > 0) continue
    for (const { payload } of wire.step() ?? []) {
      const at = known.get(payload.readUInt16BE(2))
      if (at === undefined || random(10) === 0) continue
      at.isOpen = (payload[13]! & RST) === 0
      const taken = payload.length - 4 * (payload[12]! >> 4) + (payload[13]! & (SYN | FIN) ? 1 : 0)
      at.expected = (payload.readUInt32BE(4) + taken) >>> 0
      at.sequence = at.isOpen ? payload.readUInt32BE(8) : random(2 ** 31)
    }
    if (wire.network.tcp.connections > 64 || files.open > 64) t.fail('bounds are kept')
  }
  t.ok(files.reads > 50, `${files.reads} pieces were read`)
  wire.run(() => {}, 20_000)
  t.equal(wire.network.waiting(), undefined, 'it comes to rest')
})

t.test('frames of all kinds, damaged', async (t) => {
  const random = randomFrom(seed)
  const { wire, files } = setUp()
  const dhcp = Buffer.alloc(260)
  dhcp.set([1, 1, 6])
  dhcp.set([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255], 236)
  const tftp = (opcode: number, ...words: string[]) =>
    Buffer.concat([Buffer.from([0, opcode]), Buffer.from(words.map((word) => `${word}\0`).join(''))])
  const dns = encode({ type: 'query', questions: [{ type: 'A', name: 'server.hermetic.test' }] })
  const messages: readonly [number, Buffer][] = [
    [67, dhcp],
    [53, Buffer.from(dns)],
    [69, tftp(1, 'big', 'octet', 'blksize', '1000', 'tsize', '0')],
    [69, tftp(1, 'small', 'netascii')],
    [69, tftp(2, 'small', 'octet')],
    [49_152, Buffer.from([0, 4, 0, 1])],
    [49_153, Buffer.from([0, 4, 0, 0])],
    [49_160, Buffer.from([0, 5, 0, 1, 0])],
  ]
  for (let i = 0; i < 20_000; i++) {
    const [toPort, message] = messages[random(messages.length)] as [number, Buffer]
    const bytes = Buffer.from(message)
    for (let flips = random(3); flips > 0; flips--) bytes[random(bytes.length)]! ^= 1 << random(8)
    if (toPort >= 49_152) bytes.writeUInt16BE(random(4), 2)
    const near = toPort >= 49_152 ? 49_152 + random(300) : toPort
    wire.sendDatagram(1000 + random(50), near, bytes.subarray(0, random(4) === 0 ? random(bytes.length) : bytes.length))
    const noise = Buffer.from(Array.from({ length: random(100) }, () => random(256)))
    if (random(2) > 0) wire.send(random(20), noise)
    if (random(2) > 0) wire.network.hear('nic0', noise, wire.vt)
    if (random(3) === 0) wire.step()
    const { tftp: server, dropped } = wire.network
    if ((server?.transfers ?? 0) > 16 || files.open > 16 || dropped > 0) t.fail('bounds are kept')
  }
  t.ok(files.reads > 50, 'some were understood')
  wire.run(() => {}, 20_000)
  t.equal(files.open, 0)
})

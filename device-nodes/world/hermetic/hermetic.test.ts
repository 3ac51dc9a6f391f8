/**
 * The hermetic network's answers, frame by frame: RFC 826, 791, 792, 768, 2131, 1035.
 */
import { decode, encode } from 'dns-packet'
import t from 'tap'
import { HermeticNetwork } from './hermetic.ts'
import { datagram, ipv4Frame, PROTOCOL, readDatagram, readFrame } from './packets.ts'

const GUEST = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3)
const SERVER = Uint8Array.of(0x52, 0x55, 10, 0, 2, 2)
const ip = (last: number) => 0x0a000200 + last

/** What the network sends for a frame. */
function answersTo(frame: Uint8Array): Buffer[] {
  const network = new HermeticNetwork('nic0')
  network.hear('uart0', frame, 5)
  t.equal(network.waiting(), undefined, 'it hears its card alone')
  network.hear('nic0', frame, 7)
  const isWaiting = network.waiting()
  const inputs = network.take(4_000_000)
  t.same(isWaiting, inputs.length === 0 ? undefined : { icount: 0, vt: 7 })
  t.equal(network.waiting(), undefined)
  for (const { src, dst } of inputs) t.same([src, dst], ['script', 'nic0'])
  return inputs.map(({ bytes }) => Buffer.from(bytes))
}

const sent = (to: number, protocol: number, payload: Uint8Array) =>
  ipv4Frame({ from: GUEST, to: SERVER, fromIp: ip(15), toIp: to }, protocol, payload)

function udp(to: number, toPort: number, payload: Uint8Array): Uint8Array {
  return sent(to, PROTOCOL.UDP, datagram(ip(15), to, { fromPort: 1000, toPort, payload: Buffer.from(payload) }))
}

/** The payload of the one datagram that comes back. */
function answered(frame: Uint8Array): Buffer {
  const [answer] = answersTo(frame)
  const packet = answer && readFrame(answer)
  if (packet?.kind !== 'ipv4') throw new Error('no IPv4 packet came back')
  const received = readDatagram(packet)
  if (received === undefined) throw new Error('what came back is damaged')
  return received.payload
}

function arp(target: number): Buffer {
  const frame = Buffer.alloc(60)
  frame.fill(0xff, 0, 6)
  frame.set(GUEST, 6)
  frame.writeUInt16BE(0x0806, 12)
  Buffer.from('0001080006040001', 'hex').copy(frame, 14)
  frame.set(GUEST, 22)
  frame.writeUInt32BE(ip(15), 28)
  frame.writeUInt32BE(target, 38)
  return frame
}

/** An echo as a guest sends it, its check sum right. */
function echo(bytes: number): Buffer {
  const message = Buffer.alloc(bytes, 0x41)
  message.writeUInt32BE(0x08000000, 0)
  let sum = 0
  for (let i = 0; i < bytes; i += 2) sum += message[i]! * 256 + (message[i + 1] ?? 0)
  message.writeUInt16BE(~((sum & 0xffff) + Math.floor(sum / 0x10000)) & 0xffff, 2)
  return message
}

t.test('ARP', async (t) => {
  for (const last of [2, 3]) {
    const [reply] = answersTo(arp(ip(last)))
    t.same(reply?.subarray(0, 14), Buffer.from([...GUEST, ...SERVER, 8, 6]))
    t.equal(reply?.readUInt16BE(20), 2)
    t.same(reply?.subarray(22, 28), Buffer.from(SERVER))
    t.equal(reply?.readUInt32BE(28), ip(last))
    t.equal(reply?.readUInt32BE(38), ip(15))
  }
  t.same(answersTo(arp(ip(77))), [])
})

t.test('ICMP echo', async (t) => {
  for (const bytes of [8, 64, 65, 1400]) {
    const [reply] = answersTo(sent(ip(2), PROTOCOL.ICMP, echo(bytes)))
    const packet = reply && readFrame(reply)
    t.match(packet, { kind: 'ipv4', from: ip(2), to: ip(15), protocol: PROTOCOL.ICMP })
    const payload = packet?.kind === 'ipv4' ? packet.payload : Buffer.alloc(0)
    t.equal(payload[0], 0)
    t.same(payload.subarray(4), echo(bytes).subarray(4))
  }
  const damaged = echo(64)
  damaged[20]! ^= 1
  for (const [to, message] of [
    [ip(2), damaged],
    [ip(9), echo(64)],
    [ip(2), echo(8).subarray(0, 7)],
  ] as const) {
    t.same(answersTo(sent(to, PROTOCOL.ICMP, message)), [])
  }
})

/** A DHCP message of some type. */
function dhcp(type: number, options: readonly number[] = [], ciaddr = 0): Buffer {
  const message = Buffer.alloc(240)
  message.set([1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef])
  message.writeUInt32BE(ciaddr, 12)
  message.set(GUEST, 28)
  message.writeUInt32BE(0x63825363, 236)
  return Buffer.concat([message, Buffer.from([0, 53, 1, type, ...options, 255])])
}

t.test('DHCP', async (t) => {
  const ask = (...message: Parameters<typeof dhcp>) => udp(0xffffffff, 67, dhcp(...message))
  const offer = answered(ask(1))
  t.same(offer.subarray(0, 8), Buffer.from([2, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef]))
  t.equal(offer.readUInt32BE(16), ip(15))
  t.same([...offer.subarray(240, 243)], [53, 1, 2])
  const options = offer.subarray(240).toString('hex')
  for (const [what, bytes] of [
    ['server', '36040a000202'],
    ['mask', '0104ffffff00'],
    ['router', '03040a000202'],
    ['name server', '06040a000203'],
    ['lease', '330400015180'],
  ] as const) {
    t.ok(options.includes(bytes), what)
  }
  const kindOf = (reply: Buffer) => reply[242]
  const wanted = [50, 4, 10, 0, 2, 15]
  t.equal(kindOf(answered(ask(3, [...wanted, 54, 4, 10, 0, 2, 2]))), 5)
  t.equal(kindOf(answered(ask(3, [], ip(15)))), 5, 'renewed')
  t.equal(kindOf(answered(ask(3, [50, 4, 10, 0, 2, 99]))), 6, 'another address')
  t.equal(kindOf(answered(ask(8, [], ip(15)))), 5)
  t.same(answersTo(ask(3, [...wanted, 54, 4, 10, 0, 2, 9])), [], 'another server')
  t.same(answersTo(ask(7)), [], 'a release')
  t.same(answersTo(udp(0xffffffff, 67, dhcp(1).subarray(0, 239))), [])
  t.equal(
    kindOf(answered(udp(0xffffffff, 67, Buffer.concat([dhcp(1).subarray(0, -1), Buffer.from([12, 200, 1])])))),
    2,
    'a cut option',
  )
})

t.test('DNS', async (t) => {
  const ask = (name: string, type: 'A' | 'AAAA' = 'A') =>
    decode(answered(udp(ip(3), 53, encode({ type: 'query', id: 77, questions: [{ type, name }] }))))
  t.match(ask('Server.Hermetic.test'), { id: 77, type: 'response', rcode: 'NOERROR', answers: [{ data: '10.0.2.2' }] })
  t.match(ask('guest.hermetic.test'), { answers: [{ data: '10.0.2.15' }] })
  t.match(ask('server.hermetic.test', 'AAAA'), { rcode: 'NOERROR', answers: [] })
  t.match(ask('debian.org'), { rcode: 'NXDOMAIN', answers: [] })
  const query = Buffer.from(encode({ type: 'query', questions: [{ type: 'A', name: 'a.b' }] }))
  for (let cut = 0; cut < query.length; cut++) answersTo(udp(ip(3), 53, query.subarray(0, cut)))
  t.same(answersTo(udp(ip(3), 54, query)), [], 'nobody listens there')
})

t.test('what is damaged, or for nobody, is lost', async (t) => {
  const whole = udp(ip(3), 53, encode({ type: 'query', questions: [{ type: 'A', name: 'server.hermetic.test' }] }))
  t.equal(answersTo(whole).length, 1)
  for (let at = 14; at < whole.length; at++) {
    const flipped = Uint8Array.from(whole)
    flipped[at]! ^= 0x10
    const answers = answersTo(flipped)
    // The sender's own address is in both check sums.
    if (answers.length > 0) t.fail(`byte ${at}`)
  }
  for (let cut = 0; cut < whole.length; cut++) t.same(answersTo(whole.subarray(0, cut)), [])
  const network = new HermeticNetwork('nic0')
  for (let i = 0; i < 3000; i++) network.hear('nic0', arp(ip(2)), i)
  let taken = 0
  for (let point = 0; network.waiting() !== undefined; point++) taken += network.take(point * 4_000_000).length
  t.equal(taken, 1024, 'a queue has its end')
  t.equal(network.dropped, 3000 - 1024)
  t.equal(network.losses, 'network: 1976 frames dropped when too many waited')
})

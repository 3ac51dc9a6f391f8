/**
 * TCP as a guest sees it: connections opened, kept and closed in every order, and what is lost on the way.
 */
import t from 'tap'
import { FRAMES_PER_POINT } from '../pacing.ts'
import { sequenceLength, TCP_FLAG, type TcpSegment } from './tcp-segment.ts'
import { FakeFiles, GRID_NS, patterned, TcpClient, type TcpClientOptions, Wire } from './testing.ts'

const { FIN, SYN, RST, PSH, ACK } = TCP_FLAG
const BIG = patterned(1_000_000)
const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
const GET_LAST = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`

function setUp(options: TcpClientOptions = {}, firstSequence?: () => number) {
  const files = new FakeFiles({ big: BIG, small: 'abc' })
  const wire = new Wire({ files, ...(firstSequence !== undefined && { firstSequence }) })
  return { files, wire, client: new TcpClient(wire, options) }
}

/** The body of the one answer that came. */
function bodyOf(answer: Buffer): Buffer {
  return answer.subarray(answer.indexOf('\r\n\r\n') + 4)
}

/** How often data was sent again. */
function sentAgain(segments: readonly TcpSegment[]): number {
  const sequences = segments.filter((segment) => sequenceLength(segment) > 0).map(({ sequence }) => sequence)
  return sequences.length - new Set(sequences).size
}

t.test('a connection is opened, used and closed', async (t) => {
  const { wire, client, files } = setUp({ largestSegment: 1460, windowScale: 7 })
  const answer = client.connect()
  t.match(answer, { flags: SYN | ACK, acknowledgment: 1001, largestSegment: 1460, windowScale: 0 })
  t.ok(bodyOf(client.ask(GET_LAST('/big'))).equals(BIG))
  t.ok(client.hasEnded)
  client.send(FIN | ACK)
  client.run()
  t.match(client.segments.at(-1), { flags: ACK, acknowledgment: client.sequence })
  t.equal(files.open, 0)
  t.equal(sentAgain(client.segments), 0)
  t.equal(wire.mostFrames, FRAMES_PER_POINT)
  t.ok(client.segments.every(({ payload }) => payload.length <= 1460))
  t.equal(client.segments.filter(({ payload }) => payload.length > 0).length, Math.ceil((BIG.length + 200) / 1460))
  // As many as can be at a point, but for the start.
  t.ok(wire.points < 685 / FRAMES_PER_POINT + 10, `${wire.points} points`)
  // Its end, once more.
  client.send(FIN | ACK, '', { sequence: client.sequence - 1 })
  const before = client.segments.length
  client.run()
  t.match(client.segments.slice(before), [{ flags: ACK, acknowledgment: client.sequence }])
  t.equal(wire.network.waiting(), undefined)
})

t.test('options: what a guest does not offer is not used', async (t) => {
  const { client } = setUp()
  const answer = client.connect()
  t.equal(answer.windowScale, undefined)
  t.ok(bodyOf(client.ask(GET('/big'))).equals(BIG))
  t.equal(Math.max(...client.segments.map(({ payload }) => payload.length)), 536)
  const small = setUp({ largestSegment: 1, windowScale: 200, window: 1 })
  small.client.connect()
  t.ok(bodyOf(small.client.ask(GET('/small'))).equals(Buffer.from('abc')))
  t.equal(Math.max(...small.client.segments.map(({ payload }) => payload.length)), 64)
})

t.test('sequence numbers wrap on both sides', async (t) => {
  for (const before of [0, 1, 100, 70_000]) {
    const { client } = setUp({ sequence: (2 ** 32 - 20) >>> 0, largestSegment: 1460 }, () => 2 ** 32 - 1 - before)
    client.connect()
    t.ok(bodyOf(client.ask(GET_LAST('/big'))).equals(BIG))
    client.send(FIN | ACK)
    client.run()
    t.match(client.segments.at(-1), { flags: ACK, acknowledgment: client.sequence })
    t.equal(sentAgain(client.segments), 0)
  }
})

t.test('frames to the guest are lost', async (t) => {
  for (const [what, loses, mostAgain] of [
    ['one', (_, count) => count === 40, 1],
    ['the last', ({ flags, payload }, count) => count < 690 && (flags & PSH) !== 0 && payload.length < 1460, 2],
    ['several of one window', (_, count) => [40, 42, 43, 45].includes(count), 4],
    ['the first answer', (_, count) => count === 0, 1],
    ['every tenth', (_, count) => count % 10 === 9, 400],
    ['a burst of them', (_, count) => count >= 100 && count < 160, 400],
    ['one, and what replaces it', (_, count) => count === 40 || (count > 60 && count < 64), 50],
  ] as readonly [string, (segment: TcpSegment, count: number) => boolean, number][]) {
    const { client, wire, files } = setUp({ largestSegment: 1460, windowScale: 5 })
    const losses = { count: 0 }
    client.loses = (segment, count) => {
      const isLost = losses.count < 200 && loses(segment, count)
      if (isLost) losses.count++
      return isLost
    }
    client.send(SYN)
    client.run()
    t.ok(bodyOf(client.ask(GET_LAST('/big'))).equals(BIG), what)
    t.ok(client.hasEnded, what)
    t.ok(sentAgain(client.segments) <= mostAgain, `${what}: ${sentAgain(client.segments)} sent again`)
    if (what === 'one' || what === 'several of one window') t.ok(wire.vt < 1e9, 'it is noticed at once')
    t.equal(files.open, 0)
  }
})

t.test('frames of the guest are lost, late or doubled', async (t) => {
  const { client } = setUp({ largestSegment: 1460 })
  client.connect()
  const request = GET('/small')
  const [start, middle, end] = [request.slice(0, 5), request.slice(5, 20), request.slice(20)]
  const at = client.sequence
  const answered = () => {
    const before = client.segments.length
    client.run()
    return client.segments.slice(before).map(({ acknowledgment }) => acknowledgment - at)
  }
  client.send(ACK, start)
  t.same(answered(), [5])
  client.send(ACK, end, { sequence: at + 20 })
  client.send(ACK, end, { sequence: at + 20 })
  client.send(ACK, end, { sequence: at + 20 })
  t.same(answered(), [5, 5, 5], 'three that tell of a loss')
  client.send(ACK, start, { sequence: at })
  t.same(answered(), [5], 'known already')
  client.send(ACK, start + middle, { sequence: at })
  t.same(answered(), [20], 'known in part')
  client.send(ACK, end, { sequence: at + 20 })
  client.sequence = at + request.length
  client.run()
  t.equal(bodyOf(client.gather()).toString(), 'abc')
})

t.test('a window is kept, closes and opens again', async (t) => {
  const { client, wire, files } = setUp({ largestSegment: 1460, window: 4000 })
  client.connect()
  client.acknowledges = false
  const got = client.ask(GET('/big')).length
  t.ok(got > 4000 - 1460 && got <= 4000, `${got}`)
  t.ok(client.wasReset)
  t.equal(files.open, 0)
  t.ok(wire.vt > 100e9 && wire.vt < 400e9)

  const closing = setUp({ largestSegment: 1460, window: 4000 })
  closing.client.connect()
  closing.client.acknowledges = false
  closing.client.send(ACK, GET('/big'))
  for (const packet of closing.wire.step() ?? []) closing.client.receive(packet)
  const inWindow = closing.client.gather().length
  t.ok(inWindow > 4000 - 1460 && inWindow <= 4000, `${inWindow}`)
  closing.client.window = 0
  closing.client.send(ACK)
  const tries: number[] = []
  for (let i = 0; i < 5; i++) {
    for (const packet of closing.wire.step() ?? []) {
      closing.client.loses = ({ payload }) => tries.push(payload.length) > 0
      closing.client.receive(packet)
      closing.client.send(ACK)
    }
  }
  t.same(tries, [1, 1, 1, 1, 1], 'a byte, to see whether there is room')
  t.ok(closing.wire.vt > 15e9, 'at longer and longer distances')
  const reopenedVt = closing.wire.vt
  closing.client.loses = () => false
  closing.client.acknowledges = true
  closing.client.window = 0xffff
  closing.client.send(ACK)
  t.ok(bodyOf(closing.client.run()).equals(BIG))
  t.ok(closing.wire.vt - reopenedVt < 1e9, 'it goes on at once')
})

t.test('a guest without room that answers is tried for an hour, then dropped', async (t) => {
  const { client, wire, files } = setUp({ largestSegment: 1460 })
  client.connect()
  client.window = 0
  client.send(ACK, GET('/big'))
  client.loses = ({ flags, payload }) => {
    if (payload.length > 0) client.send(ACK)
    return (flags & RST) === 0
  }
  client.run(200)
  t.ok(client.wasReset)
  t.ok(wire.vt > 1800e9 && wire.vt < 7200e9)
  t.equal(files.open, 0)
})

t.test('a guest that ends first still gets its answer', async (t) => {
  const { client, files } = setUp({ largestSegment: 1460 })
  client.connect()
  client.send(FIN | ACK | PSH, GET('/big'))
  t.ok(bodyOf(client.run()).equals(BIG))
  t.ok(client.hasEnded)
  t.equal(files.open, 0)
  const chatty = setUp({ window: 3000 })
  chatty.client.connect()
  chatty.client.acknowledges = false
  chatty.client.send(FIN | ACK, GET('/big'))
  for (const packet of chatty.wire.step() ?? []) chatty.client.receive(packet)
  const end = chatty.client.sequence
  chatty.client.send(ACK, GET('/small'))
  for (const packet of chatty.wire.step() ?? []) chatty.client.receive(packet)
  t.equal(chatty.client.segments.at(-1)?.acknowledgment, end, 'what comes after its end is not taken')
  const silent = setUp()
  silent.client.connect()
  silent.client.send(FIN | ACK)
  silent.client.run()
  t.ok(silent.client.hasEnded, 'it asked for nothing')
})

t.test('an end with data before it that is lost waits for it', async (t) => {
  const { client } = setUp()
  client.connect()
  const request = GET('/small')
  client.send(FIN | ACK, request.slice(10), { sequence: client.sequence + 10 })
  client.run()
  t.notOk(client.hasEnded)
  client.send(ACK, request.slice(0, 10))
  client.send(FIN | ACK, request.slice(10))
  t.equal(bodyOf(client.run()).toString(), 'abc')
  t.ok(client.hasEnded)
})

t.test('resets', async (t) => {
  const { client, wire, files } = setUp({ largestSegment: 1460, window: 3000 })
  client.connect()
  client.acknowledges = false
  client.send(ACK, GET('/big'))
  for (const packet of wire.step() ?? []) client.receive(packet)
  t.equal(files.open, 1)
  const count = client.segments.length
  client.send(RST, '', { sequence: client.sequence + 5 })
  for (const packet of wire.step() ?? []) client.receive(packet)
  t.match(client.segments.slice(count), [{ flags: ACK }], 'one that does not fit is asked about')
  client.send(SYN)
  client.sequence--
  for (const packet of wire.step() ?? []) client.receive(packet)
  t.match(client.segments.at(-1), { flags: ACK })
  client.send(RST)
  t.equal(wire.network.waiting(), undefined)
  t.equal(wire.network.tcp.connections, 0)
  t.equal(files.open, 0)

  const answersTo = (flags: number, given: Partial<TcpSegment> = {}) => {
    const other = new TcpClient(wire, { fromPort: 50_000 })
    other.send(flags, '', given)
    other.run()
    return other.segments
  }
  t.match(answersTo(ACK, { acknowledgment: 77 }), [{ flags: RST, sequence: 77 }])
  t.match(answersTo(FIN | ACK, { acknowledgment: 78 }), [{ flags: RST, sequence: 78 }])
  t.match(answersTo(SYN, { toPort: 81 }), [{ flags: RST | ACK, sequence: 0, acknowledgment: 1001 }])
  t.match(answersTo(0), [{ flags: RST | ACK, sequence: 0, acknowledgment: 1000 }])
  t.same(answersTo(RST), [])
  t.same(answersTo(RST | ACK), [])
  const noFiles = new Wire({})
  const refused = new TcpClient(noFiles)
  t.match(refused.connect(), { flags: RST | ACK, acknowledgment: 1001 }, 'without files nobody listens')
})

t.test('a guest that opens and is silent is forgotten', async (t) => {
  const { client, wire } = setUp()
  client.acknowledges = false
  client.send(SYN)
  client.run(20)
  t.ok(client.segments.length > 5 && client.segments.length < 12)
  t.match(client.segments.at(-1), { flags: RST | ACK })
  t.equal(wire.network.tcp.connections, 0)
})

t.test('a new connection from the ports of one that is over', async (t) => {
  const { client, wire } = setUp()
  client.connect()
  client.ask(GET_LAST('/small'))
  client.send(FIN | ACK)
  client.run()
  t.equal(wire.network.tcp.connections, 1)
  const again = new TcpClient(wire, { sequence: 500_000 })
  t.match(again.connect(), { flags: SYN | ACK, acknowledgment: 500_001 })
  t.equal(bodyOf(again.ask(GET('/small'))).toString(), 'abc')
  t.equal(wire.network.tcp.connections, 1)
})

t.test('many connections', async (t) => {
  const { wire, files } = setUp()
  const clients = Array.from({ length: 100 }, (_, i) => new TcpClient(wire, { fromPort: i, largestSegment: 1460 }))
  const run = () => wire.run((packet) => clients[packet.payload.readUInt16BE(2)]?.receive(packet))
  for (const client of clients) {
    client.send(SYN)
    run()
  }
  t.equal(wire.network.tcp.connections, 64)
  t.equal(wire.network.tcp.evicted, 36)
  t.equal(wire.network.losses, 'network: 36 TCP connections reset to make room for others')
  t.same(
    clients.map(({ wasReset }) => wasReset),
    clients.map((_, i) => i < 36),
    'the oldest were reset',
  )
  for (const client of clients.slice(36)) client.send(ACK, GET('/big'))
  run()
  t.ok(clients.slice(36).every((client) => bodyOf(client.gather()).equals(BIG)))
  t.equal(files.mostOpen, 64)
  t.equal(files.open, 0)
  t.equal(wire.network.dropped, 0)
  const points = (64 * 685) / FRAMES_PER_POINT
  t.ok(wire.vt < 1.2 * points * GRID_NS, `${wire.vt / GRID_NS} points, where ${points} do`)
})

t.test('two connections share the wire', async (t) => {
  const { wire } = setUp()
  const clients = [1, 2].map((port) => new TcpClient(wire, { fromPort: port, largestSegment: 1460, windowScale: 4 }))
  for (const client of clients) client.connect()
  for (const client of clients) client.send(ACK, GET('/big'))
  let apart = 0
  for (let packets = wire.step(); packets !== undefined; packets = wire.step()) {
    for (const packet of packets) for (const client of clients) client.receive(packet)
    const [first, second] = clients.map((client) => client.gather().length) as [number, number]
    apart = Math.max(apart, Math.abs(first - second))
  }
  t.ok(apart < 100_000, `${apart} bytes apart`)
})

t.test('a window to the server that is full opens again', async (t) => {
  const { client, wire } = setUp({ largestSegment: 1460, window: 100 })
  client.connect()
  client.acknowledges = false
  // Requests ahead of their answers, as many as fit.
  const request = Buffer.from(GET('/small').repeat(2000))
  let sent = 0
  for (let point = 0; point < 60; point++) {
    const room = client.segments.at(-1)?.window ?? 0
    if (room === 0) break
    const bytes = Math.min(room, 1000)
    client.send(ACK, request.subarray(sent, sent + bytes))
    sent += bytes
    for (const packet of wire.step() ?? []) client.receive(packet)
  }
  t.equal(client.segments.at(-1)?.window, 0)
  t.ok(sent > 40_000 && sent <= 50_000, `${sent}`)
  client.send(ACK, 'x')
  client.sequence--
  const before = client.sequence
  for (const packet of wire.step() ?? []) client.receive(packet)
  t.equal(client.segments.at(-1)?.acknowledgment, before, 'one byte too many is not taken')
  client.acknowledges = true
  client.window = 0xffff
  client.send(ACK)
  for (let point = 0; point < 3000 && (client.segments.at(-1)?.window ?? 0) < 3000; point++) {
    for (const packet of wire.step() ?? []) client.receive(packet)
  }
  t.ok((client.segments.at(-1)?.window ?? 0) >= 2920)
})

t.test('the time that a transfer takes grows with its length alone', async (t) => {
  const files = new FakeFiles({ huge: Buffer.alloc(20_000_000, 7) })
  const wire = new Wire({ files })
  const client = new TcpClient(wire, { largestSegment: 1460, windowScale: 7 })
  client.connect()
  t.equal(client.ask(GET('/huge')).length - 20_000_000, client.received.indexOf('\r\n\r\n') + 4)
  t.equal(files.reads, Math.ceil(20_000_000 / 65_536), 'each piece is read once')
  t.equal(wire.points < 20_000_000 / (FRAMES_PER_POINT * 1460) + 10, true)
})

t.test('the same twice', async (t) => {
  const runs = [1, 2].map(() => {
    const { client, wire } = setUp({ largestSegment: 1460 })
    client.loses = (_, count) => count % 17 === 3 && count < 500
    client.send(SYN)
    client.run()
    client.ask(GET_LAST('/big'))
    return { segments: client.segments, vt: wire.vt }
  })
  t.same(runs[0], runs[1])
})

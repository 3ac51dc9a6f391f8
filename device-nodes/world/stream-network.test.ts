/** Real sockets on this host, in the place of QEMU and passt. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WORLD } from '../../bus/mod.ts'
import { framed, LENGTH_BYTES } from './framing.ts'
import { Connector, Listener, type PeerSource } from './peers.ts'
import { StreamNetwork } from './stream-network.ts'

const CARD = 'nic0'
const DOWN = Uint8Array.of(0)
const UP = Uint8Array.of(1)
const frame = (length: number, fill: number) => new Uint8Array(length).fill(fill)

/** A network, what it told, and its grid points. */
class Bench {
  readonly network: StreamNetwork
  readonly notes: string[] = []

  constructor(t: Test, peers: PeerSource) {
    this.network = new StreamNetwork({ card: CARD, peers, note: (text) => this.notes.push(text), onInput: () => {} })
    t.teardown(() => this.network.close())
  }

  /** What enters at the next grid point for which it waits. */
  async take(): Promise<Uint8Array[]> {
    await until(() => this.network.waiting(5) !== undefined)
    const inputs = this.network.take()
    for (const { src, dst } of inputs) if (src !== WORLD || dst !== CARD) throw new Error(`${src} to ${dst}`)
    return inputs.map(({ bytes }) => bytes)
  }

  /** That many, from as many grid points as it takes. */
  async takeInputs(count: number): Promise<Uint8Array[]> {
    const inputs: Uint8Array[] = []
    while (inputs.length < count) inputs.push(...(await this.take()))
    return inputs
  }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(2)
}

/** Paths of sockets are short: tap's directories are none. */
function socketPath(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'ananke-net-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'net')
}

/** A server for one peer of ours, who connects. */
async function listening(t: Test, path: string): Promise<{ server: Server; peer: Promise<Socket> }> {
  const server = createServer().listen(path)
  t.teardown(() => server.close())
  await once(server, 'listening')
  return { server, peer: once(server, 'connection').then(([socket]) => socket as Socket) }
}

/** A network that is connected, and the socket at the other end. */
async function connected(t: Test): Promise<{ bench: Bench; peer: Socket; path: string; server: Server }> {
  const path = socketPath(t)
  const { server, peer } = await listening(t, path)
  const bench = new Bench(t, new Connector({ at: { path } }))
  await bench.network.start()
  const socket = await peer
  t.teardown(() => socket.destroy())
  return { bench, peer: socket, path, server }
}

/** All that comes, as one piece of `bytes`. */
async function received(socket: Socket, bytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= bytes) break
  }
  return Buffer.concat(chunks)
}

t.test('frames go both ways, each whole', async (t) => {
  const { bench, peer } = await connected(t)
  t.equal(bench.network.waiting(5), undefined, 'the link is up, as the card takes it to be')
  t.equal(bench.network.open, true)
  const stream = Buffer.concat([frame(60, 1), frame(1514, 2), frame(14, 3)].map(framed))
  for (const part of [stream.subarray(0, 2), stream.subarray(2, 700), stream.subarray(700)]) {
    peer.write(part)
    await sleep(5)
  }
  t.same(await bench.takeInputs(3), [frame(60, 1), frame(1514, 2), frame(14, 3)])
  t.equal(bench.network.waiting(5), undefined)

  bench.network.hear('uart0', frame(60, 9))
  bench.network.hear(CARD, frame(60, 4))
  bench.network.hear(CARD, frame(1514, 5))
  const sent = Buffer.concat([framed(frame(60, 4)), framed(frame(1514, 5))])
  t.same(await received(peer, sent.length), sent)
  t.equal(bench.network.losses, undefined)
})

t.test('the same over TCP, and what waits at the end still leaves', async (t) => {
  const listener = new Listener({ at: { host: '127.0.0.1', port: 0 } })
  const bench = new Bench(t, listener)
  await bench.network.start()
  t.same(await bench.take(), [DOWN], 'nobody is there yet')
  const { port } = listener.address as { port: number }
  const peer = connect(port, '127.0.0.1')
  t.teardown(() => peer.destroy())
  t.same(await bench.take(), [UP])
  peer.write(framed(frame(60, 1)))
  t.same(await bench.take(), [frame(60, 1)])
  for (let i = 0; i < 100; i++) bench.network.hear(CARD, frame(1000, i))
  const all = received(peer, Number.POSITIVE_INFINITY)
  await bench.network.close()
  t.same(await all, Buffer.concat(Array.from({ length: 100 }, (_, i) => framed(frame(1000, i)))))
  t.equal(bench.network.open, false)
  t.same(bench.notes, [], 'an end of ours is no news')
})

t.test('a peer that goes takes the link down, after the frames that it sent', async (t) => {
  const { bench, peer, path } = await connected(t)
  peer.end(framed(frame(60, 1)))
  t.same(await bench.takeInputs(2), [frame(60, 1), DOWN])
  t.equal(bench.network.waiting(5), undefined)
  t.equal(bench.network.open, false)
  t.same(bench.notes, [`network: ${path} closed the connection; the guest's link is down`])
  bench.network.hear(CARD, frame(60, 2))
  t.equal(bench.network.losses, 'network: 1 frame dropped: 1 were sent without a connection')
})

t.test('a connection that is to be had again', async (t) => {
  const path = socketPath(t)
  const bench = new Bench(t, new Connector({ at: { path }, reconnectSeconds: 0.02 }))
  await bench.network.start()
  t.same(await bench.take(), [DOWN], 'nobody listens yet')
  t.equal(bench.network.open, true)
  for (const round of [1, 2, 3]) {
    const { server, peer } = await listening(t, path)
    const socket = await peer
    t.same(await bench.take(), [UP], `round ${round}`)
    socket.write(framed(frame(60, round)))
    t.same(await bench.take(), [frame(60, round)])
    server.close()
    socket.destroy()
    t.same(await bench.take(), [DOWN])
  }
  t.same(
    bench.notes,
    [
      `network: ${path} closed the connection, and is tried again every 0.02 s; the guest's link is down`,
      `network: ${path} is there again; the guest's link is up`,
    ],
    'each is told once',
  )
})

t.test('who comes while one is there is sent away', async (t) => {
  const listener = new Listener({ at: { host: '127.0.0.1', port: 0 } })
  const bench = new Bench(t, listener)
  await bench.network.start()
  t.same(await bench.take(), [DOWN])
  const { port } = listener.address as { port: number }
  const first = connect(port, '127.0.0.1')
  t.same(await bench.take(), [UP])
  const second = connect(port, '127.0.0.1')
  second.write(framed(frame(60, 2)))
  await once(second, 'close')
  first.write(framed(frame(60, 1)))
  t.same(await bench.take(), [frame(60, 1)])

  first.destroy()
  await until(() => bench.notes.length > 0)
  const third = connect(port, '127.0.0.1')
  t.teardown(() => third.destroy())
  third.write(framed(frame(60, 3)))
  await sleep(20)
  t.same(await bench.take(), [DOWN], 'the third is there already, but a link that was down must be seen to be')
  t.same(await bench.takeInputs(2), [UP, frame(60, 3)])
  t.match(bench.notes, [/^network: the peer at 127\.0\.0\.1:0 closed the connection, and the next one is waited for; /])
})

t.test('where there is nobody, or somebody else', async (t) => {
  const path = socketPath(t)
  await t.rejects(new Bench(t, new Connector({ at: { path } })).network.start(), {
    name: 'NetworkError',
    message: new RegExp(`^no connection to ${path} \\(.*ENOENT.*\\); start what listens there first, .* reconnect=`),
  })
  await listening(t, path)
  await t.rejects(new Bench(t, new Listener({ at: { path } })).network.start(), {
    name: 'NetworkError',
    message: new RegExp(`^${path} cannot be listened at \\(.*EADDRINUSE.*\\); something listens there already`),
  })
})

t.test('a peer that speaks something else is hung up on', async (t) => {
  const { bench, peer, path } = await connected(t)
  peer.write(framed(frame(60, 1)))
  peer.write('GET / HTTP/1.1\r\n\r\n')
  peer.on('error', () => {})
  await once(peer.resume(), 'close')
  t.same(await bench.takeInputs(2), [frame(60, 1), DOWN])
  t.same(bench.notes, [
    `network: ${path} sent what are no frames, so its connection was closed; the guest's link is down`,
  ])
})

t.test('what is no frame of Ethernet never comes to the card', async (t) => {
  const { bench, peer } = await connected(t)
  // One byte would be the link's state.
  const sent = [frame(0, 0), frame(1, 0), frame(2000, 1), frame(65_536, 2), frame(60, 3)]
  peer.write(Buffer.concat(sent.map(framed)))
  t.same(await bench.take(), [frame(60, 3)])
  t.equal(
    bench.network.losses,
    'network: 4 frames dropped: 2 came longer than a frame of Ethernet, 2 came shorter than a header',
  )
})

for (const bytes of [14, 1514]) {
  t.test(`a peer that never stops, with frames of ${bytes} bytes`, async (t) => {
    const { bench, peer } = await connected(t)
    const burst = Buffer.concat(Array(64).fill(framed(frame(bytes, 7))))
    let sentFrames = 0
    let isSending = true
    const send = () => {
      while (isSending && peer.write(burst)) sentFrames += 64
      sentFrames += 64
    }
    peer.on('drain', send).on('error', () => {})
    send()
    // Nobody takes: at some time nothing more leaves.
    for (let before = -1; before !== sentFrames; await sleep(50)) before = sentFrames
    const first = await bench.take()
    t.equal(first.length, 16)
    let frames = first.length
    isSending = false
    while (bench.network.waiting(5) !== undefined) frames += (await bench.take()).length
    t.ok(frames <= sentFrames)
    t.ok(frames >= 3000, `${frames} came`)
    // The rest was in the sockets, or was thrown away and counted.
    const dropped = Number(/: (\d+) came when too many waited/.exec(bench.network.losses ?? '')?.[1] ?? 0)
    await until(() => peer.writableLength === 0)
    await sleep(20)
    while (bench.network.waiting(5) !== undefined) frames += (await bench.take()).length
    t.ok(frames + dropped <= sentFrames)
  })
}

t.test('a peer that takes nothing: a bounded amount waits, and what it then takes is whole and in order', async (t) => {
  const { bench, peer } = await connected(t)
  peer.pause()
  const count = 4000
  for (let i = 0; i < count; i++) {
    const bytes = frame(1000, 0)
    new DataView(bytes.buffer).setUint32(0, i)
    bench.network.hear(CARD, bytes)
    if (i % 100 === 0) await sleep(0)
  }
  const lost = Number(/: (\d+) were not taken by the other side/.exec(bench.network.losses ?? '')?.[1])
  t.ok(lost > count - 2500, `${lost} were lost of ${count}`)
  const bytes = await received(peer, (count - lost) * (LENGTH_BYTES + 1000))
  t.equal(bytes.length, (count - lost) * (LENGTH_BYTES + 1000))
  for (let i = 0; i < count - lost; i++) {
    const at = i * (LENGTH_BYTES + 1000)
    if (bytes.readUInt32BE(at) !== 1000 || bytes.readUInt32BE(at + LENGTH_BYTES) !== i) t.fail(`frame ${i}`)
  }
})

import t from 'tap'
import type { Payload } from '../../bus/mod.ts'
import { NEVER, StateLayout } from '../sdk/mod.ts'
import { cardDecoder, linkInput, readLink, Transceiver, WIRE_BYTES, Wire, wireState } from './mod.ts'

t.test('a byte is the state of the link, and no frame is one', async (t) => {
  for (const isUp of [true, false]) t.equal(readLink(linkInput(isUp)), isUp)
  t.equal(linkInput(true)[0], 1)
  for (const bytes of [0, 2, 60]) t.equal(readLink(new Uint8Array(bytes)), undefined)
})

t.test('what passes has words, and registers keep theirs', async (t) => {
  const decode = cardDecoder(({ kind }) => `register ${kind}`)
  const frame = (...type: number[]) => {
    const bytes = new Uint8Array(60)
    bytes.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34, 0x56, ...type])
    return bytes
  }
  const of = (bytes: Uint8Array) => `frame ${bytes.length} bytes`
  const words: [Uint8Array, string][] = [
    [frame(8, 6), 'frame 60 bytes 52:54:00:12:34:56 -> ff:ff:ff:ff:ff:ff ARP'],
    [frame(8, 0).subarray(0, 14), 'frame 14 bytes 52:54:00:12:34:56 -> ff:ff:ff:ff:ff:ff IPv4'],
    [frame(0x12, 0x34), 'frame 60 bytes 52:54:00:12:34:56 -> ff:ff:ff:ff:ff:ff 0x1234'],
    [frame(0, 46), 'frame 60 bytes 52:54:00:12:34:56 -> ff:ff:ff:ff:ff:ff IEEE 802.3'],
    [frame().subarray(0, 13), of(new Uint8Array(13))],
    [new Uint8Array(0), of(new Uint8Array(0))],
  ]
  for (const [bytes, said] of words) {
    for (const kind of ['input', 'output'] as const) t.equal(decode({ kind, bytes }), said)
  }
  t.equal(decode({ kind: 'input', bytes: linkInput(false) }), 'link down')
  t.equal(decode({ kind: 'input', bytes: linkInput(true) }), 'link up')
  for (const payload of [{ kind: 'reset' }, { kind: 'event' }] satisfies Payload[])
    t.equal(decode(payload), `register ${payload.kind}`)
})

t.test('registers of a transceiver', async (t) => {
  const phy = new Transceiver({ identifier: 0x1234_5678, expansion: 0x0f })
  const registers = () => [0, 1, 2, 3, 4, 5, 6, 7, 31].map((number) => phy.read(number))
  const usual = [0x3100, 0x782d, 0x1234, 0x5678, 0x01e1, 0x45e1, 0x0f, 0, 0]
  t.same(registers(), usual)
  phy.write(4, 0xffff)
  phy.write(0, 0x0a00)
  phy.write(1, 0xffff)
  t.same(registers(), [0x0800, ...usual.slice(1, 4), 0x0de1, ...usual.slice(5)], 'a new agreement is over at once')
  phy.write(0, 0xb300)
  t.same(registers(), [0x3100, ...usual.slice(1)], 'so is a reset')
  t.equal(phy.setLink(true), false)
  t.equal(phy.setLink(false), true)
  phy.setLink(true)
  const restored = new Transceiver({ identifier: 0, expansion: 0 })
  restored.restore(structuredClone(phy.save()))
  for (const each of [phy, restored]) {
    t.ok(each.changesWhenRead(1))
    t.equal(each.read(1), 0x7829)
    t.notOk(each.changesWhenRead(1))
    t.equal(each.read(1), 0x782d)
  }
})

t.test('a wire brings 100 Mbit/s', async (t) => {
  const wire = new Wire()
  const took = (now: number) => {
    const lengths: number[] = []
    for (let frame = wire.take(now); frame !== undefined; frame = wire.take(now)) lengths.push(frame.length)
    return lengths
  }
  t.equal(wire.due, NEVER)
  t.same(took(0), [])
  const start = 1_000_000
  for (const bytes of [1514, 60, 20, 1514]) wire.put(new Uint8Array(bytes), start)
  t.same(took(start), [1514], 'the first is there at once')
  t.equal(wire.due, start + 84 * 80)
  t.same(took(start + 84 * 80 - 1), [])
  t.same(took(start + 84 * 80), [60])
  t.equal(wire.due, start + 2 * 84 * 80, 'a short one is padded')
  t.same(took(wire.due + 7), [60])
  t.equal(wire.due, start + (2 * 84 + 1538) * 80, 'it is of no matter when the card looks')
  t.same(took(1e9), [1514])
  t.equal(wire.due, NEVER)

  wire.put(new Uint8Array(60), 1e9)
  t.same(took(1e9), [60])
  wire.put(new Uint8Array(60), 1e9 + 5000)
  t.equal(wire.due, 1e9 + 6720, 'right behind the one before it')
  t.same(took(2e9), [60])
  for (let i = 0; i < 1000; i++) wire.put(new Uint8Array(1514), 3e9)
  const last = 3e9 + 85 * 1538 * 80
  t.same(took(last - 1).length, 85)
  t.same(took(last).length, 1)
  t.equal(wire.due, NEVER)
  t.equal(wire.dropped, 1000 - Math.floor(WIRE_BYTES / 1514), 'what found no room was the newest')
  for (const bytes of [0, 1, 13, 4097]) wire.put(new Uint8Array(bytes), 4e9)
  t.equal(wire.due, NEVER)
  t.equal(wire.dropped, 1004 - Math.floor(WIRE_BYTES / 1514), 'what is no frame')
  wire.put(new Uint8Array(14), 4e9)
  wire.clear()
  t.same([wire.due, took(5e9)], [NEVER, []])
  for (let i = 0; i < 1000; i++) wire.put(new Uint8Array(1514), 6e9)
  t.equal(took(7e9).length, Math.floor(WIRE_BYTES / 1514), 'and has room again')
})

t.test('a wire comes back as it was', async (t) => {
  const layout = new StateLayout('card', { wire: wireState })
  const wire = new Wire()
  for (let i = 0; i < 5; i++) wire.put(new Uint8Array(60).fill(i), 1_000_000)
  wire.put(new Uint8Array(5000), 0)
  wire.take(1_000_000)
  const saved = layout.save({ wire: wire.save() })
  const other = new Wire()
  other.restore(layout.restore(saved).wire)
  t.same([other.due, other.dropped], [wire.due, 1])
  for (let now = 1_006_720; now <= 1_026_880; now += 6720) t.same(other.take(now), wire.take(now))
  t.same([other.due, wire.due], [NEVER, NEVER])
  t.same(other.save(), wire.save())
  const { wire: state } = layout.restore(saved)
  const bad: [string, Partial<typeof state>][] = [
    ['bytes', { frames: Array.from({ length: 90 }, () => new Uint8Array(1514)) }],
    ['count', { frames: Array.from({ length: 3000 }, () => new Uint8Array(60)) }],
    ['no frame', { frames: [new Uint8Array(59)] }],
    ['too long', { frames: [new Uint8Array(4097)] }],
    ['time', { due: -1 }],
  ]
  for (const [name, change] of bad)
    t.throws(() => layout.restore({ wire: { ...state, ...change } }), { name: 'StateError' }, name)
  other.restore({ ...state, frames: [], due: 5 })
  t.equal(other.take(10), undefined)
})

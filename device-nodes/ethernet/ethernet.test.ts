import t from 'tap'
import type { Payload } from '../../bus/mod.ts'
import { cardDecoder, linkInput, readLink, Transceiver } from './mod.ts'

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

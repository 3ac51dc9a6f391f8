import t from 'tap'
import { captureFrame, captureStart } from './pcapng.ts'

/** A capture's blocks: type and contents, each with its length before and behind it. */
function blocksOf(bytes: Buffer): [type: number, contents: Buffer][] {
  const blocks: [number, Buffer][] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4)
    t.equal(length % 4, 0)
    t.equal(bytes.readUInt32LE(at + length - 4), length)
    blocks.push([bytes.readUInt32LE(at), bytes.subarray(at + 8, at + length - 4)])
    at += length
  }
  return blocks
}

/** Options by their codes, as text or hexadecimal. */
function optionsOf(bytes: Buffer): Record<number, string> {
  const options: Record<number, string> = {}
  for (let at = 0; at < bytes.length; ) {
    const [code, length] = [bytes.readUInt16LE(at), bytes.readUInt16LE(at + 2)]
    options[code] = bytes.subarray(at + 4, at + 4 + length).toString('latin1')
    at += 4 + ((length + 3) & ~3)
  }
  return options
}

t.test('a capture begins with who made it, and its interfaces', async (t) => {
  const [section, ...interfaces] = blocksOf(captureStart('Ananke 1', ['nic0', 'card1']))
  t.equal(section?.[0], 0x0a0d0d0a)
  t.equal(section?.[1].readUInt32LE(0), 0x1a2b3c4d)
  t.equal(section?.[1].readUInt16LE(4), 1)
  t.same(optionsOf(section![1].subarray(16)), { 0: '', 4: 'Ananke 1' })
  t.same(
    interfaces.map(([type, contents]) => [type, contents.readUInt16LE(0), optionsOf(contents.subarray(8))]),
    [
      [1, 1, { 0: '', 2: 'nic0', 9: '\t' }],
      [1, 1, { 0: '', 2: 'card1', 9: '\t' }],
    ],
  )
})

t.test('a frame has its time, direction, comment and bytes', async (t) => {
  const ns = 1_704_067_244_498_978_312n
  for (const [direction, flag] of [
    ['in', 1],
    ['out', 2],
  ] as const) {
    for (const bytes of [0, 1, 60, 61]) {
      const frame = Buffer.alloc(bytes, 7)
      const [[type, contents] = [0, Buffer.alloc(0)]] = blocksOf(
        captureFrame({ interface: 1, ns, direction, comment: 'entry 5', bytes: frame }),
      )
      t.equal(type, 6)
      t.equal(contents.readUInt32LE(0), 1)
      t.equal((BigInt(contents.readUInt32LE(4)) << 32n) | BigInt(contents.readUInt32LE(8)), ns)
      t.same([contents.readUInt32LE(12), contents.readUInt32LE(16)], [bytes, bytes])
      t.same(contents.subarray(20, 20 + bytes), frame)
      const options = optionsOf(contents.subarray(20 + ((bytes + 3) & ~3)))
      t.same(options, { 0: '', 1: 'entry 5', 2: String.fromCharCode(flag, 0, 0, 0) })
    }
  }
})

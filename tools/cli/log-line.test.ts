import t from 'tap'
import { type DeviceModel, device, type Message, NEVER, type Payload } from '../../bus/mod.ts'
import { EntryDecoder, entryLine, entryObject } from './log-line.ts'

/** A device of which only the description is used. */
function model(decoder?: DeviceModel['decoder']): DeviceModel {
  return {
    type: 'test',
    stateVersion: 1,
    regions: () => [
      { kind: 'registers', name: 'ports', size: 8, endian: 'little' },
      { kind: 'memory', name: 'buffer', size: 4096 },
    ],
    inputs: ['ir0', 'ir1'],
    outputs: [],
    create: () => {
      throw new Error('not run here')
    },
    ...(decoder && { decoder }),
  }
}

const plain = { devices: [device('dev', model(), {})] }

const message = (src: string, dst: string, payload: Payload): Message => ({
  vt: 1_000_000_008,
  icount: 7,
  src,
  dst,
  payload,
})

const WORDS: readonly [string, string, Payload, string][] = [
  ['bus', 'dev', { kind: 'reset' }, ''],
  ['bus', 'dev', { kind: 'event' }, ''],
  ['cpu', 'dev', { kind: 'read', region: 0, offset: 4, size: 2 }, 'ports+0x4/2'],
  ['cpu', 'dev', { kind: 'write', region: 0, offset: 1, size: 1, value: 255, index: 16 }, 'ports+0x1[0x10]/1 <- 0xff'],
  ['pic', 'dev', { kind: 'line', wire: 1, level: 1 }, 'ir1 = 1'],
  ['dev', 'cpu', { kind: 'line', wire: 4, level: 0 }, 'interrupt 4 = 0'],
  ['dev', 'cpu', { kind: 'data', value: 96, validUntil: 0 }, '0x60'],
  ['dev', 'cpu', { kind: 'data', value: 96, validUntil: NEVER }, '0x60, until its next message'],
  ['dev', 'cpu', { kind: 'data', value: 96, validUntil: 2e9 }, '0x60, until 2.000000000'],
  ['dev', 'bus', { kind: 'timer', due: 5 }, 'due at 0.000000005'],
  ['dev', 'bus', { kind: 'timer', due: NEVER }, 'off'],
  ['world', 'dev', { kind: 'input', bytes: Buffer.from('ls\r') }, '"ls\\r"'],
  ['dev', 'world', { kind: 'output', bytes: Buffer.from('x') }, '"x"'],
  ['cpu', 'dev', { kind: 'memory', bytes: Buffer.from([1, 2]) }, '0102'],
  ['cpu', 'dev', { kind: 'memory', bytes: Buffer.from([1, 2]), length: 512 }, '512 bytes with SHA-256 0102'],
  ['dev', 'cpu', { kind: 'dmaRead', target: -1, address: 4096, length: 16 }, '16 bytes at 0x00001000'],
  ['dev', 'cpu', { kind: 'dmaWrite', target: 1, address: 8, bytes: Buffer.from([255]) }, 'buffer+0x00000008 <- ff'],
  [
    'dev',
    'cpu',
    { kind: 'map', region: 0, space: 'memory', base: 4096, length: 8, offset: 0, mode: 'registers' },
    'ports at memory 0x00001000, 8 bytes, registers',
  ],
  [
    'dev',
    'cpu',
    { kind: 'map', region: 0, space: 'memory', base: 0, length: 8, offset: 0, mode: 'off' },
    'ports nowhere in memory',
  ],
  ['cpu', 'bus', { kind: 'grid', hash: -1 }, 'registers 0xffffffff'],
  ['cpu', 'bus', { kind: 'segment', hashLow: 1, hashHigh: -2 }, 'memory 0xfffffffe00000001'],
  ['bus', 'world', { kind: 'stop', reason: 'quit' }, 'quit'],
]

t.test('every kind of message has words', async (t) => {
  const decoder = new EntryDecoder(plain)
  for (const [src, dst, payload, words] of WORDS)
    t.equal(decoder.decode(message(src, dst, payload)), words, payload.kind)
})

t.test("a model's decoder goes first, and hears all that its device sent and got, in order", async (t) => {
  const heard: string[] = []
  const decode = (payload: Payload) => {
    heard.push(payload.kind)
    return payload.kind === 'read' ? 'LSR ?' : undefined
  }
  const decoder = new EntryDecoder({
    devices: [
      device(
        'dev',
        model(() => decode),
        {},
      ),
    ],
  })
  const said = WORDS.slice(0, 4).map(([src, dst, payload]) => decoder.decode(message(src, dst, payload)))
  t.same(said, ['', '', 'LSR ?', 'ports+0x1[0x10]/1 <- 0xff'])
  t.same(heard, ['reset', 'event', 'read', 'write'])
})

t.test('lines and objects', async (t) => {
  const entry = message('cpu', 'dev', { kind: 'write', region: 0, offset: 1, size: 1, value: 3 })
  t.equal(entryLine(12, entry, 'IER <- 3'), '     12    1.000000008            7  cpu -> dev         write    IER <- 3')
  t.same(entryObject(12, message('dev', 'world', { kind: 'output', bytes: Buffer.from('x') }), 'x'), {
    entry: 12,
    vt: 1_000_000_008,
    icount: 7,
    src: 'dev',
    dst: 'world',
    kind: 'output',
    bytes: '78',
    text: 'x',
  })
})

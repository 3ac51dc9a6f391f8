import t from 'tap'
import * as v from 'valibot'
import { type Board, type Load, layoutBoard } from '../../bus/mod.ts'
import { boards, type GuestImages } from './mod.ts'

const MIB = 2 ** 20
const kernel = {
  entry: 0x80100400,
  segments: [{ address: 0x80100000, bytes: Uint8Array.of(1, 2, 3), memoryBytes: 16 }],
}

interface Built {
  board: Board
  loads: readonly Load[]
}

function build(name: string, options: Record<string, unknown>, images: GuestImages = {}): Built {
  const { board, loads } = boards[name]!.build(options)
  return { board, loads: loads(images) }
}

const load = (built: Built, memory: string, offset: number) =>
  built.loads.flatMap((piece) =>
    'memory' in piece && piece.memory === memory && piece.offset === offset ? [piece.bytes] : [],
  )[0]

/** The arguments and environment of a built Malta, read as a kernel would. */
function firmwareStrings(built: Built, littleEndian: boolean): string[] {
  const bytes = load(built, 'ram', 0x2000)!
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const strings: string[] = []
  for (let entry = 0; view.getUint32(entry, littleEndian) !== 0; entry += 4) {
    const at = view.getUint32(entry, littleEndian) - 0x80002000
    strings.push(Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString())
  }
  return strings
}

t.test('every board is whole, in both byte orders, and needs no option', async (t) => {
  for (const name of Object.keys(boards)) {
    for (const endian of ['little', 'big']) {
      const { board } = build(name, { endian }, { kernel })
      t.doesNotThrow(() => layoutBoard(board), name)
      t.equal(board.cpu.endian, endian)
    }
    t.equal(build(name, {}).board.name, name)
    const schema = boards[name]!.options
    const defaults = v.parse(schema, {})
    t.same(v.parse(schema, defaults), defaults)
  }
})

t.test('options that make no sense are named', async (t) => {
  const fails = (name: string, options: Record<string, unknown>, message: RegExp) =>
    t.throws(() => build(name, options), { name: 'BoardOptionsError', message })
  fails('malta', { memoryBytes: 4 * MIB }, /board malta: memoryBytes: .*at least 16 MiB/)
  fails('malta', { memoryBytes: 4096 * MIB }, /at most 2048 MiB/)
  fails('malta', { memoryBytes: 16 * MIB + 1 }, /whole number of MiB/)
  fails('malta', { endian: 'middle' }, /endian/)
  fails('malta', { colour: 1 }, /board malta:.*colour/)
  fails('dma-test', { memoryBytes: 0 }, /at least 1 MiB/)
})

t.test("Malta's RAM appears where QEMU has it", async (t) => {
  const places = (mib: number) =>
    build('malta', { memoryBytes: mib * MIB })
      .board.placements.filter(({ region }) => region === 'ram')
      .map(({ base, length, offset }) => ({ base, length, offset }))
  t.same(places(64), [
    { base: 0, length: 64 * MIB, offset: undefined },
    { base: 0x80000000, length: undefined, offset: undefined },
  ])
  t.same(places(1024), [
    { base: 0, length: 256 * MIB, offset: undefined },
    { base: 0x80000000, length: undefined, offset: undefined },
    { base: 0x20000000, length: 512 * MIB, offset: 0x20000000 },
  ])
})

t.test('a kernel gets its arguments and environment', async (t) => {
  for (const endian of ['little', 'big']) {
    const built = build('malta', { endian, append: 'console=ttyS0', memoryBytes: 512 * MIB }, { kernel })
    t.same(load(built, 'ram', 0x100000), Uint8Array.of(1, 2, 3, ...new Uint8Array(13)))
    t.same(firmwareStrings(built, endian === 'little'), [
      'linux',
      'console=ttyS0',
      ...['memsize', '268435456', 'ememsize', '536870912', 'modetty0', '38400n8r'],
    ])
  }
})

t.test('an initial RAM disk is placed as QEMU places it', async (t) => {
  const initrd = new Uint8Array(27038261)
  const built = build('malta', { append: 'quiet' }, { kernel, initrd })
  t.equal(firmwareStrings(built, true)[1], 'rd_start=0xffffffff8e620000 rd_size=27038261 quiet')
  t.equal(load(built, 'ram', 0x0e620000), initrd)
})

t.test('images that do not fit', async (t) => {
  const fails = (options: Record<string, unknown>, images: GuestImages, message: RegExp) =>
    t.throws(() => build('malta', options, images), { name: 'BoardOptionsError', message })
  fails({}, { initrd: new Uint8Array(10) }, /needs a kernel/)
  fails({ memoryBytes: 16 * MIB }, { kernel, initrd: new Uint8Array(16 * MIB) }, /do not both fit/)
  fails({}, { kernel: { entry: 0, segments: [{ address: 0x400000, bytes: new Uint8Array(4) }] } }, /0x400000/)
  fails({ append: 'x'.repeat(9000) }, { kernel }, /too long/)
  t.throws(() => build('dma-test', {}, { kernel, initrd: new Uint8Array(1) }), { name: 'BoardOptionsError' })
})

t.test('a time of day that the clock cannot show', async (t) => {
  for (const startSeconds of [-1, 253402300800, 1.5]) {
    t.throws(() => build('malta', { startSeconds }), { name: 'BoardOptionsError', message: /startSeconds/ })
  }
  t.doesNotThrow(() => build('malta', { startSeconds: 253402300799 }))
})

t.test('the boot ROM starts at the reset vector and holds the revision word', async (t) => {
  for (const endian of ['little', 'big']) {
    const rom = load(build('malta', { endian }, { kernel }), 'boot-rom', 0)!
    const word = (offset: number) => new DataView(rom.buffer).getUint32(offset, endian === 'little')
    t.equal(word(0), 0x0bf00160, 'j 0xbfc00580')
    t.equal(word(0x10), 0x420)
    t.same([word(0x580), word(0x584)], [0x3c08b400, 0x35080068], 'lui, ori t0: the register that moves the GT')
    t.equal(word(0x58c) & 0xffff, endian === 'little' ? 0x00df : 0x0000)
    t.equal(word(0x588) & 0xffff, endian === 'little' ? 0x0000 : 0xdf00)
  }
})

t.test('drives of a Malta', async (t) => {
  const images = [1000, 1024].map((bytes) => ({ bytes, read: () => new Uint8Array(bytes) }))
  const drives = [
    { media: 'disk', channel: 0, device: 1, bytes: 4096 },
    { media: 'disk', channel: 1, device: 0, bytes: 1024, isReadOnly: true },
  ]
  const built = build('malta', { drives }, { kernel, drives: images })
  t.same(
    built.loads.flatMap((piece) => ('storage' in piece ? [[piece.storage, piece.image.bytes]] : [])),
    [
      ['ide.disk1', 1000],
      ['ide.disk2', 1024],
    ],
  )
  const { storages } = layoutBoard(built.board)
  t.same(storages, [
    { name: 'ide.disk1', bytes: 4096 },
    { name: 'ide.disk2', bytes: 1024 },
  ])
  const refused = (drive: object, what: RegExp) => t.throws(() => build('malta', { drives: [drives[0], drive] }), what)
  refused({ media: 'disk', channel: 0, device: 1, bytes: 512 }, /two drives are at the same place/)
  refused({ media: 'disk', channel: 0, device: 0, bytes: 0 }, /a disk is not empty/)
  refused({ media: 'disk', channel: 0, device: 0, bytes: 1000 }, /whole sectors/)
  refused({ media: 'disk', channel: 2, device: 0, bytes: 512 }, /board malta: drives/)
})

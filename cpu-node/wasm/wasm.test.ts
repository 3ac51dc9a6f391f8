import t from 'tap'
import { ByteWriter } from './bytes.ts'
import { FunctionBody } from './function.ts'
import { encodeModule } from './module.ts'

const bytesOf = (write: (to: ByteWriter) => void): number[] => {
  const writer = new ByteWriter()
  write(writer)
  return [...writer.written]
}

t.test('numbers are encoded as the specification has them', async (t) => {
  t.same(
    bytesOf((to) => to.unsigned(624485)),
    [0xe5, 0x8e, 0x26],
  )
  t.same(
    bytesOf((to) => to.unsigned(0xffff_ffff)),
    [0xff, 0xff, 0xff, 0xff, 0x0f],
  )
  t.same(
    bytesOf((to) => to.signed(-123456)),
    [0xc0, 0xbb, 0x78],
  )
  t.same(
    bytesOf((to) => to.signed(-0x8000_0000)),
    [0x80, 0x80, 0x80, 0x80, 0x78],
  )
  t.same(
    bytesOf((to) => to.signed(64)),
    [0xc0, 0x00],
  )
  t.same(
    bytesOf((to) => to.signed64(-1n)),
    [0x7f],
  )
})

t.test('a module runs: the sum of the numbers below its first argument, through memory and an import', async (t) => {
  const signature = { parameters: ['i32'], results: ['i32'] } as const
  const f = new FunctionBody(signature.parameters)
  const count = f.parameter(0)
  const sum = f.local('i32')
  const again = f.loop()
  f.get(count)
  const more = f.if()
  f.get(count)
  f.i32(1)
  f.op('i32.sub')
  f.tee(count)
  f.get(sum)
  f.op('i32.add')
  f.set(sum)
  f.br(again)
  f.end(more)
  f.end(again)
  f.i32(0)
  f.get(sum)
  f.memory('i32.store', 8)
  f.get(sum)
  f.call(0)
  const bytes = encodeModule({
    memoryPages: 1,
    imports: [{ name: 'twice', signature }],
    functions: [{ name: '0', signature, body: f }],
  })
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 })
  const env = { memory, twice: (value: number) => 2 * value }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env })
  t.equal(instance.exports['0']!(10), 90)
  t.equal(new Int32Array(memory.buffer)[2], 45)
})

t.test('labels are checked', async (t) => {
  const f = new FunctionBody([])
  const outer = f.block()
  const inner = f.block()
  t.throws(() => f.end(outer), { message: 'blocks end in the order they nest' })
  const g = new FunctionBody([])
  t.throws(() => g.br(inner), { message: 'the label is in scope' })
  t.throws(() => f.finish(), { message: 'every block has ended' })
})

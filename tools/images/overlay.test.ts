import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import t from 'tap'
import { UserError } from '../errors.ts'
import { hostOverlay } from './overlay.ts'

t.test('what is written is read again, and the file has no name', async (t) => {
  const directory = t.testdir()
  const { memoryBytes, openFile } = hostOverlay(5, directory)
  t.equal(memoryBytes, 5)
  const [one, other] = [openFile('ide.disk0'), openFile('ide.disk0')]
  const bytes = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251)
  one.write(4096, bytes)
  other.write(0, bytes.subarray(1))
  t.same(fs.readdirSync(directory), [])
  const into = new Uint8Array(100)
  one.read(4096 + 300, into)
  t.same(into, bytes.subarray(300, 400))
  other.read(9000, into)
  t.same(into, bytes.subarray(9001, 9101))
  t.throws(() => one.read(4096 + 9950, into), { constructor: UserError, message: /what the guest wrote to ide\.disk0/ })
  t.ok(hostOverlay().memoryBytes > 2 ** 20)
})

t.test('a host that has no place for it says what to do', async (t) => {
  const directory = `${t.testdir()}/none`
  const message = /none.*cannot make a file for what the guest wrote to ide\.disk1: .*TMPDIR/
  t.throws(() => hostOverlay(5, directory).openFile('ide.disk1'), { constructor: UserError, message })
})

t.test('a file that may not grow is told by name', async (t) => {
  const program = `
    const { hostOverlay } = await import(${JSON.stringify(new URL('./overlay.ts', import.meta.url).href)})
    const file = hostOverlay(5, ${JSON.stringify(t.testdir())}).openFile('ide.disk0')
    file.write(0, new Uint8Array(1024))
    try {
      file.write(1024, new Uint8Array(64 * 1024))
    } catch (error) {
      console.log(error.message)
    }`
  const shell = `trap '' XFSZ; ulimit -f 8; exec "$0" --input-type=module -e "$1"`
  const said = execFileSync('sh', ['-c', shell, process.execPath, program], { encoding: 'utf8' })
  t.match(said, /blocks: cannot write what the guest wrote to ide\.disk0: EFBIG.*TMPDIR/)
})

import { PassThrough } from 'node:stream'
import t from 'tap'
import { type ConsoleInput, HostConsole } from './console.ts'

function terminal() {
  const input: ConsoleInput = new PassThrough()
  const raw: boolean[] = []
  input.setRawMode = (on) => raw.push(on)
  const output = new PassThrough()
  const messages = new PassThrough()
  let woken = 0
  const host = new HostConsole({
    input,
    output,
    messages,
    console: 'uart0',
    describe: () => '12 instructions',
    onInput: () => {
      woken++
    },
  })
  const type = (text: string) => input.emit('data', Buffer.from(text, 'latin1'))
  const typed = () =>
    host
      .take(0, 0)
      .map(({ bytes }) => Buffer.from(bytes).toString('latin1'))
      .join('')
  return { host, input, raw, output, messages, type, typed, woken: () => woken }
}

t.test('keys go to the machine as they are', async (t) => {
  const { host, type, raw, woken } = terminal()
  host.attach()
  t.same(raw, [true])
  t.ok(host.open)
  t.equal(host.waiting(7), undefined)
  type('ls\r')
  type('\x03')
  t.equal(woken(), 2)
  t.same(host.waiting(7), { icount: 0, vt: 7 })
  t.same(host.take(8, 8), [{ src: 'world', dst: 'uart0', bytes: Uint8Array.from([0x6c, 0x73, 0x0d, 0x03]) }])
  t.same(host.take(9, 9), [])
  host.detach()
  host.detach()
  t.same(raw, [true, false])
  type('late')
  t.same(host.take(10, 10), [])
})

t.test('Ctrl-A is the escape', async (t) => {
  const { host, type, typed, messages } = terminal()
  host.attach()
  type('a\x01')
  t.equal(host.stop(), undefined)
  type('\x01b\x01zc')
  t.equal(typed(), 'a\x01bc', 'an unknown key after it means nothing')
  type('\x01h')
  t.match(messages.read()?.toString(), /Ctrl-A x {2}end the run/)
  type('\x01c')
  t.match(messages.read()?.toString(), /12 instructions/)
  t.equal(typed(), '')
  type('\x01x')
  t.equal(host.stop(), 'quit')
  t.same(host.waiting(2), { icount: 0, vt: 2 }, 'an idle machine must come to its next grid point')
})

t.test('only the console is shown', async (t) => {
  const { host, output } = terminal()
  host.show('uart1', Buffer.from('no'))
  host.show('uart0', Buffer.from('yes'))
  t.equal(output.read()?.toString(), 'yes')
})

t.test('a long paste stops the terminal, and loses nothing', async (t) => {
  const { host, input, type, typed } = terminal()
  host.attach()
  type('x'.repeat(70000))
  t.ok(input.isPaused())
  let length = 0
  for (let text = typed(); text !== ''; text = typed()) {
    if (text.length > 8) t.fail(`${text.length} bytes at one grid point are more than a serial line takes`)
    length += text.length
    if (input.isPaused() !== 70000 - length >= 65536) t.fail(`paused: ${input.isPaused()} with ${length} taken`)
  }
  t.equal(length, 70000)
})

t.test('the end of input closes it', async (t) => {
  const { host, input, woken } = terminal()
  host.attach()
  input.emit('end')
  t.notOk(host.open)
  t.equal(woken(), 1)
})

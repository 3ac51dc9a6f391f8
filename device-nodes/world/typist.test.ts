import t from 'tap'
import { parseScript } from './script.ts'
import { Typist } from './typist.ts'

function typist(source: string) {
  const script = new Typist(parseScript(source, 's.script'), 'uart0')
  const hear = (text: string) => script.hear('uart0', Buffer.from(text))
  /** What it types at a grid point. */
  const typed = (vt: number, icount = vt) => script.take(vt, icount).map(({ bytes }) => Buffer.from(bytes).toString())
  return { script, hear, typed }
}

t.test('an answer comes at the grid point after what it waits for', async (t) => {
  const { script, hear, typed } = typist('expect ~ #\nsend uname -a\nexpect ~ #\nquit')
  t.same(typed(1), [])
  t.same(script.waiting(), { icount: 0, vt: 300e9 })
  hear('boot\r\n~ # ')
  t.same(script.waiting(), { icount: 0, vt: 0 })
  t.same(script.take(3, 3), [{ src: 'script', dst: 'uart0', bytes: Buffer.from('uname -a\r') }])
  t.equal(script.stop(3), undefined, 'the first prompt is used up')
  hear('uname -a\r\nLinux\r\n~ # ')
  t.same(typed(4), [])
  t.equal(script.stop(4), 'quit')
})

t.test('text is found across pieces of output, whatever the line ends', async (t) => {
  for (const pieces of [['login: '], ['log', 'in', ': '], [...'x\r\nlogin: '], ['lo\rgin:'], ['logi', 'login:']]) {
    const { typed, hear } = typist('expect login:\nsend root')
    for (const piece of pieces) {
      hear(piece)
    }
    t.same(typed(1), ['root\r'], JSON.stringify(pieces))
  }
  const { typed, hear } = typist('expect grüße\nsend ok')
  const bytes = Buffer.from('grüße')
  hear(bytes.subarray(0, 3).toString('latin1'))
  t.same(typed(1), [], 'other bytes are not it')
})

t.test('bytes of one character may come apart', async (t) => {
  const { script, typed } = typist('expect ü\nsend ok')
  for (const byte of Buffer.from('ü')) script.hear('uart0', Uint8Array.of(byte))
  t.same(typed(1), ['ok\r'])
})

t.test('only its console counts', async (t) => {
  const { script, typed } = typist('expect a\nsend b')
  script.hear('uart1', Buffer.from('a'))
  t.same(typed(1), [])
})

t.test('one piece may answer several lines; what came before is remembered', async (t) => {
  const { typed, hear } = typist('expect one\nsend 1\nexpect two\nsend 2\nat 50 send 3\nexpect three\nsend 4')
  hear('one two three')
  t.same(typed(10), ['1\r', '2\r'])
  t.same(typed(49), [])
  t.same(typed(60), ['3\r', '4\r'])
})

t.test('at waits for instructions, not for time', async (t) => {
  const { script, typed } = typist('at 100 send x')
  t.same(script.waiting(), { icount: 100, vt: 0 })
  t.same(typed(1e9, 99), [])
  t.same(typed(1e9 + 1, 100), ['x\r'])
  t.ok(script.finished)
  t.equal(script.waiting(), undefined)
  t.equal(script.stop(5), undefined)
})

t.test('a text that never comes fails at its limit, with the last lines', async (t) => {
  const { script, hear, typed } = typist('send go\nlimit 2\nexpect never')
  t.same(typed(1e9), ['go\r'])
  hear('one\r\ntwo\r\n\x1b[6nkernel panic\r\n\r\n')
  t.same(script.waiting(), { icount: 0, vt: 3e9 })
  t.equal(script.stop(3e9 - 1), undefined)
  t.equal(script.failure, undefined)
  t.equal(script.stop(3e9), 'failed')
  t.match(script.failure?.message, /^s\.script:3: the console did not print "never" within 2 virtual seconds/)
  t.match(script.failure?.message, /two\n.*kernel panic\n/)
  t.match(script.failure?.message, /limit SECONDS/)
})

t.test('a text that comes in time is not failed for being answered late', async (t) => {
  const { script, hear, typed } = typist('limit 2\nexpect late\nsend ok')
  hear('late')
  t.same(typed(5e9), ['ok\r'])
  t.equal(script.stop(5e9), undefined)
})

t.test('a flood of output is bounded, and does not lose the end of a match', async (t) => {
  const { hear, typed } = typist('at 10 send a\nexpect end of it\nsend b')
  for (let i = 0; i < 40; i++) hear('x'.repeat(65536))
  hear('end of')
  t.same(typed(20), ['a\r'])
  hear(' it')
  t.same(typed(21), ['b\r'])
})

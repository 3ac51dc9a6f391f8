import t from 'tap'
import { parseScript } from './script.ts'

t.test('the forms of a line', async (t) => {
  const source =
    '# typed by nobody\n\nexpect ~ #  \nsend  ls -l "a b"\r\nsend\nat 1000 send x\nlimit 2.5\nexpect login: #1\nquit\n'
  t.same(parseScript(source, 'a.script').steps, [
    { kind: 'expect', line: 3, text: '~ #', limitNs: 300e9 },
    { kind: 'send', line: 4, text: ' ls -l "a b"' },
    { kind: 'send', line: 5, text: '' },
    { kind: 'at', line: 6, icount: 1000, text: 'x' },
    { kind: 'expect', line: 8, text: 'login: #1', limitNs: 2.5e9 },
    { kind: 'quit', line: 9 },
  ])
  t.match(parseScript('expect x', 'a', 10).steps, [{ limitNs: 10e9 }])
  t.same(parseScript('', 'a').steps, [])
})

t.test('errors name file and line, and say what a line can be', async (t) => {
  const fails = (source: string, message: RegExp) =>
    t.throws(() => parseScript(source, 'b.script'), { name: 'ScriptError', message })
  fails('send a\nwait b', /^b\.script:2: "wait" .*expect TEXT, send TEXT/)
  fails('expect', /b\.script:1: expect needs/)
  fails('at x send y', /at ICOUNT send TEXT/)
  fails('at 5', /at ICOUNT send TEXT/)
  fails('at 99999999999999999999 send y', /too large/)
  fails('limit never', /limit needs/)
  fails('limit 0', /limit needs/)
  fails('quit now', /quit stands alone/)
})

import t from 'tap'
import { ConsoleMarks } from './marks.ts'
import { SYSTEMS, workloadLine, workloadMarks, workloadReply, workloadScript } from './sample.ts'

const bytes = (text: string) => Buffer.from(text, 'latin1')

/** A session at the prompt as a guest's console prints it: typed lines are echoed. */
const SESSION = [
  'booting ~ and so on\r\n~ # ',
  `${workloadLine('sha256')}\r\r\n0123  -\r\ndone-23-sha256\r\n~ # `,
  `${workloadLine('find')}\r\n7301\r\ndone-23-find\r\n~ # `,
].join('')

t.test('marks are found in order, each after the one before', async (t) => {
  const marks = new ConsoleMarks(workloadMarks('installer', ['sha256', 'find']))
  const found = marks.hear(bytes(SESSION))
  t.same(
    found.map(({ index }) => index),
    [0, 1, 2, 3],
  )
  t.equal(found[0]?.text, 'booting ~ and so on\n~ #')
  t.match(found[1]?.text, /^0123 {2}-$/m)
  t.equal(found[2]?.text, '\n~ #')
  t.match(found[3]?.text, /^7301$/m)
  t.equal(marks.finished, true)
  t.equal(marks.hear(bytes('~ # ~ #')).length, 0, 'nothing is looked for after the last')
})

t.test('the echo of a typed line is not its mark', async (t) => {
  const marks = new ConsoleMarks(['done-23-exec'])
  t.equal(marks.hear(bytes(`~ # ${workloadLine('exec')}\r\n`)).length, 0)
  t.equal(marks.finished, false)
  t.equal(marks.hear(bytes('done-23-exec\r\n')).length, 1)
})

t.test('however the output is cut into pieces, the marks are the same', async (t) => {
  const whole = new ConsoleMarks(workloadMarks('installer', ['sha256', 'find'])).hear(bytes(SESSION))
  for (let length = 1; length <= 40; length++) {
    const marks = new ConsoleMarks(workloadMarks('installer', ['sha256', 'find']))
    const found = []
    for (let at = 0; at < SESSION.length; at += length) found.push(...marks.hear(bytes(SESSION.slice(at, at + length))))
    t.same(found, whole, `pieces of ${length}`)
  }
})

t.test('output without a mark is kept only so far', async (t) => {
  const marks = new ConsoleMarks(['end of it'])
  const piece = new Uint8Array(1 << 20).fill(0x2e)
  for (let count = 0; count < 40; count++) t.same(marks.hear(piece), [])
  t.same(
    marks.hear(bytes('the end of it')).map(({ index }) => index),
    [0],
  )
})

t.test('the script waits for each prompt and types the same lines', async (t) => {
  const { prompt } = SYSTEMS.installer
  t.equal(
    workloadScript('installer', '', ['exec']),
    `limit 3600\nexpect ${prompt}\nsend ${workloadLine('exec')}\nexpect done-23-exec\nquit\n`,
  )
  const reply = workloadReply('installer', '', ['exec'])
  t.same([reply(0), reply(1)], [workloadLine('exec'), undefined])
})

t.test('a system with a login is logged in to first', async (t) => {
  const marks = workloadMarks('disk', ['tcp'])
  const reply = workloadReply('disk', 'here:80', ['tcp'])
  t.equal(marks.length, 4)
  t.same([reply(0), reply(2), reply(3)], ['root', workloadLine('tcp'), undefined])
  t.match(reply(1), 'SERVER=here:80')
})

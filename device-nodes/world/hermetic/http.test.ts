/**
 * The server of files, as its clients see it.
 */
import t from 'tap'
import { HttpService } from './http.ts'
import { parseHead, parseHttpDate, parseRange } from './http-request.ts'
import { FakeFiles, patterned } from './testing.ts'

const BIG = patterned(200_000)
const DATE = 'Tue, 14 Nov 2023 22:13:20 GMT'
const CONTENTS = {
  'index.txt': 'hello\n',
  'big.bin': BIG,
  'site/index.html': '<p>site</p>',
  'list/b': 'b',
  'list/a & "c"': 'a',
  'list/\xc3\xbc': 'u',
  'list/d/e': 'e',
  empty: '',
}

/** What a service says, read in pieces as of segments, until it has nothing more. */
function conversation(...requests: string[]) {
  const files = new FakeFiles(CONTENTS)
  const service = new HttpService(files)
  const said: Buffer[] = []
  let ended: 'later' | 'end' | 'reset' = 'later'
  for (const request of requests) {
    service.receive(Buffer.from(request, 'latin1'))
    for (;;) {
      const bytes = service.read(1460)
      if (typeof bytes === 'string') {
        ended = bytes
        break
      }
      said.push(bytes)
    }
  }
  return { files, service, said, text: Buffer.concat(said).toString('latin1'), ended }
}

const request = (line: string, ...fields: string[]) => [line, 'Host: a', ...fields, '', ''].join('\r\n')
const ask = (line: string, ...fields: string[]) => conversation(request(line, ...fields)).text
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n') + 4)

t.test('a file', async (t) => {
  const answer = ask('GET /index.txt HTTP/1.1')
  t.equal(
    answer,
    `HTTP/1.1 200 OK\r\nLast-Modified: ${DATE}\r\nContent-Type: text/plain; charset=utf-8\r\nAccept-Ranges: bytes\r\n` +
      'Content-Length: 6\r\nConnection: keep-alive\r\n\r\nhello\n',
  )
  t.equal(ask('HEAD /index.txt HTTP/1.1'), answer.slice(0, -6), 'its head alone')
  t.equal(bodyOf(ask('GET http://mirror/index.txt?a=b HTTP/1.1')), 'hello\n', 'as a proxy is asked')
  t.equal(bodyOf(ask('GET /%69ndex.txt HTTP/1.1')), 'hello\n')
  t.equal(bodyOf(ask('GET /list/%C3%BC HTTP/1.1')), 'u')
  t.equal(bodyOf(ask('GET /list/\xc3\xbc HTTP/1.1')), 'u')
  t.equal(bodyOf(ask('GET /list//./b HTTP/1.1')), 'b')
  t.match(ask('GET /empty HTTP/1.1'), /Content-Length: 0\r\n/)
})

t.test('a large file comes in whole segments, and is closed', async (t) => {
  const { said, files, text } = conversation(request('GET /big.bin HTTP/1.1'))
  t.ok(Buffer.from(bodyOf(text), 'latin1').equals(BIG))
  t.ok(said.slice(0, -1).every(({ length }) => length === 1460))
  t.equal(files.open, 0)
  t.equal(files.reads, 4)
})

t.test('requests ahead of their answers, and connections kept', async (t) => {
  const many = ['/index.txt', '/nothing', '/list/b'].map((path) => request(`GET ${path} HTTP/1.1`)).join('')
  const { text, ended } = conversation(many)
  t.same(
    text.match(/HTTP\/1\.1 \d+/g)?.map((line) => line.slice(9)),
    ['200', '404', '200'],
  )
  t.equal(ended, 'later')
  for (let cut = 1; cut < many.length; cut += 7) {
    t.equal(conversation(many.slice(0, cut), many.slice(cut)).text, text, `cut at ${cut}`)
  }
  const kept = (line: string, ...fields: string[]) => conversation(request(line, ...fields)).ended === 'later'
  t.ok(kept('GET / HTTP/1.1'))
  t.notOk(kept('GET / HTTP/1.1', 'Connection: close'))
  t.notOk(kept('GET / HTTP/1.1', 'Connection: a, Close'))
  t.notOk(kept('GET / HTTP/1.0'))
  t.ok(kept('GET / HTTP/1.0', 'Connection: keep-alive'))
  const last = conversation(request('GET /index.txt HTTP/1.1', 'Connection: close') + many)
  t.equal(last.text.match(/HTTP\/1\.1/g)?.length, 1, 'nothing after the last one')
  t.equal(conversation('GET / HTTP/1.0\n\n').ended, 'end', 'typed by hand')
  const half = conversation(request('GET /index.txt HTTP/1.1').slice(0, -3))
  half.service.end()
  t.equal(half.service.read(1460), 'end')
})

t.test('parts of a file', async (t) => {
  const part = (range: string, ...more: string[]) => ask('GET /big.bin HTTP/1.1', `Range: ${range}`, ...more)
  for (const [range, from, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=100-199', 100, 200],
    ['bytes=199999-', 199_999, 200_000],
    ['bytes=-5', 199_995, 200_000],
    ['bytes=5-999999', 5, 200_000],
    ['bytes=-999999', 0, 200_000],
  ] as const) {
    const answer = part(range)
    t.equal(statusOf(answer), 206, range)
    t.ok(answer.includes(`Content-Range: bytes ${from}-${end - 1}/200000\r\n`), range)
    t.ok(answer.includes(`Content-Length: ${end - from}\r\n`), range)
    t.ok(Buffer.from(bodyOf(answer), 'latin1').equals(BIG.subarray(from, end)), range)
  }
  for (const range of ['bytes=1-2,5-6', 'lines=1-2', 'bytes=5-4', 'bytes=-', 'bytes=a-b']) {
    t.equal(statusOf(part(range)), 200, range)
  }
  for (const range of ['bytes=200000-', 'bytes=-0']) {
    t.equal(statusOf(part(range)), 416, range)
    t.match(part(range), /Content-Range: bytes \*\/200000\r\n/)
  }
  t.equal(statusOf(part('bytes=1-2', `If-Range: ${DATE}`)), 206)
  t.equal(statusOf(part('bytes=1-2', 'If-Range: Tue, 14 Nov 2023 22:13:21 GMT')), 200)
  t.equal(statusOf(part('bytes=1-2', 'If-Range: "tag"')), 200)
  t.equal(statusOf(ask('HEAD /big.bin HTTP/1.1', 'Range: bytes=1-2')), 200)
  t.equal(parseRange('bytes=0-', 0), 'none')
})

t.test('a file that the guest has', async (t) => {
  const since = (date: string, ...more: string[]) =>
    ask('GET /index.txt HTTP/1.1', `If-Modified-Since: ${date}`, ...more)
  const answer = since(DATE)
  t.equal(answer, `HTTP/1.1 304 Not Modified\r\nLast-Modified: ${DATE}\r\nConnection: keep-alive\r\n\r\n`)
  t.equal(statusOf(since('Tue, 14 Nov 2023 22:13:21 GMT')), 304)
  t.equal(statusOf(since('Tue, 14 Nov 2023 22:13:19 GMT')), 200)
  t.equal(statusOf(since('yesterday')), 200)
  t.equal(statusOf(since(DATE, 'If-None-Match: "tag"')), 200)
  for (const date of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
    t.equal(parseHttpDate(date), 784_111_777, date)
  }
})

t.test('directories', async (t) => {
  t.match(ask('GET /site/ HTTP/1.1'), /Content-Type: text\/html[\s\S]*<p>site<\/p>$/)
  t.match(ask('GET /site HTTP/1.1'), /^HTTP\/1\.1 301 [\s\S]*\r\nLocation: \/site\/\r\n/)
  t.equal(
    bodyOf(ask('GET /list/ HTTP/1.1')),
    Buffer.from(
      '<!DOCTYPE html>\n<title>/list/</title>\n<h1>/list/</h1>\n<ul>\n<li><a href="./b">b</a></li>\n' +
        '<li><a href="./a%20%26%20%22c%22">a &amp; &quot;c&quot;</a></li>\n' +
        '<li><a href="./%C3%BC">ü</a></li>\n<li><a href="./d/">d/</a></li>\n</ul>\n',
    ).toString('latin1'),
  )
  t.equal(statusOf(ask('GET / HTTP/1.1')), 200)
  t.equal(statusOf(ask('GET /index.txt/ HTTP/1.1')), 404)
})

t.test('what is not given', async (t) => {
  for (const [line, status] of [
    ['GET /nothing HTTP/1.1', 404],
    ['GET /secret HTTP/1.1', 403],
    ['GET /../etc/passwd HTTP/1.1', 403],
    ['GET /list/%2e%2e/index.txt HTTP/1.1', 403],
    ['GET /list/..%2findex.txt HTTP/1.1', 403],
    ['GET /%00 HTTP/1.1', 403],
    ['GET /%zz HTTP/1.1', 400],
    ['GET index.txt HTTP/1.1', 400],
    ['GET ?a HTTP/1.1', 400],
    ['GET / HTTP/2.0', 505],
    ['GET  / HTTP/1.1', 400],
    ['GET /', 400],
    ['GET /\x01 HTTP/1.1', 400],
    ['G(T / HTTP/1.1', 400],
    ['POST / HTTP/1.1', 405],
    ['OPTIONS * HTTP/1.1', 400],
    [`GET /${'a'.repeat(8200)} HTTP/1.1`, 414],
  ] as const) {
    t.equal(statusOf(ask(line)), status, line.slice(0, 40))
  }
  for (const [fields, status] of [
    [['Host: b'], 400],
    [[' folded'], 400],
    [['no colon'], 400],
    [['Name : value'], 400],
    [['Name: a\rb'], 400],
    [['Name: a\0b'], 400],
    [['Content-Length: 5'], 400],
    [['Transfer-Encoding: chunked'], 400],
    [[`Long: ${'a'.repeat(17_000)}`], 431],
    [['Content-Length: 0'], 200],
  ] as const) {
    t.equal(statusOf(ask('GET / HTTP/1.1', ...fields)), status, fields[0].slice(0, 30))
  }
  t.match(ask('POST / HTTP/1.1', 'Content-Length: 5'), /^HTTP\/1\.1 405 [\s\S]*Connection: close/)
  t.match(ask('DELETE / HTTP/1.1'), /^HTTP\/1\.1 405 [\s\S]*\r\nAllow: GET, HEAD\r\n/)
  t.equal(statusOf(conversation('GET / HTTP/1.1\r\n\r\n').text), 400, 'no host')
  t.equal(conversation('\r\n\r\nGET / HTTP/1.0\r\n\r\n').ended, 'end')
  t.equal(statusOf(conversation('a'.repeat(9000)).text), 414, 'a line without end')
  t.equal(parseHead(Buffer.from('GET / HT')), 'more')
})

t.test('a file that changes, and a connection that goes away', async (t) => {
  const files = new FakeFiles(CONTENTS)
  const service = new HttpService(files)
  service.receive(Buffer.from(request('GET /big.bin HTTP/1.1')))
  t.type(service.read(1460), Buffer)
  files.hasChanged = true
  for (let said = service.read(1460); said !== 'reset'; said = service.read(1460)) t.type(said, Buffer)
  service.close()
  t.equal(files.open, 0)
  const other = new HttpService(new FakeFiles(CONTENTS))
  const { room } = other
  other.receive(Buffer.alloc(1000))
  t.equal(other.room, room - 1000)
})

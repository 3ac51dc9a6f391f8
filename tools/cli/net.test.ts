import t from 'tap'
import { parseNet } from './net.ts'

t.test('networks, and their settings', async (t) => {
  const backend = (words: string) => parseNet(words).backend
  t.same(backend('hermetic'), { kind: 'hermetic' })
  t.same(backend('user'), { kind: 'user', forwards: [] })
  t.same(backend('user,forward=tcp:8080:80,mac=52:54:00:00:00:01,forward=udp:0.0.0.0:5353:53'), {
    kind: 'user',
    forwards: [
      { protocol: 'tcp', address: '127.0.0.1', hostPort: 8080, guestPort: 80 },
      { protocol: 'udp', address: '0.0.0.0', hostPort: 5353, guestPort: 53 },
    ],
  })
  const stream = { kind: 'stream', listen: false }
  t.same(backend('stream:host.test:5000'), { ...stream, at: { host: 'host.test', port: 5000 } })
  t.same(backend('stream:[::1]:5000'), { ...stream, at: { host: '::1', port: 5000 } })
  t.same(backend('stream::5000,listen'), { ...stream, at: { host: '127.0.0.1', port: 5000 }, listen: true })
  t.same(backend('stream:/run/a:1/net,reconnect=2'), { ...stream, at: { path: '/run/a:1/net' }, reconnectSeconds: 2 })
  t.same(backend('stream:net.sock'), { ...stream, at: { path: 'net.sock' } })
})

t.test('the card', async (t) => {
  t.same(parseNet('stream:x').option, { model: 'pcnet', address: [0x52, 0x54, 0, 0x12, 0x34, 0x56] })
  t.same(parseNet('user,model=pcnet,mac=0A:00:00:00:00:ff').option.address, [10, 0, 0, 0, 0, 255])
})

t.test('what makes no sense is named, with the form', async (t) => {
  const cases: [string, RegExp][] = [
    ['', /^'' is no network; write it as hermetic\[,root=DIRECTORY\]; user\[,forward=/],
    ['user:1', /^'user:1' is no network/],
    ['hermetic,listen', /^'listen' says nothing of a network card; write it as hermetic\[,root=DIRECTORY\]\[,model=/],
    ['stream', /^'stream' says not where; write it as stream:HOST:PORT or stream:PATH/],
    ['stream:a:0', /^'0' is no port; write one from 1 to 65535/],
    ['stream:a:65536', /^'65536' is no port/],
    [`stream:/${'x'.repeat(107)}`, /is longer than the 107 bytes of a Unix socket's path/],
    ['stream:a:1,listen=yes', /^'listen=yes' says nothing/],
    ['stream:a:1,reconnect', /^'reconnect' says nothing.*reconnect=SECONDS/],
    ['stream:a:1,reconnect=0', /^'reconnect=0' says nothing/],
    ['stream:a:1,listen,reconnect=1', /^listen and reconnect do not go together/],
    ['user,forward=80:80', /^'forward=80:80' says nothing.*forward=tcp:\[ADDRESS:\]HOSTPORT:GUESTPORT/],
    ['user,forward=icmp:80:80', /^'forward=icmp:80:80' says nothing/],
    ['user,forward=tcp:host:80:80', /^'forward=tcp:host:80:80' says nothing/],
    ['user,forward=tcp:80:70000', /^'70000' is no port/],
    ['user,model=ne2k', /^'model=ne2k' is no card that there is; write model=pcnet/],
    ['user,mac=12', /^'mac=12' is no address of a card/],
  ]
  for (const [words, message] of cases) t.throws(() => parseNet(words), { name: 'UsageError', message }, words)
})

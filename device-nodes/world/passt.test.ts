import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Passt } from './passt.ts'
import { StreamNetwork } from './stream-network.ts'

const { error } = spawnSync('passt', ['--version'])
const skip = error === undefined ? false : 'passt is not installed'
const FORWARD = { protocol: 'tcp', address: '127.0.0.1', guestPort: 80 } as const

/** A program that does as `script` says in the place of passt. */
function instead(t: Test, script: string): Passt {
  const program = join(t.testdir({ passt: `#!/bin/sh\n${script}\n` }), 'passt')
  chmodSync(program, 0o755)
  return new Passt({ forwards: [], program })
}

t.test('without passt, or with one that ends at once, it is said what to do', async (t) => {
  await t.rejects(new Passt({ forwards: [], program: join(t.testdir({}), 'passt') }).start(t.fail), {
    name: 'NetworkError',
    message: 'there is no passt, which --net user is made of; apt install passt',
  })
  const says = 'echo Nothing is to be had here >&2; echo Failed to send 30 bytes to syslog >&2; exit 1'
  await t.rejects(instead(t, says).start(t.fail), {
    name: 'NetworkError',
    message: '--net user cannot begin: passt ended (1): Nothing is to be had here',
  })
  await t.rejects(instead(t, 'echo "Couldn\'t create user namespace: Not so" >&2; exit 1').start(t.fail), {
    message:
      /passt ended \(1\): Couldn't create user namespace: Not so; .*user namespaces, which this host or container/,
  })
  await t.rejects(instead(t, 'kill -9 $$').start(t.fail), {
    message: '--net user cannot begin: passt was ended by SIGKILL',
  })
})

/** The processes named passt that have this process as their parent. */
function children(): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      const [, command, parent] = /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'latin1')) ?? []
      return command?.startsWith('passt') && Number(parent) === process.pid ? [Number(name)] : []
    } catch {
      // It has ended.
      return []
    }
  })
}

t.test('passt answers, and is gone when the network is closed', { skip }, async (t) => {
  const before = readdirSync(tmpdir()).filter((name) => name.includes('passt'))
  const notes: string[] = []
  let heard = () => {}
  const network = new StreamNetwork({
    card: 'nic0',
    peers: new Passt({ forwards: [] }),
    note: (text) => notes.push(text),
    onInput: () => heard(),
  })
  await network.start()
  t.equal(children().length, 1)
  t.equal(network.waiting(5), undefined, 'nothing that a guest did not ask for')
  const request = Buffer.from(
    'ffffffffffff525400123456080600010800060400015254001234560a00020f0000000000000a000202',
    'hex',
  )
  const answered = new Promise<void>((resolve) => {
    heard = resolve
  })
  network.hear('nic0', request)
  await answered
  const [answer] = network.take()
  t.match(Buffer.from(answer?.bytes ?? []).toString('hex'), /^52540012345652550a00020208060001080006040002/)
  await network.close()
  t.same(children(), [])
  t.same(notes, [])
  t.same(
    readdirSync(tmpdir()).filter((name) => name.includes('passt')),
    before,
  )
})

t.test('passt that is ended takes the link down, and it is said how', { skip }, async (t) => {
  const notes: string[] = []
  const told = new Promise<void>((resolve) => {
    const network = new StreamNetwork({
      card: 'nic0',
      peers: new Passt({ forwards: [] }),
      note: (text) => {
        notes.push(text)
        t.same(
          network.take().map(({ bytes }) => [...bytes]),
          [[0]],
        )
        t.equal(network.open, false)
        network.close().then(resolve, t.fail)
      },
      onInput: () => {},
    })
    network.start().then(() => process.kill(children()[0]!, 'SIGKILL'), t.fail)
  })
  await told
  t.same(notes, ["network: passt was ended by SIGKILL; the guest's link is down"])
})

t.test('a port of the host that is taken', { skip }, async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const hostPort = (server.address() as { port: number }).port
  await t.rejects(new Passt({ forwards: [{ ...FORWARD, hostPort }] }).start(t.fail), {
    message: new RegExp(`passt ended \\(1\\): .*127\\.0\\.0\\.1/${hostPort}:80`),
  })
})

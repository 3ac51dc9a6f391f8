/**
 * The host's own network for a guest, by way of passt: Debian gets its address and a file from a server on the host's loopback, passt is
 * ended while it runs, and the recording replays with nobody there.
 */
import { type ChildProcess, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { Recording } from '../replay-store/mod.ts'
import { ananke, lastObject, said } from '../tools/mod.ts'
import { PROMPT } from './debian.ts'

const skip = spawnSync('passt', ['--version']).error === undefined ? false : 'passt is not installed: apt install passt'
const FILE_BYTES = 3_000_000

const script = (port: number) => `expect ${PROMPT}
send mount -t proc p /proc; modprobe pcnet32; ip link set eth0 up; udhcpc -i eth0 -n -q; ip route; cat /etc/resolv.conf
expect ${PROMPT}
limit 300
send wget -q -O /tmp/file http://10.0.2.2:${port}/file; sha256sum /tmp/file; grep eth0 /proc/net/dev; echo fetched-$((20+3))
expect fetched-23
expect ${PROMPT}
send wget -q -T 3 -t 1 -O - http://10.0.2.2:${port}/end; sleep 1; ip link show eth0; echo gone-$((20+3))
expect gone-23
expect ${PROMPT}
quit
`

/** The process named passt that `parent` has. */
function passtOf(parent: number): number | undefined {
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    try {
      const [, command, by] = /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'latin1')) ?? []
      if (command?.startsWith('passt') && Number(by) === parent) return Number(name)
    } catch {
      // It has ended.
    }
  }
  return undefined
}

t.test('a guest on the network of its host, and its replays', { skip }, async (t) => {
  const file = randomBytes(FILE_BYTES)
  let emulator: ChildProcess | undefined
  let passt: number | undefined
  const server = createServer((request, response) => {
    if (request.url === '/file') response.end(file)
    else {
      passt = passtOf(emulator?.pid ?? 0)
      if (passt !== undefined) process.kill(passt, 'SIGKILL')
    }
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.closeAllConnections())
  await once(server, 'listening')
  const directory = t.testdir({ 'net.script': script((server.address() as AddressInfo).port) })
  const at = join(directory, 'net.ank')
  const recorded = await ananke(
    ['record', 'debian-mipsel', '--net', 'user', '--input', join(directory, 'net.script'), '-o', at, '--json'],
    {
      onStart: (child) => {
        emulator = child
      },
    },
  )
  server.close()
  t.equal(recorded.status, 0, recorded.stderr.slice(-500))
  const printed = recorded.stderr
  t.match(printed, /lease of 10\.0\.2\.15 obtained from 10\.0\.2\.2/)
  t.match(printed, /default via 10\.0\.2\.2 dev eth0/)
  t.match(printed, `${createHash('sha256').update(file).digest('hex')}  /tmp/file`)
  t.not(passt, undefined, 'passt was a child of the emulator')
  t.match(printed, /eth0: link down[\s\S]*NO-CARRIER/)
  const notes = said(recorded).filter((line) => line.startsWith('network: '))
  t.equal(notes[0], "network: passt was ended by SIGKILL; the guest's link is down")
  t.ok(notes.length <= 2, notes.join('\n'))

  const inputs = [...Recording.open(at).entries()].filter(
    ({ dst, payload }) => dst === 'nic0' && payload.kind === 'input',
  )
  t.ok(inputs.every(({ src }) => src === 'world'))
  t.ok(inputs.length > FILE_BYTES / 1460)
  const { digest } = lastObject(recorded.stdout)
  for (const mode of ['cpu', 'full', 'device:nic0']) {
    const replayed = await ananke(['replay', at, '--mode', mode, '--verify', '--json'])
    t.match(lastObject(replayed.stdout), { state: 'agreed' }, mode)
    if (mode !== 'device:nic0') t.equal(lastObject(replayed.stdout)['digest'], digest, mode)
  }
})

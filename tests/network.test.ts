/**
 * Debian's own pcnet32 driver and the card on board of a Malta, on the hermetic network: a guest gets its address, looks up a name and
 * pings, and fetches files that the recording then has, recorded and replayed in every mode.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Recording, sha256 } from '../replay-store/mod.ts'
import { ananke, lastObject } from '../tools/mod.ts'
import { PROMPT } from './debian.ts'

const SCRIPT = `expect ${PROMPT}
send mount -t proc p /proc; modprobe pcnet32; ip link set eth0 up; sleep 1; udhcpc -i eth0 -n -q -s /bin/true
expect ${PROMPT}
send ip addr add 10.0.2.15/24 dev eth0; echo nameserver 10.0.2.3 > /etc/resolv.conf; ping -c 3 -s 1400 server.hermetic.test
expect ${PROMPT}
send ping -c 2 10.0.2.3; ping -c 1 nobody.hermetic.test; wget -q -O /fetched http://server.hermetic.test/big; sha256sum /fetched
expect ${PROMPT}
send tftp -g -r d/small -l /small 10.0.2.2; sha256sum /small; wget -q -O - http://server.hermetic.test/d/; wget http://server.hermetic.test/none
expect ${PROMPT}
send grep eth0 /proc/net/dev; echo done-$((20+3))
expect done-23
quit
`

/** What it fetches: bytes that differ from place to place. */
const BIG = Buffer.from(Uint32Array.from({ length: 750_000 }, (_, i) => Math.imul(i, 2_654_435_761)).buffer)
const SMALL = BIG.subarray(0, 10_000)

/** What Wireshark makes of a capture. */
function checkWithTshark(t: Test, capture: string, frames: { in: number; out: number }): void {
  const fields = [
    'frame.interface_name',
    'frame.p2p_dir',
    'frame.comment',
    '_ws.malformed',
    '_ws.col.Info',
    'tcp.analysis.retransmission',
  ]
  const args = ['-r', capture, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])]
  const checked = ['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`])
  const { error, stdout, stderr } = spawnSync('tshark', [...args, ...checked], { encoding: 'utf8' })
  if (error !== undefined) {
    t.comment('tshark is not there, so the capture was not read')
    return
  }
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => line.split('\t'))
  t.equal(lines.length, frames.in + frames.out, stderr)
  t.equal(lines.filter(([, direction]) => direction === '1').length, frames.in)
  const isRight = ([name, , comment, malformed, , sentAgain]: string[]) =>
    name === 'nic0' &&
    /^entry \d+, before instruction \d+, \d+ ns$/.test(comment ?? '') &&
    malformed === '' &&
    (sentAgain ?? '') === ''
  t.same(
    lines.filter((line) => !isRight(line)),
    [],
  )
  const told = lines.map((line) => line[4]).join('\n')
  for (const what of [
    /DHCP ACK/,
    /10\.0\.2\.2 is at 52:55:0a:00:02:02/,
    /Standard query response .* A server\.hermetic\.test A 10\.0\.2\.2/,
    /Echo \(ping\) reply/,
    /GET \/big HTTP\/1\.1/,
    /HTTP\/1\.1 200 OK/,
    /HTTP\/1\.1 404 Not Found/,
    /\[SYN, ACK\] .*MSS=1460/,
    /Read Request, File: d\/small, Transfer type: octet/,
    /Data Packet, Block: 20 \(last\)/,
  ]) {
    t.match(told, what)
  }
}

t.test('a guest on the hermetic network, and its replays', async (t) => {
  const directory = t.testdir({ 'net.script': SCRIPT })
  const at = join(directory, 'net.ank')
  const root = join(directory, 'served')
  mkdirSync(join(root, 'd'), { recursive: true })
  writeFileSync(join(root, 'big'), BIG)
  writeFileSync(join(root, 'd', 'small'), SMALL)
  const net = ['--net', `hermetic,root=${root},mac=52:54:00:aa:bb:cc`, '--input', join(directory, 'net.script')]
  const live = join(directory, 'live.pcapng')
  const recorded = await ananke(['record', 'debian-mipsel', ...net, '-o', at, '--pcap', live, '--json'])
  t.equal(recorded.status, 0, recorded.stderr.slice(-500))
  const { digest } = lastObject(recorded.stdout)
  const printed = recorded.stderr
  t.match(printed, /79C973 at 0x[0-9a-f]+, 52:54:00:aa:bb:cc assigned IRQ/)
  t.match(printed, /eth0: link up, 100Mbps, full-duplex/)
  t.match(printed, /lease of 10\.0\.2\.15 obtained from 10\.0\.2\.2, lease time 86400/)
  t.match(printed, /PING server\.hermetic\.test \(10\.0\.2\.2\): 1400 data bytes/)
  t.match(
    printed,
    /3 packets transmitted, 3 packets received, 0% packet loss[\s\S]*2 packets transmitted, 2 packets received, 0%/,
  )
  t.match(printed, /bad address 'nobody\.hermetic\.test'/)

  for (const [name, bytes] of [
    ['/fetched', BIG],
    ['/small', SMALL],
  ] as const) {
    t.ok(printed.includes(`${sha256(bytes)}  ${name}`), name)
  }
  t.match(printed, /<li><a href="\.\/small">small<\/a><\/li>/)
  t.match(printed, /ERROR 404: Not Found/)

  // Counts of frames are those of the guest's interface.
  const counts = /eth0: +([\d ]+)/
    .exec(printed.slice(printed.lastIndexOf('eth0:')))?.[1]
    ?.trim()
    .split(/ +/)
  const recording = Recording.open(at)
  const frames = { in: 0, out: 0 }
  for (const { src, dst, payload } of recording.entries()) {
    if (payload.kind === 'input' && dst === 'nic0') frames.in++
    if (payload.kind === 'output' && src === 'nic0') frames.out++
  }
  t.same({ in: Number(counts?.[1]), out: Number(counts?.[9]) }, frames)

  const capture = join(directory, 'net.pcapng')
  const written = await ananke(['pcap', at, '-o', capture])
  t.equal(written.status, 0, written.stderr)
  t.match(written.stdout, `${capture}: ${(frames.in + frames.out).toLocaleString('en')} frames of nic0`)
  t.ok(readFileSync(live).equals(readFileSync(capture)), 'a capture of the run itself is the same')
  t.match(await ananke(['pcap', at, '-o', capture]), {
    status: 1,
    stderr: /net\.pcapng exists\. Remove it, or write to another file/,
  })
  t.match(await ananke(['pcap', at, '--node', 'nic1', '-o', `${capture}2`]), {
    status: 2,
    stderr: /no network card nic1; it has nic0/,
  })
  checkWithTshark(t, capture, frames)

  // What was served is in the recording.
  renameSync(root, `${root}.away`)
  for (const mode of ['cpu', 'full', 'device:nic0']) {
    const replayed = await ananke(['replay', at, '--mode', mode, '--verify', '--json'])
    t.match(lastObject(replayed.stdout), { state: 'agreed' }, mode)
    if (mode !== 'device:nic0') t.equal(lastObject(replayed.stdout)['digest'], digest, mode)
  }
})

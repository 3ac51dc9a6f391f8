/**
 * Debian's own pcnet32 driver and the card on board of a Malta: a guest pings somebody who answers its frames at once, recorded and
 * replayed in every mode.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { SCRIPT, type Vt, type WorldSource } from '../bus/mod.ts'
import { createCpu } from '../cpu-node/mod.ts'
import { boards, parseScript, Typist } from '../device-nodes/mod.ts'
import { type MachineSpec, nodeNames, type ReplayMode, replay, runLive } from '../orchestrator/mod.ts'
import { Recording, RecordingWriter } from '../replay-store/mod.ts'
import { guestNamed, loadGuest, readKernel } from '../tools/mod.ts'
import { notCached, PROMPT } from './debian.ts'

const ADDRESS = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56]
const GATEWAY = Buffer.from([0x52, 0x55, 0x0a, 0x00, 0x02, 0x02])
const LINES = `expect ${PROMPT}
send mount -t proc p /proc; modprobe pcnet32; ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; sleep 1
expect ${PROMPT}
send ping -c 3 -s 1400 10.0.2.2; ping -c 2 10.0.2.2; grep eth0 /proc/net/dev; echo done-$((20+3))
expect done-23
quit
`

/** Answers ARP and ICMP echo, for whatever address, at the next grid point; counts the frames that it heard. */
class Answerer implements WorldSource {
  readonly open = false
  heard = 0
  readonly #answers: { vt: Vt; bytes: Uint8Array }[] = []

  readonly hear = (src: string, bytes: Uint8Array, vt: Vt): void => {
    if (src !== 'nic0') return
    this.heard++
    const answer = answerTo(Buffer.from(bytes))
    if (answer !== undefined) this.#answers.push({ vt, bytes: answer })
  }

  waiting(): { icount: number; vt: Vt } | undefined {
    const [first] = this.#answers
    return first && { icount: 0, vt: first.vt }
  }

  take() {
    return this.#answers.splice(0).map(({ bytes }) => ({ src: SCRIPT, dst: 'nic0', bytes }))
  }
}

const [ARP, IPV4, ICMP] = [0x0806, 0x0800, 1]

function answerTo(frame: Buffer): Buffer | undefined {
  const type = frame.readUInt16BE(12)
  const isEcho = type === IPV4 && frame[23] === ICMP && frame[34] === 8
  if (type !== ARP && !isEcho) return undefined
  const answer = Buffer.from(frame)
  frame.copy(answer, 0, 6, 12)
  GATEWAY.copy(answer, 6)
  if (type === ARP) {
    answer.writeUInt16BE(2, 20)
    GATEWAY.copy(answer, 22)
    frame.copy(answer, 28, 38, 42)
    frame.copy(answer, 32, 22, 32)
    return answer
  }
  frame.copy(answer, 26, 30, 34)
  frame.copy(answer, 30, 26, 30)
  // An echo's reply differs by its type, and so by that much in its check sum.
  answer[34] = 0
  const sum = frame.readUInt16BE(36) + 0x0800
  answer.writeUInt16BE((sum & 0xffff) + (sum >> 16), 36)
  return answer
}

async function makeMachine(): Promise<MachineSpec> {
  const guest = guestNamed('debian-mipsel')
  const images = await loadGuest(guest, () => {})
  const kernel = await readKernel(guest.name, images.kernel, { lowMemoryBytes: 256 << 20 })
  const { append, memoryBytes } = guest
  const { board, loads } = boards['malta']!.build({ append, memoryBytes, net: { model: 'pcnet', address: ADDRESS } })
  return {
    board,
    loads: loads({ kernel, initrd: images.initrd }),
    createCpu: ({ board, clock, backingBytes }) => createCpu({ ...board, clock, backingBytes }),
  }
}

t.test('a guest pings, and its recording replays', { skip: notCached }, async (t) => {
  const machine = await makeMachine()
  const { board } = machine
  const directory = mkdtempSync(join(tmpdir(), 'ananke-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const at = join(directory, 'net.ank')
  const { nsPerInstruction, gridNs, hashNs } = board
  const input = {
    createdWith: 'test',
    board: { name: board.name, options: {} },
    guest: 'debian-mipsel',
    ...{ nsPerInstruction, gridNs, hashNs },
    memoryBytes: board.memories[0]!.size,
    rtcSeconds: 0,
    nodes: nodeNames(board),
  }
  const typist = new Typist(parseScript(LINES, 'net.script'), board.console)
  const answerer = new Answerer()
  let printed = ''
  const unhandled: string[] = []
  const { reason, summary } = await runLive({
    machine,
    sources: [typist, answerer],
    listeners: [typist.hear, answerer.hear],
    recording: RecordingWriter.create(at, input, [], { isThreaded: true }),
    onOutput: (src, bytes) => {
      if (src === board.console) printed += Buffer.from(bytes).toString('latin1')
    },
    onUnhandled: (device, what) => {
      if (device === 'nic0') unhandled.push(what)
    },
  })
  t.equal(reason, 'quit', typist.failure?.message ?? 'it ended as its script says')
  t.match(printed, /eth0: link up, 100Mbps, full-duplex/)
  t.match(
    printed,
    /3 packets transmitted, 3 packets received, 0% packet loss[\s\S]*2 packets transmitted, 2 packets received, 0%/,
  )
  t.same(unhandled, [], 'the driver asks for nothing that is not there')

  // Counts of frames are those of the guest's interface.
  const counts = /eth0: +(.*)$/m
    .exec(printed.slice(printed.lastIndexOf('eth0:')))?.[1]
    ?.trim()
    .split(/ +/)
    .map(Number)
  const frames = [...Recording.open(at).entries()].filter(({ src, dst, payload }) =>
    payload.kind === 'output' ? src === 'nic0' : payload.kind === 'input' && dst === 'nic0',
  )
  const sent = frames.filter(({ payload }) => payload.kind === 'output').length
  t.equal(sent, answerer.heard)
  t.same([counts?.[1], counts?.[9]], [frames.length - sent, sent])

  const recording = Recording.open(at)
  t.same(recording.verify(), [])
  for (const mode of ['cpu', 'full', { device: 'nic0' }] satisfies ReplayMode[]) {
    const replayed = await replay({ recording, machine, mode })
    t.equal(replayed.state, 'agreed', JSON.stringify(mode))
    if (typeof mode === 'string') t.equal(replayed.summary.digest, summary.digest)
  }
})

/**
 * A bare-metal program that has a device copy and sum guest memory, recorded and replayed in every mode: the proof that
 * reads and writes of guest memory by devices replay. Both byte orders.
 */
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import t from 'tap'
import { createCpu } from '../cpu-node/mod.ts'
import { boards, type GuestProgram, parseScript, Typist } from '../device-nodes/mod.ts'
import { type MachineSpec, nodeNames, type ReplayMode, replay, runLive } from '../orchestrator/mod.ts'
import { Recording, RecordingWriter } from '../replay-store/mod.ts'

const MEMORY_BYTES = 2 ** 20

/** The one loadable segment that `program.ld` makes. */
function readProgram(image: Uint8Array, littleEndian: boolean): GuestProgram {
  const view = new DataView(image.buffer, image.byteOffset)
  const header = view.getUint32(28, littleEndian)
  const field = (index: number) => view.getUint32(header + 4 * index, littleEndian)
  const [offset, address, bytes] = [field(1), field(2), field(4)]
  return {
    entry: view.getUint32(24, littleEndian),
    segments: [{ address, bytes: image.slice(offset, offset + bytes) }],
  }
}

function machine(endian: 'little' | 'big', image: Uint8Array): MachineSpec {
  const kernel = readProgram(image, endian === 'little')
  const { board, loads } = boards['dma-test']!.build({ memoryBytes: MEMORY_BYTES, endian })
  return {
    board,
    loads: loads({ kernel }),
    createCpu: ({ board, clock, backingBytes }) => createCpu({ ...board, clock, backingBytes }),
  }
}

for (const [endian, file] of [
  ['little', 'dma-mipsel.elf'],
  ['big', 'dma-mips.elf'],
] as const) {
  t.test(`${endian} endian`, async (t) => {
    const image = fs.readFileSync(new URL(`bare-metal/${file}`, import.meta.url))
    const spec = machine(endian, image)
    const at = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'ananke-')), 'dma.ank')
    const input = {
      createdWith: 'test',
      board: { name: 'dma-test', options: {} },
      guest: 'dma',
      nsPerInstruction: spec.board.nsPerInstruction,
      gridNs: spec.board.gridNs,
      hashNs: spec.board.hashNs,
      memoryBytes: MEMORY_BYTES,
      rtcSeconds: 0,
      nodes: nodeNames(spec.board),
    }
    const typist = new Typist(parseScript('expect type:\nsend q\n', 'dma.script'), 'uart0')
    let printed = ''
    const result = await runLive({
      machine: spec,
      sources: [typist],
      listeners: [typist.hear],
      recording: RecordingWriter.create(at, input, [{ name: 'kernel', bytes: image }]),
      onOutput: (src, bytes) => {
        if (src === 'uart0') printed += Buffer.from(bytes).toString()
      },
      limits: { vt: 1e9 },
    })
    t.equal(printed, 'type: q\ndma ok\n')
    t.equal(result.reason, 'poweroff')

    const recording = Recording.open(at)
    const kinds = new Set(
      [...recording.entries()].filter(({ src }) => src === 'dma0').map(({ payload }) => payload.kind),
    )
    for (const kind of ['dmaRead', 'dmaWrite', 'timer', 'line', 'data'] as const)
      t.ok(kinds.has(kind), `dma0's ${kind}`)
    const modes: ReplayMode[] = ['cpu', 'full', ...spec.board.devices.map(({ name }) => ({ device: name }))]
    for (const mode of modes) {
      const replayed = await replay({ recording, machine: machine(endian, image), mode })
      t.equal(replayed.state, 'agreed', JSON.stringify(mode))
    }
  })
}

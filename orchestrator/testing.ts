/**
 * What tests import, and nothing else does: a machine that runs a list, as a thread of a replay makes it too, and a recording
 * of it with checkpoints.
 */
import { isMainThread } from 'node:worker_threads'
import { LocalBus } from '../bus/mod.ts'
import { AT, DISK_LOADS, diskBoard, type Program, scriptedCpu } from '../bus/testing.ts'
import { Recording, RecordingWriter, type WriterOptions } from '../replay-store/mod.ts'
import { Checkpointer, type CheckpointPolicy } from './checkpointer.ts'
import { deviceDigests, runDigest } from './digest.ts'
import type { MachineModule, MachineSpec, MakeMachine } from './machine-spec.ts'
import { nodeNames } from './machine-spec.ts'

/** `dies`: how threads that replay it end too early; `stalls`: after what they are heard of no more. */
export interface TestMachine {
  program: Program
  dies?: 'making' | 'running' | 'failing'
  stalls?: 'making' | 'running'
}

export const testSpec = (program: Program): MachineSpec => ({
  board: diskBoard(),
  loads: DISK_LOADS,
  createCpu: scriptedCpu(program),
})

export const makeMachine: MakeMachine = async (_recording, data) => {
  const { program, dies, stalls } = data as TestMachine
  const spec = testSpec(program)
  if (isMainThread) return spec
  if (dies === 'making') process.exit(1)
  if (stalls === 'making') await new Promise(() => {})
  return {
    ...spec,
    createCpu(options) {
      const cpu = spec.createCpu(options)
      const run = cpu.run.bind(cpu)
      cpu.run = (port) => {
        if (dies === 'failing') throw new TypeError('this thread fails')
        if (dies === 'running') process.exit(1)
        if (stalls === 'running') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
        return run(port)
      }
      return cpu
    },
  }
}

export function testModule(machine: TestMachine): MachineModule {
  return { url: import.meta.url, data: machine }
}

/** Some 12,000 entries, three segments of them, with interrupts, DMA, a disk, stores and outputs all along. */
export function longProgram(): Program {
  const program: Record<number, Program[number]> = {}
  const last = 6500
  for (let icount = 0; icount < last; icount++) program[icount] = { op: 'read', address: AT.gate }
  program[1] = { op: 'write', address: AT.ticker, value: 7770 }
  program[2] = { op: 'write', address: AT.copier, value: 0x100 }
  for (let icount = 50; icount < last; icount += 100) {
    program[icount] = { op: 'write', address: AT.terminal, value: 0x20 + (Math.floor(icount / 100) % 64) }
    program[icount + 10] = { op: 'write', address: AT.ram + 4 * icount, value: icount }
    program[icount + 15] = { op: 'write', address: AT.disk, value: 3 * icount }
    program[icount + 16] = { op: 'write', address: AT.disk + 4, value: 0x100 + icount }
    program[icount + 17] = { op: 'write', address: AT.disk + 12, value: 700 }
    program[icount + 18] = { op: 'write', address: AT.disk + 8, value: 900 }
    program[icount + 20] = { op: 'write', address: AT.copier + 4, value: 300 + icount / 10 }
  }
  program[last] = { op: 'write', address: AT.power, value: 0 }
  return program
}

/** A writer of a recording of such machines, at `directory`. */
export function testRecording(directory: string, board = diskBoard(), options: WriterOptions = {}): RecordingWriter {
  const input = {
    createdWith: 'test',
    board: { name: board.name, options: {} },
    guest: 'test',
    nsPerInstruction: board.nsPerInstruction,
    gridNs: board.gridNs,
    hashNs: board.hashNs,
    memoryBytes: AT.ramBytes,
    rtcSeconds: 0,
    nodes: nodeNames(board),
  }
  return RecordingWriter.create(directory, input, [], options)
}

/** Three of them in `longProgram`, if each is written at once. */
export const TEST_CHECKPOINTS: CheckpointPolicy = { firstInstructions: 1500, spacing: 7 / 4, instructionsPerByte: 0 }

/** Records with three checkpoints: however fast the host is, each is at the same place. */
export async function recordWithCheckpoints(directory: string, program: Program): Promise<Recording> {
  const writer = testRecording(directory)
  const bus = new LocalBus({ ...testSpec(program), sink: writer, sources: [], onGrid: () => checkpointer.onGrid() })
  const checkpointer = new Checkpointer(bus, writer, 0, TEST_CHECKPOINTS)
  bus.runSlice({ until: [{ icount: 0, vt: 0, entries: 1 }] })
  checkpointer.powerOn()
  while (bus.runSlice({ maxInstructions: 100 }).state !== 'stopped') await checkpointer.settled()
  const { icount: instructions, vt } = bus
  const digest = runDigest(await writer.identity(), bus.machine.contents)
  await writer.close({ reason: 'poweroff', instructions, vt, digest, deviceStates: deviceDigests(bus.hosts) })
  return Recording.open(directory)
}

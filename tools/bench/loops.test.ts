/**
 * The loop programs do what they say: they print their marks, and an iteration has as many instructions as their header
 * tells, however their branches go. Only the accesses that are to be messages are in the journal.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseScript, Typist } from '../../device-nodes/mod.ts'
import { runLive } from '../../orchestrator/mod.ts'
import { buildMachine } from '../cli/machine.ts'
import { readKernel } from '../images/kernel.ts'
import { ACCESS_CASES, ACCESSES, PROGRAM_CASES, type ProgramCase } from './cases.ts'
import { LOOP_MARKS, LOOP_MEMORY_MIB, LOOP_SCRIPT, loopFile, loopHeader, readLoop } from './loops.ts'

const MEMORY_BYTES = LOOP_MEMORY_MIB * 2 ** 20

/** A read is answered by an entry of its own: an iteration of `message-access` writes and reads. */
const ENTRIES: Partial<Record<ProgramCase, number>> = { 'message-access': ACCESSES['message-access'] + 1 }

interface Run {
  printed: string
  /** From the last character before the loop to the first after it. */
  instructions: number
  /** Of the journal. */
  entries: number
}

async function runLoop(loop: ProgramCase, iterations: number): Promise<Run> {
  const image = readFileSync(loopFile(loop))
  image.writeUInt32LE(iterations, loopHeader(image))
  const kernel = await readKernel(loop, image, { lowMemoryBytes: MEMORY_BYTES })
  const machine = buildMachine('malta', { memoryBytes: MEMORY_BYTES }, { kernel })
  const { nsPerInstruction } = machine.board
  const typist = new Typist(parseScript(LOOP_SCRIPT, 'loop.script'), machine.board.console)
  let printed = ''
  let entries = 0
  const stamps: number[] = []
  await runLive({
    machine,
    sources: [typist],
    listeners: [
      typist.hear,
      (src, bytes, vt) => {
        if (src !== machine.board.console) return
        printed += Buffer.from(bytes).toString('latin1')
        stamps.push(vt / nsPerInstruction)
      },
    ],
    onProgress: (progress) => {
      entries = progress.entries
    },
    limits: { vt: 1e9 },
  })
  const begins = LOOP_MARKS[0].length
  return { printed, instructions: stamps[begins]! - stamps[begins - 1]!, entries }
}

for (const loop of PROGRAM_CASES) {
  t.test(loop, async (t) => {
    const { iterations, instructions } = readLoop(loop)
    const few = loop === 'copy' ? 2 : 20
    const once = await runLoop(loop, few)
    t.equal(once.printed, LOOP_MARKS.join(''))
    const thrice = await runLoop(loop, 3 * few)
    t.equal(thrice.printed, LOOP_MARKS.join(''))
    t.equal(thrice.instructions - once.instructions, 2 * few * instructions)
    // A grid point may be in one run and not in the other.
    const entries = Math.round((thrice.entries - once.entries) / (2 * few))
    t.equal(entries, ENTRIES[loop] ?? 0, 'entries an iteration')
    const accesses = (ACCESS_CASES as readonly string[]).includes(loop)
    t.ok(iterations * instructions >= (accesses ? 5e6 : 3e8), 'long enough to be timed')
  })
}

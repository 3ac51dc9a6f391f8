/**
 * The loop programs do what they say: they print their marks, and an iteration has as many instructions as their header
 * tells, however their branches go.
 */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseScript, Typist } from '../../device-nodes/mod.ts'
import { runLive } from '../../orchestrator/mod.ts'
import { buildMachine } from '../cli/machine.ts'
import { readKernel } from '../images/kernel.ts'
import { LOOP_CASES, type LoopCase } from './cases.ts'
import { LOOP_MARKS, LOOP_MEMORY_MIB, LOOP_SCRIPT, loopFile, loopHeader, readLoop } from './loops.ts'

const MEMORY_BYTES = LOOP_MEMORY_MIB * 2 ** 20

/** Instructions from the last character before the loop to the first after it, with so many iterations. */
async function instructionsOf(loop: LoopCase, iterations: number): Promise<{ printed: string; instructions: number }> {
  const image = readFileSync(loopFile(loop))
  image.writeUInt32LE(iterations, loopHeader(image))
  const kernel = await readKernel(loop, image, { lowMemoryBytes: MEMORY_BYTES })
  const machine = buildMachine('malta', { memoryBytes: MEMORY_BYTES }, { kernel })
  const { nsPerInstruction } = machine.board
  const typist = new Typist(parseScript(LOOP_SCRIPT, 'loop.script'), machine.board.console)
  let printed = ''
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
    limits: { vt: 1e9 },
  })
  const begins = LOOP_MARKS[0].length
  return { printed, instructions: stamps[begins]! - stamps[begins - 1]! }
}

for (const loop of LOOP_CASES) {
  t.test(loop, async (t) => {
    const { iterations, instructions } = readLoop(loop)
    const few = loop === 'copy' ? 2 : 20
    const once = await instructionsOf(loop, few)
    t.equal(once.printed, LOOP_MARKS.join(''))
    const twice = await instructionsOf(loop, 3 * few)
    t.equal(twice.printed, LOOP_MARKS.join(''))
    t.equal(twice.instructions - once.instructions, 2 * few * instructions)
    t.ok(iterations * instructions >= 3e8, 'long enough to be timed')
  })
}

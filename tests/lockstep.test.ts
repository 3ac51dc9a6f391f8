/**
 * A Debian boot on two CPUs in lockstep, one interpreting and one translating: compared after each block in stretches
 * spread over it, and at the ends of longer runs between. `ANANKE_LOCKSTEP_INSTRUCTIONS` says how far: 3.1e9 is the prompt.
 */
import t from 'tap'
import { createLockstepCpu, ImmediateCompiler } from '../cpu-node/mod.ts'
import { debianBoot, runTo } from './debian.ts'

const INSTRUCTIONS = Number(process.env['ANANKE_LOCKSTEP_INSTRUCTIONS'] ?? 300_000_000)
/** Compared after each block in the first part of each period. */
const PERIOD = 20_000_000
const STRETCH = 200_000
/** Else after so many instructions, whatever block that is in. */
const STRIDE = 100_003
const TIERS = [{ hotEntries: 1 }, { hotEntries: 300 }, { hotEntries: 50, arenaWords: 40_000, maxRegions: 8 }]

t.test('a boot is the same in both tiers after each block', async (t) => {
  const debian = await debianBoot()
  const stride = (icount: number) => (icount % PERIOD < STRETCH ? 'block' : STRIDE)
  for (const options of TIERS) {
    const tiers = { ...options, compiler: new ImmediateCompiler() }
    const bus = debian.start(
      (options) => createLockstepCpu({ ...options, tiers }, { stride }),
      () => {},
    )
    runTo(bus, INSTRUCTIONS)
    const { comparisons, translatedInstructions } = bus.machine.cpu.statistics
    t.comment(JSON.stringify(bus.machine.cpu.statistics))
    t.ok(comparisons! > INSTRUCTIONS / STRIDE, `compared, with ${JSON.stringify(options)}`)
    t.ok(translatedInstructions! > INSTRUCTIONS / 2, 'most of it was translated')
  }
})

/**
 * One guest, many ways to run its code: the first part of a Debian boot gives the same messages, registers and memory
 * whether it is interpreted, translated from the first entry, or translated at any heat, at once, beside or late.
 */
import { createHash } from 'node:crypto'
import t from 'tap'
import { createCpu, HotCode, ImmediateCompiler, LateCompiler, LiftedCode, type TierOptions } from '../cpu-node/mod.ts'
import { debianBoot, runTo } from './debian.ts'

/** Beyond the kernel unpacking itself, its set-up of memory, and its wait for the clock chip's seconds. */
const INSTRUCTIONS = 2_600_000_000
const SEED = Number(process.env['ANANKE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const debian = await debianBoot()

type Statistics = Record<'reclaims' | 'droppedRegions', number>

/** A hash of everything that the bus carried and the CPU ended with. */
function boot(tiers: TierOptions, instructions: number, counted: (statistics: Statistics) => void = () => {}): string {
  const hash = createHash('sha256')
  const bus = debian.start(
    (options) => createCpu({ ...options, tiers }),
    (message) => hash.update(JSON.stringify(message)),
  )
  runTo(bus, instructions)
  counted(bus.machine.cpu.statistics as Statistics)
  bus.machine.cpu.digest((bytes) => hash.update(bytes), 'whole')
  return hash.digest('hex')
}

/** Whole numbers below its argument, the same ones for a seed (Marsaglia's xorshift32). */
function randomOf(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

t.test('a boot does the same in every tier', async (t) => {
  t.comment(`seed ${SEED}`)
  const interpreted = boot({ hotEntries: 0 }, INSTRUCTIONS)
  for (const hotEntries of [30, 300, 2000, 20_000]) {
    t.equal(
      boot({ hotEntries }, INSTRUCTIONS),
      interpreted,
      `translated after ${hotEntries} entries, on a thread beside`,
    )
  }
  const late = new LateCompiler(randomOf(SEED))
  t.equal(boot({ hotEntries: 500, compiler: late }, INSTRUCTIONS), interpreted, 'translated late')
  const hotCode = new HotCode()
  boot({ hotCode }, INSTRUCTIONS)
  const known = new HotCode(hotCode.encode())
  t.equal(
    boot({ hotCode: known }, INSTRUCTIONS),
    interpreted,
    'translated before it is hot, as an earlier run found it',
  )
  const knownLate = { hotCode: new HotCode(hotCode.encode()), compiler: new LateCompiler(randomOf(SEED + 1)) }
  t.equal(boot(knownLate, INSTRUCTIONS), interpreted, 'known from an earlier run, and translated late')
  const liftedCode = new LiftedCode()
  t.equal(boot({ liftedCode }, INSTRUCTIONS), interpreted, 'what is lifted is kept')
  t.ok(liftedCode.isWorthKeeping)
  const lifted = new LiftedCode(liftedCode.encode())
  t.equal(boot({ liftedCode: lifted }, INSTRUCTIONS), interpreted, 'as an earlier run lifted it')
  t.notOk(lifted.isWorthKeeping, 'all of it was known')
  const counted = ({ reclaims, droppedRegions }: Statistics) => {
    t.comment(`code made room ${reclaims} times, regions ${droppedRegions} times`)
    t.ok(reclaims > 100)
    t.ok(droppedRegions > 1000)
  }
  const little = { hotEntries: 100, arenaWords: 100_000, maxRegions: 16, compiler: new ImmediateCompiler() }
  t.equal(boot(little, INSTRUCTIONS, counted), interpreted, 'with room for little code')
  const knownLittle = {
    ...little,
    hotCode: new HotCode(hotCode.encode()),
    compiler: new LateCompiler(randomOf(SEED + 2)),
  }
  t.equal(boot(knownLittle, INSTRUCTIONS, counted), interpreted, 'the same, known from an earlier run, and late')
})

t.test('the start of a boot does the same where every block is translated at its first entry', async (t) => {
  const instructions = 200_000_000
  const interpreted = boot({ hotEntries: 0 }, instructions)
  t.equal(boot({ hotEntries: 1, compiler: new ImmediateCompiler() }, instructions), interpreted)
})

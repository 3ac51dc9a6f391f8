/** Regions between which execution goes to and fro become one. */
import t from 'tap'
import type { TierOptions } from '../cpu.ts'
import { Assembler } from '../oracle/assembler.ts'
import { CODE_BASE, testMachine } from '../test-machine.ts'
import { HotCode } from './hot-code.ts'
import { FIRST } from './region.ts'

const [V0, T0, T1] = [2, 8, 9]
/** More than are in one region when it is made. */
const BLOCKS = 2 * FIRST.blocks + 10
const END = 400_000
const STEP = 500
const HOT_ENTRIES = 20

/** A loop of many blocks, each of which adds something else. */
function program(at: Assembler): void {
  at.constant(T0, 0).label('loop')
  for (let block = 0; block < BLOCKS; block++) {
    at.emit('addiu', { s: V0, t: V0, i: block }).branch('beq', {}, `after${block}`).emit('xor', { s: V0, t: T1, d: T1 })
    at.label(`after${block}`)
  }
  at.branch('beq', {}, 'loop').nop()
}

function run(tiers: TierOptions) {
  const { runTo, cpu, gpr } = testMachine(program, tiers)
  const regions = new Set<number>()
  for (let icount = STEP; icount <= END; icount += STEP) {
    runTo(icount)
    regions.add(cpu.statistics['liveRegions']!)
  }
  return { registers: cpu.hashRegisters(), sum: gpr(V0), regions: [...regions], cpu, runTo, gpr }
}

t.test('a loop of several regions becomes one', async (t) => {
  const interpreted = run({ hotEntries: 0 })
  const translated = run({ hotEntries: HOT_ENTRIES })
  t.equal(translated.registers, interpreted.registers)
  t.equal(translated.sum, interpreted.sum)
  t.ok(Math.max(...translated.regions) > 1, 'first there are several')
  t.equal(translated.regions.at(-1), 1, 'then one')
})

t.test('the next run knows the one, and makes it at once', async (t) => {
  const hotCode = new HotCode()
  const first = run({ hotEntries: HOT_ENTRIES, hotCode })
  const kept = new HotCode(hotCode.encode(), { isOfThisRun: true })
  t.equal(kept.known.length, 1)
  t.ok(kept.known[0]!.pcs.length >= BLOCKS)
  const again = run({ hotEntries: HOT_ENTRIES, hotCode: kept })
  t.equal(again.registers, first.registers)
  t.same(again.regions.slice(-1), [1])
  t.ok(Math.max(...again.regions) === 1)
})

t.test('a write to its code drops it', async (t) => {
  const overwritten = (tiers: TierOptions) => {
    const { cpu, runTo, gpr } = run(tiers)
    const place = new Assembler(CODE_BASE)
    program(place)
    // The first block's addition, after the loop's counter was set: it adds 1000 from now on.
    const first = (place.addressOf('loop') - CODE_BASE) / 4
    const word = place.finish()[first]!
    cpu.writeBacking(
      place.addressOf('loop') & 0x1fff_ffff,
      new Uint8Array(Int32Array.of((word & ~0xffff) | 1000).buffer),
    )
    const regions = cpu.statistics['liveRegions']
    for (let icount = END + STEP; icount <= 2 * END; icount += STEP) runTo(icount)
    return { registers: cpu.hashRegisters(), sum: gpr(V0), regions }
  }
  const interpreted = overwritten({ hotEntries: 0 })
  const translated = overwritten({ hotEntries: HOT_ENTRIES })
  t.equal(translated.regions, 0)
  t.equal(translated.registers, interpreted.registers)
  t.equal(translated.sum, interpreted.sum)
})

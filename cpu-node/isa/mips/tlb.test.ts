/**
 * Look-ups that are kept give what a search of the entries as they are would.
 */
import t from 'tap'
import { EntryLo, TLB_BYTES, TLB_ENTRIES, Tlb } from './tlb.ts'

t.test('what was found is forgotten when an entry comes or goes', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31)
  t.comment(`seed ${seed}`)
  let state = seed
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  const words = new Int32Array(TLB_BYTES / 4)
  const tlb = new Tlb(words)
  let found = 0
  for (let round = 0; round < 20_000; round++) {
    const address = random(2 ** 7) << 13
    const asid = random(4)
    // Several entries may match: the first of them counts.
    if (random(20) === 0) {
      const mask = random(5) > 0 ? 0 : [0x6000, 0x1_e000, 0x1fff_e000][random(100) === 0 ? 2 : random(2)]!
      const low = EntryLo.V | (random(4) === 0 ? EntryLo.G : 0)
      tlb.write(random(TLB_ENTRIES), address | asid, mask, low, low)
    }
    const index = tlb.find(address, asid)
    if (index >= 0) found++
    if (index !== new Tlb(words).find(address, asid)) return t.fail(`round ${round}: ${index}`)
  }
  t.ok(found > 1000 && found < 19_000, `${found} found`)
})

import t from 'tap'
import { median, ratio, spread } from './statistics.ts'

t.test('median', async (t) => {
  t.equal(median([]), undefined)
  t.equal(median([7]), 7)
  t.equal(median([9, 1, 5]), 5)
  t.equal(median([4, 1, 3, 2]), 2.5)
  const values = [3, 1, 2]
  median(values)
  t.same(values, [3, 1, 2], 'the list stays as it is')
})

t.test('spread', async (t) => {
  t.equal(spread([]), undefined)
  t.same(spread([3, 1, 2]), { median: 2, low: 1, high: 3 })
})

t.test('a ratio is of medians, its range of pairs', async (t) => {
  // A host that grows slower by half: both sides do.
  t.same(ratio([2, 3, 4], [4, 6, 8]), { median: 0.5, low: 0.5, high: 0.5, pairs: 0.5 })
  t.same(ratio([2, 4, 6], [1, 1, 4]), { median: 4, low: 1.5, high: 4, pairs: 2 })
})

t.test('a round in which one side failed does not count', async (t) => {
  const ofTwo = { median: 2 / 2.5, low: 0.5, high: 1, pairs: 0.75 }
  t.same(ratio([1, undefined, 3], [2, 100, 3]), ofTwo)
  t.same(ratio([1, 100, 3], [2, undefined, 3]), ofTwo)
  t.equal(ratio([undefined, 1], [1, undefined]), undefined)
  t.equal(ratio([], [1]), undefined)
})

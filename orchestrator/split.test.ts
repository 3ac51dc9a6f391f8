import t from 'tap'
import type { CheckpointFile } from '../replay-store/mod.ts'
import { splitByNumber, splitByTime } from './split.ts'

/** Checkpoints after so many seconds of a recorder that does a million instructions each. */
function checkpoints(...seconds: number[]): CheckpointFile[] {
  return seconds.map((second, index) => {
    const number = index + 1
    return { number, path: '', fileBytes: 1, entries: number, icount: second * 1e6, vt: 0, hostMs: second * 1e3 }
  })
}

const numbers = (files: readonly CheckpointFile[]) => files.map(({ number }) => number)

t.test('parts take about as long as each other, with the start of the later ones', async (t) => {
  const each = checkpoints(1, 2, 3, 4, 5, 6, 7, 8, 9)
  t.same(numbers(splitByTime(each, 10e6, 2)), [5])
  t.same(numbers(splitByTime(each, 10e6, 3)), [4, 7])
  t.same(numbers(splitByTime(each, 10e6, 1)), [])
  t.same(numbers(splitByTime(checkpoints(1, 5), 10e6, 8)), [2], 'no more than are of use')
  t.same(numbers(splitByTime(checkpoints(1.4), 3e6, 2)), [1])
})

t.test('nothing is split that it does not make shorter', async (t) => {
  t.same(splitByTime([], 10e6, 4), [])
  t.same(splitByTime(checkpoints(0.1, 0.2), 1e6, 2), [], 'the second part takes as long as all')
  t.same(splitByTime(checkpoints(9.9), 10e6, 2), [])
  t.same(splitByTime(checkpoints(0.3), 0.6e6, 2), [])
  t.same(splitByTime(checkpoints(0), 0, 2), [])
})

t.test('by number', async (t) => {
  const each = checkpoints(1, 2, 3, 4, 5)
  t.same(numbers(splitByNumber(each, 1)), [])
  t.same(numbers(splitByNumber(each, 2)), [3])
  t.same(numbers(splitByNumber(each, 3)), [2, 4])
  t.same(numbers(splitByNumber(each, 6)), [1, 2, 3, 4, 5])
  t.same(numbers(splitByNumber(each, 60)), [1, 2, 3, 4, 5])
  t.same(splitByNumber([], 4), [])
})

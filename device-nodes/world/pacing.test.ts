/**
 * How many frames enter at a grid point, and which are lost.
 */
import t from 'tap'
import { FRAMES_PER_POINT, LONGEST_FRAME_BYTES, PacedQueue, WIRE_BYTES_PER_FRAME } from './pacing.ts'

const frame = (bytes: number, first = 0) => new Uint8Array(bytes).fill(first, 0, 1)
const queue = (mostFrames = 1000) => new PacedQueue({ mostFrames, overflow: 'dropOldest' })
const wireBytes = (frames: readonly Uint8Array[]) =>
  frames.reduce((sum, { length }) => sum + length + WIRE_BYTES_PER_FRAME, 0)

t.test('a point has what the wire carries, in order; the rest waits', async (t) => {
  const paced = queue()
  t.equal(paced.waitingSince, undefined)
  for (let i = 0; i < 100; i++) paced.push(frame(3000, i), i)
  const firsts: number[] = []
  for (let point = 0; paced.waitingSince !== undefined; point++) {
    t.equal(paced.waitingSince, firsts.length)
    const taken = paced.take()
    t.ok(wireBytes(taken) <= 50_000)
    if (paced.length > 0) t.ok(wireBytes(taken) > 50_000 - 3000 - WIRE_BYTES_PER_FRAME, 'it is used up')
    for (const bytes of taken) firsts.push(bytes[0]!)
    t.ok(point < 10)
  }
  t.same(
    firsts,
    Array.from({ length: 100 }, (_, i) => i),
  )
  t.same(paced.take(), [])
  t.equal(paced.dropped, 0)
})

t.test('short frames are bounded by the buffers of a card, long ones enter all the same', async (t) => {
  const paced = queue()
  for (let i = 0; i < 100; i++) paced.push(frame(42), i)
  t.equal(paced.take().length, FRAMES_PER_POINT)
  t.equal(paced.length, 100 - FRAMES_PER_POINT)
  const jumbo = queue()
  for (let i = 0; i < 2; i++) jumbo.push(frame(60_000), i)
  t.equal(jumbo.take().length, 1)
  t.equal(jumbo.take().length, 1)
})

t.test('one too many: the oldest or the newest is lost, and counted', async (t) => {
  for (const [overflow, kept] of [
    ['dropOldest', [2, 3, 4]],
    ['dropNewest', [0, 1, 2]],
  ] as const) {
    const paced = new PacedQueue({ mostFrames: 3, overflow })
    for (let i = 0; i < 5; i++) paced.push(frame(60, i), i)
    t.equal(paced.dropped, 2)
    t.same(
      paced.take().map(([first]) => first),
      kept,
      overflow,
    )
  }
})

t.test('frames are pulled after those that wait, as far as there is room', async (t) => {
  const paced = queue()
  let pulled = 0
  const pull = () => {
    pulled++
    return frame(LONGEST_FRAME_BYTES, 255)
  }
  for (let i = 0; i < 40; i++) paced.push(frame(LONGEST_FRAME_BYTES, i), i)
  t.equal(paced.take(pull).length, FRAMES_PER_POINT)
  t.equal(pulled, 0, 'others wait')
  const taken = paced.take(pull)
  t.equal(taken.length, FRAMES_PER_POINT)
  t.equal(pulled, 2 * FRAMES_PER_POINT - 40)
  t.same([taken[39 - FRAMES_PER_POINT]?.[0], taken[40 - FRAMES_PER_POINT]?.[0]], [39, 255])
  t.same(
    paced.take(() => undefined),
    [],
  )
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { alone } from './lock.ts'

t.test('one after the other', async (t) => {
  const lock = join(t.testdir(), 'lock')
  const order: string[] = []
  let waited = 0
  const work = (name: string) =>
    alone(
      lock,
      () => waited++,
      async () => {
        order.push(`${name} begins`)
        await sleep(20)
        order.push(`${name} ends`)
        return name
      },
    )
  t.same(await Promise.all([work('a'), work('b'), work('c')]), ['a', 'b', 'c'])
  t.equal(waited, 2)
  for (let i = 0; i < order.length; i += 2) t.equal(order[i + 1], order[i]?.replace('begins', 'ends'))
})

t.test('work that fails gives the lock back', async (t) => {
  const lock = join(t.testdir(), 'lock')
  await t.rejects(
    alone(lock, t.fail, () => Promise.reject(new Error('no'))),
    { message: 'no' },
  )
  t.equal(await alone(lock, t.fail, async () => 7), 7)
})

t.test('who was killed is not waited for', async (t) => {
  const lock = join(t.testdir(), 'lock')
  writeFileSync(lock, '')
  let waited = 0
  t.equal(
    await alone(
      lock,
      () => waited++,
      async () => 7,
      { beatMs: 1000, lookMs: 1 },
    ),
    7,
  )
  t.equal(waited, 1)
})

t.test('who takes long is waited for', async (t) => {
  const lock = join(t.testdir(), 'lock')
  const times = { beatMs: 5, lookMs: 2 }
  let isDone = false
  const first = alone(
    lock,
    t.fail,
    async () => {
      await sleep(200)
      isDone = true
    },
    times,
  )
  t.equal(
    await alone(
      lock,
      () => {},
      async () => isDone,
      times,
    ),
    true,
  )
  await first
})

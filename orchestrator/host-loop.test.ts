import t from 'tap'
import { Alarm } from './host-loop.ts'

const LONG_MS = 1e9

t.test('an alarm ends a sleep', async (t) => {
  const alarm = new Alarm()
  const slept = alarm.sleep(LONG_MS)
  setImmediate(() => alarm.ring())
  await slept
  t.pass('it would take eleven days')
})

t.test('one that rang before is not slept through, and counts once', async (t) => {
  const alarm = new Alarm()
  alarm.ring()
  alarm.ring()
  let served = false
  setImmediate(() => {
    served = true
  })
  await alarm.sleep(LONG_MS)
  t.ok(served, 'the host was served')
  let isAwake = false
  const slept = alarm.sleep(LONG_MS).then(() => {
    isAwake = true
  })
  await new Promise((resolve) => setTimeout(resolve, 5))
  t.notOk(isAwake)
  alarm.ring()
  await slept
})

t.test('without an alarm a sleep ends in time', async (t) => {
  await new Alarm().sleep(1)
  t.pass()
})

/** Threads that are started ahead: who asks for one gets one that lives, and of its machine. */
import { once } from 'node:events'
import t from 'tap'
import { partWorker, startPartWorker } from './part-worker.ts'
import { testModule } from './testing.ts'

const { url } = testModule({ program: {} })
const NO_MODULE = new URL('./no-such-module.ts', import.meta.url).href

t.test('one is given once, and for its machine alone', async (t) => {
  const started = startPartWorker(url)
  const other = partWorker(NO_MODULE)
  const [first, second] = [partWorker(url), partWorker(url)]
  t.not(other, started)
  t.equal(first, started)
  t.not(second, started)
  await Promise.all([other, first, second].map((worker) => worker.terminate()))
})

t.test('one that ended before it was asked for is not given: what it said nobody has heard', async (t) => {
  const started = startPartWorker(NO_MODULE)
  started.ref()
  await once(started, 'exit')
  const given = partWorker(NO_MODULE)
  t.not(given, started)
  t.match(await once(given, 'message'), [{ kind: 'failed', what: /no-such-module/ }])
})

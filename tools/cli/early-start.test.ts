/** Threads that come up before it is known what they are for. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ananke, said } from './testing.ts'

t.test('what a guess at the words gets wrong costs nothing but time', async (t) => {
  const directory = t.testdir()
  // By its checkpoints it looks as if it were to be replayed in parts.
  const recording = join(directory, 'no.ank')
  mkdirSync(join(recording, 'checkpoints'), { recursive: true })
  const env = { XDG_CACHE_HOME: join(directory, 'cache') }
  const wordings = [
    ['replay', recording],
    ['replay', '--json', recording],
    ['replay', recording, '--verify', '--mode', 'cpu'],
    ['replay', '--mode=cpu', recording],
    ['replay', recording, '--mode', 'full'],
    ['replay', join(directory, 'none.ank')],
  ]
  for (const words of wordings) {
    const outcome = await ananke(words, { env })
    t.equal(outcome.status, 1, words.join(' '))
    t.match(said(outcome).join('\n'), /\.ank.*(manifest|no such|not there|does not exist|no recording)/i)
  }
  t.equal((await ananke(['replay'], { env })).status, 2)
})
